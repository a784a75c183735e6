//! A parameter's own rules for its value: pattern, lengths, allowed values. It stands alone since CloudFormation's
//! patterns are Java's, which are judged here with another engine: what that one cannot judge must not count as wrong.

use regex::bytes::{Regex, RegexBuilder};

use super::document::Node;
use super::quoted;

/// What Java's patterns have and this engine has not: look-around, atomic groups, back references, quoting, classes of
/// Java's own, possessive repetition.
const JAVA_ONLY: [&str; 16] = [
    "(?=", "(?!", "(?<=", "(?<!", "(?>", "\\k<", "\\Q", "\\p{", "\\P{", "\\h", "\\H", "\\R", "\\X", "\\G", "\\Z", "\\e",
];
/// What no engine takes. What else this one refuses may be Java's: `[\w-.]`, to begin with.
const BROKEN: [&str; 5] = [
    "unclosed group",
    "unopened group",
    "unclosed character class",
    "repetition operator missing expression",
    "incomplete escape sequence",
];
/// Bytes that a compiled pattern may take, so that a hostile one costs little: `.{3,1016}` takes about a hundred thousand.
const LARGEST: usize = 128 << 10;
/// Bytes of a pattern that is tried: what the engine makes of it before it can tell how large that becomes is many times as
/// much.
const LONGEST_PATTERN: usize = 4096;
/// Bytes of a value that is tried: a pattern costs its own size for each of them.
const LONGEST_VALUE: usize = 1024;

/// `AllowedPattern`, as far as it can be judged.
pub(super) enum Pattern {
    Absent,
    /// It must match the whole value (CloudFormation user guide, parameters).
    Judged(Box<Regex>, String),
    /// It is one that only Java's engine understands, or too large.
    NotJudged(String),
    /// No engine understands it; why.
    Broken(String, String),
}

/// The rules of one parameter.
pub(super) struct Rules<'a> {
    pub(super) pattern: Pattern,
    pub(super) shortest: Option<usize>,
    pub(super) longest: Option<usize>,
    pub(super) allowed: Vec<&'a str>,
}

impl<'a> Rules<'a> {
    /// The rules that a parameter's definition states.
    pub(super) fn of(definition: &'a Node) -> Self {
        let pattern = definition.get("AllowedPattern").and_then(Node::text).map_or(Pattern::Absent, compile);
        Self { pattern, ..Self::without_pattern(definition) }
    }

    /// All but the pattern, which is dear.
    pub(super) fn without_pattern(definition: &'a Node) -> Self {
        let number = |key: &str| definition.get(key)?.text()?.parse().ok();
        let allowed = definition.get("AllowedValues").map(Node::items).unwrap_or_default();
        Self {
            pattern: Pattern::Absent,
            shortest: number("MinLength"),
            longest: number("MaxLength"),
            allowed: allowed.iter().filter_map(Node::text).collect(),
        }
    }

    /// Whether a value may have capitals, as far as that can be seen.
    pub(super) fn takes_capitals(&self) -> bool {
        if !self.allowed.is_empty() {
            return self.allowed.iter().any(|value| value.contains(|sign: char| sign.is_ascii_uppercase()));
        }
        match &self.pattern {
            Pattern::Judged(_, pattern) => may_match_capitals(pattern),
            Pattern::NotJudged(_) | Pattern::Broken(..) | Pattern::Absent => true,
        }
    }

    /// Why a value is refused; `None` if it is not, as far as that can be judged.
    pub(super) fn refusal(&self, value: &str) -> Option<String> {
        let length = value.chars().count();
        if let Some(most) = self.longest.filter(|most| length > *most) {
            return Some(format!("it has {length} characters, and MaxLength is {most}"));
        }
        if let Some(least) = self.shortest.filter(|least| length < *least) {
            return Some(format!("it has {length} characters, and MinLength is {least}"));
        }
        if !self.allowed.is_empty() && !self.allowed.contains(&value) {
            return Some("AllowedValues does not list it".to_owned());
        }
        match &self.pattern {
            Pattern::Judged(regex, pattern) if tried(value) && !regex.is_match(value.as_bytes()) => {
                Some(format!("its AllowedPattern {} does not match", quoted(pattern)))
            }
            _ => None,
        }
    }
}

/// Whether a value is matched at all. Java goes by UTF-16, where this engine goes by bytes: they agree on ASCII.
fn tried(value: &str) -> bool {
    value.is_ascii() && value.len() <= LONGEST_VALUE
}

fn compile(pattern: &str) -> Pattern {
    if pattern.len() > LONGEST_PATTERN {
        return Pattern::NotJudged(pattern.to_owned());
    }
    let whole = format!(r"\A(?:{pattern})\z");
    // Without Unicode, \w, \d and \s are Java's: ASCII alone.
    match RegexBuilder::new(&whole).unicode(false).size_limit(LARGEST).build() {
        Ok(regex) => Pattern::Judged(Box::new(regex), pattern.to_owned()),
        Err(regex::Error::CompiledTooBig(_)) => Pattern::NotJudged(pattern.to_owned()),
        Err(_) if for_java_only(pattern) => Pattern::NotJudged(pattern.to_owned()),
        Err(error) => match reason(&error) {
            reason if BROKEN.iter().any(|broken| reason.contains(broken)) => {
                Pattern::Broken(pattern.to_owned(), reason)
            }
            _ => Pattern::NotJudged(pattern.to_owned()),
        },
    }
}

/// Whether a pattern has a part that matches a capital, wherever it stands: behind a prefix of small letters too.
fn may_match_capitals(pattern: &str) -> bool {
    let mut signs = pattern.chars().peekable();
    let mut inside = false;
    while let Some(sign) = signs.next() {
        match sign {
            // \w and \S match capitals, and so does \D; \W, \d and \s do not; escaped punctuation is itself.
            '\\' => {
                let class = signs.next();
                if matches!(class, Some('w' | 'S' | 'D' | 'x' | 'u' | 'p' | 'P')) {
                    return true;
                }
            }
            '[' if signs.peek() == Some(&'^') => {
                let class: String = signs.by_ref().take_while(|sign| *sign != ']').collect();
                if !class.contains("A-Z") && !class.contains("\\w") {
                    return true;
                }
            }
            '[' => inside = true,
            ']' => inside = false,
            '.' if !inside => return true,
            // Flags such as (?i) come before any capital of their own.
            '(' if signs.peek() == Some(&'?') => {
                let flags: String = signs.by_ref().take_while(|sign| !":)<".contains(*sign)).collect();
                if flags.contains('i') {
                    return true;
                }
            }
            'A'..='Z' => return true,
            _ => {}
        }
    }
    false
}

fn for_java_only(pattern: &str) -> bool {
    let refers_back = pattern.as_bytes().windows(2).any(|pair| pair[0] == b'\\' && pair[1].is_ascii_digit());
    refers_back || JAVA_ONLY.iter().any(|sign| pattern.contains(sign))
}

/// The engine's message draws the pattern over several lines; its last line says what is wrong.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}
