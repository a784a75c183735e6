//! Makes the resources of an object as declared: what must be read and written before the first of them is made. The
//! graph then decides on the order.

use super::graph::{self, Remote};
use super::validate::validate;
use super::{Reconciled, Subject};
use crate::controller::api::ApiError;
use crate::controller::converge::Scope;
use crate::controller::finalizer::set_finalizer;
use crate::controller::{dereference, object};
use crate::domain::external_resource::ResourceKind;
use crate::domain::outcome::{Outcome, Phase, ReconcileResult};

/// Makes the resources as declared, as far as one reconcile can.
pub(super) async fn apply(subject: &Subject<'_>) -> Result<Reconciled, ApiError> {
    let parsed = match validate(subject) {
        Ok(parsed) => parsed,
        Err(problem) => return Ok(Reconciled::refused(problem)),
    };
    if parsed.spec.suspend {
        return Ok(Reconciled::unobserved(ReconcileResult::Suspended));
    }
    let Subject { object, key, context, memory, writer } = subject;
    let clock = context.dependencies.clock;
    let sources = dereference::sources(key, &parsed);
    context.references.refer(key, &sources);
    let versions = dereference::version(&context.references, &sources).await;
    memory.begin(&format!("{}{versions}", object::revision(object)));
    let (resolved, access) = match dereference::project(context, key, &parsed).await {
        Ok(resolved) => resolved,
        Err(outcome) => {
            let outcome = since_first(subject, ResourceKind::Prerequisites, outcome);
            return Ok(Reconciled::blocked(ResourceKind::Prerequisites, &outcome));
        }
    };
    memory.knows(resolved.secrets());
    let own_template = parsed.own_template().cloned();
    let project = parsed.into_project(resolved);
    let refused = own_template.and_then(|reference| dereference::refused_template(context, &reference, &project));
    if let Some(problem) = refused {
        return Ok(Reconciled::blocked(ResourceKind::Prerequisites, &Outcome::Stuck(problem)));
    }
    let placement = &project.identity.placement;
    let known = writer.status();
    let jenkins = match context.dependencies.clients.jenkins(placement, &access.credentials, &access.ca_bundle) {
        Ok(jenkins) => jenkins,
        Err(fault) => {
            let outcome = Outcome::Faulted { fault, since: clock.now() };
            return Ok(Reconciled::blocked(ResourceKind::JenkinsServer, &outcome));
        }
    };
    let remote = Remote { aws: context.dependencies.clients.aws(placement).await, jenkins };
    // Only what may be made from here on has to be removed: an object whose Secret never was goes at once.
    if !object::is_finalized(&object.metadata) {
        set_finalizer(&context.api(&key.namespace), object, true).await?;
    }
    writer.record_placement(placement).await?;
    let scope =
        Scope::new(memory, clock, *writer, context.stopping.clone()).with_chance((context.dependencies.chance)());
    let summary = graph::apply(&scope, &project, &remote, &known).await;
    Ok(Reconciled::observed(Phase::Apply, summary, scope.take_applied()))
}

/// The same, since it went wrong first.
pub(super) fn since_first(subject: &Subject<'_>, kind: ResourceKind, outcome: Outcome) -> Outcome {
    // What was found of it before says nothing now.
    subject.memory.doubt(kind);
    match outcome {
        Outcome::Faulted { fault, .. } => {
            let since = subject.memory.faulted(kind, fault.kind, subject.context.dependencies.clock.now());
            Outcome::Faulted { fault, since }
        }
        other => other,
    }
}
