//! The Jenkins jobs of a project: its folders, and for each repository a pipeline job that polls Git. Found by their
//! names and the marker line in their descriptions; jobs and folders without our marker are never changed or deleted. A
//! folder of ours goes only where the spec consents: an item with permissions of its own can hide from us in it, and Jenkins
//! deletes it with the folder. Builds, credentials and plugins are not touched; the server itself is a resource of its own,
//! `jenkins_server`.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::crd::status::{JobStatus, JobsStatus, MlopsProjectStatus, Placement, Reason};
use crate::domain::external_resource::{Attempts, Decision, ExternalResource, Goal, Remark, ResourceKind, StepKey};
use crate::domain::identity::Identity;
use crate::domain::project::{Project, Repository, RepositoryRole};
use crate::domain::text::listed;
use crate::resources::sagemaker_project::ProjectRef;

pub mod compare;
mod decide;
pub mod declared;
pub mod document;
pub mod excess;
pub mod first_build;
pub mod job;
pub mod marker;
pub mod xml;

use decide::inside;
pub use decide::no_folder;

#[cfg(test)]
mod tests;

use declared::Declared;
use document::Element;
use first_build::{Builds, Refusal};
use job::PipelineJob;
use marker::Marker;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Names and contents, in the order preprocess, modelbuild, modeldeploy, modeldeploy-endpoint.
    pub jobs: Vec<(String, PipelineJob)>,
    /// The folder path, outermost first.
    pub folder: Vec<String>,
    /// Base URL of Jenkins.
    pub base_url: String,
}

impl Desired {
    /// The jobs' addresses, each with a trailing slash.
    pub fn urls(&self) -> Vec<String> {
        let folder = item_path(&self.folder);
        let url = |(name, _): &(String, PipelineJob)| {
            format!("{}{folder}{}/", self.base_url, item_path(std::slice::from_ref(name)))
        };
        self.jobs.iter().map(url).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The parts of the folder path, outermost first, as far as they exist.
    pub folders: Vec<ObservedFolder>,
    /// The items where the jobs belong that are named as a job of this project may be.
    pub items: Vec<ObservedItem>,
    /// Whether folders of ours that look empty may go, with what others hide in them (`folderPolicy: Delete`).
    pub delete_folders: bool,
}

/// One part of the folder path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedFolder {
    /// Its name as the placement has it.
    pub name: String,
    /// Whether it is a folder at all, in which jobs can be made.
    pub is_folder: bool,
    pub marker: Option<Marker>,
    /// How many items in it the user can see, which need not be all: those that the user may not read are left out
    /// (AbstractFolder.getItems). `None`: Jenkins shows no list.
    pub items: Option<usize>,
    /// Whether it holds more than items: credentials, above all. Looked at only where it may be deleted.
    pub holds_more: bool,
}

/// An item beside or among the jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedItem {
    /// Its name as Jenkins has it.
    pub name: String,
    /// Whether it is a plain job, which holds nothing but its builds; what may hold items of others is never deleted.
    pub is_job: bool,
    pub marker: Option<Marker>,
    /// Its contents, if it is a pipeline job of ours and no more than is kept of one.
    pub job: Option<PipelineJob>,
    /// What of it is more than is kept of a job, as the end of a sentence that begins with the job.
    pub excess: Option<String>,
    /// What its Jenkinsfile declares of it.
    pub declared: Declared,
    /// The plugins of whose parts nothing is in it, if it is a pipeline job of ours.
    pub lacks: Vec<&'static str>,
    /// Its builds, if it is a pipeline job of ours.
    pub builds: Option<Builds>,
}

/// What can be done. Paths are folder parts and then the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    CreateFolder {
        path: Vec<String>,
        document: Element,
    },
    CreateJob {
        path: Vec<String>,
        document: Element,
    },
    /// Patches a live job of ours.
    UpdateJob {
        path: Vec<String>,
        /// What its subset becomes.
        job: Box<PipelineJob>,
        marker: Marker,
        /// Fields among what is changed that its Jenkinsfile took away: they are put back once.
        put_back: Vec<String>,
    },
    /// Deletes an item of ours and makes the job in its place: Jenkins cannot change the type of an item.
    ReplaceJob {
        path: Vec<String>,
        document: Element,
    },
    DeleteJob {
        path: Vec<String>,
    },
    /// Starts a build of a job of ours whose next build has this number.
    StartBuild {
        path: Vec<String>,
        next: u64,
        /// A digest of what it is built from.
        source: String,
    },
    /// Deletes a folder of ours in which nothing is visible, and whatever is in it.
    DeleteFolder {
        path: Vec<String>,
    },
    /// Makes a folder and deletes it again: Jenkins refuses that where it only hides one of that name from the user.
    ConfirmAbsence {
        path: Vec<String>,
        document: Element,
    },
}

