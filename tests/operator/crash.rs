//! Nothing is lost: the operator dies at every call of a scenario, every call goes wrong in every way, the user acts in
//! the middle of it, the cache is behind; the world ends as if nothing had happened. `cargo test` plays every crash of
//! create and delete and a part of the rest; `make explore` plays all of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::OnceLock;
use std::time::Duration;

use crate::explorer::pool::{self, Tally};
use crate::explorer::scenarios::{Environments, description};
use crate::explorer::sweep::{self, Cast, Spot, Strike, Trouble};
use crate::explorer::{Act, End, Point, Recording, Scenario, distinct, go_on};
use mlops_sandbox::Edge;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn environments() -> &'static Environments {
    static ENVIRONMENTS: OnceLock<Environments> = OnceLock::new();
    ENVIRONMENTS.get_or_init(Environments::prepare)
}

/// Whether everything is to be played.
fn deep() -> bool {
    std::env::var_os("EXPLORE").is_some()
}

/// Every `step`-th, unless everything is to be played; each test begins elsewhere.
fn thinned<T: Clone>(items: &[T], step: usize, from: usize) -> Vec<T> {
    sparse(items, if deep() { 1 } else { step }, from)
}

fn sparse<T: Clone>(items: &[T], step: usize, from: usize) -> Vec<T> {
    items.iter().skip(from % step).step_by(step).cloned().collect()
}

/// One line for people and for `make explore`, which adds them up by their kind.
fn tell(kind: &str, what: &str, points: usize, tally: &Tally, begun: std::time::Instant) {
    let (played, failed, seconds) = (tally.attempts, tally.failures.len(), begun.elapsed().as_secs_f64());
    println!("\nexplored {kind}: {points} points, {played} played, {failed} failed, {seconds:.1} s: {what}");
}

/// The operator dies at these points, and a new one goes on.
fn crash(scenario: &Scenario, recording: &Recording, step: usize) -> Tally {
    let begun = std::time::Instant::now();
    let points = thinned(&distinct(&recording.points), step, scenario.name.len());
    let tally = pool::run(
        &points,
        |point| format!("{}, died {}", scenario.name, point.name()),
        |point| go_on(&point.saved, &Act::Nothing, scenario.end, &recording.end),
    );
    tell("crash", scenario.name, recording.points.len(), &tally, begun);
    tally
}

#[test]
fn an_operator_that_dies_at_any_call_of_create_goes_on() {
    let environments = environments();
    crash(&environments.create, &environments.created, 1).assert_clean("create");
}

#[test]
fn an_operator_that_dies_where_lists_lag_makes_nothing_twice() {
    let environments = environments();
    let behind = environments.create_behind();
    let recording = behind.record();
    let (clean, end) = (&environments.created.end, &recording.end);
    assert_eq!(end, clean, "{}", crate::explorer::canonical::difference(clean, end));
    crash(&behind, &recording, 3).assert_clean("create where lists lag");
}

#[test]
fn an_operator_that_dies_at_any_call_of_delete_goes_on() {
    let environments = environments();
    crash(&environments.delete, &environments.deleted, 1).assert_clean("delete");
}

#[test]
fn an_operator_that_dies_in_a_delete_where_lists_lag_leaves_nothing() {
    let environments = environments();
    let behind = environments.delete_behind();
    let recording = behind.record();
    let (clean, end) = (&environments.deleted.end, &recording.end);
    assert_eq!(end, clean, "{}", crate::explorer::canonical::difference(clean, end));
    crash(&behind, &recording, 5).assert_clean("delete where lists lag");
}

#[test]
fn an_operator_that_dies_while_it_makes_or_removes_a_shared_platform_goes_on() {
    let environments = environments();
    let [create, delete] = environments.on_platform();
    let (created, deleted) = (create.record(), delete.record());
    let before = create.before();
    assert_eq!(
        deleted.end["world"],
        before["world"],
        "{}",
        crate::explorer::canonical::difference(&before["world"], &deleted.end["world"])
    );
    let mut tally = crash(&create, &created, 4);
    tally.add(crash(&delete, &deleted, 4));
    tally.assert_clean("a shared platform");
}

