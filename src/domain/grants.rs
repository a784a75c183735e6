//! Who may describe a platform in the project itself, and with what: whoever may create a project would otherwise borrow
//! the operator's identity in AWS and its place in the network. What is checked is what would be used, after every
//! default; where it is used, and how, is no matter of this file.

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use super::address;
use crate::crd::status::Placement;

/// Forms of what a grant lists, for [`InlinePlatform::validate`] and for the schema of the chart's values.
const NAMESPACE: &str = r"^[-a-z0-9*]{1,63}$";
const ARN: &str = r"^(arn:|\*$)";
const SERVER: &str = r"^(\*|https?://[^/]+)$";
const FOLDER: &str = r"^[^/](.*[^/])?$";
const ANYTHING: &str = r"^.";

/// One grant of the operator's configuration. Nothing is granted but what stands here; one grant alone must cover all that
/// a project uses, so that two grants never give what neither of them gives. In lists, `*` stands for any characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("required" = ["namespaces"]))]
pub struct InlinePlatform {
    /// Namespaces that it is for.
    #[schemars(length(min = 1), inner(regex(pattern = NAMESPACE)))]
    pub namespaces: Vec<String>,
    /// Whether their projects may leave out `aws.assumeRole`: the operator then acts under its own identity.
    pub operator_identity: bool,
    /// AWS accounts.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub accounts: Vec<String>,
    /// AWS regions.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub regions: Vec<String>,
    /// ARNs of roles: to assume, for launch, use and stacks, and for the trigger's Lambda. The roles that stand for absent
    /// ones need a grant too.
    #[schemars(inner(regex(pattern = ARN)))]
    pub roles: Vec<String>,
    /// Existing buckets. A bucket that the operator makes needs no grant.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub buckets: Vec<String>,
    /// KMS keys, as the spec names them.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub kms_keys: Vec<String>,
    /// ARNs of Git connections.
    #[schemars(inner(regex(pattern = ARN)))]
    pub connections: Vec<String>,
    /// Repositories, as `host/full-name`: both the clone URL's and `fullName`'s.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub repositories: Vec<String>,
    /// Archives with seed code of one's own, as URLs.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub archives: Vec<String>,
    /// ARNs of those who may launch the product.
    #[schemars(inner(regex(pattern = ARN)))]
    pub principals: Vec<String>,
    /// SNS topics of alarms.
    #[schemars(inner(regex(pattern = ARN)))]
    pub alarm_topics: Vec<String>,
    /// Subnets of the trigger's Lambda.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub subnets: Vec<String>,
    /// Security groups of the trigger's Lambda.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub security_groups: Vec<String>,
    /// Jenkins servers, as `scheme://host` or `scheme://host:port`. Plain HTTP needs a pattern that says `http://`.
    #[schemars(inner(regex(pattern = SERVER)))]
    pub jenkins_urls: Vec<String>,
    /// Jenkins folders: each with everything below it; `*` with the root.
    #[schemars(inner(regex(pattern = FOLDER)))]
    pub jenkins_folders: Vec<String>,
    /// Ids of Jenkins credentials that jobs may name.
    #[schemars(inner(regex(pattern = ANYTHING)))]
    pub jenkins_credentials: Vec<String>,
    /// Whether their projects may bring a project template of their own: it can do what the launch role can do.
    pub own_templates: bool,
}

/// What a grant is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum UseKind {
    OperatorIdentity,
    Account,
    Region,
    Role,
    Bucket,
    KmsKey,
    Connection,
    Repository,
    Archive,
    Principal,
    AlarmTopic,
    Subnet,
    SecurityGroup,
    JenkinsUrl,
    JenkinsFolder,
    JenkinsCredential,
    OwnTemplate,
}

/// Something outside the cluster that a project uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// What it is.
    pub kind: UseKind,
    /// Path of the field that names it, or that would if it were not left out.
    pub field: String,
    /// Its name.
    pub value: String,
}

impl Use {
    /// Of a kind, named by a field.
    pub fn new(kind: UseKind, field: &str, value: impl Into<String>) -> Self {
        Self { kind, field: field.to_owned(), value: value.into() }
    }
}

