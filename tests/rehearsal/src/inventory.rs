//! What exists in AWS and Jenkins, asked of them as anybody would ask: with the SDK, and over Jenkins' API. It shows, and
//! judges nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlops_sandbox::jenkins::Jenkins;
use serde_json::Value;

use crate::stage::Stage;

/// One kind of resource, and a line for each that exists.
pub(crate) type Section = (&'static str, Vec<String>);

/// The `Authorization` of the sandbox's Jenkins user.
pub(crate) fn authorization() -> String {
    let (user, token) = Jenkins::credentials();
    format!("Basic {}", STANDARD.encode(format!("{user}:{token}")))
}

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

async fn products(stage: &Stage) -> Result<Vec<String>, String> {
    let answer =
        stage.aws.catalog.search_products_as_admin().send().await.map_err(|error| refused("products", &error))?;
    let products = answer.product_view_details().iter().filter_map(|detail| {
        let summary = detail.product_view_summary()?;
        Some(format!("{}  {}", summary.product_id()?, summary.name()?))
    });
    Ok(products.collect())
}

async fn projects(stage: &Stage) -> Result<Vec<String>, String> {
    let answer = stage.aws.sagemaker.list_projects().send().await.map_err(|error| refused("projects", &error))?;
    let status = |status: Option<&aws_sdk_sagemaker::types::ProjectStatus>| {
        status.map_or("", |status| status.as_str()).to_owned()
    };
    let projects = answer.project_summary_list().iter().map(|one| {
        (
            status(one.project_status()),
            format!("{}  {}", one.project_id().unwrap_or_default(), one.project_name().unwrap_or_default()),
        )
    });
    // The record of a deleted project stays in SageMaker.
    Ok(projects
        .filter(|(status, _)| status != "DeleteCompleted")
        .map(|(status, line)| format!("{line}  {status}"))
        .collect())
}

async fn repositories(stage: &Stage) -> Result<Vec<String>, String> {
    let answer = stage.aws.sagemaker.list_code_repositories().send().await;
    let answer = answer.map_err(|error| refused("code repositories", &error))?;
    let line = |one: &aws_sdk_sagemaker::types::CodeRepositorySummary| {
        let git = one.git_config();
        let (url, branch) = (git.and_then(|git| git.repository_url()), git.and_then(|git| git.branch()));
        format!(
            "{}  {} ({})",
            one.code_repository_name().unwrap_or_default(),
            url.unwrap_or_default(),
            branch.unwrap_or_default()
        )
    };
    Ok(answer.code_repository_summary_list().iter().map(line).collect())
}

async fn groups(stage: &Stage) -> Result<Vec<String>, String> {
    let answer = stage.aws.sagemaker.list_model_package_groups().send().await;
    let answer = answer.map_err(|error| refused("model package groups", &error))?;
    let groups = answer.model_package_group_summary_list().iter();
    Ok(groups.filter_map(|group| group.model_package_group_name().map(str::to_owned)).collect())
}

async fn stacks(stage: &Stage) -> Result<Vec<String>, String> {
    let answer = stage.aws.cloudformation.describe_stacks().send().await.map_err(|error| refused("stacks", &error))?;
    let line = |stack: &aws_sdk_cloudformation::types::Stack| {
        let status = stack.stack_status().map_or("", |status| status.as_str());
        format!("{}  {status}", stack.stack_name().unwrap_or_default())
    };
    Ok(answer.stacks().iter().map(line).collect())
}

async fn buckets(stage: &Stage) -> Result<Vec<String>, String> {
    let answer = stage.aws.s3.list_buckets().send().await.map_err(|error| refused("buckets", &error))?;
    Ok(answer.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect())
}

/// Folders and jobs, by their full names.
async fn items(stage: &Stage) -> Result<Vec<String>, String> {
    let tree = "jobs%5BfullName,jobs%5BfullName,jobs%5BfullName,jobs%5BfullName%5D%5D%5D%5D";
    let answer = stage.jenkins(&format!("/api/json?tree={tree}"), &authorization()).await?;
    let mut names = Vec::new();
    walk(&answer, &mut names);
    Ok(names)
}

fn walk(item: &Value, names: &mut Vec<String>) {
    for child in item["jobs"].as_array().into_iter().flatten() {
        names.extend(child["fullName"].as_str().map(str::to_owned));
        walk(child, names);
    }
}
