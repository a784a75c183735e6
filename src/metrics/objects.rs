//! How each object stands, as metrics tell it: one entry for each object that the operator works on, and none once it is gone,
//! so that there are as many series as there are objects. It stands apart from the counters, which never forget; it writes no
//! status and reads no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::labels::snake;
use super::table;
use crate::crd::status::{ConditionType, Reason};
use crate::domain::time::elapsed;

/// What is as old at first sight was there before: it is not known since when it is not Ready.
const NEW: Duration = Duration::from_mins(1);
/// The statuses that Ready may have, as label values have them.
const STATUSES: [&str; 3] = ["true", "false", "unknown"];
/// The kinds of objects.
const KINDS: [&str; 2] = ["platform", "project"];

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// `platform` or `project`.
    pub kind: &'static str,
    /// Empty for a platform.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Since when an object is not Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unready {
    since: Timestamp,
    after: &'static str,
}

#[derive(Debug)]
struct Standing {
    ready: &'static str,
    /// Of most objects there is none.
    unready: Option<Box<Unready>>,
    shown: Arc<[Shown]>,
}

/// A condition that is shown.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    type_: Box<str>,
    status: &'static str,
    reason: Box<str>,
}

#[derive(Debug, Default)]
struct Standings {
    each: BTreeMap<Arc<ObjectName>, Standing>,
    /// What is shown of objects: of thousands that are Ready it is the same, and is kept once.
    shown: BTreeSet<Arc<[Shown]>>,
}

impl Standings {
    /// What is shown, as all have it of which it is the same.
    fn shared(&mut self, shown: Vec<Shown>) -> Arc<[Shown]> {
        if let Some(known) = self.shown.get(&shown[..]) {
            return known.clone();
        }
        // What no object shows any more is only known here.
        self.shown.retain(|known| Arc::strong_count(known) > 1);
        let shown: Arc<[Shown]> = shown.into();
        self.shown.insert(shown.clone());
        shown
    }
}

/// All objects; see the module.
#[derive(Debug)]
pub(super) struct Objects {
    standings: Mutex<Standings>,
    each: AtomicBool,
}

impl Default for Objects {
    fn default() -> Self {
        Self { standings: Mutex::default(), each: AtomicBool::new(true) }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ObjectsLabels {
    kind: &'static str,
    ready: &'static str,
}

impl Objects {
    /// Whether each object has series of its own.
    pub(super) fn each(&self, wanted: bool) {
        self.each.store(wanted, Ordering::Relaxed);
    }

    /// An object has these conditions now. Answers how long it was not Ready, and after what, where it has just become so.
    pub(super) fn stands(
        &self,
        name: Arc<ObjectName>,
        created: Timestamp,
        conditions: &[Condition],
        now: Timestamp,
    ) -> Option<(&'static str, Duration)> {
        let ready = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str())?;
        let status = status_of(ready);
        let mut standings = self.lock();
        let unready = match standings.each.get(&name) {
            Some(standing) => standing.unready.as_deref().copied(),
            None if elapsed(created, now) < NEW => Some(Unready { since: created, after: "creation" }),
            None if status == "true" => None,
            None => Some(Unready { since: ready.last_transition_time.0, after: "change" }),
        };
        let (unready, took) = match (status, unready) {
            ("true", Some(Unready { since, after })) => (None, Some((after, elapsed(since, now)))),
            ("true", None) => (None, None),
            (_, unready) => (unready.or(Some(Unready { since: now, after: "change" })), None),
        };
        let shown = conditions.iter().filter(|condition| is_shown(condition)).map(|condition| Shown {
            type_: snake(&condition.type_).into(),
            status: status_of(condition),
            reason: snake(&condition.reason).into(),
        });
        let shown = standings.shared(shown.collect());
        standings.each.insert(name, Standing { ready: status, unready: unready.map(Box::new), shown });
        took
    }

    /// An object is gone, or somebody else's.
    pub(super) fn gone(&self, name: &ObjectName) {
        self.lock().each.remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, Standings> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn status_of(condition: &Condition) -> &'static str {
    match condition.status.as_str() {
        "True" => "true",
        "False" => "false",
        _ => "unknown",
    }
}

/// What holds for the object as a whole, and each resource that is neither as declared, without a remark, nor unwanted.
fn is_shown(condition: &Condition) -> bool {
    let usual = [Reason::InSync, Reason::Disabled].iter().any(|reason| reason.as_str() == condition.reason);
    let whole = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::Suspended];
    whole.iter().any(|type_| type_.as_str() == condition.type_) || !usual
}

impl Collector for Objects {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let standings = self.lock();
        let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (name, standing) in &standings.each {
            *counts.entry((name.kind, standing.ready)).or_default() += 1;
        }
        let declared = &table::OBJECTS;
        let help = format!("{}.", declared.help);
        let mut family = encoder.encode_descriptor(declared.name, &help, None, MetricType::Gauge)?;
        for (kind, ready) in KINDS.into_iter().flat_map(|kind| STATUSES.map(|ready| (kind, ready))) {
            let count = counts.get(&(kind, ready)).copied().unwrap_or_default();
            ConstGauge::new(count).encode(family.encode_family(&ObjectsLabels { kind, ready })?)?;
        }
        if !self.each.load(Ordering::Relaxed) {
            return Ok(());
        }
        let declared = &table::CONDITION;
        let help = format!("{}.", declared.help);
        let mut family = encoder.encode_descriptor(declared.name, &help, None, MetricType::Gauge)?;
        for (object, standing) in &standings.each {
            let ObjectName { kind, namespace, name } = &**object;
            for Shown { type_, status, reason } in &*standing.shown {
                let labels = [
                    ("kind", *kind),
                    ("object_namespace", namespace),
                    ("name", name),
                    ("type", type_),
                    ("status", status),
                    ("reason", reason),
                ];
                ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
