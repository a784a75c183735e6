//! A template's sections, and a walk through all of its values that knows where it is. It stands alone since every rule
//! starts from it. It must not judge.

use std::collections::HashMap;

use super::document::{Entry, Node, Value};

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
    parameters: HashMap<&'a str, &'a Entry>,
}

impl<'a> ParsedTemplate<'a> {
    pub(super) fn of(root: &'a Node) -> Self {
        let declared = root.get("Parameters").map(Node::entries).unwrap_or_default();
        Self { root, parameters: declared.iter().map(|entry| (entry.key.as_str(), entry)).collect() }
    }

    /// The entries of a section; none where it is absent.
    pub(super) fn section(&self, name: &str) -> &'a [Entry] {
        self.root.get(name).map(Node::entries).unwrap_or_default()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&'a Entry> {
        self.parameters.get(name).copied()
    }

    /// Logical id, type, definition of each resource that has a type.
    pub(super) fn resources(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a Entry)> + use<'a> {
        self.section("Resources").iter().filter_map(|entry| {
            let kind = entry.value.get("Type")?.text()?;
            Some((entry.key.as_str(), kind, entry))
        })
    }

    /// Whether a transform adds to what stands here, so that names may come from nowhere.
    pub(super) fn transformed(&self) -> bool {
        self.root.get("Transform").is_some()
    }
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
    match &node.value {
        Value::Text(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Index(index));
                walk(item, path, see);
                path.pop();
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                path.push(Step::Key(&entry.key));
                walk(&entry.value, path, see);
                path.pop();
            }
        }
    }
}
