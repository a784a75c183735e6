//! awsJson 1.0 and 1.1: JSON in, JSON out, the error's name in `__type`.

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde_json::{Value, json};

use super::reply;
use crate::aws::Refusal;

pub(super) fn decode(body: &Bytes) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Refusal::new("SerializationException", "The request body is not a JSON object")),
        Err(error) => Err(Refusal::new("SerializationException", format!("The request body is not JSON: {error}"))),
    }
}

pub(super) fn encode(headers: &HeaderMap, output: &Value, id: &str) -> Response<Bytes> {
    let body = if output.is_null() { "{}".to_owned() } else { without_nulls(output).to_string() };
    reply(200, content_type(headers), "x-amzn-requestid", id, body)
}

pub(super) fn refuse(headers: &HeaderMap, refusal: &Refusal, id: &str) -> Response<Bytes> {
    let body = json!({"__type": refusal.code, "message": refusal.message}).to_string();
    // The model of CodeConnections gives its errors an HTTP status; that of its older name does not: 400.
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let older = target.contains("CodeStar_connections") && refusal.status == 404;
    let status = if older { 400 } else { refusal.status };
    let mut response = reply(status, content_type(headers), "x-amzn-requestid", id, body);
    // Smithy's `awsQueryCompatible`: only SQS bears it here.
    if target.starts_with("AmazonSQS.")
        && let Some(older) = crate::aws::sqs::query_code(&refusal.code)
        && let Ok(code) = http::HeaderValue::try_from(format!("{older};Sender"))
    {
        response.headers_mut().insert("x-amzn-query-error", code);
    }
    response
}

/// A reply is written in the version of the protocol that was asked in.
fn content_type(headers: &HeaderMap) -> &str {
    let asked = headers.get("content-type").and_then(|value| value.to_str().ok());
    asked.filter(|asked| asked.starts_with("application/x-amz-json-")).unwrap_or("application/x-amz-json-1.1")
}

/// The same value without members that are null: AWS leaves absent members out.
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name.clone(), without_nulls(member)))
                .collect(),
        ),
        Value::Array(members) => Value::Array(members.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_sqs_bear_their_older_names_as_well() {
        let rows = [
            (
                "a queue that is not there",
                "AmazonSQS.GetQueueUrl",
                "QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue;Sender",
            ),
            (
                "an empty batch",
                "AmazonSQS.SendMessageBatch",
                "EmptyBatchRequest",
                "AWS.SimpleQueueService.EmptyBatchRequest;Sender",
            ),
            (
                "a value that cannot be",
                "AmazonSQS.ReceiveMessage",
                "InvalidParameterValueException",
                "InvalidParameterValue;Sender",
            ),
            ("one with one name", "AmazonSQS.CreateQueue", "InvalidAttributeName", "InvalidAttributeName;Sender"),
            ("one that any service gives", "AmazonSQS.CreateQueue", "AccessDeniedException", ""),
            ("another service", "SageMaker.ListProjects", "QueueDoesNotExist", ""),
        ];
        for (case, target, code, expected) in rows {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-amz-target"),
                http::HeaderValue::from_static(target),
            )]);
            let response = refuse(&headers, &Refusal::new(code, "m"), "ID");
            let seen = response.headers().get("x-amzn-query-error").map_or("", |value| value.to_str().unwrap_or("?"));
            assert_eq!(seen, expected, "{case}");
        }
    }
}
