//! CloudFormation, for the model trigger's stack, and SQS, for whether events wait in its queues. The stack is found by its
//! name alone; events are read only where its status speaks of a failure, queues only where it rests without one.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::delete_stack::DeleteStackError;
use aws_sdk_cloudformation::types::{Capability, OnFailure, Parameter, Stack as Described, Tag};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::adapters::aws::stack_events::{self, FirstFailure, timestamp};
use crate::crd::status::Reason;
use crate::domain::external_resource::{Actuator, Attempts, Depth, Glance, RecordedIds, digest_of};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::resources::model_trigger::queues::{DEAD, Queues, WAITING};
use crate::resources::model_trigger::{
    Action, Desired, Failure, ModelTrigger, Observed, RESOURCE, Request, SECRET_PARAMETER, Stack, template,
};

/// The actuator of the model trigger.
pub struct ModelTriggerActuator {
    client: Client,
    sqs: aws_sdk_sqs::Client,
}

impl ModelTriggerActuator {
    /// Works in the place that the clients are for.
    pub fn new(aws: &Aws) -> Self {
        Self { client: aws.cloudformation.clone(), sqs: aws.sqs.clone() }
    }

    /// What failed first in the stack's last operation.
    async fn failure(&self, stack_id: &str) -> Result<Option<Failure>, Fault> {
        let attempt = "read the events of the model trigger's stack";
        let failure = stack_events::first_failure(&self.client, stack_id, attempt).await?;
        let silent = || "CloudFormation's events do not say why".to_owned();
        Ok(failure.map(|FirstFailure { cause, at, token, .. }| Failure {
            cause: cause.unwrap_or_else(silent),
            at,
            token,
        }))
    }

    /// What is in the queues that the stack's outputs name. Nothing that SQS answers is a fault of the trigger, which works
    /// without anybody looking into its queues: where they may not be read it is said, and where SQS does not answer they
    /// are as they were at the last look.
    async fn queues(&self, stack: &Described, tried: &Attempts) -> Option<Queues> {
        let output = |name: &str| stack.outputs().iter().find(|one| one.output_key() == Some(name))?.output_value();
        let (waiting_url, dead_url) = (output("WaitingEventsUrl")?, output("FailedEventsUrl")?);
        let (waiting, dead, unread) = match tokio::try_join!(self.holds(waiting_url), self.holds(dead_url)) {
            Ok((waiting, dead)) => (waiting, dead, None),
            Err(fault) => {
                tracing::debug!(reason = fault.message, "the model trigger's queues were not looked into");
                match refused(&fault) {
                    Some(why) => (false, false, Some(why)),
                    None => {
                        let known = |what: &str| tried.noticed_since.contains_key(what);
                        (known(WAITING), known(DEAD), None)
                    }
                }
            }
        };
        Some(Queues {
            waiting_arn: output("WaitingEventsArn")?.to_owned(),
            dead_arn: output("FailedEventsArn")?.to_owned(),
            log_group: output("LogGroupName")?.to_owned(),
            waiting,
            dead,
            unread,
        })
    }

    /// The stack of that name; one that was deleted is none.
    async fn described(&self, name: &str) -> Result<Option<Described>, Fault> {
        let described = match self.client.describe_stacks().stack_name(name).send().await {
            Ok(reply) => reply.stacks.unwrap_or_default().into_iter().next(),
            Err(error) if said(&error, "does not exist") => None,
            Err(error) => return Err(fault(&format!("describe stack \"{name}\""), &error)),
        };
        Ok(described.filter(|stack| status(stack) != "DELETE_COMPLETE"))
    }

    /// Whether messages are in a queue, seen or hidden.
    async fn holds(&self, url: &str) -> Result<bool, Fault> {
        let numbers = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(numbers.to_vec()));
        let name = url.rsplit('/').next().unwrap_or(url);
        let told = call.send().await.map_err(|error| fault(&format!("read how queue \"{name}\" stands"), &error))?;
        let attributes = told.attributes.unwrap_or_default();
        Ok(numbers.iter().filter_map(|number| attributes.get(number)).any(|number| number != "0"))
    }
}

