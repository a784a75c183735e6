//! Secrets Manager: secrets with their versions, found by name, ARN or an ARN without its random suffix, and deleted
//! at once or after a recovery window. Values leave by GetSecretValue alone; a dump shows their SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Call, Outcome, Refusal};
use crate::world::World;

mod list;
mod passwords;
mod policies;
mod stages;
#[cfg(test)]
mod tests;

/// What exists in one account and region: secrets by name.
#[derive(Clone, Debug, Default)]
pub struct State {
    secrets: BTreeMap<String, SecretEntry>,
    /// When secrets that are gone for good went: lists show them a while longer.
    deleted: BTreeMap<String, (Timestamp, SecretEntry)>,
}

/// A secret.
#[derive(Clone, Debug)]
struct SecretEntry {
    arn: String,
    name: String,
    description: String,
    kms_key: String,
    tags: BTreeMap<String, String>,
    /// The resource policy, as JSON text.
    policy: Option<String>,
    /// The versions, oldest first; the last one with the stage AWSCURRENT counts.
    versions: Vec<SecretVersion>,
    created: Timestamp,
    changed: Timestamp,
    /// Set while the recovery window runs: when it was asked for, and when it ends.
    deletion: Option<(Timestamp, Timestamp)>,
}

#[derive(Clone, Debug)]
struct SecretVersion {
    id: String,
    value: SecretValue,
    /// Its staging labels, in order.
    stages: BTreeSet<String>,
    created: Timestamp,
}

#[derive(Clone, Debug, PartialEq)]
enum SecretValue {
    Text(String),
    /// Base64, as it stands in the request.
    Binary(String),
}

impl SecretEntry {
    fn current(&self) -> Option<&SecretVersion> {
        self.versions.iter().rev().find(|version| version.stages.contains(stages::CURRENT))
    }
}

impl State {
    /// What bears tags here, without secrets that are to be deleted.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        let kept = self.secrets.values().filter(|secret| secret.deletion.is_none());
        kept.map(|secret| (secret.arn.clone(), secret.tags.clone())).collect()
    }

    /// Everything that exists, for the dump; the current value as its SHA-256.
    pub fn dump(&self) -> Value {
        let shown = |secret: &SecretEntry| {
            let sum = secret.current().map(|version| match &version.value {
                SecretValue::Text(text) | SecretValue::Binary(text) => hex::encode(Sha256::digest(text)),
            });
            json!({
                "arn": secret.arn, "name": secret.name, "description": secret.description, "tags": secret.tags,
                "kmsKey": secret.kms_key, "policy": secret.policy, "valueSha256": sum, "deleting": secret.deletion.is_some(),
            })
        };
        self.secrets.values().map(shown).collect()
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    sweep(world, call);
    match call.operation {
        "CreateSecret" => create(world, call),
        "DescribeSecret" => Ok(describe(readable(world, call)?)),
        "GetSecretValue" => get_value(world, call),
        "PutSecretValue" => put_value(world, call),
        "UpdateSecret" => update(world, call),
        "DeleteSecret" => delete(world, call),
        "RestoreSecret" => restore(world, call),
        "ListSecrets" => list::list(world, call),
        "TagResource" => {
            let added = tags(call)?;
            writable(world, call)?.tags.extend(added);
            Ok(json!({}))
        }
        "UntagResource" => {
            let keys: Vec<&str> = call.list("TagKeys").iter().filter_map(Value::as_str).collect();
            writable(world, call)?.tags.retain(|key, _| !keys.contains(&key.as_str()));
            Ok(json!({}))
        }
        "GetRandomPassword" => passwords::random(world, call),
        "PutResourcePolicy" => policies::put(world, call),
        "GetResourcePolicy" => policies::get(world, call),
        "DeleteResourcePolicy" => policies::delete(world, call),
        other => Err(Refusal::new("UnknownOperationException", format!("{other} is not known here"))),
    }
}

fn younger(now: Timestamp, moment: Timestamp, delay: Duration) -> bool {
    Duration::try_from(now.duration_since(moment)).unwrap_or_default() < delay
}

fn state<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut State {
    &mut world.region(&call.caller.account, call.region).secrets
}

/// Removes what has outlived its recovery window.
fn sweep(world: &mut World, call: &Call<'_>) {
    let now = world.now;
    state(world, call).secrets.retain(|_, secret| secret.deletion.is_none_or(|(_, end)| end > now));
}

fn not_found() -> Refusal {
    Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn invalid_request(message: &str) -> Refusal {
    Refusal::new("InvalidRequestException", message)
}

fn marked_for_deletion() -> Refusal {
    invalid_request("You can't perform this operation on the secret because it was marked for deletion.")
}

fn invalid_parameter(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

/// The name behind a secret's id: the name itself, its ARN, or its ARN without the suffix of six characters.
fn name_of(state: &State, id: &str) -> Option<String> {
    let fits = |secret: &&SecretEntry| {
        secret.name == id || secret.arn == id || secret.arn.get(..secret.arn.len() - 7) == Some(id)
    };
    state.secrets.values().find(fits).map(|secret| secret.name.clone())
}

fn id<'a>(call: &Call<'a>) -> Result<&'a str, Refusal> {
    match call.input["SecretId"].as_str() {
        None | Some("") => Err(invalid_parameter("You must provide a SecretId.")),
        Some(id) => Ok(id),
    }
}

