//! The loop against a resource made of a script: what it does, when it stops, what it remembers. Time is paused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::controller::converge::memory::{After, ObjectMemory};
use crate::controller::converge::scope::MOST_TOLD;
use crate::crd::status::{Intent, MlopsProjectStatus, Placement};
use crate::domain::external_resource::{Change, RecordedIds, ResourceKind};
use crate::domain::identity::OwnerKey;

/// A number that should have a certain value.
struct Number;

#[derive(Clone, Debug)]
struct Seen {
    value: Option<u32>,
    busy: Option<Reason>,
}

impl ExternalResource for Number {
    const KIND: ResourceKind = ResourceKind::CatalogProduct;
    type Declared = ();
    type Inputs = ();
    type Desired = u32;
    type Observed = Seen;
    type Action = Option<u32>;
    type Output = u32;

    fn desired((): &(), (): &()) -> u32 {
        7
    }

    fn decide(
        _: &Identity,
        goal: &Goal<u32>,
        seen: &Seen,
        _: Timestamp,
        attempts: &Attempts,
    ) -> Decision<Option<u32>, u32> {
        if let Some(reason) = seen.busy {
            return Decision::Wait(Wait::new("busy", reason, "busy"));
        }
        let step = |change, to: Option<u32>, intent| {
            let summary = to.map_or("delete the number".to_owned(), |to| format!("set the number to {to}"));
            Decision::Act(vec![Step { intent, ..Step::new(to, change, Reason::Missing, summary) }])
        };
        match (goal, seen.value) {
            (Goal::Absent, None) => Decision::Gone,
            (Goal::Absent, Some(_)) => step(Change::Delete, None, None),
            (Goal::Present(wanted), Some(value)) if *wanted == value => Decision::InSync(value),
            (Goal::Present(wanted), Some(_)) => step(Change::Update, Some(*wanted), None),
            (Goal::Present(wanted), None) => {
                let n = attempts.intent("Number").map_or(1, |intent| intent.n);
                step(Change::Create, Some(*wanted), Some(Intent { resource: "Number".into(), n, id: None }))
            }
        }
    }

    fn key(action: &Option<u32>) -> StepKey {
        StepKey::new("SetNumber", &[]).with_contents(action)
    }

    fn exists(seen: &Seen) -> bool {
        seen.value.is_some()
    }

    fn whereabouts(_: &Placement, _: &MlopsProjectStatus) -> Option<String> {
        None
    }
}

/// Where the number lives: what it shows, what it does with what it is told, and every call in order.
#[derive(Default)]
struct Place {
    value: Mutex<Option<u32>>,
    /// Observations show the value of this long ago.
    lag: Duration,
    written_at: Mutex<Option<Timestamp>>,
    clock: Option<Clock>,
    /// Writes have no effect.
    stubborn: bool,
    faults: Mutex<VecDeque<Option<Fault>>>,
    busy: Mutex<Option<Reason>>,
    calls: Mutex<Vec<String>>,
}

