//! Every kind of wrong manifest as one table: the field, the value that is wrong there, the sentence of the refusal, and
//! what is wrong with it. Each row changes one field of a manifest that is taken.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

/// (JSON pointer, value or null to remove the field, part of the refusal, what is wrong).
pub(crate) type Row = (&'static str, Value, &'static str, &'static str);

/// A hex SHA-256.
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The manifest that each row changes.
pub(crate) fn taken() -> Value {
    let repository = |name: &str| {
        json!({
            "url": format!("https://github.com/example/taxi-{name}.git"), "fullName": format!("example/taxi-{name}"),
            "connectionArn": "arn:aws:codeconnections:us-east-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455",
        })
    };
    json!({
        "apiVersion": "mlops-operator.io/v1alpha1",
        "kind": "MlopsProject",
        "metadata": {"name": "taxi-fares", "namespace": "ml-team"},
        "spec": {
            "description": "Predicts taxi fares",
            "platform": {
                "aws": {"region": "us-east-1", "accountId": "111122223333"},
                "jenkins": {"url": "https://jenkins.example.com", "credentialsSecretRef": {"name": "jenkins"}},
                "tags": {"owner": "platform-team"},
            },
            "repositories": {"preprocess": repository("preprocess"), "build": repository("build"), "deploy": repository("deploy")},
            "jenkins": {"folder": "taxi-fares", "awsCredentialsId": "aws-pipelines", "gitCredentialsId": "github"},
            "modelTrigger": {},
            "dataPolicy": "Delete",
        },
    })
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    [names_and_texts(), platform(), repositories(), jobs_trigger_and_parameters()].concat()
}

/// Names, texts, tags and policies of the project itself.
fn names_and_texts() -> Vec<Row> {
    vec![
        (
            "/metadata/name",
            json!("customer.churn"),
            "set spec.projectName",
            "an object name that SageMaker refuses, without a projectName",
        ),
        (
            "/spec/deletionPolicy",
            json!("Orphan"),
            "supported values: \"Delete\", \"Retain\"",
            "a deletion policy that is none",
        ),
        (
            "/spec/platform/jenkins/folderPolicy",
            json!("Retain"),
            "supported values: \"Keep\", \"Delete\"",
            "a folder policy that is none",
        ),
        ("/spec/description", json!("a".repeat(1025)), "may not be more than 1024", "a description that is too long"),
        (
            "/spec/description",
            json!("a\nb"),
            "description takes printable characters on one line",
            "a description with a line break",
        ),
        (
            "/spec/managementMode",
            json!("Plan"),
            "unknown field \"spec.managementMode\"",
            "a field that does not exist yet",
        ),
        (
            "/spec/projectName",
            json!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            "may not be more than 32",
            "a name that is too long",
        ),
        ("/spec/projectName", json!("1ab"), "starts with a letter", "a name that starts with a digit"),
        (
            "/spec/projectName",
            json!("a_b"),
            "projectName takes letters, digits and hyphens",
            "a name with an underscore",
        ),
        (
            "/spec/tags",
            json!({"t0": "x", "t1": "x", "t10": "x", "t11": "x", "t12": "x", "t13": "x", "t14": "x", "t2": "x", "t3": "x", "t4": "x", "t5": "x", "t6": "x", "t7": "x", "t8": "x", "t9": "x"}),
            "together may have at most 15 keys",
            "too many tags in all",
        ),
        ("/spec/tags/a", json!("<b>"), "tags take letters, digits, blanks", "a tag with a bracket"),
        ("/spec/tags/a", json!(""), "should be at least 1 chars long", "an empty tag value"),
        ("/spec/tags/aws:x", json!("1"), "are reserved", "a tag of AWS's own"),
        ("/spec/tags/SageMaker:project-id", json!("p-1"), "are reserved", "a tag of SageMaker's own in capitals"),
        ("/spec/tags", json!({"Cost": "1", "cost": "2"}), "differ by case alone", "one key in two cases"),
    ]
}

/// What stands in `spec.platform`.
fn platform() -> Vec<Row> {
    vec![
        (
            "/spec/platform/artifacts",
            json!({"bucket": "mine", "kmsKeyId": "alias/x"}),
            "an existing bucket keeps its encryption",
            "a KMS key for somebody else's bucket",
        ),
        (
            "/spec/platform/aws/region",
            json!("us-iso-east-1"),
            "the operator does not work in isolated regions",
            "a region of an isolated partition",
        ),
        (
            "/spec/platform/artifacts/bucket",
            json!("a.b.c"),
            "names with dots cannot be reached over TLS",
            "a bucket with a dot",
        ),
        (
            "/spec/platform/artifacts/bucket",
            json!("Artifacts"),
            "bucket takes lower-case letters",
            "a bucket with capitals",
        ),
        (
            "/spec/platform/aws/accountId",
            json!("11112222333"),
            "should be at least 12 chars long",
            "an account id of 11 digits",
        ),
        (
            "/spec/platform/aws/accountId",
            json!(111_122_223_333_u64),
            "must be of type string",
            "an account id that is a number",
        ),
        (
            "/spec/platform/aws/accountId",
            json!("11112222333x"),
            "accountId is an AWS account id of 12 digits",
            "an account id with a letter",
        ),
        (
            "/spec/platform/aws/region",
            json!("frankfurt-1"),
            "region is the code of an AWS region",
            "a region that is none",
        ),
        (
            "/spec/platform/aws/roles/launch",
            json!("arn:aws:iam::999999999999:role/x"),
            "roles.launch must be a role of the account in aws.accountId",
            "a launch role of another account",
        ),
        (
            "/spec/platform/aws/roles/launch",
            json!("arn:aws:iam::111122223333:user/x"),
            "must be the ARN of an IAM role",
            "a role that is a user",
        ),
        (
            "/spec/platform/aws/roles/launch",
            json!(
                "arn:aws:iam::111122223333:role/teams/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
            ),
            "the name has at most 64 characters",
            "a role's name that is too long",
        ),
        (
            "/spec/platform/aws/roles/checkIn",
            json!("arn:aws:iam::999999999999:role/x"),
            "roles.checkIn must be a role of the account",
            "a check-in role of another account",
        ),
        (
            "/spec/platform/aws/roles/stack",
            json!("arn:aws:iam::999999999999:role/x"),
            "roles.stack must be a role of the account",
            "a stack role of another account",
        ),
        (
            "/spec/platform/catalog/portfolio/name",
            json!(""),
            "should be at least 1 chars long",
            "a portfolio without a name",
        ),
        (
            "/spec/platform/catalog/portfolio/providerName",
            json!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            "may not be more than 50",
            "a provider that is too long",
        ),
        (
            "/spec/platform/catalog/principals",
            json!([{"arn": "arn:aws:iam::111122223333:role/studio/execution"}, {"arn": "arn:aws:iam::111122223333:role/x", "type": "IAM_PATTERN"}]),
            "type IAM_PATTERN takes an ARN with an empty account",
            "a pattern with an account",
        ),
        (
            "/spec/platform/catalog/principals",
            json!([{"arn": "arn:aws:iam::111122223333:role/x*"}, {"arn": "arn:aws:iam:::role/data-scientist-*", "type": "IAM_PATTERN"}]),
            "type IAM takes a full ARN with its account and no wildcards",
            "a principal with a wildcard and an account",
        ),
        (
            "/spec/platform/catalog/product/supportEmail",
            json!("me"),
            "supportEmail is an e-mail address",
            "a support address that is none",
        ),
        (
            "/spec/platform/catalog/product/supportUrl",
            json!("ftp://example.com"),
            "supportUrl is an http or https URL",
            "a support URL that is none",
        ),
        (
            "/spec/platform/catalog/template/builtIn",
            json!("jenkins-git-v9"),
            "supported values: \"jenkins-git-v1\"",
            "a template that the operator does not carry",
        ),
        (
            "/spec/platform/catalog/template",
            json!({"builtIn": "jenkins-git-v1", "configMapRef": {"name": "project-template", "key": "template.yaml"}}),
            "template takes builtIn or configMapRef, not both",
            "a template of one's own beside a built-in one",
        ),
        (
            "/spec/platform/jenkins/credentialsSecretRef/name",
            json!("other/jenkins"),
            "must be the name of an object in this namespace",
            "a secret of another namespace",
        ),
        (
            "/spec/platform/jenkins/credentialsSecretRef",
            Value::Null,
            "credentialsSecretRef: Required value",
            "no credentials for Jenkins",
        ),
        (
            "/spec/platform/jenkins/folder",
            json!("a/../b"),
            "folder is a path such as team/project",
            "a folder that climbs",
        ),
        (
            "/spec/platform/jenkins/folder",
            json!("a\\b"),
            "folder is a path such as team/project",
            "a folder with a backslash",
        ),
        (
            "/spec/platform/jenkins/url",
            json!("https://jenkins.example.com/?a=b"),
            "with no user, query or fragment",
            "a Jenkins URL with a query",
        ),
        (
            "/spec/platform/jenkins/url",
            json!("https://me:secret@jenkins.example.com"),
            "with no user, query or fragment",
            "a Jenkins URL with a user",
        ),
        (
            "/spec/platform/jenkins/url",
            json!("http://jenkins.example.com"),
            "set jenkins.allowPlainHttp if the token may travel in the clear",
            "plain HTTP to Jenkins unasked",
        ),
        (
            "/spec/platform/jenkins/url",
            json!("https://169.254.169.254/"),
            "must not be a link-local or metadata address",
            "the metadata service as Jenkins",
        ),
        (
            "/spec/platform/modelTrigger/alarmTopicArn",
            json!("arn:aws:sns:us-east-1:111122223333:alarms.fifo"),
            "alarmTopicArn is the ARN of an SNS topic",
            "an alarm for a fifo topic",
        ),
        (
            "/spec/platform/modelTrigger/alarmTopicArn",
            json!("arn:aws:sns:eu-west-1:111122223333:alarms"),
            "must be a topic in aws.region",
            "an alarm for another region",
        ),
        (
            "/spec/platform/modelTrigger/permissionsBoundaryArn",
            json!("arn:aws:iam::111122223333:role/x"),
            "permissionsBoundaryArn is the ARN of a managed policy",
            "a boundary that is a role",
        ),
        (
            "/spec/platform/modelTrigger/caBundleRef",
            json!({"kind": "Pod", "name": "company-ca", "key": "ca.crt"}),
            "supported values: \"Secret\", \"ConfigMap\"",
            "a CA bundle in a Pod",
        ),
        (
            "/spec/platform/modelTrigger/credentialsSecretRef",
            json!({"name": "other/starter"}),
            "must be the name of an object in this namespace",
            "a trigger's secret of another namespace",
        ),
        (
            "/spec/platform/modelTrigger/logRetentionDays",
            json!(2),
            "logRetentionDays: Unsupported value",
            "a log kept for two days",
        ),
        (
            "/spec/platform/modelTrigger/vpc",
            json!({"subnetIds": ["subnet", "subnet-1a2b3c4d"], "securityGroupIds": ["sg-0a1b2c3d"]}),
            "must be an id such as subnet-0a1b2c3d",
            "a subnet id that is none",
        ),
        (
            "/spec/platform/modelTrigger/vpc",
            json!({"subnetIds": ["subnet-0a1b2c3d", "subnet-1a2b3c4d"]}),
            "securityGroupIds: Required value",
            "a VPC without security groups",
        ),
        ("/spec/platform/tags/mlops-operator.io~1owner", json!("me"), "are reserved", "a tag of the operator's own"),
        (
            "/spec/platform/tags/MLOps-operator.io~1owner",
            json!("me"),
            "are reserved",
            "a tag of the operator's own in capitals",
        ),
    ]
}

/// What stands in `spec.repositories`.
fn repositories() -> Vec<Row> {
    vec![
        (
            "/spec/repositories/build/branch",
            json!("a..b"),
            "branch must be a valid Git branch name",
            "a branch that Git refuses",
        ),
        (
            "/spec/repositories/build/branch",
            json!("main; rm"),
            "branch takes letters, digits",
            "a branch with a blank and a shell command",
        ),
        (
            "/spec/repositories/build/connectionArn",
            json!("arn:aws:iam::111122223333:role/connection"),
            "connectionArn is the ARN of a CodeConnections",
            "a connection that is a role",
        ),
        (
            "/spec/repositories/build/fullName",
            json!("code"),
            "fullName is the repository's owner and name",
            "a repository without its owner",
        ),
        (
            "/spec/repositories/build/fullName",
            json!("team/code "),
            "fullName is the repository's owner and name",
            "a repository whose name ends with a blank",
        ),
        (
            "/spec/repositories/build/connectionArn",
            json!("arn:aws:codeconnections:us-east-1:444455556666:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"),
            "each connectionArn must be a connection of the account in platform.aws.accountId",
            "a connection of another account",
        ),
        (
            "/spec/repositories/build/url",
            json!("https://github.com/example/taxi-deploy.git"),
            "each role needs a repository of its own",
            "one repository in two roles",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "s3://seeds/build.zip", "sha256": "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"}}),
            "sha256 is 64 hex digits in lower case",
            "a checksum in capitals",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "s3://seeds/build.zip", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"}}),
            "sha256",
            "a checksum that is too short",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "https://169.254.169.254/latest", "sha256": SHA256}}),
            "must not be a link-local or metadata address",
            "an archive at the metadata service",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "s3://company-seeds/", "sha256": SHA256}}),
            "must be https://host/path or s3://bucket/key",
            "an archive in a bucket without a key",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "http://example.com/seed.zip", "sha256": SHA256}}),
            "must be https://host/path or s3://bucket/key",
            "an archive over plain HTTP",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "https://example.com/seed.zip?token=1", "sha256": SHA256}}),
            "must be https://host/path or s3://bucket/key",
            "an archive with a query",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "https://user:secret@example.com/seed.zip", "sha256": SHA256}}),
            "must be https://host/path or s3://bucket/key",
            "an archive with a user",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "Archive", "archive": {"url": "s3://seeds/build.zip"}}),
            "sha256: Required value",
            "an archive without a checksum",
        ),
        (
            "/spec/repositories/build/seedCode",
            json!({"source": "BuiltIn", "archive": {"url": "s3://seeds/build.zip", "sha256": SHA256}}),
            "seedCode.archive goes with source Archive",
            "an archive beside the built-in code",
        ),
        (
            "/spec/repositories/build/seedCode/source",
            json!("Archive"),
            "seedCode.archive goes with source Archive",
            "seed code of an archive that is not named",
        ),
        (
            "/spec/repositories/build/seedCode/source",
            json!("Git"),
            "seedCode.source: Unsupported value",
            "seed code of no known source",
        ),
        (
            "/spec/repositories/build/url",
            json!("git@github.com:team/code.git"),
            "url is the https clone URL",
            "a repository over SSH",
        ),
        (
            "/spec/repositories/build/url",
            json!("https://g/z"),
            "should be at least 12 chars long",
            "a repository URL that is too short",
        ),
        (
            "/spec/repositories/build/url",
            json!("https://token@github.com/team/code.git"),
            "with no user, query or fragment",
            "a repository URL with a token",
        ),
        ("/spec/repositories/deploy", Value::Null, "deploy: Required value", "a missing repository"),
        (
            "/spec/repositories/endpoint",
            json!({"url": "https://github.com/example/taxi-endpoint.git", "fullName": "example/taxi-endpoint"}),
            "a repository takes either name (on a platform) or url, fullName and connectionArn",
            "an endpoint repository without a connection",
        ),
        (
            "/spec/repositories/build/name",
            json!("taxi-build"),
            "a repository takes either name (on a platform) or url, fullName and connectionArn",
            "a repository with a name and a URL",
        ),
        (
            "/spec/repositories/build",
            json!({"name": "taxi-build"}),
            "repositories: on a platform each is named by name alone",
            "a repository by its name, without a platform",
        ),
        (
            "/spec/repositories/build/url",
            json!("https://github.com/example/taxi-deploy.git"),
            "repositories: each role needs a repository of its own",
            "one repository for two roles",
        ),
        (
            "/spec/platformRef",
            json!({"name": "main"}),
            "exactly one of platformRef (a shared MlopsPlatform) and platform",
            "a shared platform beside one of its own",
        ),
        (
            "/spec/platform",
            Value::Null,
            "exactly one of platformRef (a shared MlopsPlatform) and platform",
            "no platform at all",
        ),
    ]
}

