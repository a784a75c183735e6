//! Wrong surroundings: each has its own reason, message and hint, costs few calls while it lasts, and goes over by
//! itself once it is set right, while a project is built, lives, and is deleted. All of them are told in one golden
//! file, `tests/golden/surroundings.txt`; `make golden` writes it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/canary.rs"]
mod canary;
#[path = "stage/readable.rs"]
mod readable;
mod stage;
#[path = "stage/story.rs"]
mod story;
#[path = "stage/surrounding.rs"]
mod surrounding;

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use mlops_sandbox::aws::{Call, Caller, cloudformation, iam, s3};
use mlops_sandbox::jenkins::config::Plugins;
use mlops_sandbox::jenkins::{Jenkins, Mode, Permission};
use mlops_sandbox::{Fault, What};
use serde_json::{Value, json};
use stage::{ACCOUNT, NAMESPACE, REGION, Stage};
use surrounding::When::{Building, Deleting, Living};
use surrounding::{RIGHT, Surrounding};

/// An account that is not ours.
const ELSEWHERE: &str = "001122334455";
/// The access key that the stage signs with.
const KEY: &str = "ANOTREAL";

fn rows() -> Vec<Surrounding> {
    [aws_access(), aws_region(), aws_ground(), aws_things(), jenkins_server(), jenkins_access(), names(), secrets()]
        .into_iter()
        .flatten()
        .collect()
}

fn aws_access() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "AWS does not know the credentials",
            breaks: |stage| stage.sandbox.world(|world| world.iam.revoke(KEY)),
            mends: |stage| stage.sandbox.world(|world| world.iam.reinstate(KEY)),
            shows: &[
                (Building, "PrerequisitesMet=False/CredentialsInvalid"),
                (Living, "PrerequisitesMet=False/CredentialsInvalid"),
                (Deleting, "PrerequisitesMet=False/CredentialsInvalid"),
            ],
            ..RIGHT
        },
        Surrounding {
            name: "the credentials have expired",
            breaks: |stage| {
                refuse(stage, "sts", "*", 403, "ExpiredToken", "The security token included in the request is expired")
            },
            mends: |stage| stage.sandbox.clear_faults(),
            shows: &[
                (Building, "PrerequisitesMet=False/CredentialsInvalid"),
                (Deleting, "PrerequisitesMet=False/CredentialsInvalid"),
            ],
            ..RIGHT
        },
        Surrounding {
            name: "the credentials belong to another account",
            breaks: |stage| stage.sandbox.world(|world| world.iam.move_home(ELSEWHERE)),
            mends: |stage| stage.sandbox.world(|world| world.iam.move_home(ACCOUNT)),
            shows: &[
                (Building, "PrerequisitesMet=False/WrongAccount"),
                (Living, "PrerequisitesMet=False/WrongAccount"),
                (Deleting, "PrerequisitesMet=False/WrongAccount"),
            ],
            ..RIGHT
        },
    ]
}

fn aws_region() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "the region is not enabled for the account",
            setting: |stage| {
                let trust = json!({"Statement": [{
                    "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "sts:AssumeRole",
                }]});
                stage.sandbox.world(|world| world.iam.add_role_trusting(ACCOUNT, "/", "mlops", trust));
            },
            manifest: |manifest| {
                let role = json!({"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/mlops")});
                manifest["spec"]["platform"]["aws"]["assumeRole"] = role;
            },
            breaks: |stage| {
                let message = "STS is not activated in this region for account: 111122223333";
                refuse(stage, "sts", "AssumeRole", 403, "RegionDisabledException", message);
            },
            mends: |stage| stage.sandbox.clear_faults(),
            shows: &[(Building, "PrerequisitesMet=False/UnknownRegion")],
            ..RIGHT
        },
        Surrounding {
            name: "the region does not exist",
            manifest: |manifest| manifest["spec"]["platform"]["aws"]["region"] = json!("eu-nowhere-1"),
            shows: &[(Building, "PrerequisitesMet=Unknown/UnknownRegion")],
            passing: true,
            mended: false,
            ..RIGHT
        },
        Surrounding {
            name: "AWS cannot be reached",
            breaks: |stage| stage.sandbox.fault(Fault::on("sts", "*").before(What::DropConnection)),
            mends: |stage| stage.sandbox.clear_faults(),
            shows: &[
                (Building, "PrerequisitesMet=Unknown/Unavailable"),
                (Deleting, "PrerequisitesMet=Unknown/Unavailable"),
            ],
            passing: true,
            ..RIGHT
        },
    ]
}

