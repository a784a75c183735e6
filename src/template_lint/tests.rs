//! One row per finding of the linter: a good template (the one that ships as an example), one edit, what is said.
#![allow(clippy::unwrap_used, clippy::panic)]

use jiff::civil::{Date, date};

use super::{Code, DeclaredParameter, Finding, Severity, contract, declared_parameters, lint, refusal};
use crate::templates::project_template;

const GOOD: &str = include_str!("../../examples/templates/batch-scoring.yaml");
const TODAY: Date = date(2026, 11, 24);

/// Severity, code and path of each finding.
fn told(text: &str) -> Vec<String> {
    lint(text, TODAY).iter().map(short).collect()
}

fn short(finding: &Finding) -> String {
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    let code = serde_json::to_value(finding.code).unwrap();
    format!("{severity} {} {}", code.as_str().unwrap(), finding.path).trim_end().to_owned()
}

/// The good template with the first occurrence of a text replaced.
fn edited(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good template has {from:?}");
    GOOD.replacen(from, to, 1)
}

type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

fn hold(rows: &[Row]) {
    for (sentence, from, to, expected) in rows {
        let text = edited(from, to);
        assert_eq!(told(&text), *expected, "{sentence}");
        let line = text.lines().count();
        for finding in lint(&text, TODAY) {
            assert!((1..=line).contains(&finding.line), "{sentence}: line {}", finding.line);
            assert!(!finding.message.is_empty() && !finding.hint.is_empty(), "{sentence}");
        }
    }
}

/// A resource put in front of those that are there.
fn with_resource(resource: &str) -> String {
    edited("Resources:\n", &format!("Resources:\n{resource}"))
}

fn with_parameter(parameter: &str) -> String {
    edited("Parameters:\n  SageMakerProjectName", &format!("Parameters:\n{parameter}  SageMakerProjectName"))
}

const TAGS: &str = "      Tags: [{Key: sagemaker:project-name, Value: n}, {Key: sagemaker:project-id, Value: i}]\n";

#[test]
fn templates_that_ship_with_the_operator_have_nothing_to_complain_of() {
    assert_eq!(told(GOOD), [""; 0]);
    assert_eq!(told(project_template("jenkins-git-v1").unwrap()), [""; 0]);
}

#[test]
fn what_is_no_template_is_said_with_line_and_column() {
    let rows = [
        ("an empty file", "", "error not-a-template", (1, 1)),
        ("a comment alone", "# nothing\n", "error not-a-template", (1, 1)),
        ("a text", "hello", "error not-a-template", (1, 1)),
        ("a list", "- a\n- b\n", "error not-a-template", (1, 1)),
        ("a bracket that stays open", "Resources: [\n", "error not-yaml", (2, 1)),
        ("a tab as indentation", "Resources:\n\tA: {Type: T}\n", "error not-yaml", (2, 2)),
        ("two values on a line", "Resources:\n  A: b: c\n", "error not-yaml", (2, 7)),
        ("an alias", "a: &x 1\nb: *x\n", "error unsupported-yaml", (2, 4)),
        ("a merge", "a:\n  <<: {b: c}\n", "error unsupported-yaml", (2, 3)),
        ("a binary value", "a: !!binary aGVsbG8=\n", "error unsupported-yaml", (1, 4)),
        ("a second document", "a: b\n---\nc: d\n", "error not-a-template", (2, 1)),
        ("a list as a key", "? [a]\n: b\n", "error not-a-template", (1, 3)),
        ("JSON that ends too soon", "{\"Resources\": {\n", "error not-yaml", (2, 1)),
    ];
    for (sentence, text, expected, place) in rows {
        let findings = lint(text, TODAY);
        let first = findings.first().unwrap_or_else(|| panic!("{sentence}: something is said"));
        assert_eq!(short(first), expected, "{sentence}");
        assert_eq!((first.line, first.column), place, "{sentence}: {}", first.message);
    }
}

