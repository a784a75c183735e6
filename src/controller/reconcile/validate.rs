//! Whether an object may and can be acted on, and where its resources are. It asks nobody: the spec, the status and the
//! operator's configuration are all that counts.

use super::Subject;
use crate::controller::object;
use crate::crd::status::{Placement, Reason};
use crate::domain::grants;
use crate::domain::problem::Problem;
use crate::domain::validate::{Parsed, derived, of_place, parse, placement_of_raw};

/// Reads the spec, and refuses what may not or cannot be done.
pub(super) fn validate(subject: &Subject<'_>) -> Result<Parsed, Problem> {
    let Subject { object, key, context, .. } = subject;
    let parsed = parse(&key.owner(&context.cluster), &context.seals, object::spec(object))
        .map_err(|error| Problem::new(Reason::InvalidSpec, error.to_string(), "correct the spec"))?;
    let granted = &context.dependencies.config.inline_platforms;
    grants::check(granted, &key.namespace, &parsed.uses()).map_err(|refusal| {
        let hint = "the operator's configuration (inlinePlatforms) says which namespaces may use what";
        Problem::new(Reason::PlatformNotAllowed, refusal, hint)
    })?;
    match recorded(subject)?.and_then(|old| grants::moved(&old, &parsed.identity.placement)) {
        Some(field) => Err(Problem::new(
            Reason::InvalidSpec,
            format!("{field} has changed, but resources that exist cannot move"),
            "change it back, or delete this object and make a new one",
        )),
        None => Ok(parsed),
    }
}

/// Where the resources are, as the status says. One that says it in a way that cannot be read is no status without it:
/// the resources are somewhere. What this installation has not sealed must be granted as a spec's would be, and what
/// follows from the rest is derived.
fn recorded(subject: &Subject<'_>) -> Result<Option<Placement>, Problem> {
    let Subject { key, context, writer, .. } = subject;
    let told = writer.placement().map_err(|error| {
        let message = format!("status.placement says where the resources are, and cannot be read: {error}");
        Problem::new(Reason::PlacementUnknown, message, "restore status.placement as the operator had written it")
    })?;
    let Some(told) = told else { return Ok(None) };
    let place = derived(&key.owner(&context.cluster), told);
    if writer.sealed() {
        return Ok(Some(place));
    }
    match grants::check(&context.dependencies.config.inline_platforms, &key.namespace, &of_place(&place)) {
        Ok(()) => Ok(Some(place)),
        Err(refusal) => {
            let message = format!(
                "status.placement is not as the operator has written it, and leads where it may not: {refusal}"
            );
            let hint = "remove status.placement: it is written anew; or restore it, status.seal included";
            Err(Problem::new(Reason::PlatformNotAllowed, message, hint))
        }
    }
}

/// Where the resources are: as recorded before the first was made, or else as the spec says, if it may.
pub(super) fn resolve_placement(subject: &Subject<'_>) -> Result<Placement, Problem> {
    let Subject { object, key, context, .. } = subject;
    if let Some(placement) = recorded(subject)? {
        return Ok(placement);
    }
    let placement = placement_of_raw(&key.owner(&context.cluster), object::spec(object)).map_err(|error| {
        Problem::new(
            Reason::PlacementUnknown,
            format!("neither the status nor the spec says where the resources are, so they cannot be deleted safely: {error}"),
            "restore spec.platform (or status.placement), or remove the resources by hand and then the finalizer",
        )
    })?;
    // Anybody can create an object that carries our finalizer: its spec has passed no check yet.
    match grants::check(&context.dependencies.config.inline_platforms, &key.namespace, &of_place(&placement)) {
        Ok(()) => Ok(placement),
        Err(refusal) => {
            let hint = "allow it in the operator's configuration (inlinePlatforms); where nothing was ever made, remove the finalizer";
            Err(Problem::new(Reason::PlatformNotAllowed, refusal, hint))
        }
    }
}
