//! The role operations of the IAM API: create, read, change and delete roles, their policies and tags.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::super::{Call, Outcome, Refusal, page};
use super::access::unique_id;
use super::boundary;
use super::documents::{self, Purpose};
use super::trust::young;
use super::{Role, State};
use crate::world::World;

/// IAM gives policy documents URL-encoded as RFC 3986 has it.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

pub(super) fn required<'a>(call: &Call<'a>, member: &str) -> Result<&'a str, Refusal> {
    match call.input.get(member).and_then(Value::as_str).unwrap_or_default() {
        "" => Err(invalid(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))),
        text => Ok(text),
    }
}

fn role_name<'a>(call: &Call<'a>) -> Result<&'a str, Refusal> {
    name(call, "RoleName", 64)
}

fn name<'a>(call: &Call<'a>, member: &str, longest: usize) -> Result<&'a str, Refusal> {
    let text = required(call, member)?;
    if text.len() > longest {
        return Err(invalid(format!(
            "1 validation error detected: Value '{text}' at '{member}' failed to satisfy constraint: Member must have length less than or equal to {longest}"
        )));
    }
    if !text.chars().all(|sign| sign.is_ascii_alphanumeric() || "_+=,.@-".contains(sign)) {
        return Err(invalid(format!(
            "The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )));
    }
    Ok(text)
}

fn no_such_role(name: &str) -> Refusal {
    Refusal::new("NoSuchEntity", format!("The role with name {name} cannot be found.")).with_status(404)
}

fn no_such_policy(name: &str) -> Refusal {
    Refusal::new("NoSuchEntity", format!("The role policy with name {name} cannot be found.")).with_status(404)
}

/// The role, unless it was made so recently that reads do not show it yet.
fn readable<'w>(world: &'w World, call: &Call<'_>) -> Result<&'w Role, Refusal> {
    let name = role_name(call)?;
    let role = world.iam.role(&call.caller.account, name).ok_or_else(|| no_such_role(name))?;
    if young(world, &role.arn(), world.settings.read_after_write) {
        return Err(no_such_role(name));
    }
    Ok(role)
}

pub(super) fn writable<'w>(state: &'w mut State, call: &Call<'_>) -> Result<&'w mut Role, Refusal> {
    let name = role_name(call)?;
    state.roles.get_mut(&(call.caller.account.clone(), name.to_owned())).ok_or_else(|| no_such_role(name))
}

fn trust_policy(call: &Call<'_>, member: &str) -> Result<Value, Refusal> {
    documents::read(required(call, member)?, Purpose::Trust)
}

fn tags(call: &Call<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let text = |tag: &Value, member: &str| tag.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tags: BTreeMap<String, String> =
        call.list("Tags").iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect();
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 || key.starts_with("aws:") {
            return Err(invalid(format!("The tag with key '{key}' is not valid")));
        }
    }
    Ok(tags)
}

fn as_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// A role as lists have it: without its tags and its boundary (API reference of ListRoles).
fn entry(role: &Role) -> Value {
    json!({
        "Path": role.path, "RoleName": role.name, "RoleId": role.id, "Arn": role.arn(),
        "CreateDate": role.created.to_string(),
        "AssumeRolePolicyDocument": encoded(&role.trust.to_string()),
        "Description": if role.description.is_empty() { Value::Null } else { json!(role.description) },
        "MaxSessionDuration": role.max_session,
    })
}

fn describe(role: &Role) -> Value {
    let mut shown = entry(role);
    shown["PermissionsBoundary"] = boundary::shown(role);
    shown["Tags"] = if role.tags.is_empty() { Value::Null } else { as_list(&role.tags) };
    shown
}

/// A page of a list: 100 items unless asked otherwise, at most 1000 (API reference, `MaxItems`).
fn paged(call: &Call<'_>, member: &str, items: Vec<(String, Value)>) -> Outcome {
    let size = page::size(call.input.get("MaxItems"), "maxItems", 1, 1000).map_err(invalid)?.unwrap_or(100);
    // Lists of one role's are its own: their markers do not fit another role.
    let list = format!("{} {}", call.operation, call.text("RoleName"));
    let page = page::cut(&list, items, size, call.text("Marker")).ok_or_else(|| invalid("Invalid Marker."))?;
    Ok(json!({ member: page.items, "IsTruncated": page.next.is_some(), "Marker": page.next }))
}

fn seconds(call: &Call<'_>, member: &str) -> Result<Option<i64>, Refusal> {
    let given = match call.input.get(member) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(other) => other.as_i64(),
    };
    given
        .filter(|seconds| (3600..=43200).contains(seconds))
        .map(Some)
        .ok_or_else(|| invalid(format!("{member} must be between 3600 and 43200")))
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let (name, trust, tags) = (role_name(call)?, trust_policy(call, "AssumeRolePolicyDocument")?, tags(call)?);
    let path = match call.text("Path") {
        "" => "/",
        path if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 => path,
        _ => return Err(invalid("The specified value for path is invalid. It must begin and end with /")),
    };
    let account = &call.caller.account;
    if world.iam.role(account, name).is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(Refusal::new("EntityAlreadyExists", message).with_status(409));
    }
    let boundary = boundary::given(world, call)?;
    let salt = world.ids.next(8);
    let role = Role {
        account: account.clone(),
        name: name.to_owned(),
        path: path.to_owned(),
        id: unique_id("AROA", &[account, name, &salt]),
        trust,
        policies: BTreeMap::new(),
        attached: BTreeSet::new(),
        boundary,
        tags,
        description: call.text("Description").to_owned(),
        max_session: seconds(call, "MaxSessionDuration")?.unwrap_or(3600),
        created: world.now,
    };
    let described = describe(&role);
    world.iam.roles.insert((account.clone(), name.to_owned()), role);
    Ok(json!({ "Role": described }))
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Outcome {
    Ok(json!({ "Role": describe(readable(world, call)?) }))
}

