//! The objects of one kind that are worked on: who is asked for goes to the scheduler, and who has his turn gets a task. It
//! stands between the watch, which says what happened, and `reconcile`, which does the work; it decides neither.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::SignedDuration;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::controller::api::ApiError;
use crate::controller::context::Context;
use crate::controller::object::{Key, Kind};
use crate::controller::reconcile::{self, Next};
use crate::controller::restart;
use crate::controller::scheduler::{Again, Places, Scheduler};
use crate::controller::stored::Stored;
use crate::domain::budget::Lane;
use crate::domain::requeue::backoff;
use crate::telemetry::spans::Reconcile;

/// How long to sleep where nothing is due: what happens wakes up earlier.
const IDLE: Duration = Duration::from_hours(1);
/// How long an object is left alone whose reconcile broke down: a fault of the program, which comes again.
const BROKEN: Duration = Duration::from_mins(10);

/// How often an object may be changed within that time and be taken as one that a user waits for. Making one and settling it
/// changes it three times.
const TOUCHES: u32 = 10;
const TOUCHED_WITHIN: Duration = Duration::from_mins(1);
/// Beyond so many objects, those that were changed longer ago are forgotten.
const REMEMBERED: usize = 1000;

/// What a watch tells of the objects of a kind.
pub(super) enum Seen {
    /// It was there when the operator began to watch, or has come while it did not.
    Found(Key),
    /// It is new, or was changed by somebody else.
    Changed(Key),
    /// These are gone.
    Gone(Vec<Key>),
    /// All that there are have been told.
    Complete,
}

/// The objects of one kind, and which of them are worked on.
pub(super) struct Work {
    context: Arc<Context>,
    kind: Kind,
    objects: Store<Stored>,
    scheduler: Scheduler<Key>,
    tasks: JoinSet<Result<Next, ApiError>>,
    /// Whose reconcile a task is, and what it is called, once it has begun.
    running: HashMap<Id, (Key, Arc<OnceLock<Reconcile>>)>,
    /// Objects that were asked for before all were known.
    early: BTreeSet<Key>,
    touches: Touches,
    /// Whether all objects are known. Before that, what is counted among them would be wrong.
    is_complete: bool,
}

impl Work {
    /// On so many of them at once.
    pub(super) fn new(context: Arc<Context>, kind: Kind, objects: Store<Stored>, concurrency: u16) -> Self {
        Self {
            context,
            kind,
            objects,
            scheduler: Scheduler::new(concurrency.into()),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            early: BTreeSet::new(),
            touches: Touches::default(),
            is_complete: false,
        }
    }

    /// Begins all that have their turn now.
    pub(super) fn begin(&mut self) {
        if !self.is_complete {
            return;
        }
        while let Some(key) = self.scheduler.next(Instant::now()) {
            let Some(stored) = self.stored(&key) else {
                self.scheduler.ended(&key, Again::OnChange, Lane::Routine, Places::from([]), Instant::now());
                continue;
            };
            if let Some((lane, waited)) = self.scheduler.waited(&key) {
                self.context.dependencies.metrics.waited(self.kind.id(), lane, waited);
            }
            let begun = Arc::new(OnceLock::new());
            let task = self.tasks.spawn(reconcile::run(stored, self.context.clone(), begun.clone()));
            self.running.insert(task.id(), (key, begun));
        }
        for lane in [Lane::User, Lane::Routine] {
            let since = self.scheduler.waiting_since(lane).map(|since| {
                let now = self.context.dependencies.clock.now();
                now.saturating_sub(SignedDuration::try_from(since.elapsed()).unwrap_or_default()).unwrap_or(now)
            });
            let waiting = self.scheduler.waiting(lane);
            self.context.dependencies.metrics.waiting(self.kind.id(), lane, waiting, since);
        }
    }

    /// The next reconcile to end; `None`: there is none.
    pub(super) async fn end(&mut self) -> Option<Ended> {
        self.tasks.join_next_with_id().await
    }

    /// When the next object is due.
    pub(super) fn wakes_at(&self) -> Instant {
        let next = self.scheduler.wakes_at().filter(|_| self.is_complete);
        next.unwrap_or_else(|| Instant::now() + IDLE)
    }

