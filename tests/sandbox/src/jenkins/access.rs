//! Who calls and what they may do: users with API tokens, permissions that a folder can take away, and crumbs.
//! The rules are those of BasicHeaderProcessor, CrumbFilter and AccessDeniedException3.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::reply::{self, Reply};
use super::{Jenkins, full_name, matrix};

/// What a user may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Permission {
    OverallRead,
    OverallSystemRead,
    OverallAdminister,
    ItemRead,
    ItemDiscover,
    ItemExtendedRead,
    ItemCreate,
    ItemConfigure,
    ItemDelete,
    ItemBuild,
    ItemCancel,
    ItemMove,
    RunUpdate,
    RunDelete,
    ViewRead,
    ViewCreate,
    ViewConfigure,
    ViewDelete,
    CredentialsView,
    CredentialsCreate,
    CredentialsUpdate,
    CredentialsDelete,
}

impl Permission {
    /// As `X-Required-Permission` names it.
    pub fn id(self) -> &'static str {
        match self {
            Self::OverallRead => "hudson.model.Hudson.Read",
            Self::OverallSystemRead => "hudson.model.Hudson.SystemRead",
            Self::OverallAdminister => "hudson.model.Hudson.Administer",
            Self::ItemRead => "hudson.model.Item.Read",
            Self::ItemDiscover => "hudson.model.Item.Discover",
            Self::ItemExtendedRead => "hudson.model.Item.ExtendedRead",
            Self::ItemCreate => "hudson.model.Item.Create",
            Self::ItemConfigure => "hudson.model.Item.Configure",
            Self::ItemDelete => "hudson.model.Item.Delete",
            Self::ItemBuild => "hudson.model.Item.Build",
            Self::ItemCancel => "hudson.model.Item.Cancel",
            Self::ItemMove => "hudson.model.Item.Move",
            Self::RunUpdate => "hudson.model.Run.Update",
            Self::RunDelete => "hudson.model.Run.Delete",
            Self::ViewRead => "hudson.model.View.Read",
            Self::ViewCreate => "hudson.model.View.Create",
            Self::ViewConfigure => "hudson.model.View.Configure",
            Self::ViewDelete => "hudson.model.View.Delete",
            Self::CredentialsView => "com.cloudbees.plugins.credentials.CredentialsProvider.View",
            Self::CredentialsCreate => "com.cloudbees.plugins.credentials.CredentialsProvider.Create",
            Self::CredentialsUpdate => "com.cloudbees.plugins.credentials.CredentialsProvider.Update",
            Self::CredentialsDelete => "com.cloudbees.plugins.credentials.CredentialsProvider.Delete",
        }
    }
}

impl Permission {
    /// The permission that suffices where this one is off, as both are unless somebody switches them on
    /// (`jenkins.security.SystemReadPermission`, `hudson.security.ExtendedReadPermission`).
    pub(super) fn stands_for(self) -> Option<Self> {
        match self {
            Self::OverallSystemRead => Some(Self::OverallAdminister),
            Self::ItemExtendedRead => Some(Self::ItemConfigure),
            _ => None,
        }
    }
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// API token.
    pub token: String,
    /// Password, which authenticates too but then needs a crumb to POST.
    pub password: Option<String>,
    /// What the user may do everywhere.
    pub permissions: BTreeSet<Permission>,
    /// What is taken away at an item (by its full name) and below it. Without ItemRead an item is hidden.
    pub denied: BTreeMap<String, BTreeSet<Permission>>,
}

impl User {
    /// A user who may do what a service account for job configuration may do: all but administer and discover.
    pub fn service(token: &str) -> Self {
        use Permission::*;
        let permissions = BTreeSet::from([
            OverallRead,
            OverallSystemRead,
            ItemRead,
            ItemExtendedRead,
            ItemCreate,
            ItemConfigure,
            ItemDelete,
            ItemBuild,
            ItemCancel,
            ItemMove,
            RunUpdate,
            RunDelete,
            ViewRead,
            ViewCreate,
            ViewConfigure,
            ViewDelete,
            CredentialsView,
            CredentialsCreate,
            CredentialsUpdate,
            CredentialsDelete,
        ]);
        Self { token: token.to_owned(), password: None, permissions, denied: BTreeMap::new() }
    }

