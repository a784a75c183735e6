//! `docs/metrics.md`, written from the table of metrics. It stands apart so that the test that keeps the file equal to the table
//! and whoever writes it anew use the same text.

use std::fmt::Write;

use super::table::{Declared, GROUPS, Type};

/// The file, from the repository's root.
pub const FILE: &str = "docs/metrics.md";

const INTRODUCTION: &str = "\
<!-- Generated from src/metrics/table.rs by `make golden`: do not edit. -->
# Metrics

`/metrics` on the health port (8081) answers in the text format of OpenMetrics. `charts/mlops-operator/files` has a dashboard and alerts that use these
metrics; [alerts.md](alerts.md) says what to do about each alert.

Label values are in lower case and without blanks: the condition `JobsReady` with the reason `AccessDenied` has `type=\"jobs_ready\"` and
`reason=\"access_denied\"`, and AWS's `DescribeProject` is `describe_project`. An object's namespace is in `object_namespace`, and what is called in `remote`:
Prometheus writes the operator's own into `namespace` and `service`.

There are as many series as there is to tell: objects are forgotten when they go, and budgets that were not used for longest beyond 2,048 of them.
`mlops_operator_condition` has one series for an object at rest. `run --no-object-metrics` leaves it out, and the alerts about single objects with it.
";

/// The text of the file.
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (group, metrics) in GROUPS {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n## {group}\n");
        for metric in metrics {
            text.push_str(&section(metric));
        }
    }
    text
}

fn section(metric: &Declared) -> String {
    let unit = match (metric.type_, metric.seconds) {
        (Type::Histogram, _) => ", seconds in buckets",
        (_, true) => ", seconds",
        (_, false) => "",
    };
    let mut text = format!("\n`{}` ({}{unit}): {}.\n", metric.query_name(), metric.type_.as_str(), metric.help);
    if !metric.labels.is_empty() {
        text.push_str("\n| label | values |\n| --- | --- |\n");
        for (name, values) in metric.labels {
            let _ = writeln!(text, "| `{name}` | {values} |");
        }
    }
    text
}
