//! The conditions of policies, as far as what they ask is known here. Apart from the trust policies because it knows no
//! principals: it is given facts and decides. What it cannot decide does not hold, so that nothing is allowed by a guess.

use std::collections::BTreeMap;

use serde_json::Value;

use super::access::matches;
use super::trust::{one_or_many, texts};

/// What is known of a request, by condition key in lower case. No values: the request has no such key for sure. A key that
/// is not there at all may be in the request or not.
pub type Facts = BTreeMap<String, Vec<String>>;

/// One key with its value, if the request has one.
pub(super) fn fact(key: &str, value: Option<&str>) -> (String, Vec<String>) {
    (key.to_owned(), value.map(str::to_owned).into_iter().collect())
}

/// How an operator compares.
#[derive(Clone, Copy)]
enum Comparison {
    Equals,
    EqualsInAnyCase,
    Like,
    Arn,
}

/// The string and ARN operators, each with whether it negates (IAM User Guide, "IAM JSON policy elements: Condition
/// operators"). `ArnEquals` and `ArnLike` do the same.
fn operator(name: &str) -> Option<(Comparison, bool)> {
    Some(match name {
        "StringEquals" => (Comparison::Equals, false),
        "StringNotEquals" => (Comparison::Equals, true),
        "StringEqualsIgnoreCase" => (Comparison::EqualsInAnyCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::EqualsInAnyCase, true),
        "StringLike" => (Comparison::Like, false),
        "StringNotLike" => (Comparison::Like, true),
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        _ => return None,
    })
}

impl Comparison {
    fn holds(self, wanted: &str, given: &str) -> bool {
        match self {
            Self::Equals => wanted == given,
            Self::EqualsInAnyCase => wanted.eq_ignore_ascii_case(given),
            Self::Like => matches(wanted, given),
            Self::Arn => arn_like(wanted, given),
        }
    }
}

/// Each of the six parts of an ARN is compared by itself: a wildcard does not reach over a colon before the last part.
fn arn_like(pattern: &str, arn: &str) -> bool {
    let (wanted, given): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    wanted.len() == 6 && given.len() == 6 && wanted.iter().zip(&given).all(|(wanted, given)| matches(wanted, given))
}

/// Whether all conditions of a statement hold.
pub(super) fn hold(condition: Option<&Value>, facts: &Facts) -> bool {
    let Some(operators) = condition.filter(|condition| !condition.is_null()) else { return true };
    let Some(operators) = operators.as_object() else { return false };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().is_some_and(|keys| keys.iter().all(|(key, wanted)| one_holds(operator, key, wanted, facts)))
    })
}

