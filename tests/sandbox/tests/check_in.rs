//! The seed code check-in as it is: the built-in project template, its function, its build and its Python, in a sandbox
//! of its own process, against Git repositories on disk, with the seed code of `examples/nyc-taxi`.
//!
//! Functions need boto3 and the build the AWS CLI: those of MLOPS_SANDBOX_PYTHON, or of the cache that `make tools` fills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const NAME: &str = "taxi-fares";
const ID: &str = "p-abc123";
const UUID: &str = "0f0e0d0c-1a2b-4c3d-8e9f-001122334455";
const GROUPS: [(&str, &str); 4] = [
    ("ModelPreprocess", "preprocess"),
    ("ModelBuild", "build"),
    ("ModelDeploy", "deploy"),
    ("ModelDeployEndpoint", "endpoint"),
];
/// What tools leave behind, and what is no part of a seed archive.
const LEFT_OUT: [&str; 5] = ["__pycache__", ".pytest_cache", "build", "dist", ".venv"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Files below a folder, by their names in an archive.
fn files(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if LEFT_OUT.contains(&name.as_str()) || name.ends_with(".pyc") || name.ends_with(".egg-info") {
            continue;
        }
        if path.is_dir() {
            files(&path, &format!("{prefix}{name}/"), found);
        } else {
            found.insert(format!("{prefix}{name}"), std::fs::read(&path).unwrap());
        }
    }
}

