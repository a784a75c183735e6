//! What a project finds when it comes: roles, connections, a bucket, Secrets and ConfigMaps, and the operator's permission
//! to use them. It decides from the manifest alone, and says what it made up; `stage` makes what is decided here.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mlops_operator::crd::identifiers::{AccountId, Region};
use mlops_operator::domain::grants::InlinePlatform;
use mlops_operator::domain::identity::OwnerKey;
use mlops_operator::domain::seal::Seals;
use mlops_operator::domain::secret::FingerprintKey;
use mlops_operator::domain::validate::parse;
use serde_json::{Value, json};
use url::Url;

use crate::manifest::Documents;

/// The account and region of a manifest that names none, or something else: the operator then refuses it with its own sentence.
const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";
/// A certificate for CA bundles that no document brings; it has signed nothing that the rehearsal meets.
const CERTIFICATE: &str = include_str!("../../tls/ca.pem");

/// What the sandbox and the in-memory API are to hold before the project is applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preparation {
    /// The AWS account that the operator's credentials belong to.
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// Roles by ARN, with the services that may assume them.
    pub(crate) roles: BTreeMap<String, Vec<&'static str>>,
    /// ARNs of Git connections whose handshake is complete.
    pub(crate) connections: Vec<String>,
    /// A bucket that the spec names.
    pub(crate) bucket: Option<String>,
    /// The path below which Jenkins answers; empty: the root.
    pub(crate) jenkins_context: String,
    /// The user that Jenkins knows, and its API token.
    pub(crate) jenkins_user: (String, String),
    /// The same for the user that the model trigger's function starts jobs as, if it has one of its own.
    pub(crate) trigger_user: Option<(String, String)>,
    /// What was made up, in sentences.
    pub(crate) remarks: Vec<String>,
}

/// Where the spec names roles, with the services that must be able to assume each.
const ROLES: [(&str, &[&str]); 6] = [
    ("/platform/aws/assumeRole/roleArn", &["sagemaker.amazonaws.com"]),
    ("/platform/aws/roles/launch", &["servicecatalog.amazonaws.com"]),
    (
        "/platform/aws/roles/use",
        &["codebuild.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com", "events.amazonaws.com"],
    ),
    ("/platform/aws/roles/checkIn", &["codebuild.amazonaws.com", "lambda.amazonaws.com"]),
    ("/platform/aws/roles/stack", &["cloudformation.amazonaws.com"]),
    ("/platform/modelTrigger/runtimeRoleArn", &["lambda.amazonaws.com"]),
];
/// Where the spec names the Jenkins server.
const JENKINS_URLS: [&str; 2] = ["/platform/jenkins/url", "/platform/modelTrigger/jenkinsUrl"];
/// Where it says who uses it: the operator, and the model trigger's function.
const SERVER: &str = "/platform/jenkins/credentialsSecretRef";
const TRIGGER: &str = "/platform/modelTrigger/credentialsSecretRef";
/// Who starts jobs where the file does not say it, with an API token in Jenkins' form.
const STARTER: (&str, &str) = ("model-trigger", "110f1e2d3c4b5a69788796a5b4c3d2e1f0");

/// Decides what is needed, and adds to the documents what they name and do not bring. `jenkins` is the sandbox's own user.
///
/// # Errors
/// What nobody can make up, and how to give it; a part of AWS that the sandbox does not play.
pub(crate) fn prepare(documents: &mut Documents, jenkins: &(String, String)) -> Result<Preparation, String> {
    let text = |pointer: &str| documents.text(pointer).map(str::to_owned);
    let account = documents.text("/platform/aws/accountId").and_then(|text| AccountId::parse(text).ok());
    let region = documents.text("/platform/aws/region").and_then(|text| Region::parse(text).ok());
    let mut preparation = Preparation {
        account: account.map_or_else(|| AccountId::parse(ACCOUNT), Ok).map_err(|error| error.to_string())?,
        region: region.map_or_else(|| Region::parse(REGION), Ok).map_err(|error| error.to_string())?,
        bucket: text("/platform/artifacts/bucket"),
        jenkins_context: text(JENKINS_URLS[0]).map(|url| context(&url)).unwrap_or_default(),
        jenkins_user: jenkins.clone(),
        trigger_user: None,
        roles: roles(documents),
        connections: connections(documents),
        remarks: Vec::new(),
    };
    if preparation.region.partition() != "aws" {
        let region = preparation.region;
        return Err(format!("region {region} cannot be rehearsed: the sandbox has the regions of partition aws alone"));
    }
    template(documents)?;
    boundary(documents)?;
    let needs = needs(documents, jenkins);
    make_up(documents, &needs, &mut preparation.remarks);
    preparation.trigger_user = jenkins_user(documents, TRIGGER);
    if let Some(user) = jenkins_user(documents, SERVER) {
        preparation.jenkins_user = user;
    }
    archives(documents, &mut preparation.remarks);
    Ok(preparation)
}

