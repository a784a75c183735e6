//! From names of Secrets and ConfigMaps to what they hold: credentials, CA bundles, parameters, the project template.
//! What is missing is said in a sentence that names the object, the key and what to do.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Deserialize as _;
use serde_json::Value;

use crate::controller::context::Context;
use crate::controller::object::{Key, Kind};
use crate::controller::reference_watch::{ALLOWED_USE, Content, FOR_PARAMETERS, Held, Named, ReferenceWatch, Source};
use crate::crd::platform::{ConfigMapRef, CredentialsSecretRef};
use crate::crd::status::{CaBundleReference, Placement, Reason};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::outcome::Outcome;
use crate::domain::platform::{JenkinsCredentials, Platform};
use crate::domain::problem::Problem;
use crate::domain::project::Project;
use crate::domain::secret::{SealedSecret, Secret};
use crate::domain::validate::{Parsed, ParsedPlatform, Resolved, ResolvedPlatform};
use crate::resources::sagemaker_project;
use crate::template_lint::JudgedFor;

/// Bytes of a user name or an API token in a Secret. Jenkins' own tokens have 34.
const LONGEST_CREDENTIAL: usize = 4096;
/// Bytes of a template parameter in a Secret: CloudFormation takes 4096 characters.
const LONGEST_PARAMETER: usize = 4 * 4096;
/// Bytes of a CA bundle: twice what all public CAs together have.
const LONGEST_BUNDLE: usize = 512 * 1024;
/// Bytes of a project template: what a ConfigMap holds at most. CloudFormation takes less, and the linter says so.
const LONGEST_TEMPLATE: usize = 1024 * 1024;

/// A spec gives no more parameters; one that is older than this rule is not looked through to its end.
const MOST_PARAMETERS: usize = 60;

/// What Jenkins is spoken to with.
#[derive(Clone)]
pub struct JenkinsAccess {
    pub credentials: JenkinsCredentials,
    /// PEM certificates that are trusted besides the system's; may be empty.
    pub ca_bundle: String,
}

/// All sources that a placement names, in the namespace that they are in.
pub fn placement_sources(namespace: &str, placement: &Placement) -> Named {
    let mut named = Named::new();
    name_credentials(&mut named, namespace, &credentials_of(placement));
    if let Some(reference) = &placement.ca_bundle {
        name(&mut named, bundle_source(namespace, reference), &reference.key, LONGEST_BUNDLE);
    }
    named
}

/// All sources that the spec of a project names.
pub fn sources(key: &Key, parsed: &Parsed) -> Named {
    let own = parsed.own_platform().map(|platform| platform_sources(&key.namespace, platform));
    let mut named = own.unwrap_or_default();
    for reference in parsed.parameter_secrets().values() {
        name(&mut named, Source::secret(&key.namespace, &reference.name), &reference.key, LONGEST_PARAMETER);
    }
    named
}

/// All sources that a platform names, in the namespace that they are in.
pub fn platform_sources(namespace: &str, parsed: &ParsedPlatform) -> Named {
    let mut named = placement_sources(namespace, &parsed.identity.placement);
    if let Some(reference) = parsed.trigger_credentials() {
        name_credentials(&mut named, namespace, reference);
    }
    if let Some(reference) = parsed.trigger_ca_bundle() {
        name(&mut named, bundle_source(namespace, &reference), &reference.key, LONGEST_BUNDLE);
    }
    if let Some(ConfigMapRef { name: map, key: field }) = parsed.own_template() {
        name(&mut named, Source::config_map(namespace, map), field, LONGEST_TEMPLATE);
    }
    named
}

/// A key of a Secret whose value may have been sent to AWS.
pub struct Sent {
    /// The Secret.
    source: Source,
    /// The key in it.
    field: String,
    /// Whether it was sent only if its label allows it.
    needs_label: bool,
}

