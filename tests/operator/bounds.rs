//! What one tenant can make the operator keep or do has bounds: what hangs on objects, what stands in Secrets and
//! ConfigMaps. What is not kept is neither lost on the server nor acted on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::operator::{Harness, NAMESPACE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlops_sandbox::Settings;
use mlops_sandbox::jenkins::Jenkins;
use serde_json::{Value, json};

const LONG: Duration = Duration::from_mins(10);

/// How many reconciles there have been.
fn reconciles(harness: &Harness) -> u64 {
    let text = harness.metrics.text();
    let counts = text.lines().filter(|line| line.starts_with("mlops_operator_reconcile_total{"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[tokio::test(start_paused = true)]
async fn what_others_hang_on_an_object_is_neither_looked_at_nor_lost() {
    let mut harness = Harness::new(Settings::default()).await;
    let large = "x".repeat(250 * 1024);
    let mut manifest = Harness::manifest();
    manifest["metadata"]["annotations"] = json!({"example.com/notes": large});
    manifest["metadata"]["labels"] = json!({"team": "fares"});
    manifest["metadata"]["finalizers"] = json!(["example.com/hold"]);
    harness.start();
    harness.apply(manifest);
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    let hangs = |harness: &Harness, finalizers: Value| {
        let metadata = harness.object().unwrap()["metadata"].clone();
        assert_eq!(metadata["labels"], json!({"team": "fares"}));
        assert_eq!(metadata["annotations"]["example.com/notes"].as_str().map(str::len), Some(large.len()));
        assert_eq!(metadata["finalizers"], finalizers);
    };
    hangs(&harness, json!(["example.com/hold", "mlops-operator.io/finalizer"]));

    let before = reconciles(&harness);
    for change in [json!({"annotations": {"example.com/seen": "1"}}), json!({"labels": {"cost": "7"}})] {
        harness.edit(json!({"metadata": change})).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(reconciles(&harness), before, "what is not read is no reason to look");
    let asked = json!({"annotations": {"mlops-operator.io/reconcile-requested-at": "y".repeat(1000)}, "labels": {"cost": null}});
    harness.edit(json!({"metadata": asked})).await;
    harness.until("looked at", LONG, |harness| reconciles(harness) > before).await;

    harness.delete();
    let held = |harness: &Harness| harness.object().unwrap()["metadata"]["finalizers"] == json!(["example.com/hold"]);
    harness.until("let go", LONG, held).await;
    hangs(&harness, json!(["example.com/hold"]));
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_too_long_is_told_and_other_keys_are_nobodys_matter() {
    let mut harness = Harness::new(Settings::default()).await;
    let (user, token) = Jenkins::credentials();
    let put = |harness: &Harness, token: &str| {
        let data = json!({
            "username": STANDARD.encode(&user), "token": STANDARD.encode(token),
            "later": STANDARD.encode(token), "dump": STANDARD.encode("d".repeat(900 * 1024)),
        });
        harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
        let secret = json!({"metadata": {"name": "jenkins"}, "data": data});
        harness.kubernetes.create("secrets", NAMESPACE, secret).unwrap();
    };
    put(&harness, &"t".repeat(5000));
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("PrerequisitesMet=False/ValueTooLong", LONG).await;
    let said = harness.message("PrerequisitesMet");
    assert!(said.starts_with("Secret jenkins has 5000 bytes under key token; for the Jenkins credentials"), "{said}");
    assert!(!said.contains("tttt"), "{said}");
    put(&harness, &token);
    harness.until_condition("Ready=True/Succeeded", LONG).await;

    let key = |key: &str| json!({"spec": {"platform": {"jenkins": {"credentialsSecretRef": {"tokenKey": key}}}}});
    harness.edit(key("absent")).await;
    harness.until_condition("PrerequisitesMet=False/SecretMissing", LONG).await;
    // The Secret has not changed since: what was not kept is read now.
    harness.edit(key("later")).await;
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    assert_eq!(harness.object().unwrap()["status"]["placement"]["tokenKey"], "later");
    harness.stop().await;
}
