//! What Service Catalog checks before it looks at anything: required members, lengths, patterns, page sizes, tags.
//! The numbers are those of AWS's API model; the sentences those of its parameter validation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aws::{Call, Refusal};

/// What characters a text may have.
#[derive(Clone, Copy)]
enum Signs {
    Any,
    /// `^[a-zA-Z0-9_\-]*`
    Id,
    /// `[a-zA-Z0-9][a-zA-Z0-9_-]*`
    Token,
    /// `[a-zA-Z0-9][a-zA-Z0-9._-]*`
    Name,
}

impl Signs {
    fn pattern(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Id => "^[a-zA-Z0-9_\\-]*",
            Self::Token => "[a-zA-Z0-9][a-zA-Z0-9_-]*",
            Self::Name => "[a-zA-Z0-9][a-zA-Z0-9._-]*",
        }
    }

    fn allow(self, text: &str) -> bool {
        let plain = |extra: &str| text.chars().all(|sign| sign.is_ascii_alphanumeric() || extra.contains(sign));
        let first = text.starts_with(|sign: char| sign.is_ascii_alphanumeric());
        match self {
            Self::Any => true,
            Self::Id => plain("_-"),
            Self::Token => first && plain("_-"),
            Self::Name => first && plain("._-"),
        }
    }
}

/// Minimum and maximum length and pattern of a member.
fn limits(operation: &str, member: &str) -> Option<(usize, usize, Signs)> {
    Some(match member {
        "Id" | "PortfolioId" | "ProductId" | "ProvisioningArtifactId" | "PathId" | "ProvisionedProductId" => {
            (1, 100, Signs::Id)
        }
        "IdempotencyToken" | "ProvisionToken" | "UpdateToken" | "TerminateToken" => (1, 128, Signs::Token),
        "DisplayName" => (1, 100, Signs::Any),
        "ProviderName" => (1, 50, Signs::Any),
        "PathName" => (1, 100, Signs::Any),
        "Name" if operation == "DescribeProvisionedProduct" => (1, 128, Signs::Name),
        "Name" | "ProvisioningArtifactName" if operation == "UpdateProvisioningArtifact" => (0, 8192, Signs::Any),
        "Name" | "Owner" | "Distributor" | "SupportDescription" | "ProductName" => (0, 8191, Signs::Any),
        "SupportEmail" => (0, 254, Signs::Any),
        "SupportUrl" => (0, 2083, Signs::Any),
        "Description" => match operation {
            "CreateProduct" | "UpdateProduct" => (0, 8191, Signs::Any),
            "UpdateProvisioningArtifact" => (0, 8192, Signs::Any),
            _ => (0, 2000, Signs::Any),
        },
        "PrincipalARN" => (1, 1000, Signs::Any),
        "ProvisionedProductName" => (1, 128, Signs::Name),
        "PageToken" => (0, 2024, Signs::Any),
        "AcceptLanguage" => (0, 100, Signs::Any),
        _ => return None,
    })
}

/// The members that an operation cannot do without.
fn required(operation: &str) -> &'static [&'static str] {
    match operation {
        "CreatePortfolio" => &["DisplayName", "ProviderName", "IdempotencyToken"],
        "CreateProduct" => &["Name", "Owner", "ProductType", "IdempotencyToken"],
        "CreateProvisioningArtifact" => &["ProductId", "Parameters", "IdempotencyToken"],
        "UpdateProvisioningArtifact" | "DeleteProvisioningArtifact" => &["ProductId", "ProvisioningArtifactId"],
        "AssociateProductWithPortfolio" | "DisassociateProductFromPortfolio" => &["ProductId", "PortfolioId"],
        "CreateConstraint" => &["PortfolioId", "ProductId", "Parameters", "Type", "IdempotencyToken"],
        "AssociatePrincipalWithPortfolio" => &["PortfolioId", "PrincipalARN", "PrincipalType"],
        "DisassociatePrincipalFromPortfolio" => &["PortfolioId", "PrincipalARN"],
        "UpdatePortfolio" | "DescribePortfolio" | "DeletePortfolio" | "UpdateProduct" | "DeleteProduct"
        | "DescribeConstraint" | "UpdateConstraint" | "DeleteConstraint" | "DescribeRecord" => &["Id"],
        "ListPortfoliosForProduct" | "ListProvisioningArtifacts" | "ListLaunchPaths" => &["ProductId"],
        "ListPrincipalsForPortfolio" | "ListConstraintsForPortfolio" => &["PortfolioId"],
        "ProvisionProduct" => &["ProvisionedProductName", "ProvisionToken"],
        "UpdateProvisionedProduct" => &["UpdateToken"],
        "TerminateProvisionedProduct" => &["TerminateToken"],
        _ => &[],
    }
}

/// Members that the model knows and that are not played here: refused rather than ignored.
const UNSUPPORTED: [&str; 5] =
    ["SourceConnection", "SourcePortfolioId", "ProvisioningPreferences", "NotificationArns", "ProductSource"];

