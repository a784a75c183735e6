//! A real API server, owned by the test that started it. Only one runs at a time in a program: two on two cores would
//! disturb each other's leases.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by the one that runs.
static RUNNING: Mutex<()> = Mutex::new(());

/// A real API server, stopped when this value goes.
pub struct Cluster {
    child: Child,
    /// Folder of kubectl, helm and the rest.
    pub bin: PathBuf,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// Where its data and logs are.
    pub dir: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Starts one with the project's CRDs, building the programs first if that was not done yet.
    pub fn start(name: &str) -> Self {
        // A test that failed has left nothing behind that the next one would meet.
        let alone = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let script = root().join("tests/cluster/cluster");
        let bin = Command::new(&script).arg("bin").output().expect("tests/cluster/cluster bin");
        assert!(
            bin.status.success(),
            "the cluster's programs could not be built: {}",
            String::from_utf8_lossy(&bin.stderr)
        );
        let bin = PathBuf::from(String::from_utf8(bin.stdout).unwrap().trim());
        let dir = std::env::temp_dir().join(format!("mlops-{name}-{}", std::process::id()));
        let mut child = Command::new(&script)
            .args(["run", "--rm"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/cluster/cluster run");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let kubeconfig =
            line.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("the cluster did not start: {line}"));
        let cluster = Self { child, bin, kubeconfig: PathBuf::from(kubeconfig), dir, _alone: alone };
        cluster.kubectl_ok(&["apply", "--server-side", "-f", root().join("crds").to_str().unwrap()]);
        cluster.established("crd/mlopsprojects.mlops-operator.io");
        cluster
    }

    /// Waits until the server serves a CRD. `kubectl wait` fails where there are no conditions yet, so it is asked again.
    fn established(&self, crd: &str) {
        let mut said = String::new();
        for _ in 0..60 {
            let (ok, _, stderr) = self.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", crd], "");
            if ok {
                return;
            }
            said = stderr;
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        panic!("{crd} is not served: {said}");
    }

    /// Runs kubectl as the administrator; gives (success, stdout, stderr).
    pub fn kubectl(&self, arguments: &[&str], stdin: &str) -> (bool, String, String) {
        let mut child = Command::new(self.bin.join("kubectl"))
            .env("KUBECONFIG", &self.kubeconfig)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl");
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    /// Runs kubectl, which must succeed; gives its stdout.
    pub fn kubectl_ok(&self, arguments: &[&str]) -> String {
        let (ok, stdout, stderr) = self.kubectl(arguments, "");
        assert!(ok, "kubectl {}: {stderr}", arguments.join(" "));
        stdout
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The cluster stops when its stdin closes.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
