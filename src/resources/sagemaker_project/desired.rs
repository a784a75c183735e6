//! From the spec to the project: parameters, tags and fingerprint, and what is wrong with them.

use std::collections::BTreeMap;

use super::Desired;
use super::seed_code::{self, BundledArchive};
use crate::crd::status::Reason;
use crate::domain::identity::{FINGERPRINT_TAG, Owned, digest};
use crate::domain::platform::Roles;
use crate::domain::problem::Problem;
use crate::domain::project::{ParameterValue, Project, Repository, RepositoryRole, SeedCode};
use crate::domain::secret;
use crate::domain::tags;
use crate::resources::catalog::ProvisioningTarget;
use crate::template_lint::{DeclaredParameter, JudgedFor};

/// What a template declares, by the names of parameters.
type Declared = BTreeMap<String, DeclaredParameter>;

/// How many characters a parameter's value may have (SageMaker API, ProvisioningParameter).
const LONGEST_VALUE: usize = 4096;

/// What SageMaker fills in itself.
pub(super) const FILLED_BY_SAGEMAKER: [&str; 2] = ["SageMakerProjectName", "SageMakerProjectId"];
/// What stands for the branch of a repository that the project does not have: the template takes no empty one.
const NO_BRANCH: &str = "main";
/// The parameter for the role that checks seed code in; empty: the use role.
const CHECK_IN_ROLE: &str = "CheckInRoleArn";
/// SageMaker takes so many tags on a project.
const MOST_TAGS: usize = 50;

pub(super) fn desired(owner: &Project, target: &ProvisioningTarget) -> Desired {
    let declared = &*owner.platform.catalog.template.declared;
    let (own, bundled) = own_parameters(owner);
    let problem = misnamed(owner, &own, declared).or_else(|| readable(owner, declared));
    let problem = problem.or_else(|| unseedable(owner, declared)).or_else(|| wider(owner, declared));
    let mut parameters = owner.parameters.clone();
    parameters.extend(own.into_iter().map(|(name, value)| (name, ParameterValue::Plain(value))));
    let problem = problem.or_else(|| missing(&parameters, declared));
    parameters.retain(|name, _| declared.contains_key(name));
    let fingerprint = fingerprint(&target.artifact_id, &parameters, &bundled);
    let mut tags = tags::recorded(Owned::Project, &owner.tags);
    tags.extend(owner.identity.owner_tags(Owned::Project));
    tags.insert(FINGERPRINT_TAG.to_owned(), fingerprint.clone());
    let problem = problem.or_else(|| crowded(tags.len(), owner.tags.len()));
    Desired {
        name: owner.identity.placement.project_name.clone(),
        description: owner.description.clone(),
        product_id: target.product_id.clone(),
        artifact_id: target.artifact_id.clone(),
        parameters,
        bundled,
        tags,
        fingerprint,
        problem,
    }
}

/// What the template is judged by: this project, with all that would be sent for it. Values from Secrets are not told.
pub fn judged_for(owner: &Project) -> JudgedFor {
    let placement = &owner.identity.placement;
    let own = own_parameters(owner).0.into_iter().map(|(name, value)| (name, Some(value)));
    let given = owner.parameters.iter().map(|(name, value)| match value {
        ParameterValue::Plain(text) => (name.clone(), Some(text.clone())),
        ParameterValue::Sealed(_) => (name.clone(), None),
    });
    JudgedFor {
        project_name: Some(placement.project_name.clone()),
        region: Some(placement.region.to_string()),
        account: Some(placement.account_id.to_string()),
        parameters: given.chain(own).collect(),
    }
}

