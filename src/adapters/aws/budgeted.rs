//! The HTTP client of the SDK's clients: each call waits for its turn, has its time once it is sent, and tells the budget where
//! AWS asks to slow down. It stands alone as the one place of the SDK that can wait before each attempt; it decides nothing.

use std::fmt;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use aws_smithy_http_client::{Connector, proxy, tls};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::clients::CALL_TIMEOUT;
use super::errors::{THROTTLED_BY, THROTTLES};
use crate::adapters::budget::{Budgets, Place, named};
use crate::metrics::{CallOutcome, Class};

/// Bytes of a refusal that are read: AWS's have less than a hundredth of it.
const REFUSAL: usize = 1024 * 1024;

/// An HTTP client for the calls of one service in one place.
#[derive(Clone, Debug)]
pub(super) struct Budgeted {
    inner: SharedHttpClient,
    /// Without any, nothing waits.
    budgets: Option<Budgets>,
    place: Place,
}

impl Budgeted {
    pub(super) fn new(inner: SharedHttpClient, budgets: Option<Budgets>, place: Place) -> Self {
        Self { inner, budgets, place }
    }
}

impl HttpClient for Budgeted {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(InTurn { inner, budgets: self.budgets.clone(), place: self.place.clone() })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(&self, components: &RuntimeComponents, config: &ConfigBag) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct InTurn {
    inner: SharedHttpConnector,
    budgets: Option<Budgets>,
    place: Place,
}

impl HttpConnector for InTurn {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, budgets, place) = (self.inner.clone(), self.budgets.clone(), self.place.clone());
        HttpConnectorFuture::new(async move {
            let sent = match &budgets {
                Some(budgets) => {
                    let turn = budgets.turn(&place).await;
                    Some(turn.map_err(|withheld| ConnectorError::other(withheld.into(), None))?)
                }
                None => None,
            };
            let (deadline, class) = (Instant::now() + CALL_TIMEOUT, Class::of(&operation(&request)));
            let answer = timeout_at(deadline, answer(&inner, request)).await;
            if let Some(sent) = &sent {
                sent.ended(class);
            }
            let (mut answer, refusal) = answer.map_err(|slow| ConnectorError::timeout(slow.into()))??;
            let throttled = refusal.as_ref().is_some_and(|body| is_throttle(&place.remote, &answer, body));
            if throttled {
                // Whoever sorts the refusal does not know whose calls come too fast.
                let _ = answer.headers_mut().try_insert(THROTTLED_BY, named(&place));
            }
            if let (Some(sent), Some(_)) = (sent, refusal) {
                let asked = sent.retry_after(answer.headers().get("retry-after"));
                match asked {
                    _ if throttled => sent.throttled(asked),
                    Some(asked) => sent.hold(asked),
                    None => {}
                }
            }
            Ok(answer.map(|body| if body.bytes().is_some() { body } else { within(body, deadline) }))
        })
    }
}

/// The operation that a request is for, in each of the ways in which AWS's protocols have it; S3 has a method.
fn operation(request: &HttpRequest) -> String {
    if let Some((_, operation)) = request.headers().get("x-amz-target").and_then(|target| target.rsplit_once('.')) {
        return operation.to_owned();
    }
    if let Some((_, operation)) = request.uri().rsplit_once("/operation/") {
        return operation.to_owned();
    }
    let body = request.body().bytes().unwrap_or_default();
    match body.strip_prefix(b"Action=") {
        Some(rest) => String::from_utf8_lossy(rest.split(|sign| *sign == b'&').next().unwrap_or_default()).into_owned(),
        None => request.method().to_owned(),
    }
}

/// How a call ended that has this answer: `None`, if it was not sent or no answer came.
pub(crate) fn outcome(service: &str, answer: Option<&HttpResponse>) -> CallOutcome {
    let Some(answer) = answer else { return CallOutcome::Unanswered };
    match CallOutcome::of(answer.status().as_u16()) {
        CallOutcome::Ok => CallOutcome::Ok,
        _ if is_throttle(service, answer, answer.body().bytes().unwrap_or_default()) => CallOutcome::Throttled,
        other => other,
    }
}

/// The answer to a request; a refusal with its body, which is read already.
async fn answer(
    connector: &SharedHttpConnector,
    request: HttpRequest,
) -> Result<(HttpResponse, Option<Bytes>), ConnectorError> {
    let mut answer = connector.call(request).await?;
    if answer.status().as_u16() < 400 {
        return Ok((answer, None));
    }
    let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
    let read = Limited::new(body, REFUSAL).collect().await.map_err(ConnectorError::io)?.to_bytes();
    *answer.body_mut() = SdkBody::from(read.clone());
    Ok((answer, Some(read)))
}

