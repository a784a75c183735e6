//! The Jenkins jobs of a project: its folders, and for each repository a pipeline job that polls Git. Found by the marker
//! line in their descriptions; jobs and folders without our marker are never changed or deleted. Builds, credentials and
//! plugins are not touched.

use std::collections::BTreeMap;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::crd::status::Reason;
use crate::domain::identity::Identity;
use crate::domain::project::{Project, Repository};
use crate::domain::resource::{Attempts, Decision, Goal, Kind, Resource};
use crate::resources::outputs::{Jobs, ProjectFacts};

pub mod compare;
mod decide;
pub mod document;
pub mod job;
pub mod marker;
pub mod xml;

#[cfg(test)]
mod tests;

use document::Element;
use job::{PipelineJob, Role};
use marker::Marker;

/// The jobs, and what Jenkins must offer for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Names and contents, in the order preprocess, modelbuild, modeldeploy, modeldeploy-endpoint.
    pub jobs: Vec<(String, PipelineJob)>,
    /// The folder path, outermost first.
    pub folder: Vec<String>,
    /// Base URL of Jenkins.
    pub base_url: String,
    /// Short names of the plugins that the jobs need.
    pub plugins: Vec<&'static str>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Jenkins itself.
    pub server: Server,
    /// The parts of the folder path, outermost first, as far as they exist.
    pub folders: Vec<FolderSeen>,
    /// The items where the jobs belong that carry a marker of ours or are named as a job of ours may be.
    pub items: Vec<ItemSeen>,
}

/// Jenkins itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Whether it takes the credentials for a user's.
    pub authenticated: bool,
    /// Its version, from the header `X-Jenkins`; absent: something else answered.
    pub version: Option<String>,
    /// Active plugins; absent: the user may not see them.
    pub plugins: Option<Vec<String>>,
    /// Whether it prepares for a shutdown.
    pub quieting_down: bool,
}

/// One part of the folder path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderSeen {
    /// Its name as the placement has it.
    pub name: String,
    /// Whether it is a folder at all, in which jobs can be made.
    pub is_folder: bool,
    /// Whose it is.
    pub marker: Option<Marker>,
    /// How many items in it the user can see.
    pub items: usize,
    /// Whether it holds more than items: credentials, above all.
    pub holds_more: bool,
}

/// An item beside or among the jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSeen {
    /// Its name as Jenkins has it.
    pub name: String,
    /// Whose it is.
    pub marker: Option<Marker>,
    /// Its contents, if it is a pipeline job of ours.
    pub job: Option<PipelineJob>,
}

/// What can be done. Paths are folder parts and then the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Makes a folder.
    CreateFolder {
        /// Where.
        path: Vec<String>,
        /// Its document.
        document: Element,
    },
    /// Makes a job.
    CreateJob {
        /// Where.
        path: Vec<String>,
        /// Its document.
        document: Element,
    },
    /// Patches a live job of ours.
    UpdateJob {
        /// Where.
        path: Vec<String>,
        /// What its subset becomes.
        job: Box<PipelineJob>,
        /// Its new marker.
        marker: Marker,
    },
    /// Deletes an item of ours and makes the job in its place: Jenkins cannot change the type of an item.
    ReplaceJob {
        /// Where.
        path: Vec<String>,
        /// Its document.
        document: Element,
    },
    /// Deletes an item of ours.
    Delete {
        /// Where.
        path: Vec<String>,
    },
    /// Makes a folder and deletes it again: Jenkins refuses that where it only hides one of that name from the user.
    ProveAbsence {
        /// Where.
        path: Vec<String>,
        /// The folder's document.
        document: Element,
    },
}

/// Part of a URL: all but what RFC 3986 leaves unreserved is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `/job/A/job/B`: the path of an item below the base URL, empty for the root.
pub fn item_path(path: &[String]) -> String {
    path.iter().map(|name| format!("/job/{}", utf8_percent_encode(name, SEGMENT))).collect()
}

/// Whether an item of that name may be a job of this project from some time: what a look keeps besides ours.
pub fn may_be_a_job(name: &str, project_name: &str) -> bool {
    let name = name.to_lowercase();
    let prefix = format!("sagemaker-{}-", project_name.to_lowercase());
    name.starts_with(&prefix) && Role::ALL.iter().any(|role| name.ends_with(&format!("-{}", role.suffix())))
}

/// See the module.
pub struct JenkinsJobs;

impl Resource for JenkinsJobs {
    const KIND: Kind = Kind::JenkinsJobs;
    type Owner = Project;
    type Inputs = ProjectFacts;
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Jobs;

    fn desired(project: &Project, facts: &ProjectFacts) -> Desired {
        let placement = &project.identity.placement;
        let mut plugins = vec!["workflow-job", "workflow-cps", "git", "credentials"];
        if !placement.jenkins_folder.is_empty() {
            plugins.push("cloudbees-folder");
        }
        if !project.jenkins.aws_credentials_id.trim().is_empty() {
            plugins.push("aws-credentials");
        }
        let job = |(role, repository): (Role, &Repository)| {
            let name = role.job_name(&facts.project_name, &facts.project_id);
            (name, PipelineJob::of(role, repository, project, facts))
        };
        Desired {
            jobs: project.repositories.each().map(job).collect(),
            folder: placement.jenkins_folder.clone(),
            base_url: placement.jenkins_url.trim_end_matches('/').to_owned(),
            plugins,
        }
    }

    fn forecast(desired: &Desired) -> Jobs {
        let folder = item_path(&desired.folder);
        let url = |(name, _): &(String, PipelineJob)| {
            format!("{}{folder}{}/", desired.base_url, item_path(std::slice::from_ref(name)))
        };
        Jobs { urls: desired.jobs.iter().map(url).collect(), quieting_down: false }
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        seen: &Observed,
        _: Timestamp,
        tried: &Attempts,
    ) -> Decision<Action, Jobs> {
        if let Some(stuck) = decide::server(&seen.server) {
            return stuck;
        }
        match goal {
            Goal::Present(desired) => decide::present(id, desired, seen),
            Goal::Absent => decide::absent(id, seen, tried),
        }
    }

    fn exists(seen: &Observed) -> bool {
        seen.items.iter().any(|item| item.marker.is_some()) || seen.folders.iter().any(|folder| folder.marker.is_some())
    }
}

/// Names of items by lower case: how Jenkins looks them up.
fn by_lower_case(items: &[ItemSeen]) -> BTreeMap<String, &ItemSeen> {
    items.iter().map(|item| (item.name.to_lowercase(), item)).collect()
}

fn stuck(why: Reason, message: String, hint: &str) -> Decision<Action, Jobs> {
    Decision::Stuck { why, message, hint: hint.to_owned() }
}
