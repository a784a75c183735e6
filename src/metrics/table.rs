//! Every metric that the operator has: its name, its labels and what it tells. Nothing is registered that does not stand here,
//! and `docs/metrics.md` is written from it. It is a table and counts nothing.

/// What stands before each name.
pub const PREFIX: &str = "mlops_operator";

/// How a metric is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only grows; `_total` stands behind its name.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts durations in buckets.
    Histogram,
    /// Is always 1, and says something in its labels; `_info` stands behind its name.
    Info,
}

impl Type {
    /// As the text format has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// A metric.
#[derive(Debug)]
pub struct Declared {
    /// Its name without what stands before and behind each one of its type.
    pub name: &'static str,
    /// How it is counted.
    pub type_: Type,
    /// Whether it counts seconds.
    pub seconds: bool,
    /// Its labels, each with the values that it may have.
    pub labels: &'static [(&'static str, &'static str)],
    /// What it tells.
    pub help: &'static str,
}

impl Declared {
    /// The name of its family: as the text format has it behind `# TYPE`.
    pub fn family(&self) -> String {
        format!("{PREFIX}_{}{}", self.name, if self.seconds { "_seconds" } else { "" })
    }

    /// The name that queries use; a histogram's has `_bucket`, `_sum` or `_count` behind it.
    pub fn query_name(&self) -> String {
        let end = match self.type_ {
            Type::Counter => "_total",
            Type::Info => "_info",
            Type::Gauge | Type::Histogram => "",
        };
        format!("{}{end}", self.family())
    }

    const fn new(name: &'static str, type_: Type, help: &'static str) -> Self {
        Self { name, type_, seconds: false, labels: &[], help }
    }

    const fn seconds(self) -> Self {
        Self { seconds: true, ..self }
    }

