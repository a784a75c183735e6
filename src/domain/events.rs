//! What is announced as Kubernetes events: what was done, every change for the worse or back to Ready, and what became of
//! seed code. Nothing where nothing changed. It decides the words; `controller::events` publishes them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::crd::status::{ConditionType, ProjectStatus, Reason, RepositoryStatus};
use crate::domain::external_resource::{Change, ResourceKind};
use crate::domain::outcome::{ReconcileResult, Report};

/// What users read in `kubectl describe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNote {
    /// Whether somebody should worry.
    pub warning: bool,
    /// The event's reason: a condition's reason, or what was done as a past participle.
    pub reason: String,
    /// What happened, in a sentence.
    pub note: String,
}

/// What a reconcile has to announce, given the conditions before and after it.
pub fn event_notes(report: &Report, before: &[Condition], after: &[Condition]) -> Vec<EventNote> {
    let done = report.applied.iter().map(|step| EventNote {
        warning: false,
        reason: past(step.change).to_owned(),
        note: format!("{} ({})", step.summary, step.reason),
    });
    let turned = after.iter().filter_map(|condition| {
        let old = before.iter().find(|old| old.type_ == condition.type_);
        let same = old.is_some_and(|old| old.status == condition.status && old.reason == condition.reason);
        if same { None } else { turn(report, condition) }
    });
    done.chain(turned).collect()
}

/// What to announce about seed code: what is said of a repository and was not known before.
pub fn seed_code_notes(before: Option<&ProjectStatus>, after: Option<&ProjectStatus>) -> Vec<EventNote> {
    let Some(after) = after else { return Vec::new() };
    let before = before.filter(|before| before.id == after.id);
    let known = |one: &RepositoryStatus| before.is_some_and(|before| before.repositories.contains(one));
    let notes = after.repositories.iter().filter(|one| !known(one));
    notes
        .map(|RepositoryStatus { name, seed_code }| EventNote {
            warning: false,
            reason: "SeedCode".to_owned(),
            note: format!("repository {name}: {seed_code}"),
        })
        .collect()
}

/// What a changed condition is worth.
fn turn(report: &Report, condition: &Condition) -> Option<EventNote> {
    let is = |reason: Reason| condition.reason == reason.as_str();
    let whole = condition.type_ == ConditionType::Ready.as_str();
    let own = ResourceKind::ALL.iter().any(|kind| kind.condition().as_str() == condition.type_);
    let refused = matches!(report.result, ReconcileResult::Refused(_));
    let bad = match condition.status.as_str() {
        "False" => !(is(Reason::Disabled) || is(Reason::Deleted) || is(Reason::Deleting)),
        "Unknown" => is(Reason::Throttled) || is(Reason::Unavailable) || is(Reason::Unexpected),
        _ => false,
    };
    let event_note = |warning| EventNote {
        warning,
        reason: condition.reason.clone(),
        note: if whole { condition.message.clone() } else { format!("{}: {}", condition.type_, condition.message) },
    };
    if bad && (own || (whole && refused)) {
        Some(event_note(true))
    } else if whole && (condition.status == "True" || is(Reason::Suspended)) {
        Some(event_note(false))
    } else {
        None
    }
}

/// What was done, as a past participle.
fn past(change: Change) -> &'static str {
    match change {
        Change::Create => "Created",
        Change::Update => "Updated",
        Change::Replace => "Replaced",
        Change::Delete => "Deleted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_seed_code_is_announced_once() {
        let status = |id: &str, said: &[(&str, &str)]| ProjectStatus {
            id: id.into(),
            repositories: said
                .iter()
                .map(|(name, said)| RepositoryStatus { name: (*name).into(), seed_code: (*said).into() })
                .collect(),
            ..ProjectStatus::default()
        };
        let seeded = [("build", "seeded main"), ("deploy", "left alone")];
        let rows = [
            ("told for the first time", Some(status("p-1", &[])), Some(status("p-1", &seeded)), 2),
            ("known already", Some(status("p-1", &seeded)), Some(status("p-1", &seeded)), 0),
            ("one is another", Some(status("p-1", &seeded[..1])), Some(status("p-1", &seeded)), 1),
            ("another project", Some(status("p-1", &seeded)), Some(status("p-2", &seeded)), 2),
            ("a status that was wiped", None, Some(status("p-1", &seeded)), 2),
            ("the project is gone", Some(status("p-1", &seeded)), None, 0),
        ];
        for (case, before, after, count) in rows {
            let news = seed_code_notes(before.as_ref(), after.as_ref());
            assert_eq!(news.len(), count, "{case}");
            assert!(news.iter().all(|one| !one.warning && one.note.starts_with("repository ")), "{case}");
        }
    }
}