/// Whether a refusal says that calls come too fast.
fn is_throttle(service: &str, answer: &HttpResponse, body: &[u8]) -> bool {
    let said = match answer.headers().get("x-amzn-errortype") {
        Some(code) => code.to_owned(),
        None => code(body),
    };
    let status = answer.status().as_u16();
    // What S3 answers to HEAD has no body, and 503 there always asks for fewer calls ("Error responses").
    let without_a_word = service == "S3" && status == 503 && body.is_empty();
    status == 429 || without_a_word || THROTTLES.iter().any(|throttle| said.contains(throttle))
}

/// What stands behind the member that has the code of a refusal, in JSON, XML or CBOR.
fn code(body: &[u8]) -> String {
    let after = |member: &[u8]| {
        let at = body.windows(member.len()).position(|window| window == member)?;
        body.get(at + member.len()..)
    };
    let Some(rest) = after(b"__type").or_else(|| after(b"<Code>")) else { return String::new() };
    let text = match rest {
        // CBOR (RFC 8949, 3.1): the length of a text stands before it, in the first byte or in the next. No JSON goes on so.
        [length @ 0x60..=0x77, text @ ..] => text.get(..usize::from(length & 0x1f)),
        [0x78, length, text @ ..] => text.get(..usize::from(*length)),
        text => Some(text),
    };
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    let begun = text.trim_start_matches(|sign: char| !sign.is_ascii_alphanumeric());
    begun.chars().take_while(|sign| sign.is_ascii_alphanumeric() || "._#".contains(*sign)).collect()
}

/// A body that breaks off when its call has had its time.
fn within(body: SdkBody, deadline: Instant) -> SdkBody {
    SdkBody::from_body_1_x(Within { body: Box::pin(body), late: Box::pin(sleep_until(deadline)) })
}

struct Within {
    body: Pin<Box<SdkBody>>,
    late: Pin<Box<Sleep>>,
}

/// The answer took too long.
#[derive(Debug)]
struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer did not end in time")
    }
}

impl std::error::Error for Late {}

impl Body for Within {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.body.as_mut().poll_frame(context) {
            Poll::Pending => self.late.as_mut().poll(context).map(|()| Some(Err(Late.into()))),
            ready => ready,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&*self.body)
    }
}

/// The SDK's own client over TLS, through the proxy that the environment names. It is one for all, so that connections and
/// certificates are, too.
#[derive(Debug, Default)]
struct Https(OnceLock<SharedHttpConnector>);

/// See [`Https`].
pub(super) fn https() -> SharedHttpClient {
    SharedHttpClient::new(Https::default())
}

impl HttpClient for Https {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        // The settings are the factory's, and thereby those of all.
        let made = || {
            let mut builder = Connector::builder()
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
                .connector_settings(settings.clone())
                .proxy_config(proxy::ProxyConfig::from_env());
            builder.set_sleep_impl(components.sleep_impl());
            SharedHttpConnector::new(builder.build())
        };
        self.0.get_or_init(made).clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use aws_smithy_runtime_api::http::StatusCode;
    use futures::stream;
    use http_body_util::StreamBody;

    use super::*;
    use crate::adapters::budget::LONGEST_WAIT;
    use crate::clock::Clock;
    use crate::metrics::Metrics;

