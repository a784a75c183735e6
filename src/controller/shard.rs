//! Whose an object is where several operators share a cluster, each with a selector of its own. It stands alone so that the
//! rule is in one place and pure: it is told of objects and of other operators, and asks nobody.
//!
//! A platform is the operator's whose selector its labels match, and so is a project with a platform of its own. A project on
//! a shared platform is the operator's who has that platform; where there is no such platform, it is the operator's whose
//! selector matches an object without labels. What matches the selectors of two operators is worked on by one of them:
//! [`Other::first`] says which.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::core::DynamicObject;
use tokio::sync::watch;

use crate::controller::object::{Key, Kind};
use crate::controller::platforms::platform_of;
use crate::domain::watch_selector::{Labels, WatchSelector};

/// Labels of one object that count, the first by name: whoever may write an object can hang any number on it, and they are kept.
const MOST_LABELS: usize = 128;

/// Another operator of the same namespace, with another selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The name of its Lease.
    pub lease: String,
    pub selector: WatchSelector,
    /// Whether it works on what matches both selectors; otherwise this operator does.
    pub first: bool,
}

/// Which part of the cluster an operator works on, and which other operators there are.
#[derive(Clone, Debug)]
pub struct Sharding {
    pub selector: WatchSelector,
    pub others: watch::Receiver<Vec<Other>>,
}

impl Default for Sharding {
    /// All of it, and nobody else.
    fn default() -> Self {
        Self { selector: WatchSelector::default(), others: watch::channel(Vec::new()).1 }
    }
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Ours,
    /// Another operator's, or nobody's.
    Others,
    /// Its platform is not yet known.
    Unknown,
}

/// What labels say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// The selector does not match.
    None,
    /// It does, and no other one.
    Alone,
    /// It does, and so does that of another operator.
    Shared { ours: bool },
}

impl Match {
    fn owner(self) -> Owner {
        match self {
            Self::Alone | Self::Shared { ours: true } => Owner::Ours,
            Self::None | Self::Shared { ours: false } => Owner::Others,
        }
    }
}

/// What is kept of a platform, or of a project with a platform of its own.
struct Seen {
    found: Match,
    /// Its labels, where the selector matches; the others' selectors may change.
    labels: Box<[(String, String)]>,
}

/// Objects that match another operator's selector, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    pub other: Other,
    pub count: usize,
    /// One of them.
    pub example: Key,
}

/// Whose each object is.
pub struct Shard {
    selector: WatchSelector,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    others: Vec<Other>,
    seen: BTreeMap<Key, Seen>,
}

impl Shard {
    pub fn new(selector: WatchSelector, others: Vec<Other>) -> Self {
        Self { selector, state: Mutex::new(State { others, seen: BTreeMap::new() }) }
    }

    pub fn selector(&self) -> &WatchSelector {
        &self.selector
    }

    /// Whether anything may be another operator's.
    pub fn is_divided(&self) -> bool {
        !self.selector.selects_all() || !self.state().others.is_empty()
    }

    /// Whose a platform with these labels is.
    pub fn owns_platform(&self, labels: &Labels) -> Owner {
        self.found(&self.state().others, &counted(labels)).owner()
    }

    /// Whose a project is: by its own labels where it names no platform, otherwise by the platform that it names. `listed`:
    /// whether all platforms were seen that there are.
    pub fn owns_project(&self, labels: &Labels, platform: Option<&str>, listed: bool) -> Owner {
        match platform {
            Some(platform) => self.of_platform(&self.state(), platform, listed).unwrap_or(Owner::Unknown),
            None => self.owns_platform(labels),
        }
    }

    /// Whose an object is that was seen, labels and all.
    pub fn owner(&self, object: &DynamicObject, listed: bool) -> Owner {
        self.owner_of(&Key::of(object), platform_of(object), listed)
    }

