//! Sorts what AWS answers when a call does not succeed by what happens next. It stands alone because every adapter of AWS
//! sorts alike; a caller that knows more about a code or a message refines the result.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::adapters::budget::Withheld;
use crate::crd::status::Reason;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::text::one_line;

/// The codes of a refusal since calls come too fast.
pub(super) const THROTTLES: [&str; 10] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "BandwidthLimitExceeded",
    "ProvisionedThroughputExceededException",
];

/// The header in which `budgeted` notes on a refusal whose calls come too fast: service, account and region.
pub(super) const THROTTLED_BY: &str = "mlops-operator-throttled-by";

/// Sorts an SDK error by what happens next. `attempt` says what was attempted on which object: `create portfolio "x"`.
/// A caller that knows more about a code or message refines the result.
pub fn fault<E>(attempt: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata,
{
    let unavailable = |reason: &str| Fault::new(FaultKind::Unavailable, format!("could not {attempt}: {reason}"));
    match error {
        SdkError::ServiceError(refused) => {
            let code = refused.err().code().unwrap_or_default();
            let message = refused.err().message().unwrap_or_default();
            let mut fault = service_fault(attempt, refused.raw().status().as_u16(), code, message);
            if let (FaultKind::Throttled, Some(place)) = (fault.kind, refused.raw().headers().get(THROTTLED_BY)) {
                fault.message = format!("{} (calls of {place} come too fast)", fault.message);
            }
            Fault { retry_after: retry_after(refused.raw()), ..fault }
        }
        SdkError::TimeoutError(_) => unavailable("no answer in time"),
        SdkError::DispatchFailure(failure) => {
            let known = |error| {
                not_answered(attempt, error)
                    .or_else(|| credentials_fault(attempt, error))
                    .or_else(|| unresolved(attempt, error))
            };
            failure.as_connector_error().and_then(known).unwrap_or_else(|| {
                unavailable("AWS cannot be reached").hint("check the network between the operator and AWS")
            })
        }
        SdkError::ResponseError(_) => unavailable("the answer broke off"),
        _ => Fault::new(FaultKind::Unexpected, format!("could not {attempt}: the request could not be made")),
    }
}

/// When AWS asks to be called again, where it says so in seconds.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let seconds: u64 = response.headers().get("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The fault of a call that waited too long for its turn and was not sent, or that was sent and not answered in time.
fn not_answered(attempt: &str, error: &ConnectorError) -> Option<Fault> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |cause| Error::source(*cause)).find_map(|cause| {
        if let Some(withheld) = cause.downcast_ref::<Withheld>() {
            return Some(withheld.fault(attempt));
        }
        let slow = || Fault::new(FaultKind::Unavailable, format!("could not {attempt}: no answer in time"));
        cause.is::<tokio::time::error::Elapsed>().then(slow)
    })
}

