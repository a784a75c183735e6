//! What CodeBuild checks before it looks at anything: members, lengths, patterns, numbers. The numbers are those of
//! AWS's API model (CodeBuild_20161006).

use serde_json::Value;

use super::invalid;
use crate::aws::{Call, Refusal};

/// The members that are known here, by operation; those with `!` must be there.
fn members(operation: &str) -> &'static [&'static str] {
    match operation {
        "CreateProject" => &[
            "!name",
            "description",
            "!source",
            "!artifacts",
            "!environment",
            "!serviceRole",
            "timeoutInMinutes",
            "queuedTimeoutInMinutes",
            "logsConfig",
            "tags",
        ],
        "UpdateProject" => &[
            "!name",
            "description",
            "source",
            "artifacts",
            "environment",
            "serviceRole",
            "timeoutInMinutes",
            "queuedTimeoutInMinutes",
            "logsConfig",
            "tags",
        ],
        "DeleteProject" => &["!name"],
        "BatchGetProjects" => &["!names"],
        "ListProjects" => &["sortBy", "sortOrder", "nextToken"],
        "StartBuild" => &[
            "!projectName",
            "environmentVariablesOverride",
            "idempotencyToken",
            "timeoutInMinutesOverride",
            "queuedTimeoutInMinutesOverride",
        ],
        "StopBuild" => &["!id"],
        "BatchGetBuilds" => &["!ids"],
        "ListBuildsForProject" => &["!projectName", "sortOrder", "nextToken"],
        _ => &[],
    }
}

/// Checks a call's input.
///
/// # Errors
/// `InvalidInputException`: which member lacks, is not known here or has a value that it cannot have.
pub(super) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let known = members(call.operation);
    if known.is_empty() {
        return Ok(());
    }
    let given = |name: &str| call.input.get(name).filter(|value| !value.is_null());
    let missing = known.iter().filter_map(|name| name.strip_prefix('!')).find(|name| given(name).is_none());
    if let Some(missing) = missing {
        return Err(invalid(format!(
            "1 validation error detected: Value null at '{missing}' failed to satisfy constraint: Member must not be null"
        )));
    }
    let members = call.input.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, value) in members {
        if !known.iter().any(|one| one.trim_start_matches('!') == name) {
            return Err(invalid(format!("{name} is not known here")));
        }
        check_member(name, value)?;
    }
    Ok(())
}

fn check_member(name: &str, value: &Value) -> Result<(), Refusal> {
    let limits = match name {
        "timeoutInMinutes" | "timeoutInMinutesOverride" => Some((5, 2160)),
        "queuedTimeoutInMinutes" | "queuedTimeoutInMinutesOverride" => Some((5, 480)),
        _ => None,
    };
    if let Some((least, most)) = limits
        && !value.as_i64().is_some_and(|minutes| (least..=most).contains(&minutes))
    {
        return Err(invalid(format!("Invalid {name}: it must be from {least} to {most} minutes")));
    }
    match (name, value) {
        ("description", Value::String(text)) if text.chars().count() > 255 => {
            Err(invalid("Invalid project description: it cannot be longer than 255 characters"))
        }
        ("names" | "ids", Value::Array(items)) if !(1..=100).contains(&items.len()) => {
            Err(invalid(format!("Invalid {name}: it must have 1 to 100 members")))
        }
        ("sortOrder", order) if order != "ASCENDING" && order != "DESCENDING" => {
            Err(invalid("Invalid sortOrder: it is ASCENDING or DESCENDING"))
        }
        ("sortBy", key) if !["NAME", "CREATED_TIME", "LAST_MODIFIED_TIME"].iter().any(|one| key == one) => {
            Err(invalid("Invalid sortBy: it is NAME, CREATED_TIME or LAST_MODIFIED_TIME"))
        }
        ("tags", Value::Array(tags)) => check_tags(tags),
        ("environmentVariablesOverride", variables) => check_variables(variables),
        _ => Ok(()),
    }
}

fn check_tags(tags: &[Value]) -> Result<(), Refusal> {
    let text = |tag: &Value, member: &str| tag.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    if tags.len() > 50 {
        return Err(invalid("A project can have at most 50 tags"));
    }
    for (at, tag) in tags.iter().enumerate() {
        let (key, value) = (text(tag, "key"), text(tag, "value"));
        if !(1..=127).contains(&key.chars().count()) || value.chars().count() > 255 || key.starts_with("aws:") {
            return Err(invalid(format!("The tag '{key}' is not valid")));
        }
        if tags[..at].iter().any(|other| text(other, "key") == key) {
            return Err(invalid(format!("Duplicate tag key: {key}")));
        }
    }
    Ok(())
}

/// Environment variables: names as shells have them, plain values only.
pub(super) fn check_variables(variables: &Value) -> Result<(), Refusal> {
    for variable in variables.as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default();
        let shell_name = !name.is_empty()
            && !name.starts_with(|sign: char| sign.is_ascii_digit())
            && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
        if !shell_name {
            return Err(invalid(format!("Invalid environment variable name: '{name}'")));
        }
        if name.starts_with("CODEBUILD_") {
            return Err(invalid(format!("{name}: names that begin with CODEBUILD_ are CodeBuild's own")));
        }
        if !variable["value"].is_string() {
            return Err(invalid(format!("The environment variable {name} has no value")));
        }
        if !matches!(variable["type"].as_str(), None | Some("PLAINTEXT")) {
            return Err(invalid(format!("{name}: the sandbox has environment variables of type PLAINTEXT only")));
        }
    }
    Ok(())
}

/// Whether a project may be called so.
pub(super) fn is_name(name: &str) -> bool {
    (2..=150).contains(&name.len())
        && name.starts_with(|sign: char| sign.is_ascii_alphanumeric())
        && name.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_".contains(sign))
}
