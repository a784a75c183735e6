//! Which job gets a build from the operator, and why. Polling compares what the last successful build has checked out, or
//! the last build where none succeeded, with the repository, branch and credential of that build, not with the job's
//! present ones (`WorkflowJob.poll`). Where that build ended before a checkout, since there was no Jenkinsfile yet or the
//! credentials were wrong, polling never builds again; and where the job has got another source since, it goes on with
//! the old one. So each new job gets one build, and one more whenever it has got another source. It stands alone since
//! what it starts runs: once for one change. What a build does is the Jenkinsfile's; Jenkins itself builds a new
//! job at its first poll.

use super::job::PipelineJob;
use super::{Action, ObservedItem, inside};
use crate::crd::status::{Intent, Reason};
use crate::domain::external_resource::{Attempts, Change, Step};
use crate::domain::identity::digest;
use crate::domain::project::RepositoryRole;

/// What is seen of a job's builds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Builds {
    /// Whether the job takes builds.
    pub buildable: bool,
    /// Whether a build waits in the queue or runs.
    pub under_way: bool,
    /// The number that the next build gets.
    pub next: u64,
    /// Whether there is a build at all.
    pub any: bool,
    /// The number of the last that has ended.
    pub ended: Option<u64>,
    /// The number of the last that has succeeded: polling goes by that one.
    pub succeeded: Option<u64>,
    /// Whether the build that polling compares with has made a checkout.
    pub checkout: bool,
    /// Why the user may start none; looked at only where one may be wanted.
    pub refusal: Option<Refusal>,
}

/// Why the user may start no builds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// What was answered.
    pub why: String,
    /// Whether Jenkins named the permission that lacks. Else it may be for a moment: one that starts refuses valid tokens.
    pub lasting: bool,
}

impl Builds {
    /// Whether one may have to be started of a job of which one is due, or not: whoever may not start it is told so.
    pub fn may_lack_one(&self, is_due: bool) -> bool {
        self.buildable && !self.under_way && (!self.checkout || is_due)
    }

    /// Whether builds of this number and later have ended, and polling still goes by one before them.
    fn are_behind(&self, first: u64) -> bool {
        self.ended.is_some_and(|ended| ended >= first) && self.succeeded.is_some_and(|succeeded| succeeded < first)
    }
}

/// What is written down of a job that gets another source: the number of the next build, which is of it.
pub fn moved(next: u64) -> String {
    format!("moved@{next}")
}

/// Whether a job has got another source, and no build since.
pub fn is_due(name: &str, job: &PipelineJob, builds: &Builds, attempts: &Attempts) -> bool {
    let known = attempts.intent(&intent_of(name)).and_then(|intent| intent.id.as_deref());
    known.is_some_and(|known| Record::of(known, &source_of(name, job)).is_due(builds))
}

/// What is to be done about the builds of one job.
pub(super) enum Finding {
    /// Nothing.
    Fine,
    /// One is to be started.
    Start(Box<Step<Action>>),
    /// One is to be started, and the user may not: why.
    Forbidden(Refusal),
    /// One is to be started once the one that runs has ended.
    Later,
    /// There was one, and none came to a checkout: a person must look.
    NoCheckout,
    /// There was one of its present source, and none has succeeded: polling goes on with the former one.
    Behind,
}

