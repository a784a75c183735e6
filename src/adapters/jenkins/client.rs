//! One call at a time to one Jenkins, as one user. The client adds credentials, encoding, time limits and, once, a
//! crumb; it does not retry, follows no redirect and decides nothing. Where a server is known not to answer it says so at once.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use super::errors;
use super::glance::Names;
use super::outage::{Outage, Passage, Silence};
use super::transport::{self, BaseUrl};
use crate::adapters::budget::{Budgets, JENKINS, Place, Sent};
use crate::adapters::sharing::Answers;
use crate::crd::status::{Placement, Reason};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::platform::JenkinsCredentials;
use crate::metrics::Class;
use crate::resources::jenkins_jobs::ObservedFolder;

/// What a transport may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Transport = BoxCloneSyncService<Request<Bytes>, Response<Bytes>, BoxError>;

/// The time that a read may take, connecting included.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The time that a write may take: posting a configuration restarts triggers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Larger answers are refused.
pub(super) const MAX_BODY: usize = 8 * 1024 * 1024;
/// What calls: firewalls refuse who does not say so (rule NoUserAgent_HEADER of AWS WAF's core rule set).
const AGENT: &str = concat!("mlops-operator/", env!("CARGO_PKG_VERSION"));
/// Writes of one client at once: Jenkins locks the parent of what is written.
const WRITES_AT_ONCE: usize = 2;

/// A client of one Jenkins as one user. Cloning is cheap, and clones share the limit on writes, what is known of an
/// outage, and the answers that many objects may share.
#[derive(Clone)]
pub struct JenkinsClient {
    transport: Transport,
    base: BaseUrl,
    authorization: HeaderValue,
    writes: Arc<Semaphore>,
    budgets: Option<Budgets>,
    outage: Outage,
    /// Folders that many projects go through, and the root.
    pub(super) outer_folders: Answers<Vec<String>, Option<ObservedFolder>>,
    /// The names of items in folders, by the path of the folder around them or of the folder itself.
    pub(super) names: Answers<Vec<String>, Names>,
}

/// An answer that came, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// A header's text. Jetty writes ISO-8859-1.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.as_bytes().iter().map(|byte| char::from(*byte)).collect())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether a post was refused for want of a crumb (CrumbFilter).
    fn lacks_a_crumb(&self) -> bool {
        self.status == StatusCode::FORBIDDEN && self.text().contains("No valid crumb")
    }
}

/// A call, before credentials.
struct Call {
    method: Method,
    target: String,
    body: Option<String>,
}

impl Call {
    /// Asks for next to nothing: whether somebody answers, and what.
    fn presence() -> Self {
        Self { method: Method::GET, target: "/api/json?tree=mode".to_owned(), body: None }
    }
}

impl JenkinsClient {
    /// A client of the real Jenkins of a placement. `ca_bundle` holds PEM certificates that are trusted besides the
    /// system's; it may be empty.
    ///
    /// # Errors
    /// `Rejected` for a URL that is not allowed or a CA bundle without certificates; `Denied` for unusable credentials.
    pub fn connect(placement: &Placement, credentials: &JenkinsCredentials, ca_bundle: &str) -> Result<Self, Fault> {
        let base = BaseUrl::parse(&placement.jenkins_url, placement.allow_plain_http)?;
        Self::assemble(transport::transport(ca_bundle)?, base, credentials)
    }

