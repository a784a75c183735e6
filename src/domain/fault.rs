//! What went wrong in a call, sorted by what happens next, and the one table that says what that is. Not found is never a
//! fault: `observe` returns an absent `Observed`.

use std::time::Duration;

use crate::crd::status::Reason;
use crate::domain::text;

/// What happens next decides the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Asked to slow down: back off.
    Throttled,
    /// 5xx, time-out, connection lost: back off. The call may have taken effect.
    Unavailable,
    /// Another operation is in progress, or something is in use: back off, and Stuck after ten minutes.
    Conflict,
    /// AWS has not yet propagated what was just made: waiting, and Rejected after two minutes.
    Propagating,
    /// IAM, Jenkins 401/403: backs off for half a minute, then every ten minutes, or when a Secret changes.
    Denied,
    /// The request itself is wrong: on spec change, and slowly.
    Rejected,
    /// Anything else: back off.
    Unexpected,
}

/// For how long a passing fault changes no condition.
pub const PATIENCE: Duration = Duration::from_mins(5);
/// For how long a refusal may pass: Jenkins answers 401 to a valid token for seconds while it starts (seen on a real
/// server), and IAM takes seconds to spread a policy.
pub const DENIAL: Duration = Duration::from_secs(30);
/// For how long AWS may need to propagate what was just made before that counts as refused.
pub const PROPAGATION: Duration = Duration::from_mins(2);

/// After how long something that is in use, or busy, is for a person to look at.
pub const IN_USE: Duration = Duration::from_mins(10);

/// How an object as a whole is affected, from the mildest to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// Everything is as declared.
    Fine,
    /// Nothing new is known.
    Unseen,
    /// It comes by itself.
    Working,
    /// It may come by itself.
    Troubled,
    /// A person must change or allow something.
    Stalled,
}

/// How a call is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Ever more slowly, with each failing reconcile in a row.
    Backoff,
    /// Every ten minutes, or when something changes.
    Slowly,
}

/// What a kind of fault means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPolicy {
    /// How it affects the object once it is shown.
    pub impact: Impact,
    /// Status of the resource's condition once it is shown.
    pub status: &'static str,
    /// For how long it is no fault at all but waiting.
    pub waits_for: Duration,
    /// After how long it is shown.
    pub shown_after: Duration,
    /// How the call is repeated, once it is shown if that is slowly: until then it backs off.
    pub retry: Retry,
}

impl FaultKind {
    /// Every kind, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Throttled,
        Self::Unavailable,
        Self::Conflict,
        Self::Propagating,
        Self::Denied,
        Self::Rejected,
        Self::Unexpected,
    ];

    /// The table: what condition it shows, after how long, how it is repeated, whether a person must act.
    pub fn policy(self) -> FaultPolicy {
        let row = |impact, status, waits_for, shown_after, retry| FaultPolicy {
            impact,
            status,
            waits_for,
            shown_after,
            retry,
        };
        let at_once = Duration::ZERO;
        match self {
            Self::Throttled => row(Impact::Troubled, "Unknown", at_once, PATIENCE, Retry::Backoff),
            Self::Unavailable => row(Impact::Troubled, "Unknown", at_once, PATIENCE, Retry::Backoff),
            Self::Conflict => row(Impact::Troubled, "Unknown", at_once, PATIENCE, Retry::Backoff),
            Self::Propagating => row(Impact::Working, "Unknown", PROPAGATION, at_once, Retry::Backoff),
            Self::Denied => row(Impact::Stalled, "False", at_once, DENIAL, Retry::Slowly),
            Self::Rejected => row(Impact::Stalled, "False", at_once, at_once, Retry::Slowly),
            Self::Unexpected => row(Impact::Troubled, "Unknown", at_once, at_once, Retry::Backoff),
        }
    }

    /// The reason that conditions show where nothing more is known.
    pub fn usual_reason(self) -> Reason {
        match self {
            Self::Throttled => Reason::Throttled,
            Self::Unavailable => Reason::Unavailable,
            Self::Conflict => Reason::Conflict,
            Self::Propagating => Reason::Propagating,
            Self::Denied => Reason::AccessDenied,
            Self::Rejected => Reason::Rejected,
            Self::Unexpected => Reason::Unexpected,
        }
    }

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
    /// Its row in the policy table.
    pub kind: FaultKind,
    /// The reason that conditions show.
    pub reason: Reason,
    /// What was attempted on which object and what the remote side said: lower case, one line, no secrets.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// When the remote side asked to be called again.
    pub retry_after: Option<Duration>,
    /// Whether the call was not sent, since those that may be made are used up. To try it again costs the remote side nothing.
    pub unsent: bool,
}

impl Fault {
    /// A fault of this kind with the kind's usual reason. What the message names may be a remote side's: it becomes one line
    /// of bounded length.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason: kind.usual_reason(),
            message: text::message(message),
            hint: None,
            retry_after: None,
            unsent: false,
        }
    }

    /// The same with a more telling reason.
    #[must_use]
    pub fn with_reason(mut self, reason: Reason) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The table once more, as a user would put it: who must act, what the condition shows and when, when it is tried again.
    #[test]
    fn each_kind_of_fault_has_its_policy() {
        use FaultKind::{Conflict, Denied, Propagating, Rejected, Throttled, Unavailable, Unexpected};
        let rows = [
            ("AWS asks to slow down", Throttled, "Unknown after 300 s", "Backoff", false),
            ("AWS does not answer", Unavailable, "Unknown after 300 s", "Backoff", false),
            ("another operation runs", Conflict, "Unknown after 300 s", "Backoff", false),
            ("AWS propagates", Propagating, "Unknown after 0 s", "Backoff", false),
            ("a permission lacks", Denied, "False after 30 s", "Slowly", true),
            ("the request is wrong", Rejected, "False after 0 s", "Slowly", true),
            ("nobody knows", Unexpected, "Unknown after 0 s", "Backoff", false),
        ];
        assert_eq!(rows.map(|row| row.1), FaultKind::ALL);
        for (name, kind, shown, retry, person) in rows {
            let policy = kind.policy();
            assert_eq!(format!("{} after {} s", policy.status, policy.shown_after.as_secs()), shown, "{name}");
            assert_eq!(format!("{:?}", policy.retry), retry, "{name}");
            assert_eq!(policy.impact == Impact::Stalled, person, "{name}");
            assert_eq!(policy.waits_for > Duration::ZERO, kind == Propagating, "{name}");
            assert!(!kind.usual_hint().is_empty(), "{name}");
        }
    }
}
