//! What is written to an object's status: by server-side apply of the complete owned set, and only when it differs from
//! what the server has. Nothing here decides what to say.

use std::sync::{Mutex, PoisonError};

use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::controller::api::{ApiError, MANAGER, call, version_of};
use crate::controller::context::Context;
use crate::controller::converge::{IntentJournal, ObjectMemory};
use crate::controller::object::{self, Key};
use crate::crd::status::{MlopsProjectStatus, Placement};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::OwnerKey;
use crate::domain::seal;
use crate::domain::secret::FingerprintKey;
use crate::metrics::Metrics;

/// Writes one object's status during one reconcile.
pub struct StatusWriter<'a> {
    api: Api<DynamicObject>,
    name: String,
    namespace: String,
    api_version: String,
    uid: Option<String>,
    deleting: bool,
    memory: &'a ObjectMemory,
    metrics: &'a Metrics,
    owner: OwnerKey,
    key: &'a FingerprintKey,
    /// The placement that may be sealed: as this installation sealed it before, or as it passed the check of this reconcile.
    /// `None`: nothing may be sealed, as all there is are somebody else's words.
    vouched: Mutex<Option<Option<Placement>>>,
    /// The status as the server has it, raw and parsed.
    server: Mutex<(Value, MlopsProjectStatus)>,
    writing: tokio::sync::Mutex<()>,
}

impl<'a> StatusWriter<'a> {
    /// For an object as it was watched; what this process wrote after that counts instead.
    pub fn new(context: &'a Context, key: &Key, object: &DynamicObject, memory: &'a ObjectMemory) -> Self {
        let version = version_of(object);
        let raw = match memory.published(version) {
            Some(newer) => newer,
            None => object.data.get("status").cloned().unwrap_or(Value::Null),
        };
        let mut known = object.clone();
        known.data = json!({ "status": raw });
        let status = object::status(&known);
        let (owner, uid) = (key.owner(&context.cluster), object.uid());
        let told = status.placement.is_some() || !status.intents.is_empty();
        let sealed = seal::holds(&context.fingerprints, &owner, uid.as_deref().unwrap_or_default(), &status);
        Self {
            api: context.api(&key.namespace),
            name: object.name_any(),
            namespace: object.namespace().unwrap_or_default(),
            api_version: object.types.as_ref().map_or_else(String::new, |types| types.api_version.clone()),
            uid,
            deleting: object.metadata.deletion_timestamp.is_some(),
            memory,
            metrics: &context.dependencies.metrics,
            owner,
            key: &context.fingerprints,
            vouched: Mutex::new((sealed || !told).then(|| status.placement.clone())),
            server: Mutex::new((raw, status)),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    /// The status as the server has it.
    pub fn status(&self) -> MlopsProjectStatus {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// The placement as the server has it.
    ///
    /// # Errors
    /// It is there and cannot be read: what is wrong with it.
    pub fn placement(&self) -> Result<Option<Placement>, String> {
        object::placement(&self.server.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Whether placement and intents, as the server has them, are as this installation wrote them.
    pub fn sealed(&self) -> bool {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        seal::holds(self.key, &self.owner, self.uid(), &server.1)
    }

    /// Writes down where the resources are, as it was checked against the grants: from here on what is written is sealed.
    ///
    /// # Errors
    /// The Kubernetes API's.
    pub async fn record_placement(&self, placement: &Placement) -> Result<(), ApiError> {
        *self.vouched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Some(placement.clone()));
        let status = self.status();
        if status.placement.as_ref() == Some(placement) && self.sealed() {
            return Ok(());
        }
        self.write(&MlopsProjectStatus { intents: self.memory.intents(), ..status }).await.map(drop)
    }

    fn uid(&self) -> &str {
        self.uid.as_deref().unwrap_or_default()
    }

    /// Applies a status, unless the server has it already. Answers whether it was written.
    ///
    /// # Errors
    /// The Kubernetes API's.
    pub async fn write(&self, status: &MlopsProjectStatus) -> Result<bool, ApiError> {
        let _one_at_a_time = self.writing.lock().await;
        self.apply(status).await
    }

    async fn apply(&self, status: &MlopsProjectStatus) -> Result<bool, ApiError> {
        // A refused or suspended object's placement passed no check, and other writers can add fields to one that did: a
        // seal on what the server says would make somebody's word ours.
        let vouched = self.vouched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut sealed = MlopsProjectStatus { seal: None, ..status.clone() };
        if let Some(placement) = vouched {
            sealed.placement = placement;
            sealed.seal = seal::seal(self.key, &self.owner, self.uid(), &sealed);
        }
        let mut raw = serde_json::to_value(&sealed).map_err(kube::Error::SerdeError)?;
        {
            let server = &self.server.lock().unwrap_or_else(PoisonError::into_inner).0;
            // Where the resources are is never forgotten: a placement that cannot be read stays for a person to mend.
            if let (None, Some(unreadable)) = (&sealed.placement, server.get("placement")) {
                raw["placement"] = unreadable.clone();
            }
            if *server == raw {
                return Ok(false);
            }
        }
        let body = json!({
            "apiVersion": self.api_version, "kind": object::KIND,
            "metadata": {"name": self.name, "namespace": self.namespace}, "status": raw,
        });
        let parameters = PatchParams::apply(MANAGER).force();
        let written = call(self.api.patch_status(&self.name, &parameters, &Patch::Apply(&body))).await?;
        let kept = written.data.get("status").cloned().unwrap_or(Value::Null);
        self.memory.publish(version_of(&written), kept.clone());
        self.memory.written(status.intents.clone());
        self.metrics.status_written();
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = (kept, object::status(&written));
        Ok(true)
    }
}

impl IntentJournal for StatusWriter<'_> {
    async fn persist(&self, memory: &ObjectMemory) -> Result<(), Fault> {
        let _one_at_a_time = self.writing.lock().await;
        let mut status = self.status();
        status.intents = memory.intents();
        let written = self.apply(&status).await;
        written.map(|_| ()).map_err(|error| {
            Fault::new(FaultKind::Unavailable, format!("could not write down what is about to be made: {error}"))
        })
    }

    async fn stands(&self) -> Result<bool, Fault> {
        match call(self.api.get_metadata(&self.name)).await {
            Ok(now) => Ok(now.metadata.uid == self.uid && now.metadata.deletion_timestamp.is_some() == self.deleting),
            Err(error) if error.is_gone() => Ok(false),
            Err(error) => {
                let text = format!("could not see whether the object still stands: {error}");
                Err(Fault::new(FaultKind::Unavailable, text))
            }
        }
    }
}
