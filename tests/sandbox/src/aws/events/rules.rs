//! Rules and their targets on the default event bus, and their tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{DEFAULT_BUS, MOST_RULES, MOST_TARGETS, Rule, invalid, missing_rule, pattern};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

pub(super) fn put_rule(world: &mut World, call: &Call<'_>) -> Outcome {
    super::bus(call)?;
    let name = name_of(call, "Name")?;
    let (text, schedule) = (call.text("EventPattern"), call.text("ScheduleExpression"));
    if !schedule.is_empty() {
        return Err(invalid("The sandbox runs no schedules: a rule here needs an EventPattern alone"));
    }
    if text.is_empty() {
        return Err(invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    pattern::parse(text).map_err(|reason| {
        Refusal::new("InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
    })?;
    let enabled = match call.text("State") {
        "" | "ENABLED" => true,
        "DISABLED" => false,
        other => return Err(invalid(format!("Value '{other}' at 'state' must be one of ENABLED, DISABLED"))),
    };
    let description = call.text("Description");
    if description.chars().count() > 512 {
        return Err(invalid("Value at 'description' must have length less than or equal to 512"));
    }
    let arn = format!("arn:aws:events:{}:{}:rule/{name}", call.region, call.caller.account);
    let given = tags_of(call);
    let rules = &mut world.region(&call.caller.account, call.region).events.rules;
    if !rules.contains_key(name) && rules.len() >= MOST_RULES {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(Refusal::new("LimitExceededException", message));
    }
    let rule = rules.entry(name.to_owned()).or_insert_with(|| Rule { tags: given, ..Rule::default() });
    // Tags of an existing rule are left alone: PutRule ignores them then (API reference).
    rule.arn.clone_from(&arn);
    (rule.pattern, rule.description, rule.enabled) = (text.to_owned(), description.to_owned(), enabled);
    Ok(json!({"RuleArn": arn}))
}

pub(super) fn describe_rule(world: &mut World, call: &Call<'_>) -> Outcome {
    super::bus(call)?;
    let name = call.required("Name")?;
    let mut shown = rule(world, call, name)?.shown(name);
    shown["CreatedBy"] = json!(call.caller.account);
    Ok(shown)
}

pub(super) fn list_rules(world: &mut World, call: &Call<'_>) -> Outcome {
    super::bus(call)?;
    let prefix = call.text("NamePrefix").to_owned();
    let rules = &world.region(&call.caller.account, call.region).events.rules;
    let found = rules.iter().filter(|(name, _)| name.starts_with(&prefix));
    page(call, "Rules", found.map(|(name, rule)| rule.shown(name)).collect())
}

pub(super) fn set_state(world: &mut World, call: &Call<'_>, enabled: bool) -> Outcome {
    super::bus(call)?;
    let name = call.required("Name")?;
    rule(world, call, name)?.enabled = enabled;
    Ok(Value::Null)
}

pub(super) fn delete_rule(world: &mut World, call: &Call<'_>) -> Outcome {
    super::bus(call)?;
    let name = call.required("Name")?;
    let rules = &mut world.region(&call.caller.account, call.region).events.rules;
    if rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    // Deleting a rule that is not there succeeds.
    rules.remove(name);
    Ok(Value::Null)
}

pub(super) fn put_targets(world: &mut World, call: &Call<'_>) -> Outcome {
    super::bus(call)?;
    let name = call.required("Rule")?;
    let targets = call.list("Targets").to_vec();
    if targets.is_empty() {
        return Err(invalid("Value at 'targets' must have length greater than or equal to 1"));
    }
    let rule = rule(world, call, name)?;
    let mut after = rule.targets.clone();
    for target in targets {
        let id = target_is_valid(&target)?;
        after.insert(id, target);
    }
    if after.len() > MOST_TARGETS {
        let message = "The requested resource exceeds the maximum number allowed.";
        return Err(Refusal::new("LimitExceededException", message));
    }
    rule.targets = after;
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

/// The target's id, if the sandbox can serve it.
fn target_is_valid(target: &Value) -> Result<String, Refusal> {
    let text = |member: &str| target.get(member).and_then(Value::as_str).unwrap_or_default();
    let id = text("Id");
    let good = |sign: char| sign.is_ascii_alphanumeric() || ".-_".contains(sign);
    if id.is_empty() || id.len() > 64 || !id.chars().all(good) {
        return Err(invalid(format!(
            "Value '{id}' at 'targets.member.id' must match [\\.\\-_A-Za-z0-9]+ and have 1 to 64 characters"
        )));
    }
    let arn = text("Arn");
    let queue = arn.starts_with("arn:aws:sqs:");
    if !arn.starts_with("arn:aws:lambda:") && !queue {
        return Err(invalid(format!(
            "Provided Arn is not in correct format, or not one the sandbox serves (only Lambda functions and queues): '{arn}'"
        )));
    }
    if arn.ends_with(".fifo") || target.get("SqsParameters").is_some_and(|value| !value.is_null()) {
        return Err(invalid("The sandbox has no FIFO queues, which SqsParameters are for"));
    }
    if queue && !text("RoleArn").is_empty() {
        return Err(invalid(
            "The sandbox sends to queues as their policies let it: a queue as a target has no RoleArn here",
        ));
    }
    for member in ["InputPath", "InputTransformer"] {
        if target.get(member).is_some_and(|value| !value.is_null()) {
            return Err(invalid(format!("The sandbox does not change events: a target here has no {member}")));
        }
    }
    undelivered_is_valid(target)?;
    let input = text("Input");
    if !input.is_empty() && serde_json::from_str::<Value>(input).is_err() {
        return Err(invalid(format!("JSON syntax error in input for target {id}")));
    }
    Ok(id.to_owned())
}

/// What becomes of events that do not reach the target. (Limits: API reference, `RetryPolicy` and `DeadLetterConfig`.)
fn undelivered_is_valid(target: &Value) -> Result<(), Refusal> {
    if let Some(queue) = target.get("DeadLetterConfig").and_then(|config| config.get("Arn"))
        && !queue.as_str().is_some_and(|arn| arn.starts_with("arn:aws:sqs:"))
    {
        return Err(invalid(format!("Parameter DeadLetterConfig.Arn is not the ARN of an SQS queue: {queue}")));
    }
    for (member, least, most) in [("MaximumRetryAttempts", 0, 185), ("MaximumEventAgeInSeconds", 60, 86_400)] {
        let value = target.get("RetryPolicy").and_then(|policy| policy.get(member));
        if let Some(value) = value.filter(|value| !value.as_i64().is_some_and(|n| (least..=most).contains(&n))) {
            return Err(invalid(format!("Value '{value}' at 'retryPolicy.{member}' must be from {least} to {most}")));
        }
    }
    Ok(())
}

pub(super) fn list_targets(world: &mut World, call: &Call<'_>) -> Outcome {
    super::bus(call)?;
    let name = call.required("Rule")?;
    let targets = rule(world, call, name)?.targets.values().cloned().collect();
    page(call, "Targets", targets)
}

pub(super) fn remove_targets(world: &mut World, call: &Call<'_>) -> Outcome {
    super::bus(call)?;
    let name = call.required("Rule")?;
    let rule = rule(world, call, name)?;
    for id in call.list("Ids").iter().filter_map(Value::as_str) {
        rule.targets.remove(id);
    }
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Outcome {
    let given = tags_of(call);
    by_arn(world, call)?.tags.extend(given);
    Ok(Value::Null)
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Outcome {
    let rule = by_arn(world, call)?;
    for key in call.list("TagKeys").iter().filter_map(Value::as_str) {
        rule.tags.remove(key);
    }
    Ok(Value::Null)
}

pub(super) fn list_tags(world: &mut World, call: &Call<'_>) -> Outcome {
    let tags: Vec<Value> =
        by_arn(world, call)?.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"Tags": tags}))
}

fn tags_of(call: &Call<'_>) -> BTreeMap<String, String> {
    let text = |tag: &Value, member: &str| tag.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    call.list("Tags").iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect()
}

fn name_of<'a>(call: &Call<'a>, member: &str) -> Result<&'a str, Refusal> {
    let name = call.input.get(member).and_then(Value::as_str).unwrap_or_default();
    let good = |sign: char| sign.is_ascii_alphanumeric() || ".-_".contains(sign);
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        let rule = "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+ and have 1 to 64 characters";
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: {rule}"
        )));
    }
    Ok(name)
}

