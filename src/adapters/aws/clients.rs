//! AWS clients for one account, region and role. They stand alone because every adapter shares them.
//! The SDK's own retries are off: they hide calls and know nothing of budgets; `controller::converge` is the only one that
//! retries, but for pages of the lists of `index`, and each call waits for its turn in `budgeted`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor};

use super::budgeted::{self, Budgeted};
use super::catalog::Sightings;
use super::model_route::Routes;
use super::sagemaker_project::Index;
use crate::adapters::budget::{Budgets, LONGEST_WAIT, OPERATOR, Place};
use crate::crd::identifiers::{Region, RoleArn};
use crate::crd::status::Placement;
use crate::domain::recent::Recent;

/// The time that one AWS call may take once it is sent.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The time that it may take with all that comes before: credentials, which may need a call, and waiting for both turns.
const OPERATION_TIMEOUT: Duration = LONGEST_WAIT.saturating_add(CALL_TIMEOUT).saturating_mul(2);
/// The time that assuming a role may take, its turn included, with a second to tell what was wrong.
const ROLE_TIMEOUT: Duration = LONGEST_WAIT.saturating_add(CALL_TIMEOUT).saturating_add(Duration::from_secs(1));
/// How many places have clients: more than the accounts, regions and roles of one operator, and few enough that nobody fills
/// the memory by naming ever new ones. Beyond it the place that was not used for longest costs new connections and a role
/// assumed anew; whoever works with its clients goes on with them.
pub const PLACES: usize = 256;

/// Makes clients for places, all with the same HTTP client, clock and credentials at their root. The clients of a
/// place are made once: they share its credentials, so that a role is assumed once an hour and not once per client.
#[derive(Clone)]
pub struct AwsFactory {
    base: SdkConfig,
    path_style: bool,
    clients: Clients,
    interceptor: Option<SharedInterceptor>,
    http: SharedHttpClient,
    budgets: Option<Budgets>,
}

type Clients = Arc<Mutex<Recent<ClientKey, Aws>>>;

fn no_clients() -> Clients {
    Arc::new(Mutex::new(Recent::new(PLACES)))
}

/// What clients depend on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ClientKey {
    region: Region,
    role_arn: Option<RoleArn>,
    external_id: Option<String>,
    session_name: String,
}

/// Clients for one place.
#[derive(Clone)]
pub struct Aws {
    pub sts: aws_sdk_sts::Client,
    pub iam: aws_sdk_iam::Client,
    pub s3: aws_sdk_s3::Client,
    pub catalog: aws_sdk_servicecatalog::Client,
    pub sagemaker: aws_sdk_sagemaker::Client,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub connections: aws_sdk_codeconnections::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    /// What was looked at while portfolios and products were sought.
    pub sightings: Sightings,
    /// Listings of routes that many projects may share.
    pub routes: Routes,
    /// Lists of SageMaker projects that many projects may share.
    pub index: Index,
}

