//! Which runtimes take functions. Apart from the functions because the lists grow with AWS's.

use super::invalid;
use crate::aws::Refusal;

/// Runtimes that take new functions (Lambda Developer Guide, "Supported runtimes"). Only Python runs here.
const RUNTIMES: &[&str] = &[
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "nodejs22.x",
    "nodejs24.x",
    "java21",
    "java25",
    "ruby3.3",
    "ruby3.4",
    "dotnet8",
    "dotnet10",
    "provided.al2023",
];
/// Runtimes that AWS had once and retired; anything else was never one.
const RETIRED: &[&str] = &[
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "python3.10",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "java8",
    "java8.al2",
    "java11",
    "java17",
    "ruby2.7",
    "ruby3.2",
    "dotnet6",
    "go1.x",
    "provided",
    "provided.al2",
];

/// The runtime, if functions may be made for it.
///
/// # Errors
/// `InvalidParameterValueException`, in other words for one that AWS retired than for one that it never had.
pub(super) fn runtime(name: &str) -> Result<String, Refusal> {
    if RUNTIMES.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(invalid(if RETIRED.contains(&name) {
        format!(
            "The runtime parameter of {name} is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."
        )
    } else {
        format!(
            "Value {name} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
            RUNTIMES.join(", ")
        )
    }))
}
