//! The operations that start something.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::evaluate::partition;
use super::exports;
use super::request::{
    actor, applied, dependencies, flag, invalid, keep_token, listed, named, new_name, only, repeated,
};
use super::stack::{Applied, OnFailure, Phase, Stack, Undo};
use super::template::scalar;
use super::{lifecycle, undo};
use crate::aws::{Call, Caller, Outcome, Refusal};
use crate::world::World;

/// Refuses what a resting place does not allow.
type Allowed<'a> = &'a [&'a str];

pub(super) fn missing(name: &str) -> Refusal {
    invalid(format!("Stack [{name}] does not exist"))
}

/// Takes the living stack out, lets `act` work on it and on the world, and puts it back.
pub(super) fn with<T>(
    world: &mut World,
    call: &Call<'_>,
    act: impl FnOnce(&mut World, &mut Stack) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let name = named(call)?;
    let state = &mut world.region(&call.caller.account, call.region).cloudformation;
    let id = state.living(name).map(|stack| stack.id.clone()).ok_or_else(|| missing(name))?;
    let mut stack = state.stacks.remove(&id).ok_or_else(|| missing(name))?;
    let result = act(world, &mut stack);
    world.region(&call.caller.account, call.region).cloudformation.stacks.insert(id, stack);
    result
}

pub(super) fn token(call: &Call<'_>) -> Option<String> {
    Some(call.text("ClientRequestToken").to_owned()).filter(|token| !token.is_empty())
}

/// What follows a failed creation, by the two options that say so, of which one may be given.
pub(super) fn on_failure(option: &str, disable_rollback: Option<bool>) -> Result<OnFailure, Refusal> {
    match (option, disable_rollback) {
        ("", Some(true)) => Ok(OnFailure::DoNothing),
        ("" | "ROLLBACK", None) | ("", Some(false)) => Ok(OnFailure::Rollback),
        ("DO_NOTHING", None) => Ok(OnFailure::DoNothing),
        ("DELETE", None) => Ok(OnFailure::Delete),
        (_, Some(_)) => Err(invalid("You can specify either OnFailure or DisableRollback, but not both.")),
        (other, None) => Err(invalid(format!(
            "1 validation error detected: Value '{other}' at 'onFailure' failed to satisfy constraint: Member must satisfy enum value set: [DO_NOTHING, ROLLBACK, DELETE]"
        ))),
    }
}

/// What a request asks for, once it has been checked.
pub(super) type Asked = (Applied, OnFailure, Option<String>, Caller);

/// A stack that has nothing yet.
pub(super) fn fresh(world: &World, call: &Call<'_>, id: &str, (applied, on_failure, role_arn, actor): Asked) -> Stack {
    Stack {
        id: id.to_owned(),
        name: call.text("StackName").to_owned(),
        account: call.caller.account.clone(),
        region: call.region.to_owned(),
        created: world.now,
        updated: None,
        deleted: None,
        status: "CREATE_IN_PROGRESS",
        reason: None,
        stable: false,
        applied,
        resources: BTreeMap::new(),
        outputs: Vec::new(),
        events: Vec::new(),
        role_arn,
        disable_rollback: on_failure == OnFailure::DoNothing,
        on_failure,
        protected: flag(call, "EnableTerminationProtection") == Some(true),
        policy: Some(call.text("StackPolicyBody").to_owned()).filter(|policy| !policy.is_empty()),
        actor,
        operation: None,
        operations: 0,
        change_sets: Vec::new(),
        change_set_id: None,
        detections: Vec::new(),
    }
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    only(
        call,
        &[
            "StackName",
            "TemplateBody",
            "TemplateURL",
            "Parameters",
            "DisableRollback",
            "NotificationARNs",
            "Capabilities",
            "RoleARN",
            "OnFailure",
            "Tags",
            "ClientRequestToken",
            "EnableTerminationProtection",
            "StackPolicyBody",
        ],
    )?;
    let name = new_name(call)?;
    if let Some(id) = repeated(world, call)? {
        return Ok(json!({"StackId": id}));
    }
    let (account, region) = (call.caller.account.clone(), call.region.to_owned());
    if world.region(&account, &region).cloudformation.living(name).is_some() {
        return Err(Refusal::new("AlreadyExistsException", format!("Stack [{name}] already exists")));
    }
    let on_failure = on_failure(call.text("OnFailure"), flag(call, "DisableRollback"))?;
    let applied = applied(world, call, None)?;
    let role_arn = Some(call.text("RoleARN").to_owned()).filter(|arn| !arn.is_empty());
    let actor = actor(world, call, role_arn.as_deref())?;
    let id =
        format!("arn:{}:cloudformation:{region}:{account}:stack/{name}/{}", partition(&region).0, world.ids.uuid());
    let mut stack = fresh(world, call, &id, (applied, on_failure, role_arn, actor));
    let needs = dependencies(&stack)?;
    lifecycle::create(world, &mut stack, needs, token(call));
    keep_token(world, call, &id);
    world.region(&account, &region).cloudformation.stacks.insert(id.clone(), stack);
    Ok(json!({"StackId": id}))
}

/// Refuses to make a resource of another type out of one that exists.
pub(super) fn refuse_retyped(stack: &Stack, applied: &Applied) -> Result<(), Refusal> {
    let other = |name: &str, kind: &str| stack.resources.get(name).is_some_and(|resource| resource.kind != kind);
    let declared = applied.template.resources.iter().filter(|(name, declared)| other(name, &declared.kind));
    let retyped: Vec<&str> = declared.map(|(name, _)| name.as_str()).collect();
    match retyped.is_empty() {
        true => Ok(()),
        false => Err(invalid(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
            retyped.join(", ")
        ))),
    }
}

