//! What the manifest names and does not bring, made up: Secrets, ConfigMaps, Jenkins users, labels of namespaces. Whatever is
//! made up is said; what the manifest brings is used as it is.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::manifest::{Companion, Documents};

/// A certificate for CA bundles that no document brings; it has signed nothing that the rehearsal meets.
const CERTIFICATE: &str = include_str!("../../../tls/ca.pem");
/// Where the platform says who uses Jenkins: the operator, and the model trigger's function.
pub(super) const SERVER: &str = "/jenkins/credentialsSecretRef";
pub(super) const TRIGGER: &str = "/modelTrigger/credentialsSecretRef";
/// Who starts jobs where the file does not say it, with an API token in Jenkins' form.
const STARTER: (&str, &str) = ("model-trigger", "110f1e2d3c4b5a69788796a5b4c3d2e1f0");
/// What a Secret holds for a parameter of the template.
const PARAMETER: &str = "the text \"rehearsal\"";

/// A key of a Secret or ConfigMap that the spec names, and what stands in for it.
pub(super) struct Need {
    kind: &'static str,
    namespace: String,
    name: String,
    key: String,
    value: String,
    meaning: &'static str,
}

/// All keys that the specs name: the Jenkins users, template parameters, CA bundles.
pub(super) fn needs(documents: &Documents, (user, token): &(String, String)) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |kind, namespace: &str, name: Option<&str>, key: Option<&str>, value: &str, meaning| {
        if let (Some(name), Some(key)) = (name, key) {
            let [namespace, name, key, value] = [namespace, name, key, value].map(str::to_owned);
            needs.push(Need { kind, namespace, name, key, value, meaning });
        }
    };
    let starter = "a user of the sandbox's Jenkins that may start jobs";
    let users = [
        (SERVER, user.as_str(), token.as_str(), "a user of the sandbox's Jenkins"),
        (TRIGGER, STARTER.0, STARTER.1, starter),
    ];
    let home = documents.settings_namespace();
    for (pointer, user, token, meaning) in users {
        let (name, user_key, token_key) = jenkins_keys(documents, pointer);
        need("Secret", home, name, Some(user_key), user, meaning);
        need("Secret", home, name, Some(token_key), token, meaning);
    }
    for (project, target) in documents.projects.iter().zip(documents.targets()) {
        for parameter in project.pointer("/spec/parameters").and_then(Value::as_array).into_iter().flatten() {
            let reference = &parameter["valueFrom"]["secretKeyRef"];
            let (name, key) = (reference["name"].as_str(), reference["key"].as_str());
            need("Secret", &target.namespace, name, key, "rehearsal", PARAMETER);
        }
    }
    for parent in ["/jenkins/caBundleRef", "/modelTrigger/caBundleRef"] {
        let text = |field: &str| documents.setting(&format!("{parent}/{field}"));
        let kind = if text("kind") == Some("Secret") { "Secret" } else { "ConfigMap" };
        need(kind, home, text("name"), text("key"), CERTIFICATE, "a certificate of nobody's");
    }
    needs
}

/// Makes up the objects that are not in the file. One that is there is left as it is: what it lacks, the operator says.
pub(super) fn make_up(documents: &mut Documents, needs: &[Need], remarks: &mut Vec<String>) {
    let mut made: BTreeMap<(&str, &str, &str), (Value, Vec<&str>)> = BTreeMap::new();
    for Need { kind, namespace, name, key, value, meaning } in needs {
        if documents.companion(plural(kind), namespace, name).is_some() {
            continue;
        }
        let (data, meanings) = made.entry((kind, namespace, name)).or_insert_with(|| (json!({}), Vec::new()));
        data[key] = json!(value);
        if !meanings.contains(meaning) {
            meanings.push(meaning);
        }
    }
    for ((kind, namespace, name), (data, meanings)) in made {
        let field = if kind == "Secret" { "stringData" } else { "data" };
        let mut metadata = json!({"name": name});
        if meanings.contains(&PARAMETER) {
            metadata["labels"] = json!({"mlops-operator.io/allowed-use": "parameters"});
        }
        let content = json!({"metadata": metadata, field: data});
        documents.companions.push(Companion { plural: plural(kind), namespace: namespace.to_owned(), content });
        remarks.push(format!("{kind} {name} is not in the file: here it holds {}", meanings.join(" and ")));
    }
}

fn plural(kind: &str) -> &'static str {
    if kind == "Secret" { "secrets" } else { "configmaps" }
}

/// Namespaces of projects that are not in the file. They get the labels that the platform asks for: onboarding is a label.
pub(super) fn namespaces(documents: &mut Documents, remarks: &mut Vec<String>) {
    let labels = documents.settings().pointer("/namespaces/selector/matchLabels").cloned().unwrap_or(Value::Null);
    let names: Vec<String> = documents.namespaces().into_iter().map(str::to_owned).collect();
    for name in names {
        if documents.companion("namespaces", "", &name).is_some() {
            continue;
        }
        let mut metadata = json!({"name": name});
        if documents.platform.is_some() && labels.is_object() {
            metadata["labels"] = labels.clone();
            let pairs = labels.as_object().into_iter().flatten();
            let each: Vec<String> =
                pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
            remarks.push(format!("namespace {name} is not in the file: here it has the label {}", each.join(", ")));
        }
        let content = json!({"metadata": metadata});
        documents.companions.push(Companion { plural: "namespaces", namespace: String::new(), content });
    }
}

/// The Secret with a Jenkins user, the key of the name and that of the token.
fn jenkins_keys<'a>(documents: &'a Documents, pointer: &str) -> (Option<&'a str>, &'a str, &'a str) {
    let text = |field: &str| documents.setting(&format!("{pointer}/{field}"));
    (text("name"), text("usernameKey").unwrap_or("username"), text("tokenKey").unwrap_or("token"))
}

/// The user that the Secret names: Jenkins here knows that one.
pub(super) fn jenkins_user(documents: &Documents, pointer: &str) -> Option<(String, String)> {
    let (name, user, token) = jenkins_keys(documents, pointer);
    let secret = documents.companion("secrets", documents.settings_namespace(), name?)?;
    value(secret, user).zip(value(secret, token))
}

/// What a Secret holds under a key, as the operator reads it.
fn value(secret: &Value, key: &str) -> Option<String> {
    let plain = secret["stringData"][key].as_str().map(str::to_owned);
    let coded = || STANDARD.decode(secret["data"][key].as_str()?).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    plain.or_else(coded).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Archives of seed code are not here, and none of that checksum can be made up: those branches stay as they are.
pub(super) fn archives(documents: &mut Documents, remarks: &mut Vec<String>) {
    for project in &mut documents.projects {
        let repositories = project.pointer_mut("/spec/repositories").and_then(Value::as_object_mut);
        for (name, repository) in repositories.into_iter().flatten() {
            let Some(url) = repository["seedCode"]["archive"]["url"].as_str().map(str::to_owned) else { continue };
            repository["seedCode"] = json!({"source": "None"});
            remarks.push(format!(
                "{url} is not fetched: repositories.{name} gets no seed code here (seedCode.source: None)"
            ));
        }
    }
}
