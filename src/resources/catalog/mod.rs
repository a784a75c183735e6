//! The catalog product: portfolio, product, its version of the project template, what ties them, and who may launch.
//! Seven AWS objects that are of use only together, hence one resource with a pure sub-decision for each. It never
//! touches a portfolio or product without our owner tag: names are not unique here, so a foreign one of the same name
//! blocks nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::crd::status::Reason;
use crate::domain::identity::Identity;
use crate::domain::project::{Principal, Project};
use crate::domain::resource::{Attempts, Decision, Goal, Kind, Resource};
use crate::resources::outputs::{Artifacts, Ground, Launchable};

mod artifact;
mod association;
mod constraint;
mod launch_path;
mod portfolio;
mod principals;
mod product;
#[cfg(test)]
mod tests;
mod verdict;

pub use artifact::{SeenVersion, Version};
pub use constraint::SeenConstraint;
pub use launch_path::LaunchPath;
pub use portfolio::{Portfolio, SeenPortfolio};
pub use product::{Product, SeenProduct};
use verdict::{Verdict, long_enough, wait};

/// For how long reads and lists of Service Catalog may lag behind writes. What is absent for longer does not exist.
pub const LAG: SignedDuration = SignedDuration::from_secs(15);
/// Most tags that a portfolio or product takes.
const MOST_TAGS: usize = 20;

/// Names of the things in intents, handles and client tokens.
#[allow(missing_docs)]
pub mod thing {
    pub const PORTFOLIO: &str = "Portfolio";
    pub const PRODUCT: &str = "Product";
    pub const VERSION: &str = "Version";
    pub const CONSTRAINT: &str = "LaunchConstraint";
}

/// The catalog product.
pub struct CatalogProduct;

/// What it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Desired {
    pub portfolio: Portfolio,
    pub product: Product,
    pub version: Version,
    /// ARN of the launch constraint's role.
    pub launch_role: String,
    /// The operator's own role, and those that the spec names.
    pub principals: BTreeSet<Principal>,
}

/// How far AWS is with the creation of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Being created.
    Creating,
    /// Created: AWS says `AVAILABLE`, and for products also `CREATED`.
    Ready,
    /// Could not be created.
    Failed,
}

impl Standing {
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
    /// Our portfolio.
    pub portfolio: Option<SeenPortfolio>,
    /// Our product.
    pub product: Option<SeenProduct>,
    /// The product's versions, in the order in which they were made.
    pub versions: Vec<SeenVersion>,
    /// Whether the product stands in the portfolio.
    pub associated: bool,
    /// The LAUNCH constraint of the product in the portfolio.
    pub constraint: Option<SeenConstraint>,
    /// Ids of other constraints of the product in the portfolio.
    pub other_constraints: Vec<String>,
    /// The portfolio's principals.
    pub principals: BTreeSet<Principal>,
    /// The operator's own launch path to the product.
    pub launch_path: LaunchPath,
    /// Recorded ids that do not exist, be it no more or not yet.
    pub missing: Vec<String>,
}

/// What can be done. `n` is part of the create's client token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Action {
    CreatePortfolio {
        n: i32,
        portfolio: Portfolio,
    },
    UpdatePortfolio {
        id: String,
        portfolio: Portfolio,
        remove_tags: Vec<String>,
    },
    DeletePortfolio {
        id: String,
    },
    CreateProduct {
        n: i32,
        product: Product,
        version: Version,
    },
    UpdateProduct {
        id: String,
        product: Product,
        remove_tags: Vec<String>,
    },
    DeleteProduct {
        id: String,
    },
    CreateVersion {
        n: i32,
        product_id: String,
        version: Version,
    },
    /// Name and description as they should be, active, not deprecated.
    RestoreVersion {
        product_id: String,
        id: String,
        version: Version,
    },
    DeprecateVersion {
        product_id: String,
        id: String,
    },
    DeleteVersion {
        product_id: String,
        id: String,
    },
    Associate {
        portfolio_id: String,
        product_id: String,
    },
    Disassociate {
        portfolio_id: String,
        product_id: String,
    },
    CreateConstraint {
        n: i32,
        portfolio_id: String,
        product_id: String,
        role_arn: String,
    },
    UpdateConstraint {
        id: String,
        role_arn: String,
    },
    DeleteConstraint {
        id: String,
    },
    AddPrincipal {
        portfolio_id: String,
        principal: Principal,
    },
    RemovePrincipal {
        portfolio_id: String,
        principal: Principal,
    },
    /// Nothing is done outside: the id of a thing that was found by its tags goes into the status.
    Remember {
        thing: &'static str,
        id: String,
    },
}

impl Resource for CatalogProduct {
    const KIND: Kind = Kind::CatalogProduct;
    type Owner = Project;
    type Inputs = (Ground, Artifacts);
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Launchable;

