//! How fast AWS lets an account call: a token bucket per account, region and group of operations. It stands alone
//! because every service has such limits and none of them knows about it. Off until the settings say otherwise. It
//! must not know what an operation does, and holds no number that AWS does not publish:
//!
//! * Lambda, "Lambda quotas", API requests: GetFunction 100, GetPolicy 15, all other control plane calls together 15
//!   a second; invocations are not among them.
//! * EventBridge, "Amazon EventBridge quotas" (awsdocs/amazon-eventbridge-user-guide): 50 a second for every API but
//!   PutEvents, whose number differs by region and is left out here.
//! * Secrets Manager, "AWS Secrets Manager quotas": the combined rates of reading values, of writing values and of
//!   resource policies. The account that calls is the one that is limited.
//! * S3, "Best practices design patterns": 3,500 PUT, COPY, POST, DELETE and 5,500 GET, HEAD a second per prefix.
//!
//! Service Catalog, SageMaker, CloudFormation, IAM, STS, CodeBuild and CodeConnections publish none: those who want
//! limits there give their own. A published number is one of calls a second, so a full bucket holds one second's.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use bytes::Bytes;
use http::{Method, Request};
use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Caller, Refusal};
use crate::wire::{self, Address, Service};
use crate::world::World;

const SECOND: i128 = 1_000_000_000;

/// Which limits hold. None by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimits {
    /// Whether those that AWS publishes do.
    pub published: bool,
    /// Others, which come before the published ones; the first that names a call holds for it.
    pub own: Vec<RateLimit>,
}

/// One bucket: as many calls at once as `burst`, and `perSecond` new ones each second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    /// The service by its signing name.
    #[serde(deserialize_with = "known")]
    pub service: String,
    /// The operations that share the bucket; all of the service where it is empty.
    #[serde(default)]
    pub operations: Vec<String>,
    /// How many calls come back each second, more than 0.
    #[serde(deserialize_with = "positive")]
    pub per_second: f64,
    /// How many a full bucket holds.
    pub burst: NonZeroU32,
}

/// When each bucket is full again, by account, region and group.
#[derive(Clone, Debug, Default)]
pub struct State {
    full_at: BTreeMap<[String; 3], Timestamp>,
}

/// The bucket of a call, in whole nanoseconds so that no fraction of a call is lost on the way.
struct Bucket {
    key: [String; 3],
    /// How long one call takes to come back.
    refill: i128,
    burst: i128,
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    match Service::named(&name) {
        Some(service) => Ok(service.name().to_owned()),
        None => Err(D::Error::custom(format!("{name} is not a service of the sandbox"))),
    }
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(deserializer)?;
    // One call in a year and a call each nanosecond are the ends of what can be counted here.
    match (3e-8..=1e9).contains(&rate) {
        true => Ok(rate),
        false => Err(D::Error::custom(format!("{rate} is not a number of calls a second"))),
    }
}

/// Takes a call out of its bucket.
///
/// # Errors
/// The service's refusal of calls that come too fast, where the bucket is empty; such a call takes nothing out.
pub fn take(
    world: &mut World,
    caller: &Caller,
    region: &str,
    address: &Address,
    request: &Request<Bytes>,
) -> Result<(), Refusal> {
    let Some(bucket) = bucket(&world.settings.rate_limits, caller, region, address, request) else { return Ok(()) };
    let now = world.now;
    let full_at = world.rates.full_at.entry(bucket.key).or_insert(now);
    let missing = (full_at.as_nanosecond() - now.as_nanosecond()).max(0) + bucket.refill;
    let short = missing - bucket.refill.saturating_mul(bucket.burst);
    if short > 0 {
        return Err(refusal(address, short));
    }
    *full_at = Timestamp::from_nanosecond(now.as_nanosecond() + missing).unwrap_or(Timestamp::MAX);
    Ok(())
}

/// Lambda alone says when to come back: its model has `retryAfterSeconds` in the header Retry-After.
fn refusal(address: &Address, short: i128) -> Refusal {
    let refusal = wire::throttled(address);
    match address.service {
        Some(Service::Lambda) => refusal.with_retry_after(u64::try_from((short + SECOND - 1) / SECOND).unwrap_or(1)),
        _ => refusal,
    }
}

