//! Event patterns: whether they are valid, and whether an event matches. Pure functions over JSON, as the
//! EventBridge User Guide says under "Amazon EventBridge event patterns".

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// The longest pattern that PutRule takes, in characters.
pub const LONGEST: usize = 4096;

/// Reads and checks a pattern.
///
/// # Errors
/// The reason why it is not valid.
pub fn parse(text: &str) -> Result<Value, String> {
    if text.chars().count() > LONGEST {
        return Err(format!("Event pattern is longer than {LONGEST} characters"));
    }
    let pattern: Value = serde_json::from_str(text).map_err(|_| "Event pattern is not valid JSON".to_owned())?;
    match &pattern {
        Value::Object(fields) => fields_are_valid(fields)?,
        _ => return Err("Filter is not an object".to_owned()),
    }
    Ok(pattern)
}

fn fields_are_valid(fields: &Map<String, Value>) -> Result<(), String> {
    if fields.is_empty() {
        return Err("Empty objects are not allowed".to_owned());
    }
    for (name, value) in fields {
        match value {
            Value::Array(choices) if name == "$or" => {
                if choices.len() < 2 {
                    return Err("$or must be an array of at least two objects".to_owned());
                }
                for choice in choices {
                    match choice {
                        Value::Object(fields) => fields_are_valid(fields)?,
                        _ => return Err("$or must be an array of objects".to_owned()),
                    }
                }
            }
            Value::Array(choices) if choices.is_empty() => return Err("Empty arrays are not allowed".to_owned()),
            Value::Array(choices) => choices.iter().try_for_each(choice_is_valid)?,
            Value::Object(fields) => fields_are_valid(fields)?,
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(())
}

fn choice_is_valid(choice: &Value) -> Result<(), String> {
    let Value::Object(members) = choice else {
        return if choice.is_array() { Err("Match value must not be an array".to_owned()) } else { Ok(()) };
    };
    let (Some((name, operand)), 1) = (members.iter().next(), members.len()) else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    let good = match name.as_str() {
        "prefix" | "suffix" => operand.is_string() || ignore_case(operand).is_some(),
        "equals-ignore-case" | "wildcard" => operand.is_string(),
        "exists" => operand.is_boolean(),
        "numeric" => operand.as_array().is_some_and(|terms| terms_are_valid(terms)),
        "anything-but" => match operand {
            Value::Array(items) => !items.is_empty() && items.iter().all(|item| item.is_string() || item.is_number()),
            Value::Object(inner) => {
                let known = ["prefix", "suffix", "equals-ignore-case", "wildcard"];
                inner.len() == 1
                    && inner.iter().all(|(name, value)| known.contains(&name.as_str()) && texts(value).is_some())
            }
            Value::String(_) | Value::Number(_) => true,
            _ => false,
        },
        _ => return Err(format!("Unrecognized match type {name}")),
    };
    if good { Ok(()) } else { Err(format!("{name} match pattern has an operand that is not allowed")) }
}

fn terms_are_valid(terms: &[Value]) -> bool {
    let pair = |pair: &[Value]| {
        let operator = pair.first().and_then(Value::as_str).unwrap_or_default();
        ["=", "<", "<=", ">", ">="].contains(&operator) && pair.get(1).is_some_and(Value::is_number)
    };
    matches!(terms.len(), 2 | 4) && terms.chunks(2).all(pair)
}

/// Whether an event matches a valid pattern.
pub fn matches(pattern: &Value, event: &Value) -> bool {
    let Some(fields) = pattern.as_object() else { return false };
    fields.iter().all(|(name, wanted)| match wanted {
        Value::Array(choices) if name == "$or" => choices.iter().any(|choice| matches(choice, event)),
        Value::Array(choices) => field_matches(choices, event.get(name)),
        _ => match event.get(name) {
            Some(Value::Array(items)) => items.iter().any(|item| matches(wanted, item)),
            Some(inner) => matches(wanted, inner),
            // Below an absent field, only the demand that something be absent holds.
            None => matches(wanted, &Value::Null),
        },
    })
}

fn field_matches(choices: &[Value], found: Option<&Value>) -> bool {
    choices.iter().any(|choice| match (choice.get("exists").and_then(Value::as_bool), found) {
        (Some(wanted), found) => wanted == found.is_some_and(|value| !value.is_object()),
        (None, None) => false,
        (None, Some(Value::Array(items))) => items.iter().any(|item| value_matches(choice, item)),
        (None, Some(value)) => value_matches(choice, value),
    })
}

fn value_matches(choice: &Value, value: &Value) -> bool {
    let Some((name, operand)) = choice.as_object().and_then(|members| members.iter().next()) else {
        return same(choice, value);
    };
    match name.as_str() {
        "anything-but" => match operand {
            Value::Array(items) => !items.iter().any(|item| same(item, value)),
            Value::Object(inner) => {
                let Some((name, operand)) = inner.iter().next() else { return false };
                let operands = texts(operand).unwrap_or_default();
                value.is_string() && !operands.iter().any(|operand| text_matches(name, &Value::from(*operand), value))
            }
            plain => !same(plain, value),
        },
        "numeric" => match (operand.as_array(), value.as_f64()) {
            (Some(terms), Some(number)) => terms.chunks(2).all(|term| number_matches(term, number)),
            _ => false,
        },
        other => text_matches(other, operand, value),
    }
}

fn text_matches(name: &str, operand: &Value, value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let lower = text.to_lowercase();
    match (name, operand.as_str(), ignore_case(operand)) {
        ("prefix", Some(operand), _) => text.starts_with(operand),
        ("suffix", Some(operand), _) => text.ends_with(operand),
        ("prefix", None, Some(operand)) => lower.starts_with(&operand.to_lowercase()),
        ("suffix", None, Some(operand)) => lower.ends_with(&operand.to_lowercase()),
        ("equals-ignore-case", Some(operand), _) => lower == operand.to_lowercase(),
        ("wildcard", Some(operand), _) => wildcard(operand, text),
        _ => false,
    }
}

fn number_matches(term: &[Value], number: f64) -> bool {
    let (Some(operator), Some(limit)) = (term.first().and_then(Value::as_str), term.get(1).and_then(Value::as_f64))
    else {
        return false;
    };
    let order = number.partial_cmp(&limit);
    match operator {
        "=" => order == Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        ">" => order == Some(Ordering::Greater),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        _ => false,
    }
}

/// Equality as EventBridge has it: numbers by value, all else exactly.
fn same(wanted: &Value, value: &Value) -> bool {
    match (wanted.as_f64(), value.as_f64()) {
        (Some(wanted), Some(value)) => wanted.partial_cmp(&value) == Some(Ordering::Equal),
        _ => wanted == value,
    }
}

fn ignore_case(operand: &Value) -> Option<&str> {
    let members = operand.as_object().filter(|members| members.len() == 1)?;
    members.get("equals-ignore-case")?.as_str()
}

/// One text or several.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) if !items.is_empty() => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(tail) = text.strip_prefix(head) else { return false };
    (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| wildcard(rest, &tail[at..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn patterns_match_what_the_user_guide_says() {
        let event = json!({"source": "aws.sagemaker", "detail-type": "SageMaker Model Package State Change",
            "resources": ["arn:one", "arn:two"],
            "detail": {"ModelPackageGroupName": "churn-p-1", "ModelApprovalStatus": "Approved",
                       "ModelPackageVersion": 7, "Note": null, "Empty": ""}});
        #[rustfmt::skip]
        let rows = [
            ("an exact value", json!({"source": ["aws.sagemaker"]}), true),
            ("another value", json!({"source": ["aws.s3"]}), false),
            ("one of several", json!({"source": ["aws.s3", "aws.sagemaker"]}), true),
            ("all fields must match", json!({"source": ["aws.sagemaker"], "account": ["1"]}), false),
            ("a nested field", json!({"detail": {"ModelApprovalStatus": ["Approved"]}}), true),
            ("a member of an array", json!({"resources": ["arn:two"]}), true),
            ("a number by its value", json!({"detail": {"ModelPackageVersion": [7.0]}}), true),
            ("null is a value", json!({"detail": {"Note": [null]}}), true),
            ("the empty text is a value", json!({"detail": {"Empty": [""]}}), true),
            ("prefix", json!({"detail": {"ModelPackageGroupName": [{"prefix": "churn-"}]}}), true),
            ("prefix, whatever the case", json!({"detail": {"ModelPackageGroupName": [{"prefix": {"equals-ignore-case": "CHURN"}}]}}), true),
            ("suffix", json!({"detail": {"ModelPackageGroupName": [{"suffix": "-2"}]}}), false),
            ("equals-ignore-case", json!({"detail": {"ModelApprovalStatus": [{"equals-ignore-case": "APPROVED"}]}}), true),
            ("wildcard", json!({"detail": {"ModelPackageGroupName": [{"wildcard": "churn-*-1"}]}}), true),
            ("anything-but one", json!({"detail": {"ModelApprovalStatus": [{"anything-but": "Rejected"}]}}), true),
            ("anything-but several", json!({"detail": {"ModelApprovalStatus": [{"anything-but": ["Rejected", "Approved"]}]}}), false),
            ("anything-but a prefix", json!({"detail": {"ModelApprovalStatus": [{"anything-but": {"prefix": "App"}}]}}), false),
            ("anything-but needs the field", json!({"detail": {"Missing": [{"anything-but": "x"}]}}), false),
            ("exists", json!({"detail": {"Note": [{"exists": true}]}}), true),
            ("does not exist", json!({"detail": {"Missing": [{"exists": false}]}}), true),
            ("does not exist, but does", json!({"detail": {"Note": [{"exists": false}]}}), false),
            ("does not exist below what does not", json!({"other": {"Missing": [{"exists": false}]}}), true),
            ("numeric in a range", json!({"detail": {"ModelPackageVersion": [{"numeric": [">", 0, "<=", 7]}]}}), true),
            ("numeric out of it", json!({"detail": {"ModelPackageVersion": [{"numeric": [">", 7]}]}}), false),
            ("$or, the second", json!({"$or": [{"source": ["x"]}, {"detail": {"ModelPackageVersion": [7]}}]}), true),
            ("$or, neither", json!({"$or": [{"source": ["x"]}, {"source": ["y"]}]}), false),
        ];
        for (case, pattern, hit) in rows {
            let pattern = parse(&pattern.to_string()).unwrap();
            assert_eq!(matches(&pattern, &event), hit, "{case}");
        }
    }

    #[test]
    fn patterns_that_are_not_valid_are_refused() {
        let long = format!("{{\"source\":[\"{}\"]}}", "x".repeat(LONGEST));
        let rows = [
            ("not JSON", "{source:"),
            ("not an object", "[\"aws.s3\"]"),
            ("a bare value", r#"{"source":"aws.s3"}"#),
            ("no values", r#"{"source":[]}"#),
            ("no fields", r#"{"detail":{}}"#),
            ("an unknown match type", r#"{"source":[{"contains":"x"}]}"#),
            ("two match types at once", r#"{"source":[{"prefix":"x","suffix":"y"}]}"#),
            ("a numeric without a number", r#"{"n":[{"numeric":[">","1"]}]}"#),
            ("too long", long.as_str()),
        ];
        for (case, text) in rows {
            assert!(parse(text).is_err(), "{case}");
        }
    }
}
