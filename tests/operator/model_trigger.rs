//! What an approved model starts, from SageMaker's event to the builds in Jenkins: the stack that the operator made, and its
//! function as it was deployed, run for real. Judged by the builds that Jenkins has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::function::{End, Function, Request};
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use crate::harness::story::Story;
use bytes::Bytes;
use mlops_sandbox::aws::iam::Facts;
use mlops_sandbox::aws::{Call, dispatch, events, s3, sagemaker, sqs};
use mlops_sandbox::{Endpoint, Fault, Settings, What};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_mins(10);

fn status(harness: &Harness, pointer: &str) -> Value {
    harness.object().unwrap().pointer(pointer).cloned().unwrap_or_default()
}

/// Registers a model in the project's group and approves it; gives its ARN.
async fn approve(harness: &Harness) -> String {
    let group = status(harness, "/status/project/modelPackageGroup");
    let body = json!({"group": group, "approve": true, "region": REGION}).to_string();
    let request = http::Request::post("/_sandbox/model-packages").body(Bytes::from(body)).unwrap();
    let answer = harness.sandbox.answer(Endpoint::Jenkins, request).await.unwrap();
    let made: Value = serde_json::from_slice(answer.body()).unwrap();
    made["modelPackageArn"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// The models that the deploy job was built for, in the order of the builds.
async fn builds(harness: &Harness) -> Vec<String> {
    let url = status(harness, "/status/jobs/items/2/url");
    let job = url.as_str().unwrap().trim_start_matches("https://ci.example").trim_end_matches('/').to_owned();
    let tree = "builds[number,actions[parameters[name,value]]]";
    let told = harness.jenkins("GET", &format!("{job}/api/json?tree={tree}"), "").await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let builds = told["builds"].as_array().unwrap().iter().rev();
    let parameters = builds.flat_map(|build| build["actions"].as_array().unwrap()).flat_map(|action| {
        action["parameters"].as_array().into_iter().flatten().filter(|one| one["name"] == "MODEL_PACKAGE_ARN")
    });
    parameters.map(|one| one["value"].as_str().unwrap().to_owned()).filter(|arn| !arn.is_empty()).collect()
}

struct Scene {
    harness: Harness,
    function: Function,
}

impl Scene {
    /// A project that is ready, with its trigger and its route.
    async fn ready() -> Self {
        Self::ready_in(None).await
    }

    /// The same with its artifacts in a bucket of somebody's.
    async fn ready_in(bucket: Option<&str>) -> Self {
        let mut harness = Harness::new(Settings::default()).await;
        let mut manifest = Harness::manifest();
        if let Some(bucket) = bucket {
            manifest["spec"]["platform"]["artifacts"] = json!({"bucket": bucket});
            let request = http::Request::put(format!("/{bucket}")).body(Bytes::new()).unwrap();
            let admin = dispatch::administrator(ACCOUNT);
            let made = harness.sandbox.world(|world| s3::handle(world, &admin, REGION, &request));
            assert!(made.status().is_success());
        }
        harness.start();
        harness.apply(manifest);
        harness.until_condition("Ready=True/Succeeded", LONG).await;
        assert!(harness.conditions().contains(&"RouteReady=True/InSync".to_owned()), "{:?}", harness.conditions());
        Self { harness, function: Function::start() }
    }

    /// Two projects on a platform that they share, and both ready.
    async fn on_platform() -> Self {
        let mut harness = Harness::new(Settings::default()).await;
        harness.start();
        harness.apply_platform(Harness::platform_manifest());
        for name in ["taxi-fares", "taxi-tips"] {
            harness.apply(Harness::project_on_platform(name));
        }
        let ready = |harness: &Harness, name: &str| {
            let conditions = harness.conditions_of("mlopsprojects", NAMESPACE, name);
            conditions.iter().any(|condition| condition == "Ready=True/Succeeded")
        };
        harness.until("both ready", LONG, |harness| ready(harness, "taxi-fares") && ready(harness, "taxi-tips")).await;
        Self { harness, function: Function::start() }
    }

    async fn pass(&mut self, time: Duration) {
        self.function.pass(&self.harness.sandbox, time).await;
    }

    fn status(&self, pointer: &str) -> Value {
        status(&self.harness, pointer)
    }

    async fn approve(&self) -> String {
        approve(&self.harness).await
    }

    async fn builds(&self) -> Vec<String> {
        builds(&self.harness).await
    }

    fn ask(
        &self,
        service: fn(&mut mlops_sandbox::World, &Call<'_>) -> mlops_sandbox::aws::Outcome,
        operation: &str,
        input: &Value,
    ) -> Value {
        let caller = dispatch::administrator(ACCOUNT);
        let call = Call { operation, input, caller: &caller, region: REGION };
        self.harness.sandbox.world(|world| service(world, &call)).expect(operation)
    }

    /// How many messages are in the queue of this name, seen or hidden.
    fn messages(&self, queue: &str) -> u64 {
        let urls = self.ask(sqs::call, "ListQueues", &json!({}))["QueueUrls"].clone();
        let url = urls.as_array().unwrap().iter().find(|url| url.as_str().unwrap().contains(queue)).unwrap().clone();
        let told = self.ask(sqs::call, "GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": ["All"]}));
        let number = |name: &str| told["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap();
        number("ApproximateNumberOfMessages") + number("ApproximateNumberOfMessagesNotVisible")
    }

    /// The last event that the function got.
    fn last_event(&self) -> Value {
        let invocations = self.harness.sandbox.world(|world| world.region(ACCOUNT, REGION).lambda.invocations.clone());
        let body = invocations.last().unwrap().event["Records"][0]["body"].clone();
        serde_json::from_str(body.as_str().unwrap()).unwrap()
    }

    fn publish(&self, event: &Value) {
        self.harness.sandbox.world(|world| events::publish(world, ACCOUNT, REGION, event));
    }

    /// Keys of all versions and markers in a bucket, without the operator's prefix.
    fn keys(&self, bucket: &str) -> Vec<String> {
        let request = http::Request::get(format!("/{bucket}?versions")).body(Bytes::new()).unwrap();
        let admin = dispatch::administrator(ACCOUNT);
        let told = self.harness.sandbox.world(|world| s3::handle(world, &admin, REGION, &request));
        let text = String::from_utf8(told.body().to_vec()).unwrap();
        let keys = text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
        keys.map(|key| key.splitn(3, '/').nth(2).unwrap_or(key).to_owned()).collect()
    }

    fn posts(&self) -> usize {
        self.function.requests.iter().filter(|one| one.to == "jenkins" && one.method == "POST").count()
    }

    async fn end(mut self) {
        self.function.stop();
        self.harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_approved_model_starts_its_job_once_however_often_its_event_is_delivered() {
    let mut scene = Scene::ready().await;
    let model = scene.approve().await;
    scene.pass(Duration::from_mins(1)).await;
    assert_eq!(scene.builds().await, std::slice::from_ref(&model), "{:#?}", scene.function.runs);
    let event = scene.last_event();
    scene.publish(&event);
    scene.publish(&event);
    scene.pass(Duration::from_mins(20)).await;
    assert_eq!((scene.builds().await, scene.posts()), (vec![model], 1));
    assert_eq!((scene.messages("WaitingEvents"), scene.messages("FailedEvents")), (0, 0));
    let refused = refused(&scene);
    assert_eq!(refused, [] as [String; 0], "the function's role does not allow what the function asks for");
    scene.end().await;
}

/// What the function has asked S3 for that its role does not allow, judged by the policy that the stack gave it.
fn refused(scene: &Scene) -> Vec<String> {
    let role = scene.harness.sandbox.world(|world| {
        let lambda = &world.region(ACCOUNT, REGION).lambda;
        let trigger = |name: &&String| name.contains("model-trigger");
        lambda.function(lambda.function_names().find(trigger).unwrap()).unwrap().role.clone()
    });
    let asked: Vec<_> = scene.function.requests.iter().filter(|one| one.to == "aws").filter_map(needed).collect();
    assert!(asked.len() > 5, "{asked:?}");
    let denied = |(action, resource, prefix): &(String, String, Option<String>)| {
        let facts: Facts = prefix.iter().map(|prefix| ("s3:prefix".to_owned(), vec![prefix.clone()])).collect();
        scene.harness.sandbox.world(|world| !world.iam.permits_given(&role, action, resource, &facts))
    };
    asked.iter().filter(|one| denied(one)).map(|one| format!("{one:?}")).collect()
}

fn parameter(text: &str) -> (&str, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name, percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// Action, resource and prefix of a request to S3 (service authorization reference of Amazon S3).
fn needed(asked: &Request) -> Option<(String, String, Option<String>)> {
    let url: http::Uri = asked.url.parse().unwrap();
    let (bucket, key) =
        url.path().trim_start_matches('/').split_once('/').unwrap_or((url.path().trim_matches('/'), ""));
    let query: Vec<(&str, String)> = url.query().unwrap_or_default().split('&').map(parameter).collect();
    let of = |name: &str| query.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone());
    let arn = format!("arn:aws:s3:::{bucket}");
    match (asked.method.as_str(), key) {
        ("GET", "") if of("versions").is_some() => Some(("s3:ListBucketVersions".into(), arn, of("prefix"))),
        ("GET", "") => Some(("s3:ListBucket".into(), arn, of("prefix"))),
        ("GET", key) => Some(("s3:GetObject".into(), format!("{arn}/{key}"), None)),
        ("PUT", key) => Some(("s3:PutObject".into(), format!("{arn}/{key}"), None)),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_jenkins_that_is_away_for_a_day_loses_nothing_and_the_order_is_kept() {
    let mut scene = Scene::ready().await;
    let away = What::Refuse { code: "Unavailable".into(), message: "away".into(), status: 503 };
    scene.harness.sandbox.fault(Fault::on("jenkins", "*").before(away));
    let mut models = Vec::new();
    for _ in 0..3 {
        models.push(scene.approve().await);
        scene.pass(Duration::from_hours(8)).await;
    }
    assert_eq!(scene.messages("WaitingEvents"), 3);
    // That a model is registered, and not approved yet, is an event too.
    let runs = scene.function.runs.iter().filter(|run| run["log"][0]["outcome"] != "no job waits for it");
    let errors: BTreeSet<String> = runs.map(|run| run["log"][0]["failed"].to_string()).collect();
    assert_eq!(errors, BTreeSet::from(["\"Unavailable\"".to_owned()]));
    scene.harness.sandbox.clear_faults();
    scene.pass(Duration::from_mins(31)).await;
    assert_eq!(scene.builds().await, models);
    assert_eq!((scene.messages("WaitingEvents"), scene.messages("FailedEvents")), (0, 0));
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_story_of_a_day_without_jenkins() {
    let title = "Jenkins is away for a day, and models are approved meanwhile";
    let mut story = Story::begin(title, Settings::default()).await;
    story.follow("mlopsplatforms", "", "main");
    story.tell("user", "applies the platform main and the project taxi-fares");
    story.harness.apply_platform(Harness::platform_manifest());
    story.harness.apply(Harness::project_on_platform("taxi-fares"));
    story.until("Ready", LONG, Story::ready).await;
    let mut function = Function::start();

    story.chapter("Jenkins answers nothing; a model is approved every eight hours");
    let away = What::Refuse { code: "Unavailable".into(), message: "away".into(), status: 503 };
    story.harness.sandbox.fault(Fault::on("jenkins", "*").before(away));
    let mut models = Vec::new();
    for number in ["first", "second", "third"] {
        story.tell("user", &format!("approves the {number} model"));
        models.push(approve(&story.harness).await);
        for _ in 0..16 {
            function.pass(&story.harness.sandbox, Duration::from_mins(30)).await;
            // The function tries again all the time.
            story.overlook();
            story.pass(Duration::ZERO).await;
        }
    }
    story.chapter("Jenkins is back: the builds start in the order in which the models were approved");
    story.harness.sandbox.clear_faults();
    function.pass(&story.harness.sandbox, Duration::from_mins(70)).await;
    story.overlook();
    story.pass(Duration::ZERO).await;
    let built = builds(&story.harness).await;
    for arn in &built {
        story.tell("jenkins", &format!("has built the deploy job for version {}", arn.rsplit('/').next().unwrap()));
    }
    assert_eq!(built, models);
    function.stop();
    story.end("jenkins-away").await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_between_claim_and_post_or_just_after_it_starts_one_build_all_the_same() {
    for end in [End::BeforePost, End::AfterPost] {
        let mut scene = Scene::ready().await;
        let model = scene.approve().await;
        scene.function.end = Some(end);
        scene.pass(Duration::from_mins(1)).await;
        let last = scene.function.runs.last().unwrap();
        assert_eq!(last["error"]["errorType"], "Sandbox.Timedout", "{end:?}: {last}");
        scene.pass(Duration::from_mins(16)).await;
        assert_eq!((scene.builds().await, scene.posts()), (vec![model], 1), "{end:?}");
        assert_eq!(scene.messages("WaitingEvents"), 0, "{end:?}");
        scene.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_without_a_route_starts_nothing_and_nor_does_one_whose_project_is_not_asked_for_any_more() {
    let mut scene = Scene::ready().await;
    let model = scene.approve().await;
    scene.pass(Duration::from_mins(1)).await;
    let mut event = scene.last_event();
    event["id"] = json!("0a1b2c3d-0000-4000-8000-000000000001");
    event["detail"]["ModelPackageGroupName"] = json!("of-nobody");
    scene.publish(&event);
    scene.pass(Duration::from_mins(1)).await;
    let outcome = &scene.function.runs.last().unwrap()["log"][0]["outcome"];
    assert_eq!((outcome, scene.posts()), (&json!("no job waits for it"), 1));
    assert_eq!(scene.messages("WaitingEvents"), 0);

    scene.harness.edit(json!({"spec": {"modelTrigger": {"enabled": false}}})).await;
    scene.harness.until_condition("RouteReady=False/Disabled", LONG).await;
    scene.harness.until_condition("TriggerReady=False/Disabled", LONG).await;
    scene.approve().await;
    scene.pass(Duration::from_mins(1)).await;
    assert_eq!(scene.builds().await, [model]);
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_package_of_no_group_does_not_reach_the_queue_and_costs_nothing_where_it_does() {
    let mut scene = Scene::ready().await;
    scene.ask(sagemaker::call, "CreateModelPackage", &json!({"ModelPackageName": "alone"}));
    scene.pass(Duration::from_mins(1)).await;
    assert_eq!((scene.function.runs.len(), scene.messages("WaitingEvents")), (0, 0));

    scene.approve().await;
    scene.pass(Duration::from_mins(1)).await;
    let (mut event, asked) = (scene.last_event(), scene.function.requests.len());
    event["id"] = json!("0a1b2c3d-0000-4000-8000-000000000002");
    event["detail"]["ModelPackageGroupName"] = Value::Null;
    scene.publish(&event);
    scene.pass(Duration::from_mins(1)).await;
    let outcome = &scene.function.runs.last().unwrap()["log"][0]["outcome"];
    assert_eq!((outcome, scene.function.requests.len()), (&json!("no job waits for it"), asked));
    assert_eq!((scene.messages("WaitingEvents"), scene.messages("FailedEvents")), (0, 0));
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_function_writes_down_stays_while_the_project_does_and_goes_with_the_artifacts() {
    let mut scene = Scene::ready_in(Some("of-the-team")).await;
    let served = scene.approve().await;
    scene.pass(Duration::from_mins(1)).await;
    assert_eq!(scene.builds().await, [served]);
    let away = What::Refuse { code: "Unavailable".into(), message: "away".into(), status: 503 };
    scene.harness.sandbox.fault(Fault::on("jenkins", "POST buildWithParameters").before(away));
    scene.approve().await;
    scene.pass(Duration::from_mins(1)).await;
    let folders = |scene: &Scene| -> BTreeSet<String> {
        scene.keys("of-the-team").iter().map(|key| key.split('/').next().unwrap().to_owned()).collect()
    };
    let all = ["events", "routes", "starting", "templates"].map(str::to_owned);
    assert_eq!(folders(&scene), BTreeSet::from(all.clone()));

    let before = scene.keys("of-the-team");
    tokio::time::sleep(Duration::from_mins(70)).await;
    assert_eq!(scene.keys("of-the-team"), before, "a deep look changes nothing");
    scene.harness.look_now().await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(scene.harness.conditions().contains(&"ArtifactsReady=True/InSync".to_owned()));

    scene.harness.sandbox.clear_faults();
    scene.harness.delete();
    scene.harness.until_gone(LONG).await;
    assert_eq!(scene.keys("of-the-team"), [] as [String; 0]);
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn on_a_shared_platform_a_model_starts_the_job_of_its_own_project_alone() {
    let mut scene = Scene::on_platform().await;
    let stacks =
        scene.harness.sandbox.world(|world| world.region(ACCOUNT, REGION).cloudformation.dump()["stacks"].clone());
    let triggers = stacks.to_string().matches("-model-trigger\"").count();
    assert!(triggers > 0, "{stacks}");
    let model = scene.approve().await;
    scene.pass(Duration::from_mins(2)).await;
    assert_eq!(scene.builds().await, [model]);
    let posted = scene.function.requests.iter().filter(|one| one.to == "jenkins" && one.method == "POST");
    let jobs: BTreeSet<&str> = posted.map(|one| one.url.as_str()).filter(|url| url.contains("build")).collect();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert!(jobs.iter().all(|url| url.contains("/job/ml/job/ml-team/job/taxi-fares/")), "{jobs:?}");
}

/// What the job's POST is answered with: for good, or until it is set right.
fn refuses(scene: &Scene, status: u16) {
    let refusal = What::Refuse { code: "Refused".into(), message: "no".into(), status };
    scene.harness.sandbox.fault(Fault::on("jenkins", "POST buildWithParameters").before(refusal));
}

#[tokio::test(start_paused = true)]
async fn a_jenkins_that_is_away_for_a_moment_costs_a_minute() {
    let mut scene = Scene::ready().await;
    refuses(&scene, 503);
    let model = scene.approve().await;
    scene.pass(Duration::from_secs(30)).await;
    assert_eq!(scene.messages("WaitingEvents"), 1);
    scene.harness.sandbox.clear_faults();
    scene.pass(Duration::from_mins(1)).await;
    assert_eq!((scene.builds().await, scene.messages("WaitingEvents")), (vec![model], 0));
    let asked = scene.harness.sandbox.calls();
    assert!(asked.iter().any(|call| call == "sqs ChangeMessageVisibility"), "{asked:?}");
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_refuses_for_good_holds_its_group_without_a_call_to_jenkins_for_each_event() {
    let mut scene = Scene::ready().await;
    refuses(&scene, 409);
    let mut models = Vec::new();
    for _ in 0..20 {
        models.push(scene.approve().await);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    scene.pass(Duration::from_secs(30)).await;
    assert_eq!((scene.messages("WaitingEvents"), scene.posts()), (20, 1), "of twenty events one asks Jenkins");
    scene.pass(Duration::from_mins(10)).await;
    let waits = scene.posts();
    assert!((3..=4).contains(&waits), "after 1, 2 and 4 minutes: {waits}");
    scene.harness.sandbox.clear_faults();
    scene.pass(Duration::from_mins(16)).await;
    assert_eq!(scene.builds().await, models);
    assert_eq!((scene.messages("WaitingEvents"), scene.messages("FailedEvents")), (0, 0));
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_user_who_may_not_build_costs_two_calls_and_no_patience() {
    let mut scene = Scene::ready().await;
    refuses(&scene, 403);
    for _ in 0..5 {
        scene.approve().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    scene.pass(Duration::from_secs(30)).await;
    let asked = scene.function.requests.iter().filter(|one| one.to == "jenkins");
    let asked: Vec<&str> = asked.map(|one| one.url.rsplit('/').nth(1).unwrap_or_default()).collect();
    assert_eq!(asked.len(), 2, "a POST, and who the user is: {asked:?}");
    assert_eq!(scene.messages("WaitingEvents"), 5);
    let refused = refused(&scene);
    assert_eq!(refused, [] as [String; 0], "the function's role does not allow what the function asks for");
    scene.end().await;
}

impl Scene {
    /// The trigger's condition, and what the status says of its queues.
    fn told(&self) -> (String, Value) {
        let conditions = self.harness.conditions();
        assert!(conditions.contains(&"Ready=True/Succeeded".to_owned()), "the trigger is usable: {conditions:?}");
        let trigger = conditions.into_iter().find(|one| one.starts_with("TriggerReady")).unwrap();
        let mut status = self.status("/status/trigger");
        for same in ["stackId", "stackEventsUrl", "logsUrl"] {
            assert!(status.as_object_mut().unwrap().remove(same).is_some(), "{same}");
        }
        (trigger, status)
    }

    /// What has failed until now goes to the dead letters, as after three days.
    fn gives_up(&self) {
        let urls = self.ask(sqs::call, "ListQueues", &json!({}))["QueueUrls"].clone();
        let url = urls.as_array().unwrap().iter().find(|url| url.as_str().unwrap().contains("WaitingEvents")).unwrap();
        let asked = json!({"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]});
        let told = self.ask(sqs::call, "GetQueueAttributes", &asked);
        let mut policy: Value = serde_json::from_str(told["Attributes"]["RedrivePolicy"].as_str().unwrap()).unwrap();
        policy["maxReceiveCount"] = json!(1);
        let attributes = json!({"RedrivePolicy": policy.to_string()});
        self.ask(sqs::call, "SetQueueAttributes", &json!({"QueueUrl": url, "Attributes": attributes}));
    }

    fn version(&self) -> Value {
        self.status("/metadata/resourceVersion")
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_says_that_events_wait_and_that_they_died_with_the_command_that_starts_them_after_all() {
    let mut scene = Scene::ready().await;
    let usual = "TriggerReady=True/SharedCredentials".to_owned();
    assert_eq!(scene.told(), (usual.clone(), json!({})));
    refuses(&scene, 409);
    let model = scene.approve().await;
    scene.pass(Duration::from_secs(30)).await;
    scene.harness.look_now().await;
    scene.pass(Duration::from_mins(1)).await;
    assert_eq!(scene.told(), (usual.clone(), json!({})), "it has not waited yet");
    scene.pass(Duration::from_mins(125)).await;
    let waiting = ("TriggerReady=True/MessagesWaiting".to_owned(), json!({"waitingMessages": true}));
    assert_eq!(scene.told(), waiting);
    let message = scene.harness.message("TriggerReady");
    let why = format!("aws logs filter-log-events --region {REGION} --log-group-name mlops-");
    assert!(message.contains(&why), "{message}");

    let before = scene.version();
    scene.pass(Duration::from_hours(6)).await;
    assert_eq!((scene.told(), scene.version()), (waiting, before), "nothing is written while it goes on");

    scene.gives_up();
    scene.pass(Duration::from_mins(80)).await;
    assert_eq!((scene.messages("WaitingEvents"), scene.messages("FailedEvents")), (0, 1));
    let (condition, status) = scene.told();
    assert_eq!((condition.as_str(), &status["deadMessages"]), ("TriggerReady=True/MessagesDead", &json!(true)));
    assert_eq!(status["waitingMessages"], Value::Null);
    let command = status["replayCommand"].as_str().unwrap();
    assert!(scene.harness.message("TriggerReady").contains(&format!("`{command}`")), "{command}");

    scene.harness.sandbox.clear_faults();
    let words: Vec<&str> = command.split(' ').collect();
    let [.., "--source-arn", source, "--destination-arn", destination] = words[..] else { panic!("{command}") };
    assert_eq!(words[..5], ["aws", "sqs", "start-message-move-task", "--region", REGION]);
    scene.ask(sqs::call, "StartMessageMoveTask", &json!({"SourceArn": source, "DestinationArn": destination}));
    scene.pass(Duration::from_mins(70)).await;
    assert_eq!((scene.builds().await, scene.told()), (vec![model], (usual, json!({}))));
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_look_into_the_queues_costs_a_remark_and_no_more() {
    let mut scene = Scene::ready().await;
    let denied = What::Refuse { code: "AccessDeniedException".into(), message: "not authorized".into(), status: 400 };
    scene.harness.sandbox.fault(Fault::on("sqs", "GetQueueAttributes").before(denied));
    scene.pass(Duration::from_mins(70)).await;
    assert_eq!(scene.told(), ("TriggerReady=True/QueuesUnchecked".to_owned(), json!({})));
    let message = scene.harness.message("TriggerReady");
    assert!(message.contains("allow the operator's role sqs:GetQueueAttributes"), "{message}");
    let before = scene.version();
    scene.pass(Duration::from_hours(5)).await;
    assert_eq!(scene.version(), before);
    scene.harness.sandbox.clear_faults();
    scene.pass(Duration::from_mins(70)).await;
    assert_eq!(scene.told().0, "TriggerReady=True/SharedCredentials");
    scene.end().await;
}
