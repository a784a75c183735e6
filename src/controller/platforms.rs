//! What projects need to know of the platforms that they stand on, and who may stand on one. The reconcile of a platform
//! tells it, those of its projects read it; a change brings the projects back at once. It asks no remote side and writes
//! nothing: after a restart it is empty until the platforms were reconciled once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::{DynamicObject, PartialObjectMeta, Selector, SelectorExt};
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::Value;

use crate::controller::dereference::JenkinsAccess;
use crate::controller::object::{self, Key, Kind};
use crate::controller::scheduler::Places;
use crate::controller::seats::Seats;
use crate::controller::stored::Stored;
use crate::crd::identifiers::Sha256;
use crate::crd::mlops_platform::AllowedNamespaces;
use crate::crd::platform::{ConfigMapRef, FolderPolicy};
use crate::crd::project::DataPolicy;
use crate::domain::grants::matches;
use crate::domain::validate::SharedPlatform;
use crate::resources::artifact_bucket::ReadyBucket;
use crate::resources::catalog::{ProvisioningTarget, version_name};

/// What is known of a platform.
#[derive(Clone)]
pub struct PlatformState {
    /// The generation of its spec that the rest speaks of.
    pub generation: i64,
    /// How it stands, as its conditions say.
    pub standing: Standing,
    /// What it is made of; absent: its spec or what the spec names cannot be used.
    pub parts: Option<PlatformParts>,
}

/// What projects on a platform are made with.
#[derive(Clone)]
pub struct PlatformParts {
    pub shared: SharedPlatform,
    pub access: JenkinsAccess,
    /// Where its template stands, if it is one of its own.
    pub own_template: Option<ConfigMapRef>,
    /// What projects are launched from; absent: not yet there.
    pub target: Option<ProvisioningTarget>,
    /// Where projects' routes lie; absent: not yet there.
    pub bucket: Option<ReadyBucket>,
    /// Whether Jenkins takes jobs; absent: not known this time.
    pub jenkins_usable: Option<bool>,
}

/// How a platform stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Ready,
    NotReady {
        /// Whether a person must act.
        stalled: bool,
        /// The platform's own sentence.
        message: String,
    },
    /// `spec.suspend` is true: nothing is done for its projects either.
    Suspended,
    /// It is being deleted.
    Deleting,
}

/// What a project finds of the platform that it names.
pub enum Found {
    /// Not yet known: the operator has just started, or the platform was just made.
    Unknown,
    /// There is no such platform.
    Absent,
    Known(Arc<PlatformState>),
}

/// Whether a namespace's projects may stand on a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Allowed,
    Refused,
    /// The labels of namespaces are not yet known.
    Unknown,
}

/// What happens to what a project that is deleted leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// What users put into it.
    pub data: DataPolicy,
    /// Jenkins folders that were made for it.
    pub folders: FolderPolicy,
}

/// All objects of the cluster that count here, as they are watched.
#[derive(Clone)]
pub struct Watched {
    pub projects: Store<Stored>,
    pub platforms: Store<Stored>,
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
}

impl Watched {
    /// The platform of this name, if there is one; `None`: the platforms are not yet known.
    fn platform(&self, name: &str) -> Option<Option<Arc<Stored>>> {
        let reference = ObjectRef::new_with(name, Kind::Platform);
        is_complete(&self.platforms).then(|| self.platforms.get(&reference))
    }
}

pub struct Platforms {
    watched: Watched,
    changed: UnboundedSender<Key>,
    known: Mutex<BTreeMap<String, Arc<PlatformState>>>,
    /// Platforms of which their projects did not hear, since they were not yet known.
    news: Mutex<BTreeSet<String>>,
    /// Which projects have a seat where platforms take so many.
    seats: Seats,
}

impl PlatformState {
    /// Changes when something does that projects are made from.
    pub fn version(&self) -> String {
        let token = self.parts.as_ref().map_or("", |parts| parts.access.credentials.token.fingerprint.as_str());
        format!("|platform {} {token}", self.generation)
    }
}

impl Platforms {
    /// Knows of no platform yet; `changed` gets the projects to reconcile.
    pub fn new(watched: Watched, changed: UnboundedSender<Key>) -> Self {
        Self { watched, changed, known: Mutex::default(), news: Mutex::default(), seats: Seats::default() }
    }

    /// What is known of the platform of this name.
    pub fn find(&self, name: &str) -> Found {
        let Some(platform) = self.watched.platform(name) else { return Found::Unknown };
        let Some(platform) = platform else { return Found::Absent };
        let goes = platform.metadata.deletion_timestamp.is_some();
        match self.state(name) {
            // Its own reconcile has not told that yet, and may be at it: nothing is begun on it any more.
            Some(state) if goes && state.standing != Standing::Deleting => {
                let state = PlatformState { standing: Standing::Deleting, ..PlatformState::clone(&state) };
                Found::Known(Arc::new(state))
            }
            Some(state) => Found::Known(state),
            // Nothing more will be told of it.
            None if object::is_let_go(&platform.metadata) => {
                let generation = platform.metadata.generation.unwrap_or(0);
                Found::Known(Arc::new(PlatformState { generation, standing: Standing::Deleting, parts: None }))
            }
            None => Found::Unknown,
        }
    }

