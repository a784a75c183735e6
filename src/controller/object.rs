//! An `MlopsProject` or `MlopsPlatform` as it was watched: raw, so that one that does not parse spoils no list. This reads the few
//! fields that the loop needs in any case, each by itself.

use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::core::{DynamicObject, ObjectMeta};
use serde::Deserialize;
use serde_json::Value;

use crate::crd::platform::FolderPolicy;
use crate::crd::project::{DataPolicy, DeletionPolicy};
use crate::crd::status::{MlopsProjectStatus, Placement};
use crate::domain::identity::{OwnerKey, digest};
use crate::metrics::ObjectName;

pub const FINALIZER: &str = "mlops-operator.io/finalizer";
/// Annotation whose change asks for a reconcile at once.
pub const REQUESTED_AT: &str = "mlops-operator.io/reconcile-requested-at";
/// Annotation that lets an object go without proof that its resources are gone; its value must be the object's uid, so
/// that none is let go by a pattern, a copy or a template.
pub const RELEASE: &str = "mlops-operator.io/release";
/// Annotation that confirms the deletion of an object whose CRD is being deleted; its value must be the object's uid, too.
pub const CONFIRM_DELETION: &str = "mlops-operator.io/confirm-deletion";
/// The annotations that are read. One that is not listed here is in no object that a reconcile sees.
const READ: [&str; 3] = [REQUESTED_AT, RELEASE, CONFIRM_DELETION];
/// Bytes of an annotation's value that are kept: more than a time, a uid or a word has.
const LONGEST_ANNOTATION: usize = 256;
/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Platform,
    Project,
}

impl Kind {
    /// As the API and owner keys have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "MlopsPlatform",
            Self::Project => "MlopsProject",
        }
    }

    /// As metrics have it.
    pub fn id(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Project => "project",
        }
    }
}

/// Which object. Clones share the names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<ObjectName>);

impl Deref for Key {
    type Target = ObjectName;

    fn deref(&self) -> &ObjectName {
        &self.0
    }
}

impl Key {
    /// A project in its namespace; of an empty one, a platform, which is in none.
    pub fn new(namespace: &str, name: &str) -> Self {
        let kind = if namespace.is_empty() { Kind::Platform } else { Kind::Project };
        Self(Arc::new(ObjectName { kind: kind.id(), namespace: namespace.into(), name: name.into() }))
    }

    pub fn of_platform(name: &str) -> Self {
        Self::new("", name)
    }

    pub fn of(object: &DynamicObject) -> Self {
        Self::of_metadata(&object.metadata)
    }

    pub fn of_metadata(metadata: &ObjectMeta) -> Self {
        let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
        Self::new(namespace.unwrap_or_default(), name.unwrap_or_default())
    }

    /// The kind of the object.
    pub fn kind(&self) -> Kind {
        if self.namespace.is_empty() { Kind::Platform } else { Kind::Project }
    }

    /// As metrics have it.
    pub fn metric_name(&self) -> Arc<ObjectName> {
        self.0.clone()
    }

