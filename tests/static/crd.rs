//! The CustomResourceDefinition: its files match the types, its schema is structural and bounded, and every example
//! parses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use mlops_operator::crd::{MlopsPlatform, MlopsProject, generate};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_files_match_the_types() {
    for folder in generate::FOLDERS {
        for (name, text) in generate::files().unwrap() {
            let path = root().join(folder).join(name);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(found == text, "{folder}/{name} does not match the types: run `make crd`");
            let broken = text.lines().find(|line| line.trim_start() == "description: |-");
            assert_eq!(
                broken, None,
                "{name} has a description of several lines, which kubectl explain breaks once more"
            );
        }
    }
}

#[test]
fn every_property_has_a_type_and_every_property_of_the_spec_a_description_and_a_bound() {
    let mut faults = Vec::new();
    for crd in crds() {
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        walk("spec", &schema["properties"]["spec"], true, &mut faults);
        walk("status", &schema["properties"]["status"], false, &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_quota_of_the_examples_counts_objects_of_the_definition() {
    let crd = serde_json::to_value(<MlopsProject as kube::CustomResourceExt>::crd()).unwrap();
    let text = std::fs::read_to_string(root().join("examples/resource-quota.yaml")).unwrap();
    let quota: Value = serde_yaml::from_str(&text).unwrap();
    let counted = format!("count/{}", crd["metadata"]["name"].as_str().unwrap());
    assert!(quota["spec"]["hard"][&counted].is_string(), "{counted} is not limited: {quota}");
}

/// Server-side apply makes an object null of whose fields nobody owns one any more. So one that may be empty must mean
/// the same as when it is left out: it is filled in again, and never null.
#[test]
fn an_object_that_may_be_empty_is_filled_in_and_never_null() {
    let mut faults = Vec::new();
    for crd in crds() {
        filled_in("spec", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"], &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Objects of which an empty one means the same as none, or is refused by a rule.
const EMPTY_OR_NONE: [&str; 6] = [
    "spec.namespaces.selector",
    "spec.namespaces.selector.matchLabels",
    "spec.repositories.preprocess",
    "spec.repositories.build",
    "spec.repositories.deploy",
    "spec.repositories.endpoint",
];

fn crds() -> [Value; 2] {
    let platform = <MlopsPlatform as kube::CustomResourceExt>::crd();
    let project = <MlopsProject as kube::CustomResourceExt>::crd();
    [platform, project].map(|crd| serde_json::to_value(crd).unwrap())
}

fn filled_in(path: &str, schema: &Value, faults: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let may_be_empty = property["type"] == "object"
            && property.get("required").is_none()
            && !EMPTY_OR_NONE.contains(&path.as_str());
        if may_be_empty && property["nullable"] == true {
            faults.push(format!("{path} may be empty, and may be null"));
        }
        if may_be_empty && property.get("properties").is_some() && !property["default"].is_object() {
            faults.push(format!("{path} may be empty, and has no default"));
        }
        filled_in(&path, property, faults);
        filled_in(&format!("{path}[]"), &property["items"], faults);
    }
}

fn walk(path: &str, schema: &Value, bounded: bool, faults: &mut Vec<String>) {
    let kind = schema["type"].as_str().unwrap_or_default();
    if kind.is_empty() {
        faults.push(format!("{path} has no type"));
    }
    if bounded {
        let limit = match kind {
            "string" if schema.get("enum").is_none() => schema.get("maxLength"),
            "array" => schema.get("maxItems"),
            "object" if schema.get("properties").is_none() => schema.get("maxProperties"),
            _ => Some(&Value::Null),
        };
        if limit.is_none() {
            faults.push(format!("{path} has no maximum"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if bounded && property["description"].as_str().unwrap_or_default().is_empty() {
            faults.push(format!("{path}.{name} has no description"));
        }
        walk(&format!("{path}.{name}"), property, bounded, faults);
    }
    if let Some(items) = schema.get("items") {
        walk(&format!("{path}[]"), items, bounded, faults);
    }
}
