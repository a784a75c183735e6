//! Publishes what `domain::events` has to announce as Kubernetes events, each with the id of its reconcile. Nothing here decides
//! what to say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Request;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::client::Body;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::{Value, json};

use crate::controller::api::{MANAGER, traced};
use crate::domain::events::EventNote;
use crate::domain::recent::Recent;
use crate::telemetry::spans::ReconcileId;

/// Longest note and action of an event, in bytes.
const NOTE: usize = 1000;
const ACTION: usize = 120;
/// The annotation of an event that names the reconcile which published it, the last one where it is a repeated one.
pub const RECONCILE_ID: &str = "mlops-operator.io/reconcile-id";

/// How many objects' events are remembered at once: beyond that, a repeated one of an object that had none for longest is a new
/// event. The recorder keeps each event as a whole, and looks through all that it has whenever it publishes one.
const REMEMBERED: usize = 128;

/// Publishes events; one per process, since it merges repeated ones.
pub struct Publisher {
    client: Client,
    reporter: Reporter,
    /// By the uids of the objects.
    recorders: Mutex<Recent<String, Recorder>>,
    ids: Ids,
}

/// Which reconcile is publishing, by the uid of its object: an object has one at a time.
#[derive(Clone, Default)]
struct Ids(Arc<Mutex<BTreeMap<String, ReconcileId>>>);

impl Ids {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, ReconcileId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publisher {
    /// Publishes as this instance of the operator.
    pub fn new(client: Client, instance: &str) -> Self {
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(instance.to_owned()) };
        let (ids, namespace) = (Ids::default(), client.default_namespace().to_owned());
        let known = ids.clone();
        // The recorder lets nobody set an annotation, and whatever it lets one set but the note tells events apart, so that
        // repeated ones were not merged: the annotation is set on what it sends.
        let annotating = tower::service_fn(move |request: Request<Body>| {
            let (client, known) = (client.clone(), known.clone());
            async move { client.send(annotated(request, &known).await?).await }
        });
        let client = Client::new(annotating, namespace);
        Self { client, reporter, recorders: Mutex::new(Recent::new(REMEMBERED)), ids }
    }

    /// The recorder of an object, which knows its last events.
    fn recorder(&self, uid: &str) -> Recorder {
        let mut recorders = self.recorders.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = uid.to_owned();
        recorders.get(&uid).unwrap_or_else(|| {
            let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
            recorders.keep(uid, recorder.clone());
            recorder
        })
    }

    /// Publishes events. One that cannot be published is logged and lost: events are a courtesy.
    pub async fn publish(&self, about: &ObjectReference, id: ReconcileId, event_notes: Vec<EventNote>) {
        if event_notes.is_empty() {
            return;
        }
        let uid = about.uid.clone().unwrap_or_default();
        let recorder = self.recorder(&uid);
        self.ids.all().insert(uid.clone(), id);
        for event_note in event_notes {
            let EventNote { warning, reason, note } = event_note;
            let note = cut(&note, NOTE);
            let event = Event {
                type_: if warning { EventType::Warning } else { EventType::Normal },
                reason,
                // The recorder merges events that differ in their note alone, and keeps the first note.
                action: cut(&note, ACTION),
                note: Some(note),
                secondary: None,
            };
            if let Err(error) = traced("PublishEvent", recorder.publish(&event, about)).await {
                tracing::debug!(%error, "an event was lost");
            }
        }
        self.ids.all().remove(&uid);
    }
}

/// The same request for an event with the id of the reconcile that publishes it.
async fn annotated(request: Request<Body>, ids: &Ids) -> kube::Result<Request<Body>> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await?;
    let with_id = || {
        let mut event: Value = serde_json::from_slice(&bytes).ok()?;
        let id = *ids.all().get(event.pointer("/regarding/uid")?.as_str()?)?;
        event["metadata"]["annotations"][RECONCILE_ID] = json!(id.to_string());
        serde_json::to_vec(&event).ok()
    };
    let body = with_id().map_or_else(|| Body::from(bytes.clone()), Body::from);
    Ok(Request::from_parts(parts, body))
}

fn cut(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::{Method, Response};

    use super::*;
    use crate::telemetry::spans::Reconcile;

    type Sent = Arc<Mutex<Vec<(Method, Value)>>>;

    /// A publisher, and what it sends.
    fn publisher() -> (Publisher, Sent) {
        let sent = Sent::default();
        let kept = sent.clone();
        let api = tower::service_fn(move |request: Request<Body>| {
            let kept = kept.clone();
            async move {
                let (parts, body) = request.into_parts();
                let bytes = body.collect_bytes().await?;
                kept.lock().unwrap().push((parts.method, serde_json::from_slice(&bytes).unwrap()));
                Ok::<_, kube::Error>(Response::new(Body::from(bytes)))
            }
        });
        (Publisher::new(Client::new(api, "default"), "operator-0"), sent)
    }

    fn about(name: &str) -> ObjectReference {
        let text = |text: &str| Some(text.to_owned());
        ObjectReference { name: text(name), namespace: text("a"), uid: text(name), ..ObjectReference::default() }
    }

    fn note() -> EventNote {
        EventNote { warning: false, reason: "Suspended".to_owned(), note: "it rests".to_owned() }
    }

    fn id() -> ReconcileId {
        Reconcile::begin("project", "a", "taxi", "u").id
    }

    #[tokio::test]
    async fn a_repeated_event_is_one_object_that_names_the_last_reconcile() {
        let (publisher, sent) = publisher();
        let ids = [(); 2].map(|()| id());
        for id in ids {
            publisher.publish(&about("taxi"), id, vec![note()]).await;
        }
        assert!(publisher.ids.all().is_empty(), "nobody is publishing");
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len(), 2);
        let rows = [(Method::POST, Value::Null), (Method::PATCH, json!(2))];
        for ((got, id), (method, count)) in sent.iter().zip(ids).zip(rows) {
            let (how, event) = got;
            assert_eq!((how, &event["series"]["count"]), (&method, &count));
            assert_eq!(event["metadata"]["annotations"][RECONCILE_ID], id.to_string());
            assert_eq!((&event["note"], &event["action"]), (&json!("it rests"), &json!("it rests")));
        }
    }

    #[tokio::test]
    async fn of_many_objects_only_the_last_ones_are_remembered() {
        let (publisher, sent) = publisher();
        for n in 0..=REMEMBERED {
            publisher.publish(&about(&format!("taxi-{n}")), id(), vec![note()]).await;
        }
        assert_eq!(publisher.recorders.lock().unwrap().len(), REMEMBERED);
        for again in [format!("taxi-{REMEMBERED}"), "taxi-0".to_owned()] {
            publisher.publish(&about(&again), id(), vec![note()]).await;
        }
        let methods: Vec<Method> = sent.lock().unwrap().iter().map(|(method, _)| method.clone()).collect();
        assert_eq!(methods[REMEMBERED + 1..], [Method::PATCH, Method::POST], "what was forgotten is a new event");
    }
}
