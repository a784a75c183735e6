//! What Jenkins, a proxy before it or the network answers when a call does not succeed, sorted by what happens next.
//! Texts of the remote side are put on one line: they end up in a status.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::client::Answer;
use super::outage::Silence;
use crate::crd::status::Reason;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::text::one_line;

/// The header in which the client notes which server has answered.
pub(super) const SERVER: &str = "mlops-operator-server";

/// Sorts an answer that is no success.
pub(super) fn refusal(attempt: &str, answer: &Answer) -> Fault {
    let is_jenkins = answer.headers.contains_key("x-jenkins");
    let status = answer.status.as_u16();
    let said = |kind: FaultKind, text: &str| Fault::new(kind, format!("could not {attempt}: {text}"));
    match answer.status {
        StatusCode::UNAUTHORIZED => said(FaultKind::Denied, "Jenkins refuses the user or API token (401)")
            .with_reason(Reason::JenkinsCredentialsInvalid)
            .hint("put a valid user and API token into the Secret; tokens are made and revoked on the user's security page"),
        StatusCode::FORBIDDEN => match answer.header("x-required-permission") {
            Some(permission) => said(FaultKind::Denied, &format!("the user lacks the permission {} (403)", one_line(&permission)))
                .hint("give the user that permission in Jenkins, on the folder or everywhere"),
            None if is_jenkins => said(FaultKind::Denied, "Jenkins forbids it (403)").hint("check the user's permissions in Jenkins"),
            None => said(FaultKind::Denied, "something before Jenkins forbids it (403): the answer is not Jenkins' own")
                .hint("let the operator's requests through the proxy, firewall or load balancer there"),
        },
        StatusCode::NOT_FOUND if is_jenkins => said(FaultKind::Conflict, "it, or the folder around it, is gone (404)"),
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
            let server = answer.header(SERVER).map(|server| format!(" by Jenkins at {server}")).unwrap_or_default();
            let said = said(FaultKind::Throttled, &format!("asked to slow down{server} (429)"));
            Fault { retry_after: seconds.map(Duration::from_secs), ..said }
        }
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            said(FaultKind::Unavailable, &format!("Jenkins is not available ({status})"))
                .hint("it may be starting: it is asked again by itself; if this lasts, look at its log")
        }
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT if is_jenkins => match answer.header("x-error") {
            Some(text) => said(FaultKind::Rejected, &one_line(&text)),
            None => said(FaultKind::Rejected, &format!("Jenkins refuses the request ({status})")),
        },
        StatusCode::INTERNAL_SERVER_ERROR if is_jenkins => {
            said(FaultKind::Unexpected, "Jenkins failed inside (500)").hint("its log tells why")
        }
        other if other.is_server_error() => said(FaultKind::Unavailable, &format!("the server failed ({status})")),
        other if other.is_redirection() => not_jenkins(attempt, &format!("it redirects elsewhere ({status})")),
        _ if !is_jenkins => not_jenkins(attempt, &format!("the answer ({status}) is not Jenkins'")),
        _ => said(FaultKind::Unexpected, &format!("Jenkins answers {status}")),
    }
}

/// Jenkins refuses the token and is not up yet.
pub(super) fn starting(attempt: &str) -> Fault {
    Fault::new(FaultKind::Unavailable, format!("could not {attempt}: Jenkins is starting, and knows no users yet"))
        .hint("it is asked again by itself; if this lasts, look at its log")
}

/// Whether a post was done: 2xx, or a redirect that does not lead to the login page.
pub(super) fn done(answer: &Answer) -> bool {
    let location = answer.header("location").unwrap_or_default();
    // Only the path counts: behind a proxy, Jenkins names itself by an inner host.
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let to_login = leads_to_login(path);
    answer.status.is_success() || (matches!(answer.status, StatusCode::FOUND | StatusCode::SEE_OTHER) && !to_login)
}

/// Whether a path is that of the login page or of a security realm's own: those are no items, which stand behind `job`
/// or `view` and end in a slash.
fn leads_to_login(path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    let page = |at: usize| at.checked_sub(1).is_none_or(|before| !["job", "view"].contains(&segments[before]));
    let is_login = |at: usize| segments[at] == "login" && at + 1 == segments.len();
    (0..segments.len()).any(|at| page(at) && (is_login(at) || segments[at] == "securityRealm"))
}

