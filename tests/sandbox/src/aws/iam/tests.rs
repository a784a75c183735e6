//! IAM as its callers see it: one row per rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::aws::Caller;
use crate::world::Settings;

fn world() -> World {
    World::new(Settings::default(), Timestamp::from_second(1_800_000_000).unwrap())
}

fn administrator(world: &World) -> Caller {
    world.iam.caller("AKIDEXAMPLE").unwrap()
}

fn ask(world: &mut World, operation: &str, input: Value) -> Outcome {
    let caller = administrator(world);
    call(world, &Call { operation, input: &input, caller: &caller, region: "us-east-1" })
}

fn trust_of(service: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}).to_string()
}

/// An identity policy that allows everything.
const ALLOW: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;

fn create(world: &mut World, name: &str) -> Outcome {
    ask(world, "CreateRole", json!({"RoleName": name, "AssumeRolePolicyDocument": trust_of("lambda.amazonaws.com")}))
}

#[test]
fn a_new_account_has_the_roles_of_sagemaker_projects() {
    let mut world = world();
    let role =
        ask(&mut world, "GetRole", json!({"RoleName": "AmazonSageMakerServiceCatalogProductsLaunchRole"})).unwrap();
    let arn = "arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsLaunchRole";
    assert_eq!(role["Role"]["Arn"], arn);
    let document = role["Role"]["AssumeRolePolicyDocument"].as_str().unwrap();
    assert!(document.starts_with("%7B%22"), "the trust policy is URL-encoded: {document}");
    assert_eq!(world.trust(arn, "servicecatalog.amazonaws.com"), Trust::Given);
    assert_eq!(world.trust(arn, "lambda.amazonaws.com"), Trust::Refused);
    assert_eq!(world.trust("arn:aws:iam::111122223333:role/none", "lambda.amazonaws.com"), Trust::Missing);
}

#[test]
fn refusals_are_those_of_iam() {
    let long = "x".repeat(65);
    let trust = trust_of("lambda.amazonaws.com");
    let cases = [
        ("a role that is not there", "GetRole", json!({"RoleName": "none"}), "NoSuchEntity", 404),
        (
            "a name too long",
            "CreateRole",
            json!({"RoleName": long, "AssumeRolePolicyDocument": trust}),
            "ValidationError",
            400,
        ),
        (
            "a name with a slash",
            "CreateRole",
            json!({"RoleName": "a/b", "AssumeRolePolicyDocument": trust}),
            "ValidationError",
            400,
        ),
        (
            "a name taken",
            "CreateRole",
            json!({"RoleName": "taken", "AssumeRolePolicyDocument": trust}),
            "EntityAlreadyExists",
            409,
        ),
        (
            "a policy that is no JSON",
            "CreateRole",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": "{"}),
            "MalformedPolicyDocument",
            400,
        ),
        ("a policy still inside", "DeleteRole", json!({"RoleName": "taken"}), "DeleteConflict", 409),
        (
            "a policy that is not there",
            "GetRolePolicy",
            json!({"RoleName": "taken", "PolicyName": "q"}),
            "NoSuchEntity",
            404,
        ),
        (
            "a managed policy that is not there",
            "AttachRolePolicy",
            json!({"RoleName": "taken", "PolicyArn": "arn:aws:iam::111122223333:policy/x"}),
            "NoSuchEntity",
            404,
        ),
        ("an operation that is not known", "CreateGroup", json!({}), "InvalidAction", 400),
    ];
    for (name, operation, input, code, status) in cases {
        let mut world = world();
        create(&mut world, "taken").unwrap();
        ask(&mut world, "PutRolePolicy", json!({"RoleName": "taken", "PolicyName": "p", "PolicyDocument": ALLOW}))
            .unwrap();
        let refusal = ask(&mut world, operation, input).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.status), (code, status), "{name}");
    }
}

#[test]
fn a_document_that_iam_does_not_take_changes_nothing() {
    let trust = r#"{"Statement": {"Principal": "*", "Action": "sts:*"}}"#;
    let policy = r#"{"Statement": {"Effect": "Allow", "Resource": "*"}}"#;
    let rows = [
        ("no effect", "UpdateAssumeRolePolicy", json!({"RoleName": "job", "PolicyDocument": trust})),
        ("a new role without effect", "CreateRole", json!({"RoleName": "new", "AssumeRolePolicyDocument": trust})),
        ("no action", "PutRolePolicy", json!({"RoleName": "job", "PolicyName": "p", "PolicyDocument": policy})),
    ];
    for (name, operation, input) in rows {
        let mut world = world();
        create(&mut world, "job").unwrap();
        let before = world.iam.dump();
        assert_eq!(ask(&mut world, operation, input).unwrap_err().code, "MalformedPolicyDocument", "{name}");
        assert_eq!(world.iam.dump(), before, "{name}");
    }
}

