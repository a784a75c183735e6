//! What can be set on a bucket. What S3 acts upon (versioning, tags, encryption, public access) is understood;
//! the rest is checked for its form, kept, and given back.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::Refusal;
use super::buckets::{of, of_mut};
use super::xml::{self, Element, leaf};
use super::{Asked, Reply};
use crate::world::World;

/// The query names of the settings.
pub(super) const NAMES: &[&str] = &[
    "versioning",
    "encryption",
    "publicAccessBlock",
    "policy",
    "policyStatus",
    "tagging",
    "ownershipControls",
    "lifecycle",
    "cors",
    "acl",
    "notification",
    "logging",
    "object-lock",
];

const BLOCKS: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

/// What is set on a bucket.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Empty, `Enabled` or `Suspended`.
    pub(super) versioning: String,
    pub(super) tags: BTreeMap<String, String>,
    /// `AES256` or `aws:kms`, and the key.
    pub(super) encryption: (String, String),
    /// Whether keys of the bucket's own spare calls of KMS, as the encryption rule says.
    bucket_key: bool,
    /// In the order of [`BLOCKS`]; new buckets block everything (since April 2023).
    public_access: Option<[bool; 4]>,
    policy: Option<String>,
    /// Documents that are kept as they came, by query name.
    documents: BTreeMap<String, Element>,
}

impl Default for Settings {
    fn default() -> Self {
        let text = |name: &str, text: &str| Element { name: name.into(), text: text.into(), children: Vec::new() };
        let rule = Element { children: vec![text("ObjectOwnership", "BucketOwnerEnforced")], ..text("Rule", "") };
        let ownership = Element { children: vec![rule], ..text("OwnershipControls", "") };
        Self {
            versioning: String::new(),
            tags: BTreeMap::new(),
            encryption: ("AES256".into(), String::new()),
            bucket_key: false,
            public_access: Some([true; 4]),
            policy: None,
            documents: BTreeMap::from([("ownershipControls".to_owned(), ownership)]),
        }
    }
}

impl Settings {
    /// Turns object lock on as CreateBucket may, which turns versioning on for good (API reference of CreateBucket,
    /// `ObjectLockEnabledForBucket`).
    pub(super) fn lock_objects(&mut self) {
        let on = Element { name: "ObjectLockEnabled".into(), text: "Enabled".into(), children: Vec::new() };
        let document = Element { name: "ObjectLockConfiguration".into(), text: String::new(), children: vec![on] };
        self.versioning = "Enabled".into();
        self.documents.insert("object-lock".into(), document);
    }

    /// Whether all objects are the bucket owner's, so that access lists count for nothing.
    pub(super) fn enforces_owner(&self) -> bool {
        let rule = |document: &Element| document.at(&["Rule", "ObjectOwnership"]) == "BucketOwnerEnforced";
        self.documents.get("ownershipControls").is_some_and(rule)
    }

    /// Whether object lock is on.
    pub(super) fn locks_objects(&self) -> bool {
        self.documents.get("object-lock").is_some_and(|document| document.at(&["ObjectLockEnabled"]) == "Enabled")
    }

    pub(super) fn dump(&self) -> Value {
        let documents: BTreeMap<&String, String> = self.documents.iter().map(|(name, it)| (name, it.write())).collect();
        json!({
            "versioning": self.versioning, "tags": self.tags, "encryption": self.encryption.0, "kmsKey": self.encryption.1,
            "bucketKey": self.bucket_key,
            "publicAccessBlock": self.public_access, "policy": self.policy, "documents": documents,
        })
    }
}

fn missing(code: &str, message: &str) -> Refusal {
    Refusal::new(code, message).with_status(404)
}

pub(super) fn tag_set(tags: &BTreeMap<String, String>) -> String {
    let tag = |(key, value): (&String, &String)| format!("<Tag>{}{}</Tag>", leaf("Key", key), leaf("Value", value));
    format!("<TagSet>{}</TagSet>", tags.iter().map(tag).collect::<String>())
}

/// Reads a `<Tagging>` document with at most `most` tags.
pub(super) fn read_tags(text: &str, most: usize) -> Result<BTreeMap<String, String>, Refusal> {
    let root = xml::parse(text, "Tagging")?;
    tags_in(root.child("TagSet").ok_or_else(xml::malformed)?, most)
}

/// The tags in an element, at most `most`.
pub(super) fn tags_in(set: &Element, most: usize) -> Result<BTreeMap<String, String>, Refusal> {
    let given = set.all("Tag").map(|tag| (tag.at(&["Key"]).to_owned(), tag.at(&["Value"]).to_owned()));
    checked_tags(given.collect(), most)
}

