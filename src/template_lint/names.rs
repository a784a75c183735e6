//! Names of resources: whether they fit their type. What no project can have is an error; what hangs on a name, a region,
//! a default or a condition that is not known is a warning that says so. It stands alone as the reason why this linter
//! exists: these errors show themselves only in AWS, and only with some projects.

use super::document::{Entry, Node, Position};
use super::resource_types::{Alphabet, NameRule, name_rules};
use super::shape::{Part, Shape, Shapes};
use super::template::{ParsedTemplate, has_transform};
use super::{Code, Findings, Severity, contract, quoted};

/// Characters of an export's name (CloudFormation API, ExportName has no maximum in the model; the user guide's quota).
const LONGEST_EXPORT: usize = 255;

/// What is assumed of a name of which a condition chooses a part.
const UNDECIDED: &str = "a condition to choose the longest text";

pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    let shapes = Shapes::of(template);
    let (mut bucket, mut group) = (false, false);
    for (id, kind, entry) in template.resources() {
        let Made { certain, condition } = made(entry, &shapes);
        let properties = entry.value.get("Properties").filter(|node| !has_transform(node));
        for rule in name_rules(kind) {
            let Some(node) = properties.and_then(|properties| properties.get(rule.property)) else { continue };
            let path = format!("Resources/{id}/Properties/{}", rule.property);
            for found in shapes.alternatives(node) {
                let shape = shapes.shape(found.node);
                bucket |= kind == "AWS::S3::Bucket" && shape.varies && shape.symbol == contract::BUCKET_NAME;
                group |= kind == "AWS::SageMaker::ModelPackageGroup" && shape.symbol == contract::GROUP_NAME;
                let name = Name { kind, rule: &rule, shape: &shape, condition: found.condition.or(condition) };
                if certain {
                    name.judge((found.node.at, &path), findings);
                }
            }
        }
    }
    for entry in template.section("Outputs") {
        export(entry, &shapes, findings);
    }
    let unjudged =
        |entry: &Entry| has_transform(&entry.value) || entry.value.get("Properties").is_some_and(has_transform);
    if template.is_open("Resources") || template.section("Resources").iter().any(unjudged) {
        return;
    }
    let at = template.root.entries().iter().find(|entry| entry.key == "Resources").map_or(template.root.at, |e| e.at);
    if !bucket {
        let why = "jobs write to it and dataPolicy: Delete empties it";
        missing(at, "AWS::S3::Bucket", contract::BUCKET_NAME, why, findings);
    }
    if !group {
        let why = "jobs register models in it, its events start the deploy job, and dataPolicy: Delete empties it";
        missing(at, "AWS::SageMaker::ModelPackageGroup", contract::GROUP_NAME, why, findings);
    }
}

/// Whether a resource or output is made.
struct Made<'a> {
    /// Not where its condition is known not to hold.
    certain: bool,
    /// The condition, where it is not known.
    condition: Option<&'a str>,
}

fn made<'a>(entry: &'a Entry, shapes: &Shapes<'a>) -> Made<'a> {
    let condition = entry.value.get("Condition").and_then(Node::text);
    match condition.map(|name| shapes.holds(name)) {
        None | Some(Some(true)) => Made { certain: true, condition: None },
        Some(Some(false)) => Made { certain: false, condition: None },
        Some(None) => Made { certain: true, condition },
    }
}

fn missing(at: Position, kind: &str, name: &str, why: &str, findings: &mut Findings) {
    let message = format!("no {kind} is named {name}, the name by which the operator finds it: {why}");
    let hint = format!("name the {kind} of the template !Sub {name}, or see to it that something else makes it");
    findings.warning(Code::Contract, (at, "Resources"), message, hint);
}

fn export<'a>(entry: &'a Entry, shapes: &Shapes<'a>, findings: &mut Findings) {
    let Some(node) = entry.value.get("Export").and_then(|export| export.get("Name")) else { return };
    let Made { certain, condition } = made(entry, shapes);
    let rule = NameRule {
        property: "Name",
        longest: LONGEST_EXPORT,
        alphabet: Alphabet::Any,
        source: "CloudFormation's quotas",
    };
    let path = format!("Outputs/{}/Export/Name", entry.key);
    for found in shapes.alternatives(node).into_iter().filter(|_| certain) {
        let shape = shapes.shape(found.node);
        let name = Name { kind: "export", rule: &rule, shape: &shape, condition: found.condition.or(condition) };
        name.judge((found.node.at, &path), findings);
    }
}

/// A name, and what its type takes.
struct Name<'a> {
    kind: &'a str,
    rule: &'a NameRule,
    shape: &'a Shape,
    /// What decides whether the name is used at all, where that is not known.
    condition: Option<&'a str>,
}

