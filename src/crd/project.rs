//! `MlopsProject`: one ML project, as a user writes it.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::crd::platform::PlatformSettings;
use crate::crd::schema;
use crate::crd::status::MlopsProjectStatus;

/// What the project is called, which repositories it has, how its jobs run, and what becomes of it when it is deleted.
/// Where it lives (platform, names, folder) cannot change.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "mlops-operator.io",
    version = "v1alpha1",
    kind = "MlopsProject",
    namespaced,
    status = "MlopsProjectStatus",
    doc = "One ML project: Git repositories in SageMaker, the Jenkins jobs that build them, and the chain from an approved model to its deployment. The operator makes what spec asks for in AWS and Jenkins, keeps it so, and says in status how it stands. It stands on an MlopsPlatform that it shares with others (spec.platformRef), or has a platform of its own (spec.platform).",
    derive = "PartialEq",
    shortname = "mlp",
    category = "mlops",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Suspended", type_ = "string", json_path = r#".status.conditions[?(@.type=="Suspended")].status"#),
    printcolumn(name = "Project", type_ = "string", json_path = ".status.project.id"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.catalog.version"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Deletion", type_ = "string", json_path = ".status.deletionPolicy", priority = 1),
    printcolumn(name = "Folder", type_ = "string", json_path = ".status.jobs.folder", priority = 1),
    printcolumn(name = "Jenkins", type_ = "string", json_path = ".status.jobs.url", priority = 1),
    printcolumn(name = "Studio", type_ = "string", json_path = ".status.project.studioUrl", priority = 1),
    printcolumn(name = "Stack", type_ = "string", json_path = ".status.project.stackEventsUrl", priority = 1),
    printcolumn(name = "Product", type_ = "string", json_path = ".status.catalog.productUrl", priority = 1),
    printcolumn(name = "Logs", type_ = "string", json_path = ".status.trigger.logsUrl", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = 1),
    validation = Rule::new("has(self.spec.projectName) || (size(self.metadata.name) <= 32 && self.metadata.name.matches('^[a-zA-Z](-*[a-zA-Z0-9])*$'))").message("metadata.name cannot serve as the project's name (at most 32 letters, digits and hyphens, starting with a letter): set spec.projectName")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.projectName) == has(oldSelf.projectName) && (!has(self.projectName) || self.projectName == oldSelf.projectName)").message("projectName is immutable: make a new MlopsProject for another name"))]
