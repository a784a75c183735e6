//! Leader election by Lease. It is no fence: a paused leader can still call AWS, which is why every act is safe to
//! repeat.

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Name of the Lease, in the operator's namespace.
pub const LEASE: &str = "mlops-operator";
/// For how many seconds the Lease is held without being renewed.
const DURATION: u64 = 30;
/// How many seconds before its end it is renewed.
const GRACE: u64 = 10;

/// A Lease that is held, or being waited for.
pub struct Leadership {
    leading: watch::Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Leadership {
    /// Begins to ask for the Lease.
    ///
    /// # Errors
    /// The Lease can be neither read nor made.
    pub async fn seek(client: Client, namespace: &str, instance: &str) -> Result<Self, LeaseManagerError> {
        let manager = LeaseManagerBuilder::new(client, LEASE)
            .with_namespace(namespace)
            .with_identity(instance)
            .with_duration(DURATION)
            .with_grace(GRACE)
            .build()
            .await?;
        let (leading, task) = manager.watch().await;
        Ok(Self { leading, task })
    }

    /// Waits until the Lease is held.
    pub async fn gained(&mut self) {
        // An error means that the task has ended: `lost` tells.
        let _ = self.leading.wait_for(|leading| *leading).await;
    }

    /// Waits until the Lease is lost.
    pub async fn lost(&mut self) {
        let _ = self.leading.wait_for(|leading| !*leading).await;
    }

    /// Gives the Lease back, so that another replica need not wait for its end.
    pub async fn release(self) {
        drop(self.leading);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), self.task).await;
    }
}
