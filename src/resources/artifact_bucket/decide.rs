//! What to do with the artifact bucket, given what was seen of it. Apart from the types so that each of the two
//! goals, and a bucket of our own and one that the spec names, can be read on one screen.

use std::collections::BTreeMap;

use super::{
    Action, Artifacts, Desired, Encryption, Object, ObjectVersion, Observed, ObservedBucket, ObservedObject, Settings,
    is_archive,
};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Change, Decision, Step};
use crate::domain::identity::{FINGERPRINT_TAG, Identity, Owned, Ownership};
use crate::domain::problem::Problem;
use crate::domain::tags;

type Steps = Vec<Step<Action>>;

/// The bucket exists as declared, with the objects in it.
pub(super) fn present(id: &Identity, desired: &Desired, observed: &Observed) -> Decision<Action, Artifacts> {
    let name = &id.placement.bucket;
    let observed = match (observed, &desired.settings) {
        (Observed::Present(observed), _) => observed,
        (Observed::Absent, Some(settings)) => return Decision::Act(create(id, settings, &desired.objects)),
        (unusable, settings) => return unusable_bucket(id, unusable, settings.is_some()),
    };
    let mut steps = Steps::new();
    let mut reason = Reason::SpecChanged;
    if let (Some(wanted), Some(found)) = (&desired.settings, &observed.settings) {
        match id.ownership(Owned::Bucket, &found.tags) {
            // A bucket between create and tag has no mark; it is known by its name, which holds the owner's hash.
            Ownership::Ours | Ownership::Unmarked => {}
            Ownership::Claimed => return Decision::Stuck(claimed(id)),
            Ownership::Foreign => {
                return Decision::stuck(
                    Reason::ForeignOwner,
                    format!("bucket \"{name}\" carries the ownership tag of another object"),
                    "find out which MlopsProject owns it by its tags; remove the tags only if none does",
                );
            }
        }
        reason = why_different(wanted, found);
        steps.extend(change(name, wanted, found, reason));
    }
    if let Some(problem) = claimed_artifacts(id, observed) {
        return Decision::Stuck(problem);
    }
    steps.extend(objects(id, &desired.objects, observed, reason));
    // Tags go last: their fingerprint says that everything before them was done.
    if let (Some(wanted), Some(found)) = (&desired.settings, &observed.settings) {
        steps.extend(retag(name, wanted, found, reason));
    }
    match steps.is_empty() {
        true => Decision::InSync(desired.artifacts.clone()),
        false => Decision::Act(steps),
    }
}

fn claimed(id: &Identity) -> Problem {
    Problem::claimed(&format!("bucket \"{}\"", id.placement.bucket))
}

/// An object under our prefix that another installation put there.
fn claimed_artifacts(id: &Identity, observed: &ObservedBucket) -> Option<Problem> {
    let claimed = |object: &&ObservedObject| id.ownership(Owned::Artifacts, &object.tags) == Ownership::Claimed;
    let object = observed.objects.iter().find(claimed)?;
    Some(Problem::claimed(&format!("object \"{}\" in bucket \"{}\"", object.key, id.placement.bucket)))
}

/// Whether a bucket of our own name without a mark holds only what the operator puts there, as it is after a creation that
/// was broken off: tags go last.
fn nothing_but_artifacts(id: &Identity, observed: &ObservedBucket) -> bool {
    let prefix = id.bucket_prefix();
    observed.objects.iter().all(|object| id.ownership(Owned::Artifacts, &object.tags) == Ownership::Ours)
        && observed.versions.iter().all(|version| version.key.starts_with(&prefix))
}

/// Where the fingerprint is the wanted one, something else changed the bucket; else the spec is new to it.
fn why_different(wanted: &Settings, found: &Settings) -> Reason {
    match found.tags.get(FINGERPRINT_TAG) {
        None => Reason::Missing,
        fingerprint if fingerprint == wanted.tags.get(FINGERPRINT_TAG) => Reason::Drifted,
        Some(_) => Reason::SpecChanged,
    }
}

