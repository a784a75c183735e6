//! The ways into the sandbox. A door carries requests; what they do is decided behind it.

pub(crate) mod functions;
pub mod http;
pub mod in_process;
