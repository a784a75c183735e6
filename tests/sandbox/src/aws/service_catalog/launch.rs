//! Launch paths: through which portfolios the calling identity reaches a product. A principal or an association
//! counts only once it has propagated.

use serde_json::{Value, json};

use super::{artifacts, constraints, input, principals, tag_list, template};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// A way to a product.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// `lpv2-…`.
    pub(super) id: String,
    /// The portfolio's display name.
    pub(super) name: String,
    /// `port-…`.
    pub(super) portfolio_id: String,
}

/// The caller's paths to a product.
pub(super) fn paths(world: &mut World, call: &Call<'_>, product_id: &str) -> Vec<Path> {
    let (now, spreading) = (world.now, world.settings.iam_propagation);
    let state = super::state(world, call);
    let held = state.associations.iter().filter(|(key, kept)| key.1 == product_id && kept.settled(now, spreading));
    held.filter(|(key, _)| {
        state.principals.iter().any(|((portfolio, arn, kind), kept)| {
            *portfolio == key.0 && kept.settled(now, spreading) && principals::admits(arn, kind, &call.caller.principal)
        })
    })
    .filter_map(|(key, kept)| {
        let name = state.portfolios.get(&key.0)?.truth()?.display_name.clone();
        Some(Path { id: kept.last().clone(), name, portfolio_id: key.0.clone() })
    })
    .collect()
}

/// The one path that a launch takes.
///
/// # Errors
/// `ResourceNotFoundException` where the caller has none, `InvalidParametersException` where it must choose.
pub(super) fn path(world: &mut World, call: &Call<'_>, product_id: &str) -> Result<Path, Refusal> {
    let mut paths = paths(world, call, product_id);
    if paths.is_empty() {
        return Err(none(product_id));
    }
    let (id, name) = (call.text("PathId"), call.text("PathName"));
    if !id.is_empty() || !name.is_empty() {
        let wanted = |path: &Path| if id.is_empty() { path.name == name } else { path.id == id };
        return paths.into_iter().find(wanted).ok_or_else(|| {
            Refusal::new(
                "ResourceNotFoundException",
                format!("Launch path {id}{name} not found for resource: {product_id}"),
            )
        });
    }
    match (paths.pop(), paths.is_empty()) {
        (Some(path), true) => Ok(path),
        _ => Err(input::invalid("More than one launch path ids exist. Please specify the launch path id")),
    }
}

fn none(product_id: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("No launch paths found for resource: {product_id}"))
}

/// ListLaunchPaths: no path at all is an error, not an empty list (aws-service-catalog-products#51).
pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let product = call.text("ProductId");
    let paths = paths(world, call, product);
    if paths.is_empty() {
        return Err(none(product));
    }
    let mut summaries = Vec::new();
    for path in paths {
        let tags = super::state(world, call).portfolios.get(&path.portfolio_id).map(|kept| tag_list(&kept.last().tags));
        summaries.push(json!({
            "Id": path.id,
            "Name": path.name,
            "ConstraintSummaries": constraints::summaries(world, call, &path.portfolio_id, product),
            "Tags": tags.unwrap_or_else(|| Value::Array(Vec::new())),
        }));
    }
    let (page, next) = input::page(call, summaries, 20)?;
    Ok(json!({"LaunchPathSummaries": page, "NextPageToken": next}))
}

/// DescribeProvisioningParameters.
pub(super) fn parameters(world: &mut World, call: &Call<'_>) -> Outcome {
    let (_, artifact) = artifacts::find(world, call)?;
    let path = path(world, call, &artifact.product_id)?;
    Ok(json!({
        "ProvisioningArtifactParameters": template::parameters(world, call, &artifact.template)?,
        "ConstraintSummaries": constraints::summaries(world, call, &path.portfolio_id, &artifact.product_id),
        "UsageInstructions": [],
        "TagOptions": [],
    }))
}
