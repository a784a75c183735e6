//! What one thing hands to the next: the edges of the graph, as types. They stand together since each is the
//! output of one resource and the input of others.

use std::collections::BTreeMap;

/// What the prerequisites found out about the ground that all stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The operator's own role (or user) as a portfolio principal: `arn:aws:iam::…:role/path/name`, not a session.
    pub operator_principal_arn: String,
}

/// The artifacts that the catalog product is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifacts {
    /// The bucket.
    pub bucket: String,
    /// HTTPS URL of the project template: its key holds the content's SHA-256.
    pub template_url: String,
    /// Hex SHA-256 of the project template.
    pub template_sha256: String,
}

/// What a SageMaker project is launched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launchable {
    /// `port-…`.
    pub portfolio_id: String,
    /// `prod-…`.
    pub product_id: String,
    /// The provisioning artifact that projects use: `pa-…`.
    pub artifact_id: String,
    /// Its name, for status and messages.
    pub artifact_name: String,
}

/// The SageMaker project, as jobs and trigger need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectFacts {
    /// `p-…`, 1-20 characters.
    pub project_id: String,
    /// ARN.
    pub project_arn: String,
    /// Name, 1-32 characters.
    pub project_name: String,
    /// `<name>-<id>`.
    pub model_package_group: String,
    /// The project's own bucket: `sagemaker-project-<id>`.
    pub bucket: String,
}

/// The SageMaker project as it was seen, and what became of its seed code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// For jobs and trigger.
    pub facts: ProjectFacts,
    /// What became of it; `None` while AWS is working on the project.
    pub seeded: Option<Seeded>,
}

/// What became of the seed code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeded {
    /// When AWS last changed the project: it may be different after that.
    pub as_of: String,
    /// Name of a repository in `spec.repositories`, and a sentence; only of those that were to get seed code.
    pub repositories: BTreeMap<String, String>,
}

/// Where the jobs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// URLs of the jobs, in the order preprocess, modelbuild, modeldeploy, modeldeploy-endpoint; each with a trailing slash.
    pub urls: Vec<String>,
    /// Whether Jenkins prepares for a shutdown: configuration works, builds do not start. Worth a word, no fault.
    pub quieting_down: bool,
}

/// The model trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// ARN of the stack.
    pub stack_id: String,
}
