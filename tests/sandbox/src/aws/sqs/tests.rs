//! Queues and their messages, as clients see them.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::dispatch::administrator;
use crate::aws::{Call, Caller, Outcome, sqs};
use crate::world::{Settings, World};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";
const URL: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/q";

struct Bench {
    world: World,
    caller: Caller,
}

impl Bench {
    /// With a queue `q`.
    fn new(attributes: &Value) -> Self {
        let world = World::new(Settings::default(), jiff::Timestamp::from_second(1_767_603_600).unwrap());
        let mut bench = Self { world, caller: administrator(ACCOUNT) };
        let made = bench.ask("CreateQueue", json!({"QueueName": "q", "Attributes": attributes})).unwrap();
        assert_eq!(made["QueueUrl"], URL);
        bench
    }

    fn ask(&mut self, operation: &str, input: Value) -> Outcome {
        sqs::call(&mut self.world, &Call { operation, input: &input, caller: &self.caller, region: REGION })
    }

    /// The same of the queue `q`.
    fn of_queue(&mut self, operation: &str, mut input: Value) -> Outcome {
        input["QueueUrl"] = json!(URL);
        self.ask(operation, input)
    }

    fn send(&mut self, body: &str) {
        self.of_queue("SendMessage", json!({"MessageBody": body})).unwrap();
    }

    fn receive(&mut self) -> Vec<Value> {
        let input = json!({"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]});
        self.of_queue("ReceiveMessage", input).unwrap()["Messages"].as_array().cloned().unwrap_or_default()
    }

    fn bodies(&mut self) -> Vec<String> {
        self.receive().iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    }

    fn attribute(&mut self, name: &str) -> Value {
        self.of_queue("GetQueueAttributes", json!({"AttributeNames": [name]})).unwrap()["Attributes"][name].clone()
    }

    fn later(&mut self, seconds: u64) {
        let now = self.world.after(Duration::from_secs(seconds));
        self.world.advance(now);
    }
}

fn code(outcome: Outcome) -> String {
    outcome.map_or_else(|refusal| refusal.code, |output| format!("{output}"))
}

#[test]
fn a_queue_is_made_once_and_again_only_with_the_same_attributes() {
    let same = format!("{{\"QueueUrl\":\"{URL}\"}}");
    #[rustfmt::skip]
    let rows = [
        ("nothing said", json!({"QueueName": "q"}), same.as_str()),
        ("the same attribute", json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "60"}}), &same),
        ("the default of another", json!({"QueueName": "q", "Attributes": {"DelaySeconds": "0"}}), &same),
        ("another value", json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "61"}}), "QueueNameExists"),
        ("a value out of range", json!({"QueueName": "r", "Attributes": {"DelaySeconds": "901"}}), "InvalidAttributeValue"),
        ("an attribute that there is not", json!({"QueueName": "r", "Attributes": {"Delay": "1"}}), "InvalidAttributeName"),
        ("a policy for deduplication", json!({"QueueName": "r", "Attributes": {"DeduplicationScope": "queue"}}), "InvalidAttributeName"),
        ("two kinds of encryption", json!({"QueueName": "r", "Attributes": {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}}), "InvalidAttributeName"),
        ("a permission to redrive that there is not", json!({"QueueName": "r", "Attributes": {"RedriveAllowPolicy": "{\"redrivePermission\":\"some\"}"}}), "InvalidAttributeValue"),
        ("an attribute that only SQS sets", json!({"QueueName": "r", "Attributes": {"QueueArn": "x"}}), "InvalidAttributeName"),
        ("a FIFO queue", json!({"QueueName": "r", "Attributes": {"FifoQueue": "true"}}), "UnsupportedOperation"),
        ("dead letters to a queue that is not there", json!({"QueueName": "r", "Attributes": {"RedrivePolicy": "{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:111122223333:x\",\"maxReceiveCount\":1}"}}), "InvalidParameterValueException"),
        ("dead letters after no attempt at all", json!({"QueueName": "r", "Attributes": {"RedrivePolicy": "{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:111122223333:q\",\"maxReceiveCount\":0}"}}), "InvalidParameterValueException"),
        ("a name with a full stop", json!({"QueueName": "a.b"}), "InvalidParameterValueException"),
        ("no name", json!({}), "MissingRequiredParameterException"),
    ];
    for (case, input, expected) in rows {
        let mut bench = Bench::new(&json!({"VisibilityTimeout": "60"}));
        assert_eq!(code(bench.ask("CreateQueue", input)), expected, "{case}");
    }
}

