//! What an installation meets: another one in the same cluster, whose claim it finds; an API server that is not there yet; a
//! namespace that it may not read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use mlops_operator::controller::startup::reachable;
use mlops_operator::controller::{self, Dependencies};
use mlops_operator::metrics::Metrics;
use mlops_operator::server::Readiness;
use mlops_operator::telemetry;
use mlops_sandbox::{Edge, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tracing_subscriber::EnvFilter;

use crate::harness::canary::Paper;
use crate::harness::operator::{Harness, NAMESPACE};

const LONG: Duration = Duration::from_mins(10);
const KEY: &str = "mlops-operator-fingerprint-key";
const CLAIM: &str = "mlops-operator-installation";
/// Who the other operator is.
const OTHER: &str = "system:serviceaccount:other:mlops-operator";

/// An operator in another namespace of the same cluster, and how it stands.
struct Second {
    readiness: Readiness,
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
}

impl Second {
    fn start(harness: &Harness) -> Self {
        let readiness = Readiness::default();
        let (stop, stopping) = watch::channel(false);
        let setup = Dependencies {
            namespace: "other".to_owned(),
            client: kube::Client::new(harness.kubernetes.service_of_another_operator(OTHER), "default"),
            instance: "second".to_owned(),
            readiness: readiness.clone(),
            metrics: Metrics::default(),
            ..harness.setup()
        };
        let work = tokio::spawn(controller::run(setup, stopping));
        Self { readiness, stop, work }
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.work.await.unwrap();
    }
}

/// A project that is Ready, and a namespace for another operator.
async fn ready() -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "other"}})).unwrap();
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    harness
}

fn claim(harness: &Harness, namespace: &str) -> Option<Value> {
    harness.kubernetes.object("leases", namespace, CLAIM)
}

