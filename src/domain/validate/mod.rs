//! From the spec to a project: defaults filled in, texts bounded once more, contradictions refused. What passes here
//! cannot fail later for its form. Secrets are only named here; [`Parsed::into_project`] takes them in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::crd::identifiers::{FormError, Region};
use crate::crd::project::{DataPolicy, MlopsProjectSpec, RepositoriesSpec, SecretKeyRef, TriggeredJob};
use crate::crd::status::Placement;
use crate::domain::grants::Use;
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::platform::{Platform, Seeds};
use crate::domain::project::{JenkinsSettings, ParameterValue, Project, Repositories, SeedCode};
use crate::domain::seal::Seals;
use crate::domain::secret::{SealedSecret, Secret};

mod defaults;
mod on_platform;
mod patterns;
mod placement;
mod platform;
mod poll_schedule;
mod repositories;
mod tags;
mod uses;

pub use patterns::NamespacesIn;
pub use placement::placement_of_raw;
use platform::Needs;
pub use platform::{ParsedPlatform, ResolvedPlatform, parse_platform, placement_on};
pub use uses::{derived, of_place};

/// How long the trigger's log is kept where nothing else is asked for.
pub const LOG_RETENTION_DAYS: u16 = 30;

/// Why a spec cannot be used: which field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SpecError {
    /// Path of the field, such as `spec.platform.aws.region`.
    pub field: String,
    /// What is wrong, what is allowed.
    pub message: String,
}

impl SpecError {
    fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}

/// A spec that parsed, and what it still needs from outside.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Whose resources, and where.
    pub identity: Identity,
    /// What the project stands on.
    pub platform: PlatformSource,
    /// The repositories of the spec.
    repositories: Repositories,
    /// The spec, with what the platform fills in.
    pub spec: MlopsProjectSpec,
}

/// What a project stands on.
#[derive(Clone, Debug)]
pub enum PlatformSource {
    /// A platform of its own.
    Own(Box<ParsedPlatform>),
    /// A platform that it shares.
    Shared(Arc<Platform>),
}

/// A platform that projects may stand on.
#[derive(Clone)]
pub struct SharedPlatform {
    /// Name of the `MlopsPlatform`.
    pub name: String,
    /// What it lets projects do.
    pub spec: Arc<crate::crd::MlopsPlatformSpec>,
    /// What its resources are made from.
    pub platform: Arc<Platform>,
}

/// What a project on a shared platform is held against beside the platform.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Tells which namespaces' names stand in a text, the project's own among them.
    pub namespaces_in: NamespacesIn<'a>,
    /// Where the project was made, as its sealed status says, if it was: what it has there, it keeps, whatever namespaces
    /// came later.
    pub made: Option<&'a Placement>,
}

impl<'a> Around<'a> {
    /// Who tells of other namespaces, unless the project has what is asked about already.
    fn unless(&self, has: bool) -> Option<NamespacesIn<'a>> {
        (!has).then_some(self.namespaces_in)
    }
}

/// What a project takes from Secrets and ConfigMaps.
#[derive(Clone)]
pub struct Resolved {
    /// For a platform of its own.
    pub platform: Option<ResolvedPlatform>,
    /// Template parameters with `valueFrom`, by parameter name.
    pub parameters: BTreeMap<String, SealedSecret>,
}

impl Resolved {
    /// What must not be shown.
    pub fn secrets(&self) -> Vec<Secret> {
        let parameters = self.parameters.values().map(|sealed| sealed.value.clone());
        self.platform.iter().flat_map(ResolvedPlatform::secrets).chain(parameters).collect()
    }
}

/// Parses the raw spec of an object of this owner with a platform of its own, whose resources are sealed with these seals.
///
/// # Errors
/// The first field that is missing, of the wrong type or out of bounds, with what is allowed.
pub fn parse(owner: &OwnerKey, seals: &Seals, raw_spec: &Value) -> Result<Parsed, SpecError> {
    let spec: MlopsProjectSpec = typed("spec", raw_spec)?;
    let Some(settings) = spec.platform.clone().filter(|_| spec.platform_ref.is_none()) else {
        let message = "takes exactly one of platformRef (a shared MlopsPlatform) and platform (one of its own)";
        return Err(SpecError::new("spec", message));
    };
    tags::apart("spec.tags", spec.tags.keys().chain(settings.tags.keys()))?;
    let folder = spec.jenkins.folder.as_deref();
    let placement = placement::of_settings(owner, &settings, "spec.platform", project_name(owner, &spec)?, folder)?;
    let identity = Identity { owner: owner.clone(), placement, seals: seals.clone() };
    let wanted = spec.wanted_trigger().is_some();
    let platform = ParsedPlatform::of(identity.clone(), settings, "spec.platform", wanted)?;
    let parsed = checked(identity, PlatformSource::Own(Box::new(platform)), spec)?;
    one_partition(&parsed.identity.placement.region, &parsed.uses())?;
    Ok(parsed)
}

