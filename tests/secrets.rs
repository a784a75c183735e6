//! Secrets watched by name, against the API in memory: what a wait for the first answer comes to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use mlops_operator::controller::object::Key;
use mlops_operator::controller::secrets::{Content, Secrets, Source};
use mlops_sandbox::Clock;
use mlops_sandbox::kubernetes::Kubernetes;
use serde_json::json;
use tower::ServiceExt;

const SECRET: &str = "c2VjcmV0";

/// An API that can be unavailable, and what is watched on it for one object.
struct Watched {
    api: Kubernetes,
    unavailable: Arc<AtomicBool>,
    secrets: Secrets,
    changed: UnboundedReceiver<Key>,
    source: Source,
}

fn watched() -> Watched {
    let api = Kubernetes::new(Clock::starting_at("2026-03-01T00:00:00Z".parse().unwrap()), &[]);
    let unavailable = Arc::new(AtomicBool::new(false));
    let (door, down) = (api.clone(), unavailable.clone());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (door, down) = (door.service(), down.clone());
        async move {
            if !down.load(Ordering::SeqCst) {
                return door.oneshot(request).await;
            }
            let status = json!({"kind": "Status", "status": "Failure", "reason": "ServiceUnavailable", "code": 503});
            let mut response = Response::new(Full::new(Bytes::from(status.to_string())).boxed_unsync());
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            Ok::<_, Infallible>(response)
        }
    });
    let (sender, changed) = unbounded();
    let secrets = Secrets::new(kube::Client::new(service, "default"), sender);
    Watched { api, unavailable, secrets, changed, source: Source::secret("team-a", "jenkins") }
}

impl Watched {
    fn put(&self) {
        let secret = json!({"metadata": {"name": "jenkins"}, "data": {"token": SECRET}});
        self.api.create("secrets", "team-a", secret).unwrap();
    }

    fn refer(&self) {
        let object = Key { namespace: "team-a".into(), name: "taxi".into() };
        self.secrets.refer(&object, &BTreeSet::from([self.source.clone()]));
    }

    async fn is_called_back(&mut self, within: Duration) -> bool {
        tokio::time::timeout(within, self.changed.next()).await.is_ok()
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_answer_is_waited_for_and_is_no_news() {
    let mut watched = watched();
    watched.put();
    watched.refer();
    assert!(matches!(watched.secrets.content(&watched.source).await, Content::Present { .. }));
    assert!(!watched.is_called_back(Duration::from_secs(60)).await);
    watched.api.delete("secrets", "team-a", "jenkins").unwrap();
    assert!(watched.is_called_back(Duration::from_secs(1)).await, "what changes later is");
    assert!(matches!(watched.secrets.content(&watched.source).await, Content::Absent));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_too_late_calls_the_object_back() {
    let mut watched = watched();
    watched.put();
    watched.unavailable.store(true, Ordering::SeqCst);
    watched.refer();
    assert!(matches!(watched.secrets.content(&watched.source).await, Content::Unknown));
    let again = tokio::time::timeout(Duration::from_secs(1), watched.secrets.content(&watched.source)).await;
    assert!(matches!(again, Ok(Content::Unknown)), "nobody waits for it a second time");
    watched.unavailable.store(false, Ordering::SeqCst);
    assert!(watched.is_called_back(Duration::from_secs(60)).await, "or the object would wait for minutes");
    assert!(matches!(watched.secrets.content(&watched.source).await, Content::Present { .. }));
}
