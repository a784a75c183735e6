//! The ways back: deletion, the rollback of a creation, the rollback of an update, and the cleanup that ends it.

use super::bring::{Brought, outputs, physical_id, placed, scripted};
use super::custom;
use super::evaluate::Made;
use super::lifecycle::{rest, reverse_order, schedule, turn_to};
use super::resources;
use super::stack::{Phase, Purpose, Stack, StackResource, Told, Undo};
use super::template::Retention;
use crate::world::World;

/// Starts taking back a creation.
pub(super) fn roll_back_creation(world: &mut World, stack: &mut Stack, reason: Option<String>) {
    custom::cancel(world, stack);
    stack.turn(world, "ROLLBACK_IN_PROGRESS", reason);
    let todo = reverse_order(&stack.resources);
    turn_to(world, stack, Phase::Rollback, todo);
}

/// Starts taking back an update.
pub(super) fn start(world: &mut World, stack: &mut Stack, reason: Option<String>) {
    custom::cancel(world, stack);
    stack.turn(world, "UPDATE_ROLLBACK_IN_PROGRESS", reason);
    turn_to(world, stack, Phase::UpdateRollback, Vec::new());
}

/// Takes back one step of an update, or ends the rollback.
pub(super) fn step(world: &mut World, stack: &mut Stack) {
    let Some(undo) = stack.operation.as_mut().and_then(|operation| operation.undo.pop()) else {
        return end(world, stack);
    };
    match take_back(world, stack, &undo) {
        Ok(Brought::Done) => schedule(world, stack),
        Ok(Brought::Asked) => rest(stack),
        Err(reason) => not_taken_back(world, stack, undo, &reason),
    }
}

fn not_taken_back(world: &mut World, stack: &mut Stack, undo: Undo, reason: &str) {
    let name = undo.logical_id().to_owned();
    let (kind, id) =
        stack.resources.get(&name).map(|now| (now.kind.clone(), physical_id(now.made.as_ref()))).unwrap_or_default();
    stack.tell(
        world,
        &name,
        &Told { kind: &kind, status: "UPDATE_FAILED", physical_id: &id, reason: Some(reason), properties: None },
    );
    if let Some(operation) = &mut stack.operation {
        operation.undo.push(undo);
        operation.idle = false;
    }
    let reason = format!("The following resource(s) failed to update: [{name}]. ");
    stack.turn(world, "UPDATE_ROLLBACK_FAILED", Some(reason));
}

/// A function has answered that a custom resource is as it was, or that it is not. What it is now may be called
/// something else; what it was called until now then goes.
pub(super) fn taken_back(world: &mut World, stack: &mut Stack, undo: Undo, verdict: Result<Made, String>) {
    let made = match verdict {
        Ok(made) => made,
        Err(reason) => return not_taken_back(world, stack, undo, &reason),
    };
    let (Undo::Updated(name, before) | Undo::Replaced(name, before)) = undo else { return };
    let Some(now) = stack.resources.get(&name).cloned() else { return };
    if let Some(operation) = &mut stack.operation {
        operation.leftovers.retain(|(other, _)| *other != name);
    }
    let (id, kind) = (made.physical_id.clone(), before.kind.clone());
    stack.resources.insert(name.clone(), StackResource { made: Some(made), ..before });
    if physical_id(now.made.as_ref()) != id {
        leave(stack, name.clone(), now);
    }
    let told = Told { kind: &kind, status: "UPDATE_COMPLETE", physical_id: &id, ..Told::default() };
    stack.tell(world, &name, &told);
}

