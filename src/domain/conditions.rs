//! The one function that turns the facts of a pass into conditions. Nothing else writes `Ready`. Conditions follow
//! kstatus: `Ready` always, `Reconciling` and `Stalled` only while True, so that `kubectl wait`, Argo CD and Flux
//! understand them. No text here changes while nothing changes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::crd::status::{ConditionType, Reason};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::report::{Finding, Outcome, PATIENCE, Phase, Report, Verdict};
use crate::domain::resource::Kind;

/// Longest message of a condition, in characters; the API server takes 32768 bytes.
const LONGEST_MESSAGE: usize = 2000;

/// What a condition is to say; what is left out stays as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Say {
    status: &'static str,
    reason: Reason,
    message: String,
}

impl Say {
    fn new(status: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }
}

/// What the object as a whole is to say.
enum Whole {
    /// It is known how it stands.
    Known { ready: Say, reconciling: bool, stalled: bool },
    /// Nothing new is known: as before, if that was about this generation.
    AsBefore,
}

/// The conditions after a pass, complete and in a fixed order. `before` are those that the status has.
pub fn conditions(report: &Report, before: &[Condition]) -> Vec<Condition> {
    let mut conditions = whole_conditions(report, before);
    for kind in Kind::ALL {
        let finding = report.findings().iter().find(|(found, _)| *found == kind).map(|(_, finding)| finding);
        let remark = report.remarks.iter().find(|(about, ..)| *about == kind);
        let say = finding.and_then(|finding| own(report, finding)).map(|say| match remark {
            Some((_, reason, message)) if say.reason == Reason::InSync => Say::new("True", *reason, message),
            _ => say,
        });
        let condition = match say {
            Some(say) => Some(stated(report, before, kind.condition(), say)),
            None => find(before, kind.condition()).cloned(),
        };
        conditions.extend(condition);
    }
    conditions
}

fn whole_conditions(report: &Report, before: &[Condition]) -> Vec<Condition> {
    let (ready, reconciling, stalled) = match whole(report) {
        Whole::Known { ready, reconciling, stalled } => (ready, reconciling, stalled),
        Whole::AsBefore => match find(before, ConditionType::Ready) {
            Some(ready) if ready.observed_generation == Some(report.generation) => {
                let kept = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];
                return kept.iter().filter_map(|type_| find(before, *type_).cloned()).collect();
            }
            _ => (Say::new("Unknown", Reason::Progressing, "not everything could be looked at yet"), true, false),
        },
    };
    let mut conditions = vec![stated(report, before, ConditionType::Ready, ready.clone())];
    for (wanted, type_) in [(reconciling, ConditionType::Reconciling), (stalled, ConditionType::Stalled)] {
        if wanted {
            let say = Say { status: "True", ..ready.clone() };
            conditions.push(stated(report, before, type_, say));
        }
    }
    conditions
}

/// How the object as a whole stands: the worst finding speaks, of several equally bad ones the first in order.
fn whole(report: &Report) -> Whole {
    let (phase, findings) = match &report.verdict {
        Verdict::Refused { why, message, hint } => {
            let ready = Say::new("False", *why, with_hint(message, Some(hint)));
            return Whole::Known { ready, reconciling: false, stalled: true };
        }
        Verdict::Suspended => {
            let ready = Say::new("Unknown", Reason::Suspended, "spec.suspend is true: nothing is looked at or changed");
            return Whole::Known { ready, reconciling: false, stalled: false };
        }
        Verdict::Looked { phase, findings } => (*phase, findings),
    };
    let worst =
        findings.iter().map(|(kind, finding)| (severity(report, finding), *kind, finding)).max_by(|left, right| {
            // The greatest severity, and the first kind among those: so later kinds count as less.
            left.0.cmp(&right.0).then(right.1.cmp(&left.1))
        });
    let Some((severity, kind, finding)) = worst else { return Whole::AsBefore };
    let speak = |say: Say| Say { message: format!("{}: {}", kind.noun(), say.message), ..say };
    let say = own(report, finding).map(speak);
    match (severity, say) {
        (Severity::Fine, _) => Whole::Known { ready: done(phase), reconciling: false, stalled: false },
        (Severity::Unseen, _) | (_, None) => Whole::AsBefore,
        (Severity::Working, Some(say)) if phase == Phase::TearDown => {
            let ready = Say { status: "False", reason: Reason::Deleting, ..say };
            Whole::Known { ready, reconciling: true, stalled: false }
        }
        (Severity::Working | Severity::Troubled, Some(ready)) => {
            Whole::Known { ready, reconciling: true, stalled: false }
        }
        (Severity::Denied, Some(ready)) => Whole::Known { ready, reconciling: false, stalled: false },
        (Severity::Stalled, Some(ready)) => Whole::Known { ready, reconciling: false, stalled: true },
    }
}

