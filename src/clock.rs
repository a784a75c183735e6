//! The operator's time: one clock for deciding, signing and waiting. The real one is the machine's wall clock, read each
//! time: AWS refuses signatures that are minutes off, and a monotonic clock stands still while a machine is suspended and
//! knows nothing of a time that was set right. The one of tests follows tokio's, so that a paused runtime stands still with
//! it and jumps with it. Nothing else in this crate reads the machine's clock.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};

/// Where timestamps come from.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Source);

#[derive(Clone, Copy, Debug)]
enum Source {
    Wall,
    /// Tokio's monotonic time, counted from a fixed start.
    Runtime {
        start: Timestamp,
        origin: tokio::time::Instant,
    },
}

impl Clock {
    /// A clock that shows `start` now. If the runtime's time is paused, call it inside that runtime.
    pub fn starting_at(start: Timestamp) -> Self {
        Self(Source::Runtime { start, origin: tokio::time::Instant::now() })
    }

    /// A clock that shows the machine's time.
    pub fn wall() -> Self {
        Self(Source::Wall)
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::Wall => Timestamp::now(),
            Source::Runtime { start, origin } => {
                let passed = SignedDuration::try_from(origin.elapsed()).unwrap_or(SignedDuration::MAX);
                start.saturating_add(passed).unwrap_or(Timestamp::MAX)
            }
        }
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        let now = Clock::now(self);
        let nanoseconds = u64::try_from(now.as_nanosecond()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_real_clock_is_the_machines_whatever_the_runtime_does() {
        let (wall, runtime) = (Clock::wall(), Clock::starting_at(Timestamp::now()));
        tokio::time::advance(Duration::from_hours(8)).await;
        let drift = |clock: Clock| clock.now().duration_since(Timestamp::now()).as_secs().abs();
        assert!(drift(wall) < 60, "a suspended machine");
        assert!(drift(runtime) > 3600);
    }
}
