//! The three kinds of patches in use: merge (RFC 7386), JSON (RFC 6902: add, remove, replace, test), and apply.

use serde_json::Value;

use super::schema;
use super::store::Refused;

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Some(fields) = target.as_object_mut() {
        for (field, change) in changes {
            if change.is_null() {
                fields.remove(field);
            } else {
                merge(fields.entry(field.clone()).or_insert(Value::Null), change);
            }
        }
    }
}

/// RFC 6902.
pub(super) fn json(target: &mut Value, patch: &Value) -> Result<(), Refused> {
    for step in patch.as_array().into_iter().flatten() {
        let path = step["path"].as_str().unwrap_or_default();
        let refused = |what: &str| {
            Refused::new(
                422,
                "Invalid",
                format!("the server rejected our request due to an error in our request: {what} {path}"),
            )
        };
        match step["op"].as_str().unwrap_or_default() {
            "test" if target.pointer(path) == Some(&step["value"]) => {}
            "test" => return Err(refused("testing value")),
            "replace" => match target.pointer_mut(path) {
                Some(value) => value.clone_from(&step["value"]),
                None => return Err(refused("replacing missing path")),
            },
            "add" => add(target, path, step["value"].clone()).ok_or_else(|| refused("adding to missing path"))?,
            "remove" => remove(target, path).ok_or_else(|| refused("removing missing path"))?,
            _ => return Err(refused("unknown operation at")),
        }
    }
    Ok(())
}

fn parent<'a>(target: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((target.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parent, last) = parent(target, path)?;
    match parent {
        Value::Object(fields) => drop(fields.insert(last, value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at = last.parse().ok().filter(|at| *at <= items.len())?;
            items.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(target: &mut Value, path: &str) -> Option<()> {
    let (parent, last) = parent(target, path)?;
    match parent {
        Value::Object(fields) => fields.remove(&last).map(drop),
        Value::Array(items) => {
            let at: usize = last.parse().ok().filter(|at| *at < items.len())?;
            items.remove(at);
            Some(())
        }
        _ => None,
    }
}

/// Server-side apply for one manager: what it sent before and does not send now goes, what it sends comes. Lists
/// are taken whole, which is right as long as one manager owns all of a list.
pub(super) fn apply(schema: Option<&Value>, target: &mut Value, before: &Value, now: &Value) {
    withdraw(schema.unwrap_or(&Value::Null), target, before, now);
    lay_over(target, now);
}

fn withdraw(schema: &Value, target: &mut Value, before: &Value, now: &Value) {
    let (Some(fields), Some(before)) = (target.as_object_mut(), before.as_object()) else { return };
    for (field, old) in before {
        let schema = schema["properties"].get(field).unwrap_or(&schema["additionalProperties"]);
        match now.get(field) {
            None if old.is_object() => {
                if let Some(value) = fields.get_mut(field) {
                    withdraw(schema, value, old, &Value::Null);
                    // What only defaults are left of was nobody else's.
                    if schema::is_bare(schema, value) {
                        fields.remove(field);
                    }
                }
            }
            None => drop(fields.remove(field)),
            Some(new) => {
                if let Some(value) = fields.get_mut(field) {
                    withdraw(schema, value, old, new);
                }
            }
        }
    }
}

fn lay_over(target: &mut Value, now: &Value) {
    match (target, now) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (field, change) in changes {
                lay_over(fields.entry(field.clone()).or_insert(Value::Null), change);
            }
        }
        (target, now) => target.clone_from(now),
    }
}
