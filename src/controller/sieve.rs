//! Which watch events are worth a pass: those that change something other than the status, which is our own echo, and
//! those that show the status gone, which is a restored backup or a person.
//! It also notices objects that are gone, so that nothing about them is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use kube::ResourceExt;
use kube::core::DynamicObject;
use kube::runtime::watcher::Event;

use crate::controller::object::Key;

/// What an event is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Nothing.
    Nothing,
    /// A pass.
    Pass,
    /// These objects are gone.
    Gone(Vec<Key>),
}

/// What was let through last of each object.
#[derive(Default)]
pub struct Sieve {
    known: BTreeMap<Key, Known>,
    listed: BTreeSet<Key>,
}

/// What was let through last of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    print: u64,
    has_status: bool,
}

impl Sieve {
    /// Judges one event.
    pub fn judge(&mut self, event: &Event<DynamicObject>) -> Worth {
        match event {
            Event::Init => {
                self.listed.clear();
                Worth::Nothing
            }
            Event::InitApply(object) => {
                self.listed.insert(Key::of(object));
                self.changed(object)
            }
            Event::Apply(object) => self.changed(object),
            Event::InitDone => {
                let gone: Vec<_> = self.known.keys().filter(|key| !self.listed.contains(*key)).cloned().collect();
                self.known.retain(|key, _| self.listed.contains(key));
                self.listed.clear();
                if gone.is_empty() { Worth::Nothing } else { Worth::Gone(gone) }
            }
            Event::Delete(object) => {
                let key = Key::of(object);
                self.known.remove(&key);
                Worth::Gone(vec![key])
            }
        }
    }

    fn changed(&mut self, object: &DynamicObject) -> Worth {
        let mut hasher = DefaultHasher::new();
        let metadata = &object.metadata;
        (&metadata.uid, metadata.generation, metadata.deletion_timestamp.is_some()).hash(&mut hasher);
        (object.labels(), object.annotations(), object.finalizers()).hash(&mut hasher);
        let has_status =
            object.data.get("status").and_then(|status| status.as_object()).is_some_and(|status| !status.is_empty());
        let now = Known { print: hasher.finish(), has_status };
        match self.known.insert(Key::of(object), now) {
            Some(before) if before.print == now.print && (now.has_status || !before.has_status) => Worth::Nothing,
            _ => Worth::Pass,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use kube::core::ApiResource;
    use serde_json::{Value, json};

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

    #[test]
    fn only_our_own_echo_is_dropped() {
        let cases = [
            ("the same again", json!({}), Worth::Nothing),
            ("a status", json!({"status": {"observedGeneration": 1}}), Worth::Nothing),
            ("a resourceVersion", json!({"metadata": {"resourceVersion": "7"}}), Worth::Nothing),
            ("a new spec", json!({"metadata": {"generation": 2}}), Worth::Pass),
            ("a finalizer", json!({"metadata": {"finalizers": ["x"]}}), Worth::Pass),
            ("a label", json!({"metadata": {"labels": {"a": "b"}}}), Worth::Pass),
            ("a request", json!({"metadata": {"annotations": {"a": "b"}}}), Worth::Pass),
            ("a deletion", json!({"metadata": {"deletionTimestamp": "2026-03-01T00:00:00Z"}}), Worth::Pass),
            ("another object of that name", json!({"metadata": {"uid": "u2"}}), Worth::Pass),
        ];
        for (name, change, worth) in cases {
            let mut sieve = Sieve::default();
            assert_eq!(sieve.judge(&Event::Apply(object("x", &json!({})))), Worth::Pass);
            assert_eq!(sieve.judge(&Event::Apply(object("x", &change))), worth, "{name}");
        }
    }

    #[test]
    fn a_status_that_was_there_and_is_gone_is_worth_a_pass() {
        let mut sieve = Sieve::default();
        let status = json!({"status": {"observedGeneration": 1}});
        sieve.judge(&Event::Apply(object("x", &status)));
        assert_eq!(sieve.judge(&Event::Apply(object("x", &json!({"status": {}})))), Worth::Pass);
        assert_eq!(sieve.judge(&Event::Apply(object("x", &json!({})))), Worth::Nothing, "once");
        assert_eq!(sieve.judge(&Event::Apply(object("x", &status))), Worth::Nothing, "our own");
    }

    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let mut sieve = Sieve::default();
        sieve.judge(&Event::Apply(object("x", &json!({}))));
        sieve.judge(&Event::Apply(object("y", &json!({}))));
        sieve.judge(&Event::Init);
        assert_eq!(sieve.judge(&Event::InitApply(object("y", &json!({})))), Worth::Nothing);
        let gone = Worth::Gone(vec![Key { namespace: "team-a".into(), name: "x".into() }]);
        assert_eq!(sieve.judge(&Event::InitDone), gone);
        assert_eq!(
            sieve.judge(&Event::Delete(object("z", &json!({})))),
            Worth::Gone(vec![Key { namespace: "team-a".into(), name: "z".into() }])
        );
    }
}
