//! Schemas of the texts that AWS and Jenkins bound: each with its length, its pattern and the sentence that a user
//! reads when `kubectl apply` refuses it. They stand together so that one bound is written once; those of
//! texts that the operator has types for stand with the types. A schema-level
//! `pattern` would answer with a bare regular expression, so patterns are CEL rules with a message.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::identifiers::{AccountId, ConnectionArn, Form, Region, RoleArn, Sha256};
use super::partitions::partition_pattern;

/// Parameters of the Jenkins jobs that the operator fills itself.
pub const RESERVED_JOB_PARAMETERS: [&str; 12] = [
    "ARTIFACT_BUCKET",
    "SAGEMAKER_PROJECT_NAME",
    "SAGEMAKER_PROJECT_ID",
    "SAGEMAKER_PROJECT_ARN",
    "AWS_REGION",
    "SAGEMAKER_PIPELINE_ROLE_ARN",
    "AWS_CREDENTIAL",
    "MODEL_PACKAGE_ARN",
    "EVENT_ID",
    "SOURCE_MODEL_PACKAGE_GROUP_NAME",
    "MODEL_EXECUTION_ROLE_ARN",
    "ENDPOINT_TYPE",
];

/// Numbers of days for which CloudWatch Logs keeps a log group (its API, PutRetentionPolicy).
pub const RETENTION_DAYS: [u16; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Characters that SageMaker takes in a description: everything printable, but no line breaks or control characters.
const PRINTABLE: &str = r"^[\\p{L}\\p{M}\\p{Z}\\p{S}\\p{N}\\p{P}]*$";
/// Characters that AWS takes in tags.
const TAG_TEXT: &str = r"^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]*$";
/// Characters that Jenkins refuses in item names (`Jenkins.checkGoodName`), and what makes a path.
const FOLDER: &str = r"^[^?*\\\\%!@#$^&|<>\\[\\]:;/\\p{Cc} .][^?*\\\\%!@#$^&|<>\\[\\]:;/\\p{Cc}]*(/[^?*\\\\%!@#$^&|<>\\[\\]:;/\\p{Cc} .][^?*\\\\%!@#$^&|<>\\[\\]:;/\\p{Cc}]*)*$";

fn text(min: u32, max: u32, rules: &[(&str, &str)]) -> Schema {
    let rules: Vec<_> =
        rules.iter().map(|(rule, message)| serde_json::json!({"rule": rule, "message": message})).collect();
    if rules.is_empty() {
        return json_schema!({"type": "string", "minLength": min, "maxLength": max});
    }
    json_schema!({"type": "string", "minLength": min, "maxLength": max, "x-kubernetes-validations": rules})
}

fn matching(min: u32, max: u32, pattern: &str, message: &str) -> Schema {
    text(min, max, &[(&format!("self.matches('{pattern}')"), message)])
}

fn form(form: &Form) -> Schema {
    matching(form.min, form.max, form.pattern, form.message)
}

/// Name of a SageMaker project.
pub fn project_name(_: &mut SchemaGenerator) -> Schema {
    matching(
        1,
        32,
        "^[a-zA-Z](-*[a-zA-Z0-9])*$",
        "projectName takes letters, digits and hyphens, starts with a letter and ends with a letter or digit",
    )
}

/// Description of a SageMaker project.
pub fn project_description(_: &mut SchemaGenerator) -> Schema {
    matching(0, 1024, PRINTABLE, "description takes printable characters on one line")
}

/// AWS region.
pub fn region(_: &mut SchemaGenerator) -> Schema {
    form(&Region::FORM)
}

/// AWS account id.
pub fn account_id(_: &mut SchemaGenerator) -> Schema {
    form(&AccountId::FORM)
}

/// ARN of an IAM role.
pub fn role_arn(_: &mut SchemaGenerator) -> Schema {
    form(&RoleArn::FORM)
}

/// ARN of a managed policy, an account's own or one of AWS's: path and name in the characters that IAM allows, the name at
/// most 128 (IAM quotas).
pub fn managed_policy_arn(_: &mut SchemaGenerator) -> Schema {
    matching(
        25,
        679,
        concat!(
            "^arn:",
            partition_pattern!(),
            ":iam::([0-9]{12}|aws):policy/([A-Za-z0-9_+=,.@/-]*/)?[A-Za-z0-9_+=,.@-]{1,128}$"
        ),
        "permissionsBoundaryArn is the ARN of a managed policy, such as arn:aws:iam::111122223333:policy/name; the name has at most 128 characters",
    )
}

/// ARN or ARN pattern of a portfolio principal.
pub fn principal_arn(_: &mut SchemaGenerator) -> Schema {
    matching(
        1,
        1000,
        concat!("^arn:", partition_pattern!(), ":iam::([0-9]{12})?:(role|user|group)/[A-Za-z0-9_+=,.@/*?-]+$"),
        "must be the ARN of an IAM role, user or group, or a pattern of one with an empty account",
    )
}

/// Name of an S3 bucket that can be reached over TLS by its own host name.
pub fn bucket(_: &mut SchemaGenerator) -> Schema {
    matching(
        3,
        63,
        "^[a-z0-9][a-z0-9-]*[a-z0-9]$",
        "bucket takes lower-case letters, digits and hyphens; names with dots cannot be reached over TLS",
    )
}

/// KMS key: id, alias or ARN.
pub fn kms_key_id(_: &mut SchemaGenerator) -> Schema {
    matching(1, 2048, "^[A-Za-z0-9:/_-]+$", "kmsKeyId is the id, alias or ARN of a KMS key")
}

/// Display name of a portfolio.
pub fn portfolio_name(_: &mut SchemaGenerator) -> Schema {
    matching(1, 100, PRINTABLE, "portfolio.name takes printable characters on one line")
}

/// Provider of a portfolio.
pub fn provider_name(_: &mut SchemaGenerator) -> Schema {
    matching(1, 50, PRINTABLE, "portfolio.providerName takes printable characters on one line")
}

/// Texts of a portfolio or product on one line.
pub fn catalog_text(_: &mut SchemaGenerator) -> Schema {
    matching(1, 2000, PRINTABLE, "takes printable characters on one line")
}

/// Name or owner of a product.
pub fn product_text(_: &mut SchemaGenerator) -> Schema {
    matching(1, 100, PRINTABLE, "takes printable characters on one line")
}

/// E-mail address for support.
pub fn support_email(_: &mut SchemaGenerator) -> Schema {
    matching(3, 254, r"^[^@\\s]+@[^@\\s]+$", "supportEmail is an e-mail address")
}

/// Web address for support.
pub fn support_url(_: &mut SchemaGenerator) -> Schema {
    matching(8, 2083, r"^https?://[^\\s]+$", "supportUrl is an http or https URL")
}

/// Base URL of Jenkins.
pub fn jenkins_url(_: &mut SchemaGenerator) -> Schema {
    text(
        8,
        1024,
        &[
            (
                r"self.matches('^https?://[^\\s/?#@]+(/[^\\s?#]*)?$')",
                "must be the http or https URL of Jenkins, with no user, query or fragment",
            ),
            (
                r"!self.matches('^https?://(169[.]254[.]|\\[[fF][eE]80:|\\[[fF][dD]00:[eE][cC]2:)')",
                "must not be a link-local or metadata address",
            ),
        ],
    )
}

/// Path of a Jenkins folder.
pub fn jenkins_folder(_: &mut SchemaGenerator) -> Schema {
    text(
        1,
        255,
        &[
            (
                &format!("self.matches('{FOLDER}')"),
                r"folder is a path such as team/project, of names without ? * / \ % ! @ # $ ^ & | < > [ ] : ; that do not start with a dot or blank",
            ),
            (
                "!self.endsWith('.') && !self.endsWith(' ') && !self.contains('./') && !self.contains(' /')",
                "no part of folder may end with a dot or blank",
            ),
            ("self.split('/').size() <= 8", "folder takes at most 8 parts"),
        ],
    )
}

/// Cron line of Git polling, in Jenkins' own form.
pub fn poll_schedule(_: &mut SchemaGenerator) -> Schema {
    matching(
        1,
        255,
        r"^(@(hourly|daily|midnight|weekly|monthly|annually|yearly)|[0-9H*/,()-]+( +[0-9H*/,()-]+){4})$",
        "pollSchedule is one Jenkins cron line of five fields (H is allowed), or @hourly, @daily, @midnight, @weekly, @monthly or @yearly",
    )
}

/// Id of a Jenkins credential.
pub fn credentials_id(_: &mut SchemaGenerator) -> Schema {
    matching(
        1,
        255,
        "^[A-Za-z0-9._-]+$",
        "takes letters, digits, dots, underscores and hyphens, as Jenkins does in credential ids",
    )
}

/// HTTPS URL of a Git repository; the project template asks for three characters after the host's first.
pub fn repository_url(_: &mut SchemaGenerator) -> Schema {
    matching(
        12,
        1024,
        r"^https://[^\\s/?#@]+/[^\\s?#@]+$",
        "url is the https clone URL of the repository, with no user, query or fragment",
    )
}

/// Branch.
pub fn branch(_: &mut SchemaGenerator) -> Schema {
    text(
        1,
        255,
        &[
            (
                "self.matches('^[A-Za-z0-9_][A-Za-z0-9_./+-]*$')",
                "branch takes letters, digits and _ . / + -, and starts with a letter or digit",
            ),
            (
                "!self.contains('..') && !self.contains('//') && !self.contains('/.') && !self.endsWith('/') && !self.endsWith('.') && !self.endsWith('.lock')",
                "branch must be a valid Git branch name",
            ),
        ],
    )
}

/// `owner/name` of a repository. Names of Azure DevOps have blanks, ampersands and brackets, those of a person in Bitbucket
/// begin with `~`.
pub fn full_name(_: &mut SchemaGenerator) -> Schema {
    matching(
        3,
        255,
        "^[A-Za-z0-9_.~()&-]([A-Za-z0-9_.~()& -]*[A-Za-z0-9_.~()&-])?(/[A-Za-z0-9_.~()&-]([A-Za-z0-9_.~()& -]*[A-Za-z0-9_.~()&-])?)+$",
        "fullName is the repository's owner and name, such as team/model-build: letters, digits, blanks within a name, and . _ - ~ ( ) &",
    )
}

/// Name of a repository below a platform's base URL: the last parts of a full name.
pub fn repository_name(_: &mut SchemaGenerator) -> Schema {
    matching(
        1,
        255,
        "^[A-Za-z0-9_.~()&-]([A-Za-z0-9_.~()& -]*[A-Za-z0-9_.~()&-])?(/[A-Za-z0-9_.~()&-]([A-Za-z0-9_.~()& -]*[A-Za-z0-9_.~()&-])?)*$",
        "name is the repository's name below the platform's git.baseUrl, such as taxi-build: letters, digits, blanks within a name, and . _ - ~ ( ) &",
    )
}

/// ARN of a Git connection.
pub fn connection_arn(_: &mut SchemaGenerator) -> Schema {
    form(&ConnectionArn::FORM)
}

/// URL of a zip file with seed code, in signs that need no quoting anywhere on its way.
pub fn archive_url(_: &mut SchemaGenerator) -> Schema {
    text(
        10,
        1024,
        &[
            (
                r"self.matches('^(https://[A-Za-z0-9.-]+(:[0-9]{1,5})?|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/[A-Za-z0-9._~%/+,=!*()-]+$')",
                "must be https://host/path or s3://bucket/key of a zip file, with no user, query, fragment or blank",
            ),
            ("!self.startsWith('https://169.254.')", "must not be a link-local or metadata address"),
        ],
    )
}

/// SHA-256 in hex.
pub fn sha256(_: &mut SchemaGenerator) -> Schema {
    form(&Sha256::FORM)
}

/// ARN of an SNS topic that an alarm can reach: one without FIFO.
pub fn topic_arn(_: &mut SchemaGenerator) -> Schema {
    matching(
        24,
        303,
        concat!("^arn:", partition_pattern!(), ":sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$"),
        "alarmTopicArn is the ARN of an SNS topic that is no FIFO topic, such as arn:aws:sns:eu-central-1:111122223333:alarms",
    )
}

/// Days for which a log is kept.
pub fn retention_days(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "enum": RETENTION_DAYS})
}

