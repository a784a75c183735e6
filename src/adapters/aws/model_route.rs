//! S3, for the model route: an object whose metadata holds its owner's mark. It is found by the project's name; each
//! write and deletion is of the content that was seen and of no other, so that another owner's is never touched. In a routine
//! look one listing serves all projects of a bucket.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::adapters::aws::artifact_bucket::{ArtifactBucketActuator, Bucket, Failure, code, refused, status};
use crate::adapters::aws::clients::Aws;
use crate::adapters::sharing::{Answers, may_share};
use crate::crd::identifiers::Sha256;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Actuator, Attempts, Depth, Glance, RecordedIds, digest_of};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::resources::artifact_bucket::Observed as Bucketed;
use crate::resources::model_route::{
    Action, Desired, ModelRoute, Observed, ObservedObject, all_routes, folder, group_of,
};

/// Metadata with the owner's mark.
const MARK: &str = "mlops-operator-owner";
/// Metadata with the object's namespace and name, for people.
const OBJECT: &str = "mlops-operator-object";
/// Routes of one project that are looked at: those of SageMaker projects that it has had.
const MOST: usize = 20;

/// Routes in a bucket that one list shows to all: beyond it each project's are listed by themselves.
const MOST_SHARED: usize = 20_000;

/// By the keys of objects what a listing tells of them: a digest of the entity tag, and of when it was written, since metadata
/// may change alone.
type Listing = Arc<BTreeMap<Box<str>, u64>>;

/// What is known of the routes in the buckets of a place; clones share it.
#[derive(Clone, Default)]
pub struct Routes {
    /// By the name of the bucket and what keys begin with.
    listings: Answers<(String, String), Listing>,
}

/// The actuator of the model route.
pub struct ModelRouteActuator {
    client: Client,
    routes: Routes,
    /// Tells whose a bucket is that may not be listed.
    buckets: ArtifactBucketActuator,
}

impl ModelRouteActuator {
    /// Works in the place that the clients are for.
    pub fn new(aws: &Aws) -> Self {
        Self { client: aws.s3.clone(), routes: aws.routes.clone(), buckets: ArtifactBucketActuator::new(aws) }
    }

    /// The keys of what may be routes of the project; none where there is no such bucket of the account.
    async fn listed(&self, id: &Identity) -> Result<Vec<String>, Fault> {
        let listing = if may_share() { self.all_listed(id).await? } else { None };
        let listing = match listing {
            Some(listing) => listing,
            None => Box::pin(self.list(id, &folder(id), MOST)).await?,
        };
        Ok(own(id, &listing).into_iter().map(|(key, _)| key.to_owned()).collect())
    }

    /// All routes of the bucket, as one list shows them to all; `None`: there are more than it shows.
    async fn all_listed(&self, id: &Identity) -> Result<Option<Listing>, Fault> {
        let prefix = all_routes(id);
        let question = (Bucket::of(id).name.to_owned(), prefix.clone());
        let shared = self.routes.listings.get(question, Box::pin(self.list(id, &prefix, MOST_SHARED))).await?;
        // One that is not complete says nothing of what it lacks.
        Ok(Some(shared).filter(|shared| shared.len() < MOST_SHARED))
    }

    /// All objects whose keys begin so, a page beyond `most` at most.
    async fn list(&self, id: &Identity, prefix: &str, most: usize) -> Result<Listing, Fault> {
        let bucket = Bucket::of(id);
        let (mut listing, mut token) = (BTreeMap::new(), None);
        loop {
            let call = self
                .client
                .list_objects_v2()
                .bucket(bucket.name)
                .expected_bucket_owner(bucket.owner)
                .prefix(prefix)
                .set_continuation_token(token);
            let answer = match call.send().await {
                Ok(answer) => answer,
                Err(error) if code(&error) == "NoSuchBucket" => return Ok(Listing::default()),
                // Nothing of ours is in a bucket that is not the account's, or not where the project is.
                Err(error) if matches!(status(&error), 301 | 403) && self.is_elsewhere(id).await? => {
                    return Ok(Listing::default());
                }
                Err(error) => {
                    return Err(refused("s3:ListBucket", &format!("list the routes in bucket \"{bucket}\""), &error));
                }
            };
            listing.extend(answer.contents().iter().filter_map(|object| {
                Some((object.key()?.into(), digest_of(&(object.e_tag(), object.last_modified()))))
            }));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() || listing.len() >= most {
                return Ok(Arc::new(listing));
            }
        }
    }