/// Checks all that a project of this namespace uses.
///
/// # Errors
/// A sentence that names the field, the value, and what is allowed instead.
pub fn check(grants: &[InlinePlatform], namespace: &str, uses: &[Use]) -> Result<(), String> {
    for used in uses.iter().filter(|used| used.kind == UseKind::JenkinsUrl) {
        server(used)?;
    }
    let mut nearest: Option<(usize, &InlinePlatform)> = None;
    for grant in grants.iter().filter(|grant| any(&grant.namespaces, namespace)) {
        let Some(refused) = uses.iter().position(|used| !grant.allows(used)) else { return Ok(()) };
        if nearest.is_none_or(|(furthest, _)| refused > furthest) {
            nearest = Some((refused, grant));
        }
    }
    match nearest {
        None => Err(format!("namespace {namespace} may not describe a platform in spec.platform")),
        Some((refused, grant)) => Err(grant.refusal(namespace, &uses[refused])),
    }
}

impl InlinePlatform {
    /// The grant that a project of this namespace needs, and no more. A URL that is none is left out.
    pub fn covering(namespace: &str, uses: &[Use]) -> Self {
        let of = |kind: UseKind| {
            let mut values: Vec<String> =
                uses.iter().filter(|used| used.kind == kind).map(|used| used.value.clone()).collect();
            values.sort();
            values.dedup();
            values
        };
        let urls = uses.iter().filter(|used| used.kind == UseKind::JenkinsUrl).filter_map(|used| server(used).ok());
        let mut jenkins_urls: Vec<String> = urls.map(|server| server.pattern()).collect();
        jenkins_urls.sort();
        jenkins_urls.dedup();
        let root = |folder: String| if folder.is_empty() { "*".to_owned() } else { folder };
        Self {
            namespaces: vec![namespace.to_owned()],
            operator_identity: !of(UseKind::OperatorIdentity).is_empty(),
            accounts: of(UseKind::Account),
            regions: of(UseKind::Region),
            roles: of(UseKind::Role),
            buckets: of(UseKind::Bucket),
            kms_keys: of(UseKind::KmsKey),
            connections: of(UseKind::Connection),
            repositories: of(UseKind::Repository),
            archives: of(UseKind::Archive),
            principals: of(UseKind::Principal),
            alarm_topics: of(UseKind::AlarmTopic),
            subnets: of(UseKind::Subnet),
            security_groups: of(UseKind::SecurityGroup),
            jenkins_urls,
            jenkins_folders: of(UseKind::JenkinsFolder).into_iter().map(root).collect(),
            jenkins_credentials: of(UseKind::JenkinsCredential),
            own_templates: !of(UseKind::OwnTemplate).is_empty(),
        }
    }

    fn allows(&self, used: &Use) -> bool {
        let patterns = self.patterns(used.kind);
        match used.kind {
            UseKind::OperatorIdentity => self.operator_identity,
            UseKind::OwnTemplate => self.own_templates,
            UseKind::JenkinsUrl => server(used).is_ok_and(|server| patterns.iter().any(|one| server.matches(one))),
            UseKind::JenkinsFolder => patterns.iter().any(|pattern| is_inside(pattern, &used.value)),
            _ => any(patterns, &used.value),
        }
    }

    /// The list that a kind is granted in; none for what is granted by a flag.
    fn patterns(&self, kind: UseKind) -> &[String] {
        match kind {
            UseKind::OperatorIdentity | UseKind::OwnTemplate => &[],
            UseKind::Account => &self.accounts,
            UseKind::Region => &self.regions,
            UseKind::Role => &self.roles,
            UseKind::Bucket => &self.buckets,
            UseKind::KmsKey => &self.kms_keys,
            UseKind::Connection => &self.connections,
            UseKind::Repository => &self.repositories,
            UseKind::Archive => &self.archives,
            UseKind::Principal => &self.principals,
            UseKind::AlarmTopic => &self.alarm_topics,
            UseKind::Subnet => &self.subnets,
            UseKind::SecurityGroup => &self.security_groups,
            UseKind::JenkinsUrl => &self.jenkins_urls,
            UseKind::JenkinsFolder => &self.jenkins_folders,
            UseKind::JenkinsCredential => &self.jenkins_credentials,
        }
    }

