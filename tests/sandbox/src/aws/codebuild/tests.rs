//! CodeBuild as its callers see it: one row per rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::aws::dispatch::administrator;
use crate::world::{Effect, Settings, World};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const USE_ROLE: &str = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsUseRole";

fn world() -> World {
    World::new(Settings::default(), "2026-01-01T00:00:00Z".parse().unwrap())
}

fn ask(world: &mut World, operation: &str, input: Value) -> Outcome {
    let caller = administrator(ACCOUNT);
    call(world, &Call { operation, input: &input, caller: &caller, region: REGION })
}

fn project() -> Value {
    json!({
        "name": "check-in",
        "source": {"type": "S3", "location": "bucket/key.zip"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "STAGE", "value": "test"}, {"name": "KEPT", "value": "yes"}],
        },
        "serviceRole": USE_ROLE,
        "timeoutInMinutes": 14,
        "tags": [{"key": "team", "value": "ml"}],
    })
}

/// The project with one member changed; null takes it away.
fn with(member: &str, value: Value) -> Value {
    let mut input = project();
    input[member] = value;
    input
}

#[test]
fn a_project_is_made_changed_listed_and_deleted() {
    let mut world = world();
    let made = ask(&mut world, "CreateProject", project()).unwrap()["project"].clone();
    assert_eq!(made["arn"], "arn:aws:codebuild:eu-west-1:111122223333:project/check-in");
    assert_eq!((&made["timeoutInMinutes"], &made["queuedTimeoutInMinutes"]), (&json!(14), &json!(480)));
    let changed = json!({"name": "check-in", "timeoutInMinutes": 20});
    let changed = ask(&mut world, "UpdateProject", changed).unwrap()["project"].clone();
    assert_eq!((&changed["timeoutInMinutes"], &changed["serviceRole"]), (&json!(20), &json!(USE_ROLE)));
    assert_eq!(ask(&mut world, "ListProjects", json!({})).unwrap()["projects"], json!(["check-in"]));
    let got = ask(&mut world, "BatchGetProjects", json!({"names": ["check-in", "none"]})).unwrap();
    assert_eq!((&got["projects"][0], &got["projectsNotFound"]), (&changed, &json!(["none"])));
    for _ in 0..2 {
        ask(&mut world, "DeleteProject", json!({"name": "check-in"})).unwrap();
    }
    assert_eq!(ask(&mut world, "ListProjects", json!({})).unwrap()["projects"], json!([]));
}

/// What terraform-provider-aws sends with each project, set or not (internal/service/codebuild, expandProjectSource).
#[test]
fn members_that_ask_for_nothing_are_taken() {
    let source = |member: &str, value: Value| {
        let mut source = json!({"type": "S3", "location": "bucket/key.zip", "buildspec": ""});
        source[member] = value;
        with("source", source)
    };
    let artifacts = |value: bool| with("artifacts", json!({"type": "NO_ARTIFACTS", "overrideArtifactName": value}));
    let logs = |status: &str| with("logsConfig", json!({"s3Logs": {"status": status}}));
    let rows = [
        ("no depth of a clone", source("gitCloneDepth", json!(0)), true),
        ("a depth", source("gitCloneDepth", json!(1)), false),
        ("certificates are checked", source("insecureSsl", json!(false)), true),
        ("they are not", source("insecureSsl", json!(true)), false),
        ("no report", source("reportBuildStatus", json!(false)), true),
        ("a report", source("reportBuildStatus", json!(true)), false),
        ("no name of artifacts", artifacts(false), true),
        ("a name of artifacts", artifacts(true), false),
        ("no logs in S3", logs("DISABLED"), true),
        ("logs in S3", logs("ENABLED"), false),
        ("no source and an empty buildspec", with("source", json!({"type": "NO_SOURCE", "buildspec": ""})), false),
    ];
    for (name, input, taken) in rows {
        let seen = ask(&mut world(), "CreateProject", input);
        assert_eq!(
            seen.as_ref().err().map(|refusal| refusal.code.as_str()),
            (!taken).then_some("InvalidInputException"),
            "{name}"
        );
    }
}

