//! The command line: builds the live world, starts controller and server, and stops them; nothing else.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::time::SharedTimeSource;
use clap::{CommandFactory, Parser, Subcommand};
use jiff::Zoned;
use kube::config::{KubeConfigOptions, Kubeconfig};
use mlops_operator::adapters::aws::clients::AwsFactory;
use mlops_operator::adapters::budget::Budgets;
use mlops_operator::cli::{crd, docs, lint_template};
use mlops_operator::clock::Clock;
use mlops_operator::config::{Config, Flags};
use mlops_operator::controller::shard::Sharding;
use mlops_operator::controller::startup::reachable;
use mlops_operator::controller::{self, ClientFactory, Dependencies};
use mlops_operator::leader_election::{Candidate, Leadership};
use mlops_operator::metrics::Metrics;
use mlops_operator::server::{self, Readiness};
use mlops_operator::telemetry;
use mlops_operator::telemetry::otlp::{Endpoint, Otlp};
use tokio::sync::watch;

/// How long reconciles may take to end once the operator is told to stop.
const DRAIN: Duration = Duration::from_secs(20);
/// How long a read of the Kubernetes API may be silent; watches are ended by the server after 290 s.
const KUBERNETES_READ_TIMEOUT: Duration = Duration::from_secs(330);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps MLOps projects in AWS and Jenkins as declared.
#[derive(Parser)]
#[command(name = "mlops-operator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the operator, with ordinary AWS credentials and kubeconfig, or in a cluster.
    Run(Box<Flags>),
    /// Prints the CustomResourceDefinitions, for `kubectl apply -f -`.
    Crd(crd::Flags),
    /// Prints the script by which a shell completes this command: `source <(mlops-operator completions bash)`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Writes the pages of the documentation that follow from the types: the API reference and a page for each reason.
    Docs(docs::Flags),
    /// Judges a project template of one's own as the operator and AWS would: exit code 1 on errors.
    LintTemplate(lint_template::Flags),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(flags) => run(*flags),
        Command::Crd(flags) => crd::run(&flags, &mut std::io::stdout().lock()),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "mlops-operator", &mut std::io::stdout().lock());
            Ok(())
        }
        Command::Docs(flags) => docs::run(&flags).map_err(Into::into),
        Command::LintTemplate(flags) => {
            let today = Zoned::now().date();
            return lint_template::run(&flags, today, &mut std::io::stdout().lock());
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mlops-operator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<(), AnyError> {
    let collector = Endpoint::parse(&flags.otlp_endpoint)?;
    let config = Config::read(flags.config.as_deref())?;
    // Two providers are in the tree, so that rustls cannot choose; a second call only means that one is set.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let connect = |collector: Endpoint| Otlp::connect(&collector, flags.instance.as_deref(), runtime.handle().clone());
    let otlp = collector.map(connect).transpose()?;
    telemetry::start(flags.log_format, std::env::var("RUST_LOG").ok().as_deref(), otlp.as_ref())?;
    let result = runtime.block_on(operate(flags, config));
    if let Some(otlp) = otlp {
        // The runtime is there still, which calls are made on.
        otlp.end();
    }
    result
}

async fn operate(flags: Flags, config: Config) -> Result<(), AnyError> {
    let (stop, stopping) = watch::channel(false);
    let (metrics, readiness) = (Metrics::default(), Readiness::default());
    metrics.tell_of_each_object(!flags.no_object_metrics);
    let listener = server::listen(SocketAddr::new(flags.health_address, flags.health_port)).await?;
    tracing::info!(address = %listener.local_addr()?, "answers /healthz, /readyz and /metrics");
    let served = tokio::spawn(server::serve(listener, metrics.clone(), readiness.clone(), until(stopping.clone())));
    let signals = stop.clone();
    tokio::spawn(async move {
        terminated().await;
        tracing::info!("stops: passes end after their current call");
        signals.send_replace(true);
    });
    let kubernetes = kubernetes(flags.context.clone()).await?;
    let server = kubernetes.cluster_url.to_string();
    let dependencies = dependencies(&flags, config, kubernetes.clone(), metrics, readiness).await?;
    let result = tokio::select! {
        () = reachable(&dependencies.client, &server, &dependencies.readiness) => {
            lead(&flags, kubernetes, dependencies, &stop).await
        }
        () = until(stopping) => Ok(()),
    };
    stop.send_replace(true);
    served.await??;
    result
}

/// Works as the one leader, or without a Lease where that is asked for.
async fn lead(
    flags: &Flags,
    kubernetes: kube::Config,
    mut dependencies: Dependencies,
    stop: &watch::Sender<bool>,
) -> Result<(), AnyError> {
    let mut told = stop.subscribe();
    let metrics = dependencies.metrics.clone();
    if flags.no_leader_election {
        return drained(controller::run(dependencies, stop.subscribe()), stop).await;
    }
    let candidate = Candidate {
        namespace: flags.namespace.clone(),
        instance: dependencies.instance.clone(),
        selector: flags.watch_selector.clone(),
        times: dependencies.config.leader_election,
    };
    let lease = candidate.selector.lease();
    let mut leadership = Leadership::seek(move || kube::Client::try_from(kubernetes), candidate).await?;
    dependencies.sharding.others = leadership.others();
    dependencies.readiness.ready();
    tracing::info!(namespace = flags.namespace, lease, selector = %flags.watch_selector, "waits for the Lease");
    tokio::select! {
        () = leadership.gained() => tracing::info!("leads"),
        _ = told.wait_for(|stop| *stop) => {
            // The Lease may have been taken just now.
            leadership.release().await;
            return Ok(());
        }
    }
    let mut working = tokio::spawn({
        let (stop, dependencies) = (stop.clone(), dependencies);
        async move { drained(controller::run(dependencies, stop.subscribe()), &stop).await }
    });
    tokio::select! {
        result = &mut working => {
            leadership.release().await;
            result?
        }
        () = leadership.lost() => {
            metrics.leads(false);
            stop.send_replace(true);
            let _ = working.await;
            Err("the Lease was lost to another replica".into())
        }
    }
}

/// Lets the work end by itself; once told to stop, only for so long.
async fn drained(work: impl Future<Output = ()>, stop: &watch::Sender<bool>) -> Result<(), AnyError> {
    let late = async {
        until(stop.subscribe()).await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        () = work => Ok(()),
        () = late => Err(format!("not all passes ended within {} s", DRAIN.as_secs()).into()),
    }
}

/// How the Kubernetes API is reached: as a context of the kubeconfig says, or as a cluster or the kubeconfig has it by default.
async fn kubernetes(context: Option<String>) -> Result<kube::Config, AnyError> {
    let mut kubernetes = match &context {
        None => kube::Config::infer().await?,
        Some(name) => {
            let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
            let found = kube::Config::from_kubeconfig(&options).await;
            found.map_err(|error| format!("the context {name} of the kubeconfig cannot be used: {error}"))?
        }
    };
    if has_proxy(context.as_deref()) {
        return Err("the kubeconfig names a proxy for this cluster (proxy-url), and the operator uses none for the Kubernetes API: run it where the API server can be reached without one".into());
    }
    kubernetes.default_retry = false;
    kubernetes.read_timeout = Some(KUBERNETES_READ_TIMEOUT);
    // A proxy taken from the environment would be used for the API server whatever NO_PROXY says.
    kubernetes.proxy_url = None;
    Ok(kubernetes)
}

/// Whether the kubeconfig names a proxy for the cluster of that context, or of the current one.
fn has_proxy(context: Option<&str>) -> bool {
    let proxy = || {
        let file = Kubeconfig::read().ok()?;
        let name = context.or(file.current_context.as_deref())?;
        let context = file.contexts.iter().find(|context| context.name == name)?.context.as_ref()?;
        file.clusters.iter().find(|cluster| cluster.name == context.cluster)?.cluster.as_ref()?.proxy_url.clone()
    };
    proxy().is_some()
}

/// What the operator is started with.
async fn dependencies(
    flags: &Flags,
    config: Config,
    kubernetes: kube::Config,
    metrics: Metrics,
    readiness: Readiness,
) -> Result<Dependencies, AnyError> {
    let clock = Clock::wall();
    let client = kube::Client::try_from(kubernetes)?;
    let aws = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .time_source(SharedTimeSource::new(clock))
        .load()
        .await;
    let instance = flags.instance.clone().unwrap_or_else(|| format!("mlops-operator-{:08x}", rand::random::<u32>()));
    let budgets = Budgets::new(clock, metrics.clone(), config.concurrency);
    Ok(Dependencies {
        client,
        clock,
        config,
        clients: ClientFactory::new(AwsFactory::new(aws), metrics.clone()).with_budgets(budgets),
        metrics,
        readiness,
        namespace: flags.namespace.clone(),
        instance,
        sharding: Sharding { selector: flags.watch_selector.clone(), ..Sharding::default() },
        chance: Arc::new(rand::random::<f64>),
    })
}

async fn until(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the process.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for SIGTERM or SIGINT.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        // Without handlers the signals end the process by themselves.
        _ => std::future::pending().await,
    }
}
