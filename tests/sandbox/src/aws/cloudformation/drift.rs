//! Drift: whether things still are what their stack made them. Only properties that the stack declares are compared,
//! and only of types that `resources/actual` can read. It looks and changes nothing but its own record. Rules: API
//! reference, DetectStackDrift, DescribeStackDriftDetectionStatus, DescribeStackResourceDrifts; user guide, "Detect
//! unmanaged configuration changes to stacks and resources with drift detection".

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::bring::{physical_id, placed};
use super::request::{invalid, listed, named, only};
use super::resources::actual::reader;
use super::stack::{Stack, StackResource};
use super::template::scalar;
use super::write::{missing, with};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// Where drift can be detected (user guide).
const RESTING: &[&str] = &["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"];

/// One detection and what it found, which is told when its time is up.
#[derive(Clone, Debug)]
pub(super) struct Detection {
    id: String,
    started: Timestamp,
    ready: Timestamp,
    /// By logical id, for DescribeStackResourceDrifts.
    found: BTreeMap<String, Value>,
    /// Resources that could not be read.
    failed: Vec<String>,
}

impl Detection {
    fn drifted(&self) -> usize {
        self.found.values().filter(|found| found["StackResourceDriftStatus"] != "IN_SYNC").count()
    }

    /// A stack without resources that can be checked is in sync.
    fn status(&self) -> &'static str {
        if self.drifted() > 0 { "DRIFTED" } else { "IN_SYNC" }
    }
}

/// The newest detection of a stack that has come to its end.
fn last(stack: &Stack, now: Timestamp) -> Option<&Detection> {
    stack.detections.iter().rev().find(|detection| detection.ready <= now)
}

/// `DriftInformation` of a stack.
pub(super) fn of_stack(stack: &Stack, now: Timestamp) -> Value {
    match last(stack, now) {
        Some(detection) => {
            json!({"StackDriftStatus": detection.status(), "LastCheckTimestamp": detection.started.to_string()})
        }
        None => json!({"StackDriftStatus": "NOT_CHECKED"}),
    }
}

/// `DriftInformation` of a resource: as it was checked last.
pub(super) fn of_resource(stack: &Stack, name: &str, now: Timestamp) -> Value {
    match latest(stack, now).get(name) {
        Some(found) => json!({
            "StackResourceDriftStatus": found["StackResourceDriftStatus"], "LastCheckTimestamp": found["Timestamp"],
        }),
        None => json!({"StackResourceDriftStatus": "NOT_CHECKED"}),
    }
}

/// What was found of each resource last.
fn latest(stack: &Stack, now: Timestamp) -> BTreeMap<String, Value> {
    let ended = stack.detections.iter().filter(|detection| detection.ready <= now);
    ended.flat_map(|detection| detection.found.clone()).collect()
}

/// DetectStackDrift.
pub(super) fn detect(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "LogicalResourceIds"])?;
    let wanted = listed(call, "LogicalResourceIds");
    with(world, call, |world, stack| {
        if !RESTING.contains(&stack.status) {
            return Err(invalid(format!(
                "Drift cannot be detected on stack [{}] while it is in {}",
                stack.id, stack.status
            )));
        }
        if stack.detections.iter().any(|detection| detection.ready > world.now) {
            return Err(invalid(format!("Drift detection is already in progress for stack [{}]", stack.id)));
        }
        if let Some(unknown) = wanted.iter().find(|name| !stack.resources.contains_key(*name)) {
            return Err(invalid(format!("Resource {unknown} does not exist for stack {}", stack.name)));
        }
        let (id, started) = (world.ids.uuid(), world.now);
        let ready = world.after(world.settings.stack / 20);
        let mut detection = Detection { id: id.clone(), started, ready, found: BTreeMap::new(), failed: Vec::new() };
        // Whoever asks must be allowed to read.
        let reading = Stack { actor: call.caller.clone(), ..stack.clone() };
        let checked = reading.resources.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
        for (name, resource) in checked {
            match check(world, &reading, name, resource) {
                Ok(Some(found)) => drop(detection.found.insert(name.clone(), found)),
                Ok(None) => {}
                Err(refusal) => detection.failed.push(format!("{name}: {}", refusal.message)),
            }
        }
        stack.detections.push(detection);
        Ok(json!({"StackDriftDetectionId": id}))
    })
}

/// Looks at one resource; `None` where there is nothing, or nobody here can read it.
fn check(world: &mut World, stack: &Stack, name: &str, resource: &StackResource) -> Result<Option<Value>, Refusal> {
    let (Some(read), Some(made)) = (reader(&resource.kind), &resource.made) else { return Ok(None) };
    if ["DELETE_COMPLETE", "DELETE_SKIPPED"].contains(&resource.status) {
        return Ok(None);
    }
    let id = physical_id(Some(made));
    let actual = placed(world, stack, name, |world, place| read(world, place, &id))?;
    let mut found = json!({
        "StackId": stack.id, "LogicalResourceId": name, "PhysicalResourceId": id, "ResourceType": resource.kind,
        "Timestamp": world.now.to_string(),
    });
    let Some(actual) = actual else {
        found["StackResourceDriftStatus"] = json!("DELETED");
        return Ok(Some(found));
    };
    // What a service does not give back, such as code and secrets, is compared by nobody.
    let readable = |key: &str| !matches!((resource.kind.as_str(), key), (_, "Code" | "SecretString"));
    let declared = resource.properties.as_object().into_iter().flatten().filter(|(key, _)| readable(key));
    let expected: Map<String, Value> = declared.map(|(key, value)| (key.clone(), parsed(value))).collect();
    let there = |key: &String| actual.get(key).map(|value| (key.clone(), value.clone()));
    let actual = Value::Object(expected.keys().filter_map(there).collect());
    let mut differences = Vec::new();
    compare("", &Value::Object(expected.clone()), &actual, &mut differences);
    found["StackResourceDriftStatus"] = json!(if differences.is_empty() { "IN_SYNC" } else { "MODIFIED" });
    found["ExpectedProperties"] = json!(Value::Object(expected).to_string());
    found["ActualProperties"] = json!(actual.to_string());
    found["PropertyDifferences"] = json!(differences);
    Ok(Some(found))
}

