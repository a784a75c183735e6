//! The budgets of calls, seen from AWS and Jenkins: fifty projects at once under limits such as users have met, services that
//! ask for a pause, and two accounts of which one is throttled. What the limits are is the sandbox's settings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use jiff::SignedDuration;
use mlops_operator::adapters::aws::clients::AwsFactory;
use mlops_operator::adapters::aws::errors::fault;
use mlops_operator::adapters::budget::Budgets;
use mlops_operator::clock::Clock;
use mlops_operator::domain::fault::FaultKind;
use mlops_operator::metrics::Metrics;
use mlops_sandbox::transport::http::Server;
use mlops_sandbox::{Fault, Sandbox, Settings, What};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::bench::{Fleet, manifest, name};
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use crate::harness::project::place_in;

/// The account of the second team.
const OTHER: &str = "444455556666";
const PROJECTS: usize = 50;
const LONG: Duration = Duration::from_hours(2);

/// Limits where AWS publishes none, and those that it does publish.
fn limits() -> Settings {
    let limit = |service: &str, rate: u32| json!({"service": service, "perSecond": rate, "burst": 2 * rate});
    let own = [limit("servicecatalog", 10), limit("sagemaker", 10), limit("cloudformation", 5), limit("iam", 15)];
    serde_json::from_value(json!({"rateLimits": {"published": true, "own": own}})).unwrap()
}

/// An operator that works and has nothing to do yet.
async fn begin(settings: Settings, budgeted: bool) -> Harness {
    let mut harness = Harness::new(settings).await;
    harness.budgeted = budgeted;
    harness.sandbox.world(|world| {
        let trust = json!({"Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole",
        }]});
        world.iam.add_account(OTHER);
        world.iam.add_role_trusting(OTHER, "/", "mlops", trust);
        let connections = &mut world.region(OTHER, REGION).connections;
        connections.add(OTHER, REGION, "0f0e0d0c-1a2b-4c3d-8e9f-001122334455", "git", "AVAILABLE");
    });
    harness.start();
    harness
}

fn apply(harness: &Harness, numbers: impl Iterator<Item = usize>, account: &str) {
    for n in numbers {
        let mut manifest = manifest(n, REGION);
        if account != ACCOUNT {
            manifest = serde_json::from_str(&manifest.to_string().replace(ACCOUNT, account)).unwrap();
            let role = json!({"roleArn": format!("arn:aws:iam::{account}:role/mlops")});
            manifest["spec"]["platform"]["aws"]["assumeRole"] = role;
        }
        harness.kubernetes.create("mlopsprojects", NAMESPACE, manifest).unwrap();
    }
}

/// Lets time pass until all of these are Ready. Answers how long that took.
async fn until_ready(harness: &Harness, numbers: impl Iterator<Item = usize>) -> Duration {
    let begun = Instant::now();
    for n in numbers {
        let ready = |harness: &Harness| {
            Fleet::is_ready(&harness.kubernetes.object("mlopsprojects", NAMESPACE, &name(n)).unwrap())
        };
        harness.until(&format!("{n} is Ready"), LONG, ready).await;
    }
    begun.elapsed()
}

/// How many calls there were, and how many answers asked to slow down, by service.
fn throttled(harness: &Harness) -> (usize, BTreeMap<String, usize>) {
    let mut found = BTreeMap::new();
    let journal = harness.sandbox.journal();
    for entry in &journal {
        let body = entry.reply.as_ref().map(|reply| reply.body.as_str()).unwrap_or_default();
        let status = entry.reply.as_ref().map_or(0, |reply| reply.status);
        let words = ["Throttling", "SlowDown", "Rate exceeded", "Too many requests"];
        if status >= 400 && words.iter().any(|word| body.contains(word)) {
            *found.entry(entry.service.clone()).or_default() += 1;
        }
    }
    (journal.len(), found)
}