/// Name of a template parameter.
pub fn parameter_name(_: &mut SchemaGenerator) -> Schema {
    matching(1, 255, "^[A-Za-z0-9]+$", "a template parameter's name takes letters and digits")
}

/// Value of a template parameter: SageMaker takes any character but those that end a line.
pub fn parameter_value(_: &mut SchemaGenerator) -> Schema {
    matching(
        0,
        4096,
        r"^[^\\n\\r\\x{85}\\x{2028}\\x{2029}]*$",
        "a template parameter's value has no line breaks, since SageMaker takes none",
    )
}

/// A template that the operator bundles.
pub fn built_in_template(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["jenkins-git-v1"]})
}

/// What happens to the resources when an object is deleted.
pub fn deletion_policy(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["Delete", "Retain"]})
}

/// Name of a Kubernetes object.
pub fn object_name(_: &mut SchemaGenerator) -> Schema {
    matching(
        1,
        253,
        "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        "must be the name of an object in this namespace: lower-case letters, digits, dots and hyphens",
    )
}

/// Key of a Secret or ConfigMap.
pub fn data_key(_: &mut SchemaGenerator) -> Schema {
    matching(1, 253, "^[A-Za-z0-9_.-]+$", "must be a key of it: letters, digits, dots, underscores and hyphens")
}

