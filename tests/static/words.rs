//! Words that this house does not use, each with the word to use instead: a newcomer who greps for the field's words must
//! find them. Held against names and comments of `src/`; texts that users read are judged by people.

use crate::sources::source;

/// A word as it stands alone, and what to write instead. Names are taken apart: `GroundActuator`, `bite_off`.
const WORDS: [(&str, &str); 22] = [
    ("thing", "resource"),
    ("things", "resources"),
    ("ledger", "memory"),
    ("ledgers", "memories"),
    ("sieve", "event filter"),
    ("deed", "applied step"),
    ("deeds", "applied steps"),
    ("verdict", "result"),
    ("verdicts", "results"),
    ("ground", "prerequisites"),
    ("grounds", "prerequisites"),
    ("surrounding", "environment"),
    ("surroundings", "environment"),
    ("teeth", "mutants"),
    ("bite", "mutants"),
    ("carried", "bundled"),
    ("hopeless", "needs intervention"),
    ("retold", "redacted"),
    ("announcement", "event note"),
    ("announcements", "event notes"),
    ("tour", "walkthrough"),
    ("manieth", "sequence number"),
];
/// Forms of more than one word.
const PHRASES: [(&str, &str); 7] = [
    ("hands for", "actuators for"),
    ("a pass", "a reconcile"),
    ("one pass", "one reconcile"),
    ("the pass", "the reconcile"),
    ("each pass", "each reconcile"),
    ("this pass", "this reconcile"),
    ("of passes", "of reconciles"),
];

/// A line without its string literals: they hold what users read. A literal of several lines is a rare exception that
/// shows as a finding to look at.
fn without_strings(line: &str) -> String {
    let (mut out, mut inside, mut escaped) = (String::new(), false, false);
    for sign in line.chars() {
        if inside {
            if !escaped && sign == '"' {
                inside = false;
            }
            escaped = sign == '\\' && !escaped;
            continue;
        }
        if sign == '"' && !out.trim_start().starts_with("//") {
            inside = true;
            out.push(' ');
            continue;
        }
        out.push(sign);
    }
    out
}

/// The words of a text in lower case: names are taken apart at underscores and capitals.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut lower = false;
    for sign in text.chars() {
        if !sign.is_alphabetic() || (sign.is_uppercase() && lower) {
            words.push(String::new());
        }
        if sign.is_alphabetic() {
            words.last_mut().unwrap().extend(sign.to_lowercase());
        }
        lower = sign.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What a line says that it should not, with what to say instead.
fn findings(line: &str) -> Vec<(&'static str, &'static str)> {
    let words = words(&without_strings(line));
    let single = WORDS.into_iter().filter(|(word, _)| words.iter().any(|found| found == word));
    let said = words.join(" ");
    let phrase = PHRASES.into_iter().filter(|(phrase, _)| format!(" {said} ").contains(&format!(" {phrase} ")));
    single.chain(phrase).collect()
}

#[test]
fn the_sources_speak_the_fields_words() {
    let mut found = Vec::new();
    for (path, text) in source("") {
        for (at, line) in text.lines().enumerate() {
            for (word, instead) in findings(line) {
                let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display();
                found.push(format!("{shown}:{}: \"{word}\", write \"{instead}\": {}", at + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{} words that this house does not use:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_word_is_found_in_names_and_comments_and_left_alone_in_texts() {
    let rows = [
        ("in a comment", "/// The thing is gone.", &["thing"][..]),
        ("in a name of two parts", "struct GroundActuator;", &["ground"]),
        ("in a function's name", "fn bite_off() {}", &["bite"]),
        ("in a text that users read", "let hint = \"remove the thing\";", &[]),
        ("inside another word", "let nothing = background;", &[]),
        ("a phrase", "// One pass over it.", &["one pass"]),
        ("a verb", "// What must pass here.", &[]),
    ];
    for (name, line, wanted) in rows {
        let found: Vec<&str> = findings(line).into_iter().map(|(word, _)| word).collect();
        assert_eq!(found, wanted, "{name}");
    }
}
