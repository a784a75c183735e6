"""The walkthrough's steps at CloudFormation, Lambda and EventBridge."""

import io
import json
import zipfile

from expect import eventually, refused, until
from steps_prerequisites import ACCOUNT, REGION, TAGS

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: One group
Parameters:
  Name: {Type: String, Default: example}
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
    refused("ValidationError", stacks.describe_stacks, StackName="example")
    stacks.create_stack(StackName="example", TemplateBody=TEMPLATE, RoleARN=role, Tags=TAGS, ClientRequestToken="t1", OnFailure="DELETE")
    refused("AlreadyExistsException", stacks.create_stack, StackName="example", TemplateBody=TEMPLATE)
    settled(stacks, "CREATE_COMPLETE")
    refused("ValidationError", stacks.update_stack, StackName="example", UsePreviousTemplate=True)
    name = {"ParameterKey": "Name", "ParameterValue": "example-2"}
    stacks.update_stack(StackName="example", UsePreviousTemplate=True, Parameters=[name])
    settled(stacks, "UPDATE_COMPLETE")
    stacks.update_stack(StackName="example", UsePreviousTemplate=True, Parameters=[name | {"ParameterValue": "example-3"}])
    stacks.cancel_update_stack(StackName="example")
    settled(stacks, "UPDATE_ROLLBACK_COMPLETE")
    refused("ValidationError", stacks.continue_update_rollback, StackName="example")
    refused("ValidationError", stacks.rollback_stack, StackName="example")
    stacks.set_stack_policy(
        StackName="example", StackPolicyBody='{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}'
    )
    stacks.get_stack_policy(StackName="example")
    for read in (stacks.describe_stack_events, stacks.describe_stack_resources, stacks.list_stack_resources, stacks.get_template):
        read(StackName="example")
    stacks.describe_stack_resource(StackName="example", LogicalResourceId="Group")
    stacks.list_stacks()
    stacks.update_termination_protection(StackName="example", EnableTerminationProtection=True)
    refused("ValidationError", stacks.delete_stack, StackName="example")
    stacks.update_termination_protection(StackName="example", EnableTerminationProtection=False)
    stacks.delete_stack(StackName="example")


def functions(aws, role):
    """Lambda."""
    functions = aws.client("lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return event\n")
    refused("ResourceNotFoundException", functions.get_function, FunctionName="example")
    eventually(
        lambda: functions.create_function(
            FunctionName="example", Runtime="python3.12", Role=role, Handler="index.handler", Code={"ZipFile": code.getvalue()},
            Timeout=10, Environment={"Variables": {"STAGE": "b"}}, Tags={"team": "ml"},
        )
    )  # fmt: skip
    refused(
        "ResourceConflictException", functions.create_function, FunctionName="example", Runtime="python3.12", Role=role,
        Handler="index.handler", Code={"ZipFile": code.getvalue()},
    )  # fmt: skip
    eventually(lambda: functions.get_function(FunctionName="example"))
    eventually(lambda: functions.update_function_configuration(FunctionName="example", Timeout=20))
    eventually(lambda: functions.update_function_code(FunctionName="example", ZipFile=code.getvalue()))
    arn = functions.get_function_configuration(FunctionName="example")["FunctionArn"]
    functions.list_functions()
    functions.tag_resource(Resource=arn, Tags={"a": "b"})
    functions.list_tags(Resource=arn)
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    refused("ResourceNotFoundException", functions.get_policy, FunctionName="example")
    functions.add_permission(FunctionName="example", StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com")
    functions.get_policy(FunctionName="example")
    functions.remove_permission(FunctionName="example", StatementId="s")
    functions.put_function_concurrency(FunctionName="example", ReservedConcurrentExecutions=2)
    functions.get_function_concurrency(FunctionName="example")
    functions.delete_function_concurrency(FunctionName="example")
    functions.put_function_event_invoke_config(FunctionName="example", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=60)
    functions.get_function_event_invoke_config(FunctionName="example")
    functions.delete_function_event_invoke_config(FunctionName="example")
    for kind in ("RequestResponse", "Event", "DryRun"):
        eventually(lambda: functions.invoke(FunctionName="example", InvocationType=kind, Payload=b'{"x": 1}'))
    functions.delete_function(FunctionName="example")


def events(aws):
    """EventBridge."""
    events = aws.client("events")
    pattern = '{"source":["aws.sagemaker"]}'
    refused("ResourceNotFoundException", events.describe_rule, Name="example")
    refused("InvalidEventPatternException", events.put_rule, Name="example", EventPattern='{"source":"x"}')
    arn = events.put_rule(Name="example", EventPattern=pattern, Tags=TAGS)["RuleArn"]
    eventually(lambda: events.describe_rule(Name="example"))
    events.list_rules()
    events.disable_rule(Name="example")
    events.enable_rule(Name="example")
    target = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:example"
    events.put_targets(
        Rule="example", Targets=[{"Id": "1", "Arn": target, "RetryPolicy": {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}}]
    )
    events.list_targets_by_rule(Rule="example")
    events.tag_resource(ResourceARN=arn, Tags=TAGS)
    events.list_tags_for_resource(ResourceARN=arn)
    events.untag_resource(ResourceARN=arn, TagKeys=["team"])
    events.put_events(Entries=[{"Source": "example", "DetailType": "step", "Detail": "{}"}])
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
    refused("ValidationException", events.delete_rule, Name="example")
    events.remove_targets(Rule="example", Ids=["1"])
    events.delete_rule(Name="example")


def settled(stacks, status):
    """The stack has this status."""
    until(lambda: stacks.describe_stacks(StackName="example")["Stacks"][0]["StackStatus"], status, "the stack")
