//! Uploads in parts: begun, filled, completed into an object or aborted. Apart from `objects` because an upload under
//! way is no object yet: nothing else of S3 sees it. `part_lists` tells of uploads and parts.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use http::Method;
use jiff::Timestamp;
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use super::super::Refusal;
use super::buckets::{Bucket, millis, of, of_mut};
use super::listing::IN_LISTS;
use super::objects::{Version, described, header_tags, stack};
use super::read::part_number;
use super::xml::{self, Element, leaf};
use super::{Asked, Reply, checksum, conditions, copy, not_kept, part_lists};
use crate::world::World;

/// Every part but the last has at least this many bytes (S3 user guide, "Amazon S3 multipart upload limits").
const LEAST_PART: usize = 5 * 1024 * 1024;

/// An upload under way.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) id: String,
    /// The object to be, without content.
    described: Version,
    pub(super) initiated: Timestamp,
    /// The ARN of who began it.
    pub(super) initiator: String,
    /// The algorithm that the client named for the parts' checksums.
    pub(super) algorithm: Option<String>,
    /// Whether the object's checksum is to be made of its parts' checksums.
    composite: bool,
    pub(super) parts: BTreeMap<u16, Part>,
    /// Whether an object of its key was put or deleted since it began.
    pub(super) overtaken: bool,
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) body: Bytes,
    pub(super) etag: String,
    pub(super) checksum: Option<(String, String)>,
    pub(super) modified: Timestamp,
}

impl Upload {
    pub(super) fn dump(&self, key: &str) -> Value {
        let parts = |(number, part): (&u16, &Part)| json!({"number": number, "sha256": super::sha256(&part.body)});
        json!({"key": key, "uploadId": self.id, "parts": self.parts.iter().map(parts).collect::<Value>()})
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.composite { "COMPOSITE" } else { "FULL_OBJECT" }
    }
}

