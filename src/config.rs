//! Flags, environment and file become one [`Config`]. It is the only reader of the environment; AWS credentials and
//! endpoint, the kubeconfig and what OpenTelemetry sends are read by their own libraries, in their usual ways.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use regex::Regex;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use crate::crd::project::DeletionPolicy;
use crate::domain::docs_url::{DOCS_URL, DocsUrl};
use crate::domain::grants::InlinePlatform;
use crate::domain::watch_selector::WatchSelector;

/// The operator's own namespace where nothing else is said: that of the documents, the examples and the roles in AWS.
pub const NAMESPACE: &str = "mlops-system";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Flags of `mlops-operator run`.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// Configuration file (YAML), as the chart mounts it. Without one, inline platforms are allowed nowhere.
    #[arg(long, env = "MLOPS_OPERATOR_CONFIG")]
    pub config: Option<PathBuf>,
    /// The context of the kubeconfig to work with. Without one: the cluster that the operator runs in, or the kubeconfig's own.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The operator's own namespace: its Lease and the key of the fingerprints are kept there.
    #[arg(long, env = "POD_NAMESPACE", default_value = NAMESPACE)]
    pub namespace: String,
    /// The operator's name among its replicas.
    #[arg(long, env = "POD_NAME")]
    pub instance: Option<String>,
    /// Which platforms, and which projects with a platform of their own, this operator works on, by their labels: a selector in
    /// Kubernetes' syntax, such as `shard=blue` or `shard notin (blue,green)`. Empty: all.
    #[arg(long, env = "MLOPS_OPERATOR_WATCH_SELECTOR", default_value = "", hide_default_value = true)]
    pub watch_selector: WatchSelector,
    /// Port of /healthz, /readyz and /metrics; 0 takes a free one and logs it.
    #[arg(long, default_value_t = 8081)]
    pub health_port: u16,
    /// Address of /healthz, /readyz and /metrics: by default all, of IPv6 and of IPv4.
    #[arg(long, default_value = "::")]
    pub health_address: std::net::IpAddr,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// The collector that gets traces and logs by OTLP over HTTP, such as `http://collector.observability:4318`; /v1/traces and
    /// /v1/logs are added. Empty: none are sent.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        default_value = "",
        hide_default_value = true
    )]
    pub otlp_endpoint: String,
    /// Leaves out the metrics that have a series for each object.
    #[arg(long)]
    pub no_object_metrics: bool,
    /// Works without a Lease: for local runs of a single operator.
    #[arg(long)]
    pub no_leader_election: bool,
}

/// What a cluster may be called: it becomes a part of tags.
const CLUSTER_ID: &str = r"^[A-Za-z0-9._-]{0,63}$";

/// The configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Names this cluster in ownership tags; empty: the uid of the namespace `kube-system`.
    #[schemars(regex(pattern = CLUSTER_ID))]
    pub cluster_id: String,
    /// How many objects are worked on at once, 1-256.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u16,
    /// Whether resources that name an object as their owner count as its own whatever their seal: for the time after the
    /// installation's key was lost.
    pub accept_unsealed: bool,
    /// What happens to the resources of an object that is deleted and whose spec does not say: `Delete` or `Retain`.
    pub default_deletion_policy: DeletionPolicy,
    /// Where the documentation is published: an https URL with which conditions that need a person end, as the page of their reason.
    /// Empty: they end without.
    #[schemars(regex(pattern = DOCS_URL), length(max = 200))]
    pub docs_url: DocsUrl,
    /// How long the Lease is held, and when it is renewed.
    pub leader_election: LeaderElection,
    /// Who may describe a platform in the project itself, and with what.
    pub inline_platforms: Vec<InlinePlatform>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cluster_id: String::new(),
            concurrency: 16,
            accept_unsealed: false,
            default_deletion_policy: DeletionPolicy::default(),
            docs_url: DocsUrl::default(),
            leader_election: LeaderElection::default(),
            inline_platforms: Vec::new(),
        }
    }
}

/// Times of the Lease, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaderElection {
    /// For how long the Lease is held without being renewed: how long another replica waits after the leader has died, 5-600.
    #[schemars(range(min = 5, max = 600))]
    pub lease_duration: u64,
    /// How long before its end it is renewed: by so much a replica's clock may be ahead of the leader's before it takes a Lease
    /// that is held for one that has ended.
    #[schemars(range(min = 1, max = 599))]
    pub renew_grace: u64,
}

impl Default for LeaderElection {
    fn default() -> Self {
        Self { lease_duration: 15, renew_grace: 10 }
    }
}