#[test]
fn a_name_is_free_again_a_minute_after_its_queue_went() {
    for (case, seconds, expected) in [("59 seconds", 59, "QueueDeletedRecently"), ("60 seconds", 60, URL)] {
        let mut bench = Bench::new(&json!({}));
        bench.of_queue("DeleteQueue", json!({})).unwrap();
        assert_eq!(code(bench.of_queue("DeleteQueue", json!({}))), "QueueDoesNotExist", "{case}");
        assert_eq!(code(bench.ask("GetQueueUrl", json!({"QueueName": "q"}))), "QueueDoesNotExist", "{case}");
        bench.later(seconds);
        let made = code(bench.ask("CreateQueue", json!({"QueueName": "q"})));
        assert!(made.contains(expected), "{case}: {made}");
    }
}

#[test]
fn attributes_are_shown_changed_and_taken_away() {
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let mut bench = Bench::new(&json!({"Policy": policy, "DelaySeconds": "5"}));
    let rows = [
        ("one that was given", "DelaySeconds", json!("5")),
        ("a policy, as it was given", "Policy", json!(policy)),
        ("a default", "MessageRetentionPeriod", json!("345600")),
        ("encryption by default", "SqsManagedSseEnabled", json!("true")),
        ("the ARN", "QueueArn", json!("arn:aws:sqs:eu-west-1:111122223333:q")),
        ("when it was made", "CreatedTimestamp", json!("1767603600")),
        ("one that nobody set", "RedrivePolicy", Value::Null),
    ];
    for (case, name, expected) in rows {
        assert_eq!(bench.attribute(name), expected, "{case}");
    }
    bench.later(10);
    bench.of_queue("SetQueueAttributes", json!({"Attributes": {"Policy": "", "DelaySeconds": "7"}})).unwrap();
    assert_eq!((bench.attribute("Policy"), bench.attribute("DelaySeconds")), (Value::Null, json!("7")));
    assert_eq!(bench.attribute("LastModifiedTimestamp"), json!("1767603610"));
    assert_eq!(code(bench.of_queue("GetQueueAttributes", json!({"AttributeNames": ["Nope"]}))), "InvalidAttributeName");
    assert_eq!(bench.of_queue("GetQueueAttributes", json!({})).unwrap()["Attributes"], Value::Null);
}

#[test]
fn queues_are_listed_in_pages() {
    let mut bench = Bench::new(&json!({}));
    for name in ["qa", "qb", "other"] {
        bench.ask("CreateQueue", json!({"QueueName": name})).unwrap();
    }
    let rows = [
        ("all", json!({}), 4, Value::Null),
        ("by the beginning of the name", json!({"QueueNamePrefix": "q"}), 3, Value::Null),
        ("the first page", json!({"QueueNamePrefix": "q", "MaxResults": 2}), 2, json!("qa")),
        ("the last page", json!({"QueueNamePrefix": "q", "MaxResults": 2, "NextToken": "qa"}), 1, Value::Null),
        ("none", json!({"QueueNamePrefix": "z"}), 0, Value::Null),
    ];
    for (case, input, count, next) in rows {
        let page = bench.ask("ListQueues", input).unwrap();
        assert_eq!(page["QueueUrls"].as_array().map_or(0, Vec::len), count, "{case}");
        assert_eq!(page["NextToken"], next, "{case}");
    }
}

