//! What the resource types that project templates use take for a name, and whether they take tags: facts of AWS. It
//! stands alone so that they can be held against AWS's own schemas (`tests/python/templates/test_lint_facts.py` does). A type that is
//! not here is not judged by name or tags.

/// Characters that a name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Lower case letters, digits, hyphens, dots.
    Bucket,
    /// Lower case letters, digits, hyphens, dots, underscores, slashes.
    Image,
    Dashes,
    Words,
    Dots,
    Pipeline,
    /// And plus, equals, comma, at: IAM's.
    Iam,
    /// And slashes and hashes: log groups, parameters.
    Paths,
    Any,
}

impl Alphabet {
    pub(super) fn allows(self, sign: char) -> bool {
        let lower = sign.is_ascii_lowercase() || sign.is_ascii_digit();
        let plain = sign.is_ascii_alphanumeric();
        match self {
            Self::Bucket => lower || "-.".contains(sign),
            Self::Image => lower || "-._/".contains(sign),
            Self::Dashes => plain || sign == '-',
            Self::Words => plain || "-_".contains(sign),
            Self::Dots => plain || "-_.".contains(sign),
            Self::Pipeline => plain || "-_.@".contains(sign),
            Self::Iam => plain || "-_.@+=,".contains(sign),
            Self::Paths => plain || "-_./#".contains(sign),
            Self::Any => true,
        }
    }

    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Bucket => "lower case letters, digits, hyphens and dots only",
            Self::Image => "lower case letters, digits, and -._/ only",
            Self::Dashes => "letters, digits and hyphens only",
            Self::Words => "letters, digits, hyphens and underscores only",
            Self::Dots => "letters, digits, and -_. only",
            Self::Pipeline => "letters, digits, and -_.@ only",
            Self::Iam => "letters, digits, and -_.@+=, only",
            Self::Paths => "letters, digits, and -_./# only",
            Self::Any => "any text",
        }
    }
}

/// What a type takes for a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameRule {
    pub(super) property: &'static str,
    pub(super) longest: usize,
    pub(super) alphabet: Alphabet,
    /// Where that comes from.
    pub(super) source: &'static str,
}

/// Where a type has its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    No,
    /// A list of `Key` and `Value`.
    List,
    Map,
}

const SCHEMA: &str = "CloudFormation's schema of the type";
const SERVICE: &str = "the service's API";
const GUIDE: &str = "the service's developer guide";

