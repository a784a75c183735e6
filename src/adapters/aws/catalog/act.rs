//! Doing to the catalog product: each action is one call, and creates carry the client token of their number.

use aws_sdk_servicecatalog::types::{
    PrincipalType, ProductType, ProvisioningArtifactGuidance, ProvisioningArtifactProperties, ProvisioningArtifactType,
};
use serde_json::json;

use super::{CatalogProductActuator, code, deleted, tag_list, written};
use crate::crd::identifiers::{PortfolioId, ProductId, RoleArn};
use crate::domain::external_resource::RecordedIds;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::domain::platform::Principal;
use crate::resources::catalog::{Action, Portfolio, Product, Version, resource_name};

impl CatalogProductActuator {
    pub(super) async fn perform(&self, id: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        match action {
            Action::CreatePortfolio { n, portfolio } => return self.create_portfolio(id, *n, portfolio).await,
            Action::CreateProduct { n, product, version } => {
                return self.create_product(id, *n, product, version).await;
            }
            Action::CreateVersion { n, product_id, version } => {
                return self.create_version(id, *n, product_id, version).await;
            }
            Action::CreateConstraint { n, portfolio_id, product_id, role_arn } => {
                return self.create_constraint(id, *n, portfolio_id, product_id, role_arn).await;
            }
            Action::Remember { resource, id } => return Ok(vec![((*resource).to_owned(), id.clone())]),
            Action::UpdatePortfolio { id, portfolio, remove_tags } => {
                self.update_portfolio(id, portfolio, remove_tags).await
            }
            Action::UpdateProduct { id, product, remove_tags } => self.update_product(id, product, remove_tags).await,
            Action::RestoreVersion { product_id, id, version } => self.restore_version(product_id, id, version).await,
            Action::DeprecateVersion { product_id, id } => self.deprecate_version(product_id, id).await,
            Action::UpdateConstraint { id, role_arn } => self.update_constraint(id, role_arn).await,
            Action::Associate { portfolio_id, product_id } => self.associate(portfolio_id, product_id).await,
            Action::AddPrincipal { portfolio_id, principal } => self.add_principal(portfolio_id, principal).await,
            Action::DeletePortfolio { id } => self.delete_portfolio(id).await,
            Action::DeleteProduct { id } => self.delete_product(id).await,
            Action::DeleteVersion { product_id, id } => self.delete_version(product_id, id).await,
            Action::DeleteConstraint { id } => self.delete_constraint(id).await,
            Action::Disassociate { portfolio_id, product_id } => self.disassociate(portfolio_id, product_id).await,
            Action::RemovePrincipal { portfolio_id, principal } => self.remove_principal(portfolio_id, principal).await,
        }?;
        Ok(RecordedIds::new())
    }

    async fn create_portfolio(&self, id: &Identity, n: i32, portfolio: &Portfolio) -> Result<RecordedIds, Fault> {
        let attempt = format!("create portfolio \"{}\"", portfolio.name);
        let request = self
            .client
            .create_portfolio()
            .display_name(&portfolio.name)
            .provider_name(&portfolio.provider)
            .set_description(given(&portfolio.description))
            .set_tags(Some(tag_list(&portfolio.tags)))
            .idempotency_token(id.token(resource_name::PORTFOLIO, n));
        let output = written(&attempt, request.send().await)?;
        handle(&attempt, resource_name::PORTFOLIO, output.portfolio_detail().and_then(|detail| detail.id()))
    }

    async fn update_portfolio(
        &self,
        id: &PortfolioId,
        portfolio: &Portfolio,
        remove_tags: &[String],
    ) -> Result<(), Fault> {
        let attempt = format!("update portfolio \"{}\"", portfolio.name);
        let request = self
            .client
            .update_portfolio()
            .id(id)
            .display_name(&portfolio.name)
            .provider_name(&portfolio.provider)
            .description(&portfolio.description)
            .set_add_tags(Some(tag_list(&portfolio.tags)))
            .set_remove_tags((!remove_tags.is_empty()).then(|| remove_tags.to_vec()));
        written(&attempt, request.send().await).map(|_| ())
    }

