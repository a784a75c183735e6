//! The intrinsic functions: turns a value of a template into what it stands for. It sees parameters, conditions,
//! mappings and finished resources through [`Scope`], and changes nothing.

use std::collections::BTreeMap;

use base64::Engine;
use serde_json::{Map, Value, json};

use super::custom;
use super::exports::{Exports, no_such_export};
use super::parameters::{MASK, Values, referred};
use super::resources;
use super::template::{Template, get_att_form, scalar};

/// What a finished resource gives to others.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    /// What `Ref` gives.
    pub(super) physical_id: String,
    /// What `Fn::GetAtt` gives.
    pub(super) attributes: BTreeMap<String, Value>,
}

/// The stack's own facts.
#[derive(Clone, Debug)]
pub(super) struct Pseudo {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) stack_name: String,
    pub(super) stack_id: String,
    pub(super) notification_arns: Vec<String>,
}

/// Everything that a value can refer to.
pub(super) struct Scope<'a> {
    pub(super) template: &'a Template,
    pub(super) parameters: &'a Values,
    pub(super) pseudo: &'a Pseudo,
    pub(super) conditions: BTreeMap<String, bool>,
    pub(super) made: BTreeMap<String, Made>,
    /// What other stacks give, where that is known yet.
    pub(super) exports: Exports,
    /// Whether NoEcho values are shown as `****`: for what people see.
    pub(super) masked: bool,
}

/// A piece of the text of `Fn::Sub`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Variable(String),
}

