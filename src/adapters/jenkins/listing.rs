//! What there is where a project's jobs belong: the folders on the way, and the items in the last of them. It stands alone
//! since `jobs` is about what is done to them. What holds for all projects beside each other, the outer folders, is asked
//! once for all that take a routine look. It changes nothing and decides nothing.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::builds::{self, TREE};
use super::client::JenkinsClient;
use super::folders::{is_folder, looking_at};
use super::jobs::{JOB_CLASSES, PIPELINE_CLASS, READS_AT_ONCE, list, text};
use crate::domain::external_resource::Attempts;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::{Identity, Ownership};
use crate::resources::jenkins_jobs::excess::excess;
use crate::resources::jenkins_jobs::first_build::{Builds, is_due};
use crate::resources::jenkins_jobs::marker::{self, Marker, PROOF, ownership};
use crate::resources::jenkins_jobs::{ObservedFolder, ObservedItem, item_path, may_be_a_job, xml};

/// Items that may be the project's, of which no more are looked at: it has four, and few of earlier ids.
const MOST_ITEMS: usize = 100;
/// How old may be what is known of the folders around that of the jobs, while jobs are made. It is asked for in each round, by
/// each project; who makes a job in a folder that has gone in the meantime is refused.
const YOUNG: Duration = Duration::from_secs(5);
/// A folder of more items is not asked for their builds in one call: Jenkins reads them from its disk.
const FEW_ITEMS: usize = 20;

/// A part of a folder path as it was found.
#[derive(Clone, Debug)]
pub(super) struct Part {
    folder: ObservedFolder,
    items: Vec<Found>,
}

impl JenkinsClient {
    /// Follows the folder path as far as it exists, then observes what is where the jobs belong. With `closely`, folders that
    /// may be deleted are looked into; with `builds`, which tells what builds were started, those of each job are told.
    pub(super) async fn folders_and_items(
        &self,
        id: &Identity,
        closely: bool,
        builds: Option<&Attempts>,
    ) -> Result<(Vec<ObservedFolder>, Vec<ObservedItem>), Fault> {
        let path = &id.placement.jenkins_folder;
        let mut folders = Vec::new();
        let Some(outer) = path.len().checked_sub(1) else {
            let root = self.json("list the jobs of Jenkins", "", "jobs[name,description]").await?;
            let found = root.map(|root| found_in(id, &[], &root)).unwrap_or_default();
            return Ok((folders, self.items(id, found, builds).await?));
        };
        // Reading the root proves that a folder which is not found is absent, not the whole of Jenkins hidden.
        let young = if builds.is_some() { YOUNG } else { Duration::ZERO };
        self.outer_folder(&[], young).await?;
        for depth in 1..=outer {
            let Some(folder) = self.outer_folder(&path[..depth], young).await? else {
                return Ok((folders, Vec::new()));
            };
            let goes_on = folder.is_folder;
            folders.push(self.looked_into(id, &path[..depth], folder, closely).await?);
            if !goes_on {
                return Ok((folders, Vec::new()));
            }
        }
        let Some(Part { folder, items }) = self.innermost(id, path, builds.is_some()).await? else {
            return Ok((folders, Vec::new()));
        };
        let holds_jobs = folder.is_folder;
        folders.push(self.looked_into(id, path, folder, closely).await?);
        let items = if holds_jobs { self.items(id, items, builds).await? } else { Vec::new() };
        Ok((folders, items))
    }

    /// A folder on the way to that of the jobs, or the root: many projects go through it. One that is as `young` will do.
    async fn outer_folder(&self, path: &[String], young: Duration) -> Result<Option<ObservedFolder>, Fault> {
        let ask = async {
            if path.is_empty() {
                let root = self.json("list the jobs of Jenkins", "", "mode").await?;
                return Ok(root.map(|root| folder_of(path, &root)));
            }
            let part = self.json(&looking_at(path), &item_path(path), "description,jobs[name]").await?;
            Ok(part.map(|part| folder_of(path, &part)))
        };
        self.outer_folders.get_or_young(young, path.to_vec(), Box::pin(ask)).await
    }

    /// A folder is made or removed: what was seen of it and of the one around it counts no more.
    pub(super) fn outer_folder_changes(&self, path: &[String]) {
        self.outer_folders.forget(&path.to_vec());
        if let Some((_, around)) = path.split_last() {
            self.outer_folders.forget(&around.to_vec());
        }
    }

    /// The folder of the jobs. It tells their builds along with the jobs, where they are few.
    async fn innermost(&self, id: &Identity, path: &[String], builds: bool) -> Result<Option<Part>, Fault> {
        let of = |folder: &Value| Part { folder: folder_of(path, folder), items: found_in(id, path, folder) };
        let (attempt, at) = (looking_at(path), item_path(path));
        if builds {
            let tree = format!("description,jobs[name,description,{TREE}]{{0,{FEW_ITEMS}}}");
            let folder = self.json(&attempt, &at, &tree).await?;
            if folder.as_ref().is_none_or(|folder| visible_items(folder).is_none_or(|items| items < FEW_ITEMS)) {
                return Ok(folder.as_ref().map(of));
            }
        }
        let folder = self.json(&attempt, &at, "description,jobs[name,description]").await?;
        Ok(folder.as_ref().map(of))
    }

