//! What all passes share: clients, clock, configuration, and the memories of the objects.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret as SecretObject};
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, ObjectMeta};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::controller::ledger::Ledger;
use crate::controller::object::{self, Key};
use crate::controller::outside::Outside;
use crate::controller::publish::{ApiError, MANAGER, call};
use crate::controller::secrets::Secrets;
use crate::crd::MlopsProject;
use crate::domain::secret::FingerprintKey;
use crate::metrics::Metrics;
use crate::server::Readiness;

/// Secret with the key of all fingerprints, in the operator's namespace.
pub const FINGERPRINT_SECRET: &str = "mlops-operator-fingerprint-key";
/// The key in it.
const FINGERPRINT_FIELD: &str = "key";
/// How often what is missing at the start is looked for again.
const START_RETRY: Duration = Duration::from_secs(2);

/// What an operator is started with. Everything that reaches outside the process is in here, so that the whole of
/// it can run in one process under a paused clock.
#[derive(Clone)]
pub struct Setup {
    /// The Kubernetes API.
    pub client: Client,
    /// The time.
    pub clock: Clock,
    /// The configuration file.
    pub config: Config,
    /// AWS and Jenkins.
    pub outside: Outside,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether the operator can work.
    pub readiness: Readiness,
    /// The operator's own namespace.
    pub namespace: String,
    /// The operator's name among its replicas.
    pub instance: String,
    /// Random numbers in 0..1, which spread what would otherwise happen at once.
    pub chance: Arc<dyn Fn() -> f64 + Send + Sync>,
}

/// See the module.
pub struct World {
    /// What the operator was started with.
    pub setup: Setup,
    /// Names this cluster in ownership tags.
    pub cluster: String,
    /// The key of all fingerprints.
    pub fingerprints: FingerprintKey,
    /// Publishes events; one per process, since it merges repeated ones.
    pub recorder: Recorder,
    /// Secrets and ConfigMaps that objects name.
    pub secrets: Secrets,
    /// `MlopsProject`, as the API has it.
    pub resource: ApiResource,
    /// True once the operator is stopping.
    pub stopping: watch::Receiver<bool>,
    ledgers: Mutex<BTreeMap<Key, Arc<Ledger>>>,
}

impl World {
    /// Finds out what holds for the whole cluster; waits, and says for what, until it can.
    pub async fn prepare(setup: Setup, changed: UnboundedSender<Key>, stopping: watch::Receiver<bool>) -> Self {
        let resource = ApiResource::erase::<MlopsProject>(&());
        let cluster = match setup.config.cluster_id.as_str() {
            "" => insist(&setup, "the uid of namespace kube-system", || cluster_uid(&setup.client)).await,
            given => given.to_owned(),
        };
        let what = format!("Secret {FINGERPRINT_SECRET} in namespace {}", setup.namespace);
        let fingerprints = insist(&setup, &what, || fingerprint_key(&setup.client, &setup.namespace)).await;
        let what = format!("the CRD {}.{}", resource.plural, resource.group);
        insist(&setup, &what, || installed(&setup.client, &resource)).await;
        let reporter = Reporter { controller: MANAGER.to_owned(), instance: Some(setup.instance.clone()) };
        Self {
            recorder: Recorder::new(setup.client.clone(), reporter),
            secrets: Secrets::new(setup.client.clone(), changed),
            ledgers: Mutex::default(),
            setup,
            cluster,
            fingerprints,
            resource,
            stopping,
        }
    }

    /// The objects of a namespace.
    pub fn api(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.setup.client.clone(), namespace, &self.resource)
    }

    /// What is remembered of an object.
    pub fn ledger(&self, object: &DynamicObject) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Ledger::new(object::status(object).intents));
        ledgers.entry(Key::of(object)).or_insert_with(fresh).clone()
    }

    /// What is remembered of an object, if anything.
    pub fn known(&self, key: &Key) -> Option<Arc<Ledger>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &Key) {
        let ledger = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some(ledger) = ledger {
            self.setup.metrics.ready_turned(ledger.turn_ready(None).as_deref(), None);
        }
        self.secrets.refer(key, &std::collections::BTreeSet::new());
    }

    /// How many objects are remembered.
    pub fn remembered(&self) -> usize {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Asks until there is an answer, and says meanwhile what is missing.
async fn insist<T, F>(setup: &Setup, what: &str, ask: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) => {
                tracing::warn!(%why, "waits for {what}");
                setup.readiness.not_ready(format!("waits for {what}: {why}"));
                tokio::time::sleep(START_RETRY).await;
            }
        }
    }
}

async fn cluster_uid(client: &Client) -> Result<String, String> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = call(namespaces.get("kube-system")).await.map_err(|error| error.to_string())?;
    namespace.metadata.uid.ok_or_else(|| "it has none".to_owned())
}

async fn installed(client: &Client, resource: &ApiResource) -> Result<(), String> {
    let all: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let one = kube::api::ListParams::default().limit(1);
    match call(all.list_metadata(&one)).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_gone() => Err("it is not installed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn fingerprint_key(client: &Client, namespace: &str) -> Result<FingerprintKey, String> {
    let secrets: Api<SecretObject> = Api::namespaced(client.clone(), namespace);
    let secret = match call(secrets.get(FINGERPRINT_SECRET)).await {
        Err(error) if error.is_gone() => {
            match call(secrets.create(&PostParams::default(), &fresh_key(namespace))).await {
                // Another replica was quicker: its key is the key.
                Err(ApiError::Kube(kube::Error::Api(status))) if status.is_already_exists() => {
                    call(secrets.get(FINGERPRINT_SECRET)).await
                }
                made => made,
            }
        }
        found => found,
    };
    let secret = secret.map_err(|error| error.to_string())?;
    let text =
        secret.data.and_then(|mut data| data.remove(FINGERPRINT_FIELD)).and_then(|text| String::from_utf8(text.0).ok());
    match text.filter(|text| text.len() >= 32) {
        Some(text) => Ok(FingerprintKey::new(text)),
        None => Err(format!(
            "its key `{FINGERPRINT_FIELD}` is missing or shorter than 32 characters: delete the Secret, and it is made anew"
        )),
    }
}

fn fresh_key(namespace: &str) -> SecretObject {
    let key: [u8; 32] = rand::random();
    SecretObject {
        metadata: ObjectMeta {
            name: Some(FINGERPRINT_SECRET.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(FINGERPRINT_FIELD.to_owned(), ByteString(hex::encode(key).into_bytes()))])),
        ..SecretObject::default()
    }
}
