//! Two tenants in one account and on one Jenkins: whatever the second one declares, copies, forges and deletes, the first
//! one's resources stay byte for byte as they were. The acts are done here as if every policy allowed them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use base64::Engine;
use mlops_operator::domain::grants::InlinePlatform;
use mlops_sandbox::Settings;
use mlops_sandbox::aws::{Call, Caller, Outcome, s3, sagemaker, service_catalog};
use mlops_sandbox::jenkins::Jenkins;
use mlops_sandbox::world::World;
use serde_json::{Value, json};

use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};

const LONG: Duration = Duration::from_mins(10);
/// The hostile neighbour's namespace.
const RIVAL: &str = "rival";

/// The victim's project is Ready, and the neighbour has a namespace with the same grants and a Secret of its own.
async fn neighbours() -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    let grant = InlinePlatform { namespaces: vec![RIVAL.into()], ..Harness::grant() };
    harness.config.inline_platforms.push(grant);
    harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": RIVAL}})).unwrap();
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let (user, token) = Jenkins::credentials();
    let data = json!({"username": encode(&user), "token": encode(&token)});
    harness.kubernetes.create("secrets", RIVAL, json!({"metadata": {"name": "jenkins"}, "data": data})).unwrap();
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    tokio::time::sleep(LONG).await;
    harness
}

/// What the neighbour declares: a project of a name, in a folder.
fn theirs(name: &str, project: &str, folder: &str) -> Value {
    let mut manifest = Harness::manifest();
    manifest["metadata"]["name"] = json!(name);
    manifest["spec"]["projectName"] = json!(project);
    manifest["spec"]["jenkins"]["folder"] = json!(folder);
    manifest
}

fn condition(harness: &Harness, name: &str, kind: &str) -> String {
    let object = harness.kubernetes.object("mlopsprojects", RIVAL, name).unwrap_or_default();
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == kind);
    found
        .map(|one| format!("{}/{}", one["status"].as_str().unwrap(), one["reason"].as_str().unwrap()))
        .unwrap_or_default()
}

/// AWS and Jenkins as they are.
fn world(harness: &Harness) -> Value {
    harness.sandbox.world(|world| world.dump())
}

/// What was there before and is not there any more as it was.
fn lost(before: &Value, after: &Value, path: &str, found: &mut Vec<String>) {
    // Clocks and the counters that ids are made from go on.
    let goes_on = ["/now", "/ids"].iter().any(|end| path.ends_with(end));
    match (before, after) {
        _ if before == after || goes_on => {}
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                match new.get(key) {
                    Some(kept) => lost(value, kept, &format!("{path}/{key}"), found),
                    None => found.push(format!("{path}/{key} is gone: {value}")),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for one in old.iter().filter(|one| !new.contains(one)) {
                // What has a name is the same one still, and is compared with what it was.
                let named = |other: &&Value| one.get("name").is_some() && other.get("name") == one.get("name");
                match new.iter().find(named) {
                    Some(kept) => lost(one, kept, &format!("{path}/{}", one["name"]), found),
                    None => found.push(format!("{path} has no longer {one}")),
                }
            }
        }
        _ => found.push(format!("{path} was {before}, is {after}")),
    }
}

fn assert_kept(before: &Value, harness: &Harness, act: &str) {
    let mut found = Vec::new();
    lost(before, &world(harness), "", &mut found);
    assert_eq!(found, [] as [String; 0], "{act}");
}

