//! Which job gets a build from the operator, and why. Polling compares a repository with what the last successful build
//! has checked out, or the last build where none succeeded (`WorkflowJob.poll`). Where that build ended before a checkout,
//! since there was no Jenkinsfile yet or the credentials were wrong, polling never builds again. So each new job gets one
//! build, and one more whenever such a job has got another source. It stands alone since what it starts runs: never
//! twice for one source. What a build does is the Jenkinsfile's; Jenkins itself builds a new job at its first poll.

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
    /// Whether the build that polling compares with has made a checkout.
    pub checkout: bool,
    /// Whether the user may start builds; looked at only where one may be wanted.
    pub may_start: bool,
}

impl Builds {
    /// Whether polling has nothing to compare with, and nothing is on its way.
    pub fn lack_a_checkout(&self) -> bool {
        self.buildable && !self.under_way && !self.checkout
    }
}

/// What is to be done about the builds of one job.
pub(super) enum Finding {
    /// Nothing.
    Fine,
    /// One is to be started.
    Start(Box<Step<Action>>),
    /// One is to be started, and the user may not.
    Forbidden,
    /// One was started and came to no checkout: a person must look.
    NoCheckout,
}

/// Judges the builds of a job that is as it should be. `folder`: where it is.
pub(super) fn judge(
    folder: &[String],
    name: &str,
    job: &PipelineJob,
    item: &ObservedItem,
    attempts: &Attempts,
) -> Finding {
    let Some(builds) = item.builds.as_ref().filter(|builds| builds.lack_a_checkout()) else { return Finding::Fine };
    let source = source_of(name, job);
    let intent = attempts.intent(&intent_of(name));
    let known = intent.and_then(|intent| intent.id.as_deref()).unwrap_or_default();
    let asked_for = known.strip_prefix(&source).and_then(|rest| rest.strip_prefix('@'));
    // What was asked for when this was the next number has not come to be: the operator stopped before it asked.
    let unanswered = asked_for.is_some_and(|next| next == builds.next.to_string());
    if known == source || (asked_for.is_some() && !unanswered) {
        return if builds.any { Finding::NoCheckout } else { Finding::Fine };
    }
    // Without parameters, Jenkins wants another form; the operator's jobs have some.
    if item.job.as_ref().is_none_or(|live| live.parameters.is_empty()) {
        return Finding::NoCheckout;
    }
    if !builds.may_start {
        return Finding::Forbidden;
    }
    let n = intent.map_or(0, |intent| intent.n) + i32::from(!unanswered);
    let intent = Intent { resource: intent_of(name), n, id: Some(format!("{source}@{}", builds.next)) };
    let (reason, why) = if builds.any {
        (Reason::SpecChanged, "no build came to a checkout, and its source has changed")
    } else {
        (Reason::Missing, "it is new")
    };
    let action = Action::StartBuild { path: inside(folder, name), next: builds.next, source };
    let summary = format!("start a build of job \"{name}\": {why}");
    Finding::Start(Box::new(Step::new(action, Change::Update, reason, summary).with_intent(intent)))
}

/// The name under which it is written down for which source a build of this job was started: of its repository alone, so
/// that there are four at most.
pub fn intent_of(name: &str) -> String {
    let role = RepositoryRole::ALL.iter().find(|role| name.ends_with(&format!("-{}", role.suffix())));
    format!("Build {}", role.map_or(name, |role| role.suffix()))
}

/// A digest of what a job is built from.
pub fn source_of(name: &str, job: &PipelineJob) -> String {
    let parts = [&[name.to_owned(), job.credentials_id.clone()][..], &job.repositories[..], &job.branches[..]].concat();
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
            branches: vec!["*/main".into()],
            credentials_id: "git".into(),
            parameters: [("P".to_owned(), parameter)].into(),
            ..PipelineJob::default()
        }
    }

    fn new() -> Builds {
        Builds { buildable: true, next: 1, may_start: true, ..Builds::default() }
    }

    fn failed() -> Builds {
        Builds { any: true, next: 2, ..new() }
    }

    /// What comes of it, with what is written down about it: `None` is nothing.
    fn told(builds: Option<Builds>, job: &PipelineJob, known: Option<(i32, &str)>) -> String {
        let job_of_ours = ObservedItem { name: NAME.into(), is_job: true, ..ObservedItem::default() };
        let item = ObservedItem { job: Some(job.clone()), builds, ..job_of_ours };
        let intent = known.map(|(n, id)| Intent { resource: "Build modelbuild".into(), n, id: Some(id.into()) });
        let attempts = Attempts { intents: intent.into_iter().collect(), ..Attempts::default() };
        match judge(&["ml".to_owned()], NAME, job, &item, &attempts) {
            Finding::Fine => "fine".into(),
            Finding::Forbidden => "forbidden".into(),
            Finding::NoCheckout => "no checkout".into(),
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
        let (source, asked) = (source.as_str(), format!("{source}@1"));
        let asked = Some((1, asked.as_str()));
        type Row<'a> = (&'a str, Option<Builds>, Option<(i32, &'a str)>, &'a str);
        let rows: &[Row<'_>] = &[
            ("a new job", Some(new()), None, "Missing 1@1"),
            ("a job made anew", Some(new()), Some((1, "")), "Missing 2@1"),
            ("a job that was not looked at", None, None, "fine"),
            ("one that takes no builds", Some(Builds { buildable: false, ..new() }), None, "fine"),
            ("one in the queue", Some(Builds { under_way: true, ..new() }), None, "fine"),
            ("one that has checked out", Some(Builds { checkout: true, ..failed() }), None, "fine"),
            ("only builds without a checkout, never started by us", Some(failed()), None, "SpecChanged 1@2"),
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
            ("the user may start no builds", Some(Builds { may_start: false, ..new() }), None, "forbidden"),
        ];
        for (name, builds, known, expected) in rows {
            assert_eq!(told(builds.clone(), &job(), *known), *expected, "{name}");
        }
        let without = PipelineJob { parameters: Default::default(), ..job() };
        assert_eq!(told(Some(new()), &without, None), "no checkout", "a job without parameters");
    }

    #[test]
    fn another_source_is_another_repository_branch_or_credential_and_no_other_setting() {
        let source = source_of(NAME, &job());
        type Edit = (fn(&mut PipelineJob), bool);
        let edits: [Edit; 6] = [
            (|job| job.repositories = vec!["https://git/other.git".into()], true),
            (|job| job.branches = vec!["*/release".into()], true),
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
