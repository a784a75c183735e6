//! The only observe, decide, act loop; the only retries and the only time-outs of the operator. It decides nothing
//! about a thing itself: it bounds what `decide` asks for, and keeps an action without effect from being repeated.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::{Clock, elapsed};
use crate::controller::ledger::Ledger;
use crate::crd::status::Reason;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::domain::report::{Deed, Outcome, PROPAGATION, SLOW_RETRY};
use crate::domain::resource::{Actuator, Attempts, Decision, Goal, Kind, Resource, Step};

/// How often one pass looks at one thing, at most.
const ROUNDS: usize = 30;
/// How long one look or one act may take, all its calls together; each call has a shorter limit of its own.
const LIMIT: Duration = Duration::from_mins(3);
/// How long an action may need to show, since reads lag behind writes; before that it is not repeated.
const SETTLING: Duration = Duration::from_secs(15);
/// After how many passes with the same action and no effect a person is asked.
const PASSES: u32 = 2;

/// What a pass must know of its object before it acts.
pub trait IntentJournal: Send + Sync {
    /// Writes all intents of the ledger into the object's status, before what they announce is done.
    fn persist(&self, ledger: &Ledger) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Whether the object is still the one that the pass began with: neither gone nor made anew nor, unlike then, being
    /// deleted. A cache may be behind, and another operator may have come in between.
    fn stands(&self) -> impl Future<Output = Result<bool, Fault>> + Send {
        std::future::ready(Ok(true))
    }
}

/// One pass over one object.
pub struct Pass<'a, J> {
    /// What is remembered of the object.
    pub ledger: &'a Ledger,
    /// The time.
    pub clock: Clock,
    /// Where intents are written.
    pub journal: &'a J,
    /// True once the operator is stopping.
    pub stopping: watch::Receiver<bool>,
    /// What was done.
    pub deeds: Mutex<Vec<Deed>>,
}

impl<'a, J: IntentJournal> Pass<'a, J> {
    /// A pass that has done nothing yet.
    pub fn new(ledger: &'a Ledger, clock: Clock, journal: &'a J, stopping: watch::Receiver<bool>) -> Self {
        Self { ledger, clock, journal, stopping, deeds: Mutex::default() }
    }