    #[test]
    fn a_request_says_which_operation_it_is_for() {
        let request = |method: &str, uri: &str, target: Option<&str>, body: &'static str| {
            let mut request = HttpRequest::new(SdkBody::from(body));
            request.set_method(method).unwrap();
            request.set_uri(uri).unwrap();
            if let Some(target) = target {
                request.headers_mut().insert("x-amz-target", target.to_owned());
            }
            request
        };
        let host = "https://aws.example/";
        let rows = [
            ("JSON", request("POST", host, Some("SageMaker.DescribeProject"), "{}"), "DescribeProject"),
            ("Query", request("POST", host, None, "Action=CreateStack&Version=2010-05-15"), "CreateStack"),
            (
                "CBOR",
                request("POST", "https://aws.example/service/CloudFormation/operation/DescribeStacks", None, ""),
                "DescribeStacks",
            ),
            ("REST", request("GET", "https://bucket.aws.example/key", None, ""), "GET"),
        ];
        for (protocol, request, expected) in rows {
            assert_eq!(operation(&request), expected, "{protocol}");
        }
    }

    type Headers = &'static [(&'static str, &'static str)];

    fn answer_of(status: u16, headers: Headers, body: SdkBody) -> HttpResponse {
        let mut answer = HttpResponse::new(StatusCode::try_from(status).unwrap(), body);
        for (name, value) in headers {
            answer.headers_mut().insert(*name, *value);
        }
        answer
    }

    #[test]
    fn a_throttle_is_known_in_each_protocol_and_nothing_else_is_one() {
        let json =
            |code: &str| format!("{{\"__type\":\"{code}\",\"message\":\"Throttling, you might say\"}}").into_bytes();
        let xml = |code: &str| format!("<Error><Code>{code}</Code><Message>x</Message></Error>").into_bytes();
        let cbor = b"\xbf\x66__type\x78\x18TooManyRequestsException\x67message\x6dslow down now\xff".to_vec();
        let other = b"\xbf\x66__type\x78\x19ResourceNotFoundException\x67message\x6aThrottling\xff".to_vec();
        let none: Headers = &[];
        let header: Headers = &[("x-amzn-errortype", "ThrottlingException:http://internal/")];
        let older: Headers = &[("x-amzn-query-error", "RequestThrottled;Sender")];
        let rows = [
            ("JSON", "SageMaker", 400, none, json("ThrottlingException"), true),
            ("JSON with a namespace", "SageMaker", 400, none, json("com.amazon.coral#ThrottlingException"), true),
            ("the header", "SageMaker", 400, header, Vec::new(), true),
            ("XML of the query protocol", "CloudFormation", 400, none, xml("Throttling"), true),
            ("S3", "S3", 503, none, xml("SlowDown"), true),
            ("S3 without a body, as after HEAD", "S3", 503, none, Vec::new(), true),
            ("CBOR", "CodeConnections", 400, none, cbor, true),
            ("SQS, whose older code stands in another header", "SQS", 403, older, json("RequestThrottled"), true),
            ("429 whatever it says", "STS", 429, none, Vec::new(), true),
            ("another refusal in JSON", "SageMaker", 400, none, json("ValidationException"), false),
            ("a quota", "Service Catalog", 400, none, json("LimitExceededException"), false),
            ("another refusal in CBOR", "CodeConnections", 400, none, other, false),
            ("another service without a body", "IAM", 503, none, Vec::new(), false),
            ("S3 fails inside", "S3", 500, none, xml("InternalError"), false),
        ];
        for (name, service, status, headers, body, expected) in rows {
            let answer = answer_of(status, headers, SdkBody::empty());
            assert_eq!(is_throttle(service, &answer, &body), expected, "{name}");
        }
    }

    /// Answers after so long; its body never ends where it is endless.
    #[derive(Debug)]
    struct Slow {
        after: Duration,
        endless: bool,
    }

    impl HttpConnector for Slow {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let (after, endless) = (self.after, self.endless);
            HttpConnectorFuture::new(async move {
                tokio::time::sleep(after).await;
                let body = match endless {
                    true => {
                        SdkBody::from_body_1_x(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BoxError>>()))
                    }
                    false => SdkBody::from("done"),
                };
                Ok(answer_of(200, &[], body))
            })
        }
    }

    fn in_turn(after: Duration, endless: bool, budgets: Budgets) -> (InTurn, Place) {
        let text = |text: &str| text.to_owned();
        let place = Place { remote: text("SageMaker"), account: text("111122223333"), region: text("eu-west-1") };
        let inner = SharedHttpConnector::new(Slow { after, endless });
        (InTurn { inner, budgets: Some(budgets), place: place.clone() }, place)
    }

    fn budgets() -> Budgets {
        Budgets::new(Clock::starting_at("2026-03-01T12:00:00Z".parse().unwrap()), Metrics::default(), 8)
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_call_begins_once_it_is_sent() {
        let almost = CALL_TIMEOUT.checked_sub(Duration::from_secs(1)).unwrap();
        let rows = [
            ("it waits, and takes almost all of its time", 20, almost, false, Ok(())),
            ("it is not answered", 0, CALL_TIMEOUT * 2, false, Err("deadline has elapsed")),
            ("the answer does not end", 20, almost, true, Err("the answer did not end in time")),
        ];
        for (name, hold, after, endless, expected) in rows {
            let budgets = budgets();
            let (connector, place) = in_turn(after, endless, budgets.clone());
            budgets.turn(&place).await.unwrap().hold(Duration::from_secs(hold));
            let begun = Instant::now();
            let whole = async {
                let answer = connector.call(HttpRequest::empty()).await.map_err(|error| source(&error))?;
                answer.into_body().collect().await.map_err(|error| error.to_string())
            };
            let whole = whole.await.map(|_| ());
            assert_eq!(whole, expected.map_err(str::to_owned), "{name}");
            let most = Duration::from_secs(hold) + CALL_TIMEOUT + Duration::from_secs(1);
            assert!(begun.elapsed() <= most, "{name}: {:?}", begun.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_would_wait_too_long_is_not_sent() {
        let budgets = budgets();
        let (connector, place) = in_turn(Duration::ZERO, false, budgets.clone());
        budgets.turn(&place).await.unwrap().throttled(Some(LONGEST_WAIT * 2));
        let begun = Instant::now();
        let error = connector.call(HttpRequest::empty()).await.unwrap_err();
        let said = source(&error);
        assert_eq!(said, "SageMaker in account 111122223333 and eu-west-1 takes no more calls for now");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    fn source(error: &ConnectorError) -> String {
        std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
    }
}
