//! Two operators in one cluster: the second one finds the claim of the first, says what to do, and touches nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use mlops_operator::controller::{self, Dependencies};
use mlops_operator::metrics::Metrics;
use mlops_operator::server::Readiness;
use mlops_sandbox::Settings;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::operator::Harness;

const LONG: Duration = Duration::from_mins(10);
const KEY: &str = "mlops-operator-fingerprint-key";
const CLAIM: &str = "mlops-operator-installation";

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
    tokio::time::sleep(LONG).await;
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
