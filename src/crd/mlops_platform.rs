//! `MlopsPlatform`: what many projects stand on, as a platform team writes it. The settings that a project may hold itself
//! stand in `crd::platform`; here is what only a shared platform has: who may stand on it, and with what.

// Each printed column has a type and a path of its own.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::crd::platform::PlatformSettings;
use crate::crd::project::{DataPolicy, DeletionPolicy, SeedCodeSource};
use crate::crd::schema;
use crate::crd::status::{
    ArtifactStatus, CatalogStatus, Intent, Placement, TriggerStatus, conditions, intents, unobserved,
};

/// What the projects stand on, who may stand on it, and what they may do there. Where its resources are (account,
/// region, role, bucket, Jenkins URL and folder) cannot change.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "mlops-operator.io",
    version = "v1alpha1",
    kind = "MlopsPlatform",
    status = "MlopsPlatformStatus",
    doc = "What many MLOps projects stand on: an AWS account and region with an artifact bucket, a Service Catalog product and a model trigger, and a Jenkins. Whoever may write one decides which account, roles, Git hosts and templates its projects use, and which namespaces may have projects on it. Secrets and ConfigMaps that it names are in the operator's own namespace.",
    derive = "PartialEq",
    shortname = "mlpf",
    category = "mlops",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(
        name = "Suspended",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Suspended")].status"#
    ),
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.aws.accountId"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.aws.region"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.catalog.version"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Deletion", type_ = "string", json_path = ".status.deletionPolicy", priority = 1),
    printcolumn(name = "Jenkins", type_ = "string", json_path = ".spec.jenkins.url", priority = 1),
    printcolumn(name = "Product", type_ = "string", json_path = ".status.catalog.productUrl", priority = 1),
    printcolumn(name = "Logs", type_ = "string", json_path = ".status.trigger.logsUrl", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.git.connectionArn.split(':')[4] == self.aws.accountId").message("git.connectionArn must be a connection of the account in aws.accountId"))]
#[x_kube(validation = Rule::new("!has(self.tags) || size(self.tags) <= 15").message("tags may have at most 15 keys: Service Catalog takes 20, and five are the operator's"))]
pub struct MlopsPlatformSpec {
    #[serde(flatten)]
    #[allow(missing_docs)]
    pub settings: PlatformSettings,
    /// Which namespaces' projects may stand on it: those that `names` or `selector` names. Absent: none.
    #[serde(default)]
    pub namespaces: AllowedNamespaces,
    /// Where the projects' repositories are, the connection that reaches them, and which of them may be used.
    pub git: GitSettings,
    /// What projects get where they do not say, and what they may say.
    #[serde(default)]
    pub projects: ProjectLimits,
    /// True: the operator looks at nothing and changes nothing of the platform and of all its projects until it is
    /// false again. What exists goes on as it is, and deletion still works.
    #[serde(default)]
    pub suspend: bool,
    /// What happens to the resources in AWS when this object is deleted. `Delete`: they are removed, in reverse order.
    /// `Retain`: they stay as they are, and nobody looks after them. Absent: the operator's default, which
    /// `status.deletionPolicy` shows. It cannot be deleted while projects stand on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::deletion_policy")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// Namespaces whose projects may stand on a platform: those that either part names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllowedNamespaces {
    /// Names of namespaces, or patterns of them in which `*` stands for any characters. Absent: none by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "namespace_patterns")]
    pub names: Vec<String>,
    /// Namespaces by their labels, in Kubernetes' form of a selector. An empty one matches none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "selector")]
    pub selector: Option<LabelSelector>,
}

/// Where repositories are. A project names one by `name`; its URL is `<baseUrl>/<name>.git`, and its full name is the path
/// of that URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitSettings {
    /// What the clone URLs begin with, such as `https://github.com/our-organization`.
    #[schemars(schema_with = "base_url")]
    pub base_url: String,
    /// ARN of the connection (CodeConnections) that reaches them, in the platform's own account. Its handshake must be
    /// complete.
    #[schemars(schema_with = "schema::connection_arn")]
    pub connection_arn: String,
    /// Full names that projects may use, such as `our-organization/{namespace}_*`; `*` stands for any characters, a slash
    /// included, and `{namespace}` for the project's namespace. What a pattern covers for several namespaces, as
    /// `our-organization/{namespace}-*` does where one namespace's name begins with another's, belongs to the one with the
    /// longest name; a project keeps what it had before that namespace was made. A slash, a dot or an underscore after
    /// `{namespace}` leaves no doubt.
    #[schemars(schema_with = "repository_patterns")]
    pub repositories: Vec<String>,
}