fn aws_ground() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "the Git connection waits for its handshake",
            breaks: |stage| set_connection(stage, "PENDING"),
            mends: |stage| set_connection(stage, "AVAILABLE"),
            shows: &[
                (Building, "PrerequisitesMet=False/ConnectionPending"),
                (Living, "PrerequisitesMet=False/ConnectionPending"),
            ],
            ..RIGHT
        },
        Surrounding {
            name: "the launch role does not exist",
            manifest: launch_role,
            mends: |stage| role(stage, "servicecatalog.amazonaws.com"),
            shows: &[(Building, "PrerequisitesMet=False/RoleMissing")],
            ..RIGHT
        },
        Surrounding {
            name: "the launch role trusts another service",
            setting: |stage| role(stage, "servicecatalog.amazonaws.com"),
            manifest: launch_role,
            breaks: |stage| role(stage, "lambda.amazonaws.com"),
            mends: |stage| role(stage, "servicecatalog.amazonaws.com"),
            shows: &[
                (Building, "PrerequisitesMet=False/RoleNotTrusted"),
                (Living, "PrerequisitesMet=False/RoleNotTrusted"),
            ],
            ..RIGHT
        },
        Surrounding {
            name: "the launch role is gone when the project is deleted",
            setting: |stage| role(stage, "servicecatalog.amazonaws.com"),
            manifest: launch_role,
            breaks: |stage| as_administrator(stage, "DeleteRole", &json!({"RoleName": "launch"})),
            mends: |stage| role(stage, "servicecatalog.amazonaws.com"),
            shows: &[(Deleting, "ProjectReady=False/ProjectDeleteFailed")],
            retried: true,
            ..RIGHT
        },
    ]
}

fn aws_things() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "the artifact bucket's name is taken by another account",
            breaks: |stage| bucket(stage, ELSEWHERE, "PUT"),
            mends: |stage| bucket(stage, ELSEWHERE, "DELETE"),
            shows: &[(Building, "ArtifactsReady=False/BucketNameTaken")],
            ..RIGHT
        },
        Surrounding {
            name: "the operator may not look at its own bucket",
            breaks: |stage| stage.sandbox.world(|world| world.iam.deny("*", "s3:ListBucket")),
            mends: |stage| stage.sandbox.world(|world| world.iam.allow("*", "s3:ListBucket")),
            shows: &[
                (Building, "ArtifactsReady=False/AccessDenied"),
                (Living, "ArtifactsReady=False/AccessDenied"),
                (Deleting, "ArtifactsReady=False/AccessDenied"),
            ],
            ..RIGHT
        },
        Surrounding {
            name: "the launch path is not there yet",
            breaks: |stage| {
                let refusal = What::refuse(400, "ValidationException", "No launch paths found for resource: prod-x");
                stage.sandbox.fault(Fault::on("sagemaker", "CreateProject").range(1, Some(15)).before(refusal));
            },
            shows: &[(Building, "ProjectReady=Unknown/Propagating")],
            brief: true,
            ..RIGHT
        },
        Surrounding {
            name: "no launch path ever appears",
            breaks: |stage| {
                let message = "No launch paths found for resource: prod-x";
                refuse(stage, "sagemaker", "CreateProject", 400, "ValidationException", message);
            },
            mends: |stage| stage.sandbox.clear_faults(),
            shows: &[(Building, "ProjectReady=False/NoLaunchPath")],
            passing: true,
            ..RIGHT
        },
        Surrounding {
            name: "the quota of portfolios is used up",
            breaks: |stage| {
                let message = "Portfolio limit exceeded: 100";
                refuse(stage, "servicecatalog", "CreatePortfolio", 400, "LimitExceededException", message);
            },
            mends: |stage| stage.sandbox.clear_faults(),
            shows: &[(Building, "CatalogReady=False/QuotaExceeded")],
            ..RIGHT
        },
        Surrounding {
            name: "the operator may not delete stacks",
            breaks: |stage| stage.sandbox.world(|world| world.iam.deny("*", "cloudformation:DeleteStack")),
            mends: |stage| stage.sandbox.world(|world| world.iam.allow("*", "cloudformation:DeleteStack")),
            shows: &[(Deleting, "TriggerReady=False/AccessDenied")],
            ..RIGHT
        },
    ]
}