fn unusable_bucket(id: &Identity, observed: &Observed, owned: bool) -> Decision<Action, Artifacts> {
    let (name, region) = (&id.placement.bucket, &id.placement.region);
    match (observed, owned) {
        (Observed::Forbidden, _) => forbidden(name),
        (Observed::Undisclosed, _) => undisclosed(name),
        (Observed::Elsewhere(there), false) => Decision::stuck(
            Reason::BucketMissing,
            format!("bucket \"{name}\" is in region {there}, not in {region}"),
            "name a bucket in aws.region, or none for one of the operator's own",
        ),
        (Observed::Foreign | Observed::Elsewhere(_), true) => Decision::stuck(
            Reason::BucketNameTaken,
            format!("the bucket name \"{name}\" is taken by another account or in another region"),
            "find out whose it is and have it removed; where it cannot go, declare the project with an existing bucket of \
             your own in artifacts.bucket, which an object that exists cannot change",
        ),
        (Observed::Foreign, false) => Decision::stuck(
            Reason::ForeignOwner,
            format!("bucket \"{name}\" belongs to another AWS account, which does not let the operator use it"),
            "have its owner allow the operator's role s3:ListBucket on it, or name a bucket of your own account, or none for \
             one of the operator's own",
        ),
        (Observed::Absent | Observed::Present(_), _) => Decision::stuck(
            Reason::BucketMissing,
            format!("bucket \"{name}\" does not exist"),
            "create it in aws.region, or leave artifacts.bucket out for one of the operator's own",
        ),
    }
}

fn forbidden(name: &str) -> Decision<Action, Artifacts> {
    Decision::stuck(
        Reason::AccessDenied,
        format!("the operator may not look at bucket \"{name}\""),
        "allow the operator's role s3:ListBucket on the bucket",
    )
}

/// S3 refuses HeadBucket with 403 and no word: a permission that lacks is the likelier cause, and the one that costs nothing
/// to mend, so it comes first.
fn undisclosed(name: &str) -> Decision<Action, Artifacts> {
    Decision::stuck(
        Reason::AccessDenied,
        format!("the operator may not look at bucket \"{name}\", and S3 does not say whose it is"),
        "allow the operator's role s3:ListBucket on the bucket, and s3:ListAllMyBuckets; where it has both, another account \
         may have a bucket of that name",
    )
}

fn create(id: &Identity, wanted: &Settings, wanted_objects: &[Object]) -> Steps {
    let (name, missing) = (&id.placement.bucket, Reason::Missing);
    let mut steps = vec![Step::new(Action::CreateBucket, Change::Create, missing, format!("create bucket \"{name}\""))];
    steps.extend(change(name, wanted, &Settings::default(), missing));
    steps.extend(objects(id, wanted_objects, &ObservedBucket::default(), missing));
    steps.extend(retag(name, wanted, &Settings::default(), missing));
    steps
}

/// The settings that differ, all but the tags.
fn change(name: &str, wanted: &Settings, found: &Settings, reason: Reason) -> Steps {
    let mut steps = Steps::new();
    let mut add = |action, what: &str| {
        steps.push(Step::new(action, Change::Update, reason, format!("{what} of bucket \"{name}\"")));
    };
    if wanted.blocks_public_access && !found.blocks_public_access {
        add(Action::BlockPublicAccess, "block public access");
    }
    if wanted.versioned && !found.versioned {
        add(Action::EnableVersioning, "enable versioning");
    }
    if wanted.encryption != found.encryption {
        let what = match &wanted.encryption {
            Encryption::Kms(key) => format!("set default encryption to KMS key \"{key}\""),
            Encryption::S3 | Encryption::Other => "set default encryption to AES256".to_owned(),
        };
        add(Action::PutEncryption(wanted.encryption.clone()), &what);
    }
    if wanted.policy != found.policy {
        add(Action::PutPolicy(wanted.policy.clone()), "set the policy");
    }
    steps
}

fn retag(name: &str, wanted: &Settings, found: &Settings, reason: Reason) -> Option<Step<Action>> {
    if !tags::differ(Owned::Bucket, &wanted.tags, &found.tags) {
        return None;
    }
    let outlived = tags::outlived(Owned::Bucket, &wanted.tags, &found.tags);
    let changed: Vec<&str> = wanted
        .tags
        .keys()
        .chain(&outlived)
        .filter(|key| wanted.tags.get(*key) != found.tags.get(*key) && *key != FINGERPRINT_TAG)
        .map(String::as_str)
        .collect();
    let keys = if changed.is_empty() { "fingerprint".to_owned() } else { changed.join(", ") };
    let summary = format!("set tags of bucket \"{name}\" ({keys})");
    let tags = tags::merged(Owned::Bucket, &wanted.tags, &found.tags);
    Some(Step::new(Action::PutTags(tags), Change::Update, reason, summary))
}

