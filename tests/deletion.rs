//! Deletion ends or says why, and an object whose account or Jenkins is gone for good can be let go, with a trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/canary.rs"]
mod canary;
#[path = "stage/readable.rs"]
mod readable;
mod stage;
#[path = "stage/story.rs"]
mod story;
#[path = "stage/surrounding.rs"]
mod surrounding;

use std::time::Duration;

use mlops_sandbox::aws::{Caller, s3};
use mlops_sandbox::{Fault, Settings, What};
use serde_json::{Value, json};
use stage::{ACCOUNT, NAMESPACE, REGION, Stage};

const LONG: Duration = Duration::from_mins(20);

async fn ready(edit: fn(&mut Value)) -> Stage {
    let mut stage = Stage::new(Settings::default()).await;
    stage.start();
    let mut manifest = Stage::manifest();
    edit(&mut manifest);
    stage.apply(manifest);
    stage.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    stage
}

fn uid(stage: &Stage) -> String {
    stage.object().unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
}

async fn release(stage: &Stage, value: &str) {
    stage.edit(json!({"metadata": {"annotations": {"mlops-operator.io/release": value}}})).await;
}

fn events(stage: &Stage, reason: &str) -> Vec<Value> {
    stage.kubernetes.objects("events").into_iter().filter(|event| event["reason"] == reason).collect()
}

fn lose_jenkins(stage: &Stage) {
    stage.sandbox.fault(Fault::on("jenkins", "*").before(What::DropConnection));
}

/// A file in the project's bucket, as the team puts it there.
fn put_data(stage: &Stage) -> String {
    let id = stage.object().unwrap()["status"]["project"]["id"].as_str().unwrap().to_owned();
    let bucket = format!("sagemaker-project-{id}");
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/team");
    let team = Caller { account: ACCOUNT.to_owned(), arn: arn.clone(), principal: arn };
    let request = http::Request::put(format!("/{bucket}/data.csv")).body(bytes::Bytes::from("1,2,3")).unwrap();
    let status = stage.sandbox.world(|world| s3::handle(world, &team, REGION, &request).status());
    assert!(status.is_success(), "{status}");
    bucket
}

