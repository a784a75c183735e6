//! What a person must change before anything can go on. One shape for refusals of a spec, decisions and outcomes, so that
//! no sentence is taken apart and put together again between them.

use crate::crd::status::Reason;

/// Something that a person must change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason that the condition shows.
    pub reason: Reason,
    /// What is wrong, in a sentence that names the resource, the field or the value.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    /// A problem with this reason, message and hint.
    pub fn new(reason: Reason, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason, message: message.into(), hint: hint.into() }
    }

    /// Something names this object as its owner, and does not carry this installation's seal.
    pub fn claimed(what: &str) -> Self {
        let message = format!(
            "{what} names this object as its owner, but another installation sealed it: one for the same cluster id, or this one before its key was replaced; or somebody copied it there"
        );
        let hint = "look at it: what somebody copied there must go; in a copy of a cluster, give the operator a clusterId of its own; where the key was lost, restore it or set acceptUnsealed for a while (docs/grants.md); deletionPolicy: Retain lets the object go and leaves the rest alone";
        Self::new(Reason::ClusterClaimed, message, hint)
    }
}