/// Uploads what lacks or differs, corrects tags, and removes what is no longer asked for.
fn objects(id: &Identity, wanted: &[Object], observed: &ObservedBucket, reason: Reason) -> Steps {
    let mut steps = Steps::new();
    let found = |key: &str| observed.objects.iter().find(|object| object.key == key);
    for object in wanted {
        let put = |change, reason| {
            Step::new(Action::PutObject(object.clone()), change, reason, format!("upload object \"{}\"", object.key))
        };
        match found(&object.key) {
            None => steps.push(put(Change::Create, Reason::Missing)),
            Some(there) if there.sha256.as_ref() != Some(&object.sha256) => {
                steps.push(put(Change::Update, Reason::Drifted))
            }
            Some(there) => steps.extend(retag_object(there, object.tags.clone(), reason)),
        }
    }
    let ours = |object: &&ObservedObject| id.ownership(Owned::Artifacts, &object.tags) == Ownership::Ours;
    let unwanted = observed.objects.iter().filter(|object| wanted.iter().all(|one| one.key != object.key));
    let (archives, stale): (Vec<_>, Vec<_>) = unwanted.filter(ours).partition(|object| is_archive(id, &object.key));
    steps.extend(archives.into_iter().filter_map(|archive| sealed_anew(id, archive, reason)));
    let stale: Vec<String> = stale.into_iter().map(|object| object.key.clone()).collect();
    if let Some(first) = stale.first() {
        let summary = format!("delete objects that are no longer needed, from \"{first}\"");
        steps.push(Step::new(Action::DeleteObjects(stale), Change::Delete, Reason::SpecChanged, summary));
    }
    steps
}

fn unproven(name: &str) -> Decision<Action, Artifacts> {
    Decision::stuck(
        Reason::OwnershipUnproven,
        format!("bucket \"{name}\" has lost its ownership tag and holds objects that the operator did not put there"),
        "look at them; empty the bucket if nobody needs them, or set deletionPolicy: Retain to leave it",
    )
}

fn unproven_prefix(id: &Identity) -> Decision<Action, Artifacts> {
    let (bucket, prefix) = (&id.placement.bucket, id.bucket_prefix());
    Decision::stuck(
        Reason::OwnershipUnproven,
        format!(
            "under \"{prefix}\" in bucket \"{bucket}\" is an object that the operator did not put there, or that has lost its tags"
        ),
        "look at it; delete it if nobody needs it, or set deletionPolicy: Retain to leave all of them",
    )
}

/// An archive that nothing asks for now stays, and its mark must not be one of before the installation's key was replaced.
fn sealed_anew(id: &Identity, archive: &ObservedObject, reason: Reason) -> Option<Step<Action>> {
    let mut tags = archive.tags.clone();
    tags.extend(id.owner_tags(Owned::Artifacts));
    retag_object(archive, tags, reason)
}

fn retag_object(there: &ObservedObject, wanted: BTreeMap<String, String>, reason: Reason) -> Option<Step<Action>> {
    (wanted != there.tags).then(|| {
        let summary = format!("set tags of object \"{}\"", there.key);
        Step::new(Action::TagObject(there.key.clone(), wanted), Change::Update, reason, summary)
    })
}

/// Nothing of ours is left. HeadBucket's 404 in the right account proves it; a bucket of another owner holds nothing
/// of ours, since the operator never puts anything into one.
pub(super) fn absent(id: &Identity, observed: &Observed) -> Decision<Action, Artifacts> {
    let name = &id.placement.bucket;
    let observed = match observed {
        Observed::Absent | Observed::Foreign | Observed::Elsewhere(_) => return Decision::Gone,
        Observed::Forbidden => return forbidden(name),
        Observed::Undisclosed => return undisclosed(name),
        Observed::Present(observed) => observed,
    };
    let whose = observed.settings.as_ref().map(|found| id.ownership(Owned::Bucket, &found.tags));
    if let Some(problem) = claimed_artifacts(id, observed).filter(|_| whose != Some(Ownership::Foreign)) {
        return Decision::Stuck(problem);
    }
    match whose {
        Some(Ownership::Foreign) => return Decision::Gone,
        Some(Ownership::Claimed) => return Decision::Stuck(claimed(id)),
        Some(Ownership::Unmarked) if !nothing_but_artifacts(id, observed) => return unproven(name),
        // Of a bucket that the spec names, the prefix is ours, and each object there says so.
        None if !nothing_but_artifacts(id, observed) => return unproven_prefix(id),
        Some(Ownership::Ours | Ownership::Unmarked) | None => {}
    }
    let mut steps = Steps::new();
    if !observed.versions.is_empty() {
        let versions = observed.versions.clone();
        let amount = ObjectVersion::amount(&versions);
        let summary = format!("delete versions of objects in bucket \"{name}\"");
        let step = Step::new(Action::DeleteVersions(versions), Change::Delete, Reason::Deleting, summary);
        steps.push(step.removing(amount));
    }
    if observed.settings.is_some() && !observed.more {
        let summary = format!("delete bucket \"{name}\"");
        steps.push(Step::new(Action::DeleteBucket, Change::Delete, Reason::Deleting, summary));
    }
    match steps.is_empty() {
        true => Decision::Gone,
        false => Decision::Act(steps),
    }
}
