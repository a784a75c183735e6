//! Trust policies: who may assume a role. Apart from the role operations because STS, Service Catalog,
//! CloudFormation, CodeBuild and Lambda all ask the same question. What a condition asks is decided in `conditions`.

use std::time::Duration;

use serde_json::Value;

use super::super::Caller;
use super::State;
use super::access::matches;
use super::conditions::{Facts, fact, hold};
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

/// For whom a service assumes a role: what `aws:SourceAccount` and `aws:SourceArn` are in the role's trust policy.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Whose the resource is.
    pub account: &'a str,
    /// Its ARN, where AWS says which one the service sends: that of the function for Lambda, of the project for CodeBuild
    /// (their guides, "Cross-service confused deputy prevention"). `None`: a condition on it is not decided, and does not hold.
    pub arn: Option<&'a str>,
}

impl Source<'_> {
    pub(super) fn facts(self) -> Facts {
        let arn = self.arn.map(|arn| fact("aws:sourcearn", Some(arn)));
        [fact("aws:sourceaccount", Some(self.account))].into_iter().chain(arn).collect()
    }
}

/// What is known of a user or a session that assumes a role itself. No service stands between, so there is no source
/// (IAM User Guide, "AWS global condition context keys").
fn facts_of(caller: &Caller, session: &str, external_id: Option<&str>) -> Facts {
    Facts::from([
        fact("aws:sourceaccount", None),
        fact("aws:sourcearn", None),
        fact("aws:principalarn", Some(&caller.principal)),
        fact("aws:principalaccount", Some(&caller.account)),
        fact("sts:rolesessionname", Some(session)),
        fact("sts:externalid", external_id),
    ])
}

impl World {
    /// Whether a service (`lambda.amazonaws.com`) can assume the role now, for some resource of the role's own account.
    pub fn trust(&self, role_arn: &str, service: &str) -> Trust {
        let account = role_arn.split(':').nth(4).unwrap_or_default();
        self.trust_for(role_arn, service, Source { account, arn: None })
    }

    /// Whether a service can assume the role now, for this resource.
    pub fn trust_for(&self, role_arn: &str, service: &str, source: Source<'_>) -> Trust {
        let Some(role) = self.iam.role_by_arn(role_arn) else { return Trust::Missing };
        if !allows(&role.trust, &|principal| names_service(principal, service), &source.facts()) {
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
    /// Whether the role's trust policy lets this caller assume it, given the name of the session and the external id
    /// that it sent.
    pub fn admits(&self, role_arn: &str, caller: &Caller, session: &str, external_id: Option<&str>) -> bool {
        let facts = facts_of(caller, session, external_id);
        self.role_by_arn(role_arn)
            .is_some_and(|role| allows(&role.trust, &|principal| names_caller(principal, caller), &facts))
    }
}

/// Whether the statement is about assuming a role; the case of letters does not matter in actions.
fn about_assuming(statement: &Value) -> bool {
    let named = |element: &str| {
        let actions = statement.get(element).map(|actions| texts(Some(actions)));
        actions.map(|actions| actions.iter().any(|action| matches(&action.to_ascii_lowercase(), "sts:assumerole")))
    };
    named("Action").unwrap_or_else(|| named("NotAction") == Some(false))
}

fn allows(policy: &Value, named: &dyn Fn(&Value) -> bool, facts: &Facts) -> bool {
    let statements = one_or_many(policy.get("Statement").unwrap_or(&Value::Null));
    let applies = |statement: &Value| {
        about_assuming(statement)
            && named(statement.get("Principal").unwrap_or(&Value::Null))
            && hold(statement.get("Condition"), facts)
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

pub(super) fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        single => vec![single],
    }
}

pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    value.map(one_or_many).unwrap_or_default().into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
