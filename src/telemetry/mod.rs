//! Logs, and where it is asked for traces. What is logged is chosen by `RUST_LOG`; secrets cannot get in, since their type can
//! be neither printed nor serialised, and no filter brings out what other crates say of whole requests.

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, registry};

use crate::config::LogFormat;

mod collector;
pub mod otlp;
pub mod spans;

use otlp::Otlp;

/// Somebody who is told of events and spans.
type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging to the standard error stream, and sending to a collector if there is one. Calling it twice has no effect.
pub fn start(format: LogFormat, otlp: Option<&Otlp>) {
    // A second subscriber cannot be set: whoever set the first one wants it.
    let _ = subscriber(format, from_environment, std::io::stderr().is_terminal(), std::io::stderr, otlp).try_init();
}

/// What writes logs as text.
pub fn text<W>(filter: EnvFilter, colours: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    registry().with(written(LogFormat::Text, filter, colours, writer))
}

/// What writes logs, and sends them and traces to a collector.
pub fn subscriber<W>(
    format: LogFormat,
    filter: impl Fn() -> EnvFilter,
    colours: bool,
    writer: W,
    otlp: Option<&Otlp>,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let mut layers = vec![written(format, filter(), colours, writer)];
    if let Some(otlp) = otlp {
        layers.push(otlp.logs().with_filter(logged(filter())).boxed());
        let spans = filter_fn(is_own_span).with_max_level_hint(LevelFilter::DEBUG);
        layers.push(otlp.traces().with_filter(spans).boxed());
    }
    registry().with(layers)
}

/// The filter that the environment names.
fn from_environment() -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,mlops_operator=info"))
}

fn written<W>(format: LogFormat, filter: EnvFilter, colours: bool, writer: W) -> AnyLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_ansi(colours).with_writer(writer);
    match format {
        LogFormat::Text => layer.with_filter(logged(filter)).boxed(),
        LogFormat::Json => layer.json().with_filter(logged(filter)).boxed(),
    }
}

/// What the filter lets through of what is harmless.
fn logged(filter: EnvFilter) -> impl Filter<Registry> {
    // Without a level of its own, the filter's would not count, and each crate's finest lines were asked about.
    let harmless = filter_fn(harmless).with_max_level_hint(LevelFilter::TRACE);
    filter.and(harmless)
}

/// The AWS SDKs, kube and hyper write whole requests at their finer levels, with the bodies: in those are secrets that
/// go to CloudFormation, and come from Kubernetes. Whatever the filter says, only the operator's own crate is fine.
fn harmless(metadata: &Metadata<'_>) -> bool {
    // A watch that is forbidden warns at each attempt; the object that names what may not be read says so, once.
    if metadata.target().starts_with("kube_runtime::watcher") {
        return *metadata.level() == Level::ERROR;
    }
    // Of the operator's spans the reconcile says enough; what lies in it is for traces.
    if is_own_span(metadata) {
        return *metadata.level() == Level::ERROR;
    }
    *metadata.level() <= Level::INFO || is_own(metadata)
}

/// Spans hold no texts, and what is logged in them is sent as logs.
fn is_own_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && is_own(metadata)
}

fn is_own(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("mlops_operator")
}
