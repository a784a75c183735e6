//! What to do in each status of the stack. Every `StackStatus` that CloudFormation knows has its move here
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html>).

use jiff::{SignedDuration, Timestamp};

use super::{Action, CONTINUE, Desired, Failure, Request, SECRET_PARAMETER, Stack, attempted, step, token};
use crate::crd::status::Reason;
use crate::domain::identity::{FINGERPRINT_TAG, Identity, digest};
use crate::domain::resource::{Attempts, Change, Decision};
use crate::resources::outputs::Trigger;

type Move = Decision<Action, Trigger>;

/// How long to leave an update alone that was rolled back, if nothing changes.
const ROLLED_BACK_REST: SignedDuration = SignedDuration::from_secs(3600);
/// How long to leave a failed deletion or a failed continuation of a rollback alone.
const FAILED_REST: SignedDuration = SignedDuration::from_secs(600);
/// How long to wait after the first failed creation; doubled after each further one.
const CREATION_REST: SignedDuration = SignedDuration::from_secs(60);
/// After how many failed creations a person is asked.
const CREATIONS: u32 = 4;
/// How long to wait between creations from then on.
const CREATION_CAP: SignedDuration = SignedDuration::from_secs(3600);

/// There is no stack, and there should be.
pub(super) fn missing(id: &Identity, desired: &Desired, now: Timestamp, tried: &Attempts) -> Move {
    if let Some(stuck) = oversize(desired) {
        return stuck;
    }
    let name = id.trigger_stack_name();
    let because = if tried.failed_creations > 0 { Reason::StackFailed } else { Reason::Missing };
    // By name, a stack exists once at most: the moment may be in the token, since a repeated create is refused.
    let request = request(id, desired, &format!("create {now}"));
    step(Change::Create, because, format!("create stack \"{name}\""), Action::Create(request))
}

/// A stack of our name belongs to somebody else.
pub(super) fn foreign(id: &Identity) -> Move {
    Decision::Stuck {
        why: Reason::ForeignOwner,
        message: format!("the stack \"{}\" exists and does not carry our owner tag", id.trigger_stack_name()),
        hint: "delete or rename that stack if nobody needs it".to_owned(),
    }
}

/// There is a stack of ours, and there should be.
pub(super) fn present(id: &Identity, desired: &Desired, stack: &Stack, now: Timestamp, tried: &Attempts) -> Move {
    let name = id.trigger_stack_name();
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => settled(id, desired, stack),
        "UPDATE_ROLLBACK_COMPLETE" => rolled_back(id, desired, stack, now, tried, Reason::StackRolledBack),
        "UPDATE_FAILED" => rolled_back(id, desired, stack, now, tried, Reason::StackFailed),
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => failed_creation(id, stack, now, tried),
        "UPDATE_ROLLBACK_FAILED" => continue_rollback(id, stack, now, tried),
        "DELETE_FAILED" => failed_deletion(id, stack, now, tried),
        // A change set of somebody's that was never executed: there is nothing in the stack yet.
        "REVIEW_IN_PROGRESS" => delete(id, stack, Reason::Drifted),
        "IMPORT_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_FAILED" => Decision::Stuck {
            why: Reason::StackFailed,
            message: format!("somebody's import into the stack \"{name}\" failed: {}", stack.status),
            hint: "finish or undo the import in CloudFormation, or delete the stack: it is made again then".to_owned(),
        },
        _ => in_progress(id, stack),
    }
}

/// There is a stack of ours, and there should not be.
pub(super) fn absent(id: &Identity, stack: &Stack, now: Timestamp, tried: &Attempts) -> Move {
    match stack.status.as_str() {
        "DELETE_FAILED" => failed_deletion(id, stack, now, tried),
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
    let (why, doing) = match stack.status.as_str() {
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
            return Decision::Stuck {
                why: Reason::Unexpected,
                message: format!("the stack \"{name}\" is in a status that the operator does not know: {unknown}"),
                hint: "bring the stack to rest, or upgrade the operator".to_owned(),
            };
        }
    };
    let message = format!("the stack \"{name}\" {doing}");
    Decision::Wait { why, message, since: Some(stack.since), early: None }
}

/// A stack that rests: as declared, or to be updated.
fn settled(id: &Identity, desired: &Desired, stack: &Stack) -> Move {
    match difference(desired, stack) {
        None => Decision::InSync(Trigger { stack_id: stack.id.clone() }),
        Some((because, what)) => update(id, desired, stack, because, what),
    }
}

fn update(id: &Identity, desired: &Desired, stack: &Stack, because: Reason, what: &str) -> Move {
    if let Some(stuck) = oversize(desired) {
        return stuck;
    }
    let name = id.trigger_stack_name();
    let request = request(id, desired, &format!("{} {}", stack.id, stack.since));
    step(Change::Update, because, format!("update stack \"{name}\" ({what})"), Action::Update(request))
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
    if desired.role_arn.is_some() && stack.role_arn != desired.role_arn {
        return Some((Reason::Drifted, "its role"));
    }
    None
}

