//! The only observe, decide, act loop; the only retries and the only time-outs of the operator, but for the pages of shared
//! lists. It decides nothing about a resource itself: it bounds what `decide` asks for, and keeps an action without effect
//! from being repeated.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use tracing::Instrument;

use crate::adapters::budget::in_lane;
use crate::adapters::sharing::{sharing, sharing_within};
use crate::controller::converge::scope::{IntentJournal, Scope, propagation_hint};
use crate::crd::status::Reason;
use crate::domain::budget::Lane;
use crate::domain::external_resource::{
    Actuator, Amount, Attempts, Decision, Depth, ExternalResource, Glance, Goal, Step, StepKey, Wait,
};
use crate::domain::fault::{Fault, FaultKind, PROPAGATION};
use crate::domain::identity::Identity;
use crate::domain::outcome::Outcome;
use crate::domain::problem::Problem;
use crate::domain::requeue::{SLOW_RETRY, backoff, since_shallow_check};
use crate::domain::time::elapsed;
use crate::telemetry::spans;

/// How often one reconcile observes one resource, at most.
const ROUNDS: usize = 30;
/// After how long a resource that still finds something to do lets others have the worker.
const TURN: Duration = Duration::from_secs(30);
/// How long one observation or one act may take, all its calls together; each call has a shorter limit of its own.
const LIMIT: Duration = Duration::from_mins(3);
/// How long an action may need to show, since reads lag behind writes; before that it is not repeated.
const SETTLING: Duration = Duration::from_secs(15);
/// After how many reconciles with the same action and no effect a person is asked.
const RECONCILES: u32 = 2;
/// How long it may take until such an action is tried again; it begins with [`SLOW_RETRY`].
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

/// Brings one resource to its goal as far as one reconcile can. One that has asked for time rests until then, whatever
/// brought the reconcile: what was found of it last stands.
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
        (Goal::Present(desired), Some(Some(output))) => {
            glance_between::<R, A, J>(scope, id, desired, actuator).await;
            return Outcome::InSync { output, changed: false };
        }
        (Goal::Absent, Some(None)) => return Outcome::Gone,
        _ => {}
    }
    let wanted = matches!(goal, Goal::Present(_));
    if let Some(outcome) = scope.memory.resting::<Outcome<R::Output>>(R::KIND, wanted, scope.clock.now()) {
        return outcome;
    }
    let span = spans::resource(R::KIND.id(), scope.memory.pace(R::KIND).failures);
    let outcome = look_and_act::<R, A, J>(scope, id, goal, actuator).instrument(span.clone()).await;
    let (word, reason) = outcome.named();
    let is_error = matches!(outcome, Outcome::Stuck(_) | Outcome::Faulted { .. });
    spans::resource_ended(&span, word, reason.map(Reason::as_str), is_error);
    if !matches!(outcome, Outcome::InSync { .. } | Outcome::Gone) {
        scope.memory.distrust(R::KIND);
    }
    scope.rest::<R>(wanted, &outcome);
    outcome
}

