//! The story of a platform and the projects on it: each becomes Ready, a model of one is approved, drift is mended, one
//! project goes while the others stay, the platform is in use, and goes by itself with the last of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Story, left, memory};
use crate::conditions;
use crate::inventory::{self, Item, Section, path_of};
use crate::manifest::Target;
use crate::stage::Delays;
use crate::trigger;
use crate::watch::{Goal, INTERVAL};

impl Story<'_> {
    /// Tells it; the manifest holds this platform and one project or more.
    pub(super) async fn tell_shared(&mut self, name: &str, platform: &Target, delays: Delays) -> Result<(), String> {
        let targets = self.documents.targets();
        let limit = super::limit(delays, targets.len());
        self.display.heading(&format!("The platform team applies the {} of {name}", platform.title()));
        let begun = Instant::now();
        self.apply(platform, self.documents.platform.as_ref().unwrap_or(&Value::Null))?;
        let shared = self.one(Goal::Ready, platform, "Ready of the platform", limit).await?;
        let platform_took = begun.elapsed();
        let (before, begun) = (self.stage.sandbox.journal().len(), Instant::now());
        let projects = self.apply_projects(platform, &targets, limit).await?;
        let (took, calls) = (begun.elapsed(), self.stage.sandbox.journal().len() - before);
        self.show("What now exists in AWS and Jenkins").await?;
        for (target, project) in targets.iter().zip(&projects) {
            self.seed_code(&format!(" of {}", target.title()), project);
        }
        trigger::approve(&projects[0], self.stage, &mut self.display).await?;
        let (last, earlier) = targets.split_last().ok_or("there is no project")?;
        let object = &projects[earlier.len()];
        self.mend(last, object, limit).await?;
        let mut remaining = targets.as_slice();
        if !earlier.is_empty() {
            self.delete_beside(last, object, (&shared, earlier), limit).await?;
            remaining = earlier;
        }
        self.delete_platform(platform, remaining, limit).await?;
        self.delete_last(platform, remaining, limit).await?;
        let left = self.show("What is left in AWS and Jenkins").await?;
        let sentence = left::judged(Some(&shared), &projects, &left)?;
        self.display.line(&sentence);
        self.display.heading("Summary");
        self.display.line(&format!(
            "The platform was Ready after {:.1} s, its {} projects {:.1} s later, where SageMaker takes {:.1} s for the first and the others each; {calls} remote calls for them; {} of memory with the sandbox",
            platform_took.as_secs_f64(),
            projects.len(),
            took.as_secs_f64(),
            delays.project.as_secs_f64(),
            memory()
        ));
        Ok(())
    }

    /// The first project comes, and the others after it: whoever comes first makes the folders that they share in Jenkins.
    async fn apply_projects(
        &mut self,
        platform: &Target,
        targets: &[Target],
        limit: Duration,
    ) -> Result<Vec<Value>, String> {
        let manifests = &self.documents.projects;
        self.display.heading(&format!(
            "A team applies its project on the {}: {}",
            platform.title(),
            titles(&targets[..1])
        ));
        self.apply(&targets[0], &manifests[0])?;
        let mut objects = self.all(Goal::Ready, &targets[..1], "Ready of the project", limit).await?;
        if targets.len() > 1 {
            let (others, manifests) = (&targets[1..], &manifests[1..]);
            self.display.heading(&format!("More come, and need nothing of the platform: {}", titles(others)));
            for (target, manifest) in others.iter().zip(manifests) {
                self.apply(target, manifest)?;
            }
            objects.append(&mut self.all(Goal::Ready, others, "Ready of the projects", limit).await?);
        }
        Ok(objects)
    }

    /// Somebody deletes a job of a project, and it comes back.
    async fn mend(&mut self, target: &Target, object: &Value, limit: Duration) -> Result<(), String> {
        let url = object["status"]["jobs"]["items"][0]["url"].as_str().unwrap_or_default();
        let path = path_of(url);
        self.display
            .heading(&format!("Somebody deletes a job of {} in Jenkins, and a look is asked for", target.title()));
        self.stage.jenkins_by("POST", &format!("{path}/doDelete")).await?;
        if self.stage.jenkins(&format!("{path}/api/json")).await.is_ok() {
            return Err(format!("{url} could not be deleted"));
        }
        self.display.line(&format!("deleted: {url}"));
        let look = json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": "drift"}}});
        self.stage.edit_project(target, &look).await?;
        let begun = Instant::now();
        while self.stage.jenkins(&format!("{path}/api/json")).await.is_err() {
            if begun.elapsed() > limit {
                return Err(format!("{url} was not made anew within {} s", limit.as_secs()));
            }
            self.display.waiting(begun, "the job to be made anew");
            tokio::time::sleep(INTERVAL).await;
        }
        self.display.line(&format!("made anew after {:.1} s", begun.elapsed().as_secs_f64()));
        self.one(Goal::Ready, target, "Ready after the drift", limit).await.map(drop)
    }

    /// One project goes, and the others stay as they are.
    async fn delete_beside(
        &mut self,
        target: &Target,
        object: &Value,
        (platform, others): (&Value, &[Target]),
        limit: Duration,
    ) -> Result<(), String> {
        let deletion = object["status"]["deletionPolicy"].as_str().unwrap_or_default();
        let data = left::data_policy(Some(platform), object);
        let title = target.title();
        self.display.heading(&format!("Deleting {title} (deletionPolicy: {deletion}, dataPolicy: {data})"));
        let before = inventory::everything(self.stage).await?;
        let objects: Vec<Option<Value>> = others.iter().map(|other| self.stage.object(other)).collect();
        self.delete(target)?;
        self.one(Goal::Gone, target, "the deletion", limit).await?;
        let after = inventory::everything(self.stage).await?;
        for (kind, items) in lost(&before, &after) {
            self.display.line(&format!("gone of {kind}:"));
            items.iter().for_each(|item| self.display.line(&format!("    {}", item.name)));
        }
        for (other, object) in others.iter().zip(objects) {
            let count = self.stays(&before, &after, object.as_ref().unwrap_or(&Value::Null)).await?;
            if self.stage.object(other) != object {
                return Err(format!("{} was written to, though only {title} was deleted", other.title()));
            }
            self.display.line(&format!("{} is as it was: its {count} resources, and its status", other.title()));
        }
        Ok(())
    }

    /// Counts what a project has in AWS and Jenkins: all that was there must be there still.
    async fn stays(&self, before: &[Section], after: &[Section], project: &Value) -> Result<usize, String> {
        let signs = self.signs(project).await?;
        let mut count = 0;
        for (section, (kind, items)) in before.iter().enumerate() {
            for item in items.iter().filter(|item| belongs(item, &signs)) {
                if !after[section].1.contains(item) {
                    return Err(format!("{} is gone from the {kind}, and belongs to a project that stays", item.name));
                }
                count += 1;
            }
        }
        if count == 0 {
            return Err("nothing is found of a project that stays".to_owned());
        }
        Ok(count)
    }

    /// What names of a project's resources hold: its id, the product that its stack is of, its repositories.
    async fn signs(&self, project: &Value) -> Result<Vec<String>, String> {
        let text = |pointer: &str| project.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text("/status/placement/projectName");
        let described = self.stage.aws.sagemaker.describe_project().project_name(&name).send().await;
        let described = described.map_err(|error| format!("cannot describe project {name}: {error:?}"))?;
        let product = described.service_catalog_provisioned_product_details();
        let product = product.and_then(|product| product.provisioned_product_id()).unwrap_or_default().to_owned();
        let repositories = project["spec"]["repositories"].as_object().into_iter().flatten();
        let names = repositories.filter_map(|(_, one)| Some(format!("/{}.git ", one["name"].as_str()?)));
        let signs = [text("/status/project/id"), product].into_iter().chain(names);
        Ok(signs.filter(|sign| !sign.is_empty()).collect())
    }

    /// The platform is deleted while projects stand on it: it waits, and names them.
    async fn delete_platform(&mut self, platform: &Target, on_it: &[Target], limit: Duration) -> Result<(), String> {
        let named = titles(on_it);
        self.display.heading(&format!("Deleting the {} while it is used by {named}", platform.title()));
        let before = inventory::everything(self.stage).await?;
        self.delete(platform)?;
        let object = self.one(Goal::Refused("InUse"), platform, "InUse", limit).await?;
        let message = conditions::message(&object, "Ready");
        if let Some(missing) = on_it.iter().map(Target::title).find(|title| !message.contains(title)) {
            return Err(format!("the platform does not name {missing}, which stands on it: {message}"));
        }
        if inventory::everything(self.stage).await? != before {
            return Err("something has changed in AWS or Jenkins, though the platform is in use".to_owned());
        }
        self.display.line("Nothing has changed in AWS and Jenkins.");
        Ok(())
    }

    /// The other projects go, the first of them last, and the platform after it.
    async fn delete_last(&mut self, platform: &Target, targets: &[Target], limit: Duration) -> Result<(), String> {
        self.display.heading(&format!("Deleting {}: the platform goes by itself", titles(targets)));
        let (first, others) = targets.split_at(1);
        for group in [others, first].into_iter().filter(|group| !group.is_empty()) {
            for target in group {
                self.delete(target)?;
            }
            self.all(Goal::Gone, group, "the deletion", limit).await?;
            self.display.line(&format!("{}: gone", titles(group)));
        }
        self.one(Goal::Gone, platform, "the deletion of the platform", limit).await?;
        self.display.line(&format!("{}: gone", platform.title()));
        Ok(())
    }
}

fn titles(targets: &[Target]) -> String {
    targets.iter().map(Target::title).collect::<Vec<_>>().join(", ")
}

fn belongs(item: &Item, signs: &[String]) -> bool {
    let text = format!("{} {}", item.name, item.details);
    signs.iter().any(|sign| text.contains(sign))
}

/// What was there before and is not after, by kind.
fn lost<'a>(before: &'a [Section], after: &[Section]) -> Vec<(&'static str, Vec<&'a Item>)> {
    let each = before.iter().zip(after).map(|((kind, items), (_, after))| {
        let gone: Vec<&Item> = items.iter().filter(|item| !after.contains(item)).collect();
        (*kind, gone)
    });
    each.filter(|(_, items)| !items.is_empty()).collect()
}
