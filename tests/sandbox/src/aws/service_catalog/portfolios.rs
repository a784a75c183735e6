//! Portfolios: the shelves that products are put on and that principals are let at.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kept, State, input, moment, tag_list};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// AWS's quota of portfolios per account and region.
const MOST: usize = 100;

/// A portfolio.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Portfolio {
    pub arn: String,
    pub display_name: String,
    pub provider_name: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

/// The portfolio as `PortfolioDetail`.
pub(super) fn detail(id: &str, kept: &Kept<Portfolio>, portfolio: &Portfolio) -> Value {
    json!({
        "Id": id,
        "ARN": portfolio.arn,
        "DisplayName": portfolio.display_name,
        "ProviderName": portfolio.provider_name,
        "Description": portfolio.description,
        "CreatedTime": moment(kept.created),
    })
}

/// `ResourceNotFoundException` for a portfolio.
pub(super) fn missing(id: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Portfolio {id} not found."))
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let tags = input::tags(call, "Tags", 20)?;
    let (now, id) = (world.now, format!("port-{}", world.ids.next(13)));
    let arn = super::arn(call, "portfolio", &id);
    let state = super::state(world, call);
    if state.portfolios.values().filter(|kept| kept.truth().is_some()).count() >= MOST {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("You have reached the limit of {MOST} portfolios."),
        ));
    }
    let portfolio = Portfolio {
        arn,
        display_name: call.text("DisplayName").to_owned(),
        provider_name: call.text("ProviderName").to_owned(),
        description: call.text("Description").to_owned(),
        tags,
    };
    let kept = Kept::new(portfolio.clone(), now);
    let answer = json!({"PortfolioDetail": detail(&id, &kept, &portfolio), "Tags": tag_list(&portfolio.tags)});
    state.portfolios.insert(id, kept);
    Ok(answer)
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, id) = (world.now, world.settings.read_after_write, call.text("Id"));
    let state = super::state(world, call);
    let kept = state.portfolios.get(id).ok_or_else(|| missing(id))?;
    let portfolio = kept.seen(now, delay).ok_or_else(|| missing(id))?;
    Ok(
        json!({"PortfolioDetail": detail(id, kept, portfolio), "Tags": tag_list(&portfolio.tags), "TagOptions": [], "Budgets": []}),
    )
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, id) = (world.now, world.settings.read_after_write, call.text("Id"));
    let state = super::state(world, call);
    let kept = state.portfolios.get_mut(id).ok_or_else(|| missing(id))?;
    let mut portfolio = kept.truth().ok_or_else(|| missing(id))?.clone();
    portfolio.tags = input::retag(call, &portfolio.tags)?;
    for (member, field) in [
        ("DisplayName", &mut portfolio.display_name),
        ("ProviderName", &mut portfolio.provider_name),
        ("Description", &mut portfolio.description),
    ] {
        if let Some(text) = call.input[member].as_str() {
            *field = text.to_owned();
        }
    }
    kept.change(now, delay, |value| *value = portfolio.clone());
    Ok(json!({"PortfolioDetail": detail(id, kept, &portfolio), "Tags": tag_list(&portfolio.tags)}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, id) = (world.now, call.text("Id"));
    let state = super::state(world, call);
    if state.portfolios.get(id).and_then(Kept::truth).is_none() {
        return Err(missing(id));
    }
    if let Some(what) = in_the_way(state, id) {
        return Err(Refusal::new("ResourceInUseException", format!("Portfolio {id} still has associated {what}")));
    }
    if let Some(kept) = state.portfolios.get_mut(id) {
        kept.delete(now);
    }
    Ok(json!({}))
}

/// What keeps a portfolio from being deleted.
fn in_the_way(state: &State, id: &str) -> Option<&'static str> {
    let alive = |portfolio: &str, gone: bool| portfolio == id && !gone;
    if state.constraints.values().any(|kept| alive(&kept.last().portfolio_id, kept.truth().is_none())) {
        Some("Constraints")
    } else if state.principals.iter().any(|(key, kept)| alive(&key.0, kept.truth().is_none())) {
        Some("Principals")
    } else if state.associations.iter().any(|(key, kept)| alive(&key.0, kept.truth().is_none())) {
        Some("Products")
    } else {
        None
    }
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag) = (world.now, world.settings.list_lag);
    let state = super::state(world, call);
    let all = state
        .portfolios
        .iter()
        .filter_map(|(id, kept)| kept.listed(now, lag).map(|portfolio| detail(id, kept, portfolio)));
    let (page, next) = input::page(call, all.collect(), 100)?;
    Ok(json!({"PortfolioDetails": page, "NextPageToken": next}))
}
