//! What a name can look like, computed from the functions that build it: how long it is at least and at most, which
//! characters it is sure to have, whether it differs between projects. It stands alone as the one evaluator of the
//! template's texts and conditions. It does not know what a name is for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use super::contract::{LONGEST_PROJECT_NAME, PROJECT_ID, PROJECT_ID_LENGTH, PROJECT_NAME};
use super::document::{Entry, Node, Value};
use super::judged_for::Known;
use super::pattern::Rules;
use super::references::{Piece, pieces};
use super::template::ParsedTemplate;

/// Characters of a text beyond which only its length is followed: no type takes such a name.
const MOST_KEPT: usize = 4096;
/// Parts of one name that are told apart.
const MOST_PARTS: usize = 16;
/// Conditions that name one another, this deep: beyond it they are not known.
const DEEPEST: usize = 40;
/// Functions within functions that are worked out, whichever way they lead: beyond it they are not known. A template must not
/// use up the stack of who judges it.
const MOST_OPEN: usize = 150;
/// CloudFormation takes no more parameters.
const MOST_PARAMETERS: usize = 200;

/// Something that is filled into a text.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The parameter, or AWS's name for it.
    pub(super) name: String,
    /// Characters at least and at most.
    pub(super) shortest: usize,
    pub(super) longest: usize,
    /// How often it is filled in.
    pub(super) times: usize,
    /// What is assumed, where `longest` is not certain: half a sentence.
    pub(super) assumption: Option<String>,
}

/// A text, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// Characters at least.
    pub(super) shortest: usize,
    /// Characters at most, as far as they are known.
    pub(super) longest: usize,
    /// Whether `longest` is all: a part of unknown length counts as nothing.
    pub(super) certain: bool,
    /// Whether the project's name stands in it, is not known, and may have capitals.
    pub(super) capitals: bool,
    /// Whether it differs between two projects of one account and region.
    pub(super) varies: bool,
    /// Characters that it is sure to have.
    pub(super) literal: String,
    /// Characters that it has where parameters have their defaults.
    pub(super) assumed: String,
    /// The text with `${…}` where something is filled in.
    pub(super) symbol: String,
    /// The same, with what is known in its place.
    pub(super) shown: String,
    pub(super) parts: Vec<Part>,
    /// Whether a condition that is not known chooses a part of it; the longest counts.
    pub(super) undecided: bool,
    /// Whether `shown` is the whole text as it will be.
    exact: bool,
}

impl Shape {
    fn literal(text: &str) -> Self {
        let kept: String = text.chars().take(MOST_KEPT).collect();
        let length = text.chars().count();
        Self {
            shortest: length,
            longest: length,
            certain: true,
            exact: length <= MOST_KEPT,
            literal: kept.clone(),
            symbol: kept.clone(),
            shown: kept,
            ..Self::default()
        }
    }

    /// Something that is known only in AWS: it may be what tells projects apart.
    fn unknown(symbol: &str) -> Self {
        Self { varies: true, symbol: symbol.to_owned(), shown: symbol.to_owned(), ..Self::default() }
    }

    /// Something that is filled in, of so many characters.
    fn filled(name: &str, shortest: usize, longest: usize, assumption: Option<String>) -> Self {
        let symbol = format!("${{{name}}}");
        let part = Part { name: name.to_owned(), shortest, longest, times: 1, assumption };
        Self { shortest, longest, certain: true, shown: symbol.clone(), symbol, parts: vec![part], ..Self::default() }
    }

    /// Something that is filled in, and known.
    fn known(name: &str, value: &str) -> Self {
        let value = Self::literal(value);
        let filled = Self::filled(name, value.longest, value.longest, None);
        Self { literal: value.literal, shown: value.shown, exact: value.exact, ..filled }
    }

    /// The whole text, if it is known.
    pub(super) fn text(&self) -> Option<&str> {
        self.exact.then_some(self.shown.as_str())
    }

    pub(super) fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }

    fn push(&mut self, other: &Self) {
        self.shortest = self.shortest.saturating_add(other.shortest);
        self.longest = self.longest.saturating_add(other.longest);
        self.certain &= other.certain;
        self.exact &= other.exact;
        self.undecided |= other.undecided;
        self.capitals |= other.capitals;
        self.varies |= other.varies;
        if self.symbol.len() < MOST_KEPT && self.shown.len() < MOST_KEPT {
            self.literal.push_str(&other.literal);
            self.assumed.push_str(&other.assumed);
            self.symbol.push_str(&other.symbol);
            self.shown.push_str(&other.shown);
        } else {
            self.exact = false;
        }
        for part in &other.parts {
            let full = self.parts.len() == MOST_PARTS;
            match self.parts.iter_mut().find(|own| own.name == part.name) {
                Some(own) => own.times = own.times.saturating_add(part.times),
                None if full => {}
                None => self.parts.push(part.clone()),
            }
        }
    }
}

/// One of the values that a node can have.
pub(super) struct Alternative<'a> {
    pub(super) node: &'a Node,
    /// The condition that chooses it, where that is not known.
    pub(super) condition: Option<&'a str>,
}