#[test]
fn json_is_read_as_yaml_is() {
    let document: serde_yaml::Value = serde_yaml::from_str(
        "Parameters: {SageMakerProjectName: {Type: String}, SageMakerProjectId: {Type: String}}\n\
         Resources: {B: {Type: 'AWS::S3::Bucket', Properties: {BucketName: {'Fn::Sub': 'x-${Nothing}/\\ü😀'}}}}\n",
    )
    .unwrap();
    for json in [serde_json::to_string(&document).unwrap(), serde_json::to_string_pretty(&document).unwrap()] {
        for json in [json.replace("  ", "\t"), json.replace('/', "\\/"), json] {
            let findings = lint(&json, TODAY);
            let unresolved: Vec<_> = findings.iter().filter(|finding| finding.code == Code::Unresolved).collect();
            let [finding] = unresolved[..] else { panic!("one name points nowhere: {findings:?}") };
            assert_eq!(finding.path, "Resources/B/Properties/BucketName");
        }
    }
}

#[test]
fn the_form_of_the_whole() {
    hold(&[
        ("a section that CloudFormation does not have", "Outputs:", "Output:", &["error not-a-template Output"]),
        (
            "another format version",
            "\"2010-09-09\"",
            "\"2011-01-01\"",
            &["error not-a-template AWSTemplateFormatVersion"],
        ),
        ("the format version as a date without quotes", "\"2010-09-09\"", "2010-09-09", &[]),
        (
            "a resource without a type",
            "    Type: AWS::SQS::Queue\n",
            "",
            &["error not-a-template Resources/ScoredBatches"],
        ),
        (
            "a name with a dash",
            "  ArtifactBucket:\n",
            "  Artifact-Bucket:\n",
            &["error not-a-template Outputs/Artifact-Bucket"],
        ),
        (
            "a key that stands twice",
            "      MessageRetentionPeriod: 1209600\n",
            "      MessageRetentionPeriod: 60\n      MessageRetentionPeriod: 61\n",
            &["error duplicate-key"],
        ),
        (
            "a function that does not exist",
            "!Sub sagemaker-project",
            "!Substitute sagemaker-project",
            &[
                "warning contract Resources",
                "error unknown-function",
                "error name-characters Resources/Bucket/Properties/BucketName",
                "warning shared-name Resources/Bucket/Properties/BucketName",
            ],
        ),
    ]);
}

#[test]
fn what_is_too_much() {
    let many = |count: usize| (0..count).map(|n| format!("  P{n}: {{Type: String, Default: a}}\n")).collect::<String>();
    let rows = [
        ("201 parameters", with_parameter(&many(201)), "error limit-exceeded Parameters"),
        (
            "501 resources",
            with_resource(&(0..501).map(|n| format!("  R{n}: {{Type: Custom::Thing}}\n")).collect::<String>()),
            "error limit-exceeded Resources",
        ),
        (
            "a name of 256 letters",
            with_resource(&format!("  {}: {{Type: T}}\n", "a".repeat(256))),
            "error not-a-template",
        ),
        (
            "a description of 1025 bytes",
            GOOD.replace("Description: A SageMaker", &format!("Description: {} A SageMaker", "a".repeat(1025))),
            "error limit-exceeded Description",
        ),
        ("a megabyte", format!("{GOOD}#{}", "a".repeat(1_000_000)), "error limit-exceeded"),
        ("a hundred thousand values", format!("a: [{}]", "a,".repeat(100_000)), "error limit-exceeded"),
        ("lists a hundred deep", format!("a: {}", "[".repeat(200)), "error limit-exceeded"),
    ];
    for (sentence, text, expected) in rows {
        let told = told(&text);
        assert!(told.iter().any(|finding| finding.starts_with(expected)), "{sentence}: {told:?}");
    }
}

