//! `mlops-operator lint-template`, as people and scripts call it: exit codes, text, JSON. And the JSON is as
//! `docs/project-template.md` describes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jiff::civil::date;
use mlops_operator::template_lint::lint;
use serde_json::Value;

const WRONG: &str = "\
AWSTemplateFormatVersion: \"2010-09-09\"
Parameters:
  SageMakerProjectName: {Type: String}
  SageMakerProjectId: {Type: String}
  CostCentre: {Type: String}
Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: !Sub sagemaker-${SageMakerProjectName}-${SageMakerProjectId}-event-rule
      Targets: [{Id: a, Arn: !Ref Nothing}]
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-operator"));
    command.arg("lint-template").args(arguments).current_dir(root());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn examples() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("examples/templates")).unwrap();
    let found: Vec<_> = folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).collect();
    assert!(!found.is_empty());
    found
}

#[test]
fn every_example_and_the_built_in_template_end_with_0_and_nothing_to_say() {
    let built_in = root().join("src/templates/jenkins-git-v1.yaml");
    for path in examples().into_iter().chain([built_in]) {
        let output = run(&[path.to_str().unwrap()], b"");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
        assert_eq!(text(&output.stdout), format!("{}: 0 errors, 0 warnings\n", path.display()));
    }
}

#[test]
fn errors_end_with_1_and_each_finding_has_its_line() {
    let output = run(&["-"], WRONG.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    for start in [
        "-:10:13: warning name-too-long: ",
        "-:11:30: error unresolved: ",
        "-:5:3: warning parameter-to-give: CostCentre ",
    ] {
        assert!(told.lines().any(|line| line.starts_with(start)), "{start}\n{told}");
    }
    assert!(told.ends_with("-: 1 error, 8 warnings\n"), "{told}");
}

#[test]
fn for_one_project_warnings_become_errors_or_nothing() {
    let fitting = WRONG
        .replace("!Ref Nothing", "!GetAtt Queue.Arn")
        .replace("Resources:", "Resources:\n  Queue: {Type: 'AWS::SQS::Queue'}");
    let rows: [(&str, &[&str], i32, bool, bool); 5] = [
        ("for any project", &[], 0, true, true),
        (
            "a short name and the parameter",
            &["--project-name", "taxi-fares", "--parameter", "CostCentre=a"],
            0,
            false,
            false,
        ),
        ("a long name", &["--project-name", "taxi-fares-of-the-whole-town-1"], 1, true, true),
        ("the parameter alone", &["--parameter", "CostCentre=a=b"], 0, true, false),
        (
            "all flags",
            &["--project-name", "taxi-fares", "--region", "eu-central-1", "--account", "111122223333"],
            0,
            false,
            true,
        ),
    ];
    for (sentence, flags, code, long, to_give) in rows {
        let output = run(&[&["-"], flags].concat(), fitting.as_bytes());
        let told = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{sentence}: {told}");
        assert_eq!(told.contains("name-too-long"), long, "{sentence}: {told}");
        assert_eq!(told.contains("parameter-to-give"), to_give, "{sentence}: {told}");
        let assumes = told.contains("this assumes a project name of 32 characters");
        assert_eq!(assumes, long && code == 0, "{sentence}: {told}");
    }
}

#[test]
fn the_examples_have_nothing_to_complain_of_for_one_project_either() {
    let built_in = root().join("src/templates/jenkins-git-v1.yaml");
    for path in examples().into_iter().chain([built_in]) {
        for name in ["a", "Taxi-Fares", "abcdefghij-abcdefghij-abcdefghij"] {
            let flags = ["--project-name", name, "--region", "ap-southeast-1", "--account", "111122223333"];
            let output = run(&[&[path.to_str().unwrap()][..], &flags].concat(), b"");
            assert_eq!(text(&output.stdout), format!("{}: 0 errors, 0 warnings\n", path.display()), "{name}");
        }
    }
}

#[test]
fn warnings_alone_end_with_0() {
    let good = std::fs::read_to_string(&examples()[0]).unwrap();
    let output = run(&["-"], good.replacen("    Default: none\n", "", 1).as_bytes());
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).ends_with("-: 0 errors, 1 warning\n"));
}

