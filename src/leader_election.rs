//! Leader election by Lease, on a thread and with connections of its own, so that an operator with much to do does not lose
//! its Lease over it. It is no fence: a paused leader can still call AWS, which is why every act is safe to repeat. While it
//! leads, it looks at the Leases of operators with other selectors, too.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use kube_lease_manager::LeaseManagerBuilder;
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::config::LeaderElection;
use crate::controller::others::{LOOK, Neighbours, SELECTOR};
use crate::controller::shard::Other;
use crate::domain::watch_selector::WatchSelector;

/// How often a leader asks whether it still is one, and how long it waits for the answer, at most.
const CONFIRMATION: Duration = Duration::from_secs(3);
/// How soon a leader that could not see the other Leases at its start tries again.
const LOOK_RETRY: Duration = Duration::from_secs(2);
/// How long giving the Lease back may take.
const RELEASE: Duration = Duration::from_secs(5);

/// Who asks for which Lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The operator's own namespace, where its Lease is.
    pub namespace: String,
    /// The operator's name among its replicas.
    pub instance: String,
    /// Each selector has a Lease of its own.
    pub selector: WatchSelector,
    /// How long it is held, and when it is renewed.
    pub times: LeaderElection,
}

/// How it stands with the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Waits,
    Leads,
    Lost,
}

/// A Lease that is held, or being waited for. Dropped, it is left as it is, as by a process that was killed.
pub struct Leadership {
    standing: watch::Receiver<Standing>,
    others: watch::Receiver<Vec<Other>>,
    release: oneshot::Sender<()>,
}

/// The other end of it, on the thread.
struct Seat {
    candidate: Candidate,
    leases: Api<Lease>,
    standing: watch::Sender<Standing>,
    others: watch::Sender<Vec<Other>>,
}

impl Leadership {
    /// Begins to ask for the Lease, with a client that is made on the thread of the election.
    ///
    /// # Errors
    /// The Lease can be neither read nor made.
    pub async fn seek<F>(client: F, candidate: Candidate) -> Result<Self, String>
    where
        F: FnOnce() -> Result<Client, kube::Error> + Send + 'static,
    {
        let (standing, standing_told) = watch::channel(Standing::Waits);
        let (others, others_told) = watch::channel(Vec::new());
        let (release, released) = oneshot::channel();
        let (begun, beginning) = oneshot::channel();
        let elect = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(begun.send(Err(error.to_string()))),
            };
            runtime.block_on(async move {
                let leases = match client() {
                    Ok(client) => Api::namespaced(client, &candidate.namespace),
                    Err(error) => return drop(begun.send(Err(error.to_string()))),
                };
                Seat { candidate, leases, standing, others }.hold(begun, released).await;
            });
        };
        let thread = std::thread::Builder::new().name("leader-election".to_owned());
        thread.spawn(elect).map_err(|error| error.to_string())?;
        beginning.await.map_err(|_| "the thread of the leader election has ended".to_owned())??;
        Ok(Self { standing: standing_told, others: others_told, release })
    }

    /// Waits until the Lease is held.
    pub async fn gained(&mut self) {
        // An error means that the thread has ended: `lost` tells.
        let _ = self.standing.wait_for(|standing| *standing != Standing::Waits).await;
    }

    /// Waits until the Lease is lost, or could not be confirmed for as long as it lasts: a leader that cannot reach the
    /// API server would never be told that another has taken over.
    pub async fn lost(&mut self) {
        let _ = self.standing.wait_for(|standing| *standing == Standing::Lost).await;
    }

    /// The operators with other selectors, known from the moment that the Lease is held.
    pub fn others(&self) -> watch::Receiver<Vec<Other>> {
        self.others.clone()
    }

    /// Gives the Lease back: a replica that asks from now on has it at once, one that waits already when the Lease
    /// would have ended.
    pub async fn release(mut self) {
        let _ = self.release.send(());
        let ended = async { while self.standing.changed().await.is_ok() {} };
        let _ = timeout(2 * RELEASE, ended).await;
    }
}

