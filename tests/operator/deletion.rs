//! Deletion ends or says why, and an object whose account or Jenkins is gone for good can be let go, with a trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::environment_fault;
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use mlops_sandbox::aws::{Caller, s3};
use mlops_sandbox::{Fault, Settings, What};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_mins(20);

async fn ready(edit: fn(&mut Value)) -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    harness.start();
    let mut manifest = Harness::manifest();
    edit(&mut manifest);
    harness.apply(manifest);
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    harness
}

fn uid(harness: &Harness) -> String {
    harness.object().unwrap()["metadata"]["uid"].as_str().unwrap().to_owned()
}

async fn release(harness: &Harness, value: &str) {
    harness.edit(json!({"metadata": {"annotations": {"mlops-operator.io/release": value}}})).await;
}

fn events(harness: &Harness, reason: &str) -> Vec<Value> {
    harness.kubernetes.objects("events").into_iter().filter(|event| event["reason"] == reason).collect()
}

/// Everything in Jenkins, folders with a trailing slash.
fn items(harness: &Harness) -> Vec<String> {
    harness.sandbox.world(|world| mlops_sandbox::jenkins::item_names(&world.jenkins)).into_iter().collect()
}

fn lose_jenkins(harness: &Harness) {
    harness.sandbox.fault(Fault::on("jenkins", "*").before(What::DropConnection));
}

/// A file in the project's bucket, as the team puts it there.
fn put_data(harness: &Harness) -> String {
    let id = harness.object().unwrap()["status"]["project"]["id"].as_str().unwrap().to_owned();
    let bucket = format!("sagemaker-project-{id}");
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/team");
    let team = Caller { account: ACCOUNT.to_owned(), arn: arn.clone(), principal: arn };
    let request = http::Request::put(format!("/{bucket}/data.csv")).body(bytes::Bytes::from("1,2,3")).unwrap();
    let status = harness.sandbox.world(|world| s3::handle(world, &team, REGION, &request).status());
    assert!(status.is_success(), "{status}");
    bucket
}

