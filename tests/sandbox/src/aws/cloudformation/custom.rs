//! Custom resources: what CloudFormation asks a template's own function, and what it makes of the answer. Apart from
//! `resources`, whose handlers have done their work when they return, while a function answers later, to a URL.
//!
//! Behind the HTTP transport the function runs, and the answer comes as a PUT to that URL, which is one of S3's as with AWS.
//! In process nothing runs: the invocation is recorded, and the answer is a script's ([`State::answer_next`]), that of
//! `check_in` for the seed code check-in, or SUCCESS, after [`Settings::custom_resource`].
//!
//! What an answer must be stands in `answers`.
//!
//! [`State::answer_next`]: super::State::answer_next
//! [`Settings::custom_resource`]: crate::Settings::custom_resource

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::answers::{Verdict, response_url};
use super::bring::{self, Wanted, physical_id};
use super::evaluate::Made;
use super::stack::{Pending, Phase, Purpose, Stack, StackResource, Told, Undo};
use super::template::scalar;
use super::{lifecycle, undo};
use crate::aws::dispatch::allowed;
use crate::aws::{Call, lambda};
use crate::wire::Service;
use crate::world::{Due, Part, World};

/// How long a function may take to answer where the template does not say, in seconds.
const TIMEOUT: u64 = 3600;

/// Whether a resource type is one of a template's own.
pub(super) fn is_custom(kind: &str) -> bool {
    kind == "AWS::CloudFormation::CustomResource" || kind.starts_with("Custom::")
}

/// What a function is asked to do.
pub(super) struct Request<'a> {
    /// `Create`, `Update` or `Delete`.
    pub(super) what: &'static str,
    pub(super) kind: &'a str,
    pub(super) physical_id: Option<String>,
    pub(super) properties: &'a Value,
    pub(super) old: Option<&'a Value>,
}

/// Asks for the resource as the template wants it; it comes about when the answer does.
pub(super) fn bring(
    world: &mut World,
    stack: &mut Stack,
    name: &str,
    wanted: Wanted,
    before: Option<StackResource>,
) -> Result<(), String> {
    let token = |properties: &Value| properties.get("ServiceToken").cloned();
    if before.as_ref().is_some_and(|before| token(&before.properties) != token(&wanted.properties)) {
        return Err("Modifying service token is not allowed.".into());
    }
    let (properties, kind) = (wanted.properties.clone(), wanted.type_name.clone());
    let request = Request {
        what: if before.is_some() { "Update" } else { "Create" },
        kind: &kind,
        physical_id: before.as_ref().map(|before| physical_id(before.made.as_ref())),
        properties: &properties,
        old: before.as_ref().map(|before| &before.properties),
    };
    let old = before.clone().map(Box::new);
    ask(world, stack, name, &request, Purpose::Bring(Box::new(wanted), old))
}

/// Asks a function, and remembers what its answer is for.
///
/// # Errors
/// Why it cannot be asked, in CloudFormation's words.
pub(super) fn ask(
    world: &mut World,
    stack: &mut Stack,
    name: &str,
    request: &Request<'_>,
    purpose: Purpose,
) -> Result<(), String> {
    let id = world.ids.uuid();
    let placeholder = format!("{}-{name}-{}", stack.name, world.ids.next(12).to_uppercase());
    let mut event = json!({
        "RequestType": request.what,
        "ServiceToken": request.properties["ServiceToken"],
        "ResponseURL": response_url(world, stack, name, &id),
        "StackId": stack.id,
        "RequestId": id,
        "LogicalResourceId": name,
        "ResourceType": request.kind,
        "ResourceProperties": as_texts(request.properties),
    });
    if let Some(physical_id) = &request.physical_id {
        event["PhysicalResourceId"] = json!(physical_id);
    }
    if let Some(old) = request.old {
        event["OldResourceProperties"] = as_texts(old);
    }
    let limit = time_limit(request.properties)?;
    let region = world.region(&stack.account, &stack.region);
    let script = region.cloudformation.answers.get_mut(name).and_then(VecDeque::pop_front);
    if script.is_none() {
        invoke(world, stack, &event)?;
    }
    if script.is_some() || world.live.is_none() {
        wake_at(world, stack, '?', &id, world.settings.custom_resource);
    }
    wake_at(world, stack, '!', &id, limit);
    let physical_id = request.physical_id.clone().unwrap_or(placeholder);
    if let Some(operation) = &mut stack.operation {
        operation.pending.push(Pending { name: name.to_owned(), physical_id, event, purpose, script });
    }
    Ok(())
}

fn time_limit(properties: &Value) -> Result<Duration, String> {
    let Some(given) = properties.get("ServiceTimeout").and_then(scalar) else {
        return Ok(Duration::from_secs(TIMEOUT));
    };
    let seconds = given.parse().ok().filter(|seconds| (1..=TIMEOUT).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        format!(
            "Properties validation failed: ServiceTimeout must be a number of seconds from 1 to {TIMEOUT}, not {given}"
        )
    })
}

fn wake_at(world: &mut World, stack: &Stack, sign: char, id: &str, delay: Duration) {
    let due = Due {
        part: Part::CloudFormation,
        account: stack.account.clone(),
        region: stack.region.clone(),
        id: format!("{}{sign}{id}", stack.id),
    };
    world.schedule(delay, due);
}

/// CloudFormation gives functions every value as text.
fn as_texts(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), as_texts(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(as_texts).collect(),
        other => scalar(other).map_or(Value::Null, Value::String),
    }
}