fn bucket(
    limits: &RateLimits,
    caller: &Caller,
    region: &str,
    address: &Address,
    request: &Request<Bytes>,
) -> Option<Bucket> {
    let service = address.service?;
    // IAM is one for all regions of an account.
    let region = if service == Service::Iam { "" } else { region };
    let names = |limit: &RateLimit| {
        let operation = limit.operations.is_empty() || limit.operations.contains(&address.operation);
        limit.service == service.name() && operation
    };
    if let Some((number, limit)) = limits.own.iter().enumerate().find(|(_, limit)| names(limit)) {
        let key = [caller.account.clone(), region.to_owned(), format!("own {number}")];
        #[allow(clippy::cast_possible_truncation)]
        let refill = (1e9 / limit.per_second) as i128;
        return Some(Bucket { key, refill, burst: limit.burst.get().into() });
    }
    if !limits.published {
        return None;
    }
    if service == Service::S3 {
        let (group, per_second) = object_requests(request)?;
        return Some(Bucket::published([String::new(), String::new(), group], per_second));
    }
    let (group, per_second) = published(service, &address.operation)?;
    let group = format!("{} {group}", service.name());
    Some(Bucket::published([caller.account.clone(), region.to_owned(), group], per_second))
}

impl Bucket {
    fn published(key: [String; 3], per_second: i128) -> Self {
        Self { key, refill: SECOND / per_second, burst: per_second }
    }
}

/// The group of an operation and how many of its calls AWS takes each second.
fn published(service: Service, operation: &str) -> Option<(&str, i128)> {
    Some(match (service, operation) {
        (Service::Lambda, "Invoke") | (Service::Events, "PutEvents") => return None,
        (Service::Lambda, "GetFunction") => (operation, 100),
        (Service::Lambda, "GetPolicy") => (operation, 15),
        (Service::Lambda, _) => ("control plane", 15),
        (Service::Events, _) => (operation, 50),
        (Service::SecretsManager, "DescribeSecret" | "GetSecretValue") => ("reads", 10_000),
        (Service::SecretsManager, "PutSecretValue" | "UpdateSecret" | "UpdateSecretVersionStage") => ("values", 50),
        (Service::SecretsManager, "DeleteResourcePolicy" | "GetResourcePolicy" | "PutResourcePolicy") => {
            ("policies", 50)
        }
        _ => return None,
    })
}

