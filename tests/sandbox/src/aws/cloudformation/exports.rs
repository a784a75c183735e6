//! What stacks give to each other: exports, by names of which a region has each but once, and the stacks that import
//! them, because of which an export stays as it is. It looks at all stacks of a region, so it stands apart from
//! `evaluate`, which sees one. Rules: user guide, "Get exported outputs from a deployed CloudFormation stack" and
//! "Fn::ImportValue"; API reference, ListExports and ListImports.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::evaluate::{Scope, function};
use super::order::references;
use super::read;
use super::request::{invalid, only};
use super::stack::Stack;
use super::template::{Template, scalar};
use crate::aws::{Call, Outcome};
use crate::world::World;

/// Values by the names that they are exported by.
pub(super) type Exports = BTreeMap<String, String>;

const ARGUMENT: &str =
    "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs";

/// An output's export name and value, where it has one.
fn export(output: &Value) -> Option<(String, String)> {
    let text = |member: &str| output[member].as_str().map(str::to_owned);
    Some((text("ExportName")?, text("OutputValue")?))
}

/// What a stack with this template can import in its region; nothing where its template imports nothing, as most do.
pub(super) fn all(world: &mut World, account: &str, region: &str, template: &Template) -> Exports {
    if !template.text.contains("ImportValue") {
        return Exports::new();
    }
    let state = &world.region(account, region).cloudformation;
    state.stacks.values().filter(|stack| !stack.gone()).flat_map(|stack| &stack.outputs).filter_map(export).collect()
}

/// Checks what the template's own text decides: names do not depend on what is yet to be made.
///
/// # Errors
/// In CloudFormation's words (github.com/kubernetes-retired/kube-aws/issues/1304,
/// github.com/aws-cloudformation/cfn-lint/issues/1632).
pub(super) fn check(template: &Template) -> Result<(), String> {
    let depends = |value: &Value| {
        let refers = references(value).iter().any(|(name, _)| template.resources.contains_key(name));
        refers || !arguments(value).is_empty()
    };
    let outputs = template.outputs.values().map(|output| &output.value);
    for value in template.resources.values().map(|resource| &resource.properties).chain(outputs) {
        if arguments(value).into_iter().any(depends) {
            return Err(ARGUMENT.into());
        }
    }
    match template.outputs.iter().find(|(_, output)| output.export.as_ref().is_some_and(depends)) {
        Some((name, _)) => Err(format!(
            "Template format error: Output {name} is malformed.  The Name field of Export must not depend on any resources, imported values, or Fn::GetAZs."
        )),
        None => Ok(()),
    }
}

/// What stands in each outermost `Fn::ImportValue` of a value.
fn arguments(value: &Value) -> Vec<&Value> {
    if let Some(("Fn::ImportValue", argument)) = function(value) {
        return vec![argument];
    }
    match value {
        Value::Object(members) => members.values().flat_map(arguments).collect(),
        Value::Array(items) => items.iter().flat_map(arguments).collect(),
        _ => Vec::new(),
    }
}

/// The names that a value imports under the scope's conditions: of `Fn::If`, only the branch that is taken.
fn collect(scope: &Scope<'_>, value: &Value, found: &mut BTreeSet<String>) {
    match function(value) {
        Some(("Fn::ImportValue", argument)) => {
            found.extend(scope.evaluate(argument).ok().as_ref().and_then(scalar));
            return;
        }
        Some(("Fn::If", Value::Array(items))) => {
            if let [Value::String(condition), then, otherwise] = items.as_slice() {
                let taken = if scope.holds(Some(condition)).unwrap_or(true) { then } else { otherwise };
                return collect(scope, taken, found);
            }
        }
        _ => {}
    }
    match value {
        Value::Object(members) => members.values().for_each(|value| collect(scope, value, found)),
        Value::Array(items) => items.iter().for_each(|value| collect(scope, value, found)),
        _ => {}
    }
}

