//! `AWS::Lambda::EventSourceMapping`, from queues. It stands alone because a mapping has an id of its own. A stack waits until a
//! mapping is there, within the time of its resource.

use serde_json::{Map, Value, json};

use super::{Kind, Place, Service, dropped_tags, made, number, text};
use crate::aws::cloudformation::evaluate::Made;
use crate::world::World;

const LAMBDA: Service = Service { name: "Lambda", call: crate::aws::lambda::call };

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::Lambda::EventSourceMapping",
    properties: &[
        "EventSourceArn",
        "FunctionName",
        "BatchSize",
        "Enabled",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "ScalingConfig",
        "Tags",
    ],
    required: &["EventSourceArn", "FunctionName"],
    replaced_by: &["EventSourceArn"],
    attributes: &["Id", "EventSourceMappingArn"],
    tagged: true,
    create,
    update,
    delete: |world, place, id, _| {
        LAMBDA.retire(world, place, "DeleteEventSourceMapping", &json!({"UUID": id}))?;
        world.region(place.account, place.region).lambda.settle_mapping(id);
        Ok(())
    },
}];

/// What the calls to create and to update have in common; what the template does not say is as it is by default.
fn asked(properties: &Value) -> Result<Value, String> {
    let scaling = properties.get("ScalingConfig").map_or_else(
        || Ok(json!({})),
        |scaling| number(scaling, "MaximumConcurrency").map(|most| json!({"MaximumConcurrency": most})),
    )?;
    Ok(json!({
        "FunctionName": text(properties, "FunctionName"),
        "BatchSize": number(properties, "BatchSize")?.unwrap_or(10),
        "Enabled": text(properties, "Enabled").is_none_or(|enabled| enabled == "true"),
        "FunctionResponseTypes": properties.get("FunctionResponseTypes").cloned().unwrap_or_else(|| json!([])),
        "MaximumBatchingWindowInSeconds": number(properties, "MaximumBatchingWindowInSeconds")?.unwrap_or(0),
        "ScalingConfig": scaling,
    }))
}

fn tag_map(properties: &Value) -> Value {
    let tags = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].clone()))).collect::<Map<_, _>>().into()
}

fn told(world: &mut World, place: &Place<'_>, reply: &Value) -> Made {
    let id = reply["UUID"].as_str().unwrap_or_default();
    world.region(place.account, place.region).lambda.settle_mapping(id);
    made(id, &[("Id", json!(id)), ("EventSourceMappingArn", reply["EventSourceMappingArn"].clone())])
}

fn create(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let mut input = asked(properties)?;
    input["EventSourceArn"] = json!(text(properties, "EventSourceArn"));
    input["Tags"] = tag_map(properties);
    let reply = LAMBDA.ask(world, place, "CreateEventSourceMapping", &input)?;
    Ok(told(world, place, &reply))
}

fn update(world: &mut World, place: &Place<'_>, id: &str, old: &Value, new: &Value) -> Result<Made, String> {
    let mut input = asked(new)?;
    input["UUID"] = json!(id);
    let reply = LAMBDA.ask(world, place, "UpdateEventSourceMapping", &input)?;
    let arn = &reply["EventSourceMappingArn"];
    let dropped = dropped_tags(old, new);
    if !dropped.is_empty() {
        LAMBDA.ask(world, place, "UntagResource", &json!({"Resource": arn, "TagKeys": dropped}))?;
    }
    if old.get("Tags") != new.get("Tags") && new.get("Tags").is_some() {
        LAMBDA.ask(world, place, "TagResource", &json!({"Resource": arn, "Tags": tag_map(new)}))?;
    }
    Ok(told(world, place, &reply))
}
