//! Finding our portfolio and product: by the id written down, else by their owner tag. No list shows tags, so each
//! candidate costs a call: those of the name first, all others (at most 100 portfolios and 350 products in a region)
//! only where nothing is written down, which is the first observation of a new project and the first after a lost status.

use aws_sdk_servicecatalog::operation::describe_portfolio::DescribePortfolioOutput;
use aws_sdk_servicecatalog::operation::describe_product_as_admin::DescribeProductAsAdminOutput;
use aws_sdk_servicecatalog::types::ProductViewDetail;

use super::{CatalogProductActuator, found, tag_map};
use crate::adapters::aws::errors::fault;
use crate::crd::identifiers::{FormError, PortfolioId, ProductId};
use crate::domain::external_resource::Attempts;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::resources::catalog::{ObservedPortfolio, ObservedProduct, ProvisioningStatus, resource_name};

/// A resource, and the recorded id that was found not to exist.
pub(super) struct Lookup<T> {
    pub(super) resource: Option<T>,
    pub(super) missing: Option<String>,
}

/// Which candidates a search describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Named,
    All,
}

fn reach(attempts: &Attempts, resource: &str) -> Reach {
    // An id that cannot be one leads nowhere.
    let recorded = attempts.intent(resource).and_then(|intent| intent.id.as_deref());
    if recorded.is_some_and(|id| ProductId::parse(id).is_ok()) { Reach::Named } else { Reach::All }
}

/// Candidates of the wanted name first, the others behind them, or none of the others.
fn in_order<T>(candidates: Vec<(String, T)>, name: &str, reach: Reach) -> Vec<T> {
    let (named, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(candidate, _)| candidate == name);
    let others = others.into_iter().filter(|_| reach == Reach::All);
    named.into_iter().chain(others).map(|(_, candidate)| candidate).collect()
}

impl CatalogProductActuator {
    pub(super) async fn find_portfolio(
        &self,
        id: &Identity,
        attempts: &Attempts,
    ) -> Result<Lookup<ObservedPortfolio>, Fault> {
        let recorded = attempts.intent(resource_name::PORTFOLIO).and_then(|intent| intent.id.as_deref());
        let mut missing = None;
        if let Some(recorded) = recorded {
            let observed = match PortfolioId::parse(recorded) {
                Ok(recorded) => self.portfolio(&recorded).await?,
                Err(_) => None,
            };
            if observed.as_ref().is_some_and(|portfolio| id.owns(&portfolio.tags)) {
                return Ok(Lookup { resource: observed, missing });
            }
            missing = Some(recorded.to_owned());
        }
        let mut candidates = Vec::new();
        let mut pages = self.client.list_portfolios().page_size(100).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("list portfolios", &error))?;
            let details = page.portfolio_details().iter();
            candidates.extend(
                details.filter_map(|detail| Some((detail.display_name()?.to_owned(), detail.id()?.to_owned()))),
            );
        }
        for candidate in in_order(candidates, &self.names.portfolio, reach(attempts, resource_name::PORTFOLIO)) {
            let candidate = PortfolioId::parse(&candidate).map_err(|error| no_id("list portfolios", &error))?;
            if let Some(portfolio) = self.portfolio(&candidate).await?.filter(|portfolio| id.owns(&portfolio.tags)) {
                return Ok(Lookup { resource: Some(portfolio), missing });
            }
        }
        Ok(Lookup { resource: None, missing })
    }

    async fn portfolio(&self, id: &PortfolioId) -> Result<Option<ObservedPortfolio>, Fault> {
        let attempt = format!("look at portfolio {id}");
        let output = found(&attempt, self.client.describe_portfolio().id(id).send().await)?;
        output.as_ref().and_then(observed_portfolio).transpose().map_err(|error| no_id(&attempt, &error))
    }

    pub(super) async fn find_product(
        &self,
        id: &Identity,
        attempts: &Attempts,
    ) -> Result<Lookup<ObservedProduct>, Fault> {
        let recorded = attempts.intent(resource_name::PRODUCT).and_then(|intent| intent.id.as_deref());
        let mut missing = None;
        if let Some(recorded) = recorded {
            let observed = match ProductId::parse(recorded) {
                Ok(recorded) => self.product(&recorded).await?,
                Err(_) => None,
            };
            if observed.as_ref().is_some_and(|product| id.owns(&product.tags)) {
                return Ok(Lookup { resource: observed, missing });
            }
            missing = Some(recorded.to_owned());
        }
        let mut candidates = Vec::new();
        let mut pages = self.client.search_products_as_admin().page_size(20).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| fault("search products", &error))?;
            candidates.extend(page.product_view_details().iter().filter_map(candidate));
        }
        for candidate in in_order(candidates, &self.names.product, reach(attempts, resource_name::PRODUCT)) {
            let candidate = ProductId::parse(&candidate).map_err(|error| no_id("search products", &error))?;
            if let Some(product) = self.product(&candidate).await?.filter(|product| id.owns(&product.tags)) {
                return Ok(Lookup { resource: Some(product), missing });
            }
        }
        Ok(Lookup { resource: None, missing })
    }

    async fn product(&self, id: &ProductId) -> Result<Option<ObservedProduct>, Fault> {
        let attempt = format!("look at product {id}");
        let output = found(&attempt, self.client.describe_product_as_admin().id(id).send().await)?;
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