    fn refusal(&self, namespace: &str, used: &Use) -> String {
        let Use { kind, field, value } = used;
        let (noun, key) = named(*kind);
        match kind {
            UseKind::OperatorIdentity => {
                return format!(
                    "{field}: namespace {namespace} may not act as the operator itself; name a role to assume"
                );
            }
            UseKind::OwnTemplate => {
                return format!("{field}: namespace {namespace} may not bring a project template of its own");
            }
            _ => {}
        }
        let patterns = self.patterns(*kind);
        let allowed =
            if patterns.is_empty() { "allow none".to_owned() } else { format!("allow {}", patterns.join(", ")) };
        let shown = if value.is_empty() { "the root".to_owned() } else { format!("\"{value}\"") };
        format!("{field}: namespace {namespace} may not use the {noun} {shown}; its {key} {allowed}")
    }

    /// Whether it is written as it must be; it stands at this place among the others.
    ///
    /// # Errors
    /// The path of the value, the value and what it must be.
    pub fn validate(&self, at: usize) -> Result<(), String> {
        if self.namespaces.is_empty() {
            return Err(format!("inlinePlatforms[{at}].namespaces: must name at least one namespace"));
        }
        let role = "a pattern of role ARNs, such as arn:aws:iam::111122223333:role/team-a-use";
        let lists = [
            ("namespaces", &self.namespaces, NAMESPACE, "the name of a namespace, or a pattern of such names"),
            ("roles", &self.roles, ARN, role),
            ("connections", &self.connections, ARN, "a pattern of connection ARNs"),
            ("principals", &self.principals, ARN, "a pattern of IAM ARNs"),
            ("alarmTopics", &self.alarm_topics, ARN, "a pattern of topic ARNs"),
            (
                "jenkinsUrls",
                &self.jenkins_urls,
                SERVER,
                "a scheme and a host, such as https://jenkins.example.com:8443",
            ),
            ("jenkinsFolders", &self.jenkins_folders, FOLDER, "a folder path without a slash at its ends"),
            ("accounts", &self.accounts, ANYTHING, "an account"),
            ("regions", &self.regions, ANYTHING, "a region"),
            ("buckets", &self.buckets, ANYTHING, "a bucket"),
            ("kmsKeys", &self.kms_keys, ANYTHING, "a KMS key"),
            ("repositories", &self.repositories, ANYTHING, "a repository"),
            ("archives", &self.archives, ANYTHING, "an archive"),
            ("subnets", &self.subnets, ANYTHING, "a subnet"),
            ("securityGroups", &self.security_groups, ANYTHING, "a security group"),
            ("jenkinsCredentials", &self.jenkins_credentials, ANYTHING, "the id of credentials"),
        ];
        for (key, values, form, wanted) in lists {
            let wrong = |value: &String| !Regex::new(form).is_ok_and(|form| form.is_match(value));
            if let Some(place) = values.iter().position(wrong) {
                let value = &values[place];
                return Err(format!("inlinePlatforms[{at}].{key}[{place}]: \"{value}\" is not {wanted}"));
            }
        }
        Ok(())
    }
}

/// A kind in words, and the key of the configuration that grants it.
fn named(kind: UseKind) -> (&'static str, &'static str) {
    match kind {
        UseKind::OperatorIdentity => ("operator's identity", "operatorIdentity"),
        UseKind::Account => ("account", "accounts"),
        UseKind::Region => ("region", "regions"),
        UseKind::Role => ("role", "roles"),
        UseKind::Bucket => ("bucket", "buckets"),
        UseKind::KmsKey => ("KMS key", "kmsKeys"),
        UseKind::Connection => ("connection", "connections"),
        UseKind::Repository => ("repository", "repositories"),
        UseKind::Archive => ("archive", "archives"),
        UseKind::Principal => ("principal", "principals"),
        UseKind::AlarmTopic => ("topic", "alarmTopics"),
        UseKind::Subnet => ("subnet", "subnets"),
        UseKind::SecurityGroup => ("security group", "securityGroups"),
        UseKind::JenkinsUrl => ("Jenkins", "jenkinsUrls"),
        UseKind::JenkinsFolder => ("Jenkins folder", "jenkinsFolders"),
        UseKind::JenkinsCredential => ("Jenkins credentials", "jenkinsCredentials"),
        UseKind::OwnTemplate => ("template", "ownTemplates"),
    }
}

