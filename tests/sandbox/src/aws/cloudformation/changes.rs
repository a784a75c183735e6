//! What an update would change: the resources of a stack as it is, against what its new template makes of them. It
//! stands alone since nothing here happens: `bring` decides anew, by the same rules, when an update comes to each
//! resource. What follows from a resource that is only made then is told as `Dynamic`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::bring::{member, physical_id, tagged};
use super::evaluate::Scope;
use super::exports::Exports;
use super::order::{self, Dependencies, references};
use super::resources::{self, Kind};
use super::stack::{Stack, StackResource};
use super::template::{Resource, Retention};

/// The changes from `stack` to `draft`, which is the same stack with what it is to be made from; by logical id.
///
/// # Errors
/// In CloudFormation's words: what cannot be evaluated.
pub(super) fn changes(
    stack: &Stack,
    draft: &Stack,
    needs: &Dependencies,
    exports: Exports,
) -> Result<Vec<Value>, String> {
    let pseudo = draft.pseudo();
    let mut scope = Scope::new(&draft.applied.template, &draft.applied.parameters, &pseudo)?;
    (scope.made, scope.exports) = (stack.made(), exports);
    let mut all = Vec::new();
    // Resources whose ids and attributes nobody knows before the update.
    let mut unknown = BTreeSet::new();
    for name in order::order(needs)? {
        let Some(declared) = draft.applied.template.resources.get(&name) else { continue };
        let before = stack.resources.get(&name).filter(|resource| resource.made.is_some());
        let Some(before) = before else {
            unknown.insert(name.clone());
            all.push(json!({"Action": "Add", "LogicalResourceId": name, "ResourceType": declared.kind, "Scope": [], "Details": []}));
            continue;
        };
        let details = differences(stack, draft, &scope, &unknown, (&name, declared, before));
        if details.is_empty() && !before.status.ends_with("_FAILED") {
            continue;
        }
        let replacement = replacement(&details);
        if replacement != "False" {
            unknown.insert(name.clone());
        }
        let scope: BTreeSet<&str> =
            details.iter().filter_map(|detail| detail["Target"]["Attribute"].as_str()).collect();
        all.push(json!({
            "Action": "Modify", "LogicalResourceId": name, "PhysicalResourceId": physical_id(before.made.as_ref()),
            "ResourceType": declared.kind, "Replacement": replacement, "Scope": scope, "Details": details,
        }));
    }
    let gone = |resource: &StackResource| matches!(resource.status, "DELETE_COMPLETE" | "DELETE_SKIPPED");
    for (name, resource) in stack.resources.iter().filter(|(name, it)| !needs.contains_key(*name) && !gone(it)) {
        let policy = if resource.deletion == Retention::Delete { "Delete" } else { "Retain" };
        all.push(json!({
            "Action": "Remove", "LogicalResourceId": name, "PhysicalResourceId": physical_id(resource.made.as_ref()),
            "ResourceType": resource.kind, "PolicyAction": policy, "Scope": [], "Details": [],
        }));
    }
    all.sort_by_key(|change| change["LogicalResourceId"].as_str().unwrap_or_default().to_owned());
    Ok(all.into_iter().map(|change| json!({"Type": "Resource", "ResourceChange": change})).collect())
}

/// `True` where a property that is known to change replaces the thing, `Conditional` where it may.
fn replacement(details: &[Value]) -> &'static str {
    let any = |recreation: &str| details.iter().any(|detail| detail["Target"]["RequiresRecreation"] == recreation);
    match () {
        () if any("Always") => "True",
        () if any("Conditionally") => "Conditional",
        () => "False",
    }
}

/// One detail for each property that changes or may change.
fn differences(
    stack: &Stack,
    draft: &Stack,
    scope: &Scope<'_>,
    unknown: &BTreeSet<String>,
    (name, declared, before): (&str, &Resource, &StackResource),
) -> Vec<Value> {
    let Some(kind) = resources::find(&declared.kind) else { return Vec::new() };
    let mut known = Map::new();
    let mut open = BTreeSet::new();
    for (key, value) in declared.properties.as_object().into_iter().flatten() {
        let waits = references(value).iter().any(|(other, _)| unknown.contains(other));
        match scope.evaluate(value) {
            Ok(value) if !waits => {
                if !value.is_null() {
                    known.insert(key.clone(), value);
                }
            }
            _ => drop(open.insert(key.clone())),
        }
    }
    let now = match open.contains("Tags") {
        true => Value::Object(known),
        false => tagged(kind, Value::Object(known), &draft.applied.tags),
    };
    let keys =
        |value: &Value| value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect::<BTreeSet<_>>();
    let mut details = Vec::new();
    let all: BTreeSet<String> = keys(&now).into_iter().chain(keys(&before.properties)).chain(open.clone()).collect();
    for key in all {
        let dynamic = open.contains(&key);
        if !dynamic && now.get(&key) == before.properties.get(&key) {
            continue;
        }
        let recreation = recreation(kind, &key, dynamic, &before.properties, &now);
        let evaluation = if dynamic { "Dynamic" } else { "Static" };
        for (source, entity) in causes(stack, draft, unknown, name, &key) {
            let target = match key.as_str() {
                "Tags" => json!({"Attribute": "Tags", "RequiresRecreation": recreation}),
                _ => json!({"Attribute": "Properties", "Name": key, "RequiresRecreation": recreation}),
            };
            details.push(
                json!({"Target": target, "Evaluation": evaluation, "ChangeSource": source, "CausingEntity": entity}),
            );
        }
    }
    details
}

fn recreation(kind: &Kind, key: &str, dynamic: bool, before: &Value, now: &Value) -> &'static str {
    let mut paths = kind.replaced_by.iter().filter(|path| path.split('.').next() == Some(key));
    match dynamic {
        true if paths.next().is_some() => "Conditionally",
        false if paths.any(|path| member(before, path) != member(now, path)) => "Always",
        _ => "Never",
    }
}

/// Why a property changes: its text in the template does, or what the text refers to. A tag of the stack is neither.
fn causes(
    stack: &Stack,
    draft: &Stack,
    unknown: &BTreeSet<String>,
    name: &str,
    key: &str,
) -> Vec<(Option<&'static str>, Option<String>)> {
    let text = |stack: &Stack| {
        stack.applied.template.resources.get(name).and_then(|resource| resource.properties.get(key)).cloned()
    };
    let (before, now) = (text(stack), text(draft));
    if before != now {
        return vec![(Some("DirectModification"), None)];
    }
    let value = |stack: &Stack, parameter: &str| stack.applied.parameters.get(parameter).cloned();
    let mut causes = Vec::new();
    for (other, attribute) in now.iter().flat_map(references) {
        let cause = match attribute {
            None if value(stack, &other) != value(draft, &other) => (Some("ParameterReference"), Some(other)),
            None if unknown.contains(&other) => (Some("ResourceReference"), Some(other)),
            Some(attribute) if unknown.contains(&other) => {
                (Some("ResourceAttribute"), Some(format!("{other}.{attribute}")))
            }
            _ => continue,
        };
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    if causes.is_empty() {
        causes.push((None, None));
    }
    causes
}
