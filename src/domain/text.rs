//! Texts on their way into a status, an event or the log: on one line, and bounded. One place for all, so that a hostile or
//! endless answer is cut alike wherever it comes from.

/// Longest text of a remote side that is shown, in characters.
pub const LONGEST: usize = 1000;

/// The text on one line: control characters and runs of white space become one blank, and what goes beyond
/// [`LONGEST`] characters becomes `…`.
pub fn one_line(text: &str) -> String {
    let words = text.split(|sign: char| sign.is_whitespace() || sign.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Longest message or summary, in bytes, whatever names it is made of.
pub const LONGEST_MESSAGE: usize = 4096;

/// A message of the operator's own, in which names of a remote side may stand: what would begin a new line, in a log above
/// all, becomes a blank, and what goes beyond [`LONGEST_MESSAGE`] bytes becomes `…`.
pub fn message(text: impl Into<String>) -> String {
    let text = text.into();
    let breaks = |sign: char| sign.is_control() || matches!(sign, '\u{2028}' | '\u{2029}');
    if text.len() <= LONGEST_MESSAGE && !text.contains(breaks) {
        return text;
    }
    let mut end = text.len().min(LONGEST_MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let line = text[..end].replace(breaks, " ");
    if end < text.len() { format!("{line}…") } else { line }
}

/// How many names a message lists.
const MOST_NAMES: usize = 20;
/// Characters of a name that a message shows.
const LONGEST_NAME: usize = 100;

/// A name of a remote side for a message: on one line, and cut with `…` after 100 characters.
pub fn short(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", one_line(&name[..end])),
        None => one_line(name),
    }
}

/// Names for a message: the first 20, each as [`short`] shows it, and how many more there are.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| short(name.as_ref())).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::status::Reason;
    use crate::domain::fault::{Fault, FaultKind};
    use crate::domain::problem::Problem;
    use crate::domain::step::{Change, Step};

    #[test]
    fn a_message_keeps_its_blanks_and_begins_no_new_line() {
        let long = "ä".repeat(LONGEST_MESSAGE);
        let rows = [
            ("as it is", "job \"a  b\"".to_owned(), "job \"a  b\"".to_owned()),
            ("with a forged line", "job \"a\n2026 WARN\"".to_owned(), "job \"a 2026 WARN\"".to_owned()),
            ("with other signs that end a line", "a\r\u{85}\u{2028}\u{2029}\u{b}b".to_owned(), "a     b".to_owned()),
            ("with colours of a terminal", "a\u{1b}[31mb".to_owned(), "a [31mb".to_owned()),
            ("just short enough", long[..LONGEST_MESSAGE].to_owned(), long[..LONGEST_MESSAGE].to_owned()),
            ("too long", long.clone(), format!("{}…", &long[..LONGEST_MESSAGE])),
            ("cut between characters", format!("a{long}"), format!("a{}…", &long[..LONGEST_MESSAGE - 2])),
        ];
        for (name, text, expected) in rows {
            assert_eq!(message(text), expected, "{name}");
        }
    }

    #[test]
    fn whatever_a_resource_tells_is_one_line_of_bounded_length() {
        let hostile = format!("delete job \"a\nWARN all is lost\"{}", "x".repeat(60_000));
        let rows = [
            ("a step", Step::new((), Change::Delete, Reason::Deleting, hostile.as_str()).summary),
            ("a problem", Problem::new(Reason::ForeignOwner, hostile.as_str(), "remove it").message),
            ("a claim", Problem::claimed(&hostile).message),
            ("a fault", Fault::new(FaultKind::Rejected, hostile.as_str()).message),
        ];
        for (name, told) in rows {
            assert!(
                told.starts_with("delete job \"a WARN all is lost\"x") && told.ends_with("x…"),
                "{name}: {told:.60}"
            );
            assert_eq!(told.len(), LONGEST_MESSAGE + '…'.len_utf8(), "{name}");
        }
    }

    #[test]
    fn a_list_of_names_is_short_whatever_their_number_and_length() {
        let numbered = |many: usize| (0..many).map(|n| n.to_string()).collect::<Vec<_>>();
        let rows = [
            ("none", vec![], String::new()),
            ("two", numbered(2), "0, 1".to_owned()),
            ("as many as are shown", numbered(20), numbered(20).join(", ")),
            ("more", numbered(10_000), format!("{} and 9980 more", numbered(20).join(", "))),
            ("one with a line end", vec!["a\nb".to_owned()], "a b".to_owned()),
            ("one too long", vec!["ä".repeat(101)], format!("{}…", "ä".repeat(100))),
        ];
        for (name, names, expected) in rows {
            assert_eq!(listed(&names), expected, "{name}");
        }
    }

    #[test]
    fn a_text_becomes_one_line_of_a_bounded_length() {
        assert_eq!(one_line(" a\r\n  b\tc\u{1}d "), "a b c d");
        let long = one_line(&"ä".repeat(LONGEST + 1));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
        assert_eq!(one_line(&"ä".repeat(LONGEST)).chars().count(), LONGEST);
    }
}
