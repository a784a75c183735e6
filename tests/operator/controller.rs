//! The operator as a whole, in process: what it refuses, what it waits for, what it writes, and how it goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use mlops_sandbox::Settings;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

async fn harness() -> Harness {
    Harness::new(Settings::default()).await
}

#[tokio::test(start_paused = true)]
async fn a_project_comes_to_be_stays_quiet_and_goes_without_a_trace() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    let took = harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    println!("Ready after {took:?}");
    assert_eq!(
        harness.conditions(),
        [
            "Ready=True/Succeeded",
            "PrerequisitesMet=True/InSync",
            "JenkinsReady=True/InSync",
            "ArtifactsReady=True/InSync",
            "CatalogReady=True/InSync",
            "ProjectReady=True/InSync",
            "JobsReady=True/InSync",
            "TriggerReady=True/SharedCredentials",
            "RouteReady=True/InSync"
        ]
    );
    let status = harness.object().unwrap()["status"].clone();
    assert!(status["project"]["id"].as_str().unwrap().starts_with("p-"));
    assert_eq!(status["jobs"]["items"].as_array().unwrap().len(), 3);

    let (calls, writes) = (harness.sandbox.calls().len(), harness.kubernetes.calls().len());
    tokio::time::sleep(Duration::from_mins(70)).await;
    let looked: Vec<_> = harness.sandbox.calls().split_off(calls);
    assert!(!looked.is_empty(), "the deep check looks at things");
    assert!(looked.iter().all(|call| is_read(call)), "and changes none: {looked:#?}");
    let written: Vec<_> = harness.kubernetes.calls().split_off(writes);
    assert!(written.iter().all(|call| call.starts_with("WATCH")), "nor the object: {written:#?}");

    harness.delete();
    harness.until_gone(Duration::from_mins(5)).await;
    harness.stop().await;
    let world = harness.sandbox.world(|world| serde_json::to_string(&world.jenkins.dump()).unwrap());
    assert!(!world.contains("taxi"), "{world}");
    assert!(harness.kubernetes.calls().iter().all(|call| !call.starts_with("PUT")));
}

