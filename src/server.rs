//! /healthz, /readyz and /metrics. It answers while the operator waits for its Lease, too: a replica that waits is
//! healthy and ready.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// The type of the text in which metrics are told: a scraper refuses one without a version.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

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

/// Takes the port; 0 takes a free one. `[::]` takes it for IPv6 and IPv4, or for IPv4 alone where the machine has no IPv6.
///
/// # Errors
/// The address cannot be used.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let everywhere = address.ip() == Ipv6Addr::UNSPECIFIED;
    match TcpListener::bind(address).await {
        Err(error) if everywhere && !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
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
        .route("/metrics", get(telemetry))
        .with_state((metrics, readiness));
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

async fn telemetry(State((metrics, _)): State<(Metrics, Readiness)>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPENMETRICS)], metrics.text())
}

async fn readyz(State((_, readiness)): State<(Metrics, Readiness)>) -> (StatusCode, String) {
    match readiness.get() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn the_default_address_answers_to_ipv4_and_to_ipv6_where_there_is_any() {
        let listener = listen("[::]:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok(), "IPv4");
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok() {
            assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_ok(), "IPv6");
        }
        let taken = listen((Ipv6Addr::UNSPECIFIED, port).into()).await;
        assert!(taken.is_err(), "a port that is taken is refused");
    }
}
