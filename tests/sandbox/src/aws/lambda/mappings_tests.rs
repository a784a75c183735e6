//! Event source mappings, and what they do with messages.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::{Value, json};

use super::tests::Bench;
use crate::aws::dispatch::administrator;
use crate::aws::{Call, cloudformation, lambda, sqs};
use crate::world::{Effect, World};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:q";

fn queues(world: &mut World, operation: &str, mut input: Value) -> Value {
    if operation != "CreateQueue" && input["QueueUrl"].is_null() {
        input["QueueUrl"] = json!("https://sqs.eu-west-1.amazonaws.com/111122223333/q");
    }
    let caller = administrator(ACCOUNT);
    sqs::call(world, &Call { operation, input: &input, caller: &caller, region: REGION }).unwrap()
}

fn later(bench: &mut Bench, seconds: u64) {
    let now = bench.world.after(Duration::from_secs(seconds));
    bench.world.advance(now);
}

/// A function `f` whose role may read, a queue `q` with a dead-letter queue, and no mapping yet.
fn bench() -> Bench {
    let mut bench = Bench::new();
    grant(&mut bench, "sqs:*");
    bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    queues(&mut bench.world, "CreateQueue", json!({"QueueName": "dead"}));
    let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111122223333:dead","maxReceiveCount":2}"#;
    let attributes = json!({"VisibilityTimeout": "30", "RedrivePolicy": redrive});
    queues(&mut bench.world, "CreateQueue", json!({"QueueName": "q", "Attributes": attributes}));
    bench
}

fn grant(bench: &mut Bench, action: &str) {
    let policy = json!({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}).to_string();
    let input = json!({"RoleName": "run", "PolicyName": "p", "PolicyDocument": policy});
    let caller = administrator(ACCOUNT);
    let call = Call { operation: "PutRolePolicy", input: &input, caller: &caller, region: REGION };
    crate::aws::iam::call(&mut bench.world, &call).unwrap();
}

fn mapped(bench: &mut Bench, more: &Value) -> String {
    let mut input = json!({"FunctionName": "f", "EventSourceArn": QUEUE});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.lambda("CreateEventSourceMapping", &input).unwrap()["UUID"].as_str().unwrap().to_owned()
}

/// The events that functions were asked to serve, oldest first.
fn events(bench: &Bench) -> Vec<(String, Value)> {
    let all = bench.world.effects.iter();
    all.filter_map(|effect| match effect {
        Effect::InvokeLambda { id, event, .. } => Some((id.clone(), event.clone())),
        Effect::RunBuild { .. } => None,
    })
    .collect()
}

/// The last run ends so.
fn ends(bench: &mut Bench, result: Value, error: Value) {
    let (id, _) = events(bench).pop().unwrap();
    let now = bench.world.now;
    let invocations = &mut bench.world.region(ACCOUNT, REGION).lambda.invocations;
    let invocation = invocations.iter_mut().find(|one| one.id == id).unwrap();
    invocation.attempts.push(lambda::Attempt { started: now, ended: now, result, error, log: String::new() });
    lambda::served(&mut bench.world, ACCOUNT, REGION, &id);
}

fn left(bench: &mut Bench, queue: &str) -> usize {
    bench.world.region(ACCOUNT, REGION).sqs.dump()[queue]["messages"].as_array().unwrap().len()
}

