//! The graph of resources, both ways: what is made after what, and what goes before what. The types keep the order:
//! what one resource hands on is what the next one needs. A platform has the first half of
//! it and a project that shares one the second; a project with a platform of its own has both. A new resource is a line in
//! a `make_…` and one in a `delete…`.

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
use crate::domain::platform::Platform;
use crate::domain::project::Project;
use crate::resources::artifact_bucket::ArtifactBucket;
use crate::resources::catalog::{CatalogProduct, LAG, ProvisioningTarget};
use crate::resources::jenkins_jobs::{JenkinsJobs, Jobs};
use crate::resources::jenkins_server::JenkinsServer;
use crate::resources::model_trigger::ModelTrigger;
use crate::resources::prerequisites::{OperatorPrincipal, Prerequisites};
use crate::resources::sagemaker_project::{Provisioned, SagemakerProject};

/// Clients for the place of one object.
pub(super) struct Remote {
    pub(super) aws: Aws,
    pub(super) jenkins: JenkinsClient,
}

/// Resources of a project with a platform of its own.
pub(super) static OWN: [ResourceKind; 7] = [
    ResourceKind::Prerequisites,
    ResourceKind::JenkinsServer,
    ResourceKind::ArtifactBucket,
    ResourceKind::CatalogProduct,
    ResourceKind::SagemakerProject,
    ResourceKind::JenkinsJobs,
    ResourceKind::ModelTrigger,
];
/// Resources of a project that shares a platform, besides the platform.
pub(super) static ON_PLATFORM: [ResourceKind; 3] =
    [ResourceKind::SagemakerProject, ResourceKind::JenkinsJobs, ResourceKind::ModelTrigger];
/// What is observed where such a project is deleted: account and Jenkins must be the right ones, whatever became of the
/// platform.
static ON_PLATFORM_DELETION: [ResourceKind; 5] = [
    ResourceKind::Prerequisites,
    ResourceKind::JenkinsServer,
    ResourceKind::SagemakerProject,
    ResourceKind::JenkinsJobs,
    ResourceKind::ModelTrigger,
];
/// Resources of a platform.
pub(super) static PLATFORM: [ResourceKind; 4] = [
    ResourceKind::Prerequisites,
    ResourceKind::JenkinsServer,
    ResourceKind::ArtifactBucket,
    ResourceKind::CatalogProduct,
];
/// What is removed with it: nothing of it is in Jenkins.
static PLATFORM_DELETION: [ResourceKind; 3] =
    [ResourceKind::Prerequisites, ResourceKind::ArtifactBucket, ResourceKind::CatalogProduct];

/// What a deletion needs, with what may be missing.
pub(super) struct Deletion {
    pub(super) aws: Aws,
    /// The client, or why there is none.
    pub(super) jenkins: Result<JenkinsClient, Outcome>,
    /// What the catalog's resources are searched by first; `None`: they are a platform's, and stay.
    pub(super) names: Option<Names>,
    /// Whose product the project was launched from.
    pub(super) product_of: Identity,
    /// Whether what users put into the project goes with it.
    pub(super) delete_data: bool,
    /// Whether Jenkins folders that were made for the project go with it, once they look empty.
    pub(super) delete_folders: bool,
}

/// What a project that shares a platform finds there.
pub(super) struct Standing {
    /// How the platform stands.
    pub(super) platform: Outcome,
    /// What the project is launched from; absent: not yet there.
    pub(super) target: Option<ProvisioningTarget>,
    /// Whether Jenkins takes jobs.
    pub(super) jenkins_usable: bool,
}

/// What came of a platform.
pub(super) struct PlatformMade {
    pub(super) summary: ReconcileSummary,
    /// What projects are launched from, if that is known.
    pub(super) target: Option<ProvisioningTarget>,
    /// Whether Jenkins takes jobs.
    pub(super) jenkins_usable: bool,
}

type Needs<I> = Result<I, ResourceKind>;

/// One way through the graph, and what came of it so far.
struct Walk<'a, J> {
    scope: &'a Scope<'a, J>,
    id: &'a Identity,
    summary: Mutex<ReconcileSummary>,
}

