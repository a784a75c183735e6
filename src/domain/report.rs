//! The facts of one pass over one object, and what follows from them besides conditions: when to look again and
//! what to announce. Pure: `controller::drive` finds the facts, `domain::conditions` puts them into the status.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::crd::status::{ConditionType, ProjectStatus, Reason, RepositoryStatus};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::resource::{Change, Kind};

/// For how long a passing fault changes no condition.
pub const PATIENCE: Duration = Duration::from_mins(5);
/// For how long AWS may need to propagate what was just made before that counts as refused.
pub const PROPAGATION: Duration = Duration::from_mins(2);
/// How often things in sync are looked at although nothing has changed.
pub const DEEP_CHECK: Duration = Duration::from_hours(1);
/// How often it is tried again where a person must change something outside.
pub const SLOW_RETRY: Duration = Duration::from_mins(10);

/// How a pass ended for one thing; `O` is what it hands to the things after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<O> {
    /// It is as declared.
    InSync {
        /// For dependants.
        output: O,
        /// Whether the pass had to do something for it.
        changed: bool,
    },
    /// It is not wanted, and it does not exist.
    Gone,
    /// The remote side is working.
    Waiting {
        /// What for.
        why: Reason,
        /// For people; stable while nothing changes.
        message: String,
        /// Since when.
        since: Timestamp,
        /// What dependants may already use.
        early: Option<O>,
    },
    /// A person must change something.
    Stuck {
        /// What is wrong.
        why: Reason,
        /// What is wrong, in a sentence that names the thing.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// A call did not do what it should.
    Faulted {
        /// What went wrong.
        fault: Fault,
        /// Since when it goes wrong without a success in between.
        since: Timestamp,
    },
    /// Another thing must be ready first.
    Blocked {
        /// That thing.
        by: Kind,
    },
    /// The operator is stopping; nothing is known.
    Interrupted,
}

/// An outcome without what it hands on: all that conditions and requeues need.
pub type Finding = Outcome<()>;

impl Finding {
    /// Whether nothing will come of it by itself soon: a person must act, or a passing fault has lasted.
    pub fn hopeless(&self, now: Timestamp) -> bool {
        match self {
            Self::Stuck { .. } => true,
            Self::Faulted { fault, since } => {
                matches!(fault.kind, FaultKind::Denied | FaultKind::Rejected) || passed(*since, now) >= PATIENCE
            }
            _ => false,
        }
    }

    /// The same with its texts changed.
    #[must_use]
    pub fn retold(mut self, tell: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::Waiting { message, .. } | Self::Stuck { message, .. } => *message = tell(message),
            Self::Faulted { fault, .. } => fault.message = tell(&fault.message),
            Self::InSync { .. } | Self::Gone | Self::Blocked { .. } | Self::Interrupted => {}
        }
        self
    }
}

impl<O> Outcome<O> {
    /// The same without the output.
    pub fn finding(&self) -> Finding {
        match self {
            Self::InSync { changed, .. } => Outcome::InSync { output: (), changed: *changed },
            Self::Gone => Outcome::Gone,
            Self::Waiting { why, message, since, .. } => {
                Outcome::Waiting { why: *why, message: message.clone(), since: *since, early: None }
            }
            Self::Stuck { why, message, hint } => {
                Outcome::Stuck { why: *why, message: message.clone(), hint: hint.clone() }
            }
            Self::Faulted { fault, since } => Outcome::Faulted { fault: fault.clone(), since: *since },
            Self::Blocked { by } => Outcome::Blocked { by: *by },
            Self::Interrupted => Outcome::Interrupted,
        }
    }

    /// What dependants need that wait for it to be done, or the thing that they have to wait for.
    ///
    /// # Errors
    /// The kind that blocks: this one, or the one that blocks it.
    pub fn ready(&self, kind: Kind) -> Result<&O, Kind> {
        match self {
            Self::InSync { output, .. } => Ok(output),
            Self::Blocked { by } => Err(*by),
            _ => Err(kind),
        }
    }

    /// What dependants need that can start before it is done, or the thing that they have to wait for.
    ///
    /// # Errors
    /// The kind that blocks: this one, or the one that blocks it.
    pub fn early(&self, kind: Kind) -> Result<&O, Kind> {
        match self {
            Self::Waiting { early: Some(output), .. } => Ok(output),
            other => other.ready(kind),
        }
    }
}

