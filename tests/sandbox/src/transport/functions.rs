//! Runs deployed functions in `python3` processes, as Lambda would: its environment, its role's credentials, its
//! time-out, its concurrency, and again after a failure. Only the HTTP transport uses it: a paused clock and processes
//! do not mix. What to run is the world's business; how a run went is written back into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::process_environment::{self, Actor};
use crate::aws::Outcome;
use crate::aws::lambda::{Asked, Attempt, Function, SWITCHED_OFF, Status, dead_letter, polled, served};
use crate::sandbox::Sandbox;
use crate::world::{Effect, World};

/// What runs inside the process.
const BOOTSTRAP: &str = include_str!("bootstrap.py");
/// What starting Python and importing the code may take beside the function's own time-out (Lambda gives its
/// init phase as much).
const INIT: Duration = Duration::from_secs(10);
/// Runs at once of one function without reserved concurrency: this machine is no account.
const UNRESERVED: u64 = 4;

type Lanes = Arc<Mutex<BTreeMap<(String, u64), Arc<Semaphore>>>>;

/// Runs functions.
#[derive(Debug)]
pub(crate) struct Functions {
    aws_url: String,
    /// Who runs now, by function and limit.
    lanes: Lanes,
}

/// A function about to run.
struct Job {
    function: Function,
    environment: BTreeMap<String, String>,
    document: Value,
}

/// How a run ended: what the handler returned or an error, and the log.
struct Ended {
    result: Value,
    error: Value,
    log: String,
}

impl Functions {
    pub(crate) fn new(aws_url: &str) -> Self {
        Self { aws_url: aws_url.to_owned(), lanes: Arc::default() }
    }

    /// Begins a run that the world wants done; returns at once. Takes no notice of other effects.
    pub(crate) fn begin(&self, sandbox: &Sandbox, effect: &Effect) {
        let Effect::InvokeLambda { account, region, function, id, event } = effect.clone() else { return };
        let asked = Asked { account, region, function, id, event };
        let (runner, sandbox) = (self.again(), sandbox.clone());
        tokio::spawn(async move { runner.until_done(&sandbox, &asked).await });
    }

    /// Runs a function once for a caller who waits.
    pub(crate) async fn invoke(&self, sandbox: &Sandbox, asked: Asked) -> Outcome {
        let attempt = self.attempt(sandbox, &asked).await;
        let failed = !attempt.error.is_null();
        let payload = if failed { attempt.error.to_string() } else { attempt.result.to_string() };
        note(sandbox, &asked, if failed { Status::Failed } else { Status::Succeeded }, Some(attempt));
        Ok(json!({
            "StatusCode": 200,
            "Payload": STANDARD.encode(payload),
            "FunctionError": failed.then_some("Unhandled"),
        }))
    }

    fn again(&self) -> Self {
        Self { aws_url: self.aws_url.clone(), lanes: Arc::clone(&self.lanes) }
    }

    /// Runs a function for an event: again after a failure, as often as it is set to.
    async fn until_done(&self, sandbox: &Sandbox, asked: &Asked) {
        let mut tried: u32 = 0;
        loop {
            note(sandbox, asked, Status::Running, None);
            let attempt = self.attempt(sandbox, asked).await;
            let (retries, pause) = sandbox.world(|world| {
                let retries = function(world, asked).map_or(0, |function| function.retries);
                // What came from a queue is not tried again here: its messages come again.
                let once = polled(world, &asked.account, &asked.region, &asked.id);
                (if once { 0 } else { retries }, world.settings.lambda_retry)
            });
            // What is switched off is not tried again ("Retaining records of asynchronous invocations").
            let again = u64::from(tried) < retries && attempt.error["errorType"] != SWITCHED_OFF;
            let status = match (attempt.error.is_null(), again) {
                (true, _) => Status::Succeeded,
                (false, true) => Status::Running,
                (false, false) => Status::Failed,
            };
            note(sandbox, asked, status, Some(attempt));
            sandbox.world(|world| ended(world, asked, status));
            if status != Status::Running {
                return;
            }
            tried += 1;
            tokio::time::sleep(pause * tried).await;
        }
    }

    async fn attempt(&self, sandbox: &Sandbox, asked: &Asked) -> Attempt {
        let limit = sandbox.world(|world| function(world, asked).and_then(|function| function.reserved_concurrency));
        let lane = self.lane(asked, limit.unwrap_or(UNRESERVED));
        // The lane of a function with nothing reserved is never free: it is refused instead of waited for.
        let _place = if limit == Some(0) { None } else { lane.acquire().await.ok() };
        let started = sandbox.now();
        let ended = match (limit, sandbox.world(|world| self.job(world, asked))) {
            (Some(0), _) => failure(SWITCHED_OFF, "the function's reserved concurrency is 0: it is switched off"),
            (_, Ok(job)) => execute(&job).await,
            (_, Err(reason)) => failure("Sandbox.NotRun", &reason),
        };
        Attempt { started, ended: sandbox.now(), result: ended.result, error: ended.error, log: ended.log }
    }

