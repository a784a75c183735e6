//! The claim of an installation on the projects of its cluster: a Lease of a fixed name in the operator's own namespace,
//! which every other operator finds. Apart from leader election, whose Lease says which replica works, and from startup,
//! which only waits for it. It reads and writes nothing but these Leases, and believes none that it finds: whoever may make
//! Leases in a namespace can make one of this name, so it counts only where the ServiceAccount that it names stands in its
//! namespace and may do an operator's work in all of them, which an administrator alone can grant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource};
use serde_json::json;

use crate::controller::api::{ApiError, MANAGER, call};
use crate::crd::MlopsProject;
use crate::domain::secret::FingerprintKey;

/// Name of the Lease, in each operator's namespace.
pub const CLAIM: &str = "mlops-operator-installation";
/// Annotation that tells installations apart: a fingerprint by the installation's key, which tells nothing of the key.
const MARK: &str = "mlops-operator.io/installation";

/// One claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Claim {
    namespace: String,
    made: Timestamp,
    mark: String,
    /// The ServiceAccount that made it, as a user: `system:serviceaccount:<namespace>:<name>`.
    holder: String,
}

/// Claims the cluster's projects for this installation, or renews its claim: a key that was lost and made anew is the same
/// installation, since it is in the same namespace. An operator that runs as anything but a ServiceAccount of its namespace,
/// such as one that a person started by hand, keeps nobody else away.
///
/// # Errors
/// A sentence: whose claim is in the way and what to do, or what the API server refused.
pub(super) async fn hold(client: &Client, namespace: &str, key: &FingerprintKey) -> Result<(), String> {
    let own = Claim {
        namespace: namespace.to_owned(),
        made: Timestamp::MAX,
        mark: key.fingerprint(["installation"]),
        holder: call(whoami(client)).await.map_err(worded)?,
    };
    let claims = all(client).await?;
    free(client, &claims, &own).await?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    match claims.iter().find(|claim| claim.namespace == namespace) {
        Some(claim) if claim.mark == own.mark && claim.holder == holder_of(claim, &own) => Ok(()),
        Some(claim) => {
            let holder = holder_of(claim, &own);
            let change = json!({"metadata": {"annotations": {MARK: own.mark}}, "spec": {"holderIdentity": holder}});
            let asked = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            call(leases.patch(CLAIM, &asked, &Patch::Merge(change))).await.map(drop).map_err(worded)
        }
        None => {
            call(leases.create(&PostParams::default(), &lease(&own))).await.map_err(worded)?;
            // Another installation may have done the same in this moment: the older claim holds.
            free(client, &all(client).await?, &own).await
        }
    }
}

fn worded(error: ApiError) -> String {
    error.to_string()
}

/// Users that are ServiceAccounts of a namespace.
fn accounts(namespace: &str) -> String {
    format!("system:serviceaccount:{namespace}:")
}

/// Who holds a claim from now on: one that a person started by hand beside the installation takes nothing from it.
fn holder_of<'a>(claim: &'a Claim, own: &'a Claim) -> &'a str {
    let by_account = |holder: &str| holder.starts_with(&accounts(&own.namespace));
    if by_account(&claim.holder) && !by_account(&own.holder) { &claim.holder } else { &own.holder }
}

/// The user that the API server takes this operator for.
async fn whoami(client: &Client) -> kube::Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    Ok(review.status.and_then(|status| status.user_info).and_then(|user| user.username).unwrap_or_default())
}

async fn all(client: &Client) -> Result<Vec<Claim>, String> {
    let leases: Api<Lease> = Api::all(client.clone());
    let named = ListParams::default().fields(&format!("metadata.name={CLAIM}"));
    let found = call(leases.list(&named)).await.map_err(worded)?;
    let claim = |lease: Lease| Claim {
        namespace: lease.metadata.namespace.unwrap_or_default(),
        made: lease.metadata.creation_timestamp.map_or(Timestamp::MIN, |time| time.0),
        mark: lease.metadata.annotations.and_then(|mut all| all.remove(MARK)).unwrap_or_default(),
        holder: lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default(),
    };
    Ok(found.items.into_iter().map(claim).collect())
}

