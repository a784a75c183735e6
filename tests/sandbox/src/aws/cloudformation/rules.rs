//! The `Rules` section: what a template demands of its parameters taken together, before anything starts. Apart from
//! `evaluate`, since rules have functions of their own and see parameters only: neither conditions nor resources
//! (CloudFormation User Guide, "Rules syntax" and "Rule-specific intrinsic functions").

use serde_json::Value;

use super::evaluate::{Scope, function, partition};
use super::parameters::referred;
use super::template::{Template, scalar};

/// Functions whose values come from EC2, Route 53 and the like, which are not here.
const ELSEWHERE: &[&str] = &["Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"];
const FUNCTIONS: &[&str] = &[
    "Fn::And",
    "Fn::Contains",
    "Fn::EachMemberEquals",
    "Fn::EachMemberIn",
    "Fn::Equals",
    "Fn::Not",
    "Fn::Or",
    "Fn::RefAll",
    "Fn::ValueOf",
    "Fn::ValueOfAll",
];

/// Checks the form of all rules, without values.
///
/// # Errors
/// In CloudFormation's words: a rule without assertions, an unknown member or function, a name that is no parameter.
pub(super) fn check(template: &Template) -> Result<(), String> {
    for (name, rule) in &template.rules {
        let malformed =
            |what: &str| Err(format!("Template format error: Rule {name} is malformed: {what} (in the Rules block)"));
        let Some(members) = rule.as_object() else { return malformed("it must be an object") };
        if let Some(key) = members.keys().find(|key| !["RuleCondition", "Assertions"].contains(&key.as_str())) {
            return malformed(&format!("it cannot have {key}"));
        }
        if let Some(condition) = members.get("RuleCondition") {
            form(template, condition)?;
        }
        let assertions = members.get("Assertions").and_then(Value::as_array).filter(|list| !list.is_empty());
        let Some(assertions) = assertions else { return malformed("it must have a list of Assertions") };
        for assertion in assertions {
            let Some(members) = assertion.as_object() else { return malformed("an assertion must be an object") };
            if let Some(key) = members.keys().find(|key| !["Assert", "AssertDescription"].contains(&key.as_str())) {
                return malformed(&format!("an assertion cannot have {key}"));
            }
            let Some(assert) = members.get("Assert") else { return malformed("an assertion must have Assert") };
            form(template, assert)?;
        }
    }
    Ok(())
}

/// Checks the functions and names in a value.
fn form(template: &Template, value: &Value) -> Result<(), String> {
    match function(value) {
        Some(("Ref", argument)) => {
            let name = argument.as_str().unwrap_or_default();
            let known = template.parameters.contains_key(name) || name.starts_with("AWS::");
            return if known {
                Ok(())
            } else {
                Err(format!(
                    "Template format error: Unresolved dependencies [{name}]. Cannot reference resources in the Rules block of the template"
                ))
            };
        }
        Some((name, _)) if ELSEWHERE.contains(&name) => {
            return Err(format!("Template error: {name} is not known here: it asks for attributes of other services"));
        }
        Some((name, _)) if !FUNCTIONS.contains(&name) => {
            return Err(format!(
                "Template format error: [/Rules] {name} cannot be used in the Rules block of a template"
            ));
        }
        _ => {}
    }
    match value {
        Value::Object(members) => members.values().try_for_each(|value| form(template, value)),
        Value::Array(items) => items.iter().try_for_each(|value| form(template, value)),
        _ => Ok(()),
    }
}

