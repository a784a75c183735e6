//! Wrong environments: each has its own reason, message and hint, costs few calls while it lasts, and goes over by
//! itself once it is set right, while a project is built, lives, and is deleted. All of them are told in one golden
//! file, `tests/golden/environment-faults.txt`; `make golden` writes it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::environment_fault::When::{Building, Deleting, Living};
use crate::harness::environment_fault::{EnvironmentFault, RIGHT};
use crate::harness::operator::{ACCOUNT, Harness, NAMESPACE, REGION};
use crate::harness::project;
use base64::Engine;
use mlops_sandbox::aws::{Call, Caller, cloudformation, iam, s3};
use mlops_sandbox::jenkins::config::Plugins;
use mlops_sandbox::jenkins::{Jenkins, Mode, Permission};
use mlops_sandbox::{Fault, What};
use serde_json::{Value, json};

/// An account that is not ours.
const ELSEWHERE: &str = "001122334455";
/// The access key that the harness signs with.
const KEY: &str = "ANOTREAL";

fn rows() -> Vec<EnvironmentFault> {
    [
        aws_access(),
        aws_region(),
        aws_prerequisites(),
        aws_resources(),
        jenkins_server(),
        jenkins_access(),
        names(),
        secrets(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn aws_access() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "AWS does not know the credentials",
            breaks: |harness| harness.sandbox.world(|world| world.iam.revoke(KEY)),
            mends: |harness| harness.sandbox.world(|world| world.iam.reinstate(KEY)),
            shows: &[
                (Building, "PrerequisitesMet=False/CredentialsInvalid"),
                (Living, "PrerequisitesMet=False/CredentialsInvalid"),
                (Deleting, "PrerequisitesMet=False/CredentialsInvalid"),
            ],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the credentials have expired",
            breaks: |harness| {
                refuse(
                    harness,
                    "sts",
                    "*",
                    403,
                    "ExpiredToken",
                    "The security token included in the request is expired",
                )
            },
            mends: |harness| harness.sandbox.clear_faults(),
            shows: &[
                (Building, "PrerequisitesMet=False/CredentialsInvalid"),
                (Deleting, "PrerequisitesMet=False/CredentialsInvalid"),
            ],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the credentials belong to another account",
            breaks: |harness| harness.sandbox.world(|world| world.iam.move_home(ELSEWHERE)),
            mends: |harness| harness.sandbox.world(|world| world.iam.move_home(ACCOUNT)),
            shows: &[
                (Building, "PrerequisitesMet=False/WrongAccount"),
                (Living, "PrerequisitesMet=False/WrongAccount"),
                (Deleting, "PrerequisitesMet=False/WrongAccount"),
            ],
            ..RIGHT
        },
    ]
}

fn aws_region() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "the region is not enabled for the account",
            setting: |harness| {
                let trust = json!({"Statement": [{
                    "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole",
                }]});
                harness.sandbox.world(|world| world.iam.add_role_trusting(ACCOUNT, "/", "mlops", trust));
            },
            manifest: |manifest| {
                let role = json!({"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/mlops")});
                manifest["spec"]["platform"]["aws"]["assumeRole"] = role;
            },
            breaks: |harness| {
                let message = "STS is not activated in this region for account: 111122223333";
                refuse(harness, "sts", "AssumeRole", 403, "RegionDisabledException", message);
            },
            mends: |harness| harness.sandbox.clear_faults(),
            shows: &[(Building, "PrerequisitesMet=False/UnknownRegion")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the region does not exist",
            manifest: |manifest| manifest["spec"]["platform"]["aws"]["region"] = json!("eu-nowhere-1"),
            shows: &[(Building, "PrerequisitesMet=Unknown/UnknownRegion")],
            passing: true,
            mended: false,
            ..RIGHT
        },
        EnvironmentFault {
            name: "AWS cannot be reached",
            breaks: |harness| harness.sandbox.fault(Fault::on("sts", "*").before(What::DropConnection)),
            mends: |harness| harness.sandbox.clear_faults(),
            shows: &[
                (Building, "PrerequisitesMet=Unknown/Unavailable"),
                (Deleting, "PrerequisitesMet=Unknown/Unavailable"),
            ],
            passing: true,
            ..RIGHT
        },
    ]
}

