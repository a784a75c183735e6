//! `AWS::IAM::Role` and `AWS::IAM::Policy`.

use serde_json::{Value, json};

use super::{Kind, Place, Service, document, dropped_tags, made, named, number, tags, text};
use crate::aws::cloudformation::evaluate::Made;
use crate::world::World;

const IAM: Service = Service { name: "Iam", call: crate::aws::iam::call };

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::IAM::Role",
        properties: &[
            "RoleName",
            "AssumeRolePolicyDocument",
            "Path",
            "Description",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "ManagedPolicyArns",
            "Policies",
            "Tags",
        ],
        required: &["AssumeRolePolicyDocument"],
        replaced_by: &["RoleName", "Path"],
        attributes: &["Arn", "RoleId"],
        tagged: true,
        create: create_role,
        update: update_role,
        delete: delete_role,
    },
    Kind {
        name: "AWS::IAM::Policy",
        properties: &["PolicyName", "PolicyDocument", "Roles"],
        required: &["PolicyName", "PolicyDocument"],
        replaced_by: &["PolicyName"],
        attributes: &["Id"],
        tagged: false,
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
    },
];

fn items<'a>(properties: &'a Value, property: &str) -> impl Iterator<Item = &'a Value> {
    properties.get(property).and_then(Value::as_array).into_iter().flatten()
}

fn create_role(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = named(world, place, properties, "RoleName", 64);
    let input = json!({
        "RoleName": name,
        "AssumeRolePolicyDocument": document(properties, "AssumeRolePolicyDocument"),
        "Path": text(properties, "Path"),
        "Description": text(properties, "Description"),
        "MaxSessionDuration": number(properties, "MaxSessionDuration")?,
        "PermissionsBoundary": text(properties, "PermissionsBoundary"),
        "Tags": tags(properties),
    });
    let role = IAM.ask(world, place, "CreateRole", &input)?;
    let result = grant(world, place, &name, &Value::Null, properties);
    if result.is_err() {
        // CloudFormation leaves no half-made role behind.
        delete_role(world, place, &name, properties)?;
    }
    result?;
    Ok(made(name, &[("Arn", role["Role"]["Arn"].clone()), ("RoleId", role["Role"]["RoleId"].clone())]))
}

/// Brings inline and attached policies from the old to the new properties.
fn grant(world: &mut World, place: &Place<'_>, role: &str, old: &Value, new: &Value) -> Result<(), String> {
    for policy in items(new, "Policies") {
        let input = json!({"RoleName": role, "PolicyName": text(policy, "PolicyName"), "PolicyDocument": document(policy, "PolicyDocument")});
        IAM.ask(world, place, "PutRolePolicy", &input)?;
    }
    for arn in items(new, "ManagedPolicyArns") {
        IAM.ask(world, place, "AttachRolePolicy", &json!({"RoleName": role, "PolicyArn": arn}))?;
    }
    for policy in items(old, "Policies")
        .filter(|policy| !items(new, "Policies").any(|kept| kept["PolicyName"] == policy["PolicyName"]))
    {
        IAM.retire(world, place, "DeleteRolePolicy", &json!({"RoleName": role, "PolicyName": policy["PolicyName"]}))?;
    }
    for arn in items(old, "ManagedPolicyArns").filter(|arn| !items(new, "ManagedPolicyArns").any(|kept| kept == *arn)) {
        IAM.retire(world, place, "DetachRolePolicy", &json!({"RoleName": role, "PolicyArn": arn}))?;
    }
    Ok(())
}

/// Brings the permissions boundary from the old to the new properties.
fn bound(world: &mut World, place: &Place<'_>, role: &str, old: &Value, new: &Value) -> Result<(), String> {
    let (before, after) = (text(old, "PermissionsBoundary"), text(new, "PermissionsBoundary"));
    match after {
        after if after == before => Ok(()),
        Some(arn) => {
            let input = json!({"RoleName": role, "PermissionsBoundary": arn});
            IAM.ask(world, place, "PutRolePermissionsBoundary", &input).map(drop)
        }
        None => IAM.ask(world, place, "DeleteRolePermissionsBoundary", &json!({"RoleName": role})).map(drop),
    }
}

