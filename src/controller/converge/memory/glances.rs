//! What one process remembers of the glances at an object's resources, and when everything of the object is looked at next.
//! It stands alone since it alone decides what may be confirmed without an observation. It asks nobody.

use std::any::Any;
use std::time::Duration;

use jiff::Timestamp;

use super::{Kept, ObjectMemory};
use crate::adapters::sharing::AGE;
use crate::domain::external_resource::{Glance, ResourceKind};
use crate::domain::requeue::{DEEP_CHECK, TOLERANCE, shortened, since_shallow_check};
use crate::domain::time::{Moment, elapsed};

/// For how long lists alone may confirm a resource: what they do not show of it is found after that.
const LISTS_SUFFICE: Duration = Duration::from_hours(24);
/// How soon everything is looked at where a glance has shown something.
const SOON: Duration = Duration::from_secs(1);

/// The glances at one resource.
#[derive(Default)]
pub(super) struct Glances {
    /// The one right before the observation that is under way.
    pub(super) before: Option<Box<Glance>>,
    /// When the last one was.
    last: Option<Moment>,
    /// When something was last done to the resource: a list of before that shows what is no more.
    acted: Option<Moment>,
    /// How it stood when it was last seen not to stand well: an observation has judged that already.
    unwell: Option<u64>,
}

impl Glances {
    /// Something was done to the resource.
    pub(super) fn acted(&mut self, now: Timestamp) {
        *self = Self { acted: Some(now.into()), last: self.last, ..Self::default() };
    }

    /// Nothing that was seen counts any more; what was done has been done.
    pub(super) fn forget(&mut self) {
        *self = Self { acted: self.acted, ..Self::default() };
    }
}

impl ObjectMemory {
    /// Begins a look at all resources of the object. Once the deep check is due, nothing is taken for granted any more, and the
    /// next one is after an hour that `chance`, a random number in 0..1, shortens.
    pub fn begin_look(&self, is_routine: bool, now: Timestamp, chance: f64) {
        let mut state = self.state();
        // The second half is a clock that was set back.
        let is_ahead = |at: Timestamp| elapsed(now, at) > TOLERANCE && elapsed(now, at) <= DEEP_CHECK;
        let is_due = !state.deep_check.is_some_and(is_ahead);
        // Where a resource is not as declared, something may be done: for that it must be known whose account this is.
        let is_settled = state.kinds.values().all(|kind| kind.kept.is_some() || kind.inputs.is_none());
        state.between = is_routine && !is_due && is_settled;
        if is_due {
            if let Some(account) = state.kinds.get_mut(&ResourceKind::Prerequisites) {
                account.kept = None;
            }
            state.deep_check = now.saturating_add(shortened(DEEP_CHECK, chance)).ok();
            for kept in state.kinds.values_mut().filter_map(|kind| kind.kept.as_mut()) {
                kept.until = now.into();
            }
        }
    }

    /// How long it is until everything is looked at: a second at least, whatever has happened.
    pub fn until_deep_check(&self, now: Timestamp) -> Duration {
        self.state().deep_check.map_or(DEEP_CHECK, |at| elapsed(now, at).clamp(SOON, DEEP_CHECK))
    }

    /// Everything is to be looked at soon: something has happened to the object.
    pub fn look_anew(&self, now: Timestamp) {
        self.state().deep_check = Some(now);
    }

    /// Whether it is time for a glance at a resource that is taken for granted: nothing was seen of it since it has been time
    /// for lists. A list that was asked for since then is younger than all that is known.
    pub fn is_glance_due(&self, kind: ResourceKind, now: Timestamp) -> bool {
        self.of(kind, |state| {
            let Some(kept) = &state.kept else { return false };
            // What lies ahead is of a clock that was set back.
            let seen = [Some(kept.at), state.glances.last].into_iter().flatten().map(Timestamp::from);
            let seen = seen.filter(|seen| *seen <= now).max();
            seen.is_none_or(|seen| elapsed(seen, now) > since_shallow_check(now))
        })
    }

    /// Notes a glance at a resource that is taken for granted. Answers whether it must be observed.
    pub fn glanced(&self, kind: ResourceKind, glance: Option<Glance>, now: Timestamp) -> bool {
        self.of(kind, |state| {
            let Some(glance) = glance else { return false };
            state.glances.last = Some(now.into());
            let before = std::mem::replace(&mut state.glances.unwell, (!glance.well).then_some(glance.standing));
            !glance.well && before != Some(glance.standing)
        })
    }

