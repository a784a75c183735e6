//! The part of the story in which a model is approved: what must start by that, and whether it did. It registers the model
//! through the sandbox's control interface, as a training pipeline would, and judges builds by what Jenkins says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::display::Display;
use crate::inventory::{self, path_of};
use crate::stage::Stage;
use crate::watch::INTERVAL;

/// How long it may take from the approval to the end of the builds.
const LIMIT: Duration = Duration::from_secs(60);

/// What an approved model must start.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// Nothing, and why.
    Nothing(&'static str),
    /// A build of each of these jobs, by URL.
    Builds(Vec<String>),
}

/// Reads from the object what an approval must start.
fn expected(object: &Value) -> Expected {
    let trigger = &object["spec"]["modelTrigger"];
    if trigger["enabled"] == false {
        return Expected::Nothing("modelTrigger.enabled is false, so nothing starts by itself");
    }
    let texts = |field: &str| trigger[field].as_array().into_iter().flatten().filter_map(Value::as_str);
    if !texts("approvalStatuses").any(|status| status == "Approved") {
        return Expected::Nothing("modelTrigger.approvalStatuses does not hold Approved, so nothing starts by this");
    }
    // The status lists them as preprocess, modelbuild, modeldeploy, modeldeploy-endpoint.
    let places = texts("jobs").map(|job| if job == "Endpoint" { 3 } else { 2 });
    let url = |place: usize| object["status"]["jobs"]["items"][place]["url"].as_str().unwrap_or_default().to_owned();
    Expected::Builds(places.map(url).collect())
}

/// Registers a model version, approves it, and shows what starts.
///
/// # Errors
/// A sentence: what did not start, and what the function or Jenkins says about it.
pub(crate) async fn approve(object: &Value, stage: &Stage, display: &mut Display) -> Result<(), String> {
    let group = object["status"]["project"]["modelPackageGroup"].as_str().unwrap_or_default();
    let region = object["status"]["placement"]["region"].as_str().unwrap_or_default();
    display.heading(&format!("Registering and approving a model in {group}"));
    let wanted = json!({"group": group, "approve": true, "region": region});
    let made = stage.control("POST", "model-packages", wanted).await?;
    let arn = made["modelPackageArn"].as_str().unwrap_or_default();
    display.line(&format!("{arn} is approved"));
    let jobs = match expected(object) {
        Expected::Nothing(reason) => {
            display.line(reason);
            return Ok(());
        }
        Expected::Builds(jobs) => jobs,
    };
    let begun = Instant::now();
    if let Some(missing) = stage.left_out() {
        let function = asked_for(stage, display, begun).await?;
        display.line(&format!("EventBridge matched, and asked for the Lambda {function}"));
        display.line(&format!("Left out: the Lambda does not run without {missing}, so no deploy job starts here."));
        return Ok(());
    }
    for job in &jobs {
        let build = built(job, arn, stage, display, begun).await?;
        display.line(&format!(
            "EventBridge matched, the Lambda ran, and Jenkins built {job} (number {})",
            build["number"]
        ));
        parameters(&build).iter().for_each(|line| display.line(&format!("    {line}")));
    }
    alone(&jobs, arn, stage).await?;
    display.line("No other job was started.");
    Ok(())
}

/// Holds the last builds of all other jobs against the model: none may be of it.
async fn alone(jobs: &[String], arn: &str, stage: &Stage) -> Result<(), String> {
    let meant: Vec<&str> = jobs.iter().map(|job| path_of(job)).collect();
    for (name, path) in inventory::paths(stage).await?.iter().filter(|(_, path)| !meant.contains(&path.as_str())) {
        // A folder has no builds, and a job may have none.
        let Ok(build) = stage.jenkins_json(&format!("{path}/lastBuild/api/json")).await else { continue };
        if parameters(&build).contains(&format!("MODEL_PACKAGE_ARN={arn}")) {
            return Err(format!("the approval started {name}, too"));
        }
    }
    Ok(())
}

