//! Build projects: create, look, update, delete.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{arn, input, invalid, moment, no_project, page, state};
use crate::aws::iam::{Source, Trust};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// A build project.
#[derive(Clone, Debug)]
pub struct Project {
    /// As BatchGetProjects gives it, but for the times.
    pub(super) document: Value,
    created: Timestamp,
    modified: Timestamp,
}

impl Project {
    /// ARN of the role that its builds run as.
    pub fn role(&self) -> String {
        self.document["serviceRole"].as_str().unwrap_or_default().to_owned()
    }

    /// Its own ARN.
    pub fn arn(&self) -> String {
        self.document["arn"].as_str().unwrap_or_default().to_owned()
    }

    /// Its tags.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        let text = |tag: &Value, member: &str| tag[member].as_str().unwrap_or_default().to_owned();
        let tags = self.document["tags"].as_array().into_iter().flatten();
        tags.map(|tag| (text(tag, "key"), text(tag, "value"))).collect()
    }

    /// Where the source is: `bucket/key`.
    pub fn source(&self) -> String {
        self.document["source"]["location"].as_str().unwrap_or_default().to_owned()
    }

    /// An environment variable; empty where it has none of that name.
    pub fn variable(&self, name: &str) -> String {
        let variables = self.document["environment"]["environmentVariables"].as_array().into_iter().flatten();
        let found = variables.into_iter().find(|variable| variable["name"] == name);
        found.and_then(|variable| variable["value"].as_str()).unwrap_or_default().to_owned()
    }

    fn shown(&self) -> Value {
        let mut shown = self.document.clone();
        shown["created"] = moment(self.created);
        shown["lastModified"] = moment(self.modified);
        shown
    }
}

/// Kinds of machines, and the kinds of sources and artifacts that are played here.
const MACHINES: &[&str] =
    &["LINUX_CONTAINER", "LINUX_GPU_CONTAINER", "ARM_CONTAINER", "LINUX_LAMBDA_CONTAINER", "ARM_LAMBDA_CONTAINER"];

/// Sizes of machines, and those that a fleet is asked for with (API model, `ComputeType`).
const COMPUTE: &[&str] = &[
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
    "BUILD_LAMBDA_1GB",
    "BUILD_LAMBDA_2GB",
    "BUILD_LAMBDA_4GB",
    "BUILD_LAMBDA_8GB",
    "BUILD_LAMBDA_10GB",
];
const FLEETS: &[&str] = &["ATTRIBUTE_BASED_COMPUTE", "CUSTOM_INSTANCE_TYPE"];

/// Checks what a project is made of, wherever it is given.
fn check(world: &World, call: &Call<'_>) -> Result<(), Refusal> {
    let given = |member: &str| call.input.get(member).filter(|value| !value.is_null());
    if let Some(source) = given("source") {
        only(
            source,
            &["type", "location", "buildspec", "gitCloneDepth", "insecureSsl", "reportBuildStatus"],
            "source",
        )?;
        nothing(
            source,
            &[("gitCloneDepth", json!(0)), ("insecureSsl", json!(false)), ("reportBuildStatus", json!(false))],
        )?;
        match source["type"].as_str().unwrap_or_default() {
            "S3" if source["location"].as_str().is_some_and(|place| place.contains('/')) => {}
            "S3" => return Err(invalid("Invalid project source: location must be a valid S3 source")),
            "NO_SOURCE" if source["buildspec"].as_str().is_some_and(|text| !text.is_empty()) => {}
            "NO_SOURCE" => return Err(invalid("Invalid project source: a project without source needs a buildspec")),
            other => return Err(invalid(format!("Invalid project source: {other} is not known here, S3 is"))),
        }
    }
    if let Some(artifacts) = given("artifacts") {
        only(artifacts, &["type", "overrideArtifactName"], "artifacts")?;
        nothing(artifacts, &[("overrideArtifactName", json!(false))])?;
        if artifacts["type"] != "NO_ARTIFACTS" {
            return Err(invalid("Invalid artifacts: the sandbox has NO_ARTIFACTS only"));
        }
    }
    if let Some(environment) = given("environment") {
        only(
            environment,
            &["type", "image", "computeType", "environmentVariables", "privilegedMode", "imagePullCredentialsType"],
            "environment",
        )?;
        let text = |member: &str| environment[member].as_str().unwrap_or_default();
        if !MACHINES.contains(&text("type")) || text("image").is_empty() || text("computeType").is_empty() {
            return Err(invalid("Invalid environment: type (of Linux), image and computeType must be given"));
        }
        compute(environment["computeType"].as_str().unwrap_or_default())?;
        input::check_variables(&environment["environmentVariables"])?;
    }
    if let Some(logs) = given("logsConfig") {
        only(logs, &["cloudWatchLogs", "s3Logs"], "logsConfig")?;
        nothing(&json!({"s3Logs": logs["s3Logs"]["status"]}), &[("s3Logs", json!("DISABLED"))])?;
    }
    given("serviceRole").map_or(Ok(()), |role| role_is_given(world, call, role.as_str().unwrap_or_default()))
}

