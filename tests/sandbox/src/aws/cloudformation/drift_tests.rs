//! Drift through the operations alone: what a hand does to things of a stack, and what is told of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::tests::Scene;
use crate::aws::{Call, Outcome, codebuild, events, iam, lambda, sagemaker};
use crate::world::World;

const THINGS: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument:
        {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: [lambda.amazonaws.com, codebuild.amazonaws.com]}, Action: 'sts:AssumeRole'}]}
      Policies: [{PolicyName: p, PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'logs:*', Resource: '*'}]}}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      {FunctionName: f, Runtime: python3.13, Handler: index.handler, Role: !GetAtt Role.Arn, Timeout: '10', Code: {ZipFile: 'x = 1'}, Environment: {Variables: {A: b}}}
  Rule: {Type: 'AWS::Events::Rule', Properties: {Name: e, EventPattern: {source: [aws.sagemaker]}, Targets: [{Id: '1', Arn: !GetAtt Function.Arn}]}}
  Group: {Type: 'AWS::SageMaker::ModelPackageGroup', Properties: {ModelPackageGroupName: g, Tags: [{Key: a, Value: b}]}}
  Project:
    Type: AWS::CodeBuild::Project
    Properties:
      Name: build
      ServiceRole: !GetAtt Role.Arn
      Source: {Type: NO_SOURCE, BuildSpec: 'version: 0.2'}
      Artifacts: {Type: NO_ARTIFACTS}
      Environment:
        {Type: LINUX_CONTAINER, ComputeType: BUILD_GENERAL1_SMALL, Image: 'aws/codebuild/standard:7.0', EnvironmentVariables: [{Name: A, Value: b}]}
      TimeoutInMinutes: 20
  Queue: {Type: 'AWS::SQS::Queue'}
"#;

