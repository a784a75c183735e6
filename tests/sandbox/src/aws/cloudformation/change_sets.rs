//! Change sets: an update, or the creation of a stack, that is worked out and looked at before it is executed. The
//! working out stands in `changes`; what an execution starts, in `lifecycle`. Rules: API reference, CreateChangeSet,
//! DescribeChangeSet, ExecuteChangeSet, DeleteChangeSet; user guide, "Update CloudFormation stacks using change sets".

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::changes::changes;
use super::evaluate::partition;
use super::exports;
use super::lifecycle;
use super::read;
use super::request::{actor, applied, check_name, dependencies, flag, invalid, keep_token, named, only, repeated};
use super::stack::{Applied, OnFailure, Stack};
use super::write::{
    PAUSED, Update, begin_update, fresh, missing, on_failure, paused, refuse_retyped, token, updatable, with,
};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

/// A change set of a stack.
#[derive(Clone, Debug)]
pub(super) struct ChangeSet {
    /// `arn:aws:cloudformation:…:changeSet/NAME/UUID`.
    id: String,
    name: String,
    description: Option<String>,
    /// Whether it creates the stack.
    creates: bool,
    created: Timestamp,
    /// When it has been worked out.
    ready: Timestamp,
    /// Why it cannot be executed.
    failure: Option<&'static str>,
    pub(super) execution: &'static str,
    pub(super) applied: Applied,
    role_arn: Option<String>,
    on_stack_failure: Option<String>,
    client_token: String,
    changes: Vec<Value>,
}

impl ChangeSet {
    /// Status, reason, and whether it can be executed.
    fn standing(&self, now: Timestamp) -> (&'static str, Option<&'static str>, &'static str) {
        match self.failure {
            _ if now < self.ready => ("CREATE_IN_PROGRESS", None, "UNAVAILABLE"),
            Some(reason) => ("FAILED", Some(reason), "UNAVAILABLE"),
            None => ("CREATE_COMPLETE", None, self.execution),
        }
    }

    fn is(&self, name: &str) -> bool {
        self.name == name || self.id == name
    }

    fn executed(&self) -> bool {
        self.execution.starts_with("EXECUTE_")
    }

    /// What lists and descriptions have in common.
    fn shown(&self, stack: &Stack, now: Timestamp) -> Value {
        let (status, reason, execution) = self.standing(now);
        json!({
            "ChangeSetId": self.id, "ChangeSetName": self.name, "StackId": stack.id, "StackName": stack.name,
            "Description": self.description, "CreationTime": self.created.to_string(), "Status": status,
            "StatusReason": reason, "ExecutionStatus": execution, "IncludeNestedStacks": false,
        })
    }
}

impl Stack {
    /// Lets the change set that is being executed end as the stack does.
    pub(super) fn settle_change_sets(&mut self) {
        let verdict = match self.status {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => "EXECUTE_COMPLETE",
            status if status.ends_with("_IN_PROGRESS") => return,
            _ => "EXECUTE_FAILED",
        };
        for set in self.change_sets.iter_mut().filter(|set| set.execution == "EXECUTE_IN_PROGRESS") {
            set.execution = verdict;
        }
    }

    /// An update makes what was worked out before it obsolete.
    pub(super) fn outdate_change_sets(&mut self) {
        for set in self.change_sets.iter_mut().filter(|set| set.execution == "AVAILABLE") {
            set.execution = "OBSOLETE";
        }
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::new("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")).with_status(404)
}

/// The change set that a request names, by its ARN or by its name and its stack; with the stack's id.
pub(super) fn find(world: &mut World, call: &Call<'_>) -> Result<(String, ChangeSet), Refusal> {
    let (name, stack) = (call.text("ChangeSetName"), call.text("StackName"));
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    if stack.is_empty() && !name.starts_with("arn:") {
        return Err(invalid("StackName must be specified if ChangeSetName is not specified as an ARN."));
    }
    if !stack.is_empty() && state.living(stack).is_none() {
        return Err(missing(stack));
    }
    let stacks =
        state.stacks.values().filter(|one| !one.gone() && (stack.is_empty() || one.name == stack || one.id == stack));
    let sets = stacks.flat_map(|one| one.change_sets.iter().map(move |set| (one.id.clone(), set)));
    sets.into_iter().find(|(_, set)| set.is(name)).map(|(id, set)| (id, set.clone())).ok_or_else(|| not_found(name))
}

/// What a repeated request for the same name gets: the change set that there is, or a refusal (as AWS said it:
/// github.com/saksdirect/nova/issues/10, github.com/awslabs/landing-zone-accelerator-on-aws/issues/442). An executed
/// one no longer takes the name (github.com/elias5000/clouds-aws/issues/9).
fn taken(stack: &Stack, call: &Call<'_>, applied: &Applied) -> Result<Option<Value>, Refusal> {
    let name = call.text("ChangeSetName");
    let Some(set) = stack.change_sets.iter().find(|set| set.name == name && !set.executed()) else { return Ok(None) };
    let differs = match () {
        () if set.applied.template.source != applied.template.source => "Template",
        () if set.client_token != call.text("ClientToken") => "ClientToken",
        () if set.applied.same_as(applied) => return Ok(Some(json!({"Id": set.id, "StackId": stack.id}))),
        () => {
            let message = format!("ChangeSet {name} already exists");
            return Err(Refusal::new("AlreadyExistsException", message));
        }
    };
    let message = format!("ChangeSet {name} cannot be created due to a mismatch with existing attribute {differs}");
    Err(Refusal::new("AlreadyExistsException", message))
}

