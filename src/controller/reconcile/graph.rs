//! The graph of resources, both ways: what is made after what, and what goes before what. The types keep the order:
//! what one resource hands on is what the next one needs. A new resource is a line in [`apply`] and one in [`delete`].

use std::sync::{Mutex, PoisonError};

use super::summary::ReconcileSummary;
use crate::adapters::aws::artifact_bucket::ArtifactBucketActuator;
use crate::adapters::aws::catalog::{CatalogProductActuator, Names};
use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::model_trigger::ModelTriggerActuator;
use crate::adapters::aws::prerequisites::PrerequisitesActuator;
use crate::adapters::aws::sagemaker_project::{Purpose, SagemakerProjectActuator};
use crate::adapters::jenkins::{JenkinsClient, JenkinsJobsActuator, JenkinsServerActuator};
use crate::controller::converge::{IntentJournal, Scope, converge};
use crate::crd::status::{MlopsProjectStatus, Reason};
use crate::domain::external_resource::{Actuator, ExternalResource, Goal, ResourceKind, Wait, digest_of};
use crate::domain::identity::Identity;
use crate::domain::outcome::Outcome;
use crate::domain::project::Project;
use crate::resources::artifact_bucket::ArtifactBucket;
use crate::resources::catalog::{CatalogProduct, LAG};
use crate::resources::jenkins_jobs::{JenkinsJobs, Jobs};
use crate::resources::jenkins_server::JenkinsServer;
use crate::resources::model_trigger::ModelTrigger;
use crate::resources::prerequisites::Prerequisites;
use crate::resources::sagemaker_project::{Provisioned, SagemakerProject};

/// Clients for the place of one object.
pub(super) struct Remote {
    pub(super) aws: Aws,
    pub(super) jenkins: JenkinsClient,
}

/// What a deletion needs, with what may be missing.
pub(super) struct Deletion {
    pub(super) aws: Aws,
    /// The client, or why there is none.
    pub(super) jenkins: Result<JenkinsClient, Outcome>,
    /// What the catalog's resources are searched by first.
    pub(super) names: Names,
    /// Whether what users put into the project goes with it.
    pub(super) delete_data: bool,
    /// Whether Jenkins folders that were made for the project go with it, once they look empty.
    pub(super) delete_folders: bool,
}

type Needs<I> = Result<I, ResourceKind>;

/// One way through the graph, and what came of it so far.
struct Walk<'a, J> {
    scope: &'a Scope<'a, J>,
    id: &'a Identity,
    summary: Mutex<ReconcileSummary>,
}

/// Makes everything as declared, as far as one reconcile can. `known` is what the status says.
pub(super) async fn apply<J: IntentJournal>(
    scope: &Scope<'_, J>,
    project: &Project,
    remote: &Remote,
    known: &MlopsProjectStatus,
) -> ReconcileSummary {
    let walk = Walk { scope, id: &project.identity, summary: Mutex::default() };
    let Remote { aws, jenkins } = remote;
    let launch = async {
        let names = Names::of(&project.catalog);
        let account = walk.make::<Prerequisites, _>(project, Ok(()), &PrerequisitesActuator::new(aws, project)).await;
        let principal = account.ready(ResourceKind::Prerequisites).cloned();
        let bucket = ArtifactBucketActuator::new(aws).keeping(project);
        let bucket = walk.make::<ArtifactBucket, _>(project, principal.clone(), &bucket).await;
        let artifacts = bucket.ready(ResourceKind::ArtifactBucket).cloned();
        let both = principal.and_then(|principal| Ok((principal, artifacts?)));
        let catalog = walk.make::<CatalogProduct, _>(project, both, &CatalogProductActuator::new(aws, names)).await;
        let target = catalog.ready(ResourceKind::CatalogProduct).cloned();
        let actuator = SagemakerProjectActuator::new(aws, Purpose::Keep).knowing(known.project.as_ref());
        (account, walk.make::<SagemakerProject, _>(project, target, &actuator).await)
    };
    // Jenkins is needed last, minutes after the rest: what is wrong with it, or with the folder, shows at once.
    let server = JenkinsServerActuator::new(jenkins).with_folder(known.jobs.is_none());
    let ((account, model), server) = futures::join!(launch, walk.make::<JenkinsServer, _>(project, Ok(()), &server));
    let reference = |seen: &Provisioned| seen.project_ref.clone();
    // The jobs wait for the project to be complete: a first poll of a repository without code fails.
    let complete = model.ready(ResourceKind::SagemakerProject).map(reference);
    let jobs = server.ready(ResourceKind::JenkinsServer).map(drop).and(complete);
    let actuator = ModelTriggerActuator::new(aws);
    let trigger = async {
        match project.model_trigger {
            // The trigger needs no more than the project's id. Where it is not wanted, one made before is removed.
            Some(_) => {
                let begun = model.early(ResourceKind::SagemakerProject).map(reference);
                walk.make::<ModelTrigger, _>(project, begun, &actuator).await
            }
            None => {
                let right_account = account.ready(ResourceKind::Prerequisites).map(drop);
                walk.remove::<ModelTrigger, _>(right_account, &actuator).await
            }
        }
    };
    let jobs_actuator = JenkinsJobsActuator::new(jenkins, false).with_builds();
    futures::join!(walk.make::<JenkinsJobs, _>(project, jobs, &jobs_actuator), trigger);
    walk.end()
}

