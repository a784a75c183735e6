//! `mlops-operator lint-template FILE`: reads a project template, has it judged, and tells the findings as text or JSON.
//! It stands alone as the only place that knows files and exit codes; the judgement is `template_lint`'s.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use serde::Serialize;

use crate::template_lint::{Finding, Severity, lint};

/// The exit code for a file that cannot be read; clap has the same for wrong usage.
const UNREADABLE: u8 = 2;
/// What is read at most: more than any template may have, so that the linter can say so.
const MOST_BYTES: u64 = 8 << 20;

/// Flags of `lint-template`.
#[derive(Args, Debug)]
pub struct Flags {
    /// The template, YAML or JSON; `-` reads standard input.
    file: PathBuf,
    /// How to tell the findings.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// How findings are told.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Output {
    /// A line for each finding and one for what to do.
    Text,
    /// One JSON document; docs/project-template.md describes it.
    Json,
}

/// What the JSON says. Fields are only ever added.
#[derive(Serialize)]
struct LintReport<'a> {
    file: String,
    errors: usize,
    warnings: usize,
    findings: &'a [Finding],
}

/// Judges the file as of `today`. Exit code 0: no errors; 1: errors; 2: the file cannot be read.
pub fn run(flags: &Flags, today: Date, out: &mut dyn Write) -> ExitCode {
    let text = match read(&flags.file) {
        Ok(text) => text,
        Err(reason) => {
            eprintln!("mlops-operator: {reason}");
            return ExitCode::from(UNREADABLE);
        }
    };
    let findings = lint(&text, today);
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let report = LintReport {
        file: flags.file.display().to_string(),
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        findings: &findings,
    };
    let told = match flags.output {
        Output::Text => tell(&report, out),
        Output::Json => json(&report, out),
    };
    match told {
        // Whoever reads may have seen enough and closed the pipe.
        Ok(()) | Err(_) if report.errors > 0 => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mlops-operator: the findings cannot be written: {error}");
            ExitCode::from(UNREADABLE)
        }
    }
}

fn read(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(|error| format!("{shown} cannot be read: {error}"))?)
    };
    let mut bytes = Vec::new();
    source.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8 text, so it is no template"))
}

fn tell(report: &LintReport<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    for Finding { severity, code, line, column, path, message, hint } in report.findings {
        let severity = if *severity == Severity::Error { "error" } else { "warning" };
        let (code, file) = (name(code), &report.file);
        let place = if path.is_empty() { String::new() } else { format!(" [{path}]") };
        writeln!(out, "{file}:{line}:{column}: {severity} {code}: {message}{place}")?;
        writeln!(out, "    {hint}")?;
    }
    writeln!(out, "{}: {}, {}", report.file, plural(report.errors, "error"), plural(report.warnings, "warning"))
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A code as the JSON has it.
fn name(code: &impl Serialize) -> String {
    serde_json::to_value(code).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn json(report: &LintReport<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