impl Name<'_> {
    fn judge(&self, at: (Position, &str), findings: &mut Findings) {
        self.length(at, findings);
        self.characters(at, findings);
        self.shared(at, findings);
    }

    /// What the type takes, as the second half of a sentence.
    fn takes(&self, what: impl std::fmt::Display) -> String {
        format!("{} of {} takes {what} ({})", self.rule.property, self.kind, self.rule.source)
    }

    /// An error if nothing is assumed, else a warning that says what is.
    fn tell(
        &self,
        code: Code,
        at: (Position, &str),
        message: String,
        assumed: Vec<&str>,
        hint: String,
        findings: &mut Findings,
    ) {
        let condition = self.condition.map(|name| format!("the condition {} to decide so", quoted(name)));
        let assumed: Vec<&str> = assumed.into_iter().chain(condition.as_deref()).collect();
        if assumed.is_empty() {
            findings.error(code, at, message, hint);
        } else {
            let message = format!("{message}; this assumes {}", assumed.join(" and "));
            findings.warning(code, at, message, hint);
        }
    }

    fn length(&self, at: (Position, &str), findings: &mut Findings) {
        let (shape, longest) = (self.shape, self.rule.longest);
        let certainly = shape.shortest > longest;
        if !certainly && shape.longest <= longest {
            return;
        }
        let (count, assumed) = if certainly {
            (shape.shortest, Vec::new())
        } else {
            let parts = shape.parts.iter().filter_map(|part| part.assumption.as_deref());
            (shape.longest, parts.chain(shape.undecided.then_some(UNDECIDED)).collect())
        };
        let least = if shape.certain && (!certainly || shape.longest == count) { "" } else { "at least " };
        let length = |part: &Part| if certainly { part.shortest } else { part.longest };
        let each = |part: &Part| {
            let up_to = if !certainly && part.assumption.is_some() { "up to " } else { "" };
            format!("{} {up_to}{}", part.name, length(part))
        };
        let parts = shape.parts.iter().filter(|part| length(part) > 0).map(each).collect::<Vec<_>>().join(", ");
        let parts = if parts.is_empty() { parts } else { format!(" ({parts})") };
        let message =
            format!("the name {} has {least}{count} characters{parts}; {}", quoted(&shape.shown), self.takes(longest));
        self.tell(Code::NameTooLong, at, message, assumed, self.shorter(count, certainly), findings);
    }

    /// What makes the name fit: the project's name, where that can, else the rest.
    fn shorter(&self, count: usize, certainly: bool) -> String {
        let rest = "shorten the rest of the name in the template";
        let Some(Part { shortest, longest, times, assumption, .. }) = self.shape.part(contract::PROJECT_NAME) else {
            return "shorten the name in the template".to_owned();
        };
        let taken = if certainly { shortest } else { longest };
        let others = count.saturating_sub(taken.saturating_mul(*times));
        let fits = self.rule.longest.saturating_sub(others) / (*times).max(1);
        match (fits, assumption) {
            (0, _) => rest.to_owned(),
            (fits, Some(_)) => {
                format!(
                    "project names of up to {fits} characters fit: set MaxLength: {fits} on {}, or {rest}",
                    contract::PROJECT_NAME
                )
            }
            (fits, None) => format!("a project name of up to {fits} characters fits; or {rest}"),
        }
    }

    fn characters(&self, at: (Position, &str), findings: &mut Findings) {
        let (shape, alphabet) = (self.shape, self.rule.alphabet);
        let shown = quoted(&shape.shown);
        let wrong = |text: &str| text.chars().find(|sign| !alphabet.allows(*sign));
        let takes = self.takes(alphabet.describe());
        if let Some(sign) = wrong(&shape.literal) {
            let message = format!("the name {shown} has {sign:?}; {takes}");
            self.tell(Code::NameCharacters, at, message, Vec::new(), "replace the character".to_owned(), findings);
        } else if let Some(sign) = wrong(&shape.assumed) {
            let message = format!("the name {shown} has {sign:?}; {takes}");
            let assumed = vec![if shape.undecided { UNDECIDED } else { "the defaults of its parameters" }];
            let hint = "give such parameters other defaults, or rules that refuse the character".to_owned();
            self.tell(Code::NameCharacters, at, message, assumed, hint, findings);
        }
        if shape.capitals && !alphabet.allows('A') {
            let message = format!("the name {shown} can have capitals; {takes}");
            let hint = format!(
                "build it from {}, which has none, or give {} an AllowedPattern without them",
                contract::PROJECT_ID,
                contract::PROJECT_NAME
            );
            self.tell(Code::NameCharacters, at, message, vec!["a project name with capitals"], hint, findings);
        }
    }

    fn shared(&self, at: (Position, &str), findings: &mut Findings) {
        if self.shape.varies {
            return;
        }
        let own = self.shape.parts.iter().map(|part| part.name.as_str()).filter(|name| !name.starts_with("AWS::"));
        let own = own.collect::<Vec<_>>().join(", ");
        let of = if own.is_empty() { String::new() } else { format!(" with the same {own}") };
        let shown = quoted(&self.shape.symbol);
        let message = format!("the name {shown} is the same in every project{of}, so that a second one fails");
        let hint = "add ${SageMakerProjectId} to it, or let AWS choose the name";
        findings.add(Severity::Warning, Code::SharedName, at, message, hint);
    }
}
