//! The launch constraint: as which role Service Catalog launches the product.

use jiff::Timestamp;

use super::partial_decision::{PartialDecision, make, remember, rests};
use super::{Action, Observed, ProvisioningStatus, resource_name};
use crate::crd::identifiers::RoleArn;
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Change, Step};
use crate::domain::problem::Problem;

/// The LAUNCH constraint as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedConstraint {
    /// `cons-…`.
    pub id: String,
    /// How far its creation is.
    pub provisioning_status: ProvisioningStatus,
    /// `RoleArn` of its parameters, if they are JSON with just that: texts are not compared, AWS may rewrite them.
    pub role_arn: Option<String>,
}

pub(super) fn decide(role_arn: &RoleArn, observed: &Observed, now: Timestamp, attempts: &Attempts) -> PartialDecision {
    let product = observed.product.as_ref().filter(|product| product.provisioning_status == ProvisioningStatus::Ready);
    let (Some(portfolio), Some(product)) = (&observed.portfolio, product) else { return PartialDecision::default() };
    let Some(constraint) = &observed.constraint else {
        let summary = format!("create launch constraint with role {role_arn}");
        return make(resource_name::CONSTRAINT, now, attempts, summary, |n| Action::CreateConstraint {
            n,
            portfolio_id: portfolio.id.clone(),
            product_id: product.id.clone(),
            role_arn: role_arn.clone(),
        });
    };
    let mut partial =
        PartialDecision::act(remember(resource_name::CONSTRAINT, &constraint.id, attempts).into_iter().collect());
    if constraint.provisioning_status == ProvisioningStatus::Failed {
        partial.join(failed(constraint, now, attempts));
    } else if constraint.role_arn.as_deref() != Some(role_arn.as_str()) {
        let action = Action::UpdateConstraint { id: constraint.id.clone(), role_arn: role_arn.clone() };
        let summary = format!("update launch constraint: role {role_arn}");
        partial.steps.push(Step::new(action, Change::Update, Reason::Drifted, summary));
    } else if constraint.provisioning_status == ProvisioningStatus::Creating {
        partial.join(PartialDecision::wait(
            "creating constraint",
            Reason::Progressing,
            "creating launch constraint".to_owned(),
        ));
    }
    partial
}

fn failed(constraint: &ObservedConstraint, now: Timestamp, attempts: &Attempts) -> PartialDecision {
    if let Some(until) = rests(now, attempts) {
        let problem = Problem::new(
            Reason::CatalogFailed,
            "Service Catalog could not create the launch constraint (status FAILED)",
            "check that the launch role exists and trusts servicecatalog.amazonaws.com; it is made again by itself, ever more slowly",
        );
        return PartialDecision::stuck(problem.until(until));
    }
    PartialDecision::act(vec![delete(&constraint.id, Reason::CatalogFailed).clearing_failed_creation()])
}

fn delete(id: &str, reason: Reason) -> Step<Action> {
    Step::new(Action::DeleteConstraint { id: id.to_owned() }, Change::Delete, reason, format!("delete constraint {id}"))
}

/// All constraints of the product in our portfolio, whoever made them: none may stay when the product leaves it.
pub(super) fn remove(observed: &Observed) -> Vec<Step<Action>> {
    let ids = observed.constraint.iter().map(|constraint| &constraint.id).chain(&observed.other_constraints);
    ids.map(|id| delete(id, Reason::Deleting)).collect()
}
