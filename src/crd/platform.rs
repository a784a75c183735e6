//! What projects stand on: account, artifacts, catalog, Jenkins. One struct for `spec.platform` of a
//! project, so that a platform shared by many projects can have the very same settings.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::schema;
use crate::crd::status::CaBundleKind;

/// Where a project lives and what it is made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.modelTrigger.alarmTopicArn) || self.modelTrigger.alarmTopicArn.split(':')[3] == self.aws.region").message("modelTrigger.alarmTopicArn must be a topic in aws.region: an alarm reaches no other"))]
pub struct PlatformSettings {
    /// Which AWS account and region the resources are in, how the operator gets there, and which roles they use.
    pub aws: AwsSettings,
    /// Where the project template and other artifacts are kept. Absent: in a bucket that the operator makes.
    #[serde(default)]
    pub artifacts: ArtifactSettings,
    /// The Service Catalog portfolio and product that SageMaker projects are launched from: their texts, the project
    /// template, and who may launch them. Absent: named after the project or platform, with the operator's own
    /// template.
    #[serde(default)]
    pub catalog: CatalogSettings,
    /// How the model trigger's Lambda runs and reaches Jenkins. Absent: outside any VPC, with a role of its own, by
    /// `jenkins.url`.
    #[serde(default)]
    pub model_trigger: TriggerSettings,
    /// The Jenkins server that runs the jobs: its address, the operator's user there, and the folder above all jobs.
    pub jenkins: JenkinsServerSettings,
    /// AWS tags, key and value, of every resource that is made and takes tags. At most 15 keys together with the
    /// project's own. Keys that differ by case alone are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,
}

/// The AWS account and region, and the roles in it. All of it is immutable but the roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.region == oldSelf.region").message("aws.region is immutable: resources cannot move to another region"))]
#[x_kube(validation = Rule::new("self.accountId == oldSelf.accountId").message("aws.accountId is immutable: resources cannot move to another account"))]
#[x_kube(validation = Rule::new("has(self.assumeRole) == has(oldSelf.assumeRole) && (!has(self.assumeRole) || self.assumeRole == oldSelf.assumeRole)").message("aws.assumeRole is immutable: it is how the resources are found"))]
#[x_kube(validation = Rule::new("!has(self.roles.launch) || self.roles.launch.split(':')[4] == self.accountId").message("roles.launch must be a role of the account in aws.accountId"))]
#[x_kube(validation = Rule::new("!has(self.roles.use) || self.roles.use.split(':')[4] == self.accountId").message("roles.use must be a role of the account in aws.accountId"))]
#[x_kube(validation = Rule::new("!has(self.roles.checkIn) || self.roles.checkIn.split(':')[4] == self.accountId").message("roles.checkIn must be a role of the account in aws.accountId"))]
#[x_kube(validation = Rule::new("!has(self.roles.stack) || self.roles.stack.split(':')[4] == self.accountId").message("roles.stack must be a role of the account in aws.accountId"))]
pub struct AwsSettings {
    /// Code of the AWS region that the resources are in, such as `eu-central-1`. Immutable.
    #[schemars(schema_with = "schema::region")]
    pub region: String,
    /// Account id, 12 digits, quoted. Credentials of any other account are refused before anything is read or changed.
    /// Immutable.
    #[schemars(schema_with = "schema::account_id")]
    pub account_id: String,
    /// A role that the operator assumes to reach the account. Absent: its own credentials. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,
    /// IAM roles in the account that Service Catalog, pipelines, the check-in of seed code and CloudFormation run as.
    /// Absent: the two that SageMaker's console makes for projects.
    #[serde(default)]
    pub roles: RoleSettings,
}

/// A role to assume. The external id says who asks, so that its trust policy can tell tenants apart: `<cluster
/// id>/<namespace>`, of an `MlopsPlatform` `<cluster id>/platforms/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// ARN of the role, in any account. Its trust policy must allow the operator, with external id `<cluster
    /// id>/<namespace>`, of an `MlopsPlatform` `<cluster id>/platforms/<name>`.
    #[schemars(schema_with = "schema::role_arn")]
    pub role_arn: String,
}

