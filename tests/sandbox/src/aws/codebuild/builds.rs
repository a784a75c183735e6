//! Builds: start, look, stop. How a build goes on is written into it by whoever runs it, through [`Build::enter`] and
//! [`Build::end`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::projects::name_of;
use super::{arn, input, invalid, moment, no_project, page, state};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::{Effect, World};

/// How long a token is remembered (API reference of StartBuild).
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// One run of a project.
#[derive(Clone, Debug)]
pub struct Build {
    /// `project:uuid`.
    pub id: String,
    /// `arn:aws:codebuild:…:build/project:uuid`.
    pub arn: String,
    /// Name of the project.
    pub project: String,
    /// How it stands.
    pub status: Status,
    /// The environment, the start's own variables among those of the project.
    pub environment: Value,
    /// Where the source is.
    pub source: Value,
    /// ARN of the role that it runs as.
    pub role: String,
    /// How long it may run.
    pub timeout: Duration,
    /// What its commands said, with CodeBuild's own lines between.
    pub log: String,
    /// Its project was deleted since.
    pub(super) outlives_project: bool,
    number: usize,
    queue_minutes: Value,
    logs: Value,
    initiator: String,
    encryption_key: Value,
    phase: String,
    /// Phases that are over.
    phases: Vec<Value>,
    phase_began: Timestamp,
    started: Timestamp,
    ended: Option<Timestamp>,
}

/// How a build stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum Status {
    InProgress,
    Succeeded,
    Failed,
    /// CodeBuild itself could not run it.
    Fault,
    TimedOut,
    Stopped,
}

impl Build {
    /// Whether it is a build of the project that has this name now.
    fn of(&self, project: &str) -> bool {
        self.project == project && !self.outlives_project
    }

    /// Whether it has come to an end.
    pub fn over(&self) -> bool {
        self.status != Status::InProgress
    }

    /// The phase before is over, and another begins.
    pub fn enter(&mut self, phase: &str, now: Timestamp) {
        self.leave(Status::Succeeded, None, now);
        phase.clone_into(&mut self.phase);
    }

    /// The present phase is over, with what went wrong in it.
    pub fn leave(&mut self, status: Status, context: Option<(&str, &str)>, now: Timestamp) {
        if self.phase.is_empty() {
            return;
        }
        let context = context.map(|(code, message)| json!([{"statusCode": code, "message": message}]));
        self.phases.push(json!({
            "phaseType": self.phase,
            "phaseStatus": status,
            "startTime": moment(self.phase_began),
            "endTime": moment(now),
            "durationInSeconds": now.duration_since(self.phase_began).as_secs(),
            "contexts": context,
        }));
        self.phase_began = now;
        self.phase.clear();
    }

    /// It is over.
    pub fn end(&mut self, status: Status, now: Timestamp) {
        if self.over() {
            return;
        }
        self.leave(status, None, now);
        self.phases.push(json!({"phaseType": "COMPLETED", "startTime": moment(now)}));
        "COMPLETED".clone_into(&mut self.phase);
        self.status = status;
        self.ended = Some(now);
    }

    /// An environment variable; empty where it has none of that name.
    pub fn variable(&self, name: &str) -> &str {
        let variables = self.environment["environmentVariables"].as_array().into_iter().flatten();
        let found = variables.into_iter().find(|variable| variable["name"] == name);
        found.and_then(|variable| variable["value"].as_str()).unwrap_or_default()
    }

    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "arn": self.arn,
            "buildNumber": self.number,
            "startTime": moment(self.started),
            "endTime": self.ended.map(moment),
            "currentPhase": self.phase,
            "buildStatus": self.status,
            "projectName": self.project,
            "phases": self.phases,
            "source": self.source,
            "artifacts": {"location": ""},
            "cache": {"type": "NO_CACHE"},
            "environment": self.environment,
            "serviceRole": self.role,
            "logs": self.logs,
            "timeoutInMinutes": self.timeout.as_secs() / 60,
            "queuedTimeoutInMinutes": self.queue_minutes,
            "buildComplete": self.over(),
            "initiator": self.initiator,
            "encryptionKey": self.encryption_key,
        })
    }
}

fn digest(call: &Call<'_>) -> String {
    hex::encode(Sha256::digest(call.input.to_string()))
}

/// The build that the same request has started within the life of its token.
fn repeated(world: &mut World, call: &Call<'_>, project: &str) -> Result<Option<Value>, Refusal> {
    let token = call.text("idempotencyToken");
    let now = world.now;
    let state = state(world, call);
    let Some((at, known, id)) = state.tokens.get(&(project.to_owned(), token.to_owned())) else { return Ok(None) };
    let life = SignedDuration::try_from(TOKEN_LIFE).unwrap_or(SignedDuration::MAX);
    if token.is_empty() || now.duration_since(*at) > life {
        return Ok(None);
    }
    if *known != digest(call) {
        let message =
            format!("The idempotency token {token} was used before with another parameter: parameter mismatch");
        return Err(invalid(message));
    }
    Ok(state.builds.iter().find(|build| build.id == *id).map(Build::shown))
}

