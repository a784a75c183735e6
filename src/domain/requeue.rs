//! When an object is reconciled again although nothing happens. It knows no timer and no queue: it turns a report into a
//! delay, and all randomness is given.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::external_resource::ResourceKind;
use crate::domain::fault::{PATIENCE, Retry};
use crate::domain::outcome::{Outcome, ReconcileResult, Report};
use crate::domain::time::elapsed;

/// How often resources in sync are observed although nothing has changed.
pub const DEEP_CHECK: Duration = Duration::from_hours(1);
/// How often those of them that lists show are looked for there. All objects are within [`SHALLOW_WINDOW`] of the same moment,
/// with a list that was asked for since then: one serves them all, and what has vanished or failed is found within both
/// together.
pub const SHALLOW_CHECK: Duration = Duration::from_mins(8);
/// Over how long those looks are spread.
pub const SHALLOW_WINDOW: Duration = Duration::from_mins(2);
/// How often it is tried again where a person must change something outside.
pub const SLOW_RETRY: Duration = Duration::from_mins(10);
/// The shortest and the longest time between two tries of what has failed.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// The shortest time until a call that was not sent is tried again.
const MOMENT: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_hours(6);
/// What AWS is working on is left alone for so many times as long as the calls of the look at it had to wait: looks at what is
/// not ready would take the turns of calls that bring something about.
const LEFT_ALONE: u32 = 2;
/// The longest time for which it is left alone for that.
const LONGEST_ALONE: Duration = Duration::from_mins(1);
/// Within this of its time, a resource counts as due: timers are not exact.
pub const TOLERANCE: Duration = Duration::from_millis(20);

/// How one resource of an object is to be looked at, as the process remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// How many calls in a row have failed, this one included.
    pub failures: u32,
    /// Until when it rests, whatever the others do.
    pub rests_until: Option<Timestamp>,
}

/// When to reconcile again if nothing happens before: when the first of the resources is due. `deep` is the time until the
/// next deep check; `waited` is how long the calls of this reconcile had to wait for their turns; `chance` is a random number
/// in 0..1 that only ever shortens.
pub fn requeue_after(
    report: &Report,
    pace: impl Fn(ResourceKind) -> Pace,
    deep: Duration,
    waited: Duration,
    chance: f64,
) -> Duration {
    let is_listed =
        |(kind, outcome): &(ResourceKind, Outcome)| kind.is_listed() && matches!(outcome, Outcome::InSync { .. });
    let fallback = match report.result {
        // Such a remark must go soon after its cause has gone.
        ReconcileResult::Observed { .. } if report.remarks.iter().any(|(_, remark)| remark.passing) => {
            deep.min(shortened(SLOW_RETRY, chance))
        }
        ReconcileResult::Observed { .. } if report.outcomes().iter().any(is_listed) => {
            deep.min(until_shallow_check(report.now, chance))
        }
        ReconcileResult::Observed { .. } => deep,
        ReconcileResult::Suspended { .. } => shortened(DEEP_CHECK, chance),
        ReconcileResult::Refused(_) => shortened(SLOW_RETRY, chance),
    };
    let wishes = report.outcomes().iter().filter_map(|(kind, outcome)| {
        let pace = pace(*kind);
        let wish = delay(outcome, report.now, pace.failures, chance)?;
        // One whose rest has ended in the meantime is due.
        let wish = pace.rests_until.map_or(wish, |until| at(until, report.now));
        let is_worked_on = matches!(outcome, Outcome::Waiting { until: None, .. });
        Some(if is_worked_on { wish.max((waited * LEFT_ALONE).min(LONGEST_ALONE)) } else { wish })
    });
    wishes.fold(fallback, Duration::min)
}

