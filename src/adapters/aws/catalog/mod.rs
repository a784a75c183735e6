//! Service Catalog, as the catalog product needs it: finding it, observing it, acting on it. I/O without decisions.

use std::collections::BTreeMap;

use aws_sdk_servicecatalog::types::Tag;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::domain::external_resource::{Actuator, Attempts, RecordedIds};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::domain::platform::Catalog;
use crate::resources::catalog::{Action, CatalogProduct, Observed};

mod act;
mod find;
mod observe;

pub use find::Sightings;

/// The actuator of the catalog product.
#[derive(Clone)]
pub struct CatalogProductActuator {
    client: aws_sdk_servicecatalog::Client,
    names: Names,
    sightings: Sightings,
}

/// Names to search by first where a resource must be found by its tags, which lists do not show. Both may be empty: then
/// the search only takes more calls.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Display name of the portfolio.
    pub portfolio: String,
    /// Name of the product.
    pub product: String,
}

impl Names {
    /// The names that a spec gives.
    pub fn of(catalog: &Catalog) -> Self {
        Self { portfolio: catalog.portfolio_name.clone(), product: catalog.product_name.clone() }
    }
}

impl CatalogProductActuator {
    /// Actuator for one place.
    pub fn new(aws: &Aws, names: Names) -> Self {
        Self { client: aws.catalog.clone(), names, sightings: aws.sightings.clone() }
    }
}

impl Actuator<CatalogProduct> for CatalogProductActuator {
    async fn observe(&self, id: &Identity, attempts: &Attempts) -> Result<Observed, Fault> {
        self.look(id, attempts).await
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        self.perform(id, action).await
    }
}

/// The code of a refusal, or nothing.
fn code<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// `None` where the resource does not exist.
pub(super) fn found<T, E: ProvideErrorMetadata>(
    attempt: &str,
    result: Result<T, SdkError<E, Response>>,
) -> Result<Option<T>, Fault> {
    match result {
        Ok(output) => Ok(Some(output)),
        Err(error) if code(&error) == "ResourceNotFoundException" => Ok(None),
        Err(error) => Err(fault(attempt, &error)),
    }
}

/// A write: what was just made is not yet known everywhere, and what is still in use or made twice is a conflict.
fn written<T, E: ProvideErrorMetadata>(attempt: &str, result: Result<T, SdkError<E, Response>>) -> Result<T, Fault> {
    result.map_err(|error| {
        let (code, plain) = (code(&error).to_owned(), fault(attempt, &error));
        let kind = match code.as_str() {
            "ResourceNotFoundException" => FaultKind::Propagating,
            "InvalidParametersException" if plain.message.contains("profile does not exist") => FaultKind::Propagating,
            "ResourceInUseException" | "DuplicateResourceException" => FaultKind::Conflict,
            _ => return plain,
        };
        Fault::new(kind, plain.message)
    })
}

/// A delete: what does not exist is deleted.
fn deleted<T, E: ProvideErrorMetadata>(attempt: &str, result: Result<T, SdkError<E, Response>>) -> Result<(), Fault> {
    match result {
        Err(error) if code(&error) == "ResourceNotFoundException" => Ok(()),
        other => written(attempt, other).map(|_| ()),
    }
}

pub(super) fn tag_map(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

fn tag_list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    // Key and value are always given, so that no tag is lost here.
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}
