//! The model route: an object in the artifact bucket that says which jobs the model trigger's function starts for events
//! of the project's model package group. A group without one starts nothing. An object of another owner, or without an
//! owner's mark, is never touched; nor is what the function writes down beside it.

use jiff::Timestamp;
use serde_json::json;

use crate::crd::identifiers::Sha256;
use crate::crd::status::{MlopsProjectStatus, Placement};
use crate::domain::external_resource::{Attempts, Decision, ExternalResource, Goal, ResourceKind, StepKey};
use crate::domain::identity::{Identity, Ownership};
use crate::domain::project::{Project, RepositoryRole};
use crate::resources::artifact_bucket::{ROUTES, ReadyBucket};
use crate::resources::jenkins_jobs::item_path;
use crate::resources::sagemaker_project::ProjectRef;

mod decide;
#[cfg(test)]
mod tests;

/// The version of what is written: the function refuses one that it does not know.
const VERSION: u32 = 1;
/// What the id of a SageMaker project begins with.
const PROJECT_ID: &str = "p-";

pub struct ModelRoute;

/// What it is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inputs {
    /// Where it lies.
    pub bucket: ReadyBucket,
    pub project_ref: ProjectRef,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Its key.
    pub key: String,
    /// A JSON object.
    pub body: String,
    /// Of its content.
    pub sha256: Sha256,
    /// The owner's mark.
    pub mark: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The objects that may be routes of this project, at some time of its life.
    pub objects: Vec<ObservedObject>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedObject {
    pub key: String,
    /// What S3 verified at upload, if it keeps that.
    pub sha256: Option<Sha256>,
    /// The mark in its metadata.
    pub mark: Option<String>,
    /// Its entity tag: what is done to it is done to this content alone.
    pub etag: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Writes the object where there is none.
    Create(Desired),
    /// Writes it in the place of the content with this entity tag.
    Replace(Desired, String),
    Delete {
        key: String,
        /// Entity tag of the content that is deleted.
        etag: String,
    },
}

/// The route as it exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Its key in the artifact bucket.
    pub key: String,
}

impl ExternalResource for ModelRoute {
    const KIND: ResourceKind = ResourceKind::ModelRoute;
    type Declared = Project;
    type Inputs = Inputs;
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Route;

    fn desired(project: &Project, inputs: &Inputs) -> Desired {
        let (id, project_ref) = (&project.identity, &inputs.project_ref);
        let settings = project.model_trigger.clone().unwrap_or_default();
        let jobs: Vec<_> = settings.jobs.iter().map(|role| job(id, *role, project_ref)).collect();
        let body = json!({
            "version": VERSION,
            "owner": format!("{}/{}", id.owner.namespace, id.owner.name),
            "projectId": project_ref.project_id,
            "projectName": project_ref.project_name,
            "modelPackageGroup": project_ref.model_package_group,
            "approvalStatuses": settings.approval_statuses,
            "jobs": jobs,
        })
        .to_string();
        let group = &project_ref.model_package_group;
        let key = key(id, group);
        Desired { mark: id.route_mark(group), sha256: Sha256::of(body.as_bytes()), key, body }
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        observed: &Observed,
        _now: Timestamp,
        _attempts: &Attempts,
    ) -> Decision<Action, Route> {
        match goal {
            Goal::Present(desired) => decide::present(id, desired, observed),
            Goal::Absent => decide::absent(id, observed),
        }
    }

    fn key(action: &Action) -> StepKey {
        match action {
            Action::Create(desired) => StepKey::new("PutRoute", &[&desired.key, &desired.sha256]),
            Action::Replace(desired, etag) => StepKey::new("PutRoute", &[&desired.key, &desired.sha256, etag]),
            Action::Delete { key, etag } => StepKey::new("DeleteRoute", &[key, etag]),
        }
    }

    fn exists(observed: &Observed) -> bool {
        !observed.objects.is_empty()
    }

    fn whereabouts(placement: &Placement, status: &MlopsProjectStatus) -> Option<String> {
        let group = status.project.as_ref().map_or("(of unknown name)", |project| &project.model_package_group);
        let Placement { bucket, account_id, region, .. } = placement;
        Some(format!("model route of group {group} in bucket \"{bucket}\" in account {account_id}, {region}"))
    }
}

/// A job as the function reads it: a name that it keeps its claims by, and its path below Jenkins' URL.
fn job(id: &Identity, role: RepositoryRole, project_ref: &ProjectRef) -> serde_json::Value {
    let name = role.job_name(&project_ref.project_name, &project_ref.project_id);
    let path = item_path(&[id.placement.jenkins_folder.as_slice(), &[name]].concat());
    json!({"name": role.name(), "path": path.trim_start_matches('/')})
}

/// The key of a group's route.
fn key(id: &Identity, group: &str) -> String {
    format!("{}{group}.json", all_routes(id))
}

/// What the keys of the routes of all projects on the same platform begin with.
pub fn all_routes(id: &Identity) -> String {
    format!("{}{ROUTES}", id.bucket_prefix())
}

/// What the keys of all routes begin with that a SageMaker project of the project's name may have.
pub fn folder(id: &Identity) -> String {
    format!("{}{}-{PROJECT_ID}", all_routes(id), id.placement.project_name)
}

/// The group whose route has this key, if the project may have or have had it: its id follows the name, and has no further
/// part, as that of a project whose name only begins alike.
pub fn group_of(id: &Identity, key: &str) -> Option<String> {
    let rest = key.strip_prefix(&folder(id))?.strip_suffix(".json")?;
    let plain = !rest.is_empty() && rest.bytes().all(|sign| sign.is_ascii_alphanumeric());
    plain.then(|| format!("{}-{PROJECT_ID}{rest}", id.placement.project_name))
}

/// Whose an object is.
fn whose(id: &Identity, object: &ObservedObject) -> Ownership {
    match (&object.mark, group_of(id, &object.key)) {
        (Some(mark), Some(group)) => id.route_ownership(&group, mark),
        _ => Ownership::Unmarked,
    }
}
