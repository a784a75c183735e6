//! The SageMaker project through the real engine, adapter and SDK, against the sandbox: launched, changed, broken,
//! emptied and deleted, under a paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::project::{self, bare, place_in, platform, repositories, role_arn, seals};
use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_servicecatalog::types::{
    PrincipalType, ProductType, ProvisioningArtifactProperties, ProvisioningArtifactType,
};
use mlops_operator::adapters::aws::clients::{Aws, AwsFactory};
use mlops_operator::adapters::aws::sagemaker_project::{Purpose, SagemakerProjectActuator};
use mlops_operator::clock::Clock;
use mlops_operator::controller::converge::memory::ObjectMemory;
use mlops_operator::controller::converge::{IntentJournal, Scope, converge};
use mlops_operator::crd::status::Placement;
use mlops_operator::domain::external_resource::{ExternalResource, Goal};
use mlops_operator::domain::fault::Fault;
use mlops_operator::domain::identity::{Identity, OwnerKey};
use mlops_operator::domain::outcome::Outcome;
use mlops_operator::domain::problem::Problem;
use mlops_operator::domain::project::{ParameterValue, Project};
use mlops_operator::resources::catalog::ProvisioningTarget;
use mlops_operator::resources::sagemaker_project::{ProjectRef, Provisioned, SagemakerProject};
use mlops_operator::templates::project_template;
use mlops_sandbox::{Sandbox, Settings};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";
const LAUNCH_ROLE: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole";

struct NoIntents;

impl IntentJournal for NoIntents {
    async fn persist(&self, _: &ObjectMemory) -> Result<(), Fault> {
        Ok(())
    }
}

struct Bench {
    sandbox: Sandbox,
    aws: Aws,
    memory: ObjectMemory,
    target: ProvisioningTarget,
    project: Project,
    principal: String,
}

impl Bench {
    /// An account with a product that may be launched once a principal is associated.
    async fn new(settings: Settings) -> Self {
        let sandbox = Sandbox::new(settings);
        let config = crate::harness::aws::config(&sandbox, Clock::starting_at(sandbox.now()))
            .into_builder()
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .build();
        let placement = Placement { project_name: "churn".into(), ..place_in(REGION) };
        let aws = AwsFactory::new(config).connect(&placement, "test").await;
        let target = catalog(&aws).await;
        let principal = aws.sts.get_caller_identity().send().await.unwrap().arn().unwrap().to_owned();
        let owner =
            OwnerKey { cluster: "c".into(), kind: "MlopsProject".into(), namespace: "n".into(), name: "o".into() };
        let project = project(Identity { owner, placement, seals: seals() });
        Self { sandbox, aws, memory: ObjectMemory::default(), target, project, principal }
    }

    /// The same with the operator's principal associated: ready to launch.
    async fn ready() -> Self {
        let bench = Self::new(Settings::default()).await;
        bench.associate().await;
        bench
    }

    async fn associate(&self) {
        let request =
            self.aws.catalog.associate_principal_with_portfolio().portfolio_id(self.target.portfolio_id.as_str());
        request.principal_arn(&self.principal).principal_type(PrincipalType::Iam).send().await.unwrap();
    }

    /// One reconcile.
    async fn reconcile(&self, present: bool, delete_data: bool) -> Outcome<Provisioned> {
        let clock = Clock::starting_at(self.sandbox.now());
        let (_stop, stopping) = tokio::sync::watch::channel(false);
        // What is read and written by hand in between must be seen.
        self.memory.doubt(SagemakerProject::KIND);
        let scope = Scope::new(&self.memory, clock, &NoIntents, stopping);
        let goal = match present {
            true => Goal::Present(SagemakerProject::desired(&self.project, &self.target)),
            false => Goal::Absent,
        };
        let purpose = match (present, delete_data) {
            (true, _) => Purpose::Keep,
            (false, true) => Purpose::DeleteWithData,
            (false, false) => Purpose::Delete,
        };
        let actuator = SagemakerProjectActuator::new(&self.aws, purpose);
        converge::<SagemakerProject, _, _>(&scope, &self.project.identity, &goal, &actuator).await
    }

