//! Objects and their versions: put, delete, tags. `read` gives them back, `copy` and `multipart` make them otherwise.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::super::Refusal;
use super::buckets::{Bucket, of, of_mut};
use super::xml::{self, leaf};
use super::{Asked, Reply, checksum, conditions, copy, multipart, not_kept, read, settings};
use crate::world::World;

/// One version of an object, or a delete marker.
#[derive(Clone, Debug)]
pub struct Version {
    /// `null` where the bucket was not versioned when it came.
    pub id: String,
    /// The content; `None`: a delete marker.
    pub body: Option<Bytes>,
    /// In quotation marks.
    pub etag: String,
    /// Media type.
    pub content_type: String,
    /// Tags, at most ten.
    pub tags: BTreeMap<String, String>,
    /// `x-amz-meta-…` by name.
    pub metadata: BTreeMap<String, String>,
    /// Headers that are kept and given back as they came.
    pub headers: BTreeMap<String, String>,
    /// Algorithm and checksum; only a delete marker has none.
    pub checksum: Option<(String, String)>,
    /// The sizes of the parts that it was put together from; none where it came in one piece.
    pub parts: Vec<usize>,
    /// When it came.
    pub modified: Timestamp,
}

pub(super) fn no_such_key() -> Refusal {
    Refusal::new("NoSuchKey", "The specified key does not exist.").with_status(404)
}

fn no_such_version() -> Refusal {
    Refusal::new("NoSuchVersion", "The specified version does not exist.").with_status(404)
}