    /// What the watch has told.
    pub(super) fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Complete => {
                self.is_complete = true;
                for key in std::mem::take(&mut self.early) {
                    self.changed(&key);
                }
            }
            Seen::Gone(keys) => keys.iter().for_each(|key| self.scheduler.forget(key)),
            Seen::Changed(key) => {
                let (now, places) = (Instant::now(), self.places(&key));
                let lane = if self.touches.are_too_many(&key, now) { Lane::Routine } else { Lane::User };
                self.scheduler.ask(key, lane, places, now);
            }
            Seen::Found(key) => self.found(key),
        }
    }

    /// An object that was there before: it may be left alone for a while, unless something that it depends on has changed.
    fn found(&mut self, key: Key) {
        let Some(stored) = self.stored(&key) else { return };
        if self.early.contains(&key) {
            return self.changed(&key);
        }
        match restart::first_look(&self.context, &stored.object()) {
            Some(delay) => {
                let places = self.places(&key);
                self.scheduler.ask_at(key, Instant::now() + delay, places);
            }
            None => self.changed(&key),
        }
    }

    /// Something that an object depends on has changed.
    pub(super) fn changed(&mut self, key: &Key) {
        if let Some(stored) = self.stored(key) {
            let lane = if is_reached(&stored) { Lane::Routine } else { Lane::User };
            let places = self.places(key);
            self.scheduler.ask(key.clone(), lane, places, Instant::now());
        } else if !self.is_complete {
            self.early.insert(key.clone());
        }
    }

    /// A reconcile has ended.
    pub(super) fn ended(&mut self, ended: Ended) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some((key, begun)) = self.running.remove(&id) else { return };
        // What is said of how it ended belongs to it.
        let _within = begun.get().map(|begun| begun.span.enter());
        let Next { again, lane } = match ended {
            Ok((_, Ok(next))) => next,
            Ok((_, Err(error))) => self.retry(&key, &error),
            Err(error) => {
                tracing::error!(namespace = key.namespace.as_str(), name = key.name.as_str(), %error, "a reconcile broke down: this is a fault of the operator");
                Next { again: Again::After(BROKEN), lane: Lane::Routine }
            }
        };
        let places = self.places(&key);
        self.scheduler.ended(&key, again, lane, places, Instant::now());
        // It may have gone while it was worked on, and been remembered after that.
        if self.is_complete && self.stored(&key).is_none() {
            self.scheduler.forget(&key);
            self.context.forget(&key);
        }
    }

    /// The remote sides that an object shares with others, as far as they are known.
    fn places(&self, key: &Key) -> Places {
        self.stored(key).map_or_else(|| Places::from([]), |stored| self.context.platforms.places(&stored))
    }

    fn stored(&self, key: &Key) -> Option<Arc<Stored>> {
        let reference = ObjectRef::new_with(&key.name, self.kind);
        self.objects.get(&if key.namespace.is_empty() { reference } else { reference.within(&key.namespace) })
    }

    /// After a call of the Kubernetes API failed.
    fn retry(&self, key: &Key, error: &ApiError) -> Next {
        tracing::warn!(namespace = key.namespace.as_str(), name = key.name.as_str(), %error, "a reconcile failed");
        // An object that was forgotten in the meantime stays forgotten.
        let memory = self.context.known(key);
        if error.is_conflict()
            && let Some(memory) = &memory
        {
            memory.outdated();
        }
        let failures = memory.map_or(1, |memory| memory.broken_off());
        let again = Again::After(backoff(failures, (self.context.dependencies.chance)()));
        let reached = self.stored(key).is_none_or(|stored| is_reached(&stored));
        Next { again, lane: if reached { Lane::Routine } else { Lane::User } }
    }
}

/// How often objects were changed: one that is changed all the time must not go before all others each time.
#[derive(Default)]
struct Touches(HashMap<Key, (Instant, u32)>);

impl Touches {
    /// Notes that an object was changed, and answers whether it was too often.
    fn are_too_many(&mut self, key: &Key, now: Instant) -> bool {
        let is_recent = |since: &Instant| now.saturating_duration_since(*since) < TOUCHED_WITHIN;
        if self.0.len() > REMEMBERED {
            self.0.retain(|_, (since, _)| is_recent(since));
        }
        let (since, count) = self.0.entry(key.clone()).or_insert((now, 0));
        if !is_recent(since) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count > TOUCHES
    }
}

/// A reconcile that has ended, and how.
pub(super) type Ended = Result<(Id, Result<Next, ApiError>), JoinError>;

/// Whether nobody waits for it, as far as the object tells.
fn is_reached(stored: &Stored) -> bool {
    !stored.is_being_deleted && stored.is_ready
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_is_changed_all_the_time_goes_before_nobody() {
        let key = |name: &str| Key::new("ml-team", name);
        let (mut touches, begun) = (Touches::default(), Instant::now());
        let mut touch = |name: &str, second: u64| touches.are_too_many(&key(name), begun + Duration::from_secs(second));
        let first: Vec<bool> = (0..20).map(|second| touch("busy", second)).collect();
        assert_eq!(first, [vec![false; 10], vec![true; 10]].concat());
        assert!(!touch("other", 20), "each object by itself");
        assert!(!touch("busy", 61), "a minute later it is as any other");
        for n in 0..5000 {
            touch(&n.to_string(), 200 + n);
        }
        assert!(touches.0.len() <= REMEMBERED + 1, "{}", touches.0.len());
    }
}
