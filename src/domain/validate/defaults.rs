//! The parts of a project that have defaults, each filled in. Apart from the parsing, since it is what users look up: what
//! stands for a field that is left out. It refuses only what is not of its form.

use std::sync::{Arc, LazyLock};

use super::{LOG_RETENTION_DAYS, SpecError, formed, optional};
use crate::crd::identifiers::{ConnectionArn, DefaultRole, RoleArn, Sha256};
use crate::crd::platform::{BuiltInTemplate, PlatformSettings, PrincipalSettings, PrincipalType, TemplateSettings};
use crate::crd::project::{MlopsProjectSpec, RepositoriesSpec, RepositorySpec, SeedCodeSource, TriggeredJob};
use crate::crd::status::Placement;
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::platform::{Catalog, JenkinsCredentials, Principal, Roles, Template, TriggerFunction};
use crate::domain::project::{ModelTriggerSettings, Repositories, Repository, RepositoryRole, SeedCode};
use crate::templates::project_template;

/// The roles: those that the spec names, or the ones that SageMaker's console makes.
///
/// # Errors
/// The first that is no ARN of a role.
pub(super) fn roles(placement: &Placement, settings: &PlatformSettings, at: &str) -> Result<Roles, SpecError> {
    let Placement { region, account_id, .. } = placement;
    let named = &settings.aws.roles;
    let role = |field: &str, named: &Option<String>| {
        optional(&format!("{at}.aws.roles.{field}"), named.as_deref(), RoleArn::parse)
    };
    let default = |role| move || RoleArn::default_role(region, account_id, role);
    Ok(Roles {
        launch: role("launch", &named.launch)?.unwrap_or_else(default(DefaultRole::Launch)),
        usage: role("use", &named.usage)?.unwrap_or_else(default(DefaultRole::Use)),
        check_in: role("checkIn", &named.check_in)?,
        stack: role("stack", &named.stack)?,
    })
}

/// The template that the operator bundles: it is the same for all projects, and read once.
static JENKINS_GIT_V1: LazyLock<Template> = LazyLock::new(|| {
    let word = BuiltInTemplate::JenkinsGitV1.as_str();
    Template::new(word, format!("{word:?}"), project_template(word).unwrap_or_default().into())
});

/// The template: the user's own, as it was read, or one that the operator bundles.
fn template(settings: &TemplateSettings, own: Option<Arc<str>>) -> Template {
    match (&settings.config_map_ref, own) {
        (Some(reference), Some(text)) => Template::new("own", format!("of ConfigMap {}", reference.name), text),
        _ => match settings.built_in.unwrap_or_default() {
            BuiltInTemplate::JenkinsGitV1 => JENKINS_GIT_V1.clone(),
        },
    }
}

/// Portfolio and product, with the template that they are made from.
pub(super) fn catalog(identity: &Identity, platform: &PlatformSettings, own: Option<Arc<str>>) -> Catalog {
    let settings = &platform.catalog;
    let OwnerKey { namespace, name: object, .. } = &identity.owner;
    let (name, namespace) = match (identity.placement.project_name.as_str(), namespace.as_str()) {
        // A platform has neither: it stands for itself, in the 100 characters of a portfolio's name.
        (_, "") => (format!("MLOps {}", object.chars().take(90).collect::<String>()), object),
        (project, _) => (format!("MLOps {project}"), namespace),
    };
    // A provider's name takes 50 characters, a namespace's 63.
    let namespace: String = namespace.chars().take(50).collect();
    let principal = |settings: &PrincipalSettings| Principal {
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

/// Which models start which jobs, if a trigger is wanted.
pub(super) fn model_trigger(spec: &MlopsProjectSpec) -> Option<ModelTriggerSettings> {
    let wanted = spec.wanted_trigger()?;
    let mut approval_statuses = wanted.approval_statuses.clone();
    approval_statuses.sort();
    let mut jobs: Vec<RepositoryRole> = wanted.jobs.iter().map(|job| job_of(*job)).collect();
    jobs.sort();
    Some(ModelTriggerSettings { approval_statuses, jobs })
}

/// How the trigger's function runs. `runtime_role_arn` is the settings', checked.
pub(super) fn trigger_function(
    platform: &PlatformSettings,
    runtime_role_arn: Option<RoleArn>,
    credentials: Option<JenkinsCredentials>,
    ca_bundle: String,
) -> TriggerFunction {
    let settings = &platform.model_trigger;
    let (subnet_ids, security_group_ids) =
        settings.vpc.clone().map(|vpc| (vpc.subnet_ids, vpc.security_group_ids)).unwrap_or_default();
    TriggerFunction {
        runtime_role_arn,
        permissions_boundary_arn: settings.permissions_boundary_arn.clone(),
        jenkins_url: settings.jenkins_url.as_ref().unwrap_or(&platform.jenkins.url).trim_end_matches('/').to_owned(),
        credentials,
        subnet_ids,
        security_group_ids,
        ca_bundle,
        alarm_topic_arn: settings.alarm_topic_arn.clone(),
        log_retention_days: settings.log_retention_days.unwrap_or(LOG_RETENTION_DAYS),
    }
}

/// Every minute: when Git is polled where nobody says.
pub(super) fn poll_schedule() -> String {
    "* * * * *".to_owned()
}

fn job_of(job: TriggeredJob) -> RepositoryRole {
    match job {
        TriggeredJob::Deploy => RepositoryRole::Deploy,
        TriggeredJob::Endpoint => RepositoryRole::Endpoint,
    }
}

/// The repositories as the spec has them.
///
/// # Errors
/// The first field that is not of its form.
pub(super) fn repositories(asked: &RepositoriesSpec) -> Result<Repositories, SpecError> {
    Ok(Repositories {
        preprocess: repository("preprocess", &asked.preprocess)?,
        build: repository("build", &asked.build)?,
        deploy: repository("deploy", &asked.deploy)?,
        endpoint: asked.endpoint.as_ref().map(|asked| repository("endpoint", asked)).transpose()?,
    })
}

fn repository(name: &str, asked: &RepositorySpec) -> Result<Repository, SpecError> {
    let field = |part: &str| format!("spec.repositories.{name}.{part}");
    let source = asked.seed_code.source.unwrap_or_default();
    let seed_code = match (source, &asked.seed_code.archive) {
        (SeedCodeSource::BuiltIn, None) => SeedCode::BuiltIn,
        (SeedCodeSource::None, None) => SeedCode::None,
        (SeedCodeSource::Archive, Some(archive)) => SeedCode::Archive {
            url: archive.url.clone(),
            sha256: formed(&field("seedCode.archive.sha256"), &archive.sha256, Sha256::parse)?,
        },
        _ => {
            let message = "archive goes with source Archive, and source Archive needs it";
            return Err(SpecError::new(&field("seedCode"), message));
        }
    };
    let given = |part: &str, value: &Option<String>| {
        let missing = "is missing: a project with a platform of its own gives url, fullName and connectionArn";
        value.clone().ok_or_else(|| SpecError::new(&field(part), missing))
    };
    let connection = given("connectionArn", &asked.connection_arn)?;
    Ok(Repository {
        url: given("url", &asked.url)?,
        branch: asked.branch.clone().unwrap_or_else(|| "main".to_owned()),
        full_name: given("fullName", &asked.full_name)?,
        connection_arn: formed(&field("connectionArn"), &connection, ConnectionArn::parse)?,
        seed_code,
    })
}
