//! Change sets through the operations alone: what is told before, and what comes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::tests::{QUEUES, Scene};

/// A queue, a queue that refers to it, a log group of a parameter's name, and a group that is gone after an update.
const FOUR: &str = r#"
Parameters:
  Name: {Type: String, Default: one}
  Seconds: {Type: Number, Default: 60}
Resources:
  First: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref Name, VisibilityTimeout: !Ref Seconds}}
  Second: {Type: 'AWS::SQS::Queue', Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt First.Arn}}}
  Third: {Type: 'AWS::Logs::LogGroup', Properties: {RetentionInDays: 7}}
  Fourth: {Type: 'AWS::Logs::LogGroup', DeletionPolicy: Retain}
"#;

impl Scene {
    fn propose(&mut self, name: &str, kind: &str, more: Value) -> Result<Value, String> {
        let mut input = json!({"StackName": "s", "ChangeSetName": name, "ChangeSetType": kind});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask("CreateChangeSet", input).map_err(|refusal| refusal.to_string())
    }

    fn proposed(&mut self, name: &str) -> Value {
        self.ask("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": name})).unwrap()
    }

    /// Status, execution status and reason.
    fn standing(&mut self, name: &str) -> String {
        let set = self.proposed(name);
        let text = |member: &str| set[member].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("Status"), text("ExecutionStatus"), text("StatusReason")).trim().to_owned()
    }

    fn execute(&mut self, name: &str) -> Result<Value, String> {
        let input = json!({"StackName": "s", "ChangeSetName": name});
        self.ask("ExecuteChangeSet", input).map_err(|refusal| refusal.to_string())
    }
}

/// `Action LogicalId Replacement`, each with its details.
fn told(set: &Value) -> Vec<String> {
    let changes = set["Changes"].as_array().unwrap().iter().map(|change| &change["ResourceChange"]);
    changes
        .map(|change| {
            let mut line =
                format!("{} {}", change["Action"].as_str().unwrap(), change["LogicalResourceId"].as_str().unwrap());
            for member in ["Replacement", "PolicyAction"] {
                line += &change[member].as_str().map(|text| format!(" {text}")).unwrap_or_default();
            }
            for detail in change["Details"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
                line += &format!(
                    " [{} {} {} {} {}]",
                    text(&detail["Target"]["Name"]),
                    text(&detail["Target"]["RequiresRecreation"]),
                    text(&detail["Evaluation"]),
                    text(&detail["ChangeSource"]),
                    text(&detail["CausingEntity"])
                );
            }
            line
        })
        .collect()
}

#[test]
fn a_change_set_creates_a_stack_that_is_under_review_until_then() {
    let mut scene = Scene::new();
    let made = scene.propose("c", "CREATE", json!({"TemplateBody": FOUR, "Description": "d"})).unwrap();
    assert!(made["Id"].as_str().unwrap().contains(":changeSet/c/"), "{made}");
    assert_eq!(scene.history("s"), ["0 s REVIEW_IN_PROGRESS (User Initiated)"]);
    assert_eq!(scene.standing("c"), "CREATE_IN_PROGRESS UNAVAILABLE");
    let early = scene.execute("c").unwrap_err();
    assert!(
        early.starts_with("InvalidChangeSetStatus: ChangeSet [arn:")
            && early.ends_with("cannot be executed in its current status of [CREATE_IN_PROGRESS]"),
        "{early}"
    );
    scene.pass(1);
    assert_eq!(scene.standing("c"), "CREATE_COMPLETE AVAILABLE");
    let set = scene.ask("DescribeChangeSet", json!({"ChangeSetName": made["Id"]})).unwrap();
    assert_eq!(told(&set), ["Add First", "Add Fourth", "Add Second", "Add Third"]);
    assert_eq!((&set["Description"], &set["Parameters"][0]["ParameterValue"]), (&json!("d"), &json!("one")));
    assert_eq!(
        scene.refusal("UpdateStack", json!({"StackName": "s", "TemplateBody": FOUR})),
        format!(
            "ValidationError: Stack:{} is in REVIEW_IN_PROGRESS state and can not be updated.",
            made["StackId"].as_str().unwrap()
        )
    );
    scene.execute("c").unwrap();
    assert_eq!(scene.standing("c"), "CREATE_COMPLETE EXECUTE_IN_PROGRESS");
    scene.pass(12);
    assert_eq!(
        (scene.status("s").as_str(), scene.standing("c").as_str()),
        ("CREATE_COMPLETE", "CREATE_COMPLETE EXECUTE_COMPLETE")
    );
    assert_eq!(scene.stack("s")["ChangeSetId"], made["Id"]);
    let again = scene.execute("c").unwrap_err();
    assert!(again.ends_with("cannot be executed in its current execution status of [EXECUTE_COMPLETE]"), "{again}");
    assert_eq!(scene.ask("ListChangeSets", json!({"StackName": "s"})).unwrap()["Summaries"], json!([]));
}

