//! Service Catalog as a client meets it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::aws::{Call, Caller, Outcome, iam, s3};
use crate::world::{Settings, World};

pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const LAUNCH_ROLE: &str =
    "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole";
const TEMPLATE: &str = "Parameters:\n  Name: {Type: String}\nResources:\n  Group:\n    Type: AWS::SageMaker::ModelPackageGroup\n    Properties: {ModelPackageGroupName: !Ref Name}\nOutputs:\n  Group: {Value: !Ref Name}\n";

pub(super) struct Bench {
    pub(super) world: World,
    pub(super) caller: Caller,
}

impl Bench {
    pub(super) fn new(settings: Settings) -> Self {
        let mut world = World::new(settings, Timestamp::from_second(1_800_000_000).unwrap());
        let principal = world.iam.add_role(ACCOUNT, "/", "operator", &["ec2.amazonaws.com"]);
        let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/operator/test");
        let mut bench = Self { world, caller: Caller { account: ACCOUNT.into(), arn, principal } };
        bench.put("/templates", "");
        bench.put("/templates/t.yaml", TEMPLATE);
        bench
    }

    pub(super) fn put(&mut self, path: &str, body: &str) {
        let request = http::Request::builder().method("PUT").uri(path).body(Bytes::from(body.to_owned())).unwrap();
        let response = s3::handle(&mut self.world, &self.caller.clone(), "us-east-1", &request);
        assert!(response.status().is_success(), "{path}: {}", response.status());
    }

    pub(super) fn call(&mut self, operation: &str, input: Value) -> Outcome {
        let caller = self.caller.clone();
        super::call(&mut self.world, &Call { operation, input: &input, caller: &caller, region: "us-east-1" })
    }

    pub(super) fn done(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let now = self.world.now.saturating_add(SignedDuration::try_from(time).unwrap()).unwrap();
        self.world.advance(now);
    }

    pub(super) fn portfolio(&mut self, token: &str) -> String {
        let input = json!({"DisplayName": "team", "ProviderName": "platform", "IdempotencyToken": token,
            "Tags": [{"Key": "owner", "Value": "us"}]});
        let answer = self.done("CreatePortfolio", input);
        text(&answer["PortfolioDetail"]["Id"])
    }

    pub(super) fn product(&mut self, token: &str) -> (String, String) {
        let answer = self.done("CreateProduct", product_input("churn", token));
        (
            text(&answer["ProductViewDetail"]["ProductViewSummary"]["ProductId"]),
            text(&answer["ProvisioningArtifactDetail"]["Id"]),
        )
    }

    /// A portfolio with a product that the caller may launch as the launch role.
    pub(super) fn catalog(&mut self) -> (String, String, String) {
        let (portfolio, (product, artifact)) = (self.portfolio("p"), self.product("q"));
        self.done("AssociateProductWithPortfolio", json!({"PortfolioId": portfolio, "ProductId": product}));
        self.constraint(&portfolio, &product, "c", LAUNCH_ROLE).unwrap();
        self.principal(&portfolio);
        (portfolio, product, artifact)
    }

    pub(super) fn principal(&mut self, portfolio: &str) {
        let arn = self.caller.principal.clone();
        let input = json!({"PortfolioId": portfolio, "PrincipalARN": arn, "PrincipalType": "IAM"});
        self.done("AssociatePrincipalWithPortfolio", input);
    }

    pub(super) fn constraint(&mut self, portfolio: &str, product: &str, token: &str, role: &str) -> Outcome {
        self.call(
            "CreateConstraint",
            json!({"PortfolioId": portfolio, "ProductId": product, "Type": "LAUNCH",
            "Parameters": json!({"RoleArn": role}).to_string(), "IdempotencyToken": token}),
        )
    }
}

fn product_input(name: &str, token: &str) -> Value {
    json!({"Name": name, "Owner": "platform", "ProductType": "CLOUD_FORMATION_TEMPLATE", "IdempotencyToken": token,
        "Tags": [{"Key": "owner", "Value": "us"}], "ProvisioningArtifactParameters": artifact_input("v1")})
}

