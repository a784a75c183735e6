"""The walkthrough's calls to SQS."""

from expect import Wrong, refused, until


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
