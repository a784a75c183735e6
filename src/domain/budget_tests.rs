//! The bucket under simulated time: rates, holds, lanes, and that no lane is forgotten.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use jiff::SignedDuration;
use proptest::prelude::{ProptestConfig, Strategy, any, proptest};
use proptest::{collection, prop_assert};

use super::*;

const LIMITS: Limits = Limits { start: 10.0, ceiling: 20.0 };

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn after(seconds: f64) -> Timestamp {
    start() + SignedDuration::from_secs_f64(seconds)
}

/// How many calls of a lane go at once, out of a hundred that are wanted.
fn at_once(bucket: &mut Bucket, lane: Lane, now: Timestamp) -> usize {
    let tickets: Vec<Ticket> = (0..100).map(|_| bucket.enter(lane)).collect();
    let gone = tickets.iter().filter(|ticket| bucket.turn(**ticket, now) == Turn::Now).count();
    tickets.iter().for_each(|ticket| bucket.leave(*ticket));
    gone
}

/// One call that was sent at once or not at all.
fn goes(bucket: &mut Bucket, lane: Lane, now: Timestamp) -> bool {
    let ticket = bucket.enter(lane);
    let turn = bucket.turn(ticket, now);
    bucket.leave(ticket);
    turn == Turn::Now
}

#[test]
fn a_full_bucket_holds_four_seconds_and_fills_at_its_rate() {
    let rows = [
        ("a user's calls take all of it", Lane::User, 0.0, 40),
        ("those of routine looks leave a fifth", Lane::Routine, 0.0, 32),
        ("a tenth of a second later there is one more", Lane::User, 0.1, 1),
        ("an hour brings no more than it holds", Lane::User, 3600.0, 40),
    ];
    for (name, lane, later, expected) in rows {
        let mut bucket = Bucket::new(LIMITS, start());
        if later > 0.0 {
            at_once(&mut bucket, Lane::User, start());
        }
        bucket.rate = LIMITS.start;
        assert_eq!(at_once(&mut bucket, lane, after(later)), expected, "{name}");
    }
}

#[test]
fn what_waits_is_told_for_how_long() {
    let mut bucket = Bucket::new(LIMITS, start());
    at_once(&mut bucket, Lane::User, start());
    bucket.rate = LIMITS.start;
    let (first, second) = (bucket.enter(Lane::User), bucket.enter(Lane::User));
    assert_eq!(bucket.turn(first, start()), Turn::In(Duration::from_millis(100)));
    assert_eq!(bucket.turn(second, start()), Turn::In(Duration::from_millis(200)));
    bucket.leave(first);
    assert_eq!(bucket.turn(second, start()), Turn::In(Duration::from_millis(100)), "the one before it waits no longer");
    assert_eq!(bucket.turn(second, after(0.1)), Turn::Now);
}

#[test]
fn a_throttle_halves_the_rate_once_for_calls_that_were_under_way_together() {
    let mut bucket = Bucket::new(LIMITS, start());
    for _ in 0..20 {
        bucket.throttled(start(), after(0.2), None);
    }
    assert!((bucket.rate() - 5.0).abs() < 1e-9, "{}", bucket.rate());
    assert_eq!(at_once(&mut bucket, Lane::User, after(0.2)), 0, "the service has just said that there are none");
    for n in 1..=20 {
        bucket.throttled(after(f64::from(n)), after(f64::from(n) + 0.1), None);
    }
    assert!((bucket.rate() - SLOWEST).abs() < 1e-9, "{}", bucket.rate());
}

#[test]
fn nothing_goes_before_the_moment_that_the_service_has_named() {
    let rows = [
        ("the calls after a throttle", Some(30), 0, 29.9, false),
        ("the same once it is over", Some(30), 0, 30.2, true),
        ("a shorter time that is asked for later", Some(30), 5, 29.9, false),
        ("no time named", None, 0, 0.2, true),
        ("a time beyond all reason", Some(86_400), 0, 3_600.2, true),
    ];
    for (name, asked, then, at, expected) in rows {
        let mut bucket = Bucket::new(LIMITS, start());
        bucket.throttled(start(), start(), asked.map(Duration::from_secs));
        bucket.throttled(start(), after(1.0), Some(Duration::from_secs(then)));
        assert_eq!(goes(&mut bucket, Lane::User, after(at)), expected, "{name}");
    }
    let mut bucket = Bucket::new(LIMITS, start());
    bucket.hold(start(), Duration::from_secs(30));
    let late = (0..100).filter(|_| goes(&mut bucket, Lane::User, after(30.1))).count();
    assert_eq!(late, 1, "what has waited does not go all at once");
}

/// The rate after so many seconds, in which so many calls a second are wanted; the service takes as many as `most`.
fn rate_after(seconds: u32, wanted: u32, most: f64) -> (f64, usize) {
    let (mut bucket, mut served, mut refusals) = (Bucket::new(LIMITS, start()), 2.0 * most, 0);
    for tick in 0..seconds * 100 {
        let now = after(f64::from(tick) / 100.0);
        served = (served + most / 100.0).min(2.0 * most);
        if tick % (100 / wanted) == 0 && goes(&mut bucket, Lane::User, now) {
            served -= 1.0;
            if served < 0.0 {
                (served, refusals) = (0.0, refusals + 1);
                bucket.throttled(now, now, None);
            }
        }
    }
    (bucket.rate(), refusals)
}

