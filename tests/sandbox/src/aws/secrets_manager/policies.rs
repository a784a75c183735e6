//! Resource policies of secrets: put, given back, deleted. Apart from the secrets' values. They are kept and never evaluated,
//! like identity policies.

use serde_json::{Value, json};

use super::{invalid_parameter, marked_for_deletion, readable, writable};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// How long a policy may be (API model, `NonEmptyResourcePolicyType`).
const LONGEST: usize = 20_480;

fn statements(policy: &Value) -> Vec<&Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => Vec::new(),
    }
}

/// Whether a statement has all that one of a resource policy must have (IAM User Guide, "Grammar of the IAM JSON policy
/// language").
fn whole(statement: &Value) -> bool {
    let has = |element: &str| statement.get(element).is_some() != statement.get(format!("Not{element}")).is_some();
    let effect = matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"));
    effect && ["Principal", "Action", "Resource"].into_iter().all(has)
}

/// Whether a statement lets anyone in.
fn public(statement: &Value) -> bool {
    let everyone = |principal: &Value| match principal {
        Value::String(one) => one == "*",
        Value::Array(several) => several.iter().any(|one| one == "*"),
        _ => false,
    };
    let principal = &statement["Principal"];
    let open = everyone(principal) || principal.get("AWS").is_some_and(everyone);
    statement["Effect"] == "Allow" && open && statement.get("Condition").is_none()
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Outcome {
    let text = call.text("ResourcePolicy").to_owned();
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(invalid_parameter(format!("ResourcePolicy must have 1 to {LONGEST} characters.")));
    }
    let policy: Value = serde_json::from_str(&text).unwrap_or_default();
    let statements = statements(&policy);
    if statements.is_empty() || !statements.iter().all(|statement| whole(statement)) {
        let message = "This resource policy contains a syntax error.";
        return Err(Refusal::new("MalformedPolicyDocumentException", message));
    }
    let secret = writable(world, call)?;
    if call.input.get("BlockPublicPolicy") == Some(&json!(true)) && statements.iter().any(|one| public(one)) {
        let message = "The resource policy lets anyone in, which BlockPublicPolicy does not allow.";
        return Err(Refusal::new("PublicPolicyException", message));
    }
    secret.policy = Some(text);
    Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
}

/// GetResourcePolicy: a secret that is about to go has none to give (terraform-provider-aws, secret_policy.go, which waits for
/// these words).
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let secret = readable(world, call)?;
    if secret.deletion.is_some() {
        return Err(marked_for_deletion());
    }
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "ResourcePolicy": secret.policy }))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let secret = writable(world, call)?;
    secret.policy = None;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
}
