//! The actuator of the artifact bucket: S3 put into its words, and its actions into S3 calls, without decisions. The
//! observations stand here, the calls that change something in `write`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumMode, ServerSideEncryption, Tag};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::crd::identifiers::Sha256;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Actuator, Attempts, RecordedIds};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::{Identity, Owned, Ownership};
use crate::domain::platform::Platform;
use crate::resources::artifact_bucket::{
    Action, ArtifactBucket, Encryption, ObjectVersion, Observed, ObservedBucket, ObservedObject, Settings,
    archive_keys, goes_on_after, is_archive, is_of_the_trigger,
};

mod write;

/// Objects under the operator's prefix that are looked at, each with two calls: it puts a template, archives and little else
/// there.
const MOST_OBJECTS: usize = 1000;
/// Pages of a thousand keys that are read to find them.
const MOST_PAGES: usize = 20;

/// Works on artifact buckets with the clients of one place.
pub struct ArtifactBucketActuator {
    client: aws_sdk_s3::Client,
    look: Look,
}

/// Which objects under the operator's prefix are looked at.
enum Look {
    All,
    /// All but archives other than those with these keys.
    Wanted(BTreeSet<String>),
    /// All, but none where the mark of a bucket of our own speaks for what is in it.
    UnlessMarked,
}

pub(super) type Failure<E> = SdkError<E, HttpResponse>;

