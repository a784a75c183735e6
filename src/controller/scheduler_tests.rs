//! The order in which keys have their turn, as rows and as a property of any story.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn places(names: &[&str]) -> Places {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn nowhere() -> Places {
    places(&[])
}

/// Begins all that may be begun.
fn begin(scheduler: &mut Scheduler<&'static str>, now: Instant) -> Vec<&'static str> {
    std::iter::from_fn(|| scheduler.next(now)).collect()
}

#[test]
fn what_a_user_waits_for_goes_before_routine_looks_that_came_earlier() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(1);
    scheduler.ask("routine", Lane::Routine, nowhere(), now);
    scheduler.ask("first", Lane::User, nowhere(), now);
    scheduler.ask("second", Lane::User, nowhere(), now);
    let mut order = Vec::new();
    while let Some(key) = scheduler.next(now) {
        order.push(key);
        scheduler.ended(&key, Again::OnChange, Lane::Routine, nowhere(), now);
    }
    assert_eq!(order, ["first", "second", "routine"]);
}

#[test]
fn it_is_known_how_long_a_key_waits_and_has_waited() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(1);
    scheduler.ask("first", Lane::User, nowhere(), now);
    scheduler.ask("second", Lane::User, nowhere(), now + SECOND);
    scheduler.ask_at("due", now + SECOND * 3, nowhere());
    assert_eq!((scheduler.waiting_since(Lane::User), scheduler.waiting_since(Lane::Routine)), (Some(now), None));
    assert_eq!(scheduler.next(now + SECOND * 2), Some("first"));
    assert_eq!(scheduler.waited(&"first"), Some((Lane::User, SECOND * 2)));
    assert_eq!(scheduler.waited(&"second"), None, "it has not begun");
    scheduler.ask("second", Lane::User, nowhere(), now + SECOND * 4);
    assert_eq!(scheduler.waiting_since(Lane::User), Some(now + SECOND), "asked for again, it waits as it did");
    scheduler.ended(&"first", Again::OnChange, Lane::Routine, nowhere(), now + SECOND * 5);
    assert_eq!(scheduler.next(now + SECOND * 5), Some("second"));
    assert_eq!(
        scheduler.waiting_since(Lane::Routine),
        Some(now + SECOND * 3),
        "one whose moment came waits since then"
    );
    assert_eq!(scheduler.waiting_since(Lane::User), None);
}

#[test]
fn a_routine_look_has_its_turn_among_users_without_end() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(1);
    scheduler.ask("routine", Lane::Routine, nowhere(), now);
    scheduler.ask("user", Lane::User, nowhere(), now);
    let turns = std::iter::from_fn(|| {
        let key = scheduler.next(now)?;
        scheduler.ended(&key, Again::OnChange, Lane::User, nowhere(), now);
        scheduler.ask("user", Lane::User, nowhere(), now);
        Some(key)
    });
    assert_eq!(turns.take(20).position(|key| key == "routine"), Some(FOR_USERS_IN_A_ROW));
}

#[test]
fn a_quarter_of_the_slots_is_left_to_users_and_to_other_places() {
    let rows = [
        ("routine looks leave a quarter", Lane::Routine, nowhere(), 6),
        ("users may have all", Lane::User, nowhere(), 8),
        ("one place leaves a quarter", Lane::User, places(&["account"]), 6),
        ("a narrower one in it leaves half", Lane::User, places(&["account", "jenkins"]), 4),
    ];
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for (name, lane, places, expected) in rows {
        let now = Instant::now();
        let mut scheduler = Scheduler::new(8);
        keys.iter().for_each(|key| scheduler.ask(*key, lane, places.clone(), now));
        assert_eq!(begin(&mut scheduler, now).len(), expected, "{name}");
        scheduler.ask("user elsewhere", Lane::User, nowhere(), now);
        assert_eq!(begin(&mut scheduler, now).contains(&"user elsewhere"), expected < 8, "{name}");
        scheduler.ended(&"a", Again::OnChange, lane, places.clone(), now);
        assert!(scheduler.next(now).is_some(), "{name}: a slot that is free again is used");
    }
}

#[test]
fn what_is_stuck_in_a_narrow_place_leaves_room_in_the_wide_one_around_it() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(8);
    ["a", "b", "c", "d", "e"].iter().for_each(|key| scheduler.ask(*key, Lane::User, places(&["account", "dead"]), now));
    scheduler.ask("neighbour", Lane::User, places(&["account", "jenkins"]), now);
    assert_eq!(begin(&mut scheduler, now), ["a", "neighbour", "b", "c", "d"]);
}

