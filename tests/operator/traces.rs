//! One id per reconcile, in logs, events and spans, and what a collector gets of it by OTLP; a collector that takes nothing is in
//! nobody's way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mlops_operator::config::LogFormat;
use mlops_operator::telemetry;
use mlops_operator::telemetry::otlp::{Endpoint, Otlp};
use mlops_sandbox::Settings;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::harness::canary::{Paper, logging};
use crate::harness::collector::{Answers, Collector, Span};
use crate::harness::operator::{Harness, NAMESPACE};

/// The filter that the operator has where nothing else is said.
const FILTER: &str = "warn,mlops_operator=info";
const SOON: Duration = Duration::from_mins(2);
const ID: &str = "/metadata/annotations/mlops-operator.io~1reconcile-id";

/// An operator that sends to a collector, and writes its log where it can be read.
struct Traced {
    harness: Harness,
    collector: Collector,
    otlp: Otlp,
    log: Paper,
    _logging: tracing::subscriber::DefaultGuard,
}

impl Traced {
    async fn new(answers: Answers) -> Self {
        let collector = Collector::start(answers);
        let endpoint = Endpoint::parse(&collector.url).unwrap().unwrap();
        let otlp = Otlp::connect(&endpoint, Some("operator-0"), collector.runtime()).unwrap();
        let log = Paper::default();
        let (filter, writer) = (|| EnvFilter::new(FILTER), log.clone());
        let writes = move || writer.clone();
        let logging = logging(telemetry::subscriber(LogFormat::Text, filter, false, writes, Some(&otlp)));
        Self { harness: Harness::new(Settings::default()).await, collector, otlp, log, _logging: logging }
    }

    /// Starts the operator and lets it make the project.
    async fn makes(&mut self) {
        self.harness.start();
        self.harness.apply(Harness::manifest());
        self.harness.until_condition("Ready=True/Succeeded", SOON).await;
    }

    /// Stops the operator as the end of the process does, and answers the roots by trace.
    async fn ends(&mut self) -> BTreeMap<String, Span> {
        self.harness.stop().await;
        self.otlp.end();
        let roots = self.collector.spans().into_iter().filter(|span| span.parent.is_empty());
        roots.map(|span| (span.trace.clone(), span)).collect()
    }

    fn events(&self) -> Vec<Value> {
        self.harness.kubernetes.objects("events")
    }

    /// The names of what a span lies in, from the inside out.
    fn around(&self, span: &Span) -> Vec<String> {
        let spans = self.collector.spans();
        let mut names = Vec::new();
        let mut parent = span.parent.clone();
        while let Some(outer) = spans.iter().find(|other| other.id == parent) {
            assert_eq!(outer.trace, span.trace, "{} lies in another trace", span.name);
            names.push(outer.name.clone());
            parent.clone_from(&outer.parent);
        }
        names
    }
}

/// An attribute of a span; empty where it has none.
fn of<'a>(span: &'a Span, attribute: &str) -> &'a str {
    span.attributes.get(attribute).map_or("", String::as_str)
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_is_a_trace_of_its_resources_and_their_calls() {
    let mut traced = Traced::new(Answers::Takes).await;
    traced.makes().await;
    let uid = traced.harness.object().unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let roots = traced.ends().await;
    assert!(!roots.is_empty());
    for (trace, root) in &roots {
        assert_eq!(root.name, "reconcile");
        let told = ["reconcile_id", "kind", "namespace", "name", "uid"].map(|attribute| of(root, attribute));
        assert_eq!(told, [trace.as_str(), "project", NAMESPACE, "taxi-fares", uid.as_str()]);
        assert!(["settled", "unsettled", "error"].contains(&of(root, "outcome")), "{root:?}");
    }
    let spans = traced.collector.spans();
    assert!(spans.iter().all(|span| span.events == 0), "what is logged is no part of spans");
    let names: BTreeSet<_> = spans.iter().map(|span| (span.name.as_str(), of(span, "outcome"))).collect();
    let rows = [
        ("sagemaker create_project", "sagemaker", "create_project", "sagemaker_project"),
        ("cloudformation create_stack", "cloudformation", "create_stack", "model_trigger"),
        ("s3 create_bucket", "s3", "create_bucket", "artifact_bucket"),
        ("jenkins post", "jenkins", "post", "jenkins_jobs"),
    ];
    for (name, service, operation, resource) in rows {
        let done = |span: &&Span| span.name == name && of(span, "outcome") == "ok";
        let call = spans.iter().find(done).unwrap_or_else(|| panic!("there is no {name}: {names:?}"));
        assert_eq!((of(call, "remote"), of(call, "operation")), (service, operation));
        assert_eq!(traced.around(call), [resource, "reconcile"]);
    }
    let call = spans.iter().find(|span| span.name == "kubernetes patch_status").expect("the status is written");
    assert!(traced.around(call).ends_with(&["reconcile".to_owned()]));
    let bucket = spans.iter().find(|span| span.name == "artifact_bucket").unwrap();
    assert_eq!((of(bucket, "resource"), of(bucket, "attempt")), ("artifact_bucket", "1"));
    let resource = traced.collector.resources().pop().unwrap();
    assert_eq!(resource["service.name"], "mlops-operator");
    assert_eq!(resource["service.instance.id"], "operator-0");
}

