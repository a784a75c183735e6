//! What a person must change before anything can go on. One shape for refusals of a spec, decisions and outcomes, so that
//! no sentence is taken apart and put together again between them.

use std::fmt;

use jiff::Timestamp;

use crate::crd::status::Reason;
use crate::domain::text;

/// A resource that AWS has left behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// `AWS::S3::Bucket`.
    pub kind: String,
    /// Its physical id: for most kinds its name.
    pub id: String,
}

impl Left {
    /// All of them, for people.
    pub fn list(left: &[Self]) -> String {
        left.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// The command that removes it, for the kinds that project templates retain. Only ids that need no quoting in a shell
    /// are put into one.
    pub fn removal(&self) -> Option<String> {
        let id = self.id.rsplit('/').next().filter(|id| {
            id.chars().all(|sign| sign.is_ascii_alphanumeric() || ".-_".contains(sign)) && !id.starts_with('-')
        })?;
        match self.kind.as_str() {
            "AWS::S3::Bucket" => Some(format!("aws s3 rb s3://{id} --force")),
            "AWS::SageMaker::ModelPackageGroup" => {
                Some(format!("aws sagemaker delete-model-package-group --model-package-group-name {id}"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

/// Something that a person must change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason that the condition shows.
    pub reason: Reason,
    /// What is wrong, in a sentence that names the resource, the field or the value.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// When it is looked at again by itself, where that is not every ten minutes.
    pub until: Option<Timestamp>,
}

impl Problem {
    /// A problem with this reason, message and hint. What the message names may be a remote side's: it becomes one line of
    /// bounded length.
    pub fn new(reason: Reason, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason, message: text::message(message), hint: hint.into(), until: None }
    }

    /// The same, looked at again by itself at this time.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Something names this object as its owner, and does not carry this installation's seal.
    pub fn claimed(what: &str) -> Self {
        let message = format!(
            "{what} names this object as its owner, but another installation sealed it: one for the same cluster id, or this one before its key was replaced; or somebody copied it there"
        );
        let hint = "look at it: what somebody copied there must go; in a copy of a cluster, give the operator a clusterId of its own; where the key was lost, restore it or set acceptUnsealed for a while (docs/grants.md); deletionPolicy: Retain lets the object go and leaves the rest alone";
        Self::new(Reason::ClusterClaimed, message, hint)
    }

    /// Something that was made for this object carries another object's mark now.
    pub fn taken_over(what: &str) -> Self {
        Self::new(
            Reason::ForeignOwner,
            format!("{what} was made for this object and carries the mark of another one now"),
            "find out who changed its tags; take that mark off and it is this object's again, or set deletionPolicy: Retain to leave it",
        )
    }
}
