//! A project on a shared platform: what the platform fills in, and what it does not let a project say. What comes out is a
//! spec as a project with a platform of its own would write it. It decides nothing about namespaces: see `domain::grants`.

use super::patterns::{self, Refusal, filled};
use super::{Around, SpecError, tags};
use crate::crd::mlops_platform::{MlopsPlatformSpec, ProjectLimits};
use crate::crd::project::{
    JobSettings, MlopsProjectSpec, RepositoriesSpec, RepositorySpec, SeedCodeSettings, SeedCodeSource,
};
use crate::domain::grants::matches;

/// Most tags of platform and project together: Service Catalog takes 20, and five are the operator's.
const MOST_TAGS: usize = 15;

/// The spec with all that the platform says for it.
///
/// # Errors
/// The first field that the platform does not let a project set so, with what is allowed.
pub(super) fn filled_in(
    name: &str,
    platform: &MlopsPlatformSpec,
    (namespace, project): (&str, &str),
    spec: MlopsProjectSpec,
    around: &Around<'_>,
) -> Result<MlopsProjectSpec, SpecError> {
    let limits = &platform.projects;
    if !limits.names.is_empty() {
        named((name, limits), namespace, project, around)?;
    }
    tags::apart("spec.tags", spec.tags.keys())?;
    let set = |key: &String| Some((key.clone(), tags::alike(&platform.settings.tags, key)?));
    if let Some((key, theirs)) = spec.tags.keys().find_map(set) {
        let message = format!("platform {name} sets the tag {theirs} for all its projects: leave {key} out");
        return Err(SpecError::new("spec.tags", message));
    }
    let all = platform.settings.tags.len() + spec.tags.len();
    if all > MOST_TAGS {
        let message = format!("with those of platform {name} there are {all} tags; together there may be {MOST_TAGS}");
        return Err(SpecError::new("spec.tags", message));
    }
    for parameter in &spec.parameters {
        if !limits.parameters.contains(&parameter.name) {
            let allowed = match limits.parameters.as_slice() {
                [] => "it lets them set none".to_owned(),
                names => format!("it lets them set {}", names.join(", ")),
            };
            let message = format!("platform {name} keeps the parameter {} for itself: {allowed}", parameter.name);
            return Err(SpecError::new("spec.parameters", message));
        }
    }
    let RepositoriesSpec { preprocess, build, deploy, endpoint } = spec.repositories;
    let repository = |role: &str, asked: RepositorySpec| repository((name, platform), namespace, role, asked, around);
    let repositories = RepositoriesSpec {
        preprocess: repository("preprocess", preprocess)?,
        build: repository("build", build)?,
        deploy: repository("deploy", deploy)?,
        endpoint: endpoint.map(|asked| repository("endpoint", asked)).transpose()?,
    };
    Ok(MlopsProjectSpec {
        repositories,
        jenkins: jobs(name, limits, spec.jenkins)?,
        data_policy: spec.data_policy.or(limits.data_policy),
        ..spec
    })
}

/// Whether a project of this namespace may be called so. One that was made is called as it was.
fn named(
    (platform, limits): (&str, &ProjectLimits),
    namespace: &str,
    project: &str,
    around: &Around<'_>,
) -> Result<(), SpecError> {
    let has = around.made.is_some_and(|made| made.project_name == project);
    patterns::check(&limits.names, namespace, project, around.unless(has)).map_err(|refusal| {
        let message = match refusal {
            Refusal::Uncovered => {
                let allowed = filled(&limits.names.join(", "), namespace);
                format!("\"{project}\" is not among the names of platform {platform}, which allows {allowed}")
            }
            Refusal::Anothers(pattern) => format!("{}: choose another name", anothers(platform, pattern, project)),
        };
        SpecError::new("spec.projectName", message)
    })
}

/// A name that a pattern covers for another namespace, too. Which one that is, is not the project's to know.
fn anothers(platform: &str, pattern: &str, name: &str) -> String {
    format!(
        "\"{name}\" is another namespace's on platform {platform}: what {pattern} covers for several namespaces belongs to the one with the longest name"
    )
}

