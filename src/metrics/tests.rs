//! What is counted stands in the text, under names and labels that the table has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_366_400 + second).unwrap()
}

fn condition(type_: &str, status: &str, reason: &str, since: i64) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: Time(at(since)),
    }
}

fn taxi() -> Arc<ObjectName> {
    Arc::new(ObjectName { kind: "project", namespace: "ml-team".into(), name: "taxi".into() })
}

/// Metrics of which each has something to tell.
fn told() -> Metrics {
    let metrics = Metrics::default();
    metrics.leads(true);
    metrics.reconcile_begins();
    metrics.reconcile_ends("project", "settled", Duration::from_millis(20));
    metrics.waiting("project", Lane::User, 2, Some(at(0)));
    metrics.waited("project", Lane::Routine, Duration::from_secs(2));
    metrics.called("SageMaker", "DescribeProject", CallOutcome::Ok);
    metrics.status_written();
    metrics.stands(taxi(), at(0), &[condition("Ready", "Unknown", "Progressing", 1)], at(1));
    metrics.stands(taxi(), at(0), &[condition("Ready", "True", "Succeeded", 90)], at(90));
    let labels = BudgetLabels {
        remote: "Service Catalog".to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    let meters = metrics.budget(&labels);
    meters.rate.set(12.5);
    meters.waited.inc_by(0.25);
    meters.throttles.inc();
    meters.took(Class::Read, Duration::from_millis(300));
    metrics
}

/// A sample's name, the names of its labels, and its labels with their values.
type Sample<'a> = (&'a str, BTreeSet<&'a str>, Vec<(&'a str, &'a str)>);

fn samples(text: &str) -> Vec<Sample<'_>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, rest) = line.split_once(['{', ' ']).unwrap();
            let inside = rest.rsplit_once('}').map_or("", |(inside, _)| inside);
            let labels: Vec<(&str, &str)> = inside
                .split("\",")
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once("=\"").unwrap())
                .map(|(name, value)| (name, value.trim_end_matches('"')))
                .collect();
            (name, labels.iter().map(|(name, _)| *name).collect(), labels)
        })
        .collect()
}

#[test]
fn every_metric_stands_in_the_table_with_its_type_and_its_labels() {
    let text = told().text();
    let typed: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let declared: Vec<(String, &str)> = table::all().map(|metric| (metric.family(), metric.type_.as_str())).collect();
    let wanted: BTreeMap<&str, &str> = declared.iter().map(|(name, type_)| (name.as_str(), *type_)).collect();
    assert_eq!(typed, wanted);
    for metric in table::all() {
        let name = metric.query_name();
        let names: Vec<String> = match metric.type_ {
            table::Type::Histogram => ["_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")).to_vec(),
            _ => vec![name],
        };
        let labels: BTreeSet<&str> = metric.labels.iter().map(|(name, _)| *name).collect();
        for name in &names {
            let samples = samples(&text);
            let mut found = samples.iter().filter(|(sample, ..)| sample == name).peekable();
            assert!(found.peek().is_some(), "{name} tells nothing: {text}");
            for (_, shown, _) in found {
                let shown: BTreeSet<&str> = shown.iter().copied().filter(|label| *label != "le").collect();
                assert_eq!(shown, labels, "{name}");
            }
        }
    }
}

#[test]
fn label_values_are_in_lower_case_and_without_blanks() {
    let text = told().text();
    for (name, _, labels) in samples(&text) {
        for (label, value) in labels.into_iter().filter(|(label, _)| *label != "le") {
            let fits =
                value.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || "._-".contains(sign));
            assert!(fits, "{name}: {label} is {value:?}");
        }
    }
}

#[test]
fn what_is_counted_stands_in_the_text() {
    let metrics = told();
    let text = metrics.text();
    let lines = [
        "reconcile_total{kind=\"project\",outcome=\"settled\"} 1",
        "remote_calls_total{remote=\"sagemaker\",class=\"read\",operation=\"describe_project\",outcome=\"ok\"} 1",
        "remote_call_duration_seconds_count{remote=\"servicecatalog\",class=\"read\"} 1",
        "objects{kind=\"project\",ready=\"true\"} 1",
        "objects{kind=\"project\",ready=\"unknown\"} 0",
        "reconcile_waiting{kind=\"project\",lane=\"user\"} 2",
        "reconcile_waiting_since_timestamp_seconds{kind=\"project\",lane=\"user\"} 1772366400",
        "leader 1",
        concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ];
    for line in lines {
        assert!(text.contains(&format!("\nmlops_operator_{line}\n")), "{line}: {text}");
    }
    assert_eq!(metrics.calls("SageMaker", "DescribeProject"), 1);
}