    /// What was done so far.
    pub fn take_deeds(&self) -> Vec<Deed> {
        std::mem::take(&mut *self.deeds.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note<R: Resource>(&self, step: &Step<R::Action>) {
        let Step { change, because, summary, .. } = step;
        self.ledger.acted(R::KIND, summary, *change, *because, self.clock.now());
        let deed = Deed { kind: R::KIND, change: *change, because: *because, summary: summary.clone() };
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).push(deed);
    }

    fn faulted<R: Resource>(&self, fault: Fault) -> Outcome<R::Output> {
        let now = self.clock.now();
        if fault.kind == FaultKind::Propagating {
            let since = self.ledger.waits(R::KIND, Reason::Propagating, &fault.message, now);
            if elapsed(since, now) < PROPAGATION {
                return Outcome::Waiting { why: Reason::Propagating, message: fault.message, since, early: None };
            }
            let why = if fault.reason == Reason::Propagating { Reason::Rejected } else { fault.reason };
            let hint = fault.hint.unwrap_or_else(propagation_hint);
            return Outcome::Stuck { why, message: fault.message, hint };
        }
        let since = self.ledger.faulted(R::KIND, now);
        Outcome::Faulted { fault, since }
    }
}

/// Brings one thing to its goal as far as one pass can.
pub async fn drive<R, A, J>(
    pass: &Pass<'_, J>,
    id: &Identity,
    goal: &Goal<R::Desired>,
    actuator: &A,
) -> Outcome<R::Output>
where
    R: Resource<Output: Send + 'static>,
    A: Actuator<R>,
    J: IntentJournal,
{
    match (goal, pass.ledger.kept::<R::Output>(R::KIND, pass.clock.now())) {
        (Goal::Present(_), Some(Some(output))) => return Outcome::InSync { output, changed: false },
        (Goal::Absent, Some(None)) => return Outcome::Gone,
        _ => {}
    }
    let mut done = BTreeSet::new();
    for _ in 0..ROUNDS {
        if *pass.stopping.borrow() {
            return Outcome::Interrupted;
        }
        let tried = pass.ledger.attempts(R::KIND);
        let seen = match limited("look at", R::KIND.noun(), actuator.observe(id, &tried)).await {
            Ok(seen) => seen,
            Err(fault) => return pass.faulted::<R>(fault),
        };
        let now = pass.clock.now();
        pass.ledger.saw(R::KIND, R::exists(&seen), now);
        pass.ledger.sighted(R::KIND, &R::sightings(&seen), now);
        let tried: Attempts = pass.ledger.attempts(R::KIND);
        let steps = match R::decide(id, goal, &seen, now, &tried) {
            Decision::Act(steps) if !steps.is_empty() => steps,
            decision => return rest::<R, J>(pass, decision, !done.is_empty()),
        };
        if let Some(outcome) = act::<R, A, J>(pass, id, actuator, &steps, &mut done).await {
            return outcome;
        }
    }
    let message = "it takes more steps than one pass may have".to_owned();
    Outcome::Waiting { why: Reason::Progressing, message, since: pass.clock.now(), early: None }
}

/// Kept in the place of an output while a thing has been looked at ahead of its turn.
#[derive(Clone)]
struct Probed;

/// Looks at a thing whose turn has not come, so that what is wrong with it shows early: it is never acted upon.
/// `goal` is what it will probably be; `by` is what it waits for.
pub async fn probe<R, A, J>(
    pass: &Pass<'_, J>,
    id: &Identity,
    goal: &Goal<R::Desired>,
    actuator: &A,
    by: Kind,
) -> Outcome<R::Output>
where
    R: Resource<Output: Send + 'static>,
    A: Actuator<R>,
    J: IntentJournal,
{
    if *pass.stopping.borrow() {
        return Outcome::Interrupted;
    }
    if pass.ledger.kept::<Probed>(R::KIND, pass.clock.now()).is_some() {
        return Outcome::Blocked { by };
    }
    let tried = pass.ledger.attempts(R::KIND);
    let seen = match limited("look at", R::KIND.noun(), actuator.observe(id, &tried)).await {
        Ok(seen) => seen,
        Err(fault) => return pass.faulted::<R>(fault),
    };
    pass.ledger.answered(R::KIND);
    match R::decide(id, goal, &seen, pass.clock.now(), &tried) {
        Decision::Stuck { why, message, hint } => Outcome::Stuck { why, message, hint },
        Decision::InSync(_) | Decision::Gone | Decision::Act(_) | Decision::Wait { .. } => {
            pass.ledger.keep(R::KIND, Some(&Probed), pass.clock.now());
            Outcome::Blocked { by }
        }
    }
}

/// What a decision that asks for no action comes to.
fn rest<R, J>(pass: &Pass<'_, J>, decision: Decision<R::Action, R::Output>, changed: bool) -> Outcome<R::Output>
where
    R: Resource<Output: Send + 'static>,
    J: IntentJournal,
{
    let now = pass.clock.now();
    match decision {
        Decision::InSync(output) => {
            pass.ledger.reached(R::KIND);
            pass.ledger.keep(R::KIND, Some(&output), now);
            Outcome::InSync { output, changed }
        }
        Decision::Gone => {
            pass.ledger.reached(R::KIND);
            pass.ledger.keep::<R::Output>(R::KIND, None, now);
            Outcome::Gone
        }
        Decision::Wait { why, message, since, early } => {
            pass.ledger.took_effect(R::KIND);
            let remembered = pass.ledger.waits(R::KIND, why, &message, now);
            let since = since.unwrap_or(remembered);
            if why == Reason::Propagating && elapsed(remembered, now) >= PROPAGATION {
                return Outcome::Stuck { why, message, hint: propagation_hint() };
            }
            Outcome::Waiting { why, message, since, early }
        }
        Decision::Stuck { why, message, hint } => {
            pass.ledger.answered(R::KIND);
            Outcome::Stuck { why, message, hint }
        }
        Decision::Act(_) => {
            let message = format!("could not decide on a step for the {}", R::KIND.noun());
            pass.faulted::<R>(Fault::new(FaultKind::Unexpected, message))
        }
    }
}

/// Does the steps in order; `Some` ends the pass.
async fn act<R, A, J>(
    pass: &Pass<'_, J>,
    id: &Identity,
    actuator: &A,
    steps: &[Step<R::Action>],
    done: &mut BTreeSet<String>,
) -> Option<Outcome<R::Output>>
where
    R: Resource,
    A: Actuator<R>,
    J: IntentJournal,
{
    match pass.journal.stands().await {
        Ok(true) => {}
        // What has happened to it brings the next pass.
        Ok(false) => return Some(Outcome::Interrupted),
        Err(fault) => return Some(pass.faulted::<R>(fault)),
    }
    for step in steps {
        if *pass.stopping.borrow() {
            return Some(Outcome::Interrupted);
        }
        if let Some(outcome) = hold_back::<R, J>(pass, step, done) {
            return Some(outcome);
        }
        if let Some(intent) = &step.intent
            && !pass.ledger.intend(intent)
            && let Err(fault) = pass.journal.persist(pass.ledger).await
        {
            return Some(pass.faulted::<R>(fault));
        }
        match limited("", &step.summary, actuator.act(id, &step.action)).await {
            Ok(handles) => pass.ledger.learn(handles),
            Err(fault) => return Some(pass.faulted::<R>(fault)),
        }
        pass.note::<R>(step);
        done.insert(step.summary.clone());
    }
    None
}

/// Keeps an action from being repeated before its effect could show, and asks a person when it never does.
fn hold_back<R, J>(pass: &Pass<'_, J>, step: &Step<R::Action>, done: &BTreeSet<String>) -> Option<Outcome<R::Output>>
where
    R: Resource,
    J: IntentJournal,
{
    let act = pass.ledger.act(R::KIND, &step.summary)?;
    let age = elapsed(act.at, pass.clock.now());
    if done.contains(&step.summary) || age < SETTLING {
        return Some(unseen::<R>(step, act.at));
    }
    if act.passes < PASSES || age >= SLOW_RETRY {
        return None;
    }
    Some(Outcome::Stuck {
        why: Reason::ServerRewrites,
        message: format!("could not {}: it was done {PASSES} times and does not last", step.summary),
        hint: "find out what else changes it, or write the spec as the server keeps it".to_owned(),
    })
}

fn unseen<R: Resource>(step: &Step<R::Action>, since: Timestamp) -> Outcome<R::Output> {
    let message = format!("waits for this to show: {}", step.summary);
    Outcome::Waiting { why: step.because, message, since, early: None }
}

/// One look or one act, within its limit.
async fn limited<T>(verb: &str, what: &str, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(LIMIT, call).await {
        Ok(result) => result,
        Err(_) => {
            let attempt = format!("{verb} {what}");
            let message = format!("could not {}: no answer within {} s", attempt.trim(), LIMIT.as_secs());
            Err(Fault::new(FaultKind::Unavailable, message))
        }
    }
}

fn propagation_hint() -> String {
    "AWS usually needs seconds for this: check that the roles and principals named in the spec exist and may be used"
        .to_owned()
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
