//! Pipeline jobs and folders as config.xml: render one, read the typed subset out of one, and patch a live one so that
//! all that is not ours in it stays. Element names are those of the Java classes (WorkflowJob, CpsScmFlowDefinition,
//! GitSCM, LogRotator, CredentialsParameterDefinition).

use std::collections::BTreeMap;

use super::declared::{DISCARDER, Declared, ONE_AT_A_TIME, PARAMETERS, POLLING, TRIGGERS};
use super::document::Element;
use super::job::{Parameter, ParameterKind, PipelineJob};
use super::marker::{self, Marker};

/// Root element of a pipeline job.
pub const PIPELINE: &str = "flow-definition";
/// Root element of a folder.
pub const FOLDER: &str = "com.cloudbees.hudson.plugins.folder.Folder";

const TEXT_PARAMETER: &str = "hudson.model.StringParameterDefinition";
const CREDENTIALS_PARAMETER: &str = "com.cloudbees.plugins.credentials.CredentialsParameterDefinition";
const AWS_CREDENTIALS: &str = "com.cloudbees.jenkins.plugins.awscredentials.AWSCredentialsImpl";
const DEFINITION: &str = "org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition";
const GIT: &str = "hudson.plugins.git.GitSCM";
const REMOTE: &str = "hudson.plugins.git.UserRemoteConfig";
const BRANCH: &str = "hudson.plugins.git.BranchSpec";
const PLUGIN_OF_DEFINITION: &str = "workflow-cps";
const PLUGIN_OF_SCM: &str = "git";
/// The plugin that only a declarative Jenkinsfile needs, as those of the seed code are.
pub const PLUGIN_OF_DECLARATIVE: &str = "pipeline-model-definition";
const RAN_DECLARATIVE: &str = "org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobAction";
/// What builds note of a declarative Jenkinsfile (pipeline-model-definition).
const DECLARATIVE: &str = "org.jenkinsci.plugins.pipeline.modeldefinition.actions.DeclarativeJobPropertyTrackerAction";
/// What builds note of the step `properties` (workflow-multibranch).
const PROPERTIES_STEP: &str = "org.jenkinsci.plugins.workflow.multibranch.JobPropertyTrackerAction";
const FOLDER_RIGHTS: &str = "com.cloudbees.hudson.plugins.folder.properties.AuthorizationMatrixProperty";
const FOLDER_CREDENTIALS: &str =
    "com.cloudbees.hudson.plugins.folder.properties.FolderCredentialsProvider_-FolderCredentialsProperty";
const CREDENTIALS_LIST: &str = "java.util.concurrent.CopyOnWriteArrayList";

pub fn render(job: &PipelineJob, marker: &Marker) -> Element {
    let mut root = Element::new(PIPELINE).with([Element::new("actions")]);
    root.put(Element::leaf("keepDependencies", "false"));
    patch(&mut root, job, marker);
    root
}

pub fn render_folder(marker: &Marker) -> Element {
    Element::new(FOLDER).with([Element::leaf("description", &marker.line()), Element::new("properties")])
}

/// Makes the job's subset of a live document as it should be, and leaves the rest alone.
pub fn patch(root: &mut Element, job: &PipelineJob, marker: &Marker) {
    root.put(Element::leaf("description", &marker::describe(&job.description, marker)));
    // What a build of a declarative Jenkinsfile writes there, too. It says and does nothing (pipeline-model-definition,
    // Utils.groovy); a Jenkins without the plugin drops it, and that shows where its list of plugins does not.
    root.ensure("actions").ensure(RAN_DECLARATIVE);
    patch_properties(root.ensure("properties"), job);
    patch_definition(root.ensure("definition"), job);
    // WorkflowJob moves what stands here into the property, where it would win over ours.
    if let Some(triggers) = root.children.iter_mut().find(|child| child.name == "triggers") {
        triggers.remove(POLLING);
    }
    root.remove("concurrentBuild");
    root.remove("authToken");
    root.put(Element::leaf("disabled", flag(job.disabled)));
}

fn patch_properties(properties: &mut Element, job: &PipelineJob) {
    if job.concurrent {
        properties.remove(ONE_AT_A_TIME);
    } else if properties.child(ONE_AT_A_TIME).is_none() {
        properties.put(Element::new(ONE_AT_A_TIME).with([Element::leaf("abortPrevious", "false")]));
    }
    patch_discarder(properties, job);
    // What is right already stays as it is: descriptions and choices that a Jenkinsfile gives its parameters are its own.
    let mut known: BTreeMap<String, Vec<(Parameter, Element)>> = BTreeMap::new();
    for definition in parameter_definitions(properties) {
        let (name, parameter) = read_parameter(definition);
        known.entry(name).or_default().push((parameter, definition.clone()));
    }
    let definitions = job.parameters.iter().map(|(name, parameter)| {
        let same = known.get(name).and_then(|all| all.iter().find(|(one, _)| one == parameter));
        same.map_or_else(|| parameter_definition(name, parameter), |(_, definition)| definition.clone())
    });
    let list = Element::new("parameterDefinitions").with(definitions);
    properties.put(Element::new(PARAMETERS).with([list]));
    let triggers = properties.ensure(TRIGGERS).ensure("triggers");
    if job.poll_schedule.is_empty() {
        triggers.remove(POLLING);
    } else {
        let polling = triggers.ensure(POLLING);
        polling.put(Element::leaf("spec", &job.poll_schedule));
        polling.ensure("ignorePostCommitHooks");
        if polling.text_at(&["ignorePostCommitHooks"]).is_empty() {
            polling.put(Element::leaf("ignorePostCommitHooks", "false"));
        }
    }
}

