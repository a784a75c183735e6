//! The first cause of a project's failure. SageMaker's own message is short; the stack's first failed event, or else
//! the error of the provisioned product's record, tells what went wrong. Only asked for when something has failed,
//! and as far as the operator may: a call that is refused here must not hide the failure itself.

use aws_sdk_sagemaker::operation::describe_project::DescribeProjectOutput;

use crate::adapters::aws::Aws;

/// The first cause, on one line; empty if nobody says.
pub(super) async fn first(aws: &Aws, project: &DescribeProjectOutput) -> String {
    let details = project.service_catalog_provisioned_product_details();
    let said = details.and_then(|details| details.provisioned_product_status_message()).unwrap_or_default();
    let record = match details.and_then(|details| details.provisioned_product_id()) {
        Some(id) => record(aws, id).await,
        None => None,
    };
    let stack = record.as_ref().and_then(|record| record.stack.clone());
    let event = match stack {
        Some(stack) => first_failed_event(aws, &stack).await,
        None => None,
    };
    let text = event.or_else(|| record.and_then(|record| record.error)).unwrap_or_else(|| said.to_owned());
    plain(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Record {
    stack: Option<String>,
    error: Option<String>,
}

/// The last record of a provisioned product.
async fn record(aws: &Aws, provisioned_id: &str) -> Option<Record> {
    let product = aws.catalog.describe_provisioned_product().id(provisioned_id).send().await.ok()?;
    let id = product.provisioned_product_detail()?.last_record_id()?.to_owned();
    let record = aws.catalog.describe_record().id(id).send().await.ok()?;
    let outputs = record.record_outputs();
    let stack = outputs.iter().find(|output| output.output_key() == Some("CloudformationStackARN"));
    let errors = record.record_detail().map(|detail| detail.record_errors()).unwrap_or_default();
    Some(Record {
        stack: stack.and_then(|output| output.output_value()).map(str::to_owned),
        error: errors.first().and_then(|error| error.description()).map(str::to_owned),
    })
}

/// The earliest failure of the stack's last operation. The newest events come first; one page holds a hundred of
/// them, more than an operation on the project's stack makes.
async fn first_failed_event(aws: &Aws, stack: &str) -> Option<String> {
    let events = aws.cloudformation.describe_stack_events().stack_name(stack).send().await.ok()?;
    let begins = |event: &aws_sdk_cloudformation::types::StackEvent| {
        let status = event.resource_status().map_or("", |status| status.as_str());
        event.resource_type() == Some("AWS::CloudFormation::Stack")
            && matches!(status, "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS")
    };
    let mut first = None;
    for event in events.stack_events() {
        let failed = event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED"));
        let reason = event.resource_status_reason().unwrap_or_default();
        if failed && !reason.is_empty() && !reason.contains("cancelled") {
            first = Some(format!("{}: {reason}", event.logical_resource_id().unwrap_or_default()));
        }
        if begins(event) {
            break;
        }
    }
    first
}

/// What a custom resource answered, without CloudFormation's words around it; any other cause as it is.
fn plain(cause: &str) -> String {
    let around = "Received response status [FAILED] from custom resource. Message returned: ";
    let Some((resource, answer)) = cause.split_once(around) else { return cause.to_owned() };
    let answer = answer.rsplit_once(" (RequestId: ").map_or(answer, |(answer, _)| answer);
    format!("{resource}{answer}")
}

#[cfg(test)]
mod tests {
    use super::*;

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
