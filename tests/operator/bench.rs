//! What many projects cost, as figures and never as a verdict: `make bench` plays so many projects over the sandbox in virtual
//! time, once each with a platform of its own and once all on one that they share, and prints one table. AWS's quota of
//! portfolios puts ninety platforms in a region.
//! Memory is not measured here: sandbox and operator share the process.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_sandbox::Settings;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

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
/// Projects in one region: AWS takes 100 portfolios there.
const IN_A_REGION: usize = 90;
/// After how long the first looks after a start have spread out.
const SETTLED: Duration = Duration::from_hours(2);
/// For how long idle objects are watched.
const IDLE: Duration = Duration::from_hours(2);
/// How long anything may take before the bench gives up.
const LIMIT: Duration = Duration::from_hours(12);
/// How many objects are changed, one after the other, among the idle ones.
const CHANGES: usize = 20;

/// The figures of one run.
#[derive(Debug, Default)]
struct Figures {
    ready: Duration,
    calls_until_ready: usize,
    idle_calls: BTreeMap<String, usize>,
    idle_writes: usize,
    changes: Vec<Duration>,
    restart_calls: usize,
    restarted: Duration,
}

/// What the projects of a fleet stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platforms {
    /// Each on one of its own.
    Own,
    /// All on one.
    Shared,
}

/// A cluster with so many projects that were just applied.
pub(super) struct Fleet {
    harness: Harness,
    projects: usize,
}

pub(super) fn name(n: usize) -> String {
    format!("project-{n:05}")
}

pub(super) fn manifest(n: usize, region: &str) -> Value {
    let mut manifest = Harness::manifest();
    manifest["metadata"]["name"] = json!(name(n));
    manifest["spec"]["platform"]["aws"]["region"] = json!(region);
    manifest["spec"]["jenkins"]["folder"] = json!(name(n));
    for role in ["preprocess", "build", "deploy"] {
        let repository = &mut manifest["spec"]["repositories"][role];
        let own = format!("example/{}-{role}", name(n));
        repository["url"] = json!(format!("https://github.com/{own}.git"));
        repository["fullName"] = json!(own);
        let connection = repository["connectionArn"].as_str().unwrap().replace("us-east-1", region);
        repository["connectionArn"] = json!(connection);
    }
    manifest
}

impl Fleet {
    async fn apply(projects: usize, platforms: Platforms) -> Self {
        let mut harness = Harness::new(Settings::default()).await;
        harness.chance = spread();
        if platforms == Platforms::Shared {
            harness.start();
            harness.apply_platform(Harness::platform_manifest());
            for n in 0..projects {
                let manifest = Harness::project_on_platform(&name(n));
                harness.kubernetes.create("mlopsprojects", NAMESPACE, manifest).unwrap();
            }
            return Self { harness, projects };
        }
        let most = REGIONS.len() * IN_A_REGION;
        assert!(projects <= most, "AWS's quotas have place for {most} projects in these regions, not for {projects}");
        let regions = &REGIONS[..projects.div_ceil(IN_A_REGION)];
        harness.sandbox.world(|world| {
            for region in regions {
                let connections = &mut world.region(ACCOUNT, region).connections;
                connections.add(ACCOUNT, region, "0f0e0d0c-1a2b-4c3d-8e9f-001122334455", "git", "AVAILABLE");
            }
        });
        harness.start();
        for n in 0..projects {
            let manifest = manifest(n, regions[n / IN_A_REGION]);
            harness.kubernetes.create("mlopsprojects", NAMESPACE, manifest).unwrap();
        }
        Self { harness, projects }
    }

    /// Whether an object is Ready as it is written now.
    pub(super) fn is_ready(object: &Value) -> bool {
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        conditions.is_some_and(|all| all.iter().any(ready))
            && object["status"]["observedGeneration"] == object["metadata"]["generation"]
    }

    async fn until_ready(&self, n: usize) {
        let ready = |harness: &Harness| {
            Self::is_ready(&harness.kubernetes.object("mlopsprojects", NAMESPACE, &name(n)).unwrap())
        };
        self.harness.until("Ready", LIMIT, ready).await;
    }

    fn calls(&self) -> usize {
        self.harness.sandbox.requests()
    }

