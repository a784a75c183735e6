//! The sandbox as its transports and its tests hold it: the world behind a lock, a clock, the script of faults and
//! the journal. Each request passes through [`Sandbox::answer`]; nothing else touches the world on its own.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::aws::Refusal;
use crate::aws::dispatch::{self, Answer};
use crate::clock::Clock;
use crate::control;
use crate::faults::{Fault, Faults, Trouble, What};
use crate::journal::{Entry, Journal, Reply};
use crate::record;
use crate::transport::builds::Builds;
use crate::transport::functions::Functions;
use crate::transport::git::Git;
use crate::wire::{self, Address};
use crate::world::{Effect, Settings, World};

/// Which of the two a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Endpoint {
    Aws,
    Jenkins,
}

/// The connection broke off without an answer, as scripted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was dropped, as the sandbox's script of faults says")]
pub struct Dropped;

/// A whole sandbox. Clones share everything; [`Sandbox::fork`] shares nothing.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    world: Mutex<World>,
    clock: Clock,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
    /// What runs functions and builds; only the HTTP transport sets it.
    machines: OnceLock<Machines>,
    onlooker: Mutex<Option<Onlooker>>,
}

/// What the HTTP transport runs the world's wishes with.
struct Machines {
    functions: Functions,
    builds: Builds,
}

/// Whether a call is about to take effect or has just done so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Edge {
    Before,
    After,
}

/// Is told of every call at both its edges, by its name in the journal: `s3 PutObject`.
pub type Onlooker = Arc<dyn Fn(Edge, &str) + Send + Sync>;

/// The request as far as faults and refusals need to know it.
enum Asked {
    Aws(Box<Address>),
    Jenkins { user: String, operation: String },
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held the world has failed anyway; others may look on.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sandbox {
    /// An empty sandbox whose clock starts at 2026-01-05T09:00:00Z and follows tokio's: two runs under a paused
    /// clock are the same. Call it inside the runtime that will use it.
    pub fn new(settings: Settings) -> Self {
        let start = Timestamp::from_second(1_767_603_600).unwrap_or(Timestamp::UNIX_EPOCH);
        Self::with_clock(settings, Clock::starting_at(start))
    }

    /// An empty sandbox with a clock of one's own, such as [`Clock::wall`].
    pub fn with_clock(settings: Settings, clock: Clock) -> Self {
        Self::assemble(World::new(settings, clock.now()), clock)
    }

    /// A sandbox that goes on from a saved world, at that world's own moment, with a fresh journal and no faults.
    /// Works in another runtime than the world came from.
    pub fn from_world(mut world: World) -> Self {
        let clock = Clock::starting_at(world.now);
        world.live = None;
        Self::assemble(world, clock)
    }

    fn assemble(world: World, clock: Clock) -> Self {
        let (world, faults, journal) = (Mutex::new(world), Mutex::default(), Mutex::default());
        let (machines, onlooker) = (OnceLock::new(), Mutex::default());
        Self { inner: Arc::new(Inner { world, clock, faults, journal, machines, onlooker }) }
    }

    /// A copy that shares nothing with this one: the same world at the same moment, a fresh journal, no faults.
    pub fn fork(&self) -> Self {
        Self::from_world(self.world(|world| world.clone()))
    }

    /// The sandbox's clock.
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Looks at the world or changes it; time has passed in it until now.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = lock(&self.inner.world);
        world.advance(self.now());
        look(&mut world)
    }

    /// Everything that was asked so far, in the order in which it came in.
    pub fn journal(&self) -> Vec<Entry> {
        lock(&self.inner.journal).entries().to_vec()
    }

    /// The same without the first `count` entries: a journal grows long.
    pub fn journal_after(&self, count: usize) -> Vec<Entry> {
        lock(&self.inner.journal).entries().get(count..).unwrap_or_default().to_vec()
    }

    /// Looks at the same without a copy of it.
    pub fn look_at_journal<T>(&self, count: usize, look: impl FnOnce(&[Entry]) -> T) -> T {
        look(lock(&self.inner.journal).entries().get(count..).unwrap_or_default())
    }

    /// The journal after entry number `since` as JSON lines.
    pub fn journal_lines(&self, since: u64) -> String {
        lock(&self.inner.journal).lines(since)
    }