#[test]
fn the_rate_rises_only_while_it_is_used_up() {
    let rows = [
        ("one call a second tells nothing of ten", 600, 1, 10.0..10.01),
        ("a fiftieth in each second", 14, 50, 12.0..14.0),
        ("and no further than the ceiling", 600, 50, 20.0..20.01),
    ];
    for (name, seconds, wanted, expected) in rows {
        let (rate, _) = rate_after(seconds, wanted, 100.0);
        assert!(expected.contains(&rate), "{name}: {rate}");
    }
}

#[test]
fn a_service_that_takes_less_is_soon_called_as_fast_as_it_takes_and_seldom_faster() {
    for most in [0.7, 1.5, 4.0, 8.0, 15.0] {
        let (rate, refusals) = rate_after(3600, 50, most);
        assert!((most * 0.4..most * 1.3).contains(&rate), "{most} calls a second are taken, {rate} made");
        // Of a hundred calls that are taken, less than one is made too early.
        assert!(refusals as f64 <= 6.0 + most * 36.0, "{most} calls a second: {refusals} refusals in an hour");
        assert!(refusals >= 1, "{most} calls a second");
    }
}

#[test]
fn calls_for_users_go_first_and_one_in_five_is_a_routine_one() {
    let mut bucket = Bucket::new(LIMITS, start());
    at_once(&mut bucket, Lane::User, start());
    let mut waiting: Vec<Ticket> = (0..4).map(|_| bucket.enter(Lane::Routine)).collect();
    waiting.extend((0..12).map(|_| bucket.enter(Lane::User)));
    let mut order = String::new();
    for tick in 1..=400 {
        let now = after(f64::from(tick) / 100.0);
        waiting.retain(|ticket| {
            let stays = bucket.turn(*ticket, now) != Turn::Now;
            if !stays {
                order.push(if ticket.lane == Lane::User { 'u' } else { 'r' });
            }
            stays
        });
    }
    assert_eq!(order, "uuuuruuuuruuuurr", "the last one waits until the reserve is there again");
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_wait() {
    let mut bucket = Bucket::new(LIMITS, start());
    bucket.throttled(start(), start(), Some(Duration::from_secs(10)));
    let earlier = |seconds: f64| after(seconds - 3600.0);
    assert!(!goes(&mut bucket, Lane::User, earlier(1.0)), "what was asked for still holds");
    assert!(goes(&mut bucket, Lane::User, earlier(11.5)));
    bucket.throttled(earlier(12.0), earlier(12.1), None);
    assert!((bucket.rate() - 2.5).abs() < 0.2, "a throttle counts all the same: {}", bucket.rate());
}

#[test]
fn a_header_names_seconds_or_a_moment() {
    let rows = [
        ("seconds", "7", Some(7)),
        ("seconds with blanks", " 7 ", Some(7)),
        ("a moment", "Sun, 01 Mar 2026 12:00:30 GMT", Some(30)),
        ("a moment that is over", "Sun, 01 Mar 2026 11:00:00 GMT", Some(0)),
        ("nothing that it may be", "soon", None),
        ("less than none", "-1", None),
    ];
    for (name, value, seconds) in rows {
        assert_eq!(retry_after(value, start()), seconds.map(Duration::from_secs), "{name}");
    }
}

/// A call that comes after so many hundredths of a second, in a lane, and is throttled or not.
fn calls() -> impl Strategy<Value = Vec<(u8, bool, bool)>> {
    collection::vec((any::<u8>(), any::<bool>(), proptest::bool::weighted(0.2)), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes in which order, and is throttled or not: calls of both lanes go, one lane does not wait for the end
    /// of the other, and no more go than the highest rate allows.
    #[test]
    fn each_lane_goes_on(calls in calls(), flood in any::<bool>()) {
        let mut bucket = Bucket::new(LIMITS, start());
        at_once(&mut bucket, Lane::User, start());
        let mut coming: Vec<(u64, Lane, bool)> = Vec::new();
        let mut at = 0;
        for (gap, user, refused) in &calls {
            at += u64::from(*gap) / 8;
            coming.push((at, if *user { Lane::User } else { Lane::Routine }, *refused));
        }
        coming.reverse();
        let (mut waiting, mut gone, mut tick): (Vec<(u64, Ticket, bool)>, Vec<u64>, u64) = (Vec::new(), Vec::new(), 0);
        while !coming.is_empty() || !waiting.is_empty() {
            let now = after(tick as f64 / 100.0);
            while coming.last().is_some_and(|(at, ..)| *at <= tick) {
                if let Some((at, lane, refused)) = coming.pop() {
                    waiting.push((at, bucket.enter(lane), refused));
                }
            }
            if flood {
                // A user's calls without end, none of which waits.
                goes(&mut bucket, Lane::User, now);
            }
            waiting.retain(|(at, ticket, refused)| {
                if bucket.turn(*ticket, now) != Turn::Now {
                    return true;
                }
                gone.push(tick);
                if *refused {
                    bucket.throttled(now, now, None);
                }
                // One in five goes, at the slowest rate; the last one of a lane may need the reserve.
                let most = (5 * calls.len() + 20) as f64 / SLOWEST * 100.0;
                assert!((tick - at) as f64 <= most, "a call of {:?} waited for {} s", ticket.lane, (tick - at) / 100);
                false
            });
            tick += 1;
        }
        let most = LIMITS.start * FULL + 1.0 + LIMITS.ceiling * tick as f64 / 100.0;
        prop_assert!(gone.len() as f64 <= most);
    }
}