/// The same for a project on a platform that it shares.
///
/// # Errors
/// The same, and what the platform does not let a project set.
pub fn parse_on(
    shared: &SharedPlatform,
    owner: &OwnerKey,
    seals: &Seals,
    raw_spec: &Value,
    around: &Around<'_>,
) -> Result<Parsed, SpecError> {
    let spec: MlopsProjectSpec = typed("spec", raw_spec)?;
    if spec.platform.is_some() {
        let message =
            "stands beside platformRef: take it out, since the platform that platformRef names says all of it";
        return Err(SpecError::new("spec.platform", message));
    }
    let name = project_name(owner, &spec)?;
    let spec = on_platform::filled_in(&shared.name, &shared.spec, (&owner.namespace, &name), spec, around)?;
    let place = &shared.platform.identity.placement;
    let placement = placement_on(place, &shared.name, owner, name, spec.jenkins.folder.as_deref());
    let placement = Placement { repositories: full_names(&spec.repositories), ..placement };
    let identity = Identity { owner: owner.clone(), placement, seals: seals.clone() };
    checked(identity, PlatformSource::Shared(shared.platform.clone()), spec)
}

/// The full names of the repositories of a spec in which the platform has filled them in.
fn full_names(repositories: &RepositoriesSpec) -> Vec<String> {
    let RepositoriesSpec { preprocess, build, deploy, endpoint } = repositories;
    let all = [Some(preprocess), Some(build), Some(deploy), endpoint.as_ref()];
    all.into_iter().flatten().filter_map(|repository| repository.full_name.clone()).collect()
}

/// The name of the SageMaker project.
fn project_name(owner: &OwnerKey, spec: &MlopsProjectSpec) -> Result<String, SpecError> {
    let name = spec.project_name.clone().unwrap_or_else(|| owner.name.clone());
    if is_project_name(&name) {
        return Ok(name);
    }
    Err(SpecError::new(
        "spec.projectName",
        format!(
            "`{name}` cannot name a SageMaker project: it takes at most 32 letters, digits and hyphens, and starts with a letter"
        ),
    ))
}

/// A spec in which nothing is left for the platform to fill in.
fn checked(identity: Identity, platform: PlatformSource, spec: MlopsProjectSpec) -> Result<Parsed, SpecError> {
    let repositories = defaults::repositories(&spec.repositories)?;
    uses::unambiguous(&repositories)?;
    check_jobs(&spec)?;
    if let Some(schedule) = &spec.jenkins.poll_schedule {
        poll_schedule::check("spec.jenkins.pollSchedule", schedule)?;
    }
    repositories::fit(&repositories, &identity.placement.account_id)?;
    Ok(Parsed { identity, platform, repositories, spec })
}

/// An ARN of another partition names nothing that can be reached from the project's region.
fn one_partition(region: &Region, uses: &[Use]) -> Result<(), SpecError> {
    let here = region.partition();
    for used in uses {
        let partition = used.value.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
        if let Some(partition) = partition.filter(|partition| *partition != here) {
            let message = format!(
                "`{}` is in the partition {partition}, but the region {region} is in {here}: name one that begins with arn:{here}:",
                used.value
            );
            return Err(SpecError::new(&used.field, message));
        }
    }
    Ok(())
}

/// Whether the model trigger starts only jobs that there are.
fn check_jobs(spec: &MlopsProjectSpec) -> Result<(), SpecError> {
    let wanted = spec.wanted_trigger().is_some_and(|trigger| trigger.jobs.contains(&TriggeredJob::Endpoint));
    if wanted && spec.repositories.endpoint.is_none() {
        return Err(SpecError::new(
            "spec.modelTrigger.jobs",
            "names Endpoint, which needs spec.repositories.endpoint: add the repository, or leave Endpoint out",
        ));
    }
    Ok(())
}

fn typed<T: DeserializeOwned>(field: &str, raw: &Value) -> Result<T, SpecError> {
    T::deserialize(raw).map_err(|error| SpecError::new(field, error.to_string()))
}

/// A field's text as a value of its own type.
fn formed<T>(field: &str, text: &str, parse: fn(&str) -> Result<T, FormError>) -> Result<T, SpecError> {
    parse(text).map_err(|error| SpecError::new(field, error.to_string()))
}

