//! `mlops-operator lint-template FILE`: reads a project template, has it judged, and tells the findings as text or JSON.
//! It stands alone as the only place that knows files and exit codes; the judgement is `template_lint`'s.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::civil::Date;
use serde::Serialize;

use crate::domain::validate::is_project_name;
use crate::template_lint::{Finding, JudgedFor, Severity, declared_parameters, filled_by_sagemaker, lint_for};

/// The exit code for a file that cannot be read, or a parameter that it does not declare; clap has the same for wrong usage.
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
    /// Judge it for the project of this name, as the operator does: a parameter without a value then has its default.
    /// Without it the template is judged for any project, and what only some would meet is a warning.
    #[arg(long, value_name = "NAME", value_parser = project_name)]
    project_name: Option<String>,
    /// The region that the project will be in.
    #[arg(long, value_parser = region)]
    region: Option<String>,
    /// The account that the project will be in.
    #[arg(long, value_parser = account)]
    account: Option<String>,
    /// A parameter's value, as in spec.parameters; may be given several times.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
}

fn project_name(name: &str) -> Result<String, String> {
    let wanted = "it must have 1 to 32 letters, digits and hyphens, a letter first and no hyphen last";
    if is_project_name(name) { Ok(name.to_owned()) } else { Err(wanted.to_owned()) }
}

fn region(name: &str) -> Result<String, String> {
    let fits = name.split('-').count() >= 3
        && name.chars().all(|sign| sign == '-' || sign.is_ascii_lowercase() || sign.is_ascii_digit());
    if fits { Ok(name.to_owned()) } else { Err("it must be the code of a region, such as eu-central-1".to_owned()) }
}

fn account(digits: &str) -> Result<String, String> {
    let fits = digits.len() == 12 && digits.bytes().all(|sign| sign.is_ascii_digit());
    if fits { Ok(digits.to_owned()) } else { Err("it must have 12 digits".to_owned()) }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let named = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = named.ok_or("it must be NAME=VALUE")?;
    if filled_by_sagemaker(name) {
        return Err(format!("SageMaker fills {name} in; the project's name is --project-name"));
    }
    Ok((name.to_owned(), value.to_owned()))
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

/// Judges the file as of `today`. Exit code 0: no errors; 1: errors; 2: the file cannot be read, or the flags are wrong.
pub fn run(flags: &Flags, today: Date, out: &mut dyn Write) -> ExitCode {
    let text = match read(&flags.file) {
        Ok(text) => text,
        Err(reason) => {
            eprintln!("mlops-operator: {reason}");
            return ExitCode::from(UNREADABLE);
        }
    };
    let project = match judged_for(flags, &text) {
        Ok(project) => project,
        Err(reason) => {
            eprintln!("mlops-operator: {reason}");
            return ExitCode::from(UNREADABLE);
        }
    };
    let findings = lint_for(&text, &project, today);
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

/// The project that the flags name.
fn judged_for(flags: &Flags, text: &str) -> Result<JudgedFor, String> {
    let declared = declared_parameters(text);
    // A text that declares nothing has worse to hear.
    let unknown = flags.parameters.iter().find(|(name, _)| !declared.is_empty() && !declared.contains_key(name));
    if let Some((name, _)) = unknown {
        let known = declared.into_keys().filter(|name| !filled_by_sagemaker(name)).collect::<Vec<_>>().join(", ");
        return Err(format!("--parameter {name}: the template declares no such parameter; it takes: {known}"));
    }
    Ok(JudgedFor {
        project_name: flags.project_name.clone(),
        region: flags.region.clone(),
        account: flags.account.clone(),
        parameters: flags.parameters.iter().cloned().map(|(name, value)| (name, Some(value))).collect(),
    })
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
