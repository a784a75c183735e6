//! Asks an API server, and writes down every answer with what must differ between two servers masked: uids, times,
//! hosts' own bookkeeping. Of an object's resourceVersion it stays visible when it changed.

use std::time::Duration;

use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use mlops_sandbox::kubernetes::Kubernetes;
use serde_json::{Map, Value, json};

/// How long a watch may be silent when something is expected of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// One question and its masked answer.
pub struct Entry {
    /// What is asked, as a sentence.
    pub sentence: String,
    /// HTTP method and path.
    pub request: String,
    /// What came back.
    pub answer: Value,
}

/// Tells the story to one server.
pub struct Teller {
    /// The server.
    pub client: Client,
    /// The server, if it is the one in memory.
    in_memory: Option<Kubernetes>,
    /// What was asked and answered so far.
    pub transcript: Vec<Entry>,
    versions: Vec<String>,
}

/// The kinds of request bodies.
pub const JSON: &str = "application/json";
/// RFC 7386.
pub const MERGE: &str = "application/merge-patch+json";
/// RFC 6902.
pub const STEPS: &str = "application/json-patch+json";
/// Server-side apply.
pub const APPLY: &str = "application/apply-patch+yaml";

impl Teller {
    /// To a server; `in_memory` where it is that one.
    pub fn new(client: Client, in_memory: Option<Kubernetes>) -> Self {
        Self { client, in_memory, transcript: Vec::new(), versions: Vec::new() }
    }

    /// Asks, writes down the masked answer, and gives the answer as it came.
    pub async fn ask(&mut self, sentence: &str, call: &str, kind: &str, body: Value) -> Value {
        let (code, answer) = self.send(call, &[("content-type", kind), ("accept", JSON)], &body).await;
        let masked = self.masked(&answer);
        self.note(sentence, call, json!({"code": code, "body": masked}));
        answer
    }

    /// Asks without a body.
    pub async fn get(&mut self, sentence: &str, path: &str) -> Value {
        self.ask(sentence, &format!("GET {path}"), JSON, Value::Null).await
    }

    /// Asks for metadata alone.
    pub async fn get_metadata(&mut self, sentence: &str, path: &str) -> Value {
        let kind = if path.contains("limit=") { "PartialObjectMetadataList" } else { "PartialObjectMetadata" };
        let accept = format!("application/json;as={kind};g=meta.k8s.io;v=v1");
        let call = format!("GET {path}");
        let (code, answer) = self.send(&call, &[("accept", &accept)], &Value::Null).await;
        let masked = self.masked(&answer);
        self.note(sentence, &call, json!({"code": code, "body": masked}));
        answer
    }

    /// The metadata of an object, with nothing written down.
    pub async fn seen_metadata(&self, path: &str) -> Value {
        let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        self.send(&format!("GET {path}"), &[("accept", accept)], &Value::Null).await.1
    }

    /// Asks without a body, with nothing written down.
    pub async fn send_quietly(&self, call: &str) {
        self.send(call, &[("content-type", JSON), ("accept", JSON)], &json!({})).await;
    }

    /// A merge patch whose answer is for the caller to write down.
    pub async fn send_merge(&self, call: &str, change: &Value) -> (u16, Value) {
        self.send(call, &[("content-type", MERGE), ("accept", JSON)], change).await
    }

    /// Deletes.
    pub async fn delete(&mut self, sentence: &str, path: &str) -> Value {
        self.ask(sentence, &format!("DELETE {path}"), JSON, json!({})).await
    }

    /// The server forgets what happened before now: in memory on request, on a real one by age.
    pub fn forget(&self) {
        if let Some(api) = &self.in_memory {
            api.compact();
        }
    }

    /// Begins a watch.
    pub async fn watch(&self, path: &str) -> Watching {
        let request = http::Request::get(path).header("accept", JSON).body(Body::empty()).unwrap();
        let response = self.client.send(request).await.unwrap();
        Watching { code: response.status().as_u16(), body: response.into_body(), rest: Vec::new() }
    }

    /// Writes down the next event of a watch.
    pub async fn next(&mut self, sentence: &str, watching: &mut Watching) {
        let event = loop {
            match watching.next().await.expect("the watch has ended") {
                bookmark if bookmark["type"] == "BOOKMARK" => assert_bookmark(&bookmark["object"]),
                event => break event,
            }
        };
        let masked = self.masked_event(&event);
        self.note(sentence, "WATCH", json!({"code": watching.code, "event": masked}));
    }

