//! The model trigger's stack against the sandbox's CloudFormation, in process: its whole life, failures of each kind,
//! and what the template makes in the other services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::project::{bare_platform, credentials, owner, place_in, ready_bucket, role, seals};
use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use mlops_operator::adapters::aws::clients::AwsFactory;
use mlops_operator::adapters::aws::model_trigger::ModelTriggerActuator;
use mlops_operator::clock::Clock;
use mlops_operator::crd::status::{Intent, Placement, Reason};
use mlops_operator::domain::external_resource::{Actuator, Attempts, Change, Decision, ExternalResource, Goal, Wait};
use mlops_operator::domain::fault::FaultKind;
use mlops_operator::domain::identity::Identity;
use mlops_operator::domain::platform::{Platform, TriggerFunction};
use mlops_operator::domain::problem::Problem;
use mlops_operator::domain::secret::{SealedSecret, Secret};
use mlops_operator::resources::model_trigger::queues::{DEAD, Queues, WAITING};
use mlops_operator::resources::model_trigger::{ModelTrigger, SECRET_PARAMETER, template};
use mlops_sandbox::aws::Call;
use mlops_sandbox::{Fault, Sandbox, Settings, What};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";

fn platform() -> Platform {
    let placement = Placement { jenkins_url: "https://ci.example".into(), ..place_in(REGION) };
    Platform {
        tags: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        jenkins_credentials: credentials("robot", "t0ken-1", &"1".repeat(32)),
        trigger: Some(TriggerFunction {
            jenkins_url: "https://ci.internal/jenkins".into(),
            log_retention_days: 30,
            ..TriggerFunction::default()
        }),
        ..bare_platform(Identity { owner: owner(), placement, seals: seals() })
    }
}

struct Scene {
    sandbox: Sandbox,
    stacks: ModelTriggerActuator,
    platform: Platform,
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
        let platform = platform();
        let aws = AwsFactory::new(base).connect(&platform.identity.placement, "test").await;
        Self { sandbox, stacks: ModelTriggerActuator::new(&aws), platform, attempts: Attempts::default() }
    }

    /// One look and what follows from it; answers what was done or found.
    async fn reconcile(&mut self, wanted: bool) -> String {
        let id = self.platform.identity.clone();
        let seen = self.stacks.observe(&id, &self.attempts).await.expect("the look succeeds");
        let goal = match wanted {
            true => Goal::Present(ModelTrigger::desired(&self.platform, &ready_bucket())),
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
        let name = self.platform.identity.trigger_stack_name();
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
            "detail": {"ModelPackageStatus": ["Completed"], "ModelPackageGroupName": [{"exists": true}]},
        })
    );
    let input = json!({"FunctionName": scene.physical_id("Function")});
    let function = scene.ask(mlops_sandbox::aws::lambda::call, "GetFunctionConfiguration", &input);
    assert_eq!(function["Runtime"], "python3.13");
    let environment = &function["Environment"]["Variables"];
    assert_eq!(environment["JENKINS_URL"], "https://ci.internal/jenkins");
    assert_eq!(environment["ARTIFACT_BUCKET"], "artifacts");
    assert_eq!(environment["BUCKET_PREFIX"], scene.platform.identity.bucket_prefix().as_str());

    let calls = scene.sandbox.calls().len();
    assert_eq!(scene.reconcile(true).await, "in sync");
    let asked = scene.sandbox.calls().split_off(calls);
    let look = ["cloudformation DescribeStacks", "sqs GetQueueAttributes", "sqs GetQueueAttributes"];
    assert_eq!(asked, look, "an unchanged stack costs one look at it and at each queue");

    scene.platform.jenkins_credentials.token =
        SealedSecret { value: Secret::new("t0ken-2"), fingerprint: "2".repeat(32) };
    assert_eq!(scene.settle(true).await, ["Update: SecretChanged", "wait: Progressing", "in sync"]);
    assert_eq!(scene.secret()["token"], "t0ken-2");

    scene.platform.trigger.as_mut().unwrap().log_retention_days = 90;
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
async fn an_event_waits_in_the_queue_for_the_function_and_only_the_rule_may_send_it() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    let urls = ["WaitingEvents", "FailedEvents"].map(|name| scene.physical_id(name));
    let arns = urls.clone().map(|url| format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", url.rsplit('/').next().unwrap()));
    let rule = scene.physical_id("Rule");
    let targets = scene.ask(mlops_sandbox::aws::events::call, "ListTargetsByRule", &json!({"Rule": rule}));
    assert_eq!(targets["Targets"][0]["Arn"], arns[0].as_str());
    assert_eq!(targets["Targets"][0]["DeadLetterConfig"], json!({"Arn": arns[1]}));
    for (url, arn) in urls.iter().zip(&arns) {
        let asked = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let found = scene.ask(mlops_sandbox::aws::sqs::call, "GetQueueAttributes", &asked)["Attributes"].clone();
        assert_eq!(found["SqsManagedSseEnabled"], "true");
        let policy: Value = serde_json::from_str(found["Policy"].as_str().unwrap()).unwrap();
        let statement = &policy["Statement"][0];
        assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}));
        assert_eq!((&statement["Action"], &statement["Resource"]), (&json!("sqs:SendMessage"), &json!(arn)));
        let source = format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}");
        assert_eq!(statement["Condition"], json!({"ArnEquals": {"aws:SourceArn": source}}));
    }
    let event = json!({"source": "aws.sagemaker", "detail-type": "SageMaker Model Package State Change",
        "detail": {"ModelPackageStatus": "Completed", "ModelPackageGroupName": "of-nobody"}});
    scene.sandbox.world(|world| mlops_sandbox::aws::events::publish(world, ACCOUNT, REGION, &event));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = scene.sandbox.world(|world| world.region(ACCOUNT, REGION).lambda.invocations.last().cloned()).unwrap();
    let records = asked.event["Records"].as_array().unwrap();
    assert_eq!((records.len(), &records[0]["eventSourceARN"]), (1, &json!(arns[0])));
    let body: Value = serde_json::from_str(records[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["detail"]["ModelPackageGroupName"], "of-nobody");
}

