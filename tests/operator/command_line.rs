//! The commands that need neither cluster nor AWS, as people and scripts call them: what they print, write and end with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mlops_operator::config::NAMESPACE;
use mlops_operator::crd::generate;
use serde::Deserialize;

fn run(arguments: &[&str], kubeconfig: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-operator"));
    command.args(arguments).env("KUBECONFIG", kubeconfig).env_remove("POD_NAMESPACE").output().unwrap()
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
        for word in ["run", "crd", "lint-template", "completions", "watch-selector", "output-dir"] {
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
