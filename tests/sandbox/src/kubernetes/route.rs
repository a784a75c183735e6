//! From a request to what is asked of which objects.

use http::Method;
use serde_json::Value;

use super::store::{Address, KindInfo, Kubernetes, Refused};
use super::{list, patch, schema};

/// What a URL names.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    group_version: String,
    pub(super) plural: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) status: bool,
    other: bool,
    /// Whether the client asks for metadata alone.
    pub(super) metadata_only: bool,
    query: Vec<(String, String)>,
}

impl Target {
    /// Reads `/api/v1/…` and `/apis/<group>/<version>/…`.
    pub(super) fn of(request: &http::request::Parts) -> Option<Self> {
        let parts: Vec<_> = request.uri.path().split('/').filter(|part| !part.is_empty()).collect();
        let (group_version, rest) = match parts.as_slice() {
            ["api", "v1", rest @ ..] => ("v1".to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => return None,
        };
        let accept = request.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
        let mut target = Self {
            group_version,
            query: query(request.uri.query().unwrap_or_default()),
            metadata_only: accept.is_some_and(|accept| accept.contains("as=PartialObjectMetadata")),
            ..Self::default()
        };
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
            [plural, name, subresource] => {
                (*plural).clone_into(&mut target.plural);
                (*name).clone_into(&mut target.name);
                target.status = *subresource == "status";
                target.other = !target.status;
            }
            _ => return None,
        }
        Some(target)
    }

    /// Group and version, and the collection.
    pub(super) fn collection(&self) -> (&str, &str) {
        (&self.group_version, &self.plural)
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

    /// Whether a selector leaves objects out.
    pub(super) fn is_selective(&self) -> bool {
        ["fieldSelector", "labelSelector"].iter().any(|name| self.parameter(name).is_some_and(|text| !text.is_empty()))
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
    /// The kind that a URL names by group, version and collection.
    pub(super) fn kind_at(&self, target: &Target) -> Result<&KindInfo, Refused> {
        let kind =
            self.kinds.iter().find(|kind| kind.plural == target.plural && kind.api_version() == target.group_version);
        let kind = kind.ok_or_else(|| match target.group_version.as_str() {
            "v1" => Refused::nothing_there(),
            _ => Refused::no_such_page(),
        })?;
        if target.other { Err(kind.missing(&target.name)) } else { Ok(kind) }
    }

    /// Changes an object, or its status alone, by a JSON merge patch, as a user does; it is no call of the operator's.
    ///
    /// # Errors
    /// The object does not exist.
    pub fn merge(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        status: bool,
        change: &Value,
    ) -> Result<Value, Refused> {
        let (plural, namespace, name) = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let target = Target { plural, namespace, name, status, ..Target::default() };
        self.patch(&target, "application/merge-patch+json", change).map(|(_, object)| object)
    }

    /// Answers anything but a watch.
    pub(super) fn answer(
        &self,
        method: &Method,
        target: &Target,
        kind_of_patch: &str,
        body: &[u8],
    ) -> Result<(u16, Value), Refused> {
        let kind = self.kind_at(target)?;
        let address = target.address();
        match (method, target.name.is_empty()) {
            (&Method::GET, true) => Ok((200, self.list(target)?)),
            (&Method::GET, false) => self
                .object(&address.0, &address.1, &address.2)
                .map(|object| (200, list::part(target, object)))
                .ok_or_else(|| kind.missing(&address.2)),
            (&Method::POST, true) => Ok((201, self.create(&target.plural, &target.namespace, parsed(body)?)?)),
            (&Method::DELETE, false) => {
                let object = self.delete(&address.0, &address.1, &address.2)?;
                let held = self.object(&address.0, &address.1, &address.2).is_some();
                Ok((200, if held { object } else { gone(kind, &object) }))
            }
            (&Method::PATCH, false) => self.patch(target, kind_of_patch, &parsed(body)?),
            (&Method::PUT, false) => self.replace(&address, parsed(body)?, target.status).map(|object| (200, object)),
            _ => Err(Refused::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            )),
        }
    }

    fn patch(&self, target: &Target, kind_of_patch: &str, change: &Value) -> Result<(u16, Value), Refused> {
        let address = target.address();
        let old = self.object(&address.0, &address.1, &address.2);
        let kind = self.kind(&target.plural)?;
        let there = || old.clone().ok_or_else(|| kind.missing(&address.2));
        let new = match kind_of_patch.split(';').next().unwrap_or_default() {
            "application/apply-patch+yaml" => return self.apply(target, old, change),
            "application/merge-patch+json" | "application/strategic-merge-patch+json" => {
                let mut object = there()?;
                patch::merge(&mut object, change);
                object
            }
            "application/json-patch+json" => {
                let mut object = there()?;
                patch::json(&mut object, change)?;
                object
            }
            other => {
                let message = format!("patches of type `{other}` are not supported");
                return Err(Refused::new(415, "UnsupportedMediaType", message));
            }
        };
        Ok((200, self.replace(&address, new, target.status)?))
    }

    fn apply(&self, target: &Target, old: Option<Value>, change: &Value) -> Result<(u16, Value), Refused> {
        let (kind, address) = (self.kind(&target.plural)?, target.address());
        let manager = target.parameter("fieldManager").unwrap_or_default();
        if manager.is_empty() {
            return Err(Refused::new(422, "Invalid", "fieldManager: Required value: is required for apply patch"));
        }
        if let Some(path) = kind.schema.as_ref().and_then(|schema| schema::unknown(schema, change)) {
            let object = format!("{}/{}; {}, Kind={}", address.1, address.2, kind.api_version(), kind.kind);
            let message =
                format!("failed to create typed patch object ({object}): {path}: field not declared in schema");
            return Err(Refused::new(500, "", message));
        }
        let part = (address.clone(), format!("{manager}/{}", if target.status { "status" } else { "" }));
        let before = self.state().applied.get(&part).cloned().unwrap_or(Value::Null);
        let result = match old {
            None if target.status => return Err(kind.missing(&address.2)),
            None => (201, self.create(&address.0, &address.1, change.clone())?),
            Some(mut object) => {
                patch::apply(kind.schema.as_ref(), &mut object, &before, change);
                (200, self.replace(&address, object, target.status)?)
            }
        };
        self.state().applied.insert(part, change.clone());
        Ok(result)
    }
}

/// What the deletion of an object answers that is gone with it.
fn gone(kind: &KindInfo, object: &Value) -> Value {
    let metadata = &object["metadata"];
    let details =
        serde_json::json!({"name": metadata["name"], "group": kind.group, "kind": kind.plural, "uid": metadata["uid"]});
    serde_json::json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "details": details})
}

pub(super) fn parsed(body: &[u8]) -> Result<Value, Refused> {
    // Apply patches may be YAML, of which JSON is a part.
    serde_json::from_slice(body)
        .or_else(|_| serde_yaml::from_slice(body))
        .map_err(|error| Refused::new(400, "BadRequest", format!("the body does not parse: {error}")))
}
