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

use super::route::Target;
use super::store::{Kubernetes, Refused};

/// Body of every response.
pub type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// How often a quiet watch says how far it has come, if the client wants to know.
const BOOKMARK: Duration = Duration::from_mins(1);

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
        let Some(target) = Target::of(&request.uri) else {
            return whole(
                404,
                &Refused::new(404, "NotFound", "the server could not find the requested resource").body(),
            );
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
        self.kind(&target.plural)?;
        if target.parameter("sendInitialEvents").is_some() {
            return Err(Refused::new(400, "BadRequest", "sendInitialEvents is not supported"));
        }
        let from: u64 = target.parameter("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
        let seconds = target.parameter("timeoutSeconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(1800);
        let watching = Watching {
            changed: self.changed.subscribe(),
            until: tokio::time::Instant::now() + Duration::from_secs(seconds),
            bookmarks: target.parameter("allowWatchBookmarks") == Some("true"),
            api: self.clone(),
            target,
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
    from: u64,
    changed: watch::Receiver<u64>,
    until: tokio::time::Instant,
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
            let quiet = self.until.min(tokio::time::Instant::now() + BOOKMARK);
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = tokio::time::sleep_until(quiet) => {
                    self.over = tokio::time::Instant::now() >= self.until;
                    if !self.over && self.bookmarks {
                        return self.bookmark();
                    }
                }
            }
        }
    }

    fn happened(&mut self) -> String {
        self.changed.borrow_and_update();
        let state = self.api.state();
        if self.from < state.compacted {
            self.over = true;
            let expired =
                Refused::new(410, "Expired", format!("too old resource version: {} ({})", self.from, state.compacted));
            return line("ERROR", &expired.body());
        }
        let mut lines = String::new();
        for happened in state.log.iter().filter(|happened| happened.version > self.from) {
            match self.target.selects(&happened.address, &happened.object) {
                Ok(true) => lines.push_str(&line(happened.what, &happened.object)),
                Ok(false) => {}
                Err(refused) => {
                    self.over = true;
                    return line("ERROR", &refused.body());
                }
            }
        }
        self.from = state.version;
        lines
    }

    fn bookmark(&self) -> Option<String> {
        let kind = self.api.kind(&self.target.plural).ok()?;
        let object = json!({
            "apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"resourceVersion": self.from.to_string()},
        });
        Some(line("BOOKMARK", &object))
    }
}

fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": what, "object": object}))
}

fn whole(status: u16, object: &Value) -> Response<ResponseBody> {
    response(status, Full::new(Bytes::from(object.to_string())).boxed_unsync())
}

fn response(status: u16, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
