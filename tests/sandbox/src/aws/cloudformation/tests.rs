//! Whole lives of stacks, through the operations alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::aws::{Call, Caller, Outcome};
use crate::world::{Settings, World};

/// Two queues, one after the other, and one that neither needs.
pub(super) const QUEUES: &str = r#"
Parameters:
  Seconds: {Type: Number, Default: 60}
  Token: {Type: String, NoEcho: true, Default: ''}
Resources:
  First: {Type: 'AWS::SQS::Queue', Properties: {VisibilityTimeout: !Ref Seconds}}
  Second: {Type: 'AWS::SQS::Queue', Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt First.Arn}}}
  Third: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: !Sub '/${AWS::StackName}', RetentionInDays: !Ref Seconds}}
Outputs:
  Url: {Value: !Ref First}
"#;

pub(super) struct Scene {
    pub(super) world: World,
    pub(super) caller: Caller,
}

impl Scene {
    pub(super) fn new() -> Self {
        let settings = Settings { stack: Duration::from_secs(12), ..Settings::default() };
        let world = World::new(settings, "2026-01-01T00:00:00Z".parse().unwrap());
        let arn = "arn:aws:iam::111122223333:user/admin".to_owned();
        Self { world, caller: Caller { account: "111122223333".into(), principal: arn.clone(), arn } }
    }

    pub(super) fn ask(&mut self, operation: &str, input: Value) -> Outcome {
        super::call(&mut self.world, &Call { operation, input: &input, caller: &self.caller, region: "eu-west-1" })
    }

    pub(super) fn refusal(&mut self, operation: &str, input: Value) -> String {
        self.ask(operation, input).unwrap_err().to_string()
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        let until: Timestamp = self.world.after(Duration::from_secs(seconds));
        self.world.advance(until);
    }

    pub(super) fn stack(&mut self, name: &str) -> Value {
        self.ask("DescribeStacks", json!({"StackName": name})).unwrap()["Stacks"][0].clone()
    }

    pub(super) fn status(&mut self, name: &str) -> String {
        self.stack(name)["StackStatus"].as_str().unwrap().to_owned()
    }

    /// Oldest first: `seconds logical id STATUS`.
    pub(super) fn history(&mut self, name: &str) -> Vec<String> {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let events = self.ask("DescribeStackEvents", json!({"StackName": name})).unwrap();
        let mut lines: Vec<String> = events["StackEvents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                let at: Timestamp = event["Timestamp"].as_str().unwrap().parse().unwrap();
                let reason =
                    event["ResourceStatusReason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
                format!(
                    "{} {} {}{reason}",
                    at.duration_since(start).as_secs(),
                    event["LogicalResourceId"].as_str().unwrap(),
                    event["ResourceStatus"].as_str().unwrap()
                )
            })
            .collect();
        lines.reverse();
        lines
    }

    pub(super) fn create(&mut self, template: &str) -> String {
        let reply = self.ask("CreateStack", json!({"StackName": "s", "TemplateBody": template})).unwrap();
        reply["StackId"].as_str().unwrap().to_owned()
    }

    pub(super) fn fail_next(&mut self, logical_id: &str, reason: &str) {
        self.world.region("111122223333", "eu-west-1").cloudformation.fail_next(logical_id, reason);
    }
}

#[test]
fn a_stack_is_created_in_the_order_of_its_dependencies_each_resource_in_its_share_of_the_time() {
    let mut scene = Scene::new();
    let id = scene.create(QUEUES);
    assert!(id.starts_with("arn:aws:cloudformation:eu-west-1:111122223333:stack/s/"));
    assert_eq!(scene.status("s"), "CREATE_IN_PROGRESS");
    scene.pass(12);
    assert_eq!(
        scene.history("s"),
        [
            "0 s CREATE_IN_PROGRESS (User Initiated)",
            "0 First CREATE_IN_PROGRESS",
            "0 Third CREATE_IN_PROGRESS",
            "4 First CREATE_IN_PROGRESS (Resource creation Initiated)",
            "4 First CREATE_COMPLETE",
            "4 Second CREATE_IN_PROGRESS",
            "8 Third CREATE_IN_PROGRESS (Resource creation Initiated)",
            "8 Third CREATE_COMPLETE",
            "12 Second CREATE_IN_PROGRESS (Resource creation Initiated)",
            "12 Second CREATE_COMPLETE",
            "12 s CREATE_COMPLETE",
        ]
    );
    let stack = scene.stack("s");
    let url = stack["Outputs"][0]["OutputValue"].as_str().unwrap();
    assert!(url.starts_with("https://sqs.eu-west-1.amazonaws.com/111122223333/s-First-"), "{url}");
    let resource = scene.ask("DescribeStackResource", json!({"StackName": "s", "LogicalResourceId": "Third"})).unwrap();
    assert_eq!(resource["StackResourceDetail"]["PhysicalResourceId"], "/s");
}