/// Part of a URL: all but what RFC 3986 leaves unreserved is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `/job/A/job/B`: the path of an item below the base URL, empty for the root.
pub fn item_path(path: &[String]) -> String {
    path.iter().map(|name| format!("/job/{}", utf8_percent_encode(name, SEGMENT))).collect()
}

/// Longest name of an item, in bytes: Jenkins keeps each in a directory of that name (`AbstractItem.getRootDir`), and the
/// usual file systems take no longer one (NAME_MAX in Linux' `limits.h`).
const LONGEST_NAME: usize = 255;

/// Whether an item of that name may be a job of this project from some time. Nothing else is observed, whatever marker it
/// has: whoever may describe an item can copy ours, and a server can invent any number of items.
pub fn may_be_a_job(name: &str, project_name: &str) -> bool {
    if name.len() > LONGEST_NAME {
        return false;
    }
    let name = name.to_lowercase();
    let prefix = format!("sagemaker-{}-", project_name.to_lowercase());
    name.starts_with(&prefix) && RepositoryRole::ALL.iter().any(|role| name.ends_with(&format!("-{}", role.suffix())))
}

/// Where the jobs are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Jobs {
    /// URLs of the jobs, in the order preprocess, modelbuild, modeldeploy, modeldeploy-endpoint; each with a trailing slash.
    pub urls: Vec<String>,
    /// What is worth knowing about them. It is kept of each project, and of most there is none.
    pub noted: Option<Box<Noted>>,
}

/// What is worth knowing about jobs that are as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Noted {
    /// Jobs whose Jenkinsfiles take away again what was put back, each with the fields that are left to them.
    pub left: Vec<(String, Vec<String>)>,
    /// Jobs that should have a build, which the user may not start, each with what was answered.
    pub forbidden: Vec<(String, Refusal)>,
    /// Jobs of which no build came to a checkout, so that polling finds nothing.
    pub without_checkout: Vec<String>,
    /// Jobs with another source than before, of which no build has succeeded since, so that polling goes on with the former one.
    pub behind: Vec<String>,
    /// Jobs with another source than before, which get a build once the present one has ended.
    pub due: Vec<String>,
    /// Jobs without a successful build in which nothing is kept of the plugin for declarative Jenkinsfiles.
    pub unmarked: Vec<String>,
}

/// The operation of an update in step keys.
const UPDATE: &str = "UpdateJob";

pub struct JenkinsJobs;

impl ExternalResource for JenkinsJobs {
    const KIND: ResourceKind = ResourceKind::JenkinsJobs;
    type Declared = Project;
    type Inputs = ProjectRef;
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Jobs;

    fn desired(project: &Project, project_ref: &ProjectRef) -> Desired {
        let placement = &project.identity.placement;
        let job = |(role, repository): (RepositoryRole, &Repository)| {
            let name = role.job_name(&project_ref.project_name, &project_ref.project_id);
            (name, PipelineJob::of(role, repository, project, project_ref))
        };
        Desired {
            jobs: project.repositories.each().map(job).collect(),
            folder: placement.jenkins_folder.clone(),
            base_url: placement.jenkins_url.trim_end_matches('/').to_owned(),
        }
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        observed: &Observed,
        now: Timestamp,
        attempts: &Attempts,
    ) -> Decision<Action, Jobs> {
        match goal {
            Goal::Present(desired) => decide::present(id, desired, observed, now, attempts),
            Goal::Absent => decide::absent(id, observed, attempts),
        }
    }

    fn key(action: &Action) -> StepKey {
        match action {
            Action::CreateFolder { path, .. } => StepKey::new("CreateFolder", &[&path.join("/")]),
            Action::CreateJob { path, .. } => StepKey::new("CreateJob", &[&path.join("/")]),
            Action::UpdateJob { path, marker, put_back, .. } if put_back.is_empty() => {
                StepKey::new(UPDATE, &[&path.join("/"), &marker.hash])
            }
            Action::UpdateJob { path, put_back, .. } => {
                let path = path.join("/");
                let subject: Vec<&str> = std::iter::once(&path).chain(put_back).map(String::as_str).collect();
                StepKey::new(UPDATE, &subject).lasting()
            }
            Action::ReplaceJob { path, .. } => StepKey::new("ReplaceJob", &[&path.join("/")]),
            Action::DeleteJob { path } => StepKey::new("DeleteJob", &[&path.join("/")]),
            Action::StartBuild { path, source, .. } => StepKey::new("StartBuild", &[&path.join("/"), source]),
            Action::DeleteFolder { path } => StepKey::new("DeleteFolder", &[&path.join("/")]),
            Action::ConfirmAbsence { path, .. } => StepKey::new("ConfirmAbsence", &[&path.join("/")]),
        }
    }

