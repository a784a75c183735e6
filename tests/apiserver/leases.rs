//! Leader election with Leases of a real API server, in real time: one replica leads, and another takes over when the
//! leader goes, with or without a word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::DeleteParams;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use mlops_operator::config::LeaderElection;
use mlops_operator::controller::others::SELECTOR;
use mlops_operator::domain::watch_selector::LEASE;
use mlops_operator::leader_election::{Candidate, Leadership};
use tokio::time::timeout;

const NAMESPACE: &str = "default";
/// What a change takes beside the Lease's own time: the calls, and a wait by chance of at most a second.
const SLACK: Duration = Duration::from_secs(5);

async fn config(kubeconfig: &Path) -> Config {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

fn candidate(instance: &str, selector: &str) -> Candidate {
    let times = LeaderElection::default();
    Candidate { namespace: NAMESPACE.into(), instance: instance.into(), selector: selector.parse().unwrap(), times }
}

async fn seek(kubeconfig: &Path, instance: &str) -> Leadership {
    seek_with(kubeconfig, candidate(instance, "")).await
}

async fn seek_with(kubeconfig: &Path, candidate: Candidate) -> Leadership {
    let config = config(kubeconfig).await;
    Leadership::seek(move || Client::try_from(config), candidate).await.unwrap()
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
    let leases: Api<Lease> = Api::namespaced(Client::try_from(config(&kubeconfig).await).unwrap(), NAMESPACE);

    // A runtime of its own, which stands still from time to time: the Lease is held on a thread beside it.
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
    process.spawn(async { std::thread::sleep(2 * SLACK) });
    let mut second = seek(&kubeconfig, "second").await;
    assert!(!leads(&mut second, SLACK).await, "there is a leader already");
    assert!(timeout(SLACK, first.lost()).await.is_err(), "the leader stays it");
    assert_eq!(holder(&leases).await.as_deref(), Some("first"));
    let term = leases.get(LEASE).await.unwrap().spec.unwrap().lease_duration_seconds.unwrap();
    let term = Duration::from_secs(u64::try_from(term).unwrap());

    // As by a process that is killed: without a last word.
    drop(first);
    process.shutdown_background();
    let killed = Instant::now();
    assert!(leads(&mut second, term + SLACK).await, "the Lease runs out");
    assert_eq!(holder(&leases).await.as_deref(), Some("second"));
    assert!(killed.elapsed() > SLACK, "not before it has run out: its leader may still be alive");

    second.release().await;
    let mut third = seek(&kubeconfig, "third").await;
    assert!(leads(&mut third, SLACK).await, "a Lease that was given back is free at once");
    assert_eq!(holder(&leases).await.as_deref(), Some("third"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_selector_has_a_lease_of_its_own_that_says_for_what_it_is() {
    let cluster = crate::harness::cluster::Cluster::start("leases-of-selectors");
    let leases: Api<Lease> = Api::namespaced(Client::try_from(config(&cluster.kubeconfig).await).unwrap(), NAMESPACE);
    let times = LeaderElection { lease_duration: 7, renew_grace: 5 };
    let blue = Candidate { times, ..candidate("first", "shard = blue") };
    let name = blue.selector.lease();
    let mut blue = seek_with(&cluster.kubeconfig, blue).await;
    let mut rest = seek_with(&cluster.kubeconfig, candidate("second", "")).await;
    assert!(leads(&mut blue, SLACK).await && leads(&mut rest, SLACK).await, "neither waits for the other");
    let lease = leases.get(&name).await.unwrap();
    assert_eq!(lease.metadata.annotations.unwrap()[SELECTOR], "shard=blue");
    let spec = lease.spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_duration_seconds), (Some("first"), Some(7)));
    let mut others = rest.others();
    let found = others.wait_for(|others| !others.is_empty()).await.unwrap()[0].clone();
    assert_eq!((found.lease, found.selector.to_string(), found.first), (name, "shard=blue".to_owned(), true));
    // A selector means the same in another form.
    let mut waiting = seek_with(&cluster.kubeconfig, candidate("third", "shard in (blue)")).await;
    assert!(!leads(&mut waiting, Duration::from_secs(2)).await, "there is a leader already");
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
    let client = move || Ok(Client::new(service, NAMESPACE));
    let mut leader = Leadership::seek(client, candidate("first", "")).await.unwrap();
    assert!(leads(&mut leader, SLACK).await);
    assert!(timeout(SLACK, leader.lost()).await.is_err(), "the leader stays it");
    cut.store(true, Ordering::Relaxed);
    assert!(timeout(Duration::from_secs(15) + 2 * SLACK, leader.lost()).await.is_ok(), "it goes on leading");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_lease_is_deleted_stops_leading_before_it_would_have_run_out() {
    let kubernetes = mlops_sandbox::kubernetes::Kubernetes::new(mlops_sandbox::Clock::wall(), &[]);
    let service = kubernetes.service();
    let leases: Api<Lease> = Api::namespaced(Client::new(kubernetes.service(), NAMESPACE), NAMESPACE);
    // It is renewed once in forty seconds only.
    let times = LeaderElection { lease_duration: 60, renew_grace: 20 };
    let candidate = Candidate { times, ..candidate("first", "") };
    let mut leader = Leadership::seek(move || Ok(Client::new(service, NAMESPACE)), candidate).await.unwrap();
    assert!(leads(&mut leader, SLACK).await);
    leases.delete(LEASE, &DeleteParams::default()).await.unwrap();
    assert!(timeout(2 * SLACK, leader.lost()).await.is_ok(), "it goes on leading");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_told_to_stop_while_it_waits_gives_back_what_it_has_just_got() {
    use tower::ServiceExt;

    let kubernetes = mlops_sandbox::kubernetes::Kubernetes::new(mlops_sandbox::Clock::wall(), &[]);
    let leases: Api<Lease> = Api::namespaced(Client::new(kubernetes.service(), NAMESPACE), NAMESPACE);
    // It cannot see the Leases of others, and so does not lead yet when it has its own.
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let service = kubernetes.service();
        async move {
            if request.method() == http::Method::GET && request.uri().path().ends_with("/leases") {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
            }
            Ok(service.oneshot(request).await.unwrap())
        }
    });
    let client = move || Ok(Client::new(service, NAMESPACE));
    let mut waiting = Leadership::seek(client, candidate("first", "")).await.unwrap();
    assert!(!leads(&mut waiting, SLACK).await, "it does not know of the others");
    assert_eq!(holder(&leases).await.as_deref(), Some("first"));
    waiting.release().await;
    assert_eq!(holder(&leases).await.filter(|name| !name.is_empty()), None, "it keeps the next one waiting");
}
