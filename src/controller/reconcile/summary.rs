//! What a reconcile found out about all resources together, and what of it the status shows. It knows no resource in
//! particular: each says itself what the status has of it.

use crate::crd::status::{MlopsProjectStatus, Placement};
use crate::domain::external_resource::{ExternalResource, Remark, ResourceKind};
use crate::domain::outcome::Outcome;
use crate::domain::scrubber::Scrubber;

type Show = Box<dyn Fn(&Placement, &mut MlopsProjectStatus) + Send + Sync>;
type Whereabouts = fn(&Placement, &MlopsProjectStatus) -> Option<String>;

#[derive(Default)]
pub(super) struct ReconcileSummary {
    /// The kinds that the object has.
    kinds: &'static [ResourceKind],
    outcomes: Vec<(ResourceKind, Outcome)>,
    remarks: Vec<(ResourceKind, Remark)>,
    whereabouts: Vec<(ResourceKind, Whereabouts)>,
    shows: Vec<Show>,
}

impl ReconcileSummary {
    /// Of an object with resources of these kinds.
    pub(super) fn of(kinds: &'static [ResourceKind]) -> Self {
        Self { kinds, ..Self::default() }
    }

    /// One resource keeps all others from being observed.
    pub(super) fn blocked(kinds: &'static [ResourceKind], by: ResourceKind, outcome: &Outcome) -> Self {
        let about = |kind| if kind == by { outcome.clone() } else { Outcome::Blocked { by } };
        Self { outcomes: kinds.iter().map(|kind| (*kind, about(*kind))).collect(), ..Self::of(kinds) }
    }

    /// Adds how the platform stands that the project shares.
    pub(super) fn note_platform(&mut self, outcome: Outcome) {
        self.outcomes.insert(0, (ResourceKind::Platform, outcome));
    }

    /// Adds how it ended for one resource.
    pub(super) fn note<R: ExternalResource>(&mut self, outcome: &Outcome<R::Output>) {
        self.outcomes.push((R::KIND, outcome.without_output()));
        self.outcomes.sort_by_key(|(kind, _)| *kind);
        self.whereabouts.push((R::KIND, R::whereabouts));
        if let Outcome::InSync { output, .. } = outcome {
            self.remarks.extend(R::remark(output).map(|remark| (R::KIND, remark)));
        }
        let known = outcome.known().cloned();
        // What is gone leaves the status, what was not observed this time stays.
        if known.is_some() || matches!(outcome, Outcome::Gone) {
            self.shows.push(Box::new(move |placement, status| R::show(placement, known.as_ref(), status)));
        }
    }

    /// How it ended for each resource, in the order of the kinds.
    pub(super) fn outcomes(&self) -> Vec<(ResourceKind, Outcome)> {
        self.outcomes.clone()
    }

    /// What is worth knowing about resources that are as declared.
    pub(super) fn remarks(&self) -> Vec<(ResourceKind, Remark)> {
        self.remarks.clone()
    }

    /// The same with remarks that hold no secret.
    pub(super) fn cleaned(mut self, scrubber: &Scrubber) -> Self {
        for (_, remark) in &mut self.remarks {
            remark.message = scrubber.clean(&remark.message);
        }
        self
    }

    /// Whether everything was observed and is gone.
    pub(super) fn all_gone(&self) -> bool {
        let gone = |kind| self.outcomes.iter().any(|(about, outcome)| *about == kind && *outcome == Outcome::Gone);
        !self.kinds.is_empty() && self.kinds.iter().copied().all(gone)
    }

    /// Where a resource is, for the people who find it left behind.
    pub(super) fn whereabouts(&self, kind: ResourceKind, status: &MlopsProjectStatus) -> Option<String> {
        let (_, whereabouts) = self.whereabouts.iter().find(|(about, _)| *about == kind)?;
        whereabouts(status.placement.as_ref()?, status)
    }

