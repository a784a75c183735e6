//! States that take time, revisions and qualifiers of functions.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use serde_json::{Value, json};

use super::tests::Bench;

/// A bench where a change of a function takes ten seconds.
fn slow() -> Bench {
    let mut bench = Bench::new();
    bench.world.settings.lambda_update = Duration::from_secs(10);
    bench
}

fn pass(bench: &mut Bench, seconds: u64) {
    let then = bench.world.after(Duration::from_secs(seconds));
    bench.world.advance(then);
}

/// State and LastUpdateStatus.
fn states(configuration: &Value) -> (Value, Value) {
    (configuration["State"].clone(), configuration["LastUpdateStatus"].clone())
}

#[test]
fn a_function_is_pending_and_an_update_in_progress_as_long_as_set() {
    let mut bench = slow();
    let made = bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    assert_eq!(states(&made), (json!("Pending"), Value::Null));
    let pending =
        "The operation cannot be performed at this time. The function is currently in the following state: Pending";
    let update = json!({"FunctionName": "f", "Timeout": 5});
    for (operation, input) in [
        ("UpdateFunctionConfiguration", update.clone()),
        ("UpdateFunctionCode", bench.code("f")),
        ("Invoke", json!({"FunctionName": "f", "InvocationType": "Event"})),
        ("Invoke", json!({"FunctionName": "f", "InvocationType": "DryRun"})),
    ] {
        let refusal = bench.lambda(operation, &input).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.status), ("ResourceConflictException", 409), "{operation}");
        assert_eq!(refusal.message, pending, "{operation}");
    }
    let get = |bench: &mut Bench| bench.lambda("GetFunctionConfiguration", &json!({"FunctionName": "f"})).unwrap();
    pass(&mut bench, 9);
    assert_eq!(get(&mut bench)["StateReasonCode"], "Creating");
    pass(&mut bench, 1);
    let active = get(&mut bench);
    assert_eq!((states(&active), &active["StateReason"]), ((json!("Active"), json!("Successful")), &Value::Null));
    assert_ne!(active["RevisionId"], made["RevisionId"], "being made changes the revision at its end");

    let updating = bench.lambda("UpdateFunctionConfiguration", &update).unwrap();
    assert_eq!((states(&updating), &updating["Timeout"]), ((json!("Active"), json!("InProgress")), &json!(5)));
    let refusal = bench.lambda("UpdateFunctionCode", &bench.code("f")).unwrap_err();
    assert!(refusal.message.contains("An update is in progress for resource: arn:aws:lambda:"), "{refusal}");
    bench.lambda("Invoke", &json!({"FunctionName": "f", "InvocationType": "Event"})).unwrap();
    pass(&mut bench, 10);
    bench.lambda("UpdateFunctionCode", &bench.code("f")).unwrap();
}

#[test]
fn a_function_is_ready_at_once_unless_set_otherwise() {
    let mut bench = Bench::new();
    let made = bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    assert_eq!(states(&made), (json!("Active"), json!("Successful")));
    let updated = bench.lambda("UpdateFunctionConfiguration", &json!({"FunctionName": "f", "Timeout": 5})).unwrap();
    assert_eq!(states(&updated), (json!("Active"), json!("Successful")));
}

#[test]
fn a_dry_run_of_new_code_checks_it_and_changes_nothing() {
    let mut bench = Bench::new();
    let made = bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    let mut code = bench.code("f");
    code["DryRun"] = json!(true);
    bench.lambda("UpdateFunctionCode", &code).unwrap();
    let kept = bench.lambda("GetFunctionConfiguration", &json!({"FunctionName": "f"})).unwrap();
    assert_eq!(kept, made);
    code["ZipFile"] = json!("bm8=");
    assert_eq!(bench.lambda("UpdateFunctionCode", &code).unwrap_err().code, "InvalidParameterValueException");
}

