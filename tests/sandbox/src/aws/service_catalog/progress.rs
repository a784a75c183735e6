//! How a provisioned product follows its stack: it looks at the stack again and again until that has come to an end,
//! then says how it went in the record.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Provisioned, Record, records};
use crate::aws::{Call, Caller, Outcome, Refusal, cloudformation};
use crate::world::{Due, Part, World};

/// Where a stack operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Running,
    Done,
    /// With the provisioned product's status from now on.
    Failed(&'static str),
}

/// Changes a provisioned product.
pub(super) fn change(world: &mut World, account: &str, region: &str, id: &str, change: impl FnOnce(&mut Provisioned)) {
    let (now, delay) = (world.now, world.settings.read_after_write);
    if let Some(kept) = world.region(account, region).catalog.provisioned.get_mut(id) {
        kept.change(now, delay, change);
    }
}

/// Writes the record down and follows the stack operation that was started, or says that it could not be started.
/// Gives the answer to the call.
pub(super) fn begin(world: &mut World, call: &Call<'_>, id: &str, record: Record, started: Outcome) -> Value {
    let answer = json!({"RecordDetail": records::detail(&record)});
    let (account, region, record_id) = (&call.caller.account, call.region, record.id.clone());
    super::state(world, call).records.insert(record.id.clone(), Record { status: "IN_PROGRESS".into(), ..record });
    match started {
        Ok(stack) => {
            if let Some(stack_id) = stack["StackId"].as_str() {
                change(world, account, region, id, |product| product.stack_id = Some(stack_id.to_owned()));
            }
            // The first look must not meet the state before the operation.
            let delay = interval(world).max(world.settings.read_after_write);
            schedule(world, account, region, &format!("{id}/{record_id}"), delay);
        }
        Err(refusal) if refusal.message.contains("No updates are to be performed") => {
            finish(world, account, region, id, &record_id, Stand::Done, Vec::new());
        }
        Err(refusal) => {
            let kept = super::state(world, call).provisioned.get(id).and_then(|kept| kept.last().stack_id.clone());
            let status = if kept.is_some() { "TAINTED" } else { "ERROR" };
            let errors = vec![(refusal.code, refusal.message)];
            finish(world, account, region, id, &record_id, Stand::Failed(status), errors);
        }
    }
    answer
}

/// Ends a termination that needs no stack operation. Gives the answer to the call.
pub(super) fn end_at_once(world: &mut World, call: &Call<'_>, id: &str, record: Record) -> Value {
    let answer = json!({"RecordDetail": records::detail(&record)});
    let record_id = record.id.clone();
    super::state(world, call).records.insert(record.id.clone(), record);
    finish(world, &call.caller.account, call.region, id, &record_id, Stand::Done, Vec::new());
    answer
}

fn interval(world: &World) -> Duration {
    (world.settings.stack / 20).max(Duration::from_millis(50))
}

fn schedule(world: &mut World, account: &str, region: &str, id: &str, delay: Duration) {
    let due =
        Due { part: Part::ServiceCatalog, account: account.to_owned(), region: region.to_owned(), id: id.to_owned() };
    world.schedule(delay, due);
}

