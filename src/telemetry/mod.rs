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

/// What is logged where nothing else is asked for.
const USUAL: &str = "warn,mlops_operator=info";

/// Starts logging to the standard error stream, and sending to a collector if there is one. Calling it twice has no effect.
/// `asked`: the value of `RUST_LOG`.
///
/// # Errors
/// It cannot be read, as a sentence: whoever asks for more lines must not believe that there are none.
pub fn start(format: LogFormat, asked: Option<&str>, otlp: Option<&Otlp>) -> Result<(), String> {
    let filter = filter(asked.filter(|asked| !asked.trim().is_empty()).unwrap_or(USUAL))?;
    // A second subscriber cannot be set: whoever set the first one wants it.
    let _ = subscriber(format, || filter.clone(), std::io::stderr().is_terminal(), std::io::stderr, otlp).try_init();
    Ok(())
}

fn filter(asked: &str) -> Result<EnvFilter, String> {
    let refused = |why: String| {
        format!(
            "RUST_LOG (the chart's logLevel) is {asked:?}: {why}; it takes a level (off, error, warn, info, debug, trace) and pairs like TARGET=LEVEL, separated by commas"
        )
    };
    // A misspelt level would be taken for a target, and nothing else be logged.
    let bare = asked.split(',').map(str::trim).filter(|part| !part.is_empty() && !part.contains(['=', '[']));
    if let Some(unknown) = bare.into_iter().find(|part| part.parse::<LevelFilter>().is_err()) {
        return Err(refused(format!("{unknown:?} is no level")));
    }
    EnvFilter::try_new(asked).map_err(|error| refused(error.to_string()))
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