const CREATE_MEMBERS: &[&str] = &[
    "StackName",
    "ChangeSetName",
    "ChangeSetType",
    "Description",
    "TemplateBody",
    "TemplateURL",
    "UsePreviousTemplate",
    "Parameters",
    "Capabilities",
    "RoleARN",
    "Tags",
    "NotificationARNs",
    "ClientToken",
    "OnStackFailure",
    "IncludeNestedStacks",
];

/// CreateChangeSet. For a stack that is not there, type CREATE makes one that holds nothing, in REVIEW_IN_PROGRESS.
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, CREATE_MEMBERS)?;
    if flag(call, "IncludeNestedStacks") == Some(true) {
        return Err(invalid("Nested stacks are not known here"));
    }
    check_name("changeSetName", call.text("ChangeSetName"))?;
    let name = named(call)?;
    let creates = match call.text("ChangeSetType") {
        "CREATE" => true,
        "" | "UPDATE" => false,
        "IMPORT" => return Err(invalid("ChangeSetType IMPORT is not known here")),
        other => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'changeSetType' failed to satisfy constraint: Member must satisfy enum value set: [IMPORT, UPDATE, CREATE]"
            )));
        }
    };
    let (account, region) = (call.caller.account.clone(), call.region.to_owned());
    let stack = world.region(&account, &region).cloudformation.living(name).cloned();
    let stack = match (stack, creates) {
        (None, false) => return Err(missing(name)),
        (None, true) => {
            check_name("stackName", name)?;
            let id = format!(
                "arn:{}:cloudformation:{region}:{account}:stack/{name}/{}",
                partition(&region).0,
                world.ids.uuid()
            );
            let mut stack =
                fresh(world, call, &id, (Applied::default(), OnFailure::Rollback, None, call.caller.clone()));
            stack.turn(world, "REVIEW_IN_PROGRESS", Some("User Initiated".into()));
            stack
        }
        (Some(stack), true) if stack.status != "REVIEW_IN_PROGRESS" => {
            return Err(invalid(format!(
                "Stack [{name}] already exists and cannot be created again with the changeSet [{}].",
                call.text("ChangeSetName")
            )));
        }
        (Some(stack), _) => stack,
    };
    let (stack, answer) = work_out(world, call, stack, creates)?;
    world.region(&account, &region).cloudformation.stacks.insert(stack.id.clone(), stack);
    Ok(answer)
}

/// Works a change set out and adds it to its stack.
fn work_out(world: &mut World, call: &Call<'_>, mut stack: Stack, creates: bool) -> Result<(Stack, Value), Refusal> {
    if !creates {
        updatable(&stack)?;
    }
    let on_stack_failure = Some(call.text("OnStackFailure").to_owned()).filter(|option| !option.is_empty());
    if !creates && on_stack_failure.as_deref() == Some("DELETE") {
        return Err(invalid("OnStackFailure DELETE is only valid where ChangeSetType is CREATE"));
    }
    let before = (!creates).then_some(&stack.applied);
    let applied = applied(world, call, before)?;
    if let Some(answer) = taken(&stack, call, &applied)? {
        return Ok((stack, answer));
    }
    refuse_retyped(&stack, &applied)?;
    let role_arn = Some(call.text("RoleARN").to_owned()).filter(|arn| !arn.is_empty());
    actor(world, call, role_arn.as_deref().or(stack.role_arn.as_deref()))?;
    let unchanged = !creates && applied.same_as(&stack.applied) && !PAUSED.contains(&stack.status);
    let draft = Stack { applied: applied.clone(), ..stack.clone() };
    let needs = dependencies(&draft)?;
    let exports = exports::all(world, &stack.account, &stack.region, &draft.applied.template);
    let changes = changes(&stack, &draft, &needs, exports).map_err(invalid)?;
    let name = call.text("ChangeSetName").to_owned();
    let id = format!(
        "arn:{}:cloudformation:{}:{}:changeSet/{name}/{}",
        partition(&stack.region).0,
        stack.region,
        stack.account,
        world.ids.uuid()
    );
    let pause = world.settings.stack / 20;
    let set = ChangeSet {
        id: id.clone(),
        name: name.clone(),
        description: Some(call.text("Description").to_owned()).filter(|text| !text.is_empty()),
        creates,
        created: world.now,
        ready: world.after(pause.max(Duration::ZERO)),
        failure: unchanged.then_some(NO_CHANGES),
        execution: "AVAILABLE",
        applied,
        role_arn,
        on_stack_failure,
        client_token: call.text("ClientToken").to_owned(),
        changes: if unchanged { Vec::new() } else { changes },
    };
    stack.change_sets.retain(|other| other.name != name);
    if creates {
        stack.change_set_id = Some(id.clone());
    }
    stack.change_sets.push(set);
    let answer = json!({"Id": id, "StackId": stack.id});
    Ok((stack, answer))
}

