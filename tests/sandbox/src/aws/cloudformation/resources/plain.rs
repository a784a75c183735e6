//! Things whose services have no module here: log groups, alarms and wait handles are plain
//! records of CloudFormation's own. Their names are checked as their services would.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Kind, Place, made, named, text};
use crate::aws::cloudformation::evaluate::{Made, partition};
use crate::world::World;

/// What exists: properties by type and name.
pub(in super::super) type Records = BTreeMap<(&'static str, String), Value>;

const LOG_GROUP: &str = "AWS::Logs::LogGroup";
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
        name: ALARM,
        properties: &[
            "AlarmName",
            "AlarmDescription",
            "Namespace",
            "MetricName",
            "Metrics",
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
            judge_alarm(properties)?;
            let name = named(world, place, properties, "AlarmName", 255);
            record(world, place, ALARM, &name, properties, 255, "_-/.# ")?;
            Ok(alarm(place, &name))
        },
        update: |world, place, name, _, new| {
            judge_alarm(new)?;
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

pub(super) fn arn(place: &Place<'_>, service: &str, rest: &str) -> Value {
    json!(format!("arn:{}:{service}:{}:{}:{rest}", partition(place.region).0, place.region, place.account))
}

fn log_group(place: &Place<'_>, name: &str) -> Made {
    made(name, &[("Arn", arn(place, "logs", &format!("log-group:{name}:*")))])
}

/// An alarm watches one metric, or what is computed of several: of those exactly one is given back, and only one that is not
/// says so. What an expression means is not known here.
fn judge_alarm(properties: &Value) -> Result<(), String> {
    let refused =
        |why: &str| Err(format!("Resource handler returned message: \"{why}\" (HandlerErrorCode: InvalidRequest)"));
    let Some(metrics) = properties.get("Metrics") else {
        return match properties.get("MetricName") {
            Some(_) => Ok(()),
            None => refused("An alarm needs MetricName or Metrics"),
        };
    };
    let of_one = ["MetricName", "Namespace", "Dimensions", "Statistic", "Period"];
    if let Some(name) = of_one.into_iter().find(|name| properties.get(name).is_some()) {
        return refused(&format!("{name} must not be set if Metrics is"));
    }
    let metrics = metrics.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ids = BTreeSet::new();
    for metric in metrics {
        let id = metric["Id"].as_str().unwrap_or_default();
        let of_id = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        if !id.starts_with(|sign: char| sign.is_ascii_lowercase()) || !id.chars().all(of_id) || !ids.insert(id) {
            return refused(&format!("the Id '{id}' must begin with a lower-case letter, and be there once"));
        }
        if metric.get("Expression").is_some() == metric.get("MetricStat").is_some() {
            return refused(&format!("{id} must have either Expression or MetricStat"));
        }
    }
    let hidden =
        |metric: &&Value| matches!(&metric["ReturnData"], Value::Bool(false)) || metric["ReturnData"] == "false";
    if metrics.len() != metrics.iter().filter(hidden).count() + 1 {
        return refused("Exactly one element of the metrics list should return data");
    }
    Ok(())
}

fn alarm(place: &Place<'_>, name: &str) -> Made {
    made(name, &[("Arn", arn(place, "cloudwatch", &format!("alarm:{name}")))])
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