#[test]
fn the_parameters_that_sagemaker_fills_in() {
    let id = "    Description: Id of the project; SageMaker fills it in\n";
    hold(&[
        (
            "the id is not declared",
            "  SageMakerProjectId:\n",
            "  SageMakerProjectID:\n",
            &[
                "error project-parameter Parameters",
                "warning parameter-to-give Parameters/SageMakerProjectID",
                "warning operator-parameter Parameters/SageMakerProjectID",
                "error unresolved Resources/Bucket/Properties/BucketName",
                "error unresolved Resources/Bucket/Properties/Tags/1/Value",
                "error unresolved Resources/ModelPackageGroup/Properties/ModelPackageGroupName",
                "error unresolved Resources/ModelPackageGroup/Properties/Tags/1/Value",
                "error unresolved Resources/PreprocessCodeRepository/Properties/Tags/1/Value",
                "error unresolved Resources/ModelBuildCodeRepository/Properties/Tags/1/Value",
                "error unresolved Resources/ScoringCodeRepository/Properties/Tags/1/Value",
                "error unresolved Resources/ScoredBatches/Properties/QueueName/Fn::Join/1/1",
                "error unresolved Resources/ScoredBatches/Properties/Tags/1/Value",
            ],
        ),
        (
            "the name is a number",
            "  SageMakerProjectName:\n    Type: String",
            "  SageMakerProjectName:\n    Type: Number",
            &["error project-parameter Parameters/SageMakerProjectName"],
        ),
        (
            "the id may be short only",
            "MaxLength: 20",
            "MaxLength: 10",
            &["error value-refused Parameters/SageMakerProjectId"],
        ),
        (
            "the id's pattern does not know its hyphen",
            id,
            "    AllowedPattern: '[a-z0-9]+'\n",
            &["error value-refused Parameters/SageMakerProjectId"],
        ),
        (
            "names that the operator allows are refused, others not",
            "MaxLength: 32",
            "MaxLength: 20",
            &["warning value-refused Parameters/SageMakerProjectName"],
        ),
        (
            "every name is refused",
            "^[a-zA-Z](-*[a-zA-Z0-9])*$",
            "'[0-9]+'",
            &["error value-refused Parameters/SageMakerProjectName"],
        ),
    ]);
}

#[test]
fn patterns_lengths_and_defaults() {
    let pattern = "^[a-z0-9-]{1,20}$";
    let path = "Parameters/CostCentre/AllowedPattern";
    for (sentence, to, expected) in [
        ("a bracket that stays open", "'[a-z'", format!("error pattern {path}")),
        ("a group that stays open", "'(a'", format!("error pattern {path}")),
        ("nothing to repeat", "'*a'", format!("error pattern {path}")),
        ("look-ahead, which only Java's engine has", "'(?!aws).*'", format!("warning pattern {path}")),
        ("a back reference", r"'(a)\1'", format!("warning pattern {path}")),
        ("a pattern that would take much memory", "'((a{500}){500}){500}'", format!("warning pattern {path}")),
        (
            "a default that the pattern refuses",
            "'[0-9]+'",
            "error default-refused Parameters/CostCentre/Default".into(),
        ),
        (
            "a pattern must match all of the value",
            "'non'",
            "error default-refused Parameters/CostCentre/Default".into(),
        ),
    ] {
        assert_eq!(told(&edited(pattern, to)), [expected], "{sentence}");
    }
    let listed = edited("    Default: none\n", "    Default: none\n    AllowedValues: [a, b]\n");
    assert_eq!(told(&listed), ["error default-refused Parameters/CostCentre/Default"], "a default that is not listed");
}

#[test]
fn the_parameters_that_the_operator_fills_in() {
    let rows = [
        (
            "the operator's URL is refused",
            edited("AllowedPattern: ^https://.+$", "AllowedPattern: ^http://.+$"),
            "error value-refused Parameters/ModelPreprocessCodeRepositoryUrl",
        ),
        (
            "connections of the old name only",
            with_parameter(
                "  ModelBuildCodeRepositoryCodestarConnectionArn: {Type: String, AllowedPattern: 'arn:aws:codestar-connections:.*'}\n",
            ),
            "warning value-refused Parameters/ModelBuildCodeRepositoryCodestarConnectionArn",
        ),
        (
            "a list where a text is filled in",
            with_parameter("  ModelBuildCodeRepositoryFullname: {Type: CommaDelimitedList}\n"),
            "error operator-parameter Parameters/ModelBuildCodeRepositoryFullname",
        ),
        (
            "a name in other letters",
            with_parameter("  ModelBuildCodeRepositoryFullName: {Type: String, Default: a}\n"),
            "warning operator-parameter Parameters/ModelBuildCodeRepositoryFullName",
        ),
        (
            "the optional repository must be there",
            with_parameter("  ModelDeployEndpointCodeRepositoryUrl: {Type: String, MinLength: 1}\n"),
            "warning value-refused Parameters/ModelDeployEndpointCodeRepositoryUrl",
        ),
        (
            "what every project must give",
            edited("    Default: none\n", ""),
            "warning parameter-to-give Parameters/CostCentre",
        ),
    ];
    for (sentence, text, expected) in rows {
        assert_eq!(told(&text), [expected], "{sentence}");
    }
    let without = GOOD.replace("ModelPreprocessCodeRepository", "Ours");
    let told = told(&without);
    assert_eq!(told[0], "warning operator-parameter Parameters", "a repository that the template does not know");
    assert!(
        told[1..].iter().all(|finding| finding.starts_with("warning parameter-to-give Parameters/Ours")),
        "{told:?}"
    );
}

