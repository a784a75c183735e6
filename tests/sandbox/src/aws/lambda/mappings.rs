//! Event source mappings: from which queue a function gets its events. They stand alone because a mapping is there whether
//! its function is or not. What a mapping does is in `polling`; it must not look at messages.
//!
//! Rules: CreateEventSourceMapping and its like in the API reference, "Using Lambda with Amazon SQS" in the developer guide.
//! Sentences: LocalStack's `test_lambda_integration_sqs` and `test_lambda_api`, whose snapshots are answers of AWS.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Function, invalid, name_of, polling};
use crate::aws::page::{cut, size};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// Mappings of one page, at most and by default.
const PAGE: usize = 100;

/// A mapping of a queue to a function.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) id: String,
    pub(super) arn: String,
    /// ARN of the queue.
    pub(super) queue: String,
    /// Name of the function.
    pub(super) function: String,
    function_arn: String,
    pub(super) batch: u64,
    /// For how many seconds messages may gather.
    pub(super) window: u64,
    /// How many runs at once.
    pub(super) concurrency: Option<u64>,
    /// Whether the function says which messages of a batch failed.
    pub(super) reports: bool,
    enabled: bool,
    /// What goes on with it, and until when.
    progress: (&'static str, Timestamp),
    modified: Timestamp,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) polls: polling::Polls,
}

fn gone() -> Refusal {
    Refusal::new("ResourceNotFoundException", "The resource you requested does not exist.").with_status(404)
}

fn all<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut BTreeMap<String, Mapping> {
    let now = world.now;
    let mappings = &mut world.region(&call.caller.account, call.region).lambda.mappings;
    mappings.retain(|_, mapping| !mapping.gone(now));
    mappings
}

fn find<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Mapping, Refusal> {
    all(world, call).get_mut(call.text("UUID")).ok_or_else(gone)
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let queue = call.text("EventSourceArn").to_owned();
    if queue.is_empty() {
        return Err(invalid("Unrecognized event source."));
    }
    let own = format!(":sqs:{}:{}:", call.region, call.caller.account);
    if !queue.contains(&own) {
        return Err(invalid("The sandbox reads from SQS queues of the same account and region only"));
    }
    let now = world.now;
    let name = name_of(call.text("FunctionName")).to_owned();
    let given = call.text("FunctionName");
    let function = world.region(&call.caller.account, call.region).lambda.functions.get(&name).cloned();
    let function = function.ok_or_else(|| invalid("Function does not exist"))?;
    if let Some(other) = all(world, call).values().find(|one| one.queue == queue && one.function == name) {
        let message = format!(
            "An event source mapping with SQS arn (\" {queue} \") and function (\" {name} \") already exists. Please update or delete the existing mapping with UUID {}",
            other.id
        );
        return Err(Refusal::new("ResourceConflictException", message).with_status(409));
    }
    let id = world.ids.uuid();
    let version = if given.ends_with(":$LATEST") { ":$LATEST" } else { "" };
    let enabled = call.input.get("Enabled") != Some(&json!(false));
    let until = world.after(world.settings.lambda_update);
    let tags = call.input.get("Tags").and_then(Value::as_object).into_iter().flatten();
    let mut mapping = Mapping {
        arn: format!("arn:aws:lambda:{}:{}:event-source-mapping:{id}", call.region, call.caller.account),
        id: id.clone(),
        queue,
        function: name,
        function_arn: format!("{}{version}", function.arn),
        batch: 10,
        window: 0,
        concurrency: None,
        reports: false,
        enabled,
        progress: if enabled { ("Creating", until) } else { ("Disabled", now) },
        modified: now,
        tags: tags.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        polls: polling::Polls::default(),
    };
    mapping.configure(call.input)?;
    may_read(world, call, &function, &mapping.queue)?;
    let shown = mapping.shown(mapping.progress.0);
    all(world, call).insert(id.clone(), mapping);
    polling::look(world, &call.caller.account, call.region, &id, until);
    Ok(shown)
}

/// Whether the function's role may read from the queue, and the queue hides messages for as long as the function may run.
fn may_read(world: &mut World, call: &Call<'_>, function: &Function, queue: &str) -> Result<(), Refusal> {
    for action in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
        let full = format!("sqs:{action}");
        if !world.iam.permits(&function.role, &full, queue) || world.iam.denied(&function.role, &full).is_some() {
            return Err(invalid(format!(
                "The function execution role does not have permissions to call {action} on SQS"
            )));
        }
    }
    let account = &call.caller.account;
    let hidden = crate::aws::sqs::visibility(world, account, call.region, queue).ok_or_else(|| {
        invalid(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.",
        )
    })?;
    if hidden < Duration::from_secs(function.timeout) {
        return Err(invalid(format!(
            "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds",
            hidden.as_secs(),
            function.timeout
        )));
    }
    Ok(())
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let mapping = find(world, call)?;
    Ok(mapping.shown(mapping.state(now)))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let most = size(call.input.get("MaxItems"), "maxItems", 1, 10_000)
        .map_err(|message| Refusal::new("ValidationException", message))?;
    let (now, queue, function) = (world.now, call.text("EventSourceArn"), name_of(call.text("FunctionName")));
    let found = all(world, call)
        .values()
        .filter(|one| queue.is_empty() || one.queue == queue)
        .filter(|one| function.is_empty() || one.function == function);
    let items = found.map(|one| (one.id.clone(), one.shown(one.state(now)))).collect();
    let page = cut("ListEventSourceMappings", items, most.unwrap_or(PAGE).min(PAGE), call.text("Marker"))
        .ok_or_else(|| invalid("The marker is not one that was given out."))?;
    Ok(json!({"EventSourceMappings": page.items, "NextMarker": page.next}))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, until) = (world.now, world.after(world.settings.lambda_update));
    let mut changed = find(world, call)?.clone();
    changed.in_use(now, "update")?;
    if !call.text("FunctionName").is_empty() {
        let name = name_of(call.text("FunctionName")).to_owned();
        let function = world.region(&call.caller.account, call.region).lambda.functions.get(&name).cloned();
        let function = function.ok_or_else(|| invalid("Function does not exist"))?;
        may_read(world, call, &function, &changed.queue)?;
        (changed.function, changed.function_arn) = (name, function.arn);
    }
    let was = changed.enabled;
    changed.enabled = call.input.get("Enabled").and_then(Value::as_bool).unwrap_or(was);
    changed.configure(call.input)?;
    let doing = match (was, changed.enabled) {
        (false, true) => "Enabling",
        (true, false) => "Disabling",
        _ => "Updating",
    };
    (changed.progress, changed.modified) = ((doing, until), now);
    let (shown, id) = (changed.shown(doing), changed.id.clone());
    *find(world, call)? = changed;
    polling::look(world, &call.caller.account, call.region, &id, until);
    Ok(shown)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, until) = (world.now, world.after(world.settings.lambda_update));
    let mapping = find(world, call)?;
    mapping.in_use(now, "delete")?;
    (mapping.progress, mapping.enabled) = (("Deleting", until), false);
    Ok(mapping.shown("Deleting"))
}

