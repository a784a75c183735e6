//! SQS: standard queues with their messages, by the sandbox's clock. It stands alone because queues are what other
//! services deliver to. FIFO queues and permissions by AddPermission are refused. It must not know who reads.
//!
//! Rules: the Amazon SQS API reference, and the developer guide where a rule names it. Codes and sentences of refusals:
//! LocalStack's `tests/aws/services/sqs` (its snapshots are answers of AWS); a code is the one that stands in the body.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Call, Outcome, Refusal};
use crate::world::World;

mod attributes;
mod deliver;
mod digest;
mod messages;
mod moves;
mod queues;
#[cfg(test)]
mod tests;

pub use deliver::{deliver, next_visible, put, url, visibility, waiting};
pub use messages::patience;
pub use moves::wake;

/// What exists in one account and region: queues by name.
#[derive(Clone, Debug, Default)]
pub struct State {
    queues: BTreeMap<String, Queue>,
    /// When queues that are gone went: a name is free again after 60 seconds (CreateQueue).
    deleted: BTreeMap<String, Timestamp>,
    /// Tasks that move messages out of dead-letter queues, oldest first.
    moves: Vec<moves::Move>,
}

/// A queue.
#[derive(Clone, Debug)]
struct Queue {
    url: String,
    arn: String,
    /// Those that were given, by their names.
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    /// Oldest first.
    messages: Vec<Message>,
    created: Timestamp,
    changed: Timestamp,
    purged: Option<Timestamp>,
}

/// A message.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    body: String,
    /// By name, as they were sent.
    attributes: Map<String, Value>,
    trace: Option<String>,
    /// The message group that the sender named.
    group: Option<String>,
    /// The unique id of the principal that sent it; not known for services.
    sender: Option<String>,
    sent: Timestamp,
    /// From when on it can be received: delays and visibility timeouts both move it.
    visible: Timestamp,
    first_received: Option<Timestamp>,
    received: u64,
    /// The queue that it was moved here from.
    source: Option<String>,
}

impl State {
    /// What bears tags here.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        self.queues.values().map(|one| (one.arn.clone(), one.tags.clone())).collect()
    }

    /// All of it, in a stable order; bodies are those of messages that nobody has deleted.
    pub fn dump(&self) -> Value {
        let queues: Map<String, Value> = self
            .queues
            .iter()
            .map(|(name, queue)| {
                let bodies: Vec<Value> = queue
                    .messages
                    .iter()
                    .map(|message| json!({"body": message.body, "received": message.received}))
                    .collect();
                (
                    name.clone(),
                    json!({"arn": queue.arn, "attributes": queue.attributes, "tags": queue.tags, "messages": bodies}),
                )
            })
            .collect();
        queues.into()
    }
}

/// Answers one call. Whoever reads from a queue whose messages it moved looks at it again.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    let outcome = answer(world, call);
    if outcome.is_ok() && call.operation.contains("Message") {
        let queue = find(world, call).ok().map(|queue| (queue.arn.clone(), queue.redrive()));
        let (arn, redrive) = queue.unzip();
        for arn in arn.into_iter().chain(redrive.flatten().map(|redrive| redrive.target)) {
            deliver::stir(world, &arn);
        }
    }
    outcome
}

fn answer(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "CreateQueue" => queues::create(world, call),
        "GetQueueUrl" => queues::url(world, call),
        "ListQueues" => queues::list(world, call),
        "GetQueueAttributes" => queues::attributes(world, call),
        "SetQueueAttributes" => queues::set_attributes(world, call),
        "DeleteQueue" => queues::delete(world, call),
        "PurgeQueue" => queues::purge(world, call),
        "TagQueue" => queues::tag(world, call),
        "UntagQueue" => queues::untag(world, call),
        "ListQueueTags" => queues::tags(world, call),
        "SendMessage" => messages::send(world, call),
        "SendMessageBatch" => messages::send_batch(world, call),
        "ReceiveMessage" => messages::receive(world, call),
        "ChangeMessageVisibility" => messages::change_visibility(world, call),
        "DeleteMessage" => messages::delete(world, call),
        "DeleteMessageBatch" => messages::delete_batch(world, call),
        "ChangeMessageVisibilityBatch" => messages::change_visibility_batch(world, call),
        "ListDeadLetterSourceQueues" => queues::sources(world, call),
        "StartMessageMoveTask" => moves::start(world, call),
        "ListMessageMoveTasks" => moves::list(world, call),
        "CancelMessageMoveTask" => moves::cancel(world, call),
        other => Err(Refusal::new("UnknownOperationException", format!("The sandbox's SQS has no {other}"))),
    }
}

fn state<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut State {
    &mut world.region(&call.caller.account, call.region).sqs
}

/// The queue of a call's `QueueUrl`, rid of messages that are past its retention period.
fn find<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Queue, Refusal> {
    let url = required(call.input, "QueueUrl")?;
    let now = world.now;
    let mut parts = url.rsplit('/');
    let (name, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let queue =
        state(world, call).queues.get_mut(name).filter(|_| account == call.caller.account).ok_or_else(missing)?;
    queue.expire(now);
    Ok(queue)
}

fn required<'v>(input: &'v Value, member: &str) -> Result<&'v str, Refusal> {
    input.get(member).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| lacks(member))
}

fn lacks(member: &str) -> Refusal {
    let message = format!("The request must contain the parameter {member}.");
    Refusal::new("MissingRequiredParameterException", message)
}

/// A number in its range, if it is given.
fn within(input: &Value, member: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
    let Some(given) = input.get(member).filter(|value| !value.is_null()) else { return Ok(None) };
    let reason = match member {
        "MaxNumberOfMessages" => format!("Must be between {least} and {most}, if provided."),
        _ => format!("Must be >= {least} and <= {most}, if provided."),
    };
    given
        .as_i64()
        .filter(|number| (least..=most).contains(number))
        .map(Some)
        .ok_or_else(|| wrong(member, given, &reason))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValueException", message)
}

/// A parameter's value that cannot be, text without its quotes.
fn wrong(member: &str, value: &Value, reason: &str) -> Refusal {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    invalid(format!("Value {shown} for parameter {member} is invalid. Reason: {reason}"))
}

/// What SQS called an error when it spoke the query protocol, which clients that were written for it still look for:
/// it stands in a header, and in the failed entries of a batch. (Smithy's `awsQueryError` of each error in the model of
/// SQS, and LocalStack's snapshots for the two that the model lacks.) `None`: not known, as for errors of any service.
pub fn query_code(code: &str) -> Option<String> {
    Some(match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "QueueNameExists" => "QueueAlreadyExists".to_owned(),
        "InvalidParameterValueException" => "InvalidParameterValue".to_owned(),
        "MissingRequiredParameterException" => "MissingParameter".to_owned(),
        "QueueDeletedRecently"
        | "PurgeQueueInProgress"
        | "EmptyBatchRequest"
        | "TooManyEntriesInBatchRequest"
        | "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "InvalidBatchEntryId"
        | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{code}"),
        other if other.ends_with("Exception") && other != "ResourceNotFoundException" => return None,
        other => other.to_owned(),
    })
}

fn missing() -> Refusal {
    Refusal::new("QueueDoesNotExist", "The specified queue does not exist.")
}