/// Which way a pass went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Making things as declared.
    BuildUp,
    /// Removing them.
    TearDown,
}

/// What a pass came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Things were looked at.
    Looked {
        /// Which way.
        phase: Phase,
        /// What was found, in the order of the kinds.
        findings: Vec<(Kind, Finding)>,
    },
    /// The object itself is not fit to be acted on.
    Refused {
        /// What is wrong.
        why: Reason,
        /// What is wrong, in a sentence.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// `spec.suspend`.
    Suspended,
}

/// The facts of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The generation of the spec that the pass worked from.
    pub generation: i64,
    /// When.
    pub now: Timestamp,
    /// What it came to.
    pub verdict: Verdict,
    /// What is worth knowing about things that are as declared, and what to do about it.
    pub remarks: Vec<(Kind, Reason, String)>,
}

/// Something that was done in a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// To what.
    pub kind: Kind,
    /// What it did to the thing.
    pub change: Change,
    /// Why.
    pub because: Reason,
    /// For people, in the imperative.
    pub summary: String,
}

impl Report {
    /// Whether the operator was stopped before the pass could find out everything: then only ids are worth keeping.
    pub fn interrupted(&self) -> bool {
        self.findings().iter().any(|(_, finding)| matches!(finding, Outcome::Interrupted))
    }

    /// Whether everything was found as it should be.
    pub fn settled(&self) -> bool {
        matches!(self.verdict, Verdict::Looked { .. })
            && self.findings().iter().all(|(_, finding)| matches!(finding, Outcome::InSync { .. } | Outcome::Gone))
    }

    /// Whether a call failed in a way that backs off.
    pub fn failing(&self) -> bool {
        self.findings().iter().any(|(_, finding)| match finding {
            Outcome::Faulted { fault, .. } => {
                matches!(fault.kind, FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Unexpected)
            }
            _ => false,
        })
    }

    /// What was found about each thing; empty where nothing was looked at.
    pub fn findings(&self) -> &[(Kind, Finding)] {
        match &self.verdict {
            Verdict::Looked { findings, .. } => findings,
            Verdict::Refused { .. } | Verdict::Suspended => &[],
        }
    }

    /// When to look again if nothing happens before. `failures` counts the failing passes in a row, this one
    /// included; `chance` is a random number in 0..1 that only ever shortens.
    pub fn again(&self, failures: u32, chance: f64) -> Duration {
        let fallback = match self.verdict {
            // A remark must go soon after its cause has gone.
            Verdict::Looked { .. } if !self.remarks.is_empty() => SLOW_RETRY,
            Verdict::Looked { .. } | Verdict::Suspended => DEEP_CHECK,
            Verdict::Refused { .. } => SLOW_RETRY,
        };
        self.findings()
            .iter()
            .filter_map(|(_, finding)| delay(finding, self.now, failures, chance))
            .min()
            .unwrap_or_else(|| shortened(fallback, chance))
    }
}

/// When one finding asks for another look; `None`: it has no wish of its own.
fn delay(finding: &Finding, now: Timestamp, failures: u32, chance: f64) -> Option<Duration> {
    match finding {
        Outcome::InSync { .. } | Outcome::Gone | Outcome::Blocked { .. } => None,
        Outcome::Interrupted => Some(Duration::ZERO),
        Outcome::Waiting { since, .. } => Some(recheck(passed(*since, now), chance)),
        Outcome::Stuck { .. } => Some(shortened(SLOW_RETRY, chance)),
        Outcome::Faulted { fault, since } => {
            let own = match fault.kind {
                FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Unexpected => until_shown(*since, now)
                    .map_or(backoff(failures, chance), |left| backoff(failures, chance).min(left)),
                FaultKind::Conflict | FaultKind::Propagating => {
                    recheck(passed(*since, now), chance).max(Duration::from_secs(1))
                }
                FaultKind::Denied | FaultKind::Rejected => shortened(SLOW_RETRY, chance),
            };
            Some(fault.retry_after.map_or(own, |asked| asked.min(SLOW_RETRY).max(own)))
        }
    }
}

/// How long until a passing fault is shown, so that a look falls on that moment; `None`: it is shown already.
fn until_shown(since: Timestamp, now: Timestamp) -> Option<Duration> {
    let left = PATIENCE.saturating_sub(passed(since, now));
    (left > Duration::ZERO).then_some(left)
}

