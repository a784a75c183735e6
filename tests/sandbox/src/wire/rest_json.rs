//! restJson1 as Lambda speaks it: the operation is a method and a path, some members stand in path and query.
//! Paths are those of the Lambda API reference.

use base64::Engine;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};

use super::{form, json::without_nulls, reply};
use crate::aws::Refusal;

/// Method, path (a `{Label}` matches one segment), operation, status of success.
#[rustfmt::skip]
const ROUTES: &[(&str, &str, &str, u16)] = &[
    ("POST", "/2015-03-31/functions", "CreateFunction", 201),
    ("GET", "/2015-03-31/functions", "ListFunctions", 200),
    ("GET", "/2015-03-31/functions/{FunctionName}", "GetFunction", 200),
    ("DELETE", "/2015-03-31/functions/{FunctionName}", "DeleteFunction", 204),
    ("GET", "/2015-03-31/functions/{FunctionName}/configuration", "GetFunctionConfiguration", 200),
    ("PUT", "/2015-03-31/functions/{FunctionName}/configuration", "UpdateFunctionConfiguration", 200),
    ("PUT", "/2015-03-31/functions/{FunctionName}/code", "UpdateFunctionCode", 200),
    ("GET", "/2015-03-31/functions/{FunctionName}/versions", "ListVersionsByFunction", 200),
    ("POST", "/2015-03-31/functions/{FunctionName}/policy", "AddPermission", 201),
    ("GET", "/2015-03-31/functions/{FunctionName}/policy", "GetPolicy", 200),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", "RemovePermission", 204),
    ("POST", "/2015-03-31/functions/{FunctionName}/invocations", "Invoke", 200),
    ("PUT", "/2017-10-31/functions/{FunctionName}/concurrency", "PutFunctionConcurrency", 200),
    ("DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", "DeleteFunctionConcurrency", 204),
    ("GET", "/2019-09-30/functions/{FunctionName}/concurrency", "GetFunctionConcurrency", 200),
    ("GET", "/2020-06-30/functions/{FunctionName}/code-signing-config", "GetFunctionCodeSigningConfig", 200),
    ("PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "PutFunctionEventInvokeConfig", 200),
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "GetFunctionEventInvokeConfig", 200),
    ("DELETE", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "DeleteFunctionEventInvokeConfig", 204),
    ("POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping", 202),
    ("GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings", 200),
    ("GET", "/2015-03-31/event-source-mappings/{UUID}", "GetEventSourceMapping", 200),
    ("PUT", "/2015-03-31/event-source-mappings/{UUID}", "UpdateEventSourceMapping", 202),
    ("DELETE", "/2015-03-31/event-source-mappings/{UUID}", "DeleteEventSourceMapping", 202),
    ("POST", "/2017-03-31/tags/{Resource}", "TagResource", 204),
    ("GET", "/2017-03-31/tags/{Resource}", "ListTags", 200),
    ("DELETE", "/2017-03-31/tags/{Resource}", "UntagResource", 204),
];

/// The member that holds the whole body of an Invoke, in base64.
pub(crate) const PAYLOAD: &str = "Payload";

fn route(request: &Request<Bytes>) -> Option<(&'static str, Map<String, Value>)> {
    let path = request.uri().path().trim_end_matches('/');
    ROUTES.iter().filter(|(method, ..)| *method == request.method().as_str()).find_map(|(_, pattern, operation, _)| {
        let (asked, wanted): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
        if asked.len() != wanted.len() {
            return None;
        }
        let mut labels = Map::new();
        for (part, want) in asked.iter().zip(&wanted) {
            if let Some(label) = want.strip_prefix('{').and_then(|want| want.strip_suffix('}')) {
                let text = percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
                labels.insert(label.to_owned(), Value::String(text));
            } else if part != want {
                return None;
            }
        }
        Some((*operation, labels))
    })
}

pub(super) fn operation(request: &Request<Bytes>) -> &'static str {
    route(request).map(|(operation, _)| operation).unwrap_or_default()
}

