//! The story of one project, told on standard output as it happens: applied, Ready, a model approved, edited, deleted. It
//! holds each step against what the manifest asks for; what takes part is `stage`'s.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mlops_sandbox::jenkins::Jenkins;
use serde_json::{Value, json};

use crate::display::Display;
use crate::inventory::{self, Section};
use crate::manifest::{self, Documents};
use crate::preparation;
use crate::stage::{Delays, Stage};
use crate::trigger;
use crate::watch::{Goal, Watch};

/// What the edit writes, and finds again in SageMaker and Jenkins.
const DESCRIPTION: &str = "Edited by the rehearsal";
const TAG: (&str, &str) = ("rehearsal", "edited");
const SCHEDULE: &str = "H/7 * * * *";
/// How many tags a project may have.
const TAGS: usize = 16;

/// Plays the whole story of the documents of file `name`. Programs that are `missing` leave out what they would run.
///
/// # Errors
/// A sentence: what did not happen, and what the operator or the API says about it.
pub(crate) async fn play(
    name: &str,
    mut documents: Documents,
    delays: Delays,
    missing: Option<String>,
    display: Display,
) -> Result<(), String> {
    let mut prepared = preparation::prepare(&mut documents, &Jenkins::credentials())?;
    let stage = Stage::start(&mut documents, &mut prepared, delays, missing).await?;
    let mut story = Story { stage: &stage, documents: &documents, display, watch: Watch::default() };
    story.limits(&prepared.remarks);
    let told = story.tell(name, delays).await;
    story.display.erase();
    let stopped = stage.stop().await;
    told.and(stopped)
}

struct Story<'a> {
    stage: &'a Stage,
    documents: &'a Documents,
    display: Display,
    watch: Watch,
}

