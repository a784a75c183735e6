//! SageMaker projects: a name, an id, and a provisioned product of Service Catalog that is made, changed and
//! terminated as whoever calls. How a project follows its product stands in `project_progress`.

use serde_json::{Value, json};

use super::lists::{self, Row};
use super::{Kept, arn, input, invalid, project_progress, seconds, state};
use crate::aws::{Call, Caller, Outcome, Refusal, service_catalog};
use crate::world::World;

/// A project.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Project {
    pub name: String,
    pub arn: String,
    /// `p-…`.
    pub id: String,
    pub description: String,
    /// One of `ProjectStatus`.
    pub status: String,
    /// What the provisioned product says of its last failure; empty otherwise.
    pub message: String,
    /// `ServiceCatalogProvisioningDetails` as asked for last.
    pub provisioning: Value,
    pub provisioned_id: String,
    /// Who asked for what is going on.
    pub actor: Caller,
    pub created_by: String,
    pub modified_by: String,
    pub modified: jiff::Timestamp,
    /// When what is going on began.
    pub started: jiff::Timestamp,
}

impl Project {
    /// Whether SageMaker is still working on it.
    pub fn in_progress(&self) -> bool {
        self.status == "Pending" || self.status.ends_with("InProgress")
    }
}

fn missing(call: &Call<'_>, name: &str) -> Refusal {
    invalid(format!("Project {} does not exist.", arn(call, "project", name)))
}

/// A refusal of Service Catalog as SageMaker passes it on: its code is lost, its sentence is not.
fn passed_on(refusal: Refusal) -> Refusal {
    match refusal.code.as_str() {
        "AccessDeniedException" | "ThrottlingException" => refusal,
        _ => invalid(refusal.message),
    }
}

/// Calls Service Catalog as the caller.
fn catalog(world: &mut World, call: &Call<'_>, operation: &str, input: &Value) -> Outcome {
    let action = format!("servicecatalog:{operation}");
    if let Some(refusal) = world.iam.denied(&call.caller.principal, &action) {
        return Err(refusal);
    }
    service_catalog::call(world, &Call { operation, input, ..*call }).map_err(passed_on)
}

/// The parameters as given plus the two that SageMaker fills in.
fn parameters(given: &Value, name: &str, id: &str) -> Result<Vec<Value>, Refusal> {
    let mut all = given.as_array().cloned().unwrap_or_default();
    for parameter in &all {
        let (key, value) =
            (parameter["Key"].as_str().unwrap_or_default(), parameter["Value"].as_str().unwrap_or_default());
        input::length("ProvisioningParameters.Key", key, 1, 1000)?;
        input::length("ProvisioningParameters.Value", value, 0, 4096)?;
        if key == "SageMakerProjectName" || key == "SageMakerProjectId" {
            return Err(invalid(format!("Parameter {key} is filled in by SageMaker and cannot be given.")));
        }
    }
    all.push(json!({"Key": "SageMakerProjectName", "Value": name}));
    all.push(json!({"Key": "SageMakerProjectId", "Value": id}));
    Ok(all)
}

/// The newest version of a product, which AWS takes where none is named.
fn newest_artifact(world: &mut World, call: &Call<'_>, product: &str) -> Result<String, Refusal> {
    let listed = catalog(world, call, "ListProvisioningArtifacts", &json!({"ProductId": product}))?;
    let artifacts = listed["ProvisioningArtifactDetails"].as_array().cloned().unwrap_or_default();
    let age = |artifact: &Value| artifact["CreatedTime"].as_f64().unwrap_or_default();
    let newest = artifacts.iter().max_by(|a, b| age(a).total_cmp(&age(b)));
    newest
        .and_then(|artifact| artifact["Id"].as_str())
        .map(ToOwned::to_owned)
        .ok_or_else(|| invalid(format!("Product {product} has no provisioning artifact.")))
}

