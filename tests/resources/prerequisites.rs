//! Prerequisites and the artifact bucket against the sandbox: the real adapters and the real loop, under a paused
//! clock. Every reconcile is that of a fresh process, so nothing is remembered but what stands in AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::harness::project::{account, bare_platform, connection, owner, place_in, role, role_arn, seals};
use aws_config::Region;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bytes::Bytes;
use mlops_operator::adapters::aws::artifact_bucket::ArtifactBucketActuator;
use mlops_operator::adapters::aws::clients::{Aws, AwsFactory, PLACES};
use mlops_operator::adapters::aws::prerequisites::PrerequisitesActuator;
use mlops_operator::clock::Clock;
use mlops_operator::controller::converge::memory::ObjectMemory;
use mlops_operator::controller::converge::{IntentJournal, Scope, converge};
use mlops_operator::crd::identifiers::AccountId;
use mlops_operator::crd::status::{Placement, Reason};
use mlops_operator::domain::external_resource::{Actuator, ExternalResource, Goal};
use mlops_operator::domain::fault::{Fault, FaultKind};
use mlops_operator::domain::identity::Identity;
use mlops_operator::domain::outcome::Outcome;
use mlops_operator::domain::platform::{Platform, Roles, Seeds, TriggerFunction};
use mlops_operator::domain::problem::Problem;
use mlops_operator::domain::project::RepositoryRole;
use mlops_operator::resources::artifact_bucket::ArtifactBucket;
use mlops_operator::resources::artifact_bucket::Artifacts;
use mlops_operator::resources::prerequisites::OperatorPrincipal;
use mlops_operator::resources::prerequisites::Prerequisites;
use mlops_sandbox::aws::iam::Session;
use mlops_sandbox::aws::{Caller, s3};
use mlops_sandbox::{Fault as Scripted, Sandbox, Settings, What};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const LAUNCH: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole";
const USE: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole";
const CONNECTION: &str = "arn:aws:codeconnections:eu-west-1:111122223333:connection/0001";

/// No resource here writes intents.
struct NoIntents;

impl IntentJournal for NoIntents {
    async fn persist(&self, _ledger: &ObjectMemory) -> Result<(), Fault> {
        panic!("S3 keys buckets and objects by name")
    }
}

struct Bench {
    sandbox: Sandbox,
    clock: Clock,
    platform: Platform,
    access_key: Option<&'static str>,
    memory: ObjectMemory,
}

fn platform(region: &str, given: Option<&str>) -> Platform {
    let own = Identity::own_bucket_name(&owner(), &account(), &crate::harness::project::region(region));
    let placement =
        Placement { bucket: given.map_or(own, str::to_owned), bucket_owned: given.is_none(), ..place_in(region) };
    Platform {
        tags: BTreeMap::from([("team".to_owned(), "a & b".replace('&', "+"))]),
        roles: Roles { launch: role_arn(LAUNCH), usage: role_arn(USE), check_in: None, stack: Some(role_arn(USE)) },
        connections: BTreeSet::from([connection(CONNECTION)]),
        trigger: Some(TriggerFunction { log_retention_days: 30, ..TriggerFunction::default() }),
        ..bare_platform(Identity { owner: owner(), placement, seals: seals() })
    }
}

impl Bench {
    fn new(region: &str, given: Option<&str>) -> Self {
        Self::with(Settings::default(), region, given)
    }

    fn with(settings: Settings, region: &str, given: Option<&str>) -> Self {
        let sandbox = Sandbox::new(settings);
        let clock = Clock::starting_at(sandbox.now());
        sandbox.world(|world| {
            world.region(ACCOUNT, REGION).connections.add(ACCOUNT, REGION, "0001", "github", "AVAILABLE");
        });
        Self {
            sandbox,
            clock,
            platform: platform(region, given),
            access_key: Some("AKIAOPERATOR"),
            memory: ObjectMemory::default(),
        }
    }

    fn factory(&self) -> AwsFactory {
        let mut base = crate::harness::aws::config(&self.sandbox, self.clock)
            .into_builder()
            .region(Region::new(REGION))
            .endpoint_url("http://sandbox");
        if let Some(key) = self.access_key {
            let credentials = Credentials::new(key, "secret", None, None, "test");
            base = base.credentials_provider(SharedCredentialsProvider::new(credentials));
        }
        AwsFactory::new(base.build())
    }