#[test]
fn a_failed_creation_cancels_its_siblings_and_is_rolled_back_and_can_then_only_be_deleted() {
    let mut scene = Scene::new();
    scene.fail_next("Third", "out of luck");
    scene.create(QUEUES);
    scene.pass(8);
    let stack = scene.stack("s");
    assert_eq!(stack["StackStatus"], "ROLLBACK_IN_PROGRESS");
    assert_eq!(
        stack["StackStatusReason"],
        "The following resource(s) failed to create: [Second, Third]. Rollback requested by user."
    );
    scene.pass(12);
    assert_eq!(scene.status("s"), "ROLLBACK_COMPLETE");
    let history = scene.history("s");
    assert!(history.contains(&"8 Third CREATE_FAILED (out of luck)".to_owned()), "{history:?}");
    assert!(history.contains(&"8 Second CREATE_FAILED (Resource creation cancelled)".to_owned()), "{history:?}");
    let refused = scene.refusal("UpdateStack", json!({"StackName": "s", "TemplateBody": QUEUES}));
    assert!(
        refused.starts_with("ValidationError: Stack:arn:aws:cloudformation:")
            && refused.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."),
        "{refused}"
    );
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(12);
    assert_eq!(
        scene.refusal("DescribeStacks", json!({"StackName": "s"})),
        "ValidationError: Stack with id s does not exist"
    );
}

#[test]
fn on_failure_says_what_follows_a_failed_creation() {
    let cases = [
        (json!({"OnFailure": "DO_NOTHING"}), "CREATE_FAILED"),
        (json!({"DisableRollback": "true"}), "CREATE_FAILED"),
        (json!({"OnFailure": "ROLLBACK"}), "ROLLBACK_COMPLETE"),
        (json!({"OnFailure": "DELETE"}), "DELETE_COMPLETE"),
    ];
    for (option, status) in cases {
        let mut scene = Scene::new();
        scene.fail_next("First", "no");
        let mut input = json!({"StackName": "s", "TemplateBody": QUEUES});
        input.as_object_mut().unwrap().extend(option.as_object().unwrap().clone());
        let id = scene.ask("CreateStack", input).unwrap()["StackId"].as_str().unwrap().to_owned();
        scene.pass(60);
        assert_eq!(scene.status(&id), status, "{option}");
    }
}

