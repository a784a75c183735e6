//! The only observe, decide, act loop; the only retries and the only time-outs of the operator. It decides nothing
//! about a resource itself: it bounds what `decide` asks for, and keeps an action without effect from being repeated.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::controller::converge::memory::ObjectMemory;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Actuator, Attempts, Decision, ExternalResource, Goal, Step, StepKey, Wait};
use crate::domain::fault::{Fault, FaultKind, PROPAGATION};
use crate::domain::identity::Identity;
use crate::domain::outcome::{AppliedStep, Outcome};
use crate::domain::problem::Problem;
use crate::domain::requeue::SLOW_RETRY;
use crate::domain::time::elapsed;

/// How often one reconcile observes one resource, at most.
const ROUNDS: usize = 30;
/// How long one observation or one act may take, all its calls together; each call has a shorter limit of its own.
const LIMIT: Duration = Duration::from_mins(3);
/// How long an action may need to show, since reads lag behind writes; before that it is not repeated.
const SETTLING: Duration = Duration::from_secs(15);
/// After how many reconciles with the same action and no effect a person is asked.
const RECONCILES: u32 = 2;

/// What a reconcile must know of its object before it acts.
pub trait IntentJournal: Send + Sync {
    /// Writes all intents of the memory into the object's status, before what they announce is done.
    fn persist(&self, memory: &ObjectMemory) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Whether the object is still the one that the reconcile began with: neither gone nor made anew nor, unlike then,
    /// being deleted. A cache may be behind, and another operator may have come in between.
    fn stands(&self) -> impl Future<Output = Result<bool, Fault>> + Send {
        std::future::ready(Ok(true))
    }
}

/// What all resources of one object share during one reconcile.
pub struct Scope<'a, J> {
    /// What is remembered of the object.
    pub memory: &'a ObjectMemory,
    pub clock: Clock,
    /// Where intents are written.
    pub journal: &'a J,
    /// True once the operator is stopping.
    pub stopping: watch::Receiver<bool>,
    pub applied: Mutex<Vec<AppliedStep>>,
}

impl<'a, J: IntentJournal> Scope<'a, J> {
    /// A reconcile that has done nothing yet.
    pub fn new(memory: &'a ObjectMemory, clock: Clock, journal: &'a J, stopping: watch::Receiver<bool>) -> Self {
        Self { memory, clock, journal, stopping, applied: Mutex::default() }
    }