/// Roles in the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleSettings {
    /// Launch role: Service Catalog launches the project template with it. Trusts `servicecatalog.amazonaws.com`.
    /// Absent: `service-role/AmazonSageMakerServiceCatalogProductsLaunchRole`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_arn")]
    pub launch: Option<String>,
    /// Use role: what pipelines, processing and training run as.
    /// Absent: `service-role/AmazonSageMakerServiceCatalogProductsUseRole`.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_arn")]
    pub usage: Option<String>,
    /// Check-in role: what checks seed code into the repositories runs as, so that pipelines need no right to use Git
    /// connections. Trusts `codebuild.amazonaws.com` and `lambda.amazonaws.com`. Absent: the use role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_arn")]
    pub check_in: Option<String>,
    /// Stack role: CloudFormation makes the model trigger with it. Trusts `cloudformation.amazonaws.com`.
    /// Absent: the operator's own permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_arn")]
    pub stack: Option<String>,
}

/// Where artifacts are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.bucket) == has(oldSelf.bucket) && (!has(self.bucket) || self.bucket == oldSelf.bucket)").message("artifacts.bucket is immutable: artifacts cannot move to another bucket"))]
#[x_kube(validation = Rule::new("!(has(self.bucket) && has(self.kmsKeyId))").message("artifacts.kmsKeyId goes with a bucket of the operator's own: an existing bucket keeps its encryption"))]
pub struct ArtifactSettings {
    /// An existing bucket; only the operator's own prefix in it is touched. Absent: the operator makes one. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bucket")]
    pub bucket: Option<String>,
    /// Id, alias or ARN of the KMS key that encrypts the bucket that the operator makes. Absent: keys that S3 manages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::kms_key_id")]
    pub kms_key_id: Option<String>,
}

/// Portfolio, product, template and principals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.principals) || self.principals.filter(p, p.type == 'IAM_PATTERN').size() <= 10").message("a portfolio takes at most 10 principals of type IAM_PATTERN"))]
pub struct CatalogSettings {
    /// Texts of the Service Catalog portfolio that holds the product.
    #[serde(default)]
    pub portfolio: PortfolioSettings,
    /// Texts of the Service Catalog product that SageMaker projects are launched from, as Studio's users see them.
    #[serde(default)]
    pub product: ProductSettings,
    /// The CloudFormation template that a SageMaker project is made from. Absent: the newest that the operator bundles,
    /// `jenkins-git-v1`.
    #[serde(default)]
    pub template: TemplateSettings,
    /// Roles, users and groups that may launch the product besides the operator, such as those of Studio's users.
    /// Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["arn".into()]))]
    pub principals: Vec<PrincipalSettings>,
}

/// A Service Catalog portfolio.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortfolioSettings {
    /// Display name of the portfolio, at most 100 characters. Absent: `MLOps <projectName>`, of a platform `MLOps <name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::portfolio_name")]
    pub name: Option<String>,
    /// Who offers the portfolio, as Service Catalog shows it, at most 50 characters. Absent: the namespace, of a
    /// platform its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::provider_name")]
    pub provider_name: Option<String>,
    /// What the portfolio is for, as Service Catalog shows it, at most 2000 characters on one line. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::catalog_text")]
    pub description: Option<String>,
}

/// A Service Catalog product.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductSettings {
    /// Name of the product, at most 100 characters, as Studio shows it under organization templates. Absent: `MLOps
    /// <projectName>`, of a platform `MLOps <name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::product_text")]
    pub name: Option<String>,
    /// Team or person who answers for the product, at most 100 characters. Absent: the namespace, of a platform its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::product_text")]
    pub owner: Option<String>,
    /// What the product makes, as users see it before they launch it, at most 2000 characters on one line. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::catalog_text")]
    pub description: Option<String>,
    /// How users of the product get help, in a sentence of at most 2000 characters. Absent: nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::catalog_text")]
    pub support_description: Option<String>,
    /// E-mail address that users of the product write to for help. Absent: none is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::support_email")]
    pub support_email: Option<String>,
    /// Web page, http or https, that users of the product find help on. Absent: none is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::support_url")]
    pub support_url: Option<String>,
}