pub(super) fn artifact_input(name: &str) -> Value {
    json!({"Name": name, "Type": "CLOUD_FORMATION_TEMPLATE", "DisableTemplateValidation": true,
        "Info": {"LoadTemplateFromURL": "https://templates.s3.us-east-1.amazonaws.com/t.yaml"}})
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

pub(super) fn quick() -> Settings {
    Settings { catalog: Duration::from_secs(5), ..Settings::default() }
}

#[test]
fn what_is_wrong_with_an_input_is_said_as_aws_says_it() {
    let long = "x".repeat(101);
    let tags = |count: usize, value: &str| -> Value {
        (0..count).map(|n| json!({"Key": format!("k{n}"), "Value": value})).collect()
    };
    let portfolio = |change: Value| {
        let mut input = json!({"DisplayName": "team", "ProviderName": "platform", "IdempotencyToken": "t"});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        input
    };
    let cases = [
        (
            "a name is missing",
            "CreatePortfolio",
            json!({"ProviderName": "p", "IdempotencyToken": "t"}),
            "ValidationException",
            "'displayName'",
        ),
        (
            "a name is too long",
            "CreatePortfolio",
            portfolio(json!({"DisplayName": long})),
            "ValidationException",
            "less than or equal to 100",
        ),
        (
            "a token has a wrong sign",
            "CreatePortfolio",
            portfolio(json!({"IdempotencyToken": "a b"})),
            "ValidationException",
            "regular expression",
        ),
        ("21 tags", "CreatePortfolio", portfolio(json!({"Tags": tags(21, "v")})), "ValidationException", "'tags'"),
        (
            "an empty tag value",
            "CreatePortfolio",
            portfolio(json!({"Tags": tags(1, "")})),
            "ValidationException",
            "greater than or equal to 1",
        ),
        (
            "a tag value with a wrong sign",
            "CreatePortfolio",
            portfolio(json!({"Tags": tags(1, "a,b")})),
            "ValidationException",
            "regular expression",
        ),
        (
            "a page that is too large",
            "SearchProductsAsAdmin",
            json!({"PageSize": 21}),
            "ValidationException",
            "'pageSize'",
        ),
        (
            "a page token of somebody else",
            "ListPortfolios",
            json!({"PageToken": "x"}),
            "InvalidParametersException",
            "page token",
        ),
        (
            "an id that does not exist",
            "DescribePortfolio",
            json!({"Id": "port-x"}),
            "ResourceNotFoundException",
            "port-x",
        ),
        ("an operation that is not played", "CopyProduct", json!({}), "UnknownOperationException", "CopyProduct"),
        (
            "a product without a version",
            "CreateProduct",
            json!({"Name": "n", "Owner": "o", "ProductType": "CLOUD_FORMATION_TEMPLATE", "IdempotencyToken": "t"}),
            "InvalidParametersException",
            "ProvisioningArtifactParameters",
        ),
        (
            "a version name with a space",
            "CreateProduct",
            json!({"Name": "n", "Owner": "o", "ProductType": "CLOUD_FORMATION_TEMPLATE", "IdempotencyToken": "t", "ProvisioningArtifactParameters": artifact_input("v 1")}),
            "InvalidParametersException",
            "spaces",
        ),
    ];
    for (what, operation, input, code, words) in cases {
        let refusal = Bench::new(quick()).call(operation, input).expect_err(what);
        assert_eq!(refusal.code, code, "{what}: {refusal}");
        assert!(refusal.message.contains(words), "{what}: {refusal}");
    }
}

#[test]
fn a_token_names_the_same_thing_even_after_it_was_deleted() {
    let mut bench = Bench::new(quick());
    let first = bench.portfolio("t");
    assert_eq!(bench.portfolio("t"), first);
    bench.done("DeletePortfolio", json!({"Id": first}));
    assert_eq!(bench.portfolio("t"), first);
    assert_eq!(bench.call("DescribePortfolio", json!({"Id": first})).unwrap_err().code, "ResourceNotFoundException");
    assert_ne!(bench.portfolio("u"), first);
}

#[test]
fn products_are_creating_first_and_lists_lack_what_real_ones_lack() {
    let mut bench = Bench::new(quick());
    let (portfolio, product, artifact) = bench.catalog();
    let status = |bench: &mut Bench| {
        text(&bench.done("DescribeProductAsAdmin", json!({"Id": product}))["ProductViewDetail"]["Status"])
    };
    assert_eq!(status(&mut bench), "CREATING");
    bench.pass(Duration::from_secs(5));
    assert_eq!(status(&mut bench), "CREATED");
    let version =
        bench.done("DescribeProvisioningArtifact", json!({"ProductId": product, "ProvisioningArtifactId": artifact}));
    assert_eq!(version["Status"], "AVAILABLE");

    let search = bench.done("SearchProductsAsAdmin", json!({"Filters": {"FullTextSearch": ["CHURN"]}}));
    assert_eq!(search["ProductViewDetails"][0]["ProductViewSummary"]["ProductId"], json!(product));
    assert_eq!(search["ProductViewDetails"][0].get("Tags"), None);
    let constraints = bench.done("ListConstraintsForPortfolio", json!({"PortfolioId": portfolio}));
    assert_eq!(constraints["ConstraintDetails"][0].get("ConstraintParameters"), None);
    let admin = bench.done("DescribeProductAsAdmin", json!({"Id": product}));
    assert_eq!(admin["ProvisioningArtifactSummaries"][0].get("Active"), None);
    assert_eq!(admin["Tags"], json!([{"Key": "owner", "Value": "us"}]));
    let arn = text(&admin["ProductViewDetail"]["ProductARN"]);
    assert_eq!(arn, format!("arn:aws:catalog:us-east-1:{ACCOUNT}:product/{product}"));
}

#[test]
fn things_are_deleted_from_the_outside_in() {
    let mut bench = Bench::new(quick());
    let (portfolio, product, artifact) = bench.catalog();
    let constraints = bench.done("ListConstraintsForPortfolio", json!({"PortfolioId": portfolio}));
    let constraint = text(&constraints["ConstraintDetails"][0]["ConstraintId"]);
    let principal = bench.caller.principal.clone();
    let pair = json!({"PortfolioId": portfolio, "ProductId": product});
    let in_use = |bench: &mut Bench, operation: &str, input: Value| {
        assert_eq!(bench.call(operation, input).unwrap_err().code, "ResourceInUseException", "{operation}");
    };
    in_use(&mut bench, "DeletePortfolio", json!({"Id": portfolio}));
    in_use(&mut bench, "DeleteProduct", json!({"Id": product}));
    in_use(&mut bench, "DisassociateProductFromPortfolio", pair.clone());
    in_use(&mut bench, "DeleteProvisioningArtifact", json!({"ProductId": product, "ProvisioningArtifactId": artifact}));
    bench.done("DeleteConstraint", json!({"Id": constraint}));
    in_use(&mut bench, "DeletePortfolio", json!({"Id": portfolio}));
    bench.done("DisassociatePrincipalFromPortfolio", json!({"PortfolioId": portfolio, "PrincipalARN": principal}));
    bench.done("DisassociateProductFromPortfolio", pair);
    bench.done("DeleteProduct", json!({"Id": product}));
    bench.done("DeletePortfolio", json!({"Id": portfolio}));
    let empty = bench.world.region(ACCOUNT, "us-east-1").catalog.dump();
    assert_eq!(empty["portfolios"], json!({}));
    assert_eq!(
        (&empty["artifacts"], &empty["principals"], &empty["associations"]),
        (&json!({}), &json!([]), &json!([]))
    );
}

#[test]
fn a_constraint_is_one_of_a_kind_and_needs_a_known_association() {
    let slow = Settings { iam_propagation: Duration::from_secs(10), ..quick() };
    let mut bench = Bench::new(slow);
    let (portfolio, (product, _)) = (bench.portfolio("p"), bench.product("q"));
    assert_eq!(bench.constraint(&portfolio, &product, "a", LAUNCH_ROLE).unwrap_err().code, "ResourceNotFoundException");
    bench.done("AssociateProductWithPortfolio", json!({"PortfolioId": portfolio, "ProductId": product}));
    assert_eq!(bench.constraint(&portfolio, &product, "b", LAUNCH_ROLE).unwrap_err().code, "ResourceNotFoundException");
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.constraint(&portfolio, &product, "c", "nobody").unwrap_err().code, "InvalidParametersException");
    let made = bench.constraint(&portfolio, &product, "d", LAUNCH_ROLE).unwrap();
    assert_eq!(
        bench.constraint(&portfolio, &product, "e", LAUNCH_ROLE).unwrap_err().code,
        "DuplicateResourceException"
    );
    let id = text(&made["ConstraintDetail"]["ConstraintId"]);
    bench.done("UpdateConstraint", json!({"Id": id, "Parameters": "{\"LocalRoleName\":\"other\"}"}));
    assert_eq!(
        bench.done("DescribeConstraint", json!({"Id": id}))["ConstraintParameters"],
        "{\"LocalRoleName\":\"other\"}"
    );
}