impl Story<'_> {
    async fn tell(&mut self, name: &str, delays: Delays) -> Result<(), String> {
        let limit = delays.critical_path() * 10 + Duration::from_secs(60);
        self.display.heading(&format!("Applying {name}"));
        let before = self.stage.sandbox.journal().len();
        let applied = Instant::now();
        self.apply()?;
        let object = self.until(Goal::Ready, "Ready", limit).await?;
        let took = applied.elapsed();
        let calls = self.stage.sandbox.journal().len() - before;
        self.show("What now exists in AWS and Jenkins").await?;
        self.seed_code(&object);
        trigger::approve(&object, self.stage, &mut self.display).await?;
        let object = self.edit(limit).await?;
        self.delete(&object, limit).await?;
        self.display.heading("Summary");
        let critical = delays.critical_path();
        self.display.line(&format!(
            "Ready {:.1} s after apply, {:.2} of the critical path of {:.1} s; {calls} remote calls until then; {} of memory with the sandbox",
            took.as_secs_f64(),
            took.as_secs_f64() / critical.as_secs_f64(),
            critical.as_secs_f64(),
            memory()
        ));
        Ok(())
    }

    /// What this shows, and what only a real cluster and a real account can show.
    fn limits(&mut self, remarks: &[String]) {
        self.display.heading("A rehearsal: AWS and Jenkins are a sandbox, Kubernetes an API in memory");
        let mut lines = vec![
            "Checked: names and types of fields, the spec as the operator reads it, the project template, what is made in which order.".to_owned(),
            "Not checked: bounds, patterns and CEL rules of the CRD; permissions and quotas of the account; the real Jenkins and its plugins.".to_owned(),
            "Roles, connections and the bucket that the manifest names exist here as it needs them; its Git repositories are empty.".to_owned(),
        ];
        if let Some(missing) = self.stage.left_out() {
            lines.push(format!(
                "Left out, since {missing} cannot be run here: the model trigger's Lambda; and a model of the sandbox answers for the check-in of seed code."
            ));
        }
        lines.extend(remarks.iter().map(|remark| format!("- {remark}")));
        lines.iter().for_each(|line| self.display.line(line));
    }

    /// Creates the project. A field that the API drops is a mistake, which kubectl refuses.
    fn apply(&self) -> Result<(), String> {
        let created = self.stage.create_project(&self.documents.project);
        let created = created.map_err(|refusal| format!("the Kubernetes API refuses the MlopsProject: {refusal}"))?;
        let unknown = manifest::dropped("spec", &self.documents.project["spec"], &created["spec"]);
        if unknown.is_empty() {
            return Ok(());
        }
        let fields = unknown.join(", ");
        Err(format!("MlopsProject has no such fields: {fields}; kubectl explain mlp.spec lists what it has"))
    }

    async fn until(&mut self, goal: Goal, what: &str, limit: Duration) -> Result<Value, String> {
        self.watch.until(goal, what, limit, self.stage, &mut self.display).await
    }

    /// What exists, by kind.
    async fn show(&mut self, heading: &str) -> Result<Vec<Section>, String> {
        self.display.heading(heading);
        let sections = inventory::everything(self.stage).await?;
        for (kind, items) in &sections {
            self.display.line(&format!("{kind}:{}", if items.is_empty() { " none" } else { "" }));
            for item in items {
                self.display.line(format!("    {}  {}", item.name, item.details).trim_end());
            }
        }
        Ok(sections)
    }

    /// What became of the seed code, as the status has it.
    fn seed_code(&mut self, object: &Value) {
        let repositories = object["status"]["project"]["repositories"].as_array().cloned().unwrap_or_default();
        if repositories.is_empty() {
            return;
        }
        let by = if self.stage.left_out().is_some() {
            "as the sandbox's model of the check-in has it"
        } else {
            "checked in by a build"
        };
        self.display.line(&format!("seed code, {by}:"));
        for one in &repositories {
            let text = |field: &str| one[field].as_str().unwrap_or_default();
            self.display.line(&format!("    {}: {}", text("name"), text("seedCode")));
        }
    }

    async fn edit(&mut self, limit: Duration) -> Result<Value, String> {
        self.display.heading("Editing it: description, a tag, the poll schedule of the jobs");
        let patch = edit_of(&self.documents.project);
        let edited = self.stage.edit_project(&patch).await;
        edited.map_err(|refusal| format!("the Kubernetes API refuses the edit: {refusal}"))?;
        let object = self.until(Goal::Ready, "the edit", limit).await?;
        let name = object["status"]["placement"]["projectName"].as_str().unwrap_or_default();
        let project = self.stage.aws.sagemaker.describe_project().project_name(name).send().await;
        let project = project.map_err(|error| format!("cannot describe project {name}: {error:?}"))?;
        let arn = project.project_arn().unwrap_or_default();
        let tags = self.stage.aws.sagemaker.list_tags().resource_arn(arn).send().await;
        let tags = tags.map_err(|error| format!("cannot list the tags of {arn}: {error:?}"))?;
        let tag = tags.tags().iter().find(|tag| tag.key() == Some(TAG.0)).and_then(|tag| tag.value());
        let url = object["status"]["jobs"]["urls"][0].as_str().unwrap_or_default();
        let path = url.find("/job/").map_or(url, |at| &url[at..]).trim_end_matches('/');
        let configuration = self.stage.jenkins(&format!("{path}/config.xml")).await?;
        self.arrived("description in SageMaker", project.project_description(), Some(DESCRIPTION))?;
        let wanted = patch["spec"]["tags"][TAG.0].as_str();
        self.arrived(&format!("tag {} of the project", TAG.0), tag, wanted)?;
        self.arrived(&format!("poll schedule of {url}"), between(&configuration, "<spec>", "</spec>"), Some(SCHEDULE))?;
        Ok(object)
    }

    /// Shows a value that was read back.
    fn arrived(&mut self, what: &str, found: Option<&str>, wanted: Option<&str>) -> Result<(), String> {
        let Some(wanted) = wanted else { return Ok(()) };
        self.display.line(&format!("{what}: {}", found.unwrap_or("none")));
        if found == Some(wanted) {
            return Ok(());
        }
        Err(format!("the edit did not arrive, though Ready is True: {what} is {found:?}, not {wanted:?}"))
    }

    async fn delete(&mut self, object: &Value, limit: Duration) -> Result<(), String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (deletion, data) = (text(&object["status"]["deletionPolicy"]), text(&object["spec"]["dataPolicy"]));
        self.display.heading(&format!("Deleting it (deletionPolicy: {deletion}, dataPolicy: {data})"));
        self.stage.delete().map_err(|refusal| format!("the Kubernetes API refuses the deletion: {refusal}"))?;
        self.until(Goal::Gone, "the deletion", limit).await?;
        self.display.line("the object is gone");
        let left = self.show("What is left in AWS and Jenkins").await?;
        let sentence = judged(object, &left)?;
        self.display.line(&sentence);
        Ok(())
    }
}

