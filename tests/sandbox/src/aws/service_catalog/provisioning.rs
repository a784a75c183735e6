//! Provisioning: a product becomes a stack, made, updated and deleted as the launch constraint's role.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Artifact, Kept, Record, artifacts, constraints, input, launch, progress, records};
use crate::aws::iam::{Source, Trust};
use crate::aws::{Call, Caller, Outcome, Refusal};
use crate::world::World;

/// What was launched from a product.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Provisioned {
    pub name: String,
    pub arn: String,
    pub product_id: String,
    pub artifact_id: String,
    pub portfolio_id: String,
    pub path_id: String,
    /// `UNDER_CHANGE`, `AVAILABLE`, `TAINTED` or `ERROR`.
    pub status: String,
    pub message: String,
    pub tags: BTreeMap<String, String>,
    /// ARN of the stack, once there is one.
    pub stack_id: Option<String>,
    /// ARN of the launch constraint's role, if there is one.
    pub launch_role: Option<String>,
    /// Who asked for it.
    pub user: Caller,
    pub token: String,
    pub last_record: String,
    pub last_provisioning_record: String,
    pub last_successful_record: Option<String>,
}

/// Who acts on the stack: the launch role, or the caller where no constraint names one.
///
/// # Errors
/// `InvalidParametersException` where the role does not exist, does not trust Service Catalog, or is not known yet.
pub(super) fn actor(world: &World, caller: &Caller, role: Option<&str>) -> Result<Caller, Refusal> {
    let Some(role) = role else { return Ok(caller.clone()) };
    let source = Source { account: &caller.account, arn: None };
    if world.trust_for(role, "servicecatalog.amazonaws.com", source) != Trust::Given {
        return Err(input::invalid(format!("Access denied while assuming the role {role}")));
    }
    let account = role.split(':').nth(4).unwrap_or_default().to_owned();
    let name = role.rsplit('/').next().unwrap_or_default();
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/servicecatalog");
    Ok(Caller { account, arn, principal: role.to_owned() })
}

fn record(world: &mut World, call: &Call<'_>, kind: &str, id: &str, product: &Provisioned) -> Record {
    Record {
        id: format!("rec-{}", world.ids.next(13)),
        provisioned_id: id.to_owned(),
        provisioned_name: product.name.clone(),
        kind: kind.to_owned(),
        status: "CREATED".to_owned(),
        created: world.now,
        updated: world.now,
        product_id: product.product_id.clone(),
        artifact_id: product.artifact_id.clone(),
        path_id: product.path_id.clone(),
        launch_role: product.launch_role.clone(),
        tags: product.tags.clone(),
        errors: Vec::new(),
        outputs: Vec::new(),
        principal: call.caller.principal.clone(),
    }
}

/// The version that a launch or an update is from.
fn launchable(world: &mut World, call: &Call<'_>, deprecated_too: bool) -> Result<Artifact, Refusal> {
    let (_, artifact) = artifacts::find(world, call)?;
    if !artifact.active {
        return Err(input::invalid(format!("Provisioning artifact {} is not active.", artifact.id)));
    }
    if artifact.guidance == "DEPRECATED" && !deprecated_too {
        return Err(input::invalid(format!(
            "Provisioning artifact {} is deprecated and cannot be launched.",
            artifact.id
        )));
    }
    Ok(artifact)
}

/// The tags of portfolio and product, which go to what is launched from them.
fn inherited(world: &mut World, call: &Call<'_>, portfolio: &str, product: &str) -> BTreeMap<String, String> {
    let state = super::state(world, call);
    let mut tags = state.portfolios.get(portfolio).map(|kept| kept.last().tags.clone()).unwrap_or_default();
    tags.extend(state.products.get(product).map(|kept| kept.last().tags.clone()).unwrap_or_default());
    tags
}

pub(super) fn provision(world: &mut World, call: &Call<'_>) -> Outcome {
    let tags = input::tags(call, "Tags", 50)?;
    let Some(product_id) = artifacts::product_id(world, call)? else {
        return Err(input::invalid("Exactly one of ProductId and ProductName must be provided."));
    };
    let path = launch::path(world, call, &product_id)?;
    let artifact = launchable(world, call, false)?;
    let name = call.text("ProvisionedProductName");
    if super::state(world, call).provisioned.values().filter_map(Kept::truth).any(|product| product.name == name) {
        return Err(Refusal::new(
            "DuplicateResourceException",
            format!("A provisioned product named {name} already exists."),
        ));
    }
    let launch_role = constraints::launch_role(world, call, &path.portfolio_id, &product_id);
    let actor = actor(world, call.caller, launch_role.as_deref())?;
    let (now, id) = (world.now, format!("pp-{}", world.ids.next(13)));
    let mut all_tags = inherited(world, call, &path.portfolio_id, &product_id);
    all_tags.extend(tags);
    let mut product = Provisioned {
        name: name.to_owned(),
        arn: format!("arn:aws:servicecatalog:{}:{}:stack/{name}/{id}", call.region, call.caller.account),
        product_id,
        artifact_id: artifact.id,
        portfolio_id: path.portfolio_id,
        path_id: path.id,
        status: "UNDER_CHANGE".to_owned(),
        message: String::new(),
        tags: all_tags,
        stack_id: None,
        launch_role,
        user: call.caller.clone(),
        token: call.text("ProvisionToken").to_owned(),
        last_record: String::new(),
        last_provisioning_record: String::new(),
        last_successful_record: None,
    };
    let record = record(world, call, "PROVISION_PRODUCT", &id, &product);
    product.last_record.clone_from(&record.id);
    product.last_provisioning_record.clone_from(&record.id);
    let stack =
        stack_input(&format!("SC-{}-{id}", call.caller.account), &artifact.template, call, &product, &record.id);
    super::state(world, call).provisioned.insert(id.clone(), Kept::new(product, now));
    let started = progress::ask(world, call, "CreateStack", &stack, &actor);
    Ok(progress::begin(world, call, &id, record, started))
}

