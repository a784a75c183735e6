//! EventBridge: rules on the default event bus, matched for real, with Lambda functions and queues as targets. Schedules,
//! other buses and other targets are refused. What happens to an invocation is Lambda's and the transport's business.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Call, Outcome, Refusal, Undelivered};
use crate::world::World;

pub mod pattern;
mod rules;

/// Who sends, in the words of resource policies.
const SENDER: &str = "events.amazonaws.com";
/// The only event bus.
const DEFAULT_BUS: &str = "default";
/// Rules per event bus (EventBridge quotas).
const MOST_RULES: usize = 300;
/// Targets per rule (EventBridge quotas).
const MOST_TARGETS: usize = 5;

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct State {
    rules: BTreeMap<String, Rule>,
    /// Deliveries that came to nothing.
    failures: Vec<Failure>,
    /// How many events came, and how many invocations they led to.
    counts: (u64, u64),
}

#[derive(Clone, Debug, Default)]
struct Rule {
    arn: String,
    pattern: String,
    description: String,
    enabled: bool,
    /// By their ids, as they were put.
    targets: BTreeMap<String, Value>,
    tags: BTreeMap<String, String>,
}

/// An event that matched a rule, whose target could not be invoked. (EventBridge counts it as FailedInvocations.)
#[derive(Clone, Debug)]
struct Failure {
    at: Timestamp,
    rule: String,
    target: String,
    reason: String,
}

impl State {
    /// What bears tags here.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        self.rules.values().map(|one| (one.arn.clone(), one.tags.clone())).collect()
    }

    /// All of it, in a stable order.
    pub fn dump(&self) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|(name, rule)| {
                json!({"name": name, "arn": rule.arn, "pattern": rule.pattern, "description": rule.description,
                    "enabled": rule.enabled, "targets": rule.targets.values().collect::<Vec<_>>(), "tags": rule.tags})
            })
            .collect();
        let failures: Vec<Value> = self
            .failures
            .iter()
            .map(|one| json!({"at": one.at, "rule": one.rule, "target": one.target, "reason": one.reason}))
            .collect();
        json!({"rules": rules, "failures": failures, "events": self.counts.0, "invocations": self.counts.1})
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "PutRule" => rules::put_rule(world, call),
        "DescribeRule" => rules::describe_rule(world, call),
        "ListRules" => rules::list_rules(world, call),
        "EnableRule" => rules::set_state(world, call, true),
        "DisableRule" => rules::set_state(world, call, false),
        "DeleteRule" => rules::delete_rule(world, call),
        "PutTargets" => rules::put_targets(world, call),
        "ListTargetsByRule" => rules::list_targets(world, call),
        "RemoveTargets" => rules::remove_targets(world, call),
        "TagResource" => rules::tag(world, call),
        "UntagResource" => rules::untag(world, call),
        "ListTagsForResource" => rules::list_tags(world, call),
        "PutEvents" => put_events(world, call),
        "TestEventPattern" => test_pattern(call),
        other => Err(Refusal::new("UnknownOperationException", format!("The sandbox's EventBridge has no {other}"))),
    }
}

/// Lets an event come to the default bus of an account and region: each enabled rule that matches it invokes its
/// targets, if their resource policies let it. Members of the envelope that are absent are filled in.
pub fn publish(world: &mut World, account: &str, region: &str, event: &Value) {
    let event = enveloped(world, account, region, event);
    let events = &mut world.region(account, region).events;
    events.counts.0 += 1;
    let hits: Vec<(String, Value)> = events
        .rules
        .values()
        .filter(|rule| rule.enabled)
        .filter(|rule| pattern::parse(&rule.pattern).is_ok_and(|pattern| pattern::matches(&pattern, &event)))
        .flat_map(|rule| rule.targets.values().map(|target| (rule.arn.clone(), target.clone())))
        .collect();
    for (rule, target) in hits {
        let arn = target.get("Arn").and_then(Value::as_str).unwrap_or_default();
        let input = target.get("Input").and_then(Value::as_str).filter(|input| !input.is_empty());
        let result = if arn.split(':').nth(2) == Some("sqs") {
            let body = input.map_or_else(|| event.to_string(), str::to_owned);
            super::sqs::deliver(world, arn, SENDER, &rule, &body, &[])
        } else {
            let given = input.and_then(|input| serde_json::from_str(input).ok());
            super::lambda::deliver(world, arn, SENDER, &rule, given.unwrap_or_else(|| event.clone()))
        };
        if let Err(why) = &result {
            dead_letter(world, &rule, &target, &event, why);
        }
        let now = world.now;
        let events = &mut world.region(account, region).events;
        match result {
            Ok(()) => events.counts.1 += 1,
            Err(why) => events.failures.push(Failure { at: now, rule, target: arn.to_owned(), reason: why.reason }),
        }
    }
}

