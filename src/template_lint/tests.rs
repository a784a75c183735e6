//! One row per finding of the linter: a good template (the one that ships as an example), one edit, what is said.
#![allow(clippy::unwrap_used, clippy::panic)]

use jiff::civil::{Date, date};

use super::{
    Code, DeclaredParameter, Finding, JudgedFor, Severity, contract, declared_parameters, lint, lint_for, refusal,
};
use crate::templates::project_template;

const GOOD: &str = include_str!("../../examples/templates/batch-scoring.yaml");
const TODAY: Date = date(2026, 11, 24);

/// Severity, code and path of each finding.
fn told(text: &str) -> Vec<String> {
    lint(text, TODAY).iter().map(short).collect()
}

/// Severity, code and path of each finding for one project.
fn told_for(text: &str, project: &JudgedFor) -> Vec<String> {
    lint_for(text, project, TODAY).iter().map(short).collect()
}

/// A project of this name with these parameters, in the region with the longest name.
fn project(name: &str, parameters: &[(&str, &str)]) -> JudgedFor {
    let given = parameters.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
    JudgedFor {
        project_name: Some(name.into()),
        region: Some("ap-southeast-1".into()),
        account: Some("111122223333".into()),
        parameters: given.collect(),
    }
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
fn json_is_read_with_pairs_of_surrogates_and_the_columns_are_those_of_the_file() {
    let template = |text: &str| {
        format!(
            "{{\"Parameters\": {{\"SageMakerProjectName\": {{\"Type\": \"String\"}}, \"SageMakerProjectId\": {{\"Type\": \"String\"}}}},\n\
             \"Resources\": {{\"T\": {{\"Type\": \"AWS::SNS::Topic\", \"Properties\": {{\"DisplayName\": \"{text}\", \"X\": {{\"Ref\": \"No\"}}}}}}}}}}"
        )
    };
    for text in
        [r"\ud83d\ude00", r"a \uD83D\uDE00\ud83d\ude01 b", r"\u00fc", r"\\ud83d\\ude00 is no pair", r"a\/b", "😀"]
    {
        let text = template(text);
        let found = lint(&text, TODAY).into_iter().find(|finding| finding.code == Code::Unresolved);
        let found = found.unwrap_or_else(|| panic!("{text} is read: {:?}", lint(&text, TODAY)));
        let line = text.lines().nth(found.line - 1).unwrap();
        let there: String = line.chars().skip(found.column - 1).take(5).collect();
        assert_eq!((found.line, there.as_str()), (2, "{\"Ref"), "{text}");
    }
}

#[test]
fn an_escaped_slash_is_json_alone() {
    let rows = [
        ("in double quotes", r#""a\/b""#, Some((2, 8))),
        ("behind an escaped backslash", r#""a\\\/b""#, Some((2, 10))),
        ("a backslash in front of a slash", r#""a\\/b""#, None),
        ("in single quotes", r"'a\/b'", None),
        ("without quotes", r"a\/b", None),
        ("on a later line of the text", "\"a\n   \\/b\"", Some((3, 4))),
    ];
    for (sentence, value, place) in rows {
        let text = format!("Resources:\n  A: {value}\n");
        let findings = lint(&text, TODAY);
        let refused = findings.iter().find(|finding| finding.code == Code::UnsupportedYaml);
        assert_eq!(refused.map(|finding| (finding.line, finding.column)), place, "{sentence}: {findings:?}");
    }
}

#[test]
fn what_a_transform_makes_something_of_is_not_judged() {
    const INCLUDE: &str = "Fn::Transform: {Name: 'AWS::Include', Parameters: {Location: 's3://a/b.yaml'}}";
    let not_judged = |path: &str| format!("warning not-judged {path}/Fn::Transform");
    let topic = |inside: &str| with_resource(&format!("  T:\n    Type: AWS::SNS::Topic\n    Properties:\n{inside}"));
    let rows = [
        (
            "a resource's properties",
            topic(&format!("      {INCLUDE}\n      TopicName: 'a/b'\n      X: !Ref Nothing\n")),
            vec![not_judged("Resources/T/Properties")],
        ),
        (
            "one property",
            topic(&format!("      TopicName:\n        {INCLUDE}\n{TAGS}")),
            vec![not_judged("Resources/T/Properties/TopicName")],
        ),
        (
            "a whole resource, which has no type here",
            with_resource(&format!("  T:\n    {INCLUDE}\n    Condition: No\n")),
            vec![not_judged("Resources/T")],
        ),
        (
            "resources from elsewhere, which others refer to",
            edited("Resources:\n", &format!("Resources:\n  {INCLUDE}\n"))
                .replace("!Ref ScoredBatches", "!GetAtt Theirs.Arn"),
            vec![not_judged("Resources")],
        ),
        (
            "conditions from elsewhere",
            edited("Conditions:\n", &format!("Conditions:\n  {INCLUDE}\n"))
                .replace("    Type: AWS::SQS::Queue\n", "    Type: AWS::SQS::Queue\n    Condition: Theirs\n"),
            vec![not_judged("Conditions")],
        ),
        (
            "in its short form",
            topic(&format!(
                "      TopicName: !Transform {{Name: 'AWS::Include', Parameters: {{Location: 's3://a/b'}}}}\n{TAGS}"
            )),
            vec![not_judged("Resources/T/Properties/TopicName")],
        ),
        (
            "a name elsewhere is looked up all the same",
            topic(&format!("      TopicName:\n        {INCLUDE}\n{TAGS}"))
                .replace("!Ref ScoredBatches", "!Ref Nothing"),
            vec![
                not_judged("Resources/T/Properties/TopicName"),
                "error unresolved Outputs/ScoredBatches/Value".to_owned(),
            ],
        ),
    ];
    for (sentence, text, expected) in rows {
        assert_eq!(told(&text), expected, "{sentence}");
    }
    let own = edited("Resources:\n  Bucket:", &format!("Resources:\n  {INCLUDE}\n  Bucket:"));
    let nameless = own.replace("      BucketName: !Sub sagemaker-project-${SageMakerProjectId}\n", "");
    assert_eq!(told(&nameless), [not_judged("Resources")], "the bucket may be in what is included");
}

#[test]
fn words_that_somebody_was_to_replace() {
    let topic = |name: &str| format!("      DisplayName: {name}\n{TAGS}");
    let rows = [
        ("as AWS's samples have it", "AWSDEFAULT___CODE_STAGING_BUCKET___", 1),
        ("within a text", "!Sub 'arn:a:AWSDEFAULT___USE_ROLE___-x'", 1),
        ("two of them", "AWSDEFAULT___A___/AWSDEFAULT___B___", 1),
        ("in words", "REPLACE_ME", 1),
        ("in brackets", "<YOUR-BUCKET>", 1),
        ("a tag in a text", "'<B>bold</B> and <i>'", 0),
        ("a word that is meant", "replace the meter", 0),
        ("a dynamic reference", "'{{resolve:ssm:name}}'", 0),
    ];
    for (sentence, name, least) in rows {
        let text = with_resource(&format!("  T:\n    Type: AWS::SNS::Topic\n    Properties:\n{}", topic(name)));
        let told = told(&text);
        let path = "warning placeholder Resources/T/Properties/DisplayName";
        assert!(told.iter().all(|finding| finding.starts_with(path)), "{told:?}");
        assert_eq!(told.len().min(1), least, "{sentence}: {told:?}");
    }
    let twice = edited("    Default: none\n", "    Default: CHANGE_ME\n")
        .replace("Value: !Ref ScoredBatches", "Value: CHANGE_ME");
    let found: Vec<_> = lint(&twice, TODAY).into_iter().filter(|finding| finding.code == Code::Placeholder).collect();
    let [finding] = &found[..] else { panic!("one for both: {found:?}") };
    assert_eq!(finding.path, "Parameters/CostCentre/Default");
    assert!(finding.message.contains("2 times"), "{}", finding.message);
}

#[test]
fn types_that_may_not_be_there_to_be_made() {
    let rows: [(&str, &str, &[&str]); 9] = [
        ("a service that is gone", "AWS::CodeStar::GitHubRepository", &["warning service-ended Resources/T/Type"]),
        ("a service of like name", "AWS::CodeStarNotifications::NotificationRule", &[]),
        ("another one that is gone", "AWS::LookoutVision::Project", &["warning service-ended Resources/T/Type"]),
        ("AWS's own", "AWS::Unheard::Of", &[]),
        ("a custom resource", "Custom::Thing", &[]),
        ("the old type of one", "AWS::CloudFormation::CustomResource", &[]),
        (
            "AWS's, but no part of CloudFormation",
            "AWSUtility::CloudFormation::CommandRunner",
            &["warning third-party-type Resources/T/Type"],
        ),
        ("a third party's", "MongoDB::Atlas::Cluster", &["warning third-party-type Resources/T/Type"]),
        ("a module", "AWS::Ours::Thing::MODULE", &["warning third-party-type Resources/T/Type"]),
    ];
    for (sentence, kind, expected) in rows {
        assert_eq!(told(&with_resource(&format!("  T: {{Type: '{kind}'}}\n"))), expected, "{sentence}");
    }
    let text = with_resource("  T: {Type: 'AWS::Proton::ServiceTemplate'}\n");
    let before = &lint(&text, date(2026, 10, 6))[0];
    assert!(before.message.ends_with("whose service AWS ends on 2026-10-07"), "{}", before.message);
    let after = &lint(&text, date(2026, 10, 7))[0];
    assert!(after.message.ends_with("whose service AWS ended on 2026-10-07"), "{}", after.message);
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
            "MaxLength: 13",
            &["error value-refused Parameters/SageMakerProjectId"],
        ),
        ("an id has fourteen characters", "MaxLength: 20", "MaxLength: 14", &[]),
        (
            "ids that not every project gets",
            "MaxLength: 20",
            "AllowedPattern: p-[a-z]+",
            &["warning value-refused Parameters/SageMakerProjectId"],
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
            "names of a form of the company's own",
            "^[a-zA-Z](-*[a-zA-Z0-9])*$",
            "custom-project-[a-z0-9-]*",
            &["warning value-refused Parameters/SageMakerProjectName"],
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
        ("a hyphen behind a class, which Java takes", r"'[\w-.]{1,20}'", format!("warning pattern {path}")),
        ("look-ahead, which only Java's engine has", "'(?!aws).*'", format!("warning pattern {path}")),
        ("a back reference", r"'(a)\1'", format!("warning pattern {path}")),
        ("a pattern that would take much memory", "'((a{500}){500}){500}'", format!("warning pattern {path}")),
        ("a pattern that is very long", &format!("'{}'", r"\w".repeat(3000)), format!("warning pattern {path}")),
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
    // A pattern costs its own size for each character of a value.
    let long = edited(pattern, "'[0-9]+'").replace("Default: none", &format!("Default: {}", "a".repeat(1025)));
    assert_eq!(told(&long), [""; 0], "a default that is too long to be tried");
}

#[test]
fn the_parameters_that_the_operator_fills_in() {
    let rows = [
        (
            "repositories of one host only",
            edited("AllowedPattern: ^https://.+$", "AllowedPattern: ^https://git.example.com/.+$"),
            "warning value-refused Parameters/ModelPreprocessCodeRepositoryUrl",
        ),
        (
            "neither true nor false",
            with_parameter(
                "  ModelBuildCodeRepositoryIsSeedcodeRequired: {Type: String, AllowedValues: ['yes', 'no']}\n",
            ),
            "error value-refused Parameters/ModelBuildCodeRepositoryIsSeedcodeRequired",
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
    const MAYBE_LONG: &[&str] = &["warning name-too-long"];
    const CHARACTERS: &[&str] = &["error name-characters"];
    const MAYBE_CHARACTERS: &[&str] = &["warning name-characters"];
    const SHARED: &[&str] = &["warning shared-name"];
    type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);
    let rows: [Row; 30] = [
        // 10 + 32 + 1 + 14 + 11 = 68
        (
            "a rule",
            "AWS::Events::Rule",
            "Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-event-rule",
            MAYBE_LONG,
        ),
        (
            "the same by Join",
            "AWS::Events::Rule",
            "Name: !Join ['-', [sagemaker, !Ref SageMakerProjectName, !Ref SageMakerProjectId, event-rule]]",
            MAYBE_LONG,
        ),
        (
            "the same by a variable",
            "AWS::Events::Rule",
            "Name: !Sub ['sagemaker-${A}-event-rule', {A: !Sub '${SageMakerProjectName}-${SageMakerProjectId}'}]",
            MAYBE_LONG,
        ),
        (
            "as AWS's own templates have it, 62 characters at most",
            "AWS::Events::Rule",
            "Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-code",
            &[],
        ),
        (
            "exactly 64",
            "AWS::Lambda::Function",
            "FunctionName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-1234567890123456",
            &[],
        ),
        (
            "one more",
            "AWS::Lambda::Function",
            "FunctionName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-12345678901234567",
            MAYBE_LONG,
        ),
        (
            "too long with the shortest project name",
            "AWS::Lambda::Function",
            "FunctionName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-123456789012345678901234567890123456789012345678",
            LONG,
        ),
        (
            "a code repository of 63",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-123456789012345",
            &[],
        ),
        (
            "a code repository of 64",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}-1234567890123456",
            MAYBE_LONG,
        ),
        (
            "region and account count",
            "AWS::S3::Bucket",
            "BucketName: !Sub sagemaker-${SageMakerProjectId}-${AWS::AccountId}-${AWS::Region}-some-data12",
            MAYBE_LONG,
        ),
        (
            "too long in every region",
            "AWS::S3::Bucket",
            "BucketName: !Sub sagemaker-${SageMakerProjectId}-${AWS::AccountId}-${AWS::Region}-some-more-data-1",
            LONG,
        ),
        (
            "the longer one of two",
            "AWS::SQS::Queue",
            "QueueName: !If [HasCostCentre, !Ref AWS::NoValue, !Sub '${SageMakerProjectId}-1234567890123456789012345678901234567890123456789012345678901234567890']",
            MAYBE_LONG,
        ),
        (
            "the longer one of two in a part",
            "AWS::SQS::Queue",
            "QueueName: !Join ['-', [!Ref SageMakerProjectId, !If [HasCostCentre, a, '1234567890123456789012345678901234567890123456789012345678901234567890']]]",
            MAYBE_LONG,
        ),
        ("a default", "AWS::CodePipeline::Pipeline", "Name: !Sub ${CostCentre}-${SageMakerProjectId}", &[]),
        (
            "how long a parameter may be is not how long it is",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${Wide}-${SageMakerProjectId}",
            &[],
        ),
        (
            "the longest value of a list",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${Listed}-${SageMakerProjectId}",
            MAYBE_LONG,
        ),
        ("an unknown part counts nothing", "AWS::Logs::LogGroup", "LogGroupName: !Sub /aws/lambda/${Bucket}", &[]),
        (
            "a bucket with the project's name",
            "AWS::S3::Bucket",
            "BucketName: !Sub ${SageMakerProjectName}-${SageMakerProjectId}",
            MAYBE_CHARACTERS,
        ),
        (
            "a bucket with the project's name, an underscore, and far too long: each is said",
            "AWS::S3::Bucket",
            "BucketName: !Sub my_${SageMakerProjectName}-${SageMakerProjectId}-12345678901234567890",
            &["error name-characters", "warning name-too-long", "warning name-characters"],
        ),
        ("a bucket with capitals", "AWS::S3::Bucket", "BucketName: !Sub Data-${SageMakerProjectId}", CHARACTERS),
        (
            "a bucket with capitals by default",
            "AWS::S3::Bucket",
            "BucketName: !Sub ${Shouted}-${SageMakerProjectId}",
            MAYBE_CHARACTERS,
        ),
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
            MAYBE_CHARACTERS,
        ),
        ("one name for all projects", "AWS::SNS::Topic", "TopicName: approvals", SHARED),
        ("one name for all, by account", "AWS::SNS::Topic", "TopicName: !Sub approvals-${AWS::AccountId}", SHARED),
        ("one name for all of a cost centre", "AWS::SNS::Topic", "TopicName: !Sub approvals-${CostCentre}", SHARED),
        ("no name", "AWS::SNS::Topic", "DisplayName: approvals", &[]),
        ("a type that is not known", "AWS::Unheard::Of", "Name: approvals", &[]),
        (
            "a build project has 150",
            "AWS::CodeBuild::Project",
            "Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-git-seedcodecheckin",
            &[],
        ),
        (
            "a role",
            "AWS::IAM::Role",
            "RoleName: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-building",
            MAYBE_LONG,
        ),
    ];
    for (sentence, kind, property, expected) in rows {
        let text = naming(kind, property);
        let about_names = |finding: &&Finding| finding.code != Code::IamResources;
        let mut told: Vec<_> = lint(&text, TODAY).iter().filter(about_names).map(short).collect();
        let property = property.split(':').next().unwrap();
        let mut expected: Vec<_> =
            expected.iter().map(|code| format!("{code} Resources/Thing/Properties/{property}")).collect();
        told.sort();
        expected.sort();
        assert_eq!(told, expected, "{sentence}");
    }
}

/// The good template with a resource of this type and property, and with parameters of many kinds.
fn naming(kind: &str, property: &str) -> String {
    let parameters = "  Wide: {Type: String, Default: a, MaxLength: 1024}\n  \
                      Listed: {Type: String, Default: a, AllowedValues: [a, 12345678901234567890123456789012345678901234567890]}\n  \
                      Shouted: {Type: String, Default: Data}\n";
    let resource = format!(
        "  Thing:\n    Type: {kind}\n    DeletionPolicy: RetainExceptOnCreate\n    UpdateReplacePolicy: Retain\n    Properties:\n      {property}\n{TAGS}"
    );
    with_parameter(parameters).replacen("Resources:\n", &format!("Resources:\n{resource}"), 1)
}

#[test]
fn for_one_project_what_it_will_meet_is_an_error_and_nothing_else() {
    let rule = "Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-event-rule";
    let bucket = "BucketName: !Sub data-${SageMakerProjectName}-${SageMakerProjectId}";
    let by_cost = "QueueName: !If [HasCostCentre, !Sub '${CostCentre}/${SageMakerProjectId}', !Ref AWS::NoValue]";
    let regional = "BucketName: !Sub sagemaker-${SageMakerProjectId}-${AWS::AccountId}-${AWS::Region}-some-data12";
    let long = "error name-too-long Resources/Thing/Properties/";
    let name = "taxi-fares-of-the-whole-city-1";
    let rows = [
        ("a name that fits", "AWS::Events::Rule", rule, project("taxi-fares", &[]), String::new()),
        ("a name that is too long", "AWS::Events::Rule", rule, project(name, &[]), format!("{long}Name")),
        ("a small name in a bucket", "AWS::S3::Bucket", bucket, project("fares", &[]), String::new()),
        (
            "a capital in a bucket",
            "AWS::S3::Bucket",
            bucket,
            project("Fares", &[]),
            "error name-characters Resources/Thing/Properties/BucketName".into(),
        ),
        ("a region that is too long", "AWS::S3::Bucket", regional, project("fares", &[]), format!("{long}BucketName")),
        (
            "a region that fits",
            "AWS::S3::Bucket",
            regional,
            JudgedFor { region: Some("us-east-1".into()), ..project("fares", &[]) },
            String::new(),
        ),
        (
            "a value that fits",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${Wide}-${SageMakerProjectId}",
            project("fares", &[("Wide", "build")]),
            String::new(),
        ),
        (
            "a value that is too long",
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${Wide}-${SageMakerProjectId}",
            project("fares", &[("Wide", "abcdefghij-abcdefghij-abcdefghij-abcdefghij-abcdefghij")]),
            format!("{long}CodeRepositoryName"),
        ),
        ("a condition that does not hold", "AWS::SQS::Queue", by_cost, project("fares", &[]), String::new()),
        (
            "a condition that holds",
            "AWS::SQS::Queue",
            by_cost,
            project("fares", &[("CostCentre", "abcdefghij")]),
            "error name-characters Resources/Thing/Properties/QueueName".into(),
        ),
        (
            "a value that the rules refuse",
            "AWS::SNS::Topic",
            "DisplayName: a",
            project("fares", &[("CostCentre", "Two Words")]),
            "error value-refused Parameters/CostCentre".into(),
        ),
        (
            "an address that the rules refuse",
            "AWS::SNS::Topic",
            "DisplayName: a",
            project("fares", &[("ModelBuildCodeRepositoryUrl", "ssh://git.example.com/build")]),
            "error value-refused Parameters/ModelBuildCodeRepositoryUrl".into(),
        ),
        (
            "a name that the rules refuse",
            "AWS::SNS::Topic",
            "DisplayName: a",
            project("9fares", &[]),
            "error value-refused Parameters/SageMakerProjectName".into(),
        ),
    ];
    for (sentence, kind, property, project, expected) in rows {
        let text = naming(kind, property);
        let told = told_for(&text, &project);
        let expected: Vec<_> = Some(expected).into_iter().filter(|expected| !expected.is_empty()).collect();
        assert_eq!(told, expected, "{sentence}");
        assert_eq!(refusal(&text, &project, TODAY).is_some(), !expected.is_empty(), "{sentence}");
    }
}

#[test]
fn a_resource_that_is_not_made_has_no_name_to_judge() {
    let text = naming("AWS::SNS::Topic", "TopicName: a/b")
        .replace("    Type: AWS::SNS::Topic\n", "    Type: AWS::SNS::Topic\n    Condition: HasCostCentre\n");
    let path = "Resources/Thing/Properties/TopicName";
    assert_eq!(told(&text), [format!("warning name-characters {path}"), format!("warning shared-name {path}")]);
    assert_eq!(told_for(&text, &project("fares", &[])), [""; 0]);
    let made = told_for(&text, &project("fares", &[("CostCentre", "tips")]));
    assert_eq!(made, [format!("error name-characters {path}"), format!("warning shared-name {path}")]);
}

#[test]
fn conditions_are_known_as_far_as_their_values_are() {
    let rows = [
        ("equal to the default", "!Equals [!Ref CostCentre, none]", true),
        ("not equal", "!Equals [!Ref CostCentre, fares]", false),
        ("not", "!Not [!Equals [!Ref CostCentre, fares]]", true),
        ("by region", "!Equals [!Ref 'AWS::Region', ap-southeast-1]", true),
        ("one of two that is false decides", "!And [!Equals [!Ref CostCentre, a], !Equals [!Ref Open, a]]", false),
        ("one of two that is true decides", "!Or [!Equals [!Ref CostCentre, none], !Equals [!Ref Open, a]]", true),
        ("by another condition", "!Condition Other", false),
        ("by itself: not known, so that it may hold", "!Condition Chosen", true),
        ("by something that is not known", "!Equals [!Ref Open, a]", true),
    ];
    for (sentence, condition, may_hold) in rows {
        let conditions = format!("Conditions:\n  Chosen: {condition}\n  Other: !Equals [a, b]\n");
        let text = naming("AWS::SNS::Topic", "TopicName: !If [Chosen, a/b, !Ref 'AWS::NoValue']")
            .replacen("Conditions:\n", &conditions, 1)
            .replacen("Parameters:\n  Wide", "Parameters:\n  Open: {Type: String}\n  Wide", 1);
        let told = told_for(&text, &project("fares", &[]));
        let judged = told.iter().any(|finding| finding.contains("name-characters"));
        assert_eq!(judged, may_hold, "{sentence}: {told:?}");
    }
}

#[test]
fn letters_that_java_tells_apart_otherwise_are_not_tried() {
    let text = edited("^[a-z0-9-]{1,20}$", r"'\W'").replace("    Default: none\n", "    Default: '-'\n");
    assert_eq!(told_for(&text, &project("fares", &[("CostCentre", "é")])), [""; 0], "Java's \\W takes it");
    let refused = told_for(&text, &project("fares", &[("CostCentre", "e")]));
    assert_eq!(refused, ["error value-refused Parameters/CostCentre"]);
}

#[test]
fn a_value_that_must_not_be_told_is_neither_tried_nor_told() {
    let mut project = project("fares", &[]);
    project.parameters.insert("CostCentre".into(), None);
    let text = naming("AWS::S3::Bucket", "BucketName: !Sub ${CostCentre}-${SageMakerProjectId}");
    assert_eq!(told_for(&text, &project), [""; 0]);
}

#[test]
fn a_template_that_shortens_names_may_build_longer_ones_from_them() {
    let rule = "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-event-rule\n";
    let long = with_resource(&format!("{rule}{TAGS}"));
    assert_eq!(told(&long), ["warning name-too-long Resources/Rule/Properties/Name"]);
    let short = long.replace("MaxLength: 32", "MaxLength: 28");
    assert_eq!(told(&short), ["warning value-refused Parameters/SageMakerProjectName"]);
}

#[test]
fn a_pattern_with_a_prefix_lets_capitals_in_all_the_same() {
    let bucket = "BucketName: !Sub a-${SageMakerProjectName}";
    let rows = [
        ("a class behind a prefix", "custom-[a-zA-Z0-9-]*", true),
        ("a word behind a prefix", r"custom-\w*", true),
        ("anything behind a prefix", "custom-.*", true),
        ("all but digits", "custom-[^0-9]*", true),
        ("letters in any case", "(?i)custom-[a-z]*", true),
        ("small letters only", "custom-[a-z0-9-]*", false),
        ("digits", r"custom-\d+", false),
        ("a dot that stands for itself", r"custom\.[a-z.]*", false),
        ("no capitals, said so", "[^A-Z]*", false),
    ];
    for (sentence, pattern, capitals) in rows {
        let text = naming("AWS::S3::Bucket", bucket).replacen("^[a-zA-Z](-*[a-zA-Z0-9])*$", &format!("'{pattern}'"), 1);
        let told = told(&text);
        assert_eq!(told.iter().any(|finding| finding.contains("name-characters")), capitals, "{sentence}: {told:?}");
    }
}

#[test]
fn a_name_that_is_too_long_is_said_with_its_lengths_and_what_would_fit() {
    let text = with_resource(&format!(
        "  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      Name: !Sub sagemaker-${{SageMakerProjectName}}-${{SageMakerProjectId}}-some-event-rule\n{TAGS}"
    ));
    let finding = |text: &str, project: &JudgedFor| {
        let found = lint_for(text, project, TODAY).into_iter().find(|finding| finding.code == Code::NameTooLong);
        found.unwrap_or_else(|| panic!("it is too long"))
    };
    let any = finding(&text, &JudgedFor::default());
    assert_eq!(
        any.message,
        "the name \"sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-some-event-rule\" has 73 characters \
         (SageMakerProjectName up to 32, SageMakerProjectId 14); Name of AWS::Events::Rule takes 64 \
         (CloudFormation's schema of the type); this assumes a project name of 32 characters"
    );
    assert_eq!(
        any.hint,
        "project names of up to 23 characters fit: set MaxLength: 23 on SageMakerProjectName, \
         or shorten the rest of the name in the template"
    );
    assert_eq!(text.lines().nth(any.line - 1).unwrap().trim().split(' ').next(), Some("Name:"));
    let shorter = finding(&text.replace("MaxLength: 32", "MaxLength: 25"), &JudgedFor::default());
    assert!(shorter.message.contains("has 66 characters (SageMakerProjectName up to 25, "), "{}", shorter.message);
    let one = finding(&text, &project("taxi-fares-of-the-whole-city", &[]));
    assert_eq!(one.severity, Severity::Error);
    assert_eq!(
        one.message,
        "the name \"sagemaker-taxi-fares-of-the-whole-city-${SageMakerProjectId}-some-event-rule\" has 69 characters \
         (SageMakerProjectName 28, SageMakerProjectId 14); Name of AWS::Events::Rule takes 64 \
         (CloudFormation's schema of the type)"
    );
    assert_eq!(one.hint, "a project name of up to 23 characters fits; or shorten the rest of the name in the template");
}

#[test]
fn every_warning_about_a_name_says_what_it_assumes() {
    let rows = [
        ("AWS::S3::Bucket", "BucketName: !Sub ${SageMakerProjectName}", "a project name with capitals"),
        (
            "AWS::S3::Bucket",
            "BucketName: !Sub sagemaker-${SageMakerProjectId}-${AWS::AccountId}-${AWS::Region}-some-data12",
            "a region of 14 characters",
        ),
        (
            "AWS::SageMaker::CodeRepository",
            "CodeRepositoryName: !Sub ${Listed}-${SageMakerProjectId}",
            "the longest value that Listed takes",
        ),
        ("AWS::S3::Bucket", "BucketName: !Sub ${Shouted}-${SageMakerProjectId}", "the defaults of its parameters"),
        (
            "AWS::S3::Bucket",
            "BucketName: !If [HasCostCentre, !Sub 'A-${SageMakerProjectId}', !Ref 'AWS::NoValue']",
            "the condition \"HasCostCentre\" to decide so",
        ),
    ];
    for (kind, property, assumption) in rows {
        let [finding] = &lint(&naming(kind, property), TODAY)[..] else { panic!("one finding: {property}") };
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.ends_with(&format!("; this assumes {assumption}")), "{}", finding.message);
    }
}

#[test]
fn resources_and_what_becomes_of_them() {
    let rows: [(&str, String, &[&str]); 16] = [
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
            "a bucket that a failed creation leaves behind",
            edited("    DeletionPolicy: RetainExceptOnCreate\n", "    DeletionPolicy: Retain\n"),
            &["warning left-behind Resources/Bucket/DeletionPolicy"],
        ),
        (
            "a topic that a failed creation leaves behind",
            with_resource(&format!(
                "  T:\n    Type: AWS::SNS::Topic\n    DeletionPolicy: Retain\n    Properties:\n{TAGS}"
            )),
            &["warning left-behind Resources/T/DeletionPolicy"],
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
        refusal(&with_resource(&text), &JudgedFor::default(), TODAY).map(|finding| short(&finding))
    };
    assert_eq!(refusal(GOOD, &JudgedFor::default(), TODAY), None);
    assert_eq!(function("nodejs12.x"), None, "functions that exist go on");
    assert_eq!(
        refusal(&edited("    Default: none\n", ""), &JudgedFor::default(), TODAY),
        None,
        "a warning is no error"
    );
    let two = edited("MaxLength: 20", "MaxLength: 10").replace("!Ref ScoredBatches", "!Ref Nothing");
    let first = refusal(&two, &JudgedFor::default(), TODAY).unwrap();
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

#[test]
fn a_template_cannot_use_up_the_stack_or_the_memory_of_who_judges_it() {
    use std::fmt::Write as _;
    let nested = |inner: &str, depth: usize| format!("{}{inner}{}", "!Not [".repeat(depth), "]".repeat(depth));
    let mut conditions = String::new();
    for n in 0..60 {
        writeln!(conditions, "  C{n}: {}", nested(&format!("!Condition C{}", n + 1), 40)).unwrap();
    }
    let mut tree = "!Ref P".to_owned();
    for _ in 0..11 {
        tree = format!("!If [x, {tree}, {tree}]");
    }
    let text = format!(
        "Parameters:\n  P: {{Type: String, Default: '{}'}}\nConditions:\n{conditions}  C60: !Equals [a, a]\nResources:\n  B:\n    Type: AWS::S3::Bucket\n    Condition: C0\n    Properties:\n      BucketName: !Join ['', [{tree}]]\n",
        "é".repeat(4000)
    );
    let judged = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || refusal(&text, &JudgedFor::default(), jiff::civil::date(2026, 3, 1)))
        .unwrap()
        .join();
    assert!(judged.is_ok(), "judged on the stack of a worker");
    // What is told stands in memory a thousand times.
    let key = |length: usize| {
        with_resource(&format!("  ? {}\n  : {{Type: AWS::S3::Bucket, Tags: !Nope x}}\n", "k".repeat(length)))
    };
    let findings = lint(&key(1000), TODAY);
    let longest =
        findings.iter().map(|finding| finding.message.chars().count().max(finding.path.chars().count())).max();
    assert!(longest.is_some_and(|longest| longest <= 1001), "{longest:?}");
    assert!(told(&key(1025)).iter().any(|told| told.starts_with("error limit-exceeded")), "{:?}", told(&key(1025)));
}
