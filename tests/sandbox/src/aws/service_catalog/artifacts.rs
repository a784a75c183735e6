//! Provisioning artifacts: the versions of a product. The template is fetched once, with the caller's own rights,
//! and copied; from then on it never changes.

use serde_json::{Value, json};

use super::{Kept, input, moment, products, template};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// AWS's quota of versions per product.
const MOST: usize = 100;

/// A provisioning artifact.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Artifact {
    pub id: String,
    pub product_id: String,
    pub name: String,
    pub description: String,
    pub active: bool,
    pub guidance: String,
    /// Where the template came from, as it was said: `TemplateUrl` or `PhysicalId`.
    pub source: (String, String),
    /// The copy.
    pub template: String,
    /// Whether its creation failed.
    pub failed: bool,
}

fn missing(id: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Provisioning artifact {id} not found."))
}

fn detail(kept: &Kept<Artifact>, artifact: &Artifact) -> Value {
    json!({
        "Id": artifact.id,
        "Name": artifact.name,
        "Description": artifact.description,
        "Type": "CLOUD_FORMATION_TEMPLATE",
        "CreatedTime": moment(kept.created),
        "Active": artifact.active,
        "Guidance": artifact.guidance,
    })
}

fn answer(world: &World, kept: &Kept<Artifact>, artifact: &Artifact) -> Value {
    let (key, value) = &artifact.source;
    json!({
        "ProvisioningArtifactDetail": detail(kept, artifact),
        "Info": {key: value},
        "Status": super::status(world, kept.created, artifact.failed),
    })
}

/// Makes an artifact from `ProvisioningArtifactProperties`, without storing it.
///
/// # Errors
/// `InvalidParametersException` where the template cannot be had or is not valid.
pub(super) fn make(
    world: &mut World,
    call: &Call<'_>,
    product_id: &str,
    parameters: &Value,
) -> Result<Artifact, Refusal> {
    input::check_artifact(parameters)?;
    match parameters["Type"].as_str() {
        None | Some("CLOUD_FORMATION_TEMPLATE") => {}
        Some(other) => {
            return Err(input::invalid(format!(
                "Provisioning artifact type {other} is not supported in this sandbox."
            )));
        }
    }
    let name = parameters["Name"].as_str().unwrap_or_default();
    if name.contains(char::is_whitespace) {
        return Err(input::invalid("The name of a provisioning artifact must not contain spaces."));
    }
    let (source, text) = template::load(world, call, &parameters["Info"])?;
    if parameters["DisableTemplateValidation"].as_bool() != Some(true) {
        template::validate(world, call, &text)?;
    }
    Ok(Artifact {
        id: format!("pa-{}", world.ids.next(13)),
        product_id: product_id.to_owned(),
        name: name.to_owned(),
        description: parameters["Description"].as_str().unwrap_or_default().to_owned(),
        active: true,
        guidance: "DEFAULT".to_owned(),
        source,
        template: text,
        failed: false,
    })
}

/// Stores an artifact and gives the answer that describes it.
pub(super) fn store(world: &mut World, call: &Call<'_>, artifact: Artifact) -> Value {
    let kept = Kept::new(artifact.clone(), world.now);
    let answer = answer(world, &kept, &artifact);
    super::state(world, call).artifacts.insert(artifact.id, kept);
    answer
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, id) = (world.now, world.settings.read_after_write, call.text("ProductId"));
    let state = super::state(world, call);
    state.products.get(id).and_then(|kept| kept.seen(now, delay)).ok_or_else(|| products::missing(id))?;
    let versions =
        state.artifacts.values().filter(|kept| kept.truth().is_some_and(|artifact| artifact.product_id == id)).count();
    if versions >= MOST {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("You have reached the limit of {MOST} provisioning artifacts for product {id}."),
        ));
    }
    let artifact = make(world, call, id, &call.input["Parameters"])?;
    Ok(store(world, call, artifact))
}

/// Finds an artifact by `ProvisioningArtifactId` or name within a product given by id or name, as a read shows it.
pub(super) fn find(world: &mut World, call: &Call<'_>) -> Result<(Kept<Artifact>, Artifact), Refusal> {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let product_id = product_id(world, call)?;
    let (id, name) = (call.text("ProvisioningArtifactId"), call.text("ProvisioningArtifactName"));
    if id.is_empty() == name.is_empty() {
        return Err(input::invalid(
            "Exactly one of ProvisioningArtifactId and ProvisioningArtifactName must be provided.",
        ));
    }
    let state = super::state(world, call);
    let found: Vec<_> = state
        .artifacts
        .values()
        .filter_map(|kept| kept.seen(now, delay).map(|artifact| (kept.clone(), artifact.clone())))
        .filter(|(_, artifact)| product_id.as_ref().is_none_or(|product| artifact.product_id == *product))
        .filter(|(_, artifact)| if id.is_empty() { artifact.name == name } else { artifact.id == id })
        .collect();
    match <[_; 1]>::try_from(found) {
        Ok([found]) => Ok(found),
        Err(found) if found.is_empty() => Err(missing(if id.is_empty() { name } else { id })),
        Err(_) => Err(input::invalid(format!("More than one provisioning artifact has the name {name}."))),
    }
}