fn patch_discarder(properties: &mut Element, job: &PipelineJob) {
    if builds_kept(properties) == job.builds_kept {
        return;
    }
    let strategy = properties.ensure(DISCARDER).ensure("strategy");
    if strategy.attribute("class").is_empty() {
        *strategy = Element::new("strategy").with_attribute("class", "hudson.tasks.LogRotator").with([
            Element::leaf("daysToKeep", "-1"),
            Element::leaf("numToKeep", "-1"),
            Element::leaf("artifactDaysToKeep", "-1"),
            Element::leaf("artifactNumToKeep", "-1"),
            Element::leaf("removeLastBuild", "false"),
        ]);
    }
    strategy.put(Element::leaf("numToKeep", &job.builds_kept));
}

fn parameter_definition(name: &str, parameter: &Parameter) -> Element {
    let start = |class: &str| {
        Element::new(class).with([Element::leaf("name", name), Element::leaf("defaultValue", &parameter.default)])
    };
    match &parameter.kind {
        ParameterKind::AwsCredentials => start(CREDENTIALS_PARAMETER)
            .with([Element::leaf("credentialType", AWS_CREDENTIALS), Element::leaf("required", "true")]),
        ParameterKind::Text => start(TEXT_PARAMETER).with([Element::leaf("trim", "false")]),
        ParameterKind::Other(class) => start(class),
    }
}

fn patch_definition(definition: &mut Element, job: &PipelineJob) {
    if definition.attribute("class") != DEFINITION {
        *definition = Element::new("definition").with_attribute("class", DEFINITION);
    }
    let scm = definition.ensure("scm");
    if scm.attribute("class") != GIT {
        *scm = Element::new("scm").with_attribute("class", GIT).with([
            Element::new("configVersion"),
            Element::new("userRemoteConfigs"),
            Element::new("branches"),
            Element::leaf("doGenerateSubmoduleConfigurations", "false"),
            Element::new("submoduleCfg").with_attribute("class", "empty-list"),
            Element::new("extensions"),
        ]);
    }
    // With another one, or none, GitSCM doubles each `*` of a branch whenever the job is read.
    scm.put(Element::leaf("configVersion", "2"));
    let remotes = job.repositories.iter().map(|url| {
        let remote = Element::new(REMOTE).with([Element::leaf("url", url)]);
        let credentials = (!job.credentials_id.is_empty()).then(|| Element::leaf("credentialsId", &job.credentials_id));
        remote.with(credentials)
    });
    scm.put(Element::new("userRemoteConfigs").with(remotes));
    let branches = job.branches.iter().map(|branch| Element::new(BRANCH).with([Element::leaf("name", branch)]));
    scm.put(Element::new("branches").with(branches));
    definition.put(Element::leaf("scriptPath", &job.script_path));
    definition.put(Element::leaf("lightweight", flag(job.lightweight)));
}

