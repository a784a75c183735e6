//! Who owns a resource and what it is called. The owner key is (cluster id, kind, namespace, name): a restored or
//! re-created object has the same key and finds its resources again. All names, tokens and ownership tags come from here.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::seal::Seals;
use crate::crd::identifiers::{AccountId, Region};
use crate::crd::status::Placement;

/// Tag key with the object's namespace and name, for people.
pub const OBJECT_TAG: &str = "mlops-operator.io/object";
/// Tag key with the cluster id, for people.
pub const CLUSTER_TAG: &str = "mlops-operator.io/cluster";
/// Tag key under which a resource carries the fingerprint of what was last applied to it.
pub const FINGERPRINT_TAG: &str = "mlops-operator.io/fingerprint";

/// The object that owns resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerKey {
    /// Which cluster: by default the uid of the namespace `kube-system`.
    pub cluster: String,
    /// `MlopsProject` or `MlopsPlatform`.
    pub kind: String,
    /// The object's namespace; empty for a platform.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl OwnerKey {
    /// The `MlopsPlatform` of this name.
    pub fn of_platform(cluster: &str, name: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            kind: "MlopsPlatform".to_owned(),
            namespace: String::new(),
            name: name.to_owned(),
        }
    }

    /// 40 hex digits that stand for this owner and no other.
    pub fn hash(&self) -> String {
        digest(&[&self.cluster, &self.kind, &self.namespace, &self.name])[..40].to_owned()
    }

    /// The first twenty of them, for names: 80 bits, so that nobody finds an owner whose names are another's. A bucket's
    /// name has room for no more beside an account and the longest name of a region.
    pub fn short(&self) -> String {
        self.hash()[..20].to_owned()
    }
}

/// Hex SHA-256 of the parts, each with its length, so that no two lists of parts give the same text.
pub fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// A resource that carries its owner's mark. What tells it from others of its kind is part of the mark, so that a mark
/// that is copied to another resource says nothing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    /// The artifact bucket, if it is the operator's own.
    Bucket,
    /// What lies under the owner's prefix in the artifact bucket.
    Artifacts,
    /// The portfolio. Its name may change, so it is no part of the mark.
    Portfolio,
    /// The product. Its name may change, so it is no part of the mark.
    Product,
    /// The SageMaker project.
    Project,
    /// The model trigger's stack.
    Stack,
}

impl Owned {
    /// The key of the tag. Each kind has its own, since Service Catalog hands the tags of portfolio and product on to what
    /// is launched, where one key takes one value.
    pub fn tag(self) -> String {
        format!("mlops-operator.io/{}-owner", self.word())
    }

    /// The key of the tag that holds which of the resource's tags come from the spec; see [`crate::domain::tags`].
    pub fn record_tag(self) -> String {
        format!("mlops-operator.io/{}-tag-keys", self.word())
    }

    fn word(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Artifacts => "artifacts",
            Self::Portfolio => "portfolio",
            Self::Product => "product",
            Self::Project => "project",
            Self::Stack => "stack",
        }
    }
}

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// This owner's, by this installation's seal.
    Ours,
    /// It names this owner, and the seal is not this installation's: copied, or of another installation for the same cluster.
    Claimed,
    /// Somebody else's.
    Foreign,
    /// There is no mark.
    Unmarked,
}

/// Whose resources, and where they are: enough to find each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The object that the resources belong to.
    pub owner: OwnerKey,
    /// The account, bucket, server and folder that they are in.
    pub placement: Placement,
    /// What marks are sealed with.
    pub seals: Seals,
}

impl Identity {
    /// The tags that say whose a resource is.
    pub fn owner_tags(&self, resource: Owned) -> BTreeMap<String, String> {
        // A tag value takes 256 characters; a namespace and a name may have more.
        let object = match self.owner.namespace.as_str() {
            "" => self.owner.name.clone(),
            namespace => format!("{namespace}/{}", self.owner.name),
        };
        let object: String = object.chars().take(256).collect();
        BTreeMap::from([
            (resource.tag(), self.mark(resource)),
            (OBJECT_TAG.to_owned(), object),
            (CLUSTER_TAG.to_owned(), self.owner.cluster.chars().take(256).collect()),
        ])
    }

