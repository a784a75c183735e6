//! `AWS::SecretsManager::Secret`.

use serde_json::{Value, json};

use super::{Kind, Place, Service, dropped_tags, made, named, tags, text};
use crate::aws::cloudformation::evaluate::Made;
use crate::world::World;

const SECRETS: Service = Service { name: "SecretsManager", call: crate::aws::secrets_manager::call };

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::SecretsManager::Secret",
    properties: &["Name", "Description", "SecretString", "KmsKeyId", "Tags"],
    required: &[],
    replaced_by: &["Name"],
    attributes: &["Id"],
    tagged: true,
    create,
    update,
    delete,
}];

fn create(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let input = json!({
        "Name": named(world, place, properties, "Name", 128),
        "Description": text(properties, "Description"),
        "SecretString": text(properties, "SecretString"),
        "KmsKeyId": text(properties, "KmsKeyId"),
        "ClientRequestToken": world.ids.uuid(),
        "Tags": tags(properties),
    });
    let reply = SECRETS.ask(world, place, "CreateSecret", &input)?;
    let arn = reply["ARN"].as_str().unwrap_or_default();
    Ok(made(arn, &[("Id", json!(arn))]))
}

fn update(world: &mut World, place: &Place<'_>, arn: &str, old: &Value, new: &Value) -> Result<Made, String> {
    let changed = ["Description", "SecretString", "KmsKeyId"].iter().any(|key| old.get(key) != new.get(key));
    if changed {
        let input = json!({
            "SecretId": arn,
            "Description": text(new, "Description"),
            "SecretString": text(new, "SecretString"),
            "KmsKeyId": text(new, "KmsKeyId"),
            "ClientRequestToken": world.ids.uuid(),
        });
        SECRETS.ask(world, place, "UpdateSecret", &input)?;
    }
    let dropped = dropped_tags(old, new);
    if !dropped.is_empty() {
        SECRETS.ask(world, place, "UntagResource", &json!({"SecretId": arn, "TagKeys": dropped}))?;
    }
    if old.get("Tags") != new.get("Tags") && new.get("Tags").is_some() {
        SECRETS.ask(world, place, "TagResource", &json!({"SecretId": arn, "Tags": tags(new)}))?;
    }
    Ok(made(arn, &[("Id", json!(arn))]))
}

fn delete(world: &mut World, place: &Place<'_>, arn: &str, _properties: &Value) -> Result<(), String> {
    // CloudFormation's handler leaves no recovery window, so that the name is free again at once.
    SECRETS.retire(world, place, "DeleteSecret", &json!({"SecretId": arn, "ForceDeleteWithoutRecovery": true}))
}
