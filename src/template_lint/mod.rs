//! Judges a project template as SageMaker, Service Catalog, CloudFormation and the operator would, without any of them:
//! what would fail, or hurt, minutes later in AWS is said beforehand, with the line. It stands alone so that the command
//! line and the operator judge alike. Pure: no file, no clock. It does not replace cfn-lint, which knows every property
//! of every resource; this knows what a *project* template must be.

// A name that says all needs no sentence; what is not obvious has one.
#![allow(missing_docs)]

mod contract;
mod document;
mod hard_coded;
mod judged_for;
mod limits;
mod names;
mod parameters;
mod pattern;
mod placeholders;
mod references;
mod resource_types;
mod resources;
mod runtimes;
mod services;
mod shape;
mod source;
mod template;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

pub use contract::{filled_by_operator, filled_by_sagemaker};
use document::Position;
pub use judged_for::JudgedFor;
use template::ParsedTemplate;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No project can be made from the template, or some of the projects that the operator allows.
    Error,
    /// It works, but not everywhere or not for ever.
    Warning,
}

/// What kind of finding it is. The names are stable: what reads the JSON may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Neither YAML nor JSON.
    NotYaml,
    /// YAML of a kind that CloudFormation does not take: aliases, merges, binary values.
    UnsupportedYaml,
    /// A key stands twice in one place.
    DuplicateKey,
    /// No CloudFormation template, or a part of it has the wrong form.
    NotATemplate,
    /// A limit of CloudFormation is exceeded.
    LimitExceeded,
    /// A function that CloudFormation does not have.
    UnknownFunction,
    /// A name that is declared nowhere.
    Unresolved,
    /// `SageMakerProjectName` or `SageMakerProjectId` is missing or no String.
    ProjectParameter,
    /// A parameter refuses what SageMaker or the operator fills in.
    ValueRefused,
    /// `AllowedPattern` is no regular expression, or one that cannot be judged here.
    Pattern,
    /// A parameter's own default breaks its own rules.
    DefaultRefused,
    /// A parameter that every project must give a value.
    ParameterToGive,
    /// A parameter that the operator fills in is not declared, or its name is misspelt.
    OperatorParameter,
    /// Something that looks like a secret can be read by everybody.
    ReadableSecret,
    /// A name can become longer than its type allows.
    NameTooLong,
    /// A name can have characters that its type does not allow.
    NameCharacters,
    /// A name is the same in every project.
    SharedName,
    /// The bucket or model package group that the operator works with is not in the template.
    Contract,
    /// The tags that tell whose a resource is are missing.
    MissingTags,
    /// A resource with content blocks the deletion of the project.
    DeletionBlocked,
    /// A change of the template can delete what users keep.
    DataLost,
    /// A resource stays although the creation of the project failed.
    LeftBehind,
    /// Roles or policies, which the launch role must be allowed to make.
    IamResources,
    /// A transform or a nested stack: what becomes of it cannot be seen here.
    NotJudged,
    /// An account, a region or a partition is written into the template.
    HardCoded,
    /// A Lambda runtime that AWS retires or has retired.
    Runtime,
    /// A resource of a service that AWS has shut down.
    ServiceEnded,
    /// A resource type that is not AWS's own.
    ThirdPartyType,
    /// A word that somebody was to replace.
    Placeholder,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    pub code: Code,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in the line, in characters, from 1.
    pub column: usize,
    /// Where in the document: keys and list indexes, joined by slashes; empty for the document itself.
    pub path: String,
    /// What is wrong: a sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// How many errors, and how many warnings, are told: who has more has seen enough, and a hostile text may have a million.
const MOST_TOLD: usize = 1000;
/// Characters of each text of a finding: keys and values of a template may be as long as it is.
const LONGEST_TOLD: usize = 1000;

/// What was found, in the making.
#[derive(Default)]
struct Findings {
    told: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

impl Findings {
    fn add(&mut self, severity: Severity, code: Code, at: (Position, &str), message: String, hint: impl Into<String>) {
        let count = if severity == Severity::Error { &mut self.errors } else { &mut self.warnings };
        if *count == MOST_TOLD {
            return;
        }
        *count += 1;
        let (Position { line, column }, path) = at;
        let (path, message, hint) = (shortened(path), shortened(&message), hint.into());
        self.told.push(Finding { severity, code, line, column, path, message, hint });
    }

    fn error(&mut self, code: Code, at: (Position, &str), message: String, hint: impl Into<String>) {
        self.add(Severity::Error, code, at, message, hint);
    }

    fn warning(&mut self, code: Code, at: (Position, &str), message: String, hint: impl Into<String>) {
        self.add(Severity::Warning, code, at, message, hint);
    }
}

/// Everything that is to be said about a template that is to serve any project, in the order of its lines; errors before
/// warnings on the same line; at most a thousand of each. What only some projects would meet is a warning.
/// `today` decides which Lambda runtimes are retired. An empty answer: nothing to complain of.
pub fn lint(text: &str, today: Date) -> Vec<Finding> {
    lint_for(text, &JudgedFor::default(), today)
}

/// The same for one project, as far as it is known: what it would meet is an error.
pub fn lint_for(text: &str, project: &JudgedFor, today: Date) -> Vec<Finding> {
    let mut findings = Findings::default();
    if let Some(root) = document::read(text, &mut findings) {
        let template = ParsedTemplate::of(&root, project);
        if limits::check(&template, &mut findings) {
            references::check(&template, &mut findings);
            parameters::check(&template, &mut findings);
            names::check(&template, &mut findings);
            resources::check(&template, &mut findings);
            hard_coded::check(&template, &mut findings);
            runtimes::check(&template, today, &mut findings);
            services::check(&template, today, &mut findings);
            placeholders::check(&template, &mut findings);
        }
    }
    findings.told.sort_by(|one, other| {
        let order = |finding: &Finding| (finding.line, finding.severity, finding.column, finding.code);
        order(one).cmp(&order(other))
    });
    findings.told
}

/// Why the operator does not launch a project from a template: its first error. That a runtime is retired is none here:
/// functions that exist go on, and AWS says it for new ones.
pub fn refusal(text: &str, project: &JudgedFor, today: Date) -> Option<Finding> {
    let counts = |finding: &Finding| finding.severity == Severity::Error && finding.code != Code::Runtime;
    lint_for(text, project, today).into_iter().find(counts)
}

/// What a template says of one of its parameters, as far as the operator must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredParameter {
    /// Whether it has a default, so that nobody must give it.
    pub has_default: bool,
    /// Whether CloudFormation hides its value from those who describe the stack (`NoEcho: true`).
    pub no_echo: bool,
}

/// The parameters that a template declares. Empty for a text that is no template. It reads as the linter does, so that
/// what passes there is also what is sent.
pub fn declared_parameters(text: &str) -> BTreeMap<String, DeclaredParameter> {
    let Some(root) = document::read(text, &mut Findings::default()) else { return BTreeMap::new() };
    let declared = root.get("Parameters").map(document::Node::entries).unwrap_or_default();
    let said = |parameter: &document::Node| DeclaredParameter {
        has_default: parameter.get("Default").is_some(),
        no_echo: template::no_echo(parameter),
    };
    declared.iter().map(|entry| (entry.key.clone(), said(&entry.value))).collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text of the template as it may stand in a sentence: in quotes, escaped, and not too long.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    format!("{:?}…", text.chars().take(LONGEST).collect::<String>())
}

#[cfg(test)]
mod tests;
