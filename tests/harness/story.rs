//! A project's life in process, told as text: the whole operator against the sandbox and the in-memory Kubernetes API,
//! under tokio's paused clock. Each line says when, who, and what: what a user did, what was written to AWS and
//! Jenkins (reads are only counted), which events were published and how the conditions turned. At its end stands what
//! kstatus and Argo CD make of each state of each object.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use mlops_sandbox::Settings;
use serde_json::{Value, json};

use crate::harness::judges::judge;
use crate::harness::operator::Harness;

/// The project of every story.
pub const NAME: &str = "taxi-fares";
/// How finely a story looks.
const TICK: Duration = Duration::from_millis(100);
/// How finely it looks while a long time passes.
const LONG_TICK: Duration = Duration::from_secs(5);

/// See the module.
pub struct Story {
    pub harness: Harness,
    begun: Timestamp,
    text: String,
    told: Told,
    /// Further objects whose conditions are told: plural, namespace, name.
    followed: Vec<(String, String, String)>,
    /// Whether what happens at one moment is told in the order of the alphabet.
    is_sorted: bool,
}

/// What has been told already.
#[derive(Default)]
struct Told {
    journal: usize,
    reads: usize,
    events: BTreeMap<String, u64>,
    conditions: BTreeMap<String, String>,
}

impl Story {
    /// A world with a namespace, a Secret, a Git connection and a running operator, and nothing else.
    pub async fn begin(title: &str, settings: Settings) -> Self {
        let mut harness = Harness::new(settings).await;
        harness.start();
        let begun = harness.sandbox.now();
        Self {
            harness,
            begun,
            text: format!("# {title}\n\n"),
            told: Told::default(),
            followed: Vec::new(),
            is_sorted: false,
        }
    }

    /// Tells the conditions of one more object from now on.
    pub fn follow(&mut self, plural: &str, namespace: &str, name: &str) {
        self.followed.push((plural.to_owned(), namespace.to_owned(), name.to_owned()));
    }

    /// Tells what happens at one moment in the order of the alphabet: which of several objects comes first then is nobody's
    /// matter.
    pub fn sort_moments(&mut self) {
        self.is_sorted = true;
    }

    /// Whether a followed object is Ready in its present generation.
    pub fn is_ready(&self, plural: &str, namespace: &str, name: &str) -> bool {
        let object = self.harness.kubernetes.object(plural, namespace, name).unwrap_or_default();
        let ready = self.harness.conditions_of(plural, namespace, name).contains(&"Ready=True/Succeeded".to_owned());
        ready && object["status"]["observedGeneration"] == object["metadata"]["generation"]
    }

    /// The same with a project that was applied and is Ready.
    pub async fn installed(title: &str) -> Self {
        let mut story = Self::begin(title, Settings::default()).await;
        story.tell("user", "applies the project");
        story.harness.apply(manifest());
        story.until("Ready", Duration::from_mins(2), Self::ready).await;
        story
    }

    /// A heading between two parts of the story.
    pub fn chapter(&mut self, heading: &str) {
        writeln!(self.text, "\n## {heading}\n").unwrap();
    }

    /// Something that a person or another system did.
    pub fn tell(&mut self, who: &str, what: &str) {
        let at = seconds(self.begun, self.harness.sandbox.now());
        writeln!(self.text, "{at:>7.1} s  {who:<8}  {}", masked(what)).unwrap();
    }

    /// Patches any object, as a user would.
    pub async fn patch(&self, path: &str, content_type: &str, patch: &Value) {
        let request = http::Request::patch(path)
            .header("content-type", content_type)
            .body(http_body_util::Full::new(bytes::Bytes::from(patch.to_string())))
            .unwrap();
        let response = tower::ServiceExt::oneshot(self.harness.kubernetes.service(), request).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
    }

    /// The project as Kubernetes has it.
    pub fn project(&self) -> Option<Value> {
        self.harness.object()
    }

