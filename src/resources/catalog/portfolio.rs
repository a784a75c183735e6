//! The portfolio: ours alone, found by its owner tag.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::partial_decision::{PartialDecision, make, remember};
use super::{Action, Observed, resource_name};
use crate::crd::identifiers::PortfolioId;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Change, Step};
use crate::domain::identity::Owned;
use crate::domain::tags;

/// The portfolio as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Portfolio {
    pub name: String,
    pub provider: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

/// The portfolio as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedPortfolio {
    pub id: PortfolioId,
    pub name: String,
    pub provider: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

pub(super) fn decide(
    wanted: &Portfolio,
    observed: Option<&ObservedPortfolio>,
    now: Timestamp,
    attempts: &Attempts,
) -> PartialDecision {
    let Some(observed) = observed else {
        let summary = format!("create portfolio \"{}\"", wanted.name);
        return make(resource_name::PORTFOLIO, now, attempts, summary, |n| Action::CreatePortfolio {
            n,
            portfolio: wanted.clone(),
        });
    };
    let mut steps: Vec<_> = remember(resource_name::PORTFOLIO, &observed.id, attempts).into_iter().collect();
    let drifted = [
        ("name", wanted.name != observed.name),
        ("provider name", wanted.provider != observed.provider),
        ("description", wanted.description != observed.description),
        ("tags", tags::differ(Owned::Portfolio, &wanted.tags, &observed.tags)),
    ];
    let drifted: Vec<_> = drifted.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    if !drifted.is_empty() {
        let action = Action::UpdatePortfolio {
            id: observed.id.clone(),
            portfolio: wanted.clone(),
            remove_tags: tags::outlived(Owned::Portfolio, &wanted.tags, &observed.tags).into_iter().collect(),
        };
        let summary = format!("update portfolio \"{}\": {}", wanted.name, drifted.join(", "));
        steps.push(Step::new(action, Change::Update, Reason::Drifted, summary));
    }
    PartialDecision::act(steps)
}

pub(super) fn remove(observed: &Observed) -> Option<Step<Action>> {
    observed.portfolio.as_ref().map(|portfolio| {
        let summary = format!("delete portfolio \"{}\"", portfolio.name);
        Step::new(Action::DeletePortfolio { id: portfolio.id.clone() }, Change::Delete, Reason::Deleting, summary)
    })
}