/// The fault where DNS does not know the endpoint: endpoints are made from the region's name, so it is the region that
/// does not exist, or DNS that fails. The resolver's error has no type of its own.
fn unresolved(attempt: &str, error: &ConnectorError) -> Option<Fault> {
    let first: &(dyn Error + 'static) = error;
    let mut causes = std::iter::successors(Some(first), |cause| Error::source(*cause));
    let said = |cause: &(dyn Error + 'static)| {
        let text = cause.to_string();
        text.starts_with("dns error") || text.contains("failed to lookup address information")
    };
    causes.any(said).then(|| {
        let text = format!("could not {attempt}: DNS does not know AWS's endpoint in the region of the spec");
        Fault::new(FaultKind::Unavailable, text)
            .with_reason(Reason::UnknownRegion)
            .hint("correct aws.region, or repair the DNS that the operator uses")
    })
}

/// The fault of a request that was never sent since no credentials could be had: the SDK reports that as a failed
/// dispatch, with a [`CredentialsError`] among its causes. `None`: the dispatch failed for another reason, such as
/// DNS, a refused connection or TLS.
fn credentials_fault(attempt: &str, error: &ConnectorError) -> Option<Fault> {
    let causes: Vec<&(dyn Error + 'static)> =
        std::iter::successors(error.source(), |cause| Error::source(*cause)).collect();
    // AssumeRole and AssumeRoleWithWebIdentity fail like any call: with their own code, throttled, or unreachable.
    for cause in &causes {
        if let Some(refused) = cause.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>() {
            return Some(role_fault(fault("assume the operator's role", refused)));
        }
        if let Some(refused) = cause.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>() {
            return Some(role_fault(fault("assume the operator's role", refused)));
        }
    }
    let hint = "give the operator AWS credentials: a role for its service account, or a profile; see the README";
    let denied = |reason: &str| {
        let text = format!("could not {attempt}: {reason}");
        Some(Fault::new(FaultKind::Denied, text).with_reason(Reason::CredentialsInvalid).hint(hint))
    };
    match causes.iter().find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        Some(CredentialsError::CredentialsNotLoaded(_)) => denied("there are no AWS credentials"),
        Some(CredentialsError::InvalidConfiguration(_)) => denied("the AWS credentials are not set up correctly"),
        Some(_) => {
            let text = format!("could not {attempt}: the source of the AWS credentials does not answer");
            Some(Fault::new(FaultKind::Unavailable, text))
        }
        // Without any provider the SDK finds no way to sign; it has no type of its own for that.
        None if causes.iter().any(|cause| cause.to_string().starts_with("failed to select an auth scheme")) => {
            denied("there are no AWS credentials")
        }
        None => None,
    }
}

/// A refusal to assume the role, with what a person can do about it.
fn role_fault(fault: Fault) -> Fault {
    match fault.reason {
        Reason::AccessDenied => fault.hint(
            "let the role in aws.assumeRole trust the operator's own role, with the external id if one is set, and allow the operator sts:AssumeRole",
        ),
        _ => fault,
    }
}

/// Sorts a refusal by its HTTP status, code and message.
pub fn service_fault(attempt: &str, status: u16, code: &str, message: &str) -> Fault {
    let text = format!("could not {attempt}: {code}: {}", one_line(message));
    match code {
        code if THROTTLES.contains(&code) => Fault::new(FaultKind::Throttled, text),
        "LimitExceededException" | "ResourceLimitExceeded" | "TooManyBuckets" => Fault::new(FaultKind::Rejected, text)
            .with_reason(Reason::QuotaExceeded)
            .hint("raise the quota in Service Quotas, or remove what is no longer used"),
        "ConflictException" | "OperationAborted" | "OperationInProgressException" => {
            Fault::new(FaultKind::Conflict, text)
        }
        // S3 waited in vain for the rest of a request (S3 error responses).
        "RequestTimeout" | "RequestTimeoutException" => Fault::new(FaultKind::Unavailable, text),
        // A clock that was set right, or a machine that slept, between signing and sending.
        "RequestTimeTooSkewed" | "RequestExpired" | "InvalidSignatureException" | "SignatureDoesNotMatch"
            if code != "SignatureDoesNotMatch" || message.contains("Signature expired") =>
        {
            Fault::new(FaultKind::Unavailable, text).hint(
                "it is tried again by itself; if this lasts, set the clock of the operator's node right and look at its AWS credentials",
            )
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "AuthFailure"
        | "InvalidToken"
        | "IncompleteSignature" => Fault::new(FaultKind::Denied, text).with_reason(Reason::CredentialsInvalid).hint(
            "renew the operator's AWS credentials; a region that is not enabled for the account refuses good ones, too",
        ),
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" | "NotAuthorized" => {
            Fault::new(FaultKind::Denied, text)
                .hint("allow the operator's role this action; docs list the policy it needs")
        }
        "RegionDisabledException" | "OptInRequired" => Fault::new(FaultKind::Rejected, text)
            .with_reason(Reason::UnknownRegion)
            .hint("enable the region for the account, or correct aws.region"),
        _ if status == 429 => Fault::new(FaultKind::Throttled, text),
        _ if status >= 500 => Fault::new(FaultKind::Unavailable, text),
        _ if status == 401 || status == 403 => Fault::new(FaultKind::Denied, text),
        _ if status >= 400 => Fault::new(FaultKind::Rejected, text),
        _ => Fault::new(FaultKind::Unexpected, text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::adapters::aws::clients::CALL_TIMEOUT;

    type Failure = SdkError<aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError, HttpResponse>;

    #[test]
    fn a_refusal_is_sorted_by_what_happens_next() {
        use FaultKind::{Conflict, Denied, Rejected, Throttled, Unavailable, Unexpected};
        let rows = [
            ("a rate limit of a JSON service", 400, "ThrottlingException", Throttled, Reason::Throttled),
            ("a rate limit of CloudFormation", 400, "Throttling", Throttled, Reason::Throttled),
            ("a rate limit of S3", 503, "SlowDown", Throttled, Reason::Throttled),
            ("a rate limit without a code", 429, "", Throttled, Reason::Throttled),
            ("a quota is no rate limit", 400, "LimitExceededException", Rejected, Reason::QuotaExceeded),
            ("too many buckets", 400, "TooManyBuckets", Rejected, Reason::QuotaExceeded),
            ("an operation in progress", 409, "OperationAborted", Conflict, Reason::Conflict),
            ("a session that is over", 400, "ExpiredTokenException", Denied, Reason::CredentialsInvalid),
            ("a key that is not known", 403, "InvalidClientTokenId", Denied, Reason::CredentialsInvalid),
            ("an action that is not allowed", 403, "AccessDenied", Denied, Reason::AccessDenied),
            ("the same of a JSON service", 400, "AccessDeniedException", Denied, Reason::AccessDenied),
            ("403 without a code", 403, "", Denied, Reason::AccessDenied),
            ("a region that is not enabled", 403, "RegionDisabledException", Rejected, Reason::UnknownRegion),
            ("a request that came too slowly", 400, "RequestTimeout", Unavailable, Reason::Unavailable),
            ("a clock that is off", 403, "RequestTimeTooSkewed", Unavailable, Reason::Unavailable),
            ("a signature that was too old", 400, "InvalidSignatureException", Unavailable, Reason::Unavailable),
            ("a secret key that is wrong", 403, "SignatureDoesNotMatch", Denied, Reason::CredentialsInvalid),
            ("a wrong request", 400, "ValidationException", Rejected, Reason::Rejected),
            ("a failure inside AWS", 500, "InternalFailure", Unavailable, Reason::Unavailable),
            ("a redirect", 301, "PermanentRedirect", Unexpected, Reason::Unexpected),
        ];
        for (name, status, code, kind, reason) in rows {
            let fault = service_fault("create bucket \"b\"", status, code, "the message");
            assert_eq!((fault.kind, fault.reason), (kind, reason), "{name}");
            assert!(fault.message.starts_with("could not create bucket \"b\": "), "{name}");
        }
    }

    fn not_sent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        SdkError::dispatch_failure(ConnectorError::other(cause.into(), None))
    }

    fn assume_refused(status: u16, code: &str) -> SdkError<AssumeRoleError, HttpResponse> {
        let metadata = aws_smithy_types::error::ErrorMetadata::builder().code(code).message("no").build();
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        SdkError::service_error(AssumeRoleError::generic(metadata), response)
    }

    #[test]
    fn what_was_never_answered_is_sorted_by_its_cause() {
        use FaultKind::{Denied, Throttled, Unavailable};
        let provider =
            |cause: SdkError<AssumeRoleError, HttpResponse>| not_sent(CredentialsError::provider_error(cause));
        let dns = SdkError::dispatch_failure(ConnectorError::io("failed to lookup address information".into()));
        let rows: [(&str, Failure, FaultKind, Reason); 10] = [
            ("a name that DNS does not know", dns, Unavailable, Reason::UnknownRegion),
            (
                "a connection that broke off",
                not_sent("connection closed before message completed"),
                Unavailable,
                Reason::Unavailable,
            ),
            ("no answer in time", SdkError::timeout_error("30 s"), Unavailable, Reason::Unavailable),
            ("no credentials", not_sent(CredentialsError::not_loaded("none")), Denied, Reason::CredentialsInvalid),
            (
                "a broken profile",
                not_sent(CredentialsError::invalid_configuration("profile")),
                Denied,
                Reason::CredentialsInvalid,
            ),
            (
                "no provider at all",
                not_sent("failed to select an auth scheme to sign the request with."),
                Denied,
                Reason::CredentialsInvalid,
            ),
            (
                "a provider that fails",
                not_sent(CredentialsError::provider_error("IMDS")),
                Unavailable,
                Reason::Unavailable,
            ),
            (
                "a provider that is slow",
                not_sent(CredentialsError::provider_timed_out(CALL_TIMEOUT)),
                Unavailable,
                Reason::Unavailable,
            ),
            (
                "a role that does not trust us",
                provider(assume_refused(403, "AccessDenied")),
                Denied,
                Reason::AccessDenied,
            ),
            ("STS throttles", provider(assume_refused(400, "Throttling")), Throttled, Reason::Throttled),
        ];
        for (name, failure, kind, reason) in rows {
            let fault = fault("look", &failure);
            assert_eq!((fault.kind, fault.reason), (kind, reason), "{name}: {}", fault.message);
        }
    }
}