    /// The same folder; if it may be deleted, with a look at whether it holds more than items.
    async fn looked_into(
        &self,
        id: &Identity,
        path: &[String],
        mut folder: ObservedFolder,
        closely: bool,
    ) -> Result<ObservedFolder, Fault> {
        let closely = closely || folder.marker.as_ref().is_some_and(|marker| marker.hash == PROOF);
        if closely && folder.items == Some(0) && ownership(id, path, &folder.marker) == Ownership::Ours {
            let document = self.document(&looking_at(path), &format!("{}/config.xml", item_path(path))).await?;
            folder.holds_more = document.is_some_and(|document| xml::folder_holds_more(&document));
        }
        Ok(folder)
    }

    async fn items(
        &self,
        id: &Identity,
        found: Vec<Found>,
        builds: Option<&Attempts>,
    ) -> Result<Vec<ObservedItem>, Fault> {
        if found.len() > MOST_ITEMS {
            let what = format!(
                "could not list the jobs of folder \"{}\": more than {MOST_ITEMS} items there have names that begin and end like those of this project's jobs",
                id.placement.jenkins_folder.join("/")
            );
            return Err(Fault::new(FaultKind::Unexpected, what).hint("give each project a folder of its own (spec.jenkins.folder), or move what is not this project's elsewhere"));
        }
        let looks = found.into_iter().map(|found| self.item(id, found, builds));
        let items: Vec<_> = stream::iter(looks).buffered(READS_AT_ONCE).try_collect().await?;
        Ok(items.into_iter().flatten().collect())
    }

    async fn item(
        &self,
        id: &Identity,
        found: Found,
        attempts: Option<&Attempts>,
    ) -> Result<Option<ObservedItem>, Fault> {
        let Found { path, marker, is_job, is_pipeline, builds: told } = found;
        let name = path.last().cloned().unwrap_or_default();
        let ours = ownership(id, &path, &marker) == Ownership::Ours;
        let item = ObservedItem { name, is_job, marker, ..ObservedItem::default() };
        if !ours || !is_pipeline {
            return Ok(Some(item));
        }
        let attempt = format!("look at job \"{}\"", path.join("/"));
        let document = self.document(&attempt, &format!("{}/config.xml", item_path(&path))).await?;
        let Some(document) = document else { return Ok(None) };
        let (job, declared, lacks) = (xml::read(&document).0, xml::declared(&document), xml::lacking(&document));
        if let Some(excess) = excess(&job, &declared) {
            return Ok(Some(ObservedItem { excess: Some(excess), ..item }));
        }
        let builds = match (attempts, told) {
            (None, _) => None,
            (Some(_), Some(told)) => Some(told),
            (Some(_), None) => self.builds(&path).await?,
        };
        let builds = match (attempts, builds) {
            (Some(attempts), Some(builds)) => {
                let is_due = is_due(&item.name, &job, &builds, attempts);
                Some(self.permitted(&path, builds, is_due).await?)
            }
            _ => None,
        };
        Ok(Some(ObservedItem { job: Some(job), declared, lacks, builds, ..item }))
    }
}

/// An item that may be a job of the project: what is kept of a list of items.
#[derive(Clone, Debug)]
struct Found {
    path: Vec<String>,
    marker: Option<Marker>,
    is_job: bool,
    is_pipeline: bool,
    /// Its builds, where they were asked for along with it.
    builds: Option<Builds>,
}

/// What is to be known of a folder before it is looked into.
fn folder_of(path: &[String], value: &Value) -> ObservedFolder {
    let (_, marker) = marker::split(text(value, "description"));
    let name = path.last().cloned().unwrap_or_default();
    ObservedFolder { name, is_folder: is_folder(value), marker, items: visible_items(value), holds_more: false }
}

/// What may be jobs of the project among the items of a folder, if it is the one in which they belong. Of more than can be
/// looked at, one is kept beyond that.
fn found_in(id: &Identity, path: &[String], folder: &Value) -> Vec<Found> {
    if path != id.placement.jenkins_folder {
        return Vec::new();
    }
    let items = list(folder, "jobs").iter().map(|item| (text(item, "name"), item));
    let items = items.filter(|(name, _)| may_be_a_job(name, &id.placement.project_name));
    let found = items.map(|(name, item)| {
        let class = text(item, "_class");
        Found {
            path: [path, &[name.to_owned()]].concat(),
            marker: marker::split(text(item, "description")).1,
            is_job: JOB_CLASSES.contains(&class),
            is_pipeline: class == PIPELINE_CLASS,
            builds: item.get("nextBuildNumber").map(|_| builds::read(item)),
        }
    });
    found.take(MOST_ITEMS + 1).collect()
}

/// How many items of a folder the user can see; `None`: the answer has no list of them, which is not an empty list.
pub(super) fn visible_items(folder: &Value) -> Option<usize> {
    folder.get("jobs")?.as_array().map(Vec::len)
}