    async fn is_elsewhere(&self, id: &Identity) -> Result<bool, Fault> {
        let unusable = self.buckets.unusable(id).await?;
        Ok(matches!(unusable, Some(Bucketed::Absent | Bucketed::Foreign | Bucketed::Elsewhere(_))))
    }

    /// An object as it is; `None`: it went in the meantime.
    async fn head(&self, id: &Identity, key: String) -> Result<Option<ObservedObject>, Fault> {
        let bucket = Bucket::of(id);
        let head = self
            .client
            .head_object()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .key(&key)
            .checksum_mode(ChecksumMode::Enabled);
        let head = match head.send().await {
            Ok(head) => head,
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => return Err(refused("s3:GetObject", &format!("look at object \"{key}\""), &error)),
        };
        let sum = head.checksum_sha256().and_then(|sum| STANDARD.decode(sum).ok()).map(hex::encode);
        let mark = head.metadata().and_then(|metadata| metadata.get(MARK)).cloned();
        let etag = head.e_tag().unwrap_or_default().to_owned();
        Ok(Some(ObservedObject { key, sha256: sum.and_then(|sum| Sha256::parse(&sum).ok()), mark, etag }))
    }

    /// Writes the route in the place of the content with this entity tag, or where there is none.
    async fn write(&self, id: &Identity, route: &Desired, before: Option<&str>) -> Result<(), Fault> {
        let bucket = Bucket::of(id);
        let call = self
            .client
            .put_object()
            .bucket(bucket.name)
            .expected_bucket_owner(bucket.owner)
            .key(&route.key)
            .body(ByteStream::from(route.body.clone().into_bytes()))
            .content_type("application/json")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata(MARK, &route.mark)
            .metadata(OBJECT, format!("{}/{}", id.owner.namespace, id.owner.name))
            .set_if_match(before.map(str::to_owned))
            .set_if_none_match(before.is_none().then(|| "*".to_owned()));
        let attempt = format!("write object \"{}\"", route.key);
        call.send().await.map(drop).map_err(|error| changed("s3:PutObject", &attempt, &error))
    }

    async fn delete(&self, id: &Identity, key: &str, etag: &str) -> Result<(), Fault> {
        let bucket = Bucket::of(id);
        let call =
            self.client.delete_object().bucket(bucket.name).expected_bucket_owner(bucket.owner).key(key).if_match(etag);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == 404 => Ok(()),
            Err(error) => Err(changed("s3:DeleteObject", &format!("delete object \"{key}\""), &error)),
        }
    }
}

/// What may be routes of the project.
fn own<'a>(id: &Identity, listing: &'a Listing) -> Vec<(&'a str, u64)> {
    let folder = folder(id);
    let from = (Bound::Included(&*folder), Bound::Unbounded);
    let own = listing.range::<str, _>(from).map(|(key, version)| (&**key, *version));
    let own = own.take_while(|(key, _)| key.starts_with(&folder));
    own.filter(|(key, _)| group_of(id, key).is_some()).take(MOST).collect()
}

/// The fault of a conditional call: what is there is not what was seen, so it is looked at again.
fn changed<E: ProvideErrorMetadata>(permission: &str, attempt: &str, error: &Failure<E>) -> Fault {
    let fault = refused(permission, attempt, error);
    match code(error) {
        "PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey" => {
            Fault { kind: FaultKind::Conflict, reason: Reason::Conflict, ..fault }
        }
        _ => fault,
    }
}

impl Actuator<ModelRoute> for ModelRouteActuator {
    async fn observe(&self, id: &Identity, _tried: &Attempts) -> Result<Observed, Fault> {
        let mut objects = Vec::new();
        for key in self.listed(id).await? {
            objects.extend(self.head(id, key).await?);
        }
        Ok(Observed { objects })
    }

    async fn glance(&self, id: &Identity, desired: &Desired, depth: Depth) -> Result<Option<Glance>, Fault> {
        let Some(listing) = self.all_listed(id).await? else { return Ok(None) };
        let well = listing.contains_key(&*desired.key);
        // Whoever writes an object gives it another entity tag, or where the content is the same, from one second to the next,
        // another time. What that does not show is found within a day.
        let whole = (depth == Depth::Whole).then(|| digest_of(&own(id, &listing)));
        Ok(Some(Glance { standing: digest_of(&well), well, whole }))
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        match action {
            Action::Create(route) => self.write(id, route, None).await?,
            Action::Replace(route, etag) => self.write(id, route, Some(etag)).await?,
            Action::Delete { key, etag } => self.delete(id, key, etag).await?,
        }
        Ok(RecordedIds::new())
    }
}
