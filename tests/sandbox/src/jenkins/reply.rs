//! Answers in the forms that Jenkins gives them: error pages, `X-Error`, redirects, JSON and XML. What is answered
//! when is decided elsewhere.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::Value;

/// One answer.
pub(super) type Reply = Response<Bytes>;
/// An answer, or the answer that ends the handling early.
pub(super) type Answer = Result<Reply, Reply>;

const X_ERROR: HeaderName = HeaderName::from_static("x-error");
const X_REQUIRED_PERMISSION: HeaderName = HeaderName::from_static("x-required-permission");
const X_YOU_ARE: HeaderName = HeaderName::from_static("x-you-are-authenticated-as");

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Marks an answer that no part of Jenkins made, but the servlet container or a filter before it: it lacks `X-Jenkins`.
#[derive(Clone, Copy)]
pub(super) struct OfTheContainer;

fn of_the_container(mut response: Reply) -> Reply {
    response.extensions_mut().insert(OfTheContainer);
    response
}

/// Sets a header; Jetty writes ISO-8859-1 and a blank for what that lacks.
pub(super) fn set(response: &mut Reply, name: HeaderName, value: &str) {
    let latin: Vec<u8> = value.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b' ')).collect();
    if let Ok(value) = HeaderValue::from_bytes(&latin) {
        response.headers_mut().insert(name, value);
    }
}

fn page(status: StatusCode, title: &str, text: &str) -> Reply {
    let safe = text.replace('&', "&amp;").replace('<', "&lt;");
    let html = format!(
        "<!DOCTYPE html><html><head><title>{title} [Jenkins]</title></head><body><h1>{title}</h1><p>{safe}</p></body></html>"
    );
    reply(status, "text/html;charset=utf-8", html)
}

/// 200 with JSON.
pub(super) fn json(value: &Value) -> Reply {
    reply(StatusCode::OK, "application/json;charset=utf-8", value.to_string())
}

/// 200 with a literal of Python's.
pub(super) fn python(text: String) -> Reply {
    reply(StatusCode::OK, "text/x-python;charset=utf-8", text)
}

/// 200 with plain text.
pub(super) fn text(text: String) -> Reply {
    reply(StatusCode::OK, "text/plain;charset=utf-8", text)
}

/// 200 with XML.
pub(super) fn xml(text: String) -> Reply {
    reply(StatusCode::OK, "application/xml", text)
}

/// A page for people.
pub(super) fn html(text: &str) -> Reply {
    page(StatusCode::OK, "Jenkins", text)
}

/// A status without a body.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// A redirect, or 201, with its Location: relative, or with scheme and host, which the way out takes from a 302.
pub(super) fn located(status: StatusCode, location: &str) -> Reply {
    let mut response = empty(status);
    set(&mut response, LOCATION, location);
    response
}

/// 400 with `X-Error`: an expected failure.
pub(super) fn failure(message: &str) -> Reply {
    let mut response = page(StatusCode::BAD_REQUEST, "Error", message);
    set(&mut response, X_ERROR, message);
    response
}

/// 400 that keeps its reason to itself.
pub(super) fn failure_without_reason() -> Reply {
    page(StatusCode::BAD_REQUEST, "Error", "")
}

/// 400 of the servlet container, with a sentence.
pub(super) fn bad_request(message: &str) -> Reply {
    of_the_container(page(StatusCode::BAD_REQUEST, "Bad Request", message))
}

/// 401 for a wrong password or token.
pub(super) fn unauthorized() -> Reply {
    let mut response = page(StatusCode::UNAUTHORIZED, "Unauthorized", "Invalid password/token for user");
    set(&mut response, WWW_AUTHENTICATE, "Basic realm=\"Jenkins\"");
    of_the_container(response)
}

/// 403 of CrumbFilter.
pub(super) fn no_crumb() -> Reply {
    of_the_container(page(StatusCode::FORBIDDEN, "Forbidden", "No valid crumb was included in the request"))
}

/// 403 that names what is missing.
pub(super) fn forbidden(user: &str, permission: &str) -> Reply {
    let mut response = page(StatusCode::FORBIDDEN, "Access Denied", &format!("{user} is missing a permission"));
    set(&mut response, X_YOU_ARE, user);
    set(&mut response, X_REQUIRED_PERMISSION, permission);
    response
}

/// 403 with a sentence of its own.
pub(super) fn refused(message: &str) -> Reply {
    page(StatusCode::FORBIDDEN, "Forbidden", message)
}

/// Jenkins' own 404 page.
pub(super) fn not_found() -> Reply {
    page(StatusCode::NOT_FOUND, "Not Found", "This page may not exist, or you may not have permission to see it.")
}

/// 404 of the servlet container, for a path outside the context.
pub(super) fn outside() -> Reply {
    reply(StatusCode::NOT_FOUND, "text/plain", "Not Found")
}

/// 405: POST is needed.
pub(super) fn post_required() -> Reply {
    let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", "This URL requires POST");
    set(&mut response, ALLOW, "POST");
    response
}

/// 409 with a sentence.
pub(super) fn conflict(message: &str) -> Reply {
    of_the_container(page(StatusCode::CONFLICT, "Conflict", message))
}

/// 500: bad XML, a wrong type, a race.
pub(super) fn broken(message: &str) -> Reply {
    page(StatusCode::INTERNAL_SERVER_ERROR, "Oops!", message)
}

/// 500 that Jenkins would not give: what is asked for is there, but not as XML.
pub(super) fn no_xml() -> Reply {
    broken("the sandbox has no api/xml, only api/json and api/python")
}

/// 503 while Jenkins loads.
pub(super) fn loading() -> Reply {
    page(StatusCode::SERVICE_UNAVAILABLE, "Starting Jenkins", "Please wait while Jenkins is getting ready to work")
}

/// Name of the session cookie: Jenkins adds eight hex digits, so that several on one host do not take it from each other.
pub(super) const SESSION_COOKIE: &str = "JSESSIONID.4c4e4d47";

/// Adds a session cookie.
pub(super) fn with_cookie(mut response: Reply, session: &str) -> Reply {
    set(&mut response, SET_COOKIE, &format!("{SESSION_COOKIE}={session}; Path=/; HttpOnly"));
    response
}
