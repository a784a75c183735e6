//! From the spec to a project: defaults filled in, texts bounded once more, contradictions refused. What passes here
//! cannot fail later for its form. Secrets are only named here; [`Parsed::into_project`] takes them in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::crd::platform::{AwsSettings, CaBundleRef, ConfigMapRef, PrincipalType, TemplateSettings};
use crate::crd::project::{DataPolicy, MlopsProjectSpec, SecretKeyRef, SeedCodeSource, TriggeredJob};
use crate::crd::status::{CaBundleReference, Placement};
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::project::{
    Catalog, JenkinsCredentials, JenkinsSettings, ModelTriggerSettings, ParameterValue, Principal, Project,
    Repositories, Repository, RepositoryRole, Roles, SeedCode, Template,
};
use crate::domain::secret::{SealedSecret, Secret};
use crate::template_lint::declared_parameters;
use crate::templates::project_template;

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
    /// The spec.
    pub spec: MlopsProjectSpec,
}

/// What a project takes from Secrets and ConfigMaps.
#[derive(Clone)]
pub struct Resolved {
    /// The Jenkins user and token.
    pub jenkins: JenkinsCredentials,
    /// Template parameters with `valueFrom`, by parameter name.
    pub parameters: BTreeMap<String, SealedSecret>,
    /// PEM of `platform.modelTrigger.caBundleRef`; empty if there is none.
    pub trigger_ca_bundle: String,
    /// Text of `platform.catalog.template.configMapRef`, if there is one: a template without errors.
    pub template: Option<Arc<str>>,
}

impl Resolved {
    /// What must not be shown.
    pub fn secrets(&self) -> Vec<Secret> {
        let parameters = self.parameters.values().map(|sealed| sealed.value.clone());
        std::iter::once(self.jenkins.token.value.clone()).chain(parameters).collect()
    }
}

/// Parses the raw spec of an object of this owner.
///
/// # Errors
/// The first field that is missing, of the wrong type or out of bounds, with what is allowed.
pub fn parse(owner: &OwnerKey, raw_spec: &Value) -> Result<Parsed, SpecError> {
    let spec: MlopsProjectSpec = typed("spec", raw_spec)?;
    let project_name = spec.project_name.clone().unwrap_or_else(|| owner.name.clone());
    if !is_project_name(&project_name) {
        return Err(SpecError::new(
            "spec.projectName",
            format!(
                "`{project_name}` cannot name a SageMaker project: it takes at most 32 letters, digits and hyphens, and starts with a letter"
            ),
        ));
    }
    let TemplateSettings { built_in, config_map_ref } = &spec.platform.catalog.template;
    if built_in.is_some() && config_map_ref.is_some() {
        return Err(SpecError::new("spec.platform.catalog.template", "takes builtIn or configMapRef, not both"));
    }
    check_repositories(&spec)?;
    let placement = placement(owner, &spec, project_name)?;
    Ok(Parsed { identity: Identity { owner: owner.clone(), placement }, spec })
}

/// What stands in several fields about the repositories and must agree.
fn check_repositories(spec: &MlopsProjectSpec) -> Result<(), SpecError> {
    let crate::crd::project::RepositoriesSpec { preprocess, build, deploy, endpoint } = &spec.repositories;
    let named = [("preprocess", Some(preprocess)), ("build", Some(build)), ("deploy", Some(deploy))];
    for (name, repository) in named.into_iter().chain([("endpoint", endpoint.as_ref())]) {
        let Some(seed) = repository.map(|repository| &repository.seed_code) else { continue };
        if seed.archive.is_some() != (seed.source == SeedCodeSource::Archive) {
            return Err(SpecError::new(
                &format!("spec.repositories.{name}.seedCode"),
                "archive goes with source Archive, and source Archive needs it",
            ));
        }
    }
    let wanted = spec.model_trigger.as_ref().is_some_and(|trigger| trigger.jobs.contains(&TriggeredJob::Endpoint));
    if wanted && endpoint.is_none() {
        return Err(SpecError::new(
            "spec.modelTrigger.jobs",
            "names Endpoint, which needs spec.repositories.endpoint: add the repository, or leave Endpoint out",
        ));
    }
    Ok(())
}

