//! A Lease is no fence: where it is handed over late, two operators work at once. Here two processes do, in real time,
//! on one API server and one sandbox over HTTP, while the user creates, edits and deletes. Nothing is made twice, the
//! status does not go to and fro, the deletion is not lost; nor can a secret be read of either process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::harness::cluster::Cluster;
use futures::StreamExt;
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, ResourceExt};
use mlops_operator::crd::MlopsProject;
use mlops_sandbox::jenkins::Jenkins;
use mlops_sandbox::transport::http::Server;
use mlops_sandbox::{Clock, Sandbox, Settings};
use serde_json::{Value, json};

const NAMESPACE: &str = "ml-team";
const NAME: &str = "taxi-fares";
/// AWS's secret key, and the token of Jenkins.
const CANARIES: [&str; 2] = ["0badc0de/0badc0de+0badc0de=0badc0de", "11c0ffee11c0ffee11c0ffee11c0ffee11"];
/// How long something may take; a machine that is busy is slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// For how long both have worked at once in the end, at least.
const BOTH: Duration = Duration::from_secs(10);

/// A process of its own that believes that it leads.
struct Operator {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Operator {
    fn start(name: &str, cluster: &Cluster, aws: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (log, config) = (cluster.dir.join(format!("{name}.log")), cluster.dir.join(format!("{name}.yaml")));
        let platform = json!({
            "namespaces": [NAMESPACE], "operatorIdentity": true, "accounts": ["*"], "regions": ["*"], "roles": ["*"],
            "connections": ["*"], "repositories": ["*"], "jenkinsUrls": ["http://127.0.0.1:*"],
            "jenkinsFolders": ["*"], "jenkinsCredentials": ["*"],
        });
        std::fs::write(&config, json!({"inlinePlatforms": [platform]}).to_string()).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mlops-operator"))
            .args(["run", "--no-leader-election", "--instance", name, "--health-address", "127.0.0.1"])
            .args(["--health-port", &port.to_string(), "--config", config.to_str().unwrap()])
            .env("KUBECONFIG", &cluster.kubeconfig)
            .env("AWS_ENDPOINT_URL", aws)
            .env("AWS_ACCESS_KEY_ID", "canary")
            .env("AWS_SECRET_ACCESS_KEY", CANARIES[0])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(std::fs::File::options().append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let operator = Self { child, port, log };
        let begun = Instant::now();
        while !operator.get("/readyz").starts_with("HTTP/1.1 200") {
            assert!(begun.elapsed() < PATIENCE, "{name} is not ready: {}", operator.logged());
            std::thread::sleep(Duration::from_millis(20));
        }
        operator
    }

    fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = write!(stream, "GET {path} HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n");
            let _ = stream.read_to_string(&mut answer);
        }
        answer
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What others on the machine, or with access to its port and log, may read of it.
    fn readable(&self) -> [(&'static str, String); 3] {
        let arguments = std::fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap();
        [
            ("argv", String::from_utf8_lossy(&arguments).into_owned()),
            ("log", self.logged()),
            ("metrics", self.get("/metrics")),
        ]
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()).unwrap()
}

/// `Ready`, where it speaks of the present generation.
fn ready(object: &DynamicObject) -> Option<bool> {
    let status = &object.data["status"];
    let current = status["observedGeneration"].as_i64() == object.metadata.generation;
    let conditions = status["conditions"].as_array().filter(|_| current)?;
    conditions.iter().find(|condition| condition["type"] == "Ready").map(|ready| ready["status"] == "True")
}

/// Every state of the object that a watch tells of, from now on.
async fn history(projects: &Api<DynamicObject>) -> Arc<Mutex<Vec<DynamicObject>>> {
    let told: Arc<Mutex<Vec<DynamicObject>>> = Arc::default();
    let mut stream = projects.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    tokio::spawn({
        let told = told.clone();
        async move {
            while let Some(Ok(event)) = stream.next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event {
                    told.lock().unwrap().push(object);
                }
            }
        }
    });
    told
}

/// What exists, without the moment.
fn dump(sandbox: &Sandbox) -> Value {
    let mut dump = sandbox.world(|world| world.dump());
    dump.as_object_mut().unwrap().remove("now");
    dump
}

/// How often a portfolio was asked for: twice where both came upon the same gap.
fn portfolios(sandbox: &Sandbox) -> usize {
    sandbox.calls().iter().filter(|call| *call == "servicecatalog CreatePortfolio").count()
}

/// The example, with the sandbox's Jenkins, without seed code (commits and builds stay when a project goes), and so that nothing
/// else stays.
fn manifest(jenkins: &str) -> DynamicObject {
    let text = std::fs::read_to_string(crate::harness::cluster::root().join("examples/quickstart.yaml")).unwrap();
    let mut object: DynamicObject = serde_yaml::from_str(&text).unwrap();
    let server = &mut object.data["spec"]["platform"]["jenkins"];
    server["url"] = json!(jenkins);
    server["allowPlainHttp"] = json!(true);
    server["folderPolicy"] = json!("Delete");
    object.data["spec"]["dataPolicy"] = json!("Delete");
    for repository in ["preprocess", "build", "deploy"] {
        object.data["spec"]["repositories"][repository]["seedCode"] = json!({"source": "None"});
    }
    object
}

async fn until(what: &str, projects: &Api<DynamicObject>, holds: impl Fn(Option<&DynamicObject>) -> bool) {
    let begun = Instant::now();
    loop {
        let object = projects.get_opt(NAME).await.unwrap();
        if holds(object.as_ref()) {
            return;
        }
        let status = object.map(|object| object.data["status"].clone()).unwrap_or_default();
        assert!(begun.elapsed() < PATIENCE, "not {what}: {}", serde_json::to_string_pretty(&status).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_ready(object: Option<&DynamicObject>) -> bool {
    object.is_some_and(|object| ready(object) == Some(true))
}

/// Once Ready in a generation, it stays so.
fn to_and_fro(told: &[DynamicObject]) -> Vec<String> {
    let mut was_ready = std::collections::BTreeSet::new();
    let mut turned = Vec::new();
    for object in told {
        let generation = object.metadata.generation;
        if ready(object) == Some(true) {
            was_ready.insert(generation);
        } else if was_ready.contains(&generation) {
            turned.push(format!("generation {generation:?}: {}", object.data["status"]["conditions"]));
        }
    }
    turned
}

/// A sandbox over HTTP whose AWS takes a second or two for what takes it minutes.
async fn sandbox() -> (Sandbox, Server) {
    let [project, stack] = [2000, 1000].map(Duration::from_millis);
    let settings = Settings {
        project,
        stack,
        catalog: Duration::from_millis(300),
        list_lag: Duration::from_millis(500),
        ..Settings::default()
    };
    let sandbox = Sandbox::with_clock(settings, Clock::wall());
    sandbox.world(|world| {
        let connections = &mut world.region("111122223333", "us-east-1").connections;
        connections.add("111122223333", "us-east-1", "0f0e0d0c-1a2b-4c3d-8e9f-001122334455", "git", "AVAILABLE");
        let user = Jenkins::credentials().0;
        CANARIES[1].clone_into(&mut world.jenkins.users.get_mut(&user).unwrap().token);
    });
    let server = Server::start(&sandbox, 0, 0).await.unwrap();
    (sandbox, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_at_once_make_nothing_twice_and_lose_no_deletion() {
    let cluster = Cluster::start("two-leaders");
    let (sandbox, server) = sandbox().await;
    let before = dump(&sandbox);
    for name in [NAMESPACE, "mlops-system"] {
        cluster.kubectl_ok(&["create", "namespace", name]);
    }
    let (user, token) = (format!("--from-literal=username={}", Jenkins::credentials().0), CANARIES[1]);
    let token = format!("--from-literal=token={token}");
    cluster.kubectl_ok(&["-n", NAMESPACE, "create", "secret", "generic", "jenkins", &user, &token]);
    let resource = ApiResource::erase::<MlopsProject>(&());
    let projects: Api<DynamicObject> = Api::namespaced_with(client(&cluster.kubeconfig).await, NAMESPACE, &resource);
    let told = history(&projects).await;

    let operators = ["first", "second"].map(|name| Operator::start(name, &cluster, &server.aws_url));
    let begun = Instant::now();
    projects.create(&Default::default(), &manifest(&server.jenkins_url)).await.unwrap();
    until("Ready", &projects, is_ready).await;
    println!("Ready after {:?}; calls to create the portfolio: {}", begun.elapsed(), portfolios(&sandbox));
    nothing_twice(&dump(&sandbox));

    // Both have something to do at once.
    let edit = json!({"spec": {"description": "edited", "repositories": {"build": {"branch": "release"}}}});
    projects.patch(NAME, &PatchParams::default(), &Patch::Merge(&edit)).await.unwrap();
    until("Ready again", &projects, is_ready).await;
    tokio::time::sleep(BOTH.saturating_sub(begun.elapsed()).max(Duration::from_secs(2))).await;
    let version = projects.get(NAME).await.unwrap().resource_version();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(projects.get(NAME).await.unwrap().resource_version(), version, "two write by turns");
    nothing_twice(&dump(&sandbox));

    projects.delete(NAME, &Default::default()).await.unwrap();
    until("gone", &projects, |object| object.is_none()).await;
    // Whatever the other was about to do, it has done by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(dump(&sandbox), before, "something is left, or made anew");
    assert_eq!(to_and_fro(&told.lock().unwrap()), [] as [String; 0]);
    println!("both worked for {:?}; {} states of the object", begun.elapsed(), told.lock().unwrap().len());
    unreadable(&cluster, &operators);
    drop(operators);
    server.stop().await;
}

/// One of each, by its collection in a region of the dump; a project's stack and the trigger's.
const ONE_OF_EACH: &[(&str, usize)] = &[
    ("servicecatalog/portfolios", 1),
    ("servicecatalog/products", 1),
    ("servicecatalog/artifacts", 1),
    ("servicecatalog/associations", 1),
    ("servicecatalog/constraints", 1),
    ("servicecatalog/principals", 1),
    ("servicecatalog/provisionedProducts", 1),
    ("sagemaker/projects", 1),
    ("sagemaker/modelPackageGroups", 1),
    ("cloudformation/stacks", 2),
];

fn nothing_twice(world: &Value) {
    let region = &world["regions"]["111122223333/us-east-1"];
    for (path, count) in ONE_OF_EACH {
        let things = region.pointer(&format!("/{path}")).unwrap_or_else(|| panic!("{path}: {region}"));
        let found = things.as_array().map_or_else(|| things.as_object().map_or(0, serde_json::Map::len), Vec::len);
        assert_eq!(found, *count, "{path}: {things}");
    }
    assert_eq!(world["s3"].as_object().unwrap().len(), 2, "the artifact bucket and the project's");
}

/// No canary stands where somebody may read.
fn unreadable(cluster: &Cluster, operators: &[Operator]) {
    let forms = crate::harness::canary::forms(&CANARIES);
    let found = |text: &str| forms.iter().any(|form| text.contains(form));
    let events = cluster.kubectl_ok(&["get", "events.events.k8s.io", "--all-namespaces", "-o", "json"]);
    assert!(events.contains(NAME), "there are events: {events}");
    assert!(!found(&events), "events");
    for operator in operators {
        for (place, text) in operator.readable() {
            assert!(!text.is_empty(), "{place} can be read");
            assert!(!found(&text), "{place}");
        }
        assert!(operator.logged().contains("DEBUG"), "logged at the finest level: {}", operator.logged());
    }
}
