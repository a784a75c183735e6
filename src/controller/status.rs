//! What is written to an object's status: by server-side apply of the complete owned set, and only when it differs from
//! what the server has. Nothing here decides what to say.

use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::controller::api::{ApiError, MANAGER, traced, version_of};
use crate::controller::context::Context;
use crate::controller::converge::{IntentJournal, ObjectMemory};
use crate::controller::object::{self, Key};
use crate::controller::platforms::platform_of;
use crate::controller::shard::Owner;
use crate::crd::status::{MlopsProjectStatus, Placement};
use crate::domain::conditions::first_conditions;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::OwnerKey;
use crate::domain::seal;
use crate::domain::secret::FingerprintKey;
use crate::metrics::Metrics;

/// How often a status is made anew of what somebody else has written, before the whole reconcile is.
const TRIES: u32 = 5;

/// Writes one object's status during one reconcile.
pub struct StatusWriter<'a> {
    context: &'a Context,
    api: Api<DynamicObject>,
    /// The platform that it names, if it is a project that names one.
    platform: Option<String>,
    name: String,
    namespace: String,
    api_version: String,
    uid: Option<String>,
    generation: i64,
    deleting: bool,
    memory: &'a ObjectMemory,
    metrics: &'a Metrics,
    owner: OwnerKey,
    key: &'a FingerprintKey,
    /// The placement that may be sealed: as this installation sealed it before, or as it passed the check of this reconcile.
    /// `None`: nothing may be sealed, as all there is are somebody else's words.
    vouched: Mutex<Option<Option<Placement>>>,
    /// The status as the server has it.
    server: Mutex<Served>,
    writing: tokio::sync::Mutex<()>,
}

/// A status as the server had it at some version of the object.
struct Served {
    version: u64,
    raw: Value,
    status: MlopsProjectStatus,
}

impl Served {
    fn of(object: &DynamicObject) -> Self {
        let raw = object.data.get("status").cloned().unwrap_or(Value::Null);
        Self { version: version_of(object), raw, status: object::status(object) }
    }
}