    /// What was done so far.
    pub fn take_applied(&self) -> Vec<AppliedStep> {
        std::mem::take(&mut *self.applied.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note<R: ExternalResource>(&self, key: &StepKey, step: &Step<R::Action>) {
        self.memory.acted(R::KIND, key, step.clears_failed_creation, self.clock.now());
        let Step { change, reason, summary, .. } = step;
        let applied = AppliedStep { kind: R::KIND, change: *change, reason: *reason, summary: summary.clone() };
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).push(applied);
    }

    fn faulted<R: ExternalResource>(&self, fault: Fault) -> Outcome<R::Output> {
        let (now, policy) = (self.clock.now(), fault.kind.policy());
        if policy.waits_for.is_zero() {
            let since = self.memory.faulted(R::KIND, now);
            return Outcome::Faulted { fault, since };
        }
        let since = self.memory.propagates(R::KIND, now);
        if elapsed(since, now) < policy.waits_for {
            return Outcome::waiting(Wait::new("propagating", Reason::Propagating, fault.message), since);
        }
        let reason = if fault.reason == Reason::Propagating { Reason::Rejected } else { fault.reason };
        Outcome::Stuck(Problem::new(reason, fault.message, fault.hint.unwrap_or_else(propagation_hint)))
    }
}

/// Brings one resource to its goal as far as one reconcile can.
pub async fn converge<R, A, J>(
    scope: &Scope<'_, J>,
    id: &Identity,
    goal: &Goal<R::Desired>,
    actuator: &A,
) -> Outcome<R::Output>
where
    R: ExternalResource,
    A: Actuator<R>,
    J: IntentJournal,
{
    match (goal, scope.memory.kept::<R::Output>(R::KIND, scope.clock.now())) {
        (Goal::Present(_), Some(Some(output))) => return Outcome::InSync { output, changed: false },
        (Goal::Absent, Some(None)) => return Outcome::Gone,
        _ => {}
    }
    let mut done = BTreeSet::new();
    for _ in 0..ROUNDS {
        if *scope.stopping.borrow() {
            return Outcome::Interrupted;
        }
        let attempts = scope.memory.attempts(R::KIND);
        let observed = match limited("look at", R::KIND.noun(), actuator.observe(id, &attempts)).await {
            Ok(observed) => observed,
            Err(fault) => return scope.faulted::<R>(fault),
        };
        let now = scope.clock.now();
        scope.memory.saw(R::KIND, R::exists(&observed), now);
        scope.memory.sighted(R::KIND, &R::sightings(&observed), now);
        let attempts: Attempts = scope.memory.attempts(R::KIND);
        let steps = match R::decide(id, goal, &observed, now, &attempts) {
            Decision::Act(steps) if !steps.is_empty() => steps,
            decision => return without_steps::<R, J>(scope, decision, !done.is_empty()),
        };
        if let Some(outcome) = act::<R, A, J>(scope, id, actuator, &steps, &mut done).await {
            return outcome;
        }
    }
    let wait = Wait::new("more steps", Reason::Progressing, "it takes more steps than one reconcile may have");
    Outcome::waiting(wait, scope.clock.now())
}

/// Maps a decision without steps to an outcome.
fn without_steps<R, J>(
    scope: &Scope<'_, J>,
    decision: Decision<R::Action, R::Output>,
    changed: bool,
) -> Outcome<R::Output>
where
    R: ExternalResource,
    J: IntentJournal,
{
    let now = scope.clock.now();
    let left = if let Decision::GoneBut(left) = &decision { Some(left.clone()) } else { None };
    scope.memory.leaves(R::KIND, left);
    match decision {
        Decision::InSync(output) => {
            scope.memory.reached(R::KIND);
            scope.memory.keep(R::KIND, Some(&output), now);
            Outcome::InSync { output, changed }
        }
        Decision::Gone | Decision::GoneBut(_) => {
            scope.memory.reached(R::KIND);
            scope.memory.keep::<R::Output>(R::KIND, None, now);
            Outcome::Gone
        }
        Decision::Wait(wait) => {
            scope.memory.took_effect(R::KIND);
            if wait.reason == Reason::Propagating {
                let since = scope.memory.propagates(R::KIND, now);
                if elapsed(since, now) >= PROPAGATION {
                    return Outcome::Stuck(Problem::new(wait.reason, wait.message, propagation_hint()));
                }
                let since = wait.since.unwrap_or(since);
                return Outcome::waiting(wait, since);
            }
            let remembered = scope.memory.waits(R::KIND, wait.reason, wait.stage, now);
            let since = wait.since.unwrap_or(remembered);
            Outcome::waiting(wait, since)
        }
        Decision::Stuck(problem) => {
            scope.memory.answered(R::KIND);
            Outcome::Stuck(problem)
        }
        Decision::Act(_) => {
            let message = format!("could not decide on a step for the {}", R::KIND.noun());
            scope.faulted::<R>(Fault::new(FaultKind::Unexpected, message))
        }
    }
}

/// Does the steps in order; `Some` ends the reconcile of this resource.
async fn act<R, A, J>(
    scope: &Scope<'_, J>,
    id: &Identity,
    actuator: &A,
    steps: &[Step<R::Action>],
    done: &mut BTreeSet<StepKey>,
) -> Option<Outcome<R::Output>>
where
    R: ExternalResource,
    A: Actuator<R>,
    J: IntentJournal,
{
    match scope.journal.stands().await {
        Ok(true) => {}
        // What has happened to it brings the next reconcile.
        Ok(false) => return Some(Outcome::Interrupted),
        Err(fault) => return Some(scope.faulted::<R>(fault)),
    }
    for step in steps {
        if *scope.stopping.borrow() {
            return Some(Outcome::Interrupted);
        }
        let key = R::key(&step.action);
        if let Some(outcome) = hold_back::<R, J>(scope, &key, step, done) {
            return Some(outcome);
        }
        if let Some(intent) = &step.intent
            && !scope.memory.intend(intent)
            && let Err(fault) = scope.journal.persist(scope.memory).await
        {
            return Some(scope.faulted::<R>(fault));
        }
        match limited("", &step.summary, actuator.act(id, &step.action)).await {
            Ok(recorded_ids) => scope.memory.learn(recorded_ids),
            Err(fault) => return Some(scope.faulted::<R>(fault)),
        }
        scope.note::<R>(&key, step);
        done.insert(key);
    }
    None
}

/// Keeps an action from being repeated before its effect could show, and asks a person when it never does.
fn hold_back<R, J>(
    scope: &Scope<'_, J>,
    key: &StepKey,
    step: &Step<R::Action>,
    done: &BTreeSet<StepKey>,
) -> Option<Outcome<R::Output>>
where
    R: ExternalResource,
    J: IntentJournal,
{
    let act = scope.memory.act(R::KIND, key)?;
    let age = elapsed(act.at, scope.clock.now());
    if done.contains(key) || age < SETTLING {
        let message = format!("waits for this to show: {}", step.summary);
        return Some(Outcome::waiting(Wait::new("settling", step.reason, message), act.at));
    }
    if act.reconciles < RECONCILES || age >= SLOW_RETRY {
        return None;
    }
    Some(Outcome::Stuck(Problem::new(
        Reason::ChangesReverted,
        format!("could not {}: it was done {RECONCILES} times and does not last", step.summary),
        "find out what else changes it, or write the spec as the server keeps it",
    )))
}

/// One observation or one act, within its limit.
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
#[path = "engine_tests.rs"]
mod tests;