    /// Writes ids and links into a status.
    pub(super) fn show(&self, status: &mut MlopsProjectStatus) {
        // Nothing is observed before its place is written down.
        let Some(placement) = status.placement.clone() else { return };
        for show in &self.shows {
            show(&placement, status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::reconcile::graph;
    use crate::crd::status::TriggerStatus;
    use crate::resources::artifact_bucket::ArtifactBucket;
    use crate::resources::catalog::CatalogProduct;
    use crate::resources::jenkins_jobs::JenkinsJobs;
    use crate::resources::jenkins_server::JenkinsServer;
    use crate::resources::model_route::ModelRoute;
    use crate::resources::model_trigger::{ModelTrigger, Trigger};
    use crate::resources::prerequisites::Prerequisites;
    use crate::resources::sagemaker_project::{Provisioned, SagemakerProject, Seeded, project_ref};

    #[test]
    fn the_object_may_go_only_once_every_resource_was_observed_to_be_gone() {
        let mut summary = ReconcileSummary::of(&graph::OWN);
        let notes: [fn(&mut ReconcileSummary); 8] = [
            |summary| summary.note::<Prerequisites>(&Outcome::Gone),
            |summary| summary.note::<JenkinsServer>(&Outcome::Gone),
            |summary| summary.note::<ArtifactBucket>(&Outcome::Gone),
            |summary| summary.note::<CatalogProduct>(&Outcome::Gone),
            |summary| summary.note::<SagemakerProject>(&Outcome::Gone),
            |summary| summary.note::<JenkinsJobs>(&Outcome::Gone),
            |summary| summary.note::<ModelTrigger>(&Outcome::Gone),
            |summary| summary.note::<ModelRoute>(&Outcome::Gone),
        ];
        for note in notes {
            assert!(!summary.all_gone());
            note(&mut summary);
        }
        assert!(summary.all_gone());
    }

    #[test]
    fn what_became_of_the_seed_code_stays_while_aws_works_on_the_same_project() {
        let observed = |id: &str, said: Option<&str>| {
            let repositories = |said: &str| [("build".to_owned(), said.to_owned())].into();
            let seeded = said.map(|said| Seeded { as_of: format!("after {said}"), repositories: repositories(said) });
            let mut summary = ReconcileSummary::default();
            let output = Provisioned { project_ref: project_ref("taxi", id, "arn"), provisioned_id: None, seeded };
            summary.note::<SagemakerProject>(&Outcome::InSync { output, changed: false });
            summary
        };
        let mut status =
            MlopsProjectStatus { placement: Some(crate::fixture::place()), ..MlopsProjectStatus::default() };
        let rows = [
            ("at first nothing is known", observed("p-1", None), None),
            ("once it is at rest it is told", observed("p-1", Some("seeded")), Some("seeded")),
            ("an update is under way", observed("p-1", None), Some("seeded")),
            ("after the update", observed("p-1", Some("left alone")), Some("left alone")),
            ("another project", observed("p-2", None), None),
        ];
        for (case, summary, said) in rows {
            summary.show(&mut status);
            let project = status.project.clone().unwrap_or_default();
            assert_eq!(project.repositories.first().map(|one| one.seed_code.as_str()), said, "{case}");
            assert_eq!(project.last_modified, said.map(|said| format!("after {said}")), "{case}");
        }
    }

    #[test]
    fn ids_stay_until_their_resource_is_gone() {
        let trigger = |id: &str| TriggerStatus { stack_id: id.to_owned(), ..TriggerStatus::default() };
        let mut status = MlopsProjectStatus {
            trigger: Some(trigger("old")),
            placement: Some(crate::fixture::place()),
            ..MlopsProjectStatus::default()
        };
        let mut after = |outcome: &Outcome<Trigger>| {
            let mut summary = ReconcileSummary::default();
            summary.note::<ModelTrigger>(outcome);
            summary.show(&mut status);
            status.trigger.clone().map(|trigger| trigger.stack_id)
        };
        let stack = |id: &str| Some(id.to_owned());
        assert_eq!(after(&Outcome::Blocked { by: ResourceKind::SagemakerProject }), stack("old"));
        let made = Outcome::InSync {
            output: Trigger { stack_id: "new".to_owned(), shares_credentials: false, queues: None },
            changed: true,
        };
        assert_eq!(after(&made), stack("new"));
        assert_eq!(after(&Outcome::Gone), None);
    }
}
