//! AWS clients for one place (account, region, role), and the one function that sorts SDK errors into faults.
//! The SDK's own retries are off: they hide calls and bypass budgets; `controller::drive` is the only one that retries.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::crd::status::{Placement, Reason};
use crate::domain::fault::{Fault, FaultKind};

/// The time that one AWS call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes clients for places, all with the same HTTP client, clock and credentials at their root.
#[derive(Clone)]
pub struct AwsFactory {
    base: SdkConfig,
    path_style: bool,
}

/// Clients for one place.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Aws {
    pub sts: aws_sdk_sts::Client,
    pub iam: aws_sdk_iam::Client,
    pub s3: aws_sdk_s3::Client,
    pub catalog: aws_sdk_servicecatalog::Client,
    pub sagemaker: aws_sdk_sagemaker::Client,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub connections: aws_sdk_codeconnections::Client,
}

impl AwsFactory {
    /// A factory over a base configuration: credentials, HTTP client, clock and, for tests, an endpoint URL.
    pub fn new(base: SdkConfig) -> Self {
        let path_style = base.endpoint_url().is_some();
        let base = base
            .into_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).build())
            .stalled_stream_protection(aws_config::stalled_stream_protection::StalledStreamProtectionConfig::disabled())
            .build();
        Self { base, path_style }
    }

    /// Clients for a place: its region, and its role if it names one.
    pub async fn connect(&self, placement: &Placement, session_name: &str) -> Aws {
        let region = aws_config::Region::new(placement.region.clone());
        let mut config = self.base.to_builder().region(region.clone()).build();
        if let Some(role_arn) = &placement.role_arn {
            let mut provider =
                AssumeRoleProvider::builder(role_arn).session_name(session_name).region(region).configure(&config);
            if let Some(external_id) = &placement.external_id {
                provider = provider.external_id(external_id);
            }
            config = config
                .into_builder()
                .credentials_provider(SharedCredentialsProvider::new(provider.build().await))
                .build();
        }
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(self.path_style).build();
        Aws {
            sts: aws_sdk_sts::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            catalog: aws_sdk_servicecatalog::Client::new(&config),
            sagemaker: aws_sdk_sagemaker::Client::new(&config),
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            connections: aws_sdk_codeconnections::Client::new(&config),
        }
    }
}

/// Sorts an SDK error by what happens next. `attempt` says what was attempted on which object: `create portfolio "x"`.
/// A caller that knows more about a code or message refines the result.
pub fn fault<E>(attempt: &str, error: &SdkError<E, Response>) -> Fault
where
    E: ProvideErrorMetadata,
{
    match error {
        SdkError::ServiceError(refused) => {
            let code = refused.err().code().unwrap_or_default();
            let message = refused.err().message().unwrap_or_default();
            service_fault(attempt, refused.raw().status().as_u16(), code, message)
        }
        SdkError::TimeoutError(_) => {
            Fault::new(FaultKind::Unavailable, format!("could not {attempt}: no answer in time"))
        }
        SdkError::DispatchFailure(failure) if failure.is_other() || failure.is_user() => {
            Fault::new(FaultKind::Denied, format!("could not {attempt}: no usable AWS credentials"))
                .because(Reason::CredentialsInvalid)
                .hint("check the operator's AWS credentials and, where a role is assumed, the role's trust policy")
        }
        SdkError::DispatchFailure(_) => {
            Fault::new(FaultKind::Unavailable, format!("could not {attempt}: AWS does not answer"))
        }
        SdkError::ResponseError(_) => {
            Fault::new(FaultKind::Unavailable, format!("could not {attempt}: the answer broke off"))
        }
        _ => Fault::new(FaultKind::Unexpected, format!("could not {attempt}: the request could not be made")),
    }
}

/// Sorts a refusal by its HTTP status, code and message.
pub fn service_fault(attempt: &str, status: u16, code: &str, message: &str) -> Fault {
    let text = format!("could not {attempt}: {code}: {message}");
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "BandwidthLimitExceeded"
        | "ProvisionedThroughputExceededException" => Fault::new(FaultKind::Throttled, text),
        "LimitExceededException" | "ResourceLimitExceeded" | "TooManyBuckets" => Fault::new(FaultKind::Rejected, text)
            .because(Reason::QuotaExceeded)
            .hint("raise the quota in Service Quotas, or remove what is no longer used"),
        "ConflictException" | "OperationAborted" | "OperationInProgressException" => {
            Fault::new(FaultKind::Conflict, text)
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "AuthFailure"
        | "InvalidToken"
        | "IncompleteSignature" => Fault::new(FaultKind::Denied, text)
            .because(Reason::CredentialsInvalid)
            .hint("renew the operator's AWS credentials"),
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden" | "NotAuthorized" => {
            Fault::new(FaultKind::Denied, text)
                .hint("allow the operator's role this action; docs list the policy it needs")
        }
        "RegionDisabledException" | "OptInRequired" => Fault::new(FaultKind::Rejected, text)
            .because(Reason::UnknownRegion)
            .hint("enable the region for the account, or correct aws.region"),
        _ if status == 429 => Fault::new(FaultKind::Throttled, text),
        _ if status >= 500 => Fault::new(FaultKind::Unavailable, text),
        _ if status == 401 || status == 403 => Fault::new(FaultKind::Denied, text),
        _ if status >= 400 => Fault::new(FaultKind::Rejected, text),
        _ => Fault::new(FaultKind::Unexpected, text),
    }
}
