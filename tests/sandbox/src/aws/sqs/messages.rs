//! Messages: sent, received for a while, hidden again, moved to the dead-letter queue and deleted. They stand alone
//! because this is where time passes. It must not change what a queue is.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use serde_json::{Map, Value, json};

use super::attributes::Redrive;
use super::{
    Call, Message, Outcome, Queue, Refusal, digest, find, invalid, lacks, query_code, required, state, within, wrong,
};
use crate::world::World;

/// Most entries of a batch, most messages of a receive call, most attributes of a message.
const TEN: usize = 10;
/// Bytes of a batch, all its messages together (SendMessageBatch).
const BATCH: usize = 1_048_576;

pub(super) fn send(world: &mut World, call: &Call<'_>) -> Outcome {
    sent(world, call, call.input, "are invalid")
}

/// One message, of a call of its own or of a batch; the two word what is too long differently.
fn sent(world: &mut World, call: &Call<'_>, entry: &Value, too_long: &str) -> Outcome {
    let body = required(entry, "MessageBody")?.to_owned();
    let delay = within(entry, "DelaySeconds", 0, 900)?;
    let attributes = entry.get("MessageAttributes").and_then(Value::as_object).cloned().unwrap_or_default();
    check_attributes(&attributes)?;
    let system = entry.get("MessageSystemAttributes").and_then(Value::as_object).cloned().unwrap_or_default();
    let trace = system.get("AWSTraceHeader").and_then(|header| header["StringValue"].as_str()).map(str::to_owned);
    if let Some(id) = entry.get("MessageDeduplicationId").filter(|id| !id.is_null()) {
        let reason = "The request include parameter that is not valid for this queue type.";
        return Err(wrong("MessageDeduplicationId", id, reason));
    }
    let group = entry.get("MessageGroupId").filter(|id| !id.is_null());
    let good = |id: &Value| {
        id.as_str().is_some_and(|id| (1..=128).contains(&id.len()) && id.chars().all(|sign| sign.is_ascii_graphic()))
    };
    if let Some(id) = group.filter(|id| !good(id)) {
        let reason = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
        return Err(wrong("MessageGroupId", id, reason));
    }
    let group = group.and_then(Value::as_str).map(str::to_owned);
    // #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF (SendMessage)
    if body.chars().any(|sign| (sign < ' ' && !"\t\n\r".contains(sign)) || matches!(sign, '\u{fffe}' | '\u{ffff}')) {
        return Err(Refusal::new("InvalidMessageContents", "The message has characters outside the allowed set."));
    }
    let id = world.ids.uuid();
    let now = world.now;
    let sender = Some(crate::aws::sts::user_id(world, call.caller));
    let queue = find(world, call)?;
    let most = queue.attribute("MaximumMessageSize").and_then(|text| text.parse().ok()).unwrap_or(BATCH);
    if size(&body, &attributes) > most {
        return Err(invalid(format!(
            "One or more parameters {too_long}. Reason: Message must be shorter than {most} bytes."
        )));
    }
    let delay = delay.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let delay = delay.unwrap_or_else(|| queue.seconds("DelaySeconds"));
    let (sum, sum_of_attributes) = (digest::of_text(&body), digest::of_attributes(&attributes));
    let visible = now.saturating_add(delay).unwrap_or(now);
    let message = Message {
        id: id.clone(),
        body,
        attributes,
        trace,
        group,
        sender,
        sent: now,
        visible,
        first_received: None,
        received: 0,
        source: None,
    };
    queue.messages.push(message);
    Ok(json!({"MessageId": id, "MD5OfMessageBody": sum, "MD5OfMessageAttributes": sum_of_attributes,
        "MD5OfMessageSystemAttributes": digest::of_attributes(&system)}))
}

fn size(body: &str, attributes: &Map<String, Value>) -> usize {
    let parts = |attribute: &Value| -> usize {
        ["DataType", "StringValue", "BinaryValue"]
            .iter()
            .filter_map(|part| attribute[*part].as_str())
            .map(str::len)
            .sum()
    };
    body.len() + attributes.iter().map(|(name, attribute)| name.len() + parts(attribute)).sum::<usize>()
}

/// "Message attribute components" in the developer guide.
fn check_attributes(attributes: &Map<String, Value>) -> Result<(), Refusal> {
    if attributes.len() > TEN {
        return Err(invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [10].",
            attributes.len()
        )));
    }
    for (name, attribute) in attributes {
        let kind = attribute["DataType"].as_str().unwrap_or_default();
        let member = match kind.split('.').next() {
            Some("String" | "Number") => "StringValue",
            Some("Binary") => "BinaryValue",
            _ => return Err(invalid(format!("The message attribute '{name}' has an invalid message attribute type."))),
        };
        if attribute[member].as_str().is_none_or(str::is_empty) {
            let kind = kind.split('.').next().unwrap_or_default();
            return Err(invalid(format!(
                "Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
            )));
        }
    }
    Ok(())
}