    /// Writes down all events of a watch until it ends. When bookmarks come is up to a server (a real one has a second
    /// or two of its own); what they are is not.
    pub async fn follow(&mut self, sentence: &str, mut watching: Watching) {
        let mut events = Vec::new();
        while let Some(event) = watching.next().await {
            if event["type"] == "BOOKMARK" {
                assert_bookmark(&event["object"]);
            } else {
                events.push(self.masked_event(&event));
            }
        }
        self.note(sentence, "WATCH", json!({"code": watching.code, "events": events}));
    }

    fn masked_event(&mut self, event: &Value) -> Value {
        json!({"type": event["type"], "object": self.masked(&event["object"])})
    }

    /// Writes down something seen.
    pub fn note(&mut self, sentence: &str, request: &str, answer: Value) {
        self.transcript.push(Entry { sentence: sentence.to_owned(), request: request.to_owned(), answer });
    }

    async fn send(&self, call: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let (method, path) = call.split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            body => serde_json::to_vec(body).unwrap(),
        };
        let response = self.client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        (code, serde_json::from_slice(&bytes).unwrap_or_else(|_| text()))
    }

    fn masked(&mut self, answer: &Value) -> Value {
        let mut answer = answer.clone();
        if answer["kind"] == "Status" {
            return masked_status(&answer);
        }
        let is_list = answer["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        if is_list {
            for item in answer["items"].as_array_mut().into_iter().flatten() {
                self.mask_object(item);
            }
            mask_list(&mut answer);
        } else if answer.is_object() {
            self.mask_object(&mut answer);
        }
        answer
    }

    fn mask_object(&mut self, object: &mut Value) {
        if let Some(fields) = object.as_object_mut() {
            // Where events stood before events.k8s.io; nothing and emptiness are one there.
            fields.retain(|field, _| !field.starts_with("deprecated"));
        }
        let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
        metadata.remove("managedFields");
        if let Some(version) = metadata.get("resourceVersion").and_then(Value::as_str).map(str::to_owned) {
            let known = self.versions.iter().position(|known| *known == version);
            let number = known.unwrap_or_else(|| {
                self.versions.push(version);
                self.versions.len() - 1
            });
            metadata.insert("resourceVersion".to_owned(), json!(format!("version {number}")));
        }
        if let Some(uid) = metadata.get_mut("uid") {
            *uid = json!("a uid");
        }
        mask_times(object);
    }
}

/// A bookmark says of what kind it is and how far the watch has come, and nothing else that a client reads.
fn assert_bookmark(object: &Value) {
    assert!(object["kind"].is_string() && object["apiVersion"].is_string(), "{object}");
    assert!(object["metadata"]["resourceVersion"].as_str().is_some_and(|text| text.parse::<u64>().is_ok()), "{object}");
    assert!(object["metadata"]["name"].is_null(), "{object}");
}

/// Messages of refused values name more on a real server; all others are compared word by word.
fn masked_status(answer: &Value) -> Value {
    let mut masked = json!({});
    for field in ["apiVersion", "kind", "status", "reason", "code"] {
        masked[field] = answer[field].clone();
    }
    if !matches!(answer["reason"].as_str(), Some("Invalid" | "Expired" | "BadRequest" | "UnsupportedMediaType")) {
        masked["message"] = answer["message"].clone();
    }
    masked
}

fn mask_list(list: &mut Value) {
    let Some(Value::Object(metadata)) = list.get_mut("metadata") else { return };
    if metadata.get("continue").is_some_and(|token| token == "") {
        metadata.remove("continue");
    }
    for field in ["resourceVersion", "continue"] {
        if let Some(value) = metadata.get_mut(field) {
            *value = json!("present");
        }
    }
}

fn mask_times(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(mask_times),
        Value::Array(items) => items.iter_mut().for_each(mask_times),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => *value = json!("a time"),
        _ => {}
    }
}

/// A watch under way.
pub struct Watching {
    code: u16,
    body: Body,
    rest: Vec<u8>,
}

impl Watching {
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("the watch is silent")?;
            if let Ok(data) = frame.unwrap().into_data() {
                self.rest.extend_from_slice(&data);
            }
        }
    }
}

/// A JSON object with some fields of another laid over it.
pub fn with(base: &Value, change: Value) -> Value {
    let mut both = base.clone();
    lay_over(&mut both, change);
    both
}

fn lay_over(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (field, change) in changes {
                lay_over(fields.entry(field).or_insert_with(|| Value::Object(Map::new())), change);
            }
        }
        (target, change) => *target = change,
    }
}