/// The project template: one that the operator bundles, or one of your own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.builtIn) && has(self.configMapRef))").message("template takes builtIn or configMapRef, not both"))]
pub struct TemplateSettings {
    /// A template that the operator bundles; its name holds its version, and its content never changes. `jenkins-git-v1`: a
    /// project whose repositories are at a Git provider behind a connection and whose code Jenkins builds. Absent, without
    /// `configMapRef`: `jenkins-git-v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::built_in_template")]
    pub built_in: Option<BuiltInTemplate>,
    /// A template of your own, in a ConfigMap of the object's own namespace. `mlops-operator lint-template` judges it
    /// beforehand; one with errors is refused. A change of it makes a new version, to which the project is updated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigMapRef>,
}

/// A key of a ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapRef {
    /// Name of the ConfigMap, in the namespace of the project, of an `MlopsPlatform` in the operator's own.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The key of the ConfigMap's data that holds the template, such as `template.yaml`.
    #[schemars(schema_with = "schema::data_key")]
    pub key: String,
}

/// Templates that the operator bundles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BuiltInTemplate {
    /// A project whose repositories are at a Git provider behind a connection and whose code Jenkins builds.
    #[default]
    #[serde(rename = "jenkins-git-v1")]
    JenkinsGitV1,
}

impl BuiltInTemplate {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JenkinsGitV1 => "jenkins-git-v1",
        }
    }
}

/// Who may launch the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == 'IAM_PATTERN' ? self.arn.contains(':iam:::') : !self.arn.contains(':iam:::') && !self.arn.contains('*') && !self.arn.contains('?')").message("type IAM takes a full ARN with its account and no wildcards; type IAM_PATTERN takes an ARN with an empty account, such as arn:aws:iam:::role/team-*"))]
pub struct PrincipalSettings {
    /// ARN of a role, user or group; for `IAM_PATTERN` with an empty account and `*` or `?` in the name.
    #[schemars(schema_with = "schema::principal_arn")]
    pub arn: String,
    /// How `arn` is read. `IAM`: as the full ARN of one principal. `IAM_PATTERN`: as a pattern, and every principal of
    /// the account that matches it may launch the product; a portfolio takes ten of these.
    #[serde(rename = "type", default)]
    pub kind: PrincipalType,
}

/// How a principal is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrincipalType {
    /// By its full ARN.
    #[default]
    #[serde(rename = "IAM")]
    Iam,
    /// By a pattern of ARNs.
    #[serde(rename = "IAM_PATTERN")]
    IamPattern,
}

/// How the model trigger's Lambda runs and reaches Jenkins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerSettings {
    /// Role that the Lambda runs as. Trusts `lambda.amazonaws.com`. Absent: the stack makes one with least privilege.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::role_arn")]
    pub runtime_role_arn: Option<String>,
    /// Managed policy beyond which the role that the stack makes for the Lambda can do nothing, for a `roles.stack`
    /// that may make no other roles. Absent: none. Of no effect with `runtimeRoleArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::managed_policy_arn")]
    pub permissions_boundary_arn: Option<String>,
    /// Base URL under which the Lambda reaches Jenkins, where that differs from the operator's way. Absent: `jenkins.url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::jenkins_url")]
    pub jenkins_url: Option<String>,
    /// Secret with the user name and API token that the Lambda starts jobs with, in the namespace of the project, of a
    /// platform in the operator's own: a user with Overall/Read, Item/Read and Item/Build alone. Absent:
    /// `jenkins.credentialsSecretRef`, whose user may do more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<CredentialsSecretRef>,
    /// Subnets and security groups that the Lambda runs in, for a Jenkins that only a VPC reaches. Absent: outside any VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Vpc>,
    /// PEM certificates that the Lambda trusts besides the public ones, at most 4096 characters. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<CaBundleRef>,
    /// SNS topic in `aws.region` that hears of models whose deployment could not be started. Absent: no alarm is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::topic_arn")]
    pub alarm_topic_arn: Option<String>,
    /// For how many days the Lambda's log is kept; CloudWatch Logs knows these numbers of days only. Absent: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::retention_days")]
    pub log_retention_days: Option<u16>,
}

