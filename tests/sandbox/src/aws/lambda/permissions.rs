//! The resource policy of a function: who may invoke it besides those whom IAM allows.

use serde_json::{Map, Value, json};

use super::progress::qualifier;
use super::{find, invalid};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

pub(super) fn add(world: &mut World, call: &Call<'_>) -> Outcome {
    let (id, action, principal) =
        (call.required("StatementId")?, call.required("Action")?, call.required("Principal")?);
    let good = |sign: char| sign.is_ascii_alphanumeric() || "-_".contains(sign);
    if id.len() > 100 || !id.chars().all(good) {
        return Err(Refusal::new(
            "ValidationException",
            format!("Value '{id}' at 'statementId' must have at most 100 characters out of [a-zA-Z0-9-_]"),
        ));
    }
    if action != "*" && !action.starts_with("lambda:") {
        return Err(Refusal::new(
            "ValidationException",
            format!("Value '{action}' at 'action' must match (lambda:[*]|lambda:[a-zA-Z]+|[*])"),
        ));
    }
    let who = if principal.ends_with(".amazonaws.com") {
        json!({"Service": principal})
    } else if principal == "*" {
        json!("*")
    } else if principal.starts_with("arn:") {
        json!({"AWS": principal})
    } else if principal.len() == 12 && principal.bytes().all(|sign| sign.is_ascii_digit()) {
        json!({"AWS": format!("arn:aws:iam::{principal}:root")})
    } else {
        return Err(invalid("The provided principal was invalid. Please check the principal and try again."));
    };
    let (now, revision) = (world.now, world.ids.uuid());
    let function = find(world, call)?;
    if qualifier(call)?.is_some() {
        return Err(invalid("We currently do not support adding policies for $LATEST."));
    }
    function.is_revision(call, now, "GetPolicy")?;
    if function.policy.iter().any(|statement| statement["Sid"] == id) {
        let message = format!(
            "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
        );
        return Err(Refusal::new("ResourceConflictException", message).with_status(409));
    }
    let mut statement =
        json!({"Sid": id, "Effect": "Allow", "Principal": who, "Action": action, "Resource": function.arn});
    let mut condition = Map::new();
    if !call.text("SourceArn").is_empty() {
        condition.insert("ArnLike".into(), json!({"AWS:SourceArn": call.text("SourceArn")}));
    }
    if !call.text("SourceAccount").is_empty() {
        condition.insert("StringEquals".into(), json!({"AWS:SourceAccount": call.text("SourceAccount")}));
    }
    if !condition.is_empty() {
        statement["Condition"] = Value::Object(condition);
    }
    function.policy.push(statement.clone());
    function.progress.revise(revision);
    Ok(json!({"Statement": statement.to_string()}))
}

pub(super) fn remove(world: &mut World, call: &Call<'_>) -> Outcome {
    let id = call.required("StatementId")?;
    let (now, revision) = (world.now, world.ids.uuid());
    let function = find(world, call)?;
    function.is_revision(call, now, "GetPolicy")?;
    let before = function.policy.len();
    function.policy.retain(|statement| statement["Sid"] != id);
    if function.policy.len() == before {
        let message = format!("Statement {id} is not found in resource policy.");
        return Err(Refusal::new("ResourceNotFoundException", message).with_status(404));
    }
    function.progress.revise(revision);
    Ok(Value::Null)
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let function = find(world, call)?;
    if function.policy.is_empty() {
        let message = "The resource you requested does not exist.";
        return Err(Refusal::new("ResourceNotFoundException", message).with_status(404));
    }
    let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": function.policy});
    Ok(json!({"Policy": policy.to_string(), "RevisionId": function.progress.revision(now)}))
}

/// Whether the policy lets a service invoke the function on behalf of `source`, an ARN in `account`.
pub(super) fn lets_in(policy: &[Value], service: &str, source: &str, account: &str) -> bool {
    policy.iter().any(|statement| {
        let who = statement["Principal"] == "*" || statement["Principal"]["Service"] == service;
        let action = statement["Action"].as_str().unwrap_or_default();
        let may = matches!(action, "*" | "lambda:*" | "lambda:InvokeFunction");
        let arn = statement["Condition"]["ArnLike"]["AWS:SourceArn"].as_str();
        let owner = statement["Condition"]["StringEquals"]["AWS:SourceAccount"].as_str();
        who && may && arn.is_none_or(|arn| alike(arn, source)) && owner.is_none_or(|owner| owner == account)
    })
}

/// `ArnLike`: `*` stands for any text, `?` is not used in what CloudFormation makes.
fn alike(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(tail) = text.strip_prefix(head) else { return false };
    (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| alike(rest, &tail[at..]))
}
