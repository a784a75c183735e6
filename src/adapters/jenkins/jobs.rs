//! The actuator of `resources::jenkins_jobs`: observes folders and jobs, and does one action. What an action is about is
//! observed once more right before it, so that nothing is overwritten or deleted that changed hands since. What holds items
//! is never deleted as a job is: Jenkins deletes what is in it as SYSTEM, be it visible to the user or not.

use http::StatusCode;
use serde_json::Value;

use super::client::{Answer, JenkinsClient};
use super::errors;
use super::folders::is_folder;
use super::listing::visible_items;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Actuator, Attempts, Depth, Glance, RecordedIds};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::{Identity, Ownership};
use crate::domain::text::one_line;
use crate::resources::jenkins_jobs::document::{self, Element};
use crate::resources::jenkins_jobs::first_build::{intent_of, source_of};
use crate::resources::jenkins_jobs::marker::{self, ownership};
use crate::resources::jenkins_jobs::{Action, Desired, JenkinsJobs, Observed, item_path, xml};

/// Class of a pipeline job in `api/json`.
pub(super) const PIPELINE_CLASS: &str = "org.jenkinsci.plugins.workflow.job.WorkflowJob";
/// Classes of jobs that hold nothing but their builds. Other types may hold items of their own (folders, multibranch
/// projects), so they are left alone.
pub(super) const JOB_CLASSES: [&str; 2] = [PIPELINE_CLASS, "hudson.model.FreeStyleProject"];

/// How many jobs of one project are read at once.
pub(super) const READS_AT_ONCE: usize = 4;

/// Observes and changes the jobs behind a client.
pub struct JenkinsJobsActuator<'a> {
    client: &'a JenkinsClient,
    delete_folders: bool,
    builds: bool,
}

impl<'a> JenkinsJobsActuator<'a> {
    /// With `delete_folders`, folders of the project's own that look empty may go, with what others hide in them.
    pub fn new(client: &'a JenkinsClient, delete_folders: bool) -> Self {
        Self { client, delete_folders, builds: false }
    }

    /// The same, with a look at the builds of each job: where jobs are wanted.
    #[must_use]
    pub fn with_builds(mut self) -> Self {
        self.builds = true;
        self
    }
}

impl Actuator<JenkinsJobs> for JenkinsJobsActuator<'_> {
    async fn observe(&self, id: &Identity, attempts: &Attempts) -> Result<Observed, Fault> {
        let builds = self.builds.then_some(attempts);
        let (folders, items) = self.client.folders_and_items(id, self.delete_folders, builds).await?;
        Ok(Observed { folders, items, delete_folders: self.delete_folders })
    }

    async fn glance(&self, _: &Identity, desired: &Desired, depth: Depth) -> Result<Option<Glance>, Fault> {
        match depth {
            Depth::Standing => Ok(self.client.glance(desired).await),
            // Lists show no config.xml.
            Depth::Whole => Ok(None),
        }
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        let client = self.client;
        if let Action::CreateFolder { path, .. } | Action::DeleteFolder { path } = action {
            client.outer_folder_changes(path);
        }
        match action {
            Action::CreateFolder { path, document } => {
                client.create(id, path, document).await?;
                // Who looked in the meantime may have found it absent.
                client.outer_folder_changes(path);
            }
            Action::CreateJob { path, document } => {
                client.create(id, path, document).await?;
                return Ok(not_built(path));
            }
            Action::UpdateJob { path, job, marker, .. } => {
                let attempt = format!("update job \"{}\"", path.join("/"));
                let file = format!("{}/config.xml", item_path(path));
                let mut live = client.document(&attempt, &file).await?.ok_or_else(|| moved(&attempt))?;
                if !is_ours(id, path, live.text_at(&["description"])) {
                    return Err(moved(&attempt));
                }
                let name = path.last().map(String::as_str).unwrap_or_default();
                let moves = source_of(name, &xml::read(&live).0) != source_of(name, job);
                xml::patch(&mut live, job, marker);
                let answer = client.post(&attempt, &file, &[], Some(written(&attempt, &live)?)).await?;
                if !errors::done(&answer) {
                    return Err(errors::refusal(&attempt, &answer));
                }
                if moves {
                    return Ok(client.moved_to_another_source(path).await);
                }
            }
            Action::ReplaceJob { path, document } => {
                client.delete_job(id, path).await?;
                client.create(id, path, document).await?;
                return Ok(not_built(path));
            }
            Action::StartBuild { path, next, source } => return client.start_build(id, path, *next, source).await,
            Action::DeleteJob { path } => client.delete_job(id, path).await?,
            Action::DeleteFolder { path } => client.delete_folder(id, path).await?,
            Action::ConfirmAbsence { path, document } => {
                // One that is found there is no proof, and not this action's to delete: the next observation shows it.
                if client.create(id, path, document).await.map_err(|fault| unproven(path, fault))? == Created::Now {
                    client.delete_folder(id, path).await?;
                }
            }
        }
        Ok(RecordedIds::new())
    }
}

