//! The ways into the sandbox. A door carries requests; what they do is decided behind it.

pub(crate) mod builds;
mod buildspec;
mod command;
pub(crate) mod functions;
pub(crate) mod git;
pub mod http;
pub mod in_process;
mod surroundings;

#[cfg(test)]
mod builds_tests;