/// Subnet id.
pub fn subnet_ids(_: &mut SchemaGenerator) -> Schema {
    ids("subnet", 16)
}

/// Security group id.
pub fn security_group_ids(_: &mut SchemaGenerator) -> Schema {
    ids("sg", 5)
}

fn ids(prefix: &str, max: u32) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": max, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "maxLength": 32, "x-kubernetes-validations": [
            {"rule": format!("self.matches('^{prefix}-[0-9a-f]+$')"), "message": format!("must be an id such as {prefix}-0a1b2c3d")}]}
    })
}

/// Tags that a user may set: what all of AWS takes, less the keys that others own. CodeBuild, which checks seed code in,
/// takes one character less than others do (its API, Tag).
pub fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 15, "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 255},
        "x-kubernetes-validations": [
            {"rule": "self.all(key, size(key) >= 1 && size(key) <= 127)", "message": "a tag's key has 1 to 127 characters"},
            {"rule": format!("self.all(key, key.matches('{TAG_TEXT}') && self[key].matches('{TAG_TEXT}'))"), "message": "tags take letters, digits, blanks and _ . : / = + - @"},
            {"rule": "self.all(key, !['aws:', 'sagemaker:', 'mlops-operator.io/'].exists(prefix, key.lowerAscii().startsWith(prefix)))", "message": "tag keys that start with aws:, sagemaker: or mlops-operator.io/, in any case of letters, are reserved"},
            {"rule": "self.all(key, self.exists_one(other, other.lowerAscii() == key.lowerAscii()))", "message": "tag keys that differ by case alone are one key to some services of AWS"}
        ]
    })
}

