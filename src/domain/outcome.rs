//! How a reconcile ended: for each resource an [`Outcome`], for the object a [`Report`]. Conditions, events and requeues
//! are made from it, and from nothing else; nothing here decides what any of them says.

use jiff::Timestamp;

use crate::crd::status::Reason;
use crate::domain::docs_url::DocsUrl;
use crate::domain::external_resource::{Change, Remark, ResourceKind, Wait};
use crate::domain::fault::{Fault, Impact, PATIENCE};
use crate::domain::problem::Problem;
use crate::domain::time::elapsed;

/// How a reconcile ended for one resource; `O` is what it hands to the resources after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<O = ()> {
    /// It is as declared.
    InSync {
        /// What dependants need of it.
        output: O,
        /// Whether the reconcile had to do something for it.
        changed: bool,
    },
    /// It is not wanted, and it does not exist.
    Gone,
    /// The remote side is working.
    Waiting {
        /// The reason that the condition shows.
        reason: Reason,
        /// For people; stable while nothing changes.
        message: String,
        /// When this stage of waiting began.
        since: Timestamp,
        /// When there will be something to see, if that is known.
        until: Option<Timestamp>,
        /// What dependants may already use.
        early: Option<O>,
    },
    /// A person must change something.
    Stuck(Problem),
    /// A call did not do what it should.
    Faulted {
        /// The call that failed, and why.
        fault: Fault,
        /// Since when it goes wrong without a success in between.
        since: Timestamp,
    },
    /// Another resource must be ready first.
    Blocked {
        /// The resource that it waits for.
        by: ResourceKind,
    },
    /// The operator is stopping; nothing is known.
    Interrupted,
}

impl<O> Outcome<O> {
    /// A wait that has lasted since `since`.
    pub fn waiting(wait: Wait<O>, since: Timestamp) -> Self {
        Self::Waiting { reason: wait.reason, message: wait.message, since, until: wait.until, early: wait.early }
    }

    /// The same without the output: all that conditions and requeues need.
    pub fn without_output(&self) -> Outcome {
        match self {
            Self::InSync { changed, .. } => Outcome::InSync { output: (), changed: *changed },
            Self::Gone => Outcome::Gone,
            Self::Waiting { reason, message, since, until, .. } => {
                let (message, until) = (message.clone(), *until);
                Outcome::Waiting { reason: *reason, message, since: *since, until, early: None }
            }
            Self::Stuck(problem) => Outcome::Stuck(problem.clone()),
            Self::Faulted { fault, since } => Outcome::Faulted { fault: fault.clone(), since: *since },
            Self::Blocked { by } => Outcome::Blocked { by: *by },
            Self::Interrupted => Outcome::Interrupted,
        }
    }

    /// What it is called in traces, with its reason if it has one. Nothing of it is a remote side's.
    pub fn named(&self) -> (&'static str, Option<Reason>) {
        match self {
            Self::InSync { .. } => ("in_sync", None),
            Self::Gone => ("gone", None),
            Self::Waiting { reason, .. } => ("waiting", Some(*reason)),
            Self::Stuck(problem) => ("stuck", Some(problem.reason)),
            Self::Faulted { fault, .. } => ("faulted", Some(fault.reason)),
            Self::Blocked { .. } => ("blocked", None),
            Self::Interrupted => ("interrupted", None),
        }
    }

    /// What is known of the resource, be it still in the making.
    pub fn known(&self) -> Option<&O> {
        match self {
            Self::InSync { output, .. } | Self::Waiting { early: Some(output), .. } => Some(output),
            _ => None,
        }
    }

    /// What dependants need that wait for it to be done, or the resource that they have to wait for.
    ///
    /// # Errors
    /// The kind that blocks: this one, or the one that blocks it.
    pub fn ready(&self, kind: ResourceKind) -> Result<&O, ResourceKind> {
        match self {
            Self::InSync { output, .. } => Ok(output),
            Self::Blocked { by } => Err(*by),
            _ => Err(kind),
        }
    }

    /// What dependants need that can start before it is done, or the resource that they have to wait for.
    ///
    /// # Errors
    /// The kind that blocks: this one, or the one that blocks it.
    pub fn early(&self, kind: ResourceKind) -> Result<&O, ResourceKind> {
        match self {
            Self::Waiting { early: Some(output), .. } => Ok(output),
            other => other.ready(kind),
        }
    }

    /// Whether the resource is out of the way of those that it depends on, or what is.
    ///
    /// # Errors
    /// The kind that is in the way: this one, or the one that blocks it.
    pub fn gone(&self, kind: ResourceKind) -> Result<(), ResourceKind> {
        match self {
            Self::Gone => Ok(()),
            Self::Blocked { by } => Err(*by),
            _ => Err(kind),
        }
    }

    /// How it affects the object as a whole.
    pub fn impact(&self, now: Timestamp) -> Impact {
        match self {
            Self::InSync { .. } | Self::Gone => Impact::Fine,
            // A blocked resource waits for one that speaks for itself; alone it must not look finished.
            Self::Blocked { .. } | Self::Interrupted => Impact::Unseen,
            Self::Waiting { .. } => Impact::Working,
            Self::Stuck(_) => Impact::Stalled,
            Self::Faulted { fault, since } => {
                let policy = fault.kind.policy();
                if elapsed(*since, now) >= policy.shown_after { policy.impact } else { Impact::Unseen }
            }
        }
    }

