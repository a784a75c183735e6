//! From a request to the part that answers it: mode, context path, user, crumb, then the path. The order is that of
//! Jenkins' filters. What no part knows gets Jenkins' own 404 page.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use percent_encoding::percent_decode_str;

use super::access::{self, Caller};
use super::reply::{self, Answer, Reply};
use super::{Mode, builds, credentials, items, runs, server, views};
use crate::world::World;

/// A request, taken apart.
pub(super) struct Ask<'a> {
    pub(super) method: &'a Method,
    /// The path below the context, decoded, without empty parts.
    pub(super) path: Vec<String>,
    /// Whether the path ended with a slash.
    pub(super) slash: bool,
    /// Query parameters, then form fields.
    pub(super) fields: Vec<(String, String)>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
    pub(super) caller: Caller,
    /// Scheme, host and context, as Stapler builds URLs from a request.
    pub(super) base: String,
}

impl Ask<'_> {
    /// The first value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Refuses anything but POST, as `@RequirePOST` does.
    pub(super) fn require_post(&self) -> Result<(), Reply> {
        if self.method == Method::POST { Ok(()) } else { Err(reply::post_required()) }
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        self.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    }

    /// The body as a servlet's reader gives it: in the charset of the content type, else as ISO-8859-1. Only
    /// `application/xml` without one is taken for something that UTF-8 beyond ASCII breaks, as a real server shows.
    pub(super) fn text(&self) -> Option<String> {
        let content_type = self.content_type().unwrap_or_default().to_lowercase();
        let charset = content_type.split(';').find_map(|part| part.trim().strip_prefix("charset="));
        let latin = || self.body.iter().map(|byte| char::from(*byte)).collect();
        match charset.map(|charset| charset.trim_matches('"')) {
            Some("utf-8" | "utf8") => String::from_utf8(self.body.to_vec()).ok(),
            Some("iso-8859-1" | "us-ascii") => Some(latin()),
            Some(_) => None,
            None if content_type.starts_with("application/xml") && !self.body.is_ascii() => None,
            None => Some(latin()),
        }
    }

    /// Whether the body says that it is XML.
    pub(super) fn is_xml(&self) -> bool {
        self.content_type().is_some_and(|kind| kind.starts_with("application/xml") || kind.starts_with("text/xml"))
    }

    /// Refuses a body that does not say that it is XML, in the words given for another type.
    pub(super) fn require_xml(&self, otherwise: &str) -> Result<String, Reply> {
        self.content_type().ok_or_else(|| reply::failure("No Content-Type header set"))?;
        if !self.is_xml() {
            return Err(reply::failure(otherwise));
        }
        String::from_utf8(self.body.to_vec()).map_err(|_| reply::broken("Invalid byte of a UTF-8 sequence"))
    }
}

/// Answers one request.
pub(super) fn answer(world: &mut World, request: &Request<Bytes>) -> Reply {
    if world.jenkins.mode == Mode::Loading {
        return reply::loading();
    }
    let Some(path) = request.uri().path().strip_prefix(world.jenkins.context.as_str()) else { return reply::outside() };
    if !path.is_empty() && !path.starts_with('/') {
        return reply::outside();
    }
    let mut response =
        take_apart(world, request, path).and_then(|ask| serve(world, ask)).unwrap_or_else(|refusal| refusal);
    shorten_redirect(&mut response, request.uri().path());
    let of_jenkins = response.extensions_mut().remove::<reply::OfTheContainer>().is_none();
    let content_type = response.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Functions.advertiseHeaders: pages and the remote API carry them, files and bare redirects do not.
    if of_jenkins
        && content_type.is_some_and(|kind| {
            ["text/html", "application/json", "text/x-python"].iter().any(|one| kind.starts_with(one))
        })
    {
        advertise(world, &mut response);
    }
    response
}

/// The headers that tell of the version and the start.
pub(super) fn advertise(world: &World, response: &mut Reply) {
    let session = format!("{:08x}", world.jenkins.session.wrapping_mul(0x9e37_79b1));
    reply::set(response, HeaderName::from_static("x-jenkins"), &world.jenkins.version);
    reply::set(response, HeaderName::from_static("x-jenkins-session"), &session);
}

/// Jetty answers a 302 with the path alone, whatever was asked for; 201 and 303 keep scheme and host.
fn shorten_redirect(response: &mut Reply, from: &str) {
    if response.status() != StatusCode::FOUND {
        return;
    }
    let location = response
        .headers()
        .get(http::header::LOCATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let Some(location) = location else { return };
    let path = match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None if location.starts_with('/') => location,
        None => {
            let mut parts: Vec<&str> = from.split('/').collect();
            parts.pop();
            let mut relative = location.as_str();
            while let Some(rest) = relative.strip_prefix("../") {
                parts.pop();
                relative = rest;
            }
            parts.push(if relative == "." { "" } else { relative });
            parts.join("/")
        }
    };
    reply::set(response, http::header::LOCATION, &path);
}