#[test]
fn secrets_that_everybody_can_read() {
    let readable = "warning readable-secret Parameters/";
    let rows: [(&str, &str, &[&str]); 6] = [
        ("a password that is echoed", "DatabasePassword: {Type: String, Default: ''}", &[readable]),
        ("a token with a default", "ApiToken: {Type: String, Default: abc, NoEcho: true}", &[readable]),
        ("both", "ApiToken: {Type: String, Default: abc}", &[readable, readable]),
        ("a hidden one", "ApiToken: {Type: String, Default: '', NoEcho: true}", &[]),
        ("where a secret is, is no secret", "TokenSecretArn: {Type: String, Default: ''}", &[]),
        ("yes or no is no secret", "UseToken: {Type: String, Default: 'no', AllowedValues: ['yes', 'no']}", &[]),
    ];
    for (sentence, parameter, expected) in rows {
        let told = told(&with_parameter(&format!("  {parameter}\n")));
        assert_eq!(told.len(), expected.len(), "{sentence}: {told:?}");
        assert!(told.iter().zip(expected).all(|(told, expected)| told.starts_with(expected)), "{sentence}: {told:?}");
    }
}

#[test]
fn names_that_point_nowhere() {
    let queue = "Resources/ScoredBatches";
    for (sentence, from, to, path) in [
        ("Ref", "!Ref ScoredBatches", "!Ref Scored", "Outputs/ScoredBatches/Value".to_owned()),
        ("GetAtt in its short form", "!Ref ScoredBatches", "!GetAtt Scored.Arn", "Outputs/ScoredBatches/Value".into()),
        ("GetAtt as a list", "!Ref ScoredBatches", "{Fn::GetAtt: [Scored, Arn]}", "Outputs/ScoredBatches/Value".into()),
        ("Sub", "!Ref ScoredBatches", "!Sub 'a ${Scored.Arn}'", "Outputs/ScoredBatches/Value".into()),
        (
            "a condition of If",
            "          - HasCostCentre\n",
            "          - HasCentre\n",
            "Resources/Bucket/Properties/Tags/2".into(),
        ),
        (
            "a condition of a resource",
            "    Type: AWS::SQS::Queue\n",
            "    Type: AWS::SQS::Queue\n    Condition: No\n",
            format!("{queue}/Condition"),
        ),
        (
            "DependsOn",
            "    Type: AWS::SQS::Queue\n",
            "    Type: AWS::SQS::Queue\n    DependsOn: [Bucket, No]\n",
            format!("{queue}/DependsOn"),
        ),
        ("FindInMap", "!Ref ScoredBatches", "!FindInMap [No, a, b]", "Outputs/ScoredBatches/Value".into()),
        (
            "a resource in a condition",
            "!Ref CostCentre, none",
            "!Ref Bucket, none",
            "Conditions/HasCostCentre/Fn::Not/0/Fn::Equals/0".into(),
        ),
        (
            "another condition in a condition",
            "!Not [!Equals [!Ref CostCentre, none]]",
            "!Not [!Condition No]",
            "Conditions/HasCostCentre/Fn::Not/0".into(),
        ),
    ] {
        assert_eq!(told(&edited(from, to)), [format!("error unresolved {path}")], "{sentence}");
    }
    for (sentence, to) in [
        ("a pseudo parameter", "!Sub '${AWS::StackName}'"),
        ("a variable of Sub's own", "!Sub ['${X}', {X: !Ref Bucket}]"),
        ("a literal ${!X}", "!Sub '${!X} ${ScoredBatches.Arn}'"),
        ("an attribute with dots", "!GetAtt ScoredBatches.Some.Arn"),
    ] {
        assert_eq!(told(&edited("!Ref ScoredBatches", to)), [""; 0], "{sentence}");
    }
}

