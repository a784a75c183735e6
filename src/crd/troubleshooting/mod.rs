//! The troubleshooting page of each reason: why it is shown, what to do, and a command. A reason without one does not compile. It
//! stands apart from the enum since the texts are long; each is written where its remedy lies. Whoever changes when a reason is
//! set changes its text.

mod aws;
mod cluster;
mod course;
mod jenkins;

use crate::crd::status::Reason;

/// Where the pages lie, from the repository's root.
pub const FOLDER: &str = "docs/reasons";
/// Where the list of them lies.
pub const INDEX: &str = "docs/reasons.md";

/// All conditions of an object, each in a line.
const CONDITIONS: &str = r#"kubectl -n ml-team get mlp taxi-fares -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}'"#;
/// What has happened to it.
const EVENTS: &str = "kubectl -n ml-team events --for mlopsproject/taxi-fares";
/// Has everything looked at now.
const AGAIN: &str =
    "kubectl -n ml-team annotate mlp taxi-fares mlops-operator.io/reconcile-requested-at=\"$(date -Is)\" --overwrite";

/// What is said of a reason beside its meaning. Cause and remedy are Markdown, with links as from a page in [`FOLDER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What the operator has seen, and what follows.
    pub cause: &'static str,
    /// What a person does.
    pub remedy: &'static str,
    /// A command that shows more, or does it; names are those of the examples.
    pub command: &'static str,
}

