//! Which product stands in which portfolio. Constraints and launch paths hang on it.

use serde_json::json;

use super::{Kept, input, portfolios, products};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// AWS's quota of products per portfolio.
const MOST: usize = 150;

/// `ResourceNotFoundException` for a product that is not in a portfolio.
pub(super) fn missing(portfolio: &str, product: &str) -> Refusal {
    Refusal::new(
        "ResourceNotFoundException",
        format!("Product {product} is not associated with portfolio {portfolio}."),
    )
}

pub(super) fn associate(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let (portfolio, product) = (call.text("PortfolioId"), call.text("ProductId"));
    let path = format!("lpv2-{}", world.ids.next(13));
    let state = super::state(world, call);
    state
        .portfolios
        .get(portfolio)
        .and_then(|kept| kept.seen(now, delay))
        .ok_or_else(|| portfolios::missing(portfolio))?;
    state.products.get(product).and_then(|kept| kept.seen(now, delay)).ok_or_else(|| products::missing(product))?;
    let held = state.associations.iter().filter(|(key, kept)| key.0 == portfolio && kept.truth().is_some()).count();
    let key = (portfolio.to_owned(), product.to_owned());
    if state.associations.get(&key).and_then(Kept::truth).is_some() {
        return Ok(json!({}));
    }
    if held >= MOST {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("Portfolio {portfolio} has reached the limit of {MOST} products."),
        ));
    }
    state.associations.insert(key, Kept::new(path, now));
    Ok(json!({}))
}

pub(super) fn disassociate(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, portfolio, product) = (world.now, call.text("PortfolioId"), call.text("ProductId"));
    let state = super::state(world, call);
    let pair = (portfolio.to_owned(), product.to_owned());
    if state.associations.get(&pair).and_then(Kept::truth).is_none() {
        return Err(missing(portfolio, product));
    }
    let constrained = state
        .constraints
        .values()
        .filter_map(Kept::truth)
        .any(|constraint| constraint.portfolio_id == portfolio && constraint.product_id == product);
    if constrained {
        return Err(Refusal::new(
            "ResourceInUseException",
            format!("Product {product} in portfolio {portfolio} still has associated Constraints"),
        ));
    }
    if let Some(kept) = state.associations.get_mut(&pair) {
        kept.delete(now);
    }
    Ok(json!({}))
}

pub(super) fn portfolios_of(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, lag) = (world.now, world.settings.read_after_write, world.settings.list_lag);
    let product = call.text("ProductId");
    let state = super::state(world, call);
    state.products.get(product).and_then(|kept| kept.seen(now, delay)).ok_or_else(|| products::missing(product))?;
    let held = state.associations.iter().filter(|(key, kept)| key.1 == product && kept.listed(now, lag).is_some());
    let details = held.filter_map(|(key, _)| {
        let kept = state.portfolios.get(&key.0)?;
        Some(portfolios::detail(&key.0, kept, kept.last()))
    });
    let (page, next) = input::page(call, details.collect(), 100)?;
    Ok(json!({"PortfolioDetails": page, "NextPageToken": next}))
}
