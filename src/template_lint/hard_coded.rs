//! Accounts, regions and partitions that are written into a template: with them it works in one place only. It stands
//! alone since it looks at every text of resources and outputs, whatever they are. Mappings may hold such values: they are
//! what mappings are for.

use std::sync::LazyLock;

use regex::Regex;

use super::template::{ParsedTemplate, Step, joined, walk};
use super::{Code, Findings, quoted};

/// An ARN with a partition of its own, up to its account.
static ARN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\barn:(aws[a-z-]*):[a-z0-9-]*:([a-z0-9-]*):([0-9]{12})?").ok());
/// A region's name, by the parts of the world that AWS has.
static REGION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let places = "af|ap|ca|cn|eu|eusc|il|me|mx|sa|us|us-gov|us-iso[a-z]?";
    let sides = "north|south|east|west|central|northeast|northwest|southeast|southwest|de-east|iso[a-z]?-east";
    Regex::new(&format!(r"\b(?:{places})-(?:{sides})-[1-9]\b")).ok()
});
/// An account in front of a registry's host.
static REGISTRY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b([0-9]{12})\.dkr\.ecr\.").ok());

pub(super) fn check(template: &ParsedTemplate<'_>, findings: &mut Findings) {
    for section in ["Resources", "Outputs"] {
        let Some(node) = template.root.get(section) else { continue };
        let mut path = vec![Step::Key(section)];
        walk(node, &mut path, &mut |node, path| {
            let Some(text) = node.text() else { return };
            let found = written(text);
            if found.is_empty() {
                return;
            }
            let message = format!("{} has {} written into it", quoted(text.trim()), found.join(", "));
            let hint = "use ${AWS::Partition}, ${AWS::Region}, ${AWS::AccountId}, or a parameter";
            findings.warning(Code::HardCoded, (node.at, &joined(path)), message, hint);
        });
    }
}

/// What stands in a text that belongs to one place: each once.
fn written(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |what: &str, value: &str| {
        let said = format!("the {what} {value}");
        if !value.is_empty() && !found.contains(&said) && found.len() < 5 {
            found.push(said);
        }
    };
    for arn in ARN.iter().flat_map(|regex| regex.captures_iter(text)) {
        note("partition", &arn[1]);
        note("account", arn.get(3).map_or("", |account| account.as_str()));
    }
    for region in REGION.iter().flat_map(|regex| regex.find_iter(text)) {
        note("region", region.as_str());
    }
    for registry in REGISTRY.iter().flat_map(|regex| regex.captures_iter(text)) {
        note("account", &registry[1]);
    }
    found
}
