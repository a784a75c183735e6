//! The explorer: plays a scenario once and saves the whole world at both edges of each remote call, so that any other
//! course of events can go on from there. An operator that dies leaves nothing behind but that world, so going on from
//! a saved world with a new operator is what a crash at that edge comes to.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

pub mod canonical;
pub mod pool;
pub mod scenarios;
pub mod sweep;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mlops_sandbox::kubernetes::Kubernetes;
use mlops_sandbox::{Edge, World};
use serde_json::{Value, json};

use self::canonical::{agree, canonical};
use crate::harness::operator::{Harness, NAMESPACE};

/// How long a story may take to come to its end, in the world's time.
pub const LIMIT: Duration = Duration::from_mins(60);
/// How long the world is watched after that: nothing may happen to it any more.
const QUIET: Duration = Duration::from_mins(3);
const TICK: Duration = Duration::from_millis(200);

/// What somebody does to the object.
#[derive(Clone, Debug)]
pub enum Act {
    /// Creates it.
    Apply,
    /// Changes it by a merge patch.
    Edit(Value),
    /// Removes its status, as a restored backup does.
    WipeStatus,
    /// Creates it on a platform that it shares, and the platform with it.
    ApplyOnPlatform,
    /// Asks for its deletion.
    Delete,
    /// Asks for its deletion and for that of the platform.
    DeleteWithPlatform,
    /// Removes it with its finalizer, and creates it anew: it gets another uid.
    Recreate,
    /// Nothing; what has changed is the world.
    Nothing,
}

impl Act {
    /// Does it, in no time.
    pub fn perform(&self, kubernetes: &Kubernetes) {
        let merge = |status: bool, change: &Value| {
            kubernetes.merge("mlopsprojects", NAMESPACE, "taxi-fares", status, change).map(drop)
        };
        let delete = || kubernetes.delete("mlopsprojects", NAMESPACE, "taxi-fares").map(drop);
        let apply = || kubernetes.create("mlopsprojects", NAMESPACE, Harness::manifest()).map(drop);
        let done = match self {
            Self::Apply => apply(),
            Self::ApplyOnPlatform => {
                let platform = kubernetes.create("mlopsplatforms", "", Harness::platform_manifest());
                let project = Harness::project_on_platform("taxi-fares");
                platform.and_then(|_| kubernetes.create("mlopsprojects", NAMESPACE, project)).map(drop)
            }
            Self::DeleteWithPlatform => {
                delete().and_then(|()| kubernetes.delete("mlopsplatforms", "", "main").map(drop))
            }
            Self::Edit(patch) => merge(false, patch),
            Self::WipeStatus => merge(true, &json!({"status": null})),
            Self::Delete => delete(),
            Self::Recreate => {
                merge(false, &json!({"metadata": {"finalizers": null}})).and_then(|()| delete()).and_then(|()| apply())
            }
            Self::Nothing => Ok(()),
        };
        done.unwrap();
    }
}

/// How a story is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Ready,
    Gone,
}

impl End {
    pub fn reached(self, harness: &Harness) -> bool {
        let Some(object) = harness.object() else {
            return self == Self::Gone && harness.kubernetes.objects("mlopsplatforms").is_empty();
        };
        self == Self::Ready
            && object["status"]["observedGeneration"] == object["metadata"]["generation"]
            && harness.conditions().iter().any(|condition| condition == "Ready=True/Succeeded")
    }
}

/// A world with its cluster, saved.
#[derive(Clone)]
pub struct Saved {
    pub world: World,
    pub kubernetes: Kubernetes,
}

impl Saved {
    /// As resources stand.
    pub fn of(harness: &Harness) -> Self {
        Self { world: harness.sandbox.world(|world| world.clone()), kubernetes: harness.kubernetes.fork() }
    }

    /// a harness that goes on from here, without an operator.
    pub fn resume(&self) -> Harness {
        Harness::resume(self.world.clone(), &self.kubernetes)
    }

    /// Two saved worlds with the same digest have the same future.
    fn digest(&self) -> String {
        format!("{:?} {}", self.world, self.kubernetes.digest())
    }
}

/// The world at one edge of one call.
#[derive(Clone)]
pub struct Point {
    /// Which call of the clean run, counted from 1.
    pub number: usize,
    pub edge: Edge,
    /// The call, such as `s3 PutObject`.
    pub call: String,
    pub saved: Saved,
}

impl Point {
    /// For people.
    pub fn name(&self) -> String {
        let edge = if self.edge == Edge::Before { "before" } else { "after" };
        format!("{edge} call {} ({})", self.number, self.call)
    }
}

/// A clean run.
#[derive(Clone)]
pub struct Recording {
    pub points: Vec<Point>,
    pub end: Value,
    /// The world at the end.
    pub last: Saved,
}

/// Something that happens to the object of a world, and how it is to end.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub from: Saved,
    /// Whether the operator is at rest when it happens, and not just being started.
    pub settled: bool,
    pub act: Act,
    pub end: End,
}

