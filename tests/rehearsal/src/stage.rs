//! The parts that play together: the sandbox, the in-memory Kubernetes API and the operator, in this process and in real
//! time. It starts and connects them, and makes what `preparation` has decided on; the story is told elsewhere.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use bytes::Bytes;
use http::Request;
use kube::CustomResourceExt;
use mlops_operator::adapters::aws::clients::{Aws, AwsFactory};
use mlops_operator::clock::Clock;
use mlops_operator::config::Config;
use mlops_operator::controller::{self, ClientFactory, Dependencies};
use mlops_operator::crd::MlopsProject;
use mlops_operator::crd::status::Placement;
use mlops_operator::domain::tenancy::InlinePlatform;
use mlops_operator::metrics::Metrics;
use mlops_operator::server::Readiness;
use mlops_sandbox::kubernetes::Kubernetes;
use mlops_sandbox::transport::http::Server;
use mlops_sandbox::{Endpoint, Sandbox, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::manifest::Documents;
use crate::preparation::Preparation;

/// The operator's own namespace here.
const SYSTEM: &str = "mlops-system";

/// How long the sandbox takes for what takes AWS minutes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    pub(crate) project: Duration,
    pub(crate) stack: Duration,
    pub(crate) catalog: Duration,
}

impl Delays {
    /// The usual proportions around the time that a project takes.
    pub(crate) fn of(project: Duration) -> Self {
        Self { project, stack: project.mul_f64(0.4), catalog: project.mul_f64(0.1) }
    }

    /// The longest way to Ready: product, launch constraint, project.
    pub(crate) fn critical_path(self) -> Duration {
        self.catalog * 2 + self.project
    }
}

/// See the module.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) kubernetes: Kubernetes,
    /// Clients of the sandbox's AWS, to show what exists there.
    pub(crate) aws: Aws,
    /// The path below which Jenkins answers.
    jenkins_context: String,
    /// Functions and builds run for real behind it; none where Python or Git is missing.
    server: Option<Server>,
    stop: watch::Sender<bool>,
    operator: JoinHandle<()>,
}

impl Stage {
    /// Starts everything, and makes what the project finds when it comes.
    ///
    /// # Errors
    /// A sentence: what could not be started or made.
    pub(crate) async fn start(
        documents: &mut Documents,
        preparation: &Preparation,
        delays: Delays,
    ) -> Result<Self, String> {
        let settings = Settings {
            account: preparation.account.clone(),
            project: delays.project,
            stack: delays.stack,
            catalog: delays.catalog,
            ..Settings::default()
        };
        let sandbox = Sandbox::with_clock(settings, mlops_sandbox::Clock::wall());
        sandbox.world(|world| world.jenkins.context.clone_from(&preparation.jenkins_context));
        let server = match runs("python3") && runs("git") {
            true => Some(
                Server::start(&sandbox, 0, 0).await.map_err(|error| format!("cannot listen on loopback: {error}"))?,
            ),
            false => None,
        };
        if let (Some(server), Some(trigger)) = (&server, trigger(documents)) {
            // The Lambda is a process of its own: it reaches Jenkins over loopback, whatever the spec calls it.
            trigger["jenkinsUrl"] = json!(format!("{}{}", server.jenkins_url, preparation.jenkins_context));
        }
        let clock = Clock::wall();
        let factory = AwsFactory::new(aws_config(&sandbox, clock));
        let place = Placement { region: preparation.region.clone(), ..Placement::default() };
        let aws = factory.connect(&place, "rehearsal").await;
        let crd = serde_json::to_value(MlopsProject::crd()).map_err(|error| error.to_string())?;
        let kubernetes = Kubernetes::new(sandbox.clock(), &[crd]);
        let (stop, stopping) = watch::channel(false);
        let dependencies = dependencies(&sandbox, &kubernetes, clock, factory, documents.namespace());
        let operator = tokio::spawn(controller::run(dependencies, stopping));
        let jenkins_context = preparation.jenkins_context.clone();
        let stage = Self { sandbox, kubernetes, aws, jenkins_context, server, stop, operator };
        stage.furnish(documents, preparation).await?;
        Ok(stage)
    }

    /// Makes namespaces, Secrets and ConfigMaps, and in AWS what the spec names.
    async fn furnish(&self, documents: &Documents, preparation: &Preparation) -> Result<(), String> {
        for name in [documents.namespace(), SYSTEM] {
            self.create("namespaces", "", json!({"metadata": {"name": name}}))?;
        }
        for (plural, object) in &documents.objects {
            self.create(plural, documents.namespace(), object.clone())?;
        }
        for arn in &preparation.connections {
            self.control("POST", "connections", json!({"arn": arn, "status": "AVAILABLE"})).await?;
        }
        for (arn, services) in &preparation.roles {
            self.role(arn, services).await?;
        }
        if let Some(bucket) = &preparation.bucket {
            let mut call = self.aws.s3.create_bucket().bucket(bucket);
            if preparation.region != "us-east-1" {
                let there = preparation.region.as_str().into();
                let configuration = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(there);
                call = call.create_bucket_configuration(configuration.build());
            }
            call.send().await.map_err(|error| format!("cannot make bucket {bucket}: {error:?}"))?;
        }
        Ok(())
    }

