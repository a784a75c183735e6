//! Leader election by Lease. It is no fence: a paused leader can still call AWS, which is why every act is safe to
//! repeat.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Name of the Lease, in the operator's namespace.
pub const LEASE: &str = "mlops-operator";
/// For how many seconds the Lease is held without being renewed.
const DURATION: u64 = 15;
/// How many seconds before its end it is renewed: by so much a replica's clock may be ahead of the leader's before it
/// takes a Lease that is held for one that has ended.
const GRACE: u64 = 10;
/// How often a leader asks whether it still is one, and how long it waits for the answer.
const CONFIRMATION: Duration = Duration::from_secs(3);

/// A Lease that is held, or being waited for.
pub struct Leadership {
    leases: Api<Lease>,
    identity: String,
    leading: watch::Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Leadership {
    /// Begins to ask for the Lease.
    ///
    /// # Errors
    /// The Lease can be neither read nor made.
    pub async fn seek(client: Client, namespace: &str, instance: &str) -> Result<Self, LeaseManagerError> {
        let leases = Api::namespaced(client.clone(), namespace);
        let manager = LeaseManagerBuilder::new(client, LEASE)
            .with_namespace(namespace)
            .with_identity(instance)
            .with_duration(DURATION)
            .with_grace(GRACE)
            .build()
            .await?;
        let (leading, task) = manager.watch().await;
        Ok(Self { leases, identity: instance.to_owned(), leading, task })
    }

    /// Waits until the Lease is held.
    pub async fn gained(&mut self) {
        // An error means that the task has ended: `lost` tells.
        let _ = self.leading.wait_for(|leading| *leading).await;
    }

    /// Waits until the Lease is lost, or could not be confirmed for as long as it lasts: a leader that cannot reach the
    /// API server would never be told that another has taken over.
    pub async fn lost(&mut self) {
        let unconfirmed = unconfirmed(&self.leases, &self.identity);
        tokio::select! {
            _ = self.leading.wait_for(|leading| !*leading) => {}
            () = unconfirmed => {}
        }
    }

    /// Gives the Lease back: a replica that asks from now on has it at once, one that waits already when the Lease
    /// would have ended.
    pub async fn release(self) {
        drop(self.leading);
        let _ = tokio::time::timeout(Duration::from_secs(5), self.task).await;
    }
}

async fn unconfirmed(leases: &Api<Lease>, identity: &str) {
    let mut confirmed = tokio::time::Instant::now();
    while confirmed.elapsed() < Duration::from_secs(DURATION) {
        tokio::time::sleep(CONFIRMATION).await;
        let asked = tokio::time::timeout(CONFIRMATION, leases.get(LEASE)).await;
        let holder = match asked {
            Ok(Ok(lease)) => lease.spec.and_then(|spec| spec.holder_identity),
            Ok(Err(_)) | Err(_) => continue,
        };
        if holder.as_deref() != Some(identity) {
            return;
        }
        confirmed = tokio::time::Instant::now();
    }
}
