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
}
