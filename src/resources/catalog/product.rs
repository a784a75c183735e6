//! The product: what users see in Studio. It carries the tag that makes it visible there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::verdict::{Verdict, make, remember, retry, step, surplus, tags_differ};
use super::{Action, Desired, Observed, Standing, association, constraint, thing};
use crate::crd::status::Reason;
use crate::domain::identity::{CLUSTER_TAG, OBJECT_TAG, OWNER_TAG};
use crate::domain::project::Catalog;
use crate::domain::resource::{Attempts, Change, Step};

/// Studio lists a product among the organization's templates only with this tag (AWS docs,
/// sagemaker-projects-templates-custom).
const VISIBILITY: (&str, &str) = ("sagemaker:studio-visibility", "true");

/// The product as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
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
        let own = [VISIBILITY.0, OWNER_TAG, OBJECT_TAG, CLUSTER_TAG];
        self.tags.keys().filter(|key| !own.contains(&key.as_str())).count()
    }
}

/// The product as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenProduct {
    pub id: String,
    pub standing: Standing,
    pub name: String,
    pub owner: String,
    pub description: String,
    pub support_description: String,
    pub support_email: String,
    pub support_url: String,
    pub tags: BTreeMap<String, String>,
}

pub(super) fn decide(desired: &Desired, seen: &Observed, now: Timestamp, tried: &Attempts) -> Verdict {
    let wanted = &desired.product;
    let Some(product) = &seen.product else {
        let summary = format!("create product \"{}\"", wanted.name);
        let action = |n| Action::CreateProduct { n, product: wanted.clone(), version: desired.version.clone() };
        return make(thing::PRODUCT, now, tried, summary, action);
    };
    match product.standing {
        Standing::Failed => return failed(product, seen, now, tried),
        Standing::Creating => {
            let mut verdict = Verdict::wait(Reason::Progressing, format!("creating product \"{}\"", wanted.name));
            verdict.steps.extend(remember(thing::PRODUCT, &product.id, tried));
            return verdict;
        }
        Standing::Ready => {}
    }
    let mut steps: Vec<_> = remember(thing::PRODUCT, &product.id, tried).into_iter().collect();
    steps.extend(update(wanted, product));
    Verdict::act(steps)
}

fn update(wanted: &Product, seen: &SeenProduct) -> Option<Step<Action>> {
    let fields = [
        ("name", wanted.name != seen.name),
        ("owner", wanted.owner != seen.owner),
        ("description", wanted.description != seen.description),
        ("support description", wanted.support_description != seen.support_description),
        ("support email", wanted.support_email != seen.support_email),
        ("support URL", wanted.support_url != seen.support_url),
        ("tags", tags_differ(&wanted.tags, &seen.tags)),
    ];
    let drifted: Vec<_> = fields.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    (!drifted.is_empty()).then(|| {
        let remove_tags = surplus(&wanted.tags, &seen.tags);
        let action = Action::UpdateProduct { id: seen.id.clone(), product: wanted.clone(), remove_tags };
        let summary = format!("update product \"{}\": {}", wanted.name, drifted.join(", "));
        step(action, Change::Update, Reason::Drifted, summary)
    })
}

/// A product that AWS could not create is deleted, with what hangs on it, and made anew.
fn failed(product: &SeenProduct, seen: &Observed, now: Timestamp, tried: &Attempts) -> Verdict {
    if !retry(now, tried) {
        return Verdict::stuck(
            Reason::CatalogFailed,
            format!("Service Catalog could not create product \"{}\" (status FAILED)", product.name),
            "check the project template and the account's Service Catalog console; it is made again every ten minutes",
        );
    }
    let mut steps = constraint::remove(seen);
    steps.extend(association::remove(seen));
    steps.extend(remove(seen, Reason::CatalogFailed));
    Verdict::act(steps)
}

pub(super) fn remove(seen: &Observed, because: Reason) -> Option<Step<Action>> {
    seen.product.as_ref().map(|product| {
        let summary = format!("delete product \"{}\"", product.name);
        step(Action::DeleteProduct { id: product.id.clone() }, Change::Delete, because, summary)
    })
}
