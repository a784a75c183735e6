//! What one process remembers of one object between reconciles. All of it may be lost: then the answer is still right,
//! only later. It stands alone so that everything that could grow with the number of objects is in one place and
//! goes when the object goes.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::crd::status::Intent;
use crate::domain::external_resource::{Attempts, Glance, ResourceKind, digest_of};
use crate::domain::requeue::{DEEP_CHECK, SLOW_RETRY};
use crate::domain::scrubber::Scrubber;
use crate::domain::secret::Secret;
use crate::domain::time::{Moment, elapsed};

mod acts;
mod glances;
mod intents;
mod trouble;
mod unsettled;

pub use acts::{Act, After};
use glances::Glances;
use intents::Intents;
use unsettled::Unsettled;

/// For how long something seen in sync that has something about it that may pass is taken for granted, and the account.
/// Everything else is until the deep check, whatever the rest of the object is doing.
const KEEP_PASSING: Duration = Duration::from_mins(7);

/// How many resources that were left behind are told of, at most.
const MOST_LEFT: usize = 32;

/// How many secrets that the object had before are still known, and how long each may be, in bytes.
const FORMER: usize = 16;
const LONGEST_FORMER: usize = 16 * 1024;

/// The memory of one object.
#[derive(Default)]
pub struct ObjectMemory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Digests of the revision that is worked on, and of that with which everything was last found as it should be.
    revision: Option<u64>,
    settled: Option<u64>,
    intents: Intents,
    /// How many calls of the Kubernetes API in a row have failed.
    failures: u32,
    /// The version that the object has had since this process last wrote its status.
    published: Option<u64>,
    doubted: bool,
    /// The secrets of the object, the former ones last.
    secrets: Vec<Secret>,
    deletion_is_meant: bool,
    is_unused: bool,
    /// When everything is looked at, whatever is taken for granted.
    deep_check: Option<Timestamp>,
    /// Whether this is a routine look between two deep checks.
    between: bool,
    /// A map holds room for eleven where there is one: hence the boxes.
    kinds: BTreeMap<ResourceKind, Box<ResourceState>>,
}

#[derive(Default)]
struct ResourceState {
    kept: Option<Kept>,
    glances: Glances,
    rest: Option<Box<Rest>>,
    unsettled: Unsettled,
    /// What it was made from when it was last observed.
    inputs: Option<u64>,
    /// Whether it was ever observed to exist.
    seen: bool,
    /// Both as [`Attempts`] has them.
    recorded: bool,
    asked_anew: bool,
}

struct Kept {
    /// `None`: it is gone, as wanted.
    output: Option<Box<dyn Any + Send>>,
    /// When it was seen to be so: observed, or confirmed by lists.
    at: Moment,
    /// When it was observed.
    observed: Moment,
    until: Moment,
    /// Whether there is something about it that may pass.
    passing: bool,
    /// What lists showed right before it was observed, where they show all of it.
    glance: Option<Box<Glance>>,
}

/// What was found, and until when nothing else is to be expected.
struct Rest {
    /// Whether it was wanted.
    wanted: bool,
    outcome: Box<dyn Any + Send>,
    until: Timestamp,
}

impl State {
    fn tidy(&mut self) {
        self.kinds.values_mut().for_each(|kind| kind.unsettled.tidy());
    }
}

