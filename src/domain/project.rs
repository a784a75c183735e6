//! A project as the resources see it: every default filled in, every value valid, every secret resolved.
//! [`Project`] is made from the spec by the controller; bad specs stop here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::domain::identity::Identity;
use crate::domain::secret::SealedSecret;

/// One ML project, ready to be built.
#[derive(Clone)]
pub struct Project {
    /// Whose things, and where. `placement.project_name`, `.bucket`, `.jenkins_url`, `.jenkins_folder` etc. stand there.
    pub identity: Identity,
    /// `spec.description`; empty if absent.
    pub description: String,
    /// The user's tags: the platform's, overridden by the project's. Ownership tags are not among them.
    pub tags: BTreeMap<String, String>,
    /// Roles in the account.
    pub roles: Roles,
    /// KMS key of our own artifact bucket, if any; else SSE-S3.
    pub kms_key_id: Option<String>,
    /// What the catalog product looks like.
    pub catalog: Catalog,
    /// The three repositories.
    pub repositories: Repositories,
    /// Further template parameters by name.
    pub parameters: BTreeMap<String, ParameterValue>,
    /// What the Jenkins jobs look like.
    pub jenkins: JenkinsSettings,
    /// The Jenkins user and API token, as read from the Secret.
    pub jenkins_credentials: JenkinsCredentials,
    /// Absent: no trigger is wanted.
    pub model_trigger: Option<ModelTrigger>,
    /// Whether what users put into the project goes with it.
    pub delete_data: bool,
}

/// ARNs of the roles that the things use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The launch constraint's role: Service Catalog launches the product with it.
    pub launch: String,
    /// What pipelines and builds run as.
    pub usage: String,
    /// What CloudFormation uses for the trigger stack; absent: the operator's own permissions.
    pub stack: Option<String>,
}

/// Portfolio, product and principals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// Display name, 1-100 characters.
    pub portfolio_name: String,
    /// 1-50 characters.
    pub portfolio_provider: String,
    /// At most 2000 characters; may be empty.
    pub portfolio_description: String,
    /// Product name.
    pub product_name: String,
    /// Product owner.
    pub product_owner: String,
    /// May be empty, as may the three that follow.
    pub product_description: String,
    /// How users get help.
    pub support_description: String,
    /// Where they write to.
    pub support_email: String,
    /// Where they look.
    pub support_url: String,
    /// What projects are launched from.
    pub template: Template,
    /// Principals besides the operator's own role.
    pub principals: Vec<Principal>,
}

/// The project template.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    /// A word for its key in the bucket: that of a built-in one, or `own`.
    pub word: String,
    /// What it is called where people are told of it: `"jenkins-git-v1"`, or the ConfigMap.
    pub title: String,
    /// The text itself: a template that CloudFormation takes.
    pub text: Arc<str>,
}

/// The text is long, and of no use in a message.
impl fmt::Debug for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Template({}, {} bytes)", self.title, self.text.len())
    }
}

/// Who may launch the product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// ARN, or ARN pattern.
    pub arn: String,
    /// `IAM` or `IAM_PATTERN`.
    pub kind: String,
}

/// The project's Git repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Repositories {
    pub preprocess: Repository,
    pub build: Repository,
    pub deploy: Repository,
}

/// One Git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// HTTPS clone URL.
    pub url: String,
    /// Branch.
    pub branch: String,
    /// `owner/name`.
    pub full_name: String,
    /// ARN of the connection that reaches it.
    pub connection_arn: String,
}

/// A template parameter's value.
#[derive(Clone)]
pub enum ParameterValue {
    /// As it stands in the spec.
    Plain(String),
    /// From a Secret.
    Sealed(SealedSecret),
}

/// How the jobs run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JenkinsSettings {
    /// Cron line of the Git polling.
    pub poll_schedule: String,
    /// Id of the Jenkins credential with AWS keys: the default of parameter AWS_CREDENTIAL; empty: the agents' own role.
    pub aws_credentials_id: String,
    /// Id of the Jenkins credential for Git; empty: none needed.
    pub git_credentials_id: String,
    /// Further string parameters of all jobs: name and default value.
    pub extra_parameters: BTreeMap<String, String>,
}

/// The Jenkins user and API token.
#[derive(Clone)]
pub struct JenkinsCredentials {
    /// User name.
    pub username: String,
    /// API token; its fingerprint covers the user name too.
    pub token: SealedSecret,
}

/// The chain from an approved model to the deploy job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTrigger {
    /// `Approved`, `Rejected`, `PendingManualApproval`; not empty, sorted.
    pub approval_statuses: Vec<String>,
    /// Role of the Lambda; absent: the stack makes one.
    pub runtime_role_arn: Option<String>,
    /// Jenkins as the Lambda reaches it, without a trailing slash.
    pub jenkins_url: String,
    /// Subnets and security groups of the Lambda; empty: no VPC.
    pub subnet_ids: Vec<String>,
    /// Security groups.
    pub security_group_ids: Vec<String>,
    /// PEM certificates that the Lambda trusts besides the public ones; empty: none.
    pub ca_bundle: String,
}
