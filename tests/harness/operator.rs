//! The whole operator in this process: its controller, a Kubernetes API in memory, and AWS and Jenkins of the sandbox,
//! all under tokio's paused clock. What takes AWS minutes takes no time here, and the same run gives the same story.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use base64::Engine;
use bytes::Bytes;
use jiff::Timestamp;
use kube::CustomResourceExt;
use mlops_operator::adapters::aws::clients::AwsFactory;
use mlops_operator::adapters::budget::Budgets;
use mlops_operator::clock::Clock;
use mlops_operator::config::Config;
use mlops_operator::controller::shard::Sharding;
use mlops_operator::controller::{self, ClientFactory, Dependencies};
use mlops_operator::crd::{MlopsPlatform, MlopsProject};
use mlops_operator::domain::grants::InlinePlatform;
use mlops_operator::metrics::Metrics;
use mlops_operator::server::Readiness;
use mlops_sandbox::jenkins::Jenkins;
use mlops_sandbox::kubernetes::Kubernetes;
use mlops_sandbox::{Sandbox, Settings, World};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// The account that the sandbox's credentials belong to.
pub const ACCOUNT: &str = "111122223333";
/// The region of [`Harness::manifest`].
pub const REGION: &str = "us-east-1";
/// The namespace of [`Harness::manifest`].
pub const NAMESPACE: &str = "ml-team";
/// When every story begins.
pub const START: &str = "2026-03-01T09:00:00Z";

/// Everything that takes part.
pub struct Harness {
    pub kubernetes: Kubernetes,
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub metrics: Metrics,
    pub readiness: Readiness,
    pub config: Config,
    pub credentials: Credentials,
    /// Whether calls wait for their turn, as they do but where a test shows what that is for.
    pub budgeted: bool,
    /// Hosts of Jenkins servers that take a call and never answer.
    pub silent_jenkins: Arc<Mutex<BTreeSet<String>>>,
    /// What spreads things that would otherwise happen at once.
    pub chance: Arc<dyn Fn() -> f64 + Send + Sync>,
    operators: Vec<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl Harness {
    /// A cluster with the CRD, the Secret `jenkins` and the Git connection of [`Harness::manifest`]; the operator is not
    /// started yet. Must be called on a runtime whose time is paused.
    pub async fn new(settings: Settings) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let sandbox = Sandbox::with_clock(settings, mlops_sandbox::Clock::starting_at(start));
        let crds = [MlopsPlatform::crd(), MlopsProject::crd()].map(|crd| serde_json::to_value(crd).unwrap());
        let kubernetes = Kubernetes::new(sandbox.clock(), &crds);
        for name in [NAMESPACE, "mlops-operator"] {
            kubernetes.create("namespaces", "", json!({"metadata": {"name": name}})).unwrap();
        }
        sandbox.world(|world| {
            let connections = &mut world.region(ACCOUNT, REGION).connections;
            connections.add(ACCOUNT, REGION, "0f0e0d0c-1a2b-4c3d-8e9f-001122334455", "git", "AVAILABLE");
        });
        let harness = Self {
            kubernetes,
            sandbox,
            clock: Clock::starting_at(start),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            config: Self::config(),
            credentials: Credentials::for_tests(),
            budgeted: true,
            silent_jenkins: Arc::default(),
            chance: Arc::new(|| 0.0),
            operators: Vec::new(),
        };
        harness.put_jenkins_secret();
        harness
    }

    /// Goes on from a saved world and cluster, at the world's own moment and in this runtime. The operator is not
    /// started, and its memory is empty.
    pub fn resume(world: World, kubernetes: &Kubernetes) -> Self {
        let start = world.now;
        let sandbox = Sandbox::from_world(world);
        Self {
            kubernetes: kubernetes.fork().by_clock(sandbox.clock()),
            clock: Clock::starting_at(start),
            sandbox,
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            config: Self::config(),
            credentials: Credentials::for_tests(),
            budgeted: true,
            silent_jenkins: Arc::default(),
            chance: Arc::new(|| 0.0),
            operators: Vec::new(),
        }
    }

    fn config() -> Config {
        Config { inline_platforms: vec![Self::grant()], ..Config::default() }
    }

    /// All that the stories use, in every account and region: what a grant covers has tests of its own.
    pub fn grant() -> InlinePlatform {
        let anything = || vec!["*".to_owned()];
        InlinePlatform {
            namespaces: vec![NAMESPACE.into()],
            operator_identity: true,
            accounts: anything(),
            regions: anything(),
            roles: anything(),
            buckets: anything(),
            kms_keys: anything(),
            connections: anything(),
            repositories: anything(),
            archives: anything(),
            principals: anything(),
            alarm_topics: anything(),
            subnets: anything(),
            security_groups: anything(),
            jenkins_urls: vec!["https://ci.example".into()],
            jenkins_folders: anything(),
            jenkins_credentials: anything(),
            own_templates: true,
        }
    }

    /// The Secret that the manifest names, with the sandbox's credentials.
    pub fn put_jenkins_secret(&self) {
        self.put_jenkins_secret_in(NAMESPACE);
    }