#[test]
fn an_update_changes_replaces_and_removes() {
    let mut scene = Scene::new();
    scene.create(QUEUES);
    scene.pass(12);
    let ids = |scene: &mut Scene| -> Vec<String> {
        let reply = scene.ask("ListStackResources", json!({"StackName": "s"})).unwrap();
        reply["StackResourceSummaries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["PhysicalResourceId"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = ids(&mut scene);
    let changed = QUEUES.replace("!Sub '/${AWS::StackName}'", "/other").replace(
        "  Second: {Type: 'AWS::SQS::Queue', Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt First.Arn}}}\n",
        "",
    );
    let input = json!({"StackName": "s", "TemplateBody": changed, "Parameters": [{"ParameterKey": "Seconds", "ParameterValue": "90"}]});
    scene.ask("UpdateStack", input).unwrap();
    assert_eq!(scene.status("s"), "UPDATE_IN_PROGRESS");
    scene.pass(12);
    assert_eq!(scene.status("s"), "UPDATE_COMPLETE");
    let after = ids(&mut scene);
    assert_eq!(
        after,
        [before[0].clone(), "/other".to_owned()],
        "First is changed in place, Second is gone, Third is replaced"
    );
    let history = scene.history("s");
    let expected = [
        "Third UPDATE_IN_PROGRESS (Requested update requires the creation of a new physical resource; hence creating one.)",
        "Third DELETE_COMPLETE",
        "Second DELETE_COMPLETE",
    ];
    for line in expected {
        assert!(history.iter().any(|event| event.ends_with(line)), "{line} in {history:?}");
    }
    let records = &scene.world.region("111122223333", "eu-west-1").cloudformation.dump()["records"];
    assert_eq!(records.as_object().unwrap().len(), 2);
}

#[test]
fn an_update_to_the_same_is_refused() {
    let mut scene = Scene::new();
    let secret = json!([{"ParameterKey": "Token", "ParameterValue": "t1"}]);
    scene.ask("CreateStack", json!({"StackName": "s", "TemplateBody": QUEUES, "Parameters": secret})).unwrap();
    scene.pass(12);
    let shown = scene.stack("s")["Parameters"].clone();
    assert_eq!(
        shown,
        json!([{"ParameterKey": "Seconds", "ParameterValue": "60"}, {"ParameterKey": "Token", "ParameterValue": "****"}])
    );
    let keep = json!([{"ParameterKey": "Token", "UsePreviousValue": "true"}]);
    let cases = [
        ("the same template and value", json!({"StackName": "s", "TemplateBody": QUEUES, "Parameters": secret})),
        (
            "the previous value and template",
            json!({"StackName": "s", "UsePreviousTemplate": "true", "Parameters": keep}),
        ),
    ];
    for (name, input) in cases {
        assert_eq!(scene.refusal("UpdateStack", input), "ValidationError: No updates are to be performed.", "{name}");
    }
    assert_eq!(
        scene.refusal("UpdateStack", json!({"StackName": "nothing", "TemplateBody": QUEUES})),
        "ValidationError: Stack [nothing] does not exist"
    );
}

#[test]
fn a_failed_update_returns_to_what_was() {
    let mut scene = Scene::new();
    scene.create(QUEUES);
    scene.pass(12);
    scene.fail_next("Third", "no");
    let input = json!({"StackName": "s", "TemplateBody": QUEUES, "Parameters": [{"ParameterKey": "Seconds", "ParameterValue": "90"}]});
    scene.ask("UpdateStack", input).unwrap();
    scene.pass(60);
    let stack = scene.stack("s");
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(stack["Parameters"][0]["ParameterValue"], "60");
    let history = scene.history("s");
    assert!(
        history.iter().any(|line| line
            .ends_with("UPDATE_ROLLBACK_IN_PROGRESS (The following resource(s) failed to update: [Third]. )")),
        "{history:?}"
    );
}

#[test]
fn a_rollback_that_fails_can_be_continued() {
    let mut scene = Scene::new();
    scene.create(QUEUES);
    scene.pass(12);
    scene.fail_next("Third", "no");
    let input = json!({"StackName": "s", "TemplateBody": QUEUES, "Parameters": [{"ParameterKey": "Seconds", "ParameterValue": "90"}]});
    scene.ask("UpdateStack", input.clone()).unwrap();
    scene.pass(3);
    scene.fail_next("First", "not back either");
    // First was updated without failing: the script waits for its way back.
    scene.pass(60);
    assert_eq!(scene.status("s"), "UPDATE_ROLLBACK_FAILED");
    assert!(
        scene.refusal("UpdateStack", input).ends_with("is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
    );
    scene.ask("ContinueUpdateRollback", json!({"StackName": "s"})).unwrap();
    scene.pass(60);
    assert_eq!(scene.status("s"), "UPDATE_ROLLBACK_COMPLETE");
}

#[test]
fn a_deletion_that_fails_names_the_resource_and_can_leave_it() {
    let mut scene = Scene::new();
    let id = scene.create(QUEUES);
    scene.pass(12);
    scene.fail_next("Second", "still in use");
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(12);
    let stack = scene.stack("s");
    assert_eq!(stack["StackStatus"], "DELETE_FAILED");
    assert_eq!(stack["StackStatusReason"], "The following resource(s) failed to delete: [Second]. ");
    scene.ask("DeleteStack", json!({"StackName": "s", "RetainResources": ["Second"]})).unwrap();
    scene.pass(12);
    assert_eq!(scene.status(&id), "DELETE_COMPLETE");
    let records = &scene.world.region("111122223333", "eu-west-1").cloudformation.dump()["records"];
    assert_eq!(records.as_object().unwrap().len(), 1, "{records}");
    scene.ask("DeleteStack", json!({"StackName": "s"})).expect("deleting what is not there is no error");
}

#[test]
fn deletion_policies_decide_what_stays() {
    let template = r#"
Resources:
  Kept: {Type: 'AWS::SQS::Queue', DeletionPolicy: Retain}
  KeptOnceThere: {Type: 'AWS::SQS::Queue', DeletionPolicy: RetainExceptOnCreate}
  Last: {Type: 'AWS::SQS::Queue', DependsOn: [Kept, KeptOnceThere]}
"#;
    let left = |scene: &mut Scene| {
        scene.world.region("111122223333", "eu-west-1").cloudformation.dump()["records"].as_object().unwrap().len()
    };
    let mut scene = Scene::new();
    scene.create(template);
    scene.pass(12);
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(12);
    assert_eq!(left(&mut scene), 2, "after a deletion");

    let mut scene = Scene::new();
    scene.fail_next("Last", "no");
    scene.create(template);
    scene.pass(24);
    assert_eq!(scene.status("s"), "ROLLBACK_COMPLETE");
    assert_eq!(left(&mut scene), 1, "after a creation that was rolled back");
}

#[test]
fn the_same_request_with_the_same_token_is_one_operation() {
    let mut scene = Scene::new();
    let input = json!({"StackName": "s", "TemplateBody": QUEUES, "ClientRequestToken": "t-1"});
    let first = scene.ask("CreateStack", input.clone()).unwrap();
    assert_eq!(scene.ask("CreateStack", input).unwrap(), first);
    let other = json!({"StackName": "other", "TemplateBody": QUEUES, "ClientRequestToken": "t-1"});
    assert!(scene.refusal("CreateStack", other).starts_with("TokenAlreadyExistsException: "));
    let events = scene.ask("DescribeStackEvents", json!({"StackName": "s"})).unwrap();
    assert!(events["StackEvents"].as_array().unwrap().iter().all(|event| event["ClientRequestToken"] == "t-1"));
    let again = json!({"StackName": "s", "TemplateBody": QUEUES});
    assert_eq!(scene.refusal("CreateStack", again), "AlreadyExistsException: Stack [s] already exists");
}

#[test]
fn what_cannot_work_is_refused_before_anything_starts() {
    let role = |name: &str| {
        format!(
            "Resources:\n  R:\n    Type: AWS::IAM::Role\n    Properties: {{{name}AssumeRolePolicyDocument: {{Statement: []}}}}\n"
        )
    };
    let cases: &[(&str, Value, &str)] = &[
        (
            "a bad name",
            json!({"StackName": "1s", "TemplateBody": QUEUES}),
            "ValidationError: 1 validation error detected: Value '1s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        ),
        (
            "no template",
            json!({"StackName": "s"}),
            "ValidationError: Either Template URL or Template Body must be specified.",
        ),
        (
            "a template that is too large",
            json!({"StackName": "s", "TemplateBody": "x".repeat(51_201)}),
            "ValidationError: 1 validation error detected: Value 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
        ),
        (
            "an unknown type",
            json!({"StackName": "s", "TemplateBody": "Resources: {A: {Type: 'AWS::EC2::Instance'}}"}),
            "ValidationError: Template format error: Unrecognized resource types: [AWS::EC2::Instance]",
        ),
        (
            "an unknown parameter",
            json!({"StackName": "s", "TemplateBody": QUEUES, "Parameters": [{"ParameterKey": "X", "ParameterValue": "1"}]}),
            "ValidationError: Parameters: [X] do not exist in the template",
        ),
        (
            "a role without the capability",
            json!({"StackName": "s", "TemplateBody": role("")}),
            "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_IAM]",
        ),
        (
            "a named role with the lesser capability",
            json!({"StackName": "s", "TemplateBody": role("RoleName: r, "), "Capabilities": ["CAPABILITY_IAM"]}),
            "InsufficientCapabilitiesException: Requires capabilities : [CAPABILITY_NAMED_IAM]",
        ),
        (
            "a role that is not there",
            json!({"StackName": "s", "TemplateBody": QUEUES, "RoleARN": "arn:aws:iam::111122223333:role/none"}),
            "ValidationError: Role arn:aws:iam::111122223333:role/none is invalid or cannot be assumed",
        ),
        (
            "a reserved tag",
            json!({"StackName": "s", "TemplateBody": QUEUES, "Tags": [{"Key": "aws:x", "Value": "y"}]}),
            "ValidationError: aws: prefixed tag key names are not allowed for external use.",
        ),
        (
            "an option not known here",
            json!({"StackName": "s", "TemplateBody": QUEUES, "TimeoutInMinutes": "5"}),
            "ValidationError: TimeoutInMinutes is not known here",
        ),
    ];
    for (name, input, sentence) in cases {
        let mut scene = Scene::new();
        assert_eq!(scene.refusal("CreateStack", input.clone()), *sentence, "{name}");
        assert_eq!(scene.ask("ListStacks", json!({})).unwrap()["StackSummaries"], json!([]), "{name}");
    }
}

#[test]
fn a_property_that_is_not_known_and_a_name_that_is_too_long_fail_their_resource() {
    let cases = [
        ("Properties: {Fifo: true}", "Encountered unsupported property Fifo".to_owned()),
        (
            "Properties: {QueueName: 'a-name-that-is-much-longer-than-the-eighty-characters-that-a-queue-may-have-at-the-most'}",
            "Properties validation failed for resource Q with message: the name 'a-name-that-is-much-longer-than-the-eighty-characters-that-a-queue-may-have-at-the-most' must have 1 to 80 characters, letters, digits and _-".to_owned(),
        ),
    ];
    for (properties, sentence) in cases {
        let mut scene = Scene::new();
        scene.create(&format!("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    {properties}\n"));
        scene.pass(24);
        let history = scene.history("s");
        assert!(history.contains(&format!("12 Q CREATE_FAILED ({sentence})")), "{history:?}");
        assert_eq!(scene.status("s"), "ROLLBACK_COMPLETE");
    }
}

#[test]
fn an_alarm_watches_one_metric_or_what_is_computed_of_several() {
    let stat = "ReturnData: false, MetricStat: {Metric: {Namespace: N, MetricName: M}, Period: 60, Stat: Maximum}";
    let sum = "{Id: sum, Expression: a + 1}";
    let rows = [
        ("one metric", "Namespace: N, MetricName: M, Period: 60, Statistic: Maximum".to_owned(), ""),
        ("a sum", format!("Metrics: [{{Id: a, {stat}}}, {sum}]"), ""),
        ("neither", "Threshold: 0".to_owned(), "An alarm needs MetricName or Metrics"),
        ("both", format!("Period: 60, Metrics: [{sum}]"), "Period must not be set if Metrics is"),
        ("two that are given back", format!("Metrics: [{sum}, {{Id: b, Expression: a + 2}}]"), "Exactly one element"),
        ("none that is given back", format!("Metrics: [{{Id: a, {stat}}}]"), "Exactly one element"),
        ("one name twice", format!("Metrics: [{{Id: sum, {stat}}}, {sum}]"), "the Id 'sum' must"),
        ("a name in capitals", format!("Metrics: [{{Id: A, {stat}}}, {sum}]"), "the Id 'A' must"),
        ("a metric of nothing", "Metrics: [{Id: a}]".to_owned(), "a must have either Expression or MetricStat"),
    ];
    for (case, properties, sentence) in rows {
        let mut scene = Scene::new();
        let common = "ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 20";
        scene.create(&format!(
            "Resources:\n  A:\n    Type: AWS::CloudWatch::Alarm\n    Properties: {{{common}, {properties}}}\n"
        ));
        scene.pass(24);
        let wanted = if sentence.is_empty() { "CREATE_COMPLETE" } else { "ROLLBACK_COMPLETE" };
        assert_eq!(scene.status("s"), wanted, "{case}: {:?}", scene.history("s"));
        assert!(format!("{:?}", scene.history("s")).contains(sentence), "{case}: {:?}", scene.history("s"));
    }
}

#[test]
fn a_role_is_made_as_the_stacks_own_role_and_goes_with_the_stack() {
    let template = r#"
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}
      Policies: [{PolicyName: p, PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'logs:*', Resource: '*'}]}}]
Outputs: {Arn: {Value: !GetAtt R.Arn}}
"#;
    let mut scene = Scene::new();
    let role = scene.world.iam.add_role("111122223333", "/", "builder", &["cloudformation.amazonaws.com"]);
    let input = json!({
        "StackName": "s", "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"], "RoleARN": role,
        "Tags": [{"Key": "team", "Value": "a"}],
    });
    scene.ask("CreateStack", input).unwrap();
    scene.pass(12);
    let arn = scene.stack("s")["Outputs"][0]["OutputValue"].as_str().unwrap().to_owned();
    let made = scene.world.iam.role_by_arn(&arn).expect("the role exists");
    assert!(made.name.starts_with("s-R-"));
    assert_eq!(made.tags.get("team").map(String::as_str), Some("a"));
    assert!(made.policies.contains_key("p"));
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(12);
    assert!(scene.world.iam.role_by_arn(&arn).is_none());
}