    /// Reconciles until there is nothing to wait for.
    async fn settle(&self, present: bool, delete_data: bool) -> Outcome<Provisioned> {
        self.memory.doubt(SagemakerProject::KIND);
        for _ in 0..400 {
            match self.reconcile(present, delete_data).await {
                Outcome::Waiting { .. } => tokio::time::sleep(Duration::from_millis(500)).await,
                outcome => return outcome,
            }
        }
        panic!("it waits for ever");
    }

    async fn made(&self) -> ProjectRef {
        match self.settle(true, false).await {
            Outcome::InSync { output, .. } => output.project_ref,
            outcome => panic!("{}", told(&outcome)),
        }
    }

    async fn exists(&self, project_ref: &ProjectRef) -> (bool, bool) {
        let group = self
            .aws
            .sagemaker
            .describe_model_package_group()
            .model_package_group_name(&project_ref.model_package_group);
        (group.send().await.is_ok(), self.aws.s3.head_bucket().bucket(&project_ref.bucket).send().await.is_ok())
    }

    async fn fill(&self, project_ref: &ProjectRef) {
        for _ in 0..2 {
            self.aws.s3.put_object().bucket(&project_ref.bucket).key("model/a b.tar.gz").send().await.unwrap();
            let request = self.aws.sagemaker.create_model_package();
            request.model_package_group_name(&project_ref.model_package_group).send().await.unwrap();
        }
        self.aws.s3.delete_object().bucket(&project_ref.bucket).key("model/a b.tar.gz").send().await.unwrap();
    }
}

fn told(outcome: &Outcome<Provisioned>) -> String {
    match outcome {
        Outcome::InSync { changed, .. } => format!("in sync, changed {changed}"),
        Outcome::Gone => "gone".into(),
        Outcome::Waiting { reason, message, .. } => format!("waiting {reason}: {message}"),
        Outcome::Stuck(Problem { reason, message, .. }) => format!("stuck {reason}: {message}"),
        Outcome::Faulted { fault, .. } => format!("fault {}: {}", fault.reason, fault.message),
        Outcome::Blocked { .. } | Outcome::Interrupted => "stopped".into(),
    }
}

async fn catalog(aws: &Aws) -> ProvisioningTarget {
    let place = aws_sdk_s3::types::BucketLocationConstraint::EuWest1;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(place).build();
    aws.s3.create_bucket().bucket("templates").create_bucket_configuration(place).send().await.unwrap();
    let template = project_template("jenkins-git-v1").unwrap();
    let body = aws_sdk_s3::primitives::ByteStream::from(template.as_bytes().to_vec());
    aws.s3.put_object().bucket("templates").key("t.yaml").body(body).send().await.unwrap();
    let portfolio =
        aws.catalog.create_portfolio().display_name("team").provider_name("platform").idempotency_token("p");
    let portfolio = portfolio.send().await.unwrap();
    let portfolio_id = portfolio.portfolio_detail().unwrap().id().unwrap().to_owned();
    let url = format!("https://templates.s3.{REGION}.amazonaws.com/t.yaml");
    let version = ProvisioningArtifactProperties::builder()
        .name("v1")
        .info("LoadTemplateFromURL", url)
        .r#type(ProvisioningArtifactType::CloudFormationTemplate)
        .build();
    let product = aws.catalog.create_product().name("project").owner("platform").idempotency_token("q");
    let product = product.product_type(ProductType::CloudFormationTemplate).provisioning_artifact_parameters(version);
    let product = product.send().await.unwrap();
    let summary = product.product_view_detail().unwrap().product_view_summary().unwrap();
    let product_id = summary.product_id().unwrap().to_owned();
    let artifact_id = product.provisioning_artifact_detail().unwrap().id().unwrap().to_owned();
    let association =
        aws.catalog.associate_product_with_portfolio().product_id(&product_id).portfolio_id(&portfolio_id);
    association.send().await.unwrap();
    let constraint =
        aws.catalog.create_constraint().portfolio_id(&portfolio_id).product_id(&product_id).r#type("LAUNCH");
    let role = format!("{{\"RoleArn\": \"{LAUNCH_ROLE}\"}}");
    constraint.parameters(role).idempotency_token("c").send().await.unwrap();
    ProvisioningTarget {
        portfolio_id: project::portfolio_id(&portfolio_id),
        product_id: project::product_id(&product_id),
        artifact_id,
        artifact_name: "v1".into(),
    }
}