    /// The same in any namespace: a platform's is in the operator's own.
    pub fn put_jenkins_secret_in(&self, namespace: &str) {
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let (user, token) = Jenkins::credentials();
        let data = json!({"username": encode(&user), "token": encode(&token)});
        self.kubernetes.create("secrets", namespace, json!({"metadata": {"name": "jenkins"}, "data": data})).unwrap();
    }

    /// A platform `main` for projects of [`NAMESPACE`], as a platform team writes it; edit it before it is applied.
    pub fn platform_manifest() -> Value {
        json!({
            "metadata": {"name": "main"},
            "spec": {
                "aws": {"region": REGION, "accountId": ACCOUNT},
                "jenkins": {
                    "url": "https://ci.example", "folder": "ml",
                    "credentialsSecretRef": {"name": "jenkins"}, "folderPolicy": "Delete",
                },
                "namespaces": {"names": [NAMESPACE]},
                "git": {
                    "baseUrl": "https://github.com/example",
                    "connectionArn": format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"),
                    "repositories": ["example/*"],
                },
                "projects": {
                    "seedCode": "None", "dataPolicy": "Delete",
                    "jenkins": {"awsCredentialsId": "aws-pipelines", "gitCredentialsId": "github"},
                },
            },
        })
    }

    /// A project on the platform `main`: the dozen lines that its user writes.
    pub fn project_on_platform(name: &str) -> Value {
        json!({
            "metadata": {"name": name},
            "spec": {
                "platformRef": {"name": "main"},
                "repositories": {
                    "preprocess": {"name": format!("{name}-preprocess")},
                    "build": {"name": format!("{name}-build")},
                    "deploy": {"name": format!("{name}-deploy")},
                },
            },
        })
    }

    /// Creates a platform, with the Secret that it names.
    pub fn apply_platform(&self, manifest: Value) {
        self.put_jenkins_secret_in("mlops-operator");
        self.kubernetes.create("mlopsplatforms", "", manifest).unwrap();
    }

    /// Conditions in short of any platform or project: `Ready=True/Succeeded`.
    pub fn conditions_of(&self, plural: &str, namespace: &str, name: &str) -> Vec<String> {
        short(&self.kubernetes.object(plural, namespace, name).unwrap_or_default())
    }

    /// The message of a condition of any platform or project.
    pub fn message_of(&self, plural: &str, namespace: &str, name: &str, type_: &str) -> String {
        said(&self.kubernetes.object(plural, namespace, name).unwrap_or_default(), type_)
    }

    /// A complete manifest, `taxi-fares`; edit it before it is applied. Its repositories get no seed code, so that a world
    /// that is saved and begun anew a thousand times stays small, and its folders go, so that nothing of it may be left.
    pub fn manifest() -> Value {
        let repository = |name: &str| {
            json!({
                "url": format!("https://github.com/example/taxi-{name}.git"), "fullName": format!("example/taxi-{name}"),
                "connectionArn": format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455"),
                "seedCode": {"source": "None"},
            })
        };
        json!({
            "metadata": {"name": "taxi-fares"},
            "spec": {
                "description": "Predicts taxi fares",
                "platform": {
                    "aws": {"region": REGION, "accountId": ACCOUNT},
                    "jenkins": {"url": "https://ci.example", "credentialsSecretRef": {"name": "jenkins"}, "folderPolicy": "Delete"},
                },
                "repositories": {"preprocess": repository("preprocess"), "build": repository("build"), "deploy": repository("deploy")},
                "jenkins": {"folder": "taxi-fares", "awsCredentialsId": "aws-pipelines", "gitCredentialsId": "github"},
                "modelTrigger": {},
                "dataPolicy": "Delete",
            },
        })
    }

