//! Every field of the CRD: from its own schema, each property is set, changed and unset, with values at its bounds,
//! just outside, of wrong types, and with hostile texts. Each value either is refused by a real API server in a
//! sentence, or ends in a world that shows it where it belongs, and leaves no trace when it is taken back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod attempts;
mod env;
mod observed;
mod rules;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use self::attempts::Tried;
use self::env::{ACCOUNT, Environment, REGION};
use self::rules::{Rule, What};
use self::schema::{Property, get, set, unset};
use futures::StreamExt;
use mlops_sandbox::Endpoint;
use serde_json::{Value, json};

const NAME: &str = "taxi";
/// How many dry runs are under way at once.
const AT_ONCE: usize = 8;
/// No refusal repeats what it was given at length.
const LONGEST_REFUSAL: usize = 4096;

/// What was tried, and what went wrong.
#[derive(Default)]
struct Count {
    attempts: usize,
    refused: usize,
    converged: usize,
    told: usize,
    failures: Vec<String>,
}

/// The smallest spec, in a folder and with a trigger, since those are where many fields show.
fn base() -> Value {
    let repository = |name: &str| {
        json!({
            "url": format!("https://github.com/example/taxi-{name}.git"), "branch": "main", "fullName": format!("example/taxi-{name}"),
            "connectionArn": rules::connection("0f0e0d0c-1a2b-4c3d-8e9f-001122334455"),
            // Else each change of a repository would be a check-in.
            "seedCode": {"source": "None"},
        })
    };
    json!({
        "platform": {
            "aws": {"region": REGION, "accountId": ACCOUNT},
            "jenkins": {"url": "https://ci.example", "credentialsSecretRef": {"name": "jenkins"}},
        },
        "repositories": {"preprocess": repository("preprocess"), "build": repository("build"), "deploy": repository("deploy")},
        "jenkins": {"folder": "taxi"},
        "modelTrigger": {"enabled": true},
        "dataPolicy": "Delete",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_of_every_field_is_refused_or_shows_and_goes_without_a_trace() {
    let (properties, rules) = (spec_properties(), by_path());
    let mut count = Count::default();
    uncovered(&properties, &rules, &mut count);
    assert!(count.failures.is_empty(), "{}", count.failures.join("\n"));
    let env = Environment::prepare().await;
    furnish(&env, &rules).await;
    let accepted = outside(&env, &properties, &rules, &mut count).await;
    println!("dry runs: {} values, {} refused", count.attempts, count.refused);

    let mut values: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for property in &properties {
        let mut all = inside(property, &rules[&property.path]);
        all.extend(accepted.get(&property.path).cloned().unwrap_or_default());
        values.insert(&property.path, all);
    }
    let mut project = Tried { env: &env, rules: &rules, count: &mut count, unchanged: Value::Null };
    project.begin().await;
    project.together(&values).await;
    project.one_by_one(&values).await;
    project.suspended().await;
    project.fixed(&values).await;
    project.anew(&values).await;
    env.end().await;
    println!(
        "{} fields, {} values: {} refused, {} converged, {} told what to do, {} failures",
        properties.len(),
        count.attempts,
        count.refused,
        count.converged,
        count.told,
        count.failures.len()
    );
    assert!(count.failures.is_empty(), "{}", count.failures.join("\n"));
}

fn spec_properties() -> Vec<Property> {
    let crd =
        std::fs::read_to_string(crate::harness::cluster::root().join("crds/mlopsprojects.mlops-operator.io.yaml"))
            .unwrap();
    let crd: Value = serde_yaml::from_str(&crd).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let all = schema::properties(schema, "").into_iter();
    all.filter(|property| !is_of_a_shared_platform(&property.path)).collect()
}

/// What a project has in the place of a platform of its own: refused beside one, as the table of wrong manifests shows, and
/// tried in tests/operator/platforms.rs.
fn is_of_a_shared_platform(path: &str) -> bool {
    path.starts_with("platformRef") || (path.starts_with("repositories.") && path.ends_with(".name"))
}

fn by_path() -> BTreeMap<String, Rule> {
    rules::all().into_iter().map(|rule| (rule.path.clone(), rule)).collect()
}

/// Properties without a rule, and rules without a property.
fn uncovered(properties: &[Property], rules: &BTreeMap<String, Rule>, count: &mut Count) {
    let paths: BTreeSet<&str> = properties.iter().map(|property| property.path.as_str()).collect();
    let without = paths.iter().filter(|path| !rules.contains_key(**path));
    count.failures.extend(without.map(|path| format!("spec.{path} has no rule in tests/fields/rules.rs")));
    let gone = rules.keys().filter(|path| !paths.contains(path.as_str()));
    count
        .failures
        .extend(gone.map(|path| format!("tests/fields/rules.rs has a rule for {path}, which is no property")));
    for rule in rules.values() {
        if let What::Hidden(reason) = rule.what {
            println!("spec.{} shows nowhere: {reason}", rule.path);
        }
    }
}

/// Makes what good values name.
async fn furnish(env: &Environment, rules: &BTreeMap<String, Rule>) {
    let long = |text: &str| text.repeat(253);
    env.secret("jenkins", ["username", "token"], &long("K"), "x").await;
    env.secret("other", ["username", "token"], "arn", &kms()).await;
    env.extend_secret("other", &long("K"), &kms()).await;
    env.secret(&long("z"), ["username", "token"], "arn", &kms()).await;
    env.extend_secret("jenkins", "user_name.2", &mlops_sandbox::jenkins::Jenkins::credentials().0).await;
    env.extend_secret("jenkins", "TOKEN-2", &mlops_sandbox::jenkins::Jenkins::credentials().1).await;
    env.secret("starter", ["operator", "operators"], "username", env::STARTER).await;
    for (key, text) in [
        ("token", env::token_of(env::STARTER)),
        ("user_name.2", env::STARTER.into()),
        ("TOKEN-2", env::token_of(env::STARTER)),
    ] {
        env.extend_secret("starter", key, &text).await;
    }
    env.config_map("ca", "ca.crt", env::PEM).await;
    env.config_map("template", "template.yaml", &env::own_template()).await;
    env.config_map("hiding", "template.yaml", &env::hiding_template()).await;
    env.secret("ca", ["username", "token"], "ca.crt", env::PEM).await;
    let roles: BTreeSet<String> = rules
        .values()
        .flat_map(|rule| &rule.good)
        .filter_map(|value| value.as_str()?.split_once(":role/deep/er/").map(|(_, name)| name.to_owned()))
        .collect();
    let roles = roles.into_iter().chain((0..50).map(|n| format!("p{n}")));
    env.sandbox.world(|world| {
        for name in roles {
            let services =
                ["servicecatalog", "cloudformation", "codebuild", "lambda"].map(|name| format!("{name}.amazonaws.com"));
            let trust = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": services, "AWS": "*"}, "Action": "sts:AssumeRole"}]});
            world.iam.add_role_trusting(ACCOUNT, "/deep/er/", &name, trust);
        }
        let connections = &mut world.region(ACCOUNT, REGION).connections;
        for id in ["0f0e0d0c-1a2b-4c3d-8e9f-001122334455", "0a0b0c0d-1a2b-4c3d-8e9f-001122334466", "codestar"] {
            connections.add(ACCOUNT, REGION, id, "git", "AVAILABLE");
        }
    });
    let put = http::Request::put("/own-artifacts")
        .header("host", format!("s3.{REGION}.amazonaws.com"))
        .header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIA1/20260105/{REGION}/s3/aws4_request, SignedHeaders=host, Signature=0"
            ),
        )
        .body(bytes::Bytes::new())
        .unwrap();
    let made = env.sandbox.answer(Endpoint::Aws, put).await.unwrap();
    assert_eq!(made.status(), 200, "{}", String::from_utf8_lossy(made.body()));
}

fn kms() -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/0f0e0d0c-1a2b-4c3d-8e9f-001122334455")
}

