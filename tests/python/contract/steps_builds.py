"""The walkthrough's steps at CodeBuild, and at a stack with a function of its own, which answers CloudFormation itself."""

import io
import zipfile

from expect import eventually, refused, until
from steps_prerequisites import REGION

BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo hello\n"
VARIABLES = [{"name": "STAGE", "value": "example", "type": "PLAINTEXT"}]
ASKING = """\
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Role: {Type: String}
  Word: {Type: String, Default: hello}
Rules:
  Words:
    Assertions:
      - Assert: !Contains [[hello, goodbye], !Ref Word]
        AssertDescription: Word is hello or goodbye
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !Ref Role
      Timeout: 20
      Code:
        ZipFile: |
          import json
          import urllib.request

          def handler(event, context):
              members = ("StackId", "RequestId", "LogicalResourceId")
              reply = {"Status": "SUCCESS", "PhysicalResourceId": "example", "Data": {"Word": "heard"}}
              body = json.dumps(reply | {name: event[name] for name in members}).encode()
              request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
              urllib.request.urlopen(request, timeout=10).close()
  Thing:
    Type: Custom::Thing
    Properties: {ServiceToken: !GetAtt Function.Arn, ServiceTimeout: 60, Word: !Ref Word}
Outputs:
  Word: {Value: !GetAtt Thing.Word}
"""


def builds(aws, role):
    """CodeBuild."""
    builds, s3 = aws.client("codebuild"), aws.client("s3")
    source = io.BytesIO()
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("buildspec.yml", BUILDSPEC)
    s3.create_bucket(Bucket="example-builds", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="example-builds", Key="source.zip", Body=source.getvalue())
    project = {
        "name": "example",
        "description": "d",
        "source": {"type": "S3", "location": "example-builds/source.zip"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": VARIABLES,
        },
        "serviceRole": role,
        "timeoutInMinutes": 10,
        "queuedTimeoutInMinutes": 10,
        "logsConfig": {"cloudWatchLogs": {"status": "ENABLED", "groupName": "/example"}},
        "tags": [{"key": "team", "value": "ml"}],
    }
    refused("InvalidInputException", builds.create_project, **project | {"serviceRole": role + "-none"})
    builds.create_project(**project)
    refused("ResourceAlreadyExistsException", builds.create_project, **project)
    builds.update_project(name="example", timeoutInMinutes=20)
    refused("ResourceNotFoundException", builds.update_project, name="none", timeoutInMinutes=20)
    builds.batch_get_projects(names=["example", "none"])
    builds.list_projects(sortBy="NAME", sortOrder="ASCENDING")
    refused("ResourceNotFoundException", builds.start_build, projectName="none")
    started = builds.start_build(projectName="example", environmentVariablesOverride=VARIABLES, idempotencyToken="t")["build"]["id"]
    refused("InvalidInputException", builds.start_build, projectName="example", idempotencyToken="t")
    until(lambda: builds.batch_get_builds(ids=[started])["builds"][0]["buildStatus"], "SUCCEEDED", "the build")
    builds.batch_get_builds(ids=[started, "example:none"])
    builds.stop_build(id=builds.start_build(projectName="example")["build"]["id"])
    refused("ResourceNotFoundException", builds.stop_build, id="example:none")
    builds.list_builds_for_project(projectName="example", sortOrder="DESCENDING")
    refused("ResourceNotFoundException", builds.list_builds_for_project, projectName="none")
    builds.delete_project(name="example")


def asking(aws, role):
    """A stack whose function brings a thing about, by a PUT to the URL that it is given."""
    stacks = aws.client("cloudformation")
    named = [{"ParameterKey": "Role", "ParameterValue": role}]
    wrong = named + [{"ParameterKey": "Word", "ParameterValue": "what"}]
    refused("ValidationError", stacks.create_stack, StackName="asking", TemplateBody=ASKING, Parameters=wrong)
    eventually(lambda: stacks.create_stack(StackName="asking", TemplateBody=ASKING, Parameters=named))

    def status():
        return stacks.describe_stacks(StackName="asking")["Stacks"][0]["StackStatus"]

    until(status, "CREATE_COMPLETE", "the stack with a function of its own")
    word = stacks.describe_stacks(StackName="asking")["Stacks"][0]["Outputs"][0]["OutputValue"]
    until(lambda: word, "heard", "what the function gives")
    stacks.describe_stack_events(StackName="asking")
    stacks.delete_stack(StackName="asking")
