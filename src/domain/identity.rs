//! Who owns a resource and what it is called. The owner key is (cluster id, kind, namespace, name): a restored or
//! re-created object has the same key and finds its resources again. All names and tokens come from here.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::crd::identifiers::{AccountId, Region};
use crate::crd::status::Placement;

/// Tag key under which AWS resources carry their owner's hash.
pub const OWNER_TAG: &str = "mlops-operator.io/owner";
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
    /// `MlopsProject`.
    pub kind: String,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl OwnerKey {
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

/// Whose resources, and where they are: enough to find each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The object that the resources belong to.
    pub owner: OwnerKey,
    /// The account, bucket, server and folder that they are in.
    pub placement: Placement,
}

impl Identity {
    /// The tags that say whose a resource is.
    pub fn owner_tags(&self) -> BTreeMap<String, String> {
        // A tag value takes 256 characters; a namespace and a name may have more.
        let object: String = format!("{}/{}", self.owner.namespace, self.owner.name).chars().take(256).collect();
        BTreeMap::from([
            (OWNER_TAG.to_owned(), self.owner.hash()),
            (OBJECT_TAG.to_owned(), object),
            (CLUSTER_TAG.to_owned(), self.owner.cluster.chars().take(256).collect()),
        ])
    }

    /// Whether tags say that a resource is this owner's.
    pub fn owns(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(OWNER_TAG).is_some_and(|hash| *hash == self.owner.hash())
    }

    /// Whether tags say that a resource is some other object's.
    pub fn foreign(&self, tags: &BTreeMap<String, String>) -> bool {
        !self.owns(tags)
    }

    /// The client token of the n-th create of `resource` (1-128 characters, letters, digits and `-`).
    pub fn token(&self, resource: &str, n: i32) -> String {
        format!("mlops-{}", &digest(&[&self.owner.hash(), resource, &n.to_string()])[..48])
    }

    /// Name of an artifact bucket of our own: at most 63 characters, lower case.
    pub fn own_bucket_name(owner: &OwnerKey, account: &AccountId, region: &Region) -> String {
        format!("mlops-{}-{account}-{region}", owner.short())
    }

    /// Prefix of everything of ours in the artifact bucket, with a trailing slash.
    pub fn bucket_prefix(&self) -> String {
        format!("mlops-operator/{}/", self.owner.short())
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
