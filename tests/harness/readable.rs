//! Where somebody may read what the operator has to do with: log, panics, metrics, Kubernetes objects, the documents of
//! Jenkins, what AWS shows, and calls as far as they are no secret's way. Looks for canaries in all of it, or in what the
//! operator tells alone: a hostile template can make AWS show what it is given.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::canary;
use crate::harness::operator::{ACCOUNT, Harness, REGION};

/// The parameter of a project's template that may hold a secret: it is NoEcho.
pub const PARAMETER: &str = "ApiToken";

/// What the operator itself tells, by where it is: log, panics, metrics, Kubernetes objects, what it makes in
/// Jenkins, and what it asks for. A secret may be in what makes the trigger's stack, and in a project's parameter.
fn told(harness: &Harness, log: &str, panics: &str) -> BTreeMap<String, String> {
    let mut places = BTreeMap::from([
        ("the log".to_owned(), log.to_owned()),
        ("a panic".to_owned(), panics.to_owned()),
        ("the metrics".to_owned(), harness.metrics.text()),
    ]);
    for plural in ["mlopsprojects", "events", "leases", "configmaps"] {
        places.insert(plural.to_owned(), json!(harness.kubernetes.objects(plural)).to_string());
    }
    places.insert("Jenkins".to_owned(), harness.sandbox.world(|world| format!("{:?}", world.jenkins.items)));
    for entry in harness.sandbox.journal() {
        let asked = match (entry.service.as_str(), entry.operation.as_str()) {
            ("cloudformation", "CreateStack" | "UpdateStack") => String::new(),
            ("sagemaker", "CreateProject" | "UpdateProject") => without_parameter(entry.input.clone()).to_string(),
            _ => format!("{} {}", entry.body, entry.input),
        };
        let text = format!("{} {:?} {asked} ", entry.uri, entry.headers);
        places.entry(format!("call {}", entry.call())).or_default().push_str(&text);
    }
    places
}

/// The input of a call without the value of [`PARAMETER`].
fn without_parameter(mut input: Value) -> Value {
    for details in ["ServiceCatalogProvisioningDetails", "ServiceCatalogProvisioningUpdateDetails"] {
        if let Some(given) = input.pointer_mut(&format!("/{details}/ProvisioningParameters")) {
            given.as_array_mut().unwrap().retain(|one| one["Key"] != PARAMETER);
        }
    }
    input
}

/// What AWS and Jenkins show, by where it is: what they keep, and what they answer.
fn shown(harness: &Harness) -> BTreeMap<String, String> {
    let kept = harness.sandbox.world(|world| {
        let region = world.region(ACCOUNT, REGION);
        [
            ("stacks", region.cloudformation.dump().to_string()),
            ("projects", region.sagemaker.dump().to_string()),
            ("catalog", region.catalog.dump().to_string()),
            ("S3", world.s3.dump().to_string()),
        ]
    });
    let mut places: BTreeMap<String, String> = kept.map(|(name, text)| (name.to_owned(), text)).into();
    for entry in harness.sandbox.journal() {
        // What a script lets a service repeat, the service has said, not the operator.
        let scripted = entry.fault.is_some() || entry.operation == "DescribeStackEvents";
        if let Some(reply) = entry.reply.as_ref().filter(|_| !scripted) {
            places.entry(format!("call {}", entry.call())).or_default().push_str(&format!("{reply:?}"));
        }
    }
    places
}

fn found(places: BTreeMap<String, String>, canaries: &[&str]) -> BTreeSet<String> {
    let forms = canary::forms(canaries);
    let found = |text: &String| forms.iter().any(|form| text.contains(form));
    places.into_iter().filter(|(_, text)| found(text)).map(|(place, _)| place).collect()
}

/// Where one of the canaries can be read, be it in AWS or Jenkins.
pub fn leaks(harness: &Harness, log: &str, panics: &str, canaries: &[&str]) -> Vec<String> {
    let shown = found(shown(harness), canaries);
    found(told(harness, log, panics), canaries).union(&shown).cloned().collect()
}

/// Where the operator tells one of the canaries, whatever a template makes AWS show.
pub fn tells(harness: &Harness, log: &str, panics: &str, canaries: &[&str]) -> Vec<String> {
    found(told(harness, log, panics), canaries).into_iter().collect()
}