/// Sends an event that was not delivered to the target's dead-letter queue. What is not there or not allowed is not tried
/// again, so that no condition of the retry policy was met ("Using dead-letter queues to process undelivered events").
fn dead_letter(world: &mut World, rule: &str, target: &Value, event: &Value, why: &Undelivered) {
    let Some(queue) = target["DeadLetterConfig"]["Arn"].as_str() else { return };
    let attributes = [
        ("RULE_ARN", rule.to_owned()),
        ("TARGET_ARN", target["Arn"].as_str().unwrap_or_default().to_owned()),
        ("ERROR_CODE", why.code.to_owned()),
        ("ERROR_MESSAGE", why.reason.clone()),
        ("RETRY_ATTEMPTS", "0".to_owned()),
    ];
    if let Err(lost) = super::sqs::deliver(world, queue, SENDER, rule, &event.to_string(), &attributes) {
        let [_, _, _, region, account, ..] = rule.split(':').collect::<Vec<_>>()[..] else { return };
        let failure = Failure { at: world.now, rule: rule.to_owned(), target: queue.to_owned(), reason: lost.reason };
        world.region(account, region).events.failures.push(failure);
    }
}

/// The event with all members that EventBridge gives every event.
fn enveloped(world: &mut World, account: &str, region: &str, event: &Value) -> Value {
    let id = world.ids.uuid();
    let mut whole = json!({"version": "0", "id": id, "account": account, "time": seconds(world.now),
        "region": region, "resources": []});
    if let (Some(whole), Value::Object(given)) = (whole.as_object_mut(), event) {
        whole.extend(given.clone());
    }
    whole
}

/// A moment as events carry it, without fractions.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn put_events(world: &mut World, call: &Call<'_>) -> Outcome {
    let entries = call.list("Entries").to_vec();
    if entries.is_empty() || entries.len() > 10 {
        return Err(invalid("Value at 'entries' must have 1 to 10 members"));
    }
    let mut results = Vec::new();
    for entry in entries {
        results.push(match put_event(world, call, &entry) {
            Ok(id) => json!({"EventId": id}),
            Err(refusal) => json!({"ErrorCode": refusal.code, "ErrorMessage": refusal.message}),
        });
    }
    let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
    Ok(json!({"FailedEntryCount": failed, "Entries": results}))
}

fn put_event(world: &mut World, call: &Call<'_>, entry: &Value) -> Result<String, Refusal> {
    let text = |member: &str| entry.get(member).and_then(Value::as_str).unwrap_or_default();
    let source = text("Source");
    for member in ["Source", "DetailType", "Detail"] {
        if text(member).is_empty() {
            return Err(Refusal::new(
                "InvalidArgument",
                format!("Parameter {member} is not valid. Reason: {member} is a required argument."),
            ));
        }
    }
    if source.starts_with("aws.") {
        let message = "Not authorized for the source.";
        return Err(Refusal::new("NotAuthorizedForSourceException", message));
    }
    if !matches!(text("EventBusName"), "" | DEFAULT_BUS) {
        return Err(no_bus(text("EventBusName")));
    }
    let detail: Value =
        serde_json::from_str(text("Detail")).map_err(|_| Refusal::new("MalformedDetail", "Detail is malformed."))?;
    let id = world.ids.uuid();
    let event = json!({"id": id, "source": source, "detail-type": text("DetailType"), "detail": detail,
        "resources": entry.get("Resources").cloned().unwrap_or_else(|| json!([]))});
    publish(world, &call.caller.account, call.region, &event);
    Ok(id)
}

fn test_pattern(call: &Call<'_>) -> Outcome {
    let pattern = pattern::parse(call.required("EventPattern")?).map_err(|reason| {
        Refusal::new("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
    })?;
    let event: Value = serde_json::from_str(call.required("Event")?)
        .map_err(|_| invalid("Parameter Event is not valid. Reason: it is not JSON"))?;
    Ok(json!({"Result": pattern::matches(&pattern, &event)}))
}

/// Refuses calls to any bus but the default one.
fn bus(call: &Call<'_>) -> Result<(), Refusal> {
    match call.text("EventBusName") {
        "" | DEFAULT_BUS => Ok(()),
        name if name.ends_with(":event-bus/default") => Ok(()),
        name => Err(no_bus(name)),
    }
}

fn no_bus(name: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Event bus {name} does not exist."))
}

fn missing_rule(name: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Rule {name} does not exist on EventBus default."))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", message)
}
