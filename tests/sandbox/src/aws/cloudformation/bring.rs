//! How one resource comes about: evaluated in the light of those that are finished, then created, changed, replaced
//! or left alone by its type's handler. Also what a stack gives out once all are there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};

use super::custom;
use super::evaluate::{Made, Scope};
use super::exports;
use super::resources::{self, Kind, Place};
use super::stack::{Phase, Stack, StackResource, Told, Undo};
use super::template::Retention;
use crate::world::World;

/// Runs `act` in the place of a resource: who acts, for which stack.
pub(super) fn placed<T>(
    world: &mut World,
    stack: &Stack,
    name: &str,
    act: impl FnOnce(&mut World, &Place<'_>) -> T,
) -> T {
    let place = Place {
        account: &stack.account,
        region: &stack.region,
        stack_name: &stack.name,
        stack_id: &stack.id,
        logical_id: name,
        caller: &stack.actor,
    };
    act(world, &place)
}

/// A failure that a test has scripted for the resource.
pub(super) fn scripted(world: &mut World, stack: &Stack, name: &str) -> Result<(), String> {
    match world
        .region(&stack.account, &stack.region)
        .cloudformation
        .scripted
        .get_mut(name)
        .and_then(VecDeque::pop_front)
    {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// A resource as the template says it should be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    kind: &'static Kind,
    /// As the template writes it: custom resources have types of their own.
    pub(super) type_name: String,
    pub(super) properties: Value,
    /// The properties for people: NoEcho values masked.
    shown: String,
    deletion: Retention,
    replacement: Retention,
    needs: BTreeSet<String>,
}

/// How far a resource has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    Done,
    /// Its function has been asked and will answer.
    Asked,
}

fn wanted(world: &mut World, stack: &Stack, name: &str) -> Result<Option<Wanted>, String> {
    let pseudo = stack.pseudo();
    let mut scope = Scope::new(&stack.applied.template, &stack.applied.parameters, &pseudo)?;
    scope.made = stack.made();
    scope.exports = exports::all(world, &stack.account, &stack.region, &stack.applied.template);
    let Some(declared) = stack.applied.template.resources.get(name) else { return Ok(None) };
    let Some(kind) = resources::find(&declared.kind) else {
        return Err(format!("Unrecognized resource type: {}", declared.kind));
    };
    let properties = tagged(kind, scope.evaluate(&declared.properties)?, &stack.applied.tags);
    scope.masked = true;
    let shown = scope.evaluate(&declared.properties)?.to_string();
    let needs = stack.operation.as_ref().and_then(|operation| operation.needs.get(name)).cloned().unwrap_or_default();
    let (deletion, replacement, type_name) = (declared.deletion, declared.replacement, declared.kind.clone());
    Ok(Some(Wanted { kind, type_name, properties, shown, deletion, replacement, needs }))
}

impl Wanted {
    /// The resource as it then stands in the stack.
    pub(super) fn resource(&self, world: &World, status: &'static str, made: Made) -> StackResource {
        StackResource {
            kind: self.type_name.clone(),
            status,
            reason: None,
            updated: world.now,
            made: Some(made),
            properties: self.properties.clone(),
            deletion: self.deletion,
            replacement: self.replacement,
            needs: self.needs.clone(),
        }
    }
}

/// Brings one resource about as the template says: creates, updates, replaces or leaves it.
pub(super) fn bring(world: &mut World, stack: &mut Stack, name: &str) -> Result<Brought, String> {
    let Some(wanted) = wanted(world, stack, name)? else { return Ok(Brought::Done) };
    let before = stack.resources.get(name).filter(|resource| resource.made.is_some()).cloned();
    let unchanged =
        |before: &&StackResource| before.properties == wanted.properties && !before.status.ends_with("_FAILED");
    if let Some(before) = before.as_ref().filter(unchanged) {
        let (deletion, replacement, needs) = (wanted.deletion, wanted.replacement, wanted.needs);
        stack.resources.insert(name.to_owned(), StackResource { deletion, replacement, needs, ..before.clone() });
        return Ok(Brought::Done);
    }
    let changed =
        |key: &str, before: &StackResource| member(&before.properties, key) != member(&wanted.properties, key);
    let replaced = before.as_ref().is_some_and(|before| wanted.kind.replaced_by.iter().any(|key| changed(key, before)));
    let doing = doing(before.as_ref()).0;
    let old_id = physical_id(before.as_ref().and_then(|before| before.made.as_ref()));
    let told = Told { kind: &wanted.type_name, status: doing, properties: Some(&wanted.shown), ..Told::default() };
    if stack.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Update) {
        let reason = replaced.then_some(REPLACED);
        stack.tell(world, name, &Told { physical_id: &old_id, reason, ..told });
    }
    resources::check(wanted.kind, name, &wanted.properties)?;
    scripted(world, stack, name)?;
    if custom::is_custom(&wanted.type_name) {
        return custom::bring(world, stack, name, wanted, before).map(|()| Brought::Asked);
    }
    let made = placed(world, stack, name, |world, place| match &before {
        Some(before) if !replaced => {
            (wanted.kind.update)(world, place, &old_id, &before.properties, &wanted.properties)
        }
        _ => (wanted.kind.create)(world, place, &wanted.properties),
    })?;
    brought(world, stack, name, &wanted, before, made, replaced);
    Ok(Brought::Done)
}

