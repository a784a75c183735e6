//! Texts of a remote side on their way into a status or an event: on one line, and bounded. One function for all, so that
//! a hostile or endless answer is cut alike wherever it comes from.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_line_of_a_bounded_length() {
        assert_eq!(one_line(" a\r\n  b\tc\u{1}d "), "a b c d");
        let long = one_line(&"ä".repeat(LONGEST + 1));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
        assert_eq!(one_line(&"ä".repeat(LONGEST)).chars().count(), LONGEST);
    }
}
