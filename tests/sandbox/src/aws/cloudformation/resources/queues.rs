//! `AWS::SQS::Queue` and `AWS::SQS::QueuePolicy`: queues of SQS, of which the stack keeps a record as well. They stand
//! alone because a queue and its policy meet in one attribute. It must not know what a message is.

use serde_json::{Map, Value, json};

use super::plain::{arn, forget, record, replace};
use super::{Kind, Place, Service, document, dropped_tags, generated, made, named};
use crate::aws::cloudformation::evaluate::{Made, partition};
use crate::world::World;

const SQS: Service = Service { name: "Sqs", call: crate::aws::sqs::call };
const QUEUE: &str = "AWS::SQS::Queue";
const QUEUE_POLICY: &str = "AWS::SQS::QueuePolicy";

/// Properties that are attributes of the same names, and what the queue has without them (template reference).
const ATTRIBUTES: [(&str, &str); 9] = [
    ("DelaySeconds", "0"),
    ("KmsMasterKeyId", ""),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("SqsManagedSseEnabled", "true"),
    ("VisibilityTimeout", "30"),
];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: QUEUE,
        properties: &[
            "QueueName",
            "MessageRetentionPeriod",
            "VisibilityTimeout",
            "DelaySeconds",
            "MaximumMessageSize",
            "SqsManagedSseEnabled",
            "KmsMasterKeyId",
            "ReceiveMessageWaitTimeSeconds",
            "RedriveAllowPolicy",
            "RedrivePolicy",
            "Tags",
        ],
        required: &[],
        replaced_by: &["QueueName"],
        attributes: &["Arn", "QueueName", "QueueUrl"],
        tagged: true,
        create,
        update,
        delete: |world, place, url, _| {
            SQS.retire(world, place, "DeleteQueue", &json!({"QueueUrl": url}))?;
            forget(world, place, QUEUE, queue_name(url))
        },
    },
    Kind {
        name: QUEUE_POLICY,
        properties: &["PolicyDocument", "Queues"],
        required: &["PolicyDocument", "Queues"],
        replaced_by: &[],
        attributes: &["Id"],
        tagged: false,
        create: |world, place, properties| {
            let id = generated(world, place, 255);
            put_policy(world, place, properties)?;
            record(world, place, QUEUE_POLICY, &id, properties, 255, "-")?;
            Ok(made(id.clone(), &[("Id", json!(id))]))
        },
        update: |world, place, id, old, new| {
            put_policy(world, place, new)?;
            let kept = urls(new);
            let dropped: Vec<String> = urls(old).into_iter().filter(|url| !kept.contains(url)).collect();
            take_policy(world, place, &dropped)?;
            replace(world, place, QUEUE_POLICY, id, new);
            Ok(made(id, &[("Id", json!(id))]))
        },
        delete: |world, place, id, properties| {
            take_policy(world, place, &urls(properties))?;
            forget(world, place, QUEUE_POLICY, id)
        },
    },
];

fn create(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = named(world, place, properties, "QueueName", 80);
    // CreateQueue would give the URL of a queue that is there already.
    if SQS.send(world, place, "GetQueueUrl", &json!({"QueueName": name})).is_ok() {
        return Err(format!(
            "Resource handler returned message: \"Resource of type '{QUEUE}' with identifier '{name}' already exists.\" (HandlerErrorCode: AlreadyExists)"
        ));
    }
    // The record checks the name before the service does.
    forget(world, place, QUEUE, &name)?;
    record(world, place, QUEUE, &name, properties, 80, "_-")?;
    let given: Map<String, Value> = ATTRIBUTES
        .iter()
        .filter_map(|(name, _)| Some(((*name).to_owned(), Value::String(document(properties, name)?))))
        .collect();
    let input = json!({"QueueName": name, "Attributes": given, "tags": tag_map(properties)});
    match SQS.ask(world, place, "CreateQueue", &input) {
        Ok(_) => Ok(queue(place, &name)),
        Err(reason) => {
            forget(world, place, QUEUE, &name)?;
            Err(reason)
        }
    }
}

fn update(world: &mut World, place: &Place<'_>, url: &str, old: &Value, new: &Value) -> Result<Made, String> {
    let changed: Map<String, Value> = ATTRIBUTES
        .iter()
        .filter(|(name, _)| old.get(name) != new.get(name))
        .map(|(name, default)| {
            let value = document(new, name).unwrap_or_else(|| (*default).to_owned());
            ((*name).to_owned(), Value::String(value))
        })
        .collect();
    if !changed.is_empty() {
        SQS.ask(world, place, "SetQueueAttributes", &json!({"QueueUrl": url, "Attributes": changed}))?;
    }
    let dropped = dropped_tags(old, new);
    if !dropped.is_empty() {
        SQS.ask(world, place, "UntagQueue", &json!({"QueueUrl": url, "TagKeys": dropped}))?;
    }
    if old.get("Tags") != new.get("Tags") && new.get("Tags").is_some() {
        SQS.ask(world, place, "TagQueue", &json!({"QueueUrl": url, "Tags": tag_map(new)}))?;
    }
    replace(world, place, QUEUE, queue_name(url), new);
    Ok(queue(place, queue_name(url)))
}

