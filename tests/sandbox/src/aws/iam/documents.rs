//! Policy documents as IAM takes them: what a statement must have and what it may not have. Apart from the operations
//! because several take documents; what a document allows is decided elsewhere.
//!
//! The sentences are those that IAM gives in github.com/aws/aws-cdk/issues/7615 (actions), aws-samples/aws-health-aware#1
//! (resources); IAM words a broken trust policy and a broken identity policy differently.

use serde_json::{Map, Value};

use super::access::matches;
use super::trust::{one_or_many, texts};
use crate::aws::Refusal;

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Who may assume a role.
    Trust,
    /// What its holder may do.
    Identity,
}

/// The actions that a trust policy may name (IAM User Guide, "Modify a role trust policy"; the API reference of STS).
const ASSUMING: [&str; 6] = [
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
];

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new("MalformedPolicyDocument", message)
}

/// Reads a document.
///
/// # Errors
/// `MalformedPolicyDocument`.
pub(super) fn read(text: &str, purpose: Purpose) -> Result<Value, Refusal> {
    let syntax = || malformed("Syntax errors in policy.");
    let policy: Value = serde_json::from_str(text).map_err(|_| match purpose {
        Purpose::Trust => malformed("This policy contains invalid Json"),
        Purpose::Identity => syntax(),
    })?;
    let statements = match policy.get("Statement") {
        Some(statements @ (Value::Array(_) | Value::Object(_))) => one_or_many(statements),
        _ => return Err(syntax()),
    };
    if statements.is_empty() {
        return Err(match purpose {
            Purpose::Trust => malformed("Could not parse the policy: Statement is empty!"),
            Purpose::Identity => syntax(),
        });
    }
    for statement in statements {
        let statement = statement.as_object().ok_or_else(syntax)?;
        if has(statement, "Action") && has(statement, "NotAction") {
            return Err(syntax());
        }
        match purpose {
            Purpose::Trust => trust(statement)?,
            Purpose::Identity => identity(statement)?,
        }
    }
    Ok(policy)
}

fn has(statement: &Map<String, Value>, element: &str) -> bool {
    statement.get(element).is_some_and(|value| !value.is_null())
}

fn effect_known(statement: &Map<String, Value>) -> bool {
    matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"))
}

/// Whether the element, or its `Not…`, names something.
fn names(statement: &Map<String, Value>, element: &str) -> bool {
    [element.to_owned(), format!("Not{element}")].iter().any(|element| !texts(statement.get(element)).is_empty())
}

fn trust(statement: &Map<String, Value>) -> Result<(), Refusal> {
    for element in ["Effect", "Principal", "Action"] {
        let there = match element {
            "Action" => names(statement, element),
            _ => has(statement, element) || has(statement, &format!("Not{element}")),
        };
        if !there {
            return Err(malformed(format!("Missing required field {element}")));
        }
    }
    if !effect_known(statement) {
        return Err(malformed(format!("Invalid effect: {}", texts(statement.get("Effect")).join(", "))));
    }
    if has(statement, "Resource") || has(statement, "NotResource") {
        return Err(malformed("Has prohibited field Resource"));
    }
    let assumes = |action: &String| ASSUMING.iter().any(|known| matches(&action.to_ascii_lowercase(), known));
    if !texts(statement.get("Action")).iter().all(assumes) {
        return Err(malformed("AssumeRole policy may only specify STS AssumeRole actions."));
    }
    Ok(())
}