/// Refuses where another installation's claim is in the way.
async fn free(client: &Client, claims: &[Claim], own: &Claim) -> Result<(), String> {
    for other in before(claims, own) {
        let asked = call(operates(client, other)).await;
        if asked.map_err(|error| format!("whether {} holds a claim: {}", other.holder, worded(error)))? {
            return Err(in_the_way(other, &own.namespace));
        }
    }
    Ok(())
}

/// The claims that would be in the way if they are an operator's: those of another installation that were there before.
fn before<'a>(claims: &'a [Claim], own: &Claim) -> Vec<&'a Claim> {
    let present = claims.iter().find(|claim| claim.namespace == own.namespace);
    let earlier = |other: &Claim| present.is_none_or(|own| (other.made, &other.namespace) < (own.made, &own.namespace));
    let others = claims.iter().filter(|claim| claim.namespace != own.namespace && claim.mark != own.mark);
    others.filter(|other| earlier(other) && other.holder.starts_with(&accounts(&other.namespace))).collect()
}

/// Whether the holder of a claim, or a group that its ServiceAccount is in, may do what no one but an operator does: write the
/// status of projects in every namespace.
async fn operates(client: &Client, claim: &Claim) -> kube::Result<bool> {
    let groups = ["system:authenticated".to_owned(), "system:serviceaccounts".to_owned()];
    let of_namespace = format!("system:serviceaccounts:{}", claim.namespace);
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let work = ResourceAttributes {
        group: Some(MlopsProject::group(&()).into_owned()),
        resource: Some(MlopsProject::plural(&()).into_owned()),
        subresource: Some("status".to_owned()),
        verb: Some("patch".to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(claim.holder.clone()),
            groups: Some(groups.into_iter().chain([of_namespace]).collect()),
            resource_attributes: Some(work),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn in_the_way(other: &Claim, namespace: &str) -> String {
    format!(
        "the operator in namespace {there} claims the projects of this cluster since {made}, and its key is another one: two \
         operators would undo each other's work. Uninstall one of them. Where the one in {there} is gone for good, run `kubectl -n \
         {there} delete lease {CLAIM}`; where it was moved to {namespace}, copy its Secret mlops-operator-fingerprint-key here in \
         the place of the new one first",
        there = other.namespace,
        made = other.made,
    )
}

fn lease(own: &Claim) -> Lease {
    Lease {
        metadata: ObjectMeta {
            name: Some(CLAIM.to_owned()),
            namespace: Some(own.namespace.clone()),
            annotations: Some(BTreeMap::from([(MARK.to_owned(), own.mark.clone())])),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec { holder_identity: Some(own.holder.clone()), ..LeaseSpec::default() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_that_a_person_starts_takes_the_claim_from_nobody() {
        let held = |holder: &str| Claim { namespace: "here".to_owned(), holder: holder.to_owned(), ..Claim::default() };
        let (installed, other) = ("system:serviceaccount:here:mlops-operator", "system:serviceaccount:here:renamed");
        let rows = [
            ("by hand beside the installation", installed, "kubernetes-admin", installed),
            ("the installation after one by hand", "kubernetes-admin", installed, installed),
            ("with another ServiceAccount", installed, other, other),
            ("one by hand after another", "alice", "bob", "bob"),
        ];
        for (case, before, now, after) in rows {
            assert_eq!(holder_of(&held(before), &held(now)), after, "{case}");
        }
    }

    #[test]
    fn the_older_claim_of_another_key_is_in_the_way() {
        let claim = |namespace: &str, made: i64, mark: &str| Claim {
            namespace: namespace.to_owned(),
            made: Timestamp::from_second(made).unwrap_or_default(),
            mark: mark.to_owned(),
            holder: format!("system:serviceaccount:{namespace}:mlops-operator"),
        };
        let held_by = |holder: &str| Claim { holder: holder.to_owned(), ..claim("there", 4, "theirs") };
        let own = Claim { namespace: "here".to_owned(), mark: "ours".to_owned(), ..Claim::default() };
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
            ("one that names nobody", vec![held_by("")], true),
            ("one that a person made", vec![held_by("kubernetes-admin")], true),
            ("one that names an operator elsewhere", vec![held_by("system:serviceaccount:here:mlops-operator")], true),
        ];
        for (case, claims, holds) in rows {
            let told = before(&claims, &own);
            assert_eq!(told.is_empty(), holds, "{case}: {told:?}");
        }
    }
}