#[test]
fn who_names_a_launch_role_must_be_allowed_to_pass_it() {
    let mut bench = Bench::new(quick());
    let (portfolio, (product, _)) = (bench.portfolio("p"), bench.product("q"));
    bench.done("AssociateProductWithPortfolio", json!({"PortfolioId": portfolio, "ProductId": product}));
    let principal = bench.caller.principal.clone();
    let refused = |outcome: Outcome, role: &str| {
        let refusal = outcome.unwrap_err();
        let words = format!("is not authorized to perform: iam:PassRole on resource: {role} ");
        assert_eq!(refusal.code, "AccessDeniedException");
        assert!(refusal.message.contains(&words), "{refusal}");
    };
    bench.world.iam.deny(&principal, "iam:PassRole");
    for role in [LAUNCH_ROLE, "arn:aws:iam::111122223333:role/nobody"] {
        refused(bench.constraint(&portfolio, &product, "c", role), role);
    }
    bench.world.iam.allow(&principal, "iam:PassRole");
    let made = bench.constraint(&portfolio, &product, "c", LAUNCH_ROLE).unwrap();
    let id = text(&made["ConstraintDetail"]["ConstraintId"]);
    bench.world.iam.deny(&principal, "iam:PassRole");
    let change = json!({"Id": id, "Parameters": json!({"RoleArn": LAUNCH_ROLE}).to_string()});
    refused(bench.call("UpdateConstraint", change), LAUNCH_ROLE);
    bench.done("UpdateConstraint", json!({"Id": id, "Description": "passes no role"}));
    bench.done("DeleteConstraint", json!({"Id": id}));
}