type Service = fn(&mut World, &Call<'_>) -> Outcome;

impl Scene {
    fn hand(&mut self, service: Service, operation: &str, input: Value) {
        let call = Call { operation, input: &input, caller: &self.caller, region: "eu-west-1" };
        service(&mut self.world, &call).unwrap();
    }

    fn with_things() -> Self {
        let mut scene = Self::new();
        let input = json!({"StackName": "s", "TemplateBody": THINGS, "Capabilities": ["CAPABILITY_NAMED_IAM"]});
        scene.ask("CreateStack", input).unwrap();
        scene.pass(30);
        assert_eq!(scene.status("s"), "CREATE_COMPLETE", "{:?}", scene.history("s"));
        scene
    }

    /// The verdict, and `LogicalId STATUS path DIFFERENCE expected actual` of what is not in sync.
    fn drift(&mut self, only: Value) -> (String, Vec<String>) {
        let id = self.ask("DetectStackDrift", json!({"StackName": "s", "LogicalResourceIds": only})).unwrap();
        let id = json!({"StackDriftDetectionId": id["StackDriftDetectionId"]});
        let early = self.ask("DescribeStackDriftDetectionStatus", id.clone()).unwrap();
        assert_eq!((&early["DetectionStatus"], early.get("StackDriftStatus")), (&json!("DETECTION_IN_PROGRESS"), None));
        self.pass(1);
        let end = self.ask("DescribeStackDriftDetectionStatus", id).unwrap();
        assert_eq!(end["DetectionStatus"], "DETECTION_COMPLETE", "{end}");
        let filters = json!({"StackName": "s", "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]});
        let found = self.ask("DescribeStackResourceDrifts", filters).unwrap();
        let mut lines = Vec::new();
        for one in found["StackResourceDrifts"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let start = format!("{} {}", text(&one["LogicalResourceId"]), text(&one["StackResourceDriftStatus"]));
            let differences = one["PropertyDifferences"].as_array().cloned().unwrap_or_default();
            if differences.is_empty() {
                lines.push(start.clone());
            }
            for difference in differences {
                let members = ["PropertyPath", "DifferenceType", "ExpectedValue", "ActualValue"];
                lines.push(format!("{start} {}", members.map(|member| text(&difference[member])).join(" ")));
            }
        }
        (end["StackDriftStatus"].as_str().unwrap().to_owned(), lines)
    }
}

#[test]
fn what_a_hand_changes_is_told_by_property() {
    type Act = fn(&mut Scene);
    let cases: [(&str, Act, &[&str]); 9] = [
        ("nothing", |_| {}, &[]),
        (
            "a number",
            |scene| {
                scene.hand(lambda::call, "UpdateFunctionConfiguration", json!({"FunctionName": "f", "Timeout": 20}))
            },
            &["Function MODIFIED /Timeout NOT_EQUAL 10 20"],
        ),
        (
            "a variable",
            |scene| {
                let input = json!({"FunctionName": "f", "Environment": {"Variables": {"A": "c"}}});
                scene.hand(lambda::call, "UpdateFunctionConfiguration", input);
            },
            &["Function MODIFIED /Environment/Variables/A NOT_EQUAL b c"],
        ),
        (
            "what the template does not declare",
            |scene| {
                scene.hand(lambda::call, "UpdateFunctionConfiguration", json!({"FunctionName": "f", "MemorySize": 512}))
            },
            &[],
        ),
        (
            "a tag",
            |scene| {
                let arn = "arn:aws:sagemaker:eu-west-1:111122223333:model-package-group/g";
                scene.hand(
                    sagemaker::call,
                    "AddTags",
                    json!({"ResourceArn": arn, "Tags": [{"Key": "x", "Value": "y"}]}),
                );
            },
            &["Group MODIFIED /Tags/1 ADD null {\"Key\":\"x\",\"Value\":\"y\"}"],
        ),
        (
            "a policy",
            |scene| scene.hand(iam::call, "DeleteRolePolicy", json!({"RoleName": "r", "PolicyName": "p"})),
            &[
                "Role MODIFIED /Policies/0 REMOVE {\"PolicyDocument\":{\"Statement\":[{\"Action\":\"logs:*\",\"Effect\":\"Allow\",\"Resource\":\"*\"}],\"Version\":\"2012-10-17\"},\"PolicyName\":\"p\"} null",
            ],
        ),
        (
            "a pattern",
            |scene| {
                scene.hand(events::call, "PutRule", json!({"Name": "e", "EventPattern": "{\"source\":[\"aws.s3\"]}"}))
            },
            &[
                "Rule MODIFIED /EventPattern/source/0 REMOVE aws.sagemaker null",
                "Rule MODIFIED /EventPattern/source/0 ADD null aws.s3",
            ],
        ),
        (
            "a build's time",
            |scene| scene.hand(codebuild::call, "UpdateProject", json!({"name": "build", "timeoutInMinutes": 30})),
            &["Project MODIFIED /TimeoutInMinutes NOT_EQUAL 20 30"],
        ),
        (
            "the whole thing",
            |scene| scene.hand(sagemaker::call, "DeleteModelPackageGroup", json!({"ModelPackageGroupName": "g"})),
            &["Group DELETED"],
        ),
    ];
    for (name, act, expected) in cases {
        let mut scene = Scene::with_things();
        act(&mut scene);
        let (verdict, lines) = scene.drift(json!(""));
        assert_eq!(lines, expected, "{name}");
        assert_eq!(verdict, if expected.is_empty() { "IN_SYNC" } else { "DRIFTED" }, "{name}");
        assert_eq!(scene.stack("s")["DriftInformation"]["StackDriftStatus"], verdict.as_str(), "{name}");
    }
}

#[test]
fn only_what_was_checked_is_told_and_the_rest_is_not_checked() {
    let mut scene = Scene::with_things();
    assert_eq!(scene.stack("s")["DriftInformation"], json!({"StackDriftStatus": "NOT_CHECKED"}));
    scene.hand(sagemaker::call, "DeleteModelPackageGroup", json!({"ModelPackageGroupName": "g"}));
    assert_eq!(scene.drift(json!(["Role"])), ("IN_SYNC".to_owned(), Vec::new()));
    let of = |scene: &mut Scene, name: &str| {
        let input = json!({"StackName": "s", "LogicalResourceId": name});
        let detail = scene.ask("DescribeStackResource", input).unwrap()["StackResourceDetail"].clone();
        detail["DriftInformation"]["StackResourceDriftStatus"].as_str().unwrap().to_owned()
    };
    assert_eq!((of(&mut scene, "Role").as_str(), of(&mut scene, "Group").as_str()), ("IN_SYNC", "NOT_CHECKED"));
    assert_eq!(scene.drift(json!([])).0, "DRIFTED");
    assert_eq!((of(&mut scene, "Group").as_str(), of(&mut scene, "Queue").as_str()), ("DELETED", "NOT_CHECKED"));
    let all = scene.ask("DescribeStackResourceDrifts", json!({"StackName": "s"})).unwrap();
    let all = all["StackResourceDrifts"].as_array().unwrap();
    let names: Vec<&str> = all.iter().map(|one| one["LogicalResourceId"].as_str().unwrap()).collect();
    assert_eq!(names, ["Function", "Group", "Project", "Role", "Rule"], "a queue cannot be read back here");
    let page = json!({"StackName": "s", "MaxResults": "3"});
    let page = scene.ask("DescribeStackResourceDrifts", page).unwrap();
    assert_eq!((page["StackResourceDrifts"].as_array().unwrap().len(), &page["NextToken"]), (3, &json!("3")));
}

#[test]
fn a_detection_that_cannot_be_is_refused() {
    let cases = [
        ("DetectStackDrift", json!({"StackName": "none"}), "ValidationError: Stack [none] does not exist"),
        (
            "DetectStackDrift",
            json!({"StackName": "s", "LogicalResourceIds": ["X"]}),
            "ValidationError: Resource X does not exist for stack s",
        ),
        (
            "DescribeStackDriftDetectionStatus",
            json!({"StackDriftDetectionId": "x"}),
            "ValidationError: Drift detection [x] does not exist",
        ),
        ("DescribeStackResourceDrifts", json!({"StackName": "none"}), "ValidationError: Stack [none] does not exist"),
    ];
    for (operation, input, refusal) in cases {
        assert_eq!(Scene::with_things().refusal(operation, input), refusal, "{operation}");
    }
    let mut scene = Scene::with_things();
    scene.ask("DetectStackDrift", json!({"StackName": "s"})).unwrap();
    let twice = scene.refusal("DetectStackDrift", json!({"StackName": "s"}));
    assert!(twice.contains("Drift detection is already in progress"), "{twice}");
    scene.ask("DeleteStack", json!({"StackName": "s"})).unwrap();
    let busy = scene.refusal("DetectStackDrift", json!({"StackName": "s"}));
    assert!(busy.ends_with("while it is in DELETE_IN_PROGRESS"), "{busy}");
}
