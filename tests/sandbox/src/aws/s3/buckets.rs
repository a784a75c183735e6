//! Buckets themselves: create, look, list and delete, who may enter them and from which region.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::Refusal;
use super::multipart::Upload;
use super::objects::Version;
use super::settings::{self, Settings};
use super::xml::{self, leaf};
use super::{Asked, Reply};
use crate::world::World;

/// A bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The account that owns it.
    pub account: String,
    /// Where it is.
    pub region: String,
    /// When it was made.
    pub created: Timestamp,
    /// What is set on it.
    pub(super) settings: Settings,
    /// The versions of each key, oldest first.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
    /// Uploads in parts that are under way, by key and in the order in which they began. They go with the bucket: S3
    /// deletes a bucket that has nothing else (seen in github.com/ceph/ceph/pull/15630).
    pub(super) uploads: BTreeMap<(String, u64), Upload>,
}

impl Bucket {
    /// The versions of a key, oldest first; one without a body is a delete marker.
    pub fn versions(&self, key: &str) -> &[Version] {
        self.objects.get(key).map_or(&[], Vec::as_slice)
    }

    /// Tells uploads under way that an object of their key was put or deleted.
    pub(super) fn overtake(&mut self, key: &str) {
        let of_key = self.uploads.range_mut((key.to_owned(), 0)..).take_while(|((one, _), _)| one == key);
        of_key.for_each(|(_, upload)| upload.overtaken = true);
    }

    /// The bucket's tags.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.settings.tags
    }

    pub(super) fn dump(&self) -> Value {
        let versions = |all: &Vec<Version>| all.iter().map(super::dump_version).collect::<Value>();
        let objects: BTreeMap<&String, Value> = self.objects.iter().map(|(key, all)| (key, versions(all))).collect();
        let uploads = self.uploads.iter().map(|((key, _), upload)| upload.dump(key)).collect::<Value>();
        let settings = self.settings.dump();
        json!({"account": self.account, "region": self.region, "settings": settings, "objects": objects, "uploads": uploads})
    }
}

pub(super) fn no_such_bucket() -> Refusal {
    Refusal::new("NoSuchBucket", "The specified bucket does not exist").with_status(404)
}

pub(super) fn denied() -> Refusal {
    Refusal::new("AccessDenied", "Access Denied").with_status(403)
}

fn younger(world: &World, bucket: &Bucket, delay: Duration) -> bool {
    Duration::try_from(world.now.duration_since(bucket.created)).unwrap_or_default() < delay
}

/// Whether the request may enter the bucket. Reads of a new bucket and of what is set on it do not see it for as
/// long as the settings say, as S3's bucket metadata is eventually consistent; objects are not affected.
pub(super) fn admit(world: &World, asked: &Asked<'_>) -> Result<(), Refusal> {
    let bucket = world.s3.bucket(&asked.bucket).ok_or_else(no_such_bucket)?;
    let reads = matches!(*asked.request.method(), Method::GET | Method::HEAD) && asked.key.is_empty();
    if reads && younger(world, bucket, world.settings.read_after_write) {
        return Err(no_such_bucket());
    }
    let expected = asked.header("x-amz-expected-bucket-owner");
    if bucket.account != asked.caller.account || !(expected.is_empty() || expected == bucket.account) {
        return Err(denied());
    }
    if bucket.region != asked.region && !asked.has("location") {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        return Err(Refusal::new("PermanentRedirect", message).with_status(301));
    }
    Ok(())
}

pub(super) fn of<'w>(world: &'w World, asked: &Asked<'_>) -> Result<&'w Bucket, Refusal> {
    world.s3.buckets.get(&asked.bucket).ok_or_else(no_such_bucket)
}

pub(super) fn of_mut<'w>(world: &'w mut World, asked: &Asked<'_>) -> Result<&'w mut Bucket, Refusal> {
    world.s3.buckets.get_mut(&asked.bucket).ok_or_else(no_such_bucket)
}

/// The naming rules of general purpose buckets (S3 user guide, "Bucket naming rules").
fn well_named(name: &str) -> bool {
    let inner = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '.' || sign == '-';
    let outer = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit();
    let numbers = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok());
    (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(outer)
        && name.ends_with(outer)
        && !name.contains("..")
        && !numbers
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix))
}

/// What the body of CreateBucket asks for; it may be left out.
fn configuration(asked: &Asked<'_>) -> Result<xml::Element, Refusal> {
    match asked.text()? {
        text if text.trim().is_empty() => Ok(xml::Element::default()),
        text => xml::parse(text, "CreateBucketConfiguration"),
    }
}

/// The region that the body asks for. us-east-1 takes none and gives `us-east-1`; other regions take their own only.
fn wanted_region(asked: &Asked<'_>, configuration: &xml::Element) -> Result<String, Refusal> {
    match (configuration.at(&["LocationConstraint"]), asked.region) {
        ("", "us-east-1") => Ok("us-east-1".into()),
        ("us-east-1", "us-east-1") => {
            Err(Refusal::new("InvalidLocationConstraint", "The specified location-constraint is not valid"))
        }
        ("", _) => {
            let message = "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.";
            Err(Refusal::new("IllegalLocationConstraintException", message))
        }
        (there, here) if there == here || here == "us-east-1" => Ok(there.to_owned()),
        (there, _) => {
            let message = format!(
                "The {there} location constraint is incompatible for the region specific endpoint this request was sent to."
            );
            Err(Refusal::new("IllegalLocationConstraintException", message))
        }
    }
}

