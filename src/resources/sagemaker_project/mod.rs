//! The SageMaker project: launched from the catalog product, with its parameters, tags and description. It never
//! touches what users put into the project, unless told to delete that too, and never a project that is not its own.
//!
//! The project's name is its key, and its tags say from the first moment whose it is: a crash between the create and
//! the next observation does no harm. Data goes before the project does, since afterwards little tells whose it was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::crd::identifiers::ProductId;
use crate::crd::status::{MlopsProjectStatus, Placement, ProjectStatus, RepositoryStatus};
use crate::domain::external_resource::{Attempts, Decision, ExternalResource, Goal, ResourceKind, StepKey};
use crate::domain::identity::Identity;
use crate::domain::links;
use crate::domain::problem::{Left, Problem};
use crate::domain::project::{ParameterValue, Project, RepositoryRole};
use crate::resources::artifact_bucket::ObjectVersion;
use crate::resources::catalog::ProvisioningTarget;

mod absent;
mod desired;
mod failed;
mod present;
mod product;
pub mod seed_code;
#[cfg(test)]
mod tests;

pub use desired::judged_for;
use seed_code::BundledArchive;

/// The project's name in intents.
pub const RESOURCE: &str = "SagemakerProject";

/// The id that was written down when the project was launched, or seen to be launched from our product.
pub fn recorded(attempts: &Attempts) -> Option<&str> {
    attempts.recorded_id(RESOURCE)
}

pub struct SagemakerProject;

/// What it should be.
#[derive(Clone)]
pub struct Desired {
    pub name: String,
    pub description: String,
    /// The product that it is launched from; cannot change.
    pub product_id: ProductId,
    /// The version of that product.
    pub artifact_id: String,
    /// The template's parameters, without the two that SageMaker fills in.
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Which of them name archives that the operator bundles.
    pub bundled: Vec<BundledArchive>,
    /// The user's tags with the record of their keys, ownership and fingerprint.
    pub tags: BTreeMap<String, String>,
    /// Of version and parameters, secrets included; archives that the operator bundles count as such, whichever they are.
    pub fingerprint: String,
    /// What keeps it from being launched.
    pub problem: Option<Problem>,
}

/// What was seen of it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The project of that name, whoever's it is; also the record of one that was deleted.
    pub project: Option<ObservedProject>,
    /// What users put into it, if it is to be deleted with it. `None`: not observed, it stays.
    pub data: Option<Data>,
}

/// A project of that name.
#[derive(Clone, Debug)]
pub struct ObservedProject {
    /// `p-…`.
    pub id: String,
    pub arn: String,
    /// Empty if there is none.
    pub description: String,
    pub status: Status,
    /// The first cause of a failure; empty otherwise, and where AWS gives none.
    pub cause: String,
    /// What a creation that failed has left, since the template retains it.
    pub left: Vec<Left>,
    /// The product that it was launched from; none where it was not launched through Service Catalog.
    pub product_id: Option<ProductId>,
    /// Whether that product carries our mark; false where that was not asked.
    pub of_our_product: bool,
    /// The version asked for last.
    pub artifact_id: Option<String>,
    /// The parameters given last, without those that SageMaker fills in.
    pub parameters: BTreeMap<String, String>,
    /// Its tags; empty on the record of a deleted one.
    pub tags: BTreeMap<String, String>,
    /// Id of the provisioned product that it was launched as, once there is one.
    pub provisioned_id: Option<String>,
    /// How that stands; `None`: not asked.
    pub provisioned: Option<ProvisionedProduct>,
    /// When it was made.
    pub created: Timestamp,
    /// When its status changed last.
    pub modified: Timestamp,
    /// What became of its seed code; `None` where that was not observed.
    pub seeded: Option<Seeded>,
}

/// The provisioned product behind a project, as Service Catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionedProduct {
    /// `pp-…`.
    pub id: String,
    pub status: ProductStatus,
    /// What Service Catalog says of it.
    pub message: String,
    /// ARN and status of its stack, asked for only where something is wrong with the product.
    pub stack: Option<(String, String)>,
}

/// `ProvisionedProductStatus` of Service Catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductStatus {
    Available,
    UnderChange,
    Tainted,
    Error,
    PlanInProgress,
    /// There is none any more: somebody terminated it.
    Terminated,
    /// One that the operator does not know.
    Unknown(String),
}

impl ProductStatus {
    /// The status of that name.
    pub fn parse(name: &str) -> Self {
        match name {
            "AVAILABLE" => Self::Available,
            "UNDER_CHANGE" => Self::UnderChange,
            "TAINTED" => Self::Tainted,
            "ERROR" => Self::Error,
            "PLAN_IN_PROGRESS" => Self::PlanInProgress,
            other => Self::Unknown(other.to_owned()),
        }
    }
}

