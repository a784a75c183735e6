//! Packs what the operator uploads as zip archives: the check-in of seed code, and the seed code of each repository. It
//! runs when the operator is built, so that a binary carries one state of them; the same files give the same bytes on
//! any machine, since an archive is known by its checksum. It packs, and knows nothing of what is in the files.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Name of each archive, and the folder that it is made from.
pub const ARCHIVES: [(&str, &str); 5] = [
    ("bootstrap", "src/templates/check-in"),
    ("preprocess", "examples/nyc-taxi/preprocess"),
    ("build", "examples/nyc-taxi/build"),
    ("deploy", "examples/nyc-taxi/deploy"),
    ("endpoint", "examples/nyc-taxi/endpoint"),
];

/// Folders that tools leave behind, wherever they lie.
const LEFTOVERS: [&str; 10] = [
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".git",
    ".venv",
    "build",
    "dist",
    "node_modules",
];

fn main() -> Result<(), String> {
    let root = folder("CARGO_MANIFEST_DIR")?;
    let out = folder("OUT_DIR")?;
    println!("cargo::rerun-if-changed=build.rs");
    for (name, from) in ARCHIVES {
        println!("cargo::rerun-if-changed={from}");
        let archive = pack(&root.join(from)).map_err(|error| format!("cannot pack {from} into {name}.zip: {error}"))?;
        let to = out.join(format!("{name}.zip"));
        // A file that is written anew compiles the crate anew.
        if std::fs::read(&to).is_ok_and(|before| before == archive) {
            continue;
        }
        std::fs::write(&to, archive).map_err(|error| format!("cannot write {}: {error}", to.display()))?;
    }
    Ok(())
}

fn folder(variable: &str) -> Result<PathBuf, String> {
    std::env::var_os(variable).map(PathBuf::from).ok_or_else(|| format!("{variable} is not set: run this with cargo"))
}

/// A zip archive of a folder, without the folder's own name. Nothing in it is compressed, so that its bytes follow from
/// the files alone and not from a compressor's version.
///
/// # Errors
/// The folder is missing or holds no file, or something in it is neither file nor folder, or cannot be read.
pub fn pack(folder: &Path) -> Result<Vec<u8>, String> {
    let mut files = Vec::new();
    collect(folder, "", &mut files)?;
    if files.is_empty() {
        return Err(format!("{} holds no file", folder.display()));
    }
    files.sort();
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, path) in files {
        let content = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mode = if content.starts_with(b"#!") { 0o755 } else { 0o644 };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        archive.start_file(name, options).map_err(|error| error.to_string())?;
        archive.write_all(&content).map_err(|error| error.to_string())?;
    }
    archive.finish().map(Cursor::into_inner).map_err(|error| error.to_string())
}

/// Adds the files below a folder: the name that each has in the archive, and where it lies.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| format!("{}: {error}", path.display()))?;
        let name = entry.file_name().into_string().map_err(|_| format!("{}: no UTF-8 name", path.display()))?;
        if kind.is_dir() {
            if !LEFTOVERS.contains(&name.as_str()) && !name.ends_with(".egg-info") {
                collect(&path, &format!("{prefix}{name}/"), files)?;
            }
        } else if !kind.is_file() {
            return Err(format!("{} is neither a file nor a folder", path.display()));
        } else if !name.ends_with(".pyc") {
            files.push((format!("{prefix}{name}"), path));
        }
    }
    Ok(())
}
