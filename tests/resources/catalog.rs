//! The catalog product against the sandbox: made, kept, changed and deleted by the real adapter through the real loop,
//! under a paused clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use crate::harness::project::{place_in, role_arn, seals};
use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use mlops_operator::adapters::aws::catalog::{CatalogProductActuator, Names};
use mlops_operator::adapters::aws::clients::AwsFactory;
use mlops_operator::clock::Clock;
use mlops_operator::controller::converge::memory::ObjectMemory;
use mlops_operator::controller::converge::{IntentJournal, Scope, converge};
use mlops_operator::crd::identifiers::Sha256;
use mlops_operator::crd::status::{Intent, Reason};
use mlops_operator::domain::external_resource::{ExternalResource as _, Goal};
use mlops_operator::domain::fault::{Fault, FaultKind};
use mlops_operator::domain::identity::{Identity, Owned, OwnerKey};
use mlops_operator::domain::outcome::Outcome;
use mlops_operator::domain::platform::Principal;
use mlops_operator::domain::problem::Problem;
use mlops_operator::resources::catalog::{CatalogProduct, Desired, Portfolio, Product, ProvisioningTarget, Version};
use mlops_sandbox::aws::{Call, Caller, s3, service_catalog};
use mlops_sandbox::{Fault as Scripted, Sandbox, Settings, What};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
const LAUNCH_ROLE: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole";
const OPERATOR: &str = "arn:aws:iam::111122223333:user/administrator";

/// The status of the object, as far as intents go.
#[derive(Default)]
struct Status(Mutex<Vec<Intent>>);

impl IntentJournal for Status {
    async fn persist(&self, memory: &ObjectMemory) -> Result<(), Fault> {
        *self.0.lock().unwrap() = memory.intents();
        memory.written(&memory.intents());
        Ok(())
    }
}

struct Bench {
    sandbox: Sandbox,
    clock: Clock,
    status: Status,
    memory: ObjectMemory,
    actuator: CatalogProductActuator,
    identity: Identity,
    desired: Desired,
}

fn caller() -> Caller {
    Caller { account: ACCOUNT.into(), arn: OPERATOR.into(), principal: OPERATOR.into() }
}

fn template(text: &str) -> String {
    format!(
        "Description: {text}\nParameters:\n  Name: {{Type: String}}\nResources:\n  Group:\n    Type: AWS::SageMaker::ModelPackageGroup\n    Properties: {{ModelPackageGroupName: !Ref Name}}\n"
    )
}

impl Bench {
    async fn new(settings: Settings) -> Self {
        let sandbox = Sandbox::new(settings);
        let clock = Clock::starting_at(sandbox.now());
        let credentials = Credentials::new("AKIAOPERATOR", "secret", None, None, "test");
        let base = crate::harness::aws::config(&sandbox, clock)
            .into_builder()
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url("http://sandbox")
            .build();
        let placement = place_in(REGION);
        let aws = AwsFactory::new(base).connect(&placement, "test").await;
        let owner = OwnerKey {
            cluster: "c1".into(),
            kind: "MlopsProject".into(),
            namespace: "team".into(),
            name: "churn".into(),
        };
        let identity = Identity { owner, placement, seals: seals() };
        let names = Names { portfolio: "team".into(), product: "churn".into() };
        let mut bench = Self {
            actuator: CatalogProductActuator::new(&aws, names),
            desired: desired(&identity),
            memory: ObjectMemory::new(Vec::new()),
            status: Status::default(),
            sandbox,
            clock,
            identity,
        };
        bench.put("/templates", "");
        bench.desired.version = bench.version("first");
        bench
    }

    fn put(&self, path: &str, body: &str) {
        let request = http::Request::builder().method("PUT").uri(path);
        let body = Bytes::from(if path.matches('/').count() > 1 { body.to_owned() } else { location() });
        let request = request.body(body).unwrap();
        let response = self.sandbox.world(|world| s3::handle(world, &caller(), REGION, &request));
        assert!(response.status().is_success(), "{path}: {response:?}");
    }

