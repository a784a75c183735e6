//! What failed first in the last operation on a CloudFormation stack, as its events tell. One algorithm for every stack: the
//! model trigger's and the one behind a SageMaker project. It reads events and decides nothing.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackEvent;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::adapters::aws::errors::fault;
use crate::domain::fault::Fault;
use crate::domain::problem::Left;
use crate::domain::text::one_line;

/// How many pages of events are looked through; CloudFormation gives 100 events on each. The longest operation is one
/// on a stack of 500 resources (CloudFormation quotas) that is made and goes back: four events for each.
const PAGES: usize = 25;

/// The first failure of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FirstFailure {
    /// Which resource, and why: `Function: the role cannot be assumed`; nothing where no event says so.
    pub(super) cause: Option<String>,
    /// When the operation came to rest, or failed last.
    pub(super) at: Timestamp,
    /// The operation's client token.
    pub(super) token: Option<String>,
    /// What the stack did not delete although it went back or goes, since the template retains it.
    pub(super) left: Vec<Left>,
}

/// Reads events until the operation's first one. `None`: the stack has no events.
///
/// # Errors
/// No events can be read.
pub(super) async fn first_failure(
    client: &Client,
    stack_id: &str,
    attempt: &str,
) -> Result<Option<FirstFailure>, Fault> {
    let mut events: Vec<StackEvent> = Vec::new();
    let mut next = None;
    for _ in 0..PAGES {
        let page = client.describe_stack_events().stack_name(stack_id).set_next_token(next).send().await;
        let page = match page {
            Ok(page) => page,
            // The newest events say enough where older ones cannot be read.
            Err(_) if !events.is_empty() => break,
            Err(error) => return Err(fault(attempt, &error)),
        };
        next = page.next_token;
        events.extend(page.stack_events.unwrap_or_default());
        if next.is_none() || events.iter().any(|event| begins(event, stack_id)) {
            break;
        }
    }
    Ok(first(&events, stack_id))
}

/// A moment as AWS gives it; the beginning of time where it gives none.
pub(super) fn timestamp(at: Option<&DateTime>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).unwrap_or_default()).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn status(event: &StackEvent) -> &str {
    event.resource_status().map_or("", |status| status.as_str())
}

