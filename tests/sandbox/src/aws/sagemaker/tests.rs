//! SageMaker as a client meets it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use bytes::Bytes;

use crate::aws::{Call, Caller, Outcome, events, s3, service_catalog};
use crate::world::{Settings, World};

const ACCOUNT: &str = "111122223333";
const TEMPLATE: &str = "Parameters:\n  SageMakerProjectName: {Type: String}\n  SageMakerProjectId: {Type: String}\nResources:\n  Group:\n    Type: AWS::SageMaker::ModelPackageGroup\n    Properties: {ModelPackageGroupName: !Sub '${SageMakerProjectName}-${SageMakerProjectId}'}\n";

struct Bench {
    world: World,
    caller: Caller,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let mut world = World::new(settings, Timestamp::from_second(1_800_000_000).unwrap());
        let principal = world.iam.add_role(ACCOUNT, "/", "operator", &["ec2.amazonaws.com"]);
        let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/operator/test");
        Self { world, caller: Caller { account: ACCOUNT.into(), arn, principal } }
    }

    fn call(&mut self, operation: &str, input: Value) -> Outcome {
        let caller = self.caller.clone();
        super::call(&mut self.world, &Call { operation, input: &input, caller: &caller, region: "us-east-1" })
    }

    fn done(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
    }

    fn pass(&mut self, time: Duration) {
        let now = self.world.now.saturating_add(SignedDuration::try_from(time).unwrap()).unwrap();
        self.world.advance(now);
    }

    fn other(&mut self, service: fn(&mut World, &Call<'_>) -> Outcome, operation: &str, input: Value) -> Value {
        let caller = self.caller.clone();
        let call = Call { operation, input: &input, caller: &caller, region: "us-east-1" };
        service(&mut self.world, &call).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
    }

    /// A product of one model package group that the caller may launch. Gives the input of CreateProject.
    fn product(&mut self) -> Value {
        for (path, body) in [("/templates", ""), ("/templates/t.yaml", TEMPLATE)] {
            let request = http::Request::builder().method("PUT").uri(path).body(Bytes::from(body)).unwrap();
            assert!(s3::handle(&mut self.world, &self.caller.clone(), "us-east-1", &request).status().is_success());
        }
        let mut catalog = |operation: &str, input: Value| self.other(service_catalog::call, operation, input);
        let portfolio =
            catalog("CreatePortfolio", json!({"DisplayName": "t", "ProviderName": "t", "IdempotencyToken": "p"}));
        let portfolio = portfolio["PortfolioDetail"]["Id"].clone();
        let url = "https://templates.s3.us-east-1.amazonaws.com/t.yaml";
        let product = catalog(
            "CreateProduct",
            json!({"Name": "t", "Owner": "t", "ProductType": "CLOUD_FORMATION_TEMPLATE", "IdempotencyToken": "q",
                "ProvisioningArtifactParameters":
                    {"Name": "v1", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": {"LoadTemplateFromURL": url}}}),
        );
        let product = product["ProductViewDetail"]["ProductViewSummary"]["ProductId"].clone();
        catalog("AssociateProductWithPortfolio", json!({"PortfolioId": portfolio, "ProductId": product}));
        let principal =
            json!({"PortfolioId": portfolio, "PrincipalARN": self.caller.principal, "PrincipalType": "IAM"});
        self.other(service_catalog::call, "AssociatePrincipalWithPortfolio", principal);
        json!({"ProjectName": "churn", "ServiceCatalogProvisioningDetails": {"ProductId": product},
            "Tags": [{"Key": "team", "Value": "red"}]})
    }

    fn status(&mut self) -> String {
        let project = self.done("DescribeProject", json!({"ProjectName": "churn"}));
        project["ProjectStatus"].as_str().unwrap().to_owned()
    }

    fn group(&mut self, name: &str) -> String {
        let answer = self.done("CreateModelPackageGroup", json!({"ModelPackageGroupName": name}));
        answer["ModelPackageGroupArn"].as_str().unwrap().to_owned()
    }

    fn package(&mut self, group: &str, status: Option<&str>) -> String {
        let input = json!({"ModelPackageGroupName": group, "ModelApprovalStatus": status,
            "InferenceSpecification": {"Containers": [{"Image": "image"}], "SupportedContentTypes": ["text/csv"]}});
        self.done("CreateModelPackage", input)["ModelPackageArn"].as_str().unwrap().to_owned()
    }

    fn names(&mut self, operation: &str, input: Value, list: &str, member: &str) -> Vec<String> {
        let answer = self.done(operation, input);
        answer[list].as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn what_is_wrong_with_an_input_is_said_as_aws_says_it() {
    let git = json!({"RepositoryUrl": "https://git.example/a/b.git", "Branch": "main"});
    let cases = [
        ("a name is missing", "DescribeProject", json!({}), "ValidationException", "'projectName'"),
        (
            "a name is too long",
            "DescribeProject",
            json!({"ProjectName": "x".repeat(33)}),
            "ValidationException",
            "equal to 32",
        ),
        (
            "a name ends in a dash",
            "DescribeProject",
            json!({"ProjectName": "x-"}),
            "ValidationException",
            "regular expression",
        ),
        (
            "a project is unknown",
            "DescribeProject",
            json!({"ProjectName": "x"}),
            "ValidationException",
            "does not exist",
        ),
        (
            "an unknown project is deleted",
            "DeleteProject",
            json!({"ProjectName": "x"}),
            "ValidationException",
            "does not exist",
        ),
        ("a project from nothing", "CreateProject", json!({"ProjectName": "x"}), "ValidationException", "ProductId"),
        (
            "a project from an S3 template",
            "CreateProject",
            json!({"ProjectName": "x", "TemplateProviders": []}),
            "ValidationException",
            "TemplateProviders",
        ),
        (
            "a repository without Git",
            "CreateCodeRepository",
            json!({"CodeRepositoryName": "r"}),
            "ValidationException",
            "'gitConfig'",
        ),
        (
            "a repository with a bad branch",
            "CreateCodeRepository",
            json!({"CodeRepositoryName": "r", "GitConfig": {"RepositoryUrl": "https://git.example/a", "Branch": "a b"}}),
            "ValidationException",
            "gitConfig.branch",
        ),
        (
            "a repository's branch cannot change",
            "UpdateCodeRepository",
            json!({"CodeRepositoryName": "r", "GitConfig": git}),
            "ValidationException",
            "cannot be updated",
        ),
        (
            "a repository is unknown",
            "DescribeCodeRepository",
            json!({"CodeRepositoryName": "r"}),
            "ValidationException",
            "Cannot find",
        ),
        (
            "a version in no group",
            "CreateModelPackage",
            json!({"ModelPackageGroupName": "g"}),
            "ValidationException",
            "does not exist",
        ),
        ("a package of no name", "CreateModelPackage", json!({}), "ValidationException", "Exactly one"),
        (
            "an approval that is none",
            "UpdateModelPackage",
            json!({"ModelPackageArn": "arn:x", "ModelApprovalStatus": "Yes"}),
            "ValidationException",
            "enum value set",
        ),
        ("a list of 101", "ListProjects", json!({"MaxResults": 101}), "ValidationException", "equal to 100"),
        (
            "a tag page of 49",
            "ListTags",
            json!({"ResourceArn": "arn:x", "MaxResults": 49}),
            "ValidationException",
            "does not exist",
        ),
        (
            "tags of nothing",
            "AddTags",
            json!({"ResourceArn": "arn:x", "Tags": []}),
            "ValidationException",
            "does not exist",
        ),
        ("what is not played", "CreatePipeline", json!({}), "UnknownOperationException", "CreatePipeline"),
    ];
    for (case, operation, input, code, words) in cases {
        let refusal = Bench::new(Settings::default()).call(operation, input).expect_err(case);
        assert_eq!(refusal.code, code, "{case}: {refusal}");
        assert!(refusal.message.contains(words), "{case}: {refusal}");
    }
}

#[test]
fn versions_count_up_and_are_never_used_twice() {
    let mut bench = Bench::new(Settings::default());
    bench.group("churn");
    let first = bench.package("churn", None);
    let second = bench.package("churn", None);
    assert!(first.ends_with(":model-package/churn/1") && second.ends_with(":model-package/churn/2"));
    bench.done("DeleteModelPackage", json!({"ModelPackageName": second}));
    assert!(bench.package("churn", None).ends_with("/3"));
    let shown = bench.done("DescribeModelPackage", json!({"ModelPackageName": first}));
    assert_eq!(
        (shown["ModelApprovalStatus"].as_str(), shown["ModelPackageVersion"].as_u64()),
        (Some("PendingManualApproval"), Some(1))
    );
    let listed = |bench: &mut Bench, order: Value| {
        bench.names("ListModelPackages", order, "ModelPackageSummaryList", "ModelPackageArn")
    };
    let ascending = listed(&mut bench, json!({"ModelPackageGroupName": "churn"}));
    assert!(ascending[0].ends_with("/1") && ascending[1].ends_with("/3"));
    assert!(listed(&mut bench, json!({})).is_empty(), "without a group, only packages without versions are listed");
}

#[test]
fn a_group_that_holds_packages_is_not_deleted() {
    let mut bench = Bench::new(Settings::default());
    bench.group("churn");
    let package = bench.package("churn", Some("Rejected"));
    let group = json!({"ModelPackageGroupName": "churn"});
    assert_eq!(bench.call("DeleteModelPackageGroup", group.clone()).unwrap_err().code, "ConflictException");
    bench.done("DeleteModelPackage", json!({"ModelPackageName": package}));
    bench.done("DeleteModelPackageGroup", group.clone());
    assert!(bench.call("DescribeModelPackageGroup", group.clone()).unwrap_err().message.contains("does not exist"));
    assert!(bench.call("ListModelPackages", group).unwrap_err().message.contains("does not exist"));
}

#[test]
fn tags_are_added_replaced_removed_and_limited() {
    let mut bench = Bench::new(Settings::default());
    let arn = bench.group("churn");
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    bench.done("AddTags", json!({"ResourceArn": arn, "Tags": [tag("a", "1"), tag("b", "")]}));
    bench.done("AddTags", json!({"ResourceArn": arn, "Tags": [tag("a", "2")]}));
    bench.done("DeleteTags", json!({"ResourceArn": arn, "TagKeys": ["b"]}));
    assert_eq!(bench.done("ListTags", json!({"ResourceArn": arn}))["Tags"], json!([tag("a", "2")]));
    let many: Vec<Value> = (0..50).map(|n| tag(&format!("k{n}"), "v")).collect();
    let refusal = bench.call("AddTags", json!({"ResourceArn": arn, "Tags": many})).unwrap_err();
    assert!(refusal.message.contains("limit of 50"), "{refusal}");
    let refusal = bench.call("ListTags", json!({"ResourceArn": arn, "MaxResults": 49})).unwrap_err();
    assert!(refusal.message.contains("equal to 50"), "{refusal}");
}

#[test]
fn lists_are_filtered_sorted_and_paged() {
    let mut bench = Bench::new(Settings::default());
    for name in ["b-churn", "a-churn", "price"] {
        bench.group(name);
        bench.pass(Duration::from_secs(1));
    }
    let cases = [
        ("by age, oldest first, unless told otherwise", json!({}), vec!["b-churn", "a-churn", "price"]),
        ("by name", json!({"SortBy": "Name"}), vec!["a-churn", "b-churn", "price"]),
        ("youngest first", json!({"SortOrder": "Descending"}), vec!["price", "a-churn", "b-churn"]),
        ("with a name's part", json!({"NameContains": "churn"}), vec!["b-churn", "a-churn"]),
        ("younger than", json!({"CreationTimeAfter": 1_800_000_000.5}), vec!["a-churn", "price"]),
        ("the first page", json!({"MaxResults": 2}), vec!["b-churn", "a-churn"]),
        ("the next page", json!({"MaxResults": 2, "NextToken": "page-2"}), vec!["price"]),
    ];
    for (case, input, names) in cases {
        let listed =
            bench.names("ListModelPackageGroups", input, "ModelPackageGroupSummaryList", "ModelPackageGroupName");
        assert_eq!(listed, names, "{case}");
    }
}

#[test]
fn reads_and_lists_lag_behind_writes_where_told_to() {
    let lag = Duration::from_secs(5);
    let mut bench = Bench::new(Settings { read_after_write: lag, list_lag: lag, ..Settings::default() });
    let git = json!({"RepositoryUrl": "https://git.example/a/b.git", "Branch": "main"});
    bench.done("CreateCodeRepository", json!({"CodeRepositoryName": "r", "GitConfig": git}));
    let named = json!({"CodeRepositoryName": "r"});
    let listed = |bench: &mut Bench| {
        bench.names("ListCodeRepositories", json!({}), "CodeRepositorySummaryList", "CodeRepositoryName")
    };
    assert!(bench.call("DescribeCodeRepository", named.clone()).is_err() && listed(&mut bench).is_empty());
    bench.pass(lag);
    assert_eq!(bench.done("DescribeCodeRepository", named.clone())["GitConfig"], git);
    assert_eq!(listed(&mut bench), ["r"]);
    bench.done("DeleteCodeRepository", named.clone());
    assert!(bench.call("DescribeCodeRepository", named).is_err());
    assert_eq!(listed(&mut bench), ["r"], "a list still shows it");
    bench.pass(lag);
    assert!(listed(&mut bench).is_empty());
}

#[test]
fn a_project_lives_and_leaves_a_record_until_its_name_is_used_again() {
    let mut bench = Bench::new(Settings { project: Duration::from_secs(10), ..Settings::default() });
    let input = bench.product();
    let named = json!({"ProjectName": "churn"});
    let made = bench.done("CreateProject", input.clone());
    let id = made["ProjectId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("p-") && id.len() == 14, "{id}");
    assert_eq!(bench.status(), "Pending");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.status(), "CreateInProgress");
    assert_eq!(bench.call("UpdateProject", named.clone()).unwrap_err().code, "ConflictException");
    assert_eq!(bench.call("DeleteProject", named.clone()).unwrap_err().code, "ConflictException");
    bench.pass(Duration::from_secs(8));
    assert_eq!(bench.status(), "CreateInProgress", "its stack is there, but its own time is not up");
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.status(), "CreateCompleted");
    bench.done("DescribeModelPackageGroup", json!({"ModelPackageGroupName": format!("churn-{id}")}));
    let again = bench.call("CreateProject", input.clone()).unwrap_err();
    assert!(again.code == "ValidationException" && again.message.contains("already exists"), "{again}");
    bench.done("DeleteProject", named.clone());
    assert_eq!(bench.status(), "DeleteInProgress");
    bench.pass(Duration::from_secs(11));
    assert_eq!(bench.status(), "DeleteCompleted", "the record stays");
    assert!(bench.names("ListProjects", json!({}), "ProjectSummaryList", "ProjectName").is_empty());
    let again = bench.call("DeleteProject", named).unwrap_err();
    assert_eq!(again.message, "Cannot delete Project in DeleteCompleted status");
    assert_ne!(bench.done("CreateProject", input)["ProjectId"], id.as_str(), "the name is free");
}

#[test]
fn what_a_project_cannot_be_made_from_is_refused_at_once() {
    let parameter = |key: &str| json!([{"Key": key, "Value": "x"}]);
    type Edit = fn(&mut Bench, &mut Value);
    let cases: [(&str, Edit, &str); 3] = [
        ("nobody may launch", |bench, _| bench.caller.principal.push('x'), "No launch paths"),
        (
            "an unknown version",
            |_, input| input["ServiceCatalogProvisioningDetails"]["ProvisioningArtifactId"] = json!("pa-x"),
            "not found",
        ),
        (
            "a parameter that is SageMaker's",
            |_, input| {
                input["ServiceCatalogProvisioningDetails"]["ProvisioningParameters"] =
                    json!([{"Key": "SageMakerProjectId", "Value": "x"}])
            },
            "filled in by SageMaker",
        ),
    ];
    for (case, edit, words) in cases {
        let mut bench = Bench::new(Settings::default());
        let mut input = bench.product();
        edit(&mut bench, &mut input);
        let refusal = bench.call("CreateProject", input).expect_err(case);
        assert_eq!(refusal.code, "ValidationException", "{case}");
        assert!(refusal.message.contains(words), "{case}: {refusal}");
    }
    let mut bench = Bench::new(Settings::default());
    let mut input = bench.product();
    input["ServiceCatalogProvisioningDetails"]["ProvisioningParameters"] = parameter("Unknown");
    bench.done("CreateProject", input);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.status(), "CreateFailed", "what the template does not declare is CloudFormation's to refuse");
    let shown = bench.done("DescribeProject", json!({"ProjectName": "churn"}));
    let message = &shown["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductStatusMessage"];
    let start = "Client error: Provisioning failed with error: AmazonCloudFormationException  Parameters: [Unknown] do not exist";
    assert!(message.as_str().unwrap().starts_with(start), "{message}");
}

#[test]
fn an_approval_is_told_to_event_bridge_once() {
    let mut bench = Bench::new(Settings::default());
    let pattern = json!({"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["churn"], "ModelApprovalStatus": ["Approved"]}});
    bench.other(events::call, "PutRule", json!({"Name": "r", "EventPattern": pattern.to_string()}));
    let function = format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:f");
    bench.other(events::call, "PutTargets", json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": function}]}));
    bench.group("churn");
    bench.group("price");
    let waiting = bench.package("churn", None);
    // The function does not exist, so each event that the rule matches is a delivery that fails.
    let told = |bench: &mut Bench| {
        let dump = bench.world.region(ACCOUNT, "us-east-1").events.dump();
        dump["failures"].as_array().unwrap_or_else(|| panic!("{dump}")).len()
    };
    assert_eq!(told(&mut bench), 0);
    let approve = json!({"ModelPackageArn": waiting, "ModelApprovalStatus": "Approved"});
    bench.done("UpdateModelPackage", approve.clone());
    assert_eq!(told(&mut bench), 1);
    bench.done("UpdateModelPackage", approve);
    assert_eq!(told(&mut bench), 1, "the same approval again changes nothing");
    bench.package("churn", Some("Approved"));
    assert_eq!(told(&mut bench), 2, "a model may be registered as approved");
    bench.package("price", Some("Approved"));
    assert_eq!(told(&mut bench), 2, "another group's models are nobody's business here");
}
