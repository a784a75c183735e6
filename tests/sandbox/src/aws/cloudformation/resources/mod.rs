//! The resource types that this CloudFormation can make, one entry each. A handler makes its thing through the
//! other service's own API, as the caller that the stack acts for; what a service has no module for here (logs,
//! alarms) is a plain record. Stack tags are passed on; the reserved `aws:` tags are not, since the
//! services refuse them from every client.

pub(super) mod actual;
mod codebuild;
mod custom;
mod events;
mod iam;
mod lambda;
mod mappings;
mod plain;
mod queues;
mod s3;
mod sagemaker;
mod secrets;
mod setup;
mod zip;

pub(super) use plain::{Records, shown};

use std::collections::BTreeMap;

use serde_json::Value;

use super::custom::is_custom;
use super::evaluate::Made;
use super::template::scalar;
use crate::aws::{Call, Caller, Outcome, Refusal};
use crate::world::World;

/// For which resource of which stack a handler works, and who acts.
pub(super) struct Place<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) stack_name: &'a str,
    pub(super) stack_id: &'a str,
    pub(super) logical_id: &'a str,
    pub(super) caller: &'a Caller,
}

/// Makes a thing.
type Create = fn(&mut World, &Place<'_>, &Value) -> Result<Made, String>;
/// Changes a thing in place: physical id, old and new properties.
type Update = fn(&mut World, &Place<'_>, &str, &Value, &Value) -> Result<Made, String>;
/// Deletes a thing: physical id and properties.
type Delete = fn(&mut World, &Place<'_>, &str, &Value) -> Result<(), String>;

/// A resource type.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) properties: &'static [&'static str],
    pub(super) required: &'static [&'static str],
    /// Properties whose change replaces the thing; a dot leads to a member of a member.
    pub(super) replaced_by: &'static [&'static str],
    /// What `Fn::GetAtt` gives.
    pub(super) attributes: &'static [&'static str],
    /// Whether the stack's tags become its own (property `Tags`, a list).
    pub(super) tagged: bool,
    pub(super) create: Create,
    pub(super) update: Update,
    pub(super) delete: Delete,
}

const KINDS: &[&[Kind]] = &[
    s3::KINDS,
    iam::KINDS,
    sagemaker::KINDS,
    lambda::KINDS,
    mappings::KINDS,
    codebuild::KINDS,
    events::KINDS,
    secrets::KINDS,
    plain::KINDS,
    queues::KINDS,
    setup::KINDS,
];

/// The type of this name, if it is known here.
pub(super) fn find(name: &str) -> Option<&'static Kind> {
    if is_custom(name) {
        return Some(&custom::KIND);
    }
    KINDS.iter().flat_map(|kinds| kinds.iter()).find(|kind| kind.name == name)
}

/// Refuses properties that the type does not have, and misses those that it must have.
pub(super) fn check(kind: &Kind, logical_id: &str, properties: &Value) -> Result<(), String> {
    let members = properties.as_object();
    // A function of the template's own knows its properties itself.
    let free = is_custom(kind.name);
    if let Some(unknown) = members
        .filter(|_| !free)
        .and_then(|members| members.keys().find(|key| !kind.properties.contains(&key.as_str())))
    {
        return Err(format!("Encountered unsupported property {unknown}"));
    }
    match kind.required.iter().find(|key| properties.get(**key).is_none()) {
        Some(missing) => Err(format!(
            "Properties validation failed for resource {logical_id} with message:\n#: required key [{missing}] not found"
        )),
        None => Ok(()),
    }
}

/// Another service, for calls and for the sentences about them.
struct Service {
    name: &'static str,
    call: fn(&mut World, &Call<'_>) -> Outcome,
}

impl Service {
    /// Makes a call in place of the stack.
    fn ask(&self, world: &mut World, place: &Place<'_>, operation: &str, input: &Value) -> Result<Value, String> {
        self.send(world, place, operation, input).map_err(|refusal| told(world, self.name, &refusal))
    }

    /// The same, where "not there" is as good as done.
    fn retire(&self, world: &mut World, place: &Place<'_>, operation: &str, input: &Value) -> Result<(), String> {
        match self.send(world, place, operation, input) {
            Err(refusal) if !missing(&refusal) => Err(told(world, self.name, &refusal)),
            _ => Ok(()),
        }
    }