    async fn create_product(
        &self,
        id: &Identity,
        n: i32,
        product: &Product,
        version: &Version,
    ) -> Result<RecordedIds, Fault> {
        let attempt = format!("create product \"{}\"", product.name);
        let request = self
            .client
            .create_product()
            .name(&product.name)
            .owner(&product.owner)
            .product_type(ProductType::CloudFormationTemplate)
            .set_description(given(&product.description))
            .set_support_description(given(&product.support_description))
            .set_support_email(given(&product.support_email))
            .set_support_url(given(&product.support_url))
            .set_tags(Some(tag_list(&product.tags)))
            .provisioning_artifact_parameters(properties(version))
            .idempotency_token(id.token(resource_name::PRODUCT, n));
        let output = written(&attempt, request.send().await)?;
        let summary = output.product_view_detail().and_then(|detail| detail.product_view_summary());
        let mut recorded_ids =
            handle(&attempt, resource_name::PRODUCT, summary.and_then(|summary| summary.product_id()))?;
        let version = output.provisioning_artifact_detail().and_then(|detail| detail.id());
        recorded_ids.extend(version.map(|id| (resource_name::VERSION.to_owned(), id.to_owned())));
        Ok(recorded_ids)
    }

    async fn update_product(&self, id: &ProductId, product: &Product, remove_tags: &[String]) -> Result<(), Fault> {
        let attempt = format!("update product \"{}\"", product.name);
        let request = self
            .client
            .update_product()
            .id(id)
            .name(&product.name)
            .owner(&product.owner)
            .description(&product.description)
            .support_description(&product.support_description)
            .support_email(&product.support_email)
            .support_url(&product.support_url)
            .set_add_tags(Some(tag_list(&product.tags)))
            .set_remove_tags((!remove_tags.is_empty()).then(|| remove_tags.to_vec()));
        written(&attempt, request.send().await).map(|_| ())
    }

    async fn create_version(
        &self,
        id: &Identity,
        n: i32,
        product_id: &ProductId,
        version: &Version,
    ) -> Result<RecordedIds, Fault> {
        let attempt = format!("create version {} of product {product_id}", version.name());
        // The token covers product and template too: each of them has a version of its own.
        let token = id.token(&format!("{}/{product_id}/{}", resource_name::VERSION, version.sha256), n);
        let request = self.client.create_provisioning_artifact().product_id(product_id).parameters(properties(version));
        let output = written(&attempt, request.idempotency_token(token).send().await)?;
        handle(&attempt, resource_name::VERSION, output.provisioning_artifact_detail().and_then(|detail| detail.id()))
    }

    async fn restore_version(&self, product_id: &ProductId, id: &str, version: &Version) -> Result<(), Fault> {
        let attempt = format!("update version {} of product {product_id}", version.name());
        let request = self
            .client
            .update_provisioning_artifact()
            .product_id(product_id)
            .provisioning_artifact_id(id)
            .name(version.name())
            .description(version.description())
            .active(true)
            .guidance(ProvisioningArtifactGuidance::Default);
        written(&attempt, request.send().await).map(|_| ())
    }

    async fn deprecate_version(&self, product_id: &ProductId, id: &str) -> Result<(), Fault> {
        let attempt = format!("deprecate version {id} of product {product_id}");
        let request = self.client.update_provisioning_artifact().product_id(product_id).provisioning_artifact_id(id);
        deleted(&attempt, request.guidance(ProvisioningArtifactGuidance::Deprecated).send().await)
    }

    async fn create_constraint(
        &self,
        id: &Identity,
        n: i32,
        portfolio_id: &PortfolioId,
        product_id: &ProductId,
        role_arn: &RoleArn,
    ) -> Result<RecordedIds, Fault> {
        let attempt = format!("create the launch constraint of product {product_id}");
        let request = self
            .client
            .create_constraint()
            .portfolio_id(portfolio_id)
            .product_id(product_id)
            .r#type("LAUNCH")
            .parameters(json!({"RoleArn": role_arn}).to_string())
            .idempotency_token(id.token(&format!("{}/{portfolio_id}/{product_id}", resource_name::CONSTRAINT), n));
        let output = written(&attempt, request.send().await)?;
        handle(
            &attempt,
            resource_name::CONSTRAINT,
            output.constraint_detail().and_then(|detail| detail.constraint_id()),
        )
    }

    async fn update_constraint(&self, id: &str, role_arn: &RoleArn) -> Result<(), Fault> {
        let parameters = json!({"RoleArn": role_arn}).to_string();
        let request = self.client.update_constraint().id(id).parameters(parameters);
        written(&format!("update launch constraint {id}"), request.send().await).map(|_| ())
    }

    async fn associate(&self, portfolio_id: &PortfolioId, product_id: &ProductId) -> Result<(), Fault> {
        let attempt = format!("put product {product_id} into portfolio {portfolio_id}");
        let request = self.client.associate_product_with_portfolio().portfolio_id(portfolio_id).product_id(product_id);
        written(&attempt, request.send().await).map(|_| ())
    }