/// Reads what deletion needs from a raw spec, field by field, ignoring everything else: so that a spec that no longer
/// parses does not block it. `None` where one of the indispensable fields is not there.
pub fn placement_of_raw(owner: &OwnerKey, raw_spec: &Value) -> Option<Placement> {
    let text = |path: &str| raw_spec.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let region = text("/platform/aws/region")?;
    let account_id = text("/platform/aws/accountId")?;
    let jenkins_url = text("/platform/jenkins/url")?;
    let project_name = text("/projectName").unwrap_or_else(|| owner.name.clone());
    let bucket = text("/platform/artifacts/bucket");
    let shared = folder_parts(text("/platform/jenkins/folder").as_deref());
    let role_arn = text("/platform/aws/assumeRole/roleArn");
    let ca_bundle =
        raw_spec.pointer("/platform/jenkins/caBundleRef").and_then(|raw| typed::<CaBundleRef>("", raw).ok());
    Some(Placement {
        partition: partition(&region).to_owned(),
        external_id: role_arn.as_ref().map(|_| external_id(owner)),
        role_arn,
        bucket_owned: bucket.is_none(),
        bucket: bucket.unwrap_or_else(|| Identity::own_bucket_name(owner, &account_id, &region)),
        account_id,
        region,
        project_name,
        jenkins_url: jenkins_url.trim_end_matches('/').to_owned(),
        jenkins_shared_folders: i32::try_from(shared.len()).unwrap_or(0),
        jenkins_folder: [shared, folder_parts(text("/jenkins/folder").as_deref())].concat(),
        allow_plain_http: raw_spec
            .pointer("/platform/jenkins/allowPlainHttp")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        secret_name: text("/platform/jenkins/credentialsSecretRef/name")?,
        username_key: text("/platform/jenkins/credentialsSecretRef/usernameKey").unwrap_or_else(|| "username".into()),
        token_key: text("/platform/jenkins/credentialsSecretRef/tokenKey").unwrap_or_else(|| "token".into()),
        ca_bundle: ca_bundle.map(|reference| ca_reference(&reference)),
    })
}

fn typed<T: DeserializeOwned>(field: &str, raw: &Value) -> Result<T, SpecError> {
    T::deserialize(raw).map_err(|error| SpecError::new(field, error.to_string()))
}

fn placement(owner: &OwnerKey, spec: &MlopsProjectSpec, project_name: String) -> Result<Placement, SpecError> {
    let AwsSettings { region, account_id, assume_role, .. } = &spec.platform.aws;
    let server = &spec.platform.jenkins;
    let url = url::Url::parse(&server.url).map_err(|error| {
        SpecError::new("spec.platform.jenkins.url", format!("`{}` is not a URL: {error}", server.url))
    })?;
    if url.scheme() != "https" && !(url.scheme() == "http" && server.allow_plain_http) {
        return Err(SpecError::new(
            "spec.platform.jenkins.url",
            "must start with https://, or with http:// where allowPlainHttp is true",
        ));
    }
    let shared = folder_parts(server.folder.as_deref());
    let bucket = spec.platform.artifacts.bucket.clone();
    Ok(Placement {
        partition: partition(region).to_owned(),
        account_id: account_id.clone(),
        region: region.clone(),
        role_arn: assume_role.as_ref().map(|role| role.role_arn.clone()),
        external_id: assume_role.as_ref().map(|_| external_id(owner)),
        project_name,
        bucket_owned: bucket.is_none(),
        bucket: bucket.unwrap_or_else(|| Identity::own_bucket_name(owner, account_id, region)),
        jenkins_url: server.url.trim_end_matches('/').to_owned(),
        jenkins_shared_folders: i32::try_from(shared.len()).unwrap_or(0),
        jenkins_folder: [shared, folder_parts(spec.jenkins.folder.as_deref())].concat(),
        allow_plain_http: server.allow_plain_http,
        secret_name: server.credentials_secret_ref.name.clone(),
        username_key: server.credentials_secret_ref.username_key.clone(),
        token_key: server.credentials_secret_ref.token_key.clone(),
        ca_bundle: server.ca_bundle_ref.as_ref().map(ca_reference),
    })
}

/// The AWS partition of a region, by its prefix.
pub fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The external id of this owner's assumed roles: its trust policy can name one tenant by it.
pub fn external_id(owner: &OwnerKey) -> String {
    format!("{}/{}", owner.cluster, owner.namespace)
}

