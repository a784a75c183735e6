//! What was asked and answered, complete and in order, as data and as JSON lines. It only keeps; nothing in the
//! sandbox reads it to decide anything. Signatures and passwords are left out of the headers; bodies are whole.

use std::collections::BTreeMap;

use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// One request and what became of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counted from 1, in the order in which requests came in.
    pub number: u64,
    /// When it came in.
    pub at: Timestamp,
    /// `aws` or `jenkins`.
    pub transport: &'static str,
    /// The service by its signing name, or `jenkins`.
    pub service: String,
    /// The region that it was signed for; empty for Jenkins.
    pub region: String,
    /// The operation; for Jenkins the method and what the path asks for; empty where the request names none.
    pub operation: String,
    /// The access key id, or the Jenkins user; empty for an unsigned request.
    pub caller: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The headers; Authorization is reduced to who calls.
    pub headers: BTreeMap<String, String>,
    /// The body: text, or `base64:…`.
    pub body: String,
    /// The input members as the service saw them; null where the body is all there is.
    pub input: Value,
    /// What was scripted to go wrong with it, if anything.
    pub fault: Option<&'static str>,
    /// The answer; none where the connection broke off or the request is still being answered.
    pub reply: Option<Reply>,
}

/// An answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// When it went out.
    pub at: Timestamp,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body: text, or `base64:…`.
    pub body: String,
    /// The output members as the service gave them; null for a refusal, and where the body is all there is.
    pub output: Value,
}

/// All entries.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    entries: Vec<Entry>,
}

impl Entry {
    /// What was asked: `servicecatalog CreatePortfolio`.
    pub fn call(&self) -> String {
        format!("{} {}", self.service, self.operation)
    }

    pub(crate) fn asked(transport: &'static str, at: Timestamp, request: &Request<Bytes>) -> Self {
        Self {
            number: 0,
            at,
            transport,
            service: String::new(),
            region: String::new(),
            operation: String::new(),
            caller: String::new(),
            method: request.method().to_string(),
            uri: request.uri().path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned()),
            headers: headers(request.headers()),
            body: text(request.body()),
            input: Value::Null,
            fault: None,
            reply: None,
        }
    }
}

impl Reply {
    pub(crate) fn of(at: Timestamp, response: &Response<Bytes>, output: Value) -> Self {
        let status = response.status().as_u16();
        Self { at, status, headers: headers(response.headers()), body: text(response.body()), output }
    }
}

impl Journal {
    /// All entries, in the order in which the requests came in.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries after number `since`, one JSON object a line.
    pub fn lines(&self, since: u64) -> String {
        let later = self.entries.iter().filter(|entry| entry.number > since);
        later.filter_map(|entry| serde_json::to_string(entry).ok()).map(|line| line + "\n").collect()
    }

    pub(crate) fn open(&mut self, mut entry: Entry) -> u64 {
        entry.number = self.entries.len() as u64 + 1;
        let number = entry.number;
        self.entries.push(entry);
        number
    }

    pub(crate) fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}

fn text(body: &Bytes) -> String {
    std::str::from_utf8(body)
        .map_or_else(|_| format!("base64:{}", base64::engine::general_purpose::STANDARD.encode(body)), str::to_owned)
}

fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let shown = |name: &str, value: &str| match name {
        "authorization" => who(value),
        "x-amz-security-token" | "cookie" | "set-cookie" => "(left out)".to_owned(),
        _ => value.to_owned(),
    };
    let plain = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), shown(name.as_str(), &String::from_utf8_lossy(value.as_bytes())))
    };
    headers.iter().map(plain).collect()
}

/// Who an Authorization header speaks for: an access key id, a user, or only its scheme.
pub(crate) fn who(authorization: &str) -> String {
    if let Some((_, rest)) = authorization.split_once("Credential=") {
        return rest.split(['/', ',']).next().unwrap_or_default().to_owned();
    }
    let (scheme, rest) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).unwrap_or_default();
        return String::from_utf8_lossy(&decoded).split(':').next().unwrap_or_default().to_owned();
    }
    scheme.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authorization_header_is_reduced_to_who_calls() {
        let rows = [
            ("AWS4-HMAC-SHA256 Credential=AKIA1/20260105/eu-west-1/s3/aws4_request, Signature=abc", "AKIA1"),
            ("Basic YWRtaW46dG9rZW4=", "admin"),
            ("Bearer abc", "Bearer"),
        ];
        for (header, shown) in rows {
            assert_eq!(who(header), shown);
        }
    }
}
