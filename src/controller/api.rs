//! Calls of the Kubernetes API: one time limit, one error and one span for all of them. It stands apart because status, finalizer,
//! startup and reconcile share it.

use std::time::Duration;

use kube::ResourceExt;
use kube::core::DynamicObject;

use crate::metrics::CallOutcome;
use crate::telemetry::spans::Call;

/// The operator's name as a field manager and as a reporter of events.
pub const MANAGER: &str = "mlops-operator";
/// How long a call of the Kubernetes API may take.
pub const KUBERNETES_TIMEOUT: Duration = Duration::from_secs(30);

/// A call of the Kubernetes API that failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server refused, or could not be reached.
    #[error("Kubernetes: {0}")]
    Kube(#[from] kube::Error),
    /// It did not answer in time.
    #[error("Kubernetes: no answer within {} s", KUBERNETES_TIMEOUT.as_secs())]
    Silent,
}

impl ApiError {
    /// Whether what is known of the object is not the latest.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.is_conflict())
    }

    /// Whether the operator is not allowed to ask.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.is_forbidden())
    }

    /// Whether the object is not there any more.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Kube(kube::Error::Api(status)) if status.is_not_found())
    }
}

/// One call within its time.
///
/// # Errors
/// The call's own, or [`ApiError::Silent`].
pub async fn call<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    match tokio::time::timeout(KUBERNETES_TIMEOUT, request).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ApiError::Silent),
    }
}

/// One call of a reconcile within its time, with a span under this name.
///
/// # Errors
/// As [`call`].
pub async fn traced<T>(operation: &str, request: impl Future<Output = kube::Result<T>>) -> Result<T, ApiError> {
    let mut span = Call::begin("Kubernetes", operation);
    let result = call(request).await;
    let status = match &result {
        Ok(_) => Some(200),
        Err(ApiError::Kube(kube::Error::Api(status))) => Some(status.code),
        Err(_) => None,
    };
    span.ended(status.map_or(CallOutcome::Unanswered, CallOutcome::of), status.filter(|_| result.is_err()));
    result
}

/// The server's version of an object. Versions are numbers that grow.
pub fn version_of(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}
