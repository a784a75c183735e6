//! A template's sections, and a walk through all of its values that knows where it is. It stands alone since every rule
//! starts from it. It must not judge.

use std::collections::HashMap;

use super::document::{Entry, Node, Value};
use super::judged_for::{JudgedFor, Known};

/// The sections that a template may have (CloudFormation user guide, template anatomy; `Globals` belongs to the
/// serverless transform).
pub(super) const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

/// A template, by its sections.
pub(super) struct ParsedTemplate<'a> {
    pub(super) root: &'a Node,
    /// The project that it is judged for.
    pub(super) project: &'a JudgedFor,
    parameters: HashMap<&'a str, &'a Entry>,
    conditions: HashMap<&'a str, &'a Node>,
}

impl<'a> ParsedTemplate<'a> {
    pub(super) fn of(root: &'a Node, project: &'a JudgedFor) -> Self {
        let section = |name| root.get(name).map(Node::entries).unwrap_or_default();
        let parameters = section("Parameters").iter().map(|entry| (entry.key.as_str(), entry)).collect();
        let conditions = section("Conditions").iter().map(|entry| (entry.key.as_str(), &entry.value)).collect();
        Self { root, project, parameters, conditions }
    }

    /// The entries of a section; none where it is absent.
    pub(super) fn section(&self, name: &str) -> &'a [Entry] {
        self.root.get(name).map(Node::entries).unwrap_or_default()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'a Entry> {
        self.parameters.get(name).copied()
    }

    /// What is known of a declared parameter's value.
    pub(super) fn known(&self, entry: &'a Entry) -> Known<'a> {
        self.project.value(&entry.key, &entry.value)
    }

    pub(super) fn condition(&self, name: &str) -> Option<&'a Node> {
        self.conditions.get(name).copied()
    }

    /// Logical id, type, definition of each resource that has a type, without those that a transform makes something of.
    pub(super) fn resources(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a Entry)> + use<'a> {
        self.section("Resources").iter().filter_map(|entry| {
            let kind = entry.value.get("Type")?.text().filter(|_| !has_transform(&entry.value))?;
            Some((entry.key.as_str(), kind, entry))
        })
    }

    /// Whether a transform adds to the whole template, so that names may come from nowhere.
    pub(super) fn transformed(&self) -> bool {
        self.root.get("Transform").is_some() || has_transform(self.root)
    }

    /// Whether a transform adds entries to a section.
    pub(super) fn is_open(&self, section: &str) -> bool {
        self.transformed() || self.root.get(section).is_some_and(has_transform)
    }
}

/// Whether a transform makes something of a mapping: its other entries may be anything afterwards (CloudFormation user
/// guide, `Fn::Transform` and `AWS::Include`: the snippet replaces the function, and a macro gets its siblings too).
pub(super) fn has_transform(node: &Node) -> bool {
    node.get("Fn::Transform").is_some()
}

/// A value that says yes: `true` in any form that CloudFormation takes.
pub(super) fn is_true(node: Option<&Node>) -> bool {
    node.and_then(Node::text).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// Whether a parameter is declared with `NoEcho: true`. Only that form counts, bare or in quotes: it is the one that the
/// CloudFormation user guide has (Parameters, `NoEcho`). What else may pass for true is not documented, and a value that
/// is taken for hidden, and is not, can be read by everybody.
pub(super) fn no_echo(parameter: &Node) -> bool {
    parameter.get("NoEcho").and_then(Node::text) == Some("true")
}

/// Steps from the document to a value.
pub(super) type Path<'a> = Vec<Step<'a>>;

#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// A path as findings show it.
pub(super) fn joined(path: &[Step<'_>]) -> String {
    let part = |step: &Step<'_>| match step {
        Step::Key(key) => (*key).to_owned(),
        Step::Index(index) => index.to_string(),
    };
    path.iter().map(part).collect::<Vec<_>>().join("/")
}

/// Shows every value below `node`, itself first, with the path to it.
pub(super) fn walk<'a>(node: &'a Node, path: &mut Path<'a>, see: &mut dyn FnMut(&'a Node, &Path<'a>)) {
    see(node, path);
    each_child(node, path, &mut |child, path| walk(child, path, see));
}

/// The same, but for what a transform makes something of.
pub(super) fn walk_judged<'a>(node: &'a Node, path: &mut Path<'a>, see: &mut dyn FnMut(&'a Node, &Path<'a>)) {
    if has_transform(node) {
        return;
    }
    see(node, path);
    each_child(node, path, &mut |child, path| walk_judged(child, path, see));
}

fn each_child<'a>(node: &'a Node, path: &mut Path<'a>, go: &mut dyn FnMut(&'a Node, &mut Path<'a>)) {
    match &node.value {
        Value::Text(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                go(item, path);
                path.pop();
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                path.push(Step::Key(&entry.key));
                go(&entry.value, path);
                path.pop();
            }
        }
    }
}
