//! Artifact bucket: the S3 bucket with the project template, the check-in of seed code and the seed code itself, each
//! as an object whose key holds its content's SHA-256.
//! A bucket of our own is made, kept as declared and deleted; of a bucket that the spec names only what lies under
//! our prefix is ours, and nothing else is read or touched. A bucket of another owner is never touched.
//!
//! A template that is no longer asked for is removed at once: Service Catalog keeps its own copy from the moment a
//! version is made, and a newer version is made only after this resource handed on the newer URL. Check-in and seed code
//! stay until the bucket's part of ours goes: a project that was made with them goes on naming them, whatever a newer
//! operator carries.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::crd::identifiers::Sha256;
use crate::crd::status::{ArtifactStatus, MlopsProjectStatus, Placement};
use crate::domain::external_resource::{Amount, Attempts, Decision, ExternalResource, Goal, ResourceKind, StepKey};
use crate::domain::identity::{FINGERPRINT_TAG, Identity, Owned, digest};
use crate::domain::platform::{Platform, Template};
use crate::domain::project::RepositoryRole;
use crate::domain::tags;
use crate::resources::prerequisites::OperatorPrincipal;
use crate::templates::archives::{self, Archive};

mod decide;
#[cfg(test)]
mod tests;

/// Where the routes lie under our prefix. They are a resource of their own, `model_route`.
pub const ROUTES: &str = "routes/";
/// What lies under our prefix and is none of this resource's while the bucket is wanted: routes, and what the model
/// trigger's function writes down. It goes with the bucket's part of ours.
pub const OF_THE_TRIGGER: [&str; 3] = ["events/", ROUTES, "starting/"];

/// S3 takes ten tags on an object (S3 user guide, "Categorizing your objects using tags").
const OBJECT_TAGS: usize = 10;

/// The artifact bucket, as a resource.
pub struct ArtifactBucket;

/// What it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// What is set on it, if it is our own.
    pub settings: Option<Settings>,
    /// What lies in it.
    pub objects: Vec<Object>,
    /// For the resources after it.
    pub artifacts: Artifacts,
}

/// What is set on a bucket of our own, wanted or seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Tags: wanted, those of the spec with the record of their keys, the owner's and the fingerprint; seen, all but those
    /// of AWS itself (`aws:`).
    pub tags: BTreeMap<String, String>,
    /// Whether versioning is enabled.
    pub versioned: bool,
    /// How objects are encrypted by default.
    pub encryption: Encryption,
    /// Whether all four public access blocks are on.
    pub blocks_public_access: bool,
    /// The bucket policy; null: none.
    pub policy: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Anything else, or none.
    #[default]
    Other,
    /// With keys of S3: AES256.
    S3,
    /// With this KMS key.
    Kms(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key, below our prefix.
    pub key: String,
    /// Of its content.
    pub sha256: Sha256,
    pub body: Bytes,
    pub content_type: &'static str,
    /// Tags, at most ten.
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// There is no such bucket.
    Absent,
    /// It belongs to another account.
    Foreign,
    /// It is in our account, but the operator may not read it.
    Forbidden,
    /// The operator may not read it, and nothing says whose it is, nor whether there is one.
    Undisclosed,
    /// It is in another region; empty: unknown which.
    Elsewhere(String),
    /// It can be worked with.
    Present(ObservedBucket),
}

/// What was seen of a bucket that can be worked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedBucket {
    /// What is set on it; `None` for a bucket that is not our own.
    pub settings: Option<Settings>,
    /// The objects under our prefix as they are now.
    pub objects: Vec<ObservedObject>,
    /// What deletion has to remove, or the first part of it: every version and marker, in a bucket that is not our
    /// own those under our prefix only.
    pub versions: Vec<ObjectVersion>,
    /// Whether there are more versions than `versions` holds.
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedObject {
    pub key: String,
    /// What S3 verified at upload, if it keeps that.
    pub sha256: Option<Sha256>,
    pub tags: BTreeMap<String, String>,
}

/// A version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectVersion {
    pub key: String,
    /// `null` in a bucket without versioning.
    pub id: String,
    /// In bytes.
    pub size: u64,
}

impl ObjectVersion {
    /// How much these are.
    pub fn amount(versions: &[Self]) -> Amount {
        let size = versions.iter().map(|version| version.size).sum();
        Amount { objects: versions.len() as u64, size, ..Amount::default() }
    }
}

