//! Whether this machine has what the sandbox needs to run functions and builds as processes. It stands alone because the
//! rehearsal must not depend on it: where a program is missing, those parts are left out and said. It installs nothing.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long a program may take to say that it is there.
const LIMIT: Duration = Duration::from_secs(20);

/// What is missing, as a sentence's object; `None` where functions and builds can run. The programs are those that the
/// sandbox would start: `MLOPS_SANDBOX_PYTHON` and what is in its folder come first.
pub(crate) async fn missing() -> Option<String> {
    let pinned = std::env::var_os("MLOPS_SANDBOX_PYTHON");
    let path = search_path(pinned.as_deref().map(Path::new));
    let python = pinned.unwrap_or_else(|| "python3".into());
    let home = std::env::var_os("HOME").unwrap_or_default();
    // A build has a home folder of its own, so what is installed for one user alone does not count there.
    let nowhere = std::env::temp_dir().into_os_string();
    let (boto3, git, aws) = tokio::join!(
        runs(&python, &["-c", "import boto3"], &path, &home),
        runs(OsStr::new("git"), &["--version"], &path, &nowhere),
        runs(OsStr::new("aws"), &["--version"], &path, &nowhere),
    );
    listed(&[("python3 with boto3", boto3), ("git", git), ("the AWS CLI", aws)])
}

/// The folder of the pinned Python, then those of this process.
fn search_path(pinned: Option<&Path>) -> OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let first: Option<PathBuf> = pinned.and_then(Path::parent).map(Path::to_owned);
    std::env::join_paths(first.into_iter().chain(std::env::split_paths(&own))).unwrap_or(own)
}

async fn runs(program: &OsStr, arguments: &[&str], path: &OsStr, home: &OsStr) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", path).env("HOME", home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(LIMIT, command.status()).await;
    ended.is_ok_and(|status| status.is_ok_and(|status| status.success()))
}

/// The names of those that are not there: `a`, `a and b`, `a, b and c`.
fn listed(programs: &[(&str, bool)]) -> Option<String> {
    let missing: Vec<&str> = programs.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    let (last, others) = missing.split_last()?;
    Some(if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let rows = [
            ([true, true, true], None),
            ([false, true, true], Some("a")),
            ([false, true, false], Some("a and c")),
            ([false, false, false], Some("a, b and c")),
        ];
        for (there, expected) in rows {
            let programs: Vec<(&str, bool)> = ["a", "b", "c"].into_iter().zip(there).collect();
            assert_eq!(listed(&programs).as_deref(), expected);
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_or_fails_does_not_run() {
        let (path, home) = (search_path(None), OsString::from("/"));
        assert!(runs(OsStr::new("sh"), &["-c", "true"], &path, &home).await);
        assert!(!runs(OsStr::new("sh"), &["-c", "false"], &path, &home).await);
        assert!(!runs(OsStr::new("mlops-no-such-program"), &[], &path, &home).await);
    }

    #[test]
    fn the_folder_of_the_pinned_python_comes_first() {
        let path = search_path(Some(Path::new("/pinned/bin/python")));
        assert_eq!(std::env::split_paths(&path).next(), Some(PathBuf::from("/pinned/bin")));
    }
}
