//! Whether the repositories of a spec fit together: each is named alike by its URL and by its full name, has one role
//! only, and is reached by a connection of the project's own account. Apart from the parsing, since it compares fields that
//! are each of their form. It asks no provider whether a repository exists.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use super::SpecError;
use crate::crd::identifiers::AccountId;
use crate::domain::project::{Repositories, Repository};

/// Providers at whose addresses the path is the full name, and nothing else.
const WHOLE_PATHS: [&str; 3] = ["github.com", "gitlab.com", "bitbucket.org"];
/// What stands in the path of a clone URL and in no name: Azure DevOps' mark before the repository, and Bitbucket Data
/// Center's at the beginning.
const MARKS: [&str; 2] = ["_git", "scm"];

/// Checks all of them.
///
/// # Errors
/// The first field that does not fit, with what would.
pub(super) fn fit(repositories: &Repositories, account: &AccountId) -> Result<(), SpecError> {
    let mut known: Vec<(String, Vec<String>)> = Vec::new();
    for (role, repository) in repositories.each() {
        let field = |part: &str| format!("spec.repositories.{}.{part}", role.name());
        of_account(repository, account).map_err(|message| SpecError::new(&field("connectionArn"), message))?;
        named_alike(repository).map_err(|message| SpecError::new(&field("fullName"), message))?;
        let keys = keys(repository);
        let twin = known.iter().find(|(_, taken)| taken.iter().any(|key| keys.contains(key)));
        if let Some((other, _)) = twin {
            let message = format!(
                "`{}` is the repository of spec.repositories.{other} already: each role needs a repository of its own, since seed code and jobs of both would meet in it",
                repository.url
            );
            return Err(SpecError::new(&field("url"), message));
        }
        known.push((role.name().to_owned(), keys));
    }
    Ok(())
}

/// A connection of another account cannot be used by the roles of this one.
fn of_account(repository: &Repository, account: &AccountId) -> Result<(), String> {
    let of = repository.connection_arn.account();
    if of == account.as_str() {
        return Ok(());
    }
    Err(format!(
        "`{}` is a connection of account {of}, and the project is in {account} (spec.platform.aws.accountId): make a connection there, and name that",
        repository.connection_arn
    ))
}

/// Whether the full name is the one that the URL leads to. Providers take names in any case.
fn named_alike(repository: &Repository) -> Result<(), String> {
    let Repository { url, full_name, .. } = repository;
    let Some(place) = Place::of(url) else { return Ok(()) };
    let name: Vec<String> = full_name.split('/').map(str::to_lowercase).collect();
    let lower = |parts: &[String]| parts.iter().map(|part| part.to_lowercase()).collect::<Vec<_>>();
    let fits = |parts: &[String]| match WHOLE_PATHS.contains(&place.host.as_str()) {
        true => lower(parts) == name,
        false => lower(parts).ends_with(&name),
    };
    let names = place.names();
    if names.iter().any(|parts| fits(parts)) {
        return Ok(());
    }
    let meant = names.last().filter(|parts| parts.len() > 1).map_or_else(
        || "which names no owner and repository".to_owned(),
        |parts| format!("which is the repository `{}`", parts.join("/")),
    );
    Err(format!("`{full_name}` is not what the url leads to, `{url}`, {meant}: correct one of them"))
}

/// What two names of the same repository have in common: the place of its URL, and its name behind its connection.
fn keys(repository: &Repository) -> Vec<String> {
    let behind = format!("{} {}", repository.connection_arn, repository.full_name.to_lowercase());
    let place =
        Place::of(&repository.url).map(|place| format!("{} {}", place.host, place.plain().join("/").to_lowercase()));
    place.into_iter().chain([behind]).collect()
}

/// Where a clone URL leads.
struct Place {
    /// Host, and port where it is not 443.
    host: String,
    /// Parts of the path, as they read.
    parts: Vec<String>,
}

