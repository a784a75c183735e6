//! From the settings of a platform to a platform: those of an `MlopsPlatform`, or those that a project holds itself. It
//! stands apart since both kinds of objects have the same settings. Secrets are only named here;
//! [`ParsedPlatform::into_platform`] takes them in.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::placement::{self, ca_reference};
use super::{SpecError, defaults, optional, typed, uses};
use crate::crd::identifiers::{ConnectionArn, RoleArn};
use crate::crd::mlops_platform::MlopsPlatformSpec;
use crate::crd::platform::{ConfigMapRef, CredentialsSecretRef, PlatformSettings, TemplateSettings};
use crate::crd::project::SeedCodeSource;
use crate::crd::status::{CaBundleReference, Placement};
use crate::domain::address;
use crate::domain::grants::Use;
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::platform::{Catalog, JenkinsCredentials, Platform, Roles, Seeds};
use crate::domain::project::RepositoryRole;
use crate::domain::seal::Seals;
use crate::domain::secret::Secret;

/// Settings of a platform that parsed, and what they still need from outside.
#[derive(Clone, Debug)]
pub struct ParsedPlatform {
    /// Whose resources, and where.
    pub identity: Identity,
    /// The settings.
    pub settings: PlatformSettings,
    /// The field that holds them: `spec` or `spec.platform`.
    pub at: &'static str,
    /// The roles of the settings, or those that stand for absent ones.
    pub(super) roles: Roles,
    /// The role of the model trigger's Lambda, if one is named.
    pub(super) runtime_role_arn: Option<RoleArn>,
    /// Whether a model trigger is wanted.
    pub(super) triggered: bool,
}

/// What a platform takes from Secrets and ConfigMaps.
#[derive(Clone)]
pub struct ResolvedPlatform {
    /// The Jenkins user and token.
    pub jenkins: JenkinsCredentials,
    /// The Jenkins user and token of `modelTrigger.credentialsSecretRef`, if there is one.
    pub trigger: Option<JenkinsCredentials>,
    /// PEM of `modelTrigger.caBundleRef`; empty if there is none.
    pub trigger_ca_bundle: String,
    /// Text of `catalog.template.configMapRef`, if there is one.
    pub template: Option<Arc<str>>,
}

impl ResolvedPlatform {
    /// What must not be shown.
    pub fn secrets(&self) -> Vec<Secret> {
        let users = std::iter::once(&self.jenkins).chain(&self.trigger);
        users.map(|user| user.token.value.clone()).collect()
    }
}

/// What its projects make a platform need.
pub(super) struct Needs {
    pub(super) connections: BTreeSet<ConnectionArn>,
    pub(super) seeds: Seeds,
    pub(super) aws_credentials: bool,
}

/// Parses the raw spec of an `MlopsPlatform` of this owner.
///
/// # Errors
/// The first field that is missing, of the wrong type or out of bounds, with what is allowed.
pub fn parse_platform(
    owner: &OwnerKey,
    seals: &Seals,
    raw_spec: &Value,
) -> Result<(MlopsPlatformSpec, ParsedPlatform), SpecError> {
    let spec: MlopsPlatformSpec = typed("spec", raw_spec)?;
    super::tags::apart("spec.tags", spec.settings.tags.keys())?;
    let base = &spec.git.base_url;
    address::unambiguous(base).map_err(|problem| SpecError::new("spec.git.baseUrl", format!("`{base}` {problem}")))?;
    let connection = super::formed("spec.git.connectionArn", &spec.git.connection_arn, ConnectionArn::parse)?;
    let placement = placement::of_settings(owner, &spec.settings, "spec", String::new(), None)?;
    if connection.account() != placement.account_id.as_str() {
        let message = format!("must be a connection of the account in spec.aws.accountId, {}", placement.account_id);
        return Err(SpecError::new("spec.git.connectionArn", message));
    }
    if let Some(schedule) = &spec.projects.poll_schedule {
        super::poll_schedule::check("spec.projects.pollSchedule", schedule)?;
    }
    let identity = Identity { owner: owner.clone(), placement, seals: seals.clone() };
    let parsed = ParsedPlatform::of(identity, spec.settings.clone(), "spec", true)?;
    super::one_partition(&parsed.identity.placement.region, &parsed.uses())?;
    Ok((spec, parsed))
}

