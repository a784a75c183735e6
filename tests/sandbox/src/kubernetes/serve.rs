//! The transport: a tower service that a `kube::Client` can be made of, and the streams that watches are.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::definition;
use super::list;
use super::reviews;
use super::route::{Target, parsed};
use super::store::{Address, ECHO, Kubernetes, Refused};
use crate::faults::What;
use crate::sandbox::{Dropped, Edge, pause};

/// Body of every response.
pub type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// How often a quiet watch says how far it has come, if the client wants to know.
const BOOKMARK: Duration = Duration::from_mins(1);
/// How long before its end a watch says so a last time.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// The API as a service: `kube::Client::new(api.service(), "default")`.
#[derive(Clone)]
pub struct KubernetesService {
    pub(super) api: Kubernetes,
    /// Who asks.
    pub(super) user: String,
}

impl Kubernetes {
    /// The transport to this API.
    pub fn service(&self) -> KubernetesService {
        KubernetesService { api: self.clone(), user: reviews::OPERATOR.to_owned() }
    }
}

impl<B> tower::Service<Request<B>> for KubernetesService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody>;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Dropped>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { api, user } = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // A body that breaks off reaches the parser as what came of it, and is refused there.
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            if parts.method == http::Method::GET {
                return api.read(&parts, &body).await;
            }
            if let Some(answer) = Target::of(&parts).and_then(|target| api.review(&user, &target, &parsed(&body).ok()?))
            {
                return Ok(answered(answer));
            }
            api.write(&parts, &body).await
        })
    }
}

impl Kubernetes {
    /// A read. That of a definition alone meets faults: it is the one read before something is removed.
    async fn read(&self, request: &http::request::Parts, body: &[u8]) -> Result<Response<ResponseBody>, Dropped> {
        let target =
            Target::of(request).filter(|target| target.plural == definition::PLURAL && !target.name.is_empty());
        if let Some(target) = target {
            let line = target.line(&request.method);
            let trouble = self.faults.lock().unwrap_or_else(PoisonError::into_inner).meet("kubernetes", &line);
            if let Some(end) = &trouble.before {
                return ended(end).await;
            }
        }
        Ok(self.respond(request, body))
    }

    /// A write: faults before, the effect, faults after.
    async fn write(&self, request: &http::request::Parts, body: &[u8]) -> Result<Response<ResponseBody>, Dropped> {
        let line = Target::of(request).map(|target| target.line(&request.method)).unwrap_or_default();
        let trouble = self.faults.lock().unwrap_or_else(PoisonError::into_inner).meet("kubernetes", &line);
        pause(trouble.delay_before).await;
        if let Some(end) = &trouble.before {
            return ended(end).await;
        }
        self.tell(Edge::Before, &line);
        let response = self.respond(request, body);
        self.tell(Edge::After, &line);
        pause(trouble.delay_after).await;
        match &trouble.after {
            Some(end) => ended(end).await,
            None => Ok(response),
        }
    }

    fn tell(&self, edge: Edge, line: &str) {
        let onlooker = self.onlooker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(onlooker) = onlooker {
            onlooker(edge, &format!("kubernetes {line}"));
        }
    }

    fn respond(&self, request: &http::request::Parts, body: &[u8]) -> Response<ResponseBody> {
        let Some(target) = Target::of(request) else {
            return whole(404, &Refused::no_such_page().body());
        };
        self.state().calls.push(target.line(&request.method));
        if target.is_watch() {
            return self.watch(target).unwrap_or_else(|refused| whole(refused.status, &refused.body()));
        }
        let kind_of_patch = request.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        answered(self.answer(&request.method, &target, kind_of_patch.unwrap_or_default(), body))
    }

    fn watch(&self, target: Target) -> Result<Response<ResponseBody>, Refused> {
        self.kind_at(&target)?;
        if target.parameter("sendInitialEvents").is_some() {
            return Err(Refused::new(400, "BadRequest", "sendInitialEvents is not supported"));
        }
        let from =
            target.parameter("resourceVersion").and_then(|version| version.parse().ok()).filter(|from| *from > 0);
        let seconds = target.parameter("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(1800);
        let until = Instant::now() + Duration::from_secs(seconds);
        let watching = Watching {
            changed: self.changed.subscribe(),
            until,
            bookmark_due: next_bookmark(until),
            bookmarks: target.parameter("allowWatchBookmarks") == Some("true"),
            api: self.clone(),
            target,
            told: self.state().version,
            from,
            over: false,
        };
        let frames = stream::unfold(watching, |mut watching| async move {
            let lines = watching.next().await?;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(lines))), watching))
        });
        Ok(response(200, StreamBody::new(frames).boxed_unsync()))
    }
}

