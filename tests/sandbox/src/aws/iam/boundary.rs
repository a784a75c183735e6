//! Permissions boundaries of roles: set, given back, and what they leave of a role's permissions. Apart from the deny list
//! of `access`, which says what a test wants denied; a boundary says what its policy allows.
//!
//! Resources and conditions of a boundary are not looked at, since the question here is one of actions: a boundary never
//! binds more here than it does at AWS.

use serde_json::{Value, json};

use super::super::{Call, Outcome, Refusal};
use super::access::matches;
use super::roles::{required, writable};
use super::trust::{one_or_many, texts};
use super::{Role, State};
use crate::world::World;

/// The one policy of AWS's own whose content is known here: it allows everything.
const EVERYTHING: &str = ":iam::aws:policy/AdministratorAccess";

/// What stands in the way of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// No statement of the boundary allows it.
    NotAllowed,
    /// A statement of the boundary denies it.
    Denied,
}

impl Limit {
    /// The end of the sentence that refuses (IAM User Guide, "Troubleshoot access denied error messages").
    pub(super) fn reason(self, action: &str) -> String {
        match self {
            Self::NotAllowed => format!("because no permissions boundary allows the {action} action"),
            Self::Denied => "with an explicit deny in a permissions boundary".to_owned(),
        }
    }
}

impl State {
    /// Whether the boundary of a role, if it has one, stands in the way of an action.
    pub(super) fn beyond_boundary(&self, principal: &str, action: &str) -> Option<Limit> {
        let arn = self.role_by_arn(principal)?.boundary.as_deref()?;
        if arn.ends_with(EVERYTHING) {
            return None;
        }
        limit(self.managed.get(arn).unwrap_or(&Value::Null), action)
    }

    /// Whether a managed policy is some role's boundary, and cannot go therefore.
    pub(in crate::aws) fn bounds_someone(&self, policy_arn: &str) -> bool {
        self.roles.values().any(|role| role.boundary.as_deref() == Some(policy_arn))
    }
}

fn limit(policy: &Value, action: &str) -> Option<Limit> {
    let action = action.to_ascii_lowercase();
    let about = |statement: &Value| {
        let named = |element: &str| {
            let actions = statement.get(element).map(|actions| texts(Some(actions)));
            actions.map(|actions| actions.iter().any(|one| matches(&one.to_ascii_lowercase(), &action)))
        };
        named("Action").unwrap_or_else(|| named("NotAction") == Some(false))
    };
    let mut allowed = false;
    for statement in one_or_many(policy.get("Statement").unwrap_or(&Value::Null)).into_iter().filter(|it| about(it)) {
        let whole =
            texts(statement.get("Resource")).iter().any(|one| one == "*") && statement.get("Condition").is_none();
        match statement["Effect"].as_str() {
            Some("Deny") if whole => return Some(Limit::Denied),
            Some("Allow") => allowed = true,
            _ => {}
        }
    }
    (!allowed).then_some(Limit::NotAllowed)
}

/// The boundary that a call gives, if it does.
///
/// # Errors
/// `NoSuchEntity` where there is no such policy, `InvalidInput` where nothing is known here of what it allows.
pub(super) fn given(world: &World, call: &Call<'_>) -> Result<Option<String>, Refusal> {
    let arn = call.text("PermissionsBoundary");
    if arn.is_empty() || arn.ends_with(EVERYTHING) || world.iam.managed.contains_key(arn) {
        return Ok(Some(arn).filter(|arn| !arn.is_empty()).map(str::to_owned));
    }
    if arn.contains(":iam::aws:policy/") {
        let message = format!(
            "The sandbox does not know what {arn} allows; as a boundary it takes AdministratorAccess and policies of stacks"
        );
        return Err(Refusal::new("InvalidInput", message));
    }
    let message = format!("Scope ARN: {arn} does not exist or is not attachable.");
    Err(Refusal::new("NoSuchEntity", message).with_status(404))
}

/// As GetRole gives it.
pub(super) fn shown(role: &Role) -> Value {
    role.boundary
        .as_ref()
        .map_or(Value::Null, |arn| json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}))
}

pub(super) fn put(world: &mut World, call: &Call<'_>) -> Outcome {
    required(call, "PermissionsBoundary")?;
    let boundary = given(world, call)?;
    writable(&mut world.iam, call)?.boundary = boundary;
    Ok(Value::Null)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    writable(&mut world.iam, call)?.boundary = None;
    Ok(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_leaves_what_it_allows_and_does_not_deny() {
        let statement = |effect: &str, element: &str, actions: Value, resource: &str| json!({"Effect": effect, element: actions, "Resource": resource});
        let s3 = statement("Allow", "Action", json!("s3:*"), "*");
        let rows = [
            ("allowed", vec![s3.clone()], "s3:PutObject", None),
            ("in another case", vec![statement("Allow", "Action", json!("S3:putobject"), "*")], "s3:PutObject", None),
            ("not named", vec![s3.clone()], "iam:PassRole", Some(Limit::NotAllowed)),
            (
                "one of several",
                vec![statement("Allow", "Action", json!(["iam:Pass*", "x:y"]), "*")],
                "iam:PassRole",
                None,
            ),
            ("all but another", vec![statement("Allow", "NotAction", json!("iam:*"), "*")], "s3:PutObject", None),
            (
                "all but this",
                vec![statement("Allow", "NotAction", json!("s3:*"), "*")],
                "s3:PutObject",
                Some(Limit::NotAllowed),
            ),
            (
                "allowed and denied",
                vec![s3.clone(), statement("Deny", "Action", json!("s3:Put*"), "*")],
                "s3:PutObject",
                Some(Limit::Denied),
            ),
            (
                "denied for some resource",
                vec![s3, statement("Deny", "Action", json!("s3:Put*"), "arn:aws:s3:::x/*")],
                "s3:PutObject",
                None,
            ),
            ("nothing allowed", vec![], "s3:PutObject", Some(Limit::NotAllowed)),
        ];
        for (name, statements, action, wanted) in rows {
            assert_eq!(limit(&json!({"Statement": statements}), action), wanted, "{name}");
        }
    }
}