/// Headers that belong to the object beside its media type.
const KEPT: [&str; 5] = ["cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

pub(super) fn operation(world: &mut World, asked: &Asked<'_>, method: &Method) -> Reply {
    if asked.key.len() > 1024 {
        return Err(Refusal::new("KeyTooLongError", "Your key is too long"));
    }
    if asked.has("uploads") || asked.has("uploadId") {
        return multipart::operation(world, asked, method);
    }
    match (method, asked.has("tagging")) {
        (&Method::GET, true) => get_tags(world, asked),
        (&Method::PUT, true) => put_tags(world, asked),
        (&Method::DELETE, true) => set_tags(world, asked, BTreeMap::new(), 204),
        (&Method::GET | &Method::HEAD, false) if !asked.has("acl") => read::get(world, asked),
        (&Method::PUT, false) if !asked.has("acl") && !asked.header("x-amz-copy-source").is_empty() => {
            copy::object(world, asked)
        }
        (&Method::PUT, false) if !asked.has("acl") => put(world, asked),
        (&Method::DELETE, false) => {
            refuse_bypass(world, asked)?;
            may_delete(world, asked)?;
            versioned(of(world, asked)?, asked.query.get("versionId").map(String::as_str))?;
            let (marker, id) = delete(world, &asked.bucket, &asked.key, asked.query.get("versionId"))?;
            let marker = if marker { "true" } else { "" };
            Ok(xml::reply(204, &[("x-amz-version-id", &id), ("x-amz-delete-marker", marker)], Bytes::new()))
        }
        (&Method::PUT, false) | (&Method::GET, false) => {
            let message = "A header or query you provided implies functionality that is not implemented: acl";
            Err(Refusal::new("NotImplemented", message).with_status(501))
        }
        _ => Err(super::not_allowed()),
    }
}

/// Whether the conditions of a deletion hold. Who compares the entity tag must be allowed to get the object (S3 user
/// guide, "Conditional deletes"); time and size are conditions in directory buckets only (API reference of DeleteObject).
fn may_delete(world: &World, asked: &Asked<'_>) -> Result<(), Refusal> {
    let elsewhere = ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"];
    if let Some(name) = elsewhere.iter().find(|name| !asked.header(name).is_empty()) {
        let message = format!("A header you provided implies functionality that is not implemented: {name}");
        return Err(Refusal::new("NotImplemented", message).with_status(501));
    }
    let wanted = asked.header("if-match");
    let compares = !matches!(wanted, "" | "*");
    if let Some(refusal) = world.iam.denied(&asked.caller.principal, "s3:GetObject").filter(|_| compares) {
        return Err(refusal);
    }
    conditions::delete(of(world, asked)?, &asked.key, wanted)
}

/// The id of the next version written: it follows from the count of writes.
pub(super) fn next_version(world: &mut World) -> String {
    world.s3.writes += 1;
    super::sha256(format!("version/{}", world.s3.writes).as_bytes())[..32].to_owned()
}

/// Puts a version on top. Where versioning is not enabled it takes the place of the version `null`.
pub(super) fn stack(world: &mut World, bucket: &str, key: &str, mut version: Version) -> Result<String, Refusal> {
    let fresh = next_version(world);
    let bucket = world.s3.buckets.get_mut(bucket).ok_or_else(super::buckets::no_such_bucket)?;
    bucket.overtake(key);
    let versions = bucket.objects.entry(key.to_owned()).or_default();
    match bucket.settings.versioning.as_str() {
        "Enabled" => version.id = fresh,
        _ => versions.retain(|one| one.id != "null"),
    }
    let shown = if bucket.settings.versioning.is_empty() { String::new() } else { version.id.clone() };
    versions.push(version);
    Ok(shown)
}

/// The object's tags in the header of a request.
pub(super) fn header_tags(asked: &Asked<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = asked.header("x-amz-tagging").split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    settings::checked_tags(pairs.map(|(key, value)| (decoded(key), decoded(value))).collect(), 10)
}

/// A version as the headers of a request describe it, without content, checksum and tags.
///
/// # Errors
/// `MetadataTooLarge`.
pub(super) fn described(asked: &Asked<'_>, modified: Timestamp) -> Result<Version, Refusal> {
    let metadata = asked.request.headers().iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("x-amz-meta-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    let kept = KEPT.iter().map(|name| ((*name).to_owned(), asked.header(name).to_owned()));
    let given = asked.header("content-type");
    not_kept::measured(Version {
        id: "null".into(),
        body: None,
        etag: String::new(),
        content_type: if given.is_empty() { "binary/octet-stream".into() } else { given.to_owned() },
        tags: BTreeMap::new(),
        metadata: metadata.collect(),
        headers: kept.filter(|(_, value)| !value.is_empty()).collect(),
        checksum: None,
        parts: Vec::new(),
        modified,
    })
}

fn put(world: &mut World, asked: &Asked<'_>) -> Reply {
    not_kept::refuse(world, asked)?;
    let kept = checksum::verify(asked)?;
    conditions::write(of(world, asked)?, &asked.key, asked.header("if-match"), asked.header("if-none-match"))?;
    let by_default = || Some((checksum::DEFAULT.to_owned(), checksum::of(checksum::DEFAULT, asked.body())?));
    let kept = kept.or_else(by_default);
    let etag = checksum::etag(asked.body());
    let version = Version {
        body: Some(asked.body().clone()),
        etag: etag.clone(),
        tags: header_tags(asked)?,
        checksum: kept.clone(),
        ..described(asked, world.now)?
    };
    let id = stack(world, &asked.bucket, &asked.key, version)?;
    let encryption = of(world, asked)?.settings.encryption.0.clone();
    let (algorithm, sum) = kept.unwrap_or_default();
    let checksum = format!("x-amz-checksum-{algorithm}");
    let headers = [
        ("etag", etag.as_str()),
        ("x-amz-version-id", &id),
        ("x-amz-server-side-encryption", &encryption),
        (&checksum, &sum),
        ("x-amz-checksum-type", checksum::kind(&sum)),
    ];
    Ok(xml::reply(200, &headers, Bytes::new()))
}

/// The version asked for, or the last one; a delete marker counts as absent.
pub(super) fn asked_version<'w>(world: &'w World, asked: &Asked<'_>) -> Result<&'w Version, Refusal> {
    let (bucket, id) = (of(world, asked)?, asked.query.get("versionId").map(String::as_str));
    versioned(bucket, id)?;
    found(bucket, &asked.key, id)
}

/// Refuses the id of a version that cannot be one: all but `null` where there were never versions, and what S3 does not
/// give out (test_s3_api.snapshot.json of github.com/localstack/localstack, test_delete_object and
/// test_get_object_with_version_unversioned_bucket). Here ids are 32 hexadecimal digits.
fn versioned(bucket: &Bucket, id: Option<&str>) -> Result<(), Refusal> {
    let digit = |sign: char| sign.is_ascii_digit() || ('a'..='f').contains(&sign);
    match id {
        None | Some("null") => Ok(()),
        Some(id) if !bucket.settings.versioning.is_empty() && id.len() == 32 && id.chars().all(digit) => Ok(()),
        Some(id) => {
            let refusal = Refusal::new("InvalidArgument", "Invalid version id specified");
            Err(refusal.with_detail("ArgumentName", "versionId").with_detail("ArgumentValue", id))
        }
    }
}

/// Governance can be bypassed only where there is object lock, whatever the header says (the same, test_delete_object_with_no_locking).
fn refuse_bypass(world: &World, asked: &Asked<'_>) -> Result<(), Refusal> {
    const NAME: &str = "x-amz-bypass-governance-retention";
    if asked.request.headers().contains_key(NAME) && !of(world, asked)?.settings.locks_objects() {
        let message = format!("{NAME} is only applicable to Object Lock enabled buckets.");
        return Err(Refusal::new("InvalidArgument", message).with_detail("ArgumentName", NAME));
    }
    Ok(())
}

/// The version of a key with this id, or the last one; a delete marker counts as absent.
pub(super) fn found<'b>(bucket: &'b Bucket, key: &str, id: Option<&str>) -> Result<&'b Version, Refusal> {
    let versions = bucket.versions(key);
    match id {
        Some(id) => {
            let version = versions.iter().find(|version| version.id == id).ok_or_else(no_such_version)?;
            version.body.as_ref().map(|_| version).ok_or_else(super::not_allowed)
        }
        None => versions.last().filter(|version| version.body.is_some()).ok_or_else(no_such_key),
    }
}

