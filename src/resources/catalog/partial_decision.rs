//! How the sub-decisions speak: a partial decision each, put together into one decision; when a resource may be made and under
//! which number; when its id is written down. Apart from the resource itself since all sub-decisions share it.

use jiff::Timestamp;

use super::{Action, LAG, ProvisioningTarget};
use crate::crd::status::{Intent, Reason};
use crate::domain::external_resource::{Attempts, Change, Decision, Step, Wait};
use crate::domain::problem::Problem;
use crate::domain::requeue::rests_until;
use crate::domain::time::elapsed;

pub(super) fn long_enough(since: Option<&Timestamp>, now: Timestamp) -> bool {
    since.is_some_and(|since| elapsed(*since, now) >= LAG)
}

/// Until when a creation that has failed is not tried again; `None`: it is time, or somebody has asked for it. AWS does not
/// say when it failed, so the first is cleared away at once.
pub(super) fn rests(now: Timestamp, attempts: &Attempts) -> Option<Timestamp> {
    let last = attempts.last_failed_creation.filter(|_| !attempts.asked_anew && attempts.failed_creations > 0)?;
    rests_until(attempts.failed_creations, last, now)
}

/// What the sub-decisions come to: steps first, then what a person must change, then what to wait for.
#[derive(Default)]
pub(super) struct PartialDecision {
    pub(super) steps: Vec<Step<Action>>,
    pub(super) stuck: Option<Problem>,
    pub(super) wait: Option<Wait<ProvisioningTarget>>,
}

impl PartialDecision {
    pub(super) fn act(steps: Vec<Step<Action>>) -> Self {
        Self { steps, ..Self::default() }
    }

    pub(super) fn wait(stage: &'static str, reason: Reason, message: String) -> Self {
        Self { wait: Some(Wait::new(stage, reason, message)), ..Self::default() }
    }

    pub(super) fn stuck(problem: Problem) -> Self {
        Self { stuck: Some(problem), ..Self::default() }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.stuck = self.stuck.take().or(other.stuck);
        self.wait = self.wait.take().or(other.wait);
    }

    pub(super) fn unfinished(self) -> Option<Decision<Action, ProvisioningTarget>> {
        if !self.steps.is_empty() {
            return Some(Decision::Act(self.steps));
        }
        self.stuck.map(Decision::Stuck).or_else(|| self.wait.map(Decision::Wait))
    }
}

/// Whether a resource that was not seen may be made, and under which number.
enum Turn {
    Create(i32),
    /// It was made under this id, which is not seen yet, or no more.
    Prove(String),
}

/// `n` stays while its resource may still exist: the same token leads to the same resource. It rises once the resource is gone.
fn turn(resource: &str, now: Timestamp, attempts: &Attempts) -> Turn {
    match attempts.intent(resource) {
        None => Turn::Create(0),
        Some(Intent { n, id: None, .. }) => Turn::Create(*n),
        Some(Intent { n, id: Some(id), .. }) if long_enough(attempts.missing_since.get(id), now) => Turn::Create(n + 1),
        Some(Intent { id: Some(id), .. }) => Turn::Prove(id.clone()),
    }
}

/// The step, or the wait, that leads to a resource that was not seen.
pub(super) fn make(
    resource: &str,
    now: Timestamp,
    attempts: &Attempts,
    summary: String,
    action: impl FnOnce(i32) -> Action,
) -> PartialDecision {
    match turn(resource, now, attempts) {
        Turn::Create(n) => {
            let intent = Intent { resource: resource.to_owned(), n, id: None };
            let step = Step::new(action(n), Change::Create, Reason::Missing, summary);
            PartialDecision::act(vec![step.with_intent(intent)])
        }
        Turn::Prove(id) => PartialDecision::wait(
            "confirming absence",
            Reason::ConfirmingAbsence,
            format!("{id} is not found: looking once more before it counts as gone"),
        ),
    }
}

/// The step that writes down the id of a resource that was found without its help, so that it is found at once next time.
pub(super) fn remember(resource: &'static str, id: &str, attempts: &Attempts) -> Option<Step<Action>> {
    let intent = attempts.to_record(resource, id)?;
    let action = Action::Remember { resource, id: id.to_owned() };
    let step = Step::new(action, Change::Update, Reason::Drifted, format!("write down that {id} is ours"));
    Some(step.with_intent(intent))
}