/// What is written down of the builds of a job that was just made.
fn not_built(path: &[String]) -> RecordedIds {
    path.last().map(|name| (intent_of(name), String::new())).into_iter().collect()
}

/// How an item that was to be created came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Created {
    /// By this call.
    Now,
    /// Before it, by the operator: perhaps by a call whose answer was lost.
    Before,
}

impl JenkinsClient {
    pub(super) async fn document(&self, attempt: &str, file: &str) -> Result<Option<Element>, Fault> {
        let Some(source) = self.file(attempt, file).await? else { return Ok(None) };
        let unreadable = |error: String| {
            let what = format!("could not {attempt}: its config.xml does not parse: {}", one_line(&error));
            Fault::new(FaultKind::Unexpected, what)
        };
        document::parse(&source).map(Some).map_err(unreadable)
    }

    async fn create(&self, id: &Identity, path: &[String], document: &Element) -> Result<Created, Fault> {
        let (name, folder) =
            path.split_last().ok_or_else(|| Fault::new(FaultKind::Unexpected, "an item has no name"))?;
        let attempt = format!("create \"{}\"", path.join("/"));
        let target = format!("{}/createItem", item_path(folder));
        let answer = self.post(&attempt, &target, &[("name", name)], Some(written(&attempt, document)?)).await?;
        if errors::done(&answer) {
            return Ok(Created::Now);
        }
        let refused = errors::refusal(&attempt, &answer);
        let may_exist = [StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR].contains(&answer.status);
        if !may_exist && !forbidden_without_permission(&answer) {
            return Err(refused);
        }
        // It may exist: by an earlier call whose answer was lost, by somebody else, or where the user may not read.
        let look = self.read(&attempt, &format!("{}/api/json", item_path(path)), &[("tree", "description")]).await?;
        match look.status {
            StatusCode::OK if is_ours(id, path, text(&errors::json(&attempt, &look)?, "description")) => {
                Ok(Created::Before)
            }
            StatusCode::OK => Err(moved(&attempt)),
            // For a user who may not even discover it, Jenkins gives no reason at all (Items.verifyItemDoesNotAlreadyExist).
            StatusCode::NOT_FOUND if says_exists(&answer) => Err(not_visible(&attempt)),
            // Of an item whose own plugin is missing, Jenkins does not know the class.
            StatusCode::NOT_FOUND if answer.status == StatusCode::INTERNAL_SERVER_ERROR => {
                let plugin = if document.name == xml::FOLDER { "cloudbees-folder" } else { "workflow-job" };
                Err(refused
                    .hint(format!("its log tells why; it does so, too, where the plugin {plugin} is not active")))
            }
            StatusCode::NOT_FOUND => Err(refused),
            // Who may discover and not read it is refused without the name of a permission (seen on 2.568).
            _ if forbidden_without_permission(&answer) && forbidden_without_permission(&look) => {
                Err(not_visible(&attempt))
            }
            _ => Err(errors::refusal(&attempt, &look)),
        }
    }

