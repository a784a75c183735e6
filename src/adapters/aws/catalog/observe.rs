//! Looking at the catalog product: nine calls once its ids are known, in two waves.

use std::collections::BTreeSet;

use aws_sdk_servicecatalog::types::{ProvisioningArtifactDetail, ProvisioningArtifactGuidance};
use futures::try_join;
use serde_json::Value;

use super::{CatalogProductActuator, code, found};
use crate::adapters::aws::errors::fault;
use crate::crd::identifiers::{PortfolioId, ProductId};
use crate::crd::status::Reason;
use crate::domain::external_resource::Attempts;
use crate::domain::fault::Fault;
use crate::domain::identity::Identity;
use crate::domain::platform::Principal;
use crate::resources::catalog::{
    LaunchPath, Observed, ObservedConstraint, ObservedPortfolio, ObservedProduct, ObservedVersion, ProvisioningStatus,
    resource_name,
};

/// Constraints of the product in the portfolio.
#[derive(Default)]
struct Constraints {
    launch: Option<ObservedConstraint>,
    others: Vec<String>,
    missing: Option<String>,
}

impl CatalogProductActuator {
    pub(super) async fn look(&self, id: &Identity, attempts: &Attempts) -> Result<Observed, Fault> {
        let (portfolio, product) =
            try_join!(self.find::<ObservedPortfolio>(id, attempts), self.find::<ObservedProduct>(id, attempts))?;
        let mut missing: Vec<String> = portfolio.missing.into_iter().chain(product.missing).collect();
        let portfolio_id = portfolio.resource.as_ref().map(|portfolio| &portfolio.id);
        let product_id = product.resource.as_ref().map(|product| &product.id);
        let (versions, associated, constraints, principals, launch_path) = try_join!(
            self.versions(product_id),
            self.associated(portfolio_id, product_id),
            self.constraints(portfolio_id, product_id, attempts),
            self.principals(portfolio_id),
            self.launch_path(product_id),
        )?;
        let recorded = attempts.intent(resource_name::VERSION).and_then(|intent| intent.id.clone());
        missing.extend(recorded.filter(|id| product_id.is_some() && !versions.iter().any(|version| version.id == *id)));
        missing.extend(constraints.missing);
        Ok(Observed {
            portfolio: portfolio.resource,
            product: product.resource,
            versions,
            associated,
            constraint: constraints.launch,
            other_constraints: constraints.others,
            principals,
            launch_path,
            twins: portfolio.twin.into_iter().chain(product.twin).collect(),
            missing,
        })
    }

    /// The versions, oldest first. Only those in use are asked for their status, which the list lacks.
    async fn versions(&self, product_id: Option<&ProductId>) -> Result<Vec<ObservedVersion>, Fault> {
        let Some(product_id) = product_id else { return Ok(Vec::new()) };
        let attempt = format!("list versions of product {product_id}");
        let listed = self.client.list_provisioning_artifacts().product_id(product_id).send().await;
        let Some(output) = found(&attempt, listed)? else { return Ok(Vec::new()) };
        let mut details: Vec<_> = output.provisioning_artifact_details().to_vec();
        details.sort_by_key(|detail| detail.created_time().and_then(|at| at.to_millis().ok()));
        let mut versions = Vec::new();
        for detail in details {
            let Some(mut version) = observed_version(&detail) else { continue };
            if version.active && !version.deprecated {
                version.provisioning_status = self.version_provisioning_status(product_id, &version.id).await?;
            }
            versions.push(version);
        }
        Ok(versions)
    }

    async fn version_provisioning_status(&self, product_id: &ProductId, id: &str) -> Result<ProvisioningStatus, Fault> {
        let attempt = format!("look at version {id}");
        let request = self.client.describe_provisioning_artifact().product_id(product_id).provisioning_artifact_id(id);
        let output = found(&attempt, request.send().await)?;
        // Listed but not yet described: AWS is not done with it.
        Ok(output.map_or(ProvisioningStatus::Creating, |output| {
            ProvisioningStatus::parse(output.status().map_or("", |status| status.as_str()))
        }))
    }

    async fn associated(
        &self,
        portfolio_id: Option<&PortfolioId>,
        product_id: Option<&ProductId>,
    ) -> Result<bool, Fault> {
        let (Some(portfolio_id), Some(product_id)) = (portfolio_id, product_id) else { return Ok(false) };
        Ok(self.portfolios(product_id).await?.iter().any(|id| id == portfolio_id.as_str()))
    }

    /// The portfolios that the product stands in.
    pub(super) async fn portfolios(&self, product_id: &ProductId) -> Result<Vec<String>, Fault> {
        let mut portfolios = Vec::new();
        let attempt = format!("list portfolios of product {product_id}");
        let mut pages = self.client.list_portfolios_for_product().product_id(product_id).into_paginator().send();
        while let Some(page) = pages.next().await {
            let Some(page) = found(&attempt, page)? else { break };
            portfolios
                .extend(page.portfolio_details().iter().filter_map(|portfolio| portfolio.id()).map(str::to_owned));
        }
        Ok(portfolios)
    }

