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
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, CustomResourceExt};
use mlops_operator::adapters::aws::clients::{Aws, AwsFactory};
use mlops_operator::adapters::budget::Budgets;
use mlops_operator::clock::Clock;
use mlops_operator::config::Config;
use mlops_operator::controller::shard::Sharding;
use mlops_operator::controller::{self, ClientFactory, Dependencies};
use mlops_operator::crd::status::Placement;
use mlops_operator::crd::{MlopsPlatform, MlopsProject};
use mlops_operator::metrics::Metrics;
use mlops_operator::server::Readiness;
use mlops_sandbox::jenkins::User;
use mlops_sandbox::kubernetes::Kubernetes;
use mlops_sandbox::transport::http::Server;
use mlops_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::manifest::{Documents, SYSTEM, Target};
use crate::preparation::{self, Preparation};

mod ask;
mod furnish;

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
    /// Starts everything, and makes what the objects find when they come. Functions and builds run as processes unless
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
                "the platform's modelTrigger.jenkinsUrl is {url} here: the Lambda runs as a process, and reaches Jenkins there"
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
            jenkins_context: preparation.jenkins_context.clone(),
            authorization: format!("Basic {}", STANDARD.encode(format!("{user}:{token}"))),
            server,
            missing,
            stop,
            operator,
        };
        stage.namespace(&json!({"metadata": {"name": SYSTEM}}))?;
        stage.furnish(documents, preparation).await?;
        Ok(stage)
    }

    /// An object, if it exists.
    pub(crate) fn object(&self, target: &Target) -> Option<Value> {
        self.kubernetes.object(target.plural, &target.namespace, &target.name)
    }

    /// Creates an object; gives it as the API keeps it.
    ///
    /// # Errors
    /// What the API says where it refuses it.
    pub(crate) fn create(&self, target: &Target, manifest: &Value) -> Result<Value, String> {
        let created = self.kubernetes.create(target.plural, &target.namespace, manifest.clone());
        created.map_err(|refusal| refusal.to_string())
    }

    /// Changes a project by a JSON merge patch, as a user would.
    ///
    /// # Errors
    /// What the API says where it refuses it.
    pub(crate) async fn edit_project(&self, target: &Target, patch: &Value) -> Result<(), String> {
        let client = Client::new(self.kubernetes.service(), "default");
        let api: Api<DynamicObject> = Api::namespaced_with(client, &target.namespace, &MlopsProject::api_resource());
        let edited = api.patch(&target.name, &PatchParams::default(), &Patch::Merge(patch)).await;
        edited.map(drop).map_err(|error| error.to_string())
    }

    /// Asks for an object's deletion.
    ///
    /// # Errors
    /// What the API says where it refuses it.
    pub(crate) fn delete(&self, target: &Target) -> Result<(), String> {
        let deleted = self.kubernetes.delete(target.plural, &target.namespace, &target.name);
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

/// Where the platform says how the Lambda reaches Jenkins, if a trigger is wanted.
fn trigger(documents: &mut Documents) -> Option<&mut Value> {
    let own = documents.platform.is_none();
    if own && documents.projects[0].pointer("/spec/modelTrigger/enabled") == Some(&Value::Bool(false)) {
        return None;
    }
    let platform = documents.settings_mut()?;
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
    let config = Config { inline_platforms: preparation::grants(documents), ..Config::default() };
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
        sharding: Sharding::default(),
        chance: Arc::new(|| 0.0),
    }
}