pub(super) fn create(world: &mut World, asked: &Asked<'_>) -> Reply {
    if !well_named(&asked.bucket) {
        return Err(Refusal::new("InvalidBucketName", "The specified bucket is not valid."));
    }
    let configuration = configuration(asked)?;
    let region = wanted_region(asked, &configuration)?;
    let tags = configuration.child("Tags").map(|tags| settings::tags_in(tags, 50)).transpose()?;
    let location = format!("/{}", asked.bucket);
    let created = || Ok(xml::reply(200, &[("location", &location)], Bytes::new()));
    if let Some(bucket) = world.s3.bucket(&asked.bucket) {
        let (code, message) = match bucket.account == asked.caller.account {
            // In us-east-1 creating one's own bucket again succeeds (CreateBucket API reference).
            true if bucket.region == "us-east-1" && region == "us-east-1" => return created(),
            true => (
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            ),
            false => (
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
            ),
        };
        return Err(Refusal::new(code, message).with_status(409));
    }
    let mut settings = Settings::default();
    settings.tags = tags.unwrap_or_default();
    if asked.header("x-amz-bucket-object-lock-enabled") == "true" {
        settings.lock_objects();
    }
    let bucket = Bucket {
        account: asked.caller.account.clone(),
        region,
        created: world.now,
        settings,
        objects: BTreeMap::new(),
        uploads: BTreeMap::new(),
    };
    world.s3.buckets.insert(asked.bucket.clone(), bucket);
    created()
}

pub(super) fn head(world: &World, asked: &Asked<'_>) -> Reply {
    let bucket = of(world, asked)?;
    Ok(xml::reply(200, &[("x-amz-bucket-region", &bucket.region)], Bytes::new()))
}

pub(super) fn location(world: &World, asked: &Asked<'_>) -> Reply {
    let region = of(world, asked)?.region.clone();
    let region = if region == "us-east-1" { String::new() } else { region };
    Ok(xml::document("LocationConstraint", &xml::escaped(&region)))
}

pub(super) fn delete(world: &mut World, asked: &Asked<'_>) -> Reply {
    let bucket = of(world, asked)?;
    if !bucket.objects.is_empty() {
        let versioned = !bucket.settings.versioning.is_empty();
        let hint = if versioned { " You must delete all versions in the bucket." } else { "" };
        let message = format!("The bucket you tried to delete is not empty.{hint}");
        return Err(Refusal::new("BucketNotEmpty", message).with_status(409));
    }
    world.s3.buckets.remove(&asked.bucket);
    Ok(xml::reply(204, &[], Bytes::new()))
}

/// How many buckets a page may hold (API reference of ListBuckets).
const MOST_BUCKETS: usize = 10_000;

fn page_size(asked: &Asked<'_>) -> Result<usize, Refusal> {
    match asked.parameter("max-buckets") {
        "" => Ok(MOST_BUCKETS),
        text => text.parse().ok().filter(|size| (1..=MOST_BUCKETS).contains(size)).ok_or_else(|| {
            let message = format!("max-buckets must be a number from 1 to {MOST_BUCKETS}");
            Refusal::new("InvalidArgument", message).with_detail("ArgumentName", "max-buckets")
        }),
    }
}

/// The name that a list goes on behind; empty for the first page.
fn listed_until(asked: &Asked<'_>) -> Result<String, Refusal> {
    let token = hex::decode(asked.parameter("continuation-token")).ok().and_then(|raw| String::from_utf8(raw).ok());
    token.ok_or_else(|| {
        Refusal::new("InvalidArgument", "The continuation token provided is incorrect")
            .with_detail("ArgumentName", "continuation-token")
    })
}

pub(super) fn list(world: &World, asked: &Asked<'_>) -> Reply {
    let (size, after) = (page_size(asked)?, listed_until(asked)?);
    let narrowed = ["max-buckets", "continuation-token", "prefix", "bucket-region"].iter().any(|name| asked.has(name));
    let entry = |(name, bucket): (&String, &Bucket)| {
        // The region is told where the request has any of these parameters (API reference of ListBuckets, `Bucket`).
        let region = if narrowed { leaf("BucketRegion", &bucket.region) } else { String::new() };
        let created = leaf("CreationDate", &millis(bucket.created));
        format!("<Bucket>{}{created}{region}</Bucket>", leaf("Name", name))
    };
    let mut wanted = world.s3.buckets.range::<str, _>((Bound::Excluded(after.as_str()), Bound::Unbounded)).filter(
        |(name, bucket)| {
            bucket.account == asked.caller.account
                && !younger(world, bucket, world.settings.list_lag)
                && name.starts_with(asked.parameter("prefix"))
                && (!asked.has("bucket-region") || asked.parameter("bucket-region") == bucket.region)
        },
    );
    let page: Vec<_> = wanted.by_ref().take(size).collect();
    let last = page.last().filter(|_| wanted.next().is_some()).map(|(name, _)| hex::encode(name));
    let mut text = owner("Owner", &asked.caller.account);
    text += &format!("<Buckets>{}</Buckets>", page.into_iter().map(entry).collect::<String>());
    text += &last.map(|last| leaf("ContinuationToken", &last)).unwrap_or_default();
    if asked.has("prefix") {
        text += &leaf("Prefix", asked.parameter("prefix"));
    }
    Ok(xml::document("ListAllMyBucketsResult", &text))
}

/// An account as lists name it: by its canonical id alone.
pub(super) fn owner(element: &str, account: &str) -> String {
    format!("<{element}>{}</{element}>", leaf("ID", &super::sha256(account.as_bytes())))
}

/// A moment as S3 writes it in lists: with exactly three digits of the second's fraction.
pub(super) fn millis(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