#[test]
fn a_protected_stack_is_not_deleted() {
    let mut scene = Scene::new();
    scene.create(QUEUES);
    scene.pass(12);
    scene.ask("UpdateTerminationProtection", json!({"StackName": "s", "EnableTerminationProtection": "true"})).unwrap();
    assert_eq!(
        scene.refusal("DeleteStack", json!({"StackName": "s"})),
        "ValidationError: Stack [s] cannot be deleted while TerminationProtection is enabled"
    );
}

#[test]
fn a_fresh_stack_is_not_found_by_name_before_it_has_spread() {
    let mut scene = Scene::new();
    scene.world.settings.read_after_write = Duration::from_secs(2);
    let id = scene.create(QUEUES);
    assert_eq!(scene.status(&id), "CREATE_IN_PROGRESS", "by its id");
    assert_eq!(
        scene.refusal("DescribeStacks", json!({"StackName": "s"})),
        "ValidationError: Stack with id s does not exist"
    );
    scene.pass(2);
    assert_eq!(scene.status("s"), "CREATE_IN_PROGRESS");
}

#[test]
fn an_update_can_be_cancelled_and_one_that_failed_without_rollback_can_be_rolled_back() {
    let update = |option: Value| {
        let mut input = json!({
            "StackName": "s", "TemplateBody": QUEUES,
            "Parameters": [{"ParameterKey": "Seconds", "ParameterValue": "90"}],
        });
        input.as_object_mut().unwrap().extend(option.as_object().unwrap().clone());
        input
    };
    let mut scene = Scene::new();
    scene.create(QUEUES);
    scene.pass(12);
    scene.ask("UpdateStack", update(json!({}))).unwrap();
    scene.ask("CancelUpdateStack", json!({"StackName": "s"})).unwrap();
    scene.pass(60);
    assert_eq!(scene.status("s"), "UPDATE_ROLLBACK_COMPLETE");

    scene.fail_next("Third", "no");
    scene.ask("UpdateStack", update(json!({"DisableRollback": "true"}))).unwrap();
    scene.pass(60);
    assert_eq!(scene.status("s"), "UPDATE_FAILED");
    scene.ask("RollbackStack", json!({"StackName": "s"})).unwrap();
    scene.pass(60);
    let stack = scene.stack("s");
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(stack["Parameters"][0]["ParameterValue"], "60");
}

