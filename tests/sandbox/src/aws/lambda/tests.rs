//! Functions, their permissions, and events that reach them.
#![allow(clippy::unwrap_used)]

use base64::Engine;
use serde_json::{Value, json};

use crate::aws::dispatch::administrator;
use crate::aws::{Call, Caller, Outcome, events, lambda, sqs};
use crate::world::{Effect, Settings, World};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";

pub(super) struct Bench {
    pub(super) world: World,
    caller: Caller,
    role: String,
}

impl Bench {
    pub(super) fn new() -> Self {
        let mut world = World::new(Settings::default(), jiff::Timestamp::UNIX_EPOCH);
        let role = world.iam.add_role(ACCOUNT, "/", "run", &["lambda.amazonaws.com"]);
        Self { world, caller: administrator(ACCOUNT), role }
    }

    pub(super) fn lambda(&mut self, operation: &str, input: &Value) -> Outcome {
        lambda::call(&mut self.world, &Call { operation, input, caller: &self.caller, region: REGION })
    }

    fn events(&mut self, operation: &str, input: &Value) -> Outcome {
        events::call(&mut self.world, &Call { operation, input, caller: &self.caller, region: REGION })
    }

    /// Other code for a function, as UpdateFunctionCode takes it.
    pub(super) fn code(&self, name: &str) -> Value {
        let archive = base64::engine::general_purpose::STANDARD.encode(b"PK\x03\x04 other");
        json!({"FunctionName": name, "ZipFile": archive})
    }

    pub(super) fn function(&self, name: &str) -> Value {
        let archive = base64::engine::general_purpose::STANDARD.encode(b"PK\x03\x04...");
        json!({"FunctionName": name, "Runtime": "python3.13", "Role": self.role, "Handler": "index.handler",
            "Code": {"ZipFile": archive}, "Timeout": 30, "Environment": {"Variables": {"A": "b"}}})
    }

    fn with(&self, member: &str, value: Value) -> Value {
        let mut input = self.function("f");
        input[member] = value;
        input
    }

