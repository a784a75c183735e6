//! How a stack moves: one resource after the other, in the order of their dependencies, each in its slice of the
//! operation's time; and what follows when one of them fails. `undo` has the ways back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::Value;

use super::bring::{Brought, bring, outputs, physical_id};
use super::custom;
use super::exports;
use super::order::{self, Dependencies};
use super::stack::{Applied, OnFailure, Operation, Phase, Stack, StackResource, Told};
use super::undo;
use crate::world::{Due, Part, World};

/// Starts the creation of a stack whose request has been checked.
pub(super) fn create(world: &mut World, stack: &mut Stack, needs: Dependencies, token: Option<String>) {
    let todo = order::order(&needs).unwrap_or_default();
    begin(world, stack, Phase::Create, todo, token);
    if let Some(operation) = &mut stack.operation {
        operation.needs = needs;
    }
    stack.turn(world, "CREATE_IN_PROGRESS", Some("User Initiated".into()));
    if !refuse_imports(world, stack) {
        announce(world, stack);
    }
}

/// What nobody exports fails the whole stack, at its first step and before any resource (as AWS did it:
/// github.com/widdix/aws-s3-virusscan/issues/39). Gives whether there is such a thing.
fn refuse_imports(world: &mut World, stack: &mut Stack) -> bool {
    let missing = exports::missing(world, stack);
    let refused = missing.is_some();
    if let Some(operation) = &mut stack.operation {
        operation.refused = missing;
    }
    refused
}

/// Starts an update to what `stack.applied` now says; `previous` is what it said before.
pub(super) fn update(
    world: &mut World,
    stack: &mut Stack,
    previous: Applied,
    needs: Dependencies,
    token: Option<String>,
) {
    let todo = order::order(&needs).unwrap_or_default();
    begin(world, stack, Phase::Update, todo, token);
    if let Some(operation) = &mut stack.operation {
        operation.needs = needs;
        operation.previous = Some(previous);
    }
    stack.updated = Some(world.now);
    stack.turn(world, "UPDATE_IN_PROGRESS", Some("User Initiated".into()));
    refuse_imports(world, stack);
}

/// Starts the deletion of a stack.
pub(super) fn delete(
    world: &mut World,
    stack: &mut Stack,
    retain: BTreeSet<String>,
    force: bool,
    token: Option<String>,
) {
    custom::cancel(world, stack);
    let todo = reverse_order(&stack.resources);
    begin(world, stack, Phase::Delete, todo, token);
    if let Some(operation) = &mut stack.operation {
        operation.retain = retain;
        operation.force = force;
    }
    stack.turn(world, "DELETE_IN_PROGRESS", Some("User Initiated".into()));
}

/// Replaces whatever goes on by a new operation and schedules its first step.
fn begin(world: &mut World, stack: &mut Stack, phase: Phase, todo: Vec<String>, token: Option<String>) {
    stack.operations += 1;
    // The last slice of an update belongs to its cleanup.
    let slice = share(world.settings.stack, todo.len() + usize::from(phase == Phase::Update));
    stack.operation = Some(Operation {
        number: stack.operations,
        phase,
        slice,
        token,
        todo: VecDeque::from(todo),
        pending: Vec::new(),
        idle: false,
        needs: Dependencies::new(),
        announced: BTreeSet::new(),
        failed: Vec::new(),
        previous: None,
        refused: None,
        undo: Vec::new(),
        leftovers: Vec::new(),
        retain: BTreeSet::new(),
        force: false,
    });
    schedule(world, stack);
}

/// Goes on with the same operation in another phase.
pub(super) fn turn_to(world: &mut World, stack: &mut Stack, phase: Phase, todo: Vec<String>) {
    stack.operations += 1;
    let number = stack.operations;
    if let Some(operation) = &mut stack.operation {
        operation.number = number;
        operation.phase = phase;
        operation.todo = VecDeque::from(todo);
        operation.idle = false;
        operation.failed.clear();
    }
    schedule(world, stack);
}

pub(super) fn schedule(world: &mut World, stack: &Stack) {
    if let Some(operation) = &stack.operation {
        let due = Due {
            part: Part::CloudFormation,
            account: stack.account.clone(),
            region: stack.region.clone(),
            id: format!("{}#{}", stack.id, operation.number),
        };
        world.schedule(operation.slice.max(consistency(world, stack, operation.phase)), due);
    }
}

/// How long the stack's own roles keep the next step waiting. CloudFormation calls a resource complete after an
/// "eventual consistency check" that finds it "fully operational"; a role is that when other services know it.
/// (User guide, `stack-resource-configuration-complete`; the CloudControl API, which goes without, has functions
/// refuse their roles: github.com/hashicorp/terraform-provider-awscc/issues/221.)
fn consistency(world: &World, stack: &Stack, phase: Phase) -> Duration {
    if !matches!(phase, Phase::Create | Phase::Update) {
        return Duration::ZERO;
    }
    let made = stack.resources.values().filter(|resource| resource.kind == "AWS::IAM::Role");
    let arns = made.filter_map(|resource| resource.made.as_ref()?.attributes.get("Arn")?.as_str());
    arns.map(|arn| world.spreads_for(arn)).max().unwrap_or_default()
}

