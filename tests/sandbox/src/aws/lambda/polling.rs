//! What an event source mapping does: it reads messages from its queue, lets the function run with them, and deletes what was
//! served. Apart from the mappings because it goes on by itself, by the world's clock. It must not decide what a run does.
//!
//! Rules: "Using Lambda with Amazon SQS" in the developer guide ("Example message event", "Handling errors for an SQS event
//! source"). Where AWS polls all the time, here a mapping looks when a message can be received: the outcome is the same. While a
//! batch gathers, its messages are still in the queue.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};

use super::invocations::record;
use super::{Mapping, Status};
use crate::aws::{Call, Caller, Outcome};
use crate::world::{Due, Effect, Part, World};

/// How many batches run at once where the mapping does not say ("Configuring maximum concurrency": a mapping begins with
/// five of them).
const AT_ONCE: u64 = 5;
/// How long a mapping waits that could not receive what is there.
const PAUSE: Duration = Duration::from_secs(60);
/// Messages of one receive call.
const RECEIVED: u64 = 10;

/// What a mapping is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Polls {
    /// When it looks next.
    next: Option<Timestamp>,
    /// Since when messages gather.
    gathers: Option<Timestamp>,
}

/// The messages that an invocation got.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The mapping's id.
    mapping: String,
    queue: String,
    /// Ids of messages with the handles by which they are deleted.
    messages: Vec<(String, String)>,
}

/// A message of the queue can be received from `at` on, or its mappings have changed: they look then.
pub fn rouse(world: &mut World, account: &str, region: &str, queue: &str, at: Timestamp) {
    let mappings = &world.region(account, region).lambda.mappings;
    let ids: Vec<String> = mappings.values().filter(|one| one.queue == queue).map(|one| one.id.clone()).collect();
    for id in ids {
        look(world, account, region, &id, at);
    }
}

/// Lets a mapping look at its queue then, unless it looks before anyway.
pub(super) fn look(world: &mut World, account: &str, region: &str, id: &str, at: Timestamp) {
    let at = at.max(world.now);
    let Some(mapping) = world.region(account, region).lambda.mappings.get_mut(id) else { return };
    if mapping.polls.next.is_some_and(|next| next <= at) {
        return;
    }
    mapping.polls.next = Some(at);
    let delay = Duration::try_from(at.duration_since(world.now)).unwrap_or_default();
    let due = Due { part: Part::Lambda, account: account.to_owned(), region: region.to_owned(), id: id.to_owned() };
    world.schedule(delay, due);
}

/// A mapping looks at its queue.
pub fn wake(world: &mut World, due: &Due) {
    let next = turn(world, due);
    // Until here it looked, so that what it did to the queue did not let it look again.
    if let Some(mapping) = world.region(&due.account, &due.region).lambda.mappings.get_mut(&due.id) {
        mapping.polls.next = None;
    }
    if let Some(next) = next {
        look(world, &due.account, &due.region, &due.id, next);
    }
}

/// Reads a batch, if there is one; gives the moment at which to look again.
fn turn(world: &mut World, due: &Due) -> Option<Timestamp> {
    // In process no run ever begins, so that none is in the way of another.
    let (now, live) = (world.now, world.live.is_some());
    let lambda = &world.region(&due.account, &due.region).lambda;
    let mapping = lambda.mappings.get(&due.id)?.clone();
    let function = lambda.functions.get(&mapping.function).filter(|one| one.active(now).is_ok())?;
    let role = function.role.clone();
    let running = lambda.invocations.iter().filter(|one| {
        let own = one.batch.as_ref().is_some_and(|batch| batch.mapping == mapping.id);
        own && (one.status == Status::Running || (live && one.status == Status::Queued))
    });
    if !mapping.reads(now) || running.count() as u64 >= mapping.concurrency.unwrap_or(AT_ONCE) {
        return None;
    }
    let waiting = crate::aws::sqs::waiting(world, &due.account, &due.region, &mapping.queue);
    if waiting == 0 {
        gathers(world, due, None);
        return soonest(world, due, &mapping.queue);
    }
    let began = mapping.polls.gathers.unwrap_or(now);
    let ready = began.saturating_add(i64::try_from(mapping.window).unwrap_or(0).seconds()).unwrap_or(now);
    if waiting < mapping.batch && ready > now {
        gathers(world, due, Some(began));
        return Some(ready);
    }
    gathers(world, due, None);
    let caller = as_role(&due.account, &role, &mapping.function);
    let messages = received(world, due, &mapping, &caller);
    if messages.is_empty() {
        // The role may not, or what was there went to the dead letters.
        return Some(world.after(PAUSE));
    }
    invoke(world, due, &mapping, &messages);
    soonest(world, due, &mapping.queue)
}

fn gathers(world: &mut World, due: &Due, since: Option<Timestamp>) {
    if let Some(mapping) = world.region(&due.account, &due.region).lambda.mappings.get_mut(&due.id) {
        mapping.polls.gathers = since;
    }
}

/// When the next message can be received, if there is one. A queue that hides nothing is looked at once a second.
fn soonest(world: &mut World, due: &Due, queue: &str) -> Option<Timestamp> {
    let hides = crate::aws::sqs::visibility(world, &due.account, &due.region, queue)?;
    let least = if hides.is_zero() { world.after(Duration::from_secs(1)) } else { world.now };
    Some(crate::aws::sqs::next_visible(world, &due.account, &due.region, queue)?.max(least))
}

/// Lambda, in the function's role.
fn as_role(account: &str, role: &str, function: &str) -> Caller {
    let name = role.rsplit('/').next().unwrap_or_default();
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{function}");
    Caller { account: account.to_owned(), arn, principal: role.to_owned() }
}

