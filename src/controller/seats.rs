//! Which projects have a seat on a platform that takes so many of one namespace. What has begun has one, as its finalizer
//! shows. What is found valid takes one at that moment, before the watch shows its finalizer, so that two that are judged at
//! once do not both take the last. It is not remembered over a restart: then what has begun has a seat, and of the others
//! the oldest comes first, unless it is refused for another reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::core::DynamicObject;
use kube::runtime::reflector::Store;

use crate::controller::object::{self, Key};
use crate::controller::stored::Stored;

/// See the module.
#[derive(Default)]
pub struct Seats {
    judged: Mutex<Judged>,
}

#[derive(Default)]
struct Judged {
    /// The platform on which a project has taken a seat.
    taken: BTreeMap<Key, String>,
    /// Projects that were refused for another reason: they come before nobody.
    refused: BTreeSet<Key>,
}

impl Seats {
    /// Takes a seat for a project on a platform that takes so many of one namespace, unless as many others of the namespace
    /// have one or come before it. One that has taken a seat gives it up only for older ones.
    pub fn take(&self, projects: &Store<Stored>, project: &DynamicObject, platform: &str, most: usize) -> bool {
        let key = Key::of(project);
        let mine = (project.metadata.creation_timestamp.as_ref().map(|time| time.0), key.name.as_str());
        // Held until the end: who is judged at the same time sees what comes of this.
        let mut judged = self.judged();
        let Judged { taken, refused } = &mut *judged;
        refused.remove(&key);
        let has_taken = |key: &Key| taken.get(key).is_some_and(|on| on == platform);
        let has = object::is_finalized(&project.metadata) || has_taken(&key);
        let comes_before = |other: &Stored| {
            if !other.is_beside(&key) || !other.stands_on(platform) || other.is_let_go() {
                return false;
            }
            let other_key = other.key();
            let is_older = other.age() < mine && !refused.contains(&other_key);
            let sits = has_taken(&other_key);
            other.is_finalized || if has { sits && is_older } else { sits || is_older }
        };
        let is_free = projects.state_filter(comes_before).len() < most;
        if is_free {
            taken.insert(key, platform.to_owned());
        } else {
            taken.remove(&key);
        }
        is_free
    }

    /// A project needs the seat no more that it has taken.
    pub fn give_up(&self, project: &Key) {
        let mut judged = self.judged();
        judged.taken.remove(project);
        judged.refused.remove(project);
    }

    /// The same of one that was refused for another reason than that there is no seat; whether that is new.
    pub fn refuse(&self, project: &Key) -> bool {
        let mut judged = self.judged();
        judged.taken.remove(project);
        judged.refused.insert(project.clone())
    }

    fn judged(&self) -> MutexGuard<'_, Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use kube::core::ApiResource;
    use kube::runtime::reflector::store::Writer;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::controller::object::{FINALIZER, Kind};
    use crate::crd::MlopsProject;

    /// A project on the platform `main` that was made at that second.
    fn project(namespace: &str, name: &str, second: i64) -> DynamicObject {
        let resource = ApiResource::erase::<MlopsProject>(&());
        let mut project = DynamicObject::new(name, &resource).within(namespace);
        project.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
        project.data = json!({"spec": {"platformRef": {"name": "main"}}});
        project
    }

    fn begun(mut project: DynamicObject) -> DynamicObject {
        project.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        project
    }

    fn let_go(mut project: DynamicObject) -> DynamicObject {
        project.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
        project.metadata.deletion_timestamp = Some(Time(Timestamp::from_second(9).unwrap()));
        project
    }

    fn watched(projects: &[DynamicObject]) -> Writer<Stored> {
        let mut writer = Writer::new(Kind::Project);
        for project in projects {
            writer.apply_watcher_event(&Event::Apply(Stored::of(project)));
        }
        writer
    }