    /// What the operator is started with.
    pub fn setup(&self) -> Dependencies {
        let aws = super::aws::config(&self.sandbox, self.clock)
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(self.credentials.clone()))
            .build();
        let (jenkins, silent) = (self.sandbox.jenkins(), self.silent_jenkins.clone());
        let jenkins = BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Bytes>| {
            let (jenkins, host) = (jenkins.clone(), request.uri().host().unwrap_or_default().to_owned());
            let silent = silent.lock().unwrap().contains(&host);
            async move {
                if silent {
                    return std::future::pending().await;
                }
                jenkins.oneshot(request).await.map_err(Into::into)
            }
        }));
        let mut clients = ClientFactory::new(AwsFactory::new(aws), self.metrics.clone()).with_jenkins(jenkins);
        if self.budgeted {
            clients = clients.with_budgets(Budgets::new(self.clock, self.metrics.clone(), self.config.concurrency));
        }
        Dependencies {
            client: kube::Client::new(self.kubernetes.service(), "default"),
            clock: self.clock,
            config: self.config.clone(),
            clients,
            metrics: self.metrics.clone(),
            readiness: self.readiness.clone(),
            namespace: "mlops-operator".into(),
            instance: format!("operator-{}", self.operators.len()),
            sharding: Sharding::default(),
            chance: self.chance.clone(),
        }
    }

    /// Starts the operator; one more if there is one already, as where a Lease is handed over late.
    pub fn start(&mut self) {
        let (stop, stopping) = watch::channel(false);
        let work = tokio::spawn(controller::run(self.setup(), stopping));
        self.operators.push((stop, work));
    }

    /// Stops it as SIGTERM does, and waits until its passes have ended.
    pub async fn stop(&mut self) {
        for (stop, work) in self.operators.drain(..) {
            stop.send_replace(true);
            work.await.unwrap();
        }
    }

    /// Kills it: no call is ended, nothing is written.
    pub fn kill(&mut self) {
        self.operators.drain(..).for_each(|(_, work)| work.abort());
    }

    /// Creates the object.
    pub fn apply(&self, manifest: Value) {
        self.kubernetes.create("mlopsprojects", NAMESPACE, manifest).unwrap();
    }

    /// Changes the object by a JSON merge patch, as a user would.
    pub async fn edit(&self, patch: Value) {
        let patch = kube::api::Patch::Merge(patch);
        self.api().patch("taxi-fares", &kube::api::PatchParams::default(), &patch).await.unwrap();
    }

    /// Asks for a reconcile, as a user would: each moment is a request of its own.
    pub async fn look_now(&self) {
        let stamp = self.sandbox.now().to_string();
        self.edit(json!({"metadata": {"annotations": {"mlops-operator.io/reconcile-requested-at": stamp}}})).await;
    }

    /// Changes its status by a JSON merge patch, as somebody who may would.
    pub async fn edit_status(&self, patch: Value) {
        let patch = kube::api::Patch::Merge(patch);
        self.api().patch_status("taxi-fares", &kube::api::PatchParams::default(), &patch).await.unwrap();
    }

    fn api(&self) -> kube::Api<kube::core::DynamicObject> {
        let client = kube::Client::new(self.kubernetes.service(), "default");
        kube::Api::namespaced_with(client, NAMESPACE, &MlopsProject::api_resource())
    }

    /// Asks for the object's deletion.
    pub fn delete(&self) {
        self.kubernetes.delete("mlopsprojects", NAMESPACE, "taxi-fares").unwrap();
    }

    /// The object, if it is there.
    pub fn object(&self) -> Option<Value> {
        self.kubernetes.object("mlopsprojects", NAMESPACE, "taxi-fares")
    }

    /// Conditions in short: `Ready=True/Succeeded`.
    pub fn conditions(&self) -> Vec<String> {
        short(&self.object().unwrap_or_default())
    }

    /// The message of a condition.
    pub fn message(&self, type_: &str) -> String {
        said(&self.object().unwrap_or_default(), type_)
    }

    /// Lets time pass until something holds, and answers how much it took. Panics with how resources stand if it takes
    /// longer than `limit`.
    pub async fn until(&self, what: &str, limit: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let begun = tokio::time::Instant::now();
        while !holds(self) {
            assert!(
                begun.elapsed() < limit,
                "not {what} within {limit:?}: {:#?}\nReady: {}\nlast calls: {:#?}",
                self.conditions(),
                self.message("Ready"),
                self.sandbox.calls().iter().rev().take(20).rev().collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        begun.elapsed()
    }

    /// Lets time pass until a condition stands like this: `Ready=True/Succeeded`.
    pub async fn until_condition(&self, condition: &str, limit: Duration) -> Duration {
        self.until(condition, limit, |harness| harness.conditions().iter().any(|found| found == condition)).await
    }

    /// Lets time pass until the object is gone.
    pub async fn until_gone(&self, limit: Duration) -> Duration {
        self.until("gone", limit, |harness| harness.object().is_none()).await
    }

    /// A request of Jenkins's own administrator; panics unless it is answered well.
    pub async fn jenkins(&self, method: &str, path: &str, body: &str) -> String {
        let (user, token) = Jenkins::credentials();
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"));
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", "application/xml; charset=utf-8")
            .body(Bytes::from(body.to_owned()))
            .unwrap();
        let answer = self.sandbox.jenkins().oneshot(request).await.unwrap();
        assert!(answer.status().as_u16() < 400, "{method} {path}: {}", answer.status());
        String::from_utf8_lossy(answer.body()).into_owned()
    }
}

/// Numbers that are spread evenly, and the same in every run.
pub fn spread() -> Arc<dyn Fn() -> f64 + Send + Sync> {
    let n = AtomicU32::new(0);
    Arc::new(move || f64::from(n.fetch_add(1, Ordering::Relaxed)) * 0.618_033_988_7 % 1.0)
}

fn conditions(object: &Value) -> Vec<Value> {
    object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn short(object: &Value) -> Vec<String> {
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    let told = |one: &Value| format!("{}={}/{}", text(one, "type"), text(one, "status"), text(one, "reason"));
    conditions(object).iter().map(told).collect()
}

fn said(object: &Value, type_: &str) -> String {
    let conditions = conditions(object);
    let found = conditions.iter().find(|condition| condition["type"] == type_);
    found.and_then(|condition| condition["message"].as_str()).unwrap_or_default().to_owned()
}
