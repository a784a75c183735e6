//! Runs builds as CodeBuild would: fetches the source from the sandbox's S3 with the build's role, and runs what its
//! buildspec says, in a folder and with an environment of its own, within its time. Only the HTTP transport uses it. Git
//! reaches the repositories behind connections on disk, by a rule of its own (`url.*.insteadOf`); any other https
//! address of Git's leads to the sandbox, which lets nobody in.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::sync::watch;
use tokio::time::Instant;

use super::buildspec::{Buildspec, PHASES, Phase};
use super::command::{Ended, Shell};
use super::git::Git;
use super::process_environment::{self, Actor};
use crate::aws::codebuild::{Build, Status};
use crate::aws::dispatch::allowed;
use crate::aws::{Caller, s3};
use crate::sandbox::Sandbox;
use crate::wire::Service;
use crate::world::{Effect, World};

/// How long builds under way may take to be ended when the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// Runs builds.
#[derive(Debug)]
pub(crate) struct Builds {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    aws_url: String,
    git: Arc<Git>,
    stop: watch::Receiver<bool>,
    running: AtomicUsize,
}

/// A build about to run.
struct Job {
    region: String,
    build: Build,
    role: Caller,
    environment: Vec<(String, String)>,
    folder: PathBuf,
}

/// Why a phase failed: CodeBuild's code, and a sentence.
type Failure = (&'static str, String);

/// A build's folder, which goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind in the temporary folder is no reason to call a build failed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Builds {
    pub(crate) fn new(aws_url: &str, git: Arc<Git>, stop: watch::Receiver<bool>) -> Self {
        let running = AtomicUsize::new(0);
        Self { shared: Arc::new(Shared { aws_url: aws_url.to_owned(), git, stop, running }) }
    }

    /// Begins a build that the world wants run; returns at once. Takes no notice of other effects.
    pub(crate) fn begin(&self, sandbox: &Sandbox, effect: &Effect) {
        let Effect::RunBuild { account, region, id } = effect else { return };
        let place = (account.clone(), region.clone(), id.clone());
        let (shared, sandbox) = (Arc::clone(&self.shared), sandbox.clone());
        shared.running.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            shared.run(&sandbox, &place).await;
            shared.running.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Waits until all builds have ended, since the sandbox stops.
    pub(crate) async fn ended(&self) {
        let end = Instant::now() + GRACE;
        while self.shared.running.load(Ordering::SeqCst) > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The Git repositories that builds see.
    pub(crate) fn git(&self) -> &Git {
        &self.shared.git
    }
}

/// Account, region and id of a build.
type Place = (String, String, String);

fn note(sandbox: &Sandbox, (account, region, id): &Place, act: impl FnOnce(&mut Build, jiff::Timestamp)) {
    sandbox.world(|world| {
        let now = world.now;
        if let Some(build) = world.region(account, region).codebuild.build_mut(id).filter(|build| !build.over()) {
            act(build, now);
        }
    });
}

impl Shared {
    async fn run(&self, sandbox: &Sandbox, place: &Place) {
        let status = match sandbox.world(|world| self.job(world, place)) {
            Ok(Some(job)) => {
                let _folder = Folder(job.folder.clone());
                match self.source(sandbox, place, &job) {
                    Ok(buildspec) => self.phases(sandbox, place, &job, &buildspec).await,
                    Err((code, message)) => failed(sandbox, place, code, &message),
                }
            }
            Ok(None) => return,
            Err(message) => failed(sandbox, place, "ACCESS_DENIED", &message),
        };
        note(sandbox, place, |build, now| {
            build.log.push_str(&format!("[Container] Build {}: {status:?}\n", build.id));
            build.end(status, now);
        });
        self.follow(sandbox);
    }

    /// Lets the world's picture of the repositories follow what is on disk.
    fn follow(&self, sandbox: &Sandbox) {
        match self.git.look() {
            Ok(seen) => sandbox.world(|world| world.repositories.follow(seen)),
            Err(error) => eprintln!("mlops-sandbox: the Git repositories cannot be looked at: {error}"),
        }
    }

    /// The build with all that it needs; none where it was stopped in the queue.
    fn job(&self, world: &mut World, place: &Place) -> Result<Option<Job>, String> {
        let (account, region, id) = place;
        let build = world.region(account, region).codebuild.build_mut(id).filter(|build| !build.over());
        let Some(build) = build.map(|build| build.clone()) else { return Ok(None) };
        let session = "AWSCodeBuild";
        let source = format!("arn:aws:codebuild:{region}:{account}:project/{}", build.project);
        let actor = Actor {
            account,
            region,
            role: &build.role,
            service: "codebuild.amazonaws.com",
            source: &source,
            session,
            aws_url: &self.aws_url,
        };
        let mut environment: Vec<(String, String)> = process_environment::aws(world, &actor)?.into_iter().collect();
        let name = build.role.rsplit('/').next().unwrap_or_default();
        let role = Caller {
            account: account.clone(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            principal: build.role.clone(),
        };
        let full_name = build.variable("REPOSITORY_FULL_NAME").to_owned();
        if !full_name.is_empty() && !world.repositories.is_missing(&full_name) {
            self.git.ensure(&full_name).map_err(|error| error.to_string())?;
        }
        environment.extend(self.git_rules(world, &build.role, &full_name));
        let folder = process_environment::own_folder();
        Ok(Some(Job { region: region.clone(), build, role, environment, folder }))
    }

    /// Rules for git's configuration: which address stands for which.
    fn git_rules(&self, world: &World, role: &str, repository: &str) -> Vec<(String, String)> {
        let disk = format!("url.file://{}/.insteadOf", self.git.folder().display());
        let mut rules = vec![(format!("url.{}/_sandbox/git/.insteadOf", self.aws_url), "https://".to_owned())];
        for ((account, region), parts) in &world.regions {
            for uuid in parts.connections.available() {
                for service in ["codeconnections", "codestar-connections"] {
                    let connection = format!("arn:aws:{service}:{region}:{account}:connection/{uuid}");
                    if world.iam.may_use_connection(role, &connection, repository) {
                        let host = format!("{service}.{region}.amazonaws.com");
                        rules.push((disk.clone(), format!("https://{host}/git-http/{account}/{region}/{uuid}/")));
                    }
                }
            }
        }
        let mut variables = vec![("GIT_CONFIG_COUNT".to_owned(), rules.len().to_string())];
        for (number, (key, value)) in rules.into_iter().enumerate() {
            variables.push((format!("GIT_CONFIG_KEY_{number}"), key));
            variables.push((format!("GIT_CONFIG_VALUE_{number}"), value));
        }
        variables
    }

    /// Fetches and unpacks the source; gives its buildspec.
    fn source(&self, sandbox: &Sandbox, place: &Place, job: &Job) -> Result<Buildspec, Failure> {
        note(sandbox, place, |build, now| {
            build.enter("PROVISIONING", now);
            build.enter("DOWNLOAD_SOURCE", now);
        });
        let source = job.folder.join("src");
        let broken =
            |error: &dyn std::fmt::Display| ("CLIENT_ERROR", format!("the source cannot be unpacked: {error}"));
        std::fs::create_dir_all(&source).map_err(|error| broken(&error))?;
        let text = job.build.source["buildspec"].as_str().unwrap_or_default().to_owned();
        if job.build.source["type"] == "S3" {
            let archive = sandbox.world(|world| fetch(world, job))?;
            let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(|error| broken(&error))?;
            archive.extract(&source).map_err(|error| broken(&error))?;
        }
        // The project names a file, or has the text itself.
        let text = match text.as_str() {
            text if text.contains('\n') => text.to_owned(),
            name => {
                let name = if name.is_empty() { "buildspec.yml" } else { name };
                std::fs::read_to_string(source.join(name))
                    .map_err(|error| ("YAML_FILE_ERROR", format!("{name}: {error}")))?
            }
        };
        Buildspec::parse(&text).map_err(|error| ("YAML_FILE_ERROR", error))
    }

    /// Runs the phases; gives how the build ended.
    async fn phases(&self, sandbox: &Sandbox, place: &Place, job: &Job, buildspec: &Buildspec) -> Status {
        let shell = match self.shell(job, buildspec) {
            Ok(shell) => shell,
            Err(error) => return failed(sandbox, place, "CLIENT_ERROR", &error.to_string()),
        };
        let mut status = Status::Succeeded;
        for (name, kind) in PHASES {
            let phase = buildspec.phase(name);
            note(sandbox, place, |build, now| build.enter(kind, now));
            match self.phase(sandbox, place, &shell, &phase, status == Status::Succeeded).await {
                Ended::Code(0) => {}
                Ended::Code(code) => {
                    status = Status::Failed;
                    let message = format!("Error while executing command. Reason: exit status {code}");
                    note(sandbox, place, |build, now| {
                        build.leave(Status::Failed, Some(("COMMAND_EXECUTION_ERROR", &message)), now);
                    });
                    if !phase.goes_on(name) {
                        return status;
                    }
                }
                Ended::Overdue => {
                    let message = "Build has timed out.";
                    note(sandbox, place, |build, now| {
                        build.leave(Status::TimedOut, Some(("BUILD_TIMED_OUT", message)), now);
                    });
                    return Status::TimedOut;
                }
                Ended::Stopped => return Status::Stopped,
                Ended::NotRun(message) => return failed(sandbox, place, "CLIENT_ERROR", &message),
            }
        }
        note(sandbox, place, |build, now| build.enter("FINALIZING", now));
        status
    }

    /// Runs a phase: its commands until one fails, and then what is to be done in any case.
    async fn phase(&self, sandbox: &Sandbox, place: &Place, shell: &Shell, phase: &Phase, succeeding: bool) -> Ended {
        let mut ended = Ended::Code(0);
        for (commands, always) in [(&phase.commands, false), (&phase.finally, true)] {
            for command in commands {
                if !always && ended != Ended::Code(0) {
                    break;
                }
                let good = succeeding && ended == Ended::Code(0);
                let next = shell.run(command, good, self.stop.clone(), |said| heard(sandbox, place, said)).await;
                match next {
                    Ended::Code(0) => {}
                    Ended::Code(_) => ended = next,
                    other => return other,
                }
            }
        }
        ended
    }

    fn shell(&self, job: &Job, buildspec: &Buildspec) -> std::io::Result<Shell> {
        let mut environment: Vec<(String, String)> =
            buildspec.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let variables = job.build.environment["environmentVariables"].as_array().into_iter().flatten();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        environment.extend(variables.map(|variable| (text(&variable["name"]), text(&variable["value"]))));
        let source = job.folder.join("src").display().to_string();
        let image = text(&job.build.environment["image"]);
        let own = [
            ("CODEBUILD_BUILD_ID", job.build.id.as_str()),
            ("CODEBUILD_BUILD_ARN", &job.build.arn),
            ("CODEBUILD_BUILD_IMAGE", &image),
            ("CODEBUILD_SRC_DIR", &source),
            ("CODEBUILD_CI", "true"),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        environment.extend(job.environment.iter().cloned());
        Shell::new(&buildspec.shell, &job.folder, &environment, job.build.timeout)
    }
}

/// The present phase of the build has failed, and with it the build.
fn failed(sandbox: &Sandbox, place: &Place, code: &str, message: &str) -> Status {
    note(sandbox, place, |build, now| {
        build.log.push_str(&format!("[Container] {code}: {message}\n"));
        build.leave(Status::Failed, Some((code, message)), now);
    });
    Status::Failed
}

/// Keeps what the commands have said; gives whether the build is to go on.
fn heard(sandbox: &Sandbox, (account, region, id): &Place, said: &str) -> bool {
    sandbox.world(|world| {
        let build = world.region(account, region).codebuild.build_mut(id).filter(|build| !build.over());
        build.map(|build| said.clone_into(&mut build.log)).is_some()
    })
}

/// The source as the build's role may read it.
fn fetch(world: &mut World, job: &Job) -> Result<Vec<u8>, Failure> {
    let place = job.build.source["location"].as_str().unwrap_or_default();
    let denied = || ("ACCESS_DENIED", format!("AccessDenied: {} may not read s3://{place}", job.role.principal));
    allowed(world, &job.role, Service::S3, "GetObject").map_err(|_| denied())?;
    let missing = || ("CLIENT_ERROR", format!("NoSuchKey: there is no s3://{place}"));
    let request = Request::get(format!("/{place}")).body(Bytes::new()).map_err(|_| missing())?;
    let response = s3::handle(world, &job.role, &job.region, &request);
    match response.status().as_u16() {
        200 => Ok(response.into_body().to_vec()),
        404 => Err(missing()),
        _ => Err(denied()),
    }
}
