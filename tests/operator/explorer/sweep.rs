//! Trouble at a call of a running operator: a fault of the service, a user who acts at that moment, a watch that
//! breaks off. The operator keeps its memory, so each story is played from its scenario's beginning.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mlops_sandbox::kubernetes::Kubernetes;
use mlops_sandbox::{Edge, Fault, Sandbox, What};
use serde_json::Value;

use super::canonical::agree;
use super::{Act, End, Point, Scenario, come_to, comes_to, paused};
use crate::harness::operator::{Harness, NAMESPACE};

/// How long trouble lasts that goes by at all.
const WHILE: Duration = Duration::from_mins(5);
/// How far lists and reads lag behind where they lag.
const LAG: Duration = Duration::from_secs(10);
/// How long a fault that stays is borne before its calls are counted.
const ENDURED: Duration = Duration::from_mins(90);
/// The most calls that a reconcile takes which looks at everything; 35 were counted.
const CALLS_OF_A_PASS: usize = 40;
const SETTLED: Duration = Duration::from_mins(3);

/// A call of the clean run: the n-th of its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub call: String,
    pub nth: u64,
}

/// What goes wrong there.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Three times in a row.
    Throttled,
    InternalError,
    Unavailable,
    /// After the effect.
    Dropped,
    /// The client's own time-out ends it; no effect.
    Silent,
    /// The same, after the effect.
    SilentAfter,
    /// For [`WHILE`].
    Denied,
    /// What is read lags behind from here on, for [`WHILE`].
    Lag,
    /// A conflict of versions (Kubernetes only).
    Conflict,
    /// Somebody acts right before the call, and right after it.
    Meanwhile(Act, Edge),
    /// The server forgets what happened: watches are told to begin anew.
    Compacted,
    /// An event comes out of order: the object as it was so many changes ago.
    OutOfOrder(usize),
}

impl Trouble {
    /// All faults that a call of AWS or Jenkins, or a write to Kubernetes can meet.
    pub fn faults_of(call: &str) -> Vec<Self> {
        let mut all = vec![
            Self::Throttled,
            Self::InternalError,
            Self::Unavailable,
            Self::Dropped,
            Self::Silent,
            Self::SilentAfter,
            Self::Denied,
        ];
        if call.starts_with("kubernetes ") {
            all.push(Self::Conflict);
        } else if ["List", "Describe", "Search", "Get"].iter().any(|verb| call.contains(&format!(" {verb}"))) {
            all.push(Self::Lag);
        }
        all
    }

    /// Whether it is a call's own fault, and not just what happens meanwhile.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Meanwhile(..) | Self::Compacted | Self::OutOfOrder(_))
    }

    /// How often the operator looks while this stays: what is denied every ten minutes, all else at last every five.
    fn passes_per_hour(&self) -> usize {
        if matches!(self, Self::Denied) { 6 } else { 12 }
    }

    fn lines(&self, spot: &Spot) -> Option<Fault> {
        let (service, operation) = spot.call.split_once(' ').unwrap();
        let fault = Fault::on(service, operation).nth(spot.nth);
        let xml = ["s3", "iam", "sts", "cloudformation"].contains(&service);
        let denied = if xml { "AccessDenied" } else { "AccessDeniedException" };
        // S3 has a name of its own for it (S3 API reference, "List of error codes").
        let internal = if service == "s3" { "InternalError" } else { "InternalFailure" };
        // S3 alone does not say what is not allowed.
        let words = match service {
            "s3" => "Access Denied".to_owned(),
            _ => format!("User: somebody is not authorized to perform: {service}:{operation}"),
        };
        Some(match self {
            Self::Throttled => fault.range(spot.nth, Some(spot.nth + 2)).before(What::Throttle),
            Self::InternalError => fault.before(What::refuse(500, internal, "an internal error occurred")),
            Self::Unavailable => fault.before(What::refuse(503, "ServiceUnavailable", "the service is not available")),
            Self::Dropped => fault.after(What::DropConnection),
            Self::Silent => fault.before(What::NoAnswer),
            Self::SilentAfter => fault.after(What::NoAnswer),
            Self::Denied => fault.range(spot.nth, None).before(What::refuse(403, denied, &words)),
            Self::Conflict => fault.before(What::refuse(409, "Conflict", "the object has been modified")),
            Self::Lag | Self::Meanwhile(..) | Self::Compacted | Self::OutOfOrder(_) => return None,
        })
    }
}

/// Trouble at a call.
#[derive(Clone, Debug)]
pub struct Strike {
    pub spot: Spot,
    pub trouble: Trouble,
}

impl Strike {
    /// For people.
    pub fn name(&self) -> String {
        format!("{:?} at {} no. {}", self.trouble, self.spot.call, self.spot.nth)
    }

    fn act(&self) -> Option<&Act> {
        if let Trouble::Meanwhile(act, _) = &self.trouble { Some(act) } else { None }
    }

