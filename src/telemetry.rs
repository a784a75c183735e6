//! Logs. What is logged is chosen by `RUST_LOG`; secrets cannot get in, since their type can be neither printed nor
//! serialised, and requests are never logged whole.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging to the standard error stream. Calling it twice has no effect.
pub fn start(format: LogFormat) {
    // The SDK and kube log bodies and headers at trace level: their crates stay at warn unless asked for by name.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,mlops_operator=info"));
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    // A second subscriber cannot be set: whoever set the first one wants it.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