/// When a resource with this outcome is to be looked at again; `None`: with the others.
pub fn delay(outcome: &Outcome, now: Timestamp, failures: u32, chance: f64) -> Option<Duration> {
    match outcome {
        Outcome::InSync { .. } | Outcome::Gone | Outcome::Blocked { .. } => None,
        Outcome::Interrupted => Some(Duration::ZERO),
        Outcome::Waiting { until: Some(until), .. } => Some(at(*until, now)),
        Outcome::Waiting { since, .. } => Some(recheck(elapsed(*since, now), chance)),
        Outcome::Stuck(problem) => match problem.until {
            Some(until) => Some(at(until, now)),
            None => Some(shortened(SLOW_RETRY, chance)),
        },
        Outcome::Faulted { fault, since } => {
            let (policy, lasted) = (fault.kind.policy(), elapsed(*since, now));
            let backs_off = policy.retry == Retry::Backoff || lasted < policy.shown_after;
            let wanted = match policy.retry {
                // It is known when its turn may come, and who is slow to ask has to wait anew.
                _ if fault.unsent => fault.retry_after.unwrap_or_default().clamp(MOMENT, SLOW_RETRY),
                _ if backs_off => backoff(failures, chance),
                Retry::Backoff | Retry::Slowly => shortened(SLOW_RETRY, chance),
            };
            // A reconcile falls on the moment at which the fault is shown, or lets an annotation release the object.
            let moments = [policy.shown_after, PATIENCE].into_iter().filter(|moment| backs_off && *moment > lasted);
            let own = moments.map(|moment| moment.saturating_sub(lasted)).fold(wanted, Duration::min);
            if fault.unsent {
                return Some(own);
            }
            Some(fault.retry_after.map_or(own, |asked| asked.min(SLOW_RETRY).max(own)))
        }
    }
}

/// How long to leave alone what has failed `failures` times in a row: half a minute, doubled each time, at most six hours.
pub fn rest_after(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(LAST_RETRY)
}

/// Until when what has failed `failures` times in a row, the last time at `from`, is left alone; `None`: it is time.
pub fn rests_until(failures: u32, from: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let rest = rest_after(failures);
    (elapsed(from, now) < rest).then(|| from.saturating_add(rest).unwrap_or(now))
}

/// For how long it has been time for the lists that all objects look at: one that was asked for within it serves them all.
pub fn since_shallow_check(now: Timestamp) -> Duration {
    let period = i64::try_from(SHALLOW_CHECK.as_millis()).unwrap_or(i64::MAX);
    Duration::from_millis(now.as_millisecond().rem_euclid(period).unsigned_abs())
}

/// How long it is until the lists are looked at next.
fn until_shallow_check(now: Timestamp, chance: f64) -> Duration {
    SHALLOW_CHECK - since_shallow_check(now) + SHALLOW_WINDOW.mul_f64(chance.clamp(0.0, 1.0))
}

fn ahead(moment: Timestamp, now: Timestamp) -> Duration {
    elapsed(now, moment)
}

/// At that moment, but neither at once nor later than everything is looked at anyway.
fn at(moment: Timestamp, now: Timestamp) -> Duration {
    ahead(moment, now).clamp(Duration::from_millis(200), DEEP_CHECK)
}

/// A tenth of the time already waited, at least 200 ms, at most 20 s.
pub fn recheck(waited: Duration, chance: f64) -> Duration {
    shortened((waited / 10).min(Duration::from_secs(20)), chance).max(Duration::from_millis(200))
}

/// One second after the first failure, twice as much after each further one, at most five minutes.
pub fn backoff(failures: u32, chance: f64) -> Duration {
    let doubled = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    shortened(doubled.min(Duration::from_mins(5)), chance)
}

