//! The `tree=` parameter of `api/json`: which fields are exported, nested, with ranges: `jobs[name,url]{0,100},mode`.

use serde_json::{Map, Value};

/// One field that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    inner: Vec<Field>,
    range: Option<(usize, Option<usize>)>,
}

/// Picks what `tree` asks for; `_class` comes along with each object.
///
/// # Errors
/// A sentence where `tree` does not parse.
pub(super) fn pick(value: &Value, tree: &str) -> Result<Value, String> {
    let mut signs = tree.chars().peekable();
    let fields = parse(&mut signs)?;
    if signs.next().is_some() {
        return Err(format!("Unable to parse {tree}"));
    }
    Ok(project(value, &fields))
}

fn parse(signs: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    loop {
        let mut field = Field { name: String::new(), inner: Vec::new(), range: None };
        while let Some(sign) = signs.next_if(|sign| sign.is_alphanumeric() || matches!(sign, '_' | '*')) {
            field.name.push(sign);
        }
        if field.name.is_empty() {
            return Err("a field name is missing in tree".into());
        }
        if signs.next_if_eq(&'[').is_some() {
            field.inner = parse(signs)?;
            signs.next_if_eq(&']').ok_or("a ] is missing in tree")?;
        }
        if signs.next_if_eq(&'{').is_some() {
            let mut text = String::new();
            while let Some(sign) = signs.next_if(|sign| *sign != '}') {
                text.push(sign);
            }
            signs.next_if_eq(&'}').ok_or("a } is missing in tree")?;
            field.range = Some(range(&text)?);
        }
        fields.push(field);
        if signs.next_if_eq(&',').is_none() {
            return Ok(fields);
        }
    }
}

fn range(text: &str) -> Result<(usize, Option<usize>), String> {
    let number = |part: &str| part.trim().parse::<usize>().map_err(|_| format!("Invalid range: {text}"));
    match text.split_once(',') {
        None => number(text).map(|n| (n, Some(n + 1))),
        Some((from, to)) => {
            let from = if from.trim().is_empty() { 0 } else { number(from)? };
            let to = if to.trim().is_empty() { None } else { Some(number(to)?) };
            Ok((from, to))
        }
    }
}

fn project(value: &Value, fields: &[Field]) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| project(item, fields)).collect()),
        Value::Object(members) => {
            let mut picked = Map::new();
            if let Some(class) = members.get("_class") {
                picked.insert("_class".into(), class.clone());
            }
            for (name, member) in members {
                if let Some(field) = fields.iter().find(|field| field.name == *name || field.name == "*") {
                    picked.insert(name.clone(), narrow(member, field));
                }
            }
            Value::Object(picked)
        }
        other => other.clone(),
    }
}

/// Members that are maps: what is picked is picked from their values.
const MAPS: &[&str] = &["domains"];

fn narrow(member: &Value, field: &Field) -> Value {
    let cut = match (member, field.range) {
        (Value::Array(items), Some((from, to))) => {
            let to = to.unwrap_or(items.len()).min(items.len());
            Value::Array(items.get(from.min(to)..to).unwrap_or_default().to_vec())
        }
        _ => member.clone(),
    };
    if let (true, Value::Object(domains)) = (MAPS.contains(&field.name.as_str()), &cut) {
        return Value::Object(domains.iter().map(|(key, value)| (key.clone(), project(value, &field.inner))).collect());
    }
    match (&cut, field.inner.is_empty()) {
        // Nested objects without a selection of their own show their class alone.
        (Value::Object(_) | Value::Array(_), true) => project(&cut, &[]),
        (_, true) => cut,
        (_, false) => project(&cut, &field.inner),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_picks_fields_nested_and_in_ranges() {
        let value = json!({"_class": "R", "mode": "NORMAL", "secret": 1, "domains": {"_": {"urlName": "_", "global": true}}, "jobs": [
            {"_class": "J", "name": "a", "url": "u", "builds": [{"number": 1}, {"number": 2}]},
            {"_class": "J", "name": "b", "url": "v", "builds": []}]});
        let rows = [
            ("one field", "mode", json!({"_class": "R", "mode": "NORMAL"})),
            (
                "nested",
                "jobs[name]",
                json!({"_class": "R", "jobs": [{"_class": "J", "name": "a"}, {"_class": "J", "name": "b"}]}),
            ),
            ("a range", "jobs[name]{1,2}", json!({"_class": "R", "jobs": [{"_class": "J", "name": "b"}]})),
            ("a range beyond the end", "jobs[name]{5,9}", json!({"_class": "R", "jobs": []})),
            ("one element", "jobs[name]{0}", json!({"_class": "R", "jobs": [{"_class": "J", "name": "a"}]})),
            (
                "two levels",
                "jobs[builds[number]{,1}]{0,1}",
                json!({"_class": "R", "jobs": [{"_class": "J", "builds": [{"number": 1}]}]}),
            ),
            ("the values of a map", "domains[urlName]", json!({"_class": "R", "domains": {"_": {"urlName": "_"}}})),
            ("an unknown field", "nothing", json!({"_class": "R"})),
        ];
        for (name, tree, expected) in rows {
            assert_eq!(pick(&value, tree).unwrap(), expected, "{name}");
        }
        for bad in ["", "jobs[", "jobs[name", "jobs]", "jobs{1", "jobs{x}", "a,,b"] {
            assert!(pick(&value, bad).is_err(), "{bad}");
        }
    }
}
