//! The catalog product: portfolio, product, its version of the project template, what ties them, and who may launch.
//! Seven AWS objects that are of use only together, hence one resource with a pure sub-decision for each. It never
//! touches a portfolio or product without our owner tag: names are not unique here, so a foreign one of the same name
//! blocks nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::crd::identifiers::{PortfolioId, ProductId, RoleArn};
use crate::crd::status::{CatalogStatus, MlopsProjectStatus, Placement, Reason};
use crate::domain::external_resource::{Attempts, Decision, ExternalResource, Goal, ResourceKind, StepKey, Wait};
use crate::domain::identity::{Identity, Owned};
use crate::domain::links;
use crate::domain::platform::{Platform, Principal};
use crate::resources::artifact_bucket::Artifacts;
use crate::resources::prerequisites::OperatorPrincipal;

mod association;
mod constraint;
mod launch_path;
mod marks;
mod partial_decision;
mod portfolio;
mod principals;
mod product;
mod provisioning_artifact;
#[cfg(test)]
mod tests;

pub use constraint::ObservedConstraint;
pub use launch_path::LaunchPath;
use partial_decision::{PartialDecision, long_enough};
pub use portfolio::{ObservedPortfolio, Portfolio};
pub use product::{ObservedProduct, Product};
pub use provisioning_artifact::{ObservedVersion, Version, version_name};

/// For how long reads and lists of Service Catalog may lag behind writes. What is absent for longer does not exist.
pub const LAG: Duration = Duration::from_secs(15);

/// Names of the resources in intents and client tokens.
pub mod resource_name {
    pub const PORTFOLIO: &str = "Portfolio";
    pub const PRODUCT: &str = "Product";
    pub const VERSION: &str = "Version";
    pub const CONSTRAINT: &str = "LaunchConstraint";
}

pub struct CatalogProduct;

/// What it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub portfolio: Portfolio,
    pub product: Product,
    pub version: Version,
    /// The launch constraint's role.
    pub launch_role: RoleArn,
    /// The operator's own role, and those that the spec names.
    pub principals: BTreeSet<Principal>,
}

/// How far AWS is with the creation of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisioningStatus {
    Creating,
    /// Created: AWS says `AVAILABLE`, and for products also `CREATED`.
    Ready,
    /// Could not be created.
    Failed,
}

impl ProvisioningStatus {
    /// From AWS's `Status`. What is not known counts as not ready yet.
    pub fn parse(status: &str) -> Self {
        match status {
            "AVAILABLE" | "CREATED" => Self::Ready,
            "FAILED" => Self::Failed,
            _ => Self::Creating,
        }
    }
}

/// What was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub portfolio: Option<ObservedPortfolio>,
    pub product: Option<ObservedProduct>,
    /// The product's versions, in the order in which they were made.
    pub versions: Vec<ObservedVersion>,
    /// Whether the product stands in the portfolio.
    pub associated: bool,
    /// The LAUNCH constraint of the product in the portfolio.
    pub constraint: Option<ObservedConstraint>,
    /// Ids of other constraints of the product in the portfolio.
    pub other_constraints: Vec<String>,
    pub principals: BTreeSet<Principal>,
    /// The operator's own launch path to the product.
    pub launch_path: LaunchPath,
    /// Ids of a portfolio and a product that carry our mark, too.
    pub twins: Vec<String>,
    /// Recorded ids that do not exist, be it no more or not yet.
    pub missing: Vec<String>,
}

/// What can be done. `n` is part of the create's client token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    CreatePortfolio {
        n: i32,
        portfolio: Portfolio,
    },
    UpdatePortfolio {
        id: PortfolioId,
        portfolio: Portfolio,
        remove_tags: Vec<String>,
    },
    DeletePortfolio {
        id: PortfolioId,
    },
    CreateProduct {
        n: i32,
        product: Product,
        version: Version,
    },
    UpdateProduct {
        id: ProductId,
        product: Product,
        remove_tags: Vec<String>,
    },
    DeleteProduct {
        id: ProductId,
    },
    CreateVersion {
        n: i32,
        product_id: ProductId,
        version: Version,
    },
    /// Name and description as they should be, active, not deprecated.
    RestoreVersion {
        product_id: ProductId,
        id: String,
        version: Version,
    },
    DeprecateVersion {
        product_id: ProductId,
        id: String,
    },
    DeleteVersion {
        product_id: ProductId,
        id: String,
    },
    Associate {
        portfolio_id: PortfolioId,
        product_id: ProductId,
    },
    Disassociate {
        portfolio_id: PortfolioId,
        product_id: ProductId,
    },
    CreateConstraint {
        n: i32,
        portfolio_id: PortfolioId,
        product_id: ProductId,
        role_arn: RoleArn,
    },
    UpdateConstraint {
        id: String,
        role_arn: RoleArn,
    },
    DeleteConstraint {
        id: String,
    },
    AddPrincipal {
        portfolio_id: PortfolioId,
        principal: Principal,
    },
    RemovePrincipal {
        portfolio_id: PortfolioId,
        principal: Principal,
    },
    /// Nothing is done outside: the id of a resource that was found by its tags goes into the status.
    Remember {
        resource: &'static str,
        id: String,
    },
}

