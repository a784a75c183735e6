//! The graph of resources, both ways: what is made after what, and what goes before what. The types keep the order:
//! what one resource hands on is what the next one needs. A platform has the first half of it and a project that shares
//! one the second; a project with a platform of its own has both. How one resource is made or removed stands in `walk`. A
//! new resource is a line in a `make_…` and one in a `delete…`.

use jiff::Timestamp;

use super::summary::ReconcileSummary;
use super::walk::{Needs, Walk, confirms_absence};
use crate::adapters::aws::artifact_bucket::ArtifactBucketActuator;
use crate::adapters::aws::catalog::{CatalogProductActuator, Names};
use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::model_route::ModelRouteActuator;
use crate::adapters::aws::model_trigger::ModelTriggerActuator;
use crate::adapters::aws::prerequisites::PrerequisitesActuator;
use crate::adapters::aws::sagemaker_project::{Purpose, SagemakerProjectActuator};
use crate::adapters::jenkins::{JenkinsClient, JenkinsJobsActuator, JenkinsServerActuator};
use crate::controller::converge::{IntentJournal, Scope};
use crate::crd::status::MlopsProjectStatus;
use crate::domain::external_resource::ResourceKind;
use crate::domain::identity::Identity;
use crate::domain::outcome::Outcome;
use crate::domain::platform::Platform;
use crate::domain::project::Project;
use crate::resources::artifact_bucket::{ArtifactBucket, Artifacts, ReadyBucket};
use crate::resources::catalog::{CatalogProduct, ProvisioningTarget};
use crate::resources::jenkins_jobs::{JenkinsJobs, Jobs};
use crate::resources::jenkins_server::JenkinsServer;
use crate::resources::model_route::{self, ModelRoute};
use crate::resources::model_trigger::ModelTrigger;
use crate::resources::prerequisites::{OperatorPrincipal, Prerequisites};
use crate::resources::sagemaker_project::{ProjectRef, Provisioned, SagemakerProject};

/// Clients for the place of one object.
pub(super) struct Remote {
    pub(super) aws: Aws,
    pub(super) jenkins: JenkinsClient,
}

/// Resources of a project with a platform of its own.
pub(super) static OWN: [ResourceKind; 8] = [
    ResourceKind::Prerequisites,
    ResourceKind::JenkinsServer,
    ResourceKind::ArtifactBucket,
    ResourceKind::CatalogProduct,
    ResourceKind::SagemakerProject,
    ResourceKind::JenkinsJobs,
    ResourceKind::ModelTrigger,
    ResourceKind::ModelRoute,
];
/// Resources of a project that shares a platform, besides the platform.
pub(super) static ON_PLATFORM: [ResourceKind; 3] =
    [ResourceKind::SagemakerProject, ResourceKind::JenkinsJobs, ResourceKind::ModelRoute];
/// What is observed where such a project is deleted: account and Jenkins must be the right ones, whatever became of the
/// platform.
static ON_PLATFORM_DELETION: [ResourceKind; 5] = [
    ResourceKind::Prerequisites,
    ResourceKind::JenkinsServer,
    ResourceKind::SagemakerProject,
    ResourceKind::JenkinsJobs,
    ResourceKind::ModelRoute,
];
/// Resources of a platform.
pub(super) static PLATFORM: [ResourceKind; 5] = [
    ResourceKind::Prerequisites,
    ResourceKind::JenkinsServer,
    ResourceKind::ArtifactBucket,
    ResourceKind::CatalogProduct,
    ResourceKind::ModelTrigger,
];
/// What is removed with it: nothing of it is in Jenkins.
static PLATFORM_DELETION: [ResourceKind; 4] = [
    ResourceKind::Prerequisites,
    ResourceKind::ArtifactBucket,
    ResourceKind::CatalogProduct,
    ResourceKind::ModelTrigger,
];

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
    /// Where its route lies; absent: not yet there.
    pub(super) bucket: Option<ReadyBucket>,
    /// Whether Jenkins takes jobs.
    pub(super) jenkins_usable: bool,
}

