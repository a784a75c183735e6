//! The commands that need neither cluster nor AWS, as people and scripts call them: what they print, write and end with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mlops_operator::config::NAMESPACE;
use mlops_operator::crd::generate;
use serde::Deserialize;

use crate::harness::collector::{Answers, Collector};

fn run(arguments: &[&str], kubeconfig: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-operator"));
    command.args(arguments).env("KUBECONFIG", kubeconfig).env_remove("POD_NAMESPACE");
    command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder of this test alone, which is empty at first.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mlops-operator-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn crd_prints_all_definitions_as_one_stream_and_writes_nothing() {
    let output = run(&["crd"], Path::new("/nowhere"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let names: Vec<String> = serde_yaml::Deserializer::from_str(&printed)
        .map(|document| serde_json::Value::deserialize(document).unwrap()["metadata"]["name"].as_str().unwrap().into())
        .collect();
    assert_eq!(names, ["mlopsplatforms.mlops-operator.io", "mlopsprojects.mlops-operator.io"]);
}

#[test]
fn crd_writes_files_to_folders_and_tells_which_of_them_differ() {
    let folder = folder("crd");
    let (one, two) = (folder.join("one"), folder.join("two"));
    let folders = ["--output-dir", one.to_str().unwrap(), "--output-dir", two.to_str().unwrap()];
    let nowhere = Path::new("/nowhere");
    let crd = |more: &[&str]| run(&[&["crd"], &folders[..], more].concat(), nowhere);
    assert!(!crd(&["--check"]).status.success(), "what is not there differs");
    assert_eq!(text(&crd(&[]).stdout).lines().count(), 4, "each file is named");
    for (name, wanted) in generate::files().unwrap() {
        assert_eq!(std::fs::read_to_string(two.join(name)).unwrap(), wanted);
    }
    assert!(crd(&["--check"]).status.success());
    let changed = two.join(generate::files().unwrap()[1].0);
    std::fs::write(&changed, "kind: Other\n").unwrap();
    let refused = crd(&["--check"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains(changed.to_str().unwrap()), "{}", text(&refused.stderr));
    assert!(!run(&["crd", "--check"], nowhere).status.success(), "there is nothing to compare with");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands_and_their_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&run(&["completions", shell], Path::new("/nowhere")).stdout);
        for word in ["run", "crd", "lint-template", "completions", "watch-selector", "otlp-endpoint", "output-dir"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    assert_eq!(run(&["completions", "csh"], Path::new("/nowhere")).status.code(), Some(2));
}

/// Two contexts, of which one says what the other one does not. Both lead to an API server that nobody runs: which of them
/// counts shows in the address that the operator waits for.
#[test]
fn run_works_with_the_context_that_it_is_given_and_refuses_one_that_there_is_not() {
    let folder = folder("context");
    let kubeconfig = folder.join("kubeconfig");
    let cluster =
        |name: &str, port: u16| format!("- {{name: {name}, cluster: {{server: 'http://127.0.0.1:{port}'}}}}\n");
    let context = |name: &str| format!("- {{name: {name}, context: {{cluster: {name}, user: nobody}}}}\n");
    let written = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: blue\nusers: [{{name: nobody, user: {{}}}}]\nclusters:\n{}{}contexts:\n{}{}",
        cluster("blue", 1),
        cluster("green", 2),
        context("blue"),
        context("green"),
    );
    std::fs::write(&kubeconfig, written).unwrap();
    let refused = run(&["run", "--health-port", "0", "--context", "red"], &kubeconfig);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("the context red"), "{}", text(&refused.stderr));
    for (context, address) in [(None, "http://127.0.0.1:1/"), (Some("green"), "http://127.0.0.1:2/")] {
        let health = waits_for(&kubeconfig, context);
        assert!(health.contains(address), "{context:?}: {health}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn run_refuses_a_kubeconfig_whose_proxy_it_would_not_use() {
    let folder = folder("proxy");
    let kubeconfig = folder.join("kubeconfig");
    let written = "apiVersion: v1\nkind: Config\ncurrent-context: a\nusers: [{name: a, user: {}}]\nclusters: [{name: a, cluster: \
                   {server: 'http://127.0.0.1:1', proxy-url: 'http://me:hidden@127.0.0.1:2'}}]\ncontexts: [{name: a, context: \
                   {cluster: a, user: a}}]\n";
    std::fs::write(&kubeconfig, written).unwrap();
    for arguments in [&["run", "--health-port", "0"][..], &["run", "--health-port", "0", "--context", "a"]] {
        let refused = run(arguments, &kubeconfig);
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains("proxy-url") && !said.contains("hidden"), "{said}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn run_refuses_a_choice_of_log_lines_that_it_cannot_read() {
    let rows = [
        ("mlops_operator=debg", "mlops_operator=debg"),
        ("inf", "\"inf\" is no level"),
        ("warn,mlops_operator", "\"mlops_operator\" is no level"),
    ];
    for (given, wrong) in rows {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-operator"));
        command.args(["run", "--health-port", "0"]).env("KUBECONFIG", "/nowhere").env("RUST_LOG", given);
        let refused = command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").output().unwrap();
        let said = text(&refused.stderr);
        assert!(!refused.status.success(), "{given} is taken");
        assert!(said.contains("RUST_LOG (the chart's logLevel) is ") && said.contains(wrong), "{said}");
        assert!(said.contains("TARGET=LEVEL"), "{said}");
    }
}

/// What `/readyz` of an operator says that waits for its API server.
fn waits_for(kubeconfig: &Path, context: Option<&str>) -> String {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-operator"));
    command.args(["run", "--health-address", "127.0.0.1", "--health-port", &port.to_string()]);
    command.args(context.into_iter().flat_map(|name| ["--context", name]));
    command.env("KUBECONFIG", kubeconfig).env("RUST_LOG", "off").env_remove("KUBERNETES_SERVICE_HOST");
    let mut child = command.spawn().unwrap();
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains("http://127.0.0.1").then_some(answer)
    };
    let mut answer = None;
    for _ in 0..200 {
        answer = ask();
        if answer.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    answer.expect("it says nowhere what it waits for")
}

#[test]
fn run_refuses_a_collector_that_is_no_url_of_http_and_says_what_one_is() {
    let rows = [
        ("collector:4318", "\"collector:4318\", which is neither http nor https"),
        ("grpc://collector:4317", "\"grpc://collector:4317\", which is neither http nor https"),
        ("http://", "\"http://\", which is no URL"),
        ("http://collector:4318?token=hidden", "\"http://collector:4318…\", which has a query or a fragment"),
        ("https://me:hidden@collector", "\"https://…@collector\", which has credentials"),
    ];
    for (given, wrong) in rows {
        let refused = run(&["run", "--health-port", "0", "--otlp-endpoint", given], Path::new("/nowhere"));
        let said = text(&refused.stderr);
        assert!(!refused.status.success(), "{given} is taken");
        assert!(said.contains("--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is ") && said.contains(wrong), "{said}");
        assert!(said.contains("it must be the http or https URL of a collector") && !said.contains("hidden"), "{said}");
    }
}

/// The operator waits for an API server that nobody runs, and is told to stop: what it has said until then is sent.
#[test]
fn what_was_not_sent_yet_is_sent_at_the_end_and_nobody_is_waited_for() {
    let folder = folder("collector");
    let kubeconfig = folder.join("kubeconfig");
    let written = "apiVersion: v1\nkind: Config\ncurrent-context: a\nusers: [{name: a, user: {}}]\nclusters: [{name: a, cluster: \
                   {server: 'http://127.0.0.1:1'}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n";
    std::fs::write(&kubeconfig, written).unwrap();
    for answers in [Answers::Takes, Answers::Status(503), Answers::Hangs] {
        let collector = Collector::start(answers);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-operator"));
        command.args(["run", "--health-address", "127.0.0.1", "--health-port", "0"]);
        command.env("KUBECONFIG", &kubeconfig).env_remove("KUBERNETES_SERVICE_HOST").env_remove("RUST_LOG");
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("{}/otlp/", collector.url));
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc");
        command.env("OTEL_SERVICE_NAME", "mlops").env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
        let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        collector.until("sent", |collector| !collector.calls().is_empty());
        if answers == Answers::Hangs {
            // Until the call is given up.
            std::thread::sleep(std::time::Duration::from_secs(6));
        }
        let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(told.success());
        let began = std::time::Instant::now();
        let ended = child.wait_with_output().unwrap();
        let log = text(&ended.stderr);
        assert!(ended.status.success(), "{answers:?}: {log}");
        let said = log.lines().filter(|line| line.contains("takes no traces and logs")).count();
        assert_eq!(said, usize::from(answers != Answers::Takes), "{answers:?}: {log}");
        assert!(began.elapsed() < std::time::Duration::from_secs(8), "{answers:?}: {:?}", began.elapsed());
        let (path, headers) = collector.calls().remove(0);
        assert_eq!((path.as_str(), headers["authorization"].to_str().unwrap()), ("/otlp/v1/logs", "Bearer abc"));
        assert_eq!(headers["content-type"], "application/x-protobuf");
        let resource = collector.resources().remove(0);
        assert_eq!(
            (resource["service.name"].as_str(), resource["deployment.environment.name"].as_str()),
            ("mlops", "test")
        );
        let stops = |collector: &Collector| collector.records().iter().any(|one| one.text.starts_with("stops:"));
        assert!(answers != Answers::Takes || stops(&collector), "{:?}", collector.records());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// The namespace that the operator takes for its own without a word is that of the documents, the role in AWS and the demo.
#[test]
fn there_is_one_default_namespace() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in
        ["docs/setup.md", "docs/running.md", "docs/platforms.md", "README.md", "examples/aws/operator-role.yaml"]
    {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains(NAMESPACE), "{file} does not name {NAMESPACE}");
        let other = ["--namespace ", "-n ", "create namespace "].map(|flag| format!("{flag}mlops-operator"));
        let wrong =
            other.iter().find(|words| text.lines().any(|line| line.split('`').any(|part| part.contains(*words))));
        assert!(wrong.is_none(), "{file} says {wrong:?}");
    }
    let help = text(&run(&["run", "--help"], Path::new("/nowhere")).stdout);
    assert!(help.contains(&format!("[default: {NAMESPACE}]")), "{help}");
}