fn update_role(world: &mut World, place: &Place<'_>, name: &str, old: &Value, new: &Value) -> Result<Made, String> {
    if old.get("AssumeRolePolicyDocument") != new.get("AssumeRolePolicyDocument") {
        let input = json!({"RoleName": name, "PolicyDocument": document(new, "AssumeRolePolicyDocument")});
        IAM.ask(world, place, "UpdateAssumeRolePolicy", &input)?;
    }
    if old.get("Description") != new.get("Description")
        || old.get("MaxSessionDuration") != new.get("MaxSessionDuration")
    {
        let input = json!({
            "RoleName": name,
            "Description": text(new, "Description").unwrap_or_default(),
            "MaxSessionDuration": number(new, "MaxSessionDuration")?.unwrap_or(3600),
        });
        IAM.ask(world, place, "UpdateRole", &input)?;
    }
    bound(world, place, name, old, new)?;
    grant(world, place, name, old, new)?;
    if old.get("Tags") != new.get("Tags") {
        let dropped = dropped_tags(old, new);
        if !dropped.is_empty() {
            IAM.ask(world, place, "UntagRole", &json!({"RoleName": name, "TagKeys": dropped}))?;
        }
        if new.get("Tags").is_some() {
            IAM.ask(world, place, "TagRole", &json!({"RoleName": name, "Tags": tags(new)}))?;
        }
    }
    let role = IAM.ask(world, place, "GetRole", &json!({"RoleName": name}))?;
    Ok(made(name, &[("Arn", role["Role"]["Arn"].clone()), ("RoleId", role["Role"]["RoleId"].clone())]))
}

fn delete_role(world: &mut World, place: &Place<'_>, name: &str, properties: &Value) -> Result<(), String> {
    for policy in items(properties, "Policies") {
        IAM.retire(world, place, "DeleteRolePolicy", &json!({"RoleName": name, "PolicyName": policy["PolicyName"]}))?;
    }
    for arn in items(properties, "ManagedPolicyArns") {
        IAM.retire(world, place, "DetachRolePolicy", &json!({"RoleName": name, "PolicyArn": arn}))?;
    }
    IAM.retire(world, place, "DeleteRole", &json!({"RoleName": name}))
}

fn create_policy(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let id = super::generated(world, place, 128);
    put_policy(world, place, properties)?;
    Ok(made(id.clone(), &[("Id", json!(id))]))
}

fn put_policy(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<(), String> {
    if items(properties, "Roles").next().is_none() {
        return Err("At least one value for Roles must be specified: users and groups are not known here".into());
    }
    for role in items(properties, "Roles") {
        let input = json!({"RoleName": role, "PolicyName": text(properties, "PolicyName"), "PolicyDocument": document(properties, "PolicyDocument")});
        IAM.ask(world, place, "PutRolePolicy", &input)?;
    }
    Ok(())
}

fn update_policy(world: &mut World, place: &Place<'_>, id: &str, old: &Value, new: &Value) -> Result<Made, String> {
    put_policy(world, place, new)?;
    for role in items(old, "Roles").filter(|role| !items(new, "Roles").any(|kept| kept == *role)) {
        IAM.retire(
            world,
            place,
            "DeleteRolePolicy",
            &json!({"RoleName": role, "PolicyName": text(old, "PolicyName")}),
        )?;
    }
    Ok(made(id, &[("Id", json!(id))]))
}

fn delete_policy(world: &mut World, place: &Place<'_>, _id: &str, properties: &Value) -> Result<(), String> {
    for role in items(properties, "Roles") {
        IAM.retire(
            world,
            place,
            "DeleteRolePolicy",
            &json!({"RoleName": role, "PolicyName": text(properties, "PolicyName")}),
        )?;
    }
    Ok(())
}