/// `ProjectStatus` of SageMaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    CreateInProgress,
    CreateCompleted,
    CreateFailed,
    UpdateInProgress,
    UpdateCompleted,
    UpdateFailed,
    DeleteInProgress,
    DeleteFailed,
    /// The record of a project that is gone.
    DeleteCompleted,
    /// One that the operator does not know.
    Unknown(String),
}

impl Status {
    /// The status of that name.
    pub fn parse(name: &str) -> Self {
        match name {
            "Pending" => Self::Pending,
            "CreateInProgress" => Self::CreateInProgress,
            "CreateCompleted" => Self::CreateCompleted,
            "CreateFailed" => Self::CreateFailed,
            "UpdateInProgress" => Self::UpdateInProgress,
            "UpdateCompleted" => Self::UpdateCompleted,
            "UpdateFailed" => Self::UpdateFailed,
            "DeleteInProgress" => Self::DeleteInProgress,
            "DeleteFailed" => Self::DeleteFailed,
            "DeleteCompleted" => Self::DeleteCompleted,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// Whether SageMaker is working on it.
    pub fn in_progress(&self) -> bool {
        matches!(self, Self::Pending | Self::CreateInProgress | Self::UpdateInProgress | Self::DeleteInProgress)
    }

    /// Whether AWS may have told a cause for how it stands.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::CreateFailed | Self::UpdateFailed | Self::DeleteFailed)
    }
}

/// What users put into the project, as far as it is seen to be this project's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// The model package group with its tags.
    pub group: Option<Tagged>,
    /// ARNs of the models registered in it, or of the first hundred.
    pub packages: Vec<String>,
    /// Whether there are more models.
    pub more_packages: bool,
    /// The project's bucket with its tags.
    pub bucket: Option<Tagged>,
    /// What is in the bucket, or the first part of it: every version of every object.
    pub versions: Vec<ObjectVersion>,
    /// Whether there are more versions.
    pub more_versions: bool,
}

/// A resource of the project's stack, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    pub name: String,
    pub tags: BTreeMap<String, String>,
}

/// What can be done to it.
#[derive(Clone)]
pub enum Action {
    Create(Box<Desired>),
    /// Changes its description and, if given, version and parameters.
    Update {
        description: String,
        /// The version and all parameters.
        provisioning: Option<(String, BTreeMap<String, ParameterValue>)>,
    },
    /// Puts tags on the project of that ARN.
    Tag(String, BTreeMap<String, String>),
    /// Takes tags off the project of that ARN.
    Untag(String, BTreeSet<String>),
    /// Deletes registered models, by ARN.
    DeletePackages(Vec<String>),
    /// Deletes the model package group.
    DeleteGroup(String),
    /// Deletes these versions of objects in the bucket.
    DeleteVersions(String, Vec<ObjectVersion>),
    DeleteBucket(String),
    Delete,
    /// Nothing is done outside: the id of the project goes into the status.
    Remember(String),
}

/// The SageMaker project, as jobs and trigger need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProjectRef {
    /// `p-…`, 1-20 characters.
    pub project_id: String,
    pub project_arn: String,
    /// Name, 1-32 characters.
    pub project_name: String,
    /// `<name>-<id>`.
    pub model_package_group: String,
    /// The project's own bucket: `sagemaker-project-<id>`.
    pub bucket: String,
}

/// The SageMaker project as it was seen, and what became of its seed code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provisioned {
    /// For jobs and trigger.
    pub project_ref: ProjectRef,
    /// Id of its provisioned product, after which its stack is named.
    pub provisioned_id: Option<String>,
    /// What became of it; `None` while AWS is working on the project.
    pub seeded: Option<Seeded>,
}

/// What became of the seed code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seeded {
    /// When AWS last changed the project: it may be different after that.
    pub as_of: String,
    /// Name of a repository in `spec.repositories`, and a sentence; only of those that were to get seed code.
    pub repositories: BTreeMap<String, String>,
}

/// The names that follow from a project's name and id, as its template makes them.
pub fn project_ref(name: &str, id: &str, arn: &str) -> ProjectRef {
    ProjectRef {
        project_id: id.to_owned(),
        project_arn: arn.to_owned(),
        project_name: name.to_owned(),
        model_package_group: group_name(name, id),
        bucket: bucket_name(id),
    }
}

/// The model package group of a project.
pub fn group_name(name: &str, id: &str) -> String {
    format!("{name}-{id}")
}

/// The bucket of a project.
pub fn bucket_name(id: &str) -> String {
    format!("sagemaker-project-{id}")
}

