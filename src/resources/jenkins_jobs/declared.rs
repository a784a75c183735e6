//! What the Jenkinsfile of a job declares about its own job, and whose each setting is then. It stands alone since it is
//! the only place where something that differs from the spec is left as it is. A Jenkinsfile's `options`, `parameters`,
//! `triggers` and `properties` are written into the job by each of its builds (pipeline-model-definition,
//! `Utils.updateJobProperties`; workflow-multibranch, `JobPropertyStep`), which note in the job's actions what was declared
//! (`DeclarativeJobPropertyTrackerAction`, `JobPropertyTrackerAction`). What no Jenkinsfile declares is not judged here.

use std::collections::BTreeSet;

use super::compare::{POLL_SCHEDULE, parameter_field};
use super::job::PipelineJob;

/// Classes of what both the operator and a Jenkinsfile may set.
pub(super) const ONE_AT_A_TIME: &str =
    "org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty";
pub(super) const DISCARDER: &str = "jenkins.model.BuildDiscarderProperty";
pub(super) const PARAMETERS: &str = "hudson.model.ParametersDefinitionProperty";
pub(super) const TRIGGERS: &str = "org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty";
pub(super) const POLLING: &str = "hudson.triggers.SCMTrigger";

/// What the last build has noted as declared by the Jenkinsfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Classes of job properties.
    pub properties: BTreeSet<String>,
    /// Classes of triggers.
    pub triggers: BTreeSet<String>,
    /// Names of parameters.
    pub parameters: BTreeSet<String>,
}

/// What a live job of ours should be, with regard to its Jenkinsfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The whole subset: the spec's, with what is the Jenkinsfile's.
    pub job: PipelineJob,
    /// Fields that the Jenkinsfile took away and that the job gets back.
    pub put_back: Vec<String>,
    /// Fields that the Jenkinsfile took away once more after that: they are left to it.
    pub left: Vec<String>,
}

impl Declared {
    fn property(&self, class: &str) -> bool {
        self.properties.contains(class)
    }

    fn polling(&self) -> bool {
        self.triggers.contains(POLLING) || self.property(TRIGGERS)
    }

    pub(super) fn parameter(&self, name: &str) -> bool {
        self.parameters.contains(name) || self.property(PARAMETERS)
    }
}