/// Judges the builds of a job that is as it should be. `folder`: where it is.
pub(super) fn judge(
    folder: &[String],
    name: &str,
    job: &PipelineJob,
    item: &ObservedItem,
    attempts: &Attempts,
) -> Finding {
    let (Some(builds), Some(live)) = (&item.builds, &item.job) else { return Finding::Fine };
    if !builds.buildable {
        return Finding::Fine;
    }
    let polls = !live.poll_schedule.is_empty();
    let source = source_of(name, job);
    let intent = attempts.intent(&intent_of(name));
    let known = intent.and_then(|intent| intent.id.as_deref());
    let record = Record::of(known.unwrap_or_default(), &source);
    if builds.checkout && !(polls && record.is_due(builds)) {
        let is_behind = polls && !builds.under_way && record.number().is_some_and(|first| builds.are_behind(first));
        return if is_behind { Finding::Behind } else { Finding::Fine };
    }
    // Where nothing polls, nothing has to be compared.
    let is_lost = builds.ended.is_some() && polls && !builds.checkout;
    let told = || if is_lost { Finding::NoCheckout } else { Finding::Fine };
    if known.is_none() && builds.any {
        // A job whose builds nobody has written down: they are no concern of the operator's while its source stays.
        return told();
    }
    // What was asked for when this was the next number has not come to be: the operator stopped before it asked.
    let unanswered = record == Record::Asked(builds.next);
    match record {
        // Whether this very build comes to a checkout is not known yet.
        Record::Started(number) if builds.under_way && builds.next <= number + 1 => return Finding::Fine,
        Record::Started(_) => return told(),
        Record::Asked(_) if !unanswered => return told(),
        Record::Asked(_) | Record::Moved(_) | Record::Other => {}
    }
    if builds.under_way {
        return if polls && record.is_due(builds) { Finding::Later } else { Finding::Fine };
    }
    // Without parameters, Jenkins wants another form; the operator's jobs have some.
    if live.parameters.is_empty() {
        return told();
    }
    if let Some(refusal) = &builds.refusal {
        return Finding::Forbidden(refusal.clone());
    }
    let n = intent.map_or(0, |intent| intent.n) + i32::from(!unanswered);
    let intent = Intent { resource: intent_of(name), n, id: Some(asked(&source, builds.next)) };
    let (reason, why) = if builds.checkout {
        (Reason::SpecChanged, "polling goes by its last build, which was of another repository, branch or credential")
    } else if builds.any {
        (Reason::SpecChanged, "no build of it came to a checkout, and none was started for its present source")
    } else {
        (Reason::Missing, "it is new")
    };
    let action = Action::StartBuild { path: inside(folder, name), next: builds.next, source };
    let summary = format!("start a build of job \"{name}\": {why}");
    Finding::Start(Box::new(Step::new(action, Change::Update, reason, summary).with_intent(intent)))
}

/// What is written down of a job's builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    /// A build of this source was about to be started, with this number.
    Asked(u64),
    /// It was started.
    Started(u64),
    /// The job has got another source when this was the next number.
    Moved(u64),
    /// Another source, or none yet.
    Other,
}

impl Record {
    fn of(known: &str, source: &str) -> Self {
        if let Some(next) = known.strip_prefix("moved@").and_then(|next| next.parse().ok()) {
            return Self::Moved(next);
        }
        let Some(rest) = known.strip_prefix(source).filter(|rest| !rest.is_empty()) else { return Self::Other };
        let number = |sign| rest.strip_prefix(sign).and_then(|number: &str| number.parse().ok());
        number('@').map(Self::Asked).or(number('#').map(Self::Started)).unwrap_or(Self::Other)
    }

    /// The first build of the present source.
    fn number(self) -> Option<u64> {
        match self {
            Self::Asked(number) | Self::Started(number) | Self::Moved(number) => Some(number),
            Self::Other => None,
        }
    }

    /// Whether that is still to come: it was not asked for, or the operator stopped before it was.
    fn is_due(self, builds: &Builds) -> bool {
        let due = match self {
            Self::Asked(next) => next == builds.next,
            // None may have this number where somebody raises the next one.
            Self::Moved(first) => {
                first == builds.next || !builds.under_way && builds.ended.is_none_or(|ended| ended < first)
            }
            Self::Started(_) | Self::Other => false,
        };
        builds.any && due
    }
}

fn asked(source: &str, number: u64) -> String {
    format!("{source}@{number}")
}

/// What is written down once a build of this source was started with this number.
pub fn started(source: &str, number: u64) -> String {
    format!("{source}#{number}")
}