struct Watching {
    api: Kubernetes,
    target: Target,
    /// The version up to which all was looked at; `None`: nothing yet, and the watch begins with what there is.
    from: Option<u64>,
    /// The version that the client was told last; at first the present, as by a real server's cache.
    told: u64,
    changed: watch::Receiver<u64>,
    until: Instant,
    bookmark_due: Instant,
    bookmarks: bool,
    over: bool,
}

impl Watching {
    /// The next lines; `None` once the watch has timed out or failed.
    async fn next(&mut self) -> Option<String> {
        loop {
            if self.over {
                return None;
            }
            let lines = self.happened();
            if !lines.is_empty() {
                return Some(lines);
            }
            let lag = self.lag();
            // What is held back is told once it is old enough.
            let due =
                if lag > Duration::ZERO { self.bookmark_due.min(Instant::now() + lag) } else { self.bookmark_due };
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = tokio::time::sleep_until(due) => {
                    if Instant::now() < self.bookmark_due {
                        continue;
                    }
                    self.over = Instant::now() >= self.until;
                    self.bookmark_due = next_bookmark(self.until);
                    // A server does not repeat what the client knows already.
                    if !self.over && self.bookmarks && self.from > Some(self.told) {
                        return self.bookmark();
                    }
                }
            }
        }
    }

    fn lag(&self) -> Duration {
        *self.api.watch_lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happened(&mut self) -> String {
        self.changed.borrow_and_update();
        let lag = jiff::SignedDuration::try_from(self.lag()).unwrap_or(jiff::SignedDuration::ZERO);
        let known = self.api.clock.now() - lag;
        let api = self.api.clone();
        let state = api.state();
        let Some(from) = self.from else {
            self.from = Some(state.version);
            return self.lines(state.objects.iter().map(|(address, object)| ("ADDED", address, object)));
        };
        if from < state.compacted {
            self.over = true;
            let expired =
                Refused::new(410, "Expired", format!("too old resource version: {from} ({})", state.compacted));
            return line("ERROR", &expired.body());
        }
        let told = state.log.iter().rev().find(|happened| happened.at <= known).map_or(0, |happened| happened.version);
        self.from = Some(from.max(told));
        let news = state.log.iter().filter(|happened| happened.version > from && happened.version <= told);
        let told = |what| if what == ECHO { "MODIFIED" } else { what };
        self.lines(news.map(|happened| (told(happened.what), &happened.address, &happened.object)))
    }

    fn lines<'a>(&mut self, events: impl Iterator<Item = (&'static str, &'a Address, &'a Value)>) -> String {
        let mut lines = String::new();
        for (what, address, object) in events {
            match self.target.selects(address, object) {
                Ok(true) => {
                    self.told = self.told.max(version_of(object));
                    lines.push_str(&line(what, &list::part(&self.target, object.clone())));
                }
                Ok(false) => {}
                Err(refused) => {
                    self.over = true;
                    return line("ERROR", &refused.body());
                }
            }
        }
        lines
    }

    fn bookmark(&mut self) -> Option<String> {
        self.told = self.from?;
        let kind = self.api.kind(&self.target.plural).ok()?;
        let object = json!({
            "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"resourceVersion": self.told.to_string()},
        });
        Some(line("BOOKMARK", &list::part(&self.target, object)))
    }
}

fn version_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// A bookmark comes every minute, and once more shortly before the watch ends.
fn next_bookmark(until: Instant) -> Instant {
    let (now, last) = (Instant::now(), until.checked_sub(LAST_BOOKMARK).unwrap_or(until));
    if now < last { last.min(now + BOOKMARK) } else { until }
}

/// The answer that the script of faults wants.
async fn ended(end: &What) -> Result<Response<ResponseBody>, Dropped> {
    let (status, reason, message) = match end {
        What::DropConnection | What::Delay { .. } => return Err(Dropped),
        What::NoAnswer => std::future::pending().await,
        What::Throttle | What::ThrottleFor { .. } => {
            (429, "TooManyRequests", "too many requests, please try again later")
        }
        What::Refuse { code, message, status } => (*status, code.as_str(), message.as_str()),
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status,
    });
    Ok(whole(status, &body))
}

fn answered(answer: Result<(u16, Value), Refused>) -> Response<ResponseBody> {
    match answer {
        Ok((status, object)) => whole(status, &object),
        Err(refused) => whole(refused.status, &refused.body()),
    }
}

fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": what, "object": object}))
}

fn whole(status: u16, object: &Value) -> Response<ResponseBody> {
    let text = object.as_str().map_or_else(|| object.to_string(), str::to_owned);
    response(status, Full::new(Bytes::from(text)).boxed_unsync())
}

fn response(status: u16, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