pub(super) fn decode(request: &Request<Bytes>) -> Result<Value, Refusal> {
    let Some((operation, labels)) = route(request) else { return Ok(json!({})) };
    let mut members = Map::new();
    if operation == "Invoke" {
        let payload = base64::engine::general_purpose::STANDARD.encode(request.body());
        members.insert(PAYLOAD.to_owned(), Value::String(payload));
        let kind = request.headers().get("x-amz-invocation-type").and_then(|value| value.to_str().ok());
        members.insert("InvocationType".to_owned(), Value::from(kind.unwrap_or("RequestResponse")));
    } else if !request.body().is_empty() {
        match serde_json::from_slice(request.body()) {
            Ok(Value::Object(body)) => members = body,
            _ => return Err(Refusal::new("InvalidRequestContentException", "Could not parse request body into json")),
        }
    }
    for (name, value) in form(request.uri().query().unwrap_or_default()) {
        match (name.as_str(), members.get_mut("TagKeys")) {
            ("tagKeys", Some(Value::Array(keys))) => keys.push(Value::String(value)),
            ("tagKeys", _) => drop(members.insert("TagKeys".to_owned(), json!([value]))),
            _ => drop(members.insert(name, Value::String(value))),
        }
    }
    members.extend(labels);
    Ok(Value::Object(members))
}

pub(super) fn encode(operation: &str, output: &Value, id: &str) -> Response<Bytes> {
    let status = ROUTES.iter().find(|(_, _, name, _)| *name == operation).map_or(200, |(.., status)| *status);
    if operation == "Invoke" {
        return invoked(output, id);
    }
    let body = if status == 204 { String::new() } else { without_nulls(output).to_string() };
    reply(status, "application/json", "x-amzn-requestid", id, body)
}

/// Invoke answers with the function's own payload; what went wrong in it stands in a header.
fn invoked(output: &Value, id: &str) -> Response<Bytes> {
    let payload = output.get(PAYLOAD).and_then(Value::as_str).unwrap_or_default();
    let body = base64::engine::general_purpose::STANDARD.decode(payload).unwrap_or_default();
    let status = output.get("StatusCode").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let mut response = reply(status.unwrap_or(200), "application/json", "x-amzn-requestid", id, body);
    let error = output.get("FunctionError").and_then(Value::as_str).and_then(|error| error.parse().ok());
    if let Some(error) = error {
        response.headers_mut().insert("x-amz-function-error", error);
    }
    response.headers_mut().insert("x-amz-executed-version", http::HeaderValue::from_static("$LATEST"));
    response
}

pub(super) fn refuse(refusal: &Refusal, id: &str) -> Response<Bytes> {
    let unknown = refusal.code == "UnknownOperationException";
    let status = if unknown { 404 } else { refusal.status };
    let blame = if status >= 500 { "Service" } else { "User" };
    let body = json!({"Type": blame, "Message": refusal.message, "message": refusal.message}).to_string();
    let mut response = reply(status, "application/json", "x-amzn-requestid", id, body);
    if let Ok(code) = http::HeaderValue::try_from(&refusal.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn path_query_and_body_become_one_input() {
        let arn = "arn%3Aaws%3Alambda%3Aeu-west-1%3A111122223333%3Afunction%3Af";
        let rows: [(&str, String, &str, &str, Value); 4] = [
            (
                "GET",
                "/2015-03-31/functions/f/policy?Qualifier=1".into(),
                "",
                "GetPolicy",
                json!({"FunctionName": "f", "Qualifier": "1"}),
            ),
            (
                "PUT",
                "/2017-10-31/functions/f/concurrency".into(),
                r#"{"ReservedConcurrentExecutions":1}"#,
                "PutFunctionConcurrency",
                json!({"FunctionName": "f", "ReservedConcurrentExecutions": 1}),
            ),
            (
                "DELETE",
                format!("/2017-03-31/tags/{arn}?tagKeys=a&tagKeys=b"),
                "",
                "UntagResource",
                json!({"Resource": "arn:aws:lambda:eu-west-1:111122223333:function:f", "TagKeys": ["a", "b"]}),
            ),
            (
                "POST",
                "/2015-03-31/functions/f/invocations".into(),
                "{}",
                "Invoke",
                json!({"FunctionName": "f", "InvocationType": "RequestResponse", "Payload": "e30="}),
            ),
        ];
        for (method, uri, body, name, input) in rows {
            let request = Request::builder().method(method).uri(uri).body(Bytes::from_static(body.as_bytes())).unwrap();
            assert_eq!(operation(&request), name);
            assert_eq!(decode(&request).unwrap(), input, "{name}");
        }
    }

    #[test]
    fn a_refusal_names_its_type_in_a_header() {
        let response = refuse(&Refusal::new("ResourceNotFoundException", "Function not found").with_status(404), "ID");
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-amzn-errortype"], "ResourceNotFoundException");
    }
}
