//! What lists show of idle projects: they spare calls for each of them, and what has vanished or failed is found in them
//! within ten minutes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use mlops_sandbox::{Fault, Settings, What};
use serde_json::Value;
use tokio::time::sleep;

use crate::harness::aws;
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION, spread};

const LONG: Duration = Duration::from_mins(10);
/// Ten minutes until it is seen in a list at most, and a moment until it is told.
const SHALLOW: Duration = Duration::from_secs(605);
/// An hour until everything is looked at, and ten minutes that a list may be old.
const DEEP: Duration = Duration::from_mins(75);
const PROJECTS: usize = 5;

fn status(harness: &Harness, name: &str) -> Value {
    harness.kubernetes.object("mlopsprojects", NAMESPACE, name).unwrap()["status"].clone()
}

fn ready(harness: &Harness, name: &str) -> bool {
    harness.conditions_of("mlopsprojects", NAMESPACE, name).iter().any(|condition| condition == "Ready=True/Succeeded")
}

/// Idle projects on one platform, of an operator that may not do these actions.
async fn idle_without(denied: &[&str]) -> Harness {
    idle(PROJECTS, denied).await
}

/// So many of them.
async fn idle(projects: usize, denied: &[&str]) -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    harness.chance = spread();
    for action in denied {
        harness.sandbox.world(|world| world.iam.deny("*", action));
    }
    harness.apply_platform(Harness::platform_manifest());
    harness.start();
    for n in 0..projects {
        harness.kubernetes.create("mlopsprojects", NAMESPACE, Harness::project_on_platform(&format!("p{n}"))).unwrap();
    }
    for n in 0..projects {
        harness.until("Ready", LONG, |harness| ready(harness, &format!("p{n}"))).await;
    }
    // The first hour shows what there is, and the second what it is compared with.
    sleep(Duration::from_hours(3)).await;
    harness
}

/// How often the operator did each of these in two idle hours.
async fn calls<const N: usize>(harness: &Harness, operations: [&str; N]) -> [usize; N] {
    let before = harness.sandbox.requests();
    sleep(Duration::from_hours(2)).await;
    let journal = harness.sandbox.journal_after(before);
    operations.map(|operation| journal.iter().filter(|entry| entry.operation == operation).count())
}

/// SageMaker, as a person of the account calls it.
fn sagemaker(harness: &Harness) -> aws_sdk_sagemaker::Client {
    aws_sdk_sagemaker::Client::new(&person(harness))
}

fn tags_of(harness: &Harness, arn: &str) -> std::collections::BTreeMap<String, String> {
    harness.sandbox.world(|world| world.region(ACCOUNT, REGION).sagemaker.tags.get(arn).cloned().unwrap_or_default())
}

const EACH: [&str; 3] = ["DescribeProject", "ListTags", "DescribeProvisionedProduct"];