/// The names that a stack imports as its template and parameters now are.
pub(super) fn imported(stack: &Stack) -> BTreeSet<String> {
    let (mut found, pseudo) = (BTreeSet::new(), stack.pseudo());
    let template = &stack.applied.template;
    let Ok(scope) = Scope::new(template, &stack.applied.parameters, &pseudo) else { return found };
    let resources = template.resources.values().map(|resource| (&resource.condition, &resource.properties));
    let outputs = template.outputs.values().map(|output| (&output.condition, &output.value));
    for (condition, value) in resources.chain(outputs) {
        if scope.holds(condition.as_deref()).unwrap_or(false) {
            collect(&scope, value, &mut found);
        }
    }
    found
}

/// The first name that a stack imports and nobody exports, in a sentence.
pub(super) fn missing(world: &mut World, stack: &Stack) -> Option<String> {
    let exports = all(world, &stack.account, &stack.region, &stack.applied.template);
    imported(stack).into_iter().find(|name| !exports.contains_key(name)).map(|name| no_such_export(&name))
}

pub(super) fn no_such_export(name: &str) -> String {
    format!("No export named {name} found")
}

/// The stacks that import an export, by name.
fn importers(world: &mut World, account: &str, region: &str, name: &str) -> Vec<String> {
    let state = &world.region(account, region).cloudformation;
    let holds =
        |stack: &&Stack| !["DELETE_COMPLETE", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"].contains(&stack.status);
    let importing = state.stacks.values().filter(holds).filter(|stack| imported(stack).contains(name));
    let mut names: Vec<String> = importing.map(|stack| stack.name.clone()).collect();
    names.sort();
    names
}

/// Why a stack's exports cannot become these: another stack imports one that would go or have another value. (In these
/// words: github.com/aws/aws-cdk/issues/604, github.com/linz/geostore/issues/630.)
pub(super) fn in_use(world: &mut World, stack: &Stack, outputs: &[Value]) -> Option<String> {
    let after: Exports = outputs.iter().filter_map(export).collect();
    for (name, value) in stack.outputs.iter().filter_map(export) {
        let verb = match after.get(&name) {
            None => "deleted",
            Some(now) if *now != value => "updated",
            Some(_) => continue,
        };
        let users = importers(world, &stack.account, &stack.region, &name);
        if !users.is_empty() {
            return Some(format!("Export {name} cannot be {verb} as it is in use by {}", users.join(" and ")));
        }
    }
    None
}

/// The outputs, where every export that is in use stays as it is.
///
/// # Errors
/// The sentence of [`in_use`].
pub(super) fn kept(world: &mut World, stack: &Stack, outputs: Vec<Value>) -> Result<Vec<Value>, String> {
    match in_use(world, stack, &outputs) {
        Some(reason) => Err(reason),
        None => Ok(outputs),
    }
}

/// ListExports.
pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["NextToken"])?;
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let living = state.stacks.values().filter(|stack| !stack.gone());
    let mut exports: Vec<(String, Value)> = living
        .flat_map(|stack| stack.outputs.iter().filter_map(export).map(|(name, value)| (stack.id.clone(), name, value)))
        .map(|(id, name, value)| (name.clone(), json!({"ExportingStackId": id, "Name": name, "Value": value})))
        .collect();
    exports.sort_by(|(one, _), (other, _)| one.cmp(other));
    read::page(call, "Exports", exports.into_iter().map(|(_, export)| export).collect())
}

/// ListImports. That nobody imports an export is an error, not an empty list.
pub(super) fn list_imports(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["ExportName", "NextToken"])?;
    let name = call.text("ExportName");
    let importers = importers(world, &call.caller.account, call.region, name);
    if importers.is_empty() {
        return Err(invalid(format!("Export '{name}' is not imported by any stack.")));
    }
    read::page(call, "Imports", importers.into_iter().map(Value::String).collect())
}
