//! Dead letters: events of asynchronous invocations that no attempt served. Apart from the invocations because they end
//! here; who runs functions says when.
//!
//! Lambda Developer Guide, "Adding a dead-letter queue": the message is the event, its attributes say what went wrong.

use super::{Function, invalid};
use crate::aws::Refusal;
use crate::world::World;

/// As much of an error's message as a dead letter holds (the first kilobyte).
const LONGEST: usize = 1024;

/// Whether the queue that a function names may be sent to: the function's role sends. Only what is denied is looked at.
pub(super) fn may_be_sent(world: &World, function: &Function) -> Result<(), Refusal> {
    let Some(target) = function.dead_letter["TargetArn"].as_str().filter(|target| !target.is_empty()) else {
        return Ok(());
    };
    if target.split(':').nth(2) == Some("sqs") && world.iam.denied(&function.role, "sqs:SendMessage").is_some() {
        return Err(invalid("The provided execution role does not have permissions to call SendMessage on SQS"));
    }
    Ok(())
}

/// Sends the event of an invocation that failed for good to the queue that its function names, if it names one. What
/// cannot be sent is lost (at AWS, `DeadLetterErrors` counts it).
pub fn dead_letter(world: &mut World, account: &str, region: &str, id: &str) {
    let lambda = &world.region(account, region).lambda;
    let Some(invocation) = lambda.invocations.iter().rev().find(|one| one.id == id) else { return };
    let Some(function) = lambda.functions.get(&invocation.function) else { return };
    let Some(queue) = function.dead_letter["TargetArn"].as_str().map(str::to_owned) else { return };
    let error = invocation.attempts.last().map(|attempt| attempt.error.clone()).unwrap_or_default();
    let message: String = error["errorMessage"].as_str().unwrap_or_default().to_owned();
    let end = (0..=LONGEST.min(message.len())).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    // The status of an invocation whose function failed, and of one that was not let run.
    let status = if error["errorType"] == super::SWITCHED_OFF { "429" } else { "200" };
    let (role, body) = (function.role.clone(), invocation.event.to_string());
    let mut attributes = vec![("RequestID", id.to_owned()), ("ErrorCode", status.to_owned())];
    // An attribute cannot be empty.
    attributes.extend(message.get(..end).filter(|text| !text.is_empty()).map(|text| ("ErrorMessage", text.to_owned())));
    if world.iam.denied(&role, "sqs:SendMessage").is_none() {
        let _ = crate::aws::sqs::put(world, &queue, &body, &attributes);
    }
}
