//! Everything that exists in the sandbox, as plain data: accounts, regions, buckets, Jenkins. A world can be
//! cloned, so that an exploration forks it instead of building it again. It holds no clock, no socket and no
//! lock; the transports set `now` and call [`World::advance`] before each request.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::aws;
use crate::jenkins::Jenkins;
use crate::repositories::Repositories;

/// How the sandbox behaves; all durations are how long AWS or Jenkins takes to do a thing. As JSON or YAML they
/// are seconds: `{"project": 240, "stack": 0.5}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// The account that static credentials belong to (12 digits).
    pub account: String,
    /// How long a SageMaker project takes to be created, updated or deleted, at least: its stack may take longer.
    #[serde(with = "seconds")]
    pub project: Duration,
    /// How long one stack operation takes in all; it is shared out evenly among the stack's resources.
    #[serde(with = "seconds")]
    pub stack: Duration,
    /// How long a product, provisioning artifact or constraint stays CREATING.
    #[serde(with = "seconds")]
    pub catalog: Duration,
    /// How long a thing that was just written is not yet seen by reads of it.
    #[serde(with = "seconds")]
    pub read_after_write: Duration,
    /// How long a thing that was just created or deleted is not yet reflected in lists.
    #[serde(with = "seconds")]
    pub list_lag: Duration,
    /// How long roles, principals and launch paths take to propagate.
    #[serde(with = "seconds")]
    pub iam_propagation: Duration,
    /// How long a Jenkins build waits in the queue, and then runs.
    #[serde(with = "seconds")]
    pub jenkins_queue: Duration,
    /// How long a Jenkins build runs.
    #[serde(with = "seconds")]
    pub jenkins_build: Duration,
    /// How long Jenkins answers 503 before and after it takes nobody's token while it restarts; with both at zero it is
    /// back at once.
    #[serde(with = "seconds")]
    pub jenkins_restart: Duration,
    /// How long valid tokens are answered with 401 while it restarts.
    #[serde(with = "seconds")]
    pub jenkins_unauthorized: Duration,
    /// How long a custom resource's function takes to answer where it does not run: in process, or by a script.
    #[serde(with = "seconds")]
    pub custom_resource: Duration,
    /// How long after a failed asynchronous run a function is tried again, and twice as long the second time
    /// (AWS: one minute, then two). Only the HTTP transport runs functions.
    #[serde(with = "seconds")]
    pub lambda_retry: Duration,
    /// How long a new function is Pending and a changed one's update InProgress, except in stacks, which wait for it.
    #[serde(with = "seconds")]
    pub lambda_update: Duration,
    /// How fast AWS may be called; as fast as one likes by default.
    pub rate_limits: aws::rate_limits::RateLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "111122223333".into(),
            project: Duration::from_secs(4),
            stack: Duration::from_secs(2),
            catalog: Duration::from_millis(500),
            read_after_write: Duration::ZERO,
            list_lag: Duration::ZERO,
            iam_propagation: Duration::ZERO,
            jenkins_queue: Duration::from_millis(200),
            jenkins_build: Duration::from_secs(1),
            jenkins_restart: Duration::ZERO,
            jenkins_unauthorized: Duration::ZERO,
            custom_resource: Duration::from_secs(1),
            lambda_retry: Duration::from_secs(1),
            lambda_update: Duration::ZERO,
            rate_limits: aws::rate_limits::RateLimits::default(),
        }
    }
}

/// Durations as seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| D::Error::custom(format!("{seconds} is not a number of seconds, 0 or more")))
    }
}

/// A source of ids that look random and are the same in each run: the n-th id is a digest of n.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    count: u64,
}

impl Ids {
    /// The next id: `length` characters out of a-z and 0-9, the first one a letter.
    pub fn next(&mut self, length: usize) -> String {
        self.count += 1;
        let mut id = String::with_capacity(length);
        let mut block = 0_u64;
        while id.len() < length {
            let digest = Sha256::digest(format!("{}/{block}", self.count));
            for byte in digest {
                let sign = b"abcdefghijklmnopqrstuvwxyz0123456789"[usize::from(byte % 36)] as char;
                if id.len() < length && (!id.is_empty() || sign.is_ascii_lowercase()) {
                    id.push(sign);
                }
            }
            block += 1;
        }
        id
    }

    /// The next id in the form of a UUID.
    pub fn uuid(&mut self) -> String {
        self.count += 1;
        let hex = hex::encode(Sha256::digest(format!("uuid/{}", self.count)));
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }
}

/// Something that happens by itself later: `wake` of the named service is called at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Whose state moves.
    pub part: Part,
    /// The account it happens in (empty for Jenkins).
    pub account: String,
    /// The region it happens in (empty for Jenkins).
    pub region: String,
    /// What moves: an id that the part understands.
    pub id: String,
}

/// The parts of the world that have something going on by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Part {
    ServiceCatalog,
    SageMaker,
    CloudFormation,
    Sqs,
    Lambda,
    Jenkins,
}

