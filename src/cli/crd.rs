//! `mlops-operator crd`: prints the CustomResourceDefinitions, writes them to folders, or compares folders with them. It stands
//! alone as the only place that knows these files; their text is `crd::generate`'s. It changes nothing that it is not told to.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::crd::generate;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Flags of `crd`.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Writes one file for each definition into this folder instead of printing them; may be given several times.
    #[arg(long, value_name = "FOLDER")]
    output_dir: Vec<PathBuf>,
    /// Compares the files of those folders instead of writing them, and fails where one differs.
    #[arg(long, requires = "output_dir")]
    check: bool,
}

/// Does what the flags ask for. Printed are the definitions as one YAML stream, written is one path for each line.
///
/// # Errors
/// A file cannot be written, or differs where it is compared.
pub fn run(flags: &Flags, out: &mut impl Write) -> Result<(), AnyError> {
    let files = generate::files()?;
    if flags.output_dir.is_empty() {
        for (_, text) in &files {
            write!(out, "---\n{text}")?;
        }
        return Ok(());
    }
    for folder in &flags.output_dir {
        for (name, text) in &files {
            let path = folder.join(name);
            if flags.check { compare(&path, text)? } else { store(&path, text, out)? }
        }
    }
    Ok(())
}

fn compare(path: &Path, text: &str) -> Result<(), AnyError> {
    if std::fs::read_to_string(path).unwrap_or_default() == text {
        return Ok(());
    }
    Err(format!("{} is not as `mlops-operator crd --output-dir` writes it", path.display()).into())
}

fn store(path: &Path, text: &str, out: &mut impl Write) -> Result<(), AnyError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    writeln!(out, "{}", path.display())?;
    Ok(())
}