#[test]
fn an_update_is_told_by_resource_before_it_happens() {
    let change = |from: &str, to: &str| json!({"TemplateBody": FOUR.replace(from, to)});
    let fourth = "  Fourth: {Type: 'AWS::Logs::LogGroup', DeletionPolicy: Retain}\n";
    let cases: [(&str, Value, &[&str]); 7] = [
        (
            "a property is written otherwise",
            change("Days: 7", "Days: 14"),
            &["Modify Third False [RetentionInDays Never Static DirectModification -]"],
        ),
        (
            "a parameter changes",
            json!({"UsePreviousTemplate": "true", "Parameters": [{"ParameterKey": "Seconds", "ParameterValue": "90"}]}),
            &["Modify First False [VisibilityTimeout Never Static ParameterReference Seconds]"],
        ),
        (
            "a name replaces a queue, and what refers to it may change",
            json!({"UsePreviousTemplate": "true", "Parameters": [{"ParameterKey": "Name", "ParameterValue": "two"}]}),
            &[
                "Modify First True [QueueName Always Static ParameterReference Name]",
                "Modify Second False [RedrivePolicy Never Dynamic ResourceAttribute First.Arn]",
            ],
        ),
        ("a resource is no longer declared", change(fourth, ""), &["Remove Fourth Retain"]),
        (
            "a resource is new",
            change(fourth, &format!("{fourth}  Fifth: {{Type: 'AWS::SQS::Queue'}}\n")),
            &["Add Fifth"],
        ),
        (
            "the name may come of what is new",
            change(
                fourth,
                &format!("{fourth}  Fifth: {{Type: 'AWS::SQS::Queue'}}\n")
                    .replace("LogGroup',", "LogGroup', Properties: {LogGroupName: !GetAtt Fifth.QueueName},"),
            ),
            &["Add Fifth", "Modify Fourth Conditional [LogGroupName Conditionally Dynamic DirectModification -]"],
        ),
        (
            "a tag of the stack goes to those that take tags",
            json!({"UsePreviousTemplate": "true", "Tags": [{"Key": "a", "Value": "b"}]}),
            &[
                "Modify First False [- Never Static - -]",
                "Modify Fourth False [- Never Static - -]",
                "Modify Second False [- Never Static - -]",
                "Modify Third False [- Never Static - -]",
            ],
        ),
    ];
    for (name, input, expected) in cases {
        let mut scene = Scene::new();
        scene.create(FOUR);
        scene.pass(12);
        scene.propose("c", "UPDATE", input).expect(name);
        scene.pass(1);
        assert_eq!(told(&scene.proposed("c")), expected, "{name}");
        assert_eq!(scene.status("s"), "CREATE_COMPLETE", "{name}: nothing has happened");
        scene.execute("c").expect(name);
        scene.pass(24);
        assert_eq!(scene.status("s"), "UPDATE_COMPLETE", "{name}");
        let happened = scene.history("s").join("\n");
        for line in expected {
            let id = line.split(' ').nth(1).unwrap();
            let touched = [format!("{id} UPDATE_"), format!("{id} CREATE_COMPLETE"), format!("{id} DELETE_SKIPPED")];
            assert!(touched.iter().any(|event| happened.contains(event.as_str())), "{name}: {id} in {happened}");
        }
    }
}

