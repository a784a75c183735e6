//! What the status says: condition types, reasons, placement and intents. Every string that a user can meet in
//! a condition is a variant here, and its documentation is the troubleshooting page; no string constants elsewhere.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use super::intent::Intent;
pub(crate) use super::intent::intents;
pub use super::jobs_status::{JobStatus, JobsStatus};
pub use super::placement::{CaBundleKind, CaBundleReference, Placement};
use super::project::DeletionPolicy;
pub(crate) use super::status_schema::{conditions, unobserved};
pub use super::trigger_status::TriggerStatus;

/// The types of conditions on an `MlopsProject` (kstatus: `Ready` always, `Reconciling`, `Stalled` and `Suspended` only while True).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// Everything that the spec declares was seen to exist as declared.
    Ready,
    /// The operator or a remote side is still working on it.
    Reconciling,
    /// A person must change something before it can go on.
    Stalled,
    /// Nobody looks at it: the other conditions say what was last known.
    Suspended,
    /// The platform that the project stands on is Ready.
    PlatformReady,
    /// Account, roles, connections and Secret are as needed.
    PrerequisitesMet,
    /// Jenkins answers, knows the operator's user, and has the plugins and the place that the jobs need.
    JenkinsReady,
    /// The artifact bucket holds what the project needs.
    ArtifactsReady,
    /// Portfolio, product, version and what ties them exist.
    CatalogReady,
    /// The SageMaker project exists as declared.
    ProjectReady,
    /// The Jenkins jobs exist as declared.
    JobsReady,
    /// The model trigger's stack exists as declared.
    TriggerReady,
    /// What an approved model of the project's group starts is written down as declared.
    RouteReady,
}

impl ConditionType {
    /// As it stands in `status.conditions[].type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Suspended => "Suspended",
            Self::PlatformReady => "PlatformReady",
            Self::PrerequisitesMet => "PrerequisitesMet",
            Self::JenkinsReady => "JenkinsReady",
            Self::ArtifactsReady => "ArtifactsReady",
            Self::CatalogReady => "CatalogReady",
            Self::ProjectReady => "ProjectReady",
            Self::JobsReady => "JobsReady",
            Self::TriggerReady => "TriggerReady",
            Self::RouteReady => "RouteReady",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)*) => {
        /// Why a condition is as it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)* }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands in `status.conditions[].reason`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_start(),)* }
            }
        }
    };
}

