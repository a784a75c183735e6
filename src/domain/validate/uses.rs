//! All that a project uses outside the cluster, after defaults, for the check against the operator's grants. Apart from the
//! parsing so that what needs a grant can be read in one place; whether it is granted is decided in `domain::grants`.

use url::Url;

use super::{Parsed, ParsedPlatform, SpecError};
use crate::crd::status::Placement;
use crate::domain::address;
use crate::domain::grants::{Use, UseKind};
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::project::{Repositories, Repository, SeedCode};

impl Parsed {
    /// What a project with a platform of its own would use, whether the spec names it or a default stands for it.
    pub fn uses(&self) -> Vec<Use> {
        let mut uses = self.own_platform().map(ParsedPlatform::uses).unwrap_or_default();
        let credentials = [
            ("spec.jenkins.awsCredentialsId", &self.spec.jenkins.aws_credentials_id),
            ("spec.jenkins.gitCredentialsId", &self.spec.jenkins.git_credentials_id),
        ];
        let given = credentials.into_iter().filter_map(|(field, value)| Some((field, value.as_ref()?.trim())));
        uses.extend(
            given
                .filter(|(_, value)| !value.is_empty())
                .map(|(field, value)| Use::new(UseKind::JenkinsCredential, field, value)),
        );
        uses.extend(self.repositories.each().flat_map(|(role, repository)| of_repository(role.name(), repository)));
        uses
    }
}

/// What a platform would use.
pub(super) fn of_platform(parsed: &ParsedPlatform) -> Vec<Use> {
    let ParsedPlatform { identity, settings, at, roles, runtime_role_arn, .. } = parsed;
    let field = |path: &str| format!("{at}.{path}");
    let mut uses = of_place_at(&identity.placement, at);
    let roles = [
        ("aws.roles.launch", Some(&roles.launch)),
        ("aws.roles.use", Some(&roles.usage)),
        ("aws.roles.checkIn", roles.check_in.as_ref()),
        ("aws.roles.stack", roles.stack.as_ref()),
        ("modelTrigger.runtimeRoleArn", runtime_role_arn.as_ref()),
    ];
    let named =
        roles.into_iter().filter_map(|(path, role)| Some(Use::new(UseKind::Role, &field(path), role?.as_str())));
    uses.extend(named);
    let given = [
        (UseKind::KmsKey, "artifacts.kmsKeyId", &settings.artifacts.kms_key_id),
        (UseKind::AlarmTopic, "modelTrigger.alarmTopicArn", &settings.model_trigger.alarm_topic_arn),
        (UseKind::JenkinsUrl, "modelTrigger.jenkinsUrl", &settings.model_trigger.jenkins_url),
    ];
    let given = given.into_iter().filter_map(|(kind, path, value)| Some((kind, path, value.as_ref()?.trim())));
    let given = given.filter(|(.., value)| !value.is_empty());
    uses.extend(given.map(|(kind, path, value)| Use::new(kind, &field(path), value)));
    for principal in &settings.catalog.principals {
        uses.push(Use::new(UseKind::Principal, &field("catalog.principals"), &principal.arn));
    }
    if let Some(vpc) = &settings.model_trigger.vpc {
        let field = field("modelTrigger.vpc");
        uses.extend(vpc.subnet_ids.iter().map(|id| Use::new(UseKind::Subnet, &field, id)));
        uses.extend(vpc.security_group_ids.iter().map(|id| Use::new(UseKind::SecurityGroup, &field, id)));
    }
    if let Some(reference) = parsed.own_template() {
        uses.push(Use::new(UseKind::OwnTemplate, &field("catalog.template.configMapRef"), &reference.name));
    }
    uses
}

/// What is used by looking at a place alone: what deletion needs.
pub fn of_place(place: &Placement) -> Vec<Use> {
    of_place_at(place, "spec.platform")
}

