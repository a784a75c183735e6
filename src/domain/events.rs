//! What is announced as Kubernetes events: what was done, one for each resource, every change for the worse or back to Ready, and
//! what became of seed code. Nothing where nothing changed. It decides the words; `controller::events` publishes them.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::crd::status::{ConditionType, ProjectStatus, Reason, RepositoryStatus};
use crate::domain::external_resource::{Change, ResourceKind};
use crate::domain::outcome::{AppliedStep, ReconcileResult, Report};

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

/// How many of a resource's steps are told by their own words.
const TOLD: usize = 2;

/// What was done in a reconcile: one note for each resource, however many steps it took.
pub fn step_notes(applied: &[AppliedStep]) -> Vec<EventNote> {
    ResourceKind::ALL.iter().filter_map(|kind| step_note(*kind, applied)).collect()
}

fn step_note(kind: ResourceKind, applied: &[AppliedStep]) -> Option<EventNote> {
    let steps: Vec<&AppliedStep> = applied.iter().filter(|step| step.kind == kind).collect();
    let telling = [Change::Replace, Change::Create, Change::Delete, Change::Update];
    let change = telling.into_iter().find(|change| steps.iter().any(|step| step.change == *change))?;
    let told: Vec<&str> = steps.iter().take(TOLD).map(|step| step.summary.as_str()).collect();
    let count = if steps.len() > 1 { format!("{}, {} steps: ", kind.noun(), steps.len()) } else { String::new() };
    let more = if steps.len() > TOLD { "; …" } else { "" };
    // That what is made was missing, and that what goes is being deleted, goes without saying.
    let plain = |reason: &Reason| matches!(reason, Reason::Missing | Reason::Deleting);
    let reasons: BTreeSet<Reason> = steps.iter().map(|step| step.reason).filter(|reason| !plain(reason)).collect();
    let reasons: Vec<&str> = reasons.into_iter().map(Reason::as_str).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let note = format!("{count}{}{more}{why}", told.join("; "));
    Some(EventNote { warning: false, reason: past(change).to_owned(), note })
}

/// What has turned in a reconcile, given the conditions before and after it.
pub fn turn_notes(report: &Report, before: &[Condition], after: &[Condition]) -> Vec<EventNote> {
    let turned = after.iter().filter_map(|condition| {
        let old = before.iter().find(|old| old.type_ == condition.type_);
        let same = old.is_some_and(|old| old.status == condition.status && old.reason == condition.reason);
        if same { None } else { turn(report, condition) }
    });
    turned.collect()
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
    let warns = condition.status == "True" && Reason::WARNINGS.into_iter().any(is);
    if (bad || warns) && (own || (whole && refused)) {
        Some(event_note(true))
    } else if (whole && condition.status == "True") || condition.type_ == ConditionType::Suspended.as_str() {
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

    fn step(kind: ResourceKind, change: Change, reason: Reason, summary: &str) -> AppliedStep {
        AppliedStep { kind, change, reason, summary: summary.to_owned() }
    }

    #[test]
    fn what_was_done_is_told_in_one_note_for_each_resource() {
        use ResourceKind::{ArtifactBucket, JenkinsJobs, SagemakerProject};
        let create = |summary: &str| step(ArtifactBucket, Change::Create, Reason::Missing, summary);
        let job = |reason, summary: &str| step(JenkinsJobs, Change::Update, reason, summary);
        let rows = [
            ("nothing was done", vec![], vec![]),
            (
                "one step speaks for itself",
                vec![step(SagemakerProject, Change::Create, Reason::Missing, "create SageMaker project \"taxi\"")],
                vec!["Created: create SageMaker project \"taxi\""],
            ),
            (
                "of many the first are told, and how many there were",
                vec![
                    create("create bucket \"b\""),
                    step(ArtifactBucket, Change::Update, Reason::Missing, "set its policy"),
                    create("upload object \"a\""),
                    create("upload object \"b\""),
                ],
                vec!["Created: artifact bucket, 4 steps: create bucket \"b\"; set its policy; …"],
            ),
            (
                "why something was changed is said once",
                vec![job(Reason::Drifted, "update job \"a\""), job(Reason::Drifted, "update job \"b\"")],
                vec!["Updated: Jenkins jobs, 2 steps: update job \"a\"; update job \"b\" (Drifted)"],
            ),
            (
                "each resource has its own, in the order in which they are made",
                vec![
                    step(JenkinsJobs, Change::Delete, Reason::Deleting, "delete job \"a\""),
                    step(ArtifactBucket, Change::Delete, Reason::Deleting, "delete bucket \"b\""),
                ],
                vec!["Deleted: delete bucket \"b\"", "Deleted: delete job \"a\""],
            ),
        ];
        for (name, applied, expected) in rows {
            let notes = step_notes(&applied).into_iter();
            let told: Vec<String> = notes.map(|EventNote { reason, note, .. }| format!("{reason}: {note}")).collect();
            assert_eq!(told, expected, "{name}");
        }
    }

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
