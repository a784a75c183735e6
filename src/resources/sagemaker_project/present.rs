//! What to do so that the project is as declared.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::failed::{delete, delete_failed, rests, told, unknown};
use super::product;
use super::{
    Action, Desired, Observed, ObservedProject, Provisioned, RESOURCE, Seeded, Status, project_ref, recorded, seed_code,
};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Change, Decision, Step, Wait};
use crate::domain::identity::{FINGERPRINT_TAG, Identity, Owned, Ownership};
use crate::domain::problem::{Left, Problem};
use crate::domain::project::ParameterValue;
use crate::domain::tags;

type Move = Decision<Action, Provisioned>;

/// After how many creations that leave something behind it is not tried again by itself.
const CREATIONS_THAT_LEAVE: u32 = 3;

pub(super) fn decide(
    id: &Identity,
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
    attempts: &Attempts,
) -> Move {
    if let Some(problem) = &desired.problem {
        return Decision::Stuck(problem.clone());
    }
    let Some(project) = observed.project.as_ref().filter(|project| project.status != Status::DeleteCompleted) else {
        return Decision::Act(vec![Step::new(
            Action::Create(Box::new(desired.clone())),
            Change::Create,
            Reason::Missing,
            format!("create SageMaker project {:?}", desired.name),
        )]);
    };
    match id.ownership_of(Owned::Project, &project.tags, recorded(attempts) == Some(project.id.as_str())) {
        Ownership::Ours => {}
        Ownership::Claimed => {
            return Decision::Stuck(Problem::claimed(&format!("SageMaker project {:?}", desired.name)));
        }
        Ownership::Foreign | Ownership::Unmarked => {
            return Decision::stuck(
                Reason::ForeignOwner,
                format!("the SageMaker project {:?} exists and belongs to somebody else", desired.name),
                "choose another spec.projectName, or delete that project",
            );
        }
    }
    let early = Some(known(&desired.name, project, None));
    match &project.status {
        Status::Pending | Status::CreateInProgress => wait("SageMaker is creating the project", project.created, early),
        Status::UpdateInProgress => wait("SageMaker is updating the project", project.modified, early),
        Status::DeleteInProgress => wait("SageMaker is deleting the project", project.modified, None),
        Status::CreateFailed => create_failed(desired, project, now, attempts),
        Status::UpdateFailed => update_failed(desired, project, now, attempts),
        Status::DeleteFailed => delete_failed(&desired.name, project, now, attempts),
        Status::CreateCompleted | Status::UpdateCompleted => {
            let unfit = product::unfit(&desired.name, project, early);
            let unfit = unfit.or_else(|| product::rests(&desired.name, project, now, attempts));
            unfit.unwrap_or_else(|| settled(desired, project, attempts))
        }
        Status::DeleteCompleted | Status::Unknown(_) => unknown(&desired.name, project),
    }
}

fn wait(message: &str, since: Timestamp, early: Option<Provisioned>) -> Move {
    Decision::Wait(Wait::new("operation", Reason::Progressing, message).since(since).early(early))
}

fn asked_for_something_else(desired: &Desired, project: &ObservedProject) -> bool {
    project.tags.get(FINGERPRINT_TAG) != Some(&desired.fingerprint)
}

/// Deletes what could not be created, to make it again: at once when the spec has changed since, else ever more slowly.
fn create_failed(desired: &Desired, project: &ObservedProject, now: Timestamp, attempts: &Attempts) -> Move {
    let failures = attempts.failed_creations + 1;
    let anew = attempts.asked_anew || asked_for_something_else(desired, project);
    let what = told(&format!("SageMaker could not create the project {:?}", desired.name), &project.cause);
    if !anew && !attempts.left_behind.is_empty() && failures >= CREATIONS_THAT_LEAVE {
        return leaves_too_much(&what, attempts);
    }
    if anew || rests(project, failures, now).is_none() {
        let left = match project.left.as_slice() {
            [] => String::new(),
            left => format!("; AWS leaves behind what its template retains: {}", Left::list(left)),
        };
        let summary = format!("delete SageMaker project {:?}, which could not be created{left}", desired.name);
        let step = Step { summary, ..delete(&desired.name, Reason::ProjectFailed) };
        return Decision::Act(vec![step.clearing_failed_creation()]);
    }
    let hint = match seed_code::checked_in(&project.cause) {
        true => {
            "correct the repository, its branch, connection or archive in spec.repositories, or ask for no seed code (seedCode.source: None); the operator then deletes what is left and creates the project again, and also by itself, ever more slowly"
        }
        false => {
            "remove the cause; the operator then deletes what is left and creates the project again, ever more slowly"
        }
    };
    Decision::Stuck(Problem::new(Reason::ProjectFailed, what, hint).until(rests(project, failures, now).unwrap_or(now)))
}

/// Each creation that fails leaves what the template retains: it is for a person to remove, and to say when to go on.
fn leaves_too_much(what: &str, attempts: &Attempts) -> Move {
    let left: Vec<&Left> = attempts.left_behind.iter().collect();
    let names = left.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ");
    let commands: Vec<String> = left.iter().filter_map(|one| one.removal()).collect();
    let remove = match commands.as_slice() {
        [] => "remove what is left".to_owned(),
        commands => format!("remove what is left ({})", commands.join("; ")),
    };
    Decision::stuck(
        Reason::ProjectFailed,
        format!(
            "{what}; the template retains resources, so each try has left some behind, and it is not tried again by itself: {names}"
        ),
        format!(
            "remove the cause, use DeletionPolicy: RetainExceptOnCreate in the template, {remove}, and then ask for a reconcile (annotation mlops-operator.io/reconcile-requested-at) or change the spec"
        ),
    )
}

