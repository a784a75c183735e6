"""The walkthrough's steps at CloudFormation's change sets, with boto3 and as `aws cloudformation deploy` takes them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from expect import Wrong, refused, until
from steps_prerequisites import REGION, TAGS
from steps_stacks import TEMPLATE

STACK = "example-changes"


def change_sets(aws):
    """Change sets, one of each kind."""
    stacks = aws.client("cloudformation")
    refused("ValidationError", stacks.create_change_set, StackName=STACK, ChangeSetName="none", TemplateBody=TEMPLATE)
    made = propose(stacks, "first", ChangeSetType="CREATE", TemplateBody=TEMPLATE, Tags=TAGS, Description="d", OnStackFailure="DELETE")
    stacks.describe_change_set(ChangeSetName=made["Id"])
    stacks.get_template(StackName=STACK, ChangeSetName="first")
    stacks.list_change_sets(StackName=STACK)
    stacks.execute_change_set(StackName=STACK, ChangeSetName="first", ClientRequestToken="changes-1")
    stands(stacks, "CREATE_COMPLETE")
    refused("InvalidChangeSetStatus", stacks.execute_change_set, StackName=STACK, ChangeSetName="first")
    propose(stacks, "empty", "FAILED", UsePreviousTemplate=True)
    stacks.delete_change_set(StackName=STACK, ChangeSetName="empty")
    refused("ChangeSetNotFound", stacks.describe_change_set, StackName=STACK, ChangeSetName="empty")
    name = {"ParameterKey": "Name", "ParameterValue": "example-changed"}
    propose(stacks, "second", UsePreviousTemplate=True, Parameters=[name])
    stacks.execute_change_set(StackName=STACK, ChangeSetName="second", DisableRollback=False)
    stands(stacks, "UPDATE_COMPLETE")
    stacks.delete_stack(StackName=STACK)


def propose(stacks, name, status="CREATE_COMPLETE", **members):
    """A change set that has been worked out; gives the reply to its creation."""
    made = stacks.create_change_set(StackName=STACK, ChangeSetName=name, **members)
    until(lambda: stacks.describe_change_set(StackName=STACK, ChangeSetName=name)["Status"], status, f"the change set {name}")
    return made


def stands(stacks, status):
    """The stack has this status."""
    until(lambda: stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"], status, "the stack")


def deployments(aws):
    """`aws cloudformation deploy`: a creation, nothing to do, an update. It looks every 5 and 30 seconds, so nothing takes time."""
    settings(aws, {"stack": 0})
    with tempfile.TemporaryDirectory() as folder:
        template = pathlib.Path(folder) / "template.yaml"
        template.write_text(TEMPLATE)
        deploy = ["cloudformation", "deploy", "--stack-name", "example-deploy", "--template-file", str(template)]
        says(aws, deploy, "Successfully created/updated stack - example-deploy")
        says(aws, [*deploy, "--no-fail-on-empty-changeset"], "No changes to deploy. Stack example-deploy is up to date")
        says(aws, [*deploy, "--parameter-overrides", "Name=example-deployed"], "Successfully created/updated stack - example-deploy")
    settings(aws, {"stack": 0.3})
    aws.client("cloudformation").delete_stack(StackName="example-deploy")


def says(aws, arguments, sentence):
    """The AWS CLI ends well and says this. It names a change set by the second, so each deployment begins in another one."""
    time.sleep(1.1)
    program = pathlib.Path(sys.executable).with_name("aws")
    environment = os.environ | {
        "AWS_ENDPOINT_URL": aws.endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAWALKTHROUGH", "AWS_SECRET_ACCESS_KEY": "none",
    }  # fmt: skip
    command = [sys.executable, "-B", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0 or sentence not in done.stdout:
        raise Wrong(f"aws {' '.join(arguments)}: {done.returncode}: {done.stdout} {done.stderr}")


def settings(aws, some):
    """Changes how long things take in the sandbox."""
    request = urllib.request.Request(f"{aws.endpoint}/_sandbox/settings", json.dumps(some).encode(), method="POST")
    urllib.request.urlopen(request, timeout=10).close()