#[test]
fn a_role_lives_and_goes() {
    let mut world = world();
    create(&mut world, "job").unwrap();
    ask(&mut world, "PutRolePolicy", json!({"RoleName": "job", "PolicyName": "p", "PolicyDocument": ALLOW})).unwrap();
    let managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    ask(&mut world, "AttachRolePolicy", json!({"RoleName": "job", "PolicyArn": managed})).unwrap();
    ask(
        &mut world,
        "TagRole",
        json!({"RoleName": "job", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}),
    )
    .unwrap();
    ask(&mut world, "UntagRole", json!({"RoleName": "job", "TagKeys": ["a"]})).unwrap();
    assert_eq!(
        ask(&mut world, "ListRoleTags", json!({"RoleName": "job"})).unwrap()["Tags"],
        json!([{"Key": "b", "Value": "2"}])
    );
    assert_eq!(ask(&mut world, "ListRolePolicies", json!({"RoleName": "job"})).unwrap()["PolicyNames"], json!(["p"]));
    let attached = ask(&mut world, "ListAttachedRolePolicies", json!({"RoleName": "job"})).unwrap();
    assert_eq!(attached["AttachedPolicies"][0]["PolicyName"], "AWSLambdaBasicExecutionRole");
    assert_eq!(ask(&mut world, "ListRoles", json!({})).unwrap()["Roles"].as_array().unwrap().len(), 3);
    ask(&mut world, "DetachRolePolicy", json!({"RoleName": "job", "PolicyArn": managed})).unwrap();
    ask(&mut world, "DeleteRolePolicy", json!({"RoleName": "job", "PolicyName": "p"})).unwrap();
    ask(&mut world, "DeleteRole", json!({"RoleName": "job"})).unwrap();
    assert!(world.iam.role("111122223333", "job").is_none());
}

#[test]
fn a_young_role_is_hidden_from_reads_lists_and_services_as_long_as_set() {
    let mut world = world();
    world.settings.read_after_write = Duration::from_secs(1);
    world.settings.list_lag = Duration::from_secs(2);
    world.settings.iam_propagation = Duration::from_secs(3);
    create(&mut world, "job").unwrap();
    let arn = "arn:aws:iam::111122223333:role/job";
    let mut seen = Vec::new();
    for _ in 0..4 {
        let got = ask(&mut world, "GetRole", json!({"RoleName": "job"})).is_ok();
        let listed = ask(&mut world, "ListRoles", json!({})).unwrap().to_string().contains(arn);
        let trusted = world.trust(arn, "lambda.amazonaws.com") == Trust::Given;
        seen.push((got, listed, trusted));
        let next = world.after(Duration::from_secs(1));
        world.advance(next);
    }
    assert_eq!(seen, [(false, false, false), (true, false, false), (true, true, false), (true, true, true)]);
}

#[test]
fn what_is_denied_is_refused_in_the_words_of_the_service() {
    let mut world = world();
    let role = "arn:aws:iam::111122223333:role/operator";
    world.iam.deny(role, "s3:Put*");
    world.iam.deny("*", "servicecatalog:CreatePortfolio");
    let cases = [
        (role, "s3:PutObject", Some(("AccessDenied", 403))),
        (role, "s3:GetObject", None),
        ("arn:aws:iam::111122223333:role/other", "s3:PutObject", None),
        ("anyone", "servicecatalog:CreatePortfolio", Some(("AccessDeniedException", 400))),
    ];
    for (principal, action, wanted) in cases {
        let refusal = world.iam.denied(principal, action);
        assert_eq!(refusal.as_ref().map(|r| (r.code.as_str(), r.status)), wanted, "{principal} {action}");
    }
    world.iam.allow(role, "s3:Put*");
    assert!(world.iam.denied(role, "s3:PutObject").is_none());
}

#[test]
fn a_role_is_passed_only_inside_its_account_and_only_if_not_denied() {
    let mut world = world();
    let role = world.iam.add_role("111122223333", "/", "job", &["lambda.amazonaws.com"]);
    let caller = administrator(&world);
    assert!(world.iam.pass_role(&caller, &role).is_ok());
    assert!(world.iam.pass_role(&caller, "arn:aws:iam::111122223333:role/none").is_err());
    let key = world.iam.add_user("999999999999", "stranger");
    let stranger = world.iam.caller(&key).unwrap();
    assert!(world.iam.pass_role(&stranger, &role).is_err());
    world.iam.deny(&caller.principal, "iam:PassRole");
    assert!(world.iam.pass_role(&caller, &role).is_err());
    world.iam.revoke(&key);
    assert!(world.iam.caller(&key).is_none());
}