/// Calls of a service that came before the moment that its answer had named.
fn too_early(harness: &Harness) -> Vec<String> {
    let journal = harness.sandbox.journal();
    let mut found = Vec::new();
    for refused in &journal {
        let Some(reply) = &refused.reply else { continue };
        let Some(seconds) = reply.headers.get("retry-after") else { continue };
        let until = reply.at + SignedDuration::from_secs(seconds.parse().unwrap());
        let early = journal.iter().filter(|entry| entry.service == refused.service);
        let early = early.filter(|entry| entry.at > reply.at && entry.at < until);
        found.extend(early.map(|entry| format!("{} at {}, though not before {until}", entry.call(), entry.at)));
    }
    found
}

/// Virtual time is per runtime: each run begins at the same moment.
fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(story)
}

#[test]
fn fifty_projects_at_once_come_to_be_with_few_throttled_answers() {
    run(async {
        let harness = begin(limits(), true).await;
        apply(&harness, 0..PROJECTS, ACCOUNT);
        let took = until_ready(&harness, 0..PROJECTS).await;
        let (calls, throttled) = throttled(&harness);
        println!("{PROJECTS} projects: Ready after {took:.0?}, {calls} calls, throttled {throttled:?}");
        assert!(throttled.values().sum::<usize>() * 50 <= calls, "more than one in fifty: {throttled:?} of {calls}");
        assert!(took <= Duration::from_mins(15), "{took:?}");
    });
}

/// What budgets are for, as figures: without them, objects that back off in step meet the same limit again and again.
#[test]
#[ignore = "prints figures"]
fn fifty_projects_without_budgets() {
    run(async {
        let harness = begin(limits(), false).await;
        apply(&harness, 0..PROJECTS, ACCOUNT);
        sleep(LONG).await;
        let object = |n| harness.kubernetes.object("mlopsprojects", NAMESPACE, &name(n)).unwrap();
        let ready = (0..PROJECTS).filter(|n| Fleet::is_ready(&object(*n))).count();
        let (calls, throttled) = throttled(&harness);
        println!(
            "{PROJECTS} projects without budgets: {ready} Ready after {LONG:?}, {calls} calls, throttled {throttled:?}"
        );
    });
}

#[test]
fn nothing_of_a_service_is_called_before_the_moment_that_it_has_named() {
    let rows: [(&str, &str, u64); 4] = [
        ("AWS refuses in the middle of the catalog", "servicecatalog", 20),
        ("a pause that is longer than a call waits", "cloudformation", 90),
        ("S3", "s3", 12),
        ("a proxy before Jenkins", "jenkins", 45),
    ];
    for (row, service, seconds) in rows {
        run(async move {
            let harness = begin(Settings::default(), true).await;
            harness.sandbox.fault(Fault::on(service, "*").range(8, Some(9)).before(What::ThrottleFor { seconds }));
            harness.sandbox.fault(Fault::on(service, "*").nth(25).before(What::ThrottleFor { seconds: 2 * seconds }));
            apply(&harness, 0..8, ACCOUNT);
            until_ready(&harness, 0..8).await;
            assert!(throttled(&harness).1[service] >= 2, "{row}");
            assert_eq!(too_early(&harness), [] as [String; 0], "{row}");
        });
    }
}

#[test]
fn what_is_throttled_says_which_service_of_which_account() {
    run(async {
        let harness = begin(Settings::default(), true).await;
        let longest = What::ThrottleFor { seconds: 3600 };
        harness.sandbox.fault(Fault::on("cloudformation", "*").nth(1).before(longest));
        harness.apply(Harness::manifest());
        harness.until_condition("TriggerReady=Unknown/Throttled", Duration::from_mins(15)).await;
        let calls = harness.sandbox.calls().iter().filter(|call| call.starts_with("cloudformation")).count();
        assert_eq!(calls, 1);
        let said = harness.message("TriggerReady");
        let named = "CloudFormation in the operator's own account and us-east-1 takes no more calls for now";
        assert!(said.contains(named), "{said}");
        harness.until_condition("Ready=True/Succeeded", LONG).await;
        let text = harness.metrics.text();
        let counted = |start: &str, end: &str| {
            let start = format!("mlops_operator_{start}");
            assert!(text.lines().any(|line| line.starts_with(&start) && line.ends_with(end)), "{start} {end}: {text}");
        };
        counted("remote_calls_total{remote=\"cloudformation\",class=\"read\"", "outcome=\"throttled\"} 1");
        counted("remote_call_duration_seconds_count{remote=\"cloudformation\",class=\"write\"}", "");
        counted("budget_throttles_total{remote=\"cloudformation\"", "} 1");
        counted("reconcile_wait_seconds_count{kind=\"project\",lane=\"user\"}", "");
        counted("time_to_ready_seconds_count{kind=\"project\",after=\"creation\"}", " 1");
        counted("condition{kind=\"project\"", "type=\"ready\",status=\"true\",reason=\"succeeded\"} 1");
    });
}