/// A text that may be left out as a value of its own type.
fn optional<T>(
    field: &str,
    text: Option<&str>,
    parse: fn(&str) -> Result<T, FormError>,
) -> Result<Option<T>, SpecError> {
    text.map(|text| formed(field, text, parse)).transpose()
}

/// Whether `spec.projectName` may be this: 1 to 32 letters, digits and hyphens, a letter first and no hyphen last.
pub fn is_project_name(name: &str) -> bool {
    let signs = name.as_bytes();
    (1..=32).contains(&signs.len())
        && signs.iter().all(|sign| sign.is_ascii_alphanumeric() || *sign == b'-')
        && signs.first().is_some_and(u8::is_ascii_alphabetic)
        && signs.last() != Some(&b'-')
}

impl Parsed {
    /// Secrets that template parameters come from, by parameter name.
    pub fn parameter_secrets(&self) -> BTreeMap<String, SecretKeyRef> {
        let with_source = |parameter: &crate::crd::project::Parameter| {
            Some((parameter.name.clone(), parameter.value_from.as_ref()?.secret_key_ref.clone()))
        };
        self.spec.parameters.iter().filter_map(with_source).collect()
    }

    /// The platform of the project's own, if it has one.
    pub fn own_platform(&self) -> Option<&ParsedPlatform> {
        match &self.platform {
            PlatformSource::Own(platform) => Some(platform),
            PlatformSource::Shared(_) => None,
        }
    }

    /// The project, with what was read from Secrets; `None`: what its own platform needs was not read.
    pub fn into_project(self, resolved: Resolved) -> Option<Project> {
        let Self { identity, platform, repositories, spec } = self;
        let Resolved { platform: resolved, parameters: mut sealed } = resolved;
        let (platform, repositories) = match platform {
            PlatformSource::Shared(platform) => {
                let declared = &platform.catalog.template.declared;
                let repositories = repositories.fitted(|name| declared.contains_key(name));
                (platform, repositories)
            }
            PlatformSource::Own(parsed) => {
                let aws_credentials = spec.jenkins.aws_credentials_id.as_ref().is_some_and(|id| !id.trim().is_empty());
                let (platform, repositories) = own_platform(*parsed, resolved?, repositories, &spec, aws_credentials);
                (Arc::new(platform), repositories)
            }
        };
        let model_trigger = defaults::model_trigger(&spec);
        let tags = platform.tags.clone().into_iter().chain(spec.tags).collect();
        let plain = spec
            .parameters
            .into_iter()
            .filter_map(|parameter| Some((parameter.name, ParameterValue::Plain(parameter.value?))));
        let mut parameters: BTreeMap<_, _> = plain.collect();
        while let Some((name, value)) = sealed.pop_first() {
            parameters.insert(name, ParameterValue::Sealed(value));
        }
        Some(Project {
            description: spec.description.unwrap_or_default(),
            tags,
            repositories,
            parameters,
            jenkins: JenkinsSettings {
                poll_schedule: spec.jenkins.poll_schedule.unwrap_or_else(defaults::poll_schedule),
                aws_credentials_id: spec.jenkins.aws_credentials_id.unwrap_or_default(),
                git_credentials_id: spec.jenkins.git_credentials_id.unwrap_or_default(),
                extra_parameters: spec.jenkins.extra_parameters,
            },
            model_trigger,
            delete_data: spec.data_policy.unwrap_or_default() == DataPolicy::Delete,
            identity,
            platform,
        })
    }
}