/// The parameters that the operator fills in itself, and which of them name archives that it bundles.
fn own_parameters(owner: &Project) -> (BTreeMap<String, String>, Vec<BundledArchive>) {
    let (id, repositories) = (&owner.platform.identity, &owner.repositories);
    let Roles { usage, check_in, .. } = &owner.platform.roles;
    let mut parameters = BTreeMap::from([
        ("UseRoleArn".to_owned(), usage.to_string()),
        (CHECK_IN_ROLE.to_owned(), check_in.as_ref().map(String::from).unwrap_or_default()),
    ]);
    let mut bundled = Vec::new();
    let mut add = |(given, archive): (BTreeMap<String, String>, Option<BundledArchive>)| {
        parameters.extend(given);
        bundled.extend(archive);
    };
    for role in RepositoryRole::ALL {
        let repository = repositories.of(role);
        add((location(role, repository), None));
        add(seed_code::seed_parameters(id, role, repository));
    }
    add(seed_code::bootstrap_parameters(id, repositories.seeded()));
    (parameters, bundled)
}

/// Where a repository is. One that the project does not have is given as such: left out, it could stay as it was.
fn location(role: RepositoryRole, repository: Option<&Repository>) -> BTreeMap<String, String> {
    let (url, branch, full_name, connection) = match repository {
        Some(Repository { url, branch, full_name, connection_arn, .. }) => {
            (url.as_str(), branch.as_str(), full_name.as_str(), connection_arn.as_str())
        }
        None => ("", NO_BRANCH, "", ""),
    };
    [("Url", url), ("Branch", branch), ("Fullname", full_name), ("CodestarConnectionArn", connection)]
        .into_iter()
        .map(|(part, value)| (role.parameter(part), value.to_owned()))
        .collect()
}

/// A parameter of the spec that the template does not have, or that is not the user's to give.
fn misnamed(owner: &Project, own: &BTreeMap<String, String>, declared: &Declared) -> Option<Problem> {
    let filled = |name: &str| own.contains_key(name) || FILLED_BY_SAGEMAKER.contains(&name);
    if let Some(name) = owner.parameters.keys().find(|name| filled(name)) {
        return Some(Problem::new(
            Reason::InvalidSpec,
            format!("spec.parameters names {name}, which the operator fills in itself"),
            "take it out of spec.parameters; spec.repositories holds what the repositories' parameters are made from"
                .to_owned(),
        ));
    }
    if let Some(problem) = owner.parameters.iter().find_map(|(name, value)| unfit(name, value)) {
        return Some(problem);
    }
    let name = owner.parameters.keys().find(|name| !declared.contains_key(*name))?;
    let allowed: Vec<&str> = declared.keys().map(String::as_str).filter(|name| !filled(name)).collect();
    let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
    Some(Problem::new(
        Reason::UnknownParameter,
        format!(
            "the template {} declares no parameter {name}; it takes: {allowed}",
            owner.platform.catalog.template.title
        ),
        format!("correct or remove {name} in spec.parameters"),
    ))
}

/// A value from a Secret that would be shown: by the stack, where the template does not hide the parameter, or in a
/// condition, where it is too short to be taken out.
fn readable(owner: &Project, declared: &Declared) -> Option<Problem> {
    let sealed = owner.parameters.iter().filter_map(|(name, value)| match value {
        ParameterValue::Sealed(sealed) => Some((name, sealed)),
        ParameterValue::Plain(_) => None,
    });
    let refused = |message, hint| Some(Problem::new(Reason::SecretRefused, message, hint));
    sealed.into_iter().find_map(|(name, sealed)| {
        let title = &owner.platform.catalog.template.title;
        if !declared.get(name).is_some_and(|parameter| parameter.no_echo) {
            return refused(
                format!(
                    "parameter {name} comes from a Secret, and the template {title} does not declare it with NoEcho: true, so that everybody who may describe the stack could read it"
                ),
                format!(
                    "declare {name} with `NoEcho: true` in a template of your own, or give it by value in spec.parameters if it is no secret"
                ),
            );
        }
        if sealed.value.is_short() {
            return refused(
                format!(
                    "the value of parameter {name} in its Secret has fewer than {} characters, too few to be kept out of messages",
                    secret::SHORTEST
                ),
                format!("put a longer value there, or give {name} by value in spec.parameters if it is no secret"),
            );
        }
        None
    })
}

