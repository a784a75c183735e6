//! What the API server fills in and leaves out before it stores an object of any kind.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::store::{KindInfo, Refused};

/// The fields of `ObjectMeta`, but for managedFields, which nobody here keeps.
const METADATA: [&str; 13] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "uid",
];

/// Brings an object that is about to be stored into the form in which the server keeps it.
pub(super) fn settle(kind: &KindInfo, object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, value| METADATA.contains(&field.as_str()) && !is_empty(value));
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Secret") => secret(object),
        ("", "Namespace") => namespace(object),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// `stringData` is for writing alone; the type has a default.
fn secret(object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    fields.entry("type").or_insert_with(|| json!("Opaque"));
    let Some(Value::Object(plain)) = fields.remove("stringData") else { return };
    let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
    for (key, value) in plain {
        data[key] = json!(STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    object["spec"] = json!({"finalizers": ["kubernetes"]});
    object["status"] = json!({"phase": "Active"});
}

/// Refuses an object that is sent to the wrong address.
pub(super) fn fits(kind: &KindInfo, namespace: &str, object: &Value) -> Result<(), Refused> {
    let bad = |message: String| Err(Refused::new(400, "BadRequest", message));
    let (said, expected) = (object["kind"].as_str().unwrap_or_default(), kind.kind.as_str());
    if !said.is_empty() && said != expected {
        return match kind.schema {
            Some(_) => {
                Err(Refused::new(422, "Invalid", format!("kind: Invalid value: \"{said}\": must be {expected}")))
            }
            None => bad(format!("{said} in version \"{}\" cannot be handled as a {expected}", kind.version)),
        };
    }
    let own = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    if kind.namespaced && !own.is_empty() && own != namespace {
        return bad("the namespace of the provided object does not match the namespace sent on the request".to_owned());
    }
    Ok(())
}

/// While an object is being deleted, its finalizers only become fewer.
pub(super) fn no_new_finalizer(kind: &KindInfo, old: &Value, new: &Value) -> Result<(), Refused> {
    let finalizers = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let before = finalizers(old);
    let added = finalizers(new).into_iter().find(|finalizer| !before.contains(finalizer));
    match added {
        Some(added) if !old["metadata"]["deletionTimestamp"].is_null() => {
            let (kind, name) = (kind.qualified_kind(), old["metadata"]["name"].as_str().unwrap_or_default());
            let why = "no new finalizers can be added if the object is being deleted";
            let message = format!("{kind} \"{name}\" is invalid: metadata.finalizers: Forbidden: {why}, found {added}");
            Err(Refused::new(422, "Invalid", message))
        }
        _ => Ok(()),
    }
}