/// Evaluates texts and conditions of one template.
pub(super) struct Shapes<'a> {
    template: &'a ParsedTemplate<'a>,
    parameters: HashMap<&'a str, Shape>,
    conditions: RefCell<HashMap<&'a str, Option<bool>>>,
    depth: Cell<usize>,
    /// How many functions are being worked out within one another.
    open: Cell<usize>,
}

impl<'a> Shapes<'a> {
    pub(super) fn of(template: &'a ParsedTemplate<'a>) -> Self {
        let declared = template.section("Parameters").iter().take(MOST_PARAMETERS);
        let parameters = declared.map(|entry| (entry.key.as_str(), parameter(template, entry))).collect();
        Self { template, parameters, conditions: RefCell::default(), depth: Cell::default(), open: Cell::default() }
    }

    /// Whether a condition holds; `None` where that is not known.
    pub(super) fn holds(&self, name: &'a str) -> Option<bool> {
        let known = self.conditions.borrow().get(name).copied();
        if let Some(known) = known {
            return known;
        }
        // Until it is known it is not: it may name itself.
        self.conditions.borrow_mut().insert(name, None);
        let depth = self.depth.get();
        if depth == DEEPEST {
            return None;
        }
        self.depth.set(depth + 1);
        let held = self.template.condition(name).and_then(|node| self.evaluated(node));
        self.depth.set(depth);
        self.conditions.borrow_mut().insert(name, held);
        held
    }

