//! Reads a template with its positions: YAML (and JSON, which is YAML too) with CloudFormation's short tags, each put in
//! its long form, so that the rules know one form only. It stands alone as the only place that meets hostile text: size
//! and depth are bounded and aliases refused, so that it ends soon whatever it is given. It must not judge what the
//! document says.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::source::Source;
use super::{Code, Findings, quoted};

/// Bytes of a template in S3 (CloudFormation quotas: 1 MB; cfn-lint E1002 counts it like this).
const MOST_BYTES: usize = 1_000_000;
/// How deep lists and mappings may nest: templates that people write stay below 20.
const DEEPEST: usize = 100;

/// Values in a template: 500 resources of many properties stay below. It bounds memory, which a megabyte of commas would
/// use a hundred times over.
const MOST_VALUES: usize = 100_000;

/// Characters of a key: names of parameters and resources have 255 at most, and what else is a key is shorter. Every path
/// that is told is made of keys.
const LONGEST_KEY: usize = 1024;

/// CloudFormation's functions that have a short tag, with `Fn::` left out, and the two that are written without it.
const FUNCTIONS: [&str; 29] = [
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "ForEach",
    "GetAZs",
    "GetAtt",
    "GetStackOutput",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
    "Implies",
    "Ref",
    "Condition",
];

/// A place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

/// A value. Numbers, booleans and nulls are texts here, as CloudFormation treats them.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Node,
}

impl Node {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a mapping; none for anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(super) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Name and argument of a function, if it is one: `Ref`, `Condition` or `Fn::…` as the only key.
    pub(super) fn function(&self) -> Option<(&str, &Node)> {
        match self.entries() {
            [Entry { key, value, .. }] if key == "Ref" || key == "Condition" || key.starts_with("Fn::") => {
                Some((key, value))
            }
            _ => None,
        }
    }
}

/// Reads a document. `None`: it cannot be read, and one of the findings says why.
pub(super) fn read(text: &str, findings: &mut Findings) -> Option<Node> {
    if text.len() > MOST_BYTES {
        findings.error(
            Code::LimitExceeded,
            (Position { line: 1, column: 1 }, ""),
            format!("the template has {} bytes; CloudFormation takes {MOST_BYTES}", text.len()),
            "move code and definitions into files of their own, and take parts out into a product of their own",
        );
        return None;
    }
    let mut reader = Reader { open: Vec::new(), root: None, documents: 0, values: 0, findings };
    let source = Source::of(text);
    for event in Parser::new_from_str(source.text()) {
        let outcome = match event {
            Ok((Event::Scalar(_, ScalarStyle::DoubleQuoted, ..), span)) if source.escaped_slash(&span).is_some() => {
                let at = source.escaped_slash(&span).unwrap_or_default();
                Err(Refused {
                    code: Code::UnsupportedYaml,
                    at,
                    message: "\\/ stands here in double quotes, which CloudFormation takes in JSON, but not in YAML"
                        .into(),
                    hint: "write / without the backslash",
                })
            }
            Ok((event, span)) => reader.take(event, source.place(span.start)),
            Err(error) => Err(Refused {
                code: Code::NotYaml,
                at: source.place(*error.marker()),
                message: format!("this is neither YAML nor JSON: {}", error.info()),
                hint: "correct the text here or just before; YAML is indented with spaces, never with tabs",
            }),
        };
        if let Err(Refused { code, at, message, hint }) = outcome {
            findings.error(code, (at, ""), message, hint);
            return None;
        }
    }
    let Reader { root, .. } = reader;
    if root.is_none() {
        let at = Position { line: 1, column: 1 };
        findings.error(Code::NotATemplate, (at, ""), "the file is empty".into(), "write a CloudFormation template");
    }
    root
}

struct Refused {
    code: Code,
    at: Position,
    message: String,
    hint: &'static str,
}

/// A list or mapping that is not closed yet.
struct Open {
    at: Position,
    tag: Option<String>,
    into: Into,
}

enum Into {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Position)>, seen: HashSet<String> },
}