fn readable<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w SecretEntry, Refusal> {
    let (now, lag) = (world.now, world.settings.read_after_write);
    let state = state(world, call);
    let name = name_of(state, id(call)?).ok_or_else(not_found)?;
    state.secrets.get(&name).filter(|secret| !younger(now, secret.created, lag)).ok_or_else(not_found)
}

/// The secret, unless it is about to go.
fn writable<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut SecretEntry, Refusal> {
    let state = state(world, call);
    let name = name_of(state, id(call)?).ok_or_else(not_found)?;
    let secret = state.secrets.get_mut(&name).ok_or_else(not_found)?;
    if secret.deletion.is_some() {
        return Err(marked_for_deletion());
    }
    Ok(secret)
}

fn tags(call: &Call<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
    let tags: BTreeMap<String, String> =
        call.list("Tags").iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect();
    let bad = |(key, value): &(&String, &String)| {
        key.is_empty() || key.starts_with("aws:") || key.chars().count() > 128 || value.chars().count() > 256
    };
    match tags.iter().find(bad) {
        Some((key, _)) => Err(invalid_parameter(format!("Invalid tag key: {key}"))),
        None if tags.len() > 50 => Err(invalid_parameter("A secret can have at most 50 tags.")),
        None => Ok(tags),
    }
}

fn value(call: &Call<'_>) -> Result<Option<SecretValue>, Refusal> {
    let text = call.input.get("SecretString").and_then(Value::as_str);
    let binary = call.input.get("SecretBinary").and_then(Value::as_str);
    match (text, binary) {
        (Some(_), Some(_)) => Err(invalid_parameter(
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )),
        (Some(text), None) if text.is_empty() || text.len() > 65_536 => {
            Err(invalid_parameter("SecretString must have between 1 and 65536 bytes."))
        }
        (Some(text), None) => Ok(Some(SecretValue::Text(text.to_owned()))),
        (None, Some(base64)) => match base64::engine::general_purpose::STANDARD.decode(base64) {
            Ok(_) => Ok(Some(SecretValue::Binary(base64.to_owned()))),
            Err(_) => Err(invalid_parameter("SecretBinary is not Base64.")),
        },
        (None, None) => Ok(None),
    }
}

/// Adds a version, to which these staging labels move; the same token again changes nothing.
fn add_version(
    secret: &mut SecretEntry,
    id: String,
    value: SecretValue,
    labels: BTreeSet<String>,
    now: Timestamp,
) -> Result<(), Refusal> {
    if let Some(version) = secret.versions.iter().find(|version| version.id == id) {
        return match version.value == value {
            true => Ok(()),
            false => Err(Refusal::new(
                "ResourceExistsException",
                "You can't use this ClientRequestToken because it belongs to a version with another value.",
            )),
        };
    }
    let labels = stages::given_up(&mut secret.versions, labels);
    secret.versions.push(SecretVersion { id, value, stages: labels, created: now });
    secret.changed = now;
    Ok(())
}

fn token(world: &mut World, call: &Call<'_>) -> String {
    match call.text("ClientRequestToken") {
        "" => world.ids.uuid(),
        token => token.to_owned(),
    }
}

fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.text("Name").to_owned();
    let good = |sign: char| sign.is_ascii_alphanumeric() || "/_+=.@-".contains(sign);
    if !(1..=512).contains(&name.len()) || !name.chars().all(good) {
        return Err(invalid_parameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    let (tags, value) = (tags(call)?, value(call)?);
    let (now, version, suffix) = (world.now, token(world, call), world.ids.next(6));
    let account = &call.caller.account;
    let arn = format!("arn:aws:secretsmanager:{}:{account}:secret:{name}-{suffix}", call.region);
    let state = state(world, call);
    if let Some(existing) = state.secrets.get(&name) {
        // CreateSecret is idempotent by its token, as long as value and secret are the same.
        let same = existing.versions.iter().any(|it| it.id == version && Some(&it.value) == value.as_ref());
        if same {
            return Ok(json!({ "ARN": existing.arn, "Name": name, "VersionId": version }));
        }
        return Err(match existing.deletion {
            Some(_) => invalid_request(
                "You can't create this secret because a secret with this name is already scheduled for deletion.",
            ),
            None => Refusal::new(
                "ResourceExistsException",
                format!("The operation failed because the secret {name} already exists."),
            ),
        });
    }
    let mut secret = SecretEntry {
        arn: arn.clone(),
        name: name.clone(),
        description: call.text("Description").to_owned(),
        kms_key: call.text("KmsKeyId").to_owned(),
        tags,
        policy: None,
        versions: Vec::new(),
        created: now,
        changed: now,
        deletion: None,
    };
    let has_value = value.is_some();
    if let Some(value) = value {
        add_version(&mut secret, version.clone(), value, stages::current(), now)?;
    }
    state.secrets.insert(name.clone(), secret);
    Ok(json!({ "ARN": arn, "Name": name, "VersionId": if has_value { json!(version) } else { Value::Null } }))
}

fn seconds(moment: Timestamp) -> Value {
    json!(moment.as_millisecond() as f64 / 1000.0)
}

fn describe(secret: &SecretEntry) -> Value {
    details(secret, "VersionIdsToStages")
}

fn details(secret: &SecretEntry, versions_member: &str) -> Value {
    let stages: BTreeMap<&String, &BTreeSet<String>> = secret
        .versions
        .iter()
        .filter(|version| !version.stages.is_empty())
        .map(|version| (&version.id, &version.stages))
        .collect();
    let text = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    json!({
        "ARN": secret.arn, "Name": secret.name, "Description": text(&secret.description), "KmsKeyId": text(&secret.kms_key),
        "CreatedDate": seconds(secret.created), "LastChangedDate": seconds(secret.changed),
        "DeletedDate": secret.deletion.map(|(asked, _)| seconds(asked)),
        "Tags": secret.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Value>(),
        versions_member: stages,
    })
}

fn get_value(world: &mut World, call: &Call<'_>) -> Outcome {
    let secret = readable(world, call)?;
    if secret.deletion.is_some() {
        return Err(marked_for_deletion());
    }
    let version = stages::found(&secret.versions, call.text("VersionId"), call.text("VersionStage"))?;
    let (text, binary) = match &version.value {
        SecretValue::Text(text) => (Some(text), None),
        SecretValue::Binary(base64) => (None, Some(base64)),
    };
    Ok(json!({
        "ARN": secret.arn, "Name": secret.name, "VersionId": version.id, "VersionStages": version.stages,
        "CreatedDate": seconds(version.created), "SecretString": text, "SecretBinary": binary,
    }))
}

fn put_value(world: &mut World, call: &Call<'_>) -> Outcome {
    let value =
        value(call)?.ok_or_else(|| invalid_parameter("You must provide either SecretString or SecretBinary."))?;
    let labels = stages::wanted(call)?;
    let (now, version) = (world.now, token(world, call));
    let secret = writable(world, call)?;
    add_version(secret, version.clone(), value, labels, now)?;
    let labels = secret.versions.iter().find(|one| one.id == version).map(|one| &one.stages);
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version, "VersionStages": labels }))
}

fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let value = value(call)?;
    let (now, version) = (world.now, token(world, call));
    let secret = writable(world, call)?;
    if let Some(text) = call.input.get("Description").and_then(Value::as_str) {
        text.clone_into(&mut secret.description);
    }
    if let Some(text) = call.input.get("KmsKeyId").and_then(Value::as_str) {
        text.clone_into(&mut secret.kms_key);
    }
    let changed = value.is_some();
    if let Some(value) = value {
        add_version(secret, version.clone(), value, stages::current(), now)?;
    }
    Ok(json!({
        "ARN": secret.arn, "Name": secret.name, "VersionId": if changed { json!(version) } else { Value::Null },
    }))
}

fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let force = call.input.get("ForceDeleteWithoutRecovery").is_some_and(|flag| *flag == json!(true));
    let window = call.input.get("RecoveryWindowInDays").and_then(Value::as_i64);
    let days = window.unwrap_or(30);
    if (force && window.is_some()) || !(7..=30).contains(&days) {
        let message = "You can use either ForceDeleteWithoutRecovery, or RecoveryWindowInDays between 7 and 30 days.";
        return Err(invalid_parameter(message));
    }
    let now = world.now;
    let end = if force { now } else { now.checked_add((days * 24).hours()).unwrap_or(Timestamp::MAX) };
    let state = state(world, call);
    let Some(name) = name_of(state, id(call)?) else {
        // Without recovery a secret that is not there counts as deleted (DeleteSecret API reference).
        return if force { Ok(json!({ "Name": id(call)?, "DeletionDate": seconds(now) })) } else { Err(not_found()) };
    };
    let secret = state.secrets.get_mut(&name).ok_or_else(not_found)?;
    secret.deletion = Some((now, end));
    let answer = json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(end) });
    if force && let Some(gone) = state.secrets.remove(&name) {
        state.deleted.insert(name, (now, gone));
    }
    Ok(answer)
}

fn restore(world: &mut World, call: &Call<'_>) -> Outcome {
    let state = state(world, call);
    let name = name_of(state, id(call)?).ok_or_else(not_found)?;
    let secret = state.secrets.get_mut(&name).ok_or_else(not_found)?;
    secret.deletion = None;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
}