/// Removes everything, in the reverse order, as far as one reconcile can. Nothing counts as absent in the wrong account
/// or behind a Jenkins that does not know us, so those are observed first: the account in every reconcile, Jenkins in
/// each that observes the jobs.
pub(super) async fn delete<J: IntentJournal>(
    scope: &Scope<'_, J>,
    id: &Identity,
    deletion: Deletion,
) -> ReconcileSummary {
    let walk = Walk { scope, id, summary: Mutex::default() };
    let Deletion { aws, jenkins, names, delete_data, delete_folders } = deletion;
    scope.memory.distrust(ResourceKind::Prerequisites);
    if scope.memory.kept::<Jobs>(ResourceKind::JenkinsJobs, scope.clock.now()) != Some(None) {
        scope.memory.distrust(ResourceKind::JenkinsServer);
    }
    let account = walk.remove::<Prerequisites, _>(Ok(()), &PrerequisitesActuator::account_only(&aws)).await;
    let right_account = account.gone(ResourceKind::Prerequisites);
    let trigger = ModelTriggerActuator::new(&aws);
    let (trigger, jobs) = futures::join!(
        walk.remove_for_good::<ModelTrigger, _>(right_account, &trigger),
        walk.remove_jobs(jenkins, delete_folders)
    );
    // Jobs and trigger go before what they work on, but what cannot be removed there must not keep the rest.
    let now = scope.clock.now();
    let past = |outcome: &Outcome, kind| if outcome.needs_intervention(now) { Ok(()) } else { outcome.gone(kind) };
    // What is not found is in nobody's way, though it counts as gone only later.
    let trigger_out_of_the_way =
        if confirms_absence(&trigger) { Ok(()) } else { past(&trigger.without_output(), ResourceKind::ModelTrigger) };
    let unused = right_account.and(trigger_out_of_the_way).and(past(&jobs.0, jobs.1));
    let purpose = if delete_data { Purpose::DeleteWithData } else { Purpose::Delete };
    let projects = SagemakerProjectActuator::new(&aws, purpose);
    let model = walk.remove_for_good::<SagemakerProject, _>(unused, &projects).await;
    let unlaunched = model.gone(ResourceKind::SagemakerProject);
    let catalog = CatalogProductActuator::new(&aws, names);
    if confirms_absence(&model) {
        walk.look_ahead::<CatalogProduct, _>(&catalog).await;
    }
    let catalog = walk.remove::<CatalogProduct, _>(unlaunched, &catalog).await;
    let unoffered = catalog.gone(ResourceKind::CatalogProduct);
    walk.remove::<ArtifactBucket, _>(unoffered, &ArtifactBucketActuator::new(&aws).removing()).await;
    walk.end()
}

/// Whether a resource is not found, and only too soon to count as gone.
fn confirms_absence<O>(outcome: &Outcome<O>) -> bool {
    matches!(outcome, Outcome::Waiting { reason: Reason::ConfirmingAbsence, .. })
}