    /// The state of the platform of this name, if it was told.
    pub fn state(&self, name: &str) -> Option<Arc<PlatformState>> {
        self.known().get(name).cloned()
    }

    /// Tells how a platform is now. Projects on it that this concerns are reconciled. `was_ready`: so it was before this
    /// reconcile, by its present spec: for projects that are as declared the first that is told of it is no news then.
    pub fn tell(&self, name: &str, mut state: PlatformState, was_ready: bool) {
        let before = self.state(name);
        if let (Some(parts), Some(before)) = (&mut state.parts, &before)
            && before.generation == state.generation
            && let Some(known) = &before.parts
        {
            // One reconcile that could not see something says nothing against it. A version of another template does: what
            // is given to a project is judged by the present one.
            let template = &parts.shared.platform.catalog.template.text;
            let version = || version_name(&Sha256::of(template.as_bytes()));
            let known_target = || known.target.clone().filter(|target| target.artifact_name == version());
            parts.target = parts.target.take().or_else(known_target);
            parts.bucket = parts.bucket.take().or_else(|| known.bucket.clone());
            parts.jenkins_usable = parts.jenkins_usable.or(known.jenkins_usable);
        }
        let concerns = before.as_ref().is_none_or(|before| differs(before, &state));
        let news_to_all = before.is_some() || !was_ready || state.standing != Standing::Ready;
        self.known().insert(name.to_owned(), Arc::new(state));
        if concerns && news_to_all && !is_complete(&self.watched.projects) {
            // Those that are not yet known learn of it when they are.
            self.news().insert(name.to_owned());
        }
        if concerns {
            self.wake(|project| project.stands_on(name) && (news_to_all || !project.is_ready));
        }
    }

    /// Whether something was told of a platform that its projects must know before all projects were known.
    pub fn has_news(&self, name: &str) -> bool {
        self.news().contains(name)
    }