/// Deletes a version for good, or puts a delete marker on top; gives whether a marker is concerned, and its id.
fn delete(world: &mut World, name: &str, key: &str, version: Option<&String>) -> Result<(bool, String), Refusal> {
    let now = world.now;
    let bucket = world.s3.buckets.get_mut(name).ok_or_else(super::buckets::no_such_bucket)?;
    if let Some(id) = version {
        let versions = bucket.objects.entry(key.to_owned()).or_default();
        let marker = versions.iter().any(|one| one.id == *id && one.body.is_none());
        let current = versions.last().is_some_and(|one| one.id == *id);
        versions.retain(|one| one.id != *id);
        if versions.is_empty() {
            bucket.objects.remove(key);
        }
        if current {
            bucket.overtake(key);
        }
        return Ok((marker, id.clone()));
    }
    if bucket.settings.versioning.is_empty() {
        if bucket.objects.remove(key).is_some() {
            bucket.overtake(key);
        }
        return Ok((false, String::new()));
    }
    let marker = Version {
        id: "null".into(),
        body: None,
        etag: String::new(),
        content_type: String::new(),
        tags: BTreeMap::new(),
        metadata: BTreeMap::new(),
        headers: BTreeMap::new(),
        checksum: None,
        parts: Vec::new(),
        modified: now,
    };
    Ok((true, stack(world, name, key, marker)?))
}

pub(super) fn delete_many(world: &mut World, asked: &Asked<'_>) -> Reply {
    refuse_bypass(world, asked)?;
    // S3 insists on an integrity header here (DeleteObjects API reference).
    if checksum::verify(asked)?.is_none() && asked.header("content-md5").is_empty() {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(Refusal::new("InvalidRequest", message));
    }
    let root = xml::parse(asked.text()?, "Delete")?;
    let wanted: Vec<&xml::Element> = root.all("Object").collect();
    if wanted.is_empty() || wanted.len() > 1000 {
        return Err(xml::malformed());
    }
    let (mut entries, mut errors) = (String::new(), String::new());
    for object in wanted {
        let (key, id) = (object.at(&["Key"]), object.at(&["VersionId"]).to_owned());
        let given = Some(&id).filter(|id| !id.is_empty());
        let version = if id.is_empty() { String::new() } else { leaf("VersionId", &id) };
        let bucket = of(world, asked)?;
        // Among many an id that cannot be one is told as a version that is not there (the same, test_delete_objects).
        let known = versioned(bucket, given.map(String::as_str)).map_err(|_| no_such_version());
        if let Err(refusal) = known.and_then(|()| conditions::delete(bucket, key, object.at(&["ETag"]))) {
            let why = leaf("Code", &refusal.code) + &leaf("Message", &refusal.message);
            errors += &format!("<Error>{}{version}{why}</Error>", leaf("Key", key));
            continue;
        }
        let (marker, made) = delete(world, &asked.bucket, key, given)?;
        let marked = match marker {
            true => leaf("DeleteMarker", "true") + &leaf("DeleteMarkerVersionId", &made),
            false => String::new(),
        };
        entries += &format!("<Deleted>{}{version}{marked}</Deleted>", leaf("Key", key));
    }
    let quiet = root.at(&["Quiet"]) == "true";
    Ok(xml::document("DeleteResult", &(if quiet { errors } else { entries + &errors })))
}

fn get_tags(world: &World, asked: &Asked<'_>) -> Reply {
    let version = asked_version(world, asked)?;
    Ok(xml::document("Tagging", &settings::tag_set(&version.tags)))
}

fn put_tags(world: &mut World, asked: &Asked<'_>) -> Reply {
    checksum::verify(asked)?;
    let tags = settings::read_tags(asked.text()?, 10)?;
    set_tags(world, asked, tags, 200)
}

fn set_tags(world: &mut World, asked: &Asked<'_>, tags: BTreeMap<String, String>, status: u16) -> Reply {
    let id = asked_version(world, asked)?.id.clone();
    let bucket = of_mut(world, asked)?;
    let shown = if bucket.settings.versioning.is_empty() { String::new() } else { id.clone() };
    let versions = bucket.objects.get_mut(&asked.key).ok_or_else(no_such_key)?;
    for version in versions.iter_mut().filter(|version| version.id == id) {
        version.tags = tags.clone();
    }
    Ok(xml::reply(status, &[("x-amz-version-id", &shown)], Bytes::new()))
}
