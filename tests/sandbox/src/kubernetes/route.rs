//! From a request to what is asked of which objects.

use http::Method;
use serde_json::Value;

use super::patch;
use super::store::{Address, Kubernetes, Refused, missing};

/// What a URL names.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) plural: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) status: bool,
    query: Vec<(String, String)>,
}

impl Target {
    /// Reads `/api/v1/…` and `/apis/<group>/<version>/…`.
    pub(super) fn of(uri: &http::Uri) -> Option<Self> {
        let parts: Vec<_> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let rest = match parts.as_slice() {
            ["api", "v1", rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => return None,
        };
        let mut target = Self { query: query(uri.query().unwrap_or_default()), ..Self::default() };
        let rest = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && *rest != ["status"] => {
                (*namespace).clone_into(&mut target.namespace);
                rest
            }
            rest => rest,
        };
        match rest {
            [plural] => (*plural).clone_into(&mut target.plural),
            [plural, name] => [&mut target.plural, &mut target.name]
                .into_iter()
                .zip([plural, name])
                .for_each(|(to, from)| (*from).clone_into(to)),
            [plural, name, "status"] => {
                (*plural).clone_into(&mut target.plural);
                (*name).clone_into(&mut target.name);
                target.status = true;
            }
            _ => return None,
        }
        Some(target)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_watch(&self) -> bool {
        matches!(self.parameter("watch"), Some("true" | "1"))
    }

    pub(super) fn address(&self) -> Address {
        (self.plural.clone(), self.namespace.clone(), self.name.clone())
    }

    /// Whether an object is asked for by collection, namespace and selectors.
    pub(super) fn selects(&self, address: &Address, object: &Value) -> Result<bool, Refused> {
        if address.0 != self.plural || !(self.namespace.is_empty() || address.1 == self.namespace) {
            return Ok(false);
        }
        let named = match self.parameter("fieldSelector").unwrap_or_default() {
            "" => true,
            selector => match selector.strip_prefix("metadata.name=") {
                Some(name) => name.trim_start_matches('=') == address.2,
                None => {
                    return Err(Refused::new(
                        400,
                        "BadRequest",
                        format!("field selector `{selector}` is not supported"),
                    ));
                }
            },
        };
        let labels = self.parameter("labelSelector").unwrap_or_default();
        let labelled = labels.split(',').filter(|label| !label.is_empty()).all(|label| {
            label
                .split_once('=')
                .is_some_and(|(key, value)| object["metadata"]["labels"][key] == value.trim_start_matches('='))
        });
        Ok(named && labelled)
    }

    /// As the list of calls has it.
    pub(super) fn line(&self, method: &Method) -> String {
        let verb = if self.is_watch() { "WATCH" } else { method.as_str() };
        let status = if self.status { "status" } else { "" };
        let path: Vec<_> = [&self.plural, &self.namespace, &self.name]
            .into_iter()
            .map(String::as_str)
            .chain([status])
            .filter(|part| !part.is_empty())
            .collect();
        format!("{verb} {}", path.join("/"))
    }
}

fn query(text: &str) -> Vec<(String, String)> {
    let plain =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (plain(name), plain(value))).collect()
}

impl Kubernetes {
    /// Answers anything but a watch.
    pub(super) fn answer(
        &self,
        method: &Method,
        target: &Target,
        kind_of_patch: &str,
        body: &[u8],
    ) -> Result<(u16, Value), Refused> {
        self.kind(&target.plural)?;
        let address = target.address();
        match (method, target.name.is_empty()) {
            (&Method::GET, true) => Ok((200, self.list(target)?)),
            (&Method::GET, false) => self
                .object(&address.0, &address.1, &address.2)
                .map(|object| (200, object))
                .ok_or_else(|| missing(&address)),
            (&Method::POST, true) => Ok((201, self.create(&target.plural, &target.namespace, parsed(body)?)?)),
            (&Method::DELETE, false) => Ok((200, self.delete(&address.0, &address.1, &address.2)?)),
            (&Method::PATCH, false) => self.patch(target, kind_of_patch, &parsed(body)?).map(|object| (200, object)),
            (&Method::PUT, false) => self.replace(&address, parsed(body)?, target.status).map(|object| (200, object)),
            _ => Err(Refused::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            )),
        }
    }

    fn list(&self, target: &Target) -> Result<Value, Refused> {
        let kind = self.kind(&target.plural)?;
        let state = self.state();
        let mut items = Vec::new();
        for (address, object) in &state.objects {
            if target.selects(address, object)? {
                items.push(object.clone());
            }
        }
        Ok(serde_json::json!({
            "apiVersion": kind.api_version(), "kind": format!("{}List", kind.kind),
            "metadata": {"resourceVersion": state.version.to_string()}, "items": items,
        }))
    }

    fn patch(&self, target: &Target, kind_of_patch: &str, change: &Value) -> Result<Value, Refused> {
        let address = target.address();
        let old = self.object(&address.0, &address.1, &address.2);
        match kind_of_patch.split(';').next().unwrap_or_default() {
            "application/apply-patch+yaml" => {
                let manager = target.parameter("fieldManager").unwrap_or_default();
                if manager.is_empty() {
                    return Err(Refused::new(422, "Invalid", "fieldManager is required for apply patch"));
                }
                let part = (address.clone(), format!("{manager}/{}", if target.status { "status" } else { "" }));
                let before = self.state().applied.get(&part).cloned().unwrap_or(Value::Null);
                let result = match old {
                    None if target.status => return Err(missing(&address)),
                    None => self.create(&address.0, &address.1, change.clone())?,
                    Some(mut object) => {
                        patch::apply(&mut object, &before, change);
                        self.replace(&address, object, target.status)?
                    }
                };
                self.state().applied.insert(part, change.clone());
                Ok(result)
            }
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                let mut object = old.ok_or_else(|| missing(&address))?;
                unversioned(&mut object);
                patch::merge(&mut object, change);
                self.replace(&address, object, target.status)
            }
            "application/json-patch+json" => {
                let mut object = old.ok_or_else(|| missing(&address))?;
                patch::json(&mut object, change)?;
                unversioned(&mut object);
                self.replace(&address, object, target.status)
            }
            other => {
                Err(Refused::new(415, "UnsupportedMediaType", format!("patches of type `{other}` are not supported")))
            }
        }
    }
}

/// Without a resourceVersion, so that only one given by the client is compared.
fn unversioned(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
}

fn parsed(body: &[u8]) -> Result<Value, Refused> {
    // Apply patches may be YAML, of which JSON is a part.
    serde_json::from_slice(body)
        .or_else(|_| serde_yaml::from_slice(body))
        .map_err(|error| Refused::new(400, "BadRequest", format!("the body does not parse: {error}")))
}