/// Whether a stack of that status is there and nothing is done to it.
fn rests(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE")
}

impl Actuator<ModelTrigger> for ModelTriggerActuator {
    async fn observe(&self, id: &Identity, tried: &Attempts) -> Result<Observed, Fault> {
        let name = id.trigger_stack_name();
        let Some(described) = self.described(&name).await? else { return Ok(Observed::default()) };
        let failure = match status(&described) {
            failed if failed.contains("FAILED") || failed.contains("ROLLBACK") => {
                self.failure(described.stack_id().unwrap_or(&name)).await?
            }
            _ => None,
        };
        let queues = if rests(status(&described)) { self.queues(&described, tried).await } else { None };
        Ok(Observed { stack: Some(observed(described, failure)), queues })
    }

    async fn glance(&self, id: &Identity, _: &Desired, depth: Depth) -> Result<Option<Glance>, Fault> {
        // No list shows what the stack was made with.
        if depth == Depth::Whole {
            return Ok(None);
        }
        let stack = self.described(&id.trigger_stack_name()).await?;
        let standing = stack.as_ref().map(|stack| status(stack).to_owned());
        let well = standing.as_deref().is_some_and(rests);
        Ok(Some(Glance { standing: digest_of(&standing), well, whole: None }))
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        let name = id.trigger_stack_name();
        match action {
            Action::Create(request) => return self.create(&name, request).await,
            Action::Remember(stack) => return Ok(vec![(RESOURCE.to_owned(), stack.clone())]),
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
        .map(|()| RecordedIds::new())
    }
}

impl ModelTriggerActuator {
    /// Creates the stack, and answers its ARN.
    async fn create(&self, name: &str, request: &Request) -> Result<RecordedIds, Fault> {
        let call = self
            .client
            .create_stack()
            .stack_name(name)
            .template_body(template::TEXT.as_str())
            .set_parameters(Some(parameters(request)))
            .capabilities(Capability::CapabilityIam)
            .set_tags(Some(tags(request)))
            .set_role_arn(request.role_arn.as_ref().map(String::from))
            .on_failure(OnFailure::Rollback)
            .client_request_token(&request.token);
        let created = call.send().await.map_err(|error| refined(&format!("create stack \"{name}\""), &error))?;
        Ok(created.stack_id().map(|id| (RESOURCE.to_owned(), id.to_owned())).into_iter().collect())
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
            .set_role_arn(request.role_arn.as_ref().map(String::from))
            .set_disable_rollback(request.keep_what_succeeds.then_some(true))
            .client_request_token(&request.token);
        match call.send().await {
            Err(error) if said(&error, "No updates are to be performed") => Ok(()),
            other => other.map(drop).map_err(|error| refined(&format!("update stack \"{name}\""), &error)),
        }
    }
}

/// Why queues may not be read, and what to do; `None`: a later look may succeed by itself.
fn refused(fault: &Fault) -> Option<String> {
    let hint = match fault.kind {
        FaultKind::Denied => "allow the operator's role sqs:GetQueueAttributes on the trigger's queues",
        FaultKind::Rejected | FaultKind::Unexpected => fault.kind.usual_hint(),
        FaultKind::Throttled | FaultKind::Unavailable | FaultKind::Conflict | FaultKind::Propagating => return None,
    };
    Some(format!("{}; {hint}", fault.message))
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

fn observed(stack: Described, failure: Option<Failure>) -> Stack {
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
        return Fault { kind: FaultKind::Propagating, ..sorted }.with_reason(Reason::RoleNotTrusted).hint(hint);
    }
    let moved = said(error, "state and can not be") || said(error, "cannot be deleted while in status");
    if moved || matches!(code, Some("AlreadyExistsException" | "TokenAlreadyExistsException")) {
        return Fault { kind: FaultKind::Conflict, ..sorted }.with_reason(Reason::Conflict);
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
