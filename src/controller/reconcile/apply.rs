//! Makes the resources of an object as declared: what must be read and written before the first of them is made. The
//! graph then decides on the order.

use std::sync::Arc;

use super::graph::{self, Remote, Standing};
use super::validate::{self, Valid, Validation};
use super::{Reconciled, Subject};
use crate::controller::api::ApiError;
use crate::controller::dereference::JenkinsAccess;
use crate::controller::finalizer::set_finalizer;
use crate::controller::platform_state::{self, PlatformState};
use crate::controller::platforms::{Found, platform_of};
use crate::controller::{dereference, object};
use crate::crd::platform::ConfigMapRef;
use crate::crd::status::Reason;
use crate::domain::external_resource::{ResourceKind, Wait};
use crate::domain::outcome::{Outcome, Phase, ReconcileResult};
use crate::domain::problem::Problem;
use crate::domain::project::Project;
use crate::domain::validate::Parsed;

/// How long a project waits for its platform before it looks by itself: each change there brings it back at once.
const PLATFORM_WAIT: std::time::Duration = std::time::Duration::from_mins(10);

/// What to do about a platform that waits for a person.
const ASK: &str = "ask who looks after the platform: the project goes on by itself once it is Ready";

/// Makes the resources as declared, as far as one reconcile can; `None`: nothing is known yet of the platform that it shares.
pub(super) async fn apply(subject: &Subject<'_>) -> Result<Option<Reconciled>, ApiError> {
    match validate::project(subject) {
        Err(problem) => {
            let Subject { object, key, context, .. } = subject;
            if !object::is_finalized(&object.metadata) {
                // Who comes too late, or before the platform, keeps his turn.
                let waits = [Reason::TooManyProjects, Reason::PlatformMissing, Reason::PlatformNotReady];
                if platform_of(object).is_some() && !waits.contains(&problem.reason) {
                    context.platforms.refuse(key);
                } else {
                    context.platforms.unseat(key);
                }
            }
            Ok(Some(Reconciled::refused(problem)))
        }
        Ok(Validation::Unknown) => Ok(None),
        Ok(Validation::Suspended { platform }) => {
            Ok(Some(Reconciled::unobserved(ReconcileResult::Suspended { platform: Some(platform) })))
        }
        // What its platform is at does not change what was last known of it.
        Ok(Validation::Waits { .. }) if object::spec_field(subject.object, "/suspend") == Some(true) => {
            Ok(Some(Reconciled::unobserved(ReconcileResult::Suspended { platform: None })))
        }
        Ok(Validation::Waits { stalled, message }) => {
            let outcome = not_ready(subject, stalled.then_some(ASK), message);
            Ok(Some(Reconciled::blocked_on(ResourceKind::Platform, &outcome.clone(), outcome)))
        }
        Ok(Validation::Valid(valid)) => Box::pin(make(subject, *valid)).await.map(Some),
    }
}

async fn make(subject: &Subject<'_>, valid: Valid) -> Result<Reconciled, ApiError> {
    let Valid { parsed, platform } = valid;
    if parsed.spec.suspend {
        return Ok(Reconciled::unobserved(ReconcileResult::Suspended { platform: None }));
    }
    let Subject { object, key, context, memory, writer, .. } = subject;
    let clock = context.dependencies.clock;
    let sources = dereference::sources(key, &parsed);
    context.references.refer(key, &sources);
    let versions = dereference::version(&context.references, &sources).await;
    let platform_version = platform.as_deref().map(PlatformState::version).unwrap_or_default();
    memory.begin(&format!("{}{versions}{platform_version}", object::revision(object)));
    let (project, access) = match project(subject, parsed, platform.as_ref()).await {
        Ok(project) => project,
        Err(outcome) => {
            // What is wrong with Secrets is said where the first resource is.
            let first = match platform {
                Some(_) => ResourceKind::SagemakerProject,
                None => ResourceKind::Prerequisites,
            };
            let outcome = since_first(subject, first, outcome);
            return Ok(blocked(subject, platform.as_deref(), first, &outcome));
        }
    };
    let placement = &project.identity.placement;
    let known = writer.status();
    let jenkins = match context.dependencies.clients.jenkins(placement, &access.credentials, &access.ca_bundle) {
        Ok(jenkins) => jenkins,
        Err(fault) => {
            let outcome = Outcome::Faulted { fault, since: clock.now() };
            let by = if platform.is_some() { ResourceKind::JenkinsJobs } else { ResourceKind::JenkinsServer };
            return Ok(blocked(subject, platform.as_deref(), by, &outcome));
        }
    };
    let remote = Remote { aws: context.dependencies.clients.aws(placement).await, jenkins };
    // Only what may be made from here on has to be removed: an object whose Secret never was goes at once.
    if !object::is_finalized(&object.metadata) {
        set_finalizer(&context.api(key), object, true).await?;
        // From here on it keeps its platform from going: unless that has begun to go meanwhile.
        if let Some(name) = &placement.platform
            && !matches!(context.platforms.find(name), Found::Known(state) if state.standing != platform_state::Standing::Deleting)
        {
            return Ok(Reconciled::refused(validate::going(name)));
        }
    }
    writer.record_placement(placement).await?;
    let scope = subject.scope();
    let summary = match platform {
        None => graph::apply(&scope, &project, &remote, &known).await,
        Some(state) => graph::apply_on(&scope, &project, &remote, &known, standing(subject, &state)).await,
    };
    Ok(Reconciled::observed(Phase::Apply, summary, scope.take_applied()))
}