#[test]
fn a_mapping_is_refused_where_it_could_not_work() {
    let most = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    let may = |what: &str| format!("The function execution role does not have permissions to call {what} on SQS");
    let missing = "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.";
    #[rustfmt::skip]
    let rows = [
        ("no source", json!({"EventSourceArn": ""}), "*", "Unrecognized event source.".to_owned()),
        ("a function that is not there", json!({"FunctionName": "g"}), "*", "Function does not exist".to_owned()),
        ("a queue that is not there", json!({"EventSourceArn": format!("{QUEUE}2")}), "*", missing.to_owned()),
        ("a role that may not receive", json!({}), "sqs:DeleteMessage", may("ReceiveMessage")),
        ("a role that may only receive", json!({}), "sqs:ReceiveMessage", may("DeleteMessage")),
        ("large batches that do not gather", json!({"BatchSize": 11}), "*", most.to_owned()),
        ("a destination", json!({"DestinationConfig": {}}), "*", "Unsupported DestinationConfig parameter for given event source mapping type.".to_owned()),
        ("a filter, which the sandbox has not", json!({"FilterCriteria": {}}), "*", "The sandbox's event source mappings have no FilterCriteria".to_owned()),
        ("one run at once", json!({"ScalingConfig": {"MaximumConcurrency": 1}}), "*", "The value 1 of MaximumConcurrency must be from 2 to 1000".to_owned()),
    ];
    for (case, more, action, message) in rows {
        let mut bench = bench();
        grant(&mut bench, action);
        let mut input = json!({"FunctionName": "f", "EventSourceArn": QUEUE});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = bench.lambda("CreateEventSourceMapping", &input).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message), ("InvalidParameterValueException", message), "{case}");
    }
    let mut bench = bench();
    queues(&mut bench.world, "SetQueueAttributes", json!({"Attributes": {"VisibilityTimeout": "29"}}));
    let input = json!({"FunctionName": "f", "EventSourceArn": QUEUE});
    let refused = bench.lambda("CreateEventSourceMapping", &input).unwrap_err();
    assert_eq!(refused.message, "Queue visibility timeout: 29 seconds is less than Function timeout: 30 seconds");
}

#[test]
fn a_mapping_takes_its_time_and_is_there_once() {
    let mut bench = bench();
    bench.world.settings.lambda_update = Duration::from_secs(5);
    later(&mut bench, 5);
    let id = mapped(&mut bench, &json!({"Tags": {"a": "1"}}));
    let input = json!({"FunctionName": "f", "EventSourceArn": QUEUE});
    assert_eq!(bench.lambda("CreateEventSourceMapping", &input).unwrap_err().code, "ResourceConflictException");
    let named = json!({"UUID": id});
    let state = |bench: &mut Bench| bench.lambda("GetEventSourceMapping", &named).map(|got| got["State"].clone());
    assert_eq!(state(&mut bench).unwrap(), "Creating");
    let off = json!({"UUID": id, "Enabled": false});
    assert_eq!(bench.lambda("UpdateEventSourceMapping", &off).unwrap_err().code, "ResourceInUseException");
    later(&mut bench, 5);
    assert_eq!(state(&mut bench).unwrap(), "Enabled");
    assert_eq!(bench.lambda("UpdateEventSourceMapping", &off).unwrap()["State"], "Disabling");
    later(&mut bench, 5);
    assert_eq!(state(&mut bench).unwrap(), "Disabled");
    let arn = format!("arn:aws:lambda:eu-west-1:111122223333:event-source-mapping:{id}");
    assert_eq!(bench.lambda("ListTags", &json!({"Resource": arn})).unwrap()["Tags"], json!({"a": "1"}));
    assert_eq!(bench.lambda("DeleteEventSourceMapping", &named).unwrap()["State"], "Deleting");
    assert_eq!(state(&mut bench).unwrap(), "Deleting");
    later(&mut bench, 5);
    assert_eq!(state(&mut bench).unwrap_err().code, "ResourceNotFoundException");
}

#[test]
fn mappings_are_listed_in_pages() {
    let mut bench = bench();
    queues(&mut bench.world, "CreateQueue", json!({"QueueName": "r"}));
    mapped(&mut bench, &json!({}));
    mapped(&mut bench, &json!({"EventSourceArn": format!("{}r", QUEUE.trim_end_matches('q'))}));
    let rows = [
        ("all", json!({}), 2, false),
        ("of a queue", json!({"EventSourceArn": QUEUE}), 1, false),
        ("of a function", json!({"FunctionName": "g"}), 0, false),
        ("a page", json!({"MaxItems": "1"}), 1, true),
    ];
    for (case, input, count, more) in rows {
        let page = bench.lambda("ListEventSourceMappings", &input).unwrap();
        let seen = (page["EventSourceMappings"].as_array().unwrap().len(), !page["NextMarker"].is_null());
        assert_eq!(seen, (count, more), "{case}");
    }
}

