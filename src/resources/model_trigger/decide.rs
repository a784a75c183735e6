//! What to do in each status of the stack. Every `StackStatus` that CloudFormation knows has its move here
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).

use jiff::Timestamp;

use super::{
    Action, CONTINUE, Desired, Failure, RESOURCE, Request, SECRET_PARAMETER, Stack, Trigger, attempted, token,
};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Change, Decision, Step, Wait};
use crate::domain::identity::{FINGERPRINT_TAG, Identity, Owned, digest};
use crate::domain::problem::Problem;
use crate::domain::requeue::rests_until;
use crate::domain::tags;

type Move = Decision<Action, Trigger>;

/// After how many failed creations a person is asked.
const CREATIONS: u32 = 3;

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
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => settled(id, desired, stack, attempts),
        "UPDATE_ROLLBACK_COMPLETE" => rolled_back(id, desired, stack, now, attempts),
        "UPDATE_FAILED" => failed_update(id, desired, stack, now, attempts),
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => failed_creation(id, desired, stack, now, attempts),
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

/// As declared, once its ARN is written down: a mark that is taken off later does not make it another's.
fn remembered(desired: &Desired, stack: &Stack, attempts: &Attempts) -> Move {
    let Some(intent) = attempts.to_record(RESOURCE, &stack.id) else { return in_sync(desired, stack) };
    let summary = format!("write down that stack {} is ours", stack.id);
    let step = Step::new(Action::Remember(stack.id.clone()), Change::Update, Reason::Drifted, summary);
    Decision::Act(vec![step.with_intent(intent)])
}

fn in_sync(desired: &Desired, stack: &Stack) -> Move {
    Decision::InSync(Trigger { stack_id: stack.id.clone(), shares_credentials: desired.shared, queues: None })
}

/// A stack that rests: as declared, or to be updated.
fn settled(id: &Identity, desired: &Desired, stack: &Stack, attempts: &Attempts) -> Move {
    match difference(desired, stack) {
        None => remembered(desired, stack, attempts),
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
        // An update replaces all tags.
        tags: tags::merged(Owned::Stack, &desired.tags, &stack.tags),
        ..request(id, desired, &format!("{} {}", stack.id, stack.since))
    };
    let summary = format!("update stack \"{name}\" ({what})");
    let step = Step::new(Action::Update(request), Change::Update, reason, summary);
    let failed = stack.failure.is_some() && tried(desired, stack);
    Decision::Act(vec![if failed { step.retrying_failure() } else { step }])
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
    if tags::differ(Owned::Stack, &desired.tags, &stack.tags) {
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
        Some((reason, what)) => match update_rests(desired, stack, now, attempts) {
            None => update(id, desired, stack, reason, what),
            Some(until) => not_updated(id, stack, Reason::StackRolledBack, "is as before", until),
        },
    }
}

/// An update failed that somebody began without rollback: the stack shows the new parameters and tags, whatever its
/// resources are.
fn failed_update(id: &Identity, desired: &Desired, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    if let Some(until) = update_rests(desired, stack, now, attempts) {
        return not_updated(id, stack, Reason::StackFailed, "was not rolled back", until);
    }
    let (reason, what) = difference(desired, stack).unwrap_or((Reason::StackFailed, "its last update failed"));
    update(id, desired, stack, reason, what)
}

/// Whether the last operation tried what is declared now.
fn tried(desired: &Desired, stack: &Stack) -> bool {
    attempted(stack).is_none_or(|fingerprint| fingerprint == desired.fingerprint)
}

/// When the last operation came to rest.
fn ended(stack: &Stack) -> Timestamp {
    stack.failure.as_ref().map_or(stack.since, |failure| failure.at)
}

/// Until when what has failed `failures` times in a row is left alone; `None`: it is time, or somebody has asked for it.
fn rests(stack: &Stack, failures: u32, now: Timestamp, attempts: &Attempts) -> Option<Timestamp> {
    // An operation that AWS takes for none leaves the stack's times as they were.
    let from = attempts.last_act.map_or(ended(stack), |act| act.max(ended(stack)));
    rests_until(failures, from, now).filter(|_| !attempts.asked_anew)
}

/// Until when the update that failed is not tried again: at once where something else is declared now, else ever later.
fn update_rests(desired: &Desired, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Option<Timestamp> {
    rests(stack, attempts.failed_changes + 1, now, attempts).filter(|_| tried(desired, stack))
}

fn not_updated(id: &Identity, stack: &Stack, shown: Reason, state: &str, until: Timestamp) -> Move {
    let name = id.trigger_stack_name();
    let problem = Problem::new(
        shown,
        format!("the stack \"{name}\" could not be updated and {state}: {}", cause(stack)),
        "remove the cause, or change the spec; the update is tried again by itself, ever more slowly",
    );
    Decision::Stuck(problem.until(until))
}

/// Such a stack can only be deleted. The next creation waits ever longer.
fn failed_creation(id: &Identity, desired: &Desired, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    let failures = attempts.failed_creations + 1;
    let Some(until) = rests(stack, failures, now, attempts).filter(|_| tried(desired, stack)) else {
        return delete(id, stack, Reason::StackFailed);
    };
    let message = format!("the stack \"{}\" could not be created: {}", id.trigger_stack_name(), cause(stack));
    if failures >= CREATIONS {
        let hint = "remove the cause; the stack is made again by itself, ever more slowly";
        return Decision::Stuck(Problem::new(Reason::StackFailed, message, hint).until(until));
    }
    Decision::Wait(Wait::new("rest", Reason::StackFailed, message).since(ended(stack)).until(until))
}

fn continue_rollback(id: &Identity, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    let name = id.trigger_stack_name();
    let continued = |failure: &&Failure| failure.token.as_deref().is_some_and(|token| token.starts_with(CONTINUE));
    let again = stack.failure.as_ref().filter(continued).is_some();
    if let Some(until) = rests(stack, attempts.failed_changes + 1, now, attempts).filter(|_| again) {
        let message = format!("the rollback of the stack \"{name}\" failed: {}", cause(stack));
        let hint = "remove the cause; the rollback is continued by itself, ever more slowly";
        return Decision::Stuck(Problem::new(Reason::StackRollbackFailed, message, hint).until(until));
    }
    let token = format!("{CONTINUE}{}", from(id, stack));
    let action = Action::ContinueRollback { stack_id: stack.id.clone(), token };
    let summary = format!("continue the rollback of stack \"{name}\"");
    let step = Step::new(action, Change::Update, Reason::StackRollbackFailed, summary);
    Decision::Act(vec![if again { step.retrying_failure() } else { step }])
}

fn failed_deletion(id: &Identity, stack: &Stack, now: Timestamp, attempts: &Attempts) -> Move {
    let Some(until) = rests(stack, attempts.failed_changes + 1, now, attempts) else {
        return delete(id, stack, Reason::StackDeleteFailed);
    };
    let message = format!("the stack \"{}\" could not be deleted: {}", id.trigger_stack_name(), cause(stack));
    let hint = "remove what is in the way; the deletion is tried again by itself, ever more slowly";
    Decision::Stuck(Problem::new(Reason::StackDeleteFailed, message, hint).until(until))
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
    Decision::Act(vec![match reason {
        Reason::StackFailed => step.clearing_failed_creation(),
        Reason::StackDeleteFailed => step.retrying_failure(),
        _ => step,
    }])
}

/// Stands for the state that an operation starts from.
fn from(id: &Identity, stack: &Stack) -> String {
    digest(&[&id.owner.hash(), &stack.id, &stack.status, &ended(stack).to_string()])[..40].to_owned()
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
