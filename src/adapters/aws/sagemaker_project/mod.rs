//! SageMaker projects through AWS's API: observes and acts, without decisions. What users put into a project is observed
//! only where it is to be deleted. What SageMaker refuses is sorted here, since most of it comes under one code.

use std::collections::BTreeMap;

use aws_sdk_sagemaker::operation::describe_project::DescribeProjectOutput;
use aws_sdk_sagemaker::types::{
    ProvisioningParameter, ServiceCatalogProvisioningDetails, ServiceCatalogProvisioningUpdateDetails, Tag,
};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;

use crate::adapters::aws::catalog;
use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::crd::identifiers::ProductId;
use crate::crd::status::{ProjectStatus, Reason};
use crate::domain::external_resource::{Actuator, Attempts, Depth, Glance, RecordedIds};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::{Identity, Owned, Ownership};
use crate::domain::project::ParameterValue;
use crate::resources::sagemaker_project::{
    Action, Desired, Observed, ObservedProject, RESOURCE, SagemakerProject, Seeded, Status, recorded, seed_code,
};

mod cause;
mod data;
mod index;
mod outputs;

use cause::Cause;
pub use index::Index;

type Sdk<E> = SdkError<E, Response>;

/// The actuator of [`SagemakerProject`].
#[derive(Clone)]
pub struct SagemakerProjectActuator {
    aws: Aws,
    purpose: Purpose,
    /// What is known already: the project's id, and what became of its seed code.
    known: Option<(String, Seeded)>,
    /// What Service Catalog provisioned for the project, as far as that is known.
    provisioned: Option<String>,
    /// Whose product the project was launched from; absent: the project's own.
    product_of: Option<Identity>,
}

/// What the project is looked at for: it decides on what is asked besides the project itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be as declared.
    Keep,
    /// To be deleted: whose product it was launched from is asked, where its id does not say that it is ours.
    Delete,
    /// To be deleted with what users put into it, which is looked at too.
    DeleteWithData,
}

impl SagemakerProjectActuator {
    /// For that purpose.
    pub fn new(aws: &Aws, purpose: Purpose) -> Self {
        Self { aws: aws.clone(), purpose, known: None, provisioned: None, product_of: None }
    }

    /// With the owner of the product that the project was launched from, where that is not the project's.
    #[must_use]
    pub fn launched_from_product_of(mut self, owner: Identity) -> Self {
        self.product_of = Some(owner);
        self
    }

    /// With what the status says about the project: it is asked for anew only where AWS has changed the project since.
    #[must_use]
    pub fn knowing(mut self, status: Option<&ProjectStatus>) -> Self {
        self.provisioned = status.and_then(|status| status.provisioned_product_id.clone());
        self.known = status.and_then(|status| {
            let repositories = status.repositories.iter();
            let repositories = repositories.map(|one| (one.name.clone(), one.seed_code.clone())).collect();
            Some((status.id.clone(), Seeded { as_of: status.last_modified.clone()?, repositories }))
        });
        self
    }

    /// What became of the seed code of a project at rest; `None` while AWS works on it, or where its update failed.
    async fn seeded(&self, project: &ObservedProject, product: Option<&str>) -> Result<Option<Seeded>, Fault> {
        if !matches!(project.status, Status::CreateCompleted | Status::UpdateCompleted) {
            return Ok(None);
        }
        let as_of = project.modified.to_string();
        match (&self.known, product) {
            (Some((id, known)), _) if *id == project.id && known.as_of == as_of => Ok(Some(known.clone())),
            (_, Some(product)) if seed_code::wanted(&project.parameters) => {
                let repositories = outputs::seed_code(&self.aws, product).await?;
                Ok(Some(Seeded { as_of, repositories }))
            }
            _ => Ok(Some(Seeded { as_of, repositories: BTreeMap::new() })),
        }
    }

