//! CloudFormation: evaluates the template text that it is given into resources, and fails, rolls back and deletes
//! as CloudFormation does, with events.
//!
//! ```text
//! template.rs   text → Template           parameters.rs  values and constraints
//! evaluate.rs   intrinsic functions       order.rs       dependencies, unresolved names, circles
//! request.rs    what a request must fulfil before anything starts
//! write.rs      operations that start something        read.rs   operations that look
//! rules.rs      what the template demands of its parameters taken together
//! stack.rs      the data     bring.rs  one resource     lifecycle.rs  forwards     undo.rs  backwards
//! custom.rs     resources that a function of the template's own brings about     answers.rs  what it says
//! change_sets.rs  what is worked out before it is done     changes.rs  what that would change
//! exports.rs    what stacks give to each other
//! drift.rs      whether things still are what their stack made them
//! resources/    one handler per resource type, over the other services' own APIs
//! ```
//!
//! Not known here, and refused: transforms, nested stacks, imports of resources, custom resources that are
//! reached through SNS.

pub(crate) mod answers;
mod bring;
mod change_sets;
mod changes;
mod custom;
mod drift;
mod evaluate;
mod exports;
mod lifecycle;
mod order;
mod parameters;
mod read;
mod request;
mod resources;
mod rules;
mod stack;
mod template;
mod undo;
mod write;

#[cfg(test)]
mod change_set_tests;
#[cfg(test)]
mod custom_tests;
#[cfg(test)]
mod drift_tests;
#[cfg(test)]
mod export_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Call, Outcome, Refusal};
use crate::world::{Due, World};
pub use answers::Answer;
pub(in crate::aws) use evaluate::partition;
use resources::Records;
use stack::Stack;

/// What exists in one region.
#[derive(Clone, Debug, Default)]
pub struct State {
    stacks: BTreeMap<String, Stack>,
    /// Client tokens, each with the digest of its request and the stack's id.
    tokens: BTreeMap<String, (String, String)>,
    records: Records,
    scripted: BTreeMap<String, VecDeque<String>>,
    answers: BTreeMap<String, VecDeque<Answer>>,
}

impl State {
    /// What bears tags here.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        let stacks = self.stacks.values().filter(|stack| !stack.gone());
        stacks.map(|stack| (stack.id.clone(), stack.applied.tags.clone())).collect()
    }

    /// Lets the next creation, update or deletion of this resource, in whichever stack, fail for this reason.
    /// Several calls for one resource line up.
    pub fn fail_next(&mut self, logical_id: &str, reason: &str) {
        self.scripted.entry(logical_id.to_owned()).or_default().push_back(reason.to_owned());
    }

    /// Lets the function of this custom resource, in whichever stack, answer so instead of being run when it is asked
    /// next. Several answers for one resource line up.
    pub fn answer_next(&mut self, logical_id: &str, answer: Answer) {
        self.answers.entry(logical_id.to_owned()).or_default().push_back(answer);
    }

    /// The living stack of this name or id.
    fn living(&self, name: &str) -> Option<&Stack> {
        self.stacks.values().find(|stack| !stack.gone() && (stack.name == name || stack.id == name))
    }

    /// What exists, as it stands: NoEcho values only as their SHA-256.
    pub fn dump(&self) -> Value {
        let stacks: Vec<Value> = self
            .stacks
            .values()
            .filter(|stack| !stack.gone())
            .map(|stack| {
                let parameters: BTreeMap<&String, String> = stack
                    .applied
                    .parameters
                    .iter()
                    .map(|(key, value)| {
                        let secret = stack.applied.template.parameters.get(key).is_some_and(|parameter| parameter.no_echo);
                        (key, if secret { format!("sha256:{}", hex::encode(Sha256::digest(value))) } else { value.clone() })
                    })
                    .collect();
                let resources: BTreeMap<&String, Value> = stack
                    .resources
                    .iter()
                    .map(|(name, resource)| (name, json!({"type": resource.kind, "status": resource.status, "id": resource.made.as_ref().map(|made| &made.physical_id)})))
                    .collect();
                json!({"id": stack.id, "name": stack.name, "status": stack.status, "tags": stack.applied.tags, "parameters": parameters, "resources": resources})
            })
            .collect();
        json!({"stacks": stacks, "records": resources::shown(&self.records)})
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "CreateStack" => write::create(world, call),
        "UpdateStack" => write::update(world, call),
        "DeleteStack" => write::delete(world, call),
        "ContinueUpdateRollback" => write::continue_rollback(world, call),
        "RollbackStack" => write::roll_back(world, call),
        "CancelUpdateStack" => write::cancel_update(world, call),
        "UpdateTerminationProtection" => write::protect(world, call),
        "SetStackPolicy" => write::set_policy(world, call),
        "GetStackPolicy" => read::policy(world, call),
        "CreateChangeSet" => change_sets::create(world, call),
        "DescribeChangeSet" => change_sets::describe(world, call),
        "ExecuteChangeSet" => change_sets::execute(world, call),
        "ListChangeSets" => change_sets::list(world, call),
        "DeleteChangeSet" => change_sets::delete(world, call),
        "DetectStackDrift" => drift::detect(world, call),
        "DescribeStackDriftDetectionStatus" => drift::status(world, call),
        "DescribeStackResourceDrifts" => drift::resources(world, call),
        "ListExports" => exports::list(world, call),
        "ListImports" => exports::list_imports(world, call),
        "DescribeStacks" => read::describe(world, call),
        "ListStacks" => read::list(world, call),
        "DescribeStackEvents" => read::events(world, call),
        "DescribeStackResources" => read::resources(world, call),
        "DescribeStackResource" => read::resource(world, call),
        "ListStackResources" => read::list_resources(world, call),
        "GetTemplate" => read::template(world, call),
        "GetTemplateSummary" => read::summary(world, call),
        "ValidateTemplate" => read::validate(world, call),
        other => Err(Refusal::new("InvalidAction", format!("The action {other} is not valid for this web service."))),
    }
}

/// Lets a scheduled thing happen: the next step of a stack's operation, or what a custom resource waits for.
pub fn wake(world: &mut World, due: &Due) {
    if let Some(at) = due.id.find(['?', '!']) {
        let (id, request) = (&due.id[..at], &due.id[at + 1..]);
        let sign = if due.id[at..].starts_with('!') { '!' } else { '?' };
        let wake = |world: &mut World, stack: &mut Stack| answers::wake(world, stack, sign, request);
        return custom::with(world, &due.account, &due.region, id, wake);
    }
    let Some((id, number)) = due.id.split_once('#') else { return };
    let state = &mut world.region(&due.account, &due.region).cloudformation;
    let current =
        |stack: &Stack| stack.operation.as_ref().is_some_and(|operation| operation.number.to_string() == number);
    // Taken out while it moves: its handlers get the world.
    if !state.stacks.get(id).is_some_and(current) {
        return;
    }
    let Some(mut stack) = state.stacks.remove(id) else { return };
    lifecycle::step(world, &mut stack);
    world.region(&due.account, &due.region).cloudformation.stacks.insert(stack.id.clone(), stack);
}