#[tokio::test(start_paused = true)]
async fn the_template_makes_what_each_combination_of_its_conditions_asks_for() {
    for combination in 0..8_u8 {
        let (role, vpc, alarms) = (combination & 1 != 0, combination & 2 != 0, combination & 4 != 0);
        let scene = Scene::new().await;
        let given = scene.sandbox.world(|world| world.iam.add_role(ACCOUNT, "/", "run", &["lambda.amazonaws.com"]));
        let reads = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]}]});
        let policy = json!({"RoleName": "run", "PolicyName": "queue", "PolicyDocument": reads.to_string()});
        scene.ask(mlops_sandbox::aws::iam::call, "PutRolePolicy", &policy);
        let mut parameters = ModelTrigger::desired(&scene.platform, &ready_bucket()).parameters;
        let mut give = |name: &str, value: &str| drop(parameters.insert(name.to_owned(), value.to_owned()));
        give("JenkinsSecret", r#"{"user": "robot", "token": "t"}"#);
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
        let made = [has("FunctionRole"), has("WaitingEventsAlarm"), has("FailedEventsAlarm")];
        assert_eq!(made, [!role, alarms, alarms], "role {role}, VPC {vpc}, alarms {alarms}");
        let function = resources.iter().find(|one| one["LogicalResourceId"] == "Function").unwrap();
        let input = json!({"FunctionName": function["PhysicalResourceId"]});
        let function = scene.ask(mlops_sandbox::aws::lambda::call, "GetFunctionConfiguration", &input);
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
    scene.platform.trigger.as_mut().unwrap().jenkins_url = "https://elsewhere".into();
    let name = scene.platform.identity.trigger_stack_name();
    let stuck = format!(
        "stuck: StackRolledBack: the stack \"{name}\" could not be updated and is as before: Rule: the rule is stubborn"
    );
    assert_eq!(scene.settle(true).await.last(), Some(&stuck));
    assert_eq!(scene.reconcile(true).await, stuck);
    scene.platform.trigger.as_mut().unwrap().jenkins_url = "https://further".into();
    assert_eq!(scene.settle(true).await, ["Update: SpecChanged", "wait: Progressing", "in sync"]);
}