    fn edge(&self) -> Edge {
        match &self.trouble {
            Trouble::Meanwhile(_, edge) => *edge,
            // After a call of ours the older state is one from before it.
            Trouble::OutOfOrder(_) => Edge::After,
            _ => Edge::Before,
        }
    }

    fn happen(&self, sandbox: &Sandbox, kubernetes: &Kubernetes) {
        match &self.trouble {
            Trouble::Lag => sandbox.world(|world| {
                (world.settings.list_lag, world.settings.read_after_write) = (LAG, LAG / 5);
            }),
            Trouble::Meanwhile(act, _) => act.perform(kubernetes),
            Trouble::Compacted => kubernetes.compact(),
            Trouble::OutOfOrder(ago) => kubernetes.tell_again("mlopsprojects", NAMESPACE, "taxi-fares", *ago),
            _ => {}
        }
    }
}

/// The calls of a clean run.
pub fn spots(points: &[Point]) -> Vec<Spot> {
    let mut counts = BTreeMap::new();
    let before = points.iter().filter(|point| point.edge == Edge::Before);
    let spot = |point: &Point| {
        let nth = counts.entry(point.call.clone()).and_modify(|count| *count += 1).or_insert(1);
        Spot { call: point.call.clone(), nth: *nth }
    };
    before.map(spot).collect()
}

/// Every fault at every spot.
pub fn singles(spots: &[Spot]) -> Vec<Strike> {
    let of = |spot: &Spot| {
        let strike = |trouble| Strike { spot: spot.clone(), trouble };
        Trouble::faults_of(&spot.call).into_iter().map(strike).collect::<Vec<_>>()
    };
    spots.iter().flat_map(of).collect()
}

/// Plays a scenario through with these strikes, and compares its end.
pub fn play(scenario: &Scenario, strikes: &[Strike], end: End, expected: &Value) -> Result<(), String> {
    play_with(scenario, strikes, &Cast::default(), end, expected)
}

/// Who plays.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// How far watches are behind.
    pub behind: Duration,
    /// How many operators work, each of which believes that it leads.
    pub operators: usize,
}

impl Default for Cast {
    fn default() -> Self {
        Self { behind: Duration::ZERO, operators: 1 }
    }
}

/// The same with watches that are behind, or with several operators.
pub fn play_with(
    scenario: &Scenario,
    strikes: &[Strike],
    cast: &Cast,
    end: End,
    expected: &Value,
) -> Result<(), String> {
    paused(async {
        let mut harness = scenario.from.resume();
        harness.kubernetes.lag_watches(cast.behind);
        let start = |harness: &mut Harness| (0..cast.operators).for_each(|_| harness.start());
        if scenario.settled {
            start(&mut harness);
            tokio::time::sleep(SETTLED).await;
        }
        strikes.iter().for_each(|strike| add(&harness, strike));
        let acted = onlook(&harness, strikes);
        scenario.act.perform(&harness.kubernetes);
        if !scenario.settled {
            start(&mut harness);
        }
        let (sandbox, kubernetes) = (harness.sandbox.clone(), harness.kubernetes.clone());
        let relief = tokio::spawn(async move {
            tokio::time::sleep(WHILE).await;
            sandbox.clear_faults();
            kubernetes.clear_faults();
            sandbox.world(|world| (world.settings.list_lag, world.settings.read_after_write) = Default::default());
        });
        act_at_last(&harness, strikes, &acted).await;
        let found = comes_to(&harness, end, expected).await;
        relief.abort();
        harness.sandbox.look_on(None);
        harness.kubernetes.look_on(None);
        found
    })
}

/// Plays a scenario with somebody acting at a call of it, and saves every edge of every call after that.
pub fn record_from(scenario: &Scenario, strike: &Strike, end: End, expected: &Value) -> Result<Vec<Point>, String> {
    paused(async {
        let mut harness = scenario.from.resume();
        harness.start();
        let acted = onlook(&harness, std::slice::from_ref(strike));
        scenario.act.perform(&harness.kubernetes);
        act_at_last(&harness, std::slice::from_ref(strike), &acted).await;
        let points = super::listen(&harness);
        let found = come_to(&harness, end).await;
        harness.sandbox.look_on(None);
        harness.kubernetes.look_on(None);
        agree(expected, &found?)?;
        Ok(std::mem::take(&mut *points.lock().unwrap()))
    })
}

fn add(harness: &Harness, strike: &Strike) {
    let Some(fault) = strike.trouble.lines(&strike.spot) else { return };
    if fault.service == "kubernetes" {
        harness.kubernetes.fault(fault);
    } else {
        harness.sandbox.fault(fault);
    }
}

