//! The hands of one pass: everything that touches the outside for one object, in one place of AWS and one Jenkins.

use crate::adapters::aws::Aws;
use crate::adapters::cloudformation::Stacks;
use crate::adapters::ground::GroundActuator;
use crate::adapters::jenkins::JenkinsClient;
use crate::adapters::s3::S3Actuator;
use crate::adapters::sagemaker::SagemakerProjects;
use crate::adapters::service_catalog::{Names, ServiceCatalog};
use crate::controller::outside::Outside;
use crate::controller::resolve::JenkinsAccess;
use crate::crd::status::{Placement, ProjectStatus};
use crate::domain::fault::Fault;
use crate::domain::project::Project;

/// What touches AWS.
pub struct AwsHands {
    /// Account, roles, connections.
    pub ground: GroundActuator,
    /// The artifact bucket.
    pub artifacts: S3Actuator,
    /// The catalog product.
    pub catalog: ServiceCatalog,
    /// The SageMaker project.
    pub projects: SagemakerProjects,
    /// The model trigger.
    pub stacks: Stacks,
}

/// All hands.
pub struct Hands {
    /// What touches AWS.
    pub aws: AwsHands,
    /// What touches Jenkins.
    pub jenkins: JenkinsClient,
}

impl AwsHands {
    /// Hands that build a project up. `known` is what the status says about it.
    pub async fn to_build(outside: &Outside, project: &Project, known: Option<&ProjectStatus>) -> Self {
        let aws = outside.aws(&project.identity.placement).await;
        let names =
            Names { portfolio: project.catalog.portfolio_name.clone(), product: project.catalog.product_name.clone() };
        let hands = Self::of(&aws, GroundActuator::new(&aws, project), names, false);
        Self { projects: hands.projects.knowing(known), ..hands }
    }

    /// Hands that tear down what is in a place. `names` are the catalog's, as far as they are known; `delete_data` says
    /// whether what users put into the project is looked at and removed with it.
    pub async fn to_remove(outside: &Outside, placement: &Placement, names: Names, delete_data: bool) -> Self {
        let aws = outside.aws(placement).await;
        Self::of(&aws, GroundActuator::account_only(&aws), names, delete_data)
    }

    fn of(aws: &Aws, ground: GroundActuator, names: Names, delete_data: bool) -> Self {
        Self {
            ground,
            artifacts: S3Actuator::new(aws),
            catalog: ServiceCatalog::new(aws, names),
            projects: SagemakerProjects::new(aws, delete_data),
            stacks: Stacks::new(aws),
        }
    }
}

impl Hands {
    /// Hands for a project. `known` is what the status says about it.
    ///
    /// # Errors
    /// The Jenkins URL, its CA bundle or its credentials cannot be used.
    pub async fn new(
        outside: &Outside,
        project: &Project,
        access: &JenkinsAccess,
        known: Option<&ProjectStatus>,
    ) -> Result<Self, Fault> {
        let jenkins = outside.jenkins(&project.identity.placement, &access.credentials, &access.ca_bundle)?;
        Ok(Self { aws: AwsHands::to_build(outside, project, known).await, jenkins })
    }
}
