//! What is written to the object: its status, by server-side apply of the complete owned set and only when it
//! differs from what the server has; its finalizer; events. Nothing here decides what to say.

use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::controller::drive::IntentJournal;
use crate::controller::ledger::Ledger;
use crate::controller::object::{self, FINALIZER};
use crate::crd::status::MlopsProjectStatus;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::report::Announcement;
use crate::metrics::Metrics;

/// The operator's name as a field manager and as a reporter of events.
pub const MANAGER: &str = "mlops-operator";
/// How long a call of the Kubernetes API may take.
pub const KUBERNETES_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
/// Longest note and action of an event, in bytes.
const NOTE: usize = 1000;
const ACTION: usize = 120;

/// A call of the Kubernetes API that failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server refused, or could not be reached.
    #[error("Kubernetes: {0}")]
    Kube(#[from] kube::Error),
    /// It did not answer in time.
    #[error("Kubernetes: no answer within {} s", KUBERNETES_TIMEOUT.as_secs())]
    Silent,
}

impl ApiError {
    /// Whether what is known of the object is not the latest.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.is_conflict())
    }

    /// Whether the object is not there any more.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.is_not_found())
    }
}

/// One call within its time.
///
/// # Errors
/// The call's own, or [`ApiError::Silent`].
pub async fn call<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(KUBERNETES_TIMEOUT, request).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ApiError::Silent),
    }
}

/// Writes one object's status during one pass.
pub struct Publisher<'a> {
    api: Api<DynamicObject>,
    name: String,
    namespace: String,
    api_version: String,
    uid: Option<String>,
    deleting: bool,
    ledger: &'a Ledger,
    metrics: &'a Metrics,
    /// The status as the server has it, raw and parsed.
    server: Mutex<(Value, MlopsProjectStatus)>,
    writing: tokio::sync::Mutex<()>,
}

impl<'a> Publisher<'a> {
    /// For an object as it was watched; what this process wrote after that counts instead.
    pub fn new(api: Api<DynamicObject>, object: &DynamicObject, ledger: &'a Ledger, metrics: &'a Metrics) -> Self {
        let version = version_of(object);
        let raw = match ledger.published(version) {
            Some(newer) => newer,
            None => object.data.get("status").cloned().unwrap_or(Value::Null),
        };
        let mut known = object.clone();
        known.data = json!({ "status": raw });
        Self {
            api,
            name: object.name_any(),
            namespace: object.namespace().unwrap_or_default(),
            api_version: object.types.as_ref().map_or_else(String::new, |types| types.api_version.clone()),
            uid: object.uid(),
            deleting: object.metadata.deletion_timestamp.is_some(),
            ledger,
            metrics,
            server: Mutex::new((raw, object::status(&known))),
            writing: tokio::sync::Mutex::new(()),
        }
    }

    /// The status as the server has it.
    pub fn status(&self) -> MlopsProjectStatus {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
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
        let raw = serde_json::to_value(status).map_err(kube::Error::SerdeError)?;
        if self.server.lock().unwrap_or_else(PoisonError::into_inner).0 == raw {
            return Ok(false);
        }
        let body = json!({
            "apiVersion": self.api_version, "kind": object::KIND,
            "metadata": {"name": self.name, "namespace": self.namespace}, "status": raw,
        });
        let parameters = PatchParams::apply(MANAGER).force();
        let written = call(self.api.patch_status(&self.name, &parameters, &Patch::Apply(&body))).await?;
        let kept = written.data.get("status").cloned().unwrap_or(Value::Null);
        self.ledger.publish(version_of(&written), kept.clone());
        self.ledger.written(status.intents.clone());
        self.metrics.status_written();
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = (kept, object::status(&written));
        Ok(true)
    }
}

impl IntentJournal for Publisher<'_> {
    async fn persist(&self, ledger: &Ledger) -> Result<(), Fault> {
        let _one_at_a_time = self.writing.lock().await;
        let mut status = self.status();
        status.intents = ledger.intents();
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

/// The server's version of an object. Versions are numbers that grow.
pub fn version_of(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Adds or removes our finalizer, and nothing else: the resourceVersion makes a concurrent change a conflict.
///
/// # Errors
/// The Kubernetes API's; a conflict is one, and the next event brings the object back.
pub async fn set_finalizer(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    wanted: bool,
) -> Result<DynamicObject, ApiError> {
    let mut finalizers: Vec<String> = object.finalizers().iter().filter(|name| *name != FINALIZER).cloned().collect();
    if wanted {
        finalizers.push(FINALIZER.to_owned());
    }
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
    call(api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await
}

/// Publishes events. One that cannot be published is logged and lost: events are a courtesy.
pub async fn announce(recorder: &Recorder, about: &ObjectReference, announcements: Vec<Announcement>) {
    for announcement in announcements {
        let Announcement { warning, reason, note } = announcement;
        let note = cut(&note, NOTE);
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason,
            // The recorder merges events that differ in their note alone, and keeps the first note.
            action: cut(&note, ACTION),
            note: Some(note),
            secondary: None,
        };
        if let Err(error) = call(recorder_publish(recorder, &event, about)).await {
            tracing::debug!(%error, "an event was lost");
        }
    }
}

async fn recorder_publish(recorder: &Recorder, event: &Event, about: &ObjectReference) -> kube::Result<()> {
    recorder.publish(event, about).await
}

fn cut(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
