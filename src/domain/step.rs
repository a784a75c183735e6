//! What a resource decides to do: steps, what tells one from another, and what is written down before or counted after. Apart
//! from the contract of resources, which speaks of deciding; nothing here does anything.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;

use crate::crd::status::{Intent, Reason};
use crate::domain::text::message;

/// What a step does to the resource, told apart in plans and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Change {
    Create,
    Update,
    Replace,
    Delete,
}

/// Tells one step of a resource from another: its operation, what that is applied to, and with which contents. It is how
/// the loop recognises a step that has no effect, so it must not depend on the wording of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepKey {
    operation: &'static str,
    subject: Vec<String>,
    contents: u64,
    lasting: bool,
}

impl StepKey {
    /// The key of an operation on a subject: names or ids, from the outside in.
    pub fn new(operation: &'static str, subject: &[&str]) -> Self {
        Self {
            operation,
            subject: subject.iter().map(|part| (*part).to_owned()).collect(),
            contents: 0,
            lasting: false,
        }
    }

    /// The same with certain contents: the same operation with other contents is another step.
    #[must_use]
    pub fn with_contents(mut self, contents: &impl Hash) -> Self {
        self.contents = digest_of(contents);
        self
    }

    /// The same, remembered beyond the moment in which the resource is as it should be: see [`Attempts::once`]. Of few
    /// subjects only, since each of them stays in memory.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.lasting = true;
        self
    }

    /// Whether it is remembered so.
    pub fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// What is done.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What it is applied to.
    pub fn subject(&self) -> &[String] {
        &self.subject
    }
}

/// A digest that differs where the value differs. It is stable within a process, and never leaves it: its key is random, so that
/// nobody can find names that have the same one.
pub fn digest_of(value: &impl Hash) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(value)
}

/// One action to take.
pub struct Step<A> {
    /// What the actuator is told to do.
    pub action: A,
    /// What it does to the resource.
    pub change: Change,
    /// Why it is done; events show it.
    pub reason: Reason,
    /// What it does, for people, in the imperative and without secrets: `create portfolio "team-a"`.
    pub summary: String,
    /// Written to the status before the act, where AWS does not key the resource by name.
    pub intent: Option<Intent>,
    /// Whether it clears away a resource whose creation failed, so that the next creation counts as one more attempt.
    pub clears_failed_creation: bool,
    /// Whether it does once more what failed before, so that the next time waits longer.
    pub retries_failure: bool,
    /// How much it removes of something that takes many steps.
    pub removes: Amount,
}

/// How much of something there is, for a wait of many steps to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Versions of objects, and delete markers.
    pub objects: u64,
    /// Their size in bytes.
    pub size: u64,
    /// Registered models.
    pub models: u64,
}

impl Amount {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_add(other.objects),
            size: self.size.saturating_add(other.size),
            models: self.models.saturating_add(other.models),
        }
    }

    /// What it is, in words; `None`: nothing.
    pub fn words(self) -> Option<String> {
        let models = (self.models > 0).then(|| format!("{} registered models", self.models));
        let objects = (self.objects > 0)
            .then(|| format!("{} versions of objects ({} MiB)", self.objects, self.size / (1024 * 1024)));
        let parts: Vec<String> = models.into_iter().chain(objects).collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

impl<A> Step<A> {
    /// A step without an intent. What its summary names may be a remote side's: it becomes one line of bounded length.
    pub fn new(action: A, change: Change, reason: Reason, summary: impl Into<String>) -> Self {
        Self {
            action,
            change,
            reason,
            summary: message(summary),
            intent: None,
            clears_failed_creation: false,
            retries_failure: false,
            removes: Amount::default(),
        }
    }

    /// The same, announced in the status before it is done.
    #[must_use]
    pub fn with_intent(mut self, intent: Intent) -> Self {
        self.intent = Some(intent);
        self
    }

    /// The same, as the removal of a resource whose creation failed.
    #[must_use]
    pub fn clearing_failed_creation(mut self) -> Self {
        self.clears_failed_creation = true;
        self
    }

    /// The same, which removes so much of what there is.
    #[must_use]
    pub fn removing(mut self, amount: Amount) -> Self {
        self.removes = amount;
        self
    }

    /// The same, as one more attempt at what failed before: an update, a deletion.
    #[must_use]
    pub fn retrying_failure(mut self) -> Self {
        self.retries_failure = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_is_told_in_words() {
        let objects = Amount { objects: 1000, size: 3 * 1024 * 1024, ..Amount::default() };
        let models = Amount { models: 200, ..Amount::default() };
        let rows = [
            (Amount::default(), None),
            (objects, Some("1000 versions of objects (3 MiB)")),
            (models, Some("200 registered models")),
            (models.plus(objects).plus(models), Some("400 registered models and 1000 versions of objects (3 MiB)")),
        ];
        for (amount, words) in rows {
            assert_eq!(amount.words().as_deref(), words, "{amount:?}");
        }
    }
}
