//! Who asks, and what somebody may: SelfSubjectReview and SubjectAccessReview, which are answered and never kept. Apart from
//! objects, because this API knows no RBAC: one user does the operator's work, and others whom a test lets.

use serde_json::{Value, json};

use super::route::Target;
use super::serve::KubernetesService;
use super::store::{Kubernetes, Refused};

/// The ServiceAccount that asks where a test names no other, and that may do the operator's work.
pub(super) const OPERATOR: &str = "system:serviceaccount:mlops-operator:mlops-operator";

impl Kubernetes {
    /// The transport to this API for another user, who may do all that the operator may.
    pub fn service_of_another_operator(&self, user: &str) -> KubernetesService {
        self.state().operators.insert(user.to_owned());
        KubernetesService { api: self.clone(), user: user.to_owned() }
    }

    /// The answer to a review; `None`: something else is asked.
    pub(super) fn review(&self, user: &str, target: &Target, review: &Value) -> Option<Result<(u16, Value), Refused>> {
        let mut answer = review.clone();
        match target.collection() {
            ("authentication.k8s.io/v1", "selfsubjectreviews") => {
                answer["status"] = json!({"userInfo": {"username": user}});
            }
            ("authorization.k8s.io/v1", "subjectaccessreviews") => {
                let asked = &review["spec"];
                let name = asked["user"].as_str().unwrap_or_default();
                if name.is_empty() {
                    let message = "spec.user: Invalid value: \"\": at least one of user or group must be specified";
                    return Some(Err(Refused::new(422, "Invalid", message)));
                }
                let allowed = name == OPERATOR || self.state().operators.contains(name);
                answer["status"] = json!({"allowed": allowed});
            }
            _ => return None,
        }
        Some(Ok((201, answer)))
    }
}