#[test]
fn a_stack_whose_creation_failed_without_rollback_is_updated_without_rollback_only() {
    let creation = json!({"StackName": "s", "TemplateBody": QUEUES, "OnFailure": "DO_NOTHING"});
    let refused = "ValidationError: This stack is currently in a non-terminal [CREATE_FAILED] state. To update the stack from this state, please use the disable-rollback parameter with update-stack API. To rollback to the last known good state, use the rollback-stack API";
    let again = json!({"StackName": "s", "TemplateBody": QUEUES, "DisableRollback": "true"});
    let cases = [
        ("that goes well", None, "UPDATE_COMPLETE", None),
        ("that fails again", Some("Second"), "UPDATE_FAILED", Some("ROLLBACK_COMPLETE")),
    ];
    for (name, failing, status, rolled_back) in cases {
        let mut scene = Scene::new();
        scene.fail_next("Third", "no");
        scene.ask("CreateStack", creation.clone()).unwrap();
        scene.pass(60);
        assert_eq!(scene.status("s"), "CREATE_FAILED", "{name}");
        let with_rollback = json!({"StackName": "s", "TemplateBody": QUEUES});
        assert_eq!(scene.refusal("UpdateStack", with_rollback), refused, "{name}");
        if let Some(resource) = failing {
            scene.fail_next(resource, "still not");
        }
        scene.ask("UpdateStack", again.clone()).unwrap();
        scene.pass(60);
        assert_eq!(scene.status("s"), status, "{name}");
        let Some(rolled_back) = rolled_back else { continue };
        scene.ask("RollbackStack", json!({"StackName": "s"})).unwrap();
        scene.pass(60);
        assert_eq!(scene.status("s"), rolled_back, "{name}: it never had a state to go back to");
        let records = &scene.world.region("111122223333", "eu-west-1").cloudformation.dump()["records"];
        assert_eq!(records.as_object().unwrap().len(), 0, "{name}");
    }
}