fn tag_list(tags: &std::collections::BTreeMap<String, String>) -> Vec<Value> {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, name) = (world.now, call.text("ProjectName").to_owned());
    let arn = arn(call, "project", &name);
    let taken = |kept: &Kept<Project>| kept.truth().is_some_and(|project| project.status != "DeleteCompleted");
    if state(world, call).projects.get(&name).is_some_and(taken) {
        return Err(invalid(format!("Project already exists: {arn}")));
    }
    let tags = input::tags(call)?;
    let details = &call.input["ServiceCatalogProvisioningDetails"];
    let Some(product) = details["ProductId"].as_str() else {
        return Err(invalid(
            "ServiceCatalogProvisioningDetails with a ProductId is required: no other template provider is played.",
        ));
    };
    let artifact = match details["ProvisioningArtifactId"].as_str() {
        Some(id) => id.to_owned(),
        None => newest_artifact(world, call, product)?,
    };
    let id = format!("p-{}", world.ids.next(12));
    let mut provision = json!({
        "ProductId": product,
        "ProvisioningArtifactId": artifact,
        "ProvisionedProductName": format!("{name}-{id}"),
        "ProvisionToken": world.ids.uuid(),
        "ProvisioningParameters": parameters(&details["ProvisioningParameters"], &name, &id)?,
        "Tags": tag_list(&tags),
    });
    if let Some(path) = details["PathId"].as_str() {
        provision["PathId"] = json!(path);
    }
    let record = catalog(world, call, "ProvisionProduct", &provision)?;
    let mut provisioning = details.clone();
    provisioning["ProvisioningArtifactId"] = json!(artifact);
    let project = Project {
        name: name.clone(),
        arn: arn.clone(),
        id: id.clone(),
        description: call.text("ProjectDescription").to_owned(),
        status: "Pending".to_owned(),
        message: String::new(),
        provisioning,
        provisioned_id: record["RecordDetail"]["ProvisionedProductId"].as_str().unwrap_or_default().to_owned(),
        actor: call.caller.clone(),
        created_by: call.caller.arn.clone(),
        modified_by: call.caller.arn.clone(),
        modified: now,
        started: now,
    };
    let state = state(world, call);
    state.projects.insert(name.clone(), Kept::new(project, now));
    state.tags.insert(arn.clone(), tags);
    project_progress::follow(world, &call.caller.account, call.region, &name);
    Ok(json!({"ProjectArn": arn, "ProjectId": id}))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay, name) = (world.now, world.settings.read_after_write, call.text("ProjectName"));
    let kept = state(world, call).projects.get(name).ok_or_else(|| missing(call, name))?;
    let project = kept.seen(now, delay).ok_or_else(|| missing(call, name))?;
    let message = Some(&project.message).filter(|message| !message.is_empty());
    Ok(json!({
        "ProjectArn": project.arn, "ProjectName": project.name, "ProjectId": project.id,
        "ProjectDescription": Some(&project.description).filter(|text| !text.is_empty()),
        "ProjectStatus": project.status,
        "ServiceCatalogProvisioningDetails": project.provisioning,
        "ServiceCatalogProvisionedProductDetails": {
            "ProvisionedProductId": project.provisioned_id, "ProvisionedProductStatusMessage": message},
        "CreatedBy": {"IamIdentity": {"Arn": project.created_by}}, "CreationTime": seconds(kept.created),
        "LastModifiedBy": {"IamIdentity": {"Arn": project.modified_by}}, "LastModifiedTime": seconds(project.modified),
    }))
}

