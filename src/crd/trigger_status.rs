//! What the status says of the model trigger. It stands alone since it says more than where the stack is: whether events
//! wait, which is nothing that anybody declares. Only what stays true while nothing happens may stand here: no counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The model trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TriggerStatus {
    /// ARN of the CloudFormation stack that holds the rule, the queues and the Lambda.
    pub stack_id: String,
    /// What its stack does and has done, in AWS's console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_events_url: Option<String>,
    /// What its function says, in AWS's console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_url: Option<String>,
    /// True while events have waited in its queue for more than half an hour, since jobs cannot be started.
    #[serde(skip_serializing_if = "is_false")]
    pub waiting_messages: bool,
    /// True while events whose jobs could not be started for days wait in its dead-letter queue for a person.
    #[serde(skip_serializing_if = "is_false")]
    pub dead_messages: bool,
    /// The command of the AWS CLI that puts those events back into the first queue, once the cause is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_command: Option<String>,
}

// By reference, as serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !*flag
}
