//! The parameters that name archives of the operator's own: which archive a new project gets, and which one a project
//! keeps. A newer operator bundles newer archives; that alone must not update a project, whose repositories have their
//! code already. It stands alone because creation, comparison and update must all say the same.

use std::collections::BTreeMap;

use super::{Desired, ObservedProject, Status};
use crate::crd::identifiers::Sha256;
use crate::domain::identity::Identity;
use crate::domain::project::{ParameterValue, Repository, RepositoryRole, SeedCode};
use crate::resources::artifact_bucket::{archive_key, bootstrap_folder, seed_folder};
use crate::templates::archives;

/// The end of the logical ids of the resources that check seed code in.
const CHECK_IN: &str = "SeedCodeCheckIn";
/// The end of the names of the outputs that say what became of it.
const OUTPUT: &str = "SeedCode";

/// A parameter that names an archive by its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundledArchive {
    pub parameter: String,
    /// What comes before `<sha256>.zip` in its value.
    pub folder: String,
    /// The parameter that has the same checksum, if there is one.
    pub sha256_parameter: Option<String>,
}

/// The stack's output that says what became of a repository's seed code.
pub fn output(role: RepositoryRole) -> String {
    format!("{}{OUTPUT}", role.group())
}

/// Whether parameters ask for seed code, so that there is something to be told.
pub fn wanted(parameters: &BTreeMap<String, String>) -> bool {
    parameters.iter().any(|(name, value)| name.ends_with("IsSeedcodeRequired") && value == "true")
}

/// Whether the cause of a failure is a check-in of seed code: the resource that failed stands before the first colon.
pub(super) fn checked_in(cause: &str) -> bool {
    cause.split(':').next().is_some_and(|resource| resource.trim_end().ends_with(CHECK_IN))
}

/// Parameters about the seed code of a repository, and whether they name an archive of the operator's own.
pub(super) fn seed_parameters(
    id: &Identity,
    role: RepositoryRole,
    repository: Option<&Repository>,
) -> (BTreeMap<String, String>, Option<BundledArchive>) {
    let folder = format!("s3://{}/{}", id.placement.bucket, seed_folder(id, role));
    let (required, url, sha256, bundled) = match repository.map(|repository| &repository.seed_code) {
        None | Some(SeedCode::None) => ("false", String::new(), String::new(), None),
        Some(SeedCode::Archive { url, sha256 }) => ("true", url.clone(), sha256.to_string(), None),
        Some(SeedCode::BuiltIn) => {
            let sha256 = &role.bundled_archive().sha256;
            let url = archive_key(&folder, sha256);
            let sha256_parameter = Some(role.parameter("SeedCodeSha256"));
            let bundled = BundledArchive { parameter: role.parameter("SeedCodeUrl"), folder, sha256_parameter };
            ("true", url, sha256.to_string(), Some(bundled))
        }
    };
    let parameters = BTreeMap::from([
        (role.seed_parameter(), required.to_owned()),
        (role.parameter("SeedCodeUrl"), url),
        (role.parameter("SeedCodeSha256"), sha256),
    ]);
    (parameters, bundled)
}

/// Parameters about the check-in itself; empty where no seed code is wanted.
pub(super) fn bootstrap_parameters(id: &Identity, seeded: bool) -> (BTreeMap<String, String>, Option<BundledArchive>) {
    let folder = bootstrap_folder(id);
    let (bucket, key) = if seeded {
        (id.placement.bucket.clone(), archive_key(&folder, &archives::BOOTSTRAP.sha256))
    } else {
        (String::new(), String::new())
    };
    let parts = [("SeedCodeBootstrapBucket", bucket), ("SeedCodeBootstrapKey", key)];
    let bundled = BundledArchive { parameter: "SeedCodeBootstrapKey".to_owned(), folder, sha256_parameter: None };
    (parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), seeded.then_some(bundled))
}

/// The parameters as this project is to have them: where it names an archive that some operator bundled, it keeps it.
/// After a failed update it gets the newest ones, since they may be what helps.
pub(super) fn kept(desired: &Desired, project: &ObservedProject) -> BTreeMap<String, ParameterValue> {
    let mut parameters = desired.parameters.clone();
    if project.status == Status::UpdateFailed {
        return parameters;
    }
    for bundled in &desired.bundled {
        let Some((value, sha256)) = project.parameters.get(&bundled.parameter).and_then(|value| {
            let sha256 = value.strip_prefix(&bundled.folder)?.strip_suffix(".zip")?;
            Sha256::parse(sha256).is_ok().then_some((value, sha256))
        }) else {
            continue;
        };
        let mut keep = |name: &str, value: &str| {
            if let Some(given) = parameters.get_mut(name) {
                *given = ParameterValue::Plain(value.to_owned());
            }
        };
        keep(&bundled.parameter, value);
        if let Some(name) = &bundled.sha256_parameter {
            keep(name, sha256);
        }
    }
    parameters
}
