//! What a process of the sandbox finds around itself, be it a function or a build: AWS, credentials of its role, a
//! search path; and nothing of the settings of whoever started the sandbox.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::aws::iam::{Session, Source, Trust};
use crate::world::World;

/// Names a Python whose folder comes first in the search path, so that `python3` and `aws` are the pinned ones.
const PYTHON: &str = "MLOPS_SANDBOX_PYTHON";

/// A role that a service runs something as.
pub(crate) struct Actor<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) role: &'a str,
    /// Such as `lambda.amazonaws.com`.
    pub(crate) service: &'a str,
    /// ARN of what it runs: a function, or a build's project.
    pub(crate) source: &'a str,
    /// Name of the session.
    pub(crate) session: &'a str,
    pub(crate) aws_url: &'a str,
}

/// Variables with which any SDK finds the sandbox as the role.
///
/// # Errors
/// A role that the service cannot assume.
pub(crate) fn aws(world: &mut World, actor: &Actor<'_>) -> Result<BTreeMap<String, String>, String> {
    let source = Source { account: actor.account, arn: Some(actor.source) };
    if world.trust_for(actor.role, actor.service, source) != Trust::Given {
        return Err(format!("the role {} cannot be assumed by {}", actor.role, actor.service));
    }
    let role = actor.role.rsplit('/').next().unwrap_or_default();
    let session = Session {
        account: actor.account.to_owned(),
        arn: format!("arn:aws:sts::{}:assumed-role/{role}/{}", actor.account, actor.session),
        role: actor.role.to_owned(),
        expires: world.after(Duration::from_secs(3600)),
    };
    let (salt, secret, token) = (world.ids.next(16), world.ids.next(32), world.ids.next(64));
    let key = world.iam.add_session(session, &salt);
    let variables = [
        ("AWS_REGION", actor.region),
        ("AWS_DEFAULT_REGION", actor.region),
        ("AWS_ENDPOINT_URL", actor.aws_url),
        ("AWS_ACCESS_KEY_ID", &key),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_SESSION_TOKEN", &token),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// A folder that no other process of any sandbox has; nobody has made it yet.
pub(crate) fn own_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("mlops-sandbox-{}-{count}", std::process::id()))
}

/// The Python that runs functions: the pinned one, or whatever `python3` is.
pub(crate) fn python() -> OsString {
    std::env::var_os(PYTHON).unwrap_or_else(|| "python3".into())
}

/// The search path: the folder of the pinned Python first, where one is named.
pub(crate) fn search_path() -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let pinned = std::env::var_os(PYTHON).map(PathBuf::from);
    let folders = pinned.as_deref().and_then(Path::parent).map(Path::to_owned).into_iter();
    std::env::join_paths(folders.chain(std::env::split_paths(&own))).unwrap_or(own)
}
