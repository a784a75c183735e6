//! Clients of AWS and Jenkins for the place of an object. Clients are shared between objects of the same place, so that
//! connections are too; every call is counted here, under the operation's own name, and has its span.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tower::util::BoxCloneSyncService;

use crate::adapters::aws::budgeted;
use crate::adapters::aws::clients::{Aws, AwsFactory};
use crate::adapters::budget::{Budgets, JENKINS};
use crate::adapters::jenkins::JenkinsClient;
use crate::controller::api::MANAGER;
use crate::crd::status::Placement;
use crate::domain::fault::Fault;
use crate::domain::identity::digest;
use crate::domain::platform::JenkinsCredentials;
use crate::domain::recent::Recent;
use crate::metrics::{CallOutcome, Metrics};
use crate::telemetry::spans::Call;

/// How many Jenkins servers, users and CA bundles have a client: more than the teams of one operator, and few enough that
/// nobody fills the memory by naming ever new ones. Beyond it the one that was not used for longest costs new connections.
const PLACES: usize = 256;

/// A Jenkins in the same process.
pub type JenkinsService =
    BoxCloneSyncService<Request<Bytes>, Response<Bytes>, Box<dyn std::error::Error + Send + Sync>>;

/// Where clients come from.
#[derive(Clone)]
pub struct ClientFactory {
    factory: AwsFactory,
    metrics: Metrics,
    budgets: Option<Budgets>,
    jenkins: Option<JenkinsService>,
    clients: Arc<Mutex<Recent<String, JenkinsClient>>>,
}

impl ClientFactory {
    /// The AWS of this factory, and whatever Jenkins an object names; calls are counted.
    pub fn new(factory: AwsFactory, metrics: Metrics) -> Self {
        let factory = factory.with_interceptor(CountCalls(metrics.clone()));
        Self { factory, metrics, budgets: None, jenkins: None, clients: Arc::new(Mutex::new(Recent::new(PLACES))) }
    }

    /// The same, whose calls wait for their turn in these budgets.
    #[must_use]
    pub fn with_budgets(mut self, budgets: Budgets) -> Self {
        self.factory = self.factory.with_budgets(budgets.clone());
        self.budgets = Some(budgets);
        self
    }

    /// The same, but every Jenkins is this service.
    #[must_use]
    pub fn with_jenkins(mut self, service: JenkinsService) -> Self {
        self.jenkins = Some(service);
        self
    }

    /// Clients of AWS for a place.
    pub async fn aws(&self, placement: &Placement) -> Aws {
        self.factory.connect(placement, MANAGER).await
    }

    /// A client of Jenkins for a place, as this user.
    ///
    /// # Errors
    /// The URL, the CA bundle or the credentials cannot be used.
    pub fn jenkins(
        &self,
        placement: &Placement,
        credentials: &JenkinsCredentials,
        ca_bundle: &str,
    ) -> Result<JenkinsClient, Fault> {
        let plain = if placement.allow_plain_http { "plain" } else { "" };
        let place = digest(&[&placement.jenkins_url, plain, ca_bundle, &credentials.token.fingerprint]);
        let known = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&place);
        if let Some(known) = known {
            return Ok(known);
        }
        let made = match &self.jenkins {
            Some(service) => JenkinsClient::over(service.clone(), placement, credentials)?,
            None => JenkinsClient::connect(placement, credentials, ca_bundle)?,
        };
        let metrics = self.metrics.clone();
        let made = made.observed(move |method| {
            let (metrics, method) = (metrics.clone(), method.clone());
            let mut span = Call::begin(JENKINS, method.as_str());
            move |status: Option<StatusCode>| {
                let status = status.map(|status| status.as_u16());
                let outcome = status.map_or(CallOutcome::Unanswered, CallOutcome::of);
                metrics.called(JENKINS, method.as_str(), outcome);
                span.ended(outcome, status);
            }
        });
        let made = match &self.budgets {
            Some(budgets) => made.in_budgets(budgets.clone()),
            None => made,
        };
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).keep(place, made.clone());
        Ok(made)
    }
}

/// Counts the calls of all SDK clients that it is given to, and makes their spans.
#[derive(Debug)]
struct CountCalls(Metrics);

/// The span of a call, while it lasts.
#[derive(Debug)]
struct Span(Mutex<Call>);

impl Storable for Span {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CountCalls {
    fn name(&self) -> &'static str {
        "CountCalls"
    }

    // Not before execution: a client's interceptors are called then before the operation is known.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = config.load::<Metadata>() {
            let span = Span(Mutex::new(Call::begin(call.service(), call.name())));
            config.interceptor_state().store_put(span);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = config.load::<Metadata>() {
            let answered = matches!(context.output_or_error(), Some(Ok(_)));
            let outcome =
                if answered { CallOutcome::Ok } else { budgeted::outcome(call.service(), context.response()) };
            self.0.called(call.service(), call.name(), outcome);
            if let Some(Span(span)) = config.load::<Span>() {
                let status = context.response().map(|answer| answer.status().as_u16());
                span.lock().unwrap_or_else(PoisonError::into_inner).ended(outcome, status);
            }
        }
        Ok(())
    }
}
