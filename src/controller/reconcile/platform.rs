//! The reconcile of an `MlopsPlatform`: makes and removes what its projects stand on, and tells the projects. It is the
//! counterpart of `apply` and `delete`, which do the same for projects; whether it may act asks `validate`.

use std::sync::Arc;

use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};

use super::apply::since_first;
use super::graph::{self, PlatformMade, Remote};
use super::validate::{self, resolve_placement};
use super::{Reconciled, Subject, hold};
use crate::adapters::aws::catalog::Names;
use crate::controller::api::{ApiError, traced};
use crate::controller::finalizer::set_finalizer;
use crate::controller::object::{Key, Kind};
use crate::controller::platform_state::{PlatformParts, PlatformState, Standing};
use crate::controller::platforms::{Admission, platform_of, stands_on};
use crate::controller::{dereference, object};
use crate::crd::project::DeletionPolicy;
use crate::crd::status::{ConditionType, MlopsProjectStatus, Reason};
use crate::domain::external_resource::ResourceKind;
use crate::domain::identity::Identity;
use crate::domain::outcome::{Outcome, Phase, ReconcileResult};
use crate::domain::problem::Problem;
use crate::domain::seal;
use crate::domain::validate::{SharedPlatform, parse_platform};

/// How many projects one list call asks for.
const PAGE: u32 = 100;
/// How many projects are named that keep a platform.
const NAMED: usize = 10;

/// Makes the platform as declared, as far as one reconcile can.
pub(super) async fn apply(subject: &Subject<'_>) -> Result<Reconciled, ApiError> {
    let (spec, parsed) = match validate::platform(subject) {
        Ok(parsed) => parsed,
        Err(problem) => return Ok(Reconciled::refused(problem)),
    };
    if spec.suspend {
        return Ok(Reconciled::unobserved(ReconcileResult::Suspended { platform: None }));
    }
    let Subject { object, key, context, memory, writer, .. } = subject;
    begin(subject);
    let clock = context.dependencies.clock;
    let namespace = &context.dependencies.namespace;
    let sources = dereference::platform_sources(namespace, &parsed);
    context.references.refer(key, &sources);
    let versions = dereference::version(&context.references, &sources).await;
    memory.begin(&format!("{}{versions}", object::revision(object)));
    let blocked = |kind, outcome: &Outcome| Ok(Reconciled::blocked(&graph::PLATFORM, kind, outcome));
    let (resolved, access) = match dereference::platform(context, namespace, &parsed).await {
        Ok(resolved) => resolved,
        Err(outcome) => {
            let outcome = since_first(subject, ResourceKind::Prerequisites, outcome);
            return blocked(ResourceKind::Prerequisites, &outcome);
        }
    };
    memory.knows(resolved.secrets());
    let own_template = parsed.own_template().cloned();
    let platform = match parsed.into_platform(&spec, resolved) {
        Ok(platform) => Arc::new(platform),
        Err(error) => return Ok(Reconciled::refused(validate::invalid(&error))),
    };
    if let Some(reference) = &own_template
        && let Some(problem) = dereference::refused_platform_template(context, reference, &platform)
    {
        return blocked(ResourceKind::Prerequisites, &Outcome::Stuck(problem));
    }
    let placement = &platform.identity.placement;
    let jenkins = match context.dependencies.clients.jenkins(placement, &access.credentials, &access.ca_bundle) {
        Ok(jenkins) => jenkins,
        Err(fault) => return blocked(ResourceKind::JenkinsServer, &Outcome::Faulted { fault, since: clock.now() }),
    };
    let remote = Remote { aws: context.dependencies.clients.aws(placement).await, jenkins };
    if !object::is_finalized(&object.metadata) {
        set_finalizer(&context.api(key), object, true).await?;
    }
    writer.record_placement(placement).await?;
    let scope = subject.scope();
    let made = graph::apply_platform(&scope, &platform, &remote).await;
    let PlatformMade { summary, target, bucket, jenkins_usable } = made;
    // In another account nothing of the platform's can be there, nor of its projects'.
    let wrong =
        |outcome: &Outcome| matches!(outcome, Outcome::Stuck(problem) if problem.reason == Reason::WrongAccount);
    let is_elsewhere = summary.outcomes().iter().any(|(_, outcome)| wrong(outcome));
    let shared = SharedPlatform { name: key.name.clone(), spec: Arc::new(spec), platform: platform.clone() };
    let parts = PlatformParts { shared, access, own_template, target, bucket, jenkins_usable };
    let reconciled = Reconciled::observed(Phase::Apply, summary, scope.take_applied());
    Ok(Reconciled { parts: Some(parts).filter(|_| !is_elsewhere), ..reconciled })
}