fn identity(statement: &Map<String, Value>) -> Result<(), Refusal> {
    if !effect_known(statement) {
        return Err(malformed("Syntax errors in policy."));
    }
    if has(statement, "Principal") || has(statement, "NotPrincipal") {
        return Err(malformed("Policy document should not specify a principal."));
    }
    if !names(statement, "Action") {
        return Err(malformed("Policy statement must contain actions."));
    }
    if !names(statement, "Resource") {
        return Err(malformed("Policy statement must contain resources."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// The statement without one element, or with another value for it.
    fn with(statement: &Value, element: &str, value: Value) -> String {
        let mut changed = statement.clone();
        match value {
            Value::Null => drop(changed.as_object_mut().unwrap().remove(element)),
            value => changed[element] = value,
        }
        json!({"Version": "2012-10-17", "Statement": [changed]}).to_string()
    }

    #[test]
    fn statements_have_what_iam_wants_of_them() {
        let trust =
            json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
        let identity = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
        let foreign = "AssumeRole policy may only specify STS AssumeRole actions.";
        #[rustfmt::skip]
        let rows = [
            ("a trust policy", Purpose::Trust, with(&trust, "Sid", json!("A")), ""),
            ("a trust policy that tags its sessions", Purpose::Trust, with(&trust, "Action", json!(["sts:AssumeRole", "sts:TagSession"])), ""),
            ("a trust policy for all of STS", Purpose::Trust, with(&trust, "Action", json!("sts:*")), ""),
            ("a trust policy with a prefix", Purpose::Trust, with(&trust, "Action", json!("sts:Assume*")), ""),
            ("a trust policy for any action", Purpose::Trust, with(&trust, "Action", json!("*")), ""),
            ("a trust policy in small letters", Purpose::Trust, with(&trust, "Action", json!("sts:assumerole")), ""),
            ("a trust policy without effect", Purpose::Trust, with(&trust, "Effect", Value::Null), "Missing required field Effect"),
            ("a trust policy of another effect", Purpose::Trust, with(&trust, "Effect", json!("Permit")), "Invalid effect: Permit"),
            ("a trust policy without principal", Purpose::Trust, with(&trust, "Principal", Value::Null), "Missing required field Principal"),
            ("a trust policy without action", Purpose::Trust, with(&trust, "Action", Value::Null), "Missing required field Action"),
            ("a trust policy of no actions", Purpose::Trust, with(&trust, "Action", json!([])), "Missing required field Action"),
            ("a trust policy with a resource", Purpose::Trust, with(&trust, "Resource", json!("*")), "Has prohibited field Resource"),
            ("a trust policy for S3", Purpose::Trust, with(&trust, "Action", json!("s3:*")), foreign),
            ("a trust policy for another action of STS", Purpose::Trust, with(&trust, "Action", json!("sts:GetCallerIdentity")), foreign),
            ("a trust policy that is no JSON", Purpose::Trust, "{".to_owned(), "This policy contains invalid Json"),
            ("a trust policy of no statements", Purpose::Trust, json!({"Statement": []}).to_string(), "Could not parse the policy: Statement is empty!"),
            ("an identity policy", Purpose::Identity, with(&identity, "Sid", json!("A")), ""),
            ("an identity policy for all but some", Purpose::Identity, json!({"Statement": {"Effect": "Deny", "NotAction": "iam:*", "NotResource": "x"}}).to_string(), ""),
            ("an identity policy that is no JSON", Purpose::Identity, "{".to_owned(), "Syntax errors in policy."),
            ("an identity policy without statements", Purpose::Identity, "{}".to_owned(), "Syntax errors in policy."),
            ("an identity policy without effect", Purpose::Identity, with(&identity, "Effect", Value::Null), "Syntax errors in policy."),
            ("an identity policy of another effect", Purpose::Identity, with(&identity, "Effect", json!("Permit")), "Syntax errors in policy."),
            ("an identity policy with both kinds of action", Purpose::Identity, with(&identity, "NotAction", json!("x:y")), "Syntax errors in policy."),
            ("an identity policy without action", Purpose::Identity, with(&identity, "Action", Value::Null), "Policy statement must contain actions."),
            ("an identity policy without resource", Purpose::Identity, with(&identity, "Resource", Value::Null), "Policy statement must contain resources."),
            ("an identity policy with a principal", Purpose::Identity, with(&identity, "Principal", json!("*")), "Policy document should not specify a principal."),
        ];
        for (name, purpose, text, message) in rows {
            match read(&text, purpose) {
                Ok(_) => assert_eq!(message, "", "{name}"),
                Err(refusal) => {
                    assert_eq!(
                        (refusal.code.as_str(), refusal.message.as_str()),
                        ("MalformedPolicyDocument", message),
                        "{name}"
                    );
                }
            }
        }
    }
}