/// Takes the text of `Fn::Sub` apart; `${!X}` is the text `${X}`.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let inner = &rest[start + 2..start + length];
        if start > 0 {
            pieces.push(Piece::Text(rest[..start].to_owned()));
        }
        match inner.strip_prefix('!') {
            Some(literal) => pieces.push(Piece::Text(format!("${{{literal}}}"))),
            None => pieces.push(Piece::Variable(inner.trim().to_owned())),
        }
        rest = &rest[start + length + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

/// The domain of the partition that a region belongs to, and the partition.
pub(in crate::aws) fn partition(region: &str) -> (&'static str, &'static str) {
    match region {
        _ if region.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        _ if region.starts_with("eusc-") => ("aws-eusc", "amazonaws.eu"),
        _ if region.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        _ => ("aws", "amazonaws.com"),
    }
}

/// An intrinsic function's name and argument, if the value is one.
pub(super) fn function(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (name, argument) = members.iter().next()?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

impl<'a> Scope<'a> {
    /// A scope without resources yet; its conditions are worked out here.
    ///
    /// # Errors
    /// In CloudFormation's words: a condition that does not exist, is circular or is no condition.
    pub(super) fn new(template: &'a Template, parameters: &'a Values, pseudo: &'a Pseudo) -> Result<Self, String> {
        let mut scope = Self {
            template,
            parameters,
            pseudo,
            conditions: BTreeMap::new(),
            made: BTreeMap::new(),
            exports: Exports::new(),
            masked: false,
        };
        for name in template.conditions.keys() {
            scope.named_condition(name, &mut Vec::new())?;
        }
        Ok(scope)
    }

    fn named_condition(&mut self, name: &str, path: &mut Vec<String>) -> Result<bool, String> {
        if let Some(known) = self.conditions.get(name) {
            return Ok(*known);
        }
        if path.iter().any(|one| one == name) {
            return Err(format!(
                "Template error: Found circular condition dependency between conditions {}",
                path.join(", ")
            ));
        }
        let Some(value) = self.template.conditions.get(name) else {
            return Err(format!(
                "Template format error: Unresolved condition dependency {name} in the Conditions block of the template"
            ));
        };
        path.push(name.to_owned());
        let holds = self.condition(value, path)?;
        path.pop();
        self.conditions.insert(name.to_owned(), holds);
        Ok(holds)
    }

    fn condition(&mut self, value: &Value, path: &mut Vec<String>) -> Result<bool, String> {
        let wrong = || Err("Template format error: Every Conditions member must be a condition function.".to_owned());
        let Some((name, argument)) =
            value.as_object().filter(|members| members.len() == 1).and_then(|members| members.iter().next())
        else {
            return wrong();
        };
        let items = argument.as_array().map_or(&[][..], Vec::as_slice);
        match name.as_str() {
            "Condition" => self.named_condition(argument.as_str().unwrap_or_default(), path),
            "Fn::Equals" => match items {
                [left, right] => Ok(self.evaluate(left)? == self.evaluate(right)?),
                _ => Err("Template error: Fn::Equals requires a list argument with two elements".into()),
            },
            "Fn::Not" => match items {
                [one] => Ok(!self.condition(one, path)?),
                _ => Err("Template error: Fn::Not requires a list argument with one element".into()),
            },
            "Fn::And" | "Fn::Or" => {
                if !(2..=10).contains(&items.len()) {
                    return Err(format!(
                        "Template error: every {name} object requires a list of at least 2 and at most 10 boolean parameters."
                    ));
                }
                let mut held = 0;
                for item in items {
                    held += usize::from(self.condition(item, path)?);
                }
                Ok(if name == "Fn::And" { held == items.len() } else { held > 0 })
            }
            _ => wrong(),
        }
    }

    /// Whether a condition that a resource, output or `Fn::If` names holds; no name: it does.
    pub(super) fn holds(&self, name: Option<&str>) -> Result<bool, String> {
        let Some(name) = name else { return Ok(true) };
        self.conditions.get(name).copied().ok_or_else(|| {
            format!(
                "Template format error: Unresolved condition dependency {name} in the Resources block of the template"
            )
        })
    }

    /// What a value stands for; null: `AWS::NoValue`.
    ///
    /// # Errors
    /// In CloudFormation's words: what cannot be resolved.
    pub(super) fn evaluate(&self, value: &Value) -> Result<Value, String> {
        if let Some((name, argument)) = function(value) {
            return self.apply(name, argument);
        }
        match value {
            Value::Object(members) => {
                let mut object = Map::new();
                for (key, value) in members {
                    let value = self.evaluate(value)?;
                    if !value.is_null() {
                        object.insert(key.clone(), value);
                    }
                }
                Ok(Value::Object(object))
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.evaluate(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Value::Array(items.into_iter().filter(|item| !item.is_null()).collect()))
            }
            other => Ok(other.clone()),
        }
    }

    fn apply(&self, name: &str, argument: &Value) -> Result<Value, String> {
        match name {
            "Ref" => self
                .refer(argument.as_str().ok_or("Template error: every Ref object must have a single String value.")?),
            "Fn::GetAtt" => self.get_att(argument),
            "Fn::Sub" => self.substitute(argument),
            "Fn::If" => {
                let Some([condition, then, otherwise]) = argument.as_array().map(Vec::as_slice) else {
                    return Err("Template error: Fn::If requires a list argument with three elements".into());
                };
                let condition = condition
                    .as_str()
                    .ok_or("Template error: Fn::If requires a condition name as its first element")?;
                self.evaluate(if self.holds(Some(condition))? { then } else { otherwise })
            }
            "Fn::Join" => self.join(argument),
            "Fn::Split" => self.split(argument),
            "Fn::Select" => self.select(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::Base64" => {
                let text = scalar(&self.evaluate(argument)?)
                    .ok_or("Template error: every Fn::Base64 object must have a String-typed value.")?;
                Ok(Value::String(base64::engine::general_purpose::STANDARD.encode(text)))
            }
            "Fn::ImportValue" => {
                let name = scalar(&self.evaluate(argument)?)
                    .ok_or("Template error: the attribute in Fn::ImportValue must be a string")?;
                self.exports.get(&name).cloned().map(Value::String).ok_or_else(|| no_such_export(&name))
            }
            _ => Err(format!("Template error: Unrecognized function {name}: it is not known here")),
        }
    }

    fn refer(&self, name: &str) -> Result<Value, String> {
        let (partition, domain) = partition(&self.pseudo.region);
        let text = match name {
            "AWS::AccountId" => &self.pseudo.account,
            "AWS::Region" => &self.pseudo.region,
            "AWS::StackName" => &self.pseudo.stack_name,
            "AWS::StackId" => &self.pseudo.stack_id,
            "AWS::Partition" => partition,
            "AWS::URLSuffix" => domain,
            "AWS::NoValue" => return Ok(Value::Null),
            "AWS::NotificationARNs" => return Ok(json!(self.pseudo.notification_arns)),
            _ => {
                if let (Some(parameter), Some(value)) = (self.template.parameters.get(name), self.parameters.get(name))
                {
                    return Ok(referred(parameter, if self.masked && parameter.no_echo { MASK } else { value }));
                }
                return match self.made.get(name) {
                    Some(made) => Ok(Value::String(made.physical_id.clone())),
                    None => Err(unresolved(name)),
                };
            }
        };
        Ok(Value::String(text.to_owned()))
    }

    fn get_att(&self, argument: &Value) -> Result<Value, String> {
        let (resource, attribute) = match argument {
            Value::String(text) => {
                text.split_once('.').map(|(resource, attribute)| (resource.to_owned(), attribute.to_owned()))
            }
            Value::Array(items) => match items.as_slice() {
                [Value::String(resource), attribute] => {
                    scalar(&self.evaluate(attribute)?).map(|attribute| (resource.clone(), attribute))
                }
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| get_att_form(&argument.to_string()))?;
        let made = self.made.get(&resource).ok_or_else(|| unresolved(&resource))?;
        made.attributes.get(&attribute).cloned().ok_or_else(|| match self.template.resources.get(&resource) {
            Some(declared) if custom::is_custom(&declared.kind) => {
                custom::no_such_data(&self.pseudo.stack_id, &resource, &attribute)
            }
            _ => no_such_attribute(&resource, &attribute),
        })
    }

    fn substitute(&self, argument: &Value) -> Result<Value, String> {
        let form = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string";
        let (text, own) = match argument {
            Value::String(text) => (text.as_str(), None),
            Value::Array(items) => match items.as_slice() {
                [Value::String(text), Value::Object(own)] => (text.as_str(), Some(own)),
                _ => return Err(form.into()),
            },
            _ => return Err(form.into()),
        };
        let mut result = String::new();
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => result.push_str(&text),
                Piece::Variable(name) => {
                    let value = match own.and_then(|own| own.get(&name)) {
                        Some(value) => self.evaluate(value)?,
                        None if self.template.parameters.contains_key(&name) || !name.contains('.') => {
                            self.refer(&name)?
                        }
                        None => self.get_att(&Value::String(name.clone()))?,
                    };
                    let value = scalar(&value).ok_or_else(|| {
                        format!("Template error: variable {name} in Fn::Sub expression does not resolve to a string")
                    })?;
                    result.push_str(&value);
                }
            }
        }
        Ok(Value::String(result))
    }

    /// A list argument's items; a function that gives a list, such as a list parameter, is evaluated first.
    fn list(&self, value: &Value, sentence: &str) -> Result<Vec<Value>, String> {
        match self.evaluate(value)? {
            Value::Array(items) => Ok(items),
            _ => Err(sentence.to_owned()),
        }
    }

    fn join(&self, argument: &Value) -> Result<Value, String> {
        let form = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.";
        let Some([Value::String(delimiter), items]) = argument.as_array().map(Vec::as_slice) else {
            return Err(form.into());
        };
        let items = self.list(items, form)?;
        let texts = items.iter().map(scalar).collect::<Option<Vec<_>>>().ok_or(form)?;
        Ok(Value::String(texts.join(delimiter)))
    }

    fn split(&self, argument: &Value) -> Result<Value, String> {
        let form = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.";
        let Some([Value::String(delimiter), text]) = argument.as_array().map(Vec::as_slice) else {
            return Err(form.into());
        };
        let text = scalar(&self.evaluate(text)?).filter(|_| !delimiter.is_empty()).ok_or(form)?;
        Ok(Value::Array(text.split(delimiter.as_str()).map(|part| Value::String(part.to_owned())).collect()))
    }

    fn select(&self, argument: &Value) -> Result<Value, String> {
        let form = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list";
        let Some([index, items]) = argument.as_array().map(Vec::as_slice) else { return Err(form.into()) };
        let index: usize = scalar(&self.evaluate(index)?).and_then(|text| text.parse().ok()).ok_or(form)?;
        let items = self.list(items, form)?;
        items
            .get(index)
            .cloned()
            .ok_or_else(|| format!("Template error: Fn::Select cannot select nonexistent value at index {index}"))
    }

    fn find_in_map(&self, argument: &Value) -> Result<Value, String> {
        let form = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value";
        let Some([map, first, second]) = argument.as_array().map(Vec::as_slice) else { return Err(form.into()) };
        let key =
            |value: &Value| -> Result<String, String> { scalar(&self.evaluate(value)?).ok_or_else(|| form.to_owned()) };
        let (map, first, second) = (key(map)?, key(first)?, key(second)?);
        let found = self.template.mappings.get(&map).and_then(|map| map.get(&first)).and_then(|row| row.get(&second));
        found.cloned().ok_or_else(|| format!("Template error: Unable to get mapping for {map}::{first}::{second}"))
    }
}

/// The sentence for a name that stands for nothing.
pub(super) fn unresolved(name: &str) -> String {
    format!("Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template")
}

/// The sentence for an attribute that a resource does not have.
pub(super) fn no_such_attribute(resource: &str, attribute: &str) -> String {
    format!("Template error: resource {resource} does not support attribute type {attribute} in Fn::GetAtt")
}

/// Refuses attributes that the resource's type does not give, before anything is made.
pub(super) fn check_attribute(template: &Template, resource: &str, attribute: &str) -> Result<(), String> {
    let Some(declared) = template.resources.get(resource) else {
        return Err(format!("Template error: instance of Fn::GetAtt references undefined resource {resource}"));
    };
    match resources::find(&declared.kind) {
        Some(kind) if !kind.attributes.contains(&attribute) && !custom::is_custom(&declared.kind) => {
            Err(no_such_attribute(resource, attribute))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const TEXT: &str = r#"
Parameters:
  Name: {Type: String}
  List: {Type: CommaDelimitedList}
  Token: {Type: String, NoEcho: true}
Mappings:
  M: {eu-west-1: {Size: large}}
Conditions:
  Yes: !Equals [!Ref Name, team]
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, !Condition No]
  Either: !Or [!Condition Yes, !Condition No]
Resources:
  Queue: {Type: 'AWS::SQS::Queue'}
"#;

    fn result(value: Value, masked: bool) -> Result<Value, String> {
        let template = Template::parse(TEXT).unwrap();
        let parameters = Values::from([
            ("Name".into(), "team".into()),
            ("List".into(), "a, b".into()),
            ("Token".into(), "s3cret".into()),
        ]);
        let pseudo = Pseudo {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            stack_name: "s".into(),
            stack_id: "arn:aws:cloudformation:eu-west-1:111122223333:stack/s/1".into(),
            notification_arns: Vec::new(),
        };
        let mut scope = Scope::new(&template, &parameters, &pseudo)?;
        let attributes = BTreeMap::from([("Arn".to_owned(), json!("arn:aws:sqs:eu-west-1:111122223333:q"))]);
        scope.made.insert("Queue".into(), Made { physical_id: "q-url".into(), attributes });
        scope.masked = masked;
        scope.evaluate(&value)
    }

    #[test]
    fn each_function_gives_what_cloudformation_gives() {
        let cases: &[(&str, Value, Result<Value, &str>)] = &[
            ("Ref to a parameter", json!({"Ref": "Name"}), Ok(json!("team"))),
            ("Ref to a list parameter", json!({"Ref": "List"}), Ok(json!(["a", "b"]))),
            ("Ref to a resource", json!({"Ref": "Queue"}), Ok(json!("q-url"))),
            (
                "Ref to nothing",
                json!({"Ref": "Nothing"}),
                Err(
                    "Template format error: Unresolved resource dependencies [Nothing] in the Resources block of the template",
                ),
            ),
            ("the account", json!({"Ref": "AWS::AccountId"}), Ok(json!("111122223333"))),
            (
                "the domain",
                json!({"Fn::Sub": "${AWS::Partition}:${AWS::URLSuffix}:${AWS::Region}"}),
                Ok(json!("aws:amazonaws.com:eu-west-1")),
            ),
            (
                "NoValue removes a member",
                json!({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}),
                Ok(json!({"b": [1]})),
            ),
            ("GetAtt", json!({"Fn::GetAtt": ["Queue", "Arn"]}), Ok(json!("arn:aws:sqs:eu-west-1:111122223333:q"))),
            (
                "GetAtt of an unknown attribute",
                json!({"Fn::GetAtt": ["Queue", "Size"]}),
                Err("Template error: resource Queue does not support attribute type Size in Fn::GetAtt"),
            ),
            (
                "Sub",
                json!({"Fn::Sub": "x-${Name}-${Queue.Arn}"}),
                Ok(json!("x-team-arn:aws:sqs:eu-west-1:111122223333:q")),
            ),
            (
                "Sub with values of its own",
                json!({"Fn::Sub": ["${A}/${Name}", {"A": {"Ref": "Queue"}}]}),
                Ok(json!("q-url/team")),
            ),
            ("Sub keeps a literal", json!({"Fn::Sub": "${!Name} $5 ${"}), Ok(json!("${Name} $5 ${"))),
            (
                "Sub of a list",
                json!({"Fn::Sub": "${List}"}),
                Err("Template error: variable List in Fn::Sub expression does not resolve to a string"),
            ),
            ("If", json!({"Fn::If": ["Yes", "y", "n"]}), Ok(json!("y"))),
            ("If takes one branch only", json!({"Fn::If": ["Yes", "y", {"Ref": "Nothing"}]}), Ok(json!("y"))),
            ("Not", json!({"Fn::If": ["No", "y", "n"]}), Ok(json!("n"))),
            ("And", json!({"Fn::If": ["Both", "y", "n"]}), Ok(json!("n"))),
            ("Or", json!({"Fn::If": ["Either", "y", "n"]}), Ok(json!("y"))),
            (
                "If with an unknown condition",
                json!({"Fn::If": ["Maybe", 1, 2]}),
                Err(
                    "Template format error: Unresolved condition dependency Maybe in the Resources block of the template",
                ),
            ),
            ("Join", json!({"Fn::Join": ["+", ["a", {"Ref": "Name"}, 3]]}), Ok(json!("a+team+3"))),
            ("Join of a list parameter", json!({"Fn::Join": ["+", {"Ref": "List"}]}), Ok(json!("a+b"))),
            ("Split and Select", json!({"Fn::Select": ["1", {"Fn::Split": ["-", "a-b-c"]}]}), Ok(json!("b"))),
            (
                "Select past the end",
                json!({"Fn::Select": [7, {"Ref": "List"}]}),
                Err("Template error: Fn::Select cannot select nonexistent value at index 7"),
            ),
            ("FindInMap", json!({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "Size"]}), Ok(json!("large"))),
            (
                "FindInMap without a row",
                json!({"Fn::FindInMap": ["M", "mars", "Size"]}),
                Err("Template error: Unable to get mapping for M::mars::Size"),
            ),
            ("Base64", json!({"Fn::Base64": {"Ref": "Name"}}), Ok(json!("dGVhbQ=="))),
            (
                "an unknown function",
                json!({"Fn::Cidr": ["10.0.0.0/8", 1]}),
                Err("Template error: Unrecognized function Fn::Cidr: it is not known here"),
            ),
        ];
        for (name, value, expected) in cases {
            assert_eq!(result(value.clone(), false), expected.clone().map_err(str::to_owned), "{name}");
        }
    }

    #[test]
    fn a_noecho_value_is_masked_for_people_only() {
        assert_eq!(result(json!({"Fn::Sub": "t=${Token}"}), false), Ok(json!("t=s3cret")));
        assert_eq!(result(json!({"Fn::Sub": "t=${Token}"}), true), Ok(json!("t=****")));
    }
}
