//! Which watch events are worth a reconcile: those that change something other than the status, which is our own echo, and
//! those that show the status gone, which is a restored backup or a person.
//! It also notices objects that are gone, so that nothing about them is kept.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::core::DynamicObject;
use kube::runtime::watcher::Event;
use serde_json::{Map, Value};

use crate::controller::object::Key;
use crate::domain::external_resource::digest_of;

/// What an event is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relevance {
    Ignored,
    /// It was not known, and has been there before.
    Found(Key),
    /// It is new, or was changed.
    Changed(Key),
    /// These objects are gone.
    Gone(Vec<Key>),
}

/// What was let through last of each object.
#[derive(Default)]
pub struct EventFilter {
    known: BTreeMap<Key, Known>,
    listed: BTreeSet<Key>,
}

/// What was let through last of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    print: u64,
    has_status: bool,
}

impl EventFilter {
    pub fn evaluate(&mut self, event: &Event<DynamicObject>) -> Relevance {
        match event {
            Event::Init => {
                self.listed.clear();
                Relevance::Ignored
            }
            Event::InitApply(object) => {
                let is_known = self.known.contains_key(&Key::of(object));
                self.listed.insert(Key::of(object));
                match self.changed(object) {
                    Relevance::Changed(key) if !is_known => Relevance::Found(key),
                    relevance => relevance,
                }
            }
            Event::Apply(object) => self.changed(object),
            Event::InitDone => {
                let gone: Vec<_> = self.known.keys().filter(|key| !self.listed.contains(*key)).cloned().collect();
                self.known.retain(|key, _| self.listed.contains(key));
                self.listed.clear();
                if gone.is_empty() { Relevance::Ignored } else { Relevance::Gone(gone) }
            }
            Event::Delete(object) => {
                let key = Key::of(object);
                self.known.remove(&key);
                Relevance::Gone(vec![key])
            }
        }
    }

    /// The key of an object. All that keep it share its names.
    pub fn key_of(&self, object: &DynamicObject) -> Key {
        let key = Key::of(object);
        self.known.get_key_value(&key).map(|(known, _)| known.clone()).unwrap_or(key)
    }

