//! Looking at the catalog product: nine calls once its ids are known, in two waves.

use std::collections::BTreeSet;

use aws_sdk_servicecatalog::types::{ProvisioningArtifactDetail, ProvisioningArtifactGuidance};
use futures::try_join;
use serde_json::Value;

use super::{ServiceCatalog, code, found};
use crate::adapters::aws::fault;
use crate::crd::status::Reason;
use crate::domain::fault::Fault;
use crate::domain::identity::Identity;
use crate::domain::project::Principal;
use crate::domain::resource::Attempts;
use crate::resources::catalog::{LaunchPath, Observed, SeenConstraint, SeenVersion, Standing, thing};

/// Constraints of the product in the portfolio.
#[derive(Default)]
struct Constraints {
    launch: Option<SeenConstraint>,
    others: Vec<String>,
    missing: Option<String>,
}

impl ServiceCatalog {
    pub(super) async fn look(&self, id: &Identity, tried: &Attempts) -> Result<Observed, Fault> {
        let (portfolio, product) = try_join!(self.find_portfolio(id, tried), self.find_product(id, tried))?;
        let mut missing: Vec<String> = portfolio.missing.into_iter().chain(product.missing).collect();
        let portfolio_id = portfolio.thing.as_ref().map(|portfolio| portfolio.id.as_str());
        let product_id = product.thing.as_ref().map(|product| product.id.as_str());
        let (versions, associated, constraints, principals, launch_path) = try_join!(
            self.versions(product_id),
            self.associated(portfolio_id, product_id),
            self.constraints(portfolio_id, product_id, tried),
            self.principals(portfolio_id),
            self.launch_path(product_id),
        )?;
        let recorded = tried.intent(thing::VERSION).and_then(|intent| intent.id.clone());
        missing.extend(recorded.filter(|id| product_id.is_some() && !versions.iter().any(|version| version.id == *id)));
        missing.extend(constraints.missing);
        Ok(Observed {
            portfolio: portfolio.thing,
            product: product.thing,
            versions,
            associated,
            constraint: constraints.launch,
            other_constraints: constraints.others,
            principals,
            launch_path,
            missing,
        })
    }

    /// The versions, oldest first. Only those in use are asked for their status, which the list lacks.
    async fn versions(&self, product_id: Option<&str>) -> Result<Vec<SeenVersion>, Fault> {
        let Some(product_id) = product_id else { return Ok(Vec::new()) };
        let attempt = format!("list versions of product {product_id}");
        let listed = self.client.list_provisioning_artifacts().product_id(product_id).send().await;
        let Some(output) = found(&attempt, listed)? else { return Ok(Vec::new()) };
        let mut details: Vec<_> = output.provisioning_artifact_details().to_vec();
        details.sort_by_key(|detail| detail.created_time().and_then(|at| at.to_millis().ok()));
        let mut versions = Vec::new();
        for detail in details {
            let Some(mut version) = seen_version(&detail) else { continue };
            if version.active && !version.deprecated {
                version.standing = self.version_standing(product_id, &version.id).await?;
            }
            versions.push(version);
        }
        Ok(versions)
    }

    async fn version_standing(&self, product_id: &str, id: &str) -> Result<Standing, Fault> {
        let attempt = format!("look at version {id}");
        let request = self.client.describe_provisioning_artifact().product_id(product_id).provisioning_artifact_id(id);
        let output = found(&attempt, request.send().await)?;
        // Listed but not yet described: AWS is not done with it.
        Ok(output
            .map_or(Standing::Creating, |output| Standing::parse(output.status().map_or("", |status| status.as_str()))))
    }

    async fn associated(&self, portfolio_id: Option<&str>, product_id: Option<&str>) -> Result<bool, Fault> {
        let (Some(portfolio_id), Some(product_id)) = (portfolio_id, product_id) else { return Ok(false) };
        let attempt = format!("list portfolios of product {product_id}");
        let mut pages = self.client.list_portfolios_for_product().product_id(product_id).into_paginator().send();
        while let Some(page) = pages.next().await {
            let Some(page) = found(&attempt, page)? else { return Ok(false) };
            if page.portfolio_details().iter().any(|portfolio| portfolio.id() == Some(portfolio_id)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn constraints(
        &self,
        portfolio_id: Option<&str>,
        product_id: Option<&str>,
        tried: &Attempts,
    ) -> Result<Constraints, Fault> {
        let (Some(portfolio_id), Some(product_id)) = (portfolio_id, product_id) else {
            return Ok(Constraints::default());
        };
        let attempt = format!("list constraints of portfolio {portfolio_id}");
        let mut seen = Constraints::default();
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
                    seen.others.push(id.to_owned());
                }
            }
        }
        // A constraint that was just made is not in the list yet, but its id is written down.
        let recorded = tried.intent(thing::CONSTRAINT).and_then(|intent| intent.id.clone());
        if let Some(id) = launch.as_ref().or(recorded.as_ref()) {
            seen.launch = self.constraint(id, portfolio_id, product_id).await?;
        }
        seen.missing = recorded.filter(|id| seen.launch.as_ref().is_none_or(|launch| launch.id != *id));
        Ok(seen)
    }

    async fn constraint(
        &self,
        id: &str,
        portfolio_id: &str,
        product_id: &str,
    ) -> Result<Option<SeenConstraint>, Fault> {
        let attempt = format!("look at constraint {id}");
        let Some(output) = found(&attempt, self.client.describe_constraint().id(id).send().await)? else {
            return Ok(None);
        };
        let here = output.constraint_detail().is_none_or(|detail| {
            detail.portfolio_id().is_none_or(|id| id == portfolio_id)
                && detail.product_id().is_none_or(|id| id == product_id)
        });
        Ok(here.then(|| SeenConstraint {
            id: id.to_owned(),
            standing: Standing::parse(output.status().map_or("", |status| status.as_str())),
            role_arn: role_arn(output.constraint_parameters().unwrap_or_default()),
        }))
    }

    async fn principals(&self, portfolio_id: Option<&str>) -> Result<BTreeSet<Principal>, Fault> {
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
    async fn launch_path(&self, product_id: Option<&str>) -> Result<LaunchPath, Fault> {
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

fn seen_version(detail: &ProvisioningArtifactDetail) -> Option<SeenVersion> {
    Some(SeenVersion {
        id: detail.id()?.to_owned(),
        name: detail.name().unwrap_or_default().to_owned(),
        description: detail.description().unwrap_or_default().to_owned(),
        active: detail.active().unwrap_or(true),
        deprecated: detail.guidance() == Some(&ProvisioningArtifactGuidance::Deprecated),
        standing: Standing::Ready,
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
