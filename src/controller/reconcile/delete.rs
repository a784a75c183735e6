//! Removes the resources of an object, or leaves them where that is asked for. A spec that no longer parses does not block
//! it: all that it needs was recorded before the first resource was made.

use super::apply::since_first;
use super::graph::{self, Deletion};
use super::validate::resolve_placement;
use super::{Reconciled, Subject, hold};
use crate::adapters::aws::catalog::Names;
use crate::controller::api::ApiError;
use crate::controller::platforms::{Found, Policies, platform_of};
use crate::controller::{dereference, object};
use crate::crd::platform::FolderPolicy;
use crate::crd::project::{DataPolicy, DeletionPolicy};
use crate::crd::status::Placement;
use crate::domain::external_resource::ResourceKind;
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::outcome::{Outcome, Phase};
use crate::domain::seal::Seals;
use crate::domain::validate::parse;

/// Removes the resources, as far as one reconcile can.
/// `None`: nothing is known yet of the platform that it shares.
pub(super) async fn delete(subject: &Subject<'_>) -> Result<Option<Reconciled>, ApiError> {
    let Subject { object, key, context, memory, writer, .. } = subject;
    let owner = key.owner(&context.cluster);
    let default = context.dependencies.config.default_deletion_policy;
    if object::deletion_policy(object, default) == DeletionPolicy::Retain {
        return Ok(Some(Reconciled::retained()));
    }
    if let Some(problem) = hold::unconfirmed(subject).await? {
        return Ok(Some(Reconciled::refused(problem)));
    }
    let unknown = |name| matches!(context.platforms.find(name), Found::Unknown);
    if !writer.sealed() && platform_of(object).is_some_and(unknown) {
        return Ok(None);
    }
    let placement = match resolve_placement(subject) {
        Ok(placement) => placement,
        Err(problem) => return Ok(Some(Reconciled::refused(problem))),
    };
    let Some(policies) = policies(subject, &placement) else { return Ok(None) };
    let sent = dereference::sent(context, key, object::spec(object));
    let mut sources = dereference::placement_sources(context.secrets_of(key, &placement), &placement);
    dereference::name_sent(&mut sources, &sent);
    context.references.refer(key, &sources);
    let versions = dereference::version(&context.references, &sources).await;
    memory.begin(&format!("{}{versions}", object::revision(object)));
    writer.record_placement(&placement).await?;
    memory.recorded(ResourceKind::JenkinsJobs, writer.status().jobs.is_some());
    let (clock, clients) = (context.dependencies.clock, &context.dependencies.clients);
    // They are not needed for anything else: what AWS says of a stack that goes may repeat what it was made with.
    let mut secrets = dereference::readable(context, &sent).await;
    let jenkins = match dereference::jenkins(context, context.secrets_of(key, &placement), &placement).await {
        Ok(access) => {
            secrets.push(access.credentials.token.value.clone());
            let client = clients.jenkins(&placement, &access.credentials, &access.ca_bundle);
            client.map_err(|fault| Outcome::Faulted { fault, since: clock.now() })
        }
        Err(outcome) => Err(since_first(subject, ResourceKind::JenkinsServer, outcome)),
    };
    memory.knows(secrets);
    let shared = placement.platform.as_deref();
    let own = shared.is_none();
    let deletion = Deletion {
        aws: clients.aws(&placement).await,
        jenkins,
        names: own.then(|| catalog_names(&owner, &context.seals, object::spec(object))),
        product_of: Identity {
            owner: shared.map_or_else(|| owner.clone(), |name| OwnerKey::of_platform(&context.cluster, name)),
            placement: placement.clone(),
            seals: context.seals.clone(),
        },
        delete_data: policies.data == DataPolicy::Delete,
        delete_folders: policies.folders == FolderPolicy::Delete,
    };
    let scope = subject.scope();
    let summary = graph::delete(&scope, &Identity { owner, placement, seals: context.seals.clone() }, deletion).await;
    Ok(Some(Reconciled::observed(Phase::Delete, summary, scope.take_applied())))
}

/// What happens to what the project leaves: as its spec says, or else its platform. `None`: that is not known yet.
fn policies(subject: &Subject<'_>, placement: &Placement) -> Option<Policies> {
    let Subject { object, context, .. } = subject;
    let shared = match &placement.platform {
        Some(name) => context.platforms.policies(name)?,
        None => Policies { folders: object::folder_policy(object).unwrap_or_default(), ..Policies::default() },
    };
    Some(Policies { data: object::data_policy(object).unwrap_or(shared.data), ..shared })
}

/// What the catalog's resources are searched by first: their names, if the spec still parses.
fn catalog_names(owner: &OwnerKey, seals: &Seals, spec: &serde_json::Value) -> Names {
    let parsed = parse(owner, seals, spec).ok();
    let own = parsed.as_ref().and_then(|parsed| parsed.own_platform());
    own.map(|own| Names::of(&own.catalog())).unwrap_or_default()
}