impl Place {
    fn call(&self, text: String) -> Result<(), Fault> {
        self.calls.lock().unwrap().push(text);
        match self.faults.lock().unwrap().pop_front().flatten() {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Actuator<Number> for Place {
    async fn observe(&self, _: &Identity, _: &Attempts) -> Result<Seen, Fault> {
        self.call("look".into())?;
        let hidden = match (self.clock, *self.written_at.lock().unwrap()) {
            (Some(clock), Some(at)) => elapsed(at, clock.now()) < self.lag,
            _ => false,
        };
        Ok(Seen { value: self.value.lock().unwrap().filter(|_| !hidden), busy: *self.busy.lock().unwrap() })
    }

    async fn act(&self, _: &Identity, action: &Option<u32>) -> Result<RecordedIds, Fault> {
        self.call(format!("set {action:?}"))?;
        if !self.stubborn {
            *self.value.lock().unwrap() = *action;
            *self.written_at.lock().unwrap() = self.clock.map(|clock| clock.now());
        }
        Ok(vec![("Number".into(), "id-1".into())])
    }
}

/// Intents as they were written, next to the calls that had been made by then.
#[derive(Default)]
struct Written {
    written: Mutex<Vec<Vec<Intent>>>,
    /// The object went, or another came in its place.
    fallen: AtomicBool,
}

impl IntentJournal for Written {
    async fn stands(&self) -> Result<bool, Fault> {
        Ok(!self.fallen.load(Ordering::Relaxed))
    }

    async fn persist(&self, memory: &ObjectMemory) -> Result<(), Fault> {
        self.written.lock().unwrap().push(memory.intents());
        memory.written(&memory.intents());
        Ok(())
    }
}

struct Fixture {
    memory: ObjectMemory,
    clock: Clock,
    journal: Written,
    stop: watch::Sender<bool>,
}

impl Fixture {
    fn new() -> Self {
        let clock = Clock::starting_at("2026-03-01T12:00:00Z".parse().unwrap());
        Self {
            memory: ObjectMemory::new(Vec::new()),
            clock,
            journal: Written::default(),
            stop: watch::channel(false).0,
        }
    }

    async fn scope(&self, place: &Place, goal: Goal<u32>) -> Outcome<u32> {
        let owner = OwnerKey { cluster: "c".into(), kind: "k".into(), namespace: "n".into(), name: "x".into() };
        let id = Identity { owner, placement: crate::fixture::place(), seals: crate::fixture::seals() };
        self.memory.begin_look(false, self.clock.now(), 0.0);
        let scope = Scope::new(&self.memory, self.clock, &self.journal, self.stop.subscribe());
        converge::<Number, _, _>(&scope, &id, &goal, place).await
    }
}

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "could not do it")
}

#[tokio::test(start_paused = true)]
async fn it_acts_and_looks_again_until_the_resource_is_in_sync() {
    let (fixture, place) = (Fixture::new(), Place::default());
    assert_eq!(fixture.scope(&place, Goal::Present(7)).await, Outcome::InSync { output: 7, changed: true });
    assert_eq!(place.calls(), ["look", "set Some(7)", "look"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_for_an_object_that_does_not_stand_any_more() {
    let (fixture, place) = (Fixture::new(), Place::default());
    fixture.journal.fallen.store(true, Ordering::Relaxed);
    for goal in [Goal::Present(7), Goal::Absent] {
        *place.value.lock().unwrap() = Some(1);
        assert_eq!(fixture.scope(&place, goal).await, Outcome::Interrupted);
        assert_eq!(place.calls(), ["look"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_is_written_before_the_act_and_its_id_noted_after() {
    let (fixture, place) = (Fixture::new(), Place::default());
    fixture.scope(&place, Goal::Present(7)).await;
    let written = fixture.journal.written.lock().unwrap().clone();
    assert_eq!(written, [vec![Intent { resource: "Number".into(), n: 1, id: None }]]);
    assert_eq!(fixture.memory.intents()[0].id.as_deref(), Some("id-1"));
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_is_written_already_costs_no_second_write() {
    let (fixture, place) = (Fixture::new(), Place::default());
    place.faults.lock().unwrap().extend([None, Some(fault(FaultKind::Unavailable))]);
    fixture.scope(&place, Goal::Present(7)).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(place.calls(), ["look", "set Some(7)", "look", "set Some(7)", "look"]);
    assert_eq!(fixture.journal.written.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_in_sync_is_not_looked_at_again_while_something_else_is_waited_for() {
    let (fixture, place) = (Fixture::new(), Place::default());
    fixture.memory.begin("1");
    fixture.scope(&place, Goal::Present(7)).await;
    place.calls();
    fixture.memory.end();
    fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(place.calls().len(), 0, "the same wait");
    fixture.memory.begin("2");
    fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(place.calls(), ["look"], "something has changed");
    tokio::time::advance(Duration::from_mins(59)).await;
    fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(place.calls().len(), 0, "what is sick beside it does not make it be looked at");
    tokio::time::advance(Duration::from_mins(1)).await;
    fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(place.calls(), ["look"], "the deep check looks at it");
}

#[tokio::test(start_paused = true)]
async fn one_that_asked_for_time_rests_whatever_brings_the_reconcile() {
    let (fixture, place) = (Fixture::new(), Place::default());
    let slow_down = Fault { retry_after: Some(Duration::from_secs(40)), ..fault(FaultKind::Throttled) };
    place.faults.lock().unwrap().push_back(Some(slow_down.clone()));
    let first = fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(first, Outcome::Faulted { fault: slow_down, since: fixture.clock.now() });
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(fixture.scope(&place, Goal::Present(7)).await, first, "it stands as it was found");
    }
    assert_eq!(place.calls(), ["look"]);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(matches!(fixture.scope(&place, Goal::Present(7)).await, Outcome::InSync { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_spec_or_of_what_is_wanted_ends_a_rest() {
    let (fixture, place) = (Fixture::new(), Place::default());
    fixture.memory.begin("1");
    for (name, change, goal) in [
        ("the same spec", "1", Goal::Present(7)),
        ("another spec", "2", Goal::Present(7)),
        ("a deletion", "2", Goal::Absent),
    ] {
        place.faults.lock().unwrap().clear();
        place.faults.lock().unwrap().push_back(Some(fault(FaultKind::Rejected)));
        fixture.memory.begin(change);
        fixture.scope(&place, goal).await;
        assert_eq!(place.calls().len(), 1, "{name}");
    }
    fixture.memory.begin("2");
    fixture.scope(&place, Goal::Absent).await;
    assert_eq!(place.calls().len(), 0, "nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_makes_the_others_be_looked_at_once() {
    let (fixture, place) = (Fixture::new(), Place::default());
    let kept = || fixture.memory.kept::<i32>(ResourceKind::ArtifactBucket, fixture.clock.now());
    for expected in [None, Some(Some(1))] {
        fixture.memory.keep(ResourceKind::ArtifactBucket, Some(&1), false, fixture.clock.now());
        place.faults.lock().unwrap().push_back(Some(fault(FaultKind::Rejected)));
        assert!(matches!(fixture.scope(&place, Goal::Present(7)).await, Outcome::Faulted { .. }));
        assert_eq!(kept(), expected);
        tokio::time::advance(SLOW_RETRY).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_action_is_not_repeated_while_reads_may_lag() {
    let fixture = Fixture::new();
    let place = Place { lag: Duration::from_secs(8), clock: Some(fixture.clock), ..Place::default() };
    for _ in 0..4 {
        let outcome = fixture.scope(&place, Goal::Present(7)).await;
        assert!(matches!(outcome, Outcome::Waiting { .. }));
        tokio::time::advance(Duration::from_secs(2)).await;
    }
    assert!(matches!(fixture.scope(&place, Goal::Present(7)).await, Outcome::InSync { .. }));
    assert_eq!(place.calls().iter().filter(|call| call.starts_with("set")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_action_without_effect_over_two_passes_asks_a_person() {
    let fixture = Fixture::new();
    let place = Place { stubborn: true, ..Place::default() };
    for _ in 0..2 {
        assert!(matches!(fixture.scope(&place, Goal::Present(7)).await, Outcome::Waiting { .. }));
        tokio::time::advance(SETTLING).await;
    }
    let Outcome::Stuck(Problem { reason, message, .. }) = fixture.scope(&place, Goal::Present(7)).await else {
        panic!("not stuck")
    };
    assert_eq!(reason, Reason::ChangesReverted);
    assert!(message.contains("set the number to 7"), "{message}");
    assert_eq!(sets(&place), 2);
    for minutes in [10, 20, 40, 80, 160, 320, 360, 360] {
        tokio::time::advance(Duration::from_mins(minutes) - Duration::from_secs(20)).await;
        fixture.scope(&place, Goal::Present(7)).await;
        assert_eq!(sets(&place), 0, "not before {minutes} minutes");
        tokio::time::advance(Duration::from_secs(20)).await;
        fixture.scope(&place, Goal::Present(7)).await;
        assert_eq!(sets(&place), 1, "nothing gives up for good: after {minutes} minutes");
    }
}

/// A resource of which each look shows something else to do.
struct Restless;

impl ExternalResource for Restless {
    const KIND: ResourceKind = ResourceKind::JenkinsJobs;
    type Declared = ();
    type Inputs = ();
    type Desired = ();
    type Observed = u32;
    type Action = u32;
    type Output = ();

    fn desired((): &(), (): &()) {}

    fn decide(_: &Identity, _: &Goal<()>, seen: &u32, _: Timestamp, _: &Attempts) -> Decision<u32, ()> {
        Decision::Act(vec![Step::new(*seen, Change::Delete, Reason::SpecChanged, format!("delete job \"{seen}\""))])
    }

    fn key(action: &u32) -> StepKey {
        StepKey::new("DeleteJob", &[&action.to_string()])
    }

    fn exists(_: &u32) -> bool {
        true
    }

    fn whereabouts(_: &Placement, _: &MlopsProjectStatus) -> Option<String> {
        None
    }
}

/// How often it was looked at and acted on, and whether each act but the first of a reconcile fails.
#[derive(Default)]
struct Endless {
    looks: Mutex<u32>,
    acts: Mutex<u32>,
    fails: bool,
}

impl Actuator<Restless> for Endless {
    async fn observe(&self, _: &Identity, _: &Attempts) -> Result<u32, Fault> {
        let mut looks = self.looks.lock().unwrap();
        *looks += 1;
        if self.fails && looks.is_multiple_of(2) { Err(fault(FaultKind::Unavailable)) } else { Ok(*looks) }
    }

    async fn act(&self, _: &Identity, _: &u32) -> Result<RecordedIds, Fault> {
        *self.acts.lock().unwrap() += 1;
        Ok(RecordedIds::new())
    }
}

#[tokio::test(start_paused = true)]
async fn what_finds_something_else_to_do_for_ever_is_looked_at_ever_more_slowly_and_takes_no_memory() {
    let rows = [
        ("it is never done", false, 300, 1500),
        ("it fails now and then, so that no failure is the second in a row", true, 300, 700),
    ];
    for (name, fails, least, most) in rows {
        let (fixture, place) = (Fixture::new(), Endless { fails, ..Endless::default() });
        let owner = OwnerKey { cluster: "c".into(), kind: "k".into(), namespace: "n".into(), name: "x".into() };
        let id = Identity { owner, placement: crate::fixture::place(), seals: crate::fixture::seals() };
        for _ in 0..3600 {
            let scope = Scope::new(&fixture.memory, fixture.clock, &fixture.journal, fixture.stop.subscribe());
            converge::<Restless, _, _>(&scope, &id, &Goal::Present(()), &place).await;
            assert!(scope.take_applied().len() <= MOST_TOLD, "{name}");
            assert!(fixture.memory.attempts(Restless::KIND).done.len() <= 200, "{name}");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let acts = *place.acts.lock().unwrap();
        assert!((least..=most).contains(&acts), "{name}: {acts} in an hour");
    }
}

fn sets(place: &Place) -> usize {
    place.calls().iter().filter(|call| call.starts_with("set")).count()
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_change_that_does_not_last_is_counted_across_its_waits() {
    let fixture = Fixture::new();
    let place = Place { stubborn: true, ..Place::default() };
    for round in 0..4 {
        fixture.scope(&place, Goal::Present(7)).await;
        *place.busy.lock().unwrap() = Some(Reason::Progressing);
        tokio::time::advance(SETTLING).await;
        fixture.scope(&place, Goal::Present(7)).await;
        *place.busy.lock().unwrap() = None;
        tokio::time::advance(SETTLING).await;
        assert_eq!(sets(&place), usize::from(round < 2), "round {round}");
    }
    let outcome = fixture.scope(&place, Goal::Present(7)).await;
    assert!(matches!(outcome, Outcome::Stuck(Problem { reason: Reason::ChangesReverted, .. })), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn what_propagates_is_tried_ever_more_slowly() {
    let (fixture, place) = (Fixture::new(), Place::default());
    let start = fixture.clock.now();
    while elapsed(start, fixture.clock.now()) < Duration::from_mins(10) {
        place.faults.lock().unwrap().clear();
        place.faults.lock().unwrap().extend([None, Some(fault(FaultKind::Propagating))]);
        fixture.scope(&place, Goal::Present(7)).await;
        tokio::time::advance(Duration::from_millis(200)).await;
    }
    let tries = sets(&place);
    assert!((5..=10).contains(&tries), "{tries} in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_fault_keeps_the_time_of_the_first_one_until_it_succeeds() {
    let (fixture, place) = (Fixture::new(), Place::default());
    let start = fixture.clock.now();
    place.faults.lock().unwrap().extend([Some(fault(FaultKind::Throttled)), Some(fault(FaultKind::Unavailable))]);
    fixture.scope(&place, Goal::Present(7)).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let second = fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(second, Outcome::Faulted { fault: fault(FaultKind::Unavailable), since: start });
    tokio::time::advance(Duration::from_secs(2)).await;
    fixture.scope(&place, Goal::Present(7)).await;
    fixture.memory.doubt(ResourceKind::CatalogProduct);
    place.faults.lock().unwrap().push_back(Some(fault(FaultKind::Throttled)));
    let third = fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(third, Outcome::Faulted { fault: fault(FaultKind::Throttled), since: fixture.clock.now() });
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_from_the_first_refusal_and_not_from_the_outage_before_it() {
    let (fixture, place) = (Fixture::new(), Place::default());
    for (name, kind, seconds, shown) in [
        ("Jenkins restarts", FaultKind::Unavailable, 0, false),
        ("it is still away", FaultKind::Unavailable, 40, false),
        ("it is back, and refuses a valid token", FaultKind::Denied, 20, false),
        ("it refuses it still", FaultKind::Denied, 31, true),
    ] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        place.faults.lock().unwrap().push_back(Some(fault(kind)));
        fixture.memory.distrust(ResourceKind::CatalogProduct);
        let outcome = fixture.scope(&place, Goal::Present(7)).await;
        assert_eq!(outcome.needs_intervention(fixture.clock.now()), shown, "{name}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_is_not_failing() {
    let (fixture, place) = (Fixture::new(), Place::default());
    let kind = ResourceKind::CatalogProduct;
    for _ in 0..5 {
        fixture.memory.faulted(kind, &Fault::new(FaultKind::Throttled, "slow down"), fixture.clock.now());
        tokio::time::advance(Duration::from_mins(2)).await;
        let key = StepKey::new("DeleteObjectVersions", &["bucket", &fixture.clock.now().to_string()]);
        fixture.memory.acted(kind, &key, After::Nothing, fixture.clock.now());
        assert_eq!(fixture.memory.pace(kind).failures, 0);
    }
    place.faults.lock().unwrap().push_back(Some(fault(FaultKind::Throttled)));
    let outcome = fixture.scope(&place, Goal::Present(7)).await;
    assert_eq!(outcome, Outcome::Faulted { fault: fault(FaultKind::Throttled), since: fixture.clock.now() });
}

#[tokio::test(start_paused = true)]
async fn propagation_is_waiting_for_two_minutes_and_then_a_refusal_with_its_hint() {
    let (fixture, place) = (Fixture::new(), Place::default());
    let refused = || Some(fault(FaultKind::Propagating).with_reason(Reason::NoLaunchPath).hint("add the principal"));
    place.faults.lock().unwrap().extend([None, refused(), None, refused()]);
    let first = fixture.scope(&place, Goal::Present(7)).await;
    assert!(matches!(first, Outcome::Waiting { reason: Reason::Propagating, .. }));
    tokio::time::advance(PROPAGATION).await;
    let second = fixture.scope(&place, Goal::Present(7)).await;
    assert!(
        matches!(second, Outcome::Stuck(Problem { reason: Reason::NoLaunchPath, hint, .. }) if hint == "add the principal")
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_counts_from_when_it_was_first_said() {
    let (fixture, place) = (Fixture::new(), Place::default());
    let start = fixture.clock.now();
    *place.busy.lock().unwrap() = Some(Reason::Progressing);
    fixture.scope(&place, Goal::Present(7)).await;
    tokio::time::advance(Duration::from_secs(30)).await;
    let Outcome::Waiting { since, .. } = fixture.scope(&place, Goal::Present(7)).await else { panic!("not waiting") };
    assert_eq!(since, start);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_not_wanted_is_removed_and_its_absence_seen() {
    let (fixture, place) = (Fixture::new(), Place::default());
    *place.value.lock().unwrap() = Some(1);
    assert_eq!(fixture.scope(&place, Goal::Absent).await, Outcome::Gone);
    assert_eq!(place.calls(), ["look", "set None", "look"]);
    assert_eq!(fixture.memory.attempts(ResourceKind::CatalogProduct).absent_since, Some(fixture.clock.now()));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_given_up() {
    struct Silent;
    impl Actuator<Number> for Silent {
        async fn observe(&self, _: &Identity, _: &Attempts) -> Result<Seen, Fault> {
            std::future::pending().await
        }
        async fn act(&self, _: &Identity, _: &Option<u32>) -> Result<RecordedIds, Fault> {
            std::future::pending().await
        }
    }
    let fixture = Fixture::new();
    let owner = OwnerKey { cluster: "c".into(), kind: "k".into(), namespace: "n".into(), name: "x".into() };
    let id = Identity { owner, placement: crate::fixture::place(), seals: crate::fixture::seals() };
    let scope = Scope::new(&fixture.memory, fixture.clock, &fixture.journal, fixture.stop.subscribe());
    let outcome = converge::<Number, _, _>(&scope, &id, &Goal::Present(1), &Silent).await;
    assert!(matches!(outcome, Outcome::Faulted { fault, .. } if fault.kind == FaultKind::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn a_stopping_operator_starts_no_further_call() {
    let (fixture, place) = (Fixture::new(), Place::default());
    fixture.stop.send_replace(true);
    assert_eq!(fixture.scope(&place, Goal::Present(7)).await, Outcome::Interrupted);
    assert_eq!(place.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_that_is_cleared_away_is_counted_until_it_succeeds() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    let delete = StepKey::new("DeleteStack", &[]);
    fixture.memory.acted(ResourceKind::ModelTrigger, &delete, After::FailedCreation, now);
    assert_eq!(fixture.memory.attempts(ResourceKind::ModelTrigger).failed_creations, 1);
    fixture.memory.reached(ResourceKind::ModelTrigger);
    assert_eq!(fixture.memory.attempts(ResourceKind::ModelTrigger).failed_creations, 0);
}
