//! Custom resources through whole lives of stacks, in process: what the function is asked, in order, and what becomes
//! of its answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use crate::aws::dispatch::administrator;
use crate::aws::{Call, Outcome, s3};
use crate::world::{Settings, World};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const USE_ROLE: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole";

/// A function, two things of its own, and a queue that needs one of them.
const TEMPLATE: &str = r#"
Parameters:
  Size: {Type: Number, Default: 1}
  Second: {Type: String, Default: 'yes'}
Conditions:
  Second: !Equals [!Ref Second, 'yes']
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole
      Code: {ZipFile: 'def handler(event, context): pass'}
  One:
    Type: Custom::Thing
    Properties: {ServiceToken: !GetAtt Function.Arn, ServiceTimeout: 300, Size: !Ref Size, Deep: {Flag: true, List: [1, a]}}
  Two:
    Type: AWS::CloudFormation::CustomResource
    Condition: Second
    Properties: {ServiceToken: !GetAtt Function.Arn}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub 'q-${One.Colour}'}
Outputs:
  Colour: {Value: !GetAtt One.Colour}
  Id: {Value: !Ref One}
"#;

struct Scene {
    world: World,
}

fn success(colour: &str, id: &str) -> Answer {
    Answer::Success { data: json!({"Colour": colour}), physical_id: Some(id.to_owned()) }
}

impl Scene {
    fn new() -> Self {
        Self { world: World::new(Settings::default(), "2026-01-01T00:00:00Z".parse().unwrap()) }
    }

    fn ask(&mut self, operation: &str, input: Value) -> Outcome {
        let caller = administrator(ACCOUNT);
        super::call(&mut self.world, &Call { operation, input: &input, caller: &caller, region: REGION })
    }

    fn pass(&mut self, seconds: u64) {
        let until: Timestamp = self.world.after(std::time::Duration::from_secs(seconds));
        self.world.advance(until);
    }

    fn answer(&mut self, name: &str, answer: Answer) {
        self.world.region(ACCOUNT, REGION).cloudformation.answer_next(name, answer);
    }

    /// Made, with One called `one` and of this colour.
    fn made(colour: &str) -> Self {
        let mut scene = Self::new();
        scene.answer("One", success(colour, "one"));
        scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": TEMPLATE})).unwrap();
        scene.pass(20);
        assert_eq!(scene.status(), "CREATE_COMPLETE");
        scene
    }

    fn update(&mut self, size: &str, second: &str) {
        let parameters = json!([
            {"ParameterKey": "Size", "ParameterValue": size}, {"ParameterKey": "Second", "ParameterValue": second},
        ]);
        let input = json!({"StackName": "s", "UsePreviousTemplate": "true", "Parameters": parameters});
        self.ask("UpdateStack", input).unwrap();
    }

    fn status(&mut self) -> String {
        let stack = self.ask("DescribeStacks", json!({"StackName": "s"})).unwrap()["Stacks"][0].clone();
        stack["StackStatus"].as_str().unwrap().to_owned()
    }

    fn outputs(&mut self) -> Vec<String> {
        let stack = self.ask("DescribeStacks", json!({"StackName": "s"})).unwrap()["Stacks"][0].clone();
        let outputs = stack["Outputs"].as_array().unwrap().iter();
        outputs.map(|output| output["OutputValue"].as_str().unwrap().to_owned()).collect()
    }

    /// `LOGICAL STATUS reason` of all events of a resource or the stack with a reason, oldest first.
    fn reasons(&mut self, name: &str) -> Vec<String> {
        let events = self.ask("DescribeStackEvents", json!({"StackName": "s"})).unwrap();
        let mut lines: Vec<String> = events["StackEvents"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["LogicalResourceId"] == name && event["ResourceStatusReason"].is_string())
            .map(|event| {
                format!(
                    "{} {}",
                    event["ResourceStatus"].as_str().unwrap(),
                    event["ResourceStatusReason"].as_str().unwrap()
                )
            })
            .collect();
        lines.reverse();
        lines
    }

    /// Every event that the function was sent and would run for, oldest first.
    fn events(&mut self) -> Vec<Value> {
        let invocations = &self.world.region(ACCOUNT, REGION).lambda.invocations;
        invocations.iter().map(|invocation| invocation.event.clone()).collect()
    }