#[test]
fn a_change_set_without_changes_fails_and_can_be_deleted() {
    let mut scene = Scene::new();
    scene.create(QUEUES);
    scene.pass(12);
    scene.propose("c", "UPDATE", json!({"TemplateBody": QUEUES})).unwrap();
    scene.pass(1);
    assert_eq!(
        scene.standing("c"),
        "FAILED UNAVAILABLE The submitted information didn't contain changes. Submit different information to create a change set."
    );
    let refused = scene.execute("c").unwrap_err();
    assert!(refused.ends_with("cannot be executed in its current status of [FAILED]"), "{refused}");
    let named = json!({"StackName": "s", "ChangeSetName": "c"});
    for _ in 0..2 {
        scene.ask("DeleteChangeSet", named.clone()).expect("deleting one that is not there is no error");
    }
    assert_eq!(scene.refusal("DescribeChangeSet", named), "ChangeSetNotFound: ChangeSet [c] does not exist");
}

#[test]
fn what_has_been_worked_out_is_obsolete_after_another_update_and_gone_after_another_execution() {
    let seconds = |value: &str| json!({"UsePreviousTemplate": "true", "Parameters": [{"ParameterKey": "Seconds", "ParameterValue": value}]});
    let mut scene = Scene::new();
    scene.create(QUEUES);
    scene.pass(12);
    for (name, value) in [("a", "70"), ("b", "80")] {
        scene.propose(name, "UPDATE", seconds(value)).unwrap();
    }
    scene.pass(1);
    scene.execute("a").unwrap();
    let gone = scene.execute("b").unwrap_err();
    assert_eq!(gone, "ChangeSetNotFound: ChangeSet [b] does not exist");
    let busy = scene.refusal("DeleteChangeSet", json!({"StackName": "s", "ChangeSetName": "a"}));
    assert!(busy.starts_with("InvalidChangeSetStatus: "), "{busy}");
    scene.pass(12);
    scene.propose("a", "UPDATE", seconds("90")).expect("an executed one leaves its name");
    let mut direct = seconds("95");
    direct["StackName"] = json!("s");
    scene.ask("UpdateStack", direct).unwrap();
    scene.pass(12);
    let late = scene.execute("a").unwrap_err();
    assert!(late.ends_with("cannot be executed in its current execution status of [OBSOLETE]"), "{late}");
}

#[test]
fn on_stack_failure_and_disable_rollback_say_what_follows_a_failed_execution() {
    let cases = [
        ("nothing said", json!({}), json!({}), "ROLLBACK_COMPLETE"),
        ("the change set keeps what there is", json!({"OnStackFailure": "DO_NOTHING"}), json!({}), "CREATE_FAILED"),
        ("the execution does", json!({}), json!({"DisableRollback": "true"}), "CREATE_FAILED"),
        ("the stack goes", json!({"OnStackFailure": "DELETE"}), json!({}), "DELETE_COMPLETE"),
    ];
    for (name, proposal, execution, status) in cases {
        let mut scene = Scene::new();
        let mut input = json!({"TemplateBody": QUEUES});
        input.as_object_mut().unwrap().extend(proposal.as_object().unwrap().clone());
        let id = scene.propose("c", "CREATE", input).unwrap()["StackId"].as_str().unwrap().to_owned();
        scene.pass(1);
        scene.fail_next("First", "no");
        let mut input = json!({"StackName": "s", "ChangeSetName": "c"});
        input.as_object_mut().unwrap().extend(execution.as_object().unwrap().clone());
        scene.ask("ExecuteChangeSet", input).unwrap();
        scene.pass(60);
        assert_eq!(scene.status(&id), status, "{name}");
        if status != "DELETE_COMPLETE" {
            assert_eq!(scene.standing("c"), "CREATE_COMPLETE EXECUTE_FAILED", "{name}");
        }
    }
}