fn share(whole: Duration, parts: usize) -> Duration {
    whole / u32::try_from(parts.max(1)).unwrap_or(u32::MAX)
}

/// What comes next in an operation.
enum Next {
    Do(String),
    /// Nothing, until a function answers.
    Wait,
    Over,
}

/// Takes the first resource out that waits for no other one.
fn next(stack: &mut Stack) -> Next {
    let Some(operation) = &mut stack.operation else { return Next::Over };
    let open: BTreeSet<&String> =
        operation.todo.iter().chain(operation.pending.iter().map(|pending| &pending.name)).collect();
    let forwards = matches!(operation.phase, Phase::Create | Phase::Update);
    let free = |name: &&String| {
        if forwards {
            operation.needs.get(*name).is_none_or(|needs| needs.iter().all(|need| !open.contains(need)))
        } else {
            let needed = |other: &&String| stack.resources.get(*other).is_some_and(|it| it.needs.contains(*name));
            !open.iter().any(needed)
        }
    };
    match operation.todo.iter().position(|name| free(&name)) {
        Some(at) => operation.todo.remove(at).map_or(Next::Over, Next::Do),
        None if !operation.pending.is_empty() => Next::Wait,
        None => operation.todo.pop_front().map_or(Next::Over, Next::Do),
    }
}

/// The next step of the operation.
pub(super) fn step(world: &mut World, stack: &mut Stack) {
    let Some(phase) = stack.operation.as_ref().map(|operation| operation.phase) else { return };
    if phase == Phase::UpdateRollback {
        return undo::step(world, stack);
    }
    if let Some(reason) = stack.operation.as_mut().and_then(|operation| operation.refused.take()) {
        return give_up_whole(world, stack, phase == Phase::Create, &reason);
    }
    match (phase, next(stack)) {
        (Phase::Create | Phase::Update, Next::Do(name)) => match bring(world, stack, &name) {
            Ok(Brought::Done) => {
                announce(world, stack);
                go_on(world, stack, phase);
            }
            Ok(Brought::Asked) => go_on(world, stack, phase),
            Err(reason) => fail(world, stack, &name, &reason),
        },
        (Phase::Rollback | Phase::Delete, Next::Do(name)) => {
            undo::remove(world, stack, &name);
            go_on(world, stack, phase);
        }
        (_, Next::Wait) => rest(stack),
        (phase, _) => finish(world, stack, phase),
    }
}

/// Schedules the next step, or finishes where a phase ends with its last resource.
fn go_on(world: &mut World, stack: &mut Stack, phase: Phase) {
    match stack.operation.as_ref().map(|operation| (operation.todo.is_empty(), operation.pending.is_empty())) {
        Some((true, true)) => finish(world, stack, phase),
        Some((true, false)) => rest(stack),
        _ => schedule(world, stack),
    }
}

/// Nothing goes on until a function answers.
pub(super) fn rest(stack: &mut Stack) {
    if let Some(operation) = &mut stack.operation {
        operation.idle = true;
    }
}

/// Goes on after an answer, where nothing else would.
pub(super) fn resume(world: &mut World, stack: &mut Stack) {
    announce(world, stack);
    let Some(operation) = stack.operation.as_mut().filter(|operation| operation.idle) else { return };
    operation.idle = false;
    match operation.phase {
        Phase::UpdateRollback => schedule(world, stack),
        phase => go_on(world, stack, phase),
    }
}

/// Tells of every resource whose turn has come: CloudFormation starts at once whatever can start.
fn announce(world: &World, stack: &mut Stack) {
    let Some(operation) = stack.operation.as_mut().filter(|operation| operation.phase == Phase::Create) else { return };
    let waiting: BTreeSet<&String> =
        operation.todo.iter().chain(operation.pending.iter().map(|pending| &pending.name)).collect();
    let ready: Vec<String> = operation
        .todo
        .iter()
        .filter(|name| !operation.announced.contains(*name))
        .filter(|name| operation.needs.get(*name).is_none_or(|needs| needs.iter().all(|need| !waiting.contains(need))))
        .cloned()
        .collect();
    operation.announced.extend(ready.iter().cloned());
    for name in ready {
        let Some(declared) = stack.applied.template.resources.get(&name) else { continue };
        let kind = declared.kind.clone();
        let resource = StackResource {
            kind: kind.clone(),
            status: "CREATE_IN_PROGRESS",
            reason: None,
            updated: world.now,
            made: None,
            properties: Value::Null,
            deletion: declared.deletion,
            replacement: declared.replacement,
            needs: BTreeSet::new(),
        };
        stack.resources.insert(name.clone(), resource);
        stack.tell(world, &name, &Told { kind: &kind, status: "CREATE_IN_PROGRESS", ..Told::default() });
    }
}