/// The project that a call names, if it exists and nothing is being done to it.
fn idle(world: &mut World, call: &Call<'_>, verb: &str) -> Result<Project, Refusal> {
    let name = call.text("ProjectName");
    let project = state(world, call).projects.get(name).and_then(Kept::truth).cloned();
    let project = project.ok_or_else(|| missing(call, name))?;
    if project.in_progress() {
        return Err(Refusal::new("ConflictException", format!("Cannot {verb} Project in {} status", project.status)));
    }
    if project.status == "DeleteCompleted" {
        return Err(invalid(format!("Cannot {verb} Project in {} status", project.status)));
    }
    Ok(project)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let project = idle(world, call, "update")?;
    let details = &call.input["ServiceCatalogProvisioningUpdateDetails"];
    if !call.list("Tags").is_empty() {
        return Err(invalid(
            "Tags cannot be updated: the product has no RESOURCE_UPDATE constraint that allows tag updates.",
        ));
    }
    let mut provisioning = project.provisioning.clone();
    if details.is_object() {
        let product = provisioning["ProductId"].as_str().unwrap_or_default().to_owned();
        let artifact = match details["ProvisioningArtifactId"].as_str() {
            Some(id) => id.to_owned(),
            None => newest_artifact(world, call, &product)?,
        };
        let mut request = json!({
            "ProvisionedProductId": project.provisioned_id,
            "ProductId": product,
            "ProvisioningArtifactId": artifact,
            "UpdateToken": world.ids.uuid(),
            "ProvisioningParameters": parameters(&details["ProvisioningParameters"], &project.name, &project.id)?,
        });
        if let Some(path) = provisioning["PathId"].as_str() {
            request["PathId"] = json!(path);
        }
        catalog(world, call, "UpdateProvisionedProduct", &request)?;
        provisioning["ProvisioningArtifactId"] = json!(artifact);
        provisioning["ProvisioningParameters"] = details["ProvisioningParameters"].clone();
    }
    let status = if details.is_object() { "UpdateInProgress" } else { "UpdateCompleted" };
    let (now, delay) = (world.now, world.settings.read_after_write);
    let description = call.input["ProjectDescription"].as_str().map(ToOwned::to_owned);
    if let Some(kept) = state(world, call).projects.get_mut(&project.name) {
        kept.change(now, delay, |project| {
            // A change of the description alone does not undo the failure of an earlier update.
            if details.is_object() || project.status != "UpdateFailed" {
                project.status = status.to_owned();
                project.message.clear();
            }
            project.description = description.unwrap_or_else(|| project.description.clone());
            project.provisioning = provisioning;
            started(project, call, now);
        });
    }
    if details.is_object() {
        project_progress::follow(world, &call.caller.account, call.region, &project.name);
    }
    Ok(json!({"ProjectArn": project.arn}))
}

fn started(project: &mut Project, call: &Call<'_>, now: jiff::Timestamp) {
    project.actor = call.caller.clone();
    project.modified_by.clone_from(&call.caller.arn);
    project.modified = now;
    project.started = now;
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let project = idle(world, call, "delete")?;
    let request = json!({"ProvisionedProductId": project.provisioned_id, "TerminateToken": world.ids.uuid()});
    match catalog(world, call, "TerminateProvisionedProduct", &request) {
        // What was provisioned is already gone: only the project is left to delete.
        Err(refusal) if refusal.message.contains("not found") => {}
        other => drop(other?),
    }
    let (now, delay) = (world.now, world.settings.read_after_write);
    if let Some(kept) = state(world, call).projects.get_mut(&project.name) {
        kept.change(now, delay, |project| {
            project.status = "DeleteInProgress".to_owned();
            project.message.clear();
            started(project, call, now);
        });
    }
    project_progress::follow(world, &call.caller.account, call.region, &project.name);
    Ok(Value::Null)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag) = (world.now, world.settings.list_lag);
    let rows = state(world, call).projects.values().filter_map(|kept| {
        let project = kept.listed(now, lag)?;
        let summary = json!({"ProjectName": project.name, "ProjectArn": project.arn, "ProjectId": project.id,
            "ProjectDescription": Some(&project.description).filter(|text| !text.is_empty()),
            "CreationTime": seconds(kept.created), "ProjectStatus": project.status});
        let shown = project.status != "DeleteCompleted";
        shown.then(|| Row { name: project.name.clone(), created: kept.created, modified: project.modified, summary })
    });
    lists::answer(call, rows.collect(), "ProjectSummaryList", "CreationTime")
}
