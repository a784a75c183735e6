//! CustomResourceDefinitions as objects, as far as their deletion goes: it takes every object of the kind along, and ends
//! when the last of them has gone. Of the definition itself only its names are kept, which is what its metadata need.

use serde_json::{Value, json};

use super::store::{Address, KindInfo, Kubernetes, Refused, State};

/// The collection of definitions.
pub(super) const PLURAL: &str = "customresourcedefinitions";
/// What keeps a definition that is being deleted until its objects are gone.
pub(super) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// A definition as an object that was made at that moment.
pub(super) fn object(crd: &Value, now: &str) -> Option<Value> {
    let KindInfo { group, plural, kind, .. } = KindInfo::of_crd(crd)?;
    // An id of its own, so that those of all other objects are the same with a definition and without.
    let uid = format!(
        "00000000-0000-4000-8000-{:0>12}",
        hex::encode(&plural.as_bytes()[plural.len().min(5)..plural.len().min(11)])
    );
    Some(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"), "uid": uid, "creationTimestamp": now, "generation": 1},
        "spec": {"group": group, "names": {"plural": plural, "kind": kind}, "scope": crd.pointer("/spec/scope")},
    }))
}

/// The name of such an object.
pub(super) fn name_of(definition: &Value) -> String {
    definition["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn address_of(kind: &KindInfo) -> Address {
    (PLURAL.to_owned(), String::new(), kind.qualified())
}

fn is_going(state: &State, kind: &KindInfo) -> bool {
    let definition = state.objects.get(&address_of(kind));
    definition.is_some_and(|definition| !definition["metadata"]["deletionTimestamp"].is_null())
}

/// Refuses a new object of a kind whose definition is being deleted.
pub(super) fn takes_new(state: &State, kind: &KindInfo, name: &str) -> Result<(), Refused> {
    if !is_going(state, kind) {
        return Ok(());
    }
    let message = format!(
        "{} \"{name}\" is forbidden: create not allowed while custom resource definition is terminating",
        kind.qualified()
    );
    Err(Refused::new(403, "Forbidden", message))
}

impl Kubernetes {
    /// Deletes every object of a definition, as the finalizing controller does in its own time.
    pub(super) fn delete_instances(&self, definition: &Value) {
        let Some(plural) = definition.pointer("/spec/names/plural").and_then(Value::as_str) else { return };
        let all: Vec<Address> = self.state().objects.keys().filter(|(found, _, _)| found == plural).cloned().collect();
        for (plural, namespace, name) in &all {
            // One that is gone already needs no deletion.
            let _ = self.delete(plural, namespace, name);
        }
        self.finish_definition(&mut self.state(), plural);
    }

    /// Lets a definition go that is being deleted, once no object of its kind is left.
    pub(super) fn finish_definition(&self, state: &mut State, plural: &str) {
        let Some(kind) = self.kinds.iter().find(|kind| kind.plural == plural && kind.schema.is_some()) else { return };
        if !is_going(state, kind) || state.objects.keys().any(|(found, _, _)| found == plural) {
            return;
        }
        let address = address_of(kind);
        if let Some(definition) = state.objects.get(&address).cloned() {
            self.remove(state, &address, definition);
        }
    }
}
