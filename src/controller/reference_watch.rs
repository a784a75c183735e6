//! Secrets and ConfigMaps that objects name, each watched by its name and only while somebody names it. A change
//! brings the objects that name it back at once. Nothing is listed or cached cluster-wide.

use std::collections::BTreeMap;
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

/// Sources, the keys of each that are named, and how many bytes the value of each may have.
pub type Named = BTreeMap<Source, Keys>;
/// Keys of one source, and how many bytes the value of each may have.
pub type Keys = BTreeMap<String, usize>;

/// The value of a key that somebody names.
#[derive(Clone)]
pub enum Held {
    Text(Secret),
    /// It has more bytes than it may, so it is not kept: how many.
    TooLong(usize),
}

impl Held {
    /// The value, if it is kept.
    pub fn text(&self) -> Option<&Secret> {
        match self {
            Self::Text(text) => Some(text),
            Self::TooLong(_) => None,
        }
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
        /// Values of the keys that somebody names. Those that are no text count as absent.
        values: Arc<BTreeMap<String, Held>>,
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
    referrers: Referrers,
    /// What is kept of it.
    keys: Keys,
    task: tokio::task::AbortHandle,
}

/// Who names a source, and what of it.
type Referrers = Arc<Mutex<BTreeMap<Key, Keys>>>;

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
    pub fn refer(&self, object: &Key, named: &Named) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|source, entry| {
            let mut referrers = entry.referrers.lock().unwrap_or_else(PoisonError::into_inner);
            if !named.contains_key(source) {
                referrers.remove(object);
            }
            !referrers.is_empty() || named.contains_key(source)
        });
        for (source, keys) in named {
            let watch = || self.watch(source, keys.clone(), Referrers::default(), String::new());
            let entry = watched.entry(source.clone()).or_insert_with(watch);
            let keys = {
                let mut referrers = entry.referrers.lock().unwrap_or_else(PoisonError::into_inner);
                referrers.insert(object.clone(), keys.clone());
                together(&referrers)
            };
            if entry.keys != keys {
                // What was not kept must be read again, and what nobody names any more goes.
                let known = match &*entry.content.borrow() {
                    Content::Unknown => String::new(),
                    content => content.version().to_owned(),
                };
                *entry = self.watch(source, keys, entry.referrers.clone(), known);
            }
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

    /// Watches a source from now on; `known` is the version of it that the referrers know, if they do.
    fn watch(&self, source: &Source, keys: Keys, referrers: Referrers, known: String) -> Watched {
        let (sender, content) = watch::channel(Content::Unknown);
        let overdue = Arc::new(AtomicBool::new(false));
        let follow = Follow {
            sender,
            referrers: referrers.clone(),
            keys: keys.clone(),
            known,
            changed: self.changed.clone(),
            overdue: overdue.clone(),
        };
        let (client, name) = (self.client.clone(), source.name.clone());
        let task = if source.config_map {
            let stream = watch_object(Api::<ConfigMap>::namespaced(client, &source.namespace), &name).default_backoff();
            tokio::spawn(follow.run(stream.boxed(), config_map_content))
        } else {
            let stream =
                watch_object(Api::<SecretObject>::namespaced(client, &source.namespace), &name).default_backoff();
            tokio::spawn(follow.run(stream.boxed(), secret_content))
        };
        Watched { content, overdue, referrers, keys, task: task.abort_handle() }
    }
}

/// The task that follows one source.
struct Follow {
    sender: watch::Sender<Content>,
    referrers: Referrers,
    keys: Keys,
    /// The version that the referrers know; empty: none.
    known: String,
    changed: UnboundedSender<Key>,
    overdue: Arc<AtomicBool>,
}

impl Follow {
    async fn run<K>(
        mut self,
        mut stream: futures::stream::BoxStream<'static, Result<Option<K>, watcher::Error>>,
        read: fn(K, &Keys) -> Content,
    ) {
        while let Some(next) = stream.next().await {
            let content = match next {
                Ok(Some(object)) => read(object, &self.keys),
                Ok(None) => Content::Absent,
                Err(error) if forbidden(&error) => Content::Forbidden,
                // The watch is tried again by itself; what was known stays known.
                Err(_) => continue,
            };
            let known = std::mem::replace(&mut self.known, content.version().to_owned());
            let first = matches!(self.sender.send_replace(content), Content::Unknown);
            let differs = !known.is_empty() && known != self.known;
            // A first answer is waited for: one is news where nobody waits for it any more.
            if differs || (first && self.overdue.swap(false, Ordering::AcqRel)) {
                for key in self.referrers.lock().unwrap_or_else(PoisonError::into_inner).keys() {
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

/// All keys that are named, each with the longest value that one of its referrers takes.
fn together(referrers: &BTreeMap<Key, Keys>) -> Keys {
    let mut all = Keys::new();
    for (key, longest) in referrers.values().flatten() {
        let most = all.entry(key.clone()).or_default();
        *most = (*most).max(*longest);
    }
    all
}

fn secret_content(object: SecretObject, keys: &Keys) -> Content {
    let label = object.metadata.labels.as_ref().and_then(|labels| labels.get(ALLOWED_USE));
    let for_parameters = label.is_some_and(|value| value == FOR_PARAMETERS);
    let data = object.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
    let version = object.metadata.resource_version.unwrap_or_default();
    Content::Present { version, for_parameters, values: Arc::new(kept(data, keys)) }
}

fn config_map_content(object: ConfigMap, keys: &Keys) -> Content {
    let data = object.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
    let version = object.metadata.resource_version.unwrap_or_default();
    Content::Present { version, for_parameters: false, values: Arc::new(kept(data, keys)) }
}

/// What is kept of the data of a source: a megabyte of it may be of no use to anybody here.
fn kept(data: impl Iterator<Item = (String, Vec<u8>)>, keys: &Keys) -> BTreeMap<String, Held> {
    let value = |(key, value): (String, Vec<u8>)| {
        let kept = match value.len() {
            length if length > *keys.get(&key)? => Held::TooLong(length),
            _ => Held::Text(Secret::new(String::from_utf8(value).ok()?)),
        };
        Some((key, kept))
    };
    data.filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_keys_are_kept_and_none_that_is_too_long() {
        let key = |name: &str| Key::new("n", name);
        let keys = |all: &[(&str, usize)]| all.iter().map(|(name, most)| ((*name).to_owned(), *most)).collect::<Keys>();
        let referrers = [
            (key("a"), keys(&[("token", 4), ("long", 3)])),
            (key("b"), keys(&[("token", 2), ("bytes", 9), ("absent", 9)])),
        ];
        let data = [("token", "abcd"), ("long", "abcd"), ("other", "abcd"), ("bytes", "x")];
        let bytes = |(name, text): (&str, &str)| {
            (name.to_owned(), if name == "bytes" { vec![0xff] } else { text.as_bytes().to_vec() })
        };
        let kept = kept(data.into_iter().map(bytes), &together(&referrers.into()));
        let told = |value: &Held| match value {
            Held::Text(text) => text.reveal().to_owned(),
            Held::TooLong(length) => format!("too long: {length}"),
        };
        let told: Vec<_> = kept.iter().map(|(name, value)| (name.as_str(), told(value))).collect();
        assert_eq!(told, [("long", "too long: 4".to_owned()), ("token", "abcd".to_owned())]);
    }
}
