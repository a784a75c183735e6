//! What to do so that the project is gone, and its data with it where that is wanted.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::present::{passed, step, told};
use super::{Action, Data, Observed, SeenProject, Status, Tagged};
use crate::crd::status::Reason;
use crate::domain::identity::Identity;
use crate::domain::report::SLOW_RETRY;
use crate::domain::resource::{Attempts, Change, Decision, Step};
use crate::resources::outputs::Provisioned;

type Move = Decision<Action, Provisioned>;

pub(super) fn decide(id: &Identity, seen: &Observed, now: Timestamp, tried: &Attempts) -> Move {
    let name = &id.placement.project_name;
    let Some(project) = &seen.project else { return Decision::Gone };
    let data = seen.data.as_ref().map(|data| clear(id, project, data)).unwrap_or_default();
    if project.status == Status::DeleteCompleted {
        return if data.is_empty() { Decision::Gone } else { Decision::Act(data) };
    }
    if id.foreign(&project.tags) {
        return Decision::Gone;
    }
    let wait = |doing: &str, since: Timestamp| Decision::Wait {
        why: Reason::Deleting,
        message: format!("SageMaker is {doing} the project"),
        since: Some(since),
        early: None,
    };
    match &project.status {
        Status::Pending | Status::CreateInProgress => wait("still creating", project.created),
        Status::UpdateInProgress => wait("still updating", project.modified),
        Status::DeleteInProgress => wait("deleting", project.modified),
        Status::Unknown(_) => unknown(name, project),
        _ if !data.is_empty() => Decision::Act(data),
        Status::DeleteFailed => delete_failed(name, project, now, tried),
        _ => Decision::Act(vec![delete(name, Reason::Deleting)]),
    }
}

fn delete(name: &str, because: Reason) -> Step<Action> {
    step(Action::Delete, Change::Delete, because, format!("delete SageMaker project {name:?}"))
}

/// A deletion that failed is tried again slowly: what is in the way must go first.
pub(super) fn delete_failed(name: &str, project: &SeenProject, now: Timestamp, tried: &Attempts) -> Move {
    if tried.asked_anew || passed(project.modified, now, SLOW_RETRY) {
        return Decision::Act(vec![delete(name, Reason::ProjectDeleteFailed)]);
    }
    Decision::Stuck {
        why: Reason::ProjectDeleteFailed,
        message: told(&format!("SageMaker could not delete the project {name:?}"), &project.cause),
        hint:
            "remove what is in the way (the launch role must still exist); the operator tries again every ten minutes"
                .to_owned(),
    }
}

/// A status that AWS has added since.
pub(super) fn unknown(name: &str, project: &SeenProject) -> Move {
    let status = match &project.status {
        Status::Unknown(status) => status.as_str(),
        _ => "a status that contradicts itself",
    };
    Decision::Stuck {
        why: Reason::Unexpected,
        message: format!("the SageMaker project {name:?} is in status {status}, which the operator does not know"),
        hint: "look at the project in the AWS console, and upgrade the operator".to_owned(),
    }
}

/// Whether a thing is this project's. While the project exists, its own tags have said whose it is, and the thing
/// must carry the project's name and id. Once it is gone, the thing itself must say whose it is: a record that is
/// left of some other project of that name must not cost its owner the data.
fn belongs(id: &Identity, project: &SeenProject, tags: &BTreeMap<String, String>) -> bool {
    let says = |key: &str, value: &str| tags.get(key).is_some_and(|text| text == value);
    says("sagemaker:project-id", &project.id)
        && says("sagemaker:project-name", &id.placement.project_name)
        && (project.status != Status::DeleteCompleted || id.owns(tags))
}

/// What deletes the data: registered models before their group, objects before their bucket.
fn clear(id: &Identity, project: &SeenProject, data: &Data) -> Vec<Step<Action>> {
    let ours = |thing: &&Tagged| belongs(id, project, &thing.tags);
    let mut steps = Vec::new();
    let mut push =
        |action: Action, summary: String| steps.push(step(action, Change::Delete, Reason::Deleting, summary));
    if let Some(group) = data.group.as_ref().filter(ours) {
        if !data.packages.is_empty() {
            let summary = format!("delete the models registered in group {:?}", group.name);
            push(Action::DeletePackages(data.packages.clone()), summary);
        }
        push(Action::DeleteGroup(group.name.clone()), format!("delete model package group {:?}", group.name));
    }
    if let Some(bucket) = data.bucket.as_ref().filter(ours) {
        push(Action::EmptyBucket(bucket.name.clone()), format!("delete everything in bucket {:?}", bucket.name));
        push(Action::DeleteBucket(bucket.name.clone()), format!("delete bucket {:?}", bucket.name));
    }
    steps
}
