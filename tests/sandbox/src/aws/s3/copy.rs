//! CopyObject, and the source of every copy: where it is, who may read it, and the conditions on it. The content itself
//! is shared, not copied.

use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::super::Refusal;
use super::buckets::{millis, of};
use super::conditions::{self, Read};
use super::objects::{Version, described, found, header_tags, no_such_key, stack};
use super::xml::{self, leaf};
use super::{Asked, Reply, buckets, checksum, not_kept};
use crate::world::World;

/// An object as the source of a copy.
pub(super) struct Source {
    bucket: String,
    key: String,
    id: Option<String>,
    pub(super) version: Version,
    /// The version's id, where the source's bucket has versions.
    pub(super) shown: String,
}

fn argument(name: &'static str, value: &str, message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidArgument", message).with_detail("ArgumentName", name).with_detail("ArgumentValue", value)
}

/// Reads `x-amz-copy-source` and looks the object up for the caller.
///
/// # Errors
/// `InvalidArgument` for what names no object, the refusals of a read, `PreconditionFailed`, and `InvalidRequest` for a
/// delete marker.
pub(super) fn source(world: &World, asked: &Asked<'_>) -> Result<Source, Refusal> {
    let given = asked.header("x-amz-copy-source");
    let (path, id) = given.split_once("?versionId=").map_or((given, None), |(path, id)| (path, Some(id.to_owned())));
    let path = percent_decode_str(path).decode_utf8_lossy();
    let place =
        path.trim_start_matches('/').split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
    let (name, key) = place.ok_or_else(|| {
        // S3 tells the header's name as its value (test_s3.snapshot.json of github.com/localstack/localstack,
        // test_s3_copy_object_wrong_format).
        argument("x-amz-copy-source", "x-amz-copy-source", "Invalid copy source object key")
    })?;
    let bucket = world.s3.bucket(name).ok_or_else(buckets::no_such_bucket)?;
    let expected = asked.header("x-amz-source-expected-bucket-owner");
    if bucket.account != asked.caller.account || !(expected.is_empty() || expected == bucket.account) {
        return Err(buckets::denied());
    }
    // What a copy reads it must be allowed to get (API reference of CopyObject, "Permissions").
    let action = if id.is_some() { "s3:GetObjectVersion" } else { "s3:GetObject" };
    if let Some(refusal) = world.iam.denied(&asked.caller.principal, action) {
        return Err(refusal);
    }
    let version = found(bucket, key, id.as_deref()).map_err(|refusal| match refusal.code.as_str() {
        "MethodNotAllowed" => {
            let message = "The source of a copy request may not specifically refer to a delete marker by version id.";
            Refusal::new("InvalidRequest", message)
        }
        _ => refusal,
    })?;
    match conditions::read(version, world.now, |name| asked.header(&format!("x-amz-copy-source-{name}"))) {
        Read::Met => {}
        Read::Failed(condition) | Read::Unchanged(condition) => {
            return Err(conditions::failed(&format!("x-amz-copy-source-{condition}")));
        }
    }
    let shown = if bucket.settings.versioning.is_empty() { String::new() } else { version.id.clone() };
    Ok(Source { bucket: name.to_owned(), key: key.to_owned(), id, version: version.clone(), shown })
}

/// Whether a directive says REPLACE; without one it is COPY.
fn replaced(asked: &Asked<'_>, name: &'static str, what: &str) -> Result<bool, Refusal> {
    match asked.header(name) {
        "" | "COPY" => Ok(false),
        "REPLACE" => Ok(true),
        other => Err(argument(name, other, format!("Unknown {what} directive."))),
    }
}

/// A copy of an object over itself must change something of it; a version of it may come back as it was.
fn refuse_idle(asked: &Asked<'_>, source: &Source, replaced: bool) -> Result<(), Refusal> {
    let changed = ["x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-website-redirect-location"];
    let same = source.bucket == asked.bucket && source.key == asked.key && source.id.is_none();
    if same && !replaced && changed.iter().all(|name| asked.header(name).is_empty()) {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(Refusal::new("InvalidRequest", message));
    }
    Ok(())
}