    async fn aws(&self) -> Aws {
        self.factory().connect(&self.platform.identity.placement, "test").await
    }

    async fn reconcile<R, A>(&self, goal: &Goal<R::Desired>, actuator: &A) -> (Outcome<R::Output>, Vec<String>)
    where
        R: ExternalResource<Output: Send + 'static>,
        A: Actuator<R>,
    {
        let (_stop, stopping) = tokio::sync::watch::channel(false);
        self.memory.doubt(R::KIND);
        let scope = Scope::new(&self.memory, self.clock, &NoIntents, stopping);
        let outcome = converge::<R, A, _>(&scope, &self.platform.identity, goal, actuator).await;
        let applied = scope.take_applied().into_iter();
        (outcome, applied.map(|step| format!("{}: {}", step.reason, step.summary)).collect())
    }

    /// One reconcile that builds the bucket up.
    async fn build(&self) -> (Outcome<Artifacts>, Vec<String>) {
        let inputs = OperatorPrincipal { arn: String::new() };
        let goal = Goal::Present(ArtifactBucket::desired(&self.platform, &inputs));
        self.reconcile::<ArtifactBucket, _>(&goal, &ArtifactBucketActuator::new(&self.aws().await)).await
    }

    /// One reconcile that takes the bucket down.
    async fn remove(&self) -> (Outcome<Artifacts>, Vec<String>) {
        self.reconcile::<ArtifactBucket, _>(&Goal::Absent, &ArtifactBucketActuator::new(&self.aws().await)).await
    }

    /// One look at the prerequisites.
    async fn look(&self) -> Outcome<OperatorPrincipal> {
        let goal = Goal::Present(Prerequisites::desired(&self.platform, &()));
        let actuator = PrerequisitesActuator::new(&self.aws().await, &self.platform);
        self.reconcile::<Prerequisites, _>(&goal, &actuator).await.0
    }

    /// A request to S3 as somebody else would make it.
    fn s3(&self, account: &str, line: &str, body: &str) -> u16 {
        let (method, path) = line.split_once(' ').unwrap();
        let request = http::Request::builder().method(method).uri(path);
        let request = request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let arn = format!("arn:aws:iam::{account}:user/other");
        let caller = Caller { account: account.into(), arn: arn.clone(), principal: arn };
        self.sandbox.world(|world| s3::handle(world, &caller, REGION, &request).status().as_u16())
    }

    fn bucket(&self) -> Value {
        let name = self.platform.identity.placement.bucket.clone();
        self.sandbox.world(|world| world.s3.dump())[name].clone()
    }

    fn writes(&self) -> usize {
        self.sandbox
            .calls()
            .iter()
            .filter(|call| !["Get", "Head", "List"].iter().any(|verb| call.contains(&format!(" {verb}"))))
            .count()
    }
}

const LOCATION: &str =
    "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";

