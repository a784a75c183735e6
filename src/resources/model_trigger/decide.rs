//! What to do in each status of the stack. Every `StackStatus` that CloudFormation knows has its move here
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).

use std::time::Duration;

use jiff::Timestamp;

use super::{Action, CONTINUE, Desired, Failure, Request, SECRET_PARAMETER, Stack, Trigger, attempted, token};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Change, Decision, Step, Wait};
use crate::domain::identity::{FINGERPRINT_TAG, Identity, digest};
use crate::domain::time::elapsed;

type Move = Decision<Action, Trigger>;

/// How long to leave an update alone that was rolled back, if nothing changes.
const ROLLED_BACK_REST: Duration = Duration::from_hours(1);
/// How long to leave a failed deletion or a failed continuation of a rollback alone.
const FAILED_REST: Duration = Duration::from_mins(10);
/// How long to wait after the first failed creation; doubled after each further one.
const CREATION_REST: Duration = Duration::from_mins(1);
/// After how many failed creations a person is asked.
const CREATIONS: u32 = 4;
/// How long to wait between creations from then on.
const CREATION_CAP: Duration = Duration::from_hours(1);

/// There is no stack, and there should be.
pub(super) fn missing(id: &Identity, desired: &Desired, now: Timestamp, attempts: &Attempts) -> Move {
    if let Some(stuck) = oversize(desired) {
        return stuck;
    }
    let name = id.trigger_stack_name();
    let reason = if attempts.failed_creations > 0 { Reason::StackFailed } else { Reason::Missing };
    // By name, a stack exists once at most: the moment may be in the token, since a repeated create is refused.
    let request = request(id, desired, &format!("create {now}"));
    Decision::Act(vec![Step::new(Action::Create(request), Change::Create, reason, format!("create stack \"{name}\""))])
}

/// A stack of our name belongs to somebody else.
pub(super) fn foreign(id: &Identity) -> Move {
    Decision::stuck(
        Reason::ForeignOwner,
        format!("the stack \"{}\" exists and does not carry our owner tag", id.trigger_stack_name()),
        "delete or rename that stack if nobody needs it",
    )
}

/// There is a stack of ours, and there should be.
pub(super) fn present(id: &Identity, desired: &Desired, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    let name = id.trigger_stack_name();
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => settled(id, desired, stack),
        "UPDATE_ROLLBACK_COMPLETE" => rolled_back(id, desired, stack, now, attempts),
        "UPDATE_FAILED" => failed_update(id, desired, stack, now, attempts),
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => failed_creation(id, stack, now, attempts),
        "UPDATE_ROLLBACK_FAILED" => continue_rollback(id, stack, now, attempts),
        "DELETE_FAILED" => failed_deletion(id, stack, now, attempts),
        // A change set of somebody's that was never executed: there is nothing in the stack yet.
        "REVIEW_IN_PROGRESS" => delete(id, stack, Reason::Drifted),
        "IMPORT_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_FAILED" => Decision::stuck(
            Reason::StackFailed,
            format!("somebody's import into the stack \"{name}\" failed: {}", stack.status),
            "finish or undo the import in CloudFormation, or delete the stack: it is made again then",
        ),
        _ => in_progress(id, stack),
    }
}

/// There is a stack of ours, and there should not be.
pub(super) fn absent(id: &Identity, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    match stack.status.as_str() {
        "DELETE_FAILED" => failed_deletion(id, stack, now, attempts),
        // A creation can be broken off; an update cannot.
        "CREATE_IN_PROGRESS" | "REVIEW_IN_PROGRESS" => delete(id, stack, Reason::Deleting),
        status if status.ends_with("_IN_PROGRESS") => in_progress(id, stack),
        status if KNOWN_AT_REST.contains(&status) => delete(id, stack, Reason::Deleting),
        _ => in_progress(id, stack),
    }
}

const KNOWN_AT_REST: &[&str] = &[
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
];