pub(super) fn operation(world: &mut World, asked: &Asked<'_>, method: &Method) -> Reply {
    match (method, asked.has("uploads")) {
        (&Method::POST, true) => create(world, asked),
        (&Method::POST, false) => complete(world, asked),
        (&Method::PUT, false) if !asked.header("x-amz-copy-source").is_empty() => copy_part(world, asked),
        (&Method::PUT, false) => put_part(world, asked),
        (&Method::GET, false) => part_lists::parts(world, asked),
        (&Method::DELETE, false) => abort(world, asked),
        _ => Err(super::not_allowed()),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidRequest", message)
}

/// The algorithm of the parts' checksums and whether the object's is made of them. CRC64NVME goes over whole objects
/// only, SHA over parts only, and parts are the rule for the others (S3 user guide, "Checking object integrity").
fn checksums(asked: &Asked<'_>) -> Result<(Option<String>, bool), Refusal> {
    let algorithm = asked.header("x-amz-checksum-algorithm").to_lowercase();
    let kind = asked.header("x-amz-checksum-type");
    if algorithm.is_empty() {
        return match kind {
            "" => Ok((None, false)),
            _ => Err(invalid(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    }
    if !checksum::KNOWN.contains(&algorithm.as_str()) {
        return Err(copy::unsupported(&algorithm));
    }
    match (kind, algorithm.as_str()) {
        ("COMPOSITE", "crc64nvme") | ("FULL_OBJECT", "sha1" | "sha256") => {
            Err(invalid(format!("The {kind} checksum type cannot be used with the {algorithm} checksum algorithm.")))
        }
        ("COMPOSITE", _) => Ok((Some(algorithm), true)),
        ("FULL_OBJECT", _) | ("", "crc64nvme") => Ok((Some(algorithm), false)),
        ("", _) => Ok((Some(algorithm), true)),
        _ => Err(invalid("Value for x-amz-checksum-type header is invalid.")),
    }
}

fn create(world: &mut World, asked: &Asked<'_>) -> Reply {
    not_kept::refuse(world, asked)?;
    let (algorithm, composite) = checksums(asked)?;
    let described = Version { tags: header_tags(asked)?, ..described(asked, world.now)? };
    world.s3.writes += 1;
    let number = world.s3.writes;
    let id = super::sha256(format!("upload/{number}").as_bytes());
    let upload = Upload {
        id: id.clone(),
        described,
        initiated: world.now,
        initiator: asked.caller.arn.clone(),
        algorithm: algorithm.clone(),
        composite,
        parts: BTreeMap::new(),
        overtaken: false,
    };
    let kind = if algorithm.is_some() { upload.kind() } else { "" };
    let bucket = of_mut(world, asked)?;
    bucket.uploads.insert((asked.key.clone(), number), upload);
    let text = leaf("Bucket", &asked.bucket) + &leaf("Key", &asked.key) + &leaf("UploadId", &id);
    let headers = [
        ("x-amz-server-side-encryption", bucket.settings.encryption.0.as_str()),
        ("x-amz-checksum-algorithm", &algorithm.unwrap_or_default().to_uppercase()),
        ("x-amz-checksum-type", kind),
    ];
    Ok(xml::with(xml::document("InitiateMultipartUploadResult", &text), &headers))
}

fn no_such_upload(asked: &Asked<'_>) -> Refusal {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    Refusal::new("NoSuchUpload", message).with_status(404).with_detail("UploadId", asked.parameter("uploadId"))
}

/// The upload asked for, with its place in the bucket.
pub(super) fn found<'b>(bucket: &'b Bucket, asked: &Asked<'_>) -> Result<(&'b (String, u64), &'b Upload), Refusal> {
    let from = (asked.key.clone(), 0);
    let mut of_key = bucket.uploads.range(from..).take_while(|((key, _), _)| *key == asked.key);
    of_key.find(|(_, upload)| upload.id == asked.parameter("uploadId")).ok_or_else(|| no_such_upload(asked))
}

/// Keeps a part in the place of an earlier one of its number.
fn keep(world: &mut World, asked: &Asked<'_>, number: u16, part: Part) -> Result<(), Refusal> {
    let bucket = of_mut(world, asked)?;
    let place = found(bucket, asked)?.0.clone();
    if let Some(upload) = bucket.uploads.get_mut(&place) {
        upload.parts.insert(number, part);
    }
    Ok(())
}

fn put_part(world: &mut World, asked: &Asked<'_>) -> Reply {
    let number = part_number(asked.parameter("partNumber"))?;
    let wanted = found(of(world, asked)?, asked)?.1.algorithm.clone();
    let sum = checksum::verify(asked)?;
    if let Some(wanted) = wanted.filter(|wanted| sum.as_ref().map(|(algorithm, _)| algorithm) != Some(wanted)) {
        let sent = sum.as_ref().map_or("null", |(algorithm, _)| algorithm.as_str());
        return Err(invalid(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {wanted}, actual checksum Type: {sent}"
        )));
    }
    let etag = checksum::etag(asked.body());
    let part = Part { body: asked.body().clone(), etag: etag.clone(), checksum: sum.clone(), modified: world.now };
    keep(world, asked, number, part)?;
    let (algorithm, sum) = sum.unwrap_or_default();
    let headers = [
        ("etag", etag.as_str()),
        ("x-amz-server-side-encryption", &of(world, asked)?.settings.encryption.0),
        (&format!("x-amz-checksum-{algorithm}"), &sum),
    ];
    Ok(xml::reply(200, &headers, Bytes::new()))
}

fn copy_part(world: &mut World, asked: &Asked<'_>) -> Reply {
    let number = part_number(asked.parameter("partNumber"))?;
    let algorithm = found(of(world, asked)?, asked)?.1.algorithm.clone();
    let source = copy::source(world, asked)?;
    let body = copy::piece(asked, source.version.body.as_ref().unwrap_or(&Bytes::new()))?;
    let sum = algorithm.and_then(|algorithm| Some((algorithm.clone(), checksum::of(&algorithm, &body)?)));
    let etag = checksum::etag(&body);
    keep(world, asked, number, Part { body, etag: etag.clone(), checksum: sum.clone(), modified: world.now })?;
    let mut text = leaf("ETag", &etag) + &leaf("LastModified", &millis(world.now));
    if let Some((algorithm, sum)) = &sum {
        text += &leaf(&checksum::element(algorithm), sum);
    }
    let headers = [
        ("x-amz-copy-source-version-id", source.shown.as_str()),
        ("x-amz-server-side-encryption", &of(world, asked)?.settings.encryption.0),
    ];
    Ok(xml::with(xml::document("CopyPartResult", &text), &headers))
}

fn abort(world: &mut World, asked: &Asked<'_>) -> Reply {
    let bucket = of_mut(world, asked)?;
    let place = found(bucket, asked)?.0.clone();
    bucket.uploads.remove(&place);
    Ok(xml::reply(204, &[], Bytes::new()))
}

/// The parts that a completion names, in its order.
fn named(asked: &Asked<'_>) -> Result<Vec<(u16, Element)>, Refusal> {
    let root = xml::parse(asked.text()?, "CompleteMultipartUpload")?;
    let number = |part: &Element| part.at(&["PartNumber"]).parse().map_err(|_| xml::malformed());
    let parts = root.all("Part").map(|part| Ok((number(part)?, part.clone())));
    let parts = parts.collect::<Result<Vec<(u16, Element)>, Refusal>>()?;
    if parts.is_empty() {
        return Err(invalid("You must specify at least one part"));
    }
    if !parts.is_sorted_by(|(one, _), (next, _)| one < next) {
        let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        let refusal = Refusal::new("InvalidPartOrder", message);
        return Err(refusal.with_detail("UploadId", asked.parameter("uploadId")));
    }
    Ok(parts)
}

/// The parts that a completion names, each held against what was uploaded.
fn checked<'u>(upload: &'u Upload, named: &[(u16, Element)]) -> Result<Vec<&'u Part>, Refusal> {
    let mut parts = Vec::new();
    for (at, (number, told)) in named.iter().enumerate() {
        let etag = told.at(&["ETag"]);
        let missing = || {
            let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
            let refusal = Refusal::new("InvalidPart", message).with_detail("UploadId", upload.id.clone());
            refusal.with_detail("PartNumber", number.to_string()).with_detail("ETag", etag.trim_matches('"'))
        };
        let part = upload.parts.get(number).ok_or_else(missing)?;
        if part.etag.trim_matches('"') != etag.trim_matches('"') {
            return Err(missing());
        }
        // Without an algorithm of the upload no checksum of a part counts as one that was put (test_s3.snapshot.json of
        // github.com/localstack/localstack, test_complete_multipart_parts_checksum_default).
        let told_sum = told.children.iter().any(|one| one.name.starts_with("Checksum") && !one.text.is_empty());
        if upload.algorithm.is_none() && told_sum {
            return Err(missing());
        }
        if let Some((algorithm, sum)) = part.checksum.as_ref().filter(|_| upload.algorithm.is_some()) {
            match told.at(&[&checksum::element(algorithm)]) {
                "" if upload.composite => {
                    return Err(invalid(format!(
                        "The upload was created using a {algorithm} checksum. The complete request must include the checksum for each part. It was missing for part {number} in the request."
                    )));
                }
                told if !told.is_empty() && told != sum => return Err(missing()),
                _ => {}
            }
        }
        if at + 1 < named.len() && part.body.len() < LEAST_PART {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            let refusal = Refusal::new("EntityTooSmall", message).with_detail("ETag", etag.trim_matches('"'));
            let refusal = refusal.with_detail("PartNumber", number.to_string());
            let refusal = refusal.with_detail("MinSizeAllowed", LEAST_PART.to_string());
            return Err(refusal.with_detail("ProposedSize", part.body.len().to_string()));
        }
        parts.push(part);
    }
    Ok(parts)
}