impl ExternalResource for SagemakerProject {
    const KIND: ResourceKind = ResourceKind::SagemakerProject;
    type Declared = Project;
    type Inputs = ProvisioningTarget;
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Provisioned;

    fn desired(project: &Project, inputs: &ProvisioningTarget) -> Desired {
        desired::desired(project, inputs)
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        observed: &Observed,
        now: Timestamp,
        attempts: &Attempts,
    ) -> Decision<Action, Provisioned> {
        match goal {
            Goal::Present(desired) => present::decide(id, desired, observed, now, attempts),
            Goal::Absent => absent::decide(id, observed, now, attempts),
        }
    }

    fn key(action: &Action) -> StepKey {
        match action {
            Action::Create(_) => StepKey::new("CreateProject", &[]),
            Action::Update { description, provisioning } => {
                let (artifact_id, parameters) = match provisioning {
                    Some((artifact_id, parameters)) => (artifact_id.as_str(), Some(parameters)),
                    None => ("", None),
                };
                StepKey::new("UpdateProject", &[artifact_id]).with_contents(&(description, parameters))
            }
            Action::Tag(_, tags) => StepKey::new("AddTags", &[]).with_contents(tags),
            Action::Untag(_, keys) => StepKey::new("DeleteTags", &[]).with_contents(keys),
            Action::DeletePackages(arns) => StepKey::new("DeleteModelPackage", &[]).with_contents(arns),
            Action::DeleteGroup(name) => StepKey::new("DeleteModelPackageGroup", &[name]),
            // A bucket is emptied page by page: each page begins with another version.
            Action::DeleteVersions(name, versions) => {
                let first = versions.first().map_or(["", ""], |first| [first.key.as_str(), first.id.as_str()]);
                StepKey::new("DeleteObjectVersions", &[name, first[0], first[1]])
            }
            Action::DeleteBucket(name) => StepKey::new("DeleteBucket", &[name]),
            Action::Delete => StepKey::new("DeleteProject", &[]),
            Action::Remember(id) => StepKey::new("Remember", &[id]),
        }
    }

    fn left_behind(observed: &Observed) -> Vec<Left> {
        observed.project.as_ref().map(|project| project.left.clone()).unwrap_or_default()
    }

    fn exists(observed: &Observed) -> bool {
        observed.project.as_ref().is_some_and(|project| project.status != Status::DeleteCompleted)
    }

    fn show(placement: &Placement, output: Option<&Provisioned>, status: &mut MlopsProjectStatus) {
        status.project = output.map(|output| shown(placement, output, status.project.as_ref()));
    }

    fn whereabouts(placement: &Placement, _status: &MlopsProjectStatus) -> Option<String> {
        let Placement { project_name, account_id, region, .. } = placement;
        Some(format!("SageMaker project \"{project_name}\" in account {account_id}, {region}"))
    }
}

/// What the status shows: where AWS is working on the same project, what an earlier observation said of its seed code.
fn shown(placement: &Placement, output: &Provisioned, before: Option<&ProjectStatus>) -> ProjectStatus {
    let Provisioned { project_ref, provisioned_id, seeded } = output;
    let Placement { account_id, region, .. } = placement;
    let before = before.filter(|before| before.id == project_ref.project_id);
    let (last_modified, repositories) = match (seeded, before) {
        (Some(seeded), _) => (Some(seeded.as_of.clone()), seeded.statuses()),
        (None, Some(before)) => (before.last_modified.clone(), before.repositories.clone()),
        (None, None) => (None, Vec::new()),
    };
    let provisioned_product_id =
        provisioned_id.clone().or_else(|| before.and_then(|before| before.provisioned_product_id.clone()));
    // Service Catalog names a stack after the account and the provisioned product.
    let stack = |id: &String| links::stack_events(region, &format!("SC-{account_id}-{id}"));
    ProjectStatus {
        id: project_ref.project_id.clone(),
        arn: project_ref.project_arn.clone(),
        bucket: project_ref.bucket.clone(),
        model_package_group: project_ref.model_package_group.clone(),
        studio_url: Some(links::studio(region)),
        stack_events_url: provisioned_product_id.as_ref().map(stack),
        provisioned_product_id,
        last_modified,
        repositories,
    }
}

impl Seeded {
    fn statuses(&self) -> Vec<RepositoryStatus> {
        let said = |role: &RepositoryRole| {
            let seed_code = self.repositories.get(role.name())?.clone();
            Some(RepositoryStatus { name: role.name().to_owned(), seed_code })
        };
        RepositoryRole::ALL.iter().filter_map(said).collect()
    }
}
