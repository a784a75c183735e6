//! Observes what everything else stands on: whose credentials these are, the roles and the Git connections that the spec
//! names. It changes nothing; it stands apart because STS, IAM and CodeConnections are asked together.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::Region;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::crd::identifiers::{ConnectionArn, RoleArn};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Actuator, Attempts, RecordedIds};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::domain::platform::Platform;
use crate::resources::prerequisites::{Action, Needs, Observed, ObservedConnection, ObservedRole, Prerequisites};

/// Observes with the clients of one place what one platform needs.
pub struct PrerequisitesActuator {
    aws: Aws,
    needs: Needs,
}

impl PrerequisitesActuator {
    /// For making: observes every role and connection that the platform names.
    pub fn new(aws: &Aws, platform: &Platform) -> Self {
        Self { aws: aws.clone(), needs: Needs::of(platform) }
    }

    /// For tearing down: only the account counts, and there may be no project that parses.
    pub fn account_only(aws: &Aws) -> Self {
        Self { aws: aws.clone(), needs: Needs::default() }
    }

    async fn role(&self, arn: &RoleArn) -> Result<ObservedRole, Fault> {
        let answer = match self.aws.iam.get_role().role_name(arn.name()).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|refused| refused.is_no_such_entity_exception()) => {
                return Ok(ObservedRole::Absent);
            }
            Err(error) => {
                return unless_denied(fault(&format!("look at role \"{arn}\""), &error), ObservedRole::Hidden);
            }
        };
        let Some(role) = answer.role() else { return Ok(ObservedRole::Absent) };
        // IAM finds roles by name alone: another path or account is another role.
        if role.arn() != arn.as_str() {
            return Ok(ObservedRole::Absent);
        }
        let services = trusted_services(role.assume_role_policy_document().unwrap_or_default());
        Ok(ObservedRole::Present { trusted_services: services })
    }

    async fn connection(&self, arn: &ConnectionArn) -> Result<ObservedConnection, Fault> {
        // A connection may live in another region than the project; its own region answers for it.
        let region = Region::new(arn.region().to_owned());
        let there = aws_sdk_codeconnections::Config::builder().region(region);
        let call = self.aws.connections.get_connection().connection_arn(arn).customize().config_override(there);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|refused| refused.is_resource_not_found_exception()) => {
                return Ok(ObservedConnection::Absent);
            }
            Err(error) => {
                let fault = fault(&format!("look at Git connection \"{arn}\""), &error);
                return unless_denied(fault, ObservedConnection::Hidden);
            }
        };
        let status = answer.connection().and_then(|connection| connection.connection_status());
        Ok(ObservedConnection::Present { status: status.map(|status| status.as_str().to_owned()).unwrap_or_default() })
    }

    /// The role behind the caller, as policies and portfolios name it: a session's ARN lacks the role's path.
    async fn principal(&self, id: &Identity, caller: &str) -> Result<String, Fault> {
        let Some(name) = session_role(caller) else { return Ok(caller.to_owned()) };
        if let Some(role) = id.placement.role_arn.as_ref().filter(|role| role.name() == name) {
            return Ok(role.to_string());
        }
        let without_path = format!("arn:{}:iam::{}:role/{name}", id.placement.partition, id.placement.account_id);
        match self.aws.iam.get_role().role_name(name).send().await {
            Ok(answer) => Ok(answer.role().map_or(without_path, |role| role.arn().to_owned())),
            Err(error) if error.as_service_error().is_some_and(|refused| refused.is_no_such_entity_exception()) => {
                Ok(without_path)
            }
            Err(error) => unless_denied(fault("look at the operator's own role", &error), without_path),
        }
    }
}

/// What may not be read is left open instead: the operator works without permission to read roles and connections.
fn unless_denied<T>(fault: Fault, hidden: T) -> Result<T, Fault> {
    if fault.kind == FaultKind::Denied && fault.reason == Reason::AccessDenied {
        return Ok(hidden);
    }
    Err(fault)
}

/// The role's name in `arn:aws:sts::…:assumed-role/NAME/SESSION`.
fn session_role(caller: &str) -> Option<&str> {
    caller.split(':').nth(5)?.strip_prefix("assumed-role/")?.split('/').next()
}

/// The services that a trust policy (URL-encoded JSON) lets assume the role. Conditions are not judged, as they are
/// about callers that only the service knows: with one, an Allow counts and a Deny does not.
fn trusted_services(document: &str) -> BTreeSet<String> {
    let text = percent_decode_str(document).decode_utf8_lossy();
    let policy: Value = serde_json::from_str(&text).unwrap_or_default();
    let statements: Vec<&Value> = many(&policy["Statement"]).filter(|one| is_about_assume_role(one)).collect();
    let services = |effect: &str, conditional: bool| -> BTreeSet<&str> {
        let of_effect = statements.iter().filter(|one| one["Effect"] == effect);
        let counted = of_effect.filter(|one| conditional || one["Condition"].is_null());
        counted.flat_map(|one| named_services(one)).collect()
    };
    let denied = services("Deny", false);
    let allowed = services("Allow", true);
    if denied.contains("*") {
        return BTreeSet::new();
    }
    allowed.difference(&denied).filter(|service| **service != "*").map(|service| (*service).to_owned()).collect()
}