fn aws_prerequisites() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "the Git connection waits for its handshake",
            breaks: |harness| set_connection(harness, "PENDING"),
            mends: |harness| set_connection(harness, "AVAILABLE"),
            shows: &[
                (Building, "PrerequisitesMet=False/ConnectionPending"),
                (Living, "PrerequisitesMet=False/ConnectionPending"),
            ],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the launch role does not exist",
            manifest: launch_role,
            mends: |harness| role(harness, "servicecatalog.amazonaws.com"),
            shows: &[(Building, "PrerequisitesMet=False/RoleMissing")],
            passing: true,
            ..RIGHT
        },
        EnvironmentFault {
            name: "the launch role trusts another service",
            setting: |harness| role(harness, "servicecatalog.amazonaws.com"),
            manifest: launch_role,
            breaks: |harness| role(harness, "lambda.amazonaws.com"),
            mends: |harness| role(harness, "servicecatalog.amazonaws.com"),
            shows: &[
                (Building, "PrerequisitesMet=False/RoleNotTrusted"),
                (Living, "PrerequisitesMet=False/RoleNotTrusted"),
            ],
            passing: true,
            ..RIGHT
        },
        EnvironmentFault {
            name: "the launch role is gone when the project is deleted",
            setting: |harness| role(harness, "servicecatalog.amazonaws.com"),
            manifest: launch_role,
            breaks: |harness| as_administrator(harness, "DeleteRole", &json!({"RoleName": "launch"})),
            mends: |harness| role(harness, "servicecatalog.amazonaws.com"),
            shows: &[(Deleting, "ProjectReady=False/ProjectDeleteFailed")],
            retried: true,
            ..RIGHT
        },
    ]
}

fn aws_resources() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "the artifact bucket's name is taken by another account",
            breaks: |harness| bucket(harness, ELSEWHERE, "PUT"),
            mends: |harness| bucket(harness, ELSEWHERE, "DELETE"),
            shows: &[(Building, "ArtifactsReady=False/BucketNameTaken")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the operator may not look at its own bucket",
            breaks: |harness| harness.sandbox.world(|world| world.iam.deny("*", "s3:ListBucket")),
            mends: |harness| harness.sandbox.world(|world| world.iam.allow("*", "s3:ListBucket")),
            shows: &[
                (Building, "ArtifactsReady=False/AccessDenied"),
                (Living, "ArtifactsReady=False/AccessDenied"),
                (Deleting, "ArtifactsReady=False/AccessDenied"),
            ],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the launch path is not there yet",
            breaks: |harness| {
                let refusal = What::refuse(400, "ValidationException", "No launch paths found for resource: prod-x");
                harness.sandbox.fault(Fault::on("sagemaker", "CreateProject").range(1, Some(4)).before(refusal));
            },
            shows: &[(Building, "ProjectReady=Unknown/Propagating")],
            brief: true,
            ..RIGHT
        },
        EnvironmentFault {
            name: "no launch path ever appears",
            breaks: |harness| {
                let message = "No launch paths found for resource: prod-x";
                refuse(harness, "sagemaker", "CreateProject", 400, "ValidationException", message);
            },
            mends: |harness| harness.sandbox.clear_faults(),
            shows: &[(Building, "ProjectReady=False/NoLaunchPath")],
            passing: true,
            ..RIGHT
        },
        EnvironmentFault {
            name: "the quota of portfolios is used up",
            breaks: |harness| {
                let message = "Portfolio limit exceeded: 100";
                refuse(harness, "servicecatalog", "CreatePortfolio", 400, "LimitExceededException", message);
            },
            mends: |harness| harness.sandbox.clear_faults(),
            shows: &[(Building, "CatalogReady=False/QuotaExceeded")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the operator may not delete stacks",
            breaks: |harness| harness.sandbox.world(|world| world.iam.deny("*", "cloudformation:DeleteStack")),
            mends: |harness| harness.sandbox.world(|world| world.iam.allow("*", "cloudformation:DeleteStack")),
            shows: &[(Deleting, "TriggerReady=False/AccessDenied")],
            ..RIGHT
        },
    ]
}

