//! The policy that the documentation gives the operator, against every call of a project's whole life: what the
//! operator asks of AWS is allowed by it, and it allows little else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::operator::{ACCOUNT, Harness, REGION};
use mlops_sandbox::Settings;
use mlops_sandbox::aws::{Call, Caller, s3, sagemaker};
use serde_json::{Value, json};

/// The operator's own policy, and what it needs beyond it where projects have `dataPolicy: Delete`.
fn documented() -> [BTreeSet<String>; 2] {
    let page = include_str!("../../docs/permissions.md");
    let mut blocks = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut next = || actions(&serde_json::from_str(blocks.next().unwrap()).unwrap());
    [next(), next()]
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![policy.clone()]);
    let many = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let texts = statements.iter().flat_map(|statement| many(&statement["Action"]));
    texts.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// The IAM actions that a call needs. Most are called as the operation is; S3's are not, and some calls need further ones
/// (service authorization references of Amazon S3 and AWS Service Catalog).
fn needed(call: &str) -> Vec<String> {
    let (service, operation) = call.split_once(' ').unwrap();
    let named: &[&str] = match (service, operation) {
        ("s3", "ListBuckets") => &["ListAllMyBuckets"],
        ("s3", "HeadBucket" | "ListObjectsV2") => &["ListBucket"],
        ("s3", "ListObjectVersions") => &["ListBucketVersions"],
        ("s3", "HeadObject") => &["GetObject"],
        ("s3", "DeleteObjects") => &["DeleteObject", "DeleteObjectVersion"],
        ("s3", "GetBucketEncryption") => &["GetEncryptionConfiguration"],
        ("s3", "PutBucketEncryption") => &["PutEncryptionConfiguration"],
        ("s3", "GetPublicAccessBlock") => &["GetBucketPublicAccessBlock"],
        ("s3", "PutPublicAccessBlock") => &["PutBucketPublicAccessBlock"],
        // CloudFormation asks for these of whoever tags a stack that he makes or changes.
        ("cloudformation", "CreateStack" | "UpdateStack") => &[operation, "TagResource"],
        // Service Catalog does so, too, of portfolios and products.
        ("servicecatalog", "CreatePortfolio" | "CreateProduct") => &[operation, "TagResource"],
        ("servicecatalog", "UpdatePortfolio" | "UpdateProduct") => &[operation, "TagResource", "UntagResource"],
        // Whoever names a launch role in a constraint passes it to Service Catalog.
        ("servicecatalog", "CreateConstraint" | "UpdateConstraint") => {
            return vec![format!("{service}:{operation}"), "iam:PassRole".to_owned()];
        }
        ("tagging", _) => return vec![format!("tag:{operation}")],
        _ => &[operation],
    };
    named.iter().map(|action| format!("{service}:{action}")).collect()
}

/// What the policy allows beyond such a life, and when it is needed.
const RARE: &[(&str, &str)] = &[
    ("cloudformation:ContinueUpdateRollback", "a rollback failed"),
    ("cloudformation:DescribeStackEvents", "a stack failed: why"),
    ("cloudformation:UntagResource", "CloudFormation asks for it of whoever takes a tag off a stack"),
    ("cloudformation:ValidateTemplate", "Service Catalog reads a template as whoever makes a product of it"),
    ("codestar-connections:GetConnection", "a connection from before that service got its new name"),
    ("s3:ListAllMyBuckets", "a bucket that answers 403: whose is it"),
    ("servicecatalog:CreateProvisioningArtifact", "a new version of the project template"),
    ("servicecatalog:DeleteProvisioningArtifact", "the old one is not needed any more"),
    ("servicecatalog:DescribeRecord", "a project failed: why"),
    ("servicecatalog:ProvisionProduct", "SageMaker does it as whoever creates the project"),
    ("servicecatalog:TerminateProvisionedProduct", "SageMaker does it as whoever deletes the project"),
    ("servicecatalog:UpdateConstraint", "another launch role"),
    ("servicecatalog:UpdateProvisionedProduct", "SageMaker does it as whoever updates the project"),
    ("servicecatalog:UpdateProvisioningArtifact", "a version's name or description"),
];

/// The calls of which the policy asks that they say whose the thing is; of CloudFormation's, also as which role.
const CONDITIONED: &[&str] = &["CreatePortfolio", "CreateProduct", "CreateProject", "CreateStack", "UpdateStack"];