fn folder_parts(path: Option<&str>) -> Vec<String> {
    path.unwrap_or_default().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn ca_reference(reference: &CaBundleRef) -> CaBundleReference {
    CaBundleReference { kind: reference.kind, name: reference.name.clone(), key: reference.key.clone() }
}

fn is_project_name(name: &str) -> bool {
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

    /// Where the Lambda's CA bundle stands, if one is named.
    pub fn trigger_ca_bundle(&self) -> Option<CaBundleReference> {
        self.spec.platform.model_trigger.ca_bundle_ref.as_ref().map(ca_reference)
    }

    /// Where the project template stands, if it is the user's own.
    pub fn own_template(&self) -> Option<&ConfigMapRef> {
        self.spec.platform.catalog.template.config_map_ref.as_ref()
    }

    /// Names of the portfolio and the product.
    pub fn catalog_names(&self) -> (String, String) {
        let catalog = catalog(&self.identity, &self.spec, None);
        (catalog.portfolio_name, catalog.product_name)
    }

    /// The project, with what was read from Secrets.
    pub fn into_project(self, resolved: Resolved) -> Project {
        let Self { identity, spec } = self;
        let Resolved { jenkins: jenkins_credentials, parameters: mut sealed, trigger_ca_bundle, template } = resolved;
        let roles = roles(&identity.placement, &spec);
        let catalog = catalog(&identity, &spec, template);
        let model_trigger = model_trigger(&spec, trigger_ca_bundle);
        let repositories = repositories(spec.repositories, &spec.platform.catalog.template, &catalog.template);
        let tags = spec.platform.tags.into_iter().chain(spec.tags).collect();
        let plain = spec
            .parameters
            .into_iter()
            .filter_map(|parameter| Some((parameter.name, ParameterValue::Plain(parameter.value?))));
        let mut parameters: BTreeMap<_, _> = plain.collect();
        while let Some((name, value)) = sealed.pop_first() {
            parameters.insert(name, ParameterValue::Sealed(value));
        }
        Project {
            description: spec.description.unwrap_or_default(),
            tags,
            roles,
            kms_key_id: spec.platform.artifacts.kms_key_id,
            catalog,
            repositories,
            parameters,
            jenkins: JenkinsSettings {
                poll_schedule: spec.jenkins.poll_schedule,
                aws_credentials_id: spec.jenkins.aws_credentials_id.unwrap_or_default(),
                git_credentials_id: spec.jenkins.git_credentials_id.unwrap_or_default(),
                extra_parameters: spec.jenkins.extra_parameters,
            },
            jenkins_credentials,
            model_trigger,
            delete_data: spec.data_policy == DataPolicy::Delete,
            identity,
        }
    }
}

fn roles(placement: &Placement, spec: &MlopsProjectSpec) -> Roles {
    let conventional =
        |name: &str| format!("arn:{}:iam::{}:role/service-role/{name}", placement.partition, placement.account_id);
    let named = &spec.platform.aws.roles;
    Roles {
        launch: named.launch.clone().unwrap_or_else(|| conventional("AmazonSageMakerServiceCatalogProductsLaunchRole")),
        usage: named.usage.clone().unwrap_or_else(|| conventional("AmazonSageMakerServiceCatalogProductsUseRole")),
        stack: named.stack.clone(),
    }
}

/// The template: the user's own, as it was read, or one that the operator bundles.
fn template(settings: &TemplateSettings, own: Option<Arc<str>>) -> Template {
    match (&settings.config_map_ref, own) {
        (Some(reference), Some(text)) => {
            Template { word: "own".to_owned(), title: format!("of ConfigMap {}", reference.name), text }
        }
        _ => {
            let word = settings.built_in.unwrap_or_default().as_str();
            let text = project_template(word).unwrap_or_default().into();
            Template { word: word.to_owned(), title: format!("{word:?}"), text }
        }
    }
}

fn catalog(identity: &Identity, spec: &MlopsProjectSpec, own: Option<Arc<str>>) -> Catalog {
    let settings = &spec.platform.catalog;
    let name = format!("MLOps {}", identity.placement.project_name);
    // A provider's name takes 50 characters, a namespace's 63.
    let namespace: String = identity.owner.namespace.chars().take(50).collect();
    let principal = |settings: &crate::crd::platform::PrincipalSettings| Principal {
        arn: settings.arn.clone(),
        kind: match settings.kind {
            PrincipalType::Iam => "IAM".into(),
            PrincipalType::IamPattern => "IAM_PATTERN".into(),
        },
    };
    Catalog {
        portfolio_name: settings.portfolio.name.clone().unwrap_or_else(|| name.clone()),
        portfolio_provider: settings.portfolio.provider_name.clone().unwrap_or_else(|| namespace.clone()),
        portfolio_description: settings.portfolio.description.clone().unwrap_or_default(),
        product_name: settings.product.name.clone().unwrap_or(name),
        product_owner: settings.product.owner.clone().unwrap_or(namespace),
        product_description: settings.product.description.clone().unwrap_or_default(),
        support_description: settings.product.support_description.clone().unwrap_or_default(),
        support_email: settings.product.support_email.clone().unwrap_or_default(),
        support_url: settings.product.support_url.clone().unwrap_or_default(),
        template: template(&settings.template, own),
        principals: settings.principals.iter().map(principal).collect(),
    }
}

fn model_trigger(spec: &MlopsProjectSpec, ca_bundle: String) -> Option<ModelTriggerSettings> {
    let wanted = spec.model_trigger.as_ref()?;
    let settings = &spec.platform.model_trigger;
    let mut approval_statuses = wanted.approval_statuses.clone();
    approval_statuses.sort();
    let mut jobs: Vec<RepositoryRole> = wanted.jobs.iter().map(|job| job_of(*job)).collect();
    jobs.sort();
    let (subnet_ids, security_group_ids) =
        settings.vpc.clone().map(|vpc| (vpc.subnet_ids, vpc.security_group_ids)).unwrap_or_default();
    Some(ModelTriggerSettings {
        approval_statuses,
        runtime_role_arn: settings.runtime_role_arn.clone(),
        jenkins_url: settings
            .jenkins_url
            .as_ref()
            .unwrap_or(&spec.platform.jenkins.url)
            .trim_end_matches('/')
            .to_owned(),
        subnet_ids,
        security_group_ids,
        ca_bundle,
        jobs,
        alarm_topic_arn: settings.alarm_topic_arn.clone(),
        log_retention_days: settings.log_retention_days.unwrap_or(LOG_RETENTION_DAYS),
    })
}

fn job_of(job: TriggeredJob) -> RepositoryRole {
    match job {
        TriggeredJob::Deploy => RepositoryRole::Deploy,
        TriggeredJob::Endpoint => RepositoryRole::Endpoint,
    }
}

fn repositories(
    asked: crate::crd::project::RepositoriesSpec,
    settings: &TemplateSettings,
    template: &Template,
) -> Repositories {
    let repositories = Repositories {
        preprocess: repository(asked.preprocess),
        build: repository(asked.build),
        deploy: repository(asked.deploy),
        endpoint: asked.endpoint.map(repository),
    };
    // The built-in template takes seed code for each.
    match settings.config_map_ref {
        Some(_) => repositories.fitted(&declared_parameters(&template.text)),
        None => repositories,
    }
}

fn repository(repository: crate::crd::project::RepositorySpec) -> Repository {
    Repository {
        url: repository.url,
        branch: repository.branch,
        full_name: repository.full_name,
        connection_arn: repository.connection_arn,
        seed_code: match (repository.seed_code.source, repository.seed_code.archive) {
            (SeedCodeSource::BuiltIn, _) => SeedCode::BuiltIn,
            (SeedCodeSource::Archive, Some(archive)) => SeedCode::Archive { url: archive.url, sha256: archive.sha256 },
            // An Archive without one does not parse.
            (SeedCodeSource::None | SeedCodeSource::Archive, _) => SeedCode::None,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn owner() -> OwnerKey {
        OwnerKey { cluster: "c1".into(), kind: "MlopsProject".into(), namespace: "team".into(), name: "fares".into() }
    }

    fn spec() -> Value {
        let repository = json!({
            "url": "https://github.com/team/code.git", "fullName": "team/code",
            "connectionArn": "arn:aws:codeconnections:eu-central-1:111122223333:connection/0a1b",
        });
        json!({
            "platform": {
                "aws": {"region": "eu-central-1", "accountId": "111122223333"},
                "jenkins": {"url": "https://jenkins.example/base/", "folder": "ml", "credentialsSecretRef": {"name": "jenkins"}},
                "tags": {"cost": "1", "team": "platform"},
            },
            "tags": {"team": "fares"},
            "jenkins": {"folder": "a/b"},
            "repositories": {"preprocess": repository, "build": repository, "deploy": repository},
            "modelTrigger": {},
        })
    }

    fn project(raw: &Value) -> Project {
        let token = SealedSecret { value: crate::domain::secret::Secret::new("t"), fingerprint: "f".into() };
        parse(&owner(), raw).unwrap().into_project(Resolved {
            jenkins: JenkinsCredentials { username: "u".into(), token },
            parameters: BTreeMap::new(),
            trigger_ca_bundle: String::new(),
            template: None,
        })
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
            project.roles.launch,
            "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole"
        );
        assert_eq!(project.catalog.product_name, "MLOps fares");
        assert_eq!(project.tags, BTreeMap::from([("cost".into(), "1".into()), ("team".into(), "fares".into())]));
        assert_eq!(project.repositories.build.branch, "main");
        assert_eq!(project.jenkins.poll_schedule, "* * * * *");
        assert!(project.repositories.each().all(|(_, repository)| repository.seed_code == SeedCode::BuiltIn));
        assert!(project.repositories.endpoint.is_none());
        let trigger = project.model_trigger.unwrap();
        assert_eq!(trigger.approval_statuses, ["Approved"]);
        assert_eq!((trigger.jobs, trigger.alarm_topic_arn), (vec![RepositoryRole::Deploy], None));
        assert_eq!(trigger.log_retention_days, 30);
        assert!(!project.delete_data);
    }

    #[test]
    fn deletion_finds_the_same_placement_in_a_spec_that_no_longer_parses() {
        let parsed = parse(&owner(), &spec()).unwrap();
        let mut broken = spec();
        broken["repositories"] = json!("gone");
        assert!(parse(&owner(), &broken).is_err());
        assert_eq!(placement_of_raw(&owner(), &broken), Some(parsed.identity.placement));
        broken["platform"]["aws"]["accountId"] = json!(1);
        assert_eq!(placement_of_raw(&owner(), &broken), None);
    }

    #[test]
    fn a_template_of_ones_own_stands_for_the_built_in_one() {
        let mut raw = spec();
        let parsed = parse(&owner(), &raw).unwrap();
        assert!(parsed.own_template().is_none());
        assert_eq!(project(&raw).catalog.template.word, "jenkins-git-v1");
        raw["platform"]["catalog"] = json!({"template": {"configMapRef": {"name": "ours", "key": "a.yaml"}}});
        let parsed = parse(&owner(), &raw).unwrap();
        assert_eq!(parsed.own_template().map(|reference| reference.name.as_str()), Some("ours"));
        let template = template(&parsed.spec.platform.catalog.template, Some("Resources: {}".into()));
        assert_eq!((template.word.as_str(), template.title.as_str()), ("own", "of ConfigMap ours"));
        assert_eq!(&*template.text, "Resources: {}");
        raw["platform"]["catalog"]["template"]["builtIn"] = json!("jenkins-git-v1");
        assert_eq!(parse(&owner(), &raw).unwrap_err().field, "spec.platform.catalog.template");
    }

    #[test]
    fn a_wrong_spec_names_its_field() {
        let cases: [(&str, &str, Value, &str); 3] = [
            (
                "a plain Jenkins URL that is not allowed",
                "/platform/jenkins/url",
                json!("http://j"),
                "spec.platform.jenkins.url",
            ),
            ("a text that is no URL", "/platform/jenkins/url", json!("jenkins"), "spec.platform.jenkins.url"),
            ("a project name that SageMaker refuses", "/projectName", json!("1a"), "spec.projectName"),
        ];
        for (case, path, value, field) in cases {
            let mut raw = spec();
            match raw.pointer_mut(path) {
                Some(place) => *place = value,
                None => raw["projectName"] = value,
            }
            assert_eq!(parse(&owner(), &raw).unwrap_err().field, field, "{case}");
        }
    }
}
