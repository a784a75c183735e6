//! The tags of portfolio and product: whose they are, and how many there may be. Apart from what the two are otherwise, since
//! both are found and refused by their tags alike. It decides nothing else about them.

use std::collections::BTreeMap;

use super::{Action, Desired, Observed, ProvisioningTarget};
use crate::crd::status::Reason;
use crate::domain::external_resource::Decision;
use crate::domain::identity::{Identity, Owned, Ownership};
use crate::domain::problem::Problem;
use crate::domain::project::Project;

/// Most tags that a portfolio or product takes (Service Catalog administrator guide, quotas).
const MOST_TAGS: usize = 20;

/// The tags with those that say whose the resource is.
pub(super) fn marked(project: &Project, resource: Owned, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    tags.clone().into_iter().chain(project.identity.owner_tags(resource)).collect()
}

/// A portfolio or product that another installation made for an object of this name.
pub(super) fn claimed(id: &Identity, observed: &Observed) -> Option<Problem> {
    let claims = |resource, tags: &BTreeMap<_, _>| id.ownership(resource, tags) == Ownership::Claimed;
    let portfolio = observed.portfolio.as_ref().filter(|portfolio| claims(Owned::Portfolio, &portfolio.tags));
    let product = observed.product.as_ref().filter(|product| claims(Owned::Product, &product.tags));
    let what = match (portfolio, product) {
        (Some(portfolio), _) => format!("portfolio {} ({:?})", portfolio.id, portfolio.name),
        (None, Some(product)) => format!("product {} ({:?})", product.id, product.name),
        (None, None) => return None,
    };
    Some(Problem::claimed(&what))
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
