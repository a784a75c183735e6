//! The way to a real Jenkins: which URLs and addresses are allowed, which certificates are trusted, and a transport
//! that follows no redirect and reads no endless answer.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower::util::BoxCloneSyncService;
use url::Url;

use super::body::Bodies;
use super::client::{BoxError, Transport};
use super::proxy::Proxied;
use crate::crd::status::Reason;
use crate::domain::address;
use crate::domain::fault::{Fault, FaultKind};

/// The time that a connection may take, TLS excluded.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A name that leads to an address which is not allowed.
#[derive(Debug)]
pub(super) struct ForbiddenAddress(pub(super) IpAddr);

impl fmt::Display for ForbiddenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the host's address {} is link-local, unspecified or a metadata service's", self.0)
    }
}

impl std::error::Error for ForbiddenAddress {}

/// An answer beyond the limit.
#[derive(Debug)]
pub(super) struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is too large")
    }
}

impl std::error::Error for TooLarge {}

/// The base URL of a Jenkins, context path included, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseUrl {
    text: String,
    authority: String,
}

impl BaseUrl {
    /// Parses and judges a URL.
    ///
    /// # Errors
    /// `Rejected` with a sentence that names what is not allowed.
    pub(super) fn parse(text: &str, allow_plain_http: bool) -> Result<Self, Fault> {
        let refused = |what: String, hint: &str| {
            Fault::new(FaultKind::Rejected, what).with_reason(Reason::InvalidSpec).hint(hint)
        };
        let form = "give it as https://host or https://host/path";
        let url = Url::parse(text).map_err(|_| refused("jenkins.url is no URL".into(), form))?;
        match url.scheme() {
            "https" => {}
            "http" if allow_plain_http => {}
            "http" => {
                let hint = "use https, or set jenkins.allowPlainHttp to true: the API token then travels in the clear";
                return Err(refused("jenkins.url is plain HTTP, which is not allowed".into(), hint));
            }
            other => return Err(refused(format!("jenkins.url has the scheme \"{other:.20}\""), form)),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("jenkins.url contains credentials".into(), "put them into the Secret"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("jenkins.url has a query or a fragment".into(), form));
        }
        if url.host().is_none() {
            return Err(refused("jenkins.url names no host".into(), form));
        }
        if let Some(address) = address::literal(&url).filter(|address| address::is_forbidden(*address)) {
            return Err(refused(format!("in jenkins.url {}", ForbiddenAddress(address)), "give another host"));
        }
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), authority: url.authority().to_owned() })
    }

    /// The URL without a trailing slash.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Host, and port if it is not the usual one.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

/// Resolves a name, and refuses it if it leads where no URL may lead.
async fn resolve(name: Name) -> Result<std::vec::IntoIter<SocketAddr>, BoxError> {
    let found = tower::ServiceExt::oneshot(GaiResolver::new(), name).await?;
    let addresses: Vec<SocketAddr> = found.collect();
    match addresses.iter().find(|address| address::is_forbidden(address.ip())) {
        Some(forbidden) => Err(ForbiddenAddress(forbidden.ip()).into()),
        None => Ok(addresses.into_iter()),
    }
}

/// A transport over TCP and TLS, through a proxy where the environment names one.
pub(super) fn transport(ca_bundle: &str) -> Result<Transport, Fault> {
    through(ca_bundle, Matcher::from_env())
}

/// The same by these settings of a proxy.
pub(super) fn through(ca_bundle: &str, proxies: Matcher) -> Result<Transport, Fault> {
    let mut http = HttpConnector::new_with_resolver(tower::service_fn(resolve));
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls(ca_bundle)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(Proxied::new(http, proxies));
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build::<_, Full<Bytes>>(https);
    let bodies = Bodies::shared();
    Ok(BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let (client, bodies) = (client.clone(), bodies.clone());
        async move {
            let server = request.uri().authority().map(ToString::to_string).unwrap_or_default();
            let (parts, body) = client.request(request.map(Full::new)).await?.into_parts();
            Ok::<_, BoxError>(Response::from_parts(parts, bodies.read(&server, body).await?))
        }
    })))
}

fn tls(ca_bundle: &str) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    // A machine without certificates of its own is no fault: the bundle may be all that is needed.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let bad = |what: &str| {
        Fault::new(FaultKind::Rejected, format!("the CA bundle for Jenkins {what}"))
            .with_reason(Reason::CaBundleInvalid)
            .hint("put one or more certificates in PEM form under the key that jenkins.caBundleRef names")
    };
    if !ca_bundle.trim().is_empty() {
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(ca_bundle.as_bytes()) {
            let certificate = certificate.map_err(|_| bad("is not PEM"))?;
            roots.add(certificate).map_err(|_| bad("holds a certificate that cannot be used"))?;
            count += 1;
        }
        if count == 0 {
            return Err(bad("holds no certificate"));
        }
    }
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Fault::new(FaultKind::Unexpected, "no TLS version is available"))?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn urls_are_judged_before_anything_is_sent() {
        let rows = [
            ("https", "https://ci.example", false, Some("https://ci.example")),
            (
                "a context path and a trailing slash",
                "https://ci.example/jenkins/",
                false,
                Some("https://ci.example/jenkins"),
            ),
            ("a port", "https://ci.example:8443", false, Some("https://ci.example:8443")),
            ("plain HTTP", "http://ci.example", false, None),
            ("plain HTTP where it is allowed", "http://127.0.0.1:8080", true, Some("http://127.0.0.1:8080")),
            ("loopback is no exception", "http://127.0.0.1:8080", false, None),
            ("another scheme", "file:///etc/passwd", true, None),
            ("credentials", "https://a:b@ci.example", false, None),
            ("a query", "https://ci.example/?a=b", false, None),
            ("the metadata service", "https://169.254.169.254/", false, None),
            ("the same as a number", "https://2852039166/", false, None),
            ("the same in IPv6 clothes", "https://[::ffff:169.254.169.254]/", false, None),
            ("link-local IPv6", "https://[fe80::1]/", false, None),
            ("EC2's metadata service in IPv6", "https://[fd00:ec2::254]/", false, None),
            ("the same behind NAT64", "https://[64:ff9b::a9fe:a9fe]/", false, None),
            ("no address in particular", "https://0.0.0.0/", false, None),
            ("no URL", "jenkins", false, None),
        ];
        for (name, url, plain, expected) in rows {
            let parsed = BaseUrl::parse(url, plain);
            assert_eq!(parsed.as_ref().ok().map(BaseUrl::text), expected, "{name}");
        }
    }

    #[test]
    fn a_ca_bundle_holds_certificates_or_is_refused() {
        assert!(tls("").is_ok());
        for bad in ["not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(tls(bad).unwrap_err().reason, Reason::CaBundleInvalid, "{bad}");
        }
    }
}
