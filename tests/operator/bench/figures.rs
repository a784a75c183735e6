//! What is measured of a fleet, and how it is told. It must not judge a figure: tests of behaviour do that elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use mlops_sandbox::Entry;
use tokio::time::{Instant, sleep};

use super::fleet::{Fleet, IAM_LIMIT, LIMIT, LIMITS, Platforms, jenkins, name};

/// After how long the first looks after a start have spread out.
const SETTLED: Duration = Duration::from_hours(2);
/// For how long idle objects are watched.
const IDLE: Duration = Duration::from_hours(2);
/// How many objects are changed or added, one after the other, among the idle ones.
const TOUCHED: usize = 20;

/// The figures of one run.
#[derive(Debug, Default)]
pub(super) struct Figures {
    ready: Duration,
    calls_until_ready: usize,
    throttled: usize,
    /// The shortest time in which AWS takes so many calls.
    limits_allow: f64,
    idle_calls: BTreeMap<String, usize>,
    idle_writes: usize,
    changes: Vec<Duration>,
    additions: Vec<Duration>,
    /// How long the last one that was added took, on a platform that is Ready.
    added: Duration,
    restart_calls: usize,
    /// Calls in the busiest minute of the hour after a restart.
    restart_busiest: usize,
    restart_writes: usize,
}

/// How long changes waited while all was well, and beside a Jenkins that was lost a moment or an hour ago.
#[derive(Debug, Default)]
pub(super) struct Beside {
    well: Vec<Duration>,
    at_first: Vec<Duration>,
    later: Vec<Duration>,
}

/// The shortest time that so many of a hundred do not exceed: of twenty, the 99th is the longest.
fn percentile(sorted: &[Duration], part: usize) -> f64 {
    let rank = (sorted.len() * part).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).map_or(f64::NAN, Duration::as_secs_f64)
}

fn p50_p99(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    format!("{:.2} s, {:.2} s", percentile(&sorted, 50), percentile(&sorted, 99))
}

/// AWS's words for calls that come too fast.
fn is_throttled(entry: &Entry) -> bool {
    let words = ["Throttl", "TooManyRequests", "SlowDown", "Rate exceeded"];
    entry.reply.as_ref().is_some_and(|reply| reply.status >= 400 && words.iter().any(|word| reply.body.contains(word)))
}

#[allow(clippy::cast_precision_loss)]
fn share(count: usize, of: f64) -> f64 {
    count as f64 / of
}

impl Fleet {
    fn calls(&self) -> usize {
        self.harness.sandbox.requests()
    }

    fn status_writes(&self) -> usize {
        let calls = self.harness.kubernetes.calls();
        calls.iter().filter(|call| call.starts_with("PATCH mlops") && call.ends_with("/status")).count()
    }

    /// How many calls since then there were of each service.
    fn by_service(&self, since: usize) -> BTreeMap<String, usize> {
        self.harness.sandbox.look_at_journal(since, |entries| {
            let mut by_service = BTreeMap::new();
            for entry in entries {
                *by_service.entry(entry.service.clone()).or_default() += 1;
            }
            by_service
        })
    }

    /// Lets time pass until all are Ready; says for how long.
    pub(super) async fn all_ready(&mut self) -> Duration {
        let begun = Instant::now();
        // What is Ready once is not looked for again: one pass over all would be asked for ten times a second.
        for n in 0..self.projects {
            self.until_ready(n).await;
        }
        begun.elapsed()
    }

    /// How long it takes until the first call that names a project; routine looks at it are an hour apart.
    async fn until_touched(&self, n: usize, since: usize) -> Duration {
        let name = name(n);
        let names = |entry: &Entry| entry.uri.contains(&name) || entry.body.contains(&name);
        let touched = |entries: &[Entry]| entries.iter().any(names);
        self.harness.until("touched", LIMIT, |harness| harness.sandbox.look_at_journal(since, touched)).await
    }

    /// Changes some of them, one after the other; says how long each waited.
    async fn change_some(&self, chosen: impl Fn(usize) -> bool, description: &str) -> Vec<Duration> {
        let mut waited = Vec::new();
        let candidates: Vec<usize> = (0..self.projects).filter(|n| chosen(*n)).collect();
        for n in candidates.iter().step_by(candidates.len().div_ceil(TOUCHED).max(1)) {
            let calls = self.calls();
            self.change(*n, description);
            waited.push(self.until_touched(*n, calls).await);
            self.until_ready(*n).await;
        }
        waited
    }

    /// The shortest time in which AWS takes the calls that it took until now: that of the region with the most of them.
    fn limits_allow(&self) -> f64 {
        let calls = self.harness.sandbox.look_at_journal(0, |entries| {
            let mut calls = BTreeMap::<(String, String), usize>::new();
            for entry in entries {
                // IAM is one for all regions.
                let region = if entry.service == "iam" { "" } else { &entry.region };
                *calls.entry((entry.service.clone(), region.to_owned())).or_default() += 1;
            }
            calls
        });
        let rates = || LIMITS.into_iter().chain([("iam", IAM_LIMIT)]);
        let rate = |service: &str| rates().find(|(name, _)| *name == service).map(|(_, rate)| f64::from(rate));
        // A full bucket holds the calls of two seconds.
        let times = calls.iter().filter_map(|((service, _), calls)| Some(share(*calls, rate(service)?) - 2.0));
        times.fold(0.0, f64::max)
    }

