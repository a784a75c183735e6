//! The sandbox's process: it says where it is, takes its settings from a file, and goes when its parent does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mlops-sandbox-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-sandbox"));
    command.arg("serve").args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn ready(file: &Path) -> Value {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if let Ok(text) = std::fs::read_to_string(file) {
            return serde_json::from_str(&text).expect("the ready file is never seen half written");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no ready file after 20 seconds");
}

fn get(base: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn it_serves_both_ports_and_goes_with_its_parent() {
    let folder = Folder::new("serve");
    let (file, settings) = (folder.0.join("ready.json"), folder.0.join("settings.yaml"));
    std::fs::write(&settings, "account: '444455556666'\nstack: 0.25\n").unwrap();
    let (file_text, settings_text) = (file.to_str().unwrap(), settings.to_str().unwrap());
    let mut child = start(&["--ready-file", file_text, "--settings", settings_text, "--until-stdin-closes"]);
    let shown = ready(&file);
    assert_eq!(shown["pid"], child.id());
    let text = |member: &str| shown[member].as_str().unwrap();
    assert!(!text("jenkinsUser").is_empty() && !text("jenkinsToken").is_empty());
    for base in [text("aws"), text("jenkins")] {
        let reply = get(base, "/_sandbox/settings");
        assert!(reply.contains("\"account\": \"444455556666\"") && reply.contains("\"stack\": 0.25"), "{reply}");
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(!file.exists(), "the ready file goes with the sandbox");
}

#[test]
fn settings_that_it_does_not_know_are_refused_with_a_sentence() {
    let folder = Folder::new("settings");
    let settings = folder.0.join("settings.yaml");
    std::fs::write(&settings, "stak: 1\n").unwrap();
    let output = start(&["--settings", settings.to_str().unwrap()]).wait_with_output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("settings.yaml") && said.contains("stak"), "{said}");
}