/// Waits until everybody who was to act has done so. Where the trouble made the call go away that they waited for, they
/// act in the end.
async fn act_at_last(harness: &Harness, strikes: &[Strike], acted: &AtomicUsize) {
    let wanted: Vec<_> = strikes.iter().filter_map(Strike::act).collect();
    let patience = tokio::time::Instant::now() + WHILE * 2;
    while acted.load(Ordering::Relaxed) < wanted.len() {
        if tokio::time::Instant::now() > patience {
            harness.sandbox.look_on(None);
            harness.kubernetes.look_on(None);
            wanted.iter().for_each(|act| act.perform(&harness.kubernetes));
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// For what happens at a call without being its fault; counts how many have acted.
fn onlook(harness: &Harness, strikes: &[Strike]) -> Arc<AtomicUsize> {
    let acted = Arc::new(AtomicUsize::new(0));
    let strikes: Vec<_> = strikes
        .iter()
        .filter(|strike| strike.trouble.lines(&strike.spot).is_none())
        .map(|strike| (strike.clone(), AtomicUsize::new(0)))
        .collect();
    if strikes.is_empty() {
        return acted;
    }
    let (sandbox, kubernetes, count) = (harness.sandbox.clone(), harness.kubernetes.clone(), acted.clone());
    let onlooker = Arc::new(move |edge: Edge, call: &str| {
        for (strike, calls) in &strikes {
            if edge == strike.edge() && call == strike.spot.call {
                let nth = calls.fetch_add(1, Ordering::Relaxed) as u64 + 1;
                if nth == strike.spot.nth {
                    strike.happen(&sandbox, &kubernetes);
                    count.fetch_add(usize::from(strike.act().is_some()), Ordering::Relaxed);
                }
            }
        }
    });
    harness.sandbox.look_on(Some(onlooker.clone()));
    harness.kubernetes.look_on(Some(onlooker));
    acted
}

/// Lets a call fail for good, looks at how the object and the operator bear it, and then ends the fault.
/// `most` keeps the most calls that an hour of it took.
pub fn endure(
    scenario: &Scenario,
    call: &str,
    trouble: &Trouble,
    expected: &Value,
    most: &AtomicUsize,
) -> Result<(), String> {
    paused(async {
        let mut harness = scenario.from.resume();
        let spot = Spot { call: call.to_owned(), nth: 1 };
        let fault = trouble.lines(&spot).unwrap().range(1, None);
        harness.sandbox.fault(fault);
        scenario.act.perform(&harness.kubernetes);
        harness.start();
        tokio::time::sleep(ENDURED).await;
        let calls = harness.sandbox.calls().len();
        tokio::time::sleep(Duration::from_mins(60)).await;
        let calls = harness.sandbox.calls().len() - calls;
        let told = (harness.conditions(), harness.message("Ready"));
        if most.fetch_max(calls, Ordering::Relaxed) < calls {
            println!("{calls} calls in an hour: {trouble:?} at {call}");
        }
        if calls > CALLS_OF_A_PASS * trouble.passes_per_hour() {
            return Err(format!("{calls} calls in an hour; {told:?}"));
        }
        if !End::Ready.reached(&harness) {
            bears(&harness, call, trouble).map_err(|reason| format!("{reason}: {told:?}"))?;
        }
        harness.sandbox.clear_faults();
        comes_to(&harness, End::Ready, expected).await
    })
}

/// Whether the object says what is wrong: what is refused, with a hint for a person; what cannot be reached, as unknown.
fn bears(harness: &Harness, call: &str, trouble: &Trouble) -> Result<(), String> {
    let conditions = harness.conditions();
    let expected: &[&str] = match trouble {
        Trouble::Denied => &["Ready=False/AccessDenied"],
        _ => &["Ready=Unknown/Unavailable"],
    };
    if !conditions.first().is_some_and(|ready| expected.contains(&ready.as_str())) {
        return Err(format!("not one of {expected:?}"));
    }
    let message = harness.message("Ready");
    if message.split_once("; ").is_none_or(|(_, hint)| hint.is_empty()) {
        return Err("no hint".to_owned());
    }
    let action = action(call);
    let named = !matches!(trouble, Trouble::Denied) || message.contains(&action);
    if named { Ok(()) } else { Err(format!("{action} is not named")) }
}

/// What IAM calls the permission for a call of AWS; empty for Jenkins.
fn action(call: &str) -> String {
    let (service, operation) = call.split_once(' ').unwrap();
    match service {
        "jenkins" => String::new(),
        "s3" => format!("s3:{}", mlops_sandbox::aws::dispatch::s3_action(operation)),
        _ => format!("{service}:{operation}"),
    }
}

/// Plays a scenario with somebody acting in it, and looks how long it takes until all is well.
pub fn heals(scenario: &Scenario, strike: &Strike, within: Duration) -> Result<(), String> {
    paused(async {
        let mut harness = scenario.from.resume();
        let strikes = std::slice::from_ref(strike);
        let acted = onlook(&harness, strikes);
        scenario.act.perform(&harness.kubernetes);
        harness.start();
        act_at_last(&harness, strikes, &acted).await;
        tokio::time::sleep(within).await;
        harness.sandbox.look_on(None);
        harness.kubernetes.look_on(None);
        if scenario.end.reached(&harness) { Ok(()) } else { Err(format!("{:?}", harness.conditions())) }
    })
}
