//! The operator's finalizer: it goes on before the first remote write, and off last. Nothing here decides when.

use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::controller::api::{ApiError, traced};
use crate::controller::object::FINALIZER;

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
    traced("Patch", api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await
}
