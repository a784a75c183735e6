//! The documents of a manifest: one MlopsProject with a platform of its own, or an MlopsPlatform and the projects on it; with
//! the Secrets, ConfigMaps and Namespaces that come along. It reads and checks their form; what they need is `preparation`'s.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

/// The operator's own namespace here: Secrets and ConfigMaps of a shared platform are read there.
pub(crate) const SYSTEM: &str = "mlops-system";
/// The plural names of the kinds that are played.
pub(crate) const PROJECTS: &str = "mlopsprojects";
pub(crate) const PLATFORMS: &str = "mlopsplatforms";
/// The namespace of a project that names none.
const NAMESPACE: &str = "default";
const API_VERSION: &str = "mlops-operator.io/v1alpha1";

/// One object of the Kubernetes API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// The plural name of its kind.
    pub(crate) plural: &'static str,
    /// Empty for a platform, which is of no namespace.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Target {
    /// As people call it: `platform main`, `ml-team/taxi-fares`.
    pub(crate) fn title(&self) -> String {
        match self.plural {
            PLATFORMS => format!("platform {}", self.name),
            _ => format!("{}/{}", self.namespace, self.name),
        }
    }
}

/// An object that comes along.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Companion {
    /// The plural name of its kind.
    pub(crate) plural: &'static str,
    /// Empty for a Namespace.
    pub(crate) namespace: String,
    pub(crate) content: Value,
}

/// What a manifest holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Documents {
    /// The MlopsPlatform that the projects share; absent: the one project has a platform of its own.
    pub(crate) platform: Option<Value>,
    /// The MlopsProjects: at least one, and several on a shared platform alone.
    pub(crate) projects: Vec<Value>,
    /// What comes along, or was made up.
    pub(crate) companions: Vec<Companion>,
}