#[test]
fn who_tags_portfolios_and_products_must_be_allowed_to() {
    let mut bench = Bench::new(quick());
    let (portfolio, (product, _)) = (bench.portfolio("p"), bench.product("q"));
    let principal = bench.caller.principal.clone();
    let tags = json!([{"Key": "team", "Value": "a"}]);
    let made = json!({"DisplayName": "team", "ProviderName": "platform", "IdempotencyToken": "r", "Tags": tags});
    let added = |id: &str| json!({"Id": id, "AddTags": tags});
    let removed = |id: &str| json!({"Id": id, "RemoveTags": ["team"]});
    let cases = [
        ("TagResource", "CreatePortfolio", made),
        ("TagResource", "CreateProduct", product_input("fares", "r")),
        ("TagResource", "UpdatePortfolio", added(&portfolio)),
        ("TagResource", "UpdateProduct", added(&product)),
        ("UntagResource", "UpdatePortfolio", removed(&portfolio)),
        ("UntagResource", "UpdateProduct", removed(&product)),
    ];
    for (name, operation, input) in cases {
        let action = format!("servicecatalog:{name}");
        bench.world.iam.deny(&principal, &action);
        let refusal = bench.call(operation, input.clone()).expect_err(operation);
        assert_eq!(refusal.code, "AccessDeniedException", "{operation}");
        assert!(refusal.message.contains(&action), "{refusal}");
        bench.world.iam.allow(&principal, &action);
        bench.done(operation, input);
    }
    for name in ["TagResource", "UntagResource"] {
        bench.world.iam.deny(&principal, &format!("servicecatalog:{name}"));
    }
    bench.done("CreatePortfolio", json!({"DisplayName": "plain", "ProviderName": "platform", "IdempotencyToken": "s"}));
    bench.done(
        "UpdatePortfolio",
        json!({"Id": portfolio, "Description": "changes no tag", "AddTags": [], "RemoveTags": []}),
    );
}