fn jenkins_server() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "Jenkins is down",
            breaks: |harness| harness.sandbox.fault(Fault::on("jenkins", "*").before(What::DropConnection)),
            mends: |harness| harness.sandbox.clear_faults(),
            shows: &[
                (Building, "JenkinsReady=Unknown/Unavailable"),
                (Living, "JenkinsReady=Unknown/Unavailable"),
                (Deleting, "JenkinsReady=Unknown/Unavailable"),
            ],
            passing: true,
            ..RIGHT
        },
        EnvironmentFault {
            name: "Jenkins is starting",
            breaks: |harness| mode(harness, Mode::Loading),
            mends: |harness| mode(harness, Mode::Normal),
            shows: &[(Building, "JenkinsReady=Unknown/Unavailable"), (Deleting, "JenkinsReady=Unknown/Unavailable")],
            passing: true,
            ..RIGHT
        },
        EnvironmentFault {
            name: "Jenkins prepares for a shutdown",
            breaks: |harness| mode(harness, Mode::QuietDown),
            mends: |harness| mode(harness, Mode::Normal),
            shows: &[(Building, "JenkinsReady=True/JenkinsQuietDown"), (Living, "JenkinsReady=True/JenkinsQuietDown")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "Jenkins lives behind a path prefix that the URL lacks",
            breaks: |harness| harness.sandbox.world(|world| world.jenkins.context = "/jenkins".into()),
            mends: |harness| harness.sandbox.world(|world| world.jenkins.context = String::new()),
            shows: &[(Building, "JenkinsReady=False/NotJenkins"), (Deleting, "JenkinsReady=False/NotJenkins")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the URL has a path at which there is no Jenkins",
            manifest: |manifest| {
                let url = format!("https://ci.example/{}", "z".repeat(1000));
                manifest["spec"]["platform"]["jenkins"]["url"] = json!(url);
            },
            shows: &[(Building, "JenkinsReady=False/NotJenkins")],
            mended: false,
            ..RIGHT
        },
        EnvironmentFault {
            name: "Jenkins lacks a plugin",
            breaks: |harness| plugins(harness, |plugins| drop(plugins.remove("git"))),
            mends: |harness| plugins(harness, |plugins| drop(plugins.insert("git".into(), "5.8.0".into()))),
            shows: &[(Building, "JenkinsReady=False/PluginMissing"), (Living, "JenkinsReady=False/PluginMissing")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "Jenkins is too old",
            breaks: |harness| harness.sandbox.world(|world| world.jenkins.version = "2.387.3".into()),
            mends: |harness| harness.sandbox.world(|world| world.jenkins.version = "2.570".into()),
            shows: &[(Building, "JenkinsReady=False/JenkinsTooOld"), (Deleting, "JenkinsReady=False/JenkinsTooOld")],
            ..RIGHT
        },
    ]
}

fn jenkins_access() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "Jenkins refuses the token (401)",
            breaks: |harness| token(harness, "11ffffffffffffffffffffffffffffffff"),
            mends: |harness| token(harness, &Jenkins::credentials().1),
            shows: &[
                (Building, "JenkinsReady=False/JenkinsCredentialsInvalid"),
                (Living, "JenkinsReady=False/JenkinsCredentialsInvalid"),
                (Deleting, "JenkinsReady=False/JenkinsCredentialsInvalid"),
            ],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the Jenkins user may not create items (403)",
            breaks: |harness| deny(harness, "", Permission::ItemCreate),
            mends: allow,
            shows: &[(Building, "JobsReady=False/AccessDenied")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the Jenkins user may not delete items (403)",
            breaks: |harness| deny(harness, "", Permission::ItemDelete),
            mends: allow,
            shows: &[(Deleting, "JobsReady=False/AccessDenied")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the Jenkins user can no longer see the folder",
            breaks: |harness| deny(harness, "taxi-fares", Permission::ItemRead),
            mends: allow,
            shows: &[
                (Living, "JobsReady=False/JenkinsItemNotVisible"),
                (Deleting, "JobsReady=False/JenkinsItemNotVisible"),
            ],
            ..RIGHT
        },
    ]
}

