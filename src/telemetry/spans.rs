//! The spans of a reconcile: the reconcile itself, each resource that is looked at or acted on, and each call of AWS and Jenkins.
//! They hold ids, names, outcomes and status codes, and no text that a remote side has sent. The two inner ones are made for a
//! collector alone: they are at a level at which nobody logs by default, so that they cost nothing without one.

use std::fmt;

use opentelemetry::trace::{Status, TraceContextExt};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::metrics::{CallOutcome, remote_id, snake};

/// Names one reconcile, in logs, events and spans. It is the id of its trace, in the form that traces have it in; where none are
/// sent it is made in the same form, so that whoever reads logs need not know which of both it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileId(u128);

impl fmt::Display for ReconcileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A reconcile, as logs and traces know it.
#[derive(Clone, Debug)]
pub struct Reconcile {
    /// Its id.
    pub id: ReconcileId,
    /// What all that is logged of it lies in.
    pub span: Span,
}

impl Reconcile {
    /// A reconcile begins of this object.
    pub fn begin(kind: &'static str, namespace: &str, name: &str, uid: &str) -> Self {
        // At the highest level, so that each line has the id whatever the filter lets through.
        let span = tracing::error_span!(parent: None, "reconcile", reconcile_id = Empty);
        let trace = span.context().span().span_context().trace_id();
        let id = if trace == opentelemetry::TraceId::INVALID {
            ReconcileId(rand::random())
        } else {
            // Set here and not as fields, so that they do not stand in each line of the log.
            span.set_attribute("kind", kind);
            span.set_attribute("namespace", namespace.to_owned());
            span.set_attribute("name", name.to_owned());
            span.set_attribute("uid", uid.to_owned());
            ReconcileId(u128::from_be_bytes(trace.to_bytes()))
        };
        span.record("reconcile_id", tracing::field::display(id));
        Self { id, span }
    }

    /// It has ended: `settled`, `unsettled` or `error`, as metrics have it.
    pub fn ended(&self, outcome: &'static str) {
        self.span.set_attribute("outcome", outcome);
        if outcome == "error" {
            self.span.set_status(Status::error(""));
        }
    }
}

/// A resource of this kind is looked at; before, it failed so many times in a row.
pub fn resource(kind: &'static str, failures: u32) -> Span {
    tracing::debug_span!(
        "resource",
        otel.name = kind,
        resource = kind,
        attempt = failures.saturating_add(1),
        outcome = Empty,
        reason = Empty,
        otel.status_code = Empty
    )
}

/// How it ended for the resource of this span: with a reason, where there is one.
pub fn resource_ended(span: &Span, outcome: &'static str, reason: Option<&str>, is_error: bool) {
    span.record("outcome", outcome);
    if let Some(reason) = reason {
        span.record("reason", reason);
    }
    if is_error {
        span.record("otel.status_code", "error");
    }
}

/// A call of AWS or Jenkins. One that is dropped before it has ended was not answered.
#[derive(Debug)]
pub struct Call {
    span: Span,
    has_ended: bool,
}

impl Call {
    /// It begins: of an operation under the service's own name for it, or a method.
    pub fn begin(service: &str, operation: &str) -> Self {
        let span = tracing::debug_span!(
            "call",
            otel.name = format!("{} {}", remote_id(service), snake(operation)),
            otel.kind = "client",
            remote = remote_id(service),
            operation = snake(operation),
            outcome = Empty,
            http.response.status_code = Empty,
            otel.status_code = Empty
        );
        Self { span, has_ended: false }
    }

    /// It has ended, with the status of an answer if one came.
    pub fn ended(&mut self, outcome: CallOutcome, status: Option<u16>) {
        self.has_ended = true;
        self.span.record("outcome", outcome.as_str());
        if let Some(status) = status {
            self.span.record("http.response.status_code", status);
        }
        if outcome != CallOutcome::Ok {
            self.span.record("otel.status_code", "error");
        }
        // Whoever keeps this for longer does not make the call longer.
        self.span = Span::none();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.has_ended {
            self.ended(CallOutcome::Unanswered, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reconcile_has_an_id_of_its_own_without_a_collector_too() {
        let (one, two) = (Reconcile::begin("project", "a", "b", "c").id, Reconcile::begin("project", "a", "b", "c").id);
        assert_ne!(one, two);
        assert_eq!(one.to_string().len(), 32, "{one}");
        assert_eq!(ReconcileId(10).to_string(), "0000000000000000000000000000000a");
    }
}
