//! What lists show of all SageMaker projects of an account and region: the projects, what Service Catalog provisioned for
//! them, and their tags. It stands alone since one picture serves many projects: a routine look at a thousand of them is a
//! few pages, and not three calls for each. Nothing is decided or changed on the strength of it.
//!
//! Together the lists show all that an observation compares: product version and parameters change only through an operation
//! on the provisioned product, each of which has a record of its own (`LastRecordId`).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use aws_sdk_sagemaker::types::ProjectSummary;
use aws_sdk_servicecatalog::types::{AccessLevelFilter, AccessLevelFilterKey, ProvisionedProductAttribute, SortOrder};

use super::Status;
use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::adapters::sharing::Answers;
use crate::domain::external_resource::{Depth, Glance, digest_of};
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::CLUSTER_TAG;
use crate::resources::sagemaker_project::ProductStatus;

/// Items of one page: the most that all three lists give.
const PAGE: i32 = 100;
/// Pages that are read of one list. An account with more in it is looked at project by project.
const MOST_PAGES: usize = 200;
/// How long a list may take, all its pages together: less than the time for which it is young.
const LIMIT: Duration = Duration::from_secs(90);
/// The time between two pages. How fast lists may be read is not published; users were throttled at more than two pages a
/// second, and told of that rate (aws/sagemaker-python-sdk#2071).
const PAUSE: Duration = Duration::from_millis(500);
/// How long it takes until a page is asked for again that was refused for the moment, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(20));

/// The lists of one place; clones share them.
#[derive(Clone, Default)]
pub struct Index {
    /// Projects by name.
    projects: Answers<(), List<Project>>,
    /// What Service Catalog provisioned, by id.
    provisioned: Answers<(), List<Listed>>,
    /// Digests of tags by the ARN of the project, in lower case.
    tags: Answers<(), List<u64>>,
}

/// Items by digests of their names, since only those are looked up that are known. `None`: the operator may not read the list,
/// or it is too long.
type List<T> = Option<Arc<BTreeMap<u64, T>>>;

/// What a list shows of one item.
#[derive(Clone, Copy, Debug)]
struct Listed {
    /// Whether nothing is being done to it, and nothing has failed.
    well: bool,
    /// Digest of how it stands.
    standing: u64,
    /// Digest of everything that the list shows of it.
    all: u64,
}

/// What a list shows of one project.
#[derive(Clone, Copy, Debug)]
struct Project {
    listed: Listed,
    /// Digest of its ARN, in lower case.
    arn: u64,
}

/// What the lists show of the project of that name, of which Service Catalog provisioned that. `None`: the projects may not
/// be listed, or that cannot be done in time.
pub(super) async fn glance(aws: &Aws, name: &str, provisioned: Option<&str>, depth: Depth) -> Option<Glance> {
    let Ok(projects) = aws.index.projects.get((), listed(projects(aws))).await;
    let Some(&Project { listed: project, arn }) = projects?.get(&digest_of(&name)) else {
        return Some(Glance { standing: digest_of(&"absent"), well: false, whole: None });
    };
    let Ok(products) = aws.index.provisioned.get((), listed(products(aws))).await;
    let product = match (&products, provisioned) {
        (Some(products), Some(id)) => Some(products.get(&digest_of(&id))),
        // What is not known cannot be said to be wrong.
        _ => None,
    };
    let standing = digest_of(&(project.standing, product.map(|product| product.map(|product| product.standing))));
    let well = project.well && product.is_none_or(|product| product.is_some_and(|product| product.well));
    let whole = match (product.flatten(), depth) {
        (Some(product), Depth::Whole) => {
            let Ok(tags) = aws.index.tags.get((), listed(tags(aws))).await;
            let tags = tags.as_ref().and_then(|tags| tags.get(&arn).copied());
            tags.map(|tags| digest_of(&(project.all, product.all, tags)))
        }
        _ => None,
    };
    Some(Glance { standing, well, whole })
}

/// A list as it is shared: one that cannot be had in time is none, whatever the cause, so that not everybody asks for it. It is
/// asked for again once the answer is too old; a deep check until then looks at each project by itself.
async fn listed<T>(list: impl Future<Output = Result<List<T>, Fault>>) -> Result<List<T>, Infallible> {
    match tokio::time::timeout(LIMIT, Box::pin(list)).await {
        Ok(Ok(list)) => Ok(list),
        Ok(Err(fault)) => {
            tracing::debug!(reason = %fault.reason, "a list of all projects cannot be had: {}", fault.message);
            Ok(None)
        }
        Err(_) => {
            tracing::debug!("a list of all projects takes too long");
            Ok(None)
        }
    }
}

