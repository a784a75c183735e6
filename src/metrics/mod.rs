//! What the operator counts. Every metric stands in [`table`], from which the documentation is written. Label values are from
//! closed sets (kinds, services, operations, outcomes), or of what the operator works on: objects, which are forgotten when they
//! go, and for budgets the accounts, regions and Jenkins servers that are called, whose number [`Metrics::forget_budget`] keeps
//! bounded.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

pub mod document;
mod labels;
mod objects;
pub mod table;

pub use labels::{BudgetLabels, CallLabels, CallOutcome, Class, remote_id, snake};
use labels::{BuildLabels, ClassLabels, KindLabels, ReadyLabels, ReconcileLabels, WaitingLabels};
pub use objects::ObjectName;
use objects::Objects;
use table::{Declared, PREFIX};

use crate::domain::budget::Lane;

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

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
    /// How long the service's calls take that change nothing.
    reads: Histogram,
    /// How long its other calls take.
    writes: Histogram,
}

impl BudgetMeters {
    /// A call that was sent has ended after so long.
    pub fn took(&self, class: Class, duration: Duration) {
        let histogram = if class == Class::Read { &self.reads } else { &self.writes };
        histogram.observe(duration.as_secs_f64());
    }
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
    objects: Arc<Objects>,
    time_to_ready: Durations<ReadyLabels>,
    released: Counter,
    overlaps: Gauge,
    reconciles: Family<ReconcileLabels, Counter>,
    duration: Durations<KindLabels>,
    active: Gauge,
    waiting: Family<WaitingLabels, Gauge>,
    waiting_since: Family<WaitingLabels, Gauge>,
    waits: Durations<WaitingLabels>,
    writes: Counter,
    calls: Family<CallLabels, Counter>,
    call_duration: Durations<ClassLabels>,
    budgets: BudgetFamilies,
    leader: Gauge,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            objects: Arc::default(),
            // 5 s to about 3 hours.
            time_to_ready: Family::new_with_constructor(|| Histogram::new(exponential_buckets(5.0, 2.0, 12))),
            released: Counter::default(),
            overlaps: Gauge::default(),
            reconciles: Family::default(),
            // 10 ms to about 3 minutes.
            duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.01, 4.0, 8))),
            active: Gauge::default(),
            waiting: Family::default(),
            waiting_since: Family::default(),
            waits: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.01, 4.0, 10))),
            writes: Counter::default(),
            calls: Family::default(),
            // 20 ms to 40 s: no call may take longer.
            call_duration: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.02, 2.0, 12))),
            budgets: BudgetFamilies::default(),
            leader: Gauge::default(),
            registry: Arc::default(),
        };
        metrics.registry = Arc::new(metrics.register());
        metrics
    }
}

/// Registers a metric as the table has it.
fn add(registry: &mut Registry, declared: &Declared, metric: impl Metric) {
    if declared.seconds {
        registry.register_with_unit(declared.name, declared.help, Unit::Seconds, metric);
    } else {
        registry.register(declared.name, declared.help, metric);
    }
}

impl Metrics {
    fn register(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let all = &mut registry;
        all.register_collector(Box::new(self.objects.clone()));
        add(all, &table::TIME_TO_READY, self.time_to_ready.clone());
        add(all, &table::RELEASED, self.released.clone());
        add(all, &table::SHARD_OVERLAPS, self.overlaps.clone());
        add(all, &table::RECONCILES, self.reconciles.clone());
        add(all, &table::RECONCILE_DURATION, self.duration.clone());
        add(all, &table::RECONCILE_ACTIVE, self.active.clone());
        add(all, &table::WAITING, self.waiting.clone());
        add(all, &table::WAITING_SINCE, self.waiting_since.clone());
        add(all, &table::WAITS, self.waits.clone());
        add(all, &table::STATUS_WRITES, self.writes.clone());
        add(all, &table::CALLS, self.calls.clone());
        add(all, &table::CALL_DURATION, self.call_duration.clone());
        add(all, &table::BUDGET_RATE, self.budgets.rate.clone());
        add(all, &table::BUDGET_WAITS, self.budgets.waited.clone());
        add(all, &table::BUDGET_THROTTLES, self.budgets.throttles.clone());
        add(all, &table::BUDGET_WITHHELD, self.budgets.withheld.clone());
        add(all, &table::LEADER, self.leader.clone());
        add(all, &table::BUILD, Info::new(BuildLabels { version: env!("CARGO_PKG_VERSION") }));
        registry
    }

