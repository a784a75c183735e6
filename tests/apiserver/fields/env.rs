//! The ground of the fields' test: a real API server for admission, and the whole operator in this process with AWS
//! and Jenkins of the sandbox, in real time and with next to no delays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use kube::Client;
use kube::config::{Config as ClientConfig, KubeConfigOptions, Kubeconfig};
use mlops_operator::adapters::aws::clients::AwsFactory;
use mlops_operator::clock::Clock;
use mlops_operator::config::Config;
use mlops_operator::controller::shard::Sharding;
use mlops_operator::controller::{self, ClientFactory, Dependencies};
use mlops_operator::domain::grants::InlinePlatform;
use mlops_operator::metrics::Metrics;
use mlops_operator::server::Readiness;
use mlops_operator::templates::project_template;
use mlops_sandbox::jenkins::Jenkins;
use mlops_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::harness::cluster::Cluster;
use crate::harness::operator::Harness;

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "us-east-1";
/// The sandbox's own Jenkins user, and one that may start jobs.
pub const OPERATOR: &str = "operator";
pub const STARTER: &str = "starter";
const NAMESPACE: &str = "ml-team";
const PROJECTS: &str = "/apis/mlops-operator.io/v1alpha1/namespaces/ml-team/mlopsprojects";
/// A change comes to rest within a second or two; this is for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);
/// A deletion looks twice, 15 s apart, for each of trigger, project and catalog product that it has never seen.
const DELETION: Duration = Duration::from_secs(90);
/// What may stand in a ConfigMap as a CA bundle.
pub const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/// The API token of one of both users.
pub fn token_of(user: &str) -> String {
    if user == OPERATOR { Jenkins::credentials().1 } else { format!("11{}", "5".repeat(32)) }
}

/// What stands in a ConfigMap as a template of one's own: the built-in one, in other bytes.
pub fn own_template() -> String {
    format!("{}# our own\n", project_template("jenkins-git-v1").unwrap())
}

/// The built-in template with a parameter that its stack hides.
pub fn hiding_template() -> String {
    let first = "\nParameters:\n";
    let text = project_template("jenkins-git-v1").unwrap();
    assert!(text.contains(first));
    text.replace(first, &format!("{first}  ApiToken:\n    Type: String\n    NoEcho: true\n    Default: ''\n"))
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Ready,
    /// The object says what a person must do: reason and message.
    Told(String, String),
    /// Neither in time: how resources stood.
    Neither(String),
}

/// See the module.
pub struct Environment {
    pub client: Client,
    pub sandbox: Sandbox,
    stop: watch::Sender<bool>,
    work: tokio::task::JoinHandle<()>,
    _cluster: Cluster,
}

impl Environment {
    /// Everything that a spec may name exists; the operator runs.
    pub async fn prepare() -> Self {
        let cluster = Cluster::start("fields");
        let kubeconfig = Kubeconfig::read_from(&cluster.kubeconfig).unwrap();
        let config = ClientConfig::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        for name in [NAMESPACE, "mlops-operator"] {
            post(&client, "/api/v1/namespaces", &json!({"metadata": {"name": name}})).await.unwrap();
        }
        let moment = Duration::from_millis(1);
        let settings = Settings {
            project: moment,
            stack: moment,
            catalog: moment,
            custom_resource: moment,
            ..Settings::default()
        };
        let sandbox = Sandbox::with_clock(settings, mlops_sandbox::Clock::wall());
        let (stop, stopping) = watch::channel(false);
        let work = tokio::spawn(controller::run(setup(client.clone(), &sandbox), stopping));
        Self { client, sandbox, stop, work, _cluster: cluster }
    }

    pub async fn end(self) {
        self.stop.send_replace(true);
        self.work.await.unwrap();
    }

    /// A Secret that holds Jenkins' credentials under these keys, and a text under `key`, which may be a parameter's value.
    pub async fn secret(&self, name: &str, keys: [&str; 2], key: &str, text: &str) {
        let (user, token) = Jenkins::credentials();
        let data = json!({keys[0]: user, keys[1]: token, key: text});
        let labels = json!({"mlops-operator.io/allowed-use": "parameters"});
        let body = json!({"metadata": {"name": name, "labels": labels}, "stringData": data});
        post(&self.client, &format!("/api/v1/namespaces/{NAMESPACE}/secrets"), &body).await.unwrap();
    }

    /// Adds a key to a Secret.
    pub async fn extend_secret(&self, name: &str, key: &str, text: &str) {
        let request = http::Request::patch(format!("/api/v1/namespaces/{NAMESPACE}/secrets/{name}"))
            .header("content-type", "application/merge-patch+json")
            .body(json!({"stringData": {key: text}}).to_string().into_bytes())
            .unwrap();
        self.client.request::<Value>(request).await.unwrap();
    }

    pub async fn config_map(&self, name: &str, key: &str, text: &str) {
        let body = json!({"metadata": {"name": name}, "data": {key: text}});
        post(&self.client, &format!("/api/v1/namespaces/{NAMESPACE}/configmaps"), &body).await.unwrap();
    }

