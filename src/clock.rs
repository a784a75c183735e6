//! The operator's time: one clock for deciding, signing and waiting. It follows tokio's clock, so that a paused
//! runtime stands still with it and jumps with it. Nothing else in this crate reads the machine's clock.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};

/// Turns tokio's monotonic time into timestamps, counted from a fixed start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    origin: tokio::time::Instant,
}

impl Clock {
    /// A clock that shows `start` now. If the runtime's time is paused, call it inside that runtime.
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

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        let now = Clock::now(self);
        let nanoseconds = u64::try_from(now.as_nanosecond()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
    }
}
