//! Keeps the border: the rules and the things know no async, client, SDK or clock, and imports point one way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

/// Layers from the inside out: a file may import from its own and from those before it.
const LAYERS: [&str; 5] = ["crd", "domain", "resources", "adapters", "controller"];

/// Words that pure code has no use for, with what they would bring in.
const IMPURE: [(&str, &str); 12] = [
    ("async fn", "waiting"),
    (".await", "waiting"),
    ("tokio", "waiting"),
    ("kube::Client", "a client"),
    ("kube::Api", "a client"),
    ("kube::runtime", "a client"),
    ("aws_sdk", "a client"),
    ("aws_config", "a client"),
    ("hyper", "a client"),
    ("SystemTime", "a clock"),
    ("Instant", "a clock"),
    ("Timestamp::now", "a clock"),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn source(layer: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(layer);
    files(&folder).into_iter().map(|path| (path.clone(), std::fs::read_to_string(&path).unwrap())).collect()
}

/// The code of a file: without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(at, line)| (at + 1, line))
}

#[test]
fn the_rules_and_the_things_are_pure() {
    let mut seen = 0;
    for layer in ["domain", "resources", "templates"] {
        for (path, text) in source(layer) {
            seen += 1;
            for (at, line) in code(&text) {
                for (word, what) in IMPURE {
                    assert!(!line.contains(word), "{}:{at} brings in {what}: {}", path.display(), line.trim());
                }
            }
        }
    }
    assert!(seen > 10, "the files were found");
}

#[test]
fn imports_point_one_way() {
    for (place, layer) in LAYERS.iter().enumerate() {
        for (path, text) in source(layer) {
            for (at, line) in code(&text) {
                for outer in &LAYERS[place + 1..] {
                    assert!(
                        !line.contains(&format!("crate::{outer}")),
                        "{}:{at} is in `{layer}` and imports from `{outer}`: {}",
                        path.display(),
                        line.trim()
                    );
                }
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for layer in LAYERS.into_iter().chain(["templates", "cli"]) {
        for (path, text) in source(layer) {
            assert!(text.starts_with("//!"), "{} does not open with what it is", path.display());
        }
    }
}
