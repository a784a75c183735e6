//! Secrets and ConfigMaps that objects name, each watched by its name and only while somebody names it. A change
//! brings the objects that name it back at once. Nothing is listed or cached cluster-wide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::api::core::v1::{ConfigMap, Secret as SecretObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watch_object};
use kube::{Api, Client};
use tokio::sync::watch;

use crate::controller::object::Key;
use crate::crd::status::CaBundleKind;
use crate::domain::secret::Secret;

/// The label by which a Secret says what it may be used for, besides what the spec names it for by a field of its own.
pub const ALLOWED_USE: &str = "mlops-operator.io/allowed-use";
/// The label's value that lets the Secret's values go into parameters of a project's template.
pub const FOR_PARAMETERS: &str = "parameters";

/// How long a first answer may take.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// A named Secret or ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Whether it is a ConfigMap.
    pub config_map: bool,
    /// Namespace: always that of the object that names it.
    pub namespace: String,
    pub name: String,
}

impl Source {
    pub fn secret(namespace: &str, name: &str) -> Self {
        Self { config_map: false, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub fn config_map(namespace: &str, name: &str) -> Self {
        Self { config_map: true, ..Self::secret(namespace, name) }
    }

    /// What holds a CA bundle.
    pub fn bundle(namespace: &str, kind: CaBundleKind, name: &str) -> Self {
        Self { config_map: kind == CaBundleKind::ConfigMap, ..Self::secret(namespace, name) }
    }

    /// The kind, for people.
    pub fn noun(&self) -> &'static str {
        if self.config_map { "ConfigMap" } else { "Secret" }
    }
}

/// What is known of a source.
#[derive(Clone)]
pub enum Content {
    Unknown,
    /// It does not exist.
    Absent,
    /// The operator may not read it.
    Forbidden,
    Present {
        /// The server's version of it.
        version: String,
        /// Whether it carries the label that lets its values go into parameters of a project's template.
        for_parameters: bool,
        /// Values that are text; others count as absent.
        values: Arc<BTreeMap<String, Secret>>,
    },
}

impl Content {
    /// Changes when the content does.
    pub fn version(&self) -> &str {
        match self {
            Self::Unknown => "unknown",
            Self::Absent => "absent",
            Self::Forbidden => "forbidden",
            Self::Present { version, .. } => version,
        }
    }
}

struct Watched {
    content: watch::Receiver<Content>,
    /// Whether somebody gave up waiting for the first answer.
    overdue: Arc<AtomicBool>,
    referrers: Arc<Mutex<BTreeSet<Key>>>,
    task: tokio::task::AbortHandle,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub struct ReferenceWatch {
    client: Client,
    changed: UnboundedSender<Key>,
    watched: Mutex<BTreeMap<Source, Watched>>,
}

impl ReferenceWatch {
    /// Watches nothing yet; `changed` gets the objects to reconcile.
    pub fn new(client: Client, changed: UnboundedSender<Key>) -> Self {
        Self { client, changed, watched: Mutex::default() }
    }

    /// An object names exactly these sources from now on. Sources that nobody names any more are forgotten.
    pub fn refer(&self, object: &Key, sources: &BTreeSet<Source>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|source, entry| {
            let mut referrers = entry.referrers.lock().unwrap_or_else(PoisonError::into_inner);
            if !sources.contains(source) {
                referrers.remove(object);
            }
            !referrers.is_empty() || sources.contains(source)
        });
        for source in sources {
            let entry = watched.entry(source.clone()).or_insert_with(|| self.watch(source));
            entry.referrers.lock().unwrap_or_else(PoisonError::into_inner).insert(object.clone());
        }
    }