fn one_holds(name: &str, key: &str, wanted: &Value, facts: &Facts) -> bool {
    let Some(given) = facts.get(key.to_ascii_lowercase().as_str()) else { return false };
    if name == "Null" {
        let absent = |one: &Value| one.as_bool().or_else(|| one.as_str().and_then(|text| text.parse().ok()));
        return one_or_many(wanted).into_iter().any(|one| absent(one) == Some(given.is_empty()));
    }
    let (set, name) = match name.split_once(':') {
        Some((set, name)) => (Some(set), name),
        None => (None, name),
    };
    let plain = name.strip_suffix("IfExists");
    let Some((comparison, negated)) = operator(plain.unwrap_or(name)) else { return false };
    let wanted = texts(Some(wanted));
    let hits = |given: &String| wanted.iter().any(|wanted| comparison.holds(wanted, given)) != negated;
    match (set, given.as_slice()) {
        (Some("ForAnyValue"), given) => given.iter().any(hits),
        // Without the key it holds (IAM User Guide, "Set operators for multivalued context keys").
        (Some("ForAllValues"), given) => given.iter().all(hits),
        // Without the key, negating operators hold, and those that end with IfExists.
        (None, []) => negated || plain.is_some(),
        (None, [given]) => hits(given),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111122223333:function:job";

    #[test]
    fn conditions_are_decided_as_far_as_their_keys_are_known() {
        let mut facts: Facts = [
            fact("aws:sourceaccount", Some("111122223333")),
            fact("aws:sourcearn", Some(FUNCTION)),
            fact("sts:externalid", None),
        ]
        .into();
        facts.insert("aws:tagkeys".to_owned(), vec!["team".to_owned(), "mlops-operator.io/object".to_owned()]);
        let one = |operator: &str, key: &str, wanted: Value| json!({ operator: { key: wanted } });
        let rows = [
            ("no condition", Value::Null, true),
            ("equal", one("StringEquals", "aws:SourceAccount", json!("111122223333")), true),
            ("equal to one of several", one("StringEquals", "aws:SourceAccount", json!(["4", "111122223333"])), true),
            ("the key in another case", one("StringEquals", "AWS:sourceaccount", json!("111122223333")), true),
            ("not equal", one("StringEquals", "aws:SourceAccount", json!("444455556666")), false),
            ("a wildcard is plain text to StringEquals", one("StringEquals", "aws:SourceArn", json!("arn:*")), false),
            ("alike", one("StringLike", "aws:SourceArn", json!("arn:aws:lambda:*")), true),
            ("alike but for one sign", one("StringLike", "aws:SourceAccount", json!("11112222333?")), true),
            ("an ARN alike", one("ArnLike", "aws:SourceArn", json!("arn:aws:lambda:*:111122223333:function:*")), true),
            ("ArnEquals takes wildcards too", one("ArnEquals", "aws:SourceArn", json!("arn:aws:lambda:*:*:*")), true),
            ("an ARN equal", one("ArnEquals", "aws:SourceArn", json!("arn:aws:*:*:*:function:j?b")), true),
            ("an ARN whose wildcard reaches over colons", one("ArnLike", "aws:SourceArn", json!("arn:*:job")), false),
            ("none of them", one("StringNotEquals", "aws:SourceAccount", json!(["1", "2"])), true),
            ("one of them", one("ArnNotLike", "aws:SourceArn", json!("arn:aws:lambda:*:*:function:*")), false),
            ("a key that lacks", one("StringEquals", "sts:ExternalId", json!("x")), false),
            ("a key that lacks, if it exists", one("StringEqualsIfExists", "sts:ExternalId", json!("x")), true),
            (
                "a key that is there, if it exists",
                one("ArnLikeIfExists", "aws:SourceArn", json!("arn:x:*:*:*:*")),
                false,
            ),
            ("a key that lacks, negated", one("StringNotLike", "sts:ExternalId", json!("*")), true),
            ("a key that must lack", one("Null", "sts:ExternalId", json!("true")), true),
            ("a key that must not lack", one("Null", "aws:SourceArn", json!(false)), true),
            ("a key nothing is known of", one("StringEqualsIfExists", "aws:SourceIp", json!("10.0.0.1")), false),
            ("an operator not known here", one("NumericEquals", "aws:SourceAccount", json!("111122223333")), false),
            ("one of several values", one("ForAnyValue:StringLike", "aws:TagKeys", json!("mlops-operator.io/*")), true),
            ("none of several values", one("ForAnyValue:StringLike", "aws:TagKeys", json!("sagemaker:*")), false),
            ("all of several values", one("ForAllValues:StringLike", "aws:TagKeys", json!(["team", "mlops*"])), true),
            ("not all of several values", one("ForAllValues:StringEquals", "aws:TagKeys", json!("team")), false),
            ("any value of a key that lacks", one("ForAnyValue:StringLike", "sts:ExternalId", json!("*")), false),
            ("all values of a key that lacks", one("ForAllValues:StringEquals", "sts:ExternalId", json!("x")), true),
            ("several values without a set operator", one("StringLike", "aws:TagKeys", json!("*")), false),
            (
                "two conditions of which one fails",
                json!({"StringEquals": {"aws:SourceAccount": "111122223333"}, "ArnLike": {"aws:SourceArn": "arn:a:*:*:*:*"}}),
                false,
            ),
        ];
        for (name, condition, holds) in rows {
            assert_eq!(hold(Some(&condition), &facts), holds, "{name}");
        }
    }
}