/// A repository by its name: URL, full name and connection are the platform's.
fn repository(
    (platform, spec): (&str, &MlopsPlatformSpec),
    namespace: &str,
    role: &str,
    asked: RepositorySpec,
    around: &Around<'_>,
) -> Result<RepositorySpec, SpecError> {
    let field = |part: &str| format!("spec.repositories.{role}.{part}");
    let given = [("url", &asked.url), ("fullName", &asked.full_name), ("connectionArn", &asked.connection_arn)];
    if let Some((part, _)) = given.into_iter().find(|(_, value)| value.is_some()) {
        let message = format!("follows from the name on platform {platform}: give spec.repositories.{role}.name alone");
        return Err(SpecError::new(&field(part), message));
    }
    let Some(name) = &asked.name else {
        let message = format!("is missing: on platform {platform} a repository is given by its name");
        return Err(SpecError::new(&field("name"), message));
    };
    let git = &spec.git;
    let base = git.base_url.trim_end_matches('/');
    let path = base.splitn(4, '/').nth(3).unwrap_or_default();
    let full_name = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
    let has = around.made.is_some_and(|made| made.repositories.is_empty() || made.repositories.contains(&full_name));
    patterns::check(&git.repositories, namespace, &full_name, around.unless(has)).map_err(|refusal| {
        let message = match refusal {
            Refusal::Uncovered => {
                let allowed = filled(&git.repositories.join(", "), namespace);
                format!("\"{full_name}\" is not among the repositories of platform {platform}, which allows {allowed}")
            }
            Refusal::Anothers(pattern) => format!(
                "{}: name another repository, or have the platform's pattern end the namespace with a sign that no namespace's name has, such as a slash, a dot or an underscore",
                anothers(platform, pattern, &full_name)
            ),
        };
        SpecError::new(&field("name"), message)
    })?;
    Ok(RepositorySpec {
        name: None,
        url: Some(format!("{base}/{}.git", name.replace(' ', "%20"))),
        branch: asked.branch.or_else(|| spec.projects.branch.clone()),
        full_name: Some(full_name),
        connection_arn: Some(git.connection_arn.clone()),
        seed_code: seed_code(platform, &spec.projects, &field("seedCode"), asked.seed_code)?,
    })
}

fn seed_code(
    platform: &str,
    limits: &ProjectLimits,
    field: &str,
    asked: SeedCodeSettings,
) -> Result<SeedCodeSettings, SpecError> {
    let default = limits.seed_code.unwrap_or_default();
    if asked.source == Some(SeedCodeSource::BuiltIn) && default == SeedCodeSource::None {
        let message = format!("platform {platform} checks no code of the operator into repositories: set it to None");
        return Err(SpecError::new(&format!("{field}.source"), message));
    }
    if let Some(archive) = &asked.archive
        && !limits.seed_code_archives.iter().any(|pattern| matches(pattern, &archive.url))
    {
        let allowed = match limits.seed_code_archives.as_slice() {
            [] => "allows none".to_owned(),
            patterns => format!("allows {}", patterns.join(", ")),
        };
        let message = format!("\"{}\" is not among the archives of platform {platform}, which {allowed}", archive.url);
        return Err(SpecError::new(&format!("{field}.archive.url"), message));
    }
    Ok(SeedCodeSettings { source: asked.source.or(Some(default)), ..asked })
}

/// How the jobs run: credentials are the platform's alone.
fn jobs(platform: &str, limits: &ProjectLimits, asked: JobSettings) -> Result<JobSettings, SpecError> {
    let only = |part: &str, asked: Option<String>, given: &Option<String>| match asked {
        Some(id) if given.as_ref() != Some(&id) => {
            let allowed = match given {
                Some(given) => format!("its projects use \"{given}\" alone"),
                None => "its projects use none".to_owned(),
            };
            let message = format!("\"{id}\" is not a credential of platform {platform}: {allowed}");
            Err(SpecError::new(&format!("spec.jenkins.{part}"), message))
        }
        _ => Ok(given.clone()),
    };
    let given = &limits.jenkins;
    Ok(JobSettings {
        aws_credentials_id: only("awsCredentialsId", asked.aws_credentials_id, &given.aws_credentials_id)?,
        git_credentials_id: only("gitCredentialsId", asked.git_credentials_id, &given.git_credentials_id)?,
        poll_schedule: asked.poll_schedule.or_else(|| limits.poll_schedule.clone()),
        ..asked
    })
}