/// Work that the world wants done outside itself, in real time: taken by the HTTP transport, recorded in process.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Effect {
    /// EventBridge matched an event with a rule whose target is this function.
    #[serde(rename_all = "camelCase")]
    InvokeLambda {
        /// Account of the function.
        account: String,
        /// Region of the function.
        region: String,
        /// Name of the function.
        function: String,
        /// Id of the invocation, as `aws::lambda::State::invocations` has it.
        id: String,
        /// The event as the function receives it.
        event: serde_json::Value,
    },
    /// CodeBuild begins a build.
    #[serde(rename_all = "camelCase")]
    RunBuild {
        /// Account of the project.
        account: String,
        /// Region of the project.
        region: String,
        /// Id of the build, as `aws::codebuild::State` has it.
        id: String,
    },
}

/// One account in one region.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// Service Catalog.
    pub catalog: aws::service_catalog::State,
    /// SageMaker.
    pub sagemaker: aws::sagemaker::State,
    /// CloudFormation.
    pub cloudformation: aws::cloudformation::State,
    /// Secrets Manager.
    pub secrets: aws::secrets_manager::State,
    /// CodeConnections.
    pub connections: aws::code_connections::State,
    /// EventBridge.
    pub events: aws::events::State,
    /// Lambda.
    pub lambda: aws::lambda::State,
    /// CodeBuild.
    pub codebuild: aws::codebuild::State,
    /// SQS.
    pub sqs: aws::sqs::State,
}

/// Everything that exists.
#[derive(Clone, Debug)]
pub struct World {
    /// The present moment, set by the transport before each call.
    pub now: Timestamp,
    /// How things behave.
    pub settings: Settings,
    /// Where new ids come from.
    pub ids: Ids,
    /// What exists in each account and region.
    pub regions: BTreeMap<(String, String), Region>,
    /// S3, whose bucket names are global.
    pub s3: aws::s3::State,
    /// IAM and STS, which know all accounts.
    pub iam: aws::iam::State,
    /// Jenkins.
    pub jenkins: Jenkins,
    /// Git repositories behind connections.
    pub repositories: Repositories,
    /// Where AWS is, if the HTTP transport is open: then what the world wants done outside itself is done. `None` in process.
    pub live: Option<String>,
    /// How many calls are left to whom, where the settings limit them.
    pub rates: aws::rate_limits::State,
    /// Work for the transport.
    pub effects: Vec<Effect>,
    timeline: BTreeMap<(Timestamp, u64), Due>,
    scheduled: u64,
}

impl World {
    /// An empty world: one account with nothing in it but the roles that AWS makes, and an empty Jenkins.
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        let iam = aws::iam::State::new(&settings.account);
        Self {
            now,
            settings,
            ids: Ids::default(),
            regions: BTreeMap::new(),
            s3: aws::s3::State::default(),
            iam,
            jenkins: Jenkins::default(),
            repositories: Repositories::default(),
            live: None,
            rates: aws::rate_limits::State::default(),
            effects: Vec::new(),
            timeline: BTreeMap::new(),
            scheduled: 0,
        }
    }

    /// The account's region, which exists from the first time it is named.
    pub fn region(&mut self, account: &str, region: &str) -> &mut Region {
        self.regions.entry((account.to_owned(), region.to_owned())).or_default()
    }

    /// `now` plus a duration.
    pub fn after(&self, delay: Duration) -> Timestamp {
        let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
        self.now.saturating_add(delay).unwrap_or(Timestamp::MAX)
    }

    /// Lets `due` happen after `delay`.
    pub fn schedule(&mut self, delay: Duration, due: Due) {
        self.scheduled += 1;
        let at = self.after(delay);
        self.timeline.insert((at, self.scheduled), due);
    }

    /// Lets time pass until `now`: everything due by then happens, in order, each at its own moment.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.timeline.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), due) = entry.remove_entry();
            self.now = self.now.max(at);
            match due.part {
                Part::ServiceCatalog => aws::service_catalog::wake(self, &due),
                Part::SageMaker => aws::sagemaker::wake(self, &due),
                Part::CloudFormation => aws::cloudformation::wake(self, &due),
                Part::Lambda => aws::lambda::wake(self, &due),
                Part::Sqs => aws::sqs::wake(self, &due),
                Part::Jenkins => crate::jenkins::wake(self, &due),
            }
        }
        self.now = self.now.max(now);
    }

    /// The moment of the next thing that happens by itself, if any.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timeline.keys().next().map(|(at, _)| *at)
    }

    /// Everything that exists, in a stable order; secrets are included as digests only.
    pub fn dump(&self) -> Value {
        let regions: serde_json::Map<String, Value> = self
            .regions
            .iter()
            .map(|((account, region), parts)| (format!("{account}/{region}"), parts.dump(self.now)))
            .collect();
        json!({
            "now": self.now,
            "regions": regions,
            "s3": self.s3.dump(),
            "iam": self.iam.dump(),
            "jenkins": self.jenkins.dump(),
            "repositories": self.repositories.dump(),
            "effects": self.effects,
        })
    }
}

impl Region {
    fn dump(&self, now: Timestamp) -> Value {
        json!({
            "servicecatalog": self.catalog.dump(),
            "sagemaker": self.sagemaker.dump(),
            "cloudformation": self.cloudformation.dump(),
            "secretsmanager": self.secrets.dump(),
            "codeconnections": self.connections.dump(),
            "events": self.events.dump(),
            "lambda": self.lambda.dump(now),
            "codebuild": self.codebuild.dump(),
            "sqs": self.sqs.dump(),
        })
    }
}
