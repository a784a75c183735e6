//! What a project finds when it comes: roles, connections, a bucket, Secrets and ConfigMaps. It decides from the manifest
//! alone; `stage` makes what is decided here.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::manifest::Documents;

/// The account and region of a manifest that names none: the operator then refuses it with its own sentence.
const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

/// What the sandbox and the in-memory API are to hold before the project is applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preparation {
    /// The AWS account that the operator's credentials belong to.
    pub(crate) account: String,
    pub(crate) region: String,
    /// Roles by ARN, with the services that may assume them.
    pub(crate) roles: BTreeMap<String, Vec<&'static str>>,
    /// ARNs of Git connections whose handshake is complete.
    pub(crate) connections: Vec<String>,
    /// A bucket that the spec names.
    pub(crate) bucket: Option<String>,
    /// The path below which Jenkins answers; empty: the root.
    pub(crate) jenkins_context: String,
    /// What was made up, in sentences.
    pub(crate) remarks: Vec<String>,
}

/// Where the spec names roles, with the services that must be able to assume each.
const ROLES: [(&str, &[&str]); 5] = [
    ("/platform/aws/assumeRole/roleArn", &["sagemaker.amazonaws.com"]),
    ("/platform/aws/roles/launch", &["servicecatalog.amazonaws.com"]),
    (
        "/platform/aws/roles/use",
        &["codebuild.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com", "events.amazonaws.com"],
    ),
    ("/platform/aws/roles/stack", &["cloudformation.amazonaws.com"]),
    ("/platform/modelTrigger/runtimeRoleArn", &["lambda.amazonaws.com"]),
];

/// Decides what is needed, and fills the documents in: the Secret with the sandbox's Jenkins user, and stand-ins for what is
/// named and not given.
///
/// # Errors
/// An object that nobody can stand in for, and how to give it.
pub(crate) fn prepare(documents: &mut Documents, jenkins: &(String, String)) -> Result<Preparation, String> {
    let text = |pointer: &str| documents.text(pointer).map(str::to_owned);
    let mut roles: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (pointer, services) in ROLES {
        if let Some(arn) = text(pointer) {
            roles.entry(arn).or_default().extend(services);
        }
    }
    let principals = documents.project.pointer("/spec/platform/catalog/principals").and_then(Value::as_array);
    for principal in principals.into_iter().flatten().filter(|principal| principal["type"] != "IAM_PATTERN") {
        if let Some(arn) = principal["arn"].as_str().filter(|arn| arn.contains(":role/")) {
            roles.entry(arn.to_owned()).or_default().push("sagemaker.amazonaws.com");
        }
    }
    let repositories = documents.project.pointer("/spec/repositories").and_then(Value::as_object);
    let arns = repositories.into_iter().flatten().filter_map(|(_, one)| one["connectionArn"].as_str());
    let mut connections: Vec<String> = arns.map(str::to_owned).collect();
    connections.sort();
    connections.dedup();
    let mut preparation = Preparation {
        account: text("/platform/aws/accountId").unwrap_or_else(|| ACCOUNT.to_owned()),
        region: text("/platform/aws/region").unwrap_or_else(|| REGION.to_owned()),
        bucket: text("/platform/artifacts/bucket"),
        jenkins_context: text("/platform/jenkins/url").and_then(|url| context(&url)).unwrap_or_default(),
        roles,
        connections,
        remarks: Vec::new(),
    };
    template(documents)?;
    jenkins_secret(documents, jenkins);
    parameters(documents, &mut preparation.remarks);
    ca_bundles(documents, &mut preparation.remarks);
    Ok(preparation)
}

/// The path of a URL, without a trailing slash.
fn context(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    Some(uri.path().trim_end_matches('/').to_owned())
}

/// A template of one's own cannot be made up.
fn template(documents: &mut Documents) -> Result<(), String> {
    let pointer = "/platform/catalog/template/configMapRef";
    let Some(name) = documents.text(&format!("{pointer}/name")).map(str::to_owned) else { return Ok(()) };
    let key = documents.text(&format!("{pointer}/key")).unwrap_or("template.yaml").to_owned();
    let given = documents.object_mut("configmaps", &name).is_some_and(|object| object["data"][&key].is_string());
    if given {
        return Ok(());
    }
    Err(format!(
        "the ConfigMap {name} with the project template under key {key} is missing: add it to the file as a further document, after a line `---`"
    ))
}

/// The Jenkins here knows one user: whatever the Secret holds, it gets that user's name and token.
fn jenkins_secret(documents: &mut Documents, (user, token): &(String, String)) {
    let pointer = "/platform/jenkins/credentialsSecretRef";
    let key = |name: &str, usual: &str| documents.text(&format!("{pointer}/{name}")).unwrap_or(usual).to_owned();
    let (name, user_key, token_key) = (key("name", ""), key("usernameKey", "username"), key("tokenKey", "token"));
    if name.is_empty() {
        return;
    }
    let secret = secret(documents, &name);
    if let Some(plain) = secret.get_mut("stringData").and_then(Value::as_object_mut) {
        plain.retain(|key, _| *key != user_key && *key != token_key);
    }
    secret["data"][&user_key] = json!(STANDARD.encode(user));
    secret["data"][&token_key] = json!(STANDARD.encode(token));
}

