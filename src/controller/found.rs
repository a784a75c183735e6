//! What a pass found out about all things together, and what of it the status shows.

use crate::crd::status::{
    ArtifactStatus, CatalogStatus, JobsStatus, MlopsProjectStatus, Placement, ProjectStatus, Reason, RepositoryStatus,
    TriggerStatus,
};
use crate::domain::project::RepositoryRole;
use crate::domain::report::{Finding, Outcome};
use crate::domain::resource::Kind;
use crate::resources::outputs::{Artifacts, Jobs, Launchable, Provisioned, Seeded, Trigger};

/// See the module.
#[derive(Default)]
pub struct Found {
    /// What was found about each thing, in the order of the kinds.
    pub findings: Vec<(Kind, Finding)>,
    /// What is worth knowing about things that are as declared.
    pub remarks: Vec<(Kind, Reason, String)>,
    artifacts: Option<ArtifactStatus>,
    catalog: Option<CatalogStatus>,
    project: Option<ProjectStatus>,
    jobs: Option<JobsStatus>,
    trigger: Option<TriggerStatus>,
}

impl Found {
    /// One thing keeps everything else from being looked at.
    pub fn blocked(by: Kind, finding: Finding) -> Self {
        let about = |kind| if kind == by { finding.clone() } else { Outcome::Blocked { by } };
        Self { findings: Kind::ALL.map(|kind| (kind, about(kind))).into(), ..Self::default() }
    }

    /// Adds what was found about one thing.
    pub fn note<O>(&mut self, kind: Kind, outcome: &Outcome<O>) {
        self.findings.push((kind, outcome.finding()));
        self.findings.sort_by_key(|(kind, _)| *kind);
    }

    /// Adds what the artifact bucket holds.
    pub fn artifacts(&mut self, outcome: &Outcome<Artifacts>) {
        self.note(Kind::ArtifactBucket, outcome);
        self.artifacts = known(outcome).map(|artifacts| ArtifactStatus {
            bucket: artifacts.bucket.clone(),
            template_url: artifacts.template_url.clone(),
            template_sha256: artifacts.template_sha256.clone(),
        });
    }

    /// Adds the catalog product's ids.
    pub fn catalog(&mut self, outcome: &Outcome<Launchable>) {
        self.note(Kind::CatalogProduct, outcome);
        self.catalog = known(outcome).map(|launchable| CatalogStatus {
            portfolio_id: launchable.portfolio_id.clone(),
            product_id: launchable.product_id.clone(),
            artifact_id: launchable.artifact_id.clone(),
            version: launchable.artifact_name.clone(),
        });
    }

    /// Adds the SageMaker project's ids.
    pub fn project(&mut self, outcome: &Outcome<Provisioned>) {
        self.note(Kind::SagemakerProject, outcome);
        let told = |seeded: &Seeded| {
            let said = |role: &RepositoryRole| {
                let seed_code = seeded.repositories.get(role.name())?.clone();
                Some(RepositoryStatus { name: role.name().to_owned(), seed_code })
            };
            (Some(seeded.as_of.clone()), RepositoryRole::ALL.iter().filter_map(said).collect())
        };
        self.project = known(outcome).map(|Provisioned { facts, seeded }| {
            let (last_modified, repositories) = seeded.as_ref().map(told).unwrap_or_default();
            ProjectStatus {
                id: facts.project_id.clone(),
                arn: facts.project_arn.clone(),
                bucket: facts.bucket.clone(),
                model_package_group: facts.model_package_group.clone(),
                last_modified,
                repositories,
            }
        });
    }

    /// Adds where the jobs are.
    pub fn jobs(&mut self, outcome: &Outcome<Jobs>, placement: &Placement) {
        self.note(Kind::JenkinsJobs, outcome);
        if known(outcome).is_some_and(|jobs| jobs.quieting_down) {
            let message = "exist as declared, but Jenkins prepares for a shutdown and starts no builds; wait until it is back, or cancel the shutdown in Jenkins";
            self.remarks.push((Kind::JenkinsJobs, Reason::JenkinsQuietDown, message.to_owned()));
        }
        let folder = placement.jenkins_folder.join("/");
        self.jobs = known(outcome).map(|jobs| JobsStatus { folder, urls: jobs.urls.clone() });
    }

    /// Adds the trigger's stack.
    pub fn trigger(&mut self, outcome: &Outcome<Trigger>) {
        self.note(Kind::ModelTrigger, outcome);
        self.trigger = known(outcome).map(|trigger| TriggerStatus { stack_id: trigger.stack_id.clone() });
    }