#[test]
fn an_empty_list_of_the_query_protocol_is_empty() {
    let topic = "arn:aws:sns:eu-west-1:111122223333:t";
    let mut scene = Scene::new();
    let input = json!({"StackName": "s", "TemplateBody": QUEUES, "NotificationARNs": "", "Capabilities": "", "Tags": "", "Parameters": ""});
    scene.ask("CreateStack", input).unwrap();
    scene.pass(12);
    let stack = scene.stack("s");
    for member in ["NotificationARNs", "Capabilities", "Tags"] {
        assert_eq!(stack[member], json!([]), "{member} of a creation");
    }
    let update = |topics: Value| json!({"StackName": "s", "UsePreviousTemplate": "true", "NotificationARNs": topics});
    scene.ask("UpdateStack", update(json!([topic]))).unwrap();
    scene.pass(12);
    assert_eq!(scene.stack("s")["NotificationARNs"], json!([topic]));
    scene.ask("UpdateStack", update(json!(""))).unwrap();
    scene.pass(12);
    assert_eq!(scene.stack("s")["NotificationARNs"], json!([]), "an update takes the last one away");
    let all = scene.ask("ListStacks", json!({"StackStatusFilter": ""})).unwrap();
    assert_eq!(all["StackSummaries"].as_array().unwrap().len(), 1, "an empty filter hides nothing");
    scene.fail_next("Second", "in use");
    scene.ask("DeleteStack", json!({"StackName": "s", "RetainResources": ""})).unwrap();
    scene.pass(12);
    assert_eq!(scene.status("s"), "DELETE_FAILED");
    scene.ask("DeleteStack", json!({"StackName": "s", "RetainResources": ""})).unwrap();
    scene.pass(12);
    assert_eq!(scene.ask("DescribeStacks", json!({})).unwrap()["Stacks"], json!([]));
}

