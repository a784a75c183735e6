//! What depends on what: the references between the resources of a template, checked, and the order that follows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::evaluate::{Piece, Scope, check_attribute, function, pieces, unresolved};
use super::template::Template;

/// For each resource that the conditions let exist: the resources that must be there before it.
pub(super) type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// The dependencies of all resources that exist under the scope's conditions.
///
/// # Errors
/// In CloudFormation's words: a name that stands for nothing, or a circle.
pub(super) fn dependencies(scope: &Scope<'_>) -> Result<Dependencies, String> {
    let mut all = Dependencies::new();
    for (name, resource) in &scope.template.resources {
        if !scope.holds(resource.condition.as_deref())? {
            continue;
        }
        let mut found = BTreeSet::new();
        collect(scope, &resource.properties, &mut found)?;
        for other in &resource.depends_on {
            if !scope.template.resources.contains_key(other) {
                return Err(unresolved(other));
            }
            found.insert(other.clone());
        }
        all.insert(name.clone(), found);
    }
    let existing: BTreeSet<String> = all.keys().cloned().collect();
    for needed in all.values_mut() {
        needed.retain(|name| existing.contains(name));
    }
    order(&all)?;
    Ok(all)
}

/// The resources, each after all that it needs; among equals in alphabetical order.
///
/// # Errors
/// A circle, in CloudFormation's words.
pub(super) fn order(dependencies: &Dependencies) -> Result<Vec<String>, String> {
    let mut ordered: Vec<String> = Vec::new();
    let mut left = dependencies.clone();
    while !left.is_empty() {
        let ready: Vec<String> = left
            .iter()
            .filter(|(_, needed)| needed.iter().all(|name| !left.contains_key(name)))
            .map(|(name, _)| name.clone())
            .collect();
        if ready.is_empty() {
            let circle: Vec<String> = left.into_keys().collect();
            return Err(format!("Circular dependency between resources: [{}]", circle.join(", ")));
        }
        for name in ready {
            left.remove(&name);
            ordered.push(name);
        }
    }
    Ok(ordered)
}

/// Checks every name and attribute in the whole template, whichever branch would be taken.
///
/// # Errors
/// In CloudFormation's words: what stands for nothing.
pub(super) fn check(template: &Template) -> Result<(), String> {
    let known = |name: &str| {
        name.starts_with("AWS::") || template.parameters.contains_key(name) || template.resources.contains_key(name)
    };
    for resource in template.resources.values() {
        let mut names = BTreeSet::new();
        for (name, attribute) in references(&resource.properties) {
            match attribute {
                Some(attribute) => check_attribute(template, &name, &attribute)?,
                None if !known(&name) => drop(names.insert(name)),
                None => {}
            }
        }
        names.extend(resource.depends_on.iter().filter(|name| !template.resources.contains_key(*name)).cloned());
        if !names.is_empty() {
            let names: Vec<String> = names.into_iter().collect();
            return Err(unresolved(&names.join(", ")));
        }
    }
    for output in template.outputs.values() {
        for (name, attribute) in references(&output.value) {
            match attribute {
                Some(attribute) => check_attribute(template, &name, &attribute)?,
                None if !known(&name) => {
                    return Err(format!(
                        "Template format error: Unresolved resource dependencies [{name}] in the Outputs block of the template"
                    ));
                }
                None => {}
            }
        }
    }
    Ok(())
}

/// All (name, attribute) that a value refers to.
pub(super) fn references(value: &Value) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    walk(value, &mut |name, attribute| found.push((name.to_owned(), attribute.map(str::to_owned))));
    found
}

