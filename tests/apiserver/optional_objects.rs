//! Every optional object of the spec through client-side apply, server-side apply, and both in either order: each way must
//! come to the same object, and one that is empty to the same project as one that is left out. Apart from the other
//! manifests since it asks what is stored, not what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use mlops_operator::crd::project::MlopsProjectSpec;
use serde_json::{Value, json};

use crate::harness::cluster::{Cluster, root};
use crate::wrong_manifests;

/// How `kubectl apply` is asked: by the client, by the server, and as another manager of the same fields.
const CLIENT: &[&str] = &[];
const SERVER: &[&str] = &["--server-side"];
const ANOTHER: &[&str] = &["--server-side", "--force-conflicts", "--field-manager=argocd-controller"];

/// Objects whose keys are the user's.
const MAPS: [&str; 3] = ["tags", "jenkins.extraParameters", "platform.tags"];

/// Path in the schema, pointer in the manifest, and what stands there: an object with content.
fn rows() -> Vec<(&'static str, &'static str, Value)> {
    let secret = || json!({"name": "jenkins"});
    let bundle = || json!({"kind": "ConfigMap", "name": "ca", "key": "ca.crt"});
    let seed = || json!({"source": "None"});
    let archive =
        || json!({"source": "Archive", "archive": {"url": "https://a.example/b.zip", "sha256": "0a".repeat(32)}});
    let endpoint = || {
        let mut repository = wrong_manifests::taken()["spec"]["repositories"]["deploy"].clone();
        repository["url"] = json!("https://github.com/example/taxi-endpoint.git");
        repository["fullName"] = json!("example/taxi-endpoint");
        repository
    };
    vec![
        ("tags", "/tags", json!({"team": "fares"})),
        ("jenkins", "/jenkins", json!({"pollSchedule": "@daily"})),
        ("jenkins.extraParameters", "/jenkins/extraParameters", json!({"TEAM": "fares"})),
        ("modelTrigger", "/modelTrigger", json!({"approvalStatuses": ["Rejected"]})),
        (
            "parameters[].valueFrom",
            "/parameters",
            json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
        ),
        ("platform.artifacts", "/platform/artifacts", json!({"kmsKeyId": "alias/x"})),
        ("platform.aws.assumeRole", "/platform/aws/assumeRole", json!({"roleArn": "arn:aws:iam::111122223333:role/r"})),
        ("platform.aws.roles", "/platform/aws/roles", json!({"use": "arn:aws:iam::111122223333:role/r"})),
        ("platform.catalog", "/platform/catalog", json!({"portfolio": {"name": "Ours"}})),
        ("platform.catalog.portfolio", "/platform/catalog/portfolio", json!({"name": "Ours"})),
        ("platform.catalog.product", "/platform/catalog/product", json!({"name": "Ours"})),
        ("platform.catalog.template", "/platform/catalog/template", json!({"builtIn": "jenkins-git-v1"})),
        (
            "platform.catalog.template.configMapRef",
            "/platform/catalog/template/configMapRef",
            json!({"name": "t", "key": "k"}),
        ),
        ("platform.jenkins.caBundleRef", "/platform/jenkins/caBundleRef", bundle()),
        ("platform.modelTrigger", "/platform/modelTrigger", json!({"logRetentionDays": 7})),
        ("platform.modelTrigger.caBundleRef", "/platform/modelTrigger/caBundleRef", bundle()),
        ("platform.modelTrigger.credentialsSecretRef", "/platform/modelTrigger/credentialsSecretRef", secret()),
        (
            "platform.modelTrigger.vpc",
            "/platform/modelTrigger/vpc",
            json!({"subnetIds": ["subnet-0a1b2c3d"], "securityGroupIds": ["sg-0a1b2c3d"]}),
        ),
        ("platform.tags", "/platform/tags", json!({"team": "fares"})),
        ("repositories.build.seedCode", "/repositories/build/seedCode", seed()),
        ("repositories.build.seedCode.archive", "/repositories/build/seedCode", archive()),
        ("repositories.deploy.seedCode", "/repositories/deploy/seedCode", seed()),
        ("repositories.deploy.seedCode.archive", "/repositories/deploy/seedCode", archive()),
        ("repositories.endpoint", "/repositories/endpoint", endpoint()),
        ("repositories.endpoint.seedCode", "/repositories/endpoint", with(endpoint(), "seedCode", seed())),
        ("repositories.endpoint.seedCode.archive", "/repositories/endpoint", with(endpoint(), "seedCode", archive())),
        ("repositories.preprocess.seedCode", "/repositories/preprocess/seedCode", seed()),
        ("repositories.preprocess.seedCode.archive", "/repositories/preprocess/seedCode", archive()),
    ]
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

/// Paths of the optional objects below this schema, and of those that may be empty.
fn optional(schema: &Value, path: &str, found: &mut BTreeSet<String>, may_be_empty: &mut BTreeSet<String>) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if property["type"] == "object" && !required.contains(&json!(name)) {
            if property.get("required").is_none() {
                may_be_empty.insert(path.clone());
            }
            found.insert(path.clone());
        }
        optional(property, &path, found, may_be_empty);
        optional(&property["items"], &format!("{path}[]"), found, may_be_empty);
    }
}