impl Scenario {
    /// How resources stand in the world that it begins in.
    pub fn before(&self) -> Value {
        paused(async { canonical(&self.from.resume()) })
    }

    /// Plays it undisturbed and saves every edge of every call, Kubernetes reads apart.
    pub fn record(&self) -> Recording {
        paused(async {
            let mut harness = self.from.resume();
            if self.settled {
                harness.start();
                tokio::time::sleep(QUIET).await;
            }
            let points = listen(&harness);
            if !self.settled {
                harness.start();
            }
            self.act.perform(&harness.kubernetes);
            let outcome = come_to(&harness, self.end).await;
            harness.sandbox.look_on(None);
            harness.kubernetes.look_on(None);
            let end = outcome.unwrap_or_else(|reason| panic!("{}, undisturbed: {reason}", self.name));
            let points = std::mem::take(&mut *points.lock().unwrap());
            Recording { points, end, last: Saved::of(&harness) }
        })
    }
}

/// Saves the world at every edge from now on.
fn listen(harness: &Harness) -> Arc<Mutex<Vec<Point>>> {
    let points: Arc<Mutex<Vec<Point>>> = Arc::default();
    let onlooker = {
        let (sandbox, kubernetes, points) = (harness.sandbox.clone(), harness.kubernetes.clone(), points.clone());
        Arc::new(move |edge: Edge, call: &str| {
            let saved = Saved { world: sandbox.world(|world| world.clone()), kubernetes: kubernetes.fork() };
            let mut points = points.lock().unwrap();
            let number = match edge {
                Edge::Before => points.iter().filter(|point| point.edge == Edge::Before).count() + 1,
                // Between the edges of one call nothing else runs.
                Edge::After => points.last().map_or(0, |point| point.number),
            };
            points.push(Point { number, edge, call: call.to_owned(), saved });
        })
    };
    harness.sandbox.look_on(Some(onlooker.clone()));
    harness.kubernetes.look_on(Some(onlooker));
    points
}

/// Lets time pass until the story has come to its end and then nothing happens any more. The end is for comparing.
pub async fn come_to(harness: &Harness, end: End) -> Result<Value, String> {
    let begun = tokio::time::Instant::now();
    loop {
        // What the object says before the operator has looked means nothing yet.
        tokio::time::sleep(TICK).await;
        while !end.reached(harness) {
            if begun.elapsed() > LIMIT {
                return Err(provisioning_status(harness, &format!("not {end:?} within {LIMIT:?}")));
            }
            tokio::time::sleep(TICK).await;
        }
        let calls = harness.sandbox.calls().len();
        tokio::time::sleep(QUIET).await;
        let writes: Vec<_> =
            harness.sandbox.calls().split_off(calls).into_iter().filter(|call| !is_read(call)).collect();
        if writes.is_empty() && end.reached(harness) {
            return Ok(canonical(harness));
        }
        if begun.elapsed() > LIMIT {
            return Err(provisioning_status(harness, &format!("{end:?}, but it does not stay so: {writes:?}")));
        }
    }
}

/// Lets time pass until the end has come, and compares it. A remark that a fault has left beside a resource that is well
/// goes with the next look at what is well, once an hour.
pub async fn comes_to(harness: &Harness, end: End, expected: &Value) -> Result<(), String> {
    let found = agree(expected, &come_to(harness, end).await?);
    let usual = |condition: &String| condition.ends_with("/InSync") || condition.ends_with("/Succeeded");
    let remarks = harness.conditions().iter().any(|condition| condition.contains("=True/") && !usual(condition));
    if found.is_ok() || end != End::Ready || !remarks {
        return found;
    }
    tokio::time::sleep(Duration::from_mins(60)).await;
    agree(expected, &come_to(harness, end).await?)
}

fn provisioning_status(harness: &Harness, what: &str) -> String {
    let calls = harness.sandbox.calls();
    let last: Vec<_> = calls.iter().rev().filter(|call| !is_read(call)).take(8).collect();
    format!("{what}: {:?}; {}; last writes {last:?}", harness.conditions(), harness.message("Ready"))
}

/// Whether a call of the journal changes nothing.
pub fn is_read(call: &str) -> bool {
    let operation = call.split(' ').nth(1).unwrap_or_default();
    ["Get", "List", "Describe", "Search", "Head", "GET", "HEAD"].iter().any(|verb| operation.starts_with(verb))
}

/// Goes on from a saved world with a new operator, after somebody did something.
pub fn go_on(saved: &Saved, act: &Act, end: End, expected: &Value) -> Result<(), String> {
    paused(async {
        let mut harness = saved.resume();
        act.perform(&harness.kubernetes);
        harness.start();
        agree(expected, &come_to(&harness, end).await?)
    })
}

/// The points with different worlds: from the same world at the same moment the same follows.
pub fn distinct(points: &[Point]) -> Vec<Point> {
    let mut seen = BTreeSet::new();
    points.iter().filter(|point| seen.insert(point.saved.digest())).cloned().collect()
}

/// A runtime of its own, whose time jumps.
pub fn paused<T>(story: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(story)
}