    /// What the tags of a resource say about whose it is.
    pub fn ownership(&self, resource: Owned, tags: &BTreeMap<String, String>) -> Ownership {
        match tags.get(&resource.tag()) {
            None => Ownership::Unmarked,
            Some(mark) => self.judge(mark, &self.mark(resource)),
        }
    }

    /// The mark of a Jenkins item in that folder (parts of its path, outermost first): a seal over the place. Names of items
    /// are no part of it: who may rename an item can do the same to it as who may describe it.
    pub fn jenkins_mark(&self, folder: &[String]) -> String {
        let parts = ["jenkins"].into_iter().chain(folder.iter().map(String::as_str));
        format!("{}.{}", self.owner.hash(), self.seals.of_resource(&self.owner, parts))
    }

    /// What the mark of a Jenkins item in that folder says about whose it is.
    pub fn jenkins_ownership(&self, folder: &[String], mark: &str) -> Ownership {
        self.judge(mark, &self.jenkins_mark(folder))
    }

    /// The mark of the route of a model package group in the artifact bucket.
    pub fn route_mark(&self, group: &str) -> String {
        let parts = ["route", &self.placement.bucket, group];
        format!("{}.{}", self.owner.hash(), self.seals.of_resource(&self.owner, parts))
    }

    /// What the mark of that route says about whose it is.
    pub fn route_ownership(&self, group: &str, mark: &str) -> Ownership {
        self.judge(mark, &self.route_mark(group))
    }

    fn mark(&self, resource: Owned) -> String {
        let prefix = self.bucket_prefix();
        let place = match resource {
            Owned::Bucket => [self.placement.bucket.as_str(), ""],
            Owned::Artifacts => [self.placement.bucket.as_str(), prefix.as_str()],
            // The stack's name follows from its owner.
            Owned::Portfolio | Owned::Product | Owned::Stack => ["", ""],
            Owned::Project => [self.placement.project_name.as_str(), ""],
        };
        let parts = [resource.word()].into_iter().chain(place);
        format!("{}.{}", self.owner.hash(), self.seals.of_resource(&self.owner, parts))
    }

    fn judge(&self, mark: &str, ours: &str) -> Ownership {
        let (owner, _) = mark.split_once('.').unwrap_or((mark, ""));
        if mark == ours || (self.seals.accept_unsealed() && owner == self.owner.hash()) {
            Ownership::Ours
        } else if owner == self.owner.hash() {
            Ownership::Claimed
        } else {
            Ownership::Foreign
        }
    }

    /// The same where `recorded` says whether the resource's id was written down, and sealed, as this object's: somebody
    /// who takes a mark off does not make the resource another's.
    pub fn ownership_of(&self, resource: Owned, tags: &BTreeMap<String, String>, recorded: bool) -> Ownership {
        match self.ownership(resource, tags) {
            Ownership::Unmarked if recorded => Ownership::Ours,
            whose => whose,
        }
    }

    /// The client token of the n-th create of `resource` (1-128 characters, letters, digits and `-`).
    pub fn token(&self, resource: &str, n: i32) -> String {
        format!("mlops-{}", &digest(&[&self.owner.hash(), resource, &n.to_string()])[..48])
    }

    /// Name of an artifact bucket of our own: at most 63 characters, lower case.
    pub fn own_bucket_name(owner: &OwnerKey, account: &AccountId, region: &Region) -> String {
        format!("mlops-{}-{account}-{region}", owner.short())
    }

    /// Prefix of everything of ours in the artifact bucket, with a trailing slash. A project that shares a platform has its
    /// part below the platform's.
    pub fn bucket_prefix(&self) -> String {
        let holder = match &self.placement.platform {
            Some(platform) => OwnerKey::of_platform(&self.owner.cluster, platform),
            None => self.owner.clone(),
        };
        format!("mlops-operator/{}/", holder.short())
    }

    /// Name of the model trigger's stack.
    pub fn trigger_stack_name(&self) -> String {
        format!("mlops-{}-model-trigger", self.owner.short())
    }