fn flag(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The typed subset of a live job, and its marker. What is written in other forms than the operator's own (plugin
/// versions, order, defaults, triggers at the root) reads the same.
pub fn read(root: &Element) -> (PipelineJob, Option<Marker>) {
    let (description, marker) = marker::split(root.text_at(&["description"]));
    let empty = Element::default();
    let properties = root.child("properties").unwrap_or(&empty);
    let definition = root.child("definition").unwrap_or(&empty);
    let scm = definition.child("scm").filter(|scm| scm.attribute("class") == GIT).unwrap_or(&empty);
    let remotes = scm.child("userRemoteConfigs").map_or(&[] as &[Element], |list| &list.children);
    let branches = scm.child("branches").map_or(&[] as &[Element], |list| &list.children);
    let job = PipelineJob {
        description,
        disabled: root.text_at(&["disabled"]) == "true",
        concurrent: properties.child(ONE_AT_A_TIME).is_none() && root.text_at(&["concurrentBuild"]) != "false",
        builds_kept: builds_kept(properties),
        parameters: read_parameters(properties),
        poll_schedule: poll_schedule(root, properties),
        repositories: remotes.iter().map(|remote| remote.text_at(&["url"]).trim().to_owned()).collect(),
        branches: branches.iter().map(|branch| branch_pattern(scm, branch)).collect(),
        credentials_id: remotes.first().map_or("", |remote| remote.text_at(&["credentialsId"])).to_owned(),
        script_path: definition.text_at(&["scriptPath"]).to_owned(),
        lightweight: definition.text_at(&["lightweight"]) == "true",
        remote_token: !root.text_at(&["authToken"]).is_empty(),
    };
    (job, marker)
}

/// What GitSCM takes for a branch: before configVersion 1 each `*` meant any path, and is doubled when the job is read
/// (GitSCM.readResolve).
fn branch_pattern(scm: &Element, branch: &Element) -> String {
    let name = branch.text_at(&["name"]);
    let old = scm.text_at(&["configVersion"]).trim().parse::<i32>().unwrap_or(0) < 1;
    if old { name.replace('*', "**") } else { name.to_owned() }
}

fn builds_kept(properties: &Element) -> String {
    let kept = properties.child(DISCARDER).map_or("", |property| property.text_at(&["strategy", "numToKeep"]));
    if kept == "-1" { String::new() } else { kept.to_owned() }
}

/// Of all properties that hold parameters: the step `properties` adds one of its own beside ours before it replaces it
/// (JobPropertyStep).
fn parameter_definitions(properties: &Element) -> impl Iterator<Item = &Element> {
    let lists = properties.children.iter().filter(|property| property.name == PARAMETERS);
    lists.filter_map(|property| property.child("parameterDefinitions")).flat_map(|list| &list.children)
}

fn read_parameter(definition: &Element) -> (String, Parameter) {
    let kind = match definition.name.as_str() {
        TEXT_PARAMETER => ParameterKind::Text,
        CREDENTIALS_PARAMETER if definition.text_at(&["credentialType"]) == AWS_CREDENTIALS => {
            ParameterKind::AwsCredentials
        }
        other => ParameterKind::Other(other.to_owned()),
    };
    let default = definition.text_at(&["defaultValue"]).to_owned();
    (definition.text_at(&["name"]).to_owned(), Parameter { kind, default })
}

fn read_parameters(properties: &Element) -> BTreeMap<String, Parameter> {
    // Jenkins goes by the first property of a class (Job.getProperty), so that the first of a name counts.
    let mut all = BTreeMap::new();
    for (name, parameter) in parameter_definitions(properties).map(read_parameter) {
        all.entry(name).or_insert(parameter);
    }
    all
}

/// The plugins of whose parts nothing is in a job. Jenkins answers 200 to parts that no active plugin knows, and drops them
/// (RobustReflectionConverter).
pub fn lacking(root: &Element) -> Vec<&'static str> {
    let definition = root.child("definition").filter(|definition| !definition.attribute("class").is_empty());
    let without_scm = definition.is_some_and(|definition| definition.child("scm").is_none());
    let ran = root.child("actions").and_then(|actions| actions.child(RAN_DECLARATIVE));
    let parts = [
        (PLUGIN_OF_DEFINITION, definition.is_none()),
        (PLUGIN_OF_SCM, without_scm),
        (PLUGIN_OF_DECLARATIVE, ran.is_none()),
    ];
    parts.into_iter().filter(|(_, lacks)| *lacks).map(|(plugin, _)| plugin).collect()
}

/// What the job's last build has noted of its Jenkinsfile.
pub fn declared(root: &Element) -> Declared {
    let actions = root.child("actions").map_or(&[] as &[Element], |list| &list.children);
    let named = |action: &str, list: &str| {
        let actions = actions.iter().filter(move |one| one.name == action);
        let names = actions.filter_map(|one| one.child(list)).flat_map(|list| &list.children);
        names.map(|name| name.text.clone()).collect::<Vec<_>>()
    };
    let of_step = named(PROPERTIES_STEP, "jobPropertyDescriptors");
    Declared {
        properties: named(DECLARATIVE, "jobProperties").into_iter().chain(of_step).collect(),
        triggers: named(DECLARATIVE, "triggers").into_iter().collect(),
        parameters: named(DECLARATIVE, "parameters").into_iter().collect(),
    }
}

fn poll_schedule(root: &Element, properties: &Element) -> String {
    let of_property =
        properties.child(TRIGGERS).map_or("", |property| property.text_at(&["triggers", POLLING, "spec"]));
    let of_root = root.text_at(&["triggers", POLLING, "spec"]);
    if of_root.is_empty() { of_property.to_owned() } else { of_root.to_owned() }
}

/// Whether a folder's document holds more than the folder itself: credentials of users, above all. What plugins leave
/// there by themselves is nothing: an empty list of credentials, and the rights of who made the folder.
pub fn folder_holds_more(root: &Element) -> bool {
    let properties = root.child("properties").map_or(&[] as &[Element], |list| &list.children);
    properties.iter().any(|property| match property.name.as_str() {
        FOLDER_RIGHTS => false,
        FOLDER_CREDENTIALS => {
            let domains = property.child("domainCredentialsMap").map_or(&[] as &[Element], |map| &map.children);
            domains.iter().flat_map(|entry| &entry.children).any(|list| list.name == CREDENTIALS_LIST && holds(list))
        }
        _ => holds(property),
    })
}

fn holds(element: &Element) -> bool {
    !element.children.is_empty()
}