    /// Adds some, one after the other.
    async fn add_some(&mut self, figures: &mut Figures) {
        let first = self.projects;
        // A platform of its own must have place in its region.
        let number = if self.platforms == Platforms::Own { 1 } else { TOUCHED };
        for n in first..first + number {
            let calls = self.calls();
            let begun = Instant::now();
            self.add(n);
            figures.additions.push(self.until_touched(n, calls).await);
            self.until_ready(n).await;
            figures.added = begun.elapsed();
        }
    }

    /// Plays the whole of a fleet's life but for its end.
    pub(super) async fn measure(mut self) -> Figures {
        let ready = self.all_ready().await;
        let throttled =
            self.harness.sandbox.look_at_journal(0, |all| all.iter().filter(|one| is_throttled(one)).count());
        let mut figures = Figures { ready, throttled, calls_until_ready: self.calls(), ..Figures::default() };
        figures.limits_allow = self.limits_allow();
        sleep(SETTLED).await;

        let (calls, writes) = (self.calls(), self.status_writes());
        sleep(IDLE).await;
        (figures.idle_calls, figures.idle_writes) = (self.by_service(calls), self.status_writes() - writes);

        figures.changes = self.change_some(|_| true, "Predicts other fares").await;
        self.add_some(&mut figures).await;
        sleep(SETTLED).await;
        self.restart(&mut figures).await;
        figures
    }

    async fn restart(&mut self, figures: &mut Figures) {
        self.harness.stop().await;
        let (calls, writes) = (self.calls(), self.status_writes());
        self.harness.start();
        sleep(Duration::from_mins(1)).await;
        figures.restart_calls = self.calls() - calls;
        // Each object is looked at within the hour, and lists are young for ten minutes.
        sleep(Duration::from_mins(64)).await;
        let busiest = self.harness.sandbox.look_at_journal(calls, |later| {
            let mut minutes = BTreeMap::<i64, usize>::new();
            for entry in later {
                *minutes.entry(entry.at.as_second() / 60).or_default() += 1;
            }
            minutes
        });
        figures.restart_busiest = busiest.into_values().max().unwrap_or_default();
        figures.restart_writes = self.status_writes() - writes;
    }

    /// One Jenkins of several takes calls and answers no more, while everything on it is changed.
    pub(super) async fn lose_a_jenkins(mut self) -> Beside {
        let Platforms::Shared(platforms) = self.platforms else { panic!("needs shared platforms") };
        self.all_ready().await;
        sleep(SETTLED).await;
        let others = |n: usize| !n.is_multiple_of(platforms);
        let mut beside = Beside { well: self.change_some(others, "Predicts other fares").await, ..Beside::default() };
        self.harness.silent_jenkins.lock().unwrap().insert(jenkins(0));
        for n in (0..self.projects).filter(|n| !others(*n)) {
            self.change(n, "Out of reach");
        }
        sleep(Duration::from_secs(5)).await;
        beside.at_first = self.change_some(others, "Predicts more fares").await;
        sleep(Duration::from_hours(1)).await;
        beside.later = self.change_some(others, "Predicts all fares").await;
        beside
    }
}

impl Figures {
    /// The columns.
    pub(super) fn head() -> String {
        let hours = IDLE.as_secs() / 3600;
        let columns = [
            "projects",
            "platforms",
            "all Ready after",
            "over the bound",
            "calls each until then",
            "throttled",
            "calls per idle project-hour",
            "by service",
            &format!("status writes in {hours} idle hours and after a restart"),
            "change touched p50, p99",
            "new one touched p50, p99",
            "new one Ready after",
            "calls per object in the first minute after a restart",
            "in the busiest minute of the hour after it",
        ];
        format!("| {} |\n|{}", columns.join(" | "), " --- |".repeat(columns.len()))
    }

    /// The figures of so many projects; `alone` is how long one takes that nobody is in the way of.
    pub(super) fn row(&self, projects: usize, platforms: Platforms, alone: Duration) -> String {
        let number = share(projects, 1.0);
        let hours = IDLE.as_secs_f64() / 3600.0 * number;
        let total: usize = self.idle_calls.values().sum();
        let by_service: Vec<_> =
            self.idle_calls.iter().map(|(service, calls)| format!("{service} {:.2}", share(*calls, hours))).collect();
        let bound = self.limits_allow.max(alone.as_secs_f64());
        let on = match platforms {
            Platforms::Own => "its own".to_owned(),
            Platforms::Shared(number) => number.to_string(),
        };
        let cells = [
            projects.to_string(),
            on,
            format!("{:.1} s", self.ready.as_secs_f64()),
            format!("{:.2} of {bound:.1} s", self.ready.as_secs_f64() / bound),
            format!("{:.0}", share(self.calls_until_ready, number)),
            self.throttled.to_string(),
            format!("{:.2}", share(total, hours)),
            by_service.join(", "),
            format!("{}, {}", self.idle_writes, self.restart_writes),
            p50_p99(&self.changes),
            p50_p99(&self.additions),
            format!("{:.2} s", self.added.as_secs_f64()),
            format!("{:.3}", share(self.restart_calls, number)),
            format!("{:.2}", share(self.restart_busiest, number)),
        ];
        format!("| {} |", cells.join(" | "))
    }
}

impl Beside {
    /// The columns.
    pub(super) fn head() -> String {
        let columns =
            ["projects", "platforms", "first touch p50, p99", "just after one Jenkins was lost", "an hour later"];
        format!("| {} |\n|{}", columns.join(" | "), " --- |".repeat(columns.len()))
    }

    /// The times of so many projects on ten platforms.
    pub(super) fn row(&self, projects: usize) -> String {
        let times = [&self.well, &self.at_first, &self.later].map(|times| p50_p99(times));
        format!("| {projects} | 10 | {} |", times.join(" | "))
    }
}