    fn lane(&self, asked: &Asked, limit: u64) -> Arc<Semaphore> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (format!("{}/{}/{}", asked.account, asked.region, asked.function), limit);
        let room = usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Arc::clone(lanes.entry(key).or_insert_with(|| Arc::new(Semaphore::new(room))))
    }

    /// The function with its environment, its role's credentials among it.
    fn job(&self, world: &mut World, asked: &Asked) -> Result<Job, String> {
        let function = function(world, asked).ok_or("the function is gone")?.clone();
        if !function.runtime.starts_with("python") {
            return Err(format!("the sandbox runs Python only; the runtime is {}", function.runtime));
        }
        let actor = Actor {
            account: &asked.account,
            region: &asked.region,
            role: &function.role,
            service: "lambda.amazonaws.com",
            source: &function.arn,
            session: &asked.function,
            aws_url: &self.aws_url,
        };
        let mut environment = function.environment.clone();
        environment.extend(process_environment::aws(world, &actor)?);
        let memory = function.memory.to_string();
        for (name, value) in [
            ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", function.runtime).as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", &asked.function),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", asked.function)),
            ("_HANDLER", &function.handler),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let document = json!({
            "id": asked.id, "function": asked.function, "arn": function.arn, "handler": function.handler,
            "memory": function.memory, "timeout": function.timeout, "event": asked.event,
        });
        Ok(Job { function, environment, document })
    }
}

fn function<'a>(world: &'a mut World, asked: &Asked) -> Option<&'a Function> {
    world.region(&asked.account, &asked.region).lambda.function(&asked.function)
}

/// What follows when an invocation is over.
fn ended(world: &mut World, asked: &Asked, status: Status) {
    let (account, region, id) = (&asked.account, &asked.region, &asked.id);
    if polled(world, account, region, id) {
        served(world, account, region, id);
    } else if status == Status::Failed {
        dead_letter(world, account, region, id);
    }
}

/// Writes down how an invocation stands.
fn note(sandbox: &Sandbox, asked: &Asked, status: Status, attempt: Option<Attempt>) {
    sandbox.world(|world| {
        let invocations = &mut world.region(&asked.account, &asked.region).lambda.invocations;
        if let Some(invocation) = invocations.iter_mut().rev().find(|invocation| invocation.id == asked.id) {
            invocation.status = status;
            invocation.attempts.extend(attempt);
        }
    });
}

fn failure(kind: &str, message: &str) -> Ended {
    let error = json!({"errorType": kind, "errorMessage": message, "stackTrace": []});
    Ended { result: Value::Null, error, log: String::new() }
}

/// Runs a job in a folder of its own, which is removed afterwards.
async fn execute(job: &Job) -> Ended {
    let folder = process_environment::own_folder();
    let ended = in_folder(job, &folder).await;
    // Whatever stays behind in the temporary folder is no reason to call a run failed.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    ended.unwrap_or_else(|error| failure("Sandbox.NotRun", &format!("the function could not be run: {error}")))
}

async fn in_folder(job: &Job, folder: &Path) -> std::io::Result<Ended> {
    let _ = tokio::fs::remove_dir_all(folder).await;
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(folder.join("code.zip"), &job.function.archive).await?;
    tokio::fs::write(folder.join("job.json"), job.document.to_string()).await?;
    let mut command = Command::new(process_environment::python());
    command.args(["-c", BOOTSTRAP]).arg(folder).current_dir(folder).env_clear().envs(&job.environment);
    command.env("PATH", process_environment::search_path());
    for name in ["HOME", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let limit = Duration::from_secs(job.function.timeout) + INIT;
    let child = command.spawn().map_err(|error| {
        std::io::Error::new(
            error.kind(),
            format!("python3 does not start, and the sandbox needs it to run functions: {error}"),
        )
    })?;
    let Ok(output) = tokio::time::timeout(limit, child.wait_with_output()).await else {
        return Ok(failure("Sandbox.Timedout", &format!("Task timed out after {}.00 seconds", job.function.timeout)));
    };
    let output = output?;
    let log = [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned()).concat();
    Ok(outcome(&folder.join("result.json"), log).await)
}

async fn outcome(result: &PathBuf, log: String) -> Ended {
    let written = tokio::fs::read(result).await.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    match written {
        Some(mut outcome) => Ended { result: outcome["result"].take(), error: outcome["error"].take(), log },
        None => Ended { log, ..failure("Runtime.ExitError", "the process ended without a result; its log says why") },
    }
}