/// Waits until EventBridge has asked for the function.
async fn asked_for(stage: &Stage, display: &mut Display, begun: Instant) -> Result<String, String> {
    loop {
        if let Some(asked) = by_approval(&stage.control("GET", "invocations", Value::Null).await?).first() {
            display.erase();
            return Ok(asked["function"].as_str().unwrap_or_default().to_owned());
        }
        if begun.elapsed() > LIMIT {
            return Err(format!("EventBridge did not ask for the Lambda within {} s of the approval", LIMIT.as_secs()));
        }
        display.waiting(begun, "EventBridge");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Waits for a build of the job for this model, and for its success.
async fn built(job: &str, arn: &str, stage: &Stage, display: &mut Display, begun: Instant) -> Result<Value, String> {
    let path = path_of(job);
    loop {
        let build = stage.jenkins_json(&format!("{path}/lastBuild/api/json")).await;
        let result = build.as_ref().ok().and_then(|build| build["result"].as_str());
        match (&build, result) {
            (Ok(build), Some("SUCCESS")) if parameters(build).contains(&format!("MODEL_PACKAGE_ARN={arn}")) => {
                display.erase();
                return Ok(build.clone());
            }
            (Ok(_), Some(result)) if result != "SUCCESS" => {
                return Err(format!("the build of {job} ended as {result}"));
            }
            _ => {}
        }
        let invocations = stage.control("GET", "invocations", Value::Null).await?;
        if let Some(failed) = by_approval(&invocations).iter().find(|one| one["status"] == "failed") {
            return Err(format!("the Lambda failed, so {job} was not built: {}", last_error(failed)));
        }
        if begun.elapsed() > LIMIT {
            let seconds = LIMIT.as_secs();
            return Err(format!(
                "no build of {job} succeeded within {seconds} s of the approval{}",
                stage.failed_runs().await
            ));
        }
        display.waiting(begun, "the Lambda, and the build that it starts");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The invocations that a message with an event of SageMaker has caused.
fn by_approval(invocations: &Value) -> Vec<&Value> {
    let source = |invocation: &Value| {
        let body: Value = serde_json::from_str(invocation["event"]["Records"][0]["body"].as_str()?).ok()?;
        Some(body["source"] == "aws.sagemaker")
    };
    invocations.as_array().into_iter().flatten().filter(|one| source(one) == Some(true)).collect()
}

/// What went wrong in the last run of an invocation.
pub(crate) fn last_error(invocation: &Value) -> String {
    let attempts = invocation["attempts"].as_array();
    let error = attempts.and_then(|attempts| attempts.last()).map(|attempt| &attempt["error"]);
    error.and_then(|error| error["errorMessage"].as_str()).unwrap_or("it gives no reason").to_owned()
}

/// The parameters of a build, as `name=value`.
fn parameters(build: &Value) -> Vec<String> {
    let actions = build["actions"].as_array().into_iter().flatten();
    let each = actions.flat_map(|action| action["parameters"].as_array().into_iter().flatten());
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    each.map(|one| format!("{}={}", text(one, "name"), text(one, "value"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_approval_starts_stands_in_the_object() {
        let builds = |urls: &[&str]| Some(urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>());
        let rows = [
            ("no trigger", json!({"enabled": false, "approvalStatuses": ["Approved"], "jobs": ["Deploy"]}), None),
            ("other statuses", json!({"approvalStatuses": ["Rejected"], "jobs": ["Deploy"]}), None),
            ("deploy", json!({"approvalStatuses": ["Approved"], "jobs": ["Deploy"]}), builds(&["c"])),
            ("endpoint alone", json!({"approvalStatuses": ["Approved"], "jobs": ["Endpoint"]}), builds(&["d"])),
            ("both", json!({"approvalStatuses": ["Approved"], "jobs": ["Deploy", "Endpoint"]}), builds(&["c", "d"])),
        ];
        for (case, trigger, urls) in rows {
            let object = json!({"spec": {"modelTrigger": trigger}, "status": {"jobs": {"items": [{"url": "a"}, {"url": "b"}, {"url": "c"}, {"url": "d"}]}}});
            match (expected(&object), urls) {
                (Expected::Builds(found), Some(urls)) => assert_eq!(found, urls, "{case}"),
                (Expected::Nothing(_), None) => {}
                (other, _) => assert_eq!(other, Expected::Nothing(""), "{case}"),
            }
        }
    }

    #[test]
    fn only_what_the_approval_caused_counts_and_its_last_error_is_told() {
        let run = |message: &str| json!({"error": {"errorMessage": message}});
        let invocations = json!([
            {"event": {"RequestType": "Create"}, "status": "failed", "attempts": []},
            {"event": {"Records": [{"body": "{\"source\": \"aws.sagemaker\"}"}]}, "status": "failed", "attempts": [run("first"), run("second")]},
        ]);
        let found = by_approval(&invocations);
        assert_eq!(found.len(), 1);
        assert_eq!(last_error(found[0]), "second");
        assert_eq!(last_error(&json!({})), "it gives no reason");
    }
}
