//! Staging labels: which versions bear them, how they move, and the version that they lead to. Apart from the secrets'
//! operations, which all move labels by the same rules. It must not make or read a value.
//!
//! Rules: the API reference of PutSecretValue (`VersionStages`) and GetSecretValue.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{SecretVersion, invalid_parameter, invalid_request};
use crate::aws::{Call, Refusal};

/// The label of the version that counts.
pub(super) const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// Labels of a call at most, and characters of a label (API model).
const MOST: usize = 20;
const LONGEST: usize = 256;

/// What a new version bears where the call does not say.
pub(super) fn current() -> BTreeSet<String> {
    BTreeSet::from([CURRENT.to_owned()])
}

/// The labels that a call names for its version.
///
/// # Errors
/// `InvalidParameterException` for none, too many, and what is no label.
pub(super) fn wanted(call: &Call<'_>) -> Result<BTreeSet<String>, Refusal> {
    if call.input.get("VersionStages").is_none_or(Value::is_null) {
        return Ok(current());
    }
    let labels = call.list("VersionStages");
    let good = |label: &Value| label.as_str().is_some_and(|text| (1..=LONGEST).contains(&text.chars().count()));
    if labels.is_empty() || labels.len() > MOST || !labels.iter().all(good) {
        let message = format!("VersionStages must have 1 to {MOST} members of 1 to {LONGEST} characters");
        return Err(invalid_parameter(message));
    }
    Ok(labels.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Takes labels from the versions that bear them, for a new version. Where AWSCURRENT moves, AWSPREVIOUS moves to the
/// version that it left; a secret's first version is the current one whatever the call says.
pub(super) fn given_up(versions: &mut [SecretVersion], mut labels: BTreeSet<String>) -> BTreeSet<String> {
    if versions.is_empty() {
        labels.insert(CURRENT.to_owned());
    }
    let moves = labels.contains(CURRENT);
    for version in versions {
        let was_current = version.stages.contains(CURRENT);
        let goes = |label: &String| labels.contains(label) || (moves && label == PREVIOUS);
        version.stages.retain(|label| !goes(label));
        if moves && was_current && !labels.contains(PREVIOUS) {
            version.stages.insert(PREVIOUS.to_owned());
        }
    }
    labels
}

/// The version with this id and this label; AWSCURRENT where neither is given.
///
/// # Errors
/// `ResourceNotFoundException`, and `InvalidRequestException` for a label that the version does not bear.
pub(super) fn found<'v>(versions: &'v [SecretVersion], id: &str, label: &str) -> Result<&'v SecretVersion, Refusal> {
    let label = if label.is_empty() && id.is_empty() { CURRENT } else { label };
    let bears = |version: &SecretVersion| label.is_empty() || version.stages.contains(label);
    let absent = |what: &str| {
        let message = format!("Secrets Manager can't find the specified secret value for {what}");
        Refusal::new("ResourceNotFoundException", message)
    };
    match versions.iter().rev().find(|version| if id.is_empty() { bears(version) } else { version.id == id }) {
        Some(version) if bears(version) => Ok(version),
        Some(_) => {
            Err(invalid_request("You provided a VersionStage that is not associated to the provided VersionId."))
        }
        None if id.is_empty() => Err(absent(&format!("staging label: {label}"))),
        None => Err(absent(&format!("VersionId: {id}"))),
    }
}