fn zipped(folder: &Path) -> (Vec<u8>, usize) {
    let mut found = BTreeMap::new();
    files(folder, "", &mut found);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in &found {
        writer.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    (writer.finish().unwrap().into_inner(), found.len())
}

/// A sandbox in a process of its own, with its folder.
struct Scene {
    process: Child,
    folder: PathBuf,
    aws: String,
    /// Seed archives by group: SHA-256 and number of files.
    seeds: BTreeMap<&'static str, (String, usize)>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The Python with boto3 and the AWS CLI beside it.
fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let pinned = std::env::var_os("MLOPS_SANDBOX_PYTHON").map(PathBuf::from);
    let python = pinned.unwrap_or_else(|| cache.join("mlops-operator/venv/bin/python"));
    assert!(python.exists(), "{} is not there: `make tools` installs it", python.display());
    python
}

impl Scene {
    async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("mlops-check-in-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (ready, settings) = (folder.join("ready.json"), folder.join("settings.json"));
        std::fs::write(&settings, r#"{"stack": 1, "lambdaRetry": 0.2}"#).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlops-sandbox"));
        command.args(["serve", "--until-stdin-closes", "--ready-file"]).arg(&ready).arg("--settings").arg(&settings);
        command.arg("--repositories").arg(folder.join("git")).env("MLOPS_SANDBOX_PYTHON", python());
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut scene = Self { process, folder, aws: String::new(), seeds: BTreeMap::new() };
        let end = Instant::now() + Duration::from_secs(60);
        while !ready.exists() {
            assert!(Instant::now() < end, "the sandbox does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let shown: Value = serde_json::from_str(&std::fs::read_to_string(&ready).unwrap()).unwrap();
        scene.aws = shown["aws"].as_str().unwrap().to_owned();
        scene.prepare().await;
        scene
    }

    /// A connection, and a bucket with the bootstrap and the four seed archives.
    async fn prepare(&mut self) {
        let arn = format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/{UUID}");
        self.control("connections", json!({"arn": arn})).await;
        let place = format!(
            "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        self.send("PUT", "/mlops", "s3", place).await;
        let (bootstrap, _) = zipped(&root().join("src/templates/check-in"));
        self.send("PUT", "/mlops/bootstrap.zip", "s3", bootstrap).await;
        for (group, folder) in GROUPS {
            let (archive, count) = zipped(&root().join("examples/nyc-taxi").join(folder));
            self.seeds.insert(group, (hex::encode(Sha256::digest(&archive)), count));
            self.send("PUT", &format!("/mlops/{folder}.zip"), "s3", archive).await;
        }
    }

    async fn send(&self, method: &str, path: &str, service: &str, body: impl Into<Bytes>) -> (u16, String) {
        let scope = format!("AWS4-HMAC-SHA256 Credential=AKIA1/20260105/{REGION}/{service}/aws4_request, Signature=0");
        let request = Request::builder().method(method).uri(format!("{}{path}", self.aws));
        let request =
            request.header("authorization", scope).header("content-type", "application/x-www-form-urlencoded");
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let response = client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&text).into_owned())
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        let (status, text) = self.send("POST", &format!("/_sandbox/{path}"), "s3", body.to_string()).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn repository(&self, group: &str, content: &str) {
        self.control("repositories", json!({"fullName": format!("team/{group}"), "content": content})).await;
    }

    /// A call to CloudFormation: the reply's XML.
    async fn ask(&self, action: &str, more: &[(String, String)]) -> (u16, String) {
        let own = [("Action", action), ("Version", "2010-05-15"), ("StackName", "s")];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pairs = own.iter().chain(more).map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        self.send("POST", "/", "cloudformation", pairs.collect::<Vec<_>>().join("&")).await
    }

    /// Creates the stack with seed code for all four repositories; gives how it ended.
    async fn create(&self) -> String {
        let template = std::fs::read_to_string(root().join("src/templates/jenkins-git-v1.yaml")).unwrap();
        self.send("PUT", "/mlops/template.yaml", "s3", template).await;
        let mut given = vec![
            ("SageMakerProjectName".to_owned(), NAME.to_owned()),
            ("SageMakerProjectId".to_owned(), ID.to_owned()),
            ("SeedCodeBootstrapBucket".to_owned(), "mlops".to_owned()),
            ("SeedCodeBootstrapKey".to_owned(), "bootstrap.zip".to_owned()),
        ];
        for (group, folder) in GROUPS {
            let values = [
                ("Url", format!("https://git.example/team/{group}.git")),
                ("Fullname", format!("team/{group}")),
                ("CodestarConnectionArn", format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/{UUID}")),
                ("IsSeedcodeRequired", "true".to_owned()),
                ("SeedCodeUrl", format!("s3://mlops/{folder}.zip")),
                ("SeedCodeSha256", self.seeds[group].0.clone()),
            ];
            given.extend(values.map(|(part, value)| (format!("{group}CodeRepository{part}"), value)));
        }
        let url = format!("https://mlops.s3.{REGION}.amazonaws.com/template.yaml");
        let mut more = vec![("TemplateURL".to_owned(), url)];
        for (at, (name, value)) in (1..).zip(given) {
            more.push((format!("Parameters.member.{at}.ParameterKey"), name));
            more.push((format!("Parameters.member.{at}.ParameterValue"), value));
        }
        let (status, text) = self.ask("CreateStack", &more).await;
        assert_eq!(status, 200, "{text}");
        self.settled().await
    }

    /// The stack's status once nothing goes on any more; `gone` where there is none.
    async fn settled(&self) -> String {
        let end = Instant::now() + Duration::from_secs(400);
        while Instant::now() < end {
            let (code, text) = self.ask("DescribeStacks", &[]).await;
            let status = if code == 200 { all(&text, "StackStatus").remove(0) } else { "gone".to_owned() };
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the stack does not settle: {}", self.builds().await)
    }

    async fn outputs(&self) -> BTreeMap<String, String> {
        let (_, text) = self.ask("DescribeStacks", &[]).await;
        all(&text, "OutputKey").into_iter().zip(all(&text, "OutputValue")).collect()
    }

    async fn builds(&self) -> String {
        self.send("GET", "/_sandbox/builds", "s3", "").await.1
    }

    /// What git says of a group's repository.
    fn git(&self, group: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.folder.join(format!("git/team/{group}.git"))).args(arguments);
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    }
}

/// The texts of all elements of a name.
fn all(xml: &str, name: &str) -> Vec<String> {
    let opening = format!("<{name}>");
    let texts = xml.split(&opening).skip(1).map(|rest| rest.split("</").next().unwrap_or_default());
    texts.map(|text| quick_xml::escape::unescape(text).unwrap().into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_repository_gets_its_code_once_with_everything_filled_in_and_keeps_it() {
    let scene = Scene::new("once").await;
    for (group, content) in [("ModelPreprocess", "empty"), ("ModelBuild", "readme"), ("ModelDeploy", "files")] {
        scene.repository(group, content).await;
    }
    assert_eq!(scene.create().await, "CREATE_COMPLETE", "{}", scene.builds().await);
    let outputs = scene.outputs().await;
    let result = |group: &str| outputs[&format!("{group}SeedCode")].clone();
    assert_eq!(result("ModelDeploy"), "left alone: main holds files of its own, such as setup.py");
    assert_eq!(scene.git("ModelDeploy", &["log", "--format=%s", "main"]), "Add the code");
    for (group, commits) in [("ModelPreprocess", 1), ("ModelBuild", 2), ("ModelDeployEndpoint", 1)] {
        let head = scene.git(group, &["rev-parse", "--short=7", "main"]);
        let said = result(group);
        let expected = format!("seeded main with {} files, commit {head}", scene.seeds[group].1);
        assert!(said.starts_with(&expected), "{said}, not {expected}");
        let log = scene.git(group, &["log", "--format=%an: %s", "main"]);
        assert_eq!(log.lines().count(), commits, "{log}");
        assert_eq!(log.lines().next().unwrap(), "MLOps seed code: Add the seed code of SageMaker project taxi-fares");
        assert_eq!(scene.git(group, &["grep", "-l", "@@@[A-Z_]*@@@", "main"]), "", "every placeholder is filled in");
        let job = scene.git(group, &["show", "main:jenkins/seed_job.groovy"]);
        assert!(job.contains(NAME) && job.contains(ID) && job.contains(&format!("sagemaker-project-{ID}")), "{job}");
    }
    let kept = "; kept its own README.md, the seed code's is README.seed-code.md";
    assert!(result("ModelBuild").ends_with(kept), "{}", result("ModelBuild"));
    assert_eq!(scene.git("ModelBuild", &["show", "main:README.md"]), "# team/ModelBuild");

    scene.ask("DeleteStack", &[]).await;
    assert_eq!(scene.settled().await, "gone");
    assert_eq!(scene.git("ModelPreprocess", &["log", "--format=%an", "main"]), "MLOps seed code", "the code stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_that_fails_fails_the_stack_with_a_sentence_and_the_next_attempt_finds_what_was_done() {
    let scene = Scene::new("again").await;
    scene.repository("ModelBuild", "missing").await;
    assert_eq!(scene.create().await, "ROLLBACK_COMPLETE");
    let (_, events) = scene.ask("DescribeStackEvents", &[]).await;
    let reasons = all(&events, "ResourceStatusReason").join("\n");
    assert!(
        reasons.contains("Message returned: there is no repository team/ModelBuild, or the connection"),
        "{reasons}"
    );
    scene.ask("DeleteStack", &[]).await;
    assert_eq!(scene.settled().await, "gone");

    scene.repository("ModelBuild", "empty").await;
    assert_eq!(scene.create().await, "CREATE_COMPLETE", "{}", scene.builds().await);
    for (group, _) in GROUPS {
        assert_eq!(scene.git(group, &["log", "--format=%an", "main"]), "MLOps seed code", "{group}");
    }
    assert!(scene.outputs().await["ModelBuildSeedCode"].starts_with("seeded main with "));
}
