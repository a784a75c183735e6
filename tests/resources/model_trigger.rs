//! The model trigger's stack against the sandbox's CloudFormation, in process: its whole life, failures of each kind,
//! and what the template makes in the other services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::project::{bare, credentials, place_in, platform, project_ref, role};
use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use mlops_operator::adapters::aws::clients::AwsFactory;
use mlops_operator::adapters::aws::model_trigger::ModelTriggerActuator;
use mlops_operator::clock::Clock;
use mlops_operator::crd::status::{Intent, Placement, Reason};
use mlops_operator::domain::external_resource::{Actuator, Attempts, Change, Decision, ExternalResource, Goal, Wait};
use mlops_operator::domain::fault::FaultKind;
use mlops_operator::domain::platform::TriggerFunction;
use mlops_operator::domain::problem::Problem;
use mlops_operator::domain::project::{ModelTriggerSettings, Project, RepositoryRole};
use mlops_operator::domain::secret::{SealedSecret, Secret};
use mlops_operator::resources::model_trigger::{ModelTrigger, SECRET_PARAMETER, template};
use mlops_sandbox::aws::Call;
use mlops_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";

fn project() -> Project {
    let place = Placement { project_name: "taxi".into(), jenkins_url: "https://ci.example".into(), ..place_in(REGION) };
    let mut project = Project {
        tags: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        model_trigger: Some(ModelTriggerSettings {
            approval_statuses: vec!["Approved".into()],
            jobs: vec![RepositoryRole::Deploy],
        }),
        ..bare(place)
    };
    let own = platform(&mut project);
    own.jenkins_credentials = credentials("robot", "t0ken-1", &"1".repeat(32));
    own.trigger = Some(TriggerFunction {
        jenkins_url: "https://ci.internal/jenkins".into(),
        log_retention_days: 30,
        ..TriggerFunction::default()
    });
    project
}

struct Scene {
    sandbox: Sandbox,
    stacks: ModelTriggerActuator,
    project: Project,
    attempts: Attempts,
}

impl Scene {
    async fn new() -> Self {
        let sandbox = Sandbox::new(Settings { stack: Duration::from_secs(90), ..Settings::default() });
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
        let base = crate::harness::aws::config(&sandbox, Clock::starting_at(sandbox.now()))
            .into_builder()
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://aws.example")
            .build();
        let project = project();
        let aws = AwsFactory::new(base).connect(&project.identity.placement, "test").await;
        Self { sandbox, stacks: ModelTriggerActuator::new(&aws), project, attempts: Attempts::default() }
    }

    /// One look and what follows from it; answers what was done or found.
    async fn reconcile(&mut self, wanted: bool) -> String {
        let id = self.project.identity.clone();
        let seen = self.stacks.observe(&id, &self.attempts).await.expect("the look succeeds");
        let goal = match wanted {
            true => Goal::Present(ModelTrigger::desired(&self.project, &project_ref("p-1"))),
            false => Goal::Absent,
        };
        match ModelTrigger::decide(&id, &goal, &seen, self.sandbox.now(), &self.attempts) {
            Decision::InSync(_) => "in sync".into(),
            Decision::Gone | Decision::GoneBut(_) => "gone".into(),
            Decision::Wait(Wait { reason, .. }) => format!("wait: {reason}"),
            Decision::Stuck(Problem { reason, message, .. }) => format!("stuck: {reason}: {message}"),
            Decision::Act(steps) => {
                for step in &steps {
                    for (resource, id) in self.stacks.act(&id, &step.action).await.expect("the act succeeds") {
                        self.attempts.intents = vec![Intent { resource, n: 0, id: Some(id) }];
                    }
                    if step.retries_failure {
                        self.attempts.failed_changes += 1;
                    }
                    if step.change == Change::Delete && step.reason == Reason::StackFailed {
                        self.attempts.failed_creations += 1;
                        self.attempts.last_failed_creation = Some(self.sandbox.now());
                    }
                }
                steps.iter().map(|step| format!("{:?}: {}", step.change, step.reason)).collect()
            }
        }
    }