fn in_progress(id: &Identity, stack: &Stack) -> Move {
    let name = id.trigger_stack_name();
    let (reason, doing) = match stack.status.as_str() {
        "CREATE_IN_PROGRESS" => (Reason::Progressing, "is being created".to_owned()),
        "UPDATE_IN_PROGRESS" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => {
            (Reason::Progressing, "is being updated".to_owned())
        }
        "DELETE_IN_PROGRESS" => (Reason::Deleting, "is being deleted".to_owned()),
        "ROLLBACK_IN_PROGRESS" => (Reason::StackFailed, format!("could not be created: {}", cause(stack))),
        "UPDATE_ROLLBACK_IN_PROGRESS" | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => {
            (Reason::StackRolledBack, format!("could not be updated: {}", cause(stack)))
        }
        "IMPORT_IN_PROGRESS" | "IMPORT_ROLLBACK_IN_PROGRESS" => {
            (Reason::Progressing, "takes part in somebody's import".to_owned())
        }
        unknown => {
            return Decision::stuck(
                Reason::Unexpected,
                format!("the stack \"{name}\" is in a status that the operator does not know: {unknown}"),
                "bring the stack to rest, or upgrade the operator",
            );
        }
    };
    let message = format!("the stack \"{name}\" {doing}");
    Decision::Wait(Wait::new("operation", reason, message).since(stack.since))
}

fn in_sync(desired: &Desired, stack: &Stack) -> Move {
    Decision::InSync(Trigger { stack_id: stack.id.clone(), shares_credentials: desired.shared })
}

/// A stack that rests: as declared, or to be updated.
fn settled(id: &Identity, desired: &Desired, stack: &Stack) -> Move {
    match difference(desired, stack) {
        None => in_sync(desired, stack),
        Some((reason, what)) => update(id, desired, stack, reason, what),
    }
}

fn update(id: &Identity, desired: &Desired, stack: &Stack, reason: Reason, what: &str) -> Move {
    if let Some(stuck) = oversize(desired) {
        return stuck;
    }
    let name = id.trigger_stack_name();
    let request = Request {
        // A stack whose last update failed and was not rolled back takes no other update.
        keep_what_succeeds: stack.status == "UPDATE_FAILED",
        ..request(id, desired, &format!("{} {}", stack.id, stack.since))
    };
    Decision::Act(vec![Step::new(
        Action::Update(request),
        Change::Update,
        reason,
        format!("update stack \"{name}\" ({what})"),
    )])
}

/// What tells the stack from what is declared: why, and what in words.
fn difference(desired: &Desired, stack: &Stack) -> Option<(Reason, &'static str)> {
    let applied = stack.tags.get(FINGERPRINT_TAG).map(String::as_str);
    if applied != Some(desired.fingerprint.as_str()) {
        let spec = |fingerprint: &str| fingerprint.split('.').next().unwrap_or_default().to_owned();
        return match applied {
            None => Some((Reason::Drifted, "its fingerprint is missing")),
            Some(applied) if spec(applied) == spec(&desired.fingerprint) => {
                Some((Reason::SecretChanged, "the Jenkins credentials"))
            }
            Some(_) => Some((Reason::SpecChanged, "what the spec says")),
        };
    }
    let visible = stack.parameters.iter().filter(|(name, _)| *name != SECRET_PARAMETER);
    if !visible.eq(desired.parameters.iter()) {
        return Some((Reason::Drifted, "its parameters"));
    }
    if stack.tags != desired.tags {
        return Some((Reason::Drifted, "its tags"));
    }
    // A role once given to a stack cannot be taken from it, only exchanged.
    if desired.role_arn.is_some() && stack.role_arn.as_deref() != desired.role_arn.as_deref() {
        return Some((Reason::Drifted, "its role"));
    }
    None
}

/// An update failed and the stack is as it was before.
fn rolled_back(id: &Identity, desired: &Desired, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    match difference(desired, stack) {
        // What is declared now is what the stack went back to.
        None => in_sync(desired, stack),
        Some((reason, what)) if worth_another_try(desired, stack, now, attempts) => {
            update(id, desired, stack, reason, what)
        }
        Some(_) => not_updated(id, stack, Reason::StackRolledBack, "is as before"),
    }
}

/// An update failed that somebody began without rollback: the stack shows the new parameters and tags, whatever its
/// resources are.
fn failed_update(id: &Identity, desired: &Desired, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    if !worth_another_try(desired, stack, now, attempts) {
        return not_updated(id, stack, Reason::StackFailed, "was not rolled back");
    }
    let (reason, what) = difference(desired, stack).unwrap_or((Reason::StackFailed, "its last update failed"));
    update(id, desired, stack, reason, what)
}

/// The same update is not tried again before something changes, or an hour has passed.
fn worth_another_try(desired: &Desired, stack: &Stack, now: Timestamp, attempts: &Attempts) -> bool {
    let same = attempted(stack).is_none_or(|fingerprint| fingerprint == desired.fingerprint);
    let ended = stack.failure.as_ref().map_or(stack.since, |failure| failure.at);
    !same || attempts.asked_anew || elapsed(ended, now) >= ROLLED_BACK_REST
}