/// What the spec of an object names for parameters and for the model trigger, however wrong the rest of it is; a platform's
/// is in the operator's own namespace.
pub fn sent(context: &Context, key: &Key, spec: &Value) -> Vec<Sent> {
    let (namespace, trigger) = match key.kind() {
        Kind::Project => (key.namespace.as_str(), "/platform/modelTrigger/credentialsSecretRef"),
        Kind::Platform => (context.dependencies.namespace.as_str(), "/modelTrigger/credentialsSecretRef"),
    };
    let source = |name: &str| Source::secret(namespace, name);
    let parameters = spec.get("parameters").and_then(Value::as_array);
    let parameter = |parameter: &Value| {
        let reference = parameter.pointer("/valueFrom/secretKeyRef")?;
        let text = |field: &str| reference.get(field)?.as_str();
        Some(Sent { source: source(text("name")?), field: text("key")?.to_owned(), needs_label: true })
    };
    let trigger = spec.pointer(trigger);
    let trigger = trigger.and_then(|reference| CredentialsSecretRef::deserialize(reference).ok());
    let token = |CredentialsSecretRef { name, token_key, .. }| Sent {
        source: source(&name),
        field: token_key,
        needs_label: false,
    };
    let parameters = parameters.into_iter().flatten().take(MOST_PARAMETERS).filter_map(parameter);
    parameters.chain(trigger.map(token)).collect()
}

/// The same as sources to be read, besides those that are named already.
pub fn name_sent(named: &mut Named, sent: &[Sent]) {
    for Sent { source, field, .. } in sent {
        name(named, source.clone(), field, LONGEST_PARAMETER);
    }
}

/// The values of these, as far as they can be read.
pub async fn readable(context: &Context, sent: &[Sent]) -> Vec<Secret> {
    let mut values = Vec::new();
    for Sent { source, field, needs_label } in sent {
        if let Content::Present { for_parameters, values: all, .. } = context.references.content(source).await
            && (for_parameters || !needs_label)
        {
            values.extend(all.get(field).and_then(Held::text).cloned());
        }
    }
    values
}

/// Changes when one of the sources does.
pub async fn version(references: &ReferenceWatch, named: &Named) -> String {
    let mut versions = String::new();
    for source in named.keys() {
        versions.push('|');
        versions.push_str(references.content(source).await.version());
    }
    versions
}

/// Everything that a project needs of Secrets and ConfigMaps: for a platform of its own, with what Jenkins is spoken to with,
/// and for its parameters.
///
/// # Errors
/// What is missing, as the finding about the prerequisites.
pub async fn project(
    context: &Context,
    key: &Key,
    parsed: &Parsed,
) -> Result<(Resolved, Option<JenkinsAccess>), Outcome> {
    let own = match parsed.own_platform() {
        Some(own) => Some(platform(context, &key.namespace, own).await?),
        None => None,
    };
    let mut parameters = BTreeMap::new();
    for (name, reference) in parsed.parameter_secrets() {
        let source = Source::secret(&key.namespace, &reference.name);
        may_be_parameter(context, &source, &name).await?;
        let purpose = format!("parameter {name}");
        let value = value(context, &source, (&reference.key, LONGEST_PARAMETER), &purpose).await?;
        // A file made by an editor ends with a line break, which is no part of what it holds.
        let value = Secret::new(value.reveal().trim_end_matches(['\r', '\n']));
        let fingerprint = context.fingerprints.fingerprint([value.reveal()]);
        parameters.insert(name, SealedSecret { value, fingerprint });
    }
    let (platform, access) = own.unzip();
    Ok((Resolved { platform, parameters }, access))
}

/// Everything that a platform needs of Secrets and ConfigMaps, which are in this namespace.
///
/// # Errors
/// What is missing, as the finding about the prerequisites.
pub async fn platform(
    context: &Context,
    namespace: &str,
    parsed: &ParsedPlatform,
) -> Result<(ResolvedPlatform, JenkinsAccess), Outcome> {
    let access = jenkins(context, namespace, &parsed.identity.placement).await?;
    let trigger = match parsed.trigger_credentials() {
        Some(reference) => {
            Some(credentials(context, namespace, reference, "the Jenkins credentials of the model trigger").await?)
        }
        None => None,
    };
    let trigger_ca_bundle = match parsed.trigger_ca_bundle() {
        Some(reference) => bundle(context, namespace, &reference).await?,
        None => String::new(),
    };
    let template = match parsed.own_template() {
        Some(reference) => {
            let ConfigMapRef { name, key: field } = reference;
            let source = Source::config_map(namespace, name);
            let text = value(context, &source, (field, LONGEST_TEMPLATE), "the project template").await?;
            Some(text.reveal().into())
        }
        None => None,
    };
    Ok((ResolvedPlatform { jenkins: access.credentials.clone(), trigger, trigger_ca_bundle, template }, access))
}

