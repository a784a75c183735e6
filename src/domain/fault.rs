//! What went wrong in a call, sorted by what happens next. Not found is never a fault: `observe` returns an
//! absent `Observed`.

use std::time::Duration;

use crate::crd::status::Reason;

/// What happens next decides the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Asked to slow down: back off.
    Throttled,
    /// 5xx, time-out, connection lost: back off. The call may have taken effect.
    Unavailable,
    /// Another operation is in progress: again soon.
    Conflict,
    /// AWS has not yet propagated what was just made: waiting, and Rejected after two minutes.
    Propagating,
    /// IAM, Jenkins 401/403: after ten minutes, or when a Secret changes.
    Denied,
    /// The request itself is wrong: on spec change, and slowly.
    Rejected,
    /// Anything else: back off.
    Unexpected,
}

impl FaultKind {
    /// What a person can do about it where nothing more is known.
    pub fn usual_hint(self) -> &'static str {
        match self {
            Self::Throttled => "it is tried again by itself; if this lasts, see what else uses up the rate of calls",
            Self::Unavailable => {
                "it is tried again by itself; if this lasts, look at the health of the service and at the network between"
            }
            Self::Conflict => "it is tried again by itself; if this lasts, find out what else works on it",
            Self::Propagating => "AWS usually needs seconds for this; it is tried again by itself",
            Self::Denied => "allow the operator what the message names; it is tried again every ten minutes",
            Self::Rejected => "correct what the message names; it is tried again every ten minutes",
            Self::Unexpected => "it is tried again by itself; if this lasts, report it as a defect of the operator",
        }
    }
}

/// A call that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens next.
    pub kind: FaultKind,
    /// The reason that conditions show.
    pub reason: Reason,
    /// What was attempted on which object and what the remote side said: lower case, one line, no secrets.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// When the remote side asked to be called again.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault of this kind with the kind's usual reason.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        let reason = match kind {
            FaultKind::Throttled => Reason::Throttled,
            FaultKind::Unavailable => Reason::Unavailable,
            FaultKind::Conflict => Reason::Conflict,
            FaultKind::Propagating => Reason::Propagating,
            FaultKind::Denied => Reason::AccessDenied,
            FaultKind::Rejected => Reason::Rejected,
            FaultKind::Unexpected => Reason::Unexpected,
        };
        Self { kind, reason, message: message.into(), hint: None, retry_after: None }
    }

    /// The same with a more telling reason.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
