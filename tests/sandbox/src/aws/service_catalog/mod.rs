//! Service Catalog: portfolios, products with their versions, who may launch them and as whom, and what was launched.
//! Idempotency tokens are remembered for ever: the same token gives the same answer, even when the thing it speaks
//! of has been deleted since. Stacks are made through CloudFormation's own API, as the launch constraint's role.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Call, Outcome, Refusal};
use crate::world::{Due, World};

mod artifacts;
mod associations;
mod constraints;
mod dump;
mod input;
mod kept;
mod launch;
mod portfolios;
mod principals;
mod products;
mod progress;
mod provisioning;
#[cfg(test)]
mod provisioning_tests;
mod records;
mod template;
#[cfg(test)]
mod tests;

pub use artifacts::Artifact;
pub use constraints::Constraint;
pub use kept::Kept;
pub use portfolios::Portfolio;
pub use products::Product;
pub use provisioning::Provisioned;
pub use records::Record;

/// What exists in one account and region. Deleted things stay in the maps, marked: lists show them a while longer.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// By `port-…`.
    pub portfolios: BTreeMap<String, Kept<Portfolio>>,
    /// By `prod-…`.
    pub products: BTreeMap<String, Kept<Product>>,
    /// By `pa-…`.
    pub artifacts: BTreeMap<String, Kept<Artifact>>,
    /// By `cons-…`.
    pub constraints: BTreeMap<String, Kept<Constraint>>,
    /// Launch path ids by portfolio and product.
    pub associations: BTreeMap<(String, String), Kept<String>>,
    /// Principals by portfolio, ARN and type.
    pub principals: BTreeMap<(String, String, String), Kept<()>>,
    /// By `pp-…`.
    pub provisioned: BTreeMap<String, Kept<Provisioned>>,
    /// By `rec-…`.
    pub records: BTreeMap<String, Record>,
    answers: BTreeMap<(String, String), Value>,
}

impl State {
    /// What bears tags here: portfolios, products and provisioned products.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        let portfolios =
            self.portfolios.values().filter_map(Kept::truth).map(|one| (one.arn.clone(), one.tags.clone()));
        let products = self.products.values().filter_map(Kept::truth).map(|one| (one.arn.clone(), one.tags.clone()));
        let launched = self.provisioned.values().filter_map(Kept::truth).map(|one| (one.arn.clone(), one.tags.clone()));
        portfolios.chain(products).chain(launched).collect()
    }

    /// Everything that exists, without times and without what is remembered of deleted things.
    pub fn dump(&self) -> Value {
        dump::dump(self)
    }

    /// Forgets all idempotency tokens. AWS says nowhere how long it remembers one; for ever it will not be.
    pub fn forget_tokens(&mut self) {
        self.answers.clear();
    }

    /// Lets the creation of a product, artifact or constraint have failed. Gives whether there is such a thing.
    pub fn fail(&mut self, id: &str, now: Timestamp) -> bool {
        let none = std::time::Duration::ZERO;
        if let Some(kept) = self.products.get_mut(id) {
            kept.change(now, none, |product| product.failed = true);
        } else if let Some(kept) = self.artifacts.get_mut(id) {
            kept.change(now, none, |artifact| artifact.failed = true);
        } else if let Some(kept) = self.constraints.get_mut(id) {
            kept.change(now, none, |constraint| constraint.failed = true);
        } else {
            return false;
        }
        true
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    may_tag(world, call)?;
    input::check(call)?;
    let token = ["IdempotencyToken", "ProvisionToken", "UpdateToken", "TerminateToken"]
        .iter()
        .map(|member| call.text(member))
        .find(|token| !token.is_empty())
        .map(|token| (call.operation.to_owned(), token.to_owned()));
    if let Some(answer) = token.as_ref().and_then(|token| state(world, call).answers.get(token)) {
        return Ok(answer.clone());
    }
    let answer = route(world, call)?;
    if let Some(token) = token {
        state(world, call).answers.insert(token, answer.clone());
    }
    Ok(answer)
}

