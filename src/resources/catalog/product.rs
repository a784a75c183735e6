//! The product: what users see in Studio. It carries the tag that makes it visible there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::partial_decision::{PartialDecision, make, remember, rests};
use super::{Action, Desired, Observed, ProvisioningStatus, association, constraint, resource_name};
use crate::crd::identifiers::ProductId;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Change, Step};
use crate::domain::identity::{CLUSTER_TAG, OBJECT_TAG, Owned};
use crate::domain::platform::Catalog;
use crate::domain::problem::Problem;
use crate::domain::tags;

/// Studio lists a product among the organization's templates only with this tag (AWS docs,
/// sagemaker-projects-templates-custom).
const VISIBILITY: (&str, &str) = ("sagemaker:studio-visibility", "true");

/// The product as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Product {
    pub name: String,
    pub owner: String,
    pub description: String,
    pub support_description: String,
    pub support_email: String,
    pub support_url: String,
    pub tags: BTreeMap<String, String>,
}

impl Product {
    pub(super) fn desired(catalog: &Catalog, mut tags: BTreeMap<String, String>) -> Self {
        tags.insert(VISIBILITY.0.to_owned(), VISIBILITY.1.to_owned());
        Self {
            name: catalog.product_name.clone(),
            owner: catalog.product_owner.clone(),
            description: catalog.product_description.clone(),
            support_description: catalog.support_description.clone(),
            support_email: catalog.support_email.clone(),
            support_url: catalog.support_url.clone(),
            tags,
        }
    }

    /// How many of the tags come from the spec.
    pub(super) fn user_tags(&self) -> usize {
        let (mark, record) = (Owned::Product.tag(), Owned::Product.record_tag());
        let own = [VISIBILITY.0, &mark, &record, OBJECT_TAG, CLUSTER_TAG];
        self.tags.keys().filter(|key| !own.contains(&key.as_str())).count()
    }
}

/// The product as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedProduct {
    pub id: ProductId,
    pub provisioning_status: ProvisioningStatus,
    pub name: String,
    pub owner: String,
    pub description: String,
    pub support_description: String,
    pub support_email: String,
    pub support_url: String,
    pub tags: BTreeMap<String, String>,
}

pub(super) fn decide(desired: &Desired, observed: &Observed, now: Timestamp, attempts: &Attempts) -> PartialDecision {
    let wanted = &desired.product;
    let Some(product) = &observed.product else {
        let summary = format!("create product \"{}\"", wanted.name);
        let action = |n| Action::CreateProduct { n, product: wanted.clone(), version: desired.version.clone() };
        return make(resource_name::PRODUCT, now, attempts, summary, action);
    };
    match product.provisioning_status {
        ProvisioningStatus::Failed => return failed(product, observed, now, attempts),
        ProvisioningStatus::Creating => {
            let mut partial = PartialDecision::wait(
                "creating product",
                Reason::Progressing,
                format!("creating product \"{}\"", wanted.name),
            );
            partial.steps.extend(remember(resource_name::PRODUCT, &product.id, attempts));
            return partial;
        }
        ProvisioningStatus::Ready => {}
    }
    let mut steps: Vec<_> = remember(resource_name::PRODUCT, &product.id, attempts).into_iter().collect();
    steps.extend(update(wanted, product));
    PartialDecision::act(steps)
}

fn update(wanted: &Product, observed: &ObservedProduct) -> Option<Step<Action>> {
    let fields = [
        ("name", wanted.name != observed.name),
        ("owner", wanted.owner != observed.owner),
        ("description", wanted.description != observed.description),
        ("support description", wanted.support_description != observed.support_description),
        ("support email", wanted.support_email != observed.support_email),
        ("support URL", wanted.support_url != observed.support_url),
        ("tags", tags::differ(Owned::Product, &wanted.tags, &observed.tags)),
    ];
    let drifted: Vec<_> = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    (!drifted.is_empty()).then(|| {
        let remove_tags = tags::outlived(Owned::Product, &wanted.tags, &observed.tags).into_iter().collect();
        let action = Action::UpdateProduct { id: observed.id.clone(), product: wanted.clone(), remove_tags };
        let summary = format!("update product \"{}\": {}", wanted.name, drifted.join(", "));
        Step::new(action, Change::Update, Reason::Drifted, summary)
    })
}

/// A product that AWS could not create is deleted, with what hangs on it, and made anew.
fn failed(product: &ObservedProduct, observed: &Observed, now: Timestamp, attempts: &Attempts) -> PartialDecision {
    if let Some(until) = rests(now, attempts) {
        let problem = Problem::new(
            Reason::CatalogFailed,
            format!("Service Catalog could not create product \"{}\" (status FAILED)", product.name),
            "check the project template and the account's Service Catalog console; it is made again by itself, ever more slowly",
        );
        return PartialDecision::stuck(problem.until(until));
    }
    let mut steps = constraint::remove(observed);
    steps.extend(association::remove(observed));
    steps.extend(remove(observed, Reason::CatalogFailed).map(Step::clearing_failed_creation));
    PartialDecision::act(steps)
}

pub(super) fn remove(observed: &Observed, reason: Reason) -> Option<Step<Action>> {
    observed.product.as_ref().map(|product| {
        let summary = format!("delete product \"{}\"", product.name);
        Step::new(Action::DeleteProduct { id: product.id.clone() }, Change::Delete, reason, summary)
    })
}
