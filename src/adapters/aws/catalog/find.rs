//! Finding our portfolio and product: by the id written down, else by their mark. No list shows tags, so each
//! candidate costs a call: those of the name first, all others (at most 100 portfolios and 350 products in a region)
//! only where nothing is written down, which is the first observation of a new project and the first after a lost status.
//! Only then, too, two that carry our mark are found to be two. The others are looked at once for all that seek among them:
//! each of a hundred that are made at once would look at those of all others.

use std::collections::BTreeMap;

use aws_sdk_servicecatalog::operation::describe_portfolio::DescribePortfolioOutput;
use aws_sdk_servicecatalog::operation::describe_product_as_admin::DescribeProductAsAdminOutput;
use aws_sdk_servicecatalog::types::ProductViewDetail;

use super::{CatalogProductActuator, Names, found, tag_map};
use crate::adapters::aws::errors::fault;
use crate::adapters::sharing::{AGE, Answers};
use crate::crd::identifiers::{FormError, PortfolioId, ProductId};
use crate::domain::external_resource::Attempts;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::{Identity, Owned, Ownership};
use crate::resources::catalog::{ObservedPortfolio, ObservedProduct, ProvisioningStatus, resource_name};

/// A resource, and the recorded id that was found not to exist.
pub(super) struct Lookup<T> {
    pub(super) resource: Option<T>,
    /// The id of another one that carries our mark.
    pub(super) twin: Option<String>,
    pub(super) missing: Option<String>,
}

/// Portfolios and products of a place that were looked at while others were sought; clones share them.
#[derive(Clone, Default)]
pub struct Sightings {
    portfolios: Answers<String, Option<ObservedPortfolio>>,
    products: Answers<String, Option<ObservedProduct>>,
}

/// What is looked for: a portfolio or a product.
pub(super) trait Sought: Sized + Clone + Send {
    /// Its name in intents.
    const RESOURCE: &'static str;
    /// Which mark it carries.
    const OWNED: Owned;
    /// Whether a text can be an id of its kind.
    fn is_id(text: &str) -> bool;
    /// What the spec calls it.
    fn name(names: &Names) -> &str;
    /// Its tags.
    fn tags(&self) -> &BTreeMap<String, String>;
    /// Those that were looked at lately, by id.
    fn sighted(actuator: &CatalogProductActuator) -> &Answers<String, Option<Self>>;
    /// Names and ids of all there are.
    fn candidates(
        actuator: &CatalogProductActuator,
    ) -> impl Future<Output = Result<Vec<(String, String)>, Fault>> + Send;
    /// The one with that id, if there is one.
    fn described(
        actuator: &CatalogProductActuator,
        id: &str,
    ) -> impl Future<Output = Result<Option<Self>, Fault>> + Send;
}

/// Candidates of the wanted name first, the others behind them, or none of the others; with whether they have the name.
fn in_order(candidates: Vec<(String, String)>, name: &str, all: bool) -> Vec<(String, bool)> {
    let (named, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(candidate, _)| candidate == name);
    let others = others.into_iter().filter(|_| all).map(|(_, id)| (id, false));
    named.into_iter().map(|(_, id)| (id, true)).chain(others).collect()
}

impl CatalogProductActuator {
    /// Finds ours, or else one that another installation marked as this owner's: it must not be made a second time.
    pub(super) async fn find<T: Sought>(&self, id: &Identity, attempts: &Attempts) -> Result<Lookup<T>, Fault> {
        let recorded = attempts.recorded_id(T::RESOURCE);
        // An id that cannot be one leads nowhere.
        let usable = recorded.filter(|id| T::is_id(id));
        if let Some(recorded) = usable {
            // Whatever its tags say now, a second one must not be made beside it.
            if let Some(observed) = T::described(self, recorded).await? {
                return Ok(Lookup { resource: Some(observed), twin: None, missing: None });
            }
        }
        let missing = recorded.map(str::to_owned);
        let candidates = T::candidates(self).await?;
        let (mut ours, mut twin, mut claimed) = (None, None, None);
        for (candidate, has_name) in in_order(candidates, T::name(&self.names), usable.is_none()) {
            if !has_name && self.is_somebody_elses::<T>(id, &candidate).await? {
                continue;
            }
            let Some(one) = T::described(self, &candidate).await? else { continue };
            match id.ownership(T::OWNED, one.tags()) {
                Ownership::Ours if ours.is_none() => ours = Some(one),
                Ownership::Ours => twin = twin.or(Some(candidate)),
                Ownership::Claimed => claimed = claimed.or(Some(one)),
                Ownership::Foreign | Ownership::Unmarked => {}
            }
            // One that was written down is gone: any of ours is as good as another.
            if ours.is_some() && (twin.is_some() || usable.is_some()) {
                break;
            }
        }
        Ok(Lookup { resource: ours.or(claimed), twin, missing })
    }