/// Where a stack rests whose last operation failed with rollback disabled.
pub(super) const PAUSED: Allowed<'_> = &["CREATE_FAILED", "UPDATE_FAILED"];

/// Refuses to update a stack that does not rest where updates are taken (User Guide, "Update behaviors of stack
/// resources" and "Choose how to handle failures when provisioning resources").
pub(super) fn updatable(stack: &Stack) -> Result<(), Refusal> {
    let rests: Allowed<'_> = &["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"];
    match rests.contains(&stack.status) || PAUSED.contains(&stack.status) {
        true => Ok(()),
        false => Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status))),
    }
}

/// A paused stack goes on without rollback only (as AWS said it: github.com/aws/aws-cli/issues/6368,
/// github.com/ansible-collections/amazon.aws/issues/1655).
pub(super) fn paused(stack: &Stack, api: &str) -> Refusal {
    invalid(format!(
        "This stack is currently in a non-terminal [{}] state. To update the stack from this state, please use the disable-rollback parameter with {api} API. To rollback to the last known good state, use the rollback-stack API",
        stack.status
    ))
}

/// What an update is to be, once its request has been checked.
pub(super) struct Update {
    pub(super) applied: Applied,
    pub(super) role_arn: Option<String>,
    pub(super) actor: Caller,
    pub(super) disable_rollback: bool,
    pub(super) token: Option<String>,
}

/// Starts an update, or leaves the stack as it is where that does not resolve.
pub(super) fn begin_update(world: &mut World, stack: &mut Stack, update: Update) -> Result<(), Refusal> {
    let previous = std::mem::replace(&mut stack.applied, update.applied);
    let needs = match dependencies(stack) {
        Ok(needs) => needs,
        Err(refusal) => {
            stack.applied = previous;
            return Err(refusal);
        }
    };
    (stack.role_arn, stack.actor) = (update.role_arn, update.actor);
    stack.disable_rollback = update.disable_rollback;
    stack.outdate_change_sets();
    lifecycle::update(world, stack, previous, needs, update.token);
    Ok(())
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    only(
        call,
        &[
            "StackName",
            "TemplateBody",
            "TemplateURL",
            "UsePreviousTemplate",
            "Parameters",
            "Capabilities",
            "RoleARN",
            "Tags",
            "ClientRequestToken",
            "NotificationARNs",
            "DisableRollback",
            "StackPolicyBody",
        ],
    )?;
    if let Some(id) = repeated(world, call)? {
        return Ok(json!({"StackId": id}));
    }
    let id = with(world, call, |world, stack| {
        updatable(stack)?;
        if PAUSED.contains(&stack.status) && flag(call, "DisableRollback") != Some(true) {
            return Err(paused(stack, "update-stack"));
        }
        let applied = applied(world, call, Some(&stack.applied))?;
        refuse_retyped(stack, &applied)?;
        let role_arn =
            Some(call.text("RoleARN").to_owned()).filter(|arn| !arn.is_empty()).or_else(|| stack.role_arn.clone());
        let actor = actor(world, call, role_arn.as_deref())?;
        if applied.same_as(&stack.applied) && !PAUSED.contains(&stack.status) {
            return Err(invalid("No updates are to be performed."));
        }
        let disable_rollback = flag(call, "DisableRollback") == Some(true);
        begin_update(world, stack, Update { applied, role_arn, actor, disable_rollback, token: token(call) })?;
        if let Some(policy) = call.input.get("StackPolicyBody").and_then(scalar) {
            stack.policy = Some(policy);
        }
        Ok(stack.id.clone())
    })?;
    keep_token(world, call, &id);
    Ok(json!({"StackId": id}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "RetainResources", "RoleARN", "ClientRequestToken", "DeletionMode"])?;
    let name = named(call)?;
    if repeated(world, call)?.is_some()
        || world.region(&call.caller.account, call.region).cloudformation.living(name).is_none()
    {
        return Ok(Value::Null);
    }
    let id = with(world, call, |world, stack| {
        if stack.protected {
            return Err(invalid(format!(
                "Stack [{}] cannot be deleted while TerminationProtection is enabled",
                stack.name
            )));
        }
        if stack.status == "DELETE_IN_PROGRESS" {
            return Ok(stack.id.clone());
        }
        let busy: Allowed<'_> = &[
            "UPDATE_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        ];
        if busy.contains(&stack.status) {
            return Err(invalid(format!("Stack [{}] cannot be deleted while in status {}", stack.id, stack.status)));
        }
        let retain = listed(call, "RetainResources");
        let force = call.text("DeletionMode") == "FORCE_DELETE_STACK";
        if (!retain.is_empty() || force) && stack.status != "DELETE_FAILED" {
            return Err(invalid(format!(
                "Invalid operation on stack [{}]. RetainResources and FORCE_DELETE_STACK are allowed only when the stack is in DELETE_FAILED state",
                stack.id
            )));
        }
        let role_arn =
            Some(call.text("RoleARN").to_owned()).filter(|arn| !arn.is_empty()).or_else(|| stack.role_arn.clone());
        stack.actor = actor(world, call, role_arn.as_deref())?;
        stack.role_arn = role_arn;
        // The call is taken, and the stack stays as it was (github.com/aws/aws-cdk/issues/604).
        if let Some(reason) = exports::in_use(world, stack, &[]) {
            let status = stack.status;
            stack.turn(world, status, Some(reason));
            return Ok(stack.id.clone());
        }
        lifecycle::delete(world, stack, retain.into_iter().collect(), force, token(call));
        Ok(stack.id.clone())
    })?;
    keep_token(world, call, &id);
    Ok(Value::Null)
}

