//! The chart and the operator's configuration: the schema of the chart's values holds that of the type, their defaults are
//! the type's, and whatever the schema refuses, the operator refuses, too, with the field's path. What Helm and the API server
//! say of the chart is tests/cluster's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use mlops_operator::config::Config;
use mlops_operator::crd::MlopsProject;
use serde_json::{Map, Value, json};

/// Where the generated part of values.schema.json begins: it is the last of the definitions.
const GENERATED: &str = "    \"config\": {";

fn chart(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/mlops-operator").join(file)
}

fn yaml(file: &str) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(chart(file)).unwrap()).unwrap()
}

fn values_schema() -> Value {
    serde_json::from_str(&std::fs::read_to_string(chart("values.schema.json")).unwrap()).unwrap()
}

#[test]
fn the_schema_of_the_values_holds_that_of_the_configuration() {
    let path = chart("values.schema.json");
    let found = std::fs::read_to_string(&path).unwrap();
    let definitions = found.find("  \"$defs\": {").unwrap();
    let begin = definitions + found[definitions..].find(GENERATED).expect("a definition of config");
    let schema = serde_json::to_string_pretty(&Config::schema()).unwrap().replace('\n', "\n    ");
    let wanted = format!("{}    \"config\": {schema}\n  }}\n}}\n", &found[..begin]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(found == wanted, "values.schema.json does not match the configuration's type: run `make chart`");
    }
}

#[test]
fn the_defaults_of_the_chart_are_those_of_the_operator() {
    let values = yaml("values.yaml");
    assert_eq!(Config::parse(&values["config"].to_string()).unwrap(), Config::default());
    let mut faults = Vec::new();
    let schema = values_schema();
    same_keys("", &schema, &schema["$defs"], &values, &mut faults);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What the schema takes, values.yaml has, so that it is in the table of values: Helm's own key apart.
fn same_keys(path: &str, schema: &Value, definitions: &Value, values: &Value, faults: &mut Vec<String>) {
    let reference = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
    let schema = reference.map_or(schema, |name| &definitions[name]);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        let given = values.get(name);
        // What may be left out of a strategy is Kubernetes'.
        if given.is_none() && path != "/global" && !path.starts_with("/strategy/") {
            faults.push(format!("values.yaml has no {path}"));
        }
        same_keys(&path, property, definitions, given.unwrap_or(&Value::Null), faults);
    }
}

#[test]
fn what_may_be_granted_stands_in_the_document_of_grants() {
    let schema = serde_json::to_value(Config::schema()).unwrap();
    let text = std::fs::read_to_string(chart("../../docs/grants.md")).unwrap();
    let table: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    for key in schema["properties"]["inlinePlatforms"]["items"]["properties"].as_object().unwrap().keys() {
        let named = table.iter().any(|row| row.split(" | ").next().unwrap().contains(key.as_str()));
        assert!(named, "docs/grants.md does not say what {key} grants");
    }
}

#[test]
fn what_artifact_hub_reads_is_what_there_is() {
    let annotations = &yaml("Chart.yaml")["annotations"];
    let read = |key: &str| -> Vec<Value> { serde_yaml::from_str(annotations[key].as_str().unwrap()).unwrap() };
    let mut told: Vec<String> = read("artifacthub.io/crds")
        .iter()
        .map(|crd| format!("{}.yaml {}", crd["name"].as_str().unwrap(), crd["version"].as_str().unwrap()))
        .collect();
    told.sort();
    let mut there: Vec<String> = std::fs::read_dir(chart("files/crds"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .map(|name| {
            format!("{name} {}", yaml(&format!("files/crds/{name}"))["spec"]["versions"][0]["name"].as_str().unwrap())
        })
        .collect();
    there.sort();
    assert_eq!(told, there);
    for example in read("artifacthub.io/crdsExamples") {
        serde_json::from_value::<MlopsProject>(example.clone()).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

#[test]
fn what_the_schema_refuses_the_operator_refuses_with_the_fields_path() {
    let schema = serde_json::to_value(Config::schema()).unwrap();
    let mut cases = Vec::new();
    wrong("", &schema, &|value| value, &mut cases);
    assert!(cases.len() > 60, "{} wrong values", cases.len());
    for (path, config) in cases {
        let said = Config::parse(&config.to_string()).expect_err(&format!("{config} is taken"));
        assert!(said.contains(&path), "{config}: {path} is not in: {said}");
    }
}

/// Every wrong value that the schema knows of, each in a configuration that is otherwise right, with its path.
fn wrong(path: &str, schema: &Value, within: &dyn Fn(Value) -> Value, cases: &mut Vec<(String, Value)>) {
    let mut case = |path: &str, value: Value| cases.push((path.to_owned(), within(value)));
    for value in wrong_values(schema) {
        case(path, value);
    }
    if schema["additionalProperties"] == false {
        // The object's path, if it has one, and the key's name.
        let mut object = right(schema);
        object["unknownKey"] = json!(1);
        case(path, object.clone());
        case("unknownKey", object);
    }
    if schema["minItems"] == 1 {
        case(path, json!([]));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let whole = |value: Value| {
            let mut object = right(schema);
            object[name] = value;
            within(object)
        };
        wrong(&path, property, &whole, cases);
    }
    if let Some(items) = schema.get("items") {
        wrong(&format!("{path}[0]"), items, &|value| within(json!([value])), cases);
    }
}

/// An object with no more than it must have.
fn right(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten();
    let named = required.map(|name| (name.as_str().unwrap().to_owned(), json!(["team-a"])));
    Value::Object(named.collect::<Map<_, _>>())
}

fn wrong_values(schema: &Value) -> Vec<Value> {
    let mut values = match schema["type"].as_str().expect("a type") {
        "boolean" => vec![json!("perhaps"), json!(1)],
        "integer" => vec![json!("many"), json!([1])],
        // A number is taken as the text that was written: account ids without quotes.
        "string" => vec![json!([]), json!({"a": 1})],
        "array" => vec![json!("team-a"), json!({"a": 1})],
        _ => vec![json!("text"), json!([[]])],
    };
    values.extend(schema["minimum"].as_i64().map(|bound| json!(bound - 1)));
    values.extend(schema["maximum"].as_i64().map(|bound| json!(bound + 1)));
    if schema.get("enum").is_some() || schema.get("pattern").is_some() {
        values.extend([json!(""), json!("/not so/")].into_iter().filter(|value| !takes(schema, value)));
    }
    values
}

fn takes(schema: &Value, value: &Value) -> bool {
    let form = schema["pattern"].as_str().map(|pattern| regex::Regex::new(pattern).unwrap());
    form.is_some_and(|form| form.is_match(value.as_str().unwrap()))
}
