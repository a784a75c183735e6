//! A pipeline job as far as the operator cares: the typed subset that is compared, fingerprinted, written and patched.
//! What else a job has is the users' own.

use std::collections::BTreeMap;

use super::document::representable;
use crate::domain::identity::digest;
use crate::domain::project::{Project, Repository, RepositoryRole};
use crate::resources::sagemaker_project::ProjectRef;

/// Endpoints answer at once unless somebody asks for `async`.
const ENDPOINT_TYPE: &str = "realtime";
/// Builds that Jenkins keeps of each job.
const BUILDS_KEPT: &str = "30";

/// Each repository has one job.
impl RepositoryRole {
    /// The end of the job's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Preprocess => "preprocess",
            Self::Build => "modelbuild",
            Self::Deploy => "modeldeploy",
            Self::Endpoint => "modeldeploy-endpoint",
        }
    }

    /// The job's name. Those of the deploy jobs are a contract with the model trigger:
    /// `sagemaker-<model package group>-modeldeploy`, and the same with `-endpoint`.
    pub fn job_name(self, project_name: &str, project_id: &str) -> String {
        format!("sagemaker-{project_name}-{project_id}-{}", self.suffix())
    }

    /// Whether an approved model starts it: then two builds at once would deploy over each other.
    fn deploys(self) -> bool {
        matches!(self, Self::Deploy | Self::Endpoint)
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Preprocess => "data preprocessing",
            Self::Build => "model build",
            Self::Deploy => "model deploy",
            Self::Endpoint => "model endpoint deploy",
        }
    }
}

/// What a parameter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    Text,
    /// The id of AWS credentials.
    AwsCredentials,
    /// Something that the operator does not write: the class name.
    Other(String),
}

/// A parameter's kind and default value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub kind: ParameterKind,
    pub default: String,
}

/// The typed subset of a pipeline job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineJob {
    /// The description without the marker line.
    pub description: String,
    /// Whether it takes no builds.
    pub disabled: bool,
    /// Whether several builds may run at once.
    pub concurrent: bool,
    /// How many builds are kept; empty: all.
    pub builds_kept: String,
    pub parameters: BTreeMap<String, Parameter>,
    /// When Git is polled, as cron; empty: never.
    pub poll_schedule: String,
    /// Clone URLs; the operator writes one.
    pub repositories: Vec<String>,
    /// Branch patterns; the operator writes one.
    pub branches: Vec<String>,
    /// Id of the Git credentials; empty: none.
    pub credentials_id: String,
    pub script_path: String,
    /// Whether only the Jenkinsfile is fetched before the build.
    pub lightweight: bool,
    /// Whether a token of the job's own starts builds; the operator never wants that.
    pub remote_token: bool,
}

impl PipelineJob {
    /// The job of one of a project's repositories.
    pub fn of(role: RepositoryRole, repository: &Repository, project: &Project, project_ref: &ProjectRef) -> Self {
        let Repository { url, branch, .. } = repository;
        Self {
            description: representable(&description(role, project, project_ref)),
            disabled: false,
            concurrent: !role.deploys(),
            builds_kept: BUILDS_KEPT.into(),
            parameters: parameters(role, project, project_ref),
            poll_schedule: representable(project.jenkins.poll_schedule.trim()),
            repositories: vec![representable(url.trim())],
            // In full: Git polling takes `*/main` for `feature/main` too (BranchSpec), and where that is another commit it
            // builds at each poll.
            branches: vec![representable(&format!("refs/heads/{}", branch.trim()))],
            credentials_id: representable(project.jenkins.git_credentials_id.trim()),
            script_path: "jenkins/Jenkinsfile".into(),
            lightweight: true,
            remote_token: false,
        }
    }

    /// 32 hex digits that change when any part of the subset does.
    pub fn fingerprint(&self) -> String {
        let mut parts = vec![
            self.description.clone(),
            format!("{}/{}/{}/{}", self.disabled, self.concurrent, self.lightweight, self.remote_token),
            self.builds_kept.clone(),
            self.poll_schedule.clone(),
            self.credentials_id.clone(),
            self.script_path.clone(),
            self.repositories.len().to_string(),
        ];
        parts.extend(self.repositories.iter().chain(&self.branches).cloned());
        for (name, parameter) in &self.parameters {
            let kind = match &parameter.kind {
                ParameterKind::Text => "text",
                ParameterKind::AwsCredentials => "aws-credentials",
                ParameterKind::Other(class) => class,
            };
            parts.extend([name.clone(), kind.to_owned(), parameter.default.clone()]);
        }
        digest(&parts.iter().map(String::as_str).collect::<Vec<_>>())[..32].to_owned()
    }
}

fn description(role: RepositoryRole, project: &Project, project_ref: &ProjectRef) -> String {
    let line = format!("SageMaker project {}: {} pipeline", project_ref.project_name, role.purpose());
    // One line end for all: browsers and Jenkins' own forms turn them into each other.
    let user = project.description.replace("\r\n", "\n").replace('\r', "\n");
    if user.is_empty() { line } else { format!("{line}\n{user}") }
}

fn parameters(role: RepositoryRole, project: &Project, project_ref: &ProjectRef) -> BTreeMap<String, Parameter> {
    let text = |value: &str| Parameter { kind: ParameterKind::Text, default: representable(value) };
    let credentials = project.jenkins.aws_credentials_id.trim();
    let extra = project.jenkins.extra_parameters.iter();
    let mut all: BTreeMap<String, Parameter> = extra.map(|(name, value)| (representable(name), text(value))).collect();
    all.extend([
        ("ARTIFACT_BUCKET".to_owned(), text(&project_ref.bucket)),
        ("SAGEMAKER_PROJECT_NAME".to_owned(), text(&project_ref.project_name)),
        ("SAGEMAKER_PROJECT_ID".to_owned(), text(&project_ref.project_id)),
        ("SAGEMAKER_PROJECT_ARN".to_owned(), text(&project_ref.project_arn)),
        ("AWS_REGION".to_owned(), text(&project.identity.placement.region)),
        ("SAGEMAKER_PIPELINE_ROLE_ARN".to_owned(), text(&project.platform.roles.usage)),
        // Without an id it stays a parameter, empty: the Jenkinsfiles name it, and the agents' own role is used.
        (
            "AWS_CREDENTIAL".to_owned(),
            if credentials.is_empty() {
                text("")
            } else {
                Parameter { kind: ParameterKind::AwsCredentials, default: representable(credentials) }
            },
        ),
    ]);
    if role.deploys() {
        all.extend([("MODEL_PACKAGE_ARN".to_owned(), text("")), ("EVENT_ID".to_owned(), text(""))]);
    }
    if role == RepositoryRole::Endpoint {
        all.extend([
            ("SOURCE_MODEL_PACKAGE_GROUP_NAME".to_owned(), text(&project_ref.model_package_group)),
            ("MODEL_EXECUTION_ROLE_ARN".to_owned(), text(&project.platform.roles.usage)),
            ("ENDPOINT_TYPE".to_owned(), text(ENDPOINT_TYPE)),
        ]);
    }
    all
}
