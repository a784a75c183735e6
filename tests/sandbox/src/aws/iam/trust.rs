//! Trust policies: who may assume a role. Apart from the role operations because STS, Service Catalog,
//! CloudFormation and Lambda all ask the same question. Condition operators that are not known here never match.

use std::time::Duration;

use serde_json::Value;

use super::super::Caller;
use super::State;
use super::access::matches;
use crate::world::World;

/// How a role stands towards a service that would assume it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// There is no such role.
    Missing,
    /// Its trust policy does not name the service.
    Refused,
    /// It was made or changed so recently that services do not know it yet.
    Propagating,
    /// The service can assume it.
    Given,
}

impl World {
    /// Whether a service (`lambda.amazonaws.com`) can assume the role now.
    pub fn trust(&self, role_arn: &str, service: &str) -> Trust {
        let Some(role) = self.iam.role_by_arn(role_arn) else { return Trust::Missing };
        if !allows(&role.trust, &|principal| names_service(principal, service), None) {
            return Trust::Refused;
        }
        if self.propagating(role_arn) { Trust::Propagating } else { Trust::Given }
    }

    /// Whether a role is so young that other services do not know it yet.
    pub fn propagating(&self, role_arn: &str) -> bool {
        !self.spreads_for(role_arn).is_zero()
    }

    /// How long it takes until other services know the role.
    pub fn spreads_for(&self, role_arn: &str) -> Duration {
        let Some(role) = self.iam.role_by_arn(role_arn) else { return Duration::ZERO };
        let age = Duration::try_from(self.now.duration_since(role.created)).unwrap_or_default();
        self.settings.iam_propagation.saturating_sub(age)
    }
}

/// Whether the role was made less than `delay` ago.
pub(super) fn young(world: &World, role_arn: &str, delay: Duration) -> bool {
    let Some(role) = world.iam.role_by_arn(role_arn) else { return false };
    let age = world.now.duration_since(role.created);
    Duration::try_from(age).unwrap_or_default() < delay
}

impl State {
    /// Whether the role's trust policy lets this caller assume it, given the external id that it sent.
    pub fn admits(&self, role_arn: &str, caller: &Caller, external_id: Option<&str>) -> bool {
        self.role_by_arn(role_arn)
            .is_some_and(|role| allows(&role.trust, &|principal| names_caller(principal, caller), external_id))
    }
}

fn allows(policy: &Value, named: &dyn Fn(&Value) -> bool, external_id: Option<&str>) -> bool {
    let statements = one_or_many(policy.get("Statement").unwrap_or(&Value::Null));
    let applies = |statement: &Value| {
        let action = texts(statement.get("Action")).iter().any(|action| matches(action, "sts:AssumeRole"));
        action
            && named(statement.get("Principal").unwrap_or(&Value::Null))
            && conditions_hold(statement.get("Condition"), external_id)
    };
    let effect = |statement: &Value| statement.get("Effect").and_then(Value::as_str).unwrap_or_default().to_owned();
    let hits: Vec<String> = statements.into_iter().filter(|statement| applies(statement)).map(effect).collect();
    hits.iter().any(|effect| effect == "Allow") && !hits.iter().any(|effect| effect == "Deny")
}

fn names_service(principal: &Value, service: &str) -> bool {
    texts(principal.get("Service")).iter().any(|name| name == service)
}

fn names_caller(principal: &Value, caller: &Caller) -> bool {
    if principal.as_str() == Some("*") {
        return true;
    }
    let root = format!("arn:aws:iam::{}:root", caller.account);
    let known = ["*", &caller.account, &root, &caller.principal, &caller.arn];
    texts(principal.get("AWS")).iter().any(|name| known.contains(&name.as_str()))
}

fn conditions_hold(condition: Option<&Value>, external_id: Option<&str>) -> bool {
    let Some(operators) = condition.and_then(Value::as_object) else { return condition.is_none() };
    operators.iter().all(|(operator, keys)| {
        let Some(keys) = keys.as_object() else { return false };
        keys.iter().all(|(key, wanted)| {
            let Some(given) = external_id.filter(|_| key.eq_ignore_ascii_case("sts:ExternalId")) else { return false };
            let wanted = texts(Some(wanted));
            match operator.as_str() {
                "StringEquals" => wanted.iter().any(|text| text == given),
                "StringLike" => wanted.iter().any(|text| matches(text, given)),
                _ => false,
            }
        })
    })
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        single => vec![single],
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.map(one_or_many).unwrap_or_default().into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
