//! All that a project uses outside the cluster, after defaults, for the check against the operator's grants. Apart from the
//! parsing so that what needs a grant can be read in one place; whether it is granted is decided in `domain::grants`.

use url::Url;

use super::{Parsed, SpecError};
use crate::crd::status::Placement;
use crate::domain::address;
use crate::domain::grants::{Use, UseKind};
use crate::domain::identity::{Identity, OwnerKey};
use crate::domain::project::{Repositories, Repository, SeedCode};

impl Parsed {
    /// What the project would use, whether the spec names it or a default stands for it.
    pub fn uses(&self) -> Vec<Use> {
        let platform = &self.spec.platform;
        let mut uses = of_place(&self.identity.placement);
        let roles = [
            ("spec.platform.aws.roles.launch", Some(&self.roles.launch)),
            ("spec.platform.aws.roles.use", Some(&self.roles.usage)),
            ("spec.platform.aws.roles.checkIn", self.roles.check_in.as_ref()),
            ("spec.platform.aws.roles.stack", self.roles.stack.as_ref()),
            ("spec.platform.modelTrigger.runtimeRoleArn", self.runtime_role_arn.as_ref()),
        ];
        let named = roles.into_iter().filter_map(|(field, role)| Some(Use::new(UseKind::Role, field, role?.as_str())));
        uses.extend(named);
        let settings = [
            (UseKind::KmsKey, "spec.platform.artifacts.kmsKeyId", &platform.artifacts.kms_key_id),
            (UseKind::AlarmTopic, "spec.platform.modelTrigger.alarmTopicArn", &platform.model_trigger.alarm_topic_arn),
            (UseKind::JenkinsUrl, "spec.platform.modelTrigger.jenkinsUrl", &platform.model_trigger.jenkins_url),
            (UseKind::JenkinsCredential, "spec.jenkins.awsCredentialsId", &self.spec.jenkins.aws_credentials_id),
            (UseKind::JenkinsCredential, "spec.jenkins.gitCredentialsId", &self.spec.jenkins.git_credentials_id),
        ];
        let given = settings.into_iter().filter_map(|(kind, field, value)| Some((kind, field, value.as_ref()?.trim())));
        uses.extend(
            given.filter(|(.., value)| !value.is_empty()).map(|(kind, field, value)| Use::new(kind, field, value)),
        );
        for principal in &platform.catalog.principals {
            uses.push(Use::new(UseKind::Principal, "spec.platform.catalog.principals", &principal.arn));
        }
        if let Some(vpc) = &platform.model_trigger.vpc {
            let field = "spec.platform.modelTrigger.vpc";
            uses.extend(vpc.subnet_ids.iter().map(|id| Use::new(UseKind::Subnet, field, id)));
            uses.extend(vpc.security_group_ids.iter().map(|id| Use::new(UseKind::SecurityGroup, field, id)));
        }
        if let Some(reference) = self.own_template() {
            uses.push(Use::new(UseKind::OwnTemplate, "spec.platform.catalog.template.configMapRef", &reference.name));
        }
        uses.extend(self.repositories.each().flat_map(|(role, repository)| of_repository(role.name(), repository)));
        uses
    }
}

/// What is used by looking at a place alone: what deletion needs.
pub fn of_place(place: &Placement) -> Vec<Use> {
    let role = match &place.role_arn {
        Some(role) => Use::new(UseKind::Role, "spec.platform.aws.assumeRole.roleArn", role.as_str()),
        None => Use::new(UseKind::OperatorIdentity, "spec.platform.aws.assumeRole", ""),
    };
    let mut uses = vec![
        role,
        Use::new(UseKind::Account, "spec.platform.aws.accountId", place.account_id.as_str()),
        Use::new(UseKind::Region, "spec.platform.aws.region", place.region.as_str()),
        Use::new(UseKind::JenkinsUrl, "spec.platform.jenkins.url", &place.jenkins_url),
        Use::new(UseKind::JenkinsFolder, "spec.jenkins.folder", place.jenkins_folder.join("/")),
    ];
    if !place.bucket_owned {
        uses.push(Use::new(UseKind::Bucket, "spec.platform.artifacts.bucket", &place.bucket));
    }
    uses
}

/// A place as it was told, with everything that follows from the rest derived anew: nobody's word counts for that.
pub fn derived(owner: &OwnerKey, told: Placement) -> Placement {
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
