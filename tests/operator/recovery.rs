//! How the operator recovers and what it says meanwhile, as readable text: each test is one story, told by the whole operator
//! in process and compared with `tests/golden/*.txt`. `make golden` writes them anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use mlops_operator::domain::identity::Owned;
use mlops_sandbox::aws::{Call, Caller, sagemaker, service_catalog};
use mlops_sandbox::{Fault, Settings, What, World};
use serde_json::{Value, json};

use crate::harness::aws;
use crate::harness::operator::{ACCOUNT, NAMESPACE, REGION};
use crate::harness::story::{NAME, Story, manifest};

const LONG: Duration = Duration::from_secs(120);

type Service = fn(&mut World, &Call<'_>) -> mlops_sandbox::aws::Outcome;

/// A call of somebody else.
fn meddle(story: &Story, service: Service, operation: &str, input: &Value) {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/somebody");
    let caller = Caller { account: ACCOUNT.into(), arn: arn.clone(), principal: arn };
    let call = Call { operation, input, caller: &caller, region: REGION };
    story.harness.sandbox.world(|world| service(world, &call)).unwrap();
}

fn status(story: &Story, path: &str) -> String {
    story.project().unwrap()["status"].pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn catalog(story: &Story) -> Value {
    story.harness.sandbox.world(|world| world.region(ACCOUNT, REGION).catalog.dump())
}

fn count(of: &Value) -> usize {
    of.as_object().map(serde_json::Map::len).or(of.as_array().map(Vec::len)).unwrap_or_default()
}

/// Somebody takes our marks off portfolio, product and project.
fn take_marks_off(story: &Story) {
    let marks = |id: String, mark: Owned| json!({"Id": id, "RemoveTags": [mark.tag()]});
    let [portfolio, product] = ["/catalog/portfolioId", "/catalog/productId"].map(|path| status(story, path));
    meddle(story, service_catalog::call, "UpdatePortfolio", &marks(portfolio, Owned::Portfolio));
    meddle(story, service_catalog::call, "UpdateProduct", &marks(product, Owned::Product));
    let untag = json!({"ResourceArn": status(story, "/project/arn"), "TagKeys": [Owned::Project.tag()]});
    meddle(story, sagemaker::call, "DeleteTags", &untag);
}

#[tokio::test(start_paused = true)]
async fn marks_removed() {
    let mut story = Story::installed("Somebody takes the ownership tags off what the operator made").await;
    let (before, made) = (catalog(&story), story.project().unwrap()["status"].clone());
    story.chapter("They are put back, and nothing is made a second time");
    story.tell("somebody", "takes the owner tags off portfolio, product and project");
    take_marks_off(&story);
    story.harness.look_now().await;
    story.until("the tags", LONG, |story| catalog(story) == before && story.ready()).await;
    for path in ["/catalog", "/project/id", "/intents"] {
        assert_eq!(story.project().unwrap()["status"].pointer(path), made.pointer(path), "{path}");
    }
    story.chapter("Without its tags it goes with its object all the same");
    story.tell("somebody", "takes the owner tags off again");
    take_marks_off(&story);
    story.tell("user", "deletes the project");
    story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, NAME).unwrap();
    story.until("gone", LONG, |story| story.project().is_none()).await;
    let left = catalog(&story);
    assert_eq!((count(&left["portfolios"]), count(&left["products"])), (0, 0), "{left}");
    story.end("marks-removed").await;
}

#[tokio::test(start_paused = true)]
async fn creation_that_leaves_something() {
    let template =
        include_str!("../../examples/templates/batch-scoring.yaml").replace("RetainExceptOnCreate", "Retain");
    let mut story =
        Story::begin("A project cannot be created, and its template retains a bucket", Settings::default()).await;
    story.tell("aws", "refuses the third code repository, each time");
    story.harness.sandbox.world(|world| {
        let region = world.region(ACCOUNT, REGION);
        for _ in 0..3 {
            region.cloudformation.fail_next("ScoringCodeRepository", "Resource limit exceeded");
        }
    });
    let config_map = json!({"metadata": {"name": "project-template"}, "data": {"template.yaml": template}});
    story.harness.kubernetes.create("configmaps", NAMESPACE, config_map).unwrap();
    let mut project = manifest();
    let reference = json!({"name": "project-template", "key": "template.yaml"});
    project["spec"]["platform"]["catalog"] = json!({"template": {"configMapRef": reference}});
    project["spec"]["parameters"] = json!([{"name": "CostCentre", "value": "fares"}]);
    story.tell("user", "applies the project with that template");
    story.harness.apply(project);
    let given_up = |story: &Story| story.harness.message("ProjectReady").contains("not tried again by itself");
    story.until("a person to be asked", Duration::from_mins(10), given_up).await;
    let creations =
        |story: &Story| story.harness.sandbox.calls().iter().filter(|call| *call == "sagemaker CreateProject").count();
    let message = story.harness.message("ProjectReady");
    assert_eq!(creations(&story), 3);
    assert_eq!(message.matches("aws s3 rb s3://sagemaker-project-p-").count(), 3, "{message}");
    story.chapter("Hours pass");
    story.pass(Duration::from_hours(7)).await;
    assert_eq!(creations(&story), 3, "nothing more is left behind");
    story.chapter("The user asks for another try");
    story.tell("user", "annotates the project");
    story.harness.look_now().await;
    story.until("Ready", LONG, Story::ready).await;
    story.end("creation-that-leaves-something").await;
}

#[tokio::test(start_paused = true)]
async fn passing_faults() {
    let mut story = Story::installed("What goes by within its time is not shown").await;
    let said = story.project().unwrap()["status"].clone();
    for (what, fault) in [
        ("S3 throttles one call", Fault::on("s3", "GetBucketTagging").nth(1).before(What::Throttle)),
        (
            "Service Catalog is unavailable for some calls",
            Fault::on("servicecatalog", "*").range(1, Some(3)).before(What::DropConnection),
        ),
        (
            "Jenkins starts and refuses a valid token",
            Fault::on("jenkins", "*").range(1, Some(2)).before(What::refuse(401, "", "")),
        ),
    ] {
        story.chapter(what);
        story.tell("remote", what);
        story.harness.sandbox.clear_faults();
        story.harness.sandbox.fault(fault);
        story.harness.look_now().await;
        story.pass(Duration::from_mins(4)).await;
        assert_eq!(story.project().unwrap()["status"], said, "{what}");
    }
    story.end("passing-faults").await;
}

#[tokio::test(start_paused = true)]
async fn deletion_without_jenkins() {
    let mut story = Story::installed("A project is deleted while Jenkins does not answer").await;
    story.tell("jenkins", "does not answer");
    story.harness.sandbox.fault(Fault::on("jenkins", "*").before(What::DropConnection));
    story.tell("user", "deletes the project");
    story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, NAME).unwrap();
    story.chapter("After five minutes the rest goes without it; the object stays");
    story
        .until("nothing left in AWS", Duration::from_mins(10), |story| count(&catalog(story)["portfolios"]) == 0)
        .await;
    story.pass(Duration::from_mins(5)).await;
    assert_eq!(story.condition("ArtifactsReady").1, "Deleted");
    assert!(story.project().is_some(), "three jobs are left in Jenkins");
    story.chapter("Jenkins is back");
    story.tell("jenkins", "answers again");
    story.harness.sandbox.clear_faults();
    story.until("gone", Duration::from_mins(10), |story| story.project().is_none()).await;
    let left = story.harness.sandbox.world(|world| mlops_sandbox::jenkins::item_names(&world.jenkins));
    assert!(left.iter().all(|name| !name.contains("sagemaker-")), "{left:?}");
    story.end("deletion-without-jenkins").await;
}

