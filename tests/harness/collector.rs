//! A collector of OpenTelemetry on a free loopback port: it takes, refuses or keeps waiting what is sent by OTLP over HTTP, and
//! shows it as spans and records that tests can read. It runs in threads of its own, so that a paused clock does not stop it.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use prost::Message;
use tokio::runtime::{Builder, Handle, Runtime};

/// Attributes by name, all of them as text.
pub type Attributes = BTreeMap<String, String>;

/// What a collector does with what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// It takes it.
    Takes,
    /// It answers with this status.
    Status(u16),
    /// It never answers.
    Hangs,
}

/// A span, as it was sent.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty for a root.
    pub parent: String,
    pub attributes: Attributes,
    /// How many events lie in it.
    pub events: usize,
    pub is_error: bool,
}

/// A line of the log, as it was sent.
#[derive(Clone, Debug)]
pub struct Record {
    pub text: String,
    pub target: String,
    pub trace: String,
    pub attributes: Attributes,
}

#[derive(Default)]
struct Got {
    spans: Vec<Span>,
    records: Vec<Record>,
    resources: Vec<Attributes>,
    calls: Vec<(String, HeaderMap)>,
    bytes: Vec<u8>,
}

/// See the module.
pub struct Collector {
    pub url: String,
    got: Arc<Mutex<Got>>,
    runtime: Option<Runtime>,
}

impl Collector {
    /// A collector that does this.
    pub fn start(answers: Answers) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let got: Arc<Mutex<Got>> = Arc::default();
        // Bound in a way that works within another runtime, too.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state((answers, got.clone()));
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        Self { url, got, runtime: Some(runtime) }
    }

    /// A runtime whose clock is never paused, for those who call.
    pub fn runtime(&self) -> Handle {
        self.runtime.as_ref().unwrap().handle().clone()
    }

    pub fn spans(&self) -> Vec<Span> {
        self.got.lock().unwrap().spans.clone()
    }

    pub fn records(&self) -> Vec<Record> {
        self.got.lock().unwrap().records.clone()
    }

    /// Who has sent, each time.
    pub fn resources(&self) -> Vec<Attributes> {
        self.got.lock().unwrap().resources.clone()
    }

    /// The path and the headers of each call.
    pub fn calls(&self) -> Vec<(String, HeaderMap)> {
        self.got.lock().unwrap().calls.clone()
    }

    /// All that was sent, headers apart, as text as far as it is text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.got.lock().unwrap().bytes).into_owned()
    }

    /// Waits, in real time, until something holds.
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < Duration::from_secs(30), "not {what}: {:?}", self.calls());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // A runtime that is dropped within another one would wait for its threads.
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn take(
    State((answers, got)): State<(Answers, Arc<Mutex<Got>>)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    {
        let mut got = got.lock().unwrap();
        got.calls.push((uri.path().to_owned(), headers));
        got.bytes.extend_from_slice(&body);
        match uri.path() {
            path if path.ends_with("/v1/traces") => take_spans(&mut got, &body),
            path if path.ends_with("/v1/logs") => take_records(&mut got, &body),
            other => panic!("nothing is sent to {other}"),
        }
    }
    match answers {
        Answers::Takes => StatusCode::OK,
        Answers::Status(status) => StatusCode::from_u16(status).unwrap(),
        Answers::Hangs => std::future::pending().await,
    }
}

fn take_spans(got: &mut Got, body: &[u8]) {
    for of_resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        got.resources.push(attributes(&of_resource.resource.unwrap().attributes));
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            got.spans.push(Span {
                name: span.name,
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: attributes(&span.attributes),
                events: span.events.len(),
                is_error: span.status.is_some_and(|status| status.code == 2),
            });
        }
    }
}

fn take_records(got: &mut Got, body: &[u8]) {
    for of_resource in ExportLogsServiceRequest::decode(body).unwrap().resource_logs {
        got.resources.push(attributes(&of_resource.resource.unwrap().attributes));
        for scope in of_resource.scope_logs {
            let target = scope.scope.map(|scope| scope.name).unwrap_or_default();
            for record in scope.log_records {
                got.records.push(Record {
                    text: record.body.as_ref().map(text).unwrap_or_default(),
                    target: target.clone(),
                    trace: hex(&record.trace_id),
                    attributes: attributes(&record.attributes),
                });
            }
        }
    }
}

fn attributes(all: &[KeyValue]) -> Attributes {
    let read = |one: &KeyValue| (one.key.clone(), one.value.as_ref().map(text).unwrap_or_default());
    let read: Vec<_> = all.iter().map(read).collect();
    let count = read.len();
    let unique: Attributes = read.into_iter().collect();
    assert_eq!(unique.len(), count, "an attribute is there twice: {all:?}");
    unique
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(is_so)) => is_so.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