    fn send(&self, world: &mut World, place: &Place<'_>, operation: &str, input: &Value) -> Outcome {
        (self.call)(world, &Call { operation, input, caller: place.caller, region: place.region })
    }
}

fn missing(refusal: &Refusal) -> bool {
    let by_code = [
        "ResourceNotFoundException",
        "ResourceNotFound",
        "NoSuchEntity",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "QueueDoesNotExist",
    ];
    by_code.contains(&refusal.code.as_str())
        || (refusal.code == "ValidationException"
            && (refusal.message.contains("does not exist") || refusal.message.contains("Cannot find")))
}

/// A service's refusal as CloudFormation passes it on.
fn told(world: &mut World, service: &str, refusal: &Refusal) -> String {
    let code = match refusal.code.as_str() {
        "EntityAlreadyExists"
        | "ResourceConflictException"
        | "ResourceExistsException"
        | "ResourceAlreadyExistsException"
        | "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "ResourceInUse" => "AlreadyExists",
        code if code.contains("AccessDenied") => "AccessDenied",
        code if code.contains("Throttl") => "Throttling",
        code if code.contains("Limit") => "ServiceLimitExceeded",
        _ if missing(refusal) => "NotFound",
        _ if refusal.status >= 500 => "ServiceInternalError",
        _ => "InvalidRequest",
    };
    let (request, token) = (world.ids.uuid(), world.ids.uuid());
    format!(
        "Resource handler returned message: \"{} (Service: {service}, Status Code: {}, Request ID: {request})\" (RequestToken: {token}, HandlerErrorCode: {code})",
        refusal.message, refusal.status
    )
}

/// The name that a resource gets where its template gives none: stack, logical id and twelve random signs.
fn generated(world: &mut World, place: &Place<'_>, limit: usize) -> String {
    let room = limit.saturating_sub(14);
    let logical: String = place.logical_id.chars().take(room / 2).collect();
    let stack: String = place.stack_name.chars().take(room - logical.len()).collect();
    format!("{stack}-{logical}-{}", world.ids.next(12).to_uppercase())
}

/// The name that the template gives, or a generated one.
fn named(world: &mut World, place: &Place<'_>, properties: &Value, property: &str, limit: usize) -> String {
    text(properties, property).unwrap_or_else(|| generated(world, place, limit))
}

fn text(properties: &Value, property: &str) -> Option<String> {
    properties.get(property).and_then(scalar)
}

/// A number, which templates may write as text.
fn number(properties: &Value, property: &str) -> Result<Option<i64>, String> {
    text(properties, property)
        .map(|text| {
            text.parse().map_err(|_| {
                format!("Properties validation failed: #/{property}: expected type: Integer, found: String")
            })
        })
        .transpose()
}

/// A policy document or pattern as the services take it: JSON text.
fn document(properties: &Value, property: &str) -> Option<String> {
    properties.get(property).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn tags(properties: &Value) -> Value {
    properties.get("Tags").cloned().unwrap_or(Value::Null)
}

/// Tag keys that the old properties have and the new ones lack.
fn dropped_tags(old: &Value, new: &Value) -> Vec<Value> {
    let keys = |properties: &Value| -> Vec<Value> {
        properties.get("Tags").and_then(Value::as_array).into_iter().flatten().map(|tag| tag["Key"].clone()).collect()
    };
    let kept = keys(new);
    keys(old).into_iter().filter(|key| !kept.contains(key)).collect()
}

fn made(physical_id: impl Into<String>, attributes: &[(&str, Value)]) -> Made {
    let attributes: BTreeMap<String, Value> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Made { physical_id: physical_id.into(), attributes }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{KINDS, custom};

    #[test]
    fn the_readme_names_the_resource_types_that_there_are() {
        let readme = include_str!("../../../../README.md");
        let named: BTreeSet<&str> = readme.split('`').filter(|word| word.starts_with("AWS::")).collect();
        let kinds = KINDS.iter().flat_map(|kinds| kinds.iter()).chain([&custom::KIND]);
        assert_eq!(named, kinds.map(|kind| kind.name).collect());
    }
}
