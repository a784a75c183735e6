//! Asking for a run: by an event, or by a caller; and how many runs at once, and how often again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Function, Invocation, Status, find, invalid, missing, name_of, permissions};
use crate::aws::{Call, Outcome, Refusal, Undelivered};
use crate::world::{Effect, World};

/// Concurrent runs of an account (Lambda quotas), and how many of them stay unreserved.
const ACCOUNT_CONCURRENCY: u64 = 1000;
const LEAST_UNRESERVED: u64 = 100;

/// Delivers an event to a function on behalf of a service and the ARN that it acts for; the run is queued.
///
/// # Errors
/// The reason why the function cannot be invoked: it is not there, or its resource policy does not allow it.
pub fn deliver(world: &mut World, arn: &str, service: &str, source: &str, event: Value) -> Result<(), Undelivered> {
    let parts: Vec<&str> = arn.split(':').collect();
    let [_, _, _, region, account, _, name, ..] = parts.as_slice() else {
        return Err(Undelivered::no_resource(format!("{arn} is not the ARN of a function")));
    };
    let function = world.region(account, region).lambda.functions.get(*name);
    let function = function.ok_or_else(|| Undelivered::no_resource(format!("the function {name} does not exist")))?;
    let owner = source.split(':').nth(4).unwrap_or_default();
    if !permissions::lets_in(&function.policy, service, source, owner) {
        let reason = format!("the resource policy of {name} does not let {service} invoke it for {source}");
        return Err(Undelivered::no_permissions(reason));
    }
    queue(world, account, region, name, source, event);
    Ok(())
}

pub(super) fn record(
    world: &mut World,
    account: &str,
    region: &str,
    name: &str,
    source: &str,
    event: &Value,
) -> String {
    let id = world.ids.uuid();
    let invocation = Invocation {
        id: id.clone(),
        function: name.to_owned(),
        source: source.to_owned(),
        event: event.clone(),
        at: world.now,
        status: Status::Queued,
        attempts: Vec::new(),
        batch: None,
    };
    world.region(account, region).lambda.invocations.push(invocation);
    id
}

fn queue(world: &mut World, account: &str, region: &str, name: &str, source: &str, event: Value) {
    let id = record(world, account, region, name, source, &event);
    world.effects.push(Effect::InvokeLambda {
        account: account.to_owned(),
        region: region.to_owned(),
        function: name.to_owned(),
        id,
        event,
    });
}

/// An invocation whose caller waits for the result.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Account of the function.
    pub account: String,
    /// Region of the function.
    pub region: String,
    /// Its name.
    pub function: String,
    /// Id of the invocation, which is recorded already.
    pub id: String,
    /// The event.
    pub event: Value,
}

/// Records an invocation whose caller waits for the result, which only the HTTP transport can give. `None` for
/// invocations that nobody waits for.
pub fn asked(world: &mut World, call: &Call<'_>) -> Option<Result<Asked, Refusal>> {
    if !matches!(call.text("InvocationType"), "" | "RequestResponse") {
        return None;
    }
    let now = world.now;
    let found = find(world, call).and_then(|function| {
        function.active(now)?;
        Ok((function.name.clone(), function.reserved_concurrency))
    });
    Some(found.and_then(|(function, limit)| {
        if limit == Some(0) {
            return Err(Refusal::new("TooManyRequestsException", "Rate Exceeded.").with_status(429));
        }
        let (account, region, event) = (call.caller.account.clone(), call.region.to_owned(), event_of(call)?);
        let id = record(world, &account, &region, &function, &call.caller.arn, &event);
        Ok(Asked { account, region, function, id, event })
    }))
}

/// The event that a caller sends.
fn event_of(call: &Call<'_>) -> Result<Value, Refusal> {
    let payload = STANDARD.decode(call.text("Payload")).unwrap_or_default();
    if payload.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(&payload).map_err(|error| {
        Refusal::new("InvalidRequestContentException", format!("Could not parse request body into json: {error}"))
    })
}

pub(super) fn invoke(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let function = find(world, call)?;
    function.active(now)?;
    let name = function.name.clone();
    let event = event_of(call)?;
    match call.text("InvocationType") {
        "DryRun" => Ok(json!({"StatusCode": 204})),
        "Event" => {
            queue(world, &call.caller.account, call.region, &name, &call.caller.arn, event);
            Ok(json!({"StatusCode": 202}))
        }
        _ => {
            let message = "The sandbox runs functions behind its HTTP transport only. In process, InvocationType Event records the invocation.";
            Err(Refusal::new("ServiceException", message).with_status(500))
        }
    }
}

pub(super) fn put_concurrency(world: &mut World, call: &Call<'_>) -> Outcome {
    let limit = call.input.get("ReservedConcurrentExecutions").and_then(Value::as_u64);
    let limit = limit.ok_or_else(|| invalid("ReservedConcurrentExecutions must be a number, 0 or more"))?;
    let name = find(world, call)?.name.clone();
    let functions = &mut world.region(&call.caller.account, call.region).lambda.functions;
    let others: u64 = functions
        .values()
        .filter(|function| function.name != name)
        .filter_map(|function| function.reserved_concurrency)
        .sum();
    if others + limit > ACCOUNT_CONCURRENCY - LEAST_UNRESERVED {
        return Err(invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
        ));
    }
    let function = functions.get_mut(&name).ok_or_else(|| missing(call.region, &call.caller.account, &name))?;
    function.reserved_concurrency = Some(limit);
    Ok(json!({"ReservedConcurrentExecutions": limit}))
}

pub(super) fn put_invoke_config(world: &mut World, call: &Call<'_>) -> Outcome {
    let given = |member: &str| call.input.get(member).filter(|value| !value.is_null()).cloned();
    let retries = given("MaximumRetryAttempts").map_or(Some(2), |value| value.as_u64()).filter(|retries| *retries <= 2);
    let retries = retries.ok_or_else(|| invalid("MaximumRetryAttempts must be 0, 1 or 2"))?;
    let age = given("MaximumEventAgeInSeconds").map_or(Some(21_600), |value| value.as_u64());
    let age = age.filter(|age| (60..=21_600).contains(age));
    let age = age.ok_or_else(|| invalid("MaximumEventAgeInSeconds must be between 60 and 21600"))?;
    let destinations = given("DestinationConfig").and_then(|value| value.as_object().cloned()).unwrap_or_default();
    if destinations.values().any(|value| value.get("Destination").is_some()) {
        return Err(invalid("The sandbox has no destinations for asynchronous invocations"));
    }
    let now = world.now;
    let function = find(world, call)?;
    function.retries = retries;
    let config = json!({
        "LastModified": now.as_second(),
        "FunctionArn": format!("{}:$LATEST", function.arn),
        "MaximumRetryAttempts": retries,
        "MaximumEventAgeInSeconds": age,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    });
    function.invoke_config = Some(config.clone());
    Ok(config)
}

pub(super) fn get_invoke_config(world: &mut World, call: &Call<'_>) -> Outcome {
    let function = find(world, call)?;
    function.invoke_config.clone().ok_or_else(|| no_config(function))
}

pub(super) fn delete_invoke_config(world: &mut World, call: &Call<'_>) -> Outcome {
    let function = find(world, call)?;
    function.invoke_config.take().ok_or_else(|| no_config(function))?;
    function.retries = 2;
    Ok(Value::Null)
}

fn no_config(function: &Function) -> Refusal {
    let message = format!("The function {}:$LATEST doesn't have an EventInvokeConfig", name_of(&function.arn));
    Refusal::new("ResourceNotFoundException", message).with_status(404)
}
