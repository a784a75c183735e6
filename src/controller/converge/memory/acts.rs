//! What was done to the resources of one object, and has not shown yet. Apart from the rest of the memory, since a remote
//! side can make it grow: who invents new names invents new actions. It decides nothing about what is done.

use jiff::Timestamp;

use super::ObjectMemory;
use super::unsettled::Content;
use crate::domain::external_resource::{ResourceKind, StepKey};

/// How many actions of one resource are remembered: no resource has half as many at once. Beyond that the oldest is
/// forgotten, which at worst is done once more.
const MOST_ACTS: usize = 200;

/// An action done in an earlier reconcile whose effect has not been seen yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// When it was done last.
    pub at: Timestamp,
    /// In how many reconciles.
    pub reconciles: u32,
}

/// What an action comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing in particular.
    Nothing,
    /// A creation that failed: the action clears away what is left of it.
    FailedCreation,
    /// An update or a deletion that failed, and is tried again.
    FailedChange,
}

impl ObjectMemory {
    /// Notes that an action was done, and what it was done after.
    pub fn acted(&self, kind: ResourceKind, key: &StepKey, after: After, now: Timestamp) {
        self.of(kind, |state| {
            state.asked_anew = false;
            state.glances.acted(now);
            let Content { attempts, acts, trouble, .. } = &mut *state.unsettled;
            if after == After::FailedCreation {
                // What comes now is a new resource.
                acts.clear();
                attempts.failed_creations += 1;
                attempts.last_failed_creation = Some(now);
            }
            if after == After::FailedChange {
                attempts.failed_changes += 1;
            }
            match acts.iter_mut().find(|(one, _)| one == key) {
                Some((_, act)) => *act = Act { at: now, reconciles: act.reconciles + 1 },
                None => {
                    if acts.len() >= MOST_ACTS {
                        let oldest = acts.iter().enumerate().min_by_key(|(_, (_, act))| act.at).map(|(n, _)| n);
                        oldest.map(|oldest| acts.swap_remove(oldest));
                    }
                    acts.reserve_exact(1);
                    acts.push((key.clone(), Act { at: now, reconciles: 1 }));
                }
            }
            // What goes on is not failing, however long it takes.
            trouble.end_faults();
            trouble.labours(1);
            if key.is_lasting() {
                attempts.once.insert(key.clone());
            }
        });
    }

    /// The act of that key in earlier reconciles, if its effect has not been observed since.
    pub fn act(&self, kind: ResourceKind, key: &StepKey) -> Option<Act> {
        self.of(kind, |state| state.unsettled.acts.iter().find(|(one, _)| one == key).map(|(_, act)| *act))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_endless_actions_the_oldest_are_forgotten() {
        let (memory, kind) = (ObjectMemory::default(), ResourceKind::JenkinsJobs);
        let key = |n: usize| StepKey::new("DeleteJob", &[&n.to_string()]);
        let at = |n: usize| Timestamp::from_second(i64::try_from(n).unwrap_or_default()).unwrap_or_default();
        for n in 0..1000 {
            memory.acted(kind, &key(n), After::Nothing, at(n));
            // One that is done over and over is never the oldest.
            memory.acted(kind, &key(0), After::Nothing, at(n));
        }
        let known = |n: usize| memory.act(kind, &key(n)).is_some();
        assert_eq!(memory.attempts(kind).done.len(), MOST_ACTS);
        assert_eq!([known(0), known(999), known(801), known(800), known(1)], [true, true, true, false, false]);
        assert_eq!(memory.act(kind, &key(0)), Some(Act { at: at(999), reconciles: 1001 }));
        for n in 0..1000 {
            memory.acted(kind, &key(n), After::Nothing, at(2000));
            assert!(known(n), "what was just done is known, however many were done in that moment");
        }
    }
}