/// A policy or pattern that the template writes as text is the same as one that it writes out.
fn parsed(value: &Value) -> Value {
    let text = value.as_str().filter(|text| text.trim_start().starts_with('{'));
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone())
}

/// Writes down where two values differ. What the service has besides, nobody has declared; in a list it is told.
fn compare(path: &str, expected: &Value, actual: &Value, found: &mut Vec<Value>) {
    let mut tell = |path: String, expected: &Value, actual: &Value, kind: &str| {
        let text = |value: &Value| scalar(value).unwrap_or_else(|| value.to_string());
        found.push(json!({
            "PropertyPath": path, "ExpectedValue": text(expected), "ActualValue": text(actual), "DifferenceType": kind,
        }));
    };
    match (expected, actual) {
        (Value::Object(members), Value::Object(others)) => {
            for (key, value) in members {
                match others.get(key) {
                    Some(other) => compare(&format!("{path}/{key}"), value, other, found),
                    None if value.as_array().is_some_and(Vec::is_empty) => {}
                    None => found.push(json!({
                        "PropertyPath": format!("{path}/{key}"), "ExpectedValue": scalar(value).unwrap_or_else(|| value.to_string()),
                        "ActualValue": "null", "DifferenceType": "REMOVE",
                    })),
                }
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            for (at, item) in items.iter().enumerate().filter(|(_, item)| !others.iter().any(|other| same(item, other)))
            {
                tell(format!("{path}/{at}"), item, &Value::Null, "REMOVE");
            }
            for (at, other) in
                others.iter().enumerate().filter(|(_, other)| !items.iter().any(|item| same(item, other)))
            {
                tell(format!("{path}/{at}"), &Value::Null, other, "ADD");
            }
        }
        (one, other) if same(one, other) => {}
        (one, other) => tell(path.to_owned(), one, other, "NOT_EQUAL"),
    }
}

/// Whether two values are the same where numbers and flags may be texts, as in templates.
fn same(one: &Value, other: &Value) -> bool {
    match (scalar(one), scalar(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => match (one, other) {
            (Value::Object(_), Value::Object(_)) => {
                let mut found = Vec::new();
                compare("", one, other, &mut found);
                found.is_empty()
            }
            _ => one == other,
        },
        _ => false,
    }
}

/// DescribeStackDriftDetectionStatus.
pub(super) fn status(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackDriftDetectionId"])?;
    let (id, now) = (call.text("StackDriftDetectionId"), world.now);
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let mut all = state.stacks.values().flat_map(|stack| stack.detections.iter().map(move |it| (stack, it)));
    let Some((stack, detection)) = all.find(|(_, detection)| detection.id == id) else {
        return Err(invalid(format!("Drift detection [{id}] does not exist")));
    };
    let mut shown = json!({
        "StackId": stack.id, "StackDriftDetectionId": id, "DetectionStatus": "DETECTION_IN_PROGRESS",
        "Timestamp": detection.started.to_string(),
    });
    if detection.ready <= now {
        let failed = !detection.failed.is_empty();
        shown["DetectionStatus"] = json!(if failed { "DETECTION_FAILED" } else { "DETECTION_COMPLETE" });
        shown["StackDriftStatus"] = json!(detection.status());
        shown["DriftedStackResourceCount"] = json!(detection.drifted());
        if failed {
            shown["DetectionStatusReason"] = json!(detection.failed.join("; "));
        }
    }
    Ok(shown)
}

/// DescribeStackResourceDrifts: what has been checked; what cannot be is not in it.
pub(super) fn resources(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "StackResourceDriftStatusFilters", "NextToken", "MaxResults"])?;
    let (name, now, wanted) = (named(call)?, world.now, listed(call, "StackResourceDriftStatusFilters"));
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let stack = state.living(name).ok_or_else(|| missing(name))?;
    let fits = |found: &Value| {
        wanted.is_empty() || wanted.iter().any(|status| found["StackResourceDriftStatus"] == status.as_str())
    };
    let mut found: Vec<Value> = latest(stack, now).into_values().filter(fits).collect();
    let most = match call.input.get("MaxResults").and_then(scalar) {
        None => 100,
        Some(text) => text.parse().ok().filter(|most| (1..=100).contains(most)).ok_or_else(|| {
            invalid("1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 100")
        })?,
    };
    let start: usize = match call.text("NextToken") {
        "" => 0,
        token => token.parse().map_err(|_| invalid("Invalid NextToken"))?,
    };
    let next = (found.len() > start + most).then(|| (start + most).to_string());
    found = found.into_iter().skip(start).take(most).collect();
    Ok(json!({"StackResourceDrifts": found, "NextToken": next}))
}
