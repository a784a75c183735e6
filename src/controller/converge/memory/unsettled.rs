//! What one process remembers of a resource that is not as it should be: what was tried, what went wrong, what it waits for.
//! It stands alone since of most resources there is nothing of it, and then it takes no memory. It decides nothing.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use jiff::Timestamp;

use super::Act;
use super::trouble::Trouble;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Amount, Attempts, StepKey};

/// What there is to remember.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// What is not here is made up when somebody asks: see `ObjectMemory::attempts`.
    pub(super) attempts: Attempts,
    pub(super) trouble: Trouble,
    pub(super) waiting: Option<(Reason, &'static str, Timestamp)>,
    /// No map: there is seldom more than one, and a map holds room for eleven.
    pub(super) acts: Vec<(StepKey, Act)>,
    /// What stays around it now that it is gone.
    pub(super) left: Option<String>,
    /// What has been removed of it since it was last as it should be.
    pub(super) removed: Amount,
}

/// The content of all of which there is nothing to remember.
static NOTHING: LazyLock<Content> = LazyLock::new(Content::default);

/// The content, which is made when it is first changed.
#[derive(Default)]
pub(super) struct Unsettled(Option<Box<Content>>);

impl Deref for Unsettled {
    type Target = Content;

    fn deref(&self) -> &Content {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Unsettled {
    fn deref_mut(&mut self) -> &mut Content {
        self.0.get_or_insert_default()
    }
}

impl Unsettled {
    /// Something else is asked for, or the same once more: what seemed to have no effect is tried again.
    pub(super) fn ask_anew(&mut self) {
        let Some(content) = &mut self.0 else { return };
        content.acts.clear();
        content.trouble = Trouble::default();
        let Attempts { failed_creations, failed_changes, once, .. } = &mut content.attempts;
        (*failed_creations, *failed_changes) = (0, 0);
        once.clear();
    }

    /// The resource is as it should be.
    pub(super) fn reach(&mut self) {
        let Some(content) = &mut self.0 else { return };
        content.acts.clear();
        content.trouble = Trouble::default();
        content.waiting = None;
        content.removed = Amount::default();
        let Attempts { failed_creations, failed_changes, last_failed_creation, .. } = &mut content.attempts;
        (*failed_creations, *failed_changes, *last_failed_creation) = (0, 0, None);
    }

    /// No call fails any more. Asked of each resource in each reconcile, it makes nothing.
    pub(super) fn forget_fault(&mut self) {
        if let Some(content) = &mut self.0 {
            content.trouble.forget_fault();
        }
    }

    /// Lets go of the memory that holds nothing.
    pub(super) fn tidy(&mut self) {
        self.0.take_if(|content| **content == *NOTHING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_that_is_as_it_should_be_takes_no_memory() {
        let mut unsettled = Unsettled::default();
        assert_eq!(*unsettled, Content::default());
        unsettled.forget_fault();
        assert!(unsettled.0.is_none(), "neither reading nor forgetting makes anything");
        unsettled.waiting = Some((Reason::Propagating, "stack", Timestamp::UNIX_EPOCH));
        unsettled.attempts.failed_changes = 2;
        unsettled.tidy();
        assert_eq!(unsettled.attempts.failed_changes, 2);
        unsettled.reach();
        unsettled.tidy();
        assert!(unsettled.0.is_none());
    }
}