impl Documents {
    /// Reads YAML documents.
    ///
    /// # Errors
    /// It is not YAML, holds no MlopsProject, too many of something, or something else.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (mut documents, mut platforms, mut others) = (Self::default(), Vec::new(), Vec::new());
        for document in serde_yaml::Deserializer::from_str(text) {
            let value = serde_yaml::Value::deserialize(document).map_err(|error| format!("it is not YAML: {error}"))?;
            let merged = merged(value)?;
            let object =
                serde_json::to_value(merged).map_err(|error| format!("it is no Kubernetes object: {error}"))?;
            match object["kind"].as_str() {
                None if object.is_null() => {}
                Some("MlopsPlatform") => platforms.push(object),
                Some("MlopsProject") => documents.projects.push(object),
                Some("Secret") => others.push(("secrets", object)),
                Some("ConfigMap") => others.push(("configmaps", object)),
                Some("Namespace") => others.push(("namespaces", object)),
                other => {
                    let kind = other.unwrap_or("no kind");
                    return Err(format!(
                        "it holds a document of {kind}; a rehearsal takes MlopsPlatform, MlopsProject, Secret, ConfigMap and Namespace"
                    ));
                }
            }
        }
        if platforms.len() > 1 {
            return Err(format!("it holds {} MlopsPlatforms; a rehearsal plays one", platforms.len()));
        }
        documents.platform = platforms.pop();
        documents.checked()?;
        documents.companions = others
            .into_iter()
            .map(|(plural, content)| Ok(Companion { plural, namespace: documents.place(plural, &content)?, content }))
            .collect::<Result<_, String>>()?;
        Ok(documents)
    }

    /// Fills in the namespaces of projects, and checks that they and the platform fit together.
    fn checked(&mut self) -> Result<(), String> {
        for (kind, object) in self.platform.iter().map(|one| ("MlopsPlatform", one)) {
            well_formed(kind, object)?;
        }
        for project in &mut self.projects {
            well_formed("MlopsProject", project)?;
            if project["metadata"]["namespace"].is_null() {
                project["metadata"]["namespace"] = json!(NAMESPACE);
            }
        }
        let targets = self.targets();
        if let Some(twice) = targets.iter().enumerate().find(|(at, one)| targets[..*at].contains(one)) {
            return Err(format!("it holds the MlopsProject {} twice", twice.1.title()));
        }
        match (&self.platform, self.projects.as_slice()) {
            (_, []) => Err("it holds no MlopsProject".to_owned()),
            (None, [project]) => brings_its_platform(project),
            (None, more) => Err(format!(
                "it holds {} MlopsProjects and no MlopsPlatform; a rehearsal plays one project, or those on a platform of the same file",
                more.len()
            )),
            (Some(_), projects) => match projects.iter().find(|project| project["spec"]["platform"].is_object()) {
                Some(other) => Err(format!(
                    "MlopsProject {} has a platform of its own; a rehearsal plays it from a file of its own",
                    metadata(other, "name")
                )),
                None => Ok(()),
            },
        }
    }

    /// The namespace of an object that comes along. A project reads Secrets and ConfigMaps of its own namespace only, and a
    /// platform those of the operator's: one elsewhere is a mistake to be seen here.
    fn place(&self, plural: &str, object: &Value) -> Result<String, String> {
        let (kind, name) = (object["kind"].as_str().unwrap_or_default(), metadata(object, "name"));
        let namespace = object["metadata"]["namespace"].as_str();
        if plural == "namespaces" {
            return Ok(String::new());
        }
        match (self.platform.is_some(), namespace) {
            (false, None) => Ok(self.settings_namespace().to_owned()),
            (false, Some(other)) if other != self.settings_namespace() => Err(format!(
                "{kind} {name} is of namespace {other}; the project is of namespace {}, and reads nothing elsewhere",
                self.settings_namespace()
            )),
            (true, None) => Err(format!(
                "{kind} {name} has no metadata.namespace; the platform reads those of {SYSTEM}, the operator's namespace here, and a project those of its own"
            )),
            (true, Some(other)) if other != SYSTEM && !self.namespaces().contains(other) => Err(format!(
                "{kind} {name} is of namespace {other}; the platform reads those of {SYSTEM}, the operator's namespace here, and a project those of its own"
            )),
            (_, Some(own)) => Ok(own.to_owned()),
        }
    }

    /// The namespaces of the projects.
    pub(crate) fn namespaces(&self) -> BTreeSet<&str> {
        self.projects.iter().map(|project| metadata(project, "namespace")).collect()
    }

    /// The projects, in the order of the file.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let target = |project| Target {
            plural: PROJECTS,
            namespace: metadata(project, "namespace").to_owned(),
            name: metadata(project, "name").to_owned(),
        };
        self.projects.iter().map(target).collect()
    }

    /// The shared platform.
    pub(crate) fn platform_target(&self) -> Option<Target> {
        let name = metadata(self.platform.as_ref()?, "name").to_owned();
        Some(Target { plural: PLATFORMS, namespace: String::new(), name })
    }

    /// What the platform is like: the shared one, or the one project's own.
    pub(crate) fn settings(&self) -> &Value {
        match &self.platform {
            Some(platform) => &platform["spec"],
            None => &self.projects[0]["spec"]["platform"],
        }
    }

    /// The same, to be changed, if it is there.
    pub(crate) fn settings_mut(&mut self) -> Option<&mut Value> {
        let settings = match &mut self.platform {
            Some(platform) => platform.pointer_mut("/spec"),
            None => self.projects[0].pointer_mut("/spec/platform"),
        };
        settings.filter(|settings| settings.is_object())
    }

    /// A text of the platform, by JSON pointer.
    pub(crate) fn setting(&self, pointer: &str) -> Option<&str> {
        self.settings().pointer(pointer).and_then(Value::as_str)
    }

    /// Where Secrets and ConfigMaps of the platform are read.
    pub(crate) fn settings_namespace(&self) -> &str {
        match &self.platform {
            Some(_) => SYSTEM,
            None => metadata(&self.projects[0], "namespace"),
        }
    }

    /// The Secret or ConfigMap of that name, if a document brings it or it was made up.
    pub(crate) fn companion(&self, plural: &str, namespace: &str, name: &str) -> Option<&Value> {
        let wanted = |one: &&Companion| {
            one.plural == plural && one.namespace == namespace && metadata(&one.content, "name") == name
        };
        self.companions.iter().find(wanted).map(|one| &one.content)
    }
}

fn metadata<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

fn well_formed(kind: &str, object: &Value) -> Result<(), String> {
    if metadata(object, "name").is_empty() {
        return Err(format!("the {kind} has no metadata.name"));
    }
    if object["apiVersion"] != API_VERSION {
        return Err(format!("the {kind}'s apiVersion must be {API_VERSION}"));
    }
    Ok(())
}