impl<'a> StatusWriter<'a> {
    /// For an object that has all that this process wrote.
    pub fn new(context: &'a Context, key: &Key, object: &DynamicObject, memory: &'a ObjectMemory) -> Self {
        let server = Served::of(object);
        let status = &server.status;
        let (owner, uid) = (key.owner(&context.cluster), object.uid());
        let told = status.placement.is_some() || !status.intents.is_empty();
        let sealed = seal::holds(&context.fingerprints, &owner, uid.as_deref().unwrap_or_default(), status);
        Self {
            context,
            api: context.api(key),
            platform: platform_of(object).map(str::to_owned),
            name: object.name_any(),
            namespace: object.namespace().unwrap_or_default(),
            api_version: object.types.as_ref().map_or_else(String::new, |types| types.api_version.clone()),
            uid,
            generation: object.metadata.generation.unwrap_or(0),
            deleting: object.metadata.deletion_timestamp.is_some(),
            memory,
            metrics: &context.dependencies.metrics,
            owner,
            key: &context.fingerprints,
            vouched: Mutex::new((sealed || !told).then(|| status.placement.clone())),
            server: Mutex::new(server),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    /// The status as the server has it.
    pub fn status(&self) -> MlopsProjectStatus {
        self.served().status.clone()
    }

    /// The placement as the server has it.
    ///
    /// # Errors
    /// It is there and cannot be read: what is wrong with it.
    pub fn placement(&self) -> Result<Option<Placement>, String> {
        object::placement(&self.served().raw)
    }

    /// Whether placement and intents, as the server has them, are as this installation wrote them.
    pub fn sealed(&self) -> bool {
        seal::holds(self.key, &self.owner, self.uid(), &self.served().status)
    }

    fn served(&self) -> MutexGuard<'_, Served> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
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
        // The finalizer has just changed the object, and this comes before anything else is said of it. Who watches must not
        // take a status without conditions for one that is finished.
        let _one_at_a_time = self.writing.lock().await;
        let mut first = MlopsProjectStatus { intents: self.memory.intents(), ..status };
        if first.conditions.is_empty() {
            first.observed_generation = Some(self.generation);
            first.conditions = first_conditions(self.generation, self.context.dependencies.clock.now());
        }
        self.apply(&first, None).await.map(drop)
    }

    fn uid(&self) -> &str {
        self.uid.as_deref().unwrap_or_default()
    }

    /// Applies what is made of the status as the server has it. Where somebody has changed the object since, a user its spec or
    /// another operator that still believes to lead its status, it is made anew of what is there now: nothing that was not
    /// decided here is taken back. Answers what was made.
    ///
    /// # Errors
    /// The Kubernetes API's.
    pub async fn update<T>(
        &self,
        make: impl Fn(&MlopsProjectStatus) -> (MlopsProjectStatus, T),
    ) -> Result<(MlopsProjectStatus, T), ApiError> {
        let _one_at_a_time = self.writing.lock().await;
        let mut tries = 0;
        loop {
            let (before, version) = {
                let served = self.served();
                (served.status.clone(), served.version)
            };
            let made = make(&before);
            tries += 1;
            match self.apply(&made.0, Some(version)).await {
                Err(error) if error.is_conflict() && tries < TRIES && self.reread().await? => {}
                written => return written.map(|_| made),
            }
        }
    }

    /// Applies a status, unless the server has it already; with a version, only if the object still has that.
    async fn apply(&self, status: &MlopsProjectStatus, version: Option<u64>) -> Result<bool, ApiError> {
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
            let server = &self.served().raw;
            // Where the resources are is never forgotten: a placement that cannot be read stays for a person to mend.
            if let (None, Some(unreadable)) = (&sealed.placement, server.get("placement")) {
                raw["placement"] = unreadable.clone();
            }
            if *server == raw {
                return Ok(false);
            }
        }
        let mut body = json!({
            "apiVersion": self.api_version, "kind": self.owner.kind,
            "metadata": {"name": self.name}, "status": raw,
        });
        if !self.namespace.is_empty() {
            body["metadata"]["namespace"] = json!(self.namespace);
        }
        if let Some(version) = version {
            body["metadata"]["resourceVersion"] = json!(version.to_string());
        }
        let parameters = PatchParams::apply(MANAGER).force();
        let written =
            traced("PatchStatus", self.api.patch_status(&self.name, &parameters, &Patch::Apply(&body))).await?;
        let served = Served::of(&written);
        self.memory.publish(served.version);
        self.memory.written(&status.intents);
        self.metrics.status_written();
        *self.served() = served;
        Ok(true)
    }

    /// Takes the status as the server has it now, unless another object has come in the place of this one.
    async fn reread(&self) -> Result<bool, ApiError> {
        let live = traced("Get", self.api.get(&self.name)).await?;
        let same = live.uid() == self.uid;
        if same {
            *self.served() = Served::of(&live);
        }
        Ok(same)
    }
}

impl IntentJournal for StatusWriter<'_> {
    async fn persist(&self, memory: &ObjectMemory) -> Result<(), Fault> {
        let announced =
            |before: &MlopsProjectStatus| (MlopsProjectStatus { intents: memory.intents(), ..before.clone() }, ());
        self.update(announced).await.map(drop).map_err(|error| {
            Fault::new(FaultKind::Unavailable, format!("could not write down what is about to be made: {error}"))
        })
    }

    async fn stands(&self) -> Result<bool, Fault> {
        match traced("GetMetadata", self.api.get_metadata(&self.name)).await {
            Ok(now) => {
                let same = now.metadata.uid == self.uid && now.metadata.deletion_timestamp.is_some() == self.deleting;
                let labels = now.metadata.labels.unwrap_or_default();
                Ok(same && self.context.owns(&labels, self.platform.as_deref()) == Owner::Ours)
            }
            Err(error) if error.is_gone() => Ok(false),
            Err(error) => {
                let text = format!("could not see whether the object still stands: {error}");
                Err(Fault::new(FaultKind::Unavailable, text))
            }
        }
    }
}
