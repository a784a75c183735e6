//! The text before it is parsed: where CloudFormation's own parsers read otherwise than the one that is used here. It
//! stands alone so that the reader of documents knows events and places only. It must not judge.

use std::borrow::Cow;

use saphyr_parser::{Marker, Span};
use serde::de::IgnoredAny;

use super::document::Position;

/// How much shorter `\U0001F600` is than the pair `\uD83D\uDE00`.
const SHORTER: usize = 2;

/// See the module.
pub(super) struct Source<'a> {
    text: Cow<'a, str>,
    /// Line, from 1, and column, from 0, behind each pair that was written shorter.
    shortened: Vec<(usize, usize)>,
    /// The characters of a YAML text that has `\/` somewhere; empty for all others.
    slashes: Vec<char>,
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let escapes = text.contains("\\/") || text.contains("\\u");
        if !escapes {
            return Self { text: Cow::Borrowed(text), shortened: Vec::new(), slashes: Vec::new() };
        }
        if is_json(text) {
            let (text, shortened) = without_pairs(text);
            return Self { text: Cow::Owned(text), shortened, slashes: Vec::new() };
        }
        let slashes = if text.contains("\\/") { text.chars().collect() } else { Vec::new() };
        Self { text: Cow::Borrowed(text), shortened: Vec::new(), slashes }
    }

    /// What is to be parsed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The place in the file.
    pub(super) fn place(&self, marker: Marker) -> Position {
        let line = marker.line().max(1);
        let before = |column| self.shortened.partition_point(|place| *place <= (line, column));
        let on_line = before(marker.col()) - self.shortened.partition_point(|place| place.0 < line);
        Position { line, column: marker.col() + 1 + on_line * SHORTER }
    }

    /// Where a text in double quotes has `\/`: YAML 1.2 has that escape, CloudFormation's parser of YAML has not
    /// (github.com/aws-cloudformation/cfn-lint/issues/1549).
    pub(super) fn escaped_slash(&self, span: &Span) -> Option<Position> {
        let signs = self.slashes.get(span.start.index()..span.end.index())?;
        let mut at = self.place(span.start);
        let mut escaped = false;
        for (index, sign) in signs.iter().enumerate() {
            let opens = *sign == '\\' && !escaped;
            if opens && signs.get(index + 1) == Some(&'/') {
                return Some(at);
            }
            escaped = opens;
            at = match sign {
                '\n' => Position { line: at.line + 1, column: 1 },
                _ => Position { column: at.column + 1, ..at },
            };
        }
        None
    }
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A JSON text in which each pair of surrogates is one escape: YAML has no pairs. And the places behind them.
fn without_pairs(text: &str) -> (String, Vec<(usize, usize)>) {
    let (mut out, mut places) = (String::with_capacity(text.len()), Vec::new());
    let (mut line, mut column) = (1, 0);
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        let pair = rest.get(..12).and_then(pair);
        let taken = match (sign, pair) {
            ('\\', Some(sign)) => {
                let escape = format!("\\U{:08X}", u32::from(sign));
                out.push_str(&escape);
                column += escape.len();
                places.push((line, column));
                12
            }
            // The escaped sign goes along, so that the second of two backslashes opens nothing.
            ('\\', None) => rest.char_indices().nth(2).map_or(rest.len(), |(index, _)| index),
            _ => sign.len_utf8(),
        };
        if pair.is_none() || sign != '\\' {
            let copied = &rest[..taken];
            out.push_str(copied);
            column += copied.chars().count();
            if sign == '\n' {
                (line, column) = (line + 1, 0);
            }
        }
        rest = &rest[taken..];
    }
    (out, places)
}

/// The sign that twelve characters such as `\uD83D\uDE00` stand for.
fn pair(escapes: &str) -> Option<char> {
    let (high, low) = (escapes.get(..6)?.strip_prefix("\\u")?, escapes.get(6..)?.strip_prefix("\\u")?);
    let units = [u16::from_str_radix(high, 16).ok()?, u16::from_str_radix(low, 16).ok()?];
    let sign = char::decode_utf16(units).next()?.ok()?;
    (u32::from(sign) > 0xFFFF).then_some(sign)
}
