//! The documents of a manifest file: the MlopsProject, and the Secrets and ConfigMaps that come with it. It reads and checks
//! their form; what a project needs is `preparation`'s.

use serde::Deserialize;
use serde_json::{Value, json};

/// The namespace of a project that names none.
const NAMESPACE: &str = "default";

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
        if project["metadata"]["namespace"].is_null() {
            project["metadata"]["namespace"] = json!(NAMESPACE);
        }
        Ok(Self { project, objects })
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

    /// The object of that name, if a document brings it.
    pub(crate) fn object_mut(&mut self, plural: &str, name: &str) -> Option<&mut Value> {
        let found =
            self.objects.iter_mut().find(|(kind, object)| *kind == plural && object["metadata"]["name"] == name);
        found.map(|(_, object)| object)
    }
}

/// The same with merge keys (`<<`) resolved, as kubectl does before it sends a manifest.
fn merged(mut value: serde_yaml::Value) -> Result<serde_yaml::Value, String> {
    value.apply_merge().map_err(|error| format!("it is not YAML: {error}"))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PROJECT: &str = "kind: MlopsProject\nmetadata: {name: taxi}\nspec: {description: a}\n";

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
        ];
        for (case, text, sentence) in rows {
            let refusal = Documents::read(&text).unwrap_err();
            assert!(refusal.contains(sentence), "{case}: {refusal}");
        }
    }

    #[test]
    fn merge_keys_are_resolved() {
        let text = "kind: MlopsProject\nmetadata: {name: a}\nspec:\n  x: &x {a: 1}\n  y: {<<: *x, b: 2}\n";
        assert_eq!(Documents::read(text).unwrap().project["spec"]["y"], json!({"a": 1, "b": 2}));
    }
}