/// What is written down before a job gets another source: that a build is due. `None`: what is written down says it already, of
/// one without builds. Where it was noted and not yet written, the same once more.
pub(super) fn due(name: &str, item: &ObservedItem, attempts: &Attempts) -> Option<Intent> {
    let (resource, known) = (intent_of(name), attempts.intent(&intent_of(name)));
    let builds = item.builds.as_ref()?;
    let id = moved(builds.next);
    match known.map(|known| (known, known.id.as_deref().unwrap_or_default())) {
        // Of one that was just made, the first build is due anyway. One that Jenkins builds itself has had it.
        Some((_, "")) if !builds.any => None,
        Some((known, written)) if written == id => Some(known.clone()),
        known => Some(Intent { resource, n: known.map_or(0, |(known, _)| known.n + 1), id: Some(id) }),
    }
}

/// What is written down before a job is made in the place of one that had builds: that a build is due. `None`: nothing is
/// written down that says otherwise.
pub(super) fn due_anew(name: &str, attempts: &Attempts) -> Option<Intent> {
    let known = attempts.intent(&intent_of(name)).filter(|known| known.id.as_deref() != Some(""))?;
    Some(Intent { n: known.n + 1, id: Some(String::new()), ..known.clone() })
}

/// The name under which it is written down for which source a build of this job was started: of its repository alone, so
/// that there are four at most.
pub fn intent_of(name: &str) -> String {
    let role = RepositoryRole::ALL.iter().find(|role| name.ends_with(&format!("-{}", role.suffix())));
    format!("Build {}", role.map_or(name, |role| role.suffix()))
}

