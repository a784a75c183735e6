//! Products: as the administrator sees them (with status and tags) and as a user sees them (only what a launch
//! path leads to).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kept, State, artifacts, input, launch, moment, portfolios, tag_list};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// AWS's quota of products per account and region.
const MOST: usize = 350;

/// A product.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Product {
    pub arn: String,
    pub view_id: String,
    pub name: String,
    pub owner: String,
    pub description: String,
    pub distributor: String,
    pub support_description: String,
    pub support_email: String,
    pub support_url: String,
    pub product_type: String,
    pub tags: BTreeMap<String, String>,
    /// Whether its creation failed.
    pub failed: bool,
}

/// `ResourceNotFoundException` for a product.
pub(super) fn missing(id: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Product {id} not found."))
}

/// The product as `ProductViewSummary`.
pub(super) fn summary(id: &str, product: &Product) -> Value {
    json!({
        "Id": product.view_id,
        "ProductId": id,
        "Name": product.name,
        "Owner": product.owner,
        "ShortDescription": product.description,
        "Type": product.product_type,
        "Distributor": product.distributor,
        "HasDefaultPath": false,
        "SupportEmail": product.support_email,
        "SupportDescription": product.support_description,
        "SupportUrl": product.support_url,
    })
}

/// The product as `ProductViewDetail`. A finished product says `CREATED`, which the API model does not name but the
/// service really answers (terraform-provider-aws servicecatalog/wait.go).
fn detail(world: &World, id: &str, kept: &Kept<Product>, product: &Product) -> Value {
    let status = match super::status(world, kept.created, product.failed) {
        "AVAILABLE" => "CREATED",
        other => other,
    };
    json!({
        "ProductViewSummary": summary(id, product),
        "Status": status,
        "ProductARN": product.arn,
        "CreatedTime": moment(kept.created),
    })
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let tags = input::tags(call, "Tags", 20)?;
    let product_type = call.text("ProductType");
    if product_type != "CLOUD_FORMATION_TEMPLATE" {
        return Err(input::invalid(format!("Product type {product_type} is not supported in this sandbox.")));
    }
    let parameters = &call.input["ProvisioningArtifactParameters"];
    if parameters.is_null() {
        return Err(input::invalid("ProvisioningArtifactParameters must be provided."));
    }
    if super::state(world, call).products.values().filter(|kept| kept.truth().is_some()).count() >= MOST {
        return Err(Refusal::new("LimitExceededException", format!("You have reached the limit of {MOST} products.")));
    }
    let (id, view_id) = (format!("prod-{}", world.ids.next(13)), format!("prodview-{}", world.ids.next(13)));
    let artifact = artifacts::make(world, call, &id, parameters)?;
    let product = Product {
        arn: super::arn(call, "product", &id),
        view_id,
        name: call.text("Name").to_owned(),
        owner: call.text("Owner").to_owned(),
        description: call.text("Description").to_owned(),
        distributor: call.text("Distributor").to_owned(),
        support_description: call.text("SupportDescription").to_owned(),
        support_email: call.text("SupportEmail").to_owned(),
        support_url: call.text("SupportUrl").to_owned(),
        product_type: product_type.to_owned(),
        tags,
        failed: false,
    };
    let kept = Kept::new(product.clone(), world.now);
    let answer = json!({
        "ProductViewDetail": detail(world, &id, &kept, &product),
        "ProvisioningArtifactDetail": artifacts::store(world, call, artifact)["ProvisioningArtifactDetail"],
        "Tags": tag_list(&product.tags),
    });
    super::state(world, call).products.insert(id, kept);
    Ok(answer)
}

/// Finds a product by `Id` or `Name`, as a read shows it.
fn find(world: &mut World, call: &Call<'_>) -> Result<(String, Kept<Product>, Product), Refusal> {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let (id, name) = (call.text("Id"), call.text("Name"));
    if id.is_empty() == name.is_empty() {
        return Err(input::invalid("Exactly one of Id and Name must be provided."));
    }
    let products = &super::state(world, call).products;
    let found: Vec<_> = products
        .iter()
        .filter_map(|(key, kept)| kept.seen(now, delay).map(|product| (key.clone(), kept.clone(), product.clone())))
        .filter(|(key, _, product)| if id.is_empty() { product.name == name } else { key == id })
        .collect();
    match <[_; 1]>::try_from(found) {
        Ok([found]) => Ok(found),
        Err(found) if found.is_empty() => Err(missing(if id.is_empty() { name } else { id })),
        Err(_) => Err(input::invalid(format!("More than one product has the name {name}."))),
    }
}