#[tokio::test(start_paused = true)]
async fn lists_confirm_idle_projects_and_nobody_asks_for_each() {
    let harness = idle_without(&[]).await;
    let lists = ["ListProjects", "SearchProvisionedProducts", "GetResources"];
    let [describe, tags, product, projects, products, all_tags] =
        calls(&harness, [EACH[0], EACH[1], EACH[2], lists[0], lists[1], lists[2]]).await;
    assert_eq!([describe, tags, product], [0, 0, 0]);
    // Two hours have fifteen times eight minutes, and two looks at everything that are spread over a quarter of an hour.
    for (name, asked) in lists.iter().zip([projects, products, all_tags]) {
        assert!((1..=25).contains(&asked), "{name}: {asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_permission_to_list_each_project_is_asked_for() {
    let denied = ["sagemaker:ListProjects", "servicecatalog:SearchProvisionedProducts", "tag:GetResources"];
    for action in denied {
        let harness = idle_without(&[action]).await;
        let asked = calls(&harness, EACH).await;
        let looks = PROJECTS * 2..=PROJECTS * 3;
        assert!(asked.iter().all(|asked| looks.contains(asked)), "{action}: {asked:?}");
        assert!((0..PROJECTS).all(|n| ready(&harness, &format!("p{n}"))), "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_project_that_somebody_deletes_is_made_again_within_ten_minutes() {
    let harness = idle_without(&[]).await;
    let before = status(&harness, "p3")["project"]["id"].clone();
    let name = status(&harness, "p3")["placement"]["projectName"].as_str().unwrap().to_owned();
    sagemaker(&harness).delete_project().project_name(&name).send().await.unwrap();
    harness.until("it is noticed", SHALLOW, |harness| !ready(harness, "p3")).await;
    harness.until("another one", LONG, |harness| ready(harness, "p3")).await;
    assert_ne!(status(&harness, "p3")["project"]["id"], before);
}

/// How many jobs of the project p1 there are.
fn jobs(harness: &Harness) -> usize {
    let names = harness.sandbox.world(|world| mlops_sandbox::jenkins::item_names(&world.jenkins));
    names.iter().filter(|name| name.starts_with("ml/ml-team/p1/sagemaker-")).count()
}

/// Deletes a job of the project p1 as somebody does in Jenkins.
async fn delete_a_job(harness: &Harness) {
    let url = status(harness, "p1")["jobs"]["items"][0]["url"].as_str().unwrap().to_owned();
    harness.jenkins("POST", &format!("{}doDelete", url.trim_start_matches("https://ci.example")), "").await;
    assert_eq!(jobs(harness), 2);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_somebody_deletes_are_back_within_ten_minutes_whenever_that_is() {
    let harness = idle_without(&[]).await;
    // Minutes that have no factor in common with the time between two looks: each moment around looks comes about.
    for _ in 0..40 {
        delete_a_job(&harness).await;
        harness.until("the job is back", SHALLOW, |harness| jobs(harness) == 3).await;
        sleep(Duration::from_secs(37 * 60 + 13)).await;
    }
    harness.jenkins("POST", "/job/ml/job/ml-team/job/p1/doDelete", "").await;
    harness.until("the jobs and their folder are back", SHALLOW, |harness| jobs(harness) == 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_deleted_again_as_soon_as_it_is_back_is_back_within_ten_minutes() {
    let harness = idle_without(&[]).await;
    for _ in 0..4 {
        delete_a_job(&harness).await;
        harness.until("the job is back", SHALLOW, |harness| jobs(harness) == 3).await;
        sleep(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_back_within_ten_minutes_though_something_else_of_its_project_is_wrong() {
    let harness = idle_without(&[]).await;
    harness.sandbox.world(|world| world.iam.deny("*", "s3:PutObject"));
    let change = serde_json::json!({"spec": {"modelTrigger": {"approvalStatuses": ["Approved", "Rejected"]}}});
    harness.kubernetes.merge("mlopsprojects", NAMESPACE, "p1", false, &change).unwrap();
    harness.until("it is noticed", LONG, |harness| !ready(harness, "p1")).await;
    sleep(Duration::from_hours(2)).await;
    for _ in 0..4 {
        assert!(!ready(&harness, "p1"));
        delete_a_job(&harness).await;
        harness.until("the job is back", SHALLOW, |harness| jobs(harness) == 3).await;
        sleep(Duration::from_secs(37 * 60 + 13)).await;
    }
}

/// The configuration of a client with which a person of the account works.
fn person(harness: &Harness) -> aws_config::SdkConfig {
    aws::person(&harness.sandbox, harness.clock, REGION)
}

#[tokio::test(start_paused = true)]
async fn a_route_that_somebody_deletes_is_back_within_ten_minutes() {
    let harness = idle_without(&[]).await;
    let s3 = aws_sdk_s3::Client::new(&person(&harness));
    let platform = harness.kubernetes.object("mlopsplatforms", "", "main").unwrap();
    let bucket = platform["status"]["artifacts"]["bucket"].as_str().unwrap().to_owned();
    let group = status(&harness, "p1")["project"]["modelPackageGroup"].as_str().unwrap().to_owned();
    let written = |journal: Vec<mlops_sandbox::Entry>| {
        journal
            .iter()
            .any(|entry| entry.operation == "PutObject" && entry.uri.contains(&format!("/routes/{group}.json")))
    };
    for _ in 0..3 {
        let listed = s3.list_objects_v2().bucket(&bucket).send().await.unwrap();
        let keys = listed.contents().iter().filter_map(|object| object.key());
        let key = keys.into_iter().find(|key| key.ends_with(&format!("/routes/{group}.json"))).unwrap().to_owned();
        let from = harness.sandbox.requests();
        s3.delete_object().bucket(&bucket).key(&key).send().await.unwrap();
        harness.until("it is back", SHALLOW, |harness| written(harness.sandbox.journal_after(from))).await;
        sleep(Duration::from_secs(37 * 60 + 13)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_that_somebody_deletes_is_made_again_from_within_ten_minutes_on() {
    let harness = idle_without(&[]).await;
    let cloudformation = aws_sdk_cloudformation::Client::new(&person(&harness));
    let stacks = cloudformation.describe_stacks().send().await.unwrap();
    let names = stacks.stacks().iter().filter_map(|stack| stack.stack_name());
    let name = names.into_iter().find(|name| name.ends_with("-model-trigger")).unwrap().to_owned();
    let from = harness.sandbox.requests();
    cloudformation.delete_stack().stack_name(&name).send().await.unwrap();
    let made =
        |harness: &Harness| harness.sandbox.journal_after(from).iter().any(|entry| entry.operation == "CreateStack");
    harness.until("it is made again", SHALLOW, made).await;
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_refused_for_the_moment_is_asked_for_again_by_itself() {
    let harness = idle_without(&[]).await;
    for what in [What::Throttle, What::refuse(500, "InternalFailure", "try again")] {
        let (before, from) = (status(&harness, "p3")["project"]["id"].clone(), harness.sandbox.requests());
        harness.sandbox.clear_faults();
        for (service, operation) in [("sagemaker", "ListProjects"), ("servicecatalog", "SearchProvisionedProducts")] {
            harness.sandbox.fault(Fault::on(service, operation).range(1, Some(2)).before(what.clone()));
        }
        let name = status(&harness, "p3")["placement"]["projectName"].as_str().unwrap().to_owned();
        sagemaker(&harness).delete_project().project_name(&name).send().await.unwrap();
        harness.until("it is noticed", SHALLOW, |harness| !ready(harness, "p3")).await;
        assert!(harness.sandbox.journal_after(from).iter().any(|entry| entry.fault.is_some()), "a page was refused");
        harness.until("another one", LONG, |harness| ready(harness, "p3")).await;
        assert_ne!(status(&harness, "p3")["project"]["id"], before);
        sleep(Duration::from_hours(2)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn lists_of_more_than_a_page_show_each_project_once() {
    let harness = idle(120, &[]).await;
    let [describe, tags, product] = calls(&harness, EACH).await;
    assert_eq!([describe, tags, product], [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_changes_of_a_project_is_mended_within_the_hour() {
    let harness = idle_without(&[]).await;
    let project = status(&harness, "p2")["project"].clone();
    let arn = project["arn"].as_str().unwrap().to_owned();
    let name = status(&harness, "p2")["placement"]["projectName"].as_str().unwrap().to_owned();
    let wanted = tags_of(&harness, &arn);
    let key = "mlops-operator.io/fingerprint";
    sagemaker(&harness).delete_tags().resource_arn(&arn).tag_keys(key).send().await.unwrap();
    assert_ne!(tags_of(&harness, &arn), wanted);
    harness.until("the tag is back", DEEP, |harness| tags_of(harness, &arn) == wanted).await;
    sleep(Duration::from_hours(2)).await;
    let described = |harness: &Harness| {
        harness.sandbox.world(|world| {
            let projects = &world.region(ACCOUNT, REGION).sagemaker.projects;
            projects.get(&name).unwrap().truth().unwrap().description.clone()
        })
    };
    let before = described(&harness);
    sagemaker(&harness).update_project().project_name(&name).project_description("mine").send().await.unwrap();
    harness.until("the description is back", DEEP, |harness| described(harness) == before).await;
}

#[tokio::test(start_paused = true)]
async fn a_product_that_fails_behind_its_project_is_noticed_within_ten_minutes() {
    let harness = idle_without(&[]).await;
    let id = status(&harness, "p4")["project"]["provisionedProductId"].as_str().unwrap().to_owned();
    harness.sandbox.world(|world| {
        let now = world.now;
        let provisioned = &mut world.region(ACCOUNT, REGION).catalog.provisioned;
        provisioned.get_mut(&id).unwrap().change(now, Duration::ZERO, |product| {
            product.status = "ERROR".to_owned();
            product.message = "somebody broke it".to_owned();
        });
    });
    harness.until("it is noticed", SHALLOW, |harness| !ready(harness, "p4")).await;
    assert!((0..4).all(|n| ready(&harness, &format!("p{n}"))), "the others are as they were");
}

/// How many reconciles there were.
fn reconciles(harness: &Harness) -> f64 {
    let text = harness.metrics.text();
    let counts = text.lines().filter(|line| line.starts_with("mlops_operator_reconcile_total"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test(start_paused = true)]
async fn a_project_that_cannot_be_looked_at_is_not_tried_all_the_time() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
    sleep(Duration::from_hours(1)).await;
    let before = reconciles(&harness);
    sleep(Duration::from_hours(3)).await;
    let tried = reconciles(&harness) - before;
    assert!(tried <= 40.0, "a slow retry is each ten minutes: {tried}");
}

#[tokio::test(start_paused = true)]
async fn credentials_of_another_account_are_told_and_nothing_is_done_with_them() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.chance = spread();
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    harness.sandbox.world(|world| world.iam.move_home("001122334455"));
    harness.until_condition("PrerequisitesMet=False/WrongAccount", DEEP).await;
    for _ in 0..60 {
        sleep(Duration::from_mins(2)).await;
        let conditions = harness.conditions();
        assert!(conditions.iter().any(|one| one == "PrerequisitesMet=False/WrongAccount"), "{conditions:?}");
    }
    let made = harness.sandbox.world(|world| world.region("001122334455", REGION).sagemaker.projects.len());
    assert_eq!(made, 0, "nothing is made there");
}