fn take_back(world: &mut World, stack: &mut Stack, undo: &Undo) -> Result<Brought, String> {
    let name = undo.logical_id().to_owned();
    let Some(now) = stack.resources.get(&name).cloned() else { return Ok(Brought::Done) };
    let id = physical_id(now.made.as_ref());
    match undo {
        Undo::Updated(_, before) | Undo::Replaced(_, before) if custom::is_custom(&now.kind) => {
            let told = Told { kind: &now.kind, status: "UPDATE_IN_PROGRESS", physical_id: &id, ..Told::default() };
            stack.tell(world, &name, &told);
            scripted(world, stack, &name)?;
            let request = custom::Request {
                what: "Update",
                kind: &now.kind,
                physical_id: Some(id.clone()),
                properties: &before.properties,
                old: Some(&now.properties),
            };
            custom::ask(world, stack, &name, &request, Purpose::TakeBack(Box::new(undo.clone())))?;
            return Ok(Brought::Asked);
        }
        Undo::Created(_) => {
            stack.resources.remove(&name);
            leave(stack, name, now);
        }
        Undo::Replaced(_, before) => {
            if let Some(operation) = &mut stack.operation {
                operation.leftovers.retain(|(other, _)| *other != name);
            }
            stack.resources.insert(name.clone(), before.clone());
            leave(stack, name.clone(), now);
            let id = physical_id(before.made.as_ref());
            stack.tell(
                world,
                &name,
                &Told { kind: &before.kind, status: "UPDATE_COMPLETE", physical_id: &id, ..Told::default() },
            );
        }
        Undo::Updated(_, before) => {
            stack.tell(
                world,
                &name,
                &Told { kind: &now.kind, status: "UPDATE_IN_PROGRESS", physical_id: &id, ..Told::default() },
            );
            scripted(world, stack, &name)?;
            let Some(kind) = resources::find(&now.kind) else { return Ok(Brought::Done) };
            let made = placed(world, stack, &name, |world, place| {
                (kind.update)(world, place, &id, &now.properties, &before.properties)
            })?;
            stack.resources.insert(name.clone(), StackResource { made: Some(made), ..before.clone() });
            stack.tell(
                world,
                &name,
                &Told { kind: &now.kind, status: "UPDATE_COMPLETE", physical_id: &id, ..Told::default() },
            );
        }
    }
    Ok(Brought::Done)
}

fn leave(stack: &mut Stack, name: String, resource: StackResource) {
    if let Some(operation) = &mut stack.operation {
        // What an update made is taken away with it, whatever its policy says of later.
        operation
            .leftovers
            .push((name, StackResource { replacement: Retention::Delete, deletion: Retention::Delete, ..resource }));
    }
}

