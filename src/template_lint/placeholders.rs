//! Words that somebody was to replace before the template is used, such as those of AWS's samples. It stands alone since it
//! looks at every text, whatever it is for. A warning: nobody but the author knows whether such a word is meant.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::document::Position;
use super::template::{ParsedTemplate, Step, joined, walk};
use super::{Code, Findings, quoted};

/// `AWSDEFAULT___BUCKET___` as AWS's samples have it, `REPLACE_ME` and the like, and a text that is `<YOUR-BUCKET>` as a
/// whole.
static PLACEHOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"AWSDEFAULT___[A-Z0-9_]+|\b(?:REPLACE|CHANGE)[_-]?ME\b|\bYOUR_[A-Z0-9_]+\b|^<[A-Z][A-Z0-9_ -]+>$").ok()
});
/// Different ones that are told.
const MOST: usize = 50;

/// Where one stands first, and how often.
struct Found {
    at: Position,
    path: String,
    times: usize,
}

pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    let Some(regex) = &*PLACEHOLDER else { return };
    let mut found: BTreeMap<&str, Found> = BTreeMap::new();
    for section in ["Parameters", "Mappings", "Conditions", "Resources", "Outputs"] {
        let Some(node) = template.root.get(section) else { continue };
        walk(node, &mut vec![Step::Key(section)], &mut |node, path| {
            let Some(text) = node.text() else { return };
            for word in regex.find_iter(text.trim()) {
                let (word, full) = (word.as_str(), found.len() == MOST);
                match found.get_mut(word) {
                    Some(known) => known.times += 1,
                    None if full => {}
                    None => {
                        found.insert(word, Found { at: node.at, path: joined(path), times: 1 });
                    }
                }
            }
        });
    }
    for (word, Found { at, path, times }) in found {
        let often = if times == 1 { String::new() } else { format!(", {times} times in all") };
        let message = format!("{} looks like a word that was to be replaced{often}", quoted(word));
        let hint = "put the real value there, or make it a parameter";
        findings.warning(Code::Placeholder, (at, &path), message, hint);
    }
}