/// Input of CreateStack and UpdateStack.
fn stack_input(name: &str, template: &str, call: &Call<'_>, product: &Provisioned, token: &str) -> Value {
    let parameters: Vec<Value> = call
        .list("ProvisioningParameters")
        .iter()
        .map(|parameter| match parameter["UsePreviousValue"].as_bool() {
            Some(true) => json!({"ParameterKey": parameter["Key"], "UsePreviousValue": "true"}),
            _ => json!({"ParameterKey": parameter["Key"], "ParameterValue": parameter["Value"].as_str().unwrap_or_default()}),
        })
        .collect();
    json!({
        "StackName": name,
        "TemplateBody": template,
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Tags": super::tag_list(&product.tags),
        "ClientRequestToken": token,
    })
}

/// The provisioned product that a call names, if nothing else is being done to it.
fn idle(world: &mut World, call: &Call<'_>) -> Result<(String, Provisioned), Refusal> {
    let (id, name) = (call.text("ProvisionedProductId"), call.text("ProvisionedProductName"));
    let (id, kept) = records::find(world, call, id, name)?;
    let product = kept.last().clone();
    if product.status == "UNDER_CHANGE" {
        return Err(input::invalid(format!(
            "Provisioned product {id} is under change; wait until the operation has ended."
        )));
    }
    Ok((id, product))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (id, mut product) = idle(world, call)?;
    let named =
        ["ProvisioningArtifactId", "ProvisioningArtifactName"].iter().any(|member| !call.text(member).is_empty());
    let artifact = if named {
        launchable(world, call, true)?
    } else {
        let kept = super::state(world, call).artifacts.get(&product.artifact_id).cloned();
        kept.map(|kept| kept.last().clone())
            .ok_or_else(|| input::invalid("The provisioning artifact no longer exists."))?
    };
    if artifact.product_id != product.product_id {
        return Err(input::invalid(format!(
            "Provisioning artifact {} is not of product {}.",
            artifact.id, product.product_id
        )));
    }
    let path = launch::path(world, call, &product.product_id)?;
    product.launch_role = constraints::launch_role(world, call, &path.portfolio_id, &product.product_id);
    product.artifact_id.clone_from(&artifact.id);
    product.tags.extend(inherited(world, call, &path.portfolio_id, &product.product_id));
    product.tags.extend(input::tags(call, "Tags", 50)?);
    let mut record = record(world, call, "UPDATE_PROVISIONED_PRODUCT", &id, &product);
    record.artifact_id.clone_from(&artifact.id);
    product.status = "UNDER_CHANGE".to_owned();
    product.last_record.clone_from(&record.id);
    product.last_provisioning_record.clone_from(&record.id);
    let stack =
        stack_input(product.stack_id.as_deref().unwrap_or_default(), &artifact.template, call, &product, &record.id);
    let role = product.launch_role.clone();
    progress::change(world, &call.caller.account, call.region, &id, |value| *value = product);
    let started = actor(world, call.caller, role.as_deref())
        .and_then(|actor| progress::ask(world, call, "UpdateStack", &stack, &actor));
    Ok(progress::begin(world, call, &id, record, started))
}

pub(super) fn terminate(world: &mut World, call: &Call<'_>) -> Outcome {
    let (id, mut product) = idle(world, call)?;
    let record = record(world, call, "TERMINATE_PROVISIONED_PRODUCT", &id, &product);
    product.status = "UNDER_CHANGE".to_owned();
    product.last_record.clone_from(&record.id);
    let (role, stack_id) = (product.launch_role.clone(), product.stack_id.clone());
    progress::change(world, &call.caller.account, call.region, &id, |value| *value = product);
    let flag = |member: &str| call.input[member].as_bool() == Some(true);
    let Some(stack_id) = stack_id.filter(|_| !flag("RetainPhysicalResources")) else {
        return Ok(progress::end_at_once(world, call, &id, record));
    };
    let stack = json!({"StackName": stack_id, "ClientRequestToken": record.id});
    let started = actor(world, call.caller, role.as_deref())
        .and_then(|actor| progress::ask(world, call, "DeleteStack", &stack, &actor));
    if started.is_err() && flag("IgnoreErrors") {
        return Ok(progress::end_at_once(world, call, &id, record));
    }
    Ok(progress::begin(world, call, &id, record, started))
}