fn project(identity: Identity) -> Project {
    let mut project = Project {
        identity: identity.clone(),
        description: "churn of customers".into(),
        tags: BTreeMap::from([("team".into(), "red".into())]),
        repositories: repositories(&format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/c")),
        ..bare(identity.placement)
    };
    platform(&mut project).roles.launch = role_arn(LAUNCH_ROLE);
    project
}

#[tokio::test(start_paused = true)]
async fn a_project_is_launched_once_and_its_id_is_known_early() {
    let bench = Bench::ready().await;
    let Outcome::Waiting { early: Some(early), .. } = bench.reconcile(true, false).await else {
        panic!("it must wait with an early output")
    };
    let project_ref = bench.made().await;
    assert_eq!(project_ref, early.project_ref);
    assert_eq!(bench.exists(&project_ref).await, (true, true));
    bench.memory.doubt(SagemakerProject::KIND);
    let before = bench.sandbox.calls().len();
    assert_eq!(told(&bench.reconcile(true, false).await), "in sync, changed false");
    let looked = ["sagemaker DescribeProject", "sagemaker ListTags", "servicecatalog DescribeProvisionedProduct"];
    assert_eq!(bench.sandbox.calls()[before..], looked);
}

#[tokio::test(start_paused = true)]
async fn description_tags_branch_and_parameter_follow_the_spec() {
    let mut bench = Bench::ready().await;
    let project_ref = bench.made().await;
    bench.project.description = "churn of all customers".into();
    bench.project.tags = BTreeMap::from([("cost".into(), "7".into())]);
    bench.project.repositories.build.branch = "release".into();
    assert_eq!(bench.made().await, project_ref);
    let described = bench.aws.sagemaker.describe_project().project_name("churn").send().await.unwrap();
    assert_eq!(described.project_description(), Some("churn of all customers"));
    let listed = bench.aws.sagemaker.list_tags().resource_arn(&project_ref.project_arn).send().await.unwrap();
    let keys: Vec<&str> = listed.tags().iter().filter_map(|tag| tag.key()).collect();
    assert!(keys.contains(&"cost") && !keys.contains(&"team"), "{keys:?}");
    let repositories = bench.aws.sagemaker.list_code_repositories().send().await.unwrap();
    let mut branches: Vec<&str> = repositories
        .code_repository_summary_list()
        .iter()
        .filter_map(|repository| repository.git_config().and_then(|git| git.branch()))
        .collect();
    branches.sort_unstable();
    assert_eq!(branches, ["main", "main", "release"], "the repository was replaced, and the old one is gone");
    let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/k");
    bench.project.parameters.insert("ArtifactBucketKmsKeyArn".into(), ParameterValue::Plain(key));
    assert_eq!(bench.made().await, project_ref);
    let encryption = bench.aws.s3.get_bucket_encryption().bucket(&project_ref.bucket).send().await.unwrap();
    let rules = encryption.server_side_encryption_configuration().unwrap().rules();
    let rule = rules[0].apply_server_side_encryption_by_default().unwrap();
    assert_eq!(rule.sse_algorithm().as_str(), "aws:kms");
}

#[tokio::test(start_paused = true)]
async fn a_principal_that_is_not_associated_yet_is_waited_for() {
    let bench = Bench::new(Settings::default()).await;
    let waiting = told(&bench.reconcile(true, false).await);
    assert!(waiting.starts_with("waiting Propagating") && waiting.contains("No launch paths"), "{waiting}");
    bench.associate().await;
    bench.made().await;
    let other = Bench::new(Settings::default()).await;
    let stuck = told(&other.settle(true, false).await);
    assert!(stuck.starts_with("stuck NoLaunchPath"), "after two minutes a person is asked: {stuck}");
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_project_is_left_alone() {
    let mut bench = Bench::ready().await;
    bench.made().await;
    bench.project.identity.owner.name = "another".into();
    bench.memory = ObjectMemory::new(Vec::new());
    let stuck = told(&bench.settle(true, false).await);
    assert!(stuck.starts_with("stuck ForeignOwner"), "{stuck}");
    assert_eq!(told(&bench.settle(false, true).await), "gone");
    let described = bench.aws.sagemaker.describe_project().project_name("churn").send().await.unwrap();
    assert_eq!(described.project_status().unwrap().as_str(), "CreateCompleted");
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_tells_its_first_cause_and_is_made_again() {
    let bench = Bench::ready().await;
    bench.sandbox.world(|world| {
        world.region(ACCOUNT, REGION).cloudformation.fail_next("ModelPackageGroup", "no room for another group");
    });
    let stuck = told(&bench.settle(true, false).await);
    assert!(stuck.starts_with("stuck ProjectFailed"), "{stuck}");
    assert!(stuck.contains("ModelPackageGroup: no room for another group"), "{stuck}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let project_ref = bench.made().await;
    assert_eq!(bench.exists(&project_ref).await, (true, true));
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_is_not_in_sync_and_is_tried_again_slowly() {
    let mut bench = Bench::ready().await;
    let project_ref = bench.made().await;
    bench.project.repositories.deploy.branch = "release".into();
    bench.sandbox.world(|world| {
        world.region(ACCOUNT, REGION).cloudformation.fail_next("ModelDeploySagemakerCodeRepository", "not today");
    });
    let stuck = told(&bench.settle(true, false).await);
    assert!(stuck.starts_with("stuck ProjectUpdateFailed") && stuck.contains("not today"), "{stuck}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.made().await, project_ref);
}

#[tokio::test(start_paused = true)]
async fn deletion_keeps_the_data_or_takes_it_along() {
    for delete_data in [false, true] {
        let bench = Bench::ready().await;
        let project_ref = bench.made().await;
        bench.fill(&project_ref).await;
        assert_eq!(told(&bench.settle(false, delete_data).await), "gone");
        assert_eq!(bench.exists(&project_ref).await, (!delete_data, !delete_data), "with delete_data {delete_data}");
        let repositories = bench.aws.sagemaker.list_code_repositories().send().await.unwrap();
        assert!(repositories.code_repository_summary_list().is_empty());
        assert_eq!(told(&bench.settle(false, delete_data).await), "gone", "and once more");
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_models_one_act_deletes_a_hundred() {
    let bench = Bench::ready().await;
    let project_ref = bench.made().await;
    for _ in 0..250 {
        let request = bench.aws.sagemaker.create_model_package();
        request.model_package_group_name(&project_ref.model_package_group).send().await.unwrap();
    }
    let before = bench.sandbox.calls().len();
    assert_eq!(told(&bench.settle(false, true).await), "gone");
    assert_eq!(bench.exists(&project_ref).await, (false, false));
    let calls = bench.sandbox.calls()[before..].to_vec();
    let acts = calls.split(|call| call == "sagemaker ListModelPackages").map(|act| {
        let deletions = act.iter().filter(|call| *call == "sagemaker DeleteModelPackage");
        deletions.count()
    });
    let acts: Vec<usize> = acts.filter(|count| *count > 0).collect();
    assert_eq!(acts, [100, 100, 50]);
}

#[tokio::test(start_paused = true)]
async fn data_that_outlived_its_project_goes_when_it_says_that_it_is_ours() {
    let bench = Bench::ready().await;
    let project_ref = bench.made().await;
    bench.fill(&project_ref).await;
    assert_eq!(told(&bench.settle(false, false).await), "gone");
    assert_eq!(told(&bench.settle(false, true).await), "gone");
    assert_eq!(bench.exists(&project_ref).await, (false, false));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_without_the_launch_role_names_what_is_in_the_way_and_ends_once_it_is_back() {
    let bench = Bench::ready().await;
    bench.made().await;
    let name = "AmazonSageMakerServiceCatalogProductsLaunchRole";
    bench.aws.iam.delete_role().role_name(name).send().await.unwrap();
    let stuck = told(&bench.settle(false, false).await);
    assert!(stuck.starts_with("stuck ProjectDeleteFailed") && stuck.contains("assuming the role"), "{stuck}");
    bench.sandbox.world(|world| world.iam.add_role(ACCOUNT, "/service-role/", name, &["servicecatalog.amazonaws.com"]));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(told(&bench.settle(false, false).await), "gone");
}
