//! Whether a deletion is meant for its object. Who deletes the CRD deletes every object of the cluster with it, perhaps
//! without meaning to: then nothing is removed until somebody confirms it for each object. It asks for the CRD's metadata
//! alone, once for each object that is being deleted; what is done with the answer is decided by its callers.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt};

use super::Subject;
use crate::controller::api::{ApiError, traced};
use crate::controller::object::{self, CONFIRM_DELETION};
use crate::crd::status::Reason;
use crate::domain::problem::Problem;
use crate::domain::time::elapsed;

/// By how much an object's deletion must be older than the CRD's to count as asked for by itself: the two times may come
/// from API servers whose clocks differ, in seconds.
const APART: std::time::Duration = std::time::Duration::from_mins(1);

/// What must be confirmed first; `None`: the deletion is meant.
///
/// # Errors
/// The CRD could not be asked for, and that may pass.
pub(super) async fn unconfirmed(subject: &Subject<'_>) -> Result<Option<Problem>, ApiError> {
    let Subject { object, key, context, memory, .. } = subject;
    let confirmed = object::confirmed(object);
    if memory.deletion_is_meant() || confirmed == Ok(true) {
        return Ok(None);
    }
    let resource = context.resource(key.kind());
    let name = format!("{}.{}", resource.plural, resource.group);
    let definitions: Api<CustomResourceDefinition> = Api::all(context.dependencies.client.clone());
    let (reason, message) = match traced("GetMetadata", definitions.get_metadata(&name)).await {
        Ok(definition) if meant(&object.metadata, &definition.metadata) => {
            memory.mean_deletion();
            return Ok(None);
        }
        Ok(_) => {
            let message = format!("the CRD {name} is being deleted, and this object with it: nothing is removed yet");
            (Reason::CrdDeleting, message)
        }
        Err(error) if error.is_forbidden() || error.is_gone() => {
            let message = format!(
                "it cannot be told whether the CRD {name} is being deleted, so nothing is removed yet: {error}"
            );
            (Reason::CrdUnknown, message)
        }
        Err(error) => return Err(error),
    };
    let message = match confirmed {
        Err(ignored) => format!("{message} ({ignored})"),
        Ok(_) => message,
    };
    let uid = object.uid().unwrap_or_default();
    let mut hint = format!(
        "to have everything removed that was made for this object, annotate it with {CONFIRM_DELETION}={uid}; to leave it standing, set spec.deletionPolicy: Retain"
    );
    if reason == Reason::CrdUnknown {
        hint.push_str(
            "; for good, let the operator get that customresourcedefinition, as the chart's ClusterRole does",
        );
    }
    Ok(Some(Problem::new(reason, message, hint)))
}

/// Whether an object's deletion was asked for by itself: the CRD stands, or was deleted later.
fn meant(object: &ObjectMeta, definition: &ObjectMeta) -> bool {
    match (&object.deletion_timestamp, &definition.deletion_timestamp) {
        (_, None) => true,
        (Some(own), Some(whole)) => own.0 < whole.0 && elapsed(own.0, whole.0) >= APART,
        (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn deleted(at: Option<&str>) -> ObjectMeta {
        ObjectMeta { deletion_timestamp: at.map(|at| Time(at.parse().unwrap())), ..ObjectMeta::default() }
    }

    #[test]
    fn a_deletion_is_meant_unless_it_came_with_the_definition() {
        let noon = Some("2026-03-01T12:00:00Z");
        let rows = [
            ("the CRD stands", noon, None, true),
            ("the CRD was deleted an hour later", noon, Some("2026-03-01T13:00:00Z"), true),
            ("a minute later", noon, Some("2026-03-01T12:01:00Z"), true),
            ("less: clocks of servers differ", noon, Some("2026-03-01T12:00:59Z"), false),
            ("in the same second", noon, noon, false),
            ("the CRD was deleted before", noon, Some("2026-03-01T11:00:00Z"), false),
        ];
        for (name, object, definition, expected) in rows {
            assert_eq!(meant(&deleted(object), &deleted(definition)), expected, "{name}");
        }
    }
}