fn take_apart<'a>(world: &World, request: &'a Request<Bytes>, path: &str) -> Result<Ask<'a>, Reply> {
    let starting = world.jenkins.mode == Mode::Initializing;
    if starting && request.method() == Method::POST {
        return Err(reply::no_crumb());
    }
    if starting && request.headers().contains_key(http::header::AUTHORIZATION) {
        return Err(reply::unauthorized());
    }
    // Only the filter for tokens is there: what it lets through still meets the page of a Jenkins that loads (HudsonIsLoading).
    if starting {
        return Err(reply::loading());
    }
    let caller = access::authenticate(&world.jenkins, request.headers())?;
    if request.method() == Method::POST {
        access::check_crumb(&world.jenkins, &caller, request.headers())?;
    }
    let mut fields = pairs(request.uri().query().unwrap_or_default());
    let form = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if form.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        fields.extend(pairs(&String::from_utf8_lossy(request.body())));
    }
    let host = request.headers().get(http::header::HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)).unwrap_or("jenkins");
    Ok(Ask {
        method: request.method(),
        path: path.split('/').filter(|part| !part.is_empty()).map(decode).collect(),
        slash: path.ends_with('/'),
        fields,
        headers: request.headers(),
        body: request.body(),
        caller,
        base: format!("http://{host}{}", world.jenkins.context),
    })
}

fn decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// Form-encoded pairs: `+` is a blank.
fn pairs(text: &str) -> Vec<(String, String)> {
    let plain = |part: &str| decode(&part.replace('+', " "));
    let pair =
        |pair: &str| pair.split_once('=').map_or_else(|| (plain(pair), String::new()), |(k, v)| (plain(k), plain(v)));
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// Answers, or refuses the XML of what has JSON.
fn serve(world: &mut World, mut ask: Ask<'_>) -> Answer {
    let crumb = ask.path.first().is_some_and(|first| first == "crumbIssuer");
    if crumb || !ask.path.ends_with(&["api".to_owned(), "xml".to_owned()]) {
        return dispatch(world, &ask);
    }
    if let Some(last) = ask.path.last_mut() {
        "json".clone_into(last);
    }
    dispatch(world, &ask)?;
    Err(reply::no_xml())
}

fn dispatch(world: &mut World, ask: &Ask<'_>) -> Answer {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    if let ["whoAmI", "api", "json" | "python"] = path[..] {
        return server::who_am_i(ask);
    }
    if let ["login"] = path[..] {
        return Ok(reply::html("Sign in"));
    }
    access::require(&world.jenkins, &ask.caller, access::Permission::OverallRead, &[])?;
    match path[..] {
        [] => Ok(reply::html("Welcome to Jenkins!")),
        ["job", ..] => walk(world, ask, &path),
        ["createItem"] => items::create(world, ask, &[]),
        ["view", which, ref rest @ ..] if views::exists(world, which) && rest.first() == Some(&"job") => {
            walk(world, ask, rest)
        }
        ["view", which, ref rest @ ..] => views::answer(world, ask, &[], which, rest),
        ["queue", ref rest @ ..] => builds::queue(world, ask, rest),
        ["credentials", "store", "system", "api", "json" | "python"] => credentials::store_answer(world, ask, &[]),
        ["credentials", "store", "system", "domain", "_", ref rest @ ..] => credentials::answer(world, ask, &[], rest),
        _ => server::answer(world, ask, &path),
    }
}

/// Follows `job/A/job/B` to an item that the caller may see, then answers what is asked of it.
fn walk(world: &mut World, ask: &Ask<'_>, path: &[&str]) -> Answer {
    let mut names: Vec<String> = Vec::new();
    let mut rest = path;
    while let ["job", name, further @ ..] = rest {
        names.push((*name).to_owned());
        rest = further;
        if world.jenkins.find(&names).is_none() {
            return Err(reply::not_found());
        }
        if !access::may(&world.jenkins, &ask.caller, access::Permission::ItemRead, &names) {
            access::require(&world.jenkins, &ask.caller, access::Permission::ItemDiscover, &names)
                .map_err(|_| reply::not_found())?;
            return Err(reply::refused(&format!("Please login to access job {name}")));
        }
    }
    // From here on the item goes by the name that it was created under, whatever the case of the address.
    let names = world.jenkins.named(&names).ok_or_else(reply::not_found)?;
    match rest {
        [] if ask.method == Method::DELETE && ask.slash => items::delete(world, ask, &names, StatusCode::NO_CONTENT),
        [] if ask.slash => Ok(reply::html("job")),
        [] => Ok(reply::located(StatusCode::FOUND, &format!("{}/", url_path(&ask.base, &names)))),
        ["build" | "buildWithParameters"] => builds::trigger(world, ask, &names, rest[0]),
        ["credentials", "store", "folder", "api", "json" | "python"] => credentials::store_answer(world, ask, &names),
        ["credentials", "store", "folder", "domain", "_", further @ ..] => {
            credentials::answer(world, ask, &names, further)
        }
        [build, further @ ..]
            if build.parse::<u32>().is_ok() || build.starts_with("last") || *build == "firstBuild" =>
        {
            runs::answer(world, ask, &names, build, further)
        }
        _ => items::answer(world, ask, &names, rest),
    }
}

/// The URL of an item without its trailing slash.
pub(super) fn url_path(base: &str, names: &[String]) -> String {
    let mut url = base.to_owned();
    for name in names {
        url.push_str("/job/");
        url.extend(percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).map(|part| {
            // Stapler leaves unreserved signs alone.
            match part {
                "%2D" => "-",
                "%5F" => "_",
                "%2E" => ".",
                "%7E" => "~",
                other => other,
            }
        }));
    }
    url
}
