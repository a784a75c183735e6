"""CloudFormation and the model registry for the recording AWS (aws.py), as far as the endpoint repository uses them.

A stack comes up at once, and only if its template takes the parameters that it is given. It stands alone since the pipelines
of the other repositories need none of it.
"""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape

import yaml
from aws import ACCOUNT, REGION, Aws, Refused


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's tags as the functions that they stand for."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def read_template(text: str) -> dict[str, Any]:
    """A template, with `!Sub x` as `{"Sub": x}`."""
    return yaml.load(text, _Loader)


def model_package(group: str, version: int, approval: str = "Approved", **more: Any) -> dict[str, Any]:
    """A version of a model package group, as both the list and the description show it."""
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{group}/{version}"
    shown = {"ModelPackageGroupName": group, "ModelPackageVersion": version, "ModelPackageArn": arn}
    state = {"ModelPackageStatus": "Completed", "ModelApprovalStatus": approval, "CreationTime": 1_772_000_000 + version}
    return {**shown, **state, **more}


def teach_registry(aws: Aws, packages: list[dict[str, Any]]) -> None:
    """The model registry: `packages` is what is registered, oldest first."""

    def listed(request):
        wanted = request.get("ModelApprovalStatus")
        found = [one for one in packages if wanted in (None, one["ModelApprovalStatus"])]
        # Ascending is what the API does where nothing is said.
        return {"ModelPackageSummaryList": found[::-1] if request.get("SortOrder") == "Descending" else found}

    def described(request):
        for one in packages:
            if one["ModelPackageArn"] == request["ModelPackageName"]:
                return one
        raise Refused("ValidationException", f"ModelPackage {request['ModelPackageName']} does not exist.")

    aws.answers |= {"SageMaker.ListModelPackages": listed, "SageMaker.DescribeModelPackage": described}


class Stacks:
    """The stacks of an AWS: by name, their parameters, tags and outputs."""

    def __init__(self, aws: Aws):
        self.stacks: dict[str, dict[str, Any]] = {}
        aws.answers |= {
            "cloudformation.DescribeStacks": self._describe,
            "cloudformation.CreateStack": self._create,
            "cloudformation.UpdateStack": self._update,
        }

    def _describe(self, request):
        stack = self.stacks.get(request["StackName"])
        if stack is None:
            raise Refused("ValidationError", f"Stack with id {request['StackName']} does not exist")
        outputs = "".join(
            f"<member><OutputKey>{key}</OutputKey><OutputValue>{escape(value)}</OutputValue></member>"
            for key, value in stack["outputs"].items()
        )
        head = f"<StackName>{request['StackName']}</StackName><StackStatus>{stack['status']}</StackStatus>"
        body = f"{head}<CreationTime>2026-03-02T08:00:00Z</CreationTime><Outputs>{outputs}</Outputs>"
        return _xml("DescribeStacks", f"<Stacks><member>{body}</member></Stacks>")

    def _create(self, request):
        if request["StackName"] in self.stacks:
            raise Refused("AlreadyExistsException", f"Stack [{request['StackName']}] already exists")
        self.stacks[request["StackName"]] = {"status": "CREATE_COMPLETE", **_evaluated(request)}
        return _xml("CreateStack", "<StackId>1</StackId>")

    def _update(self, request):
        new = {"status": "UPDATE_COMPLETE", **_evaluated(request)}
        old = self.stacks[request["StackName"]]
        if all(old[key] == new[key] for key in ("parameters", "tags", "template")):
            raise Refused("ValidationError", "No updates are to be performed.")
        self.stacks[request["StackName"]] = new
        return _xml("UpdateStack", "<StackId>1</StackId>")


def _evaluated(request: dict[str, str]) -> dict[str, Any]:
    given, tags = _pairs(request, "Parameters", "Parameter"), _pairs(request, "Tags", "")
    template = read_template(request["TemplateBody"])
    declared = template["Parameters"]
    missing = [name for name, one in declared.items() if "Default" not in one and name not in given]
    unknown = [name for name in given if name not in declared]
    if missing or unknown:
        raise Refused("ValidationError", f"Parameters: {missing} must have values, {unknown} do not exist in the template")
    for name, value in given.items():
        allowed = declared[name].get("AllowedValues", [value])
        if value not in allowed or not re.search(declared[name].get("AllowedPattern", ""), value):
            raise Refused("ValidationError", f"Parameter '{name}' does not take {value!r}")
    name = template["Resources"]["Endpoint"]["Properties"]["EndpointName"]["Sub"]
    suffix = template.get("Mappings", {}).get("Stage", {}).get(given["StageName"], {}).get("Suffix", "")
    pattern = name if isinstance(name, str) else name[0]
    endpoint = re.sub(r"\$\{(\w+)}", lambda found: {**given, "Suffix": suffix}[found[1]], pattern)
    outputs = {"EndpointName": endpoint, "ModelPackageName": given["ModelPackageName"]}
    return {"parameters": given, "tags": tags, "template": request["TemplateBody"], "outputs": outputs}


def _pairs(request: dict[str, str], of: str, prefix: str) -> dict[str, str]:
    pairs = {}
    for place, value in request.items():
        found = re.fullmatch(rf"{of}\.member\.(\d+)\.{prefix}Key", place)
        if found:
            pairs[value] = request.get(f"{of}.member.{found[1]}.{prefix}Value", "")
    return pairs


def _xml(operation: str, body: str) -> dict[str, str]:
    return {"xml": f"<{operation}Response><{operation}Result>{body}</{operation}Result></{operation}Response>"}
