//! What is told on standard output as it happens, held at each step against what the manifest asks for. Here is what all
//! stories share; `own` tells that of one project, `shared` that of a platform with projects. What takes part is `stage`'s.

use std::time::Duration;

use mlops_sandbox::jenkins::Jenkins;
use serde_json::Value;

use crate::display::Display;
use crate::inventory::{self, Section};
use crate::manifest::{self, Documents, Target};
use crate::preparation;
use crate::stage::{Delays, Stage};
use crate::watch::{Detail, Goal, Watch};

mod left;
mod own;
mod shared;

/// Plays the whole story of the documents of file `name`. Programs that are `missing` leave out what they would run.
///
/// # Errors
/// A sentence: what did not happen, and what the operator or the API says about it.
pub(crate) async fn play(
    name: &str,
    (mut documents, mut remarks): (Documents, Vec<String>),
    delays: Delays,
    missing: Option<String>,
    display: Display,
) -> Result<(), String> {
    let mut prepared = preparation::prepare(&mut documents, &Jenkins::credentials())?;
    let stage = Stage::start(&mut documents, &mut prepared, delays, missing).await?;
    let platform = documents.platform_target();
    let detail = if platform.is_some() { Detail::ReadyAlone } else { Detail::Each };
    let mut story = Story { stage: &stage, documents: &documents, display, watch: Watch::new(detail) };
    remarks.append(&mut prepared.remarks);
    story.limits(&remarks);
    let told = match platform {
        Some(platform) => story.tell_shared(name, &platform, delays).await,
        None => story.tell_own(name, &documents.targets()[0], delays).await,
    };
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

/// How long a step may take with so many projects: a busy machine takes long for the processes of each.
fn limit(delays: Delays, projects: usize) -> Duration {
    let projects = u32::try_from(projects).unwrap_or(u32::MAX);
    delays.critical_path() * 10 + Duration::from_mins(1) * projects
}

impl Story<'_> {
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

    /// Creates an object. A field that the API drops is a mistake, which kubectl refuses.
    fn apply(&self, target: &Target, manifest: &Value) -> Result<(), String> {
        let kind = manifest["kind"].as_str().unwrap_or_default();
        let created = self.stage.create(target, manifest);
        let created = created.map_err(|refusal| format!("the Kubernetes API refuses the {kind}: {refusal}"))?;
        let unknown = manifest::dropped("spec", &manifest["spec"], &created["spec"]);
        if unknown.is_empty() {
            return Ok(());
        }
        let short = if target.plural == manifest::PLATFORMS { "mlpf" } else { "mlp" };
        let fields = unknown.join(", ");
        Err(format!("{kind} has no such fields: {fields}; kubectl explain {short}.spec lists what it has"))
    }

    fn delete(&self, target: &Target) -> Result<(), String> {
        self.stage.delete(target).map_err(|refusal| format!("the Kubernetes API refuses the deletion: {refusal}"))
    }

    /// Waits until all of these have reached a goal.
    async fn all(&mut self, goal: Goal, targets: &[Target], what: &str, limit: Duration) -> Result<Vec<Value>, String> {
        self.watch.until(goal, targets, (what, limit), self.stage, &mut self.display).await
    }

    /// The same for one.
    async fn one(&mut self, goal: Goal, target: &Target, what: &str, limit: Duration) -> Result<Value, String> {
        Ok(self.all(goal, std::slice::from_ref(target), what, limit).await?.remove(0))
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
    fn seed_code(&mut self, whose: &str, object: &Value) {
        let repositories = object["status"]["project"]["repositories"].as_array().cloned().unwrap_or_default();
        if repositories.is_empty() {
            return;
        }
        let by = if self.stage.left_out().is_some() {
            "as the sandbox's model of the check-in has it"
        } else {
            "checked in by a build"
        };
        self.display.line(&format!("seed code{whose}, {by}:"));
        for one in &repositories {
            let text = |field: &str| one[field].as_str().unwrap_or_default();
            self.display.line(&format!("    {}: {}", text("name"), text("seedCode")));
        }
    }
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