pub(super) fn continue_rollback(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "RoleARN", "ResourcesToSkip", "ClientRequestToken"])?;
    if repeated(world, call)?.is_some() {
        return Ok(json!({}));
    }
    let id = with(world, call, |world, stack| {
        if stack.status != "UPDATE_ROLLBACK_FAILED" {
            return Err(invalid(format!("Stack:{} is in {} state and can not be continued.", stack.id, stack.status)));
        }
        let role_arn =
            Some(call.text("RoleARN").to_owned()).filter(|arn| !arn.is_empty()).or_else(|| stack.role_arn.clone());
        stack.actor = actor(world, call, role_arn.as_deref())?;
        let skip = listed(call, "ResourcesToSkip");
        if let Some(operation) = &mut stack.operation {
            operation.token = token(call);
            operation.undo.retain(|undo: &Undo| !skip.iter().any(|name| name == undo.logical_id()));
        }
        undo::start(world, stack, Some("User Initiated".into()));
        Ok(stack.id.clone())
    })?;
    keep_token(world, call, &id);
    Ok(json!({}))
}

pub(super) fn roll_back(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "RoleARN", "ClientRequestToken"])?;
    if let Some(id) = repeated(world, call)? {
        return Ok(json!({"StackId": id}));
    }
    let id = with(world, call, |world, stack| {
        if let Some(operation) = &mut stack.operation {
            operation.token = token(call);
        }
        match stack.status {
            "CREATE_FAILED" => undo::roll_back_creation(world, stack, Some("User Initiated".into())),
            // Without a state that it could go back to, what there is goes (API reference, RollbackStack).
            "UPDATE_FAILED" if !stack.stable => {
                undo::clean_up(world, stack);
                undo::roll_back_creation(world, stack, Some("User Initiated".into()));
            }
            "UPDATE_FAILED" => undo::start(world, stack, Some("User Initiated".into())),
            status => {
                return Err(invalid(format!("Stack:{} is in {status} state and can not be rolled back.", stack.id)));
            }
        }
        Ok(stack.id.clone())
    })?;
    keep_token(world, call, &id);
    Ok(json!({"StackId": id}))
}

pub(super) fn cancel_update(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "ClientRequestToken"])?;
    with(world, call, |world, stack| {
        let updating = stack.operation.as_ref().is_some_and(|operation| operation.phase == Phase::Update);
        if stack.status != "UPDATE_IN_PROGRESS" || !updating {
            return Err(invalid("CancelUpdateStack cannot be called from current stack status"));
        }
        undo::start(world, stack, Some("User Initiated".into()));
        Ok(Value::Null)
    })
}

pub(super) fn protect(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "EnableTerminationProtection"])?;
    with(world, call, |_, stack| {
        stack.protected = flag(call, "EnableTerminationProtection") == Some(true);
        Ok(json!({"StackId": stack.id}))
    })
}

pub(super) fn set_policy(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "StackPolicyBody"])?;
    let body = call.text("StackPolicyBody").to_owned();
    if serde_json::from_str::<Value>(&body).is_err() {
        return Err(invalid("Error validating stack policy: the policy is not valid JSON"));
    }
    with(world, call, |_, stack| {
        stack.policy = Some(body);
        Ok(Value::Null)
    })
}
