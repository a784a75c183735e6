//! The hands of the artifact bucket: S3 put into its words, and its actions into S3 calls. No decisions.

use std::collections::BTreeMap;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, CreateBucketConfiguration,
    Delete, ObjectIdentifier, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::adapters::aws::{Aws, fault};
use crate::crd::status::Reason;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::domain::resource::{Actuator, Attempts, Handles};
use crate::resources::artifact_bucket::{
    Action, ArtifactBucket, Encryption, Object, Observed, Seen, SeenObject, Settings, Version,
};

/// Works on artifact buckets with the clients of one place.
pub struct S3Actuator {
    client: aws_sdk_s3::Client,
}

type Failure<E> = SdkError<E, HttpResponse>;

/// The code of a refusal; empty where S3 did not answer.
fn code<E: ProvideErrorMetadata>(error: &Failure<E>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

fn status<E>(error: &Failure<E>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}

/// The fault of a call that needs this IAM action.
fn refused<E: ProvideErrorMetadata>(permission: &str, attempt: &str, error: &Failure<E>) -> Fault {
    let fault = fault(attempt, error);
    match code(error) {
        "NoSuchBucket" => Fault { kind: FaultKind::Propagating, reason: Reason::Propagating, ..fault },
        "BucketAlreadyExists" => {
            fault.because(Reason::BucketNameTaken).hint("name an existing bucket of your own in artifacts.bucket")
        }
        _ if fault.reason == Reason::AccessDenied => {
            fault.hint(format!("allow the operator's role {permission} on this bucket and its objects"))
        }
        _ => fault,
    }
}

fn s3_tags(tags: &BTreeMap<String, String>) -> Result<Tagging, Fault> {
    let tags: Result<Vec<Tag>, _> =
        tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let set = tags.map_err(|_| unbuilt("tags"))?;
    Tagging::builder().set_tag_set(Some(set)).build().map_err(|_| unbuilt("tags"))
}

/// The SDK refuses to build a request whose required members lack.
fn unbuilt(what: &str) -> Fault {
    Fault::new(FaultKind::Unexpected, format!("could not put together the {what} of an S3 request"))
}

fn plain_tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let ours = tags.iter().filter(|tag| !tag.key().starts_with("aws:"));
    ours.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// Tags in the form of the header `x-amz-tagging`.
fn tag_header(tags: &BTreeMap<String, String>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    tags.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect::<Vec<_>>().join("&")
}

impl S3Actuator {
    /// Works with these clients.
    pub fn new(aws: &Aws) -> Self {
        Self { client: aws.s3.clone() }
    }

    /// Whether the bucket is there to be worked with; `None`: it is.
    async fn unusable(&self, bucket: &str) -> Result<Option<Observed>, Fault> {
        let Err(error) = self.client.head_bucket().bucket(bucket).send().await else { return Ok(None) };
        // The answer to HEAD has no body, so the status is all there is to go by.
        match status(&error) {
            404 => Ok(Some(Observed::Absent)),
            301 => {
                let response = error.raw_response();
                let region = response.and_then(|response| response.headers().get("x-amz-bucket-region"));
                Ok(Some(Observed::Elsewhere(region.unwrap_or_default().to_owned())))
            }
            403 if code(&error).is_empty() || fault("", &error).reason == Reason::AccessDenied => {
                self.whose(bucket).await.map(Some)
            }
            _ => Err(refused("s3:ListBucket", &format!("look at bucket \"{bucket}\""), &error)),
        }
    }

    /// 403 may mean that the bucket is another account's, or that the operator lacks a permission: the account's own
    /// list tells, where it may be read.
    async fn whose(&self, bucket: &str) -> Result<Observed, Fault> {
        match self.client.list_buckets().prefix(bucket).send().await {
            Ok(answer) if answer.buckets().iter().any(|one| one.name() == Some(bucket)) => Ok(Observed::Forbidden),
            Ok(_) => Ok(Observed::Foreign),
            Err(error) => {
                let fault = fault(&format!("find out whose bucket \"{bucket}\" is"), &error);
                if fault.reason == Reason::AccessDenied { Ok(Observed::Forbidden) } else { Err(fault) }
            }
        }
    }

    async fn settings(&self, bucket: &str) -> Result<Settings, Fault> {
        Ok(Settings {
            tags: self.tags(bucket).await?,
            versioned: self.versioned(bucket).await?,
            encryption: self.encryption(bucket).await?,
            blocks_public_access: self.blocks_public_access(bucket).await?,
            policy: self.policy(bucket).await?,
        })
    }

    async fn tags(&self, bucket: &str) -> Result<BTreeMap<String, String>, Fault> {
        match self.client.get_bucket_tagging().bucket(bucket).send().await {
            Ok(answer) => Ok(plain_tags(answer.tag_set())),
            Err(error) if code(&error) == "NoSuchTagSet" => Ok(BTreeMap::new()),
            Err(error) => Err(refused("s3:GetBucketTagging", &format!("read the tags of bucket \"{bucket}\""), &error)),
        }
    }

    async fn versioned(&self, bucket: &str) -> Result<bool, Fault> {
        let answer = self.client.get_bucket_versioning().bucket(bucket).send().await.map_err(|error| {
            refused("s3:GetBucketVersioning", &format!("read the versioning of bucket \"{bucket}\""), &error)
        })?;
        Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
    }

    async fn encryption(&self, bucket: &str) -> Result<Encryption, Fault> {
        let answer = match self.client.get_bucket_encryption().bucket(bucket).send().await {
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

    async fn blocks_public_access(&self, bucket: &str) -> Result<bool, Fault> {
        let answer = match self.client.get_public_access_block().bucket(bucket).send().await {
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

    async fn policy(&self, bucket: &str) -> Result<Value, Fault> {
        match self.client.get_bucket_policy().bucket(bucket).send().await {
            Ok(answer) => Ok(serde_json::from_str(answer.policy().unwrap_or_default()).unwrap_or_default()),
            Err(error) if code(&error) == "NoSuchBucketPolicy" => Ok(Value::Null),
            Err(error) => {
                Err(refused("s3:GetBucketPolicy", &format!("read the policy of bucket \"{bucket}\""), &error))
            }
        }
    }

    /// The keys under the prefix that are there now.
    async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, Fault> {
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let call = self.client.list_objects_v2().bucket(bucket).prefix(prefix).set_continuation_token(token);
            let answer = call.send().await.map_err(|error| {
                refused("s3:ListBucket", &format!("list the objects of bucket \"{bucket}\""), &error)
            })?;
            keys.extend(answer.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(keys);
            }
        }
    }

    /// `None`: it went in the meantime.
    async fn object(&self, bucket: &str, key: &str) -> Result<Option<SeenObject>, Fault> {
        let head = self.client.head_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let head = match head.send().await {
            Ok(head) => head,
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => return Err(refused("s3:GetObject", &format!("look at object \"{key}\""), &error)),
        };
        let tags = match self.client.get_object_tagging().bucket(bucket).key(key).send().await {
            Ok(answer) => plain_tags(answer.tag_set()),
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => {
                return Err(refused("s3:GetObjectTagging", &format!("read the tags of object \"{key}\""), &error));
            }
        };
        let sha256 = head.checksum_sha256().and_then(|sum| STANDARD.decode(sum).ok()).map(hex::encode);
        Ok(Some(SeenObject { key: key.to_owned(), sha256: sha256.unwrap_or_default(), tags }))
    }

    /// The first page of versions and markers under the prefix, and whether there are more.
    async fn versions(&self, bucket: &str, prefix: &str) -> Result<(Vec<Version>, bool), Fault> {
        let call = self.client.list_object_versions().bucket(bucket).prefix(prefix);
        let answer = call.send().await.map_err(|error| {
            refused("s3:ListBucketVersions", &format!("list the object versions of bucket \"{bucket}\""), &error)
        })?;
        let version = |key: Option<&str>, id: Option<&str>| Some(Version { key: key?.to_owned(), id: id?.to_owned() });
        let objects = answer.versions().iter().filter_map(|one| version(one.key(), one.version_id()));
        let markers = answer.delete_markers().iter().filter_map(|one| version(one.key(), one.version_id()));
        Ok((objects.chain(markers).collect(), answer.is_truncated() == Some(true)))
    }
}

impl S3Actuator {
    async fn create(&self, id: &Identity) -> Result<(), Fault> {
        let (bucket, region) = (&id.placement.bucket, id.placement.region.as_str());
        let mut call = self.client.create_bucket().bucket(bucket);
        // us-east-1 is the one region that must not be named (CreateBucket API reference).
        if region != "us-east-1" {
            let there = BucketLocationConstraint::from(region);
            call = call
                .create_bucket_configuration(CreateBucketConfiguration::builder().location_constraint(there).build());
        }
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == "BucketAlreadyOwnedByYou" => Ok(()),
            Err(error) => Err(refused("s3:CreateBucket", &format!("create bucket \"{bucket}\""), &error)),
        }
    }

    async fn put_encryption(&self, bucket: &str, wanted: &Encryption) -> Result<(), Fault> {
        let by_default = match wanted {
            Encryption::Kms(key) => ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::AwsKms)
                .kms_master_key_id(key),
            Encryption::S3 | Encryption::Other => {
                ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256)
            }
        };
        let by_default = by_default.build().map_err(|_| unbuilt("encryption"))?;
        // A bucket key saves most calls to KMS; without KMS it has no effect.
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(by_default)
            .bucket_key_enabled(matches!(wanted, Encryption::Kms(_)));
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build());
        let rules = rules.build().map_err(|_| unbuilt("encryption"))?;
        let call = self.client.put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(rules);
        call.send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutEncryptionConfiguration", &format!("set the encryption of bucket \"{bucket}\""), &error)
        })
    }

    async fn enable_versioning(&self, bucket: &str) -> Result<(), Fault> {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let call = self.client.put_bucket_versioning().bucket(bucket).versioning_configuration(enabled);
        call.send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutBucketVersioning", &format!("enable versioning of bucket \"{bucket}\""), &error)
        })
    }

    async fn block_public_access(&self, bucket: &str) -> Result<(), Fault> {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true);
        let call = self.client.put_public_access_block().bucket(bucket);
        call.public_access_block_configuration(all.build()).send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutBucketPublicAccessBlock", &format!("block public access of bucket \"{bucket}\""), &error)
        })
    }

    async fn put_tags(&self, bucket: &str, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
        let call = self.client.put_bucket_tagging().bucket(bucket).tagging(s3_tags(tags)?);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| refused("s3:PutBucketTagging", &format!("set the tags of bucket \"{bucket}\""), &error))
    }

    async fn put_policy(&self, bucket: &str, policy: &Value) -> Result<(), Fault> {
        let call = self.client.put_bucket_policy().bucket(bucket).policy(policy.to_string());
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| refused("s3:PutBucketPolicy", &format!("set the policy of bucket \"{bucket}\""), &error))
    }

    async fn put_object(&self, bucket: &str, object: &Object) -> Result<(), Fault> {
        let call = self
            .client
            .put_object()
            .bucket(bucket)
            .key(&object.key)
            .body(ByteStream::from_static(object.body))
            .content_type(object.content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .tagging(tag_header(&object.tags));
        call.send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutObject and s3:PutObjectTagging", &format!("upload object \"{}\"", object.key), &error)
        })
    }

    async fn tag_object(&self, bucket: &str, key: &str, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
        let call = self.client.put_object_tagging().bucket(bucket).key(key).tagging(s3_tags(tags)?);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| refused("s3:PutObjectTagging", &format!("set the tags of object \"{key}\""), &error))
    }

    /// Deletes up to 1000 objects or versions in one call; one that is gone already counts as deleted.
    async fn delete(&self, bucket: &str, objects: Vec<ObjectIdentifier>) -> Result<(), Fault> {
        let batch = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(|_| unbuilt("keys"))?;
        let attempt = format!("delete objects of bucket \"{bucket}\"");
        let permission = "s3:DeleteObject and s3:DeleteObjectVersion";
        let call = self.client.delete_objects().bucket(bucket).delete(batch);
        let answer = call.send().await.map_err(|error| refused(permission, &attempt, &error))?;
        let Some(first) = answer.errors().first() else { return Ok(()) };
        let (code, message) = (first.code().unwrap_or_default(), first.message().unwrap_or_default());
        let kind = if code == "AccessDenied" { FaultKind::Denied } else { FaultKind::Unavailable };
        let key = first.key().unwrap_or_default();
        let text = format!("could not delete object \"{key}\" of bucket \"{bucket}\": {code}: {message}");
        Err(Fault::new(kind, text).hint(format!("allow the operator's role {permission}")))
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), Fault> {
        match self.client.delete_bucket().bucket(bucket).send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == "NoSuchBucket" => Ok(()),
            // Somebody put an object into it after the look; the next look finds it.
            Err(error) if code(&error) == "BucketNotEmpty" => {
                let fault = fault(&format!("delete bucket \"{bucket}\""), &error);
                Err(Fault { kind: FaultKind::Conflict, reason: Reason::Conflict, ..fault })
            }
            Err(error) => Err(refused("s3:DeleteBucket", &format!("delete bucket \"{bucket}\""), &error)),
        }
    }
}

