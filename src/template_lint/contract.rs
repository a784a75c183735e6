//! What operator and template must agree on: the parameters that the operator fills in, and the names by which it finds
//! what the template makes. It stands alone because a change here is a change for everybody who has written a template.

/// What SageMaker fills in itself (SageMaker developer guide, custom project templates).
pub(super) const PROJECT_NAME: &str = "SageMakerProjectName";
pub(super) const PROJECT_ID: &str = "SageMakerProjectId";
/// Characters of a project's name at most (SageMaker API, ProjectEntityName).
pub(super) const LONGEST_PROJECT_NAME: usize = 32;
/// Characters of a project's id: `p-` and twelve lower case letters or digits. The API's model would take 20 (ProjectId);
/// these are what SageMaker gives, and what AWS's own project templates reckon with.
pub(super) const PROJECT_ID_LENGTH: usize = 14;

/// Names that a project may have: the operator's own rule for `projectName`, at its edges.
pub(super) const PROJECT_NAMES: [&str; 5] = ["taxi-fares", "Churn2", "a", "a--b", "abcdefghij-abcdefghij-abcdefghij"];
/// Ids as SageMaker gives them.
pub(super) const PROJECT_IDS: [&str; 3] = ["p-idy6c3e1fiqj", "p-abcdefghijkl", "p-012345678901"];

/// The bucket that jobs write to and that `dataPolicy: Delete` empties.
pub(super) const BUCKET_NAME: &str = "sagemaker-project-${SageMakerProjectId}";
/// The model package group that models are registered in.
pub(super) const GROUP_NAME: &str = "${SageMakerProjectName}-${SageMakerProjectId}";

/// The tags that tell whose a resource is.
pub(super) const TAGS: [&str; 2] = ["sagemaker:project-name", "sagemaker:project-id"];

/// Prefixes of a repository's parameters, as `spec.repositories` names them; the last one is optional.
pub(super) const REPOSITORIES: [(&str, &str); 4] =
    [("ModelPreprocess", "preprocess"), ("ModelBuild", "build"), ("ModelDeploy", "deploy"), (OPTIONAL, "endpoint")];
/// The repository that a project may do without: its parameters are then filled in as empty.
const OPTIONAL: &str = "ModelDeployEndpoint";

const URL: &str = "https://github.com/example/taxi-build.git";
const FULL_NAME: &str = "example/taxi-build";
const CONNECTION: &str =
    "arn:aws:codeconnections:eu-central-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455";
/// As it was called before; such connections go on.
const OLD_CONNECTION: &str =
    "arn:aws:codestar-connections:eu-central-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455";

/// Values that may be filled in for one parameter.
type Values = &'static [&'static str];

/// What follows the prefix; values of a repository that is there, and of one that is not.
pub(super) const REPOSITORY_PARTS: [(&str, Values, Values); 7] = [
    ("CodeRepositoryUrl", &[URL], &[URL, ""]),
    ("CodeRepositoryBranch", &["main", "feature/fares"], &["main", "feature/fares"]),
    ("CodeRepositoryFullname", &[FULL_NAME], &[FULL_NAME, ""]),
    ("CodeRepositoryCodestarConnectionArn", &[CONNECTION, OLD_CONNECTION], &[CONNECTION, OLD_CONNECTION, ""]),
    ("CodeRepositoryIsSeedcodeRequired", &["true", "false"], &["true", "false"]),
    ("CodeRepositorySeedCodeUrl", SEED_CODE, SEED_CODE),
    ("CodeRepositorySeedCodeSha256", SHA256, SHA256),
];

const SEED_CODE: Values = &["s3://mlops-0123456789-111122223333-eu-central-1/seed/build.zip", ""];
const SHA256: Values = &["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ""];

/// What else the operator fills in.
pub(super) const OTHERS: [(&str, Values); 4] = [
    ("SeedCodeBootstrapBucket", &["mlops-0123456789-111122223333-eu-central-1", ""]),
    ("SeedCodeBootstrapKey", &["mlops-operator/0123456789/bootstrap/0123456789abcdef.zip", ""]),
    ("CheckInRoleArn", &["arn:aws:iam::111122223333:role/mlops/check-in", ""]),
    ("UseRoleArn", &["arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole"]),
];

/// Every parameter that the operator fills in where a template declares it, with values that it may give.
pub(super) fn filled() -> impl Iterator<Item = (String, Values)> {
    let of_repository = |(prefix, _): (&'static str, &str)| {
        REPOSITORY_PARTS.into_iter().map(move |(part, there, absent)| {
            (format!("{prefix}{part}"), if prefix == OPTIONAL { absent } else { there })
        })
    };
    let others = OTHERS.into_iter().map(|(name, values)| (name.to_owned(), values));
    REPOSITORIES.into_iter().flat_map(of_repository).chain(others)
}

/// What follows the prefix of parameters for which no other values can come than those that are listed here.
pub(super) const CLOSED: &str = "CodeRepositoryIsSeedcodeRequired";

/// Whether SageMaker fills this parameter in.
pub fn filled_by_sagemaker(name: &str) -> bool {
    [PROJECT_NAME, PROJECT_ID].contains(&name)
}

/// Whether the operator fills this parameter in, so that nobody may give it in `spec.parameters`.
pub fn filled_by_operator(name: &str) -> bool {
    filled().any(|(filled, _)| filled == name)
}
