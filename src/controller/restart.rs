//! What an operator that has just started need not look at in its first moment: objects that were as declared when the one
//! before it stopped. Their first looks are spread over the time between two deep checks, so that a restart costs no more
//! calls than an hour without one. What was changed while no operator ran is no such object.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::core::DynamicObject;

use crate::controller::context::Context;
use crate::controller::object::{self, Key, Kind};
use crate::controller::reference_watch::Named;
use crate::controller::shard::Owner;
use crate::controller::{dereference, platforms};
use crate::domain::requeue::DEEP_CHECK;
use crate::domain::seal;
use crate::domain::validate::{parse, parse_platform};

/// The first moment after a start belongs to what has changed meanwhile.
const QUIET: Duration = Duration::from_mins(1);

/// After how long an object that was there at the start is looked at first; `None`: at once. One that is left alone is counted
/// as its status says, and what it names is watched, so that a Secret that changes brings it back as always.
pub(super) fn first_look(context: &Context, object: &DynamicObject) -> Option<Duration> {
    if context.owner(object) != Owner::Ours || !is_as_it_was(context, object) {
        return None;
    }
    let named = named(context, object)?;
    context.references.refer(&Key::of(object), &named);
    let memory = context.memory(object);
    let ready = || Some("True".to_owned());
    context.dependencies.metrics.ready_turned(memory.turn_ready(ready()).as_deref(), ready().as_deref());
    Some(QUIET + (DEEP_CHECK - QUIET).mul_f64((context.dependencies.chance)().clamp(0.0, 1.0)))
}

/// Whether the operator before this one has left it as it is declared, and nobody has asked for anything since.
fn is_as_it_was(context: &Context, object: &DynamicObject) -> bool {
    let owner = Key::of(object).owner(&context.cluster);
    let uid = object.uid().unwrap_or_default();
    object.metadata.deletion_timestamp.is_none()
        && object::is_finalized(&object.metadata)
        && object::is_ready(object)
        && seal::holds(&context.fingerprints, &owner, &uid, &object::status(object))
        && !is_asked_for(object, context.dependencies.clock.now())
}

/// Whether somebody has asked for a look that may not have been taken: the status does not say which was the last.
fn is_asked_for(object: &DynamicObject, now: Timestamp) -> bool {
    let old = |asked: &String| {
        let asked: Result<Timestamp, _> = asked.parse();
        let limit = SignedDuration::try_from(DEEP_CHECK).unwrap_or_default();
        asked.is_ok_and(|asked| now.duration_since(asked) > limit)
    };
    object.annotations().get(object::REQUESTED_AT).is_some_and(|asked| !old(asked))
}

/// The Secrets and ConfigMaps that it names; `None`: its spec cannot be used.
fn named(context: &Context, object: &DynamicObject) -> Option<Named> {
    let (key, spec) = (Key::of(object), object::spec(object));
    let owner = key.owner(&context.cluster);
    if key.kind() == Kind::Platform {
        let (_, parsed) = parse_platform(&owner, &context.seals, spec).ok()?;
        return Some(dereference::platform_sources(&context.dependencies.namespace, &parsed));
    }
    if platforms::platform_of(object).is_some() {
        // The rest of what it is made with is its platform's.
        let mut named = Named::new();
        dereference::name_sent(&mut named, &dereference::sent(context, &key, spec));
        return Some(named);
    }
    parse(&owner, &context.seals, spec).ok().map(|parsed| dereference::sources(&key, &parsed))
}