#[test]
fn a_budget_is_counted_until_it_is_forgotten() {
    let metrics = told();
    let of = |text: &str| text.to_owned();
    let labels = BudgetLabels { remote: of("Service Catalog"), account: of("111122223333"), region: of("eu-west-1") };
    let meters = metrics.budget(&labels);
    let named = "{remote=\"servicecatalog\",account=\"111122223333\",region=\"eu-west-1\"}";
    let text = metrics.text();
    for line in ["budget_rate#12.5", "budget_waits_seconds_total#0.25", "budget_throttles_total#1"] {
        let line = format!("mlops_operator_{}", line.replace('#', &format!("{named} ")));
        assert!(text.contains(&line), "{line}: {text}");
    }
    metrics.forget_budget(&labels);
    meters.throttles.inc();
    assert!(!metrics.text().contains(named));
}

/// The series of one object, without what is the same for all.
fn shown(metrics: &Metrics) -> Vec<String> {
    let text = metrics.text();
    let lines = text.lines().filter_map(|line| {
        line.strip_prefix("mlops_operator_condition{kind=\"project\",object_namespace=\"ml-team\",name=\"taxi\",")
    });
    lines.map(|line| line.replace(['"', '}'], "")).collect()
}

#[test]
fn an_object_has_a_series_for_what_holds_of_it_until_it_goes() {
    let metrics = Metrics::default();
    let ready = [condition("Ready", "True", "Succeeded", 0), condition("JobsReady", "True", "InSync", 0)];
    let stalled = [
        condition("Ready", "False", "AccessDenied", 0),
        condition("Stalled", "True", "AccessDenied", 0),
        condition("JobsReady", "False", "AccessDenied", 0),
        condition("TriggerReady", "False", "Disabled", 0),
        condition("CatalogReady", "True", "InSync", 0),
    ];
    metrics.stands(taxi(), at(0), &ready, at(90));
    assert_eq!(shown(&metrics), ["type=ready,status=true,reason=succeeded 1"]);
    metrics.stands(taxi(), at(0), &stalled, at(100));
    let expected = [
        "type=ready,status=false,reason=access_denied 1",
        "type=stalled,status=true,reason=access_denied 1",
        "type=jobs_ready,status=false,reason=access_denied 1",
    ];
    assert_eq!(shown(&metrics), expected);
    metrics.tell_of_each_object(false);
    let text = metrics.text();
    assert!(!text.contains("mlops_operator_condition"), "{text}");
    assert!(text.contains("objects{kind=\"project\",ready=\"false\"} 1"), "it is counted all the same: {text}");
    metrics.tell_of_each_object(true);
    metrics.gone(&taxi());
    assert_eq!(shown(&metrics), [""; 0]);
    assert!(metrics.text().contains("objects{kind=\"project\",ready=\"false\"} 0"));
}

#[test]
fn the_time_to_ready_is_counted_once_for_each_time_that_an_object_becomes_ready() {
    let unknown = |since| [condition("Ready", "Unknown", "Progressing", since)];
    let ready = |since| [condition("Ready", "True", "Succeeded", since)];
    let took = |metrics: &Metrics, after: &str| {
        let (text, mut found) = (metrics.text(), Vec::new());
        for end in ["count", "sum"] {
            let start = format!("mlops_operator_time_to_ready_seconds_{end}{{kind=\"project\",after=\"{after}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            found.push(line.map_or(0.0, |number| number.parse::<f64>().unwrap()));
        }
        (found[0], found[1])
    };
    let metrics = Metrics::default();
    metrics.stands(taxi(), at(0), &unknown(2), at(2));
    metrics.stands(taxi(), at(0), &unknown(2), at(60));
    metrics.stands(taxi(), at(0), &ready(90), at(90));
    metrics.stands(taxi(), at(0), &ready(90), at(3600));
    assert_eq!(took(&metrics, "creation"), (1.0, 90.0), "a new object, since its creation");
    metrics.stands(taxi(), at(0), &unknown(4000), at(4000));
    metrics.stands(taxi(), at(0), &ready(4030), at(4030));
    assert_eq!(took(&metrics, "change"), (1.0, 30.0), "one that was Ready, since it was no more");
    let restarted = Metrics::default();
    restarted.stands(taxi(), at(0), &ready(4030), at(9000));
    assert_eq!((took(&restarted, "creation"), took(&restarted, "change")), ((0.0, 0.0), (0.0, 0.0)), "it was before");
    let restarted = Metrics::default();
    restarted.stands(taxi(), at(0), &unknown(8000), at(9000));
    restarted.stands(taxi(), at(0), &ready(9100), at(9100));
    assert_eq!(
        took(&restarted, "change"),
        (1.0, 1100.0),
        "what is not Ready at the start, since its condition says so"
    );
}