/// Makes a project with a platform of its own as declared, as far as one reconcile can. `known` is what the status says.
pub(super) async fn apply<J: IntentJournal>(
    scope: &Scope<'_, J>,
    project: &Project,
    remote: &Remote,
    known: &MlopsProjectStatus,
) -> ReconcileSummary {
    let walk = Walk::new(scope, &project.identity, &OWN);
    let launch = async {
        let (account, catalog) = walk.make_catalog(&project.platform, &remote.aws).await;
        let target = catalog.ready(ResourceKind::CatalogProduct).cloned();
        (account, walk.make_model(project, target, &remote.aws, known).await)
    };
    // Jenkins is needed last, minutes after the rest: what is wrong with it, or with the folder, shows at once.
    let server = JenkinsServerActuator::new(&remote.jenkins).with_folder(known.jobs.is_none());
    let server = walk.make::<JenkinsServer, _>(&project.platform, Ok(()), &server);
    let ((account, model), server) = futures::join!(Box::pin(launch), Box::pin(server));
    let account = account.ready(ResourceKind::Prerequisites).map(drop);
    let server = server.ready(ResourceKind::JenkinsServer).map(drop);
    walk.make_jobs_and_trigger(project, remote, &model, server, account).await;
    walk.end()
}

/// The same for a project that shares a platform.
pub(super) async fn apply_on<J: IntentJournal>(
    scope: &Scope<'_, J>,
    project: &Project,
    remote: &Remote,
    known: &MlopsProjectStatus,
    standing: Standing,
) -> ReconcileSummary {
    let walk = Walk::new(scope, &project.identity, &ON_PLATFORM);
    let Standing { platform, target, jenkins_usable } = standing;
    walk.summary.lock().unwrap_or_else(PoisonError::into_inner).note_platform(platform);
    let target = target.ok_or(ResourceKind::Platform);
    let model = walk.make_model(project, target, &remote.aws, known).await;
    let server = if jenkins_usable { Ok(()) } else { Err(ResourceKind::Platform) };
    walk.make_jobs_and_trigger(project, remote, &model, server, Ok(())).await;
    walk.end()
}

/// Makes a platform as declared, as far as one reconcile can.
pub(super) async fn apply_platform<J: IntentJournal>(
    scope: &Scope<'_, J>,
    platform: &Platform,
    remote: &Remote,
) -> PlatformMade {
    let walk = Walk::new(scope, &platform.identity, &PLATFORM);
    let server = JenkinsServerActuator::new(&remote.jenkins).with_folder(true);
    let server = walk.make::<JenkinsServer, _>(platform, Ok(()), &server);
    let ((_, catalog), server) = futures::join!(Box::pin(walk.make_catalog(platform, &remote.aws)), Box::pin(server));
    let target = catalog.ready(ResourceKind::CatalogProduct).ok().cloned();
    let jenkins_usable = server.ready(ResourceKind::JenkinsServer).is_ok();
    PlatformMade { summary: walk.end(), target, jenkins_usable }
}

/// Removes everything of a project, in the reverse order, as far as one reconcile can. Nothing counts as absent in the wrong
/// account or behind a Jenkins that does not know us, so those are observed first: the account in every reconcile, Jenkins
/// in each that observes the jobs.
pub(super) async fn delete<J: IntentJournal>(
    scope: &Scope<'_, J>,
    id: &Identity,
    deletion: Deletion,
) -> ReconcileSummary {
    let Deletion { aws, jenkins, names, product_of, delete_data, delete_folders } = deletion;
    let walk = Walk::new(scope, id, if names.is_some() { &OWN } else { &ON_PLATFORM_DELETION });
    if scope.memory.kept::<Jobs>(ResourceKind::JenkinsJobs, scope.clock.now()) != Some(None) {
        scope.memory.distrust(ResourceKind::JenkinsServer);
    }
    let right_account = walk.right_account(&aws).await;
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
    let projects = SagemakerProjectActuator::new(&aws, purpose).launched_from_product_of(product_of);
    let model = walk.remove_for_good::<SagemakerProject, _>(unused, &projects).await;
    if let Some(names) = names {
        let ahead = confirms_absence(&model);
        walk.remove_catalog(&aws, names, model.gone(ResourceKind::SagemakerProject), ahead).await;
    }
    walk.end()
}

/// Removes everything of a platform, in the reverse order, as far as one reconcile can.
pub(super) async fn delete_platform<J: IntentJournal>(
    scope: &Scope<'_, J>,
    id: &Identity,
    aws: &Aws,
    names: Names,
) -> ReconcileSummary {
    let walk = Walk::new(scope, id, &PLATFORM_DELETION);
    let right_account = walk.right_account(aws).await;
    walk.remove_catalog(aws, names, right_account, false).await;
    walk.end()
}

/// Whether a resource is not found, and only too soon to count as gone.
fn confirms_absence<O>(outcome: &Outcome<O>) -> bool {
    matches!(outcome, Outcome::Waiting { reason: Reason::ConfirmingAbsence, .. })
}

