//! An object as the watch keeps it: its text, packed, and beside it the few fields by which objects are searched. All objects
//! of the cluster are kept, and a tree of JSON takes thirty times the memory; one is read again when its turn comes.

use std::borrow::Cow;

use jiff::Timestamp;
use kube::Resource;
use kube::core::{DynamicObject, TypeMeta};
use kube::runtime::reflector::Lookup;
use kube::runtime::watcher::Event;
use serde_json::Value;

use crate::controller::object::{self, Key, Kind};
use crate::controller::packed::{Packed, Packer};
use crate::controller::platforms::{made_on, platform_of};
use crate::controller::scheduler::Places;
use crate::crd::{MlopsPlatform, MlopsProject};

/// See the module.
#[derive(Clone, Debug)]
pub struct Stored {
    key: Key,
    uid: Option<Box<str>>,
    resource_version: Option<Box<str>>,
    created: Option<Timestamp>,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// Whether it is being deleted.
    pub is_being_deleted: bool,
    /// Whether our finalizer is on it.
    pub is_finalized: bool,
    /// Whether its status says that all is as the present spec says.
    pub is_ready: bool,
    /// The platform that it names, and the one that its status says it was made on, if that is another one.
    pub(super) platform: Option<Box<str>>,
    made_on: Option<Box<str>>,
    /// AWS account and region, and Jenkins, as its spec says; none where its platform does.
    pub(super) places: Places,
    /// All of it, as [`object::lean`] leaves it: JSON.
    text: Packed,
}

impl Stored {
    /// One object, for keeping.
    pub fn of(object: &DynamicObject) -> Self {
        Keeper::default().stored(object, Key::of(object))
    }

    pub fn key(&self) -> Key {
        self.key.clone()
    }

    /// The object as it was watched.
    pub fn object(&self) -> DynamicObject {
        let types = match self.key.kind() {
            Kind::Platform => TypeMeta::resource::<MlopsPlatform>(),
            Kind::Project => TypeMeta::resource::<MlopsProject>(),
        };
        // What was made of a tree of JSON can be read again.
        let object: Option<DynamicObject> = serde_json::from_slice(&self.text.unpack()).ok();
        let (metadata, data) = object.map_or_else(Default::default, |object| (object.metadata, object.data));
        DynamicObject { types: Some(types), metadata, data }
    }

    /// Whether it is another object of the namespace of this one.
    pub fn is_beside(&self, key: &Key) -> bool {
        self.key.namespace == key.namespace && self.key.name != key.name
    }

    /// Whether it was let go: see [`object::is_let_go`].
    pub fn is_let_go(&self) -> bool {
        self.is_being_deleted && !self.is_finalized
    }

    /// What the older of two objects of a namespace has less of: times are whole seconds.
    pub fn age(&self) -> (Option<Timestamp>, &str) {
        (self.created, &self.key.name)
    }

    /// Whether it names a platform.
    pub fn names_a_platform(&self) -> bool {
        self.platform.is_some()
    }

    /// Whether it is of this namespace and names a platform.
    pub fn names_a_platform_in(&self, namespace: &str) -> bool {
        self.key.namespace == namespace && self.names_a_platform()
    }

    /// Whether it is a project that says that it stands on a platform: it names it, or says that its resources were made on it.
    pub fn stands_on(&self, platform: &str) -> bool {
        [&self.platform, &self.made_on].into_iter().flatten().any(|named| **named == *platform)
    }
}

/// Makes objects into what is kept of them.
#[derive(Default)]
pub(super) struct Keeper(Packer);

impl Keeper {
    /// What happened, with the object as it is kept, by the key that `key_of` gives.
    pub(super) fn keep(
        &mut self,
        event: &Event<DynamicObject>,
        key_of: impl Fn(&DynamicObject) -> Key,
    ) -> Event<Stored> {
        match event {
            Event::Apply(object) => Event::Apply(self.stored(object, key_of(object))),
            Event::Delete(object) => Event::Delete(self.stored(object, key_of(object))),
            Event::InitApply(object) => Event::InitApply(self.stored(object, key_of(object))),
            Event::Init => Event::Init,
            Event::InitDone => Event::InitDone,
        }
    }

