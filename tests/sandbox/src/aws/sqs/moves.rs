//! Tasks that move messages from a dead-letter queue back to where they came from, or elsewhere. They stand alone because
//! they go on by themselves. It must not decide what a dead letter is.
//!
//! Rules: StartMessageMoveTask and its like in the API reference, "Troubleshoot dead-letter queue redrive issues" in the
//! developer guide; sentences: LocalStack's `test_sqs_move_task`, whose snapshots are answers of AWS.

use std::time::Duration;

use base64::Engine;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Call, Message, Outcome, Queue, Refusal, State, invalid, required, state, within};
use crate::world::{Due, Part, World};

/// Messages a second at most, which is also how fast a task goes that names no number (StartMessageMoveTask leaves the
/// pace to SQS then).
const FASTEST: usize = 500;
/// Tasks that are listed at most.
const LISTED: i64 = 10;

/// A task.
#[derive(Clone, Debug)]
pub(super) struct Move {
    id: String,
    source: String,
    destination: Option<String>,
    pace: Option<usize>,
    started: Timestamp,
    /// How many messages there were to move, and how many were moved.
    counts: (usize, usize),
    status: &'static str,
    failure: Option<&'static str>,
}

const RUNNING: &str = "RUNNING";

fn gone(message: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", message).with_status(404)
}

impl State {
    fn by_arn(&mut self, arn: &str) -> Option<&mut Queue> {
        self.queues.values_mut().find(|queue| queue.arn == arn)
    }
}

pub(super) fn start(world: &mut World, call: &Call<'_>) -> Outcome {
    let source = required(call.input, "SourceArn")?;
    let pace = within(call.input, "MaxNumberOfMessagesPerSecond", 1, 500)?.and_then(|pace| usize::try_from(pace).ok());
    let destination = Some(call.text("DestinationArn")).filter(|arn| !arn.is_empty());
    let (now, id) = (world.now, world.ids.uuid());
    let queues = state(world, call);
    let Some(count) = queues.by_arn(source).map(|queue| queue.messages.len()) else {
        return Err(gone("The resource that you specified for the SourceArn parameter doesn't exist."));
    };
    if !queues.queues.values().any(|queue| queue.redrive().is_some_and(|redrive| redrive.target == source)) {
        return Err(invalid("Source queue must be configured as a Dead Letter Queue."));
    }
    if destination.is_some_and(|arn| queues.by_arn(arn).is_none()) {
        return Err(gone("The resource that you specified for the DestinationArn parameter doesn't exist."));
    }
    if queues.moves.iter().any(|one| one.source == source && one.status == RUNNING) {
        return Err(invalid(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        ));
    }
    let task = Move {
        id: id.clone(),
        source: source.to_owned(),
        destination: destination.map(str::to_owned),
        pace,
        started: now,
        counts: (count, 0),
        status: RUNNING,
        failure: None,
    };
    let handle = task.handle();
    queues.moves.push(task);
    let (account, region) = (call.caller.account.clone(), call.region.to_owned());
    world.schedule(Duration::ZERO, Due { part: Part::Sqs, account, region, id });
    Ok(json!({"TaskHandle": handle}))
}

