//! Constraints: as whom a product is launched (LAUNCH), and whether tags of what was launched may change (RESOURCE_UPDATE).

use serde_json::{Value, json};

use super::{Kept, associations, input, portfolios, products};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// A constraint.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Constraint {
    pub portfolio_id: String,
    pub product_id: String,
    pub kind: String,
    pub description: String,
    /// JSON text as it was given.
    pub parameters: String,
    /// Whether its creation failed.
    pub failed: bool,
}

fn missing(id: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Constraint {id} not found."))
}

fn detail(call: &Call<'_>, id: &str, constraint: &Constraint) -> Value {
    json!({
        "ConstraintId": id,
        "Type": constraint.kind,
        "Description": constraint.description,
        "Owner": call.caller.account,
        "ProductId": constraint.product_id,
        "PortfolioId": constraint.portfolio_id,
    })
}

fn answer(world: &World, call: &Call<'_>, id: &str, kept: &Kept<Constraint>, constraint: &Constraint) -> Value {
    json!({
        "ConstraintDetail": detail(call, id, constraint),
        "ConstraintParameters": constraint.parameters,
        "Status": super::status(world, kept.created, constraint.failed),
    })
}

/// Whether the caller may pass a launch role to Service Catalog, which CreateConstraint and UpdateConstraint ask ("Actions,
/// resources, and condition keys for AWS Service Catalog"). The role need not exist for that.
fn may_pass(world: &World, call: &Call<'_>, role_arn: &str) -> Result<(), Refusal> {
    if world.iam.denied(&call.caller.principal, "iam:PassRole").is_none() {
        return Ok(());
    }
    world.iam.pass_role(call.caller, role_arn).map_err(|refusal| Refusal::new("AccessDeniedException", refusal.message))
}