    fn changed(&mut self, object: &DynamicObject) -> Relevance {
        let metadata = &object.metadata;
        let print = digest_of(&(
            (&metadata.uid, metadata.generation, metadata.deletion_timestamp.is_some()),
            (object.labels(), object.annotations(), object.finalizers()),
        ));
        // A status that somebody wiped holds what the CRD has by default, and nothing else.
        let says = |status: &Map<String, Value>| {
            status.iter().any(|(key, value)| key != "observedGeneration" || value.as_i64() != Some(-1))
        };
        let has_status = object.data.get("status").and_then(|status| status.as_object()).is_some_and(says);
        let now = Known { print, has_status };
        let (key, before) = match self.known.entry(Key::of(object)) {
            Entry::Occupied(mut known) => (known.key().clone(), Some(known.insert(now))),
            Entry::Vacant(unknown) => (unknown.insert_entry(now).key().clone(), None),
        };
        match before {
            Some(before) if before.print == now.print && (now.has_status || !before.has_status) => Relevance::Ignored,
            _ => Relevance::Changed(key),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use kube::core::ApiResource;
    use serde_json::json;

    use super::*;

    fn object(name: &str, change: &Value) -> DynamicObject {
        let resource = ApiResource::erase::<crate::crd::MlopsProject>(&());
        let mut object = DynamicObject::new(name, &resource).within("team-a");
        object.metadata.generation = Some(1);
        let mut raw = serde_json::to_value(&object).unwrap();
        let (target, change) = (raw.as_object_mut().unwrap(), change.as_object().unwrap());
        for (field, value) in change {
            match (target.get_mut(field), value) {
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
                _ => drop(target.insert(field.clone(), value.clone())),
            }
        }
        serde_json::from_value(raw).unwrap()
    }

    fn x() -> Key {
        Key::new("team-a", "x")
    }

    fn changed() -> Relevance {
        Relevance::Changed(x())
    }

    #[test]
    fn only_our_own_echo_is_dropped() {
        let cases = [
            ("the same again", json!({}), Relevance::Ignored),
            ("a status", json!({"status": {"observedGeneration": 1}}), Relevance::Ignored),
            ("a resourceVersion", json!({"metadata": {"resourceVersion": "7"}}), Relevance::Ignored),
            ("a new spec", json!({"metadata": {"generation": 2}}), changed()),
            ("a finalizer", json!({"metadata": {"finalizers": ["x"]}}), changed()),
            ("a label", json!({"metadata": {"labels": {"a": "b"}}}), changed()),
            ("a request", json!({"metadata": {"annotations": {"a": "b"}}}), changed()),
            ("a deletion", json!({"metadata": {"deletionTimestamp": "2026-03-01T00:00:00Z"}}), changed()),
            ("another object of that name", json!({"metadata": {"uid": "u2"}}), changed()),
        ];
        for (name, change, worth) in cases {
            let mut filter = EventFilter::default();
            assert_eq!(filter.evaluate(&Event::Apply(object("x", &json!({})))), changed());
            assert_eq!(filter.evaluate(&Event::Apply(object("x", &change))), worth, "{name}");
        }
    }

    #[test]
    fn all_that_keep_the_key_of_an_object_share_its_names() {
        let mut filter = EventFilter::default();
        let Relevance::Changed(first) = filter.evaluate(&Event::Apply(object("x", &json!({})))) else { panic!("new") };
        let later = filter.key_of(&object("x", &json!({"metadata": {"generation": 2}})));
        assert!(std::ptr::eq(&raw const *first, &raw const *later));
        assert_eq!(filter.key_of(&object("y", &json!({}))), Key::new("team-a", "y"), "one that is not known");
    }

    #[test]
    fn a_status_that_was_there_and_is_gone_is_worth_a_reconcile() {
        let mut filter = EventFilter::default();
        let status = json!({"status": {"observedGeneration": 1}});
        filter.evaluate(&Event::Apply(object("x", &status)));
        let wiped = json!({"status": {"observedGeneration": -1}});
        assert_eq!(filter.evaluate(&Event::Apply(object("x", &wiped))), changed(), "the API server's default is there");
        assert_eq!(filter.evaluate(&Event::Apply(object("x", &json!({})))), Relevance::Ignored, "once");
        assert_eq!(filter.evaluate(&Event::Apply(object("x", &status))), Relevance::Ignored, "our own");
    }

    #[test]
    fn what_a_list_brings_for_the_first_time_was_there_before() {
        let mut filter = EventFilter::default();
        assert_eq!(filter.evaluate(&Event::InitApply(object("x", &json!({})))), Relevance::Found(x()));
        filter.evaluate(&Event::InitDone);
        let edited = object("x", &json!({"metadata": {"generation": 2}}));
        assert_eq!(filter.evaluate(&Event::InitApply(edited)), changed(), "a later list has news of it");
        let new = Relevance::Changed(Key::new("team-a", "y"));
        assert_eq!(filter.evaluate(&Event::Apply(object("y", &json!({})))), new, "it is new");
    }

    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let mut filter = EventFilter::default();
        filter.evaluate(&Event::Apply(object("x", &json!({}))));
        filter.evaluate(&Event::Apply(object("y", &json!({}))));
        filter.evaluate(&Event::Init);
        assert_eq!(filter.evaluate(&Event::InitApply(object("y", &json!({})))), Relevance::Ignored);
        let gone = Relevance::Gone(vec![Key::new("team-a", "x")]);
        assert_eq!(filter.evaluate(&Event::InitDone), gone);
        assert_eq!(
            filter.evaluate(&Event::Delete(object("z", &json!({})))),
            Relevance::Gone(vec![Key::new("team-a", "z")])
        );
    }
}
