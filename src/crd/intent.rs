//! What is about to be made, as the status says it. It stands alone because it outlives a crash: the next reconcile goes on
//! from it. It holds no secret and decides nothing.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The create of a resource that AWS does not key by name, written down before it is made: whoever finds an intent
/// without its resource repeats the same create, with the same client token, to learn the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Which of the object's resources is being made, such as `Portfolio`.
    pub resource: String,
    /// Sequence number, part of the client token: one higher after each resource of that name that is gone.
    // A property called `n` would be read as false by parsers of YAML 1.1.
    #[serde(rename = "number")]
    pub n: i32,
    /// The id that AWS gave to it. Absent until that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// The intents.
pub(crate) fn intents(generator: &mut SchemaGenerator) -> Schema {
    let intent = Intent::json_schema(generator);
    json_schema!({
        "type": "array", "maxItems": 64, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["resource"], "items": intent
    })
}