#[test]
fn refusals_are_those_of_codebuild() {
    let no_role = "arn:aws:iam::111122223333:role/none";
    let launch = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole";
    let variable = |name: &str, kind: &str| {
        let mut environment = project()["environment"].clone();
        environment["environmentVariables"] = json!([{"name": name, "value": "x", "type": kind}]);
        with("environment", environment)
    };
    let compute = |kind: &str| {
        let mut environment = project()["environment"].clone();
        environment["computeType"] = json!(kind);
        with("environment", environment)
    };
    let cases = [
        ("a name too long", "CreateProject", with("name", json!("x".repeat(151))), "InvalidInputException"),
        ("no role", "CreateProject", with("serviceRole", Value::Null), "InvalidInputException"),
        ("a role that is not there", "CreateProject", with("serviceRole", json!(no_role)), "InvalidInputException"),
        ("a role of another service", "CreateProject", with("serviceRole", json!(launch)), "InvalidInputException"),
        (
            "a source not played here",
            "CreateProject",
            with("source", json!({"type": "GITHUB", "location": "x/y"})),
            "InvalidInputException",
        ),
        ("a member not known here", "CreateProject", with("vpcConfig", json!({"vpcId": "v"})), "InvalidInputException"),
        ("a time-out too short", "CreateProject", with("timeoutInMinutes", json!(4)), "InvalidInputException"),
        ("a variable from a secret", "CreateProject", variable("A", "SECRETS_MANAGER"), "InvalidInputException"),
        (
            "a variable of CodeBuild's own",
            "CreateProject",
            variable("CODEBUILD_X", "PLAINTEXT"),
            "InvalidInputException",
        ),
        (
            "a size of machines that there is not",
            "CreateProject",
            compute("BUILD_GENERAL1_TINY"),
            "InvalidInputException",
        ),
        ("a size that takes a fleet", "CreateProject", compute("CUSTOM_INSTANCE_TYPE"), "InvalidInputException"),
        ("a project that is there", "CreateProject", project(), "ResourceAlreadyExistsException"),
        ("an update of none", "UpdateProject", json!({"name": "none"}), "ResourceNotFoundException"),
        ("a build of none", "StartBuild", json!({"projectName": "none"}), "ResourceNotFoundException"),
        ("builds of none", "ListBuildsForProject", json!({"projectName": "none"}), "ResourceNotFoundException"),
        ("an end of none", "StopBuild", json!({"id": "check-in:none"}), "ResourceNotFoundException"),
        ("an operation not played here", "RetryBuild", json!({}), "UnknownOperationException"),
    ];
    let mut world = world();
    ask(&mut world, "CreateProject", project()).unwrap();
    for (name, operation, input, code) in cases {
        assert_eq!(ask(&mut world, operation, input).expect_err(name).code, code, "{name}");
    }
    world.iam.deny("*", "iam:PassRole");
    let refusal = ask(&mut world, "UpdateProject", json!({"name": "check-in", "serviceRole": USE_ROLE})).unwrap_err();
    assert_eq!(refusal.code, "AccessDeniedException");
}