#[x_kube(validation = Rule::new("(has(self.jenkins.folder) == has(oldSelf.jenkins.folder)) && (!has(self.jenkins.folder) || self.jenkins.folder == oldSelf.jenkins.folder)").message("jenkins.folder is immutable: jobs cannot be moved without losing their history"))]
#[x_kube(validation = Rule::new("has(self.platform) != has(self.platformRef)").message("a project takes exactly one of platformRef (a shared MlopsPlatform) and platform (one of its own)"))]
#[x_kube(validation = Rule::new("has(self.platformRef) == has(oldSelf.platformRef) && (!has(self.platformRef) || self.platformRef == oldSelf.platformRef)").message("platformRef is immutable: make a new MlopsProject on the other platform"))]
#[x_kube(validation = Rule::new("has(self.platformRef) == has(self.repositories.preprocess.name) && has(self.platformRef) == has(self.repositories.build.name) && has(self.platformRef) == has(self.repositories.deploy.name) && (!has(self.repositories.endpoint) || has(self.platformRef) == has(self.repositories.endpoint.name))").message("repositories: on a platform each is named by name alone; a project with a platform of its own gives url, fullName and connectionArn"))]
#[x_kube(validation = Rule::new("(has(self.tags) ? size(self.tags) : 0) + (has(self.platform) && has(self.platform.tags) ? self.platform.tags.filter(key, !has(self.tags) || !(key in self.tags)).size() : 0) <= 15").message("tags and platform.tags together may have at most 15 keys: Service Catalog takes 20, and five are the operator's"))]
#[x_kube(validation = Rule::new("!self.modelTrigger.enabled || has(self.repositories.endpoint) || self.modelTrigger.jobs.all(job, job != 'Endpoint')").message("modelTrigger.jobs names Endpoint, which needs repositories.endpoint"))]
#[x_kube(validation = Rule::new("!has(self.platform) || !has(self.repositories.preprocess.connectionArn) || !has(self.repositories.build.connectionArn) || !has(self.repositories.deploy.connectionArn) || [self.repositories.preprocess.connectionArn, self.repositories.build.connectionArn, self.repositories.deploy.connectionArn].all(arn, arn.split(':')[4] == self.platform.aws.accountId) && (!has(self.repositories.endpoint) || !has(self.repositories.endpoint.connectionArn) || self.repositories.endpoint.connectionArn.split(':')[4] == self.platform.aws.accountId)").message("repositories: each connectionArn must be a connection of the account in platform.aws.accountId"))]
pub struct MlopsProjectSpec {
    /// The `MlopsPlatform` that the project stands on, with others: account, roles, bucket, Jenkins and Git host are
    /// the platform's. Exactly one of this and `platform`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_ref: Option<PlatformRef>,
    /// A platform of the project's own: everything that it needs there is made for it and belongs to it. Which namespaces
    /// may have one, and with what, the operator's configuration says (`inlinePlatforms`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformSettings>,
    /// Name of the SageMaker project: letters, digits and hyphens, at most 32. Absent: `metadata.name`. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::project_name")]
    pub project_name: Option<String>,
    /// What the project is for, as SageMaker Studio shows it: at most 1024 characters on one line. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::project_description")]
    pub description: Option<String>,
    /// AWS tags, key and value, of every resource that is made and takes tags. Where a platform of the project's own
    /// has the same key, this value counts; what an `MlopsPlatform` sets stays the platform's. Keys that differ by case alone are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,
    /// The Git repositories that hold the project's code, one for each step; none may be named twice.
    pub repositories: RepositoriesSpec,
    /// Values of further parameters that the project template declares, at most 60. Those that the operator fills
    /// itself are refused; on an `MlopsPlatform` only those in its `projects.parameters` may be set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 60))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Vec<Parameter>,
    /// Where the Jenkins jobs lie, how often they look for commits, which credentials they use, and what parameters
    /// they have.
    #[serde(default)]
    pub jenkins: JobSettings,
    /// An approved model starts the deploy jobs, unless `enabled` is false. Absent, null and `{}` mean the same:
    /// enabled, with every default.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub model_trigger: ModelTriggerSpec,
    /// True: the operator looks at nothing and changes nothing of this project until it is false again. What exists in
    /// AWS and Jenkins goes on as it is, and deletion still works.
    #[serde(default)]
    pub suspend: bool,
    /// What happens to the resources in AWS and Jenkins when this object is deleted, by itself or with its namespace.
    /// `Delete`: they are removed, in reverse order. `Retain`: they stay as they are, and nobody looks after them.
    /// Absent: the operator's default, which `status.deletionPolicy` shows; `Delete` unless its configuration says
    /// otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::deletion_policy")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// What happens to what users put into the project when its resources are deleted. `Keep`: the project's bucket and
    /// model package group stay with all they hold. `Delete`: both are emptied and removed, for good. Absent: the
    /// platform's default, else `Keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "data_policy")]
    pub data_policy: Option<DataPolicy>,
}

/// A platform that projects share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformRef {
    /// Name of the `MlopsPlatform`, which is cluster-scoped; `kubectl get mlpf` lists them.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
}

