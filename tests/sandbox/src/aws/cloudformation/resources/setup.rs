//! What an account is set up with once: managed policies, users, instance profiles and Git connections. Apart from the
//! types that projects are made of. Connections are made in their own service; the others are records of
//! CloudFormation's own, of which the IAM here knows managed policies and users.

use serde_json::{Value, json};

use super::plain::{forget, record, replace};
use super::{Kind, Place, Service, document, made, named, tags, text};
use crate::aws::cloudformation::evaluate::{Made, partition};
use crate::aws::iam::Person;
use crate::world::World;

const CONNECTIONS: Service = Service { name: "CodeConnections", call: crate::aws::code_connections::call };
const POLICY: &str = "AWS::IAM::ManagedPolicy";
const USER: &str = "AWS::IAM::User";
const PROFILE: &str = "AWS::IAM::InstanceProfile";

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: POLICY,
        properties: &["ManagedPolicyName", "Description", "Path", "PolicyDocument", "Roles", "Users", "Groups"],
        required: &["PolicyDocument"],
        replaced_by: &["ManagedPolicyName", "Description", "Path"],
        attributes: &["PolicyArn"],
        tagged: false,
        create: |world, place, properties| {
            let name = named(world, place, properties, "ManagedPolicyName", 128);
            record(world, place, POLICY, &name, properties, 128, SIGNS)?;
            world.iam.set_managed_policy(&arn(place, "policy", &name), content(properties));
            Ok(policy(place, &name))
        },
        update: |world, place, arn, _, new| {
            replace(world, place, POLICY, last(arn), new);
            world.iam.set_managed_policy(arn, content(new));
            Ok(policy(place, last(arn)))
        },
        delete: |world, place, arn, _| {
            if world.iam.bounds_someone(arn) {
                return Err("Resource handler returned message: \"Cannot delete a policy attached to entities.\" (HandlerErrorCode: ResourceConflict)".into());
            }
            world.iam.set_managed_policy(arn, None);
            forget(world, place, POLICY, last(arn))
        },
    },
    Kind {
        name: USER,
        properties: &["UserName", "Path", "ManagedPolicyArns", "Policies", "Groups", "Tags"],
        required: &[],
        replaced_by: &["UserName"],
        attributes: &["Arn"],
        tagged: true,
        create: |world, place, properties| {
            let name = named(world, place, properties, "UserName", 64);
            record(world, place, USER, &name, properties, 64, SIGNS)?;
            Ok(user(world, place, &name, properties))
        },
        update: |world, place, name, _, new| {
            replace(world, place, USER, name, new);
            Ok(user(world, place, name, new))
        },
        delete: |world, place, name, _| {
            world.iam.set_user(place.account, name, None);
            forget(world, place, USER, name)
        },
    },
    Kind {
        name: PROFILE,
        properties: &["InstanceProfileName", "Path", "Roles"],
        required: &["Roles"],
        replaced_by: &["InstanceProfileName", "Path"],
        attributes: &["Arn"],
        tagged: false,
        create: |world, place, properties| {
            let name = named(world, place, properties, "InstanceProfileName", 128);
            record(world, place, PROFILE, &name, properties, 128, SIGNS)?;
            Ok(thing(place, "instance-profile", &name))
        },
        update: |world, place, name, _, new| {
            replace(world, place, PROFILE, name, new);
            Ok(thing(place, "instance-profile", name))
        },
        delete: |world, place, name, _| forget(world, place, PROFILE, name),
    },
    Kind {
        name: "AWS::CodeConnections::Connection",
        properties: &["ConnectionName", "ProviderType", "HostArn", "Tags"],
        required: &["ConnectionName"],
        replaced_by: &["ConnectionName", "ProviderType", "HostArn"],
        attributes: &["ConnectionArn", "ConnectionStatus", "OwnerAccountId"],
        tagged: true,
        create: connect,
        update: |world, place, arn, _, new| {
            CONNECTIONS.ask(world, place, "TagResource", &json!({"ResourceArn": arn, "Tags": tags(new)}))?;
            connection(world, place, arn)
        },
        delete: |world, place, arn, _| {
            CONNECTIONS.retire(world, place, "DeleteConnection", &json!({"ConnectionArn": arn}))
        },
    },
];

/// What names in IAM may have besides letters and digits.
const SIGNS: &str = "_+=,.@-";

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn arn(place: &Place<'_>, kind: &str, name: &str) -> String {
    format!("arn:{}:iam::{}:{kind}/{name}", partition(place.region).0, place.account)
}

/// A managed policy is known by its ARN, users and profiles by their names.
fn policy(place: &Place<'_>, name: &str) -> Made {
    let arn = arn(place, "policy", name);
    made(arn.clone(), &[("PolicyArn", json!(arn))])
}

/// What the policy says, for IAM, which asks it where the policy is a boundary.
fn content(properties: &Value) -> Option<Value> {
    document(properties, "PolicyDocument").map(|text| serde_json::from_str(&text).unwrap_or_default())
}

/// Makes the user known to IAM, and gives its name and ARN.
fn user(world: &mut World, place: &Place<'_>, name: &str, properties: &Value) -> Made {
    let path = text(properties, "Path").unwrap_or_else(|| "/".to_owned());
    let made = thing(place, &format!("user{}", path.trim_end_matches('/')), name);
    let person = Person { path, created: world.now, tags: tags(properties) };
    world.iam.set_user(place.account, name, Some(person));
    made
}

fn thing(place: &Place<'_>, kind: &str, name: &str) -> Made {
    made(name, &[("Arn", json!(arn(place, kind, name)))])
}

fn connect(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    if properties.get("HostArn").is_some() {
        return Err("Resource handler returned message: \"The sandbox has no hosts of Git providers\" (HandlerErrorCode: InvalidRequest)".into());
    }
    let input = json!({
        "ConnectionName": text(properties, "ConnectionName"),
        "ProviderType": text(properties, "ProviderType"),
        "Tags": tags(properties),
    });
    let reply = CONNECTIONS.ask(world, place, "CreateConnection", &input)?;
    connection(world, place, reply["ConnectionArn"].as_str().unwrap_or_default())
}

fn connection(world: &mut World, place: &Place<'_>, arn: &str) -> Result<Made, String> {
    let reply = CONNECTIONS.ask(world, place, "GetConnection", &json!({"ConnectionArn": arn}))?;
    let found = &reply["Connection"];
    let attributes =
        ["ConnectionArn", "ConnectionStatus", "OwnerAccountId"].map(|attribute| (attribute, found[attribute].clone()));
    Ok(made(arn, &attributes))
}
