//! The graph of things, both ways: what is built after what, and what goes before what. The types keep the order:
//! what one thing hands on is what the next one needs.

use crate::adapters::jenkins::JenkinsClient;
use crate::controller::drive::{IntentJournal, Pass, drive, probe};
use crate::controller::found::Found;
use crate::controller::hands::{AwsHands, Hands};
use crate::crd::status::Reason;
use crate::domain::identity::Identity;
use crate::domain::project::Project;
use crate::domain::report::{Finding, Outcome};
use crate::domain::resource::{Actuator, Goal, Kind, Resource};
use crate::resources::artifact_bucket::ArtifactBucket;
use crate::resources::catalog::{CatalogProduct, LAG};
use crate::resources::jenkins_jobs::JenkinsJobs;
use crate::resources::model_trigger::ModelTrigger;
use crate::resources::outputs::{Artifacts, Ground, Jobs, Launchable, ProjectFacts, Provisioned, Trigger};
use crate::resources::prerequisites::Prerequisites;
use crate::resources::sagemaker_project::SagemakerProject;

/// Makes everything as declared, as far as one pass can. `launched`: the project has been seen before.
pub async fn build_up<J: IntentJournal>(pass: &Pass<'_, J>, project: &Project, hands: &Hands, launched: bool) -> Found {
    let ((ground, artifacts, catalog, model), jenkins) =
        futures::join!(launch(pass, project, hands), check_jenkins(pass, project, hands, launched));
    let complete = model.ready(Kind::SagemakerProject).map(|seen| seen.facts.clone());
    let begun = model.early(Kind::SagemakerProject).map(|seen| seen.facts.clone());
    let solid = ground.ready(Kind::Prerequisites).map(drop);
    let (jobs, trigger) =
        futures::join!(jobs(pass, project, complete, jenkins, hands), trigger(pass, project, solid, begun, hands));
    let mut found = Found::default();
    found.note(Kind::Prerequisites, &ground);
    found.artifacts(&artifacts);
    found.catalog(&catalog);
    found.project(&model);
    found.jobs(&jobs, &project.identity.placement);
    found.trigger(&trigger);
    found
}

/// What stands in AWS up to the SageMaker project: a chain, each link made from the one before it.
async fn launch<J: IntentJournal>(pass: &Pass<'_, J>, project: &Project, hands: &Hands) -> Launched {
    let ground = after::<Prerequisites, _, _>(pass, project, Ok(()), &hands.aws.ground).await;
    let solid = ground.ready(Kind::Prerequisites).cloned();
    let artifacts = after::<ArtifactBucket, _, _>(pass, project, solid.clone(), &hands.aws.artifacts).await;
    let stocked = artifacts.ready(Kind::ArtifactBucket).cloned();
    let both = solid.and_then(|ground| Ok((ground, stocked?)));
    let catalog = after::<CatalogProduct, _, _>(pass, project, both, &hands.aws.catalog).await;
    let launchable = catalog.ready(Kind::CatalogProduct).cloned();
    let model = after::<SagemakerProject, _, _>(pass, project, launchable, &hands.aws.projects).await;
    (ground, artifacts, catalog, model)
}

type Launched = (Outcome<Ground>, Outcome<Artifacts>, Outcome<Launchable>, Outcome<Provisioned>);

/// Jenkins is needed last, minutes after the rest: what is wrong with it is looked for at once.
async fn check_jenkins<J: IntentJournal>(
    pass: &Pass<'_, J>,
    project: &Project,
    hands: &Hands,
    launched: bool,
) -> Outcome<Jobs> {
    let by = Kind::SagemakerProject;
    if launched {
        return Outcome::Blocked { by };
    }
    let id = &project.identity;
    let name = &id.placement.project_name;
    // The id is not known yet; any other one gives the same answer about the server, its plugins and the folder.
    let facts = ProjectFacts {
        project_id: "p-unknown".to_owned(),
        project_arn: id.project_arn(),
        project_name: name.clone(),
        model_package_group: format!("{name}-p-unknown"),
        bucket: "sagemaker-project-p-unknown".to_owned(),
    };
    let goal = Goal::Present(JenkinsJobs::desired(project, &facts));
    probe::<JenkinsJobs, _, _>(pass, id, &goal, &hands.jenkins, by).await
}

/// The jobs wait for the project to be complete: a first poll of a repository without code fails.
async fn jobs<J: IntentJournal>(
    pass: &Pass<'_, J>,
    project: &Project,
    facts: Result<ProjectFacts, Kind>,
    checked: Outcome<Jobs>,
    hands: &Hands,
) -> Outcome<Jobs> {
    match (facts, checked) {
        (Ok(facts), _) => after::<JenkinsJobs, _, _>(pass, project, Ok(facts), &hands.jenkins).await,
        (Err(by), Outcome::Blocked { .. }) => Outcome::Blocked { by },
        (Err(_), early_trouble) => early_trouble,
    }
}

/// The trigger needs no more than the project's id. Where it is not wanted, one made before is removed.
async fn trigger<J: IntentJournal>(
    pass: &Pass<'_, J>,
    project: &Project,
    solid: Result<(), Kind>,
    facts: Result<ProjectFacts, Kind>,
    hands: &Hands,
) -> Outcome<Trigger> {
    match project.model_trigger {
        Some(_) => after::<ModelTrigger, _, _>(pass, project, facts, &hands.aws.stacks).await,
        None => clear::<ModelTrigger, _, _>(pass, &project.identity, solid, &hands.aws.stacks).await,
    }
}