#[test]
fn a_template_is_read_from_s3_with_the_callers_own_rights() {
    let put = |scene: &mut Scene, path: &str, body: &'static str| {
        let request = http::Request::put(path).body(bytes::Bytes::from_static(body.as_bytes())).unwrap();
        let response = crate::aws::s3::handle(&mut scene.world, &scene.caller, "eu-west-1", &request);
        assert!(response.status().is_success(), "{response:?}");
    };
    let location =
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    let url =
        |key: &str| json!({"StackName": "s", "TemplateURL": format!("https://b-1.s3.eu-west-1.amazonaws.com/{key}")});
    let mut scene = Scene::new();
    let help = "\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html";
    let no_bucket = format!("ValidationError: S3 error: The specified bucket does not exist{help}");
    assert_eq!(scene.refusal("CreateStack", url("t.yaml")), no_bucket);
    put(&mut scene, "/b-1", location);
    let no_key = format!("ValidationError: S3 error: The specified key does not exist.{help}");
    assert_eq!(scene.refusal("CreateStack", url("t.yaml")), no_key);
    put(&mut scene, "/b-1/t.yaml", "Resources: {Q: {Type: 'AWS::SQS::Queue'}}");
    scene.ask("CreateStack", url("t.yaml")).unwrap();
    scene.pass(12);
    assert_eq!(scene.status("s"), "CREATE_COMPLETE");
    let other = json!({"StackName": "t", "TemplateURL": "https://example.com/t.yaml"});
    assert_eq!(scene.refusal("CreateStack", other), "ValidationError: TemplateURL must be a supported URL.");
}

