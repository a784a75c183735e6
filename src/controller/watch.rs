//! Watches platforms, projects and namespaces, and reconciles each object that changed, until told to stop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc::{self, UnboundedReceiver};
use futures::future::ready;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Config as ControllerConfig, WatchStreamExt};
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use crate::controller::api::ApiError;
use crate::controller::context::{Context, Dependencies};
use crate::controller::object::{self, Key, Kind};
use crate::controller::platforms::Watched;
use crate::controller::predicate::{EventFilter, Relevance};
use crate::controller::reconcile;
use crate::controller::startup::Installation;
use crate::domain::requeue::backoff;

/// How many objects one list call asks for: each may have a megabyte before [`object::lean`] has seen it.
const PAGE: u32 = 50;
/// How many namespaces one list call asks for.
const NAMESPACES: u32 = 500;
/// How many platforms are worked on at once.
const PLATFORMS_AT_ONCE: u16 = 4;

/// Works until `stop` says true, and then until the reconciles under way have ended, each after its current call.
pub async fn run(dependencies: Dependencies, stop: watch::Receiver<bool>) {
    let (changed, changes) = mpsc::unbounded();
    let installation = tokio::select! {
        installation = Installation::find(&dependencies) => installation,
        () = stopped(stop.clone()) => return,
    };
    let kinds = installation.kinds.clone();
    let (platform_kind, project_kind) = (kinds.of(Kind::Platform).clone(), kinds.of(Kind::Project).clone());
    let (platforms, projects) = (Writer::new(platform_kind.clone()), Writer::new(project_kind.clone()));
    let namespaces: Writer<PartialObjectMeta<Namespace>> = Writer::new(());
    let watched = Watched {
        platforms: platforms.as_reader(),
        projects: projects.as_reader(),
        namespaces: namespaces.as_reader(),
        platform_kind: platform_kind.clone(),
    };
    let concurrency = dependencies.config.concurrency;
    let context = Arc::new(Context::new(dependencies, installation, watched, changed, stop.clone()));
    let (to_platforms, of_platforms) = mpsc::unbounded();
    let (to_projects, of_projects) = mpsc::unbounded();
    let sorted = changes.for_each(move |key: Key| {
        let to = if key.kind() == Kind::Platform { &to_platforms } else { &to_projects };
        // The receiver goes only when its controller does.
        let _ = to.unbounded_send(key);
        ready(())
    });
    let lists = Arc::new(AtomicUsize::new(2));
    let platforms = Kept { kind: platform_kind, writer: platforms, changes: of_platforms, lists: lists.clone() };
    let projects = Kept { kind: project_kind, writer: projects, changes: of_projects, lists };
    let both = async {
        futures::join!(
            platforms.run(&context, concurrency.min(PLATFORMS_AT_ONCE), stop.clone()),
            projects.run(&context, concurrency, stop.clone())
        );
    };
    tokio::select! {
        () = Box::pin(both) => {}
        () = async { futures::join!(sorted, follow_namespaces(&context, namespaces)); } => {}
    }
}

/// One kind of objects that are kept as declared.
struct Kept {
    kind: ApiResource,
    writer: Writer<DynamicObject>,
    /// Objects to reconcile for another reason than a change of their own.
    changes: UnboundedReceiver<Key>,
    /// How many kinds have not been listed yet.
    lists: Arc<AtomicUsize>,
}

impl Kept {
    async fn run(self, context: &Arc<Context>, concurrency: u16, stop: watch::Receiver<bool>) {
        let Self { kind, writer, changes, lists } = self;
        let reader: Store<DynamicObject> = writer.as_reader();
        let objects = objects(context.clone(), &kind, writer, lists);
        let of_kind = kind.clone();
        let asked = changes.map(move |Key { namespace, name }| {
            let reference = ObjectRef::new_with(&name, of_kind.clone());
            if namespace.is_empty() { reference } else { reference.within(&namespace) }
        });
        Controller::for_stream_with(objects, reader, kind)
            .with_config(ControllerConfig::default().concurrency(concurrency))
            .reconcile_on(asked)
            .graceful_shutdown_on(stopped(stop))
            .run(reconcile::run, retry, context.clone())
            .for_each(|result| {
                if let Err(error) = result {
                    // An object that vanished between its event and its reconcile is one of these.
                    tracing::debug!(%error, "a reconcile did not end well");
                }
                ready(())
            })
            .await;
    }
}