/// Invokes the function as whoever the stack acts for.
fn invoke(world: &mut World, stack: &Stack, event: &Value) -> Result<(), String> {
    let token = event["ServiceToken"].as_str().unwrap_or_default();
    let parts: Vec<&str> = token.split(':').collect();
    let ["arn", _, service, region, account, ..] = parts.as_slice() else {
        return Err("Invalid service token.".into());
    };
    if *service != "lambda" || *region != stack.region || *account != stack.account {
        return Err(format!(
            "Invalid service token. The sandbox asks functions of the stack's own account and region only, not {token}"
        ));
    }
    let input = json!({
        "FunctionName": token, "InvocationType": "Event", "Payload": STANDARD.encode(event.to_string()),
    });
    let call = Call { operation: "Invoke", input: &input, caller: &stack.actor, region: &stack.region };
    allowed(world, &stack.actor, Service::Lambda, "Invoke").and_then(|()| lambda::call(world, &call)).map(drop).map_err(
        |refusal| {
            let request = world.ids.uuid();
            format!("{} (Service: Lambda, Status Code: {}, Request ID: {request})", refusal.message, refusal.status)
        },
    )
}

/// Takes the stack out of the world while it moves.
pub(super) fn with(world: &mut World, account: &str, region: &str, id: &str, act: impl FnOnce(&mut World, &mut Stack)) {
    let Some(mut stack) = world.region(account, region).cloudformation.stacks.remove(id) else { return };
    act(world, &mut stack);
    world.region(account, region).cloudformation.stacks.insert(stack.id.clone(), stack);
}

/// Goes on with what a function was asked for.
pub(super) fn settle(world: &mut World, stack: &mut Stack, request: &str, verdict: Verdict) {
    let Some(operation) = &mut stack.operation else { return };
    let Some(at) = operation.pending.iter().position(|pending| pending.event["RequestId"] == request) else { return };
    let Pending { name, physical_id, purpose, .. } = operation.pending.remove(at);
    match (purpose, verdict) {
        (Purpose::Bring(wanted, before), Ok(made)) => {
            let moved = before.is_some() && made.physical_id != physical_id;
            if moved {
                let told = Told {
                    kind: &wanted.type_name,
                    status: "UPDATE_IN_PROGRESS",
                    physical_id: &made.physical_id,
                    reason: Some("Requested update required the provider to create a new physical resource"),
                    properties: None,
                };
                stack.tell(world, &name, &told);
            }
            bring::brought(world, stack, &name, &wanted, before.map(|before| *before), made, moved);
        }
        (Purpose::Bring(wanted, before), Err(failure)) => {
            let id = failure.physical_id.unwrap_or(physical_id);
            keep(world, stack, &name, &wanted, before.map(|before| *before), &id);
            return lifecycle::fail(world, stack, &name, &failure.reason);
        }
        (Purpose::TakeBack(undo), verdict) => undo::taken_back(world, stack, *undo, verdict.map_err(|it| it.reason)),
        (Purpose::Remove, verdict) => undo::erased(world, stack, &name, verdict.map(drop).map_err(|it| it.reason)),
        (Purpose::CleanUp(resource), verdict) => {
            undo::cleaned(world, stack, &name, &resource, verdict.map(drop).map_err(|it| it.reason));
        }
    }
    lifecycle::resume(world, stack);
}

/// Keeps what a function may have begun, so that the way back asks it to take that away: CloudFormation sends Delete
/// for a Create that failed, and Update with the old properties for an Update that failed.
fn keep(
    world: &World,
    stack: &mut Stack,
    name: &str,
    wanted: &Wanted,
    before: Option<StackResource>,
    physical_id: &str,
) {
    let updating = stack.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Update);
    let (status, made, undo) = match before {
        None => {
            let made = Made { physical_id: physical_id.to_owned(), ..Made::default() };
            ("CREATE_IN_PROGRESS", made, Undo::Created(name.to_owned()))
        }
        Some(before) => {
            let made = before.made.clone().unwrap_or_default();
            ("UPDATE_IN_PROGRESS", made, Undo::Updated(name.to_owned(), before))
        }
    };
    let kept = wanted.resource(world, status, made);
    if let Some(operation) = stack.operation.as_mut().filter(|_| updating) {
        operation.undo.push(undo);
    }
    stack.resources.insert(name.to_owned(), kept);
}

/// Gives up waiting for all answers: the operation ends, or turns back. What may have begun is kept.
pub(super) fn cancel(world: &World, stack: &mut Stack) {
    let pending = stack.operation.as_mut().map(|operation| std::mem::take(&mut operation.pending)).unwrap_or_default();
    for Pending { name, physical_id, purpose, .. } in pending {
        let Purpose::Bring(wanted, before) = purpose else { continue };
        let (status, reason) = match before {
            None => ("CREATE_FAILED", "Resource creation cancelled"),
            Some(_) => ("UPDATE_FAILED", "Resource update cancelled"),
        };
        let told = stack.resources.get(&name).is_some_and(|resource| resource.status == status);
        keep(world, stack, &name, &wanted, before.map(|before| *before), &physical_id);
        let told_of =
            Told { kind: &wanted.type_name, status, physical_id: &physical_id, reason: Some(reason), properties: None };
        if told {
            if let Some(resource) = stack.resources.get_mut(&name) {
                resource.status = status;
                resource.reason = Some(reason.to_owned());
            }
        } else {
            stack.tell(world, &name, &told_of);
        }
    }
}

/// The sentence for an attribute that the function did not give.
pub(super) fn no_such_data(stack_id: &str, name: &str, attribute: &str) -> String {
    format!(
        "CustomResource attribute error: Vendor response doesn't contain {attribute} attribute in object {stack_id}|{name}"
    )
}
