//! The parts that play together: the sandbox, the in-memory Kubernetes API and the operator, in this process and in real
//! time. It starts and connects them, and makes what `preparation` has decided on; the story is told elsewhere.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, CustomResourceExt};
use mlops_operator::adapters::aws::clients::{Aws, AwsFactory};
use mlops_operator::adapters::budget::Budgets;
use mlops_operator::clock::Clock;
use mlops_operator::config::Config;
use mlops_operator::controller::{self, ClientFactory, Dependencies};
use mlops_operator::crd::status::Placement;
use mlops_operator::crd::{MlopsPlatform, MlopsProject};
use mlops_operator::metrics::Metrics;
use mlops_operator::server::Readiness;
use mlops_sandbox::aws::{Call, dispatch, iam};
use mlops_sandbox::jenkins::User;
use mlops_sandbox::kubernetes::Kubernetes;
use mlops_sandbox::transport::http::Server;
use mlops_sandbox::{Endpoint, Sandbox, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::manifest::Documents;
use crate::preparation::{self, Preparation};
use crate::trigger;

/// The operator's own namespace here.
const SYSTEM: &str = "mlops-system";
const PLURAL: &str = "mlopsprojects";
/// How long the parts may take to end.
const END: Duration = Duration::from_secs(10);

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
    kubernetes: Kubernetes,
    /// Clients of the sandbox's AWS, to show what exists there.
    pub(crate) aws: Aws,
    /// Namespace and name of the project.
    project: (String, String),
    /// The path below which Jenkins answers.
    jenkins_context: String,
    /// The `Authorization` of the user that Jenkins knows.
    authorization: String,
    /// Functions and builds run as processes behind it; without it the sandbox's models stand in for them, or nothing does.
    server: Option<Server>,
    /// Which programs are missing for that.
    missing: Option<String>,
    stop: watch::Sender<bool>,
    operator: JoinHandle<()>,
}

impl Stage {
    /// Starts everything, and makes what the project finds when it comes. Functions and builds run as processes unless
    /// programs are `missing`. The preparation gets a remark for what had to be changed in the manifest.
    ///
    /// # Errors
    /// A sentence: what could not be started or made.
    pub(crate) async fn start(
        documents: &mut Documents,
        preparation: &mut Preparation,
        delays: Delays,
        missing: Option<String>,
    ) -> Result<Self, String> {
        let sandbox = sandbox(preparation, delays);
        let server = match missing {
            None => Some(
                Server::start(&sandbox, 0, 0).await.map_err(|error| format!("cannot listen on loopback: {error}"))?,
            ),
            Some(_) => None,
        };
        if let (Some(server), Some(trigger)) = (&server, trigger(documents)) {
            let url = format!("{}{}", server.jenkins_url, preparation.jenkins_context);
            preparation.remarks.push(format!(
                "platform.modelTrigger.jenkinsUrl is {url} here: the Lambda runs as a process, and reaches Jenkins there"
            ));
            trigger["jenkinsUrl"] = json!(url);
        }
        let clock = Clock::wall();
        let factory = AwsFactory::new(aws_config(&sandbox, clock));
        let place = Placement::new(preparation.account.clone(), preparation.region.clone());
        let aws = factory.connect(&place, "rehearsal").await;
        let crds = [MlopsPlatform::crd(), MlopsProject::crd()].map(serde_json::to_value);
        let crds = crds.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let kubernetes = Kubernetes::new(sandbox.clock(), &crds);
        let (stop, stopping) = watch::channel(false);
        let dependencies = dependencies(&sandbox, &kubernetes, clock, factory, documents);
        let operator = tokio::spawn(controller::run(dependencies, stopping));
        let (user, token) = &preparation.jenkins_user;
        let stage = Self {
            sandbox,
            kubernetes,
            aws,
            project: (documents.namespace().to_owned(), documents.name().to_owned()),
            jenkins_context: preparation.jenkins_context.clone(),
            authorization: format!("Basic {}", STANDARD.encode(format!("{user}:{token}"))),
            server,
            missing,
            stop,
            operator,
        };
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
        let asked = json!({"account": account, "path": path, "name": name, "trust": trust});
        self.control("POST", "roles", asked).await?;
        if services.contains(&"lambda.amazonaws.com") {
            self.let_read_queues(account, name)?;
        }
        Ok(())
    }