    async fn constraints(
        &self,
        portfolio_id: Option<&PortfolioId>,
        product_id: Option<&ProductId>,
        attempts: &Attempts,
    ) -> Result<Constraints, Fault> {
        let (Some(portfolio_id), Some(product_id)) = (portfolio_id, product_id) else {
            return Ok(Constraints::default());
        };
        let attempt = format!("list constraints of portfolio {portfolio_id}");
        let mut observed = Constraints::default();
        let mut launch = None;
        let request = self.client.list_constraints_for_portfolio().portfolio_id(portfolio_id).product_id(product_id);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            let Some(page) = found(&attempt, page)? else { break };
            for detail in page.constraint_details() {
                let Some(id) = detail.constraint_id() else { continue };
                if detail.r#type() == Some("LAUNCH") {
                    launch = Some(id.to_owned());
                } else {
                    observed.others.push(id.to_owned());
                }
            }
        }
        // A constraint that was just made is not in the list yet, but its id is written down.
        let recorded = attempts.intent(resource_name::CONSTRAINT).and_then(|intent| intent.id.clone());
        if let Some(id) = launch.as_ref().or(recorded.as_ref()) {
            observed.launch = self.constraint(id, portfolio_id, product_id).await?;
        }
        observed.missing = recorded.filter(|id| observed.launch.as_ref().is_none_or(|launch| launch.id != *id));
        Ok(observed)
    }

    async fn constraint(
        &self,
        id: &str,
        portfolio_id: &PortfolioId,
        product_id: &ProductId,
    ) -> Result<Option<ObservedConstraint>, Fault> {
        let attempt = format!("look at constraint {id}");
        let Some(output) = found(&attempt, self.client.describe_constraint().id(id).send().await)? else {
            return Ok(None);
        };
        let here = output.constraint_detail().is_none_or(|detail| {
            detail.portfolio_id().is_none_or(|id| *portfolio_id == id)
                && detail.product_id().is_none_or(|id| *product_id == id)
        });
        Ok(here.then(|| ObservedConstraint {
            id: id.to_owned(),
            provisioning_status: ProvisioningStatus::parse(output.status().map_or("", |status| status.as_str())),
            role_arn: role_arn(output.constraint_parameters().unwrap_or_default()),
        }))
    }

    async fn principals(&self, portfolio_id: Option<&PortfolioId>) -> Result<BTreeSet<Principal>, Fault> {
        let mut principals = BTreeSet::new();
        let Some(portfolio_id) = portfolio_id else { return Ok(principals) };
        let attempt = format!("list principals of portfolio {portfolio_id}");
        let mut pages = self.client.list_principals_for_portfolio().portfolio_id(portfolio_id).into_paginator().send();
        while let Some(page) = pages.next().await {
            let Some(page) = found(&attempt, page)? else { break };
            principals.extend(page.principals().iter().filter_map(|principal| {
                Some(Principal {
                    arn: principal.principal_arn()?.to_owned(),
                    kind: principal.principal_type()?.as_str().to_owned(),
                })
            }));
        }
        Ok(principals)
    }

    /// The calling role's launch path. AWS refuses the question where there is none; where the role may not ask, that must
    /// not stand in the way of everything else, deletion least of all.
    async fn launch_path(&self, product_id: Option<&ProductId>) -> Result<LaunchPath, Fault> {
        let Some(product_id) = product_id else { return Ok(LaunchPath::None) };
        let attempt = format!("list launch paths of product {product_id}");
        match self.client.list_launch_paths().product_id(product_id).send().await {
            Ok(output) if output.launch_path_summaries().is_empty() => Ok(LaunchPath::None),
            Ok(_) => Ok(LaunchPath::Open),
            Err(error) if ["ResourceNotFoundException", "InvalidParametersException"].contains(&code(&error)) => {
                Ok(LaunchPath::None)
            }
            Err(error) => {
                let fault = fault(&attempt, &error);
                if fault.reason == Reason::AccessDenied { Ok(LaunchPath::Denied) } else { Err(fault) }
            }
        }
    }
}

/// `RoleArn` of a launch constraint's parameters, if that is all there is in them.
fn role_arn(parameters: &str) -> Option<String> {
    let value: Value = serde_json::from_str(parameters).ok()?;
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get("RoleArn")?.as_str().map(str::to_owned)
}

fn observed_version(detail: &ProvisioningArtifactDetail) -> Option<ObservedVersion> {
    Some(ObservedVersion {
        id: detail.id()?.to_owned(),
        name: detail.name().unwrap_or_default().to_owned(),
        description: detail.description().unwrap_or_default().to_owned(),
        active: detail.active().unwrap_or(true),
        deprecated: detail.guidance() == Some(&ProvisioningArtifactGuidance::Deprecated),
        provisioning_status: ProvisioningStatus::Ready,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_names_its_role_whatever_the_json_looks_like() {
        let cases = [
            ("{\"RoleArn\":\"a\"}", Some("a")),
            ("{ \"RoleArn\" : \"a\" }\n", Some("a")),
            ("{\"LocalRoleName\":\"a\"}", None),
            ("{\"RoleArn\":\"a\",\"Other\":1}", None),
            ("not json", None),
        ];
        for (parameters, role) in cases {
            assert_eq!(role_arn(parameters).as_deref(), role, "{parameters}");
        }
    }
}