/// What projects get by default, and how far they may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectLimits {
    /// Names that their SageMaker projects may have, such as `{namespace}-*`: a name is taken once in an account and
    /// region, for all namespaces. `*` stands for any characters, `{namespace}` for the project's namespace. What a
    /// pattern covers for several namespaces belongs to the one with the longest name; a project keeps the name that it
    /// had before that namespace was made. Absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "name_patterns")]
    pub names: Vec<String>,
    /// Branch of a repository that names none. Absent: `main`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::branch")]
    pub branch: Option<String>,
    /// How often Jenkins looks for new commits where a project does not say: a Jenkins cron line. Absent: every minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::poll_schedule")]
    pub poll_schedule: Option<String>,
    /// What repositories hold at first where a project does not say. `BuiltIn`: the code that the operator bundles,
    /// which predicts taxi fares. `None`: nothing, and no project gets the operator's code. Absent: `BuiltIn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "seed_code")]
    pub seed_code: Option<SeedCodeSource>,
    /// Archives of their own seed code that projects may name, as URLs; `*` stands for any characters. They are read with
    /// the check-in role. Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "archive_patterns")]
    pub seed_code_archives: Vec<String>,
    /// What happens to what users put into a project when it is deleted and does not say. `Keep`: its bucket and model
    /// package group stay with all they hold. `Delete`: both are emptied and removed, for good. Absent: `Keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::project::data_policy")]
    pub data_policy: Option<DataPolicy>,
    /// Ids of the Jenkins credentials that the jobs of all projects use; a project can name no others.
    #[serde(default)]
    pub jenkins: ProjectCredentials,
    /// Names of the template's parameters that projects may set in `spec.parameters`. Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "parameter_names")]
    pub parameters: Vec<String>,
    /// How many projects of one namespace may stand on it, the oldest first. Absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "most_projects")]
    pub max_per_namespace: Option<u32>,
}

/// The Jenkins credentials that the jobs of all projects use: a project can name no others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectCredentials {
    /// Id of the Jenkins credential with AWS keys that the builds use. Absent: the agents' own role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::credentials_id")]
    pub aws_credentials_id: Option<String>,
    /// Id of the Jenkins credential that reads the repositories. Absent: they need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::credentials_id")]
    pub git_credentials_id: Option<String>,
}

/// What the operator last saw and did. Nothing in it changes while nothing happens. Each field is as a project with a
/// platform of its own has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(transform = unobserved)]
pub struct MlopsPlatformStatus {
    /// The metadata.generation of the spec that the conditions speak of; -1 until the operator has seen the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` always; `Reconciling`, `Stalled` and `Suspended` only while True; then one per resource.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
    /// Where the resources live and how they are found. The operator needs it to delete them: do not edit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Creations under way of resources that AWS does not key by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "intents")]
    pub intents: Vec<Intent>,
    /// The operator's seal on placement and intents: with another one, or none, they count no more than a spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// What happens to the resources when the object is deleted: as the spec says, else the operator's default.
    /// `Delete`: they are removed. `Retain`: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::deletion_policy")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// The artifact bucket and the project template in it, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<ArtifactStatus>,
    /// The Service Catalog product that projects are launched from, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogStatus>,
    /// What starts jobs when a model's approval changes, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerStatus>,
}

fn list_of(most: u32, least: u32, item: serde_json::Value) -> Schema {
    json_schema!({"type": "array", "minItems": least, "maxItems": most, "x-kubernetes-list-type": "set", "items": item})
}

fn item(most: u32, pattern: &str, message: &str) -> serde_json::Value {
    serde_json::json!({
        "type": "string", "minLength": 1, "maxLength": most,
        "x-kubernetes-validations": [{"rule": format!("self.matches('{pattern}')"), "message": message}],
    })
}

fn namespace_patterns(_: &mut SchemaGenerator) -> Schema {
    list_of(
        64,
        0,
        item(
            63,
            "^[a-z0-9*-]+$",
            "a namespace's name takes lower-case letters, digits and hyphens; * stands for any characters",
        ),
    )
}

fn repository_patterns(_: &mut SchemaGenerator) -> Schema {
    list_of(64, 1, item(256, "^[^/]+(/[^/]+)+$", "must be a full name, such as our-organization/ml-*"))
}

fn name_patterns(_: &mut SchemaGenerator) -> Schema {
    list_of(
        64,
        0,
        item(
            128,
            "^[a-zA-Z0-9{}*-]+$",
            "a project's name takes letters, digits and hyphens; * and {namespace} stand for others",
        ),
    )
}

fn archive_patterns(_: &mut SchemaGenerator) -> Schema {
    list_of(
        32,
        0,
        item(
            1024,
            "^(https|s3)://[^/]+/.+$",
            "must be https://host/path or s3://bucket/key; * stands for any characters",
        ),
    )
}

fn parameter_names(_: &mut SchemaGenerator) -> Schema {
    list_of(60, 0, item(255, "^[A-Za-z0-9]+$", "a parameter's name takes letters and digits"))
}

fn base_url(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 9, "maxLength": 1024,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^https://[^/@?#]+(/[^/?#]+)*$')",
            "message": "baseUrl is https://host or https://host/path, without user, query or slash at its end",
        }],
    })
}

fn seed_code(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["BuiltIn", "None"]})
}

fn most_projects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 10000})
}

/// Kubernetes' own form of a selector, bounded.
fn selector(_: &mut SchemaGenerator) -> Schema {
    let value = serde_json::json!({"type": "string", "maxLength": 63});
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "type": "object", "maxProperties": 16, "additionalProperties": value,
                "description": "Labels that the namespace must have, with these values."
            },
            "matchExpressions": {
                "type": "array", "maxItems": 16, "x-kubernetes-list-type": "atomic",
                "description": "Further rules that the namespace's labels must meet.",
                "items": {
                    "type": "object", "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "type": "string", "minLength": 1, "maxLength": 317,
                            "description": "Key of the label that the rule is about."
                        },
                        "operator": {
                            "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                            "description": "How the label is compared. `In`: its value is one of values. `NotIn`: it is none of them, or there is no such label. `Exists`: there is such a label. `DoesNotExist`: there is none."
                        },
                        "values": {
                            "type": "array", "maxItems": 64, "x-kubernetes-list-type": "atomic", "items": value,
                            "description": "The values that `In` and `NotIn` compare with; empty for the others."
                        }
                    }
                }
            }
        }
    })
}
