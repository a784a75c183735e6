//! Secrets Manager as its callers see it: one row per rule.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::world::Settings;

fn world() -> World {
    let mut world = World::new(Settings::default(), Timestamp::from_second(1_800_000_000).unwrap());
    ask(
        &mut world,
        "CreateSecret",
        json!({"Name": "team/jenkins", "SecretString": "one", "Tags": [{"Key": "a", "Value": "1"}]}),
    )
    .unwrap();
    world
}

fn ask(world: &mut World, operation: &str, input: Value) -> Outcome {
    let caller = world.iam.caller("AKIDEXAMPLE").unwrap();
    call(world, &Call { operation, input: &input, caller: &caller, region: "eu-west-1" })
}

fn code(outcome: Outcome) -> String {
    outcome.map_or_else(|refusal| refusal.code, |_| String::new())
}

#[test]
fn a_value_is_found_by_name_arn_and_arn_without_suffix() {
    let mut world = world();
    let arn = ask(&mut world, "DescribeSecret", json!({"SecretId": "team/jenkins"})).unwrap()["ARN"]
        .as_str()
        .unwrap()
        .to_owned();
    let suffix = arn.strip_prefix("arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/jenkins-").unwrap();
    assert_eq!(suffix.len(), 6);
    for (name, id, found) in [
        ("name", "team/jenkins", true),
        ("ARN", arn.as_str(), true),
        ("ARN without suffix", &arn[..arn.len() - 7], true),
        ("part of the name", "team/jenk", false),
    ] {
        let got = ask(&mut world, "GetSecretValue", json!({"SecretId": id}));
        assert_eq!(got.is_ok_and(|value| value["SecretString"] == "one"), found, "{name}");
    }
    assert!(!world.region("111122223333", "eu-west-1").secrets.dump().to_string().contains("\"one\""));
}

