//! The Git hosts behind connections: bare repositories on disk, one for each full name, made on first use. It asks `git`
//! for everything and keeps nothing in mind; the world's own picture of the repositories follows from [`Git::look`].

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process_environment;
use crate::repositories::{Branch, Commit, Content};

/// Who makes the commits that a test or a demo begins with.
const PERSON: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "A person"),
    ("GIT_AUTHOR_EMAIL", "person@example.com"),
    ("GIT_COMMITTER_NAME", "A person"),
    ("GIT_COMMITTER_EMAIL", "person@example.com"),
];

/// Bare repositories in a folder.
#[derive(Debug)]
pub(crate) struct Git {
    folder: PathBuf,
    /// Whether the folder goes with the sandbox.
    temporary: bool,
}

impl Drop for Git {
    fn drop(&mut self) {
        if self.temporary {
            // What stays behind in the temporary folder is nobody's trouble.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl Git {
    /// Repositories in this folder, which is made; without one, in a temporary folder.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub(crate) fn new(folder: Option<PathBuf>) -> io::Result<Self> {
        let temporary = folder.is_none();
        let folder = folder.unwrap_or_else(process_environment::own_folder);
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder: std::fs::canonicalize(folder)?, temporary })
    }

    /// Where the repositories are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the repository of a full name is, or would be.
    ///
    /// # Errors
    /// A name that leads elsewhere.
    pub(crate) fn path(&self, full_name: &str) -> io::Result<PathBuf> {
        let parts: Vec<&str> = full_name.split('/').collect();
        let plain = |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
        if parts.len() < 2 || !parts.iter().all(plain) {
            return Err(io::Error::other(format!("{full_name} is not the full name of a repository, owner/name")));
        }
        Ok(self.folder.join(format!("{full_name}.git")))
    }

    /// Makes the repository, empty, if there is none of this name; gives where it is.
    ///
    /// # Errors
    /// What `git` says.
    pub(crate) fn ensure(&self, full_name: &str) -> io::Result<PathBuf> {
        let path = self.path(full_name)?;
        if !path.exists() {
            std::fs::create_dir_all(&path)?;
            git(&path, &["init", "--quiet", "--bare", "--initial-branch=main", "."], "")?;
            // As Git hosts allow it: a check-in looks at names before it fetches contents.
            git(&path, &["config", "uploadpack.allowFilter", "true"], "")?;
        }
        Ok(path)
    }

    /// Takes the repository away.
    ///
    /// # Errors
    /// A name that leads elsewhere, or a folder that cannot be removed.
    pub(crate) fn remove(&self, full_name: &str) -> io::Result<()> {
        let path = self.path(full_name)?;
        if path.exists() { std::fs::remove_dir_all(path) } else { Ok(()) }
    }

    /// Lets a branch hold nothing, a README alone, or a file of its own, in one commit of a person's. What it held is gone.
    ///
    /// # Errors
    /// What `git` says.
    pub(crate) fn prepare(&self, full_name: &str, branch: &str, content: Content) -> io::Result<()> {
        let path = self.ensure(full_name)?;
        let reference = format!("refs/heads/{branch}");
        git(&path, &["check-ref-format", &reference], "")?;
        git(&path, &["update-ref", "-d", &reference], "")?;
        let (name, text, subject) = match content {
            Content::Empty => return Ok(()),
            Content::Readme => ("README.md", format!("# {full_name}\n"), "Initial commit"),
            Content::Files => ("setup.py", "print('ours')\n".to_owned(), "Add the code"),
        };
        let blob = git(&path, &["hash-object", "-w", "--stdin"], &text)?;
        let tree = git(&path, &["mktree"], &format!("100644 blob {blob}\t{name}\n"))?;
        let commit = git(&path, &["commit-tree", "-m", subject, &tree], "")?;
        git(&path, &["update-ref", &reference, &commit], "").map(drop)
    }

    /// Full name, branch and state of every branch of every repository.
    ///
    /// # Errors
    /// What `git` or the file system says.
    pub(crate) fn look(&self) -> io::Result<Vec<(String, String, Branch)>> {
        let mut all = Vec::new();
        for path in bare(&self.folder)? {
            let name = path.strip_prefix(&self.folder).unwrap_or(&path).with_extension("");
            let name = name.to_string_lossy().into_owned();
            for branch in git(&path, &["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"], "")?.lines() {
                all.push((name.clone(), branch.to_owned(), state(&path, branch)?));
            }
        }
        Ok(all)
    }
}

/// Every bare repository below a folder, in order.
fn bare(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort();
    let mut found = Vec::new();
    for path in entries.into_iter().filter(|path| path.is_dir()) {
        if path.extension().is_some_and(|extension| extension == "git") {
            found.push(path);
        } else {
            found.extend(bare(&path)?);
        }
    }
    Ok(found)
}

fn state(path: &Path, branch: &str) -> io::Result<Branch> {
    let reference = format!("refs/heads/{branch}");
    let format = "--format=%H%x00%s%x00%(trailers:key=SageMaker-Project-Id,valueonly,separator=%x20)";
    let log = git(path, &["log", "--reverse", format, &reference], "")?;
    let commits = log.lines().map(|line| {
        let mut parts = line.split('\0').map(str::to_owned);
        let (id, subject) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Commit { id, subject, seeded_for: parts.next().filter(|project| !project.trim().is_empty()) }
    });
    let commits = commits.collect();
    let files: Vec<String> =
        git(path, &["ls-tree", "--name-only", &reference], "")?.lines().map(str::to_owned).collect();
    let content = match files.as_slice() {
        [] => Content::Empty,
        names if names.iter().all(|name| harmless(name)) => Content::Readme,
        _ => Content::Files,
    };
    Ok(Branch { content, files, commits })
}

/// Whether Git hosts put such a file into a new repository.
fn harmless(name: &str) -> bool {
    let name = name.to_lowercase();
    let stem = ["readme", "license", "licence"].into_iter().find_map(|stem| name.strip_prefix(stem));
    name == ".gitignore" || stem.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_', '-']))
}

/// What `git` answers, without the last line's end.
fn git(path: &Path, arguments: &[&str], input: &str) -> io::Result<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(path).args(arguments).envs(PERSON);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let missing = |error: io::Error| io::Error::new(error.kind(), format!("git does not start: {error}"));
    let mut child = command.spawn().map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let what = arguments.first().copied().unwrap_or_default();
    Err(io::Error::other(format!("git {what} failed in {}: {}", path.display(), said.trim())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_branch_is_prepared_and_looked_at() {
        let git = Git::new(None).unwrap();
        let folder = git.folder().to_owned();
        for (content, files) in [(Content::Empty, 0), (Content::Readme, 1), (Content::Files, 1), (Content::Empty, 0)] {
            git.prepare("team/churn", "main", content).unwrap();
            let seen = git.look().unwrap();
            let branch = seen.first().map(|(_, _, branch)| branch.clone()).unwrap_or_default();
            assert_eq!((branch.content, branch.files.len(), branch.commits.len()), (content, files, files));
        }
        git.remove("team/churn").unwrap();
        assert!(git.look().unwrap().is_empty());
        drop(git);
        assert!(!folder.exists(), "a temporary folder goes with the sandbox");
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let git = Git::new(None).unwrap();
        for name in ["../x", "x", "a//b", "a/.git", "/etc/x", "a/..", "a\\b/c"] {
            assert!(git.ensure(name).is_err(), "{name}");
        }
    }
}