    /// As the owner of resources in a cluster of this id.
    pub fn owner(&self, cluster: &str) -> OwnerKey {
        OwnerKey {
            cluster: cluster.to_owned(),
            kind: self.kind().as_str().to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// Leaves of an object what is read. Whoever may write one can hang 256 KiB of annotations on it, and labels and owners
/// without a limit of their own; all objects are held in memory. Nothing of this is ever written back: the finalizer goes
/// on by a patch of that field, and the status by a server-side apply of the status.
pub fn lean(object: &mut DynamicObject) {
    let ObjectMeta { annotations, labels, managed_fields, owner_references, .. } = &mut object.metadata;
    (*labels, *managed_fields, *owner_references) = (None, None, None);
    let Some(annotations) = annotations else { return };
    annotations.retain(|name, _| READ.contains(&name.as_str()));
    for value in annotations.values_mut().filter(|value| value.len() > LONGEST_ANNOTATION) {
        // It still changes where the value does.
        *value = digest(&[value.as_str()]);
    }
}

/// When it was made.
pub fn created(object: &DynamicObject) -> Timestamp {
    object.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// The spec as it stands; null where there is none.
pub fn spec(object: &DynamicObject) -> &Value {
    object.data.get("spec").unwrap_or(&Value::Null)
}

/// The status, each field by itself: one that does not parse counts as absent.
pub fn status(object: &DynamicObject) -> MlopsProjectStatus {
    let Some(raw) = object.data.get("status") else { return MlopsProjectStatus::default() };
    MlopsProjectStatus {
        observed_generation: field(raw, "observedGeneration"),
        conditions: field(raw, "conditions").unwrap_or_default(),
        placement: placement(raw).unwrap_or_default(),
        intents: field(raw, "intents").unwrap_or_default(),
        seal: field(raw, "seal"),
        deletion_policy: field(raw, "deletionPolicy"),
        artifacts: field(raw, "artifacts"),
        catalog: field(raw, "catalog"),
        project: field(raw, "project"),
        jobs: field(raw, "jobs"),
        trigger: field(raw, "trigger"),
    }
}

/// The placement in a raw status.
///
/// # Errors
/// It is there and cannot be read: what is wrong with it.
pub fn placement(status: &Value) -> Result<Option<Placement>, String> {
    match status.get("placement") {
        None | Some(Value::Null) => Ok(None),
        Some(raw) => Placement::deserialize(raw).map(Some).map_err(|error| error.to_string()),
    }
}

fn field<T: serde::de::DeserializeOwned>(raw: &Value, name: &str) -> Option<T> {
    serde_json::from_value(raw.get(name)?.clone()).ok()
}

/// What happens to the resources when the object goes, even if the rest of the spec does not parse; `default` where it
/// does not say. A policy that is given but not understood keeps them: what is deleted cannot be brought back.
pub fn deletion_policy(object: &DynamicObject, default: DeletionPolicy) -> DeletionPolicy {
    match spec(object).get("deletionPolicy") {
        None | Some(Value::Null) => default,
        Some(_) => field(spec(object), "deletionPolicy").unwrap_or(DeletionPolicy::Retain),
    }
}

/// What happens to the data in them, even if the rest of the spec does not parse; `None`: it does not say. A policy that is
/// given but not understood keeps them.
pub fn data_policy(object: &DynamicObject) -> Option<DataPolicy> {
    match spec(object).get("dataPolicy") {
        None | Some(Value::Null) => None,
        Some(_) => Some(field(spec(object), "dataPolicy").unwrap_or_default()),
    }
}

/// What happens to the Jenkins folders that were made for it, even if the rest of the spec does not parse; `None`: its
/// platform is not its own.
pub fn folder_policy(object: &DynamicObject) -> Option<FolderPolicy> {
    spec(object).pointer("/platform/jenkins")?;
    Some(spec_field(object, "/platform/jenkins/folderPolicy").unwrap_or_default())
}

/// A field of the spec by its JSON pointer, even if the rest of the spec does not parse.
pub fn spec_field<T: serde::de::DeserializeOwned>(object: &DynamicObject, pointer: &str) -> Option<T> {
    T::deserialize(spec(object).pointer(pointer)?).ok()
}

/// Whether our finalizer is on it.
pub fn is_finalized(metadata: &ObjectMeta) -> bool {
    metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

/// Whether it was let go: it is being deleted, and waits for somebody else's finalizer.
pub fn is_let_go(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some() && !is_finalized(metadata)
}

/// Whether the annotation [`RELEASE`] asks to let the object go; `Err`: it is there, but with another value than the uid.
///
/// # Errors
/// What is wrong with it, for people.
pub fn released(object: &DynamicObject) -> Result<bool, String> {
    names_itself(object, RELEASE)
}

/// Whether the annotation [`CONFIRM_DELETION`] confirms the deletion; `Err`: it is there, but with another value than the uid.
///
/// # Errors
/// What is wrong with it, for people.
pub fn confirmed(object: &DynamicObject) -> Result<bool, String> {
    names_itself(object, CONFIRM_DELETION)
}

/// Whether an annotation has the object's own uid as its value.
fn names_itself(object: &DynamicObject, annotation: &str) -> Result<bool, String> {
    match (object.annotations().get(annotation), object.uid()) {
        (None, _) => Ok(false),
        (Some(value), Some(uid)) if *value == uid => Ok(true),
        _ => Err(format!("the annotation {annotation} is ignored: its value must be the object's uid")),
    }
}

/// Whether the status, of this process or another, says that all is as the present spec says.
pub fn is_ready(object: &DynamicObject) -> bool {
    let status = status(object);
    let ready = |condition: &Condition| condition.type_ == "Ready" && condition.status == "True";
    status.observed_generation == object.metadata.generation && status.conditions.iter().any(ready)
}

/// Changes when there is a reason to observe everything anew: the spec, a deletion, a request.
pub fn revision(object: &DynamicObject) -> String {
    let requested = object.annotations().get(REQUESTED_AT).map_or("", String::as_str);
    let released = object.annotations().get(RELEASE).map_or("", String::as_str);
    let deleting = object.metadata.deletion_timestamp.is_some();
    format!(
        "{}|{}|{deleting}|{requested}|{released}",
        object.uid().unwrap_or_default(),
        object.metadata.generation.unwrap_or(0)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn of_an_object_only_what_is_read_is_kept() {
        let long = |sign: &str| sign.repeat(200 * 1024);
        let object = |asked: &str| {
            let mut object: DynamicObject = serde_json::from_value(json!({
                "apiVersion": "mlops-operator.io/v1alpha1", "kind": Kind::Project.as_str(),
                "metadata": {
                    "name": "x", "namespace": "n", "uid": "u", "generation": 3, "resourceVersion": "7",
                    "finalizers": ["a/b", FINALIZER], "labels": {"l": long("l")},
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": long("k"), "other": long("o"), REQUESTED_AT: asked, RELEASE: "u"},
                    "managedFields": [{"manager": long("m")}],
                    "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": long("p"), "uid": "p"}],
                },
                "spec": {"projectName": "x"}, "status": {"observedGeneration": 2},
            }))
            .unwrap();
            lean(&mut object);
            object
        };
        let kept = object(&long("r"));
        assert!(serde_json::to_string(&kept).unwrap().len() < 1024);
        assert!(
            is_finalized(&kept.metadata) && kept.finalizers().len() == 2,
            "others' finalizers are written with ours"
        );
        assert_eq!((kept.resource_version().as_deref(), released(&kept)), (Some("7"), Ok(true)));
        assert_eq!((spec(&kept)["projectName"].as_str(), status(&kept).observed_generation), (Some("x"), Some(2)));
        assert_ne!(revision(&kept), revision(&object(&long("s"))), "a long request is a request all the same");
        assert!(revision(&object("2026-03-01")).contains("2026-03-01"));
    }
}