/// Subnets and security groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vpc {
    /// Ids of the subnets that the Lambda has an address in, such as `subnet-0a1b2c3d`: 1 to 16 of one VPC.
    #[schemars(schema_with = "schema::subnet_ids")]
    pub subnet_ids: Vec<String>,
    /// Ids of the security groups that decide what the Lambda may reach, such as `sg-0a1b2c3d`: 1 to 5 of the same VPC.
    #[schemars(schema_with = "schema::security_group_ids")]
    pub security_group_ids: Vec<String>,
}

/// The Jenkins that runs the jobs. Its URL and folder are immutable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.url == oldSelf.url").message("jenkins.url is immutable: jobs cannot move to another Jenkins"))]
#[x_kube(validation = Rule::new("has(self.folder) == has(oldSelf.folder) && (!has(self.folder) || self.folder == oldSelf.folder)").message("jenkins.folder is immutable: jobs cannot be moved without losing their history"))]
#[x_kube(validation = Rule::new("self.url.startsWith('https://') || self.allowPlainHttp").message("jenkins.url must start with https://; set jenkins.allowPlainHttp if the token may travel in the clear"))]
pub struct JenkinsServerSettings {
    /// Address of Jenkins as users and the operator open it, with its context path if it has one: https, or http with
    /// `allowPlainHttp`. Immutable.
    #[schemars(schema_with = "schema::jenkins_url")]
    pub url: String,
    /// Secret with the user name and API token, in the namespace of the project, of a platform in the operator's own.
    pub credentials_secret_ref: CredentialsSecretRef,
    /// Certificates that Jenkins' own is checked against, for a private CA. Absent: the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<CaBundleRef>,
    /// Folder above all jobs, such as `ml/team`; made if it does not exist. Absent: the root. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::jenkins_folder")]
    pub folder: Option<String>,
    /// Whether `url` may begin with `http://`. True: the API token then travels in the clear, so only for a Jenkins on
    /// a network that nobody else reads.
    #[serde(default)]
    pub allow_plain_http: bool,
    /// What happens to the Jenkins folders that the operator made when the project is deleted. `Keep`: they stay, empty
    /// or not. `Delete`: those in which its user sees nothing go; an item with permissions of its own may hide from
    /// that user, and goes with its folder.
    #[serde(default)]
    pub folder_policy: FolderPolicy,
}

/// What happens to Jenkins folders that the operator made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FolderPolicy {
    /// They stay.
    #[default]
    Keep,
    /// Those that look empty are deleted, with what others hide in them.
    Delete,
}

/// A Secret with a user name and an API token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsSecretRef {
    /// Name of the Secret, in the namespace of the project, of an `MlopsPlatform` in the operator's own.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// Key of the Secret's data that holds the Jenkins user's name.
    #[serde(default = "username_key")]
    #[schemars(schema_with = "schema::data_key")]
    pub username_key: String,
    /// Key of the Secret's data that holds that user's API token. A password does not do.
    #[serde(default = "token_key")]
    #[schemars(schema_with = "schema::data_key")]
    pub token_key: String,
}

fn username_key() -> String {
    "username".into()
}

fn token_key() -> String {
    "token".into()
}

/// A key of a Secret or ConfigMap that holds PEM certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaBundleRef {
    /// What kind of object holds the certificates. `Secret`: a Secret of that name. `ConfigMap`: a ConfigMap of that name.
    pub kind: CaBundleKind,
    /// Name of the Secret or ConfigMap, in the namespace of the project, of an `MlopsPlatform` in the operator's own.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The key of its data that holds the certificates, such as `ca.crt`.
    #[schemars(schema_with = "schema::data_key")]
    pub key: String,
}
