//! The story of one project, told on standard output as it happens: applied, Ready, a model approved, edited, deleted. It
//! asks and prints; what takes part is `stage`'s.

use std::time::{Duration, Instant};

use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, CustomResourceExt};
use mlops_operator::crd::MlopsProject;
use mlops_sandbox::jenkins::Jenkins;
use serde_json::{Value, json};

use crate::inventory;
use crate::manifest::Documents;
use crate::preparation;
use crate::stage::{Delays, Stage};

const PLURAL: &str = "mlopsprojects";
/// After so long without news a line says that it still waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the object is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// What an edit writes, and shows that it has arrived.
const DESCRIPTION: &str = "Edited by the rehearsal";
const SCHEDULE: &str = "H/7 * * * *";

/// Plays the whole story of the documents of file `name`. `terminal` tells whether headings may be bold.
///
/// # Errors
/// A sentence: what did not happen, and what the operator or the API says about it.
pub(crate) async fn play(name: &str, mut documents: Documents, delays: Delays, terminal: bool) -> Result<(), String> {
    let prepared = preparation::prepare(&mut documents, &Jenkins::credentials())?;
    let stage = Stage::start(&mut documents, &prepared, delays).await?;
    let story = Story { stage: &stage, documents: &documents, terminal };
    story.limits(&prepared.remarks);
    let told = story.tell(name, delays).await;
    let stopped = stage.stop().await;
    told.and(stopped)
}

struct Story<'a> {
    stage: &'a Stage,
    documents: &'a Documents,
    terminal: bool,
}

/// How a wait ended well.
enum Seen {
    Object(Value),
    Gone,
}