fn has_bucket(stage: &Stage, bucket: &str) -> bool {
    stage.sandbox.world(|world| world.s3.bucket(bucket).is_some())
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_jenkins_is_gone_for_good_is_let_go_and_all_of_aws_goes_before() {
    let mut stage = ready(|_| {}).await;
    let jobs = surrounding::left(&stage).len();
    lose_jenkins(&stage);
    stage.delete();
    tokio::time::sleep(LONG).await;
    assert!(stage.conditions().contains(&"JobsReady=Unknown/Unavailable".to_owned()), "{:#?}", stage.conditions());
    let uid = uid(&stage);
    release(&stage, &uid).await;
    stage.until_gone(LONG).await;
    let left = surrounding::left(&stage);
    assert!(
        !left.is_empty() && left.len() < jobs && left.iter().all(|name| name.contains("sagemaker-taxi-fares")),
        "{left:?}"
    );
    let told = events(&stage, "Released");
    assert_eq!((told.len(), &told[0]["type"]), (1, &json!("Warning")));
    let note = told[0]["note"].as_str().unwrap();
    assert!(note.ends_with("left: Jenkins jobs in folder \"taxi-fares\" of https://ci.example"), "{note}");
    assert!(stage.metrics.text().contains("mlops_operator_released_total 1"));
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_account_is_gone_for_good_is_let_go_and_each_thing_left_is_named() {
    let mut stage = ready(|_| {}).await;
    stage.sandbox.world(|world| world.iam.move_home("001122334455"));
    let calls = stage.sandbox.calls().len();
    stage.delete();
    stage.until_condition("PrerequisitesMet=False/WrongAccount", Duration::from_secs(20)).await;
    let uid = uid(&stage);
    release(&stage, &uid).await;
    stage.until_gone(LONG).await;
    let note = events(&stage, "Released")[0]["note"].as_str().unwrap().to_owned();
    for named in [
        "artifact bucket \"mlops-",
        "catalog product prod-",
        "SageMaker project \"taxi-fares\"",
        "model trigger stack arn:",
        ACCOUNT,
    ] {
        assert!(note.contains(named), "{named} is missing: {note}");
    }
    assert!(!note.contains("Jenkins"), "the jobs could be removed: {note}");
    let asked = stage.sandbox.calls().split_off(calls);
    assert!(asked.iter().all(|call| call.starts_with("jenkins ") || call == "sts GetCallerIdentity"), "{asked:#?}");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_annotation_with_another_value_is_ignored_and_says_so() {
    let mut stage = ready(|_| {}).await;
    lose_jenkins(&stage);
    stage.delete();
    for value in ["", "true", "taxi-fares"] {
        release(&stage, value).await;
        tokio::time::sleep(LONG).await;
        assert!(stage.object().is_some(), "{value:?}");
        assert!(
            stage.message("JobsReady").contains("its value must be the object's uid"),
            "{}",
            stage.message("JobsReady")
        );
    }
    assert!(events(&stage, "Released").is_empty());
    stage.sandbox.clear_faults();
    stage.until_gone(LONG).await;
    assert_eq!(surrounding::left(&stage), [] as [String; 0]);
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_annotation_lets_nothing_go_that_is_not_being_deleted_or_can_be_removed() {
    let mut stage = ready(|_| {}).await;
    let uid = uid(&stage);
    release(&stage, &uid).await;
    tokio::time::sleep(LONG).await;
    assert!(stage.conditions().contains(&"Ready=True/Succeeded".to_owned()), "{:#?}", stage.conditions());
    stage.delete();
    stage.until_gone(LONG).await;
    assert_eq!(surrounding::left(&stage), [] as [String; 0]);
    assert!(events(&stage, "Released").is_empty());
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_nobody_knows_the_place_of_is_let_go() {
    let mut stage = Stage::new(Settings::default()).await;
    let mut manifest = Stage::manifest();
    manifest["metadata"]["finalizers"] = json!(["mlops-operator.io/finalizer"]);
    manifest["spec"]["platform"]["aws"].as_object_mut().unwrap().remove("accountId");
    stage.apply(manifest);
    stage.delete();
    stage.start();
    stage.until_condition("Stalled=True/PlacementUnknown", Duration::from_secs(20)).await;
    let uid = uid(&stage);
    release(&stage, &uid).await;
    stage.until_gone(LONG).await;
    assert!(events(&stage, "Released")[0]["note"].as_str().unwrap().contains("left: everything"));
    stage.stop().await;
}

/// A namespace that is deleted takes the Secret first: what is in AWS stays until Jenkins can be asked, and says so.
#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_deleted_leaves_an_object_that_says_what_it_lacks() {
    let mut stage = ready(|_| {}).await;
    stage.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
    stage.delete();
    stage.until_condition("JobsReady=False/SecretMissing", Duration::from_secs(20)).await;
    assert!(stage.message("JobsReady").contains("create it in namespace ml-team"), "{}", stage.message("JobsReady"));
    // Nothing can be created in a namespace that is being deleted: letting go is the way out.
    let uid = uid(&stage);
    release(&stage, &uid).await;
    stage.until_gone(LONG).await;
    assert!(surrounding::left(&stage).iter().all(|name| name.contains("sagemaker-taxi-fares")));
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_does_not_parse_and_a_suspended_object_go_like_any_other() {
    let rows = [
        ("broken", json!({"spec": {"platform": {"aws": {"accountId": null}}, "repositories": null}})),
        ("suspended", json!({"spec": {"suspend": true}})),
    ];
    for (name, patch) in rows {
        let mut stage = ready(|_| {}).await;
        stage.edit(patch).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        stage.delete();
        stage.until_gone(LONG).await;
        assert_eq!(surrounding::left(&stage), [] as [String; 0], "{name}");
        stage.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn things_that_are_gone_already_are_in_nobodys_way() {
    let mut stage = ready(|_| {}).await;
    stage.sandbox.world(|world| world.jenkins.items.clear());
    stage.delete();
    stage.until_gone(LONG).await;
    assert_eq!(surrounding::left(&stage), [] as [String; 0]);
    let items = stage.sandbox.world(|world| mlops_sandbox::jenkins::item_names(&world.jenkins));
    assert!(items.is_empty(), "the proof that the folder is gone was left: {items:?}");
    stage.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_project_bucket_with_data_goes_or_stays_as_the_policy_says() {
    for (policy, stays) in [("Delete", false), ("Keep", true)] {
        let mut stage = ready(|_| {}).await;
        let bucket = put_data(&stage);
        stage.edit(json!({"spec": {"dataPolicy": policy}})).await;
        stage.delete();
        stage.until_gone(LONG).await;
        assert_eq!(has_bucket(&stage, &bucket), stays, "{policy}");
        stage.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_build_that_runs_does_not_hold_up_the_deletion() {
    let mut stage = Stage::new(Settings { jenkins_build: Duration::from_hours(5), ..Settings::default() }).await;
    stage.start();
    stage.apply(Stage::manifest());
    stage.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let url = stage.object().unwrap()["status"]["jobs"]["urls"][0].as_str().unwrap().to_owned();
    let path = url.strip_prefix("https://ci.example").unwrap();
    stage.jenkins("POST", &format!("{path}buildWithParameters"), "").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.delete();
    stage.until_gone(LONG).await;
    assert_eq!(surrounding::left(&stage), [] as [String; 0]);
    stage.stop().await;
}