#[test]
fn only_principals_of_the_portfolio_have_a_launch_path() {
    let slow = Settings { iam_propagation: Duration::from_secs(10), ..quick() };
    let mut bench = Bench::new(slow);
    let (portfolio, (product, _)) = (bench.portfolio("p"), bench.product("q"));
    bench.done("AssociateProductWithPortfolio", json!({"PortfolioId": portfolio, "ProductId": product}));
    bench.pass(Duration::from_secs(10));
    let none = bench.call("ListLaunchPaths", json!({"ProductId": product})).unwrap_err();
    assert_eq!(none.message, format!("No launch paths found for resource: {product}"));
    bench.principal(&portfolio);
    assert!(
        bench.call("ListLaunchPaths", json!({"ProductId": product})).is_err(),
        "the principal is not known everywhere yet"
    );
    bench.pass(Duration::from_secs(10));
    let paths = bench.done("ListLaunchPaths", json!({"ProductId": product}));
    assert!(text(&paths["LaunchPathSummaries"][0]["Id"]).starts_with("lpv2-"));
    assert_eq!(paths["LaunchPathSummaries"][0]["Name"], "team");
    bench.caller.principal = LAUNCH_ROLE.into();
    assert!(bench.call("ListLaunchPaths", json!({"ProductId": product})).is_err());
}

#[test]
fn principals_are_checked_and_forgotten_only_by_their_type() {
    let mut bench = Bench::new(quick());
    let portfolio = bench.portfolio("p");
    let input = |arn: &str, kind: &str| json!({"PortfolioId": portfolio, "PrincipalARN": arn, "PrincipalType": kind});
    let cases = [
        ("a role that does not exist", "arn:aws:iam::111122223333:role/nobody", "IAM", "InvalidParametersException"),
        ("another account's role", "arn:aws:iam::999999999999:role/operator", "IAM", "ResourceNotFoundException"),
        ("a session", "arn:aws:sts::111122223333:assumed-role/operator/test", "IAM", "InvalidParametersException"),
        ("a pattern with an account", "arn:aws:iam::111122223333:role/*", "IAM_PATTERN", "InvalidParametersException"),
        ("a type that does not exist", "arn:aws:iam:::role/*", "USER", "ValidationException"),
    ];
    for (what, arn, kind, code) in cases {
        assert_eq!(bench.call("AssociatePrincipalWithPortfolio", input(arn, kind)).unwrap_err().code, code, "{what}");
    }
    bench.done("AssociatePrincipalWithPortfolio", input("arn:aws:iam:::role/team-*", "IAM_PATTERN"));
    let untyped = json!({"PortfolioId": portfolio, "PrincipalARN": "arn:aws:iam:::role/team-*"});
    assert_eq!(
        bench.call("DisassociatePrincipalFromPortfolio", untyped).unwrap_err().code,
        "ResourceNotFoundException"
    );
    bench.done("DisassociatePrincipalFromPortfolio", input("arn:aws:iam:::role/team-*", "IAM_PATTERN"));
    assert_eq!(bench.done("ListPrincipalsForPortfolio", json!({"PortfolioId": portfolio}))["Principals"], json!([]));
}

