//! Watches objects and gives each its passes, until told to stop.

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

use crate::controller::object::Key;
use crate::controller::pass;
use crate::controller::publish::ApiError;
use crate::controller::sieve::{Sieve, Worth};
use crate::controller::world::{Setup, World};
use crate::domain::report::backoff;

/// How many objects one list call asks for.
const PAGE: u32 = 200;

/// Works until `stop` says true, and then until the passes under way have ended, each after its current call.
pub async fn run(setup: Setup, stop: watch::Receiver<bool>) {
    let (changed, changes) = mpsc::unbounded();
    let world = tokio::select! {
        world = World::prepare(setup, changed, stop.clone()) => Arc::new(world),
        () = stopped(stop.clone()) => return,
    };
    let resource = world.resource.clone();
    let writer = reflector::store::Writer::new(resource.clone());
    let reader = writer.as_reader();
    let api: Api<DynamicObject> = Api::all_with(world.setup.client.clone(), &resource);
    let sieve = Mutex::new(Sieve::default());
    let judge = world.clone();
    let objects = watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(strip)
        .reflect(writer)
        .filter_map(move |event| ready(sift(&judge, &sieve, event)));
    let of_kind = resource.clone();
    let asked =
        changes.map(move |Key { namespace, name }| ObjectRef::new_with(&name, of_kind.clone()).within(&namespace));
    Controller::for_stream_with(objects, reader, resource)
        .with_config(ControllerConfig::default().concurrency(world.setup.config.concurrency))
        .reconcile_on(asked)
        .graceful_shutdown_on(stopped(stop))
        .run(pass::run, retry, world)
        .for_each(|result| {
            if let Err(error) = result {
                // An object that vanished between its event and its pass is one of these.
                tracing::debug!(%error, "a pass did not end well");
            }
            ready(())
        })
        .await;
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender is gone only when the process ends.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What the cache has no use for.
fn strip(object: &mut DynamicObject) {
    object.managed_fields_mut().clear();
    object.annotations_mut().remove("kubectl.kubernetes.io/last-applied-configuration");
}

/// Lets through what is worth a pass, and forgets what is gone.
fn sift(
    world: &World,
    sieve: &Mutex<Sieve>,
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
        world.setup.readiness.ready();
    }
    match sieve.lock().unwrap_or_else(PoisonError::into_inner).judge(&event) {
        Worth::Nothing => {}
        Worth::Gone(keys) => keys.iter().for_each(|key| world.forget(key)),
        Worth::Pass => {
            if let Event::Apply(object) | Event::InitApply(object) = event {
                return Some(Ok(object));
            }
        }
    }
    None
}

/// After a call of the Kubernetes API failed.
fn retry(object: Arc<DynamicObject>, error: &ApiError, world: Arc<World>) -> Action {
    tracing::warn!(namespace = object.namespace(), name = object.name_any(), %error, "a pass failed");
    // An object that was forgotten in the meantime stays forgotten.
    let ledger = world.known(&Key::of(&object));
    if error.is_conflict()
        && let Some(ledger) = &ledger
    {
        ledger.outdated();
    }
    let failures = ledger.map_or(1, |ledger| ledger.end(false, true));
    Action::requeue(backoff(failures, (world.setup.chance)()))
}