/// The object that the parts make. A single part is not copied.
fn assembled(upload: &Upload, parts: &[&Part], now: Timestamp) -> Option<Version> {
    let body = match parts {
        [part] => part.body.clone(),
        _ => {
            let mut body = BytesMut::with_capacity(parts.iter().map(|part| part.body.len()).sum());
            parts.iter().for_each(|part| body.extend_from_slice(&part.body));
            body.freeze()
        }
    };
    let algorithm = upload.algorithm.as_deref().unwrap_or(checksum::DEFAULT);
    let sum = match upload.composite {
        true => {
            let sums = parts.iter().filter_map(|part| part.checksum.as_ref());
            checksum::composite(algorithm, sums.map(|(_, sum)| sum.as_str()))?
        }
        false => checksum::of(algorithm, &body)?,
    };
    Some(Version {
        body: Some(body),
        etag: checksum::etag_of_parts(parts.iter().map(|part| part.etag.as_str())),
        checksum: Some((algorithm.to_owned(), sum)),
        parts: parts.iter().map(|part| part.body.len()).collect(),
        modified: now,
        ..upload.described.clone()
    })
}

/// Holds what a completion says of the whole object against it.
fn verify_whole(asked: &Asked<'_>, upload: &Upload, version: &Version) -> Result<(), Refusal> {
    let size = version.body.as_ref().map_or(0, Bytes::len).to_string();
    let told = asked.header("x-amz-mp-object-size");
    if !told.is_empty() && told != size {
        return Err(invalid(format!(
            "The provided 'x-amz-mp-object-size' header value {told} does not match what was computed: {size}"
        )));
    }
    let kind = asked.header("x-amz-checksum-type");
    if !kind.is_empty() && kind != upload.kind() {
        let mode = if upload.algorithm.is_some() { upload.kind() } else { "null" };
        return Err(invalid(format!(
            "The upload was created using the {mode} checksum mode. The complete request must use the same checksum mode."
        )));
    }
    let (algorithm, sum) = version.checksum.clone().unwrap_or_default();
    let bare = sum.split('-').next().unwrap_or_default();
    let wrong = |(name, told): (&str, &str)| name != algorithm || (told != sum && told != bare);
    match upload.algorithm.is_some() && checksum::sent(asked).any(wrong) {
        true => Err(checksum::differs(&algorithm)),
        false => Ok(()),
    }
}

