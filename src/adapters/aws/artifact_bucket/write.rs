//! The calls that change an artifact bucket and what lies in it: one function per action.

use std::collections::BTreeMap;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, CreateBucketConfiguration, Delete,
    ObjectIdentifier, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{ArtifactBucketActuator, Bucket, code, refused};
use crate::adapters::aws::errors::fault;
use crate::crd::status::Reason;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::resources::artifact_bucket::{Encryption, Object};

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

/// Tags in the form of the header `x-amz-tagging`.
fn tag_header(tags: &BTreeMap<String, String>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    tags.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect::<Vec<_>>().join("&")
}

impl ArtifactBucketActuator {
    pub(super) async fn create(&self, id: &Identity) -> Result<(), Fault> {
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

    pub(super) async fn put_encryption(&self, bucket: Bucket<'_>, wanted: &Encryption) -> Result<(), Fault> {
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
        let call = self
            .client
            .put_bucket_encryption()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .server_side_encryption_configuration(rules);
        call.send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutEncryptionConfiguration", &format!("set the encryption of bucket \"{bucket}\""), &error)
        })
    }

    pub(super) async fn enable_versioning(&self, bucket: Bucket<'_>) -> Result<(), Fault> {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let call = self
            .client
            .put_bucket_versioning()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .versioning_configuration(enabled);
        call.send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutBucketVersioning", &format!("enable versioning of bucket \"{bucket}\""), &error)
        })
    }

    pub(super) async fn block_public_access(&self, bucket: Bucket<'_>) -> Result<(), Fault> {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true);
        let call = self.client.put_public_access_block().bucket(bucket.name).expected_bucket_owner(bucket.owner);
        call.public_access_block_configuration(all.build()).send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutBucketPublicAccessBlock", &format!("block public access of bucket \"{bucket}\""), &error)
        })
    }

    pub(super) async fn put_tags(&self, bucket: Bucket<'_>, tags: &BTreeMap<String, String>) -> Result<(), Fault> {
        let call = self
            .client
            .put_bucket_tagging()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .tagging(s3_tags(tags)?);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| refused("s3:PutBucketTagging", &format!("set the tags of bucket \"{bucket}\""), &error))
    }

    pub(super) async fn put_policy(&self, bucket: Bucket<'_>, policy: &Value) -> Result<(), Fault> {
        let call = self
            .client
            .put_bucket_policy()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .policy(policy.to_string());
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| refused("s3:PutBucketPolicy", &format!("set the policy of bucket \"{bucket}\""), &error))
    }

    pub(super) async fn put_object(&self, bucket: Bucket<'_>, object: &Object) -> Result<(), Fault> {
        let call = self
            .client
            .put_object()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .key(&object.key)
            .body(ByteStream::from(object.body.clone()))
            .content_type(object.content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .tagging(tag_header(&object.tags));
        call.send().await.map(|_| ()).map_err(|error| {
            refused("s3:PutObject and s3:PutObjectTagging", &format!("upload object \"{}\"", object.key), &error)
        })
    }

    pub(super) async fn tag_object(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Fault> {
        let call = self
            .client
            .put_object_tagging()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .key(key)
            .tagging(s3_tags(tags)?);
        call.send()
            .await
            .map(|_| ())
            .map_err(|error| refused("s3:PutObjectTagging", &format!("set the tags of object \"{key}\""), &error))
    }

    /// Deletes up to 1000 objects or versions in one call; one that is gone already counts as deleted.
    pub(super) async fn delete(&self, bucket: Bucket<'_>, objects: Vec<ObjectIdentifier>) -> Result<(), Fault> {
        let batch = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(|_| unbuilt("keys"))?;
        let attempt = format!("delete objects of bucket \"{bucket}\"");
        let permission = "s3:DeleteObject and s3:DeleteObjectVersion";
        let call = self.client.delete_objects().bucket(bucket.name).expected_bucket_owner(bucket.owner).delete(batch);
        let answer = call.send().await.map_err(|error| refused(permission, &attempt, &error))?;
        let Some(first) = answer.errors().first() else { return Ok(()) };
        let (code, message) = (first.code().unwrap_or_default(), first.message().unwrap_or_default());
        let kind = if code == "AccessDenied" { FaultKind::Denied } else { FaultKind::Unavailable };
        let key = first.key().unwrap_or_default();
        let text = format!("could not delete object \"{key}\" of bucket \"{bucket}\": {code}: {message}");
        Err(Fault::new(kind, text).hint(format!("allow the operator's role {permission}")))
    }

    pub(super) async fn delete_bucket(&self, bucket: Bucket<'_>) -> Result<(), Fault> {
        match self.client.delete_bucket().bucket(bucket.name).expected_bucket_owner(bucket.owner).send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == "NoSuchBucket" => Ok(()),
            // Somebody put an object into it after the observation; the next one finds it.
            Err(error) if code(&error) == "BucketNotEmpty" => {
                let fault = fault(&format!("delete bucket \"{bucket}\""), &error);
                Err(Fault { kind: FaultKind::Conflict, reason: Reason::Conflict, ..fault })
            }
            Err(error) => Err(refused("s3:DeleteBucket", &format!("delete bucket \"{bucket}\""), &error)),
        }
    }
}

pub(super) fn identifier(key: &str, version: Option<String>) -> Result<ObjectIdentifier, Fault> {
    ObjectIdentifier::builder().key(key).set_version_id(version).build().map_err(|_| unbuilt("keys"))
}