#[test]
fn names_that_do_not_fit_their_type() {
    const LONG: &[&str] = &["error name-too-long"];
    const CHARACTERS: &[&str] = &["error name-characters"];
    const SHARED: &[&str] = &["warning shared-name"];
    let rows: [(&str, &str, &str, &[&str]); 22] = [
        // 10 + 32 + 1 + 20 + 11 = 74
        (
            "a rule",
            "AWS::Events::Rule",
            "Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-event-rule",
            LONG,
        ),
        (
            "the same by Join",
            "AWS::Events::Rule",
            "Name: !Join ['-', [sagemaker, !Ref SageMakerProjectName, !Ref SageMakerProjectId, event-rule]]",
            LONG,
        ),
        (
            "the same by a variable",
            "AWS::Events::Rule",
            "Name: !Sub ['${A}-event-rule-12345', {A: !Sub '${SageMakerProjectName}-${SageMakerProjectId}'}]",
            LONG,
        ),
        (
            "one that just fits 64",
            "AWS::Events::Rule",
            "Name: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-event-rule",
            &[],
        ),
        (
            "exactly 64",
            "AWS::Lambda::Function",
            "FunctionName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-1234567890",
            &[],
        ),
        (
            "one more",
            "AWS::Lambda::Function",
            "FunctionName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-12345678901",
            LONG,
        ),
        (
            "a code repository of 63",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-123456789",
            &[],
        ),
        (
            "a code repository of 64",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-1234567890",
            LONG,
        ),
        (
            "a build project has 150",
            "AWS::CodeBuild::Project",
            "Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-git-seedcodecheckin",
            &[],
        ),
        (
            "region and account count",
            "AWS::S3::Bucket",
            "BucketName: !Sub sagemaker-${SageMakerProjectId}-${AWS::AccountId}-${AWS::Region}-data1",
            LONG,
        ),
        (
            "a role",
            "AWS::IAM::Role",
            "RoleName: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-build",
            LONG,
        ),
        (
            "the longer one of two",
            "AWS::SQS::Queue",
            "QueueName: !If [HasCostCentre, !Ref AWS::NoValue, !Sub '${SageMakerProjectName}-${SageMakerProjectId}-123456789012345678901234567890']",
            LONG,
        ),
        (
            "a parameter's own length",
            "AWS::CodePipeline::Pipeline",
            "Name: !Sub ${CostCentre}-${SageMakerProjectId}",
            &[],
        ),
        ("an unknown part counts nothing", "AWS::Logs::LogGroup", "LogGroupName: !Sub /aws/lambda/${Bucket}", &[]),
        (
            "a bucket with the project's name",
            "AWS::S3::Bucket",
            "BucketName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}",
            CHARACTERS,
        ),
        ("a bucket with capitals", "AWS::S3::Bucket", "BucketName: !Sub Data-${SageMakerProjectId}", CHARACTERS),
        (
            "a group with an underscore",
            "AWS::SageMaker::Endpoint",
            "EndpointName: !Sub ${SageMakerProjectName}_x",
            CHARACTERS,
        ),
        (
            "an image repository with the project's name",
            "AWS::ECR::Repository",
            "RepositoryName: !Sub ml/${SageMakerProjectName}",
            CHARACTERS,
        ),
        ("one name for all projects", "AWS::SNS::Topic", "TopicName: approvals", SHARED),
        ("one name for all, by account", "AWS::SNS::Topic", "TopicName: !Sub approvals-${AWS::AccountId}", SHARED),
        ("no name", "AWS::SNS::Topic", "DisplayName: approvals", &[]),
        ("a type that is not known", "AWS::Unheard::Of", "Name: approvals", &[]),
    ];
    for (sentence, kind, property, expected) in rows {
        let text = with_resource(&format!(
            "  Thing:\n    Type: {kind}\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      {property}\n{TAGS}"
        ));
        let about_names = |finding: &&Finding| finding.code != Code::IamResources;
        let told: Vec<_> = lint(&text, TODAY).iter().filter(about_names).map(short).collect();
        let property = property.split(':').next().unwrap();
        let expected: Vec<_> =
            expected.iter().map(|code| format!("{code} Resources/Thing/Properties/{property}")).collect();
        assert_eq!(told, expected, "{sentence}");
    }
}