/// Requests for objects are counted by bucket and prefix, whoever makes them; requests for buckets are not counted.
fn object_requests(request: &Request<Bytes>) -> Option<(String, i128)> {
    let (bucket, key) = request.uri().path().trim_start_matches('/').split_once('/')?;
    if key.is_empty() {
        return None;
    }
    let prefix = key.rsplit_once('/').map_or("", |(prefix, _)| prefix);
    let (kind, per_second) = match *request.method() {
        Method::GET | Method::HEAD => ("reads", 5_500),
        _ => ("writes", 3_500),
    };
    Some((format!("s3 {kind} {bucket}/{prefix}"), per_second))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::aws::dispatch::administrator;
    use crate::{Endpoint, Sandbox, Settings};

    /// `service operation` in a protocol that the service speaks, or `s3 METHOD /path`, `lambda METHOD /path`.
    fn request(call: &str, region: &str) -> Request<Bytes> {
        let words: Vec<&str> = call.split(' ').collect();
        let service = words[0];
        let scope = format!("AWS4-HMAC-SHA256 Credential=AKIA1/20260105/{region}/{service}/aws4_request, Signature=0");
        let builder = Request::builder().header("authorization", scope);
        match (service, words.as_slice()) {
            ("s3" | "lambda", [_, method, path]) => builder.method(*method).uri(*path).body(Bytes::new()),
            ("iam", [_, operation]) => form(builder, format!("Action={operation}&Version=2010-05-08&RoleName=r")),
            ("cloudformation", [_, operation]) => {
                form(builder, format!("Action={operation}&Version=2010-05-15&StackName=s"))
            }
            (_, words) => {
                let prefix = if service == "servicecatalog" { "AWS242ServiceCatalogService" } else { service };
                let builder = builder.header("content-type", "application/x-amz-json-1.1");
                let builder = builder.header("x-amz-target", format!("{prefix}.{}", words[1]));
                builder.method("POST").uri("/").body(Bytes::from_static(b"{}"))
            }
        }
        .unwrap()
    }

    fn form(builder: http::request::Builder, body: String) -> http::Result<Request<Bytes>> {
        let builder = builder.header("content-type", "application/x-www-form-urlencoded");
        builder.method("POST").uri("/").body(Bytes::from(body))
    }

    fn limited(limits: Value) -> Settings {
        serde_json::from_value(json!({"rateLimits": limits})).unwrap()
    }

    /// How many of `most` calls at one moment, taken in turn from `calls`, are let through before the first refusal.
    fn at_once(world: &mut World, calls: &[(&str, &str, &str)], most: usize) -> usize {
        let asked: Vec<_> = calls
            .iter()
            .map(|(account, region, call)| (administrator(account), *region, request(call, region)))
            .collect();
        let mut turns = asked.iter().cycle().take(most);
        turns
            .position(|(caller, region, request)| take(world, caller, region, &Address::of(request), request).is_err())
            .unwrap_or(most)
    }

    /// Account, region and request of each call.
    type Calls = Vec<(&'static str, &'static str, &'static str)>;

    const A: &str = "111122223333";
    const B: &str = "444455556666";
    const FUNCTION: &str = "lambda GET /2015-03-31/functions/f";
    const CONFIGURATION: &str = "lambda GET /2015-03-31/functions/f/configuration";
    const POLICY: &str = "lambda GET /2015-03-31/functions/f/policy";

    #[test]
    fn a_full_bucket_holds_what_aws_publishes_for_a_second() {
        let (published, catalog) = (
            json!({"published": true}),
            json!({"own": [
                {"service": "servicecatalog", "operations": ["CreateProduct", "DeleteProduct"], "perSecond": 1, "burst": 3},
                {"service": "servicecatalog", "perSecond": 10, "burst": 7},
                {"service": "iam", "perSecond": 1, "burst": 4},
            ]}),
        );
        let first = |call| vec![(A, "eu-west-1", call)];
        #[rustfmt::skip]
        let rows: Vec<(&str, Value, Calls, usize)> = vec![
            ("nothing is limited unless the settings say so", json!({}), first(CONFIGURATION), 20_000),
            ("a function is read 100 times", published.clone(), first(FUNCTION), 100),
            ("a function's policy is read 15 times", published.clone(), first(POLICY), 15),
            ("the rest of Lambda's control plane shares 15", published.clone(), vec![(A, "eu-west-1", CONFIGURATION), (A, "eu-west-1", "lambda GET /2015-03-31/functions")], 15),
            ("invocations are not limited", published.clone(), first("lambda POST /2015-03-31/functions/f/invocations"), 20_000),
            ("each API of EventBridge has 50", published.clone(), vec![(A, "eu-west-1", "events PutRule"), (A, "eu-west-1", "events PutTargets")], 100),
            ("events are put without a limit here", published.clone(), first("events PutEvents"), 20_000),
            ("reads of secrets share 10,000", published.clone(), vec![(A, "eu-west-1", "secretsmanager GetSecretValue"), (A, "eu-west-1", "secretsmanager DescribeSecret")], 10_000),
            ("writes of a secret's value share 50", published.clone(), vec![(A, "eu-west-1", "secretsmanager PutSecretValue"), (A, "eu-west-1", "secretsmanager UpdateSecret")], 50),
            ("resource policies of secrets share 50", published.clone(), first("secretsmanager GetResourcePolicy"), 50),
            ("objects are written 3,500 times in a prefix", published.clone(), vec![(A, "eu-west-1", "s3 PUT /b/p/1"), (B, "eu-west-1", "s3 DELETE /b/p/2")], 3_500),
            ("objects are read 5,500 times in a prefix", published.clone(), first("s3 GET /b/p/1"), 5_500),
            ("two prefixes have a bucket each", published.clone(), vec![(A, "eu-west-1", "s3 PUT /b/p/1"), (A, "eu-west-1", "s3 PUT /b/q/1")], 7_000),
            ("requests for a bucket are not counted", published.clone(), first("s3 PUT /b"), 20_000),
            ("two accounts have a bucket each", published.clone(), vec![(A, "eu-west-1", POLICY), (B, "eu-west-1", POLICY)], 30),
            ("two regions have a bucket each", published.clone(), vec![(A, "eu-west-1", POLICY), (A, "us-east-1", POLICY)], 30),
            ("a service that publishes nothing is not limited", published, first("servicecatalog CreateProduct"), 20_000),
            ("operations of one's own limit share it", catalog.clone(), vec![(A, "eu-west-1", "servicecatalog CreateProduct"), (A, "eu-west-1", "servicecatalog DeleteProduct")], 3),
            ("the first of one's own limits that names a call holds", catalog.clone(), first("servicecatalog ListPortfolios"), 7),
            ("IAM is the same for all regions", catalog, vec![(A, "eu-west-1", "iam GetRole"), (A, "us-east-1", "iam GetRole")], 4),
        ];
        for (case, limits, calls, expected) in rows {
            let mut world = World::new(limited(limits), Timestamp::UNIX_EPOCH);
            assert_eq!(at_once(&mut world, &calls, 20_000), expected, "{case}");
        }
    }

    #[test]
    fn an_empty_bucket_fills_as_time_passes() {
        let limits = json!({"published": true, "own": [{"service": "cloudformation", "perSecond": 0.5, "burst": 2}]});
        let rows = [
            ("no time, no call", POLICY, 0, 0),
            ("a fifteenth of a second brings one of fifteen back", POLICY, 67, 1),
            ("half a second brings seven", POLICY, 500, 7),
            ("a minute brings no more than a bucket holds", POLICY, 60_000, 15),
            ("one in two seconds is not there after one", "cloudformation DescribeStacks", 1_000, 0),
            ("one in two seconds is there after two", "cloudformation DescribeStacks", 2_000, 1),
        ];
        for (case, call, millis, expected) in rows {
            let mut world = World::new(limited(limits.clone()), Timestamp::UNIX_EPOCH);
            at_once(&mut world, &[(A, "eu-west-1", call)], 100);
            let later = world.after(Duration::from_millis(millis));
            world.advance(later);
            assert_eq!(at_once(&mut world, &[(A, "eu-west-1", call)], 100), expected, "{case}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_service_refuses_in_its_own_words() {
        #[rustfmt::skip]
        let rows = [
            ("a JSON service", "servicecatalog ListPortfolios", 400, "\"__type\":\"ThrottlingException\"", None),
            ("a query service", "cloudformation DescribeStacks", 400, "<Code>Throttling</Code>", None),
            ("S3", "s3 GET /bucket/key", 503, "<Code>SlowDown</Code>", None),
            ("Lambda, which says when to come back", FUNCTION, 429, "Rate exceeded", Some("4")),
            ("Lambda, when a function is run", "lambda POST /2015-03-31/functions/f/invocations", 429, "Rate exceeded", Some("4")),
        ];
        for (case, call, status, text, retry_after) in rows {
            let service = call.split(' ').next().unwrap();
            let own = json!({"own": [{"service": service, "perSecond": 0.25, "burst": 1}]});
            let sandbox = Sandbox::new(limited(own));
            let ask = || sandbox.answer(Endpoint::Aws, request(call, "eu-west-1"));
            let let_through = ask().await.unwrap();
            assert!(let_through.headers().get("retry-after").is_none(), "{case}");
            let refused = ask().await.unwrap();
            let body = std::str::from_utf8(refused.body()).unwrap();
            assert_eq!(refused.status(), status, "{case}");
            assert!(body.contains(text), "{case}: {body}");
            let header = refused.headers().get("retry-after").map(|value| value.to_str().unwrap());
            assert_eq!(header, retry_after, "{case}");
            if status == 429 {
                assert_eq!(refused.headers()["x-amzn-errortype"], "TooManyRequestsException", "{case}");
            }
            tokio::time::sleep(Duration::from_secs(4)).await;
            let later = ask().await.unwrap();
            let body = std::str::from_utf8(later.body()).unwrap();
            assert!(later.status() == let_through.status() && !body.contains(text), "{case}: in time: {body}");
        }
    }

    #[test]
    fn limits_that_mean_nothing_are_refused() {
        let rows = [
            ("a service that is not here", json!({"service": "dynamodb", "perSecond": 1, "burst": 1})),
            ("no calls a second", json!({"service": "iam", "perSecond": 0, "burst": 1})),
            ("fewer than none", json!({"service": "iam", "perSecond": -1, "burst": 1})),
            ("a bucket that holds nothing", json!({"service": "iam", "perSecond": 1, "burst": 0})),
            ("a member of another name", json!({"service": "iam", "perSecond": 1, "burst": 1, "operation": "GetRole"})),
        ];
        for (case, limit) in rows {
            let read = serde_json::from_value::<Settings>(json!({"rateLimits": {"own": [limit]}}));
            assert!(read.is_err(), "{case}");
        }
    }
}