fn end(world: &mut World, stack: &mut Stack) {
    if let Some(previous) = stack.operation.as_mut().and_then(|operation| operation.previous.take()) {
        stack.applied = previous;
    }
    if let Ok(outputs) = outputs(world, stack) {
        stack.outputs = outputs;
    }
    // A resource whose creation failed exists in the new template only.
    stack.resources.retain(|_, resource| resource.made.is_some());
    stack.turn(world, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
    turn_to(world, stack, Phase::UpdateRollbackCleanup, Vec::new());
}

/// Puts aside for the cleanup what the new template no longer makes.
pub(super) fn retire_undeclared(stack: &mut Stack) {
    let Some(operation) = &mut stack.operation else { return };
    for name in reverse_order(&stack.resources) {
        if !operation.needs.contains_key(&name)
            && let Some(resource) = stack.resources.remove(&name)
        {
            let policy = resource.deletion;
            operation.leftovers.push((name, StackResource { replacement: policy, ..resource }));
        }
    }
}

/// Deletes what an update has left over; gives whether that is all, or a function has been asked and will answer.
/// A failure here is told of, and does not fail the stack.
pub(super) fn clean_up(world: &mut World, stack: &mut Stack) -> bool {
    loop {
        let leftovers = stack.operation.as_mut().map(|operation| &mut operation.leftovers);
        let Some(leftovers) = leftovers.filter(|leftovers| !leftovers.is_empty()) else { return true };
        let (name, resource) = leftovers.remove(0);
        let id = physical_id(resource.made.as_ref());
        let told = Told { kind: &resource.kind, physical_id: &id, ..Told::default() };
        if resource.replacement != Retention::Delete {
            stack.note(world, &name, &Told { status: "DELETE_SKIPPED", ..told });
            continue;
        }
        stack.note(world, &name, &Told { status: "DELETE_IN_PROGRESS", ..told });
        match erase(world, stack, &name, &resource, Purpose::CleanUp(Box::new(resource.clone()))) {
            Ok(Brought::Asked) => return false,
            Ok(Brought::Done) => cleaned(world, stack, &name, &resource, Ok(())),
            Err(reason) => cleaned(world, stack, &name, &resource, Err(reason)),
        }
    }
}

/// Tells how the deletion of something left over went.
pub(super) fn cleaned(
    world: &World,
    stack: &mut Stack,
    name: &str,
    resource: &StackResource,
    verdict: Result<(), String>,
) {
    let id = physical_id(resource.made.as_ref());
    let told = Told { kind: &resource.kind, physical_id: &id, ..Told::default() };
    match verdict {
        Ok(()) => stack.note(world, name, &Told { status: "DELETE_COMPLETE", ..told }),
        Err(reason) => stack.note(world, name, &Told { status: "DELETE_FAILED", reason: Some(&reason), ..told }),
    }
}

/// Removes one resource in a deletion or in the rollback of a creation.
pub(super) fn remove(world: &mut World, stack: &mut Stack, name: &str) {
    let Some(resource) = stack.resources.get(name).cloned() else { return };
    let Some(operation) = &stack.operation else { return };
    // What a thing that is still there needs is not touched.
    let needed =
        operation.failed.iter().filter_map(|other| stack.resources.get(other)).any(|other| other.needs.contains(name));
    if needed {
        return;
    }
    let (rollback, retained) = (operation.phase == Phase::Rollback, operation.retain.contains(name));
    let id = physical_id(resource.made.as_ref());
    let told = Told { kind: &resource.kind, physical_id: &id, ..Told::default() };
    if resource.made.is_none() {
        stack.tell(world, name, &Told { status: "DELETE_COMPLETE", ..told });
        return;
    }
    let kept = match resource.deletion {
        Retention::Delete => false,
        Retention::Retain => true,
        Retention::RetainExceptOnCreate => !rollback,
    };
    if kept || retained {
        stack.tell(world, name, &Told { status: "DELETE_SKIPPED", ..told });
        return;
    }
    stack.tell(world, name, &Told { status: "DELETE_IN_PROGRESS", ..told });
    match erase(world, stack, name, &resource, Purpose::Remove) {
        Ok(Brought::Asked) => {}
        Ok(Brought::Done) => erased(world, stack, name, Ok(())),
        Err(reason) => erased(world, stack, name, Err(reason)),
    }
}

/// Tells how the removal of a resource went.
pub(super) fn erased(world: &World, stack: &mut Stack, name: &str, verdict: Result<(), String>) {
    let Some(resource) = stack.resources.get(name).cloned() else { return };
    let force = stack.operation.as_ref().is_some_and(|operation| operation.force);
    let id = physical_id(resource.made.as_ref());
    let told = Told { kind: &resource.kind, physical_id: &id, ..Told::default() };
    match verdict {
        Ok(()) => stack.tell(world, name, &Told { status: "DELETE_COMPLETE", ..told }),
        Err(_) if force => stack.tell(world, name, &Told { status: "DELETE_SKIPPED", ..told }),
        Err(reason) => {
            stack.tell(world, name, &Told { status: "DELETE_FAILED", reason: Some(&reason), ..told });
            if let Some(operation) = &mut stack.operation {
                operation.failed.push(name.to_owned());
            }
        }
    }
}

/// Takes a thing away, or asks the function that it is of to do so.
fn erase(
    world: &mut World,
    stack: &mut Stack,
    name: &str,
    resource: &StackResource,
    purpose: Purpose,
) -> Result<Brought, String> {
    scripted(world, stack, name)?;
    let (Some(kind), Some(made)) = (resources::find(&resource.kind), &resource.made) else { return Ok(Brought::Done) };
    if custom::is_custom(&resource.kind) {
        let request = custom::Request {
            what: "Delete",
            kind: &resource.kind,
            physical_id: Some(made.physical_id.clone()),
            properties: &resource.properties,
            old: None,
        };
        return custom::ask(world, stack, name, &request, purpose).map(|()| Brought::Asked);
    }
    placed(world, stack, name, |world, place| (kind.delete)(world, place, &made.physical_id, &resource.properties))
        .map(|()| Brought::Done)
}

/// Ends a deletion or the rollback of a creation.
pub(super) fn removed(world: &mut World, stack: &mut Stack, phase: Phase) {
    let mut failed = stack.operation.as_ref().map(|operation| operation.failed.clone()).unwrap_or_default();
    failed.sort();
    let reason =
        (!failed.is_empty()).then(|| format!("The following resource(s) failed to delete: [{}]. ", failed.join(", ")));
    let deleting = phase == Phase::Delete;
    let status = match (deleting, failed.is_empty()) {
        (true, true) => "DELETE_COMPLETE",
        (true, false) => "DELETE_FAILED",
        (false, true) => "ROLLBACK_COMPLETE",
        (false, false) => "ROLLBACK_FAILED",
    };
    if status == "DELETE_COMPLETE" {
        stack.deleted = Some(world.now);
        stack.outputs.clear();
    }
    stack.turn(world, status, reason);
}