/// The object is deleted while the operator lives and is in the middle of create; then the operator dies.
#[test]
fn an_operator_that_dies_in_a_delete_during_create_leaves_nothing() {
    let environments = environments();
    let spots = sweep::spots(&environments.created.points);
    let some = if deep() { 6 } else { 3 };
    let mut tally = Tally::default();
    for spot in spots.iter().skip(spots.len() / some / 2).step_by(spots.len() / some) {
        let strike = Strike { spot: spot.clone(), trouble: Trouble::Meanwhile(Act::Delete, Edge::After) };
        let begun = std::time::Instant::now();
        let all = sweep::record_from(&environments.create, &strike, End::Gone, &environments.deleted.end).unwrap();
        let points = thinned(&distinct(&all), 20, some);
        let name = |point: &Point| format!("create, {}, then died {}", strike.name(), point.name());
        let one = |point: &Point| go_on(&point.saved, &Act::Nothing, End::Gone, &environments.deleted.end);
        let part = pool::run(&points, name, one);
        tell("crash", &format!("create, deleted at {}", spot.call), all.len(), &part, begun);
        tally.add(part);
    }
    tally.assert_clean("a delete during create");
}

#[test]
fn an_operator_that_dies_in_an_update_goes_on() {
    let mut tally = Tally::default();
    for scenario in environments().updates() {
        let recording = scenario.record();
        assert_ne!(recording.end, scenario.before(), "{} changes something", scenario.name);
        tally.add(crash(&scenario, &recording, 3));
    }
    tally.assert_clean("updates");
}

#[test]
fn an_operator_that_dies_while_it_finds_its_things_again_goes_on() {
    let mut tally = Tally::default();
    for scenario in environments().losses() {
        let recording = scenario.record();
        let clean = if scenario.end == End::Ready { &environments().created.end } else { &environments().deleted.end };
        assert_eq!(
            recording.end,
            *clean,
            "{}: {}",
            scenario.name,
            crate::explorer::canonical::difference(clean, &recording.end)
        );
        tally.add(crash(&scenario, &recording, 9));
    }
    tally.assert_clean("losses");
}

/// The operator dies in the middle of create, and before the next one comes the user has deleted or changed the object.
#[test]
fn what_a_dead_operator_began_is_deleted_or_changed_by_the_next() {
    let environments = environments();
    let changed = environments.update("description", description()).record().end;
    let mut tally = Tally::default();
    for (what, act, end, expected) in [
        ("deleted", Act::Delete, End::Gone, &environments.deleted.end),
        ("changed", Act::Edit(description()), End::Ready, &changed),
        ("status wiped", Act::WipeStatus, End::Ready, &environments.created.end),
    ] {
        let begun = std::time::Instant::now();
        let points: Vec<Point> = thinned(&distinct(&environments.created.points), 15, what.len());
        let name = |point: &Point| format!("create, died {}, {what}", point.name());
        let part = pool::run(&points, name, |point| go_on(&point.saved, &act, end, expected));
        let what = format!("create, and {what} before the next start");
        tell("crash", &what, environments.created.points.len(), &part, begun);
        tally.add(part);
    }
    tally.assert_clean("after a crash of create");
}

/// The same while the operator lives: at every call somebody acts, before and after its effect.
#[test]
fn a_user_who_acts_in_the_middle_of_create_is_obeyed() {
    let environments = environments();
    let changed = environments.update("description", description()).record().end;
    let mut tally = Tally::default();
    for (what, act, end, expected) in [
        ("deleted", Act::Delete, End::Gone, &environments.deleted.end),
        ("changed", Act::Edit(description()), End::Ready, &changed),
        ("status wiped", Act::WipeStatus, End::Ready, &environments.created.end),
        ("re-created", Act::Recreate, End::Ready, &environments.created.end),
    ] {
        let spots = sweep::spots(&environments.created.points);
        let strikes = [Edge::Before, Edge::After].map(|edge| Trouble::Meanwhile(act.clone(), edge));
        let all = every(&spots, &strikes);
        tally.add(strike_each(&format!("create, {what} meanwhile"), &environments.create, &all, 40, end, expected));
    }
    tally.assert_clean("in the middle of create");
}

fn every(spots: &[Spot], troubles: &[Trouble]) -> Vec<Strike> {
    let of = |spot: &Spot| -> Vec<Strike> {
        troubles.iter().map(|trouble| Strike { spot: spot.clone(), trouble: trouble.clone() }).collect()
    };
    spots.iter().flat_map(of).collect()
}

