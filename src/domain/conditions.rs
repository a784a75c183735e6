//! The one place that turns the facts of a reconcile into conditions. Nothing else writes `Ready`. Conditions follow
//! kstatus: `Ready` always, `Reconciling`, `Stalled` and `Suspended` only while True, so that `kubectl wait`, Argo CD and
//! Flux understand them. No text here changes while nothing changes.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::crd::status::{ConditionType, Reason};
use crate::domain::external_resource::ResourceKind;
use crate::domain::fault::{Fault, Impact};
use crate::domain::outcome::{Outcome, Phase, ReconcileResult, Report};
use crate::domain::problem::Problem;
use crate::domain::time::elapsed;

/// Longest message of a condition, in characters; the API server takes 32768 bytes.
const LONGEST_MESSAGE: usize = 2000;

/// What a condition is to say, apart from its type and its times.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    status: &'static str,
    reason: Reason,
    message: String,
}

impl Statement {
    fn new(status: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    fn problem(problem: &Problem) -> Self {
        Self::new("False", problem.reason, with_hint(&problem.message, &problem.hint))
    }
}

/// What the object as a whole is to say.
enum Whole {
    /// It is known how it stands.
    Known { ready: Statement, reconciling: bool, stalled: bool },
    /// Nothing new is known: as before, if that was about this generation.
    AsBefore,
    /// Nobody looks: as before, if the spec has not changed since, apart from the suspension itself.
    Suspended { message: String, looked_at: i64 },
}

/// The conditions of an object that nothing is known of: its first status write, before anything is made, has them.
pub fn first_conditions(generation: i64, now: Timestamp) -> Vec<Condition> {
    let condition = |type_, statement: Statement| condition(type_, statement, generation, Time(now));
    let reconciling = Statement { status: "True", ..unknown() };
    vec![condition(ConditionType::Ready, unknown()), condition(ConditionType::Reconciling, reconciling)]
}

fn unknown() -> Statement {
    Statement::new("Unknown", Reason::Progressing, "not everything could be looked at yet")
}

/// The conditions after a reconcile, complete and in a fixed order. `before` are those that the status has.
pub fn conditions(report: &Report, before: &[Condition]) -> Vec<Condition> {
    let mut conditions = whole_conditions(report, before);
    for kind in ResourceKind::ALL {
        let outcome = report.outcomes().iter().find(|(about, _)| *about == kind).map(|(_, outcome)| outcome);
        let remark = report.remarks.iter().find(|(about, _)| *about == kind).map(|(_, remark)| remark);
        // What waits only for a fault that is not shown yet stands as before, like the one that has the fault.
        let known = outcome.filter(|one| !blocked_unseen(report, one) || find(before, kind.condition()).is_none());
        let statement = known.and_then(|outcome| own(report, outcome)).map(|statement| match remark {
            Some(remark) if statement.reason == Reason::InSync => {
                Statement::new("True", remark.reason, &remark.message)
            }
            _ => statement,
        });
        let condition = match statement {
            Some(statement) => Some(stated(report, before, kind.condition(), statement)),
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
            _ => (unknown(), true, false),
        },
        Whole::Suspended { message, looked_at } => return suspended(report, before, message, looked_at),
    };
    let mut conditions = vec![stated(report, before, ConditionType::Ready, ready.clone())];
    for (wanted, type_) in [(reconciling, ConditionType::Reconciling), (stalled, ConditionType::Stalled)] {
        if wanted {
            let statement = Statement { status: "True", ..ready.clone() };
            conditions.push(stated(report, before, type_, statement));
        }
    }
    conditions
}

/// Of a suspended object: what was last known, that nobody looks, and no `Reconciling`.
fn suspended(report: &Report, before: &[Condition], message: String, looked_at: i64) -> Vec<Condition> {
    let known = find(before, ConditionType::Ready).is_some_and(|ready| ready.observed_generation >= Some(looked_at));
    let mut conditions: Vec<Condition> = if known {
        let kept = [ConditionType::Ready, ConditionType::Stalled];
        kept.iter().filter_map(|type_| find(before, *type_).cloned()).collect()
    } else {
        let unseen =
            Statement::new("Unknown", Reason::Suspended, "this spec was not looked at before it was suspended");
        vec![stated(report, before, ConditionType::Ready, unseen)]
    };
    let statement = Statement::new("True", Reason::Suspended, message);
    conditions.push(stated(report, before, ConditionType::Suspended, statement));
    conditions
}

/// How the object as a whole stands: the worst outcome speaks, of several equally bad ones the first in order.
fn whole(report: &Report) -> Whole {
    let (phase, outcomes) = match &report.result {
        ReconcileResult::Refused(problem) => {
            return Whole::Known { ready: Statement::problem(problem), reconciling: false, stalled: true };
        }
        ReconcileResult::Suspended { platform } => {
            // To suspend an object changes its own spec, and that change needs no look; its platform's spec is another.
            let (whose, own_change) = match platform {
                None => (String::new(), 1),
                Some(name) => (format!(" of platform {name}"), 0),
            };
            let message = format!("spec.suspend{whose} is true: nothing is looked at or changed");
            return Whole::Suspended { message, looked_at: report.generation - own_change };
        }
        ReconcileResult::Observed { phase, outcomes } => (*phase, outcomes),
    };
    let each = outcomes.iter().map(|(kind, outcome)| (outcome.impact(report.now), *kind, outcome));
    // The greatest impact, and the first kind among those: so later kinds count as less.
    let worst = each.max_by(|left, right| left.0.cmp(&right.0).then(right.1.cmp(&left.1)));
    let Some((impact, kind, outcome)) = worst else { return Whole::AsBefore };
    let speak =
        |statement: Statement| Statement { message: format!("{}: {}", kind.noun(), statement.message), ..statement };
    let statement = own(report, outcome).map(speak);
    match (impact, statement) {
        (Impact::Fine, _) => Whole::Known { ready: done(phase), reconciling: false, stalled: false },
        (Impact::Unseen, _) | (_, None) => Whole::AsBefore,
        (Impact::Working, Some(statement)) if phase == Phase::Delete => {
            let ready = Statement { status: "False", reason: Reason::Deleting, ..statement };
            Whole::Known { ready, reconciling: true, stalled: false }
        }
        (Impact::Working | Impact::Troubled, Some(ready)) => Whole::Known { ready, reconciling: true, stalled: false },
        (Impact::Stalled, Some(ready)) => Whole::Known { ready, reconciling: false, stalled: true },
    }
}

fn done(phase: Phase) -> Statement {
    match phase {
        Phase::Apply => Statement::new("True", Reason::Succeeded, "everything exists as declared"),
        Phase::Delete => Statement::new("False", Reason::Deleted, "everything is deleted"),
    }
}

/// What a resource's own condition is to say; `None`: nothing new is known.
fn own(report: &Report, outcome: &Outcome) -> Option<Statement> {
    let deleting = matches!(report.result, ReconcileResult::Observed { phase: Phase::Delete, .. });
    match outcome {
        Outcome::InSync { .. } => Some(Statement::new("True", Reason::InSync, "exists as declared")),
        Outcome::Gone if deleting => Some(Statement::new("False", Reason::Deleted, "deleted")),
        Outcome::Gone => Some(Statement::new("False", Reason::Disabled, "the spec does not ask for it")),
        Outcome::Waiting { reason, message, .. } => Some(Statement::new("Unknown", *reason, message)),
        Outcome::Blocked { by } => {
            let observed_only = matches!(by, ResourceKind::Prerequisites | ResourceKind::JenkinsServer);
            let why = if deleting && !observed_only { "stays until this is gone" } else { "waits for" };
            Some(Statement::new("Unknown", Reason::Blocked, format!("{why}: {}", by.noun())))
        }
        Outcome::Stuck(problem) => Some(Statement::problem(problem)),
        Outcome::Faulted { fault, since } => faulted(report, fault, *since),
        Outcome::Interrupted => None,
    }
}

/// Whether it is blocked by a resource whose fault is too young to be shown.
fn blocked_unseen(report: &Report, outcome: &Outcome) -> bool {
    let Outcome::Blocked { by } = outcome else { return false };
    let blocker = report.outcomes().iter().find(|(kind, _)| kind == by).map(|(_, outcome)| outcome);
    blocker.is_some_and(|blocker| matches!(blocker, Outcome::Faulted { .. }) && own(report, blocker).is_none())
}

fn faulted(report: &Report, fault: &Fault, since: jiff::Timestamp) -> Option<Statement> {
    let policy = fault.kind.policy();
    let shown = elapsed(since, report.now) >= policy.shown_after;
    let hint = fault.hint.as_deref().unwrap_or_else(|| fault.kind.usual_hint());
    shown.then(|| Statement::new(policy.status, fault.reason, with_hint(&fault.message, hint)))
}

fn with_hint(message: &str, hint: &str) -> String {
    let text = if hint.is_empty() { message.to_owned() } else { format!("{message}; {hint}") };
    text.chars().take(LONGEST_MESSAGE).collect()
}

/// The page of the reason, where a person must act or look.
fn page(report: &Report, type_: ConditionType, statement: &Statement) -> Option<String> {
    let usual = matches!(statement.reason, Reason::Disabled | Reason::Deleted | Reason::Deleting);
    let bad = (statement.status == "False" && !usual) || Reason::WARNINGS.contains(&statement.reason);
    let needed = type_ == ConditionType::Stalled || bad;
    report.docs.page(statement.reason).filter(|_| needed)
}

/// The condition that says this, with the moment of its last flip.
fn stated(report: &Report, before: &[Condition], type_: ConditionType, statement: Statement) -> Condition {
    let statement = match page(report, type_, &statement) {
        Some(page) => Statement { message: format!("{}; see {page}", statement.message), ..statement },
        None => statement,
    };
    let since = find(before, type_)
        .filter(|old| old.status == statement.status)
        .map_or(Time(report.now), |old| old.last_transition_time.clone());
    condition(type_, statement, report.generation, since)
}

fn condition(type_: ConditionType, statement: Statement, generation: i64, since: Time) -> Condition {
    Condition {
        type_: type_.as_str().to_owned(),
        status: statement.status.to_owned(),
        reason: statement.reason.as_str().to_owned(),
        message: statement.message,
        observed_generation: Some(generation),
        last_transition_time: since,
    }
}

fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::docs_url::DocsUrl;
    use crate::domain::fault::FaultKind;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn ago(seconds: i64) -> Timestamp {
        now() - SignedDuration::from_secs(seconds)
    }

