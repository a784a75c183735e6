//! `api/python`: the same data as a literal that Python reads, as Stapler's PythonDataWriter writes it. It stands alone
//! since it knows nothing of Jenkins.

use serde_json::Value;

/// Writes a value: as JSON, but for `None`, `True` and `False`.
pub(super) fn write(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(write).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{}:{}", quoted(name), write(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
        }
    }
}

/// Control characters, and both halves of what lies beyond the basic plane, are escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            odd if odd.is_control() || odd > '\u{ffff}' => {
                let mut halves = [0; 2];
                odd.encode_utf16(&mut halves).iter().for_each(|half| out.push_str(&format!("\\u{half:04x}")));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_literals_of_python() {
        let rows = [
            ("nothing", json!(null), "None"),
            ("flags", json!([true, false]), "[True,False]"),
            ("an object", json!({"a": 1, "b": "x"}), r#"{"a":1,"b":"x"}"#),
            ("quotes and backslashes", json!("a\"b\\"), r#""a\"b\\""#),
            ("a line end", json!("a\nb"), r#""a\u000ab""#),
            ("beyond the basic plane", json!("ü🚀"), r#""ü\ud83d\ude80""#),
        ];
        for (name, value, expected) in rows {
            assert_eq!(write(&value), expected, "{name}");
        }
    }
}