/// Drives a thing once what it needs is there.
async fn after<R, A, J>(
    pass: &Pass<'_, J>,
    project: &Project,
    needs: Result<R::Inputs, Kind>,
    actuator: &A,
) -> Outcome<R::Output>
where
    R: Resource<Owner = Project, Inputs: std::fmt::Debug, Output: Send + 'static>,
    A: Actuator<R>,
    J: IntentJournal,
{
    match needs {
        Ok(inputs) => {
            pass.ledger.made_from(R::KIND, format!("{inputs:?}"));
            let goal = Goal::Present(R::desired(project, &inputs));
            drive::<R, A, J>(pass, &project.identity, &goal, actuator).await
        }
        Err(by) => Outcome::Blocked { by },
    }
}

/// Removes everything, in the reverse order, as far as one pass can. Nothing counts as absent in the wrong account,
/// so that is looked at first, in every pass. `let_go`: jobs and trigger that cannot be removed stand in nobody's way;
/// what others stand on stays with them.
pub async fn tear_down<J: IntentJournal>(
    pass: &Pass<'_, J>,
    id: &Identity,
    hands: &AwsHands,
    jenkins: Result<JenkinsClient, Finding>,
    let_go: bool,
) -> Found {
    let now = pass.clock.now();
    let past = |finding: Finding, kind| if let_go && finding.hopeless(now) { Ok(()) } else { gone(&finding, kind) };
    let mut found = Found::default();
    pass.ledger.doubt(Kind::Prerequisites);
    let ground = drive::<Prerequisites, _, _>(pass, id, &Goal::Absent, &hands.ground).await;
    let right_place = gone(&ground, Kind::Prerequisites);
    let (trigger, jobs) = futures::join!(
        clear::<ModelTrigger, _, _>(pass, id, right_place, &hands.stacks),
        clear_jobs(pass, id, jenkins),
    );
    let trigger = proven(pass, Kind::ModelTrigger, trigger);
    let unused =
        right_place.and(past(trigger.finding(), Kind::ModelTrigger)).and(past(jobs.finding(), Kind::JenkinsJobs));
    let model = clear::<SagemakerProject, _, _>(pass, id, unused, &hands.projects).await;
    let model = proven(pass, Kind::SagemakerProject, model);
    let launched = gone(&model, Kind::SagemakerProject);
    let catalog = clear::<CatalogProduct, _, _>(pass, id, launched, &hands.catalog).await;
    let offered = gone(&catalog, Kind::CatalogProduct);
    let artifacts = clear::<ArtifactBucket, _, _>(pass, id, offered, &hands.artifacts).await;
    found.note(Kind::Prerequisites, &ground);
    found.artifacts(&artifacts);
    found.catalog(&catalog);
    found.project(&model);
    found.jobs(&jobs, &id.placement);
    found.trigger(&trigger);
    found
}

async fn clear_jobs<J: IntentJournal>(
    pass: &Pass<'_, J>,
    id: &Identity,
    jenkins: Result<JenkinsClient, Finding>,
) -> Outcome<Jobs> {
    match jenkins {
        Ok(client) => drive::<JenkinsJobs, _, _>(pass, id, &Goal::Absent, &client).await,
        Err(Outcome::Stuck { why, message, hint }) => Outcome::Stuck { why, message, hint },
        Err(Outcome::Faulted { fault, since }) => Outcome::Faulted { fault, since },
        Err(_) => Outcome::Interrupted,
    }
}

/// Removes a thing once what stands on it is gone.
async fn clear<R, A, J>(pass: &Pass<'_, J>, id: &Identity, free: Result<(), Kind>, actuator: &A) -> Outcome<R::Output>
where
    R: Resource<Output: Send + 'static>,
    A: Actuator<R>,
    J: IntentJournal,
{
    match free {
        Ok(()) => drive::<R, A, J>(pass, id, &Goal::Absent, actuator).await,
        Err(by) => Outcome::Blocked { by },
    }
}

/// Gone for good: one look does not prove that, where a create may have come to AWS whose answer was lost.
fn proven<O, J: IntentJournal>(pass: &Pass<'_, J>, kind: Kind, outcome: Outcome<O>) -> Outcome<O> {
    let now = pass.clock.now();
    if !matches!(outcome, Outcome::Gone) || pass.ledger.proven_absent(kind, LAG.unsigned_abs(), now) {
        return outcome;
    }
    // What was looked at must be looked at, and not be remembered.
    pass.ledger.doubt(kind);
    let message = "it is not found: looking once more, since reads lag".to_owned();
    let since = pass.ledger.waits(kind, Reason::ProvingAbsence, &message, now);
    Outcome::Waiting { why: Reason::ProvingAbsence, message, since, early: None }
}

/// Whether a thing is out of the way of those that it stands on, or what is.
fn gone<O>(outcome: &Outcome<O>, kind: Kind) -> Result<(), Kind> {
    match outcome {
        Outcome::Gone => Ok(()),
        Outcome::Blocked { by } => Err(*by),
        _ => Err(kind),
    }
}