fn jenkins_server() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "Jenkins is down",
            breaks: |stage| stage.sandbox.fault(Fault::on("jenkins", "*").before(What::DropConnection)),
            mends: |stage| stage.sandbox.clear_faults(),
            shows: &[
                (Building, "JobsReady=Unknown/Unavailable"),
                (Living, "JobsReady=Unknown/Unavailable"),
                (Deleting, "JobsReady=Unknown/Unavailable"),
            ],
            passing: true,
            ..RIGHT
        },
        Surrounding {
            name: "Jenkins is starting",
            breaks: |stage| mode(stage, Mode::Loading),
            mends: |stage| mode(stage, Mode::Normal),
            shows: &[(Building, "JobsReady=Unknown/Unavailable"), (Deleting, "JobsReady=Unknown/Unavailable")],
            passing: true,
            ..RIGHT
        },
        Surrounding {
            name: "Jenkins prepares for a shutdown",
            breaks: |stage| mode(stage, Mode::QuietDown),
            mends: |stage| mode(stage, Mode::Normal),
            shows: &[(Building, "JobsReady=True/JenkinsQuietDown"), (Living, "JobsReady=True/JenkinsQuietDown")],
            ..RIGHT
        },
        Surrounding {
            name: "Jenkins lives behind a path prefix that the URL lacks",
            breaks: |stage| stage.sandbox.world(|world| world.jenkins.context = "/jenkins".into()),
            mends: |stage| stage.sandbox.world(|world| world.jenkins.context = String::new()),
            shows: &[(Building, "JobsReady=False/NotJenkins"), (Deleting, "JobsReady=False/NotJenkins")],
            ..RIGHT
        },
        Surrounding {
            name: "the URL has a path at which there is no Jenkins",
            manifest: |manifest| {
                let url = format!("https://ci.example/{}", "z".repeat(1000));
                manifest["spec"]["platform"]["jenkins"]["url"] = json!(url);
            },
            shows: &[(Building, "JobsReady=False/NotJenkins")],
            mended: false,
            ..RIGHT
        },
        Surrounding {
            name: "Jenkins lacks a plugin",
            breaks: |stage| plugins(stage, |plugins| drop(plugins.remove("git"))),
            mends: |stage| plugins(stage, |plugins| drop(plugins.insert("git".into(), "5.8.0".into()))),
            shows: &[(Building, "JobsReady=False/PluginMissing"), (Living, "JobsReady=False/PluginMissing")],
            ..RIGHT
        },
        Surrounding {
            name: "Jenkins is too old",
            breaks: |stage| stage.sandbox.world(|world| world.jenkins.version = "2.387.3".into()),
            mends: |stage| stage.sandbox.world(|world| world.jenkins.version = "2.570".into()),
            shows: &[(Building, "JobsReady=False/JenkinsTooOld"), (Deleting, "JobsReady=False/JenkinsTooOld")],
            ..RIGHT
        },
    ]
}

