"""`deploy-endpoint`: makes the CloudFormation stack of one stage as the export says, and waits until it is.

A stack whose first creation failed can only be deleted; it is, and made again. A stack that nothing changes is left
alone. When a deployment fails, the first thing that failed is told, which CloudFormation hides among its consequences.
"""

import argparse
import json
import sys
from importlib import resources
from pathlib import Path

from botocore.exceptions import ClientError, WaiterError

from endpoint import commands, settings
from endpoint.model_registry import Refused

# An update waits for its alarms and for the old instances to go; CloudFormation gets an hour and a half for all of it.
SECONDS_BETWEEN_LOOKS = 15
LOOKS = 360

NEVER_CAME_UP = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


def stack_name(project_name, project_id, endpoint_type, stage):
    """Name of a stage's stack: at most 94 of the 128 characters that a stack's name may have."""
    kind = "" if endpoint_type == "realtime" else f"-{endpoint_type}"
    return f"sagemaker-{project_name}-{project_id}-deploy-{stage}{kind}"


def export_of(folder, stage):
    """What `build-endpoint` wrote for a stage."""
    file = folder / f"{stage}-config-export.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{file} is missing: run build-endpoint first") from None


def deploy(client, name, template, export, look=SECONDS_BETWEEN_LOOKS):
    """Makes or updates the stack and waits. Returns its outputs."""
    status = _status(client, name)
    if status in NEVER_CAME_UP:
        print(f"{name} is {status}: it is deleted and made again")
        client.delete_stack(StackName=name)
        _wait(client, "stack_delete_complete", name, look)
        status = None
    elif status and (status.endswith("_IN_PROGRESS") or status.endswith("_FAILED")):
        raise Refused(f"{name} is {status}: wait until it is done, or continue its rollback in CloudFormation")
    wanted = {
        "StackName": name,
        "TemplateBody": template,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in export["Parameters"].items()],
        "Tags": [{"Key": key, "Value": value} for key, value in export["Tags"].items()],
    }
    if status is None:
        client.create_stack(**wanted)
        _wait(client, "stack_create_complete", name, look)
    elif _update(client, wanted):
        _wait(client, "stack_update_complete", name, look)
    return outputs(client, name)


def outputs(client, name):
    """The stack's outputs by name."""
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _status(client, name):
    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def _update(client, wanted):
    try:
        client.update_stack(**wanted)
    except ClientError as error:
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            print(f"{wanted['StackName']} is as it should be")
            return False
        raise
    return True


def _wait(client, waiter, name, look):
    try:
        client.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": look, "MaxAttempts": LOOKS})
    except WaiterError as error:
        raise Refused(f"{name} did not come up: {_first_cause(client, name) or error}") from error


def _first_cause(client, name):
    """The earliest failure of the stack's last operation, as `resource (type): reason`."""
    first = None
    for page in client.get_paginator("describe_stack_events").paginate(StackName=name):
        for event in page["StackEvents"]:  # the newest comes first
            status = event.get("ResourceStatus", "")
            if event.get("PhysicalResourceId") == event["StackId"] and status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):
                return first
            if status.endswith("_FAILED"):
                reason = event.get("ResourceStatusReason", "no reason given")
                first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return first


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="deploy-endpoint", description=__doc__.splitlines()[0])
    parser.add_argument("--stage", required=True, choices=settings.STAGES)
    parser.add_argument("--endpoint-type", default="realtime", choices=settings.TYPES)
    parser.add_argument("--export-dir", default="export", type=Path)
    return parser.parse_args(argv)


def run(argv, session):
    arguments = _arguments(argv)
    export = export_of(arguments.export_dir, arguments.stage)
    parameters = export["Parameters"]
    name = stack_name(
        parameters["SageMakerProjectName"], parameters["SageMakerProjectId"], arguments.endpoint_type, arguments.stage
    )
    template = resources.files("endpoint") / "templates" / f"{arguments.endpoint_type}-endpoint.yaml"
    print(f"deploying {parameters['ModelPackageName']} with the stack {name}")
    made = deploy(session.client("cloudformation"), name, template.read_text(encoding="utf-8"), export)
    print(f"the endpoint {made['EndpointName']} serves {made['ModelPackageName']}")


def main(argv=None, session=None):
    return commands.carry_out(run, sys.argv[1:] if argv is None else argv, session)
