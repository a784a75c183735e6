//! What one process remembers of one object between passes. All of it may be lost: then the answer is still right,
//! only later. It stands alone so that everything that could grow with the number of objects is in one place and
//! goes when the object goes.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::clock::elapsed;
use crate::crd::status::{Intent, Reason};
use crate::domain::report::PATIENCE;
use crate::domain::resource::{Attempts, Change, Handles, Kind};

/// For how long something seen in sync is taken for granted while a pass waits for something else.
const KEEP: Duration = Duration::from_mins(5);

/// The memory of one object.
#[derive(Default)]
pub struct Ledger {
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    revision: String,
    intents: Vec<Intent>,
    written: Vec<Intent>,
    failures: u32,
    ready: Option<String>,
    published: Option<(u64, Value)>,
    doubted: bool,
    kinds: BTreeMap<Kind, KindMemory>,
}

#[derive(Default)]
struct KindMemory {
    tried: Attempts,
    faulted_since: Option<Timestamp>,
    propagating_since: Option<Timestamp>,
    waiting: Option<(Reason, String, Timestamp)>,
    acts: BTreeMap<String, Act>,
    kept: Option<Kept>,
    /// What it was made from when it was last looked at.
    inputs: Option<String>,
    /// Whether a look has ever found it.
    seen: bool,
}

/// An action done in an earlier pass whose effect has not been seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// When it was done last.
    pub at: Timestamp,
    /// In how many passes.
    pub passes: u32,
}

struct Kept {
    /// `None`: it is gone, as wanted.
    output: Option<Box<dyn Any + Send>>,
    at: Timestamp,
}