impl<'a, J: IntentJournal> Walk<'a, J> {
    fn new(scope: &'a Scope<'a, J>, id: &'a Identity, kinds: &'static [ResourceKind]) -> Self {
        Self { scope, id, summary: Mutex::new(ReconcileSummary::of(kinds)) }
    }

    /// Makes what projects are launched from: account, artifacts, product.
    async fn make_catalog(
        &self,
        platform: &Platform,
        aws: &Aws,
    ) -> (Outcome<OperatorPrincipal>, Outcome<ProvisioningTarget>) {
        let account = self.make::<Prerequisites, _>(platform, Ok(()), &PrerequisitesActuator::new(aws, platform)).await;
        let principal = account.ready(ResourceKind::Prerequisites).cloned();
        let bucket = ArtifactBucketActuator::new(aws).keeping(platform);
        let bucket = self.make::<ArtifactBucket, _>(platform, principal.clone(), &bucket).await;
        let artifacts = bucket.ready(ResourceKind::ArtifactBucket).cloned();
        let both = principal.and_then(|principal| Ok((principal, artifacts?)));
        let catalog = CatalogProductActuator::new(aws, Names::of(&platform.catalog));
        let catalog = self.make::<CatalogProduct, _>(platform, both, &catalog).await;
        (account, catalog)
    }

    async fn make_model(
        &self,
        project: &Project,
        target: Needs<ProvisioningTarget>,
        aws: &Aws,
        known: &MlopsProjectStatus,
    ) -> Outcome<Provisioned> {
        let actuator = SagemakerProjectActuator::new(aws, Purpose::Keep).knowing(known.project.as_ref());
        self.make::<SagemakerProject, _>(project, target, &actuator).await
    }

    /// Makes what follows once the project is there, or has begun to be.
    async fn make_jobs_and_trigger(
        &self,
        project: &Project,
        remote: &Remote,
        model: &Outcome<Provisioned>,
        server: Needs<()>,
        right_account: Needs<()>,
    ) {
        let reference = |seen: &Provisioned| seen.project_ref.clone();
        // The jobs wait for the project to be complete: a first poll of a repository without code fails.
        let jobs = server.and(model.ready(ResourceKind::SagemakerProject).map(reference));
        let actuator = ModelTriggerActuator::new(&remote.aws);
        let trigger = async {
            match project.model_trigger {
                // The trigger needs no more than the project's id. Where it is not wanted, one made before is removed.
                Some(_) => {
                    let begun = model.early(ResourceKind::SagemakerProject).map(reference);
                    self.make::<ModelTrigger, _>(project, begun, &actuator).await
                }
                None => self.remove::<ModelTrigger, _>(right_account, &actuator).await,
            }
        };
        let jobs_actuator = JenkinsJobsActuator::new(&remote.jenkins, false).with_builds();
        let jobs = self.make::<JenkinsJobs, _>(project, jobs, &jobs_actuator);
        futures::join!(Box::pin(jobs), Box::pin(trigger));
    }

    /// Whether the account is the right one, observed in each reconcile.
    async fn right_account(&self, aws: &Aws) -> Needs<()> {
        self.scope.memory.distrust(ResourceKind::Prerequisites);
        let account = self.remove::<Prerequisites, _>(Ok(()), &PrerequisitesActuator::account_only(aws)).await;
        account.gone(ResourceKind::Prerequisites)
    }

    /// Removes what projects were launched from, once none is left.
    async fn remove_catalog(&self, aws: &Aws, names: Names, unlaunched: Needs<()>, look_ahead: bool) {
        let catalog = CatalogProductActuator::new(aws, names);
        if look_ahead {
            self.look_ahead::<CatalogProduct, _>(&catalog).await;
        }
        let catalog = self.remove::<CatalogProduct, _>(unlaunched, &catalog).await;
        let unoffered = catalog.gone(ResourceKind::CatalogProduct);
        self.remove::<ArtifactBucket, _>(unoffered, &ArtifactBucketActuator::new(aws).removing()).await;
    }

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
    async fn make<R, A>(&self, declared: &R::Declared, needs: Needs<R::Inputs>, actuator: &A) -> Outcome<R::Output>
    where
        R: ExternalResource,
        A: Actuator<R>,
    {
        let outcome = match needs {
            Ok(inputs) => {
                self.scope.memory.made_from(R::KIND, digest_of(&inputs));
                let goal = Goal::Present(R::desired(declared, &inputs));
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
