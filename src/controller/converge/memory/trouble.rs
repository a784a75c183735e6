//! What goes wrong with the resources of one object, and when each is to be looked at again. Apart from the rest of the
//! memory, which knows what was found and done; it decides nothing, and asks no remote side.

use jiff::Timestamp;

use super::unsettled::Content;
use super::{MOST_LEFT, ObjectMemory, ResourceState, Rest};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Amount, ResourceKind};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::problem::Left;
use crate::domain::requeue::{DEEP_CHECK, Pace, TOLERANCE};
use crate::domain::time::elapsed;

/// How many actions a resource may take on its way to what it should be before it is looked at ever more slowly: none of
/// ours takes half as many, but a remote side can find something to do for ever. What empties a bucket is not counted.
const UNHURRIED: u32 = 300;
/// How many more make its pause twice as long.
const DOUBLING: u32 = 60;
/// As how many a reconcile counts that came to no end.
const TURN: u32 = 30;

/// What is wrong with one resource. All of it ends when the resource is as it should be, or something else is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    faulted_since: Option<Timestamp>,
    /// The kind of the last fault, and since when there has been no other.
    fault: Option<(FaultKind, Timestamp)>,
    /// How many calls in a row have failed or were too early.
    failures: u32,
    /// Why a person is needed, and since when it has been for that.
    pub(super) stuck: Option<(Reason, Timestamp)>,
    /// Whether something is wrong with it since it was last as it should be.
    sick: bool,
    pub(super) propagating_since: Option<Timestamp>,
    /// How much was done since it was last as it should be.
    labour: u32,
}

impl Trouble {
    /// So much more was done.
    pub(super) fn labours(&mut self, acts: u32) {
        self.labour = self.labour.saturating_add(acts);
    }

    /// As how many failures it counts that what is done comes to no end.
    fn futility(&self) -> u32 {
        self.labour.checked_sub(UNHURRIED).map_or(0, |more| 1 + more / DOUBLING)
    }

    /// No call fails any more.
    pub(super) fn end_faults(&mut self) {
        self.forget_fault();
        self.failures = 0;
    }

    /// The same, without a word about how often something was too early.
    pub(super) fn forget_fault(&mut self) {
        (self.faulted_since, self.fault) = (None, None);
    }
}

impl ObjectMemory {
    /// How the resource is to be looked at.
    pub fn pace(&self, kind: ResourceKind) -> Pace {
        self.of(kind, |ResourceState { unsettled, rest, .. }| Pace {
            failures: unsettled.trouble.failures.max(unsettled.trouble.futility()),
            rests_until: rest.as_ref().map(|rest| rest.until),
        })
    }