impl ParsedPlatform {
    /// The settings of this owner, at this field.
    pub(super) fn of(
        identity: Identity,
        settings: PlatformSettings,
        at: &'static str,
        triggered: bool,
    ) -> Result<Self, SpecError> {
        let TemplateSettings { built_in, config_map_ref } = &settings.catalog.template;
        if built_in.is_some() && config_map_ref.is_some() {
            let field = format!("{at}.catalog.template");
            return Err(SpecError::new(&field, "takes builtIn or configMapRef, not both"));
        }
        let roles = defaults::roles(&identity.placement, &settings, at)?;
        // Where no trigger is wanted, its role is not read.
        let runtime_role = settings.model_trigger.runtime_role_arn.as_deref().filter(|_| triggered);
        let runtime_role_arn = optional(&format!("{at}.modelTrigger.runtimeRoleArn"), runtime_role, RoleArn::parse)?;
        Ok(Self { identity, settings, at, roles, runtime_role_arn, triggered })
    }

    /// Where the Jenkins user of the Lambda stands, if a trigger is wanted and has one of its own.
    pub fn trigger_credentials(&self) -> Option<&CredentialsSecretRef> {
        self.settings.model_trigger.credentials_secret_ref.as_ref().filter(|_| self.triggered)
    }

    /// Where the Lambda's CA bundle stands, if one is named.
    pub fn trigger_ca_bundle(&self) -> Option<CaBundleReference> {
        self.settings.model_trigger.ca_bundle_ref.as_ref().map(ca_reference)
    }

    /// Where the project template stands, if it is the user's own.
    pub fn own_template(&self) -> Option<&ConfigMapRef> {
        self.settings.catalog.template.config_map_ref.as_ref()
    }

    /// What the catalog product looks like, without a template of the user's own.
    pub fn catalog(&self) -> Catalog {
        defaults::catalog(&self.identity, &self.settings, None)
    }

    /// What it would use, whether it is named or a default stands for it.
    pub fn uses(&self) -> Vec<Use> {
        uses::of_platform(self)
    }

    /// The platform of an `MlopsPlatform`, with what was read from Secrets: it needs what any of its projects may ask for.
    ///
    /// # Errors
    /// The field that is not of its form.
    pub fn into_platform(self, spec: &MlopsPlatformSpec, resolved: ResolvedPlatform) -> Result<Platform, SpecError> {
        let connection = super::formed("spec.git.connectionArn", &spec.git.connection_arn, ConnectionArn::parse)?;
        let aws_credentials = spec.projects.jenkins.aws_credentials_id.is_some();
        let checks_in = spec.projects.seed_code.unwrap_or_default() != SeedCodeSource::None;
        Ok(self.with(resolved, |platform| {
            let declared = &platform.catalog.template.declared;
            let takes = |role: &RepositoryRole| checks_in && declared.contains_key(&role.seed_parameter());
            let bundled: BTreeSet<RepositoryRole> = RepositoryRole::ALL.into_iter().filter(takes).collect();
            let seeds = Seeds { any: !bundled.is_empty(), bundled };
            Needs { connections: BTreeSet::from([connection]), seeds, aws_credentials }
        }))
    }

    /// The platform, with what was read from Secrets; what it needs is told once its template is known.
    pub(super) fn with(self, resolved: ResolvedPlatform, needs: impl FnOnce(&Platform) -> Needs) -> Platform {
        let ResolvedPlatform { jenkins, trigger, trigger_ca_bundle, template } = resolved;
        let catalog = defaults::catalog(&self.identity, &self.settings, template);
        let function = self.triggered.then(|| {
            defaults::trigger_function(&self.settings, self.runtime_role_arn.clone(), trigger, trigger_ca_bundle)
        });
        let mut platform = Platform {
            tags: self.settings.tags,
            roles: self.roles,
            kms_key_id: self.settings.artifacts.kms_key_id,
            catalog,
            connections: BTreeSet::new(),
            seeds: Seeds::default(),
            aws_credentials: false,
            jenkins_credentials: jenkins,
            trigger: function,
            identity: self.identity,
        };
        let Needs { connections, seeds, aws_credentials } = needs(&platform);
        (platform.connections, platform.seeds, platform.aws_credentials) = (connections, seeds, aws_credentials);
        platform
    }
}

/// Where a project on this platform is: in the platform's place, with a Jenkins folder of its own below that of its
/// namespace.
pub fn placement_on(
    platform: &Placement,
    name: &str,
    owner: &OwnerKey,
    project: String,
    folder: Option<&str>,
) -> Placement {
    let own = match placement::folder_parts(folder) {
        parts if parts.is_empty() => vec![owner.name.clone()],
        parts => parts,
    };
    let shared = [platform.jenkins_folder.as_slice(), std::slice::from_ref(&owner.namespace)].concat();
    Placement {
        platform: Some(name.to_owned()),
        project_name: project,
        bucket_owned: false,
        jenkins_shared_folders: i32::try_from(shared.len()).unwrap_or(0),
        jenkins_folder: [shared, own].concat(),
        ..platform.clone()
    }
}