/// Judges the values of the parameters by all rules.
///
/// # Errors
/// The descriptions of the assertions that do not hold, as CloudFormation shows them, or what is wrong with a rule.
pub(super) fn judge(scope: &Scope<'_>) -> Result<(), String> {
    let mut broken = Vec::new();
    for (name, rule) in &scope.template.rules {
        if let Some(condition) = rule.get("RuleCondition")
            && !holds(scope, condition)?
        {
            continue;
        }
        for assertion in rule.get("Assertions").and_then(Value::as_array).into_iter().flatten() {
            if !holds(scope, assertion.get("Assert").unwrap_or(&Value::Null))? {
                let description = assertion.get("AssertDescription").and_then(scalar);
                broken.push(description.unwrap_or_else(|| format!("Assertion of rule {name} failed")));
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
}

fn holds(scope: &Scope<'_>, value: &Value) -> Result<bool, String> {
    let Some((name, argument)) = function(value) else {
        return match scalar(value).as_deref() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err("Template error: every rule condition and assertion must be true or false".into()),
        };
    };
    let items = argument.as_array().map_or(&[][..], Vec::as_slice);
    let two = || match items {
        [left, right] => Ok((left, right)),
        _ => Err(format!("Template error: {name} requires a list argument with two elements")),
    };
    match name {
        "Fn::And" | "Fn::Or" => {
            if !(2..=10).contains(&items.len()) {
                return Err(format!(
                    "Template error: every {name} object requires a list of at least 2 and at most 10 boolean parameters."
                ));
            }
            let held: Vec<bool> = items.iter().map(|item| holds(scope, item)).collect::<Result<_, _>>()?;
            Ok(if name == "Fn::And" { held.iter().all(|one| *one) } else { held.iter().any(|one| *one) })
        }
        "Fn::Not" => match items {
            [one] => Ok(!holds(scope, one)?),
            _ => Err("Template error: Fn::Not requires a list argument with one element".into()),
        },
        "Fn::Equals" => two().and_then(|(left, right)| Ok(worth(scope, left)? == worth(scope, right)?)),
        "Fn::Contains" => {
            let (list, text) = two()?;
            Ok(texts(scope, list, name)?.contains(&text_of(scope, text, name)?))
        }
        "Fn::EachMemberEquals" => {
            let (list, text) = two()?;
            let wanted = text_of(scope, text, name)?;
            Ok(texts(scope, list, name)?.iter().all(|one| *one == wanted))
        }
        "Fn::EachMemberIn" => {
            let (list, allowed) = two()?;
            let allowed = texts(scope, allowed, name)?;
            Ok(texts(scope, list, name)?.iter().all(|one| allowed.contains(one)))
        }
        _ => Err(format!("Template error: {name} gives no truth value")),
    }
}

/// What a value inside a rule stands for.
fn worth(scope: &Scope<'_>, value: &Value) -> Result<Value, String> {
    match function(value) {
        Some(("Ref", argument)) => refer(scope, argument.as_str().unwrap_or_default()),
        Some(_) => holds(scope, value).map(|holds| Value::String(holds.to_string())),
        None => match value {
            Value::Array(items) => items.iter().map(|item| worth(scope, item)).collect(),
            // Everything is text in the end: `true` equals "true".
            other => Ok(scalar(other).map_or_else(|| other.clone(), Value::String)),
        },
    }
}

fn refer(scope: &Scope<'_>, name: &str) -> Result<Value, String> {
    let text = match name {
        "AWS::AccountId" => scope.pseudo.account.clone(),
        "AWS::Region" => scope.pseudo.region.clone(),
        "AWS::Partition" => partition(&scope.pseudo.region).0.to_owned(),
        "AWS::URLSuffix" => partition(&scope.pseudo.region).1.to_owned(),
        _ => match (scope.template.parameters.get(name), scope.parameters.get(name)) {
            (Some(parameter), Some(value)) => return Ok(referred(parameter, value)),
            _ => return Err(format!("Template error: {name} cannot be referenced in the Rules block of a template")),
        },
    };
    Ok(Value::String(text))
}

fn text_of(scope: &Scope<'_>, value: &Value, name: &str) -> Result<String, String> {
    scalar(&worth(scope, value)?).ok_or_else(|| format!("Template error: {name} requires a string to look for"))
}

fn texts(scope: &Scope<'_>, value: &Value, name: &str) -> Result<Vec<String>, String> {
    let form = || format!("Template error: {name} requires a list of strings");
    match worth(scope, value)? {
        Value::Array(items) => items.iter().map(|item| scalar(item).ok_or_else(form)).collect(),
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::super::evaluate::Pseudo;
    use super::super::parameters::Values;
    use super::*;

    fn verdict(rule: Value) -> Result<(), String> {
        let text = json!({
            "Parameters": {"Stage": {"Type": "String"}, "Zones": {"Type": "CommaDelimitedList"}},
            "Conditions": {"Yes": {"Fn::Equals": ["a", "a"]}},
            "Rules": {"R": rule},
            "Resources": {"Q": {"Type": "AWS::SQS::Queue"}},
        });
        let template = Template::parse(&text.to_string()).unwrap();
        check(&template)?;
        let parameters = Values::from([("Stage".into(), "prod".into()), ("Zones".into(), "a, b".into())]);
        let pseudo = Pseudo {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            stack_name: "s".into(),
            stack_id: String::new(),
            notification_arns: Vec::new(),
        };
        let scope = Scope::new(&template, &parameters, &pseudo).unwrap();
        judge(&scope)
    }

    fn asserting(assert: Value) -> Result<(), String> {
        verdict(json!({"Assertions": [{"Assert": assert, "AssertDescription": "no"}]}))
    }

    #[test]
    fn an_assertion_holds_or_its_description_is_the_refusal() {
        let (stage, zones) = (json!({"Ref": "Stage"}), json!({"Ref": "Zones"}));
        let cases = [
            ("Equals", json!({"Fn::Equals": [stage, "prod"]}), true),
            ("Equals of another", json!({"Fn::Equals": [stage, "test"]}), false),
            ("Not", json!({"Fn::Not": [{"Fn::Equals": [stage, ""]}]}), true),
            ("And", json!({"Fn::And": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}]}), false),
            ("Or", json!({"Fn::Or": [{"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}]}), true),
            ("Contains", json!({"Fn::Contains": [["test", "prod"], stage]}), true),
            ("Contains of a list parameter", json!({"Fn::Contains": [zones, "c"]}), false),
            ("EachMemberEquals", json!({"Fn::EachMemberEquals": [zones, "a"]}), false),
            ("EachMemberIn", json!({"Fn::EachMemberIn": [zones, ["a", "b", "c"]]}), true),
            ("EachMemberIn with one outside", json!({"Fn::EachMemberIn": [zones, ["a"]]}), false),
            ("the region", json!({"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}), true),
        ];
        for (name, assert, holds) in cases {
            assert_eq!(asserting(assert), if holds { Ok(()) } else { Err("no".to_owned()) }, "{name}");
        }
    }

    #[test]
    fn a_rule_whose_condition_does_not_hold_demands_nothing() {
        let broken = json!([{"Assert": {"Fn::Equals": ["a", "b"]}, "AssertDescription": "no"}]);
        let when = |stage: &str| json!({"Fn::Equals": [{"Ref": "Stage"}, stage]});
        assert_eq!(verdict(json!({"RuleCondition": when("test"), "Assertions": broken})), Ok(()));
        assert_eq!(verdict(json!({"RuleCondition": when("prod"), "Assertions": broken})), Err("no".to_owned()));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let cases = [
            ("a resource", asserting(json!({"Fn::Equals": [{"Ref": "Q"}, "x"]})), "Unresolved dependencies [Q]"),
            ("a condition function", asserting(json!({"Fn::If": ["Yes", true, false]})), "Fn::If cannot be used"),
            (
                "an attribute of a parameter",
                asserting(json!({"Fn::Equals": [{"Fn::ValueOf": ["Stage", "VpcId"]}, "x"]})),
                "Fn::ValueOf is not known here",
            ),
            ("no assertion", verdict(json!({"RuleCondition": true})), "it must have a list of Assertions"),
            ("no truth value", asserting(json!("prod")), "must be true or false"),
            ("too few", asserting(json!({"Fn::Contains": [["a"]]})), "requires a list argument with two elements"),
            ("no list", asserting(json!({"Fn::Contains": ["a", "a"]})), "requires a list of strings"),
        ];
        for (name, verdict, words) in cases {
            let error = verdict.expect_err(name);
            assert!(error.contains(words), "{name}: {error}");
        }
    }
}