    async fn delete_job(&self, id: &Identity, path: &[String]) -> Result<(), Fault> {
        let attempt = format!("delete \"{}\"", path.join("/"));
        let Some(item) = self.json(&attempt, &item_path(path), "description").await? else { return Ok(()) };
        if !is_ours(id, path, text(&item, "description")) || !JOB_CLASSES.contains(&text(&item, "_class")) {
            return Err(moved(&attempt));
        }
        self.delete(&attempt, path).await
    }

    /// Deletes a folder of ours in which nothing is visible. Who calls it answers for what is not.
    async fn delete_folder(&self, id: &Identity, path: &[String]) -> Result<(), Fault> {
        let attempt = format!("delete \"{}\"", path.join("/"));
        let Some(item) = self.json(&attempt, &item_path(path), "description,jobs[name]").await? else { return Ok(()) };
        if !is_ours(id, path, text(&item, "description")) || !is_folder(&item) || visible_items(&item) != Some(0) {
            return Err(moved(&attempt));
        }
        let document = self.document(&attempt, &format!("{}/config.xml", item_path(path))).await?;
        if document.is_some_and(|document| xml::folder_holds_more(&document)) {
            return Err(moved(&attempt));
        }
        self.delete(&attempt, path).await
    }

    async fn delete(&self, attempt: &str, path: &[String]) -> Result<(), Fault> {
        let answer = self.post(attempt, &format!("{}/doDelete", item_path(path)), &[], None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(()),
            // Somebody else's delete is under way.
            StatusCode::BAD_REQUEST => Err(Fault { kind: FaultKind::Conflict, ..errors::refusal(attempt, &answer) }),
            _ if errors::done(&answer) => Ok(()),
            _ => Err(errors::refusal(attempt, &answer)),
        }
    }
}

fn says_exists(answer: &Answer) -> bool {
    let said = answer.header("x-error").unwrap_or_default();
    said.contains("already exists") || (answer.status == StatusCode::BAD_REQUEST && said.trim().is_empty())
}

/// Whether Jenkins forbids something and names no permission that would allow it.
fn forbidden_without_permission(answer: &Answer) -> bool {
    let of_jenkins = answer.header("x-jenkins").is_some();
    answer.status == StatusCode::FORBIDDEN && of_jenkins && answer.header("x-required-permission").is_none()
}

fn not_visible(attempt: &str) -> Fault {
    let what = format!("could not {attempt}: Jenkins has an item of that name, and the user may not see it");
    Fault::new(FaultKind::Rejected, what)
        .with_reason(Reason::JenkinsItemNotVisible)
        .hint("give the user Item/Read there, or choose another folder")
}

/// Why it is not known whether a folder is gone.
fn unproven(path: &[String], fault: Fault) -> Fault {
    let message = format!("could not make sure that folder \"{}\" is gone: {}", path.join("/"), fault.message);
    let hidden = fault.reason == Reason::JenkinsItemNotVisible;
    let fault = Fault { message, ..fault };
    if hidden { fault.hint("give the user Item/Read there, so that the jobs in it can be deleted") } else { fault }
}

pub(super) fn is_ours(id: &Identity, path: &[String], description: &str) -> bool {
    ownership(id, path, &marker::split(description).1) == Ownership::Ours
}

pub(super) fn moved(attempt: &str) -> Fault {
    Fault::new(FaultKind::Conflict, format!("could not {attempt}: it changed in the meantime"))
}

fn written(attempt: &str, document: &Element) -> Result<String, Fault> {
    document::write(document)
        .map_err(|_| Fault::new(FaultKind::Unexpected, format!("could not {attempt}: its document cannot be written")))
}

pub(super) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
