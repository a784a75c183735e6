//! Publishes what `domain::events` has to announce as Kubernetes events. Nothing here decides what to say.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

use crate::controller::api::call;
use crate::domain::events::EventNote;

/// Longest note and action of an event, in bytes.
const NOTE: usize = 1000;
const ACTION: usize = 120;

/// Publishes events. One that cannot be published is logged and lost: events are a courtesy.
pub async fn publish_events(recorder: &Recorder, about: &ObjectReference, event_notes: Vec<EventNote>) {
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
