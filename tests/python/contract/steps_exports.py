"""The walkthrough's steps at what CloudFormation's stacks give to each other."""

from expect import refused, until

GIVES = """\
Resources:
  Queue: {Type: AWS::SQS::Queue}
Outputs:
  Arn: {Value: !GetAtt Queue.Arn, Export: {Name: example-queue}}
"""
TAKES = """\
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {RedrivePolicy: {deadLetterTargetArn: !ImportValue example-queue}}
"""


def exports(aws):
    """Exports, and the stack that is not deleted because of one."""
    stacks = aws.client("cloudformation")
    stacks.create_stack(StackName="example-gives", TemplateBody=GIVES)
    until(lambda: status(stacks, "example-gives"), "CREATE_COMPLETE", "the exporting stack")
    stacks.list_exports()
    refused("ValidationError", stacks.list_imports, ExportName="example-queue")
    gone = stacks.create_stack(StackName="example-takes", TemplateBody=TAKES)["StackId"]
    until(lambda: status(stacks, "example-takes"), "CREATE_COMPLETE", "the importing stack")
    stacks.list_imports(ExportName="example-queue")
    stacks.delete_stack(StackName="example-gives")
    until(lambda: status(stacks, "example-gives"), "CREATE_COMPLETE", "the stack whose export is in use")
    stacks.describe_stack_events(StackName="example-gives")
    stacks.delete_stack(StackName="example-takes")
    until(lambda: status(stacks, gone), "DELETE_COMPLETE", "the importing stack")
    stacks.delete_stack(StackName="example-gives")


def status(stacks, name):
    """Where a stack stands."""
    return stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