#[test]
fn what_a_change_set_cannot_be_is_refused_at_once() {
    let cases: [(&str, &str, &str, Value, &str); 9] = [
        (
            "an update of nothing",
            "none",
            "UPDATE",
            json!({"TemplateBody": QUEUES, "StackName": "none"}),
            "ValidationError: Stack [none] does not exist",
        ),
        (
            "a creation of what is there",
            "c",
            "CREATE",
            json!({"TemplateBody": QUEUES}),
            "ValidationError: Stack [s] already exists and cannot be created again with the changeSet [c].",
        ),
        (
            "a bad name",
            "1",
            "UPDATE",
            json!({"TemplateBody": QUEUES}),
            "ValidationError: 1 validation error detected: Value '1' at 'changeSetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        ),
        (
            "an import",
            "c",
            "IMPORT",
            json!({"TemplateBody": QUEUES}),
            "ValidationError: ChangeSetType IMPORT is not known here",
        ),
        (
            "a template that is none",
            "c",
            "UPDATE",
            json!({"TemplateBody": "Resources: {}"}),
            "ValidationError: Template format error: At least one Resources member must be defined.",
        ),
        (
            "another type",
            "c",
            "UPDATE",
            json!({"TemplateBody": QUEUES.replace("AWS::Logs::LogGroup', Properties: {LogGroupName: !Sub '/${AWS::StackName}', RetentionInDays: !Ref Seconds", "AWS::SQS::Queue', Properties: {VisibilityTimeout: !Ref Seconds")}),
            "ValidationError: Update of resource type is not permitted. The new template modifies resource type of the following resources: [Third]",
        ),
        (
            "a name that is taken, with another template",
            "taken",
            "UPDATE",
            json!({"TemplateBody": FOUR}),
            "AlreadyExistsException: ChangeSet taken cannot be created due to a mismatch with existing attribute Template",
        ),
        (
            "a name that is taken, with another token",
            "taken",
            "UPDATE",
            json!({"TemplateBody": QUEUES, "ClientToken": "t"}),
            "AlreadyExistsException: ChangeSet taken cannot be created due to a mismatch with existing attribute ClientToken",
        ),
        (
            "an option not known here",
            "c",
            "UPDATE",
            json!({"TemplateBody": QUEUES, "ImportExistingResources": "true"}),
            "ValidationError: ImportExistingResources is not known here",
        ),
    ];
    for (name, set, kind, more, refusal) in cases {
        let mut scene = Scene::new();
        scene.create(QUEUES);
        scene.pass(12);
        let first = scene.propose("taken", "UPDATE", json!({"TemplateBody": QUEUES})).unwrap();
        assert_eq!(
            scene.propose("taken", "UPDATE", json!({"TemplateBody": QUEUES})).unwrap(),
            first,
            "the same again is the same"
        );
        assert_eq!(scene.propose(set, kind, more).expect_err(name), refusal, "{name}");
    }
}

#[test]
fn a_stack_under_review_is_deleted_and_its_template_is_that_of_the_change_set() {
    let mut scene = Scene::new();
    let id =
        scene.propose("c", "CREATE", json!({"TemplateBody": QUEUES})).unwrap()["StackId"].as_str().unwrap().to_owned();
    let template = scene.ask("GetTemplate", json!({"StackName": "s", "ChangeSetName": "c"})).unwrap();
    assert_eq!(template["TemplateBody"], json!(QUEUES));
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    scene.pass(12);
    assert_eq!(scene.status(&id), "DELETE_COMPLETE");
    assert_eq!(
        scene.refusal("DescribeChangeSet", json!({"StackName": "s", "ChangeSetName": "c"})),
        "ValidationError: Stack [s] does not exist"
    );
}
