//! The labels of metrics, and how their values are written: in lower case, without blanks, so that queries need no quoting and
//! no memory for spelling. It stands apart from what is counted; it knows names and no numbers.

use prometheus_client::encoding::EncodeLabelSet;

/// What a call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It changes nothing.
    Read,
    /// Everything else.
    Write,
}

impl Class {
    /// What the first word of an operation of AWS, or the method of a call of Jenkins, says.
    pub fn of(operation: &str) -> Self {
        const READS: [&str; 10] =
            ["Get", "List", "Describe", "Head", "Search", "Scan", "Simulate", "Validate", "AssumeRole", "HEAD"];
        let reads = operation == "GET" || READS.iter().any(|word| operation.starts_with(word));
        if reads { Self::Read } else { Self::Write }
    }

    /// As label values have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// It was done; a Jenkins that says that there is no such job has answered, too.
    Ok,
    /// The caller is wrong, or may not.
    Refused,
    /// The service asks to slow down.
    Throttled,
    /// The service has a fault.
    Failed,
    /// It was not sent, or no answer came.
    Unanswered,
}

impl CallOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Refused, Self::Throttled, Self::Failed, Self::Unanswered];

    /// What the HTTP status of an answer says that does not ask to slow down.
    pub fn of(status: u16) -> Self {
        match status {
            0..400 | 404 => Self::Ok,
            429 => Self::Throttled,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }

    /// As label values have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Unanswered => "unanswered",
        }
    }
}

/// Labels of a call. What is called is `remote` and no `service`, since Prometheus writes the name of the Service that it scrapes
/// there.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CallLabels {
    /// As [`remote_id`] writes it.
    pub remote: String,
    /// Of [`Class`].
    pub class: &'static str,
    /// As [`snake`] writes it.
    pub operation: String,
    /// Of [`CallOutcome`].
    pub outcome: &'static str,
}

/// Labels of how long calls take.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ClassLabels {
    /// As [`remote_id`] writes it.
    pub(super) remote: String,
    /// Of [`Class`].
    pub(super) class: &'static str,
}

/// How a reconcile ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ReconcileLabels {
    /// `platform` or `project`.
    pub(super) kind: &'static str,
    /// `settled`, `unsettled` or `error`.
    pub(super) outcome: &'static str,
}

/// What is told of each kind of objects.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct KindLabels {
    /// `platform` or `project`.
    pub(super) kind: &'static str,
}

/// Who waits to be reconciled.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct WaitingLabels {
    /// `platform` or `project`.
    pub(super) kind: &'static str,
    /// `user` or `routine`.
    pub(super) lane: &'static str,
}

/// Since when objects were not Ready that are.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct ReadyLabels {
    /// `platform` or `project`.
    pub(super) kind: &'static str,
    /// `creation` or `change`.
    pub(super) after: &'static str,
}

/// Whose calls a budget is for.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub struct BudgetLabels {
    /// What is called, under the name that the SDK gives the service.
    pub remote: String,
    /// The AWS account, `operator` for that of the operator's own credentials; the address of a Jenkins.
    pub account: String,
    /// The AWS region; empty where a service has none.
    pub region: String,
}

impl BudgetLabels {
    /// The same with values as metrics have them.
    pub(super) fn written(&self) -> Self {
        Self { remote: remote_id(&self.remote), ..self.clone() }
    }
}

/// Which operator this is.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct BuildLabels {
    /// Its version.
    pub(super) version: &'static str,
}

/// A service's name as label values have it: `Service Catalog` is `servicecatalog`.
pub fn remote_id(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|sign| sign.to_ascii_lowercase()).collect()
}

/// A name in words that begin with capitals, as label values have it: `DescribeProject` is `describe_project`.
pub fn snake(name: &str) -> String {
    let signs: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (at, sign) in signs.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| signs.get(at));
        let small = |sign: Option<&char>| sign.is_some_and(|sign| !sign.is_ascii_uppercase());
        if sign.is_ascii_uppercase() && before.is_some() && (small(before) || small(signs.get(at + 1))) {
            text.push('_');
        }
        text.push(sign.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_lower_case_without_blanks() {
        for (name, id) in [("Service Catalog", "servicecatalog"), ("S3", "s3"), ("CodeConnections", "codeconnections")]
        {
            assert_eq!(remote_id(name), id);
        }
        let rows = [
            ("DescribeProject", "describe_project"),
            ("ListObjectsV2", "list_objects_v2"),
            ("GET", "get"),
            ("ListTagsForResource", "list_tags_for_resource"),
            ("UpdateOIDCProvider", "update_oidc_provider"),
            ("Ready", "ready"),
        ];
        for (name, written) in rows {
            assert_eq!(snake(name), written);
        }
    }

    #[test]
    fn an_operation_that_changes_nothing_is_a_read() {
        let reads = ["DescribeStacks", "GetObject", "HeadBucket", "SearchProductsAsAdmin", "AssumeRole", "GET", "HEAD"];
        let writes =
            ["CreateProject", "PutObject", "DeleteStack", "POST", "AssociatePrincipalWithPortfolio", "TagResource"];
        assert!(reads.iter().all(|name| Class::of(name) == Class::Read));
        assert!(writes.iter().all(|name| Class::of(name) == Class::Write));
    }

    #[test]
    fn the_status_of_an_answer_says_how_a_call_ended() {
        let rows = [(200, "ok"), (302, "ok"), (404, "ok"), (403, "refused"), (429, "throttled"), (503, "failed")];
        for (status, outcome) in rows {
            assert_eq!(CallOutcome::of(status).as_str(), outcome, "{status}");
        }
    }
}
