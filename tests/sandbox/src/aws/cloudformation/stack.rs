//! A stack as data: what it was made from, its resources, its events, and the operation that is going on. How it
//! moves from one status to the next stands in `lifecycle`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers::Answer;
use super::bring::Wanted;
use super::change_sets::ChangeSet;
use super::drift::Detection;
use super::evaluate::{Made, Pseudo};
use super::order::Dependencies;
use super::parameters::{MASK, Values};
use super::template::{Retention, Template};
use crate::aws::Caller;
use crate::world::World;

/// What a stack is made from.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    /// Shared: a stack is copied each time that somebody looks at it.
    pub(super) template: Arc<Template>,
    pub(super) parameters: Values,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) capabilities: Vec<String>,
    pub(super) notification_arns: Vec<String>,
}

impl Applied {
    /// Whether an update from one to the other would change anything.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.template.source == other.template.source
            && self.parameters == other.parameters
            && self.tags == other.tags
            && self.notification_arns == other.notification_arns
    }

    /// Parameters as people see them.
    pub(super) fn shown_parameters(&self) -> Vec<Value> {
        let masked = |key: &String| self.template.parameters.get(key).is_some_and(|parameter| parameter.no_echo);
        self.parameters
            .iter()
            .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": if masked(key) { MASK } else { value }}))
            .collect()
    }
}

/// What happens when the creation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFailure {
    Rollback,
    DoNothing,
    Delete,
}

/// A resource of a stack.
#[derive(Clone, Debug)]
pub(super) struct StackResource {
    pub(super) kind: String,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
    pub(super) updated: Timestamp,
    /// Absent until the thing exists.
    pub(super) made: Option<Made>,
    /// As it was last brought about, stack tags included.
    pub(super) properties: Value,
    pub(super) deletion: Retention,
    pub(super) replacement: Retention,
    pub(super) needs: BTreeSet<String>,
}

/// One line of a stack's history.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) logical_id: String,
    pub(super) physical_id: String,
    pub(super) kind: String,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
    pub(super) properties: Option<String>,
    pub(super) token: Option<String>,
}

/// What an operation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Create,
    Rollback,
    Update,
    Cleanup,
    UpdateRollback,
    UpdateRollbackCleanup,
    Delete,
}

/// How to take back a step of an update.
#[derive(Clone, Debug)]
pub(super) enum Undo {
    Created(String),
    Updated(String, StackResource),
    Replaced(String, StackResource),
}

impl Undo {
    pub(super) fn logical_id(&self) -> &str {
        match self {
            Self::Created(name) | Self::Updated(name, _) | Self::Replaced(name, _) => name,
        }
    }
}

/// A custom resource whose function has been asked and has not answered yet.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) name: String,
    /// What the thing is called, or would be if the function said nothing about it.
    pub(super) physical_id: String,
    /// What the function was sent.
    pub(super) event: Value,
    pub(super) purpose: Purpose,
    /// How it answers, where a test says so.
    pub(super) script: Option<Answer>,
}

/// What an answer is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// The resource comes about, from what it was before.
    Bring(Box<Wanted>, Option<Box<StackResource>>),
    /// A step of an update is taken back.
    TakeBack(Box<Undo>),
    /// The resource goes with its stack.
    Remove,
    /// What an update has left over goes.
    CleanUp(Box<StackResource>),
}

/// An operation, from its request until the stack rests. It stays for what may follow a failure.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    /// Tells the wakes of this operation from those of one that it replaced.
    pub(super) number: u64,
    pub(super) phase: Phase,
    pub(super) slice: Duration,
    pub(super) token: Option<String>,
    pub(super) todo: VecDeque<String>,
    /// Custom resources whose functions are at work.
    pub(super) pending: Vec<Pending>,
    /// Whether nothing goes on until one of them answers.
    pub(super) idle: bool,
    pub(super) needs: Dependencies,
    pub(super) announced: BTreeSet<String>,
    pub(super) failed: Vec<String>,
    pub(super) previous: Option<Applied>,
    /// Why the operation fails at its first step.
    pub(super) refused: Option<String>,
    pub(super) undo: Vec<Undo>,
    /// Physical things that have been replaced or are no longer declared.
    pub(super) leftovers: Vec<(String, StackResource)>,
    pub(super) retain: BTreeSet<String>,
    pub(super) force: bool,
}