fn done(phase: Phase) -> Say {
    match phase {
        Phase::BuildUp => Say::new("True", Reason::Succeeded, "everything exists as declared"),
        Phase::TearDown => Say::new("False", Reason::Deleted, "everything is deleted"),
    }
}

/// How much a finding weighs when the object as a whole is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Fine,
    Unseen,
    Working,
    Troubled,
    Denied,
    Stalled,
}

fn severity(report: &Report, finding: &Finding) -> Severity {
    match finding {
        Outcome::InSync { .. } | Outcome::Gone => Severity::Fine,
        Outcome::Interrupted => Severity::Unseen,
        // A blocked thing waits for one that speaks for itself; alone it must not look finished.
        Outcome::Blocked { .. } => Severity::Unseen,
        Outcome::Waiting { .. } => Severity::Working,
        Outcome::Stuck { .. } => Severity::Stalled,
        Outcome::Faulted { fault, since } => match fault.kind {
            FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Conflict => {
                if lasting(report, *since) {
                    Severity::Troubled
                } else {
                    Severity::Unseen
                }
            }
            FaultKind::Propagating => Severity::Working,
            FaultKind::Unexpected => Severity::Troubled,
            FaultKind::Denied => Severity::Denied,
            FaultKind::Rejected => Severity::Stalled,
        },
    }
}

/// What a thing's own condition is to say; `None`: nothing new is known.
fn own(report: &Report, finding: &Finding) -> Option<Say> {
    let tearing_down = matches!(report.verdict, Verdict::Looked { phase: Phase::TearDown, .. });
    match finding {
        Outcome::InSync { .. } => Some(Say::new("True", Reason::InSync, "exists as declared")),
        Outcome::Gone if tearing_down => Some(Say::new("False", Reason::Deleted, "deleted")),
        Outcome::Gone => Some(Say::new("False", Reason::NotWanted, "the spec does not ask for it")),
        Outcome::Waiting { why, message, .. } => Some(Say::new("Unknown", *why, message)),
        Outcome::Blocked { by } if tearing_down => {
            Some(Say::new("Unknown", Reason::Blocked, format!("stays until this is gone: {}", by.noun())))
        }
        Outcome::Blocked { by } => Some(Say::new("Unknown", Reason::Blocked, format!("waits for: {}", by.noun()))),
        Outcome::Stuck { why, message, hint } => Some(Say::new("False", *why, with_hint(message, Some(hint)))),
        Outcome::Faulted { fault, since } => faulted(report, fault, *since),
        Outcome::Interrupted => None,
    }
}

fn faulted(report: &Report, fault: &Fault, since: jiff::Timestamp) -> Option<Say> {
    let status = match fault.kind {
        FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Conflict if !lasting(report, since) => return None,
        FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Conflict => "Unknown",
        FaultKind::Propagating | FaultKind::Unexpected => "Unknown",
        FaultKind::Denied | FaultKind::Rejected => "False",
    };
    let hint = fault.hint.clone().unwrap_or_else(|| fault.kind.usual_hint().to_owned());
    Some(Say::new(status, fault.reason, with_hint(&fault.message, Some(&hint))))
}

