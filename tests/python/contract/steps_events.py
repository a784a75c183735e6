"""The walkthrough's calls to SQS, and what comes to queues from other services."""

import io
import json
import zipfile

from expect import Wrong, refused, until
from steps_prerequisites import TRUST


def queues(aws):
    """A queue with a dead-letter queue, and messages in it."""
    sqs = aws.client("sqs")
    missing = "AWS.SimpleQueueService.NonExistentQueue"
    refused(missing, sqs.get_queue_url, QueueName="example")
    dead = sqs.create_queue(QueueName="example-dead", tags={"team": "example"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]["QueueArn"]
    redrive = '{"deadLetterTargetArn":"%s","maxReceiveCount":"3"}' % arn
    url = sqs.create_queue(QueueName="example", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": redrive})["QueueUrl"]
    refused("QueueAlreadyExists", sqs.create_queue, QueueName="example", Attributes={"VisibilityTimeout": "1"})
    refused("InvalidAttributeName", sqs.create_queue, QueueName="other", Attributes={"DeduplicationScope": "queue"})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
    if len(sqs.list_queues(MaxResults=1)["QueueUrls"]) != 1 or sqs.get_queue_url(QueueName="example")["QueueUrl"] != url:
        raise Wrong("one queue a page, and each queue by its name")
    sqs.tag_queue(QueueUrl=url, Tags={"team": "example"})
    sqs.list_queue_tags(QueueUrl=url)
    sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
    attributes = {"kind": {"DataType": "String", "StringValue": "a"}, "bytes": {"DataType": "Binary", "BinaryValue": b"b"}}
    sqs.send_message(QueueUrl=url, MessageBody="one", MessageAttributes=attributes)
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "2", "MessageBody": "two"}])
    refused("AWS.SimpleQueueService.EmptyBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=[])
    got = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=2, VisibilityTimeout=60, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]
    first, second = (message["ReceiptHandle"] for message in got)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first, VisibilityTimeout=30)
    sqs.change_message_visibility_batch(QueueUrl=url, Entries=[{"Id": "2", "ReceiptHandle": second, "VisibilityTimeout": 30}])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first)
    sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "2", "ReceiptHandle": second}])
    refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="none")
    sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    sqs.purge_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
    if sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] != [url]:
        raise Wrong("the dead letters of one queue go to the other")
    task = sqs.start_message_move_task(SourceArn=arn, DestinationArn=arn.removesuffix("-dead"))["TaskHandle"]
    done = lambda: sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"]
    until(done, "COMPLETED", "the messages' moving")
    refused("ResourceNotFoundException", sqs.cancel_message_move_task, TaskHandle=task)
    for one in (url, dead):
        sqs.delete_queue(QueueUrl=one)
    refused("AWS.SimpleQueueService.QueueDeletedRecently", sqs.create_queue, QueueName="example")


def rules(aws):
    """An event that a rule sends to a queue, and one that goes to the dead letters."""
    events, sqs = aws.client("events"), aws.client("sqs")
    arn = events.put_rule(Name="to-queue", EventPattern='{"source": ["example"]}')["RuleArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    urls = {name: sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"] for name in ("to", "undelivered")}
    arns = {name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] for name, url in urls.items()}
    targets = [
        {"Id": "queue", "Arn": arns["to"]},
        {"Id": "none", "Arn": arns["to"] + "-none", "DeadLetterConfig": {"Arn": arns["undelivered"]}},
    ]
    events.put_targets(Rule="to-queue", Targets=targets)
    events.put_events(Entries=[{"Source": "example", "DetailType": "example", "Detail": "{}"}])
    for name, url in urls.items():
        got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=5)["Messages"][0]
        code = got.get("MessageAttributes", {}).get("ERROR_CODE", {}).get("StringValue")
        if json.loads(got["Body"])["source"] != "example" or code != {"undelivered": "NO_RESOURCE"}.get(name):
            raise Wrong(f"the event must be in the queue {name}, not {got}")
        sqs.delete_queue(QueueUrl=url)
    events.remove_targets(Rule="to-queue", Ids=["queue", "none"])
    events.delete_rule(Name="to-queue")