/// A stack, which stays known by its id after its deletion.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) created: Timestamp,
    pub(super) updated: Option<Timestamp>,
    pub(super) deleted: Option<Timestamp>,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
    /// Whether it has ever come to a state that a rollback can go back to.
    pub(super) stable: bool,
    pub(super) applied: Applied,
    pub(super) resources: BTreeMap<String, StackResource>,
    pub(super) outputs: Vec<Value>,
    pub(super) events: Vec<Event>,
    pub(super) role_arn: Option<String>,
    pub(super) disable_rollback: bool,
    pub(super) on_failure: OnFailure,
    pub(super) protected: bool,
    pub(super) policy: Option<String>,
    /// Who acts: the stack's role, or whoever asked for the operation.
    pub(super) actor: Caller,
    pub(super) operation: Option<Operation>,
    pub(super) operations: u64,
    pub(super) change_sets: Vec<ChangeSet>,
    /// The change set that made the stack or was executed last.
    pub(super) change_set_id: Option<String>,
    /// Oldest first.
    pub(super) detections: Vec<Detection>,
}

impl Stack {
    /// Whether it is gone.
    pub(super) fn gone(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// The stack's own facts, for its template.
    pub(super) fn pseudo(&self) -> Pseudo {
        Pseudo {
            account: self.account.clone(),
            region: self.region.clone(),
            stack_name: self.name.clone(),
            stack_id: self.id.clone(),
            notification_arns: self.applied.notification_arns.clone(),
        }
    }

    /// What the finished resources give to others.
    pub(super) fn made(&self) -> BTreeMap<String, Made> {
        self.resources.iter().filter_map(|(name, resource)| Some((name.clone(), resource.made.clone()?))).collect()
    }

    /// Sets the stack's status, with an event.
    pub(super) fn turn(&mut self, world: &mut World, status: &'static str, reason: Option<String>) {
        self.status = status;
        self.stable |= ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&status);
        self.reason.clone_from(&reason);
        self.settle_change_sets();
        let event = Event {
            id: world.ids.uuid(),
            at: world.now,
            logical_id: self.name.clone(),
            physical_id: self.id.clone(),
            kind: "AWS::CloudFormation::Stack".into(),
            status,
            reason,
            properties: None,
            token: self.operation.as_ref().and_then(|operation| operation.token.clone()),
        };
        self.events.push(event);
    }

    /// Writes an event of a resource, whose status it becomes where the resource is still there.
    pub(super) fn tell(&mut self, world: &World, name: &str, about: &Told<'_>) {
        if let Some(resource) = self.resources.get_mut(name) {
            resource.status = about.status;
            resource.reason = about.reason.map(str::to_owned);
            resource.updated = world.now;
        }
        self.note(world, name, about);
    }

    /// Writes an event of a thing that is no longer, or not yet, a resource of the stack.
    pub(super) fn note(&mut self, world: &World, name: &str, about: &Told<'_>) {
        self.events.push(Event {
            id: format!("{name}-{}-{}", about.status, world.now.as_millisecond() + self.events.len() as i64),
            at: world.now,
            logical_id: name.to_owned(),
            physical_id: about.physical_id.to_owned(),
            kind: about.kind.to_owned(),
            status: about.status,
            reason: about.reason.map(str::to_owned),
            properties: about.properties.map(str::to_owned),
            token: self.operation.as_ref().and_then(|operation| operation.token.clone()),
        });
    }
}

/// What an event says of a resource.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) kind: &'a str,
    pub(super) status: &'static str,
    pub(super) physical_id: &'a str,
    pub(super) reason: Option<&'a str>,
    pub(super) properties: Option<&'a str>,
}