    #[test]
    fn of_those_that_have_taken_no_seat_the_oldest_comes_first() {
        let mine = || project("ml-team", "m", 5);
        let rows = [
            ("alone", vec![], true),
            ("after an older one", vec![project("ml-team", "z", 4)], false),
            ("before a younger one", vec![project("ml-team", "a", 6)], true),
            ("made in the same second, by name", vec![project("ml-team", "a", 5)], false),
            ("a younger one that has begun", vec![begun(project("ml-team", "z", 6))], false),
            ("an older one of another namespace", vec![begun(project("other", "a", 4))], true),
            ("an older one that somebody else holds", vec![let_go(project("ml-team", "a", 4))], true),
        ];
        for (case, others, expected) in rows {
            let writer = watched(&[others, vec![mine()]].concat());
            assert_eq!(Seats::default().take(&writer.as_reader(), &mine(), "main", 1), expected, "{case}");
        }
    }

    #[test]
    fn the_last_seat_is_taken_once_whatever_the_watch_has_shown() {
        let (older, younger) = (project("ml-team", "a", 4), project("ml-team", "b", 5));
        let seats = Seats::default();
        let mut writer = watched(std::slice::from_ref(&younger));
        assert!(seats.take(&writer.as_reader(), &younger, "main", 1), "the other one is not yet known");
        writer.apply_watcher_event(&Event::Apply(Stored::of(&older)));
        assert!(!seats.take(&writer.as_reader(), &older, "main", 1), "no finalizer shows, and there is no seat left");
        assert!(seats.take(&writer.as_reader(), &younger, "main", 1), "who has a seat keeps it");
        assert!(seats.take(&writer.as_reader(), &older, "other", 1), "a seat is one platform's");
        seats.give_up(&Key::of(&older));
        seats.give_up(&Key::of(&younger));
        assert!(!seats.take(&writer.as_reader(), &younger, "main", 1), "without one, the older comes first");
        assert!(seats.take(&writer.as_reader(), &older, "main", 1));
    }

    #[test]
    fn an_older_one_that_is_refused_for_another_reason_takes_no_seat() {
        let (older, younger) = (project("ml-team", "a", 4), project("ml-team", "b", 5));
        let (seats, writer) = (Seats::default(), watched(&[older.clone(), younger.clone()]));
        assert!(!seats.take(&writer.as_reader(), &younger, "main", 1));
        assert!(seats.refuse(&Key::of(&older)), "that is news to those that come after it");
        assert!(!seats.refuse(&Key::of(&older)));
        assert!(seats.take(&writer.as_reader(), &younger, "main", 1));
        assert!(!seats.take(&writer.as_reader(), &older, "main", 1), "it was corrected too late");
        seats.give_up(&Key::of(&younger));
        assert!(!seats.take(&writer.as_reader(), &younger, "main", 1), "and is in its place again");
    }

    #[test]
    fn where_fewer_are_taken_than_before_the_older_keep_their_seats() {
        let (older, younger) = (project("ml-team", "a", 4), project("ml-team", "b", 5));
        let (seats, writer) = (Seats::default(), watched(&[older.clone(), younger.clone()]));
        assert!(seats.take(&writer.as_reader(), &older, "main", 2));
        assert!(seats.take(&writer.as_reader(), &younger, "main", 2));
        assert!(seats.take(&writer.as_reader(), &older, "main", 1));
        assert!(!seats.take(&writer.as_reader(), &younger, "main", 1));
    }

    #[test]
    fn after_a_restart_what_has_begun_has_its_seat() {
        let (older, younger) = (project("ml-team", "a", 4), begun(project("ml-team", "b", 5)));
        let (seats, writer) = (Seats::default(), watched(&[older.clone(), younger.clone()]));
        assert!(!seats.take(&writer.as_reader(), &older, "main", 1));
        assert!(seats.take(&writer.as_reader(), &younger, "main", 1), "it went away before its placement was written");
    }
}
