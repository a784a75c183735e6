//! What a name can look like at its worst, computed from the functions that build it: how long it gets, whether it can
//! have capitals, whether it differs between projects. It stands alone as the one evaluator of the template's texts. It
//! does not know what a name is for.

use std::collections::HashMap;

use super::contract::{LONGEST_PROJECT_ID, LONGEST_PROJECT_NAME, PROJECT_ID, PROJECT_NAME};
use super::document::{Node, Value};
use super::pattern::Rules;
use super::references::{Piece, pieces};
use super::template::ParsedTemplate;

/// Bytes of a text beyond which only its length is followed: no type takes such a name.
const MOST_KEPT: usize = 4096;

/// A text at its worst.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Characters at most, as far as they are known.
    pub(super) longest: usize,
    /// Whether `longest` is all: a part of unknown length counts as nothing.
    pub(super) certain: bool,
    /// Whether a part that is filled in can have capitals.
    pub(super) capitals: bool,
    /// Whether it differs between two projects of one account and region.
    pub(super) varies: bool,
    /// The characters that stand in the template itself.
    pub(super) literal: String,
    /// The text with `${…}` where something is filled in.
    pub(super) symbol: String,
}

impl Shape {
    fn literal(text: &str) -> Self {
        let kept: String = text.chars().take(MOST_KEPT).collect();
        Self { longest: text.chars().count(), certain: true, literal: kept.clone(), symbol: kept, ..Self::default() }
    }

    /// Something that is known only in AWS: it may be what tells projects apart.
    fn unknown(symbol: &str) -> Self {
        Self { varies: true, symbol: symbol.to_owned(), ..Self::default() }
    }

    fn filled(name: &str, longest: usize) -> Self {
        Self { longest, certain: true, symbol: format!("${{{name}}}"), ..Self::default() }
    }

    fn push(&mut self, other: &Self) {
        self.longest = self.longest.saturating_add(other.longest);
        self.certain &= other.certain;
        self.capitals |= other.capitals;
        self.varies |= other.varies;
        if self.symbol.len() < MOST_KEPT {
            self.literal.push_str(&other.literal);
            self.symbol.push_str(&other.symbol);
        }
    }
}

/// Evaluates texts of one template.
pub(super) struct Shapes<'a> {
    parameters: HashMap<&'a str, Shape>,
}

impl<'a> Shapes<'a> {
    /// Knows the parameters of the template; only as many as CloudFormation takes.
    pub(super) fn of(template: &ParsedTemplate<'a>) -> Self {
        let declared = template.section("Parameters").iter().take(200);
        Self { parameters: declared.map(|entry| (entry.key.as_str(), parameter(&entry.key, &entry.value))).collect() }
    }

    /// The values that a node can have, where conditions choose between them: without those that mean none.
    pub(super) fn alternatives(node: &Node) -> Vec<&Node> {
        match node.function() {
            Some(("Fn::If", argument)) if argument.items().len() == 3 => {
                argument.items()[1..].iter().flat_map(Self::alternatives).collect()
            }
            Some(("Ref", argument)) if argument.text() == Some("AWS::NoValue") => Vec::new(),
            _ => vec![node],
        }
    }

    /// The text that a node gives, at its worst.
    pub(super) fn shape(&self, node: &Node) -> Shape {
        if let Value::Text(text) = &node.value {
            return Shape::literal(text);
        }
        match node.function() {
            Some(("Ref", argument)) => self.name(argument.text().unwrap_or_default()),
            Some(("Fn::Sub", argument)) => self.substituted(argument),
            Some(("Fn::Join", argument)) => self.joined(argument),
            Some(("Fn::If", _)) => {
                let shapes = Self::alternatives(node).into_iter().map(|node| self.shape(node));
                shapes.max_by_key(|shape| shape.longest).unwrap_or_else(|| Shape::unknown("…"))
            }
            _ => Shape::unknown("…"),
        }
    }

    fn name(&self, name: &str) -> Shape {
        if let Some(shape) = self.parameters.get(name) {
            return shape.clone();
        }
        // The longest that AWS has: ap-northeast-1 and the like, aws-us-gov, amazonaws.com.cn.
        match name {
            "AWS::Region" => Shape::filled(name, 14),
            "AWS::AccountId" => Shape::filled(name, 12),
            "AWS::Partition" => Shape::filled(name, 10),
            "AWS::URLSuffix" => Shape::filled(name, 16),
            _ => Shape::unknown(&format!("${{{name}}}")),
        }
    }

    fn substituted(&self, argument: &Node) -> Shape {
        let (text, variables) = match argument.items() {
            [text, variables] => (text.text(), variables.entries()),
            _ => (argument.text(), [].as_slice()),
        };
        // Each once, however often the text names it: variables may hold such texts themselves.
        let own: HashMap<&str, Shape> =
            variables.iter().map(|entry| (entry.key.as_str(), self.shape(&entry.value))).collect();
        let mut whole = Shape::literal("");
        for piece in pieces(text.unwrap_or_default()) {
            whole.push(&match piece {
                Piece::Literal(text) => Shape::literal(text),
                Piece::Name(name) => own.get(name).cloned().unwrap_or_else(|| self.name(name)),
            });
        }
        whole
    }

    fn joined(&self, argument: &Node) -> Shape {
        let [delimiter, Node { value: Value::List(parts), .. }] = argument.items() else {
            return Shape::unknown("…");
        };
        let delimiter = self.shape(delimiter);
        let mut whole = Shape::literal("");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                whole.push(&delimiter);
            }
            whole.push(&self.shape(part));
        }
        whole
    }
}

/// What a parameter's value can be, by its own rules.
fn parameter(name: &str, definition: &Node) -> Shape {
    let rules = if name == PROJECT_NAME { Rules::of(definition) } else { Rules::without_pattern(definition) };
    let listed = rules.allowed.iter().map(|value| value.chars().count()).max();
    let longest = match (listed, rules.longest, name) {
        (Some(listed), ..) => Some(listed),
        (None, most, PROJECT_NAME) => Some(most.unwrap_or(LONGEST_PROJECT_NAME).min(LONGEST_PROJECT_NAME)),
        (None, most, PROJECT_ID) => Some(most.unwrap_or(LONGEST_PROJECT_ID).min(LONGEST_PROJECT_ID)),
        (None, most, _) => most,
    };
    let mut shape = Shape::filled(name, longest.unwrap_or_default());
    shape.certain = longest.is_some();
    shape.varies = name == PROJECT_NAME || name == PROJECT_ID;
    // Of other parameters nothing is known that would be worth a complaint.
    shape.capitals = name == PROJECT_NAME && rules.refusal("Taxi-Fares").is_none();
    shape
}
