"""Prints what makes the boundary of examples/aws known to the sandbox: boundary.py TEMPLATE ARN."""
import json
import pathlib
import sys

import yaml


class Plain(yaml.SafeLoader):
    """CloudFormation's short forms (`!Sub`) as what stands behind them: only actions are looked at."""


def plain(loader, _, node):
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Plain.add_multi_constructor("!", plain)
template = yaml.load(pathlib.Path(sys.argv[1]).read_text(), Plain)
document = template["Resources"]["TriggerBoundary"]["Properties"]["PolicyDocument"]
print(json.dumps({"arn": sys.argv[2], "document": document}))
