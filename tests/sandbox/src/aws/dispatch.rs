//! From a request to the service that answers it: who calls, may they, which service, and back in its protocol.
//! It decides nothing that a service decides.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use super::{Call, Caller, Outcome, Refusal};
use crate::wire::{self, Address, Service};
use crate::world::World;

/// A reply, with what it says and what was asked as plain values for the journal (null for S3).
#[derive(Debug)]
pub struct Answer {
    /// The reply as it goes out.
    pub response: Response<Bytes>,
    /// The input members.
    pub input: Value,
    /// The output members, or null where the request was refused.
    pub output: Value,
}

/// Answers a request to any AWS service. `id` is the request's id.
pub fn answer(world: &mut World, address: &Address, request: &Request<Bytes>, id: &str) -> Answer {
    let input = wire::decode(address, request);
    let read = input.clone().unwrap_or_default();
    let outcome = match let_in(world, address, request) {
        Ok((service, caller, region)) => {
            if service == Service::S3 {
                let response = super::s3::handle(world, &caller, &region, request);
                return Answer { response: with_id(response, id), input: Value::Null, output: Value::Null };
            }
            input.and_then(|input| {
                let call = Call { operation: &address.operation, input: &input, caller: &caller, region: &region };
                serve(world, service, &call)
            })
        }
        Err(refusal) => Err(refusal),
    };
    let mut response = wire::encode(address, request, &outcome, id);
    if address.service == Some(Service::S3) && outcome.as_ref().is_err_and(|refusal| refusal.code == "AccessDenied") {
        super::s3::tell_region(world, request, &mut response);
    }
    Answer { response, input: read, output: outcome.unwrap_or_default() }
}

/// What a caller asks who waits for the result of a function: where it is, and the event. `None` for all other
/// requests, which [`answer`] answers.
pub fn invocation(
    world: &mut World,
    address: &Address,
    request: &Request<Bytes>,
) -> Option<Result<super::lambda::Asked, Refusal>> {
    if address.service != Some(Service::Lambda) || address.operation != "Invoke" {
        return None;
    }
    let (_, caller, region) = admit(world, address).ok()?;
    let input = wire::decode(address, request).ok()?;
    if let Err(refusal) = super::rate_limits::take(world, &caller, &region, address, request) {
        return Some(Err(refusal));
    }
    super::lambda::asked(world, &Call { operation: "Invoke", input: &input, caller: &caller, region: &region })
}

/// One call to a service, past the question who may.
pub fn serve(world: &mut World, service: Service, call: &Call<'_>) -> Outcome {
    match service {
        Service::ServiceCatalog => super::service_catalog::call(world, call),
        Service::SageMaker => super::sagemaker::call(world, call),
        Service::CloudFormation => super::cloudformation::call(world, call),
        Service::Sts => super::sts::call(world, call),
        Service::Iam => super::iam::call(world, call),
        Service::CodeConnections => super::code_connections::call(world, call),
        Service::SecretsManager => super::secrets_manager::call(world, call),
        Service::Events => super::events::call(world, call),
        Service::Lambda => super::lambda::call(world, call),
        Service::CodeBuild => super::codebuild::call(world, call),
        Service::Sqs => super::sqs::call(world, call),
        Service::Tagging => super::tagging::call(world, call),
        Service::S3 => Err(Refusal::new("UnknownOperationException", "S3 is asked by HTTP requests only")),
    }
}

/// How long the request waits for messages of a queue, if it was answered with none. No other request waits.
pub fn patience(world: &mut World, address: &Address, answer: &Answer) -> std::time::Duration {
    let waits = address.service == Some(Service::Sqs) && address.operation == "ReceiveMessage";
    let empty = answer.response.status().is_success() && answer.output["Messages"].is_null();
    match admit(world, address) {
        Ok((_, caller, region)) if waits && empty => {
            let call = Call { operation: &address.operation, input: &answer.input, caller: &caller, region: &region };
            super::sqs::patience(world, &call)
        }
        _ => std::time::Duration::ZERO,
    }
}

