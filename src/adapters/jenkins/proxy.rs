//! The way to a Jenkins that only a proxy reaches: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` count as they do
//! for AWS. Apart from the transport, which knows TLS and bodies; it opens connections and sends nothing over them but
//! `CONNECT`.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use tower::{Service, ServiceExt};

use super::client::BoxError;
use super::transport::ForbiddenAddress;
use crate::domain::address;

/// A connector that goes through a proxy where the environment says so, and directly elsewhere.
#[derive(Clone)]
pub(super) struct Proxied<C> {
    direct: C,
    matcher: Arc<Matcher>,
}

impl<C> Proxied<C> {
    /// By these settings.
    pub(super) fn new(direct: C, matcher: Matcher) -> Self {
        Self { direct, matcher: Arc::new(matcher) }
    }
}

impl<C> Service<Uri> for Proxied<C>
where
    C: Service<Uri> + Clone + Send + 'static,
    C::Response: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Some(proxy) = self.matcher.intercept(&target).filter(|_| !is_local(&target)) else {
            let connection = self.direct.call(target);
            return Box::pin(async move { connection.await.map_err(Into::into) });
        };
        if proxy.uri().scheme_str() != Some("http") {
            let scheme = proxy.uri().scheme_str().unwrap_or_default().to_owned();
            return Box::pin(async move {
                Err(format!("the proxy for Jenkins has the scheme {scheme}; HTTPS_PROXY takes http://host:port").into())
            });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.direct.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        Box::pin(async move {
            allowed(&target).await?;
            tunnel.oneshot(target).await.map_err(Into::into)
        })
    }
}

/// Whether the target is what no proxy outside reaches: this machine, or a Service of the cluster by its usual names
/// (kubernetes.io, "DNS for Services and Pods"; a name without a dot is a Service of the operator's own namespace).
fn is_local(target: &Uri) -> bool {
    let host = host(target).trim_end_matches('.').to_ascii_lowercase();
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.is_loopback();
    }
    !host.contains('.') || host.ends_with(".svc") || host.ends_with(".cluster.local")
}

/// The host of a target, an IPv6 address without its brackets.
fn host(target: &Uri) -> &str {
    target.host().unwrap_or_default().trim_matches(['[', ']'])
}

/// Refuses a name that leads where no URL may lead, as far as it can be resolved here. What only the proxy resolves is for
/// the proxy to judge.
async fn allowed(target: &Uri) -> Result<(), BoxError> {
    let Ok(found) = tokio::net::lookup_host((host(target), 0)).await else { return Ok(()) };
    for address in found {
        if address::is_forbidden(address.ip()) {
            return Err(ForbiddenAddress(address.ip()).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use http::Request;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::transport::through;
    use super::*;

    /// The head of a request.
    async fn head(stream: &mut TcpStream) -> String {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(read).unwrap()
    }

    /// A server that takes one connection and says what it was asked, `CONNECT` first if it was.
    async fn server() -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heads = vec![head(&mut stream).await];
            if heads[0].starts_with("CONNECT ") {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                heads.push(head(&mut stream).await);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            heads
        });
        (address, asked)
    }

    async fn get(url: &str, matcher: Matcher) -> Result<Bytes, BoxError> {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        Ok(through("", matcher).unwrap().oneshot(request).await?.into_body())
    }

    #[tokio::test]
    async fn a_jenkins_is_reached_through_the_proxy_with_its_credentials() {
        let (proxy, asked) = server().await;
        let matcher = Matcher::builder().all(format!("http://user:pass@{proxy}")).build();
        let answer = get("http://jenkins.invalid:8080/ci/api/json", matcher).await.unwrap();
        assert_eq!(answer, "ok");
        let heads = asked.await.unwrap();
        assert!(heads[0].starts_with("CONNECT jenkins.invalid:8080 HTTP/1.1\r\n"), "{heads:?}");
        assert!(heads[0].to_lowercase().contains("proxy-authorization: basic dxnlcjpwyxnz"), "{heads:?}");
        assert!(heads[1].starts_with("GET /ci/api/json HTTP/1.1\r\n"), "{heads:?}");
        assert!(
            !heads[1].to_lowercase().contains("proxy-authorization"),
            "Jenkins sees the proxy's password: {heads:?}"
        );
    }

    #[tokio::test]
    async fn what_no_proxy_names_is_reached_directly() {
        let (proxy, asked) = server().await;
        let matcher = Matcher::builder().all(format!("http://{proxy}")).no("jenkins.invalid").build();
        assert!(get("http://jenkins.invalid/api/json", matcher).await.is_err(), "there is no such host");
        assert!(!asked.is_finished(), "the proxy was asked");
        asked.abort();
    }

    #[test]
    fn what_is_in_the_cluster_needs_no_proxy() {
        let rows = [
            ("https://jenkins.example.com", false),
            ("https://10.0.0.7:8443", false),
            ("https://[fd00::7]:8443", false),
            ("https://svc.example.com", false),
            ("http://jenkins:8080", true),
            ("http://jenkins.ci.svc:8080", true),
            ("http://Jenkins.CI.SVC.Cluster.Local.:8080", true),
            ("http://localhost:8080", true),
            ("http://[::1]:8080", true),
        ];
        for (url, direct) in rows {
            assert_eq!(is_local(&url.parse().unwrap()), direct, "{url}");
        }
    }

    #[tokio::test]
    async fn a_jenkins_on_this_machine_is_reached_directly() {
        let (jenkins, asked) = server().await;
        let matcher = Matcher::builder().all("http://proxy.invalid:3128").build();
        assert_eq!(get(&format!("http://{jenkins}/api/json"), matcher).await.unwrap(), "ok");
        assert!(asked.await.unwrap()[0].starts_with("GET /api/json"));
    }

    #[tokio::test]
    async fn a_proxy_leads_nowhere_that_no_url_may_lead() {
        let rows = [
            ("an address that is forbidden", "http://127.0.0.1:9", "http://169.254.169.254/", "metadata service"),
            ("a proxy over TLS", "https://proxy.invalid:3128", "http://jenkins.invalid/", "HTTPS_PROXY takes http://"),
        ];
        for (case, proxy, url, said) in rows {
            let error = get(url, Matcher::builder().all(proxy).build()).await.unwrap_err();
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(inner) = cause {
                text = format!("{text}: {inner}");
                cause = inner.source();
            }
            assert!(text.contains(said), "{case}: {text}");
        }
    }
}