#[test]
fn a_template_that_shortens_names_may_build_longer_ones_from_them() {
    let rule = "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-rule\n";
    let long = with_resource(&format!("{rule}{TAGS}"));
    assert_eq!(told(&long), ["error name-too-long Resources/Rule/Properties/Name"]);
    let short = long.replace("MaxLength: 32", "MaxLength: 12");
    assert_eq!(told(&short), ["warning value-refused Parameters/SageMakerProjectName"]);
}

#[test]
fn a_name_that_is_too_long_is_said_with_its_lengths() {
    let text = with_resource(&format!(
        "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      Name: !Sub sagemaker-${{SageMakerProjectName}}-${{SageMakerProjectId}}-event-rule\n{TAGS}"
    ));
    let [finding] = &lint(&text, TODAY)[..] else { panic!("one finding") };
    assert_eq!(
        finding.message,
        "the name \"sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-event-rule\" can have 74 characters \
         (SageMakerProjectName up to 32, SageMakerProjectId up to 20); Name of AWS::Events::Rule takes 64 \
         (CloudFormation's schema of the type)"
    );
    assert_eq!(text.lines().nth(finding.line - 1).unwrap().trim().split(' ').next(), Some("Name:"));
}

#[test]
fn resources_and_what_becomes_of_them() {
    let rows: [(&str, String, &[&str]); 14] = [
        (
            "a bucket that goes with the project",
            edited("    DeletionPolicy: RetainExceptOnCreate\n", ""),
            &["warning deletion-blocked Resources/Bucket"],
        ),
        (
            "a bucket that stays only when the project goes",
            edited("    UpdateReplacePolicy: Retain\n", ""),
            &["warning deletion-blocked Resources/Bucket"],
        ),
        (
            "a table that takes its content along",
            with_resource(&format!("  Table:\n    Type: AWS::DynamoDB::Table\n    Properties:\n{TAGS}")),
            &["warning data-lost Resources/Table"],
        ),
        (
            "a bucket under a name that the operator does not know",
            edited("sagemaker-project-${", "project-${"),
            &["warning contract Resources"],
        ),
        (
            "a model package group without the name that the operator knows",
            edited("      ModelPackageGroupName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}\n", ""),
            &["warning contract Resources"],
        ),
        (
            "a resource without tags",
            with_resource("  Topic: {Type: 'AWS::SNS::Topic'}\n"),
            &["warning missing-tags Resources/Topic/Properties/Tags"],
        ),
        (
            "a resource with one of the tags",
            edited(
                "        - Key: sagemaker:project-name\n          Value: !Ref SageMakerProjectName\n        - Key: sagemaker:project-id\n          Value: !Ref SageMakerProjectId\n\n",
                "        - Key: sagemaker:project-id\n          Value: x\n\n",
            ),
            &["warning missing-tags Resources/ModelPackageGroup/Properties/Tags"],
        ),
        (
            "tags that a condition decides",
            with_resource("  Topic: {Type: 'AWS::SNS::Topic', Properties: {Tags: !If [HasCostCentre, [], []]}}\n"),
            &[],
        ),
        (
            "tags as a mapping",
            with_resource(
                "  P: {Type: 'AWS::SSM::Parameter', Properties: {Tags: {'sagemaker:project-id': a, 'sagemaker:project-name': b}}}\n",
            ),
            &[],
        ),
        (
            "a role whose name AWS chooses",
            with_resource(&format!("  Role:\n    Type: AWS::IAM::Role\n    Properties:\n{TAGS}")),
            &["warning iam-resources Resources/Role"],
        ),
        (
            "a role with a name",
            with_resource(&format!(
                "  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: !Sub build-${{SageMakerProjectId}}\n{TAGS}"
            )),
            &["warning iam-resources Resources/Role", "warning iam-resources Resources/Role/Properties"],
        ),
        (
            "a nested stack",
            with_resource(&format!("  Nested:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n{TAGS}")),
            &["warning not-judged Resources/Nested"],
        ),
        (
            "a transform, after which names may come from nowhere",
            edited("Outputs:\n", "Transform: AWS::Serverless-2016-10-31\nOutputs:\n  A: {Value: !Ref Nothing}\n"),
            &["warning not-judged Transform"],
        ),
        (
            "a custom resource takes no tags",
            with_resource("  C: {Type: 'Custom::Thing', Properties: {ServiceToken: !GetAtt Bucket.Arn}}\n"),
            &[],
        ),
    ];
    for (sentence, text, expected) in rows {
        assert_eq!(told(&text), expected, "{sentence}");
    }
}

