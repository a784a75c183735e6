//! What a project's stack says about the seed code of its repositories. Asked for only where AWS may have changed the
//! stack since the last answer: it is the observation of the project that knows when.

use std::collections::BTreeMap;

use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::domain::fault::Fault;
use crate::domain::project::RepositoryRole;
use crate::domain::text::one_line;
use crate::resources::sagemaker_project::seed_code::output;

/// Sentences by the names of repositories, as far as the stack has some.
pub(super) async fn seed_code(aws: &Aws, product: &str) -> Result<BTreeMap<String, String>, Fault> {
    let mut said = BTreeMap::new();
    let mut page = None;
    loop {
        let request = aws.catalog.get_provisioned_product_outputs().provisioned_product_id(product);
        let answer = request.set_page_token(page).send().await.map_err(|error| {
            fault(&format!("read the outputs of provisioned product {product}"), &error)
                .hint("allow the operator's role servicecatalog:GetProvisionedProductOutputs")
        })?;
        for one in answer.outputs() {
            let (Some(key), Some(value)) = (one.output_key(), one.output_value()) else { continue };
            if let Some(role) = RepositoryRole::ALL.into_iter().find(|role| output(*role) == key) {
                said.insert(role.name().to_owned(), one_line(value));
            }
        }
        page = answer.next_page_token().map(str::to_owned);
        if page.is_none() {
            return Ok(said);
        }
    }
}
