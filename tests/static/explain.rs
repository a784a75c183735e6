//! What `kubectl explain` says: each kind and each field has a description that says more than its name does, and each value of
//! an enumeration is explained where a user reads of its field. Whether the sentences are true, people judge.

use std::collections::BTreeSet;

use kube::CustomResourceExt;
use mlops_operator::crd::{MlopsPlatform, MlopsProject};
use serde_json::{Value, json};

/// Words that say nothing of a field.
const EMPTY: &str = "a an and any are as at be by for from has if in is it its of on one or own that the their this to what \
                     where which with";
/// So many words more than a field's name must its description have.
const FEWEST: usize = 3;

/// The words of a text in lower case: names are taken apart at capitals.
fn words(text: &str) -> BTreeSet<String> {
    let mut apart = String::new();
    for sign in text.chars() {
        if sign.is_uppercase() {
            apart.push(' ');
        }
        apart.push(if sign.is_alphanumeric() { sign.to_ascii_lowercase() } else { ' ' });
    }
    apart.split_whitespace().map(|word| word.trim_end_matches('s').to_owned()).collect()
}

/// What is wrong with the description of a field of that name.
fn fault(name: &str, description: &str) -> Option<&'static str> {
    if description.is_empty() {
        return Some("has no description");
    }
    if description.contains("Auto-generated") {
        return Some("has a description that was filled in by a machine");
    }
    let (own, empty) = (words(name), words(EMPTY));
    let more = words(description).into_iter().filter(|word| !own.contains(word) && !empty.contains(word)).count();
    (more < FEWEST).then_some("has a description that only repeats its name")
}

/// Values of an enumeration that the description does not explain, each as `` `Value`: ... ``. Numbers speak for themselves.
fn unexplained<'a>(values: &'a Value, description: &str) -> Vec<&'a str> {
    let texts = values.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.filter(|value| !description.contains(&format!("`{value}`: "))).collect()
}

/// Says what is wrong with a field and those in it. Items of a list are described by the list, unless they have fields.
fn look(path: &str, schema: &Value, faults: &mut Vec<String>) {
    let name = path.rsplit('.').next().unwrap_or_default();
    let description = schema["description"].as_str().unwrap_or_default();
    faults.extend(fault(name, description).map(|what| format!("{path} {what}: {description:?}")));
    for values in [&schema["enum"], &schema["items"]["enum"]] {
        let missing = unexplained(values, description);
        if !missing.is_empty() {
            faults.push(format!("{path} does not explain {}: {description:?}", missing.join(", ")));
        }
    }
    for inner in [&schema["properties"], &schema["items"]["properties"]] {
        for (name, property) in inner.as_object().into_iter().flatten() {
            look(&format!("{path}.{name}"), property, faults);
        }
    }
}

#[test]
fn every_kind_field_and_value_says_what_it_means() {
    let mut faults = Vec::new();
    for crd in [MlopsPlatform::crd(), MlopsProject::crd()] {
        let crd = serde_json::to_value(crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        look(crd["spec"]["names"]["kind"].as_str().unwrap(), schema, &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_says_nothing_is_found() {
    let text = |name: &str, description: &str| (name.to_owned(), json!({"type": "string", "description": description}));
    let one = |description: &str| json!({"type": "string", "enum": ["Keep", "Delete"], "description": description});
    let rows = [
        ("nothing", text("url", ""), "has no description"),
        ("the name", text("portfolioId", "Id of the portfolio."), "only repeats"),
        ("the name in the plural", text("tokens", "Its token."), "only repeats"),
        ("filler", text("spec", "Auto-generated derived type for Spec"), "by a machine"),
        ("more than the name", text("url", "Address of Jenkins as users open it."), ""),
        (
            "a value that is not explained",
            ("policy".into(), one("What becomes of folders: `Keep`: they stay.")),
            "Delete",
        ),
        (
            "a value that is only named",
            ("policy".into(), one("Whether to keep folders: `Keep` or `Delete`.")),
            "Keep, Delete",
        ),
        ("all values", ("policy".into(), one("What becomes of folders. `Keep`: they stay. `Delete`: they go.")), ""),
        (
            "a field of a list's items",
            (
                "list".into(),
                json!({"description": "All that it was given so far.", "items": {"properties": {"id": {}}}}),
            ),
            "list.id has no description",
        ),
        (
            "values of a list's items",
            ("list".into(), json!({"description": "All that it was given so far.", "items": {"enum": ["A"]}})),
            "does not explain A",
        ),
    ];
    for (case, (name, schema), wanted) in rows {
        let mut faults = Vec::new();
        look(&name, &schema, &mut faults);
        let found = faults.join("\n");
        assert!(if wanted.is_empty() { found.is_empty() } else { found.contains(wanted) }, "{case}: {found:?}");
    }
}