    async fn describe(&self, name: &str) -> Result<Option<DescribeProjectOutput>, Fault> {
        match self.aws.sagemaker.describe_project().project_name(name).send().await {
            Ok(project) => Ok(Some(project)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(fault(&format!("look at SageMaker project {name:?}"), &error)),
        }
    }

    /// The project in the operator's words. `recorded`: the id of ours, as far as it is known.
    async fn observed(
        &self,
        name: &str,
        output: DescribeProjectOutput,
        recorded: Option<&str>,
    ) -> Result<ObservedProject, Fault> {
        let status = Status::parse(output.project_status().map_or("", |status| status.as_str()));
        let arn = output.project_arn().unwrap_or_default().to_owned();
        let is_ours = recorded.is_some() && recorded == output.project_id();
        let tags = match &status {
            // The record of a deleted project has no tags to ask for.
            Status::DeleteCompleted => BTreeMap::new(),
            // While SageMaker works on ours, which its id tells, nothing is done to it whatever its tags say.
            status if status.in_progress() && is_ours && self.purpose == Purpose::Keep => BTreeMap::new(),
            _ => data::tags(&self.aws, &arn, &format!("list the tags of SageMaker project {name:?}")).await?,
        };
        let Cause { text: cause, left } =
            if status.is_failed() { cause::first(&self.aws, &output).await } else { Cause::default() };
        let details = output.service_catalog_provisioning_details();
        let parameters = details.map(|details| details.provisioning_parameters()).unwrap_or_default();
        let created = moment(output.creation_time());
        let mut project = ObservedProject {
            id: output.project_id().unwrap_or_default().to_owned(),
            arn,
            description: output.project_description().unwrap_or_default().to_owned(),
            left: if status == Status::CreateFailed { left } else { Vec::new() },
            status,
            cause,
            product_id: details.and_then(|details| ProductId::parse(details.product_id()?).ok()),
            of_our_product: false,
            artifact_id: details.and_then(|details| details.provisioning_artifact_id()).map(str::to_owned),
            parameters: parameters
                .iter()
                .filter_map(|parameter| {
                    Some((parameter.key()?.to_owned(), parameter.value().unwrap_or_default().to_owned()))
                })
                .filter(|(key, _)| key != "SageMakerProjectName" && key != "SageMakerProjectId")
                .collect(),
            tags,
            created,
            modified: output.last_modified_time().map_or(created, |time| moment(Some(time))),
            seeded: None,
            provisioned_id: None,
            provisioned: None,
        };
        let product = output.service_catalog_provisioned_product_details();
        let product = product.and_then(|product| product.provisioned_product_id());
        project.provisioned_id = product.map(str::to_owned);
        project.seeded = self.seeded(&project, product).await?;
        let complete = matches!(project.status, Status::CreateCompleted | Status::UpdateCompleted);
        if let Some(product) = product.filter(|_| complete && self.purpose == Purpose::Keep) {
            project.provisioned = cause::product(&self.aws, product).await?;
        }
        Ok(project)
    }

    /// Whether a product carries our mark; one that is gone says nothing.
    async fn ours(&self, id: &Identity, product: &ProductId) -> Result<bool, Fault> {
        let attempt = format!("look at product {product}");
        let described = self.aws.catalog.describe_product_as_admin().id(product).send().await;
        let described = catalog::found(&attempt, described)?;
        let tags = described.as_ref().map(|output| catalog::tag_map(output.tags())).unwrap_or_default();
        let owner = self.product_of.as_ref().unwrap_or(id);
        Ok(owner.ownership(Owned::Product, &tags) == Ownership::Ours)
    }

    /// Creates the project, and answers its id.
    async fn create(&self, name: &str, desired: &Desired) -> Result<RecordedIds, Fault> {
        let details = ServiceCatalogProvisioningDetails::builder()
            .product_id(&desired.product_id)
            .provisioning_artifact_id(&desired.artifact_id)
            .set_provisioning_parameters(Some(given(&desired.parameters)))
            .build();
        let description = Some(desired.description.clone()).filter(|text| !text.is_empty());
        let request = self.aws.sagemaker.create_project().project_name(name).set_project_description(description);
        let request = request.service_catalog_provisioning_details(details).set_tags(Some(tag_list(&desired.tags)));
        let created = request.send().await;
        let created = created.map_err(|error| refused(&format!("create SageMaker project {name:?}"), &error))?;
        Ok(created.project_id().map(|id| (RESOURCE.to_owned(), id.to_owned())).into_iter().collect())
    }

    async fn update(
        &self,
        name: &str,
        description: &str,
        provisioning: Option<&(String, BTreeMap<String, ParameterValue>)>,
    ) -> Result<(), Fault> {
        let details = provisioning.map(|(artifact_id, parameters)| {
            ServiceCatalogProvisioningUpdateDetails::builder()
                .provisioning_artifact_id(artifact_id)
                .set_provisioning_parameters(Some(given(parameters)))
                .build()
        });
        let request = self.aws.sagemaker.update_project().project_name(name).project_description(description);
        let request = request.set_service_catalog_provisioning_update_details(details);
        request.send().await.map(drop).map_err(|error| refused(&format!("update SageMaker project {name:?}"), &error))
    }

    async fn delete(&self, name: &str) -> Result<(), Fault> {
        match self.aws.sagemaker.delete_project().project_name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_absent(&error) || says(&error, "DeleteCompleted status") => Ok(()),
            Err(error) => Err(refused(&format!("delete SageMaker project {name:?}"), &error)),
        }
    }
}