/// What came of a platform.
pub(super) struct PlatformMade {
    pub(super) summary: ReconcileSummary,
    /// What projects are launched from, if that is known.
    pub(super) target: Option<ProvisioningTarget>,
    /// Where their routes lie, if that is known.
    pub(super) bucket: Option<ReadyBucket>,
    /// Whether Jenkins takes jobs, if that is known.
    pub(super) jenkins_usable: Option<bool>,
}

/// What a platform begins with: each as those need it that come after.
struct Base {
    principal: Needs<OperatorPrincipal>,
    artifacts: Needs<Artifacts>,
}

impl Base {
    fn right_account(&self) -> Needs<()> {
        self.principal.as_ref().map(drop).map_err(|by| *by)
    }

    fn bucket(&self) -> Needs<ReadyBucket> {
        self.artifacts.as_ref().map(ReadyBucket::from).map_err(|by| *by)
    }
}

/// Makes a project with a platform of its own as declared, as far as one reconcile can. `known` is what the status says.
pub(super) async fn apply<J: IntentJournal>(
    scope: &Scope<'_, J>,
    project: &Project,
    remote: &Remote,
    known: &MlopsProjectStatus,
) -> ReconcileSummary {
    let walk = Walk::new(scope, &project.identity, &OWN);
    let Remote { aws, jenkins } = remote;
    let platform = &project.platform;
    let launch = async {
        let base = walk.make_base(platform, aws).await;
        let model = async {
            let catalog = walk.make_catalog(platform, aws, &base).await;
            walk.make_model(project, catalog.ready(ResourceKind::CatalogProduct).cloned(), aws, known).await
        };
        // The trigger knows no project, so it is made beside what takes longest.
        let (model, ()) = futures::join!(model, walk.make_trigger(platform, aws, &base));
        (base, model)
    };
    // Jenkins is needed last, minutes after the rest: what is wrong with it, or with the folder, shows at once.
    let server = JenkinsServerActuator::new(jenkins).with_folder(known.jobs.is_none());
    let server = walk.make::<JenkinsServer, _>(platform, Ok(()), &server);
    let ((base, model), server) = futures::join!(Box::pin(launch), Box::pin(server));
    let server = server.ready(ResourceKind::JenkinsServer).map(drop);
    if project.model_trigger.is_some() {
        walk.make_jobs_and_route(project, remote, model, server, base.bucket()).await;
    } else {
        let jobs = walk.make_jobs(project, remote, server.and(model));
        futures::join!(Box::pin(jobs), walk.remove_trigger(aws, base.right_account()));
    }
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
    let Standing { platform, target, bucket, jenkins_usable } = standing;
    walk.note_platform(platform);
    let target = target.ok_or(ResourceKind::Platform);
    let model = walk.make_model(project, target, &remote.aws, known).await;
    let server = if jenkins_usable { Ok(()) } else { Err(ResourceKind::Platform) };
    if project.model_trigger.is_some() {
        walk.make_jobs_and_route(project, remote, model, server, bucket.ok_or(ResourceKind::Platform)).await;
    } else {
        let route = ModelRouteActuator::new(&remote.aws);
        let jobs = walk.make_jobs(project, remote, server.and(model));
        futures::join!(Box::pin(jobs), walk.remove::<ModelRoute, _>(Ok(()), &route));
    }
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
    let aws = async {
        let base = walk.make_base(platform, &remote.aws).await;
        let catalog = walk.make_catalog(platform, &remote.aws, &base);
        let (catalog, ()) = futures::join!(catalog, walk.make_trigger(platform, &remote.aws, &base));
        (catalog, base.bucket().ok())
    };
    let ((catalog, bucket), server) = futures::join!(Box::pin(aws), Box::pin(server));
    let target = catalog.ready(ResourceKind::CatalogProduct).ok().cloned();
    // A fault of a moment says nothing about the jobs that are there.
    let usable = server.ready(ResourceKind::JenkinsServer).is_ok();
    let jenkins_usable = (usable || server.needs_intervention(scope.clock.now())).then_some(usable);
    PlatformMade { summary: walk.end(), target, bucket, jenkins_usable }
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
    let account = walk.right_account(&aws).await;
    let right_account = account.gone(ResourceKind::Prerequisites);
    // Route, jobs and trigger go before what they work on, but what cannot be removed there must not keep the rest.
    let now = scope.clock.now();
    let past = |outcome: &Outcome, kind| if outcome.needs_intervention(now) { Ok(()) } else { outcome.gone(kind) };
    let route = walk.remove::<ModelRoute, _>(right_account, &ModelRouteActuator::new(&aws)).await;
    let unrouted = past(&route.without_output(), ResourceKind::ModelRoute);
    let unstarted = if account.needs_intervention(now) { Ok(()) } else { unrouted };
    let trigger = async {
        match names {
            Some(_) => walk.remove_trigger_for_good(&aws, right_account.and(unrouted), now).await,
            // It is the platform's.
            None => Ok(()),
        }
    };
    let (trigger, jobs) = futures::join!(trigger, walk.remove_jobs(jenkins, delete_folders, unstarted));
    let unused = right_account.and(unrouted).and(trigger).and(past(&jobs.0, jobs.1));
    let purpose = if delete_data { Purpose::DeleteWithData } else { Purpose::Delete };
    let projects = SagemakerProjectActuator::new(&aws, purpose).launched_from_product_of(product_of);
    let model = walk.remove_for_good::<SagemakerProject, _>(unused, &projects).await;
    if let Some(names) = names {
        let catalog = CatalogProductActuator::new(&aws, names);
        if confirms_absence(&model) {
            walk.look_ahead::<CatalogProduct, _>(&catalog).await;
        }
        walk.remove_catalog(&aws, &catalog, model.gone(ResourceKind::SagemakerProject), Ok(())).await;
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
    let right_account = walk.right_account(aws).await.gone(ResourceKind::Prerequisites);
    let trigger = walk.remove_trigger_for_good(aws, right_account, scope.clock.now()).await;
    walk.remove_catalog(aws, &CatalogProductActuator::new(aws, names), right_account, trigger).await;
    walk.end()
}

impl<J: IntentJournal> Walk<'_, J> {
    /// Makes what all else of a platform rests on: account and artifacts.
    async fn make_base(&self, platform: &Platform, aws: &Aws) -> Base {
        let account = self.make::<Prerequisites, _>(platform, Ok(()), &PrerequisitesActuator::new(aws, platform)).await;
        let principal = account.ready(ResourceKind::Prerequisites).cloned();
        let actuator = ArtifactBucketActuator::new(aws).keeping(platform);
        let bucket = self.make::<ArtifactBucket, _>(platform, principal.clone(), &actuator).await;
        Base { principal, artifacts: bucket.ready(ResourceKind::ArtifactBucket).cloned() }
    }

    /// Makes what projects are launched from.
    async fn make_catalog(&self, platform: &Platform, aws: &Aws, base: &Base) -> Outcome<ProvisioningTarget> {
        let artifacts = base.artifacts.clone();
        let both = base.principal.clone().and_then(|principal| Ok((principal, artifacts?)));
        let catalog = CatalogProductActuator::new(aws, Names::of(&platform.catalog));
        self.make::<CatalogProduct, _>(platform, both, &catalog).await
    }

    /// Makes the model trigger, where it is wanted.
    async fn make_trigger(&self, platform: &Platform, aws: &Aws, base: &Base) {
        if platform.trigger.is_some() {
            self.make::<ModelTrigger, _>(platform, base.bucket(), &ModelTriggerActuator::new(aws)).await;
        }
    }

    /// Makes the SageMaker project. Answers it once it is complete.
    async fn make_model(
        &self,
        project: &Project,
        target: Needs<ProvisioningTarget>,
        aws: &Aws,
        known: &MlopsProjectStatus,
    ) -> Needs<ProjectRef> {
        let actuator = SagemakerProjectActuator::new(aws, Purpose::Keep).knowing(known.project.as_ref());
        let model = self.make::<SagemakerProject, _>(project, target, &actuator).await;
        model.ready(ResourceKind::SagemakerProject).map(|seen: &Provisioned| seen.project_ref.clone())
    }

    /// Makes the jobs. They wait for the project to be complete: a first poll of a repository without code fails.
    async fn make_jobs(&self, project: &Project, remote: &Remote, needs: Needs<ProjectRef>) -> Outcome<Jobs> {
        let actuator = JenkinsJobsActuator::new(&remote.jenkins, false).with_builds();
        self.make::<JenkinsJobs, _>(project, needs, &actuator).await
    }

    /// Makes the jobs, and then the route that leads to them.
    async fn make_jobs_and_route(
        &self,
        project: &Project,
        remote: &Remote,
        model: Needs<ProjectRef>,
        server: Needs<()>,
        bucket: Needs<ReadyBucket>,
    ) {
        let jobs = Box::pin(self.make_jobs(project, remote, server.and(model.clone()))).await;
        let needs = jobs.ready(ResourceKind::JenkinsJobs).map(drop).and(bucket);
        let needs = needs.and_then(|bucket| Ok(model_route::Inputs { bucket, project_ref: model? }));
        self.make::<ModelRoute, _>(project, needs, &ModelRouteActuator::new(&remote.aws)).await;
    }

    /// Removes a trigger that is not wanted any more, once nothing leads to it.
    async fn remove_trigger(&self, aws: &Aws, right_account: Needs<()>) {
        let route = self.remove::<ModelRoute, _>(right_account, &ModelRouteActuator::new(aws)).await;
        self.remove::<ModelTrigger, _>(route.gone(ResourceKind::ModelRoute), &ModelTriggerActuator::new(aws)).await;
    }

    /// Whether the account is the right one, observed in each reconcile.
    async fn right_account(&self, aws: &Aws) -> Outcome {
        self.scope.memory.distrust(ResourceKind::Prerequisites);
        self.remove::<Prerequisites, _>(Ok(()), &PrerequisitesActuator::account_only(aws)).await.without_output()
    }

    /// Removes the trigger of an object that goes. Answers whether it is out of the way of the rest.
    async fn remove_trigger_for_good(&self, aws: &Aws, free: Needs<()>, now: Timestamp) -> Needs<()> {
        let trigger = self.remove_for_good::<ModelTrigger, _>(free, &ModelTriggerActuator::new(aws)).await;
        // What is not found is in nobody's way, though it counts as gone only later.
        if confirms_absence(&trigger) || trigger.needs_intervention(now) {
            return Ok(());
        }
        trigger.gone(ResourceKind::ModelTrigger)
    }

    /// Removes what projects were launched from, once none is left, and then the artifacts that it and the trigger used.
    async fn remove_catalog(
        &self,
        aws: &Aws,
        catalog: &CatalogProductActuator,
        unlaunched: Needs<()>,
        trigger: Needs<()>,
    ) {
        let catalog = self.remove::<CatalogProduct, _>(unlaunched, catalog).await;
        let unused = catalog.gone(ResourceKind::CatalogProduct).and(trigger);
        self.remove::<ArtifactBucket, _>(unused, &ArtifactBucketActuator::new(aws).removing()).await;
    }

    /// Removes the jobs once Jenkins has said who we are and nothing starts them any more. Answers what is in the way of the
    /// rest, if anything.
    async fn remove_jobs(
        &self,
        jenkins: Result<JenkinsClient, Outcome>,
        delete_folders: bool,
        unstarted: Needs<()>,
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
        let free = server.gone(ResourceKind::JenkinsServer).and(unstarted);
        let jobs = self.remove::<JenkinsJobs, _>(free, &actuator).await;
        match server {
            Outcome::Gone => (jobs.without_output(), ResourceKind::JenkinsJobs),
            _ => (server.without_output(), ResourceKind::JenkinsServer),
        }
    }
}