#[test]
fn refusals_are_those_of_secrets_manager() {
    let rows = [
        ("none of that name", "GetSecretValue", json!({"SecretId": "none"}), "ResourceNotFoundException"),
        ("taken", "CreateSecret", json!({"Name": "team/jenkins", "SecretString": "two"}), "ResourceExistsException"),
        ("a bad name", "CreateSecret", json!({"Name": "a b", "SecretString": "x"}), "InvalidParameterException"),
        (
            "two values",
            "PutSecretValue",
            json!({"SecretId": "team/jenkins", "SecretString": "x", "SecretBinary": "eA=="}),
            "InvalidParameterException",
        ),
        ("no value", "PutSecretValue", json!({"SecretId": "team/jenkins"}), "InvalidParameterException"),
        (
            "a window too short",
            "DeleteSecret",
            json!({"SecretId": "team/jenkins", "RecoveryWindowInDays": 1}),
            "InvalidParameterException",
        ),
        (
            "both ways to delete",
            "DeleteSecret",
            json!({"SecretId": "team/jenkins", "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true}),
            "InvalidParameterException",
        ),
        ("deleting none", "DeleteSecret", json!({"SecretId": "none"}), "ResourceNotFoundException"),
        ("deleting none by force", "DeleteSecret", json!({"SecretId": "none", "ForceDeleteWithoutRecovery": true}), ""),
        (
            "a filter",
            "ListSecrets",
            json!({"Filters": [{"Key": "name", "Values": ["x"]}]}),
            "InvalidParameterException",
        ),
    ];
    for (name, operation, input, wanted) in rows {
        assert_eq!(code(ask(&mut world(), operation, input)), wanted, "{name}");
    }
}

#[test]
fn a_new_value_is_current_and_the_old_one_previous() {
    let mut world = world();
    ask(&mut world, "PutSecretValue", json!({"SecretId": "team/jenkins", "SecretString": "two"})).unwrap();
    ask(&mut world, "UpdateSecret", json!({"SecretId": "team/jenkins", "Description": "for jobs"})).unwrap();
    let value = |world: &mut World, stage: &str| {
        ask(world, "GetSecretValue", json!({"SecretId": "team/jenkins", "VersionStage": stage})).unwrap()["SecretString"].clone()
    };
    assert_eq!((value(&mut world, "AWSCURRENT"), value(&mut world, "AWSPREVIOUS")), (json!("two"), json!("one")));
    let token = json!({"SecretId": "team/jenkins", "SecretString": "three", "ClientRequestToken": "t-1"});
    ask(&mut world, "PutSecretValue", token.clone()).unwrap();
    ask(&mut world, "PutSecretValue", token).unwrap();
    assert_eq!(value(&mut world, "AWSPREVIOUS"), "two", "the same token again makes no second version");
}

#[test]
fn labels_move_to_a_new_version_as_the_call_says() {
    // The content under AWSCURRENT, AWSPREVIOUS, AWSPENDING and X after the second version.
    let rows = [
        ("no list", Value::Null, json!(["AWSCURRENT"]), ["two", "one", "", ""]),
        ("pending only", json!(["AWSPENDING"]), json!(["AWSPENDING"]), ["one", "", "two", ""]),
        ("current and one more", json!(["X", "AWSCURRENT"]), json!(["AWSCURRENT", "X"]), ["two", "one", "", "two"]),
        ("a label of one's own", json!(["X"]), json!(["X"]), ["one", "", "", "two"]),
    ];
    for (name, labels, told, wanted) in rows {
        let mut world = world();
        let mut put = json!({"SecretId": "team/jenkins", "SecretString": "two", "ClientRequestToken": "t-2"});
        if !labels.is_null() {
            put["VersionStages"] = labels;
        }
        let answer = ask(&mut world, "PutSecretValue", put.clone()).unwrap();
        assert_eq!(answer["VersionStages"], told, "{name}");
        let under = ["AWSCURRENT", "AWSPREVIOUS", "AWSPENDING", "X"].map(|label| {
            let asked = json!({"SecretId": "team/jenkins", "VersionStage": label});
            let got = ask(&mut world, "GetSecretValue", asked);
            got.map_or(String::new(), |got| got["SecretString"].as_str().unwrap().to_owned())
        });
        assert_eq!(under, wanted, "{name}");
        let by_id = json!({"SecretId": "team/jenkins", "VersionId": "t-2"});
        let by_id = ask(&mut world, "GetSecretValue", by_id).unwrap();
        assert_eq!((&by_id["SecretString"], &by_id["VersionStages"]), (&json!("two"), &told), "{name}");
        assert_eq!(ask(&mut world, "PutSecretValue", put).unwrap()["VersionStages"], told, "{name}: the same again");
    }
}

#[test]
fn a_label_is_with_one_version_and_a_version_without_labels_is_not_described() {
    let mut world = world();
    let put = |text: &str, labels: Value| json!({"SecretId": "team/jenkins", "SecretString": text, "ClientRequestToken": text, "VersionStages": labels});
    ask(&mut world, "PutSecretValue", put("two", json!(["X", "AWSPENDING"]))).unwrap();
    ask(&mut world, "PutSecretValue", put("three", json!(["X", "AWSCURRENT"]))).unwrap();
    ask(&mut world, "PutSecretValue", put("four", json!(["X", "AWSPENDING"]))).unwrap();
    let told = ask(&mut world, "DescribeSecret", json!({"SecretId": "team/jenkins"})).unwrap();
    let labels = told["VersionIdsToStages"].as_object().unwrap();
    assert_eq!((&labels["three"], &labels["four"]), (&json!(["AWSCURRENT"]), &json!(["AWSPENDING", "X"])));
    assert_eq!(labels.len(), 3, "{labels:?}");
    let rows = [
        ("no label", "PutSecretValue", put("x", json!([])), "InvalidParameterException"),
        ("an empty label", "PutSecretValue", put("x", json!([""])), "InvalidParameterException"),
        (
            "a label of another version",
            "GetSecretValue",
            json!({"SecretId": "team/jenkins", "VersionId": "four", "VersionStage": "AWSCURRENT"}),
            "InvalidRequestException",
        ),
        (
            "a version that is not there",
            "GetSecretValue",
            json!({"SecretId": "team/jenkins", "VersionId": "none"}),
            "ResourceNotFoundException",
        ),
    ];
    for (name, operation, input, wanted) in rows {
        assert_eq!(code(ask(&mut world, operation, input)), wanted, "{name}");
    }
    ask(&mut world, "CreateSecret", json!({"Name": "bare"})).unwrap();
    let first = json!({"SecretId": "bare", "SecretString": "x", "VersionStages": ["X"]});
    assert_eq!(ask(&mut world, "PutSecretValue", first).unwrap()["VersionStages"], json!(["AWSCURRENT", "X"]));
}

#[test]
fn a_deleted_secret_can_come_back_until_its_window_ends() {
    let mut world = world();
    let id = json!({"SecretId": "team/jenkins"});
    ask(&mut world, "DeleteSecret", json!({"SecretId": "team/jenkins", "RecoveryWindowInDays": 7})).unwrap();
    assert_eq!(code(ask(&mut world, "GetSecretValue", id.clone())), "InvalidRequestException");
    assert_eq!(code(ask(&mut world, "CreateSecret", json!({"Name": "team/jenkins"}))), "InvalidRequestException");
    ask(&mut world, "RestoreSecret", id.clone()).unwrap();
    assert_eq!(code(ask(&mut world, "GetSecretValue", id.clone())), "");
    ask(&mut world, "DeleteSecret", id.clone()).unwrap();
    let later = world.after(Duration::from_secs(31 * 86_400));
    world.advance(later);
    assert_eq!(code(ask(&mut world, "DescribeSecret", id)), "ResourceNotFoundException");
    assert_eq!(code(ask(&mut world, "CreateSecret", json!({"Name": "team/jenkins"}))), "");
}

#[test]
fn a_list_comes_in_pages_and_refuses_a_token_that_is_not_its_own() {
    let mut world = world();
    for name in ["a", "b"] {
        ask(&mut world, "CreateSecret", json!({"Name": name, "SecretString": "x"})).unwrap();
    }
    let names = |list: &Value| -> Vec<String> {
        list["SecretList"].as_array().unwrap().iter().map(|it| it["Name"].as_str().unwrap().to_owned()).collect()
    };
    let first = ask(&mut world, "ListSecrets", json!({"MaxResults": 2})).unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    let second = ask(&mut world, "ListSecrets", json!({"MaxResults": 2, "NextToken": first["NextToken"]})).unwrap();
    assert_eq!((names(&second), &second["NextToken"]), (vec!["team/jenkins".to_owned()], &Value::Null));
    let rows = [
        ("a token that is none", json!({"NextToken": "2"}), "InvalidNextTokenException"),
        ("a page of nothing", json!({"MaxResults": 0}), "InvalidParameterException"),
        ("a page too long", json!({"MaxResults": 101}), "InvalidParameterException"),
    ];
    for (name, input, wanted) in rows {
        assert_eq!(code(ask(&mut world, "ListSecrets", input)), wanted, "{name}");
    }
}

#[test]
fn a_password_has_what_is_asked_for() {
    let mut world = world();
    let lower = |sign: char| sign.is_ascii_lowercase();
    let upper = |sign: char| sign.is_ascii_uppercase();
    let digit = |sign: char| sign.is_ascii_digit();
    let mark = |sign: char| sign.is_ascii_punctuation();
    // Whether lower case, upper case, numbers, punctuation and spaces occur.
    let rows = [
        ("nothing asked", json!({}), 32, [true, true, true, true, false]),
        ("as short as can be", json!({"PasswordLength": 4}), 4, [true, true, true, true, false]),
        ("no numbers", json!({"ExcludeNumbers": true}), 32, [true, true, false, true, false]),
        (
            "no punctuation",
            json!({"ExcludePunctuation": true, "PasswordLength": 3}),
            3,
            [true, true, true, false, false],
        ),
        ("no capitals", json!({"ExcludeUppercase": true}), 32, [true, false, true, true, false]),
        ("no small letters", json!({"ExcludeLowercase": true}), 32, [false, true, true, true, false]),
        (
            "numbers by their signs",
            json!({"ExcludeCharacters": "0123456789", "PasswordLength": 3}),
            3,
            [true, true, false, true, false],
        ),
        ("a space", json!({"IncludeSpace": true, "PasswordLength": 4096}), 4096, [true, true, true, true, true]),
        (
            "not one of each kind",
            json!({"RequireEachIncludedType": false, "PasswordLength": 1, "ExcludeCharacters": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ExcludeNumbers": true, "ExcludePunctuation": true}),
            1,
            [true, false, false, false, false],
        ),
    ];
    for (name, input, length, wanted) in rows {
        let answer = ask(&mut world, "GetRandomPassword", input).unwrap();
        let password = answer["RandomPassword"].as_str().unwrap();
        let found = [
            password.contains(lower),
            password.contains(upper),
            password.contains(digit),
            password.contains(mark),
            password.contains(' '),
        ];
        assert_eq!((password.chars().count(), found), (length, wanted), "{name}: {password}");
    }
}

#[test]
fn a_password_that_cannot_be_is_refused() {
    let mut world = world();
    let none =
        json!({"ExcludeNumbers": true, "ExcludePunctuation": true, "ExcludeUppercase": true, "ExcludeLowercase": true});
    let rows = [
        ("too long", json!({"PasswordLength": 4097})),
        ("no length", json!({"PasswordLength": 0})),
        ("too short for one of each kind", json!({"PasswordLength": 3})),
        ("no kind", none),
        ("too many characters to leave out", json!({"ExcludeCharacters": "x".repeat(4097)})),
    ];
    for (name, input) in rows {
        assert_eq!(code(ask(&mut world, "GetRandomPassword", input)), "InvalidParameterException", "{name}");
    }
    let (one, other) =
        (ask(&mut world, "GetRandomPassword", json!({})), ask(&mut world, "GetRandomPassword", json!({})));
    assert_ne!(one.unwrap(), other.unwrap());
}

#[test]
fn a_resource_policy_is_kept_given_back_and_deleted() {
    let mut world = world();
    let id = json!({"SecretId": "team/jenkins"});
    let policy = |principal: Value| {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}).to_string()
    };
    let put = |policy: &str| json!({"SecretId": "team/jenkins", "ResourcePolicy": policy, "BlockPublicPolicy": true});
    assert_eq!(ask(&mut world, "GetResourcePolicy", id.clone()).unwrap()["ResourcePolicy"], Value::Null);
    let text = policy(json!({"AWS": "111122223333"}));
    assert_eq!(ask(&mut world, "PutResourcePolicy", put(&text)).unwrap()["Name"], "team/jenkins");
    assert_eq!(ask(&mut world, "GetResourcePolicy", id.clone()).unwrap()["ResourcePolicy"], json!(text));
    let rows = [
        ("no JSON", put("{"), "MalformedPolicyDocumentException"),
        ("no statement", put("{}"), "MalformedPolicyDocumentException"),
        (
            "no principal",
            put(r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#),
            "MalformedPolicyDocumentException",
        ),
        ("everyone", put(&policy(json!("*"))), "PublicPolicyException"),
        ("every account", put(&policy(json!({"AWS": ["*"]}))), "PublicPolicyException"),
        ("no policy", id.clone(), "InvalidParameterException"),
        ("no secret", json!({"SecretId": "none", "ResourcePolicy": text}), "ResourceNotFoundException"),
    ];
    for (name, input, wanted) in rows {
        assert_eq!(code(ask(&mut world, "PutResourcePolicy", input)), wanted, "{name}");
    }
    assert_eq!(
        ask(&mut world, "GetResourcePolicy", id.clone()).unwrap()["ResourcePolicy"],
        json!(text),
        "refusals change nothing"
    );
    ask(&mut world, "DeleteResourcePolicy", id.clone()).unwrap();
    assert_eq!(ask(&mut world, "GetResourcePolicy", id.clone()).unwrap()["ResourcePolicy"], Value::Null);
    ask(&mut world, "DeleteSecret", id.clone()).unwrap();
    assert_eq!(code(ask(&mut world, "GetResourcePolicy", id)), "InvalidRequestException");
}
