//! A project for tests of one resource: `Project { what matters, ..bare(placement) }`. One file for the crate's own tests
//! and for those in `tests/`, so that a new field of `Project` is filled in once.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mlops_operator::crd::identifiers::{AccountId, ConnectionArn, PortfolioId, ProductId, Region, RoleArn, Sha256};
use mlops_operator::crd::status::Placement;
use mlops_operator::domain::identity::{Identity, OwnerKey};
use mlops_operator::domain::platform::{Catalog, JenkinsCredentials, Platform, Roles, Seeds, Template};
use mlops_operator::domain::project::{JenkinsSettings, Project, Repositories, Repository, SeedCode};
use mlops_operator::domain::seal::Seals;
use mlops_operator::domain::secret::{FingerprintKey, SealedSecret, Secret};
use mlops_operator::resources::artifact_bucket::ReadyBucket;
use mlops_operator::resources::sagemaker_project::ProjectRef;
use mlops_operator::templates::project_template;

/// Who owns it: `taxi` in namespace `ml`.
pub fn owner() -> OwnerKey {
    owner_named("taxi")
}

/// An object of this name in namespace `ml`.
pub fn owner_named(name: &str) -> OwnerKey {
    OwnerKey { cluster: "c".into(), kind: "MlopsProject".into(), namespace: "ml".into(), name: name.into() }
}

/// What its resources are sealed with.
pub fn seals() -> Seals {
    Seals::new(FingerprintKey::new("the key of this installation"), false)
}

/// The same object, as another installation for the same cluster sees it.
pub fn elsewhere(id: &Identity) -> Identity {
    Identity { seals: Seals::new(FingerprintKey::new("the key of another installation"), false), ..id.clone() }
}

/// The account that everything is in.
pub fn account() -> AccountId {
    AccountId::parse("111122223333").unwrap()
}

/// A region by its code.
pub fn region(code: &str) -> Region {
    Region::parse(code).unwrap()
}

/// The account in this region, with no Jenkins, bucket or project.
pub fn place_in(code: &str) -> Placement {
    Placement::new(account(), region(code))
}

/// [`place_in`] `eu-west-1`.
pub fn place() -> Placement {
    place_in("eu-west-1")
}

/// A role of the account by its name.
pub fn role(name: &str) -> RoleArn {
    role_arn(&format!("arn:aws:iam::{}:role/{name}", account()))
}

/// A role by its ARN.
pub fn role_arn(arn: &str) -> RoleArn {
    RoleArn::parse(arn).unwrap()
}

/// A Git connection by its ARN.
pub fn connection(arn: &str) -> ConnectionArn {
    ConnectionArn::parse(arn).unwrap()
}

/// A Git connection of the account.
pub const CONNECTION: &str = "arn:aws:codeconnections:eu-west-1:111122223333:connection/0a1b";

/// The SHA-256 that consists of this digit.
pub fn sum_of(digit: char) -> Sha256 {
    Sha256::parse(&digit.to_string().repeat(64)).unwrap()
}

/// A portfolio by its id.
pub fn portfolio_id(id: &str) -> PortfolioId {
    PortfolioId::parse(id).unwrap()
}

/// A product by its id.
pub fn product_id(id: &str) -> ProductId {
    ProductId::parse(id).unwrap()
}

/// A project of [`owner`] at this place with the built-in template, and all else empty.
pub fn bare(placement: Placement) -> Project {
    let text = String::new;
    let repository = || Repository {
        url: text(),
        branch: text(),
        full_name: text(),
        connection_arn: connection(CONNECTION),
        seed_code: SeedCode::None,
    };
    let identity = Identity { owner: owner(), placement, seals: seals() };
    Project {
        platform: Arc::new(bare_platform(identity.clone())),
        identity,
        description: text(),
        tags: BTreeMap::new(),
        repositories: Repositories {
            preprocess: repository(),
            build: repository(),
            deploy: repository(),
            endpoint: None,
        },
        parameters: BTreeMap::new(),
        jenkins: JenkinsSettings {
            poll_schedule: text(),
            aws_credentials_id: text(),
            git_credentials_id: text(),
            extra_parameters: BTreeMap::new(),
        },
        model_trigger: None,
        delete_data: false,
    }
}

/// A project's platform, to be changed.
pub fn platform(project: &mut Project) -> &mut Platform {
    Arc::make_mut(&mut project.platform)
}

/// Places a project and its platform elsewhere.
pub fn placed(project: &mut Project, change: impl Fn(&mut Placement)) {
    change(&mut project.identity.placement);
    change(&mut platform(project).identity.placement);
}

/// A platform with this owner and place, the built-in template, and all else empty.
pub fn bare_platform(identity: Identity) -> Platform {
    let text = String::new;
    Platform {
        identity,
        tags: BTreeMap::new(),
        connections: BTreeSet::new(),
        seeds: Seeds::default(),
        aws_credentials: false,
        trigger: None,
        roles: Roles { launch: role("launch"), usage: role("use"), check_in: None, stack: None },
        kms_key_id: None,
        catalog: Catalog {
            portfolio_name: text(),
            portfolio_provider: text(),
            portfolio_description: text(),
            product_name: text(),
            product_owner: text(),
            product_description: text(),
            support_description: text(),
            support_email: text(),
            support_url: text(),
            template: built_in(),
            principals: Vec::new(),
        },
        jenkins_credentials: credentials("u", "t", "f"),
    }
}

/// The template that the operator carries.
pub fn built_in() -> Template {
    let text = project_template("jenkins-git-v1").unwrap_or_default().into();
    Template::new("jenkins-git-v1", "\"jenkins-git-v1\"".into(), text)
}

/// Jenkins credentials with a token of this fingerprint.
pub fn credentials(username: &str, token: &str, fingerprint: &str) -> JenkinsCredentials {
    let token = SealedSecret { value: Secret::new(token), fingerprint: fingerprint.into() };
    JenkinsCredentials { username: username.into(), token }
}

/// Three repositories of one Git server, reached by one connection.
pub fn repositories(arn: &str) -> Repositories {
    let repository = |name: &str| Repository {
        url: format!("https://git.example/team/{name}.git"),
        branch: "main".into(),
        full_name: format!("team/{name}"),
        connection_arn: connection(arn),
        seed_code: SeedCode::None,
    };
    let (preprocess, build, deploy) = (repository("pre"), repository("build"), repository("deploy"));
    Repositories { preprocess, build, deploy, endpoint: None }
}

/// The artifact bucket `artifacts`.
pub fn ready_bucket() -> ReadyBucket {
    ReadyBucket { name: "artifacts".into() }
}

/// The SageMaker project `taxi` once it has this id.
pub fn project_ref(project_id: &str) -> ProjectRef {
    ProjectRef {
        project_id: project_id.into(),
        project_arn: "arn:aws:sagemaker:eu-west-1:111122223333:project/taxi".into(),
        project_name: "taxi".into(),
        model_package_group: format!("taxi-{project_id}"),
        bucket: format!("sagemaker-project-{project_id}"),
    }
}