fn identifier(key: &str, version: Option<String>) -> Result<ObjectIdentifier, Fault> {
    ObjectIdentifier::builder().key(key).set_version_id(version).build().map_err(|_| unbuilt("keys"))
}

impl Actuator<ArtifactBucket> for S3Actuator {
    async fn observe(&self, id: &Identity, _tried: &Attempts) -> Result<Observed, Fault> {
        let bucket = id.placement.bucket.as_str();
        if let Some(seen) = self.unusable(bucket).await? {
            return Ok(seen);
        }
        let prefix = id.bucket_prefix();
        let owned = id.placement.bucket_owned;
        let settings = if owned { Some(self.settings(bucket).await?) } else { None };
        let mut objects = Vec::new();
        for key in self.keys(bucket, &prefix).await? {
            objects.extend(self.object(bucket, &key).await?);
        }
        let (versions, more) = self.versions(bucket, if owned { "" } else { &prefix }).await?;
        Ok(Observed::Present(Seen { settings, objects, versions, more }))
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<Handles, Fault> {
        let bucket = id.placement.bucket.as_str();
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
                let objects: Result<Vec<_>, _> = keys.iter().take(1000).map(|key| identifier(key, None)).collect();
                self.delete(bucket, objects?).await?;
            }
            Action::DeleteVersions(versions) => {
                let objects = versions.iter().map(|version| identifier(&version.key, Some(version.id.clone())));
                self.delete(bucket, objects.collect::<Result<Vec<_>, _>>()?).await?;
            }
            Action::DeleteBucket => self.delete_bucket(bucket).await?,
        }
        Ok(Handles::new())
    }
}