/// Whether a Secret may go into a parameter of the template: whoever may write an object, but read no Secrets, could else
/// let any of them be told. It is asked first, so that nothing is said of the keys of one that may not.
async fn may_be_parameter(context: &Context, source: &Source, parameter: &str) -> Result<(), Outcome> {
    match context.references.content(source).await {
        Content::Present { for_parameters: false, .. } => {
            let Source { namespace, name, .. } = source;
            Err(Outcome::Stuck(Problem::new(
                Reason::SecretRefused,
                format!(
                    "parameter {parameter} names Secret {name}, which lacks the label {ALLOWED_USE}={FOR_PARAMETERS} that lets its values go into the project's stack"
                ),
                format!("if they may, run: kubectl -n {namespace} label secret {name} {ALLOWED_USE}={FOR_PARAMETERS}"),
            )))
        }
        // What cannot be read is said where it is read.
        _ => Ok(()),
    }
}

/// What Jenkins is spoken to with, as the placement names it.
///
/// # Errors
/// What is missing, as the finding about the prerequisites.
pub async fn jenkins(context: &Context, namespace: &str, placement: &Placement) -> Result<JenkinsAccess, Outcome> {
    let credentials = credentials(context, namespace, &credentials_of(placement), "the Jenkins credentials").await?;
    let ca_bundle = match &placement.ca_bundle {
        Some(reference) => bundle(context, namespace, reference).await?,
        None => String::new(),
    };
    Ok(JenkinsAccess { credentials, ca_bundle })
}

/// A Jenkins user and its API token.
async fn credentials(
    context: &Context,
    namespace: &str,
    reference: &CredentialsSecretRef,
    purpose: &str,
) -> Result<JenkinsCredentials, Outcome> {
    let source = Source::secret(namespace, &reference.name);
    let username = value(context, &source, (&reference.username_key, LONGEST_CREDENTIAL), purpose).await?;
    let token = value(context, &source, (&reference.token_key, LONGEST_CREDENTIAL), purpose).await?;
    // A file made by an editor ends with a line break, which is no part of what it holds.
    let username = username.reveal().trim().to_owned();
    let token = Secret::new(token.reveal().trim());
    let fingerprint = context.fingerprints.fingerprint([username.as_str(), token.reveal()]);
    Ok(JenkinsCredentials { username, token: SealedSecret { value: token, fingerprint } })
}

/// Why a project is not made from the user's own template: judged for this very project, before anything is made of it.
pub fn refused_template(context: &Context, reference: &ConfigMapRef, project: &Project) -> Option<Problem> {
    refused(context, reference, &project.platform, &sagemaker_project::judged_for(project))
}

/// The same for all projects of a platform: for what each gives, it is judged again.
pub fn refused_platform_template(context: &Context, reference: &ConfigMapRef, platform: &Platform) -> Option<Problem> {
    let placement = &platform.identity.placement;
    let judged_for = JudgedFor {
        region: Some(placement.region.to_string()),
        account: Some(placement.account_id.to_string()),
        ..JudgedFor::default()
    };
    refused(context, reference, platform, &judged_for)
}

fn refused(
    context: &Context,
    reference: &ConfigMapRef,
    platform: &Platform,
    judged_for: &JudgedFor,
) -> Option<Problem> {
    let ConfigMapRef { name, key: field } = reference;
    let today = context.dependencies.clock.now().to_zoned(TimeZone::UTC).date();
    let error = context.templates.refusal(&platform.catalog.template.text, judged_for, today)?;
    Some(Problem::new(
        Reason::InvalidTemplate,
        format!("the project template under key {field} of ConfigMap {name}, line {}: {}", error.line, error.message),
        format!("{}; `mlops-operator lint-template` tells all that is wrong with it", error.hint),
    ))
}

fn bundle_source(namespace: &str, reference: &CaBundleReference) -> Source {
    Source::bundle(namespace, reference.kind, &reference.name)
}

/// The certificates of a PEM text alone: it may hold a private key, too, which goes nowhere.
fn certificates(pem: &str) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut found = String::new();
    for rest in pem.split(BEGIN).skip(1) {
        if let Some((body, _)) = rest.split_once(END) {
            found.extend([BEGIN, body, END, "\n"]);
        }
    }
    found
}