    /// The same as `REQUEST LOGICAL PHYSICAL`; a generated id as `?`.
    fn asked(&mut self) -> Vec<String> {
        let word = |event: &Value, member: &str| event[member].as_str().unwrap_or("-").to_owned();
        self.events()
            .iter()
            .map(|event| {
                let id = word(event, "PhysicalResourceId");
                let id = if id.starts_with("s-") { "?".to_owned() } else { id };
                format!("{} {} {id}", word(event, "RequestType"), word(event, "LogicalResourceId"))
            })
            .collect()
    }

    fn put(&mut self, url: &str, content_type: &str, body: &Value) -> u16 {
        let (_, rest) = url.split_once("https://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let bucket = host.split('.').next().unwrap();
        let request = Request::put(format!("/{bucket}/{path}")).header("content-type", content_type);
        let request = request.body(Bytes::from(body.to_string())).unwrap();
        let caller = administrator(ACCOUNT);
        s3::handle(&mut self.world, &caller, REGION, &request).status().as_u16()
    }
}

#[test]
fn a_function_is_asked_for_its_things_at_once_and_what_needs_them_waits() {
    let mut scene = Scene::new();
    scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": TEMPLATE})).unwrap();
    scene.pass(1);
    assert_eq!(scene.asked(), ["Create One -"], "the second comes in its own slice of time");
    let event = &scene.events()[0];
    assert_eq!(event["ResourceType"], "Custom::Thing");
    assert_eq!(event["ResourceProperties"]["Deep"], json!({"Flag": "true", "List": ["1", "a"]}), "every value is text");
    assert_eq!(event["ResourceProperties"]["Size"], "1");
    assert!(event["ServiceToken"].as_str().unwrap().starts_with("arn:aws:lambda:eu-west-1:111122223333:function:"));
    assert!(
        event["ResponseURL"]
            .as_str()
            .unwrap()
            .starts_with("https://cloudformation-custom-resource-response-euwest1.s3.")
    );
    scene.pass(20);
    assert_eq!(scene.status(), "ROLLBACK_COMPLETE");
    let failed = scene.reasons("Queue").join(" ");
    assert!(
        failed.contains(
            "CustomResource attribute error: Vendor response doesn't contain Colour attribute in object arn:"
        ),
        "{failed}"
    );
}

#[test]
fn what_the_function_gives_is_there_for_others() {
    let mut scene = Scene::made("red");
    assert_eq!(scene.outputs(), ["red", "one"]);
    let queue = scene.ask("DescribeStackResource", json!({"StackName": "s", "LogicalResourceId": "Queue"})).unwrap();
    assert!(queue["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().ends_with("/q-red"));
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(20);
    assert!(scene.ask("DescribeStacks", json!({"StackName": "s"})).is_err());
    assert_eq!(scene.asked(), ["Create Two -", "Delete Two ?", "Delete One one"]);
}

#[test]
fn a_failure_is_told_in_cloudformations_words_and_what_was_begun_is_taken_away() {
    let mut scene = Scene::new();
    scene.answer("One", Answer::Failed("the archive is not there".into()));
    scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": TEMPLATE})).unwrap();
    scene.pass(20);
    assert_eq!(scene.status(), "ROLLBACK_COMPLETE");
    let reason = scene.reasons("One").join("\n");
    assert!(
        reason.contains("CREATE_FAILED Received response status [FAILED] from custom resource. Message returned: the archive is not there (RequestId: "),
        "{reason}"
    );
    assert_eq!(scene.asked(), ["Create Two -", "Delete Two ?", "Delete One ?"]);
}

#[test]
fn a_function_that_does_not_answer_fails_its_resource_after_the_time_out() {
    let mut scene = Scene::new();
    scene.answer("One", Answer::Never);
    scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": TEMPLATE})).unwrap();
    scene.pass(290);
    assert_eq!(scene.status(), "CREATE_IN_PROGRESS");
    scene.pass(20);
    assert_eq!(scene.status(), "ROLLBACK_COMPLETE");
    let reason = scene.reasons("One").join("\n");
    assert!(reason.contains(
        "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId ["
    ));
    assert_eq!(scene.asked(), ["Create Two -", "Delete Two ?", "Delete One ?"]);
}

#[test]
fn an_update_that_gives_another_id_replaces_the_thing_and_deletes_the_old_one_in_the_cleanup() {
    let mut scene = Scene::made("red");
    scene.answer("One", success("blue", "other"));
    scene.update("2", "yes");
    scene.pass(20);
    assert_eq!(scene.status(), "UPDATE_COMPLETE");
    assert_eq!(scene.outputs(), ["blue", "other"]);
    assert_eq!(scene.asked(), ["Create Two -", "Delete One one"]);
    let old = scene.events().last().unwrap().clone();
    assert_eq!(old["ResourceProperties"]["Size"], "1", "the old one is deleted by what it was made from");
}

#[test]
fn an_update_that_keeps_the_id_deletes_nothing() {
    let mut scene = Scene::made("red");
    scene.answer("One", success("blue", "one"));
    scene.update("2", "yes");
    scene.pass(20);
    assert_eq!((scene.status().as_str(), scene.outputs()), ("UPDATE_COMPLETE", vec!["blue".into(), "one".into()]));
    assert_eq!(scene.asked(), ["Create Two -"]);
}

#[test]
fn a_failed_update_asks_for_what_was_before() {
    let mut scene = Scene::made("red");
    scene.answer("One", Answer::Failed("no".into()));
    scene.answer("One", success("red", "one"));
    scene.update("2", "yes");
    scene.pass(20);
    assert_eq!(scene.status(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.outputs(), ["red", "one"]);
    scene.answer("One", success("green", "one"));
    scene.update("3", "yes");
    scene.pass(20);
    assert_eq!(scene.status(), "UPDATE_COMPLETE", "the stack lives on");
}

#[test]
fn a_rollback_that_the_function_refuses_fails_until_it_is_continued() {
    let mut scene = Scene::made("red");
    for reason in ["no", "not back either"] {
        scene.answer("One", Answer::Failed(reason.into()));
    }
    scene.update("2", "yes");
    scene.pass(20);
    assert_eq!(scene.status(), "UPDATE_ROLLBACK_FAILED");
    scene.answer("One", success("red", "one"));
    scene.ask("ContinueUpdateRollback", json!({"StackName": "s"})).unwrap();
    scene.pass(20);
    assert_eq!(scene.status(), "UPDATE_ROLLBACK_COMPLETE");
}

#[test]
fn a_thing_that_is_no_longer_declared_is_deleted_before_its_function() {
    let mut scene = Scene::made("red");
    scene.update("1", "no");
    scene.pass(20);
    assert_eq!(scene.status(), "UPDATE_COMPLETE");
    assert_eq!(scene.asked(), ["Create Two -", "Delete Two ?"]);
}

#[test]
fn a_thing_that_does_not_go_keeps_its_stack() {
    let mut scene = Scene::made("red");
    scene.answer("One", Answer::Failed("still in use".into()));
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(20);
    assert_eq!(scene.status(), "DELETE_FAILED");
    assert!(scene.world.region(ACCOUNT, REGION).lambda.function_names().next().is_some(), "its function stays too");
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(20);
    assert!(scene.ask("DescribeStacks", json!({"StackName": "s"})).is_err());
}

#[test]
fn an_answer_put_to_the_url_counts_once() {
    let mut scene = Scene::new();
    scene.answer("Two", Answer::Never);
    scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": TEMPLATE})).unwrap();
    scene.world.settings.custom_resource = std::time::Duration::from_secs(3600);
    scene.pass(10);
    let event = scene.events()[0].clone();
    let url = event["ResponseURL"].as_str().unwrap().to_owned();
    let answer = |status: &str, colour: &str| {
        json!({
            "Status": status, "Reason": "r", "PhysicalResourceId": "one", "StackId": event["StackId"],
            "RequestId": event["RequestId"], "LogicalResourceId": "One", "Data": {"Colour": colour},
        })
    };
    assert_eq!(scene.put(&url[..url.len() - 1], "", &answer("SUCCESS", "red")), 403, "another signature");
    assert_eq!(scene.put(&url, "application/json", &answer("SUCCESS", "red")), 403, "the URL covers no content type");
    assert_eq!(scene.put(&url, "", &answer("SUCCESS", "red")), 200);
    assert_eq!(scene.put(&url, "", &answer("FAILED", "blue")), 200, "S3 takes it, and nobody reads it");
    scene.pass(10);
    let one = scene.ask("DescribeStackResource", json!({"StackName": "s", "LogicalResourceId": "One"})).unwrap();
    assert_eq!(one["StackResourceDetail"]["ResourceStatus"], "CREATE_COMPLETE");
    assert_eq!(scene.status(), "CREATE_IN_PROGRESS", "the other has not answered");
}

#[test]
fn an_answer_that_is_none_fails_the_resource() {
    let long = "x".repeat(4097);
    let cases = [
        ("too long", json!({"Reason": long}), "Response object is too long."),
        ("of another request", json!({"RequestId": "other"}), "RequestId does not match the request."),
        ("without an id", json!({"PhysicalResourceId": ""}), "Invalid PhysicalResourceId"),
        ("of another status", json!({"Status": "DONE"}), "Status must be SUCCESS or FAILED"),
        ("a failure without a reason", json!({"Status": "FAILED", "Reason": ""}), "Reason must be a string"),
        ("data that is no object", json!({"Data": "red"}), "Data must be an object"),
    ];
    for (name, change, words) in cases {
        let mut scene = Scene::new();
        scene.world.settings.custom_resource = std::time::Duration::from_secs(250);
        scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": TEMPLATE})).unwrap();
        scene.pass(2);
        let event = scene.events()[0].clone();
        let mut answer = json!({
            "Status": "SUCCESS", "Reason": "r", "PhysicalResourceId": "one", "StackId": event["StackId"],
            "RequestId": event["RequestId"], "LogicalResourceId": "One",
        });
        for (member, value) in change.as_object().unwrap() {
            answer[member] = value.clone();
        }
        assert_eq!(scene.put(event["ResponseURL"].as_str().unwrap(), "", &answer), 200, "{name}");
        let reasons = scene.reasons("One").join("\n");
        assert!(reasons.contains(words), "{name}: {reasons}");
    }
}

#[test]
fn a_function_that_cannot_be_invoked_fails_the_resource() {
    let cases = [
        ("no function", json!("arn:aws:lambda:eu-west-1:111122223333:function:none"), "Function not found: arn:"),
        ("no ARN", json!("none"), "Invalid service token."),
        ("a topic", json!("arn:aws:sns:eu-west-1:111122223333:t"), "Invalid service token."),
    ];
    for (name, token, words) in cases {
        let mut scene = Scene::new();
        let template = json!({"Resources": {"One": {"Type": "Custom::Thing", "Properties": {"ServiceToken": token}}}});
        scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": template.to_string()})).unwrap();
        scene.pass(10);
        assert_eq!(scene.status(), "ROLLBACK_COMPLETE", "{name}");
        let reasons = scene.reasons("One").join("\n");
        assert!(reasons.contains(words), "{name}: {reasons}");
    }
    let mut scene = Scene::new();
    scene.world.iam.deny("*", "lambda:InvokeFunction");
    scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": TEMPLATE})).unwrap();
    scene.pass(10);
    assert!(scene.reasons("One").join("\n").contains("is not authorized to perform: lambda:InvokeFunction"));
}

#[test]
fn a_custom_resource_needs_a_service_token_and_a_time_out_that_there_is() {
    let cases = [
        (json!({}), "required key [ServiceToken] not found"),
        (
            json!({"ServiceToken": USE_ROLE, "ServiceTimeout": 4000}),
            "ServiceTimeout must be a number of seconds from 1 to 3600",
        ),
    ];
    for (properties, words) in cases {
        let mut scene = Scene::new();
        let template = json!({"Resources": {"One": {"Type": "Custom::Thing", "Properties": properties}}});
        scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": template.to_string()})).unwrap();
        scene.pass(10);
        let reasons = scene.reasons("One").join("\n");
        assert!(reasons.contains(words), "{reasons}");
    }
}

#[test]
fn a_broken_rule_refuses_creation_and_update_before_anything_starts() {
    let template = r#"
Parameters: {Wanted: {Type: String, Default: 'no'}, Url: {Type: String, Default: ''}}
Rules:
  UrlIfWanted:
    RuleCondition: !Equals [!Ref Wanted, 'yes']
    Assertions:
      - Assert: !Not [!Equals [!Ref Url, '']]
        AssertDescription: Url must be given where it is wanted
Resources: {Queue: {Type: 'AWS::SQS::Queue', Properties: {DelaySeconds: !If [A, 1, 2]}}}
Conditions: {A: !Equals [!Ref Wanted, 'yes']}
"#;
    let wanted = json!([{"ParameterKey": "Wanted", "ParameterValue": "yes"}]);
    let mut scene = Scene::new();
    let create = json!({"StackName": "s", "TemplateBody": template, "Parameters": wanted});
    let refusal = scene.ask("CreateStack", create).unwrap_err();
    assert_eq!(refusal.to_string(), "ValidationError: Url must be given where it is wanted");
    assert!(scene.ask("DescribeStacks", json!({"StackName": "s"})).is_err(), "there is no stack");
    scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": template})).unwrap();
    scene.pass(10);
    let update = json!({"StackName": "s", "UsePreviousTemplate": "true", "Parameters": wanted});
    assert_eq!(scene.ask("UpdateStack", update).unwrap_err().message, "Url must be given where it is wanted");
    assert_eq!(scene.status(), "CREATE_COMPLETE");
}
