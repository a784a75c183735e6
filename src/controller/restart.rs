//! What an operator that has just started need not look at in its first moment: objects that were as declared when the one
//! before it stopped. Their first looks are spread over the time between two deep checks, so that a restart costs no more
//! calls than an hour without one. An object that was changed, deleted or asked for while no operator ran is no such object; what
//! changed meanwhile elsewhere, such as a Secret or the labels of a namespace, is found at that first look.

use std::hash::{DefaultHasher, Hash, Hasher};
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
    context.memory(object);
    let (name, now) = (Key::of(object).metric_name(), context.dependencies.clock.now());
    context.dependencies.metrics.stands(name, object::created(object), &object::status(object).conditions, now);
    Some(until_turn(&object.uid().unwrap_or_default(), now))
}

/// How long it is until an object's own moment within the hour: the same after each restart, so that none is put off again and
/// again by restarts that follow each other.
fn until_turn(uid: &str, now: Timestamp) -> Duration {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    let period = DEEP_CHECK.as_secs().max(1);
    let since = u64::try_from(now.as_second()).unwrap_or_default() % period;
    let wait = Duration::from_secs((hasher.finish() % period + period - since) % period);
    if wait < QUIET { wait + QUIET } else { wait }
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
        && !platforms::platform_of(object).is_some_and(|platform| context.platforms.has_news(platform))
}

/// Whether somebody has asked for a look that may not have been taken: the status does not say which was the last.
fn is_asked_for(object: &DynamicObject, now: Timestamp) -> bool {
    let lately = |asked: &String| {
        let limit = SignedDuration::try_from(DEEP_CHECK).unwrap_or_default();
        // What is no time may have been written at any moment.
        asked.parse::<Timestamp>().map_or(true, |asked| now.duration_since(asked).abs() <= limit)
    };
    object.annotations().get(object::REQUESTED_AT).is_some_and(lately)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_its_own_moment_whenever_the_operator_starts() {
        let at = |seconds| Timestamp::from_second(1_772_000_000 + seconds).unwrap_or_default();
        let moment = |uid: &str, start: i64| until_turn(uid, at(start)).as_secs() as i64 + start;
        let (first, second) = (moment("a", 0), moment("a", moment("a", 0) - 600));
        assert_eq!(first, second, "a later start changes nothing");
        assert_ne!(moment("b", 0), first);
        for uid in 0..500 {
            let wait = until_turn(&uid.to_string(), at(0));
            assert!((QUIET..DEEP_CHECK).contains(&wait), "{wait:?}");
        }
    }
}
