//! The rules of what stands between AWS and Jenkins: the model trigger's environment and the Jenkins server.

use serde_json::json;

use super::{Rule, See, What, fixed, padded, policy_of, role, role_of, shown, text};
use crate::fields::env::{ACCOUNT, OPERATOR, REGION, STARTER};
use crate::fields::observed::Seen;

pub fn trigger() -> Vec<Rule> {
    let path = |field: &str| format!("platform.modelTrigger.{field}");
    let subnets = |n: usize| Some((0..n).map(|k| json!(format!("subnet-{k:08x}"))).collect());
    let groups = |n: usize| Some((0..n).map(|k| json!(format!("sg-{k:08x}"))).collect());
    vec![
        Rule::new("platform.modelTrigger", What::Block),
        shown(&path("runtimeRoleArn"), |seen, value| &seen.trigger()["parameters"]["LambdaRoleArn"] == value)
            .sized(role_of)
            .good([role("runtime")])
            .told(&["RoleMissing", "Propagating", "StackFailed", "StackRolledBack"]),
        shown(&path("permissionsBoundaryArn"), |seen, value| {
            &seen.trigger()["parameters"]["PermissionsBoundaryArn"] == value
        })
        .sized(policy_of)
        .good(["arn:aws:iam::aws:policy/AdministratorAccess"])
        .told(&["StackFailed", "StackRolledBack"]),
        shown(&path("jenkinsUrl"), |seen, value| {
            seen.trigger()["parameters"]["JenkinsUrl"] == value.as_str().unwrap().trim_end_matches('/')
        })
        .sized(|n| padded("https://j/", n, ""))
        .good(["http://jenkins.internal:8080/ci/", "https://[fd00::1]/x"]),
        Rule::new(&path("credentialsSecretRef"), What::Block),
        shown(&path("credentialsSecretRef.name"), |seen, value| {
            seen.trigger_starts_as(if value == "starter" { STARTER } else { OPERATOR })
        })
        .sized(text)
        .good(["starter"])
        .told(&["SecretMissing"]),
        shown(&path("credentialsSecretRef.usernameKey"), |seen, _| seen.trigger_starts_as(STARTER))
            .sized(text)
            .good(["user_name.2"])
            .with(&path("credentialsSecretRef.name"), "starter")
            .told(&["SecretMissing"]),
        shown(&path("credentialsSecretRef.tokenKey"), |seen, _| seen.trigger_starts_as(STARTER))
            .sized(text)
            .good(["TOKEN-2"])
            .with(&path("credentialsSecretRef.name"), "starter")
            .told(&["SecretMissing"]),
        Rule::new(&path("vpc"), What::Block),
        shown(&path("vpc.subnetIds"), |seen, value| seen.trigger_lists("SubnetIds", value))
            .sized(subnets)
            .with(&path("vpc.securityGroupIds"), json!(["sg-0a1b2c3d"])),
        shown(&path("vpc.securityGroupIds"), |seen, value| seen.trigger_lists("SecurityGroupIds", value))
            .sized(groups)
            .with(&path("vpc.subnetIds"), json!(["subnet-0a1b2c3d"])),
        Rule::new(&path("caBundleRef"), What::Block),
        bundle(&path("caBundleRef"), "kind", Seen::trigger_trusts_ca),
        bundle(&path("caBundleRef"), "name", Seen::trigger_trusts_ca),
        bundle(&path("caBundleRef"), "key", Seen::trigger_trusts_ca),
        shown(&path("alarmTopicArn"), |seen, value| &seen.trigger()["parameters"]["AlarmTopicArn"] == value)
            .sized(|n| padded(&format!("arn:aws:sns:{REGION}:{ACCOUNT}:"), n, "").filter(|_| n <= 291))
            .good([format!("arn:aws:sns:{REGION}:999999999999:Alarms_of-all")]),
        shown(&path("logRetentionDays"), |seen, value| {
            seen.trigger()["parameters"]["LogRetentionDays"].as_str() == Some(value.to_string().as_str())
        })
        .good([1, 3653]),
    ]
}

/// A part of a reference to a CA bundle: both the ConfigMap and the Secret `ca` exist, each with the key `ca.crt`.
fn bundle(path: &str, part: &str, see: See) -> Rule {
    let mut rule = shown(&format!("{path}.{part}"), see).told(&["SecretMissing", "CaBundleInvalid"]);
    for (other, value) in [("kind", "ConfigMap"), ("name", "ca"), ("key", "ca.crt")] {
        if other == part {
            rule = rule.good([value]);
            rule = if part == "kind" { rule.good(["ConfigMap", "Secret"]) } else { rule.sized(text) };
        } else {
            rule = rule.with(&format!("{path}.{other}"), value);
        }
    }
    rule
}

pub fn server() -> Vec<Rule> {
    let path = |field: &str| format!("platform.jenkins.{field}");
    vec![
        Rule::new("platform.jenkins", What::Block),
        fixed(&path("url"), "jenkins.url is immutable", |seen, value| {
            seen.placement()["jenkinsUrl"] == value.as_str().unwrap().trim_end_matches('/')
        })
        .sized(|n| padded("https://", n, ""))
        .good(["https://ci.example:8443/"]),
        fixed(&path("folder"), "jenkins.folder is immutable", |seen, value| {
            seen.jobs_stand_in(value.as_str().unwrap())
        })
        .sized(text)
        .good(["a/b/c/d"]),
        Rule::new(
            &path("allowPlainHttp"),
            What::Hidden("it only lets a URL pass, which the table of wrong manifests tries"),
        ),
        Rule::new(
            &path("folderPolicy"),
            What::Hidden("it speaks of the deletion alone; tests/operator/deletion.rs tries it"),
        ),
        Rule::new(&path("credentialsSecretRef"), What::Block),
        shown(&path("credentialsSecretRef.name"), |seen, value| &seen.placement()["secretName"] == value)
            .sized(text)
            .good(["other"])
            .told(&["SecretMissing"]),
        shown(&path("credentialsSecretRef.usernameKey"), |seen, value| &seen.placement()["usernameKey"] == value)
            .sized(text)
            .good(["user_name.2"])
            .told(&["SecretMissing"]),
        shown(&path("credentialsSecretRef.tokenKey"), |seen, value| &seen.placement()["tokenKey"] == value)
            .sized(text)
            .good(["TOKEN-2"])
            .told(&["SecretMissing"]),
        Rule::new(&path("caBundleRef"), What::Block),
        bundle(&path("caBundleRef"), "kind", |seen, value| &seen.placement()["caBundle"]["kind"] == value),
        bundle(&path("caBundleRef"), "name", |seen, value| &seen.placement()["caBundle"]["name"] == value),
        bundle(&path("caBundleRef"), "key", |seen, value| &seen.placement()["caBundle"]["key"] == value),
    ]
}
