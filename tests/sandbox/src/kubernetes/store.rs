//! The objects, what happened to them, and the rules by which a write changes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{admit, definition, schema};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::sandbox::Onlooker;
use crate::world::Ids;

/// What kind of objects a collection holds.
#[derive(Clone, Debug)]
pub struct KindInfo {
    /// API group; empty: the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Collection name in URLs.
    pub plural: String,
    /// Kind.
    pub kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// The schema of a custom resource: prunes and fills in defaults.
    pub schema: Option<Value>,
}

impl KindInfo {
    fn built_in(group: &str, plural: &str, kind: &str, namespaced: bool) -> Self {
        let [group, plural, kind] = [group, plural, kind].map(str::to_owned);
        Self { group, version: "v1".to_owned(), plural, kind, namespaced, schema: None }
    }

    /// The kind that a CRD describes, in its stored version.
    pub fn of_crd(crd: &Value) -> Option<Self> {
        let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let versions = crd.pointer("/spec/versions")?.as_array()?;
        let stored = versions.iter().find(|version| version["storage"] == true)?;
        Some(Self {
            group: text("/spec/group")?,
            version: stored["name"].as_str()?.to_owned(),
            plural: text("/spec/names/plural")?,
            kind: text("/spec/names/kind")?,
            namespaced: text("/spec/scope")? == "Namespaced",
            schema: stored.pointer("/schema/openAPIV3Schema").cloned(),
        })
    }

    /// `group/version`, or `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The collection as sentences name it: `secrets`, `mlopsprojects.mlops-operator.io`.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The kind as sentences name it: `Secret`, `MlopsProject.mlops-operator.io`.
    pub(super) fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// Absence of an object of this kind.
    pub(super) fn missing(&self, name: &str) -> Refused {
        Refused::new(404, "NotFound", format!("{} \"{name}\" not found", self.qualified()))
    }
}

/// Plural, namespace, name.
pub(super) type Address = (String, String, String);

/// Nothing happened: an old state of an object is told once more.
pub(super) const ECHO: &str = "ECHO";

/// Something that happened to an object.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) version: u64,
    pub(super) address: Address,
    pub(super) what: &'static str,
    pub(super) object: Value,
    pub(super) at: Timestamp,
}

#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) compacted: u64,
    pub(super) objects: BTreeMap<Address, Value>,
    pub(super) applied: BTreeMap<(Address, String), Value>,
    pub(super) log: Vec<Happened>,
    pub(super) calls: Vec<String>,
    pub(super) ids: Ids,
    /// Users beside the operator's own who may do its work.
    pub(super) operators: BTreeSet<String>,
}

/// A refusal, as the API server words it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// `NotFound`, `Conflict`, …; empty: the server gives none.
    pub reason: &'static str,
    /// The sentence.
    pub message: String,
}

impl Refused {
    pub(super) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    /// No such collection.
    pub(super) fn nothing_there() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// No such API: the one refusal that is plain text.
    pub(super) fn no_such_page() -> Self {
        Self::new(404, "", "404 page not found\n")
    }

    /// As a `Status` object, or as text.
    pub fn body(&self) -> Value {
        if *self == Self::no_such_page() {
            return json!(self.message);
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.status,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        status
    }
}

/// The API: cloning it shares it, [`Kubernetes::fork`] copies it.
#[derive(Clone)]
pub struct Kubernetes {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) kinds: Arc<Vec<KindInfo>>,
    pub(super) clock: Clock,
    pub(super) faults: Arc<Mutex<Faults>>,
    pub(super) onlooker: Arc<Mutex<Option<Onlooker>>>,
    pub(super) watch_lag: Arc<Mutex<Duration>>,
}

