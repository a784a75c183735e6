//! Watches objects and reconciles each that changed, until told to stop.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::ready;
use kube::core::DynamicObject;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Config as ControllerConfig, WatchStreamExt};
use kube::{Api, ResourceExt};
use tokio::sync::watch;

use crate::controller::api::ApiError;
use crate::controller::context::{Context, Dependencies};
use crate::controller::object::{self, Key};
use crate::controller::predicate::{EventFilter, Relevance};
use crate::controller::reconcile;
use crate::controller::startup::Installation;
use crate::domain::requeue::backoff;

/// How many objects one list call asks for: each may have a megabyte before [`object::lean`] has seen it.
const PAGE: u32 = 50;

/// Works until `stop` says true, and then until the reconciles under way have ended, each after its current call.
pub async fn run(dependencies: Dependencies, stop: watch::Receiver<bool>) {
    let (changed, changes) = mpsc::unbounded();
    let installation = tokio::select! {
        installation = Installation::find(&dependencies) => installation,
        () = stopped(stop.clone()) => return,
    };
    let context = Arc::new(Context::new(dependencies, installation, changed, stop.clone()));
    let resource = context.resource.clone();
    let writer = reflector::store::Writer::new(resource.clone());
    let reader = writer.as_reader();
    let api: Api<DynamicObject> = Api::all_with(context.dependencies.client.clone(), &resource);
    let filter = Mutex::new(EventFilter::default());
    let shared = context.clone();
    let objects = watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(object::lean)
        .reflect(writer)
        .filter_map(move |event| ready(sift(&shared, &filter, event)));
    let of_kind = resource.clone();
    let asked =
        changes.map(move |Key { namespace, name }| ObjectRef::new_with(&name, of_kind.clone()).within(&namespace));
    Controller::for_stream_with(objects, reader, resource)
        .with_config(ControllerConfig::default().concurrency(context.dependencies.config.concurrency))
        .reconcile_on(asked)
        .graceful_shutdown_on(stopped(stop))
        .run(reconcile::run, retry, context)
        .for_each(|result| {
            if let Err(error) = result {
                // An object that vanished between its event and its reconcile is one of these.
                tracing::debug!(%error, "a reconcile did not end well");
            }
            ready(())
        })
        .await;
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
    if matches!(event, Event::InitDone) {
        context.dependencies.readiness.ready();
    }
    match filter.lock().unwrap_or_else(PoisonError::into_inner).evaluate(&event) {
        Relevance::Ignored => {}
        Relevance::Gone(keys) => keys.iter().for_each(|key| context.forget(key)),
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
