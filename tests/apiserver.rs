//! What a real API server says: which manifests it takes, which it refuses and in which words, and what cannot be
//! changed. One server serves the whole program; every case is a dry run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Cluster, root};
use serde_json::{Value, json};

/// One change to the full example: (what it shows, JSON pointer, value or null to remove, sentence of the refusal).
type Case = (&'static str, &'static str, Value, &'static str);

fn immutable() -> Vec<Case> {
    vec![
        ("the project's name", "/spec/projectName", json!("Other"), "projectName is immutable"),
        ("whether it has a name of its own", "/spec/projectName", Value::Null, "projectName is immutable"),
        ("the region", "/spec/platform/aws/region", json!("eu-west-1"), "aws.region is immutable"),
        ("the role that is assumed", "/spec/platform/aws/assumeRole", Value::Null, "aws.assumeRole is immutable"),
        ("the bucket", "/spec/platform/artifacts", json!({"bucket": "mine"}), "artifacts.bucket is immutable"),
        ("the Jenkins", "/spec/platform/jenkins/url", json!("https://other.example.com"), "jenkins.url is immutable"),
        ("the platform's folder", "/spec/platform/jenkins/folder", json!("other"), "jenkins.folder is immutable"),
        ("the project's folder", "/spec/jenkins/folder", Value::Null, "jenkins.folder is immutable"),
    ]
}

fn changed(manifest: &Value, pointer: &str, value: &Value) -> String {
    let mut manifest = manifest.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}"));
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
        (Value::Object(fields), value) => drop(fields.insert(key.to_owned(), value.clone())),
        (Value::Array(items), value) => items[key.parse::<usize>().unwrap()] = value.clone(),
        _ => panic!("{pointer} leads nowhere"),
    }
    manifest.to_string()
}

fn check(cluster: &Cluster, manifest: &Value, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (case, pointer, value, sentence) in cases {
        let (ok, _, stderr) = cluster.kubectl(
            &["apply", "--dry-run=server", "--validate=strict", "-f", "-"],
            &changed(manifest, pointer, &value),
        );
        if ok || !stderr.contains(sentence) {
            wrong.push(format!("{case}: expected `{sentence}`, got {}", if ok { "no refusal" } else { stderr.trim() }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `tests/manifests/invalid`: each file a manifest that is wrong in one way, with what the server must say of it in
/// its first line, `# expect: sentence`.
fn check_manifests(cluster: &Cluster) {
    let folder = root().join("tests/manifests/invalid");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 60, "only {} wrong manifests in {}", paths.len(), folder.display());
    let mut wrong = Vec::new();
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(path).unwrap();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# expect: "));
        let expected = expected.unwrap_or_else(|| panic!("{name} must begin with `# expect: ` and a sentence"));
        let (ok, _, stderr) = cluster.kubectl(&["apply", "--dry-run=server", "--validate=strict", "-f", "-"], &text);
        if ok || !stderr.contains(expected) {
            wrong.push(format!("{name}: expected `{expected}`, got {}", if ok { "no refusal" } else { stderr.trim() }));
        }
    }
    println!("{} wrong manifests refused", paths.len() - wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn full_example() -> Value {
    let text = std::fs::read_to_string(root().join("examples/full.yaml")).unwrap();
    let mut manifest: Value = serde_yaml::from_str(&text).unwrap();
    // A name that cannot serve as the project's: only spec.projectName makes it legal.
    manifest["metadata"]["name"] = json!("customer.churn");
    manifest
}

#[test]
fn the_api_server_takes_the_examples_and_refuses_what_aws_or_jenkins_would_refuse() {
    let cluster = Cluster::start("apiserver");
    cluster.kubectl_ok(&["create", "namespace", "ml-team"]);
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            cluster.kubectl_ok(&["apply", "--dry-run=server", "--validate=strict", "-f", path.to_str().unwrap()]);
        }
    }
    check_manifests(&cluster);

    let manifest = full_example();
    let (ok, _, stderr) = cluster.kubectl(&["apply", "-f", "-"], &manifest.to_string());
    assert!(ok, "{stderr}");
    check(&cluster, &manifest, immutable());

    let columns = cluster.kubectl_ok(&["get", "mlp", "-n", "ml-team", "-o", "wide"]);
    let header: Vec<_> = columns.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["NAME", "READY", "REASON", "PROJECT", "VERSION", "AGE", "FOLDER", "MESSAGE"]);
    assert!(cluster.kubectl_ok(&["get", "mlops", "-n", "ml-team"]).contains("customer.churn"));
    let explained = cluster.kubectl_ok(&["explain", "mlp.spec.platform.aws.accountId"]);
    assert!(explained.contains("Immutable"), "{explained}");
}