/// What a SageMaker project is launched from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProvisioningTarget {
    /// `port-…`.
    pub portfolio_id: PortfolioId,
    /// `prod-…`.
    pub product_id: ProductId,
    /// The provisioning artifact that projects use: `pa-…`.
    pub artifact_id: String,
    /// Its name, for status and messages.
    pub artifact_name: String,
}

impl ExternalResource for CatalogProduct {
    const KIND: ResourceKind = ResourceKind::CatalogProduct;
    type Declared = Platform;
    type Inputs = (OperatorPrincipal, Artifacts);
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = ProvisioningTarget;

    fn desired(platform: &Platform, (principal, artifacts): &(OperatorPrincipal, Artifacts)) -> Desired {
        let catalog = &platform.catalog;
        // Service Catalog refuses empty tag values, which the other services allow.
        let tags: BTreeMap<String, String> = platform
            .tags
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let own = Principal { arn: principal.arn.clone(), kind: "IAM".to_owned() };
        Desired {
            portfolio: Portfolio {
                name: catalog.portfolio_name.clone(),
                provider: catalog.portfolio_provider.clone(),
                description: catalog.portfolio_description.clone(),
                tags: marks::marked(platform, Owned::Portfolio, &tags),
            },
            product: Product::desired(catalog, marks::marked(platform, Owned::Product, &tags)),
            version: Version { sha256: artifacts.template_sha256.clone(), url: artifacts.template_url.clone() },
            launch_role: platform.roles.launch.clone(),
            principals: catalog.principals.iter().cloned().chain([own]).collect(),
        }
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        observed: &Observed,
        now: Timestamp,
        attempts: &Attempts,
    ) -> Decision<Action, ProvisioningTarget> {
        if let Some(problem) = marks::not_ours(id, observed) {
            return Decision::Stuck(problem);
        }
        match goal {
            Goal::Present(_) if !observed.twins.is_empty() => Decision::Stuck(marks::twins(observed)),
            Goal::Present(desired) => present(desired, observed, now, attempts),
            Goal::Absent => absent(observed, now, attempts),
        }
    }

    fn key(action: &Action) -> StepKey {
        step_key(action)
    }

    fn exists(observed: &Observed) -> bool {
        observed.portfolio.is_some() || observed.product.is_some()
    }

    fn sightings(observed: &Observed) -> Vec<(String, bool)> {
        let portfolio = observed.portfolio.as_ref().map(|portfolio| portfolio.id.as_str());
        let product = observed.product.as_ref().map(|product| product.id.as_str());
        let existing = portfolio.into_iter().chain(product).map(|id| (id.to_owned(), true));
        existing.chain(observed.missing.iter().map(|id| (id.clone(), false))).collect()
    }

    fn show(placement: &Placement, output: Option<&ProvisioningTarget>, status: &mut MlopsProjectStatus) {
        status.catalog = output.map(|target| CatalogStatus {
            portfolio_id: target.portfolio_id.to_string(),
            product_id: target.product_id.to_string(),
            artifact_id: target.artifact_id.clone(),
            version: target.artifact_name.clone(),
            product_url: Some(links::product(&placement.region, &target.product_id)),
        });
    }

    fn whereabouts(placement: &Placement, status: &MlopsProjectStatus) -> Option<String> {
        let what = match &status.catalog {
            Some(catalog) => format!("{} in portfolio {}", catalog.product_id, catalog.portfolio_id),
            None => "(of unknown id)".to_owned(),
        };
        Some(format!("catalog product {what} in account {}, {}", placement.account_id, placement.region))
    }
}

