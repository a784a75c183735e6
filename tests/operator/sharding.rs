//! Several operators share a cluster, each with a selector of its own: who works on what, how an object moves from one to
//! another, and what two do whose selectors match the same objects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mlops_operator::controller::shard::{Other, Sharding};
use mlops_operator::controller::{self, Dependencies};
use mlops_operator::domain::watch_selector::WatchSelector;
use mlops_operator::metrics::Metrics;
use mlops_sandbox::{Edge, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};

const LONG: Duration = Duration::from_mins(3);
const READY: &str = "Ready=True/Succeeded";

/// One operator of several.
struct Operator {
    metrics: Metrics,
    others: watch::Sender<Vec<Other>>,
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Operator {
    /// With a ServiceAccount of its own, as a release of the chart of its own has it.
    fn start(harness: &mut Harness, account: &str, selector: &str, known: Vec<Other>) -> Self {
        let metrics = Metrics::default();
        harness.metrics = metrics.clone();
        let user = format!("system:serviceaccount:mlops-operator:{account}");
        let (others, others_told) = watch::channel(known);
        let (stop, stopping) = watch::channel(false);
        let setup = Dependencies {
            client: kube::Client::new(harness.kubernetes.service_of_another_operator(&user), "default"),
            instance: account.to_owned(),
            sharding: Sharding { selector: selector.parse().unwrap(), others: others_told },
            ..harness.setup()
        };
        let work = tokio::spawn(controller::run(setup, stopping));
        Self { metrics, others, stop, work }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.work.await.unwrap();
    }

    /// A number of its metrics.
    fn number(&self, metric: &str) -> u64 {
        let text = self.metrics.text();
        let line = text.lines().find(|line| line.starts_with(&format!("mlops_operator_{metric} ")));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// How many objects it counts as Ready.
    fn ready(&self) -> u64 {
        self.objects("true")
    }

    /// How many objects it counts of which the condition Ready has this status.
    fn objects(&self, ready: &str) -> u64 {
        let kinds = ["platform", "project"];
        kinds.iter().map(|kind| self.number(&format!("objects{{kind=\"{kind}\",ready=\"{ready}\"}}"))).sum()
    }

    /// Its calls of AWS and Jenkins.
    fn calls(&self) -> Vec<String> {
        let text = self.metrics.text();
        text.lines().filter(|line| line.contains("remote_calls_total{")).map(str::to_owned).collect()
    }
}

fn other(selector: &str, first: bool) -> Other {
    let selector: WatchSelector = selector.parse().unwrap();
    Other { lease: selector.lease(), selector, first }
}

fn says(harness: &Harness, plural: &str, name: &str, condition: &str) -> bool {
    let namespace = if plural == "mlopsplatforms" { "" } else { NAMESPACE };
    harness.conditions_of(plural, namespace, name).iter().any(|found| found == condition)
}

fn project_is_ready(harness: &Harness, name: &str) -> bool {
    says(harness, "mlopsprojects", name, READY)
}

/// A platform with a label, in a Jenkins folder and with a portfolio of its own.
fn platform(name: &str, labels: Value) -> Value {
    let mut platform = Harness::platform_manifest();
    platform["metadata"] = json!({"name": name, "labels": labels});
    platform["spec"]["jenkins"]["folder"] = json!(format!("ml-{name}"));
    platform
}

fn project_on(platform: &str, name: &str) -> Value {
    let mut project = Harness::project_on_platform(name);
    project["spec"]["platformRef"]["name"] = json!(platform);
    project
}

fn relabel(harness: &Harness, plural: &str, name: &str, shard: &str) {
    let namespace = if plural == "mlopsplatforms" { "" } else { NAMESPACE };
    let change = json!({"metadata": {"labels": {"shard": shard}}});
    harness.kubernetes.merge(plural, namespace, name, false, &change).unwrap();
}

/// What exists, without the moment.
fn world(harness: &Harness) -> Value {
    let mut dump = harness.sandbox.world(|world| world.dump());
    dump.as_object_mut().unwrap().remove("now");
    dump
}

/// Events with a reason about an object.
fn told(harness: &Harness, name: &str, reason: &str) -> usize {
    let about = |event: &&Value| event["regarding"]["name"] == name && event["reason"] == reason;
    harness.kubernetes.objects("events").iter().filter(about).count()
}

#[tokio::test(start_paused = true)]
async fn two_operators_with_disjoint_selectors_share_a_cluster() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.apply_platform(platform("main", json!({"shard": "blue"})));
    harness.kubernetes.create("mlopsplatforms", "", platform("second", json!({"shard": "green"}))).unwrap();
    for project in [project_on("main", "fares"), project_on("second", "tips"), project_on("nowhere", "lost")] {
        harness.kubernetes.create("mlopsprojects", NAMESPACE, project).unwrap();
    }
    let mut inline = Harness::manifest();
    inline["metadata"]["labels"] = json!({"shard": "blue"});
    harness.apply(inline);
    let blue = Operator::start(&mut harness, "blue", "shard=blue", vec![]);
    let rest = Operator::start(&mut harness, "rest", "shard!=blue", vec![]);
    let all = ["fares", "tips", "taxi-fares"];
    harness.until("Ready", LONG, |harness| all.iter().all(|name| project_is_ready(harness, name))).await;
    tokio::time::sleep(LONG).await;
    assert_eq!((blue.ready(), rest.ready()), (3, 2), "main, fares, taxi-fares; second, tips");
    assert!(says(&harness, "mlopsprojects", "lost", "Ready=False/PlatformMissing"));
    assert_eq!(told(&harness, "lost", "PlatformMissing"), 1, "of a platform that is missing one operator speaks");
    assert_eq!((blue.objects("false"), rest.objects("false")), (0, 1));
    assert_eq!((blue.number("shard_overlaps"), rest.number("shard_overlaps")), (0, 0));

    // A restart looks at nothing that is as it was, and counts nothing that is another's.
    blue.end().await;
    let blue = Operator::start(&mut harness, "blue", "shard=blue", vec![]);
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!((blue.ready(), blue.calls()), (3, vec![]));
    tokio::time::sleep(LONG).await;

    // The platform moves, and its project with it.
    let (before, calls) = (world(&harness), blue.calls());
    relabel(&harness, "mlopsplatforms", "main", "green");
    harness.until("taken over", LONG, |_| (blue.ready(), rest.ready()) == (1, 4)).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(blue.calls(), calls, "the first operator asked AWS or Jenkins for something");
    assert_eq!(world(&harness), before, "the move changed something");
    for (plural, namespace, name) in [("mlopsplatforms", "", "main"), ("mlopsprojects", NAMESPACE, "fares")] {
        let object = harness.kubernetes.object(plural, namespace, name).unwrap();
        assert_eq!(object["metadata"]["finalizers"], json!(["mlops-operator.io/finalizer"]), "{name}");
    }
    let change = json!({"spec": {"description": "moved"}});
    harness.kubernetes.merge("mlopsprojects", NAMESPACE, "fares", false, &change).unwrap();
    harness.until("worked on", LONG, |harness| world(harness).to_string().contains("moved")).await;
    assert_eq!(blue.calls(), calls);

    // So does a project with a platform of its own, and a project of a platform that comes to be.
    relabel(&harness, "mlopsprojects", "taxi-fares", "green");
    harness.until("taken over", LONG, |_| (blue.ready(), rest.ready()) == (0, 5)).await;
    harness.kubernetes.create("mlopsplatforms", "", platform("nowhere", json!({"shard": "blue"}))).unwrap();
    harness.until("found", LONG, |harness| project_is_ready(harness, "lost")).await;
    harness.until("counted", LONG, |_| (blue.ready(), rest.ready()) == (2, 5)).await;
    assert_eq!(rest.objects("false"), 0, "what is another's is not counted");

    // Whoever has an object removes what was made for it, by whomever.
    for name in ["fares", "tips", "taxi-fares", "lost"] {
        harness.kubernetes.delete("mlopsprojects", NAMESPACE, name).unwrap();
    }
    for name in ["main", "second", "nowhere"] {
        harness.kubernetes.delete("mlopsplatforms", "", name).unwrap();
    }
    let gone = |harness: &Harness| {
        ["mlopsprojects", "mlopsplatforms"].iter().all(|plural| harness.kubernetes.objects(plural).is_empty())
    };
    harness.until("gone", Duration::from_mins(20), gone).await;
    blue.end().await;
    rest.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_platform_that_moves_while_it_is_being_made_is_made_once() {
    let mut harness = Harness::new(Settings::default()).await;
    let (kubernetes, moved) = (harness.kubernetes.clone(), Arc::new(AtomicBool::new(false)));
    let moving = moved.clone();
    harness.sandbox.look_on(Some(Arc::new(move |edge, call: &str| {
        if edge == Edge::After && call == "servicecatalog CreatePortfolio" && !moving.swap(true, Ordering::Relaxed) {
            let change = json!({"metadata": {"labels": {"shard": "green"}}});
            kubernetes.merge("mlopsplatforms", "", "main", false, &change).unwrap();
        }
    })));
    harness.apply_platform(platform("main", json!({"shard": "blue"})));
    let blue = Operator::start(&mut harness, "blue", "shard=blue", vec![]);
    harness.until("moved", LONG, |_| moved.load(Ordering::Relaxed)).await;
    tokio::time::sleep(LONG).await;
    let calls = blue.calls();
    assert!(!says(&harness, "mlopsplatforms", "main", READY), "it goes on with what is another's");
    let green = Operator::start(&mut harness, "green", "shard=green", vec![]);
    harness.until("Ready", LONG, |harness| says(harness, "mlopsplatforms", "main", READY)).await;
    harness.sandbox.look_on(None);
    let portfolios = harness.sandbox.world(|world| {
        world.region(ACCOUNT, REGION).catalog.portfolios.values().filter(|one| one.truth().is_some()).count()
    });
    assert_eq!(portfolios, 1);
    assert!(calls.iter().any(|line| line.contains("\"create_portfolio\"")), "{calls:#?}");
    assert!(!calls.iter().any(|line| line.contains("\"associate_product_with_portfolio\"")), "{calls:#?}");
    assert_eq!((blue.calls(), blue.ready(), green.ready()), (calls, 0, 1));
    blue.end().await;
    green.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_two_operators_watch_one_works_on_until_it_is_gone() {
    let mut harness = Harness::new(Settings::default()).await;
    harness.apply_platform(platform("main", json!({"shard": "blue"})));
    for project in [project_on("main", "fares"), project_on("nowhere", "lost")] {
        harness.kubernetes.create("mlopsprojects", NAMESPACE, project).unwrap();
    }
    let all = Operator::start(&mut harness, "all", "", vec![other("shard=blue", true)]);
    let blue = Operator::start(&mut harness, "blue", "shard=blue", vec![other("", false)]);
    harness.until("Ready", LONG, |harness| project_is_ready(harness, "fares")).await;
    harness
        .until("missing", LONG, |harness| says(harness, "mlopsprojects", "lost", "Ready=False/PlatformMissing"))
        .await;
    tokio::time::sleep(LONG).await;
    assert_eq!((all.ready(), blue.ready()), (0, 2));
    assert_eq!(all.calls(), [] as [String; 0]);
    assert_eq!((all.number("shard_overlaps"), blue.number("shard_overlaps")), (1, 1), "the platform");

    // The one that works goes for good.
    let before = world(&harness);
    blue.end().await;
    all.others.send_replace(vec![]);
    harness.until("taken over", LONG, |_| all.ready() == 2).await;
    assert_eq!(all.number("shard_overlaps"), 0);
    assert_eq!(world(&harness), before, "it made something anew");

    // It comes back, and the other one leaves its objects to it.
    all.others.send_replace(vec![other("shard=blue", true)]);
    harness.until("left", LONG, |_| all.ready() == 0).await;
    let blue = Operator::start(&mut harness, "blue", "shard=blue", vec![other("", false)]);
    harness.until("taken back", LONG, |_| blue.ready() == 2).await;
    assert_eq!(world(&harness), before);
    all.end().await;
    blue.end().await;
}