    /// What a resource hands on of which lists show all, and nothing else than right before it was last observed to be as it
    /// should be: it is taken for granted until the next deep check. Otherwise the glance is kept with what the observation
    /// finds.
    pub fn confirmed<O: Clone + 'static>(
        &self,
        kind: ResourceKind,
        glance: Option<Glance>,
        now: Timestamp,
    ) -> Option<O> {
        let mut state = self.state();
        let deep_check = state.deep_check;
        let of_kind = state.kinds.entry(kind).or_default();
        // No list is older than that.
        let is_newer = of_kind.glances.acted.is_none_or(|acted| elapsed(acted.into(), now) > AGE);
        of_kind.glances.before = glance.filter(|_| is_newer).map(Box::new);
        let glance = of_kind.glances.before.as_ref().filter(|glance| glance.well && glance.whole.is_some())?;
        let holds = |kept: &&mut Kept| !kept.passing && elapsed(kept.observed.into(), now) < LISTS_SUFFICE;
        let kept = of_kind.kept.as_mut().filter(holds).filter(|kept| kept.glance.as_ref() == Some(glance))?;
        let output = kept.output.as_ref().and_then(|output| <dyn Any>::downcast_ref::<O>(output.as_ref()).cloned())?;
        (kept.at, kept.until) = (now.into(), deep_check?.into());
        of_kind.unsettled.forget_fault();
        Some(output)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KIND: ResourceKind = ResourceKind::SagemakerProject;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    fn glance(standing: u64, well: bool, whole: Option<u64>) -> Option<Glance> {
        Some(Glance { standing, well, whole })
    }

    /// A memory of a resource that was observed in sync in minute 0, right after that glance.
    fn observed(glance: Option<Glance>) -> ObjectMemory {
        let memory = ObjectMemory::default();
        memory.begin("1");
        memory.begin_look(true, at(0), 0.0);
        assert_eq!(memory.confirmed::<i32>(KIND, glance, at(0)), None, "nothing was observed yet");
        memory.keep(KIND, Some(&7), false, at(0));
        memory
    }

    #[test]
    fn what_is_taken_for_granted_is_so_until_the_deep_check() {
        let memory = observed(None);
        for (minute, known) in [(10, true), (59, true), (60, false)] {
            memory.begin_look(true, at(minute), 0.0);
            assert_eq!(memory.kept::<i32>(KIND, at(minute)).is_some(), known, "minute {minute}");
        }
        assert_eq!(memory.until_deep_check(at(70)), Duration::from_mins(50));
        memory.look_anew(at(70));
        assert_eq!(memory.until_deep_check(at(70)), SOON);
        memory.begin_look(true, at(71), 1.0);
        assert_eq!(memory.until_deep_check(at(71)), Duration::from_mins(45), "chance shortens by a quarter at most");
        memory.begin_look(true, at(-500), 0.0);
        assert_eq!(memory.until_deep_check(at(-500)), DEEP_CHECK, "a clock that was set back");
    }

    #[test]
    fn a_glance_confirms_what_lists_show_unchanged_and_whole() {
        let all = glance(1, true, Some(2));
        let rows = [
            ("nothing has happened", all, all, true),
            ("a field is different", all, glance(1, true, Some(3)), false),
            ("it stands differently", all, glance(4, true, Some(2)), false),
            ("lists do not show everything", glance(1, true, None), glance(1, true, None), false),
            ("it does not stand well", glance(1, false, Some(2)), glance(1, false, Some(2)), false),
            ("the lists could not be read before", None, all, false),
            ("the lists cannot be read now", all, None, false),
        ];
        for (name, before, now, confirmed) in rows {
            let memory = observed(before);
            memory.begin_look(true, at(60), 0.0);
            assert_eq!(memory.confirmed(KIND, now, at(60)), confirmed.then_some(7), "{name}");
            assert_eq!(memory.kept::<i32>(KIND, at(61)).is_some(), confirmed, "{name}");
        }
    }

    #[test]
    fn what_has_changed_in_kubernetes_is_confirmed_by_no_glance() {
        let all = glance(1, true, Some(2));
        type Change = (&'static str, fn(&ObjectMemory));
        let changes: [Change; 4] = [
            ("the spec", |memory| memory.begin("2")),
            ("what it is made from", |memory| {
                memory.made_from(KIND, 1);
                memory.keep(KIND, Some(&7), false, at(0));
                memory.made_from(KIND, 2);
            }),
            ("it is doubted", |memory| memory.doubt(KIND)),
            ("something about it may pass", |memory| memory.keep(KIND, Some(&7), true, at(1))),
        ];
        for (name, change) in changes {
            let memory = observed(all);
            change(&memory);
            memory.begin_look(true, at(60), 0.0);
            assert_eq!(memory.confirmed::<i32>(KIND, all, at(60)), None, "{name}");
        }
    }

    #[test]
    fn between_deep_checks_a_resource_that_does_not_stand_well_is_observed_once() {
        let memory = observed(None);
        let due = |minute| memory.is_glance_due(KIND, at(minute));
        assert_eq!([due(0), due(7), due(8), due(10)], [false, false, true, true]);
        let steps = [
            ("well", glance(1, true, None), false),
            ("it has vanished", glance(2, false, None), true),
            ("it was observed, and lists still say so", glance(2, false, None), false),
            ("the lists cannot be read", None, false),
            ("something else is wrong", glance(3, false, None), true),
            ("well again", glance(1, true, None), false),
            ("it has vanished again", glance(3, false, None), true),
        ];
        for (name, glance, observe) in steps {
            assert_eq!(memory.glanced(KIND, glance, at(10)), observe, "{name}");
        }
        assert_eq!([due(15), due(16)], [false, true]);
    }

    #[test]
    fn a_deep_check_takes_the_place_of_no_later_glance() {
        let all = glance(1, true, Some(2));
        let memory = observed(all);
        memory.begin_look(true, at(61), 0.0);
        assert_eq!(memory.confirmed(KIND, all, at(61)), Some(7));
        assert!(!memory.is_glance_due(KIND, at(63)), "a list of the same moment would show the same");
        assert!(memory.is_glance_due(KIND, at(64)), "a younger one may show that it has vanished since");
    }

    #[test]
    fn what_was_made_again_is_observed_when_it_has_vanished_again() {
        let (memory, key) = (observed(None), crate::domain::external_resource::StepKey::new("CreateJob", &[]));
        let missing = glance(2, false, None);
        assert!(memory.glanced(KIND, missing, at(8)));
        memory.acted(KIND, &key, crate::controller::converge::memory::After::Nothing, at(9));
        memory.keep(KIND, Some(&7), false, at(9));
        assert!(memory.glanced(KIND, missing, at(16)));
    }

    #[test]
    fn no_list_of_before_something_was_done_confirms_it_for_another_revision_either() {
        let (all, key) = (glance(1, true, Some(2)), crate::domain::external_resource::StepKey::new("AddTags", &[]));
        let memory = observed(all);
        memory.acted(KIND, &key, crate::controller::converge::memory::After::Nothing, at(60));
        memory.begin("2");
        memory.begin_look(true, at(62), 0.0);
        assert_eq!(memory.confirmed::<i32>(KIND, all, at(62)), None, "the list is of before");
        memory.keep(KIND, Some(&7), false, at(62));
        memory.begin_look(true, at(122), 0.0);
        assert_eq!(memory.confirmed::<i32>(KIND, all, at(122)), None, "and is compared with nothing");
    }

    #[test]
    fn between_deep_checks_the_account_is_taken_for_granted_where_all_is_as_declared() {
        let kind = ResourceKind::Prerequisites;
        let rows: [(&str, bool, bool, i64, bool); 4] = [
            ("a routine look", true, true, 10, true),
            ("a user waits", false, true, 10, false),
            ("another resource is not as declared", true, false, 10, false),
            ("the deep check", true, true, 60, false),
        ];
        for (name, is_routine, others, minute, known) in rows {
            let memory = ObjectMemory::default();
            memory.begin_look(false, at(0), 0.0);
            memory.keep(kind, Some(&7), false, at(0));
            memory.made_from(KIND, 1);
            if others {
                memory.keep(KIND, Some(&7), false, at(0));
            }
            memory.begin_look(is_routine, at(minute), 0.0);
            assert_eq!(memory.kept::<i32>(kind, at(minute)).is_some(), known, "{name}");
        }
    }

    #[test]
    fn an_account_that_the_deep_check_found_wrong_is_not_taken_for_granted_after_it() {
        let (memory, kind) = (ObjectMemory::default(), ResourceKind::Prerequisites);
        memory.begin_look(false, at(0), 0.0);
        memory.keep(kind, Some(&7), false, at(0));
        memory.begin_look(true, at(60), 0.0);
        memory.begin_look(true, at(68), 0.0);
        assert_eq!(memory.kept::<i32>(kind, at(68)), None);
    }

    #[test]
    fn no_list_of_before_something_was_done_confirms_what_came_of_it() {
        let (all, key) = (glance(1, true, Some(2)), crate::domain::external_resource::StepKey::new("AddTags", &[]));
        let memory = observed(all);
        memory.begin_look(true, at(60), 0.0);
        assert_eq!(memory.confirmed::<i32>(KIND, glance(1, true, Some(3)), at(60)), None, "a tag is different");
        memory.acted(KIND, &key, crate::controller::converge::memory::After::Nothing, at(60));
        memory.keep(KIND, Some(&7), false, at(60));
        memory.begin_look(true, at(120), 0.0);
        assert_eq!(memory.confirmed::<i32>(KIND, glance(1, true, Some(3)), at(120)), None, "it is different again");
    }

    #[test]
    fn lists_alone_are_believed_for_a_day() {
        let all = glance(1, true, Some(2));
        let memory = observed(all);
        let confirmed = |hour: i64| {
            memory.begin_look(true, at(hour * 60), 0.0);
            memory.confirmed::<i32>(KIND, all, at(hour * 60)).is_some()
        };
        assert!((1..24).all(confirmed));
        assert!(!confirmed(24));
    }
}
