//! Which object is reconciled next. It stands alone since nothing here is about objects: it knows keys, moments and names of
//! places, no Kubernetes, no AWS and no clock, and it runs nothing.
//!
//! Two lanes: what a user waits for, and routine looks. The user lane goes first; a part of the slots is left to it by routine
//! looks, and a routine look has its turn after a few users in a row. A place is a remote side that several objects share:
//! one that does not answer holds a part of the slots and no more. In a lane the place goes first that has the fewest worked
//! on, so that nobody waits for a thousand of another place that came before; then first come, first served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::budget::Lane;

/// A routine look goes after so many users that came before it, however many of those there are.
const FOR_USERS_IN_A_ROW: usize = 4;
/// Which part of the slots routine looks leave to users, and the objects of one place to those of others.
const LEFT: usize = 4;

/// Remote sides that the objects of a group share, the wider ones first: each leaves one part of the slots more than the one
/// before it, so that what is stuck in a narrow place does not fill the wide one around it. Equal ones are one group.
pub type Places = Arc<[String]>;

/// When an object is to be looked at again, if nothing brings it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    After(Duration),
    /// Only what happens brings it.
    OnChange,
}

/// Which keys wait, for what, and which are worked on.
pub struct Scheduler<K> {
    slots: usize,
    entries: BTreeMap<K, Entry>,
    /// Those whose moment has not come.
    due: BTreeSet<(Instant, K)>,
    users: Queue<K>,
    routine: Queue<K>,
    /// How many are worked on in each place, in all and as routine looks.
    busy: BTreeMap<String, Busy>,
    /// How many are worked on, and how many of them as routine looks.
    running: usize,
    running_routine: usize,
    /// How many users in a row have gone before a routine look that waits.
    in_a_row: usize,
    /// Grows with each key that begins to wait.
    arrivals: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Busy {
    all: usize,
    routine: usize,
}

struct Entry {
    places: Places,
    state: State,
}

enum State {
    Due { at: Instant, lane: Lane },
    Waiting { lane: Lane, arrival: u64, since: Instant },
    Running { lane: Lane, asked: Option<Lane>, waited: Duration },
}

/// The keys of one lane in the order in which they came, by the places that they need: of those that need the same, only the
/// first is ever looked at.
struct Queue<K>(BTreeMap<Places, BTreeSet<(u64, K)>>);

impl<K: Ord + Clone> Queue<K> {
    fn add(&mut self, places: &Places, arrival: u64, key: K) {
        self.0.entry(places.clone()).or_default().insert((arrival, key));
    }

    fn remove(&mut self, places: &Places, arrival: u64, key: &K) {
        if let Some(group) = self.0.get_mut(places) {
            group.remove(&(arrival, key.clone()));
            if group.is_empty() {
                self.0.remove(places);
            }
        }
    }

    /// The first to have come of all.
    fn first(&self) -> Option<&K> {
        self.0.values().filter_map(BTreeSet::first).min_by_key(|(arrival, _)| *arrival).map(|(_, key)| key)
    }

    /// The first to have come of those whose places have the fewest worked on; `None` of `busy`: they are not free.
    fn next(&self, busy: impl Fn(&Places) -> Option<(usize, usize)>) -> Option<&K> {
        let groups = self.0.iter().filter_map(|(places, group)| Some((busy(places)?, group.first()?)));
        groups.min_by_key(|(busy, (arrival, _))| (*busy, *arrival)).map(|(_, (_, key))| key)
    }

    fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }
}

impl<K: Ord + Clone> Scheduler<K> {
    /// With so many slots, at least one.
    pub fn new(slots: usize) -> Self {
        Self {
            slots: slots.max(1),
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            users: Queue(BTreeMap::new()),
            routine: Queue(BTreeMap::new()),
            busy: BTreeMap::new(),
            running: 0,
            running_routine: 0,
            in_a_row: 0,
            arrivals: 0,
        }
    }

