//! The first cause of a project's failure. SageMaker's own message is short; the stack's first failed event, or else
//! the error of the provisioned product's record, tells what went wrong. Only asked for when something has failed,
//! and as far as the operator may: a call that is refused here must not hide the failure itself.

use aws_sdk_sagemaker::operation::describe_project::DescribeProjectOutput;

use crate::adapters::aws::catalog;
use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::stack_events::{self, FirstFailure, custom_answer, first_of_record};
use crate::crd::status::Reason;
use crate::domain::fault::Fault;
use crate::domain::problem::Left;
use crate::domain::text::one_line;
use crate::resources::sagemaker_project::{ProductStatus, ProvisionedProduct};

/// Why an operation failed.
#[derive(Default)]
pub(super) struct Cause {
    /// The first cause, on one line; empty if nobody says.
    pub(super) text: String,
    /// What it has left behind, since the template retains it.
    pub(super) left: Vec<Left>,
}

/// Asks why the last operation on a project failed.
pub(super) async fn first(aws: &Aws, project: &DescribeProjectOutput) -> Cause {
    let details = project.service_catalog_provisioned_product_details();
    let said = details.and_then(|details| details.provisioned_product_status_message()).unwrap_or_default();
    let record = match details.and_then(|details| details.provisioned_product_id()) {
        Some(id) => record(aws, id).await,
        None => None,
    };
    let stack = record.as_ref().and_then(|record| record.stack.clone());
    let failure = match stack {
        Some(stack) => failed_event(aws, &stack).await,
        None => None,
    };
    let (event, left) = failure.map(|failure| (failure.cause, failure.left)).unwrap_or_default();
    // The words of Service Catalog and SageMaker stay whole: the code and request id in them are what AWS support asks for.
    let text = event.unwrap_or_else(|| {
        let text = record.and_then(|record| record.error).unwrap_or_else(|| said.to_owned());
        one_line(&first_of_record(&text).or_else(|| custom_answer(&text)).unwrap_or(text))
    });
    Cause { text, left }
}

/// The provisioned product of that id, and its stack where something is wrong. `None`: the operator may not ask, which must
/// not keep it from the rest.
pub(super) async fn product(aws: &Aws, id: &str) -> Result<Option<ProvisionedProduct>, Fault> {
    let attempt = format!("look at provisioned product {id}");
    let described = aws.catalog.describe_provisioned_product().id(id).send().await;
    let detail = match catalog::found(&attempt, described) {
        Ok(found) => found.and_then(|found| found.provisioned_product_detail),
        Err(fault) if fault.reason == Reason::AccessDenied => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut product = ProvisionedProduct {
        id: id.to_owned(),
        status: ProductStatus::Terminated,
        message: String::new(),
        stack: None,
    };
    let Some(detail) = detail else { return Ok(Some(product)) };
    product.status = ProductStatus::parse(detail.status().map_or("", |status| status.as_str()));
    product.message = one_line(detail.status_message().unwrap_or_default());
    if matches!(product.status, ProductStatus::Tainted | ProductStatus::Error) {
        product.stack = stack(aws, id).await;
    }
    Ok(Some(product))
}

/// ARN and status of the stack of a provisioned product, as far as the operator may ask.
async fn stack(aws: &Aws, provisioned_id: &str) -> Option<(String, String)> {
    let arn = record(aws, provisioned_id).await?.stack?;
    // Of these stacks the operator may read events alone: outputs and parameters are none of its business.
    let page = aws.cloudformation.describe_stack_events().stack_name(&arn).send().await.ok()?;
    let own = page.stack_events().iter().find(|event| event.physical_resource_id() == Some(arn.as_str()))?;
    let status = own.resource_status()?.as_str().to_owned();
    Some((arn, status))
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

async fn failed_event(aws: &Aws, stack: &str) -> Option<FirstFailure> {
    let attempt = "read the events of the project's stack";
    stack_events::first_failure(&aws.cloudformation, stack, attempt).await.ok()?
}
