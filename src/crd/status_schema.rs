//! What the schema says of a status beyond its types: the default of an object that was not seen yet, and conditions
//! in Kubernetes' own form. It stands apart so that both kinds have the same; it says nothing of a spec.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// An object that the operator has not seen yet has observed no generation: without this default, tools that follow
/// kstatus take an object without a status for finished.
pub(crate) fn unobserved(schema: &mut Schema) {
    const NONE: i64 = -1;
    schema.insert("default".to_owned(), json!({"observedGeneration": NONE}));
    if let Some(field) = schema.pointer_mut("/properties/observedGeneration").and_then(Value::as_object_mut) {
        field.insert("default".to_owned(), json!(NONE));
    }
}

/// The conditions, in Kubernetes' own form.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 16, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object", "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 64, "description": "What the condition speaks of: Ready of the object as a whole, Reconciling, Stalled and Suspended of what goes on, the others of one resource each."},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds. `True`: it was seen to. `False`: it does not, and the message says what to do. `Unknown`: work goes on, or a remote side does not answer."},
                "reason": {"type": "string", "maxLength": 64, "description": "Why it is so, in one word that never changes its meaning; each has a page in the documentation."},
                "message": {"type": "string", "maxLength": 32768, "description": "Why it is so, in sentences, with what to do where a person must act."},
                "lastTransitionTime": {"type": "string", "format": "date-time", "description": "When status changed last; a new reason or message alone does not count."},
                "observedGeneration": {"type": "integer", "format": "int64", "description": "The metadata.generation of the spec that it speaks of."}
            }
        }
    })
}
