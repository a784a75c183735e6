//! What exists in AWS and Jenkins, asked of them as anybody would ask: with the SDK, and over Jenkins' API. It lists, and
//! judges nothing.

use crate::stage::Stage;

/// Something that exists: its name, and what else is worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) details: String,
}

impl Item {
    fn new(name: Option<&str>, details: impl Into<String>) -> Self {
        Self { name: name.unwrap_or_default().to_owned(), details: details.into() }
    }
}

/// One kind of resource, and those that exist.
pub(crate) type Section = (&'static str, Vec<Item>);

/// Everything that exists.
///
/// # Errors
/// A call that AWS or Jenkins refuses.
pub(crate) async fn everything(stage: &Stage) -> Result<Vec<Section>, String> {
    Ok(vec![
        ("Service Catalog products", products(stage).await?),
        ("SageMaker projects", projects(stage).await?),
        ("SageMaker code repositories", repositories(stage).await?),
        ("model package groups", groups(stage).await?),
        ("CloudFormation stacks", stacks(stage).await?),
        ("S3 buckets", buckets(stage).await?),
        ("Jenkins items", items(stage).await?),
    ])
}

fn refused(what: &str, error: &dyn std::fmt::Debug) -> String {
    format!("cannot list {what}: {error:?}")
}

async fn products(stage: &Stage) -> Result<Vec<Item>, String> {
    let answer =
        stage.aws.catalog.search_products_as_admin().send().await.map_err(|error| refused("products", &error))?;
    let summaries = answer.product_view_details().iter().filter_map(|detail| detail.product_view_summary());
    Ok(summaries.map(|one| Item::new(one.name(), one.product_id().unwrap_or_default())).collect())
}

async fn projects(stage: &Stage) -> Result<Vec<Item>, String> {
    let answer = stage.aws.sagemaker.list_projects().send().await.map_err(|error| refused("projects", &error))?;
    let each = answer.project_summary_list().iter().map(|one| {
        let status = one.project_status().map_or("", |status| status.as_str());
        (status, Item::new(one.project_name(), format!("{}  {status}", one.project_id().unwrap_or_default())))
    });
    // The record of a deleted project stays in SageMaker.
    Ok(each.filter(|(status, _)| *status != "DeleteCompleted").map(|(_, item)| item).collect())
}

async fn repositories(stage: &Stage) -> Result<Vec<Item>, String> {
    let answer = stage.aws.sagemaker.list_code_repositories().send().await;
    let answer = answer.map_err(|error| refused("code repositories", &error))?;
    let item = |one: &aws_sdk_sagemaker::types::CodeRepositorySummary| {
        let git = one.git_config();
        let (url, branch) = (git.and_then(|git| git.repository_url()), git.and_then(|git| git.branch()));
        Item::new(one.code_repository_name(), format!("{} ({})", url.unwrap_or_default(), branch.unwrap_or_default()))
    };
    Ok(answer.code_repository_summary_list().iter().map(item).collect())
}

async fn groups(stage: &Stage) -> Result<Vec<Item>, String> {
    let answer = stage.aws.sagemaker.list_model_package_groups().send().await;
    let answer = answer.map_err(|error| refused("model package groups", &error))?;
    let groups = answer.model_package_group_summary_list().iter();
    Ok(groups.map(|group| Item::new(group.model_package_group_name(), "")).collect())
}

async fn stacks(stage: &Stage) -> Result<Vec<Item>, String> {
    let answer = stage.aws.cloudformation.describe_stacks().send().await.map_err(|error| refused("stacks", &error))?;
    let status = |stack: &aws_sdk_cloudformation::types::Stack| {
        stack.stack_status().map_or("", |status| status.as_str()).to_owned()
    };
    Ok(answer.stacks().iter().map(|stack| Item::new(stack.stack_name(), status(stack))).collect())
}

async fn buckets(stage: &Stage) -> Result<Vec<Item>, String> {
    let answer = stage.aws.s3.list_buckets().send().await.map_err(|error| refused("buckets", &error))?;
    Ok(answer.buckets().iter().map(|bucket| Item::new(bucket.name(), "")).collect())
}

/// Folders and jobs by their full names, each folder before what is in it.
async fn items(stage: &Stage) -> Result<Vec<Item>, String> {
    Ok(paths(stage).await?.into_iter().map(|(name, _)| Item::new(Some(&name), "")).collect())
}

/// The same: full names, and paths below the root of Jenkins.
///
/// # Errors
/// A call that Jenkins refuses.
pub(crate) async fn paths(stage: &Stage) -> Result<Vec<(String, String)>, String> {
    let (mut found, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        let answer = stage.jenkins_json(&format!("{folder}/api/json?tree=fullName,jobs%5Burl%5D")).await?;
        for child in answer["jobs"].as_array().into_iter().flatten().rev() {
            let url = child["url"].as_str().unwrap_or_default();
            folders.extend(Some(path_of(url)).filter(|path| !path.is_empty()).map(str::to_owned));
        }
        found.extend(answer["fullName"].as_str().map(|name| (name.to_owned(), folder)));
    }
    Ok(found)
}

/// The path of an item below the root of Jenkins, from its URL.
pub(crate) fn path_of(url: &str) -> &str {
    url.find("/job/").map_or("", |at| &url[at..]).trim_end_matches('/')
}