    /// Whose an object of this key is that was seen, one that names this platform, if it names any.
    pub fn owner_of(&self, key: &Key, platform: Option<&str>, listed: bool) -> Owner {
        let state = self.state();
        let found = match platform.filter(|_| key.kind() == Kind::Project) {
            None => state.seen.get(key).map(|seen| seen.found.owner()),
            Some(platform) => self.of_platform(&state, platform, listed),
        };
        found.unwrap_or(Owner::Unknown)
    }

    /// Takes note of an object with all its labels. Whether it is somebody else's now than before, or whether the projects
    /// are that name it.
    pub fn see(&self, object: &DynamicObject, listed: bool) -> bool {
        if !of_labels(object) {
            return false;
        }
        let (key, empty) = (Key::of(object), Labels::new());
        let labels = counted(object.metadata.labels.as_ref().unwrap_or(&empty));
        let mut state = self.state();
        let found = self.found(&state.others, &labels);
        let before = match key.kind() {
            Kind::Platform => self.of_platform(&state, &key.name, listed),
            Kind::Project => state.seen.get(&key).map(|seen| seen.found.owner()),
        };
        let labels = match found {
            Match::None => Box::default(),
            Match::Alone | Match::Shared { .. } => labels.into_owned().into_iter().collect(),
        };
        state.seen.insert(key, Seen { found, labels });
        before.is_some_and(|before| before != found.owner())
    }

    /// An object is gone from the cluster.
    pub fn gone(&self, key: &Key) {
        self.state().seen.remove(key);
    }

    /// The other operators are these now.
    pub fn meet(&self, others: Vec<Other>) {
        let mut state = self.state();
        for seen in state.seen.values_mut().filter(|seen| seen.found != Match::None) {
            seen.found = shared(&others, &seen.labels.iter().cloned().collect());
        }
        state.others = others;
    }