/// The code of a refusal; empty where S3 did not answer.
pub(super) fn code<E: ProvideErrorMetadata>(error: &Failure<E>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

pub(super) fn status<E>(error: &Failure<E>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

/// The fault of a call that needs this IAM action.
pub(super) fn refused<E: ProvideErrorMetadata>(permission: &str, attempt: &str, error: &Failure<E>) -> Fault {
    let fault = fault(attempt, error);
    match code(error) {
        "NoSuchBucket" => Fault { kind: FaultKind::Propagating, reason: Reason::Propagating, ..fault },
        "BucketAlreadyExists" => {
            fault.with_reason(Reason::BucketNameTaken).hint("name an existing bucket of your own in artifacts.bucket")
        }
        _ if fault.reason == Reason::AccessDenied => {
            fault.hint(format!("allow the operator's role {permission} on this bucket and its objects"))
        }
        _ => fault,
    }
}

fn plain_tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let ours = tags.iter().filter(|tag| !tag.key().starts_with("aws:"));
    ours.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// A bucket, and the account that it must belong to: names of buckets are free for anybody once a bucket is gone.
#[derive(Clone, Copy)]
pub(super) struct Bucket<'a> {
    pub(super) name: &'a str,
    pub(super) owner: &'a str,
}

impl<'a> Bucket<'a> {
    pub(super) fn of(id: &'a Identity) -> Self {
        Self { name: &id.placement.bucket, owner: id.placement.account_id.as_str() }
    }
}

impl fmt::Display for Bucket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Versions and delete markers of a page.
pub(super) fn listed_versions(page: &ListObjectVersionsOutput) -> Vec<ObjectVersion> {
    let version = |key: Option<&str>, id: Option<&str>, size: Option<i64>| {
        let size = size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        Some(ObjectVersion { key: key?.to_owned(), id: id?.to_owned(), size })
    };
    let objects = page.versions().iter().filter_map(|one| version(one.key(), one.version_id(), one.size()));
    let markers = page.delete_markers().iter().filter_map(|one| version(one.key(), one.version_id(), None));
    objects.chain(markers).collect()
}

impl ArtifactBucketActuator {
    /// Works with these clients.
    pub fn new(aws: &Aws) -> Self {
        Self { client: aws.s3.clone(), look: Look::All }
    }

    /// The same for a bucket that is to be as declared: archives of an older operator, which stay for the projects that
    /// name them, are not looked at each time.
    #[must_use]
    pub fn keeping(mut self, platform: &Platform) -> Self {
        self.look = Look::Wanted(archive_keys(platform));
        self
    }

    /// The same for a bucket that is to go: the mark of one of our own speaks for all that is in it, whatever others have put
    /// there.
    #[must_use]
    pub fn removing(mut self) -> Self {
        self.look = Look::UnlessMarked;
        self
    }

    /// Whether an object need not be looked at. With a new key of the installation all marks are made anew.
    fn passes_over(&self, id: &Identity, key: &str) -> bool {
        let unwanted = |key| matches!(&self.look, Look::Wanted(wanted) if !wanted.contains(key));
        is_of_the_trigger(id, key) || (unwanted(key) && is_archive(id, key) && !id.seals.accept_unsealed())
    }

    /// Whether the bucket is there to be worked with; `None`: it is. One of that name counts only in the project's account.
    pub(super) async fn unusable(&self, id: &Identity) -> Result<Option<Observed>, Fault> {
        let bucket = Bucket::of(id);
        let head = self.client.head_bucket().bucket(bucket.name).expected_bucket_owner(bucket.owner);
        let Err(error) = head.send().await else { return Ok(None) };
        // The answer to HEAD has no body, so the status is all there is to go by.
        match status(&error) {
            404 => Ok(Some(Observed::Absent)),
            301 => {
                let response = error.raw_response();
                let region = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
                Ok(Some(Observed::Elsewhere(region.unwrap_or_default().to_owned())))
            }
            403 if code(&error).is_empty() || fault("", &error).reason == Reason::AccessDenied => {
                // Whoever asks is told the region of a bucket that exists, allowed or not (HeadBucket API reference).
                let response = error.raw_response();
                let exists = response.is_some_and(|response| response.headers().get("x-amz-bucket-region").is_some());
                self.whose(bucket, exists).await.map(Some)
            }
            _ => Err(refused("s3:ListBucket", &format!("look at bucket \"{bucket}\""), &error)),
        }
    }

    /// 403 may mean that the bucket is another account's, or that the operator lacks a permission, be there a bucket or
    /// not: the account's own list tells whether an existing one is ours, where it may be read.
    async fn whose(&self, bucket: Bucket<'_>, exists: bool) -> Result<Observed, Fault> {
        match self.client.list_buckets().prefix(bucket.name).send().await {
            Ok(answer) if answer.buckets().iter().any(|one| one.name() == Some(bucket.name)) => Ok(Observed::Forbidden),
            Ok(_) if exists => Ok(Observed::Foreign),
            Ok(_) => Ok(Observed::Undisclosed),
            Err(error) => {
                let fault = fault(&format!("find out whose bucket \"{bucket}\" is"), &error);
                if fault.reason == Reason::AccessDenied { Ok(Observed::Undisclosed) } else { Err(fault) }
            }
        }
    }

    async fn settings(&self, bucket: Bucket<'_>) -> Result<Settings, Fault> {
        Ok(Settings {
            tags: self.tags(bucket).await?,
            versioned: self.versioned(bucket).await?,
            encryption: self.encryption(bucket).await?,
            blocks_public_access: self.blocks_public_access(bucket).await?,
            policy: self.policy(bucket).await?,
        })
    }

    async fn tags(&self, bucket: Bucket<'_>) -> Result<BTreeMap<String, String>, Fault> {
        match self.client.get_bucket_tagging().bucket(bucket.name).expected_bucket_owner(bucket.owner).send().await {
            Ok(answer) => Ok(plain_tags(answer.tag_set())),
            Err(error) if code(&error) == "NoSuchTagSet" => Ok(BTreeMap::new()),
            Err(error) => Err(refused("s3:GetBucketTagging", &format!("read the tags of bucket \"{bucket}\""), &error)),
        }
    }

    async fn versioned(&self, bucket: Bucket<'_>) -> Result<bool, Fault> {
        let answer = self
            .client
            .get_bucket_versioning()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .send()
            .await
            .map_err(|error| {
                refused("s3:GetBucketVersioning", &format!("read the versioning of bucket \"{bucket}\""), &error)
            })?;
        Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
    }

    async fn encryption(&self, bucket: Bucket<'_>) -> Result<Encryption, Fault> {
        let answer = match self
            .client
            .get_bucket_encryption()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(error) if code(&error) == "ServerSideEncryptionConfigurationNotFoundError" => {
                return Ok(Encryption::Other);
            }
            Err(error) => {
                let attempt = format!("read the encryption of bucket \"{bucket}\"");
                return Err(refused("s3:GetEncryptionConfiguration", &attempt, &error));
            }
        };
        let rules = answer.server_side_encryption_configuration().map(|found| found.rules()).unwrap_or_default();
        let found = rules.first().and_then(|rule| rule.apply_server_side_encryption_by_default());
        Ok(match found.map(|found| (found.sse_algorithm(), found.kms_master_key_id())) {
            Some((ServerSideEncryption::Aes256, _)) => Encryption::S3,
            Some((ServerSideEncryption::AwsKms, Some(key))) => Encryption::Kms(key.to_owned()),
            _ => Encryption::Other,
        })
    }

    async fn blocks_public_access(&self, bucket: Bucket<'_>) -> Result<bool, Fault> {
        let answer = match self
            .client
            .get_public_access_block()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(error) if code(&error) == "NoSuchPublicAccessBlockConfiguration" => return Ok(false),
            Err(error) => {
                let attempt = format!("read the public access block of bucket \"{bucket}\"");
                return Err(refused("s3:GetBucketPublicAccessBlock", &attempt, &error));
            }
        };
        Ok(answer.public_access_block_configuration().is_some_and(|blocks| {
            [
                blocks.block_public_acls(),
                blocks.ignore_public_acls(),
                blocks.block_public_policy(),
                blocks.restrict_public_buckets(),
            ]
            .iter()
            .all(|on| *on == Some(true))
        }))
    }

    async fn policy(&self, bucket: Bucket<'_>) -> Result<Value, Fault> {
        match self.client.get_bucket_policy().bucket(bucket.name).expected_bucket_owner(bucket.owner).send().await {
            Ok(answer) => Ok(serde_json::from_str(answer.policy().unwrap_or_default()).unwrap_or_default()),
            Err(error) if code(&error) == "NoSuchBucketPolicy" => Ok(Value::Null),
            Err(error) => {
                Err(refused("s3:GetBucketPolicy", &format!("read the policy of bucket \"{bucket}\""), &error))
            }
        }
    }

    /// The keys under the prefix that are there now and are to be looked at. Others may write there: they get no more than
    /// so many calls and so much memory.
    async fn keys(&self, id: &Identity, bucket: Bucket<'_>, prefix: &str) -> Result<Vec<String>, Fault> {
        let (mut keys, mut after) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let call = self
                .client
                .list_objects_v2()
                .bucket(bucket.name)
                .expected_bucket_owner(bucket.owner)
                .prefix(prefix)
                .set_start_after(after);
            let answer = call.send().await.map_err(|error| {
                refused("s3:ListBucket", &format!("list the objects of bucket \"{bucket}\""), &error)
            })?;
            let found = answer.contents().iter().filter_map(|object| object.key());
            after = found
                .clone()
                .next_back()
                .filter(|_| answer.is_truncated() == Some(true))
                .map(|key| goes_on_after(id, key));
            keys.extend(found.filter(|key| !self.passes_over(id, key)).map(str::to_owned));
            if keys.len() > MOST_OBJECTS {
                break;
            }
            if after.is_none() {
                return Ok(keys);
            }
        }
        let what = format!(
            "could not look at the objects under \"{prefix}\" of bucket \"{bucket}\": there are more than the operator has ever \
             put there"
        );
        Err(Fault::new(FaultKind::Unexpected, what).hint("remove what others have put under that prefix"))
    }

    /// `None`: it went in the meantime.
    async fn object(&self, bucket: Bucket<'_>, key: &str) -> Result<Option<ObservedObject>, Fault> {
        let head = self
            .client
            .head_object()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .key(key)
            .checksum_mode(ChecksumMode::Enabled);
        let head = match head.send().await {
            Ok(head) => head,
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => return Err(refused("s3:GetObject", &format!("look at object \"{key}\""), &error)),
        };
        let tags = match self
            .client
            .get_object_tagging()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .key(key)
            .send()
            .await
        {
            Ok(answer) => plain_tags(answer.tag_set()),
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => {
                return Err(refused("s3:GetObjectTagging", &format!("read the tags of object \"{key}\""), &error));
            }
        };
        let sum = head.checksum_sha256().and_then(|sum| STANDARD.decode(sum).ok()).map(hex::encode);
        let sha256 = sum.and_then(|sum| Sha256::parse(&sum).ok());
        Ok(Some(ObservedObject { key: key.to_owned(), sha256, tags }))
    }

    /// The first page of versions and markers under the prefix, and whether there are more.
    async fn versions(&self, bucket: Bucket<'_>, prefix: &str) -> Result<(Vec<ObjectVersion>, bool), Fault> {
        let call =
            self.client.list_object_versions().bucket(bucket.name).expected_bucket_owner(bucket.owner).prefix(prefix);
        let answer = call.send().await.map_err(|error| {
            refused("s3:ListBucketVersions", &format!("list the object versions of bucket \"{bucket}\""), &error)
        })?;
        Ok((listed_versions(&answer), answer.is_truncated() == Some(true)))
    }
}

