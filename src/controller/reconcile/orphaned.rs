//! What is left behind when an object is let go without proof: the last trace of it, so it names each resource and where
//! it is. It decides whether there is anything left to wait for, and observes nothing itself.

use jiff::Timestamp;

use super::summary::ReconcileSummary;
use super::{Ending, Reconciled};
use crate::controller::object::RELEASE;
use crate::crd::status::MlopsProjectStatus;
use crate::domain::outcome::{Outcome, ReconcileResult};

/// The same reconcile for an object on which the annotation that lets it go is or is not: with it, the object goes once
/// all that can be removed is gone, and the rest needs a person or depends on what does.
pub(super) fn let_go(
    mut reconciled: Reconciled,
    asked: Result<bool, String>,
    status: &MlopsProjectStatus,
    now: Timestamp,
) -> Reconciled {
    if reconciled.ending != Ending::Stays {
        return reconciled;
    }
    match asked {
        Ok(true) => {}
        Ok(false) => return reconciled,
        Err(ignored) => {
            let result = reconciled.result.with_messages(|text| format!("{text} ({ignored})"));
            return Reconciled { result, ..reconciled };
        }
    }
    let left = match &reconciled.result {
        ReconcileResult::Refused(problem) => Some(format!("everything, since {}", problem.message)),
        ReconcileResult::Observed { .. } => left_behind(&reconciled.summary, status, now),
        ReconcileResult::Suspended { .. } => None,
    };
    if let Some(left) = left {
        reconciled.ending = Ending::Released(format!("let go by the annotation {RELEASE}; left: {left}"));
    }
    reconciled
}

/// The resources that are left, for people; `None`: something may still go by itself.
fn left_behind(summary: &ReconcileSummary, status: &MlopsProjectStatus, now: Timestamp) -> Option<String> {
    let outcomes = summary.outcomes();
    let stays = |outcome: &Outcome| matches!(outcome, Outcome::Blocked { .. }) || outcome.needs_intervention(now);
    if !outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Gone || stays(outcome)) {
        return None;
    }
    let left = outcomes.iter().filter(|(_, outcome)| stays(outcome));
    Some(left.filter_map(|(kind, _)| summary.whereabouts(*kind, status)).collect::<Vec<_>>().join("; "))
}
