//! Watches platforms, projects and namespaces, and reconciles each object that changed, until told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::channel::mpsc::{self, UnboundedReceiver};
use futures::future::ready;
use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use crate::controller::context::{Context, Dependencies};
use crate::controller::object::{self, Key, Kind};
use crate::controller::others;
use crate::controller::platforms::Watched;
use crate::controller::predicate::{EventFilter, Relevance};
use crate::controller::startup::Installation;
use crate::controller::stored::{Keeper, Stored};
use crate::controller::work::{Seen, Work};

/// How many objects one list call asks for: each may have a megabyte before [`object::lean`] has seen it.
const PAGE: u32 = 50;
/// How many namespaces one list call asks for.
const NAMESPACES: u32 = 500;
/// The labels of a namespace.
type Labels = Option<BTreeMap<String, String>>;
/// How many platforms are worked on at once.
const PLATFORMS_AT_ONCE: u16 = 4;

/// Works until `stop` says true, and then until the reconciles under way have ended, each after its current call.
pub async fn run(dependencies: Dependencies, stop: watch::Receiver<bool>) {
    let (changed, changes) = mpsc::unbounded();
    let installation = tokio::select! {
        installation = Installation::find(&dependencies) => installation,
        () = stopped(stop.clone()) => return,
    };
    // One that waits for what the cluster lacks works no more than one that waits for the Lease.
    dependencies.metrics.leads(true);
    let (platforms, projects) = (Writer::new(Kind::Platform), Writer::new(Kind::Project));
    let namespaces: Writer<PartialObjectMeta<Namespace>> = Writer::new(());
    let watched = Watched {
        platforms: platforms.as_reader(),
        projects: projects.as_reader(),
        namespaces: namespaces.as_reader(),
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
    let platforms = Kept { kind: Kind::Platform, writer: platforms, changes: of_platforms, lists: lists.clone() };
    let projects = Kept { kind: Kind::Project, writer: projects, changes: of_projects, lists };
    let both = async {
        futures::join!(platforms.run(&context, concurrency.min(PLATFORMS_AT_ONCE), stop.clone()), async {
            // Whose a project is, its platform says.
            if context.shard.is_divided() {
                tokio::select! {
                    () = context.platforms.until_listed() => {}
                    () = stopped(stop.clone()) => return,
                }
            }
            projects.run(&context, concurrency, stop.clone()).await;
        });
    };
    tokio::select! {
        () = Box::pin(both) => {}
        () = async { futures::join!(sorted, follow_namespaces(&context, namespaces), others::follow(&context)); } => {}
    }
}

/// One kind of objects that are kept as declared.
struct Kept {
    kind: Kind,
    writer: Writer<Stored>,
    /// Objects to reconcile for another reason than a change of their own.
    changes: UnboundedReceiver<Key>,
    /// How many kinds have not been listed yet.
    lists: Arc<AtomicUsize>,
}

impl Kept {
    async fn run(self, context: &Arc<Context>, concurrency: u16, stop: watch::Receiver<bool>) {
        let Self { kind, writer, mut changes, lists } = self;
        let mut work = Work::new(context.clone(), kind, writer.as_reader(), concurrency);
        let mut seen = std::pin::pin!(objects(context.clone(), kind, writer, lists));
        let mut stop = std::pin::pin!(stopped(stop));
        loop {
            work.begin();
            let wakes_at = work.wakes_at();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(ended) = work.end() => work.ended(ended),
                Some(seen) = seen.next() => work.take(seen),
                Some(key) = changes.next() => work.changed(&key),
                () = tokio::time::sleep_until(wakes_at) => {}
            }
        }
        // Each ends after its current call.
        while work.end().await.is_some() {}
    }
}

/// What happens to the objects of a kind, as far as it is worth a reconcile.
fn objects(
    context: Arc<Context>,
    kind: Kind,
    mut writer: Writer<Stored>,
    lists: Arc<AtomicUsize>,
) -> impl Stream<Item = Seen> + Send + 'static {
    let api: Api<DynamicObject> = Api::all_with(context.dependencies.client.clone(), context.resource(kind));
    let (mut filter, mut held, mut keeper) = (EventFilter::default(), Vec::new(), Keeper::default());
    let (mut listed, seeing) = (false, context.clone());
    watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(move |object| {
            // Whose it is, its labels say.
            seeing.see(object);
            object::lean(object);
        })
        .flat_map(move |event| {
            let mut relevance = Relevance::Ignored;
            if let Ok(event) = &event {
                relevance = filter.evaluate(event);
                writer.apply_watcher_event(&keeper.keep(event, |object| filter.key_of(object)));
            }
            if matches!(event, Ok(Event::InitDone)) && !std::mem::replace(&mut listed, true) {
                // The last kind to be listed makes the operator ready.
                if lists.fetch_sub(1, Ordering::AcqRel) == 1 {
                    context.dependencies.readiness.ready();
                }
            }
            futures::stream::iter(sift(&context, relevance, &mut held, event))
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
    // What a list brings is at hand once the list is complete.
    let mut listed: Option<BTreeMap<String, Labels>> = None;
    while let Some(event) = namespaces.next().await {
        let (now, is_all) = match event {
            Ok(Event::Init) => {
                listed = Some(BTreeMap::new());
                continue;
            }
            Ok(Event::InitApply(namespace)) => {
                listed.get_or_insert_default().insert(namespace.name_any(), namespace.metadata.labels);
                continue;
            }
            Ok(Event::InitDone) => (listed.take().unwrap_or_default(), true),
            Ok(Event::Apply(namespace)) => ([(namespace.name_any(), namespace.metadata.labels)].into(), false),
            Ok(Event::Delete(namespace)) => {
                known.remove(&namespace.name_any());
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "the watch of namespaces broke off and is begun again");
                continue;
            }
        };
        if is_all {
            known.retain(|name, _| now.contains_key(name));
        }
        for (name, labels) in now {
            match known.insert(name.clone(), labels.clone()) {
                None => context.platforms.namespace_found(&name),
                Some(before) if before != labels => context.platforms.namespace_changed(&name),
                Some(_) => {}
            }
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender is gone only when the process ends.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Lets through what is worth a reconcile, and forgets what is gone. What a list brings is `held` until the list is complete:
/// only then is it where the objects are looked up, and the list may be begun anew before that.
fn sift(
    context: &Context,
    relevance: Relevance,
    held: &mut Vec<Seen>,
    event: Result<Event<DynamicObject>, watcher::Error>,
) -> Vec<Seen> {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            tracing::warn!(%error, "the watch of objects broke off and is begun again");
            return Vec::new();
        }
    };
    let mut seen = Vec::new();
    match relevance {
        Relevance::Ignored => {}
        Relevance::Found(key) => seen.push(Seen::Found(key)),
        Relevance::Changed(key) => seen.push(Seen::Changed(key)),
        Relevance::Gone(keys) => {
            for key in &keys {
                context.shard.gone(key);
                context.forget(key);
                if key.kind() == Kind::Project {
                    context.platforms.project_gone(&key.namespace);
                }
            }
            seen.push(Seen::Gone(keys));
        }
    }
    match event {
        Event::InitApply(_) => {
            held.append(&mut seen);
            Vec::new()
        }
        Event::InitDone => {
            let mut all = std::mem::take(held);
            all.append(&mut seen);
            all.push(Seen::Complete);
            all
        }
        Event::Init | Event::Apply(_) | Event::Delete(_) => seen,
    }
}
