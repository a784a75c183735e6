//! What the operator counts. Labels are names from closed sets (services, operations, outcomes), never users' words.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// How a call ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct CallLabels {
    /// `sagemaker`, `jenkins`, `kubernetes`, …
    pub service: String,
    /// The operation's own name.
    pub operation: String,
    /// `ok` or `error`.
    pub outcome: &'static str,
}

/// How a reconcile ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReconcileLabels {
    /// `settled`, `unsettled` or `error`.
    pub outcome: &'static str,
}

/// How objects stand.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReadyLabels {
    /// Status of the condition `Ready`.
    pub ready: String,
}

/// All of it; cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: Family<ReconcileLabels, Counter>,
    duration: Histogram,
    calls: Family<CallLabels, Counter>,
    objects: Family<ReadyLabels, Gauge>,
    active: Gauge,
    writes: Counter,
    released: Counter,
    registry: std::sync::Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let reconciles = Family::default();
        let duration = Histogram::new(exponential_buckets(0.01, 4.0, 8));
        let (calls, objects, active) = (Family::default(), Family::default(), Gauge::default());
        let (writes, released) = (Counter::default(), Counter::default());
        let mut registry = Registry::with_prefix("mlops_operator");
        registry.register("reconcile", "Reconciles of objects", Family::clone(&reconciles));
        registry.register_with_unit("reconcile_duration", "How long reconciles take", Unit::Seconds, duration.clone());
        registry.register("remote_calls", "Calls of AWS and Jenkins", Family::clone(&calls));
        registry.register("objects", "Objects by the status of their condition Ready", Family::clone(&objects));
        registry.register("reconcile_active", "Reconciles under way", active.clone());
        registry.register("status_writes", "Writes of an object's status", writes.clone());
        registry.register("released", "Objects let go without proof that their resources are gone", released.clone());
        Self { reconciles, duration, calls, objects, active, writes, released, registry: std::sync::Arc::new(registry) }
    }
}

impl Metrics {
    /// A reconcile begins.
    pub fn reconcile_begins(&self) {
        self.active.inc();
    }

    /// A reconcile has ended.
    pub fn reconcile_ends(&self, outcome: &'static str, took: Duration) {
        self.active.dec();
        self.reconciles.get_or_create(&ReconcileLabels { outcome }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// A call of AWS or Jenkins has ended.
    pub fn called(&self, service: &str, operation: &str, ok: bool) {
        let outcome = if ok { "ok" } else { "error" };
        self.calls
            .get_or_create(&CallLabels { service: service.to_owned(), operation: operation.to_owned(), outcome })
            .inc();
    }

    /// A status was written.
    pub fn status_written(&self) {
        self.writes.inc();
    }

    /// An object was let go by annotation.
    pub fn released(&self) {
        self.released.inc();
    }

    /// An object's condition Ready was one status and is another; `None`: it did not or does not exist.
    pub fn ready_turned(&self, from: Option<&str>, to: Option<&str>) {
        let gauge = |ready: &str| ReadyLabels { ready: ready.to_owned() };
        if let Some(from) = from {
            self.objects.get_or_create(&gauge(from)).dec();
        }
        if let Some(to) = to {
            self.objects.get_or_create(&gauge(to)).inc();
        }
    }

    /// How many calls of AWS and Jenkins there have been for an operation, whatever their outcome.
    pub fn calls(&self, service: &str, operation: &str) -> u64 {
        ["ok", "error"]
            .iter()
            .map(|outcome| {
                let labels = CallLabels { service: service.to_owned(), operation: operation.to_owned(), outcome };
                self.calls.get(&labels).map_or(0, |counter| counter.get())
            })
            .sum()
    }

    /// All counts in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_in_the_text() {
        let metrics = Metrics::default();
        metrics.reconcile_begins();
        metrics.reconcile_ends("settled", Duration::from_millis(20));
        metrics.called("sagemaker", "DescribeProject", true);
        metrics.ready_turned(None, Some("Unknown"));
        metrics.ready_turned(Some("Unknown"), Some("True"));
        let text = metrics.text();
        assert!(text.contains("mlops_operator_reconcile_total{outcome=\"settled\"} 1"), "{text}");
        assert!(text.contains("operation=\"DescribeProject\",outcome=\"ok\"} 1"), "{text}");
        assert!(text.contains("mlops_operator_objects{ready=\"True\"} 1"), "{text}");
        assert!(text.contains("mlops_operator_objects{ready=\"Unknown\"} 0"), "{text}");
        assert_eq!(metrics.calls("sagemaker", "DescribeProject"), 1);
    }
}