impl<J: IntentJournal> Walk<'_, J> {
    /// Looks at a resource whose turn has not come, so that its absence is confirmed in the same time as that of the one
    /// before it. Nothing follows from what is seen but that.
    async fn look_ahead<R, A>(&self, actuator: &A)
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let (memory, now) = (self.scope.memory, self.scope.clock.now());
        let attempts = memory.attempts(R::KIND);
        if attempts.absent_since.is_some() {
            return;
        }
        // A fault says nothing: its turn comes, and then it is told.
        if let Ok(observed) = actuator.observe(self.id, &attempts).await {
            memory.saw(R::KIND, R::exists(&observed), now);
            memory.sighted(R::KIND, &R::sightings(&observed), now);
        }
    }

    fn end(self) -> ReconcileSummary {
        self.summary.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<R: ExternalResource>(&self, outcome: Outcome<R::Output>) -> Outcome<R::Output> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).note::<R>(&outcome);
        outcome
    }

    /// Makes a resource as declared once what it needs is there.
    async fn make<R, A>(&self, project: &Project, needs: Needs<R::Inputs>, actuator: &A) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let outcome = match needs {
            Ok(inputs) => {
                self.scope.memory.made_from(R::KIND, digest_of(&inputs));
                let goal = Goal::Present(R::desired(project, &inputs));
                converge::<R, A, J>(self.scope, self.id, &goal, actuator).await
            }
            Err(by) => Outcome::Blocked { by },
        };
        self.note::<R>(outcome)
    }

    /// Removes a resource once what depends on it is gone.
    async fn remove<R, A>(&self, free: Needs<()>, actuator: &A) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let outcome = match free {
            Ok(()) => converge::<R, A, J>(self.scope, self.id, &Goal::Absent, actuator).await,
            Err(by) => Outcome::Blocked { by },
        };
        self.note::<R>(outcome)
    }

    /// The same for a resource whose creation may have come to AWS although its answer was lost: one observation does not
    /// prove that it is gone.
    async fn remove_for_good<R, A>(&self, free: Needs<()>, actuator: &A) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let outcome = match free {
            Ok(()) => converge::<R, A, J>(self.scope, self.id, &Goal::Absent, actuator).await,
            Err(by) => Outcome::Blocked { by },
        };
        let (now, memory) = (self.scope.clock.now(), self.scope.memory);
        if !matches!(outcome, Outcome::Gone) || memory.proven_absent(R::KIND, LAG, now) {
            return self.note::<R>(outcome);
        }
        // What was observed must be observed, and not be remembered.
        memory.doubt(R::KIND);
        let since = memory.attempts(R::KIND).absent_since.unwrap_or(now);
        let wait = Wait::new(
            "confirming absence",
            Reason::ConfirmingAbsence,
            "it is not found: looking once more, since reads lag",
        );
        let outcome = Outcome::waiting(wait.until(since.saturating_add(LAG).unwrap_or(now)), since);
        self.scope.rest::<R>(false, &outcome);
        self.note::<R>(outcome)
    }

    /// Removes the jobs once Jenkins has said who we are. Answers what is in the way of the rest, if anything.
    async fn remove_jobs(
        &self,
        jenkins: Result<JenkinsClient, Outcome>,
        delete_folders: bool,
    ) -> (Outcome, ResourceKind) {
        let client = match jenkins {
            Ok(client) => client,
            Err(outcome) => {
                let without_client = match &outcome {
                    Outcome::Stuck(problem) => Outcome::Stuck(problem.clone()),
                    Outcome::Faulted { fault, since } => Outcome::Faulted { fault: fault.clone(), since: *since },
                    _ => Outcome::Interrupted,
                };
                self.note::<JenkinsServer>(without_client);
                self.note::<JenkinsJobs>(Outcome::Blocked { by: ResourceKind::JenkinsServer });
                return (outcome, ResourceKind::JenkinsServer);
            }
        };
        let server = self.remove::<JenkinsServer, _>(Ok(()), &JenkinsServerActuator::new(&client)).await;
        let actuator = JenkinsJobsActuator::new(&client, delete_folders);
        let jobs = self.remove::<JenkinsJobs, _>(server.gone(ResourceKind::JenkinsServer), &actuator).await;
        match server {
            Outcome::Gone => (jobs.without_output(), ResourceKind::JenkinsJobs),
            _ => (server.without_output(), ResourceKind::JenkinsServer),
        }
    }
}
