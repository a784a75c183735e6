//! What SageMaker checks before it looks at anything: which members an operation has, which are required, lengths,
//! patterns and values. The numbers are those of AWS's API model; the sentences those of its parameter validation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws::{Call, Refusal};

const LIST: &[&str] =
    &["CreationTimeAfter", "CreationTimeBefore", "MaxResults", "NameContains", "NextToken", "SortBy", "SortOrder"];

/// The members of an operation that are played, the required ones marked with a star.
fn members(operation: &str) -> Option<Vec<&'static str>> {
    let own: &[&str] = match operation {
        "CreateProject" => &["*ProjectName", "ProjectDescription", "ServiceCatalogProvisioningDetails", "Tags"],
        "UpdateProject" => &["*ProjectName", "ProjectDescription", "ServiceCatalogProvisioningUpdateDetails", "Tags"],
        "DescribeProject" | "DeleteProject" => &["*ProjectName"],
        "ListProjects" => &[],
        "AddTags" => &["*ResourceArn", "*Tags"],
        "DeleteTags" => &["*ResourceArn", "*TagKeys"],
        "ListTags" => &["*ResourceArn", "NextToken", "MaxResults"],
        "CreateCodeRepository" => &["*CodeRepositoryName", "*GitConfig", "Tags"],
        "UpdateCodeRepository" => &["*CodeRepositoryName", "GitConfig"],
        "DescribeCodeRepository" | "DeleteCodeRepository" => &["*CodeRepositoryName"],
        "ListCodeRepositories" => &["LastModifiedTimeAfter", "LastModifiedTimeBefore"],
        "CreateModelPackageGroup" => &["*ModelPackageGroupName", "ModelPackageGroupDescription", "Tags"],
        "DescribeModelPackageGroup" | "DeleteModelPackageGroup" => &["*ModelPackageGroupName"],
        "ListModelPackageGroups" => &["CrossAccountFilterOption"],
        "CreateModelPackage" => &[
            "ModelPackageName",
            "ModelPackageGroupName",
            "ModelPackageDescription",
            "InferenceSpecification",
            "CertifyForMarketplace",
            "Tags",
            "ModelApprovalStatus",
            "MetadataProperties",
            "ModelMetrics",
            "ClientToken",
            "Domain",
            "Task",
            "SamplePayloadUrl",
            "CustomerMetadataProperties",
            "DriftCheckBaselines",
            "SkipModelValidation",
            "SourceUri",
        ],
        "UpdateModelPackage" => &[
            "*ModelPackageArn",
            "ModelApprovalStatus",
            "ApprovalDescription",
            "CustomerMetadataProperties",
            "CustomerMetadataPropertiesToRemove",
            "ClientToken",
        ],
        "DescribeModelPackage" => &["*ModelPackageName", "IncludedData"],
        "DeleteModelPackage" => &["*ModelPackageName"],
        "ListModelPackages" => &["ModelApprovalStatus", "ModelPackageGroupName", "ModelPackageType"],
        _ => return None,
    };
    let listing = operation.starts_with("List") && operation != "ListTags";
    Some(own.iter().chain(if listing { LIST } else { &[] }).copied().collect())
}

/// The refusal of an operation that is not played.
pub(super) fn unknown_operation(operation: &str) -> Refusal {
    Refusal::new("UnknownOperationException", format!("The operation {operation} is not played by this sandbox."))
}

/// Checks the members of a request.
///
/// # Errors
/// `UnknownOperationException`, or `ValidationException` for a member that is missing, malformed or not played.
pub(super) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let Some(known) = members(call.operation) else { return Err(unknown_operation(call.operation)) };
    let Some(given) = call.input.as_object() else {
        return Err(Refusal::new("SerializationException", "the request body is not a JSON object"));
    };
    for required in known.iter().filter_map(|member| member.strip_prefix('*')) {
        if call.input.get(required).is_none_or(Value::is_null) {
            return Err(violation(&format!("Value null at '{}'", lower_camel(required)), "Member must not be null"));
        }
    }
    for (member, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        if !known.iter().any(|name| name.trim_start_matches('*') == member) {
            return Err(super::invalid(format!("{member} of {} is not supported in this sandbox.", call.operation)));
        }
        if let Some(text) = value.as_str() {
            check_text(call.operation, member, text)?;
        }
    }
    Ok(())
}