fn stuck<O>(outcome: &Outcome<O>) -> Option<Reason> {
    match outcome {
        Outcome::Stuck(Problem { reason, .. }) => Some(*reason),
        Outcome::Faulted { fault, .. } => Some(fault.reason),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_our_own_is_made_kept_changed_and_deleted() {
    for region in ["eu-west-1", "us-east-1"] {
        let mut bench = Bench::new(region, None);
        let (made, applied) = bench.build().await;
        let Outcome::InSync { output, changed: true } = made else { panic!("{region}: it is made in one reconcile") };
        assert_eq!(applied.len(), 7, "{applied:?}");
        assert_eq!(bench.bucket()["region"], region);
        let key = output.template_url.split_once(".com/").unwrap().1.to_owned();
        assert_eq!(bench.bucket()["objects"][&key][0]["sha256"], *output.template_sha256);
        assert_eq!(bench.bucket()["settings"]["tags"]["team"], "a + b");

        let writes = bench.writes();
        let (again, applied) = bench.build().await;
        assert_eq!((again, applied.len()), (Outcome::InSync { output: output.clone(), changed: false }, 0));
        assert_eq!(bench.writes(), writes, "{region}: an unchanged bucket is only looked at");

        bench.platform.tags = BTreeMap::from([("team".to_owned(), "c".to_owned())]);
        bench.platform.kms_key_id = Some("arn:aws:kms:eu-west-1:111122223333:key/1".into());
        let (_, applied) = bench.build().await;
        let reasons: Vec<&str> = applied.iter().map(|step| step.split(' ').next().unwrap()).collect();
        assert_eq!(
            reasons,
            ["SpecChanged:", "SpecChanged:", "SpecChanged:"],
            "encryption, object tags, tags: {applied:?}"
        );
        assert_eq!(bench.bucket()["settings"]["encryption"], "aws:kms");

        let (gone, _) = bench.remove().await;
        assert_eq!(gone, Outcome::Gone, "{region}");
        assert_eq!(bench.bucket(), Value::Null);
        assert_eq!(bench.remove().await, (Outcome::Gone, Vec::new()), "{region}: it stays gone");
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_change_on_our_bucket_is_put_right() {
    let suspended = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let open =
        "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>";
    let rows: [(&str, &str, &str, &str); 6] = [
        ("versioning", "PUT /BUCKET?versioning", suspended, "Drifted: enable versioning"),
        ("public access", "PUT /BUCKET?publicAccessBlock", open, "Drifted: block public access"),
        ("the policy", "DELETE /BUCKET?policy", "", "Drifted: set the policy"),
        ("the template's tags", "DELETE /BUCKET/KEY?tagging", "", "Drifted: set tags of object"),
        ("the template's content", "PUT /BUCKET/KEY", "other", "Drifted: upload object"),
        ("the template", "DELETE /BUCKET/KEY", "", "Missing: upload object"),
    ];
    for (name, line, body, step) in rows {
        let bench = Bench::new(REGION, None);
        let Outcome::InSync { output, .. } = bench.build().await.0 else { panic!("{name}: it is made") };
        let key = output.template_url.split_once(".com/").unwrap().1;
        let line = line.replace("BUCKET", &output.bucket).replace("KEY", key);
        assert!(bench.s3(ACCOUNT, &line, body) < 300, "{name}");
        let (outcome, applied) = bench.build().await;
        assert!(applied.len() == 1 && applied[0].starts_with(step), "{name}: {applied:?}");
        assert_eq!(outcome, Outcome::InSync { output, changed: true }, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_given_bucket_only_our_prefix_is_touched() {
    let bench = Bench::new(REGION, Some("shared"));
    assert_eq!(stuck(&bench.build().await.0), Some(Reason::BucketMissing));
    bench.s3(ACCOUNT, "PUT /shared", LOCATION);
    bench.s3(ACCOUNT, "PUT /shared/theirs.txt", "theirs");
    let before = bench.bucket();
    let (outcome, applied) = bench.build().await;
    assert!(matches!(outcome, Outcome::InSync { .. }));
    assert_eq!(applied.len(), 1, "{applied:?}");
    assert_eq!(bench.bucket()["settings"], before["settings"], "its settings are not ours");
    assert_eq!(bench.remove().await.0, Outcome::Gone);
    assert_eq!(bench.bucket(), before, "all but what was ours is as before");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_more_than_a_page_is_emptied_before_it_goes() {
    let bench = Bench::new(REGION, None);
    let Outcome::InSync { output, .. } = bench.build().await.0 else { panic!("it is made") };
    for n in 0..1100 {
        bench.s3(ACCOUNT, &format!("PUT /{}/left-behind/{n}", output.bucket), "x");
    }
    bench.s3(ACCOUNT, &format!("DELETE /{}/left-behind/7", output.bucket), "");
    let (outcome, applied) = bench.remove().await;
    assert_eq!((outcome, applied.len()), (Outcome::Gone, 3), "two pages and the bucket: {applied:?}");
    assert_eq!(bench.bucket(), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn buckets_of_others_are_left_alone() {
    let bench = Bench::new(REGION, None);
    let name = bench.platform.identity.placement.bucket.clone();
    bench.s3("999999999999", &format!("PUT /{name}"), LOCATION);
    assert_eq!(stuck(&bench.build().await.0), Some(Reason::BucketNameTaken));
    assert_eq!(bench.remove().await, (Outcome::Gone, Vec::new()), "there is nothing of ours");
    assert_eq!(bench.bucket()["account"], "999999999999");

    let bench = Bench::new(REGION, None);
    bench.build().await;
    let tags =
        "<Tagging><TagSet><Tag><Key>mlops-operator.io/bucket-owner</Key><Value>other</Value></Tag></TagSet></Tagging>";
    bench.s3(ACCOUNT, &format!("PUT /{name}?tagging"), tags);
    assert_eq!(stuck(&bench.build().await.0), Some(Reason::ForeignOwner));
    assert_eq!(bench.remove().await, (Outcome::Gone, Vec::new()));
    assert!(!bench.bucket().is_null(), "another object's bucket is never deleted");
}

/// S3 says 403 and no more, whether the permission lacks or the bucket is another account's: the permission is named, and
/// nobody is told to give anything up for it. Nor does it prove that a bucket is gone.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_may_not_be_looked_at_is_a_permission_that_lacks() {
    for (name, made, denied) in [
        ("not made yet", false, &["s3:ListBucket"][..]),
        ("made", true, &["s3:ListBucket"]),
        ("not made yet, and the account's list may not be read", false, &["s3:ListBucket", "s3:ListAllMyBuckets"]),
        ("made, and the account's list may not be read", true, &["s3:ListBucket", "s3:ListAllMyBuckets"]),
    ] {
        let bench = Bench::new(REGION, None);
        if made {
            bench.build().await;
        }
        let before = bench.bucket();
        bench.sandbox.world(|world| denied.iter().for_each(|action| world.iam.deny("*", action)));
        for outcome in [bench.build().await.0.without_output(), bench.remove().await.0.without_output()] {
            let Outcome::Stuck(Problem { reason, hint, .. }) = outcome else { panic!("{name}: {outcome:?}") };
            assert_eq!(reason, Reason::AccessDenied, "{name}");
            assert!(hint.starts_with("allow the operator's role s3:ListBucket on the bucket"), "{name}: {hint}");
        }
        assert_eq!(bench.bucket(), before, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_of_the_making_leaves_nothing_that_the_next_pass_cannot_finish() {
    let calm = Bench::new(REGION, None);
    calm.build().await;
    let (calls, whole) = (calm.sandbox.calls().len() as u64, calm.bucket());
    for n in 1..=calls {
        for after in [false, true] {
            let bench = Bench::new(REGION, None);
            let fault = Scripted::on("s3", "*").nth(n);
            let drop = What::DropConnection;
            bench.sandbox.fault(if after { fault.after(drop) } else { fault.before(drop) });
            let (outcome, _) = bench.build().await;
            assert_eq!(stuck(&outcome), Some(Reason::Unavailable), "call {n} breaks off");
            let (outcome, _) = bench.build().await;
            assert!(matches!(outcome, Outcome::InSync { .. }), "call {n}, after its effect: {after}");
            assert_eq!(bench.bucket()["settings"], whole["settings"], "call {n}, after its effect: {after}");
            assert_eq!(bench.remove().await.0, Outcome::Gone, "call {n}, after its effect: {after}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_action_is_named() {
    for (action, permission) in
        [("CreateBucket", "s3:CreateBucket"), ("PutBucketPolicy", "s3:PutBucketPolicy"), ("PutObject", "s3:PutObject")]
    {
        let bench = Bench::new(REGION, None);
        bench.sandbox.world(|world| world.iam.deny("*", permission));
        let (outcome, _) = bench.build().await;
        let Outcome::Faulted { fault, .. } = outcome else { panic!("{action} is denied") };
        assert_eq!((fault.kind, fault.reason), (FaultKind::Denied, Reason::AccessDenied), "{action}");
        assert!(fault.hint.unwrap().contains(permission), "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_not_yet_seen_is_waited_for() {
    let settings = Settings { read_after_write: Duration::from_secs(20), ..Settings::default() };
    let bench = Bench::with(settings, REGION, None);
    let (outcome, _) = bench.build().await;
    assert!(matches!(outcome, Outcome::Waiting { .. }), "the next look does not see it");
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert!(matches!(bench.build().await.0, Outcome::InSync { changed: false, .. }));
}

type Spoil = Box<dyn Fn(&mut Bench)>;

#[tokio::test(start_paused = true)]
async fn each_prerequisite_that_lacks_is_found() {
    let world_of =
        |change: fn(&mut mlops_sandbox::World)| -> Spoil { Box::new(move |bench| bench.sandbox.world(change)) };
    let status = |status: &'static str| -> Spoil {
        Box::new(move |bench| {
            let set = |world: &mut mlops_sandbox::World| {
                world.region(ACCOUNT, REGION).connections.set_status(CONNECTION, status)
            };
            assert!(bench.sandbox.world(set));
        })
    };
    let rows: Vec<(&str, Spoil, Option<Reason>)> = vec![
        ("all is well", Box::new(|_| {}), None),
        (
            "another account",
            Box::new(|bench| bench.platform.identity.placement.account_id = AccountId::parse("999999999999").unwrap()),
            Some(Reason::WrongAccount),
        ),
        (
            "a role that does not exist",
            Box::new(|bench| bench.platform.roles.launch = role("none")),
            Some(Reason::RoleMissing),
        ),
        (
            "a role with another path",
            Box::new(|bench| bench.platform.roles.launch = role_arn(&LAUNCH.replace("service-role/", ""))),
            Some(Reason::RoleMissing),
        ),
        (
            "a launch role for other services",
            Box::new(|bench| bench.platform.roles.launch = role_arn(USE)),
            Some(Reason::RoleNotTrusted),
        ),
        (
            "a stack role for other services",
            Box::new(|bench| bench.platform.roles.stack = Some(role_arn(LAUNCH))),
            Some(Reason::RoleNotTrusted),
        ),
        (
            "a check-in role for other services",
            Box::new(|bench| {
                bench.platform.seeds = Seeds { bundled: BTreeSet::from([RepositoryRole::Build]), any: true };
                bench.platform.roles.check_in = Some(role_arn(LAUNCH));
            }),
            Some(Reason::RoleNotTrusted),
        ),
        (
            "a check-in role where nothing is checked in",
            Box::new(|bench| bench.platform.roles.check_in = Some(role_arn(LAUNCH))),
            None,
        ),
        ("roles that may not be read", world_of(|world| world.iam.deny("*", "iam:GetRole")), None),
        ("a connection without its handshake", status("PENDING"), Some(Reason::ConnectionPending)),
        ("a broken connection", status("ERROR"), Some(Reason::ConnectionFailed)),
        (
            "no such connection",
            Box::new(|bench| {
                bench.platform.connections = BTreeSet::from([connection(&CONNECTION.replace("0001", "0002"))])
            }),
            Some(Reason::ConnectionMissing),
        ),
        (
            "a connection that may not be read",
            world_of(|world| world.iam.deny("*", "codeconnections:GetConnection")),
            None,
        ),
        ("no credentials", Box::new(|bench| bench.access_key = None), Some(Reason::CredentialsInvalid)),
        ("a revoked key", world_of(|world| world.iam.revoke("AKIAOPERATOR")), Some(Reason::CredentialsInvalid)),
    ];
    for (name, spoil, reason) in rows {
        let mut bench = Bench::new(REGION, None);
        spoil(&mut bench);
        let mut outcome = bench.look().await;
        // What may only be too young to show is waited for first.
        let spreads = matches!(reason, Some(Reason::RoleMissing | Reason::RoleNotTrusted));
        assert_eq!(
            matches!(outcome, Outcome::Waiting { reason: Reason::Propagating, .. }),
            spreads,
            "{name}: {outcome:?}"
        );
        while matches!(outcome, Outcome::Waiting { .. }) {
            tokio::time::sleep(Duration::from_secs(20)).await;
            outcome = bench.look().await;
        }
        assert_eq!(stuck(&outcome), reason, "{name}: {outcome:?}");
        assert_eq!(matches!(outcome, Outcome::InSync { .. }), reason.is_none(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_looks_at_the_account_and_at_nothing_else() {
    let mut bench = Bench::new(REGION, None);
    for (account, wanted) in [(ACCOUNT, None), ("999999999999", Some(Reason::WrongAccount))] {
        bench.platform.identity.placement.account_id = AccountId::parse(account).unwrap();
        let actuator = PrerequisitesActuator::account_only(&bench.aws().await);
        let (outcome, _) = bench.reconcile::<Prerequisites, _>(&Goal::Absent, &actuator).await;
        assert_eq!(stuck(&outcome), wanted, "{account}");
    }
    assert_eq!(bench.sandbox.calls(), ["sts GetCallerIdentity", "sts GetCallerIdentity"]);
}

const TEAM_ROLE: &str = "arn:aws:iam::111122223333:role/teams/mlops";

fn with_role(bench: &mut Bench, external_id: &str) {
    let trust = json!({"Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT},
        "Condition": {"StringEquals": {"sts:ExternalId": "c/ml"}},
    }]});
    bench.sandbox.world(|world| world.iam.add_role_trusting(ACCOUNT, "/teams/", "mlops", trust));
    bench.platform.identity.placement.role_arn = Some(role_arn(TEAM_ROLE));
    bench.platform.identity.placement.external_id = Some(external_id.into());
}

#[tokio::test(start_paused = true)]
async fn a_role_is_assumed_once_an_hour_and_is_the_principal_with_its_path() {
    let mut bench = Bench::new(REGION, None);
    with_role(&mut bench, "c/ml");
    let factory = bench.factory();
    let look = async |bench: &Bench| {
        let aws = factory.connect(&bench.platform.identity.placement, "ml/taxi").await;
        aws.s3.list_buckets().send().await.unwrap();
        let goal = Goal::Present(Prerequisites::desired(&bench.platform, &()));
        bench.reconcile::<Prerequisites, _>(&goal, &PrerequisitesActuator::new(&aws, &bench.platform)).await.0
    };
    let assumed = |bench: &Bench| bench.sandbox.calls().iter().filter(|call| *call == "sts AssumeRole").count();
    for _ in 0..3 {
        let Outcome::InSync { output, .. } = look(&bench).await else { panic!("what it needs is there") };
        assert_eq!(output.arn, TEAM_ROLE);
    }
    assert_eq!(assumed(&bench), 1, "all clients of a place share its credentials");
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert!(matches!(look(&bench).await, Outcome::InSync { .. }));
    assert_eq!(assumed(&bench), 2);
}

#[tokio::test(start_paused = true)]
async fn places_beyond_the_bound_cost_a_role_assumed_anew_and_nothing_else() {
    let mut bench = Bench::new(REGION, None);
    with_role(&mut bench, "c/ml");
    let factory = bench.factory();
    let place = bench.platform.identity.placement.clone();
    let assumed = |bench: &Bench| bench.sandbox.calls().iter().filter(|call| *call == "sts AssumeRole").count();
    let used = factory.connect(&place, "used").await;
    used.s3.list_buckets().send().await.unwrap();
    let idle = factory.connect(&place, "idle").await;
    idle.s3.list_buckets().send().await.unwrap();
    for n in 0..PLACES {
        factory.connect(&place, &format!("other-{n}")).await;
        factory.connect(&place, "used").await.s3.list_buckets().send().await.unwrap();
    }
    assert_eq!(assumed(&bench), 2, "what is used stays");
    idle.s3.list_buckets().send().await.unwrap();
    assert_eq!(assumed(&bench), 2, "whoever works with forgotten clients goes on with them");
    factory.connect(&place, "idle").await.s3.list_buckets().send().await.unwrap();
    assert_eq!(assumed(&bench), 3, "the place that was not used for longest was forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_be_assumed_is_told_apart_from_an_sts_that_does_not_answer() {
    let mut bench = Bench::new(REGION, None);
    with_role(&mut bench, "wrong");
    assert_eq!(stuck(&bench.look().await), Some(Reason::AccessDenied));
    let mut bench = Bench::new(REGION, None);
    with_role(&mut bench, "c/ml");
    bench.sandbox.fault(Scripted::on("sts", "AssumeRole").before(What::DropConnection));
    assert_eq!(stuck(&bench.look().await), Some(Reason::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn a_session_of_the_operator_itself_leads_to_its_role() {
    let rows =
        [("the role may be read", false, TEAM_ROLE), ("it may not", true, "arn:aws:iam::111122223333:role/mlops")];
    for (name, denied, principal) in rows {
        let mut bench = Bench::new(REGION, None);
        let session = Session {
            account: ACCOUNT.into(),
            arn: "arn:aws:sts::111122223333:assumed-role/mlops/pod-1".into(),
            role: TEAM_ROLE.into(),
            expires: jiff::Timestamp::MAX,
        };
        let key = bench.sandbox.world(|world| {
            world.iam.add_role(ACCOUNT, "/teams/", "mlops", &["ec2.amazonaws.com"]);
            if denied {
                world.iam.deny(TEAM_ROLE, "iam:GetRole");
            }
            world.iam.add_session(session, "")
        });
        bench.access_key = Some(key.leak());
        let Outcome::InSync { output, .. } = bench.look().await else { panic!("{name}") };
        assert_eq!(output.arn, principal, "{name}");
    }
}