struct Reader<'f> {
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    values: usize,
    findings: &'f mut Findings,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), Refused> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Refused {
                        code: Code::NotATemplate,
                        at,
                        message: "a second YAML document begins here; a template is one document".into(),
                        hint: "remove the line --- and what follows it",
                    });
                }
                Ok(())
            }
            Event::Alias(_) => Err(unsupported(at, "an alias (*name)")),
            Event::Scalar(text, style, _, tag) => {
                if text == "<<" && style == ScalarStyle::Plain && self.expects_key() {
                    return Err(unsupported(at, "a merge (<<)"));
                }
                let tag = self.tag(tag.as_deref(), at)?;
                self.close(Node { at, value: Value::Text(text.into_owned()) }, tag)
            }
            Event::SequenceStart(_, tag) => self.open(at, tag.as_deref(), Into::List(Vec::new())),
            Event::MappingStart(_, tag) => {
                let into = Into::Map { entries: Vec::new(), key: None, seen: HashSet::new() };
                self.open(at, tag.as_deref(), into)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { at, tag, into }) = self.open.pop() else { return Ok(()) };
                let value = match into {
                    Into::List(items) => Value::List(items),
                    Into::Map { entries, .. } => Value::Map(entries),
                };
                self.close(Node { at, value }, tag)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { into: Into::Map { key: None, .. }, .. }))
    }

    fn open(&mut self, at: Position, tag: Option<&Tag>, into: Into) -> Result<(), Refused> {
        if self.open.len() == DEEPEST {
            return Err(Refused {
                code: Code::LimitExceeded,
                at,
                message: format!("lists and mappings nest more than {DEEPEST} deep here"),
                hint: "write the template flatter",
            });
        }
        let tag = self.tag(tag, at)?;
        self.open.push(Open { at, tag, into });
        Ok(())
    }

    /// The long form of a short tag. YAML's own tags mean nothing here, but for those that CloudFormation refuses.
    fn tag(&mut self, tag: Option<&Tag>, at: Position) -> Result<Option<String>, Refused> {
        let Some(tag) = tag else { return Ok(None) };
        if tag.is_yaml_core_schema() {
            return match tag.suffix.as_str() {
                "binary" | "omap" | "pairs" | "set" | "timestamp" => {
                    Err(unsupported(at, &format!("a value of type !!{}", quoted(&tag.suffix))))
                }
                _ => Ok(None),
            };
        }
        let name = tag.suffix.as_str();
        if tag.handle == "!" && FUNCTIONS.contains(&name) {
            let plain = name == "Ref" || name == "Condition";
            return Ok(Some(if plain { name.to_owned() } else { format!("Fn::{name}") }));
        }
        if !name.is_empty() && name != "!" {
            let message = format!("CloudFormation has no function {}", quoted(&format!("!{name}")));
            self.findings.error(
                Code::UnknownFunction,
                (at, ""),
                message,
                "correct the name: !Ref, !Sub, !GetAtt, !If…",
            );
        }
        Ok(None)
    }

    /// A value is complete: it goes where it belongs.
    fn close(&mut self, node: Node, tag: Option<String>) -> Result<(), Refused> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(Refused {
                code: Code::LimitExceeded,
                at: node.at,
                message: format!("the template has more than {MOST_VALUES} values"),
                hint: "take parts out into a product of their own",
            });
        }
        let node = match tag {
            Some(key) => {
                let at = node.at;
                Node { at, value: Value::Map(vec![Entry { key, at, value: node }]) }
            }
            None => node,
        };
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { into: Into::List(items), .. }) => items.push(node),
            Some(Open { into: Into::Map { entries, key, seen }, .. }) => match key.take() {
                Some((key, at)) => entries.push(Entry { key, at, value: node }),
                None => {
                    let Value::Text(text) = node.value else {
                        return Err(Refused {
                            code: Code::NotATemplate,
                            at: node.at,
                            message: "the key of a mapping must be a text here, not a list or a mapping".into(),
                            hint: "quote the key, or close the brace before it",
                        });
                    };
                    if text.chars().nth(LONGEST_KEY).is_some() {
                        return Err(Refused {
                            code: Code::LimitExceeded,
                            at: node.at,
                            message: format!("the key {} has more than {LONGEST_KEY} characters", quoted(&text)),
                            hint: "shorten it, or quote the text if it was meant as a value",
                        });
                    }
                    if !seen.insert(text.clone()) {
                        let message = format!("the key {} stands twice in this mapping", quoted(&text));
                        self.findings.error(Code::DuplicateKey, (node.at, ""), message, "remove or rename one of them");
                    }
                    *key = Some((text, node.at));
                }
            },
        }
        Ok(())
    }
}

/// The CloudFormation user guide (template formats) excepts these from YAML 1.1.
fn unsupported(at: Position, what: &str) -> Refused {
    Refused {
        code: Code::UnsupportedYaml,
        at,
        message: format!("{what} stands here, which CloudFormation does not take"),
        hint: "write the value itself",
    }
}
