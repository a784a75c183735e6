//! Brings one resource to its goal: `engine` is the only observe, decide, act loop; `memory` is what a process remembers of
//! an object between reconciles. It knows no resource in particular and no Kubernetes API.

pub mod engine;
pub mod memory;

pub use engine::{IntentJournal, Scope, converge};
pub use memory::ObjectMemory;
