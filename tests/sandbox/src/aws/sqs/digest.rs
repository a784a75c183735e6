//! The MD5 sums by which clients check what SQS received. They stand alone because SDKs compute the same ones, so
//! that a difference is an error there. It must not know what a queue is.
//!
//! "Calculating the MD5 message digest for message attributes" in the SQS developer guide: attributes sorted by name;
//! name, data type and value each after its length in four bytes, the value after one byte for its transport type.

use base64::Engine;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

pub(super) fn of_text(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

/// `None` where there are no attributes.
pub(super) fn of_attributes(attributes: &Map<String, Value>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    let mut bytes = Vec::new();
    for (name, attribute) in sorted {
        put(&mut bytes, name.as_bytes());
        put(&mut bytes, attribute["DataType"].as_str().unwrap_or_default().as_bytes());
        match attribute["StringValue"].as_str() {
            Some(text) => {
                bytes.push(1);
                put(&mut bytes, text.as_bytes());
            }
            None => {
                let text = attribute["BinaryValue"].as_str().unwrap_or_default();
                bytes.push(2);
                put(&mut bytes, &base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default());
            }
        }
    }
    Some(hex::encode(Md5::digest(bytes)))
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(part);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn sums_are_those_that_clients_compute() {
        // From the documentation of the npm package aws-md5-of-message-attributes.
        let text = json!({"DataType": "String", "StringValue": "attribValue 1"});
        let number = json!({"DataType": "Number.float", "StringValue": "4563442423554324324264524243.32543234"});
        let binary = json!({"DataType": "Binary", "BinaryValue": "SGVsbG8gYmluYXJ5IHdvcmxkIQ=="});
        let rows = [
            ("text", json!({"attribName1": text}), "19e27d4e946b072f3f58da80d94fd778"),
            (
                "a number of a type of one's own",
                json!({"customNumberTypeAttrib": number}),
                "9fe1b90bbd9965bdf77bac517c7d2495",
            ),
            ("bytes", json!({"binaryAttribute": binary}), "31a92b15d92f8db860eda32aceb656c3"),
            (
                "several, in the order of their names",
                json!({"customNumberTypeAttrib": number, "attribName1": text, "binaryAttribute": binary}),
                "c932db14a896c663f83c260297d594ff",
            ),
        ];
        for (case, attributes, sum) in rows {
            assert_eq!(of_attributes(attributes.as_object().unwrap()).unwrap(), sum, "{case}");
        }
        assert_eq!(of_attributes(&Map::new()), None);
    }
}
