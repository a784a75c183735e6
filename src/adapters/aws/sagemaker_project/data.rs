//! What users put into a project: registered models and the contents of its bucket. Observed and deleted only where
//! the spec says so; whose it is, is not judged here.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::is_absent;
use crate::adapters::aws::artifact_bucket::listed_versions;
use crate::adapters::aws::clients::Aws;
use crate::adapters::aws::errors::fault;
use crate::domain::fault::{Fault, FaultKind};
use crate::resources::artifact_bucket::ObjectVersion;
use crate::resources::sagemaker_project::{Data, Tagged, bucket_name, group_name};

/// All tags of a resource in SageMaker that exists. That its tags are not found is no answer: without them it would be
/// nobody's.
pub(super) async fn tags(aws: &Aws, arn: &str, attempt: &str) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    let mut token = None;
    loop {
        let page = match aws.sagemaker.list_tags().resource_arn(arn).set_next_token(token).send().await {
            Ok(page) => page,
            Err(error) if is_absent(&error) => {
                let text = format!("could not {attempt}: SageMaker knows it, and does not find its tags");
                return Err(Fault::new(FaultKind::Unavailable, text));
            }
            Err(error) => return Err(fault(attempt, &error)),
        };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        tags.extend(page.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(tags);
        }
    }
}

/// Observes the data of a project.
pub(super) async fn look(aws: &Aws, name: &str, id: &str, account: &str) -> Result<Data, Fault> {
    let group = group(aws, &group_name(name, id)).await?;
    let (packages, more_packages) = match &group {
        Some(group) => packages(aws, &group.name).await?,
        None => (Vec::new(), false),
    };
    let bucket = bucket(aws, &bucket_name(id), account).await?;
    let (versions, more_versions) = match &bucket {
        Some(bucket) => versions(aws, &bucket.name, account).await?,
        None => (Vec::new(), false),
    };
    Ok(Data { group, packages, more_packages, bucket, versions, more_versions })
}

async fn group(aws: &Aws, name: &str) -> Result<Option<Tagged>, Fault> {
    let described = aws.sagemaker.describe_model_package_group().model_package_group_name(name).send().await;
    let arn = match described {
        Ok(group) => group.model_package_group_arn().unwrap_or_default().to_owned(),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(fault(&format!("look at model package group {name:?}"), &error)),
    };
    let tags = tags(aws, &arn, &format!("list the tags of model package group {name:?}")).await?;
    Ok(Some(Tagged { name: name.to_owned(), tags }))
}

/// The first models of a group, at most a hundred, and whether there are more. Where there are more, there are some.
async fn packages(aws: &Aws, group: &str) -> Result<(Vec<String>, bool), Fault> {
    let mut token = None;
    loop {
        let request = aws.sagemaker.list_model_packages().model_package_group_name(group).max_results(100);
        let page = match request.set_next_token(token).send().await {
            Ok(page) => page,
            Err(error) if is_absent(&error) => return Ok((Vec::new(), false)),
            Err(error) => return Err(fault(&format!("list the models of group {group:?}"), &error)),
        };
        let listed = page.model_package_summary_list().iter();
        let arns: Vec<String> = listed.filter_map(|package| package.model_package_arn()).map(str::to_owned).collect();
        token = page.next_token().map(str::to_owned);
        if !arns.is_empty() || token.is_none() {
            return Ok((arns, token.is_some()));
        }
    }
}

async fn bucket(aws: &Aws, name: &str, account: &str) -> Result<Option<Tagged>, Fault> {
    match aws.s3.get_bucket_tagging().bucket(name).expected_bucket_owner(account).send().await {
        Ok(tagging) => {
            let tags = tagging.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
            Ok(Some(Tagged { name: name.to_owned(), tags: tags.collect() }))
        }
        Err(error) => match error.as_service_error().and_then(|error| error.code()) {
            // A bucket without tags is not known to be the project's.
            Some("NoSuchBucket" | "NoSuchTagSet") => Ok(None),
            _ => Err(fault(&format!("read the tags of bucket {name:?}"), &error)),
        },
    }
}

/// Deletes registered models; one that is gone already is as good as deleted.
pub(super) async fn delete_packages(aws: &Aws, arns: &[String]) -> Result<(), Fault> {
    for arn in arns {
        match aws.sagemaker.delete_model_package().model_package_name(arn).send().await {
            Err(error) if !is_absent(&error) => return Err(fault(&format!("delete model {arn}"), &error)),
            _ => {}
        }
    }
    Ok(())
}

/// Deletes a model package group.
pub(super) async fn delete_group(aws: &Aws, name: &str) -> Result<(), Fault> {
    match aws.sagemaker.delete_model_package_group().model_package_group_name(name).send().await {
        Err(error) if !is_absent(&error) => Err(fault(&format!("delete model package group {name:?}"), &error)),
        _ => Ok(()),
    }
}

/// The first page of what is in a bucket, and whether there is more.
async fn versions(aws: &Aws, bucket: &str, account: &str) -> Result<(Vec<ObjectVersion>, bool), Fault> {
    let request = aws.s3.list_object_versions().bucket(bucket).expected_bucket_owner(account).max_keys(1000);
    match request.send().await {
        Ok(page) => Ok((listed_versions(&page), page.is_truncated() == Some(true))),
        Err(error) if error.as_service_error().and_then(|error| error.code()) == Some("NoSuchBucket") => {
            Ok((Vec::new(), false))
        }
        Err(error) => Err(fault(&format!("list what is in bucket {bucket:?}"), &error)),
    }
}

/// Deletes versions of objects and delete markers for good, at most a thousand (DeleteObjects API reference).
pub(super) async fn delete_versions(
    aws: &Aws,
    bucket: &str,
    account: &str,
    versions: &[ObjectVersion],
) -> Result<(), Fault> {
    let identifier =
        |version: &ObjectVersion| ObjectIdentifier::builder().key(&version.key).version_id(&version.id).build().ok();
    let objects: Vec<ObjectIdentifier> = versions.iter().take(1000).filter_map(identifier).collect();
    delete_objects(aws, bucket, account, objects).await
}

async fn delete_objects(aws: &Aws, bucket: &str, account: &str, objects: Vec<ObjectIdentifier>) -> Result<(), Fault> {
    let attempt = format!("delete what is in bucket {bucket:?}");
    let unwritable = |_| Fault::new(FaultKind::Unexpected, format!("could not {attempt}"));
    let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build().map_err(unwritable)?;
    let request = aws.s3.delete_objects().bucket(bucket).expected_bucket_owner(account).delete(delete);
    let answer = request.send().await.map_err(|error| fault(&attempt, &error))?;
    match answer.errors().first() {
        None => Ok(()),
        Some(error) => Err(crate::adapters::aws::errors::service_fault(
            &format!("delete {:?} in bucket {bucket:?}", error.key().unwrap_or_default()),
            if error.code() == Some("AccessDenied") { 403 } else { 500 },
            error.code().unwrap_or_default(),
            error.message().unwrap_or_default(),
        )),
    }
}

/// Deletes an empty bucket.
pub(super) async fn delete_bucket(aws: &Aws, bucket: &str, account: &str) -> Result<(), Fault> {
    match aws.s3.delete_bucket().bucket(bucket).expected_bucket_owner(account).send().await {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error().and_then(|error| error.code()) {
            Some("NoSuchBucket") => Ok(()),
            Some("BucketNotEmpty") => {
                Err(Fault { kind: FaultKind::Conflict, ..fault(&format!("delete bucket {bucket:?}"), &error) })
            }
            _ => Err(fault(&format!("delete bucket {bucket:?}"), &error)),
        },
    }
}