/// S3 as somebody else uses it.
fn s3(story: &Story) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&aws::person(&story.harness.sandbox, story.harness.clock, REGION))
}

async fn fill(story: &Story, bucket: &str, prefix: &str, objects: usize) {
    let client = s3(story);
    for n in 0..objects {
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"taxi fares");
        client.put_object().bucket(bucket).key(format!("{prefix}{n:05}.csv")).body(body).send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn large_bucket() {
    let mut story = Story::installed("A project with a large bucket is deleted").await;
    story.tell("pipelines", "have put 3,500 objects into the artifact bucket");
    let bucket = status(&story, "/artifacts/bucket");
    fill(&story, &bucket, "data/", 3500).await;
    story.overlook();
    story.tell("aws", "takes 12 s to delete a thousand objects");
    story.harness.sandbox.fault(Fault::on("s3", "DeleteObjects").before(What::Delay { millis: 12_000 }));
    story.tell("user", "deletes the project");
    story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, NAME).unwrap();
    story.until("progress", LONG, |story| story.harness.message("ArtifactsReady").contains(" so far")).await;
    story.until("gone", Duration::from_mins(10), |story| story.project().is_none()).await;
    assert!(story.harness.sandbox.world(|world| world.s3.bucket(&bucket).is_none()));
    story.end("large-bucket").await;
}

