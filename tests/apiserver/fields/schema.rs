//! The CRD's own schema as a list of properties, and the values that no property may take or may not break on.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

/// One property of the spec.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its path below `spec`; `[]` stands for any item of a list.
    pub path: String,
    /// `string`, `boolean`, `array`, `object`.
    pub kind: String,
    /// Least length or number of items.
    pub min: Option<usize>,
    /// Greatest length or number of items.
    pub max: Option<usize>,
    /// The only values, where there is a list of them.
    pub choices: Vec<Value>,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it holds properties of its own.
    pub block: bool,
}

/// All properties below a schema, each before those that it holds.
pub fn properties(schema: &Value, prefix: &str) -> Vec<Property> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let bound = |names: [&str; 3]| names.iter().find_map(|name| schema[name].as_u64()).map(|n| n as usize);
        let inner = match schema["type"].as_str().unwrap() {
            "array" => properties(&schema["items"], &format!("{path}[]")),
            _ => properties(schema, &path),
        };
        found.push(Property {
            path,
            kind: schema["type"].as_str().unwrap().to_owned(),
            min: bound(["minLength", "minItems", "minProperties"]),
            max: bound(["maxLength", "maxItems", "maxProperties"]),
            choices: schema["enum"].as_array().cloned().unwrap_or_default(),
            required: required.iter().any(|required| required == name),
            block: !inner.is_empty(),
        });
        found.extend(inner);
    }
    found
}

/// Values of other types than the property's.
pub fn wrong_types(property: &Property) -> Vec<Value> {
    let all = [
        ("integer", json!(7)),
        ("number", json!(0.5)),
        ("boolean", json!(true)),
        ("string", json!("text")),
        ("array", json!(["a"])),
        ("object", json!({"a": "b"})),
    ];
    let others = all.into_iter().filter(|(kind, _)| *kind != property.kind);
    let mut wrong: Vec<Value> = others.map(|(_, value)| value).collect();
    match property.kind.as_str() {
        "array" => wrong.extend([json!([7]), json!([null]), json!([["a"]])]),
        "object" => wrong.extend([json!({"a": {"b": 1}}), json!({"a": 7})]),
        _ => {}
    }
    wrong
}

/// Texts that mean something to somebody on their way, and texts that are simply odd.
pub fn hostile_texts() -> Vec<Value> {
    let texts = [
        "</description><evil a='1'/>&amp;]]><![CDATA[",
        "'''); println 'x'.execute() /* ${'$'}{7*7} */",
        "$(rm -rf /); `id` && echo \"$HOME\" | sh",
        "${AWS::Region} {{resolve:secretsmanager:jenkins}} !Ref X",
        "{\"Fn::Sub\": \"${AWS::AccountId}\"}",
        "日本語 ☃ e\u{301} 🚀 ß",
        "\u{202e}gnp.exe\u{2066}",
        "zero\u{200b}width",
        "a\nb",
        "a\r\n[mlops-operator.io/v1 owner=me]",
        "tab\there",
        "nul\u{0}byte",
        "\u{1b}[31mred",
        " leading",
        "trailing ",
        "a  b",
        "../../etc/passwd",
        "%0d%0aSet-Cookie: x",
        "- yaml: {a: *b}",
        "-rf",
        "null",
        "a,b",
        "*",
    ];
    texts.into_iter().map(Value::from).chain([Value::from("a".repeat(300_000))]).collect()
}

/// Sets what is at a path below a spec, making what leads there. `[]` is the first item.
pub fn set(spec: &mut Value, path: &str, value: Value) {
    *place(spec, path) = value;
}

fn place<'a>(spec: &'a mut Value, path: &str) -> &'a mut Value {
    let mut place = spec;
    for part in path.split('.') {
        let (name, item) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        place = &mut place[name];
        if item {
            if !place.is_array() {
                *place = json!([{}]);
            }
            place = &mut place[0];
        }
    }
    place
}

/// What is at a path, if anything.
pub fn get<'a>(spec: &'a Value, path: &str) -> Option<&'a Value> {
    let pointer = path.replace("[]", ".0").replace('.', "/");
    spec.pointer(&format!("/{pointer}"))
}

/// Takes away what is at a path, if it is there.
pub fn unset(spec: &mut Value, path: &str) {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    if parent.is_empty() || get(spec, parent).is_some() {
        let parent = if parent.is_empty() { spec } else { place(spec, parent) };
        if let Some(fields) = parent.as_object_mut() {
            fields.remove(name);
        }
    }
}
