//! The ways into the sandbox. A transport carries requests; what they do is decided behind it.

pub(crate) mod builds;
mod buildspec;
mod command;
pub(crate) mod functions;
pub(crate) mod git;
pub mod http;
pub mod in_process;
mod process_environment;

#[cfg(test)]
mod builds_tests;