/// Each object under the prefix is looked at with two calls: what others put there must not cost thousands.
#[tokio::test(start_paused = true)]
async fn objects_of_others_under_the_prefix() {
    let mut story = Story::installed("Somebody fills the operator's prefix").await;
    let bucket = status(&story, "/artifacts/bucket");
    let listed = s3(&story).list_objects_v2().bucket(&bucket).prefix("mlops-operator/").send().await.unwrap();
    let own = listed.contents()[0].key().unwrap();
    let prefix = own.split('/').take(2).map(|part| format!("{part}/")).collect::<String>();
    fill(&story, &bucket, &prefix, 1001).await;
    let calls = story.calls();
    story.harness.look_now().await;
    story.until("the sentence", LONG, |story| story.condition("ArtifactsReady").0 != "True").await;
    let said = story.harness.message("ArtifactsReady");
    assert!(said.contains("more than the operator has ever put there"), "{said}");
    assert!(story.calls() - calls < 100, "{} calls", story.calls() - calls);
    // The bucket's own mark says that all of it goes.
    story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, NAME).unwrap();
    story.until("gone", Duration::from_mins(10), |story| story.project().is_none()).await;
    assert!(story.harness.sandbox.world(|world| world.s3.bucket(&bucket).is_none()));
}

#[tokio::test(start_paused = true)]
async fn speed_of_what_comes_to_nothing() {
    let mut story = Story::begin("An object that never had anything is deleted", Settings::default()).await;
    let mut without_role = manifest();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/launch");
    without_role["spec"]["platform"]["aws"]["roles"] = json!({"launch": role});
    story.harness.apply(without_role);
    story.until("the role to be missed", LONG, |story| story.condition("PrerequisitesMet").0 == "Unknown").await;
    let (calls, from) = (story.calls(), story.harness.sandbox.now());
    story.harness.kubernetes.delete("mlopsprojects", NAMESPACE, NAME).unwrap();
    story.until("gone", LONG, |story| story.project().is_none()).await;
    let (made, took) = (story.calls() - calls, story.harness.sandbox.now().duration_since(from).as_secs());
    println!("an object that had nothing: {made} calls, {took} s");
    assert!(made <= 40 && took <= 20, "{made} calls in {took} s: {:?}", story.harness.sandbox.calls());
    story.harness.stop().await;

    let mut story = Story::begin("A launch role that cannot be assumed", Settings::default()).await;
    let refusal = What::refuse(400, "ValidationException", "An error occurred while assuming the role x");
    story.harness.sandbox.fault(Fault::on("sagemaker", "CreateProject").before(refusal));
    story.harness.apply(manifest());
    story.pass(Duration::from_mins(10)).await;
    let tries = story.harness.sandbox.calls().iter().filter(|call| *call == "sagemaker CreateProject").count();
    println!("a launch role that cannot be assumed: {tries} CreateProject in ten minutes");
    assert!((5..=10).contains(&tries), "{tries} in ten minutes");
    story.harness.stop().await;
}
