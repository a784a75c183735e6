//! The first cause of a project's failure. SageMaker's own message is short; the stack's first failed event, or else
//! the error of the provisioned product's record, tells what went wrong. Only asked for when something has failed,
//! and as far as the operator may: a call that is refused here must not hide the failure itself.

use aws_sdk_sagemaker::operation::describe_project::DescribeProjectOutput;

use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::stack_events::{self, custom_answer, first_of_record};
use crate::domain::text::one_line;

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
        Some(stack) => failed_event(aws, &stack).await,
        None => None,
    };
    // The words of Service Catalog and SageMaker stay whole: the code and request id in them are what AWS support asks for.
    event.unwrap_or_else(|| {
        let text = record.and_then(|record| record.error).unwrap_or_else(|| said.to_owned());
        one_line(&first_of_record(&text).or_else(|| custom_answer(&text)).unwrap_or(text))
    })
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

async fn failed_event(aws: &Aws, stack: &str) -> Option<String> {
    let attempt = "read the events of the project's stack";
    stack_events::first_failure(&aws.cloudformation, stack, attempt).await.ok()??.cause
}