fn not_updated(id: &Identity, stack: &Stack, shown: Reason, state: &str) -> Move {
    let name = id.trigger_stack_name();
    Decision::stuck(
        shown,
        format!("the stack \"{name}\" could not be updated and {state}: {}", cause(stack)),
        "remove the cause, or change the spec; the update is tried again every hour",
    )
}

/// Such a stack can only be deleted. The next creation waits ever longer.
fn failed_creation(id: &Identity, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    let name = id.trigger_stack_name();
    let message = format!("the stack \"{name}\" could not be created: {}", cause(stack));
    let Some(last) = attempts.last_failed_creation.filter(|_| attempts.failed_creations > 0) else {
        return delete(id, stack, Reason::StackFailed);
    };
    let given_up = attempts.failed_creations >= CREATIONS;
    let rest = if given_up { CREATION_CAP } else { CREATION_REST * 2_u32.pow(attempts.failed_creations - 1) };
    if elapsed(last, now) >= rest {
        return delete(id, stack, Reason::StackFailed);
    }
    if given_up {
        let hint = "remove the cause; the stack is made again every hour".to_owned();
        return Decision::stuck(Reason::StackFailed, message, hint);
    }
    Decision::Wait(Wait::new("rest", Reason::StackFailed, message).since(last))
}

fn continue_rollback(id: &Identity, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    let name = id.trigger_stack_name();
    let continued = |failure: &&Failure| failure.token.as_deref().is_some_and(|token| token.starts_with(CONTINUE));
    if let Some(failure) = stack.failure.as_ref().filter(continued)
        && elapsed(failure.at, now) < FAILED_REST
        && !attempts.asked_anew
    {
        return Decision::stuck(
            Reason::StackRollbackFailed,
            format!("the rollback of the stack \"{name}\" failed: {}", cause(stack)),
            "remove the cause; the rollback is continued every ten minutes",
        );
    }
    let token = format!("{CONTINUE}{}", from(id, stack));
    let action = Action::ContinueRollback { stack_id: stack.id.clone(), token };
    let summary = format!("continue the rollback of stack \"{name}\"");
    Decision::Act(vec![Step::new(action, Change::Update, Reason::StackRollbackFailed, summary)])
}

fn failed_deletion(id: &Identity, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    let ended = stack.failure.as_ref().map_or(stack.since, |failure| failure.at);
    if attempts.asked_anew || elapsed(ended, now) >= FAILED_REST {
        return delete(id, stack, Reason::StackDeleteFailed);
    }
    Decision::stuck(
        Reason::StackDeleteFailed,
        format!("the stack \"{}\" could not be deleted: {}", id.trigger_stack_name(), cause(stack)),
        "remove what is in the way; the deletion is tried again every ten minutes",
    )
}

fn delete(id: &Identity, stack: &Stack, reason: Reason) -> Move {
    let summary = match reason {
        Reason::StackFailed => {
            format!("delete stack \"{}\", which could not be created: {}", id.trigger_stack_name(), cause(stack))
        }
        _ => format!("delete stack \"{}\"", id.trigger_stack_name()),
    };
    let token = format!("mlops-delete-{}", from(id, stack));
    let step = Step::new(Action::Delete { stack_id: stack.id.clone(), token }, Change::Delete, reason, summary);
    let failed = reason == Reason::StackFailed;
    Decision::Act(vec![if failed { step.clearing_failed_creation() } else { step }])
}

/// Stands for the state that an operation starts from.
fn from(id: &Identity, stack: &Stack) -> String {
    let ended = stack.failure.as_ref().map_or(stack.since, |failure| failure.at);
    digest(&[&id.owner.hash(), &stack.id, &stack.status, &ended.to_string()])[..40].to_owned()
}

fn request(id: &Identity, desired: &Desired, from: &str) -> Request {
    Request {
        parameters: desired.parameters.clone(),
        secret: desired.secret.clone(),
        tags: desired.tags.clone(),
        role_arn: desired.role_arn.clone(),
        keep_what_succeeds: false,
        token: token(id, &desired.fingerprint, from),
    }
}

fn oversize(desired: &Desired) -> Option<Move> {
    let length = desired.oversize?;
    Some(Decision::stuck(
        Reason::CaBundleInvalid,
        format!(
            "Jenkins credentials and CA bundle have {length} bytes together; a stack parameter takes {}",
            super::PARAMETER_LIMIT
        ),
        "keep only the certificate of Jenkins's own CA in the CA bundle",
    ))
}

fn cause(stack: &Stack) -> &str {
    stack.failure.as_ref().map_or("CloudFormation's events do not say why", |failure| failure.cause.as_str())
}