#[test]
fn a_change_meant_for_another_revision_is_refused() {
    let mut bench = Bench::new();
    let made = bench.lambda("CreateFunction", &bench.function("f")).unwrap();
    let permission = json!({"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"});
    let mut revision = made["RevisionId"].clone();
    for (operation, input) in [
        ("UpdateFunctionConfiguration", json!({"FunctionName": "f", "Timeout": 5})),
        ("UpdateFunctionCode", bench.code("f")),
        ("AddPermission", permission),
        ("RemovePermission", json!({"FunctionName": "f", "StatementId": "s"})),
    ] {
        let with = |revision: &Value| {
            let mut input = input.clone();
            input["RevisionId"] = revision.clone();
            input
        };
        let refusal = bench.lambda(operation, &with(&json!("other"))).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.status), ("PreconditionFailedException", 412), "{operation}");
        bench.lambda(operation, &with(&revision)).unwrap();
        let next =
            bench.lambda("GetFunctionConfiguration", &json!({"FunctionName": "f"})).unwrap()["RevisionId"].clone();
        assert_ne!(next, revision, "{operation} makes a new revision");
        revision = next;
    }
}

#[test]
fn a_qualifier_is_that_of_a_version_that_there_is() {
    let mut bench = Bench::new();
    let arn = bench.lambda("CreateFunction", &bench.function("f")).unwrap()["FunctionArn"].as_str().unwrap().to_owned();
    let qualified = format!("{arn}:$LATEST");
    let get = |name: &str, qualifier: Option<&str>| json!({"FunctionName": name, "Qualifier": qualifier});
    let permission = json!({"FunctionName": "f", "Qualifier": "$LATEST", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"});
    #[rustfmt::skip]
    let rows = [
        ("none", "GetFunctionConfiguration", get("f", None), Ok(arn.as_str())),
        ("the latest", "GetFunctionConfiguration", get("f", Some("$LATEST")), Ok(qualified.as_str())),
        ("the latest behind the name", "GetFunctionConfiguration", get("f:$LATEST", None), Ok(qualified.as_str())),
        ("the latest behind the ARN, twice", "GetFunctionConfiguration", get(&qualified, Some("$LATEST")), Ok(qualified.as_str())),
        ("a version that is not there", "GetFunctionConfiguration", get("f", Some("1")), Err("ResourceNotFoundException")),
        ("an alias that is not there", "GetFunction", get("f:live", None), Err("ResourceNotFoundException")),
        ("two that differ", "GetFunction", get("f:1", Some("2")), Err("InvalidParameterValueException")),
        ("an invocation of none", "Invoke", get("f", Some("live")), Err("ResourceNotFoundException")),
        ("permissions of the latest", "AddPermission", permission, Err("InvalidParameterValueException")),
        ("an end of the latest alone", "DeleteFunction", get("f", Some("$LATEST")), Err("InvalidParameterValueException")),
    ];
    for (name, operation, input, wanted) in rows {
        let answer = bench.lambda(operation, &input);
        match (&answer, wanted) {
            (Ok(answer), Ok(arn)) => assert_eq!(answer["FunctionArn"], arn, "{name}"),
            (Err(refusal), Err(code)) => assert_eq!(refusal.code, code, "{name}"),
            (answer, _) => panic!("{name}: {answer:?}"),
        }
    }
    let missing = bench.lambda("GetFunction", &get("f", Some("1"))).unwrap_err();
    assert_eq!(missing.message, format!("Function not found: {arn}:1"));
    let versions = bench.lambda("ListVersionsByFunction", &json!({"FunctionName": "f"})).unwrap();
    assert_eq!(
        (versions["Versions"].as_array().unwrap().len(), &versions["Versions"][0]["FunctionArn"]),
        (1, &json!(qualified))
    );
    let all = bench.lambda("ListFunctions", &json!({"FunctionVersion": "ALL"})).unwrap();
    assert_eq!(all["Functions"][0]["FunctionArn"], qualified);
    let mut published = bench.function("g");
    published["Publish"] = json!(true);
    assert_eq!(bench.lambda("CreateFunction", &published).unwrap_err().code, "InvalidParameterValueException");
}