    /// What a role of the user's own for the model trigger's function can do is known in the account alone: here it can do what
    /// Lambda itself asks for before it reads from the queue.
    fn let_read_queues(&self, account: &str, role: &str) -> Result<(), String> {
        let caller = dispatch::administrator(account);
        let policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole";
        let input = json!({"RoleName": role, "PolicyArn": policy});
        let call = Call { operation: "AttachRolePolicy", input: &input, caller: &caller, region: "us-east-1" };
        let attached = self.sandbox.world(|world| iam::call(world, &call));
        attached.map(drop).map_err(|refusal| format!("cannot let role {role} read queues: {refusal:?}"))
    }

    /// The project, if it exists.
    pub(crate) fn object(&self) -> Option<Value> {
        self.kubernetes.object(PLURAL, &self.project.0, &self.project.1)
    }

    /// Creates the project; gives it as the API keeps it.
    ///
    /// # Errors
    /// What the API says where it refuses it.
    pub(crate) fn create_project(&self, manifest: &Value) -> Result<Value, String> {
        self.kubernetes.create(PLURAL, &self.project.0, manifest.clone()).map_err(|refusal| refusal.to_string())
    }

    /// Changes the project by a JSON merge patch, as a user would.
    ///
    /// # Errors
    /// What the API says where it refuses it.
    pub(crate) async fn edit_project(&self, patch: &Value) -> Result<(), String> {
        let client = Client::new(self.kubernetes.service(), "default");
        let api: Api<DynamicObject> = Api::namespaced_with(client, &self.project.0, &MlopsProject::api_resource());
        let edited = api.patch(&self.project.1, &PatchParams::default(), &Patch::Merge(patch)).await;
        edited.map(drop).map_err(|error| error.to_string())
    }

    /// Asks for the project's deletion.
    ///
    /// # Errors
    /// What the API says where it refuses it.
    pub(crate) fn delete(&self) -> Result<(), String> {
        let deleted = self.kubernetes.delete(PLURAL, &self.project.0, &self.project.1);
        deleted.map(drop).map_err(|refusal| refusal.to_string())
    }

    /// The programs without which functions and builds do not run, where they do not.
    pub(crate) fn left_out(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Whether the operator has ended, though nobody asked it to.
    pub(crate) fn operator_ended(&self) -> bool {
        self.operator.is_finished()
    }

    /// Functions and builds that failed, as lines to add to a sentence; empty where none did.
    pub(crate) async fn failed_runs(&self) -> String {
        let mut text = String::new();
        for one in
            self.control("GET", "invocations", Value::Null).await.unwrap_or_default().as_array().into_iter().flatten()
        {
            if one["status"] == "failed" {
                let function = one["function"].as_str().unwrap_or_default();
                text.push_str(&format!("\n    Lambda {function} failed: {}", trigger::last_error(one)));
            }
        }
        for one in self.control("GET", "builds", Value::Null).await.unwrap_or_default().as_array().into_iter().flatten()
        {
            if one["status"] == "FAILED" {
                let last = one["log"].as_str().unwrap_or_default().trim_end().lines().last().unwrap_or_default();
                text.push_str(&format!("\n    build {} failed: {last}", one["id"].as_str().unwrap_or_default()));
            }
        }
        text
    }

    /// Asks the sandbox's control interface.
    ///
    /// # Errors
    /// What it refuses, in its own words.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> Result<Value, String> {
        let text = self.ask(Endpoint::Aws, method, &format!("/_sandbox/{path}"), body.to_string(), "").await?;
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
    }

