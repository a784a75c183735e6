//! One rule for each property of the spec: which values it takes and where they show. A property without a rule fails
//! the test, so that a new one cannot be forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod repositories;
mod servers;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fields::env::{ACCOUNT, REGION};
use crate::fields::observed::Seen;

/// Whether a value shows where it belongs.
pub type See = fn(&Seen, &Value) -> bool;

/// What a property does.
#[derive(Clone)]
pub enum What {
    /// It can change, and shows.
    Shown(See),
    /// It cannot change: the refusal. A new object shows it.
    Fixed(&'static str, See),
    /// It shows nowhere in the world: why.
    Hidden(&'static str),
    /// It only holds others.
    Block,
}

/// See the module.
#[derive(Clone)]
pub struct Rule {
    pub path: String,
    pub what: What,
    /// A good value of exactly that length or number of items, where there is one.
    pub sized: Option<fn(usize) -> Option<Value>>,
    /// Further good values.
    pub good: Vec<Value>,
    /// What must stand beside it, unless it does.
    pub with: Vec<(String, Value)>,
    /// Reasons with which the operator may refuse what the API server cannot judge.
    pub told: Vec<&'static str>,
}

impl Rule {
    fn new(path: &str, what: What) -> Self {
        Self { path: path.to_owned(), what, sized: None, good: vec![], with: vec![], told: vec![] }
    }

    fn sized(mut self, sized: fn(usize) -> Option<Value>) -> Self {
        self.sized = Some(sized);
        self
    }

    fn good(mut self, values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        self.good = values.into_iter().map(Into::into).collect();
        self
    }

    fn with(mut self, path: &str, value: impl Into<Value>) -> Self {
        self.with.push((path.to_owned(), value.into()));
        self
    }

    fn told(mut self, reasons: &[&'static str]) -> Self {
        self.told = reasons.to_vec();
        self
    }
}

fn shown(path: &str, see: See) -> Rule {
    Rule::new(path, What::Shown(see))
}

fn fixed(path: &str, sentence: &'static str, see: See) -> Rule {
    Rule::new(path, What::Fixed(sentence, see))
}

fn text(length: usize) -> Option<Value> {
    Some("z".repeat(length).into())
}

fn wide_text(length: usize) -> Option<Value> {
    Some("Ü".repeat(length).into())
}

fn padded(head: &str, length: usize, tail: &str) -> Option<Value> {
    let middle = length.checked_sub(head.len() + tail.len()).filter(|middle| *middle > 0)?;
    Some(format!("{head}{}{tail}", "z".repeat(middle)).into())
}

fn map(items: usize) -> Option<Value> {
    Some((0..items).map(|n| (format!("Key{n}"), json!("value"))).collect::<serde_json::Map<_, _>>().into())
}

/// A role that exists: [`crate::roles`].
pub fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/deep/er/{name}")
}

fn role_of(length: usize) -> Option<Value> {
    // A name has at most 64 characters: what is more is path.
    let name = format!("/{}", "n".repeat(length.min(64).saturating_sub(40).max(1)));
    padded(&format!("arn:aws:iam::{ACCOUNT}:role/"), length, &name)
}

/// A managed policy that nobody has made: the trigger's stack cannot bound a role with it, and says so.
fn policy_of(length: usize) -> Option<Value> {
    let name = format!("/{}", "n".repeat(length.min(128).saturating_sub(26).max(1)));
    padded(if length < 42 { "arn:aws:iam::aws:policy/" } else { "arn:aws:iam::111122223333:policy/" }, length, &name)
}

pub fn connection(id: &str) -> String {
    format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/{id}")
}

/// All rules.
pub fn all() -> Vec<Rule> {
    [project(), repositories::all(), jobs(), aws(), catalog(), servers::trigger(), servers::server()].concat()
}

fn tags(path: &str) -> Rule {
    let rule = shown(path, |seen, value| {
        let carriers =
            [&seen.project()["tags"], &seen.portfolio()["tags"], &seen.product()["tags"], &seen.trigger()["tags"]];
        value.as_object().unwrap().iter().all(|(key, value)| carriers.iter().all(|tags| &tags[key] == value))
    });
    let long = json!({"k".repeat(127): "v".repeat(255), "ключ": "значение @ a=b", "b": " "});
    rule.sized(map).good([long, json!({"Key0": "other"}), json!({"cost": "+-=._:/@"})])
}

fn project() -> Vec<Rule> {
    vec![
        fixed("projectName", "projectName is immutable", |seen, value| &seen.project()["name"] == value)
            .sized(text)
            .good(["A-b--c9"]),
        shown("description", |seen, value| {
            &seen.project()["description"] == value && seen.jobs_say("description", value.as_str().unwrap())
        })
        .sized(wide_text)
        .good(["a description"]),
        tags("tags"),
        shown("parameters", |seen, value| {
            value.as_array().unwrap().is_empty() || seen.launched()["ArtifactBucketKmsKeyArn"] != ""
        })
        .good([json!([]), json!([{"name": "ArtifactBucketKmsKeyArn", "value": kms_key()}])]),
        shown("parameters[].name", |seen, _| seen.launched()["ArtifactBucketKmsKeyArn"] == kms_key())
            .sized(text)
            .good(["ArtifactBucketKmsKeyArn"])
            .with("parameters[].value", kms_key())
            .told(&["UnknownParameter"]),
        shown("parameters[].value", |seen, value| &seen.launched()["ArtifactBucketKmsKeyArn"] == value)
            .sized(text)
            .good([kms_key(), String::new(), padded(&kms_key(), 2048, "").unwrap().as_str().unwrap().to_owned()])
            .with("parameters[].name", "ArtifactBucketKmsKeyArn")
            .told(&["ProjectUpdateFailed"]),
        Rule::new("parameters[].valueFrom", What::Block).with("parameters[].name", "ApiToken"),
        Rule::new("parameters[].valueFrom.secretKeyRef", What::Block),
        sealed("parameters[].valueFrom.secretKeyRef.name")
            .good(["other", &"z".repeat(253)])
            .with("parameters[].valueFrom.secretKeyRef.key", "arn"),
        sealed("parameters[].valueFrom.secretKeyRef.key")
            .good(["arn", &"K".repeat(253)])
            .with("parameters[].valueFrom.secretKeyRef.name", "other"),
        shown("modelTrigger", |seen, _| seen.trigger().is_object()).good([json!({})]),
        shown("modelTrigger.enabled", |seen, value| {
            let wanted = value == &json!(true);
            seen.trigger().is_object() == wanted && seen.route().is_object() == wanted
        })
        .good([json!(false), json!(true)]),
        shown("modelTrigger.approvalStatuses", |seen, value| {
            let mut wanted: Vec<_> = value.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
            wanted.sort_unstable();
            seen.route()["approvalStatuses"] == json!(wanted)
        })
        .sized(|n| ["Rejected", "PendingManualApproval", "Approved"].get(..n).map(|some| json!(some)))
        .good([json!(["Rejected"])]),
        shown("modelTrigger.jobs", |seen, value| {
            let ends: Vec<&str> = value.as_array().unwrap().iter().map(|job| repositories::job_end(job)).collect();
            let paths = seen.route()["jobs"].as_array().into_iter().flatten().map(|job| job["path"].as_str().unwrap());
            let mut started: Vec<&str> = paths.map(|path| path.rsplit("-model").next().unwrap()).collect();
            started.sort_unstable();
            started == ends
        })
        .sized(|n| ["Deploy", "Endpoint"].get(..n).map(|some| json!(some)))
        .good([json!(["Endpoint"])])
        .with("repositories.endpoint", repositories::endpoint()),
        Rule::new("suspend", What::Hidden("it stops all looking, which the test tries by itself")),
        Rule::new("deletionPolicy", What::Hidden("it speaks of the deletion alone; tests/controller.rs tries it")),
        Rule::new("dataPolicy", What::Hidden("it speaks of the deletion alone; tests/sagemaker.rs tries it")),
    ]
}

fn kms_key() -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/0f0e0d0c-1a2b-4c3d-8e9f-001122334455")
}

/// A part of a reference to a Secret, whose values go only into parameters that the template hides.
fn sealed(path: &str) -> Rule {
    let template = json!({"name": "hiding", "key": "template.yaml"});
    shown(path, |seen, _| seen.launched()["ApiToken"] == format!("sha256:{}", hex::encode(Sha256::digest(kms_key()))))
        .sized(text)
        .with("parameters[].name", "ApiToken")
        .with("platform.catalog.template.configMapRef", template)
        .told(&["SecretMissing"])
}

fn jobs() -> Vec<Rule> {
    vec![
        Rule::new("jenkins", What::Block),
        fixed("jenkins.folder", "jenkins.folder is immutable", |seen, value| seen.jobs_stand_in(value.as_str().unwrap()))
            .sized(text)
            .good(["a/b/c/d/e", "Zoë's {team} (1)"]),
        shown("jenkins.pollSchedule", |seen, value| seen.jobs_say("spec", value.as_str().unwrap()))
            .sized(|n| if n < 9 { None } else { Some(format!("{}H * * * *", "0,".repeat((n - 9) / 2) + if n % 2 == 0 { "0" } else { "" }).replace("0H", "0").into()).filter(|text: &Value| text.as_str().unwrap().len() == n) })
            .good(["@daily", "H(0-29)/10 9-17 * * 1-5"]),
        shown("jenkins.awsCredentialsId", |seen, value| seen.jobs_default("AWS_CREDENTIAL", value)).sized(text).good(["a.b_c-D"]),
        shown("jenkins.gitCredentialsId", |seen, value| seen.jobs_say("credentialsId", value.as_str().unwrap())).sized(text).good(["a.b_c-D"]),
        shown("jenkins.extraParameters", |seen, value| {
            value.as_object().unwrap().iter().all(|(name, value)| seen.jobs_default(name, value))
        })
        .sized(map)
        .good([
            json!({"_".repeat(64): "v".repeat(1024)}),
            json!({"A": "</defaultValue>&amp;]]>\"'", "B": "${'x'.execute()} $(id) `id` \\", "C": "${AWS::Region}", "D": "", "E": "日本 ☃🚀"}),
        ]),
    ]
}

fn aws() -> Vec<Rule> {
    let missing = &["RoleMissing", "Propagating"];
    vec![
        Rule::new("platform", What::Block),
        Rule::new("platform.aws", What::Block),
        Rule::new("platform.aws.roles", What::Block),
        tags("platform.tags"),
        fixed("platform.aws.region", "aws.region is immutable", |seen, value| &seen.placement()["region"] == value)
            .good([REGION]),
        fixed("platform.aws.accountId", "aws.accountId is immutable", |seen, value| {
            &seen.placement()["accountId"] == value
        })
        .good([ACCOUNT]),
        Rule::new("platform.aws.assumeRole", What::Block),
        fixed("platform.aws.assumeRole.roleArn", "aws.assumeRole is immutable", |seen, value| {
            &seen.placement()["roleArn"] == value
        })
        .good([role("assumed")]),
        shown("platform.aws.roles.launch", |seen, value| {
            seen.constraint()["parameters"].to_string().contains(value.as_str().unwrap())
        })
        .sized(role_of)
        .good([role("launch")])
        .told(missing),
        shown("platform.aws.roles.use", |seen, value| seen.jobs_default("SAGEMAKER_PIPELINE_ROLE_ARN", value))
            .sized(role_of)
            .good([role("use")])
            .told(missing),
        shown("platform.aws.roles.checkIn", |seen, value| &seen.launched()["CheckInRoleArn"] == value)
            .sized(role_of)
            .good([role("check-in")])
            .told(missing),
        shown("platform.aws.roles.stack", |seen, value| &seen.stack_role() == value)
            .sized(role_of)
            .good([role("stack"), role("stack-2")])
            .told(missing),
        Rule::new("platform.artifacts", What::Block),
        fixed("platform.artifacts.bucket", "artifacts.bucket is immutable", |seen, value| {
            &seen.object["status"]["artifacts"]["bucket"] == value
        })
        .sized(text)
        .good(["own-artifacts"])
        .told(&["BucketMissing"]),
        shown("platform.artifacts.kmsKeyId", |seen, value| &seen.artifact_bucket()["settings"]["kmsKey"] == value)
            .sized(text)
            .good(["alias/artifacts", &kms_key()]),
    ]
}

/// A part of the reference to the ConfigMap with a template of one's own; its good value exists.
fn own_template(part: &str, good: &str) -> Rule {
    shown(&format!("platform.catalog.template.configMapRef.{part}"), Seen::launches_own_template)
        .sized(text)
        .good([good])
        .told(&["SecretMissing", "InvalidTemplate"])
}

fn catalog() -> Vec<Rule> {
    let path = |field: &str| format!("platform.catalog.{field}");
    let pattern = |n: usize| padded("arn:aws:iam:::role/", n, "*");
    vec![
        Rule::new("platform.catalog", What::Block),
        Rule::new(&path("portfolio"), What::Block),
        shown(&path("portfolio.name"), |seen, value| &seen.portfolio()["displayName"] == value).sized(wide_text),
        shown(&path("portfolio.providerName"), |seen, value| &seen.portfolio()["providerName"] == value).sized(wide_text),
        shown(&path("portfolio.description"), |seen, value| &seen.portfolio()["description"] == value).sized(wide_text),
        Rule::new(&path("product"), What::Block),
        shown(&path("product.name"), |seen, value| &seen.product()["name"] == value).sized(wide_text),
        shown(&path("product.owner"), |seen, value| &seen.product()["owner"] == value).sized(wide_text),
        shown(&path("product.description"), |seen, value| &seen.product()["description"] == value).sized(wide_text),
        shown(&path("product.supportDescription"), |seen, value| &seen.product()["supportDescription"] == value).sized(wide_text),
        shown(&path("product.supportEmail"), |seen, value| &seen.product()["supportEmail"] == value)
            .sized(|n| padded("a@", n, ""))
            .good(["o'brien+<x>@例え.jp"]),
        shown(&path("product.supportUrl"), |seen, value| &seen.product()["supportUrl"] == value)
            .sized(|n| padded("http://", n, ""))
            .good(["https://wiki.example/a?b=<c>&d='e'#f"]),
        Rule::new(&path("template"), What::Block),
        Rule::new(&path("template.builtIn"), What::Hidden("there is one template, so it cannot change")),
        Rule::new(&path("template.configMapRef"), What::Block),
        own_template("name", "template").with(&path("template.configMapRef.key"), "template.yaml"),
        own_template("key", "template.yaml").with(&path("template.configMapRef.name"), "template"),
        shown(&path("principals"), |seen, value| {
            let given = value.as_array().unwrap();
            given.iter().all(|principal| seen.has_principal(&principal["arn"]))
                && seen.principals().len() == given.len() + 1
        })
        .sized(|n| Some((0..n).map(|k| json!({"arn": role(&format!("p{k}"))})).collect()))
        .good([json!([]), json!([{"arn": format!("arn:aws:iam::{ACCOUNT}:user/u")}, {"arn": format!("arn:aws:iam::{ACCOUNT}:group/g")}])]),
        shown(&path("principals[].arn"), |seen, value| seen.has_principal(value)).sized(pattern).with(&path("principals[].type"), "IAM_PATTERN"),
        shown(&path("principals[].type"), |seen, value| seen.principals().iter().any(|one| &one[2] == value))
            .good(["IAM_PATTERN"])
            .with(&path("principals[].arn"), "arn:aws:iam:::role/team-?-*"),
    ]
}
