//! What a test can make of the API beyond its rules: faults of its writes, watches that are behind, an onlooker, and
//! forks in other runtimes. It changes no object.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;

use super::store::{ECHO, Happened, Kubernetes};
use crate::clock::Clock;
use crate::faults::Fault;
use crate::sandbox::Onlooker;

impl Kubernetes {
    /// The objects and the state of the server's counters, for telling forks apart; neither calls nor history.
    pub fn digest(&self) -> String {
        let state = self.state();
        format!("{} {:?} {:?} {:?}", state.version, state.ids, state.objects, state.applied)
    }

    /// The same API by another clock: a fork that goes on in another runtime.
    #[must_use]
    pub fn by_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// From now on watches tell of what happened only after this time, as an API server does that is behind.
    pub fn lag_watches(&self, lag: Duration) {
        *self.watch_lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
    }

    /// Tells all watches once more of an object as it was this many changes ago, as events do that come out of order;
    /// of one that is gone, too. Nothing where it has not changed that often.
    pub fn tell_again(&self, plural: &str, namespace: &str, name: &str, changes_ago: usize) {
        let address = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let mut state = self.state();
        let told = state.log.iter().rev().filter(|happened| happened.address == address && happened.what != ECHO);
        let Some(old) = told.into_iter().nth(changes_ago).filter(|old| old.what != "DELETED").cloned() else { return };
        state.version += 1;
        let version = state.version;
        state.log.push(Happened { version, what: ECHO, at: self.clock.now(), ..old });
        self.changed.send_replace(version);
    }

    /// Every state that each object of a collection ever had, by namespace and name; none that was forgotten.
    pub fn history(&self, plural: &str) -> BTreeMap<(String, String), Vec<Value>> {
        let state = self.state();
        let mut all: BTreeMap<_, Vec<Value>> = BTreeMap::new();
        for happened in state.log.iter().filter(|happened| happened.what != ECHO && happened.what != "DELETED") {
            let (kind, namespace, name) = &happened.address;
            if kind == plural {
                all.entry((namespace.clone(), name.clone())).or_default().push(happened.object.clone());
            }
        }
        all
    }

    /// Adds a line to the script of faults, whose service is `kubernetes` and whose operation is a line of
    /// [`Kubernetes::calls`]. Only writes, and reads of one definition, are counted and meet faults.
    pub fn fault(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).add(fault);
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells `onlooker` of every write from now on, as [`Kubernetes::calls`] has it; `None`: nobody.
    pub fn look_on(&self, onlooker: Option<Onlooker>) {
        *self.onlooker.lock().unwrap_or_else(PoisonError::into_inner) = onlooker;
    }

    /// Forgets what happened, as a server does after a while: watches from before that get 410 Gone.
    pub fn compact(&self) {
        self.state().compact();
    }
}
