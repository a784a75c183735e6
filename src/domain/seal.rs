//! The seals of an installation: on the parts of a status that lead somewhere (the placement and the intents), and on
//! the marks that say whose a resource is. Who may write a status or a tag is not who may say where the operator acts and
//! what it deletes, so these count only with the seal of this installation on them. It says whether a seal holds; what
//! counts without one is decided where they are read.

use std::fmt;

use super::identity::OwnerKey;
use super::secret::FingerprintKey;
use crate::crd::status::MlopsProjectStatus;

/// Sets the seal on a status apart from whatever else the key is used for.
const STATUS: &str = "seal of placement and intents";
/// The same for the seal on a resource's mark.
const MARK: &str = "seal of a mark";

/// What resources are sealed with: the installation's key.
#[derive(Clone)]
pub struct Seals {
    key: FingerprintKey,
    accept_unsealed: bool,
}

impl Seals {
    /// With that key. `accept_unsealed`: a mark that names the owner counts whatever its seal, for the time after the key
    /// was lost.
    pub fn new(key: FingerprintKey, accept_unsealed: bool) -> Self {
        Self { key, accept_unsealed }
    }

    /// The seal of an owner's resource, 32 hex digits. The parts tell the resource from all others.
    pub fn of_resource<'a>(&self, owner: &'a OwnerKey, parts: impl IntoIterator<Item = &'a str>) -> String {
        let OwnerKey { cluster, kind, namespace, name } = owner;
        let mut all: Vec<&str> = vec![MARK, cluster, kind, namespace, name];
        all.extend(parts);
        self.key.fingerprint(all)
    }

    /// Whether a mark that names the owner counts whatever its seal.
    pub fn accept_unsealed(&self) -> bool {
        self.accept_unsealed
    }
}

/// The key is a secret.
impl fmt::Debug for Seals {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Seals {{ accept_unsealed: {} }}", self.accept_unsealed)
    }
}

impl PartialEq for Seals {
    fn eq(&self, other: &Self) -> bool {
        self.accept_unsealed == other.accept_unsealed && self.key.fingerprint([]) == other.key.fingerprint([])
    }
}

impl Eq for Seals {}

/// The seal of an owner's status, 32 hex digits; `None` where there is nothing to seal. `uid` is the object's: what an
/// object of the same name said that is gone counts no more.
pub fn seal(key: &FingerprintKey, owner: &OwnerKey, uid: &str, status: &MlopsProjectStatus) -> Option<String> {
    if status.placement.is_none() && status.intents.is_empty() {
        return None;
    }
    // Written anew from what was read, so that the order and form of the stored text do not matter.
    let placement = serde_json::to_string(&status.placement).ok()?;
    let intents = serde_json::to_string(&status.intents).ok()?;
    let OwnerKey { cluster, kind, namespace, name } = owner;
    Some(key.fingerprint([STATUS, cluster, kind, namespace, name, uid, &placement, &intents]))
}

/// Whether the seal on a status is this owner's, and of these contents.
pub fn holds(key: &FingerprintKey, owner: &OwnerKey, uid: &str, status: &MlopsProjectStatus) -> bool {
    status.seal.is_some() && status.seal == seal(key, owner, uid, status)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::crd::identifiers::{AccountId, Region};
    use crate::crd::status::{Intent, Placement};

    fn owner(name: &str) -> OwnerKey {
        OwnerKey { cluster: "c".into(), kind: "MlopsProject".into(), namespace: "ns".into(), name: name.into() }
    }

    #[test]
    fn a_seal_holds_for_its_owner_its_contents_and_its_installation_alone() {
        let key = FingerprintKey::new("k");
        let place = Placement::new(AccountId::parse("111122223333").unwrap(), Region::parse("eu-west-1").unwrap());
        let intent = Intent { resource: "Portfolio".into(), n: 1, id: Some("port-1".into()) };
        let mut status =
            MlopsProjectStatus { placement: Some(place), intents: vec![intent], ..MlopsProjectStatus::default() };
        assert!(!holds(&key, &owner("a"), "1", &status), "without a seal");
        status.seal = seal(&key, &owner("a"), "1", &status);
        assert!(holds(&key, &owner("a"), "1", &status));
        assert!(!holds(&key, &owner("b"), "1", &status), "copied to another object");
        assert!(!holds(&key, &owner("a"), "2", &status), "kept from an earlier object of that name");
        assert!(!holds(&FingerprintKey::new("l"), &owner("a"), "1", &status), "of another installation");
        let text = serde_json::to_value(&status).unwrap();
        assert!(holds(&key, &owner("a"), "1", &serde_json::from_value(text).unwrap()), "read back");
        type Change = fn(&mut MlopsProjectStatus);
        let changes: [(&str, Change); 4] = [
            ("another bucket", |status| status.placement.as_mut().unwrap().bucket = "theirs".into()),
            ("another role", |status| status.placement.as_mut().unwrap().external_id = Some("x".into())),
            ("another id", |status| status.intents[0].id = Some("port-2".into())),
            ("one intent less", |status| status.intents.clear()),
        ];
        for (name, change) in changes {
            let mut changed = status.clone();
            change(&mut changed);
            assert!(!holds(&key, &owner("a"), "1", &changed), "{name}");
        }
        let empty = MlopsProjectStatus { seal: Some(String::new()), ..MlopsProjectStatus::default() };
        assert_eq!(seal(&key, &owner("a"), "1", &empty), None);
        assert!(!holds(&key, &owner("a"), "1", &empty), "there is nothing to believe");
    }
}