pub(super) fn list(world: &World, call: &Call<'_>) -> Outcome {
    let prefix = if call.text("PathPrefix").is_empty() { "/" } else { call.text("PathPrefix") };
    let roles = world
        .iam
        .roles
        .values()
        .filter(|role| role.account == call.caller.account && role.path.starts_with(prefix))
        .filter(|role| !young(world, &role.arn(), world.settings.list_lag))
        .map(|role| (role.name.clone(), entry(role)))
        .collect();
    paged(call, "Roles", roles)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let role = writable(&mut world.iam, call)?;
    let conflict = |message: &str| Err(Refusal::new("DeleteConflict", message).with_status(409));
    if !role.attached.is_empty() {
        return conflict("Cannot delete entity, must detach all policies first.");
    }
    if !role.policies.is_empty() {
        return conflict("Cannot delete entity, must delete policies first.");
    }
    let key = (role.account.clone(), role.name.clone());
    world.iam.roles.remove(&key);
    Ok(Value::Null)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let longest = seconds(call, "MaxSessionDuration")?;
    let role = writable(&mut world.iam, call)?;
    if call.input.get("Description").is_some() {
        role.description = call.text("Description").to_owned();
    }
    role.max_session = longest.unwrap_or(role.max_session);
    Ok(json!({}))
}

pub(super) fn update_trust(world: &mut World, call: &Call<'_>) -> Outcome {
    let trust = trust_policy(call, "PolicyDocument")?;
    writable(&mut world.iam, call)?.trust = trust;
    Ok(Value::Null)
}

impl State {
    /// A managed policy comes to be or changes, or goes.
    pub(crate) fn set_managed_policy(&mut self, arn: &str, document: Option<Value>) {
        match document {
            Some(document) => drop(self.managed.insert(arn.to_owned(), document)),
            None => drop(self.managed.remove(arn)),
        }
    }
}

pub(super) fn put_policy(world: &mut World, call: &Call<'_>) -> Outcome {
    let policy = name(call, "PolicyName", 128)?.to_owned();
    let text = required(call, "PolicyDocument")?.to_owned();
    documents::read(&text, Purpose::Identity)?;
    writable(&mut world.iam, call)?.policies.insert(policy, text);
    Ok(Value::Null)
}

pub(super) fn get_policy(world: &World, call: &Call<'_>) -> Outcome {
    let role = readable(world, call)?;
    let policy = name(call, "PolicyName", 128)?;
    let text = role.policies.get(policy).ok_or_else(|| no_such_policy(policy))?;
    Ok(json!({ "RoleName": role.name, "PolicyName": policy, "PolicyDocument": encoded(text) }))
}

pub(super) fn delete_policy(world: &mut World, call: &Call<'_>) -> Outcome {
    let policy = name(call, "PolicyName", 128)?;
    let removed = writable(&mut world.iam, call)?.policies.remove(policy);
    removed.map(|_| Value::Null).ok_or_else(|| no_such_policy(policy))
}

pub(super) fn list_policies(world: &World, call: &Call<'_>) -> Outcome {
    let names = readable(world, call)?.policies.keys().map(|name| (name.clone(), json!(name))).collect();
    paged(call, "PolicyNames", names)
}

/// AWS's own managed policies exist all, others where a stack has made them.
fn policy_arn<'a>(world: &World, call: &Call<'a>) -> Result<&'a str, Refusal> {
    let arn = required(call, "PolicyArn")?;
    let missing = || {
        let message = format!("Policy {arn} does not exist or is not attachable.");
        Refusal::new("NoSuchEntity", message).with_status(404)
    };
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "iam", "", "aws", policy] if policy.starts_with("policy/") => Ok(arn),
        _ if world.iam.managed.contains_key(arn) => Ok(arn),
        _ => Err(missing()),
    }
}

pub(super) fn attach(world: &mut World, call: &Call<'_>) -> Outcome {
    let arn = policy_arn(world, call)?.to_owned();
    writable(&mut world.iam, call)?.attached.insert(arn);
    Ok(Value::Null)
}

pub(super) fn detach(world: &mut World, call: &Call<'_>) -> Outcome {
    let arn = required(call, "PolicyArn")?;
    if writable(&mut world.iam, call)?.attached.remove(arn) {
        return Ok(Value::Null);
    }
    Err(Refusal::new("NoSuchEntity", format!("Policy {arn} was not found.")).with_status(404))
}

pub(super) fn list_attached(world: &World, call: &Call<'_>) -> Outcome {
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let shown = |arn: &String| (arn.clone(), json!({"PolicyName": name(arn), "PolicyArn": arn}));
    let attached = readable(world, call)?.attached.iter().map(shown).collect();
    paged(call, "AttachedPolicies", attached)
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Outcome {
    let added = tags(call)?;
    let role = writable(&mut world.iam, call)?;
    let mut tags = role.tags.clone();
    tags.extend(added);
    if tags.len() > 50 {
        let message = "The number of tags has exceeded the maximum limit of 50";
        return Err(Refusal::new("LimitExceeded", message).with_status(409));
    }
    role.tags = tags;
    Ok(Value::Null)
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Outcome {
    let role = writable(&mut world.iam, call)?;
    for key in call.list("TagKeys").iter().filter_map(Value::as_str) {
        role.tags.remove(key);
    }
    Ok(Value::Null)
}

pub(super) fn list_tags(world: &World, call: &Call<'_>) -> Outcome {
    let tags =
        readable(world, call)?.tags.iter().map(|(key, value)| (key.clone(), json!({"Key": key, "Value": value})));
    paged(call, "Tags", tags.collect())
}
