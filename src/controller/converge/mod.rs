//! Brings one resource to its goal: `engine` is the only observe, decide, act loop; `scope` is what the resources of an object
//! share during one reconcile, and `memory` what a process remembers of the object between reconciles. It knows no resource in particular and no Kubernetes API.

pub mod engine;
pub mod memory;
pub mod scope;

pub use engine::converge;
pub use memory::ObjectMemory;
pub use scope::{IntentJournal, Scope};
