//! A wrong environment as one row: what is wrong, how it shows, and how it is set right. [`EnvironmentFault::tell`] plays it
//! with the whole operator in process and tells what it saw: the condition, the calls in an hour that it lasts, and
//! the recovery by itself once it is set right.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

use std::fmt::Write as _;
use std::time::Duration;

use mlops_operator::telemetry;
use mlops_sandbox::Settings;
use mlops_sandbox::jenkins::Jenkins;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use crate::harness::judges::judge;
use crate::harness::operator::{ACCOUNT, Harness, REGION};
use crate::harness::{canary, readable};

/// Calls of AWS and Jenkins in an hour, at most, while something stays wrong.
pub const CALLS_PER_HOUR: usize = 500;
/// Writes of the Kubernetes API in that hour, at most: nothing new is to be said.
const WRITES_PER_HOUR: usize = 2;
/// How long it takes until what is wrong shows: a reconcile, and before it what must be made until it can be met.
const SOON: Duration = Duration::from_secs(45);
/// The same for what may pass by itself: it is shown only after five minutes.
const PATIENTLY: Duration = Duration::from_secs(320);
/// How long it takes, at most, until a look finds that it is right again.
const RECOVERY: Duration = Duration::from_mins(12);

/// When something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the project is declared.
    Building,
    /// Once it is Ready; somebody then asks for a look.
    Living,
    /// Right before it is deleted.
    Deleting,
}

/// See the module.
pub struct EnvironmentFault {
    /// What is wrong, in a sentence.
    pub name: &'static str,
    /// Changes to the harness before the operator starts.
    pub setting: fn(&mut Harness),
    /// Changes to the manifest.
    pub manifest: fn(&mut Value),
    /// Makes it wrong.
    pub breaks: fn(&Harness),
    /// Sets it right.
    pub mends: fn(&Harness),
    /// When, and the condition that shows it: `PrerequisitesMet=False/WrongAccount`.
    pub shows: &'static [(When, &'static str)],
    /// Whether it may pass by itself, so that it is shown only after a while.
    pub passing: bool,
    /// Whether it goes over by itself soon, so that nobody has to set anything right.
    pub brief: bool,
    /// Whether it can be set right without another object: where a resource lives cannot change.
    pub mended: bool,
    /// Whether AWS is asked to try again now and then, so that the condition changes for as long as it tries.
    pub retried: bool,
}

/// An environment with nothing wrong in it.
pub const RIGHT: EnvironmentFault = EnvironmentFault {
    name: "",
    setting: |_| {},
    manifest: |_| {},
    breaks: |_| {},
    mends: |_| {},
    shows: &[],
    passing: false,
    brief: false,
    mended: true,
    retried: false,
};

impl EnvironmentFault {
    /// Plays all that is to be shown, each with a world of its own.
    pub fn tell(&self) -> String {
        let mut text = format!("## {}\n\n", self.name);
        for (when, condition) in self.shows {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
            text.push_str(&runtime.unwrap().block_on(self.play(*when, condition)));
        }
        text
    }

    async fn play(&self, when: When, condition: &str) -> String {
        let log = canary::Paper::default();
        let writer = log.clone();
        let text = telemetry::text(EnvFilter::new("trace"), false, move || writer.clone());
        let _logging = crate::harness::canary::logging(text);
        let mut harness = Harness::new(Settings::default()).await;
        (self.setting)(&mut harness);
        harness.start();
        let mut manifest = Harness::manifest();
        (self.manifest)(&mut manifest);
        if when == When::Building {
            (self.breaks)(&harness);
            tokio::time::sleep(Duration::from_secs(30)).await;
            harness.apply(manifest);
        } else {
            harness.apply(manifest);
            harness.until_condition("Ready=True/Succeeded", Duration::from_mins(2)).await;
            (self.breaks)(&harness);
        }
        match when {
            When::Building => {}
            When::Living => harness.look_now().await,
            When::Deleting => harness.delete(),
        }
        let limit = if self.passing { PATIENTLY } else { SOON };
        let shown =
            self.until(&harness, when, limit, |harness| harness.conditions().iter().any(|one| one == condition)).await;
        let mut text = told(when, &harness, condition, shown, !self.brief);
        if self.brief {
            let took = self.until(&harness, when, RECOVERY, |harness| ready(harness, condition)).await;
            writeln!(text, "          Ready {:.0} s later, by itself\n", took.as_secs_f64()).unwrap();
            self.keeps_secrets(&harness, &log);
            harness.stop().await;
            judge(&harness.kubernetes);
            return text;
        }
        self.lasts(&mut text, &harness, condition).await;
        if !self.mended {
            harness.delete();
            self.keeps_secrets(&harness, &log);
            harness.stop().await;
            judge(&harness.kubernetes);
            text.push('\n');
            return text;
        }
        (self.mends)(&harness);
        let took = match when {
            When::Deleting => self.until(&harness, when, RECOVERY, |harness| harness.object().is_none()).await,
            _ => self.until(&harness, when, RECOVERY, |harness| ready(harness, condition)).await,
        };
        let end = if when == When::Deleting { "gone" } else { "Ready" };
        writeln!(text, "          {end} {:.0} s after it was set right, by itself\n", took.as_secs_f64()).unwrap();
        if when == When::Deleting {
            assert_eq!(left(&harness), [] as [String; 0], "{}: left behind", self.name);
        }
        self.keeps_secrets(&harness, &log);
        harness.stop().await;
        judge(&harness.kubernetes);
        text
    }