/// Bytes that an answer may take in memory once it is read: a folder of 5,000 jobs, of each its name, its class and a
/// description, takes less than half of it.
const MOST_PARSED: usize = 20 * 1024 * 1024;
/// Bytes that an object takes in memory besides its texts: the first node of its map has room for eleven members.
const OBJECT: usize = 700;
/// Bytes that a list, and each further member of a list or an object, takes besides its texts, with the room to grow.
const MEMBER: usize = 130;

/// The JSON of a 200.
pub(super) fn json(attempt: &str, answer: &Answer) -> Result<Value, Fault> {
    if !answer.headers.contains_key("x-jenkins") {
        return Err(not_jenkins(attempt, "the answer lacks the header X-Jenkins"));
    }
    if reckoned(&answer.body) > MOST_PARSED {
        let most = MOST_PARSED / (1024 * 1024);
        let what = format!("could not {attempt}: the answer would take more than {most} MiB of memory");
        return Err(Fault::new(FaultKind::Rejected, what).hint("choose a folder with fewer jobs"));
    }
    serde_json::from_slice(&answer.body).map_err(|_| not_jenkins(attempt, "the answer is no JSON"))
}

/// About how many bytes a JSON text takes in memory once it is read, few of which may come over the wire: its texts, its
/// objects and the members of all. What stands in a text counts as a text alone.
fn reckoned(json: &[u8]) -> usize {
    let (mut bytes, mut in_text, mut escaped) = (json.len(), false, false);
    for sign in json {
        match sign {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => bytes += OBJECT,
            b'[' | b',' if !in_text => bytes += MEMBER,
            _ => {}
        }
    }
    bytes
}

/// Something answers at the URL, but not Jenkins.
pub(super) fn not_jenkins(attempt: &str, what: &str) -> Fault {
    Fault::new(FaultKind::Rejected, format!("could not {attempt}: {what}"))
        .with_reason(Reason::NotJenkins)
        .hint("check jenkins.url, its path, and what a proxy in between answers")
}

/// What the transport failed with: a fault of its own, or a silence that every call to the server meets.
pub(super) fn no_answer(attempt: &str, error: &(dyn std::error::Error + 'static)) -> Result<Silence, Fault> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if inner.is::<super::transport::TooLarge>() || inner.is::<http_body_util::LengthLimitError>() {
            return Err(too_large(attempt));
        }
        if inner.is::<tokio::time::error::Elapsed>() {
            return Ok(Silence::TooSlow);
        }
        if let Some(forbidden) = inner.downcast_ref::<super::transport::ForbiddenAddress>() {
            return Err(Fault::new(FaultKind::Rejected, format!("could not {attempt}: {forbidden}"))
                .hint("jenkins.url must not lead to link-local addresses"));
        }
        cause = inner.source();
    }
    Ok(Silence::NoConnection)
}

/// There is no way to the server.
pub(super) fn no_connection(attempt: &str) -> Fault {
    Fault::new(FaultKind::Unavailable, format!("could not {attempt}: no connection to Jenkins"))
        .hint("check jenkins.url, the network between, and, with HTTPS, that the CA is trusted")
}

/// No answer, or no end of one, within its time.
pub(super) fn too_slow(attempt: &str) -> Fault {
    Fault::new(FaultKind::Unavailable, format!("could not {attempt}: Jenkins does not answer in time"))
}

