//! A small Kubernetes API in memory, for tests under tokio's paused clock: a real server and processes do not mix
//! with time that jumps. It knows the verbs and rules that the operator uses: get, list, watch, create, delete,
//! patch (merge, JSON, apply) with resourceVersion, the status subresource, finalizers and deletionTimestamp,
//! generation, defaults and pruning by the schema of a CRD, the deletion of a CRD with all its objects, and reviews of who
//! asks and who may do the operator's work.
//!
//! It does not validate, evaluates no CEL rule, knows no RBAC, does not ask for a namespace before it keeps objects in
//! it, and serves one field manager for each part of an object; the real API server of `tests/cluster` is there for
//! those. A request that it does not know is refused. `tests/agreement.rs` shows that both answer alike.

mod admit;
mod definition;
mod list;
mod patch;
mod reviews;
mod route;
mod schema;
mod script;
mod serve;
mod store;

pub use serve::{KubernetesService, ResponseBody};
pub use store::{KindInfo, Kubernetes, Refused};

#[cfg(test)]
mod tests;
