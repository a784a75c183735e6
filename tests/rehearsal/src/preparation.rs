//! What the objects of a manifest find when they come: roles, connections, a bucket, Secrets and ConfigMaps, and the operator's
//! permission to use them. It decides from the manifest alone, and says what it made up; `stage` makes what is decided here.

use std::collections::BTreeMap;

use mlops_operator::crd::identifiers::{AccountId, Region};
use mlops_operator::domain::grants::InlinePlatform;
use mlops_operator::domain::identity::OwnerKey;
use mlops_operator::domain::seal::Seals;
use mlops_operator::domain::secret::FingerprintKey;
use mlops_operator::domain::validate::parse;
use serde_json::Value;
use url::Url;

use crate::manifest::Documents;

mod made_up;

/// The account and region of a manifest that names none, or something else: the operator then refuses it with its own sentence.
const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

/// What the sandbox and the in-memory API are to hold before anything is applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Preparation {
    /// The AWS account that the operator's credentials belong to.
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// Roles by ARN, with the services that may assume them.
    pub(crate) roles: BTreeMap<String, Vec<&'static str>>,
    /// The ARN of the policy that bounds the role of the model trigger's function.
    pub(crate) boundary: Option<String>,
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

/// Where the platform names roles, with the services that must be able to assume each.
const ROLES: [(&str, &[&str]); 6] = [
    ("/aws/assumeRole/roleArn", &["sagemaker.amazonaws.com"]),
    ("/aws/roles/launch", &["servicecatalog.amazonaws.com"]),
    (
        "/aws/roles/use",
        &["codebuild.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com", "events.amazonaws.com"],
    ),
    ("/aws/roles/checkIn", &["codebuild.amazonaws.com", "lambda.amazonaws.com"]),
    ("/aws/roles/stack", &["cloudformation.amazonaws.com"]),
    ("/modelTrigger/runtimeRoleArn", &["lambda.amazonaws.com"]),
];

/// Decides what is needed, and adds to the documents what they name and do not bring. `jenkins` is the sandbox's own user.
///
/// # Errors
/// What nobody can make up, and how to give it; a part of AWS that the sandbox does not play.
pub(crate) fn prepare(documents: &mut Documents, jenkins: &(String, String)) -> Result<Preparation, String> {
    let account = documents.setting("/aws/accountId").and_then(|text| AccountId::parse(text).ok());
    let region = documents.setting("/aws/region").and_then(|text| Region::parse(text).ok());
    let mut preparation = Preparation {
        account: account.map_or_else(|| AccountId::parse(ACCOUNT), Ok).map_err(|error| error.to_string())?,
        region: region.map_or_else(|| Region::parse(REGION), Ok).map_err(|error| error.to_string())?,
        bucket: documents.setting("/artifacts/bucket").map(str::to_owned),
        jenkins_context: documents.setting("/jenkins/url").map(context).unwrap_or_default(),
        jenkins_user: jenkins.clone(),
        trigger_user: None,
        roles: roles(documents),
        boundary: None,
        connections: connections(documents),
        remarks: Vec::new(),
    };
    if preparation.region.partition() != "aws" {
        let region = preparation.region;
        return Err(format!("region {region} cannot be rehearsed: the sandbox has the regions of partition aws alone"));
    }
    template(documents)?;
    let needs = made_up::needs(documents, jenkins);
    made_up::make_up(documents, &needs, &mut preparation.remarks);
    made_up::namespaces(documents, &mut preparation.remarks);
    made_up::archives(documents, &mut preparation.remarks);
    bound(documents, &mut preparation)?;
    preparation.trigger_user = made_up::jenkins_user(documents, made_up::TRIGGER);
    if let Some(user) = made_up::jenkins_user(documents, made_up::SERVER) {
        preparation.jenkins_user = user;
    }
    Ok(preparation)
}