#[test]
fn a_message_comes_to_the_function_and_goes_once_it_is_served() {
    let mut bench = bench();
    mapped(&mut bench, &json!({}));
    let attributes = json!({"kind": {"DataType": "String", "StringValue": "a"}});
    queues(&mut bench.world, "SendMessage", json!({"MessageBody": "m", "MessageAttributes": attributes}));
    later(&mut bench, 0);
    let (_, event) = events(&bench).pop().unwrap();
    let record = &event["Records"][0];
    assert_eq!(
        (&record["body"], &record["eventSource"], &record["eventSourceARN"]),
        (&json!("m"), &json!("aws:sqs"), &json!(QUEUE))
    );
    assert_eq!((&record["awsRegion"], &record["attributes"]["ApproximateReceiveCount"]), (&json!(REGION), &json!("1")));
    assert_eq!(record["md5OfBody"], "6f8f57715090da2632453988d9a1501b");
    let told = json!({"stringValue": "a", "stringListValues": [], "binaryListValues": [], "dataType": "String"});
    assert_eq!(record["messageAttributes"]["kind"], told);
    for member in ["messageId", "receiptHandle", "md5OfMessageAttributes"] {
        assert!(record[member].is_string(), "{member}");
    }
    assert_eq!(left(&mut bench, "q"), 1, "it is hidden, not gone");
    ends(&mut bench, json!("fine"), Value::Null);
    assert_eq!(left(&mut bench, "q"), 0);
}

#[test]
fn a_message_that_fails_comes_again_and_then_goes_to_the_dead_letters() {
    let mut bench = bench();
    mapped(&mut bench, &json!({}));
    queues(&mut bench.world, "SendMessage", json!({"MessageBody": "m"}));
    later(&mut bench, 0);
    ends(&mut bench, Value::Null, json!({"errorType": "Exception"}));
    later(&mut bench, 29);
    assert_eq!(events(&bench).len(), 1, "hidden for as long as the queue says");
    later(&mut bench, 1);
    let seen = events(&bench);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].1["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
    ends(&mut bench, Value::Null, json!({"errorType": "Exception"}));
    later(&mut bench, 30);
    assert_eq!((events(&bench).len(), left(&mut bench, "q"), left(&mut bench, "dead")), (2, 0, 1));
}

#[test]
fn a_function_says_which_messages_failed_if_the_mapping_asks_it() {
    #[rustfmt::skip]
    let rows = [
        ("none", json!({"batchItemFailures": []}), 0),
        ("nothing said", Value::Null, 0),
        ("another answer", json!({"statusCode": 200}), 0),
        ("one of two", json!({"batchItemFailures": [{"itemIdentifier": "FIRST"}]}), 1),
        ("one that is not in the batch", json!({"batchItemFailures": [{"itemIdentifier": "x"}]}), 2),
        ("one without a name", json!({"batchItemFailures": [{"foo": "FIRST"}]}), 2),
        ("no list", json!({"batchItemFailures": "FIRST"}), 2),
        ("text", json!("done"), 2),
    ];
    for (case, answer, expected) in rows {
        let mut bench = bench();
        mapped(&mut bench, &json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]}));
        let entries = json!([{"Id": "1", "MessageBody": "m"}, {"Id": "2", "MessageBody": "n"}]);
        queues(&mut bench.world, "SendMessageBatch", json!({"Entries": entries}));
        later(&mut bench, 0);
        let (_, event) = events(&bench).pop().unwrap();
        assert_eq!(event["Records"].as_array().unwrap().len(), 2, "{case}");
        let first = event["Records"][0]["messageId"].as_str().unwrap();
        let answer = serde_json::from_str(&answer.to_string().replace("FIRST", first)).unwrap();
        ends(&mut bench, answer, Value::Null);
        assert_eq!(left(&mut bench, "q"), expected, "{case}");
    }
}

