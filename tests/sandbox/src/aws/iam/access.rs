//! Who calls: access keys of users and of sessions, and the list of denied actions. Apart from the roles because
//! the transport asks it for each request of any service.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::{Caller, Refusal};
use super::{Person, State, User};

/// Credentials that AssumeRole gave out.
#[derive(Clone, Debug)]
pub struct Session {
    /// Account of the role.
    pub account: String,
    /// `arn:aws:sts::…:assumed-role/NAME/SESSION`.
    pub arn: String,
    /// ARN of the role.
    pub role: String,
    /// Until when they are good.
    pub expires: Timestamp,
}

/// An id such as AWS gives to principals and keys: a prefix of four letters and 16 characters that follow from `parts`.
pub(super) fn unique_id(prefix: &str, parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\u{0}"));
    let tail = digest.iter().take(16).map(|byte| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte % 32)] as char);
    prefix.chars().chain(tail).collect()
}

/// The unique id of a user, `AIDA…`.
pub fn user_id(arn: &str) -> String {
    unique_id("AIDA", &[arn])
}

/// ARN of a user.
pub(super) fn user_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}

impl State {
    /// Makes a user; gives its access key.
    pub fn add_user(&mut self, account: &str, name: &str) -> String {
        let key = unique_id("AKIA", &[account, name]);
        self.users.insert(key.clone(), User { account: account.to_owned(), name: name.to_owned() });
        let person = Person { path: "/".to_owned(), created: Timestamp::UNIX_EPOCH, tags: Value::Null };
        self.set_user(account, name, Some(person));
        key
    }

    /// Makes a session of a role known; gives its access key.
    pub fn add_session(&mut self, session: Session, salt: &str) -> String {
        let key = unique_id("ASIA", &[&session.arn, salt]);
        self.sessions.insert(key.clone(), session);
        key
    }

    /// From now on this access key is refused.
    pub fn revoke(&mut self, access_key: &str) {
        self.revoked.insert(access_key.to_owned());
    }

    /// Takes back a [`State::revoke`].
    pub fn reinstate(&mut self, access_key: &str) {
        self.revoked.remove(access_key);
    }

    /// From now on, static keys that belong to no user made here are another account's.
    pub fn move_home(&mut self, account: &str) {
        account.clone_into(&mut self.home);
    }

    /// Who calls with this access key. Static keys that belong to no user made here are the home account's
    /// administrator; `None`: revoked, or a session key that was never given out (`InvalidClientTokenId`).
    pub fn caller(&self, access_key: &str) -> Option<Caller> {
        if self.revoked.contains(access_key) {
            return None;
        }
        if let Some(session) = self.sessions.get(access_key) {
            let Session { account, arn, role, .. } = session.clone();
            return Some(Caller { account, arn, principal: role });
        }
        if access_key.is_empty() || access_key.starts_with("ASIA") {
            return None;
        }
        let (account, name) = match self.users.get(access_key) {
            Some(user) => (user.account.as_str(), user.name.as_str()),
            None => (self.home.as_str(), "administrator"),
        };
        let arn = user_arn(account, name);
        Some(Caller { account: account.to_owned(), arn: arn.clone(), principal: arn })
    }

    /// Whether this access key is that of a session that is over (`ExpiredToken`).
    pub fn expired(&self, access_key: &str, now: Timestamp) -> bool {
        self.sessions.get(access_key).is_some_and(|session| session.expires <= now)
    }

    /// From now on, `principal` (a role's or user's ARN, or `*`) may not do `action` (`s3:PutObject`, `s3:*`, or `*`).
    pub fn deny(&mut self, principal: &str, action: &str) {
        self.denied.insert((principal.to_owned(), action.to_owned()));
    }

    /// Takes back a [`State::deny`] of the same words.
    pub fn allow(&mut self, principal: &str, action: &str) {
        self.denied.remove(&(principal.to_owned(), action.to_owned()));
    }

    /// The refusal that meets `principal` when it tries `action`, if that is denied or its permissions boundary does not
    /// let it. Query and REST services say `AccessDenied` with 403, JSON services `AccessDeniedException` with 400.
    pub fn denied(&self, principal: &str, action: &str) -> Option<Refusal> {
        let hit = self.denied.iter().any(|(who, what)| matches(who, principal) && matches(what, action));
        let reason = match (hit, self.beyond_boundary(principal, action)) {
            (true, _) => format!("because no identity-based policy allows the {action} action"),
            (false, Some(limit)) => limit.reason(action),
            (false, None) => return None,
        };
        let message = format!("User: {principal} is not authorized to perform: {action} {reason}");
        let service = action.split(':').next().unwrap_or_default();
        Some(match service {
            "s3" | "iam" | "sts" | "cloudformation" => Refusal::new("AccessDenied", message).with_status(403),
            _ => Refusal::new("AccessDeniedException", message),
        })
    }

    /// Whether the caller may pass the role to a service: the role exists in the caller's account, and passing is
    /// not denied. Whether the role trusts the service is another question: `World::trust`.
    ///
    /// # Errors
    /// `AccessDenied` in IAM's words; a caller in another service puts its own code on it.
    pub fn pass_role(&self, caller: &Caller, role_arn: &str) -> Result<(), Refusal> {
        let exists = self.role_by_arn(role_arn).is_some_and(|role| role.account == caller.account);
        if exists && self.denied(&caller.principal, "iam:PassRole").is_none() {
            return Ok(());
        }
        let message = format!(
            "User: {} is not authorized to perform: iam:PassRole on resource: {role_arn} because no identity-based policy allows the iam:PassRole action",
            caller.arn
        );
        Err(Refusal::new("AccessDenied", message).with_status(403))
    }
}

/// Whether a pattern with `*` for any text and `?` for any one sign matches.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where the last star stands, and how much of the text it takes so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(sign) if *sign == '?' || *sign == text[seen] => (at, seen) = (at + 1, seen + 1),
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, seen) = (place + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}
