//! Names of resources: whether they fit their type for every project that may come, however long its name. It stands alone
//! as the reason why this linter exists: these errors show themselves only with the first long name, in AWS.

use super::document::{Entry, Position};
use super::resource_types::{Alphabet, NameRule, name_rules};
use super::shape::{Shape, Shapes};
use super::template::ParsedTemplate;
use super::{Code, Findings, contract, quoted};

/// Characters of an export's name (CloudFormation API, ExportName has no maximum in the model; the user guide's quota).
const LONGEST_EXPORT: usize = 255;

pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    let shapes = Shapes::of(template);
    let (mut bucket, mut group) = (false, false);
    for (id, kind, entry) in template.resources() {
        for rule in name_rules(kind) {
            let Some(node) = entry.value.get("Properties").and_then(|properties| properties.get(rule.property)) else {
                continue;
            };
            let path = format!("Resources/{id}/Properties/{}", rule.property);
            for node in Shapes::alternatives(node) {
                let shape = shapes.shape(node);
                bucket |= kind == "AWS::S3::Bucket" && shape.varies && shape.symbol == contract::BUCKET_NAME;
                group |= kind == "AWS::SageMaker::ModelPackageGroup" && shape.symbol == contract::GROUP_NAME;
                name(kind, &rule, &shape, (node.at, &path), findings);
            }
        }
    }
    for entry in template.section("Outputs") {
        export(entry, &shapes, findings);
    }
    let at = template.root.entries().iter().find(|entry| entry.key == "Resources").map_or(template.root.at, |e| e.at);
    if !bucket {
        missing(
            at,
            "AWS::S3::Bucket",
            contract::BUCKET_NAME,
            "jobs write to it and dataPolicy: Delete empties it",
            findings,
        );
    }
    if !group {
        let why = "jobs register models in it, its events start the deploy job, and dataPolicy: Delete empties it";
        missing(at, "AWS::SageMaker::ModelPackageGroup", contract::GROUP_NAME, why, findings);
    }
}

fn missing(at: Position, kind: &str, name: &str, why: &str, findings: &mut Findings) {
    let message = format!("no {kind} is named {name}, the name by which the operator finds it: {why}");
    let hint = format!("name the {kind} of the template !Sub {name}, or see to it that something else makes it");
    findings.warning(Code::Contract, (at, "Resources"), message, hint);
}

fn export(entry: &Entry, shapes: &Shapes<'_>, findings: &mut Findings) {
    let Some(node) = entry.value.get("Export").and_then(|export| export.get("Name")) else { return };
    let rule = NameRule {
        property: "Name",
        longest: LONGEST_EXPORT,
        alphabet: Alphabet::Any,
        source: "CloudFormation's quotas",
    };
    let path = format!("Outputs/{}/Export/Name", entry.key);
    for node in Shapes::alternatives(node) {
        name("export", &rule, &shapes.shape(node), (node.at, &path), findings);
    }
}

/// How a name can be too long, shown with the lengths that make it so.
fn length(shape: &Shape) -> String {
    let part = |name: &str, most: usize| {
        let there = shape.symbol.contains(&format!("${{{name}}}"));
        there.then(|| format!("{name} up to {most}"))
    };
    let parts: Vec<_> = [
        part(contract::PROJECT_NAME, contract::LONGEST_PROJECT_NAME),
        part(contract::PROJECT_ID, contract::LONGEST_PROJECT_ID),
    ]
    .into_iter()
    .flatten()
    .collect();
    let least = if shape.certain { "" } else { "at least " };
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("can have {least}{} characters{parts}", shape.longest)
}

fn name(kind: &str, rule: &NameRule, shape: &Shape, at: (Position, &str), findings: &mut Findings) {
    let NameRule { property, longest, alphabet, source } = rule;
    let shown = quoted(&shape.symbol);
    if shape.longest > *longest {
        let message = format!("the name {shown} {}; {property} of {kind} takes {longest} ({source})", length(shape));
        let hint = "build it from SageMakerProjectId alone, shorten the rest, or set MaxLength on the parameters";
        findings.error(Code::NameTooLong, at, message, hint);
    }
    if let Some(sign) = shape.literal.chars().find(|sign| !alphabet.allows(*sign)) {
        let message =
            format!("the name {shown} has {sign:?}; {property} of {kind} takes {} ({source})", alphabet.describe());
        findings.error(Code::NameCharacters, at, message, "replace the character");
    } else if shape.capitals && !alphabet.allows('A') {
        let message = format!(
            "the name {shown} can have capitals, since project names may; {property} of {kind} takes {} ({source})",
            alphabet.describe()
        );
        findings.error(Code::NameCharacters, at, message, "build it from SageMakerProjectId, which has none");
    }
    if !shape.varies {
        let message = format!("the name {shown} is the same in every project, so that a second project fails");
        findings.warning(Code::SharedName, at, message, "add ${SageMakerProjectId} to it, or let AWS choose the name");
    }
}
