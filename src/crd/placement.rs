//! Where a project's resources are, as the status says it. It stands alone because it outlives the spec: deletion and
//! the check that nothing moves know no other place. It holds no secret and decides nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::identifiers::{AccountId, Region, RoleArn};

/// Where a project's resources live and how they are found: written before the first remote write, so that deletion
/// works without a spec that parses. It holds names only, never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The `MlopsPlatform` that the project stands on; absent: its platform is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// AWS partition: `aws`, `aws-cn`, `aws-eusc` or `aws-us-gov`.
    #[serde(default)]
    pub partition: String,
    /// AWS account, 12 digits.
    #[schemars(with = "String")]
    pub account_id: AccountId,
    /// AWS region.
    #[schemars(with = "String")]
    pub region: Region,
    /// Role that the operator assumes, if any.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<RoleArn>,
    /// External id that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Name of the SageMaker project.
    #[serde(default)]
    pub project_name: String,
    /// Artifact bucket.
    #[serde(default)]
    pub bucket: String,
    /// Whether the bucket is the operator's own: made and deleted by it.
    #[serde(default)]
    pub bucket_owned: bool,
    /// Base URL of Jenkins, without a trailing slash.
    #[serde(default)]
    pub jenkins_url: String,
    /// Folder path of the jobs, outermost first; empty: the root.
    #[serde(default)]
    pub jenkins_folder: Vec<String>,
    /// How many of the folder's outer parts belong to the platform.
    #[serde(default)]
    pub jenkins_shared_folders: i32,
    /// Whether plain HTTP to Jenkins is allowed.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// Secret with the Jenkins credentials: in the object's own namespace, or the operator's where `platform` is set.
    #[serde(default)]
    pub secret_name: String,
    /// Key of the user name in it.
    #[serde(default)]
    pub username_key: String,
    /// Key of the API token in it.
    #[serde(default)]
    pub token_key: String,
    /// Where the CA bundle stands, if one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundleReference>,
}

impl Placement {
    /// In that account and region, with nothing else known: no Jenkins, no bucket, no project.
    pub fn new(account_id: AccountId, region: Region) -> Self {
        Self {
            platform: None,
            partition: region.partition().to_owned(),
            account_id,
            region,
            role_arn: None,
            external_id: None,
            project_name: String::new(),
            bucket: String::new(),
            bucket_owned: false,
            jenkins_url: String::new(),
            jenkins_folder: Vec::new(),
            jenkins_shared_folders: 0,
            allow_plain_http: false,
            secret_name: String::new(),
            username_key: String::new(),
            token_key: String::new(),
            ca_bundle: None,
        }
    }
}

/// A key of a Secret or ConfigMap that holds PEM certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaBundleReference {
    /// `Secret` or `ConfigMap`.
    pub kind: CaBundleKind,
    /// Its name, in the namespace of the Secret with the Jenkins credentials.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// What kind of object holds a CA bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum CaBundleKind {
    Secret,
    ConfigMap,
}
