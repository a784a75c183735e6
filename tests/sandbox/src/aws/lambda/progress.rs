//! What takes time about a function, and which of its states a caller means: State and LastUpdateStatus, revisions,
//! qualifiers. Apart from the functions themselves because permissions and invocations ask the same questions. It changes
//! no function.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Function, invalid, name_of};
use crate::aws::{Call, Refusal};
use crate::world::World;

/// The one version that functions have here.
pub(super) const LATEST: &str = "$LATEST";
/// What Lambda says while a function is being made, and while it is being changed too.
const REASON: &str = "The function is being created.";

/// How far a function has come. Until a change is over, the function has another revision than afterwards
/// (github.com/aws/aws-sdk/issues/377).
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// From when on it is Active.
    active: Timestamp,
    /// From when on its last update is done.
    updated: Timestamp,
    /// The revision until then, and from then on.
    revisions: (String, String),
}

impl Progress {
    /// A function begins to be.
    pub(super) fn begin(world: &mut World) -> Self {
        let active = world.after(world.settings.lambda_update);
        Self { active, updated: Timestamp::UNIX_EPOCH, revisions: revisions(world) }
    }

    /// A function that is Active begins to change.
    pub(super) fn change(world: &mut World) -> Self {
        let updated = world.after(world.settings.lambda_update);
        Self { active: Timestamp::UNIX_EPOCH, updated, revisions: revisions(world) }
    }

    /// Whatever is going on is over.
    pub(super) fn settle(&mut self) {
        (self.active, self.updated) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    }

    /// What does not take time has changed, such as the resource policy.
    pub(super) fn revise(&mut self, revision: String) {
        self.revisions = (revision.clone(), revision);
    }

    /// The revision as it is now.
    pub(super) fn revision(&self, now: Timestamp) -> &str {
        let over = self.active.max(self.updated) <= now;
        if over { &self.revisions.1 } else { &self.revisions.0 }
    }

    /// Puts the states into a function's configuration (Lambda Developer Guide, "Lambda function states").
    pub(super) fn show(&self, shown: &mut Value, now: Timestamp) {
        let pending = now < self.active;
        let updating = now < self.updated;
        let reason = |here: bool, text: &str| if here { json!(text) } else { Value::Null };
        shown["RevisionId"] = json!(self.revision(now));
        shown["State"] = json!(if pending { "Pending" } else { "Active" });
        shown["StateReason"] = reason(pending, REASON);
        shown["StateReasonCode"] = reason(pending, "Creating");
        shown["LastUpdateStatus"] = match (pending, updating) {
            (true, _) => Value::Null,
            (false, true) => json!("InProgress"),
            (false, false) => json!("Successful"),
        };
        shown["LastUpdateStatusReason"] = reason(updating, REASON);
        shown["LastUpdateStatusReasonCode"] = reason(updating, "Creating");
    }
}

fn revisions(world: &mut World) -> (String, String) {
    let first = world.ids.uuid();
    let second = if world.settings.lambda_update.is_zero() { first.clone() } else { world.ids.uuid() };
    (first, second)
}

impl Function {
    /// Refuses what cannot be done with a function that is only being made.
    ///
    /// # Errors
    /// `ResourceConflictException`.
    pub(super) fn active(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.progress.active <= now {
            return Ok(());
        }
        Err(busy("The function is currently in the following state: Pending".to_owned()))
    }

    /// Refuses a change of a function that is only being made or changed.
    ///
    /// # Errors
    /// `ResourceConflictException`.
    pub(super) fn changeable(&self, now: Timestamp) -> Result<(), Refusal> {
        self.active(now)?;
        if self.progress.updated <= now {
            return Ok(());
        }
        Err(busy(format!("An update is in progress for resource: {}", self.arn)))
    }

    /// Refuses a call that was meant for another revision; `reader` is the operation that gives the right one.
    ///
    /// # Errors
    /// `PreconditionFailedException`.
    pub(super) fn is_revision(&self, call: &Call<'_>, now: Timestamp, reader: &str) -> Result<(), Refusal> {
        let wanted = call.text("RevisionId");
        if wanted.is_empty() || wanted == self.progress.revision(now) {
            return Ok(());
        }
        let message = format!(
            "The Revision Id provided does not match the latest Revision Id. Call the {reader} API to retrieve the latest Revision Id"
        );
        Err(Refusal::new("PreconditionFailedException", message).with_status(412))
    }
}

fn busy(why: String) -> Refusal {
    let message = format!("The operation cannot be performed at this time. {why}");
    Refusal::new("ResourceConflictException", message).with_status(409)
}

/// The version or alias that a call names, in a member of its own or behind the function's name.
///
/// # Errors
/// `InvalidParameterValueException` where the two differ.
pub(super) fn qualifier<'a>(call: &Call<'a>) -> Result<Option<&'a str>, Refusal> {
    let text = |member: &str| call.input.get(member).and_then(Value::as_str).unwrap_or_default();
    let given = match text("FunctionName") {
        "" => text("Resource"),
        name => name,
    };
    let name = name_of(given);
    let behind = given.rsplit_once(':').map(|(_, last)| last).filter(|last| *last != name);
    match (behind, text("Qualifier")) {
        (behind, "") => Ok(behind),
        (Some(behind), own) if behind != own => {
            Err(invalid("The derived qualifier from the function name does not match the specified qualifier."))
        }
        (_, own) => Ok(Some(own)),
    }
}