fn has_bucket(harness: &Harness, bucket: &str) -> bool {
    harness.sandbox.world(|world| world.s3.bucket(bucket).is_some())
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_jenkins_is_gone_for_good_is_let_go_and_all_of_aws_goes_before() {
    let mut harness = ready(|_| {}).await;
    let jobs = environment_fault::left(&harness).len();
    lose_jenkins(&harness);
    harness.delete();
    tokio::time::sleep(LONG).await;
    assert!(
        harness.conditions().contains(&"JenkinsReady=Unknown/Unavailable".to_owned()),
        "{:#?}",
        harness.conditions()
    );
    let uid = uid(&harness);
    release(&harness, &uid).await;
    harness.until_gone(LONG).await;
    let left = environment_fault::left(&harness);
    assert!(
        !left.is_empty() && left.len() < jobs && left.iter().all(|name| name.contains("sagemaker-taxi-fares")),
        "{left:?}"
    );
    let told = events(&harness, "Released");
    assert_eq!((told.len(), &told[0]["type"]), (1, &json!("Warning")));
    let note = told[0]["note"].as_str().unwrap();
    assert!(note.ends_with("left: Jenkins jobs in folder \"taxi-fares\" of https://ci.example"), "{note}");
    assert!(harness.metrics.text().contains("mlops_operator_released_total 1"));
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_account_is_gone_for_good_is_let_go_and_each_thing_left_is_named() {
    let mut harness = ready(|_| {}).await;
    harness.sandbox.world(|world| world.iam.move_home("001122334455"));
    let calls = harness.sandbox.calls().len();
    harness.delete();
    harness.until_condition("PrerequisitesMet=False/WrongAccount", Duration::from_secs(20)).await;
    let uid = uid(&harness);
    release(&harness, &uid).await;
    harness.until_gone(LONG).await;
    let note = events(&harness, "Released")[0]["note"].as_str().unwrap().to_owned();
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
    let asked = harness.sandbox.calls().split_off(calls);
    assert!(asked.iter().all(|call| call.starts_with("jenkins ") || call == "sts GetCallerIdentity"), "{asked:#?}");
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_annotation_with_another_value_is_ignored_and_says_so() {
    let mut harness = ready(|_| {}).await;
    lose_jenkins(&harness);
    harness.delete();
    for value in ["", "true", "taxi-fares"] {
        release(&harness, value).await;
        tokio::time::sleep(LONG).await;
        assert!(harness.object().is_some(), "{value:?}");
        assert!(
            harness.message("JenkinsReady").contains("its value must be the object's uid"),
            "{}",
            harness.message("JenkinsReady")
        );
    }
    assert!(events(&harness, "Released").is_empty());
    harness.sandbox.clear_faults();
    harness.until_gone(LONG).await;
    assert_eq!(environment_fault::left(&harness), [] as [String; 0]);
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_annotation_lets_nothing_go_that_is_not_being_deleted_or_can_be_removed() {
    let mut harness = ready(|_| {}).await;
    let uid = uid(&harness);
    release(&harness, &uid).await;
    tokio::time::sleep(LONG).await;
    assert!(harness.conditions().contains(&"Ready=True/Succeeded".to_owned()), "{:#?}", harness.conditions());
    harness.delete();
    harness.until_gone(LONG).await;
    assert_eq!(environment_fault::left(&harness), [] as [String; 0]);
    assert!(events(&harness, "Released").is_empty());
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_nobody_knows_the_place_of_is_let_go() {
    let mut harness = Harness::new(Settings::default()).await;
    let mut manifest = Harness::manifest();
    manifest["metadata"]["finalizers"] = json!(["mlops-operator.io/finalizer"]);
    manifest["spec"]["platform"]["aws"].as_object_mut().unwrap().remove("accountId");
    harness.apply(manifest);
    harness.delete();
    harness.start();
    harness.until_condition("Stalled=True/PlacementUnknown", Duration::from_secs(20)).await;
    let uid = uid(&harness);
    release(&harness, &uid).await;
    harness.until_gone(LONG).await;
    assert!(events(&harness, "Released")[0]["note"].as_str().unwrap().contains("left: everything"));
    harness.stop().await;
}

/// A job that only somebody else may read, as matrix-auth keeps it.
const HIDDEN: &str = "<flow-definition><properties><hudson.security.AuthorizationMatrixProperty><inheritanceStrategy class=\"org.jenkinsci.plugins.matrixauth.inheritance.NonInheritingStrategy\"/><permission>USER:hudson.model.Item.Read:somebody</permission></hudson.security.AuthorizationMatrixProperty></properties></flow-definition>";

/// Jenkins deletes what is in a folder as SYSTEM: a job that the operator's user cannot see goes with it.
#[tokio::test(start_paused = true)]
async fn a_job_that_the_operator_cannot_see_outlives_the_project_around_it() {
    let rows = [
        ("the default", json!(null), vec!["taxi-fares/", "taxi-fares/theirs"], 1),
        ("kept", json!("Keep"), vec!["taxi-fares/", "taxi-fares/theirs"], 1),
        ("no policy", json!("delete"), vec!["taxi-fares/", "taxi-fares/theirs"], 1),
        ("consented to", json!("Delete"), vec![], 0),
    ];
    for (name, policy, left, told) in rows {
        let mut harness = ready(|_| {}).await;
        harness.sandbox.world(|world| drop(world.jenkins.plugins.insert("matrix-auth".into(), "3.2".into())));
        harness.jenkins("POST", "/job/taxi-fares/createItem?name=theirs", HIDDEN).await;
        harness.edit(json!({"spec": {"platform": {"jenkins": {"folderPolicy": policy}}}})).await;
        harness.delete();
        harness.until_gone(LONG).await;
        assert_eq!(items(&harness), left, "{name}");
        let events = events(&harness, "FolderKept");
        assert_eq!(events.len(), told, "{name}");
        for event in events {
            let note = event["note"].as_str().unwrap();
            assert!(note.starts_with("Jenkins folder \"taxi-fares\" of https://ci.example stays"), "{name}: {note}");
        }
        harness.stop().await;
    }
}

/// A folder that was left has the project's marker: a new object of the name finds it, and may remove it.
#[tokio::test(start_paused = true)]
async fn a_folder_that_was_left_is_found_again() {
    let mut harness = ready(|manifest| manifest["spec"]["platform"]["jenkins"]["folderPolicy"] = json!("Keep")).await;
    harness.delete();
    harness.until_gone(LONG).await;
    assert_eq!(items(&harness), ["taxi-fares/"]);
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    harness.delete();
    harness.until_gone(LONG).await;
    assert_eq!(items(&harness), [] as [String; 0]);
    harness.stop().await;
}

/// A namespace that is deleted takes the Secret first: what is in AWS stays until Jenkins can be asked, and says so.
#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_deleted_leaves_an_object_that_says_what_it_lacks() {
    let mut harness = ready(|_| {}).await;
    harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
    harness.delete();
    harness.until_condition("JenkinsReady=False/SecretMissing", Duration::from_secs(20)).await;
    assert!(
        harness.message("JenkinsReady").contains("create it in namespace ml-team"),
        "{}",
        harness.message("JenkinsReady")
    );
    // Nothing can be created in a namespace that is being deleted: letting go is the way out.
    let uid = uid(&harness);
    release(&harness, &uid).await;
    harness.until_gone(LONG).await;
    assert!(environment_fault::left(&harness).iter().all(|name| name.contains("sagemaker-taxi-fares")));
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_does_not_parse_and_a_suspended_object_go_like_any_other() {
    let rows = [
        ("broken", json!({"spec": {"platform": {"aws": {"accountId": null}}, "repositories": null}})),
        ("suspended", json!({"spec": {"suspend": true}})),
    ];
    for (name, patch) in rows {
        let mut harness = ready(|_| {}).await;
        harness.edit(patch).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        harness.delete();
        harness.until_gone(LONG).await;
        assert_eq!(environment_fault::left(&harness), [] as [String; 0], "{name}");
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn things_that_are_gone_already_are_in_nobodys_way() {
    let mut harness = ready(|_| {}).await;
    harness.sandbox.world(|world| world.jenkins.items.clear());
    harness.delete();
    harness.until_gone(LONG).await;
    assert_eq!(environment_fault::left(&harness), [] as [String; 0]);
    assert_eq!(items(&harness), [] as [String; 0], "the proof that the folder is gone was left");
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_project_bucket_with_data_goes_or_stays_as_the_policy_says() {
    for (policy, stays) in [("Delete", false), ("Keep", true)] {
        let mut harness = ready(|_| {}).await;
        let bucket = put_data(&harness);
        harness.edit(json!({"spec": {"dataPolicy": policy}})).await;
        harness.delete();
        harness.until_gone(LONG).await;
        assert_eq!(has_bucket(&harness, &bucket), stays, "{policy}");
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_build_that_runs_does_not_hold_up_the_deletion() {
    let mut harness = Harness::new(Settings { jenkins_build: Duration::from_hours(5), ..Settings::default() }).await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let url = harness.object().unwrap()["status"]["jobs"]["items"][0]["url"].as_str().unwrap().to_owned();
    let path = url.strip_prefix("https://ci.example").unwrap();
    harness.jenkins("POST", &format!("{path}buildWithParameters"), "").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    harness.delete();
    harness.until_gone(LONG).await;
    assert_eq!(environment_fault::left(&harness), [] as [String; 0]);
    harness.stop().await;
}

const CRD: &str = "mlopsprojects.mlops-operator.io";

fn delete_crd(harness: &Harness) {
    harness.kubernetes.delete("customresourcedefinitions", "", CRD).unwrap();
}

fn has_crd(harness: &Harness) -> bool {
    harness.kubernetes.object("customresourcedefinitions", "", CRD).is_some()
}

async fn confirm(harness: &Harness, value: &str) {
    harness.edit(json!({"metadata": {"annotations": {"mlops-operator.io/confirm-deletion": value}}})).await;
}

#[tokio::test(start_paused = true)]
async fn a_crd_that_is_deleted_removes_nothing_until_that_is_confirmed() {
    for (name, retain) in [("confirmed", false), ("left standing", true)] {
        let mut harness = ready(|_| {}).await;
        let (calls, made) = (harness.sandbox.calls().len(), environment_fault::left(&harness).len());
        delete_crd(&harness);
        harness.until_condition("Stalled=True/CrdDeleting", Duration::from_secs(20)).await;
        let uid = uid(&harness);
        let told = format!("annotate it with mlops-operator.io/confirm-deletion={uid}");
        assert!(harness.message("Ready").contains(&told), "{}", harness.message("Ready"));
        for value in ["", "true", "taxi-fares"] {
            confirm(&harness, value).await;
            tokio::time::sleep(LONG).await;
            assert!(harness.message("Ready").contains("is ignored: its value must be the object's uid"), "{value:?}");
        }
        assert_eq!(harness.sandbox.calls().len(), calls, "{name}: nothing is asked, nothing is removed");
        assert!(has_crd(&harness));
        if retain {
            harness.edit(json!({"spec": {"deletionPolicy": "Retain"}})).await;
        } else {
            confirm(&harness, &uid).await;
        }
        harness.until_gone(LONG).await;
        assert_eq!(environment_fault::left(&harness).len(), if retain { made } else { 0 }, "{name}");
        assert!(!has_crd(&harness), "{name}: it ends with the last object");
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_began_before_the_crd_was_deleted_goes_on_and_one_that_came_with_it_survives_a_restart() {
    let mut harness = ready(|_| {}).await;
    lose_jenkins(&harness);
    harness.delete();
    tokio::time::sleep(LONG).await;
    delete_crd(&harness);
    harness.stop().await;
    harness.start();
    harness.sandbox.clear_faults();
    harness.until_gone(LONG).await;
    assert_eq!(environment_fault::left(&harness), [] as [String; 0]);
    harness.stop().await;

    let mut harness = ready(|_| {}).await;
    harness.stop().await;
    let made = environment_fault::left(&harness);
    delete_crd(&harness);
    harness.start();
    harness.until_condition("Stalled=True/CrdDeleting", Duration::from_secs(20)).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(environment_fault::left(&harness), made);
    // Whoever lets it go has nothing removed: what is left is everything.
    let uid = uid(&harness);
    release(&harness, &uid).await;
    harness.until_gone(LONG).await;
    assert_eq!(environment_fault::left(&harness), made);
    assert!(events(&harness, "Released")[0]["note"].as_str().unwrap().contains("left: everything"));
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_crd_that_cannot_be_asked_for_holds_deletions_and_a_server_that_fails_for_a_while_only_delays_them() {
    let forbidden = What::refuse(403, "Forbidden", "customresourcedefinitions is forbidden");
    let rows = [
        ("forbidden", forbidden, true),
        ("not there", What::refuse(404, "NotFound", "not found"), true),
        ("failing", What::refuse(500, "InternalError", "etcd has no leader"), false),
    ];
    for (name, what, held) in rows {
        let mut harness = ready(|_| {}).await;
        harness.kubernetes.fault(Fault::on("kubernetes", &format!("GET customresourcedefinitions/{CRD}")).before(what));
        let calls = harness.sandbox.calls().len();
        harness.delete();
        tokio::time::sleep(LONG).await;
        assert_eq!(harness.sandbox.calls().len(), calls, "{name}");
        assert_eq!(harness.conditions().contains(&"Stalled=True/CrdUnknown".to_owned()), held, "{name}");
        if held {
            let uid = uid(&harness);
            confirm(&harness, &uid).await;
        } else {
            harness.kubernetes.clear_faults();
        }
        harness.until_gone(LONG).await;
        assert_eq!(environment_fault::left(&harness), [] as [String; 0], "{name}");
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_spec_does_not_say_the_operators_configuration_says() {
    use mlops_operator::crd::project::DeletionPolicy;
    let rows = [
        ("nothing said", DeletionPolicy::Delete, json!(null), "Delete"),
        ("kept by default", DeletionPolicy::Retain, json!(null), "Retain"),
        ("the spec wins", DeletionPolicy::Retain, json!("Delete"), "Delete"),
        ("a policy that is none keeps", DeletionPolicy::Delete, json!("Orphan"), "Retain"),
    ];
    for (name, default, policy, effective) in rows {
        let mut harness = Harness::new(Settings::default()).await;
        harness.config.default_deletion_policy = default;
        harness.start();
        harness.apply(Harness::manifest());
        harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
        harness.edit(json!({"spec": {"deletionPolicy": policy}})).await;
        let shown = |harness: &Harness| harness.object().unwrap()["status"]["deletionPolicy"] == effective;
        harness.until(name, Duration::from_secs(20), shown).await;
        let made = environment_fault::left(&harness).len();
        harness.delete();
        harness.until_gone(LONG).await;
        let left = if effective == "Retain" { made } else { 0 };
        assert_eq!(environment_fault::left(&harness).len(), left, "{name}");
        harness.stop().await;
    }
}