impl Story<'_> {
    async fn tell(&self, name: &str, delays: Delays) -> Result<(), String> {
        self.heading(&format!("Applying {name}"));
        let project = self.documents.project.clone();
        let applied = Instant::now();
        let created = self.stage.kubernetes.create(PLURAL, self.documents.namespace(), project);
        let created = created.map_err(|refusal| format!("the Kubernetes API refuses the MlopsProject: {refusal}"))?;
        let unknown = dropped("spec", &self.documents.project["spec"], &created["spec"]);
        if !unknown.is_empty() {
            let fields = unknown.join(", ");
            return Err(format!(
                "MlopsProject has no such fields: {fields}; kubectl explain mlp.spec lists what it has"
            ));
        }
        let limit = delays.critical_path() * 10 + Duration::from_secs(60);
        let object = self.settle("Ready", limit, is_ready).await?;
        let took = applied.elapsed();
        let calls = self.stage.sandbox.journal().len();
        self.show("What now exists in AWS and Jenkins").await?;
        self.approve(&object).await?;
        self.edit(limit).await?;
        self.delete(limit).await?;
        self.heading("Summary");
        let critical = delays.critical_path();
        println!(
            "Ready {:.1} s after apply, {:.2} of the critical path of {:.1} s; {calls} remote calls until then; {} of memory with the sandbox",
            took.as_secs_f64(),
            took.as_secs_f64() / critical.as_secs_f64(),
            critical.as_secs_f64(),
            memory()
        );
        Ok(())
    }

    fn heading(&self, text: &str) {
        match self.terminal {
            true => println!("\n\u{1b}[1m== {text}\u{1b}[0m"),
            false => println!("\n== {text}"),
        }
    }

    /// What this shows, and what only a real cluster and a real account can show.
    fn limits(&self, remarks: &[String]) {
        self.heading("A rehearsal: AWS and Jenkins are a sandbox, Kubernetes an API in memory");
        println!(
            "Checked: the spec as the operator reads it, the project template, the names and the order of what is made."
        );
        println!(
            "Not checked: bounds and rules of the CRD, permissions and quotas of the account, plugins of the real Jenkins."
        );
        println!("Roles, connections, buckets and Secrets that the manifest names exist here, as it needs them.");
        if !self.stage.runs_processes() {
            println!(
                "The check-in of seed code and the model trigger's Lambda need python3 and git, which are not on this machine."
            );
        }
        for remark in remarks {
            println!("- {remark}");
        }
    }

    /// Prints the conditions as they change until one look holds.
    async fn settle(&self, what: &str, limit: Duration, holds: impl Fn(&Value) -> bool) -> Result<Value, String> {
        match self.watch(what, limit, |object| object.is_some_and(&holds)).await? {
            Seen::Object(object) => Ok(object),
            Seen::Gone => Err(format!("the project is gone before it was {what}")),
        }
    }

    async fn watch(&self, what: &str, limit: Duration, holds: impl Fn(Option<&Value>) -> bool) -> Result<Seen, String> {
        let begun = Instant::now();
        let (mut shown, mut spoken) = (Vec::new(), begun);
        loop {
            let object = self.stage.kubernetes.object(PLURAL, self.documents.namespace(), self.documents.name());
            let conditions = object.as_ref().map(conditions).unwrap_or_default();
            for line in conditions.iter().filter(|line| !shown.contains(*line)) {
                println!("{:6.1} s  {line}", begun.elapsed().as_secs_f64());
                spoken = Instant::now();
            }
            shown = conditions;
            if holds(object.as_ref()) {
                return Ok(object.map_or(Seen::Gone, Seen::Object));
            }
            let object = object.unwrap_or_default();
            if let Some(sentence) = stalled(&object) {
                return Err(format!("{what} needs a person: {sentence}"));
            }
            if begun.elapsed() > limit {
                let ready = message(&object, "Ready");
                return Err(format!("{what} did not happen within {} s: {ready}", limit.as_secs()));
            }
            if spoken.elapsed() > PATIENCE {
                println!("{:6.1} s  waiting: {}", begun.elapsed().as_secs_f64(), message(&object, "Ready"));
                spoken = Instant::now();
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// What exists, by kind; answers how many there are.
    async fn show(&self, heading: &str) -> Result<usize, String> {
        self.heading(heading);
        let mut count = 0;
        for (kind, lines) in inventory::everything(self.stage).await? {
            println!("{kind}:{}", if lines.is_empty() { " none" } else { "" });
            lines.iter().for_each(|line| println!("    {line}"));
            count += lines.len();
        }
        Ok(count)
    }

    /// Registers a model version and approves it: with a model trigger, Jenkins then builds the deploy job.
    async fn approve(&self, object: &Value) -> Result<(), String> {
        let group = object["status"]["project"]["modelPackageGroup"].as_str().unwrap_or_default();
        let region = object["status"]["placement"]["region"].as_str().unwrap_or_default();
        self.heading(&format!("Registering and approving a model in {group}"));
        let wanted = json!({"group": group, "approve": true, "region": region});
        let made = self.stage.control("POST", "model-packages", wanted).await?;
        println!("{} is approved", made["modelPackageArn"].as_str().unwrap_or_default());
        if object["spec"]["modelTrigger"].is_null() {
            println!("The spec has no modelTrigger: nothing starts the deploy job.");
            return Ok(());
        }
        if !self.stage.runs_processes() {
            println!("EventBridge matches; the Lambda is not run: python3 or git is not on this machine.");
            return Ok(());
        }
        let url = object["status"]["jobs"]["urls"][2].as_str().unwrap_or_default();
        let path = url.find("/job/").map_or(url, |at| &url[at..]).trim_end_matches('/');
        let begun = Instant::now();
        loop {
            let build = self.stage.jenkins(&format!("{path}/lastBuild/api/json"), &inventory::authorization()).await;
            match build {
                Ok(build) if build["result"] == "SUCCESS" => {
                    println!(
                        "EventBridge matched, the Lambda ran, and Jenkins built {url} (number {})",
                        build["number"]
                    );
                    parameters(&build).iter().for_each(|line| println!("    {line}"));
                    return Ok(());
                }
                other if begun.elapsed() > Duration::from_secs(30) => {
                    let invocations = self.stage.control("GET", "invocations", Value::Null).await?;
                    return Err(format!(
                        "no build of {url} succeeded within 30 s: {other:?}; the Lambda: {invocations}"
                    ));
                }
                _ => tokio::time::sleep(GLANCE).await,
            }
        }
    }

    async fn edit(&self, limit: Duration) -> Result<(), String> {
        self.heading("Editing it: description, a tag, the poll schedule of the jobs");
        let client = Client::new(self.stage.kubernetes.service(), "default");
        let kind = MlopsProject::api_resource();
        let api: Api<DynamicObject> = Api::namespaced_with(client, self.documents.namespace(), &kind);
        let edit = json!({"spec": {
            "description": DESCRIPTION, "tags": {"rehearsal": "edited"}, "jenkins": {"pollSchedule": SCHEDULE},
        }});
        let edited = api.patch(self.documents.name(), &PatchParams::default(), &Patch::Merge(edit)).await;
        edited.map_err(|error| format!("the Kubernetes API refuses the edit: {error}"))?;
        let object = self.settle("the edit", limit, is_ready).await?;
        let project = object["status"]["placement"]["projectName"].as_str().unwrap_or_default();
        let answer = self.stage.aws.sagemaker.describe_project().project_name(project).send().await;
        let answer = answer.map_err(|error| format!("cannot describe project {project}: {error:?}"))?;
        let description = answer.project_description().unwrap_or_default();
        println!("SageMaker's description of {project}: {description}");
        if description != DESCRIPTION {
            return Err(format!("the edit did not reach SageMaker, though Ready is True: {description:?}"));
        }
        Ok(())
    }

    async fn delete(&self, limit: Duration) -> Result<(), String> {
        let policies = ["deletionPolicy", "dataPolicy"].map(|field| {
            let value = self.documents.project["spec"][field].as_str();
            value.map_or_else(|| format!("{field} as it stands without one"), |value| format!("{field}: {value}"))
        });
        self.heading(&format!("Deleting it ({})", policies.join(", ")));
        let deleted = self.stage.kubernetes.delete(PLURAL, self.documents.namespace(), self.documents.name());
        deleted.map_err(|refusal| format!("the Kubernetes API refuses the deletion: {refusal}"))?;
        self.watch("the deletion", limit, |object| object.is_none()).await?;
        println!("the object is gone");
        let left = self.show("What is left in AWS and Jenkins").await?;
        println!("{left} left");
        Ok(())
    }
}

fn each_condition(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}

/// A line for each condition: type, status, reason, and the message where it does not hold.
fn conditions(object: &Value) -> Vec<String> {
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    let line = |condition: &Value| {
        let (kind, status, reason) = (text(condition, "type"), text(condition, "status"), text(condition, "reason"));
        let message = if status == "True" { String::new() } else { text(condition, "message") };
        format!("{kind:<17} {status:<8} {reason:<18} {message}").trim_end().to_owned()
    };
    each_condition(object).map(line).collect()
}

fn message(object: &Value, kind: &str) -> String {
    let found = each_condition(object).find(|condition| condition["type"] == kind);
    let text = found.and_then(|condition| condition["message"].as_str());
    text.unwrap_or("the operator has not looked at it yet").to_owned()
}

fn is_true(object: &Value, kind: &str) -> bool {
    each_condition(object).any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// Fields that were sent and that the API has dropped, as paths: kubectl refuses them.
fn dropped(path: &str, sent: &Value, kept: &Value) -> Vec<String> {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => {
            let each = sent.iter().filter(|(_, value)| !value.is_null());
            let find = |(name, value): (&String, &Value)| match kept.get(name) {
                Some(kept) => dropped(&format!("{path}.{name}"), value, kept),
                None => vec![format!("{path}.{name}")],
            };
            each.flat_map(find).collect()
        }
        (Value::Array(sent), Value::Array(kept)) => {
            let each = sent.iter().zip(kept).enumerate();
            each.flat_map(|(at, (sent, kept))| dropped(&format!("{path}[{at}]"), sent, kept)).collect()
        }
        _ => Vec::new(),
    }
}

/// Ready, and of the present generation.
fn is_ready(object: &Value) -> bool {
    is_true(object, "Ready") && object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

/// Why a person is needed, where one is.
fn stalled(object: &Value) -> Option<String> {
    is_true(object, "Stalled").then(|| message(object, "Stalled"))
}

/// The parameters of a build, as `name=value`.
fn parameters(build: &Value) -> Vec<String> {
    let actions = build["actions"].as_array().into_iter().flatten();
    let each = actions.flat_map(|action| action["parameters"].as_array().into_iter().flatten());
    each.map(|one| {
        format!("{}={}", one["name"].as_str().unwrap_or_default(), one["value"].as_str().unwrap_or_default())
    })
    .collect()
}

/// The resident memory of this process in MiB, where the machine tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")).and_then(|number| number.parse::<f64>().ok());
    kibibytes.map_or_else(|| "an unknown amount".to_owned(), |kibibytes| format!("{:.0} MiB", kibibytes / 1024.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn delays() -> Delays {
        Delays::of(Duration::from_millis(300))
    }

    fn quickstart() -> Documents {
        Documents::read(include_str!("../../../examples/quickstart.yaml")).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_quickstart_plays_to_its_end() {
        play("quickstart", quickstart(), delays(), false).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_project_that_needs_a_person_ends_with_what_the_operator_says() {
        let mut documents = quickstart();
        documents.project["spec"]["parameters"] = json!([{"name": "Odd", "value": "x"}]);
        let refusal = play("wrong", documents, delays(), false).await.unwrap_err();
        assert!(refusal.contains("Ready needs a person") && refusal.contains("Odd"), "{refusal}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_misspelt_field_is_named() {
        let mut documents = quickstart();
        documents.project["spec"]["descriptoin"] = json!("Predicts taxi fares");
        let refusal = play("wrong", documents, delays(), false).await.unwrap_err();
        assert!(refusal.contains("spec.descriptoin"), "{refusal}");
    }
}
