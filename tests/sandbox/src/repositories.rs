//! Git repositories as far as a seed code check-in needs them: what each branch holds, and its commits. In process this
//! is all there is of them; behind the HTTP transport it follows the bare repositories on disk (`transport/git.rs`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

/// What a branch holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// There is no such branch, or it has no file.
    #[default]
    Empty,
    /// Only what Git hosts put into a new repository: a README, a licence, a .gitignore.
    Readme,
    /// Files of its own.
    Files,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// 40 hex digits.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// Which SageMaker project's seed code it is: the trailer `SageMaker-Project-Id` of its message.
    pub seeded_for: Option<String>,
}

/// A branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Branch {
    /// What it holds.
    pub content: Content,
    /// Names of files and folders at its top, in order.
    pub files: Vec<String>,
    /// Oldest first.
    pub commits: Vec<Commit>,
}

/// All repositories, by full name and branch.
#[derive(Clone, Debug, Default)]
pub struct Repositories {
    branches: BTreeMap<(String, String), Branch>,
    /// Archives that https addresses give, in process.
    web: BTreeMap<String, Vec<u8>>,
    missing: BTreeSet<String>,
    commits: u64,
}

impl Repositories {
    /// A branch; empty where nobody has put anything.
    pub fn branch(&self, full_name: &str, branch: &str) -> Branch {
        self.branches.get(&(full_name.to_owned(), branch.to_owned())).cloned().unwrap_or_default()
    }

    /// Lets a branch be as it is described, whatever it was.
    pub fn set(&mut self, full_name: &str, branch: &str, state: Branch) {
        self.branches.insert((full_name.to_owned(), branch.to_owned()), state);
    }

    /// Somebody commits: gives the commit's id.
    pub fn commit(
        &mut self,
        full_name: &str,
        branch: &str,
        content: Content,
        files: &[&str],
        subject: &str,
        seeded_for: Option<&str>,
    ) -> String {
        self.commits += 1;
        let id = crate::check_in::hex_digest(&format!("{full_name}/{branch}/{}", self.commits))[..40].to_owned();
        let key = (full_name.to_owned(), branch.to_owned());
        let state = self.branches.entry(key).or_default();
        state.content = content;
        state.files.extend(files.iter().map(|name| (*name).to_owned()));
        state.files.sort();
        state.files.dedup();
        let (subject, seeded_for) = (subject.to_owned(), seeded_for.map(str::to_owned));
        state.commits.push(Commit { id: id.clone(), subject, seeded_for });
        id
    }

    /// A branch with a file of that kind in it, or without any, as a person leaves a repository for a project.
    pub fn prepare(&mut self, full_name: &str, branch: &str, content: Content) {
        self.missing.remove(full_name);
        self.set(full_name, branch, Branch::default());
        match content {
            Content::Empty => {}
            Content::Readme => drop(self.commit(full_name, branch, content, &["README.md"], "Initial commit", None)),
            Content::Files => drop(self.commit(full_name, branch, content, &["setup.py"], "Add the code", None)),
        }
    }

    /// Lets there be no repository of this name, or none that the connection may see.
    pub fn remove(&mut self, full_name: &str) {
        self.branches.retain(|(name, _), _| name != full_name);
        self.missing.insert(full_name.to_owned());
    }

    /// Whether there is none of this name.
    pub fn is_missing(&self, full_name: &str) -> bool {
        self.missing.contains(full_name)
    }

    /// All branches are as somebody has seen them.
    pub fn follow(&mut self, seen: Vec<(String, String, Branch)>) {
        self.branches = seen.into_iter().map(|(name, branch, state)| ((name, branch), state)).collect();
    }

    /// Lets an https address give an archive. Only in process: behind the HTTP transport a build asks the address itself.
    pub fn publish(&mut self, url: &str, archive: Vec<u8>) {
        self.web.insert(url.to_owned(), archive);
    }

    /// What an https address gives.
    pub(crate) fn published(&self, url: &str) -> Option<&Vec<u8>> {
        self.web.get(url)
    }

    /// All of it, in a stable order.
    pub fn dump(&self) -> Value {
        let shown = |((name, branch), state): (&(String, String), &Branch)| {
            json!({
                "fullName": name, "branch": branch, "content": state.content, "files": state.files,
                "commits": state.commits,
            })
        };
        self.branches.iter().map(shown).collect()
    }
}
