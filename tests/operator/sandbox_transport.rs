//! The sandbox's in-process transport with the SDK clients that the operator uses: what they send is understood, and
//! what comes back is what they expect, in each wire protocol, refusals and broken connections included.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use mlops_sandbox::{Fault, Sandbox, Settings, What};

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";

fn config(sandbox: &Sandbox) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(sandbox.aws_http_client())
        .retry_config(RetryConfig::disabled())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(30)).build())
        .build()
}

#[tokio::test(start_paused = true)]
async fn the_query_protocol_answers_who_calls() {
    let sandbox = Sandbox::new(Settings::default());
    let identity = aws_sdk_sts::Client::new(&config(&sandbox)).get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account(), Some(ACCOUNT));
    assert_eq!(sandbox.calls(), ["sts GetCallerIdentity"]);
}

#[tokio::test(start_paused = true)]
async fn cbor_answers_and_refuses() {
    let sandbox = Sandbox::new(Settings::default());
    let client = aws_sdk_codeconnections::Client::new(&config(&sandbox));
    let arn = sandbox.world(|world| {
        let connections = &mut world.region(ACCOUNT, REGION).connections;
        connections.add(ACCOUNT, REGION, "6f1c0a1e-0000-4000-8000-000000000001", "git", "AVAILABLE")
    });
    let found = client.get_connection().connection_arn(&arn).send().await.unwrap();
    assert_eq!(found.connection().unwrap().connection_name(), Some("git"));
    let other = arn.replace("0001", "0002");
    let refused = client.get_connection().connection_arn(other).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ResourceNotFoundException"));
}

#[tokio::test(start_paused = true)]
async fn json_answers_and_refuses() {
    let sandbox = Sandbox::new(Settings::default());
    let client = aws_sdk_servicecatalog::Client::new(&config(&sandbox));
    let made = client
        .create_portfolio()
        .display_name("ml")
        .provider_name("platform")
        .idempotency_token("token-1")
        .send()
        .await
        .unwrap();
    let id = made.portfolio_detail().unwrap().id().unwrap().to_owned();
    assert!(client.describe_portfolio().id(&id).send().await.unwrap().portfolio_detail().is_some());
    let refused = client.describe_portfolio().id("port-gone").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ResourceNotFoundException"));
}

#[tokio::test(start_paused = true)]
async fn an_object_comes_back_as_it_was_put() {
    let sandbox = Sandbox::new(Settings::default());
    let client = aws_sdk_s3::Client::new(&config(&sandbox));
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
        .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::EuWest1)
        .build();
    client.create_bucket().bucket("artifacts").create_bucket_configuration(place).send().await.unwrap();
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"Resources: {}");
    client.put_object().bucket("artifacts").key("a/template.yaml").body(body).send().await.unwrap();
    let got = client.get_object().bucket("artifacts").key("a/template.yaml").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"Resources: {}");
    assert_eq!(sandbox.calls(), ["s3 CreateBucket", "s3 PutObject", "s3 GetObject"]);
}

#[tokio::test(start_paused = true)]
async fn scripted_trouble_looks_to_the_client_like_the_real_one() {
    let sandbox = Sandbox::new(Settings::default());
    let client = aws_sdk_sts::Client::new(&config(&sandbox));
    sandbox.fault(Fault::on("sts", "*").nth(1).after(What::DropConnection));
    sandbox.fault(Fault::on("sts", "*").nth(2).before(What::NoAnswer));
    sandbox.fault(Fault::on("sts", "*").nth(3).before(What::Throttle));
    let dropped = client.get_caller_identity().send().await.unwrap_err();
    assert!(matches!(&dropped, SdkError::DispatchFailure(failure) if failure.is_io()), "{dropped:?}");
    let before = tokio::time::Instant::now();
    let silent = client.get_caller_identity().send().await.unwrap_err();
    assert!(matches!(silent, SdkError::TimeoutError(_)), "{silent:?}");
    assert_eq!(before.elapsed().as_secs(), 30, "the client's own time-out ended it");
    let throttled = client.get_caller_identity().send().await.unwrap_err();
    assert_eq!(throttled.code(), Some("Throttling"));
}
