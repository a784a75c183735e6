//! The tags of portfolio and product: whose they are, and how many there may be. Apart from what the two are otherwise, since
//! both are found and refused by their tags alike. It decides nothing else about them.

use std::collections::BTreeMap;

use super::{Action, Desired, Observed, ProvisioningTarget};
use crate::crd::status::Reason;
use crate::domain::external_resource::Decision;
use crate::domain::identity::{Identity, Owned, Ownership};
use crate::domain::platform::Platform;
use crate::domain::problem::Problem;
use crate::domain::tags;

/// Most tags that a portfolio or product takes (Service Catalog administrator guide, quotas).
const MOST_TAGS: usize = 20;

/// The tags with those that say whose the resource is.
pub(super) fn marked(
    platform: &Platform,
    resource: Owned,
    tags: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    tags::recorded(resource, tags).into_iter().chain(platform.identity.owner_tags(resource)).collect()
}

/// A portfolio or product that another installation made for an object of this name, or that was made for this one and
/// carries another's mark now. Without a mark, only what is written down as ours is ever observed.
pub(super) fn not_ours(id: &Identity, observed: &Observed) -> Option<Problem> {
    let portfolio = observed.portfolio.as_ref().map(|portfolio| {
        let what = format!("portfolio {} ({:?})", portfolio.id, portfolio.name);
        (id.ownership(Owned::Portfolio, &portfolio.tags), what)
    });
    let product = observed.product.as_ref().map(|product| {
        let what = format!("product {} ({:?})", product.id, product.name);
        (id.ownership(Owned::Product, &product.tags), what)
    });
    portfolio.into_iter().chain(product).find_map(|(whose, what)| match whose {
        Ownership::Ours | Ownership::Unmarked => None,
        Ownership::Claimed => Some(Problem::claimed(&what)),
        Ownership::Foreign => Some(Problem::taken_over(&what)),
    })
}

/// Two portfolios or products carry our mark, and none of the two is written down: which of them is in use only a person
/// can tell.
pub(super) fn twins(observed: &Observed) -> Problem {
    let portfolio = observed.portfolio.iter().map(|portfolio| portfolio.id.as_str());
    let product = observed.product.iter().map(|product| product.id.as_str());
    let ids = portfolio.chain(product).chain(observed.twins.iter().map(String::as_str)).collect::<Vec<_>>().join(", ");
    Problem::new(
        Reason::OwnershipUnproven,
        format!(
            "more than one portfolio or product carries this object's mark, and the status does not say which is in use: {ids}"
        ),
        "restore the object's status, or delete the one that is not in use, or take the mlops-operator.io tags off it",
    )
}

/// What keeps a product from being tagged.
pub(super) fn too_many_tags(desired: &Desired) -> Option<Decision<Action, ProvisioningTarget>> {
    let count = desired.product.tags.len();
    (count > MOST_TAGS).then(|| {
        let own = desired.product.tags.len() - desired.product.user_tags();
        Decision::stuck(
            Reason::InvalidSpec,
            format!(
                "product \"{}\" would carry {count} tags, and Service Catalog allows {MOST_TAGS}",
                desired.product.name
            ),
            format!("remove tags from the spec: {own} of them are the operator's own"),
        )
    })
}