/// The base with one property set, and with what must stand beside it.
fn with(base: &Value, rule: &Rule, value: Value) -> Value {
    let mut spec = base.clone();
    set(&mut spec, &rule.path, value);
    for (path, value) in &rule.with {
        // An archive goes with one source alone.
        if get(&spec, path).is_none() || path.ends_with("seedCode.source") {
            set(&mut spec, path, value.clone());
        }
    }
    same_repository(&mut spec, &rule.path);
    spec
}

/// The URL and the full name of a repository say the same: where one was set, the other follows.
fn same_repository(spec: &mut Value, path: &str) {
    if let Some(name) = path.strip_suffix(".fullName")
        && let Some(full_name) = get(spec, path).and_then(|value| value.as_str().map(str::to_owned))
    {
        set(spec, &format!("{name}.url"), json!(format!("https://git.example/{}.git", full_name.replace(' ', "%20"))));
    }
    if let Some(name) = path.strip_suffix(".url").filter(|_| path.starts_with("repositories."))
        && let Some(url) = get(spec, path).and_then(|value| value.as_str().map(str::to_owned))
    {
        let parts: Vec<&str> = url.trim_end_matches(".git").rsplit('/').take(2).collect();
        let full_name = parts.into_iter().rev().collect::<Vec<_>>().join("/").replace("%20", " ");
        set(spec, &format!("{name}.fullName"), json!(full_name));
    }
}