#[test]
fn who_comes_after_many_of_another_place_does_not_wait_for_them() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(4);
    ["a", "b", "c", "d", "e"].iter().for_each(|key| scheduler.ask(*key, Lane::User, places(&["one"]), now));
    ["x", "y"].iter().for_each(|key| scheduler.ask(*key, Lane::User, places(&["other"]), now));
    assert_eq!(begin(&mut scheduler, now), ["a", "x", "b", "y"]);
    scheduler.ended(&"x", Again::OnChange, Lane::User, places(&["other"]), now);
    assert_eq!(begin(&mut scheduler, now), ["c"], "in each place first come, first served");
}

#[test]
fn regions_with_one_jenkins_have_their_turns_alike() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(16);
    ["a", "b", "c", "d", "e"].iter().for_each(|key| scheduler.ask(*key, Lane::User, places(&["one", "jenkins"]), now));
    ["x", "y"].iter().for_each(|key| scheduler.ask(*key, Lane::User, places(&["other", "jenkins"]), now));
    assert_eq!(begin(&mut scheduler, now), ["a", "x", "b", "y", "c", "d", "e"]);
}

#[test]
fn routine_looks_leave_a_part_of_each_place_to_its_own_users() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(16);
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        scheduler.ask(key, Lane::Routine, places(&["account", "jenkins"]), now);
    }
    assert_eq!(begin(&mut scheduler, now).len(), 4);
    scheduler.ask("user", Lane::User, places(&["account", "jenkins"]), now);
    assert_eq!(begin(&mut scheduler, now), ["user"]);
}

#[test]
fn one_whose_places_change_counts_where_it_is_now() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(4);
    scheduler.ask("a", Lane::User, places(&["account", "dead"]), now);
    scheduler.ask("b", Lane::User, places(&["account", "dead"]), now);
    scheduler.ask("c", Lane::User, places(&["account", "dead"]), now);
    assert_eq!(begin(&mut scheduler, now), ["a", "b"]);
    scheduler.ask("c", Lane::User, places(&["account", "jenkins"]), now);
    assert_eq!(begin(&mut scheduler, now), ["c"]);
    scheduler.ended(&"a", Again::After(SECOND), Lane::User, places(&["account", "jenkins"]), now);
    assert_eq!(begin(&mut scheduler, now + SECOND), ["a"]);
}

#[test]
fn one_that_is_asked_for_while_it_is_worked_on_has_one_more_turn() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(2);
    scheduler.ask("a", Lane::Routine, nowhere(), now);
    assert_eq!(begin(&mut scheduler, now), ["a"]);
    scheduler.ask("a", Lane::User, nowhere(), now);
    scheduler.ask("a", Lane::Routine, nowhere(), now);
    assert_eq!(begin(&mut scheduler, now), [""; 0], "never twice at once");
    scheduler.ended(&"a", Again::After(SECOND * 3600), Lane::Routine, nowhere(), now);
    assert_eq!(scheduler.waiting(Lane::User), 1);
    assert_eq!(begin(&mut scheduler, now), ["a"]);
    scheduler.ended(&"a", Again::OnChange, Lane::Routine, nowhere(), now);
    assert_eq!((begin(&mut scheduler, now).len(), scheduler.wakes_at()), (0, None));
}

#[test]
fn one_goes_at_its_moment_or_sooner_when_it_is_asked_for() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(2);
    scheduler.ask_at("a", now + SECOND * 10, nowhere());
    scheduler.ask_at("b", now + SECOND * 20, nowhere());
    scheduler.ask_at("a", now + SECOND, nowhere());
    assert_eq!(scheduler.wakes_at(), Some(now + SECOND * 10), "what is known keeps its moment");
    assert_eq!(begin(&mut scheduler, now + SECOND * 9), [""; 0]);
    scheduler.ask("b", Lane::User, nowhere(), now);
    assert_eq!(begin(&mut scheduler, now + SECOND * 10), ["b", "a"]);
    scheduler.ended(&"b", Again::OnChange, Lane::Routine, nowhere(), now);
    scheduler.ended(&"a", Again::OnChange, Lane::Routine, nowhere(), now);
    assert_eq!(scheduler.wakes_at(), None, "it has no second turn at the old moment");
}

