//! Who may launch: exactly the operator's own role and the principals of the spec, since the portfolio is ours alone.

use std::collections::BTreeSet;

use super::verdict::{Verdict, step};
use super::{Action, Observed};
use crate::crd::status::Reason;
use crate::domain::project::Principal;
use crate::domain::resource::{Change, Step};

pub(super) fn decide(wanted: &BTreeSet<Principal>, seen: &Observed) -> Verdict {
    let Some(portfolio) = &seen.portfolio else { return Verdict::default() };
    let added = wanted.difference(&seen.principals).map(|principal| {
        let action = Action::AddPrincipal { portfolio_id: portfolio.id.clone(), principal: principal.clone() };
        step(action, Change::Create, Reason::Missing, format!("let {} launch", principal.arn))
    });
    let removed = seen.principals.difference(wanted).map(|principal| drop(&portfolio.id, principal, Reason::Drifted));
    Verdict::act(added.chain(removed).collect())
}

pub(super) fn remove(seen: &Observed) -> Vec<Step<Action>> {
    let Some(portfolio) = &seen.portfolio else { return Vec::new() };
    seen.principals.iter().map(|principal| drop(&portfolio.id, principal, Reason::Deleting)).collect()
}

fn drop(portfolio_id: &str, principal: &Principal, because: Reason) -> Step<Action> {
    let action = Action::RemovePrincipal { portfolio_id: portfolio_id.to_owned(), principal: principal.clone() };
    step(action, Change::Delete, because, format!("let {} launch no more", principal.arn))
}