impl ObjectMemory {
    /// A memory that starts from the intents in the status.
    pub fn new(intents: Vec<Intent>) -> Self {
        Self { state: Mutex::new(State { intents: Intents::of_status(intents), ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics while it holds the lock, and a half-made entry would only cost one observation more.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<T>(&self, kind: ResourceKind, change: impl FnOnce(&mut ResourceState) -> T) -> T {
        change(self.state().kinds.entry(kind).or_default())
    }

    /// Begins a reconcile. A revision other than the last one (spec, Secrets, a request to reconcile) drops what was taken
    /// for granted and what seemed to have no effect.
    pub fn begin(&self, revision: &str) {
        let (mut state, now) = (self.state(), Some(digest_of(&revision)));
        if std::mem::replace(&mut state.revision, now) != now {
            for kind in state.kinds.values_mut() {
                kind.kept = None;
                kind.glances.forget();
                kind.rest = None;
                kind.asked_anew = true;
                kind.unsettled.ask_anew();
            }
        }
    }

    /// Everything is as this revision of the object says.
    pub fn settles(&self, revision: &str) {
        self.state().settled = Some(digest_of(&revision));
    }

    /// Whether everything was last as it should be with this revision; `None`: it never was, in this process.
    pub fn has_settled(&self, revision: &str) -> Option<bool> {
        self.state().settled.map(|settled| settled == digest_of(&revision))
    }

    /// Ends a reconcile that came to something.
    pub fn end(&self) {
        let mut state = self.state();
        state.failures = 0;
        state.tidy();
    }

    /// Ends one that the Kubernetes API broke off. Answers how many have ended so in a row.
    pub fn broken_off(&self) -> u32 {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        state.tidy();
        state.failures
    }

    /// What was tried before.
    pub fn attempts(&self, kind: ResourceKind) -> Attempts {
        let mut state = self.state();
        let known = state.kinds.entry(kind).or_default();
        let mut attempts = known.unsettled.attempts.clone();
        (attempts.recorded, attempts.asked_anew) = (known.recorded, known.asked_anew);
        attempts.done = known.unsettled.acts.iter().map(|(key, _)| key.clone()).collect();
        attempts.last_act = known.unsettled.acts.iter().map(|(_, act)| act.at).max();
        attempts.propagating_since = known.unsettled.trouble.propagating_since;
        attempts.stuck = known.unsettled.trouble.stuck;
        attempts.intents = state.intents.all();
        attempts
    }

    /// Notes whether the status has the resource as made.
    pub fn recorded(&self, kind: ResourceKind, recorded: bool) {
        self.of(kind, |state| state.recorded = recorded);
    }

    /// Notes whether an observation found the resource.
    pub fn saw(&self, kind: ResourceKind, exists: bool, now: Timestamp) {
        self.of(kind, |state| {
            state.seen |= exists;
            let attempts = &mut state.unsettled.attempts;
            attempts.absent_since = if exists { None } else { attempts.absent_since.or(Some(now)) };
        });
    }

    /// Whether a resource that the last observation did not find is gone, and not only too young to show: one that was seen before
    /// is, and one that observations further apart than `lag` did not find.
    pub fn proven_absent(&self, kind: ResourceKind, lag: Duration, now: Timestamp) -> bool {
        let seen = self.of(kind, |state| state.seen);
        seen || self.attempts(kind).absent_since.is_some_and(|since| elapsed(since, now) >= lag)
    }

    /// Notes which ids an observation found to exist, and which not.
    pub fn sighted(&self, kind: ResourceKind, sightings: &[(String, bool)], now: Timestamp) {
        self.of(kind, |state| {
            let attempts = &mut state.unsettled.attempts;
            let missing: Vec<&String> = sightings.iter().filter(|(_, exists)| !exists).map(|(id, _)| id).collect();
            attempts.missing_since.retain(|id, _| missing.contains(&id));
            for id in missing {
                attempts.missing_since.entry(id.clone()).or_insert(now);
            }
            attempts.sighted.extend(sightings.iter().filter(|(_, exists)| *exists).map(|(id, _)| id.clone()));
        });
    }

    /// Notes what an observation found that matters only once it lasts.
    pub fn noticed(&self, kind: ResourceKind, notices: &[&'static str], now: Timestamp) {
        self.of(kind, |state| {
            let attempts = &mut state.unsettled.attempts;
            attempts.noticed_since.retain(|notice, _| notices.contains(notice));
            for notice in notices {
                attempts.noticed_since.entry(notice).or_insert(now);
            }
        });
    }

    /// The resource is as it should be: what was tried on the way counts no longer.
    pub fn reached(&self, kind: ResourceKind) {
        self.of(kind, |state| state.unsettled.reach());
    }

    /// Notes a digest of what a resource is made from: what was kept of one made from something else counts no longer.
    pub fn made_from(&self, kind: ResourceKind, inputs: u64) {
        self.of(kind, |state| {
            if state.inputs.is_some_and(|before| before != inputs) {
                state.kept = None;
                state.rest = None;
            }
            state.inputs = Some(inputs);
        });
    }

    /// Keeps what a resource in sync hands on, for the next reconciles until the deep check; `None`: that it is gone.
    /// `passing`: there is something about it that may go by itself.
    pub fn keep<O: Clone + Send + 'static>(
        &self,
        kind: ResourceKind,
        output: Option<&O>,
        passing: bool,
        now: Timestamp,
    ) {
        let output = output.cloned().map(|output| Box::new(output) as Box<dyn Any + Send>);
        // Whose account this is, everything else stands on.
        let soon = passing || kind == ResourceKind::Prerequisites;
        let mut state = self.state();
        let deep_check = state.deep_check;
        let of_kind = state.kinds.entry(kind).or_default();
        let until = match deep_check {
            Some(deep_check) if !soon => deep_check,
            _ => now.saturating_add(KEEP_PASSING).unwrap_or(now),
        };
        let glance = of_kind.glances.before.take().filter(|glance| glance.whole.is_some());
        let (now, until) = (now.into(), until.into());
        of_kind.kept = Some(Kept { output, at: now, observed: now, until, passing, glance });
    }

    /// What a resource that was as wanted a moment ago hands on; `Some(None)`: it was gone.
    pub fn kept<O: Clone + 'static>(&self, kind: ResourceKind, now: Timestamp) -> Option<Option<O>> {
        let between = self.state().between;
        self.of(kind, |state| {
            let holds = |kept: &&Kept| {
                let until = kept.until.into();
                now < until && elapsed(now, until) <= DEEP_CHECK
            };
            // Where everything is as declared, nothing is acted on between deep checks.
            let account = |kept: &&Kept| between && kind == ResourceKind::Prerequisites && !kept.passing;
            let kept = state.kept.as_ref().filter(|kept| holds(kept) || account(kept))?;
            state.unsettled.forget_fault();
            match &kept.output {
                None => Some(None),
                Some(output) => output.downcast_ref::<O>().map(|output| Some(output.clone())),
            }
        })
    }

    /// Notes what stays around a resource that is gone, for people; `None`: nothing does, or it is not gone.
    pub fn leaves(&self, kind: ResourceKind, left: Option<String>) {
        self.of(kind, |state| state.unsettled.left = left);
    }

    /// What stays around resources that are gone, in the order of their kinds.
    pub fn left(&self) -> Vec<String> {
        self.state().kinds.values().filter_map(|state| state.unsettled.left.clone()).collect()
    }

    /// Whether the object is known to have changed since version `seen`: what is cached of it is then behind.
    pub fn behind(&self, seen: u64) -> bool {
        let mut state = self.state();
        std::mem::take(&mut state.doubted) || state.published.is_some_and(|version| version > seen)
    }

    /// Notes that the server refused a write for being made from an old version of the object.
    pub fn outdated(&self) {
        self.state().doubted = true;
    }

    /// Notes the version that the object has since this process wrote its status.
    pub fn publish(&self, version: u64) {
        self.state().published = Some(version);
    }

    /// Whether the object's deletion is known to be meant for it alone.
    pub fn deletion_is_meant(&self) -> bool {
        self.state().deletion_is_meant
    }

    /// Notes that it is. What is deleted later, the CRD included, changes nothing about it.
    pub fn mean_deletion(&self) {
        self.state().deletion_is_meant = true;
    }

    /// Whether it is known that no other object stands on this one, nor ever will.
    pub fn is_unused(&self) -> bool {
        self.state().is_unused
    }

    /// Notes that.
    pub fn note_unused(&self) {
        self.state().is_unused = true;
    }

    /// Notes the secrets that the object has now. Some of those that it had stay known, since the remote side may still
    /// repeat what it was sent before a Secret was changed.
    pub fn knows(&self, secrets: Vec<Secret>) {
        let mut state = self.state();
        let most = secrets.len() + FORMER;
        let former = std::mem::replace(&mut state.secrets, secrets);
        for secret in former {
            let known = state.secrets.iter().any(|one| one.reveal() == secret.reveal());
            if !known && state.secrets.len() < most && secret.reveal().len() <= LONGEST_FORMER {
                state.secrets.push(secret);
            }
        }
    }

    /// Takes out of texts what the object has, or had, as secrets.
    pub fn scrubber(&self) -> Scrubber {
        Scrubber::new(&self.state().secrets)
    }

    /// Takes nothing for granted that the resource hands on; one that rests goes on resting.
    pub fn distrust(&self, kind: ResourceKind) {
        self.of(kind, |state| state.kept = None);
    }

    /// Observes the resource anew next time.
    pub fn doubt(&self, kind: ResourceKind) {
        self.of(kind, |state| {
            state.kept = None;
            state.rest = None;
        });
    }
}

// The jitter shortens delays by up to a quarter: a slow retry must find nothing of this that is taken for granted.
const _: () = assert!(KEEP_PASSING.as_secs() < SLOW_RETRY.as_secs() * 3 / 4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::external_resource::StepKey;

    fn key() -> StepKey {
        StepKey::new("DeleteStack", &["stack"])
    }

    #[test]
    fn a_request_to_look_ends_every_rest_until_the_next_act() {
        let memory = ObjectMemory::default();
        memory.begin("1");
        memory.acted(ResourceKind::ModelTrigger, &key(), After::FailedCreation, Timestamp::UNIX_EPOCH);
        assert_eq!(memory.attempts(ResourceKind::ModelTrigger).failed_creations, 1);
        memory.begin("1");
        assert!(!memory.attempts(ResourceKind::ModelTrigger).asked_anew);
        memory.begin("2");
        let attempts = memory.attempts(ResourceKind::ModelTrigger);
        assert!(attempts.asked_anew && attempts.failed_creations == 0);
        memory.acted(ResourceKind::ModelTrigger, &key(), After::FailedCreation, Timestamp::UNIX_EPOCH);
        assert!(!memory.attempts(ResourceKind::ModelTrigger).asked_anew);
    }

    #[test]
    fn a_lasting_step_is_remembered_in_sync_until_the_spec_changes() {
        let (memory, kind) = (ObjectMemory::default(), ResourceKind::JenkinsJobs);
        memory.begin("1");
        for key in [key(), key().lasting()] {
            memory.acted(kind, &key, After::Nothing, Timestamp::UNIX_EPOCH);
        }
        memory.reached(kind);
        memory.begin("1");
        let attempts = memory.attempts(kind);
        assert_eq!((attempts.done.len(), attempts.once), (0, [key().lasting()].into()));
        memory.begin("2");
        assert!(memory.attempts(kind).once.is_empty());
    }

    #[test]
    fn a_cache_is_behind_what_this_process_wrote_and_after_a_conflict_once() {
        let memory = ObjectMemory::default();
        assert!(!memory.behind(7));
        memory.publish(8);
        assert_eq!([7, 8, 9].map(|seen| memory.behind(seen)), [true, false, false]);
        memory.outdated();
        assert_eq!([8, 8].map(|seen| memory.behind(seen)), [true, false]);
    }

    #[test]
    fn absent_is_what_was_seen_before_or_is_not_found_for_long() {
        let (memory, lag) = (ObjectMemory::default(), Duration::from_secs(15));
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        memory.saw(ResourceKind::ModelTrigger, false, at(0));
        assert_eq!(
            [0, 14, 15].map(|now| memory.proven_absent(ResourceKind::ModelTrigger, lag, at(now))),
            [false, false, true]
        );
        memory.saw(ResourceKind::SagemakerProject, true, at(0));
        memory.saw(ResourceKind::SagemakerProject, false, at(1));
        assert!(memory.proven_absent(ResourceKind::SagemakerProject, lag, at(1)));
    }

    #[test]
    fn what_is_noticed_again_and_again_is_known_since_its_first_time() {
        let (memory, kind) = (ObjectMemory::default(), ResourceKind::ModelTrigger);
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let since = |memory: &ObjectMemory| memory.attempts(kind).noticed_since.get("x").copied();
        memory.noticed(kind, &["x"], at(1));
        memory.noticed(kind, &["x", "y"], at(2));
        assert_eq!(since(&memory), Some(at(1)));
        memory.begin("another spec");
        assert_eq!(since(&memory), Some(at(1)), "it is nothing that was tried");
        memory.noticed(kind, &["y"], at(3));
        memory.noticed(kind, &["x"], at(4));
        assert_eq!(since(&memory), Some(at(4)));
    }

    #[test]
    fn a_secret_stays_known_for_a_while_after_it_was_changed() {
        let memory = ObjectMemory::default();
        let secret = |n: usize| Secret::new(format!("secret-{n:03}"));
        for n in 0..20 {
            memory.knows(vec![Secret::new("constant"), secret(n)]);
        }
        let said = |n: usize| memory.scrubber().clean(&format!("secret-{n:03}, constant"));
        let (known, forgotten) = ("(a secret), (a secret)".to_owned(), "secret-002, (a secret)".to_owned());
        assert_eq!([said(19), said(18), said(3), said(2)], [known.clone(), known.clone(), known, forgotten]);
    }

    #[test]
    fn what_was_made_from_something_else_is_not_taken_for_granted() {
        let (memory, now) = (ObjectMemory::default(), Timestamp::UNIX_EPOCH);
        memory.made_from(ResourceKind::JenkinsJobs, 1);
        memory.keep(ResourceKind::JenkinsJobs, Some(&7), false, now);
        memory.made_from(ResourceKind::JenkinsJobs, 1);
        assert_eq!(memory.kept::<i32>(ResourceKind::JenkinsJobs, now), Some(Some(7)));
        memory.made_from(ResourceKind::JenkinsJobs, 2);
        assert_eq!(memory.kept::<i32>(ResourceKind::JenkinsJobs, now), None);
    }
}