/// Whether a passing fault has lasted long enough to be shown.
fn lasting(report: &Report, since: jiff::Timestamp) -> bool {
    report.now.duration_since(since).unsigned_abs() >= PATIENCE && since <= report.now
}

fn with_hint(message: &str, hint: Option<&String>) -> String {
    let text = match hint.filter(|hint| !hint.is_empty()) {
        Some(hint) => format!("{message}; {hint}"),
        None => message.to_owned(),
    };
    text.chars().take(LONGEST_MESSAGE).collect()
}

/// The condition that says this, with the moment of its last flip.
fn stated(report: &Report, before: &[Condition], type_: ConditionType, say: Say) -> Condition {
    let since = find(before, type_)
        .filter(|old| old.status == say.status)
        .map_or(Time(report.now), |old| old.last_transition_time.clone());
    Condition {
        type_: type_.as_str().to_owned(),
        status: say.status.to_owned(),
        reason: say.reason.as_str().to_owned(),
        message: say.message,
        observed_generation: Some(report.generation),
        last_transition_time: since,
    }
}

fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn ago(seconds: i64) -> Timestamp {
        now() - SignedDuration::from_secs(seconds)
    }

    fn looked(phase: Phase, findings: Vec<(Kind, Finding)>) -> Report {
        Report { generation: 3, now: now(), verdict: Verdict::Looked { phase, findings }, remarks: Vec::new() }
    }

    fn fault(kind: FaultKind, since: i64) -> Finding {
        let fault = Fault::new(kind, "could not look at it").hint("do something");
        Outcome::Faulted { fault, since: ago(since) }
    }

    /// All conditions in short: `Ready=True/Succeeded`, one per line.
    fn short(conditions: &[Condition]) -> Vec<String> {
        conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect()
    }

    const IN_SYNC: Finding = Outcome::InSync { output: (), changed: false };

    fn waiting(why: Reason) -> Finding {
        Outcome::Waiting { why, message: "creating".into(), since: ago(1), early: None }
    }

    fn stuck() -> Finding {
        Outcome::Stuck { why: Reason::ForeignOwner, message: "it is another's".into(), hint: "rename it".into() }
    }

    /// One row per outcome of a single thing, which was in sync before at the same generation.
    #[test]
    fn each_outcome_has_its_conditions() {
        let before = conditions(&looked(Phase::BuildUp, vec![(Kind::CatalogProduct, IN_SYNC)]), &[]);
        let as_before = vec!["Ready=True/Succeeded", "CatalogReady=True/InSync"];
        let cases: Vec<(&str, Phase, Finding, Vec<&str>)> = vec![
            ("in sync", Phase::BuildUp, IN_SYNC, as_before.clone()),
            (
                "the remote side works",
                Phase::BuildUp,
                waiting(Reason::Progressing),
                vec!["Ready=Unknown/Progressing", "Reconciling=True/Progressing", "CatalogReady=Unknown/Progressing"],
            ),
            (
                "AWS propagates",
                Phase::BuildUp,
                waiting(Reason::Propagating),
                vec!["Ready=Unknown/Propagating", "Reconciling=True/Propagating", "CatalogReady=Unknown/Propagating"],
            ),
            (
                "a person must act",
                Phase::BuildUp,
                stuck(),
                vec!["Ready=False/ForeignOwner", "Stalled=True/ForeignOwner", "CatalogReady=False/ForeignOwner"],
            ),
            ("throttled for a moment", Phase::BuildUp, fault(FaultKind::Throttled, 299), as_before.clone()),
            (
                "throttled for five minutes",
                Phase::BuildUp,
                fault(FaultKind::Throttled, 300),
                vec!["Ready=Unknown/Throttled", "Reconciling=True/Throttled", "CatalogReady=Unknown/Throttled"],
            ),
            ("unavailable for a moment", Phase::BuildUp, fault(FaultKind::Unavailable, 1), as_before.clone()),
            (
                "unavailable for long",
                Phase::BuildUp,
                fault(FaultKind::Unavailable, 400),
                vec!["Ready=Unknown/Unavailable", "Reconciling=True/Unavailable", "CatalogReady=Unknown/Unavailable"],
            ),
            ("another operation runs", Phase::BuildUp, fault(FaultKind::Conflict, 10), as_before.clone()),
            (
                "another operation runs for long",
                Phase::BuildUp,
                fault(FaultKind::Conflict, 301),
                vec!["Ready=Unknown/Conflict", "Reconciling=True/Conflict", "CatalogReady=Unknown/Conflict"],
            ),
            (
                "denied",
                Phase::BuildUp,
                fault(FaultKind::Denied, 0),
                vec!["Ready=False/AccessDenied", "CatalogReady=False/AccessDenied"],
            ),
            (
                "rejected",
                Phase::BuildUp,
                fault(FaultKind::Rejected, 0),
                vec!["Ready=False/Rejected", "Stalled=True/Rejected", "CatalogReady=False/Rejected"],
            ),
            (
                "not understood",
                Phase::BuildUp,
                fault(FaultKind::Unexpected, 0),
                vec!["Ready=Unknown/Unexpected", "Reconciling=True/Unexpected", "CatalogReady=Unknown/Unexpected"],
            ),
            ("not wanted", Phase::BuildUp, Outcome::Gone, vec!["Ready=True/Succeeded", "CatalogReady=False/NotWanted"]),
            ("interrupted", Phase::BuildUp, Outcome::Interrupted, as_before.clone()),
            (
                "being deleted",
                Phase::TearDown,
                waiting(Reason::Progressing),
                vec!["Ready=False/Deleting", "Reconciling=True/Deleting", "CatalogReady=Unknown/Progressing"],
            ),
            ("deleted", Phase::TearDown, Outcome::Gone, vec!["Ready=False/Deleted", "CatalogReady=False/Deleted"]),
            (
                "cannot be deleted",
                Phase::TearDown,
                stuck(),
                vec!["Ready=False/ForeignOwner", "Stalled=True/ForeignOwner", "CatalogReady=False/ForeignOwner"],
            ),
        ];
        for (name, phase, finding, expected) in cases {
            let after = conditions(&looked(phase, vec![(Kind::CatalogProduct, finding)]), &before);
            assert_eq!(short(&after), expected, "{name}");
        }
    }

    #[test]
    fn whatever_is_shown_of_a_fault_has_a_hint() {
        use FaultKind::{Conflict, Denied, Propagating, Rejected, Throttled, Unavailable, Unexpected};
        for kind in [Conflict, Denied, Propagating, Rejected, Throttled, Unavailable, Unexpected] {
            let bare = Outcome::Faulted { fault: Fault::new(kind, "could not look"), since: ago(600) };
            let after = conditions(&looked(Phase::BuildUp, vec![(Kind::CatalogProduct, bare)]), &[]);
            let own = find(&after, ConditionType::CatalogReady).unwrap();
            assert_eq!(own.message, format!("could not look; {}", kind.usual_hint()), "{kind:?}");
        }
    }

    #[test]
    fn the_worst_speaks_for_the_object_and_the_first_of_equals() {
        let report = looked(
            Phase::BuildUp,
            vec![
                (Kind::Prerequisites, IN_SYNC),
                (Kind::ArtifactBucket, waiting(Reason::Progressing)),
                (Kind::CatalogProduct, stuck()),
                (Kind::SagemakerProject, Outcome::Blocked { by: Kind::CatalogProduct }),
                (Kind::JenkinsJobs, fault(FaultKind::Rejected, 0)),
            ],
        );
        let after = conditions(&report, &[]);
        assert_eq!(after[0].message, "catalog product: it is another's; rename it");
        assert_eq!(find(&after, ConditionType::ProjectReady).unwrap().message, "waits for: catalog product");
        assert_eq!(find(&after, ConditionType::ProjectReady).unwrap().reason, "Blocked");
    }

    #[test]
    fn a_blocked_thing_leaves_ready_to_the_one_that_blocks_it() {
        let found = |first| {
            vec![(Kind::SagemakerProject, first), (Kind::JenkinsJobs, Outcome::Blocked { by: Kind::SagemakerProject })]
        };
        let after = conditions(&looked(Phase::BuildUp, found(waiting(Reason::Progressing))), &[]);
        assert_eq!(after[0].message, "SageMaker project: creating");
    }

    #[test]
    fn a_passing_fault_does_not_vouch_for_a_new_generation() {
        let mut old = looked(Phase::BuildUp, vec![(Kind::CatalogProduct, IN_SYNC)]);
        old.generation = 2;
        let before = conditions(&old, &[]);
        let after =
            conditions(&looked(Phase::BuildUp, vec![(Kind::CatalogProduct, fault(FaultKind::Throttled, 1))]), &before);
        assert_eq!(
            short(&after),
            ["Ready=Unknown/Progressing", "Reconciling=True/Progressing", "CatalogReady=True/InSync"]
        );
        assert_eq!(after[2].observed_generation, Some(2));
    }

    #[test]
    fn the_time_of_a_condition_moves_only_when_its_status_flips() {
        let mut first = looked(Phase::BuildUp, vec![(Kind::CatalogProduct, waiting(Reason::Progressing))]);
        first.now = ago(100);
        let before = conditions(&first, &[]);
        let same_status =
            conditions(&looked(Phase::BuildUp, vec![(Kind::CatalogProduct, fault(FaultKind::Unexpected, 0))]), &before);
        assert_eq!(same_status[0].last_transition_time, Time(ago(100)));
        let flipped = conditions(&looked(Phase::BuildUp, vec![(Kind::CatalogProduct, IN_SYNC)]), &before);
        assert_eq!(flipped[0].last_transition_time, Time(now()));
    }

    #[test]
    fn a_refused_or_suspended_object_keeps_what_was_known_of_its_things() {
        let before = conditions(&looked(Phase::BuildUp, vec![(Kind::CatalogProduct, IN_SYNC)]), &[]);
        let with = |verdict| Report { generation: 4, now: now(), verdict, remarks: Vec::new() };
        let refused =
            Verdict::Refused { why: Reason::InvalidSpec, message: "spec.x is odd".into(), hint: "set it".into() };
        let after = conditions(&with(refused), &before);
        assert_eq!(short(&after), ["Ready=False/InvalidSpec", "Stalled=True/InvalidSpec", "CatalogReady=True/InSync"]);
        assert_eq!(after[0].message, "spec.x is odd; set it");
        let after = conditions(&with(Verdict::Suspended), &before);
        assert_eq!(short(&after), ["Ready=Unknown/Suspended", "CatalogReady=True/InSync"]);
    }

    #[test]
    fn announcements_come_once_per_change() {
        use crate::domain::report::announcements;
        let report = looked(Phase::BuildUp, vec![(Kind::CatalogProduct, stuck())]);
        let after = conditions(&report, &[]);
        let first = announcements(&report, &[], &after, &[]);
        assert_eq!(first.len(), 1);
        assert!(first[0].warning && first[0].reason == "ForeignOwner");
        assert_eq!(announcements(&report, &after, &after, &[]), []);
        let healed = looked(Phase::BuildUp, vec![(Kind::CatalogProduct, IN_SYNC)]);
        let now_ready = conditions(&healed, &after);
        let second = announcements(&healed, &after, &now_ready, &[]);
        assert_eq!(second.iter().map(|a| a.reason.as_str()).collect::<Vec<_>>(), ["Succeeded"]);
    }
}