fn of_place_at(place: &Placement, at: &str) -> Vec<Use> {
    let field = |path: &str| format!("{at}.{path}");
    let role = match &place.role_arn {
        Some(role) => Use::new(UseKind::Role, &field("aws.assumeRole.roleArn"), role.as_str()),
        None => Use::new(UseKind::OperatorIdentity, &field("aws.assumeRole"), ""),
    };
    let mut uses = vec![
        role,
        Use::new(UseKind::Account, &field("aws.accountId"), place.account_id.as_str()),
        Use::new(UseKind::Region, &field("aws.region"), place.region.as_str()),
        Use::new(UseKind::JenkinsUrl, &field("jenkins.url"), &place.jenkins_url),
        Use::new(UseKind::JenkinsFolder, "spec.jenkins.folder", place.jenkins_folder.join("/")),
    ];
    if !place.bucket_owned {
        uses.push(Use::new(UseKind::Bucket, &field("artifacts.bucket"), &place.bucket));
    }
    uses
}

/// A place as it was told, with everything that follows from the rest derived anew: nobody's word counts for that.
pub fn derived(owner: &OwnerKey, told: Placement) -> Placement {
    // A project that shares a platform lives in the platform's place.
    let holder = match &told.platform {
        Some(name) => OwnerKey::of_platform(&owner.cluster, name),
        None => owner.clone(),
    };
    let owner = &holder;
    let bucket = match told.bucket_owned {
        true => Identity::own_bucket_name(owner, &told.account_id, &told.region),
        false => told.bucket.clone(),
    };
    Placement {
        partition: told.region.partition().to_owned(),
        external_id: told.role_arn.as_ref().map(|_| super::placement::external_id(owner)),
        bucket,
        ..told
    }
}

/// Refuses names of repositories and archives that not every client reads alike: what is checked must be what is used.
///
/// # Errors
/// The first such field.
pub(super) fn unambiguous(repositories: &Repositories) -> Result<(), SpecError> {
    let plain = |field: String, url: &str| {
        let told = address::unambiguous(url);
        told.map(drop).map_err(|problem| SpecError::new(&field, format!("`{url}` {problem}")))
    };
    for (role, repository) in repositories.each() {
        let field = |part: &str| format!("spec.repositories.{}.{part}", role.name());
        plain(field("url"), &repository.url)?;
        // Bitbucket and Azure DevOps have names with blanks.
        let name = repository.full_name.replace(' ', "%20");
        plain(field("fullName"), &format!("https://git.invalid/{name}"))?;
        if let SeedCode::Archive { url, .. } = &repository.seed_code {
            plain(field("seedCode.archive.url"), url)?;
        }
    }
    Ok(())
}

/// The repository that is cloned, the one that the connection leads to, and where its code comes from.
fn of_repository(name: &str, repository: &Repository) -> Vec<Use> {
    let Repository { url, full_name, connection_arn, seed_code, .. } = repository;
    let field = |part: &str| format!("spec.repositories.{name}.{part}");
    let path = repository_path(url);
    let host = path.split('/').next().unwrap_or_default();
    let of_connection = repository_path(&format!("https://{host}/{full_name}"));
    let mut uses = vec![
        Use::new(UseKind::Connection, &field("connectionArn"), connection_arn.as_str()),
        Use::new(UseKind::Repository, &field("url"), path),
        Use::new(UseKind::Repository, &field("fullName"), of_connection),
    ];
    if let SeedCode::Archive { url, .. } = seed_code {
        uses.push(Use::new(UseKind::Archive, &field("seedCode.archive.url"), url));
    }
    uses
}

/// `host/full-name` of a clone URL, with `..` and the like resolved as clients of HTTP do.
fn repository_path(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return url.to_owned() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_matches('/');
    format!("{}{port}/{}", url.host_str().unwrap_or_default(), path.strip_suffix(".git").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_repository_is_named_by_where_its_url_really_leads() {
        let rows = [
            ("https://github.com/team-a/code.git", "github.com/team-a/code"),
            ("https://github.com/team-a/../team-b/code", "github.com/team-b/code"),
            ("https://github.com/team-a/%2e%2e/team-b/code", "github.com/team-b/code"),
            ("https://github.com/team-a\\..\\team-b/code", "github.com/team-b/code"),
            ("https://GitHub.com:443/team-a/code/", "github.com/team-a/code"),
            ("https://git.example:8443/a/b/c.git", "git.example:8443/a/b/c"),
        ];
        for (url, path) in rows {
            assert_eq!(repository_path(url), path, "{url}");
        }
    }
}