/// Whether the caller may do what a call does beside its own action: put tags on portfolios and products, and take them
/// off ("Actions, resources, and condition keys for AWS Service Catalog"). That action itself is asked for where calls come in.
fn may_tag(world: &World, call: &Call<'_>) -> Result<(), Refusal> {
    let needed: &[(&str, &str)] = match call.operation {
        "CreatePortfolio" | "CreateProduct" => &[("Tags", "servicecatalog:TagResource")],
        "UpdatePortfolio" | "UpdateProduct" => {
            &[("AddTags", "servicecatalog:TagResource"), ("RemoveTags", "servicecatalog:UntagResource")]
        }
        _ => &[],
    };
    let given = |member: &str| call.input[member].as_array().is_some_and(|items| !items.is_empty());
    for (member, action) in needed {
        if let Some(refusal) = world.iam.denied(&call.caller.principal, action).filter(|_| given(member)) {
            return Err(refusal);
        }
    }
    Ok(())
}

fn route(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "CreatePortfolio" => portfolios::create(world, call),
        "DescribePortfolio" => portfolios::describe(world, call),
        "UpdatePortfolio" => portfolios::update(world, call),
        "DeletePortfolio" => portfolios::delete(world, call),
        "ListPortfolios" => portfolios::list(world, call),
        "CreateProduct" => products::create(world, call),
        "DescribeProductAsAdmin" => products::describe_as_admin(world, call),
        "DescribeProduct" => products::describe(world, call),
        "UpdateProduct" => products::update(world, call),
        "DeleteProduct" => products::delete(world, call),
        "SearchProductsAsAdmin" => products::search_as_admin(world, call),
        "SearchProducts" => products::search(world, call),
        "CreateProvisioningArtifact" => artifacts::create(world, call),
        "DescribeProvisioningArtifact" => artifacts::describe(world, call),
        "UpdateProvisioningArtifact" => artifacts::update(world, call),
        "DeleteProvisioningArtifact" => artifacts::delete(world, call),
        "ListProvisioningArtifacts" => artifacts::list(world, call),
        "AssociateProductWithPortfolio" => associations::associate(world, call),
        "DisassociateProductFromPortfolio" => associations::disassociate(world, call),
        "ListPortfoliosForProduct" => associations::portfolios_of(world, call),
        "AssociatePrincipalWithPortfolio" => principals::associate(world, call),
        "DisassociatePrincipalFromPortfolio" => principals::disassociate(world, call),
        "ListPrincipalsForPortfolio" => principals::list(world, call),
        "CreateConstraint" => constraints::create(world, call),
        "DescribeConstraint" => constraints::describe(world, call),
        "UpdateConstraint" => constraints::update(world, call),
        "DeleteConstraint" => constraints::delete(world, call),
        "ListConstraintsForPortfolio" => constraints::list(world, call),
        "ListLaunchPaths" => launch::list(world, call),
        "DescribeProvisioningParameters" => launch::parameters(world, call),
        "ProvisionProduct" => provisioning::provision(world, call),
        "UpdateProvisionedProduct" => provisioning::update(world, call),
        "TerminateProvisionedProduct" => provisioning::terminate(world, call),
        "DescribeProvisionedProduct" => records::describe_product(world, call),
        "GetProvisionedProductOutputs" => records::outputs(world, call),
        "SearchProvisionedProducts" => records::search_products(world, call),
        "DescribeRecord" => records::describe(world, call),
        "ListRecordHistory" => records::list(world, call),
        other => Err(Refusal::new(
            "UnknownOperationException",
            format!("Operation {other} of Service Catalog is not played here."),
        )),
    }
}

/// Lets a scheduled thing happen: a look at the stack of a provisioned product.
pub fn wake(world: &mut World, due: &Due) {
    progress::look(world, due);
}

/// The state that a call speaks of.
fn state<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut State {
    &mut world.region(&call.caller.account, call.region).catalog
}

/// `arn:aws:catalog:…`: ARNs of Service Catalog do not carry the service's API name.
fn arn(call: &Call<'_>, kind: &str, id: &str) -> String {
    format!("arn:aws:catalog:{}:{}:{kind}/{id}", call.region, call.caller.account)
}

/// Seconds since the epoch.
fn moment(at: Timestamp) -> Value {
    json!(at.as_millisecond() as f64 / 1000.0)
}

/// Tags as AWS lists them.
fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The status of a thing made at `created`.
fn status(world: &World, created: Timestamp, failed: bool) -> &'static str {
    if !kept::passed(created, world.now, world.settings.catalog) {
        "CREATING"
    } else if failed {
        "FAILED"
    } else {
        "AVAILABLE"
    }
}