/// The permission that the operator's configuration must give for this manifest, and no more.
pub(crate) fn grant(documents: &Documents) -> InlinePlatform {
    let owner = OwnerKey {
        cluster: "rehearsal".to_owned(),
        kind: "MlopsProject".to_owned(),
        namespace: documents.namespace().to_owned(),
        name: documents.project["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
    };
    // A spec that does not parse is refused for that, whatever is granted.
    let uses = parse(&owner, &Seals::new(FingerprintKey::new(""), false), &documents.project["spec"])
        .map(|parsed| parsed.uses())
        .unwrap_or_default();
    InlinePlatform::covering(documents.namespace(), &uses)
}

fn roles(documents: &Documents) -> BTreeMap<String, Vec<&'static str>> {
    let mut roles: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (pointer, services) in ROLES {
        if let Some(arn) = documents.text(pointer) {
            roles.entry(arn.to_owned()).or_default().extend(services);
        }
    }
    let principals = documents.project.pointer("/spec/platform/catalog/principals").and_then(Value::as_array);
    for principal in principals.into_iter().flatten().filter(|principal| principal["type"] != "IAM_PATTERN") {
        if let Some(arn) = principal["arn"].as_str().filter(|arn| arn.contains(":role/")) {
            roles.entry(arn.to_owned()).or_default().push("sagemaker.amazonaws.com");
        }
    }
    roles
}

fn connections(documents: &Documents) -> Vec<String> {
    let repositories = documents.project.pointer("/spec/repositories").and_then(Value::as_object);
    let arns = repositories.into_iter().flatten().filter_map(|(_, one)| one["connectionArn"].as_str());
    let mut connections: Vec<String> = arns.map(str::to_owned).collect();
    connections.sort();
    connections.dedup();
    connections
}

