//! The operations that look. A stack made less than `read_after_write` ago is not yet found by its name (whoever has
//! its id finds it at once, as Service Catalog does); lists lag by `list_lag`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::change_sets;
use super::drift;
use super::request::{invalid, listed, named, needed_capabilities, parsed, template_text};
use super::stack::{Event, Stack, StackResource};
use super::template::Template;
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// How much one page holds.
const PAGE: usize = 100;

fn young(now: Timestamp, at: Timestamp, delay: Duration) -> bool {
    Duration::try_from(now.duration_since(at)).unwrap_or_default() < delay
}

/// One page of items; the token is the number of the first item of the next page.
pub(super) fn page(call: &Call<'_>, member: &str, items: Vec<Value>) -> Outcome {
    let start: usize = match call.text("NextToken") {
        "" => 0,
        token => token.parse().map_err(|_| invalid("Invalid NextToken"))?,
    };
    let next = (items.len() > start + PAGE).then(|| (start + PAGE).to_string());
    let items: Vec<Value> = items.into_iter().skip(start).take(PAGE).collect();
    Ok(json!({member: items, "NextToken": next}))
}

/// The stack of a name, or of an id even when it is deleted.
fn find(world: &mut World, call: &Call<'_>, name: &str) -> Result<Stack, Refusal> {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let found = state.stacks.get(name).or_else(|| state.living(name));
    found
        .filter(|stack| stack.id == name || !young(now, stack.created, delay))
        .cloned()
        .ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.text("StackName");
    if !name.is_empty() {
        return Ok(json!({"Stacks": [shown(&find(world, call, name)?, world.now)]}));
    }
    let (now, delay) = (world.now, world.settings.list_lag);
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let stacks = state.stacks.values().filter(|stack| !stack.gone() && !young(now, stack.created, delay));
    page(call, "Stacks", stacks.map(|stack| shown(stack, now)).collect())
}

fn shown(stack: &Stack, now: Timestamp) -> Value {
    let tags: Vec<Value> = stack.applied.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "Description": stack.applied.template.description,
        "Parameters": stack.applied.shown_parameters(),
        "CreationTime": stack.created.to_string(),
        "LastUpdatedTime": stack.updated.map(|at| at.to_string()),
        "DeletionTime": stack.deleted.map(|at| at.to_string()),
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": stack.applied.notification_arns,
        "Capabilities": stack.applied.capabilities,
        "Outputs": stack.outputs,
        "RoleARN": stack.role_arn,
        "Tags": tags,
        "EnableTerminationProtection": stack.protected,
        "DriftInformation": drift::of_stack(stack, now),
    })
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let wanted = listed(call, "StackStatusFilter");
    let (now, delay) = (world.now, world.settings.list_lag);
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let stacks = state
        .stacks
        .values()
        .filter(|stack| !young(now, stack.created, delay))
        .filter(|stack| wanted.is_empty() || wanted.iter().any(|status| status == stack.status))
        .map(|stack| {
            json!({
                "StackId": stack.id, "StackName": stack.name, "TemplateDescription": stack.applied.template.description,
                "CreationTime": stack.created.to_string(), "LastUpdatedTime": stack.updated.map(|at| at.to_string()),
                "DeletionTime": stack.deleted.map(|at| at.to_string()), "StackStatus": stack.status, "StackStatusReason": stack.reason,
                "DriftInformation": drift::of_stack(stack, now),
            })
        })
        .collect();
    page(call, "StackSummaries", stacks)
}

pub(super) fn events(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = named(call)?;
    let stack = find(world, call, name).map_err(|_| invalid(format!("Stack [{name}] does not exist")))?;
    let event = |event: &Event| {
        json!({
            "StackId": stack.id, "EventId": event.id, "StackName": stack.name, "LogicalResourceId": event.logical_id,
            "PhysicalResourceId": event.physical_id, "ResourceType": event.kind, "Timestamp": event.at.to_string(),
            "ResourceStatus": event.status, "ResourceStatusReason": event.reason, "ResourceProperties": event.properties,
            "ClientRequestToken": event.token,
        })
    };
    page(call, "StackEvents", stack.events.iter().rev().map(event).collect())
}

fn resource_shown(stack: &Stack, name: &str, resource: &StackResource, time: &str, now: Timestamp) -> Value {
    let mut shown = json!({
        "StackName": stack.name, "StackId": stack.id, "LogicalResourceId": name,
        "PhysicalResourceId": resource.made.as_ref().map(|made| &made.physical_id), "ResourceType": resource.kind,
        "ResourceStatus": resource.status, "ResourceStatusReason": resource.reason,
        "DriftInformation": drift::of_resource(stack, name, now),
    });
    shown[time] = json!(resource.updated.to_string());
    shown
}