    /// Calls of the sandbox since then, by service.
    fn calls_since(&self, count: usize) -> BTreeMap<String, usize> {
        let mut by_service = BTreeMap::new();
        for entry in self.harness.sandbox.journal_after(count) {
            *by_service.entry(entry.service).or_default() += 1;
        }
        by_service
    }

    fn status_writes(&self) -> usize {
        let calls = self.harness.kubernetes.calls();
        calls.iter().filter(|call| call.starts_with("PATCH mlops") && call.ends_with("/status")).count()
    }

    async fn measure(mut self) -> Figures {
        let mut figures = Figures::default();
        // What is Ready once is not looked for again: one pass over all would be asked for ten times a second.
        let mut begun = Instant::now();
        for n in 0..self.projects {
            self.until_ready(n).await;
        }
        (figures.ready, figures.calls_until_ready) = (begun.elapsed(), self.calls());
        sleep(SETTLED).await;

        let (calls, writes) = (self.calls(), self.status_writes());
        sleep(IDLE).await;
        (figures.idle_calls, figures.idle_writes) = (self.calls_since(calls), self.status_writes() - writes);

        for n in (0..self.projects).step_by(self.projects.div_ceil(CHANGES)) {
            let change = json!({"spec": {"description": "Predicts other fares"}});
            self.harness.kubernetes.merge("mlopsprojects", NAMESPACE, &name(n), false, &change).unwrap();
            let calls = self.calls();
            figures
                .changes
                .push(self.harness.until("touched", LIMIT, |harness| harness.sandbox.requests() > calls).await);
            self.until_ready(n).await;
        }
        figures.changes.sort();
        sleep(SETTLED).await;

        self.harness.stop().await;
        let calls = self.calls();
        begun = Instant::now();
        self.harness.start();
        sleep(Duration::from_mins(1)).await;
        figures.restart_calls = self.calls() - calls;
        let mut known = self.calls();
        // Steady is what makes no call for a minute.
        loop {
            sleep(Duration::from_mins(1)).await;
            if self.calls() == known {
                break;
            }
            known = self.calls();
        }
        figures.restarted = begun.elapsed();
        figures
    }
}

impl Figures {
    fn row(&self, projects: usize, platforms: Platforms) -> String {
        let hours = IDLE.as_secs_f64() / 3600.0 * projects as f64;
        let total: usize = self.idle_calls.values().sum();
        let by_service: Vec<_> =
            self.idle_calls.iter().map(|(service, calls)| format!("{service} {:.1}", *calls as f64 / hours)).collect();
        let percentile = |part: usize| self.changes[(self.changes.len() - 1) * part / 100].as_secs_f64();
        format!(
            "| {projects} | {} | {:.1} s | {:.0} | {:.1} | {} | {} | {:.1} s, {:.1} s | {:.2} | {:.0} s |",
            if platforms == Platforms::Own { "its own" } else { "one for all" },
            self.ready.as_secs_f64(),
            self.calls_until_ready as f64 / projects as f64,
            total as f64 / hours,
            by_service.join(", "),
            self.idle_writes,
            percentile(50),
            percentile(99),
            self.restart_calls as f64 / projects as f64,
            self.restarted.as_secs_f64(),
        )
    }
}

/// Prints the table for the numbers of projects in `BENCH_PROJECTS`, separated by blanks.
#[test]
#[ignore = "prints figures: make bench"]
fn figures_of_many_projects() {
    let wanted = std::env::var("BENCH_PROJECTS").unwrap_or_else(|_| "1 100".to_owned());
    println!(
        "| projects | platform | all Ready after | calls each until then | calls per idle project-hour | by service | status writes in {} idle hours | change touched p50, p99 | calls per object in the first minute after a restart | steady after |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        IDLE.as_secs() / 3600
    );
    for projects in wanted.split_whitespace().map(|number| number.parse().expect("BENCH_PROJECTS takes numbers")) {
        for platforms in [Platforms::Own, Platforms::Shared] {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            let figures = runtime.block_on(async { Fleet::apply(projects, platforms).await.measure().await });
            println!("{}", figures.row(projects, platforms));
        }
    }
}