/// A project's own platform, made for it alone: it carries the project's tags, and needs what the project asks for.
fn own_platform(
    mut parsed: ParsedPlatform,
    resolved: ResolvedPlatform,
    repositories: Repositories,
    spec: &MlopsProjectSpec,
    aws_credentials: bool,
) -> (Platform, Repositories) {
    // The built-in template takes seed code for each repository.
    let own_template = parsed.own_template().is_some();
    parsed.settings.tags.extend(spec.tags.clone());
    let mut fitted = repositories;
    let platform = parsed.with(resolved, |platform| {
        if own_template {
            fitted = fitted.clone().fitted(|name| platform.catalog.template.declared.contains_key(name));
        }
        let bundled = fitted.each().filter(|(_, repository)| repository.seed_code == SeedCode::BuiltIn);
        Needs {
            connections: fitted.each().map(|(_, repository)| repository.connection_arn.clone()).collect(),
            seeds: Seeds { bundled: bundled.map(|(role, _)| role).collect(), any: fitted.seeded() },
            aws_credentials,
        }
    });
    (platform, fitted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::domain::platform::JenkinsCredentials;
    use crate::domain::project::{RepositoryRole, SeedCode};
    use crate::fixture::seals;

    fn owner() -> OwnerKey {
        OwnerKey { cluster: "c1".into(), kind: "MlopsProject".into(), namespace: "team".into(), name: "fares".into() }
    }

    fn spec() -> Value {
        let repository = |name: &str| {
            json!({
                "url": format!("https://github.com/team/{name}.git"), "fullName": format!("team/{name}"),
                "connectionArn": "arn:aws:codeconnections:eu-central-1:111122223333:connection/0a1b",
            })
        };
        json!({
            "platform": {
                "aws": {"region": "eu-central-1", "accountId": "111122223333"},
                "jenkins": {"url": "https://jenkins.example/base/", "folder": "ml", "credentialsSecretRef": {"name": "jenkins"}},
                "tags": {"cost": "1", "team": "platform"},
            },
            "tags": {"team": "fares"},
            "jenkins": {"folder": "a/b"},
            "repositories": {"preprocess": repository("prepare"), "build": repository("build"), "deploy": repository("deploy")},
            "modelTrigger": {},
        })
    }

    fn project(raw: &Value) -> Project {
        with_template(raw, None)
    }

    fn with_template(raw: &Value, template: Option<Arc<str>>) -> Project {
        let token = SealedSecret { value: crate::domain::secret::Secret::new("t"), fingerprint: "f".into() };
        let platform = ResolvedPlatform {
            jenkins: JenkinsCredentials { username: "u".into(), token },
            trigger: None,
            trigger_ca_bundle: String::new(),
            template,
        };
        let resolved = Resolved { platform: Some(platform), parameters: BTreeMap::new() };
        parse(&owner(), &seals(), raw).unwrap().into_project(resolved).unwrap()
    }

    #[test]
    fn the_triggers_user_is_read_only_where_a_trigger_is_wanted() {
        let rows = [
            ("an empty trigger", json!({}), true),
            ("null, as server-side apply leaves it", Value::Null, true),
            ("a trigger that is enabled", json!({"enabled": true}), true),
            ("a trigger that is not", json!({"enabled": false}), false),
        ];
        for (case, wanted, read) in rows {
            let mut raw = spec();
            raw["platform"]["modelTrigger"] = json!({"credentialsSecretRef": {"name": "starter"}});
            raw["modelTrigger"] = wanted;
            let parsed = parse(&owner(), &seals(), &raw).unwrap();
            let keys = parsed
                .own_platform()
                .unwrap()
                .trigger_credentials()
                .map(|one| [one.name.as_str(), &one.username_key, &one.token_key]);
            assert_eq!(keys, read.then_some(["starter", "username", "token"]), "{case}");
        }
    }

    #[test]
    fn a_small_spec_gets_every_default() {
        let project = project(&spec());
        let placement = &project.identity.placement;
        assert_eq!(placement.project_name, "fares");
        assert_eq!(placement.partition, "aws");
        assert!(placement.bucket_owned && placement.bucket.ends_with("-111122223333-eu-central-1"));
        assert!(placement.bucket.len() <= 63);
        assert_eq!(placement.jenkins_url, "https://jenkins.example/base");
        assert_eq!(placement.jenkins_folder, ["ml", "a", "b"]);
        assert_eq!(placement.jenkins_shared_folders, 1);
        assert_eq!(
            project.platform.roles.launch,
            "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole"
        );
        assert_eq!(project.platform.catalog.product_name, "MLOps fares");
        assert_eq!(project.tags, BTreeMap::from([("cost".into(), "1".into()), ("team".into(), "fares".into())]));
        assert_eq!(project.repositories.build.branch, "main");
        assert_eq!(project.jenkins.poll_schedule, "* * * * *");
        assert!(project.repositories.each().all(|(_, repository)| repository.seed_code == SeedCode::BuiltIn));
        assert!(project.repositories.endpoint.is_none());
        let trigger = project.model_trigger.unwrap();
        let function = project.platform.trigger.clone().unwrap();
        assert_eq!(trigger.approval_statuses, ["Approved"]);
        assert_eq!((trigger.jobs, function.alarm_topic_arn), (vec![RepositoryRole::Deploy], None));
        assert_eq!(function.log_retention_days, 30);
        assert!(!project.delete_data);
    }

    #[test]
    fn deletion_finds_the_same_placement_in_a_spec_that_no_longer_parses() {
        let parsed = parse(&owner(), &seals(), &spec()).unwrap();
        let mut broken = spec();
        broken["repositories"] = json!("gone");
        assert!(parse(&owner(), &seals(), &broken).is_err());
        assert_eq!(placement_of_raw(&owner(), &broken), Ok(parsed.identity.placement));
        let rows = [
            ("accountId", json!(1), "spec.platform.aws.accountId: is missing, or is no text"),
            ("region", json!("nowhere"), "spec.platform.aws.region: \"nowhere\" is not the code of an AWS region"),
            ("assumeRole", json!({"roleArn": 1}), "spec.platform.aws.assumeRole.roleArn: is missing, or is no text"),
        ];
        for (field, value, refusal) in rows {
            let mut broken = broken.clone();
            broken["platform"]["aws"][field] = value;
            let error = placement_of_raw(&owner(), &broken).unwrap_err().to_string();
            assert!(error.starts_with(refusal), "{field}: {error}");
        }
    }

    #[test]
    fn a_template_of_ones_own_stands_for_the_built_in_one() {
        let mut raw = spec();
        let parsed = parse(&owner(), &seals(), &raw).unwrap();
        assert!(parsed.own_platform().unwrap().own_template().is_none());
        assert_eq!(project(&raw).platform.catalog.template.word, "jenkins-git-v1");
        raw["platform"]["catalog"] = json!({"template": {"configMapRef": {"name": "ours", "key": "a.yaml"}}});
        let parsed = parse(&owner(), &seals(), &raw).unwrap();
        assert_eq!(
            parsed.own_platform().unwrap().own_template().map(|reference| reference.name.as_str()),
            Some("ours")
        );
        let template = with_template(&raw, Some("Resources: {}".into())).platform.catalog.template.clone();
        assert_eq!((template.word.as_str(), template.title.as_str()), ("own", "of ConfigMap ours"));
        assert_eq!(&*template.text, "Resources: {}");
        raw["platform"]["catalog"]["template"]["builtIn"] = json!("jenkins-git-v1");
        assert_eq!(parse(&owner(), &seals(), &raw).unwrap_err().field, "spec.platform.catalog.template");
    }

    #[test]
    fn a_wrong_spec_names_its_field() {
        let cases: [(&str, &str, Value, &str); 12] = [
            (
                "a region of an isolated partition",
                "/platform/aws/region",
                json!("us-iso-east-1"),
                "spec.platform.aws.region",
            ),
            (
                "a role of another partition",
                "/platform/aws/roles",
                json!({"use": "arn:aws-cn:iam::111122223333:role/use"}),
                "spec.platform.aws.roles.use",
            ),
            (
                "a schedule that Jenkins would drop",
                "/jenkins/pollSchedule",
                json!("61 * * * *"),
                "spec.jenkins.pollSchedule",
            ),
            (
                "a plain Jenkins URL that is not allowed",
                "/platform/jenkins/url",
                json!("http://j"),
                "spec.platform.jenkins.url",
            ),
            ("a text that is no URL", "/platform/jenkins/url", json!("jenkins"), "spec.platform.jenkins.url"),
            ("a project name that SageMaker refuses", "/projectName", json!("1a"), "spec.projectName"),
            ("a region that cannot be one", "/platform/aws/region", json!("nowhere"), "spec.platform.aws.region"),
            ("an account of 11 digits", "/platform/aws/accountId", json!("11112222333"), "spec.platform.aws.accountId"),
            (
                "a role to assume that is a user",
                "/platform/aws/assumeRole",
                json!({"roleArn": "arn:aws:iam::111122223333:user/ops"}),
                "spec.platform.aws.assumeRole.roleArn",
            ),
            (
                "a role of the project that is a name only",
                "/platform/aws/roles",
                json!({"use": "pipelines"}),
                "spec.platform.aws.roles.use",
            ),
            (
                "a connection that is a host",
                "/repositories/deploy/connectionArn",
                json!("arn:aws:codeconnections:eu-central-1:111122223333:host/0a1b"),
                "spec.repositories.deploy.connectionArn",
            ),
            (
                "a checksum of an archive in capital letters",
                "/repositories/build/seedCode",
                json!({"source": "Archive", "archive": {"url": "https://a.example/b.zip", "sha256": "0A".repeat(32)}}),
                "spec.repositories.build.seedCode.archive.sha256",
            ),
        ];
        for (case, path, value, field) in cases {
            let mut raw = spec();
            let (parent, name) = path.rsplit_once('/').unwrap();
            raw.pointer_mut(parent).unwrap()[name] = value;
            assert_eq!(parse(&owner(), &seals(), &raw).unwrap_err().field, field, "{case}");
        }
    }
}