/// Checks a call's input.
///
/// # Errors
/// `ValidationException` as AWS's parameter validation words it; `InvalidParametersException` for what is not played here.
pub(super) fn check(call: &Call<'_>) -> Result<(), Refusal> {
    let Some(members) = call.input.as_object() else {
        return Err(Refusal::new("SerializationException", "the request body is not a JSON object"));
    };
    if let Some(member) =
        required(call.operation).iter().find(|member| call.input.get(**member).is_none_or(Value::is_null))
    {
        return Err(violation(&format!("Value null at '{}'", lower_camel(member)), "Member must not be null"));
    }
    for (member, value) in members {
        if UNSUPPORTED.contains(&member.as_str()) && !value.is_null() {
            return Err(invalid(format!("{member} is not supported in this sandbox.")));
        }
        if let (Some(text), Some((least, most, signs))) = (value.as_str(), limits(call.operation, member)) {
            length(member, text, least, most, signs)?;
        }
    }
    Ok(())
}

fn length(member: &str, text: &str, least: usize, most: usize, signs: Signs) -> Result<(), Refusal> {
    let count = text.chars().count();
    let complaint = if count < least {
        format!("Member must have length greater than or equal to {least}")
    } else if count > most {
        format!("Member must have length less than or equal to {most}")
    } else if !signs.allow(text) {
        format!("Member must satisfy regular expression pattern: {}", signs.pattern())
    } else {
        return Ok(());
    };
    Err(violation(&format!("Value '{text}' at '{}'", lower_camel(member)), &complaint))
}

/// Checks the name and description inside `ProvisioningArtifactProperties`.
///
/// # Errors
/// `ValidationException` where one of them is too long.
pub(super) fn check_artifact(parameters: &Value) -> Result<(), Refusal> {
    for member in ["Name", "Description"] {
        length(member, parameters[member].as_str().unwrap_or_default(), 0, 8192, Signs::Any)?;
    }
    Ok(())
}

/// A tag list as a map.
///
/// # Errors
/// `ValidationException` for more than `most` tags, an empty or overlong key or value, a sign that is not allowed;
/// `InvalidParametersException` for a key given twice or one that AWS keeps for itself.
pub(super) fn tags(call: &Call<'_>, member: &str, most: usize) -> Result<BTreeMap<String, String>, Refusal> {
    let list = call.list(member);
    if list.len() > most {
        return Err(violation(
            &format!("Value at '{}'", lower_camel(member)),
            &format!("Member must have length less than or equal to {most}"),
        ));
    }
    let mut tags = BTreeMap::new();
    for (index, tag) in list.iter().enumerate() {
        for (part, limit) in [("Key", 128), ("Value", 256)] {
            let place = format!("{}.{}.member.{}", lower_camel(member), index + 1, lower_camel(part));
            let text = tag[part].as_str().unwrap_or_default();
            length(&place, text, 1, limit, Signs::Any)?;
            if !text.chars().all(|sign| sign.is_alphanumeric() || sign.is_whitespace() || "_.:/=+-@".contains(sign)) {
                return Err(violation(
                    &format!("Value '{text}' at '{place}'"),
                    "Member must satisfy regular expression pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$",
                ));
            }
        }
        let (key, value) = (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str().unwrap_or_default());
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys beginning with aws: are reserved for AWS use."));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid(format!("Duplicate tag key: {key}")));
        }
    }
    Ok(tags)
}

/// Applies `AddTags` and `RemoveTags` to tags.
///
/// # Errors
/// As [`tags`], and `InvalidParametersException` where more than 20 would remain.
pub(super) fn retag(call: &Call<'_>, tags: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Refusal> {
    let mut tags = tags.clone();
    for key in call.list("RemoveTags") {
        tags.remove(key.as_str().unwrap_or_default());
    }
    tags.extend(self::tags(call, "AddTags", 20)?);
    if tags.len() > 20 {
        return Err(invalid("The number of tags exceeds the limit of 20."));
    }
    Ok(tags)
}

/// Cuts the page out of `items` that a call asks for, and gives the token of the next one.
///
/// # Errors
/// `ValidationException` for a page size above `most`; `InvalidParametersException` for a page token that is not ours.
pub(super) fn page<T>(call: &Call<'_>, mut items: Vec<T>, most: usize) -> Result<(Vec<T>, Option<String>), Refusal> {
    let asked = call.input["PageSize"].as_u64().unwrap_or_default();
    let size = match usize::try_from(asked).unwrap_or(usize::MAX) {
        0 => most,
        size if size > most => {
            return Err(violation(
                &format!("Value '{asked}' at 'pageSize'"),
                &format!("Member must have value less than or equal to {most}"),
            ));
        }
        size => size,
    };
    let start = match call.text("PageToken") {
        "" => 0,
        token => token
            .strip_prefix("page-")
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or_else(|| invalid("The page token is invalid."))?,
    };
    let mut rest = items.split_off(start.min(items.len()));
    let next = (rest.len() > size).then(|| format!("page-{}", start + size));
    rest.truncate(size);
    Ok((rest, next))
}

/// Refused by AWS's parameter validation.
pub(super) fn violation(what: &str, constraint: &str) -> Refusal {
    Refusal::new(
        "ValidationException",
        format!("1 validation error detected: {what} failed to satisfy constraint: {constraint}"),
    )
}

/// Refused by Service Catalog itself.
pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParametersException", message)
}

fn lower_camel(member: &str) -> String {
    if member == "PrincipalARN" {
        return "principalARN".into();
    }
    let mut signs = member.chars();
    signs.next().map(|first| first.to_ascii_lowercase().to_string() + signs.as_str()).unwrap_or_default()
}