fn ask(world: &mut World, due: &Due, caller: &Caller, operation: &str, input: &Value) -> Outcome {
    match world.iam.denied(&caller.principal, &format!("sqs:{operation}")) {
        Some(refusal) => Err(refusal),
        None => crate::aws::sqs::call(world, &Call { operation, input, caller, region: &due.region }),
    }
}

/// As many messages as make a batch, or as there are.
fn received(world: &mut World, due: &Due, mapping: &Mapping, caller: &Caller) -> Vec<Value> {
    let url = crate::aws::sqs::url(world, &due.account, &due.region, &mapping.queue);
    let mut messages: Vec<Value> = Vec::new();
    while (messages.len() as u64) < mapping.batch {
        let most = (mapping.batch - messages.len() as u64).min(RECEIVED);
        let input = json!({"QueueUrl": url, "MaxNumberOfMessages": most, "WaitTimeSeconds": 0,
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]});
        let got = ask(world, due, caller, "ReceiveMessage", &input).unwrap_or_default();
        match got["Messages"].as_array() {
            Some(more) if !more.is_empty() => messages.extend(more.iter().cloned()),
            _ => break,
        }
    }
    messages
}

fn invoke(world: &mut World, due: &Due, mapping: &Mapping, messages: &[Value]) {
    let records: Vec<Value> = messages.iter().map(|message| one(message, &mapping.queue, &due.region)).collect();
    let event = json!({"Records": records});
    let id = record(world, &due.account, &due.region, &mapping.function, &mapping.queue, &event);
    let text = |message: &Value, member: &str| message[member].as_str().unwrap_or_default().to_owned();
    let handles = messages.iter().map(|one| (text(one, "MessageId"), text(one, "ReceiptHandle"))).collect();
    let batch = Batch { mapping: mapping.id.clone(), queue: mapping.queue.clone(), messages: handles };
    if let Some(invocation) = world.region(&due.account, &due.region).lambda.invocations.last_mut() {
        invocation.batch = Some(batch);
    }
    world.effects.push(Effect::InvokeLambda {
        account: due.account.clone(),
        region: due.region.clone(),
        function: mapping.function.clone(),
        id,
        event,
    });
}

/// A message as the function gets it.
fn one(message: &Value, queue: &str, region: &str) -> Value {
    let attributes = message["MessageAttributes"].as_object().into_iter().flatten();
    let attributes: Map<String, Value> = attributes
        .map(|(name, given)| {
            let mut told = json!({"stringListValues": [], "binaryListValues": [], "dataType": given["DataType"]});
            for (from, to) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
                if !given[from].is_null() {
                    told[to] = given[from].clone();
                }
            }
            (name.clone(), told)
        })
        .collect();
    let mut told = json!({
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue,
        "awsRegion": region,
    });
    if !message["MD5OfMessageAttributes"].is_null() {
        told["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"].clone();
    }
    told
}

/// Whether an invocation came from a queue. It is tried once; its messages come again by themselves.
pub fn polled(world: &mut World, account: &str, region: &str, id: &str) -> bool {
    let invocations = &world.region(account, region).lambda.invocations;
    invocations.iter().rev().find(|one| one.id == id).is_some_and(|one| one.batch.is_some())
}

/// The run of an invocation that came from a queue is over: what it served is deleted from the queue, the rest is left to
/// the visibility timeout.
pub fn served(world: &mut World, account: &str, region: &str, id: &str) {
    let lambda = &world.region(account, region).lambda;
    let Some(invocation) = lambda.invocations.iter().rev().find(|one| one.id == id) else { return };
    let (Some(batch), Some(attempt)) = (invocation.batch.clone(), invocation.attempts.last()) else { return };
    let reports = lambda.mappings.get(&batch.mapping).is_some_and(|mapping| mapping.reports);
    let failed = match (attempt.error.is_null(), reports) {
        (false, _) => None,
        (true, true) => failures(&attempt.result, &batch),
        (true, false) => Some(BTreeSet::new()),
    };
    let role = lambda.functions.get(&invocation.function).map(|function| function.role.clone());
    let name = invocation.function.clone();
    if let (Some(failed), Some(role)) = (failed, role) {
        let caller = as_role(account, &role, &name);
        let due = Due { part: Part::Lambda, account: account.to_owned(), region: region.to_owned(), id: String::new() };
        let url = crate::aws::sqs::url(world, account, region, &batch.queue);
        for (_, handle) in batch.messages.iter().filter(|(message, _)| !failed.contains(message)) {
            // What cannot be deleted comes again.
            let _ = ask(world, &due, &caller, "DeleteMessage", &json!({"QueueUrl": url, "ReceiptHandle": handle}));
        }
    }
    let now = world.now;
    look(world, account, region, &batch.mapping, now);
}

/// The messages that a function reports as failed; `None` where all of them count as failed ("Reporting batch item
/// failures": an answer of another shape, an empty identifier or one that is not in the batch).
fn failures(result: &Value, batch: &Batch) -> Option<BTreeSet<String>> {
    let list = match result {
        Value::Null => return Some(BTreeSet::new()),
        Value::Object(members) => match members.get("batchItemFailures") {
            None | Some(Value::Null) => return Some(BTreeSet::new()),
            Some(list) => list.as_array()?,
        },
        _ => return None,
    };
    let known = |id: &str| batch.messages.iter().any(|(message, _)| message == id);
    list.iter().map(|one| one["itemIdentifier"].as_str().filter(|id| known(id)).map(str::to_owned)).collect()
}