impl Kubernetes {
    /// An API with the namespaces `default` and `kube-system`, and the kinds of these CRDs.
    pub fn new(clock: Clock, crds: &[Value]) -> Self {
        let mut kinds = vec![
            KindInfo::built_in("", "namespaces", "Namespace", false),
            KindInfo::built_in("", "secrets", "Secret", true),
            KindInfo::built_in("", "configmaps", "ConfigMap", true),
            KindInfo::built_in("events.k8s.io", "events", "Event", true),
            KindInfo::built_in("coordination.k8s.io", "leases", "Lease", true),
            KindInfo::built_in("apiextensions.k8s.io", definition::PLURAL, "CustomResourceDefinition", false),
        ];
        kinds.extend(crds.iter().filter_map(KindInfo::of_crd));
        let (changed, kinds) = (watch::channel(0).0, Arc::new(kinds));
        let (state, faults, onlooker, watch_lag) = Default::default();
        let api = Self { state, changed, kinds, clock, faults, onlooker, watch_lag };
        for name in ["default", "kube-system"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            // Nothing is there yet that it could collide with.
            let _ = api.create("namespaces", "", namespace);
        }
        for definition in crds.iter().filter_map(|crd| definition::object(crd, &api.seconds())) {
            let address = (definition::PLURAL.to_owned(), String::new(), definition::name_of(&definition));
            api.store(&mut api.state(), address, definition, "ADDED");
        }
        api
    }

