//! The transport without sockets: an HTTP client for the AWS SDK, and a tower service for Jenkins. Both work under
//! tokio's paused clock, since nothing here waits for anything but that clock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::sandbox::{Dropped, Endpoint, Sandbox};

impl Sandbox {
    /// An HTTP client for AWS SDK clients that answers from this sandbox, whatever the endpoint.
    pub fn aws_http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(Connector(self.clone()))
    }

    /// Jenkins as a tower service.
    pub fn jenkins(&self) -> JenkinsService {
        JenkinsService(self.clone())
    }
}

#[derive(Clone, Debug)]
struct Connector(Sandbox);

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sandbox = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = whole(request).await?;
            if request.uri().host().is_some_and(|host| !resolves(host)) {
                return Err(ConnectorError::io(
                    "failed to lookup address information: Name or service not known".into(),
                ));
            }
            match sandbox.answer(Endpoint::Aws, request).await {
                Ok(response) => HttpResponse::try_from(response.map(SdkBody::from))
                    .map_err(|error| ConnectorError::other(error.into(), None)),
                Err(dropped) => Err(ConnectorError::io(dropped.into())),
            }
        })
    }
}

/// Whether DNS knows a host: of those in regions that have the form of a real one's name, all but those of `nowhere`.
fn resolves(host: &str) -> bool {
    !host.split('.').any(|label| label.contains("-nowhere-"))
}

async fn whole(request: HttpRequest) -> Result<Request<Bytes>, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?;
    Ok(Request::from_parts(parts, body.to_bytes()))
}

/// Jenkins without a socket. A scripted dropped connection is the error [`Dropped`].
#[derive(Clone, Debug)]
pub struct JenkinsService(Sandbox);

impl tower::Service<Request<Bytes>> for JenkinsService {
    type Response = Response<Bytes>;
    type Error = Dropped;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Dropped>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let sandbox = self.0.clone();
        Box::pin(async move { sandbox.answer(Endpoint::Jenkins, request).await })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tower::ServiceExt;

    use super::*;
    use crate::{Fault, Settings};

    #[tokio::test(start_paused = true)]
    async fn a_dropped_connection_is_an_error_of_the_service() {
        let sandbox = Sandbox::new(Settings::default());
        sandbox.fault(Fault::on("jenkins", "GET api/json"));
        let request = Request::builder().uri("/api/json").body(Bytes::new()).unwrap();
        assert_eq!(sandbox.jenkins().oneshot(request).await.unwrap_err(), Dropped);
    }
}
