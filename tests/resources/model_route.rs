//! The model route against the sandbox's S3, in process: written, kept, changed and removed, and never another's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::harness::project::{bare, place_in, project_ref, ready_bucket};
use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use mlops_operator::adapters::aws::clients::{Aws, AwsFactory};
use mlops_operator::adapters::aws::model_route::ModelRouteActuator;
use mlops_operator::clock::Clock;
use mlops_operator::crd::status::Placement;
use mlops_operator::domain::external_resource::{Actuator, Attempts, Decision, ExternalResource, Goal};
use mlops_operator::domain::fault::FaultKind;
use mlops_operator::domain::project::{ModelTriggerSettings, Project, RepositoryRole};
use mlops_operator::resources::model_route::{Inputs, ModelRoute};
use mlops_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

const REGION: &str = "eu-west-1";

struct Scene {
    aws: Aws,
    project: Project,
    project_id: &'static str,
}

impl Scene {
    /// A bucket with versions and no route.
    async fn new() -> Self {
        let sandbox = Sandbox::new(Settings::default());
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
        let base = crate::harness::aws::config(&sandbox, Clock::starting_at(sandbox.now()))
            .into_builder()
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://aws.example")
            .build();
        let place = Placement { project_name: "taxi".into(), bucket: "artifacts".into(), ..place_in(REGION) };
        let settings =
            ModelTriggerSettings { approval_statuses: vec!["Approved".into()], jobs: vec![RepositoryRole::Deploy] };
        let project = Project { model_trigger: Some(settings), ..bare(place) };
        let aws = AwsFactory::new(base).connect(&project.identity.placement, "test").await;
        let there = aws_sdk_s3::types::BucketLocationConstraint::from(REGION);
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(there).build();
        aws.s3.create_bucket().bucket("artifacts").create_bucket_configuration(place).send().await.unwrap();
        Self { aws, project, project_id: "p-1" }
    }

    /// One look and what follows from it: what was done or found.
    async fn reconcile(&self, wanted: bool) -> String {
        let (id, actuator) = (&self.project.identity, ModelRouteActuator::new(&self.aws));
        let seen = actuator.observe(id, &Attempts::default()).await.expect("the look succeeds");
        let inputs = Inputs { bucket: ready_bucket(), project_ref: project_ref(self.project_id) };
        let goal = if wanted { Goal::Present(ModelRoute::desired(&self.project, &inputs)) } else { Goal::Absent };
        let now = jiff::Timestamp::UNIX_EPOCH;
        match ModelRoute::decide(id, &goal, &seen, now, &Attempts::default()) {
            Decision::InSync(_) => "in sync".into(),
            Decision::Gone | Decision::GoneBut(_) => "gone".into(),
            Decision::Wait(_) => panic!("S3 has nothing to wait for"),
            Decision::Stuck(problem) => format!("stuck: {}", problem.reason),
            Decision::Act(steps) => {
                for step in &steps {
                    actuator.act(id, &step.action).await.expect("the act succeeds");
                }
                steps.iter().map(|step| format!("{:?}: {}", step.change, step.reason)).collect()
            }
        }
    }

    fn key(&self, group: &str) -> String {
        format!("{}routes/{group}.json", self.project.identity.bucket_prefix())
    }

    async fn read(&self, group: &str) -> Option<Value> {
        let answer = self.aws.s3.get_object().bucket("artifacts").key(self.key(group)).send().await.ok()?;
        serde_json::from_slice(&answer.body.collect().await.unwrap().into_bytes()).ok()
    }

    async fn put(&self, group: &str, body: &'static [u8]) {
        let body = aws_sdk_s3::primitives::ByteStream::from_static(body);
        self.aws.s3.put_object().bucket("artifacts").key(self.key(group)).body(body).send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_route_is_written_kept_changed_and_removed() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.reconcile(true).await, "Create: Missing");
    assert_eq!(scene.reconcile(true).await, "in sync");
    let jobs = scene.read("taxi-p-1").await.unwrap()["jobs"].clone();
    assert_eq!(jobs, json!([{"name": "deploy", "path": "job/sagemaker-taxi-p-1-modeldeploy"}]));

    scene.project.model_trigger.as_mut().unwrap().approval_statuses.push("Rejected".into());
    assert_eq!(scene.reconcile(true).await, "Update: SpecChanged");
    assert_eq!(scene.reconcile(true).await, "in sync");
    assert_eq!(scene.read("taxi-p-1").await.unwrap()["approvalStatuses"], json!(["Approved", "Rejected"]));

    scene.project_id = "p-2";
    assert_eq!(scene.reconcile(true).await, "Delete: SpecChangedCreate: Missing", "the project was made anew");
    assert_eq!(scene.reconcile(true).await, "in sync");
    assert_eq!(scene.read("taxi-p-1").await, None);

    assert_eq!(scene.reconcile(false).await, "Delete: Deleting");
    assert_eq!(scene.reconcile(false).await, "gone");
    assert_eq!(scene.read("taxi-p-2").await, None);
}

#[tokio::test(start_paused = true)]
async fn what_another_put_there_is_neither_changed_nor_removed() {
    let scene = Scene::new().await;
    scene.put("taxi-p-1", b"{}").await;
    assert_eq!(scene.reconcile(true).await, "stuck: ForeignOwner");
    assert_eq!(scene.reconcile(false).await, "gone");
    assert_eq!(scene.read("taxi-p-1").await, Some(json!({})));
}

#[tokio::test(start_paused = true)]
async fn what_changes_between_look_and_act_is_looked_at_again() {
    let scene = Scene::new().await;
    let (id, actuator) = (&scene.project.identity, ModelRouteActuator::new(&scene.aws));
    let inputs = Inputs { bucket: ready_bucket(), project_ref: project_ref("p-1") };
    let wanted = ModelRoute::desired(&scene.project, &inputs);
    let decide = |goal: Goal<_>, seen: &_| match ModelRoute::decide(
        id,
        &goal,
        seen,
        jiff::Timestamp::UNIX_EPOCH,
        &Attempts::default(),
    ) {
        Decision::Act(mut steps) => steps.remove(0).action,
        _ => panic!("there is something to do"),
    };
    let nothing = actuator.observe(id, &Attempts::default()).await.unwrap();
    let create = decide(Goal::Present(wanted.clone()), &nothing);
    scene.put("taxi-p-1", b"{}").await;
    assert_eq!(actuator.act(id, &create).await.unwrap_err().kind, FaultKind::Conflict);

    scene.aws.s3.delete_object().bucket("artifacts").key(scene.key("taxi-p-1")).send().await.unwrap();
    assert_eq!(scene.reconcile(true).await, "Create: Missing");
    let ours = actuator.observe(id, &Attempts::default()).await.unwrap();
    let delete = decide(Goal::Absent, &ours);
    scene.put("taxi-p-1", b"{}").await;
    assert_eq!(actuator.act(id, &delete).await.unwrap_err().kind, FaultKind::Conflict);
    assert_eq!(scene.read("taxi-p-1").await, Some(json!({})));
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_bucket_there_is_no_route() {
    let scene = Scene::new().await;
    scene.aws.s3.delete_bucket().bucket("artifacts").send().await.unwrap();
    assert_eq!(scene.reconcile(false).await, "gone");
}