#[test]
fn what_is_written_for_one_place_only() {
    let rows = [
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", "the partition aws"),
        (
            "arn:aws-cn:sns:cn-north-1:111122223333:topic",
            "the partition aws-cn, the account 111122223333, the region cn-north-1",
        ),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/x", "the region eu-west-1, the account 111122223333"),
        ("codestar-connections.us-gov-west-1.amazonaws.com", "the region us-gov-west-1"),
    ];
    for (value, expected) in rows {
        let text = edited("    Value: !Ref ScoredBatches", &format!("    Value: '{value}'"));
        let [finding] = &lint(&text, TODAY)[..] else { panic!("one finding for {value}") };
        assert_eq!(short(finding), "warning hard-coded Outputs/ScoredBatches/Value");
        assert_eq!(finding.message, format!("{value:?} has {expected} written into it"));
    }
    for value in
        ["!Sub 'arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess'", "'call 111122223333'", "'us-east-coast'"]
    {
        let text = edited("    Value: !Ref ScoredBatches", &format!("    Value: {value}"));
        assert_eq!(told(&text), [""; 0], "{value}");
    }
}

#[test]
fn lambda_runtimes_by_the_day() {
    let text = |runtime: &str| {
        with_resource(&format!(
            "  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Runtime: {runtime}\n{TAGS}"
        ))
    };
    let rows = [
        ("not deprecated yet", "python3.8", date(2024, 10, 13), None),
        ("deprecated", "python3.8", date(2024, 10, 14), Some("warning")),
        ("no longer made", "python3.8", date(2027, 2, 1), Some("error")),
        ("gone long ago", "nodejs12.x", TODAY, Some("error")),
        ("current", "python3.14", TODAY, None),
        ("not known", "cobol", TODAY, None),
    ];
    for (sentence, runtime, today, severity) in rows {
        let told: Vec<_> = lint(&text(runtime), today).iter().map(short).collect();
        let expected: Vec<_> =
            severity.iter().map(|severity| format!("{severity} runtime Resources/F/Properties/Runtime")).collect();
        assert_eq!(told, expected, "{sentence}");
    }
}

#[test]
fn the_operator_launches_from_templates_without_errors_but_for_retired_runtimes() {
    let function = |runtime: &str| {
        let text = format!("  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Runtime: {runtime}\n{TAGS}");
        refusal(&with_resource(&text), TODAY).map(|finding| short(&finding))
    };
    assert_eq!(refusal(GOOD, TODAY), None);
    assert_eq!(function("nodejs12.x"), None, "functions that exist go on");
    assert_eq!(refusal(&edited("    Default: none\n", ""), TODAY), None, "a warning is no error");
    let two = edited("MaxLength: 20", "MaxLength: 10").replace("!Ref ScoredBatches", "!Ref Nothing");
    let first = refusal(&two, TODAY).unwrap();
    assert_eq!(short(&first), "error value-refused Parameters/SageMakerProjectId", "the first of two");
    assert_eq!(two.lines().nth(first.line - 1), Some("  SageMakerProjectId:"));
}