    /// Reconciles until something other than waiting comes up; time jumps meanwhile.
    async fn settle(&mut self, wanted: bool) -> Vec<String> {
        let mut told: Vec<String> = Vec::new();
        for _ in 0..100 {
            let now = self.reconcile(wanted).await;
            if told.last() != Some(&now) {
                told.push(now.clone());
            }
            if now == "in sync" || now == "gone" || now.starts_with("stuck") {
                return told;
            }
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        panic!("it never settles: {told:?}");
    }

    fn fail_next(&self, logical_id: &str, reason: &str) {
        self.sandbox.world(|world| world.region(ACCOUNT, REGION).cloudformation.fail_next(logical_id, reason));
    }

    /// Asks a service of the sandbox as an administrator, past the journal.
    fn ask(
        &self,
        service: fn(&mut mlops_sandbox::World, &Call<'_>) -> mlops_sandbox::aws::Outcome,
        operation: &str,
        input: &Value,
    ) -> Value {
        self.sandbox.world(|world| {
            let caller = world.iam.caller("AKIAIOSFODNN7EXAMPLE").unwrap();
            service(world, &Call { operation, input, caller: &caller, region: REGION }).expect(operation)
        })
    }

    fn physical_id(&self, logical_id: &str) -> String {
        let name = self.project.identity.trigger_stack_name();
        let input = json!({"StackName": name, "LogicalResourceId": logical_id});
        let reply = self.ask(mlops_sandbox::aws::cloudformation::call, "DescribeStackResource", &input);
        reply["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().to_owned()
    }

    fn secret(&self) -> Value {
        let input = json!({"SecretId": self.physical_id("JenkinsCredentials")});
        let reply = self.ask(mlops_sandbox::aws::secrets_manager::call, "GetSecretValue", &input);
        serde_json::from_str(reply["SecretString"].as_str().unwrap()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn the_stack_is_made_kept_changed_and_deleted() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.settle(true).await, ["Create: Missing", "wait: Progressing", "in sync"]);
    assert_eq!(scene.secret(), json!({"user": "robot", "token": "t0ken-1"}));
    let rule = scene.ask(mlops_sandbox::aws::events::call, "DescribeRule", &json!({"Name": scene.physical_id("Rule")}));
    let pattern: Value = serde_json::from_str(rule["EventPattern"].as_str().unwrap()).unwrap();
    assert_eq!(
        pattern,
        json!({
            "source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Package State Change"],
            "detail": {
                "ModelPackageGroupName": ["taxi-p-1"], "ModelApprovalStatus": ["Approved"],
                "ModelPackageStatus": ["Completed"],
            },
        })
    );
    let input = json!({"FunctionName": scene.physical_id("Function")});
    let function = scene.ask(mlops_sandbox::aws::lambda::call, "GetFunctionConfiguration", &input);
    assert_eq!(function["Runtime"], "python3.13");
    let environment = &function["Environment"]["Variables"];
    assert_eq!(environment["JENKINS_URL"], "https://ci.internal/jenkins");
    assert_eq!(environment["JOB_PATHS"], "job/sagemaker-taxi-p-1-modeldeploy");

    let calls = scene.sandbox.calls().len();
    assert_eq!(scene.reconcile(true).await, "in sync");
    assert_eq!(scene.sandbox.calls().len(), calls + 1, "an unchanged stack costs one look");

    platform(&mut scene.project).jenkins_credentials.token =
        SealedSecret { value: Secret::new("t0ken-2"), fingerprint: "2".repeat(32) };
    assert_eq!(scene.settle(true).await, ["Update: SecretChanged", "wait: Progressing", "in sync"]);
    assert_eq!(scene.secret()["token"], "t0ken-2");

    scene.project.model_trigger.as_mut().unwrap().approval_statuses.push("Rejected".into());
    assert_eq!(scene.settle(true).await, ["Update: SpecChanged", "wait: Progressing", "in sync"]);

    assert_eq!(scene.settle(false).await, ["Delete: Deleting", "wait: Deleting", "gone"]);
    let now = scene.sandbox.now();
    let left = scene.sandbox.world(|world| {
        let region = world.region(ACCOUNT, REGION);
        [region.cloudformation.dump(), region.lambda.dump(now)["functions"].clone(), region.events.dump()]
    });
    assert_eq!(left[0], json!({"stacks": [], "records": {}}));
    assert_eq!(left[1], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_lambda_does_not_know_for_a_minute_fails_no_creation() {
    let mut scene = Scene::new().await;
    scene.sandbox.world(|world| world.settings.iam_propagation = Duration::from_secs(60));
    assert_eq!(scene.settle(true).await, ["Create: Missing", "wait: Progressing", "in sync"]);
}

#[tokio::test(start_paused = true)]
async fn events_that_reach_no_function_go_to_the_same_queue_and_only_this_rule_may_send_them() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    let (rule, url) = (scene.physical_id("Rule"), scene.physical_id("FailedEvents"));
    let targets = scene.ask(mlops_sandbox::aws::events::call, "ListTargetsByRule", &json!({"Rule": rule}));
    let queue = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", url.rsplit('/').next().unwrap());
    assert_eq!(targets["Targets"][0]["DeadLetterConfig"], json!({"Arn": queue}));
    let policy = scene.sandbox.world(|world| {
        let records = &world.region(ACCOUNT, REGION).cloudformation.dump()["records"];
        let found = records.as_object().unwrap().iter().find(|(name, _)| name.starts_with("AWS::SQS::QueuePolicy"));
        found.unwrap().1["Policy"].clone()
    });
    let statement = &policy["Statement"][0];
    assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert_eq!(statement["Action"], "sqs:SendMessage");
    assert_eq!(statement["Resource"], queue.as_str());
    let source = format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}");
    assert_eq!(statement["Condition"], json!({"ArnEquals": {"aws:SourceArn": source}}));
}

#[tokio::test(start_paused = true)]
async fn the_template_makes_what_each_combination_of_its_conditions_asks_for() {
    for combination in 0..8_u8 {
        let (role, vpc, alarms) = (combination & 1 != 0, combination & 2 != 0, combination & 4 != 0);
        let scene = Scene::new().await;
        let given = scene.sandbox.world(|world| world.iam.add_role(ACCOUNT, "/", "run", &["lambda.amazonaws.com"]));
        let mut parameters = ModelTrigger::desired(&scene.project, &project_ref("p-1")).parameters;
        let mut give = |name: &str, value: &str| drop(parameters.insert(name.to_owned(), value.to_owned()));
        give("JenkinsSecret", r#"{"user": "robot", "token": "t"}"#);
        give("JobPaths", "job/deploy,job/a%2Cb");
        give("LambdaRoleArn", if role { given.as_str() } else { "" });
        give("SubnetIds", if vpc { "subnet-1,subnet-2" } else { "" });
        give("SecurityGroupIds", if vpc { "sg-1" } else { "" });
        give("AlarmTopicArn", if alarms { "arn:aws:sns:eu-west-1:111122223333:alarms" } else { "" });
        let parameters: Vec<Value> =
            parameters.iter().map(|(name, value)| json!({"ParameterKey": name, "ParameterValue": value})).collect();
        let input = json!({"StackName": "mlops-trigger", "TemplateBody": template::TEXT.as_str(),
            "Parameters": parameters, "Capabilities": ["CAPABILITY_IAM"]});
        scene.ask(mlops_sandbox::aws::cloudformation::call, "CreateStack", &input);
        tokio::time::sleep(Duration::from_secs(120)).await;
        let reply = scene.ask(
            mlops_sandbox::aws::cloudformation::call,
            "DescribeStackResources",
            &json!({"StackName": "mlops-trigger"}),
        );
        let resources = reply["StackResources"].as_array().unwrap();
        assert!(resources.iter().all(|one| one["ResourceStatus"] == "CREATE_COMPLETE"), "{resources:#?}");
        let has = |name: &str| resources.iter().any(|one| one["LogicalResourceId"] == name);
        let made = [has("FunctionRole"), has("FailureAlarm"), has("FailedEventsAlarm")];
        assert_eq!(made, [!role, alarms, alarms], "role {role}, VPC {vpc}, alarms {alarms}");
        let function = resources.iter().find(|one| one["LogicalResourceId"] == "Function").unwrap();
        let input = json!({"FunctionName": function["PhysicalResourceId"]});
        let function = scene.ask(mlops_sandbox::aws::lambda::call, "GetFunctionConfiguration", &input);
        assert_eq!(function["Environment"]["Variables"]["JOB_PATHS"], "job/deploy,job/a%2Cb");
        let subnets = function["VpcConfig"]["SubnetIds"].as_array().map_or(0, Vec::len);
        assert_eq!(subnets, if vpc { 2 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_fails_is_made_again() {
    let mut scene = Scene::new().await;
    scene.fail_next("Function", "no luck");
    let told = scene.settle(true).await;
    let story = [
        "Create: Missing",
        "wait: Progressing",
        "wait: StackFailed",
        "Delete: StackFailed",
        "wait: Deleting",
        "Create: StackFailed",
        "wait: Progressing",
        "in sync",
    ];
    assert_eq!(told, story);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_is_rolled_back_is_not_tried_again_before_something_changes() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    scene.fail_next("Rule", "the rule is stubborn");
    scene.project.model_trigger.as_mut().unwrap().approval_statuses.push("Rejected".into());
    let name = scene.project.identity.trigger_stack_name();
    let stuck = format!(
        "stuck: StackRolledBack: the stack \"{name}\" could not be updated and is as before: Rule: the rule is stubborn"
    );
    assert_eq!(scene.settle(true).await.last(), Some(&stuck));
    assert_eq!(scene.reconcile(true).await, stuck);
    scene.project.model_trigger.as_mut().unwrap().approval_statuses = vec!["Rejected".into()];
    assert_eq!(scene.settle(true).await, ["Update: SpecChanged", "wait: Progressing", "in sync"]);
}

#[tokio::test(start_paused = true)]
async fn an_update_of_somebody_that_failed_without_rollback_is_put_right() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    scene.fail_next("Rule", "no");
    let name = scene.project.identity.trigger_stack_name();
    let kept = |name: &str| json!({"ParameterKey": name, "UsePreviousValue": "true"});
    let desired = ModelTrigger::desired(&scene.project, &project_ref("p-1"));
    let names = desired.parameters.keys().map(String::as_str).chain([SECRET_PARAMETER]);
    let mut parameters: Vec<Value> = names.filter(|name| *name != "ApprovalStatuses").map(kept).collect();
    parameters.push(json!({"ParameterKey": "ApprovalStatuses", "ParameterValue": "Rejected"}));
    let tags: Vec<Value> = desired.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let input = json!({"StackName": name, "UsePreviousTemplate": "true", "Parameters": parameters, "Tags": tags,
        "Capabilities": ["CAPABILITY_IAM"], "DisableRollback": "true"});
    scene.ask(mlops_sandbox::aws::cloudformation::call, "UpdateStack", &input);
    let told = scene.settle(true).await;
    assert!(told[1].starts_with("stuck: StackFailed"), "a token that is not the operator's rests: {told:?}");
    assert!(told[1].contains("was not rolled back: Rule: no"), "{told:?}");
    scene.attempts.asked_anew = true;
    assert_eq!(scene.settle(true).await, ["Update: Drifted", "wait: Progressing", "in sync"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_fails_is_continued() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    platform(&mut scene.project).trigger.as_mut().unwrap().jenkins_url = "https://elsewhere".into();
    assert_eq!(scene.reconcile(true).await, "Update: SpecChanged");
    // The function is updated before the tags of the rule, which fails; then the function fails on its way back.
    scene.fail_next("Rule", "no");
    let rule_reached = async {
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if scene.reconcile(true).await == "wait: StackRolledBack" {
                return;
            }
        }
        panic!("the update does not fail");
    };
    rule_reached.await;
    scene.fail_next("Function", "stuck half-way");
    let told = scene.settle(true).await;
    assert!(told.contains(&"Update: StackRollbackFailed".to_owned()), "{told:?}");
    assert!(told.last().unwrap().starts_with("stuck: StackRolledBack"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_names_what_is_in_the_way() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    scene.fail_next("FailedEvents", "the queue stays");
    let told = scene.settle(false).await;
    let name = scene.project.identity.trigger_stack_name();
    let stuck =
        format!("stuck: StackDeleteFailed: the stack \"{name}\" could not be deleted: FailedEvents: the queue stays");
    assert_eq!(told.last(), Some(&stuck));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(scene.settle(false).await, ["Delete: StackDeleteFailed", "wait: Deleting", "gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_stack_is_left_alone() {
    let mut scene = Scene::new().await;
    let name = scene.project.identity.trigger_stack_name();
    let template = "Resources: {Q: {Type: 'AWS::SQS::Queue'}}";
    let input = json!({"StackName": name, "TemplateBody": template});
    scene.ask(mlops_sandbox::aws::cloudformation::call, "CreateStack", &input);
    assert!(scene.reconcile(true).await.starts_with("stuck: ForeignOwner"));
    assert_eq!(scene.reconcile(false).await, "gone");
    assert!(scene.sandbox.calls().iter().all(|call| call.contains("Describe")), "{:?}", scene.sandbox.calls());
}

#[tokio::test(start_paused = true)]
async fn a_stack_role_that_cannot_be_assumed_is_waited_for() {
    let mut scene = Scene::new().await;
    platform(&mut scene.project).roles.stack = Some(role("none"));
    let id = scene.project.identity.clone();
    let seen = scene.stacks.observe(&id, &scene.attempts).await.unwrap();
    let goal = Goal::Present(ModelTrigger::desired(&scene.project, &project_ref("p-1")));
    let Decision::Act(steps) = ModelTrigger::decide(&id, &goal, &seen, scene.sandbox.now(), &scene.attempts) else {
        panic!("a missing stack is created")
    };
    let fault = scene.stacks.act(&id, &steps[0].action).await.unwrap_err();
    assert_eq!((fault.kind, fault.reason), (FaultKind::Propagating, Reason::RoleNotTrusted));
}