    /// Whether the API server would take this spec for a new object.
    pub async fn would_take(&self, spec: &Value) -> Result<(), String> {
        let body = object("would-be", spec);
        post(&self.client, &format!("{PROJECTS}?dryRun=All&fieldValidation=Strict"), &body).await.map(drop)
    }

    /// Whether the API server would take this spec in the place of the object's.
    pub async fn would_change(&self, name: &str, spec: &Value) -> Result<(), String> {
        self.replace(name, spec, "?dryRun=All&fieldValidation=Strict").await.map(drop)
    }

    pub async fn create(&self, name: &str, spec: &Value) -> End {
        match post(&self.client, PROJECTS, &object(name, spec)).await {
            Ok(made) => self.settled(name, &made["metadata"]["generation"]).await,
            Err(reason) => End::Neither(reason),
        }
    }

    pub async fn change(&self, name: &str, spec: &Value) -> End {
        match self.replace(name, spec, "").await {
            Ok(changed) => self.settled(name, &changed["metadata"]["generation"]).await,
            Err(reason) => End::Neither(reason),
        }
    }

    pub async fn delete(&self, name: &str) -> Result<(), String> {
        let request = http::Request::delete(format!("{PROJECTS}/{name}")).body(Vec::new()).unwrap();
        self.client.request::<Value>(request).await.map_err(|error| error.to_string())?;
        let begun = Instant::now();
        while self.object(name).await.is_some() {
            if begun.elapsed() > DELETION {
                return Err(format!(
                    "{name} is not gone: {}",
                    provisioning_status(&self.object(name).await.unwrap_or_default())
                ));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub async fn object(&self, name: &str) -> Option<Value> {
        let request = http::Request::get(format!("{PROJECTS}/{name}")).body(Vec::new()).unwrap();
        self.client.request(request).await.ok()
    }

    async fn replace(&self, name: &str, spec: &Value, query: &str) -> Result<Value, String> {
        let patch = json!([{"op": "replace", "path": "/spec", "value": spec}]);
        let request = http::Request::patch(format!("{PROJECTS}/{name}{query}"))
            .header("content-type", "application/json-patch+json")
            .body(patch.to_string().into_bytes())
            .unwrap();
        self.client.request(request).await.map_err(said)
    }

    async fn settled(&self, name: &str, generation: &Value) -> End {
        let begun = Instant::now();
        loop {
            let object = self.object(name).await.unwrap_or_default();
            let current = &object["status"]["observedGeneration"] == generation;
            let of_now =
                |kind| condition(&object, kind).filter(|one| current && &one["observedGeneration"] == generation);
            let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
            if let Some(suspended) = of_now("Suspended") {
                return End::Told(text(suspended, "reason"), text(suspended, "message"));
            }
            if let Some(ready) = of_now("Ready") {
                if ready["status"] == "True" {
                    return End::Ready;
                }
                // A role that is named may be too young to show: that it is missed is told at once, for two minutes as a wait.
                let missed = condition(&object, "PrerequisitesMet").is_some_and(|one| one["reason"] == "Propagating");
                if condition(&object, "Stalled").is_some() || missed {
                    return End::Told(text(ready, "reason"), text(ready, "message"));
                }
            }
            if begun.elapsed() > PATIENCE {
                return End::Neither(provisioning_status(&object));
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
}

fn setup(client: Client, sandbox: &Sandbox) -> Dependencies {
    let clock = Clock::wall();
    let aws = crate::harness::aws::config(sandbox, clock)
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .build();
    let metrics = Metrics::default();
    let jenkins = BoxCloneSyncService::new(sandbox.jenkins().map_err(Into::into));
    let inline = InlinePlatform {
        namespaces: vec!["*".to_owned()],
        jenkins_urls: vec!["*".to_owned(), "http://*".to_owned()],
        ..Harness::grant()
    };
    Dependencies {
        client,
        clock,
        config: Config { inline_platforms: vec![inline], ..Config::default() },
        clients: ClientFactory::new(AwsFactory::new(aws), metrics.clone()).with_jenkins(jenkins),
        metrics,
        readiness: Readiness::default(),
        namespace: "mlops-operator".into(),
        instance: "operator-0".into(),
        sharding: Sharding::default(),
        chance: Arc::new(|| 0.0),
    }
}

fn object(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "mlops-operator.io/v1alpha1", "kind": "MlopsProject",
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec,
    })
}

async fn post(client: &Client, path: &str, body: &Value) -> Result<Value, String> {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .unwrap();
    client.request(request).await.map_err(said)
}

/// What an API server says: its message, which names each field.
fn said(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => format!("not an answer of the API server: {other}"),
    }
}

pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

fn provisioning_status(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let lines =
        conditions.iter().map(|it| format!("{}={}/{}: {}", it["type"], it["status"], it["reason"], it["message"]));
    lines.collect::<Vec<_>>().join("; ")
}