fn jenkins_access() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "Jenkins refuses the token (401)",
            breaks: |stage| token(stage, "11ffffffffffffffffffffffffffffffff"),
            mends: |stage| token(stage, &Jenkins::credentials().1),
            shows: &[
                (Building, "JobsReady=False/JenkinsCredentialsInvalid"),
                (Living, "JobsReady=False/JenkinsCredentialsInvalid"),
                (Deleting, "JobsReady=False/JenkinsCredentialsInvalid"),
            ],
            ..RIGHT
        },
        Surrounding {
            name: "the Jenkins user may not create items (403)",
            breaks: |stage| deny(stage, "", Permission::ItemCreate),
            mends: allow,
            shows: &[(Building, "JobsReady=False/AccessDenied")],
            ..RIGHT
        },
        Surrounding {
            name: "the Jenkins user may not delete items (403)",
            breaks: |stage| deny(stage, "", Permission::ItemDelete),
            mends: allow,
            shows: &[(Deleting, "JobsReady=False/AccessDenied")],
            ..RIGHT
        },
        Surrounding {
            name: "the Jenkins user can no longer see the folder",
            breaks: |stage| deny(stage, "taxi-fares", Permission::ItemRead),
            mends: allow,
            shows: &[
                (Living, "JobsReady=False/JenkinsItemNotVisible"),
                (Deleting, "JobsReady=False/JenkinsItemNotVisible"),
            ],
            ..RIGHT
        },
    ]
}

fn names() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "another namespace's project has the same projectName",
            setting: |stage| {
                stage.config.inline_platforms[0].namespaces.push("team-b".into());
                stage.kubernetes.create("namespaces", "", json!({"metadata": {"name": "team-b"}})).unwrap();
                stage.kubernetes.create("secrets", "team-b", secret(true)).unwrap();
            },
            breaks: |stage| {
                let mut manifest = Stage::manifest();
                manifest["spec"]["jenkins"]["folder"] = json!("team-b");
                stage.kubernetes.create("mlopsprojects", "team-b", manifest).map(drop).unwrap();
            },
            mends: |stage| stage.kubernetes.delete("mlopsprojects", "team-b", "taxi-fares").map(drop).unwrap(),
            shows: &[(Building, "ProjectReady=False/ForeignOwner")],
            ..RIGHT
        },
        Surrounding {
            name: "a bucket of the artifact bucket's name is not ours",
            breaks: |stage| bucket(stage, ACCOUNT, "PUT"),
            mends: |stage| bucket(stage, ACCOUNT, "DELETE"),
            shows: &[(Building, "ArtifactsReady=False/ForeignOwner")],
            ..RIGHT
        },
        Surrounding {
            name: "a stack of the trigger's name is not ours",
            breaks: |stage| stack(stage, "CreateStack"),
            mends: |stage| stack(stage, "DeleteStack"),
            shows: &[(Building, "TriggerReady=False/ForeignOwner")],
            ..RIGHT
        },
        Surrounding {
            name: "a job stands where the folder belongs",
            breaks: |stage| {
                item(
                    stage,
                    "<flow-definition plugin=\"workflow-job\"><description>mine</description></flow-definition>",
                )
            },
            mends: |stage| stage.sandbox.world(|world| drop(world.jenkins.items.remove("taxi-fares"))),
            shows: &[(Building, "JobsReady=False/ForeignOwner")],
            ..RIGHT
        },
        Surrounding {
            name: "a job of the same name is not ours",
            breaks: |stage| describe_job(stage, "made by hand"),
            mends: |stage| {
                stage.sandbox.world(|world| {
                    let folder = world.jenkins.item_mut("taxi-fares").unwrap();
                    folder.children.retain(|_, job| job.description() != "made by hand");
                });
            },
            shows: &[(Living, "JobsReady=False/ForeignOwner")],
            ..RIGHT
        },
    ]
}

