//! Builds that really run, behind the HTTP transport: what their commands find, how they end, and what is left of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Cursor, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::http::Server;
use crate::aws::codebuild::{Build, Status};
use crate::aws::dispatch::administrator;
use crate::aws::{Call, codebuild, s3};
use crate::repositories::Content;
use crate::{Clock, Sandbox, Settings};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const USE_ROLE: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole";
const UUID: &str = "0f0e0d0c-1a2b-4c3d-8e9f-001122334455";

struct Scene {
    sandbox: Sandbox,
    server: Server,
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

impl Scene {
    /// A project whose source has this buildspec and one more file.
    async fn new(buildspec: &str) -> Self {
        let sandbox = Sandbox::with_clock(Settings::default(), Clock::wall());
        let server = Server::start(&sandbox, 0, 0).await.unwrap();
        let source = archive(&[("buildspec.yml", buildspec), ("word.txt", "hello\n")]);
        sandbox.world(|world| {
            let caller = administrator(ACCOUNT);
            let place = format!(
                "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
            );
            for (path, body) in [("/bucket", Bytes::from(place)), ("/bucket/source.zip", Bytes::from(source))] {
                let request = Request::put(path).body(body).unwrap();
                assert_eq!(s3::handle(world, &caller, REGION, &request).status(), 200, "{path}");
            }
            world.region(ACCOUNT, REGION).connections.add(ACCOUNT, REGION, UUID, "git", "AVAILABLE");
        });
        let scene = Self { sandbox, server };
        scene.ask(
            "CreateProject",
            json!({
                "name": "project", "serviceRole": USE_ROLE, "artifacts": {"type": "NO_ARTIFACTS"},
                "source": {"type": "S3", "location": "bucket/source.zip"},
                "environment": {
                    "type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL",
                    "environmentVariables": [{"name": "STAGE", "value": "test"}],
                },
            }),
        );
        scene
    }

    fn ask(&self, operation: &str, input: Value) -> Value {
        self.sandbox.world(|world| {
            let caller = administrator(ACCOUNT);
            codebuild::call(world, &Call { operation, input: &input, caller: &caller, region: REGION }).unwrap()
        })
    }

    fn start(&self) -> String {
        let variables = json!([{"name": "REPOSITORY_FULL_NAME", "value": "team/churn"}]);
        let input = json!({"projectName": "project", "environmentVariablesOverride": variables});
        self.ask("StartBuild", input)["build"]["id"].as_str().unwrap().to_owned()
    }

    fn build(&self, id: &str) -> Build {
        self.sandbox.world(|world| world.region(ACCOUNT, REGION).codebuild.build_mut(id).unwrap().clone())
    }