/// A tenth of the time already waited, at least 200 ms, at most 20 s.
pub fn recheck(waited: Duration, chance: f64) -> Duration {
    shortened((waited / 10).min(Duration::from_secs(20)), chance).max(Duration::from_millis(200))
}

/// One second after the first failure, twice as much after each further one, at most five minutes.
pub fn backoff(failures: u32, chance: f64) -> Duration {
    let doubled = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    shortened(doubled.min(Duration::from_mins(5)), chance)
}

/// Up to a quarter less.
fn shortened(delay: Duration, chance: f64) -> Duration {
    delay.mul_f64(1.0 - 0.25 * chance.clamp(0.0, 1.0))
}

/// How long ago; zero if it lies ahead.
fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO)
}

/// What users read in `kubectl describe`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whether somebody should worry.
    pub warning: bool,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub note: String,
}

/// What to announce: what was done, and every change for the worse or back to Ready. Nothing where nothing changed.
pub fn announcements(report: &Report, before: &[Condition], after: &[Condition], deeds: &[Deed]) -> Vec<Announcement> {
    let done = deeds.iter().map(|deed| Announcement {
        warning: false,
        reason: past(deed.change).to_owned(),
        note: format!("{} ({})", deed.summary, deed.because),
    });
    let turned = after.iter().filter_map(|condition| {
        let old = before.iter().find(|old| old.type_ == condition.type_);
        let same = old.is_some_and(|old| old.status == condition.status && old.reason == condition.reason);
        if same { None } else { turn(report, condition) }
    });
    done.chain(turned).collect()
}

/// What to announce about seed code: what was told of a repository and was not known before.
pub fn seed_news(before: Option<&ProjectStatus>, after: Option<&ProjectStatus>) -> Vec<Announcement> {
    let Some(after) = after else { return Vec::new() };
    let before = before.filter(|before| before.id == after.id);
    let known = |one: &RepositoryStatus| before.is_some_and(|before| before.repositories.contains(one));
    let news = after.repositories.iter().filter(|one| !known(one));
    news.map(|RepositoryStatus { name, seed_code }| Announcement {
        warning: false,
        reason: "SeedCode".to_owned(),
        note: format!("repository {name}: {seed_code}"),
    })
    .collect()
}

