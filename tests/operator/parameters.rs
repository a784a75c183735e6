//! Parameters of a project's template that come from Secrets: which Secrets may be used, into which parameters, and that
//! a refusal comes before anything is launched, says what to do, and ends once that is done. What is shown of their values
//! is tried in `secrets`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlops_sandbox::Settings;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(3);
/// What the Secret `api` holds.
const VALUE: &str = "22feed22feed22feed";

fn put_secret(harness: &Harness, name: &str, labels: &Value) {
    let (user, token) = mlops_sandbox::jenkins::Jenkins::credentials();
    let data = json!({
        "key": STANDARD.encode(format!("{VALUE}\n")), "short": STANDARD.encode("abc"),
        "username": STANDARD.encode(user), "token": STANDARD.encode(token),
    });
    let _ = harness.kubernetes.delete("secrets", NAMESPACE, name);
    let secret = json!({"metadata": {"name": name, "labels": labels}, "data": data});
    harness.kubernetes.create("secrets", NAMESPACE, secret).unwrap();
}

/// A template of one's own with a parameter of these rules, and a project that gives it from that key of that Secret.
fn apply(harness: &Harness, rules: &str, secret: &str, key: &str) {
    let template = include_str!("../../examples/templates/batch-scoring.yaml");
    let template =
        template.replace("\nConditions:\n", &format!("  ApiToken: {{Type: String, {rules}}}\n\nConditions:\n"));
    let config_map = json!({"metadata": {"name": "project-template"}, "data": {"template.yaml": template}});
    harness.kubernetes.create("configmaps", NAMESPACE, config_map).unwrap();
    let mut project = Harness::manifest();
    let reference = json!({"name": "project-template", "key": "template.yaml"});
    project["spec"]["platform"]["catalog"] = json!({"template": {"configMapRef": reference}});
    project["spec"]["parameters"] =
        json!([{"name": "ApiToken", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}]);
    harness.apply(project);
}

/// The value that the project was launched with, if it was.
fn launched(harness: &Harness) -> Option<Value> {
    let dump = harness.sandbox.world(|world| world.region(ACCOUNT, REGION).sagemaker.dump());
    let given = dump["projects"][0]["provisioning"]["ProvisioningParameters"].as_array()?.clone();
    given.iter().find(|one| one["Key"] == "ApiToken").map(|one| one["Value"].clone())
}

fn allowed() -> Value {
    json!({"mlops-operator.io/allowed-use": "parameters"})
}

#[tokio::test(start_paused = true)]
async fn a_secret_goes_into_a_parameter_only_where_its_label_allows_it_and_the_template_hides_it() {
    let hidden = "NoEcho: true";
    let refused = "PrerequisitesMet=False/SecretRefused";
    let rows = [
        ("no label", json!({}), "api", "key", hidden, refused),
        ("another use", json!({"mlops-operator.io/allowed-use": "modelTrigger"}), "api", "key", hidden, refused),
        ("a label like it", json!({"allowed-use": "parameters"}), "api", "key", hidden, refused),
        ("no label, and a key that does not exist", json!({}), "api", "none", hidden, refused),
        ("the Secret that the spec names for Jenkins", json!({}), "jenkins", "token", hidden, refused),
        ("a parameter that is shown", allowed(), "api", "key", "Default: ''", "ProjectReady=False/SecretRefused"),
        (
            "one that is shown, in other words",
            allowed(),
            "api",
            "key",
            "NoEcho: yes",
            "ProjectReady=False/SecretRefused",
        ),
        ("a value of three characters", allowed(), "api", "short", hidden, "ProjectReady=False/SecretRefused"),
    ];
    for (case, labels, name, key, rules, condition) in rows {
        let mut harness = Harness::new(Settings::default()).await;
        put_secret(&harness, name, &labels);
        harness.start();
        apply(&harness, rules, name, key);
        harness.until_condition(condition, SOON).await;
        assert!(harness.conditions().contains(&"Stalled=True/SecretRefused".to_owned()), "{case}");
        tokio::time::sleep(Duration::from_mins(30)).await;
        let calls = harness.sandbox.calls();
        assert!(!calls.contains(&"sagemaker CreateProject".to_owned()), "{case}: launched");
        assert!(harness.message("Ready").contains("parameter ApiToken"), "{case}: {}", harness.message("Ready"));
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_label_lets_it_go_on_and_the_value_is_sent_without_its_line_break() {
    let mut harness = Harness::new(Settings::default()).await;
    put_secret(&harness, "api", &json!({"team": "fares"}));
    harness.start();
    apply(&harness, "NoEcho: true", "api", "key");
    harness.until_condition("PrerequisitesMet=False/SecretRefused", SOON).await;
    let message = harness.message("PrerequisitesMet");
    let command = format!("kubectl -n {NAMESPACE} label secret api mlops-operator.io/allowed-use=parameters");
    assert!(message.contains("Secret api") && message.contains(&command), "{message}");
    put_secret(&harness, "api", &allowed());
    let took = harness.until_condition("PrerequisitesMet=True/InSync", SOON).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    harness.until_condition("Ready=True/Succeeded", SOON).await;
    assert_eq!(launched(&harness), Some(json!(VALUE)));
    put_secret(&harness, "api", &json!({}));
    harness.until_condition("Stalled=True/SecretRefused", SOON).await;
}

/// What a Secret that may be named but not read holds could else be guessed: a guess that is masked is right.
#[tokio::test(start_paused = true)]
async fn what_users_write_themselves_is_shown_as_they_wrote_it() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(5)).await;
    let (_, guess) = mlops_sandbox::jenkins::Jenkins::credentials();
    let url = format!("https://github.com/example/../{guess}");
    harness.edit(json!({"spec": {"repositories": {"build": {"url": url}}}})).await;
    harness.until_condition("Stalled=True/InvalidSpec", Duration::from_mins(5)).await;
    assert!(harness.message("Ready").contains(&guess), "{}", harness.message("Ready"));
}