type Row = (&'static str, &'static str, usize, Alphabet, &'static str, Tags);

/// Type, name property (empty: none worth a look), its length, its characters, their source; how it takes tags.
const TYPES: [Row; 52] = {
    use Alphabet::{Any, Bucket, Dashes, Dots, Iam, Image, Paths, Pipeline, Words};
    use Tags::{List, Map, No};
    [
        ("AWS::ApiGateway::RestApi", "", 0, Any, SCHEMA, List),
        ("AWS::Athena::WorkGroup", "Name", 128, Dots, SCHEMA, List),
        ("AWS::Batch::JobQueue", "JobQueueName", 128, Words, SCHEMA, Map),
        ("AWS::CloudWatch::Alarm", "AlarmName", 255, Any, SCHEMA, List),
        ("AWS::CodeBuild::Project", "Name", 150, Words, SERVICE, List),
        ("AWS::CodeCommit::Repository", "RepositoryName", 100, Dots, SCHEMA, List),
        ("AWS::CodeConnections::Connection", "ConnectionName", 32, Any, SCHEMA, List),
        ("AWS::CodePipeline::Pipeline", "Name", 100, Pipeline, SERVICE, List),
        ("AWS::CodeStarConnections::Connection", "ConnectionName", 32, Any, SCHEMA, List),
        ("AWS::DynamoDB::Table", "TableName", 255, Dots, GUIDE, List),
        ("AWS::EC2::SecurityGroup", "GroupName", 255, Any, GUIDE, List),
        ("AWS::ECR::Repository", "RepositoryName", 256, Image, SCHEMA, List),
        ("AWS::Events::EventBus", "Name", 256, Paths, SCHEMA, List),
        ("AWS::Events::Rule", "Name", 64, Dots, SCHEMA, List),
        ("AWS::Glue::Crawler", "Name", 255, Any, SCHEMA, Map),
        ("AWS::Glue::Job", "Name", 255, Any, SCHEMA, Map),
        ("AWS::IAM::Group", "GroupName", 128, Iam, SCHEMA, No),
        ("AWS::IAM::InstanceProfile", "InstanceProfileName", 128, Iam, SCHEMA, No),
        ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", 128, Iam, SERVICE, No),
        ("AWS::IAM::Role", "RoleName", 64, Iam, SCHEMA, List),
        ("AWS::IAM::User", "UserName", 64, Iam, SCHEMA, List),
        ("AWS::KMS::Alias", "AliasName", 256, Any, SCHEMA, No),
        ("AWS::KMS::Key", "", 0, Any, SCHEMA, List),
        ("AWS::Lambda::Function", "FunctionName", 64, Words, SCHEMA, List),
        ("AWS::Lambda::LayerVersion", "LayerName", 140, Words, SCHEMA, No),
        ("AWS::Logs::LogGroup", "LogGroupName", 512, Paths, SCHEMA, List),
        ("AWS::Pipes::Pipe", "Name", 64, Dots, SCHEMA, Map),
        ("AWS::S3::Bucket", "BucketName", 63, Bucket, SCHEMA, List),
        ("AWS::SNS::Topic", "TopicName", 256, Dots, SCHEMA, List),
        ("AWS::SQS::Queue", "QueueName", 80, Dots, GUIDE, List),
        ("AWS::SSM::Parameter", "Name", 1011, Paths, GUIDE, Map),
        ("AWS::SageMaker::CodeRepository", "CodeRepositoryName", 63, Dashes, SCHEMA, List),
        ("AWS::SageMaker::Endpoint", "EndpointName", 63, Dashes, SERVICE, List),
        ("AWS::SageMaker::EndpointConfig", "EndpointConfigName", 63, Dashes, SCHEMA, List),
        ("AWS::SageMaker::FeatureGroup", "FeatureGroupName", 64, Dashes, SCHEMA, List),
        ("AWS::SageMaker::Image", "ImageName", 63, Dots, SERVICE, List),
        ("AWS::SageMaker::InferenceExperiment", "Name", 120, Dashes, SCHEMA, List),
        ("AWS::SageMaker::MlflowTrackingServer", "TrackingServerName", 256, Dashes, SCHEMA, List),
        ("AWS::SageMaker::Model", "ModelName", 63, Dashes, SCHEMA, List),
        ("AWS::SageMaker::ModelCard", "ModelCardName", 63, Dashes, SCHEMA, List),
        ("AWS::SageMaker::ModelPackageGroup", "ModelPackageGroupName", 63, Dashes, SERVICE, List),
        ("AWS::SageMaker::MonitoringSchedule", "MonitoringScheduleName", 63, Dashes, SERVICE, List),
        ("AWS::SageMaker::NotebookInstance", "NotebookInstanceName", 63, Dashes, GUIDE, List),
        ("AWS::SageMaker::Pipeline", "PipelineName", 256, Dashes, SCHEMA, List),
        ("AWS::SageMaker::Project", "ProjectName", 32, Dashes, SERVICE, List),
        ("AWS::Scheduler::Schedule", "Name", 64, Dots, SCHEMA, No),
        ("AWS::SecretsManager::Secret", "Name", 512, Any, SCHEMA, List),
        ("AWS::ServiceCatalog::CloudFormationProvisionedProduct", "ProvisionedProductName", 128, Dots, SCHEMA, List),
        ("AWS::StepFunctions::StateMachine", "StateMachineName", 80, Words, SCHEMA, List),
        ("AWS::CloudFormation::Stack", "", 0, Any, SCHEMA, List),
        ("AWS::IAM::Policy", "", 0, Any, SCHEMA, No),
        ("AWS::S3::BucketPolicy", "", 0, Any, SCHEMA, No),
    ]
};

/// The rules for the names of a type; none where it is not known or has none.
pub(super) fn name_rules(kind: &str) -> Vec<NameRule> {
    let row = TYPES.iter().filter(|(known, property, ..)| *known == kind && !property.is_empty());
    row.map(|(_, property, longest, alphabet, source, _)| NameRule {
        property,
        longest: *longest,
        alphabet: *alphabet,
        source,
    })
    .collect()
}

/// How a type takes tags; `No` where it is not known.
pub(super) fn tags(kind: &str) -> Tags {
    TYPES.iter().find(|(known, ..)| *known == kind).map_or(Tags::No, |(.., tags)| *tags)
}
