//! The authority that a project has in effect is never more than what its namespace was granted: specs, grants and statuses
//! made at random, absent fields included, and then every request that left the operator read for what was not granted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use mlops_operator::domain::grants::InlinePlatform;
use mlops_sandbox::Settings;
use mlops_sandbox::aws::{Caller, s3};
use mlops_sandbox::journal::Entry;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};

/// How many stories are played. One in three wants only what is granted, one in three a thing more, the rest anything.
const STORIES: u64 = 60;

const CONNECTION: &str =
    "arn:aws:codeconnections:us-east-1:111122223333:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455";
const THEIR_CONNECTION: &str =
    "arn:aws:codeconnections:us-east-1:111122223333:connection/ffffffff-1a2b-4c3d-8e9f-001122334455";

/// Something that can be granted: what it is called in grants, a value of ours, one of a neighbour's, and how the latter
/// shows in a request.
struct Kind {
    grant: fn(&mut InlinePlatform) -> &mut Vec<String>,
    ours: &'static [&'static str],
    theirs: &'static str,
    shows: &'static str,
}

/// Every kind of a grant that is a list.
const KINDS: &[Kind] = &[
    Kind { grant: |g| &mut g.accounts, ours: &[ACCOUNT], theirs: "444455556666", shows: "444455556666" },
    Kind { grant: |g| &mut g.regions, ours: &[REGION], theirs: "eu-west-1", shows: "eu-west-1" },
    Kind {
        grant: |g| &mut g.roles,
        ours: &[
            "arn:aws:iam::111122223333:role/team-*",
            "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProducts*",
        ],
        theirs: "arn:aws:iam::111122223333:role/victim-*",
        shows: "role/victim-",
    },
    Kind { grant: |g| &mut g.buckets, ours: &["team-bucket"], theirs: "victim-bucket", shows: "victim-bucket" },
    Kind { grant: |g| &mut g.kms_keys, ours: &["alias/team"], theirs: "alias/victim", shows: "alias/victim" },
    Kind { grant: |g| &mut g.connections, ours: &[CONNECTION], theirs: THEIR_CONNECTION, shows: "ffffffff-1a2b" },
    Kind {
        grant: |g| &mut g.repositories,
        ours: &["github.com/example/*"],
        theirs: "github.com/victim-org/*",
        shows: "victim-org",
    },
    Kind {
        grant: |g| &mut g.archives,
        ours: &["https://files.example/team.zip"],
        theirs: "https://files.example/victim.zip",
        shows: "victim.zip",
    },
    Kind {
        grant: |g| &mut g.principals,
        ours: &["arn:aws:iam::111122223333:role/team-studio"],
        theirs: "arn:aws:iam::111122223333:role/victim-studio",
        shows: "victim-studio",
    },
    Kind {
        grant: |g| &mut g.alarm_topics,
        ours: &["arn:aws:sns:us-east-1:111122223333:team"],
        theirs: "arn:aws:sns:us-east-1:111122223333:victim",
        shows: "111122223333:victim",
    },
    Kind { grant: |g| &mut g.subnets, ours: &["subnet-0001"], theirs: "subnet-0bad", shows: "subnet-0bad" },
    Kind { grant: |g| &mut g.security_groups, ours: &["sg-0001"], theirs: "sg-0bad", shows: "sg-0bad" },
    Kind {
        grant: |g| &mut g.jenkins_urls,
        ours: &["https://ci.example"],
        theirs: "https://victim-ci.example",
        shows: "victim-ci.example",
    },
    Kind { grant: |g| &mut g.jenkins_folders, ours: &["team"], theirs: "victim-folder", shows: "victim-folder" },
    Kind {
        grant: |g| &mut g.jenkins_credentials,
        ours: &["team-aws", "team-git"],
        theirs: "victim-credential",
        shows: "victim-credential",
    },
];

