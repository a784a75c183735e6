//! `AWS::CodeBuild::Project`.

use serde_json::{Map, Value, json};

use super::{Kind, Place, Service, made, named, number, text};
use crate::aws::cloudformation::evaluate::Made;
use crate::world::World;

const CODEBUILD: Service = Service { name: "CodeBuild", call: crate::aws::codebuild::call };

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::CodeBuild::Project",
    properties: &[
        "Name",
        "Description",
        "ServiceRole",
        "Source",
        "Artifacts",
        "Environment",
        "TimeoutInMinutes",
        "QueuedTimeoutInMinutes",
        "LogsConfig",
        "Tags",
    ],
    required: &["ServiceRole", "Source", "Artifacts", "Environment"],
    replaced_by: &["Name"],
    attributes: &["Arn"],
    tagged: true,
    create: create_project,
    update: |world, place, name, _, new| {
        let reply = CODEBUILD.ask(world, place, "UpdateProject", &project(name, new)?)?;
        Ok(made(name, &[("Arn", reply["project"]["arn"].clone())]))
    },
    delete: |world, place, name, _| CODEBUILD.retire(world, place, "DeleteProject", &json!({"name": name})),
}];

fn create_project(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = named(world, place, properties, "Name", 150);
    let reply = CODEBUILD.ask(world, place, "CreateProject", &project(&name, properties)?)?;
    Ok(made(name, &[("Arn", reply["project"]["arn"].clone())]))
}

/// The whole project as the API takes it; what the template leaves out gets its default again.
fn project(name: &str, properties: &Value) -> Result<Value, String> {
    let member = |name: &str| properties.get(name).map_or(Value::Null, api_names);
    Ok(json!({
        "name": name,
        "description": text(properties, "Description").unwrap_or_default(),
        "serviceRole": text(properties, "ServiceRole"),
        "source": member("Source"),
        "artifacts": member("Artifacts"),
        "environment": member("Environment"),
        "timeoutInMinutes": number(properties, "TimeoutInMinutes")?.unwrap_or(60),
        "queuedTimeoutInMinutes": number(properties, "QueuedTimeoutInMinutes")?.unwrap_or(480),
        "logsConfig": properties.get("LogsConfig").map_or_else(|| json!({}), api_names),
        "tags": properties.get("Tags").map_or_else(|| json!([]), api_names),
    }))
}

/// Members as the API names them: `EnvironmentVariables` is `environmentVariables`, but `BuildSpec` is `buildspec`.
fn api_names(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let mut signs = name.chars();
                let first = signs.next().map(|sign| sign.to_ascii_lowercase());
                let name =
                    if name == "BuildSpec" { "buildspec".to_owned() } else { first.into_iter().chain(signs).collect() };
                (name, api_names(value))
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(api_names).collect(),
        other => other.clone(),
    }
}