/// What a changed condition is worth.
fn turn(report: &Report, condition: &Condition) -> Option<Announcement> {
    let is = |reason: Reason| condition.reason == reason.as_str();
    let whole = condition.type_ == ConditionType::Ready.as_str();
    let own = Kind::ALL.iter().any(|kind| kind.condition().as_str() == condition.type_);
    let refused = matches!(report.verdict, Verdict::Refused { .. });
    let bad = match condition.status.as_str() {
        "False" => !(is(Reason::NotWanted) || is(Reason::Deleted) || is(Reason::Deleting)),
        "Unknown" => is(Reason::Throttled) || is(Reason::Unavailable) || is(Reason::Unexpected),
        _ => false,
    };
    let announcement = |warning| Announcement {
        warning,
        reason: condition.reason.clone(),
        note: if whole { condition.message.clone() } else { format!("{}: {}", condition.type_, condition.message) },
    };
    if bad && (own || (whole && refused)) {
        Some(announcement(true))
    } else if whole && (condition.status == "True" || is(Reason::Suspended)) {
        Some(announcement(false))
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
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const NOW: &str = "2026-03-01T12:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn ago(seconds: i64) -> Timestamp {
        now() - jiff::SignedDuration::from_secs(seconds)
    }

    fn report(findings: Vec<Finding>) -> Report {
        let findings = Kind::ALL.iter().copied().zip(findings).collect();
        let verdict = Verdict::Looked { phase: Phase::BuildUp, findings };
        Report { generation: 1, now: now(), verdict, remarks: Vec::new() }
    }

    fn faulted(kind: FaultKind, since: i64) -> Finding {
        Outcome::Faulted { fault: Fault::new(kind, "could not look"), since: ago(since) }
    }

    fn waiting(since: i64) -> Finding {
        Outcome::Waiting { why: Reason::Progressing, message: "creating".into(), since: ago(since), early: None }
    }

    fn stuck() -> Finding {
        Outcome::Stuck { why: Reason::ForeignOwner, message: "x".into(), hint: "y".into() }
    }

    const IN_SYNC: Finding = Outcome::InSync { output: (), changed: false };

    #[test]
    fn when_to_look_again_follows_from_what_was_found() {
        let throttled_for_a_minute = Outcome::Faulted {
            fault: Fault { retry_after: Some(Duration::from_mins(1)), ..Fault::new(FaultKind::Throttled, "slow down") },
            since: now(),
        };
        let cases: Vec<(&str, Vec<Finding>, u32, f64)> = vec![
            ("everything in sync: the deep check", vec![IN_SYNC, Outcome::Gone], 0, 3600.0),
            ("a wait that just began: at least 200 ms", vec![IN_SYNC, waiting(0)], 0, 0.2),
            ("a wait of 40 s: a tenth of it", vec![waiting(40)], 0, 4.0),
            ("a wait of an hour: at most 20 s", vec![waiting(3600)], 0, 20.0),
            ("two waits: the sooner one", vec![waiting(100), waiting(50)], 0, 5.0),
            ("stuck: slowly", vec![stuck(), Outcome::Blocked { by: Kind::Prerequisites }], 0, 600.0),
            ("stuck beside a wait: as the wait asks", vec![stuck(), waiting(30)], 0, 3.0),
            ("the first 503: a second", vec![faulted(FaultKind::Unavailable, 0)], 1, 1.0),
            ("the fourth 503: eight seconds", vec![faulted(FaultKind::Unavailable, 9)], 4, 8.0),
            ("the thirtieth: five minutes", vec![faulted(FaultKind::Throttled, 999)], 30, 300.0),
            ("a 503 for 4 min 50 s: when it is to be shown", vec![faulted(FaultKind::Unavailable, 290)], 9, 10.0),
            ("throttled with Retry-After: as asked", vec![throttled_for_a_minute], 1, 60.0),
            ("not understood: backs off", vec![faulted(FaultKind::Unexpected, 0)], 2, 2.0),
            ("another operation is running: soon", vec![faulted(FaultKind::Conflict, 2)], 1, 1.0),
            ("denied: after ten minutes", vec![faulted(FaultKind::Denied, 0)], 0, 600.0),
            ("rejected: slowly", vec![faulted(FaultKind::Rejected, 0)], 0, 600.0),
            ("stopping: not a wish", vec![Outcome::Interrupted], 0, 0.0),
        ];
        for (name, findings, failures, seconds) in cases {
            let again = report(findings).again(failures, 0.0);
            assert_eq!(again, Duration::from_secs_f64(seconds), "{name}");
        }
    }

    #[test]
    fn jitter_only_shortens_and_never_below_the_floor() {
        assert_eq!(recheck(Duration::from_secs(100), 1.0), Duration::from_secs_f64(7.5));
        assert_eq!(recheck(Duration::ZERO, 1.0), Duration::from_millis(200));
        assert_eq!(report(vec![IN_SYNC]).again(0, 1.0), DEEP_CHECK.mul_f64(0.75));
    }

    #[test]
    fn a_refused_object_is_looked_at_slowly_and_a_suspended_one_hardly() {
        let with = |verdict| Report { generation: 1, now: now(), verdict, remarks: Vec::new() };
        let refused = Verdict::Refused { why: Reason::InvalidSpec, message: "x".into(), hint: "y".into() };
        assert_eq!(with(refused).again(0, 0.0), SLOW_RETRY);
        assert_eq!(with(Verdict::Suspended).again(0, 0.0), DEEP_CHECK);
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
            let news = seed_news(before.as_ref(), after.as_ref());
            assert_eq!(news.len(), count, "{case}");
            assert!(news.iter().all(|one| !one.warning && one.note.starts_with("repository ")), "{case}");
        }
    }

    #[test]
    fn dependants_get_the_output_when_it_is_there_and_else_the_name_of_what_blocks() {
        let early = Outcome::Waiting { why: Reason::Progressing, message: String::new(), since: now(), early: Some(7) };
        assert_eq!(early.ready(Kind::SagemakerProject), Err(Kind::SagemakerProject));
        assert_eq!(early.early(Kind::SagemakerProject), Ok(&7));
        let blocked: Outcome<i32> = Outcome::Blocked { by: Kind::Prerequisites };
        assert_eq!(blocked.ready(Kind::CatalogProduct), Err(Kind::Prerequisites));
        assert_eq!(Outcome::InSync { output: 7, changed: true }.early(Kind::CatalogProduct), Ok(&7));
    }
}
