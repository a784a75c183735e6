//! The answers of custom resources: where they go, how they are checked, and what gives them where no function runs.
//! Apart from `custom`, which asks and goes on: this is all that a function's side sees of CloudFormation.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::custom::{settle, with};
use super::evaluate::{Made, partition};
use super::stack::Stack;
use crate::aws::Refusal;
use crate::check_in;
use crate::world::World;

/// Where answers go: a bucket of AWS's own, one in each region, named so.
pub(crate) const BUCKET: &str = "cloudformation-custom-resource-response-";
/// What an answer may have at most, in bytes (User Guide, "Custom resource reference").
const ANSWER_LIMIT: usize = 4096;

/// What a function answers, as a script has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// SUCCESS, with the attributes that `Fn::GetAtt` gives (an object), and another physical id if one is named.
    Success {
        /// `Data` of the answer.
        data: Value,
        /// `PhysicalResourceId` of the answer; without it, the one that the thing has or would get.
        physical_id: Option<String>,
    },
    /// FAILED, with this reason.
    Failed(String),
    /// None at all: the resource fails after its time-out.
    Never,
}

/// How an answer, or its absence, is understood.
pub(super) type Verdict = Result<Made, Failure>;

/// Why a resource failed, and the physical id that the function gave all the same.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) physical_id: Option<String>,
}

/// A presigned URL of S3. Like those of AWS it is as good as a password, and covers an empty content type.
pub(super) fn response_url(world: &mut World, stack: &Stack, name: &str, id: &str) -> String {
    let key = utf8_percent_encode(&format!("{}|{name}|{id}", stack.id), NON_ALPHANUMERIC).to_string();
    let (region, domain) = (&stack.region, partition(&stack.region).1);
    let bucket = format!("{BUCKET}{}", region.replace('-', ""));
    let base = match &world.live {
        Some(url) => format!("{url}/{bucket}"),
        None => format!("https://{bucket}.s3.{region}.{domain}"),
    };
    let (day, second) = (world.now.strftime("%Y%m%d"), world.now.strftime("%Y%m%dT%H%M%SZ"));
    let signature = hex::encode(Sha256::digest(format!("{id} {}", world.ids.next(32))));
    format!(
        "{base}/{key}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={second}&X-Amz-SignedHeaders=host&X-Amz-Expires=7200&X-Amz-Credential=AKIACLOUDFORMATION%2F{day}%2F{region}%2Fs3%2Faws4_request&X-Amz-Signature={signature}"
    )
}

/// Takes an answer that was put to a response URL. An answer to what is not, or no longer, asked is taken and changes
/// nothing, as with S3.
///
/// # Errors
/// `SignatureDoesNotMatch` where the URL is not one that was given out.
pub(crate) fn put(
    world: &mut World,
    key: &str,
    signature: &str,
    content_type: &str,
    body: &[u8],
) -> Result<(), Refusal> {
    let mut parts = key.splitn(3, '|');
    let (stack_id, request) = (parts.next().unwrap_or_default().to_owned(), parts.nth(1).unwrap_or_default());
    let place: Vec<&str> = stack_id.split(':').collect();
    let (region, account) = (place.get(3).copied().unwrap_or_default(), place.get(4).copied().unwrap_or_default());
    let no_match = || {
        let message = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
        Err(Refusal::new("SignatureDoesNotMatch", message).with_status(403))
    };
    if !content_type.is_empty() || !world.regions.contains_key(&(account.to_owned(), region.to_owned())) {
        return no_match();
    }
    let state = &world.region(account, region).cloudformation;
    let Some(stack) = state.stacks.get(&stack_id) else { return no_match() };
    let asked = stack.operation.iter().flat_map(|operation| &operation.pending);
    let Some(pending) = asked.into_iter().find(|pending| pending.event["RequestId"] == request) else { return Ok(()) };
    if !pending.event["ResponseURL"].as_str().unwrap_or_default().ends_with(&format!("X-Amz-Signature={signature}")) {
        return no_match();
    }
    let verdict = read(&pending.event, body);
    let (account, region, request) = (account.to_owned(), region.to_owned(), request.to_owned());
    with(world, &account, &region, &stack_id, |world, stack| settle(world, stack, &request, verdict));
    Ok(())
}

/// What an answer says, once it has been checked.
fn read(event: &Value, body: &[u8]) -> Verdict {
    let failure = |reason: String, physical_id: Option<String>| Err(Failure { reason, physical_id });
    if body.len() > ANSWER_LIMIT {
        return failure("Response object is too long.".into(), None);
    }
    let Some(answer) = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object) else {
        return failure("Invalid response object: Failed to parse JSON.".into(), None);
    };
    let text = |member: &str| answer.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = text("PhysicalResourceId");
    for member in ["StackId", "RequestId", "LogicalResourceId"] {
        if answer[member] != event[member] {
            return failure(format!("Invalid response object: {member} does not match the request."), None);
        }
    }
    let kept = (!id.is_empty()).then(|| id.clone());
    match text("Status").as_str() {
        "FAILED" if text("Reason").is_empty() => {
            failure("Invalid response object: Value of property Reason must be a string.".into(), kept)
        }
        "FAILED" => failure(
            format!(
                "Received response status [FAILED] from custom resource. Message returned: {} (RequestId: {})",
                text("Reason"),
                event["RequestId"].as_str().unwrap_or_default()
            ),
            kept,
        ),
        "SUCCESS" if id.is_empty() || id.len() > 1024 => failure("Invalid PhysicalResourceId".into(), None),
        "SUCCESS" if answer.get("NoEcho").is_some_and(|flag| flag != &json!(false)) => {
            failure("NoEcho in the answer of a custom resource is not known here".into(), kept)
        }
        "SUCCESS" => match answer.get("Data").unwrap_or(&Value::Null) {
            Value::Null => Ok(Made { physical_id: id, ..Made::default() }),
            Value::Object(data) => {
                let attributes = data.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                Ok(Made { physical_id: id, attributes })
            }
            _ => failure("Invalid response object: Value of property Data must be an object.".into(), kept),
        },
        _ => failure("Invalid response object: Value of property Status must be SUCCESS or FAILED.".into(), kept),
    }
}

/// Lets a scheduled thing happen to a request: the answer of a script or of a model (`?`), or the end of its time (`!`).
pub(super) fn wake(world: &mut World, stack: &mut Stack, sign: char, request: &str) {
    let pending = stack.operation.iter().flat_map(|operation| &operation.pending);
    let Some(pending) = pending.into_iter().find(|pending| pending.event["RequestId"] == request) else { return };
    if sign == '!' {
        let reason = format!(
            "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [{request}]. If you are using the Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version."
        );
        return settle(world, stack, request, Err(Failure { reason, physical_id: None }));
    }
    let (event, id) = (pending.event.clone(), pending.physical_id.clone());
    let answer = match pending.script.clone() {
        Some(script) => script,
        None => check_in::answer(world, &event).unwrap_or(Answer::Success { data: Value::Null, physical_id: None }),
    };
    let mut body = json!({
        "StackId": event["StackId"], "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"],
        "PhysicalResourceId": id,
    });
    match answer {
        Answer::Never => return,
        Answer::Failed(reason) => {
            body["Status"] = json!("FAILED");
            body["Reason"] = json!(reason);
        }
        Answer::Success { data, physical_id } => {
            body["Status"] = json!("SUCCESS");
            body["Data"] = data;
            body["PhysicalResourceId"] = json!(physical_id.unwrap_or(id));
        }
    }
    let verdict = read(&event, body.to_string().as_bytes());
    settle(world, stack, request, verdict);
}
