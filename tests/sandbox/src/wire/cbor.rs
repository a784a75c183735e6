//! Smithy rpc-v2-cbor, the only protocol of the Rust SDK for CodeConnections. Timestamps would need tag 1, which
//! a plain JSON value cannot tell from a number; no operation served here has any.

use base64::Engine;
use bytes::Bytes;
use ciborium::Value as Cbor;
use http::Response;
use serde_json::{Map, Value, json};

use super::{json::without_nulls, reply};
use crate::aws::Refusal;

pub(super) fn decode(body: &Bytes) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let decoded: Result<Cbor, _> = ciborium::de::from_reader(body.as_ref());
    match decoded {
        Ok(value @ Cbor::Map(_)) => Ok(to_json(value)),
        _ => Err(Refusal::new("SerializationException", "The request body is not a CBOR map")),
    }
}

pub(super) fn encode(status: u16, output: &Value, id: &str) -> Response<Bytes> {
    let members = if output.is_null() { json!({}) } else { without_nulls(output) };
    let mut body = Vec::new();
    let written = ciborium::ser::into_writer(&from_json(&members), &mut body);
    let status = if written.is_ok() { status } else { 500 };
    let mut response = reply(status, "application/cbor", "x-amzn-requestid", id, body);
    response.headers_mut().insert("smithy-protocol", http::HeaderValue::from_static("rpc-v2-cbor"));
    response
}

fn to_json(value: Cbor) -> Value {
    match value {
        Cbor::Integer(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        Cbor::Bytes(bytes) => Value::String(base64::engine::general_purpose::STANDARD.encode(bytes)),
        Cbor::Float(number) => Value::from(number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bool(truth) => Value::Bool(truth),
        Cbor::Tag(_, inner) => to_json(*inner),
        Cbor::Array(members) => Value::Array(members.into_iter().map(to_json).collect()),
        Cbor::Map(members) => Value::Object(
            members
                .into_iter()
                .filter_map(|(name, member)| Some((name.into_text().ok()?, to_json(member))))
                .collect::<Map<_, _>>(),
        ),
        _ => Value::Null,
    }
}

fn from_json(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(truth) => Cbor::Bool(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cbor::Integer(whole.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(members) => Cbor::Array(members.iter().map(from_json).collect()),
        Value::Object(members) => {
            Cbor::Map(members.iter().map(|(name, member)| (Cbor::Text(name.clone()), from_json(member))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_the_same_without_nulls() {
        let output = json!({"Connection": {"Name": "git", "Gone": null, "Count": 3, "List": [true, "x"]}});
        let response = encode(200, &output, "id");
        assert_eq!(response.headers()["smithy-protocol"], "rpc-v2-cbor");
        let back = decode(response.body()).unwrap();
        assert_eq!(back, json!({"Connection": {"Name": "git", "Count": 3, "List": [true, "x"]}}));
    }

    #[test]
    fn a_body_that_is_no_map_is_refused() {
        assert_eq!(decode(&Bytes::from_static(b"\x83\x01")).unwrap_err().code, "SerializationException");
    }
}