    /// ARN of the SageMaker project.
    pub fn project_arn(&self) -> String {
        let Placement { partition, region, account_id, project_name, .. } = &self.placement;
        format!("arn:{partition}:sagemaker:{region}:{account_id}:project/{project_name}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::secret::FingerprintKey;
    use crate::fixture::{bare, elsewhere, place};

    const ALL: [Owned; 6] =
        [Owned::Bucket, Owned::Artifacts, Owned::Portfolio, Owned::Product, Owned::Project, Owned::Stack];

    fn identity() -> Identity {
        let mut place = place();
        (place.bucket, place.project_name) = ("ours".into(), "taxi".into());
        bare(place).identity
    }

    #[test]
    fn a_mark_counts_for_its_owner_its_resource_and_its_installation_alone() {
        for resource in ALL {
            let tags = identity().owner_tags(resource);
            assert_eq!(tags.len(), 3, "{resource:?} has one tag of its own");
            assert!(tags.values().all(|value| !value.is_empty() && value.len() <= 256));
            let whose = |id: &Identity| id.ownership(resource, &tags);
            let mut other = identity();
            other.owner.name = "other".into();
            assert_eq!(whose(&identity()), Ownership::Ours, "{resource:?}");
            assert_eq!(whose(&other), Ownership::Foreign, "{resource:?} of another object");
            assert_eq!(whose(&elsewhere(&identity())), Ownership::Claimed, "{resource:?} of another installation");
            assert_eq!(
                identity().ownership(resource, &BTreeMap::new()),
                Ownership::Unmarked,
                "{resource:?} without tags"
            );
            let plain = BTreeMap::from([(resource.tag(), identity().owner.hash())]);
            assert_eq!(identity().ownership(resource, &plain), Ownership::Claimed, "{resource:?} without a seal");
        }
    }

    #[test]
    fn a_mark_that_is_copied_to_another_resource_says_nothing_there() {
        for from in ALL {
            for to in ALL.into_iter().filter(|to| *to != from) {
                let copied = BTreeMap::from([(to.tag(), identity().mark(from))]);
                assert_eq!(identity().ownership(to, &copied), Ownership::Claimed, "from {from:?} to {to:?}");
            }
        }
        for (resource, change) in [
            (Owned::Project, (|place| place.project_name = "fares".into()) as fn(&mut Placement)),
            (Owned::Bucket, |place| place.bucket = "theirs".into()),
            (Owned::Artifacts, |place| place.bucket = "theirs".into()),
        ] {
            let mut other = identity();
            change(&mut other.placement);
            assert_eq!(identity().ownership(resource, &other.owner_tags(resource)), Ownership::Claimed, "{resource:?}");
        }
    }

    #[test]
    fn the_mark_of_a_route_counts_for_its_owner_its_group_and_its_bucket_alone() {
        let (id, mark) = (identity(), identity().route_mark("taxi-p-1"));
        let mut other = identity();
        other.owner.name = "other".into();
        let mut moved = identity();
        moved.placement.bucket = "theirs".into();
        let rows = [
            ("its own", id.route_ownership("taxi-p-1", &mark), Ownership::Ours),
            ("of another object", other.route_ownership("taxi-p-1", &mark), Ownership::Foreign),
            ("of another installation", elsewhere(&id).route_ownership("taxi-p-1", &mark), Ownership::Claimed),
            ("copied to another group", id.route_ownership("taxi-p-2", &mark), Ownership::Claimed),
            ("copied to another bucket", moved.route_ownership("taxi-p-1", &mark), Ownership::Claimed),
        ];
        for (case, found, wanted) in rows {
            assert_eq!(found, wanted, "{case}");
        }
    }

    #[test]
    fn after_a_lost_key_the_owners_name_is_enough_where_that_is_allowed() {
        let accepting = Identity { seals: Seals::new(FingerprintKey::new("new"), true), ..identity() };
        let mut other = accepting.clone();
        other.owner.name = "other".into();
        for resource in ALL {
            let before = identity().owner_tags(resource);
            assert_eq!(accepting.ownership(resource, &before), Ownership::Ours, "{resource:?}");
            assert_eq!(other.ownership(resource, &before), Ownership::Foreign, "{resource:?} stays its owner's");
            assert_ne!(accepting.owner_tags(resource), before, "{resource:?} is sealed anew");
        }
    }
}