impl LeaderElection {
    fn validate(&self) -> Result<(), String> {
        let Self { lease_duration, renew_grace } = self;
        if !(5..=600).contains(lease_duration) {
            return Err(format!("leaderElection.leaseDuration is {lease_duration}, but must be from 5 to 600 seconds"));
        }
        if !(1..*lease_duration).contains(renew_grace) {
            return Err(format!(
                "leaderElection.renewGrace is {renew_grace}, but must be at least 1 second and smaller than \
                 leaderElection.leaseDuration, which is {lease_duration}: the Lease is renewed so long before its end"
            ));
        }
        Ok(())
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The file does not say what it may say.
    #[error("the configuration file {path} is not valid: {message}")]
    Invalid {
        /// Which file.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

impl Config {
    /// Reads the file, if one is named.
    ///
    /// # Errors
    /// The file cannot be read, holds a key that does not exist, or a value out of bounds.
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let shown = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: shown.clone(), source })?;
        Self::parse(&text).map_err(|message| ConfigError::Invalid { path: shown, message })
    }

    /// The JSON schema of the file, as the chart's values have it. What it cannot say is that times go together.
    pub fn schema() -> Schema {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        });
        let mut schema =
            settings.with_transform(RecursiveTransform(plain)).into_generator().into_root_schema_for::<Self>();
        schema.remove("title");
        schema
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// A sentence that begins with the path of what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Option<Self> = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
        let config = config.unwrap_or_default();
        if !Regex::new(CLUSTER_ID).is_ok_and(|form| form.is_match(&config.cluster_id)) {
            return Err(format!(
                "clusterId is {:?}, but must have at most 63 letters, digits, dots, hyphens and underscores, and nothing else",
                config.cluster_id
            ));
        }
        if !(1..=256).contains(&config.concurrency) {
            return Err(format!("concurrency is {}, but must be from 1 to 256", config.concurrency));
        }
        config.leader_election.validate()?;
        config.inline_platforms.iter().enumerate().try_for_each(|(at, platform)| platform.validate(at))?;
        Ok(config)
    }
}

/// An enum with documented variants is one of those listed, and the width of a number in Rust says nothing.
fn plain(schema: &mut Schema) {
    schema.remove("format");
    let variants = schema.get("oneOf").and_then(|variants| variants.as_array()).cloned().unwrap_or_default();
    let values: Vec<_> = variants.iter().filter_map(|variant| variant.get("const").cloned()).collect();
    if !values.is_empty() && values.len() == variants.len() {
        schema.remove("oneOf");
        schema.insert("type".to_owned(), "string".into());
        schema.insert("enum".to_owned(), values.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_file_that_the_chart_mounts_is_understood() {
        let text = "clusterId: blue\nconcurrency: 4\ndefaultDeletionPolicy: Retain\ninlinePlatforms:\n- namespaces: [team-a]\n  operatorIdentity: true\n  roles: ['arn:aws:iam::111122223333:role/mlops-use']\n  jenkinsUrls: ['https://jenkins.example.com']\n";
        let config = Config::parse(text).unwrap();
        assert_eq!((config.cluster_id.as_str(), config.concurrency), ("blue", 4));
        assert_eq!(config.default_deletion_policy, DeletionPolicy::Retain);
        assert_eq!(config.inline_platforms[0].jenkins_urls, ["https://jenkins.example.com"]);
        assert!(config.inline_platforms[0].operator_identity && !config.inline_platforms[0].own_templates);
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn what_it_does_not_know_or_cannot_do_is_refused_by_name() {
        assert!(Config::parse("concurency: 4").unwrap_err().contains("concurency"));
        assert!(Config::parse("concurrency: 0").unwrap_err().contains("from 1 to 256"));
        let policy = Config::parse("defaultDeletionPolicy: Keep").unwrap_err();
        assert!(policy.contains("defaultDeletionPolicy") && policy.contains("`Retain`"), "{policy}");
        let docs = Config::parse("docsUrl: http://docs.example.com").unwrap_err();
        assert!(docs.contains("docsUrl") && docs.contains("does not begin with https://"), "{docs}");
        let times = |text: &str| Config::parse(&format!("leaderElection: {text}")).map(|config| config.leader_election);
        let kept = LeaderElection { lease_duration: 30, renew_grace: 20 };
        assert_eq!(times("{leaseDuration: 30, renewGrace: 20}"), Ok(kept));
        assert_eq!(times("{leaseDuration: 30}"), Ok(LeaderElection { renew_grace: 10, ..kept }));
        let refused = [
            ("{leaseDuration: 4, renewGrace: 1}", "leaseDuration is 4, but must be from 5 to 600"),
            ("{leaseDuration: 601}", "leaseDuration is 601, but must be from 5 to 600"),
            (
                "{leaseDuration: 10}",
                "renewGrace is 10, but must be at least 1 second and smaller than leaderElection.leaseDuration, which is 10",
            ),
            ("{renewGrace: 0}", "renewGrace is 0, but must be at least 1 second"),
            ("{renewDeadline: 5}", "renewDeadline"),
        ];
        for (text, sentence) in refused {
            let said = times(text).unwrap_err();
            assert!(said.contains(sentence), "{text}: {said}");
        }
        let host = Config::parse("inlinePlatforms: [{namespaces: [a], jenkinsUrls: [ci.example]}]").unwrap_err();
        assert!(host.contains("inlinePlatforms[0].jenkinsUrls[0]: \"ci.example\""), "{host}");
    }
}