/// Looks at a stack once.
pub(super) fn look(world: &mut World, due: &Due) {
    let Some((id, record_id)) = due.id.split_once('/') else { return };
    let state = &world.region(&due.account, &due.region).catalog;
    let Some(record) = state.records.get(record_id).filter(|record| record.status == "IN_PROGRESS").cloned() else {
        return;
    };
    let Some(product) = state.provisioned.get(id).map(|kept| kept.last().clone()) else { return };
    let Some(stack_id) = product.stack_id.clone() else { return };
    // Looking needs no rights of the launch role: it may be gone by now.
    let reader = product.user.clone();
    let stack = describe(world, &reader, &due.region, &stack_id);
    let status = match &stack {
        Ok(stack) => stack["StackStatus"].as_str().unwrap_or_default().to_owned(),
        Err(refusal) if refusal.message.contains("does not exist") => "DELETE_COMPLETE".to_owned(),
        Err(_) => "UNKNOWN_IN_PROGRESS".to_owned(),
    };
    match judge(&record.kind, &status) {
        Stand::Running => schedule(world, &due.account, &due.region, &due.id, interval(world)),
        stand => {
            // However it went, the record leads to the stack.
            let outputs = outputs(&stack_id, &stack.unwrap_or_default());
            if let Some(record) = world.region(&due.account, &due.region).catalog.records.get_mut(record_id) {
                record.outputs = outputs;
            }
            let errors = match stand {
                Stand::Failed(_) => {
                    let why = reasons(world, &reader, &due.region, &stack_id, record_id)
                        .unwrap_or_else(|| format!("The stack is in state {status}."));
                    vec![("StackOperationFailed".into(), why)]
                }
                _ => Vec::new(),
            };
            finish(world, &due.account, &due.region, id, record_id, stand, errors);
        }
    }
}

/// Asks CloudFormation to start an operation. Its refusal is told with the code and the request id that it had (as
/// StatusMessage in the AWS CLI's example of `describe-provisioned-product`).
pub(super) fn ask(world: &mut World, call: &Call<'_>, operation: &str, input: &Value, actor: &Caller) -> Outcome {
    cloudformation::call(world, &Call { operation, input, caller: actor, ..*call }).map_err(|refusal| {
        let message = format!(
            "AmazonCloudFormationException  {} (Service: AmazonCloudFormation; Status Code: {}; Error Code: {}; Request ID: {})",
            refusal.message,
            refusal.status,
            refusal.code,
            world.ids.uuid()
        );
        Refusal { message, ..refusal }
    })
}

fn describe(world: &mut World, caller: &Caller, region: &str, stack_id: &str) -> Result<Value, Refusal> {
    let input = json!({"StackName": stack_id});
    let answer = cloudformation::call(world, &Call { operation: "DescribeStacks", input: &input, caller, region })?;
    Ok(answer["Stacks"][0].clone())
}

/// What a stack's status means for the operation that a record stands for.
fn judge(kind: &str, status: &str) -> Stand {
    if status.ends_with("_IN_PROGRESS") {
        return Stand::Running;
    }
    match (kind, status) {
        ("PROVISION_PRODUCT", "CREATE_COMPLETE")
        | ("UPDATE_PROVISIONED_PRODUCT", "UPDATE_COMPLETE")
        | ("TERMINATE_PROVISIONED_PRODUCT", "DELETE_COMPLETE") => Stand::Done,
        ("UPDATE_PROVISIONED_PRODUCT", "UPDATE_ROLLBACK_COMPLETE") => Stand::Failed("TAINTED"),
        _ => Stand::Failed("ERROR"),
    }
}

/// The outputs of a provisioned product's stack; none where it has no stack.
pub(super) fn stack_outputs(world: &mut World, region: &str, product: &Provisioned) -> Vec<Value> {
    let Some(stack_id) = &product.stack_id else { return Vec::new() };
    describe(world, &product.user, region, stack_id).map(|stack| outputs(stack_id, &stack)).unwrap_or_default()
}

fn outputs(stack_id: &str, stack: &Value) -> Vec<Value> {
    let own = json!({"OutputKey": "CloudformationStackARN", "OutputValue": stack_id, "Description": "The ARN of the launched Cloudformation Stack"});
    let outputs = stack["Outputs"].as_array().cloned().unwrap_or_default();
    let outputs = outputs.into_iter().map(|output| {
        json!({"OutputKey": output["OutputKey"], "OutputValue": output["OutputValue"], "Description": output["Description"]})
    });
    std::iter::once(own).chain(outputs).collect()
}

