//! Whether the jobs of a project are still there, from a list of names alone: one list shows the jobs of all projects that
//! have their folders beside each other. It stands alone since it is asked between observations, and for no other purpose.
//! It sees neither what a job is like nor whose it is.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use serde_json::Value;

use super::client::JenkinsClient;
use super::folders::looking_at;
use super::jobs::{list, text};
use crate::domain::external_resource::{Glance, digest_of};
use crate::domain::fault::Fault;
use crate::resources::jenkins_jobs::{Desired, item_path};

/// What a list of names shows; `None`: it cannot be had.
pub(super) type Names = Option<Arc<Listed>>;

/// Which items are in a folder, and in the folders in it.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Digests of the names of folder and item, since only those are looked up that are known. For the folder that was asked
    /// for, its name is empty.
    items: BTreeSet<u64>,
    /// Digests of the names of folders in which there may be more than was listed.
    crowded: BTreeSet<u64>,
}

impl Listed {
    fn add(&mut self, folder: &str, items: &[Value]) {
        self.items.extend(items.iter().map(|item| digest_of(&(folder, text(item, "name")))));
        if items.len() >= FEW {
            self.crowded.insert(digest_of(&folder));
        }
    }
}

/// Items of one folder that are listed: a project has four. What more there is in one, nothing is said of it.
const FEW: usize = 100;

impl JenkinsClient {
    /// Which of the jobs are there; `None`: it cannot be seen in lists.
    pub(super) async fn glance(&self, desired: &Desired) -> Option<Glance> {
        // Around a folder at the root lies all of Jenkins: there, each project asks for its own folder.
        let (asked, own, tree) = match desired.folder.split_last() {
            Some((own, around)) if !around.is_empty() => {
                (around, own.as_str(), format!("jobs[name,jobs[name]{{0,{FEW}}}]"))
            }
            _ => (desired.folder.as_slice(), "", format!("jobs[name]{{0,{FEW}}}")),
        };
        // Shared whatever it is: a list that fails is not asked for by everybody.
        let ask = async { Ok::<_, Infallible>(Box::pin(self.names_in(asked, &tree)).await.ok()) };
        let Ok(names) = self.names.get(asked.to_vec(), ask).await;
        let names = names?;
        if names.crowded.contains(&digest_of(&own)) {
            return None;
        }
        let missing: Vec<&str> = desired
            .jobs
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !names.items.contains(&digest_of(&(own, *name))))
            .collect();
        Some(Glance { standing: digest_of(&missing), well: missing.is_empty(), whole: None })
    }

    /// What is in a folder, and what is in the folders in it; nothing where there is no such folder.
    async fn names_in(&self, path: &[String], tree: &str) -> Result<Arc<Listed>, Fault> {
        let folder = self.json(&looking_at(path), &item_path(path), tree).await?.unwrap_or_default();
        let mut listed = Listed::default();
        listed.add("", list(&folder, "jobs"));
        for inner in list(&folder, "jobs") {
            listed.add(text(inner, "name"), list(inner, "jobs"));
        }
        Ok(Arc::new(listed))
    }
}
