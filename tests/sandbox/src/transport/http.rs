//! The transport of loopback HTTP: one port for AWS, one for Jenkins, and the tick that lets time pass and functions
//! run. It carries requests to the sandbox and answers back; it decides nothing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::git::Git;
use crate::sandbox::{Endpoint, Sandbox};

/// How often time passes in the world without a request.
const TICK: Duration = Duration::from_millis(25);
/// How long open requests may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// A running server on loopback. It stops when it is told to, or dropped.
#[derive(Debug)]
pub struct Server {
    /// Base URL of all AWS services.
    pub aws_url: String,
    /// Base URL of Jenkins.
    pub jenkins_url: String,
    /// Where the Git repositories behind connections are, as `owner/name.git`.
    pub repositories: PathBuf,
    sandbox: Sandbox,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on loopback; a port of 0 takes any free one. From now on functions and builds run for real; Git
    /// repositories are in a temporary folder.
    ///
    /// # Errors
    /// A port that is taken.
    pub async fn start(sandbox: &Sandbox, aws_port: u16, jenkins_port: u16) -> io::Result<Self> {
        Self::with_repositories(sandbox, aws_port, jenkins_port, None).await
    }

    /// The same, with the folder of the Git repositories.
    ///
    /// # Errors
    /// A port that is taken, or a folder that cannot be made.
    pub async fn with_repositories(
        sandbox: &Sandbox,
        aws_port: u16,
        jenkins_port: u16,
        repositories: Option<PathBuf>,
    ) -> io::Result<Self> {
        let git = Git::new(repositories)?;
        let repositories = git.folder().to_owned();
        let (aws, aws_url) = listen(aws_port).await?;
        let (jenkins, jenkins_url) = listen(jenkins_port).await?;
        let (stop, told) = watch::channel(false);
        sandbox.run_machines(&aws_url, git, told.clone());
        let tasks = vec![
            tokio::spawn(accept(aws, Endpoint::Aws, sandbox.clone(), told.clone())),
            tokio::spawn(accept(jenkins, Endpoint::Jenkins, sandbox.clone(), told.clone())),
            tokio::spawn(tick(sandbox.clone(), told)),
        ];
        Ok(Self { aws_url, jenkins_url, repositories, sandbox: sandbox.clone(), stop, tasks })
    }

    /// Takes no more requests, finishes those under way as far as they do not take long, and ends all builds.
    pub async fn stop(self) {
        // Nobody listens any more where all tasks are gone already.
        let _ = self.stop.send(true);
        self.sandbox.machines_stopped().await;
        for task in self.tasks {
            let _ = tokio::time::timeout(GRACE, task).await;
        }
    }
}

async fn listen(port: u16) -> io::Result<(TcpListener, String)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

async fn tick(sandbox: Sandbox, mut told: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = told.changed() => return,
            () = tokio::time::sleep(TICK) => sandbox.begin_effects(),
        }
    }
}