    /// Whether everything was looked at and is gone.
    pub fn all_gone(&self) -> bool {
        let gone =
            |kind| self.findings.iter().any(|(found, finding)| *found == kind && matches!(finding, Outcome::Gone));
        Kind::ALL.into_iter().all(gone)
    }

    /// Writes ids and links into a status: what is gone leaves it, what was not seen this time stays.
    pub fn tell(self, status: &mut MlopsProjectStatus) {
        let gone =
            |kind| self.findings.iter().any(|(found, finding)| *found == kind && matches!(finding, Outcome::Gone));
        renew(&mut status.artifacts, self.artifacts, gone(Kind::ArtifactBucket));
        renew(&mut status.catalog, self.catalog, gone(Kind::CatalogProduct));
        let project = known_before(self.project, status.project.as_ref());
        renew(&mut status.project, project, gone(Kind::SagemakerProject));
        renew(&mut status.jobs, self.jobs, gone(Kind::JenkinsJobs));
        renew(&mut status.trigger, self.trigger, gone(Kind::ModelTrigger));
    }
}

fn known<O>(outcome: &Outcome<O>) -> Option<&O> {
    match outcome {
        Outcome::InSync { output, .. } | Outcome::Waiting { early: Some(output), .. } => Some(output),
        _ => None,
    }
}

/// The same project, with what an earlier look has told where this one came while AWS was working on it.
fn known_before(seen: Option<ProjectStatus>, before: Option<&ProjectStatus>) -> Option<ProjectStatus> {
    let seen = seen?;
    match before {
        Some(before) if seen.last_modified.is_none() && before.id == seen.id => {
            let (last_modified, repositories) = (before.last_modified.clone(), before.repositories.clone());
            Some(ProjectStatus { last_modified, repositories, ..seen })
        }
        _ => Some(seen),
    }
}

fn renew<T>(field: &mut Option<T>, seen: Option<T>, gone: bool) {
    if gone {
        *field = None;
    } else if seen.is_some() {
        *field = seen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_may_go_only_once_every_thing_was_seen_to_be_gone() {
        let mut found = Found::default();
        assert!(!found.all_gone());
        for kind in Kind::ALL {
            assert!(!found.all_gone());
            found.note::<()>(kind, &Outcome::Gone);
        }
        assert!(found.all_gone());
    }

    #[test]
    fn what_became_of_the_seed_code_stays_while_aws_works_on_the_same_project() {
        let facts = |id: &str| crate::resources::sagemaker_project::facts("taxi", id, "arn");
        let looked = |id: &str, said: Option<&str>| {
            let repositories = |said: &str| [("build".to_owned(), said.to_owned())].into();
            let seeded = said.map(|said| Seeded { as_of: format!("after {said}"), repositories: repositories(said) });
            let mut found = Found::default();
            let output = Provisioned { facts: facts(id), seeded };
            found.project(&Outcome::InSync { output, changed: false });
            found
        };
        let mut status = MlopsProjectStatus::default();
        let rows = [
            ("at first nothing is known", looked("p-1", None), None),
            ("once it is at rest it is told", looked("p-1", Some("seeded")), Some("seeded")),
            ("an update is under way", looked("p-1", None), Some("seeded")),
            ("after the update", looked("p-1", Some("left alone")), Some("left alone")),
            ("another project", looked("p-2", None), None),
        ];
        for (case, found, said) in rows {
            found.tell(&mut status);
            let project = status.project.clone().unwrap_or_default();
            assert_eq!(project.repositories.first().map(|one| one.seed_code.as_str()), said, "{case}");
            assert_eq!(project.last_modified, said.map(|said| format!("after {said}")), "{case}");
        }
    }

    #[test]
    fn ids_stay_until_their_thing_is_gone() {
        let trigger = |id: &str| TriggerStatus { stack_id: id.to_owned() };
        let mut status = MlopsProjectStatus { trigger: Some(trigger("old")), ..MlopsProjectStatus::default() };
        let mut unseen = Found::default();
        unseen.trigger(&Outcome::Blocked { by: Kind::SagemakerProject });
        unseen.tell(&mut status);
        assert_eq!(status.trigger, Some(trigger("old")));
        let mut seen = Found::default();
        seen.trigger(&Outcome::InSync { output: Trigger { stack_id: "new".to_owned() }, changed: true });
        seen.tell(&mut status);
        assert_eq!(status.trigger, Some(trigger("new")));
        let mut gone = Found::default();
        gone.trigger(&Outcome::Gone);
        gone.tell(&mut status);
        assert_eq!(status.trigger, None);
    }
}
