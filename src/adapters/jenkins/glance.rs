//! Whether the jobs of a project are still there, from a list of names alone: one list shows the jobs of all projects that
//! have their folders beside each other. It stands alone since it is asked between observations, and for no other purpose.
//! It sees neither what a job is like nor whose it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::client::JenkinsClient;
use super::folders::looking_at;
use super::jobs::{list, text};
use crate::domain::external_resource::{Glance, digest_of};
use crate::domain::fault::Fault;
use crate::resources::jenkins_jobs::{Desired, item_path};

/// Names of items by the folder that they are in; for the folder that was asked for, the empty name.
pub(super) type Names = Arc<BTreeMap<String, BTreeSet<String>>>;

impl JenkinsClient {
    /// Which of the jobs are there.
    pub(super) async fn glance(&self, desired: &Desired) -> Result<Glance, Fault> {
        // Around a folder at the root lies all of Jenkins: there, each project asks for its own folder.
        let (asked, own, tree) = match desired.folder.split_last() {
            Some((own, around)) if !around.is_empty() => (around, own.as_str(), "jobs[name,jobs[name]]"),
            _ => (desired.folder.as_slice(), "", "jobs[name]"),
        };
        let names = self.names.get(asked.to_vec(), Box::pin(self.names_in(asked, tree))).await?;
        let there = names.get(own);
        let missing: Vec<&str> = desired
            .jobs
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| !there.is_some_and(|there| there.contains(*name)))
            .collect();
        Ok(Glance { standing: digest_of(&missing), well: missing.is_empty(), whole: None })
    }

    /// What is in a folder, and what is in the folders in it; nothing where there is no such folder.
    async fn names_in(&self, path: &[String], tree: &str) -> Result<Names, Fault> {
        let folder = self.json(&looking_at(path), &item_path(path), tree).await?.unwrap_or_default();
        let named = |item: &Value| text(item, "name").to_owned();
        let of = |folder: &Value| list(folder, "jobs").iter().map(named).collect::<BTreeSet<_>>();
        let mut names: BTreeMap<_, _> = list(&folder, "jobs")
            .iter()
            .map(|inner| (named(inner), of(inner)))
            .filter(|(_, of)| !of.is_empty())
            .collect();
        names.insert(String::new(), of(&folder));
        Ok(Arc::new(names))
    }
}