    /// A template, uploaded under its content's name.
    fn version(&self, text: &str) -> Version {
        let body = template(text);
        let sha256 = Sha256::of(body.as_bytes());
        self.put(&format!("/templates/{sha256}.yaml"), &body);
        Version { url: format!("https://templates.s3.{REGION}.amazonaws.com/{sha256}.yaml"), sha256 }
    }

    /// A call that somebody else makes.
    fn meddle(&self, operation: &str, input: Value) -> Value {
        let caller = caller();
        let call = Call { operation, input: &input, caller: &caller, region: REGION };
        self.sandbox.world(|world| service_catalog::call(world, &call)).unwrap()
    }

    fn dump(&self) -> Value {
        self.sandbox.world(|world| world.region(ACCOUNT, REGION).catalog.dump())
    }

    fn count(&self, what: &str) -> usize {
        let dump = self.dump();
        dump[what].as_object().map(serde_json::Map::len).or(dump[what].as_array().map(Vec::len)).unwrap()
    }

    /// How often the operator has called these operations.
    fn calls(&self, start: &str) -> usize {
        self.sandbox.calls().iter().filter(|call| call.split(' ').nth(1).unwrap_or_default().starts_with(start)).count()
    }

    async fn reconcile(&self, goal: &Goal<Desired>) -> Outcome<ProvisioningTarget> {
        let (_stop, stopping) = tokio::sync::watch::channel(false);
        // Each looks at everything, as the first one of a process does.
        self.memory.doubt(CatalogProduct::KIND);
        let scope = Scope::new(&self.memory, self.clock, &self.status, stopping);
        let outcome = converge::<CatalogProduct, _, _>(&scope, &self.identity, goal, &self.actuator).await;
        *self.status.0.lock().unwrap() = self.memory.intents();
        outcome
    }

    /// Reconciles until it is as it should be, or a person is needed, or two minutes have gone by.
    async fn settle(&self, goal: Goal<Desired>) -> Outcome<ProvisioningTarget> {
        for _ in 0..600 {
            match self.reconcile(&goal).await {
                Outcome::Waiting { .. } | Outcome::Faulted { .. } => {
                    tokio::time::sleep(Duration::from_millis(200)).await
                }
                outcome => return outcome,
            }
        }
        self.reconcile(&goal).await
    }

    /// Reconciles until it waits no more; a fault ends it.
    async fn outcome(&self, goal: &Goal<Desired>) -> Outcome<ProvisioningTarget> {
        for _ in 0..600 {
            match self.reconcile(goal).await {
                Outcome::Waiting { .. } => tokio::time::sleep(Duration::from_secs(1)).await,
                outcome => return outcome,
            }
        }
        panic!("it still waits after ten minutes");
    }

    fn present(&self) -> Goal<Desired> {
        Goal::Present(self.desired.clone())
    }

    async fn build(&self) -> ProvisioningTarget {
        match self.settle(self.present()).await {
            Outcome::InSync { output, .. } => output,
            other => panic!("not in sync: {other:?}"),
        }
    }

    async fn tear_down(&self) {
        let outcome = self.settle(Goal::Absent).await;
        assert!(matches!(outcome, Outcome::Gone), "{outcome:?}");
        for what in ["portfolios", "products", "artifacts", "constraints", "associations", "principals"] {
            assert_eq!(self.count(what), 0, "{what} are left: {}", self.dump());
        }
    }

    /// The writes since the `from`-th call, without the service's name.
    fn writes(&self, from: usize) -> Vec<String> {
        let calls = self.sandbox.calls();
        let operations = calls[from..].iter().map(|call| call.split(' ').nth(1).unwrap_or_default());
        let reading = |operation: &str| ["Describe", "List", "Search"].iter().any(|start| operation.starts_with(start));
        operations.filter(|operation| !reading(operation)).map(str::to_owned).collect()
    }