fn check_text(operation: &str, member: &str, text: &str) -> Result<(), Refusal> {
    let by_arn = !operation.starts_with("Create");
    match member {
        "ProjectName" => name(member, text, 32),
        "CodeRepositoryName" => name(member, text, 63),
        "ModelPackageGroupName" | "ModelPackageName" if by_arn => length(member, text, 1, 176),
        "ModelPackageGroupName" | "ModelPackageName" => name(member, text, 63),
        "ProjectDescription" | "ModelPackageGroupDescription" | "ModelPackageDescription" | "ApprovalDescription" => {
            length(member, text, 0, 1024)
        }
        "ResourceArn" => length(member, text, 0, 256),
        "ModelApprovalStatus" => one_of(member, text, &["Approved", "Rejected", "PendingManualApproval"]),
        "ModelPackageType" => one_of(member, text, &["Versioned", "Unversioned", "Both"]),
        "SortOrder" => one_of(member, text, &["Ascending", "Descending"]),
        "SortBy" if operation == "ListCodeRepositories" => {
            one_of(member, text, &["Name", "CreationTime", "LastModifiedTime"])
        }
        "SortBy" => one_of(member, text, &["Name", "CreationTime"]),
        _ => Ok(()),
    }
}

/// Refused by AWS's parameter validation.
pub(super) fn violation(what: &str, constraint: &str) -> Refusal {
    super::invalid(format!("1 validation error detected: {what} failed to satisfy constraint: {constraint}"))
}

fn lower_camel(member: &str) -> String {
    let mut signs = member.chars();
    signs.next().map(|first| first.to_ascii_lowercase().to_string() + signs.as_str()).unwrap_or_default()
}

/// Checks a text's length in characters.
pub(super) fn length(member: &str, text: &str, least: usize, most: usize) -> Result<(), Refusal> {
    let count = text.chars().count();
    let complaint = if count < least {
        format!("Member must have length greater than or equal to {least}")
    } else if count > most {
        format!("Member must have length less than or equal to {most}")
    } else {
        return Ok(());
    };
    Err(violation(&format!("Value '{text}' at '{}'", lower_camel(member)), &complaint))
}

/// Checks `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,most-1}`.
fn name(member: &str, text: &str, most: usize) -> Result<(), Refusal> {
    length(member, text, 1, most)?;
    let plain = text.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '-');
    if plain && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(());
    }
    let pattern = format!("^[a-zA-Z0-9](-*[a-zA-Z0-9]){{0,{}}}", most - 1);
    Err(violation(
        &format!("Value '{text}' at '{}'", lower_camel(member)),
        &format!("Member must satisfy regular expression pattern: {pattern}"),
    ))
}

fn one_of(member: &str, text: &str, allowed: &[&str]) -> Result<(), Refusal> {
    if allowed.contains(&text) {
        return Ok(());
    }
    Err(violation(
        &format!("Value '{text}' at '{}'", lower_camel(member)),
        &format!("Member must satisfy enum value set: [{}]", allowed.join(", ")),
    ))
}

/// The member `Tags` as a map. Empty values are allowed here.
///
/// # Errors
/// `ValidationException` for more than 50 tags, an empty or overlong key, an overlong value, a sign that is not
/// allowed, a key given twice or one that AWS keeps for itself.
pub(super) fn tags(call: &Call<'_>) -> Result<BTreeMap<String, String>, Refusal> {
    let list = call.list("Tags");
    if list.len() > 50 {
        return Err(violation("Value at 'tags'", "Member must have length less than or equal to 50"));
    }
    let mut tags = BTreeMap::new();
    for (index, tag) in list.iter().enumerate() {
        for (part, least, most) in [("Key", 1, 128), ("Value", 0, 256)] {
            let place = format!("tags.{}.member.{}", index + 1, lower_camel(part));
            let Some(text) = tag[part].as_str() else {
                return Err(violation(&format!("Value null at '{place}'"), "Member must not be null"));
            };
            length(&place, text, least, most)?;
            if !text.chars().all(|sign| sign.is_alphanumeric() || sign.is_whitespace() || "_.:/=+-@".contains(sign)) {
                return Err(violation(
                    &format!("Value '{text}' at '{place}'"),
                    "Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$",
                ));
            }
        }
        let (key, value) = (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str().unwrap_or_default());
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(super::invalid("Tag keys beginning with aws: are reserved for AWS use."));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(super::invalid(format!("Duplicate tag key: {key}")));
        }
    }
    Ok(tags)
}