#[test]
fn json_has_the_shape_that_the_documentation_gives() {
    let output = run(&["-", "--output", "json"], WRONG.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(keys(&report), names(&["file", "errors", "warnings", "findings"]));
    assert_eq!((report["file"].as_str(), report["errors"].as_u64()), (Some("-"), Some(1)));
    let findings = report["findings"].as_array().unwrap();
    for finding in findings {
        assert_eq!(keys(finding), names(&["severity", "code", "line", "column", "path", "message", "hint"]));
        assert!(["error", "warning"].contains(&finding["severity"].as_str().unwrap()));
    }
    let long = findings.iter().find(|finding| finding["code"] == "name-too-long").unwrap();
    assert_eq!((long["line"].as_u64(), long["column"].as_u64()), (Some(10), Some(13)));
    assert_eq!(long["path"], "Resources/Rule/Properties/Name");
}

#[test]
fn what_cannot_be_read_and_wrong_usage_end_with_2() {
    let template = WRONG.as_bytes();
    let rows: [(&str, &[&str], &[u8], &str); 12] = [
        ("a file that does not exist", &["no/such/file.yaml"], b"", "no/such/file.yaml cannot be read"),
        ("a folder", &["examples"], b"", "examples cannot be read"),
        ("no text", &["-"], b"\xff\xfe\x00", "is not UTF-8 text"),
        ("no file named", &[], b"", "Usage"),
        ("an output that there is not", &["-", "--output", "xml"], b"", "invalid value 'xml'"),
        ("a project name that cannot be", &["-", "--project-name", "a_b"], b"", "a letter first and no hyphen last"),
        ("an account of eleven digits", &["-", "--account", "11112222333"], b"", "12 digits"),
        ("a region by its city", &["-", "--region", "Frankfurt"], b"", "such as eu-central-1"),
        ("a parameter without a value", &["-", "--parameter", "CostCentre"], template, "NAME=VALUE"),
        ("a parameter without a name", &["-", "--parameter", "=a"], template, "NAME=VALUE"),
        ("the name as a parameter", &["-", "--parameter", "SageMakerProjectName=a"], template, "--project-name"),
        ("a parameter that there is not", &["-", "--parameter", "Cost=a"], template, "it takes: CostCentre"),
    ];
    for (sentence, arguments, input, expected) in rows {
        let output = run(arguments, input);
        assert_eq!(output.status.code(), Some(2), "{sentence}");
        assert!(text(&output.stderr).contains(expected), "{sentence}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "", "{sentence}");
    }
}

#[test]
fn the_documentation_names_every_code_and_no_other() {
    let source = std::fs::read_to_string(root().join("src/template_lint/mod.rs")).unwrap();
    let body = source.split("pub enum Code {").nth(1).unwrap().split("\n}").next().unwrap();
    let variants = body.lines().map(str::trim).filter_map(|line| line.strip_suffix(','));
    let codes: BTreeSet<String> = variants.map(kebab).collect();
    assert!(codes.len() > 20, "the codes were found: {codes:?}");
    let page = std::fs::read_to_string(root().join("docs/project-template.md")).unwrap();
    let table = page.split("| code |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), codes);
}

fn kebab(variant: &str) -> String {
    let mut text = String::new();
    for (at, sign) in variant.char_indices() {
        if sign.is_ascii_uppercase() && at > 0 {
            text.push('-');
        }
        text.push(sign.to_ascii_lowercase());
    }
    text
}

#[test]
fn hostile_texts_end_soon() {
    let megabyte = |piece: &str| piece.repeat(990_000 / piece.len());
    let resources = |body: String| format!("Resources:\n  A:\n    Type: T\n    Properties:\n{body}");
    let bucket =
        |name: String| format!("Resources: {{A: {{Type: 'AWS::S3::Bucket', Properties: {{BucketName: {name}}}}}}}");
    let numbered = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let rows = [
        ("brackets", megabyte("[")),
        ("braces", megabyte("{a: ")),
        ("dashes", megabyte("- ")),
        ("question marks", megabyte("? ")),
        ("anchors", megabyte("&a ")),
        ("one anchor, many aliases", format!("a: &a [1]\nb: [{}]", megabyte("*a, "))),
        ("anchors of anchors", "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n".into()),
        ("quotes", megabyte("\"\" ")),
        ("a text without end", format!("a: \"{}", megabyte("x"))),
        ("tags", megabyte("!Ref ")),
        ("commas", format!("[{}]", megabyte("a,"))),
        ("comments", megabyte("#\n")),
        ("colons", megabyte(":")),
        ("empty keys", megabyte(": \n")),
        ("keys", numbered(60_000, |n| format!("key{n}: 1\n"))),
        ("the same key", megabyte("a: 1\n")),
        ("nothing but nul", megabyte("\0")),
        ("names in Sub", resources(format!("      B: !Sub '{}'", megabyte("${a}")))),
        ("open names in Sub", resources(format!("      B: !Sub '{}'", megabyte("${")))),
        ("ARNs", resources(format!("      B: '{}'", megabyte("arn:aws:a:")))),
        (
            "variables of variables",
            bucket((0..40).fold("a".to_owned(), |inner, _| format!("!Sub ['${{X}}${{X}}', {{X: {inner}}}]"))),
        ),
        (
            "a long variable named often",
            bucket(format!("!Sub ['{}', {{X: '{}'}}]", "${X}".repeat(120_000), "x".repeat(400_000))),
        ),
        ("a long join", bucket(format!("!Join ['{}', [{}]]", "x".repeat(400_000), "a,".repeat(250_000)))),
        (
            "conditions of conditions",
            format!(
                "Conditions:\n{}Resources: {{A: {{Type: 'AWS::SNS::Topic', Condition: C0, Properties: {{TopicName: a}}}}}}",
                numbered(10_000, |n| format!("  C{n}: !And [!Condition C{}, !Condition C{}]\n", n + 1, n + 1))
            ),
        ),
        ("escaped slashes", format!("[{}", megabyte("'\\/', "))),
        ("escaped slashes in one text", format!("a: \"{}", megabyte("\\\\/"))),
        ("pairs of surrogates", format!("{{\"a\": \"{}\"}}", "\\ud83d\\ude00".repeat(80_000))),
        ("placeholders", resources(format!("      B: '{}'", megabyte("AWSDEFAULT___A___ ")))),
        ("choices of choices", bucket((0..13).fold("a".to_owned(), |inner, _| format!("!If [c, {inner}, {inner}]")))),
        (
            "patterns that explode",
            format!(
                "Parameters:\n{}Resources: {{A: {{Type: T}}}}",
                numbered(15_000, |n| {
                    format!("  P{n}: {{Type: String, AllowedPattern: '((a{{900}}){{900}}){{900}}'}}\n")
                })
            ),
        ),
        (
            "many resources of many words",
            format!(
                "Resources:\n{}",
                numbered(9_000, |n| {
                    format!("  R{n}: {{Type: 'AWS::S3::Bucket', Properties: {{BucketName: !Sub 'a-${{R{n}}}'}}}}\n")
                })
            ),
        ),
    ];
    for (sentence, text) in rows {
        assert!(text.len() <= 1_000_000, "{sentence}: {} bytes", text.len());
        let started = std::time::Instant::now();
        let findings = lint(&text, date(2026, 11, 24));
        assert!((1..=2000).contains(&findings.len()), "{sentence}: {} findings", findings.len());
        let taken = started.elapsed();
        assert!(taken.as_secs() < 20, "{sentence}: {taken:?}");
    }
}
