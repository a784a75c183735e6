//! Durations between timestamps, and moments that are kept in little memory. One function for all, so that a clock that
//! differs a little means the same everywhere. It reads no clock: the present moment is always given.

use std::num::NonZeroU64;
use std::time::Duration;

use jiff::Timestamp;

/// How long ago `then` was at `now`: zero if it lies ahead (clocks differ a little).
pub fn elapsed(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or(Duration::ZERO)
}

/// A moment to the microsecond, in a third of the memory that an optional timestamp takes: of each object there are many. What
/// lies between two microseconds is the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(NonZeroU64);

/// Turned over, it lets microseconds before and after 1970 be counted in their order.
const SIGN: u64 = 1 << 63;

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        // Zero would be some 290,000 years before 1970, which no timestamp is.
        Self(NonZeroU64::new(at.as_microsecond().cast_unsigned() ^ SIGN).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<Moment> for Timestamp {
    fn from(Moment(at): Moment) -> Self {
        Self::from_microsecond((at.get() ^ SIGN).cast_signed()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_moment_is_its_timestamp_to_the_microsecond() {
        assert_eq!(size_of::<Option<Moment>>(), 8);
        let times = [
            "-009999-01-02T01:59:59Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00Z",
            "2026-01-05T09:00:00.123456Z",
            "9999-12-30T22:00:00Z",
        ];
        let times = times.map(|time| time.parse::<Timestamp>().unwrap());
        let moments = times.map(Moment::from);
        assert_eq!(moments.map(Timestamp::from), times);
        assert!(moments.is_sorted());
        let between = "2026-01-05T09:00:00.123456789Z".parse::<Timestamp>().unwrap();
        assert_eq!(Moment::from(between), moments[3], "the earlier one");
    }
}