    /// Whether nothing will come of it by itself soon: a person must act, or a passing fault has lasted.
    pub fn needs_intervention(&self, now: Timestamp) -> bool {
        match self {
            Self::Faulted { since, .. } if elapsed(*since, now) >= PATIENCE => true,
            _ => self.impact(now) == Impact::Stalled,
        }
    }

    /// The same with its message and its hint changed.
    #[must_use]
    pub fn redacted(mut self, redact: impl Fn(&str) -> String) -> Self {
        if let Self::Faulted { fault, .. } = &mut self {
            fault.hint = fault.hint.as_deref().map(&redact);
        } else if let Self::Stuck(problem) = &mut self {
            problem.hint = redact(&problem.hint);
        }
        self.with_message(redact)
    }

    /// The same with its message changed.
    #[must_use]
    pub fn with_message(mut self, change: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Waiting { message, .. } => *message = change(message),
            Self::Stuck(problem) => problem.message = change(&problem.message),
            Self::Faulted { fault, .. } => fault.message = change(&fault.message),
            Self::InSync { .. } | Self::Gone | Self::Blocked { .. } | Self::Interrupted => {}
        }
        self
    }
}

/// Which way a reconcile went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Making the resources as declared.
    Apply,
    /// Removing the resources.
    Delete,
}

/// What a reconcile came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReconcileResult {
    /// The resources were observed.
    Observed {
        /// Whether resources were made or removed.
        phase: Phase,
        /// How it ended for each, in the order of the kinds.
        outcomes: Vec<(ResourceKind, Outcome)>,
    },
    /// The object itself is not fit to be acted on.
    Refused(Problem),
    /// `spec.suspend` is true: nothing was observed.
    Suspended {
        /// The platform whose spec says so; absent: the object's own does.
        platform: Option<String>,
    },
}

impl ReconcileResult {
    /// The same with its messages and hints changed.
    #[must_use]
    pub fn redacted(self, redact: impl Fn(&str) -> String) -> Self {
        let problem =
            |problem: Problem| Problem { message: redact(&problem.message), hint: redact(&problem.hint), ..problem };
        self.each(|outcome| outcome.redacted(&redact), problem)
    }

    /// The same with its messages changed.
    #[must_use]
    pub fn with_messages(self, change: impl Fn(&str) -> String) -> Self {
        let problem = |problem: Problem| Problem { message: change(&problem.message), ..problem };
        self.each(|outcome| outcome.with_message(&change), problem)
    }

    fn each(self, outcome: impl Fn(Outcome) -> Outcome, problem: impl Fn(Problem) -> Problem) -> Self {
        match self {
            Self::Observed { phase, outcomes } => {
                let outcomes = outcomes.into_iter().map(|(kind, one)| (kind, outcome(one))).collect();
                Self::Observed { phase, outcomes }
            }
            Self::Refused(refusal) => Self::Refused(problem(refusal)),
            suspended @ Self::Suspended { .. } => suspended,
        }
    }
}

/// Something that was done in a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedStep {
    /// The kind of resource that it was done to.
    pub kind: ResourceKind,
    /// What it did to the resource.
    pub change: Change,
    /// Why it was done.
    pub reason: Reason,
    /// For people, in the imperative.
    pub summary: String,
}

/// The facts of a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The generation of the spec that the reconcile worked from.
    pub generation: i64,
    /// The moment at which the reconcile ended.
    pub now: Timestamp,
    /// What it came to.
    pub result: ReconcileResult,
    /// What is worth knowing about resources that are as declared.
    pub remarks: Vec<(ResourceKind, Remark)>,
    /// The steps that were done, in order.
    pub applied: Vec<AppliedStep>,
    /// Where the pages of the reasons are.
    pub docs: DocsUrl,
}

impl Report {
    /// How it ended for each resource; empty where nothing was observed.
    pub fn outcomes(&self) -> &[(ResourceKind, Outcome)] {
        match &self.result {
            ReconcileResult::Observed { outcomes, .. } => outcomes,
            ReconcileResult::Refused(_) | ReconcileResult::Suspended { .. } => &[],
        }
    }

    /// Whether the operator was stopped before the reconcile could find out everything: then only ids are worth keeping.
    pub fn interrupted(&self) -> bool {
        self.outcomes().iter().any(|(_, outcome)| matches!(outcome, Outcome::Interrupted))
    }

    /// Whether everything was found as it should be.
    pub fn settled(&self) -> bool {
        matches!(self.result, ReconcileResult::Observed { .. })
            && self.outcomes().iter().all(|(_, outcome)| outcome.impact(self.now) == Impact::Fine)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dependants_get_the_output_when_it_is_there_and_else_the_name_of_what_blocks() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let early = Outcome::waiting(Wait::new("creating", Reason::Progressing, "").early(Some(7)), now);
        assert_eq!(early.ready(ResourceKind::SagemakerProject), Err(ResourceKind::SagemakerProject));
        assert_eq!(early.early(ResourceKind::SagemakerProject), Ok(&7));
        let blocked: Outcome<i32> = Outcome::Blocked { by: ResourceKind::Prerequisites };
        assert_eq!(blocked.ready(ResourceKind::CatalogProduct), Err(ResourceKind::Prerequisites));
        assert_eq!(blocked.gone(ResourceKind::CatalogProduct), Err(ResourceKind::Prerequisites));
        assert_eq!(Outcome::InSync { output: 7, changed: true }.early(ResourceKind::CatalogProduct), Ok(&7));
    }
}