/// What the edit changes. The tag is left out where a project can have no more.
fn edit_of(project: &Value) -> Value {
    let keys =
        |pointer: &str| project.pointer(pointer).and_then(Value::as_object).into_iter().flat_map(|tags| tags.keys());
    let tags: BTreeSet<&String> = keys("/spec/tags").chain(keys("/spec/platform/tags")).collect();
    let mut spec = json!({"description": DESCRIPTION, "jenkins": {"pollSchedule": SCHEDULE}});
    if tags.len() < TAGS || tags.iter().any(|key| *key == TAG.0) {
        spec["tags"] = json!({TAG.0: TAG.1});
    }
    json!({"spec": spec})
}

/// Holds what is left against what the policies say.
///
/// # Errors
/// Something is left that should be gone, or gone that should be left.
fn judged(object: &Value, left: &[Section]) -> Result<String, String> {
    let names: BTreeSet<&str> = left.iter().flat_map(|(_, items)| items).map(|item| item.name.as_str()).collect();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text("/status/deletionPolicy") == "Retain" {
        return match names.contains(text("/status/placement/projectName")) {
            true => Ok("all of it stays, on purpose: deletionPolicy is Retain".to_owned()),
            false => Err("deletionPolicy is Retain, but the SageMaker project is gone".to_owned()),
        };
    }
    let bucket = text("/spec/platform/artifacts/bucket");
    let kept = [text("/status/project/bucket"), text("/status/project/modelPackageGroup")];
    let keep = text("/spec/dataPolicy") == "Keep";
    let folders = if text("/spec/platform/jenkins/folderPolicy") == "Delete" { Vec::new() } else { folders_of(object) };
    let meant: BTreeSet<&str> = std::iter::once(bucket)
        .chain(kept.into_iter().filter(|_| keep))
        .chain(folders.iter().map(String::as_str))
        .filter(|name| !name.is_empty())
        .collect();
    if let Some(lost) = meant.difference(&names).next() {
        return Err(format!("{lost} is gone, which should have stayed"));
    }
    let others: Vec<&str> = names.difference(&meant).copied().collect();
    if !others.is_empty() {
        return Err(format!("this should be gone and is not: {}", others.join(", ")));
    }
    let reasons = [
        (keep, "dataPolicy is Keep"),
        (!bucket.is_empty(), "the bucket in artifacts.bucket was there before"),
        (!folders.is_empty(), "platform.jenkins.folderPolicy is Keep"),
    ];
    let reasons: Vec<&str> = reasons.iter().filter(|(holds, _)| *holds).map(|(_, reason)| *reason).collect();
    Ok(if names.is_empty() {
        "nothing".to_owned()
    } else {
        format!("this stays on purpose: {}", reasons.join(", and "))
    })
}

/// The full names of the folders that the project's jobs were in, outermost first.
fn folders_of(object: &Value) -> Vec<String> {
    let parts = object.pointer("/status/placement/jenkinsFolder").and_then(Value::as_array);
    let parts: Vec<&str> = parts.into_iter().flatten().filter_map(Value::as_str).collect();
    (1..=parts.len()).map(|depth| parts[..depth].join("/")).collect()
}

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(inner, _)| inner)
}

/// The resident memory of this process in MiB, where the machine tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|number| number.parse::<f64>().ok());
    kibibytes.map_or_else(|| "an unknown amount".to_owned(), |kibibytes| format!("{:.0} MiB", kibibytes / 1024.0))
}

#[cfg(test)]
mod tests;