fn tag_map(properties: &Value) -> Value {
    let tags = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].clone()))).collect::<Map<_, _>>().into()
}

fn urls(properties: &Value) -> Vec<String> {
    let urls = properties["Queues"].as_array().into_iter().flatten();
    urls.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Puts the policy on each queue, which is known by its URL alone.
fn put_policy(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<(), String> {
    for url in urls(properties) {
        let known = SQS.send(world, place, "GetQueueUrl", &json!({"QueueName": queue_name(&url)}));
        if known.is_ok_and(|known| known["QueueUrl"] == url.as_str()) {
            continue;
        }
        return Err(format!(
            "Resource handler returned message: \"The specified queue does not exist: {url}\" (HandlerErrorCode: NotFound)"
        ));
    }
    let policy = document(properties, "PolicyDocument");
    for url in urls(properties) {
        SQS.ask(world, place, "SetQueueAttributes", &json!({"QueueUrl": url, "Attributes": {"Policy": policy}}))?;
    }
    Ok(())
}

fn take_policy(world: &mut World, place: &Place<'_>, urls: &[String]) -> Result<(), String> {
    for url in urls {
        SQS.retire(world, place, "SetQueueAttributes", &json!({"QueueUrl": url, "Attributes": {"Policy": ""}}))?;
    }
    Ok(())
}

fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn queue(place: &Place<'_>, name: &str) -> Made {
    let url = format!("https://sqs.{}.{}/{}/{name}", place.region, partition(place.region).1, place.account);
    made(url.clone(), &[("Arn", arn(place, "sqs", name)), ("QueueName", json!(name)), ("QueueUrl", json!(url))])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use crate::aws::dispatch::administrator;
    use crate::aws::{Call, cloudformation, sqs};
    use crate::world::Settings;

    use super::*;

    struct Bench(World);

    impl Bench {
        fn stack(&mut self, operation: &str, template: &str) {
            let mut input = json!({"StackName": "s"});
            if !template.is_empty() {
                input["TemplateBody"] = json!(template);
            }
            let caller = administrator("111122223333");
            let call = Call { operation, input: &input, caller: &caller, region: "eu-west-1" };
            cloudformation::call(&mut self.0, &call).unwrap();
            let later = self.0.after(Duration::from_secs(60));
            self.0.advance(later);
        }

        fn queues(&mut self) -> Value {
            self.0.region("111122223333", "eu-west-1").sqs.dump()
        }

        fn ask(&mut self, operation: &str, input: &Value) -> Value {
            let caller = administrator("111122223333");
            sqs::call(&mut self.0, &Call { operation, input, caller: &caller, region: "eu-west-1" }).unwrap()
        }
    }

    #[test]
    fn a_stack_has_its_queues_in_sqs() {
        let dead = "Resources:\n  Dead: {Type: 'AWS::SQS::Queue', Properties: {QueueName: dead, Tags: [{Key: a, Value: '1'}]}}\n";
        let queue = "  Queue: {Type: 'AWS::SQS::Queue', Properties: {QueueName: q, VisibilityTimeout: 5, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}}}\n";
        let policy = "  Policy: {Type: 'AWS::SQS::QueuePolicy', Properties: {Queues: [!Ref Dead], PolicyDocument: {Statement: []}}}\n";
        let mut bench = Bench(World::new(Settings::default(), jiff::Timestamp::UNIX_EPOCH));
        bench.stack("CreateStack", &format!("{dead}{queue}{policy}"));
        let made = bench.queues();
        assert_eq!(made["dead"]["tags"]["a"], "1", "{made}");
        assert_eq!(made["dead"]["attributes"]["Policy"], r#"{"Statement":[]}"#, "{made}");
        assert_eq!(made["q"]["attributes"]["VisibilityTimeout"], "5", "{made}");
        assert_eq!(
            bench.ask("GetQueueUrl", &json!({"QueueName": "q"}))["QueueUrl"],
            "https://sqs.eu-west-1.amazonaws.com/111122223333/q"
        );
        bench.stack("UpdateStack", &format!("{dead}{}", queue.replace("VisibilityTimeout: 5", "DelaySeconds: 7")));
        let changed = bench.queues();
        assert_eq!(changed["dead"]["attributes"]["Policy"], Value::Null, "{changed}");
        assert_eq!(changed["q"]["attributes"]["VisibilityTimeout"], "30", "{changed}");
        assert_eq!(changed["q"]["attributes"]["DelaySeconds"], "7", "{changed}");
        bench.stack("UpdateStack", &format!("{dead}{}", queue.replace("QueueName: q", "QueueName: r")));
        let replaced = bench.queues();
        assert_eq!((&replaced["q"], &replaced["r"]["attributes"]["VisibilityTimeout"]), (&Value::Null, &json!("5")));
        bench.stack("DeleteStack", "");
        assert_eq!(bench.queues(), json!({}));
    }
}