impl Mapping {
    /// Its state at this moment.
    fn state(&self, now: Timestamp) -> &'static str {
        match (self.progress, self.enabled) {
            ((doing, until), _) if now < until => doing,
            (_, true) => "Enabled",
            (_, false) => "Disabled",
        }
    }

    /// Whether it reads from its queue now. One that is being changed goes on.
    pub(super) fn reads(&self, now: Timestamp) -> bool {
        matches!(self.state(now), "Enabled" | "Updating") && self.enabled
    }

    /// Whether its deletion is over.
    pub(super) fn gone(&self, now: Timestamp) -> bool {
        self.progress.0 == "Deleting" && self.progress.1 <= now
    }

    /// What goes on is over: a stack waits for that.
    pub(super) fn settle(&mut self) {
        self.progress.1 = Timestamp::UNIX_EPOCH;
    }

    fn in_use(&self, now: Timestamp, what: &str) -> Result<(), Refusal> {
        match self.state(now) {
            "Enabled" | "Disabled" => Ok(()),
            _ => {
                let message = format!("Cannot {what} the event source mapping because it is in use.");
                Err(Refusal::new("ResourceInUseException", message))
            }
        }
    }

    /// Takes over what creating and updating have in common.
    fn configure(&mut self, input: &Value) -> Result<(), Refusal> {
        let given = |member: &str| input.get(member).filter(|value| !value.is_null());
        let number = |member: &str, least: u64, most: u64| match given(member) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .filter(|number| (least..=most).contains(number))
                .map(Some)
                .ok_or_else(|| invalid(format!("The value {value} of {member} must be from {least} to {most}"))),
        };
        self.batch = number("BatchSize", 1, 10_000)?.unwrap_or(self.batch);
        self.window = number("MaximumBatchingWindowInSeconds", 0, 300)?.unwrap_or(self.window);
        if self.batch > 10 && self.window == 0 {
            return Err(invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            ));
        }
        if let Some(scaling) = given("ScalingConfig") {
            self.concurrency = match &scaling["MaximumConcurrency"] {
                Value::Null => None,
                value => Some(value.as_u64().filter(|most| (2..=1_000).contains(most)).ok_or_else(|| {
                    invalid(format!("The value {value} of MaximumConcurrency must be from 2 to 1000"))
                })?),
            };
        }
        if let Some(types) = given("FunctionResponseTypes").and_then(Value::as_array) {
            if let Some(other) = types.iter().find(|one| *one != "ReportBatchItemFailures") {
                return Err(invalid(format!(
                    "A function's response type must be ReportBatchItemFailures, not {other}"
                )));
            }
            self.reports = !types.is_empty();
        }
        if given("DestinationConfig").is_some() {
            return Err(invalid("Unsupported DestinationConfig parameter for given event source mapping type."));
        }
        let known = [
            "UUID",
            "EventSourceArn",
            "FunctionName",
            "Enabled",
            "Tags",
            "BatchSize",
            "MaximumBatchingWindowInSeconds",
            "ScalingConfig",
            "FunctionResponseTypes",
        ];
        let more = input
            .as_object()
            .into_iter()
            .flatten()
            .find(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
        match more {
            Some((name, _)) => Err(invalid(format!("The sandbox's event source mappings have no {name}"))),
            None => Ok(()),
        }
    }

    fn shown(&self, state: &str) -> Value {
        let types: &[&str] = if self.reports { &["ReportBatchItemFailures"] } else { &[] };
        json!({
            "UUID": self.id,
            "EventSourceMappingArn": self.arn,
            "EventSourceArn": self.queue,
            "FunctionArn": self.function_arn,
            "BatchSize": self.batch,
            "MaximumBatchingWindowInSeconds": self.window,
            "ScalingConfig": self.concurrency.map(|most| json!({"MaximumConcurrency": most})),
            "FunctionResponseTypes": types,
            "LastModified": self.modified.as_second(),
            "State": state,
            "StateTransitionReason": "USER_INITIATED",
        })
    }

    /// As [`Mapping::shown`], at this moment.
    pub(super) fn dump(&self, now: Timestamp) -> Value {
        self.shown(self.state(now))
    }
}

/// The mapping of an ARN, for its tags.
pub(super) fn tagged<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Mapping, Refusal> {
    let id = call.text("Resource").rsplit(':').next().unwrap_or_default();
    all(world, call).get_mut(id).ok_or_else(gone)
}