    fn desired(owner: &Project, (ground, artifacts): &(Ground, Artifacts)) -> Desired {
        let catalog = &owner.catalog;
        // Service Catalog refuses empty tag values, which the other services allow.
        let mut tags: BTreeMap<String, String> = owner
            .tags
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        tags.extend(owner.identity.owner_tags());
        let own = Principal { arn: ground.operator_principal_arn.clone(), kind: "IAM".to_owned() };
        Desired {
            portfolio: Portfolio {
                name: catalog.portfolio_name.clone(),
                provider: catalog.portfolio_provider.clone(),
                description: catalog.portfolio_description.clone(),
                tags: tags.clone(),
            },
            product: Product::desired(catalog, tags),
            version: Version { sha256: artifacts.template_sha256.clone(), url: artifacts.template_url.clone() },
            launch_role: owner.roles.launch.clone(),
            principals: catalog.principals.iter().cloned().chain([own]).collect(),
        }
    }

    fn forecast(desired: &Desired) -> Launchable {
        let later = || "(known after apply)".to_owned();
        Launchable {
            portfolio_id: later(),
            product_id: later(),
            artifact_id: later(),
            artifact_name: desired.version.name(),
        }
    }

    fn decide(
        _id: &Identity,
        goal: &Goal<Desired>,
        seen: &Observed,
        now: Timestamp,
        tried: &Attempts,
    ) -> Decision<Action, Launchable> {
        match goal {
            Goal::Present(desired) => present(desired, seen, now, tried),
            Goal::Absent => absent(seen, now, tried),
        }
    }

    fn exists(seen: &Observed) -> bool {
        seen.portfolio.is_some() || seen.product.is_some()
    }

    fn sightings(seen: &Observed) -> Vec<(String, bool)> {
        let portfolio = seen.portfolio.as_ref().map(|portfolio| &portfolio.id);
        let product = seen.product.as_ref().map(|product| &product.id);
        let existing = portfolio.into_iter().chain(product).map(|id| (id.clone(), true));
        existing.chain(seen.missing.iter().map(|id| (id.clone(), false))).collect()
    }
}

fn present(desired: &Desired, seen: &Observed, now: Timestamp, tried: &Attempts) -> Decision<Action, Launchable> {
    if let Some(stuck) = too_many_tags(desired) {
        return stuck;
    }
    let mut verdict = Verdict::default();
    verdict.join(portfolio::decide(&desired.portfolio, seen.portfolio.as_ref(), now, tried));
    verdict.join(product::decide(desired, seen, now, tried));
    if !seen.product.as_ref().is_some_and(|product| product.standing == Standing::Failed) {
        verdict.join(artifact::decide(&desired.version, seen, now, tried));
        verdict.join(principals::decide(&desired.principals, seen));
        verdict.join(association::decide(seen));
        verdict.join(constraint::decide(&desired.launch_role, seen, now, tried));
    }
    if let Some(decision) = verdict.unfinished() {
        return decision;
    }
    let version = artifact::current(&desired.version, &seen.versions);
    let (Some(portfolio), Some(product), Some(version)) = (&seen.portfolio, &seen.product, version) else {
        return wait(Reason::Progressing, "waits for portfolio, product and version to show".to_owned());
    };
    if let Some(decision) = launch_path::unfinished(desired, seen.launch_path, now, tried) {
        return decision;
    }
    Decision::InSync(Launchable {
        portfolio_id: portfolio.id.clone(),
        product_id: product.id.clone(),
        artifact_id: version.id.clone(),
        artifact_name: version.name.clone(),
    })
}

fn too_many_tags(desired: &Desired) -> Option<Decision<Action, Launchable>> {
    let count = desired.product.tags.len();
    (count > MOST_TAGS).then(|| Decision::Stuck {
        why: Reason::InvalidSpec,
        message: format!(
            "product \"{}\" would carry {count} tags, and Service Catalog allows {MOST_TAGS}",
            desired.product.name
        ),
        hint: format!(
            "remove tags from the spec: {} of them are the operator's own",
            desired.product.tags.len() - desired.product.user_tags()
        ),
    })
}

/// Everything that hangs on the product goes first, the portfolio last.
fn absent(seen: &Observed, now: Timestamp, tried: &Attempts) -> Decision<Action, Launchable> {
    let mut steps = constraint::remove(seen);
    steps.extend(principals::remove(seen));
    steps.extend(association::remove(seen));
    steps.extend(product::remove(seen, Reason::Deleting));
    steps.extend(portfolio::remove(seen));
    if !steps.is_empty() {
        return Decision::Act(steps);
    }
    let proven = [thing::PORTFOLIO, thing::PRODUCT].into_iter().all(|thing| {
        let id = tried.intent(thing).and_then(|intent| intent.id.as_ref()).filter(|id| seen.missing.contains(id));
        // What was seen and is no more is gone; what was never seen may only be too young to show.
        id.is_some_and(|id| tried.sighted.contains(id) || long_enough(tried.missing_since.get(id), now))
    });
    if proven || long_enough(tried.absent_since.as_ref(), now) {
        return Decision::Gone;
    }
    wait(Reason::ProvingAbsence, "portfolio and product are not found: looking once more, since lists lag".to_owned())
}