    /// Whether each object has series of its own.
    pub fn tell_of_each_object(&self, wanted: bool) {
        self.objects.each(wanted);
    }

    /// The counts of a budget. Those that are held when it is forgotten are counted nowhere.
    pub fn budget(&self, labels: &BudgetLabels) -> BudgetMeters {
        let labels = labels.written();
        let durations = |class: Class| {
            let labels = ClassLabels { remote: labels.remote.clone(), class: class.as_str() };
            self.call_duration.get_or_create_owned(&labels)
        };
        BudgetMeters {
            rate: self.budgets.rate.get_or_create_owned(&labels),
            waited: self.budgets.waited.get_or_create_owned(&labels),
            throttles: self.budgets.throttles.get_or_create_owned(&labels),
            withheld: self.budgets.withheld.get_or_create_owned(&labels),
            reads: durations(Class::Read),
            writes: durations(Class::Write),
        }
    }

    /// A budget is no longer kept.
    pub fn forget_budget(&self, labels: &BudgetLabels) {
        let labels = labels.written();
        self.budgets.rate.remove(&labels);
        self.budgets.waited.remove(&labels);
        self.budgets.throttles.remove(&labels);
        self.budgets.withheld.remove(&labels);
    }

    /// This replica works, or does no longer.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// A reconcile begins.
    pub fn reconcile_begins(&self) {
        self.active.inc();
    }

    /// So many objects of a kind wait for their turn in a lane, the first of them since this moment.
    pub fn waiting(&self, kind: &'static str, lane: Lane, objects: usize, since: Option<Timestamp>) {
        let labels = waiting(kind, lane);
        self.waiting.get_or_create(&labels).set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.waiting_since.get_or_create(&labels).set(since.map_or(0, Timestamp::as_second));
    }

    /// The turn of an object has come after so long.
    pub fn waited(&self, kind: &'static str, lane: Lane, waited: Duration) {
        self.waits.get_or_create(&waiting(kind, lane)).observe(waited.as_secs_f64());
    }

    /// A reconcile has ended.
    pub fn reconcile_ends(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        self.active.dec();
        self.reconciles.get_or_create(&ReconcileLabels { kind, outcome }).inc();
        self.duration.get_or_create(&KindLabels { kind }).observe(took.as_secs_f64());
    }

    /// A call of AWS or Jenkins has ended: of an operation under the service's own name for it, or a method.
    pub fn called(&self, service: &str, operation: &str, outcome: CallOutcome) {
        self.calls.get_or_create(&call(service, operation, outcome)).inc();
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

    /// An object that was created at this moment has these conditions now.
    pub fn stands(&self, name: Arc<ObjectName>, created: Timestamp, conditions: &[Condition], now: Timestamp) {
        let kind = name.kind;
        if let Some((after, took)) = self.objects.stands(name, created, conditions, now) {
            self.time_to_ready.get_or_create(&ReadyLabels { kind, after }).observe(took.as_secs_f64());
        }
    }

    /// An object is gone, or another operator's.
    pub fn gone(&self, name: &ObjectName) {
        self.objects.gone(name);
    }

    /// How many calls of AWS and Jenkins there have been for an operation, whatever their outcome.
    pub fn calls(&self, service: &str, operation: &str) -> u64 {
        let count = |outcome| self.calls.get(&call(service, operation, outcome)).map_or(0, |counter| counter.get());
        CallOutcome::ALL.into_iter().map(count).sum()
    }

    /// All counts in the text format of OpenMetrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn waiting(kind: &'static str, lane: Lane) -> WaitingLabels {
    WaitingLabels { kind, lane: if lane == Lane::User { "user" } else { "routine" } }
}

fn call(service: &str, operation: &str, outcome: CallOutcome) -> CallLabels {
    CallLabels {
        remote: remote_id(service),
        class: Class::of(operation).as_str(),
        operation: snake(operation),
        outcome: outcome.as_str(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
