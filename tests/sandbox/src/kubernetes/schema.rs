//! Pruning and defaults by a CRD's structural schema, as the API server does both before it stores an object.

use serde_json::{Map, Value};

/// Drops what the schema does not know and fills in its defaults; metadata and the type stay as they are.
pub(super) fn keep(schema: Option<&Value>, object: &mut Value) {
    let Some(schema) = schema else { return };
    let Some(fields) = object.as_object_mut() else { return };
    let properties = &schema["properties"];
    fields.retain(|field, _| {
        matches!(field.as_str(), "apiVersion" | "kind" | "metadata") || properties.get(field).is_some()
    });
    fill(properties.as_object(), fields);
    for (field, value) in fields.iter_mut() {
        if !matches!(field.as_str(), "apiVersion" | "kind" | "metadata") {
            level(&properties[field], value);
        }
    }
}

/// Adds what is absent and has a default.
fn fill(properties: Option<&Map<String, Value>>, fields: &mut Map<String, Value>) {
    for (field, schema) in properties.into_iter().flatten() {
        if let (false, Some(default)) = (fields.contains_key(field), schema.get("default")) {
            fields.insert(field.clone(), default.clone());
        }
    }
}

/// Whether a value holds nothing but what an empty object of this schema would get by default.
pub(super) fn is_bare(schema: &Value, value: &Value) -> bool {
    let (mut filled, mut bare) = (value.clone(), Value::Object(Map::new()));
    level(schema, &mut filled);
    level(schema, &mut bare);
    filled == bare
}

/// The first field that the schema does not know: apply refuses what a plain write would only drop.
pub(super) fn unknown(schema: &Value, object: &Value) -> Option<String> {
    let fields = object.as_object()?.iter();
    let mut own = fields.filter(|(field, _)| !matches!(field.as_str(), "apiVersion" | "kind" | "metadata"));
    own.find_map(|(field, value)| match schema["properties"].get(field) {
        Some(schema) => unknown_below(schema, value, &format!(".{field}")),
        None => Some(format!(".{field}")),
    })
}

fn unknown_below(schema: &Value, value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Object(fields) if schema["x-kubernetes-preserve-unknown-fields"] != true => {
            fields.iter().find_map(|(field, value)| {
                let path = format!("{path}.{field}");
                match schema["properties"].get(field).or(schema.get("additionalProperties")) {
                    Some(schema) => unknown_below(schema, value, &path),
                    None => Some(path),
                }
            })
        }
        Value::Array(items) => items.iter().find_map(|item| unknown_below(&schema["items"], item, path)),
        _ => None,
    }
}

fn level(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let free = schema["x-kubernetes-preserve-unknown-fields"] == true;
            let others = schema.get("additionalProperties");
            let properties = schema.get("properties").and_then(Value::as_object);
            let known = |field: &str| properties.and_then(|properties| properties.get(field));
            fields.retain(|field, value| {
                // A null where the schema has a default, or allows none, is the same as nothing.
                let nullable = known(field).is_none_or(|schema| schema["nullable"] == true);
                let kept = free || others.is_some() || known(field).is_some();
                kept && (nullable || !value.is_null())
            });
            fill(properties, fields);
            for (field, value) in fields.iter_mut() {
                if let Some(schema) = known(field).or(others) {
                    level(schema, value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| level(&schema["items"], item)),
        _ => {}
    }
}