    /// A rule for approvals whose target is the function.
    fn ruled(&mut self) -> String {
        let arn = self.lambda("CreateFunction", &self.function("f")).unwrap()["FunctionArn"].clone();
        let pattern = json!({"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}}).to_string();
        let rule = self.events("PutRule", &json!({"Name": "approved", "EventPattern": pattern})).unwrap();
        self.events("PutTargets", &json!({"Rule": "approved", "Targets": [{"Id": "f", "Arn": arn}]})).unwrap();
        rule["RuleArn"].as_str().unwrap().to_owned()
    }

    fn approve(&mut self, status: &str) {
        let event = json!({"source": "aws.sagemaker", "detail-type": "x", "detail": {"ModelApprovalStatus": status}});
        events::publish(&mut self.world, ACCOUNT, REGION, &event);
    }
}

#[test]
fn a_function_is_created_shown_changed_and_deleted() {
    let mut bench = Bench::new();
    let made = bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    assert_eq!(made["State"], "Active");
    assert_eq!(bench.lambda("CreateFunction", &bench.function("f")).unwrap_err().status, 409);
    bench.lambda("UpdateFunctionConfiguration", &json!({"FunctionName": "f", "Timeout": 60})).unwrap();
    let arn = made["FunctionArn"].as_str().unwrap();
    let shown = bench.lambda("GetFunction", &json!({"FunctionName": arn})).unwrap();
    assert_eq!(shown["Configuration"]["Timeout"], 60);
    assert_eq!(shown["Configuration"]["Environment"]["Variables"]["A"], "b");
    bench.lambda("TagResource", &json!({"Resource": arn, "Tags": {"k": "v"}})).unwrap();
    assert_eq!(bench.lambda("ListTags", &json!({"Resource": arn})).unwrap()["Tags"]["k"], "v");
    bench.lambda("DeleteFunction", &json!({"FunctionName": "f"})).unwrap();
    assert_eq!(
        bench.lambda("GetFunction", &json!({"FunctionName": "f"})).unwrap_err().code,
        "ResourceNotFoundException"
    );
}

#[test]
fn what_lambda_does_not_take_is_refused() {
    let mut bench = Bench::new();
    #[rustfmt::skip]
    let rows = [
        ("a name of 65 characters", bench.function(&"x".repeat(65)), "ValidationException"),
        ("a retired runtime", bench.with("Runtime", json!("python3.8")), "InvalidParameterValueException"),
        ("a runtime that never was", bench.with("Runtime", json!("python9")), "InvalidParameterValueException"),
        ("a role that is not there", bench.with("Role", json!("arn:aws:iam::111122223333:role/none")), "InvalidParameterValueException"),
        ("code that is no archive", bench.with("Code", json!({"ZipFile": "aGVsbG8="})), "InvalidParameterValueException"),
        ("a time-out of more than 15 minutes", bench.with("Timeout", json!(901)), "ValidationException"),
        ("a reserved variable", bench.with("Environment", json!({"Variables": {"AWS_REGION": "x"}})), "InvalidParameterValueException"),
        ("more than 4 KB of variables", bench.with("Environment", json!({"Variables": {"A": "x".repeat(4096)}})), "InvalidParameterValueException"),
    ];
    for (case, input, code) in rows {
        assert_eq!(bench.lambda("CreateFunction", &input).unwrap_err().code, code, "{case}");
    }
    assert_eq!(bench.lambda("Fly", &json!({})).unwrap_err().code, "UnknownOperationException");
}

#[test]
fn concurrency_can_be_reserved_as_long_as_some_is_left() {
    let mut bench = Bench::new();
    bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    let ask = |limit: u64| json!({"FunctionName": "f", "ReservedConcurrentExecutions": limit});
    assert_eq!(bench.lambda("PutFunctionConcurrency", &ask(901)).unwrap_err().code, "InvalidParameterValueException");
    bench.lambda("PutFunctionConcurrency", &ask(1)).unwrap();
    let shown = bench.lambda("GetFunctionConcurrency", &json!({"FunctionName": "f"})).unwrap();
    assert_eq!(shown["ReservedConcurrentExecutions"], 1);
    bench.lambda("DeleteFunctionConcurrency", &json!({"FunctionName": "f"})).unwrap();
    assert_eq!(bench.world.region(ACCOUNT, REGION).lambda.function("f").unwrap().reserved_concurrency, None);
}

#[test]
fn code_of_a_function_need_not_be_signed() {
    let mut bench = Bench::new();
    let ask = json!({"FunctionName": "f"});
    assert_eq!(bench.lambda("GetFunctionCodeSigningConfig", &ask).unwrap_err().code, "ResourceNotFoundException");
    bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    assert_eq!(bench.lambda("GetFunctionCodeSigningConfig", &ask).unwrap(), json!({}));
}

#[test]
fn an_event_that_matches_invokes_the_function_if_its_policy_lets_the_rule() {
    let mut bench = Bench::new();
    let rule = bench.ruled();
    let permission = |id: &str, arn: &str| {
        json!({"FunctionName": "f", "StatementId": id, "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com", "SourceArn": arn})
    };
    bench.approve("Approved");
    bench.lambda("AddPermission", &permission("other", &format!("{rule}-2"))).unwrap();
    bench.approve("Approved");
    assert!(bench.world.effects.is_empty(), "no policy, or one for another rule");
    let failures = bench.world.region(ACCOUNT, REGION).events.dump()["failures"].as_array().unwrap().len();
    assert_eq!(failures, 2);

    bench.lambda("AddPermission", &permission("rule", &rule)).unwrap();
    bench.approve("Rejected");
    assert!(bench.world.effects.is_empty(), "the pattern wants Approved");
    bench.approve("Approved");
    let [Effect::InvokeLambda { function, event, .. }] = bench.world.effects.as_slice() else {
        unreachable!("one invocation is asked for")
    };
    assert_eq!(function, "f");
    assert_eq!(event["detail"]["ModelApprovalStatus"], "Approved");
    assert_eq!(event["account"], ACCOUNT);

    bench.events("DisableRule", &json!({"Name": "approved"})).unwrap();
    bench.approve("Approved");
    assert_eq!(bench.world.effects.len(), 1, "a disabled rule is quiet");
}

#[test]
fn a_rule_goes_only_after_its_targets() {
    let mut bench = Bench::new();
    bench.ruled();
    assert_eq!(bench.events("DeleteRule", &json!({"Name": "approved"})).unwrap_err().code, "ValidationException");
    bench.events("RemoveTargets", &json!({"Rule": "approved", "Ids": ["f"]})).unwrap();
    bench.events("DeleteRule", &json!({"Name": "approved"})).unwrap();
    bench.events("DeleteRule", &json!({"Name": "approved"})).unwrap();
    let gone = bench.events("DescribeRule", &json!({"Name": "approved"})).unwrap_err();
    assert_eq!(gone.code, "ResourceNotFoundException");
}

#[test]
fn what_eventbridge_does_not_take_is_refused() {
    let mut bench = Bench::new();
    let pattern = json!({"source": ["x"]}).to_string();
    #[rustfmt::skip]
    let rows = [
        ("a name of 65 characters", json!({"Name": "x".repeat(65), "EventPattern": pattern}), "ValidationException"),
        ("a pattern that is not valid", json!({"Name": "r", "EventPattern": "{}"}), "InvalidEventPatternException"),
        ("no pattern", json!({"Name": "r"}), "ValidationException"),
        ("a schedule, which does not run here", json!({"Name": "r", "ScheduleExpression": "rate(1 hour)"}), "ValidationException"),
        ("another bus", json!({"Name": "r", "EventPattern": pattern, "EventBusName": "b"}), "ResourceNotFoundException"),
    ];
    for (case, input, code) in rows {
        assert_eq!(bench.events("PutRule", &input).unwrap_err().code, code, "{case}");
    }
    bench.events("PutRule", &json!({"Name": "r", "EventPattern": pattern})).unwrap();
    let six: Vec<Value> =
        (0..6).map(|n| json!({"Id": n.to_string(), "Arn": "arn:aws:lambda:eu-west-1:1:function:f"})).collect();
    let refused = bench.events("PutTargets", &json!({"Rule": "r", "Targets": six})).unwrap_err();
    assert_eq!(refused.code, "LimitExceededException");
}

#[test]
fn own_events_are_taken_and_those_of_aws_are_not() {
    let mut bench = Bench::new();
    let entry = |source: &str, detail: &str| json!({"Source": source, "DetailType": "t", "Detail": detail});
    let input = json!({"Entries": [entry("mine", "{}"), entry("aws.sagemaker", "{}"), entry("mine", "{")]});
    let reply = bench.events("PutEvents", &input).unwrap();
    assert_eq!(reply["FailedEntryCount"], 2);
    assert!(reply["Entries"][0]["EventId"].is_string());
    assert_eq!(reply["Entries"][1]["ErrorCode"], "NotAuthorizedForSourceException");
    assert_eq!(reply["Entries"][2]["ErrorCode"], "MalformedDetail");
}

#[test]
fn functions_are_listed_in_pages_of_fifty_at_most() {
    let mut bench = Bench::new();
    for number in 0..51 {
        let function = bench.function(&format!("f{number:02}"));
        bench.lambda("CreateFunction", &function).unwrap();
    }
    let rows = [
        ("no size", json!({}), 50, true),
        ("a size above what one answer has", json!({"MaxItems": "10000"}), 50, true),
        ("a size", json!({"MaxItems": "7"}), 7, true),
    ];
    for (name, input, count, more) in rows {
        let page = bench.lambda("ListFunctions", &input).unwrap();
        let functions = page["Functions"].as_array().unwrap();
        assert_eq!((functions.len(), !page["NextMarker"].is_null()), (count, more), "{name}");
        let rest = bench.lambda("ListFunctions", &json!({"Marker": page["NextMarker"]})).unwrap();
        assert_eq!(rest["Functions"][0]["FunctionName"], format!("f{count:02}"), "{name}");
    }
    for (name, input) in [("a wrong marker", json!({"Marker": "f03"})), ("no items", json!({"MaxItems": "0"}))] {
        assert_eq!(bench.lambda("ListFunctions", &input).unwrap_err().code, "InvalidParameterValueException", "{name}");
    }
}

#[test]
fn an_event_that_no_run_served_goes_to_the_functions_dead_letter_queue() {
    let queue = "arn:aws:sqs:eu-west-1:111122223333:dead";
    #[rustfmt::skip]
    let rows = [
        ("an error", json!({"errorType": "Exception", "errorMessage": "no"}), json!({"TargetArn": queue}), Some(("200", json!("no")))),
        ("a long error", json!({"errorType": "Exception", "errorMessage": "\u{e4}".repeat(2_000)}), json!({"TargetArn": queue}), Some(("200", json!("\u{e4}".repeat(512))))),
        ("an error without words", json!({"errorType": "Exception"}), json!({"TargetArn": queue}), Some(("200", Value::Null))),
        ("a function that is switched off", json!({"errorType": lambda::SWITCHED_OFF, "errorMessage": "off"}), json!({"TargetArn": queue}), Some(("429", json!("off")))),
        ("no dead-letter queue", json!({"errorType": "Exception", "errorMessage": "no"}), Value::Null, None),
        ("a queue that is not there", json!({"errorType": "Exception"}), json!({"TargetArn": format!("{queue}2")}), None),
    ];
    for (case, error, config, expected) in rows {
        let mut bench = Bench::new();
        bench.lambda("CreateFunction", &bench.with("DeadLetterConfig", config)).unwrap();
        let create = json!({"QueueName": "dead"});
        let call = Call { operation: "CreateQueue", input: &create, caller: &bench.caller, region: REGION };
        let url = sqs::call(&mut bench.world, &call).unwrap()["QueueUrl"].clone();
        let payload = base64::engine::general_purpose::STANDARD.encode(b"{\"a\":1}");
        let asked = json!({"FunctionName": "f", "InvocationType": "Event", "Payload": payload});
        bench.lambda("Invoke", &asked).unwrap();
        let now = bench.world.now;
        let invocation = bench.world.region(ACCOUNT, REGION).lambda.invocations.last_mut().unwrap();
        let attempt = lambda::Attempt { started: now, ended: now, result: Value::Null, error, log: String::new() };
        invocation.attempts.push(attempt);
        let id = invocation.id.clone();
        lambda::dead_letter(&mut bench.world, ACCOUNT, REGION, &id);
        let receive = json!({"QueueUrl": url, "MessageAttributeNames": ["All"]});
        let call = Call { operation: "ReceiveMessage", input: &receive, caller: &bench.caller, region: REGION };
        let got = sqs::call(&mut bench.world, &call).unwrap()["Messages"][0].clone();
        let seen = got["Body"].is_string().then(|| {
            assert_eq!(got["Body"], "{\"a\":1}", "{case}");
            let attributes = &got["MessageAttributes"];
            assert_eq!(attributes["RequestID"], json!({"DataType": "String", "StringValue": id}), "{case}");
            assert_eq!(attributes["ErrorCode"]["DataType"], "Number", "{case}");
            (
                attributes["ErrorCode"]["StringValue"].as_str().unwrap().to_owned(),
                attributes["ErrorMessage"]["StringValue"].clone(),
            )
        });
        assert_eq!(seen, expected.map(|(status, message)| (status.to_owned(), message)), "{case}");
    }
}

#[test]
fn a_role_that_may_not_send_has_no_function_with_a_dead_letter_queue() {
    let mut bench = Bench::new();
    bench.world.iam.deny("*", "sqs:SendMessage");
    let config = json!({"TargetArn": "arn:aws:sqs:eu-west-1:111122223333:dead"});
    let refused = bench.lambda("CreateFunction", &bench.with("DeadLetterConfig", config)).unwrap_err();
    assert_eq!(refused.message, "The provided execution role does not have permissions to call SendMessage on SQS");
    bench.lambda("CreateFunction", &bench.function("f")).unwrap();
}