/// An archive for a repository for which the template checks nothing in.
fn unseedable(owner: &Project, declared: &Declared) -> Option<Problem> {
    let asked = owner.repositories.each().filter(|(_, repository)| repository.seed_code != SeedCode::None);
    let names = asked.map(|(role, _)| (role, role.seed_parameter()));
    let (role, parameter) = names.into_iter().find(|(_, parameter)| !declared.contains_key(parameter))?;
    Some(Problem::new(
        Reason::UnknownParameter,
        format!(
            "the template {} declares no parameter {parameter}, so it checks no seed code into repositories.{}",
            owner.platform.catalog.template.title,
            role.name()
        ),
        format!("add the parameter to the template, or set repositories.{}.seedCode.source to None", role.name()),
    ))
}

/// A role for the check-in that the template does not take: the use role would get what it is not to have.
fn wider(owner: &Project, declared: &Declared) -> Option<Problem> {
    let role = owner.platform.roles.check_in.as_ref().filter(|_| owner.repositories.seeded())?;
    (!declared.contains_key(CHECK_IN_ROLE)).then(|| {
        Problem::new(
            Reason::UnknownParameter,
            format!(
                "the template {} declares no parameter {CHECK_IN_ROLE}, so it would not check seed code in as {role} (aws.roles.checkIn)",
                owner.platform.catalog.template.title
            ),
            "add the parameter to the template, or take aws.roles.checkIn out of the platform".to_owned(),
        )
    })
}

/// A value that SageMaker does not take: the schema cannot see those from Secrets.
fn unfit(name: &str, value: &ParameterValue) -> Option<Problem> {
    let text = match value {
        ParameterValue::Plain(text) => text.as_str(),
        ParameterValue::Sealed(sealed) => sealed.value.reveal(),
    };
    let ends_a_line = |sign| matches!(sign, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let what = match text {
        text if text.contains(ends_a_line) => "has a line break",
        text if text.chars().count() > LONGEST_VALUE => "has more than 4096 characters",
        _ => return None,
    };
    Some(Problem::new(
        Reason::InvalidSpec,
        format!("the value of parameter {name} {what}, which SageMaker does not take"),
        format!("correct the value of {name} in spec.parameters or in its Secret"),
    ))
}

fn missing(given: &BTreeMap<String, ParameterValue>, declared: &Declared) -> Option<Problem> {
    let wanted = |name: &&String| !given.contains_key(*name) && !FILLED_BY_SAGEMAKER.contains(&name.as_str());
    let (name, _) = declared.iter().find(|(name, parameter)| !parameter.has_default && wanted(name))?;
    Some(Problem::new(
        Reason::ParameterMissing,
        format!("the template's parameter {name} has neither a default nor a value"),
        format!("give {name} in spec.parameters"),
    ))
}

fn crowded(all: usize, own: usize) -> Option<Problem> {
    (all > MOST_TAGS).then(|| {
        Problem::new(
            Reason::InvalidSpec,
            format!(
                "the project would have {all} tags, {} of them the operator's own; SageMaker takes {MOST_TAGS}",
                all - own
            ),
            "remove tags from spec.tags or tags of the platform".to_owned(),
        )
    })
}

/// Changes when the version or a parameter does, be it a secret; not when the operator comes to carry another archive.
fn fingerprint(artifact_id: &str, parameters: &BTreeMap<String, ParameterValue>, bundled: &[BundledArchive]) -> String {
    let mut parts = vec![artifact_id];
    let archive = |name: &String| {
        bundled.iter().any(|bundled| bundled.parameter == *name || bundled.sha256_parameter.as_ref() == Some(name))
    };
    for (name, value) in parameters {
        // These words are hashed: another word would update every project that exists.
        match value {
            ParameterValue::Plain(_) if archive(name) => parts.extend([name, "carried", ""]),
            ParameterValue::Plain(text) => parts.extend([name, "plain", text]),
            ParameterValue::Sealed(secret) => parts.extend([name, "sealed", &secret.fingerprint]),
        }
    }
    digest(&parts)[..32].to_owned()
}
