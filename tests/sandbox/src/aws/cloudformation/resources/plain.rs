//! Things whose services have no module here: log groups, queues, their policies, alarms and wait handles are plain
//! records of CloudFormation's own. Their names are checked as their services would.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kind, Place, generated, made, named, text};
use crate::aws::cloudformation::evaluate::{Made, partition};
use crate::world::World;

/// What exists: properties by type and name.
pub(in super::super) type Records = BTreeMap<(&'static str, String), Value>;

const LOG_GROUP: &str = "AWS::Logs::LogGroup";
const QUEUE: &str = "AWS::SQS::Queue";
const QUEUE_POLICY: &str = "AWS::SQS::QueuePolicy";
const ALARM: &str = "AWS::CloudWatch::Alarm";
const HANDLE: &str = "AWS::CloudFormation::WaitConditionHandle";

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: LOG_GROUP,
        properties: &["LogGroupName", "RetentionInDays", "KmsKeyId", "LogGroupClass", "Tags"],
        required: &[],
        replaced_by: &["LogGroupName"],
        attributes: &["Arn"],
        tagged: true,
        create: |world, place, properties| {
            let name = named(world, place, properties, "LogGroupName", 512);
            record(world, place, LOG_GROUP, &name, properties, 512, "_-/.#")?;
            Ok(log_group(place, &name))
        },
        update: |world, place, name, _, new| {
            replace(world, place, LOG_GROUP, name, new);
            Ok(log_group(place, name))
        },
        delete: |world, place, name, _| forget(world, place, LOG_GROUP, name),
    },
    Kind {
        name: QUEUE,
        properties: &[
            "QueueName",
            "MessageRetentionPeriod",
            "VisibilityTimeout",
            "DelaySeconds",
            "SqsManagedSseEnabled",
            "KmsMasterKeyId",
            "ReceiveMessageWaitTimeSeconds",
            "RedrivePolicy",
            "Tags",
        ],
        required: &[],
        replaced_by: &["QueueName"],
        attributes: &["Arn", "QueueName", "QueueUrl"],
        tagged: true,
        create: |world, place, properties| {
            let name = named(world, place, properties, "QueueName", 80);
            record(world, place, QUEUE, &name, properties, 80, "_-")?;
            Ok(queue(place, &name))
        },
        update: |world, place, url, _, new| {
            replace(world, place, QUEUE, queue_name(url), new);
            Ok(queue(place, queue_name(url)))
        },
        delete: |world, place, url, _| forget(world, place, QUEUE, queue_name(url)),
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
            queues_exist(world, place, properties)?;
            record(world, place, QUEUE_POLICY, &id, properties, 255, "-")?;
            Ok(made(id.clone(), &[("Id", json!(id))]))
        },
        update: |world, place, id, _, new| {
            queues_exist(world, place, new)?;
            replace(world, place, QUEUE_POLICY, id, new);
            Ok(made(id, &[("Id", json!(id))]))
        },
        delete: |world, place, id, _| forget(world, place, QUEUE_POLICY, id),
    },
    Kind {
        name: ALARM,
        properties: &[
            "AlarmName",
            "AlarmDescription",
            "Namespace",
            "MetricName",
            "Dimensions",
            "Statistic",
            "Period",
            "EvaluationPeriods",
            "Threshold",
            "ComparisonOperator",
            "TreatMissingData",
            "AlarmActions",
            "OKActions",
            "DatapointsToAlarm",
            "Tags",
        ],
        required: &["ComparisonOperator", "EvaluationPeriods"],
        replaced_by: &["AlarmName"],
        attributes: &["Arn"],
        tagged: true,
        create: |world, place, properties| {
            let name = named(world, place, properties, "AlarmName", 255);
            record(world, place, ALARM, &name, properties, 255, "_-/.# ")?;
            Ok(alarm(place, &name))
        },
        update: |world, place, name, _, new| {
            replace(world, place, ALARM, name, new);
            Ok(alarm(place, name))
        },
        delete: |world, place, name, _| forget(world, place, ALARM, name),
    },
    Kind {
        name: HANDLE,
        properties: &[],
        required: &[],
        replaced_by: &[],
        attributes: &[],
        tagged: false,
        create: |world, place, _| {
            let url = format!(
                "https://cloudformation-waitcondition-{}.s3.{}/{}/{}/{}",
                place.region,
                partition(place.region).1,
                place.stack_id.replace([':', '/'], "%3A"),
                place.logical_id,
                world.ids.uuid()
            );
            Ok(made(url, &[]))
        },
        update: |_, _, url, _, _| Ok(made(url, &[])),
        delete: |_, _, _, _| Ok(()),
    },
];

fn records<'w>(world: &'w mut World, place: &Place<'_>) -> &'w mut Records {
    &mut world.region(place.account, place.region).cloudformation.records
}

pub(super) fn record(
    world: &mut World,
    place: &Place<'_>,
    kind: &'static str,
    name: &str,
    properties: &Value,
    limit: usize,
    signs: &str,
) -> Result<(), String> {
    let allowed = |sign: char| sign.is_ascii_alphanumeric() || signs.contains(sign);
    if name.is_empty() || name.chars().count() > limit || !name.chars().all(allowed) {
        return Err(format!(
            "Properties validation failed for resource {} with message: the name '{name}' must have 1 to {limit} characters, letters, digits and {signs}",
            place.logical_id
        ));
    }
    let records = records(world, place);
    if records.contains_key(&(kind, name.to_owned())) {
        return Err(format!(
            "Resource handler returned message: \"Resource of type '{kind}' with identifier '{name}' already exists.\" (HandlerErrorCode: AlreadyExists)"
        ));
    }
    records.insert((kind, name.to_owned()), properties.clone());
    Ok(())
}

pub(super) fn replace(world: &mut World, place: &Place<'_>, kind: &'static str, name: &str, properties: &Value) {
    records(world, place).insert((kind, name.to_owned()), properties.clone());
}

pub(super) fn forget(world: &mut World, place: &Place<'_>, kind: &'static str, name: &str) -> Result<(), String> {
    records(world, place).remove(&(kind, name.to_owned()));
    Ok(())
}

fn arn(place: &Place<'_>, service: &str, rest: &str) -> Value {
    json!(format!("arn:{}:{service}:{}:{}:{rest}", partition(place.region).0, place.region, place.account))
}

fn log_group(place: &Place<'_>, name: &str) -> Made {
    made(name, &[("Arn", arn(place, "logs", &format!("log-group:{name}:*")))])
}

fn alarm(place: &Place<'_>, name: &str) -> Made {
    made(name, &[("Arn", arn(place, "cloudwatch", &format!("alarm:{name}")))])
}

/// SetQueueAttributes, which puts the policy on each queue, knows a queue by its URL.
fn queues_exist(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<(), String> {
    let urls = properties["Queues"].as_array().cloned().unwrap_or_default();
    for url in urls.iter().filter_map(Value::as_str) {
        let name = queue_name(url);
        let known = records(world, place).contains_key(&(QUEUE, name.to_owned()));
        if !known || queue(place, name).physical_id != url {
            return Err(format!(
                "Resource handler returned message: \"The specified queue does not exist: {url}\" (HandlerErrorCode: NotFound)"
            ));
        }
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

/// For the dump: text of a record's properties.
pub(in super::super) fn shown(records: &Records) -> Value {
    records
        .iter()
        .map(|((kind, name), properties)| {
            (
                format!("{kind} {name}"),
                json!({
                    "Tags": properties.get("Tags"), "Retention": text(properties, "RetentionInDays"),
                    "Policy": properties.get("PolicyDocument"),
                }),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
