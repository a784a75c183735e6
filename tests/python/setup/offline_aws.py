"""The AWS CLI without AWS: the real command line, its own models, a stand-in for the wire alone.

Usage: offline_aws.py ARGUMENTS... as `aws` takes them. Requests are built and checked by botocore as ever, then answered
from here; each answer is checked against the operation's own output shape. The file that OFFLINE_AWS_STATE names holds
the stacks made so far and the operations called, so that one command finds what another has made.
"""

import json
import os
import pathlib
import sys
from unittest import mock

import botocore.endpoint
from awscli.clidriver import create_clidriver
from botocore.validate import ParamValidator

import templates

ACCOUNT = "111122223333"
OUTPUTS = {"ConnectionArn": f"arn:aws:codeconnections:eu-central-1:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"}
SIMPLE = {
    "GetCallerIdentity": {"Account": ACCOUNT, "UserId": "AIDA", "Arn": f"arn:aws:iam::{ACCOUNT}:user/admin"},
    "GetConnection": {"Connection": {"ConnectionStatus": "AVAILABLE"}},
    "CreatePodIdentityAssociation": {"association": {"associationId": "a-1"}},
    "DescribeCluster": {"cluster": {"identity": {"oidc": {"issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE"}}}},
    "CreateTopic": {"TopicArn": f"arn:aws:sns:eu-central-1:{ACCOUNT}:mlops-alarms"},
    "Subscribe": {"SubscriptionArn": "pending confirmation"},
    "FilterLogEvents": {"events": [{"message": '{"outcome": "Jenkins does not answer"}'}]},
    "StartMessageMoveTask": {"TaskHandle": "t-1"},
    "DeleteChangeSet": {},
}


class Refused(Exception):
    """What AWS would refuse."""


def create_access_key(_state, asked):
    key = {"UserName": asked["UserName"], "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret", "Status": "Active"}
    return {"AccessKey": key}


def get_role(_state, asked):
    name = asked["RoleName"]
    role = {"RoleName": name, "RoleId": "AROAEXAMPLEEXAMPLE", "Path": "/service-role/", "CreateDate": "2026-01-01T00:00:00Z"}
    return {"Role": role | {"Arn": f"arn:aws:iam::{ACCOUNT}:role/service-role/{name}"}}


def create_change_set(state, asked):
    template = templates.load(asked["TemplateBody"])
    before = state["stacks"].get(asked["StackName"], {}).get("Given", {})
    given = {one["ParameterKey"]: one["ParameterValue"] for one in asked["Parameters"] if "ParameterValue" in one}
    given |= {one["ParameterKey"]: before[one["ParameterKey"]] for one in asked["Parameters"] if one.get("UsePreviousValue") and one["ParameterKey"] in before}
    told = templates.refusals(template, given, asked.get("Capabilities") or [])
    if told:
        raise Refused(f"{asked['StackName']}: " + "; ".join(told))
    values = {name: OUTPUTS.get(name, f"arn:aws:iam::{ACCOUNT}:role/{name}") for name in template["Outputs"]}
    state["stacks"][asked["StackName"]] = {
        "StackStatus": f"{asked['ChangeSetType']}_COMPLETE",
        "Template": asked["TemplateBody"],
        "Given": given,
        "Outputs": [{"OutputKey": name, "OutputValue": one} for name, one in values.items()],
    }
    return {"Id": asked["ChangeSetName"], "StackId": asked["StackName"]}


def describe_stacks(state, asked):
    stacks = state["stacks"] if "StackName" not in asked else {asked["StackName"]: state["stacks"].get(asked["StackName"])}
    if None in stacks.values():
        return {"Error": {"Code": "ValidationError", "Message": f"Stack with id {asked['StackName']} does not exist"}}
    always = {"CreationTime": "2026-01-01T00:00:00Z", "StackStatus": "CREATE_COMPLETE"}
    shown = [{key: value for key, value in stack.items() if key not in ("Template", "Given")} for stack in stacks.values()]
    return {"Stacks": [always | {"StackName": name} | one for name, one in zip(stacks, shown)]}


def get_template_summary(state, asked):
    text = asked["TemplateBody"] if "TemplateBody" in asked else state["stacks"][asked["StackName"]]["Template"]
    declared = templates.load(text).get("Parameters", {})
    return {"Parameters": [{"ParameterKey": name, "ParameterType": one["Type"]} for name, one in declared.items()]}


ANSWERS = {
    "CreateAccessKey": create_access_key,
    "CreateChangeSet": create_change_set,
    "DescribeChangeSet": lambda *_: {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE"},
    "DescribeProject": lambda _state, asked: {
        "ProjectName": asked["ProjectName"], "ProjectId": "p-0a1b2c3d4e5f", "ProjectArn": f"arn:aws:sagemaker:eu-central-1:{ACCOUNT}:project/p",
        "ProjectStatus": "CreateCompleted", "CreationTime": "2026-01-01T00:00:00Z",
    },
    "DescribeStacks": describe_stacks,
    "ExecuteChangeSet": lambda *_: {},
    "GetRole": get_role,
    "GetTemplateSummary": get_template_summary,
}


def check_overrides(arguments):
    """`deploy` says nothing of a parameter that the template lacks, so it is said here."""
    if "--parameter-overrides" not in arguments:
        return
    declared = templates.load(pathlib.Path(arguments[arguments.index("--template-file") + 1]).read_text())["Parameters"]
    for override in arguments[arguments.index("--parameter-overrides") + 1 :]:
        if override.partition("=")[0] not in declared:
            raise Refused(f"the template has no parameter for {override}")


def main(arguments):
    check_overrides(arguments)
    file = pathlib.Path(os.environ["OFFLINE_AWS_STATE"])
    state = json.loads(file.read_text())
    asked = {}

    def build(client, **call):
        asked.update(call["api_params"])
        return real_build(client, **call)

    def answer(_endpoint, operation, _request):
        name = operation.name
        state["calls"].append(name)
        if name not in SIMPLE and name not in ANSWERS:
            raise Refused(f"nothing is known here of {name}: add it to tests/python/setup/offline_aws.py")
        reply = SIMPLE[name] if name in SIMPLE else ANSWERS[name](state, dict(asked))
        asked.clear()
        if "Error" in reply:
            return mock.Mock(status_code=400), reply | {"ResponseMetadata": {"HTTPStatusCode": 400}}
        report = ParamValidator().validate(reply, operation.output_shape) if operation.output_shape else None
        if report is not None and report.has_errors():
            raise Refused(f"the answer to {name} is none that AWS gives: {report.generate_report()}")
        return mock.Mock(status_code=200), reply | {"ResponseMetadata": {"HTTPStatusCode": 200}}

    real_build = botocore.client.BaseClient._convert_to_request_dict
    with (
        mock.patch.object(botocore.client.BaseClient, "_convert_to_request_dict", build),
        mock.patch.object(botocore.endpoint.Endpoint, "make_request", answer),
    ):
        status = create_clidriver().main(arguments)
    state["commands"].append(arguments)
    file.write_text(json.dumps(state))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
