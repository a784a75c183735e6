//! Nobody gets more than was granted: what a project uses is checked after its defaults, and what a status says counts no
//! more than a spec unless this installation has sealed it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use mlops_operator::domain::grants::{InlinePlatform, Use};
use mlops_operator::domain::identity::OwnerKey;
use mlops_operator::domain::validate::parse;
use mlops_sandbox::Settings;
use serde_json::{Value, json};

use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use crate::harness::project::seals;

const SOON: Duration = Duration::from_secs(30);

async fn harness() -> Harness {
    Harness::new(Settings::default()).await
}

fn same(one: &Use, other: &Use) -> bool {
    (one.kind, &one.value) == (other.kind, &other.value)
}

/// A grant from which one use is taken: by its place in what the manifest uses.
fn without(uses: &[Use], at: usize) -> InlinePlatform {
    let left: Vec<Use> = uses.iter().filter(|used| !same(used, &uses[at])).cloned().collect();
    InlinePlatform::covering(NAMESPACE, &left)
}

#[tokio::test(start_paused = true)]
async fn whatever_a_project_uses_needs_a_grant_defaults_included() {
    let mut short = Harness::manifest();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/full.yaml")).unwrap();
    let mut full: Value = serde_yaml::from_str(&text).unwrap();
    let mut own = Harness::manifest();
    own["spec"]["platform"]["catalog"] = json!({"template": {"configMapRef": {"name": "ours", "key": "template"}}});
    own["spec"]["platform"]["artifacts"] = json!({"bucket": "team-artifacts"});
    full["metadata"] = short["metadata"].clone();
    short["spec"]["platform"]["aws"].as_object_mut().unwrap().remove("roles");
    let mut kinds = BTreeSet::new();
    for manifest in [short, full, own] {
        let owner = OwnerKey {
            cluster: "c".into(),
            kind: "MlopsProject".into(),
            namespace: NAMESPACE.into(),
            name: "taxi-fares".into(),
        };
        let uses = parse(&owner, &seals(), &manifest["spec"]).unwrap().uses();
        kinds.extend(uses.iter().map(|used| used.kind));
        for at in 0..uses.len() {
            let mut harness = harness().await;
            harness.config.inline_platforms = vec![without(&uses, at)];
            harness.start();
            harness.apply(manifest.clone());
            harness.until_condition("Stalled=True/PlatformNotAllowed", SOON).await;
            let (told, first) = (harness.message("Ready"), uses.iter().find(|used| same(used, &uses[at])).unwrap());
            assert!(told.contains(&first.field), "{:?}: {told}", uses[at]);
            assert_eq!(harness.sandbox.calls(), [] as [String; 0], "{:?}", uses[at]);
            assert!(harness.object().unwrap()["metadata"]["finalizers"].is_null(), "{:?}", uses[at]);
            harness.stop().await;
        }
    }
    assert_eq!(kinds.len(), 17, "every kind of use is in one of the manifests: {kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn what_stands_for_an_absent_field_needs_a_grant_of_its_own() {
    let mut manifest = Harness::manifest();
    manifest["spec"]["jenkins"].as_object_mut().unwrap().remove("folder");
    let rows: [(&str, InlinePlatform); 3] = [
        (
            "role \"arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole\"",
            InlinePlatform { roles: Vec::new(), ..Harness::grant() },
        ),
        ("may not act as the operator itself", InlinePlatform { operator_identity: false, ..Harness::grant() }),
        ("the Jenkins folder the root", InlinePlatform { jenkins_folders: vec!["ml".into()], ..Harness::grant() }),
    ];
    for (refusal, grant) in rows {
        let mut harness = harness().await;
        harness.config.inline_platforms = vec![grant];
        harness.start();
        harness.apply(manifest.clone());
        harness.until_condition("Stalled=True/PlatformNotAllowed", SOON).await;
        assert!(harness.message("Ready").contains(refusal), "{refusal}: {}", harness.message("Ready"));
        assert_eq!(harness.sandbox.calls(), [] as [String; 0], "{refusal}");
        harness.stop().await;
    }
}

/// A placement and intents as somebody who may write a status would forge them.
fn forged(sealed: &str) -> Value {
    json!({"seal": sealed, "intents": [{"resource": "Portfolio", "number": 1, "id": "port-victim"}], "placement": {
        "partition": "aws", "accountId": "444455556666", "region": "eu-west-1", "roleArn": "arn:aws:iam::444455556666:role/victim",
        "externalId": "c/victim", "projectName": "victim", "bucket": "victims-data", "bucketOwned": true,
        "jenkinsUrl": "https://evil.example", "jenkinsFolder": ["victim"], "secretName": "jenkins",
        "usernameKey": "username", "tokenKey": "token",
    }})
}

#[tokio::test(start_paused = true)]
async fn a_status_is_no_authority() {
    for (name, deleted) in [("while the object stands", false), ("while it is deleted", true)] {
        let mut harness = harness().await;
        let mut manifest = Harness::manifest();
        manifest["metadata"]["finalizers"] = json!(["mlops-operator.io/finalizer"]);
        harness.config.inline_platforms = vec![InlinePlatform {
            accounts: vec![ACCOUNT.into()],
            jenkins_urls: vec!["https://ci.example".into()],
            ..Harness::grant()
        }];
        harness.apply(manifest);
        harness.edit_status(json!({"status": forged(&"0".repeat(32))})).await;
        if deleted {
            harness.delete();
        }
        harness.start();
        harness.until_condition("Stalled=True/PlatformNotAllowed", SOON).await;
        let said = harness.message("Ready");
        assert!(said.contains("status.placement is not as the operator has written it"), "{name}: {said}");
        tokio::time::sleep(SOON).await;
        // The refusal is written into the same status: it must not make the forgery the operator's own.
        harness.edit(json!({"spec": {"description": "changed"}})).await;
        tokio::time::sleep(Duration::from_mins(15)).await;
        harness.stop().await;
        harness.start();
        tokio::time::sleep(SOON).await;
        assert_eq!(harness.conditions()[0], "Ready=False/PlatformNotAllowed", "{name}");
        let seal = harness.object().unwrap()["status"]["seal"].clone();
        assert!(seal.is_null() || seal == "0".repeat(32), "{name}: {seal}");
        assert_eq!(harness.sandbox.calls(), [] as [String; 0], "{name}");
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_into_the_status_of_a_suspended_object_is_not_sealed() {
    let mut harness = harness().await;
    let mut manifest = Harness::manifest();
    manifest["spec"]["suspend"] = json!(true);
    manifest["metadata"]["finalizers"] = json!(["mlops-operator.io/finalizer"]);
    harness.apply(manifest);
    let mut place = forged("")["placement"].clone();
    for (field, value) in [
        ("accountId", ACCOUNT),
        ("region", REGION),
        ("jenkinsUrl", "https://ci.example"),
        ("projectName", "taxi-fares"),
    ] {
        place[field] = json!(value);
    }
    place["jenkinsFolder"] = json!(["taxi-fares"]);
    place.as_object_mut().unwrap().remove("roleArn");
    harness.edit_status(json!({"status": {"placement": place}})).await;
    harness.start();
    tokio::time::sleep(SOON).await;
    let status = harness.object().unwrap()["status"].clone();
    assert!(status["seal"].is_null() && !status["conditions"].is_null(), "{status}");
    harness.delete();
    harness.until_gone(Duration::from_mins(10)).await;
    let named = harness.sandbox.journal_lines(0);
    assert!(!named.contains("victims-data"), "its own bucket is looked for, not the one that somebody wrote there");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_somebody_adds_to_a_sealed_placement_is_not_sealed_with_it() {
    let mut harness = harness().await;
    harness.config.inline_platforms[0].roles = vec!["arn:aws:iam::111122223333:role/service-role/*".into()];
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    harness.edit_status(json!({"status": {"placement": {"roleArn": "arn:aws:iam::444455556666:role/victim"}}})).await;
    harness.edit(json!({"spec": {"description": "changed"}})).await;
    harness.until_condition("Stalled=True/PlatformNotAllowed", SOON).await;
    harness.delete();
    tokio::time::sleep(Duration::from_mins(15)).await;
    assert_eq!(harness.conditions()[0], "Ready=False/PlatformNotAllowed");
    let roles = harness.sandbox.calls().iter().filter(|call| call.contains("AssumeRole")).count();
    assert_eq!(roles, 0);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_in_a_forged_status_is_neither_emptied_nor_deleted() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    harness.stop().await;
    let own = harness.object().unwrap()["status"]["placement"]["bucket"].as_str().unwrap().to_owned();
    harness.edit_status(json!({"status": {"placement": {"bucket": "victims-data"}}})).await;
    harness.delete();
    harness.start();
    harness.until_gone(Duration::from_mins(10)).await;
    assert!(!harness.sandbox.calls().iter().any(|call| call.contains("victims-data")));
    assert!(harness.sandbox.world(|world| world.s3.bucket(&own).is_none()), "its own is gone");
}