/// A list, page by page: `page` has the items of one and the token of the next. A page that is refused for the moment is asked
/// for again by itself: what was read so far is not thrown away.
async fn paged<T, P>(page: impl Fn(Option<String>) -> P) -> Result<List<T>, Fault>
where
    P: Future<Output = Result<(Vec<(u64, T)>, Option<String>), Fault>>,
{
    let (mut all, mut token, mut again) = (BTreeMap::new(), None, AGAIN.0);
    for _ in 0..MOST_PAGES {
        let (items, next) = loop {
            match page(token.clone()).await {
                Ok(found) => break found,
                Err(fault) if matches!(fault.kind, FaultKind::Throttled | FaultKind::Unavailable) => {
                    tracing::debug!(reason = %fault.reason, "a page of a list is asked for again: {}", fault.message);
                    tokio::time::sleep(fault.retry_after.unwrap_or_default().max(again)).await;
                    again = (again * 2).min(AGAIN.1);
                }
                Err(fault) => return Err(fault),
            }
        };
        all.extend(items);
        token = next.filter(|next| !next.is_empty());
        if token.is_none() {
            return Ok(Some(Arc::new(all)));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(None)
}

async fn projects(aws: &Aws) -> Result<List<Project>, Fault> {
    let item = |project: &ProjectSummary| {
        let status = project.project_status().map_or("", |status| status.as_str());
        // Records of projects that are gone, beside which another one of that name may be.
        if Status::parse(status) == Status::DeleteCompleted {
            return None;
        }
        let standing = digest_of(&(project.project_id(), project.project_arn(), status));
        let listed = Listed {
            well: matches!(Status::parse(status), Status::CreateCompleted | Status::UpdateCompleted),
            standing,
            all: digest_of(&(standing, project.project_description())),
        };
        let arn = digest_of(&project.project_arn()?.to_lowercase());
        Some((digest_of(&project.project_name()?), Project { listed, arn }))
    };
    paged(|token| async move {
        let asked = aws.sagemaker.list_projects().max_results(PAGE).set_next_token(token).send().await;
        let page = asked.map_err(|error| fault("list the SageMaker projects", &error))?;
        Ok((page.project_summary_list().iter().filter_map(item).collect(), page.next_token().map(str::to_owned)))
    })
    .await
}

async fn products(aws: &Aws) -> Result<List<Listed>, Fault> {
    let item = |product: &ProvisionedProductAttribute| {
        let status = product.status().map_or("", |status| status.as_str());
        let version = (product.product_id(), product.provisioning_artifact_id());
        let listed = Listed {
            well: ProductStatus::parse(status) == ProductStatus::Available,
            standing: digest_of(&(status, product.status_message())),
            all: digest_of(&(status, product.status_message(), version, product.last_record_id())),
        };
        Some((digest_of(&product.id()?), listed))
    };
    let list = paged(|token| async move {
        let everybodys = AccessLevelFilter::builder().key(AccessLevelFilterKey::Account).value("self").build();
        // Without an order, pages are in no order: some products would be on two, and others on none.
        let request = aws.catalog.search_provisioned_products().sort_by("id").sort_order(SortOrder::Ascending);
        let request = request.access_level_filter(everybodys).page_size(PAGE);
        let asked = request.set_page_token(token).send().await;
        let page = asked.map_err(|error| fault("list the provisioned products", &error))?;
        Ok((page.provisioned_products().iter().filter_map(item).collect(), page.next_page_token().map(str::to_owned)))
    })
    .await?;
    // A policy that shows nobody but himself gives an empty list, and no refusal.
    Ok(list.filter(|all| !all.is_empty()))
}

/// Of the projects that bear the tag of an owner: all of ours do.
async fn tags(aws: &Aws) -> Result<List<u64>, Fault> {
    let item = |resource: &ResourceTagMapping| {
        let tags: BTreeMap<&str, &str> = resource.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
        Some((digest_of(&resource.resource_arn()?.to_lowercase()), digest_of(&tags)))
    };
    paged(|token| async move {
        let request = aws.tagging.get_resources().resource_type_filters("sagemaker:project").resources_per_page(PAGE);
        let owned = TagFilter::builder().key(CLUSTER_TAG).build();
        let asked = request.tag_filters(owned).set_pagination_token(token).send().await;
        let page = asked.map_err(|error| fault("list the tags of SageMaker projects", &error))?;
        let items = page.resource_tag_mapping_list().iter().filter_map(item).collect();
        Ok((items, page.pagination_token().map(str::to_owned)))
    })
    .await
}
