//! `AWS::SageMaker::CodeRepository` and `AWS::SageMaker::ModelPackageGroup`.

use serde_json::{Value, json};

use super::{Kind, Place, Service, dropped_tags, made, named, tags, text};
use crate::aws::cloudformation::evaluate::Made;
use crate::world::World;

const SAGEMAKER: Service = Service { name: "SageMaker", call: crate::aws::sagemaker::call };

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::SageMaker::CodeRepository",
        properties: &["CodeRepositoryName", "GitConfig", "Tags"],
        required: &["GitConfig"],
        // As the CloudFormation reference has it; the secret alone changes in place.
        replaced_by: &["CodeRepositoryName", "GitConfig.RepositoryUrl", "GitConfig.Branch"],
        attributes: &["CodeRepositoryName"],
        tagged: true,
        create: create_repository,
        update: update_repository,
        delete: delete_repository,
    },
    Kind {
        name: "AWS::SageMaker::ModelPackageGroup",
        properties: &["ModelPackageGroupName", "ModelPackageGroupDescription", "Tags"],
        required: &["ModelPackageGroupName"],
        replaced_by: &["ModelPackageGroupName", "ModelPackageGroupDescription"],
        attributes: &["ModelPackageGroupArn", "ModelPackageGroupStatus"],
        tagged: true,
        create: create_group,
        update: update_group,
        delete: delete_group,
    },
];

/// The last part of an ARN.
fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn retag(world: &mut World, place: &Place<'_>, arn: &str, old: &Value, new: &Value) -> Result<(), String> {
    let dropped = dropped_tags(old, new);
    if !dropped.is_empty() {
        SAGEMAKER.ask(world, place, "DeleteTags", &json!({"ResourceArn": arn, "TagKeys": dropped}))?;
    }
    if old.get("Tags") != new.get("Tags") && new.get("Tags").is_some() {
        SAGEMAKER.ask(world, place, "AddTags", &json!({"ResourceArn": arn, "Tags": tags(new)}))?;
    }
    Ok(())
}

fn create_repository(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = named(world, place, properties, "CodeRepositoryName", 63);
    let input = json!({"CodeRepositoryName": name, "GitConfig": properties["GitConfig"], "Tags": tags(properties)});
    let reply = SAGEMAKER.ask(world, place, "CreateCodeRepository", &input)?;
    Ok(made(reply["CodeRepositoryArn"].as_str().unwrap_or_default(), &[("CodeRepositoryName", json!(name))]))
}

fn update_repository(
    world: &mut World,
    place: &Place<'_>,
    arn: &str,
    old: &Value,
    new: &Value,
) -> Result<Made, String> {
    let name = name_of(arn);
    let (before, after) = (&old["GitConfig"], &new["GitConfig"]);
    if before != after {
        let input = json!({"CodeRepositoryName": name, "GitConfig": {"SecretArn": after["SecretArn"]}});
        SAGEMAKER.ask(world, place, "UpdateCodeRepository", &input)?;
    }
    retag(world, place, arn, old, new)?;
    Ok(made(arn, &[("CodeRepositoryName", json!(name))]))
}

fn delete_repository(world: &mut World, place: &Place<'_>, arn: &str, _properties: &Value) -> Result<(), String> {
    SAGEMAKER.retire(world, place, "DeleteCodeRepository", &json!({"CodeRepositoryName": name_of(arn)}))
}

fn group(arn: &str) -> Made {
    made(arn, &[("ModelPackageGroupArn", json!(arn)), ("ModelPackageGroupStatus", json!("Completed"))])
}

fn create_group(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let input = json!({
        "ModelPackageGroupName": text(properties, "ModelPackageGroupName"),
        "ModelPackageGroupDescription": text(properties, "ModelPackageGroupDescription"),
        "Tags": tags(properties),
    });
    let reply = SAGEMAKER.ask(world, place, "CreateModelPackageGroup", &input)?;
    Ok(group(reply["ModelPackageGroupArn"].as_str().unwrap_or_default()))
}

fn update_group(world: &mut World, place: &Place<'_>, arn: &str, old: &Value, new: &Value) -> Result<Made, String> {
    retag(world, place, arn, old, new)?;
    Ok(group(arn))
}

fn delete_group(world: &mut World, place: &Place<'_>, arn: &str, _properties: &Value) -> Result<(), String> {
    SAGEMAKER.retire(world, place, "DeleteModelPackageGroup", &json!({"ModelPackageGroupName": name_of(arn)}))
}