/// A project on a shared platform is nothing without that.
fn brings_its_platform(project: &Value) -> Result<(), String> {
    let Some(platform) = project["spec"]["platformRef"]["name"].as_str() else { return Ok(()) };
    if project["spec"]["platform"].is_object() {
        // It names both: the operator says so itself.
        return Ok(());
    }
    Err(format!(
        "MlopsProject {} stands on the platform {platform}, which is missing: add the MlopsPlatform to the file as a further document, after a line `---`",
        metadata(project, "name")
    ))
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
    const PLATFORM: &str = "apiVersion: mlops-operator.io/v1alpha1\nkind: MlopsPlatform\nmetadata: {name: main}\nspec: {aws: {region: r}}\n---\n";

    fn on_main(name: &str) -> String {
        PROJECT
            .replace("name: taxi", &format!("name: {name}"))
            .replace("{description: a}", "{platformRef: {name: main}}")
    }

    #[test]
    fn a_file_of_documents_is_taken_apart() {
        let secret = "kind: Secret\nmetadata: {name: jenkins}\n";
        let documents = Documents::read(&format!("{PROJECT}---\n{secret}---\n")).unwrap();
        assert_eq!(documents.targets()[0].title(), "default/taxi");
        assert_eq!((documents.platform_target(), documents.settings()), (None, &Value::Null));
        assert!(documents.companion("secrets", "default", "jenkins").is_some());
    }

    #[test]
    fn a_platform_and_its_projects_are_taken_apart() {
        let more = "---\nkind: Secret\nmetadata: {name: jenkins, namespace: mlops-system}\n---\nkind: Namespace\nmetadata: {name: default}\n";
        let text = format!("{PLATFORM}{}---\n{}{more}", on_main("fares"), on_main("tips"));
        let documents = Documents::read(&text).unwrap();
        let titles: Vec<String> = documents.targets().iter().map(Target::title).collect();
        assert_eq!(titles, ["default/fares", "default/tips"]);
        assert_eq!(documents.platform_target().unwrap().title(), "platform main");
        assert_eq!(documents.setting("/aws/region"), Some("r"));
        assert!(documents.companion("secrets", SYSTEM, "jenkins").is_some());
        assert!(documents.companion("namespaces", "", "default").is_some());
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_a_sentence() {
        let secret = |namespace: &str| format!("---\nkind: Secret\nmetadata: {{name: jenkins{namespace}}}\n");
        let rows = [
            ("nothing", String::new(), "holds no MlopsProject"),
            ("no YAML", "a: [".to_owned(), "not YAML"),
            ("two projects", format!("{PROJECT}---\n{}", PROJECT.replace("taxi", "x")), "holds 2 MlopsProjects"),
            ("another kind", "kind: Pod".to_owned(), "a document of Pod"),
            ("no kind", "a: b".to_owned(), "no kind"),
            ("no name", "kind: MlopsProject\nmetadata: {}".to_owned(), "no metadata.name"),
            ("no version", "kind: MlopsProject\nmetadata: {name: a}".to_owned(), "apiVersion must be"),
            (
                "a Secret elsewhere",
                format!("{PROJECT}{}", secret(", namespace: other")),
                "Secret jenkins is of namespace other",
            ),
            ("a platform alone", PLATFORM.to_owned(), "holds no MlopsProject"),
            ("two platforms", format!("{PLATFORM}{PLATFORM}"), "holds 2 MlopsPlatforms"),
            ("a project twice", format!("{PLATFORM}{}---\n{}", on_main("a"), on_main("a")), "default/a twice"),
            ("without its platform", on_main("a"), "stands on the platform main, which is missing"),
            (
                "a platform of its own beside a shared one",
                format!("{PLATFORM}{}", PROJECT.replace("description: a", "platform: {aws: {}}")),
                "taxi has a platform of its own",
            ),
            (
                "the Secret of nobody's namespace",
                format!("{PLATFORM}{}{}", on_main("a"), secret(", namespace: other")),
                "the platform reads those of mlops-system",
            ),
            (
                "a Secret without a namespace",
                format!("{PLATFORM}{}{}", on_main("a"), secret("")),
                "no metadata.namespace",
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
        assert_eq!(Documents::read(&text).unwrap().projects[0]["spec"]["y"], json!({"a": 1, "b": 2}));
    }

    #[test]
    fn fields_that_the_api_drops_are_named_by_their_paths() {
        let sent = json!({"a": 1, "b": {"c": 1, "d": 1}, "e": [{"f": 1, "g": 1}], "h": 1, "i": null});
        let kept = json!({"a": 1, "b": {"c": 1}, "e": [{"f": 1}], "default": 1});
        assert_eq!(dropped("spec", &sent, &kept), ["spec.b.d", "spec.e[0].g", "spec.h"]);
    }
}