impl Ledger {
    /// A memory that starts from the intents in the status.
    pub fn new(intents: Vec<Intent>) -> Self {
        let memory = Memory { intents: intents.clone(), written: intents, ..Memory::default() };
        Self { memory: Mutex::new(memory) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Nothing here panics while it holds the lock, and a half-made entry would only cost a look more.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<T>(&self, kind: Kind, change: impl FnOnce(&mut KindMemory) -> T) -> T {
        change(self.memory().kinds.entry(kind).or_default())
    }

    /// Begins a pass. A revision other than the last one (spec, Secrets, a request to look) drops what was taken
    /// for granted and what seemed to have no effect.
    pub fn begin(&self, revision: &str) {
        let mut memory = self.memory();
        if memory.revision != revision {
            revision.clone_into(&mut memory.revision);
            for kind in memory.kinds.values_mut() {
                kind.kept = None;
                kind.acts.clear();
                kind.propagating_since = None;
                kind.tried.asked_anew = true;
                kind.tried.failed_creations = 0;
            }
        }
    }

    /// Ends a pass: once everything has settled, the next one looks at everything. Answers how many failing passes
    /// there have been in a row.
    pub fn end(&self, settled: bool, failing: bool) -> u32 {
        let mut memory = self.memory();
        memory.failures = if failing { memory.failures.saturating_add(1) } else { 0 };
        if settled {
            for kind in memory.kinds.values_mut() {
                kind.kept = None;
            }
        }
        memory.failures
    }

    /// What was tried before.
    pub fn attempts(&self, kind: Kind) -> Attempts {
        let mut memory = self.memory();
        let known = memory.kinds.entry(kind).or_default();
        let mut tried = known.tried.clone();
        tried.done = known.acts.keys().cloned().collect();
        tried.propagating_since = known.propagating_since;
        tried.intents.clone_from(&memory.intents);
        tried
    }

    /// Notes whether the status has the thing as made.
    pub fn recorded(&self, kind: Kind, recorded: bool) {
        self.of(kind, |memory| memory.tried.recorded = recorded);
    }

    /// All intents, as the status is to have them.
    pub fn intents(&self) -> Vec<Intent> {
        self.memory().intents.clone()
    }

    /// Whether an intent is in the status already; it is noted in any case.
    pub fn intend(&self, intent: &Intent) -> bool {
        let mut memory = self.memory();
        match memory.intents.iter_mut().find(|known| known.thing == intent.thing) {
            Some(known) if known.n == intent.n => {}
            Some(known) => known.clone_from(intent),
            None => memory.intents.push(intent.clone()),
        }
        memory.written.iter().any(|known| known.thing == intent.thing && known.n == intent.n)
    }

    /// Notes that the status has these intents.
    pub fn written(&self, intents: Vec<Intent>) {
        self.memory().written = intents;
    }

    /// Notes ids that an act has told.
    pub fn learn(&self, handles: Handles) {
        let mut memory = self.memory();
        for (thing, id) in handles {
            match memory.intents.iter_mut().find(|known| known.thing == thing) {
                Some(known) => known.id = Some(id),
                None => memory.intents.push(Intent { thing, n: 0, id: Some(id) }),
            }
        }
    }

    /// Notes whether a look found the thing.
    pub fn saw(&self, kind: Kind, exists: bool, now: Timestamp) {
        self.of(kind, |memory| {
            memory.seen |= exists;
            memory.tried.absent_since = if exists { None } else { memory.tried.absent_since.or(Some(now)) };
        });
    }

    /// Whether a thing that the last look did not find is gone, and not only too young to show: one that was seen before
    /// is, and one that looks further apart than `lag` did not find.
    pub fn proven_absent(&self, kind: Kind, lag: Duration, now: Timestamp) -> bool {
        let seen = self.of(kind, |memory| memory.seen);
        seen || self.attempts(kind).absent_since.is_some_and(|since| elapsed(since, now) >= lag)
    }

    /// Notes which ids a look found to exist, and which not.
    pub fn sighted(&self, kind: Kind, sightings: &[(String, bool)], now: Timestamp) {
        self.of(kind, |memory| {
            let missing: Vec<&String> = sightings.iter().filter(|(_, exists)| !exists).map(|(id, _)| id).collect();
            memory.tried.missing_since.retain(|id, _| missing.contains(&id));
            for id in missing {
                memory.tried.missing_since.entry(id.clone()).or_insert(now);
            }
            memory.tried.sighted.extend(sightings.iter().filter(|(_, exists)| *exists).map(|(id, _)| id.clone()));
        });
    }

    /// Notes that an action was done, and why.
    pub fn acted(&self, kind: Kind, summary: &str, change: Change, because: Reason, now: Timestamp) {
        self.of(kind, |memory| {
            let act = memory.acts.entry(summary.to_owned()).or_insert(Act { at: now, passes: 0 });
            *act = Act { at: now, passes: act.passes + 1 };
            memory.tried.asked_anew = false;
            if change == Change::Delete
                && matches!(because, Reason::ProjectFailed | Reason::StackFailed | Reason::CatalogFailed)
            {
                memory.tried.failed_creations += 1;
                memory.tried.last_failed_creation = Some(now);
            }
        });
    }

    /// The act of that summary in earlier passes, if its effect has not been seen since.
    pub fn act(&self, kind: Kind, summary: &str) -> Option<Act> {
        self.of(kind, |memory| memory.acts.get(summary).copied())
    }

    /// The thing is as it should be: what was tried on the way counts no longer.
    pub fn reached(&self, kind: Kind) {
        self.of(kind, |memory| {
            memory.acts.clear();
            memory.faulted_since = None;
            memory.waiting = None;
            memory.propagating_since = None;
            memory.tried.failed_creations = 0;
            memory.tried.last_failed_creation = None;
        });
    }

    /// The remote side works on it: since when the same has been said, or since when it propagates.
    pub fn waits(&self, kind: Kind, why: Reason, message: &str, now: Timestamp) -> Timestamp {
        self.of(kind, |memory| {
            memory.faulted_since = None;
            if why == Reason::Propagating {
                return *memory.propagating_since.get_or_insert(now);
            }
            memory.propagating_since = None;
            match &memory.waiting {
                Some((known, text, since)) if *known == why && text == message => *since,
                _ => {
                    memory.waiting = Some((why, message.to_owned(), now));
                    now
                }
            }
        })
    }

    /// The remote side has taken an action up: doing it once more later would be something new.
    pub fn took_effect(&self, kind: Kind) {
        self.of(kind, |memory| memory.acts.clear());
    }

    /// The remote side has answered all that was asked.
    pub fn answered(&self, kind: Kind) {
        self.of(kind, |memory| memory.faulted_since = None);
    }

    /// Notes a fault, and answers since when there have been only faults.
    pub fn faulted(&self, kind: Kind, now: Timestamp) -> Timestamp {
        self.of(kind, |memory| *memory.faulted_since.get_or_insert(now))
    }

    /// Notes what a thing is made from: what was kept of one made from something else counts no longer.
    pub fn made_from(&self, kind: Kind, inputs: String) {
        self.of(kind, |memory| {
            if memory.inputs.as_ref().is_some_and(|before| *before != inputs) {
                memory.kept = None;
            }
            memory.inputs = Some(inputs);
        });
    }

    /// Keeps what a thing in sync hands on, for the next passes of the same wait; `None`: that it is gone.
    pub fn keep<O: Clone + Send + 'static>(&self, kind: Kind, output: Option<&O>, now: Timestamp) {
        let output = output.cloned().map(|output| Box::new(output) as Box<dyn Any + Send>);
        self.of(kind, |memory| memory.kept = Some(Kept { output, at: now }));
    }

    /// What a thing that was as wanted a moment ago hands on; `Some(None)`: it was gone.
    pub fn kept<O: Clone + 'static>(&self, kind: Kind, now: Timestamp) -> Option<Option<O>> {
        self.of(kind, |memory| {
            let kept = memory.kept.as_ref().filter(|kept| elapsed(kept.at, now) < KEEP)?;
            match &kept.output {
                None => Some(None),
                Some(output) => output.downcast_ref::<O>().map(|output| Some(output.clone())),
            }
        })
    }

