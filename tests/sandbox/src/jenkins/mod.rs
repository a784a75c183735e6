//! Jenkins as far as pipeline jobs, folders, builds and folder credentials need it. It is a fake, and its fidelity
//! comes from reading Jenkins' source and from what 2.568.3 and 2.567 answered; a real server must work with the operator too.
//!
//! ```text
//!   handle ─▶ route (mode, context path, user, crumb, path) ─▶ server   whoAmI, plugins, crumbs, quiet-down
//!                                                          ├─▶ items    create, read, update, delete
//!                                                          ├─▶ builds   queue, parameters, runs      ◀─ wake
//!                                                          └─▶ credentials
//!   config + owners (what Jenkins makes of config.xml)   export + tree (api/json)   access (who may what)
//! ```
//!
//! Jenkins is one process with one memory, so the settings for lagging reads and lists do not concern it.

// A refusal is a whole HTTP answer here, on purpose: `?` ends a request with it.
#![allow(clippy::result_large_err)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::World;

pub mod access;
mod builds;
mod classes;
mod computers;
pub mod config;
mod copy;
mod credentials;
mod cron;
mod dump;
mod export;
mod items;
mod jenkinsfile;
mod matrix;
mod moves;
pub mod names;
mod owners;
pub mod polling;
mod python;
mod reply;
mod route;
mod runs;
mod server;
mod tree;
mod views;
pub mod xml;

#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod judged_tests;
#[cfg(test)]
mod recorded_tests;
#[cfg(test)]
mod seen_tests;
#[cfg(test)]
mod tests;

pub use access::{Permission, User};
pub use builds::wake;
pub use dump::item_names;
pub use jenkinsfile::Jenkinsfile;
pub use server::restart;

use dump::{dump_credentials, dump_item};
use polling::{Checkout, Source};
use xml::Element;

/// What Jenkins is doing as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It serves.
    #[default]
    Normal,
    /// It starts: 503 for everything.
    Loading,
    /// It has read who there is, but not yet begun to take them: 401 for each token, and no POST has a valid crumb.
    Initializing,
    /// It prepares for a shutdown: configuration works, builds do not start.
    QuietDown,
}

/// What kind of item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ItemKind {
    Folder,
    Pipeline,
    Freestyle,
}

/// A folder or job.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name as it was created.
    pub name: String,
    /// Folder or job.
    pub kind: ItemKind,
    /// Its loaded configuration.
    pub config: Element,
    /// The file on disk, where it is not what Jenkins would write: as posted, until the next save.
    pub raw: Option<String>,
    /// The items in a folder by name, which is one of its own in each case: only the root looks up without regard to it.
    pub children: BTreeMap<String, Item>,
    /// The folder's credentials by id.
    pub credentials: BTreeMap<String, Element>,
    /// Whether the folder has had credentials: the property that holds them stays when they are gone.
    pub has_store: bool,
    /// The job's builds, oldest first.
    pub builds: Vec<Build>,
    /// The commits that polling has seen last.
    pub polled: BTreeMap<Source, String>,
    /// The number of the next build.
    pub next_build: u32,
    /// Whether it is a copy that nobody has saved yet: it takes no builds.
    pub held_until_saved: bool,
    /// Tells an item from one of the same name before it.
    pub serial: u64,
}

/// A build.
#[derive(Clone, Debug)]
pub struct Build {
    /// Its number.
    pub number: u32,
    /// The queue item that it came from.
    pub queue_id: u64,
    /// Its parameters.
    pub parameters: Vec<(String, String)>,
    /// Why it runs: short descriptions.
    pub causes: Vec<String>,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// `SUCCESS`, `FAILURE`, `UNSTABLE`, `NOT_BUILT`, `ABORTED`; absent while it runs.
    pub result: Option<String>,
    /// What somebody has said of it.
    pub description: Option<String>,
    /// What it has checked out; absent: it ended before that, or is of no Git repository.
    pub checkout: Option<Checkout>,
}

/// Where a queue item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Stage {
    /// In its quiet period.
    Waiting { until: Timestamp },
    /// Ready, but something holds it back.
    Blocked,
    /// Became a build.
    Started { number: u32, at: Timestamp },
    /// Taken out of the queue.
    Cancelled { at: Timestamp },
}

/// Something in the queue, or that left it less than 300 s ago.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct QueueItem {
    pub id: u64,
    pub job: Vec<String>,
    pub parameters: Vec<(String, String)>,
    pub causes: Vec<String>,
    pub since: Timestamp,
    pub stage: Stage,
}

