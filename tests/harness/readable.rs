//! Where somebody may read what the operator has to do with: log, panics, metrics, Kubernetes objects, the documents of
//! Jenkins, what AWS shows, and calls as far as they are no secret's way. Looks for canaries in all of it.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::canary;
use crate::harness::operator::{ACCOUNT, Harness, REGION};

/// Everything that somebody may read, by where it is.
fn places(harness: &Harness, log: &str, panics: &str) -> BTreeMap<String, String> {
    let mut places = BTreeMap::from([
        ("the log".to_owned(), log.to_owned()),
        ("a panic".to_owned(), panics.to_owned()),
        ("the metrics".to_owned(), harness.metrics.text()),
    ]);
    for plural in ["mlopsprojects", "events", "leases", "configmaps"] {
        places.insert(plural.to_owned(), json!(harness.kubernetes.objects(plural)).to_string());
    }
    let places_of_world = harness.sandbox.world(|world| {
        let region = world.region(ACCOUNT, REGION);
        let stacks = region.cloudformation.dump().to_string();
        let projects = region.sagemaker.dump().to_string();
        let catalog = region.catalog.dump().to_string();
        let documents = format!("{:?}", world.jenkins.items);
        [
            ("Jenkins", documents),
            ("stacks", stacks),
            ("projects", projects),
            ("catalog", catalog),
            ("S3", world.s3.dump().to_string()),
        ]
    });
    places.extend(places_of_world.map(|(name, text)| (name.to_owned(), text)));
    for entry in harness.sandbox.journal() {
        let sealed = entry.service == "cloudformation" && ["CreateStack", "UpdateStack"].contains(&&*entry.operation);
        let asked = if sealed { String::new() } else { format!("{} {}", entry.body, entry.input) };
        // What a script lets a service repeat, the service has said, not the operator.
        let scripted = entry.fault.is_some() || entry.operation == "DescribeStackEvents";
        let answered = entry.reply.as_ref().filter(|_| !scripted).map(|reply| format!("{reply:?}")).unwrap_or_default();
        let text = format!("{} {:?} {asked} {answered}", entry.uri, entry.headers);
        places.entry(format!("call {}", entry.call())).or_default().push_str(&text);
    }
    places
}

/// Where one of the canaries can be read.
pub fn leaks(harness: &Harness, log: &str, panics: &str, canaries: &[&str]) -> Vec<String> {
    let forms = canary::forms(canaries);
    let found = |text: &String| forms.iter().any(|form| text.contains(form));
    places(harness, log, panics).into_iter().filter(|(_, text)| found(text)).map(|(place, _)| place).collect()
}