    /// What the other operators match, too, by operator.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let state = self.state();
        let mut overlaps: Vec<Overlap> = Vec::new();
        for other in &state.others {
            let both = |seen: &Seen| {
                matches!(seen.found, Match::Shared { .. })
                    && other.selector.selects(&seen.labels.iter().cloned().collect())
            };
            let mut keys = state.seen.iter().filter(|(_, seen)| both(seen)).map(|(key, _)| key);
            if let Some(example) = keys.next() {
                overlaps.push(Overlap { other: other.clone(), count: 1 + keys.count(), example: example.clone() });
            }
        }
        overlaps
    }

    /// How many objects match the selectors of two operators.
    pub fn shared(&self) -> usize {
        self.state().seen.values().filter(|seen| matches!(seen.found, Match::Shared { .. })).count()
    }

    fn found(&self, others: &[Other], labels: &Labels) -> Match {
        if self.selector.selects(labels) { shared(others, labels) } else { Match::None }
    }

    /// Whose projects are that name a platform; `None`: not yet known.
    fn of_platform(&self, state: &State, name: &str, listed: bool) -> Option<Owner> {
        let key = Key::of_platform(name);
        match state.seen.get(&key) {
            Some(seen) => Some(seen.found.owner()),
            // Where there is nobody else, nothing depends on it.
            None if listed || (self.selector.selects_all() && state.others.is_empty()) => {
                Some(self.found(&state.others, &Labels::new()).owner())
            }
            None => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The labels that count, at the first look as at all later ones: all operators judge an object by the same ones.
fn counted(labels: &Labels) -> Cow<'_, Labels> {
    if labels.len() <= MOST_LABELS {
        return Cow::Borrowed(labels);
    }
    Cow::Owned(labels.iter().take(MOST_LABELS).map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// What the labels of an object say that matches this operator's selector.
fn shared(others: &[Other], labels: &Labels) -> Match {
    let mut both = others.iter().filter(|other| other.selector.selects(labels)).peekable();
    if both.peek().is_none() { Match::Alone } else { Match::Shared { ours: !both.any(|other| other.first) } }
}

/// Whether the labels of an object say whose it is: a project that names a platform goes with that.
fn of_labels(object: &DynamicObject) -> bool {
    Key::of(object).kind() == Kind::Platform || platform_of(object).is_none()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kube::core::ApiResource;
    use serde_json::json;

    use super::Owner::{Others, Ours, Unknown};
    use super::*;
    use crate::crd::{MlopsPlatform, MlopsProject};

    fn labels(text: &str) -> Labels {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn platform(name: &str, text: &str) -> DynamicObject {
        let mut object = DynamicObject::new(name, &ApiResource::erase::<MlopsPlatform>(&()));
        object.metadata.labels = Some(labels(text));
        object
    }

    fn project(name: &str, text: &str, platform: Option<&str>) -> DynamicObject {
        let mut object = DynamicObject::new(name, &ApiResource::erase::<MlopsProject>(&())).within("team");
        object.metadata.labels = Some(labels(text));
        object.data = match platform {
            Some(name) => json!({"spec": {"platformRef": {"name": name}}}),
            None => json!({"spec": {"platform": {}}}),
        };
        object
    }

    fn shard(selector: &str) -> Shard {
        Shard::new(selector.parse().unwrap(), Vec::new())
    }

    fn other(selector: &str, first: bool) -> Other {
        let selector: WatchSelector = selector.parse().unwrap();
        Other { lease: selector.lease(), selector, first }
    }

    #[test]
    fn whose_an_object_is() {
        let rows = [
            ("a platform whose labels match", "s=a", platform("x", "s=a"), Ours),
            ("a platform whose labels do not", "s=a", platform("x", "s=b"), Others),
            ("a platform without labels", "s=a", platform("x", ""), Others),
            ("a platform without labels, where that matches", "s!=a", platform("x", ""), Ours),
            ("any platform, without a selector", "", platform("x", "s=b"), Ours),
            ("a project with a platform of its own, by its labels", "s=a", project("p", "s=a", None), Ours),
            ("the same with other labels", "s=a", project("p", "s=b", None), Others),
            ("a project on our platform, whatever its labels", "s=a", project("p", "s=b", Some("ours")), Ours),
            (
                "a project on another's platform, whatever its labels",
                "s=a",
                project("p", "s=a", Some("theirs")),
                Others,
            ),
            ("a project of a platform that is not there", "s=a", project("p", "s=a", Some("none")), Others),
            ("the same for whoever has objects without labels", "s!=a", project("p", "s=a", Some("none")), Ours),
        ];
        for (case, selector, object, wanted) in rows {
            let shard = shard(selector);
            shard.see(&platform("ours", "s=a"), false);
            shard.see(&platform("theirs", "s=b"), false);
            shard.see(&object, true);
            assert_eq!(shard.owner(&object, true), wanted, "{case}");
            let labels = object.metadata.labels.clone().unwrap();
            assert_eq!(shard.owns_project(&labels, platform_of(&object), true), wanted, "{case}: by its labels now");
        }
    }

    #[test]
    fn labels_beyond_the_first_128_count_for_nobody_whenever_they_are_judged() {
        let many = |count: usize| (0..count).map(|one| (format!("l{one:03}"), String::new()));
        let with = |labels: Labels, mut object: DynamicObject| {
            object.metadata.labels = Some(labels);
            object
        };
        let rows = [
            ("the last that counts", "z", 127, Ours),
            ("one too many", "z", 128, Others),
            ("one too many that must be absent", "!z", 128, Ours),
        ];
        for (case, selector, before, wanted) in rows {
            let labels: Labels = many(before).chain([("z".to_owned(), String::new())]).collect();
            for object in [platform("x", ""), project("p", "", None)] {
                let (shard, object) = (shard(selector), with(labels.clone(), object));
                shard.see(&object, true);
                assert_eq!(shard.owner(&object, true), wanted, "{case}: as it was seen");
                assert_eq!(shard.owns_platform(&labels), wanted, "{case}: a platform by its labels now");
                assert_eq!(shard.owns_project(&labels, None, true), wanted, "{case}: a project by its labels now");
            }
            let (early, late) = (Shard::new(WatchSelector::default(), vec![other(selector, true)]), shard(""));
            let object = with(labels, platform("x", ""));
            for shard in [&early, &late] {
                shard.see(&object, true);
            }
            late.meet(vec![other(selector, true)]);
            let theirs = if wanted == Ours { Others } else { Ours };
            assert_eq!(
                (early.owner(&object, true), late.owner(&object, true)),
                (theirs, theirs),
                "{case}: by another's selector"
            );
        }
    }

    #[test]
    fn before_all_platforms_are_known_nobody_has_the_projects_of_those_that_are_not() {
        let on_none = project("p", "", Some("none"));
        let rows = [
            ("s=a", false, Unknown),
            ("s!=a", false, Unknown),
            ("s=a", true, Others),
            ("s!=a", true, Ours),
            ("", false, Ours),
        ];
        for (selector, listed, wanted) in rows {
            assert_eq!(shard(selector).owner(&on_none, listed), wanted, "{selector:?}, listed: {listed}");
        }
        assert_eq!(Shard::new(WatchSelector::default(), vec![other("s=a", true)]).owner(&on_none, false), Unknown);
    }

    #[test]
    fn what_turns_is_told_once() {
        let shard = shard("s=a");
        let at_start = |object: &DynamicObject| shard.see(object, false);
        assert!(
            !at_start(&platform("x", "s=a")) && !at_start(&project("p", "s=a", None)),
            "their own events bring them"
        );
        let rows = [
            ("a platform as before", platform("x", "s=a"), false),
            ("with another label", platform("x", "s=a,t=b"), false),
            ("that stops to match", platform("x", "s=b"), true),
            ("that is seen again", platform("x", "s=b"), false),
            ("that matches again", platform("x", "s=a"), true),
            ("a project that stops to match", project("p", "", None), true),
            ("a new project", project("q", "s=a", None), false),
            ("a new platform of another", platform("y", "s=b"), false),
            ("a new platform of ours, whose projects were another's", platform("z", "s=a"), true),
            ("a project on a platform", project("r", "s=a", Some("x")), false),
        ];
        for (case, object, turns) in rows {
            assert_eq!(shard.see(&object, true), turns, "{case}");
        }
        let on_x = project("r", "", Some("x"));
        assert_eq!(shard.owner(&on_x, true), Ours);
        shard.gone(&Key::of(&platform("x", "")));
        assert_eq!(shard.owner(&on_x, true), Others, "its platform is gone");
    }

    #[test]
    fn of_two_operators_one_works_on_what_both_match() {
        let rows = [
            ("nobody else", vec![], Ours, 0),
            ("another that does not match", vec![other("s=b", true)], Ours, 0),
            ("another that matches and goes after", vec![other("t", false)], Ours, 1),
            ("another that matches and goes first", vec![other("t", true)], Others, 1),
            ("two of which one goes first", vec![other("t", false), other("", true)], Others, 1),
        ];
        for (case, others, wanted, count) in rows {
            let object = platform("x", "s=a,t=1");
            let (early, late) = (Shard::new("s=a".parse().unwrap(), others.clone()), shard("s=a"));
            for shard in [&early, &late] {
                shard.see(&object, true);
                shard.see(&platform("y", "t=1"), true);
            }
            late.meet(others.clone());
            for (shard, known) in [(early, "known before"), (late, "known after")] {
                assert_eq!(shard.owner(&object, true), wanted, "{case}, {known}");
                assert_eq!(shard.owner(&project("p", "", Some("x")), true), wanted, "{case}, {known}: a project on it");
                assert_eq!(shard.shared(), count, "{case}, {known}");
                let both = others.iter().filter(|other| other.selector.selects(&labels("s=a,t=1"))).count();
                assert_eq!(shard.overlaps().len(), both, "{case}, {known}");
            }
        }
    }
}