#[test]
fn tags_beyond_fifty_are_refused_and_change_nothing() {
    let mut world = world();
    create(&mut world, "full").unwrap();
    let many =
        |from: usize, to: usize| (from..to).map(|n| json!({"Key": format!("k{n}"), "Value": ""})).collect::<Value>();
    ask(&mut world, "TagRole", json!({"RoleName": "full", "Tags": many(0, 50)})).unwrap();
    let refusal = ask(&mut world, "TagRole", json!({"RoleName": "full", "Tags": many(50, 51)})).unwrap_err();
    assert_eq!(refusal.code, "LimitExceeded");
    let tags = ask(&mut world, "ListRoleTags", json!({"RoleName": "full"})).unwrap();
    assert_eq!(tags["Tags"].as_array().unwrap().len(), 50);
}

/// A role with two of everything that a role has lists of.
fn full(world: &mut World) {
    create(world, "job").unwrap();
    for name in ["one", "two"] {
        let policy = json!({"RoleName": "job", "PolicyName": name, "PolicyDocument": ALLOW});
        ask(world, "PutRolePolicy", policy).unwrap();
        let arn = format!("arn:aws:iam::aws:policy/{name}");
        ask(world, "AttachRolePolicy", json!({"RoleName": "job", "PolicyArn": arn})).unwrap();
        ask(world, "TagRole", json!({"RoleName": "job", "Tags": [{"Key": name, "Value": "v"}]})).unwrap();
    }
}

#[test]
fn lists_come_in_pages_and_refuse_a_marker_that_is_not_their_own() {
    let mut world = world();
    full(&mut world);
    create(&mut world, "other").unwrap();
    let rows = [
        ("roles", "ListRoles", json!({}), "Roles", 4),
        ("roles below a path", "ListRoles", json!({"PathPrefix": "/service-role/"}), "Roles", 2),
        ("inline policies", "ListRolePolicies", json!({"RoleName": "job"}), "PolicyNames", 2),
        ("attached policies", "ListAttachedRolePolicies", json!({"RoleName": "job"}), "AttachedPolicies", 2),
        ("tags", "ListRoleTags", json!({"RoleName": "job"}), "Tags", 2),
    ];
    for (name, operation, input, member, count) in rows {
        let with = |more: Value| {
            let mut input = input.clone();
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        let (mut seen, mut marker) = (Vec::new(), Value::Null);
        loop {
            // The query protocol sends numbers as text.
            let asked = with(json!({"MaxItems": "1", "Marker": marker}));
            let page = ask(&mut world, operation, asked).unwrap();
            seen.extend(page[member].as_array().unwrap().clone());
            marker = page["Marker"].clone();
            assert_eq!(page["IsTruncated"], !marker.is_null(), "{name}");
            if marker.is_null() {
                break;
            }
            let stranger = json!({"RoleName": "other", "Marker": marker});
            assert_eq!(ask(&mut world, "ListRoleTags", stranger).unwrap_err().message, "Invalid Marker.", "{name}");
        }
        let whole = ask(&mut world, operation, input.clone()).unwrap();
        assert_eq!((seen.len(), Value::from(seen)), (count, whole[member].clone()), "{name}");
        for (what, wrong) in [("none", "0"), ("too many", "1001")] {
            let refusal = ask(&mut world, operation, with(json!({"MaxItems": wrong}))).unwrap_err();
            assert_eq!(refusal.code, "ValidationError", "{name}, {what}");
        }
    }
}

#[test]
fn tags_are_given_with_a_role_and_not_in_lists() {
    let mut world = world();
    full(&mut world);
    let role = ask(&mut world, "GetRole", json!({"RoleName": "job"})).unwrap()["Role"].clone();
    assert_eq!(role["Tags"].as_array().unwrap().len(), 2);
    let listed = ask(&mut world, "ListRoles", json!({})).unwrap();
    assert!(listed["Roles"].as_array().unwrap().iter().all(|role| role.get("Tags").is_none()), "{listed}");
}

/// A policy of a stack's that lets S3 be read, and its ARN.
fn readers(world: &mut World) -> &'static str {
    let arn = "arn:aws:iam::111122223333:policy/readers";
    let document = json!({"Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "iam:PassRole"], "Resource": "*"}]});
    world.iam.set_managed_policy(arn, Some(document));
    arn
}

#[test]
fn a_boundary_is_kept_given_back_and_binds_until_it_is_taken_away() {
    let mut world = world();
    let boundary = readers(&mut world);
    let trust = trust_of("lambda.amazonaws.com");
    let input = json!({"RoleName": "job", "AssumeRolePolicyDocument": trust, "PermissionsBoundary": boundary});
    ask(&mut world, "CreateRole", input).unwrap();
    let role = "arn:aws:iam::111122223333:role/job";
    let shown = |world: &mut World| {
        ask(world, "GetRole", json!({"RoleName": "job"})).unwrap()["Role"]["PermissionsBoundary"].clone()
    };
    assert_eq!(
        shown(&mut world),
        json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}),
        "as CreateRole got it"
    );
    assert!(world.iam.denied(role, "s3:GetObject").is_none());
    let refusal = world.iam.denied(role, "s3:PutObject").unwrap();
    assert!(refusal.message.ends_with("because no permissions boundary allows the s3:PutObject action"), "{refusal}");
    let listed = ask(&mut world, "ListRoles", json!({})).unwrap().to_string();
    assert!(!listed.contains("PermissionsBoundary"), "{listed}");

    let everything = "arn:aws:iam::aws:policy/AdministratorAccess";
    ask(&mut world, "PutRolePermissionsBoundary", json!({"RoleName": "job", "PermissionsBoundary": everything}))
        .unwrap();
    assert!(world.iam.denied(role, "s3:PutObject").is_none(), "what allows everything does not bind");
    ask(&mut world, "PutRolePermissionsBoundary", json!({"RoleName": "job", "PermissionsBoundary": boundary})).unwrap();
    ask(&mut world, "DeleteRolePermissionsBoundary", json!({"RoleName": "job"})).unwrap();
    assert_eq!((shown(&mut world), world.iam.denied(role, "s3:PutObject")), (Value::Null, None), "taken away");
}