    /// Does this unless too much is open already; `None`: too much is.
    fn within<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let open = self.open.get();
        if open >= MOST_OPEN {
            return None;
        }
        self.open.set(open + 1);
        let done = work();
        self.open.set(open);
        Some(done)
    }

    fn evaluated(&self, node: &'a Node) -> Option<bool> {
        self.within(|| self.worked_out(node)).flatten()
    }

    fn worked_out(&self, node: &'a Node) -> Option<bool> {
        let (function, argument) = node.function()?;
        let each = || argument.items().iter().map(|item| self.evaluated(item)).collect::<Vec<_>>();
        // One that decides is enough, whatever the others are.
        let joined = |decides: bool| {
            let all = each();
            if all.contains(&Some(decides)) {
                return Some(decides);
            }
            (!all.is_empty() && !all.contains(&None)).then_some(!decides)
        };
        match (function, argument.items()) {
            ("Condition", _) => self.holds(argument.text()?),
            ("Fn::Equals", [one, other]) => {
                Some(self.shape(one).text().map(str::to_owned)? == self.shape(other).text()?)
            }
            ("Fn::Not", [one]) => self.evaluated(one).map(|held| !held),
            ("Fn::And", _) => joined(false),
            ("Fn::Or", _) => joined(true),
            _ => None,
        }
    }

    /// The values that a node can have, where conditions choose between them: without those that mean none.
    pub(super) fn alternatives(&self, node: &'a Node) -> Vec<Alternative<'a>> {
        match node.function() {
            Some(("Fn::If", argument)) if argument.items().len() == 3 => {
                let condition = argument.items()[0].text().unwrap_or_default();
                let (chosen, open) = match self.within(|| self.holds(condition)).flatten() {
                    Some(true) => (&argument.items()[1..2], None),
                    Some(false) => (&argument.items()[2..], None),
                    None => (&argument.items()[1..], Some(condition)),
                };
                let each = || chosen.iter().flat_map(|node| self.alternatives(node)).collect::<Vec<_>>();
                let each = self.within(each).unwrap_or_default().into_iter();
                each.map(|found| Alternative { condition: open.or(found.condition), ..found }).collect()
            }
            Some(("Ref", argument)) if argument.text() == Some("AWS::NoValue") => Vec::new(),
            _ => vec![Alternative { node, condition: None }],
        }
    }

    /// The text that a node gives.
    pub(super) fn shape(&self, node: &'a Node) -> Shape {
        if let Value::Text(text) = &node.value {
            return Shape::literal(text);
        }
        let given = || match node.function() {
            Some(("Ref", argument)) => self.name(argument.text().unwrap_or_default()),
            Some(("Fn::Sub", argument)) => self.substituted(argument),
            Some(("Fn::Join", argument)) => self.joined(argument),
            Some(("Fn::If", _)) => self.chosen(node),
            _ => Shape::unknown("…"),
        };
        self.within(given).unwrap_or_else(|| Shape::unknown("…"))
    }

    /// The longest of those that conditions choose between; what is certain of one of several is not certain.
    fn chosen(&self, node: &'a Node) -> Shape {
        let (mut count, mut shortest, mut longest) = (0, usize::MAX, None::<Shape>);
        // One at a time: there may be many, and each may be long.
        for found in self.alternatives(node) {
            let shape = self.shape(found.node);
            (count, shortest) = (count + 1, shortest.min(shape.shortest));
            if longest.as_ref().is_none_or(|before| shape.longest >= before.longest) {
                longest = Some(shape);
            }
        }
        let Some(longest) = longest else { return Shape::unknown("…") };
        if count == 1 {
            return longest;
        }
        let (literal, assumed) = (String::new(), format!("{}{}", longest.literal, longest.assumed));
        Shape { shortest, undecided: true, exact: false, literal, assumed, ..longest }
    }

    fn name(&self, name: &str) -> Shape {
        if let Some(shape) = self.parameters.get(name) {
            return shape.clone();
        }
        let project = self.template.project;
        // The shortest and longest that AWS has: us-east-1 and ap-northeast-1, aws and aws-us-gov, c2s.ic.gov and
        // amazonaws.com.cn.
        match (name, &project.region, &project.account) {
            ("AWS::Region", Some(region), _) => Shape::known(name, region),
            ("AWS::Region", None, _) => Shape::filled(name, 9, 14, Some("a region of 14 characters".to_owned())),
            ("AWS::AccountId", _, Some(account)) => Shape::known(name, account),
            ("AWS::AccountId", _, None) => Shape::filled(name, 12, 12, None),
            ("AWS::Partition", ..) => Shape::filled(name, 3, 10, Some("a partition of 10 characters".to_owned())),
            ("AWS::URLSuffix", ..) => Shape::filled(name, 10, 16, Some("a URL suffix of 16 characters".to_owned())),
            _ => Shape::unknown(&format!("${{{name}}}")),
        }
    }

    fn substituted(&self, argument: &'a Node) -> Shape {
        let (text, variables) = match argument.items() {
            [text, variables] => (text.text(), variables.entries()),
            _ => (argument.text(), [].as_slice()),
        };
        let Some(text) = text else { return Shape::unknown("…") };
        // Each once, however often the text names it: variables may hold such texts themselves.
        let own: HashMap<&str, Shape> =
            variables.iter().map(|entry| (entry.key.as_str(), self.shape(&entry.value))).collect();
        let mut whole = Shape::literal("");
        for piece in pieces(text) {
            whole.push(&match piece {
                Piece::Literal(text) => Shape::literal(text),
                Piece::Name(name) => own.get(name).cloned().unwrap_or_else(|| self.name(name)),
            });
        }
        whole
    }

    fn joined(&self, argument: &'a Node) -> Shape {
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

/// What a parameter's value can be.
fn parameter<'a>(template: &ParsedTemplate<'a>, entry: &'a Entry) -> Shape {
    let (name, definition) = (entry.key.as_str(), &entry.value);
    let known = template.known(entry);
    match (name, known) {
        (PROJECT_ID, _) => {
            let id = Shape::filled(name, PROJECT_ID_LENGTH, PROJECT_ID_LENGTH, None);
            Shape { varies: true, ..id }
        }
        (PROJECT_NAME, Known::Exactly(value)) => Shape { varies: true, ..Shape::known(name, value) },
        (PROJECT_NAME, _) => project_name(definition),
        (_, Known::Exactly(value)) => Shape::known(name, value),
        (_, Known::Hidden) => Shape::unknown(&format!("${{{name}}}")),
        (_, Known::No) => open_parameter(name, definition),
    }
}

/// Any name that the template and SageMaker take.
fn project_name(definition: &Node) -> Shape {
    let rules = Rules::of(definition);
    let listed = rules.allowed.iter().map(|value| value.chars().count());
    let (least, most) = (listed.clone().min(), listed.max());
    let longest = most.or(rules.longest).unwrap_or(LONGEST_PROJECT_NAME).min(LONGEST_PROJECT_NAME);
    let shortest = least.or(rules.shortest).unwrap_or(1).clamp(1, longest.max(1));
    let assumption = format!("a project name of {longest} characters");
    let shape = Shape::filled(PROJECT_NAME, shortest, longest, Some(assumption));
    Shape { capitals: rules.takes_capitals(), varies: true, ..shape }
}

/// A parameter that a project may give a value. How long such a value can be says nothing of how long it will be, so that
/// it has its default, or the longest value that is listed.
fn open_parameter(name: &str, definition: &Node) -> Shape {
    let rules = Rules::without_pattern(definition);
    let listed = rules.allowed.iter().map(|value| value.chars().count());
    let default = definition.get("Default").and_then(Node::text);
    let least = listed.clone().min().or(rules.shortest).unwrap_or_default();
    let (longest, assumption) = match (listed.max(), default) {
        (Some(longest), _) => (Some(longest), format!("the longest value that {name} takes")),
        (None, Some(default)) => (Some(default.chars().count()), format!("the default of {name}")),
        (None, None) => (None, String::new()),
    };
    let shortest = least.min(longest.unwrap_or(least));
    let assumed = longest.filter(|longest| *longest > shortest).map(|_| assumption);
    let shape = Shape::filled(name, shortest, longest.unwrap_or(shortest), assumed);
    let characters = if rules.allowed.is_empty() { default.unwrap_or_default() } else { "" };
    let assumed = characters.chars().take(MOST_KEPT).collect();
    Shape { certain: longest.is_some(), assumed, ..shape }
}
