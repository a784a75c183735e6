//! Parameters: whether those that SageMaker and the operator fill in are there and take what they are given, what each
//! project must give itself, and which of them show a secret. It stands alone as the template's side of
//! `spec.repositories` and `spec.parameters`.

use std::collections::HashSet;

use super::contract::{
    self, CLOSED, OTHERS, PROJECT_ID, PROJECT_IDS, PROJECT_NAME, PROJECT_NAMES, REPOSITORIES, REPOSITORY_PARTS,
};
use super::document::{Entry, Node, Position};
use super::judged_for::Known;
use super::pattern::{Pattern, Rules};
use super::template::{ParsedTemplate, no_echo};
use super::{Code, Findings, Severity, quoted};

/// Words in a parameter's name that tell a secret.
const SECRET_WORDS: [&str; 7] = ["password", "passwd", "secret", "token", "apikey", "privatekey", "credential"];
/// Ends of a name that tell that it is about a secret, not one.
const HARMLESS_ENDS: [&str; 10] = ["arn", "name", "id", "url", "path", "ref", "version", "days", "prefix", "required"];

/// CloudFormation takes no more parameters, so that further ones need no look; patterns are dear to try.
const MOST_JUDGED: usize = 200;

pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    project_parameter(template, PROJECT_NAME, &PROJECT_NAMES, findings);
    project_parameter(template, PROJECT_ID, &PROJECT_IDS, findings);
    for entry in template.section("Parameters").iter().take(MOST_JUDGED) {
        own_rules(entry, findings);
        secret(entry, findings);
        given(template, entry, findings);
    }
    for (name, values) in contract::filled() {
        if let Some(entry) = template.parameter(&name) {
            filled(template, entry, values, findings);
        }
    }
    repositories(template, findings);
    to_give(template, findings);
}

fn path(entry: &Entry) -> String {
    format!("Parameters/{}", entry.key)
}

/// Where to say that a parameter is missing.
fn parameters_place(template: &ParsedTemplate<'_>) -> Position {
    template.root.entries().iter().find(|entry| entry.key == "Parameters").map_or(template.root.at, |entry| entry.at)
}

fn project_parameter(template: &ParsedTemplate<'_>, name: &str, values: &[&str], findings: &mut Findings) {
    let Some(entry) = template.parameter(name) else {
        let message = format!("the parameter {name} is not declared; SageMaker fills it in and fails without it");
        let hint = format!("declare {name} with Type: String and no default");
        findings.error(Code::ProjectParameter, (parameters_place(template), "Parameters"), message, hint);
        return;
    };
    if !is_string(entry) {
        let message = format!("the parameter {name} must be a String: SageMaker fills a text in");
        findings.error(Code::ProjectParameter, (entry.at, &path(entry)), message, "set Type: String");
        return;
    }
    match (name, template.known(entry)) {
        (PROJECT_ID, _) => {
            let why = "SageMaker gives such ids, and nobody can choose them";
            samples(entry, values, true, why, findings);
        }
        (_, Known::Exactly(value)) => exactly(entry, value, "it is the project's name (spec.projectName)", findings),
        _ => {
            let why = "this assumes projects with such names, which spec.projectName takes";
            samples(entry, values, false, why, findings);
        }
    }
}

fn is_string(entry: &Entry) -> bool {
    entry.value.get("Type").and_then(Node::text) == Some("String")
}

/// A value that is sure to come must be taken.
fn exactly(entry: &Entry, value: &str, why: &str, findings: &mut Findings) {
    let Some(reason) = Rules::of(&entry.value).refusal(value) else { return };
    let message = format!("{} refuses {}: {reason}; {why}", entry.key, quoted(value));
    let hint = "correct the value, or the parameter's rules";
    findings.error(Code::ValueRefused, (entry.at, &path(entry)), message, hint);
}

/// Values that may come. `no_others`: nothing else can, so that it is an error if all of them are refused.
fn samples(entry: &Entry, values: &[&str], no_others: bool, why: &str, findings: &mut Findings) {
    let rules = Rules::of(&entry.value);
    let refusals: Vec<_> = values.iter().filter_map(|value| Some((*value, rules.refusal(value)?))).collect();
    let Some((value, reason)) = refusals.first() else { return };
    let severity = if no_others && refusals.len() == values.len() { Severity::Error } else { Severity::Warning };
    let message = format!("{} refuses {}: {reason}; {why}", entry.key, quoted(value));
    findings.add(severity, Code::ValueRefused, (entry.at, &path(entry)), message, "widen the parameter's rules");
}

/// What the project gives itself.
fn given(template: &ParsedTemplate<'_>, entry: &Entry, findings: &mut Findings) {
    let name = entry.key.as_str();
    let ours = contract::filled_by_operator(name) || contract::filled_by_sagemaker(name);
    let value = template.project.parameters.get(name).and_then(Option::as_deref);
    if let Some(value) = value.filter(|_| !ours && is_string(entry)) {
        exactly(entry, value, "the project gives it (spec.parameters)", findings);
    }
}