/// DescribeChangeSet.
pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["ChangeSetName", "StackName", "NextToken"])?;
    let (id, set) = find(world, call)?;
    let now = world.now;
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let Some(stack) = state.stacks.get(&id) else { return Err(missing(&id)) };
    let mut shown = set.shown(stack, now);
    let tags: Vec<Value> = set.applied.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let ready = now >= set.ready;
    let page = read::page(call, "Changes", if ready { set.changes.clone() } else { Vec::new() })?;
    for (member, value) in [
        ("Parameters", json!(set.applied.shown_parameters())),
        ("NotificationARNs", json!(set.applied.notification_arns)),
        ("Capabilities", json!(set.applied.capabilities)),
        ("Tags", json!(tags)),
        ("RollbackConfiguration", json!({})),
        ("OnStackFailure", json!(set.on_stack_failure)),
        ("Changes", page["Changes"].clone()),
        ("NextToken", page["NextToken"].clone()),
    ] {
        shown[member] = value;
    }
    Ok(shown)
}

/// ListChangeSets: the active ones, so none that has been executed.
pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["StackName", "NextToken"])?;
    let (name, now) = (named(call)?, world.now);
    let state = &world.region(&call.caller.account, call.region).cloudformation;
    let stack = state.living(name).ok_or_else(|| missing(name))?;
    let active = stack.change_sets.iter().filter(|set| !set.executed());
    read::page(call, "Summaries", active.map(|set| set.shown(stack, now)).collect())
}

/// DeleteChangeSet. One that is not there is as good as deleted (aws-cdk relies on it; measured in
/// github.com/ministackorg/ministack/pull/1625).
pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["ChangeSetName", "StackName"])?;
    let (stack_id, set) = match find(world, call) {
        Err(refusal) if refusal.code == "ChangeSetNotFound" => return Ok(json!({})),
        found => found?,
    };
    if set.execution == "EXECUTE_IN_PROGRESS" {
        return Err(Refusal::new(
            "InvalidChangeSetStatus",
            "An operation on this ChangeSet is currently in progress.  Please attempt this operation again later.",
        ));
    }
    let state = &mut world.region(&call.caller.account, call.region).cloudformation;
    if let Some(stack) = state.stacks.get_mut(&stack_id) {
        stack.change_sets.retain(|other| other.id != set.id);
    }
    Ok(json!({}))
}

/// ExecuteChangeSet: starts what was worked out, and deletes all other change sets of the stack. Without
/// DisableRollback a failure is rolled back, as by the CDK, which leaves the member out.
pub(super) fn execute(world: &mut World, call: &Call<'_>) -> Outcome {
    only(call, &["ChangeSetName", "StackName", "ClientRequestToken", "DisableRollback"])?;
    if repeated(world, call)?.is_some() {
        return Ok(json!({}));
    }
    let (id, set) = find(world, call)?;
    let refused = |what: &str, status: &str| {
        let message = format!("ChangeSet [{}] cannot be executed in its current {what} of [{status}]", set.id);
        Err(Refusal::new("InvalidChangeSetStatus", message))
    };
    match set.standing(world.now) {
        ("CREATE_COMPLETE", _, "AVAILABLE") => {}
        ("CREATE_COMPLETE", _, execution) => return refused("execution status", execution),
        (status, ..) => return refused("status", status),
    }
    let on_failure = on_failure(set.on_stack_failure.as_deref().unwrap_or_default(), flag(call, "DisableRollback"))?;
    let input = json!({"StackName": id});
    with(world, &Call { input: &input, ..*call }, |world, stack| {
        let role_arn = set.role_arn.clone().or_else(|| stack.role_arn.clone());
        let actor = actor(world, call, role_arn.as_deref())?;
        if set.creates {
            let draft = Stack { applied: set.applied.clone(), ..stack.clone() };
            let needs = dependencies(&draft)?;
            stack.applied = set.applied.clone();
            (stack.role_arn, stack.actor) = (role_arn, actor);
            (stack.on_failure, stack.disable_rollback) = (on_failure, on_failure == OnFailure::DoNothing);
            lifecycle::create(world, stack, needs, token(call));
        } else {
            updatable(stack)?;
            let disable_rollback = on_failure == OnFailure::DoNothing;
            if PAUSED.contains(&stack.status) && !disable_rollback {
                return Err(paused(stack, "execute-change-set"));
            }
            let applied = set.applied.clone();
            begin_update(world, stack, Update { applied, role_arn, actor, disable_rollback, token: token(call) })?;
        }
        stack.change_sets.retain(|other| other.id == set.id);
        for set in &mut stack.change_sets {
            set.execution = "EXECUTE_IN_PROGRESS";
        }
        stack.change_set_id = Some(set.id.clone());
        Ok(())
    })?;
    keep_token(world, call, &id);
    Ok(json!({}))
}