    /// The number in the client token of a resource.
    fn number(&self, resource: &str) -> i32 {
        self.memory.intents().iter().find(|intent| intent.resource == resource).unwrap().n
    }

    /// The status is lost, and with it all that the process knew.
    fn lose_status(&mut self) {
        self.status.0.lock().unwrap().clear();
        self.restart();
    }

    /// The process dies; the next one knows the status only.
    fn restart(&mut self) {
        self.memory = ObjectMemory::new(self.status.0.lock().unwrap().clone());
    }
}

fn location() -> String {
    format!("<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>")
}

/// An AWS at its slowest: nothing that is written is seen at once.
fn slow() -> Settings {
    Settings {
        catalog: Duration::from_secs(2),
        read_after_write: Duration::from_secs(3),
        list_lag: Duration::from_secs(8),
        iam_propagation: Duration::from_secs(12),
        ..Settings::default()
    }
}

fn desired(identity: &Identity) -> Desired {
    let tags: BTreeMap<String, String> = identity.owner_tags(Owned::Portfolio);
    let mut product_tags = identity.owner_tags(Owned::Product);
    product_tags.insert("sagemaker:studio-visibility".into(), "true".into());
    Desired {
        portfolio: Portfolio { name: "team".into(), provider: "platform".into(), description: "ours".into(), tags },
        product: Product {
            name: "churn".into(),
            owner: "platform".into(),
            description: "a project".into(),
            support_description: String::new(),
            support_email: "help@example.com".into(),
            support_url: String::new(),
            tags: product_tags,
        },
        version: Version { sha256: Sha256::of(b""), url: String::new() },
        launch_role: role_arn(LAUNCH_ROLE),
        principals: BTreeSet::from([Principal { arn: OPERATOR.into(), kind: "IAM".into() }]),
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_made_kept_changed_and_deleted() {
    let mut bench = Bench::new(Settings::default()).await;
    let first = bench.build().await;
    assert!(first.portfolio_id.starts_with("port-") && first.product_id.starts_with("prod-"));

    let writes = |bench: &Bench| {
        ["Create", "Update", "Delete", "Associate", "Disassociate"]
            .iter()
            .map(|start| bench.calls(start))
            .sum::<usize>()
    };
    let (before, calls) = (writes(&bench), bench.sandbox.calls().len());
    assert_eq!(bench.build().await, first);
    assert_eq!(writes(&bench), before, "an unchanged project is only looked at");
    assert_eq!(bench.sandbox.calls().len() - calls, 9);

    bench.desired.portfolio.name = "crew".into();
    bench.desired.product.name = "retention".into();
    bench.desired.product.tags.insert("cost".into(), "42".into());
    bench.desired.principals.insert(Principal { arn: "arn:aws:iam:::role/team-*".into(), kind: "IAM_PATTERN".into() });
    let other =
        bench.sandbox.world(|world| world.iam.add_role(ACCOUNT, "/", "other", &["servicecatalog.amazonaws.com"]));
    bench.desired.launch_role = role_arn(&other);
    assert_eq!(bench.build().await, first, "changes are updates of the same things");
    let dump = bench.dump().to_string();
    for expected in ["crew", "retention", "\"cost\":\"42\"", "role/other", "team-*"] {
        assert!(dump.contains(expected), "{expected} in {dump}");
    }

    bench.desired.version = bench.version("second");
    let second = bench.build().await;
    assert_eq!(second.product_id, first.product_id);
    assert_ne!(second.artifact_id, first.artifact_id);
    let dump = bench.dump();
    assert_eq!(dump["artifacts"][&first.artifact_id]["guidance"], "DEPRECATED");
    assert_eq!(dump["artifacts"][&second.artifact_id]["guidance"], "DEFAULT");
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn drift_is_put_right() {
    let bench = Bench::new(Settings::default()).await;
    let ids = bench.build().await;
    let wanted = bench.dump();
    let (portfolio, product, artifact) = (&ids.portfolio_id, &ids.product_id, &ids.artifact_id);
    let constraint = wanted["constraints"].as_object().unwrap().keys().next().unwrap().clone();
    let cases: [(&str, &str, Value); 7] = [
        ("portfolio renamed", "UpdatePortfolio", json!({"Id": portfolio, "DisplayName": "x"})),
        (
            "product's tag lost",
            "UpdateProduct",
            json!({"Id": product, "Owner": "x", "RemoveTags": ["sagemaker:studio-visibility"]}),
        ),
        (
            "version switched off",
            "UpdateProvisioningArtifact",
            json!({"ProductId": product, "ProvisioningArtifactId": artifact, "Active": false, "Name": "x"}),
        ),
        ("role replaced", "UpdateConstraint", json!({"Id": constraint, "Parameters": "{\"LocalRoleName\":\"x\"}"})),
        (
            "stranger let in",
            "AssociatePrincipalWithPortfolio",
            json!({"PortfolioId": portfolio, "PrincipalARN": "arn:aws:iam:::role/*", "PrincipalType": "IAM_PATTERN"}),
        ),
        (
            "operator shut out",
            "DisassociatePrincipalFromPortfolio",
            json!({"PortfolioId": portfolio, "PrincipalARN": OPERATOR}),
        ),
        (
            "formatting of the constraint only",
            "UpdateConstraint",
            json!({"Id": constraint, "Parameters": format!("{{ \"RoleArn\" : \"{LAUNCH_ROLE}\" }}")}),
        ),
    ];
    for (what, operation, input) in cases {
        bench.meddle(operation, input);
        assert_eq!(bench.build().await, ids, "{what}");
        let mut now = bench.dump();
        if what.starts_with("formatting") {
            assert_ne!(now, wanted, "{what} is no drift");
            now["constraints"] = wanted["constraints"].clone();
        }
        assert_eq!(now, wanted, "{what}");
    }
    bench.meddle("DeleteConstraint", json!({"Id": constraint}));
    assert_eq!(bench.build().await, ids, "a deleted constraint is made again");
    assert_eq!(bench.count("constraints"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_any_create_leaves_no_second_thing() {
    let creates = ["CreatePortfolio", "CreateProduct", "CreateConstraint", "CreateProvisioningArtifact"];
    for operation in creates.into_iter().chain(["AssociateProductWithPortfolio"]) {
        for settings in [Settings::default(), slow()] {
            let mut bench = Bench::new(settings).await;
            let versions = if operation == "CreateProvisioningArtifact" {
                bench.build().await;
                bench.desired.version = bench.version("second");
                2
            } else {
                1
            };
            // It takes effect; its answer is lost, and the process with it.
            bench.sandbox.fault(Scripted::on("servicecatalog", operation).nth(1).after(What::DropConnection));
            let outcome = bench.outcome(&bench.present()).await;
            assert!(matches!(outcome, Outcome::Faulted { .. }), "{operation}: {outcome:?}");
            bench.restart();
            bench.build().await;
            for (what, count) in [("portfolios", 1), ("products", 1), ("artifacts", versions), ("constraints", 1)] {
                assert_eq!(bench.count(what), count, "{what} after a crash in {operation}");
            }
            bench.tear_down().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_project_deleted_right_after_a_crash_leaves_nothing() {
    for operation in ["CreatePortfolio", "CreateProduct"] {
        let mut bench = Bench::new(slow()).await;
        bench.sandbox.fault(Scripted::on("servicecatalog", operation).nth(1).after(What::DropConnection));
        assert!(matches!(bench.outcome(&bench.present()).await, Outcome::Faulted { .. }), "{operation}");
        bench.restart();
        bench.tear_down().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_lost_after_a_deletion_does_not_bring_back_what_is_gone() {
    let mut bench = Bench::new(slow()).await;
    let first = bench.build().await;
    bench.tear_down().await;
    bench.lose_status();
    // AWS remembers the tokens of before and answers with the ids of before.
    let second = bench.build().await;
    assert_ne!((&second.portfolio_id, &second.product_id), (&first.portfolio_id, &first.product_id));
    assert_eq!((bench.number("Portfolio"), bench.number("Product")), (1, 1));
    assert_eq!((bench.count("portfolios"), bench.count("products")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn deletion_goes_from_the_outside_in_and_proves_absence() {
    let mut bench = Bench::new(Settings::default()).await;
    bench.build().await;
    let before = bench.sandbox.calls().len();
    bench.tear_down().await;
    assert_eq!(
        bench.writes(before),
        [
            "DeleteConstraint",
            "DisassociatePrincipalFromPortfolio",
            "DisassociateProductFromPortfolio",
            "DeletePortfolio",
            "DeleteProduct"
        ]
    );
    bench.lose_status();
    let start = bench.clock.now();
    let first = bench.reconcile(&Goal::Absent).await;
    assert!(matches!(first, Outcome::Waiting { reason: Reason::ConfirmingAbsence, .. }), "lists lag: {first:?}");
    bench.tear_down().await;
    assert!(bench.clock.now().duration_since(start).as_secs() >= 15);
}

#[tokio::test(start_paused = true)]
async fn a_lost_status_is_found_again_by_tags_even_when_the_names_changed() {
    let mut bench = Bench::new(Settings::default()).await;
    let ids = bench.build().await;
    bench.lose_status();
    (bench.desired.portfolio.name, bench.desired.product.name) = ("crew".into(), "retention".into());
    assert_eq!(bench.build().await, ids);
    assert_eq!((bench.count("portfolios"), bench.count("products")), (1, 1));
    let written = bench.status.0.lock().unwrap().clone();
    assert!(written.iter().any(|intent| intent.id.as_deref() == Some(ids.product_id.as_str())), "{written:?}");

    bench.lose_status();
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_foreign_portfolio_of_the_same_name_is_left_alone() {
    let bench = Bench::new(Settings::default()).await;
    let foreign =
        bench.meddle("CreatePortfolio", json!({"DisplayName": "team", "ProviderName": "x", "IdempotencyToken": "t"}));
    let ids = bench.build().await;
    assert_ne!(foreign["PortfolioDetail"]["Id"], json!(ids.portfolio_id));
    assert!(matches!(bench.settle(Goal::Absent).await, Outcome::Gone));
    assert_eq!((bench.count("portfolios"), bench.count("products")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_was_taken_off_is_put_back_and_nothing_is_made_a_second_time() {
    let bench = Bench::new(Settings::default()).await;
    let ids = bench.build().await;
    let untag = |operation: &str, id: &str, mark: Owned| {
        bench.meddle(operation, json!({"Id": id, "RemoveTags": [mark.tag()]}));
    };
    untag("UpdatePortfolio", &ids.portfolio_id, Owned::Portfolio);
    untag("UpdateProduct", &ids.product_id, Owned::Product);
    assert_eq!(bench.build().await, ids);
    assert_eq!((bench.count("portfolios"), bench.count("products")), (1, 1));
    let dump = bench.dump().to_string();
    for mark in [Owned::Portfolio, Owned::Product] {
        assert!(dump.contains(&mark.tag()), "{mark:?} is not tagged again");
    }
    untag("UpdatePortfolio", &ids.portfolio_id, Owned::Portfolio);
    untag("UpdateProduct", &ids.product_id, Owned::Product);
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_carries_anothers_mark_now_is_neither_made_anew_nor_deleted() {
    for (operation, resource) in [("UpdatePortfolio", Owned::Portfolio), ("UpdateProduct", Owned::Product)] {
        let bench = Bench::new(Settings::default()).await;
        let ids = bench.build().await;
        let id = if resource == Owned::Portfolio { ids.portfolio_id.to_string() } else { ids.product_id.to_string() };
        let tags = json!([{"Key": resource.tag(), "Value": "somebody.else"}]);
        bench.meddle(operation, json!({"Id": id, "RemoveTags": [resource.tag()]}));
        bench.meddle(operation, json!({"Id": id, "AddTags": tags}));
        for goal in [bench.present(), Goal::Absent] {
            let Outcome::Stuck(Problem { reason, message, .. }) = bench.settle(goal).await else { panic!("not stuck") };
            assert_eq!(reason, Reason::ForeignOwner);
            assert!(message.contains(&id), "{message}");
        }
        assert_eq!((bench.count("portfolios"), bench.count("products")), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn tags_of_other_people_stay() {
    let bench = Bench::new(Settings::default()).await;
    let ids = bench.build().await;
    let theirs = json!([{"Key": "cost-center", "Value": "42"}]);
    bench.meddle("UpdatePortfolio", json!({"Id": ids.portfolio_id, "AddTags": theirs}));
    bench.meddle("UpdateProduct", json!({"Id": ids.product_id, "AddTags": theirs}));
    let before = bench.sandbox.calls().len();
    assert_eq!(bench.build().await, ids);
    assert_eq!(bench.writes(before), Vec::<String>::new());
    assert_eq!(bench.dump().to_string().matches("cost-center").count(), 2);
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn two_that_carry_our_mark_are_told_and_both_go_with_the_object() {
    let mut bench = Bench::new(Settings::default()).await;
    let ids = bench.build().await;
    let tags: Vec<Value> =
        bench.desired.portfolio.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let twin = json!({"DisplayName": "team", "ProviderName": "x", "IdempotencyToken": "t", "Tags": tags});
    let twin = bench.meddle("CreatePortfolio", twin)["PortfolioDetail"]["Id"].as_str().unwrap().to_owned();
    let association = json!({"PortfolioId": twin, "ProductId": ids.product_id});
    bench.meddle("AssociateProductWithPortfolio", association);
    assert_eq!(bench.build().await, ids, "the one that is written down is in use");
    bench.lose_status();
    let Outcome::Stuck(Problem { reason, message, .. }) = bench.settle(bench.present()).await else {
        panic!("not stuck")
    };
    assert_eq!(reason, Reason::OwnershipUnproven);
    assert!(message.contains(&twin) && message.contains(ids.portfolio_id.as_str()), "{message}");
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn lagging_reads_and_slow_propagation_only_take_time() {
    let mut bench = Bench::new(slow()).await;
    let ids = bench.build().await;
    bench.desired.version = bench.version("second");
    let second = bench.build().await;
    assert_eq!(second.product_id, ids.product_id);
    for (what, count) in [("portfolios", 1), ("products", 1), ("artifacts", 2), ("constraints", 1)] {
        assert_eq!(bench.count(what), count, "{what}");
    }
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_outside_is_made_again() {
    let bench = Bench::new(Settings::default()).await;
    let ids = bench.build().await;
    let constraint = bench.dump()["constraints"].as_object().unwrap().keys().next().unwrap().clone();
    bench.meddle("DeleteConstraint", json!({"Id": constraint}));
    bench.meddle(
        "DisassociateProductFromPortfolio",
        json!({"PortfolioId": ids.portfolio_id, "ProductId": ids.product_id}),
    );
    bench.meddle("DeleteProduct", json!({"Id": ids.product_id}));
    let again = bench.build().await;
    assert_eq!(again.portfolio_id, ids.portfolio_id);
    assert_ne!(again.product_id, ids.product_id);
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_product_that_cannot_be_created_is_tried_again_and_then_reported() {
    let bench = Bench::new(Settings::default()).await;
    bench.build().await;
    for round in 0..3 {
        let product = bench.dump()["products"].as_object().unwrap().keys().next().unwrap().clone();
        let now = bench.sandbox.now();
        bench.sandbox.world(|world| world.region(ACCOUNT, REGION).catalog.fail(&product, now));
        let outcome = bench.reconcile(&Goal::Present(bench.desired.clone())).await;
        if let Outcome::Stuck(Problem { reason, hint, .. }) = outcome {
            assert_eq!((reason, round, hint.is_empty()), (Reason::CatalogFailed, 1, false));
            return;
        }
        while bench.count("products") == 0 || bench.dump()["products"].get(&product).is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            bench.reconcile(&Goal::Present(bench.desired.clone())).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("nobody was told");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_sorted_by_what_happens_next() {
    let cases = [
        ("CreatePortfolio", "LimitExceededException", FaultKind::Rejected, Reason::QuotaExceeded),
        ("CreatePortfolio", "AccessDeniedException", FaultKind::Denied, Reason::AccessDenied),
        ("ListPortfolios", "ThrottlingException", FaultKind::Throttled, Reason::Throttled),
        ("CreateProduct", "InvalidParametersException", FaultKind::Rejected, Reason::Rejected),
        ("CreateConstraint", "DuplicateResourceException", FaultKind::Conflict, Reason::Conflict),
    ];
    for (operation, code, kind, reason) in cases {
        let bench = Bench::new(Settings::default()).await;
        let refusal = What::refuse(400, code, "as scripted");
        bench.sandbox.fault(Scripted::on("servicecatalog", operation).before(refusal));
        let outcome = bench.outcome(&bench.present()).await;
        let Outcome::Faulted { fault, .. } = outcome else { panic!("{operation} {code}: {outcome:?}") };
        assert_eq!((fault.kind, fault.reason), (kind, reason), "{operation} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_product_in_use_is_deleted_once_it_is_not() {
    let bench = Bench::new(Settings::default()).await;
    bench.build().await;
    let busy = What::refuse(400, "ResourceInUseException", "The product still has provisioned products.");
    bench.sandbox.fault(Scripted::on("servicecatalog", "DeleteProduct").nth(1).before(busy));
    let outcome = bench.outcome(&Goal::Absent).await;
    let Outcome::Faulted { fault, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(fault.kind, FaultKind::Conflict);
    bench.tear_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_principal_that_iam_has_not_spread_is_waited_for_and_then_asked_about() {
    let operation = Scripted::on("servicecatalog", "AssociatePrincipalWithPortfolio");
    let spreading = What::refuse(400, "InvalidParametersException", "Principal x: profile does not exist");
    let bench = Bench::new(Settings::default()).await;
    bench.sandbox.fault(operation.clone().range(1, Some(3)).before(spreading.clone()));
    let outcome = bench.outcome(&bench.present()).await;
    assert!(matches!(outcome, Outcome::InSync { .. }), "{outcome:?}");

    let bench = Bench::new(Settings::default()).await;
    bench.sandbox.fault(operation.before(spreading));
    let start = bench.clock.now();
    let outcome = bench.outcome(&bench.present()).await;
    let Outcome::Stuck(Problem { reason, message, hint, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason, Reason::Rejected);
    assert!(message.contains(OPERATOR) && hint.contains("principal"), "{message}; {hint}");
    assert!(bench.clock.now().duration_since(start).as_secs() >= 120);
}

#[tokio::test(start_paused = true)]
async fn without_a_known_launch_path_it_is_not_in_sync_but_can_be_deleted() {
    let bench = Bench::new(Settings::default()).await;
    bench.sandbox.world(|world| world.iam.deny(OPERATOR, "servicecatalog:ListLaunchPaths"));
    let outcome = bench.outcome(&bench.present()).await;
    let Outcome::Stuck(Problem { reason, message, hint, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason, Reason::AccessDenied, "{message}");
    assert_eq!(hint, "allow the operator's role servicecatalog:ListLaunchPaths");
    bench.tear_down().await;
}