#[tokio::test(start_paused = true)]
async fn a_second_operator_with_another_key_waits_says_what_to_do_and_touches_nothing() {
    let mut harness = ready().await;
    let (calls, object) = (harness.sandbox.calls().len(), harness.object());
    let second = Second::start(&harness);
    // Until the first one looks at lists again.
    tokio::time::sleep(Duration::from_mins(3)).await;
    let said = second.readiness.get().unwrap_err();
    assert!(said.contains("the operator in namespace mlops-operator claims the projects of this cluster"), "{said}");
    assert!(said.contains(&format!("kubectl -n mlops-operator delete lease {CLAIM}")), "{said}");
    assert_eq!((harness.sandbox.calls().len(), harness.object()), (calls, object), "a second operator acted");
    assert!(claim(&harness, "other").is_none(), "it claims what is another's");
    // The way out that it names.
    harness.stop().await;
    harness.kubernetes.delete("leases", "mlops-operator", CLAIM).unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(second.readiness.get(), Ok(()));
    assert!(claim(&harness, "other").is_some());
    second.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_a_tenant_makes_keeps_no_operator_away() {
    for holder in ["system:serviceaccount:other:builder", "system:serviceaccount:mlops-operator:mlops-operator", ""] {
        let mut harness = Harness::new(Settings::default()).await;
        harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "other"}})).unwrap();
        let annotations = json!({"mlops-operator.io/installation": "mine"});
        let claim =
            json!({"metadata": {"name": CLAIM, "annotations": annotations}, "spec": {"holderIdentity": holder}});
        harness.kubernetes.create("leases", "other", claim).unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        harness.start();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(harness.readiness.get(), Ok(()), "held by {holder:?}");
        harness.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_lost_and_made_anew_is_no_second_installation() {
    let mut harness = ready().await;
    let before = claim(&harness, "mlops-operator").unwrap();
    harness.stop().await;
    harness.kubernetes.delete("secrets", "mlops-operator", KEY).unwrap();
    harness.start();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(harness.readiness.get(), Ok(()));
    let after = claim(&harness, "mlops-operator").unwrap();
    assert_eq!(before["metadata"]["uid"], after["metadata"]["uid"]);
    assert_ne!(before["metadata"]["annotations"], after["metadata"]["annotations"]);
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_installation_that_moved_with_its_key_starts_in_its_new_namespace() {
    let mut harness = ready().await;
    harness.stop().await;
    let key = harness.kubernetes.object("secrets", "mlops-operator", KEY).unwrap();
    let copy = json!({"metadata": {"name": KEY}, "data": key["data"]});
    harness.kubernetes.create("secrets", "other", copy).unwrap();
    let second = Second::start(&harness);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(second.readiness.get(), Ok(()));
    second.end().await;
}

/// An operator that is slow to learn that another one leads now, and writes down what it is about to make.
#[tokio::test(start_paused = true)]
async fn an_intent_takes_back_nothing_that_another_operator_has_said_meanwhile() {
    let mut harness = Harness::new(Settings::default()).await;
    let (kubernetes, found) = (harness.kubernetes.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = found.clone();
    harness.sandbox.look_on(Some(Arc::new(move |edge, call: &str| match (edge, call) {
        (Edge::After, "jenkins GET buildWithParameters") if seen.lock().unwrap().is_empty() => {
            let said = json!({"status": {"observedGeneration": 77}});
            kubernetes.merge("mlopsprojects", NAMESPACE, "taxi-fares", true, &said).unwrap();
        }
        (Edge::Before, "jenkins POST buildWithParameters") => {
            let object = kubernetes.object("mlopsprojects", NAMESPACE, "taxi-fares").unwrap();
            seen.lock().unwrap().push(object["status"]["observedGeneration"].clone());
        }
        _ => {}
    })));
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    harness.sandbox.look_on(None);
    assert_eq!(found.lock().unwrap().first(), Some(&json!(77)));
    harness.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_not_there_yet_is_waited_for_by_its_address() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let server = tower::service_fn(move |_: Request<Body>| {
        let asked = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            match asked {
                0..10 => Err(std::io::Error::other("connection refused")),
                // That it wants to know who asks is an answer.
                _ => Ok(Response::builder().status(401).body(Body::from(b"{}".to_vec())).unwrap()),
            }
        }
    });
    let client = kube::Client::new(server, "default");
    let readiness = Readiness::default();
    let shown = readiness.clone();
    let waiting = tokio::spawn(async move { reachable(&client, "https://10.0.0.1:6443", &shown).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let said = readiness.get().unwrap_err();
    assert!(said.contains("https://10.0.0.1:6443") && said.contains("connection refused"), "{said}");
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap().unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 11);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_may_not_be_read_is_logged_once() {
    let log = Paper::default();
    let writer = log.clone();
    let _logging =
        crate::harness::canary::logging(telemetry::text(EnvFilter::new("info"), false, move || writer.clone()));
    let harness = Harness::new(Settings::default()).await;
    let api = harness.kubernetes.service();
    let refusing = tower::service_fn(move |request: Request<Body>| {
        let api = api.clone();
        async move {
            let path = request.uri().path();
            if path.contains(&format!("/namespaces/{NAMESPACE}/secrets")) {
                let status = json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403,
                    "reason": "Forbidden", "message": "secrets is forbidden",
                });
                let body = Full::new(Bytes::from(status.to_string())).boxed_unsync();
                return Ok::<_, Infallible>(Response::builder().status(403).body(body).unwrap());
            }
            Ok(api.oneshot(request).await.unwrap())
        }
    });
    let (stop, stopping) = watch::channel(false);
    let client = kube::Client::new(refusing, "default");
    let work = tokio::spawn(controller::run(Dependencies { client, ..harness.setup() }, stopping));
    harness.apply(Harness::manifest());
    harness.until("refused", LONG, |harness| harness.message("PrerequisitesMet").contains("Secret")).await;
    tokio::time::sleep(Duration::from_hours(2)).await;
    stop.send_replace(true);
    work.await.unwrap();
    let text = log.text();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(NAMESPACE) && line.contains("WARN")).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
}