#[tokio::test(start_paused = true)]
async fn an_update_of_somebody_that_failed_without_rollback_is_put_right() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    scene.fail_next("LogGroup", "no");
    let name = scene.platform.identity.trigger_stack_name();
    let kept = |name: &str| json!({"ParameterKey": name, "UsePreviousValue": "true"});
    let desired = ModelTrigger::desired(&scene.platform, &ready_bucket());
    let names = desired.parameters.keys().map(String::as_str).chain([SECRET_PARAMETER]);
    let mut parameters: Vec<Value> = names.filter(|name| *name != "LogRetentionDays").map(kept).collect();
    parameters.push(json!({"ParameterKey": "LogRetentionDays", "ParameterValue": "90"}));
    let tags: Vec<Value> = desired.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let input = json!({"StackName": name, "UsePreviousTemplate": "true", "Parameters": parameters, "Tags": tags,
        "Capabilities": ["CAPABILITY_IAM"], "DisableRollback": "true"});
    scene.ask(mlops_sandbox::aws::cloudformation::call, "UpdateStack", &input);
    let told = scene.settle(true).await;
    assert!(told[1].starts_with("stuck: StackFailed"), "a token that is not the operator's rests: {told:?}");
    assert!(told[1].contains("was not rolled back: LogGroup: no"), "{told:?}");
    scene.attempts.asked_anew = true;
    assert_eq!(scene.settle(true).await, ["Update: Drifted", "wait: Progressing", "in sync"]);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_fails_is_continued() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    scene.platform.trigger.as_mut().unwrap().jenkins_url = "https://elsewhere".into();
    assert_eq!(scene.reconcile(true).await, "Update: SpecChanged");
    // The function is updated before the tags of its mapping, which fails; then the function fails on its way back.
    scene.fail_next("Messages", "no");
    let mapping_reached = async {
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if scene.reconcile(true).await == "wait: StackRolledBack" {
                return;
            }
        }
        panic!("the update does not fail");
    };
    mapping_reached.await;
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
    let name = scene.platform.identity.trigger_stack_name();
    let stuck =
        format!("stuck: StackDeleteFailed: the stack \"{name}\" could not be deleted: FailedEvents: the queue stays");
    assert_eq!(told.last(), Some(&stuck));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(scene.settle(false).await, ["Delete: StackDeleteFailed", "wait: Deleting", "gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_stack_is_left_alone() {
    let mut scene = Scene::new().await;
    let name = scene.platform.identity.trigger_stack_name();
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
    scene.platform.roles.stack = Some(role("none"));
    let id = scene.platform.identity.clone();
    let seen = scene.stacks.observe(&id, &scene.attempts).await.unwrap();
    let goal = Goal::Present(ModelTrigger::desired(&scene.platform, &ready_bucket()));
    let Decision::Act(steps) = ModelTrigger::decide(&id, &goal, &seen, scene.sandbox.now(), &scene.attempts) else {
        panic!("a missing stack is created")
    };
    let fault = scene.stacks.act(&id, &steps[0].action).await.unwrap_err();
    assert_eq!((fault.kind, fault.reason), (FaultKind::Propagating, Reason::RoleNotTrusted));
}

/// What is found in the queues of a trigger that is as declared.
async fn queues(scene: &Scene) -> Queues {
    let seen = scene.stacks.observe(&scene.platform.identity, &scene.attempts).await.expect("no fault of the trigger");
    seen.queues.expect("the stack names its queues")
}

#[tokio::test(start_paused = true)]
async fn whether_messages_are_in_the_queues_is_seen_and_never_a_fault() {
    let mut scene = Scene::new().await;
    scene.settle(true).await;
    let found = |queues: &Queues| (queues.waiting, queues.dead, queues.unread.is_some());
    let empty = queues(&scene).await;
    assert_eq!(found(&empty), (false, false, false));
    assert!(empty.waiting_arn.starts_with("arn:aws:sqs:eu-west-1:111122223333:mlops-"), "{empty:?}");
    let [waiting, dead] = ["WaitingEvents", "FailedEvents"].map(|name| scene.physical_id(name));
    let send = |scene: &Scene, url: &str| {
        let message = json!({"QueueUrl": url, "MessageBody": "{}"});
        scene.ask(mlops_sandbox::aws::sqs::call, "SendMessage", &message)
    };
    // The sandbox's function fetches it at once: it is hidden, and there all the same.
    send(&scene, &waiting);
    assert_eq!(found(&queues(&scene).await), (true, false, false));
    send(&scene, &dead);
    assert_eq!(found(&queues(&scene).await), (true, true, false));

    let refuse = |code: &str, status| What::Refuse { code: code.into(), message: "no".into(), status };
    scene.sandbox.fault(Fault::on("sqs", "GetQueueAttributes").before(refuse("AccessDeniedException", 400)));
    let unread = queues(&scene).await;
    assert_eq!(found(&unread), (false, false, true));
    let why = unread.unread.unwrap();
    assert!(why.contains("AccessDenied") && why.contains("allow the operator's role sqs:GetQueueAttributes"), "{why}");

    for (code, status) in [("ThrottlingException", 400), ("InternalFailure", 500)] {
        scene.sandbox.clear_faults();
        scene.sandbox.fault(Fault::on("sqs", "GetQueueAttributes").before(refuse(code, status)));
        scene.attempts.noticed_since = BTreeMap::new();
        assert_eq!(found(&queues(&scene).await), (false, false, false), "{code}: nothing was known");
        scene.attempts.noticed_since = [WAITING, DEAD].map(|notice| (notice, scene.sandbox.now())).into();
        assert_eq!(found(&queues(&scene).await), (true, true, false), "{code}: as it was at the last look");
    }
}