/// Tells the projects of a platform that was not Ready when the operator started how it stood then, so that they can say for
/// what they wait, and say after a restart what they said before.
fn begin(subject: &Subject<'_>) {
    let Subject { object, key, context, writer, .. } = subject;
    let generation = object.metadata.generation.unwrap_or(0);
    if context.platforms.state(&key.name).is_some() {
        return;
    }
    let mut told = writer.status();
    told.conditions.retain(|condition| condition.observed_generation == Some(generation));
    let standing = stood(&told);
    if standing != Standing::Ready {
        context.platforms.tell(&key.name, PlatformState { generation, standing, parts: None }, false);
    }
}

/// How a platform stands by its conditions.
fn stood(status: &MlopsProjectStatus) -> Standing {
    let condition = |wanted: ConditionType| status.conditions.iter().find(|one| one.type_ == wanted.as_str());
    match condition(ConditionType::Ready) {
        Some(ready) if ready.status == "True" => Standing::Ready,
        ready => Standing::NotReady {
            stalled: condition(ConditionType::Stalled).is_some_and(|stalled| stalled.status == "True"),
            message: ready.map_or_else(|| "it is being made".to_owned(), |ready| ready.message.clone()),
        },
    }
}

/// Tells the projects of a platform how it stands, as its own status says.
pub(super) fn tell(
    subject: &Subject<'_>,
    parts: Option<PlatformParts>,
    result: &ReconcileResult,
    status: &MlopsProjectStatus,
) {
    let Subject { object, key, context, .. } = subject;
    if key.kind() != Kind::Platform {
        return;
    }
    let standing = if object.metadata.deletion_timestamp.is_some() {
        Standing::Deleting
    } else if matches!(result, ReconcileResult::Suspended { .. }) {
        Standing::Suspended
    } else {
        stood(status)
    };
    // A platform that goes keeps what it is made of for the projects that still stand on it.
    let before = context.platforms.state(&key.name);
    let kept = || before.as_ref().and_then(|state| state.parts.clone());
    let generation = object.metadata.generation.unwrap_or(0);
    let same_spec = before.as_ref().is_some_and(|state| state.generation == generation);
    let parts = match standing {
        Standing::Deleting | Standing::Suspended => parts.or_else(kept),
        // A fault of a moment takes nothing from its projects.
        Standing::Ready if same_spec => parts.or_else(kept),
        Standing::Ready | Standing::NotReady { .. } => parts,
    };
    context.platforms.tell(&key.name, PlatformState { generation, standing, parts }, object::is_ready(object));
}

