//! /healthz, /readyz and /metrics. It answers while the operator waits for its Lease, too: a replica that waits is
//! healthy and ready.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// Whether the operator can work, and if not, why.
#[derive(Clone)]
pub struct Readiness(Arc<Mutex<Result<(), String>>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Err("starting".to_owned()))))
    }
}

impl Readiness {
    /// The operator can work.
    pub fn ready(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Ok(());
    }

    /// The operator cannot work, for this reason.
    pub fn not_ready(&self, reason: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Err(reason.into());
    }

    /// How it stands.
    pub fn get(&self) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes the port; 0 takes a free one.
///
/// # Errors
/// The address cannot be used.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until `stop` comes.
///
/// # Errors
/// The socket breaks.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(|State((metrics, _)): State<(Metrics, Readiness)>| async move { metrics.text() }))
        .with_state((metrics, readiness));
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

async fn readyz(State((_, readiness)): State<(Metrics, Readiness)>) -> (StatusCode, String) {
    match readiness.get() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
