//! The portfolio: ours alone, found by its owner tag.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::verdict::{Verdict, make, remember, step, surplus, tags_differ};
use super::{Action, Observed, thing};
use crate::crd::status::Reason;
use crate::domain::resource::{Attempts, Change, Step};

/// The portfolio as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Portfolio {
    pub name: String,
    pub provider: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

/// The portfolio as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenPortfolio {
    pub id: String,
    pub name: String,
    pub provider: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

pub(super) fn decide(wanted: &Portfolio, seen: Option<&SeenPortfolio>, now: Timestamp, tried: &Attempts) -> Verdict {
    let Some(seen) = seen else {
        let summary = format!("create portfolio \"{}\"", wanted.name);
        return make(thing::PORTFOLIO, now, tried, summary, |n| Action::CreatePortfolio {
            n,
            portfolio: wanted.clone(),
        });
    };
    let mut steps: Vec<_> = remember(thing::PORTFOLIO, &seen.id, tried).into_iter().collect();
    let drifted = [
        ("name", wanted.name != seen.name),
        ("provider name", wanted.provider != seen.provider),
        ("description", wanted.description != seen.description),
        ("tags", tags_differ(&wanted.tags, &seen.tags)),
    ];
    let drifted: Vec<_> = drifted.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    if !drifted.is_empty() {
        let action = Action::UpdatePortfolio {
            id: seen.id.clone(),
            portfolio: wanted.clone(),
            remove_tags: surplus(&wanted.tags, &seen.tags),
        };
        let summary = format!("update portfolio \"{}\": {}", wanted.name, drifted.join(", "));
        steps.push(step(action, Change::Update, Reason::Drifted, summary));
    }
    Verdict::act(steps)
}

pub(super) fn remove(seen: &Observed) -> Option<Step<Action>> {
    seen.portfolio.as_ref().map(|portfolio| {
        let summary = format!("delete portfolio \"{}\"", portfolio.name);
        step(Action::DeletePortfolio { id: portfolio.id.clone() }, Change::Delete, Reason::Deleting, summary)
    })
}
