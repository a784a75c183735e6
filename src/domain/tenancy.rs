//! Who may describe a platform in the project itself, and with which roles and Jenkins hosts: whoever may create a
//! project would otherwise borrow the operator's identity in AWS and its place in the network.

use serde::Deserialize;
use url::{Host, Url};

use crate::crd::project::MlopsProjectSpec;
use crate::crd::status::Placement;

/// One permission of the operator's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct InlinePlatform {
    /// Namespaces that it is for; `*` stands for any characters.
    pub namespaces: Vec<String>,
    /// Roles that their projects may name, as ARN patterns.
    pub roles: Vec<String>,
    /// Jenkins hosts that they may name; `host` or `host:port`, `*` stands for any characters.
    pub jenkins_hosts: Vec<String>,
}

/// Checks an inline platform against the permissions.
///
/// # Errors
/// A sentence that names the namespace, role or host that is not allowed.
pub fn check(allowed: &[InlinePlatform], namespace: &str, spec: &MlopsProjectSpec) -> Result<(), String> {
    let granted: Vec<_> = allowed.iter().filter(|grant| any(&grant.namespaces, namespace)).collect();
    if granted.is_empty() {
        return Err(format!("namespace {namespace} may not describe a platform in spec.platform"));
    }
    for role in named_roles(spec) {
        if !granted.iter().any(|grant| any(&grant.roles, role)) {
            return Err(format!("namespace {namespace} may not use role {role}"));
        }
    }
    let platform = &spec.platform;
    for url in std::iter::once(&platform.jenkins.url).chain(&platform.model_trigger.jenkins_url) {
        let (host, with_port) = hosts(url)?;
        if !granted.iter().any(|grant| any(&grant.jenkins_hosts, &host) || any(&grant.jenkins_hosts, &with_port)) {
            return Err(format!("namespace {namespace} may not use Jenkins host {with_port}"));
        }
    }
    Ok(())
}

fn named_roles(spec: &MlopsProjectSpec) -> impl Iterator<Item = &String> {
    let aws = &spec.platform.aws;
    let assumed = aws.assume_role.iter().map(|role| &role.role_arn);
    let roles = [&aws.roles.launch, &aws.roles.usage, &aws.roles.stack, &spec.platform.model_trigger.runtime_role_arn];
    assumed.chain(roles.into_iter().flatten())
}

/// The host of a URL without and with its port; link-local ones (instance metadata) are nobody's Jenkins.
fn hosts(url: &str) -> Result<(String, String), String> {
    let parsed = Url::parse(url).map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    let link_local = match parsed.host() {
        Some(Host::Ipv4(address)) => address.is_link_local() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => {
            let mapped = address.to_ipv4_mapped().is_some_and(|inner| inner.is_link_local() || inner.is_unspecified());
            address.is_unicast_link_local() || address.is_unspecified() || mapped
        }
        _ => false,
    };
    let host = parsed.host_str().unwrap_or_default().to_owned();
    if link_local || host.is_empty() {
        return Err(format!("`{url}` cannot be a Jenkins server"));
    }
    let with_port = parsed.port_or_known_default().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    Ok((host, with_port))
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

/// Whether a pattern, in which `*` stands for any characters, covers the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let parts: Vec<_> = rest.split('*').collect();
    let (last, middle) = parts.split_last().map_or(("", [].as_slice()), |(last, middle)| (*last, middle));
    for part in middle {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// The first field in which two placements name different places: things cannot move.
pub fn moved(from: &Placement, to: &Placement) -> Option<&'static str> {
    let fields = [
        ("spec.platform.aws.region", from.region == to.region),
        ("spec.platform.aws.accountId", from.account_id == to.account_id),
        ("spec.platform.artifacts.bucket", from.bucket == to.bucket),
        ("spec.platform.jenkins.url", from.jenkins_url == to.jenkins_url),
        ("the Jenkins folder", from.jenkins_folder == to.jenkins_folder),
        ("spec.projectName", from.project_name == to.project_name),
    ];
    fields.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn spec(url: &str, role: Option<&str>) -> MlopsProjectSpec {
        let repository = serde_json::json!({
            "url": "https://git.example.com/o/r", "fullName": "o/r",
            "connectionArn": "arn:aws:codeconnections:eu-west-1:111122223333:connection/0a1b2c3d-0000-4000-8000-000000000001",
        });
        let assume = role.map(|role| serde_json::json!({"roleArn": role}));
        let mut aws = serde_json::json!({"region": "eu-west-1", "accountId": "111122223333"});
        if let Some(assume) = assume {
            aws["assumeRole"] = assume;
        }
        serde_json::from_value(serde_json::json!({
            "platform": {"aws": aws, "jenkins": {"url": url, "credentialsSecretRef": {"name": "jenkins"}}},
            "repositories": {"preprocess": repository, "build": repository, "deploy": repository},
        }))
        .unwrap()
    }

    #[test]
    fn a_namespace_may_use_what_its_grant_names_and_nothing_else() {
        let grant = InlinePlatform {
            namespaces: vec!["team-*".into()],
            roles: vec!["arn:aws:iam::*:role/mlops-*".into()],
            jenkins_hosts: vec!["ci.example.com".into(), "127.0.0.1:8080".into()],
        };
        let role = Some("arn:aws:iam::111122223333:role/mlops-a");
        let cases = [
            ("all of it is granted", "team-a", "https://ci.example.com/", role, None),
            ("no role is named", "team-a", "https://ci.example.com", None, None),
            ("the port is granted too", "team-a", "http://127.0.0.1:8080", None, None),
            ("another port", "team-a", "http://127.0.0.1:8081", None, Some("127.0.0.1:8081")),
            ("another namespace", "default", "https://ci.example.com", None, Some("namespace default may not")),
            (
                "another role",
                "team-a",
                "https://ci.example.com",
                Some("arn:aws:iam::111122223333:role/admin"),
                Some("role/admin"),
            ),
            ("another host", "team-a", "https://ci.example.com.evil.org", None, Some("evil.org")),
            ("instance metadata", "team-a", "http://169.254.169.254", None, Some("cannot be a Jenkins server")),
            ("instance metadata in disguise", "team-a", "http://[::ffff:a9fe:a9fe]", None, Some("cannot be a Jenkins")),
        ];
        for (name, namespace, url, role, refusal) in cases {
            let result = check(std::slice::from_ref(&grant), namespace, &spec(url, role));
            match refusal {
                None => assert_eq!(result, Ok(()), "{name}"),
                Some(part) => assert!(result.unwrap_err().contains(part), "{name}"),
            }
        }
        assert!(check(&[], "team-a", &spec("https://ci.example.com", None)).is_err(), "nothing is granted by default");
    }

    #[test]
    fn a_pattern_covers_the_whole_text() {
        let cases = [
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("aba*ba", "aba", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_moves_is_named() {
        let here = Placement { region: "eu-west-1".into(), ..Placement::default() };
        let there = Placement { region: "eu-west-2".into(), ..Placement::default() };
        assert_eq!(moved(&here, &there), Some("spec.platform.aws.region"));
        assert_eq!(moved(&here, &here.clone()), None);
    }
}
