//! The provisioned product behind a project: Service Catalog changes and loses it without SageMaker's saying so. It decides
//! only for a project that SageMaker calls complete.

use jiff::Timestamp;

use super::{Action, ObservedProject, ProductStatus, Provisioned, ProvisionedProduct};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Attempts, Decision, Wait};
use crate::domain::problem::Problem;
use crate::domain::requeue::rests_until;

type Move = Decision<Action, Provisioned>;

/// Whether an update that somebody made of the product failed: another one puts it right.
pub(super) fn is_tainted(project: &ObservedProject) -> bool {
    project.provisioned.as_ref().is_some_and(|product| product.status == ProductStatus::Tainted)
}

/// What keeps the project from being worked on; `None`: its product is fit.
pub(super) fn unfit(name: &str, project: &ObservedProject, early: Option<Provisioned>) -> Option<Move> {
    let product = project.provisioned.as_ref()?;
    let ProvisionedProduct { id, status, message, stack } = product;
    let stack_status = stack.as_ref().map_or("", |(_, status)| status.as_str());
    match status {
        ProductStatus::Available => None,
        ProductStatus::UnderChange | ProductStatus::PlanInProgress => {
            let wait = Wait::new("product", Reason::Progressing, "Service Catalog is changing the project's product");
            Some(Decision::Wait(wait.early(early)))
        }
        ProductStatus::Tainted if stack_status != "UPDATE_ROLLBACK_FAILED" => None,
        ProductStatus::Tainted | ProductStatus::Error => Some(broken(name, product)),
        ProductStatus::Terminated => Some(Decision::stuck(
            Reason::ProjectFailed,
            format!(
                "the provisioned product {id} of SageMaker project {name:?} was terminated outside: its stack is gone"
            ),
            "look at what is left of the project's data, then delete the SageMaker project (aws sagemaker delete-project): it is created again",
        )),
        ProductStatus::Unknown(other) => Some(Decision::stuck(
            Reason::Unexpected,
            format!(
                "the provisioned product {id} of SageMaker project {name:?} is in status {other}, which the operator does not know: {message}"
            ),
            "look at it in the Service Catalog console, and upgrade the operator",
        )),
    }
}

/// Whether a product that is tainted still after an update is left alone for a while.
pub(super) fn rests(name: &str, project: &ObservedProject, now: Timestamp, attempts: &Attempts) -> Option<Move> {
    let product = project.provisioned.as_ref().filter(|_| is_tainted(project) && !attempts.asked_anew)?;
    let last = attempts.last_act.filter(|_| attempts.failed_changes > 0)?;
    let until = rests_until(attempts.failed_changes, last, now)?;
    let problem = Problem::new(
        Reason::ProjectUpdateFailed,
        format!("the provisioned product {} of SageMaker project {name:?} is tainted: {}", product.id, product.message),
        "remove the cause or change the spec; the operator updates it again by itself, ever more slowly",
    );
    Some(Decision::Stuck(problem.until(until)))
}

fn broken(name: &str, product: &ProvisionedProduct) -> Move {
    let ProvisionedProduct { id, message, stack, .. } = product;
    let (arn, status) = stack.clone().unwrap_or_default();
    let state = if status.is_empty() { String::new() } else { format!(" (stack in {status})") };
    let hint = match status.as_str() {
        // The operator may only read these stacks: who continues a rollback acts as the launch role.
        "UPDATE_ROLLBACK_FAILED" => format!(
            "remove the cause and run: aws cloudformation continue-update-rollback --stack-name {arn}; the operator goes on by itself"
        ),
        _ => "remove the cause and update or terminate the product in the Service Catalog console; a project that is deleted in SageMaker is created again".to_owned(),
    };
    Decision::stuck(
        Reason::ProjectFailed,
        format!("the provisioned product {id} of SageMaker project {name:?} is broken{state}: {message}"),
        hint,
    )
}