impl Actuator<ArtifactBucket> for ArtifactBucketActuator {
    async fn observe(&self, id: &Identity, _tried: &Attempts) -> Result<Observed, Fault> {
        let bucket = Bucket::of(id);
        if let Some(observed) = self.unusable(id).await? {
            return Ok(observed);
        }
        let prefix = id.bucket_prefix();
        let owned = id.placement.bucket_owned;
        let settings = if owned { Some(self.settings(bucket).await?) } else { None };
        let marked = |found: &Settings| id.ownership(Owned::Bucket, &found.tags) == Ownership::Ours;
        let mut objects = Vec::new();
        if !(matches!(self.look, Look::UnlessMarked) && settings.as_ref().is_some_and(marked)) {
            for key in self.keys(id, bucket, &prefix).await? {
                objects.extend(self.object(bucket, &key).await?);
            }
        }
        let (versions, more) = self.versions(bucket, if owned { "" } else { &prefix }).await?;
        Ok(Observed::Present(ObservedBucket { settings, objects, versions, more }))
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        let bucket = Bucket::of(id);
        match action {
            Action::CreateBucket => self.create(id).await?,
            Action::PutTags(tags) => self.put_tags(bucket, tags).await?,
            Action::EnableVersioning => self.enable_versioning(bucket).await?,
            Action::PutEncryption(wanted) => self.put_encryption(bucket, wanted).await?,
            Action::BlockPublicAccess => self.block_public_access(bucket).await?,
            Action::PutPolicy(policy) => self.put_policy(bucket, policy).await?,
            Action::PutObject(object) => self.put_object(bucket, object).await?,
            Action::TagObject(key, tags) => self.tag_object(bucket, key, tags).await?,
            Action::DeleteObjects(keys) => {
                let objects: Result<Vec<_>, _> =
                    keys.iter().take(1000).map(|key| write::identifier(key, None)).collect();
                self.delete(bucket, objects?).await?;
            }
            Action::DeleteVersions(versions) => {
                let objects = versions.iter().map(|version| write::identifier(&version.key, Some(version.id.clone())));
                self.delete(bucket, objects.collect::<Result<Vec<_>, _>>()?).await?;
            }
            Action::DeleteBucket => self.delete_bucket(bucket).await?,
        }
        Ok(RecordedIds::new())
    }
}
