//! A thing together with what the world remembers of it: since when it exists, what it was before its last change,
//! when it was deleted. Reads and lists of real AWS lag behind writes; this is the one place that knows how.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A thing and its past.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    value: T,
    /// When it was made.
    pub created: Timestamp,
    deleted: Option<Timestamp>,
    before: Option<(T, Timestamp)>,
}

impl<T: Clone> Kept<T> {
    /// A thing made now.
    pub fn new(value: T, now: Timestamp) -> Self {
        Self { value, created: now, deleted: None, before: None }
    }

    /// The thing as it is, however fresh; nothing once it is deleted.
    pub fn truth(&self) -> Option<&T> {
        self.deleted.is_none().then_some(&self.value)
    }

    /// The thing as it was last, even when it is deleted.
    pub fn last(&self) -> &T {
        &self.value
    }

    /// The thing as a read shows it that lags `delay` behind writes.
    pub fn seen(&self, now: Timestamp, delay: Duration) -> Option<&T> {
        if self.deleted.is_some() || !passed(self.created, now, delay) {
            return None;
        }
        match &self.before {
            Some((old, changed)) if !passed(*changed, now, delay) => Some(old),
            _ => Some(&self.value),
        }
    }

    /// The thing as a list shows it that lags `lag` behind: what is new is still missing, what is deleted still there.
    pub fn listed(&self, now: Timestamp, lag: Duration) -> Option<&T> {
        let still_there = self.deleted.is_none_or(|at| !passed(at, now, lag));
        (passed(self.created, now, lag) && still_there).then_some(&self.value)
    }

    /// Whether it exists and was made at least `delay` ago.
    pub fn settled(&self, now: Timestamp, delay: Duration) -> bool {
        self.deleted.is_none() && passed(self.created, now, delay)
    }

    /// Changes the thing.
    pub fn change(&mut self, now: Timestamp, delay: Duration, change: impl FnOnce(&mut T)) {
        // While an earlier change is still unseen, readers go on seeing what was there before both.
        if self.before.as_ref().is_none_or(|(_, changed)| passed(*changed, now, delay)) {
            self.before = Some((self.value.clone(), now));
        }
        change(&mut self.value);
    }

    /// Deletes the thing.
    pub fn delete(&mut self, now: Timestamp) {
        self.deleted.get_or_insert(now);
    }
}

/// Whether `delay` has passed since `start`.
pub(super) fn passed(start: Timestamp, now: Timestamp, delay: Duration) -> bool {
    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    start.saturating_add(delay).unwrap_or(Timestamp::MAX) <= now
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LAG: Duration = Duration::from_secs(10);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn reads_and_lists_lag_behind_writes() {
        let mut kept = Kept::new("old", at(0));
        assert_eq!((kept.truth(), kept.seen(at(9), LAG), kept.listed(at(9), LAG)), (Some(&"old"), None, None));
        assert_eq!((kept.seen(at(10), LAG), kept.listed(at(10), LAG)), (Some(&"old"), Some(&"old")));
        kept.change(at(20), LAG, |value| *value = "new");
        assert_eq!(
            (kept.truth(), kept.seen(at(29), LAG), kept.seen(at(30), LAG)),
            (Some(&"new"), Some(&"old"), Some(&"new"))
        );
        kept.delete(at(40));
        assert_eq!((kept.truth(), kept.seen(at(40), LAG)), (None, None));
        assert_eq!((kept.listed(at(49), LAG), kept.listed(at(50), LAG)), (Some(&"new"), None));
    }
}