fn update_failed(desired: &Desired, project: &ObservedProject, now: Timestamp, attempts: &Attempts) -> Move {
    let rests = rests(project, attempts.failed_changes + 1, now);
    let Some(until) = rests.filter(|_| !attempts.asked_anew && !asked_for_something_else(desired, project)) else {
        return settled(desired, project, attempts);
    };
    let problem = Problem::new(
        Reason::ProjectUpdateFailed,
        told(&format!("SageMaker could not update the project {:?}", desired.name), &project.cause),
        "remove the cause or change the spec; the operator tries again by itself, ever more slowly",
    );
    Decision::Stuck(problem.until(until))
}

/// What differs between the project and the spec, once nothing is in progress.
fn settled(desired: &Desired, project: &ObservedProject, attempts: &Attempts) -> Move {
    if project.product_id.as_ref() != Some(&desired.product_id) {
        let from = project.product_id.as_deref().unwrap_or("no product of Service Catalog");
        return Decision::stuck(
            Reason::ImmutableRemote,
            format!(
                "the SageMaker project {:?} was launched from {from}, the spec asks for {}, and SageMaker cannot change that",
                desired.name, desired.product_id
            ),
            "delete the SageMaker project, so that it is created again from the product, or restore the product",
        );
    }
    // Launched from our product, so it is ours: its id says so later, whatever becomes of the product.
    let mut steps: Vec<_> = remember(&project.id, attempts).into_iter().collect();
    let parameters = seed_code::kept(desired, project);
    let provisioning = provisioning_change(desired, project, &parameters);
    let described = desired.description != project.description;
    if provisioning.is_some() || described {
        let what = match (provisioning, described) {
            (Some(_), true) => "version, parameters and description",
            (Some(_), false) => "version and parameters",
            (None, _) => "description",
        };
        let update = Action::Update {
            description: desired.description.clone(),
            provisioning: provisioning.map(|_| (desired.artifact_id.clone(), parameters)),
        };
        let summary = format!("update {what} of SageMaker project {:?}", desired.name);
        let step = Step::new(update, Change::Update, provisioning.unwrap_or(Reason::SpecChanged), summary);
        let again = provisioning == Some(Reason::ProjectUpdateFailed);
        steps.push(if again { step.retrying_failure() } else { step });
    }
    steps.extend(retag(desired, project));
    if steps.is_empty() {
        return Decision::InSync(known(&desired.name, project, project.seeded.clone()));
    }
    Decision::Act(steps)
}

/// What is handed on of a project.
fn known(name: &str, project: &ObservedProject, seeded: Option<Seeded>) -> Provisioned {
    let project_ref = project_ref(name, &project.id, &project.arn);
    Provisioned { project_ref, provisioned_id: project.provisioned_id.clone(), seeded }
}

/// Writes the project's id down, unless it is.
fn remember(id: &str, attempts: &Attempts) -> Option<Step<Action>> {
    let intent = attempts.to_record(RESOURCE, id)?;
    let action = Action::Remember(id.to_owned());
    let step =
        Step::new(action, Change::Update, Reason::Drifted, format!("write down that SageMaker project {id} is ours"));
    Some(step.with_intent(intent))
}

/// Why version and parameters must be given again, if they must.
fn provisioning_change(
    desired: &Desired,
    project: &ObservedProject,
    parameters: &BTreeMap<String, ParameterValue>,
) -> Option<Reason> {
    if asked_for_something_else(desired, project) {
        return Some(Reason::SpecChanged);
    }
    // A failed update has left resources as they were before: only another update can change that.
    if project.status == Status::UpdateFailed || product::is_tainted(project) {
        return Some(Reason::ProjectUpdateFailed);
    }
    // A sealed value may come back masked: the fingerprint speaks for it.
    let differs = parameters.iter().any(|(name, value)| match value {
        ParameterValue::Plain(text) => project.parameters.get(name) != Some(text),
        ParameterValue::Sealed(_) => !project.parameters.contains_key(name),
    });
    let further = project.parameters.keys().any(|name| !parameters.contains_key(name));
    (differs || further || project.artifact_id.as_ref() != Some(&desired.artifact_id)).then_some(Reason::Drifted)
}

/// Tags to put on and to take off. The fingerprint is among them: it follows the update that it speaks of.
fn retag(desired: &Desired, project: &ObservedProject) -> Vec<Step<Action>> {
    let mut steps = Vec::new();
    let outlived = tags::outlived(Owned::Project, &desired.tags, &project.tags);
    if !outlived.is_empty() {
        let summary = format!("remove tags {} from SageMaker project {:?}", names(&outlived), desired.name);
        steps.push(Step::new(
            Action::Untag(project.arn.clone(), outlived),
            Change::Update,
            Reason::SpecChanged,
            summary,
        ));
    }
    let mut missing = desired.tags.clone();
    missing.retain(|key, value| project.tags.get(key) != Some(value));
    if !missing.is_empty() {
        let summary = format!("set tags {} of SageMaker project {:?}", names(missing.keys()), desired.name);
        steps.push(Step::new(Action::Tag(project.arn.clone(), missing), Change::Update, Reason::Drifted, summary));
    }
    steps
}

fn names<'a>(keys: impl IntoIterator<Item = &'a String>) -> String {
    keys.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