/// The Secret of that name, made if no document brings it.
fn secret<'a>(documents: &'a mut Documents, name: &str) -> &'a mut Value {
    let known =
        documents.objects.iter().position(|(kind, object)| *kind == "secrets" && object["metadata"]["name"] == name);
    let at = known.unwrap_or_else(|| {
        documents.objects.push(("secrets", json!({"metadata": {"name": name}, "data": {}})));
        documents.objects.len() - 1
    });
    let secret = &mut documents.objects[at].1;
    if !secret["data"].is_object() {
        secret["data"] = json!({});
    }
    secret
}

/// Template parameters whose Secrets are not given get a stand-in.
fn parameters(documents: &mut Documents, remarks: &mut Vec<String>) {
    let list = documents.project.pointer("/spec/parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    for parameter in list {
        let reference = &parameter["valueFrom"]["secretKeyRef"];
        let (Some(name), Some(key)) = (reference["name"].as_str(), reference["key"].as_str()) else { continue };
        let secret = secret(documents, name);
        if secret["data"][key].is_null() && secret["stringData"][key].is_null() {
            secret["data"][key] = json!(STANDARD.encode("rehearsal"));
            remarks.push(format!("Secret {name} is not in the file: its key {key} holds the text \"rehearsal\" here"));
        }
    }
}

/// The Jenkins here answers in this process, without TLS.
fn ca_bundles(documents: &mut Documents, remarks: &mut Vec<String>) {
    for parent in ["/spec/platform/jenkins", "/spec/platform/modelTrigger"] {
        let fields = documents.project.pointer_mut(parent).and_then(Value::as_object_mut);
        if fields.is_some_and(|fields| fields.remove("caBundleRef").is_some()) {
            remarks.push(format!(
                "{}.caBundleRef is left out: the Jenkins here answers without TLS",
                &parent[1..].replace('/', ".")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn documents(spec: &str, more: &str) -> Documents {
        Documents::read(&format!("kind: MlopsProject\nmetadata: {{name: taxi}}\nspec: {spec}\n{more}")).unwrap()
    }

    fn jenkins() -> (String, String) {
        ("operator".to_owned(), "token".to_owned())
    }

    #[test]
    fn what_the_spec_names_is_there_when_it_comes() {
        let role = |name: &str| format!("arn:aws:iam::222233334444:role/{name}");
        let spec = format!(
            "{{platform: {{aws: {{accountId: '222233334444', region: eu-west-1, roles: {{launch: '{}', use: '{}'}}}}, artifacts: {{bucket: ours}}, \
             catalog: {{principals: [{{arn: '{}'}}, {{arn: 'arn:aws:iam:::role/x-*', type: IAM_PATTERN}}]}}}}, \
             repositories: {{build: {{connectionArn: c1}}, deploy: {{connectionArn: c1}}}}}}",
            role("launch"),
            role("use"),
            role("studio")
        );
        let prepared = prepare(&mut documents(&spec, ""), &jenkins()).unwrap();
        assert_eq!((prepared.account.as_str(), prepared.region.as_str()), ("222233334444", "eu-west-1"));
        let names: Vec<&str> = prepared.roles.keys().map(|arn| arn.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["launch", "studio", "use"]);
        assert_eq!((prepared.connections, prepared.bucket), (vec!["c1".to_owned()], Some("ours".to_owned())));
        assert!(prepared.remarks.is_empty());
    }

    #[test]
    fn the_secret_holds_the_sandboxs_user_under_the_keys_that_the_spec_names() {
        let spec = "{platform: {jenkins: {credentialsSecretRef: {name: ci, usernameKey: u}}}}";
        let mut given =
            documents(spec, "---\nkind: Secret\nmetadata: {name: ci}\nstringData: {u: mine, token: mine, x: y}\n");
        prepare(&mut given, &jenkins()).unwrap();
        let secret = given.object_mut("secrets", "ci").unwrap();
        assert_eq!(secret["data"], json!({"u": STANDARD.encode("operator"), "token": STANDARD.encode("token")}));
        assert_eq!(secret["stringData"], json!({"x": "y"}));
    }

    #[test]
    fn what_is_made_up_is_said_and_what_cannot_be_is_asked_for() {
        let spec = "{parameters: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}], platform: {jenkins: {caBundleRef: {name: ca}}}}";
        let prepared = prepare(&mut documents(spec, ""), &jenkins()).unwrap();
        assert_eq!(prepared.remarks.len(), 2, "{:?}", prepared.remarks);
        let own = "{platform: {catalog: {template: {configMapRef: {name: t}}}}}";
        assert!(prepare(&mut documents(own, ""), &jenkins()).unwrap_err().contains("ConfigMap t"));
        let map = "---\nkind: ConfigMap\nmetadata: {name: t}\ndata: {template.yaml: 'Resources: {}'}\n";
        assert!(prepare(&mut documents(own, map), &jenkins()).is_ok());
    }
}