/// The product that a call names by `ProductId` or `ProductName`, if it names one.
///
/// # Errors
/// `ResourceNotFoundException` where it does not exist, `InvalidParametersException` where its name is not unique.
pub(super) fn product_id(world: &mut World, call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let (id, name) = (call.text("ProductId"), call.text("ProductName"));
    let products = &super::state(world, call).products;
    let known = |kept: &Kept<products::Product>| kept.seen(now, delay).is_some();
    if !id.is_empty() {
        return products
            .get(id)
            .filter(|kept| known(kept))
            .map(|_| Some(id.to_owned()))
            .ok_or_else(|| products::missing(id));
    }
    if name.is_empty() {
        return Ok(None);
    }
    let mut named =
        products.iter().filter(|(_, kept)| known(kept) && kept.last().name == name).map(|(id, _)| id.clone());
    match (named.next(), named.next()) {
        (Some(id), None) => Ok(Some(id)),
        (None, _) => Err(products::missing(name)),
        _ => Err(input::invalid(format!("More than one product has the name {name}."))),
    }
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (kept, artifact) = find(world, call)?;
    let mut answer = answer(world, &kept, &artifact);
    if call.input["IncludeProvisioningArtifactParameters"].as_bool() == Some(true) {
        answer["ProvisioningArtifactParameters"] = template::parameters(world, call, &artifact.template)?;
    }
    Ok(answer)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, id) = (world.now, world.settings.read_after_write, call.text("ProvisioningArtifactId"));
    let product = call.text("ProductId");
    let state = super::state(world, call);
    let kept = state.artifacts.get_mut(id).ok_or_else(|| missing(id))?;
    let mut artifact =
        kept.truth().filter(|artifact| artifact.product_id == product).ok_or_else(|| missing(id))?.clone();
    if let Some(name) = call.input["Name"].as_str() {
        artifact.name = name.to_owned();
    }
    if let Some(description) = call.input["Description"].as_str() {
        artifact.description = description.to_owned();
    }
    if let Some(active) = call.input["Active"].as_bool() {
        artifact.active = active;
    }
    match call.input["Guidance"].as_str() {
        None => {}
        Some(guidance @ ("DEFAULT" | "DEPRECATED")) => artifact.guidance = guidance.to_owned(),
        Some(other) => {
            return Err(input::violation(
                &format!("Value '{other}' at 'guidance'"),
                "Member must satisfy enum value set: [DEFAULT, DEPRECATED]",
            ));
        }
    }
    kept.change(now, delay, |value| *value = artifact.clone());
    let kept = kept.clone();
    Ok(answer(world, &kept, &artifact))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, id, product) = (world.now, call.text("ProvisioningArtifactId"), call.text("ProductId"));
    let state = super::state(world, call);
    let of_product = |kept: &Kept<Artifact>| kept.truth().is_some_and(|artifact| artifact.product_id == product);
    if !state.artifacts.get(id).is_some_and(of_product) {
        return Err(missing(id));
    }
    if state.artifacts.values().filter(|kept| of_product(kept)).count() == 1 {
        return Err(Refusal::new(
            "ResourceInUseException",
            format!("Provisioning artifact {id} is the last one of product {product} and cannot be deleted."),
        ));
    }
    if let Some(kept) = state.artifacts.get_mut(id) {
        kept.delete(now);
    }
    Ok(json!({}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, lag) = (world.now, world.settings.read_after_write, world.settings.list_lag);
    let id = call.text("ProductId");
    let state = super::state(world, call);
    state.products.get(id).and_then(|kept| kept.seen(now, delay)).ok_or_else(|| products::missing(id))?;
    let all: Vec<_> = state
        .artifacts
        .values()
        .filter_map(|kept| {
            kept.listed(now, lag).filter(|artifact| artifact.product_id == id).map(|artifact| detail(kept, artifact))
        })
        .collect();
    Ok(json!({"ProvisioningArtifactDetails": all}))
}

/// `ProvisioningArtifactSummaries` of a product: without `Active` and `Guidance`, as AWS gives them.
pub(super) fn summaries(world: &mut World, call: &Call<'_>, product_id: &str) -> Vec<Value> {
    let (now, lag) = (world.now, world.settings.list_lag);
    let artifacts = super::state(world, call).artifacts.values();
    artifacts
        .filter_map(|kept| {
            kept.listed(now, lag).filter(|artifact| artifact.product_id == product_id).map(|artifact| (kept, artifact))
        })
        .map(|(kept, artifact)| {
            json!({
                "Id": artifact.id,
                "Name": artifact.name,
                "Description": artifact.description,
                "CreatedTime": moment(kept.created),
            })
        })
        .collect()
}

/// The versions that a user may launch, as `ProvisioningArtifact`.
pub(super) fn launchable(world: &mut World, call: &Call<'_>, product_id: &str) -> Vec<Value> {
    let (now, lag) = (world.now, world.settings.list_lag);
    let artifacts = super::state(world, call).artifacts.values();
    artifacts
        .filter_map(|kept| {
            kept.listed(now, lag).filter(|artifact| artifact.product_id == product_id).map(|artifact| (kept, artifact))
        })
        .filter(|(_, artifact)| artifact.active)
        .map(|(kept, artifact)| {
            json!({
                "Id": artifact.id,
                "Name": artifact.name,
                "Description": artifact.description,
                "CreatedTime": moment(kept.created),
                "Guidance": artifact.guidance,
            })
        })
        .collect()
}