    /// What was found of a resource that rests, if it was wanted as it is now.
    pub fn resting<O: Clone + 'static>(&self, kind: ResourceKind, wanted: bool, now: Timestamp) -> Option<O> {
        self.of(kind, |state| {
            let rest = state.rest.as_ref().filter(|rest| rest.wanted == wanted)?;
            // A clock that was set back must not make a rest of a second last for hours.
            if elapsed(now, rest.until) <= TOLERANCE || elapsed(now, rest.until) > DEEP_CHECK {
                return None;
            }
            rest.outcome.downcast_ref::<O>().cloned()
        })
    }

    /// Lets the resource rest with what was found, until that time; `None`: it is due whenever the object is.
    pub fn rest<O: Clone + Send + 'static>(
        &self,
        kind: ResourceKind,
        wanted: bool,
        outcome: &O,
        until: Option<Timestamp>,
    ) {
        let rest = until.map(|until| Box::new(Rest { wanted, outcome: Box::new(outcome.clone()), until }));
        self.of(kind, |state| state.rest = rest);
    }

    /// Notes that something is wrong with a resource which a person must mend. What it is made from may be the cause: the
    /// first time since it was well, all others are observed anew.
    pub fn sickens(&self, kind: ResourceKind) {
        let mut state = self.state();
        if std::mem::replace(&mut state.kinds.entry(kind).or_default().unsettled.trouble.sick, true) {
            return;
        }
        for (_, other) in state.kinds.iter_mut().filter(|(other, _)| **other != kind) {
            other.kept = None;
        }
    }

    /// The remote side works on it: since when it has been in this stage of waiting.
    pub fn waits(&self, kind: ResourceKind, reason: Reason, stage: &'static str, now: Timestamp) -> Timestamp {
        self.of(kind, |state| {
            let Content { trouble, waiting, .. } = &mut *state.unsettled;
            let Trouble { sick, labour, .. } = *trouble;
            *trouble = Trouble { sick, labour, ..Trouble::default() };
            match *waiting {
                Some((known, of, since)) if known == reason && of == stage => since,
                _ => {
                    *waiting = Some((reason, stage, now));
                    now
                }
            }
        })
    }

    /// AWS propagates what was made: since when it has done so without a break.
    pub fn propagates(&self, kind: ResourceKind, now: Timestamp) -> Timestamp {
        self.of(kind, |state| {
            let trouble = &mut state.unsettled.trouble;
            trouble.forget_fault();
            trouble.failures = trouble.failures.saturating_add(1);
            *trouble.propagating_since.get_or_insert(now)
        })
    }

    /// The remote side has answered all that was asked, and a person is needed.
    pub fn stuck(&self, kind: ResourceKind, reason: Reason, now: Timestamp) {
        self.of(kind, |state| {
            let trouble = &mut state.unsettled.trouble;
            trouble.end_faults();
            if trouble.stuck.is_none_or(|(known, _)| known != reason) {
                trouble.stuck = Some((reason, now));
            }
        });
    }

    /// Notes a fault, and answers since when there have been only faults; of a refusal and a conflict, which mean something
    /// else once they last, since when there have been only those.
    pub fn faulted(&self, kind: ResourceKind, fault: &Fault, now: Timestamp) -> Timestamp {
        let Fault { kind: fault, unsent, .. } = *fault;
        self.of(kind, |state| {
            let trouble = &mut state.unsettled.trouble;
            trouble.failures = trouble.failures.saturating_add(u32::from(!unsent));
            let since = *trouble.faulted_since.get_or_insert(now);
            if trouble.fault.is_none_or(|(known, _)| known != fault) {
                trouble.fault = Some((fault, now));
            }
            match (fault, trouble.fault) {
                (FaultKind::Denied | FaultKind::Conflict, Some((_, alike))) => alike,
                _ => since,
            }
        })
    }

    /// Notes what a creation that failed has left.
    pub fn left_behind(&self, kind: ResourceKind, left: Vec<Left>) {
        self.of(kind, |state| {
            let room = MOST_LEFT.saturating_sub(state.unsettled.attempts.left_behind.len());
            state.unsettled.attempts.left_behind.extend(left.into_iter().take(room));
        });
    }

    /// A creation has succeeded: what earlier ones have left was told. Of a resource that is gone it is told until the end.
    pub fn made(&self, kind: ResourceKind) {
        self.of(kind, |state| state.unsettled.attempts.left_behind.clear());
    }

    /// Notes that so much was removed, and answers how much it is in all.
    pub fn removed(&self, kind: ResourceKind, amount: Amount) -> Amount {
        self.of(kind, |state| {
            if amount != Amount::default() {
                // What gets less comes to an end.
                state.unsettled.trouble.labour = 0;
            }
            let removed = &mut state.unsettled.removed;
            *removed = removed.plus(amount);
            *removed
        })
    }

    /// Notes that a reconcile ended with more to do. Answers as how many failures that counts; 0: it may go on at once.
    pub fn unfinished(&self, kind: ResourceKind) -> u32 {
        self.of(kind, |state| {
            let trouble = &mut state.unsettled.trouble;
            trouble.labours(TURN);
            trouble.futility()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_creations_have_left_is_known_until_one_succeeds() {
        let (memory, kind) = (ObjectMemory::default(), ResourceKind::SagemakerProject);
        let left = || memory.attempts(kind).left_behind.len();
        memory.left_behind(kind, vec![Left { kind: "AWS::S3::Bucket".into(), id: "b".into() }]);
        memory.reached(kind);
        assert_eq!(left(), 1, "it is gone, as wanted");
        memory.made(kind);
        assert_eq!(left(), 0);
    }
}