impl Reason {
    /// Its page's texts.
    pub fn explanation(self) -> &'static Explanation {
        match self {
            Self::InSync => &course::IN_SYNC,
            Self::Succeeded => &course::SUCCEEDED,
            Self::Progressing => &course::PROGRESSING,
            Self::Blocked => &course::BLOCKED,
            Self::Disabled => &course::DISABLED,
            Self::Missing => &course::MISSING,
            Self::Drifted => &course::DRIFTED,
            Self::SpecChanged => &course::SPEC_CHANGED,
            Self::SecretChanged => &course::SECRET_CHANGED,
            Self::Suspended => &course::SUSPENDED,
            Self::Deleting => &course::DELETING,
            Self::Deleted => &course::DELETED,
            Self::Retained => &course::RETAINED,
            Self::Released => &course::RELEASED,
            Self::FolderKept => &course::FOLDER_KEPT,
            Self::CrdDeleting => &cluster::CRD_DELETING,
            Self::CrdUnknown => &cluster::CRD_UNKNOWN,
            Self::InvalidSpec => &cluster::INVALID_SPEC,
            Self::PlatformNotAllowed => &cluster::PLATFORM_NOT_ALLOWED,
            Self::PlatformMissing => &cluster::PLATFORM_MISSING,
            Self::PlatformNotReady => &cluster::PLATFORM_NOT_READY,
            Self::TooManyProjects => &cluster::TOO_MANY_PROJECTS,
            Self::InUse => &cluster::IN_USE,
            Self::PlacementUnknown => &cluster::PLACEMENT_UNKNOWN,
            Self::ForeignOwner => &aws::FOREIGN_OWNER,
            Self::ClusterClaimed => &cluster::CLUSTER_CLAIMED,
            Self::OwnershipUnproven => &cluster::OWNERSHIP_UNPROVEN,
            Self::BucketNameTaken => &aws::BUCKET_NAME_TAKEN,
            Self::WrongAccount => &aws::WRONG_ACCOUNT,
            Self::UnknownRegion => &aws::UNKNOWN_REGION,
            Self::CredentialsInvalid => &aws::CREDENTIALS_INVALID,
            Self::AccessDenied => &aws::ACCESS_DENIED,
            Self::Rejected => &aws::REJECTED,
            Self::Throttled => &course::THROTTLED,
            Self::Unavailable => &course::UNAVAILABLE,
            Self::Conflict => &course::CONFLICT,
            Self::Unexpected => &course::UNEXPECTED,
            Self::QuotaExceeded => &aws::QUOTA_EXCEEDED,
            Self::Propagating => &course::PROPAGATING,
            Self::ConfirmingAbsence => &course::CONFIRMING_ABSENCE,
            Self::ChangesReverted => &aws::CHANGES_REVERTED,
            Self::PluginsUnchecked => &jenkins::PLUGINS_UNCHECKED,
            Self::NoCheckout => &jenkins::NO_CHECKOUT,
            Self::SecretMissing => &cluster::SECRET_MISSING,
            Self::SecretRefused => &cluster::SECRET_REFUSED,
            Self::ValueTooLong => &cluster::VALUE_TOO_LONG,
            Self::CaBundleInvalid => &cluster::CA_BUNDLE_INVALID,
            Self::InvalidTemplate => &cluster::INVALID_TEMPLATE,
            Self::RoleMissing => &aws::ROLE_MISSING,
            Self::RoleNotTrusted => &aws::ROLE_NOT_TRUSTED,
            Self::ConnectionMissing => &aws::CONNECTION_MISSING,
            Self::ConnectionPending => &aws::CONNECTION_PENDING,
            Self::ConnectionFailed => &aws::CONNECTION_FAILED,
            Self::CatalogFailed => &aws::CATALOG_FAILED,
            Self::NoLaunchPath => &aws::NO_LAUNCH_PATH,
            Self::BucketMissing => &aws::BUCKET_MISSING,
            Self::UnknownParameter => &cluster::UNKNOWN_PARAMETER,
            Self::ParameterMissing => &cluster::PARAMETER_MISSING,
            Self::ProjectFailed => &aws::PROJECT_FAILED,
            Self::ProjectUpdateFailed => &aws::PROJECT_UPDATE_FAILED,
            Self::ProjectDeleteFailed => &aws::PROJECT_DELETE_FAILED,
            Self::ImmutableRemote => &aws::IMMUTABLE_REMOTE,
            Self::StackFailed => &aws::STACK_FAILED,
            Self::StackRolledBack => &aws::STACK_ROLLED_BACK,
            Self::StackRollbackFailed => &aws::STACK_ROLLBACK_FAILED,
            Self::StackDeleteFailed => &aws::STACK_DELETE_FAILED,
            Self::JenkinsCredentialsInvalid => &jenkins::JENKINS_CREDENTIALS_INVALID,
            Self::JenkinsQuietDown => &jenkins::JENKINS_QUIET_DOWN,
            Self::SharedCredentials => &jenkins::SHARED_CREDENTIALS,
            Self::MessagesDead => &aws::MESSAGES_DEAD,
            Self::MessagesWaiting => &aws::MESSAGES_WAITING,
            Self::QueuesUnchecked => &aws::QUEUES_UNCHECKED,
            Self::PluginMissing => &jenkins::PLUGIN_MISSING,
            Self::JenkinsTooOld => &jenkins::JENKINS_TOO_OLD,
            Self::NotJenkins => &jenkins::NOT_JENKINS,
            Self::JenkinsItemNotVisible => &jenkins::JENKINS_ITEM_NOT_VISIBLE,
        }
    }

    /// The page in Markdown.
    pub fn page(self) -> String {
        let Explanation { cause, remedy, command } = self.explanation();
        let meaning = self.meaning();
        format!(
            "<!-- Generated from src/crd/troubleshooting by `mlops-operator docs`: do not edit. -->\n\n# {self}\n\n{meaning}\n\n\
             ## Why\n\n{cause}\n\n## What to do\n\n{remedy}\n\n```sh\n{command}\n```\n\n\
             The command takes the names of the examples: project `taxi-fares` in namespace `ml-team`, platform `main`, the operator in \
             `mlops-system`, region `us-east-1`. [All reasons](../reasons.md)\n"
        )
    }
}

/// The list of all pages, in Markdown.
pub fn index() -> String {
    let rows: String = Reason::ALL
        .iter()
        .map(|reason| format!("| [`{reason}`](reasons/{reason}.md) | {} |\n", reason.meaning()))
        .collect();
    format!(
        "<!-- Generated from src/crd/troubleshooting by `mlops-operator docs`: do not edit. -->\n\n# Reasons\n\n\
         What stands as `reason` in a condition or an event, each with a page that says why, what to do, and a command.\n\n\
         | reason | says |\n| --- | --- |\n{rows}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_sentences_of_its_own_and_a_command() {
        for reason in Reason::ALL {
            let Explanation { cause, remedy, command } = reason.explanation();
            for text in [reason.meaning(), cause, remedy] {
                assert!(text.ends_with(['.', ')']) && !text.contains('\n'), "{reason}: {text:?}");
            }
            assert!(cause.split_whitespace().count() >= 10, "{reason} says too little of its cause: {cause:?}");
            let alike = Reason::ALL.iter().filter(|other| other.explanation().cause == *cause).count();
            assert_eq!(alike, 1, "{reason} has the cause of another reason");
            let program = command.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
            let known = ["kubectl ", "aws ", "curl ", "LEADER=", "STACK="].iter().any(|name| program.starts_with(name));
            assert!(known, "{reason} has no command: {command:?}");
        }
    }
}
