//! What a request for a new object may ask for and the sandbox does not keep: locks, access lists, storage classes, keys.
//! Apart from the operations because all that make objects refuse alike. It must not change anything.

use super::super::Refusal;
use super::buckets::of;
use super::objects::Version;
use super::{Asked, NOT_IMPLEMENTED};
use crate::world::World;

/// Storage classes of objects in general purpose buckets beside STANDARD (S3 user guide, "Understanding and managing
/// Amazon S3 storage classes").
const CLASSES: [&str; 7] =
    ["REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE"];
/// Bytes of an object's own metadata at most, names and values together (S3 user guide, "Working with object metadata").
const MOST_METADATA: usize = 2048;

fn not_implemented(what: &str) -> Refusal {
    Refusal::new("NotImplemented", format!("{NOT_IMPLEMENTED}: {what}")).with_status(501)
}

/// Refuses what would be forgotten.
///
/// # Errors
/// S3's own refusals, and `NotImplemented` for what S3 would keep.
pub(super) fn refuse(world: &World, asked: &Asked<'_>) -> Result<(), Refusal> {
    const UNKNOWN: [&str; 2] = ["x-amz-object-lock-", "x-amz-server-side-encryption-customer-"];
    let names = || asked.request.headers().keys().map(http::HeaderName::as_str);
    if let Some(name) = names().find(|name| UNKNOWN.iter().any(|prefix| name.starts_with(prefix))) {
        return Err(not_implemented(name));
    }
    access(world, asked)?;
    encryption(world, asked)?;
    match asked.header("x-amz-storage-class") {
        "" | "STANDARD" => Ok(()),
        class if CLASSES.contains(&class) => Err(not_implemented(&format!("x-amz-storage-class {class}"))),
        class => {
            let refusal = Refusal::new("InvalidStorageClass", "The storage class you specified is not valid");
            Err(refusal.with_detail("StorageClassRequested", class))
        }
    }
}

/// A bucket whose owner is enforced takes an access list only where it says what holds anyway (S3 user guide, "Controlling
/// ownership of objects and disabling ACLs for your bucket"); others keep lists, which are not played.
fn access(world: &World, asked: &Asked<'_>) -> Result<(), Refusal> {
    let granted = asked.request.headers().keys().any(|name| name.as_str().starts_with("x-amz-grant-"));
    match asked.header("x-amz-acl") {
        "" | "private" | "bucket-owner-full-control" if !granted => Ok(()),
        _ if of(world, asked)?.settings.enforces_owner() => {
            Err(Refusal::new("AccessControlListNotSupported", "The bucket does not allow ACLs"))
        }
        _ => Err(not_implemented("access control lists of objects")),
    }
}

/// An object is encrypted as its bucket says; another algorithm or key of its own is not kept.
fn encryption(world: &World, asked: &Asked<'_>) -> Result<(), Refusal> {
    let (algorithm, key) = &of(world, asked)?.settings.encryption;
    let rows = [
        ("x-amz-server-side-encryption", algorithm.as_str()),
        ("x-amz-server-side-encryption-aws-kms-key-id", key),
        ("x-amz-server-side-encryption-context", ""),
    ];
    match rows.iter().find(|(name, kept)| !asked.header(name).is_empty() && asked.header(name) != *kept) {
        Some((name, _)) => Err(not_implemented(&format!("{name} other than the bucket's"))),
        None => Ok(()),
    }
}

/// Refuses metadata of one's own that is too long.
///
/// # Errors
/// `MetadataTooLarge`.
pub(super) fn measured(version: Version) -> Result<Version, Refusal> {
    let size: usize = version.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    match size > MOST_METADATA {
        true => Err(Refusal::new("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")),
        false => Ok(version),
    }
}
