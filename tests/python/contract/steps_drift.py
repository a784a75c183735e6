"""The walkthrough's steps at CloudFormation's drift detection."""

from expect import refused, until
from steps_exports import status
from steps_prerequisites import TAGS

STACK = "example-drift"
TEMPLATE = """\
Resources:
  Group:
    Type: AWS::SageMaker::ModelPackageGroup
    Properties: {ModelPackageGroupName: example-drift, Tags: [{Key: a, Value: b}]}
  Rule:
    Type: AWS::Events::Rule
    Properties: {Name: example-drift, EventPattern: {source: [aws.sagemaker]}}
  Queue: {Type: AWS::SQS::Queue}
"""


def drift(aws):
    """A stack as it was made, and after a hand has changed it."""
    stacks, sagemaker, events = aws.client("cloudformation"), aws.client("sagemaker"), aws.client("events")
    refused("ValidationError", stacks.detect_stack_drift, StackName=STACK)
    refused("ValidationError", stacks.describe_stack_drift_detection_status, StackDriftDetectionId="none")
    stacks.create_stack(StackName=STACK, TemplateBody=TEMPLATE)
    until(lambda: status(stacks, STACK), "CREATE_COMPLETE", "the stack")
    detected(stacks, "IN_SYNC")
    arn = sagemaker.describe_model_package_group(ModelPackageGroupName="example-drift")["ModelPackageGroupArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=TAGS)
    events.put_rule(Name="example-drift", EventPattern='{"source":["aws.codebuild"]}')
    detected(stacks, "DRIFTED", LogicalResourceIds=["Group", "Rule"])
    stacks.describe_stack_resource_drifts(StackName=STACK, StackResourceDriftStatusFilters=["MODIFIED"], MaxResults=1)
    events.delete_rule(Name="example-drift")
    detected(stacks, "DRIFTED")
    stacks.describe_stacks(StackName=STACK)
    stacks.describe_stack_resources(StackName=STACK)
    stacks.delete_stack(StackName=STACK)


def detected(stacks, verdict, **members):
    """A detection comes to this verdict."""
    found = stacks.detect_stack_drift(StackName=STACK, **members)["StackDriftDetectionId"]
    look = stacks.describe_stack_drift_detection_status
    until(lambda: look(StackDriftDetectionId=found).get("StackDriftStatus"), verdict, "the stack's drift")
    stacks.describe_stack_resource_drifts(StackName=STACK)