    /// A key is to be worked on as soon as it is its turn. One that is worked on already has another turn afterwards; one that
    /// waits in a lane keeps its place there, unless a user waits for it from now on.
    pub fn ask(&mut self, key: K, lane: Lane, places: Places, now: Instant) {
        match self.entries.get_mut(&key).map(|entry| &mut entry.state) {
            Some(State::Running { asked, .. }) => {
                let urgent = lane == Lane::User || *asked == Some(Lane::User);
                *asked = Some(if urgent { Lane::User } else { Lane::Routine });
            }
            Some(State::Waiting { lane: before, arrival, since }) if *before == lane || lane == Lane::Routine => {
                let (lane, arrival, since) = (*before, *arrival, *since);
                self.take_out(&key);
                self.wait_as(key, places, State::Waiting { lane, arrival, since });
            }
            _ => {
                self.take_out(&key);
                self.wait(key, lane, places, now);
            }
        }
    }

    /// A key that is not known yet is to be worked on at that moment, as a routine look. Of one that is known nothing changes.
    pub fn ask_at(&mut self, key: K, at: Instant, places: Places) {
        if !self.entries.contains_key(&key) {
            self.put_off(key, at, Lane::Routine, places);
        }
    }

    /// The next key to work on, if one may be begun now. It counts as worked on until [`Scheduler::ended`].
    pub fn next(&mut self, now: Instant) -> Option<K> {
        self.wake(now);
        if self.running >= self.slots {
            return None;
        }
        let lane = self.next_lane()?;
        let busy = |places: &Places| self.has_room(lane, places).then(|| self.load(places));
        let queue = if lane == Lane::User { &self.users } else { &self.routine };
        let key = queue.next(busy)?.clone();
        self.take_out(&key);
        self.in_a_row = if lane == Lane::User && !self.routine.0.is_empty() { self.in_a_row + 1 } else { 0 };
        self.running += 1;
        self.running_routine += usize::from(lane == Lane::Routine);
        let entry = self.entries.get_mut(&key)?;
        let waited = match entry.state {
            State::Waiting { since, .. } => now.saturating_duration_since(since),
            _ => Duration::ZERO,
        };
        entry.state = State::Running { lane, asked: None, waited };
        for place in entry.places.iter() {
            let busy = self.busy.entry(place.clone()).or_default();
            busy.all += 1;
            busy.routine += usize::from(lane == Lane::Routine);
        }
        Some(key)
    }

    /// A key is no longer worked on. `lane` and `places`: those in which it goes on. Nothing is kept of one that only a change
    /// brings.
    pub fn ended(&mut self, key: &K, again: Again, lane: Lane, places: Places, now: Instant) {
        let Some(entry) = self.entries.remove(key) else { return };
        let State::Running { lane: went, asked, .. } = entry.state else {
            self.entries.insert(key.clone(), entry);
            return;
        };
        let routine = usize::from(went == Lane::Routine);
        self.running -= 1;
        self.running_routine -= routine;
        for place in entry.places.iter() {
            if let Some(busy) = self.busy.get_mut(place) {
                busy.all -= 1;
                busy.routine -= routine;
                if busy.all == 0 {
                    self.busy.remove(place);
                }
            }
        }
        match (asked, again) {
            (Some(lane), _) => self.wait(key.clone(), lane, places, now),
            (None, Again::After(delay)) => self.put_off(key.clone(), now + delay, lane, places),
            (None, Again::OnChange) => {}
        }
    }

    /// A key is gone. One that is worked on has no other turn but that which its end asks for.
    pub fn forget(&mut self, key: &K) {
        match self.entries.get_mut(key).map(|entry| &mut entry.state) {
            Some(State::Running { asked, .. }) => *asked = None,
            Some(_) => {
                self.take_out(key);
                self.entries.remove(key);
            }
            None => {}
        }
    }

    /// When the next key is due that does not wait yet; `None`: there is none.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// How many keys wait for a slot in a lane.
    pub fn waiting(&self, lane: Lane) -> usize {
        if lane == Lane::User { self.users.len() } else { self.routine.len() }
    }