reasons! {
    /// It exists as declared.
    InSync,
    /// Everything exists as declared.
    Succeeded,
    /// The remote side is working; nothing to do but wait.
    Progressing,
    /// It waits for another resource that is not ready yet; the message names it.
    Blocked,
    /// The spec does not ask for it.
    Disabled,
    /// It does not exist yet.
    Missing,
    /// It differs from the spec; the message names the field.
    Drifted,
    /// The spec asks for something else than before.
    SpecChanged,
    /// A Secret that it depends on has changed.
    SecretChanged,
    /// `spec.suspend` is true: nothing is looked at or changed.
    Suspended,
    /// It is being deleted.
    Deleting,
    /// It is deleted.
    Deleted,
    /// `deletionPolicy: Retain`, of the spec or the operator's default: the object goes, the resources stay.
    Retained,
    /// The object was let go by the annotation `mlops-operator.io/release`: what was left is named in the event.
    Released,
    /// A Jenkins folder that was made for the project stays, since it may hold items that the operator's user cannot see.
    FolderKept,
    /// The CRD is being deleted, and every object with it: nothing is removed until somebody confirms it for the object.
    CrdDeleting,
    /// The operator may not see whether the CRD is being deleted, so nothing is removed until somebody confirms it.
    CrdUnknown,
    /// The spec does not parse, or contradicts itself; the message names the field.
    InvalidSpec,
    /// Neither the platform nor the operator's configuration grants this namespace what the message names.
    PlatformNotAllowed,
    /// The platform that the project names does not exist.
    PlatformMissing,
    /// The platform that the project stands on is not Ready; the message is the platform's own.
    PlatformNotReady,
    /// As many projects of the namespace as the platform allows stand on it already.
    TooManyProjects,
    /// The platform is being deleted, and projects stand on it; the message names them.
    InUse,
    /// What is needed to find the resources is neither in the status nor in the spec, so nothing can be deleted safely.
    PlacementUnknown,
    /// A resource of that name exists and is not ours.
    ForeignOwner,
    /// A resource names this object as its owner and carries another installation's seal: of a copy of this cluster, or
    /// of this one before its key was replaced.
    ClusterClaimed,
    /// A SageMaker project or bucket carries this object's mark, and nothing else says that it is its own.
    OwnershipUnproven,
    /// The bucket's name is taken by another AWS account.
    BucketNameTaken,
    /// The credentials belong to another account than `aws.accountId`.
    WrongAccount,
    /// AWS does not know the region, or it is not enabled for the account.
    UnknownRegion,
    /// AWS refuses the operator's credentials: absent, wrong or expired.
    CredentialsInvalid,
    /// AWS or Jenkins knows the operator but does not allow the call; the message names it.
    AccessDenied,
    /// The remote side says that the request is wrong; the message is its own.
    Rejected,
    /// The remote side asks to be called less often.
    Throttled,
    /// The remote side does not answer, or answers that it is not available.
    Unavailable,
    /// Another operation on the resource is still running.
    Conflict,
    /// An answer that the operator does not understand.
    Unexpected,
    /// A quota of the account is used up; the message names it.
    QuotaExceeded,
    /// What was just made is not yet known everywhere in AWS (roles, launch paths, associations).
    Propagating,
    /// Absence must be seen twice before it counts, since lists lag.
    ConfirmingAbsence,
    /// Something keeps reverting what the operator writes; the message names the field.
    ChangesReverted,
    /// The Jenkins user may not see the list of plugins, and no job shows those that the message names.
    PluginsUnchecked,
    /// No build of a Jenkins job has come to a checkout, so that polling has nothing to compare with.
    NoCheckout,
    /// The Secret, or a key in it, does not exist; the message names it.
    SecretMissing,
    /// The Secret may not be used as the spec asks: it lacks the label that allows it, or its value could be read.
    SecretRefused,
    /// A value in a Secret or ConfigMap is longer than what it is for takes; the message names it.
    ValueTooLong,
    /// The CA bundle cannot be read or holds no certificate.
    CaBundleInvalid,
    /// The project template in the ConfigMap has errors; the message names the first, with its line.
    InvalidTemplate,
    /// The launch, use, stack or runtime role does not exist.
    RoleMissing,
    /// The role's trust policy does not let the service assume it.
    RoleNotTrusted,
    /// The Git connection does not exist.
    ConnectionMissing,
    /// The Git connection waits for a person to finish its handshake in the AWS console.
    ConnectionPending,
    /// The Git connection is in an error state.
    ConnectionFailed,
    /// Service Catalog could not create the product, its version or its launch constraint; it is made again.
    CatalogFailed,
    /// No launch path lets the operator's role launch the product.
    NoLaunchPath,
    /// The bucket named in the spec does not exist.
    BucketMissing,
    /// A parameter that the project template does not declare.
    UnknownParameter,
    /// A parameter that the project template requires has no value.
    ParameterMissing,
    /// SageMaker could not create the project; the message is the first cause.
    ProjectFailed,
    /// The project's update failed; it is as before.
    ProjectUpdateFailed,
    /// SageMaker could not delete the project; the message names what is in the way.
    ProjectDeleteFailed,
    /// A field that SageMaker cannot change was changed.
    ImmutableRemote,
    /// The stack could not be created; it is made again, ever more slowly.
    StackFailed,
    /// The stack's update failed and was rolled back: it is as before, not as declared.
    StackRolledBack,
    /// The stack's rollback failed and is being continued.
    StackRollbackFailed,
    /// The stack could not be deleted; the message names what is in the way.
    StackDeleteFailed,
    /// Jenkins refuses the user or token.
    JenkinsCredentialsInvalid,
    /// Jenkins prepares for a shutdown: configuration works, builds do not start.
    JenkinsQuietDown,
    /// The model trigger's function holds the API token of the operator's own Jenkins user; a user of its own needs less.
    SharedCredentials,
    /// Events whose jobs could not be started for days wait in the model trigger's dead-letter queue; the message has the
    /// command that starts them after all.
    MessagesDead,
    /// Events have waited in the model trigger's queue for more than half an hour; the message has the command that
    /// tells why.
    MessagesWaiting,
    /// The operator may not read the attributes of the model trigger's queues, so it does not say whether events wait
    /// there.
    QueuesUnchecked,
    /// Jenkins lacks a plugin that the jobs need; the message names it.
    PluginMissing,
    /// Jenkins is older than what the operator works with.
    JenkinsTooOld,
    /// The URL given answers, but not as Jenkins does.
    NotJenkins,
    /// Jenkins holds an item of that name that the user may not see.
    JenkinsItemNotVisible,
}