    /// Asks Jenkins, by a path below its root.
    ///
    /// # Errors
    /// What it refuses.
    pub(crate) async fn jenkins(&self, path: &str) -> Result<String, String> {
        let path = format!("{}{path}", self.jenkins_context);
        self.ask(Endpoint::Jenkins, "GET", &path, String::new(), &self.authorization).await
    }

    /// The same, for JSON.
    ///
    /// # Errors
    /// What it refuses.
    pub(crate) async fn jenkins_json(&self, path: &str) -> Result<Value, String> {
        let text = self.jenkins(path).await?;
        serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))
    }

    async fn ask(
        &self,
        endpoint: Endpoint,
        method: &str,
        path: &str,
        body: String,
        authorization: &str,
    ) -> Result<String, String> {
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
        Ok(text)
    }

    /// Ends everything.
    ///
    /// # Errors
    /// The operator broke down, or something does not end.
    pub(crate) async fn stop(self) -> Result<(), String> {
        let late = |what: &str| format!("{what} did not end within {} s", END.as_secs());
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(END, self.operator).await.map_err(|_| late("the operator"))?;
        ended.map_err(|error| format!("the operator broke down: {error}"))?;
        if let Some(server) = self.server {
            tokio::time::timeout(END, server.stop()).await.map_err(|_| late("the sandbox"))?;
        }
        Ok(())
    }
}

/// Where the spec's platform says how the Lambda reaches Jenkins, if a trigger is wanted.
fn trigger(documents: &mut Documents) -> Option<&mut Value> {
    if documents.project.pointer("/spec/modelTrigger/enabled") == Some(&Value::Bool(false)) {
        return None;
    }
    let platform = documents.project.pointer_mut("/spec/platform").filter(|platform| platform.is_object())?;
    if !platform["modelTrigger"].is_object() {
        platform["modelTrigger"] = json!({});
    }
    Some(&mut platform["modelTrigger"])
}

/// AWS and Jenkins, without anything in them but the user that Jenkins knows.
fn sandbox(preparation: &Preparation, delays: Delays) -> Sandbox {
    let settings = Settings {
        account: preparation.account.to_string(),
        project: delays.project,
        stack: delays.stack,
        catalog: delays.catalog,
        custom_resource: delays.project.mul_f64(0.25),
        jenkins_build: delays.project.mul_f64(0.25),
        ..Settings::default()
    };
    let sandbox = Sandbox::with_clock(settings, mlops_sandbox::Clock::wall());
    sandbox.world(|world| {
        world.jenkins.context.clone_from(&preparation.jenkins_context);
        let (user, token) = &preparation.jenkins_user;
        if let Some((user, token)) = &preparation.trigger_user {
            world.jenkins.users.insert(user.clone(), User::starter(token));
        }
        // Where both are one user, it may do what the operator needs.
        world.jenkins.users.insert(user.clone(), User::service(token));
    });
    sandbox
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

/// What the operator is started with: it may use what this manifest names, and nothing else.
fn dependencies(
    sandbox: &Sandbox,
    kubernetes: &Kubernetes,
    clock: Clock,
    factory: AwsFactory,
    documents: &Documents,
) -> Dependencies {
    let metrics = Metrics::default();
    let config = Config { inline_platforms: vec![preparation::grant(documents)], ..Config::default() };
    let budgets = Budgets::new(clock, metrics.clone(), config.concurrency);
    let jenkins = BoxCloneSyncService::new(sandbox.jenkins().map_err(Into::into));
    Dependencies {
        client: Client::new(kubernetes.service(), "default"),
        clock,
        config,
        clients: ClientFactory::new(factory, metrics.clone()).with_jenkins(jenkins).with_budgets(budgets),
        metrics,
        readiness: Readiness::default(),
        namespace: SYSTEM.to_owned(),
        instance: "rehearsal".to_owned(),
        chance: Arc::new(|| 0.0),
    }
}
