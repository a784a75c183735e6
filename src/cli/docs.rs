//! `mlops-operator docs`: writes the pages of the documentation that follow from the types, or says which are not as it would
//! write them. It stands apart so that the command and the test that keeps the pages true use the same list.

use std::path::{Path, PathBuf};

use crate::crd::status::Reason;
use crate::crd::{reference, troubleshooting};

/// Flags of `mlops-operator docs`.
#[derive(clap::Args, Clone, Debug)]
pub struct Flags {
    /// Compares instead of writing, and fails where a page differs.
    #[arg(long)]
    check: bool,
    /// The repository's root, which the pages are written below.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

/// Why the pages were not written, or are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum DocsError {
    /// A definition cannot be read.
    #[error("the definitions are no JSON: {0}")]
    Definition(#[from] serde_json::Error),
    /// A page cannot be written, or the folder of the reasons cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which file or folder.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Pages that differ.
    #[error("not as `mlops-operator docs` writes them: {0}")]
    Stale(String),
}

/// Each page with its path from the repository's root.
///
/// # Errors
/// Only where a definition is no JSON.
pub fn pages() -> Result<Vec<(PathBuf, String)>, serde_json::Error> {
    let folder = Path::new(troubleshooting::FOLDER);
    let mut pages = vec![
        (PathBuf::from(reference::FILE), reference::page()?),
        (PathBuf::from(troubleshooting::INDEX), troubleshooting::index()),
    ];
    pages.extend(Reason::ALL.iter().map(|reason| (folder.join(format!("{reason}.md")), reason.page())));
    Ok(pages)
}

/// Pages of reasons that there are no more.
///
/// # Errors
/// The folder cannot be read.
pub fn orphans(root: &Path) -> Result<Vec<PathBuf>, DocsError> {
    let folder = root.join(troubleshooting::FOLDER);
    let failed = |source| DocsError::File { path: folder.display().to_string(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if !Reason::ALL.iter().any(|reason| reason.as_str() == name) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Writes the pages, or compares them.
///
/// # Errors
/// A page cannot be written; or, where they are compared, one differs or is of no reason any more.
pub fn run(flags: &Flags) -> Result<(), DocsError> {
    let mut stale = Vec::new();
    for (name, text) in pages()? {
        let path = flags.root.join(name);
        let failed = |source| DocsError::File { path: path.display().to_string(), source };
        if std::fs::read_to_string(&path).is_ok_and(|before| before == text) {
            continue;
        }
        if flags.check {
            stale.push(path.display().to_string());
            continue;
        }
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
        std::fs::write(&path, text).map_err(failed)?;
    }
    for path in orphans(&flags.root)? {
        if flags.check {
            stale.push(path.display().to_string());
            continue;
        }
        std::fs::remove_file(&path).map_err(|source| DocsError::File { path: path.display().to_string(), source })?;
    }
    if stale.is_empty() { Ok(()) } else { Err(DocsError::Stale(stale.join(", "))) }
}
