//! States of the project that ask for the same whether it is wanted or not: a deletion that failed, and a status that the
//! operator does not know. Apart from `present` and `absent` since both need them.

use jiff::Timestamp;

use super::{Action, ObservedProject, Provisioned, Status};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Change, Decision, Step};
use crate::domain::problem::Problem;
use crate::domain::requeue::rests_until;

type Move = Decision<Action, Provisioned>;

/// What failed and why, for people.
pub(super) fn told(what: &str, cause: &str) -> String {
    if cause.is_empty() { format!("{what}, and AWS gives no cause") } else { format!("{what}: {cause}") }
}

pub(super) fn delete(name: &str, reason: Reason) -> Step<Action> {
    Step::new(Action::Delete, Change::Delete, reason, format!("delete SageMaker project {name:?}"))
}

/// A deletion that failed is tried again slowly: what is in the way must go first.
pub(super) fn delete_failed(name: &str, project: &ObservedProject, now: Timestamp, attempts: &Attempts) -> Move {
    let Some(until) = rests(project, attempts.failed_changes + 1, now).filter(|_| !attempts.asked_anew) else {
        return Decision::Act(vec![delete(name, Reason::ProjectDeleteFailed).retrying_failure()]);
    };
    let problem = Problem::new(
        Reason::ProjectDeleteFailed,
        told(&format!("SageMaker could not delete the project {name:?}"), &project.cause),
        "remove what is in the way (the launch role must still exist); the operator tries again by itself, ever more slowly",
    );
    Decision::Stuck(problem.until(until))
}

/// Until when an operation that has failed so often in a row is left alone; `None`: it is time.
pub(super) fn rests(project: &ObservedProject, failures: u32, now: Timestamp) -> Option<Timestamp> {
    rests_until(failures, project.modified, now)
}

/// A status that AWS has added since.
pub(super) fn unknown(name: &str, project: &ObservedProject) -> Move {
    let status = match &project.status {
        Status::Unknown(status) => status.as_str(),
        _ => "a status that contradicts itself",
    };
    Decision::stuck(
        Reason::Unexpected,
        format!("the SageMaker project {name:?} is in status {status}, which the operator does not know"),
        "look at the project in the AWS console, and upgrade the operator",
    )
}