/// A resource could not be brought about: the others that had started are cancelled, and the way back begins.
pub(super) fn fail(world: &mut World, stack: &mut Stack, name: &str, reason: &str) {
    let creating = stack.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Create);
    // A custom resource whose creation failed has a physical id all the same.
    let made = |resource: &StackResource| resource.made.is_some() && resource.status != "CREATE_IN_PROGRESS";
    let exists = stack.resources.get(name).is_some_and(made);
    let status = if exists { "UPDATE_FAILED" } else { "CREATE_FAILED" };
    let physical = physical_id(stack.resources.get(name).and_then(|resource| resource.made.as_ref()));
    let kind = stack.applied.template.resources.get(name).map(|declared| declared.kind.clone()).unwrap_or_default();
    stack.tell(
        world,
        name,
        &Told { kind: &kind, status, physical_id: &physical, reason: Some(reason), properties: None },
    );
    let mut failed = vec![name.to_owned()];
    if creating {
        let started: Vec<(String, String)> = stack
            .resources
            .iter()
            .filter(|(_, resource)| resource.status == "CREATE_IN_PROGRESS")
            .map(|(name, resource)| (name.clone(), resource.kind.clone()))
            .collect();
        for (other, kind) in started {
            let told = Told {
                kind: &kind,
                status: "CREATE_FAILED",
                reason: Some("Resource creation cancelled"),
                ..Told::default()
            };
            stack.tell(world, &other, &told);
            failed.push(other);
        }
    }
    failed.sort();
    let verb = if exists { "update" } else { "create" };
    give_up(world, stack, creating, &format!("The following resource(s) failed to {verb}: [{}]. ", failed.join(", ")));
}

/// The stack itself has failed, not one of its resources.
fn give_up_whole(world: &mut World, stack: &mut Stack, creating: bool, reason: &str) {
    let summary = if creating { format!("{reason}. ") } else { reason.to_owned() };
    give_up(world, stack, creating, &summary);
}

/// What follows a failed creation or update.
pub(super) fn give_up(world: &mut World, stack: &mut Stack, creating: bool, summary: &str) {
    custom::cancel(world, stack);
    if !creating {
        if stack.disable_rollback {
            return stack.turn(world, "UPDATE_FAILED", Some(summary.to_owned()));
        }
        return undo::start(world, stack, Some(summary.to_owned()));
    }
    match stack.on_failure {
        OnFailure::DoNothing => stack.turn(world, "CREATE_FAILED", Some(summary.to_owned())),
        OnFailure::Rollback => {
            undo::roll_back_creation(world, stack, Some(format!("{summary}Rollback requested by user.")))
        }
        OnFailure::Delete => {
            stack.turn(world, "DELETE_IN_PROGRESS", Some(format!("{summary}Delete requested by user.")));
            let todo = reverse_order(&stack.resources);
            turn_to(world, stack, Phase::Delete, todo);
        }
    }
}

/// The resources that are not gone, each after all that need it.
pub(super) fn reverse_order(resources: &BTreeMap<String, StackResource>) -> Vec<String> {
    let needs: Dependencies = resources
        .iter()
        .map(|(name, resource)| {
            (name.clone(), resource.needs.iter().filter(|need| resources.contains_key(*need)).cloned().collect())
        })
        .collect();
    let gone = |name: &String| {
        resources.get(name).is_some_and(|resource| matches!(resource.status, "DELETE_COMPLETE" | "DELETE_SKIPPED"))
    };
    let mut order = order::order(&needs).unwrap_or_else(|_| resources.keys().cloned().collect());
    order.retain(|name| !gone(name));
    order.reverse();
    order
}

fn finish(world: &mut World, stack: &mut Stack, phase: Phase) {
    match phase {
        Phase::Create => match outputs(world, stack) {
            Ok(outputs) => {
                stack.outputs = outputs;
                stack.turn(world, "CREATE_COMPLETE", None);
            }
            Err(reason) => give_up_whole(world, stack, true, &reason),
        },
        Phase::Update => match outputs(world, stack).and_then(|outputs| exports::kept(world, stack, outputs)) {
            Ok(outputs) => {
                stack.outputs = outputs;
                undo::retire_undeclared(stack);
                stack.turn(world, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
                turn_to(world, stack, Phase::Cleanup, Vec::new());
            }
            Err(reason) => give_up_whole(world, stack, false, &reason),
        },
        Phase::Cleanup | Phase::UpdateRollbackCleanup if !undo::clean_up(world, stack) => rest(stack),
        Phase::Cleanup => stack.turn(world, "UPDATE_COMPLETE", None),
        Phase::UpdateRollbackCleanup => stack.turn(world, "UPDATE_ROLLBACK_COMPLETE", None),
        Phase::Rollback | Phase::Delete => undo::removed(world, stack, phase),
        Phase::UpdateRollback => {}
    }
}