/// A field that names something: its path, ours and theirs. `true`: it may be left out.
type Field = (&'static str, bool, &'static str, &'static str);

const FIELDS: &[Field] = &[
    ("platform/aws/accountId", false, ACCOUNT, "444455556666"),
    ("platform/aws/region", false, REGION, "eu-west-1"),
    ("platform/aws/assumeRole/roleArn", true, "R:team-operator", "R:victim-operator"),
    ("platform/aws/roles/launch", true, "R:team-launch", "R:victim-launch"),
    ("platform/aws/roles/use", true, "R:team-use", "R:victim-use"),
    ("platform/aws/roles/checkIn", true, "R:team-check-in", "R:victim-check-in"),
    ("platform/aws/roles/stack", true, "R:team-stack", "R:victim-stack"),
    ("platform/modelTrigger/runtimeRoleArn", true, "R:team-runtime", "R:victim-runtime"),
    ("platform/artifacts/bucket", true, "team-bucket", "victim-bucket"),
    ("platform/artifacts/kmsKeyId", true, "alias/team", "alias/victim"),
    (
        "platform/modelTrigger/alarmTopicArn",
        true,
        "arn:aws:sns:us-east-1:111122223333:team",
        "arn:aws:sns:us-east-1:111122223333:victim",
    ),
    ("platform/modelTrigger/jenkinsUrl", true, "https://ci.example/inner", "https://victim-ci.example"),
    ("platform/jenkins/url", false, "https://ci.example", "https://victim-ci.example"),
    ("jenkins/folder", false, "team/taxi", "victim-folder/taxi"),
    ("jenkins/awsCredentialsId", true, "team-aws", "victim-credential"),
    ("jenkins/gitCredentialsId", true, "team-git", "victim-credential"),
    ("repositories/preprocess/connectionArn", false, CONNECTION, THEIR_CONNECTION),
    (
        "repositories/build/url",
        false,
        "https://github.com/example/taxi-build.git",
        "https://github.com/victim-org/taxi-build.git",
    ),
    ("repositories/build/fullName", false, "example/taxi-build", "victim-org/taxi-build"),
];

/// Choices that follow from the number of a story and what they are about, whatever else is chosen.
struct Draw(u64);

impl Draw {
    fn of(&self, about: &str, choices: u64) -> u64 {
        let digest = Sha256::digest(format!("{} {about}", self.0));
        u64::from_be_bytes(digest[..8].try_into().unwrap()) % choices
    }

    /// 0: all is granted; 1: one thing is a neighbour's; 2: anything.
    fn mode(&self) -> u64 {
        self.0 % 3
    }

    /// Whether a neighbour's value is taken: never, in one place, or anywhere.
    fn theirs(&self, at: usize, of: usize) -> bool {
        match self.mode() {
            0 => false,
            1 => self.of("the one place", of as u64) == at as u64,
            _ => self.of(&format!("theirs at {at}"), 6) == 0,
        }
    }
}

fn full(text: &str) -> String {
    text.strip_prefix("R:").map_or(text.to_owned(), |name| format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
}

fn put(spec: &mut Value, path: &str, value: Value) {
    let pointer = format!("/{path}");
    let (parents, last) = pointer.rsplit_once('/').unwrap();
    let mut at = spec;
    for part in parents.split('/').filter(|part| !part.is_empty()) {
        if at.get(part).is_none() {
            at[part] = json!({});
        }
        at = at.get_mut(part).unwrap();
    }
    if value.is_null() {
        at.as_object_mut().unwrap().remove(last);
    } else {
        at[last] = value;
    }
}

fn manifest(draw: &Draw) -> Value {
    let mut manifest = Harness::manifest();
    let places = FIELDS.len() + 4;
    let spec = &mut manifest["spec"];
    for (at, (path, optional, ours, theirs)) in FIELDS.iter().enumerate() {
        let value = match (draw.theirs(at, places), *optional && draw.of(path, 2) == 0) {
            (true, _) => json!(full(theirs)),
            (false, true) => Value::Null,
            (false, false) => json!(full(ours)),
        };
        put(spec, path, value);
    }
    if spec["platform"]["aws"]["assumeRole"].as_object().is_some_and(serde_json::Map::is_empty) {
        put(spec, "platform/aws/assumeRole", Value::Null);
    }
    // Of these one value alone would be no list of theirs and ours.
    let one = |at: usize, ours: &str, theirs: &str| match (draw.theirs(at, places), draw.of(ours, 2)) {
        (true, _) => json!([ours, theirs]),
        (false, 0) => Value::Null,
        (false, _) => json!([ours]),
    };
    let first = FIELDS.len();
    let (subnets, groups) = (one(first, "subnet-0001", "subnet-0bad"), one(first + 1, "sg-0001", "sg-0bad"));
    if !subnets.is_null() && !groups.is_null() {
        put(spec, "platform/modelTrigger/vpc", json!({"subnetIds": subnets, "securityGroupIds": groups}));
    }
    if draw.theirs(first + 2, places) {
        put(spec, "platform/catalog/principals", json!([{"arn": full("R:victim-studio")}]));
    }
    if draw.theirs(first + 3, places) {
        let archive = json!({"url": "https://files.example/victim.zip", "sha256": "0".repeat(64)});
        put(spec, "repositories/deploy/seedCode", json!({"source": "Archive", "archive": archive}));
    }
    if draw.of("deleted", 4) == 0 {
        manifest["metadata"]["finalizers"] = json!(["mlops-operator.io/finalizer"]);
    }
    manifest
}

fn grant(draw: &Draw) -> InlinePlatform {
    let mut grant = InlinePlatform {
        namespaces: vec![NAMESPACE.into()],
        operator_identity: draw.mode() == 0 || draw.of("identity", 3) > 0,
        ..InlinePlatform::default()
    };
    for (at, kind) in KINDS.iter().enumerate() {
        let ours = kind.ours.iter().map(|value| (*value).to_owned()).collect();
        let choice = if draw.mode() == 0 { 9 } else { draw.of(&format!("grant {at}"), 12) };
        *(kind.grant)(&mut grant) = match choice {
            0 => Vec::new(),
            1 => [ours, vec![kind.theirs.to_owned()]].concat(),
            _ => ours,
        };
    }
    grant
}

/// A status that the object has from the first moment on, as somebody who may write one would forge it.
fn status(draw: &Draw) -> Option<Value> {
    let theirs = |about: &str, ours: &str, theirs: &str| if draw.of(about, 2) == 0 { full(ours) } else { full(theirs) };
    let mut placement = json!({
        "partition": "aws",
        "accountId": theirs("status account", ACCOUNT, "444455556666"),
        "region": theirs("status region", REGION, "eu-west-1"),
        "projectName": "taxi-fares",
        "bucket": theirs("status bucket", "team-bucket", "victim-bucket"),
        "bucketOwned": draw.of("status owned", 2) == 0,
        "jenkinsUrl": theirs("status server", "https://ci.example", "https://victim-ci.example"),
        "jenkinsFolder": [theirs("status folder", "team", "victim-folder")],
        "secretName": "jenkins", "usernameKey": "username", "tokenKey": "token",
    });
    if draw.of("status role", 2) == 0 {
        placement["roleArn"] = json!(theirs("status which role", "R:team-operator", "R:victim-operator"));
        placement["externalId"] = json!("the-victims/ml");
    }
    let intents = json!([{"resource": "Portfolio", "number": 1, "id": "port-victim"}]);
    let seal = (draw.of("status sealed", 2) == 0).then(|| "0".repeat(32));
    (draw.mode() != 0 && draw.of("status", 3) == 0)
        .then(|| json!({"placement": placement, "intents": intents, "seal": seal}))
}

/// Everything that a request says to the other side.
fn said(entry: &Entry) -> String {
    let headers = serde_json::to_string(&entry.headers).unwrap();
    let plain = |text: &str| text.replace("%2F", "/").replace("%3A", ":").replace("%2f", "/").replace("%3a", ":");
    format!("{}\n{}\n{}\n{}", plain(&entry.uri), headers, plain(&entry.body), entry.input)
}

async fn furnish(harness: &Harness) {
    harness.sandbox.world(|world| {
        for name in ["operator", "launch", "use", "check-in", "stack", "runtime", "studio"] {
            for whose in ["team", "victim"] {
                let services = [
                    "servicecatalog.amazonaws.com",
                    "codebuild.amazonaws.com",
                    "lambda.amazonaws.com",
                    "sagemaker.amazonaws.com",
                    "cloudformation.amazonaws.com",
                ];
                world.iam.add_role(ACCOUNT, "/", &format!("{whose}-{name}"), &services);
            }
        }
        let connections = &mut world.region(ACCOUNT, REGION).connections;
        connections.add(ACCOUNT, REGION, "ffffffff-1a2b-4c3d-8e9f-001122334455", "theirs", "AVAILABLE");
        let arn = format!("arn:aws:iam::{ACCOUNT}:user/somebody");
        let caller = Caller { account: ACCOUNT.into(), arn: arn.clone(), principal: arn };
        for bucket in ["team-bucket", "victim-bucket"] {
            let request = http::Request::put(format!("/{bucket}")).body(bytes::Bytes::new()).unwrap();
            assert!(s3::handle(world, &caller, REGION, &request).status().is_success());
        }
    });
}

/// One story; answers the requests that were made.
async fn play(number: u64) -> Vec<Entry> {
    let draw = Draw(number);
    let mut harness = Harness::new(Settings::default()).await;
    furnish(&harness).await;
    let granted = grant(&draw);
    harness.config.inline_platforms = vec![granted.clone()];
    let manifest = manifest(&draw);
    let finalized = !manifest["metadata"]["finalizers"].is_null();
    harness.apply(manifest.clone());
    if let Some(status) = status(&draw) {
        harness.edit_status(json!({"status": status})).await;
    }
    harness.start();
    tokio::time::sleep(Duration::from_mins(if finalized { 1 } else { 20 })).await;
    harness.delete();
    tokio::time::sleep(Duration::from_mins(20)).await;
    harness.stop().await;
    let journal = harness.sandbox.journal();
    let mut granted = granted;
    for kind in KINDS {
        let allowed = (kind.grant)(&mut granted).iter().any(|value| value == kind.theirs);
        let found = journal.iter().find(|entry| said(entry).contains(kind.shows));
        assert!(
            allowed || found.is_none(),
            "story {number}: {} is not granted, and was used in {found:#?}\n{manifest:#}",
            kind.theirs
        );
    }
    let identity = journal.iter().find(|entry| entry.transport == "aws" && entry.service != "sts");
    let assumed = manifest["spec"]["platform"]["aws"].get("assumeRole").is_some();
    assert!(
        granted.operator_identity || assumed || identity.is_none(),
        "story {number}: the operator's own identity is not granted: {identity:#?}"
    );
    journal
}

#[test]
fn no_request_names_what_was_not_granted() {
    let (mut refused, mut worked) = (0, 0);
    for number in 0..STORIES {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let journal = runtime.block_on(play(number));
        if journal.is_empty() { refused += 1 } else { worked += 1 }
    }
    println!("authority: {STORIES} stories, {worked} worked with what they were granted, {refused} asked for nothing");
    assert!(worked >= STORIES / 4 && refused >= STORIES / 4, "{worked} worked and {refused} were refused");
}
