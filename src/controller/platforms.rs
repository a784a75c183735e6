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

use crate::controller::object::{self, Key, Kind};
use crate::controller::platform_state::{Heard, PlatformState, Standing};
use crate::controller::scheduler::Places;
use crate::controller::seats::Seats;
use crate::controller::stored::Stored;
use crate::crd::mlops_platform::AllowedNamespaces;
use crate::crd::platform::FolderPolicy;
use crate::crd::project::DataPolicy;
use crate::domain::grants::matches;

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
    known: Mutex<BTreeMap<String, Known>>,
    /// Platforms of which their projects did not hear, since they were not yet known.
    news: Mutex<BTreeSet<String>>,
    /// Which projects have a seat where platforms take so many.
    seats: Seats,
}

/// What is known of one platform, and who heard of it.
struct Known {
    state: Arc<PlatformState>,
    /// What its projects that are as declared were told last; absent: they were told of nothing yet.
    heard: Option<Heard>,
    /// Projects that have found it not Ready: each change is news to them.
    waiting: BTreeSet<Key>,
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
        let goes = platform.is_being_deleted;
        match self.state(name) {
            // Its own reconcile has not told that yet, and may be at it: nothing is begun on it any more.
            Some(state) if goes && state.standing != Standing::Deleting => {
                let state = PlatformState { standing: Standing::Deleting, ..PlatformState::clone(&state) };
                Found::Known(Arc::new(state))
            }
            Some(state) => Found::Known(state),
            // Nothing more will be told of it.
            None if platform.is_let_go() => {
                let generation = platform.generation.unwrap_or(0);
                Found::Known(Arc::new(PlatformState { generation, standing: Standing::Deleting, parts: None }))
            }
            None => Found::Unknown,
        }
    }

    /// The same for a project, which is brought back by the next change of a platform that it finds not Ready.
    pub fn find_for(&self, project: &Key, name: &str) -> Found {
        let found = self.find(name);
        let Found::Known(state) = &found else { return found };
        if state.standing == Standing::Ready {
            return found;
        }
        let mut known = self.known();
        let Some(known) = known.get_mut(name) else { return found };
        known.waiting.insert(project.clone());
        // What was told meanwhile does not bring it back. That the platform goes may not have been told at all.
        if state.standing == Standing::Deleting { found } else { Found::Known(known.state.clone()) }
    }

    /// The state of the platform of this name, if it was told.
    pub fn state(&self, name: &str) -> Option<Arc<PlatformState>> {
        self.known().get(name).map(|known| known.state.clone())
    }

    /// Tells how a platform is now. Projects on it that this concerns are reconciled: all of them, or those alone that are not
    /// as declared or have found it not Ready. What passes by itself is no news to the others, as an update of the trigger:
    /// a thousand projects would be observed and written twice for it. `was_ready`: so it was before this reconcile, by its
    /// present spec: for projects that are as declared the first that is told of it is no news then.
    pub fn tell(&self, name: &str, mut state: PlatformState, was_ready: bool) {
        let mut known = self.known();
        let before = known.remove(name);
        if let Some(before) = &before {
            state.complete(&before.state);
        }
        let (passes, now) = (state.standing.passes(), state.heard());
        let concerns = before.as_ref().is_none_or(|before| before.state.heard() != now);
        let (heard, mut waiting) = match before {
            Some(before) => (before.heard, before.waiting),
            None if was_ready && (passes || state.standing == Standing::Ready) => {
                (Some(now.taken_for_known()), BTreeSet::new())
            }
            None => (None, BTreeSet::new()),
        };
        let is_for_all = !passes && heard.as_ref().is_none_or(|heard| heard.differs_from(&now));
        let found_it = if concerns { std::mem::take(&mut waiting) } else { BTreeSet::new() };
        let heard = if is_for_all { Some(now) } else { heard.map(|heard| heard.with(&now, passes)) };
        known.insert(name.to_owned(), Known { state: Arc::new(state), heard, waiting });
        drop(known);
        if is_for_all && !is_complete(&self.watched.projects) {
            // Those that are not yet known learn of it when they are.
            self.news().insert(name.to_owned());
        }
        if concerns {
            let needs = |project: &Stored| is_for_all || !project.is_ready || found_it.contains(&project.key());
            self.wake(|project| project.stands_on(name) && needs(project));
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
            self.bring_back(Key::of_platform(name));
        }
    }

    /// The remote sides that an object shares with others.
    pub fn places(&self, stored: &Stored) -> Places {
        let Some(platform) = &stored.platform else { return stored.places.clone() };
        match self.watched.platform(platform).flatten() {
            Some(platform) => platform.places.clone(),
            // One place for all, so that they do not go before what there is work for.
            None => Places::from([String::new()]),
        }
    }

    /// Forgets a platform that is gone.
    pub fn forget(&self, name: &str) {
        self.known().remove(name);
        self.wake(|project| project.stands_on(name));
    }

    /// A namespace is known from now on: what waited for that is reconciled.
    pub fn namespace_found(&self, namespace: &str) {
        self.wake(|project| project.names_a_platform_in(namespace) && !project.is_ready);
    }

    /// A namespace has changed: its projects on platforms are reconciled.
    pub fn namespace_changed(&self, namespace: &str) {
        self.wake(|project| project.names_a_platform_in(namespace));
    }

    /// A project of this namespace is gone: another one may have its place, and a platform that is being deleted may go.
    pub fn project_gone(&self, namespace: &str) {
        self.wake(|project| project.names_a_platform_in(namespace) && !project.is_ready && !project.is_being_deleted);
        self.wake_of(&self.watched.platforms, |platform| platform.is_being_deleted);
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
                other.names_a_platform_in(&project.namespace) && !other.is_finalized && other.key() != *project
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

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use futures::channel::mpsc::{UnboundedReceiver, unbounded};
    use kube::core::ApiResource;
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::crd::{MlopsPlatform, MlopsProject};

    /// A register of projects: on the platform `main` one as declared and one that is being made, on another two, of which one is
    /// being deleted.
    struct Register {
        platforms: Platforms,
        changed: UnboundedReceiver<Key>,
        _objects: (Writer<Stored>, Writer<Stored>, Writer<PartialObjectMeta<Namespace>>),
    }

    impl Register {
        fn new() -> Self {
            let (mut projects, mut platforms, namespaces) =
                (Writer::new(Kind::Project), Writer::new(Kind::Platform), Writer::new(()));
            let (to, changed) = unbounded();
            let watched = Watched {
                projects: projects.as_reader(),
                platforms: platforms.as_reader(),
                namespaces: namespaces.as_reader(),
            };
            let main = DynamicObject::new("main", &ApiResource::erase::<MlopsPlatform>(&()));
            for event in [Event::Init, Event::InitApply(Stored::of(&main)), Event::InitDone] {
                platforms.apply_watcher_event(&event);
            }
            projects.apply_watcher_event(&Event::Init);
            for (name, platform, is_ready) in
                [("declared", "main", true), ("in-the-making", "main", false), ("elsewhere", "other", false)]
            {
                let mut project = project(name, platform);
                project.is_ready = is_ready;
                projects.apply_watcher_event(&Event::InitApply(project));
            }
            let mut goes = project("goes", "other");
            goes.is_being_deleted = true;
            projects.apply_watcher_event(&Event::InitApply(goes));
            projects.apply_watcher_event(&Event::InitDone);
            Self { platforms: Platforms::new(watched, to), changed, _objects: (projects, platforms, namespaces) }
        }

        /// The projects that are brought back by what is told.
        fn tell(&mut self, generation: i64, standing: Standing, was_ready: bool) -> Vec<String> {
            self.platforms.tell("main", PlatformState { generation, standing, parts: None }, was_ready);
            self.woken()
        }

        fn woken(&mut self) -> Vec<String> {
            let mut woken = Vec::new();
            while let Ok(key) = self.changed.try_recv() {
                woken.push(key.name.clone());
            }
            woken.sort();
            woken
        }
    }

    fn project(name: &str, platform: &str) -> Stored {
        let resource = ApiResource::erase::<MlopsProject>(&());
        let mut project = DynamicObject::new(name, &resource).within("ml-team");
        project.data = json!({"spec": {"platformRef": {"name": platform}}});
        Stored::of(&project)
    }

    fn not_ready(stalled: bool, message: &str) -> Standing {
        Standing::NotReady { stalled, message: message.to_owned() }
    }

    const ALL: [&str; 2] = ["declared", "in-the-making"];
    const SOME: [&str; 1] = ["in-the-making"];
    const NONE: [&str; 0] = [];

    #[test]
    fn who_is_brought_back_by_what_is_told_of_a_platform() {
        use Standing::{Deleting, Ready, Suspended};
        type Told = (i64, Standing, &'static [&'static str]);
        let passing = || not_ready(false, "the trigger is being updated");
        let rows: [(&str, bool, Vec<Told>); 9] = [
            ("it was Ready before the operator started", true, vec![(1, Ready, &SOME)]),
            ("it was not", false, vec![(1, Ready, &ALL)]),
            ("the same again is no news", true, vec![(1, Ready, &SOME), (1, Ready, &NONE)]),
            (
                "what passes concerns who is not as declared",
                true,
                vec![
                    (1, Ready, &SOME),
                    (1, passing(), &SOME),
                    (1, not_ready(false, "another step"), &SOME),
                    (1, Ready, &SOME),
                ],
            ),
            ("so it does after a start", true, vec![(1, passing(), &SOME), (1, Ready, &SOME)]),
            ("unless it was not Ready then", false, vec![(1, passing(), &SOME), (1, Ready, &ALL)]),
            (
                "another spec concerns all, once it is there",
                true,
                vec![(1, Ready, &SOME), (2, passing(), &SOME), (2, Ready, &ALL), (3, Ready, &ALL)],
            ),
            (
                "what waits for a person concerns all, and so does its end",
                true,
                vec![
                    (1, Ready, &SOME),
                    (1, not_ready(true, "a role is missing"), &ALL),
                    (1, passing(), &SOME),
                    (1, Ready, &ALL),
                ],
            ),
            (
                "so do its suspension and its deletion",
                true,
                vec![(1, Ready, &SOME), (2, Suspended, &ALL), (2, Deleting, &ALL)],
            ),
        ];
        for (case, was_ready, told) in rows {
            let mut register = Register::new();
            for (n, (generation, standing, expected)) in told.into_iter().enumerate() {
                assert_eq!(register.tell(generation, standing, was_ready), expected, "{case}, {n}");
            }
        }
    }

    #[test]
    fn a_project_that_has_found_its_platform_not_ready_hears_of_each_change_once() {
        let mut register = Register::new();
        register.tell(1, Standing::Ready, true);
        let key = project("declared", "main").key();
        register.platforms.find_for(&key, "main");
        assert_eq!(register.tell(1, not_ready(false, "it is updated"), true), SOME, "it found it Ready");
        register.platforms.find_for(&key, "main");
        assert_eq!(register.tell(1, not_ready(false, "it is updated"), true), NONE);
        assert_eq!(register.tell(1, Standing::Ready, true), ALL);
        assert_eq!(register.tell(1, not_ready(false, "once more"), true), SOME);
        assert_eq!(register.tell(1, Standing::Ready, true), SOME);
        assert_eq!(register.tell(2, Standing::Suspended, true), ALL);
        register.platforms.find_for(&key, "main");
        assert_eq!(
            register.tell(3, not_ready(false, "it goes on, and is updated"), true),
            ALL,
            "it has said Suspended"
        );
    }

    #[test]
    fn a_project_that_goes_makes_room_for_those_of_its_namespace_that_wait() {
        let mut register = Register::new();
        register.platforms.project_gone("other");
        assert_eq!(register.woken(), NONE);
        register.platforms.project_gone("ml-team");
        assert_eq!(
            register.woken(),
            ["elsewhere", "in-the-making"],
            "neither those that are as declared nor those that go"
        );
    }
}