/// The manifest with this at this place of its spec, or with nothing there.
fn manifest(pointer: &str, value: Option<&Value>) -> Value {
    let mut manifest = wrong_manifests::taken();
    manifest["spec"].as_object_mut().unwrap().remove("modelTrigger");
    let keys: Vec<&str> = pointer.split('/').skip(1).collect();
    let (last, parents) = keys.split_last().unwrap();
    let mut parent = &mut manifest["spec"];
    for key in parents {
        parent = &mut parent[*key];
    }
    match value {
        Some(value) => parent[*last] = value.clone(),
        None => drop(parent.as_object_mut().and_then(|fields| fields.remove(*last))),
    }
    manifest
}

/// The spec that is stored after these manifests were applied in these ways, one after another.
fn stored(cluster: &Cluster, steps: &[(&Value, &[&str])]) -> Value {
    for (manifest, way) in steps {
        let arguments = [&["apply", "-f", "-"][..], way].concat();
        let (ok, _, stderr) = cluster.kubectl(&arguments, &manifest.to_string());
        assert!(ok, "{arguments:?} of {manifest}: {stderr}");
    }
    let object = cluster.kubectl_ok(&["get", "mlp", "taxi-fares", "-n", "ml-team", "-o", "json"]);
    cluster.kubectl_ok(&["delete", "mlp", "taxi-fares", "-n", "ml-team"]);
    serde_json::from_str::<Value>(&object).unwrap()["spec"].clone()
}

fn read(spec: &Value) -> MlopsProjectSpec {
    serde_json::from_value(spec.clone()).unwrap_or_else(|error| panic!("the operator cannot read {spec}: {error}"))
}

#[test]
fn every_way_of_applying_an_optional_object_comes_to_the_same() {
    let crd = std::fs::read_to_string(root().join("crds/mlopsprojects.mlops-operator.io.yaml")).unwrap();
    let crd: Value = serde_yaml::from_str(&crd).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let (mut all, mut may_be_empty) = (BTreeSet::new(), BTreeSet::new());
    optional(schema, "", &mut all, &mut may_be_empty);
    // One of these is always there, and none can be changed.
    for exclusive in ["platform", "platformRef"] {
        assert!(all.remove(exclusive), "{exclusive}");
        may_be_empty.remove(exclusive);
    }
    // A rule refuses an empty one.
    may_be_empty.remove("repositories.endpoint");
    let tried: BTreeSet<String> = rows().into_iter().map(|(path, ..)| path.to_owned()).collect();
    assert_eq!(tried, all, "the table has a row for each optional object of the schema, and no other");

    let cluster = Cluster::start("optional");
    cluster.kubectl_ok(&["create", "namespace", "ml-team"]);
    let mut wrong = Vec::new();
    for (path, pointer, content) in rows() {
        let (full, absent) = (manifest(pointer, Some(&content)), manifest(pointer, None));
        let mut same = |case: &str, expected: &Value, steps: &[(&Value, &[&str])]| {
            let found = stored(&cluster, steps);
            if read(&found) != read(expected) {
                wrong.push(format!("{path}, {case}: expected {expected}, found {found}"));
            }
        };
        let expected = stored(&cluster, &[(&full, CLIENT)]);
        same("by the server", &expected, &[(&full, SERVER)]);
        same("by client, then server", &expected, &[(&full, CLIENT), (&full, SERVER)]);
        same("by server, then client", &expected, &[(&full, SERVER), (&full, CLIENT)]);
        same("by client, then another manager", &expected, &[(&full, CLIENT), (&full, ANOTHER)]);
        if !may_be_empty.contains(path) || !content.is_object() || pointer.replace('/', ".") != format!(".{path}") {
            continue;
        }
        let empty = manifest(pointer, Some(&json!({})));
        let expected = stored(&cluster, &[(&absent, CLIENT)]);
        same("empty by the client", &expected, &[(&empty, CLIENT)]);
        same("empty by the server", &expected, &[(&empty, SERVER)]);
        same("empty by client, then server", &expected, &[(&empty, CLIENT), (&empty, SERVER)]);
        same("empty by server, then client", &expected, &[(&empty, SERVER), (&empty, CLIENT)]);
        same("empty by client, then another manager", &expected, &[(&empty, CLIENT), (&empty, ANOTHER)]);
        // What a map of users' own keys held stays, since kubectl hands its entries over one by one.
        if !MAPS.contains(&path) {
            same("full by the client, then empty by the server", &expected, &[(&full, CLIENT), (&empty, SERVER)]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