/// Everything that Jenkins knows.
#[derive(Clone, Debug)]
pub struct Jenkins {
    /// Version of the core, such as `2.570` or `2.555.3`.
    pub version: String,
    /// Path in front of everything: empty, or such as `/jenkins`.
    pub context: String,
    /// What it is doing.
    pub mode: Mode,
    /// Changes with each start.
    pub session: u32,
    /// Whether a POST without an API token needs a crumb.
    pub use_crumbs: bool,
    /// Whether new jobs are polled, each minute, if they ask for that. Off: nothing is built unasked.
    pub polling: bool,
    /// Whether something vetoes every build that is asked for.
    pub queue_vetoed: bool,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// Installed plugins: short name and version.
    pub plugins: config::Plugins,
    /// The items at the root by lower-case name.
    pub items: BTreeMap<String, Item>,
    /// The root's list views by name: their configuration.
    pub views: BTreeMap<String, Element>,
    /// The root's credentials by id.
    pub credentials: BTreeMap<String, Element>,
    /// The queue, with what left it lately.
    pub queue: BTreeMap<u64, QueueItem>,
    /// Results of coming builds by full job name; without one, a build succeeds.
    pub scripted: BTreeMap<String, VecDeque<String>>,
    /// Commits in repositories, as far as polling needs them.
    pub commits: BTreeMap<Source, u32>,
    /// Branches without a Jenkinsfile, or that cannot be read: their builds end before a checkout.
    pub without_jenkinsfile: BTreeSet<Source>,
    /// What the Jenkinsfiles of jobs declare about them, by full job name; without one, nothing.
    pub jenkinsfiles: BTreeMap<String, Jenkinsfile>,
    /// Source of numbers for queue items and items.
    pub serial: u64,
}

/// Name of the user that exists from the start.
const OPERATOR: &str = "operator";

impl Default for Jenkins {
    fn default() -> Self {
        let plugins = [
            ("aws-credentials", "254.v978a_5e206a_d8"),
            ("cloudbees-folder", "6.1073.va_7888eb_dd514"),
            ("credentials", "1453.v9b_a_29777a_b_fd"),
            ("git", "5.8.0"),
            ("job-dsl", "3654.vdf58f53e2d15"),
            ("pipeline-aws", "1.45"),
            ("pipeline-model-definition", "2.2277.v00573e73ddf1"),
            ("plain-credentials", "199.v9f8e1f741799"),
            ("ssh-credentials", "361.vb_f6760818e8c"),
            ("workflow-aggregator", "608.v67378e9d3db_1"),
            ("workflow-cps", "4238.va_6fb_65c1f699"),
            ("workflow-job", "1540.v295eccc9778f"),
            ("workflow-multibranch", "821.vc3b_4ea_780798"),
        ];
        Self {
            version: "2.570".into(),
            context: String::new(),
            mode: Mode::Normal,
            session: 1,
            use_crumbs: true,
            polling: false,
            queue_vetoed: false,
            users: BTreeMap::from([(OPERATOR.into(), User::service(&token_of(OPERATOR)))]),
            plugins: plugins.map(|(name, version)| (name.to_owned(), version.to_owned())).into(),
            items: BTreeMap::new(),
            views: BTreeMap::new(),
            credentials: BTreeMap::new(),
            queue: BTreeMap::new(),
            scripted: BTreeMap::new(),
            commits: BTreeMap::new(),
            without_jenkinsfile: BTreeSet::new(),
            jenkinsfiles: BTreeMap::new(),
            serial: 0,
        }
    }
}

/// An API token in Jenkins' form: `11` and 32 hex digits.
fn token_of(user: &str) -> String {
    format!("11{}", &hex::encode(Sha256::digest(format!("jenkins/{user}")))[..32])
}

/// Under which key an item of that name stands in a folder, or at the root.
fn key(folder: &[String], name: &str) -> String {
    if folder.is_empty() { name.to_lowercase() } else { name.to_owned() }
}

/// `A/B/C`.
fn full_name(path: &[String]) -> String {
    path.join("/")
}

impl Jenkins {
    /// The user that exists from the start, and its API token.
    pub fn credentials() -> (String, String) {
        (OPERATOR.to_owned(), token_of(OPERATOR))
    }

    /// Lets the next builds of a job end like this, one after the other.
    pub fn script_result(&mut self, job: &str, result: &str) {
        self.scripted.entry(job.to_owned()).or_default().push_back(result.to_owned());
    }

    /// Starts anew: the session hash changes, what waited in the queue is still there.
    pub fn restart(&mut self) {
        self.session += 1;
        self.mode = Mode::Normal;
    }

