//! The values of a stack's parameters: what was given, what is kept, what the template's default is, and whether
//! the template's own constraints allow it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::template::{Parameter, Template, scalar};

/// Values by parameter name, as text; lists are still comma-separated.
pub(super) type Values = BTreeMap<String, String>;

/// What CloudFormation shows instead of a NoEcho value.
pub(super) const MASK: &str = "****";

/// How many expressions a thread keeps.
const MOST_KEPT: usize = 100;

/// The values for a template: `given` as in the request, `previous` those of the stack that is updated.
///
/// # Errors
/// In CloudFormation's words: which parameter lacks a value, is unknown, or has a value that is not allowed.
pub(super) fn resolve(template: &Template, given: &[Value], previous: Option<&Values>) -> Result<Values, String> {
    let mut values = Values::new();
    let mut unknown = Vec::new();
    for item in given {
        let key = item.get("ParameterKey").and_then(Value::as_str).unwrap_or_default();
        let value = item.get("ParameterValue").and_then(scalar);
        let keep = item.get("UsePreviousValue").and_then(scalar).is_some_and(|flag| flag == "true");
        if !template.parameters.contains_key(key) {
            unknown.push(key);
            continue;
        }
        let value = match (keep, value) {
            (true, Some(text)) if !text.is_empty() => {
                return Err(format!("Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty value for a parameter"));
            }
            (true, _) => previous.and_then(|previous| previous.get(key)).cloned().ok_or_else(|| {
                format!("Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not in the previous template")
            })?,
            (false, value) => value.unwrap_or_default(),
        };
        if values.insert(key.to_owned(), value).is_some() {
            return Err(format!("Parameter {key} is specified more than once"));
        }
    }
    if !unknown.is_empty() {
        return Err(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
    }
    let mut missing = Vec::new();
    for (key, parameter) in &template.parameters {
        if !values.contains_key(key) {
            match &parameter.default {
                Some(default) => drop(values.insert(key.clone(), default.clone())),
                None => missing.push(key.as_str()),
            }
        }
    }
    if !missing.is_empty() {
        return Err(format!("Parameters: [{}] must have values", missing.join(", ")));
    }
    for (key, value) in &values {
        check(key, &template.parameters[key], value)?;
    }
    Ok(values)
}

/// The value as `Ref` gives it: text, or a list of texts.
pub(super) fn referred(parameter: &Parameter, value: &str) -> Value {
    if !is_list(parameter) {
        return Value::String(value.to_owned());
    }
    if value.is_empty() {
        return Value::Array(Vec::new());
    }
    Value::Array(value.split(',').map(|item| Value::String(item.trim().to_owned())).collect())
}

fn is_list(parameter: &Parameter) -> bool {
    parameter.kind == "CommaDelimitedList" || parameter.kind.starts_with("List<")
}

fn check(key: &str, parameter: &Parameter, value: &str) -> Result<(), String> {
    let refused = |rule: String| match &parameter.constraint {
        Some(sentence) => Err(format!("Parameter {key} failed to satisfy constraint: {sentence}")),
        None => Err(format!("Parameter '{key}' {rule}")),
    };
    if value.len() > 4096 {
        return Err(format!("Parameter '{key}' must contain at most 4096 characters"));
    }
    let items: Vec<&str> =
        if is_list(parameter) && !value.is_empty() { value.split(',').map(str::trim).collect() } else { vec![value] };
    if let Some(allowed) = &parameter.allowed_values
        && items.iter().any(|item| !allowed.iter().any(|one| one == item))
    {
        return refused("must be one of AllowedValues".to_owned());
    }
    if parameter.kind == "Number" || parameter.kind == "List<Number>" {
        for item in &items {
            let Ok(number) = item.parse::<f64>() else { return Err(format!("Parameter '{key}' must be a number.")) };
            if let Some(least) = parameter.min_value.filter(|least| number < *least) {
                return refused(format!("must be a number not less than {least}"));
            }
            if let Some(most) = parameter.max_value.filter(|most| number > *most) {
                return refused(format!("must be a number not greater than {most}"));
            }
        }
    }
    let length = value.chars().count() as f64;
    if let Some(least) = parameter.min_length.filter(|least| length < *least) {
        return refused(format!("must contain at least {least} characters"));
    }
    if let Some(most) = parameter.max_length.filter(|most| length > *most) {
        return refused(format!("must contain at most {most} characters"));
    }
    if let Some(pattern) = &parameter.allowed_pattern {
        let whole = whole(pattern)
            .ok_or_else(|| format!("Parameter '{key}': AllowedPattern {pattern} is not a valid expression"))?;
        if items.iter().any(|item| !whole.is_match(item)) {
            return refused(format!("must match pattern {pattern}"));
        }
    }
    Ok(())
}

/// The expression that a whole value must match, as in CloudFormation; `None`: it is no expression. Kept, since every stack of
/// a template has the same ones, and to compile one costs more than all else of a stack's creation.
fn whole(pattern: &str) -> Option<Regex> {
    thread_local!(static KEPT: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) });
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(pattern) {
            return Some(known.clone());
        }
        let made = Regex::new(&format!("^(?:{pattern})$")).ok()?;
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), made.clone());
        Some(made)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    fn with(declaration: Value) -> Template {
        Template::parse(&json!({"Parameters": {"P": declaration}, "Resources": {"A": {"Type": "T"}}}).to_string())
            .unwrap()
    }

    #[test]
    fn values_must_satisfy_the_templates_constraints() {
        let cases: &[(&str, Value, Value, Result<&str, &str>)] = &[
            (
                "a value that was given",
                json!({"Type": "String"}),
                json!([{"ParameterKey": "P", "ParameterValue": "x"}]),
                Ok("x"),
            ),
            ("the default", json!({"Type": "Number", "Default": 3}), json!([]), Ok("3")),
            ("an empty value", json!({"Type": "String"}), json!([{"ParameterKey": "P", "ParameterValue": ""}]), Ok("")),
            ("none", json!({"Type": "String"}), json!([]), Err("Parameters: [P] must have values")),
            (
                "an unknown one",
                json!({"Type": "String", "Default": ""}),
                json!([{"ParameterKey": "Q", "ParameterValue": "x"}]),
                Err("Parameters: [Q] do not exist in the template"),
            ),
            (
                "a value not allowed",
                json!({"Type": "String", "AllowedValues": ["a"]}),
                json!([{"ParameterKey": "P", "ParameterValue": "x"}]),
                Err("Parameter 'P' must be one of AllowedValues"),
            ),
            (
                "a list item not allowed",
                json!({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}),
                json!([{"ParameterKey": "P", "ParameterValue": "a, c"}]),
                Err("Parameter 'P' must be one of AllowedValues"),
            ),
            (
                "a pattern matched in part",
                json!({"Type": "String", "AllowedPattern": "[a-z]+"}),
                json!([{"ParameterKey": "P", "ParameterValue": "a1"}]),
                Err("Parameter 'P' must match pattern [a-z]+"),
            ),
            (
                "a constraint's own sentence",
                json!({"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "letters only"}),
                json!([{"ParameterKey": "P", "ParameterValue": "1"}]),
                Err("Parameter P failed to satisfy constraint: letters only"),
            ),
            (
                "too short",
                json!({"Type": "String", "MinLength": 2}),
                json!([{"ParameterKey": "P", "ParameterValue": "a"}]),
                Err("Parameter 'P' must contain at least 2 characters"),
            ),
            (
                "too long",
                json!({"Type": "String", "MaxLength": "2"}),
                json!([{"ParameterKey": "P", "ParameterValue": "abc"}]),
                Err("Parameter 'P' must contain at most 2 characters"),
            ),
            (
                "no number",
                json!({"Type": "Number"}),
                json!([{"ParameterKey": "P", "ParameterValue": "abc"}]),
                Err("Parameter 'P' must be a number."),
            ),
            (
                "too small",
                json!({"Type": "Number", "MinValue": 2}),
                json!([{"ParameterKey": "P", "ParameterValue": "1"}]),
                Err("Parameter 'P' must be a number not less than 2"),
            ),
            (
                "too large",
                json!({"Type": "Number", "MaxValue": 2}),
                json!([{"ParameterKey": "P", "ParameterValue": "3"}]),
                Err("Parameter 'P' must be a number not greater than 2"),
            ),
        ];
        for (name, declaration, given, expected) in cases {
            let values = resolve(&with(declaration.clone()), given.as_array().unwrap(), None);
            assert_eq!(values.as_ref().map(|values| values["P"].as_str()).map_err(String::as_str), *expected, "{name}");
        }
    }

    #[test]
    fn the_previous_value_serves_where_there_is_one() {
        let template = with(json!({"Type": "String", "NoEcho": true}));
        let keep = json!([{"ParameterKey": "P", "UsePreviousValue": "true"}]);
        let previous = Values::from([("P".into(), "old".into())]);
        assert_eq!(resolve(&template, keep.as_array().unwrap(), Some(&previous)).unwrap()["P"], "old");
        assert_eq!(
            resolve(&template, keep.as_array().unwrap(), None).unwrap_err(),
            "Invalid input for parameter key P. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
        );
    }

    #[test]
    fn a_value_of_more_than_4096_characters_is_refused() {
        let given = json!([{"ParameterKey": "P", "ParameterValue": "x".repeat(4097)}]);
        let error = resolve(&with(json!({"Type": "String"})), given.as_array().unwrap(), None).unwrap_err();
        assert_eq!(error, "Parameter 'P' must contain at most 4096 characters");
    }
}
