//! What to do so that the project is gone, and its data with it where that is wanted.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::failed::{delete, delete_failed, unknown};
use super::{Action, Data, Observed, ObservedProject, Provisioned, Status, Tagged};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Amount, Attempts, Change, Decision, Step, Wait};
use crate::domain::identity::{Identity, Owned, Ownership};
use crate::domain::problem::{Left, Problem};
use crate::resources::artifact_bucket::ObjectVersion;

type Move = Decision<Action, Provisioned>;

pub(super) fn decide(id: &Identity, observed: &Observed, now: Timestamp, attempts: &Attempts) -> Move {
    match absent(id, observed, now, attempts) {
        // Nothing will look for it once the object is gone.
        Decision::Gone if !attempts.left_behind.is_empty() => {
            let left: Vec<Left> = attempts.left_behind.iter().cloned().collect();
            Decision::GoneBut(format!(
                "what failed creations have left behind is not the operator's to remove, and stays unless somebody has removed it: {}",
                Left::list(&left)
            ))
        }
        other => other,
    }
}

fn absent(id: &Identity, observed: &Observed, now: Timestamp, attempts: &Attempts) -> Move {
    let name = &id.placement.project_name;
    let Some(project) = &observed.project else { return Decision::Gone };
    let data = observed.data.as_ref().map(|data| clear(id, project, data)).unwrap_or_default();
    if project.status == Status::DeleteCompleted {
        return if data.is_empty() { Decision::Gone } else { Decision::Act(data) };
    }
    let recorded = super::recorded(attempts) == Some(project.id.as_str());
    match id.ownership_of(Owned::Project, &project.tags, recorded) {
        Ownership::Ours => {}
        Ownership::Claimed => return Decision::Stuck(Problem::claimed(&format!("SageMaker project {name:?}"))),
        Ownership::Foreign if recorded => {
            return Decision::Stuck(Problem::taken_over(&format!("SageMaker project {name:?} ({})", project.id)));
        }
        Ownership::Foreign | Ownership::Unmarked => return Decision::Gone,
    }
    if !project.of_our_product && !recorded {
        return unproven(name, project);
    }
    let wait = |doing: &str, since: Timestamp| {
        let message = format!("SageMaker is {doing} the project");
        Decision::Wait(Wait::new("operation", Reason::Deleting, message).since(since))
    };
    match &project.status {
        Status::Pending | Status::CreateInProgress => wait("still creating", project.created),
        Status::UpdateInProgress => wait("still updating", project.modified),
        Status::DeleteInProgress => wait("deleting", project.modified),
        Status::Unknown(_) => unknown(name, project),
        _ if !data.is_empty() => Decision::Act(data),
        Status::DeleteFailed => delete_failed(name, project, now, attempts),
        _ => Decision::Act(vec![delete(name, Reason::Deleting)]),
    }
}

/// A mark alone can be copied: from a project that somebody made under this name before, onto the one that is there now.
fn unproven(name: &str, project: &ObservedProject) -> Move {
    let product = project.product_id.as_deref().unwrap_or("no product");
    Decision::stuck(
        Reason::OwnershipUnproven,
        format!(
            "SageMaker project {name:?} ({}) carries this object's mark, but its id was not written down, and {product}, which it was launched from, is not this object's product",
            project.id
        ),
        "find out who launched it; delete it by hand, or set deletionPolicy: Retain to leave it",
    )
}

/// Whether a resource is this project's. While the project exists, its own tags have said whose it is, and the resource
/// must carry the project's name and id. Once it is gone, the resource itself must say whose it is: a record that is
/// left of some other project of that name must not cost its owner the data.
fn belongs(id: &Identity, project: &ObservedProject, tags: &BTreeMap<String, String>) -> bool {
    let says = |key: &str, value: &str| tags.get(key).is_some_and(|text| text == value);
    says("sagemaker:project-id", &project.id)
        && says("sagemaker:project-name", &id.placement.project_name)
        && (project.status != Status::DeleteCompleted || id.ownership(Owned::Project, tags) == Ownership::Ours)
}

/// What deletes the data: registered models before their group, objects before their bucket, of both a page at a time.
fn clear(id: &Identity, project: &ObservedProject, data: &Data) -> Vec<Step<Action>> {
    let ours = |resource: &&Tagged| belongs(id, project, &resource.tags);
    let mut steps = Vec::new();
    let mut push = |action: Action, summary: String, amount: Amount| {
        steps.push(Step::new(action, Change::Delete, Reason::Deleting, summary).removing(amount));
    };
    let none = Amount::default();
    if let Some(group) = data.group.as_ref().filter(ours) {
        if !data.packages.is_empty() {
            let summary = format!("delete the models registered in group {:?}", group.name);
            let models = Amount { models: data.packages.len() as u64, ..none };
            push(Action::DeletePackages(data.packages.clone()), summary, models);
        }
        if !data.more_packages {
            push(Action::DeleteGroup(group.name.clone()), format!("delete model package group {:?}", group.name), none);
        }
    }
    if let Some(bucket) = data.bucket.as_ref().filter(ours) {
        if !data.versions.is_empty() {
            let summary = format!("delete versions of objects in bucket {:?}", bucket.name);
            let action = Action::DeleteVersions(bucket.name.clone(), data.versions.clone());
            push(action, summary, ObjectVersion::amount(&data.versions));
        }
        if !data.more_versions {
            push(Action::DeleteBucket(bucket.name.clone()), format!("delete bucket {:?}", bucket.name), none);
        }
    }
    steps
}