/// The project's Git repositories, each for one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.preprocess.url) ? self.preprocess.url : has(self.preprocess.name) ? self.preprocess.name : 'preprocess', has(self.build.url) ? self.build.url : has(self.build.name) ? self.build.name : 'build', has(self.deploy.url) ? self.deploy.url : has(self.deploy.name) ? self.deploy.name : 'deploy'].all(one, [has(self.preprocess.url) ? self.preprocess.url : has(self.preprocess.name) ? self.preprocess.name : 'preprocess', has(self.build.url) ? self.build.url : has(self.build.name) ? self.build.name : 'build', has(self.deploy.url) ? self.deploy.url : has(self.deploy.name) ? self.deploy.name : 'deploy'].exists_one(other, other == one)) && (!has(self.endpoint) || !((has(self.endpoint.url) ? self.endpoint.url : has(self.endpoint.name) ? self.endpoint.name : 'endpoint') in [has(self.preprocess.url) ? self.preprocess.url : has(self.preprocess.name) ? self.preprocess.name : 'preprocess', has(self.build.url) ? self.build.url : has(self.build.name) ? self.build.name : 'build', has(self.deploy.url) ? self.deploy.url : has(self.deploy.name) ? self.deploy.name : 'deploy']))").message("repositories: each role needs a repository of its own, with another url or name"))]
pub struct RepositoriesSpec {
    /// Repository of the data preparation; its job is `preprocess`.
    pub preprocess: RepositorySpec,
    /// Repository of the pipeline that trains, evaluates and registers the model; its job is `modelbuild`.
    pub build: RepositorySpec,
    /// Repository that deploys an approved model; its job is `modeldeploy`.
    pub deploy: RepositorySpec,
    /// Repository that deploys an approved model to endpoints that answer in real time; its job is
    /// `modeldeploy-endpoint`. Absent: there are none; one that is taken out keeps its commits, and its job goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<RepositorySpec>,
}

/// One Git repository: on a platform its name, else its URL, full name and connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) ? !has(self.url) && !has(self.fullName) && !has(self.connectionArn) : has(self.url) && has(self.fullName) && has(self.connectionArn)").message("a repository takes either name (on a platform) or url, fullName and connectionArn"))]
pub struct RepositorySpec {
    /// On an `MlopsPlatform`: the repository's name below the platform's `git.baseUrl`, from which URL, full name and
    /// connection follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::repository_name")]
    pub name: Option<String>,
    /// With a platform of the project's own: the HTTPS URL that Jenkins and the check-in clone from, such as
    /// `https://github.com/team/model-build.git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::repository_url")]
    pub url: Option<String>,
    /// Branch that Jenkins builds and that seed code is committed to. Absent: the platform's default, else `main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::branch")]
    pub branch: Option<String>,
    /// Owner and name, as the connection knows it: `team/model-build`, or `organization/project/repository`. It is what the
    /// URL leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::full_name")]
    pub full_name: Option<String>,
    /// ARN of the connection (CodeConnections) that reaches it, in the project's own account. Its handshake must be
    /// complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::connection_arn")]
    pub connection_arn: Option<String>,
    /// What is committed into the repository when the project is made. Only into a branch that holds nothing, or a
    /// README, a licence and a .gitignore at most: one with files of its own is left alone, and the status says so.
    #[serde(default)]
    pub seed_code: SeedCodeSettings,
}

/// What a repository holds at first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.archive) == (has(self.source) && self.source == 'Archive')").message("seedCode.archive goes with source Archive, and source Archive needs it"))]
pub struct SeedCodeSettings {
    /// Where the code comes from. `BuiltIn`: the code that the operator bundles, which predicts taxi fares; a newer
    /// operator brings newer code to new projects only. `None`: nothing, the repository is not touched. `Archive`: an
    /// archive of the user's own. Absent: the platform's default, else `BuiltIn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "seed_code_source")]
    pub source: Option<SeedCodeSource>,
    /// The archive to take the code from; goes with the source `Archive` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<SeedCodeArchive>,
}

/// Where the code that a repository begins with comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SeedCodeSource {
    /// The code that the operator bundles: it predicts taxi fares. A newer operator brings newer code to new projects
    /// only.
    #[default]
    BuiltIn,
    /// Nothing: the repository is not touched.
    None,
    /// An archive of the user's own.
    Archive,
}

/// An archive of seed code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeedCodeArchive {
    /// Address of a zip file: `https://...`, or `s3://bucket/key` that the check-in role may read
    /// (`aws.roles.checkIn`; left out, the use role).
    #[schemars(schema_with = "schema::archive_url")]
    pub url: String,
    /// SHA-256 of the zip file, 64 hex digits in lower case as `sha256sum` prints them: a file with another one is refused.
    #[schemars(schema_with = "schema::sha256")]
    pub sha256: String,
}

