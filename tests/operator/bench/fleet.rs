//! A cluster with so many projects, on platforms of their own or on shared ones, over a sandbox that takes so many calls a
//! second and no more. It stands alone since tests of the budget play fleets, too. It measures nothing.

use std::time::Duration;

use mlops_sandbox::Settings;
use serde_json::{Value, json};

use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, spread};

/// Where they are.
const REGIONS: [&str; 12] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-north-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-southeast-2",
];
/// Projects with a platform of their own in one region: AWS takes 100 portfolios there.
const IN_A_REGION: usize = 90;
/// How many calls a second the sandbox takes of each region where AWS publishes no number, after twice as many at once.
pub(super) const LIMITS: [(&str, u32); 3] = [("servicecatalog", 10), ("sagemaker", 10), ("cloudformation", 5)];
/// The same of IAM, which is one for all regions.
pub(super) const IAM_LIMIT: u32 = 15;
/// How long anything may take before the bench gives up.
pub(super) const LIMIT: Duration = Duration::from_hours(24);

/// What the projects of a fleet stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platforms {
    /// Each on one of its own.
    Own,
    /// All on so many, in turn.
    Shared(usize),
}

impl Platforms {
    /// What one project stands on that is made in the same way.
    pub(super) fn of_one(self) -> Self {
        match self {
            Self::Own => Self::Own,
            Self::Shared(_) => Self::Shared(1),
        }
    }

    /// In how many regions so many projects are.
    fn regions(self, projects: usize) -> usize {
        match self {
            Self::Own => projects.div_ceil(IN_A_REGION),
            Self::Shared(platforms) => platforms.min(REGIONS.len()),
        }
    }
}

/// A cluster with so many projects that were just applied.
pub(crate) struct Fleet {
    pub(super) harness: Harness,
    pub(super) projects: usize,
    pub(super) platforms: Platforms,
}

pub(crate) fn name(n: usize) -> String {
    format!("project-{n:05}")
}

/// The host of a platform's Jenkins: each has one of its own.
pub(super) fn jenkins(platform: usize) -> String {
    format!("ci-{platform:02}.example")
}

fn connection(region: &str) -> String {
    format!("arn:aws:codeconnections:{region}:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455")
}

/// A project with a platform of its own.
pub(crate) fn manifest(n: usize, region: &str) -> Value {
    let mut manifest = Harness::manifest();
    manifest["metadata"]["name"] = json!(name(n));
    manifest["spec"]["platform"]["aws"]["region"] = json!(region);
    manifest["spec"]["jenkins"]["folder"] = json!(name(n));
    for role in ["preprocess", "build", "deploy"] {
        let repository = &mut manifest["spec"]["repositories"][role];
        let own = format!("example/{}-{role}", name(n));
        repository["url"] = json!(format!("https://github.com/{own}.git"));
        repository["fullName"] = json!(own);
        repository["connectionArn"] = json!(connection(region));
    }
    manifest
}

fn platform(n: usize) -> Value {
    let (mut manifest, region) = (Harness::platform_manifest(), REGIONS[n % REGIONS.len()]);
    manifest["metadata"]["name"] = json!(format!("platform-{n:02}"));
    let spec = &mut manifest["spec"];
    spec["aws"]["region"] = json!(region);
    spec["jenkins"]["url"] = json!(format!("https://{}", jenkins(n)));
    spec["jenkins"]["folder"] = json!(format!("ml-{n:02}"));
    spec["git"]["connectionArn"] = json!(connection(region));
    manifest
}

/// The limits that AWS publishes, and [`LIMITS`].
fn limits() -> Settings {
    let limit = |service: &str, rate: u32| json!({"service": service, "perSecond": rate, "burst": 2 * rate});
    let mut own: Vec<_> = LIMITS.iter().map(|(service, rate)| limit(service, *rate)).collect();
    own.push(limit("iam", IAM_LIMIT));
    serde_json::from_value(json!({"rateLimits": {"published": true, "own": own}})).unwrap()
}

impl Fleet {
    /// Starts the operator and applies so many projects.
    pub(super) async fn apply(projects: usize, platforms: Platforms) -> Self {
        let most = REGIONS.len() * IN_A_REGION;
        assert!(
            platforms != Platforms::Own || projects <= most,
            "AWS's quotas have place for {most} platforms in these regions, not for {projects}"
        );
        let mut harness = Harness::new(limits()).await;
        harness.chance = spread();
        harness.sandbox.world(|world| {
            for region in &REGIONS[1..platforms.regions(projects).max(1)] {
                let connections = &mut world.region(ACCOUNT, region).connections;
                connections.add(ACCOUNT, region, "0f0e0d0c-1a2b-4c3d-8e9f-001122334455", "git", "AVAILABLE");
            }
        });
        harness.start();
        if let Platforms::Shared(number) = platforms {
            harness.put_jenkins_secret_in("mlops-operator");
            for n in 0..number {
                harness.kubernetes.create("mlopsplatforms", "", platform(n)).unwrap();
            }
        }
        let fleet = Self { harness, projects, platforms };
        (0..projects).for_each(|n| fleet.add(n));
        fleet
    }

    /// Applies one more.
    pub(super) fn add(&self, n: usize) {
        let manifest = match self.platforms {
            Platforms::Own => manifest(n, REGIONS[n / IN_A_REGION % REGIONS.len()]),
            Platforms::Shared(platforms) => {
                let mut manifest = Harness::project_on_platform(&name(n));
                manifest["spec"]["platformRef"]["name"] = json!(format!("platform-{:02}", n % platforms));
                manifest
            }
        };
        self.harness.kubernetes.create("mlopsprojects", NAMESPACE, manifest).unwrap();
    }

    /// Changes what a project is described as.
    pub(super) fn change(&self, n: usize, description: &str) {
        let change = json!({"spec": {"description": description}});
        self.harness.kubernetes.merge("mlopsprojects", NAMESPACE, &name(n), false, &change).unwrap();
    }

    /// Whether an object is Ready as it is written now.
    pub(crate) fn is_ready(object: &Value) -> bool {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        conditions.is_some_and(|all| all.iter().any(ready))
            && object["status"]["observedGeneration"] == object["metadata"]["generation"]
    }

    /// Lets time pass until one is Ready; says for how long.
    pub(super) async fn until_ready(&self, n: usize) -> Duration {
        let ready = |harness: &Harness| {
            Self::is_ready(&harness.kubernetes.object("mlopsprojects", NAMESPACE, &name(n)).unwrap())
        };
        self.harness.until("Ready", LIMIT, ready).await
    }
}
