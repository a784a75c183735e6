//! S3. It speaks HTTP itself (restXml), since paths, headers and bodies carry its input. A request is in path
//! style when it comes here (`wire` sees to virtual hosts and chunked bodies). Bucket policies are kept and given
//! back, never evaluated: a bucket's own account may do everything that IAM does not deny, others nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::cloudformation::answers;
use super::{Caller, Refusal};
use crate::world::World;

mod buckets;
mod checksum;
mod conditions;
mod copy;
mod listing;
mod multipart;
mod not_kept;
mod objects;
mod part_lists;
mod read;
mod settings;
mod xml;

#[cfg(test)]
mod argument_tests;
#[cfg(test)]
mod condition_tests;
#[cfg(test)]
mod copy_tests;
#[cfg(test)]
mod list_tests;
#[cfg(test)]
mod multipart_tests;
#[cfg(test)]
mod tests;

pub use buckets::Bucket;
pub use objects::Version;

/// What exists: buckets by their global name.
#[derive(Clone, Debug, Default)]
pub struct State {
    buckets: BTreeMap<String, Bucket>,
    /// The how-manieth write this is: version ids follow from it.
    writes: u64,
}

impl State {
    /// The buckets of an account and region that bear tags.
    pub(in crate::aws) fn tagged(&self, account: &str, region: &str) -> crate::aws::tagging::Tagged {
        let here = self.buckets.iter().filter(|(_, bucket)| bucket.account == account && bucket.region == region);
        here.map(|(name, bucket)| (format!("arn:aws:s3:::{name}"), bucket.settings.tags.clone())).collect()
    }

    /// A bucket by its name.
    pub fn bucket(&self, name: &str) -> Option<&Bucket> {
        self.buckets.get(name)
    }

