//! The product's place in the portfolio.

use super::partial_decision::PartialDecision;
use super::{Action, Observed, ProvisioningStatus};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Change, Step};

pub(super) fn decide(observed: &Observed) -> PartialDecision {
    // A product that is still being created is not known to portfolios yet.
    let product = observed.product.as_ref().filter(|product| product.provisioning_status == ProvisioningStatus::Ready);
    let (Some(portfolio), Some(product)) = (&observed.portfolio, product) else { return PartialDecision::default() };
    if observed.associated {
        return PartialDecision::default();
    }
    let action = Action::Associate { portfolio_id: portfolio.id.clone(), product_id: product.id.clone() };
    let summary = format!("put product {} into portfolio {}", product.id, portfolio.id);
    PartialDecision::act(vec![Step::new(action, Change::Create, Reason::Missing, summary)])
}

pub(super) fn remove(observed: &Observed) -> Option<Step<Action>> {
    let (Some(portfolio), Some(product), true) = (&observed.portfolio, &observed.product, observed.associated) else {
        return None;
    };
    let action = Action::Disassociate { portfolio_id: portfolio.id.clone(), product_id: product.id.clone() };
    let summary = format!("take product {} out of portfolio {}", product.id, portfolio.id);
    Some(Step::new(action, Change::Delete, Reason::Deleting, summary))
}
