//! What the linter says of users' own templates, remembered by content and by what is known of the project: a template is
//! judged once a day for each project and not in every reconcile. It stands alone since the judge itself is pure and
//! remembers nothing.

use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use crate::domain::identity::digest;
use crate::domain::recent::Recent;
use crate::template_lint::{self, Finding, JudgedFor};

/// How many judgements are remembered: more than one operator has projects with templates of their own, since projects that
/// are looked at in turn would otherwise all be judged anew each time. The texts are not kept.
const JUDGEMENTS: usize = 16 * 1024;

/// Characters of each text of a finding that are kept.
const LONGEST_TEXT: usize = 512;

/// See the module.
pub struct TemplateJudge {
    judged: Mutex<Recent<(String, Date), Option<Finding>>>,
}

impl Default for TemplateJudge {
    fn default() -> Self {
        Self { judged: Mutex::new(Recent::new(JUDGEMENTS)) }
    }
}

impl TemplateJudge {
    /// Why the operator does not launch a project from a template, as [`template_lint::refusal`] has it.
    pub fn refusal(&self, text: &str, project: &JudgedFor, today: Date) -> Option<Finding> {
        self.judged(text, project, today, template_lint::refusal)
    }

    /// The day counts too: what AWS still takes depends on it.
    fn judged(
        &self,
        text: &str,
        project: &JudgedFor,
        today: Date,
        judge: impl FnOnce(&str, &JudgedFor, Date) -> Option<Finding>,
    ) -> Option<Finding> {
        let key = (digest(&parts(text, project)), today);
        let known = self.judged.lock().unwrap_or_else(PoisonError::into_inner).get(&key);
        if let Some(known) = known {
            return known;
        }
        // Outside the lock: a long template must not hold up the others.
        let found = judge(text, project, today).map(shortened);
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).keep(key, found.clone());
        found
    }
}

/// The same with as much of its texts as a condition shows: keys and values of a template may be as long as it is.
fn shortened(mut finding: Finding) -> Finding {
    for text in [&mut finding.path, &mut finding.message, &mut finding.hint] {
        if text.chars().nth(LONGEST_TEXT).is_some() {
            *text = text.chars().take(LONGEST_TEXT).collect();
        }
        text.shrink_to_fit();
    }
    finding
}

/// All that a judgement hangs on, each with a word before it, so that nothing runs into its neighbour.
fn parts<'a>(text: &'a str, project: &'a JudgedFor) -> Vec<&'a str> {
    let JudgedFor { project_name, region, account, parameters } = project;
    let mut parts = vec![text];
    for (word, value) in [("name", project_name), ("region", region), ("account", account)] {
        parts.extend([word, value.as_deref().unwrap_or_default()]);
    }
    for (name, value) in parameters {
        let word = if value.is_some() { "told" } else { "hidden" };
        parts.extend([word, name, value.as_deref().unwrap_or_default()]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_template_is_judged_once_a_day_for_each_project() {
        let judge = TemplateJudge::default();
        let times = Cell::new(0);
        let named = |name: &str| JudgedFor { project_name: Some(name.to_owned()), ..JudgedFor::default() };
        let valued = |value: Option<&str>| {
            let parameters = [("A".to_owned(), value.map(str::to_owned))].into();
            JudgedFor { parameters, ..named("fares") }
        };
        let rows = [
            ("at first", "Resources: {}", named("fares"), date(2026, 3, 1), 1),
            ("again", "Resources: {}", named("fares"), date(2026, 3, 1), 1),
            ("another one", "- no template", named("fares"), date(2026, 3, 1), 2),
            ("the first again", "Resources: {}", named("fares"), date(2026, 3, 1), 2),
            ("another project", "Resources: {}", named("tips"), date(2026, 3, 1), 3),
            ("with a value", "Resources: {}", valued(Some("b")), date(2026, 3, 1), 4),
            ("with another value", "Resources: {}", valued(Some("")), date(2026, 3, 1), 5),
            ("with one that is not told", "Resources: {}", valued(None), date(2026, 3, 1), 6),
            ("the next day", "Resources: {}", named("fares"), date(2026, 3, 2), 7),
        ];
        for (case, text, project, today, judged) in rows {
            let found = judge.judged(text, &project, today, |text, project, today| {
                times.set(times.get() + 1);
                template_lint::refusal(text, project, today)
            });
            assert_eq!(found, template_lint::refusal(text, &project, today), "{case}");
            assert_eq!(times.get(), judged, "{case}");
        }
    }
}
