//! How requests and replies look on the wire: each AWS service's own protocol, to and from plain JSON values.
//! It stands alone so that a service never sees a header or a byte. It must not know what a service does.
//!
//! Checked against the serialisers and parsers of the Rust SDK crates; bodies only, signatures are not verified.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::aws::{Outcome, Refusal};

mod address;
mod cbor;
mod json;
mod query;
mod rest_json;
mod rest_xml;

pub use address::{Address, Credential, Protocol, Service};
pub use rest_xml::plain;

/// The input members of a request, by their model names. S3 reads its requests itself: null.
///
/// # Errors
/// `SerializationException` where the body is not what the protocol says.
pub fn decode(address: &Address, request: &Request<Bytes>) -> Result<Value, Refusal> {
    match address.protocol {
        Protocol::Json => json::decode(request.body()),
        Protocol::Query => Ok(query::decode(request)),
        Protocol::Cbor => cbor::decode(request.body()),
        Protocol::RestJson => rest_json::decode(request),
        Protocol::RestXml => Ok(Value::Null),
    }
}

/// A service's answer as its protocol carries it.
pub fn encode(address: &Address, request: &Request<Bytes>, outcome: &Outcome, id: &str) -> Response<Bytes> {
    match outcome {
        Err(refusal) => refuse(address, request.headers(), refusal, id),
        Ok(output) => match address.protocol {
            Protocol::Json => json::encode(request.headers(), output, id),
            Protocol::Query => query::encode(address, output, id),
            Protocol::Cbor => cbor::encode(200, output, id),
            Protocol::RestJson | Protocol::RestXml => rest_json::encode(&address.operation, output, id),
        },
    }
}

/// A refusal as the service's protocol carries it.
pub fn refuse(address: &Address, headers: &HeaderMap, refusal: &Refusal, id: &str) -> Response<Bytes> {
    match address.protocol {
        Protocol::Json => json::refuse(headers, refusal, id),
        Protocol::Query => query::refuse(address, refusal, id),
        Protocol::Cbor => {
            let body = json!({"__type": refusal.code, "message": refusal.message});
            cbor::encode(refusal.status, &body, id)
        }
        Protocol::RestJson => rest_json::refuse(refusal, id),
        Protocol::RestXml => rest_xml::refuse(refusal, id),
    }
}

/// The words in which a service says that calls come too fast.
pub fn throttled(address: &Address) -> Refusal {
    match address.protocol {
        // The only JSON service whose model declares another code for it.
        Protocol::Json if address.service == Some(Service::Sqs) => Refusal::new("RequestThrottled", "Rate exceeded"),
        Protocol::Query => Refusal::new("Throttling", "Rate exceeded"),
        Protocol::RestXml => Refusal::new("SlowDown", "Please reduce your request rate.").with_status(503),
        Protocol::RestJson => Refusal::new("TooManyRequestsException", "Rate exceeded").with_status(429),
        Protocol::Json | Protocol::Cbor => Refusal::new("ThrottlingException", "Rate exceeded"),
    }
}

/// A reply with a body of one content type.
fn reply(status: u16, content_type: &str, id_header: &str, id: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in [("content-type", content_type), (id_header, id)] {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// The pairs of a form body or of a query string, decoded.
pub(crate) fn form(text: &str) -> Vec<(String, String)> {
    let decoded = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}