    /// Since when the key waits in a lane that has waited there for longest.
    pub fn waiting_since(&self, lane: Lane) -> Option<Instant> {
        let key = if lane == Lane::User { self.users.first() } else { self.routine.first() };
        match self.entries.get(key?)?.state {
            State::Waiting { since, .. } => Some(since),
            _ => None,
        }
    }

    /// In which lane a key that is worked on has waited for its turn, and for how long.
    pub fn waited(&self, key: &K) -> Option<(Lane, Duration)> {
        match self.entries.get(key)?.state {
            State::Running { lane, waited, .. } => Some((lane, waited)),
            _ => None,
        }
    }

    /// The lane whose turn it is, of those in which something may be begun.
    fn next_lane(&self) -> Option<Lane> {
        let may = |lane: Lane, queue: &Queue<K>| queue.0.keys().any(|places| self.has_room(lane, places));
        let routine = self.running_routine < self.most(0) && may(Lane::Routine, &self.routine);
        match (may(Lane::User, &self.users), routine) {
            (true, true) if self.in_a_row >= FOR_USERS_IN_A_ROW => Some(Lane::Routine),
            (true, _) => Some(Lane::User),
            (false, true) => Some(Lane::Routine),
            (false, false) => None,
        }
    }

    /// How many slots may be held by routine looks and by the objects of a widest place, or of one so much narrower.
    fn most(&self, narrower: usize) -> usize {
        self.slots.saturating_sub(self.slots.div_ceil(LEFT) * (narrower + 1)).max(1)
    }

    /// Whether the objects of these places may hold one slot more. In each place, too, routine looks leave a part to users.
    fn has_room(&self, lane: Lane, places: &Places) -> bool {
        let room = |(narrower, place): (usize, &String)| {
            let Busy { all, routine } = self.busy.get(place).copied().unwrap_or_default();
            all < self.most(narrower) && (lane == Lane::User || routine < self.most(narrower + 1))
        };
        places.iter().enumerate().all(room)
    }

    /// How many are worked on in the busiest of these places, and in all of them: of two that share one, the other counts.
    fn load(&self, places: &Places) -> (usize, usize) {
        let busy = || places.iter().filter_map(|place| self.busy.get(place)).map(|busy| busy.all);
        (busy().max().unwrap_or_default(), busy().sum())
    }

    /// Lets those wait whose moment has come.
    fn wake(&mut self, now: Instant) {
        while let Some((at, key)) = self.due.first().cloned()
            && at <= now
        {
            self.due.remove(&(at, key.clone()));
            if let Some(Entry { places, state: State::Due { lane, .. } }) = self.entries.remove(&key) {
                self.wait(key, lane, places, at);
            }
        }
    }

    fn wait(&mut self, key: K, lane: Lane, places: Places, since: Instant) {
        self.arrivals += 1;
        self.wait_as(key, places, State::Waiting { lane, arrival: self.arrivals, since });
    }

    fn wait_as(&mut self, key: K, places: Places, state: State) {
        if let State::Waiting { lane, arrival, .. } = state {
            let queue = if lane == Lane::User { &mut self.users } else { &mut self.routine };
            queue.add(&places, arrival, key.clone());
        }
        self.entries.insert(key, Entry { places, state });
    }

    fn put_off(&mut self, key: K, at: Instant, lane: Lane, places: Places) {
        self.due.insert((at, key.clone()));
        self.entries.insert(key, Entry { places, state: State::Due { at, lane } });
    }

    /// Takes a key out of where it waits; its entry stays.
    fn take_out(&mut self, key: &K) {
        let Some(Entry { places, state }) = self.entries.get(key) else { return };
        match state {
            State::Due { at, .. } => drop(self.due.remove(&(*at, key.clone()))),
            State::Waiting { lane: Lane::User, arrival, .. } => self.users.remove(places, *arrival, key),
            State::Waiting { lane: Lane::Routine, arrival, .. } => self.routine.remove(places, *arrival, key),
            State::Running { .. } => {}
        }
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
