//! TagResources and UntagResources: tags put on and taken off through the operation of each resource's own service, which the
//! caller must be allowed as well. Apart from what looks for tags, which changes nothing. It must not write a tag itself.
//!
//! Rules: the API reference of TagResources and UntagResources, and of FailureInfo.

use serde_json::{Map, Value, json};

use super::{Call, Outcome, Refusal};
use crate::wire::Service;
use crate::world::World;

/// Resources of a call at most (API model).
const MOST: usize = 20;

/// What is done to each resource.
enum Change<'a> {
    /// These tags are put on.
    Put(&'a Map<String, Value>),
    /// The tags of these keys are taken off.
    Take(&'a [Value]),
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Outcome {
    let tags = call.input.get("Tags").and_then(Value::as_object).filter(|tags| !tags.is_empty());
    each(world, call, &Change::Put(tags.ok_or_else(|| invalid("Tags must have 1 member at least"))?))
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.list("TagKeys") {
        [] => Err(invalid("TagKeys must have 1 member at least")),
        keys => each(world, call, &Change::Take(keys)),
    }
}

/// Changes each resource; those that fail are told, the others are changed nevertheless.
fn each(world: &mut World, call: &Call<'_>, change: &Change<'_>) -> Outcome {
    let arns = call.list("ResourceARNList");
    if arns.is_empty() || arns.len() > MOST {
        return Err(invalid(format!("ResourceARNList must have 1 to {MOST} members")));
    }
    let mut failed = Map::new();
    for arn in arns.iter().filter_map(Value::as_str) {
        if let Err(refusal) = one(world, call, arn, change) {
            let told = json!({"StatusCode": refusal.status, "ErrorCode": "InvalidParameterException", "ErrorMessage": refusal.message});
            failed.insert(arn.to_owned(), told);
        }
    }
    Ok(json!({"FailedResourcesMap": failed}))
}

fn one(world: &mut World, call: &Call<'_>, arn: &str, change: &Change<'_>) -> Outcome {
    let [_, _, service, region, account, ..] = arn.split(':').collect::<Vec<_>>()[..] else {
        return Err(invalid(format!("{arn} is not an ARN")));
    };
    if let Some(bucket) = arn.strip_prefix("arn:").and_then(|rest| rest.split_once(":s3:::")).map(|(_, name)| name) {
        return own_bucket(world, call, bucket, change);
    }
    if region != call.region || account != call.caller.account {
        return Err(invalid(format!("{arn} is not a resource of this account and region")));
    }
    let (service, operation, input) = own(service, region, account, arn, change)
        .ok_or_else(|| invalid(format!("The sandbox does not change tags of {arn} here; its service does")))?;
    super::dispatch::allowed(world, call.caller, service, operation)?;
    super::dispatch::serve(world, service, &Call { operation, input: &input, ..*call })
}

/// A bucket's tags, which S3 changes as a whole: those of before with the change. Its ARN names neither region nor account
/// (Service Authorization Reference, "Resource types defined by Amazon S3").
fn own_bucket(world: &mut World, call: &Call<'_>, name: &str, change: &Change<'_>) -> Outcome {
    super::dispatch::allowed(world, call.caller, Service::S3, "PutBucketTagging")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (put, take): (Vec<(String, String)>, Vec<String>) = match change {
        Change::Put(tags) => (tags.iter().map(|(key, value)| (key.clone(), text(value))).collect(), Vec::new()),
        Change::Take(keys) => (Vec::new(), keys.iter().map(text).collect()),
    };
    super::s3::retag(world, call.caller, call.region, name, put, &take)?;
    Ok(Value::Null)
}

/// The call that the resource's own service takes.
fn own(
    service: &str,
    region: &str,
    account: &str,
    arn: &str,
    change: &Change<'_>,
) -> Option<(Service, &'static str, Value)> {
    let (service, put, take, member, listed) = match service {
        "sqs" => (Service::Sqs, "TagQueue", "UntagQueue", "QueueUrl", false),
        "lambda" => (Service::Lambda, "TagResource", "UntagResource", "Resource", false),
        "events" => (Service::Events, "TagResource", "UntagResource", "ResourceARN", true),
        "secretsmanager" => (Service::SecretsManager, "TagResource", "UntagResource", "SecretId", true),
        "sagemaker" => (Service::SageMaker, "AddTags", "DeleteTags", "ResourceArn", true),
        _ => return None,
    };
    let name = match service {
        Service::Sqs => {
            let domain = super::cloudformation::partition(region).1;
            format!("https://sqs.{region}.{domain}/{account}/{}", arn.rsplit(':').next().unwrap_or_default())
        }
        _ => arn.to_owned(),
    };
    Some(match change {
        Change::Put(tags) => {
            let list = || tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>();
            let tags = if listed { json!(list()) } else { json!(tags) };
            (service, put, json!({member: name, "Tags": tags}))
        }
        Change::Take(keys) => (service, take, json!({member: name, "TagKeys": keys})),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::aws::dispatch::{administrator, serve};
    use crate::world::Settings;

    use super::*;

    fn ask(world: &mut World, service: Service, operation: &str, input: &Value) -> Outcome {
        let caller = administrator("111122223333");
        serve(world, service, &Call { operation, input, caller: &caller, region: "eu-west-1" })
    }

    fn make_bucket(world: &mut World, name: &str, region: &str) {
        let body = match region {
            "us-east-1" => String::new(),
            _ => format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            ),
        };
        let request = http::Request::put(format!("/{name}")).body(bytes::Bytes::from(body)).unwrap();
        let answer = crate::aws::s3::handle(world, &administrator("111122223333"), region, &request);
        assert_eq!(answer.status(), 200, "{name}");
    }

    #[test]
    fn tags_are_put_on_and_taken_off_by_the_services_of_the_resources() {
        let mut world = World::new(Settings::default(), jiff::Timestamp::UNIX_EPOCH);
        let pattern = "{\"source\":[\"s\"]}";
        ask(&mut world, Service::Sqs, "CreateQueue", &json!({"QueueName": "q"})).unwrap();
        ask(&mut world, Service::Events, "PutRule", &json!({"Name": "r", "EventPattern": pattern})).unwrap();
        let group = json!({"ModelPackageGroupName": "g"});
        ask(&mut world, Service::SageMaker, "CreateModelPackageGroup", &group).unwrap();
        let secret = json!({"Name": "s", "SecretString": "x", "ClientRequestToken": "t".repeat(32)});
        let secret = ask(&mut world, Service::SecretsManager, "CreateSecret", &secret).unwrap()["ARN"].clone();
        let arn = |rest: &str| json!(format!("arn:aws:{rest}").replace("HERE", "eu-west-1:111122223333"));
        for (name, region) in [("ours", "eu-west-1"), ("east", "us-east-1")] {
            make_bucket(&mut world, name, region);
        }
        let good = [
            arn("sqs:HERE:q"),
            arn("events:HERE:rule/r"),
            arn("sagemaker:HERE:model-package-group/g"),
            secret,
            arn("s3:::ours"),
        ];
        let bad = [
            ("a queue that is not there", arn("sqs:HERE:none")),
            ("another region", arn("sqs:eu-central-1:111122223333:q")),
            ("a service that does it itself", arn("codebuild:HERE:project/p")),
            ("no ARN", json!("q")),
            ("a bucket that is not there", arn("s3:::none")),
            ("a bucket of another region", arn("s3:::east")),
            ("an object", arn("s3:::ours/key")),
        ];
        let all: Vec<&Value> = good.iter().chain(bad.iter().map(|(_, arn)| arn)).collect();
        let put = ask(
            &mut world,
            Service::Tagging,
            "TagResources",
            &json!({"ResourceARNList": all, "Tags": {"a": "1", "b": "2"}}),
        );
        let failed = put.unwrap()["FailedResourcesMap"].clone();
        for (case, arn) in &bad {
            assert_eq!(failed[arn.as_str().unwrap()]["ErrorCode"], "InvalidParameterException", "{case}");
        }
        assert_eq!(failed.as_object().unwrap().len(), bad.len(), "{failed}");
        let take = json!({"ResourceARNList": good, "TagKeys": ["a"]});
        let failed = ask(&mut world, Service::Tagging, "UntagResources", &take).unwrap()["FailedResourcesMap"].clone();
        assert_eq!(failed, json!({}));
        let found = ask(&mut world, Service::Tagging, "GetResources", &json!({})).unwrap();
        let found = found["ResourceTagMappingList"].as_array().unwrap();
        assert_eq!(found.len(), good.len(), "{found:?}");
        assert!(found.iter().all(|one| one["Tags"] == json!([{"Key": "b", "Value": "2"}])), "{found:?}");
    }

    #[test]
    fn a_caller_must_be_allowed_what_the_service_asks_for() {
        let mut world = World::new(Settings::default(), jiff::Timestamp::UNIX_EPOCH);
        ask(&mut world, Service::Sqs, "CreateQueue", &json!({"QueueName": "q"})).unwrap();
        world.iam.deny("*", "sqs:TagQueue");
        let arn = "arn:aws:sqs:eu-west-1:111122223333:q";
        let input = json!({"ResourceARNList": [arn], "Tags": {"a": "1"}});
        let failed = ask(&mut world, Service::Tagging, "TagResources", &input).unwrap()["FailedResourcesMap"].clone();
        assert!(failed[arn]["ErrorMessage"].as_str().unwrap().contains("sqs:TagQueue"), "{failed}");
        make_bucket(&mut world, "ours", "eu-west-1");
        world.iam.deny("*", "s3:PutBucketTagging");
        let bucket = json!({"ResourceARNList": ["arn:aws:s3:::ours"], "Tags": {"a": "1"}});
        let failed = ask(&mut world, Service::Tagging, "TagResources", &bucket).unwrap()["FailedResourcesMap"].clone();
        assert!(failed["arn:aws:s3:::ours"]["ErrorMessage"].is_string(), "{failed}");
        for (case, operation, input) in [
            ("no tags", "TagResources", json!({"ResourceARNList": [arn], "Tags": {}})),
            ("no keys", "UntagResources", json!({"ResourceARNList": [arn], "TagKeys": []})),
            ("no resources", "TagResources", json!({"ResourceARNList": [], "Tags": {"a": "1"}})),
        ] {
            let refused = ask(&mut world, Service::Tagging, operation, &input).unwrap_err();
            assert_eq!(refused.code, "InvalidParameterException", "{case}");
        }
    }
}