fn strike_each(
    what: &str,
    scenario: &Scenario,
    all: &[Strike],
    step: usize,
    end: End,
    expected: &serde_json::Value,
) -> Tally {
    let begun = std::time::Instant::now();
    let strikes = thinned(all, step, what.len());
    let name = |strike: &Strike| format!("{what}: {}", strike.name());
    let tally = pool::run(&strikes, name, |strike| sweep::play(scenario, std::slice::from_ref(strike), end, expected));
    let faults = all.iter().all(|strike| strike.trouble.is_fault());
    tell(if faults { "fault" } else { "moment" }, what, all.len(), &tally, begun);
    tally
}

#[test]
fn every_call_may_go_wrong_in_every_way() {
    let environments = environments();
    let mut tally = Tally::default();
    for (scenario, recording) in
        [(&environments.create, &environments.created), (&environments.delete, &environments.deleted)]
    {
        let all = sweep::singles(&sweep::spots(&recording.points));
        let what = format!("{}, one fault", scenario.name);
        tally.add(strike_each(&what, scenario, &all, 53, scenario.end, &recording.end));
    }
    tally.assert_clean("one fault");
}

#[test]
fn watches_that_break_off_lose_nothing() {
    let environments = environments();
    let mut tally = Tally::default();
    for (scenario, recording) in
        [(&environments.create, &environments.created), (&environments.delete, &environments.deleted)]
    {
        let all = every(&sweep::spots(&recording.points), &[Trouble::Compacted]);
        let what = format!("{}, watches begun anew", scenario.name);
        tally.add(strike_each(&what, scenario, &all, 40, scenario.end, &recording.end));
    }
    tally.assert_clean("watches");
}

#[test]
fn a_cache_that_is_behind_makes_nothing_twice_and_loses_no_deletion() {
    let environments = environments();
    let spots = sweep::spots(&environments.created.points);
    let mut tally = Tally::default();
    for behind in [1, 7, 40].map(Duration::from_secs) {
        for (what, act, end, expected) in [
            ("deleted", Act::Delete, End::Gone, &environments.deleted.end),
            ("re-created", Act::Recreate, End::Ready, &environments.created.end),
        ] {
            let begun = std::time::Instant::now();
            let all = every(&spots, &[Trouble::Meanwhile(act, Edge::After)]);
            let strikes = sparse(&all, if deep() { 5 } else { 60 }, what.len());
            let name = |strike: &Strike| format!("create, {what}, {behind:?} behind: {}", strike.name());
            let cast = Cast { behind, ..Cast::default() };
            let one = |strike: &Strike| {
                sweep::play_with(&environments.create, std::slice::from_ref(strike), &cast, end, expected)
            };
            let part = pool::run(&strikes, name, one);
            tell("moment", &format!("create, {what}, watches {behind:?} behind"), all.len(), &part, begun);
            tally.add(part);
        }
    }
    tally.assert_clean("a cache behind");
}

/// A watch that goes back in time makes nothing twice, and brings nothing back that is deleted.
#[test]
fn events_out_of_order_make_nothing_twice_and_bring_nothing_back() {
    let environments = environments();
    let mut tally = Tally::default();
    for (scenario, recording) in
        [(&environments.create, &environments.created), (&environments.delete, &environments.deleted)]
    {
        let all = every(&sweep::spots(&recording.points), &[1, 2, 6].map(Trouble::OutOfOrder));
        let all: Vec<_> = all.into_iter().step_by(4).collect();
        let what = format!("{}, an event out of order", scenario.name);
        tally.add(strike_each(&what, scenario, &all, 11, scenario.end, &recording.end));
    }
    tally.assert_clean("events out of order");
}