    /// What is known of a source that somebody names; waits for the first answer.
    pub async fn content(&self, source: &Source) -> Content {
        let entry = {
            let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.get(source).map(|entry| (entry.content.clone(), entry.overdue.clone()))
        };
        let Some((mut receiver, overdue)) = entry else { return Content::Unknown };
        if overdue.load(Ordering::Acquire) {
            return receiver.borrow().clone();
        }
        let known = receiver.wait_for(|content| !matches!(content, Content::Unknown));
        if let Ok(Ok(content)) = tokio::time::timeout(FIRST_ANSWER, known).await {
            return content.clone();
        }
        overdue.store(true, Ordering::Release);
        // The answer may have come just now, too early to find that it was overdue.
        receiver.borrow().clone()
    }

    /// How many sources are watched.
    pub fn len(&self) -> usize {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn watch(&self, source: &Source) -> Watched {
        let (sender, content) = watch::channel(Content::Unknown);
        let referrers = Arc::new(Mutex::new(BTreeSet::new()));
        let overdue = Arc::new(AtomicBool::new(false));
        let follow =
            Follow { sender, referrers: referrers.clone(), changed: self.changed.clone(), overdue: overdue.clone() };
        let (client, name) = (self.client.clone(), source.name.clone());
        let task = if source.config_map {
            let stream = watch_object(Api::<ConfigMap>::namespaced(client, &source.namespace), &name).default_backoff();
            tokio::spawn(follow.run(stream.boxed(), config_map_content))
        } else {
            let stream =
                watch_object(Api::<SecretObject>::namespaced(client, &source.namespace), &name).default_backoff();
            tokio::spawn(follow.run(stream.boxed(), secret_content))
        };
        Watched { content, overdue, referrers, task: task.abort_handle() }
    }
}

/// The task that follows one source.
struct Follow {
    sender: watch::Sender<Content>,
    referrers: Arc<Mutex<BTreeSet<Key>>>,
    changed: UnboundedSender<Key>,
    overdue: Arc<AtomicBool>,
}

impl Follow {
    async fn run<K>(
        self,
        mut stream: futures::stream::BoxStream<'static, Result<Option<K>, watcher::Error>>,
        read: fn(K) -> Content,
    ) {
        while let Some(next) = stream.next().await {
            let content = match next {
                Ok(Some(object)) => read(object),
                Ok(None) => Content::Absent,
                Err(error) if forbidden(&error) => Content::Forbidden,
                // The watch is tried again by itself; what was known stays known.
                Err(_) => continue,
            };
            let before = self.sender.borrow().version().to_owned();
            let first = matches!(*self.sender.borrow(), Content::Unknown);
            let differs = before != content.version();
            self.sender.send_replace(content);
            // A first answer is waited for; only one that nobody waits for any more is news.
            if differs && (!first || self.overdue.swap(false, Ordering::AcqRel)) {
                for key in self.referrers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    // The receiver goes only when the controller does.
                    let _ = self.changed.unbounded_send(key.clone());
                }
            }
        }
    }
}

fn forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.is_forbidden(),
        watcher::Error::WatchError(status) => status.is_forbidden(),
        _ => false,
    }
}

fn secret_content(object: SecretObject) -> Content {
    let label = object.metadata.labels.as_ref().and_then(|labels| labels.get(ALLOWED_USE));
    let for_parameters = label.is_some_and(|value| value == FOR_PARAMETERS);
    let text =
        |(key, value): (String, k8s_openapi::ByteString)| Some((key, Secret::new(String::from_utf8(value.0).ok()?)));
    let values = Arc::new(object.data.unwrap_or_default().into_iter().filter_map(text).collect());
    let version = object.metadata.resource_version.unwrap_or_default();
    Content::Present { version, for_parameters, values }
}

fn config_map_content(object: ConfigMap) -> Content {
    let values = object.data.unwrap_or_default().into_iter().map(|(key, value)| (key, Secret::new(value)));
    let (version, values) = (object.metadata.resource_version.unwrap_or_default(), Arc::new(values.collect()));
    Content::Present { version, for_parameters: false, values }
}
