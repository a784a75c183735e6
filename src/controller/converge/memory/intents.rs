//! What one process remembers of the intents of one object, and which of them the status has. Apart from the rest of the memory,
//! since it alone is also in the status: what is about to be made must be there first. It writes no status.

use super::ObjectMemory;
use crate::crd::status::Intent;
use crate::domain::external_resource::RecordedIds;

/// The intents of one object.
#[derive(Default)]
pub(super) struct Intents(Vec<Known>);

struct Known {
    intent: Intent,
    /// With which number the status has it, if it has.
    written: Option<i32>,
}

impl Intents {
    /// Those that are in the status.
    pub(super) fn of_status(intents: Vec<Intent>) -> Self {
        Self(intents.into_iter().map(|intent| Known { written: Some(intent.n), intent }).collect())
    }

    pub(super) fn all(&self) -> Vec<Intent> {
        self.0.iter().map(|known| known.intent.clone()).collect()
    }

    /// The one of the resource of that name, which is `new` if there is none.
    fn of(&mut self, resource: &str, new: impl FnOnce() -> Intent) -> &mut Known {
        let at = self.0.iter().position(|known| known.intent.resource == resource);
        let at = at.unwrap_or_else(|| {
            // There are few, and most objects get no more.
            self.0.reserve_exact(1);
            self.0.push(Known { intent: new(), written: None });
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

impl ObjectMemory {
    /// All intents, as the status is to have them.
    pub fn intents(&self) -> Vec<Intent> {
        self.state().intents.all()
    }

    /// Whether an intent is in the status already; it is noted in any case.
    pub fn intend(&self, intent: &Intent) -> bool {
        let mut state = self.state();
        let known = state.intents.of(&intent.resource, || intent.clone());
        if known.intent.n != intent.n {
            known.intent.clone_from(intent);
        }
        known.written == Some(intent.n)
    }

    /// Notes that the status has these intents.
    pub fn written(&self, intents: &[Intent]) {
        for known in &mut self.state().intents.0 {
            let written = intents.iter().find(|intent| intent.resource == known.intent.resource);
            known.written = written.map(|intent| intent.n);
        }
    }

    /// Notes ids that an act has told.
    pub fn learn(&self, recorded_ids: RecordedIds) {
        let mut state = self.state();
        for (resource, id) in recorded_ids {
            let new = || Intent { resource: resource.clone(), n: 0, id: None };
            state.intents.of(&resource, new).intent.id = Some(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(n: i32, id: Option<&str>) -> Intent {
        Intent { resource: "Portfolio".to_owned(), n, id: id.map(str::to_owned) }
    }

    #[test]
    fn an_intent_may_be_acted_on_once_the_status_has_its_number() {
        let memory = ObjectMemory::new(vec![intent(1, None)]);
        assert!(memory.intend(&intent(1, None)), "the status that it began with has it");
        assert!(!memory.intend(&intent(2, None)));
        memory.written(&[intent(1, None)]);
        assert!(!memory.intend(&intent(2, None)), "what was written has another number");
        memory.written(&memory.intents());
        assert!(memory.intend(&intent(2, None)));
        memory.written(&[]);
        assert!(!memory.intend(&intent(2, None)), "somebody has wiped the status");
    }

    #[test]
    fn an_id_that_was_told_stays_until_there_is_another_number() {
        let memory = ObjectMemory::default();
        memory.learn(vec![("Portfolio".to_owned(), "port-1".to_owned())]);
        memory.intend(&intent(0, None));
        assert_eq!(memory.intents(), [intent(0, Some("port-1"))]);
        memory.intend(&intent(1, None));
        assert_eq!(memory.intents(), [intent(1, None)]);
    }
}