#[test]
fn a_build_has_the_projects_environment_with_its_own_and_waits_for_its_start() {
    let mut world = world();
    ask(&mut world, "CreateProject", project()).unwrap();
    let start =
        json!({"projectName": "check-in", "environmentVariablesOverride": [{"name": "STAGE", "value": "live"}]});
    let build = ask(&mut world, "StartBuild", start).unwrap()["build"].clone();
    let id = build["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("check-in:"));
    assert_eq!((&build["buildStatus"], &build["currentPhase"]), (&json!("IN_PROGRESS"), &json!("QUEUED")));
    assert_eq!(build["initiator"], "administrator");
    let kept = world.region(ACCOUNT, REGION).codebuild.builds()[0].clone();
    assert_eq!((kept.variable("STAGE"), kept.variable("KEPT")), ("live", "yes"));
    assert!(matches!(&world.effects[..], [Effect::RunBuild { id: queued, .. }] if *queued == id));
    let stopped = ask(&mut world, "StopBuild", json!({"id": id})).unwrap()["build"].clone();
    assert_eq!((&stopped["buildStatus"], &stopped["buildComplete"]), (&json!("STOPPED"), &json!(true)));
    let second = ask(&mut world, "StartBuild", json!({"projectName": "check-in"})).unwrap()["build"].clone();
    assert_eq!(second["buildNumber"], 2);
    let ids = ask(&mut world, "ListBuildsForProject", json!({"projectName": "check-in"})).unwrap()["ids"].clone();
    assert_eq!(ids, json!([second["id"], id]), "newest first");
    let got = ask(&mut world, "BatchGetBuilds", json!({"ids": [id, "check-in:none"]})).unwrap();
    assert_eq!((&got["builds"][0], &got["buildsNotFound"]), (&stopped, &json!(["check-in:none"])));
}

#[test]
fn the_same_token_is_the_same_build_for_five_minutes() {
    let mut world = world();
    ask(&mut world, "CreateProject", project()).unwrap();
    let start = |token: &str, stage: &str| {
        let variables = json!([{"name": "STAGE", "value": stage}]);
        json!({"projectName": "check-in", "idempotencyToken": token, "environmentVariablesOverride": variables})
    };
    let first = ask(&mut world, "StartBuild", start("t", "a")).unwrap()["build"]["id"].clone();
    assert_eq!(ask(&mut world, "StartBuild", start("t", "a")).unwrap()["build"]["id"], first);
    let refusal = ask(&mut world, "StartBuild", start("t", "b")).unwrap_err();
    assert!(refusal.message.contains("parameter mismatch"), "{refusal}");
    let later = world.after(Duration::from_secs(301));
    world.advance(later);
    assert_ne!(ask(&mut world, "StartBuild", start("t", "a")).unwrap()["build"]["id"], first);
    assert_eq!(world.effects.len(), 2);
}

#[test]
fn an_unknown_size_of_machines_is_told_the_known_ones() {
    let mut input = project();
    input["environment"]["computeType"] = json!("small");
    let refusal = ask(&mut world(), "CreateProject", input).unwrap_err();
    assert!(refusal.message.contains("'small'") && refusal.message.contains("BUILD_GENERAL1_SMALL, "), "{refusal}");
}

#[test]
fn builds_outlive_their_project_and_are_not_those_of_its_successor() {
    let mut world = world();
    let build = |world: &mut World, token: &str| {
        let start = json!({"projectName": "check-in", "idempotencyToken": token});
        ask(world, "StartBuild", start).unwrap()["build"].clone()
    };
    ask(&mut world, "CreateProject", project()).unwrap();
    let (over, queued) = (build(&mut world, "a"), build(&mut world, "b"));
    ask(&mut world, "StopBuild", json!({"id": over["id"]})).unwrap();
    ask(&mut world, "DeleteProject", json!({"name": "check-in"})).unwrap();
    let got = ask(&mut world, "BatchGetBuilds", json!({"ids": [over["id"], queued["id"]]})).unwrap();
    let statuses: Vec<&Value> = got["builds"].as_array().unwrap().iter().map(|build| &build["buildStatus"]).collect();
    assert_eq!(statuses, ["STOPPED", "IN_PROGRESS"]);
    let gone = ask(&mut world, "ListBuildsForProject", json!({"projectName": "check-in"})).unwrap_err();
    assert_eq!(gone.code, "ResourceNotFoundException");
    ask(&mut world, "CreateProject", project()).unwrap();
    let new = build(&mut world, "a");
    assert_eq!(new["buildNumber"], 1);
    let ids = ask(&mut world, "ListBuildsForProject", json!({"projectName": "check-in"})).unwrap()["ids"].clone();
    assert_eq!(ids, json!([new["id"]]));
}