type Service = fn(&mut World, &Call<'_>) -> Outcome;

fn call(harness: &Harness, service: Service, operation: &str, input: &Value) -> Value {
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/rival-pipelines");
    let caller = Caller { account: ACCOUNT.to_owned(), arn: arn.clone(), principal: arn };
    let call = Call { operation, input, caller: &caller, region: REGION };
    harness.sandbox.world(|world| service(world, &call)).unwrap()
}

fn project_arn(name: &str) -> String {
    format!("arn:aws:sagemaker:{REGION}:{ACCOUNT}:project/{name}")
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_who_declares_what_is_there_gets_none_of_it() {
    let rows: [(&str, &str, &str, &str); 2] = [
        ("taxi-fares", "taxi-fares", "taxi-fares", "the same project and folder under the same name"),
        ("other", "other", "taxi-fares", "the same folder"),
    ];
    for (name, project, folder, act) in rows {
        let harness = neighbours().await;
        let before = world(&harness);
        harness.kubernetes.create("mlopsprojects", RIVAL, theirs(name, project, folder)).unwrap();
        tokio::time::sleep(LONG).await;
        assert_kept(&before, &harness, act);
        harness.kubernetes.delete("mlopsprojects", RIVAL, name).unwrap();
        let gone = |harness: &Harness| harness.kubernetes.object("mlopsprojects", RIVAL, name).is_none();
        harness.until("the neighbour's object gone", Duration::from_mins(30), gone).await;
        tokio::time::sleep(LONG).await;
        assert_kept(&before, &harness, &format!("{act}, deleted again"));
        assert_eq!(harness.conditions()[0], "Ready=True/Succeeded", "{act}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_who_names_the_victims_bucket_keeps_to_a_prefix_of_its_own() {
    let harness = neighbours().await;
    let before = world(&harness);
    let mut manifest = theirs("other", "other", "other");
    manifest["spec"]["platform"]["artifacts"] = json!({"bucket": own_bucket(&harness, NAMESPACE, "taxi-fares")});
    harness.kubernetes.create("mlopsprojects", RIVAL, manifest).unwrap();
    let ready = |harness: &Harness| condition(harness, "other", "Ready") == "True/Succeeded";
    harness.until("the neighbour's project Ready", LONG, ready).await;
    assert_kept(&before, &harness, "it was granted every bucket, and put its artifacts there");
    harness.kubernetes.delete("mlopsprojects", RIVAL, "other").unwrap();
    let gone = |harness: &Harness| harness.kubernetes.object("mlopsprojects", RIVAL, "other").is_none();
    harness.until("the neighbour's object gone", Duration::from_mins(30), gone).await;
    assert_kept(&before, &harness, "it was deleted again");
}

/// Tags of one resource put onto the other, both ways, in every service; then everything of the neighbour's is deleted.
#[tokio::test(start_paused = true)]
async fn marks_that_are_copied_from_and_to_a_neighbour_cost_nobody_a_resource() {
    let harness = neighbours().await;
    harness.kubernetes.create("mlopsprojects", RIVAL, theirs("other", "other", "other")).unwrap();
    let ready = |harness: &Harness| condition(harness, "other", "Ready") == "True/Succeeded";
    harness.until("the neighbour's project Ready", LONG, ready).await;
    let theirs = names_of(&harness);
    copy_project_tags(&harness, "other", "taxi-fares");
    copy_catalog_tags(&harness);
    copy_artifacts(&harness);
    copy_markers(&harness).await;
    // The operator mends what was changed of the victim's.
    let asked = json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": "now"}}});
    harness.edit(asked).await;
    tokio::time::sleep(LONG).await;
    // What was copied is there now; from here on, nothing of the victim's may change.
    let before = world(&harness);
    harness.kubernetes.delete("mlopsprojects", RIVAL, "other").unwrap();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let mut found = Vec::new();
    lost(&before, &world(&harness), "", &mut found);
    found.retain(|line| !theirs.iter().any(|id| line.contains(id)));
    assert_eq!(found, [] as [String; 0]);
    assert!(harness.sandbox.world(|world| world.s3.bucket(&own_bucket(&harness, NAMESPACE, "taxi-fares")).is_some()));
}

/// What tells the neighbour's resources from others: names and ids.
fn names_of(harness: &Harness) -> Vec<String> {
    let object = harness.kubernetes.object("mlopsprojects", RIVAL, "other").unwrap();
    let bucket = object["status"]["placement"]["bucket"].as_str().unwrap();
    let owner = bucket.split('-').nth(1).unwrap();
    let ids = ["/status/project/id", "/status/catalog/portfolioId", "/status/catalog/productId"];
    let ids = ids.map(|at| object.pointer(at).and_then(Value::as_str).unwrap().to_owned());
    ids.into_iter().chain([owner.to_owned(), "/other".to_owned(), "other-".to_owned()]).collect()
}

/// Puts the neighbour's tags on the victim's project, all but the one that would take the victim's own away.
fn copy_project_tags(harness: &Harness, from: &str, to: &str) {
    let tags = call(harness, sagemaker::call, "ListTags", &json!({"ResourceArn": project_arn(from)}))["Tags"].clone();
    let theirs = tags.as_array().unwrap().iter().filter(|tag| tag["Key"] != "mlops-operator.io/project-owner");
    let theirs: Vec<Value> = theirs.cloned().collect();
    call(harness, sagemaker::call, "AddTags", &json!({"ResourceArn": project_arn(to), "Tags": theirs}));
}

fn ids(harness: &Harness, namespace: &str, name: &str) -> Value {
    harness.kubernetes.object("mlopsprojects", namespace, name).unwrap()["status"]["catalog"].clone()
}

fn own_bucket(harness: &Harness, namespace: &str, name: &str) -> String {
    let object = harness.kubernetes.object("mlopsprojects", namespace, name).unwrap();
    object["status"]["placement"]["bucket"].as_str().unwrap().to_owned()
}

/// A portfolio with the victim's names and tags, beside the victim's.
fn copy_catalog_tags(harness: &Harness) {
    let victims = ids(harness, NAMESPACE, "taxi-fares");
    let described = call(harness, service_catalog::call, "DescribePortfolio", &json!({"Id": victims["portfolioId"]}));
    let detail = &described["PortfolioDetail"];
    let twin = json!({"DisplayName": detail["DisplayName"], "ProviderName": detail["ProviderName"],
        "IdempotencyToken": "twin", "Tags": described["Tags"]});
    call(harness, service_catalog::call, "CreatePortfolio", &twin);
}

/// An object of the victim's in the neighbour's bucket, tags included.
fn copy_artifacts(harness: &Harness) {
    let (from, to) = (own_bucket(harness, NAMESPACE, "taxi-fares"), own_bucket(harness, RIVAL, "other"));
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/rival-pipelines");
    let caller = Caller { account: ACCOUNT.to_owned(), arn: arn.clone(), principal: arn };
    let object = harness.object().unwrap();
    let url = object["status"]["artifacts"]["templateUrl"].as_str().unwrap().to_owned();
    let key = url.split_once(".com/").unwrap().1;
    let request = http::Request::put(format!("/{to}/{key}"))
        .header("x-amz-copy-source", format!("/{from}/{key}"))
        .body(bytes::Bytes::new())
        .unwrap();
    let status = harness.sandbox.world(|world| s3::handle(world, &caller, REGION, &request).status());
    assert!(status.is_success(), "{status}");
}

/// The victim's marker in the description of a job beside the neighbour's.
async fn copy_markers(harness: &Harness) {
    let job = harness.object().unwrap()["status"]["jobs"]["items"][0]["url"].as_str().unwrap().to_owned();
    let path = job.strip_prefix("https://ci.example").unwrap();
    let document = harness.jenkins("GET", &format!("{path}config.xml"), "").await;
    harness.jenkins("POST", "/job/other/createItem?name=copied", &document).await;
}