/// A task goes on by what it may move in a second.
pub fn wake(world: &mut World, due: &Due) {
    let (now, mut ids) = (world.now, std::mem::take(&mut world.ids));
    let queues = &mut world.region(&due.account, &due.region).sqs;
    let place = queues.moves.iter().position(|one| one.id == due.id && one.status == RUNNING);
    let mut again = false;
    if let Some(mut task) = place.and_then(|place| queues.moves.get(place).cloned()) {
        for _ in 0..task.pace.unwrap_or(FASTEST) {
            if task.status == RUNNING {
                task.step(queues, now, || ids.uuid());
            }
        }
        again = task.status == RUNNING;
        if let Some(kept) = place.and_then(|place| queues.moves.get_mut(place)) {
            *kept = task;
        }
    }
    world.ids = ids;
    let queues = world.region(&due.account, &due.region).sqs.queues.values();
    let arns: Vec<String> = queues.filter(|queue| !queue.messages.is_empty()).map(|queue| queue.arn.clone()).collect();
    for arn in arns {
        super::deliver::stir(world, &arn);
    }
    if again {
        world.schedule(Duration::from_secs(1), due.clone());
    }
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let source = required(call.input, "SourceArn")?;
    let most = within(call.input, "MaxResults", 1, LISTED)?.unwrap_or(1);
    let queues = state(world, call);
    if queues.by_arn(source).is_none() {
        return Err(gone("The resource that you specified for the SourceArn parameter doesn't exist."));
    }
    let of_source = queues.moves.iter().rev().filter(|one| one.source == source);
    let shown: Vec<Value> = of_source.take(usize::try_from(most).unwrap_or(1)).map(Move::shown).collect();
    Ok(json!({"Results": shown}))
}

pub(super) fn cancel(world: &mut World, call: &Call<'_>) -> Outcome {
    let wrong = || invalid("Value for parameter TaskHandle is invalid.");
    let handle = required(call.input, "TaskHandle")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(handle).map_err(|_| wrong())?;
    let told: Value = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let (id, source) = (told["taskId"].as_str().ok_or_else(wrong)?, told["sourceArn"].as_str().ok_or_else(wrong)?);
    let queues = state(world, call);
    if queues.by_arn(source).is_none() {
        return Err(gone("The resource that you specified for the SourceArn parameter doesn't exist."));
    }
    let running = queues.moves.iter_mut().find(|one| one.id == id && one.source == source && one.status == RUNNING);
    let task = running.ok_or_else(|| gone("Task does not exist."))?;
    task.status = "CANCELLED";
    Ok(json!({"ApproximateNumberOfMessagesMoved": task.counts.1}))
}

impl Move {
    fn handle(&self) -> String {
        let told = json!({"taskId": self.id, "sourceArn": self.source});
        base64::engine::general_purpose::STANDARD.encode(told.to_string())
    }

    /// Moves one message, or ends. A moved message is a new one: it has another id, and its retention begins anew
    /// ("Configure a dead-letter queue redrive").
    fn step(&mut self, queues: &mut State, now: Timestamp, id: impl FnOnce() -> String) {
        let source = queues.by_arn(&self.source);
        let next = source.as_ref().and_then(|queue| queue.messages.iter().position(|message| message.visible <= now));
        let (Some(source), Some(place)) = (source, next) else {
            self.status = "COMPLETED";
            return;
        };
        let destination = self.destination.clone().or_else(|| source.messages[place].source.clone());
        let Some(destination) = destination else {
            (self.status, self.failure) = ("FAILED", Some("CouldNotDetermineMessageSource"));
            return;
        };
        let message = source.messages.remove(place);
        match queues.by_arn(&destination) {
            Some(queue) => {
                let fresh = Message {
                    id: id(),
                    sent: now,
                    visible: now,
                    first_received: None,
                    received: 0,
                    source: None,
                    ..message
                };
                queue.messages.push(fresh);
                self.counts.1 += 1;
            }
            None => {
                if let Some(source) = queues.by_arn(&self.source) {
                    source.messages.insert(place, message);
                }
                (self.status, self.failure) = ("FAILED", Some("AWS.SimpleQueueService.NonExistentQueue"));
            }
        }
    }

    fn shown(&self) -> Value {
        let running = self.status == RUNNING;
        json!({
            "TaskHandle": running.then(|| self.handle()),
            "Status": self.status,
            "SourceArn": self.source,
            "DestinationArn": self.destination,
            "MaxNumberOfMessagesPerSecond": self.pace,
            "ApproximateNumberOfMessagesMoved": self.counts.1,
            "ApproximateNumberOfMessagesToMove": self.counts.0,
            "FailureReason": self.failure,
            "StartedTimestamp": self.started.as_millisecond(),
        })
    }
}
