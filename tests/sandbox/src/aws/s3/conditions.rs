//! Conditions of requests for objects: which hold, and how a request is answered when one does not. Apart from the
//! operations because reads, writes, deletions and copies have rules of their own over the same headers. It looks at
//! entity tags and times only and changes nothing.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::super::Refusal;
use super::buckets::Bucket;
use super::objects::{Version, no_such_key};

/// What the conditions of a read come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// All hold.
    Met,
    /// The reader has this content already: 304.
    Unchanged(&'static str),
    /// The condition of this header does not hold: 412.
    Failed(&'static str),
}

/// Entity tags may come without their quotation marks (as CopyObject was seen to take them); `*` is any.
fn same(wanted: &str, etag: &str) -> bool {
    wanted == "*" || wanted.trim_matches('"') == etag.trim_matches('"')
}

/// A header's moment. One that cannot be read counts as absent (RFC 7232, 3.3 and 3.4).
fn moment(text: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::as_second)
}

/// The conditions of GetObject and HeadObject, in S3's precedence: a time counts only where the entity tag beside it is
/// not asked for (API reference of GetObject, `If-Match` and `If-None-Match`). `header` gives the text of a header.
pub(super) fn read<'a>(version: &Version, now: Timestamp, header: impl Fn(&str) -> &'a str) -> Read {
    let modified = version.modified.as_second();
    match header("if-match") {
        "" if moment(header("if-unmodified-since")).is_some_and(|until| modified > until) => {
            return Read::Failed("If-Unmodified-Since");
        }
        wanted if !wanted.is_empty() && !same(wanted, &version.etag) => return Read::Failed("If-Match"),
        _ => {}
    }
    // A moment in the future is no condition (RFC 7232, 3.3; S3 was seen to hold it so).
    let since = || moment(header("if-modified-since")).filter(|since| *since <= now.as_second());
    match header("if-none-match") {
        "" if since().is_some_and(|since| modified <= since) => Read::Unchanged("If-Modified-Since"),
        known if !known.is_empty() && same(known, &version.etag) => Read::Unchanged("If-None-Match"),
        _ => Read::Met,
    }
}

/// How S3 refuses a request whose condition does not hold.
pub(super) fn failed(condition: &str) -> Refusal {
    let message = "At least one of the pre-conditions you specified did not hold";
    Refusal::new("PreconditionFailed", message).with_status(412).with_detail("Condition", condition)
}

fn current<'b>(bucket: &'b Bucket, key: &str) -> Option<&'b Version> {
    bucket.versions(key).last().filter(|version| version.body.is_some())
}

/// The conditions of an operation that writes an object: PutObject, CopyObject, CompleteMultipartUpload. A delete
/// marker counts as absent (S3 user guide, "Conditional writes").
///
/// # Errors
/// `NoSuchKey` for an entity tag of what is not there, `PreconditionFailed`, and `NotImplemented` for both headers at
/// once and for values that writes do not take.
pub(super) fn write(bucket: &Bucket, key: &str, matching: &str, none: &str) -> Result<(), Refusal> {
    let refused = |header: &str, why: String| {
        let message = "A header you provided implies functionality that is not implemented";
        let refusal = Refusal::new("NotImplemented", message).with_status(501).with_detail("Header", header);
        Err(refusal.with_detail("additionalMessage", why))
    };
    let not_taken = |header: &str| format!("We don't accept the provided value of {header} header for this API");
    let current = current(bucket, key);
    match (matching, none) {
        ("", "") => Ok(()),
        ("", "*") if current.is_some() => Err(failed("If-None-Match")),
        ("", "*") => Ok(()),
        ("", _) => refused("If-None-Match", not_taken("If-None-Match")),
        ("*", "") => refused("If-Match", not_taken("If-Match")),
        (wanted, "") => match current {
            None => Err(no_such_key()),
            Some(version) if same(wanted, &version.etag) => Ok(()),
            Some(_) => Err(failed("If-Match")),
        },
        _ => {
            refused("If-Match,If-None-Match", "Multiple conditional request headers present in the request".to_owned())
        }
    }
}

/// A conditional completion of an upload whose key was put or deleted since the upload began, though the condition itself
/// holds (test_s3_api.snapshot.json of github.com/localstack/localstack, test_multipart_if_*).
///
/// # Errors
/// `ConditionalRequestConflict`.
pub(super) fn completion(overtaken: bool, matching: &str, none: &str) -> Result<(), Refusal> {
    let condition = match (matching, none) {
        _ if !overtaken => return Ok(()),
        ("", "") => return Ok(()),
        ("", _) => "If-None-Match",
        _ => "If-Match",
    };
    let message = "The conditional request cannot succeed due to a conflicting operation against this resource.";
    Err(Refusal::new("ConditionalRequestConflict", message).with_status(409).with_detail("Condition", condition))
}

/// The condition of a deletion, which looks at the current version alone (S3 user guide, "Conditional deletes").
///
/// # Errors
/// `PreconditionFailed` where the current version is another or a delete marker, `NoSuchKey` where there is nothing.
pub(super) fn delete(bucket: &Bucket, key: &str, matching: &str) -> Result<(), Refusal> {
    match bucket.versions(key).last() {
        _ if matching.is_empty() => Ok(()),
        None => Err(no_such_key()),
        Some(version) if version.body.is_some() && same(matching, &version.etag) => Ok(()),
        Some(_) => Err(failed("If-Match")),
    }
}