fn step_key(action: &Action) -> StepKey {
    match action {
        Action::CreatePortfolio { .. } => StepKey::new("CreatePortfolio", &[]),
        Action::UpdatePortfolio { id, portfolio, .. } => {
            StepKey::new("UpdatePortfolio", &[id]).with_contents(portfolio)
        }
        Action::DeletePortfolio { id } => StepKey::new("DeletePortfolio", &[id]),
        Action::CreateProduct { .. } => StepKey::new("CreateProduct", &[]),
        Action::UpdateProduct { id, product, .. } => StepKey::new("UpdateProduct", &[id]).with_contents(product),
        Action::DeleteProduct { id } => StepKey::new("DeleteProduct", &[id]),
        Action::CreateVersion { product_id, version, .. } => {
            StepKey::new("CreateProvisioningArtifact", &[product_id, &version.sha256])
        }
        Action::RestoreVersion { id, version, .. } => {
            StepKey::new("UpdateProvisioningArtifact", &[id, &version.sha256])
        }
        Action::DeprecateVersion { id, .. } => StepKey::new("DeprecateProvisioningArtifact", &[id]),
        Action::DeleteVersion { id, .. } => StepKey::new("DeleteProvisioningArtifact", &[id]),
        Action::Associate { portfolio_id, product_id } => {
            StepKey::new("AssociateProductWithPortfolio", &[portfolio_id, product_id])
        }
        Action::Disassociate { portfolio_id, product_id } => {
            StepKey::new("DisassociateProductFromPortfolio", &[portfolio_id, product_id])
        }
        Action::CreateConstraint { role_arn, .. } => StepKey::new("CreateConstraint", &[role_arn]),
        Action::UpdateConstraint { id, role_arn } => StepKey::new("UpdateConstraint", &[id, role_arn]),
        Action::DeleteConstraint { id } => StepKey::new("DeleteConstraint", &[id]),
        Action::AddPrincipal { principal, .. } => {
            StepKey::new("AssociatePrincipalWithPortfolio", &[&principal.arn, &principal.kind])
        }
        Action::RemovePrincipal { principal, .. } => {
            StepKey::new("DisassociatePrincipalFromPortfolio", &[&principal.arn, &principal.kind])
        }
        Action::Remember { resource, id } => StepKey::new("Remember", &[resource, id]),
    }
}

fn present(
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
    attempts: &Attempts,
) -> Decision<Action, ProvisioningTarget> {
    if let Some(stuck) = marks::too_many_tags(desired) {
        return stuck;
    }
    let mut partial = PartialDecision::default();
    partial.join(portfolio::decide(&desired.portfolio, observed.portfolio.as_ref(), now, attempts));
    partial.join(product::decide(desired, observed, now, attempts));
    if !observed.product.as_ref().is_some_and(|product| product.provisioning_status == ProvisioningStatus::Failed) {
        partial.join(provisioning_artifact::decide(&desired.version, observed, now, attempts));
        partial.join(principals::decide(&desired.principals, observed));
        partial.join(association::decide(observed));
        partial.join(constraint::decide(&desired.launch_role, observed, now, attempts));
    }
    if let Some(decision) = partial.unfinished() {
        return decision;
    }
    let version = provisioning_artifact::current(&desired.version, &observed.versions);
    let (Some(portfolio), Some(product), Some(version)) = (&observed.portfolio, &observed.product, version) else {
        return Decision::Wait(Wait::new(
            "appearing",
            Reason::Progressing,
            "waits for portfolio, product and version to show",
        ));
    };
    if let Some(decision) = launch_path::unfinished(desired, observed.launch_path, now, attempts) {
        return decision;
    }
    Decision::InSync(ProvisioningTarget {
        portfolio_id: portfolio.id.clone(),
        product_id: product.id.clone(),
        artifact_id: version.id.clone(),
        artifact_name: version.name.clone(),
    })
}

/// Everything that hangs on the product goes first, then the portfolio, and the product once no portfolio of ours is left:
/// it may stand in another one that carries our mark.
fn absent(observed: &Observed, now: Timestamp, attempts: &Attempts) -> Decision<Action, ProvisioningTarget> {
    let mut steps = constraint::remove(observed);
    steps.extend(principals::remove(observed));
    steps.extend(association::remove(observed));
    steps.extend(match &observed.portfolio {
        Some(_) => portfolio::remove(observed),
        None => product::remove(observed, Reason::Deleting),
    });
    if !steps.is_empty() {
        return Decision::Act(steps);
    }
    let proven = [resource_name::PORTFOLIO, resource_name::PRODUCT].into_iter().all(|resource| {
        let id =
            attempts.intent(resource).and_then(|intent| intent.id.as_ref()).filter(|id| observed.missing.contains(id));
        // What was seen and is no more is gone; what was never seen may only be too young to show.
        id.is_some_and(|id| attempts.sighted.contains(id) || long_enough(attempts.missing_since.get(id), now))
    });
    if proven || long_enough(attempts.absent_since.as_ref(), now) {
        return Decision::Gone;
    }
    let wait = Wait::new(
        "confirming absence",
        Reason::ConfirmingAbsence,
        "portfolio and product are not found: looking once more, since lists lag",
    );
    // The one that was looked for last decides.
    let missing = [resource_name::PORTFOLIO, resource_name::PRODUCT]
        .into_iter()
        .filter_map(|resource| attempts.recorded_id(resource).and_then(|id| attempts.missing_since.get(id)).copied());
    let since = missing.chain(attempts.absent_since).max().unwrap_or(now);
    Decision::Wait(wait.until(since.saturating_add(LAG).unwrap_or(now)))
}
