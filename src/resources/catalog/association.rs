//! The product's place in the portfolio.

use super::verdict::{Verdict, step};
use super::{Action, Observed, Standing};
use crate::crd::status::Reason;
use crate::domain::resource::{Change, Step};

pub(super) fn decide(seen: &Observed) -> Verdict {
    // A product that is still being created is not known to portfolios yet.
    let product = seen.product.as_ref().filter(|product| product.standing == Standing::Ready);
    let (Some(portfolio), Some(product)) = (&seen.portfolio, product) else { return Verdict::default() };
    if seen.associated {
        return Verdict::default();
    }
    let action = Action::Associate { portfolio_id: portfolio.id.clone(), product_id: product.id.clone() };
    let summary = format!("put product {} into portfolio {}", product.id, portfolio.id);
    Verdict::act(vec![step(action, Change::Create, Reason::Missing, summary)])
}

pub(super) fn remove(seen: &Observed) -> Option<Step<Action>> {
    let (Some(portfolio), Some(product), true) = (&seen.portfolio, &seen.product, seen.associated) else { return None };
    let action = Action::Disassociate { portfolio_id: portfolio.id.clone(), product_id: product.id.clone() };
    let summary = format!("take product {} out of portfolio {}", product.id, portfolio.id);
    Some(step(action, Change::Delete, Reason::Deleting, summary))
}