/// Everything that the operator asked for in the life of one project: made, changed in every part, filled, deleted.
async fn life(data_policy: &str) -> BTreeSet<(&'static str, String)> {
    let mut harness = Harness::new(Settings::default()).await;
    let stack_role = harness.sandbox.world(|world| {
        world.iam.add_role(ACCOUNT, "/", "team", &["sagemaker.amazonaws.com"]);
        world.iam.add_role(ACCOUNT, "/", "stack", &["cloudformation.amazonaws.com"])
    });
    harness.start();
    let mut manifest = Harness::manifest();
    manifest["spec"]["dataPolicy"] = json!(data_policy);
    manifest["spec"]["platform"]["aws"]["roles"] = json!({"stack": stack_role});
    manifest["spec"]["tags"] = json!({"team": "a", "cost": "1"});
    manifest["spec"]["repositories"]["build"]["seedCode"] = json!({"source": "BuiltIn"});
    harness.apply(manifest);
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
    // Two routine looks at everything, and those at lists between them.
    tokio::time::sleep(Duration::from_hours(2)).await;
    let change = json!({"spec": {
        "description": "Predicts fares", "tags": {"team": "b", "cost": null},
        "repositories": {"build": {"branch": "develop"}},
        "modelTrigger": {"approvalStatuses": ["Approved", "Rejected"]},
        "platform": {"catalog": {"portfolio": {"description": "Ours"}, "product": {"description": "Ours"},
            "principals": [{"arn": format!("arn:aws:iam::{ACCOUNT}:role/team")}]}},
    }});
    harness.edit(change).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    harness.until_condition("Ready=True/Succeeded", Duration::from_mins(5)).await;
    fill(&harness);
    harness
        .edit(json!({"spec": {"modelTrigger": {"enabled": false}, "platform": {"catalog": {"principals": null}}}}))
        .await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    harness.until_condition("TriggerReady=False/Disabled", Duration::from_mins(5)).await;
    harness.delete();
    harness.until_gone(Duration::from_mins(20)).await;
    let journal = harness.sandbox.journal();
    for entry in journal.iter().filter(|entry| CONDITIONED.contains(&entry.operation.as_str())) {
        let tags = entry.input["Tags"].as_array().cloned().unwrap_or_default();
        assert!(tags.iter().any(|tag| tag["Key"] == "mlops-operator.io/object"), "{}: {}", entry.call(), entry.input);
        if entry.service == "cloudformation" {
            assert_eq!(entry.input["RoleARN"], stack_role, "{}", entry.call());
        }
    }
    let asked = journal.iter().filter(|entry| entry.transport == "aws");
    asked.map(|entry| (bucket(&entry.uri, &entry.service), entry.call())).collect()
}

/// Whose bucket a call is about: `data` for the project's, `artifacts` for the operator's, empty for none.
fn bucket(uri: &str, service: &str) -> &'static str {
    match service {
        "s3" if uri.contains("sagemaker-project-") => "data",
        "s3" => "artifacts",
        _ => "",
    }
}

/// A model and a file in the project's bucket, as the team puts them there.
fn fill(harness: &Harness) {
    let id = harness.object().unwrap()["status"]["project"]["id"].as_str().unwrap().to_owned();
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/team");
    let team = Caller { account: ACCOUNT.to_owned(), arn: arn.clone(), principal: arn };
    let file = format!("/sagemaker-project-{id}/data.csv");
    let request = http::Request::put(file).body(bytes::Bytes::from("1,2,3")).unwrap();
    let model = json!({"ModelPackageGroupName": format!("taxi-fares-{id}"), "ModelApprovalStatus": "Rejected"});
    let call = Call { operation: "CreateModelPackage", input: &model, caller: &team, region: REGION };
    harness.sandbox.world(|world| {
        assert!(s3::handle(world, &team, REGION, &request).status().is_success());
        sagemaker::call(world, &call).unwrap();
    });
}

fn all(calls: &BTreeSet<(&'static str, String)>) -> BTreeSet<String> {
    calls.iter().flat_map(|(_, call)| needed(call)).collect()
}

fn on(bucket: &str, calls: &BTreeSet<(&'static str, String)>) -> BTreeSet<String> {
    calls.iter().filter(|(whose, _)| *whose == bucket).flat_map(|(_, call)| needed(call)).collect()
}

fn beyond(asked: &BTreeSet<String>, allowed: &BTreeSet<String>) -> Vec<String> {
    asked.difference(allowed).cloned().collect()
}

const NONE: Vec<String> = Vec::new();

#[tokio::test(start_paused = true)]
async fn the_documented_policy_allows_every_call_of_a_projects_life_and_little_else() {
    let [own, for_data] = documented();
    let (kept, deleted) = (life("Keep").await, life("Delete").await);
    assert_eq!(beyond(&all(&kept), &own), NONE);
    assert_eq!(on("data", &kept), BTreeSet::new(), "what users put into a project is not even looked at");

    assert_eq!(beyond(&all(&deleted), &own.union(&for_data).cloned().collect()), NONE);
    assert!(on("data", &deleted).contains("s3:DeleteBucket"));
    assert_eq!(beyond(&on("data", &deleted), &for_data), NONE);
    assert_eq!(beyond(&for_data, &all(&deleted)), NONE, "only what deletes data");

    let rare: Vec<String> = RARE.iter().map(|(action, _)| (*action).to_owned()).collect();
    let asked = all(&kept).union(&all(&deleted)).cloned().collect();
    assert_eq!(beyond(&own, &asked), rare);
}
