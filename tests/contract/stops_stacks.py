"""The tour's stops at CloudFormation, Lambda and EventBridge."""

import io
import json
import zipfile

from expect import eventually, refused, until
from stops_ground import ACCOUNT, REGION, TAGS

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: One group
Parameters:
  Name: {Type: String, Default: tour}
  SageMakerProjectName: {Type: String, Default: none}
  SageMakerProjectId: {Type: String, Default: none}
Resources:
  Group:
    Type: AWS::SageMaker::ModelPackageGroup
    Properties: {ModelPackageGroupName: !Ref Name}
Outputs:
  Name: {Value: !Ref Name}
"""


def stacks(aws, role):
    """CloudFormation."""
    stacks = aws.client("cloudformation")
    stacks.validate_template(TemplateBody=TEMPLATE)
    refused("ValidationError", stacks.validate_template, TemplateBody="Resources: [")
    stacks.get_template_summary(TemplateBody=TEMPLATE)
    refused("ValidationError", stacks.describe_stacks, StackName="tour")
    stacks.create_stack(StackName="tour", TemplateBody=TEMPLATE, RoleARN=role, Tags=TAGS, ClientRequestToken="t1", OnFailure="DELETE")
    refused("AlreadyExistsException", stacks.create_stack, StackName="tour", TemplateBody=TEMPLATE)
    settled(stacks, "CREATE_COMPLETE")
    refused("ValidationError", stacks.update_stack, StackName="tour", UsePreviousTemplate=True)
    name = {"ParameterKey": "Name", "ParameterValue": "tour-2"}
    stacks.update_stack(StackName="tour", UsePreviousTemplate=True, Parameters=[name])
    settled(stacks, "UPDATE_COMPLETE")
    stacks.update_stack(StackName="tour", UsePreviousTemplate=True, Parameters=[name | {"ParameterValue": "tour-3"}])
    stacks.cancel_update_stack(StackName="tour")
    settled(stacks, "UPDATE_ROLLBACK_COMPLETE")
    refused("ValidationError", stacks.continue_update_rollback, StackName="tour")
    refused("ValidationError", stacks.rollback_stack, StackName="tour")
    stacks.set_stack_policy(
        StackName="tour", StackPolicyBody='{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}'
    )
    stacks.get_stack_policy(StackName="tour")
    for read in (stacks.describe_stack_events, stacks.describe_stack_resources, stacks.list_stack_resources, stacks.get_template):
        read(StackName="tour")
    stacks.describe_stack_resource(StackName="tour", LogicalResourceId="Group")
    stacks.list_stacks()
    stacks.update_termination_protection(StackName="tour", EnableTerminationProtection=True)
    refused("ValidationError", stacks.delete_stack, StackName="tour")
    stacks.update_termination_protection(StackName="tour", EnableTerminationProtection=False)
    stacks.delete_stack(StackName="tour")


def functions(aws, role):
    """Lambda."""
    functions = aws.client("lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return event\n")
    refused("ResourceNotFoundException", functions.get_function, FunctionName="tour")
    eventually(
        lambda: functions.create_function(
            FunctionName="tour", Runtime="python3.12", Role=role, Handler="index.handler", Code={"ZipFile": code.getvalue()},
            Timeout=10, Environment={"Variables": {"STAGE": "b"}}, Tags={"team": "ml"},
        )
    )  # fmt: skip
    refused(
        "ResourceConflictException", functions.create_function, FunctionName="tour", Runtime="python3.12", Role=role,
        Handler="index.handler", Code={"ZipFile": code.getvalue()},
    )  # fmt: skip
    eventually(lambda: functions.get_function(FunctionName="tour"))
    eventually(lambda: functions.update_function_configuration(FunctionName="tour", Timeout=20))
    eventually(lambda: functions.update_function_code(FunctionName="tour", ZipFile=code.getvalue()))
    arn = functions.get_function_configuration(FunctionName="tour")["FunctionArn"]
    functions.list_functions()
    functions.tag_resource(Resource=arn, Tags={"a": "b"})
    functions.list_tags(Resource=arn)
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    refused("ResourceNotFoundException", functions.get_policy, FunctionName="tour")
    functions.add_permission(FunctionName="tour", StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com")
    functions.get_policy(FunctionName="tour")
    functions.remove_permission(FunctionName="tour", StatementId="s")
    functions.put_function_concurrency(FunctionName="tour", ReservedConcurrentExecutions=2)
    functions.get_function_concurrency(FunctionName="tour")
    functions.delete_function_concurrency(FunctionName="tour")
    functions.put_function_event_invoke_config(FunctionName="tour", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60)
    functions.get_function_event_invoke_config(FunctionName="tour")
    functions.delete_function_event_invoke_config(FunctionName="tour")
    for kind in ("RequestResponse", "Event", "DryRun"):
        eventually(lambda: functions.invoke(FunctionName="tour", InvocationType=kind, Payload=b'{"x": 1}'))
    functions.delete_function(FunctionName="tour")


def events(aws):
    """EventBridge."""
    events = aws.client("events")
    pattern = '{"source":["aws.sagemaker"]}'
    refused("ResourceNotFoundException", events.describe_rule, Name="tour")
    refused("InvalidEventPatternException", events.put_rule, Name="tour", EventPattern='{"source":"x"}')
    arn = events.put_rule(Name="tour", EventPattern=pattern, Tags=TAGS)["RuleArn"]
    eventually(lambda: events.describe_rule(Name="tour"))
    events.list_rules()
    events.disable_rule(Name="tour")
    events.enable_rule(Name="tour")
    target = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:tour"
    events.put_targets(
        Rule="tour", Targets=[{"Id": "1", "Arn": target, "RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}}]
    )
    events.list_targets_by_rule(Rule="tour")
    events.tag_resource(ResourceARN=arn, Tags=TAGS)
    events.list_tags_for_resource(ResourceARN=arn)
    events.untag_resource(ResourceARN=arn, TagKeys=["team"])
    events.put_events(Entries=[{"Source": "tour", "DetailType": "stop", "Detail": "{}"}])
    events.test_event_pattern(
        EventPattern=pattern,
        Event=json.dumps(
            {
                "id": "1",
                "account": ACCOUNT,
                "source": "aws.sagemaker",
                "time": "2026-01-05T09:00:00Z",
                "region": REGION,
                "resources": [],
                "detail-type": "t",
                "detail": {},
            }
        ),
    )
    refused("ValidationException", events.delete_rule, Name="tour")
    events.remove_targets(Rule="tour", Ids=["1"])
    events.delete_rule(Name="tour")


def settled(stacks, status):
    """The stack has this status."""
    until(lambda: stacks.describe_stacks(StackName="tour")["Stacks"][0]["StackStatus"], status, "the stack")