def dead_letters(aws, role):
    """An asynchronous invocation that fails, whose event goes to the dead letters."""
    functions, sqs = aws.client("lambda"), aws.client("sqs")
    url = sqs.create_queue(QueueName="failed-events")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    create(functions, "fails", role, "def handler(event, context):\n    raise ValueError('on purpose')\n", DeadLetterConfig={"TargetArn": queue})
    functions.put_function_event_invoke_config(FunctionName="fails", MaximumRetryAttempts=0)
    functions.invoke(FunctionName="fails", InvocationType="Event", Payload=b'{"a": 1}')
    got = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=20)["Messages"][0]
    seen = {name: value["StringValue"] for name, value in got["MessageAttributes"].items() if name != "RequestID"}
    if json.loads(got["Body"]) != {"a": 1} or seen != {"ErrorCode": "200", "ErrorMessage": "on purpose"}:
        raise Wrong(f"the event must be a dead letter that says why, not {got}")
    functions.delete_function(FunctionName="fails")
    sqs.delete_queue(QueueUrl=url)


def create(functions, name, role, code, **members):
    """A function of one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", code)
    members = {"Runtime": "python3.13", "Handler": "index.handler", "Timeout": 20} | members
    functions.create_function(FunctionName=name, Role=role, Code={"ZipFile": archive.getvalue()}, **members)


def mappings(aws):
    """A function that gets its events from a queue: one message is served, one becomes a dead letter."""
    functions, sqs, iam = aws.client("lambda"), aws.client("sqs"), aws.client("iam")
    dead = sqs.create_queue(QueueName="never-served")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName="to-serve", Attributes={"VisibilityTimeout": "1", "RedrivePolicy": redrive})["QueueUrl"]
    queue, code = arn_of(sqs, url), "import json\ndef handler(event, context):\n    json.loads(event['Records'][0]['body'])\n"
    role = iam.create_role(RoleName="reads", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    create(functions, "serves", role, code, Timeout=1)
    mapping = {"FunctionName": "serves", "EventSourceArn": queue, "BatchSize": 1}
    refused("InvalidParameterValueException", functions.create_event_source_mapping, **mapping)
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": queue}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="reads", PolicyName="reads", PolicyDocument=document)
    made = functions.create_event_source_mapping(**mapping, Tags={"team": "example"})["UUID"]
    refused("ResourceConflictException", functions.create_event_source_mapping, **mapping)
    until(lambda: functions.get_event_source_mapping(UUID=made)["State"], "Enabled", "the mapping")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "{}"}, {"Id": "2", "MessageBody": "none"}])
    got = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"][0]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    look = lambda: set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())
    until(look, {"0"}, "the messages of the queue")
    if got["Body"] != "none":
        raise Wrong(f"what cannot be served must be a dead letter, not {got}")
    functions.update_event_source_mapping(UUID=made, Enabled=False, ScalingConfig={"MaximumConcurrency": 2})
    listed = functions.list_event_source_mappings(FunctionName="serves", MaxItems=1)["EventSourceMappings"]
    if [one["UUID"] for one in listed] != [made]:
        raise Wrong("one mapping must be listed")
    functions.delete_event_source_mapping(UUID=made)
    refused("ResourceNotFoundException", functions.get_event_source_mapping, UUID=made)
    iam.delete_role_policy(RoleName="reads", PolicyName="reads")
    iam.delete_role(RoleName="reads")
    functions.delete_function(FunctionName="serves")
    for one in (url, dead):
        sqs.delete_queue(QueueUrl=one)


def arn_of(sqs, url):
    """The ARN of a queue."""
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def tags(aws):
    """Everything of a team, by its tags."""
    tagging, sqs = aws.client("resourcegroupstaggingapi"), aws.client("sqs")
    urls = [sqs.create_queue(QueueName=f"tagged-{number}", tags={"purpose": "walkthrough"})["QueueUrl"] for number in range(2)]
    wanted = {"TagFilters": [{"Key": "purpose", "Values": ["walkthrough"]}], "ResourceTypeFilters": ["sqs"]}
    pages = list(tagging.get_paginator("get_resources").paginate(**wanted, ResourcesPerPage=1))
    found = [one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]]
    if found != [arn_of(sqs, url) for url in urls]:
        raise Wrong(f"both queues must be found, not {found}")
    tagging.get_resources(ResourceARNList=found)
    refused("InvalidParameterException", tagging.get_resources, ResourceARNList=found, ResourcesPerPage=1)
    failed = tagging.tag_resources(ResourceARNList=[*found, found[0] + "-none"], Tags={"also": "this"})["FailedResourcesMap"]
    if list(failed) != [found[0] + "-none"]:
        raise Wrong(f"only the queue that is not there must fail, not {failed}")
    tagging.untag_resources(ResourceARNList=found, TagKeys=["also"])
    values = tagging.get_tag_values(Key="purpose")["TagValues"]
    if "purpose" not in tagging.get_tag_keys()["TagKeys"] or values != ["walkthrough"]:
        raise Wrong(f"the key purpose must have one value, not {values}")
    for url in urls:
        sqs.delete_queue(QueueUrl=url)
