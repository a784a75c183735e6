//! The text of a template, parsed: YAML with its short tags, or JSON. It stands alone so that evaluation sees one
//! form only, the long one (`{"Fn::Sub": ..}`). It must not evaluate anything.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A parsed template. Two templates are equal where they say the same, however they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// As it was sent.
    pub(super) text: String,
    /// The whole of it in the long form.
    pub(super) source: Value,
    pub(super) description: Option<String>,
    pub(super) metadata: Option<Value>,
    pub(super) parameters: BTreeMap<String, Parameter>,
    pub(super) rules: Map<String, Value>,
    pub(super) mappings: Map<String, Value>,
    pub(super) conditions: Map<String, Value>,
    pub(super) transforms: Vec<String>,
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) outputs: BTreeMap<String, Output>,
}

/// A declared parameter.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameter {
    pub(super) kind: String,
    pub(super) description: Option<String>,
    pub(super) default: Option<String>,
    pub(super) no_echo: bool,
    pub(super) allowed_values: Option<Vec<String>>,
    pub(super) allowed_pattern: Option<String>,
    pub(super) constraint: Option<String>,
    pub(super) min_length: Option<f64>,
    pub(super) max_length: Option<f64>,
    pub(super) min_value: Option<f64>,
    pub(super) max_value: Option<f64>,
}

/// A declared resource.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) kind: String,
    pub(super) properties: Value,
    pub(super) condition: Option<String>,
    pub(super) depends_on: Vec<String>,
    pub(super) deletion: Retention,
    pub(super) replacement: Retention,
}

/// What becomes of the physical thing when its resource goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retention {
    Delete,
    Retain,
    RetainExceptOnCreate,
}

/// A declared output.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub(super) value: Value,
    pub(super) description: Option<String>,
    pub(super) condition: Option<String>,
    pub(super) export: Option<Value>,
}

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
];
const PARAMETER_MEMBERS: &[&str] = &[
    "Type",
    "Default",
    "Description",
    "NoEcho",
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
];
const RESOURCE_MEMBERS: &[&str] =
    &["Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"];
const SHORT_TAGS: &[&str] = &[
    "Sub",
    "GetAtt",
    "If",
    "Join",
    "Select",
    "Split",
    "Equals",
    "And",
    "Or",
    "Not",
    "FindInMap",
    "Base64",
    "ImportValue",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "RefAll",
    "ValueOf",
    "ValueOfAll",
];

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// In CloudFormation's words: what is wrong with its form.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let source = long_form(text)?;
        let Some(top) = source.as_object() else { return Err("Template format error: unsupported structure.".into()) };
        let unknown: Vec<&str> = top.keys().map(String::as_str).filter(|key| !SECTIONS.contains(key)).collect();
        if !unknown.is_empty() {
            return Err(format!("Invalid template property or properties [{}]", unknown.join(", ")));
        }
        if top.get("AWSTemplateFormatVersion").is_some_and(|version| version != "2010-09-09") {
            return Err(
                "Template format error: [/AWSTemplateFormatVersion] the only supported value is 2010-09-09".into()
            );
        }
        let section = |name: &str| -> Result<Map<String, Value>, String> {
            match top.get(name) {
                None => Ok(Map::new()),
                Some(Value::Object(members)) => Ok(members.clone()),
                Some(_) => Err(format!("Template format error: [/{name}] must be an object.")),
            }
        };
        let resources = section("Resources")?;
        if resources.is_empty() {
            return Err("Template format error: At least one Resources member must be defined.".into());
        }
        let limits = [
            ("parameters", section("Parameters")?.len(), 200),
            ("resources", resources.len(), 500),
            ("outputs", section("Outputs")?.len(), 200),
        ];
        if let Some((noun, count, limit)) = limits.into_iter().find(|(_, count, limit)| count > limit) {
            return Err(format!(
                "Template format error: Number of {noun}, {count}, is greater than maximum allowed, {limit}"
            ));
        }
        let description = top
            .get("Description")
            .map(|text| {
                text.as_str()
                    .map(str::to_owned)
                    .ok_or("Template format error: Every Description member must be a string.")
            })
            .transpose()?;
        if description.as_ref().is_some_and(|text| text.len() > 1024) {
            return Err("Template format error: Template description is longer than 1024 bytes.".into());
        }
        Ok(Self {
            text: text.to_owned(),
            description,
            metadata: top.get("Metadata").cloned(),
            parameters: each("Parameter", section("Parameters")?, parameter)?,
            rules: section("Rules")?,
            mappings: section("Mappings")?,
            conditions: section("Conditions")?,
            transforms: texts(top.get("Transform")),
            resources: each("Resource", resources, resource)?,
            outputs: each("Output", section("Outputs")?, output)?,
            source,
        })
    }
}

