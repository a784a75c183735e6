//! The configuration of AWS clients that talk to a sandbox in process. One place for all tests, so that a new setting of the
//! SDK is made once. Credentials, region and endpoint are the caller's.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use mlops_operator::clock::Clock;
use mlops_sandbox::Sandbox;

/// The address that path-style URLs begin with; nothing is resolved or connected to.
pub const ENDPOINT: &str = "http://sandbox";

/// A configuration without credentials and region, whose time is the given clock's.
pub fn config(sandbox: &Sandbox, clock: Clock) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(sandbox.aws_http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(clock))
        .build()
}

/// The same, with which somebody else of the account works in a region.
pub fn person(sandbox: &Sandbox, clock: Clock, region: &'static str) -> SdkConfig {
    let keys = SharedCredentialsProvider::new(Credentials::for_tests());
    config(sandbox, clock).into_builder().credentials_provider(keys).region(Region::new(region)).build()
}