/// The path of a URL, without a trailing slash.
fn context(url: &str) -> String {
    Url::parse(url).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// A template of one's own cannot be made up.
fn template(documents: &Documents) -> Result<(), String> {
    let pointer = "/platform/catalog/template/configMapRef";
    let Some(name) = documents.text(&format!("{pointer}/name")) else { return Ok(()) };
    if documents.object("configmaps", name).is_some() {
        return Ok(());
    }
    let key = documents.text(&format!("{pointer}/key")).unwrap_or("the key that the spec names");
    Err(format!(
        "ConfigMap {name} is missing, which holds the project template under {key}: add it to the file as a further document, after a line `---`"
    ))
}

/// What a Secret holds for a parameter of the template.
const PARAMETER: &str = "the text \"rehearsal\"";

/// Nothing is known of what a policy of the account's own allows.
fn boundary(documents: &Documents) -> Result<(), String> {
    let field = |name: &str| documents.text(&format!("/platform/modelTrigger/{name}"));
    match (field("permissionsBoundaryArn"), field("runtimeRoleArn")) {
        (Some(arn), None) if !arn.ends_with(":iam::aws:policy/AdministratorAccess") => Err(format!(
            "modelTrigger.permissionsBoundaryArn {arn} cannot be rehearsed: what that policy allows is known in the account alone; leave it out, or name a runtimeRoleArn"
        )),
        _ => Ok(()),
    }
}

/// A key of a Secret or ConfigMap that the spec names, and what stands in for it.
struct Need {
    kind: &'static str,
    name: String,
    key: String,
    value: String,
    meaning: &'static str,
}

/// All keys that the spec names: the Jenkins user, template parameters, CA bundles.
fn needs(documents: &Documents, (user, token): &(String, String)) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |kind, name: Option<&str>, key: Option<&str>, value: &str, meaning| {
        if let (Some(name), Some(key)) = (name, key) {
            let [name, key, value] = [name, key, value].map(str::to_owned);
            needs.push(Need { kind, name, key, value, meaning });
        }
    };
    let starter = "a user of the sandbox's Jenkins that may start jobs";
    let users = [
        (SERVER, user.as_str(), token.as_str(), "a user of the sandbox's Jenkins"),
        (TRIGGER, STARTER.0, STARTER.1, starter),
    ];
    for (pointer, user, token, meaning) in users {
        let (name, user_key, token_key) = jenkins_keys(documents, pointer);
        need("Secret", name, Some(user_key), user, meaning);
        need("Secret", name, Some(token_key), token, meaning);
    }
    for parameter in documents.project.pointer("/spec/parameters").and_then(Value::as_array).into_iter().flatten() {
        let reference = &parameter["valueFrom"]["secretKeyRef"];
        need("Secret", reference["name"].as_str(), reference["key"].as_str(), "rehearsal", PARAMETER);
    }
    for parent in ["/platform/jenkins/caBundleRef", "/platform/modelTrigger/caBundleRef"] {
        let text = |field: &str| documents.text(&format!("{parent}/{field}"));
        let kind = if text("kind") == Some("Secret") { "Secret" } else { "ConfigMap" };
        need(kind, text("name"), text("key"), CERTIFICATE, "a certificate of nobody's");
    }
    needs
}

/// Makes up the objects that are not in the file. One that is there is left as it is: what it lacks, the operator says.
fn make_up(documents: &mut Documents, needs: &[Need], remarks: &mut Vec<String>) {
    let mut made: BTreeMap<(&str, &str), (Value, Vec<&str>)> = BTreeMap::new();
    for Need { kind, name, key, value, meaning } in needs {
        if documents.object(plural(kind), name).is_some() {
            continue;
        }
        let (data, meanings) = made.entry((kind, name)).or_insert_with(|| (json!({}), Vec::new()));
        data[key] = json!(value);
        if !meanings.contains(meaning) {
            meanings.push(meaning);
        }
    }
    for ((kind, name), (data, meanings)) in made {
        let field = if kind == "Secret" { "stringData" } else { "data" };
        let mut metadata = json!({"name": name});
        if meanings.contains(&PARAMETER) {
            metadata["labels"] = json!({"mlops-operator.io/allowed-use": "parameters"});
        }
        documents.objects.push((plural(kind), json!({"metadata": metadata, field: data})));
        remarks.push(format!("{kind} {name} is not in the file: here it holds {}", meanings.join(" and ")));
    }
}

fn plural(kind: &str) -> &'static str {
    if kind == "Secret" { "secrets" } else { "configmaps" }
}

/// The Secret with a Jenkins user, the key of the name and that of the token.
fn jenkins_keys<'a>(documents: &'a Documents, pointer: &str) -> (Option<&'a str>, &'a str, &'a str) {
    let text = |field: &str| documents.text(&format!("{pointer}/{field}"));
    (text("name"), text("usernameKey").unwrap_or("username"), text("tokenKey").unwrap_or("token"))
}

/// The user that the Secret names: Jenkins here knows that one.
fn jenkins_user(documents: &Documents, pointer: &str) -> Option<(String, String)> {
    let (name, user, token) = jenkins_keys(documents, pointer);
    let secret = documents.object("secrets", name?)?;
    value(secret, user).zip(value(secret, token))
}

