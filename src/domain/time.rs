//! Durations between timestamps. One function for all, so that a clock that differs a little means the same everywhere.
//! It reads no clock: the present moment is always given.

use std::time::Duration;

use jiff::Timestamp;

/// How long ago `then` was at `now`: zero if it lies ahead (clocks differ a little).
pub fn elapsed(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO)
}
