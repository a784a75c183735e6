//! The model trigger: one CloudFormation stack of ours with rule, queues, function, role, secret, log group and alarms,
//! which starts Jenkins jobs when a model package is approved whose group has a route (`model_route`). Nothing in it is of
//! one project. It never touches a stack without our owner tag, nor anything inside a stack except through CloudFormation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::crd::identifiers::RoleArn;
use crate::crd::status::{MlopsProjectStatus, Placement, Reason, TriggerStatus};
use crate::domain::external_resource::{Attempts, Decision, ExternalResource, Goal, Remark, ResourceKind, StepKey};
use crate::domain::identity::{FINGERPRINT_TAG, Identity, Owned, Ownership, digest};
use crate::domain::links;
use crate::domain::platform::Platform;
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;
use crate::domain::tags;
use crate::resources::artifact_bucket::ReadyBucket;
use queues::Queues;

mod decide;
pub mod queues;
pub mod template;
#[cfg(test)]
mod tests;

/// What a stack parameter's value may have, in bytes (AWS CloudFormation quotas).
const PARAMETER_LIMIT: usize = 4096;
/// The one parameter that is not shown: a JSON object with user, token and CA bundle.
pub const SECRET_PARAMETER: &str = "JenkinsSecret";
/// The stack's name in intents.
pub const RESOURCE: &str = "ModelTrigger";
/// The start of the client token of a continued rollback.
const CONTINUE: &str = "mlops-continue-";

pub struct ModelTrigger;

/// What the stack should be.
#[derive(Clone)]
pub struct Desired {
    /// Parameters that may be seen.
    pub parameters: BTreeMap<String, String>,
    /// Value of [`SECRET_PARAMETER`].
    pub secret: Secret,
    /// Whether it is the token of the operator's own Jenkins user.
    pub shared: bool,
    /// How many bytes it has, where those are too many for a parameter.
    pub oversize: Option<usize>,
    /// All tags of ours: the spec's with the record of their keys, the owner's, the fingerprint's.
    pub tags: BTreeMap<String, String>,
    /// The role that CloudFormation acts as.
    pub role_arn: Option<RoleArn>,
    /// What the stack was made from: `<spec>.<secret>`, both hex.
    pub fingerprint: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The stack of our name, if there is one. A deleted one is none.
    pub stack: Option<Stack>,
    /// What is in its queues, while the stack rests and names them.
    pub queues: Option<Queues>,
}

/// A stack as CloudFormation describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    pub id: String,
    /// `StackStatus`, as CloudFormation spells it.
    pub status: String,
    /// Parameters; hidden values are masked.
    pub parameters: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// The role that CloudFormation acts as.
    pub role_arn: Option<String>,
    /// When the last operation began, as far as CloudFormation says.
    pub since: Timestamp,
    /// What failed first in the last operation; looked for only where the status speaks of a failure.
    pub failure: Option<Failure>,
}

/// What failed first in an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which resource, and why: `Function: the role cannot be assumed`.
    pub cause: String,
    /// When the operation came to rest, or failed last.
    pub at: Timestamp,
    /// The operation's client token.
    pub token: Option<String>,
}

/// What can be done.
#[derive(Clone)]
pub enum Action {
    Create(Request),
    Update(Request),
    Delete {
        /// ARN of the stack.
        stack_id: String,
        token: String,
    },
    ContinueRollback {
        /// ARN of the stack.
        stack_id: String,
        token: String,
    },
    /// Nothing is done outside: the ARN of the stack goes into the status.
    Remember(String),
}

/// A CreateStack or UpdateStack.
#[derive(Clone)]
pub struct Request {
    /// Parameters that may be seen.
    pub parameters: BTreeMap<String, String>,
    /// Value of [`SECRET_PARAMETER`].
    pub secret: Secret,
    pub tags: BTreeMap<String, String>,
    /// The role that CloudFormation acts as.
    pub role_arn: Option<RoleArn>,
    /// Whether an update that fails leaves what succeeded in place: the only kind that a stack in UPDATE_FAILED takes
    /// (CloudFormation user guide, "Stack failure options").
    pub keep_what_succeeds: bool,
    /// Client token: it carries the fingerprint, so that a failed operation tells what it tried.
    pub token: String,
}

/// The trigger as it exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trigger {
    /// ARN of the stack.
    pub stack_id: String,
    /// Whether its function holds the token of the operator's own Jenkins user.
    pub shares_credentials: bool,
    /// Its queues, and whether events wait in them for long.
    pub queues: Option<Queues>,
}

