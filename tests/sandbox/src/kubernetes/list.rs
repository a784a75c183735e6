//! Lists: pages that all show the moment of the first one, and lists of metadata alone.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::route::Target;
use super::store::{Address, ECHO, Happened, Kubernetes, Refused, State};

impl Kubernetes {
    pub(super) fn list(&self, target: &Target) -> Result<Value, Refused> {
        let kind = self.kind(&target.plural)?;
        let state = self.state();
        let (version, after) = match target.parameter("continue").unwrap_or_default() {
            "" => (state.version, None),
            token => read_token(token).map(|(version, after)| (version, Some(after)))?,
        };
        if version < state.compacted {
            let message = "The provided continue parameter is too old to display a consistent list result.";
            return Err(Refused::new(410, "Expired", message));
        }
        let limit = target.parameter("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
        let mut found = Vec::new();
        for (address, object) in state.at(version) {
            let passed = after.as_ref().is_some_and(|(namespace, name)| (&address.1, &address.2) <= (namespace, name));
            if !passed && target.selects(address, object)? {
                found.push((address, object));
            }
        }
        let left = found.len().saturating_sub(limit.unwrap_or(usize::MAX));
        let shown = &found[..found.len() - left];
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if let (true, Some((address, _))) = (left > 0, shown.last()) {
            metadata["continue"] = json!(token(version, address));
            if !target.is_selective() {
                metadata["remainingItemCount"] = json!(left);
            }
        }
        let items: Vec<_> = shown.iter().map(|(_, object)| item(target, kind.schema.is_some(), object)).collect();
        let (api_version, kind) = match target.metadata_only {
            true => (META.to_owned(), "PartialObjectMetadata"),
            false => (kind.api_version(), kind.kind.as_str()),
        };
        Ok(json!({"apiVersion": api_version, "kind": format!("{kind}List"), "metadata": metadata, "items": items}))
    }
}

/// The group of what a client gets that asks for metadata alone.
const META: &str = "meta.k8s.io/v1";

/// An object's metadata alone, if that is asked for.
pub(super) fn part(target: &Target, object: Value) -> Value {
    if !target.metadata_only || object["kind"] == "Status" {
        return object;
    }
    json!({"apiVersion": META, "kind": "PartialObjectMetadata", "metadata": object["metadata"]})
}

/// An object as an item of a list, where those of built-in kinds do not repeat what they are.
fn item(target: &Target, custom: bool, object: &Value) -> Value {
    let mut item = part(target, object.clone());
    if let (false, false, Some(fields)) = (custom, target.metadata_only, item.as_object_mut()) {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    item
}

fn token(version: u64, last: &Address) -> String {
    URL_SAFE_NO_PAD.encode(json!([version, last.1, last.2]).to_string())
}

fn read_token(token: &str) -> Result<(u64, (String, String)), Refused> {
    let parsed = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let (version, namespace, name) =
        parsed.ok_or_else(|| Refused::new(400, "BadRequest", "continue key is not valid: it is no token of ours"))?;
    Ok((version, (namespace, name)))
}

impl State {
    /// The objects as they were at a version that is not forgotten.
    fn at(&self, version: u64) -> BTreeMap<&Address, &Value> {
        let changed_since: BTreeSet<_> =
            self.happened().filter(|happened| happened.version > version).map(|happened| &happened.address).collect();
        let mut then: BTreeMap<_, _> =
            self.objects.iter().filter(|(address, _)| !changed_since.contains(address)).collect();
        for happened in self.happened().take_while(|happened| happened.version <= version) {
            if !changed_since.contains(&happened.address) {
                continue;
            }
            match happened.what {
                "DELETED" => then.remove(&happened.address),
                _ => then.insert(&happened.address, &happened.object),
            };
        }
        then
    }

    fn happened(&self) -> impl Iterator<Item = &Happened> {
        self.log.iter().filter(|happened| happened.what != ECHO)
    }

    /// Forgets what happened, but not how the objects came to be as they are.
    pub(super) fn compact(&mut self) {
        let mut last = BTreeMap::new();
        for happened in self.log.drain(..).filter(|happened| happened.what != ECHO) {
            last.insert(happened.address.clone(), happened);
        }
        self.log = last.into_values().filter(|happened| happened.what != "DELETED").collect();
        self.log.sort_by_key(|happened| happened.version);
        self.compacted = self.version;
    }
}
