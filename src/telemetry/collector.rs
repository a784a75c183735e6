//! The way to a collector: OpenTelemetry's trait for an HTTP client over the HTTP and TLS that the operator has anyway. It bounds
//! each call, and says once that a collector takes nothing, and once that it does again. It decides nothing about what is sent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_http::{HttpClient, HttpError};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

use super::otlp::Endpoint;

/// The time that a connection may take, TLS excluded.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The time that a call may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read: it says how many records were refused, and why.
const ANSWER: usize = 64 * 1024;

/// A client of a collector; clones share connections and what is known of it.
#[derive(Clone)]
pub(super) struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    url: Arc<str>,
    is_away: Arc<AtomicBool>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Collector").field(&self.url).finish()
    }
}

impl Collector {
    /// A client whose calls are made on this runtime.
    pub(super) fn new(endpoint: &Endpoint, runtime: Handle) -> Result<Self, String> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls(endpoint.is_https())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(https);
        Ok(Self { client, runtime, url: endpoint.text().into(), is_away: Arc::default() })
    }

    /// One call, within its time.
    async fn call(self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let answer = async {
            let answer = self.client.request(request.map(Full::new)).await;
            let (parts, body) = answer.map_err(|error| deepest(&error))?.into_parts();
            let body = Limited::new(body, ANSWER).collect().await.map_err(|error| deepest(error.as_ref()))?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        let slow = |_| format!("no answer within {} s", TIMEOUT.as_secs());
        tokio::time::timeout(TIMEOUT, answer).await.map_err(slow)?
    }

    /// Tells, where that has changed, whether the collector takes what it is sent.
    fn note(&self, answer: &Result<Response<Bytes>, String>) {
        let wrong = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            Err(error) => Some(error.clone()),
        };
        let was_away = self.is_away.swap(wrong.is_some(), Ordering::Relaxed);
        match wrong {
            Some(reason) if !was_away => {
                tracing::warn!(collector = %self.url, %reason, "takes no traces and logs: they are lost until it does");
            }
            None if was_away => tracing::info!(collector = %self.url, "takes traces and logs again"),
            _ => {}
        }
    }
}

// Written out as the macro `async_trait` would, which is the trait's own way.
impl HttpClient for Collector {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            // Batches are sent from threads without a runtime.
            let called = self.runtime.spawn(self.clone().call(request)).await;
            let answer = called.unwrap_or_else(|error| Err(error.to_string()));
            self.note(&answer);
            answer.map_err(Into::into)
        })
    }
}

/// The error at the root of an error, which says what happened and to which address.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// The certificates of the machine are trusted; nothing is read where nothing is encrypted.
fn tls(is_needed: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if is_needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err("no certificates are found by which a collector could be trusted: set SSL_CERT_FILE".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}