/// The rules for tags of buckets (50) and objects (10).
pub(super) fn checked_tags(given: Vec<(String, String)>, most: usize) -> Result<BTreeMap<String, String>, Refusal> {
    let count = given.len();
    if count > most {
        let what = if most == 10 { "Object" } else { "Bucket" };
        return Err(Refusal::new("BadRequest", format!("{what} tags cannot be greater than {most}")));
    }
    let allowed = |sign: char| sign.is_alphanumeric() || sign.is_whitespace() || "_.:/=+-@".contains(sign);
    for (key, value) in &given {
        let lengths = (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256;
        if !lengths || !key.chars().all(allowed) || !value.chars().all(allowed) {
            return Err(Refusal::new(
                "InvalidTag",
                format!("The TagKey or TagValue you have provided is invalid: {key}"),
            ));
        }
        if key.starts_with("aws:") {
            return Err(Refusal::new("InvalidTag", "System tags cannot be added/updated by requester"));
        }
    }
    let tags: BTreeMap<String, String> = given.into_iter().collect();
    if tags.len() < count {
        return Err(Refusal::new("InvalidTag", "Cannot provide multiple Tags with the same key"));
    }
    Ok(tags)
}

pub(super) fn get(world: &World, asked: &Asked<'_>, name: &str) -> Reply {
    let settings = &of(world, asked)?.settings;
    match name {
        "versioning" => {
            let status = match settings.versioning.as_str() {
                "" => String::new(),
                status => leaf("Status", status),
            };
            Ok(xml::document("VersioningConfiguration", &status))
        }
        "encryption" => Ok(encryption(settings)),
        "publicAccessBlock" => {
            let message = "The public access block configuration was not found";
            let blocks =
                settings.public_access.ok_or_else(|| missing("NoSuchPublicAccessBlockConfiguration", message))?;
            let inner: String = BLOCKS.iter().zip(blocks).map(|(name, on)| leaf(name, &on.to_string())).collect();
            Ok(xml::document("PublicAccessBlockConfiguration", &inner))
        }
        "policy" => {
            let text = settings.policy.clone();
            let text = text.ok_or_else(|| missing("NoSuchBucketPolicy", "The bucket policy does not exist"))?;
            Ok(xml::reply(200, &[("content-type", "application/json")], text))
        }
        "tagging" if settings.tags.is_empty() => Err(missing("NoSuchTagSet", "The TagSet does not exist")),
        "tagging" => Ok(xml::document("Tagging", &tag_set(&settings.tags))),
        "notification" | "logging" => {
            let root = if name == "logging" { "BucketLoggingStatus" } else { "NotificationConfiguration" };
            Ok(xml::document(root, ""))
        }
        "acl" => Ok(acl(&of(world, asked)?.account)),
        "policyStatus" => {
            settings
                .policy
                .as_ref()
                .ok_or_else(|| missing("NoSuchBucketPolicy", "The bucket policy does not exist"))?;
            Ok(xml::document("PolicyStatus", &leaf("IsPublic", "false")))
        }
        _ => match settings.documents.get(name) {
            Some(document) => {
                let inner: String = document.children.iter().map(Element::write).collect();
                Ok(xml::document(&document.name, &inner))
            }
            None => Err(match name {
                "lifecycle" => missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
                "cors" => missing("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
                "object-lock" => missing(
                    "ObjectLockConfigurationNotFoundError",
                    "Object Lock configuration does not exist for this bucket",
                ),
                _ => missing("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
            }),
        },
    }
}

fn encryption(settings: &Settings) -> http::Response<Bytes> {
    let (algorithm, key) = &settings.encryption;
    let key = if key.is_empty() { String::new() } else { leaf("KMSMasterKeyID", key) };
    let by_default = format!(
        "<ApplyServerSideEncryptionByDefault>{}{key}</ApplyServerSideEncryptionByDefault>",
        leaf("SSEAlgorithm", algorithm)
    );
    let rule = format!("<Rule>{by_default}{}</Rule>", leaf("BucketKeyEnabled", &settings.bucket_key.to_string()));
    xml::document("ServerSideEncryptionConfiguration", &rule)
}

fn acl(account: &str) -> http::Response<Bytes> {
    let owner = leaf("ID", &super::sha256(account.as_bytes()));
    let grantee = format!(
        "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">{owner}</Grantee>"
    );
    let grant = format!("<Grant>{grantee}{}</Grant>", leaf("Permission", "FULL_CONTROL"));
    xml::document(
        "AccessControlPolicy",
        &format!("<Owner>{owner}</Owner><AccessControlList>{grant}</AccessControlList>"),
    )
}

pub(super) fn put(world: &mut World, asked: &Asked<'_>, name: &str) -> Reply {
    super::checksum::verify(asked)?;
    let text = asked.text()?;
    let bucket = of_mut(world, asked)?;
    let settings = &mut bucket.settings;
    match name {
        "versioning" => match xml::parse(text, "VersioningConfiguration")?.at(&["Status"]) {
            "Suspended" if settings.documents.contains_key("object-lock") => {
                let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
                return Err(Refusal::new("InvalidBucketState", message).with_status(409));
            }
            status @ ("Enabled" | "Suspended") => settings.versioning = status.to_owned(),
            _ => return Err(xml::malformed()),
        },
        "encryption" => (settings.encryption, settings.bucket_key) = read_encryption(text)?,
        "publicAccessBlock" => {
            let root = xml::parse(text, "PublicAccessBlockConfiguration")?;
            settings.public_access = Some(BLOCKS.map(|name| root.at(&[name]) == "true"));
        }
        "policy" => settings.policy = Some(read_policy(text, &asked.bucket)?),
        "tagging" => settings.tags = read_tags(text, 50)?,
        "ownershipControls" => keep(settings, name, xml::parse(text, "OwnershipControls")?)?,
        "lifecycle" => keep(settings, name, xml::parse(text, "LifecycleConfiguration")?)?,
        "cors" => keep(settings, name, xml::parse(text, "CORSConfiguration")?)?,
        _ => {
            let message =
                format!("A header or query you provided implies functionality that is not implemented: {name}");
            return Err(Refusal::new("NotImplemented", message).with_status(501));
        }
    }
    let status = if matches!(name, "policy" | "tagging") { 204 } else { 200 };
    Ok(xml::reply(status, &[], Bytes::new()))
}

/// Keeps a document that has at least one rule.
fn keep(settings: &mut Settings, name: &str, document: Element) -> Result<(), Refusal> {
    let rules = ["Rule", "CORSRule"].iter().any(|rule| document.child(rule).is_some());
    if !rules {
        return Err(xml::malformed());
    }
    settings.documents.insert(name.to_owned(), document);
    Ok(())
}

/// The algorithm with its key, and whether the bucket has a key of its own.
fn read_encryption(text: &str) -> Result<((String, String), bool), Refusal> {
    let root = xml::parse(text, "ServerSideEncryptionConfiguration")?;
    let by_default = ["Rule", "ApplyServerSideEncryptionByDefault"];
    let at = |name: &str| root.at(&[by_default[0], by_default[1], name]).to_owned();
    let bucket_key = root.at(&["Rule", "BucketKeyEnabled"]) == "true";
    match (at("SSEAlgorithm").as_str(), at("KMSMasterKeyID")) {
        ("AES256", key) if key.is_empty() => Ok((("AES256".into(), key), bucket_key)),
        ("AES256", _) => Err(Refusal::new(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )),
        (algorithm @ ("aws:kms" | "aws:kms:dsse"), key) => Ok(((algorithm.to_owned(), key), bucket_key)),
        _ => Err(xml::malformed()),
    }
}

fn read_policy(text: &str, bucket: &str) -> Result<String, Refusal> {
    let malformed = |message: &str| Refusal::new("MalformedPolicy", message);
    let policy: Value = serde_json::from_str(text)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        single @ Value::Object(_) => vec![single.clone()],
        _ => return Err(malformed("Missing required field Statement")),
    };
    for statement in &statements {
        let resources = match &statement["Resource"] {
            Value::Array(resources) => resources.clone(),
            single => vec![single.clone()],
        };
        let named = |resource: &Value| {
            let name = resource.as_str().and_then(|arn| arn.splitn(6, ':').nth(5)).unwrap_or_default();
            name.split('/').next() == Some(bucket)
        };
        if resources.is_empty() || !resources.iter().all(named) {
            return Err(malformed("Policy has invalid resource"));
        }
        if statement["Principal"].is_null() {
            return Err(malformed("Missing required field Principal"));
        }
    }
    Ok(text.to_owned())
}

pub(super) fn delete(world: &mut World, asked: &Asked<'_>, name: &str) -> Reply {
    let settings = &mut of_mut(world, asked)?.settings;
    match name {
        "encryption" => (settings.encryption, settings.bucket_key) = (Settings::default().encryption, false),
        "publicAccessBlock" => settings.public_access = None,
        "policy" => settings.policy = None,
        "tagging" => settings.tags.clear(),
        "ownershipControls" | "lifecycle" | "cors" => {
            settings.documents.remove(name);
        }
        _ => return Err(super::not_allowed()),
    }
    Ok(xml::reply(204, &[], Bytes::new()))
}
