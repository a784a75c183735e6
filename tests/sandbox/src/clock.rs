//! The sandbox's time. It follows tokio's clock, so that it stands still and jumps with a paused runtime and
//! runs with the wall clock otherwise. Nothing else in this crate reads a clock.

use jiff::{SignedDuration, Timestamp};

/// Turns tokio's monotonic time into timestamps, counted from a fixed start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    origin: tokio::time::Instant,
}

impl Clock {
    /// A clock that shows `start` now. Must be called inside a tokio runtime if that runtime's time is paused.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, origin: tokio::time::Instant::now() }
    }

    /// A clock that shows the machine's time.
    pub fn wall() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.origin.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}