/// Up to a quarter less.
pub fn shortened(delay: Duration, chance: f64) -> Duration {
    delay.mul_f64(1.0 - 0.25 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::crd::status::Reason;
    use crate::domain::docs_url::DocsUrl;
    use crate::domain::external_resource::{Remark, Wait};
    use crate::domain::fault::{Fault, FaultKind};
    use crate::domain::outcome::Phase;
    use crate::domain::problem::Problem;

    const NOW: &str = "2026-03-01T12:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn ago(seconds: i64) -> Timestamp {
        now() - jiff::SignedDuration::from_secs(seconds)
    }

    fn report(outcomes: Vec<Outcome>) -> Report {
        let outcomes = ResourceKind::ALL.iter().copied().skip(1).zip(outcomes).collect();
        let result = ReconcileResult::Observed { phase: Phase::Apply, outcomes };
        Report { generation: 1, now: now(), result, remarks: Vec::new(), applied: Vec::new(), docs: DocsUrl::default() }
    }

    fn faulted(kind: FaultKind, since: i64) -> Outcome {
        Outcome::Faulted { fault: Fault::new(kind, "could not look"), since: ago(since) }
    }

    fn waiting(since: i64) -> Outcome {
        Outcome::Waiting {
            reason: Reason::Progressing,
            message: "creating".into(),
            since: ago(since),
            until: None,
            early: None,
        }
    }

    fn stuck() -> Outcome {
        Outcome::Stuck(Problem::new(Reason::ForeignOwner, "x", "y"))
    }

    fn waiting_until(seconds: i64) -> Outcome {
        let wait = Wait::new("lag", Reason::ConfirmingAbsence, "looking once more").until(ago(-seconds));
        Outcome::waiting(wait, now())
    }

    fn stuck_until(seconds: i64) -> Outcome {
        Outcome::Stuck(Problem::new(Reason::StackFailed, "x", "y").until(ago(-seconds)))
    }

    #[test]
    fn each_resource_has_its_own_pace() {
        let outcomes = vec![waiting(40), faulted(FaultKind::Throttled, 9)];
        let after = |rests: Option<i64>| {
            let pace = |kind| match kind {
                ResourceKind::Prerequisites => Pace::default(),
                _ => Pace { failures: 4, rests_until: rests.map(|seconds| ago(-seconds)) },
            };
            requeue_after(&report(outcomes.clone()), pace, DEEP_CHECK, Duration::ZERO, 0.0).as_secs()
        };
        assert_eq!(after(None), 4, "the wait of 40 s");
        assert_eq!(after(Some(3)), 3, "the throttled one is due before");
        assert_eq!(after(Some(0)), 0, "a rest that ended meanwhile: at once");
        assert_eq!(after(Some(2 * 86400)), 4, "a clock that was set back makes no rest of days");
    }

    #[test]
    fn what_fails_is_tried_again_ever_more_slowly() {
        let minutes = [1, 2, 3, 4, 10, 11, 40].map(|failures| rest_after(failures).as_secs_f64() / 60.0);
        assert_eq!(minutes, [0.5, 1.0, 2.0, 4.0, 256.0, 360.0, 360.0]);
    }

    /// A call that may go in so many seconds, and that others of its kind have waited for so long.
    fn unsent(turn: u64, since: i64) -> Outcome {
        let (retry_after, fault) = (Some(Duration::from_secs(turn)), Fault::new(FaultKind::Throttled, "no more calls"));
        Outcome::Faulted { fault: Fault { retry_after, unsent: true, ..fault }, since: ago(since) }
    }

    /// When to look again at what a deep check an hour later, or so much sooner, looks at anyway.
    fn again(report: &Report, failures: u32, chance: f64) -> Duration {
        let pace = |_| Pace { failures, rests_until: None };
        requeue_after(report, pace, shortened(DEEP_CHECK, chance), Duration::ZERO, chance)
    }

    const IN_SYNC: Outcome = Outcome::InSync { output: (), changed: false };

    #[test]
    fn when_to_look_again_follows_from_what_was_found() {
        let throttled_for_a_minute = Outcome::Faulted {
            fault: Fault { retry_after: Some(Duration::from_mins(1)), ..Fault::new(FaultKind::Throttled, "slow down") },
            since: now(),
        };
        let cases: Vec<(&str, Vec<Outcome>, u32, f64)> = vec![
            ("everything in sync: the deep check", vec![IN_SYNC, Outcome::Gone], 0, 3600.0),
            ("a wait that just began: at least 200 ms", vec![IN_SYNC, waiting(0)], 0, 0.2),
            ("a wait of 40 s: a tenth of it", vec![waiting(40)], 0, 4.0),
            ("a wait of an hour: at most 20 s", vec![waiting(3600)], 0, 20.0),
            ("two waits: the sooner one", vec![waiting(100), waiting(50)], 0, 5.0),
            ("stuck: slowly", vec![stuck(), Outcome::Blocked { by: ResourceKind::Prerequisites }], 0, 600.0),
            ("stuck beside a wait: as the wait asks", vec![stuck(), waiting(30)], 0, 3.0),
            ("the first 503: a second", vec![faulted(FaultKind::Unavailable, 0)], 1, 1.0),
            ("the fourth 503: eight seconds", vec![faulted(FaultKind::Unavailable, 9)], 4, 8.0),
            ("the thirtieth: five minutes", vec![faulted(FaultKind::Throttled, 999)], 30, 300.0),
            ("a 503 for 4 min 50 s: when it is to be shown", vec![faulted(FaultKind::Unavailable, 290)], 9, 10.0),
            ("throttled with Retry-After: as asked", vec![throttled_for_a_minute], 1, 60.0),
            ("not sent at all: when its turn may come", vec![unsent(7, 0)], 30, 7.0),
            ("not sent, and its turn is far off: slowly", vec![unsent(3600, 999)], 1, 600.0),
            ("not sent for 4 min 50 s: when it is to be shown", vec![unsent(90, 290)], 1, 10.0),
            ("not understood: backs off", vec![faulted(FaultKind::Unexpected, 0)], 2, 2.0),
            ("not understood for 4 min 50 s: when patience ends", vec![faulted(FaultKind::Unexpected, 290)], 9, 10.0),
            ("another operation is running: soon", vec![faulted(FaultKind::Conflict, 2)], 1, 1.0),
            ("denied for the first time: a second", vec![faulted(FaultKind::Denied, 0)], 1, 1.0),
            ("denied for 28 s: when it is to be shown", vec![faulted(FaultKind::Denied, 28)], 5, 2.0),
            ("denied for half a minute: slowly", vec![faulted(FaultKind::Denied, 30)], 6, 600.0),
            ("propagating: backs off", vec![faulted(FaultKind::Propagating, 3)], 3, 4.0),
            ("waits for a known moment", vec![waiting_until(15)], 0, 15.0),
            ("stuck until a known moment", vec![stuck_until(30)], 0, 30.0),
            ("stuck until tomorrow: with everything else", vec![stuck_until(86400)], 0, 3600.0),
            ("rejected: slowly", vec![faulted(FaultKind::Rejected, 0)], 0, 600.0),
            ("stopping: not a wish", vec![Outcome::Interrupted], 0, 0.0),
        ];
        for (name, outcomes, failures, seconds) in cases {
            assert_eq!(again(&report(outcomes), failures, 0.0), Duration::from_secs_f64(seconds), "{name}");
        }
    }

    #[test]
    fn what_aws_works_on_is_left_alone_for_longer_while_calls_have_to_wait() {
        let rows = [
            ("a wait that just began", waiting(0), 3, 6),
            ("a wait of 100 s, which is longer anyway", waiting(100), 3, 10),
            ("a wait for a known moment", waiting_until(2), 3, 2),
            ("calls that waited for minutes, all together", waiting(0), 400, 60),
            ("a call that failed", faulted(FaultKind::Unavailable, 0), 3, 1),
        ];
        for (name, outcome, waited, expected) in rows {
            let report = report(vec![outcome.clone()]);
            // It rests as long as it would be left alone anyway, as each resource does that waits.
            for rests in [None, delay(&outcome, now(), 1, 0.0).map(|rest| ago(-rest.as_secs().cast_signed()))] {
                let pace = |_| Pace { failures: 1, rests_until: rests };
                let again = requeue_after(&report, pace, DEEP_CHECK, Duration::from_secs(waited), 0.0);
                assert_eq!(again.as_secs(), expected, "{name}");
            }
        }
    }

    #[test]
    fn jitter_only_shortens_and_never_below_the_floor() {
        assert_eq!(recheck(Duration::from_secs(100), 1.0), Duration::from_secs_f64(7.5));
        assert_eq!(recheck(Duration::ZERO, 1.0), Duration::from_millis(200));
        assert_eq!(again(&report(vec![IN_SYNC]), 0, 1.0), DEEP_CHECK.mul_f64(0.75));
    }

    #[test]
    fn what_lists_show_is_looked_for_there_between_deep_checks() {
        let all = report(vec![IN_SYNC; ResourceKind::ALL.len() - 1]);
        assert_eq!(again(&all, 0, 0.0), SHALLOW_CHECK);
        assert_eq!(again(&all, 0, 0.5), SHALLOW_CHECK + SHALLOW_WINDOW / 2, "spread over the window");
        let later = Report { now: ago(-60), ..all.clone() };
        assert_eq!(again(&later, 0, 0.0), SHALLOW_CHECK - Duration::from_mins(1), "at the same moment as the others");
        let soon = Duration::from_mins(3);
        assert_eq!(
            requeue_after(&all, |_| Pace::default(), soon, Duration::ZERO, 0.0),
            soon,
            "the deep check comes first"
        );
    }

    #[test]
    fn only_a_remark_that_may_go_by_itself_is_looked_at_again_soon() {
        for (passing, after) in [(true, SLOW_RETRY), (false, DEEP_CHECK)] {
            let remark = Remark { reason: Reason::JenkinsQuietDown, message: "x".into(), passing };
            let remarks = vec![(ResourceKind::JenkinsServer, remark)];
            assert_eq!(again(&Report { remarks, ..report(vec![IN_SYNC]) }, 0, 0.0), after, "{passing}");
        }
    }

    #[test]
    fn a_refused_object_is_looked_at_slowly_and_a_suspended_one_hardly() {
        let with = |result| Report {
            generation: 1,
            now: now(),
            result,
            remarks: Vec::new(),
            applied: Vec::new(),
            docs: DocsUrl::default(),
        };
        let refused = ReconcileResult::Refused(Problem::new(Reason::InvalidSpec, "x", "y"));
        assert_eq!(again(&with(refused), 0, 0.0), SLOW_RETRY);
        assert_eq!(again(&with(ReconcileResult::Suspended { platform: None }), 0, 0.0), DEEP_CHECK);
    }
}
