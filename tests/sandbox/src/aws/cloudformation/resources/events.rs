//! `AWS::Events::Rule` on the default event bus, with its targets.

use serde_json::{Value, json};

use super::{Kind, Place, Service, document, dropped_tags, made, named, tags, text};
use crate::aws::cloudformation::evaluate::Made;
use crate::world::World;

const EVENTS: Service = Service { name: "EventBridge", call: crate::aws::events::call };

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::Events::Rule",
    properties: &["Name", "Description", "EventPattern", "ScheduleExpression", "State", "RoleArn", "Targets", "Tags"],
    required: &[],
    replaced_by: &["Name"],
    attributes: &["Arn"],
    tagged: true,
    create,
    update,
    delete,
}];

fn target_ids(properties: &Value) -> Vec<Value> {
    properties
        .get("Targets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|target| target["Id"].clone())
        .collect()
}

/// Puts rule and targets; gives the rule's ARN.
fn put(
    world: &mut World,
    place: &Place<'_>,
    name: &str,
    properties: &Value,
    with_tags: bool,
) -> Result<String, String> {
    let mut input = json!({
        "Name": name,
        "Description": text(properties, "Description"),
        "EventPattern": document(properties, "EventPattern"),
        "ScheduleExpression": text(properties, "ScheduleExpression"),
        "State": text(properties, "State").unwrap_or_else(|| "ENABLED".into()),
        "RoleArn": text(properties, "RoleArn"),
    });
    if with_tags {
        input["Tags"] = tags(properties);
    }
    let reply = EVENTS.ask(world, place, "PutRule", &input)?;
    if let Some(targets) = properties.get("Targets") {
        let reply = EVENTS.ask(world, place, "PutTargets", &json!({"Rule": name, "Targets": targets}))?;
        if let Some(failed) = reply["FailedEntries"].as_array().and_then(|entries| entries.first()) {
            return Err(format!(
                "Resource handler returned message: \"{}\" (HandlerErrorCode: InvalidRequest)",
                failed["ErrorMessage"].as_str().unwrap_or("target refused")
            ));
        }
    }
    Ok(reply["RuleArn"].as_str().unwrap_or_default().to_owned())
}

fn create(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = named(world, place, properties, "Name", 64);
    match put(world, place, &name, properties, true) {
        Ok(arn) => Ok(made(name, &[("Arn", json!(arn))])),
        Err(reason) => {
            // A rule whose targets are refused is not left behind.
            delete(world, place, &name, properties)?;
            Err(reason)
        }
    }
}

fn update(world: &mut World, place: &Place<'_>, name: &str, old: &Value, new: &Value) -> Result<Made, String> {
    let arn = put(world, place, name, new, false)?;
    let kept = target_ids(new);
    let dropped: Vec<Value> = target_ids(old).into_iter().filter(|id| !kept.contains(id)).collect();
    if !dropped.is_empty() {
        EVENTS.retire(world, place, "RemoveTargets", &json!({"Rule": name, "Ids": dropped}))?;
    }
    let dropped = dropped_tags(old, new);
    if !dropped.is_empty() {
        EVENTS.ask(world, place, "UntagResource", &json!({"ResourceARN": arn, "TagKeys": dropped}))?;
    }
    if old.get("Tags") != new.get("Tags") && new.get("Tags").is_some() {
        EVENTS.ask(world, place, "TagResource", &json!({"ResourceARN": arn, "Tags": tags(new)}))?;
    }
    Ok(made(name, &[("Arn", json!(arn))]))
}

fn delete(world: &mut World, place: &Place<'_>, name: &str, properties: &Value) -> Result<(), String> {
    let ids = target_ids(properties);
    if !ids.is_empty() {
        EVENTS.retire(world, place, "RemoveTargets", &json!({"Rule": name, "Ids": ids}))?;
    }
    EVENTS.retire(world, place, "DeleteRule", &json!({"Name": name}))
}