    const fn labels(self, labels: &'static [(&'static str, &'static str)]) -> Self {
        Self { labels, ..self }
    }
}

const KIND: (&str, &str) = ("kind", "`platform`, `project`");
const LANE: (&str, &str) =
    ("lane", "`user` (something was changed, deleted or asked for, and is not yet done), `routine`");
const REMOTE: (&str, &str) = ("remote", "`jenkins`, or the AWS service, such as `sagemaker` and `servicecatalog`");
const CLASS: (&str, &str) = ("class", "`read` (changes nothing), `write`");
const BUDGET: [(&str, &str); 3] = [
    REMOTE,
    (
        "account",
        "number of the AWS account, `operator` for that of the operator's own credentials; address of a Jenkins",
    ),
    ("region", "AWS region; empty where a service has none"),
];

#[allow(missing_docs)]
pub const OBJECTS: Declared = Declared::new("objects", Type::Gauge, "Objects by the status of their condition Ready")
    .labels(&[KIND, ("ready", "`true`, `false`, `unknown`")]);
#[allow(missing_docs)]
pub const CONDITION: Declared = Declared::new(
    "condition",
    Type::Gauge,
    "1 for Ready of each object, for Reconciling and Stalled while it has them, and for each condition of a resource that is not True or has a remark",
)
.labels(&[
    KIND,
    ("object_namespace", "namespace of the object; empty for a platform"),
    ("name", "name of the object"),
    ("type", "type of the condition, such as `ready`, `stalled`, `suspended`, `jobs_ready`"),
    ("status", "`true`, `false`, `unknown`"),
    ("reason", "reason of the condition, such as `access_denied`"),
]);
#[allow(missing_docs)]
pub const TIME_TO_READY: Declared =
    Declared::new("time_to_ready", Type::Histogram, "How long objects were not Ready until they were")
        .seconds()
        .labels(&[
            KIND,
            ("after", "`creation` (counted from the object's creation), `change` (from the loss of Ready)"),
        ]);
#[allow(missing_docs)]
pub const RELEASED: Declared =
    Declared::new("released", Type::Counter, "Objects let go without proof that their resources are gone");
#[allow(missing_docs)]
pub const SHARD_OVERLAPS: Declared = Declared::new(
    "shard_overlaps",
    Type::Gauge,
    "Platforms, and projects with a platform of their own, that another operator's selector matches, too",
);

#[allow(missing_docs)]
pub const RECONCILES: Declared = Declared::new("reconcile", Type::Counter, "Reconciles of objects")
    .labels(&[KIND, ("outcome", "`settled` (nothing is left to do), `unsettled`, `error` (of the Kubernetes API)")]);
#[allow(missing_docs)]
pub const RECONCILE_DURATION: Declared =
    Declared::new("reconcile_duration", Type::Histogram, "How long reconciles take").seconds().labels(&[KIND]);
#[allow(missing_docs)]
pub const RECONCILE_ACTIVE: Declared = Declared::new("reconcile_active", Type::Gauge, "Reconciles under way");
#[allow(missing_docs)]
pub const WAITING: Declared =
    Declared::new("reconcile_waiting", Type::Gauge, "Objects whose reconcile is due and waits for its turn")
        .labels(&[KIND, LANE]);
#[allow(missing_docs)]
pub const WAITING_SINCE: Declared = Declared::new(
    "reconcile_waiting_since_timestamp",
    Type::Gauge,
    "When the object that waits for its turn for longest began to wait, in Unix time; 0: none waits",
)
.seconds()
.labels(&[KIND, LANE]);
#[allow(missing_docs)]
pub const WAITS: Declared =
    Declared::new("reconcile_wait", Type::Histogram, "How long objects waited for their turn, once it came")
        .seconds()
        .labels(&[KIND, LANE]);
#[allow(missing_docs)]
pub const STATUS_WRITES: Declared = Declared::new("status_writes", Type::Counter, "Writes of an object's status");

#[allow(missing_docs)]
pub const CALLS: Declared = Declared::new("remote_calls", Type::Counter, "Calls of AWS and Jenkins").labels(&[
    REMOTE,
    CLASS,
    ("operation", "the operation, such as `describe_project`; the method of a call of Jenkins"),
    (
        "outcome",
        "`ok`, `refused`, `throttled` (asked to slow down), `failed` (a fault of the service), `unanswered` (not sent, or no answer came)",
    ),
]);
#[allow(missing_docs)]
pub const CALL_DURATION: Declared = Declared::new(
    "remote_call_duration",
    Type::Histogram,
    "How long calls took from being sent to their answer, or until they were given up",
)
.seconds()
.labels(&[REMOTE, CLASS]);

#[allow(missing_docs)]
pub const BUDGET_RATE: Declared =
    Declared::new("budget_rate", Type::Gauge, "Calls a second that may be made at present").labels(&BUDGET);
#[allow(missing_docs)]
pub const BUDGET_WAITS: Declared =
    Declared::new("budget_waits", Type::Counter, "How long calls have waited for their turn").seconds().labels(&BUDGET);
#[allow(missing_docs)]
pub const BUDGET_THROTTLES: Declared =
    Declared::new("budget_throttles", Type::Counter, "Answers that asked to slow down").labels(&BUDGET);
#[allow(missing_docs)]
pub const BUDGET_WITHHELD: Declared =
    Declared::new("budget_withheld", Type::Counter, "Calls not sent, since they would have waited too long")
        .labels(&BUDGET);

#[allow(missing_docs)]
pub const LEADER: Declared = Declared::new(
    "leader",
    Type::Gauge,
    "1 in the replica that works: it holds the Lease, or needs none, and has found all that it needs in the cluster",
);
#[allow(missing_docs)]
pub const BUILD: Declared =
    Declared::new("build", Type::Info, "Which operator this is").labels(&[("version", "its version")]);

/// All metrics, by what they are about.
pub const GROUPS: [(&str, &[&Declared]); 5] = [
    ("Objects", &[&OBJECTS, &CONDITION, &TIME_TO_READY, &RELEASED, &SHARD_OVERLAPS]),
    (
        "Reconciles",
        &[&RECONCILES, &RECONCILE_DURATION, &RECONCILE_ACTIVE, &WAITING, &WAITING_SINCE, &WAITS, &STATUS_WRITES],
    ),
    ("Calls of AWS and Jenkins", &[&CALLS, &CALL_DURATION]),
    ("Budgets of calls", &[&BUDGET_RATE, &BUDGET_WAITS, &BUDGET_THROTTLES, &BUDGET_WITHHELD]),
    ("The operator", &[&LEADER, &BUILD]),
];

/// All metrics, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Declared> {
    GROUPS.iter().flat_map(|(_, metrics)| metrics.iter().copied())
}