impl ExternalResource for ModelTrigger {
    const KIND: ResourceKind = ResourceKind::ModelTrigger;
    type Declared = Platform;
    type Inputs = ReadyBucket;
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Trigger;

    fn desired(platform: &Platform, bucket: &ReadyBucket) -> Desired {
        let settings = platform.trigger.clone().unwrap_or_default();
        let parameters: BTreeMap<String, String> = [
            ("ArtifactBucket", bucket.name.clone()),
            ("BucketPrefix", platform.identity.bucket_prefix()),
            ("JenkinsUrl", settings.jenkins_url),
            ("LambdaRoleArn", settings.runtime_role_arn.map(String::from).unwrap_or_default()),
            ("PermissionsBoundaryArn", settings.permissions_boundary_arn.unwrap_or_default()),
            ("SubnetIds", settings.subnet_ids.join(",")),
            ("SecurityGroupIds", settings.security_group_ids.join(",")),
            ("AlarmTopicArn", settings.alarm_topic_arn.unwrap_or_default()),
            ("LogRetentionDays", settings.log_retention_days.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let own = &platform.jenkins_credentials;
        let credentials = settings.credentials.as_ref().unwrap_or(own);
        let mut secret = json!({"user": credentials.username, "token": credentials.token.value.reveal()});
        if !settings.ca_bundle.is_empty() {
            secret["caBundle"] = json!(settings.ca_bundle);
        }
        let secret = secret.to_string();
        let length = secret.len();
        let mut tags = tags::recorded(Owned::Stack, &platform.tags);
        tags.extend(platform.identity.owner_tags(Owned::Stack));
        let role_arn = platform.roles.stack.clone();
        let fingerprint = format!(
            "{}.{}",
            spec_fingerprint(&parameters, &tags, role_arn.as_deref(), &settings.ca_bundle),
            credentials.token.fingerprint
        );
        tags.insert(FINGERPRINT_TAG.to_owned(), fingerprint.clone());
        let oversize = (length > PARAMETER_LIMIT).then_some(length);
        let shared = credentials.username == own.username;
        Desired { parameters, secret: Secret::new(secret), shared, oversize, tags, role_arn, fingerprint }
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        observed: &Observed,
        now: Timestamp,
        attempts: &Attempts,
    ) -> Decision<Action, Trigger> {
        match (goal, &observed.stack) {
            (Goal::Present(desired), None) => decide::missing(id, desired, now, attempts),
            (Goal::Absent, None) => Decision::Gone,
            (goal, Some(stack)) => match (whose(id, stack, attempts), goal) {
                (Ownership::Ours, Goal::Present(desired)) => {
                    let queues = observed.queues.as_ref().map(|queues| queues.judged(now, attempts));
                    with_queues(decide::present(id, desired, stack, now, attempts), queues)
                }
                (Ownership::Ours, Goal::Absent) => decide::absent(id, stack, now, attempts),
                (Ownership::Claimed, _) => {
                    Decision::Stuck(Problem::claimed(&format!("stack \"{}\"", id.trigger_stack_name())))
                }
                (Ownership::Foreign | Ownership::Unmarked, Goal::Present(_)) => decide::foreign(id),
                (Ownership::Foreign, Goal::Absent) if recorded(stack, attempts) => {
                    Decision::Stuck(Problem::taken_over(&format!("stack \"{}\"", id.trigger_stack_name())))
                }
                // What is not ours is none of ours to delete.
                (Ownership::Foreign | Ownership::Unmarked, Goal::Absent) => Decision::Gone,
            },
        }
    }

    fn key(action: &Action) -> StepKey {
        match action {
            Action::Create(_) => StepKey::new("CreateStack", &[]),
            Action::Update(request) => StepKey::new("UpdateStack", &[]).with_contents(&request.tags),
            Action::Delete { stack_id, .. } => StepKey::new("DeleteStack", &[stack_id]),
            // Each failed update has a rollback of its own, and its own token.
            Action::ContinueRollback { stack_id, token } => {
                StepKey::new("ContinueUpdateRollback", &[stack_id]).with_contents(token)
            }
            Action::Remember(id) => StepKey::new("Remember", &[id]),
        }
    }

    fn exists(observed: &Observed) -> bool {
        observed.stack.is_some()
    }

    fn notices(observed: &Observed) -> Vec<&'static str> {
        observed.queues.as_ref().map(Queues::notices).unwrap_or_default()
    }

    fn show(placement: &Placement, output: Option<&Trigger>, status: &mut MlopsProjectStatus) {
        let before = status.trigger.take();
        status.trigger = output.map(|trigger| {
            let (queues, region) = (trigger.queues.as_ref(), &placement.region);
            // Where nothing is said of the log group, it is that of the same stack as before.
            let before = before.filter(|before| before.stack_id == trigger.stack_id);
            let logs = queues.map(|queues| queues.log_group.as_str()).filter(|group| !group.is_empty());
            let logs = logs.map(|group| links::log_group(region, group));
            TriggerStatus {
                stack_id: trigger.stack_id.clone(),
                stack_events_url: Some(links::stack_events(region, &trigger.stack_id)),
                logs_url: logs.or_else(|| before.and_then(|before| before.logs_url)),
                waiting_messages: queues.is_some_and(|queues| queues.waiting),
                dead_messages: queues.is_some_and(|queues| queues.dead),
                replay_command: queues.and_then(Queues::replay),
            }
        });
    }

    fn remark(trigger: &Trigger) -> Option<Remark> {
        let shared = "its function holds the token of the operator's own Jenkins user, with which whoever reads the function's \
                      secret can change and delete jobs; name a Secret with a user that has Overall/Read, Item/Read and \
                      Item/Build alone in modelTrigger.credentialsSecretRef of the platform";
        let mut all = trigger.queues.as_ref().map(Queues::remarks).unwrap_or_default();
        all.extend(trigger.shares_credentials.then(|| (Reason::SharedCredentials, shared.to_owned())));
        let reason = all.first()?.0;
        let clauses: Vec<String> = all.into_iter().map(|(_, clause)| clause).collect();
        let message = format!("it is as declared, but {}", clauses.join(". Besides, "));
        // Not passing, although events may be served: more looks would cost more than an hour of an old remark does.
        Some(Remark { reason, message, passing: false })
    }

    fn whereabouts(placement: &Placement, status: &MlopsProjectStatus) -> Option<String> {
        let what = match &status.trigger {
            Some(trigger) => format!("stack {}", trigger.stack_id),
            None => "(of unknown id)".to_owned(),
        };
        Some(format!("model trigger {what} in account {}, {}", placement.account_id, placement.region))
    }
}

/// The same decision, with the queues of a trigger that is as declared.
fn with_queues(decision: Decision<Action, Trigger>, queues: Option<Queues>) -> Decision<Action, Trigger> {
    match decision {
        Decision::InSync(trigger) => Decision::InSync(Trigger { queues, ..trigger }),
        other => other,
    }
}

/// Whether the stack's ARN is written down as that of this object's.
fn recorded(stack: &Stack, attempts: &Attempts) -> bool {
    attempts.recorded_id(RESOURCE) == Some(stack.id.as_str())
}

fn whose(id: &Identity, stack: &Stack, attempts: &Attempts) -> Ownership {
    id.ownership_of(Owned::Stack, &stack.tags, recorded(stack, attempts))
}

/// 32 hex digits that change when anything but the token does.
fn spec_fingerprint(
    parameters: &BTreeMap<String, String>,
    tags: &BTreeMap<String, String>,
    role_arn: Option<&str>,
    ca_bundle: &str,
) -> String {
    let mut parts = vec![template::SHA256.as_str(), role_arn.unwrap_or_default(), ca_bundle];
    for (name, value) in parameters.iter().chain(tags) {
        parts.extend([name.as_str(), value.as_str()]);
    }
    digest(&parts)[..32].to_owned()
}

/// The client token of a create or update: the fingerprint, and a digest of the state that it starts from, so that a
/// retry after a failure is a new request.
fn token(id: &Identity, fingerprint: &str, from: &str) -> String {
    let digest = digest(&[&id.owner.hash(), fingerprint, from]);
    format!("mlops-{}-{}", fingerprint.replace('.', "-"), &digest[..16])
}

/// The fingerprint that the failed operation tried to bring about, as its client token tells.
fn attempted(stack: &Stack) -> Option<String> {
    let token = stack.failure.as_ref()?.token.as_deref()?.strip_prefix("mlops-")?;
    let mut parts = token.split('-');
    let (spec, secret, _) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!("{spec}.{secret}"))
}
