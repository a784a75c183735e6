//! What exists, as one value that can be compared: without times, tokens, records and deleted things.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Kept, State};

fn existing<'a, T: Clone + 'a>(map: &'a BTreeMap<String, Kept<T>>, show: impl Fn(&T) -> Value) -> Value {
    map.iter()
        .filter_map(|(id, kept)| kept.truth().map(|value| (id.clone(), show(value))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Everything that exists.
pub(super) fn dump(state: &State) -> Value {
    let portfolios = existing(&state.portfolios, |portfolio| {
        json!({
            "displayName": portfolio.display_name, "providerName": portfolio.provider_name,
            "description": portfolio.description, "tags": portfolio.tags,
        })
    });
    let products = existing(&state.products, |product| {
        json!({
            "name": product.name, "owner": product.owner, "description": product.description,
            "distributor": product.distributor, "supportDescription": product.support_description,
            "supportEmail": product.support_email, "supportUrl": product.support_url, "tags": product.tags,
        })
    });
    let artifacts = existing(&state.artifacts, |artifact| {
        json!({
            "product": artifact.product_id, "name": artifact.name, "description": artifact.description,
            "active": artifact.active, "guidance": artifact.guidance,
            "template": hex::encode(Sha256::digest(artifact.template.as_bytes())),
        })
    });
    let constraints = existing(&state.constraints, |constraint| {
        json!({
            "portfolio": constraint.portfolio_id, "product": constraint.product_id, "type": constraint.kind,
            "description": constraint.description, "parameters": constraint.parameters,
        })
    });
    let provisioned = existing(&state.provisioned, |product| {
        json!({
            "name": product.name, "product": product.product_id, "artifact": product.artifact_id,
            "status": product.status, "message": product.message, "tags": product.tags, "stack": product.stack_id,
            "launchRole": product.launch_role,
        })
    });
    let associations = state.associations.iter().filter(|(_, kept)| kept.truth().is_some());
    let principals = state.principals.iter().filter(|(_, kept)| kept.truth().is_some());
    json!({
        "portfolios": portfolios,
        "products": products,
        "artifacts": artifacts,
        "constraints": constraints,
        "associations": associations.map(|((portfolio, product), _)| json!([portfolio, product])).collect::<Vec<_>>(),
        "principals": principals.map(|((portfolio, arn, kind), _)| json!([portfolio, arn, kind])).collect::<Vec<_>>(),
        "provisionedProducts": provisioned,
    })
}