/// An update failed and the stack is as it was before. The same update is not tried again before something changes,
/// or an hour has passed.
fn rolled_back(id: &Identity, desired: &Desired, stack: &Stack, now: Timestamp, tried: &Attempts, why: Reason) -> Move {
    let Some((because, what)) = difference(desired, stack) else {
        // What is declared now is what the stack went back to.
        return Decision::InSync(Trigger { stack_id: stack.id.clone() });
    };
    let same = attempted(stack).is_none_or(|tried| tried == desired.fingerprint);
    let ended = stack.failure.as_ref().map_or(stack.since, |failure| failure.at);
    if !same || tried.asked_anew || passed(ended, now) >= ROLLED_BACK_REST {
        return update(id, desired, stack, because, what);
    }
    let name = id.trigger_stack_name();
    Decision::Stuck {
        why,
        message: format!("the stack \"{name}\" could not be updated and is as before: {}", cause(stack)),
        hint: "remove the cause, or change the spec; the update is tried again every hour".to_owned(),
    }
}

/// Such a stack can only be deleted. The next creation waits ever longer.
fn failed_creation(id: &Identity, stack: &Stack, now: Timestamp, tried: &Attempts) -> Move {
    let name = id.trigger_stack_name();
    let message = format!("the stack \"{name}\" could not be created: {}", cause(stack));
    let Some(last) = tried.last_failed_creation.filter(|_| tried.failed_creations > 0) else {
        return delete(id, stack, Reason::StackFailed);
    };
    let given_up = tried.failed_creations >= CREATIONS;
    let rest = if given_up { CREATION_CAP } else { CREATION_REST * 2_i32.pow(tried.failed_creations - 1) };
    if passed(last, now) >= rest {
        return delete(id, stack, Reason::StackFailed);
    }
    if given_up {
        let hint = "remove the cause; the stack is made again every hour".to_owned();
        return Decision::Stuck { why: Reason::StackFailed, message, hint };
    }
    Decision::Wait { why: Reason::StackFailed, message, since: Some(last), early: None }
}

fn continue_rollback(id: &Identity, stack: &Stack, now: Timestamp, tried: &Attempts) -> Move {
    let name = id.trigger_stack_name();
    let continued = |failure: &&Failure| failure.token.as_deref().is_some_and(|token| token.starts_with(CONTINUE));
    if let Some(failure) = stack.failure.as_ref().filter(continued)
        && passed(failure.at, now) < FAILED_REST
        && !tried.asked_anew
    {
        return Decision::Stuck {
            why: Reason::StackRollbackFailed,
            message: format!("the rollback of the stack \"{name}\" failed: {}", cause(stack)),
            hint: "remove the cause; the rollback is continued every ten minutes".to_owned(),
        };
    }
    let token = format!("{CONTINUE}{}", from(id, stack));
    let action = Action::ContinueRollback { stack_id: stack.id.clone(), token };
    step(Change::Update, Reason::StackRollbackFailed, format!("continue the rollback of stack \"{name}\""), action)
}

fn failed_deletion(id: &Identity, stack: &Stack, now: Timestamp, tried: &Attempts) -> Move {
    let ended = stack.failure.as_ref().map_or(stack.since, |failure| failure.at);
    if tried.asked_anew || passed(ended, now) >= FAILED_REST {
        return delete(id, stack, Reason::StackDeleteFailed);
    }
    Decision::Stuck {
        why: Reason::StackDeleteFailed,
        message: format!("the stack \"{}\" could not be deleted: {}", id.trigger_stack_name(), cause(stack)),
        hint: "remove what is in the way; the deletion is tried again every ten minutes".to_owned(),
    }
}

fn delete(id: &Identity, stack: &Stack, because: Reason) -> Move {
    let summary = match because {
        Reason::StackFailed => {
            format!("delete stack \"{}\", which could not be created: {}", id.trigger_stack_name(), cause(stack))
        }
        _ => format!("delete stack \"{}\"", id.trigger_stack_name()),
    };
    let token = format!("mlops-delete-{}", from(id, stack));
    step(Change::Delete, because, summary, Action::Delete { stack_id: stack.id.clone(), token })
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
        token: token(id, &desired.fingerprint, from),
    }
}

fn oversize(desired: &Desired) -> Option<Move> {
    let length = desired.oversize?;
    Some(Decision::Stuck {
        why: Reason::CaBundleInvalid,
        message: format!(
            "Jenkins credentials and CA bundle have {length} bytes together; a stack parameter takes {}",
            super::PARAMETER_LIMIT
        ),
        hint: "keep only the certificate of Jenkins's own CA in the CA bundle".to_owned(),
    })
}

fn cause(stack: &Stack) -> &str {
    stack.failure.as_ref().map_or("CloudFormation's events do not say why", |failure| failure.cause.as_str())
}

fn passed(then: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(then)
}