/// The objects of a kind that are worth a reconcile.
fn objects(
    context: Arc<Context>,
    kind: &ApiResource,
    writer: Writer<DynamicObject>,
    lists: Arc<AtomicUsize>,
) -> impl Stream<Item = Result<DynamicObject, watcher::Error>> + Send + 'static {
    let api: Api<DynamicObject> = Api::all_with(context.dependencies.client.clone(), kind);
    let filter = Mutex::new(EventFilter::default());
    let mut listed = false;
    watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(object::lean)
        .reflect(writer)
        .filter_map(move |event| {
            if matches!(event, Ok(Event::InitDone)) && !std::mem::replace(&mut listed, true) {
                // The last kind to be listed makes the operator ready.
                if lists.fetch_sub(1, Ordering::AcqRel) == 1 {
                    context.dependencies.readiness.ready();
                }
            }
            ready(sift(&context, &filter, event))
        })
}

/// Keeps the labels of namespaces at hand, and brings the projects of those back that change.
async fn follow_namespaces(context: &Context, writer: Writer<PartialObjectMeta<Namespace>>) {
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(context.dependencies.client.clone());
    let mut namespaces = watcher(api, watcher::Config::default().page_size(NAMESPACES))
        .default_backoff()
        .modify(|namespace| {
            namespace.metadata.managed_fields = None;
            namespace.metadata.annotations = None;
        })
        .reflect(writer)
        .boxed();
    let mut known = BTreeMap::new();
    while let Some(event) = namespaces.next().await {
        match event {
            Ok(Event::Apply(namespace) | Event::InitApply(namespace)) => {
                let name = namespace.name_any();
                let labels = namespace.metadata.labels;
                if known.insert(name.clone(), labels.clone()) != Some(labels) {
                    context.platforms.namespace_changed(&name);
                }
            }
            Ok(Event::Delete(namespace)) => {
                known.remove(&namespace.name_any());
            }
            Ok(Event::Init | Event::InitDone) => {}
            Err(error) => tracing::warn!(%error, "the watch of namespaces broke off and is begun again"),
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender is gone only when the process ends.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Lets through what is worth a reconcile, and forgets what is gone.
fn sift(
    context: &Context,
    filter: &Mutex<EventFilter>,
    event: Result<Event<DynamicObject>, watcher::Error>,
) -> Option<Result<DynamicObject, watcher::Error>> {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            tracing::warn!(%error, "the watch of objects broke off and is begun again");
            return None;
        }
    };
    match filter.lock().unwrap_or_else(PoisonError::into_inner).evaluate(&event) {
        Relevance::Ignored => {}
        Relevance::Gone(keys) => {
            for key in &keys {
                context.forget(key);
                if key.kind() == Kind::Project {
                    context.platforms.project_gone(&key.namespace);
                }
            }
        }
        Relevance::Reconcile => {
            if let Event::Apply(object) | Event::InitApply(object) = event {
                return Some(Ok(object));
            }
        }
    }
    None
}

/// After a call of the Kubernetes API failed.
fn retry(object: Arc<DynamicObject>, error: &ApiError, context: Arc<Context>) -> Action {
    tracing::warn!(namespace = object.namespace(), name = object.name_any(), %error, "a reconcile failed");
    // An object that was forgotten in the meantime stays forgotten.
    let memory = context.known(&Key::of(&object));
    if error.is_conflict()
        && let Some(memory) = &memory
    {
        memory.outdated();
    }
    let failures = memory.map_or(1, |memory| memory.broken_off());
    Action::requeue(backoff(failures, (context.dependencies.chance)()))
}
