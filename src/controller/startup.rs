//! What must be known of the cluster before the first reconcile: its id, the key of all fingerprints, that no other
//! installation claims its projects, and that the CRD is installed. It waits for each, and says for what.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Namespace, Secret as SecretObject};
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, ObjectMeta};
use kube::{Api, Client};

use crate::controller::api::{ApiError, call};
use crate::controller::claim;
use crate::controller::context::Dependencies;
use crate::controller::object::Kind;
use crate::crd::{MlopsPlatform, MlopsProject};
use crate::domain::secret::FingerprintKey;
use crate::server::Readiness;

/// Secret with the key of all fingerprints, in the operator's namespace.
pub const FINGERPRINT_SECRET: &str = "mlops-operator-fingerprint-key";
/// The key in it.
const FINGERPRINT_FIELD: &str = "key";
/// How often what is missing at the start is looked for again.
const START_RETRY: Duration = Duration::from_secs(2);

/// What holds for the whole installation.
pub struct Installation {
    /// Names this cluster in ownership tags.
    pub cluster: String,
    /// The key of all fingerprints.
    pub fingerprints: FingerprintKey,
    /// The kinds, as the API has them.
    pub kinds: Kinds,
}

/// The kinds, as the API has them.
#[derive(Clone)]
pub struct Kinds {
    platform: ApiResource,
    project: ApiResource,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { platform: ApiResource::erase::<MlopsPlatform>(&()), project: ApiResource::erase::<MlopsProject>(&()) }
    }
}

impl Kinds {
    /// One of them.
    pub fn of(&self, kind: Kind) -> &ApiResource {
        match kind {
            Kind::Platform => &self.platform,
            Kind::Project => &self.project,
        }
    }
}

impl Installation {
    /// Finds out what holds for the whole installation; waits, and says for what, until it can.
    pub async fn find(dependencies: &Dependencies) -> Self {
        let client = &dependencies.client;
        let kinds = Kinds::default();
        let cluster = match dependencies.config.cluster_id.as_str() {
            "" => insist(dependencies, "the uid of namespace kube-system", || cluster_uid(client)).await,
            given => given.to_owned(),
        };
        let what = format!("Secret {FINGERPRINT_SECRET} in namespace {}", dependencies.namespace);
        let fingerprints = insist(dependencies, &what, || fingerprint_key(client, &dependencies.namespace)).await;
        let what = "the claim on the projects of this cluster";
        insist(dependencies, what, || claim::hold(client, &dependencies.namespace, &fingerprints)).await;
        for kind in [Kind::Project, Kind::Platform] {
            let resource = kinds.of(kind);
            let what = format!("the CRD {}.{}", resource.plural, resource.group);
            insist(dependencies, &what, || installed(client, resource)).await;
        }
        Self { cluster, fingerprints, kinds }
    }
}

/// Waits until the API server at this address answers, whatever it says, and tells meanwhile where it is looked for.
pub async fn reachable(client: &Client, address: &str, readiness: &Readiness) {
    let mut told = String::new();
    readiness.not_ready(format!("waits for the API server at {address}"));
    loop {
        let reason = match call(client.apiserver_version()).await {
            Ok(_) | Err(ApiError::Kube(kube::Error::Api(_))) => return,
            Err(error) => whole(&error),
        };
        if reason != told {
            tracing::warn!(%reason, "waits for the API server at {address}");
            readiness.not_ready(format!("waits for the API server at {address}: {reason}"));
            told = reason;
        }
        tokio::time::sleep(START_RETRY).await;
    }
}

/// An error with what caused it, each once: what a client says of a server that is not there is in the causes alone.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}

/// Asks until there is an answer, and says meanwhile what is missing.
async fn insist<T, F>(dependencies: &Dependencies, what: &str, ask: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let mut told = String::new();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(reason) => {
                if reason != told {
                    tracing::warn!(%reason, "waits for {what}");
                    dependencies.readiness.not_ready(format!("waits for {what}: {reason}"));
                    told = reason;
                }
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
        Err(error) if error.is_gone() => Err(
            "it is not installed: let the chart bring it (crds.install=true), or run `kubectl apply --server-side -f crds/` with the files of this version"
                .to_owned(),
        ),
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
        summary => summary,
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