/// The permission that the operator's configuration must give for this manifest, and no more. A project on a shared platform
/// needs none.
pub(crate) fn grants(documents: &Documents) -> Vec<InlinePlatform> {
    if documents.platform.is_some() {
        return Vec::new();
    }
    let each = documents.projects.iter().zip(documents.targets()).map(|(project, target)| {
        let owner = OwnerKey {
            cluster: "rehearsal".to_owned(),
            kind: "MlopsProject".to_owned(),
            namespace: target.namespace.clone(),
            name: target.name,
        };
        // A spec that does not parse is refused for that, whatever is granted.
        let uses = parse(&owner, &Seals::new(FingerprintKey::new(""), false), &project["spec"])
            .map(|parsed| parsed.uses())
            .unwrap_or_default();
        InlinePlatform::covering(&target.namespace, &uses)
    });
    each.collect()
}

fn roles(documents: &Documents) -> BTreeMap<String, Vec<&'static str>> {
    let mut roles: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (pointer, services) in ROLES {
        if let Some(arn) = documents.setting(pointer) {
            roles.entry(arn.to_owned()).or_default().extend(services);
        }
    }
    let principals = documents.settings().pointer("/catalog/principals").and_then(Value::as_array);
    for principal in principals.into_iter().flatten().filter(|principal| principal["type"] != "IAM_PATTERN") {
        if let Some(arn) = principal["arn"].as_str().filter(|arn| arn.contains(":role/")) {
            roles.entry(arn.to_owned()).or_default().push("sagemaker.amazonaws.com");
        }
    }
    roles
}

fn connections(documents: &Documents) -> Vec<String> {
    let repositories =
        documents.projects.iter().filter_map(|project| project.pointer("/spec/repositories")?.as_object());
    let arns = repositories.flatten().filter_map(|(_, one)| one["connectionArn"].as_str());
    let mut connections: Vec<String> = arns.chain(documents.setting("/git/connectionArn")).map(str::to_owned).collect();
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
    let pointer = "/catalog/template/configMapRef";
    let Some(name) = documents.setting(&format!("{pointer}/name")) else { return Ok(()) };
    if documents.companion("configmaps", documents.settings_namespace(), name).is_some() {
        return Ok(());
    }
    let key = documents.setting(&format!("{pointer}/key")).unwrap_or("the key that the spec names");
    Err(format!(
        "ConfigMap {name} is missing, which holds the project template under {key}: add it to the file as a further document, after a line `---`"
    ))
}

