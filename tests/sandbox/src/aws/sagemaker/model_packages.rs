//! Model packages: versions in a group, or single ones. Their approval is what sets off the model trigger, through
//! EventBridge. Validation jobs are not played: a package is `Completed` at once.

use serde_json::{Map, Value, json};

use super::lists::{self, Row};
use super::{Kept, arn, input, invalid, model_groups, seconds, state};
use crate::aws::{Call, Outcome, Refusal, events};
use crate::world::World;

/// What a package keeps and shows as it was given.
const KEPT_MEMBERS: &[&str] = &[
    "ModelPackageDescription",
    "InferenceSpecification",
    "MetadataProperties",
    "ModelMetrics",
    "Domain",
    "Task",
    "SamplePayloadUrl",
    "CustomerMetadataProperties",
    "DriftCheckBaselines",
    "SkipModelValidation",
    "SourceUri",
];

/// A model package.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ModelPackage {
    pub arn: String,
    /// Its own name; that of a version is its group's.
    pub name: String,
    pub group: Option<String>,
    pub version: Option<u32>,
    /// `Approved`, `Rejected`, `PendingManualApproval`; none on a package without a group unless given.
    pub approval: Option<String>,
    pub approval_description: Option<String>,
    /// The members that are shown as they were given.
    pub members: Map<String, Value>,
    pub certify: bool,
    pub token: String,
    pub created_by: String,
    pub modified: jiff::Timestamp,
    pub modified_by: String,
}

fn missing(name: &str) -> Refusal {
    invalid(format!("ModelPackage {name} does not exist."))
}

/// The ARN of what `ModelPackageName` or `ModelPackageArn` names: an ARN, `group/version`, or a name.
fn target(call: &Call<'_>, member: &str) -> String {
    let text = call.text(member);
    if text.starts_with("arn:") { text.to_owned() } else { arn(call, "model-package", text) }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let tags = input::tags(call)?;
    let (name, group) = (call.text("ModelPackageName"), model_groups::plain_name(call.text("ModelPackageGroupName")));
    if name.is_empty() == group.is_empty() {
        return Err(invalid("Exactly one of ModelPackageName and ModelPackageGroupName must be provided."));
    }
    let (now, token) = (world.now, call.text("ClientToken"));
    let state = state(world, call);
    let same = |package: &&ModelPackage| !token.is_empty() && package.token == token;
    if let Some(package) = state.packages.values().filter_map(Kept::truth).find(same) {
        return Ok(json!({"ModelPackageArn": package.arn}));
    }
    let version = match (group.is_empty(), state.groups.get_mut(group).filter(|kept| kept.truth().is_some())) {
        (true, _) => None,
        (false, None) => return Err(model_groups::missing(call, group)),
        (false, Some(kept)) => {
            kept.change(now, std::time::Duration::ZERO, |group| group.versions += 1);
            Some(kept.last().versions)
        }
    };
    let arn = arn(call, "model-package", &version.map_or(name.to_owned(), |version| format!("{group}/{version}")));
    if state.packages.get(&arn).is_some_and(|kept| kept.truth().is_some()) {
        return Err(Refusal::new("ConflictException", format!("Model Package already exists: {arn}")));
    }
    let given = |member: &&&str| call.input.get(**member).is_some_and(|value| !value.is_null());
    let members = KEPT_MEMBERS.iter().filter(given).map(|member| ((*member).to_owned(), call.input[*member].clone()));
    let approval = match call.text("ModelApprovalStatus") {
        "" => version.map(|_| "PendingManualApproval".to_owned()),
        status => Some(status.to_owned()),
    };
    let package = ModelPackage {
        arn: arn.clone(),
        name: if version.is_some() { group.to_owned() } else { name.to_owned() },
        group: version.map(|_| group.to_owned()),
        version,
        approval,
        approval_description: None,
        members: members.collect(),
        certify: call.input["CertifyForMarketplace"].as_bool().unwrap_or_default(),
        token: token.to_owned(),
        created_by: call.caller.arn.clone(),
        modified: now,
        modified_by: call.caller.arn.clone(),
    };
    state.packages.insert(arn.clone(), Kept::new(package, now));
    state.tags.insert(arn.clone(), tags);
    publish(world, call, &arn);
    Ok(json!({"ModelPackageArn": arn}))
}

/// The members that descriptions, summaries and events share.
fn shown(kept: &Kept<ModelPackage>, package: &ModelPackage) -> Value {
    json!({"ModelPackageName": package.name, "ModelPackageGroupName": package.group,
        "ModelPackageVersion": package.version, "ModelPackageArn": package.arn,
        "ModelPackageDescription": package.members.get("ModelPackageDescription"),
        "CreationTime": seconds(kept.created), "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": package.approval})
}