    /// The status that this process wrote last, if the server's answer is newer than version `seen`.
    pub fn published(&self, seen: u64) -> Option<Value> {
        self.memory().published.as_ref().filter(|(version, _)| *version > seen).map(|(_, status)| status.clone())
    }

    /// Whether the object is known to have changed since version `seen`: what is cached of it is then behind.
    pub fn behind(&self, seen: u64) -> bool {
        let mut memory = self.memory();
        std::mem::take(&mut memory.doubted) || memory.published.as_ref().is_some_and(|(version, _)| *version > seen)
    }

    /// Notes that the server refused a write for being made from an old version of the object.
    pub fn outdated(&self) {
        self.memory().doubted = true;
    }

    /// Notes the status that this process wrote, as the server has it since.
    pub fn publish(&self, version: u64, status: Value) {
        self.memory().published = Some((version, status));
    }

    /// Notes the status of `Ready`, and answers what it was.
    pub fn turn_ready(&self, now: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.memory().ready, now)
    }

    /// Looks at the thing anew next time.
    pub fn doubt(&self, kind: Kind) {
        self.of(kind, |memory| memory.kept = None);
    }
}

// A passing fault is shown after `PATIENCE`; what is taken for granted must not be older than what is shown.
const _: () = assert!(KEEP.as_secs() <= PATIENCE.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_to_look_ends_every_rest_until_the_next_act() {
        let ledger = Ledger::default();
        ledger.begin("1");
        ledger.acted(Kind::ModelTrigger, "delete stack", Change::Delete, Reason::StackFailed, Timestamp::UNIX_EPOCH);
        assert_eq!(ledger.attempts(Kind::ModelTrigger).failed_creations, 1);
        ledger.begin("1");
        assert!(!ledger.attempts(Kind::ModelTrigger).asked_anew);
        ledger.begin("2");
        let tried = ledger.attempts(Kind::ModelTrigger);
        assert!(tried.asked_anew && tried.failed_creations == 0);
        ledger.acted(Kind::ModelTrigger, "delete stack", Change::Delete, Reason::StackFailed, Timestamp::UNIX_EPOCH);
        assert!(!ledger.attempts(Kind::ModelTrigger).asked_anew);
    }

    #[test]
    fn a_cache_is_behind_what_this_process_wrote_and_after_a_conflict_once() {
        let ledger = Ledger::default();
        assert!(!ledger.behind(7));
        ledger.publish(8, Value::Null);
        assert_eq!([7, 8, 9].map(|seen| ledger.behind(seen)), [true, false, false]);
        ledger.outdated();
        assert_eq!([8, 8].map(|seen| ledger.behind(seen)), [true, false]);
    }

    #[test]
    fn absent_is_what_was_seen_before_or_is_not_found_for_long() {
        let (ledger, lag) = (Ledger::default(), Duration::from_secs(15));
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        ledger.saw(Kind::ModelTrigger, false, at(0));
        assert_eq!([0, 14, 15].map(|now| ledger.proven_absent(Kind::ModelTrigger, lag, at(now))), [false, false, true]);
        ledger.saw(Kind::SagemakerProject, true, at(0));
        ledger.saw(Kind::SagemakerProject, false, at(1));
        assert!(ledger.proven_absent(Kind::SagemakerProject, lag, at(1)));
    }

    #[test]
    fn what_was_made_from_something_else_is_not_taken_for_granted() {
        let (ledger, now) = (Ledger::default(), Timestamp::UNIX_EPOCH);
        ledger.made_from(Kind::JenkinsJobs, "project p-1".to_owned());
        ledger.keep(Kind::JenkinsJobs, Some(&7), now);
        ledger.made_from(Kind::JenkinsJobs, "project p-1".to_owned());
        assert_eq!(ledger.kept::<i32>(Kind::JenkinsJobs, now), Some(Some(7)));
        ledger.made_from(Kind::JenkinsJobs, "project p-2".to_owned());
        assert_eq!(ledger.kept::<i32>(Kind::JenkinsJobs, now), None);
    }
}