    /// Status and reason of a condition; empty if it is not there.
    pub fn condition(&self, kind: &str) -> (String, String) {
        let project = self.project().unwrap_or_default();
        let conditions = project["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|condition| condition["type"] == kind);
        let text = |field: &str| found.and_then(|found| found[field].as_str()).unwrap_or_default().to_owned();
        (text("status"), text("reason"))
    }

    /// Whether the project is Ready in its present generation.
    pub fn ready(&self) -> bool {
        let project = self.project().unwrap_or_default();
        self.condition("Ready").0 == "True"
            && project["status"]["observedGeneration"] == project["metadata"]["generation"]
    }

    /// Lets time pass, telling what happens, until `done` holds. Gives the seconds that it took.
    pub async fn until(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) -> f64 {
        self.watch(what, limit, TICK, done).await
    }

    async fn watch(&mut self, what: &str, limit: Duration, tick: Duration, done: impl Fn(&Self) -> bool) -> f64 {
        let from = self.harness.sandbox.now();
        loop {
            self.look();
            let passed = seconds(from, self.harness.sandbox.now());
            if done(self) {
                return passed;
            }
            assert!(
                passed < limit.as_secs_f64(),
                "{what} did not happen within {} s:\n{}\n{}",
                limit.as_secs(),
                self.text,
                self.project().map(|project| project["status"].to_string()).unwrap_or_default()
            );
            tokio::time::sleep(tick).await;
        }
    }

    /// Lets this much time pass, telling what happens.
    pub async fn pass(&mut self, time: Duration) {
        let end = self.harness.sandbox.now() + jiff::SignedDuration::try_from(time).unwrap();
        let tick = if time > Duration::from_mins(10) { LONG_TICK } else { TICK };
        self.watch("the end of time", time + tick * 2, tick, |story| story.harness.sandbox.now() >= end).await;
    }

    /// Calls so far that change something in AWS or Jenkins.
    pub fn writes(&self) -> usize {
        self.harness.sandbox.journal().iter().filter(|entry| !is_read(&entry.operation)).count()
    }

    /// All calls so far.
    pub fn calls(&self) -> usize {
        self.harness.sandbox.journal().len()
    }

    /// Leaves out what others have asked of AWS and Jenkins just now.
    pub fn overlook(&mut self) {
        self.told.journal = self.harness.sandbox.requests();
    }

    fn look(&mut self) {
        let mut lines = Vec::new();
        let journal = self.harness.sandbox.journal_after(self.told.journal);
        for entry in &journal {
            if is_read(&entry.operation) {
                self.told.reads += 1;
                continue;
            }
            let status = entry.reply.as_ref().map_or(0, |reply| reply.status);
            let refused = if (200..400).contains(&status) { String::new() } else { format!(" -> {status}") };
            let fault = entry.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
            lines.push((entry.at, "writes", format!("{}{}{refused}{fault}", entry.call(), subject(entry))));
        }
        self.told.journal += journal.len();
        let now = self.harness.sandbox.now();
        for event in self.harness.kubernetes.objects("events") {
            let name = event["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let count = event["series"]["count"].as_u64().unwrap_or(1);
            if self.told.events.insert(name, count) != Some(count) {
                let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
                lines.push((now, "event", format!("{} {}: {}", text("type"), text("reason"), text("note"))));
            }
        }
        let conditions = self.conditions();
        for (kind, shown) in &conditions {
            if self.told.conditions.get(kind) != Some(shown) {
                lines.push((now, "status", format!("{kind} {shown}")));
            }
        }
        for kind in self.told.conditions.keys().filter(|kind| !conditions.contains_key(*kind)) {
            lines.push((now, "status", format!("{kind} goes")));
        }
        self.told.conditions = conditions;
        if self.is_sorted {
            lines.sort();
        }
        lines.sort_by_key(|(at, _, _)| *at);
        for (at, who, what) in lines {
            let at = seconds(self.begun, at);
            writeln!(self.text, "{at:>7.1} s  {who:<8}  {}", masked(&what)).unwrap();
        }
    }

    fn conditions(&self) -> BTreeMap<String, String> {
        let mut all = shown("", &self.project().unwrap_or_default());
        for (plural, namespace, name) in &self.followed {
            let object = self.harness.kubernetes.object(plural, namespace, name).unwrap_or_default();
            all.extend(shown(&format!("{name}: "), &object));
        }
        all
    }

    /// Stops the operator and compares the story with its golden file; `UPDATE_GOLDEN=1` writes it anew.
    pub async fn end(mut self, golden: &str) {
        self.look();
        self.harness.stop().await;
        self.chapter("What kstatus and Argo CD make of it");
        self.text.push_str(&judge(&self.harness.kubernetes));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{golden}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &self.text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if expected != self.text {
            let differs = expected.lines().zip(self.text.lines()).position(|(old, new)| old != new);
            let line = differs.map_or(0, |line| line + 1);
            panic!("tests/golden/{golden}.txt differs from line {line} on; this is the story now:\n{}", self.text);
        }
    }
}

/// The project of every story, as its user writes it: in a folder below one that the platform shares, with seed code.
pub fn manifest() -> Value {
    let mut manifest = Harness::manifest();
    manifest["spec"]["platform"]["jenkins"]["folder"] = json!("ml");
    for repository in ["preprocess", "build", "deploy"] {
        manifest["spec"]["repositories"][repository]["seedCode"] = json!({"source": "BuiltIn"});
    }
    manifest
}

/// An object's conditions, each type with what it says; each type begins with whose it is.
fn shown(whose: &str, object: &Value) -> BTreeMap<String, String> {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let shown = |condition: &Value| {
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        let told = format!("{} {}: {}", text("status"), text("reason"), text("message"));
        (format!("{whose}{}", text("type")), told)
    };
    conditions.iter().map(shown).collect()
}

fn is_read(operation: &str) -> bool {
    ["Get", "List", "Describe", "Head", "Search", "GET ", "HEAD "].iter().any(|prefix| operation.starts_with(prefix))
}

/// What a write is about, as far as it has a name.
fn subject(entry: &mlops_sandbox::journal::Entry) -> String {
    if entry.transport == "jenkins" || entry.service == "s3" {
        let path = entry.uri.split('?').next().unwrap_or_default();
        return format!(" {path}");
    }
    let names = [
        "ProjectName",
        "DisplayName",
        "Name",
        "StackName",
        "ProductId",
        "PortfolioId",
        "PrincipalARN",
        "Id",
        "ResourceArn",
    ];
    let name = names.iter().find_map(|name| entry.input.get(name).and_then(Value::as_str));
    name.map(|name| format!(" {name}")).unwrap_or_default()
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Hashes, commits and how many files seed code has would make a golden differ for reasons that are not its subject.
pub fn masked(text: &str) -> String {
    let text = &checked_in(text);
    let mut shown = String::with_capacity(text.len());
    let mut word = String::new();
    for sign in text.chars().chain(std::iter::once('\0')) {
        if sign.is_ascii_hexdigit() && !sign.is_ascii_uppercase() {
            word.push(sign);
            continue;
        }
        let hash = word.len() >= 10
            && word.contains(|sign: char| sign.is_ascii_digit())
            && word != "111122223333"
            && word != "001122334455";
        shown.push_str(if hash { "<hash>" } else { &word });
        word.clear();
        if sign != '\0' {
            shown.push(sign);
        }
    }
    shown
}

/// The same without what a commit of seed code is called, and how many files it has.
fn checked_in(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" with ").filter(|(before, _)| before.contains("seeded ")) else {
        return text.to_owned();
    };
    let files = rest.split_once(" files, commit ").filter(|(count, _)| count.bytes().all(|sign| sign.is_ascii_digit()));
    files.map_or_else(
        || text.to_owned(),
        |(_, commit)| {
            let after = commit.trim_start_matches(|sign: char| sign.is_ascii_hexdigit());
            format!("{before} with <n> files, commit <hash>{after}")
        },
    )
}
