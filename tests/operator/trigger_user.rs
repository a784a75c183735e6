//! The Jenkins user that the model trigger's function starts jobs as: one of its own, which may do no more, or the
//! operator's, which is remarked on. Judged by the secret that the function reads, used as the function uses it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::canary::Paper;
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mlops_operator::telemetry;
use mlops_sandbox::Settings;
use mlops_sandbox::jenkins::{Jenkins, Permission, User};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use tracing_subscriber::EnvFilter;

const TOKEN: &str = "11ab57a47e4ab57a47e4ab57a47e4ab57a";
const ROTATED: &str = "11cd68b58f5cd68b58f5cd68b58f5cd68b";
const LONG: Duration = Duration::from_mins(10);

/// A project whose trigger has the user `starter`; the Secret with it comes later, if at all.
async fn begun(named: bool) -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    harness.sandbox.world(|world| world.jenkins.users.insert("starter".into(), User::starter(TOKEN)));
    let mut manifest = Harness::manifest();
    if named {
        manifest["spec"]["platform"]["modelTrigger"] =
            json!({"credentialsSecretRef": {"name": "starter", "usernameKey": "user"}});
    }
    harness.start();
    harness.apply(manifest);
    harness
}

fn put(harness: &Harness, token: &str) {
    let data = json!({"user": STANDARD.encode("starter"), "token": STANDARD.encode(token)});
    let _ = harness.kubernetes.delete("secrets", NAMESPACE, "starter");
    harness.kubernetes.create("secrets", NAMESPACE, json!({"metadata": {"name": "starter"}, "data": data})).unwrap();
}

/// Whether the secret that the function reads holds this user and token.
fn function_has(harness: &Harness, user: &str, token: &str) -> bool {
    let sum = hex::encode(Sha256::digest(json!({"user": user, "token": token}).to_string()));
    let secrets = harness.sandbox.world(|world| world.region(ACCOUNT, REGION).secrets.dump());
    secrets.as_array().unwrap().iter().any(|secret| secret["valueSha256"] == sum.as_str())
}

/// Status and a header of what Jenkins answers to a POST with these credentials.
async fn post(harness: &Harness, user: &str, token: &str, path: &str) -> (u16, String) {
    let request = http::Request::post(path)
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{token}"))))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from("MODEL_PACKAGE_ARN=arn&EVENT_ID=1"))
        .unwrap();
    let answer = harness.sandbox.jenkins().oneshot(request).await.unwrap();
    let required = answer.headers().get("x-required-permission").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), required.unwrap_or_default())
}

fn writes_to_stacks(harness: &Harness) -> usize {
    let stacks = ["cloudformation CreateStack", "cloudformation UpdateStack"];
    harness.sandbox.calls().iter().filter(|call| stacks.contains(&call.as_str())).count()
}

#[tokio::test(start_paused = true)]
async fn a_user_of_its_own_starts_jobs_and_does_nothing_else() {
    let log = Paper::default();
    let writer = log.clone();
    let subscriber = telemetry::text(EnvFilter::new("trace"), false, move || writer.clone());
    let _logging = crate::harness::canary::logging(subscriber);
    let mut harness = begun(true).await;
    harness.until_condition("PrerequisitesMet=False/SecretMissing", LONG).await;
    let said = harness.message("PrerequisitesMet");
    assert!(said.contains("Secret starter with the Jenkins credentials of the model trigger does not exist"), "{said}");

    put(&harness, TOKEN);
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    assert!(harness.conditions().contains(&"TriggerReady=True/InSync".to_owned()), "{:?}", harness.conditions());
    assert!(function_has(&harness, "starter", TOKEN));

    let jobs = harness.object().unwrap()["status"]["jobs"]["items"].clone();
    let job =
        jobs[2]["url"].as_str().unwrap().trim_start_matches("https://ci.example").trim_end_matches('/').to_owned();
    let build = format!("{job}/buildWithParameters");
    assert_eq!(post(&harness, "starter", TOKEN, &build).await, (201, String::new()));
    tokio::time::sleep(Duration::from_mins(5)).await;
    let told = harness.jenkins("GET", &format!("{job}/lastBuild/api/json"), "").await;
    assert!(told.contains("Started by user starter"), "{told}");
    let others = [
        ("the job's deletion", format!("{job}/doDelete"), "Delete"),
        ("its change", format!("{job}/config.xml"), "Configure"),
    ];
    for (case, path, permission) in others {
        let refused = post(&harness, "starter", TOKEN, &path).await;
        assert_eq!(refused, (403, format!("hudson.model.Item.{permission}")), "{case}");
    }
    harness.sandbox.world(|world| {
        world.jenkins.users.get_mut("starter").unwrap().permissions.remove(&Permission::ItemBuild);
    });
    let refused = post(&harness, "starter", TOKEN, &build).await;
    assert_eq!(refused, (403, "hudson.model.Item.Build".to_owned()), "the function says so in log and queue");

    put(&harness, ROTATED);
    harness.until("rotated", LONG, |harness| function_has(harness, "starter", ROTATED)).await;
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    let updates = writes_to_stacks(&harness);
    let operator = Jenkins::credentials().0;
    harness.sandbox.world(|world| ROTATED.clone_into(&mut world.jenkins.users.get_mut(&operator).unwrap().token));
    let data = json!({"username": STANDARD.encode(&operator), "token": STANDARD.encode(ROTATED)});
    harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
    harness.kubernetes.create("secrets", NAMESPACE, json!({"metadata": {"name": "jenkins"}, "data": data})).unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(writes_to_stacks(&harness), updates, "the operator's own token is none of the function's");

    harness.kubernetes.delete("secrets", NAMESPACE, "starter").unwrap();
    harness.delete();
    harness.until_gone(LONG).await;
    let leaks = crate::harness::readable::leaks(&harness, &log.text(), "", &[TOKEN, ROTATED]);
    assert_eq!(leaks, [] as [String; 0]);
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_operators_own_user_is_remarked_on_without_a_word_too_many() {
    let mut harness = begun(false).await;
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    assert!(harness.conditions().contains(&"TriggerReady=True/SharedCredentials".to_owned()));
    let unfinished: Vec<_> = harness
        .conditions()
        .into_iter()
        .filter(|one| one.starts_with("Reconciling") || one.starts_with("Stalled"))
        .collect();
    assert_eq!(unfinished, [] as [String; 0]);
    let said = harness.message("TriggerReady");
    assert!(said.contains("Overall/Read, Item/Read and Item/Build") && said.contains("credentialsSecretRef"), "{said}");
    let (user, token) = Jenkins::credentials();
    assert!(function_has(&harness, &user, &token));
    let calls = harness.kubernetes.calls().len();
    tokio::time::sleep(Duration::from_mins(70)).await;
    let written = harness.kubernetes.calls().split_off(calls);
    assert!(written.iter().all(|call| call.starts_with("WATCH")), "{written:#?}");
    let events: Vec<Value> = harness.kubernetes.objects("events");
    assert!(events.iter().all(|event| event["reason"] != "SharedCredentials"), "{events:#?}");

    put(&harness, TOKEN);
    harness.edit(json!({"spec": {"platform": {"modelTrigger": {"credentialsSecretRef": {"name": "starter", "usernameKey": "user"}}}}})).await;
    harness.until_condition("TriggerReady=True/InSync", LONG).await;
    assert!(function_has(&harness, "starter", TOKEN));
    harness.stop().await;
}