#[test]
fn a_received_message_is_hidden_until_its_time_is_over() {
    let mut bench = Bench::new(&json!({"VisibilityTimeout": "30"}));
    bench.send("m");
    let first = bench.receive().pop().unwrap();
    assert_eq!(first["MD5OfBody"], "6f8f57715090da2632453988d9a1501b");
    assert_eq!(first["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(first["Attributes"]["SentTimestamp"], "1767603600000");
    assert!(first["Attributes"]["SenderId"].as_str().unwrap().starts_with("AIDA"), "{first}");
    assert_eq!(bench.attribute("ApproximateNumberOfMessagesNotVisible"), "1");
    bench.later(29);
    assert!(bench.receive().is_empty(), "after 29 seconds");
    bench.later(1);
    let second = bench.receive().pop().unwrap();
    assert_eq!(second["Attributes"]["ApproximateReceiveCount"], "2");
    assert_eq!(second["Attributes"]["ApproximateFirstReceiveTimestamp"], "1767603600000");
    bench.of_queue("DeleteMessage", json!({"ReceiptHandle": first["ReceiptHandle"]})).unwrap();
    assert_eq!(bench.attribute("ApproximateNumberOfMessagesNotVisible"), "1", "an older handle deletes nothing");
    bench.of_queue("DeleteMessage", json!({"ReceiptHandle": second["ReceiptHandle"]})).unwrap();
    assert_eq!(bench.attribute("ApproximateNumberOfMessagesNotVisible"), "0");
    let again = bench.of_queue("DeleteMessage", json!({"ReceiptHandle": second["ReceiptHandle"]}));
    assert_eq!(code(again), "null", "deleting twice is no error");
    assert_eq!(code(bench.of_queue("DeleteMessage", json!({"ReceiptHandle": "x"}))), "ReceiptHandleIsInvalid");
}

#[test]
fn visibility_and_delay_are_by_the_clock() {
    let mut bench = Bench::new(&json!({"DelaySeconds": "5", "MessageRetentionPeriod": "60"}));
    bench.send("m");
    assert_eq!(bench.attribute("ApproximateNumberOfMessagesDelayed"), "1");
    assert!(bench.receive().is_empty(), "delayed");
    bench.later(5);
    let handle = bench.receive().pop().unwrap()["ReceiptHandle"].clone();
    let change = |seconds: u64| json!({"ReceiptHandle": handle, "VisibilityTimeout": seconds});
    bench.of_queue("ChangeMessageVisibility", change(40)).unwrap();
    bench.later(39);
    assert!(bench.receive().is_empty(), "hidden for longer");
    bench.of_queue("ChangeMessageVisibility", change(0)).unwrap();
    let over = "InvalidParameterValueException";
    assert_eq!(code(bench.of_queue("ChangeMessageVisibility", change(43_201))), over);
    assert_eq!(bench.bodies(), ["m"], "shown again at once");
    assert_eq!(code(bench.of_queue("ChangeMessageVisibility", change(1))), over, "received by another since");
    bench.later(16);
    assert_eq!(bench.attribute("ApproximateNumberOfMessagesNotVisible"), "0", "past the retention period");
}

#[test]
fn a_message_received_too_often_goes_to_the_dead_letter_queue() {
    let mut bench = Bench::new(&json!({"VisibilityTimeout": "0"}));
    bench.ask("CreateQueue", json!({"QueueName": "dead"})).unwrap();
    let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":2}"#;
    bench.of_queue("SetQueueAttributes", json!({"Attributes": {"RedrivePolicy": redrive}})).unwrap();
    bench.send("m");
    assert_eq!((bench.bodies(), bench.bodies()), (vec!["m".to_owned()], vec!["m".to_owned()]));
    assert!(bench.receive().is_empty(), "the third time");
    let input = json!({"QueueUrl": URL.replace("/q", "/dead"), "MessageSystemAttributeNames": ["All"]});
    let dead = bench.ask("ReceiveMessage", input).unwrap()["Messages"][0].clone();
    assert_eq!((&dead["Body"], &dead["Attributes"]["ApproximateReceiveCount"]), (&json!("m"), &json!("3")));
    assert_eq!(dead["Attributes"]["DeadLetterQueueSourceArn"], "arn:aws:sqs:eu-west-1:111122223333:q");
}

#[test]
fn batches_say_what_became_of_each_entry() {
    let entry = |id: &str, body: &str| json!({"Id": id, "MessageBody": body});
    let eleven: Vec<Value> = (0..11).map(|id| entry(&id.to_string(), "m")).collect();
    let long = "m".repeat(600_000);
    let rows = [
        ("none", json!([]), "EmptyBatchRequest"),
        ("eleven", json!(eleven), "TooManyEntriesInBatchRequest"),
        ("two of the same id", json!([entry("a", "m"), entry("a", "n")]), "BatchEntryIdsNotDistinct"),
        ("an id with a space", json!([entry("a b", "m")]), "InvalidBatchEntryId"),
        ("more than a mebibyte in all", json!([entry("a", &long), entry("b", &long)]), "BatchRequestTooLong"),
    ];
    let mut bench = Bench::new(&json!({}));
    for (case, entries, expected) in rows {
        assert_eq!(code(bench.of_queue("SendMessageBatch", json!({"Entries": entries}))), expected, "{case}");
    }
    let sent = bench.of_queue("SendMessageBatch", json!({"Entries": [entry("a", "m"), entry("b", "\u{1}")]})).unwrap();
    assert_eq!(
        (&sent["Successful"][0]["Id"], &sent["Failed"][0]["Code"]),
        (&json!("a"), &json!("InvalidMessageContents"))
    );
    let handle = bench.receive().pop().unwrap()["ReceiptHandle"].clone();
    let entries = json!([{"Id": "a", "ReceiptHandle": handle}, {"Id": "b", "ReceiptHandle": "x"}]);
    let deleted = bench.of_queue("DeleteMessageBatch", json!({"Entries": entries})).unwrap();
    assert_eq!(deleted["Successful"], json!([{"Id": "a"}]));
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
}

#[test]
fn only_message_attributes_asked_for_come_back_with_their_sum() {
    let mut bench = Bench::new(&json!({"VisibilityTimeout": "0"}));
    let text = |text: &str| json!({"DataType": "String", "StringValue": text});
    let attributes = json!({"attribName1": text("attribValue 1"), "bar.one": text("1")});
    bench.of_queue("SendMessage", json!({"MessageBody": "m", "MessageAttributes": attributes})).unwrap();
    let sum = "19e27d4e946b072f3f58da80d94fd778";
    let rows = [
        ("none", json!([]), 0, Value::Null),
        ("one", json!(["attribName1"]), 1, json!(sum)),
        ("a beginning", json!(["attrib.*"]), 1, json!(sum)),
    ];
    for (case, names, count, expected) in rows {
        let got =
            bench.of_queue("ReceiveMessage", json!({"MessageAttributeNames": names})).unwrap()["Messages"][0].clone();
        assert_eq!(got["MessageAttributes"].as_object().map_or(0, serde_json::Map::len), count, "{case}");
        assert_eq!(got["MD5OfMessageAttributes"], expected, "{case}");
    }
    let all = bench.of_queue("ReceiveMessage", json!({"MessageAttributeNames": ["All"]})).unwrap();
    assert_eq!(all["Messages"][0]["MessageAttributes"], attributes);
}

#[test]
fn a_queue_is_purged_once_a_minute_and_keeps_its_tags() {
    let mut bench = Bench::new(&json!({}));
    bench.of_queue("TagQueue", json!({"Tags": {"a": "1", "b": "2"}})).unwrap();
    bench.of_queue("UntagQueue", json!({"TagKeys": ["a", "c"]})).unwrap();
    bench.send("m");
    bench.of_queue("PurgeQueue", json!({})).unwrap();
    assert!(bench.receive().is_empty());
    assert_eq!(code(bench.of_queue("PurgeQueue", json!({}))), "PurgeQueueInProgress");
    bench.later(60);
    bench.of_queue("PurgeQueue", json!({})).unwrap();
    assert_eq!(bench.of_queue("ListQueueTags", json!({})).unwrap()["Tags"], json!({"b": "2"}));
}

#[test]
fn refusals_are_worded_as_sqs_words_them() {
    let long = json!({"MessageBody": "m".repeat(1_048_577)});
    let text = json!({"MessageBody": "m", "MessageAttributes": {"kind": {"DataType": "String", "StringValue": ""}}});
    #[rustfmt::skip]
    let rows = [
        ("too many messages", "ReceiveMessage", json!({"MaxNumberOfMessages": 11}), "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."),
        ("too long a wait", "ReceiveMessage", json!({"WaitTimeSeconds": 21}), "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."),
        ("too long a message", "SendMessage", long, "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."),
        ("an empty attribute", "SendMessage", text, "Message (user) attribute 'kind' must contain a non-empty value of type 'String'."),
        ("no body", "SendMessage", json!({"MessageBody": ""}), "The request must contain the parameter MessageBody."),
        ("a group with a space", "SendMessage", json!({"MessageBody": "m", "MessageGroupId": "a b"}), "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."),
        ("a redrive policy of a string", "SetQueueAttributes", json!({"Attributes": {"RedrivePolicy": "{}"}}), "Value {} for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
    ];
    for (case, operation, input, message) in rows {
        let mut bench = Bench::new(&json!({}));
        assert_eq!(bench.of_queue(operation, input).unwrap_err().message, message, "{case}");
    }
}

/// A queue `q` whose dead letters go to `dead`, with so many messages in the latter.
fn with_dead_letters(count: usize) -> Bench {
    let mut bench = Bench::new(&json!({"VisibilityTimeout": "0"}));
    bench.ask("CreateQueue", json!({"QueueName": "dead"})).unwrap();
    let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":1}"#;
    bench.of_queue("SetQueueAttributes", json!({"Attributes": {"RedrivePolicy": redrive}})).unwrap();
    for number in 0..count {
        bench.send(&number.to_string());
    }
    bench.receive();
    assert!(bench.receive().is_empty(), "all are dead letters");
    bench
}

#[test]
fn dead_letters_go_back_at_the_pace_that_was_asked_for() {
    let dead = "arn:aws:sqs:eu-west-1:111122223333:dead";
    let mut bench = with_dead_letters(3);
    assert_eq!(
        bench.ask("ListDeadLetterSourceQueues", json!({"QueueUrl": URL.replace("/q", "/dead")})).unwrap()["queueUrls"],
        json!([URL])
    );
    let input = json!({"SourceArn": dead, "MaxNumberOfMessagesPerSecond": 1});
    let handle = bench.ask("StartMessageMoveTask", input.clone()).unwrap()["TaskHandle"].clone();
    assert_eq!(code(bench.ask("StartMessageMoveTask", input)), "InvalidParameterValueException");
    bench.later(0);
    let tasks = |bench: &mut Bench| {
        let listed = bench.ask("ListMessageMoveTasks", json!({"SourceArn": dead})).unwrap();
        (listed["Results"][0]["Status"].clone(), listed["Results"][0]["ApproximateNumberOfMessagesMoved"].clone())
    };
    assert_eq!(tasks(&mut bench), (json!("RUNNING"), json!(1)));
    bench.later(1);
    let moved = bench.ask("CancelMessageMoveTask", json!({"TaskHandle": handle})).unwrap();
    assert_eq!(moved["ApproximateNumberOfMessagesMoved"], 2);
    bench.later(9);
    assert_eq!(tasks(&mut bench), (json!("CANCELLED"), json!(2)));
    assert_eq!(bench.bodies(), ["0", "1"]);
    bench.ask("StartMessageMoveTask", json!({"SourceArn": dead})).unwrap();
    bench.later(0);
    assert_eq!(tasks(&mut bench), (json!("COMPLETED"), json!(1)), "the third");
}

#[test]
fn a_move_task_is_refused_or_fails() {
    let arn = |name: &str| format!("arn:aws:sqs:eu-west-1:111122223333:{name}");
    #[rustfmt::skip]
    let rows = [
        ("a queue that takes no dead letters", json!({"SourceArn": arn("q")}), "InvalidParameterValueException"),
        ("a source that is not there", json!({"SourceArn": arn("x")}), "ResourceNotFoundException"),
        ("a destination that is not there", json!({"SourceArn": arn("dead"), "DestinationArn": arn("x")}), "ResourceNotFoundException"),
        ("too fast", json!({"SourceArn": arn("dead"), "MaxNumberOfMessagesPerSecond": 501}), "InvalidParameterValueException"),
    ];
    for (case, input, expected) in rows {
        assert_eq!(code(with_dead_letters(1).ask("StartMessageMoveTask", input)), expected, "{case}");
    }
    let mut bench = with_dead_letters(0);
    let input = json!({"QueueUrl": URL.replace("/q", "/dead"), "MessageBody": "sent by hand"});
    bench.ask("SendMessage", input).unwrap();
    bench.ask("StartMessageMoveTask", json!({"SourceArn": arn("dead")})).unwrap();
    bench.later(0);
    let listed = bench.ask("ListMessageMoveTasks", json!({"SourceArn": arn("dead")})).unwrap();
    assert_eq!(
        (&listed["Results"][0]["Status"], &listed["Results"][0]["FailureReason"]),
        (&json!("FAILED"), &json!("CouldNotDetermineMessageSource"))
    );
}

#[test]
fn a_queue_says_whose_dead_letters_it_takes() {
    let one = |permission: &str, arns: Value| json!({"redrivePermission": permission, "sourceQueueArns": arns});
    let rows = [
        ("everyone's", json!({"redrivePermission": "allowAll"}), "null"),
        ("nobody's", json!({"redrivePermission": "denyAll"}), "InvalidParameterValueException"),
        ("this queue's", one("byQueue", json!(["arn:aws:sqs:eu-west-1:111122223333:q"])), "null"),
        (
            "another's",
            one("byQueue", json!(["arn:aws:sqs:eu-west-1:111122223333:r"])),
            "InvalidParameterValueException",
        ),
    ];
    for (case, allow, expected) in rows {
        let mut bench = Bench::new(&json!({}));
        let attributes = json!({"RedriveAllowPolicy": allow.to_string()});
        bench.ask("CreateQueue", json!({"QueueName": "dead", "Attributes": attributes})).unwrap();
        let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":1}"#;
        let set = bench.of_queue("SetQueueAttributes", json!({"Attributes": {"RedrivePolicy": redrive}}));
        assert_eq!(code(set), expected, "{case}");
    }
}

#[test]
fn encryption_is_of_one_kind() {
    let mut bench = Bench::new(&json!({"KmsMasterKeyId": "alias/own"}));
    assert_eq!(bench.attribute("SqsManagedSseEnabled"), "false");
    bench.of_queue("SetQueueAttributes", json!({"Attributes": {"SqsManagedSseEnabled": "true"}})).unwrap();
    assert_eq!(
        (bench.attribute("SqsManagedSseEnabled"), bench.attribute("KmsMasterKeyId")),
        (json!("true"), Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn a_receive_call_waits_for_a_message_as_long_as_it_says() {
    use crate::sandbox::{Endpoint, Sandbox};
    use bytes::Bytes;
    let request = |operation: &str, input: Value| {
        http::Request::builder()
            .method("POST")
            .uri("/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA1/20260105/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(Bytes::from(input.to_string()))
            .unwrap()
    };
    for (case, delay, waited, count) in [("it comes", 3, 3_000, 1), ("it comes too late", 7, 5_000, 0)] {
        let sandbox = Sandbox::new(Settings::default());
        sandbox.answer(Endpoint::Aws, request("CreateQueue", json!({"QueueName": "q"}))).await.unwrap();
        let input = json!({"QueueUrl": URL, "MessageBody": "m", "DelaySeconds": delay});
        sandbox.answer(Endpoint::Aws, request("SendMessage", input)).await.unwrap();
        let began = sandbox.now();
        let input = json!({"QueueUrl": URL, "WaitTimeSeconds": 5});
        let reply = sandbox.answer(Endpoint::Aws, request("ReceiveMessage", input)).await.unwrap();
        let got: Value = serde_json::from_slice(reply.body()).unwrap();
        assert_eq!(got["Messages"].as_array().map_or(0, Vec::len), count, "{case}");
        assert_eq!(sandbox.now().duration_since(began).as_millis(), waited, "{case}");
    }
}