/// The platform that each row of [`platforms`] changes.
pub(crate) fn taken_platform() -> Value {
    json!({
        "apiVersion": "mlops-operator.io/v1alpha1",
        "kind": "MlopsPlatform",
        "metadata": {"name": "main"},
        "spec": {
            "aws": {"region": "us-east-1", "accountId": "111122223333"},
            "jenkins": {"url": "https://jenkins.example.com", "credentialsSecretRef": {"name": "jenkins"}},
            "git": {
                "baseUrl": "https://github.com/example",
                "connectionArn": "arn:aws:codeconnections:us-east-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455",
                "repositories": ["example/*"],
            },
            "namespaces": {"names": ["team-*"], "selector": {"matchLabels": {"mlops": "main"}}},
        },
    })
}

/// What only a platform has.
pub(crate) fn platforms() -> Vec<Row> {
    vec![
        ("/spec/git", Value::Null, "git: Required value", "no place of the repositories"),
        ("/spec/git/repositories", json!([]), "should have at least 1 items", "no repository that projects may use"),
        ("/spec/git/repositories", json!(["code"]), "must be a full name", "a pattern that is no full name"),
        ("/spec/git/baseUrl", json!("http://github.com/example"), "baseUrl is https://host", "Git in the clear"),
        ("/spec/git/baseUrl", json!("https://token@github.com"), "without user, query or slash", "a token in the URL"),
        (
            "/spec/git/connectionArn",
            json!("arn:aws:codeconnections:us-east-1:999999999999:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"),
            "git.connectionArn must be a connection of the account in aws.accountId",
            "a connection of another account",
        ),
        (
            "/spec/namespaces/names",
            json!(["Team"]),
            "a namespace's name takes lower-case letters",
            "no namespace's name",
        ),
        (
            "/spec/namespaces/selector/matchExpressions",
            json!([{"key": "mlops", "operator": "Is"}]),
            "supported values: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\"",
            "a selector with an operator that is none",
        ),
        ("/spec/projects/seedCode", json!("Archive"), "supported values: \"BuiltIn\", \"None\"", "an archive for all"),
        ("/spec/projects/maxPerNamespace", json!(0), "greater than or equal to 1", "no project at all"),
        ("/spec/projects/pollSchedule", json!("often"), "pollSchedule is one Jenkins cron line", "no schedule"),
        ("/spec/projects/names", json!(["{namespace}/x"]), "a project's name takes letters", "a slash in a name"),
        ("/spec/aws/region", Value::Null, "region: Required value", "no region"),
        ("/spec/projectName", json!("fares"), "unknown field \"spec.projectName\"", "a field of projects"),
    ]
}