    /// A user who may see jobs and start them, and no more.
    pub fn starter(token: &str) -> Self {
        use Permission::*;
        Self { permissions: BTreeSet::from([OverallRead, ItemRead, ItemBuild]), ..Self::service(token) }
    }
}

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// User name; absent: anonymous.
    pub(super) user: Option<String>,
    /// Whether an API token proved it.
    pub(super) by_token: bool,
}

impl Caller {
    pub(super) fn name(&self) -> &str {
        self.user.as_deref().unwrap_or("anonymous")
    }
}

/// Reads the Authorization header.
pub(super) fn authenticate(jenkins: &Jenkins, headers: &HeaderMap) -> Result<Caller, Reply> {
    let Some(header) = headers.get(http::header::AUTHORIZATION) else {
        return Ok(Caller { user: None, by_token: false });
    };
    let decoded = header
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("Basic "))
        .and_then(|text| STANDARD.decode(text.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (name, word) = decoded.as_deref().and_then(|text| text.split_once(':')).ok_or_else(reply::unauthorized)?;
    let user = jenkins.users.get(name).ok_or_else(reply::unauthorized)?;
    let by_token = user.token == word;
    if by_token || user.password.as_deref() == Some(word) {
        return Ok(Caller { user: Some(name.to_owned()), by_token });
    }
    Err(reply::unauthorized())
}

/// Whether the caller may do that to the item at `path` (empty: everywhere), or what stands for it.
pub(super) fn may(jenkins: &Jenkins, caller: &Caller, permission: Permission, path: &[String]) -> bool {
    let other = permission.stands_for();
    may_itself(jenkins, caller, permission, path) || other.is_some_and(|other| may_itself(jenkins, caller, other, path))
}

fn may_itself(jenkins: &Jenkins, caller: &Caller, permission: Permission, path: &[String]) -> bool {
    let Some(user) = caller.user.as_ref().and_then(|name| jenkins.users.get(name)) else { return false };
    let taken = |depth: usize| {
        user.denied.iter().any(|(at, what)| same_item(at, &full_name(&path[..depth])) && what.contains(&permission))
    };
    if user.permissions.contains(&Permission::OverallAdminister) && user.permissions.contains(&permission) {
        return !(0..=path.len()).any(taken);
    }
    let everywhere = user.permissions.contains(&permission);
    matrix::grants(jenkins, caller.name(), permission, path, everywhere) && !(0..=path.len()).any(taken)
}

/// Whether two full names are those of one item: only at the root the case does not matter.
fn same_item(one: &str, other: &str) -> bool {
    let parts = |name: &str| {
        name.split_once('/')
            .map_or((name.to_lowercase(), String::new()), |(root, rest)| (root.to_lowercase(), rest.to_owned()))
    };
    parts(one) == parts(other)
}

/// Refuses with 403 what the caller may not do.
pub(super) fn require(
    jenkins: &Jenkins,
    caller: &Caller,
    permission: Permission,
    path: &[String],
) -> Result<(), Reply> {
    if may(jenkins, caller, permission, path) {
        return Ok(());
    }
    // ACL.checkPermission names the permission that stands for one which is off by default.
    Err(reply::forbidden(caller.name(), permission.stands_for().unwrap_or(permission).id()))
}

/// The crumb of a user's web session.
pub(super) fn crumb(user: &str, session: &str) -> String {
    hex::encode(Sha256::digest(format!("{user}/{session}")))
}

/// The web session that a request belongs to.
pub(super) fn session(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(http::header::COOKIE)?.to_str().ok()?;
    cookies
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == reply::SESSION_COOKIE).then(|| value.to_owned()))
}

/// Refuses a POST that needs a crumb and has none.
pub(super) fn check_crumb(jenkins: &Jenkins, caller: &Caller, headers: &HeaderMap) -> Result<(), Reply> {
    if caller.by_token || !jenkins.use_crumbs {
        return Ok(());
    }
    let sent = headers.get("Jenkins-Crumb").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match session(headers) {
        Some(session) if sent == crumb(caller.name(), &session) => Ok(()),
        _ => Err(reply::no_crumb()),
    }
}