    /// What was asked so far, as `service Operation`, in order.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.inner.journal).entries().iter().map(Entry::call).collect()
    }

    /// How many requests there were so far.
    pub fn requests(&self) -> usize {
        lock(&self.inner.journal).entries().len()
    }

    /// Adds a line to the script of faults.
    pub fn fault(&self, fault: Fault) {
        lock(&self.inner.faults).add(fault);
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        lock(&self.inner.faults).clear();
    }

    /// Tells `onlooker` of every call from now on; `None`: nobody.
    pub fn look_on(&self, onlooker: Option<Onlooker>) {
        *lock(&self.inner.onlooker) = onlooker;
    }

    fn tell(&self, edge: Edge, asked: &Asked) {
        let onlooker = lock(&self.inner.onlooker).clone();
        if let Some(onlooker) = onlooker {
            let (service, operation) = asked.name();
            onlooker(edge, &format!("{service} {operation}"));
        }
    }

    /// The script of faults with how many calls matched each line.
    pub fn faults(&self) -> Vec<(Fault, u64)> {
        lock(&self.inner.faults).lines().to_vec()
    }

    /// Work that the world wants done outside itself. In process it is only recorded here (a paused clock and
    /// processes do not mix); the HTTP transport takes it and runs the deployed functions and the builds.
    pub fn effects(&self) -> Vec<Effect> {
        self.world(|world| world.effects.clone())
    }

    /// Answers one request: faults before, the effect, faults after, all of it in the journal.
    ///
    /// # Errors
    /// [`Dropped`] where the script says that the connection breaks off.
    pub async fn answer(&self, transport: Endpoint, request: Request<Bytes>) -> Result<Response<Bytes>, Dropped> {
        if request.uri().path().starts_with(control::PREFIX) {
            return Ok(control::answer(self, &request));
        }
        let request = if transport == Endpoint::Aws { wire::plain(request) } else { request };
        let asked = Asked::of(transport, &request);
        let (number, trouble) = self.arrived(&asked, &request);
        let id = request_id(number);
        pause(trouble.delay_before).await;
        if let Some(end) = &trouble.before {
            return self.end(number, &asked, &request, end, &id).await;
        }
        self.tell(Edge::Before, &asked);
        let (response, output) = self.effect(number, &asked, &request, &id).await;
        self.tell(Edge::After, &asked);
        pause(trouble.delay_after).await;
        match &trouble.after {
            Some(end) => self.end(number, &asked, &request, end, &id).await,
            None => {
                self.close(number, &response, output);
                Ok(response)
            }
        }
    }

    fn arrived(&self, asked: &Asked, request: &Request<Bytes>) -> (u64, Trouble) {
        let (transport, service, operation, caller) = match asked {
            Asked::Aws(address) => {
                let key = address.credential.as_ref().map(|credential| credential.access_key_id.clone());
                ("aws", address.service_name.clone(), address.operation.clone(), key.unwrap_or_default())
            }
            Asked::Jenkins { user, operation } => ("jenkins", "jenkins".to_owned(), operation.clone(), user.clone()),
        };
        let trouble = lock(&self.inner.faults).meet(&service, &operation);
        let fault = trouble.before.as_ref().or(trouble.after.as_ref()).map(What::name);
        let delayed = trouble.delay_before + trouble.delay_after > Duration::ZERO;
        let fault = fault.or(delayed.then_some("delayed"));
        let region = asked.region().to_owned();
        let entry = Entry { service, region, operation, caller, fault, ..Entry::asked(transport, self.now(), request) };
        (lock(&self.inner.journal).open(entry), trouble)
    }

    async fn effect(
        &self,
        number: u64,
        asked: &Asked,
        request: &Request<Bytes>,
        id: &str,
    ) -> (Response<Bytes>, serde_json::Value) {
        match asked {
            Asked::Aws(address) => {
                let answer = match self.run(address, request, id).await {
                    Some(answer) => answer,
                    None => self.patient(address, request, id).await,
                };
                if let Some(entry) = lock(&self.inner.journal).entry(number) {
                    entry.input = answer.input;
                }
                (answer.response, answer.output)
            }
            Asked::Jenkins { .. } => {
                (self.world(|world| crate::jenkins::handle(world, request)), serde_json::Value::Null)
            }
        }
    }

    /// The answer to a caller who waits for the result of a function, where functions run at all.
    async fn run(&self, address: &Address, request: &Request<Bytes>, id: &str) -> Option<Answer> {
        let functions = &self.inner.machines.get()?.functions;
        let asked = self.world(|world| dispatch::invocation(world, address, request))?;
        let input = wire::decode(address, request).unwrap_or_default();
        let outcome = match asked {
            Ok(asked) => functions.invoke(self, asked).await,
            Err(refusal) => Err(refusal),
        };
        let response = wire::encode(address, request, &outcome, id);
        Some(Answer { response, input, output: outcome.unwrap_or_default() })
    }

    /// From now on, functions and builds run, in processes that find AWS at `aws_url`, until `stop` says so.
    pub(crate) fn run_machines(&self, aws_url: &str, git: Git, stop: watch::Receiver<bool>) {
        self.inner.machines.get_or_init(|| Machines {
            functions: Functions::new(aws_url),
            builds: Builds::new(aws_url, Arc::new(git), stop),
        });
        self.world(|world| world.live = Some(aws_url.to_owned()));
    }

    /// Waits until no build runs any more, since the sandbox stops.
    pub(crate) async fn machines_stopped(&self) {
        if let Some(machines) = self.inner.machines.get() {
            machines.builds.ended().await;
        }
    }

    /// The Git repositories on disk, where builds run at all.
    pub(crate) fn git(&self) -> Option<&Git> {
        self.inner.machines.get().map(|machines| machines.builds.git())
    }

    /// Takes the work that the world wants done and begins it, if anything runs.
    pub(crate) fn begin_effects(&self) {
        let Some(machines) = self.inner.machines.get() else { return };
        for effect in self.world(|world| std::mem::take(&mut world.effects)) {
            machines.functions.begin(self, &effect);
            machines.builds.begin(self, &effect);
        }
    }

    /// Ends a call the way the script says.
    async fn end(
        &self,
        number: u64,
        asked: &Asked,
        request: &Request<Bytes>,
        end: &What,
        id: &str,
    ) -> Result<Response<Bytes>, Dropped> {
        let refusal = match (end, asked) {
            (What::DropConnection, _) => return Err(Dropped),
            (What::NoAnswer, _) => std::future::pending().await,
            (What::Throttle | What::ThrottleFor { .. }, Asked::Aws(address)) => wire::throttled(address),
            (What::Throttle | What::ThrottleFor { .. }, Asked::Jenkins { .. }) => {
                Refusal::new("Too Many Requests", "Too many requests").with_status(429)
            }
            (What::Refuse { code, message, status }, _) => Refusal::new(code, message.clone()).with_status(*status),
            // Delays are over by now: `Faults::meet` keeps them apart from ends.
            (What::Delay { .. }, _) => return Err(Dropped),
        };
        let mut response = match asked {
            Asked::Aws(address) => wire::refuse(address, request.headers(), &refusal, id),
            Asked::Jenkins { .. } => {
                let mut response = Response::new(Bytes::from(format!("{}: {}", refusal.code, refusal.message)));
                *response.status_mut() =
                    StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                response
            }
        };
        if let What::ThrottleFor { seconds } = end {
            response.headers_mut().insert("retry-after", (*seconds).into());
        }
        self.close(number, &response, serde_json::Value::Null);
        Ok(response)
    }

    fn close(&self, number: u64, response: &Response<Bytes>, output: serde_json::Value) {
        let reply = Reply::of(self.now(), response, output);
        if let Some(entry) = lock(&self.inner.journal).entry(number) {
            entry.reply = Some(reply);
            record::keep(entry);
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sandbox")
    }
}

