//! The claim of an installation on the projects of its cluster: a Lease of a fixed name in the operator's own namespace,
//! which every other operator finds. Apart from leader election, whose Lease says which replica works, and from startup,
//! which only waits for it. It reads and writes nothing but these Leases.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Client};
use serde_json::json;

use crate::controller::api::{MANAGER, call};
use crate::domain::secret::FingerprintKey;

/// Name of the Lease, in each operator's namespace.
pub const CLAIM: &str = "mlops-operator-installation";
/// Annotation that tells installations apart: a fingerprint by the installation's key, which tells nothing of the key.
const MARK: &str = "mlops-operator.io/installation";

/// One claim.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    namespace: String,
    made: Timestamp,
    mark: String,
}

/// Claims the cluster's projects for this installation, or renews its claim: a key that was lost and made anew is the same
/// installation, since it is in the same namespace.
///
/// # Errors
/// A sentence: whose claim is in the way and what to do, or what the API server refused.
pub(super) async fn hold(client: &Client, namespace: &str, key: &FingerprintKey) -> Result<(), String> {
    let mark = key.fingerprint(["installation"]);
    let own: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let claims = all(client).await?;
    free(&claims, namespace, &mark)?;
    match claims.iter().find(|claim| claim.namespace == namespace) {
        Some(claim) if claim.mark == mark => Ok(()),
        Some(_) => {
            let change = json!({"metadata": {"annotations": {MARK: mark}}});
            let asked = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            call(own.patch(CLAIM, &asked, &Patch::Merge(change))).await.map(drop).map_err(|error| error.to_string())
        }
        None => {
            call(own.create(&PostParams::default(), &lease(namespace, &mark)))
                .await
                .map_err(|error| error.to_string())?;
            // Another installation may have done the same in this moment: the older claim holds.
            free(&all(client).await?, namespace, &mark)
        }
    }
}

async fn all(client: &Client) -> Result<Vec<Claim>, String> {
    let leases: Api<Lease> = Api::all(client.clone());
    let named = ListParams::default().fields(&format!("metadata.name={CLAIM}"));
    let found = call(leases.list(&named)).await.map_err(|error| error.to_string())?;
    let claim = |lease: Lease| Claim {
        namespace: lease.metadata.namespace.unwrap_or_default(),
        made: lease.metadata.creation_timestamp.map_or(Timestamp::MIN, |time| time.0),
        mark: lease.metadata.annotations.and_then(|mut all| all.remove(MARK)).unwrap_or_default(),
    };
    Ok(found.items.into_iter().map(claim).collect())
}

/// Whether no claim is in the way: another installation's that was there before.
fn free(claims: &[Claim], namespace: &str, mark: &str) -> Result<(), String> {
    let own = claims.iter().find(|claim| claim.namespace == namespace);
    let before = |other: &Claim| own.is_none_or(|own| (other.made, &other.namespace) < (own.made, &own.namespace));
    let other = claims.iter().find(|claim| claim.namespace != namespace && claim.mark != mark && before(claim));
    let Some(other) = other else { return Ok(()) };
    Err(format!(
        "the operator in namespace {there} claims the projects of this cluster since {made}, and its key is another one: two \
         operators would undo each other's work. Uninstall one of them. Where the one in {there} is gone for good, run `kubectl -n \
         {there} delete lease {CLAIM}`; where it was moved to {namespace}, copy its Secret mlops-operator-fingerprint-key here in \
         the place of the new one first",
        there = other.namespace,
        made = other.made,
    ))
}

fn lease(namespace: &str, mark: &str) -> Lease {
    Lease {
        metadata: ObjectMeta {
            name: Some(CLAIM.to_owned()),
            namespace: Some(namespace.to_owned()),
            annotations: Some(BTreeMap::from([(MARK.to_owned(), mark.to_owned())])),
            ..ObjectMeta::default()
        },
        ..Lease::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_claim_of_another_key_is_in_the_way() {
        let claim = |namespace: &str, made: i64, mark: &str| Claim {
            namespace: namespace.to_owned(),
            made: Timestamp::from_second(made).unwrap_or_default(),
            mark: mark.to_owned(),
        };
        let rows = [
            ("nobody's", vec![], true),
            ("its own", vec![claim("here", 5, "ours")], true),
            ("its own of a key that was lost", vec![claim("here", 5, "lost")], true),
            ("another's, before it has one", vec![claim("there", 9, "theirs")], false),
            ("another's that is older", vec![claim("here", 5, "ours"), claim("there", 4, "theirs")], false),
            ("another's that is younger", vec![claim("here", 5, "ours"), claim("there", 6, "theirs")], true),
            (
                "another's of the same moment, first by name",
                vec![claim("here", 5, "ours"), claim("a", 5, "theirs")],
                false,
            ),
            (
                "another's of the same moment, last by name",
                vec![claim("here", 5, "ours"), claim("z", 5, "theirs")],
                true,
            ),
            ("one of the same key elsewhere", vec![claim("there", 4, "ours")], true),
            ("one without a mark", vec![claim("there", 4, "")], false),
        ];
        for (case, claims, holds) in rows {
            let told = free(&claims, "here", "ours");
            assert_eq!(told.is_ok(), holds, "{case}: {told:?}");
        }
    }
}