fn compute(kind: &str) -> Result<(), Refusal> {
    if COMPUTE.contains(&kind) {
        return Ok(());
    }
    if FLEETS.contains(&kind) {
        return Err(invalid(format!("Invalid environment: {kind} is for fleets, which the sandbox does not have")));
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{kind}' at 'environment.computeType' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
        [COMPUTE, FLEETS].concat().join(", ")
    )))
}

fn only(value: &Value, known: &[&str], what: &str) -> Result<(), Refusal> {
    let unknown = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    match unknown.map(|(key, _)| key).find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!("{what}.{key} is not known here"))),
        None => Ok(()),
    }
}

/// Members that clients send without asking for anything by them; a value that does ask is refused.
fn nothing(value: &Value, members: &[(&str, Value)]) -> Result<(), Refusal> {
    let asked = members.iter().find(|(name, nothing)| !value[name].is_null() && value[name] != *nothing);
    asked.map_or(Ok(()), |(name, nothing)| Err(invalid(format!("{name} other than {nothing} is not known here"))))
}

/// The caller may pass the role, and CodeBuild may assume it.
fn role_is_given(world: &World, call: &Call<'_>, role: &str) -> Result<(), Refusal> {
    if let Err(refusal) = world.iam.pass_role(call.caller, role)
        && world.iam.role_by_arn(role).is_some()
    {
        return Err(Refusal::new("AccessDeniedException", refusal.message));
    }
    let project = arn(call, "project", name_of(call.text("name")));
    let source = Source { account: &call.caller.account, arn: Some(&project) };
    match world.trust_for(role, "codebuild.amazonaws.com", source) {
        Trust::Given => Ok(()),
        // terraform-provider-aws waits for the role to be known where it sees these words.
        _ => Err(invalid(format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role}"))),
    }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.text("name").to_owned();
    if !input::is_name(&name) {
        return Err(invalid(format!(
            "Invalid project name: '{name}' must have 2 to 150 letters, digits, - and _, and begin with a letter or digit"
        )));
    }
    check(world, call)?;
    let (now, full) = (world.now, arn(call, "project", &name));
    if state(world, call).projects.contains_key(&name) {
        return Err(Refusal::new("ResourceAlreadyExistsException", format!("Project already exists: {full}")));
    }
    let mut document = json!({
        "name": name,
        "arn": full,
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "encryptionKey": format!("arn:aws:kms:{}:{}:alias/aws/s3", call.region, call.caller.account),
        "cache": {"type": "NO_CACHE"},
        "badge": {"badgeEnabled": false},
        "projectVisibility": "PRIVATE",
    });
    apply(&mut document, call);
    let project = Project { document, created: now, modified: now };
    let shown = project.shown();
    state(world, call).projects.insert(name, project);
    Ok(json!({"project": shown}))
}

/// Puts what the call gives in place of what was.
fn apply(document: &mut Value, call: &Call<'_>) {
    let empty = Map::new();
    let given = call.input.as_object().unwrap_or(&empty);
    for (member, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        document[member] = value.clone();
    }
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.text("name");
    if !state(world, call).projects.contains_key(name) {
        return Err(no_project(call, name));
    }
    check(world, call)?;
    let now = world.now;
    let project = state(world, call).projects.get_mut(name).ok_or_else(|| no_project(call, name))?;
    apply(&mut project.document, call);
    project.modified = now;
    Ok(json!({"project": project.shown()}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    // Deleting what is not there is no error (API reference of DeleteProject).
    let name = name_of(call.text("name")).to_owned();
    let state = state(world, call);
    state.projects.remove(&name);
    // Its builds stay and are found by their ids; a new project of the name counts and lists its own.
    for build in state.builds.iter_mut().filter(|build| build.project == name) {
        build.outlives_project = true;
    }
    state.tokens.retain(|(project, _), _| *project != name);
    Ok(json!({}))
}

/// The name in a project's name or ARN.
pub(super) fn name_of(given: &str) -> &str {
    given.rsplit(":project/").next().unwrap_or(given)
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let state = state(world, call);
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for given in call.list("names").iter().filter_map(Value::as_str) {
        match state.projects.get(name_of(given)) {
            Some(project) => found.push(project.shown()),
            None => missing.push(given.to_owned()),
        }
    }
    Ok(json!({"projects": found, "projectsNotFound": (!missing.is_empty()).then_some(missing)}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let mut projects: Vec<(&String, &Project)> = state(world, call).projects.iter().collect();
    match call.text("sortBy") {
        "CREATED_TIME" => projects.sort_by_key(|(_, project)| project.created),
        "LAST_MODIFIED_TIME" => projects.sort_by_key(|(_, project)| project.modified),
        _ => {}
    }
    if call.text("sortOrder") == "DESCENDING" {
        projects.reverse();
    }
    page(call, "projects", projects.into_iter().map(|(name, _)| json!(name)).collect())
}