fn own_rules(entry: &Entry, findings: &mut Findings) {
    let rules = Rules::of(&entry.value);
    let at = (
        entry.value.get("AllowedPattern").map_or(entry.at, |node| node.at),
        &*format!("{}/AllowedPattern", path(entry)),
    );
    match &rules.pattern {
        Pattern::Broken(pattern, reason) => {
            let message =
                format!("the AllowedPattern {} of {} is no regular expression: {reason}", quoted(pattern), entry.key);
            findings.error(Code::Pattern, at, message, "correct the pattern; CloudFormation takes Java's");
        }
        Pattern::NotJudged(pattern) => {
            let message = format!(
                "the AllowedPattern {} of {} is for Java's engine alone, or too large; it was not tried",
                quoted(pattern),
                entry.key
            );
            let hint = "write it without look-around, back references, \\p and \\Q, or try its values by hand";
            findings.warning(Code::Pattern, at, message, hint);
        }
        Pattern::Absent | Pattern::Judged(..) => {}
    }
    let default = entry.value.get("Default").filter(|_| is_string(entry));
    let Some((node, text)) = default.and_then(|node| Some((node, node.text()?))) else { return };
    if let Some(reason) = rules.refusal(text) {
        let message =
            format!("the default {} of {} breaks the parameter's own rules: {reason}", quoted(text), entry.key);
        let at = (node.at, &*format!("{}/Default", path(entry)));
        findings.error(Code::DefaultRefused, at, message, "correct the default, or the rules");
    }
}

fn filled(template: &ParsedTemplate<'_>, entry: &Entry, values: &[&str], findings: &mut Findings) {
    if !is_string(entry) {
        let message = format!("the parameter {} must be a String: the operator fills a text in", entry.key);
        findings.error(Code::OperatorParameter, (entry.at, &path(entry)), message, "set Type: String");
        return;
    }
    match template.known(entry) {
        Known::Exactly(value) => exactly(entry, value, "the operator fills it in", findings),
        _ if entry.key.ends_with(CLOSED) => {
            samples(entry, values, true, "the operator fills it in", findings);
        }
        _ => samples(entry, values, false, "this assumes that the operator fills such a value in", findings),
    }
}

/// A repository that the template knows nothing of.
fn repositories(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    let wanted = REPOSITORIES.iter().filter(|(_, repository)| *repository != "endpoint");
    for (prefix, repository) in wanted {
        let declares = |part: &str| template.parameter(&format!("{prefix}{part}")).is_some();
        if REPOSITORY_PARTS.iter().any(|(part, ..)| declares(part)) {
            continue;
        }
        let message = format!(
            "no parameter {prefix}CodeRepository… is declared: the {repository} repository of spec.repositories will not be part of the SageMaker project"
        );
        let parts = REPOSITORY_PARTS.iter().take(4).map(|(part, ..)| format!("{prefix}{part}"));
        let hint = format!("declare those that you need of {}", parts.collect::<Vec<_>>().join(", "));
        findings.warning(Code::OperatorParameter, (parameters_place(template), "Parameters"), message, hint);
    }
}

fn to_give(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    let known: HashSet<String> =
        contract::filled().map(|(name, _)| name).chain([PROJECT_NAME.to_owned(), PROJECT_ID.to_owned()]).collect();
    for entry in template.section("Parameters") {
        let name = entry.key.as_str();
        if let Some(meant) = known.iter().find(|known| *known != name && known.eq_ignore_ascii_case(name)) {
            let message = format!("the parameter {name} is not filled in: names are told apart by case");
            findings.warning(Code::OperatorParameter, (entry.at, &path(entry)), message, format!("call it {meant}"));
        }
        if entry.value.get("Default").is_some() {
            continue;
        }
        if !known.contains(name) && !template.project.parameters.contains_key(name) {
            let message = format!(
                "{name} has no default, and nobody fills it in: without a value a project stays at ParameterMissing"
            );
            let hint = format!("give it a default, or let every project give it in spec.parameters (name: {name})");
            findings.warning(Code::ParameterToGive, (entry.at, &path(entry)), message, hint);
        }
    }
}

/// What looks like a secret and can be read by everybody who may describe the stack.
fn secret(entry: &Entry, findings: &mut Findings) {
    let name = entry.key.to_ascii_lowercase();
    let is_filled = OTHERS.iter().any(|(filled, _)| *filled == entry.key);
    let tells = SECRET_WORDS.iter().any(|word| name.contains(word));
    let harmless = HARMLESS_ENDS.iter().any(|end| name.ends_with(end)) || entry.value.get("AllowedValues").is_some();
    if !tells || harmless || is_filled {
        return;
    }
    if !no_echo(&entry.value) {
        let message =
            format!("{} looks like a secret, and everybody who may describe the stack can read it", entry.key);
        let hint = "add NoEcho: true, and let projects give it with valueFrom.secretKeyRef";
        findings.warning(Code::ReadableSecret, (entry.at, &path(entry)), message, hint);
    }
    let default = entry.value.get("Default").and_then(Node::text).unwrap_or_default();
    if !default.is_empty() {
        let message =
            format!("{} looks like a secret, and its default stands in the template for everybody", entry.key);
        findings.warning(Code::ReadableSecret, (entry.at, &path(entry)), message, "remove the default");
    }
}