/// Every reason that the events of a stack's operation give, newest first and unsifted, as Service Catalog tells them
/// (github.com/aws-samples/aws-account-vending-machine/issues/7,
/// github.com/aws-samples/amazon-sagemaker-studio-secure-data-science-workshop/issues/10).
fn reasons(world: &mut World, caller: &Caller, region: &str, stack_id: &str, token: &str) -> Option<String> {
    let mut told = Vec::new();
    let mut page = Value::Null;
    loop {
        let input = json!({"StackName": stack_id, "NextToken": page});
        let call = Call { operation: "DescribeStackEvents", input: &input, caller, region };
        let answer = cloudformation::call(world, &call).ok()?;
        for event in answer["StackEvents"].as_array().into_iter().flatten() {
            let ours = event["ClientRequestToken"].as_str().is_none_or(|its| its == token);
            let text = |member: &str| event[member].as_str().unwrap_or_default();
            if ours && !text("ResourceStatusReason").is_empty() {
                told.push(format!(
                    "{{LogicalResourceId : {}, ResourceType : {}, StatusReason : {}}}",
                    text("LogicalResourceId"),
                    text("ResourceType"),
                    text("ResourceStatusReason")
                ));
            }
        }
        page = answer["NextToken"].clone();
        if page.is_null() {
            return (!told.is_empty()).then(|| format!("Errors from CloudFormation: [{}]", told.join(", ")));
        }
    }
}

/// Ends an operation: the record says how it went, the provisioned product is what it is now.
fn finish(
    world: &mut World,
    account: &str,
    region: &str,
    id: &str,
    record_id: &str,
    stand: Stand,
    errors: Vec<(String, String)>,
) {
    let now = world.now;
    let state = &mut world.region(account, region).catalog;
    let Some(record) = state.records.get_mut(record_id) else { return };
    record.updated = now;
    record.status = if stand == Stand::Done { "SUCCEEDED" } else { "FAILED" }.to_owned();
    record.errors.clone_from(&errors);
    let gone = stand == Stand::Done && record.kind == "TERMINATE_PROVISIONED_PRODUCT";
    if gone {
        if let Some(kept) = state.provisioned.get_mut(id) {
            kept.delete(now);
        }
        return;
    }
    change(world, account, region, id, |product| {
        product.message = errors.into_iter().map(|(_, description)| description).collect::<Vec<_>>().join("; ");
        match stand {
            Stand::Failed(status) => product.status = status.to_owned(),
            Stand::Running | Stand::Done => {
                product.status = "AVAILABLE".to_owned();
                product.last_successful_record = Some(record_id.to_owned());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provisioned_product_follows_its_stack() {
        let (provision, update, terminate) =
            ("PROVISION_PRODUCT", "UPDATE_PROVISIONED_PRODUCT", "TERMINATE_PROVISIONED_PRODUCT");
        let cases = [
            (provision, "CREATE_IN_PROGRESS", Stand::Running),
            (provision, "ROLLBACK_IN_PROGRESS", Stand::Running),
            (provision, "CREATE_COMPLETE", Stand::Done),
            (provision, "ROLLBACK_COMPLETE", Stand::Failed("ERROR")),
            (provision, "DELETE_COMPLETE", Stand::Failed("ERROR")),
            (update, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Stand::Running),
            (update, "UPDATE_COMPLETE", Stand::Done),
            (update, "UPDATE_ROLLBACK_COMPLETE", Stand::Failed("TAINTED")),
            (update, "UPDATE_ROLLBACK_FAILED", Stand::Failed("ERROR")),
            (terminate, "DELETE_IN_PROGRESS", Stand::Running),
            (terminate, "DELETE_COMPLETE", Stand::Done),
            (terminate, "DELETE_FAILED", Stand::Failed("ERROR")),
        ];
        for (kind, status, stand) in cases {
            assert_eq!(judge(kind, status), stand, "{kind} {status}");
        }
    }
}
