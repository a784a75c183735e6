//! What a real API server says: which manifests it takes, which it refuses and in which words, and what cannot be
//! changed. One server serves the whole program; every case is a dry run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use crate::harness::cluster::{Cluster, root};
use crate::wrong_manifests::{self, Row};

/// What cannot be changed in the full example.
fn immutable() -> Vec<Row> {
    vec![
        ("/spec/projectName", json!("Other"), "projectName is immutable", "the project's name"),
        ("/spec/projectName", Value::Null, "projectName is immutable", "whether it has a name of its own"),
        ("/spec/platform/aws/region", json!("eu-west-1"), "aws.region is immutable", "the region"),
        ("/spec/platform/aws/assumeRole", Value::Null, "aws.assumeRole is immutable", "the role that is assumed"),
        ("/spec/platform/artifacts", json!({"bucket": "mine"}), "artifacts.bucket is immutable", "the bucket"),
        ("/spec/platform/jenkins/url", json!("https://other.example.com"), "jenkins.url is immutable", "the Jenkins"),
        ("/spec/platform/jenkins/folder", json!("other"), "jenkins.folder is immutable", "the platform's folder"),
        ("/spec/jenkins/folder", Value::Null, "jenkins.folder is immutable", "the project's folder"),
    ]
}

/// What cannot be changed in a platform.
fn immutable_in_a_platform() -> Vec<Row> {
    vec![
        ("/spec/aws/region", json!("eu-west-1"), "aws.region is immutable", "the region"),
        ("/spec/artifacts", json!({"bucket": "mine"}), "artifacts.bucket is immutable", "the bucket"),
        ("/spec/jenkins/url", json!("https://other.example.com"), "jenkins.url is immutable", "the Jenkins"),
        ("/spec/jenkins/folder", json!("other"), "jenkins.folder is immutable", "the folder"),
    ]
}

fn changed(manifest: &Value, pointer: &str, value: &Value) -> String {
    let mut manifest = manifest.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let plain = |key: &str| key.replace("~1", "/").replace("~0", "~");
    // What the field lies in is made where it is missing: IndexMut turns null into an object.
    let parent = parent.split('/').skip(1).fold(&mut manifest, |inside, key| &mut inside[plain(key)]);
    match value {
        Value::Null => drop(parent.as_object_mut().and_then(|fields| fields.remove(&plain(key)))),
        value => parent[plain(key)] = value.clone(),
    }
    manifest.to_string()
}

fn check(cluster: &Cluster, manifest: &Value, rows: &[Row]) {
    let mut wrong = Vec::new();
    for (pointer, value, sentence, case) in rows {
        let (ok, _, stderr) = cluster.kubectl(
            &["apply", "--dry-run=server", "--validate=strict", "-f", "-"],
            &changed(manifest, pointer, value),
        );
        if ok || !stderr.contains(sentence) {
            wrong.push(format!("{case}: expected `{sentence}`, got {}", if ok { "no refusal" } else { stderr.trim() }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} wrong manifests refused", rows.len());
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
    for example in ["examples/platform/platform.yaml", "examples/platform/projects.yaml"] {
        let path = root().join(example);
        cluster.kubectl_ok(&["apply", "--dry-run=server", "--validate=strict", "-f", path.to_str().unwrap()]);
    }
    let platform = wrong_manifests::taken_platform();
    let (ok, _, stderr) = cluster.kubectl(&["apply", "--validate=strict", "-f", "-"], &platform.to_string());
    assert!(ok, "{stderr}");
    check(&cluster, &platform, &wrong_manifests::platforms());
    check(&cluster, &platform, &immutable_in_a_platform());
    let columns = cluster.kubectl_ok(&["get", "mlpf", "-o", "wide"]);
    let header: Vec<_> = columns.lines().next().unwrap().split_whitespace().collect();
    let shown = [
        "NAME",
        "READY",
        "REASON",
        "SUSPENDED",
        "ACCOUNT",
        "REGION",
        "VERSION",
        "AGE",
        "DELETION",
        "JENKINS",
        "PRODUCT",
        "LOGS",
        "MESSAGE",
    ];
    assert_eq!(header, shown);

    let taken = wrong_manifests::taken();
    let (ok, _, stderr) =
        cluster.kubectl(&["apply", "--dry-run=server", "--validate=strict", "-f", "-"], &taken.to_string());
    assert!(ok, "the manifest that each row changes is refused itself: {stderr}");
    check(&cluster, &taken, &wrong_manifests::rows());

    let manifest = full_example();
    let (ok, _, stderr) = cluster.kubectl(&["apply", "-f", "-"], &manifest.to_string());
    assert!(ok, "{stderr}");
    check(&cluster, &manifest, &immutable());

    let columns = cluster.kubectl_ok(&["get", "mlp", "-n", "ml-team", "-o", "wide"]);
    let header: Vec<_> = columns.lines().next().unwrap().split_whitespace().collect();
    let shown = [
        "NAME",
        "READY",
        "REASON",
        "SUSPENDED",
        "PROJECT",
        "VERSION",
        "AGE",
        "DELETION",
        "FOLDER",
        "JENKINS",
        "STUDIO",
        "STACK",
        "PRODUCT",
        "LOGS",
        "MESSAGE",
    ];
    assert_eq!(header, shown);
    assert!(cluster.kubectl_ok(&["get", "mlops", "-n", "ml-team"]).contains("customer.churn"));
    let explained = cluster.kubectl_ok(&["explain", "mlp.spec.platform.aws.accountId"]);
    assert!(explained.contains("Immutable"), "{explained}");
}