    async fn add_principal(&self, portfolio_id: &PortfolioId, principal: &Principal) -> Result<(), Fault> {
        let attempt = format!("let {} launch from portfolio {portfolio_id}", principal.arn);
        let request = self.client.associate_principal_with_portfolio().portfolio_id(portfolio_id);
        let request =
            request.principal_arn(&principal.arn).principal_type(PrincipalType::from(principal.kind.as_str()));
        written(&attempt, request.send().await).map(|_| ())
    }

    async fn delete_portfolio(&self, id: &PortfolioId) -> Result<(), Fault> {
        let result = self.client.delete_portfolio().id(id).send().await;
        let in_use = result.as_ref().is_err_and(|error| code(error) == "ResourceInUseException");
        let done = deleted(&format!("delete portfolio {id}"), result);
        if !in_use {
            return done;
        }
        let held = self.products(id).await;
        done.map_err(|fault| match held.as_str() {
            "" => fault.hint("see what is in the portfolio and whom it is shared with, and take that out"),
            held => Fault { message: format!("{}; it holds {held}", fault.message), ..fault }
                .hint("take out of the portfolio what somebody put there, or set deletionPolicy: Retain to leave it"),
        })
    }

    /// The products in a portfolio, as far as they can be listed: for people.
    async fn products(&self, id: &PortfolioId) -> String {
        let listed = self.client.search_products_as_admin().portfolio_id(id).page_size(20).send().await;
        let details = listed.map(|page| page.product_view_details.unwrap_or_default()).unwrap_or_default();
        let ids = details.iter().filter_map(|detail| {
            let summary = detail.product_view_summary()?;
            Some(format!("product {} ({:?})", summary.product_id()?, summary.name().unwrap_or_default()))
        });
        ids.collect::<Vec<_>>().join(", ")
    }

    async fn delete_product(&self, id: &ProductId) -> Result<(), Fault> {
        let result = self.client.delete_product().id(id).send().await;
        let in_use = result.as_ref().is_err_and(|error| code(error) == "ResourceInUseException");
        let done = deleted(&format!("delete product {id}"), result);
        if !in_use {
            return done;
        }
        // The list may lag: it is for people, after ten minutes.
        let portfolios = self.portfolios(id).await.unwrap_or_default().join(", ");
        done.map_err(|fault| match portfolios.as_str() {
            "" => fault.hint("see what uses the product in the Service Catalog console, and end that"),
            portfolios => Fault { message: format!("{}; it stands in {portfolios}", fault.message), ..fault }.hint(
                "take the product out of portfolios that are not this object's, or set deletionPolicy: Retain to leave it",
            ),
        })
    }

    async fn delete_version(&self, product_id: &ProductId, id: &str) -> Result<(), Fault> {
        let request = self.client.delete_provisioning_artifact().product_id(product_id).provisioning_artifact_id(id);
        deleted(&format!("delete version {id}"), request.send().await)
    }

    async fn delete_constraint(&self, id: &str) -> Result<(), Fault> {
        deleted(&format!("delete constraint {id}"), self.client.delete_constraint().id(id).send().await)
    }

    async fn disassociate(&self, portfolio_id: &PortfolioId, product_id: &ProductId) -> Result<(), Fault> {
        let request =
            self.client.disassociate_product_from_portfolio().portfolio_id(portfolio_id).product_id(product_id);
        deleted(&format!("take product {product_id} out of portfolio {portfolio_id}"), request.send().await)
    }

    async fn remove_principal(&self, portfolio_id: &PortfolioId, principal: &Principal) -> Result<(), Fault> {
        // Without its type, a pattern would not be found (terraform-provider-aws#32229).
        let request = self.client.disassociate_principal_from_portfolio().portfolio_id(portfolio_id);
        let request =
            request.principal_arn(&principal.arn).principal_type(PrincipalType::from(principal.kind.as_str()));
        let attempt = format!("let {} launch no more from portfolio {portfolio_id}", principal.arn);
        deleted(&attempt, request.send().await)
    }
}

/// Absent rather than empty: AWS refuses some empty texts on create.
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn properties(version: &Version) -> ProvisioningArtifactProperties {
    ProvisioningArtifactProperties::builder()
        .name(version.name())
        .description(version.description())
        .r#type(ProvisioningArtifactType::CloudFormationTemplate)
        .info("LoadTemplateFromURL", &version.url)
        .build()
}

fn handle(attempt: &str, resource: &str, id: Option<&str>) -> Result<RecordedIds, Fault> {
    let id =
        id.ok_or_else(|| Fault::new(FaultKind::Unexpected, format!("could not {attempt}: the answer names no id")))?;
    Ok(vec![(resource.to_owned(), id.to_owned())])
}