impl Actuator<SagemakerProject> for SagemakerProjectActuator {
    async fn observe(&self, id: &Identity, attempts: &Attempts) -> Result<Observed, Fault> {
        let name = &id.placement.project_name;
        let Some(output) = self.describe(name).await? else { return Ok(Observed::default()) };
        let mut project = self.observed(name, output, recorded(attempts)).await?;
        if let Some(product) = project.product_id.as_ref().filter(|_| {
            self.purpose != Purpose::Keep
                && id.ownership(Owned::Project, &project.tags) == Ownership::Ours
                && recorded(attempts) != Some(project.id.as_str())
        }) {
            project.of_our_product = self.ours(id, product).await?;
        }
        // What is in it can be removed only once SageMaker is done with it.
        let data = if self.purpose == Purpose::DeleteWithData && !project.status.in_progress() {
            Some(data::look(&self.aws, name, &project.id, &id.placement.account_id).await?)
        } else {
            None
        };
        Ok(Observed { project: Some(project), data })
    }

    async fn glance(&self, id: &Identity, _: &Desired, depth: Depth) -> Result<Option<Glance>, Fault> {
        Ok(index::glance(&self.aws, &id.placement.project_name, self.provisioned.as_deref(), depth).await)
    }

    async fn act(&self, id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        let name = &id.placement.project_name;
        match action {
            Action::Create(desired) => return self.create(name, desired).await,
            Action::Update { description, provisioning } => {
                self.update(name, description, provisioning.as_ref()).await?
            }
            Action::Tag(arn, tags) => {
                let request = self.aws.sagemaker.add_tags().resource_arn(arn).set_tags(Some(tag_list(tags)));
                request.send().await.map_err(|error| fault(&format!("tag SageMaker project {name:?}"), &error))?;
            }
            Action::Untag(arn, keys) => {
                let keys = keys.iter().cloned().collect();
                let request = self.aws.sagemaker.delete_tags().resource_arn(arn).set_tag_keys(Some(keys));
                request.send().await.map_err(|error| fault(&format!("untag SageMaker project {name:?}"), &error))?;
            }
            Action::DeletePackages(arns) => data::delete_packages(&self.aws, arns).await?,
            Action::DeleteGroup(group) => data::delete_group(&self.aws, group).await?,
            Action::DeleteVersions(bucket, versions) => {
                data::delete_versions(&self.aws, bucket, &id.placement.account_id, versions).await?;
            }
            Action::DeleteBucket(bucket) => data::delete_bucket(&self.aws, bucket, &id.placement.account_id).await?,
            Action::Delete => self.delete(name).await?,
            Action::Remember(project) => return Ok(vec![(RESOURCE.to_owned(), project.clone())]),
        }
        Ok(RecordedIds::new())
    }
}

fn moment(time: Option<&aws_smithy_types::DateTime>) -> Timestamp {
    let milliseconds = time.and_then(|time| time.to_millis().ok()).unwrap_or_default();
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn given(parameters: &BTreeMap<String, ParameterValue>) -> Vec<ProvisioningParameter> {
    let text = |value: &ParameterValue| match value {
        ParameterValue::Plain(text) => text.clone(),
        ParameterValue::Sealed(secret) => secret.value.reveal().to_owned(),
    };
    parameters.iter().map(|(key, value)| ProvisioningParameter::builder().key(key).value(text(value)).build()).collect()
}

fn tag_list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn says<E: ProvideErrorMetadata>(error: &Sdk<E>, words: &str) -> bool {
    error.as_service_error().and_then(|error| error.message()).is_some_and(|message| message.contains(words))
}

/// Not found, as SageMaker says it: a `ValidationException` with these words.
fn is_absent<E: ProvideErrorMetadata>(error: &Sdk<E>) -> bool {
    error.as_service_error().and_then(|error| error.code()) == Some("ValidationException")
        && says(error, "does not exist")
}

/// Sorts what SageMaker passes on from Service Catalog: whatever it is, the code is `ValidationException`.
fn refused<E: ProvideErrorMetadata>(attempt: &str, error: &Sdk<E>) -> Fault {
    let fault = fault(attempt, error);
    let validation = error.as_service_error().and_then(|error| error.code()) == Some("ValidationException");
    let spreading =
        |reason: Reason, hint: &str| Fault { kind: FaultKind::Propagating, reason, ..fault.clone() }.hint(hint);
    if !validation {
        return fault;
    }
    if says(error, "No launch paths") {
        return spreading(
            Reason::NoLaunchPath,
            "AWS takes up to two minutes to let a new principal launch a product; after that, check that the operator's role is among the portfolio's principals",
        );
    }
    if says(error, "while assuming the role")
        || says(error, "is not authorized")
        || says(error, "profile does not exist")
    {
        return spreading(
            Reason::RoleNotTrusted,
            "check that the launch role exists and that its trust policy lets servicecatalog.amazonaws.com assume it",
        );
    }
    if says(error, "not found") {
        return spreading(Reason::Propagating, "AWS may not know the product's version yet");
    }
    if says(error, "already exists") {
        return Fault { kind: FaultKind::Conflict, reason: Reason::Conflict, ..fault };
    }
    fault
}