/// Jobs, trigger and template parameters.
fn jobs_trigger_and_parameters() -> Vec<Row> {
    vec![
        (
            "/spec/jenkins/awsCredentialsId",
            json!("a'b"),
            "as Jenkins does in credential ids",
            "a credential id with a quote",
        ),
        (
            "/spec/jenkins/extraParameters/A-B",
            json!("1"),
            "does not start with a digit",
            "a job parameter with a hyphen",
        ),
        (
            "/spec/jenkins/extraParameters/ENDPOINT_TYPE",
            json!("async"),
            "these job parameters are set by the operator",
            "a job parameter of the endpoint job",
        ),
        (
            "/spec/jenkins/extraParameters/EVENT_ID",
            json!("1"),
            "these job parameters are set by the operator",
            "a job parameter that the operator sets",
        ),
        (
            "/spec/jenkins/folder",
            json!("a/"),
            "folder is a path such as team/project",
            "a folder that ends with a slash",
        ),
        (
            "/spec/jenkins/pollSchedule",
            json!("* * * *"),
            "pollSchedule is one Jenkins cron line of five fields",
            "a schedule of four fields",
        ),
        (
            "/spec/jenkins/pollSchedule",
            json!("* * * * *\nTZ=UTC"),
            "pollSchedule is one Jenkins cron line",
            "a schedule of two lines",
        ),
        (
            "/spec/modelTrigger",
            json!({"jobs": ["Deploy", "Endpoint"]}),
            "which needs repositories.endpoint",
            "a trigger of a job that does not exist",
        ),
        (
            "/spec/modelTrigger/approvalStatuses",
            json!(["Fine"]),
            "supported values: \"Approved\"",
            "an approval status that is none",
        ),
        (
            "/spec/modelTrigger/approvalStatuses",
            json!(["Approved", "Approved"]),
            "Duplicate value",
            "an approval status twice",
        ),
        ("/spec/modelTrigger/approvalStatuses", json!([]), "should have at least 1 items", "no approval status"),
        ("/spec/modelTrigger/jobs", json!([]), "modelTrigger.jobs", "a trigger of no job"),
        ("/spec/modelTrigger/jobs", json!(["Build"]), "modelTrigger.jobs", "a trigger of the build job"),
        (
            "/spec/parameters",
            json!([{"name": "ArtifactBucketKmsKeyArn", "value": "a\nb"}]),
            "a template parameter's value has no line breaks",
            "a parameter of two lines",
        ),
        (
            "/spec/parameters",
            json!([{"name": "ArtifactBucketKmsKeyArn"}]),
            "exactly one of value and valueFrom",
            "a parameter with no value",
        ),
        (
            "/spec/parameters",
            json!([{"name": "ArtifactBucketKmsKeyArn", "value": "arn:aws:kms:eu-central-1:111122223333:key/0f0e0d0c-1a2b-4c3d-8e9f-001122334455", "valueFrom": {"secretKeyRef": {"key": "b", "name": "a"}}}]),
            "exactly one of value and valueFrom",
            "a parameter with two values",
        ),
        (
            "/spec/parameters",
            json!([{"name": "A-B", "value": "arn:aws:kms:eu-central-1:111122223333:key/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"}]),
            "a template parameter's name takes letters and digits",
            "a parameter's name with a hyphen",
        ),
    ]
}