/// What a policy of the account's own allows is known there alone: here it allows what that of `examples/aws` does.
fn bound(documents: &Documents, preparation: &mut Preparation) -> Result<(), String> {
    let field = |name: &str| documents.setting(&format!("/modelTrigger/{name}"));
    let (Some(arn), None) = (field("permissionsBoundaryArn"), field("runtimeRoleArn")) else { return Ok(()) };
    if arn.ends_with(":iam::aws:policy/AdministratorAccess") {
        return Ok(());
    }
    if arn.contains(":iam::aws:policy/") {
        return Err(format!(
            "modelTrigger.permissionsBoundaryArn {arn} cannot be rehearsed: the sandbox does not know what that policy of AWS allows; leave it out, or name one of your own"
        ));
    }
    preparation.boundary = Some(arn.to_owned());
    preparation.remarks.push(format!("{arn} allows here what the boundary of examples/aws/project-roles.yaml allows"));
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

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
    fn a_boundary_of_the_accounts_own_is_played_and_said() {
        let bound = "permissionsBoundaryArn: 'arn:aws:iam::111122223333:policy/bounds'";
        let own = Some("arn:aws:iam::111122223333:policy/bounds");
        let aws = |name: &str| format!("permissionsBoundaryArn: 'arn:aws:iam::aws:policy/{name}'");
        let rows = [
            ("it bounds the role that the stack makes", bound.to_owned(), Ok(own)),
            (
                "there is no such role",
                format!("{bound}, runtimeRoleArn: 'arn:aws:iam::111122223333:role/run'"),
                Ok(None),
            ),
            ("none", "logRetentionDays: 30".to_owned(), Ok(None)),
            ("one that allows everything", aws("AdministratorAccess"), Ok(None)),
            ("one of AWS's own", aws("PowerUserAccess"), Err("cannot be rehearsed")),
        ];
        for (case, trigger, expected) in rows {
            let mut documents = documents(&format!("{{platform: {{modelTrigger: {{{trigger}}}}}}}"), "");
            match (prepare(&mut documents, &jenkins()), expected) {
                (Ok(prepared), Ok(boundary)) => {
                    assert_eq!(prepared.boundary.as_deref(), boundary, "{case}");
                    assert_eq!(prepared.remarks.len(), usize::from(boundary.is_some()), "{case}");
                }
                (Err(refusal), Err(part)) => assert!(refusal.contains(part), "{case}: {refusal}"),
                (other, _) => panic!("{case}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_shared_platform_finds_what_it_names_where_it_looks_for_it() {
        let platform = "apiVersion: mlops-operator.io/v1alpha1\nkind: MlopsPlatform\nmetadata: {name: main}\nspec: {\
             aws: {roles: {stack: 'arn:aws:iam::111122223333:role/mlops/stack'}}, git: {connectionArn: c1}, \
             jenkins: {credentialsSecretRef: {name: jenkins}}, namespaces: {selector: {matchLabels: {team: ml}}}}\n---\n";
        let project = "apiVersion: mlops-operator.io/v1alpha1\nkind: MlopsProject\nmetadata: {name: taxi, namespace: ml-team}\nspec: \
             {platformRef: {name: main}, parameters: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}\n";
        let mut documents = Documents::read(&format!("{platform}{project}")).unwrap();
        let prepared = prepare(&mut documents, &jenkins()).unwrap();
        assert!(prepared.roles.contains_key("arn:aws:iam::111122223333:role/mlops/stack"));
        assert_eq!(prepared.connections, ["c1"]);
        assert!(documents.companion("secrets", "mlops-system", "jenkins").is_some(), "the operator's namespace");
        assert!(documents.companion("secrets", "ml-team", "s").is_some(), "the project's namespace");
        let namespace = documents.companion("namespaces", "", "ml-team").unwrap();
        assert_eq!(namespace["metadata"]["labels"], json!({"team": "ml"}));
        assert_eq!(prepared.remarks.len(), 3, "{:?}", prepared.remarks);
        assert_eq!(grants(&documents), [], "who may stand on a platform is said by the platform");
    }

    #[test]
    fn what_the_manifest_uses_is_granted_and_nothing_else() {
        let spec: String = include_str!("../../../examples/full.yaml").split_once("\nspec:\n").unwrap().1.to_owned();
        let full = Documents::read(&format!(
            "apiVersion: mlops-operator.io/v1alpha1\nkind: MlopsProject\nmetadata: {{name: taxi}}\nspec:\n{spec}"
        ));
        let grant = grants(&full.unwrap()).remove(0);
        assert_eq!((grant.validate(0), grant.namespaces.as_slice()), (Ok(()), &["default".to_owned()][..]));
        assert!(
            !grant.operator_identity && grant.roles.contains(&"arn:aws:iam::111122223333:role/mlops/use".to_owned())
        );
        assert!(grant.roles.iter().all(|role| !role.contains('*')), "{:?}", grant.roles);
        let broken = grants(&documents("{platform: {}}", ""));
        assert_eq!(broken, [InlinePlatform { namespaces: vec!["default".to_owned()], ..InlinePlatform::default() }]);
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
            let before = documents.companion("secrets", "default", "ci").cloned();
            let prepared = prepare(&mut documents, &jenkins()).unwrap();
            assert_eq!((prepared.jenkins_user.0.as_str(), prepared.remarks.len()), (user, remarks), "{case}");
            let after = documents.companion("secrets", "default", "ci").cloned();
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
            let allowed = documents.companion("secrets", "default", "s").is_some_and(|secret| {
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