/// A Lease is no fence: where it is handed over late, two operators work at once.
#[test]
fn two_operators_that_both_believe_to_lead_end_as_one() {
    let environments = environments();
    let cast = Cast { operators: 2, ..Cast::default() };
    let changed = environments.update("description", description()).record().end;
    let spots = sweep::spots(&environments.created.points);
    let mut tally = Tally::default();
    for (what, act, end, expected) in [
        ("nothing else", Act::Nothing, End::Ready, &environments.created.end),
        ("deleted", Act::Delete, End::Gone, &environments.deleted.end),
        ("changed", Act::Edit(description()), End::Ready, &changed),
        ("re-created", Act::Recreate, End::Ready, &environments.created.end),
    ] {
        let begun = std::time::Instant::now();
        let all = every(&spots, &[Edge::Before, Edge::After].map(|edge| Trouble::Meanwhile(act.clone(), edge)));
        // All of them take as long as everything else together.
        let all: Vec<_> = all.into_iter().step_by(7).collect();
        let strikes = if matches!(act, Act::Nothing) { all[..1].to_vec() } else { thinned(&all, 9, what.len()) };
        let name = |strike: &Strike| format!("create by two operators, {what}: {}", strike.name());
        let one = |strike: &Strike| {
            sweep::play_with(&environments.create, std::slice::from_ref(strike), &cast, end, expected)
        };
        let part = pool::run(&strikes, name, one);
        tell("moment", &format!("create by two operators, {what}"), strikes.len(), &part, begun);
        tally.add(part);
    }
    let begun = std::time::Instant::now();
    let part = pool::run(
        &[&environments.delete],
        |scenario| scenario.name.to_owned(),
        |scenario| sweep::play_with(scenario, &[], &cast, End::Gone, &environments.deleted.end),
    );
    tell("moment", "delete by two operators", 1, &part, begun);
    tally.add(part);
    tally.assert_clean("two operators");
}

/// Two faults in one story, at random: `EXPLORE_SEED` repeats a run, `EXPLORE_PAIRS` says how many.
#[test]
fn two_calls_may_go_wrong() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("EXPLORE_SEED").unwrap_or(20260301);
    let pairs = number("EXPLORE_PAIRS").unwrap_or(16);
    println!("two faults: EXPLORE_SEED={seed} EXPLORE_PAIRS={pairs}");
    let begun = std::time::Instant::now();
    let environments = environments();
    let choices = [(&environments.create, &environments.created), (&environments.delete, &environments.deleted)]
        .map(|(scenario, recording)| (scenario, recording, sweep::singles(&sweep::spots(&recording.points))));
    let mut random = StdRng::seed_from_u64(seed);
    let stories: Vec<_> = (0..pairs)
        .map(|_| {
            let (scenario, recording, all) = &choices[random.random_range(0..choices.len())];
            let mut one = || all[random.random_range(0..all.len())].clone();
            (*scenario, *recording, [one(), one()])
        })
        .collect();
    let name = |(scenario, _, [one, two]): &(&Scenario, &Recording, [Strike; 2])| {
        format!("{} (seed {seed}): {} and {}", scenario.name, one.name(), two.name())
    };
    let tally = pool::run(&stories, name, |(scenario, recording, strikes)| {
        sweep::play(scenario, strikes, scenario.end, &recording.end)
    });
    tell("pair", &format!("create and delete, seed {seed}"), stories.len(), &tally, begun);
    tally.assert_clean("two faults");
}

/// A call that is refused for good: the object says why and what to do, the operator does not storm, and when it is
/// allowed again everything comes to be without a restart.
#[test]
fn a_fault_that_stays_is_told_and_goes_by_without_a_restart() {
    let environments = environments();
    let begun = std::time::Instant::now();
    let calls: std::collections::BTreeSet<_> = sweep::spots(&environments.created.points)
        .into_iter()
        .map(|spot| spot.call)
        .filter(|call| !call.starts_with("kubernetes "))
        .collect();
    let all: Vec<_> = calls.iter().flat_map(|call| [(call, Trouble::Denied), (call, Trouble::Unavailable)]).collect();
    let some = thinned(&all, 9, 0);
    let name = |(call, trouble): &(&String, Trouble)| format!("create, {trouble:?} for good at {call}");
    let most = std::sync::atomic::AtomicUsize::new(0);
    let one = |(call, trouble): &(&String, Trouble)| {
        sweep::endure(&environments.create, call, trouble, &environments.created.end, &most)
    };
    let tally = pool::run(&some, name, one);
    tell("fault", "create, a fault that stays", all.len(), &tally, begun);
    tally.assert_clean("a fault that stays");
}

#[test]
fn a_status_that_is_wiped_at_any_moment_is_back_within_a_minute() {
    let environments = environments();
    let strikes =
        every(&sweep::spots(&environments.created.points), &[Trouble::Meanwhile(Act::WipeStatus, Edge::After)]);
    let last = thinned(&strikes[strikes.len() - 12..], 3, 0);
    let tally =
        pool::run(&last, Strike::name, |strike| sweep::heals(&environments.create, strike, Duration::from_mins(1)));
    tally.assert_clean("a wiped status");
}
