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
    /// AWS partition of the region, the second part of every ARN: `aws`, `aws-cn`, `aws-eusc` or `aws-us-gov`.
    #[serde(default)]
    pub partition: String,
    /// The AWS account that the resources are in: 12 digits.
    #[schemars(with = "String")]
    pub account_id: AccountId,
    /// Code of the AWS region that the resources are in.
    #[schemars(with = "String")]
    pub region: Region,
    /// ARN of the role that the operator assumes to reach the account. Absent: it works with its own credentials.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<RoleArn>,
    /// The external id with which the operator assumes that role; the role's trust policy may ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What the SageMaker project is called in AWS; empty in the status of an `MlopsPlatform`.
    #[serde(default)]
    pub project_name: String,
    /// Full names of the repositories that a project on a platform has: those it keeps where a namespace that is made later
    /// has a better claim to such names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Name of the S3 bucket that holds the project template, the archives for seed code and the routes.
    #[serde(default)]
    pub bucket: String,
    /// Whether the bucket is the operator's own: made and deleted by it.
    #[serde(default)]
    pub bucket_owned: bool,
    /// Address of the Jenkins that the jobs are on, without a slash at its end.
    #[serde(default)]
    pub jenkins_url: String,
    /// Folder path of the jobs, outermost first; empty: the root.
    #[serde(default)]
    pub jenkins_folder: Vec<String>,
    /// How many of the folder's outer parts belong to the platform.
    #[serde(default)]
    pub jenkins_shared_folders: i32,
    /// Whether the operator may talk to Jenkins over `http://`, where the token travels in the clear.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// Name of the Secret with the Jenkins user and API token: in the object's own namespace, or the operator's where
    /// `platform` is set.
    #[serde(default)]
    pub secret_name: String,
    /// Key of that Secret's data that holds the Jenkins user's name.
    #[serde(default)]
    pub username_key: String,
    /// Key of that Secret's data that holds the Jenkins user's API token.
    #[serde(default)]
    pub token_key: String,
    /// Where the certificates stand that Jenkins' own is checked against. Absent: the public ones count.
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
            repositories: Vec::new(),
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
    /// What kind of object holds the certificates. `Secret`: a Secret of that name. `ConfigMap`: a ConfigMap of that name.
    pub kind: CaBundleKind,
    /// Name of the Secret or ConfigMap, in the namespace of the Secret with the Jenkins credentials.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key of its data that holds the certificates.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// What kind of object holds a CA bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CaBundleKind {
    /// A key of a Secret.
    Secret,
    /// A key of a ConfigMap.
    ConfigMap,
}