/// Whether the caller's permissions let it do this. Calls that services make to each other with a role may ask
/// here as well.
///
/// # Errors
/// The service's own refusal, where IAM was told to deny the action.
pub fn allowed(world: &World, caller: &Caller, service: Service, operation: &str) -> Result<(), Refusal> {
    // GetCallerIdentity needs no permission and cannot be denied (STS API reference).
    if (service, operation) == (Service::Sts, "GetCallerIdentity") {
        return Ok(());
    }
    let action = match service {
        Service::S3 => format!("s3:{}", s3_action(operation)),
        Service::Lambda if operation == "Invoke" => "lambda:InvokeFunction".to_owned(),
        // A batch needs the permission of its single call ("Amazon SQS API permissions" in the developer guide).
        Service::Sqs => format!("sqs:{}", operation.strip_suffix("Batch").unwrap_or(operation)),
        // The prefix of its actions is not the name that its calls are signed with ("Actions, resources, and condition keys for
        // Amazon Resource Group Tagging API").
        Service::Tagging => format!("tag:{operation}"),
        _ => format!("{}:{operation}", service.name()),
    };
    match world.iam.denied(&caller.principal, &action) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

/// The same for a request that takes one of the caller's calls.
fn let_in(
    world: &mut World,
    address: &Address,
    request: &Request<Bytes>,
) -> Result<(Service, Caller, String), Refusal> {
    let (service, caller, region) = admit(world, address)?;
    super::rate_limits::take(world, &caller, &region, address, request)?;
    Ok((service, caller, region))
}

/// The service, the caller and the region of a request, if it may go in.
fn admit(world: &World, address: &Address) -> Result<(Service, Caller, String), Refusal> {
    let Some(credential) = &address.credential else {
        let refusal = match address.service {
            Some(Service::S3) => Refusal::new("AccessDenied", "Access Denied"),
            _ => Refusal::new("MissingAuthenticationTokenException", "Missing Authentication Token"),
        };
        return Err(refusal.with_status(403));
    };
    let Some(service) = address.service else { return Err(address.unknown()) };
    let key = &credential.access_key_id;
    let expired = world.iam.expired(key, world.now);
    let caller = world.iam.caller(key).filter(|_| !expired).ok_or_else(|| bad_token(service, expired))?;
    if address.operation.is_empty() {
        return Err(address.unknown());
    }
    allowed(world, &caller, service, &address.operation)?;
    Ok((service, caller, credential.region.clone()))
}

/// How a service refuses an access key: STS, IAM and CloudFormation, S3, and the JSON services differ.
fn bad_token(service: Service, expired: bool) -> Refusal {
    let message = if expired {
        "The security token included in the request is expired"
    } else {
        "The security token included in the request is invalid."
    };
    let (code, status) = match (service, expired) {
        (Service::S3, true) => ("ExpiredToken", 400),
        (Service::S3, false) => ("InvalidAccessKeyId", 403),
        (Service::Sts | Service::Iam | Service::CloudFormation, true) => ("ExpiredToken", 403),
        (Service::Sts | Service::Iam | Service::CloudFormation, false) => ("InvalidClientTokenId", 403),
        (_, true) => ("ExpiredTokenException", 400),
        (_, false) => ("UnrecognizedClientException", 400),
    };
    Refusal::new(code, message).with_status(status)
}

/// What IAM calls the permission for an S3 operation, where the two differ (Service Authorization Reference).
pub fn s3_action(operation: &str) -> &str {
    match operation {
        "ListBuckets" => "ListAllMyBuckets",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "HeadObject" => "GetObject",
        "DeleteObjects" => "DeleteObject",
        "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload" => {
            "PutObject"
        }
        "ListParts" => "ListMultipartUploadParts",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "GetBucketEncryption" => "GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "PutEncryptionConfiguration",
        "GetPublicAccessBlock" => "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => "PutBucketPublicAccessBlock",
        "GetObjectLockConfiguration" => "GetBucketObjectLockConfiguration",
        "PutObjectLockConfiguration" => "PutBucketObjectLockConfiguration",
        "DeleteBucketTagging" => "PutBucketTagging",
        "DeleteBucketOwnershipControls" => "PutBucketOwnershipControls",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => "PutLifecycleConfiguration",
        other => other,
    }
}

fn with_id(mut response: Response<Bytes>, id: &str) -> Response<Bytes> {
    if let Ok(id) = http::HeaderValue::try_from(id) {
        response.headers_mut().entry("x-amz-request-id").or_insert(id);
    }
    response
}

/// The caller that `/_sandbox` and services act as when nobody in particular does: the account's administrator.
pub fn administrator(account: &str) -> Caller {
    let arn = format!("arn:aws:iam::{account}:user/administrator");
    Caller { account: account.to_owned(), arn: arn.clone(), principal: arn }
}