/// Good values: those of the rule, of the schema's list, and at the schema's bounds.
fn inside(property: &Property, rule: &Rule) -> Vec<Value> {
    let at_bounds = [property.min, property.max].into_iter().flatten();
    let sized = at_bounds.filter_map(|length| rule.sized.and_then(|sized| sized(length)));
    let choices = property.choices.iter().filter(|_| rule.good.is_empty());
    rule.good.iter().chain(choices).cloned().chain(sized).collect()
}

/// Tries what must be refused and what may be: gives what was taken, by path.
async fn outside(
    env: &Environment,
    properties: &[Property],
    rules: &BTreeMap<String, Rule>,
    count: &mut Count,
) -> BTreeMap<String, Vec<Value>> {
    let mut cases = Vec::new();
    for property in properties {
        let rule = &rules[&property.path];
        let mut wrong = schema::wrong_types(property);
        let beyond = [property.min.and_then(|min| min.checked_sub(1)), property.max.map(|max| max + 1)];
        wrong.extend(beyond.into_iter().flatten().filter_map(|n| rule.sized.and_then(|sized| sized(n))));
        if !property.choices.is_empty() {
            match property.choices[0].as_str() {
                Some(choice) => wrong.extend([json!(""), json!("Nonesuch"), json!(choice.to_lowercase() + "s")]),
                None => wrong.extend([json!(0), json!(-1), json!(2), json!(i32::MAX)]),
            }
        }
        cases.extend(wrong.into_iter().map(|value| (property, Some(value), true)));
        if property.required {
            cases.push((property, None, true));
        }
        if !property.block {
            cases.extend(hostile(property).into_iter().map(|value| (property, Some(value), false)));
        }
    }
    let answers = futures::stream::iter(cases)
        .map(|(property, value, must)| async move {
            let mut spec = with(&base(), &rules[&property.path], value.clone().unwrap_or_default());
            if value.is_none() {
                unset(&mut spec, &property.path);
            }
            (property, value, must, env.would_take(&spec).await)
        })
        .buffered(AT_ONCE);
    let answers: Vec<_> = answers.collect().await;
    let mut accepted: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (property, value, must, answer) in answers {
        count.attempts += 1;
        let shown = value.as_ref().map_or("nothing".to_owned(), short);
        match (answer, value) {
            (Err(said), _) if refused_well(&property.path, &said) => count.refused += 1,
            (Err(said), _) => count.failures.push(format!(
                "spec.{} = {shown}: a poor refusal: {}",
                property.path,
                &said[..said.len().min(600)]
            )),
            (Ok(()), Some(value)) if !must => accepted.entry(property.path.clone()).or_default().push(value),
            (Ok(()), _) => count.failures.push(format!("spec.{} = {shown}: taken", property.path)),
        }
    }
    accepted
}

fn hostile(property: &Property) -> Vec<Value> {
    let mut texts = schema::hostile_texts();
    if !property.choices.is_empty() || property.kind == "array" {
        // Where there is a list of values, the API server repeats what it refuses, however long.
        texts.retain(|text| text.as_str().unwrap().len() < LONGEST_REFUSAL);
    }
    match property.kind.as_str() {
        "array" => texts.into_iter().map(|text| json!([text])).collect(),
        "object" => {
            let keys = texts.iter().map(|text| json!({text.as_str().unwrap(): "value"}));
            keys.chain(texts.iter().map(|text| json!({"KEY": text}))).collect()
        }
        "string" => texts,
        _ => Vec::new(),
    }
}

/// A refusal names the field (or the object's rule that speaks of it), is short, and is no bare expression.
fn refused_well(path: &str, said: &str) -> bool {
    let top = path.split(['.', '[']).next().unwrap_or_default();
    said.contains(top) && said.len() < LONGEST_REFUSAL && !said.contains("should match '")
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.len() > 120 {
        format!("{}... ({} bytes)", text.chars().take(100).collect::<String>(), text.len())
    } else {
        text
    }
}