/// A digest of what a job is built from.
pub fn source_of(name: &str, job: &PipelineJob) -> String {
    // One branch in two spellings; a build for the other one alone would be for nothing.
    let branches = job.branches.iter().map(|branch| match branch.strip_prefix("*/") {
        Some(branch) => format!("refs/heads/{branch}"),
        None => branch.clone(),
    });
    let branches: Vec<String> = branches.collect();
    let parts = [&[name.to_owned(), job.credentials_id.clone()][..], &job.repositories[..], &branches[..]].concat();
    digest(&parts.iter().map(String::as_str).collect::<Vec<_>>())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::job::{Parameter, ParameterKind};
    use super::*;

    const NAME: &str = "sagemaker-taxi-p-1-modelbuild";

    fn job() -> PipelineJob {
        let parameter = Parameter { kind: ParameterKind::Text, default: String::new() };
        PipelineJob {
            repositories: vec!["https://git/build.git".into()],
            branches: vec!["refs/heads/main".into()],
            credentials_id: "git".into(),
            poll_schedule: "* * * * *".into(),
            parameters: [("P".to_owned(), parameter)].into(),
            ..PipelineJob::default()
        }
    }

    fn new() -> Builds {
        Builds { buildable: true, next: 1, ..Builds::default() }
    }

    fn failed() -> Builds {
        Builds { any: true, ended: Some(1), next: 2, ..new() }
    }

    fn built() -> Builds {
        Builds { checkout: true, succeeded: Some(1), ..failed() }
    }

    /// What comes of it, with what is written down about it: `None` is nothing.
    fn told(builds: Option<Builds>, job: &PipelineJob, known: Option<(i32, &str)>) -> String {
        let job_of_ours = ObservedItem { name: NAME.into(), is_job: true, ..ObservedItem::default() };
        let item = ObservedItem { job: Some(job.clone()), builds, ..job_of_ours };
        let intent = known.map(|(n, id)| Intent { resource: "Build modelbuild".into(), n, id: Some(id.into()) });
        let attempts = Attempts { intents: intent.into_iter().collect(), ..Attempts::default() };
        match judge(&["ml".to_owned()], NAME, job, &item, &attempts) {
            Finding::Fine => "fine".into(),
            Finding::Forbidden(refusal) => refusal.why,
            Finding::NoCheckout => "no checkout".into(),
            Finding::Later => "later".into(),
            Finding::Behind => "behind".into(),
            Finding::Start(step) => {
                let Step { intent, reason, .. } = *step;
                let Intent { n, id, .. } = intent.unwrap();
                format!("{reason} {n}{}", id.unwrap().strip_prefix(&source_of(NAME, job)).unwrap())
            }
        }
    }

    #[test]
    fn one_build_is_started_for_each_source_that_no_build_has_checked_out() {
        let source = source_of(NAME, &job());
        let (asked, begun) = (asked(&source, 1), started(&source, 1));
        let (asked, next, begun_next) = (Some((1, asked.as_str())), super::asked(&source, 2), started(&source, 2));
        let (asked_next, started_next) = (Some((1, next.as_str())), Some((1, begun_next.as_str())));
        let twice = |succeeded| Builds { ended: Some(2), next: 3, succeeded, ..built() };
        let source = begun.as_str();
        let refused = Refusal { why: "no".into(), lasting: true };
        let again = Builds { under_way: true, next: 3, ..failed() };
        let first = Builds { under_way: true, ..failed() };
        type Row<'a> = (&'a str, Option<Builds>, Option<(i32, &'a str)>, &'a str);
        let rows: &[Row<'_>] = &[
            ("a new job", Some(new()), None, "Missing 1@1"),
            ("a job made anew", Some(new()), Some((1, "")), "Missing 2@1"),
            ("a job that was not looked at", None, None, "fine"),
            ("one that takes no builds", Some(Builds { buildable: false, ..new() }), None, "fine"),
            ("one in the queue", Some(Builds { under_way: true, ..new() }), None, "fine"),
            ("one that has checked out", Some(built()), None, "fine"),
            ("one that has checked out, as it was just made", Some(built()), Some((1, "")), "fine"),
            ("one that has checked out this source", Some(built()), Some((1, source)), "fine"),
            ("one that has got another source", Some(built()), Some((0, "moved@2")), "SpecChanged 1@2"),
            ("the same, and somebody has built it since", Some(twice(Some(2))), Some((0, "moved@2")), "fine"),
            ("the same while one runs", Some(Builds { under_way: true, ..built() }), Some((0, "moved@2")), "later"),
            (
                "the same where the user may start no builds",
                Some(Builds { refusal: Some(refused.clone()), ..built() }),
                Some((0, "moved@2")),
                "no",
            ),
            ("the same, stopped before it was asked for", Some(built()), asked_next, "SpecChanged 1@2"),
            (
                "the same, and the user may start no builds",
                Some(Builds { refusal: Some(refused.clone()), ..built() }),
                asked_next,
                "no",
            ),
            ("the same, and it has run", Some(twice(Some(2))), asked_next, "fine"),
            ("the same, and it has failed", Some(twice(Some(1))), asked_next, "behind"),
            ("one whose present source was built and has failed", Some(twice(Some(1))), started_next, "behind"),
            ("the same without one that has succeeded before", Some(twice(None)), started_next, "fine"),
            ("somebody has built it after it has moved, in vain", Some(twice(Some(1))), Some((0, "moved@2")), "behind"),
            ("the same while one runs", Some(Builds { under_way: true, ..twice(Some(1)) }), started_next, "fine"),
            ("only builds without a checkout, of which nothing is written down", Some(failed()), None, "no checkout"),
            (
                "such builds of a job that has got another source",
                Some(failed()),
                Some((0, "moved@2")),
                "SpecChanged 1@2",
            ),
            ("such builds of a job that is made anew", Some(failed()), Some((0, "")), "SpecChanged 1@2"),
            ("one that gets another source during such a build", Some(first.clone()), Some((0, "moved@2")), "later"),
            (
                "one that was due, and somebody has raised the next number",
                Some(Builds { next: 9, ..built() }),
                Some((0, "moved@2")),
                "SpecChanged 1@9",
            ),
            ("only such builds, and this source was built", Some(failed()), Some((1, source)), "no checkout"),
            (
                "only such builds, and another source was built",
                Some(failed()),
                Some((3, "0123456789abcdef")),
                "SpecChanged 4@2",
            ),
            ("stopped before it was asked for", Some(new()), asked, "Missing 1@1"),
            ("stopped after it was asked for, and it has run", Some(failed()), asked, "no checkout"),
            ("stopped after it was asked for, and it waits", Some(Builds { under_way: true, ..new() }), asked, "fine"),
            ("asked for, and cancelled by a person in the queue", Some(new()), Some((1, source)), "fine"),
            ("the user may start no builds", Some(Builds { refusal: Some(refused), ..new() }), None, "no"),
            ("the one that was started runs", Some(first), Some((1, source)), "fine"),
            ("a later one runs, after one without a checkout", Some(again), Some((1, source)), "no checkout"),
        ];
        for (name, builds, known, expected) in rows {
            assert_eq!(told(builds.clone(), &job(), *known), *expected, "{name}");
        }
        let without = PipelineJob { parameters: Default::default(), ..job() };
        assert_eq!(told(Some(failed()), &without, Some((0, ""))), "no checkout", "a job without parameters");
        assert_eq!(told(Some(built()), &without, Some((0, "moved@2"))), "fine", "one that has checked out");
        let unpolled = PipelineJob { poll_schedule: String::new(), ..job() };
        assert_eq!(told(Some(built()), &unpolled, Some((0, "moved@2"))), "fine", "nothing goes on with another source");
        assert_eq!(
            told(Some(failed()), &unpolled, Some((1, &started(&source_of(NAME, &unpolled), 1)))),
            "fine",
            "one without polling"
        );
    }

    #[test]
    fn a_job_that_gets_another_source_is_due_for_a_build() {
        let item = |builds| ObservedItem { builds: Some(builds), ..ObservedItem::default() };
        let of = |known: Option<&str>, builds| {
            let intent = known.map(|id| Intent { resource: "Build modelbuild".into(), n: 4, id: Some(id.into()) });
            let attempts = Attempts { intents: intent.into_iter().collect(), ..Attempts::default() };
            due(NAME, &item(builds), &attempts).map(|Intent { n, id, .. }| format!("{n} {}", id.unwrap()))
        };
        let rows = [
            ("nothing is written down", None, built(), Some("0 moved@2")),
            ("another source was built", Some("0123456789abcdef#1"), built(), Some("5 moved@2")),
            ("it is due already", Some("moved@2"), built(), Some("4 moved@2")),
            ("it was due, and somebody has built it", Some("moved@1"), built(), Some("5 moved@2")),
            ("it was just made", Some(""), new(), None),
            ("Jenkins has built it itself since it was made", Some(""), built(), Some("5 moved@2")),
            ("Jenkins builds it just now", Some(""), Builds { under_way: true, ..failed() }, Some("5 moved@2")),
        ];
        for (name, known, builds, expected) in rows {
            assert_eq!(of(known, builds).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn what_is_written_down_is_of_this_source_or_another() {
        let rows = [
            ("", Record::Other),
            ("0123", Record::Other),
            ("0123@7", Record::Asked(7)),
            ("0123#7", Record::Started(7)),
            ("0123#", Record::Other),
            ("0123é", Record::Other),
            ("4567#7", Record::Other),
            ("moved@7", Record::Moved(7)),
            ("moved@", Record::Other),
        ];
        for (known, expected) in rows {
            assert_eq!(Record::of(known, "0123"), expected, "{known}");
        }
    }

    #[test]
    fn another_source_is_another_repository_branch_or_credential_and_no_other_setting() {
        let source = source_of(NAME, &job());
        type Edit = (fn(&mut PipelineJob), bool);
        let edits: [Edit; 7] = [
            (|job| job.repositories = vec!["https://git/other.git".into()], true),
            (|job| job.branches = vec!["refs/heads/release".into()], true),
            (|job| job.branches = vec!["*/main".into()], false),
            (|job| job.credentials_id.clear(), true),
            (|job| job.description.push('x'), false),
            (|job| job.poll_schedule.push('x'), false),
            (|job| job.parameters.clear(), false),
        ];
        for (n, (edit, other)) in edits.into_iter().enumerate() {
            let mut job = job();
            edit(&mut job);
            assert_eq!(source_of(NAME, &job) != source, other, "edit {n}");
        }
        assert_ne!(source_of("sagemaker-taxi-p-2-modelbuild", &job()), source, "of another project");
        let names = ["modeldeploy", "modeldeploy-endpoint"].map(|end| intent_of(&format!("sagemaker-a-p-1-{end}")));
        assert_eq!(names, ["Build modeldeploy", "Build modeldeploy-endpoint"]);
    }
}