    /// The item of that full name (`A/B`), whatever its case.
    pub fn item(&self, full_name: &str) -> Option<&Item> {
        let path: Vec<String> = full_name.split('/').map(str::to_owned).collect();
        self.find(&path)
    }

    /// The same, to change it.
    pub fn item_mut(&mut self, full_name: &str) -> Option<&mut Item> {
        let path: Vec<String> = full_name.split('/').map(str::to_owned).collect();
        self.find_mut(&path)
    }

    fn find(&self, path: &[String]) -> Option<&Item> {
        let (first, rest) = path.split_first()?;
        let mut item = self.items.get(&first.to_lowercase())?;
        for name in rest {
            item = item.children.get(name)?;
        }
        Some(item)
    }

    /// The credentials of a folder, or of the root.
    fn credentials_of(&self, folder: &[String]) -> &BTreeMap<String, Element> {
        self.find(folder).map_or(&self.credentials, |folder| &folder.credentials)
    }

    fn find_mut(&mut self, path: &[String]) -> Option<&mut Item> {
        let (first, rest) = path.split_first()?;
        let mut item = self.items.get_mut(&first.to_lowercase())?;
        for name in rest {
            item = item.children.get_mut(name)?;
        }
        Some(item)
    }

    /// The items in a folder, or at the root.
    fn siblings(&self, folder: &[String]) -> Option<&BTreeMap<String, Item>> {
        if folder.is_empty() { Some(&self.items) } else { self.find(folder).map(|folder| &folder.children) }
    }

    fn siblings_mut(&mut self, folder: &[String]) -> Option<&mut BTreeMap<String, Item>> {
        if folder.is_empty() { Some(&mut self.items) } else { self.find_mut(folder).map(|folder| &mut folder.children) }
    }

    /// Whether this version has a change that came with a weekly release and was brought to an LTS line.
    fn at_least(&self, weekly: u32, lts: (u32, u32)) -> bool {
        let mut parts = self.version.split(['.', '-']).skip(1).map(|part| part.parse::<u32>().unwrap_or(0));
        let minor = parts.next().unwrap_or(0);
        let patch = parts.next().unwrap_or(0);
        minor >= weekly || (minor == lts.0 && patch >= lts.1)
    }

    /// How this version writes config.xml.
    fn style(&self) -> config::Style {
        config::Style { double_quotes: self.rereads_config(), seal_tokens: self.at_least(541, (528, 3)) }
    }

    /// Whether GET config.xml writes the objects out anew (SECURITY-3744) instead of sending the file.
    fn rereads_config(&self) -> bool {
        self.at_least(568, (555, 3))
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// All that exists; of secrets only their SHA-256.
    pub fn dump(&self) -> Value {
        let queue: Vec<Value> = self
            .queue
            .values()
            .filter(|item| matches!(item.stage, Stage::Waiting { .. } | Stage::Blocked))
            .map(|item| json!({"job": full_name(&item.job), "parameters": item.parameters, "causes": item.causes}))
            .collect();
        let mut all = json!({
            "version": self.version,
            "items": self.items.values().map(dump_item).collect::<Vec<_>>(),
            "credentials": dump_credentials(&self.credentials),
            "queue": queue,
        });
        if !self.views.is_empty() {
            all["views"] =
                self.views.iter().map(|(name, view)| (name.clone(), Value::from(xml::write(view, "")))).collect();
        }
        all
    }
}

impl Item {
    /// Child items, whether it can be built, and so on, follow from the kind.
    pub fn is_folder(&self) -> bool {
        self.kind == ItemKind::Folder
    }

    /// The description; empty if absent.
    pub fn description(&self) -> &str {
        self.config.child_text("description").unwrap_or_default()
    }

    /// Whether it is disabled.
    pub fn disabled(&self) -> bool {
        self.config.child_text("disabled") == Some("true")
    }

    /// Whether it takes builds.
    pub fn buildable(&self) -> bool {
        !self.disabled() && !self.held_until_saved
    }

    /// A property of the configuration by its class.
    pub fn property(&self, class: &str) -> Option<&Element> {
        self.config.child("properties")?.child(class)
    }

    /// Saved by Jenkins itself: the file is now what Jenkins writes.
    fn saved(&mut self) {
        self.raw = None;
    }
}

fn sealed(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

/// Users, plugins and modes that tests and the control interface change go by these fields; requests come here.
pub fn handle(world: &mut World, request: &http::Request<Bytes>) -> http::Response<Bytes> {
    route::answer(world, request)
}
