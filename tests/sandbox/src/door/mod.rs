//! The ways into the sandbox. A door carries requests; what they do is decided behind it.

pub mod in_process;