impl AwsFactory {
    /// A factory over a base configuration: credentials, HTTP client, clock and, for tests, an endpoint URL.
    pub fn new(base: SdkConfig) -> Self {
        let path_style = base.endpoint_url().is_some();
        let base = base
            .into_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(OPERATION_TIMEOUT).build())
            .stalled_stream_protection(aws_config::stalled_stream_protection::StalledStreamProtectionConfig::disabled())
            .identity_cache(IdentityCache::lazy().build())
            .build();
        let http = base.http_client().unwrap_or_else(budgeted::https);
        Self { base, path_style, clients: no_clients(), interceptor: None, http, budgets: None }
    }

    /// The same, whose clients' calls wait for their turn in these budgets.
    #[must_use]
    pub fn with_budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = Some(budgets);
        self.clients = no_clients();
        self
    }

    /// The same, with something that is told of each call of the clients made from now on.
    #[must_use]
    pub fn with_interceptor(mut self, interceptor: impl Intercept + 'static) -> Self {
        self.interceptor = Some(SharedInterceptor::new(interceptor));
        self.clients = no_clients();
        self
    }

    /// Clients for a place: its region, and its role if it names one. `session_name` is what CloudTrail shows of an
    /// assumed role; signs that STS does not take become `-`.
    pub async fn connect(&self, placement: &Placement, session_name: &str) -> Aws {
        let key = ClientKey {
            region: placement.region.clone(),
            role_arn: placement.role_arn.clone(),
            external_id: placement.external_id.clone(),
            session_name: session_name_of(session_name),
        };
        let known = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&key);
        if let Some(known) = known {
            return known;
        }
        let made = self.make(&key).await;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have been quicker: two sets of clients would assume the role twice.
        if let Some(known) = clients.get(&key) {
            return known;
        }
        clients.keep(key, made.clone());
        made
    }

    async fn make(&self, key: &ClientKey) -> Aws {
        let region = aws_config::Region::new(key.region.to_string());
        let mut config = self.base.to_builder().region(region.clone()).build();
        // What a project says of its account is not asked here: its calls could slow down somebody else's.
        let account = key.role_arn.as_ref().map_or(OPERATOR, |role| role.account());
        if let Some(role_arn) = &key.role_arn {
            let assuming = config.to_builder().http_client(self.in_turn("STS", OPERATOR, &key.region)).build();
            let mut provider = AssumeRoleProvider::builder(role_arn)
                .session_name(&key.session_name)
                .region(region)
                .configure(&assuming);
            if let Some(external_id) = &key.external_id {
                provider = provider.external_id(external_id);
            }
            config = config
                .into_builder()
                // A cache of its own: the base's one evicts at random once it holds many identities.
                .identity_cache(IdentityCache::lazy().load_timeout(ROLE_TIMEOUT).build())
                .credentials_provider(SharedCredentialsProvider::new(provider.build().await))
                .build();
        }
        // The clients' configurations are unrelated types with the same methods.
        macro_rules! client {
            ($service:ident, $name:literal $(, $option:ident($value:expr))*) => {{
                let mut builder = $service::config::Builder::from(&config)
                    .http_client(self.in_turn($name, account, &key.region))
                    $(.$option($value))*;
                if let Some(interceptor) = &self.interceptor {
                    builder.push_interceptor(interceptor.clone());
                }
                $service::Client::from_conf(builder.build())
            }};
        }
        Aws {
            sts: client!(aws_sdk_sts, "STS"),
            iam: client!(aws_sdk_iam, "IAM"),
            s3: client!(aws_sdk_s3, "S3", force_path_style(self.path_style)),
            catalog: client!(aws_sdk_servicecatalog, "Service Catalog"),
            sagemaker: client!(aws_sdk_sagemaker, "SageMaker"),
            cloudformation: client!(aws_sdk_cloudformation, "CloudFormation"),
            connections: client!(aws_sdk_codeconnections, "CodeConnections"),
            sqs: client!(aws_sdk_sqs, "SQS"),
            tagging: client!(aws_sdk_resourcegroupstagging, "Resource Groups Tagging API"),
            sightings: Sightings::default(),
            routes: Routes::default(),
            index: Index::default(),
        }
    }
}

impl AwsFactory {
    /// The HTTP client for the calls of one service; its name is the one that the SDK gives it.
    fn in_turn(&self, service: &str, account: &str, region: &Region) -> Budgeted {
        // IAM is one for all regions of an account.
        let region = if service == "IAM" { String::new() } else { region.to_string() };
        let place = Place { remote: service.to_owned(), account: account.to_owned(), region };
        Budgeted::new(self.http.clone(), self.budgets.clone(), place)
    }
}

/// A session name as STS takes it: 2-64 characters out of `[\w+=,.@-]` (AssumeRole API reference).
fn session_name_of(text: &str) -> String {
    let fit = |sign: char| if sign.is_ascii_alphanumeric() || "_+=,.@-".contains(sign) { sign } else { '-' };
    let name: String = text.chars().map(fit).take(64).collect();
    if name.len() < 2 { format!("mlops-operator{name}") } else { name }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn a_regions_domain_is_the_one_that_the_sdk_calls() {
        use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

        for region in ["eu-west-1", "mx-central-1", "cn-northwest-1", "us-gov-east-1", "eusc-de-east-1"] {
            let params = Params::builder().region(region).build().expect("parameters");
            let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.expect("an endpoint");
            let suffix = crate::crd::identifiers::Region::parse(region).expect("a region").dns_suffix();
            assert_eq!(endpoint.url(), format!("https://sts.{region}.{suffix}"));
        }
    }

    #[test]
    fn a_session_name_is_made_to_fit() {
        let long = "x".repeat(80);
        for (text, name) in [("team-a/nyc taxi", "team-a-nyc-taxi"), ("", "mlops-operator"), (&long, &long[..64])] {
            assert_eq!(session_name_of(text), name);
        }
    }
}