impl Place {
    fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let read =
            |part: &str| percent_decode_str(part).decode_utf8().map_or_else(|_| part.to_owned(), Cow::into_owned);
        let mut parts: Vec<String> = url.path_segments()?.filter(|part| !part.is_empty()).map(read).collect();
        if let Some(last) = parts.last_mut()
            && let Some(name) = last.strip_suffix(".git")
        {
            *last = name.to_owned();
        }
        Some(Self { host: format!("{}{port}", url.host_str()?), parts })
    }

    /// The path without the marks that are no part of a name.
    fn plain(&self) -> Vec<String> {
        let is_mark = |place: usize, part: &str| match part {
            "scm" => place == 0,
            part => MARKS.contains(&part),
        };
        let kept = self.parts.iter().enumerate().filter(|(place, part)| !is_mark(*place, part));
        kept.map(|(_, part)| part.clone()).collect()
    }

    /// The names that it may have: the whole path; the path without marks; and, for the repository that Azure DevOps makes
    /// with a project and whose URL leaves the project out, with that.
    fn names(&self) -> Vec<Vec<String>> {
        let plain = self.plain();
        let mut names = vec![self.parts.clone()];
        if let [.., organization, mark, repository] = self.parts.as_slice()
            && mark == "_git"
        {
            names.push(vec![organization.clone(), repository.clone(), repository.clone()]);
        }
        names.push(plain);
        names
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::crd::identifiers::ConnectionArn;
    use crate::domain::project::SeedCode;

    const CONNECTION: &str = "arn:aws:codeconnections:eu-central-1:111122223333:connection/0a1b";

    fn repository(url: &str, full_name: &str) -> Repository {
        Repository {
            url: url.to_owned(),
            branch: "main".into(),
            full_name: full_name.to_owned(),
            connection_arn: ConnectionArn::parse(CONNECTION).unwrap(),
            seed_code: SeedCode::None,
        }
    }

    #[test]
    fn a_full_name_is_the_urls_own() {
        let rows = [
            ("GitHub", "https://github.com/team/code.git", "team/code", true),
            ("in another case", "https://github.com/Team/Code", "team/code", true),
            ("another repository", "https://github.com/team/code.git", "team/other", false),
            ("another owner", "https://github.com/team/code.git", "others/code", false),
            ("a GitLab group in a group", "https://gitlab.com/a/b/code.git", "a/b/code", true),
            ("the inner group alone, where the path is the name", "https://gitlab.com/a/b/code.git", "b/code", false),
            ("a GitLab below a path", "https://git.example/gitlab/a/code.git", "a/code", true),
            ("Bitbucket", "https://bitbucket.org/team/code.git", "team/code", true),
            ("Bitbucket of one's own", "https://bb.example/scm/FARES/code.git", "FARES/code", true),
            ("Bitbucket of a person", "https://bb.example/scm/~ada/code.git", "~ada/code", true),
            ("Azure DevOps", "https://dev.azure.com/org/fares/_git/code", "org/fares/code", true),
            ("Azure DevOps without the organization", "https://dev.azure.com/org/fares/_git/code", "fares/code", true),
            ("blanks", "https://dev.azure.com/org/Taxi%20Fares/_git/model%20build", "org/Taxi Fares/model build", true),
            (
                "a blank in the wrong place",
                "https://dev.azure.com/org/Taxi%20Fares/_git/code",
                "org/TaxiFares/code",
                false,
            ),
            (
                "the repository of the project's own name",
                "https://dev.azure.com/org/_git/fares",
                "org/fares/fares",
                true,
            ),
            ("its older address", "https://org.visualstudio.com/fares/_git/code", "fares/code", true),
            ("no owner", "https://git.example/code.git", "team/code", false),
        ];
        for (case, url, full_name, alike) in rows {
            let told = named_alike(&repository(url, full_name));
            assert_eq!(told.is_ok(), alike, "{case}: {told:?}");
            if let Err(message) = told {
                assert!(message.contains(url) && message.contains(full_name), "{case}: {message}");
            }
        }
    }

    #[test]
    fn a_repository_has_one_role() {
        let code = || repository("https://github.com/team/code.git", "team/code");
        let rows = [
            ("the same", code(), true),
            ("the same without .git", repository("https://github.com/team/code", "team/code"), true),
            ("the same in another case", repository("https://GitHub.com/Team/Code.git", "Team/Code"), true),
            ("the same with its port", repository("https://github.com:443/team/code/", "team/code"), true),
            ("the same behind the connection", repository("https://mirror.example/team/code", "team/code"), true),
            ("another", repository("https://github.com/team/other.git", "team/other"), false),
        ];
        for (case, deploy, refused) in rows {
            let build = repository("https://github.com/team/build.git", "team/build");
            let repositories = Repositories { preprocess: code(), build, deploy, endpoint: None };
            let told = fit(&repositories, &AccountId::parse("111122223333").unwrap());
            assert_eq!(told.is_err(), refused, "{case}: {told:?}");
            if let Err(error) = told {
                assert_eq!(error.field, "spec.repositories.deploy.url", "{case}");
                assert!(error.message.contains("spec.repositories.preprocess"), "{case}: {error}");
            }
        }
        let mut elsewhere = code();
        elsewhere.connection_arn = ConnectionArn::parse(&CONNECTION.replace("0a1b", "2c3d")).unwrap();
        elsewhere.url = "https://gitlab.com/team/code".into();
        let build = repository("https://github.com/team/build.git", "team/build");
        let repositories = Repositories { preprocess: code(), build, deploy: elsewhere, endpoint: None };
        assert_eq!(fit(&repositories, &AccountId::parse("111122223333").unwrap()), Ok(()), "one name at two providers");
    }

    #[test]
    fn a_connection_is_of_the_projects_account() {
        let repositories = Repositories {
            preprocess: repository("https://github.com/team/a.git", "team/a"),
            build: repository("https://github.com/team/b.git", "team/b"),
            deploy: repository("https://github.com/team/c.git", "team/c"),
            endpoint: None,
        };
        assert_eq!(fit(&repositories, &AccountId::parse("111122223333").unwrap()), Ok(()));
        let error = fit(&repositories, &AccountId::parse("444455556666").unwrap()).unwrap_err();
        assert_eq!(error.field, "spec.repositories.preprocess.connectionArn");
        assert!(error.message.contains("111122223333") && error.message.contains("444455556666"), "{error}");
    }
}
