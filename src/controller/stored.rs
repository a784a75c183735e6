//! An object as the watch keeps it: its text, and beside it the few fields by which objects are searched. A tree of JSON
//! takes ten times the memory of its text, and all objects of the cluster are kept; one is read again when its turn comes.

use std::borrow::Cow;

use kube::Resource;
use kube::core::{DynamicObject, ObjectMeta, TypeMeta};
use kube::runtime::reflector::Lookup;
use kube::runtime::watcher::Event;

use crate::controller::object::{self, Key, Kind};
use crate::controller::platforms::{made_on, platform_of};
use crate::crd::{MlopsPlatform, MlopsProject};

/// See the module.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The object's metadata, as [`object::lean`] leaves them.
    pub metadata: ObjectMeta,
    /// The platform that it names, and the one that its status says it was made on, if it is a project.
    platform: Option<Box<str>>,
    made_on: Option<Box<str>>,
    /// Whether its status says that all is as the present spec says.
    pub is_ready: bool,
    /// All but the metadata, as JSON.
    text: Box<[u8]>,
}

impl Stored {
    /// For keeping.
    pub fn of(object: &DynamicObject) -> Self {
        Self {
            metadata: object.metadata.clone(),
            platform: platform_of(object).map(Box::from),
            made_on: made_on(object).map(Box::from),
            is_ready: object::is_ready(object),
            // A tree of JSON can always be written.
            text: serde_json::to_vec(&object.data).unwrap_or_default().into_boxed_slice(),
        }
    }

    pub fn key(&self) -> Key {
        Key::of_metadata(&self.metadata)
    }

    /// The object as it was watched.
    pub fn object(&self) -> DynamicObject {
        let types = match self.key().kind() {
            Kind::Platform => TypeMeta::resource::<MlopsPlatform>(),
            Kind::Project => TypeMeta::resource::<MlopsProject>(),
        };
        DynamicObject {
            types: Some(types),
            metadata: self.metadata.clone(),
            data: serde_json::from_slice(&self.text).unwrap_or_default(),
        }
    }

    /// Whether it names a platform.
    pub fn names_a_platform(&self) -> bool {
        self.platform.is_some()
    }

    /// Whether it is of this namespace and names a platform.
    pub fn names_a_platform_in(&self, namespace: &str) -> bool {
        self.metadata.namespace.as_deref() == Some(namespace) && self.names_a_platform()
    }

    /// Whether it is a project that says that it stands on a platform: it names it, or says that its resources were made on it.
    pub fn stands_on(&self, platform: &str) -> bool {
        [&self.platform, &self.made_on].into_iter().flatten().any(|named| **named == *platform)
    }
}

/// What happened, with the object as it is kept.
pub(super) fn stored(event: &Event<DynamicObject>) -> Event<Stored> {
    match event {
        Event::Apply(object) => Event::Apply(Stored::of(object)),
        Event::Delete(object) => Event::Delete(Stored::of(object)),
        Event::InitApply(object) => Event::InitApply(Stored::of(object)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
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
        self.metadata.name.as_deref().map(Cow::Borrowed)
    }

    fn namespace(&self) -> Option<Cow<'_, str>> {
        self.metadata.namespace.as_deref().map(Cow::Borrowed)
    }

    fn resource_version(&self) -> Option<Cow<'_, str>> {
        self.metadata.resource_version.as_deref().map(Cow::Borrowed)
    }

    fn uid(&self) -> Option<Cow<'_, str>> {
        self.metadata.uid.as_deref().map(Cow::Borrowed)
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
        project.metadata.generation = Some(3);
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
        assert!(kept.is_ready && kept.names_a_platform());
        assert!(kept.stands_on("main") && kept.stands_on("old") && !kept.stands_on("other"));
        project.metadata.generation = Some(4);
        assert!(!Stored::of(&project).is_ready, "its spec is newer than its status");
    }
}
