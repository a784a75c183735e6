//! Who may launch: exactly the operator's own role and the principals of the spec, since the portfolio is ours alone.

use std::collections::BTreeSet;

use super::partial_decision::PartialDecision;
use super::{Action, Observed};
use crate::crd::identifiers::PortfolioId;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Change, Step};
use crate::domain::platform::Principal;

pub(super) fn decide(wanted: &BTreeSet<Principal>, observed: &Observed) -> PartialDecision {
    let Some(portfolio) = &observed.portfolio else { return PartialDecision::default() };
    let added = wanted.difference(&observed.principals).map(|principal| {
        let action = Action::AddPrincipal { portfolio_id: portfolio.id.clone(), principal: principal.clone() };
        Step::new(action, Change::Create, Reason::Missing, format!("let {} launch", principal.arn))
    });
    let removed =
        observed.principals.difference(wanted).map(|principal| drop(&portfolio.id, principal, Reason::Drifted));
    PartialDecision::act(added.chain(removed).collect())
}

pub(super) fn remove(observed: &Observed) -> Vec<Step<Action>> {
    let Some(portfolio) = &observed.portfolio else { return Vec::new() };
    observed.principals.iter().map(|principal| drop(&portfolio.id, principal, Reason::Deleting)).collect()
}

fn drop(portfolio_id: &PortfolioId, principal: &Principal, reason: Reason) -> Step<Action> {
    let action = Action::RemovePrincipal { portfolio_id: portfolio_id.clone(), principal: principal.clone() };
    Step::new(action, Change::Delete, reason, format!("let {} launch no more", principal.arn))
}