pub(super) fn describe_as_admin(world: &mut World, call: &Call<'_>) -> Outcome {
    let (id, kept, product) = find(world, call)?;
    Ok(json!({
        "ProductViewDetail": detail(world, &id, &kept, &product),
        "ProvisioningArtifactSummaries": artifacts::summaries(world, call, &id),
        "Tags": tag_list(&product.tags),
        "TagOptions": [],
        "Budgets": [],
    }))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (id, _, product) = find(world, call)?;
    let paths = launch::paths(world, call, &id);
    if paths.is_empty() {
        return Err(missing(&id));
    }
    Ok(json!({
        "ProductViewSummary": summary(&id, &product),
        "ProvisioningArtifacts": artifacts::launchable(world, call, &id),
        "Budgets": [],
        "LaunchPaths": paths.iter().map(|path| json!({"Id": path.id, "Name": path.name})).collect::<Vec<_>>(),
    }))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, id) = (world.now, world.settings.read_after_write, call.text("Id"));
    let state = super::state(world, call);
    let kept = state.products.get_mut(id).ok_or_else(|| missing(id))?;
    let mut product = kept.truth().ok_or_else(|| missing(id))?.clone();
    product.tags = input::retag(call, &product.tags)?;
    for (member, field) in [
        ("Name", &mut product.name),
        ("Owner", &mut product.owner),
        ("Description", &mut product.description),
        ("Distributor", &mut product.distributor),
        ("SupportDescription", &mut product.support_description),
        ("SupportEmail", &mut product.support_email),
        ("SupportUrl", &mut product.support_url),
    ] {
        if let Some(text) = call.input[member].as_str() {
            *field = text.to_owned();
        }
    }
    kept.change(now, delay, |value| *value = product.clone());
    let kept = kept.clone();
    Ok(json!({"ProductViewDetail": detail(world, id, &kept, &product), "Tags": tag_list(&product.tags)}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, id) = (world.now, call.text("Id"));
    let state = super::state(world, call);
    if state.products.get(id).and_then(Kept::truth).is_none() {
        return Err(missing(id));
    }
    if state.associations.iter().any(|(key, kept)| key.1 == id && kept.truth().is_some()) {
        return Err(Refusal::new(
            "ResourceInUseException",
            format!("Product {id} is still associated with a portfolio."),
        ));
    }
    for kept in state.artifacts.values_mut().filter(|kept| kept.last().product_id == id) {
        kept.delete(now);
    }
    if let Some(kept) = state.products.get_mut(id) {
        kept.delete(now);
    }
    Ok(json!({}))
}

pub(super) fn search_as_admin(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag, portfolio) = (world.now, world.settings.list_lag, call.text("PortfolioId"));
    let state = super::state(world, call);
    if !portfolio.is_empty() && state.portfolios.get(portfolio).and_then(Kept::truth).is_none() {
        return Err(portfolios::missing(portfolio));
    }
    let held = |state: &State, id: &str| {
        portfolio.is_empty()
            || state
                .associations
                .get(&(portfolio.to_owned(), id.to_owned()))
                .is_some_and(|kept| kept.listed(now, lag).is_some())
    };
    let found: Vec<_> = listed(state, now, lag).filter(|(id, _, _)| held(state, id)).collect();
    let found = sort(call, filter(call, found)?)?;
    let found: Vec<_> = found.iter().map(|(id, kept, product)| detail(world, id, kept, product)).collect();
    let (page, next) = input::page(call, found, 20)?;
    Ok(json!({"ProductViewDetails": page, "NextPageToken": next}))
}

pub(super) fn search(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag) = (world.now, world.settings.list_lag);
    let found: Vec<_> = listed(super::state(world, call), now, lag).collect();
    let mut found = sort(call, filter(call, found)?)?;
    found.retain(|(id, _, _)| !launch::paths(world, call, id).is_empty());
    let found: Vec<_> = found.iter().map(|(id, _, product)| summary(id, product)).collect();
    let (page, next) = input::page(call, found, 100)?;
    Ok(json!({"ProductViewSummaries": page, "ProductViewAggregations": {}, "NextPageToken": next}))
}

type Found = (String, Kept<Product>, Product);

fn listed(state: &State, now: jiff::Timestamp, lag: std::time::Duration) -> impl Iterator<Item = Found> + '_ {
    state
        .products
        .iter()
        .filter_map(move |(id, kept)| kept.listed(now, lag).map(|p| (id.clone(), kept.clone(), p.clone())))
}

/// Applies `Filters`: full text is a search for words in all texts of the product, not an exact match.
fn filter(call: &Call<'_>, mut found: Vec<Found>) -> Result<Vec<Found>, Refusal> {
    let Some(filters) = call.input["Filters"].as_object() else { return Ok(found) };
    for (key, values) in filters {
        let values: Vec<&str> = values.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        found.retain(|(id, _, product)| {
            values.iter().any(|value| match key.as_str() {
                "Owner" => product.owner == *value,
                "ProductType" => product.product_type == *value,
                "SourceProductId" => id == value,
                _ => full_text(product, value),
            })
        });
        if !["FullTextSearch", "Owner", "ProductType", "SourceProductId"].contains(&key.as_str()) {
            return Err(input::invalid(format!("Filter {key} is not valid.")));
        }
    }
    Ok(found)
}

fn full_text(product: &Product, words: &str) -> bool {
    let Product { name, owner, description, distributor, support_description, .. } = product;
    let text = [name, owner, description, distributor, support_description].map(|text| text.to_lowercase()).join("\n");
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn sort(call: &Call<'_>, mut found: Vec<Found>) -> Result<Vec<Found>, Refusal> {
    match call.text("SortBy") {
        "" | "Title" => found.sort_by(|one, other| one.2.name.cmp(&other.2.name)),
        "CreationDate" => found.sort_by_key(|(_, kept, _)| kept.created),
        other => return Err(input::invalid(format!("Sorting by {other} is not supported in this sandbox."))),
    }
    if call.text("SortOrder") == "DESCENDING" {
        found.reverse();
    }
    Ok(found)
}