#[tokio::test(start_paused = true)]
async fn lines_of_the_log_and_events_name_the_reconcile_that_they_are_of() {
    let mut traced = Traced::new(Answers::Takes).await;
    traced.makes().await;
    let roots = traced.ends().await;
    let events = traced.events();
    assert!(events.iter().any(|event| event["reason"] == "Created"), "{events:?}");
    for event in &events {
        let id = event.pointer(ID).and_then(Value::as_str).unwrap_or_else(|| panic!("{event} has no id"));
        assert!(roots.contains_key(id), "there is no trace {id}");
        assert!(traced.log.text().contains(&format!("reconcile{{reconcile_id={id}}}")), "{id} is in no line");
        for field in ["note", "action", "reason"] {
            assert!(!event[field].to_string().contains(id), "{event} would be told apart by its id");
        }
    }
    let text = traced.log.text();
    let of_reconciles = text.lines().filter(|line| line.contains("mlops_operator::controller::reconcile"));
    let without: Vec<_> = of_reconciles.filter(|line| !line.contains("reconcile{reconcile_id=")).collect();
    assert_eq!(without, [] as [&str; 0]);
    assert!(!text.contains("call{") && !text.contains("resource{"), "inner spans are for the collector alone: {text}");
    let records = traced.collector.records();
    let of_reconciles = records.iter().filter(|one| one.target.starts_with("mlops_operator::controller::reconcile"));
    let ids: BTreeSet<_> = of_reconciles
        .map(|record| {
            assert_eq!(record.attributes.get("reconcile_id"), Some(&record.trace), "{record:?}");
            record.trace.clone()
        })
        .collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| roots.contains_key(id)), "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn events_that_come_again_are_merged_and_name_the_last_reconcile() {
    let mut traced = Traced::new(Answers::Takes).await;
    traced.makes().await;
    let suspended = |traced: &Traced| {
        let found = traced.events().into_iter().find(|event| event["reason"] == "Suspended").unwrap();
        (found["series"]["count"].as_u64().unwrap_or(1), found.pointer(ID).unwrap().as_str().unwrap().to_owned())
    };
    let mut ids = Vec::new();
    for times in 1..=2 {
        traced.harness.edit(json!({"spec": {"suspend": true}})).await;
        let told = |harness: &Harness| {
            let events = harness.kubernetes.objects("events");
            let found = events.iter().find(|event| event["reason"] == "Suspended");
            found.is_some_and(|event| event["series"]["count"].as_u64().unwrap_or(1) == times)
        };
        traced.harness.until("told", SOON, told).await;
        let (count, id) = suspended(&traced);
        assert_eq!(count, times);
        ids.push(id);
        traced.harness.edit(json!({"spec": {"suspend": false}})).await;
        traced.harness.until_condition("Ready=True/Succeeded", SOON).await;
    }
    assert_ne!(ids[0], ids[1], "the second time is another reconcile");
    let roots = traced.ends().await;
    assert!(ids.iter().all(|id| roots.contains_key(id)), "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_collector_there_is_an_id_all_the_same() {
    let log = Paper::default();
    let writer = log.clone();
    let _logging = logging(telemetry::text(EnvFilter::new(FILTER), false, move || writer.clone()));
    let mut harness = Harness::new(Settings::default()).await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", SOON).await;
    harness.stop().await;
    let events = harness.kubernetes.objects("events");
    assert!(!events.is_empty());
    for event in events {
        let id = event.pointer(ID).and_then(Value::as_str).unwrap();
        assert!(id.len() == 32 && log.text().contains(&format!("reconcile{{reconcile_id={id}}}")), "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_takes_nothing_is_in_nobodys_way() {
    let rows = [
        ("one that takes it", Answers::Takes),
        ("one that has a fault", Answers::Status(503)),
        ("one that refuses", Answers::Status(401)),
        ("one that never answers", Answers::Hangs),
    ];
    let mut times = Vec::new();
    for (name, answers) in rows {
        let mut traced = Traced::new(answers).await;
        let (began, virtually) = (Instant::now(), tokio::time::Instant::now());
        traced.makes().await;
        times.push(virtually.elapsed());
        assert!(began.elapsed() < Duration::from_secs(60), "{name}: {:?}", began.elapsed());
        let calls = traced.harness.sandbox.calls().len();
        traced.harness.stop().await;
        let ends = Instant::now();
        traced.otlp.end();
        assert!(ends.elapsed() < Duration::from_secs(5), "{name}: it ends after {:?}", ends.elapsed());
        assert!(calls > 0 && !traced.collector.calls().is_empty(), "{name}: nothing was sent");
    }
    assert!(times.iter().all(|time| *time == times[0]), "it is as quick with each: {times:?}");
}