pub(super) fn resources(world: &mut World, call: &Call<'_>) -> Outcome {
    let (name, physical, logical) =
        (call.text("StackName"), call.text("PhysicalResourceId"), call.text("LogicalResourceId"));
    let owns = |stack: &Stack| {
        stack.resources.values().any(|resource| resource.made.as_ref().is_some_and(|made| made.physical_id == physical))
    };
    let stack = match (name, physical) {
        ("", "") => return Err(invalid("Either StackName or PhysicalResourceId must be specified")),
        ("", _) => {
            let state = &world.region(&call.caller.account, call.region).cloudformation;
            let found = state.stacks.values().find(|stack| !stack.gone() && owns(stack)).cloned();
            found.ok_or_else(|| invalid(format!("Stack for {physical} does not exist")))?
        }
        (name, _) => find(world, call, name)?,
    };
    let resources = stack.resources.iter().filter(|(id, _)| logical.is_empty() || *id == logical);
    let resources: Vec<Value> =
        resources.map(|(id, resource)| resource_shown(&stack, id, resource, "Timestamp", world.now)).collect();
    Ok(json!({"StackResources": resources}))
}

pub(super) fn resource(world: &mut World, call: &Call<'_>) -> Outcome {
    let stack = find(world, call, named(call)?)?;
    let logical = call.text("LogicalResourceId");
    match stack.resources.get(logical) {
        Some(resource) => Ok(
            json!({"StackResourceDetail": resource_shown(&stack, logical, resource, "LastUpdatedTimestamp", world.now)}),
        ),
        None => Err(invalid(format!("Resource {logical} does not exist for stack {}", stack.name))),
    }
}

pub(super) fn list_resources(world: &mut World, call: &Call<'_>) -> Outcome {
    let stack = find(world, call, named(call)?)?;
    let summary = |(name, resource): (&String, &StackResource)| {
        let mut shown = resource_shown(&stack, name, resource, "LastUpdatedTimestamp", world.now);
        if let Some(members) = shown.as_object_mut() {
            members.retain(|key, _| key != "StackName" && key != "StackId");
        }
        shown
    };
    page(call, "StackResourceSummaries", stack.resources.iter().map(summary).collect())
}

pub(super) fn policy(world: &mut World, call: &Call<'_>) -> Outcome {
    Ok(json!({"StackPolicyBody": find(world, call, named(call)?)?.policy}))
}

pub(super) fn template(world: &mut World, call: &Call<'_>) -> Outcome {
    let template = match call.text("ChangeSetName") {
        "" => find(world, call, named(call)?)?.applied.template,
        _ => change_sets::find(world, call)?.1.applied.template,
    };
    Ok(json!({"TemplateBody": template.text, "StagesAvailable": ["Original", "Processed"]}))
}

/// The template that a request gives, or that of the stack it names.
fn given(world: &mut World, call: &Call<'_>) -> Result<Arc<Template>, Refusal> {
    if let Some(text) = template_text(world, call)? {
        return parsed(&text).map(Arc::new);
    }
    match call.text("StackName") {
        "" => Err(invalid("Either Template URL or Template Body must be specified.")),
        name => Ok(find(world, call, name)?.applied.template),
    }
}

fn capabilities(template: &Template, reply: &mut Value) {
    let (needed, kinds) = needed_capabilities(template);
    if !needed.is_empty() {
        reply["Capabilities"] = json!(needed);
        reply["CapabilitiesReason"] =
            json!(format!("The following resource(s) require capabilities: [{}]", kinds.join(", ")));
    }
    reply["DeclaredTransforms"] = json!(template.transforms);
}

pub(super) fn summary(world: &mut World, call: &Call<'_>) -> Outcome {
    let template = given(world, call)?;
    let mut kinds: Vec<&str> = template.resources.values().map(|resource| resource.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let parameters: Vec<Value> = template
        .parameters
        .iter()
        .map(|(key, parameter)| {
            let mut constraints = Map::new();
            if let Some(values) = &parameter.allowed_values {
                constraints.insert("AllowedValues".into(), json!(values));
            }
            json!({
                "ParameterKey": key, "DefaultValue": parameter.default, "ParameterType": parameter.kind, "NoEcho": parameter.no_echo,
                "Description": parameter.description, "ParameterConstraints": constraints,
            })
        })
        .collect();
    let mut reply = json!({
        "Parameters": parameters, "Description": template.description, "ResourceTypes": kinds, "Version": "2010-09-09",
        "Metadata": template.metadata.as_ref().map(Value::to_string),
    });
    capabilities(&template, &mut reply);
    Ok(reply)
}

pub(super) fn validate(world: &mut World, call: &Call<'_>) -> Outcome {
    let Some(text) = template_text(world, call)? else {
        return Err(invalid("Either Template URL or Template Body must be specified."));
    };
    let template = parsed(&text)?;
    let parameters: Vec<Value> = template
        .parameters
        .iter()
        .map(|(key, parameter)| json!({"ParameterKey": key, "DefaultValue": parameter.default, "NoEcho": parameter.no_echo, "Description": parameter.description}))
        .collect();
    let mut reply = json!({"Parameters": parameters, "Description": template.description});
    capabilities(&template, &mut reply);
    Ok(reply)
}
