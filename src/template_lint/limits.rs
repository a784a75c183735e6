//! The form of the whole: which sections there are, how much stands in them, and how entries are named. It stands alone
//! since the other rules rely on it: what has not this form they do not look at. It must not look into values.

use super::document::{Entry, Node, Value};
use super::template::{ParsedTemplate, SECTIONS, has_transform};
use super::{Code, Findings, quoted};

/// Sections that are mappings of entries, what such an entry is called, and how many there may be (CloudFormation quotas).
const COUNTED: [(&str, &str, usize); 6] = [
    ("Parameters", "parameters", 200),
    ("Mappings", "mappings", 200),
    ("Conditions", "conditions", usize::MAX),
    ("Rules", "rules", usize::MAX),
    ("Resources", "resources", 500),
    ("Outputs", "outputs", 200),
];
/// Characters of an entry's name (CloudFormation quotas).
const LONGEST_NAME: usize = 255;
/// Bytes of a description (CloudFormation quotas).
const LONGEST_DESCRIPTION: usize = 1024;

/// Whether it is a template at all, so that the other rules have something to look at.
pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) -> bool {
    let root = template.root;
    let Value::Map(sections) = &root.value else {
        let message = "a CloudFormation template is a mapping with a section Resources; this is not".to_owned();
        findings.error(Code::NotATemplate, (root.at, ""), message, "begin with AWSTemplateFormatVersion and Resources");
        return false;
    };
    for entry in sections {
        section(entry, findings);
    }
    description(root, findings);
    if template.section("Resources").is_empty() && !template.transformed() {
        let message =
            "the section Resources is missing or empty; CloudFormation wants at least one resource".to_owned();
        findings.error(Code::NotATemplate, (root.at, ""), message, "add Resources with what a project consists of");
        return false;
    }
    for entry in template.section("Resources") {
        wants(entry, "Resources", "Type", findings);
    }
    for entry in template.section("Parameters") {
        wants(entry, "Parameters", "Type", findings);
    }
    for entry in template.section("Outputs") {
        wants(entry, "Outputs", "Value", findings);
    }
    true
}

fn section(entry: &Entry, findings: &mut Findings) {
    let name = entry.key.as_str();
    if name == "Fn::Transform" {
        return;
    }
    if !SECTIONS.contains(&name) {
        let message = format!("a template has no section {}", quoted(name));
        findings.error(Code::NotATemplate, (entry.at, name), message, format!("use one of {}", SECTIONS.join(", ")));
        return;
    }
    if name == "AWSTemplateFormatVersion" && entry.value.text() != Some("2010-09-09") {
        let message = "AWSTemplateFormatVersion can only be 2010-09-09".to_owned();
        findings.error(Code::NotATemplate, (entry.value.at, name), message, "write \"2010-09-09\"");
    }
    let Some((_, entries_noun, most)) = COUNTED.into_iter().find(|(section, ..)| *section == name) else { return };
    let Value::Map(entries) = &entry.value.value else {
        let message = format!("the section {name} must be a mapping of names to {entries_noun}");
        findings.error(Code::NotATemplate, (entry.value.at, name), message, "write a name, a colon, and what it is");
        return;
    };
    if entries.len() > most {
        let message = format!("the template has {} {entries_noun}; CloudFormation takes {most}", entries.len());
        findings.error(Code::LimitExceeded, (entry.at, name), message, "take parts out into a product of their own");
    }
    for entry in entries {
        self::name(entry, name, findings);
    }
}

/// Names are letters and digits (mappings' keys and condition names likewise); `Fn::ForEach` is expanded later.
fn name(entry: &Entry, section: &str, findings: &mut Findings) {
    let name = entry.key.as_str();
    let fits = !name.is_empty() && name.chars().all(|sign| sign.is_ascii_alphanumeric());
    if name.starts_with("Fn::") || (fits && name.len() <= LONGEST_NAME) {
        return;
    }
    let message = format!("{} cannot name anything in {section}", quoted(name));
    let hint = format!("use letters and digits only, at most {LONGEST_NAME}");
    findings.error(Code::NotATemplate, (entry.at, &format!("{section}/{name}")), message, hint);
}

fn description(root: &Node, findings: &mut Findings) {
    let Some(node) = root.get("Description") else { return };
    match node.text() {
        None => {
            let message = "Description must be a text".to_owned();
            findings.error(Code::NotATemplate, (node.at, "Description"), message, "write a literal text");
        }
        Some(text) if text.len() > LONGEST_DESCRIPTION => {
            let message = format!("Description has {} bytes; CloudFormation takes {LONGEST_DESCRIPTION}", text.len());
            findings.error(Code::LimitExceeded, (node.at, "Description"), message, "say it shorter, or in a comment");
        }
        Some(_) => {}
    }
}

fn wants(entry: &Entry, section: &str, key: &str, findings: &mut Findings) {
    if entry.key.starts_with("Fn::") || has_transform(&entry.value) {
        return;
    }
    let found = entry.value.get(key);
    let fits = if key == "Type" { found.and_then(Node::text).is_some() } else { found.is_some() };
    if !fits {
        let message = format!("{} in {section} has no {key}", quoted(&entry.key));
        findings.error(
            Code::NotATemplate,
            (entry.at, &format!("{section}/{}", entry.key)),
            message,
            format!("give it a {key}"),
        );
    }
}