    fn stored(&mut self, object: &DynamicObject, key: Key) -> Stored {
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let metadata = &object.metadata;
        let (platform, is_ready) = (platform_of(object), object::is_ready(object));
        Stored {
            key,
            uid: text(&metadata.uid),
            resource_version: text(&metadata.resource_version),
            created: metadata.creation_timestamp.as_ref().map(|time| time.0),
            generation: metadata.generation,
            is_being_deleted: metadata.deletion_timestamp.is_some(),
            is_finalized: object::is_finalized(metadata),
            is_ready,
            platform: platform.map(Box::from),
            made_on: made_on(object).filter(|made_on| Some(*made_on) != platform).map(Box::from),
            places: if platform.is_some() { Places::default() } else { places(object::spec(object)) },
            // A tree of JSON can always be written.
            text: self.0.pack(serde_json::to_vec(object).unwrap_or_default(), is_ready),
        }
    }
}

/// The places that a spec with a platform of its own names, or a platform's.
fn places(spec: &Value) -> Places {
    let settings = spec.get("platform").unwrap_or(spec);
    let text = |path: &str| settings.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    Places::from([format!("{} {}", text("/aws/accountId"), text("/aws/region")), text("/jenkins/url")])
}

impl Lookup for Stored {
    type DynamicType = Kind;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.as_str().into()
    }

    fn version(_: &Kind) -> Cow<'_, str> {
        <MlopsProject as Resource>::version(&())
    }

    fn group(_: &Kind) -> Cow<'_, str> {
        <MlopsProject as Resource>::group(&())
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        match kind {
            Kind::Platform => <MlopsPlatform as Resource>::plural(&()),
            Kind::Project => <MlopsProject as Resource>::plural(&()),
        }
    }

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.key.name))
    }

    fn namespace(&self) -> Option<Cow<'_, str>> {
        (!self.key.namespace.is_empty()).then(|| Cow::Borrowed(self.key.namespace.as_str()))
    }

    fn resource_version(&self) -> Option<Cow<'_, str>> {
        self.resource_version.as_deref().map(Cow::Borrowed)
    }

    fn uid(&self) -> Option<Cow<'_, str>> {
        self.uid.as_deref().map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kube::core::ApiResource;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_again_as_it_was_watched() {
        let mut project = DynamicObject::new("fares", &ApiResource::erase::<MlopsProject>(&())).within("ml-team");
        project.metadata = serde_json::from_value(json!({
            "name": "fares", "namespace": "ml-team", "uid": "0f0e", "resourceVersion": "7", "generation": 3,
            "creationTimestamp": "2026-03-01T08:00:00Z", "deletionTimestamp": "2026-03-01T10:00:00Z",
            "deletionGracePeriodSeconds": 0, "finalizers": ["a/b", object::FINALIZER],
            "annotations": {object::RELEASE: "0f0e"},
        }))
        .unwrap();
        project.data = json!({
            "spec": {"platformRef": {"name": "main"}, "description": "Fares"},
            "status": {
                "observedGeneration": 3, "placement": {"platform": "old"},
                "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-03-01T09:00:00Z"}],
            },
        });
        let kept = Stored::of(&project);
        assert_eq!(serde_json::to_value(kept.object()).unwrap(), serde_json::to_value(&project).unwrap());
        assert_eq!(kept.key(), Key::of(&project));
        assert!(kept.is_ready && kept.names_a_platform() && kept.is_being_deleted && kept.is_finalized);
        assert!(kept.places.is_empty(), "its platform says where it is");
        assert!(kept.stands_on("main") && kept.stands_on("old") && !kept.stands_on("other"));
        project.metadata.generation = Some(4);
        assert!(!Stored::of(&project).is_ready, "its spec is newer than its status");
    }

    #[test]
    fn a_platform_says_where_it_is_as_does_a_project_with_one_of_its_own() {
        let platform = json!({"aws": {"accountId": "111122223333", "region": "eu-west-1"}, "jenkins": {"url": "https://ci.example.com"}});
        let places = ["111122223333 eu-west-1", "https://ci.example.com"];
        let mut object = DynamicObject::new("main", &ApiResource::erase::<MlopsPlatform>(&()));
        object.data = json!({"spec": platform});
        assert_eq!(*Stored::of(&object).places, places);
        assert_eq!((Stored::of(&object).namespace(), Stored::of(&object).key()), (None, Key::of_platform("main")));
        let mut object = DynamicObject::new("fares", &ApiResource::erase::<MlopsProject>(&())).within("ml-team");
        object.data = json!({"spec": {"platform": platform}});
        assert_eq!(*Stored::of(&object).places, places);
    }
}