/// Whether an event is the stack's own, of the request that began an operation. A rollback that AWS begins by itself
/// belongs to the operation that failed; one that was asked for is an operation of its own.
fn begins(event: &StackEvent, stack_id: &str) -> bool {
    let status = status(event);
    let asked_for = event.resource_status_reason() == Some("User Initiated") && status.ends_with("_IN_PROGRESS");
    event.physical_resource_id() == Some(stack_id)
        && (asked_for || ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"].contains(&status))
}

/// The first failure since the last operation began, among events that are newest first. What was merely cancelled
/// because of another failure is no cause.
fn first(events: &[StackEvent], stack_id: &str) -> Option<FirstFailure> {
    let length = events.iter().position(|event| begins(event, stack_id)).map_or(events.len(), |at| at + 1);
    let operation = &events[..length];
    let newest = operation.first()?;
    let reason = |event: &StackEvent| event.resource_status_reason().unwrap_or_default().to_owned();
    let failed = operation.iter().rev().find(|event| {
        event.physical_resource_id() != Some(stack_id)
            && status(event).ends_with("_FAILED")
            && !reason(event).is_empty()
            && !reason(event).ends_with("cancelled")
    });
    // The stack's own word counts where it is of a failure: what it says when an operation begins is no cause.
    let own = operation.iter().find(|event| {
        let failed = status(event).ends_with("_FAILED") || status(event).contains("ROLLBACK");
        event.physical_resource_id() == Some(stack_id) && failed && !["", "User Initiated"].contains(&&*reason(event))
    });
    let cause = failed.or(own).map(|event| {
        let resource = event.logical_resource_id().unwrap_or_default();
        one_line(&format!("{resource}: {}", plain(&reason(event))))
    });
    let token = operation.iter().find_map(|event| event.client_request_token()).map(str::to_owned);
    let skipped = operation.iter().rev().filter(|event| status(event) == "DELETE_SKIPPED");
    let left = skipped.filter_map(|event| {
        let (kind, id) = (event.resource_type()?.to_owned(), event.physical_resource_id()?.to_owned());
        (!id.is_empty()).then_some(Left { kind, id })
    });
    Some(FirstFailure { cause, at: timestamp(newest.timestamp()), token, left: left.collect() })
}

/// The first failure in the list of reasons that Service Catalog puts into the record of a failed launch: those of the
/// stack's events, newest first (seen in public reports). `None`: the text is no such list, or holds no failure.
pub(super) fn first_of_record(text: &str) -> Option<String> {
    let (_, list) = text.split_once("Errors from CloudFormation: [{LogicalResourceId : ")?;
    let list = list.strip_suffix("}]").unwrap_or(list);
    let entries = list.split("}, {LogicalResourceId : ").filter_map(|entry| {
        let (resource, rest) = entry.split_once(", ResourceType : ")?;
        let (kind, reason) = rest.split_once(", StatusReason : ")?;
        Some((resource, kind, reason))
    });
    let entries: Vec<_> = entries.collect();
    let of_resources = entries.iter().rev().filter(|(_, kind, _)| *kind != "AWS::CloudFormation::Stack");
    let of_stack = entries.iter().filter(|(_, kind, _)| *kind == "AWS::CloudFormation::Stack");
    let (resource, _, reason) = of_resources.chain(of_stack).find(|(.., reason)| {
        !["", "User Initiated", "Resource creation Initiated"].contains(reason) && !reason.ends_with("cancelled")
    })?;
    Some(one_line(&format!("{resource}: {}", plain(reason))))
}

/// The sentence of the service or of the custom resource out of what CloudFormation wraps around it: request ids differ
/// from try to try. Any other text as it is.
fn plain(reason: &str) -> String {
    if let Some(answer) = custom_answer(reason) {
        return answer;
    }
    let inner = reason.strip_prefix("Resource handler returned message: \"").unwrap_or(reason);
    let marks = [" (Service: ", "\" (RequestToken: ", "\" (HandlerErrorCode: "];
    let end = marks.iter().filter_map(|mark| inner.find(mark)).min();
    inner[..end.unwrap_or(inner.len())].trim().to_owned()
}

/// What a custom resource answered, with what stands before it; `None`: the text tells of none.
pub(super) fn custom_answer(reason: &str) -> Option<String> {
    const CUSTOM: &str = "Received response status [FAILED] from custom resource. Message returned: ";
    let (before, answer) = reason.split_once(CUSTOM)?;
    let answer = answer.rsplit_once(" (RequestId: ").map_or(answer, |(answer, _)| answer);
    Some(format!("{before}{answer}"))
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
        let expected = FirstFailure {
            cause: Some("Function: no such role".into()),
            at: timestamp(Some(&DateTime::from_secs(9))),
            token: Some("t2".into()),
            left: Vec::new(),
        };
        assert_eq!(first(&events, "arn:stack"), Some(expected));
    }

    #[test]
    fn where_no_resource_failed_the_stacks_own_reason_is_the_cause() {
        let cause = |events: &[StackEvent]| first(events, "arn:stack").and_then(|failure| failure.cause);
        let own = [event(1, "stack", "ROLLBACK_FAILED", "internal failure", "t")];
        assert_eq!(cause(&own), Some("stack: internal failure".into()));
        assert_eq!(cause(&[event(1, "stack", "ROLLBACK_FAILED", "", "t")]), None);
        assert_eq!(first(&[], "arn:stack"), None);
        let well = [
            event(2, "stack", "UPDATE_COMPLETE", "", "t"),
            event(1, "stack", "UPDATE_IN_PROGRESS", "User Initiated", "t"),
        ];
        assert_eq!(cause(&well), None, "an operation that went well says nothing of why something else failed");
    }

    #[test]
    fn a_rollback_that_was_asked_for_is_an_operation_of_its_own() {
        let events = [
            event(9, "Queue", "UPDATE_FAILED", "in use", "t2"),
            event(8, "stack", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", "t2"),
            event(7, "Function", "UPDATE_FAILED", "no such role", "t1"),
            event(6, "stack", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed", "t1"),
        ];
        let cause = |events: &[StackEvent]| first(events, "arn:stack").and_then(|failure| failure.cause);
        assert_eq!(cause(&events), Some("Queue: in use".into()));
        assert_eq!(cause(&events[2..]), Some("Function: no such role".into()));
    }

    #[test]
    fn the_list_of_a_record_is_read_from_its_oldest_end() {
        let entry = |id: &str, kind: &str, reason: &str| {
            format!("{{LogicalResourceId : {id}, ResourceType : {kind}, StatusReason : {reason}}}")
        };
        let stack = |reason: &str| entry("SC-1-pp-1", "AWS::CloudFormation::Stack", reason);
        let list = |entries: &[String]| format!("Errors from CloudFormation: [{}]", entries.join(", "));
        let failed = "Resource handler returned message: \"{\"a\": 1}, no such role (Service: Lambda, Status Code: 400)\" (RequestToken: y)";
        let rows = [
            (
                "the oldest failure",
                list(&[
                    stack("The following resource(s) failed to create: [Function]."),
                    entry("Queue", "AWS::SQS::Queue", "Resource creation cancelled"),
                    entry("Rule", "AWS::Events::Rule", "of later"),
                    entry("Function", "AWS::Lambda::Function", failed),
                    entry("Function", "AWS::Lambda::Function", "Resource creation Initiated"),
                    stack("User Initiated"),
                ]),
                Some("Function: {\"a\": 1}, no such role"),
            ),
            (
                "the stack's own words where no resource failed",
                list(&[stack("Template error"), stack("User Initiated")]),
                Some("SC-1-pp-1: Template error"),
            ),
            ("no failure", list(&[stack("User Initiated")]), None),
            ("other words", "the role cannot be assumed".to_owned(), None),
            ("a list that breaks off", "Errors from CloudFormation: [{LogicalResourceId : a".to_owned(), None),
        ];
        for (name, text, cause) in rows {
            assert_eq!(first_of_record(&text).as_deref(), cause, "{name}");
        }
    }

    #[test]
    fn the_answer_of_a_custom_resource_is_told_in_its_own_words() {
        let rows = [
            (
                "CheckIn: Received response status [FAILED] from custom resource. Message returned: the branch is protected (by a rule) (RequestId: 0f0e-1)",
                "CheckIn: the branch is protected (by a rule)",
            ),
            (
                "Bucket: Resource handler returned message: no (RequestToken: 1)",
                "Bucket: Resource handler returned message: no (RequestToken: 1)",
            ),
        ];
        for (cause, wanted) in rows {
            assert_eq!(plain(cause), wanted);
        }
    }
}
