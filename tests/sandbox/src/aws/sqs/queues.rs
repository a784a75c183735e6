//! Queues: made, found, changed, tagged, emptied and deleted. They stand alone because no message is looked at here,
//! but for all of them together. It must not decide who may do what; that is IAM's.

use std::collections::BTreeMap;

use jiff::ToSpan;
use serde_json::{Value, json};

use super::attributes::{Redrive, checked};
use super::{Call, Outcome, Queue, Refusal, find, missing, required, state, within};
use crate::aws::cloudformation::partition;
use crate::world::World;

/// Most results of ListQueues.
const PAGE: i64 = 1_000;
/// Most tags of a queue (SQS quotas).
const MOST_TAGS: usize = 50;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = required(call.input, "QueueName")?.to_owned();
    let sign = |sign: char| sign.is_ascii_alphanumeric() || "-_".contains(sign);
    if name.ends_with(".fifo") && call.input["Attributes"]["FifoQueue"] == "true" {
        return Err(Refusal::new("UnsupportedOperation", "The sandbox has no FIFO queues"));
    }
    if name.len() > 80 || !name.chars().all(sign) {
        return Err(super::invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    let given = checked(call.input.get("Attributes").unwrap_or(&Value::Null))?;
    let now = world.now;
    if let Some(queue) = state(world, call).queues.get(&name) {
        let differs =
            |(attribute, value): &(&String, &String)| queue.attribute(attribute).unwrap_or_default() != **value;
        return match given.iter().find(differs) {
            Some((attribute, _)) => Err(Refusal::new(
                "QueueNameExists",
                format!("A queue already exists with the same name and a different value for attribute {attribute}"),
            )),
            None => Ok(json!({"QueueUrl": queue.url})),
        };
    }
    let deleted = state(world, call).deleted.get(&name).copied();
    if deleted.is_some_and(|at| at.saturating_add(60.seconds()).is_ok_and(|free| free > now)) {
        return Err(Refusal::new(
            "QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        ));
    }
    let (account, region) = (&call.caller.account, call.region);
    let (arn_partition, domain) = partition(region);
    let url = format!("https://sqs.{region}.{domain}/{account}/{name}");
    let arn = format!("arn:{arn_partition}:sqs:{region}:{account}:{name}");
    leads_somewhere(world, call, &given, &arn)?;
    let tags = tags_of(call.input.get("tags").unwrap_or(&Value::Null));
    few(&tags)?;
    let mut queue = Queue {
        url: url.clone(),
        arn,
        attributes: BTreeMap::new(),
        tags,
        messages: Vec::new(),
        created: now,
        changed: now,
        purged: None,
    };
    queue.set(given);
    state(world, call).queues.insert(name, queue);
    Ok(json!({"QueueUrl": url}))
}

/// A dead-letter queue must be there, in the same account and region ("Using dead-letter queues"), and take the dead
/// letters of the queue at `arn`. (How SQS words the second is not published.)
fn leads_somewhere(
    world: &mut World,
    call: &Call<'_>,
    given: &BTreeMap<String, String>,
    arn: &str,
) -> Result<(), Refusal> {
    let Some(text) = given.get("RedrivePolicy") else { return Ok(()) };
    let Some(redrive) = Redrive::read(text) else { return Ok(()) };
    let refused = |reason: &str| Err(super::wrong("RedrivePolicy", &json!(text), reason));
    match state(world, call).queues.values().find(|queue| queue.arn == redrive.target) {
        None => refused("Dead letter target does not exist."),
        Some(queue) if !queue.allow().lets(arn) => {
            refused("The dead letter target does not take this queue's messages.")
        }
        Some(_) => Ok(()),
    }
}

/// The queues whose dead letters go to this one.
pub(super) fn sources(world: &mut World, call: &Call<'_>) -> Outcome {
    let arn = find(world, call)?.arn.clone();
    let most = within(call.input, "MaxResults", 1, PAGE)?;
    let leads = |queue: &Queue| queue.redrive().is_some_and(|redrive| redrive.target == arn);
    let found = state(world, call).queues.iter().filter(|(_, queue)| leads(queue));
    let (urls, next) = page(found, most, call.text("NextToken"));
    Ok(json!({"queueUrls": urls, "NextToken": next}))
}

/// One page of queues; the token is the name of the last one given.
fn page<'q>(
    found: impl Iterator<Item = (&'q String, &'q Queue)>,
    most: Option<i64>,
    after: &str,
) -> (Vec<String>, Option<String>) {
    let limit = usize::try_from(most.unwrap_or(PAGE)).unwrap_or_default();
    let mut found = found.filter(|(name, _)| after.is_empty() || name.as_str() > after);
    let page: Vec<(&String, &Queue)> = found.by_ref().take(limit).collect();
    // Without MaxResults there are no pages, and the rest is not told (ListQueues).
    let next = page.last().map(|(name, _)| (*name).clone()).filter(|_| most.is_some() && found.next().is_some());
    (page.iter().map(|(_, queue)| queue.url.clone()).collect(), next)
}

pub(super) fn url(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = required(call.input, "QueueName")?;
    let owner = call.text("QueueOwnerAWSAccountId");
    let own = owner.is_empty() || owner == call.caller.account;
    let queue = state(world, call).queues.get(name).filter(|_| own).ok_or_else(missing)?;
    Ok(json!({"QueueUrl": queue.url}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let most = within(call.input, "MaxResults", 1, PAGE)?;
    let prefix = call.text("QueueNamePrefix");
    let found = state(world, call).queues.iter().filter(|(name, _)| name.starts_with(prefix));
    let (urls, next) = page(found, most, call.text("NextToken"));
    Ok(json!({"QueueUrls": if urls.is_empty() { Value::Null } else { json!(urls) }, "NextToken": next}))
}

pub(super) fn attributes(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let queue = find(world, call)?;
    Ok(json!({"Attributes": queue.shown(call.list("AttributeNames"), now)?}))
}

pub(super) fn set_attributes(world: &mut World, call: &Call<'_>) -> Outcome {
    let given = call.input.get("Attributes").filter(|given| given.is_object());
    let given = given.ok_or_else(|| super::lacks("Attribute.Name"))?;
    let given = checked(given)?;
    let arn = find(world, call)?.arn.clone();
    leads_somewhere(world, call, &given, &arn)?;
    let now = world.now;
    let queue = find(world, call)?;
    queue.set(given);
    queue.changed = now;
    Ok(Value::Null)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let arn = find(world, call)?.arn.clone();
    let now = world.now;
    let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
    let state = state(world, call);
    state.queues.remove(&name);
    state.deleted.insert(name, now);
    Ok(Value::Null)
}

pub(super) fn purge(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let queue = find(world, call)?;
    if queue.purged.is_some_and(|at| at.saturating_add(60.seconds()).is_ok_and(|free| free > now)) {
        let name = queue.arn.rsplit(':').next().unwrap_or_default();
        let message = format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds.");
        return Err(Refusal::new("PurgeQueueInProgress", message).with_status(403));
    }
    queue.messages.clear();
    queue.purged = Some(now);
    Ok(Value::Null)
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Outcome {
    let queue = find(world, call)?;
    let mut tags = queue.tags.clone();
    tags.extend(tags_of(call.input.get("Tags").unwrap_or(&Value::Null)));
    few(&tags)?;
    queue.tags = tags;
    Ok(Value::Null)
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Outcome {
    let queue = find(world, call)?;
    for key in call.list("TagKeys").iter().filter_map(Value::as_str) {
        queue.tags.remove(key);
    }
    Ok(Value::Null)
}

pub(super) fn tags(world: &mut World, call: &Call<'_>) -> Outcome {
    let queue = find(world, call)?;
    Ok(json!({"Tags": if queue.tags.is_empty() { Value::Null } else { json!(queue.tags) }}))
}

fn tags_of(given: &Value) -> BTreeMap<String, String> {
    let given = given.as_object().into_iter().flatten();
    given.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn few(tags: &BTreeMap<String, String>) -> Result<(), Refusal> {
    match tags.len() <= MOST_TAGS {
        true => Ok(()),
        false => Err(super::invalid(format!("Too many tags added for queue: at most {MOST_TAGS}"))),
    }
}
