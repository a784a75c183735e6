//! What all resources of one object share during one reconcile: what is remembered, the clock, where intents are written, and
//! what was done so far. It stands apart from the loop, which only reads it and says what came of each resource. It calls
//! nobody.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::memory::{After, ObjectMemory};
use crate::clock::Clock;
use crate::crd::status::Reason;
use crate::domain::external_resource::{ExternalResource, Step, StepKey, Wait};
use crate::domain::fault::{Fault, FaultKind, IN_USE, PROPAGATION};
use crate::domain::outcome::{AppliedStep, Outcome};
use crate::domain::problem::Problem;
use crate::domain::requeue::{backoff, delay};
use crate::domain::time::elapsed;

/// How many actions of one reconcile are told, each by an event of its own.
pub(super) const MOST_TOLD: usize = 100;

/// What a reconcile must know of its object before it acts.
pub trait IntentJournal: Send + Sync {
    /// Writes all intents of the memory into the object's status, before what they announce is done.
    fn persist(&self, memory: &ObjectMemory) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Whether the object is still the one that the reconcile began with: neither gone nor made anew nor, unlike then,
    /// being deleted. A cache may be behind, and another operator may have come in between.
    fn stands(&self) -> impl Future<Output = Result<bool, Fault>> + Send {
        std::future::ready(Ok(true))
    }
}

/// What all resources of one object share during one reconcile.
pub struct Scope<'a, J> {
    /// What is remembered of the object.
    pub memory: &'a ObjectMemory,
    pub clock: Clock,
    /// Where intents are written.
    pub journal: &'a J,
    /// True once the operator is stopping.
    pub stopping: watch::Receiver<bool>,
    pub applied: Mutex<Vec<AppliedStep>>,
    /// A random number in 0..1 that shortens delays, so that objects do not go in step.
    pub(super) chance: f64,
    /// Whether a first look may take answers that others got some minutes ago.
    pub(super) may_share: bool,
}

impl<'a, J: IntentJournal> Scope<'a, J> {
    /// A reconcile that has done nothing yet.
    pub fn new(memory: &'a ObjectMemory, clock: Clock, journal: &'a J, stopping: watch::Receiver<bool>) -> Self {
        Self { memory, clock, journal, stopping, applied: Mutex::default(), chance: 0.0, may_share: false }
    }

    /// The same, with this random number in 0..1.
    #[must_use]
    pub fn with_chance(self, chance: f64) -> Self {
        Self { chance, ..self }
    }

    /// The same for a routine look: what others were told some minutes ago may confirm that all is as it was.
    #[must_use]
    pub fn sharing(self, may_share: bool) -> Self {
        Self { may_share, ..self }
    }

    /// What was done so far.
    pub fn take_applied(&self) -> Vec<AppliedStep> {
        std::mem::take(&mut *self.applied.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note<R: ExternalResource>(&self, key: &StepKey, step: &Step<R::Action>) {
        let after = match (step.clears_failed_creation, step.retries_failure) {
            (true, _) => After::FailedCreation,
            (false, true) => After::FailedChange,
            (false, false) => After::Nothing,
        };
        self.memory.acted(R::KIND, key, after, self.clock.now());
        self.memory.removed(R::KIND, step.removes);
        let Step { change, reason, summary, .. } = step;
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        if applied.len() < MOST_TOLD {
            applied.push(AppliedStep { kind: R::KIND, change: *change, reason: *reason, summary: summary.clone() });
        }
    }

    pub(super) fn faulted<R: ExternalResource>(&self, fault: Fault) -> Outcome<R::Output> {
        let (now, policy) = (self.clock.now(), fault.kind.policy());
        if policy.waits_for.is_zero() {
            let since = self.memory.faulted(R::KIND, &fault, now);
            if fault.kind == FaultKind::Conflict && elapsed(since, now) >= IN_USE {
                let hint = fault.hint.unwrap_or_else(|| "see what uses it or works on it, and end that".to_owned());
                return Outcome::Stuck(Problem::new(fault.reason, fault.message, hint));
            }
            return Outcome::Faulted { fault, since };
        }
        let since = self.memory.propagates(R::KIND, now);
        if elapsed(since, now) < policy.waits_for {
            let wait = Wait::new("propagating", Reason::Propagating, fault.message);
            return Outcome::waiting(self.backing_off::<R>(wait, since), since);
        }
        let reason = if fault.reason == Reason::Propagating { Reason::Rejected } else { fault.reason };
        Outcome::Stuck(Problem::new(reason, fault.message, fault.hint.unwrap_or_else(propagation_hint)))
    }
}

impl<J> Scope<'_, J> {
    /// The same wait, ever more slowly, but not past the moment at which it is no wait any more.
    pub(super) fn backing_off<R: ExternalResource>(
        &self,
        wait: Wait<R::Output>,
        since: jiff::Timestamp,
    ) -> Wait<R::Output> {
        let now = self.clock.now();
        let left = PROPAGATION.saturating_sub(elapsed(since, now));
        let pause = backoff(self.memory.pace(R::KIND).failures, self.chance).min(left);
        wait.until(now.saturating_add(pause).unwrap_or(now))
    }

    /// Lets a resource rest with this outcome until it asks to be looked at again.
    pub fn rest<R: ExternalResource>(&self, wanted: bool, outcome: &Outcome<R::Output>) {
        let now = self.clock.now();
        let failures = self.memory.pace(R::KIND).failures;
        let delay = delay(&outcome.without_output(), now, failures, self.chance);
        let until = delay.filter(|delay| !delay.is_zero()).and_then(|delay| now.saturating_add(delay).ok());
        self.memory.rest(R::KIND, wanted, outcome, until);
        let is_wrong = match outcome {
            Outcome::Stuck(_) => true,
            Outcome::Faulted { fault, .. } => matches!(fault.kind, FaultKind::Rejected | FaultKind::Unexpected),
            _ => false,
        };
        if is_wrong {
            self.memory.sickens(R::KIND);
        }
    }
}

/// What may help where AWS does not come to know of something.
pub(super) fn propagation_hint() -> String {
    "AWS usually needs seconds for this: check that the roles and principals named in the spec exist and may be used"
        .to_owned()
}