/// One resource keeps all others from being observed.
fn blocked(subject: &Subject<'_>, platform: Option<&PlatformState>, by: ResourceKind, outcome: &Outcome) -> Reconciled {
    match platform {
        None => Reconciled::blocked(&graph::OWN, by, outcome),
        Some(state) => Reconciled::blocked_on(by, outcome, standing(subject, state).platform),
    }
}

/// The project with all that Secrets and ConfigMaps hold for it, and what Jenkins is spoken to with.
async fn project(
    subject: &Subject<'_>,
    parsed: Parsed,
    platform: Option<&Arc<PlatformState>>,
) -> Result<(Project, JenkinsAccess), Outcome> {
    let Subject { key, context, memory, .. } = subject;
    let (resolved, own) = dereference::project(context, key, &parsed).await?;
    let parts = platform.and_then(|state| state.parts.as_ref());
    let mut secrets = resolved.secrets();
    let (access, template): (Option<JenkinsAccess>, Option<ConfigMapRef>) = match parts {
        Some(parts) => {
            // What it makes is made with the platform's.
            secrets.push(parts.access.credentials.token.value.clone());
            (Some(parts.access.clone()), parts.own_template.clone())
        }
        None => (own, parsed.own_platform().and_then(|own| own.own_template().cloned())),
    };
    memory.knows(secrets);
    let (Some(project), Some(access)) = (parsed.into_project(resolved), access) else {
        return Err(Outcome::Interrupted);
    };
    let refused = template.and_then(|reference| dereference::refused_template(context, &reference, &project));
    match refused {
        Some(problem) => Err(Outcome::Stuck(problem)),
        None => Ok((project, access)),
    }
}

/// What the project finds of its platform.
fn standing(subject: &Subject<'_>, state: &PlatformState) -> Standing {
    let name = state.parts.as_ref().map_or("", |parts| parts.shared.name.as_str());
    let platform = match &state.standing {
        platform_state::Standing::Ready => Outcome::InSync { output: (), changed: false },
        platform_state::Standing::NotReady { stalled, message } => {
            not_ready(subject, stalled.then_some(ASK), format!("{name} is not Ready: {message}"))
        }
        // A project on a suspended platform comes no further than here.
        platform_state::Standing::Suspended => Outcome::Interrupted,
        platform_state::Standing::Deleting => {
            let hint = "delete this project too, and make it anew on another platform where it is still needed";
            not_ready(subject, Some(hint), format!("{name} is being deleted, and waits for this project to go"))
        }
    };
    let parts = state.parts.as_ref();
    Standing {
        platform,
        target: parts.and_then(|parts| parts.target.clone()),
        bucket: parts.and_then(|parts| parts.bucket.clone()),
        jenkins_usable: parts.and_then(|parts| parts.jenkins_usable).unwrap_or(false),
    }
}

/// A platform that is not Ready: a wait, unless a person must act, and how.
fn not_ready(subject: &Subject<'_>, hint: Option<&str>, message: String) -> Outcome {
    let now = subject.context.dependencies.clock.now();
    let until = now.saturating_add(PLATFORM_WAIT).unwrap_or(now);
    if let Some(hint) = hint {
        return Outcome::Stuck(Problem::new(Reason::PlatformNotReady, message, hint).until(until));
    }
    Outcome::waiting(Wait::new("platform", Reason::PlatformNotReady, message).until(until), now)
}

/// The same, since it went wrong first.
pub(super) fn since_first(subject: &Subject<'_>, kind: ResourceKind, outcome: Outcome) -> Outcome {
    // What was found of it before says nothing now.
    subject.memory.doubt(kind);
    match outcome {
        Outcome::Faulted { fault, .. } => {
            let since = subject.memory.faulted(kind, &fault, subject.context.dependencies.clock.now());
            Outcome::Faulted { fault, since }
        }
        other => other,
    }
}
