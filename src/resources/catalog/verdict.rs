//! How the sub-decisions speak: a verdict each, put together into one decision; when a thing may be made and under
//! which number; when its id is written down. Apart from the resource itself since all sub-decisions share it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Action, LAG};
use crate::crd::status::{Intent, Reason};
use crate::domain::resource::{Attempts, Change, Decision, Step};
use crate::resources::outputs::Launchable;

/// After how many failed creations in a row the next one waits for [`COOLDOWN`].
const FAILURES: u32 = 2;
const COOLDOWN: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn long_enough(since: Option<&Timestamp>, now: Timestamp) -> bool {
    since.is_some_and(|since| now.duration_since(*since) >= LAG)
}

/// Whether to try a creation that has failed before once more.
pub(super) fn retry(now: Timestamp, tried: &Attempts) -> bool {
    tried.asked_anew
        || tried.failed_creations < FAILURES
        || tried.last_failed_creation.is_none_or(|last| now.duration_since(last) >= COOLDOWN)
}

pub(super) fn wait(why: Reason, message: String) -> Decision<Action, Launchable> {
    Decision::Wait { why, message, since: None, early: None }
}

/// What the sub-decisions come to: steps first, then what a person must change, then what to wait for.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) steps: Vec<Step<Action>>,
    pub(super) stuck: Option<(Reason, String, String)>,
    pub(super) wait: Option<(Reason, String)>,
}

impl Verdict {
    pub(super) fn act(steps: Vec<Step<Action>>) -> Self {
        Self { steps, ..Self::default() }
    }

    pub(super) fn wait(why: Reason, message: String) -> Self {
        Self { wait: Some((why, message)), ..Self::default() }
    }

    pub(super) fn stuck(why: Reason, message: String, hint: &str) -> Self {
        Self { stuck: Some((why, message, hint.to_owned())), ..Self::default() }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.steps.extend(other.steps);
        self.stuck = self.stuck.take().or(other.stuck);
        self.wait = self.wait.take().or(other.wait);
    }

    pub(super) fn unfinished(self) -> Option<Decision<Action, Launchable>> {
        if !self.steps.is_empty() {
            return Some(Decision::Act(self.steps));
        }
        if let Some((why, message, hint)) = self.stuck {
            return Some(Decision::Stuck { why, message, hint });
        }
        self.wait.map(|(why, message)| wait(why, message))
    }
}

/// Whether a thing that was not seen may be made, and under which number.
enum Turn {
    Create(i32),
    /// It was made under this id, which is not seen yet, or no more.
    Prove(String),
}

/// `n` stays while its thing may still exist: the same token leads to the same thing. It rises once the thing is gone.
fn turn(thing: &str, now: Timestamp, tried: &Attempts) -> Turn {
    match tried.intent(thing) {
        None => Turn::Create(0),
        Some(Intent { n, id: None, .. }) => Turn::Create(*n),
        Some(Intent { n, id: Some(id), .. }) if long_enough(tried.missing_since.get(id), now) => Turn::Create(n + 1),
        Some(Intent { id: Some(id), .. }) => Turn::Prove(id.clone()),
    }
}

/// The step, or the wait, that leads to a thing that was not seen.
pub(super) fn make(
    thing: &str,
    now: Timestamp,
    tried: &Attempts,
    summary: String,
    action: impl FnOnce(i32) -> Action,
) -> Verdict {
    match turn(thing, now, tried) {
        Turn::Create(n) => Verdict::act(vec![Step {
            action: action(n),
            change: Change::Create,
            because: Reason::Missing,
            summary,
            intent: Some(Intent { thing: thing.to_owned(), n, id: None }),
        }]),
        Turn::Prove(id) => Verdict::wait(
            Reason::ProvingAbsence,
            format!("{id} is not found: looking once more before it counts as gone"),
        ),
    }
}

/// The step that writes down the id of a thing that was found without its help, so that it is found at once next time.
pub(super) fn remember(thing: &'static str, id: &str, tried: &Attempts) -> Option<Step<Action>> {
    let known = tried.intent(thing);
    if known.and_then(|intent| intent.id.as_deref()) == Some(id) {
        return None;
    }
    let n = known.map_or(0, |intent| intent.n);
    Some(Step {
        action: Action::Remember { thing, id: id.to_owned() },
        change: Change::Update,
        because: Reason::Drifted,
        summary: format!("write down that {id} is ours"),
        intent: Some(Intent { thing: thing.to_owned(), n, id: Some(id.to_owned()) }),
    })
}

pub(super) fn step(action: Action, change: Change, because: Reason, summary: String) -> Step<Action> {
    Step { action, change, because, summary, intent: None }
}

/// Tag keys to remove: everything that is not wanted, except what AWS itself put there.
pub(super) fn surplus(wanted: &BTreeMap<String, String>, seen: &BTreeMap<String, String>) -> Vec<String> {
    seen.keys().filter(|key| !wanted.contains_key(*key) && !key.starts_with("aws:")).cloned().collect()
}

pub(super) fn tags_differ(wanted: &BTreeMap<String, String>, seen: &BTreeMap<String, String>) -> bool {
    wanted.iter().any(|(key, value)| seen.get(key) != Some(value)) || !surplus(wanted, seen).is_empty()
}