async fn bundle(context: &Context, namespace: &str, reference: &CaBundleReference) -> Result<String, Outcome> {
    let source = bundle_source(namespace, reference);
    let pem = value(context, &source, (&reference.key, LONGEST_BUNDLE), "the CA bundle").await?.reveal().to_owned();
    let certificates = certificates(&pem);
    if !certificates.is_empty() {
        return Ok(certificates);
    }
    Err(Outcome::Stuck(Problem::new(
        Reason::CaBundleInvalid,
        format!("key {} of {} {} holds no PEM certificate", reference.key, source.noun(), source.name),
        "put one or more `-----BEGIN CERTIFICATE-----` blocks there".to_owned(),
    )))
}

/// The Secret that a placement names.
fn credentials_of(placement: &Placement) -> CredentialsSecretRef {
    CredentialsSecretRef {
        name: placement.secret_name.clone(),
        username_key: placement.username_key.clone(),
        token_key: placement.token_key.clone(),
    }
}

/// One more key that is named, with the longest value that it may have.
fn name(named: &mut Named, source: Source, key: &str, longest: usize) {
    let most = named.entry(source).or_default().entry(key.to_owned()).or_default();
    *most = (*most).max(longest);
}

fn name_credentials(named: &mut Named, namespace: &str, reference: &CredentialsSecretRef) {
    for field in [&reference.username_key, &reference.token_key] {
        name(named, Source::secret(namespace, &reference.name), field, LONGEST_CREDENTIAL);
    }
}

/// The value under a key, which may have so many bytes.
async fn value(
    context: &Context,
    source: &Source,
    (field, longest): (&str, usize),
    purpose: &str,
) -> Result<Secret, Outcome> {
    let now = context.dependencies.clock.now();
    let (noun, Source { namespace, name, .. }) = (source.noun(), source);
    let stuck = |reason, message, hint: String| Outcome::Stuck(Problem::new(reason, message, hint));
    match context.references.content(source).await {
        Content::Present { values, .. } => {
            let length = match values.get(field) {
                Some(Held::Text(text)) if (1..=longest).contains(&text.reveal().len()) => return Ok(text.clone()),
                Some(Held::Text(text)) => text.reveal().len(),
                Some(Held::TooLong(length)) => *length,
                None => 0,
            };
            Err(match length {
                0 => stuck(
                    Reason::SecretMissing,
                    format!("{noun} {name} has no text under key {field}, which holds {purpose}"),
                    format!("add key {field} to {noun} {name} in namespace {namespace}"),
                ),
                _ => stuck(
                    Reason::ValueTooLong,
                    format!(
                        "{noun} {name} has {length} bytes under key {field}; for {purpose} at most {longest} are read"
                    ),
                    format!("put no more than that under key {field} of {noun} {name} in namespace {namespace}"),
                ),
            })
        }
        Content::Absent => Err(stuck(
            Reason::SecretMissing,
            format!("{noun} {name} with {purpose} does not exist"),
            format!("create it in namespace {namespace}"),
        )),
        Content::Forbidden => Err(stuck(
            Reason::AccessDenied,
            format!("the operator may not read {noun} {name} with {purpose}"),
            format!(
                "allow its ServiceAccount to get, list and watch secrets and configmaps in namespace {namespace} (the chart's value {})",
                if *namespace == context.dependencies.namespace { "platforms.secrets" } else { "secrets.namespaces" }
            ),
        )),
        Content::Unknown => {
            let text = format!("could not read {noun} {name} with {purpose}: the Kubernetes API does not answer");
            let fault = Fault::new(FaultKind::Unavailable, text)
                .hint("it is tried again by itself; if this lasts, look at the health of the Kubernetes API");
            Err(Outcome::Faulted { fault, since: now })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_pem_text_only_certificates_are_taken() {
        let one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n";
        let rows = [
            ("a certificate", one.to_owned(), one.to_owned()),
            ("a chain", format!("{one}{one}"), format!("{one}{one}")),
            ("with its key and remarks", format!("# ours\n{key}{one}"), one.to_owned()),
            ("a key alone", key.to_owned(), String::new()),
            ("one that is cut off", one[..40].to_owned(), String::new()),
        ];
        for (name, text, expected) in rows {
            assert_eq!(certificates(&text), expected, "{name}");
        }
    }
}