#[test]
fn what_is_gone_has_no_turn() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(1);
    scheduler.ask("running", Lane::User, nowhere(), now);
    assert_eq!(begin(&mut scheduler, now), ["running"]);
    scheduler.ask("running", Lane::User, nowhere(), now);
    scheduler.ask("waiting", Lane::User, nowhere(), now);
    scheduler.ask_at("due", now + SECOND, nowhere());
    for key in ["running", "waiting", "due", "unknown"] {
        scheduler.forget(&key);
    }
    scheduler.ended(&"running", Again::OnChange, Lane::Routine, nowhere(), now);
    assert_eq!((begin(&mut scheduler, now + SECOND * 2).len(), scheduler.wakes_at()), (0, None));
    assert_eq!(scheduler.entries.len(), 0, "and nothing is kept of it");
}

/// What may happen next.
#[derive(Clone, Debug)]
enum Happens {
    Asked {
        key: u8,
        user: bool,
    },
    Forgotten {
        key: u8,
    },
    /// The one that has been worked on for longest ends.
    Ended {
        again: Option<u8>,
    },
    TimePasses {
        seconds: u8,
    },
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (any::<u8>(), any::<bool>()).prop_map(|(key, user)| Happens::Asked { key: key % 40, user }),
        1 => any::<u8>().prop_map(|key| Happens::Forgotten { key: key % 40 }),
        4 => any::<Option<u8>>().prop_map(|again| Happens::Ended { again }),
        1 => any::<u8>().prop_map(|seconds| Happens::TimePasses { seconds }),
    ]
}

/// Each key is always in the same places: a tenth of them in none.
fn places_of(key: u8) -> Places {
    match key % 10 {
        0 => nowhere(),
        n => [format!("account {}", n % 3), format!("jenkins {}", n % 4)].into(),
    }
}

proptest! {
    /// Whatever happens: no more than the slots are worked on, no key twice, no place has more than its part, and when
    /// everything that is begun ends, everything that was asked for has had its turn, in finite time.
    #[test]
    fn everything_has_its_turn_and_nothing_more_than_its_part(slots in 1_usize..9, story in prop::collection::vec(happens(), 0..300)) {
        let mut now = Instant::now();
        let mut scheduler = Scheduler::new(slots);
        let mut running: Vec<u8> = Vec::new();
        let mut asked: BTreeMap<u8, ()> = BTreeMap::new();
        for one in story {
            match one {
                Happens::Asked { key, user } => {
                    scheduler.ask(key, if user { Lane::User } else { Lane::Routine }, places_of(key), now);
                    asked.insert(key, ());
                }
                Happens::Forgotten { key } => {
                    scheduler.forget(&key);
                    asked.remove(&key);
                }
                Happens::Ended { again } if !running.is_empty() => {
                    let key = running.remove(0);
                    let again = again.map_or(Again::OnChange, |seconds| Again::After(SECOND * seconds.into()));
                    scheduler.ended(&key, again, Lane::Routine, places_of(key), now);
                }
                Happens::Ended { .. } => {}
                Happens::TimePasses { seconds } => now += SECOND * seconds.into(),
            }
            while let Some(key) = scheduler.next(now) {
                prop_assert!(!running.contains(&key), "{key} is worked on twice at once");
                asked.remove(&key);
                running.push(key);
            }
            prop_assert!(running.len() <= slots);
            for (narrower, place) in (1..4).flat_map(|key| places_of(key).iter().cloned().enumerate().collect::<Vec<_>>()) {
                let here = running.iter().filter(|key| places_of(**key).contains(&place)).count();
                prop_assert!(here <= scheduler.most(narrower), "{here} in {place}");
            }
        }
        let mut turns = 0;
        while !running.is_empty() {
            let key = running.remove(0);
            scheduler.ended(&key, Again::OnChange, Lane::Routine, nowhere(), now);
            while let Some(key) = scheduler.next(now) {
                asked.remove(&key);
                running.push(key);
            }
            turns += 1;
            prop_assert!(turns < 1000, "it does not come to an end");
        }
        prop_assert!(asked.is_empty(), "these were never worked on: {asked:?}");
        prop_assert!(scheduler.busy.is_empty() && scheduler.running == 0 && scheduler.running_routine == 0);
    }
}
