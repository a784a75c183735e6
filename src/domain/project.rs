//! A project as the resources see it: every default filled in, every value valid, every secret resolved.
//! [`Project`] is made from the spec by the controller; bad specs stop here.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::crd::identifiers::{ConnectionArn, Sha256};
use crate::domain::identity::Identity;
use crate::domain::platform::Platform;
use crate::domain::secret::SealedSecret;
use crate::templates::archives::{self, Archive};

/// One ML project, ready to be built.
#[derive(Clone)]
pub struct Project {
    /// Whose resources, and where. `placement.project_name`, `.jenkins_folder` etc. stand there.
    pub identity: Identity,
    /// What the project stands on.
    pub platform: Arc<Platform>,
    /// `spec.description`; empty if absent.
    pub description: String,
    /// The user's tags: the platform's, overridden by the project's. Ownership tags are not among them.
    pub tags: BTreeMap<String, String>,
    /// The repositories.
    pub repositories: Repositories,
    /// Further template parameters by name.
    pub parameters: BTreeMap<String, ParameterValue>,
    /// What the Jenkins jobs look like.
    pub jenkins: JenkinsSettings,
    /// Absent: no trigger is wanted.
    pub model_trigger: Option<ModelTriggerSettings>,
    /// Whether what users put into the project goes with it.
    pub delete_data: bool,
}

/// The project's Git repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Repositories {
    pub preprocess: Repository,
    pub build: Repository,
    pub deploy: Repository,
    pub endpoint: Option<Repository>,
}

/// What a repository is for, in the order in which data flows through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum RepositoryRole {
    Preprocess,
    Build,
    Deploy,
    Endpoint,
}

impl RepositoryRole {
    /// Every role, in the order in which data flows.
    pub const ALL: [Self; 4] = [Self::Preprocess, Self::Build, Self::Deploy, Self::Endpoint];

    /// Its name in `spec.repositories`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preprocess => "preprocess",
            Self::Build => "build",
            Self::Deploy => "deploy",
            Self::Endpoint => "endpoint",
        }
    }

    /// What the project template's resources and outputs for it begin with.
    pub fn group(self) -> &'static str {
        match self {
            Self::Preprocess => "ModelPreprocess",
            Self::Build => "ModelBuild",
            Self::Deploy => "ModelDeploy",
            Self::Endpoint => "ModelDeployEndpoint",
        }
    }

    /// The archive with the built-in seed code of a repository for this.
    pub fn bundled_archive(self) -> &'static Archive {
        match self {
            Self::Preprocess => &archives::PREPROCESS,
            Self::Build => &archives::BUILD,
            Self::Deploy => &archives::DEPLOY,
            Self::Endpoint => &archives::ENDPOINT,
        }
    }

    /// The project template's parameter for a part of it, such as `Url`.
    pub fn parameter(self, part: &str) -> String {
        format!("{}CodeRepository{part}", self.group())
    }

    /// The project template's parameter that asks for seed code in it.
    pub fn seed_parameter(self) -> String {
        self.parameter("IsSeedcodeRequired")
    }
}

impl Repositories {
    /// The repository for that, if the project has one.
    pub fn of(&self, role: RepositoryRole) -> Option<&Repository> {
        match role {
            RepositoryRole::Preprocess => Some(&self.preprocess),
            RepositoryRole::Build => Some(&self.build),
            RepositoryRole::Deploy => Some(&self.deploy),
            RepositoryRole::Endpoint => self.endpoint.as_ref(),
        }
    }

    /// Those that the project has.
    pub fn each(&self) -> impl Iterator<Item = (RepositoryRole, &Repository)> {
        RepositoryRole::ALL.into_iter().filter_map(|role| Some((role, self.of(role)?)))
    }

    /// The same for a template that declares these parameters: one that checks no code in for a repository gets no
    /// built-in code for it. An archive stays asked for: it cannot be had, and that is said.
    #[must_use]
    pub fn fitted(mut self, declares: impl Fn(&str) -> bool) -> Self {
        let Self { preprocess, build, deploy, endpoint } = &mut self;
        let each = [Some(preprocess), Some(build), Some(deploy), endpoint.as_mut()];
        for (role, repository) in RepositoryRole::ALL.into_iter().zip(each) {
            let Some(repository) = repository else { continue };
            let takes = declares(&role.seed_parameter());
            if repository.seed_code == SeedCode::BuiltIn && !takes {
                repository.seed_code = SeedCode::None;
            }
        }
        self
    }

    /// Whether any of them is to get seed code.
    pub fn seeded(&self) -> bool {
        self.each().any(|(_, repository)| repository.seed_code != SeedCode::None)
    }
}

/// What a repository holds at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeedCode {
    /// The code that the operator bundles.
    BuiltIn,
    /// The repository gets no code from the operator.
    None,
    /// A zip file.
    Archive {
        /// `https://…` or `s3://bucket/key`.
        url: String,
        /// Of the file.
        sha256: Sha256,
    },
}

/// One Git repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// HTTPS clone URL.
    pub url: String,
    /// Branch that jobs poll and seed code goes to.
    pub branch: String,
    /// `owner/name`.
    pub full_name: String,
    /// ARN of the connection that reaches it.
    pub connection_arn: ConnectionArn,
    /// What is committed into it, where it is empty.
    pub seed_code: SeedCode,
}

/// A template parameter's value.
#[derive(Clone)]
pub enum ParameterValue {
    /// As it stands in the spec.
    Plain(String),
    /// From a Secret.
    Sealed(SealedSecret),
}

/// By what may be seen: a sealed value counts by its fingerprint.
impl Hash for ParameterValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Plain(text) => (0_u8, text).hash(state),
            Self::Sealed(sealed) => (1_u8, &sealed.fingerprint).hash(state),
        }
    }
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

/// Which approved models start which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelTriggerSettings {
    /// `Approved`, `Rejected`, `PendingManualApproval`; not empty, sorted.
    pub approval_statuses: Vec<String>,
    /// Whose jobs it starts, in order: deploy, endpoint or both.
    pub jobs: Vec<RepositoryRole>,
}