#[test]
fn a_throttled_account_does_not_slow_down_another() {
    // A fifth of what fifty projects need: the budget of the first account is used up for minutes.
    let scarce = || {
        let own = json!([{"service": "servicecatalog", "perSecond": 2, "burst": 4}]);
        serde_json::from_value::<Settings>(json!({"rateLimits": {"own": own}})).unwrap()
    };
    let play = |busy: usize| {
        run(async move {
            let harness = begin(scarce(), true).await;
            apply(&harness, 0..busy, ACCOUNT);
            sleep(Duration::from_mins(1)).await;
            apply(&harness, busy..busy + 1, OTHER);
            let took = until_ready(&harness, busy..busy + 1).await;
            println!("beside {busy} projects of a throttled account, another's is Ready after {took:.0?}");
            took
        })
    };
    let (alone, beside) = (play(0), play(40));
    assert!(beside < alone * 2, "{beside:?} beside others, {alone:?} alone");
}

#[test]
fn a_users_change_comes_before_routine_looks() {
    let value = |harness: &Harness| harness.kubernetes.object("mlopsprojects", NAMESPACE, &name(0)).unwrap();
    run(async {
        let mut harness = begin(Settings::default(), true).await;
        apply(&harness, 0..40, ACCOUNT);
        until_ready(&harness, 0..40).await;
        sleep(LONG).await;
        // All are looked at anew at once, and the catalog takes few calls.
        harness.stop().await;
        let throttle = Fault::on("servicecatalog", "*").range(1, Some(6)).before(What::Throttle);
        harness.start();
        harness.sandbox.fault(throttle);
        let change = json!({"spec": {"description": "Predicts other fares"}});
        harness.kubernetes.merge("mlopsprojects", NAMESPACE, &name(0), false, &change).unwrap();
        let changed: Value = value(&harness)["metadata"]["generation"].clone();
        let took =
            harness.until("seen", LONG, |harness| value(harness)["status"]["observedGeneration"] == changed).await;
        println!("a change amid 40 first looks after a restart was seen after {took:.1?}");
        assert!(took < Duration::from_mins(1), "{took:?}");
    });
}

#[tokio::test]
async fn the_operators_own_http_client_waits_its_turn_as_well() {
    // In all other stories the client is the sandbox's; this one goes over a socket, in real time.
    let sandbox = Sandbox::new(Settings::default());
    let server = Server::start(&sandbox, 0, 0).await.unwrap();
    let (clock, credentials) = (Clock::wall(), Credentials::for_tests());
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(clock))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(&server.aws_url)
        .build();
    let factory = AwsFactory::new(config).with_budgets(Budgets::new(clock, Metrics::default(), 8));
    let aws = factory.connect(&place_in(REGION), "test").await;
    sandbox.fault(Fault::on("sts", "*").nth(1).before(What::ThrottleFor { seconds: 1 }));
    let refused = aws.sts.get_caller_identity().send().await.unwrap_err();
    let throttled = fault("look", &refused);
    assert_eq!(throttled.kind, FaultKind::Throttled);
    let whose = format!("(calls of STS in the operator's own account and {REGION} come too fast)");
    assert!(throttled.message.ends_with(&whose), "{}", throttled.message);
    let begun = Instant::now();
    let caller = aws.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some(ACCOUNT));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    server.stop().await;
}