    /// A client over a transport of the caller's: the sandbox, in tests. The URL's rules hold all the same.
    ///
    /// # Errors
    /// As [`JenkinsClient::connect`].
    pub fn over<S>(service: S, placement: &Placement, credentials: &JenkinsCredentials) -> Result<Self, Fault>
    where
        S: tower::Service<Request<Bytes>, Response = Response<Bytes>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let base = BaseUrl::parse(&placement.jenkins_url, placement.allow_plain_http)?;
        Self::assemble(BoxCloneSyncService::new(service.map_err(Into::into)), base, credentials)
    }

    /// The same client, which tells `observer` of each call's method, and what that answers of the status of the call's answer, if
    /// one came.
    #[must_use]
    pub fn observed<F>(mut self, observer: impl Fn(&Method) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: FnOnce(Option<StatusCode>) + Send + 'static,
    {
        let inner = self.transport;
        self.transport = BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
            let (inner, ended) = (inner.clone(), observer(request.method()));
            async move {
                let answer = inner.oneshot(request).await;
                ended(answer.as_ref().ok().map(Response::status));
                answer
            }
        }));
        self
    }

    /// The same client, whose calls wait for their turn in the budget of its server.
    #[must_use]
    pub fn in_budgets(self, budgets: Budgets) -> Self {
        Self { budgets: Some(budgets), ..self }
    }

    /// Waits until a call may go. Its time begins only then.
    async fn turn(&self, attempt: &str) -> Result<Option<Sent>, Fault> {
        let Some(budgets) = &self.budgets else { return Ok(None) };
        let server = self.base.text().split_once("://").map_or(self.base.text(), |(_, server)| server);
        let place = Place { remote: JENKINS.to_owned(), account: server.to_owned(), region: String::new() };
        budgets.turn(&place).await.map(Some).map_err(|withheld| withheld.fault(attempt))
    }

    fn assemble(transport: Transport, base: BaseUrl, credentials: &JenkinsCredentials) -> Result<Self, Fault> {
        let user = &credentials.username;
        if user.is_empty() || user.contains(':') {
            return Err(Fault::new(FaultKind::Denied, "the Jenkins user name is empty or contains a colon")
                .with_reason(Reason::JenkinsCredentialsInvalid)
                .hint("put the user name and an API token of that user into the Secret"));
        }
        let encoded = STANDARD.encode(format!("{user}:{}", credentials.token.value.reveal().trim()));
        let mut authorization = HeaderValue::from_str(&format!("Basic {encoded}"))
            .map_err(|_| Fault::new(FaultKind::Denied, "the Jenkins credentials make no HTTP header"))?;
        authorization.set_sensitive(true);
        let writes = Arc::new(Semaphore::new(WRITES_AT_ONCE));
        let (outage, outer_folders, names) = (Outage::default(), Answers::default(), Answers::default());
        Ok(Self { transport, base, authorization, writes, budgets: None, outage, outer_folders, names })
    }

    /// Reads anything; every status is an answer here. `path` starts with a slash and is already encoded.
    pub(super) async fn read(&self, attempt: &str, path: &str, query: &[(&str, &str)]) -> Result<Answer, Fault> {
        self.send(attempt, &Call { method: Method::GET, target: target(path, query), body: None }, None, READ_TIMEOUT)
            .await
    }

    /// Reads JSON together with the version that the server gives itself. Not found is `None`.
    pub(super) async fn json(&self, attempt: &str, path: &str, tree: &str) -> Result<Option<Value>, Fault> {
        let answer = self.read(attempt, &format!("{path}/api/json"), &[("tree", tree)]).await?;
        match answer.status {
            StatusCode::OK => errors::json(attempt, &answer).map(Some),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(errors::refusal(attempt, &answer)),
        }
    }

    /// Reads a file such as `config.xml`. Not found is `None`.
    pub(super) async fn file(&self, attempt: &str, path: &str) -> Result<Option<String>, Fault> {
        let answer = self.read(attempt, path, &[]).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.text())),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(errors::refusal(attempt, &answer)),
        }
    }

    /// Posts; every status is an answer here, a request for a crumb excepted: that is met once.
    pub(super) async fn post(
        &self,
        attempt: &str,
        path: &str,
        query: &[(&str, &str)],
        xml: Option<String>,
    ) -> Result<Answer, Fault> {
        // The semaphore is never closed; if it were, writing without a permit would still be right.
        let _permit = self.writes.acquire().await.ok();
        let call = Call { method: Method::POST, target: target(path, query), body: xml };
        let answer = self.send(attempt, &call, None, WRITE_TIMEOUT).await?;
        if !answer.lacks_a_crumb() {
            return Ok(answer);
        }
        match self.crumb(attempt).await? {
            Some(crumb) => self.send(attempt, &call, Some(crumb), WRITE_TIMEOUT).await,
            None => Ok(answer),
        }
    }

    /// A crumb as headers, with the session that it belongs to (SECURITY-626).
    async fn crumb(&self, attempt: &str) -> Result<Option<HeaderMap>, Fault> {
        let answer = self.read(attempt, "/crumbIssuer/api/json", &[]).await?;
        if answer.status != StatusCode::OK {
            return Ok(None);
        }
        let value = errors::json(attempt, &answer)?;
        let field = value.get("crumbRequestField").and_then(Value::as_str).unwrap_or("Jenkins-Crumb");
        let crumb = value.get("crumb").and_then(Value::as_str).unwrap_or_default();
        let mut headers = HeaderMap::new();
        if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(field), HeaderValue::from_str(crumb)) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let cookies = answer.headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).map(str::trim).collect();
        if let Ok(mut value) = HeaderValue::from_str(&pairs.join("; ")) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
        Ok(Some(headers))
    }

    async fn send(
        &self,
        attempt: &str,
        call: &Call,
        more: Option<HeaderMap>,
        limit: Duration,
    ) -> Result<Answer, Fault> {
        let impossible = || Fault::new(FaultKind::Rejected, format!("could not {attempt}: its name makes no URL"));
        let mut request = self.request(call).map_err(|_| impossible())?;
        if call.body.is_some() {
            // Jenkins reads a posted config.xml in the charset that this header names.
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
        }
        request.headers_mut().extend(more.unwrap_or_default());
        let sent = self.turn(attempt).await?;
        if self.outage.may_send(READ_TIMEOUT).map_err(|silence| silence.fault(attempt))? == Passage::Try {
            self.try_whether_it_answers(attempt).await?;
        }
        let answer = tokio::time::timeout(limit, self.transport.clone().oneshot(request)).await;
        if let Some(sent) = &sent {
            sent.ended(Class::of(call.method.as_str()));
        }
        match answer {
            Ok(Ok(response)) => {
                self.answered();
                let (mut parts, body) = response.into_parts();
                if let Ok(server) = HeaderValue::from_str(self.base.authority()) {
                    parts.headers.insert(errors::SERVER, server);
                }
                if let Some(sent) = sent {
                    heed(&sent, parts.status, &parts.headers);
                }
                if body.len() > MAX_BODY {
                    return Err(errors::too_large(attempt));
                }
                let answer = Answer { status: parts.status, headers: parts.headers, body };
                if self.is_starting(&answer).await { Err(errors::starting(attempt)) } else { Ok(answer) }
            }
            Ok(Err(error)) => Err(self.silent(attempt, errors::no_answer(attempt, error.as_ref())?)),
            Err(_) => Err(self.silent(attempt, Silence::TooSlow)),
        }
    }

    /// A call as a request to this server, as this user.
    fn request(&self, call: &Call) -> http::Result<Request<Bytes>> {
        let mut request = self.unauthorized(call)?;
        request.headers_mut().insert(AUTHORIZATION, self.authorization.clone());
        if call.method == Method::POST && call.body.is_none() {
            // Where there is no body, hyper sends no length, and some servers insist on one (411).
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Ok(request)
    }

    /// The same call as nobody.
    fn unauthorized(&self, call: &Call) -> http::Result<Request<Bytes>> {
        Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.base.text(), call.target))
            .header(HOST, self.base.authority())
            .header(USER_AGENT, AGENT)
            .body(Bytes::from(call.body.clone().unwrap_or_default()))
    }

    /// Whether a refusal is that of a Jenkins which loads its jobs: until it has, it knows no users (`User.Scanner`, since
    /// 2.524 after `JOB_CONFIG_ADAPTED`) and refuses valid tokens, and tells who has none that it is starting.
    async fn is_starting(&self, answer: &Answer) -> bool {
        let is_jenkins = answer.headers.contains_key("x-jenkins");
        let about_the_user = answer.status == StatusCode::UNAUTHORIZED
            || answer.status == StatusCode::FORBIDDEN && !is_jenkins && !answer.lacks_a_crumb();
        if !about_the_user {
            return false;
        }
        let Ok(request) = self.unauthorized(&Call::presence()) else { return false };
        let answer = tokio::time::timeout(READ_TIMEOUT, self.transport.clone().oneshot(request)).await;
        matches!(answer, Ok(Ok(response)) if response.status() == StatusCode::SERVICE_UNAVAILABLE)
    }

    /// After an outage: asks for next to nothing, as anybody's call may be slow by itself. Whatever comes is an answer.
    async fn try_whether_it_answers(&self, attempt: &str) -> Result<(), Fault> {
        let request = self.request(&Call::presence()).map_err(|_| errors::no_connection(attempt))?;
        let silence = match tokio::time::timeout(READ_TIMEOUT, self.transport.clone().oneshot(request)).await {
            Ok(Err(error)) => errors::no_answer(attempt, error.as_ref()).ok(),
            Ok(Ok(_)) => None,
            Err(_) => Some(Silence::TooSlow),
        };
        let Some(silence) = silence else {
            self.answered();
            return Ok(());
        };
        self.outage.goes_on(silence);
        Err(silence.fault(attempt))
    }

    fn answered(&self) {
        if self.outage.answered() {
            tracing::info!(jenkins = self.base.text(), "answers again");
        }
    }

    fn silent(&self, attempt: &str, how: Silence) -> Fault {
        let fault = how.fault(attempt);
        if self.outage.silent(how) {
            let jenkins = self.base.text();
            tracing::warn!(jenkins, last = fault.message, "does not answer: it is tried by one call now and then");
        }
        fault
    }
}

/// Tells the budget what the server, or a proxy before it, asks for.
fn heed(sent: &Sent, status: StatusCode, headers: &HeaderMap) {
    let asked = sent.retry_after(headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()));
    match (status, asked) {
        (StatusCode::TOO_MANY_REQUESTS, asked) => sent.throttled(asked),
        (StatusCode::SERVICE_UNAVAILABLE, Some(asked)) => sent.hold(asked),
        _ => {}
    }
}

fn target(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query);
    format!("{path}?{}", encoded.finish())
}
