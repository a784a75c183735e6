//! Sends traces and logs by OTLP over HTTP, in protobuf. It holds what of OpenTelemetry is set up once; what is sent is decided
//! by the filters beside it. What the operator works on never waits for it: full queues drop what comes.

use std::thread;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_appender_tracing::layer::{OpenTelemetryTracingBridge, TracingSpanAttributes};
use opentelemetry_otlp::{ExporterBuildError, LogExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing_subscriber::{Layer, Registry};
use url::Url;

use super::collector::Collector;

/// The service that traces and logs are of, unless the environment names another.
const SERVICE: &str = "mlops-operator";
/// How long the operator, once it has stopped, waits for what was not yet sent.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The URL of a collector, to which the paths of the signals are added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads the flag. Empty is none, as OpenTelemetry has it of its variables.
    ///
    /// # Errors
    /// A sentence that names the flag, its value, and what is allowed.
    pub fn parse(given: &str) -> Result<Option<Self>, String> {
        if given.is_empty() {
            return Ok(None);
        }
        let refused = |wrong: &str| {
            let shown = without_secrets(given);
            format!(
                "--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is \"{shown}\", which {wrong}: it must be the http or https URL \
                 of a collector, such as http://collector.observability:4318; /v1/traces and /v1/logs are added to it"
            )
        };
        let url = Url::parse(given).map_err(|error| refused(&format!("is no URL ({error})")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("has credentials (give a header in OTEL_EXPORTER_OTLP_HEADERS instead)"));
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("is neither http nor https"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refused("names no host"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("has a query or a fragment"));
        }
        Ok(Some(Self(url)))
    }

    /// Whether it is spoken to over TLS.
    pub(super) fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// As it is written, without a slash at its end.
    pub(super) fn text(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

/// Sends traces and logs to a collector, in batches, from threads of their own.
pub struct Otlp {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

impl Otlp {
    /// Begins to send to this collector, by calls on this runtime. What else the environment says of OpenTelemetry, its libraries
    /// read: headers, sampler, resource, queues.
    ///
    /// # Errors
    /// No certificates can be used, or the environment says what OpenTelemetry does not know.
    pub fn connect(endpoint: &Endpoint, instance: Option<&str>, runtime: Handle) -> Result<Self, String> {
        let collector = Collector::new(endpoint, runtime)?;
        let (resource, url) = (resource(instance), endpoint.text());
        let wrong = |error: ExporterBuildError| format!("cannot send traces and logs to {url}: {error}");
        let spans = SpanExporter::builder()
            .with_http()
            .with_http_client(collector.clone())
            .with_endpoint(format!("{url}/v1/traces"))
            .build()
            .map_err(wrong)?;
        let records = LogExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(format!("{url}/v1/logs"))
            .build()
            .map_err(wrong)?;
        Ok(Self {
            traces: SdkTracerProvider::builder().with_resource(resource.clone()).with_batch_exporter(spans).build(),
            logs: SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(records).build(),
        })
    }

    /// Takes spans. Where in the sources they are made, and on which thread, says nothing to anybody.
    pub(super) fn traces(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        let layer = tracing_opentelemetry::layer().with_tracer(self.traces.tracer(SERVICE));
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false)
    }

    /// Takes what is logged, with the id of its reconcile.
    pub(super) fn logs(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        let id = TracingSpanAttributes::allowlist(["reconcile_id"]);
        OpenTelemetryTracingBridge::builder(&self.logs).with_tracing_span_attributes(id).build()
    }

    /// Sends what was not sent yet, for some seconds at most.
    pub fn end(&self) {
        // What fails here has been told by the collector's client, or comes too late to be told.
        thread::scope(|scope| {
            scope.spawn(|| self.traces.shutdown_with_timeout(LAST_WORDS));
            let _ = self.logs.shutdown_with_timeout(LAST_WORDS);
        });
    }
}

/// What was given, without a user, a password and a query: people put tokens there.
fn without_secrets(given: &str) -> String {
    let (place, more) = given.split_once(['?', '#']).map_or((given, ""), |(place, _)| (place, "…"));
    match place.rsplit_once('@') {
        Some((user, place)) => format!("{}://…@{place}{more}", user.split_once("://").map_or("", |(scheme, _)| scheme)),
        None => format!("{place}{more}"),
    }
}

/// Who sends: as the environment says, and where it does not, as the operator is called.
fn resource(instance: Option<&str>) -> Resource {
    let found = Resource::builder().build();
    let is_known = |key: &'static str| match found.get(&Key::from_static_str(key)) {
        // The SDK's own word for a service without a name.
        Some(Value::String(name)) => !name.as_str().starts_with("unknown_service"),
        other => other.is_some(),
    };
    let ours = [
        ("service.name", Some(SERVICE)),
        ("service.version", Some(env!("CARGO_PKG_VERSION"))),
        ("service.instance.id", instance),
    ];
    let missing = ours.into_iter().filter(|(key, _)| !is_known(key));
    let given = missing.filter_map(|(key, value)| value.map(|value| KeyValue::new(key, value.to_owned())));
    Resource::builder().with_attributes(given).build()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_endpoint_is_an_url_of_http_or_is_refused_with_what_is_wrong() {
        for (given, taken) in [
            ("http://localhost:4318", "http://localhost:4318"),
            ("https://collector.example/", "https://collector.example"),
            ("https://collector.example/otlp/", "https://collector.example/otlp"),
            ("http://[::1]:4318", "http://[::1]:4318"),
        ] {
            assert_eq!(Endpoint::parse(given).unwrap().unwrap().text(), taken);
        }
        assert_eq!(Endpoint::parse(""), Ok(None));
        for (given, wrong) in [
            ("collector", "\"collector\", which is no URL"),
            ("collector:4318", "\"collector:4318\", which is neither http nor https"),
            ("grpc://collector:4317", "\"grpc://collector:4317\", which is neither http nor https"),
            ("http://", "\"http://\", which is no URL (empty host)"),
            ("unix:///run/collector", "\"unix:///run/collector\", which is neither http nor https"),
            ("http://collector:99999", "which is no URL (invalid port number)"),
            ("http://collector:4318?token=secret", "\"http://collector:4318…\", which has a query or a fragment"),
            ("https://me:secret@collector:99999", "\"https://…@collector:99999\", which is no URL"),
            ("http://collector:4318/#a", "which has a query or a fragment"),
            ("https://me:secret@collector", "\"https://…@collector\", which has credentials"),
        ] {
            let said = Endpoint::parse(given).unwrap_err();
            assert!(said.starts_with("--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is "), "{said}");
            assert!(said.contains(wrong) && said.contains("it must be the http or https URL"), "{given}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