/// A template parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.valueFrom)").message("a parameter takes exactly one of value and valueFrom"))]
pub struct Parameter {
    /// What the parameter is called in the template's `Parameters`.
    #[schemars(schema_with = "schema::parameter_name")]
    pub name: String,
    /// The value as plain text, at most 4096 characters on one line. Exactly one of this and `valueFrom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::parameter_value")]
    pub value: Option<String>,
    /// Where the value stands, for one that must not be read in this object. The template must declare the parameter with
    /// `NoEcho: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueFrom {
    /// A key of a Secret in the project's namespace. The Secret must bear the label
    /// `mlops-operator.io/allowed-use=parameters`.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret, in the project's namespace.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The key of the Secret's data that holds the value: one line of 4 to 4096 characters.
    #[schemars(schema_with = "schema::data_key")]
    pub key: String,
}

/// How the Jenkins jobs run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobSettings {
    /// Folder of the jobs, such as `fares`; made if it does not exist. Absent: the platform's own. On an `MlopsPlatform` it
    /// lies in the folder of the project's namespace; absent: one of the project's name. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::jenkins_folder")]
    pub folder: Option<String>,
    /// How often Jenkins looks for new commits: a Jenkins cron line, such as `H/5 * * * *`. Absent: the platform's
    /// default, else every minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::poll_schedule")]
    pub poll_schedule: Option<String>,
    /// Id of the Jenkins credential with AWS keys that the builds use. Absent: the platform's, else the agents' own
    /// role. On a platform no other than the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::credentials_id")]
    pub aws_credentials_id: Option<String>,
    /// Id of the Jenkins credential that reads the repositories. Absent: the platform's, else they need none. On a platform
    /// no other than the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::credentials_id")]
    pub git_credentials_id: Option<String>,
    /// Further string parameters of all jobs, name and default, at most 20. Names that the operator sets itself are
    /// refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::extra_parameters")]
    pub extra_parameters: BTreeMap<String, String>,
}

/// Which jobs start by themselves, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelTriggerSpec {
    /// Whether a change of a model's approval starts any job. False: nothing does, and a trigger made before is removed.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Approval statuses of a model package of the project's group that start the jobs, each time that one is given.
    /// `Approved`: the model may go to production. `Rejected`: it may not. `PendingManualApproval`: it waits for a
    /// decision, as every model does when it is registered.
    #[serde(default = "approved")]
    #[schemars(schema_with = "schema::approval_statuses")]
    pub approval_statuses: Vec<String>,
    /// The Jenkins jobs that are started. `Deploy`: the job of `repositories.deploy`. `Endpoint`: the job of
    /// `repositories.endpoint`, which there must be.
    #[serde(default = "deploy_job")]
    #[schemars(schema_with = "schema::trigger_jobs")]
    pub jobs: Vec<TriggeredJob>,
}

impl Default for ModelTriggerSpec {
    fn default() -> Self {
        Self { enabled: enabled(), approval_statuses: approved(), jobs: deploy_job() }
    }
}

impl MlopsProjectSpec {
    /// The model trigger, if one is wanted.
    pub fn wanted_trigger(&self) -> Option<&ModelTriggerSpec> {
        Some(&self.model_trigger).filter(|trigger| trigger.enabled)
    }
}

/// An object whose absence, null and emptiness mean the same. Server-side apply makes an object null whose fields nobody
/// owns any more, and an API server fills in no default in an object that was stored before there was one.
fn absent_or_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(input: D) -> Result<T, D::Error> {
    Option::deserialize(input).map(Option::unwrap_or_default)
}

fn enabled() -> bool {
    true
}

/// A job that an approved model starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TriggeredJob {
    /// That of `repositories.deploy`.
    Deploy,
    /// That of `repositories.endpoint`.
    Endpoint,
}

fn deploy_job() -> Vec<TriggeredJob> {
    vec![TriggeredJob::Deploy]
}

fn approved() -> Vec<String> {
    vec!["Approved".into()]
}

/// What happens to the resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// They are removed, in reverse order.
    #[default]
    Delete,
    /// They stay as they are.
    Retain,
}

/// What happens to what users put into the resources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DataPolicy {
    /// It stays.
    #[default]
    Keep,
    /// It is deleted.
    Delete,
}

/// What happens to what users put into a project; a default of the schema would hide that of the platform.
pub(crate) fn data_policy(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["Keep", "Delete"]})
}

/// Where seed code comes from; a default of the schema would hide that of the platform.
pub(crate) fn seed_code_source(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["BuiltIn", "None", "Archive"]})
}
