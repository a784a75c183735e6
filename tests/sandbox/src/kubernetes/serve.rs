//! The door: a tower service that a `kube::Client` can be made of, and the streams that watches are.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
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

use super::list;
use super::route::Target;
use super::store::{Address, Kubernetes, Refused};

/// Body of every response.
pub type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// How often a quiet watch says how far it has come, if the client wants to know.
const BOOKMARK: Duration = Duration::from_mins(1);
/// How long before its end a watch says so a last time.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// The API as a service: `kube::Client::new(api.service(), "default")`.
#[derive(Clone)]
pub struct KubernetesService(Kubernetes);

impl Kubernetes {
    /// The door to this API.
    pub fn service(&self) -> KubernetesService {
        KubernetesService(self.clone())
    }
}

impl<B> tower::Service<Request<B>> for KubernetesService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let api = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // A body that breaks off reaches the parser as what came of it, and is refused there.
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Ok(api.respond(&parts, &body))
        })
    }
}

impl Kubernetes {
    fn respond(&self, request: &http::request::Parts, body: &[u8]) -> Response<ResponseBody> {
        let Some(target) = Target::of(request) else {
            return whole(404, &Refused::no_such_page().body());
        };
        self.state().calls.push(target.line(&request.method));
        if target.is_watch() {
            return self.watch(target).unwrap_or_else(|refused| whole(refused.status, &refused.body()));
        }
        let kind_of_patch = request.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match self.answer(&request.method, &target, kind_of_patch.unwrap_or_default(), body) {
            Ok((status, object)) => whole(status, &object),
            Err(refused) => whole(refused.status, &refused.body()),
        }
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
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = tokio::time::sleep_until(self.bookmark_due) => {
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

    fn happened(&mut self) -> String {
        self.changed.borrow_and_update();
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
        self.from = Some(state.version);
        let news = state.log.iter().filter(|happened| happened.version > from);
        self.lines(news.map(|happened| (happened.what, &happened.address, &happened.object)))
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
