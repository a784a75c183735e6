//! Who may describe a platform in the project itself, and with which roles and Jenkins hosts: whoever may create a
//! project would otherwise borrow the operator's identity in AWS and its place in the network.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Deserialize;
use url::{Host, Url};

use crate::crd::identifiers::RoleArn;
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
    let platform = &spec.platform;
    let urls = std::iter::once(&platform.jenkins.url).chain(&platform.model_trigger.jenkins_url);
    permit(allowed, namespace, named_roles(spec), urls.map(String::as_str))
}

/// Checks a place against the permissions. For a place that the operator has not written down itself: what an object
/// says that was never accepted must not lead the operator anywhere, not even to delete.
///
/// # Errors
/// As [`check`].
pub fn check_place(allowed: &[InlinePlatform], namespace: &str, place: &Placement) -> Result<(), String> {
    permit(allowed, namespace, place.role_arn.iter().map(RoleArn::as_str), std::iter::once(place.jenkins_url.as_str()))
}

fn permit<'a>(
    allowed: &[InlinePlatform],
    namespace: &str,
    roles: impl Iterator<Item = &'a str>,
    urls: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    let granted: Vec<_> = allowed.iter().filter(|grant| any(&grant.namespaces, namespace)).collect();
    if granted.is_empty() {
        return Err(format!("namespace {namespace} may not describe a platform in spec.platform"));
    }
    for role in roles {
        if !granted.iter().any(|grant| any(&grant.roles, role)) {
            return Err(format!("namespace {namespace} may not use role {role}"));
        }
    }
    for url in urls {
        let (host, with_port) = hosts(url)?;
        if !granted.iter().any(|grant| any(&grant.jenkins_hosts, &host) || any(&grant.jenkins_hosts, &with_port)) {
            return Err(format!("namespace {namespace} may not use Jenkins host {with_port}"));
        }
    }
    Ok(())
}

fn named_roles(spec: &MlopsProjectSpec) -> impl Iterator<Item = &str> {
    let aws = &spec.platform.aws;
    let assumed = aws.assume_role.iter().map(|role| &role.role_arn);
    let roles = [&aws.roles.launch, &aws.roles.usage, &aws.roles.stack, &spec.platform.model_trigger.runtime_role_arn];
    assumed.chain(roles.into_iter().flatten()).map(String::as_str)
}