/// What a live job becomes. What the Jenkinsfile adds is its own: parameters, how many builds are kept, one build at a
/// time. What it takes away of ours is put back, unless `was_put_back` says of the field that it was before.
pub fn settle(
    wanted: &PipelineJob,
    live: &PipelineJob,
    declared: &Declared,
    was_put_back: impl Fn(&str) -> bool,
) -> Settled {
    let mut settled = Settled { job: wanted.clone(), put_back: Vec::new(), left: Vec::new() };
    let job = &mut settled.job;
    if declared.property(DISCARDER) {
        job.builds_kept.clone_from(&live.builds_kept);
    }
    if declared.property(ONE_AT_A_TIME) {
        job.concurrent &= live.concurrent;
    }
    let added = live.parameters.iter().filter(|(name, _)| !wanted.parameters.contains_key(*name));
    let added = added.filter(|(name, _)| declared.parameter(name));
    job.parameters.extend(added.map(|(name, parameter)| (name.clone(), parameter.clone())));
    if declared.polling() && wanted.poll_schedule != live.poll_schedule {
        if was_put_back(POLL_SCHEDULE) {
            job.poll_schedule.clone_from(&live.poll_schedule);
            settled.left.push(POLL_SCHEDULE.to_owned());
        } else {
            settled.put_back.push(POLL_SCHEDULE.to_owned());
        }
    }
    for (name, ours) in &wanted.parameters {
        let theirs = live.parameters.get(name);
        if !declared.parameter(name) || theirs == Some(ours) {
            continue;
        }
        let field = parameter_field(name);
        if !was_put_back(&field) {
            settled.put_back.push(field);
            continue;
        }
        match theirs {
            Some(theirs) => drop(job.parameters.insert(name.clone(), theirs.clone())),
            None => drop(job.parameters.remove(name)),
        }
        settled.left.push(field);
    }
    settled
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::job::{Parameter, ParameterKind};
    use super::*;

    fn text(default: &str) -> Parameter {
        Parameter { kind: ParameterKind::Text, default: default.into() }
    }

    fn wanted() -> PipelineJob {
        PipelineJob {
            concurrent: true,
            builds_kept: "30".into(),
            poll_schedule: "* * * * *".into(),
            parameters: [("OURS".to_owned(), text("a"))].into(),
            ..PipelineJob::default()
        }
    }

    fn declared(properties: &[&str], triggers: &[&str], parameters: &[&str]) -> Declared {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Declared { properties: set(properties), triggers: set(triggers), parameters: set(parameters) }
    }

    #[test]
    fn each_setting_belongs_to_one_of_the_two() {
        type Edit = fn(&mut PipelineJob);
        let nothing = declared(&[], &[], &[]);
        let all = declared(&[DISCARDER, ONE_AT_A_TIME, TRIGGERS, PARAMETERS], &[], &[]);
        // What is changed in the live job; what is then put back; what differs from the spec and stays.
        let rows: &[(&str, Edit, Declared, &[&str], bool)] = &[
            ("as declared", |_| {}, all.clone(), &[], false),
            ("fewer builds kept, by the Jenkinsfile", |job| job.builds_kept = "5".into(), all.clone(), &[], true),
            ("fewer builds kept, by hand", |job| job.builds_kept = "5".into(), nothing.clone(), &[], false),
            ("one build at a time, by the Jenkinsfile", |job| job.concurrent = false, all.clone(), &[], true),
            ("one build at a time, by hand", |job| job.concurrent = false, nothing.clone(), &[], false),
            (
                "a parameter more, by the directive",
                |job| drop(job.parameters.insert("MORE".into(), text(""))),
                declared(&[], &[], &["MORE"]),
                &[],
                true,
            ),
            (
                "a parameter more, by the step",
                |job| drop(job.parameters.insert("MORE".into(), text(""))),
                declared(&[PARAMETERS], &[], &[]),
                &[],
                true,
            ),
            (
                "a parameter more, by hand",
                |job| drop(job.parameters.insert("MORE".into(), text(""))),
                declared(&[], &[], &["OTHER"]),
                &[],
                false,
            ),
            (
                "a parameter of ours declared anew",
                |job| drop(job.parameters.insert("OURS".into(), text("b"))),
                declared(&[], &[], &["OURS"]),
                &["parameter OURS"],
                false,
            ),
            (
                "all of our parameters replaced by the step",
                |job| job.parameters = [("MORE".to_owned(), text(""))].into(),
                declared(&[PARAMETERS], &[], &[]),
                &["parameter OURS"],
                true,
            ),
            (
                "another schedule",
                |job| job.poll_schedule = "H/15 * * * *".into(),
                declared(&[], &[POLLING], &[]),
                &[POLL_SCHEDULE],
                false,
            ),
            (
                "no trigger any more",
                |job| job.poll_schedule.clear(),
                declared(&[TRIGGERS], &[], &[]),
                &[POLL_SCHEDULE],
                false,
            ),
            ("no trigger any more, by hand", |job| job.poll_schedule.clear(), nothing.clone(), &[], false),
        ];
        for (name, edit, declared, put_back, theirs_stays) in rows {
            let mut live = wanted();
            edit(&mut live);
            let settled = settle(&wanted(), &live, declared, |_| false);
            assert_eq!(settled.put_back, *put_back, "{name}");
            assert_eq!(settled.job != wanted(), *theirs_stays, "{name}: {:?}", settled.job);
            assert_eq!(settled.left, [""; 0], "{name}");
            let again = settle(&wanted(), &live, declared, |_| true);
            assert_eq!(
                (again.left, again.put_back),
                (settled.put_back.clone(), Vec::new()),
                "{name}: taken away again"
            );
            assert_eq!(again.job == live, !settled.put_back.is_empty() || *theirs_stays || live == wanted(), "{name}");
        }
    }
}