impl Asked {
    /// The region that a call to AWS is signed for.
    fn region(&self) -> &str {
        match self {
            Self::Aws(address) => address.credential.as_ref().map_or("", |credential| &credential.region),
            Self::Jenkins { .. } => "",
        }
    }

    /// Service and operation, as the journal has them.
    fn name(&self) -> (&str, &str) {
        match self {
            Self::Aws(address) => (&address.service_name, &address.operation),
            Self::Jenkins { operation, .. } => ("jenkins", operation),
        }
    }

    fn of(transport: Endpoint, request: &Request<Bytes>) -> Self {
        if transport == Endpoint::Aws {
            return Self::Aws(Box::new(Address::of(request)));
        }
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let user = header.map(crate::journal::who).unwrap_or_default();
        Self::Jenkins { user, operation: format!("{} {}", request.method(), jenkins_action(request.uri().path())) }
    }
}

/// What a Jenkins path asks for, without the job it asks it of: `/job/a/job/b/config.xml` → `config.xml`.
fn jenkins_action(path: &str) -> String {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    let mut action = Vec::new();
    while let Some(part) = parts.next() {
        match part {
            "job" if action.is_empty() => drop(parts.next()),
            number if number.bytes().all(|sign| sign.is_ascii_digit()) => action.push("N"),
            part => action.push(part),
        }
    }
    action.join("/")
}