/// Tells EventBridge how the package stands now, in the form of "SageMaker Model Package State Change".
fn publish(world: &mut World, call: &Call<'_>, arn: &str) {
    let (now, id) = (world.now, world.ids.uuid());
    let Some(kept) = state(world, call).packages.get(arn) else { return };
    let package = kept.last();
    let mut detail = shown(kept, package);
    for member in ["InferenceSpecification", "MetadataProperties", "ModelMetrics", "CustomerMetadataProperties"] {
        detail[member] = package.members.get(member).cloned().unwrap_or_else(|| json!({}));
    }
    detail["CreationTime"] = json!(kept.created.to_string());
    detail["LastModifiedTime"] = json!(package.modified.to_string());
    detail["CertifyForMarketplace"] = json!(package.certify);
    detail["ModelPackageStatusDetails"] = json!({"ValidationStatuses": [], "ImageScanStatuses": []});
    if let Some(members) = detail.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let event = json!({"version": "0", "id": id, "detail-type": "SageMaker Model Package State Change",
        "source": "aws.sagemaker", "account": call.caller.account, "time": time, "region": call.region,
        "resources": [arn], "detail": detail});
    events::publish(world, &call.caller.account, call.region, &event);
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let arn = target(call, "ModelPackageName");
    let kept = state(world, call).packages.get(&arn).ok_or_else(|| missing(&arn))?;
    let package = kept.seen(now, delay).ok_or_else(|| missing(&arn))?;
    let mut answer = shown(kept, package);
    for (member, value) in &package.members {
        answer[member] = value.clone();
    }
    answer["ModelPackageStatusDetails"] = json!({"ValidationStatuses": [], "ImageScanStatuses": []});
    answer["CertifyForMarketplace"] = json!(package.certify);
    answer["ApprovalDescription"] = json!(package.approval_description);
    answer["CreatedBy"] = json!({"IamIdentity": {"Arn": package.created_by}});
    answer["LastModifiedTime"] = seconds(package.modified);
    answer["LastModifiedBy"] = json!({"IamIdentity": {"Arn": package.modified_by}});
    Ok(answer)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let arn = target(call, "ModelPackageArn");
    let kept = state(world, call).packages.get_mut(&arn).filter(|kept| kept.truth().is_some());
    let kept = kept.ok_or_else(|| missing(&arn))?;
    let status = call.text("ModelApprovalStatus");
    let changes_approval = !status.is_empty() && kept.last().approval.as_deref() != Some(status);
    kept.change(now, delay, |package| {
        if !status.is_empty() {
            package.approval = Some(status.to_owned());
        }
        if let Some(text) = call.input["ApprovalDescription"].as_str() {
            package.approval_description = Some(text.to_owned());
        }
        retitle(package, call);
        package.modified = now;
        package.modified_by.clone_from(&call.caller.arn);
    });
    if changes_approval {
        publish(world, call, &arn);
    }
    Ok(json!({"ModelPackageArn": arn}))
}

/// Applies changes to the customer's own metadata.
fn retitle(package: &mut ModelPackage, call: &Call<'_>) {
    let mut metadata =
        package.members.get("CustomerMetadataProperties").and_then(Value::as_object).cloned().unwrap_or_default();
    metadata.extend(call.input["CustomerMetadataProperties"].as_object().cloned().unwrap_or_default());
    for key in call.list("CustomerMetadataPropertiesToRemove").iter().filter_map(Value::as_str) {
        metadata.remove(key);
    }
    if !metadata.is_empty() || package.members.contains_key("CustomerMetadataProperties") {
        package.members.insert("CustomerMetadataProperties".to_owned(), Value::Object(metadata));
    }
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let arn = target(call, "ModelPackageName");
    let state = state(world, call);
    let kept = state.packages.get_mut(&arn).filter(|kept| kept.truth().is_some());
    kept.ok_or_else(|| missing(&arn))?.delete(now);
    state.tags.remove(&arn);
    Ok(Value::Null)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag) = (world.now, world.settings.list_lag);
    let group = model_groups::plain_name(call.text("ModelPackageGroupName"));
    let state = state(world, call);
    if !group.is_empty() && state.groups.get(group).is_none_or(|kept| kept.truth().is_none()) {
        return Err(model_groups::missing(call, group));
    }
    // Without a group, AWS lists the packages without versions unless told otherwise.
    let kind = match call.text("ModelPackageType") {
        "" if group.is_empty() => "Unversioned",
        "" => "Versioned",
        kind => kind,
    };
    let approval = call.text("ModelApprovalStatus");
    let rows = state.packages.values().filter_map(|kept| {
        let package = kept.listed(now, lag)?;
        let fits = (group.is_empty() || package.group.as_deref() == Some(group))
            && (approval.is_empty() || package.approval.as_deref() == Some(approval))
            && (kind == "Both" || (kind == "Versioned") == package.version.is_some());
        let summary = shown(kept, package);
        fits.then(|| Row { name: package.name.clone(), created: kept.created, modified: package.modified, summary })
    });
    lists::answer(call, rows.collect(), "ModelPackageSummaryList", "CreationTime")
}