/// CopyObject: the new object is of one piece, however the source came.
pub(super) fn object(world: &mut World, asked: &Asked<'_>) -> Reply {
    not_kept::refuse(world, asked)?;
    let source = source(world, asked)?;
    let metadata = replaced(asked, "x-amz-metadata-directive", "metadata")?;
    let tagging = replaced(asked, "x-amz-tagging-directive", "tagging")?;
    refuse_idle(asked, &source, metadata)?;
    conditions::write(of(world, asked)?, &asked.key, asked.header("if-match"), asked.header("if-none-match"))?;
    let body = source.version.body.clone().ok_or_else(no_such_key)?;
    let kept = source.version.checksum.as_ref().map_or(checksum::DEFAULT, |(algorithm, _)| algorithm.as_str());
    let wanted = asked.header("x-amz-checksum-algorithm").to_lowercase();
    let algorithm = if wanted.is_empty() { kept.to_owned() } else { wanted };
    let sum = checksum::of(&algorithm, &body).ok_or_else(|| unsupported(&algorithm))?;
    let described = if metadata { described(asked, world.now)? } else { source.version.clone() };
    let etag = checksum::etag(&body);
    let version = Version {
        id: "null".into(),
        body: Some(body),
        etag: etag.clone(),
        tags: if tagging { header_tags(asked)? } else { source.version.tags.clone() },
        checksum: Some((algorithm.clone(), sum.clone())),
        parts: Vec::new(),
        modified: world.now,
        ..described
    };
    let id = stack(world, &asked.bucket, &asked.key, version)?;
    let mut text = leaf("ETag", &etag) + &leaf("LastModified", &millis(world.now));
    text += &(leaf(&checksum::element(&algorithm), &sum) + &leaf("ChecksumType", checksum::kind(&sum)));
    let reply = xml::document("CopyObjectResult", &text);
    let headers = [
        ("x-amz-version-id", id.as_str()),
        ("x-amz-copy-source-version-id", &source.shown),
        ("x-amz-server-side-encryption", &of(world, asked)?.settings.encryption.0),
    ];
    Ok(xml::with(reply, &headers))
}

/// The refusal of an algorithm that is not known here.
pub(super) fn unsupported(algorithm: &str) -> Refusal {
    let known = checksum::KNOWN.map(str::to_uppercase).join(", ");
    let message =
        format!("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{known}]");
    Refusal::new("InvalidRequest", message).with_detail("ChecksumAlgorithm", algorithm)
}

/// The piece of a source that UploadPartCopy takes: all of it without a range, and a range must lie within it.
///
/// # Errors
/// `InvalidRequest` for a range that begins behind the end (test_s3.snapshot.json of github.com/localstack/localstack,
/// test_upload_part_copy_range), else `InvalidArgument`.
pub(super) fn piece(asked: &Asked<'_>, body: &Bytes) -> Result<Bytes, Refusal> {
    const NAME: &str = "x-amz-copy-source-range";
    let text = asked.header(NAME);
    if text.is_empty() {
        return Ok(body.clone());
    }
    let bounds = text.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let bounds = bounds.and_then(|(first, last)| Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?)));
    let (first, last) = bounds.filter(|(first, last)| first <= last).ok_or_else(|| {
        let message = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
        argument(NAME, text, message)
    })?;
    if first >= body.len() {
        let message = "The specified copy range is invalid for the source object size";
        return Err(Refusal::new("InvalidRequest", message));
    }
    if last >= body.len() {
        let message = format!("Range specified is not valid for source object of size: {}", body.len());
        return Err(argument(NAME, text, message));
    }
    Ok(body.slice(first..=last))
}
