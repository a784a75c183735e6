//! IAM: roles with their trust policies, users with access keys, sessions, and a list of what is denied. It stands
//! apart from STS because other services ask it directly (who calls, may this role be passed). Identity policies are
//! kept and given back, and evaluated only where Lambda asks what a role may (`grants`): everything not on the deny list
//! is allowed, except what a role's permissions boundary does not allow, and assuming and passing roles, which the trust
//! policies decide.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Call, Outcome, Refusal};
use crate::world::World;

mod access;
mod boundary;
mod conditions;
mod documents;
mod grants;
mod roles;
mod trust;
mod users;

pub use access::{Session, user_id};
pub use conditions::Facts;
pub use grants::lets_in;
pub use trust::{Source, Trust};
pub(in crate::aws) use users::Person;

/// What exists in all accounts.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The account of static credentials that belong to no user made here.
    home: String,
    roles: BTreeMap<(String, String), Role>,
    users: BTreeMap<String, User>,
    sessions: BTreeMap<String, Session>,
    revoked: BTreeSet<String>,
    denied: BTreeSet<(String, String)>,
    /// Roles whose own policies decide whether they may use a Git connection.
    judged: BTreeSet<String>,
    /// Managed policies that are not AWS's own, by ARN; stacks make them.
    managed: BTreeMap<String, Value>,
    /// Users by account and name, with or without access keys.
    people: BTreeMap<(String, String), Person>,
}

/// A role.
#[derive(Clone, Debug)]
pub struct Role {
    /// 12 digits.
    pub account: String,
    /// 1-64 characters, unique in the account whatever the path.
    pub name: String,
    /// `/` or `/service-role/`.
    pub path: String,
    /// `AROA…`.
    pub id: String,
    /// The trust policy.
    pub trust: Value,
    /// Inline policies by name, as JSON text.
    pub policies: BTreeMap<String, String>,
    /// ARNs of attached managed policies.
    pub attached: BTreeSet<String>,
    /// ARN of the policy beyond which its permissions do not reach.
    pub boundary: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Description.
    pub description: String,
    /// Seconds that a session may last.
    pub max_session: i64,
    /// When it was made.
    pub created: Timestamp,
}

/// A user, by its access key.
#[derive(Clone, Debug)]
struct User {
    account: String,
    name: String,
}

impl Role {
    /// `arn:aws:iam::111122223333:role/path/name`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:role{}{}", self.account, self.path, self.name)
    }
}

/// What an account has from the start: the roles that SageMaker Projects make in it.
const SEEDED: &[(&str, &[&str])] = &[
    ("AmazonSageMakerServiceCatalogProductsLaunchRole", &["servicecatalog.amazonaws.com"]),
    (
        "AmazonSageMakerServiceCatalogProductsUseRole",
        &[
            "sagemaker.amazonaws.com",
            "codebuild.amazonaws.com",
            "codepipeline.amazonaws.com",
            "lambda.amazonaws.com",
            "events.amazonaws.com",
            "cloudformation.amazonaws.com",
            "apigateway.amazonaws.com",
            "firehose.amazonaws.com",
            "glue.amazonaws.com",
            "states.amazonaws.com",
        ],
    ),
];

impl State {
    /// What an account has from the start.
    pub fn new(account: &str) -> Self {
        let mut state = Self { home: account.to_owned(), ..Self::default() };
        state.add_account(account);
        state
    }

    /// Makes another account known, with what AWS puts into it.
    pub fn add_account(&mut self, account: &str) {
        for (name, services) in SEEDED {
            self.add_role(account, "/service-role/", name, services);
        }
    }

    /// Puts a role into an account that has been there for ever and that these services may assume.
    pub fn add_role(&mut self, account: &str, path: &str, name: &str, services: &[&str]) -> String {
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}]});
        self.add_role_trusting(account, path, name, trust)
    }

    /// Puts a role with any trust policy into an account; gives its ARN.
    pub fn add_role_trusting(&mut self, account: &str, path: &str, name: &str, trust: Value) -> String {
        let role = Role {
            account: account.to_owned(),
            name: name.to_owned(),
            path: path.to_owned(),
            id: access::unique_id("AROA", &[account, name]),
            trust,
            policies: BTreeMap::new(),
            attached: BTreeSet::new(),
            boundary: None,
            tags: BTreeMap::new(),
            description: String::new(),
            max_session: 3600,
            created: Timestamp::UNIX_EPOCH,
        };
        let arn = role.arn();
        self.roles.insert((account.to_owned(), name.to_owned()), role);
        arn
    }

    /// A role by its account and name.
    pub fn role(&self, account: &str, name: &str) -> Option<&Role> {
        self.roles.get(&(account.to_owned(), name.to_owned()))
    }

    /// A role by its full ARN, the path included.
    pub fn role_by_arn(&self, arn: &str) -> Option<&Role> {
        let account = arn.split(':').nth(4)?;
        let name = arn.rsplit('/').next()?;
        self.role(account, name).filter(|role| role.arn() == arn)
    }

    /// Everything that exists, for the dump: roles, users and what is denied.
    pub fn dump(&self) -> Value {
        let roles: Vec<Value> = self
            .roles
            .values()
            .map(|role| {
                json!({
                    "arn": role.arn(), "trust": role.trust, "policies": role.policies, "attached": role.attached,
                    "boundary": role.boundary, "tags": role.tags, "description": role.description, "maxSession": role.max_session,
                })
            })
            .collect();
        let users: Vec<String> = self.users.values().map(|user| access::user_arn(&user.account, &user.name)).collect();
        json!({ "roles": roles, "users": users, "denied": self.denied })
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "CreateRole" => roles::create(world, call),
        "GetRole" => roles::get(world, call),
        "DeleteRole" => roles::delete(world, call),
        "ListRoles" => roles::list(world, call),
        "UpdateRole" => roles::update(world, call),
        "UpdateAssumeRolePolicy" => roles::update_trust(world, call),
        "PutRolePermissionsBoundary" => boundary::put(world, call),
        "DeleteRolePermissionsBoundary" => boundary::delete(world, call),
        "GetUser" => users::get(world, call),
        "PutRolePolicy" => roles::put_policy(world, call),
        "GetRolePolicy" => roles::get_policy(world, call),
        "DeleteRolePolicy" => roles::delete_policy(world, call),
        "ListRolePolicies" => roles::list_policies(world, call),
        "AttachRolePolicy" => roles::attach(world, call),
        "DetachRolePolicy" => roles::detach(world, call),
        "ListAttachedRolePolicies" => roles::list_attached(world, call),
        "TagRole" => roles::tag(world, call),
        "UntagRole" => roles::untag(world, call),
        "ListRoleTags" => roles::list_tags(world, call),
        // CloudFormation asks for it before it deletes a role; roles here never have one.
        "ListInstanceProfilesForRole" => Ok(json!({"InstanceProfiles": [], "IsTruncated": false})),
        other => Err(Refusal::new("InvalidAction", format!("Could not find operation {other} for version 2010-05-08"))),
    }
}

#[cfg(test)]
mod tests;