    fn news(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A project cannot go on until its platform was reconciled, which may have been put off.
    pub fn asked_for(&self, name: &str) {
        if matches!(self.find(name), Found::Unknown) {
            self.bring_back(Key { namespace: String::new(), name: name.to_owned() });
        }
    }

    /// The remote sides that an object shares with others: AWS account and region, and Jenkins, as the specs say.
    pub fn places(&self, object: &DynamicObject) -> Places {
        let spec = object::spec(object);
        let text = |settings: &Value, path: &str| settings.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let of = |settings: &Value| {
            let account = text(settings, "/aws/accountId").unwrap_or_default();
            let region = text(settings, "/aws/region").unwrap_or_default();
            let jenkins = text(settings, "/jenkins/url").unwrap_or_default();
            Places::from([format!("{account} {region}"), jenkins])
        };
        match (platform_of(object), spec.get("platform")) {
            (Some(name), _) => match self.watched.platform(name).flatten() {
                Some(platform) => of(object::spec(&platform.object())),
                // One place for all, so that they do not go before what there is work for.
                None => Places::from([String::new()]),
            },
            (None, Some(own)) => of(own),
            (None, None) => of(spec),
        }
    }

    /// Forgets a platform that is gone.
    pub fn forget(&self, name: &str) {
        self.known().remove(name);
        self.wake(|project| project.stands_on(name));
    }

    /// A namespace is known from now on: what waited for that is reconciled.
    pub fn namespace_found(&self, namespace: &str) {
        self.wake(|project| {
            project.metadata.namespace.as_deref() == Some(namespace) && project.names_a_platform() && !project.is_ready
        });
    }

    /// A namespace has changed: its projects on platforms are reconciled.
    pub fn namespace_changed(&self, namespace: &str) {
        self.wake(|project| project.metadata.namespace.as_deref() == Some(namespace) && project.names_a_platform());
    }

    /// A project of this namespace is gone: another one may have its place, and a platform that is being deleted may go.
    pub fn project_gone(&self, namespace: &str) {
        self.namespace_changed(namespace);
        self.wake_of(&self.watched.platforms, |platform| platform.metadata.deletion_timestamp.is_some());
    }

    /// Whether all platforms are known that there are.
    pub fn listed(&self) -> bool {
        is_complete(&self.watched.platforms)
    }

    /// Waits until they are.
    pub async fn until_listed(&self) {
        // An error means that nobody watches them any more.
        let _ = self.watched.platforms.wait_until_ready().await;
    }

    /// All platforms and projects, as they are watched.
    pub fn objects(&self) -> Vec<Arc<Stored>> {
        self.watched.platforms.state().into_iter().chain(self.watched.projects.state()).collect()
    }

    /// An object is somebody else's now than before: it is reconciled, and so are the projects on it.
    pub fn turned(&self, key: &Key) {
        self.bring_back(key.clone());
        if key.kind() == Kind::Platform {
            self.wake(|project| project.stands_on(&key.name));
        }
    }

    fn wake(&self, concerns: impl Fn(&Stored) -> bool) {
        self.wake_of(&self.watched.projects, concerns);
    }

    fn wake_of(&self, objects: &Store<Stored>, concerns: impl Fn(&Stored) -> bool) {
        for object in objects.state_filter(concerns) {
            self.bring_back(object.key());
        }
    }

    /// An object is to be reconciled.
    fn bring_back(&self, key: Key) {
        // The receiver goes only when the controller does.
        let _ = self.changed.unbounded_send(key);
    }

    /// Whether projects of this namespace may stand on a platform that allows these.
    pub fn admits(&self, allowed: &AllowedNamespaces, namespace: &str) -> Admission {
        if allowed.names.iter().any(|pattern| matches(pattern, namespace)) {
            return Admission::Allowed;
        }
        let Some(selector) = allowed.selector.clone() else { return Admission::Refused };
        let Ok(selector) = Selector::try_from(selector) else { return Admission::Refused };
        if selector.selects_all() {
            return Admission::Refused;
        }
        match self.watched.namespaces.get(&ObjectRef::new(namespace)) {
            Some(found) if selector.matches(found.labels()) => Admission::Allowed,
            None if !is_complete(&self.watched.namespaces) => Admission::Unknown,
            _ => Admission::Refused,
        }
    }

    /// The namespaces whose names stand in a text; `None`: not all of them are known yet.
    pub fn namespaces_in(&self, text: &str) -> Option<Vec<String>> {
        let stands = |namespace: &PartialObjectMeta<Namespace>| {
            namespace.metadata.name.as_deref().is_some_and(|name| text.contains(name))
        };
        let namespaces = &self.watched.namespaces;
        is_complete(namespaces)
            .then(|| namespaces.state_filter(stands).iter().map(|namespace| namespace.name_any()).collect())
    }

    /// Takes a seat for a project on a platform that takes so many of one namespace; `false`: there is none left for it.
    pub fn seat(&self, project: &DynamicObject, platform: &str, most: usize) -> bool {
        self.seats.take(&self.watched.projects, project, platform, most)
    }

    /// A project stands on no platform, or is gone: it needs no seat.
    pub fn unseat(&self, project: &Key) {
        self.seats.give_up(project);
    }

    /// A project that has not begun was refused: it is in nobody's way any more.
    pub fn refuse(&self, project: &Key) {
        if self.seats.refuse(project) {
            self.wake(|other| {
                other.metadata.namespace.as_ref() == Some(&project.namespace)
                    && other.names_a_platform()
                    && !object::is_finalized(&other.metadata)
                    && other.key() != *project
            });
        }
    }

    /// The projects that name a platform or say that they were made on it, as they are watched.
    pub fn projects_on(&self, platform: &str) -> Vec<Arc<Stored>> {
        self.watched.projects.state_filter(|project| project.stands_on(platform))
    }

    /// What a platform says of projects that are deleted, as its spec stands, be it one that cannot be used; without a
    /// platform everything is kept. `None`: the platforms are not yet known.
    pub fn policies(&self, name: &str) -> Option<Policies> {
        let Some(platform) = self.watched.platform(name)? else { return Some(Policies::default()) };
        let platform = platform.object();
        Some(Policies {
            data: object::spec_field(&platform, "/projects/dataPolicy").unwrap_or_default(),
            folders: object::spec_field(&platform, "/jenkins/folderPolicy").unwrap_or_default(),
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<PlatformState>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a watch has brought all that there is.
fn is_complete<K>(store: &Store<K>) -> bool
where
    K: kube::runtime::reflector::Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    store.wait_until_ready().now_or_never().is_some()
}

/// Whether projects would do anything else.
fn differs(before: &PlatformState, now: &PlatformState) -> bool {
    let seen = |state: &PlatformState| {
        let parts = state.parts.as_ref();
        parts.map(|parts| {
            let artifact = parts.target.as_ref().map(|target| (target.product_id.clone(), target.artifact_id.clone()));
            (artifact, parts.bucket.clone(), parts.jenkins_usable, parts.access.credentials.token.fingerprint.clone())
        })
    };
    before.generation != now.generation || before.standing != now.standing || seen(before) != seen(now)
}

/// The platform that a project names.
pub fn platform_of(project: &DynamicObject) -> Option<&str> {
    object::spec(project).pointer("/platformRef/name")?.as_str()
}

/// Whether a project says that it stands on a platform: it names it, or says that its resources were made on it.
pub fn stands_on(project: &DynamicObject, platform: &str) -> bool {
    platform_of(project) == Some(platform) || made_on(project) == Some(platform)
}

/// The platform that a project says its resources were made on.
pub fn made_on(project: &DynamicObject) -> Option<&str> {
    project.data.pointer("/status/placement/platform")?.as_str()
}