/// Where a Jenkins answers.
struct Server {
    scheme: String,
    host: String,
    port: u16,
    usual_port: bool,
}

/// The server of a URL; addresses that are nobody's Jenkins are refused, granted or not.
fn server(used: &Use) -> Result<Server, String> {
    let Use { field, value, .. } = used;
    let url = address::unambiguous(value).map_err(|problem| format!("{field}: `{value}` {problem}"))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    if host.is_empty() || port == 0 || address::literal(&url).is_some_and(address::is_forbidden) {
        return Err(format!("{field}: `{value}` cannot be a Jenkins server"));
    }
    Ok(Server { scheme: url.scheme().to_owned(), host, port, usual_port: url.port().is_none() })
}

impl Server {
    fn pattern(&self) -> String {
        let Self { scheme, host, port, usual_port } = self;
        if *usual_port { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
    }

    fn matches(&self, pattern: &str) -> bool {
        let Self { scheme, host, port, usual_port } = self;
        if scheme != "https" && !pattern.starts_with(&format!("{scheme}://")) {
            return false;
        }
        matches(pattern, &format!("{scheme}://{host}:{port}"))
            || (*usual_port && matches(pattern, &format!("{scheme}://{host}")))
    }
}

/// Whether a folder is one that a pattern covers, or lies below one.
fn is_inside(pattern: &str, folder: &str) -> bool {
    matches(pattern, folder) || (!pattern.is_empty() && matches(&format!("{pattern}/*"), folder))
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

/// Whether a pattern, in which `*` stands for any characters, covers the whole text.
pub fn matches(pattern: &str, text: &str) -> bool {
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

/// The first field in which two placements name different places, without what stands before it in the spec: resources
/// cannot move.
pub fn moved(from: &Placement, to: &Placement) -> Option<&'static str> {
    let fields = [
        ("platformRef", from.platform == to.platform),
        ("aws.region", from.region == to.region),
        ("aws.accountId", from.account_id == to.account_id),
        ("artifacts.bucket", from.bucket == to.bucket),
        ("jenkins.url", from.jenkins_url == to.jenkins_url),
        ("the Jenkins folder", from.jenkins_folder == to.jenkins_folder),
        ("projectName", from.project_name == to.project_name),
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

    fn grant() -> InlinePlatform {
        let one = |text: &str| vec![text.to_owned()];
        InlinePlatform {
            namespaces: one("team-*"),
            operator_identity: false,
            accounts: one("111122223333"),
            regions: one("eu-*"),
            roles: one("arn:aws:iam::111122223333:role/team-a-*"),
            buckets: one("team-a-artifacts"),
            kms_keys: one("alias/team-a"),
            connections: one("arn:aws:codeconnections:eu-west-1:111122223333:connection/1"),
            repositories: one("github.com/team-a/*"),
            archives: one("s3://team-a-code/*"),
            principals: one("arn:aws:iam::111122223333:role/scientists"),
            alarm_topics: one("arn:aws:sns:eu-west-1:111122223333:alarms"),
            subnets: one("subnet-1"),
            security_groups: one("sg-1"),
            jenkins_urls: vec!["https://ci.example.com".into(), "http://127.0.0.1:8080".into()],
            jenkins_folders: one("ml/team-a"),
            jenkins_credentials: one("team-a-aws"),
            own_templates: false,
        }
    }

    #[test]
    fn each_kind_needs_a_grant_of_its_own() {
        use UseKind::*;
        let rows = [
            (Account, "111122223333", true),
            (Account, "444455556666", false),
            (Region, "eu-west-1", true),
            (Region, "us-east-1", false),
            (Role, "arn:aws:iam::111122223333:role/team-a-use", true),
            (Role, "arn:aws:iam::111122223333:role/admin", false),
            (Bucket, "team-a-artifacts", true),
            (Bucket, "team-b-artifacts", false),
            (KmsKey, "alias/team-a", true),
            (KmsKey, "alias/team-b", false),
            (Connection, "arn:aws:codeconnections:eu-west-1:111122223333:connection/1", true),
            (Connection, "arn:aws:codeconnections:eu-west-1:111122223333:connection/2", false),
            (Repository, "github.com/team-a/code", true),
            (Repository, "github.com/team-b/code", false),
            (Repository, "evil.example/github.com/team-a/code", false),
            (Archive, "s3://team-a-code/seed.zip", true),
            (Archive, "s3://team-b-code/seed.zip", false),
            (Principal, "arn:aws:iam::111122223333:role/scientists", true),
            (Principal, "arn:aws:iam:::role/*", false),
            (AlarmTopic, "arn:aws:sns:eu-west-1:111122223333:alarms", true),
            (AlarmTopic, "arn:aws:sns:eu-west-1:111122223333:others", false),
            (Subnet, "subnet-1", true),
            (Subnet, "subnet-2", false),
            (SecurityGroup, "sg-1", true),
            (SecurityGroup, "sg-2", false),
            (JenkinsUrl, "https://ci.example.com/", true),
            (JenkinsUrl, "https://ci.example.com:443/jenkins", true),
            (JenkinsUrl, "http://127.0.0.1:8080", true),
            (JenkinsUrl, "http://127.0.0.1:8081", false),
            (JenkinsUrl, "https://ci.example.com:8443", false),
            (JenkinsUrl, "http://ci.example.com", false),
            (JenkinsUrl, "https://ci.example.com.evil.org", false),
            (JenkinsUrl, "https://ci.example.com@evil.org", false),
            (JenkinsUrl, "https://ci.example.com\\.evil.org", false),
            (JenkinsUrl, "http://169.254.169.254", false),
            (JenkinsFolder, "ml/team-a", true),
            (JenkinsFolder, "ml/team-a/taxi", true),
            (JenkinsFolder, "ml/team-ab", false),
            (JenkinsFolder, "ml", false),
            (JenkinsFolder, "", false),
            (JenkinsCredential, "team-a-aws", true),
            (JenkinsCredential, "root-aws", false),
            (OperatorIdentity, "", false),
            (OwnTemplate, "", false),
        ];
        for (kind, value, allowed) in rows {
            let used = Use::new(kind, "spec.field", value);
            let told = check(&[grant()], "team-a", std::slice::from_ref(&used));
            assert_eq!(told.is_ok(), allowed, "{kind:?} {value}: {told:?}");
            assert!(told.err().is_none_or(|refusal| refusal.starts_with("spec.field: ")), "{kind:?} {value}");
            let nothing = InlinePlatform { namespaces: vec!["*".into()], ..InlinePlatform::default() };
            assert!(check(&[nothing], "team-a", &[used]).is_err(), "{kind:?} {value}: nothing is granted by default");
        }
    }

    #[test]
    fn a_refusal_says_what_is_allowed_instead() {
        let told = |kind, value: &str| check(&[grant()], "team-a", &[Use::new(kind, "spec.x", value)]).unwrap_err();
        assert_eq!(
            told(UseKind::Account, "444455556666"),
            "spec.x: namespace team-a may not use the account \"444455556666\"; its accounts allow 111122223333"
        );
        assert_eq!(
            told(UseKind::JenkinsFolder, ""),
            "spec.x: namespace team-a may not use the Jenkins folder the root; its jenkinsFolders allow ml/team-a"
        );
        assert!(told(UseKind::OperatorIdentity, "").contains("name a role to assume"));
        assert!(told(UseKind::OwnTemplate, "").contains("a project template of its own"));
        let nowhere = check(&[grant()], "default", &[]).unwrap_err();
        assert_eq!(nowhere, "namespace default may not describe a platform in spec.platform");
        assert!(check(&[grant()], "a-team-a", &[]).is_err(), "a namespace that only ends like a granted one");
    }

    #[test]
    fn two_grants_never_give_what_neither_of_them_gives() {
        let other = InlinePlatform {
            accounts: vec!["444455556666".into()],
            operator_identity: true,
            ..InlinePlatform { namespaces: vec!["team-a".into()], ..InlinePlatform::default() }
        };
        let grants = [grant(), other];
        let account = |account: &str| Use::new(UseKind::Account, "spec.a", account);
        let identity = Use::new(UseKind::OperatorIdentity, "spec.r", "");
        assert_eq!(check(&grants, "team-a", &[identity.clone(), account("444455556666")]), Ok(()));
        let refusal = check(&grants, "team-a", &[identity, account("111122223333")]).unwrap_err();
        assert!(refusal.contains("its accounts allow 444455556666"), "the grant that covers most is told: {refusal}");
    }

    #[test]
    fn the_grant_that_covers_uses_allows_them_and_is_written_as_it_must_be() {
        let uses = [
            Use::new(UseKind::OperatorIdentity, "f", ""),
            Use::new(UseKind::Role, "f", "arn:aws:iam::111122223333:role/a"),
            Use::new(UseKind::Role, "g", "arn:aws:iam::111122223333:role/a"),
            Use::new(UseKind::JenkinsUrl, "f", "http://127.0.0.1:8080/jenkins"),
            Use::new(UseKind::JenkinsFolder, "f", ""),
            Use::new(UseKind::OwnTemplate, "f", "ours"),
        ];
        let grant = InlinePlatform::covering("team-a", &uses);
        assert_eq!((grant.validate(2), check(std::slice::from_ref(&grant), "team-a", &uses)), (Ok(()), Ok(())));
        assert_eq!((grant.roles.len(), grant.jenkins_urls.as_slice()), (1, &["http://127.0.0.1:8080".to_owned()][..]));
        assert!(check(&[grant], "team-b", &uses).is_err());
    }

    #[test]
    fn any_host_is_not_plain_http() {
        let grant = InlinePlatform {
            namespaces: vec!["*".into()],
            jenkins_urls: vec!["*".into()],
            jenkins_folders: vec!["*".into()],
            ..InlinePlatform::default()
        };
        let rows = [
            (UseKind::JenkinsUrl, "https://anything.example:8443", true),
            (UseKind::JenkinsUrl, "http://anything.example", false),
            (UseKind::JenkinsUrl, "https://[fd00:ec2::254]", false),
            (UseKind::JenkinsFolder, "", true),
            (UseKind::JenkinsFolder, "a/b", true),
        ];
        for (kind, value, allowed) in rows {
            let told = check(std::slice::from_ref(&grant), "x", &[Use::new(kind, "f", value)]);
            assert_eq!(told.is_ok(), allowed, "{value}: {told:?}");
        }
    }

    #[test]
    fn a_grant_that_cannot_mean_anything_is_refused() {
        type Change = fn(&mut InlinePlatform);
        let rows: [(&str, Change); 6] = [
            ("inlinePlatforms[2].namespaces: must name", |grant| grant.namespaces.clear()),
            ("inlinePlatforms[2].roles[1]: \"team-a\"", |grant| grant.roles.push("team-a".into())),
            ("inlinePlatforms[2].connections[1]: \"1\"", |grant| grant.connections.push("1".into())),
            ("inlinePlatforms[2].jenkinsUrls[2]: \"ci.example\"", |grant| grant.jenkins_urls.push("ci.example".into())),
            ("https://ci.example/jenkins", |grant| grant.jenkins_urls.push("https://ci.example/jenkins".into())),
            ("inlinePlatforms[2].jenkinsFolders[1]: \"/ml\"", |grant| grant.jenkins_folders.push("/ml".into())),
        ];
        assert_eq!(grant().validate(2), Ok(()));
        for (part, change) in rows {
            let mut grant = grant();
            change(&mut grant);
            let told = grant.validate(2).unwrap_err();
            assert!(told.contains(part), "{part}: {told}");
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
        let cases: [(&str, Placement); 7] = [
            ("platformRef", Placement { platform: Some(text("main")), ..here() }),
            ("aws.region", Placement { region: Region::parse("eu-west-2").unwrap(), ..here() }),
            ("aws.accountId", Placement { account_id: AccountId::parse("000000000000").unwrap(), ..here() }),
            ("artifacts.bucket", Placement { bucket: text("x"), ..here() }),
            ("jenkins.url", Placement { jenkins_url: text("x"), ..here() }),
            ("the Jenkins folder", Placement { jenkins_folder: vec![text("x")], ..here() }),
            ("projectName", Placement { project_name: text("x"), ..here() }),
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
