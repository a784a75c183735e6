//! The model trigger's function, run for real under a paused clock: a Python process that hands each of its requests over,
//! so that the sandbox answers them in process while no time passes. What a run came to goes to the sandbox's queue.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mlops_sandbox::aws::lambda::{self, Attempt, Status};
use mlops_sandbox::world::Effect;
use mlops_sandbox::{Endpoint, Sandbox};
use serde_json::{Value, json};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/function.py");
/// How often it is looked for messages.
const STEP: Duration = Duration::from_secs(30);

/// A request of the function.
#[derive(Clone, Debug)]
pub struct Request {
    /// `aws` or `jenkins`.
    pub to: String,
    pub method: String,
    pub url: String,
}

/// When a run ends before its time, as where Lambda stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Before the first POST to Jenkins takes effect.
    BeforePost,
    /// Once it has taken effect, without its answer.
    AfterPost,
}

/// A process that runs functions, one run at a time.
pub struct Function {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// All requests so far.
    pub requests: Vec<Request>,
    /// What each run came to: its result, or its error.
    pub runs: Vec<Value>,
    /// How the next run ends that posts something to Jenkins.
    pub end: Option<End>,
}

impl Function {
    /// Starts the process. It needs boto3: `MLOPS_SANDBOX_PYTHON` names a Python that has it, as `make test-rust` does.
    pub fn start() -> Self {
        let python = std::env::var_os("MLOPS_SANDBOX_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.args(["-B", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("python3 runs the function");
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from, requests: Vec::new(), runs: Vec::new(), end: None }
    }

    /// Lets time pass, and runs the function for each message that comes meanwhile.
    pub async fn pass(&mut self, sandbox: &Sandbox, time: Duration) {
        let begun = tokio::time::Instant::now();
        loop {
            self.serve(sandbox).await;
            if begun.elapsed() >= time {
                return;
            }
            tokio::time::sleep(STEP.min(time)).await;
        }
    }

    /// Runs the function for each message that waits.
    async fn serve(&mut self, sandbox: &Sandbox) {
        for effect in sandbox.world(|world| std::mem::take(&mut world.effects)) {
            let Effect::InvokeLambda { account, region, function, id, event } = effect else { continue };
            let found = sandbox.world(|world| world.region(&account, &region).lambda.function(&function).cloned());
            let Some(found) = found.filter(|found| found.environment.contains_key("ARTIFACT_BUCKET")) else { continue };
            let started = sandbox.now();
            let outcome = self.run(sandbox, &found, &region, &id, &event).await;
            let error = outcome["error"].clone();
            let attempt = Attempt {
                started,
                ended: sandbox.now(),
                result: outcome["result"].clone(),
                error: error.clone(),
                log: String::new(),
            };
            self.runs.push(outcome);
            sandbox.world(|world| {
                let invocations = &mut world.region(&account, &region).lambda.invocations;
                if let Some(invocation) = invocations.iter_mut().rev().find(|one| one.id == id) {
                    invocation.status = if error.is_null() { Status::Succeeded } else { Status::Failed };
                    invocation.attempts.push(attempt);
                }
                lambda::served(world, &account, &region, &id);
            });
        }
    }

    async fn run(
        &mut self,
        sandbox: &Sandbox,
        function: &lambda::Function,
        region: &str,
        id: &str,
        event: &Value,
    ) -> Value {
        let mut environment = function.environment.clone();
        for (name, value) in [
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1"),
            ("AWS_ACCESS_KEY_ID", "ANOTREAL"),
            ("AWS_SECRET_ACCESS_KEY", "notrealrnrELgWzOk3IfjzDKtFBhDby"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ] {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let archive = STANDARD.encode(&function.archive);
        self.say(&json!({"archive": archive, "environment": environment, "event": event, "id": id, "timeout": 150}));
        loop {
            let said = self.hear();
            if said.get("to").is_none() {
                return said;
            }
            let text = |name: &str| said[name].as_str().unwrap().to_owned();
            let asked = Request { to: text("to"), method: text("method"), url: text("url") };
            let post = asked.to == "jenkins" && asked.method == "POST";
            if post && self.end == Some(End::BeforePost) {
                return self.killed();
            }
            self.requests.push(asked);
            let answer = answered(sandbox, &said).await;
            if post && self.end == Some(End::AfterPost) {
                return self.killed();
            }
            self.say(&answer);
        }
    }

    /// Ends the process in the middle of a run, and starts another one.
    fn killed(&mut self) -> Value {
        let after = Self::start();
        let before = std::mem::replace(self, after);
        let (mut child, requests, runs) = (before.child, before.requests, before.runs);
        child.kill().unwrap();
        child.wait().unwrap();
        (self.requests, self.runs) = (requests, runs);
        json!({"error": {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}})
    }

    /// Ends the process.
    pub fn stop(mut self) {
        drop(self.to);
        self.child.wait().unwrap();
    }

    fn say(&mut self, document: &Value) {
        writeln!(self.to, "{document}").unwrap();
        self.to.flush().unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the function's process ended; does its Python have boto3?")
    }
}

/// What the sandbox answers to a request of the function.
async fn answered(sandbox: &Sandbox, said: &Value) -> Value {
    let endpoint = if said["to"] == "aws" { Endpoint::Aws } else { Endpoint::Jenkins };
    let url: http::Uri = said["url"].as_str().unwrap().parse().unwrap();
    let uri = match endpoint {
        Endpoint::Aws => url.clone(),
        Endpoint::Jenkins => url.path_and_query().unwrap().as_str().parse().unwrap(),
    };
    let mut request = http::Request::builder().method(said["method"].as_str().unwrap()).uri(uri);
    for (name, value) in said["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    let body = Bytes::from(STANDARD.decode(said["body"].as_str().unwrap()).unwrap());
    let Ok(response) = sandbox.answer(endpoint, request.body(body).unwrap()).await else {
        return json!({"dropped": true});
    };
    let each = response.headers().iter();
    let mut headers: serde_json::Map<String, Value> =
        each.map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect();
    // As the HTTP transport adds it.
    let stamp = sandbox.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.entry("date").or_insert_with(|| json!(stamp));
    json!({"status": response.status().as_u16(), "headers": headers, "body": STANDARD.encode(response.body())})
}