    async fn until(&self, id: &str, wanted: impl Fn(&Build) -> bool) -> Build {
        let end = Instant::now() + Duration::from_secs(90);
        while Instant::now() < end {
            let build = self.build(id);
            if wanted(&build) {
                return build;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the build does not come to it: {:?}", self.build(id))
    }

    async fn run(&self) -> Build {
        let id = self.start();
        self.until(&id, Build::over).await
    }

    /// `PHASE STATUS` of every phase that is over.
    fn phases(&self, build: &Build) -> Vec<String> {
        let shown = self.ask("BatchGetBuilds", json!({"ids": [build.id]}))["builds"][0].clone();
        let phases = shown["phases"].as_array().unwrap().iter().filter(|phase| phase["phaseStatus"].is_string());
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        phases.map(|phase| format!("{} {}", word(&phase["phaseType"]), word(&phase["phaseStatus"]))).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_share_variables_and_folder_and_find_aws_as_the_builds_role() {
    let scene = Scene::new(
        "version: 0.2\nenv:\n  shell: bash\n  variables: {GREETING: hi, STAGE: buildspec}\nphases:\n  \
         install:\n    commands:\n      - export LATER=yes && cd /tmp\n  \
         build:\n    commands:\n      \
         - 'echo \"$LATER $PWD $GREETING $STAGE $(cat \"$CODEBUILD_SRC_DIR/word.txt\")\"'\n      \
         - 'echo \"${CODEBUILD_BUILD_ID%%:*} $AWS_REGION ${AWS_ACCESS_KEY_ID:0:4} succeeding=$CODEBUILD_BUILD_SUCCEEDING\"'\n      \
         - 'case $AWS_ENDPOINT_URL in http://127.0.0.1:*) echo sandbox;; esac'\n",
    )
    .await;
    let build = scene.run().await;
    assert_eq!(build.status, Status::Succeeded, "{}", build.log);
    assert!(build.log.contains("yes /tmp hi test hello"), "the project's own variables win: {}", build.log);
    assert!(build.log.contains("project eu-west-1 ASIA succeeding=1"), "{}", build.log);
    assert!(build.log.contains("\nsandbox\n"), "{}", build.log);
    let phases = scene.phases(&build);
    assert_eq!(
        phases[..4],
        ["SUBMITTED SUCCEEDED", "QUEUED SUCCEEDED", "PROVISIONING SUCCEEDED", "DOWNLOAD_SOURCE SUCCEEDED"]
    );
    assert_eq!(
        phases[4..],
        ["INSTALL SUCCEEDED", "PRE_BUILD SUCCEEDED", "BUILD SUCCEEDED", "POST_BUILD SUCCEEDED", "FINALIZING SUCCEEDED"]
    );
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_command_ends_its_phase_but_not_what_is_to_be_done_in_any_case() {
    let rows = [
        ("build", "", "first\nlast 0\nafter 0\n", vec!["BUILD FAILED", "POST_BUILD SUCCEEDED"]),
        ("build", "    on-failure: ABORT\n", "first\nlast 0\n", vec!["BUILD FAILED"]),
        ("pre_build", "", "first\nlast 0\n", vec!["PRE_BUILD FAILED"]),
    ];
    for (phase, more, words, ends) in rows {
        let scene = Scene::new(&format!(
            "version: 0.2\nphases:\n  {phase}:\n{more}    commands: ['echo first', 'exit 3', 'echo never']\n    \
             finally: ['echo last $CODEBUILD_BUILD_SUCCEEDING']\n  \
             post_build:\n    commands: ['echo after $CODEBUILD_BUILD_SUCCEEDING']\n"
        ))
        .await;
        let build = scene.run().await;
        let said: String =
            build.log.lines().filter(|line| !line.starts_with("[Container]")).map(|line| format!("{line}\n")).collect();
        assert_eq!((build.status, said.as_str()), (Status::Failed, words), "{phase} {more}");
        let phases = scene.phases(&build);
        assert!(ends.iter().all(|end| phases.iter().any(|phase| phase == end)), "{phases:?}");
        assert!(!phases.contains(&"POST_BUILD SUCCEEDED".to_owned()) || ends.len() == 2, "{phases:?}");
        scene.server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_a_readable_source_or_buildspec_runs_nothing() {
    let cases = [
        ("version: 0.1\nphases: {}\n", "", "version 0.2"),
        ("version: 0.2\nphases: {}\n", "s3:GetObject", "may not read s3://bucket/source.zip"),
    ];
    for (buildspec, denied, words) in cases {
        let scene = Scene::new(buildspec).await;
        if !denied.is_empty() {
            scene.sandbox.world(|world| world.iam.deny(USE_ROLE, denied));
        }
        let build = scene.run().await;
        assert_eq!(build.status, Status::Failed);
        assert!(build.log.contains(words), "{}", build.log);
        assert_eq!(scene.phases(&build).last().unwrap(), "DOWNLOAD_SOURCE FAILED");
        scene.server.stop().await;
    }
}

/// Whether a process lives.
fn lives(process: &str) -> bool {
    std::path::Path::new("/proc").join(process).exists()
        && !std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default().contains(") Z ")
}

/// The process that a build's log names.
fn named(build: &Build) -> Option<String> {
    build.log.lines().find_map(|line| line.strip_prefix("process ")).map(str::to_owned)
}

/// `timeout` puts what it runs into a process group of its own, as the check-in's buildspec has it.
const SLEEPS: &str = "version: 0.2\nphases:\n  build:\n    commands:\n      - 'timeout 300 sh -c \"echo process \\$\\$; sleep 300; true\"'\n    finally: ['echo never']\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_stopped_or_overdue_leaves_no_process() {
    let scene = Scene::new(SLEEPS).await;
    let id = scene.start();
    let process = named(&scene.until(&id, |build| named(build).is_some()).await).unwrap();
    assert!(lives(&process));
    scene.ask("StopBuild", json!({"id": id}));
    assert_eq!(scene.build(&id).status, Status::Stopped);
    let end = Instant::now() + Duration::from_secs(30);
    while lives(&process) && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!lives(&process));

    let id = scene.sandbox.world(|world| {
        let (caller, input) = (administrator(ACCOUNT), json!({"projectName": "project"}));
        let call = Call { operation: "StartBuild", input: &input, caller: &caller, region: REGION };
        let id = codebuild::call(world, &call).unwrap()["build"]["id"].as_str().unwrap().to_owned();
        world.region(ACCOUNT, REGION).codebuild.build_mut(&id).unwrap().timeout = Duration::from_secs(4);
        id
    });
    let build = scene.until(&id, Build::over).await;
    assert_eq!(build.status, Status::TimedOut);
    assert!(!lives(&named(&build).unwrap()) && !build.log.contains("never\n"), "{}", build.log);
    scene.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_end_with_the_sandbox() {
    let scene = Scene::new(SLEEPS).await;
    let id = scene.start();
    let process = named(&scene.until(&id, |build| named(build).is_some()).await).unwrap();
    let (sandbox, folder) = (scene.sandbox.clone(), scene.server.repositories.clone());
    scene.server.stop().await;
    assert!(!lives(&process));
    assert_eq!(sandbox.world(|world| world.region(ACCOUNT, REGION).codebuild.builds()[0].status), Status::Stopped);
    drop((sandbox, scene.sandbox));
    let end = Instant::now() + Duration::from_secs(30);
    while folder.exists() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!folder.exists(), "the repositories were temporary");
}

#[tokio::test(flavor = "multi_thread")]
async fn git_reaches_the_repositories_behind_connections_and_nothing_else() {
    let push = format!(
        "version: 0.2\nphases:\n  build:\n    commands:\n      \
         - git clone --quiet https://codeconnections.{REGION}.amazonaws.com/git-http/{ACCOUNT}/{REGION}/{UUID}/team/churn.git work\n      \
         - cd work && git -c user.name=n -c user.email=n@example.com commit --quiet --allow-empty --message 'Say hello'\n      \
         - git push --quiet origin HEAD:main\n      \
         - '! git ls-remote https://github.com/team/churn.git'\n"
    );
    let scene = Scene::new(&push).await;
    let build = scene.run().await;
    assert_eq!(build.status, Status::Succeeded, "{}", build.log);
    assert!(build.log.contains("error: 403"), "{}", build.log);
    let end = Instant::now() + Duration::from_secs(30);
    let branch = loop {
        let branch = scene.sandbox.world(|world| world.repositories.branch("team/churn", "main"));
        if !branch.commits.is_empty() || Instant::now() > end {
            break branch;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((branch.content, branch.commits[0].subject.as_str()), (Content::Empty, "Say hello"));

    scene.sandbox.world(|world| world.iam.deny(USE_ROLE, "codeconnections:UseConnection"));
    let build = scene.run().await;
    assert_eq!(build.status, Status::Failed);
    assert!(build.log.contains("The requested URL returned error: 403"), "{}", build.log);
    scene.server.stop().await;
}
