//! The line at the end of a description that says whose an item is and what was last applied to it. Descriptions are
//! the only text that Jenkins keeps, exports and lets others read (unknown XML is dropped, comments are not kept).

use std::borrow::Cow;

use crate::domain::identity::{Identity, OwnerKey, Ownership};

/// What the marker of a folder says in the place of a fingerprint that was made only to prove that there is none.
pub const PROOF: &str = "proof";

/// Longest `namespace/name` in bytes: a DNS label, a slash and a DNS subdomain name (Kubernetes, "Object Names and IDs").
const LONGEST_OBJECT: usize = 63 + 1 + 253;
/// Longer fingerprints are none: ours have 32 digits.
const LONGEST_HASH: usize = 64;

const START: &str = "[mlops-operator.io/v1 ";

/// What the marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The owner's hash and the installation's seal on the folder that the item is in: 40 hex digits, a dot, 32 hex digits.
    pub owner: String,
    /// The owner as people know it: `namespace/name`, or the name of a platform.
    pub object: String,
    /// Fingerprint of what was last applied; empty for folders, or [`PROOF`].
    pub hash: String,
}

impl Marker {
    /// The marker of the item at this path: folder parts and then its name.
    pub fn new(id: &Identity, path: &[String], hash: &str) -> Self {
        let id = holder(id, path);
        let OwnerKey { namespace, name, .. } = &id.owner;
        let object = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
        Self { owner: id.jenkins_mark(folder_of(path)), object, hash: hash.to_owned() }
    }

    /// As it stands in a description.
    pub fn line(&self) -> String {
        let Self { owner, object, hash } = self;
        format!("{START}owner={owner} object={object} hash={hash}]")
    }

    /// Whose the item at this path is.
    pub fn ownership(&self, id: &Identity, path: &[String]) -> Ownership {
        holder(id, path).jenkins_ownership(folder_of(path), &self.owner)
    }
}

/// Whether the folder at this path is one that all projects of a platform go through.
pub fn is_shared(id: &Identity, path: &[String]) -> bool {
    id.placement.platform.is_some()
        && usize::try_from(id.placement.jenkins_shared_folders).is_ok_and(|shared| path.len() <= shared)
}

/// In whose name the item at this path is made: what projects share is their platform's, so that it goes with the last of
/// them, whichever was the first.
fn holder<'a>(id: &'a Identity, path: &[String]) -> Cow<'a, Identity> {
    match &id.placement.platform {
        Some(platform) if is_shared(id, path) => {
            Cow::Owned(Identity { owner: OwnerKey::of_platform(&id.owner.cluster, platform), ..id.clone() })
        }
        _ => Cow::Borrowed(id),
    }
}

fn folder_of(path: &[String]) -> &[String] {
    path.split_last().map_or(&[], |(_, folder)| folder)
}

/// Whose the item at this path is, by its marker.
pub fn ownership(id: &Identity, path: &[String], marker: &Option<Marker>) -> Ownership {
    marker.as_ref().map_or(Ownership::Unmarked, |marker| marker.ownership(id, path))
}

/// A description with its marker as the last line.
pub fn describe(text: &str, marker: &Marker) -> String {
    if text.is_empty() { marker.line() } else { format!("{text}\n{}", marker.line()) }
}

/// Takes a description apart: its text, and the marker if the last line is one. Browsers send CRLF, which counts as LF.
pub fn split(description: &str) -> (String, Option<Marker>) {
    let description = description.replace("\r\n", "\n");
    let whole = description.trim_end_matches('\n');
    let (text, last) = whole.rsplit_once('\n').unwrap_or(("", whole));
    match parse(last.trim()) {
        Some(marker) => (text.to_owned(), Some(marker)),
        None => (description, None),
    }
}

fn parse(line: &str) -> Option<Marker> {
    let mut parts = line.strip_prefix(START)?.strip_suffix(']')?.split(' ');
    let mut value = |key: &str| parts.next()?.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
    let marker = Marker { owner: value("owner")?, object: value("object")?, hash: value("hash")? };
    let bounded = marker.object.len() <= LONGEST_OBJECT && marker.hash.len() <= LONGEST_HASH;
    (parts.next().is_none() && marker.owner.len() == 73 && bounded).then_some(marker)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::fixture::{bare, elsewhere, place};

    fn identity(name: &str) -> Identity {
        let id = bare(place()).identity;
        Identity { owner: OwnerKey { name: name.into(), ..id.owner }, ..id }
    }

    fn path(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn a_marker_is_the_last_line_and_nothing_else_is_one() {
        let mine = Marker::new(&identity("a"), &path("ml/job"), "f00");
        let line = mine.line();
        let rows = [
            ("after text", describe("text\nmore", &mine), "text\nmore", true),
            ("alone", describe("", &mine), "", true),
            ("sent by a browser", describe("text", &mine).replace('\n', "\r\n"), "text", true),
            ("with a line end after it", format!("text\n{line}\n"), "text", true),
            ("not in the last line", format!("{line}\ntext"), "", false),
            ("with another owner's length", "[mlops-operator.io/v1 owner=ab object=x/y hash=z]".to_owned(), "", false),
            ("with an endless object", line.replace("/a ", &format!("/{} ", "a".repeat(60_000))), "", false),
            ("with an endless fingerprint", line.replace("f00", &"f".repeat(60_000)), "", false),
            ("broken off", line[..line.len() - 1].to_owned(), "", false),
            ("none", "text".to_owned(), "", false),
        ];
        for (name, description, text, found) in rows {
            let (rest, marker) = split(&description);
            assert_eq!(marker.is_some(), found, "{name}");
            if found {
                assert_eq!((rest.as_str(), marker.unwrap()), (text, mine.clone()), "{name}");
            } else {
                assert_eq!(rest, description, "{name}");
            }
        }
        let rows = [
            ("of this object", identity("a"), "ml/job", Ownership::Ours),
            ("beside it, since names may change", identity("a"), "ml/other", Ownership::Ours),
            ("copied to another folder", identity("a"), "theirs/job", Ownership::Claimed),
            ("of another object", identity("b"), "ml/job", Ownership::Foreign),
            ("by another installation", elsewhere(&identity("a")), "ml/job", Ownership::Claimed),
        ];
        for (name, id, place, expected) in rows {
            assert_eq!(mine.ownership(&id, &path(place)), expected, "{name}");
        }
    }
}