    /// Every bucket with its settings and the versions of its objects; bodies as their SHA-256.
    pub fn dump(&self) -> Value {
        self.buckets
            .iter()
            .map(|(name, bucket)| (name.clone(), bucket.dump()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// One request, taken apart.
struct Asked<'a> {
    caller: &'a Caller,
    region: &'a str,
    bucket: String,
    key: String,
    query: BTreeMap<String, String>,
    request: &'a Request<Bytes>,
}

impl Asked<'_> {
    fn has(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn header(&self, name: &str) -> &str {
        self.request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn body(&self) -> &Bytes {
        self.request.body()
    }

    fn text(&self) -> Result<&str, Refusal> {
        std::str::from_utf8(self.body()).map_err(|_| xml::malformed())
    }
}

/// What a request comes to: a reply, or a refusal.
type Reply = Result<Response<Bytes>, Refusal>;

/// Answers one request; `region` is that of the request's signature.
pub fn handle(world: &mut World, caller: &Caller, region: &str, request: &Request<Bytes>) -> Response<Bytes> {
    let asked = take_apart(caller, region, request);
    let head = request.method() == Method::HEAD;
    match route(world, &asked) {
        Ok(response) => response,
        Err(refusal) => {
            let home = world.s3.bucket(&asked.bucket).map(|bucket| bucket.region.clone());
            xml::refuse(&refusal, &asked.bucket, &asked.key, home.as_deref(), head)
        }
    }
}

/// Changes tags of a bucket for the Resource Groups Tagging API: `put` come to those of before, those named in `take` go.
///
/// # Errors
/// `NoSuchBucket` where the account has no bucket of that name in the region, and the refusals of tags.
pub(in crate::aws) fn retag(
    world: &mut World,
    caller: &Caller,
    region: &str,
    name: &str,
    put: Vec<(String, String)>,
    take: &[String],
) -> Result<(), Refusal> {
    let here = |bucket: &&mut Bucket| bucket.account == caller.account && bucket.region == region;
    let bucket = world.s3.buckets.get_mut(name).filter(here).ok_or_else(buckets::no_such_bucket)?;
    let mut tags = bucket.settings.tags.clone();
    tags.extend(settings::checked_tags(put, 50)?);
    tags.retain(|key, _| !take.contains(key));
    bucket.settings.tags = settings::checked_tags(tags.into_iter().collect(), 50)?;
    Ok(())
}

/// Whoever asks for a bucket that exists is told its region, though IAM does not let them in (HeadBucket API reference).
pub fn tell_region(world: &World, request: &Request<Bytes>, response: &mut Response<Bytes>) {
    let name = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
    if let Some(region) = world.s3.bucket(name).and_then(|bucket| http::HeaderValue::try_from(&bucket.region).ok()) {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
}

fn take_apart<'a>(caller: &'a Caller, region: &'a str, request: &'a Request<Bytes>) -> Asked<'a> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let path = request.uri().path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let query = query.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = query.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " ")))).collect();
    Asked { caller, region, bucket: decoded(bucket), key: decoded(key), query, request }
}

/// How S3 refuses what it does not do.
const NOT_IMPLEMENTED: &str = "A header or query you provided implies functionality that is not implemented";

/// Query names that stand for operations which are not played here.
const NOT_PLAYED: &[&str] = &[
    "accelerate",
    "analytics",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "metrics",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "torrent",
    "website",
    "attributes",
];

fn route(world: &mut World, asked: &Asked<'_>) -> Reply {
    if let Some(name) = NOT_PLAYED.iter().find(|name| asked.has(name)) {
        let message = format!("{NOT_IMPLEMENTED}: {name}");
        return Err(Refusal::new("NotImplemented", message).with_status(501));
    }
    if asked.bucket.is_empty() {
        return match *asked.request.method() {
            Method::GET => buckets::list(world, asked),
            _ => Err(not_allowed()),
        };
    }
    if asked.bucket.starts_with(answers::BUCKET) {
        return answer_to_cloudformation(world, asked);
    }
    match (asked.key.is_empty(), asked.request.method()) {
        (true, &Method::PUT) if asked.query.keys().all(|name| name == "x-id") => buckets::create(world, asked),
        (true, method) => {
            buckets::admit(world, asked)?;
            bucket_operation(world, asked, method)
        }
        (false, method) => {
            buckets::admit(world, asked)?;
            objects::operation(world, asked, method)
        }
    }
}

/// An answer of a custom resource, put to the URL that CloudFormation gave for it: a bucket of AWS's own.
fn answer_to_cloudformation(world: &mut World, asked: &Asked<'_>) -> Reply {
    if asked.request.method() != Method::PUT || asked.key.is_empty() {
        return Err(Refusal::new("AccessDenied", "Access Denied").with_status(403));
    }
    let (signature, given) = (asked.parameter("X-Amz-Signature"), asked.header("content-type"));
    answers::put(world, &asked.key, signature, given, asked.body())?;
    Ok(xml::reply(200, &[("etag", checksum::etag(asked.body()).as_str())], Bytes::new()))
}

fn bucket_operation(world: &mut World, asked: &Asked<'_>, method: &Method) -> Reply {
    if let Some(name) = settings::NAMES.iter().find(|name| asked.has(name)) {
        return match *method {
            Method::GET => settings::get(world, asked, name),
            Method::PUT => settings::put(world, asked, name),
            Method::DELETE => settings::delete(world, asked, name),
            _ => Err(not_allowed()),
        };
    }
    match *method {
        Method::HEAD => buckets::head(world, asked),
        Method::DELETE => buckets::delete(world, asked),
        Method::POST if asked.has("delete") => objects::delete_many(world, asked),
        Method::GET if asked.has("location") => buckets::location(world, asked),
        Method::GET if asked.has("versions") => listing::versions(world, asked),
        Method::GET if asked.has("uploads") => part_lists::uploads(world, asked),
        Method::GET => listing::objects(world, asked),
        _ => Err(not_allowed()),
    }
}

fn not_allowed() -> Refusal {
    Refusal::new("MethodNotAllowed", "The specified method is not allowed against this resource.").with_status(405)
}

/// Hex SHA-256 of a body, for dumps.
fn sha256(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

fn dump_version(version: &Version) -> Value {
    json!({
        "versionId": version.id, "deleteMarker": version.body.is_none(), "tags": version.tags,
        "contentType": version.content_type, "sha256": version.body.as_ref().map(|body| sha256(body)),
    })
}
