//! SageMaker as far as projects need it: projects launched through Service Catalog, code repositories, the model
//! registry, and the tags of each. Pipelines, endpoints and training are not played and are refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::service_catalog::Kept;
use super::{Call, Outcome, Refusal};
use crate::world::{Due, World};

mod input;
mod lists;
mod model_groups;
mod model_packages;
mod project_progress;
mod projects;
mod repositories;
mod tags;
#[cfg(test)]
mod tests;

pub use model_groups::ModelPackageGroup;
pub use model_packages::ModelPackage;
pub use projects::Project;
pub use repositories::CodeRepository;

/// What exists in one account and region. Deleted things stay in the maps, marked: lists show them a while longer.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// By name. A project that was deleted stays, as `DeleteCompleted`, until its name is used again.
    pub projects: BTreeMap<String, Kept<Project>>,
    /// By name.
    pub repositories: BTreeMap<String, Kept<CodeRepository>>,
    /// By name.
    pub groups: BTreeMap<String, Kept<ModelPackageGroup>>,
    /// By ARN.
    pub packages: BTreeMap<String, Kept<ModelPackage>>,
    /// By the ARN of what is tagged.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
}

impl State {
    /// Everything that exists, without times; projects that are gone are left out.
    pub fn dump(&self) -> Value {
        let tags = |arn: &str| self.tags.get(arn).cloned().unwrap_or_default();
        let alive = |project: &&Project| project.status != "DeleteCompleted";
        let projects: Vec<Value> = self
            .projects
            .values()
            .filter_map(Kept::truth)
            .filter(alive)
            .map(|project| {
                json!({"name": project.name, "arn": project.arn, "id": project.id, "description": project.description,
                "status": project.status, "message": project.message, "provisioning": project.provisioning,
                "provisionedProductId": project.provisioned_id, "tags": tags(&project.arn)})
            })
            .collect();
        let repositories: Vec<Value> = self.repositories.values().filter_map(Kept::truth).map(|repository| {
            json!({"name": repository.name, "arn": repository.arn, "git": repository.git, "tags": tags(&repository.arn)})
        }).collect();
        let groups: Vec<Value> = self.groups.values().filter_map(Kept::truth).map(|group| {
            json!({"name": group.name, "arn": group.arn, "description": group.description, "tags": tags(&group.arn)})
        }).collect();
        let packages: Vec<Value> = self
            .packages
            .values()
            .filter_map(Kept::truth)
            .map(|package| {
                json!({"arn": package.arn, "group": package.group, "version": package.version,
                "approval": package.approval, "members": package.members, "tags": tags(&package.arn)})
            })
            .collect();
        json!({"projects": projects, "codeRepositories": repositories, "modelPackageGroups": groups, "modelPackages": packages})
    }
}

/// Answers one call.
///
/// # Errors
/// As SageMaker refuses: `ValidationException` for most, `ConflictException` while something is in progress or in use,
/// `UnknownOperationException` for what is not played.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    input::check(call)?;
    match call.operation {
        "CreateProject" => projects::create(world, call),
        "DescribeProject" => projects::describe(world, call),
        "UpdateProject" => projects::update(world, call),
        "DeleteProject" => projects::delete(world, call),
        "ListProjects" => projects::list(world, call),
        "AddTags" => tags::add(world, call),
        "DeleteTags" => tags::delete(world, call),
        "ListTags" => tags::list(world, call),
        "CreateCodeRepository" => repositories::create(world, call),
        "DescribeCodeRepository" => repositories::describe(world, call),
        "UpdateCodeRepository" => repositories::update(world, call),
        "DeleteCodeRepository" => repositories::delete(world, call),
        "ListCodeRepositories" => repositories::list(world, call),
        "CreateModelPackageGroup" => model_groups::create(world, call),
        "DescribeModelPackageGroup" => model_groups::describe(world, call),
        "DeleteModelPackageGroup" => model_groups::delete(world, call),
        "ListModelPackageGroups" => model_groups::list(world, call),
        "CreateModelPackage" => model_packages::create(world, call),
        "DescribeModelPackage" => model_packages::describe(world, call),
        "UpdateModelPackage" => model_packages::update(world, call),
        "DeleteModelPackage" => model_packages::delete(world, call),
        "ListModelPackages" => model_packages::list(world, call),
        other => Err(input::unknown_operation(other)),
    }
}

/// Lets a project follow its provisioned product.
pub fn wake(world: &mut World, due: &Due) {
    project_progress::wake(world, due);
}

/// The caller's part of the world.
fn state<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut State {
    &mut world.region(&call.caller.account, call.region).sagemaker
}

/// ARN of a thing in the caller's account and region. The sandbox keeps the case of names.
fn arn(call: &Call<'_>, kind: &str, name: &str) -> String {
    let partition = match call.region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("eusc-") => "aws-eusc",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:sagemaker:{}:{}:{kind}/{name}", call.region, call.caller.account)
}

/// Refused by SageMaker itself.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message)
}

/// A moment as SageMaker's JSON has it: seconds since the epoch.
fn seconds(moment: jiff::Timestamp) -> Value {
    // Milliseconds since the epoch fit a double exactly.
    #[allow(clippy::cast_precision_loss)]
    let seconds = moment.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}
