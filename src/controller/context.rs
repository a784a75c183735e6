//! What all reconciles share: clients, clock, configuration, and the memories of the objects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc::UnboundedSender;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::controller::clients::ClientFactory;
use crate::controller::converge::ObjectMemory;
use crate::controller::events::Publisher;
use crate::controller::object::{self, Key, Kind};
use crate::controller::platforms::{Platforms, Watched};
use crate::controller::reference_watch::{Named, ReferenceWatch};
use crate::controller::shard::{Other, Owner, Shard, Sharding};
use crate::controller::startup::{Installation, Kinds};
use crate::controller::stored::Stored;
use crate::controller::template_judge::TemplateJudge;
use crate::crd::status::Placement;
use crate::domain::seal::{self, Seals};
use crate::domain::secret::FingerprintKey;
use crate::domain::watch_selector::Labels;
use crate::metrics::Metrics;
use crate::server::Readiness;

/// What an operator is started with. Everything that reaches outside the process is in here, so that the whole of
/// it can run in one process under a paused clock.
#[derive(Clone)]
pub struct Dependencies {
    pub client: Client,
    pub clock: Clock,
    pub config: Config,
    pub clients: ClientFactory,
    pub metrics: Metrics,
    /// Whether the operator can work.
    pub readiness: Readiness,
    /// The operator's own namespace.
    pub namespace: String,
    /// The operator's name among its replicas.
    pub instance: String,
    /// Which objects are this operator's, and who else works in the cluster.
    pub sharding: Sharding,
    /// Random numbers in 0..1, which spread what would otherwise happen at once.
    pub chance: Arc<dyn Fn() -> f64 + Send + Sync>,
}

/// What is remembered of an object, with its uid: another one of the same name has nothing to do with it.
type Remembered = (Option<String>, Arc<ObjectMemory>);

pub struct Context {
    /// What the operator was started with.
    pub dependencies: Dependencies,
    /// Names this cluster in ownership tags.
    pub cluster: String,
    /// The key of all fingerprints.
    pub fingerprints: FingerprintKey,
    /// What resources are sealed with.
    pub seals: Seals,
    /// Publishes events; one per process, since it merges repeated ones.
    pub publisher: Publisher,
    /// Secrets and ConfigMaps that objects name.
    pub references: ReferenceWatch,
    /// What was said of users' own templates.
    pub templates: TemplateJudge,
    /// What is known of platforms.
    pub platforms: Platforms,
    /// Whose each object is.
    pub shard: Shard,
    /// The kinds, as the API has them.
    kinds: Kinds,
    /// True once the operator is stopping.
    pub stopping: watch::Receiver<bool>,
    memories: Mutex<BTreeMap<Key, Remembered>>,
}

impl Context {
    /// The context of an operator that knows its installation. `changed` gets the objects whose references change.
    pub fn new(
        dependencies: Dependencies,
        installation: Installation,
        watched: Watched,
        changed: UnboundedSender<Key>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let Installation { cluster, fingerprints, kinds } = installation;
        let Sharding { selector, others } = &dependencies.sharding;
        let shard = Shard::new(selector.clone(), others.borrow().clone());
        Self {
            publisher: Publisher::new(dependencies.client.clone(), &dependencies.instance),
            references: ReferenceWatch::new(dependencies.client.clone(), changed.clone()),
            platforms: Platforms::new(watched, changed),
            shard,
            cluster,
            seals: Seals::new(fingerprints.clone(), dependencies.config.accept_unsealed),
            fingerprints,
            kinds,
            stopping,
            memories: Mutex::default(),
            templates: TemplateJudge::default(),
            dependencies,
        }
    }

    /// A kind, as the API has it.
    pub fn resource(&self, kind: Kind) -> &ApiResource {
        self.kinds.of(kind)
    }

    /// The objects beside this one: those of its namespace, or all platforms.
    pub fn api(&self, key: &Key) -> Api<DynamicObject> {
        let (client, resource) = (self.dependencies.client.clone(), self.resource(key.kind()));
        match key.kind() {
            Kind::Platform => Api::all_with(client, resource),
            Kind::Project => Api::namespaced_with(client, &key.namespace, resource),
        }
    }

    /// The namespace of the Secrets and ConfigMaps that belong to the place of an object: a platform's are the operator's.
    pub fn secrets_of<'a>(&'a self, key: &'a Key, placement: &Placement) -> &'a str {
        match key.kind() {
            Kind::Project if placement.platform.is_none() => &key.namespace,
            _ => &self.dependencies.namespace,
        }
    }

    /// Takes note of an object as the watch brings it, with its labels. Where that makes it or projects on it somebody else's
    /// than before, they are reconciled, which begins with whose they are.
    pub fn see(&self, object: &DynamicObject) {
        if self.shard.see(object, self.platforms.listed()) {
            self.platforms.turned(&Key::of(object));
        }
    }

    /// Whose an object is.
    pub fn owner(&self, object: &DynamicObject) -> Owner {
        self.shard.owner(object, self.platforms.listed())
    }

    /// Whose an object with these labels is, a project that names this platform, if it names any.
    pub fn owns(&self, labels: &Labels, platform: Option<&str>) -> Owner {
        self.shard.owns_project(labels, platform, self.platforms.listed())
    }

    /// The other operators are these now: what that makes somebody else's is reconciled.
    pub fn meet(&self, others: Vec<Other>) {
        let objects = self.platforms.objects();
        let owner =
            |stored: &Stored| self.shard.owner_of(&stored.key(), stored.platform.as_deref(), self.platforms.listed());
        let before: Vec<Owner> = objects.iter().map(|stored| owner(stored)).collect();
        self.shard.meet(others);
        for (stored, before) in objects.iter().zip(before) {
            if owner(stored) != before {
                self.platforms.turned(&stored.key());
            }
        }
    }

    /// What is remembered of an object.
    pub fn memory(&self, object: &DynamicObject) -> Arc<ObjectMemory> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, uid) = (Key::of(object), object.uid());
        if let Some((_, memory)) = memories.get(&key).filter(|(known, _)| *known == uid) {
            return memory.clone();
        }
        let status = object::status(object);
        // Intents that somebody else has written would lead to somebody else's resources.
        let owner = key.owner(&self.cluster);
        let ours = seal::holds(&self.fingerprints, &owner, uid.as_deref().unwrap_or_default(), &status);
        let memory = Arc::new(ObjectMemory::new(if ours { status.intents } else { Vec::new() }));
        memories.insert(key, (uid, memory.clone()));
        memory
    }

    /// What is remembered of an object, if anything.
    pub fn known(&self, key: &Key) -> Option<Arc<ObjectMemory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).get(key).map(|(_, memory)| memory.clone())
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &Key) {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.dependencies.metrics.gone(&key.metric_name());
        self.references.refer(key, &Named::new());
        match key.kind() {
            Kind::Platform => self.platforms.forget(&key.name),
            Kind::Project => self.platforms.unseat(key),
        }
    }

    /// How many objects are remembered.
    pub fn remembered(&self) -> usize {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
