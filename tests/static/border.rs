//! Keeps the borders: pure folders know no async, client, SDK or clock, imports point one way, and no two files of one
//! resource import each other.

use std::path::{Path, PathBuf};

use crate::sources::{root, source};

/// Folders of `src/`, each with those that it may import from besides itself.
const FOLDERS: [(&str, &[&str]); 10] = [
    ("templates", &["crd"]),
    ("template_lint", &[]),
    ("crd", &[]),
    ("domain", &["crd", "templates", "template_lint"]),
    ("resources", &["domain", "crd", "templates", "template_lint"]),
    ("metrics", &["domain", "crd"]),
    ("telemetry", &["metrics"]),
    ("adapters", &["telemetry", "metrics", "resources", "domain", "crd", "templates", "template_lint"]),
    ("controller", &["adapters", "telemetry", "metrics", "resources", "domain", "crd", "templates", "template_lint"]),
    ("cli", &["controller", "adapters", "metrics", "resources", "domain", "crd", "templates", "template_lint"]),
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

/// The code of a file, with line numbers: without comments and without tests, which may use more.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..tests].lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The modules that code names behind a prefix, `crate::` or `super::`, each with its line: in a `use` with or without
/// braces, over several lines too, and in a path in the middle of an expression.
fn named(text: &str, prefix: &str) -> Vec<(usize, String)> {
    let lines: Vec<(usize, &str)> = code(text).collect();
    let joined = lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
    let line_of = |at: usize| lines[joined[..at].matches('\n').count()].0;
    let mut found = Vec::new();
    for (at, _) in joined.match_indices(prefix) {
        let rest = &joined[at + prefix.len()..];
        let list = rest.strip_prefix('{').map_or_else(|| vec![rest], first_level);
        let name =
            |item: &str| item.trim_start().split(|sign: char| !is_name(sign)).next().unwrap_or_default().to_owned();
        found.extend(list.into_iter().map(name).filter(|name| !name.is_empty()).map(|name| (line_of(at), name)));
    }
    found
}

fn is_name(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// The items of a list in braces whose opening brace has been read; what lies in braces of its own belongs to its item.
fn first_level(text: &str) -> Vec<&str> {
    let (mut items, mut depth, mut from) = (Vec::new(), 0, 0);
    for (at, sign) in text.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(&text[from..at]);
                from = at + 1;
                if sign == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
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
            for (at, name) in named(&text, "crate::") {
                let known = FOLDERS.iter().any(|(other, _)| *other == name);
                assert!(
                    !known || name == folder || allowed.contains(&name.as_str()),
                    "{}:{at} is in `{folder}` and imports from `{name}`",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn no_two_files_of_one_resource_import_each_other() {
    let sources: Vec<_> = source("resources").into_iter().filter(|(path, _)| !is_test(path)).collect();
    let beside = |path: &Path, text: &str| -> Vec<PathBuf> {
        // What a `mod.rs` names behind `super::` lies in the folder above.
        let names = if path.ends_with("mod.rs") { Vec::new() } else { named(text, "super::") };
        names.into_iter().map(|(_, name)| path.with_file_name(format!("{name}.rs"))).collect()
    };
    let imports: Vec<_> = sources.iter().map(|(path, text)| (path, beside(path, text))).collect();
    let mut seen = 0;
    for (path, named) in &imports {
        for (other, back) in imports.iter().filter(|(other, _)| named.contains(other)) {
            seen += 1;
            assert!(!back.contains(path), "{} and {} import each other", path.display(), other.display());
        }
    }
    assert!(seen > 10, "the imports were found");
}

#[test]
fn an_import_is_found_in_each_of_its_forms() {
    let rows = [
        ("a use", "use super::absent;", &["absent"][..]),
        ("a use of what is in it", "use super::absent::unknown;", &["absent"]),
        ("one in braces", "use super::{Action, absent, present::told};", &["Action", "absent", "present"]),
        ("braces over several lines", "use super::{\n    Action,\n    absent::{self, b},\n};", &["Action", "absent"]),
        ("a path in an expression", "    Gone => super::absent::unknown(name),", &["absent"]),
        ("a comment", "// See super::absent.", &[]),
        ("a test", "fn a() {}\n#[cfg(test)]\nmod tests {\n    use super::absent;\n}", &[]),
    ];
    for (name, text, wanted) in rows {
        let found: Vec<String> = named(text, "super::").into_iter().map(|(_, name)| name).collect();
        assert_eq!(found, wanted, "{name}");
    }
    assert_eq!(named("// a\nuse x;\nuse super::{\n    b,\n};", "super::"), [(3, "b".to_owned())]);
}

#[test]
fn every_file_says_what_it_is() {
    for (folder, _) in FOLDERS {
        for (path, text) in source(folder) {
            assert!(text.starts_with("//!"), "{} does not open with what it is", path.display());
        }
    }
}