fn rule<'a>(world: &'a mut World, call: &Call<'_>, name: &str) -> Result<&'a mut Rule, Refusal> {
    let rules = &mut world.region(&call.caller.account, call.region).events.rules;
    rules.get_mut(name).ok_or_else(|| missing_rule(name))
}

fn by_arn<'a>(world: &'a mut World, call: &Call<'_>) -> Result<&'a mut Rule, Refusal> {
    let arn = call.required("ResourceARN")?;
    let rules = &mut world.region(&call.caller.account, call.region).events.rules;
    let name = arn.rsplit('/').next().unwrap_or_default();
    rules.get_mut(name).filter(|rule| rule.arn == arn).ok_or_else(|| missing_rule(name))
}

/// One page of a list; the token is the number of members already given.
fn page(call: &Call<'_>, member: &str, all: Vec<Value>) -> Outcome {
    let limit = call.input.get("Limit").and_then(Value::as_u64).unwrap_or(100).clamp(1, 100);
    let limit = usize::try_from(limit).unwrap_or(100);
    let start: usize = match call.text("NextToken") {
        "" => 0,
        token => token.parse().map_err(|_| invalid("NextToken is not one that was given out"))?,
    };
    let next = (all.len() > start + limit).then(|| (start + limit).to_string());
    let members: Vec<Value> = all.into_iter().skip(start).take(limit).collect();
    Ok(json!({member: members, "NextToken": next}))
}

impl Rule {
    fn shown(&self, name: &str) -> Value {
        let description = Some(&self.description).filter(|text| !text.is_empty());
        json!({
            "Name": name,
            "Arn": self.arn,
            "EventPattern": self.pattern,
            "State": if self.enabled { "ENABLED" } else { "DISABLED" },
            "Description": description,
            "EventBusName": DEFAULT_BUS,
        })
    }
}