    fn create(&self, plural: &str, namespace: &str, object: Value) -> Result<(), String> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let refused = |error: &dyn std::fmt::Debug| format!("the Kubernetes API refuses {plural}/{name}: {error:?}");
        match self.kubernetes.create(plural, namespace, object) {
            Ok(_) => Ok(()),
            // `default` is there from the beginning.
            Err(error) if plural == "namespaces" && format!("{error:?}").contains("AlreadyExists") => Ok(()),
            Err(error) => Err(refused(&error)),
        }
    }

    async fn role(&self, arn: &str, services: &[&str]) -> Result<(), String> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let Some((account, resource)) = parts.get(4).zip(parts.get(5).and_then(|text| text.strip_prefix("role/")))
        else {
            // Not an ARN: the operator says so itself.
            return Ok(());
        };
        let (path, name) =
            resource.rsplit_once('/').map_or(("/".to_owned(), resource), |(path, name)| (format!("/{path}/"), name));
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": services, "AWS": format!("arn:aws:iam::{account}:root")},
        }]});
        self.control("POST", "roles", json!({"account": account, "path": path, "name": name, "trust": trust}))
            .await
            .map(drop)
    }

    /// Whether builds and functions run for real.
    pub(crate) fn runs_processes(&self) -> bool {
        self.server.is_some()
    }

    /// Asks the sandbox's control interface.
    ///
    /// # Errors
    /// What it refuses, in its own words.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        self.ask(Endpoint::Aws, method, &format!("/_sandbox/{path}"), body.to_string(), "").await
    }

    /// Asks Jenkins for JSON, by a path below its root.
    ///
    /// # Errors
    /// What it refuses.
    pub(crate) async fn jenkins(&self, path: &str, authorization: &str) -> Result<Value, String> {
        let path = format!("{}{path}", self.jenkins_context);
        self.ask(Endpoint::Jenkins, "GET", &path, String::new(), authorization).await
    }

    async fn ask(
        &self,
        endpoint: Endpoint,
        method: &str,
        path: &str,
        body: String,
        authorization: &str,
    ) -> Result<Value, String> {
        let mut request = Request::builder().method(method).uri(path).header("host", "sandbox");
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Bytes::from(body)).map_err(|error| format!("{path}: {error}"))?;
        let answer = self.sandbox.answer(endpoint, request).await.map_err(|error| format!("{path}: {error}"))?;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        if !answer.status().is_success() {
            return Err(format!("{method} {path}: {} {text}", answer.status()));
        }
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
    }

    /// Ends everything.
    ///
    /// # Errors
    /// The operator broke down.
    pub(crate) async fn stop(self) -> Result<(), String> {
        self.stop.send_replace(true);
        self.operator.await.map_err(|error| format!("the operator broke down: {error}"))?;
        if let Some(server) = self.server {
            server.stop().await;
        }
        Ok(())
    }
}

/// Where the spec's platform says how the Lambda reaches Jenkins, if a trigger is wanted.
fn trigger(documents: &mut Documents) -> Option<&mut Value> {
    documents.project.pointer("/spec/modelTrigger").filter(|wanted| !wanted.is_null())?;
    let platform = documents.project.pointer_mut("/spec/platform").filter(|platform| platform.is_object())?;
    if !platform["modelTrigger"].is_object() {
        platform["modelTrigger"] = json!({});
    }
    Some(&mut platform["modelTrigger"])
}

/// Whether a program is on this machine.
fn runs(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn aws_config(sandbox: &Sandbox, clock: Clock) -> SdkConfig {
    let credentials = Credentials::new("REHEARSAL", "rehearsal", None, None, "rehearsal");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(sandbox.aws_http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(clock))
        .build()
}

/// What the operator is started with: this one namespace may name any role and Jenkins.
fn dependencies(
    sandbox: &Sandbox,
    kubernetes: &Kubernetes,
    clock: Clock,
    factory: AwsFactory,
    namespace: &str,
) -> Dependencies {
    let anything = || vec!["*".to_owned()];
    let grant = InlinePlatform { namespaces: vec![namespace.to_owned()], roles: anything(), jenkins_hosts: anything() };
    let metrics = Metrics::default();
    let jenkins = BoxCloneSyncService::new(sandbox.jenkins().map_err(Into::into));
    Dependencies {
        client: kube::Client::new(kubernetes.service(), "default"),
        clock,
        config: Config { inline_platforms: vec![grant], ..Config::default() },
        clients: ClientFactory::new(factory, metrics.clone()).with_jenkins(jenkins),
        metrics,
        readiness: Readiness::default(),
        namespace: SYSTEM.to_owned(),
        instance: "rehearsal".to_owned(),
        chance: Arc::new(|| 0.0),
    }
}
