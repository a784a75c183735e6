//! A platform as the resources see it: what projects stand on, every default filled in, every value valid, every secret
//! resolved. It stands apart from the project, since many may share one. [`Platform`] is made from the spec by the
//! controller; bad specs stop there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::crd::identifiers::{ConnectionArn, RoleArn};
use crate::domain::identity::Identity;
use crate::domain::project::RepositoryRole;
use crate::domain::secret::SealedSecret;
use crate::template_lint::{DeclaredParameter, declared_parameters};

/// What projects stand on, ready to be built.
#[derive(Clone)]
pub struct Platform {
    /// Whose resources, and where: those of the platform, or of the one project that it is part of.
    pub identity: Identity,
    /// The user's tags. Ownership tags are not among them.
    pub tags: BTreeMap<String, String>,
    /// Roles in the account.
    pub roles: Roles,
    /// KMS key of our own artifact bucket, if any; else SSE-S3.
    pub kms_key_id: Option<String>,
    /// What the catalog product looks like.
    pub catalog: Catalog,
    /// The Git connections that its projects use.
    pub connections: BTreeSet<ConnectionArn>,
    /// The seed code that its projects may ask for.
    pub seeds: Seeds,
    /// Whether jobs may name a Jenkins credential with AWS keys.
    pub aws_credentials: bool,
    /// The Jenkins user and API token, as read from the Secret.
    pub jenkins_credentials: JenkinsCredentials,
    /// How the model trigger's function runs; absent: no trigger is wanted.
    pub trigger: Option<TriggerFunction>,
}

/// By its place alone: it holds credentials and long texts.
impl fmt::Debug for Platform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Platform({:?})", self.identity.owner)
    }
}

/// Seed code that projects may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeds {
    /// Repositories that may get the bundled code.
    pub bundled: BTreeSet<RepositoryRole>,
    /// Whether any repository gets code, bundled or of the user's own: it is then checked in.
    pub any: bool,
}

/// ARNs of the roles that the resources use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The launch constraint's role: Service Catalog launches the product with it.
    pub launch: RoleArn,
    /// What pipelines run as.
    pub usage: RoleArn,
    /// What checks seed code in; absent: the use role.
    pub check_in: Option<RoleArn>,
    /// What CloudFormation uses for the trigger stack; absent: the operator's own permissions.
    pub stack: Option<RoleArn>,
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
    /// Display name of the product.
    pub product_name: String,
    /// Owner that Service Catalog shows.
    pub product_owner: String,
    /// May be empty, as may the three that follow.
    pub product_description: String,
    /// How users get help.
    pub support_description: String,
    /// Where they write to.
    pub support_email: String,
    /// Page where users get help.
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
    /// What the text declares, by the names of parameters: read once, since texts are long.
    pub declared: Arc<BTreeMap<String, DeclaredParameter>>,
}

impl Template {
    /// A template of this text.
    pub fn new(word: &str, title: String, text: Arc<str>) -> Self {
        let declared = Arc::new(declared_parameters(&text));
        Self { word: word.to_owned(), title, text, declared }
    }

    /// The same with another text.
    #[must_use]
    pub fn with_text(&self, text: &str) -> Self {
        Self::new(&self.word, self.title.clone(), text.into())
    }
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

/// The Jenkins user and API token.
#[derive(Clone)]
pub struct JenkinsCredentials {
    /// User name.
    pub username: String,
    /// API token; its fingerprint covers the user name too.
    pub token: SealedSecret,
}

/// How the model trigger's function runs, and reaches Jenkins.
#[derive(Clone, Default)]
pub struct TriggerFunction {
    /// Role of the Lambda; absent: the stack makes one.
    pub runtime_role_arn: Option<RoleArn>,
    /// ARN of the managed policy that bounds the role that the stack makes; absent: none does.
    pub permissions_boundary_arn: Option<String>,
    /// Jenkins as the Lambda reaches it, without a trailing slash.
    pub jenkins_url: String,
    /// What it starts jobs with; absent: the platform's own credentials.
    pub credentials: Option<JenkinsCredentials>,
    /// Subnets and security groups of the Lambda; empty: no VPC.
    pub subnet_ids: Vec<String>,
    /// Security groups of the Lambda; empty: no VPC.
    pub security_group_ids: Vec<String>,
    /// PEM certificates that the Lambda trusts besides the public ones; empty: none.
    pub ca_bundle: String,
    /// SNS topic that hears of failures; absent: none does.
    pub alarm_topic_arn: Option<String>,
    /// For how many days the Lambda's log is kept.
    pub log_retention_days: u16,
}