    /// Whether a candidate was somebody else's when it was looked at a few minutes ago, if not now: a mark is there from the
    /// beginning, and stays.
    async fn is_somebody_elses<T: Sought>(&self, id: &Identity, candidate: &str) -> Result<bool, Fault> {
        let look = T::described(self, candidate);
        let one = T::sighted(self).get_or_young(AGE, candidate.to_owned(), Box::pin(look)).await?;
        let whose = one.map(|one| id.ownership(T::OWNED, one.tags()));
        // Of one that was not there nothing is known: reads lag.
        Ok(matches!(whose, Some(Ownership::Foreign | Ownership::Unmarked)))
    }
}

impl Sought for ObservedPortfolio {
    const RESOURCE: &'static str = resource_name::PORTFOLIO;
    const OWNED: Owned = Owned::Portfolio;

    fn is_id(text: &str) -> bool {
        PortfolioId::parse(text).is_ok()
    }

    fn name(names: &Names) -> &str {
        &names.portfolio
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    fn sighted(actuator: &CatalogProductActuator) -> &Answers<String, Option<Self>> {
        &actuator.sightings.portfolios
    }

    async fn candidates(actuator: &CatalogProductActuator) -> Result<Vec<(String, String)>, Fault> {
        let mut candidates = Vec::new();
        let mut pages = actuator.client.list_portfolios().page_size(100).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("list portfolios", &error))?;
            let details = page.portfolio_details().iter();
            candidates.extend(
                details.filter_map(|detail| Some((detail.display_name()?.to_owned(), detail.id()?.to_owned()))),
            );
        }
        Ok(candidates)
    }

    async fn described(actuator: &CatalogProductActuator, id: &str) -> Result<Option<Self>, Fault> {
        let id = PortfolioId::parse(id).map_err(|error| no_id("list portfolios", &error))?;
        let attempt = format!("look at portfolio {id}");
        let output = found(&attempt, actuator.client.describe_portfolio().id(&id).send().await)?;
        output.as_ref().and_then(observed_portfolio).transpose().map_err(|error| no_id(&attempt, &error))
    }
}

impl Sought for ObservedProduct {
    const RESOURCE: &'static str = resource_name::PRODUCT;
    const OWNED: Owned = Owned::Product;

    fn is_id(text: &str) -> bool {
        ProductId::parse(text).is_ok()
    }

    fn name(names: &Names) -> &str {
        &names.product
    }

    fn tags(&self) -> &BTreeMap<String, String> {
        &self.tags
    }

    fn sighted(actuator: &CatalogProductActuator) -> &Answers<String, Option<Self>> {
        &actuator.sightings.products
    }

    async fn candidates(actuator: &CatalogProductActuator) -> Result<Vec<(String, String)>, Fault> {
        let mut candidates = Vec::new();
        let mut pages = actuator.client.search_products_as_admin().page_size(20).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("search products", &error))?;
            candidates.extend(page.product_view_details().iter().filter_map(candidate));
        }
        Ok(candidates)
    }

    async fn described(actuator: &CatalogProductActuator, id: &str) -> Result<Option<Self>, Fault> {
        let id = ProductId::parse(id).map_err(|error| no_id("search products", &error))?;
        let attempt = format!("look at product {id}");
        let output = found(&attempt, actuator.client.describe_product_as_admin().id(&id).send().await)?;
        output.as_ref().and_then(observed_product).transpose().map_err(|error| no_id(&attempt, &error))
    }
}

fn candidate(detail: &ProductViewDetail) -> Option<(String, String)> {
    let summary = detail.product_view_summary()?;
    Some((summary.name()?.to_owned(), summary.product_id()?.to_owned()))
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// What is answered is there, whatever its id looks like: taken for absent, it would be made once more.
fn no_id(attempt: &str, error: &FormError) -> Fault {
    Fault::new(FaultKind::Unexpected, format!("could not {attempt}: {error}"))
}

fn observed_portfolio(output: &DescribePortfolioOutput) -> Option<Result<ObservedPortfolio, FormError>> {
    let detail = output.portfolio_detail()?;
    let id = PortfolioId::parse(detail.id()?);
    Some(id.map(|id| ObservedPortfolio {
        id,
        name: owned(detail.display_name()),
        provider: owned(detail.provider_name()),
        description: owned(detail.description()),
        tags: tag_map(output.tags()),
    }))
}

fn observed_product(output: &DescribeProductAsAdminOutput) -> Option<Result<ObservedProduct, FormError>> {
    let detail = output.product_view_detail()?;
    let summary = detail.product_view_summary()?;
    let id = ProductId::parse(summary.product_id()?);
    Some(id.map(|id| ObservedProduct {
        id,
        provisioning_status: ProvisioningStatus::parse(detail.status().map_or("", |status| status.as_str())),
        name: owned(summary.name()),
        owner: owned(summary.owner()),
        description: owned(summary.short_description()),
        support_description: owned(summary.support_description()),
        support_email: owned(summary.support_email()),
        support_url: owned(summary.support_url()),
        tags: tag_map(output.tags()),
    }))
}
