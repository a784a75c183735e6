//! S3, for the model route: an object whose metadata holds its owner's mark. It is found by the project's name; each
//! write and deletion is of the content that was seen and of no other, so that another owner's is never touched. In a routine
//! look one listing serves all projects of a bucket: an object that it shows unchanged is as it was when it was looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
use crate::domain::recent::Recent;
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

/// Objects that were looked at, of which no more are remembered: beyond it each look at one is a call.
const REMEMBERED: usize = 20_000;

/// What a listing tells of an object: its entity tag, and when it was written, since metadata may change alone.
type Version = (String, Option<aws_smithy_types::DateTime>);
/// Versions by the keys of objects.
type Listing = Arc<BTreeMap<String, Version>>;
/// Objects as they were when they were looked at, by bucket and key.
type Seen = Recent<(String, String), Known>;

/// An object as it was when it was looked at, without what the listing says of it, too.
#[derive(Clone)]
struct Known {
    /// The version that the listing gave it then: that of this content.
    version: Version,
    sha256: Option<Sha256>,
    mark: Option<String>,
}

/// What is known of the routes in the buckets of a place; clones share it.
#[derive(Clone)]
pub struct Routes {
    /// By the name of the bucket and what keys begin with.
    listings: Answers<(String, String), Listing>,
    objects: Arc<Mutex<Seen>>,
}

impl Default for Routes {
    fn default() -> Self {
        Self { listings: Answers::default(), objects: Arc::new(Mutex::new(Recent::new(REMEMBERED))) }
    }
}

impl Routes {
    fn objects(&self) -> MutexGuard<'_, Seen> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    /// What may be routes of the project; none where there is no such bucket of the account.
    async fn listed(&self, id: &Identity) -> Result<Vec<(String, Version)>, Fault> {
        let listing = if may_share() { self.all_listed(id).await? } else { None };
        let listing = match listing {
            Some(listing) => listing,
            None => Box::pin(self.list(id, &folder(id), MOST)).await?,
        };
        let own = listing.range(folder(id)..).take_while(|(key, _)| key.starts_with(&folder(id)));
        let own = own.filter(|(key, _)| group_of(id, key).is_some()).take(MOST);
        Ok(own.map(|(key, version)| (key.clone(), version.clone())).collect())
    }

    /// All routes of the bucket, as one list shows them to all; `None`: there are more than it shows.
    async fn all_listed(&self, id: &Identity) -> Result<Option<Listing>, Fault> {
        let prefix = all_routes(id);
        let question = (Bucket::of(id).name.to_owned(), prefix.clone());
        let shared = self.routes.listings.get(question, Box::pin(self.list(id, &prefix, REMEMBERED))).await?;
        // One that is not complete says nothing of what it lacks.
        Ok(Some(shared).filter(|shared| shared.len() < REMEMBERED))
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
                let version = (object.e_tag().unwrap_or_default().to_owned(), object.last_modified().copied());
                Some((object.key()?.to_owned(), version))
            }));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() || listing.len() >= most {
                return Ok(Arc::new(listing));
            }
        }
    }

    /// An object as it is, or as it was when it was looked at last, where a routine look finds it unchanged. `None`: it went
    /// in the meantime.
    async fn object(&self, id: &Identity, key: String, version: Version) -> Result<Option<ObservedObject>, Fault> {
        let place = (id.placement.bucket.to_string(), key.clone());
        if may_share()
            && let Some(Known { sha256, mark, .. }) =
                self.routes.objects().get(&place).filter(|known| known.version == version)
        {
            return Ok(Some(ObservedObject { key, sha256, mark, etag: version.0 }));
        }
        let object = self.head(id, key).await?;
        // What was written since it was listed is remembered by the next look.
        if let Some(ObservedObject { sha256, mark, etag, .. }) = &object
            && *etag == version.0
        {
            self.routes.objects().keep(place, Known { version, sha256: sha256.clone(), mark: mark.clone() });
        }
        Ok(object)
    }

    async fn is_elsewhere(&self, id: &Identity) -> Result<bool, Fault> {
        let unusable = self.buckets.unusable(id).await?;
        Ok(matches!(unusable, Some(Bucketed::Absent | Bucketed::Foreign | Bucketed::Elsewhere(_))))
    }

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
        for (key, version) in self.listed(id).await? {
            objects.extend(self.object(id, key, version).await?);
        }
        Ok(Observed { objects })
    }

    async fn glance(&self, id: &Identity, desired: &Desired, depth: Depth) -> Result<Option<Glance>, Fault> {
        // An observation takes what the list shows unchanged from it anyway.
        if depth == Depth::Whole {
            return Ok(None);
        }
        let Some(listing) = self.all_listed(id).await? else { return Ok(None) };
        let well = listing.contains_key(&desired.key);
        Ok(Some(Glance { standing: digest_of(&well), well, whole: None }))
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