impl Reason {
    /// Remarks of which somebody must be told although all is as declared: what users wait for does not happen.
    pub const WARNINGS: [Self; 2] = [Self::MessagesDead, Self::MessagesWaiting];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the operator last saw and did. Nothing in it changes while nothing happens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(transform = unobserved)]
pub struct MlopsProjectStatus {
    /// The metadata.generation of the spec that the conditions speak of; -1 until the operator has seen the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` always; `Reconciling`, `Stalled` and `Suspended` only while True; then one per resource.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
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
    #[schemars(schema_with = "super::schema::deletion_policy")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// The artifact bucket and the project template in it, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<ArtifactStatus>,
    /// The Service Catalog product that the project is launched from, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogStatus>,
    /// What SageMaker calls the project, what it holds, and what became of its seed code, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectStatus>,
    /// Where the project's Jenkins jobs are, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobsStatus>,
    /// What starts jobs when a model's approval changes, as last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerStatus>,
}

/// The artifacts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ArtifactStatus {
    /// Name of the S3 bucket that holds the project template, the archives for seed code and the routes.
    pub bucket: String,
    /// Address in S3 of the project template that the product is made from.
    pub template_url: String,
    /// SHA-256 of the project template's text, in hex: two objects with one value use the same template.
    pub template_sha256: String,
}

/// The catalog product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CatalogStatus {
    /// Service Catalog's id of the portfolio that holds the product: `port-...`.
    pub portfolio_id: String,
    /// Service Catalog's id of the product: `prod-...`.
    pub product_id: String,
    /// Service Catalog's id of the product's version that the project is made from: `pa-...`.
    pub artifact_id: String,
    /// Name of that version: `v-` and the first twelve digits of the template's SHA-256.
    pub version: String,
    /// The product in AWS's console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_url: Option<String>,
}

/// The SageMaker project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ProjectStatus {
    /// SageMaker's id of the project, such as `p-idy6c3e1fiqj`; names of what it made hold it.
    pub id: String,
    /// ARN of the SageMaker project, as policies and the AWS CLI name it.
    pub arn: String,
    /// What Service Catalog provisioned for it, such as `pp-3w6lq2d5kz7fu`; absent where the operator may not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned_product_id: Option<String>,
    /// Name of the S3 bucket that the project's pipelines work in.
    pub bucket: String,
    /// Name of the model package group that pipelines register models in; an approval there starts jobs.
    pub model_package_group: String,
    /// Where SageMaker Studio is opened: the project and its model package group are shown there, and have no address that
    /// does not depend on who opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub studio_url: Option<String>,
    /// What the project's stack does and has done, in AWS's console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_events_url: Option<String>,
    /// When AWS last began or finished changing the project; what `repositories` says is as of then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// What became of the seed code of each repository that was to get some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "repositories")]
    pub repositories: Vec<RepositoryStatus>,
}

/// A repository that was to get seed code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryStatus {
    /// Which of `spec.repositories` it is: `preprocess`, `build`, `deploy` or `endpoint`.
    pub name: String,
    /// What the check-in did: seeded the branch, or left it alone and why.
    pub seed_code: String,
}

fn repositories(generator: &mut SchemaGenerator) -> Schema {
    let repository = RepositoryStatus::json_schema(generator);
    json_schema!({
        "type": "array", "maxItems": 4, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": repository
    })
}
