//! Records: what was asked of provisioned products and how it went; and the reads of the provisioned products themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Kept, Provisioned, input, moment, progress, tag_list};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// One request to provision, update or terminate, and its outcome.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Record {
    pub id: String,
    pub provisioned_id: String,
    pub provisioned_name: String,
    /// `PROVISION_PRODUCT`, `UPDATE_PROVISIONED_PRODUCT` or `TERMINATE_PROVISIONED_PRODUCT`.
    pub kind: String,
    /// `CREATED`, `IN_PROGRESS`, `SUCCEEDED` or `FAILED`.
    pub status: String,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub product_id: String,
    pub artifact_id: String,
    pub path_id: String,
    pub launch_role: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Code and description.
    pub errors: Vec<(String, String)>,
    /// The stack's outputs, as `RecordOutputs`.
    pub outputs: Vec<Value>,
    /// Principal of who asked.
    pub principal: String,
}

/// The record as `RecordDetail`.
pub(super) fn detail(record: &Record) -> Value {
    let errors: Vec<Value> =
        record.errors.iter().map(|(code, description)| json!({"Code": code, "Description": description})).collect();
    json!({
        "RecordId": record.id,
        "ProvisionedProductName": record.provisioned_name,
        "Status": record.status,
        "CreatedTime": moment(record.created),
        "UpdatedTime": moment(record.updated),
        "ProvisionedProductType": "CFN_STACK",
        "RecordType": record.kind,
        "ProvisionedProductId": record.provisioned_id,
        "ProductId": record.product_id,
        "ProvisioningArtifactId": record.artifact_id,
        "PathId": record.path_id,
        "RecordErrors": errors,
        "RecordTags": tag_list(&record.tags),
        "LaunchRoleArn": record.launch_role,
    })
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let id = call.text("Id");
    let record = super::state(world, call)
        .records
        .get(id)
        .cloned()
        .ok_or_else(|| Refusal::new("ResourceNotFoundException", format!("Record {id} not found.")))?;
    let (page, next) = input::page(call, record.outputs.clone(), 20)?;
    Ok(json!({"RecordDetail": detail(&record), "RecordOutputs": page, "NextPageToken": next}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let everyone = everyone(call)?;
    let filter = &call.input["SearchFilter"];
    let (key, value) = (filter["Key"].as_str().unwrap_or_default(), filter["Value"].as_str().unwrap_or_default());
    if !["", "product", "provisionedproduct"].contains(&key) {
        return Err(input::invalid(format!("Search filter {key} is not valid.")));
    }
    let mut records: Vec<Record> = super::state(world, call)
        .records
        .values()
        .filter(|record| everyone || record.principal == call.caller.principal)
        .filter(|record| match key {
            "product" => record.product_id == value,
            "provisionedproduct" => record.provisioned_id == value,
            _ => true,
        })
        .cloned()
        .collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.created));
    let (page, next) = input::page(call, records.iter().map(detail).collect(), 20)?;
    Ok(json!({"RecordDetails": page, "NextPageToken": next}))
}

/// Whether `AccessLevelFilter` asks for everybody's; without it, AWS shows a user their own.
fn everyone(call: &Call<'_>) -> Result<bool, Refusal> {
    match call.input["AccessLevelFilter"]["Key"].as_str() {
        None | Some("User" | "Role") => Ok(false),
        Some("Account") => Ok(true),
        Some(other) => Err(input::invalid(format!("Access level filter {other} is not valid."))),
    }
}

/// Finds a provisioned product by id or name, as a read shows it.
pub(super) fn find(
    world: &mut World,
    call: &Call<'_>,
    id: &str,
    name: &str,
) -> Result<(String, Kept<Provisioned>), Refusal> {
    let (now, delay) = (world.now, world.settings.read_after_write);
    super::state(world, call)
        .provisioned
        .iter()
        .filter(|(_, kept)| kept.seen(now, delay).is_some())
        .find(
            |(key, kept)| if id.is_empty() { kept.last().name == name || kept.last().arn == name } else { *key == id },
        )
        .map(|(key, kept)| (key.clone(), kept.clone()))
        .ok_or_else(|| {
            let what = if id.is_empty() { name } else { id };
            Refusal::new("ResourceNotFoundException", format!("Provisioned product {what} not found."))
        })
}

fn product_detail(id: &str, kept: &Kept<Provisioned>, product: &Provisioned) -> Value {
    json!({
        "Name": product.name,
        "Arn": product.arn,
        "Type": "CFN_STACK",
        "Id": id,
        "Status": product.status,
        "StatusMessage": (!product.message.is_empty()).then_some(&product.message),
        "CreatedTime": moment(kept.created),
        "IdempotencyToken": product.token,
        "LastRecordId": product.last_record,
        "LastProvisioningRecordId": product.last_provisioning_record,
        "LastSuccessfulProvisioningRecordId": product.last_successful_record,
        "ProductId": product.product_id,
        "ProvisioningArtifactId": product.artifact_id,
        "LaunchRoleArn": product.launch_role,
    })
}