/// A value of a policy: one, or a list of them.
fn many(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter(|item| !item.is_null())
}

/// The services of a statement's principal; `*` for everybody.
fn named_services(statement: &Value) -> impl Iterator<Item = &str> {
    let principal = &statement["Principal"];
    let everybody = Some("*").filter(|everybody| principal == everybody);
    many(&principal["Service"]).filter_map(Value::as_str).chain(everybody)
}

/// Whether a statement is about AssumeRole, by its `Action` or its `NotAction`.
fn is_about_assume_role(statement: &Value) -> bool {
    let covers = |element: &str| many(&statement[element]).filter_map(Value::as_str).any(covers_assume_role);
    if statement["NotAction"].is_null() { covers("Action") } else { !covers("NotAction") }
}

/// Whether an action of a policy is AssumeRole. IAM compares without case, `*` stands for any letters and `?` for one (IAM
/// user guide, policy element Action).
fn covers_assume_role(action: &str) -> bool {
    let name = b"sts:AssumeRole";
    // How much of the name each beginning of the pattern can cover: bounded, however many stars there are.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    for sign in action.bytes() {
        if sign == b'*' {
            let first = reached.iter().position(|covered| *covered).unwrap_or(reached.len());
            reached[first..].fill(true);
            continue;
        }
        let covers = |at: usize| at > 0 && (sign == b'?' || sign.eq_ignore_ascii_case(&name[at - 1]));
        reached = (0..reached.len()).map(|at| covers(at) && reached[at - 1]).collect();
    }
    reached[name.len()]
}

impl Actuator<Prerequisites> for PrerequisitesActuator {
    async fn observe(&self, id: &Identity, _tried: &Attempts) -> Result<Observed, Fault> {
        let identity = self.aws.sts.get_caller_identity().send().await;
        let identity = identity.map_err(|error| fault("ask AWS whose credentials these are", &error))?;
        let account = identity.account().unwrap_or_default().to_owned();
        let mut observed = Observed { account, ..Observed::default() };
        // In another account the same names mean other resources: nothing there is read as truth.
        if observed.account != *id.placement.account_id {
            return Ok(observed);
        }
        observed.operator_principal_arn = self.principal(id, identity.arn().unwrap_or_default()).await?;
        let mut roles = BTreeMap::new();
        for arn in self.needs.role_arns() {
            roles.insert(arn.clone(), self.role(&arn).await?);
        }
        observed.roles = roles;
        for arn in &self.needs.connections {
            observed.connections.insert(arn.clone(), self.connection(arn).await?);
        }
        Ok(observed)
    }

    async fn act(&self, _id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        match *action {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_session_leads_to_its_role() {
        let rows = [
            ("arn:aws:sts::111122223333:assumed-role/mlops/session-1", Some("mlops")),
            ("arn:aws:iam::111122223333:user/teams/ops", None),
            ("arn:aws:iam::111122223333:root", None),
        ];
        for (caller, role) in rows {
            assert_eq!(session_role(caller), role, "{caller}");
        }
    }

    #[test]
    fn a_trust_policy_names_services_in_several_ways() {
        let rows = [
            ("one", r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:AssumeRole"}}"#, "a"),
            (
                "many",
                r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":["a","b"]},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#,
                "a b",
            ),
            (
                "encoded",
                "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22a%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%7D",
                "a",
            ),
            ("denied", r#"{"Statement":{"Effect":"Deny","Principal":{"Service":"a"},"Action":"sts:AssumeRole"}}"#, ""),
            ("an account", r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"1"},"Action":"sts:AssumeRole"}}"#, ""),
            (
                "another action",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:TagSession"}}"#,
                "",
            ),
            (
                "all actions that begin so",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:Assume*"}}"#,
                "a",
            ),
            (
                "in other letters",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":["STS:assumerole"]}}"#,
                "a",
            ),
            (
                "actions that begin otherwise",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:Tag*"}}"#,
                "",
            ),
            (
                "with a wildcard in the middle",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:*Role"}}"#,
                "a",
            ),
            (
                "one letter that may be any",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:AssumeRol?"}}"#,
                "a",
            ),
            (
                "everything but another action",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"NotAction":"sts:TagSession"}}"#,
                "a",
            ),
            (
                "everything but this action",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"NotAction":"sts:Assume*"}}"#,
                "",
            ),
            (
                "allowed, and one of two denied",
                r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":["a","b"]},"Action":"sts:AssumeRole"},
                    {"Effect":"Deny","Principal":{"Service":"a"},"Action":"sts:*"}]}"#,
                "b",
            ),
            (
                "allowed, and denied to everybody",
                r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:AssumeRole"},
                    {"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}"#,
                "",
            ),
            (
                "allowed, and denied under a condition that only the service knows",
                r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:AssumeRole"},
                    {"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole","Condition":{"Bool":{"x":"y"}}}]}"#,
                "a",
            ),
            (
                "many stars",
                r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"*s*t*s*:**ole*"}}"#,
                "a",
            ),
            ("no policy", "", ""),
        ];
        for (name, document, services) in rows {
            let found: Vec<String> = trusted_services(document).into_iter().collect();
            assert_eq!(found.join(" "), services, "{name}");
        }
    }
}