    /// A copy that goes its own way, at the same moment in time, without faults.
    pub fn fork(&self) -> Self {
        let state = self.state().clone();
        let version = state.version;
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: watch::channel(version).0,
            kinds: self.kinds.clone(),
            clock: self.clock,
            faults: Arc::default(),
            onlooker: Arc::default(),
            watch_lag: Arc::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn kind(&self, plural: &str) -> Result<&KindInfo, Refused> {
        self.kinds.iter().find(|kind| kind.plural == plural).ok_or_else(Refused::nothing_there)
    }

    /// One object, if it exists.
    pub fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.state().objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All objects of a collection, in order.
    pub fn objects(&self, plural: &str) -> Vec<Value> {
        let state = self.state();
        state.objects.iter().filter(|((found, _, _), _)| found == plural).map(|(_, object)| object.clone()).collect()
    }

    /// Every request so far: `PATCH mlopsprojects/team-a/demo/status`.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Creates an object.
    ///
    /// # Errors
    /// It exists already, has no name, or its collection is unknown.
    pub fn create(&self, plural: &str, namespace: &str, mut object: Value) -> Result<Value, Refused> {
        let kind = self.kind(plural)?;
        admit::fits(kind, namespace, &object)?;
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Refused::new(
                422,
                "Invalid",
                "metadata.name: Required value: name or generateName is required",
            ));
        }
        let address = (plural.to_owned(), namespace.to_owned(), name.clone());
        let mut state = self.state();
        definition::takes_new(&state, kind, &name)?;
        if state.objects.contains_key(&address) {
            let message = format!("{} \"{name}\" already exists", kind.qualified());
            return Err(Refused::new(409, "AlreadyExists", message));
        }
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.kind);
        if kind.schema.is_some()
            && let Some(fields) = object.as_object_mut()
        {
            fields.remove("status");
        }
        schema::keep(kind.schema.as_ref(), &mut object);
        admit::settle(kind, &mut object);
        let uid = state.ids.uuid();
        let metadata = &mut object["metadata"];
        if kind.namespaced {
            metadata["namespace"] = json!(namespace);
        }
        metadata["uid"] = json!(uid);
        metadata["creationTimestamp"] = json!(self.seconds());
        if kind.schema.is_some() {
            metadata["generation"] = json!(1);
        }
        Ok(self.store(&mut state, address, object, "ADDED"))
    }

    /// Puts a changed object in the place of the old one, by the rules of the API: metadata that is the server's
    /// stays, a status is changed by its subresource alone, the generation counts changes of the spec.
    pub(super) fn replace(&self, address: &Address, mut new: Value, status_only: bool) -> Result<Value, Refused> {
        let kind = self.kind(&address.0)?;
        let mut state = self.state();
        let Some(old) = state.objects.get(address).cloned() else { return Err(kind.missing(&address.2)) };
        admit::fits(kind, &address.1, &new)?;
        let asked = new.pointer("/metadata/resourceVersion").cloned().unwrap_or(Value::Null);
        if !asked.is_null() && asked != old["metadata"]["resourceVersion"] {
            let message = format!(
                "Operation cannot be fulfilled on {} \"{}\": the object has been modified; please apply your changes to the latest version and try again",
                kind.qualified(),
                address.2
            );
            return Err(Refused::new(409, "Conflict", message));
        }
        if status_only {
            let status = new.get("status").cloned();
            new = old.clone();
            set(&mut new, "status", status);
        } else if kind.schema.is_some() {
            set(&mut new, "status", old.get("status").cloned());
        }
        schema::keep(kind.schema.as_ref(), &mut new);
        keep_server_metadata(&old, &mut new);
        admit::settle(kind, &mut new);
        admit::no_new_finalizer(kind, &old, &new)?;
        if new == old {
            return Ok(old);
        }
        if kind.schema.is_some() && body_of(&new) != body_of(&old) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            new["metadata"]["generation"] = json!(generation);
        }
        let deleting = !new["metadata"]["deletionTimestamp"].is_null();
        if deleting && !is_finalized(&new) {
            // The answer is the object as it was about to be stored; watches see the one that was stored last.
            self.remove(&mut state, address, old);
            return Ok(new);
        }
        Ok(self.store(&mut state, address.clone(), new, "MODIFIED"))
    }

    /// Deletes an object: at once, or once its finalizers are gone.
    ///
    /// # Errors
    /// It does not exist.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) -> Result<Value, Refused> {
        let kind = self.kind(plural)?;
        let address = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let mut state = self.state();
        let Some(mut object) = state.objects.get(&address).cloned() else { return Err(kind.missing(name)) };
        if plural == definition::PLURAL && object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["finalizers"] = json!([definition::FINALIZER]);
        }
        if !is_finalized(&object) {
            return Ok(self.remove(&mut state, &address, object));
        }
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return Ok(object);
        }
        let metadata = &mut object["metadata"];
        metadata["deletionTimestamp"] = json!(self.seconds());
        metadata["deletionGracePeriodSeconds"] = json!(0);
        if plural != definition::PLURAL
            && let Some(generation) = metadata["generation"].as_i64()
        {
            metadata["generation"] = json!(generation + 1);
        }
        let object = self.store(&mut state, address, object, "MODIFIED");
        drop(state);
        if plural == definition::PLURAL {
            self.delete_instances(&object);
        }
        Ok(object)
    }

    pub(super) fn remove(&self, state: &mut State, address: &Address, object: Value) -> Value {
        let object = self.store(state, address.clone(), object, "DELETED");
        state.objects.remove(address);
        state.applied.retain(|(applied, _), _| applied != address);
        self.finish_definition(state, &address.0);
        object
    }

    fn store(&self, state: &mut State, address: Address, mut object: Value, what: &'static str) -> Value {
        state.version += 1;
        let version = state.version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        state.log.push(Happened {
            version,
            address: address.clone(),
            what,
            object: object.clone(),
            at: self.clock.now(),
        });
        state.objects.insert(address, object.clone());
        self.changed.send_replace(version);
        object
    }

    /// The present, in whole seconds, as the API server writes times.
    fn seconds(&self) -> String {
        self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

fn keep_server_metadata(old: &Value, new: &mut Value) {
    if !new["metadata"].is_object() {
        new["metadata"] = json!({});
    }
    let Some(metadata) = new["metadata"].as_object_mut() else { return };
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        match old["metadata"].get(field) {
            Some(value) => metadata.insert(field.to_owned(), value.clone()),
            None => metadata.remove(field),
        };
    }
}

fn set(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(fields) = object.as_object_mut() {
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
    }
}

/// All but metadata and status: what the generation counts.
fn body_of(object: &Value) -> Vec<(&String, &Value)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(field, _)| !matches!(field.as_str(), "metadata" | "status"))
        .collect()
}

fn is_finalized(object: &Value) -> bool {
    object.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|finalizers| !finalizers.is_empty())
}