async fn accept(listener: TcpListener, transport: Endpoint, sandbox: Sandbox, mut told: watch::Receiver<bool>) {
    let mut open = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            _ = told.changed() => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    open.spawn(connection(stream, transport, sandbox.clone(), told.clone()));
                }
            }
        }
    }
    while open.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, transport: Endpoint, sandbox: Sandbox, mut told: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, transport, sandbox.clone()));
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // An error here is the client's going away, or a scripted dropped connection: both end it and no more.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = told.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(GRACE / 2, connection).await;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    transport: Endpoint,
    sandbox: Sandbox,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let response = sandbox.answer(transport, Request::from_parts(parts, body)).await?;
    Ok(response.map(Full::new))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::dispatch::administrator;
    use crate::aws::{Call, events, lambda};
    use crate::{Clock, Fault, Settings};

    const ACCOUNT: &str = "111122223333";
    const REGION: &str = "eu-west-1";

    fn sandbox() -> Sandbox {
        let settings = Settings { lambda_retry: Duration::from_millis(10), ..Settings::default() };
        Sandbox::with_clock(settings, Clock::wall())
    }

    async fn send(method: &str, url: &str, service: &str, body: &'static str) -> Result<(u16, String), String> {
        let scope = format!("AWS4-HMAC-SHA256 Credential=AKIA1/20260105/{REGION}/{service}/aws4_request, Signature=0");
        let request =
            Request::builder().method(method).uri(url).header("authorization", scope).body(Full::from(body)).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let response = client.request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// An archive with this source as index.py, packed by Python itself.
    async fn archive(source: &str) -> String {
        let pack = "import base64, io, sys, zipfile\nb = io.BytesIO()\n\
            with zipfile.ZipFile(b, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('index.py', sys.argv[1])\n\
            print(base64.b64encode(b.getvalue()).decode(), end='')";
        let output = tokio::process::Command::new("python3").args(["-c", pack, source]).output().await.unwrap();
        assert!(output.status.success(), "python3 is needed to run functions");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A function and a rule that sends it events of the source `mine`.
    async fn deploy(sandbox: &Sandbox, source: &str, timeout: u64) {
        let code = archive(source).await;
        sandbox.world(|world| {
            let role = world.iam.add_role(ACCOUNT, "/", "run", &["lambda.amazonaws.com"]);
            let caller = administrator(ACCOUNT);
            let mut ask =
                |service: fn(&mut crate::World, &Call<'_>) -> crate::aws::Outcome, operation, input: Value| {
                    service(world, &Call { operation, input: &input, caller: &caller, region: REGION }).unwrap()
                };
            let function = ask(
                lambda::call,
                "CreateFunction",
                json!({"FunctionName": "f", "Runtime": "python3.13",
                "Role": role, "Handler": "index.handler", "Timeout": timeout, "Code": {"ZipFile": code},
                "Environment": {"Variables": {"GREETING": "hello"}}}),
            );
            let rule = ask(events::call, "PutRule", json!({"Name": "r", "EventPattern": r#"{"source":["mine"]}"#}));
            ask(
                events::call,
                "PutTargets",
                json!({"Rule": "r", "Targets": [{"Id": "f", "Arn": function["FunctionArn"]}]}),
            );
            ask(
                lambda::call,
                "AddPermission",
                json!({"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction",
                "Principal": "events.amazonaws.com", "SourceArn": rule["RuleArn"]}),
            );
        });
    }

    async fn settled(sandbox: &Sandbox) -> lambda::Invocation {
        for _ in 0..400 {
            let last = sandbox.world(|world| world.region(ACCOUNT, REGION).lambda.invocations.last().cloned());
            match last {
                Some(one) if matches!(one.status, lambda::Status::Succeeded | lambda::Status::Failed) => return one,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        unreachable!("the invocation does not end")
    }

    #[tokio::test]
    async fn requests_come_in_and_a_scripted_drop_breaks_the_connection() {
        let sandbox = sandbox();
        let server = Server::start(&sandbox, 0, 0).await.unwrap();
        let who = "Action=GetCallerIdentity&Version=2011-06-15";
        let (status, text) = send("POST", &server.aws_url, "sts", who).await.unwrap();
        assert_eq!(status, 200);
        assert!(text.contains("<Account>111122223333</Account>"), "{text}");
        sandbox.fault(Fault::on("sts", "*"));
        assert!(send("POST", &server.aws_url, "sts", who).await.is_err());
        let (status, text) = send("GET", &format!("{}/_sandbox/journal", server.jenkins_url), "", "").await.unwrap();
        assert_eq!((status, text.lines().count()), (200, 2));
        let url = server.aws_url.clone();
        server.stop().await;
        assert!(send("POST", &url, "sts", who).await.is_err(), "it listens no more");
    }

    #[tokio::test]
    async fn an_event_runs_the_deployed_code_with_its_role_and_environment() {
        let sandbox = sandbox();
        let server = Server::start(&sandbox, 0, 0).await.unwrap();
        let source = "import json, os, urllib.request\n\
            def handler(event, context):\n    \
                print('seen', event['detail'])\n    \
                with urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_sandbox/settings') as reply:\n        \
                    account = json.load(reply)['account']\n    \
                return {'greeting': os.environ['GREETING'], 'account': account, 'key': os.environ['AWS_ACCESS_KEY_ID']}\n";
        deploy(&sandbox, source, 30).await;
        let event = json!({"source": "mine", "detail": {"n": 1}});
        sandbox.world(|world| events::publish(world, ACCOUNT, REGION, &event));
        let invocation = settled(&sandbox).await;
        assert_eq!(invocation.status, lambda::Status::Succeeded, "{invocation:?}");
        let run = &invocation.attempts[0];
        assert_eq!((&run.result["greeting"], &run.result["account"]), (&json!("hello"), &json!(ACCOUNT)));
        assert!(run.log.contains("seen {'n': 1}"), "{}", run.log);
        let key = run.result["key"].as_str().unwrap();
        let caller = sandbox.world(|world| world.iam.caller(key)).unwrap();
        assert_eq!(caller.principal, "arn:aws:iam::111122223333:role/run");
        server.stop().await;
    }

    #[tokio::test]
    async fn a_failing_function_is_tried_three_times_in_all() {
        let sandbox = sandbox();
        let server = Server::start(&sandbox, 0, 0).await.unwrap();
        deploy(&sandbox, "def handler(event, context):\n    raise ValueError('no Jenkins')\n", 30).await;
        sandbox.world(|world| events::publish(world, ACCOUNT, REGION, &json!({"source": "mine"})));
        let invocation = settled(&sandbox).await;
        assert_eq!((invocation.status, invocation.attempts.len()), (lambda::Status::Failed, 3));
        assert_eq!(invocation.attempts[2].error["errorMessage"], "no Jenkins");
        server.stop().await;
    }

    #[tokio::test]
    async fn a_caller_may_wait_for_the_result_and_a_slow_function_is_cut_off() {
        let sandbox = sandbox();
        let server = Server::start(&sandbox, 0, 0).await.unwrap();
        let source = "import time\ndef handler(event, context):\n    \
            time.sleep(event.get('nap', 0))\n    return event\n";
        deploy(&sandbox, source, 1).await;
        let url = format!("{}/2015-03-31/functions/f/invocations", server.aws_url);
        assert_eq!(send("POST", &url, "lambda", "{\"a\":1}").await.unwrap(), (200, "{\"a\":1}".to_owned()));
        let (status, text) = send("POST", &url, "lambda", "{\"nap\":5}").await.unwrap();
        assert_eq!(status, 200);
        assert!(text.contains("Task timed out after 1.00 seconds"), "{text}");
        server.stop().await;
    }
}