/// Removes the platform, once no project stands on it, as far as one reconcile can.
pub(super) async fn delete(subject: &Subject<'_>) -> Result<Reconciled, ApiError> {
    let Subject { object, key, context, memory, writer, .. } = subject;
    if let Some(problem) = in_use(subject).await? {
        // Its projects go on as before, so it is looked after as long as they stand on it.
        let kept = Box::pin(apply(subject)).await?;
        return Ok(Reconciled { result: ReconcileResult::Refused(problem), ..kept });
    }
    let default = context.dependencies.config.default_deletion_policy;
    if object::deletion_policy(object, default) == DeletionPolicy::Retain {
        return Ok(Reconciled::retained());
    }
    if let Some(problem) = hold::unconfirmed(subject).await? {
        return Ok(Reconciled::refused(problem));
    }
    let placement = match resolve_placement(subject) {
        Ok(placement) => placement,
        Err(problem) => return Ok(Reconciled::refused(problem)),
    };
    let sent = dereference::sent(context, key, object::spec(object));
    let mut sources = Default::default();
    dereference::name_sent(&mut sources, &sent);
    context.references.refer(key, &sources);
    memory.begin(&object::revision(object));
    writer.record_placement(&placement).await?;
    memory.knows(dereference::readable(context, &sent).await);
    let owner = key.owner(&context.cluster);
    let names = match parse_platform(&owner, &context.seals, object::spec(object)) {
        Ok((_, parsed)) => Names::of(&parsed.catalog()),
        Err(_) => Names::default(),
    };
    let aws = context.dependencies.clients.aws(&placement).await;
    let scope = subject.scope();
    let id = Identity { owner, placement, seals: context.seals.clone() };
    let summary = graph::delete_platform(&scope, &id, &aws, names).await;
    Ok(Reconciled::observed(Phase::Delete, summary, scope.take_applied()))
}

/// What keeps a platform that is being deleted: the projects that stand on it. The API server is asked once before none counts,
/// since the watch may be behind; no project begins on it from then on.
async fn in_use(subject: &Subject<'_>) -> Result<Option<Problem>, ApiError> {
    let Subject { key, context, memory, .. } = subject;
    let watched = context.platforms.projects_on(&key.name);
    let mut projects: Vec<Key> =
        watched.iter().filter(|project| keeps(subject, &project.object())).map(|project| project.key()).collect();
    if projects.is_empty() && !memory.is_unused() {
        let api: Api<DynamicObject> =
            Api::all_with(context.dependencies.client.clone(), context.resource(Kind::Project));
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let listed = match traced("List", api.list(&page)).await {
                Ok(listed) => listed,
                // With the definition of projects, all projects are gone.
                Err(error) if error.is_gone() => break,
                Err(error) => return Err(error),
            };
            let on_it = listed.items.iter().filter(|project| stands_on(project, &key.name) && keeps(subject, project));
            projects.extend(on_it.map(Key::of));
            match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    if projects.is_empty() {
        memory.note_unused();
        return Ok(None);
    }
    projects.sort();
    let named: Vec<String> = projects.iter().take(NAMED).map(|key| format!("{}/{}", key.namespace, key.name)).collect();
    let further = match projects.len().saturating_sub(NAMED) {
        0 => String::new(),
        further => format!(" and {further} more"),
    };
    Ok(Some(Problem::new(
        Reason::InUse,
        format!("it is being deleted, and waits for the projects that stand on it: {}{further}", named.join(", ")),
        "delete these projects (kubectl delete mlopsproject), and the platform goes by itself",
    )))
}

/// Whether a project keeps the platform from going: something was made for it there, as its sealed status says, or may have
/// been, as its finalizer says in a namespace that is allowed. One that only names the platform keeps nothing, nor one that
/// was let go, whatever its status says: what was to be removed is.
fn keeps(subject: &Subject<'_>, project: &DynamicObject) -> bool {
    if object::is_let_go(&project.metadata) {
        return false;
    }
    let Subject { object, key: platform, context, .. } = subject;
    let (key, status) = (Key::of(project), object::status(project));
    let uid = project.uid().unwrap_or_default();
    let made_on = status.placement.as_ref().and_then(|placement| placement.platform.as_deref());
    if made_on == Some(&platform.name)
        && seal::holds(&context.fingerprints, &key.owner(&context.cluster), &uid, &status)
    {
        return true;
    }
    let namespaces = object::spec_field(object, "/namespaces").unwrap_or_default();
    platform_of(project) == Some(&platform.name)
        && object::is_finalized(&project.metadata)
        && context.platforms.admits(&namespaces, &key.namespace) != Admission::Refused
}