#[test]
fn a_bucket_has_what_the_template_says_and_is_not_deleted_while_it_holds_something() {
    let template = r#"
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      BucketEncryption:
        ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]
      PublicAccessBlockConfiguration:
        {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
      LifecycleConfiguration: {Rules: [{Id: old, Status: Enabled, NoncurrentVersionExpiration: {NoncurrentDays: 30}}]}
      Tags: [{Key: team, Value: a}]
Outputs: {Name: {Value: !Ref Bucket}}
"#;
    let mut scene = Scene::new();
    scene.create(template);
    scene.pass(12);
    let stack = scene.stack("s");
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{:?}", scene.history("s"));
    let bucket = stack["Outputs"][0]["OutputValue"].as_str().unwrap().to_owned();
    let mut http = |method: &str, path: String| {
        let request = http::Request::builder().method(method).uri(path).body(bytes::Bytes::from_static(b"x")).unwrap();
        let response = crate::aws::s3::handle(&mut scene.world, &scene.caller, "eu-west-1", &request);
        String::from_utf8(response.into_body().to_vec()).unwrap()
    };
    for (setting, text) in
        [("versioning", "Enabled"), ("encryption", "AES256"), ("lifecycle", "<NoncurrentDays>30<"), ("tagging", "team")]
    {
        let reply = http("GET", format!("/{bucket}?{setting}"));
        assert!(reply.contains(text), "{setting}: {reply}");
    }
    http("PUT", format!("/{bucket}/model"));
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(12);
    assert_eq!(scene.status("s"), "DELETE_FAILED");
    let history = scene.history("s");
    let refused =
        "Bucket DELETE_FAILED (Resource handler returned message: \"The bucket you tried to delete is not empty";
    assert!(history.iter().any(|line| line.contains(refused)), "{history:?}");
}

/// What runs on an event: a role of the stack's own, a function, and a queue with the policy that lets the rule use it.
const FUNCTION: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}
  Function:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.13, Handler: index.handler, Role: !GetAtt Role.Arn, Code: {ZipFile: 'x = 1'}}
  Undelivered: {Type: 'AWS::SQS::Queue'}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.sagemaker]}
      Targets:
        - Id: function
          Arn: !GetAtt Function.Arn
          RetryPolicy: {MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 60}
          DeadLetterConfig: {Arn: !GetAtt Undelivered.Arn}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Undelivered]
      PolicyDocument:
        Statement: {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: 'sqs:SendMessage', Resource: '*'}
"#;

fn create_function(scene: &mut Scene, template: &str) {
    let input = json!({"StackName": "s", "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"]});
    scene.ask("CreateStack", input).unwrap();
}

#[test]
fn a_function_is_made_once_lambda_knows_the_role_of_the_same_stack() {
    let mut scene = Scene::new();
    scene.world.settings.iam_propagation = Duration::from_secs(60);
    create_function(&mut scene, FUNCTION);
    scene.pass(60);
    assert_eq!(scene.status("s"), "CREATE_IN_PROGRESS");
    scene.pass(20);
    assert_eq!(scene.status("s"), "CREATE_COMPLETE");
}

#[test]
fn a_rule_sends_what_it_cannot_deliver_to_a_queue_that_is_there_and_lets_it() {
    let cases = [
        ("Undelivered.Arn}", "Role.Arn}", "Rule CREATE_FAILED", "is not the ARN of an SQS queue"),
        (
            "Attempts: 3",
            "Attempts: 186",
            "Rule CREATE_FAILED",
            "'retryPolicy.MaximumRetryAttempts' must be from 0 to 185",
        ),
        ("InSeconds: 60", "InSeconds: 59", "Rule CREATE_FAILED", "must be from 60 to 86400"),
        ("[!Ref Undelivered]", "['https://sqs/1/none']", "Policy CREATE_FAILED", "does not exist: https://sqs/1/none"),
    ];
    for (good, bad, event, reason) in cases {
        let mut scene = Scene::new();
        create_function(&mut scene, &FUNCTION.replace(good, bad));
        scene.pass(60);
        let history = scene.history("s");
        assert!(history.iter().any(|line| line.contains(event) && line.contains(reason)), "{history:?}");
        assert_eq!(scene.status("s"), "ROLLBACK_COMPLETE", "{bad}");
    }
}