#[test]
fn messages_gather_until_the_window_closes_or_the_batch_is_full() {
    let mut bench = bench();
    mapped(&mut bench, &json!({"BatchSize": 2, "MaximumBatchingWindowInSeconds": 20}));
    queues(&mut bench.world, "SendMessage", json!({"MessageBody": "a"}));
    later(&mut bench, 19);
    assert!(events(&bench).is_empty(), "one message waits");
    later(&mut bench, 1);
    assert_eq!(events(&bench).len(), 1, "the window closes");
    for body in ["b", "c"] {
        queues(&mut bench.world, "SendMessage", json!({"MessageBody": body}));
    }
    later(&mut bench, 1);
    let records = events(&bench).pop().unwrap().1["Records"].as_array().unwrap().len();
    assert_eq!((events(&bench).len(), records), (2, 2), "the batch is full");
}

#[test]
fn a_mapping_that_is_off_leaves_messages_alone_until_it_is_on() {
    let mut bench = bench();
    let id = mapped(&mut bench, &json!({"Enabled": false}));
    queues(&mut bench.world, "SendMessage", json!({"MessageBody": "m"}));
    later(&mut bench, 60);
    assert!(events(&bench).is_empty());
    bench.lambda("UpdateEventSourceMapping", &json!({"UUID": id, "Enabled": true})).unwrap();
    later(&mut bench, 0);
    assert_eq!(events(&bench).len(), 1);
}

#[test]
fn a_stack_has_a_mapping_changes_it_and_takes_it_away() {
    let mut bench = bench();
    bench.world.settings.lambda_update = Duration::from_secs(5);
    later(&mut bench, 5);
    let template = |batch: u64| {
        json!({"Resources": {"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
            "FunctionName": "f", "EventSourceArn": QUEUE, "BatchSize": batch, "Tags": [{"Key": "a", "Value": "1"}]}}},
            "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Mapping", "EventSourceMappingArn"]}}, "Id": {"Value": {"Ref": "Mapping"}}}})
    };
    let stack = |bench: &mut Bench, operation: &str, template: Value| {
        let mut input = json!({"StackName": "s"});
        if !template.is_null() {
            input["TemplateBody"] = json!(template.to_string());
        }
        let caller = administrator(ACCOUNT);
        let call = Call { operation, input: &input, caller: &caller, region: REGION };
        let outcome = cloudformation::call(&mut bench.world, &call).unwrap();
        later(bench, 60);
        outcome
    };
    stack(&mut bench, "CreateStack", template(1));
    let listed =
        |bench: &mut Bench| bench.lambda("ListEventSourceMappings", &json!({})).unwrap()["EventSourceMappings"].clone();
    let made = listed(&mut bench);
    assert_eq!((&made[0]["BatchSize"], &made[0]["State"]), (&json!(1), &json!("Enabled")), "{made}");
    let told = stack(&mut bench, "DescribeStacks", Value::Null)["Stacks"][0]["Outputs"].clone();
    assert_eq!(
        (&told[0]["OutputValue"], &told[1]["OutputValue"]),
        (&made[0]["EventSourceMappingArn"], &made[0]["UUID"])
    );
    stack(&mut bench, "UpdateStack", template(2));
    let changed = listed(&mut bench);
    assert_eq!((&changed[0]["BatchSize"], &changed[0]["UUID"]), (&json!(2), &made[0]["UUID"]), "{changed}");
    stack(&mut bench, "DeleteStack", Value::Null);
    assert_eq!(listed(&mut bench), json!([]));
}