/// An answer beyond the limit.
pub(super) fn too_large(attempt: &str) -> Fault {
    Fault::new(FaultKind::Rejected, format!("could not {attempt}: the answer has more than 8 MiB"))
        .hint("choose a folder with fewer jobs")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::new() }
    }

    #[test]
    fn a_refusal_is_sorted_by_what_happens_next() {
        use FaultKind::*;
        let jenkins = ("x-jenkins", "2.570");
        let rows = [
            ("a wrong token", answer(401, &[jenkins]), Denied, Reason::JenkinsCredentialsInvalid),
            (
                "a permission",
                answer(403, &[jenkins, ("x-required-permission", "hudson.model.Item.Create")]),
                Denied,
                Reason::AccessDenied,
            ),
            ("a refusal without a reason", answer(403, &[]), Denied, Reason::AccessDenied),
            ("a vanished folder", answer(404, &[jenkins]), Conflict, Reason::Conflict),
            ("another server's 404", answer(404, &[]), Rejected, Reason::NotJenkins),
            ("a proxy's limit", answer(429, &[("retry-after", "7")]), Throttled, Reason::Throttled),
            ("loading", answer(503, &[]), Unavailable, Reason::Unavailable),
            ("a dead backend", answer(502, &[]), Unavailable, Reason::Unavailable),
            ("a slow backend", answer(504, &[]), Unavailable, Reason::Unavailable),
            ("a bad name", answer(400, &[jenkins, ("x-error", "No name")]), Rejected, Reason::Rejected),
            ("a failure inside", answer(500, &[jenkins]), Unexpected, Reason::Unexpected),
            ("a proxy's failure", answer(500, &[]), Unavailable, Reason::Unavailable),
            ("a login page", answer(302, &[("location", "https://sso/login")]), Rejected, Reason::NotJenkins),
        ];
        for (name, answer, kind, reason) in rows {
            let fault = refusal("read it", &answer);
            assert_eq!((fault.kind, fault.reason), (kind, reason), "{name}: {}", fault.message);
        }
        let (own, other) = (refusal("read it", &answer(403, &[jenkins])), refusal("read it", &answer(403, &[])));
        assert!(own.message.ends_with("Jenkins forbids it (403)"), "{}", own.message);
        assert!(other.message.contains("something before Jenkins forbids it"), "{}", other.message);
        let named = refusal("read it", &answer(403, &[("x-required-permission", "hudson.model.Item.Create")]));
        assert!(named.message.contains("hudson.model.Item.Create"), "{}", named.message);
        assert_eq!(refusal("x", &answer(429, &[("retry-after", "7")])).retry_after, Some(Duration::from_secs(7)));
        let throttled = refusal("x", &answer(429, &[(SERVER, "ci.example")]));
        assert_eq!(throttled.message, "could not x: asked to slow down by Jenkins at ci.example (429)");
    }

    #[test]
    fn json_of_few_bytes_and_many_values_is_refused_before_it_is_read() {
        let answer = |body: String| Answer { body: body.into(), ..answer(200, &[("x-jenkins", "2.500")]) };
        let many = |value: &str, times: usize| format!("[{}{value}]", format!("{value},").repeat(times));
        let class = "org.jenkinsci.plugins.workflow.job.WorkflowJob";
        let job = |text: &str| format!("{{\"_class\":\"{class}\",\"description\":\"{text}\",\"name\":\"a-job\"}}");
        let described = job(&"a sentence, of [some] length {and more}. ".repeat(10));
        let rows = [
            ("a folder of 5,000 jobs", many(&described, 5_000), true),
            ("one of 10,000", many(&described, 10_000), true),
            ("texts that look like values", many(&format!("\"\\\"{}\\\\\"", ",[{".repeat(1000)), 1_000), true),
            ("a text that ends before them", many("\"\\\\\",{},{},{},{}", 10_000), false),
            ("numbers alone", many("0", 200_000), false),
            ("objects", many("{\"a\":0}", 30_000), false),
            ("objects in objects", many(&format!("{}0{}", "{\"a\":".repeat(100), "}".repeat(100)), 300), false),
            ("nested deeply", "[".repeat(200_000), false),
        ];
        for (name, body, read) in rows {
            let told = json("read it", &answer(body)).map_err(|fault| (fault.kind, fault.message));
            let refused =
                (FaultKind::Rejected, "could not read it: the answer would take more than 20 MiB of memory".to_owned());
            assert_eq!(told.as_ref().err(), (!read).then_some(&refused), "{name}");
        }
    }

    #[test]
    fn a_redirect_counts_as_done_unless_it_leads_to_the_login() {
        let rows = [
            ("created", answer(200, &[]), true),
            ("to the parent", answer(302, &[("location", "http://internal:8080/job/a/")]), true),
            ("to the login", answer(302, &[("location", "https://h/login?from=%2F")]), false),
            ("to the login of a Jenkins below a path", answer(302, &[("location", "/jenkins/login")]), false),
            ("to the identity provider", answer(302, &[("location", "/securityRealm/commenceLogin")]), false),
            ("to a folder whose name begins so", answer(302, &[("location", "https://h/job/login-risk/")]), true),
            ("to a folder of that name", answer(302, &[("location", "https://h/jenkins/job/login/")]), true),
            ("to a job of that name", answer(302, &[("location", "/job/securityRealm/job/login")]), true),
            ("a failure", answer(400, &[]), false),
        ];
        for (name, answer, expected) in rows {
            assert_eq!(done(&answer), expected, "{name}");
        }
    }
}