    fn observed(phase: Phase, outcomes: Vec<(ResourceKind, Outcome)>) -> Report {
        Report {
            generation: 3,
            now: now(),
            result: ReconcileResult::Observed { phase, outcomes },
            remarks: Vec::new(),
            applied: Vec::new(),
            docs: DocsUrl::default(),
        }
    }

    fn fault(kind: FaultKind, since: i64) -> Outcome {
        let fault = Fault::new(kind, "could not look at it").hint("do something");
        Outcome::Faulted { fault, since: ago(since) }
    }

    /// All conditions in short: `Ready=True/Succeeded`, one per line.
    fn short(conditions: &[Condition]) -> Vec<String> {
        conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect()
    }

    const IN_SYNC: Outcome = Outcome::InSync { output: (), changed: false };

    fn waiting(reason: Reason) -> Outcome {
        Outcome::Waiting { reason, message: "creating".into(), since: ago(1), until: None, early: None }
    }

    fn stuck() -> Outcome {
        Outcome::Stuck(Problem::new(Reason::ForeignOwner, "it is another's", "rename it"))
    }

    /// One row per outcome of a single resource, which was in sync before at the same generation.
    #[test]
    fn each_outcome_has_its_conditions() {
        let before = conditions(&observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, IN_SYNC)]), &[]);
        let as_before = vec!["Ready=True/Succeeded", "CatalogReady=True/InSync"];
        let cases: Vec<(&str, Phase, Outcome, Vec<&str>)> = vec![
            ("in sync", Phase::Apply, IN_SYNC, as_before.clone()),
            (
                "the remote side works",
                Phase::Apply,
                waiting(Reason::Progressing),
                vec!["Ready=Unknown/Progressing", "Reconciling=True/Progressing", "CatalogReady=Unknown/Progressing"],
            ),
            (
                "AWS propagates",
                Phase::Apply,
                waiting(Reason::Propagating),
                vec!["Ready=Unknown/Propagating", "Reconciling=True/Propagating", "CatalogReady=Unknown/Propagating"],
            ),
            (
                "a person must act",
                Phase::Apply,
                stuck(),
                vec!["Ready=False/ForeignOwner", "Stalled=True/ForeignOwner", "CatalogReady=False/ForeignOwner"],
            ),
            ("throttled for a moment", Phase::Apply, fault(FaultKind::Throttled, 299), as_before.clone()),
            (
                "throttled for five minutes",
                Phase::Apply,
                fault(FaultKind::Throttled, 300),
                vec!["Ready=Unknown/Throttled", "Reconciling=True/Throttled", "CatalogReady=Unknown/Throttled"],
            ),
            ("unavailable for a moment", Phase::Apply, fault(FaultKind::Unavailable, 1), as_before.clone()),
            (
                "unavailable for long",
                Phase::Apply,
                fault(FaultKind::Unavailable, 400),
                vec!["Ready=Unknown/Unavailable", "Reconciling=True/Unavailable", "CatalogReady=Unknown/Unavailable"],
            ),
            (
                "denied for a moment: Jenkins may be starting",
                Phase::Apply,
                fault(FaultKind::Denied, 29),
                as_before.clone(),
            ),
            ("another operation runs", Phase::Apply, fault(FaultKind::Conflict, 10), as_before.clone()),
            (
                "another operation runs for long",
                Phase::Apply,
                fault(FaultKind::Conflict, 301),
                vec!["Ready=Unknown/Conflict", "Reconciling=True/Conflict", "CatalogReady=Unknown/Conflict"],
            ),
            (
                "denied for 30 s",
                Phase::Apply,
                fault(FaultKind::Denied, 30),
                vec!["Ready=False/AccessDenied", "Stalled=True/AccessDenied", "CatalogReady=False/AccessDenied"],
            ),
            (
                "rejected",
                Phase::Apply,
                fault(FaultKind::Rejected, 0),
                vec!["Ready=False/Rejected", "Stalled=True/Rejected", "CatalogReady=False/Rejected"],
            ),
            (
                "not understood",
                Phase::Apply,
                fault(FaultKind::Unexpected, 0),
                vec!["Ready=Unknown/Unexpected", "Reconciling=True/Unexpected", "CatalogReady=Unknown/Unexpected"],
            ),
            ("not wanted", Phase::Apply, Outcome::Gone, vec!["Ready=True/Succeeded", "CatalogReady=False/Disabled"]),
            ("interrupted", Phase::Apply, Outcome::Interrupted, as_before.clone()),
            (
                "being deleted",
                Phase::Delete,
                waiting(Reason::Progressing),
                vec!["Ready=False/Deleting", "Reconciling=True/Deleting", "CatalogReady=Unknown/Progressing"],
            ),
            ("deleted", Phase::Delete, Outcome::Gone, vec!["Ready=False/Deleted", "CatalogReady=False/Deleted"]),
            (
                "cannot be deleted",
                Phase::Delete,
                stuck(),
                vec!["Ready=False/ForeignOwner", "Stalled=True/ForeignOwner", "CatalogReady=False/ForeignOwner"],
            ),
        ];
        for (name, phase, outcome, expected) in cases {
            let after = conditions(&observed(phase, vec![(ResourceKind::CatalogProduct, outcome)]), &before);
            assert_eq!(short(&after), expected, "{name}");
        }
    }

    #[test]
    fn whatever_is_shown_of_a_fault_has_a_hint() {
        for kind in FaultKind::ALL {
            let bare = Outcome::Faulted { fault: Fault::new(kind, "could not look"), since: ago(600) };
            let after = conditions(&observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, bare)]), &[]);
            let own = find(&after, ConditionType::CatalogReady).unwrap();
            assert_eq!(own.message, format!("could not look; {}", kind.usual_hint()), "{kind:?}");
        }
    }

    #[test]
    fn the_worst_speaks_for_the_object_and_the_first_of_equals() {
        let report = observed(
            Phase::Apply,
            vec![
                (ResourceKind::Prerequisites, IN_SYNC),
                (ResourceKind::ArtifactBucket, waiting(Reason::Progressing)),
                (ResourceKind::CatalogProduct, stuck()),
                (ResourceKind::SagemakerProject, Outcome::Blocked { by: ResourceKind::CatalogProduct }),
                (ResourceKind::JenkinsJobs, fault(FaultKind::Rejected, 0)),
            ],
        );
        let after = conditions(&report, &[]);
        assert_eq!(after[0].message, "catalog product: it is another's; rename it");
        assert_eq!(find(&after, ConditionType::ProjectReady).unwrap().message, "waits for: catalog product");
        assert_eq!(find(&after, ConditionType::ProjectReady).unwrap().reason, "Blocked");
    }

    #[test]
    fn what_waits_for_a_fault_that_is_not_shown_yet_stands_as_before() {
        let found = |since| {
            let server = (ResourceKind::JenkinsServer, fault(FaultKind::Unavailable, since));
            observed(
                Phase::Apply,
                vec![server, (ResourceKind::JenkinsJobs, Outcome::Blocked { by: ResourceKind::JenkinsServer })],
            )
        };
        let both = vec![(ResourceKind::JenkinsServer, IN_SYNC), (ResourceKind::JenkinsJobs, IN_SYNC)];
        let before = conditions(&observed(Phase::Apply, both), &[]);
        let jobs = |conditions: &[Condition]| find(conditions, ConditionType::JobsReady).unwrap().reason.clone();
        assert_eq!(jobs(&conditions(&found(10), &before)), "InSync", "ten seconds of a Jenkins that is not there");
        assert_eq!(jobs(&conditions(&found(301), &before)), "Blocked", "five minutes");
        assert_eq!(jobs(&conditions(&found(10), &[])), "Blocked", "nothing was known before");
    }

    #[test]
    fn a_blocked_resource_leaves_ready_to_the_one_that_blocks_it() {
        let found = |first| {
            vec![
                (ResourceKind::SagemakerProject, first),
                (ResourceKind::JenkinsJobs, Outcome::Blocked { by: ResourceKind::SagemakerProject }),
            ]
        };
        let after = conditions(&observed(Phase::Apply, found(waiting(Reason::Progressing))), &[]);
        assert_eq!(after[0].message, "SageMaker project: creating");
    }

    #[test]
    fn a_passing_fault_does_not_vouch_for_a_new_generation() {
        let mut old = observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, IN_SYNC)]);
        old.generation = 2;
        let before = conditions(&old, &[]);
        let after = conditions(
            &observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, fault(FaultKind::Throttled, 1))]),
            &before,
        );
        assert_eq!(
            short(&after),
            ["Ready=Unknown/Progressing", "Reconciling=True/Progressing", "CatalogReady=True/InSync"]
        );
        assert_eq!(after[2].observed_generation, Some(2));
    }

    #[test]
    fn the_time_of_a_condition_moves_only_when_its_status_flips() {
        let mut first = observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, waiting(Reason::Progressing))]);
        first.now = ago(100);
        let before = conditions(&first, &[]);
        let same_status = conditions(
            &observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, fault(FaultKind::Unexpected, 0))]),
            &before,
        );
        assert_eq!(same_status[0].last_transition_time, Time(ago(100)));
        let flipped = conditions(&observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, IN_SYNC)]), &before);
        assert_eq!(flipped[0].last_transition_time, Time(now()));
    }

    #[test]
    fn a_refused_object_keeps_what_was_known_of_its_resources() {
        let before = conditions(&observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, IN_SYNC)]), &[]);
        let with = |result| Report { generation: 4, result, ..observed(Phase::Apply, Vec::new()) };
        let refused = ReconcileResult::Refused(Problem::new(Reason::InvalidSpec, "spec.x is odd", "set it"));
        let after = conditions(&with(refused), &before);
        assert_eq!(short(&after), ["Ready=False/InvalidSpec", "Stalled=True/InvalidSpec", "CatalogReady=True/InSync"]);
        assert_eq!(after[0].message, "spec.x is odd; set it");
    }

    #[test]
    fn a_suspended_object_keeps_what_was_known_of_its_spec() {
        const READY: &str = "Ready=True/Succeeded";
        const UNSEEN: &str = "Ready=Unknown/Suspended";
        let looked_at =
            |outcome| conditions(&observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, outcome)]), &[]);
        let suspended = |generation, platform: Option<&str>, before: &[Condition]| {
            let result = ReconcileResult::Suspended { platform: platform.map(str::to_owned) };
            conditions(&Report { generation, result, ..observed(Phase::Apply, Vec::new()) }, before)
        };
        let (ready, own) = (looked_at(IN_SYNC), "CatalogReady=True/InSync");
        let rows: Vec<(&str, Vec<Condition>, Vec<&str>)> = vec![
            ("suspended while Ready", suspended(4, None, &ready), vec![READY, own]),
            ("and looked at again", suspended(4, None, &suspended(4, None, &ready)), vec![READY, own]),
            ("then edited", suspended(5, None, &suspended(4, None, &ready)), vec![UNSEEN, own]),
            ("its platform is suspended", suspended(3, Some("main"), &ready), vec![READY, own]),
            ("and then it is edited", suspended(4, Some("main"), &ready), vec![UNSEEN, own]),
            ("suspended before the first look", suspended(1, None, &[]), vec![UNSEEN]),
            (
                "while a person must act",
                suspended(4, None, &looked_at(stuck())),
                vec!["Ready=False/ForeignOwner", "Stalled=True/ForeignOwner", "CatalogReady=False/ForeignOwner"],
            ),
            (
                "while it is made",
                suspended(4, None, &looked_at(waiting(Reason::Progressing))),
                vec!["Ready=Unknown/Progressing", "CatalogReady=Unknown/Progressing"],
            ),
        ];
        for (name, after, mut expected) in rows {
            let at = expected.iter().filter(|one| one.starts_with("Ready=") || one.starts_with("Stalled=")).count();
            expected.insert(at, "Suspended=True/Suspended");
            assert_eq!(short(&after), expected, "{name}");
        }
        assert_eq!(
            suspended(4, None, &ready)[0].observed_generation,
            Some(3),
            "it speaks of the spec that was looked at"
        );
        let resumed = conditions(
            &Report { generation: 5, ..observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, IN_SYNC)]) },
            &suspended(4, None, &ready),
        );
        assert_eq!(short(&resumed), [READY, own]);
    }

    #[test]
    fn what_is_said_first_is_that_nothing_is_known() {
        let first = first_conditions(1, now());
        assert_eq!(short(&first), ["Ready=Unknown/Progressing", "Reconciling=True/Progressing"]);
        assert!(first.iter().all(|condition| condition.observed_generation == Some(1)));
    }

    #[test]
    fn what_needs_a_person_ends_with_the_page_of_its_reason_where_the_pages_are_published() {
        let told = |outcome, phase| {
            let docs = DocsUrl::try_from("https://docs.example.com/mlops".to_owned()).unwrap();
            let report = Report { docs, ..observed(phase, vec![(ResourceKind::CatalogProduct, outcome)]) };
            let with_page = |one: &Condition| {
                one.message.ends_with(&format!("; see https://docs.example.com/mlops/reasons/{}.html", one.reason))
            };
            let all = conditions(&report, &[]);
            all.into_iter()
                .map(|one| (with_page(&one), one.type_))
                .filter(|one| one.0)
                .map(|one| one.1)
                .collect::<Vec<_>>()
        };
        let rows = [
            ("a person must act", stuck(), Phase::Apply, vec!["Ready", "Stalled", "CatalogReady"]),
            ("a call is denied", fault(FaultKind::Denied, 30), Phase::Apply, vec!["Ready", "Stalled", "CatalogReady"]),
            ("it cannot be deleted", stuck(), Phase::Delete, vec!["Ready", "Stalled", "CatalogReady"]),
            ("AWS works", waiting(Reason::Progressing), Phase::Apply, vec![]),
            ("all is well", IN_SYNC, Phase::Apply, vec![]),
            ("not wanted", Outcome::Gone, Phase::Apply, vec![]),
            ("being deleted", waiting(Reason::Progressing), Phase::Delete, vec![]),
            ("deleted", Outcome::Gone, Phase::Delete, vec![]),
        ];
        for (case, outcome, phase, wanted) in rows {
            assert_eq!(told(outcome, phase), wanted, "{case}");
        }
        let long = Outcome::Stuck(Problem::new(Reason::ForeignOwner, "x".repeat(3000), "rename it"));
        assert!(!told(long, Phase::Apply).is_empty(), "a long message is cut off before the page");
    }

    #[test]
    fn event_notes_come_once_per_change() {
        use crate::domain::events::turn_notes;
        let report = observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, stuck())]);
        let after = conditions(&report, &[]);
        let first = turn_notes(&report, &[], &after);
        assert_eq!(first.len(), 1);
        assert!(first[0].warning && first[0].reason == "ForeignOwner");
        assert_eq!(turn_notes(&report, &after, &after), []);
        let healed = observed(Phase::Apply, vec![(ResourceKind::CatalogProduct, IN_SYNC)]);
        let now_ready = conditions(&healed, &after);
        let second = turn_notes(&healed, &after, &now_ready);
        assert_eq!(second.iter().map(|a| a.reason.as_str()).collect::<Vec<_>>(), ["Succeeded"]);
    }
}
