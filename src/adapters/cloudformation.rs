//! CloudFormation, for the model trigger's stack. The stack is found by its name alone; events are read only where
//! its status speaks of a failure.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::delete_stack::DeleteStackError;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{Capability, OnFailure, Parameter, Stack as Described, StackEvent, Tag};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;

use crate::adapters::aws::{Aws, fault};
use crate::crd::status::Reason;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::domain::resource::{Actuator, Attempts, Handles};
use crate::resources::model_trigger::{
    Action, Failure, ModelTrigger, Observed, Request, SECRET_PARAMETER, Stack, template,
};

/// How many pages of events are looked through for the cause of a failure; CloudFormation gives 100 on each.
const EVENT_PAGES: usize = 5;

/// The hands of the model trigger.
pub struct Stacks {
    client: Client,
}

impl Stacks {
    /// Works in the place that the clients are for.
    pub fn new(aws: &Aws) -> Self {
        Self { client: aws.cloudformation.clone() }
    }

    /// What failed first in the stack's last operation.
    async fn failure(&self, stack_id: &str) -> Result<Option<Failure>, Fault> {
        let mut events = Vec::new();
        let mut next = None;
        for _ in 0..EVENT_PAGES {
            let page = self.client.describe_stack_events().stack_name(stack_id).set_next_token(next).send().await;
            let page = page.map_err(|error| fault("read the events of the model trigger's stack", &error))?;
            next = page.next_token;
            events.extend(page.stack_events.unwrap_or_default());
            if next.is_none() || events.iter().any(|event| begins(event, stack_id)) {
                break;
            }
        }
        Ok(first_failure(&events, stack_id))
    }
}

impl Actuator<ModelTrigger> for Stacks {
    async fn observe(&self, id: &Identity, _tried: &Attempts) -> Result<Observed, Fault> {
        let name = id.trigger_stack_name();
        let described = match self.client.describe_stacks().stack_name(&name).send().await {
            Ok(reply) => reply.stacks.unwrap_or_default().into_iter().next(),
            Err(error) if said(&error, "does not exist") => None,
            Err(error) => return Err(fault(&format!("describe stack \"{name}\""), &error)),
        };
        let Some(described) = described.filter(|stack| status(stack) != "DELETE_COMPLETE") else {
            return Ok(Observed::default());
        };
        let failure = match status(&described) {
            failed if failed.contains("FAILED") || failed.contains("ROLLBACK") => {
                self.failure(described.stack_id().unwrap_or(&name)).await?
            }
            _ => None,
        };
        Ok(Observed { stack: Some(seen(described, failure)) })
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<Handles, Fault> {
        let name = id.trigger_stack_name();
        match action {
            Action::Create(request) => self.create(&name, request).await,
            Action::Update(request) => self.update(&name, request).await,
            Action::Delete { stack_id, token } => {
                let call = self.client.delete_stack().stack_name(stack_id).client_request_token(token);
                call.send().await.map(drop).map_err(|error| delete_fault(&name, &error))
            }
            Action::ContinueRollback { stack_id, token } => {
                let call = self.client.continue_update_rollback().stack_name(stack_id).client_request_token(token);
                let attempt = format!("continue the rollback of stack \"{name}\"");
                call.send().await.map(drop).map_err(|error| refined(&attempt, &error))
            }
        }
        .map(|()| Handles::new())
    }
}

impl Stacks {
    async fn create(&self, name: &str, request: &Request) -> Result<(), Fault> {
        let call = self
            .client
            .create_stack()
            .stack_name(name)
            .template_body(template::TEXT.as_str())
            .set_parameters(Some(parameters(request)))
            .capabilities(Capability::CapabilityIam)
            .set_tags(Some(tags(request)))
            .set_role_arn(request.role_arn.clone())
            .on_failure(OnFailure::Rollback)
            .client_request_token(&request.token);
        call.send().await.map(drop).map_err(|error| refined(&format!("create stack \"{name}\""), &error))
    }