fn walk(value: &Value, visit: &mut dyn FnMut(&str, Option<&str>)) {
    match function(value) {
        Some(("Ref", Value::String(name))) => return visit(name, None),
        Some(("Fn::GetAtt", Value::String(text))) => {
            if let Some((name, attribute)) = text.split_once('.') {
                visit(name, Some(attribute));
            }
            return;
        }
        Some(("Fn::GetAtt", Value::Array(items))) => {
            if let [Value::String(name), Value::String(attribute)] = items.as_slice() {
                visit(name, Some(attribute));
            }
            return;
        }
        Some(("Fn::Sub", argument)) => return walk_sub(argument, visit),
        _ => {}
    }
    match value {
        Value::Object(members) => members.values().for_each(|value| walk(value, visit)),
        Value::Array(items) => items.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

fn walk_sub(argument: &Value, visit: &mut dyn FnMut(&str, Option<&str>)) {
    let (text, own) = match argument {
        Value::Array(items) => (items.first().and_then(Value::as_str), items.get(1)),
        other => (other.as_str(), None),
    };
    if let Some(own) = own {
        walk(own, visit);
    }
    for piece in pieces(text.unwrap_or_default()) {
        if let Piece::Variable(name) = piece
            && own.is_none_or(|own| own.get(&name).is_none())
        {
            match name.split_once('.') {
                Some((resource, attribute)) => visit(resource, Some(attribute)),
                None => visit(&name, None),
            }
        }
    }
}

/// The resources that a value needs under the scope's conditions: of `Fn::If`, only the branch that is taken.
fn collect(scope: &Scope<'_>, value: &Value, found: &mut BTreeSet<String>) -> Result<(), String> {
    if let Some(("Fn::If", Value::Array(items))) = function(value)
        && let [Value::String(condition), then, otherwise] = items.as_slice()
    {
        return collect(scope, if scope.holds(Some(condition))? { then } else { otherwise }, found);
    }
    if function(value).is_some_and(|(name, _)| matches!(name, "Ref" | "Fn::GetAtt" | "Fn::Sub")) {
        for (name, _) in references(value) {
            if scope.template.resources.contains_key(&name) {
                found.insert(name);
            }
        }
        return Ok(());
    }
    match value {
        Value::Object(members) => members.values().try_for_each(|value| collect(scope, value, found)),
        Value::Array(items) => items.iter().try_for_each(|value| collect(scope, value, found)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::evaluate::Pseudo;
    use super::super::parameters::Values;
    use super::*;

    fn ordered(text: &str) -> Result<Vec<String>, String> {
        let template = Template::parse(text).unwrap();
        check(&template)?;
        let pseudo = Pseudo {
            account: String::new(),
            region: String::new(),
            stack_name: String::new(),
            stack_id: String::new(),
            notification_arns: Vec::new(),
        };
        let parameters = Values::new();
        order(&dependencies(&Scope::new(&template, &parameters, &pseudo)?)?)
    }

    #[test]
    fn a_resource_comes_after_what_it_refers_to() {
        type Case = (&'static str, &'static str, Result<&'static [&'static str], &'static str>);
        let cases: &[Case] = &[
            ("Ref", "Resources: {A: {Type: T, Properties: {P: !Ref B}}, B: {Type: T}}", Ok(&["B", "A"])),
            ("GetAtt", "Resources: {A: {Type: T, Properties: {P: !GetAtt B.Arn}}, B: {Type: T}}", Ok(&["B", "A"])),
            ("Sub", "Resources: {A: {Type: T, Properties: {P: !Sub 'x${B}'}}, B: {Type: T}}", Ok(&["B", "A"])),
            ("DependsOn", "Resources: {A: {Type: T, DependsOn: B}, B: {Type: T}}", Ok(&["B", "A"])),
            (
                "a branch that is not taken",
                "Conditions: {C: !Equals [1, 2]}\nResources: {A: {Type: T, Properties: {P: !If [C, !Ref B, x]}}, B: {Type: T}}",
                Ok(&["A", "B"]),
            ),
            (
                "a resource that does not come to be",
                "Conditions: {C: !Equals [1, 2]}\nResources: {A: {Type: T, DependsOn: B}, B: {Type: T, Condition: C}}",
                Ok(&["A"]),
            ),
            (
                "a circle",
                "Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, Properties: {P: !Ref A}}}",
                Err("Circular dependency between resources: [A, B]"),
            ),
            (
                "a name that stands for nothing",
                "Resources: {A: {Type: T, Properties: {P: !Ref X}}}",
                Err(
                    "Template format error: Unresolved resource dependencies [X] in the Resources block of the template",
                ),
            ),
            (
                "an undefined resource",
                "Resources: {A: {Type: T, Properties: {P: !GetAtt X.Arn}}}",
                Err("Template error: instance of Fn::GetAtt references undefined resource X"),
            ),
            (
                "an attribute that the type does not give",
                "Resources: {A: {Type: T, Properties: {P: !GetAtt Q.Size}}, Q: {Type: 'AWS::SQS::Queue'}}",
                Err("Template error: resource Q does not support attribute type Size in Fn::GetAtt"),
            ),
        ];
        for (name, text, expected) in cases {
            let names = ordered(text);
            let expected = expected
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
                .map_err(str::to_owned);
            assert_eq!(names, expected, "{name}");
        }
    }
}