/// Checks the parameters of a constraint of this type.
fn check(world: &World, call: &Call<'_>, kind: &str, parameters: &str) -> Result<(), Refusal> {
    let wrong = || input::invalid(format!("The parameters of the {kind} constraint are not valid."));
    let value: Value = serde_json::from_str(parameters).map_err(|_| wrong())?;
    match kind {
        "LAUNCH" => match (value["RoleArn"].as_str(), value["LocalRoleName"].as_str()) {
            (Some(arn), None) => {
                let role = arn.starts_with("arn:") && arn.contains(":iam::") && arn.contains(":role/");
                if !role {
                    return Err(input::invalid(format!("{arn} is not the ARN of a role.")));
                }
                may_pass(world, call, arn)?;
                // The role need not exist; one that is only being made known is refused.
                if arn.split(':').nth(4) == Some(&call.caller.account) && world.propagating(arn) {
                    return Err(input::invalid(format!("{arn}: profile does not exist")));
                }
                Ok(())
            }
            (None, Some(name)) if !name.is_empty() => Ok(()),
            _ => Err(wrong()),
        },
        "RESOURCE_UPDATE" => match value["Properties"]["TagUpdateOnProvisionedProduct"].as_str() {
            Some("ALLOWED" | "NOT_ALLOWED") if value["Version"] == "2.0" => Ok(()),
            _ => Err(wrong()),
        },
        other => Err(input::invalid(format!("Constraint type {other} is not supported in this sandbox."))),
    }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, spreading) = (world.now, world.settings.read_after_write, world.settings.iam_propagation);
    let (portfolio, product, kind) = (call.text("PortfolioId"), call.text("ProductId"), call.text("Type"));
    let id = format!("cons-{}", world.ids.next(13));
    let state = super::state(world, call);
    state
        .portfolios
        .get(portfolio)
        .and_then(|kept| kept.seen(now, delay))
        .ok_or_else(|| portfolios::missing(portfolio))?;
    state.products.get(product).and_then(|kept| kept.seen(now, delay)).ok_or_else(|| products::missing(product))?;
    // A fresh association is not known everywhere yet (aws-cdk#20810).
    let pair = (portfolio.to_owned(), product.to_owned());
    if !state.associations.get(&pair).is_some_and(|kept| kept.settled(now, spreading)) {
        return Err(associations::missing(portfolio, product));
    }
    let twin = |constraint: &Constraint| {
        constraint.portfolio_id == portfolio && constraint.product_id == product && constraint.kind == kind
    };
    if state.constraints.values().filter_map(Kept::truth).any(twin) {
        return Err(Refusal::new(
            "DuplicateResourceException",
            format!("A {kind} constraint already exists for product {product} in portfolio {portfolio}."),
        ));
    }
    check(world, call, kind, call.text("Parameters"))?;
    let constraint = Constraint {
        portfolio_id: pair.0,
        product_id: pair.1,
        kind: kind.to_owned(),
        description: call.text("Description").to_owned(),
        parameters: call.text("Parameters").to_owned(),
        failed: false,
    };
    let kept = Kept::new(constraint.clone(), now);
    let answer = answer(world, call, &id, &kept, &constraint);
    super::state(world, call).constraints.insert(id, kept);
    Ok(answer)
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, id) = (world.now, world.settings.read_after_write, call.text("Id"));
    let kept = super::state(world, call).constraints.get(id).cloned().ok_or_else(|| missing(id))?;
    let constraint = kept.seen(now, delay).ok_or_else(|| missing(id))?;
    Ok(answer(world, call, id, &kept, constraint))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, id) = (world.now, world.settings.read_after_write, call.text("Id"));
    let mut constraint =
        super::state(world, call).constraints.get(id).and_then(Kept::truth).cloned().ok_or_else(|| missing(id))?;
    if let Some(parameters) = call.input["Parameters"].as_str() {
        check(world, call, &constraint.kind, parameters)?;
        constraint.parameters = parameters.to_owned();
    }
    if let Some(description) = call.input["Description"].as_str() {
        constraint.description = description.to_owned();
    }
    let kept = super::state(world, call).constraints.get_mut(id).ok_or_else(|| missing(id))?;
    kept.change(now, delay, |value| *value = constraint.clone());
    let kept = kept.clone();
    Ok(answer(world, call, id, &kept, &constraint))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, id) = (world.now, call.text("Id"));
    let state = super::state(world, call);
    let kept = state.constraints.get_mut(id).filter(|kept| kept.truth().is_some()).ok_or_else(|| missing(id))?;
    kept.delete(now);
    Ok(json!({}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, lag) = (world.now, world.settings.read_after_write, world.settings.list_lag);
    let (portfolio, product) = (call.text("PortfolioId"), call.text("ProductId"));
    let state = super::state(world, call);
    state
        .portfolios
        .get(portfolio)
        .and_then(|kept| kept.seen(now, delay))
        .ok_or_else(|| portfolios::missing(portfolio))?;
    let all = state
        .constraints
        .iter()
        .filter_map(|(id, kept)| kept.listed(now, lag).map(|constraint| (id, constraint)))
        .filter(|(_, constraint)| constraint.portfolio_id == portfolio)
        .filter(|(_, constraint)| product.is_empty() || constraint.product_id == product)
        .map(|(id, constraint)| detail(call, id, constraint));
    let (page, next) = input::page(call, all.collect(), 20)?;
    Ok(json!({"ConstraintDetails": page, "NextPageToken": next}))
}

/// ARN of the role that the LAUNCH constraint of a product in a portfolio names.
pub(super) fn launch_role(world: &mut World, call: &Call<'_>, portfolio: &str, product: &str) -> Option<String> {
    let parameters = super::state(world, call)
        .constraints
        .values()
        .filter_map(Kept::truth)
        .find(|constraint| {
            constraint.portfolio_id == portfolio && constraint.product_id == product && constraint.kind == "LAUNCH"
        })
        .map(|constraint| constraint.parameters.clone())?;
    let value: Value = serde_json::from_str(&parameters).unwrap_or_default();
    let account = &call.caller.account;
    match (value["RoleArn"].as_str(), value["LocalRoleName"].as_str()) {
        (Some(arn), _) => Some(arn.to_owned()),
        (None, Some(name)) => Some(
            world
                .iam
                .role(account, name)
                .map_or_else(|| format!("arn:aws:iam::{account}:role/{name}"), crate::aws::iam::Role::arn),
        ),
        _ => None,
    }
}

/// `ConstraintSummaries` of a product in a portfolio.
pub(super) fn summaries(world: &mut World, call: &Call<'_>, portfolio: &str, product: &str) -> Vec<Value> {
    super::state(world, call)
        .constraints
        .values()
        .filter_map(Kept::truth)
        .filter(|constraint| constraint.portfolio_id == portfolio && constraint.product_id == product)
        .map(|constraint| json!({"Type": constraint.kind, "Description": constraint.description}))
        .collect()
}
