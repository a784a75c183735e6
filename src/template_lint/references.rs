//! Names that point somewhere: whether parameter, resource, condition or mapping of that name exists. It stands alone
//! since CloudFormation refuses the whole template for one of them. It does not know the attributes of resource types:
//! cfn-lint does.

use std::collections::HashSet;

use super::document::{Entry, Node, Value};
use super::template::{ParsedTemplate, Path, Step, has_transform, joined, walk_judged};
use super::{Code, Findings, quoted};

/// What CloudFormation knows by itself (user guide, pseudo parameters).
pub(super) const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// A piece of the text of `Fn::Sub`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    /// `${name}` or `${name.attribute}`.
    Name(&'a str),
}

/// Takes the text of `Fn::Sub` apart; `${!name}` is the literal `${name}`.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start + 2..].find('}') else { break };
        let name = &rest[start + 2..start + 2 + length];
        found.push(Piece::Literal(&rest[..start]));
        match name.strip_prefix('!') {
            Some(literal) => found.push(Piece::Literal(literal)),
            None => found.push(Piece::Name(name)),
        }
        rest = &rest[start + 2 + length + 1..];
    }
    found.push(Piece::Literal(rest));
    found.retain(|piece| *piece != Piece::Literal(""));
    found
}

/// The names of a section.
struct Declared<'a> {
    names: HashSet<&'a str>,
    /// Whether a transform may add others.
    is_open: bool,
}

impl Declared<'_> {
    fn contains(&self, name: &str) -> bool {
        self.is_open || self.names.contains(name)
    }
}

struct Names<'a> {
    parameters: Declared<'a>,
    resources: Declared<'a>,
    conditions: Declared<'a>,
    mappings: Declared<'a>,
}

impl<'a> Names<'a> {
    fn of(template: &ParsedTemplate<'a>) -> Self {
        let names = |section| Declared {
            names: template.section(section).iter().map(|entry| entry.key.as_str()).collect(),
            is_open: template.is_open(section),
        };
        Self {
            parameters: names("Parameters"),
            resources: names("Resources"),
            conditions: names("Conditions"),
            mappings: names("Mappings"),
        }
    }

    /// Whether `Ref` finds it; in conditions there are no resources yet.
    fn refers(&self, name: &str, in_conditions: bool) -> bool {
        PSEUDO.contains(&name) || self.parameters.contains(name) || (!in_conditions && self.resources.contains(name))
    }
}

pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    // A transform of the whole may add what a name points to; one of a part is looked at where it stands.
    if template.transformed() {
        return;
    }
    let names = Names::of(template);
    for section in ["Conditions", "Resources", "Outputs"] {
        let Some(node) = template.root.get(section) else { continue };
        let mut path = vec![Step::Key(section)];
        walk_judged(node, &mut path, &mut |node, path| function(node, path, &names, findings));
    }
    for section in ["Resources", "Outputs"] {
        for entry in template.section(section) {
            attributes(entry, section, &names, findings);
        }
    }
}

/// `Condition` and `DependsOn` beside a resource's or output's content.
fn attributes(entry: &Entry, section: &str, names: &Names<'_>, findings: &mut Findings) {
    if has_transform(&entry.value) {
        return;
    }
    let path = |key: &str| format!("{section}/{}/{key}", entry.key);
    if let Some((node, name)) = entry.value.get("Condition").and_then(|node| Some((node, node.text()?))) {
        condition(node, &path("Condition"), name, names, findings);
    }
    let Some(depends) = entry.value.get("DependsOn").filter(|_| section == "Resources") else { return };
    let nodes: Vec<&Node> = match &depends.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![depends],
    };
    for node in nodes {
        let name = node.text().unwrap_or_default();
        if !names.resources.contains(name) {
            let message = format!("DependsOn names {}, which is no resource of the template", quoted(name));
            unresolved(node, &path("DependsOn"), message, findings);
        }
    }
}

fn unresolved(node: &Node, path: &str, message: String, findings: &mut Findings) {
    findings.error(Code::Unresolved, (node.at, path), message, "correct the name, or declare it");
}

fn condition(node: &Node, path: &str, name: &str, names: &Names<'_>, findings: &mut Findings) {
    if !names.conditions.contains(name) {
        unresolved(node, path, format!("the condition {} is not declared in Conditions", quoted(name)), findings);
    }
}

fn function(node: &Node, path: &Path<'_>, names: &Names<'_>, findings: &mut Findings) {
    let Some((function, argument)) = node.function() else { return };
    let in_conditions = matches!(path.first(), Some(Step::Key("Conditions")));
    let here = || joined(path);
    match function {
        "Ref" => {
            let name = argument.text().unwrap_or_default();
            if !names.refers(name, in_conditions) {
                let what = if in_conditions { "parameter" } else { "parameter or resource" };
                unresolved(
                    node,
                    &here(),
                    format!("Ref names {}, which is no {what} of the template", quoted(name)),
                    findings,
                );
            }
        }
        "Condition" if in_conditions => {
            condition(node, &here(), argument.text().unwrap_or_default(), names, findings);
        }
        "Fn::If" => {
            let name = argument.items().first().and_then(Node::text).unwrap_or_default();
            condition(node, &here(), name, names, findings);
        }
        "Fn::GetAtt" => {
            let name = match argument.text() {
                Some(text) => text.split('.').next().unwrap_or_default(),
                None => argument.items().first().and_then(Node::text).unwrap_or_default(),
            };
            if in_conditions || !names.resources.contains(name) {
                let message = format!("GetAtt names {}, which is no resource of the template", quoted(name));
                unresolved(node, &here(), message, findings);
            }
        }
        "Fn::FindInMap" => {
            let name = argument.items().first().and_then(Node::text);
            if let Some(name) = name.filter(|name| !names.mappings.contains(name)) {
                unresolved(
                    node,
                    &here(),
                    format!("FindInMap names {}, which is not in Mappings", quoted(name)),
                    findings,
                );
            }
        }
        "Fn::Sub" => substitute(node, argument, &here(), names, findings),
        _ => {}
    }
}

fn substitute(node: &Node, argument: &Node, path: &str, names: &Names<'_>, findings: &mut Findings) {
    let (text, variables) = match argument.items() {
        [text, variables] => (text.text(), variables.entries()),
        _ => (argument.text(), [].as_slice()),
    };
    let own: HashSet<&str> = variables.iter().map(|variable| variable.key.as_str()).collect();
    for piece in pieces(text.unwrap_or_default()) {
        let Piece::Name(name) = piece else { continue };
        let resource = name.split_once('.').is_some_and(|(resource, _)| names.resources.contains(resource));
        if own.contains(name) || resource || names.refers(name, false) {
            continue;
        }
        let message = format!(
            "Sub names {}, which is no parameter, resource or attribute of the template",
            quoted(&format!("${{{name}}}"))
        );
        let hint = "correct the name, declare it, or write ${!…} for one that is not CloudFormation's";
        findings.error(Code::Unresolved, (node.at, path), message, hint);
    }
}