fn names() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "another namespace's project has the same projectName",
            setting: |harness| {
                harness.config.inline_platforms[0].namespaces.push("team-b".into());
                harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "team-b"}})).unwrap();
                harness.kubernetes.create("secrets", "team-b", secret(true)).unwrap();
            },
            breaks: |harness| {
                let mut manifest = Harness::manifest();
                manifest["spec"]["jenkins"]["folder"] = json!("team-b");
                harness.kubernetes.create("mlopsprojects", "team-b", manifest).map(drop).unwrap();
            },
            mends: |harness| harness.kubernetes.delete("mlopsprojects", "team-b", "taxi-fares").map(drop).unwrap(),
            shows: &[(Building, "ProjectReady=False/ForeignOwner")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "a bucket of the artifact bucket's name is not ours",
            breaks: |harness| bucket(harness, ACCOUNT, "PUT"),
            mends: |harness| bucket(harness, ACCOUNT, "DELETE"),
            shows: &[(Building, "ArtifactsReady=False/ForeignOwner")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "a stack of the trigger's name is not ours",
            breaks: |harness| stack(harness, "CreateStack"),
            mends: |harness| stack(harness, "DeleteStack"),
            shows: &[(Building, "TriggerReady=False/ForeignOwner")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "a job stands where the folder belongs",
            breaks: |harness| {
                item(
                    harness,
                    "<flow-definition plugin=\"workflow-job\"><description>mine</description></flow-definition>",
                )
            },
            mends: |harness| harness.sandbox.world(|world| drop(world.jenkins.items.remove("taxi-fares"))),
            shows: &[(Building, "JenkinsReady=False/ForeignOwner")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "a job of the same name is not ours",
            breaks: |harness| describe_job(harness, "made by hand"),
            mends: |harness| {
                harness.sandbox.world(|world| {
                    let folder = world.jenkins.item_mut("taxi-fares").unwrap();
                    folder.children.retain(|_, job| job.description() != "made by hand");
                });
            },
            shows: &[(Living, "JobsReady=False/ForeignOwner")],
            ..RIGHT
        },
    ]
}

fn secrets() -> Vec<EnvironmentFault> {
    vec![
        EnvironmentFault {
            name: "the Secret does not exist",
            breaks: |harness| drop(harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap()),
            mends: Harness::put_jenkins_secret,
            shows: &[
                (Building, "PrerequisitesMet=False/SecretMissing"),
                (Living, "PrerequisitesMet=False/SecretMissing"),
                (Deleting, "JenkinsReady=False/SecretMissing"),
            ],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the Secret lacks the token",
            breaks: |harness| {
                harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
                harness.kubernetes.create("secrets", NAMESPACE, secret(false)).unwrap();
            },
            mends: |harness| {
                harness.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
                harness.put_jenkins_secret();
            },
            shows: &[
                (Building, "PrerequisitesMet=False/SecretMissing"),
                (Deleting, "JenkinsReady=False/SecretMissing"),
            ],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the CA bundle holds no certificate",
            setting: |harness| {
                let data = json!({"metadata": {"name": "ca"}, "data": {"ca.crt": "not a certificate"}});
                harness.kubernetes.create("configmaps", NAMESPACE, data).unwrap();
            },
            manifest: |manifest| {
                manifest["spec"]["platform"]["jenkins"]["caBundleRef"] =
                    json!({"kind": "ConfigMap", "name": "ca", "key": "ca.crt"});
            },
            mends: |harness| {
                let pem = include_str!("../tls/ca.pem");
                harness.kubernetes.delete("configmaps", NAMESPACE, "ca").unwrap();
                let data = json!({"metadata": {"name": "ca"}, "data": {"ca.crt": pem}});
                harness.kubernetes.create("configmaps", NAMESPACE, data).unwrap();
            },
            shows: &[(Building, "PrerequisitesMet=False/CaBundleInvalid")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the ConfigMap with the project template does not exist",
            manifest: own_template,
            mends: |harness| put_template(harness, include_str!("../../examples/templates/batch-scoring.yaml")),
            shows: &[(Building, "PrerequisitesMet=False/SecretMissing")],
            ..RIGHT
        },
        EnvironmentFault {
            name: "the project template in the ConfigMap has an error",
            setting: |harness| {
                let template = include_str!("../../examples/templates/batch-scoring.yaml");
                put_template(harness, &template.replace("MaxLength: 20", "MaxLength: 10"));
            },
            manifest: own_template,
            mends: |harness| {
                harness.kubernetes.delete("configmaps", NAMESPACE, "project-template").unwrap();
                put_template(harness, include_str!("../../examples/templates/batch-scoring.yaml"));
            },
            shows: &[(Building, "PrerequisitesMet=False/InvalidTemplate")],
            ..RIGHT
        },
    ]
}

fn own_template(manifest: &mut Value) {
    let reference = json!({"name": "project-template", "key": "template.yaml"});
    manifest["spec"]["platform"]["catalog"] = json!({"template": {"configMapRef": reference}});
}

fn put_template(harness: &Harness, text: &str) {
    let config_map = json!({"metadata": {"name": "project-template"}, "data": {"template.yaml": text}});
    harness.kubernetes.create("configmaps", NAMESPACE, config_map).unwrap();
}

fn refuse(harness: &Harness, service: &str, operation: &str, status: u16, code: &str, message: &str) {
    harness.sandbox.fault(Fault::on(service, operation).before(What::refuse(status, code, message)));
}

fn set_connection(harness: &Harness, status: &str) {
    let arn = format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455");
    let known = harness.sandbox.world(|world| world.region(ACCOUNT, REGION).connections.set_status(&arn, status));
    assert!(known);
}

fn launch_role(manifest: &mut Value) {
    manifest["spec"]["platform"]["aws"]["roles"] = json!({"launch": format!("arn:aws:iam::{ACCOUNT}:role/launch")});
}

fn role(harness: &Harness, service: &str) {
    harness.sandbox.world(|world| world.iam.add_role(ACCOUNT, "/", "launch", &[service]));
}

fn caller(account: &str) -> Caller {
    let arn = format!("arn:aws:iam::{account}:user/somebody");
    Caller { account: account.to_owned(), arn: arn.clone(), principal: arn }
}

fn as_administrator(harness: &Harness, operation: &str, input: &Value) {
    let caller = caller(ACCOUNT);
    harness
        .sandbox
        .world(|world| iam::call(world, &Call { operation, input, caller: &caller, region: REGION }))
        .unwrap();
}

fn owner(harness: &Harness) -> mlops_operator::domain::identity::OwnerKey {
    let cluster = harness.kubernetes.object("namespaces", "", "kube-system").unwrap()["metadata"]["uid"].clone();
    mlops_operator::domain::identity::OwnerKey {
        cluster: cluster.as_str().unwrap().to_owned(),
        kind: "MlopsProject".into(),
        namespace: NAMESPACE.into(),
        name: "taxi-fares".into(),
    }
}

/// Makes or removes a bucket of the artifact bucket's name; one of our own account is tagged as somebody else's.
fn bucket(harness: &Harness, account: &str, method: &str) {
    use mlops_operator::domain::identity::Identity;
    let name = Identity::own_bucket_name(&owner(harness), &project::account(), &project::region(REGION));
    let ask = |path: &str, body: &str| {
        let request =
            http::Request::builder().method(method).uri(path).body(bytes::Bytes::from(body.to_owned())).unwrap();
        let caller = caller(account);
        let status = harness.sandbox.world(|world| s3::handle(world, &caller, REGION, &request).status());
        assert!(status.is_success(), "{method} {path}: {status}");
    };
    ask(&format!("/{name}"), "");
    if method == "PUT" && account == ACCOUNT {
        let tag = "<Tag><Key>mlops-operator.io/bucket-owner</Key><Value>somebody</Value></Tag>";
        ask(&format!("/{name}?tagging"), &format!("<Tagging><TagSet>{tag}</TagSet></Tagging>"));
    }
}

fn stack(harness: &Harness, operation: &str) {
    let name = format!("mlops-{}-model-trigger", owner(harness).short());
    let mut input = json!({"StackName": name});
    if operation == "CreateStack" {
        input["TemplateBody"] = json!("Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n");
    }
    let caller = caller(ACCOUNT);
    let call = Call { operation, input: &input, caller: &caller, region: REGION };
    harness.sandbox.world(|world| cloudformation::call(world, &call)).unwrap();
}

fn mode(harness: &Harness, mode: Mode) {
    harness.sandbox.world(|world| world.jenkins.mode = mode);
}

fn plugins(harness: &Harness, change: impl Fn(&mut Plugins)) {
    harness.sandbox.world(|world| change(&mut world.jenkins.plugins));
}

fn token(harness: &Harness, token: &str) {
    let user = Jenkins::credentials().0;
    harness.sandbox.world(|world| token.clone_into(&mut world.jenkins.users.get_mut(&user).unwrap().token));
}

fn deny(harness: &Harness, at: &str, permission: Permission) {
    let user = Jenkins::credentials().0;
    harness.sandbox.world(|world| {
        let user = world.jenkins.users.get_mut(&user).unwrap();
        user.denied.insert(at.to_owned(), BTreeSet::from([permission]));
    });
}

fn allow(harness: &Harness) {
    let user = Jenkins::credentials().0;
    harness.sandbox.world(|world| world.jenkins.users.get_mut(&user).unwrap().denied.clear());
}

/// Creates an item `taxi-fares` at the root, as somebody would.
fn item(harness: &Harness, document: &str) {
    let (user, token) = Jenkins::credentials();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"));
    let request = http::Request::post("/createItem?name=taxi-fares")
        .header("authorization", format!("Basic {basic}"))
        .header("content-type", "application/xml; charset=utf-8")
        .body(bytes::Bytes::from(document.to_owned()))
        .unwrap();
    let status = harness.sandbox.world(|world| mlops_sandbox::jenkins::handle(world, &request).status());
    assert!(status.is_success(), "{status}");
}

/// Somebody writes over the description of the preprocess job, and with it over the operator's mark.
fn describe_job(harness: &Harness, description: &str) {
    harness.sandbox.world(|world| {
        let folder = world.jenkins.item_mut("taxi-fares").unwrap();
        let job = folder.children.values_mut().find(|job| job.name.ends_with("-preprocess")).unwrap();
        job.config.set_child("description", description);
        job.raw = None;
    });
}

fn secret(whole: bool) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let (user, token) = Jenkins::credentials();
    let mut data = json!({"username": encode(&user)});
    if whole {
        data["token"] = json!(encode(&token));
    }
    json!({"metadata": {"name": "jenkins"}, "data": data})
}

/// Plays the rows on two threads and gives what they tell, in order; what failed is told all at once.
fn tell(rows: Vec<EnvironmentFault>) -> String {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let told = std::sync::Mutex::new(vec![String::new(); rows.len()]);
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(row) = rows.get(at) else { return };
                    match std::panic::catch_unwind(|| row.tell()) {
                        Ok(text) => told.lock().unwrap()[at] = text,
                        Err(_) => failed.lock().unwrap().push(row.name),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} environment faults failed (see above): {failed:#?}", failed.len());
    told.into_inner().unwrap().concat()
}

#[test]
fn every_wrong_environment_says_so_stays_quiet_and_goes_over_by_itself() {
    let only = std::env::var("SURROUNDING").unwrap_or_default();
    let rows: Vec<_> = rows().into_iter().filter(|row| row.name.contains(&only)).collect();
    let text = format!("# Wrong environments, what they show, and how they go over\n\n{}", tell(rows));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/environment-faults.txt");
    if !only.is_empty() {
        println!("{text}");
        return;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let line = expected.lines().zip(text.lines()).position(|(old, new)| old != new).map_or(0, |line| line + 1);
    assert!(
        expected == text,
        "tests/golden/environment-faults.txt differs from line {line} on; this is so now:\n{text}"
    );
}

/// Names of portfolios and products are nobody's in AWS: ours stand beside those of another object, and go alone.
#[tokio::test(start_paused = true)]
async fn a_portfolio_and_a_product_of_the_same_name_are_left_alone() {
    let mut harness = Harness::new(mlops_sandbox::Settings::default()).await;
    harness.config.inline_platforms[0].namespaces.push("team-b".into());
    harness.kubernetes.create("namespaces", "", json!({"metadata": {"name": "team-b"}})).unwrap();
    harness.kubernetes.create("secrets", "team-b", secret(true)).unwrap();
    harness.start();
    let mut ours = Harness::manifest();
    ours["spec"]["platform"]["catalog"] = json!({"portfolio": {"name": "Fares"}, "product": {"name": "Fares"}});
    let mut theirs = ours.clone();
    theirs["spec"]["projectName"] = json!("fares-b");
    theirs["spec"]["jenkins"]["folder"] = json!("team-b");
    harness.kubernetes.create("mlopsprojects", "team-b", theirs).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let (portfolios, products) = catalog(&harness);
    assert_eq!((portfolios.len(), products.len()), (1, 1));
    harness.apply(ours);
    harness.until_condition("Ready=True/Succeeded", std::time::Duration::from_mins(2)).await;
    let both = catalog(&harness);
    assert_eq!((both.0.len(), both.1.len()), (2, 2));
    assert_eq!((&both.0[0], &both.1[0]), (&both.0[1], &both.1[1]), "they have the same names");
    harness.delete();
    harness.until_gone(std::time::Duration::from_mins(10)).await;
    assert_eq!(catalog(&harness), (portfolios, products));
    harness.stop().await;
}

/// The names of all portfolios and products.
fn catalog(harness: &Harness) -> (Vec<String>, Vec<String>) {
    harness.sandbox.world(|world| {
        let catalog = &world.region(ACCOUNT, REGION).catalog;
        let portfolios = catalog.portfolios.values().filter_map(|one| one.truth()).map(|one| one.display_name.clone());
        let products = catalog.products.values().filter_map(|one| one.truth()).map(|one| one.name.clone());
        (portfolios.collect(), products.collect())
    })
}

#[tokio::test(start_paused = true)]
async fn jenkins_may_live_behind_a_path_prefix() {
    let mut harness = Harness::new(mlops_sandbox::Settings::default()).await;
    harness.sandbox.world(|world| world.jenkins.context = "/jenkins".into());
    harness.start();
    let mut manifest = Harness::manifest();
    manifest["spec"]["platform"]["jenkins"]["url"] = json!("https://ci.example/jenkins");
    harness.apply(manifest);
    harness.until_condition("Ready=True/Succeeded", std::time::Duration::from_mins(2)).await;
    let urls = harness.object().unwrap()["status"]["jobs"]["items"].to_string();
    assert!(urls.contains("https://ci.example/jenkins/job/taxi-fares/"), "{urls}");
    harness.delete();
    harness.until_gone(std::time::Duration::from_mins(10)).await;
    harness.stop().await;
}