fn each<T>(
    noun: &str,
    members: Map<String, Value>,
    read: impl Fn(&str, &Value) -> Result<T, String>,
) -> Result<BTreeMap<String, T>, String> {
    let mut all = BTreeMap::new();
    for (name, value) in members {
        if name.is_empty() || name.len() > 255 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("Template format error: {noun} name {name} is non alphanumeric."));
        }
        if !value.is_object() {
            return Err(format!("Template format error: [/{noun}s/{name}] every {noun}s member must be an object."));
        }
        let read = read(&name, &value)?;
        all.insert(name, read);
    }
    Ok(all)
}

fn parameter(name: &str, value: &Value) -> Result<Parameter, String> {
    refuse_unknown(value, PARAMETER_MEMBERS, "parameter")?;
    let Some(kind) = value.get("Type").and_then(Value::as_str) else {
        return Err(format!(
            "Template format error: Every Parameters object must contain a Type member. Parameter {name} has none."
        ));
    };
    let simple = ["String", "Number", "CommaDelimitedList", "List<Number>", "List<String>"];
    let specific =
        |text: &str| text.starts_with("AWS::") && text.matches("::").count() == 3 && !text.starts_with("AWS::SSM::");
    let known = simple.contains(&kind)
        || specific(kind)
        || kind.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>')).is_some_and(specific);
    if !known {
        return Err(format!("Template format error: Unrecognized parameter type: {kind}"));
    }
    let text = |member: &str| value.get(member).and_then(scalar);
    let number = |member: &str| -> Result<Option<f64>, String> {
        text(member)
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("Template format error: {member} of parameter {name} must be a number."))
            })
            .transpose()
    };
    Ok(Parameter {
        kind: kind.to_owned(),
        description: text("Description"),
        default: text("Default"),
        no_echo: text("NoEcho").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        allowed_values: value.get("AllowedValues").map(|values| texts(Some(values))),
        allowed_pattern: text("AllowedPattern"),
        constraint: text("ConstraintDescription"),
        min_length: number("MinLength")?,
        max_length: number("MaxLength")?,
        min_value: number("MinValue")?,
        max_value: number("MaxValue")?,
    })
}

fn resource(name: &str, value: &Value) -> Result<Resource, String> {
    refuse_unknown(value, RESOURCE_MEMBERS, "resource")?;
    let Some(kind) = value.get("Type").and_then(Value::as_str) else {
        return Err(format!(
            "Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        ));
    };
    let properties = value.get("Properties").cloned().unwrap_or_else(|| json!({}));
    if !properties.is_object() {
        return Err(format!("Template format error: [/Resources/{name}/Properties] must be an object."));
    }
    let policy = |member: &str, on_create: bool| match value.get(member).map(|value| value.as_str().unwrap_or_default())
    {
        None | Some("Delete") => Ok(Retention::Delete),
        Some("Retain") => Ok(Retention::Retain),
        Some("RetainExceptOnCreate") if on_create => Ok(Retention::RetainExceptOnCreate),
        // Of the types known here, none makes snapshots.
        Some("Snapshot") => Err(format!("Template error: resource type {kind} does not support {member} Snapshot")),
        Some(other) => Err(format!("Template format error: Unrecognized {member} {other} for resource {name}")),
    };
    Ok(Resource {
        kind: kind.to_owned(),
        properties,
        condition: value.get("Condition").and_then(scalar),
        depends_on: texts(value.get("DependsOn")),
        deletion: policy("DeletionPolicy", true)?,
        replacement: policy("UpdateReplacePolicy", false)?,
    })
}

fn output(name: &str, value: &Value) -> Result<Output, String> {
    refuse_unknown(value, &["Value", "Description", "Condition", "Export"], "output")?;
    let Some(content) = value.get("Value") else {
        return Err(format!("Template format error: Output {name} is malformed: it has no Value."));
    };
    Ok(Output {
        value: content.clone(),
        description: value.get("Description").and_then(scalar),
        condition: value.get("Condition").and_then(scalar),
        export: value.get("Export").map(|export| export.get("Name").cloned().unwrap_or(Value::Null)),
    })
}

fn refuse_unknown(value: &Value, known: &[&str], noun: &str) -> Result<(), String> {
    match value.as_object().and_then(|members| members.keys().find(|key| !known.contains(&key.as_str()))) {
        Some(key) => Err(format!("Invalid template {noun} property '{key}'")),
        None => Ok(()),
    }
}

/// A scalar as CloudFormation takes it: everything is text in the end.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// One text or a list of texts, as a list.
pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(scalar).collect(),
        Some(value) => scalar(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn long_form(text: &str) -> Result<Value, String> {
    let value = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| {
            format!("Template format error: JSON not well-formed. (line {}, column {})", error.line(), error.column())
        })?
    } else {
        let yaml: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| match error.location() {
            Some(at) => {
                format!("Template format error: YAML not well-formed. (line {}, column {})", at.line(), at.column())
            }
            None => format!("Template format error: YAML not well-formed. {error}"),
        })?;
        from_yaml(yaml)?
    };
    refuse_null(&value, "")?;
    Ok(value)
}