fn secrets() -> Vec<Surrounding> {
    vec![
        Surrounding {
            name: "the Secret does not exist",
            breaks: |stage| drop(stage.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap()),
            mends: Stage::put_jenkins_secret,
            shows: &[
                (Building, "PrerequisitesMet=False/SecretMissing"),
                (Living, "PrerequisitesMet=False/SecretMissing"),
                (Deleting, "JobsReady=False/SecretMissing"),
            ],
            ..RIGHT
        },
        Surrounding {
            name: "the Secret lacks the token",
            breaks: |stage| {
                stage.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
                stage.kubernetes.create("secrets", NAMESPACE, secret(false)).unwrap();
            },
            mends: |stage| {
                stage.kubernetes.delete("secrets", NAMESPACE, "jenkins").unwrap();
                stage.put_jenkins_secret();
            },
            shows: &[(Building, "PrerequisitesMet=False/SecretMissing"), (Deleting, "JobsReady=False/SecretMissing")],
            ..RIGHT
        },
        Surrounding {
            name: "the CA bundle holds no certificate",
            setting: |stage| {
                let data = json!({"metadata": {"name": "ca"}, "data": {"ca.crt": "not a certificate"}});
                stage.kubernetes.create("configmaps", NAMESPACE, data).unwrap();
            },
            manifest: |manifest| {
                manifest["spec"]["platform"]["jenkins"]["caBundleRef"] =
                    json!({"kind": "ConfigMap", "name": "ca", "key": "ca.crt"});
            },
            mends: |stage| {
                let pem = include_str!("tls/ca.pem");
                stage.kubernetes.delete("configmaps", NAMESPACE, "ca").unwrap();
                let data = json!({"metadata": {"name": "ca"}, "data": {"ca.crt": pem}});
                stage.kubernetes.create("configmaps", NAMESPACE, data).unwrap();
            },
            shows: &[(Building, "PrerequisitesMet=False/CaBundleInvalid")],
            ..RIGHT
        },
        Surrounding {
            name: "the ConfigMap with the project template does not exist",
            manifest: own_template,
            mends: |stage| put_template(stage, include_str!("../examples/templates/batch-scoring.yaml")),
            shows: &[(Building, "PrerequisitesMet=False/SecretMissing")],
            ..RIGHT
        },
        Surrounding {
            name: "the project template in the ConfigMap has an error",
            setting: |stage| {
                let template = include_str!("../examples/templates/batch-scoring.yaml");
                put_template(stage, &template.replace("MaxLength: 20", "MaxLength: 10"));
            },
            manifest: own_template,
            mends: |stage| {
                stage.kubernetes.delete("configmaps", NAMESPACE, "project-template").unwrap();
                put_template(stage, include_str!("../examples/templates/batch-scoring.yaml"));
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

fn put_template(stage: &Stage, text: &str) {
    let config_map = json!({"metadata": {"name": "project-template"}, "data": {"template.yaml": text}});
    stage.kubernetes.create("configmaps", NAMESPACE, config_map).unwrap();
}

fn refuse(stage: &Stage, service: &str, operation: &str, status: u16, code: &str, message: &str) {
    stage.sandbox.fault(Fault::on(service, operation).before(What::refuse(status, code, message)));
}

fn set_connection(stage: &Stage, status: &str) {
    let arn = format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/0f0e0d0c-1a2b-4c3d-8e9f-001122334455");
    let known = stage.sandbox.world(|world| world.region(ACCOUNT, REGION).connections.set_status(&arn, status));
    assert!(known);
}

fn launch_role(manifest: &mut Value) {
    manifest["spec"]["platform"]["aws"]["roles"] = json!({"launch": format!("arn:aws:iam::{ACCOUNT}:role/launch")});
}

fn role(stage: &Stage, service: &str) {
    stage.sandbox.world(|world| world.iam.add_role(ACCOUNT, "/", "launch", &[service]));
}

fn caller(account: &str) -> Caller {
    let arn = format!("arn:aws:iam::{account}:user/somebody");
    Caller { account: account.to_owned(), arn: arn.clone(), principal: arn }
}

fn as_administrator(stage: &Stage, operation: &str, input: &Value) {
    let caller = caller(ACCOUNT);
    stage.sandbox.world(|world| iam::call(world, &Call { operation, input, caller: &caller, region: REGION })).unwrap();
}

fn owner(stage: &Stage) -> mlops_operator::domain::identity::OwnerKey {
    let cluster = stage.kubernetes.object("namespaces", "", "kube-system").unwrap()["metadata"]["uid"].clone();
    mlops_operator::domain::identity::OwnerKey {
        cluster: cluster.as_str().unwrap().to_owned(),
        kind: "MlopsProject".into(),
        namespace: NAMESPACE.into(),
        name: "taxi-fares".into(),
    }
}

/// Makes or removes a bucket of the artifact bucket's name; one of our own account is tagged as somebody else's.
fn bucket(stage: &Stage, account: &str, method: &str) {
    use mlops_operator::domain::identity::Identity;
    let name = Identity::own_bucket_name(&owner(stage), ACCOUNT, REGION);
    let ask = |path: &str, body: &str| {
        let request =
            http::Request::builder().method(method).uri(path).body(bytes::Bytes::from(body.to_owned())).unwrap();
        let caller = caller(account);
        let status = stage.sandbox.world(|world| s3::handle(world, &caller, REGION, &request).status());
        assert!(status.is_success(), "{method} {path}: {status}");
    };
    ask(&format!("/{name}"), "");
    if method == "PUT" && account == ACCOUNT {
        let tag = "<Tag><Key>mlops-operator.io/owner</Key><Value>somebody</Value></Tag>";
        ask(&format!("/{name}?tagging"), &format!("<Tagging><TagSet>{tag}</TagSet></Tagging>"));
    }
}

fn stack(stage: &Stage, operation: &str) {
    let name = format!("mlops-{}-model-trigger", owner(stage).short());
    let mut input = json!({"StackName": name});
    if operation == "CreateStack" {
        input["TemplateBody"] = json!("Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n");
    }
    let caller = caller(ACCOUNT);
    let call = Call { operation, input: &input, caller: &caller, region: REGION };
    stage.sandbox.world(|world| cloudformation::call(world, &call)).unwrap();
}

fn mode(stage: &Stage, mode: Mode) {
    stage.sandbox.world(|world| world.jenkins.mode = mode);
}

fn plugins(stage: &Stage, change: impl Fn(&mut Plugins)) {
    stage.sandbox.world(|world| change(&mut world.jenkins.plugins));
}

fn token(stage: &Stage, token: &str) {
    let user = Jenkins::credentials().0;
    stage.sandbox.world(|world| token.clone_into(&mut world.jenkins.users.get_mut(&user).unwrap().token));
}

fn deny(stage: &Stage, at: &str, permission: Permission) {
    let user = Jenkins::credentials().0;
    stage.sandbox.world(|world| {
        let user = world.jenkins.users.get_mut(&user).unwrap();
        user.denied.insert(at.to_owned(), BTreeSet::from([permission]));
    });
}

fn allow(stage: &Stage) {
    let user = Jenkins::credentials().0;
    stage.sandbox.world(|world| world.jenkins.users.get_mut(&user).unwrap().denied.clear());
}

/// Creates an item `taxi-fares` at the root, as somebody would.
fn item(stage: &Stage, document: &str) {
    let (user, token) = Jenkins::credentials();
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{token}"));
    let request = http::Request::post("/createItem?name=taxi-fares")
        .header("authorization", format!("Basic {basic}"))
        .header("content-type", "application/xml")
        .body(bytes::Bytes::from(document.to_owned()))
        .unwrap();
    let status = stage.sandbox.world(|world| mlops_sandbox::jenkins::handle(world, &request).status());
    assert!(status.is_success(), "{status}");
}

/// Somebody writes over the description of the preprocess job, and with it over the operator's mark.
fn describe_job(stage: &Stage, description: &str) {
    stage.sandbox.world(|world| {
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
fn tell(rows: Vec<Surrounding>) -> String {
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
    assert!(failed.is_empty(), "{} surroundings failed (see above): {failed:#?}", failed.len());
    told.into_inner().unwrap().concat()
}

#[test]
fn every_wrong_surrounding_says_so_stays_quiet_and_goes_over_by_itself() {
    let only = std::env::var("SURROUNDING").unwrap_or_default();
    let rows: Vec<_> = rows().into_iter().filter(|row| row.name.contains(&only)).collect();
    let text = format!("# Wrong surroundings, what they show, and how they go over\n\n{}", tell(rows));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/surroundings.txt");
    if !only.is_empty() {
        println!("{text}");
        return;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let line = expected.lines().zip(text.lines()).position(|(old, new)| old != new).map_or(0, |line| line + 1);
    assert!(expected == text, "tests/golden/surroundings.txt differs from line {line} on; this is so now:\n{text}");
}

/// Names of portfolios and products are nobody's in AWS: ours stand beside those of another object, and go alone.
#[tokio::test(start_paused = true)]
async fn a_portfolio_and_a_product_of_the_same_name_are_left_alone() {
    let mut stage = Stage::new(mlops_sandbox::Settings::default()).await;
    stage.config.inline_platforms[0].namespaces.push("team-b".into());
    stage.kubernetes.create("namespaces", "", json!({"metadata": {"name": "team-b"}})).unwrap();
    stage.kubernetes.create("secrets", "team-b", secret(true)).unwrap();
    stage.start();
    let mut ours = Stage::manifest();
    ours["spec"]["platform"]["catalog"] = json!({"portfolio": {"name": "Fares"}, "product": {"name": "Fares"}});
    let mut theirs = ours.clone();
    theirs["spec"]["projectName"] = json!("fares-b");
    theirs["spec"]["jenkins"]["folder"] = json!("team-b");
    stage.kubernetes.create("mlopsprojects", "team-b", theirs).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let (portfolios, products) = catalog(&stage);
    assert_eq!((portfolios.len(), products.len()), (1, 1));
    stage.apply(ours);
    stage.until_condition("Ready=True/Succeeded", std::time::Duration::from_mins(2)).await;
    let both = catalog(&stage);
    assert_eq!((both.0.len(), both.1.len()), (2, 2));
    assert_eq!((&both.0[0], &both.1[0]), (&both.0[1], &both.1[1]), "they have the same names");
    stage.delete();
    stage.until_gone(std::time::Duration::from_mins(10)).await;
    assert_eq!(catalog(&stage), (portfolios, products));
    stage.stop().await;
}

/// The names of all portfolios and products.
fn catalog(stage: &Stage) -> (Vec<String>, Vec<String>) {
    stage.sandbox.world(|world| {
        let catalog = &world.region(ACCOUNT, REGION).catalog;
        let portfolios = catalog.portfolios.values().filter_map(|one| one.truth()).map(|one| one.display_name.clone());
        let products = catalog.products.values().filter_map(|one| one.truth()).map(|one| one.name.clone());
        (portfolios.collect(), products.collect())
    })
}

#[tokio::test(start_paused = true)]
async fn jenkins_may_live_behind_a_path_prefix() {
    let mut stage = Stage::new(mlops_sandbox::Settings::default()).await;
    stage.sandbox.world(|world| world.jenkins.context = "/jenkins".into());
    stage.start();
    let mut manifest = Stage::manifest();
    manifest["spec"]["platform"]["jenkins"]["url"] = json!("https://ci.example/jenkins");
    stage.apply(manifest);
    stage.until_condition("Ready=True/Succeeded", std::time::Duration::from_mins(2)).await;
    let urls = stage.object().unwrap()["status"]["jobs"]["urls"].to_string();
    assert!(urls.contains("https://ci.example/jenkins/job/taxi-fares/"), "{urls}");
    stage.delete();
    stage.until_gone(std::time::Duration::from_mins(10)).await;
    stage.stop().await;
}