/// AWS's instance metadata over IPv6, which is not link-local:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>.
const METADATA_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// The host of a URL without and with its port; link-local ones (instance metadata) are nobody's Jenkins.
fn hosts(url: &str) -> Result<(String, String), String> {
    let parsed = Url::parse(url).map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    let link_local = match parsed.host() {
        Some(Host::Ipv4(address)) => is_nobody(address),
        Some(Host::Ipv6(address)) => {
            let inner = address.to_ipv4().or_else(|| behind_nat64(address));
            address.is_unicast_link_local() || address == METADATA_IPV6 || inner.is_some_and(is_nobody)
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

fn is_nobody(address: Ipv4Addr) -> bool {
    address.is_link_local() || address.is_unspecified()
}

/// The IPv4 address that the well-known prefix of RFC 6052 leads to.
fn behind_nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
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

/// The first field in which two placements name different places: resources cannot move.
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
    use crate::crd::identifiers::{AccountId, Region};

    fn here() -> Placement {
        Placement::new(AccountId::parse("111122223333").unwrap(), Region::parse("eu-west-1").unwrap())
    }

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
            (
                "the host stands before the path, not before the @",
                "team-a",
                "https://ci.example.com@evil.org",
                None,
                Some("host evil.org:443"),
            ),
            (
                "a namespace that only begins like a granted one",
                "a-team-a",
                "https://ci.example.com",
                None,
                Some("a-team-a"),
            ),
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
    fn instance_metadata_is_nobodys_jenkins_however_it_is_written() {
        let anything = || vec!["*".to_owned()];
        let grant = InlinePlatform { namespaces: anything(), roles: anything(), jenkins_hosts: anything() };
        let urls = [
            "http://169.254.169.254",
            "http://169.254.169.254./",
            "http://2852039166",
            "http://0xA9FEA9FE:80",
            "http://0251.0376.0251.0376",
            "http://[::ffff:a9fe:a9fe]",
            "http://[::a9fe:a9fe]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://[fd00:ec2::254]",
            "http://[fe80::1]",
            "http://0.0.0.0:8080",
            "http://[::]",
        ];
        for url in urls {
            let refusal = check(std::slice::from_ref(&grant), "team-a", &spec(url, None)).unwrap_err();
            assert!(refusal.contains("cannot be a Jenkins server"), "{url}: {refusal}");
        }
        for url in ["https://10.0.0.1", "http://127.0.0.1:8080", "https://[fd00::1]", "https://[64:ff9b::808:808]"] {
            assert_eq!(check(std::slice::from_ref(&grant), "team-a", &spec(url, None)), Ok(()), "{url}");
        }
    }

    #[test]
    fn every_role_and_the_lambdas_jenkins_need_a_grant_of_their_own() {
        type Change = fn(&mut MlopsProjectSpec);
        let grant = InlinePlatform {
            namespaces: vec!["team-a".into()],
            roles: vec!["arn:aws:iam::111122223333:role/mine".into()],
            jenkins_hosts: vec!["ci.example.com".into()],
        };
        let check = |change: Change| {
            let mut spec = spec("https://ci.example.com", None);
            change(&mut spec);
            check(std::slice::from_ref(&grant), "team-a", &spec)
        };
        assert!(
            check(|spec| spec.platform.aws.roles.launch = Some("arn:aws:iam::111122223333:role/mine".into())).is_ok()
        );
        let refused: [(&str, Change); 5] = [
            ("launch", |spec| spec.platform.aws.roles.launch = Some("arn:aws:iam::111122223333:role/theirs".into())),
            ("use", |spec| spec.platform.aws.roles.usage = Some("arn:aws:iam::111122223333:role/theirs".into())),
            ("stack", |spec| spec.platform.aws.roles.stack = Some("arn:aws:iam::111122223333:role/theirs".into())),
            ("runtime", |spec| {
                spec.platform.model_trigger.runtime_role_arn = Some("arn:aws:iam::111122223333:role/theirs".into());
            }),
            ("the Lambda's Jenkins", |spec| {
                spec.platform.model_trigger.jenkins_url = Some("https://theirs.example.com".into());
            }),
        ];
        for (name, change) in refused {
            assert!(check(change).unwrap_err().contains("theirs"), "{name}");
        }
    }

    #[test]
    fn a_place_needs_the_same_grant() {
        let grant = InlinePlatform {
            namespaces: vec!["team-a".into()],
            roles: vec!["arn:aws:iam::111122223333:role/mine".into()],
            jenkins_hosts: vec!["ci.example.com".into()],
        };
        let cases = [
            ("its own role and host", "team-a", Some("mine"), "https://ci.example.com", true),
            ("no role", "team-a", None, "https://ci.example.com", true),
            ("another namespace", "team-b", None, "https://ci.example.com", false),
            ("another role", "team-a", Some("theirs"), "https://ci.example.com", false),
            ("another host", "team-a", None, "https://evil.example.org", false),
            ("instance metadata", "team-a", None, "http://169.254.169.254", false),
        ];
        for (name, namespace, role, url, allowed) in cases {
            let role_arn = role.map(|role| RoleArn::parse(&format!("arn:aws:iam::111122223333:role/{role}")).unwrap());
            let place = Placement { role_arn, jenkins_url: url.into(), ..here() };
            assert_eq!(check_place(std::slice::from_ref(&grant), namespace, &place).is_ok(), allowed, "{name}");
        }
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
        let text = |text: &str| text.to_owned();
        let cases: [(&str, Placement); 6] = [
            ("spec.platform.aws.region", Placement { region: Region::parse("eu-west-2").unwrap(), ..here() }),
            (
                "spec.platform.aws.accountId",
                Placement { account_id: AccountId::parse("000000000000").unwrap(), ..here() },
            ),
            ("spec.platform.artifacts.bucket", Placement { bucket: text("x"), ..here() }),
            ("spec.platform.jenkins.url", Placement { jenkins_url: text("x"), ..here() }),
            ("the Jenkins folder", Placement { jenkins_folder: vec![text("x")], ..here() }),
            ("spec.projectName", Placement { project_name: text("x"), ..here() }),
        ];
        let before = here();
        for (field, there) in cases {
            assert_eq!(moved(&before, &there), Some(field));
            assert_eq!(moved(&there, &there.clone()), None);
        }
        let rotated = Placement { secret_name: text("other"), ..here() };
        assert_eq!(moved(&before, &rotated), None, "other credentials lead to the same place");
    }
}