/// A property; a dot leads to a member of a member.
pub(super) fn member(properties: &Value, key: &str) -> Option<Value> {
    key.split('.').try_fold(properties.clone(), |at, part| at.get(part).cloned())
}

/// The status of a resource while it comes about, and when it has.
fn doing(before: Option<&StackResource>) -> (&'static str, &'static str) {
    match before {
        Some(_) => ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"),
        None => ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"),
    }
}

/// Writes down that a resource has come about.
pub(super) fn brought(
    world: &mut World,
    stack: &mut Stack,
    name: &str,
    wanted: &Wanted,
    before: Option<StackResource>,
    made: Made,
    replaced: bool,
) {
    let (doing, done) = doing(before.as_ref());
    let told = Told { kind: &wanted.type_name, status: doing, properties: Some(&wanted.shown), ..Told::default() };
    let id = made.physical_id.clone();
    let fresh = before.is_none() || (replaced && !custom::is_custom(&wanted.type_name));
    remember(stack, name, before, replaced);
    stack.resources.insert(name.to_owned(), wanted.resource(world, doing, made));
    if fresh {
        stack.tell(world, name, &Told { physical_id: &id, reason: Some("Resource creation Initiated"), ..told });
    }
    stack.tell(world, name, &Told { physical_id: &id, status: done, ..told });
}

const REPLACED: &str = "Requested update requires the creation of a new physical resource; hence creating one.";

/// Notes how to take back what was done to a resource, where an update may have to.
fn remember(stack: &mut Stack, name: &str, before: Option<StackResource>, replaced: bool) {
    let Some(operation) = stack.operation.as_mut().filter(|operation| operation.phase == Phase::Update) else { return };
    operation.undo.push(match before {
        None => Undo::Created(name.to_owned()),
        Some(before) if replaced => {
            operation.leftovers.push((name.to_owned(), before.clone()));
            Undo::Replaced(name.to_owned(), before)
        }
        Some(before) => Undo::Updated(name.to_owned(), before),
    });
}

/// The properties with the stack's tags, where the type takes tags; the resource's own win.
pub(super) fn tagged(kind: &resources::Kind, mut properties: Value, tags: &BTreeMap<String, String>) -> Value {
    if !kind.tagged || tags.is_empty() {
        return properties;
    }
    let mut all: BTreeMap<String, Value> = tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    for tag in properties.get("Tags").and_then(Value::as_array).into_iter().flatten() {
        all.insert(tag["Key"].as_str().unwrap_or_default().to_owned(), tag["Value"].clone());
    }
    let list: Vec<Value> = all.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    properties.as_object_mut().unwrap_or(&mut Map::new()).insert("Tags".into(), Value::Array(list));
    properties
}

/// The outputs as they now are.
pub(super) fn outputs(world: &mut World, stack: &Stack) -> Result<Vec<Value>, String> {
    let pseudo = stack.pseudo();
    let mut scope = Scope::new(&stack.applied.template, &stack.applied.parameters, &pseudo)?;
    scope.made = stack.made();
    scope.exports = exports::all(world, &stack.account, &stack.region, &stack.applied.template);
    let mut outputs: Vec<Value> = Vec::new();
    for (name, output) in &stack.applied.template.outputs {
        if !scope.holds(output.condition.as_deref())? {
            continue;
        }
        let value = super::template::scalar(&scope.evaluate(&output.value)?)
            .ok_or_else(|| format!("Template format error: Output {name} is malformed: its value must be a string"))?;
        let export = output.export.as_ref().map(|export| scope.evaluate(export)).transpose()?;
        if let Some(export) = &export
            && let Some(other) = exporter(world, stack, &outputs, export)
        {
            return Err(format!(
                "Export with name {} is already exported by stack {other}",
                export.as_str().unwrap_or_default()
            ));
        }
        outputs.push(
            json!({"OutputKey": name, "OutputValue": value, "Description": output.description, "ExportName": export}),
        );
    }
    Ok(outputs)
}

/// The stack that exports this name already: another living one, or this one with an output before.
fn exporter(world: &mut World, stack: &Stack, before: &[Value], export: &Value) -> Option<String> {
    if before.iter().any(|output| output["ExportName"] == *export) {
        return Some(stack.name.clone());
    }
    let state = &world.region(&stack.account, &stack.region).cloudformation;
    let others = state.stacks.values().filter(|other| other.id != stack.id && !other.gone());
    others
        .into_iter()
        .find(|other| other.outputs.iter().any(|output| output["ExportName"] == *export))
        .map(|other| other.name.clone())
}

/// The physical id of a thing that may not exist.
pub(super) fn physical_id(made: Option<&Made>) -> String {
    made.map(|made| made.physical_id.clone()).unwrap_or_default()
}
