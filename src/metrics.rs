//! What the operator counts. Labels are names from closed sets (services, operations, outcomes), and for budgets the accounts,
//! regions and Jenkins servers that are called, of which [`Metrics::forget_budget`] keeps the number bounded.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::domain::budget::Lane;

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

/// Who waits to be reconciled.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct WaitingLabels {
    /// `MlopsPlatform` or `MlopsProject`.
    pub kind: &'static str,
    /// `user` or `routine`.
    pub lane: &'static str,
}

/// How objects stand.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ReadyLabels {
    /// Status of the condition `Ready`.
    pub ready: String,
}

/// Whose calls a budget is for.
#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub struct BudgetLabels {
    /// The service as in [`CallLabels`].
    pub service: String,
    /// The AWS account, `operator` for that of the operator's own credentials; the address of a Jenkins.
    pub account: String,
    /// The AWS region; empty where a service has none.
    pub region: String,
}

/// The counts of one budget.
#[derive(Clone, Debug)]
pub struct BudgetMeters {
    /// Calls a second that may be made at present.
    pub rate: Gauge<f64, AtomicU64>,
    /// Seconds that calls have waited.
    pub waited: Counter<f64, AtomicU64>,
    /// Answers that asked to slow down.
    pub throttles: Counter,
    /// Calls that were not sent, since they would have waited for too long.
    pub withheld: Counter,
}

#[derive(Clone, Debug, Default)]
struct BudgetFamilies {
    rate: Family<BudgetLabels, Gauge<f64, AtomicU64>>,
    waited: Family<BudgetLabels, Counter<f64, AtomicU64>>,
    throttles: Family<BudgetLabels, Counter>,
    withheld: Family<BudgetLabels, Counter>,
}

/// All of it; cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    reconciles: Family<ReconcileLabels, Counter>,
    duration: Histogram,
    calls: Family<CallLabels, Counter>,
    objects: Family<ReadyLabels, Gauge>,
    active: Gauge,
    waiting: Family<WaitingLabels, Gauge>,
    writes: Counter,
    released: Counter,
    overlaps: Gauge,
    budgets: BudgetFamilies,
    registry: std::sync::Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let reconciles = Family::default();
        let duration = Histogram::new(exponential_buckets(0.01, 4.0, 8));
        let (calls, objects, active) = (Family::default(), Family::default(), Gauge::default());
        let (waiting, writes, released) = (Family::default(), Counter::default(), Counter::default());
        let overlaps = Gauge::default();
        let mut registry = Registry::with_prefix("mlops_operator");
        registry.register("reconcile", "Reconciles of objects", Family::clone(&reconciles));
        registry.register_with_unit("reconcile_duration", "How long reconciles take", Unit::Seconds, duration.clone());
        registry.register("remote_calls", "Calls of AWS and Jenkins", Family::clone(&calls));
        registry.register("objects", "Objects by the status of their condition Ready", Family::clone(&objects));
        registry.register("reconcile_active", "Reconciles under way", active.clone());
        let help = "Objects whose reconcile is due and waits for its turn";
        registry.register("reconcile_waiting", help, Family::clone(&waiting));
        registry.register("status_writes", "Writes of an object's status", writes.clone());
        registry.register("released", "Objects let go without proof that their resources are gone", released.clone());
        let help = "Platforms and projects with one of their own that another operator's selector matches, too";
        registry.register("shard_overlaps", help, overlaps.clone());
        let budgets = BudgetFamilies::register(&mut registry);
        let registry = std::sync::Arc::new(registry);
        Self { reconciles, duration, calls, objects, active, waiting, writes, released, overlaps, budgets, registry }
    }
}

impl BudgetFamilies {
    fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register("budget_rate", "Calls a second that may be made of a service", all.rate.clone());
        let help = "How long calls have waited for their turn";
        registry.register_with_unit("budget_waits", help, Unit::Seconds, all.waited.clone());
        registry.register("budget_throttles", "Answers that asked to slow down", all.throttles.clone());
        registry.register(
            "budget_withheld",
            "Calls not sent, since they would have waited too long",
            all.withheld.clone(),
        );
        all
    }
}

impl Metrics {
    /// The counts of a budget. Those that are held when it is forgotten are counted nowhere.
    pub fn budget(&self, labels: &BudgetLabels) -> BudgetMeters {
        BudgetMeters {
            rate: self.budgets.rate.get_or_create_owned(labels),
            waited: self.budgets.waited.get_or_create_owned(labels),
            throttles: self.budgets.throttles.get_or_create_owned(labels),
            withheld: self.budgets.withheld.get_or_create_owned(labels),
        }
    }

    /// A budget is no longer kept.
    pub fn forget_budget(&self, labels: &BudgetLabels) {
        self.budgets.rate.remove(labels);
        self.budgets.waited.remove(labels);
        self.budgets.throttles.remove(labels);
        self.budgets.withheld.remove(labels);
    }

    /// A reconcile begins.
    pub fn reconcile_begins(&self) {
        self.active.inc();
    }

    /// So many objects of a kind wait for their turn in a lane.
    pub fn waiting(&self, kind: &'static str, lane: Lane, objects: usize) {
        let lane = if lane == Lane::User { "user" } else { "routine" };
        let objects = i64::try_from(objects).unwrap_or(i64::MAX);
        self.waiting.get_or_create(&WaitingLabels { kind, lane }).set(objects);
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

    /// So many objects match the selectors of two operators.
    pub fn overlap(&self, objects: usize) {
        self.overlaps.set(i64::try_from(objects).unwrap_or(i64::MAX));
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

    #[test]
    fn a_budget_is_counted_until_it_is_forgotten() {
        let metrics = Metrics::default();
        let of = |text: &str| text.to_owned();
        let labels = BudgetLabels { service: of("S3"), account: of("111122223333"), region: of("eu-west-1") };
        let meters = metrics.budget(&labels);
        meters.rate.set(12.5);
        meters.waited.inc_by(0.25);
        meters.throttles.inc();
        let named = "{service=\"S3\",account=\"111122223333\",region=\"eu-west-1\"}";
        let text = metrics.text();
        for line in ["budget_rate#12.5", "budget_waits_seconds_total#0.25", "budget_throttles_total#1"] {
            let line = format!("mlops_operator_{}", line.replace('#', &format!("{named} ")));
            assert!(text.contains(&line), "{line}: {text}");
        }
        metrics.forget_budget(&labels);
        meters.throttles.inc();
        assert!(!metrics.text().contains(named));
    }
}