/// What can be done to it. The bucket's name and region are the placement's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Makes the bucket; that it is ours already counts as made.
    CreateBucket,
    PutTags(BTreeMap<String, String>),
    EnableVersioning,
    /// Sets the default encryption.
    PutEncryption(Encryption),
    /// Turns all four public access blocks on.
    BlockPublicAccess,
    /// Replaces the bucket policy.
    PutPolicy(Value),
    PutObject(Object),
    /// Replaces an object's tags.
    TagObject(String, BTreeMap<String, String>),
    /// Removes versions and markers for good.
    DeleteVersions(Vec<ObjectVersion>),
    /// Removes the current version of each key: what is left is removed for good when the bucket's part of ours goes.
    DeleteObjects(Vec<String>),
    /// Removes the empty bucket.
    DeleteBucket,
}

/// The artifacts that the catalog product is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Artifacts {
    pub bucket: String,
    /// HTTPS URL of the project template: its key holds the content's SHA-256.
    pub template_url: String,
    /// Of the project template.
    pub template_sha256: Sha256,
}

/// A bucket that is there, for resources that need no artifact in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadyBucket {
    pub name: String,
}

impl From<&Artifacts> for ReadyBucket {
    fn from(artifacts: &Artifacts) -> Self {
        Self { name: artifacts.bucket.clone() }
    }
}

/// The folder of the model trigger that a key lies in, if it does.
fn folder_of_the_trigger(id: &Identity, key: &str) -> Option<&'static str> {
    let rest = key.strip_prefix(&id.bucket_prefix())?;
    OF_THE_TRIGGER.into_iter().find(|folder| rest.starts_with(folder))
}

/// Whether an object is the model trigger's.
pub fn is_of_the_trigger(id: &Identity, key: &str) -> bool {
    folder_of_the_trigger(id, key).is_some()
}

/// After which key a list of what lies under our prefix goes on that has come to this one: past a folder of the model
/// trigger, which may hold any number.
pub fn goes_on_after(id: &Identity, key: &str) -> String {
    match folder_of_the_trigger(id, key) {
        // The sign after a slash comes before all that follows the folder.
        Some(folder) => format!("{}{}0", id.bucket_prefix(), folder.trim_end_matches('/')),
        None => key.to_owned(),
    }
}

impl ExternalResource for ArtifactBucket {
    const KIND: ResourceKind = ResourceKind::ArtifactBucket;
    type Declared = Platform;
    type Inputs = OperatorPrincipal;
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Artifacts;

    fn desired(platform: &Platform, _inputs: &OperatorPrincipal) -> Desired {
        let id = &platform.identity;
        let template = template_object(platform);
        let artifacts = Artifacts {
            bucket: id.placement.bucket.clone(),
            template_url: url(id, &template.key),
            template_sha256: template.sha256.clone(),
        };
        let objects = std::iter::once(template).chain(archive_objects(platform)).collect();
        Desired { settings: id.placement.bucket_owned.then(|| settings(platform)), objects, artifacts }
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        observed: &Observed,
        _now: Timestamp,
        _tried: &Attempts,
    ) -> Decision<Action, Artifacts> {
        match goal {
            Goal::Present(desired) => decide::present(id, desired, observed),
            Goal::Absent => decide::absent(id, observed),
        }
    }

    fn key(action: &Action) -> StepKey {
        match action {
            Action::CreateBucket => StepKey::new("CreateBucket", &[]),
            Action::PutTags(tags) => StepKey::new("PutBucketTagging", &[]).with_contents(tags),
            Action::EnableVersioning => StepKey::new("PutBucketVersioning", &[]),
            Action::PutEncryption(Encryption::Kms(key)) => StepKey::new("PutBucketEncryption", &[key]),
            Action::PutEncryption(Encryption::S3 | Encryption::Other) => StepKey::new("PutBucketEncryption", &[]),
            Action::BlockPublicAccess => StepKey::new("PutPublicAccessBlock", &[]),
            Action::PutPolicy(policy) => StepKey::new("PutBucketPolicy", &[]).with_contents(&policy.to_string()),
            Action::PutObject(object) => StepKey::new("PutObject", &[&object.key, &object.sha256]),
            Action::TagObject(key, tags) => StepKey::new("PutObjectTagging", &[key]).with_contents(tags),
            // A bucket is emptied page by page: each page begins with another version.
            Action::DeleteVersions(versions) => {
                let first = versions.first().map_or(["", ""], |first| [first.key.as_str(), first.id.as_str()]);
                StepKey::new("DeleteObjectVersions", &first)
            }
            Action::DeleteObjects(keys) => StepKey::new("DeleteObjects", &[keys.first().map_or("", String::as_str)]),
            Action::DeleteBucket => StepKey::new("DeleteBucket", &[]),
        }
    }