#[test]
fn reads_and_lists_lag_when_they_are_told_to() {
    let lagging = Settings { read_after_write: Duration::from_secs(3), list_lag: Duration::from_secs(9), ..quick() };
    let mut bench = Bench::new(lagging);
    let id = bench.portfolio("p");
    let count =
        |bench: &mut Bench| bench.done("ListPortfolios", json!({}))["PortfolioDetails"].as_array().unwrap().len();
    assert!(bench.call("DescribePortfolio", json!({"Id": id})).is_err());
    bench.pass(Duration::from_secs(3));
    bench.done("DescribePortfolio", json!({"Id": id}));
    assert_eq!(count(&mut bench), 0);
    bench.pass(Duration::from_secs(6));
    assert_eq!(count(&mut bench), 1);
    bench.done("DeletePortfolio", json!({"Id": id}));
    assert_eq!(count(&mut bench), 1);
    bench.pass(Duration::from_secs(9));
    assert_eq!(count(&mut bench), 0);
}

#[test]
fn long_lists_come_in_pages() {
    let mut bench = Bench::new(quick());
    for n in 0..25 {
        bench.done("CreateProduct", product_input(&format!("product-{n:02}"), &format!("t{n}")));
    }
    let first = bench.done("SearchProductsAsAdmin", json!({}));
    assert_eq!(first["ProductViewDetails"].as_array().unwrap().len(), 20);
    let rest = bench.done("SearchProductsAsAdmin", json!({"PageToken": first["NextPageToken"]}));
    assert_eq!(rest["ProductViewDetails"].as_array().unwrap().len(), 5);
    assert_eq!(rest["NextPageToken"], Value::Null);
    assert_eq!(rest["ProductViewDetails"][4]["ProductViewSummary"]["Name"], "product-24");
}

#[test]
fn a_launch_is_refused_for_what_aws_refuses() {
    let launch = |product: &str, artifact: &str| {
        json!({"ProductId": product, "ProvisioningArtifactId": artifact, "ProvisionedProductName": "one",
            "ProvisionToken": "t", "ProvisioningParameters": [{"Key": "Name", "Value": "models"}]})
    };
    type Spoil = fn(&mut Bench, &str, &str, &str);
    let cases: [(&str, Spoil, &str, &str); 4] = [
        (
            "the caller is no principal",
            |bench, _, _, _| bench.caller.principal = LAUNCH_ROLE.into(),
            "ResourceNotFoundException",
            "No launch paths found for resource: prod-",
        ),
        (
            "the version is not active",
            |bench, _, product, artifact| {
                bench.done(
                    "UpdateProvisioningArtifact",
                    json!({"ProductId": product, "ProvisioningArtifactId": artifact, "Active": false}),
                );
            },
            "InvalidParametersException",
            "not active",
        ),
        (
            "the launch role is gone",
            |bench, _, _, _| {
                let input = json!({"RoleName": "AmazonSageMakerServiceCatalogProductsLaunchRole"});
                let caller = bench.caller.clone();
                let call = Call { operation: "DeleteRole", input: &input, caller: &caller, region: "us-east-1" };
                iam::call(&mut bench.world, &call).unwrap();
            },
            "InvalidParametersException",
            "Access denied while assuming the role",
        ),
        (
            "a second portfolio leads to it too",
            |bench, _, product, _| {
                let second = bench.portfolio("second");
                bench.done("AssociateProductWithPortfolio", json!({"PortfolioId": second, "ProductId": product}));
                bench.principal(&second);
            },
            "InvalidParametersException",
            "More than one launch path",
        ),
    ];
    for (what, spoil, code, words) in cases {
        let mut bench = Bench::new(quick());
        let (portfolio, product, artifact) = bench.catalog();
        spoil(&mut bench, &portfolio, &product, &artifact);
        let refusal = bench.call("ProvisionProduct", launch(&product, &artifact)).expect_err(what);
        assert_eq!(refusal.code, code, "{what}: {refusal}");
        assert!(refusal.message.contains(words), "{what}: {refusal}");
    }
}