impl Seat {
    /// Asks for the Lease, holds it and tells how it stands, until it is released or its [`Leadership`] is dropped.
    async fn hold(self, begun: oneshot::Sender<Result<(), String>>, mut released: oneshot::Receiver<()>) {
        let Candidate { namespace, instance, selector, times } = &self.candidate;
        let builder = LeaseManagerBuilder::new(self.leases.clone().into_client(), selector.lease())
            .with_namespace(namespace)
            .with_identity(instance)
            .with_duration(times.lease_duration)
            .with_grace(times.renew_grace);
        let manager = match builder.build().await {
            Ok(manager) => manager,
            Err(error) => return drop(begun.send(Err(error.to_string()))),
        };
        if let Err(error) = self.mark().await {
            return drop(begun.send(Err(format!("the selector cannot be written on the Lease: {error}"))));
        }
        let (mut leading, task) = manager.watch().await;
        let _ = begun.send(Ok(()));
        let led = async {
            if leading.wait_for(|leading| *leading).await.is_ok() {
                tokio::select! {
                    () = self.lead() => {}
                    () = self.unconfirmed() => {}
                    _ = leading.wait_for(|leading| !*leading) => {}
                }
            }
            self.standing.send_replace(Standing::Lost);
            std::future::pending::<()>().await;
        };
        let told = tokio::select! {
            () = led => false,
            told = &mut released => told.is_ok(),
        };
        if told {
            drop(leading);
            let _ = timeout(RELEASE, task).await;
        }
    }

    /// Writes the selector on the Lease, for operators with other ones.
    async fn mark(&self) -> kube::Result<()> {
        let (name, text) = (self.candidate.selector.lease(), self.candidate.selector.to_string());
        let marked = self.leases.get(&name).await?.annotations().get(SELECTOR).map_or("", String::as_str) == text;
        if !marked {
            let change = json!({"metadata": {"annotations": {SELECTOR: text}}});
            self.leases.patch(&name, &PatchParams::default(), &Patch::Merge(change)).await?;
        }
        Ok(())
    }

    /// Looks who else is there, tells that it leads, and goes on looking.
    async fn lead(&self) {
        let begun = Instant::now();
        let mut neighbours = Neighbours::new(self.candidate.selector.lease());
        let mut refused = false;
        loop {
            let looked = timeout(CONFIRMATION, self.leases.list(&ListParams::default())).await;
            let again = match looked {
                Ok(Ok(leases)) => {
                    let found = neighbours.judge(&leases.items, begun.elapsed());
                    self.others.send_if_modified(|others| std::mem::replace(others, found.clone()) != found);
                    self.standing.send_replace(Standing::Leads);
                    LOOK
                }
                Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                    if !std::mem::replace(&mut refused, true) {
                        tracing::warn!(%status, "may not see the Leases of other operators: that they watch the same objects goes unnoticed");
                    }
                    self.standing.send_replace(Standing::Leads);
                    LOOK
                }
                Ok(Err(_)) | Err(_) if *self.standing.borrow() == Standing::Leads => LOOK,
                Ok(Err(_)) | Err(_) => LOOK_RETRY,
            };
            sleep(again).await;
        }
    }

    /// Ends once the Lease could not be confirmed for as long as it lasts, is another's, or is not there.
    async fn unconfirmed(&self) {
        let term = Duration::from_secs(self.candidate.times.lease_duration);
        let pause = CONFIRMATION.min(term / 5);
        let name = self.candidate.selector.lease();
        let mut confirmed = Instant::now();
        while confirmed.elapsed() < term {
            sleep(pause).await;
            let holder = match timeout(pause, self.leases.get(&name)).await {
                Ok(Ok(lease)) => lease.spec.and_then(|spec| spec.holder_identity),
                // It was deleted: any replica may make it anew and lead.
                Ok(Err(kube::Error::Api(status))) if status.code == 404 => return,
                Ok(Err(_)) | Err(_) => continue,
            };
            if holder.as_deref() != Some(&self.candidate.instance) {
                return;
            }
            confirmed = Instant::now();
        }
    }
}
