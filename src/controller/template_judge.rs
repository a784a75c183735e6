//! What the linter says of users' own templates, remembered by content: a template is judged once a day and not in every
//! reconcile of every project that names it. It stands alone since the judge itself is pure and remembers nothing.

use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use crate::domain::identity::digest;
use crate::domain::recent::Recent;
use crate::template_lint::{self, Finding};

/// How many templates are remembered: more than one operator's teams write. One more costs a judgement, no memory: the
/// texts are not kept.
const TEMPLATES: usize = 256;

/// See the module.
pub struct TemplateJudge {
    judged: Mutex<Recent<(String, Date), Option<Finding>>>,
}

impl Default for TemplateJudge {
    fn default() -> Self {
        Self { judged: Mutex::new(Recent::new(TEMPLATES)) }
    }
}

impl TemplateJudge {
    /// Why the operator does not launch projects from a template, as [`template_lint::refusal`] has it.
    pub fn refusal(&self, text: &str, today: Date) -> Option<Finding> {
        self.judged(text, today, template_lint::refusal)
    }

    /// The day counts too: what AWS still takes depends on it.
    fn judged(&self, text: &str, today: Date, judge: impl FnOnce(&str, Date) -> Option<Finding>) -> Option<Finding> {
        let key = (digest(&[text]), today);
        let known = self.judged.lock().unwrap_or_else(PoisonError::into_inner).get(&key);
        if let Some(known) = known {
            return known;
        }
        // Outside the lock: a long template must not hold up the others.
        let found = judge(text, today);
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).keep(key, found.clone());
        found
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_template_is_judged_once_a_day() {
        let judge = TemplateJudge::default();
        let times = Cell::new(0);
        let rows = [
            ("at first", "Resources: {}", date(2026, 3, 1), 1),
            ("again", "Resources: {}", date(2026, 3, 1), 1),
            ("another one", "- no template", date(2026, 3, 1), 2),
            ("the first again", "Resources: {}", date(2026, 3, 1), 2),
            ("the next day", "Resources: {}", date(2026, 3, 2), 3),
        ];
        for (case, text, today, judged) in rows {
            let found = judge.judged(text, today, |text, today| {
                times.set(times.get() + 1);
                template_lint::refusal(text, today)
            });
            assert_eq!(found, template_lint::refusal(text, today), "{case}");
            assert_eq!(times.get(), judged, "{case}");
        }
    }
}