    /// Neither Jenkins' token nor AWS's key can be read anywhere, whatever was wrong.
    fn keeps_secrets(&self, harness: &Harness, log: &canary::Paper) {
        let canaries = [Jenkins::credentials().1, harness.credentials.secret_access_key().to_owned()];
        let canaries: Vec<&str> = canaries.iter().map(String::as_str).collect();
        assert!(log.text().contains("mlops_operator"), "{}: nothing was logged", self.name);
        assert_eq!(readable::leaks(harness, &log.text(), "", &canaries), [] as [String; 0], "{}", self.name);
    }

    /// An hour in which nothing is set right: few calls, none that changes anything, and the same is said all the time.
    async fn lasts(&self, text: &mut String, harness: &Harness, condition: &str) {
        // What else was under way comes to rest first.
        tokio::time::sleep(Duration::from_mins(2)).await;
        let (calls, written) = (harness.sandbox.calls().len(), harness.kubernetes.calls().len());
        let said = harness.object().unwrap()["status"].clone();
        tokio::time::sleep(Duration::from_hours(1)).await;
        let made = harness.sandbox.calls().split_off(calls);
        let writes = made.iter().filter(|call| !is_read(call)).count();
        let is_write = |call: &&String| ["PATCH", "PUT", "POST", "DELETE"].iter().any(|verb| call.starts_with(verb));
        let published = harness.kubernetes.calls()[written..].iter().filter(is_write).count();
        writeln!(text, "          {} calls in the hour that it lasts, {writes} of them writes", made.len()).unwrap();
        let name = self.name;
        if self.retried {
            assert!(
                made.len() <= CALLS_PER_HOUR && published <= 6 * 4,
                "{name}: {} calls, {published} writes",
                made.len()
            );
            return;
        }
        assert!(made.len() <= CALLS_PER_HOUR, "{name}: a storm of {} calls: {made:#?}", made.len());
        assert!(
            published <= WRITES_PER_HOUR,
            "{name}: {published} writes of the Kubernetes API though nothing changes"
        );
        assert!(harness.conditions().iter().any(|one| one == condition), "{name}: {:#?}", harness.conditions());
        assert_eq!(harness.object().unwrap()["status"]["conditions"], said["conditions"], "{name}: not stable");
    }

    async fn until(
        &self,
        harness: &Harness,
        when: When,
        limit: Duration,
        holds: impl Fn(&Harness) -> bool,
    ) -> Duration {
        let begun = tokio::time::Instant::now();
        let tick = if limit > SOON { Duration::from_secs(1) } else { Duration::from_millis(100) };
        while !holds(harness) {
            assert!(
                begun.elapsed() < limit,
                "{} ({when:?}): not within {limit:?}: {:#?}\nReady: {}\nlast calls: {:#?}",
                self.name,
                harness.conditions(),
                harness.message("Ready"),
                harness.sandbox.calls().iter().rev().take(20).rev().collect::<Vec<_>>()
            );
            tokio::time::sleep(tick).await;
        }
        begun.elapsed()
    }
}

fn told(when: When, harness: &Harness, condition: &str, shown: Duration, hint: bool) -> String {
    let when = match when {
        When::Building => "building",
        When::Living => "living",
        When::Deleting => "deleting",
    };
    let kind = condition.split('=').next().unwrap();
    let message = crate::harness::story::masked(&harness.message(kind));
    assert!(!hint || message.contains("; "), "{condition} says what is wrong, but not what to do about it: {message}");
    let shown = shown.as_secs_f64();
    format!("{when:<8}  {} after {shown:.0} s\n          {message}\n", condition.replace(['=', '/'], " "))
}

/// Ready, and what was wrong no longer shown.
fn ready(harness: &Harness, wrong: &str) -> bool {
    let conditions = harness.conditions();
    conditions.iter().any(|one| one == "Ready=True/Succeeded") && conditions.iter().all(|one| one != wrong)
}

fn is_read(call: &str) -> bool {
    let operation = call.split(' ').nth(1).unwrap_or_default();
    ["Get", "List", "Describe", "Search", "Head", "Assume", "GET", "HEAD"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

/// What carries the mark of the object, or the name of its project, though the object is gone.
pub fn left(harness: &Harness) -> Vec<String> {
    harness.sandbox.world(|world| {
        let jobs = mlops_sandbox::jenkins::item_names(&world.jenkins);
        let mut left: Vec<String> = jobs.into_iter().filter(|name| name.contains("sagemaker-taxi-fares")).collect();
        let buckets = world.s3.dump();
        let ours = buckets
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, bucket)| bucket.to_string().contains("ml-team/taxi-fares"));
        left.extend(ours.map(|(name, _)| name.clone()));
        let region = world.region(ACCOUNT, REGION);
        let catalog = region.catalog.dump();
        for kind in ["portfolios", "products"] {
            let count = catalog[kind].as_object().map_or(0, serde_json::Map::len);
            left.extend((0..count).map(|_| kind.to_owned()));
        }
        let stacks = region.cloudformation.dump()["stacks"].clone();
        let count = stacks.as_object().map_or_else(|| stacks.as_array().map_or(0, Vec::len), serde_json::Map::len);
        left.extend((0..count).map(|_| "stack".to_owned()));
        left
    })
}