#[test]
fn a_boundary_is_a_policy_that_is_there_and_known() {
    let none = "arn:aws:iam::111122223333:policy/none";
    let put = |role: &str, arn: &str| json!({"RoleName": role, "PermissionsBoundary": arn});
    let rows = [
        ("no such policy", "PutRolePermissionsBoundary", put("job", none), "NoSuchEntity"),
        (
            "of which nothing is known",
            "PutRolePermissionsBoundary",
            put("job", "arn:aws:iam::aws:policy/X"),
            "InvalidInput",
        ),
        ("none at all", "PutRolePermissionsBoundary", json!({"RoleName": "job"}), "ValidationError"),
        ("no such role", "DeleteRolePermissionsBoundary", json!({"RoleName": "none"}), "NoSuchEntity"),
        (
            "a new role's",
            "CreateRole",
            json!({"RoleName": "new", "AssumeRolePolicyDocument": trust_of("x.amazonaws.com"), "PermissionsBoundary": none}),
            "NoSuchEntity",
        ),
    ];
    for (name, operation, input, code) in rows {
        let mut world = world();
        create(&mut world, "job").unwrap();
        assert_eq!(ask(&mut world, operation, input).unwrap_err().code, code, "{name}");
        assert!(world.iam.role("111122223333", "new").is_none(), "{name}");
    }
}

#[test]
fn a_user_is_found_by_name_or_is_whoever_asks() {
    let mut world = world();
    world.iam.add_user("111122223333", "tester");
    let tags = json!([{"Key": "team", "Value": "ml"}]);
    let person = Person { path: "/ci/".into(), created: world.now, tags: tags.clone() };
    world.iam.set_user("111122223333", "jenkins", Some(person));
    let session = Caller {
        account: "111122223333".into(),
        arn: "arn:aws:sts::111122223333:assumed-role/job/s".into(),
        principal: "arn:aws:iam::111122223333:role/job".into(),
    };
    let rows = [
        ("whoever asks", None, json!({}), Ok("arn:aws:iam::111122223333:user/administrator")),
        ("one with a key", None, json!({"UserName": "tester"}), Ok("arn:aws:iam::111122223333:user/tester")),
        ("one of a stack's", None, json!({"UserName": "jenkins"}), Ok("arn:aws:iam::111122223333:user/ci/jenkins")),
        ("nobody", None, json!({"UserName": "none"}), Err("NoSuchEntity")),
        ("a session", Some(session.clone()), json!({}), Err("ValidationError")),
        (
            "a session by name",
            Some(session),
            json!({"UserName": "tester"}),
            Ok("arn:aws:iam::111122223333:user/tester"),
        ),
    ];
    for (name, caller, input, wanted) in rows {
        let caller = caller.unwrap_or_else(|| administrator(&world));
        let answer =
            call(&mut world, &Call { operation: "GetUser", input: &input, caller: &caller, region: "us-east-1" });
        match (answer, wanted) {
            (Ok(answer), Ok(arn)) => assert_eq!(answer["User"]["Arn"], arn, "{name}"),
            (answer, wanted) => assert_eq!(
                answer.map_err(|refusal| refusal.code),
                wanted.map(Into::into).map_err(str::to_owned),
                "{name}"
            ),
        }
    }
    let user = ask(&mut world, "GetUser", json!({"UserName": "jenkins"})).unwrap()["User"].clone();
    assert_eq!((&user["Path"], &user["Tags"]), (&json!("/ci/"), &tags));
}
