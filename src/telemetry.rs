//! Logs. What is logged is chosen by `RUST_LOG`; secrets cannot get in, since their type can be neither printed nor
//! serialised, and no filter brings out what other crates say of whole requests.

use std::io::IsTerminal;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Starts logging to the standard error stream. Calling it twice has no effect.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,mlops_operator=info"));
    let colours = std::io::stderr().is_terminal();
    // A second subscriber cannot be set: whoever set the first one wants it.
    let _ = match format {
        LogFormat::Text => text(filter, colours, std::io::stderr).try_init(),
        LogFormat::Json => {
            let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).json();
            builder.with_writer(std::io::stderr).finish().with(filter_fn(harmless)).try_init()
        }
    };
}

/// What writes logs as text.
pub fn text<W>(filter: EnvFilter, colours: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours);
    builder.with_writer(writer).finish().with(filter_fn(harmless))
}

/// The AWS SDKs, kube and hyper write whole requests at their finer levels, with the bodies: in those are secrets that
/// go to CloudFormation, and come from Kubernetes. Whatever the filter says, only the operator's own crate is fine.
fn harmless(metadata: &Metadata<'_>) -> bool {
    // A watch that is forbidden warns at each attempt; the object that names what may not be read says so, once.
    if metadata.target().starts_with("kube_runtime::watcher") {
        return *metadata.level() == Level::ERROR;
    }
    *metadata.level() <= Level::INFO || metadata.target().starts_with("mlops_operator")
}
