//! Exports and imports through the operations alone: who may have what, and what follows for both stacks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::tests::Scene;

const GIVES: &str = r#"
Parameters: {Name: {Type: String, Default: one}}
Resources:
  Queue: {Type: 'AWS::SQS::Queue', Properties: {QueueName: !Ref Name}}
Outputs:
  Arn: {Value: !GetAtt Queue.Arn, Export: {Name: !Sub '${AWS::StackName}-queue'}}
  Free: {Value: nobody, Export: {Name: free}}
"#;

const TAKES: &str = r#"
Parameters: {From: {Type: String, Default: gives}, Where: {Type: String, Default: there}}
Conditions: {There: !Equals [!Ref Where, there]}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: !If [There, {deadLetterTargetArn: !ImportValue {'Fn::Sub': '${From}-queue'}}, !Ref AWS::NoValue]
"#;

impl Scene {
    fn stand_up(&mut self, name: &str, template: &str) -> String {
        self.ask("CreateStack", json!({"StackName": name, "TemplateBody": template})).unwrap();
        self.pass(30);
        self.status(name)
    }

    fn change(&mut self, name: &str, template: &str, parameters: Value) -> (String, String) {
        let input = json!({"StackName": name, "TemplateBody": template, "Parameters": parameters});
        self.ask("UpdateStack", input).unwrap();
        self.pass(60);
        (self.status(name), self.history(name).join("\n"))
    }

    fn exports(&mut self) -> Vec<String> {
        let reply = self.ask("ListExports", json!({})).unwrap();
        let text = |value: &Value| value.as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        let all = reply["Exports"].as_array().unwrap().iter();
        all.map(|export| format!("{} = {}", text(&export["Name"]), text(&export["Value"]))).collect()
    }
}

fn parameter(key: &str, value: &str) -> Value {
    json!([{"ParameterKey": key, "ParameterValue": value}])
}

#[test]
fn a_stack_uses_what_another_exports_and_that_then_stays_as_it_is() {
    let mut scene = Scene::new();
    assert_eq!(scene.stand_up("gives", GIVES), "CREATE_COMPLETE");
    assert_eq!(scene.exports(), ["free = nobody", "gives-queue = one"]);
    let imports = |name: &str| json!({"ExportName": name});
    let nobody = "ValidationError: Export 'gives-queue' is not imported by any stack.";
    assert_eq!(scene.refusal("ListImports", imports("gives-queue")), nobody);
    assert_eq!(scene.stand_up("takes", TAKES), "CREATE_COMPLETE");
    assert_eq!(scene.ask("ListImports", imports("gives-queue")).unwrap()["Imports"], json!(["takes"]));
    let queue = scene.history("takes").join("\n");
    assert!(queue.contains("Queue CREATE_COMPLETE"), "{queue}");

    scene.ask("DeleteStack", json!({"StackName": "gives"})).expect("the call itself is taken");
    scene.pass(30);
    let stack = scene.stack("gives");
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "it stays as it was");
    assert_eq!(stack["StackStatusReason"], "Export gives-queue cannot be deleted as it is in use by takes");

    let cases = [
        ("another value", GIVES.to_owned(), "two", "Export gives-queue cannot be updated as it is in use by takes"),
        (
            "no export",
            GIVES.replace(", Export: {Name: !Sub '${AWS::StackName}-queue'}", ""),
            "one",
            "Export gives-queue cannot be deleted as it is in use by takes",
        ),
    ];
    for (name, template, value, reason) in cases {
        let (status, history) = scene.change("gives", &template, parameter("Name", value));
        assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE", "{name}");
        assert!(history.contains(&format!("gives UPDATE_ROLLBACK_IN_PROGRESS ({reason})")), "{name}: {history}");
        assert_eq!(scene.exports(), ["free = nobody", "gives-queue = one"], "{name}");
    }
    let unused = GIVES.replace("  Free: {Value: nobody, Export: {Name: free}}\n", "");
    assert_eq!(scene.change("gives", &unused, json!([])).0, "UPDATE_COMPLETE", "what nobody imports may go");

    assert_eq!(scene.change("takes", TAKES, parameter("Where", "elsewhere")).0, "UPDATE_COMPLETE");
    assert_eq!(
        scene.refusal("ListImports", imports("gives-queue")),
        nobody,
        "a branch that is not taken imports nothing"
    );
    scene.ask("DeleteStack", json!({"StackName": "gives"})).unwrap();
    scene.pass(30);
    assert!(scene.exports().is_empty());
}

#[test]
fn what_nobody_exports_fails_a_stack_before_its_first_resource() {
    let mut scene = Scene::new();
    assert_eq!(scene.stand_up("takes", TAKES), "ROLLBACK_COMPLETE");
    assert_eq!(
        scene.history("takes"),
        [
            "0 takes CREATE_IN_PROGRESS (User Initiated)",
            "12 takes ROLLBACK_IN_PROGRESS (No export named gives-queue found. Rollback requested by user.)",
            "24 takes ROLLBACK_COMPLETE",
        ]
    );
    let mut scene = Scene::new();
    scene.stand_up("gives", GIVES);
    scene.stand_up("takes", TAKES);
    let (status, history) = scene.change("takes", TAKES, parameter("From", "others"));
    assert_eq!(status, "UPDATE_ROLLBACK_COMPLETE");
    assert!(history.contains("takes UPDATE_ROLLBACK_IN_PROGRESS (No export named others-queue found)"), "{history}");
    assert!(!history.contains("Queue UPDATE_"), "{history}");
}

#[test]
fn a_region_has_each_export_but_once() {
    let mut scene = Scene::new();
    scene.stand_up("gives", GIVES);
    assert_eq!(scene.stand_up("again", &GIVES.replace("Default: one", "Default: other")), "ROLLBACK_COMPLETE");
    let history = scene.history("again").join("\n");
    let reason = "Export with name free is already exported by stack gives. Rollback requested by user.";
    assert!(history.contains(reason), "{history}");
}

#[test]
fn names_of_exports_do_not_depend_on_what_is_yet_to_be_made() {
    let argument = "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs";
    let export = "Template format error: Output O is malformed.  The Name field of Export must not depend on any resources, imported values, or Fn::GetAZs.";
    let queue = "Resources:\n  Q: {Type: 'AWS::SQS::Queue'}\n";
    let cases = [
        (
            "an import by a resource's name",
            format!("{queue}  R: {{Type: 'AWS::SQS::Queue', Properties: {{QueueName: !ImportValue {{Ref: Q}}}}}}\n"),
            argument,
        ),
        (
            "an import by what is imported",
            format!("{queue}Outputs: {{O: {{Value: !ImportValue {{'Fn::ImportValue': x}}}}}}\n"),
            argument,
        ),
        (
            "an export named for a resource",
            format!("{queue}Outputs: {{O: {{Value: x, Export: {{Name: !Ref Q}}}}}}\n"),
            export,
        ),
        (
            "an export named for an import",
            format!("{queue}Outputs: {{O: {{Value: x, Export: {{Name: !ImportValue x}}}}}}\n"),
            export,
        ),
    ];
    for (name, template, sentence) in cases {
        let refusal = Scene::new().refusal("CreateStack", json!({"StackName": "s", "TemplateBody": template}));
        assert_eq!(refusal, format!("ValidationError: {sentence}"), "{name}");
    }
}