    async fn update(&self, name: &str, request: &Request) -> Result<(), Fault> {
        let call = self
            .client
            .update_stack()
            .stack_name(name)
            .template_body(template::TEXT.as_str())
            .set_parameters(Some(parameters(request)))
            .capabilities(Capability::CapabilityIam)
            .set_tags(Some(tags(request)))
            .set_role_arn(request.role_arn.clone())
            .client_request_token(&request.token);
        match call.send().await {
            Err(error) if said(&error, "No updates are to be performed") => Ok(()),
            other => other.map(drop).map_err(|error| refined(&format!("update stack \"{name}\""), &error)),
        }
    }
}

fn parameters(request: &Request) -> Vec<Parameter> {
    let one = |name: &str, value: &str| Parameter::builder().parameter_key(name).parameter_value(value).build();
    let mut all: Vec<Parameter> = request.parameters.iter().map(|(name, value)| one(name, value)).collect();
    all.push(one(SECRET_PARAMETER, request.secret.reveal()));
    all
}

fn tags(request: &Request) -> Vec<Tag> {
    request.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn status(stack: &Described) -> &str {
    stack.stack_status().map_or("", |status| status.as_str())
}

fn seen(stack: Described, failure: Option<Failure>) -> Stack {
    let status = status(&stack).to_owned();
    let pairs = stack.parameters.unwrap_or_default().into_iter();
    let parameters: BTreeMap<String, String> =
        pairs.filter_map(|one| Some((one.parameter_key?, one.parameter_value.unwrap_or_default()))).collect();
    let tags = stack.tags.unwrap_or_default().into_iter();
    let tags: BTreeMap<String, String> =
        tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect();
    let since = [stack.deletion_time, stack.last_updated_time, stack.creation_time].into_iter().flatten().next();
    Stack {
        id: stack.stack_id.unwrap_or_default(),
        status,
        parameters,
        tags,
        role_arn: stack.role_arn,
        since: timestamp(since.as_ref()),
        failure,
    }
}

fn timestamp(at: Option<&DateTime>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).unwrap_or_default()).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn event_status(event: &StackEvent) -> &str {
    event.resource_status().map_or("", |status| status.as_str())
}

/// Whether an event is the stack's own, of the request that began an operation.
fn begins(event: &StackEvent, stack_id: &str) -> bool {
    event.physical_resource_id() == Some(stack_id)
        && event_status(event).ends_with("_IN_PROGRESS")
        && event.resource_status_reason() == Some("User Initiated")
}

/// The first failure since the last operation began, among events that are newest first. What was merely cancelled
/// because of another failure is no cause.
fn first_failure(events: &[StackEvent], stack_id: &str) -> Option<Failure> {
    let length = events.iter().position(|event| begins(event, stack_id)).map_or(events.len(), |at| at + 1);
    let operation = &events[..length];
    let newest = operation.first()?;
    let failed = operation.iter().rev().find(|event| {
        event.physical_resource_id() != Some(stack_id)
            && event_status(event).ends_with("_FAILED")
            && !event.resource_status_reason().unwrap_or_default().ends_with("cancelled")
    });
    let own = operation.iter().find(|event| event.physical_resource_id() == Some(stack_id));
    let cause = match failed.or(own) {
        Some(event) => {
            let reason = plain(event.resource_status_reason().unwrap_or("no reason given"));
            format!("{}: {reason}", event.logical_resource_id().unwrap_or_default())
        }
        None => "CloudFormation's events do not say why".to_owned(),
    };
    let token = operation.iter().find_map(|event| event.client_request_token()).map(str::to_owned);
    Some(Failure { cause, at: timestamp(newest.timestamp()), token })
}

/// The service's own sentence out of what CloudFormation wraps around it: request ids differ from try to try.
fn plain(reason: &str) -> String {
    let inner = reason.strip_prefix("Resource handler returned message: \"").unwrap_or(reason);
    let end = [" (Service: ", "\" (RequestToken: ", "\" (HandlerErrorCode: "]
        .iter()
        .filter_map(|mark| inner.find(mark))
        .min();
    inner[..end.unwrap_or(inner.len())].trim().replace('\n', " ")
}

/// Whether an error is CloudFormation's `ValidationError` with these words in it.
fn said<E: ProvideErrorMetadata>(error: &SdkError<E, Response>, words: &str) -> bool {
    let refused = error.as_service_error().map(|refused| (refused.code(), refused.message().unwrap_or_default()));
    refused.is_some_and(|(code, message)| code == Some("ValidationError") && message.contains(words))
}

/// Sorts what CloudFormation says of a stack that is not where it was seen, or of its role.
fn refined<E: ProvideErrorMetadata>(attempt: &str, error: &SdkError<E, Response>) -> Fault {
    let sorted = fault(attempt, error);
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    if said(error, "is invalid or cannot be assumed") {
        let hint = "check that the stack role exists and trusts cloudformation.amazonaws.com";
        return Fault { kind: FaultKind::Propagating, ..sorted }.because(Reason::RoleNotTrusted).hint(hint);
    }
    let moved = said(error, "state and can not be") || said(error, "cannot be deleted while in status");
    if moved || matches!(code, Some("AlreadyExistsException" | "TokenAlreadyExistsException")) {
        return Fault { kind: FaultKind::Conflict, ..sorted }.because(Reason::Conflict);
    }
    sorted
}

fn delete_fault(name: &str, error: &SdkError<DeleteStackError, Response>) -> Fault {
    let sorted = refined(&format!("delete stack \"{name}\""), error);
    if said(error, "TerminationProtection") {
        return sorted.hint("switch off the stack's termination protection");
    }
    sorted
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceStatus;

    use super::*;

    fn event(second: i64, id: &str, status: &str, reason: &str, token: &str) -> StackEvent {
        let physical = if id == "stack" { "arn:stack" } else { id };
        StackEvent::builder()
            .logical_resource_id(id)
            .physical_resource_id(physical)
            .resource_status(ResourceStatus::from(status))
            .resource_status_reason(reason)
            .client_request_token(token)
            .timestamp(DateTime::from_secs(second))
            .build()
    }

    #[test]
    fn the_first_failure_of_the_last_operation_is_the_cause() {
        let events = [
            event(9, "stack", "UPDATE_ROLLBACK_COMPLETE", "", "t2"),
            event(7, "Queue", "UPDATE_FAILED", "Resource update cancelled", "t2"),
            event(
                6,
                "Function",
                "UPDATE_FAILED",
                "Resource handler returned message: \"no such role (Service: Lambda, Status Code: 400, Request ID: x)\" (RequestToken: y, HandlerErrorCode: InvalidRequest)",
                "t2",
            ),
            event(5, "stack", "UPDATE_IN_PROGRESS", "User Initiated", "t2"),
            event(3, "Rule", "CREATE_FAILED", "of long ago", "t1"),
        ];
        let expected = Failure {
            cause: "Function: no such role".into(),
            at: timestamp(Some(&DateTime::from_secs(9))),
            token: Some("t2".into()),
        };
        assert_eq!(first_failure(&events, "arn:stack"), Some(expected));
    }

    #[test]
    fn where_no_resource_failed_the_stacks_own_reason_is_the_cause() {
        let events = [event(1, "stack", "ROLLBACK_FAILED", "internal failure", "t")];
        assert_eq!(
            first_failure(&events, "arn:stack").map(|failure| failure.cause),
            Some("stack: internal failure".into())
        );
    }
}