/// The project's environment with the start's own variables.
fn environment(document: &Value, call: &Call<'_>) -> Value {
    let mut environment = document["environment"].clone();
    let mut variables = environment["environmentVariables"].as_array().cloned().unwrap_or_default();
    for own in call.list("environmentVariablesOverride") {
        variables.retain(|variable| variable["name"] != own["name"]);
        variables.push(json!({"name": own["name"], "value": own["value"], "type": "PLAINTEXT"}));
    }
    environment["environmentVariables"] = Value::Array(variables);
    environment
}

pub(super) fn start(world: &mut World, call: &Call<'_>) -> Outcome {
    let project = name_of(call.text("projectName")).to_owned();
    if let Some(build) = repeated(world, call, &project)? {
        return Ok(json!({"build": build}));
    }
    let (now, uuid) = (world.now, world.ids.uuid());
    let found = state(world, call).projects.get(&project).map(|project| project.document.clone());
    let document = found.ok_or_else(|| no_project(call, &project))?;
    let environment = environment(&document, call);
    input::check_variables(&environment["environmentVariables"])?;
    let id = format!("{project}:{uuid}");
    let minutes = call.input.get("timeoutInMinutesOverride").filter(|value| !value.is_null());
    let minutes = minutes.unwrap_or(&document["timeoutInMinutes"]).as_u64().unwrap_or(60);
    let queue = call.input.get("queuedTimeoutInMinutesOverride").filter(|value| !value.is_null());
    let number = state(world, call).builds.iter().filter(|build| build.of(&project)).count() + 1;
    let build = Build {
        arn: arn(call, "build", &id),
        outlives_project: false,
        number,
        status: Status::InProgress,
        environment,
        source: document["source"].clone(),
        role: document["serviceRole"].as_str().unwrap_or_default().to_owned(),
        timeout: Duration::from_secs(minutes * 60),
        queue_minutes: queue.unwrap_or(&document["queuedTimeoutInMinutes"]).clone(),
        log: String::new(),
        logs: logs(&document, call, &project, &uuid),
        initiator: initiator(call),
        encryption_key: document["encryptionKey"].clone(),
        phase: "QUEUED".to_owned(),
        phases: vec![json!({
            "phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED", "startTime": moment(now), "endTime": moment(now),
            "durationInSeconds": 0,
        })],
        phase_began: now,
        started: now,
        ended: None,
        id: id.clone(),
        project: project.clone(),
    };
    let shown = build.shown();
    let token = call.text("idempotencyToken").to_owned();
    let state = state(world, call);
    state.builds.push(build);
    if !token.is_empty() {
        state.tokens.insert((project, token), (now, digest(call), id.clone()));
    }
    let (account, region) = (call.caller.account.clone(), call.region.to_owned());
    world.effects.push(Effect::RunBuild { account, region, id });
    Ok(json!({"build": shown}))
}

fn logs(document: &Value, call: &Call<'_>, project: &str, uuid: &str) -> Value {
    let config = &document["logsConfig"]["cloudWatchLogs"];
    if config["status"] == "DISABLED" {
        return json!({"cloudWatchLogs": config});
    }
    let group = config["groupName"].as_str().map_or_else(|| format!("/aws/codebuild/{project}"), str::to_owned);
    let stream = config["streamName"].as_str().map_or_else(|| uuid.to_owned(), |name| format!("{name}/{uuid}"));
    let (region, account) = (call.region, &call.caller.account);
    json!({
        "groupName": group,
        "streamName": stream,
        "deepLink": format!("https://console.aws.amazon.com/cloudwatch/home?region={region}#logEvent:group={group};stream={stream}"),
        "cloudWatchLogsArn": format!("arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}"),
        "cloudWatchLogs": if config.is_null() { json!({"status": "ENABLED"}) } else { config.clone() },
    })
}

/// A role's name with the session's, or a user's name.
fn initiator(call: &Call<'_>) -> String {
    let resource = call.caller.arn.split(':').nth(5).unwrap_or_default();
    resource.strip_prefix("assumed-role/").or_else(|| resource.strip_prefix("user/")).unwrap_or(resource).to_owned()
}

/// The id in a build's id or ARN.
fn id_of(given: &str) -> &str {
    given.rsplit(":build/").next().unwrap_or(given)
}

pub(super) fn stop(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let given = call.text("id");
    let missing = Refusal::new("ResourceNotFoundException", format!("Build cannot be found: {given}"));
    let build = state(world, call).build_mut(id_of(given)).ok_or(missing)?;
    build.end(Status::Stopped, now);
    Ok(json!({"build": build.shown()}))
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let state = state(world, call);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for given in call.list("ids").iter().filter_map(Value::as_str) {
        match state.builds.iter().find(|build| build.id == id_of(given)) {
            Some(build) => found.push(build.shown()),
            None => missing.push(given.to_owned()),
        }
    }
    Ok(json!({"builds": found, "buildsNotFound": (!missing.is_empty()).then_some(missing)}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let project = name_of(call.text("projectName")).to_owned();
    let state = state(world, call);
    if !state.projects.contains_key(&project) {
        return Err(no_project(call, &project));
    }
    let builds = state.builds.iter().filter(|build| build.of(&project));
    let mut ids: Vec<Value> = builds.map(|build| json!(build.id)).collect();
    if call.text("sortOrder") != "ASCENDING" {
        ids.reverse();
    }
    page(call, "ids", ids)
}