/// What a Secret holds under a key, as the operator reads it.
fn value(secret: &Value, key: &str) -> Option<String> {
    let plain = secret["stringData"][key].as_str().map(str::to_owned);
    let coded = || STANDARD.decode(secret["data"][key].as_str()?).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    plain.or_else(coded).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Archives of seed code are not here, and none of that checksum can be made up: those branches stay as they are.
fn archives(documents: &mut Documents, remarks: &mut Vec<String>) {
    let repositories = documents.project.pointer_mut("/spec/repositories").and_then(Value::as_object_mut);
    for (name, repository) in repositories.into_iter().flatten() {
        let Some(url) = repository["seedCode"]["archive"]["url"].as_str().map(str::to_owned) else { continue };
        repository["seedCode"] = json!({"source": "None"});
        remarks
            .push(format!("{url} is not fetched: repositories.{name} gets no seed code here (seedCode.source: None)"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn documents(spec: &str, more: &str) -> Documents {
        let head = "apiVersion: mlops-operator.io/v1alpha1\nkind: MlopsProject\nmetadata: {name: taxi}\n";
        Documents::read(&format!("{head}spec: {spec}\n{more}")).unwrap()
    }

    fn jenkins() -> (String, String) {
        ("operator".to_owned(), "token".to_owned())
    }

    const PLACE: &str = "platform: {aws: {accountId: '222233334444', region: eu-west-1, roles: {launch: 'arn:aws:iam::222233334444:role/launch', \
         use: 'arn:aws:iam::222233334444:role/use'}}, artifacts: {bucket: ours}, jenkins: {url: 'https://ci.example:8443/a/'}, \
         catalog: {principals: [{arn: 'arn:aws:iam::222233334444:role/studio'}, {arn: 'arn:aws:iam:::role/x-*', type: IAM_PATTERN}]}}";

    #[test]
    fn what_the_spec_names_is_there_when_it_comes() {
        let spec =
            format!("{{{PLACE}, repositories: {{build: {{connectionArn: c1}}, deploy: {{connectionArn: c1}}}}}}");
        let mut documents = documents(&spec, "");
        let prepared = prepare(&mut documents, &jenkins()).unwrap();
        assert_eq!((prepared.account.as_str(), prepared.region.as_str()), ("222233334444", "eu-west-1"));
        let names: Vec<&str> = prepared.roles.keys().map(|arn| arn.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["launch", "studio", "use"]);
        assert_eq!((prepared.connections, prepared.bucket), (vec!["c1".to_owned()], Some("ours".to_owned())));
        assert_eq!((prepared.jenkins_context.as_str(), prepared.remarks.len()), ("/a", 0));
    }

    #[test]
    fn a_boundary_that_would_bind_a_role_is_said_not_to_be_played() {
        let bound = "permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/bounds'";
        let rows = [
            ("it bounds the role that the stack makes", bound.to_owned(), false),
            ("there is no such role", format!("{bound}, runtimeRoleArn: 'arn:aws:iam::111122223333:role/run'"), true),
            ("none", "logRetentionDays: 30".to_owned(), true),
        ];
        for (case, trigger, played) in rows {
            let mut documents = documents(&format!("{{platform: {{modelTrigger: {{{trigger}}}}}}}"), "");
            assert_eq!(prepare(&mut documents, &jenkins()).is_ok(), played, "{case}");
        }
    }

    #[test]
    fn what_the_manifest_uses_is_granted_and_nothing_else() {
        let spec: String = include_str!("../../../examples/full.yaml").split_once("\nspec:\n").unwrap().1.to_owned();
        let full = Documents::read(&format!(
            "apiVersion: mlops-operator.io/v1alpha1\nkind: MlopsProject\nmetadata: {{name: taxi}}\nspec:\n{spec}"
        ));
        let grant = grant(&full.unwrap());
        assert_eq!((grant.validate(), grant.namespaces.as_slice()), (Ok(()), &["default".to_owned()][..]));
        assert!(
            !grant.operator_identity && grant.roles.contains(&"arn:aws:iam::111122223333:role/mlops/use".to_owned())
        );
        assert!(grant.roles.iter().all(|role| !role.contains('*')), "{:?}", grant.roles);
        let broken = super::grant(&documents("{platform: {}}", ""));
        assert_eq!(broken, InlinePlatform { namespaces: vec!["default".to_owned()], ..InlinePlatform::default() });
    }

    #[test]
    fn jenkins_knows_the_user_that_the_file_brings() {
        let spec = "{platform: {jenkins: {credentialsSecretRef: {name: ci, usernameKey: u}}}}";
        let coded = format!("data: {{u: {}, token: {}}}", STANDARD.encode("me"), STANDARD.encode("mine\n"));
        let rows = [
            ("none", "", "operator", 1),
            ("in base64", coded.as_str(), "me", 0),
            ("as text", "stringData: {u: me, token: mine}", "me", 0),
            ("without the key: the operator says so", "stringData: {username: me, token: mine}", "operator", 0),
        ];
        for (case, secret, user, remarks) in rows {
            let more = if secret.is_empty() {
                String::new()
            } else {
                format!("---\nkind: Secret\nmetadata: {{name: ci}}\n{secret}\n")
            };
            let mut documents = documents(spec, &more);
            let before = documents.object("secrets", "ci").cloned();
            let prepared = prepare(&mut documents, &jenkins()).unwrap();
            assert_eq!((prepared.jenkins_user.0.as_str(), prepared.remarks.len()), (user, remarks), "{case}");
            let after = documents.object("secrets", "ci").cloned();
            assert!(before.is_none() || before == after, "{case}: what the file brings is used as it is");
            assert!(after.is_some(), "{case}");
        }
    }

    #[test]
    fn what_is_not_in_the_file_is_made_up_and_said() {
        let secret = "{parameters: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: B, valueFrom: {secretKeyRef: {name: s, key: l}}}]}";
        let bundle = "{platform: {jenkins: {caBundleRef: {kind: ConfigMap, name: ca, key: c}}, modelTrigger: {caBundleRef: {kind: ConfigMap, name: ca, key: c}}}}";
        let archive =
            "{repositories: {build: {seedCode: {source: Archive, archive: {url: 's3://a/b.zip', sha256: x}}}}}";
        let both = "{platform: {jenkins: {credentialsSecretRef: {name: s}}}, parameters: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}";
        let given = "---\nkind: Secret\nmetadata: {name: s}\n---\nkind: ConfigMap\nmetadata: {name: ca}\n";
        let rows = [
            ("a parameter's Secret", secret, "", "Secret s"),
            ("a given one", secret, given, ""),
            (
                "a user for the model trigger",
                "{platform: {modelTrigger: {credentialsSecretRef: {name: s}}}}",
                "",
                "Secret s is not in the file: here it holds a user of the sandbox's Jenkins that may start jobs",
            ),
            (
                "one Secret for both",
                both,
                "",
                "Secret s is not in the file: here it holds a user of the sandbox's Jenkins and the text",
            ),
            ("a CA bundle", bundle, "", "ConfigMap ca"),
            ("a given one", bundle, given, ""),
            ("an archive", archive, "", "s3://a/b.zip"),
        ];
        for (case, spec, more, remark) in rows {
            let mut documents = documents(spec, more);
            let remarks = prepare(&mut documents, &jenkins()).unwrap().remarks;
            assert_eq!(remarks.len(), usize::from(!remark.is_empty()), "{case}: {remarks:?}");
            assert!(remarks.concat().starts_with(remark), "{case}: {remarks:?}");
            let allowed = documents.object("secrets", "s").is_some_and(|secret| {
                secret["metadata"]["labels"] == json!({"mlops-operator.io/allowed-use": "parameters"})
            });
            let wanted = more.is_empty() && spec.contains("parameters:");
            assert_eq!(allowed, wanted, "{case}: a Secret that is made up for a parameter may be used for it");
        }
    }

    #[test]
    fn what_cannot_be_made_up_is_asked_for() {
        let own = "{platform: {catalog: {template: {configMapRef: {name: t, key: k}}}}}";
        let refusal = prepare(&mut documents(own, ""), &jenkins()).unwrap_err();
        assert!(refusal.starts_with("ConfigMap t is missing") && refusal.contains("further document"), "{refusal}");
        let map = "---\nkind: ConfigMap\nmetadata: {name: t}\ndata: {k: 'Resources: {}'}\n";
        assert!(prepare(&mut documents(own, map), &jenkins()).is_ok());
        let china = prepare(&mut documents("{platform: {aws: {region: cn-north-1}}}", ""), &jenkins());
        assert!(china.unwrap_err().contains("partition aws alone"));
    }
}
