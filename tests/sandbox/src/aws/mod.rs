//! What all AWS services here have in common: who calls, what is asked, how a refusal looks. Which wire
//! protocol carried it is known to `wire` alone; a service sees and answers plain JSON values.

use serde_json::Value;

pub mod cloudformation;
pub mod code_connections;
pub mod codebuild;
pub mod dispatch;
pub mod events;
pub mod iam;
pub mod lambda;
mod page;
pub mod rate_limits;
mod retagging;
pub mod s3;
pub mod sagemaker;
pub mod secrets_manager;
pub mod service_catalog;
pub mod sqs;
pub mod sts;
pub mod tagging;

/// Who makes a call, as STS would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// 12 digits.
    pub account: String,
    /// As GetCallerIdentity gives it: a user, or an `assumed-role` session.
    pub arn: String,
    /// The role behind a session (`arn:aws:iam::…:role/path/name`), or the user itself: what policies and
    /// portfolio principals name.
    pub principal: String,
}

/// One request to a service, free of its wire protocol.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The operation's name, such as `CreatePortfolio`.
    pub operation: &'a str,
    /// The input members by their model names. The query protocol gives every scalar as a string.
    pub input: &'a Value,
    /// Who calls.
    pub caller: &'a Caller,
    /// The region called.
    pub region: &'a str,
}

/// What a service answers: the output members by their model names (null and absent mean the same), or a refusal.
/// Timestamps: seconds since the epoch as a number in JSON services, RFC 3339 text in query services.
pub type Outcome = Result<Value, Refusal>;

/// An error of the kind that AWS gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code, such as `ResourceNotFoundException`.
    pub code: String,
    /// The sentence.
    pub message: String,
    /// In how many seconds to come back, where the service says it: only its model's `Retry-After`.
    pub retry_after: Option<u64>,
    /// Members of the error beside code and sentence, which S3 alone has.
    pub details: Vec<(&'static str, String)>,
}

/// Why an event did not come to where it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// As EventBridge names it in the dead letter (its user guide, "Using dead-letter queues").
    pub code: &'static str,
    /// The sentence.
    pub reason: String,
}

impl Undelivered {
    /// What it was sent to is not there.
    pub fn no_resource(reason: impl Into<String>) -> Self {
        Self { code: "NO_RESOURCE", reason: reason.into() }
    }

    /// What it was sent to does not let the sender in.
    pub fn no_permissions(reason: impl Into<String>) -> Self {
        Self { code: "NO_PERMISSIONS", reason: reason.into() }
    }
}

impl Refusal {
    /// A refusal of what the client sent: status 400.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into(), retry_after: None, details: Vec::new() }
    }

    /// The same with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with one more member.
    #[must_use]
    pub fn with_detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// The same with the seconds after which to come back.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl Call<'_> {
    /// A string member, or `""` where it is absent.
    pub fn text(&self, member: &str) -> &str {
        self.input.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// A string member that must be there: refused in the words of AWS's parameter validation otherwise.
    ///
    /// # Errors
    /// `ValidationException` where the member is absent or empty.
    pub fn required(&self, member: &str) -> Result<&str, Refusal> {
        match self.text(member) {
            "" => Err(Refusal::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
                ),
            )),
            text => Ok(text),
        }
    }

    /// A list member, or an empty list.
    pub fn list(&self, member: &str) -> &[Value] {
        self.input.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}
