//! The documents of a manifest file: the MlopsProject, and the Secrets and ConfigMaps that come with it. It reads and checks
//! their form; what a project needs is `preparation`'s.

use serde::Deserialize;
use serde_json::{Value, json};

/// The namespace of a project that names none.
const NAMESPACE: &str = "default";
const API_VERSION: &str = "mlops-operator.io/v1alpha1";

/// What a manifest file holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Documents {
    /// The MlopsProject.
    pub(crate) project: Value,
    /// Secrets and ConfigMaps: the plural name of the kind, and the object.
    pub(crate) objects: Vec<(&'static str, Value)>,
}

impl Documents {
    /// Reads a file of YAML documents.
    ///
    /// # Errors
    /// It is not YAML, holds no MlopsProject or several, or something else.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (mut projects, mut objects) = (Vec::new(), Vec::new());
        for document in serde_yaml::Deserializer::from_str(text) {
            let value = serde_yaml::Value::deserialize(document).map_err(|error| format!("it is not YAML: {error}"))?;
            let merged = merged(value)?;
            let object =
                serde_json::to_value(merged).map_err(|error| format!("it is no Kubernetes object: {error}"))?;
            match object["kind"].as_str() {
                None if object.is_null() => {}
                Some("MlopsProject") => projects.push(object),
                Some("Secret") => objects.push(("secrets", object)),
                Some("ConfigMap") => objects.push(("configmaps", object)),
                other => {
                    let kind = other.unwrap_or("no kind");
                    return Err(format!(
                        "it holds a document of {kind}; a rehearsal takes MlopsProject, Secret and ConfigMap"
                    ));
                }
            }
        }
        let mut project = match (projects.pop(), projects.len()) {
            (Some(project), 0) => project,
            (None, _) => return Err("it holds no MlopsProject".to_owned()),
            (Some(_), more) => return Err(format!("it holds {} MlopsProjects; a rehearsal plays one", more + 1)),
        };
        if project["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
            return Err("the MlopsProject has no metadata.name".to_owned());
        }
        if project["apiVersion"] != API_VERSION {
            return Err(format!("the MlopsProject's apiVersion must be {API_VERSION}"));
        }
        if project["metadata"]["namespace"].is_null() {
            project["metadata"]["namespace"] = json!(NAMESPACE);
        }
        let documents = Self { project, objects };
        documents.same_namespace()?;
        Ok(documents)
    }

    /// A project reads Secrets and ConfigMaps of its own namespace only: one in another is a mistake to be seen here.
    fn same_namespace(&self) -> Result<(), String> {
        let own = self.namespace();
        for (_, object) in &self.objects {
            let metadata = &object["metadata"];
            if let Some(other) = metadata["namespace"].as_str().filter(|other| *other != own) {
                let (kind, name) = (object["kind"].as_str().unwrap_or_default(), metadata["name"].as_str());
                return Err(format!(
                    "{kind} {} is of namespace {other}; the project is of namespace {own}, and reads nothing elsewhere",
                    name.unwrap_or_default()
                ));
            }
        }
        Ok(())
    }

    /// The project's namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.project["metadata"]["namespace"].as_str().unwrap_or(NAMESPACE)
    }

    /// The project's name.
    pub(crate) fn name(&self) -> &str {
        self.project["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// A text of the spec, by JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.project.pointer(&format!("/spec{pointer}")).and_then(Value::as_str)
    }

    /// The object of that name, if a document brings it or it was made up.
    pub(crate) fn object(&self, plural: &str, name: &str) -> Option<&Value> {
        let found = self.objects.iter().find(|(kind, object)| *kind == plural && object["metadata"]["name"] == name);
        found.map(|(_, object)| object)
    }
}

/// The same with merge keys (`<<`) resolved, as kubectl does before it sends a manifest.
fn merged(mut value: serde_yaml::Value) -> Result<serde_yaml::Value, String> {
    value.apply_merge().map_err(|error| format!("it is not YAML: {error}"))?;
    Ok(value)
}

/// Fields that were sent and that the API has dropped, as paths: kubectl refuses them.
pub(crate) fn dropped(path: &str, sent: &Value, kept: &Value) -> Vec<String> {
    match (sent, kept) {
        (Value::Object(sent), Value::Object(kept)) => {
            let each = sent.iter().filter(|(_, value)| !value.is_null());
            let find = |(name, value): (&String, &Value)| match kept.get(name) {
                Some(kept) => dropped(&format!("{path}.{name}"), value, kept),
                None => vec![format!("{path}.{name}")],
            };
            each.flat_map(find).collect()
        }
        (Value::Array(sent), Value::Array(kept)) => {
            let each = sent.iter().zip(kept).enumerate();
            each.flat_map(|(at, (sent, kept))| dropped(&format!("{path}[{at}]"), sent, kept)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PROJECT: &str =
        "apiVersion: mlops-operator.io/v1alpha1\nkind: MlopsProject\nmetadata: {name: taxi}\nspec: {description: a}\n";

    #[test]
    fn a_file_of_documents_is_taken_apart() {
        let secret = "kind: Secret\nmetadata: {name: jenkins}\n";
        let documents = Documents::read(&format!("{PROJECT}---\n{secret}---\n")).unwrap();
        assert_eq!((documents.name(), documents.namespace()), ("taxi", "default"));
        assert_eq!(documents.text("/description"), Some("a"));
        assert_eq!(documents.objects.len(), 1);
    }

    #[test]
    fn what_is_no_project_is_refused_with_a_sentence() {
        let rows = [
            ("nothing", String::new(), "holds no MlopsProject"),
            ("no YAML", "a: [".to_owned(), "not YAML"),
            ("two projects", format!("{PROJECT}---\n{PROJECT}"), "holds 2 MlopsProjects"),
            ("another kind", "kind: Pod".to_owned(), "a document of Pod"),
            ("no kind", "a: b".to_owned(), "no kind"),
            ("no name", "kind: MlopsProject\nmetadata: {}".to_owned(), "no metadata.name"),
            ("no version", "kind: MlopsProject\nmetadata: {name: a}".to_owned(), "apiVersion must be"),
            (
                "a Secret elsewhere",
                format!("{PROJECT}---\nkind: Secret\nmetadata: {{name: jenkins, namespace: other}}"),
                "Secret jenkins is of namespace other",
            ),
        ];
        for (case, text, sentence) in rows {
            let refusal = Documents::read(&text).unwrap_err();
            assert!(refusal.contains(sentence), "{case}: {refusal}");
        }
    }

    #[test]
    fn merge_keys_are_resolved() {
        let text = format!("{PROJECT}  x: &x {{a: 1}}\n  y: {{<<: *x, b: 2}}\n").replace("{description: a}", "");
        assert_eq!(Documents::read(&text).unwrap().project["spec"]["y"], json!({"a": 1, "b": 2}));
    }

    #[test]
    fn fields_that_the_api_drops_are_named_by_their_paths() {
        let sent = json!({"a": 1, "b": {"c": 1, "d": 1}, "e": [{"f": 1, "g": 1}], "h": 1, "i": null});
        let kept = json!({"a": 1, "b": {"c": 1}, "e": [{"f": 1}], "default": 1});
        assert_eq!(dropped("spec", &sent, &kept), ["spec.b.d", "spec.e[0].g", "spec.h"]);
    }
}
