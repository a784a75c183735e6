//! Keeps the borders: pure folders know no async, client, SDK or clock, imports point one way, and no two files of one
//! resource import each other.

use std::path::{Path, PathBuf};

/// Folders of `src/`, each with those that it may import from besides itself.
const FOLDERS: [(&str, &[&str]); 8] = [
    ("templates", &[]),
    ("template_lint", &[]),
    ("crd", &[]),
    ("domain", &["crd", "templates", "template_lint"]),
    ("resources", &["domain", "crd", "templates", "template_lint"]),
    ("adapters", &["resources", "domain", "crd", "templates", "template_lint"]),
    ("controller", &["adapters", "resources", "domain", "crd", "templates", "template_lint"]),
    ("cli", &["controller", "adapters", "resources", "domain", "crd", "templates", "template_lint"]),
];
/// Folders whose code decides and does nothing else.
const PURE: [&str; 4] = ["domain", "resources", "templates", "template_lint"];
/// Words that pure code has no use for, with what they would bring in.
const IMPURE: [(&str, &str); 13] = [
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
    ("crate::clock", "a clock"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

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
    found.sort();
    found
}

fn source(folder: &str) -> Vec<(PathBuf, String)> {
    let read = |path: PathBuf| (path.clone(), std::fs::read_to_string(&path).unwrap());
    files(&root().join(folder)).into_iter().map(read).collect()
}

/// The code of a file, with line numbers: without comments and without tests, which may use more.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..tests].lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn is_test(path: &Path) -> bool {
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| stem == "tests" || stem.ends_with("_tests"))
}

#[test]
fn every_folder_of_the_sources_has_its_place() {
    let known: Vec<&str> = FOLDERS.iter().map(|(folder, _)| *folder).collect();
    for entry in std::fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!path.is_dir() || known.contains(&name.as_str()), "src/{name} has no place among the folders");
    }
}

#[test]
fn what_decides_is_pure() {
    let mut seen = 0;
    for folder in PURE {
        for (path, text) in source(folder) {
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
    for (folder, allowed) in FOLDERS {
        for (path, text) in source(folder).into_iter().filter(|(path, _)| !is_test(path)) {
            for (at, line) in code(&text) {
                for (other, _) in FOLDERS.iter().filter(|(other, _)| *other != folder && !allowed.contains(other)) {
                    assert!(
                        !line.contains(&format!("crate::{other}::")),
                        "{}:{at} is in `{folder}` and imports from `{other}`: {}",
                        path.display(),
                        line.trim()
                    );
                }
            }
        }
    }
}

#[test]
fn no_two_files_of_one_resource_import_each_other() {
    for folder in ["resources"] {
        let sources = source(folder);
        let imports = |path: &Path, text: &str| -> Vec<String> {
            let uses = code(text).filter_map(|(_, line)| line.trim().strip_prefix("use super::"));
            let name = |rest: &str| rest.split([':', ';', '{']).next().unwrap_or_default().to_owned();
            let names = uses.map(name).filter(|name| !name.is_empty());
            names.filter(|name| path.with_file_name(format!("{name}.rs")).is_file()).collect()
        };
        for (path, text) in &sources {
            for name in imports(path, text) {
                let other = path.with_file_name(format!("{name}.rs"));
                let back = std::fs::read_to_string(&other).unwrap();
                let own = path.file_stem().unwrap().to_string_lossy().into_owned();
                assert!(
                    !imports(&other, &back).contains(&own),
                    "{} and {} import each other",
                    path.display(),
                    other.display()
                );
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (folder, _) in FOLDERS {
        for (path, text) in source(folder) {
            assert!(text.starts_with("//!"), "{} does not open with what it is", path.display());
        }
    }
}