fn refuse_null(value: &Value, path: &str) -> Result<(), String> {
    match value {
        // Metadata is free.
        Value::Null if !path.starts_with("/Metadata") => {
            Err(format!("Template format error: [{path}] 'null' values are not allowed in templates"))
        }
        Value::Object(members) => {
            members.iter().try_for_each(|(key, value)| refuse_null(value, &format!("{path}/{key}")))
        }
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, value)| refuse_null(value, &format!("{path}/{index}")))
        }
        _ => Ok(()),
    }
}

fn from_yaml(value: serde_yaml::Value) -> Result<Value, String> {
    use serde_yaml::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => {
            serde_json::to_value(number).map_err(|error| format!("Template format error: {error}"))?
        }
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(from_yaml).collect::<Result<_, _>>()?),
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                let key = from_yaml(key)?;
                let Some(key) = scalar(&key) else {
                    return Err("Template format error: unsupported structure.".into());
                };
                object.insert(key, from_yaml(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let inner = from_yaml(tagged.value)?;
            match (tag, inner) {
                ("Ref" | "Condition", inner) => json!({ tag: inner }),
                ("GetAtt", Value::String(text)) => match text.split_once('.') {
                    Some((resource, attribute)) => json!({ "Fn::GetAtt": [resource, attribute] }),
                    None => return Err(get_att_form(&text)),
                },
                (tag, inner) if SHORT_TAGS.contains(&tag) => json!({ format!("Fn::{tag}"): inner }),
                (tag, _) => return Err(format!("Template format error: Unrecognized tag !{tag}")),
            }
        }
    })
}

/// The sentence for a GetAtt that does not name a resource and an attribute.
pub(super) fn get_att_form(text: &str) -> String {
    format!(
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute: {text}"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn short_tags_become_the_long_form() {
        let yaml = "Resources:\n  A:\n    Type: T\n    Properties:\n      P: [!Ref X, !GetAtt A.B.C, !Sub 'a${X}', !If [C, 1, !Ref 'AWS::NoValue'], !Base64 x]\nConditions:\n  C: !Not [!Equals [!Ref X, '']]\n  D: !And [!Condition C, !Condition C]\n";
        let template = Template::parse(yaml).unwrap();
        assert_eq!(
            template.resources["A"].properties["P"],
            json!([{"Ref": "X"}, {"Fn::GetAtt": ["A", "B.C"]}, {"Fn::Sub": "a${X}"}, {"Fn::If": ["C", 1, {"Ref": "AWS::NoValue"}]}, {"Fn::Base64": "x"}])
        );
        assert_eq!(template.conditions["D"], json!({"Fn::And": [{"Condition": "C"}, {"Condition": "C"}]}));
    }

    #[test]
    fn what_is_no_template_is_refused_in_cloudformations_words() {
        let cases: &[(&str, &str, &str)] = &[
            ("a text", "hello", "Template format error: unsupported structure."),
            ("broken JSON", "{\"Resources\": ", "Template format error: JSON not well-formed. (line 1, column 14)"),
            ("broken YAML", "Resources: [", "Template format error: YAML not well-formed. (line 2, column 1)"),
            ("no resources", "Description: x", "Template format error: At least one Resources member must be defined."),
            ("an unknown section", "Resource: {}", "Invalid template property or properties [Resource]"),
            (
                "a resource without type",
                "Resources: {A: {}}",
                "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
            ),
            (
                "a bad logical id",
                "Resources: {A-B: {Type: T}}",
                "Template format error: Resource name A-B is non alphanumeric.",
            ),
            (
                "a null",
                "Resources: {A: {Type: T, Properties: {P: null}}}",
                "Template format error: [/Resources/A/Properties/P] 'null' values are not allowed in templates",
            ),
            (
                "an unknown tag",
                "Resources: {A: {Type: T, Properties: {P: !Magic x}}}",
                "Template format error: Unrecognized tag !Magic",
            ),
            (
                "an unknown parameter type",
                "Parameters: {P: {Type: Text}}\nResources: {A: {Type: T}}",
                "Template format error: Unrecognized parameter type: Text",
            ),
            (
                "an unknown resource attribute",
                "Resources: {A: {Type: T, Propertys: {}}}",
                "Invalid template resource property 'Propertys'",
            ),
            (
                "a snapshot where none is made",
                "Resources: {A: {Type: T, DeletionPolicy: Snapshot}}",
                "Template error: resource type T does not support DeletionPolicy Snapshot",
            ),
        ];
        for (name, text, sentence) in cases {
            assert_eq!(Template::parse(text).expect_err(name), *sentence, "{name}");
        }
    }

    #[test]
    fn more_than_five_hundred_resources_are_refused() {
        let resources: Map<String, Value> = (0..501).map(|n| (format!("R{n}"), json!({"Type": "T"}))).collect();
        let error = Template::parse(&json!({ "Resources": resources }).to_string()).unwrap_err();
        assert_eq!(error, "Template format error: Number of resources, 501, is greater than maximum allowed, 500");
    }
}
