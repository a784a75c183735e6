//! Every status that AWS's own API models name, and what it means to the operator: a table that is printed, in which none is
//! missing. What is decided in each stands in the tables beside the decisions.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_codeconnections::types::ConnectionStatus;
use aws_sdk_sagemaker::types::ProjectStatus;
use aws_sdk_servicecatalog::types::{ProvisionedProductStatus, Status as CatalogStatus};
use jiff::Timestamp;
use mlops_operator::domain::external_resource::{Attempts, Decision, ExternalResource, Goal};
use mlops_operator::domain::identity::Owned;
use mlops_operator::domain::problem::Problem;
use mlops_operator::resources::catalog::ProvisioningStatus;
use mlops_operator::resources::model_trigger::{self, ModelTrigger, Stack};
use mlops_operator::resources::prerequisites::{self, Needs, ObservedConnection, Prerequisites};
use mlops_operator::resources::sagemaker_project::{ProductStatus, Status};

use crate::harness::project::{bare, connection, place_in, ready_bucket};

const CONNECTION: &str = "arn:aws:codeconnections:eu-west-1:111122223333:connection/1";

fn said<A, O>(decision: &Decision<A, O>) -> String {
    match decision {
        Decision::InSync(_) => "in sync".to_owned(),
        Decision::Gone | Decision::GoneBut(_) => "gone".to_owned(),
        Decision::Act(steps) => steps.iter().map(|step| step.summary.clone()).collect::<Vec<_>>().join("; "),
        Decision::Wait(wait) => format!("wait ({}): {}", wait.reason, wait.message),
        Decision::Stuck(Problem { reason, message, .. }) => format!("stuck ({reason}): {message}"),
    }
}

#[test]
fn every_status_of_a_project_and_of_its_product_is_known() {
    for name in ProjectStatus::values() {
        let status = Status::parse(name);
        println!("ProjectStatus {name}: {status:?}, in progress: {}", status.in_progress());
        assert!(!matches!(status, Status::Unknown(_)), "{name}");
    }
    for name in ProvisionedProductStatus::values() {
        let status = ProductStatus::parse(name);
        println!("ProvisionedProductStatus {name}: {status:?}");
        assert!(!matches!(status, ProductStatus::Unknown(_)), "{name}");
    }
    for name in CatalogStatus::values() {
        let status = ProvisioningStatus::parse(name);
        println!("Status of a product, version or constraint {name}: {status:?}");
        assert_eq!(status == ProvisioningStatus::Creating, *name == "CREATING", "{name}");
    }
}

#[test]
fn every_status_of_a_stack_has_its_moves() {
    let project = bare(place_in("eu-west-1"));
    let id = &project.identity;
    for status in StackStatus::values().iter().filter(|status| **status != "DELETE_COMPLETE") {
        let moves =
            [Goal::Present(ModelTrigger::desired(&project.platform, &ready_bucket())), Goal::Absent].map(|goal| {
                let stack = Stack {
                    id: "arn:stack".to_owned(),
                    status: (*status).to_owned(),
                    parameters: BTreeMap::new(),
                    tags: id.owner_tags(Owned::Stack),
                    role_arn: None,
                    since: Timestamp::UNIX_EPOCH,
                    failure: None,
                };
                let observed = model_trigger::Observed { stack: Some(stack), queues: None };
                let now = Timestamp::UNIX_EPOCH;
                said(&ModelTrigger::decide(id, &goal, &observed, now, &Attempts::default()))
            });
        println!("StackStatus {status}: {} | {}", moves[0], moves[1]);
        assert!(moves.iter().all(|one| !one.contains("does not know")), "{status}: {moves:?}");
    }
}

#[test]
fn every_status_of_a_connection_has_its_move() {
    let id = bare(place_in("eu-west-1")).identity;
    let needs = Needs { roles: Vec::new(), connections: BTreeSet::from([connection(CONNECTION)]) };
    let told = |status: &str| {
        let observed = prerequisites::Observed {
            account: id.placement.account_id.to_string(),
            connections: BTreeMap::from([(
                connection(CONNECTION),
                ObservedConnection::Present { status: status.to_owned() },
            )]),
            ..prerequisites::Observed::default()
        };
        let goal = Goal::Present(needs.clone());
        said(&Prerequisites::decide(&id, &goal, &observed, Timestamp::UNIX_EPOCH, &Attempts::default()))
    };
    let expected =
        [("AVAILABLE", "in sync"), ("ERROR", "stuck (ConnectionFailed)"), ("PENDING", "stuck (ConnectionPending)")];
    for status in ConnectionStatus::values() {
        println!("ConnectionStatus {status}: {}", told(status));
        let row = expected.iter().find(|row| row.0 == *status).unwrap_or_else(|| panic!("{status} has no row"));
        assert!(told(status).starts_with(row.1), "{status}: {}", told(status));
    }
}
