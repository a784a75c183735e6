//! From the spec to the project: parameters, tags and fingerprint, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Desired, Problem, TAG_KEYS_TAG};
use crate::crd::status::Reason;
use crate::domain::identity::{FINGERPRINT_TAG, digest};
use crate::domain::project::{ParameterValue, Project, Repository};
use crate::resources::outputs::Launchable;
use crate::templates::declared_parameters;

/// How many characters a parameter's value may have (SageMaker API, ProvisioningParameter).
const LONGEST_VALUE: usize = 4096;

/// What SageMaker fills in itself.
pub(super) const FILLED_BY_SAGEMAKER: [&str; 2] = ["SageMakerProjectName", "SageMakerProjectId"];
/// SageMaker takes so many tags on a project.
const MOST_TAGS: usize = 50;

pub(super) fn desired(owner: &Project, launchable: &Launchable) -> Desired {
    let declared = declared_parameters(&owner.catalog.template.text);
    let own = repository_parameters(owner);
    let problem = misnamed(owner, &own, &declared);
    let mut parameters = owner.parameters.clone();
    parameters.extend(own.into_iter().map(|(name, value)| (name, ParameterValue::Plain(value))));
    let problem = problem.or_else(|| missing(&parameters, &declared));
    parameters.retain(|name, _| declared.contains_key(name));
    let fingerprint = fingerprint(&launchable.artifact_id, &parameters);
    let mut tags = owner.tags.clone();
    if !tags.is_empty() {
        // Service Catalog takes no empty values, so an empty record is left out.
        tags.insert(TAG_KEYS_TAG.to_owned(), owner.tags.keys().map(|key| key_digest(key)).collect());
    }
    tags.extend(owner.identity.owner_tags());
    tags.insert(FINGERPRINT_TAG.to_owned(), fingerprint.clone());
    let problem = problem.or_else(|| crowded(tags.len(), owner.tags.len()));
    Desired {
        name: owner.identity.placement.project_name.clone(),
        description: owner.description.clone(),
        product_id: launchable.product_id.clone(),
        artifact_id: launchable.artifact_id.clone(),
        parameters,
        tags,
        fingerprint,
        problem,
    }
}

fn repository_parameters(owner: &Project) -> BTreeMap<String, String> {
    let repositories = &owner.repositories;
    let of = |prefix: &str, repository: &Repository| {
        [
            ("Url", &repository.url),
            ("Branch", &repository.branch),
            ("Fullname", &repository.full_name),
            ("CodestarConnectionArn", &repository.connection_arn),
        ]
        .map(|(part, value)| (format!("{prefix}CodeRepository{part}"), value.clone()))
    };
    let preprocess = of("ModelPreprocess", &repositories.preprocess);
    let build = of("ModelBuild", &repositories.build);
    let deploy = of("ModelDeploy", &repositories.deploy);
    preprocess.into_iter().chain(build).chain(deploy).collect()
}

/// A parameter of the spec that the template does not have, or that is not the user's to give.
fn misnamed(owner: &Project, own: &BTreeMap<String, String>, declared: &BTreeMap<String, bool>) -> Option<Problem> {
    let filled = |name: &str| own.contains_key(name) || FILLED_BY_SAGEMAKER.contains(&name);
    if let Some(name) = owner.parameters.keys().find(|name| filled(name)) {
        return Some(Problem {
            why: Reason::InvalidSpec,
            message: format!("spec.parameters names {name}, which the operator fills in itself"),
            hint: "take it out of spec.parameters; spec.repositories holds what the repositories' parameters are made from".to_owned(),
        });
    }
    if let Some(problem) = owner.parameters.iter().find_map(|(name, value)| unfit(name, value)) {
        return Some(problem);
    }
    let name = owner.parameters.keys().find(|name| !declared.contains_key(*name))?;
    let allowed: Vec<&str> = declared.keys().map(String::as_str).filter(|name| !filled(name)).collect();
    let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
    Some(Problem {
        why: Reason::UnknownParameter,
        message: format!(
            "the template {} declares no parameter {name}; it takes: {allowed}",
            owner.catalog.template.title
        ),
        hint: format!("correct or remove {name} in spec.parameters"),
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
    Some(Problem {
        why: Reason::InvalidSpec,
        message: format!("the value of parameter {name} {what}, which SageMaker does not take"),
        hint: format!("correct the value of {name} in spec.parameters or in its Secret"),
    })
}

fn missing(given: &BTreeMap<String, ParameterValue>, declared: &BTreeMap<String, bool>) -> Option<Problem> {
    let wanted = |name: &&String| !given.contains_key(*name) && !FILLED_BY_SAGEMAKER.contains(&name.as_str());
    let (name, _) = declared.iter().find(|(name, has_default)| !**has_default && wanted(name))?;
    Some(Problem {
        why: Reason::ParameterMissing,
        message: format!("the template's parameter {name} has neither a default nor a value"),
        hint: format!("give {name} in spec.parameters"),
    })
}

fn crowded(all: usize, own: usize) -> Option<Problem> {
    (all > MOST_TAGS).then(|| Problem {
        why: Reason::InvalidSpec,
        message: format!(
            "the project would have {all} tags, {} of them the operator's own; SageMaker takes {MOST_TAGS}",
            all - own
        ),
        hint: "remove tags from spec.tags or spec.platform.tags".to_owned(),
    })
}

/// Changes when the version or a parameter does, be it a secret.
fn fingerprint(artifact_id: &str, parameters: &BTreeMap<String, ParameterValue>) -> String {
    let mut parts = vec![artifact_id];
    for (name, value) in parameters {
        match value {
            ParameterValue::Plain(text) => parts.extend([name, "plain", text]),
            ParameterValue::Sealed(secret) => parts.extend([name, "sealed", &secret.fingerprint]),
        }
    }
    digest(&parts)[..32].to_owned()
}

fn key_digest(key: &str) -> String {
    digest(&[key])[..5].to_owned()
}

/// The tags that a project carries because an earlier spec asked for them, and this one does not.
pub(super) fn outlived(seen: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> BTreeSet<String> {
    let record = seen.get(TAG_KEYS_TAG).map(String::as_str).unwrap_or_default();
    let ours = |key: &str| {
        key == TAG_KEYS_TAG || (0..record.len() / 5).any(|n| record.get(n * 5..n * 5 + 5) == Some(&key_digest(key)))
    };
    seen.keys().filter(|key| !wanted.contains_key(*key) && ours(key)).cloned().collect()
}