pub(super) fn send_batch(world: &mut World, call: &Call<'_>) -> Outcome {
    let entries = batch(call)?;
    let bytes: usize = entries
        .iter()
        .map(|entry| {
            let attributes = entry.get("MessageAttributes").and_then(Value::as_object).cloned().unwrap_or_default();
            size(entry["MessageBody"].as_str().unwrap_or_default(), &attributes)
        })
        .sum();
    if bytes > BATCH {
        return Err(Refusal::new(
            "BatchRequestTooLong",
            format!("Batch requests cannot be longer than {BATCH} bytes. You have sent {bytes} bytes."),
        ));
    }
    find(world, call)?;
    each(entries, |entry| sent(world, call, entry, "cannot be validated"))
}

/// The entries of a batch, if it may have them: one to ten, each with an id of its own.
fn batch<'v>(call: &Call<'v>) -> Result<&'v [Value], Refusal> {
    let entries = call.input.get("Entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entries.is_empty() {
        return Err(Refusal::new("EmptyBatchRequest", "There should be at least one entry in the batch request."));
    }
    if entries.len() > TEN {
        let message = format!("Maximum number of entries per request are 10. You have sent {}.", entries.len());
        return Err(Refusal::new("TooManyEntriesInBatchRequest", message));
    }
    let mut seen = BTreeSet::new();
    for entry in entries {
        let id = required(entry, "Id")?;
        if id.len() > 80 || !id.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_".contains(sign)) {
            return Err(Refusal::new(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(Refusal::new("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
    }
    Ok(entries)
}

/// What became of each entry of a batch.
fn each(entries: &[Value], mut act: impl FnMut(&Value) -> Outcome) -> Outcome {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match act(entry) {
            Ok(Value::Object(mut members)) => {
                members.insert("Id".to_owned(), entry["Id"].clone());
                successful.push(Value::Object(members));
            }
            Ok(_) => successful.push(json!({"Id": entry["Id"]})),
            Err(refusal) => failed
                .push(json!({"Id": entry["Id"], "SenderFault": true, "Code": query_code(&refusal.code).unwrap_or(refusal.code),
                "Message": refusal.message})),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

pub(super) fn receive(world: &mut World, call: &Call<'_>) -> Outcome {
    let most = within(call.input, "MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
    let hidden = within(call.input, "VisibilityTimeout", 0, 43_200)?;
    within(call.input, "WaitTimeSeconds", 0, 20)?;
    Ok(json!({"Messages": some(taken(world, call, most, hidden)?)}))
}

fn some(messages: Vec<Value>) -> Value {
    if messages.is_empty() { Value::Null } else { json!(messages) }
}

/// How long a call that found nothing waits for a message: as long as it says, or else its queue ("Amazon SQS short and
/// long polling"). The sandbox asks again until then.
pub fn patience(world: &mut World, call: &Call<'_>) -> Duration {
    let own = call.input.get("WaitTimeSeconds").and_then(Value::as_u64);
    let queue = find(world, call).map(|queue| queue.seconds("ReceiveMessageWaitTimeSeconds")).unwrap_or_default();
    own.map_or(queue, Duration::from_secs)
}

/// At most so many messages, hidden from now on.
fn taken(world: &mut World, call: &Call<'_>, most: i64, hidden: Option<i64>) -> Result<Vec<Value>, Refusal> {
    let now = world.now;
    let redrive = find(world, call)?.redrive();
    let redrive = redrive.filter(|to| state(world, call).queues.values().any(|queue| queue.arn == to.target));
    if let Some(redrive) = redrive {
        move_dead(world, call, &redrive)?;
    }
    let queue = find(world, call)?;
    let hidden = hidden.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let hidden = hidden.unwrap_or_else(|| queue.seconds("VisibilityTimeout"));
    let name = queue.arn.clone();
    let mut found = Vec::new();
    for message in queue.messages.iter_mut().filter(|message| message.visible <= now) {
        if found.len() >= usize::try_from(most).unwrap_or(1) {
            break;
        }
        message.received += 1;
        message.first_received.get_or_insert(now);
        message.visible = now.saturating_add(hidden).unwrap_or(now);
        found.push(shown(message, &name, call));
    }
    Ok(found)
}

/// Messages that would be received once too often go to the dead-letter queue instead, with the moment at which they
/// were sent ("Using dead-letter queues").
fn move_dead(world: &mut World, call: &Call<'_>, redrive: &Redrive) -> Result<(), Refusal> {
    let now = world.now;
    let queue = find(world, call)?;
    let arn = queue.arn.clone();
    let (dead, alive) = std::mem::take(&mut queue.messages)
        .into_iter()
        .partition(|message: &Message| message.visible <= now && message.received >= redrive.most);
    queue.messages = alive;
    let dead: Vec<Message> = dead;
    if let Some(target) = state(world, call).queues.values_mut().find(|queue| queue.arn == redrive.target) {
        target.messages.extend(dead.into_iter().map(|message| Message {
            visible: now,
            source: Some(arn.clone()),
            ..message
        }));
    }
    Ok(())
}

fn shown(message: &Message, queue: &str, call: &Call<'_>) -> Value {
    let millis = |at: jiff::Timestamp| at.as_millisecond().to_string();
    let system = [
        ("SentTimestamp", Some(millis(message.sent))),
        ("ApproximateReceiveCount", Some(message.received.to_string())),
        ("ApproximateFirstReceiveTimestamp", message.first_received.map(millis)),
        ("SenderId", message.sender.clone()),
        ("AWSTraceHeader", message.trace.clone()),
        ("MessageGroupId", message.group.clone()),
        ("DeadLetterQueueSourceArn", message.source.clone()),
    ];
    // AttributeNames is the older name of MessageSystemAttributeNames.
    let asked: Vec<&Value> =
        ["MessageSystemAttributeNames", "AttributeNames"].iter().flat_map(|one| call.list(one)).collect();
    let all = asked.iter().any(|name| *name == "All");
    let system: Map<String, Value> = system
        .into_iter()
        .filter(|(name, _)| all || asked.iter().any(|one| *one == name))
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect();
    let own: Map<String, Value> = message
        .attributes
        .iter()
        .filter(|(name, _)| {
            call.list("MessageAttributeNames").iter().filter_map(Value::as_str).any(|asked| meant(asked, name))
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let some = |members: &Map<String, Value>| if members.is_empty() { Value::Null } else { json!(members) };
    json!({
        "MessageId": message.id,
        "ReceiptHandle": handle(queue, message),
        "MD5OfBody": digest::of_text(&message.body),
        "Body": message.body,
        "Attributes": some(&system),
        "MD5OfMessageAttributes": digest::of_attributes(&own),
        "MessageAttributes": some(&own),
    })
}

/// `All`, `.*`, a name, or a beginning such as `bar.*` (ReceiveMessage).
fn meant(asked: &str, name: &str) -> bool {
    asked == "All" || asked == name || asked.strip_suffix(".*").is_some_and(|beginning| name.starts_with(beginning))
}

/// Each receiving of a message has a handle of its own.
fn handle(queue: &str, message: &Message) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{queue} {} {}", message.id, message.received))
}

/// Where the message of a receipt handle is, if it is there; the handle may be an older one.
fn held(queue: &Queue, handle: &str) -> Result<Option<(usize, bool)>, Refusal> {
    let wrong = || {
        Refusal::new(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        )
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(handle).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let [arn, id, count] = text.split(' ').collect::<Vec<_>>()[..] else { return Err(wrong()) };
    if arn != queue.arn {
        return Err(wrong());
    }
    let place = queue.messages.iter().position(|message| message.id == id);
    Ok(place.and_then(|place| Some((place, queue.messages.get(place)?.received.to_string() == count))))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let queue = find(world, call)?;
    remove(queue, required(call.input, "ReceiptHandle")?)
}

pub(super) fn delete_batch(world: &mut World, call: &Call<'_>) -> Outcome {
    let entries = batch(call)?;
    let queue = find(world, call)?;
    each(entries, |entry| remove(queue, required(entry, "ReceiptHandle")?))
}

/// With an older handle than the last the call succeeds and the message stays (DeleteMessage).
fn remove(queue: &mut Queue, handle: &str) -> Outcome {
    if let Some((place, true)) = held(queue, handle)? {
        queue.messages.remove(place);
    }
    Ok(Value::Null)
}

pub(super) fn change_visibility(world: &mut World, call: &Call<'_>) -> Outcome {
    changed(world, call, call.input)
}

pub(super) fn change_visibility_batch(world: &mut World, call: &Call<'_>) -> Outcome {
    let entries = batch(call)?;
    find(world, call)?;
    each(entries, |entry| changed(world, call, entry))
}

/// A message may be hidden again although its time was over, as long as nobody else has received it since (LocalStack,
/// `test_change_message_visibility_after_visibility_timeout_expiration`).
fn changed(world: &mut World, call: &Call<'_>, entry: &Value) -> Outcome {
    let handle = required(entry, "ReceiptHandle")?;
    let seconds = within(entry, "VisibilityTimeout", 0, 43_200)?.ok_or_else(|| lacks("VisibilityTimeout"))?;
    let now = world.now;
    let queue = find(world, call)?;
    let place = held(queue, handle)?.filter(|(_, latest)| *latest).map(|(place, _)| place);
    let message = place.and_then(|place| queue.messages.get_mut(place)).ok_or_else(|| {
        let reason = "Message does not exist or is not available for visibility timeout change.";
        wrong("ReceiptHandle", &json!(handle), reason)
    })?;
    message.visible = now.saturating_add(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))).unwrap_or(now);
    Ok(Value::Null)
}