    fn exists(observed: &Observed) -> bool {
        observed.items.iter().any(|item| item.marker.is_some())
            || observed.folders.iter().any(|folder| folder.marker.is_some())
    }

    fn show(placement: &Placement, output: Option<&Jobs>, status: &mut MlopsProjectStatus) {
        let base = placement.jenkins_url.trim_end_matches('/');
        let named = |url: &String| JobStatus { name: role_name(url).to_owned(), url: url.clone() };
        status.jobs = output.map(|jobs| JobsStatus {
            folder: placement.jenkins_folder.join("/"),
            url: Some(format!("{base}{}/", item_path(&placement.jenkins_folder))),
            items: jobs.urls.iter().map(named).collect(),
        });
    }

    fn remark(output: &Jobs) -> Option<Remark> {
        output.noted.as_deref().and_then(remark)
    }

    fn whereabouts(placement: &Placement, _status: &MlopsProjectStatus) -> Option<String> {
        let folder = placement.jenkins_folder.join("/");
        Some(format!("Jenkins jobs in folder \"{folder}\" of {}", placement.jenkins_url))
    }
}

/// What the job at this address is for: the end of its name.
fn role_name(url: &str) -> &str {
    let name = url.trim_end_matches('/');
    let ends = |suffix: &&str| name.strip_suffix(suffix).is_some_and(|before| before.ends_with('-'));
    RepositoryRole::ALL.iter().map(|role| role.suffix()).find(ends).unwrap_or_default()
}

/// The same in sentences, each with what to do, the first with its reason.
fn remark(noted: &Noted) -> Option<Remark> {
    let names = |jobs: &[String]| quoted(jobs.iter());
    let left = |(job, fields): &(String, Vec<String>)| {
        let fields = listed(fields);
        let message = format!(
            "the Jenkinsfile of job \"{job}\" takes away what was put back, so that it is left to it: {fields}; take that \
             out of its options, parameters, triggers or properties, or write it there as the spec has it"
        );
        (Reason::ChangesReverted, message)
    };
    let forbidden = |refusal: &Refusal| {
        let message = format!(
            "{}; polling goes on with the present branch only after a build of {}: give the user hudson.model.Item.Build \
             there, or start them by hand",
            refusal.why,
            quoted(noted.forbidden.iter().map(|(job, _)| job))
        );
        (Reason::AccessDenied, message)
    };
    let unmarked = || {
        let message = format!(
            "Jenkins keeps nothing of plugin {} in {}, so it lacks the plugin, or it is not active: install it there, and \
             start builds, unless those Jenkinsfiles are scripts, which do without",
            xml::PLUGIN_OF_DECLARATIVE,
            names(&noted.unmarked)
        );
        (Reason::PluginMissing, message)
    };
    let mut all: Vec<(Reason, String)> = noted.left.iter().map(left).collect();
    all.extend((!noted.unmarked.is_empty()).then(unmarked));
    all.extend(noted.forbidden.first().map(|(_, refusal)| forbidden(refusal)));
    all.extend(polling(noted));
    let reason = all.first()?.0;
    let message = all.into_iter().map(|(_, message)| message).collect::<Vec<_>>().join(". ");
    let passing = !noted.due.is_empty() || noted.forbidden.iter().any(|(_, refusal)| !refusal.lasting);
    Some(Remark { reason, message, passing })
}

/// What polling does not build, and why.
fn polling(noted: &Noted) -> impl Iterator<Item = (Reason, String)> {
    let Noted { without_checkout, behind, due, .. } = noted;
    let sentences = [
        (
            without_checkout,
            "no build of {} came to a checkout, so that polling has nothing to compare with and starts none: once repository, \
             credentials and jenkins/Jenkinsfile are right, start one by hand",
        ),
        (
            behind,
            "no build of {} has succeeded since repository, branch or credential changed, so that polling goes on with the \
             former ones: once the present ones are right, start one by hand, a deploy job once there is a model to deploy",
        ),
        (
            due,
            "a build of {} is started once the one that runs has ended: until then polling goes on with the former \
             repository, branch or credential",
        ),
    ];
    let told = sentences.into_iter().filter(|(jobs, _)| !jobs.is_empty());
    told.map(|(jobs, sentence)| (Reason::NoCheckout, sentence.replace("{}", &quoted(jobs.iter()))))
}

fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// Under which name Jenkins looks an item up: in folders that is its own, at the root in any case (seen on 2.568).
fn looked_up(name: &str, at_root: bool) -> String {
    if at_root { name.to_lowercase() } else { name.to_owned() }
}
