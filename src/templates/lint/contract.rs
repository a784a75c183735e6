//! What operator and template must agree on: the parameters that the operator fills in, and the names by which it finds
//! what the template makes. It stands alone because a change here is a change for everybody who has written a template.

/// What SageMaker fills in itself (SageMaker developer guide, custom project templates).
pub(super) const PROJECT_NAME: &str = "SageMakerProjectName";
/// The other one.
pub(super) const PROJECT_ID: &str = "SageMakerProjectId";
/// Characters of a project's name at most (SageMaker API, ProjectEntityName).
pub(super) const LONGEST_PROJECT_NAME: usize = 32;
/// Characters of a project's id at most (SageMaker API, ProjectId).
pub(super) const LONGEST_PROJECT_ID: usize = 20;

/// Names that a project may have: the operator's own rule for `projectName`, at its edges.
pub(super) const PROJECT_NAMES: [&str; 5] = ["taxi-fares", "Churn2", "a", "a--b", "abcdefghij-abcdefghij-abcdefghij"];
/// Ids that SageMaker gives (as seen), and the longest that its API allows.
pub(super) const PROJECT_IDS: [&str; 2] = ["p-idy6c3e1fiqj", "p-abcdefghij01234567"];

/// The bucket that jobs write to and that `dataPolicy: Delete` empties.
pub(super) const BUCKET_NAME: &str = "sagemaker-project-${SageMakerProjectId}";
/// The model package group that models are registered in.
pub(super) const GROUP_NAME: &str = "${SageMakerProjectName}-${SageMakerProjectId}";

/// The tags that tell whose a thing is.
pub(super) const TAGS: [&str; 2] = ["sagemaker:project-name", "sagemaker:project-id"];

/// Prefixes of a repository's parameters, as `spec.repositories` names them; the last one is optional.
pub(super) const REPOSITORIES: [(&str, &str); 4] = [
    ("ModelPreprocess", "preprocess"),
    ("ModelBuild", "build"),
    ("ModelDeploy", "deploy"),
    ("ModelDeployEndpoint", "endpoint"),
];

const CONNECTIONS: [&str; 2] = [
    "arn:aws:codeconnections:eu-central-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455",
    "arn:aws:codestar-connections:eu-central-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455",
];

/// What follows the prefix, with values that the operator may fill in.
pub(super) const REPOSITORY_PARTS: [(&str, &[&str]); 7] = [
    ("CodeRepositoryUrl", &["https://github.com/example/taxi-build.git"]),
    ("CodeRepositoryBranch", &["main", "feature/fares"]),
    ("CodeRepositoryFullname", &["example/taxi-build"]),
    ("CodeRepositoryCodestarConnectionArn", &CONNECTIONS),
    ("CodeRepositoryIsSeedcodeRequired", &["true", "false"]),
    ("CodeRepositorySeedCodeUrl", &["", "s3://mlops-0123456789-111122223333-eu-central-1/seed/build.zip"]),
    ("CodeRepositorySeedCodeSha256", &["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]),
];

/// What else the operator fills in.
pub(super) const OTHERS: [(&str, &[&str]); 3] = [
    ("SeedCodeBootstrapBucket", &["mlops-0123456789-111122223333-eu-central-1"]),
    ("SeedCodeBootstrapKey", &["mlops-operator/taxi/bootstrap/0123456789abcdef.zip"]),
    ("UseRoleArn", &["arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole"]),
];

/// Every parameter that the operator fills in where a template declares it, with values that it may give.
pub(super) fn filled() -> impl Iterator<Item = (String, &'static [&'static str])> {
    let of_repository = |(prefix, _): (&'static str, &str)| {
        REPOSITORY_PARTS.into_iter().map(move |(part, values)| (format!("{prefix}{part}"), values))
    };
    let others = OTHERS.into_iter().map(|(name, values)| (name.to_owned(), values));
    REPOSITORIES.into_iter().flat_map(of_repository).chain(others)
}

/// Whether the operator fills this parameter in, so that nobody may give it in `spec.parameters`.
pub fn filled_by_operator(name: &str) -> bool {
    filled().any(|(filled, _)| filled == name)
}