    fn exists(observed: &Observed) -> bool {
        matches!(observed, Observed::Present(_) | Observed::Forbidden | Observed::Undisclosed)
    }

    fn show(_placement: &Placement, output: Option<&Artifacts>, status: &mut MlopsProjectStatus) {
        status.artifacts = output.map(|artifacts| ArtifactStatus {
            bucket: artifacts.bucket.clone(),
            template_url: artifacts.template_url.clone(),
            template_sha256: artifacts.template_sha256.to_string(),
        });
    }

    fn whereabouts(placement: &Placement, _status: &MlopsProjectStatus) -> Option<String> {
        let Placement { bucket, account_id, region, .. } = placement;
        Some(format!("artifact bucket \"{bucket}\" in account {account_id}, {region}"))
    }
}

fn template_object(platform: &Platform) -> Object {
    let id = &platform.identity;
    let Template { word, text, .. } = &platform.catalog.template;
    let body = Bytes::copy_from_slice(text.as_bytes());
    let sha256 = Sha256::of(&body);
    let key = format!("{}templates/{word}/{sha256}.yaml", id.bucket_prefix());
    Object { key, sha256, body, content_type: "application/yaml", tags: object_tags(platform) }
}

/// The archives that projects ask for.
fn archive_objects(platform: &Platform) -> Vec<Object> {
    let id = &platform.identity;
    let object = |folder: String, archive: &Archive| Object {
        key: archive_key(&folder, &archive.sha256),
        sha256: archive.sha256.clone(),
        body: Bytes::from_static(archive.body),
        content_type: "application/zip",
        tags: object_tags(platform),
    };
    let check_in = platform.seeds.any.then(|| object(bootstrap_folder(id), &archives::BOOTSTRAP));
    let bundled = platform.seeds.bundled.iter();
    let seed = bundled.map(|role| object(seed_folder(id, *role), role.bundled_archive()));
    check_in.into_iter().chain(seed).collect()
}

fn object_tags(platform: &Platform) -> BTreeMap<String, String> {
    let mut tags = platform.identity.owner_tags(Owned::Artifacts);
    let room = OBJECT_TAGS.saturating_sub(tags.len());
    tags.extend(platform.tags.clone().into_iter().take(room));
    tags
}

/// Where archives with the check-in lie in the bucket: what a key begins with, before `<sha256>.zip`.
pub fn bootstrap_folder(id: &Identity) -> String {
    format!("{}bootstrap/", id.bucket_prefix())
}

/// Where archives with the built-in seed code of a repository lie in the bucket.
pub fn seed_folder(id: &Identity, role: RepositoryRole) -> String {
    format!("{}seed/{}/", id.bucket_prefix(), role.name())
}

/// An archive's key, given the folder that it lies in and its checksum.
pub fn archive_key(folder: &str, sha256: &Sha256) -> String {
    format!("{folder}{sha256}.zip")
}

/// The keys of the archives that a platform's projects ask for.
pub fn archive_keys(platform: &Platform) -> BTreeSet<String> {
    archive_objects(platform).into_iter().map(|object| object.key).collect()
}

/// Whether an object may be named by a project that exists, so that it stays though nothing asks for it now.
pub fn is_archive(id: &Identity, key: &str) -> bool {
    key.starts_with(&bootstrap_folder(id)) || key.starts_with(&format!("{}seed/", id.bucket_prefix()))
}

fn settings(platform: &Platform) -> Settings {
    let id = &platform.identity;
    let encryption = platform.kms_key_id.clone().map_or(Encryption::S3, Encryption::Kms);
    let policy = tls_only(&id.placement.partition, &id.placement.bucket);
    let mut tags = tags::recorded(Owned::Bucket, &platform.tags);
    tags.extend(id.owner_tags(Owned::Bucket));
    let key = platform.kms_key_id.as_deref().unwrap_or_default();
    let fingerprint = digest(&[&json!(tags).to_string(), key, &policy.to_string()]);
    tags.insert(FINGERPRINT_TAG.to_owned(), fingerprint[..32].to_owned());
    Settings { tags, versioned: true, encryption, blocks_public_access: true, policy }
}

/// A policy that refuses every request that is not encrypted (S3 user guide, "Security best practices").
fn tls_only(partition: &str, bucket: &str) -> Value {
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket, format!("{bucket}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }],
    })
}

/// HTTPS URL of an object, in the form that Service Catalog and CloudFormation take.
fn url(id: &Identity, key: &str) -> String {
    let Placement { region, bucket, .. } = &id.placement;
    format!("https://{bucket}.s3.{region}.{}/{key}", region.dns_suffix())
}
