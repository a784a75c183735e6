//! Leader election with Leases of a real API server, in real time: one replica leads, and another takes over when the
//! leader goes, with or without a word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use mlops_operator::leader_election::{LEASE, Leadership};
use tokio::time::timeout;

const NAMESPACE: &str = "default";
/// What a change takes beside the Lease's own time: the calls, and a wait by chance of at most a second.
const SLACK: Duration = Duration::from_secs(5);

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()).unwrap()
}

async fn seek(kubeconfig: &Path, instance: &str) -> Leadership {
    Leadership::seek(client(kubeconfig).await, NAMESPACE, instance).await.unwrap()
}

async fn leads(replica: &mut Leadership, within: Duration) -> bool {
    timeout(within, replica.gained()).await.is_ok()
}

async fn holder(leases: &Api<Lease>) -> Option<String> {
    leases.get(LEASE).await.unwrap().spec.unwrap().holder_identity
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_leads_and_another_takes_over_when_it_goes() {
    let cluster = crate::harness::cluster::Cluster::start("leases");
    let kubeconfig = cluster.kubeconfig.clone();
    let leases: Api<Lease> = Api::namespaced(client(&kubeconfig).await, NAMESPACE);

    // A process of its own, as far as its tasks and connections go: it can be killed without having a last word.
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let first = process.spawn({
        let kubeconfig = kubeconfig.clone();
        async move {
            let mut first = seek(&kubeconfig, "first").await;
            assert!(leads(&mut first, SLACK).await, "an unheld Lease is taken at once");
            first
        }
    });
    let mut first = first.await.unwrap();
    let mut second = seek(&kubeconfig, "second").await;
    assert!(!leads(&mut second, SLACK).await, "there is a leader already");
    assert!(timeout(SLACK, first.lost()).await.is_err(), "the leader stays it");
    assert_eq!(holder(&leases).await.as_deref(), Some("first"));
    let term = leases.get(LEASE).await.unwrap().spec.unwrap().lease_duration_seconds.unwrap();
    let term = Duration::from_secs(u64::try_from(term).unwrap());

    process.shutdown_background();
    let killed = Instant::now();
    assert!(leads(&mut second, term + SLACK).await, "the Lease runs out");
    assert_eq!(holder(&leases).await.as_deref(), Some("second"));
    assert!(killed.elapsed() > SLACK, "not before it has run out: its leader may still be alive");
    // Its end would have been a last word.
    drop(first);

    second.release().await;
    let mut third = seek(&kubeconfig, "third").await;
    assert!(leads(&mut third, SLACK).await, "a Lease that was given back is free at once");
    assert_eq!(holder(&leases).await.as_deref(), Some("third"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_from_the_api_server_stops_leading() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use mlops_sandbox::Clock;
    use mlops_sandbox::kubernetes::Kubernetes;
    use tower::ServiceExt;

    let kubernetes = Kubernetes::new(Clock::wall(), &[]);
    let cut = Arc::new(AtomicBool::new(false));
    let service = {
        let (kubernetes, cut) = (kubernetes.clone(), cut.clone());
        tower::service_fn(move |request: http::Request<kube::client::Body>| {
            let (service, cut) = (kubernetes.service(), cut.clone());
            async move {
                if cut.load(Ordering::Relaxed) {
                    return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
                }
                Ok(service.oneshot(request).await.unwrap())
            }
        })
    };
    let mut leader = Leadership::seek(Client::new(service, NAMESPACE), NAMESPACE, "first").await.unwrap();
    assert!(leads(&mut leader, SLACK).await);
    assert!(timeout(SLACK, leader.lost()).await.is_err(), "the leader stays it");
    cut.store(true, Ordering::Relaxed);
    assert!(timeout(Duration::from_secs(15) + 2 * SLACK, leader.lost()).await.is_ok(), "it goes on leading");
}