/// Further string parameters of the Jenkins jobs.
pub fn extra_parameters(_: &mut SchemaGenerator) -> Schema {
    let reserved = RESERVED_JOB_PARAMETERS.map(|name| format!("'{name}'")).join(", ");
    json_schema!({
        "type": "object", "maxProperties": 20, "additionalProperties": {"type": "string", "maxLength": 1024},
        "x-kubernetes-validations": [
            {"rule": "self.all(name, size(name) <= 64 && name.matches('^[A-Za-z_][A-Za-z0-9_]*$'))", "message": "a job parameter's name has at most 64 letters, digits and underscores, and does not start with a digit"},
            {"rule": format!("self.all(name, !(name in [{reserved}]))"), "message": format!("these job parameters are set by the operator: {}", RESERVED_JOB_PARAMETERS.join(", "))},
            {"rule": format!("self.all(name, self[name].matches('{PRINTABLE}'))"), "message": "a job parameter's default takes printable characters on one line"}
        ]
    })
}

/// Jobs that an approved model starts.
pub fn trigger_jobs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 2, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "enum": ["Deploy", "Endpoint"]}
    })
}

/// Approval statuses that start the deploy jobs.
pub fn approval_statuses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "maxItems": 3, "x-kubernetes-list-type": "set",
        "items": {"type": "string", "enum": ["Approved", "Rejected", "PendingManualApproval"]}
    })
}