pub(crate) async fn pause(delay: Duration) {
    if delay > Duration::ZERO {
        tokio::time::sleep(delay).await;
    }
}

/// Request ids look random, are the same in each run, and do not use up the world's ids.
fn request_id(number: u64) -> String {
    let hex = hex::encode(Sha256::digest(format!("request/{number}")));
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn identity() -> Request<Bytes> {
        Request::builder()
            .method("POST")
            .uri("/")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA1/20260105/eu-west-1/sts/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15"))
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_answered_and_stands_in_the_journal() {
        let sandbox = Sandbox::new(Settings::default());
        let response = sandbox.answer(Endpoint::Aws, identity()).await.unwrap();
        assert_eq!(response.status(), 200);
        let entry = sandbox.journal().pop().unwrap();
        assert_eq!((entry.call().as_str(), entry.caller.as_str()), ("sts GetCallerIdentity", "AKIA1"));
        assert_eq!(entry.headers["authorization"], "AKIA1");
        assert_eq!(entry.reply.unwrap().output["Account"], "111122223333");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unsigned_call_is_refused() {
        let sandbox = Sandbox::new(Settings::default());
        let mut request = identity();
        request.headers_mut().remove("authorization");
        let response = sandbox.answer(Endpoint::Aws, request).await.unwrap();
        assert_eq!(response.status(), 403);
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(text.contains("<Code>MissingAuthenticationToken</Code>"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn faults_end_calls_before_and_after_their_effect() {
        let sandbox = Sandbox::new(Settings::default());
        sandbox.fault(Fault::on("sts", "*").nth(1));
        sandbox.fault(Fault::on("sts", "*").nth(2).after(What::Throttle));
        sandbox.fault(Fault::on("sts", "*").nth(3).before(What::Delay { millis: 1500 }));
        assert_eq!(sandbox.answer(Endpoint::Aws, identity()).await.unwrap_err(), Dropped);
        assert_eq!(sandbox.answer(Endpoint::Aws, identity()).await.unwrap().status(), 400);
        let before = sandbox.now();
        assert_eq!(sandbox.answer(Endpoint::Aws, identity()).await.unwrap().status(), 200);
        assert_eq!(sandbox.now().duration_since(before).as_millis(), 1500);
        let seen: Vec<_> = sandbox.journal().iter().map(|entry| (entry.fault, entry.reply.is_some())).collect();
        let expected = [(Some("connection dropped"), false), (Some("throttled"), true), (Some("delayed"), true)];
        assert_eq!(seen, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fork_shares_the_past_but_not_the_future() {
        let sandbox = Sandbox::new(Settings::default());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let fork = sandbox.fork();
        assert_eq!(fork.now(), sandbox.now());
        fork.world(|world| {
            world.region("111122223333", "eu-west-1");
        });
        assert!(sandbox.world(|world| world.regions.is_empty()));
        assert!(fork.journal().is_empty());
    }

    #[test]
    fn jenkins_operations_leave_job_names_and_numbers_out() {
        let rows = [
            ("/createItem", "createItem"),
            ("/job/folder/job/name/config.xml", "config.xml"),
            ("/job/folder/createItem", "createItem"),
            ("/job/job/api/json", "api/json"),
            ("/job/x/12/api/json", "N/api/json"),
            ("/queue/item/7/api/json", "queue/item/N/api/json"),
            ("/", ""),
        ];
        for (path, action) in rows {
            assert_eq!(jenkins_action(path), action, "{path}");
        }
    }
}
