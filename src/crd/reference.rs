//! The API reference: what the CustomResourceDefinitions say of each field, as one Markdown page. It stands apart since it reads the
//! finished definitions and knows no type of ours: what `kubectl explain` says and what the page says is one text.

use std::collections::BTreeMap;
use std::fmt::Write;

use kube::CustomResourceExt;
use serde_json::Value;

use crate::crd::{MlopsPlatform, MlopsProject};

/// Where the page lies, from the repository's root.
pub const FILE: &str = "docs/api.md";

const HEAD: &str = "<!-- Generated from src/crd by `mlops-operator docs`: do not edit. -->\n\n# API reference\n\n\
    Group `mlops-operator.io`, version `v1alpha1`. `kubectl explain mlopsproject.spec --recursive` says the same in a terminal. \
    What breaks a bound or a rule is refused by `kubectl apply`, with the rule's sentence.\n";

/// Objects whose fields were written already, each with the place that has them.
type Seen = BTreeMap<String, String>;

/// The page.
///
/// # Errors
/// Only where a definition is no JSON.
pub fn page() -> Result<String, serde_json::Error> {
    let mut page = HEAD.to_owned();
    let mut seen = Seen::new();
    for definition in [MlopsPlatform::crd(), MlopsProject::crd()] {
        kind(&mut page, &serde_json::to_value(definition)?, &mut seen);
    }
    Ok(page)
}

fn kind(page: &mut String, definition: &Value, seen: &mut Seen) {
    let names = &definition["spec"]["names"];
    let name = text(&names["kind"]);
    let (scope, short) = (text(&definition["spec"]["scope"]).to_lowercase(), text(&names["shortNames"][0]));
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    say(page, format_args!("\n## {name}\n\n{}\n\nScope: {scope}. Short name: `{short}`.\n", described(schema)));
    for part in ["spec", "status"] {
        let about = &schema["properties"][part];
        say(page, format_args!("\n### {name}.{part}\n\n{}\n\n", described(about)));
        page.push_str("| field | type | says |\n| --- | --- | --- |\n");
        fields(page, (name, part), "", about, seen);
        let mut all = Vec::new();
        rules(part, about, &mut all);
        if !all.is_empty() {
            say(page, format_args!("\n#### Rules of {name}.{part}\n\n{}\n", all.join("\n")));
        }
    }
}

/// One row for each field below a path, and for those in it.
fn fields(page: &mut String, place: (&str, &str), path: &str, schema: &Value, seen: &mut Seen) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let needed = if required.iter().any(|one| text(one) == name) { ", required" } else { "" };
        let inner = if field["type"] == "array" { &field["items"] } else { field };
        let known = inner.get("properties").and_then(|fields| {
            let full = format!("{}.{}.{path}", place.0, place.1);
            let first = seen.entry(fields.to_string()).or_insert_with(|| full.clone());
            (*first != full).then(|| first.clone())
        });
        let more = known.as_ref().map(|first| format!(" Its fields are those of `{first}`.")).unwrap_or_default();
        let (kind, says) = (kind_of(field), described(field));
        say(page, format_args!("| `{path}` | {kind}{needed} | {says}{more} |\n"));
        if known.is_none() {
            let below = if field["type"] == "array" { format!("{path}[]") } else { path };
            fields(page, place, &below, inner, seen);
        }
    }
}

/// The sentences of a schema's rules, as list items. What is written at more than one place is told at the first.
fn rules(path: &str, schema: &Value, all: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let line = format!("- `{path}`: {}", escaped(text(&rule["message"])));
        let sentence = line.split_once(": ").map_or("", |(_, sentence)| sentence);
        if !all.iter().any(|told| told.split_once(": ").is_some_and(|(_, before)| before == sentence)) {
            all.push(line);
        }
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        rules(&format!("{path}.{name}"), field, all);
    }
    if schema["items"].is_object() {
        rules(&format!("{path}[]"), &schema["items"], all);
    }
}

/// The type of a field with its bounds and default, for people.
fn kind_of(field: &Value) -> String {
    let (least, most) = (&field["minLength"], &field["maxLength"]);
    let kind = match text(&field["type"]) {
        "string" if field["enum"].is_array() => "string, one of those named".to_owned(),
        "string" if field["format"] == "date-time" => "time".to_owned(),
        "string" if least.is_number() && most.is_number() && least != most => {
            format!("string, {least} to {most} characters")
        }
        "string" if most.is_number() => {
            format!("string, {most} characters{}", if least == most { "" } else { " at most" })
        }
        "array" if field["maxItems"].is_number() => {
            format!("list of {}, {} at most", item(&field["items"]), field["maxItems"])
        }
        "array" => format!("list of {}", item(&field["items"])),
        "object" if field["additionalProperties"].is_object() => "map of string to string".to_owned(),
        "integer" if field["enum"].is_array() => {
            let numbers: Vec<_> = field["enum"].as_array().into_iter().flatten().map(ToString::to_string).collect();
            format!("integer: {}", numbers.join(", "))
        }
        "integer" if field["maximum"].is_number() => format!("integer, {} to {}", field["minimum"], field["maximum"]),
        other => other.to_owned(),
    };
    match &field["default"] {
        Value::Null | Value::Object(_) => kind,
        Value::String(empty) if empty.is_empty() => kind,
        Value::Array(empty) if empty.is_empty() => kind,
        default => format!("{kind}, default `{}`", default.to_string().replace('"', "")),
    }
}

fn item(items: &Value) -> &str {
    text(&items["type"])
}

fn described(schema: &Value) -> String {
    escaped(text(&schema["description"]))
}

/// On one line, in one cell of a table.
fn escaped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn say(page: &mut String, what: std::fmt::Arguments<'_>) {
    // A String takes all.
    let _ = page.write_fmt(what);
}