fn is_read(call: &str) -> bool {
    let operation = call.split(' ').nth(1).unwrap_or_default();
    ["Get", "List", "Describe", "Search", "Head", "GET", "HEAD"].iter().any(|verb| operation.starts_with(verb))
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_does_not_parse_stalls_by_itself_and_disturbs_no_other() {
    let mut harness = harness().await;
    harness.start();
    let mut odd = Harness::manifest();
    odd["metadata"]["name"] = json!("odd");
    odd["spec"]["platform"]["aws"]["accountId"] = json!(7);
    harness.apply(odd);
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let odd = harness.kubernetes.object("mlopsprojects", NAMESPACE, "odd").unwrap();
    assert_eq!(odd["status"]["conditions"][0]["reason"], "InvalidSpec");
    assert!(odd["metadata"]["finalizers"].is_null(), "it owns nothing, so it can go at any time");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_without_a_grant_is_refused_before_anything_is_called() {
    let mut harness = harness().await;
    harness.config.inline_platforms.clear();
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Stalled=True/PlatformNotAllowed", SOON).await;
    assert!(harness.message("Ready").contains("ml-team may not describe a platform"), "{}", harness.message("Ready"));
    assert_eq!(harness.sandbox.calls(), [] as [String; 0]);
    assert!(harness.object().unwrap()["metadata"]["finalizers"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_named_and_its_coming_goes_on_at_once() {
    let mut harness = harness().await;
    harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("PrerequisitesMet=False/SecretMissing", SOON).await;
    assert!(harness.message("Ready").contains("Secret jenkins"), "{}", harness.message("Ready"));
    harness.put_jenkins_secret();
    let took = harness.until_condition("PrerequisitesMet=True/InSync", SOON).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_line_break_at_the_end_of_a_token_reaches_neither_jenkins_nor_the_lambda() {
    use base64::Engine as _;
    use mlops_sandbox::aws::{Call, Caller, secrets_manager};

    let mut harness = harness().await;
    let (user, token) = mlops_sandbox::jenkins::Jenkins::credentials();
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(format!("{text}\n"));
    let data = json!({"username": encode(&user), "token": encode(&token)});
    harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
    harness.kubernetes.create("secrets", NAMESPACE, json!({"metadata": {"name": "jenkins"}, "data": data})).unwrap();
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let principal = format!("arn:aws:iam::{}:user/somebody", ACCOUNT);
    let caller = Caller { account: ACCOUNT.into(), arn: principal.clone(), principal };
    let ask = |operation: &str, input: Value| {
        let call = Call { operation, input: &input, caller: &caller, region: REGION };
        harness.sandbox.world(|world| secrets_manager::call(world, &call)).unwrap()
    };
    let secrets = ask("ListSecrets", json!({}));
    let value = ask("GetSecretValue", json!({"SecretId": secrets["SecretList"][0]["ARN"]}));
    let held: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!((held["user"].as_str(), held["token"].as_str()), (Some(user.as_str()), Some(token.as_str())));
}

#[tokio::test(start_paused = true)]
async fn the_placement_is_written_before_the_first_call_that_makes_something() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    let made = |harness: &Harness| harness.sandbox.calls().iter().any(|call| !is_read(call));
    harness.until("anything made", SOON, made).await;
    let object = harness.object().unwrap();
    assert_eq!(object["status"]["placement"]["accountId"], ACCOUNT);
    assert_eq!(object["metadata"]["finalizers"], json!(["mlops-operator.io/finalizer"]));
}

#[tokio::test(start_paused = true)]
async fn a_suspended_project_is_left_alone_and_can_still_be_deleted() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    harness.edit(json!({"spec": {"suspend": true}})).await;
    harness.until_condition("Suspended=True/Suspended", SOON).await;
    assert!(harness.conditions().contains(&"Ready=True/Succeeded".to_owned()), "what was last known");
    let calls = harness.sandbox.calls().len();
    harness.edit(json!({"spec": {"description": "Something else"}})).await;
    harness.until_condition("Ready=Unknown/Suspended", SOON).await;
    tokio::time::sleep(Duration::from_mins(100)).await;
    assert_eq!(harness.sandbox.calls().len(), calls);
    harness.delete();
    harness.until_gone(Duration::from_mins(5)).await;
}

#[tokio::test(start_paused = true)]
async fn retained_things_stay_when_the_object_goes() {
    let mut harness = harness().await;
    harness.start();
    let mut manifest = Harness::manifest();
    manifest["spec"]["deletionPolicy"] = json!("Retain");
    harness.apply(manifest);
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let calls = harness.sandbox.calls().len();
    harness.delete();
    harness.until_gone(SOON).await;
    assert_eq!(harness.sandbox.calls().len(), calls);
    assert!(events(&harness).iter().any(|reason| reason == "Retained"));
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_spec_is_broken_is_deleted_by_its_placement() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    harness.edit(json!({"spec": {"platform": {"aws": {"accountId": null}}, "repositories": null}})).await;
    harness.until_condition("Stalled=True/InvalidSpec", SOON).await;
    harness.delete();
    harness.until_gone(Duration::from_mins(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_placement_that_cannot_be_read_stays_until_it_is_mended() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let before = harness.object().unwrap()["status"].clone();
    let region = |region: &str| json!({"status": {"placement": {"region": region}}});
    harness.edit_status(region("nowhere")).await;
    harness.edit(json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": "1"}}})).await;
    harness.until_condition("Stalled=True/PlacementUnknown", SOON).await;
    harness.delete();
    tokio::time::sleep(Duration::from_mins(20)).await;
    let after = harness.object().expect("nothing says where its resources are")["status"].clone();
    for (field, kept) in [("bucket", &before["placement"]["bucket"]), ("region", &json!("nowhere"))] {
        assert_eq!(after["placement"][field], *kept, "{field}");
    }
    for part in ["project", "catalog", "jobs", "trigger"] {
        assert_eq!(after[part], before[part], "{part} is not forgotten either");
    }
    harness.edit_status(region(before["placement"]["region"].as_str().unwrap())).await;
    harness.until_gone(Duration::from_mins(20)).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_placement_the_finalizer_stays_and_says_so() {
    let mut harness = harness().await;
    let mut manifest = Harness::manifest();
    manifest["metadata"]["finalizers"] = json!(["mlops-operator.io/finalizer"]);
    manifest["spec"]["platform"]["aws"].as_object_mut().unwrap().remove("accountId");
    harness.apply(manifest);
    harness.delete();
    harness.start();
    harness.until_condition("Stalled=True/PlacementUnknown", SOON).await;
    assert_eq!(harness.sandbox.calls(), [] as [String; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_object_for_which_nothing_was_made_goes_at_once() {
    let mut harness = harness().await;
    harness.start();
    harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
    harness.apply(Harness::manifest());
    harness.until_condition("Stalled=True/SecretMissing", SOON).await;
    assert_eq!(harness.sandbox.calls(), [] as [String; 0]);
    harness.delete();
    assert_eq!(harness.object(), None, "nobody has to make the Secret for it");
}

/// A Kubernetes API that does not answer is a fault that passes, as with every other remote side.
#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_read_yet_is_a_fault_that_passes() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tower::ServiceExt;

    let harness = harness().await;
    let silent = Arc::new(AtomicBool::new(true));
    let (kubernetes, hold) = (harness.kubernetes.clone(), silent.clone());
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (service, hold) = (kubernetes.service(), hold.clone());
        async move {
            while hold.load(Ordering::Relaxed) && request.uri().to_string().contains("metadata.name%3Djenkins") {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            service.oneshot(request).await
        }
    });
    let mut setup = harness.setup();
    setup.client = kube::Client::new(service, "default");
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let operator = tokio::spawn(mlops_operator::controller::run(setup, stopping));
    harness.apply(Harness::manifest());
    tokio::time::sleep(Duration::from_mins(4)).await;
    assert_eq!(harness.conditions()[..2], ["Ready=Unknown/Progressing", "Reconciling=True/Progressing"]);
    harness.until_condition("PrerequisitesMet=Unknown/Unavailable", Duration::from_mins(2)).await;
    assert!(harness.message("PrerequisitesMet").contains("could not read Secret jenkins"));
    silent.store(false, Ordering::Relaxed);
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    operator.abort();
}

/// CreateProject or CreateStack has come to AWS, its answer was lost, and reads do not show it yet: the deletion that
/// follows at once must not take it for gone.
#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_is_found_by_the_deletion() {
    use mlops_sandbox::{Fault, What};
    for (service, operation) in [("sagemaker", "CreateProject"), ("cloudformation", "CreateStack")] {
        let settings = Settings { read_after_write: Duration::from_secs(10), ..Settings::default() };
        let mut harness = Harness::new(settings).await;
        harness.sandbox.fault(Fault::on(service, operation).nth(1).after(What::DropConnection));
        harness.start();
        harness.apply(Harness::manifest());
        let call = format!("{service} {operation}");
        harness.until(&call, Duration::from_mins(3), |harness| harness.sandbox.calls().contains(&call)).await;
        harness.delete();
        harness.until_gone(Duration::from_mins(10)).await;
        let left = harness.sandbox.world(|world| world.dump().to_string());
        assert!(!left.contains("sagemaker-project-p-") && !left.contains("model-trigger"), "{call}: {left}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_never_accepted_leads_nowhere_even_with_our_finalizer_on_it() {
    let mut harness = harness().await;
    harness.config.inline_platforms.clear();
    let mut manifest = Harness::manifest();
    manifest["metadata"]["finalizers"] = json!(["mlops-operator.io/finalizer"]);
    harness.apply(manifest);
    harness.delete();
    harness.start();
    harness.until_condition("Stalled=True/PlatformNotAllowed", SOON).await;
    tokio::time::sleep(SOON).await;
    assert_eq!(harness.sandbox.calls(), [] as [String; 0]);
    harness.edit(json!({"metadata": {"finalizers": null}})).await;
    assert_eq!(harness.object(), None);
}

#[tokio::test(start_paused = true)]
async fn a_request_by_annotation_looks_at_once() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    tokio::time::sleep(SOON).await;
    let calls = harness.sandbox.calls().len();
    harness.edit(json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": "now"}}})).await;
    harness.until("looked at", Duration::from_secs(2), |harness| harness.sandbox.calls().len() > calls).await;
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_is_not_remembered() {
    let mut harness = harness().await;
    harness.start();
    let mut manifest = Harness::manifest();
    manifest["spec"]["suspend"] = json!(true);
    harness.apply(manifest);
    harness.until_condition("Suspended=True/Suspended", SOON).await;
    assert!(harness.metrics.text().contains("mlops_operator_objects{kind=\"project\",ready=\"unknown\"} 1"));
    harness.delete();
    harness
        .until("forgotten", SOON, |harness| {
            harness.metrics.text().contains("mlops_operator_objects{kind=\"project\",ready=\"unknown\"} 0")
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_crd_is_named_by_the_readiness() {
    let mut harness = harness().await;
    harness.kubernetes = mlops_sandbox::kubernetes::Kubernetes::new(harness.sandbox.clock(), &[]);
    harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "mlops-operator"}})).unwrap();
    harness.start();
    let named = |harness: &Harness| {
        harness.readiness.get().is_err_and(|reason| reason.contains("mlopsprojects.mlops-operator.io"))
    };
    harness.until("named", SOON, named).await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_told_once_in_events() {
    let mut harness = harness().await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    tokio::time::sleep(Duration::from_mins(90)).await;
    let events = events(&harness);
    assert_eq!(events.iter().filter(|reason| *reason == "Succeeded").count(), 1, "{events:?}");
    assert!(events.iter().any(|reason| reason == "Created"), "{events:?}");
}

fn events(harness: &Harness) -> Vec<String> {
    let reason = |event: &Value| event["reason"].as_str().unwrap_or_default().to_owned();
    harness.kubernetes.objects("events").iter().map(reason).collect()
}

/// From apply to Ready at most 1.2 times the longest way through the graph, with the sandbox's delays and with AWS's.
#[tokio::test(start_paused = true)]
async fn it_waits_hardly_longer_than_aws_works() {
    let secs = Duration::from_secs;
    let aws = Settings { project: secs(240), stack: secs(90), catalog: secs(20), ..Settings::default() };
    for (name, settings) in [("the demo's delays", Settings::default()), ("AWS's delays", aws)] {
        // Product and constraint are made one after the other; the trigger starts with the catalog and is sooner done.
        let critical = settings.catalog * 2 + settings.project.max(settings.stack);
        let mut harness = Harness::new(settings).await;
        harness.start();
        harness.apply(Harness::manifest());
        let took = harness.until_condition("Ready=True/Succeeded", secs(900)).await;
        let ratio = took.as_secs_f64() / critical.as_secs_f64();
        println!("{name}: ready after {took:?}, {ratio:.2} of {critical:?}, {} calls", harness.sandbox.calls().len());
        assert!(ratio <= 1.2, "{name}: {took:?} is {ratio:.2} of {critical:?}");
    }
}

/// Killed after each changing call in turn, and started again: it ends as if nothing had happened, nothing is made
/// twice, and nothing is left over in the end.
#[tokio::test(start_paused = true)]
async fn a_killed_operator_goes_on_where_it_was() {
    let mut through = harness().await;
    through.start();
    through.apply(Harness::manifest());
    through.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    let whole = made(&through);
    assert!(whole.values().all(|count| *count > 0), "{whole:#?}");
    let calls = through.sandbox.calls();
    let changing: Vec<_> = calls.iter().enumerate().filter(|(_, call)| !is_read(call)).map(|(at, _)| at + 1).collect();
    assert!(changing.len() > 15, "{calls:#?}");
    for kill_at in changing {
        let mut harness = harness().await;
        harness.start();
        harness.apply(Harness::manifest());
        while harness.sandbox.calls().len() < kill_at {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        harness.kill();
        harness.start();
        harness.until_condition("Ready=True/Succeeded", Duration::from_mins(10)).await;
        assert_eq!(made(&harness), whole, "killed at call {kill_at}: {}", calls[kill_at - 1]);
        harness.delete();
        harness.until_gone(Duration::from_mins(10)).await;
        let left: usize = made(&harness).values().sum();
        assert_eq!(left, 0, "left over after a kill at call {kill_at}: {:#?}", made(&harness));
    }
}

/// How many of each thing exist that the operator makes.
fn made(harness: &Harness) -> std::collections::BTreeMap<&'static str, usize> {
    harness.sandbox.world(|world| {
        let (jenkins, s3) = (world.jenkins.dump(), world.s3.dump());
        let region = world.region(ACCOUNT, REGION);
        let (catalog, stacks) = (region.catalog.dump(), region.cloudformation.dump());
        let count = |value: &Value| {
            value.as_object().map_or_else(|| value.as_array().map_or(0, Vec::len), serde_json::Map::len)
        };
        let kinds = ["portfolios", "products", "artifacts", "constraints", "principals", "associations"];
        let mut made: std::collections::BTreeMap<_, _> = kinds.map(|kind| (kind, count(&catalog[kind]))).into();
        made.insert("jobs and folders", count(&jenkins["items"]));
        made.insert("buckets", count(&s3));
        made.insert("stacks", count(&stacks["stacks"]));
        made
    })
}