/// Looks whether lists still show, standing well, what is taken for granted. Where they do not, everything is looked at soon:
/// that is for a deep check, which knows whose account it is before it acts.
async fn glance_between<R, A, J>(scope: &Scope<'_, J>, id: &Identity, desired: &R::Desired, actuator: &A)
where
    R: ExternalResource,
    A: Actuator<R>,
    J: IntentJournal,
{
    if !R::KIND.is_listed() || !scope.memory.is_glance_due(R::KIND, scope.clock.now()) {
        return;
    }
    let span = spans::resource(R::KIND.id(), scope.memory.pace(R::KIND).failures);
    let glance = Box::pin(glance::<R, A, J>(scope, id, desired, actuator, Depth::Standing));
    let glance = glance.instrument(span.clone()).await;
    spans::resource_ended(&span, "glanced", None, false);
    let now = scope.clock.now();
    if scope.memory.glanced(R::KIND, glance, now) {
        scope.memory.look_anew(now);
    }
}

/// What lists show that were asked for since it has been time for them. One that cannot be had says nothing: the observation
/// tells what is wrong.
async fn glance<R, A, J>(
    scope: &Scope<'_, J>,
    id: &Identity,
    desired: &R::Desired,
    actuator: &A,
    depth: Depth,
) -> Option<Glance>
where
    R: ExternalResource,
    A: Actuator<R>,
    J: IntentJournal,
{
    let glance = Box::pin(limited("glance at", R::KIND.noun(), actuator.glance(id, desired, depth)));
    let shared = sharing_within(since_shallow_check(scope.clock.now()), glance);
    // Whoever waits, the list is for all, and a long one must not hold up an operator that stops.
    let mut stopping = scope.stopping.clone();
    let routine = Box::pin(in_lane(Lane::Routine, scope.stopping.clone(), shared));
    let found = tokio::select! {
        biased;
        Ok(_) = stopping.wait_for(|stop| *stop) => return None,
        (found, _) = routine => found,
    };
    found.ok().flatten()
}

async fn look_and_act<R, A, J>(
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
    let mut done = BTreeSet::new();
    let mut may_share = scope.may_share;
    if let (true, true, Goal::Present(desired)) = (may_share, R::KIND.is_listed(), goal) {
        let glance = glance::<R, A, J>(scope, id, desired, actuator, Depth::Whole).await;
        if let Some(output) = scope.memory.confirmed(R::KIND, glance, scope.clock.now()) {
            return Outcome::InSync { output, changed: false };
        }
    }
    // Waiting for lists is no work on the resource.
    let begun = scope.clock.now();
    for _ in 0..ROUNDS {
        if elapsed(begun, scope.clock.now()) >= TURN {
            break;
        }
        if *scope.stopping.borrow() {
            return Outcome::Interrupted;
        }
        let attempts = scope.memory.attempts(R::KIND);
        // A look's future is large, and lies in several futures around it.
        let look = Box::pin(limited("look at", R::KIND.noun(), actuator.observe(id, &attempts)));
        let (observed, was_shared) = if may_share { sharing(look).await } else { (look.await, false) };
        may_share = false;
        let observed = match observed {
            Ok(observed) => observed,
            Err(fault) => return scope.faulted::<R>(fault),
        };
        let now = scope.clock.now();
        // What others were told some minutes ago says that all is as it was, or nothing.
        if was_shared && !matches!(R::decide(id, goal, &observed, now, &attempts), Decision::InSync(_)) {
            continue;
        }
        scope.memory.saw(R::KIND, R::exists(&observed), now);
        scope.memory.sighted(R::KIND, &R::sightings(&observed), now);
        scope.memory.noticed(R::KIND, &R::notices(&observed), now);
        scope.memory.left_behind(R::KIND, R::left_behind(&observed));
        let attempts: Attempts = scope.memory.attempts(R::KIND);
        let steps = match R::decide(id, goal, &observed, now, &attempts) {
            Decision::Act(steps) if !steps.is_empty() => steps,
            decision => return without_steps::<R, J>(scope, decision, !done.is_empty()),
        };
        if let Some(outcome) = act::<R, A, J>(scope, id, actuator, &steps, &mut done).await {
            return outcome;
        }
    }
    more_to_do::<R, J>(scope)
}

/// There is more to do than one reconcile may.
fn more_to_do<R, J>(scope: &Scope<'_, J>) -> Outcome<R::Output>
where
    R: ExternalResource,
    J: IntentJournal,
{
    let message = match scope.memory.removed(R::KIND, Amount::default()).words() {
        None => "it takes more steps than one reconcile may have".to_owned(),
        Some(removed) => format!("deleted {removed} so far, and there are more"),
    };
    let (now, wait) = (scope.clock.now(), Wait::new("more steps", Reason::Progressing, message));
    Outcome::waiting(
        match scope.memory.unfinished(R::KIND) {
            0 => wait,
            failures => wait.until(now.saturating_add(backoff(failures, scope.chance)).unwrap_or(now)),
        },
        now,
    )
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
            scope.memory.made(R::KIND);
            let passing = R::remark(&output).is_some_and(|remark| remark.passing);
            scope.memory.keep(R::KIND, Some(&output), passing, now);
            Outcome::InSync { output, changed }
        }
        Decision::Gone | Decision::GoneBut(_) => {
            scope.memory.reached(R::KIND);
            scope.memory.keep::<R::Output>(R::KIND, None, false, now);
            Outcome::Gone
        }
        Decision::Wait(wait) => {
            if wait.reason == Reason::Propagating {
                let since = scope.memory.propagates(R::KIND, now);
                if elapsed(since, now) >= PROPAGATION {
                    return Outcome::Stuck(Problem::new(wait.reason, wait.message, propagation_hint()));
                }
                return Outcome::waiting(scope.backing_off::<R>(wait, since), since);
            }
            let remembered = scope.memory.waits(R::KIND, wait.reason, wait.stage, now);
            let since = wait.since.unwrap_or(remembered);
            Outcome::waiting(wait, since)
        }
        Decision::Stuck(problem) => {
            scope.memory.stuck(R::KIND, problem.reason, now);
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
    let pause = pause(act.reconciles);
    // What failed is counted by itself, and says why.
    if age >= pause || step.retries_failure || step.clears_failed_creation {
        return None;
    }
    let problem = Problem::new(
        Reason::ChangesReverted,
        format!("could not {}: it was done more than once and does not last", step.summary),
        "find out what else changes it, or write the spec as the server keeps it; it is done again ever more slowly",
    );
    Some(Outcome::Stuck(problem.until(act.at.saturating_add(pause).unwrap_or(act.at))))
}

/// How long an action is left alone that was done so often without a lasting effect.
fn pause(times: u32) -> Duration {
    match times.checked_sub(RECONCILES) {
        None => Duration::ZERO,
        Some(more) => SLOW_RETRY.saturating_mul(2_u32.saturating_pow(more)).min(LONGEST_PAUSE),
    }
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

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