#[test]
fn findings_come_in_the_order_of_lines() {
    let text = edited("    Default: none\n", "").replace("!Ref ScoredBatches", "!Ref Nothing");
    let lines: Vec<_> = lint(&text, TODAY).iter().map(|finding| finding.line).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.is_sorted());
}

#[test]
fn every_finding_is_short_whatever_stands_in_the_file() {
    let text = edited("!Ref ScoredBatches", &format!("!Ref {}", "x".repeat(100_000)));
    for Finding { message, hint, .. } in lint(&text, TODAY) {
        assert!(message.len() < 500 && hint.len() < 500, "{message}");
    }
}

#[test]
fn what_counts_as_filled_in_is_told_apart_from_what_users_give() {
    assert!(contract::filled_by_operator("ModelBuildCodeRepositoryUrl"));
    assert!(contract::filled_by_operator("ModelDeployEndpointCodeRepositorySeedCodeSha256"));
    for name in ["SageMakerProjectName", "CostCentre", "ArtifactBucketKmsKeyArn"] {
        assert!(!contract::filled_by_operator(name), "{name}");
    }
}

#[test]
fn the_template_declares_what_the_operator_fills_in() {
    let declared = declared_parameters(project_template("jenkins-git-v1").unwrap());
    for repository in ["ModelPreprocess", "ModelBuild", "ModelDeploy", "ModelDeployEndpoint"] {
        // A project without endpoints leaves the whole of that repository out.
        let optional = repository == "ModelDeployEndpoint";
        for (part, has_default) in [
            ("Url", optional),
            ("Branch", true),
            ("Fullname", optional),
            ("CodestarConnectionArn", optional),
            ("IsSeedcodeRequired", true),
            ("SeedCodeUrl", true),
            ("SeedCodeSha256", true),
        ] {
            let wanted = DeclaredParameter { has_default, no_echo: false };
            assert_eq!(declared.get(&format!("{repository}CodeRepository{part}")), Some(&wanted));
        }
    }
    assert!(!declared["SageMakerProjectName"].has_default);
    let optional =
        ["ArtifactBucketKmsKeyArn", "SeedCodeBootstrapBucket", "SeedCodeBootstrapKey", "UseRoleArn", "CheckInRoleArn"];
    for parameter in optional {
        assert!(declared[parameter].has_default, "{parameter}");
    }
    assert_eq!(declared.len(), 35);
}

#[test]
fn only_no_echo_true_hides_a_parameter() {
    let rows = [
        ("nothing said", "{Type: String}", false),
        ("as the user guide has it", "{Type: String, NoEcho: true}", true),
        ("in quotes", "{Type: String, NoEcho: 'true'}", true),
        ("in JSON", r#"{"Type": "String", "NoEcho": true}"#, true),
        ("in capitals", "{Type: String, NoEcho: TRUE}", false),
        ("as YAML 1.1 may say it", "{Type: String, NoEcho: yes}", false),
        ("a number", "{Type: String, NoEcho: 1}", false),
        ("with a blank", "{Type: String, NoEcho: 'true '}", false),
        ("false", "{Type: String, NoEcho: false}", false),
        ("empty", "{Type: String, NoEcho: }", false),
        ("a function", "{Type: String, NoEcho: !Ref Hidden}", false),
        ("a list", "{Type: String, NoEcho: [true]}", false),
        ("misspelt", "{Type: String, Noecho: true}", false),
        ("deeper down", "{Type: String, Metadata: {NoEcho: true}}", false),
        ("no mapping", "[NoEcho, true]", false),
    ];
    for (case, parameter, hidden) in rows {
        let declared = declared_parameters(&format!("Parameters:\n  ApiToken: {parameter}\n"));
        assert_eq!(declared["ApiToken"].no_echo, hidden, "{case}");
    }
}

#[test]
fn a_text_that_is_no_template_declares_nothing() {
    for text in ["", "a: [", "Parameters: 3", "Resources: {}"] {
        assert!(declared_parameters(text).is_empty(), "{text}");
    }
}
