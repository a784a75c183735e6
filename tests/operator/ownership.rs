//! Whose a resource is: marks that were copied, sealed by another installation, or left behind by a lost key lead to no change
//! and no deletion, and the documented ways out work.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use mlops_sandbox::Settings;
use mlops_sandbox::aws::{Call, Caller, sagemaker, service_catalog};
use serde_json::{Value, json};

use crate::harness::operator::{ACCOUNT, Harness, REGION};

const LONG: Duration = Duration::from_mins(10);

/// A project that is Ready.
async fn ready() -> Harness {
    let mut harness = Harness::new(Settings::default()).await;
    harness.start();
    harness.apply(Harness::manifest());
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    // The first build of each job ends.
    tokio::time::sleep(Duration::from_secs(5)).await;
    harness
}

/// The same resources, met by an installation for the same cluster that has another key: a copy of the cluster that was made
/// without the operator's Secret, or this one after the Secret was lost.
async fn met_by_another_installation() -> Harness {
    let mut harness = ready().await;
    harness.stop().await;
    harness.kubernetes.delete("secrets", "mlops-operator", "mlops-operator-fingerprint-key").unwrap();
    harness.start();
    harness.until_condition("Stalled=True/ClusterClaimed", LONG).await;
    harness
}

/// AWS and Jenkins as they are, without the time.
fn world(harness: &Harness) -> Value {
    let mut world = harness.sandbox.world(|world| world.dump());
    world.as_object_mut().unwrap().remove("now");
    world
}

#[tokio::test(start_paused = true)]
async fn another_installation_for_the_same_cluster_stops_and_changes_nothing() {
    let harness = met_by_another_installation().await;
    let before = world(&harness);
    harness.edit(json!({"spec": {"description": "changed", "repositories": {"build": {"branch": "other"}}}})).await;
    tokio::time::sleep(LONG).await;
    harness.delete();
    tokio::time::sleep(Duration::from_hours(3)).await;
    assert!(harness.conditions().contains(&"Stalled=True/ClusterClaimed".to_owned()), "{:?}", harness.conditions());
    assert_eq!(world(&harness), before, "it was told to change and then to delete everything");
    let said = harness.message("Ready");
    assert!(said.contains("another installation sealed it") && said.contains("clusterId"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn retain_lets_the_object_of_another_installation_go() {
    let harness = met_by_another_installation().await;
    let before = world(&harness);
    harness.edit(json!({"spec": {"deletionPolicy": "Retain"}})).await;
    harness.delete();
    harness.until_gone(LONG).await;
    assert_eq!(world(&harness), before);
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_key_everything_is_taken_again_and_sealed_anew_where_that_is_allowed() {
    let mut harness = met_by_another_installation().await;
    harness.stop().await;
    let made = harness.sandbox.calls().len();
    harness.config.accept_unsealed = true;
    harness.start();
    harness.until_condition("Ready=True/Succeeded", LONG).await;
    let calls = harness.sandbox.calls().split_off(made);
    assert!(!calls.iter().any(|call| call.contains(" Create")), "nothing is made a second time: {calls:#?}");
    harness.stop().await;
    harness.config.accept_unsealed = false;
    harness.start();
    tokio::time::sleep(LONG).await;
    assert_eq!(harness.conditions()[0], "Ready=True/Succeeded", "the permission is needed once");
    harness.delete();
    harness.until_gone(LONG).await;
    let left = harness.sandbox.world(|world| world.dump()).to_string();
    assert!(!left.contains("-owner\":"), "all of it was deleted: {left}");
}

fn team() -> Caller {
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/pipelines");
    Caller { account: ACCOUNT.to_owned(), arn: arn.clone(), principal: arn }
}

fn sagemaker_call(harness: &Harness, operation: &str, input: &Value) -> Value {
    let caller = team();
    let call = Call { operation, input, caller: &caller, region: REGION };
    harness.sandbox.world(|world| sagemaker::call(world, &call)).unwrap()
}

fn catalog_call(harness: &Harness, operation: &str, input: &Value) -> Value {
    let caller = team();
    let call = Call { operation, input, caller: &caller, region: REGION };
    harness.sandbox.world(|world| service_catalog::call(world, &call)).unwrap()
}

/// A product that the team may launch, of the same template. Answers its id.
fn product_of_their_own(harness: &Harness) -> Value {
    let portfolio = json!({"DisplayName": "team", "ProviderName": "team", "IdempotencyToken": "p"});
    let portfolio = catalog_call(harness, "CreatePortfolio", &portfolio)["PortfolioDetail"]["Id"].clone();
    let url = harness.object().unwrap()["status"]["artifacts"]["templateUrl"].clone();
    let version = json!({"Name": "v1", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": {"LoadTemplateFromURL": url}});
    let product = json!({"Name": "team", "Owner": "team", "ProductType": "CLOUD_FORMATION_TEMPLATE",
        "IdempotencyToken": "q", "ProvisioningArtifactParameters": version});
    let product = catalog_call(harness, "CreateProduct", &product);
    let product = product["ProductViewDetail"]["ProductViewSummary"]["ProductId"].clone();
    let both = json!({"PortfolioId": portfolio, "ProductId": product});
    catalog_call(harness, "AssociateProductWithPortfolio", &both);
    let principal = json!({"PortfolioId": portfolio, "PrincipalARN": team().principal, "PrincipalType": "IAM"});
    catalog_call(harness, "AssociatePrincipalWithPortfolio", &principal);
    product
}

#[tokio::test(start_paused = true)]
async fn a_project_that_carries_a_mark_of_before_and_comes_from_another_product_is_not_deleted() {
    let mut harness = ready().await;
    harness.sandbox.world(|world| world.iam.add_role(ACCOUNT, "/", "pipelines", &["sagemaker.amazonaws.com"]));
    let arn = format!("arn:aws:sagemaker:{REGION}:{ACCOUNT}:project/taxi-fares");
    let mark = sagemaker_call(&harness, "ListTags", &json!({"ResourceArn": arn}))["Tags"].clone();
    let name = json!({"ProjectName": "taxi-fares"});
    let before = sagemaker_call(&harness, "DescribeProject", &name);
    let parameters = before["ServiceCatalogProvisioningDetails"]["ProvisioningParameters"].clone();
    // The project goes, and somebody launches one of the same name from a product of his own, with the tags that it had.
    harness.stop().await;
    sagemaker_call(&harness, "DeleteProject", &name);
    tokio::time::sleep(LONG).await;
    let product = product_of_their_own(&harness);
    tokio::time::sleep(LONG).await;
    let details = json!({"ProductId": product, "ProvisioningParameters": parameters});
    let input = json!({"ProjectName": "taxi-fares", "Tags": mark, "ServiceCatalogProvisioningDetails": details});
    let theirs = sagemaker_call(&harness, "CreateProject", &input)["ProjectId"].clone();
    tokio::time::sleep(LONG).await;
    // What was written down of the project before says nothing of this one.
    harness.edit(json!({"spec": {"dataPolicy": "Delete"}})).await;
    harness.delete();
    harness.start();
    harness.until_condition("Stalled=True/OwnershipUnproven", LONG).await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    let now = sagemaker_call(&harness, "DescribeProject", &name);
    assert_eq!((&now["ProjectId"], &now["ProjectStatus"]), (&theirs, &json!("CreateCompleted")));
    let bucket = format!("sagemaker-project-{}", theirs.as_str().unwrap());
    assert!(harness.sandbox.world(|world| world.s3.bucket(&bucket).is_some()), "and its data stays");
}