pub(super) fn describe_product(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let (id, kept) = find(world, call, call.text("Id"), call.text("Name"))?;
    let product = kept.seen(now, delay).unwrap_or_else(|| kept.last());
    Ok(json!({"ProvisionedProductDetail": product_detail(&id, &kept, product), "CloudWatchDashboards": []}))
}

/// The outputs of the launched stack as it is now; with `OutputKeys`, those alone.
pub(super) fn outputs(world: &mut World, call: &Call<'_>) -> Outcome {
    let (id, name) = (call.text("ProvisionedProductId"), call.text("ProvisionedProductName"));
    if id.is_empty() == name.is_empty() {
        return Err(input::invalid("Either ProvisionedProductId or ProvisionedProductName must be given."));
    }
    let (_, kept) = find(world, call, id, name)?;
    let outputs = progress::stack_outputs(world, call.region, kept.last());
    let wanted: Vec<&str> = call.list("OutputKeys").iter().filter_map(Value::as_str).collect();
    let has = |key: &str| outputs.iter().any(|output| output["OutputKey"] == key);
    if let Some(missing) = wanted.iter().find(|key| !has(key)) {
        return Err(input::invalid(format!("The provisioned product has no output {missing}.")));
    }
    let chosen = |output: &Value| wanted.is_empty() || wanted.iter().any(|key| output["OutputKey"] == *key);
    let (page, next) = input::page(call, outputs.into_iter().filter(chosen).collect(), 20)?;
    Ok(json!({"Outputs": page, "NextPageToken": next}))
}

pub(super) fn search_products(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag, everyone) = (world.now, world.settings.list_lag, everyone(call)?);
    let queries: Vec<&str> =
        call.input["Filters"]["SearchQuery"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let state = super::state(world, call);
    let mut found: Vec<Value> = state
        .provisioned
        .iter()
        .filter_map(|(id, kept)| kept.listed(now, lag).map(|product| (id, kept, product)))
        .filter(|(_, _, product)| everyone || product.user.principal == call.caller.principal)
        .filter(|(id, _, product)| queries.iter().all(|query| answers(id, product, query)))
        .map(|(id, kept, product)| {
            let mut value = product_detail(id, kept, product);
            // A ProvisionedProductAttribute has no launch role, unlike a ProvisionedProductDetail.
            value["LaunchRoleArn"] = Value::Null;
            value["Tags"] = tag_list(&product.tags);
            value["PhysicalId"] = json!(product.stack_id);
            value["ProductName"] = json!(state.products.get(&product.product_id).map(|kept| &kept.last().name));
            value["ProvisioningArtifactName"] =
                json!(state.artifacts.get(&product.artifact_id).map(|kept| &kept.last().name));
            value["UserArn"] = json!(product.user.principal);
            value["UserArnSession"] = json!(product.user.arn);
            value
        })
        .collect();
    order(call, &mut found)?;
    let total = found.len();
    let (page, next) = input::page(call, found, 100)?;
    Ok(json!({"ProvisionedProducts": page, "TotalResultsCount": total, "NextPageToken": next}))
}

/// Puts provisioned products in the order that is asked for. Without one there is none, and each page is cut from another one:
/// some products are on two pages, and others on none (turbot/steampipe-plugin-aws#1889).
fn order(call: &Call<'_>, found: &mut [Value]) -> Result<(), Refusal> {
    let member = match call.text("SortBy") {
        "" => {
            let turn = usize::from(!call.text("PageToken").is_empty()).min(found.len());
            found.rotate_left(turn);
            return Ok(());
        }
        "arn" => "Arn",
        "id" => "Id",
        "name" => "Name",
        "lastRecordId" => "LastRecordId",
        other => return Err(input::invalid(format!("{other} is not a field to sort provisioned products by."))),
    };
    found.sort_by(|one, other| one[member].as_str().cmp(&other[member].as_str()));
    if call.text("SortOrder") == "DESCENDING" {
        found.reverse();
    }
    Ok(())
}

/// Whether a provisioned product answers a query: `key:value`, or words that occur in its name or id.
fn answers(id: &str, product: &Provisioned, query: &str) -> bool {
    let Some((key, value)) = query.split_once(':') else { return id.contains(query) || product.name.contains(query) };
    match key {
        "id" => id == value,
        "name" => product.name == value,
        "arn" => product.arn == value,
        "productId" => product.product_id == value,
        "provisioningArtifactId" => product.artifact_id == value,
        "status" => product.status == value,
        "physicalId" => product.stack_id.as_deref() == Some(value),
        _ => false,
    }
}
