//! The story of one project with a platform of its own: applied, Ready, a model approved, edited, deleted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Story, left, memory};
use crate::inventory::path_of;
use crate::manifest::Target;
use crate::stage::Delays;
use crate::trigger;
use crate::watch::Goal;

/// What the edit writes, and finds again in SageMaker and Jenkins.
const DESCRIPTION: &str = "Edited by the rehearsal";
const TAG: (&str, &str) = ("rehearsal", "edited");
const SCHEDULE: &str = "H/7 * * * *";
/// How many tags a project may have.
const TAGS: usize = 16;

impl Story<'_> {
    /// Tells it; the manifest holds this project alone.
    pub(super) async fn tell_own(&mut self, name: &str, project: &Target, delays: Delays) -> Result<(), String> {
        let limit = super::limit(delays, 1);
        self.display.heading(&format!("Applying {name}"));
        let before = self.stage.sandbox.journal().len();
        let applied = Instant::now();
        self.apply(project, &self.documents.projects[0])?;
        let object = self.one(Goal::Ready, project, "Ready", limit).await?;
        let took = applied.elapsed();
        let calls = self.stage.sandbox.journal().len() - before;
        self.show("What now exists in AWS and Jenkins").await?;
        self.seed_code("", &object);
        trigger::approve(&object, self.stage, &mut self.display).await?;
        let object = self.edit(project, limit).await?;
        self.delete_own(project, &object, limit).await?;
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

    async fn edit(&mut self, target: &Target, limit: Duration) -> Result<Value, String> {
        self.display.heading("Editing it: description, a tag, the poll schedule of the jobs");
        let patch = edit_of(&self.documents.projects[0]);
        let edited = self.stage.edit_project(target, &patch).await;
        edited.map_err(|refusal| format!("the Kubernetes API refuses the edit: {refusal}"))?;
        let object = self.one(Goal::Ready, target, "the edit", limit).await?;
        let name = object["status"]["placement"]["projectName"].as_str().unwrap_or_default();
        let project = self.stage.aws.sagemaker.describe_project().project_name(name).send().await;
        let project = project.map_err(|error| format!("cannot describe project {name}: {error:?}"))?;
        let arn = project.project_arn().unwrap_or_default();
        let tags = self.stage.aws.sagemaker.list_tags().resource_arn(arn).send().await;
        let tags = tags.map_err(|error| format!("cannot list the tags of {arn}: {error:?}"))?;
        let tag = tags.tags().iter().find(|tag| tag.key() == Some(TAG.0)).and_then(|tag| tag.value());
        let url = object["status"]["jobs"]["items"][0]["url"].as_str().unwrap_or_default();
        let configuration = self.stage.jenkins(&format!("{}/config.xml", path_of(url))).await?;
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

    async fn delete_own(&mut self, target: &Target, object: &Value, limit: Duration) -> Result<(), String> {
        let deletion = object["status"]["deletionPolicy"].as_str().unwrap_or_default();
        let data = left::data_policy(None, object);
        self.display.heading(&format!("Deleting it (deletionPolicy: {deletion}, dataPolicy: {data})"));
        self.delete(target)?;
        self.one(Goal::Gone, target, "the deletion", limit).await?;
        self.display.line("the object is gone");
        let left = self.show("What is left in AWS and Jenkins").await?;
        let sentence = left::judged(None, std::slice::from_ref(object), &left)?;
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

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_adds_a_tag_where_there_is_room() {
        let with = |count: usize| {
            let tags: Value = (0..count).map(|number| (format!("tag-{number}"), json!("x"))).collect();
            edit_of(&json!({"spec": {"platform": {"tags": tags}}}))["spec"]["tags"].clone()
        };
        assert_eq!(with(TAGS - 1), json!({TAG.0: TAG.1}));
        assert_eq!(with(TAGS), Value::Null);
    }
}