fn complete(world: &mut World, asked: &Asked<'_>) -> Reply {
    let now = world.now;
    let bucket = of(world, asked)?;
    let (place, upload) = found(bucket, asked)?;
    conditions::write(bucket, &asked.key, asked.header("if-match"), asked.header("if-none-match"))?;
    conditions::completion(upload.overtaken, asked.header("if-match"), asked.header("if-none-match"))?;
    let named = named(asked)?;
    let version = assembled(upload, &checked(upload, &named)?, now).ok_or_else(xml::malformed)?;
    verify_whole(asked, upload, &version)?;
    let (place, etag, (algorithm, sum)) =
        (place.clone(), version.etag.clone(), version.checksum.clone().unwrap_or_default());
    let id = stack(world, &asked.bucket, &asked.key, version)?;
    let bucket = of_mut(world, asked)?;
    bucket.uploads.remove(&place);
    let host = match bucket.region.as_str() {
        "us-east-1" => "s3.amazonaws.com".to_owned(),
        region => format!("s3.{region}.amazonaws.com"),
    };
    let location = format!("https://{}.{host}/{}", asked.bucket, utf8_percent_encode(&asked.key, IN_LISTS));
    let mut text = leaf("Location", &location) + &leaf("Bucket", &asked.bucket) + &leaf("Key", &asked.key);
    text += &leaf("ETag", &etag);
    text += &(leaf(&checksum::element(&algorithm), &sum) + &leaf("ChecksumType", checksum::kind(&sum)));
    let headers = [("x-amz-version-id", id.as_str()), ("x-amz-server-side-encryption", &bucket.settings.encryption.0)];
    Ok(xml::with(xml::document("CompleteMultipartUploadResult", &text), &headers))
}
