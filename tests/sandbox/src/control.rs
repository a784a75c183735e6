//! The control interface, `/_sandbox/…` on both ports: what a test or a demo does to the sandbox itself. Nothing
//! of it stands in the journal. JSON in, JSON out; what is not understood is refused with `{"error": "…"}`.
//!
//! ```text
//! GET    /_sandbox/world                     everything that exists
//! GET    /_sandbox/journal?since=N           requests and replies after number N, JSON lines
//! GET    /_sandbox/requests                  how many requests the journal holds, which is its last number; what time it is
//! GET    /_sandbox/invocations               runs of functions with their logs
//! GET    /_sandbox/faults                    the script of faults, with how many calls matched each line
//! POST   /_sandbox/faults                    one line or a list: {service, operation, calls, when, what}
//! DELETE /_sandbox/faults                    forget them all
//! GET    /_sandbox/settings                  how the sandbox behaves; durations are seconds
//! POST   /_sandbox/settings                  some of them: {"stack": 1.5}
//! POST   /_sandbox/model-packages            {group, approve, account?, region?} registers a model; it may be approved
//! POST   /_sandbox/events                    {event, account?, region?} an event as an AWS service sends it; the same
//!                                            `id` twice is a second delivery
//! POST   /_sandbox/roles                     {name, path?, account?, services? or trust?} makes an IAM role
//! POST   /_sandbox/users                     {name, account?} makes an IAM user; gives its access key id
//! POST   /_sandbox/connections               {arn, or name, region and account?; status?} a Git connection, AVAILABLE
//! GET    /_sandbox/repositories              Git repositories behind connections, branch by branch; their folder
//! POST   /_sandbox/repositories              {fullName, branch?, content} empty, readme, files, or missing altogether
//! GET    /_sandbox/builds                    builds with their logs
//! POST   /_sandbox/custom-resources          {logicalId, status, reason?, data?, physicalId?} how the function of a
//!                                            custom resource answers next: SUCCESS, FAILED, or NONE at all
//! POST   /_sandbox/iam/deny  …/iam/allow     {principal?, actions: ["s3:PutObject"]}
//! POST   /_sandbox/jenkins/results           {job, result} how the next build of a job ends
//! ```

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::aws::cloudformation::Answer;
use crate::aws::dispatch::administrator;
use crate::aws::{Call, events, sagemaker};
use crate::control_git;
use crate::faults::Fault;
use crate::sandbox::Sandbox;
use crate::wire::form;
use crate::world::{Settings, World};

/// Where all paths begin.
pub(crate) const PREFIX: &str = "/_sandbox";

/// What went wrong, as a status and a sentence.
pub(crate) type Refused = (u16, String);

/// Answers a request to the control interface.
pub(crate) fn answer(sandbox: &Sandbox, request: &Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path().trim_start_matches(PREFIX).trim_matches('/');
    if (request.method().as_str(), path) == ("GET", "journal") {
        return match since(request) {
            Ok(number) => reply(200, "application/x-ndjson", sandbox.journal_lines(number)),
            Err(refused) => refusal(&refused),
        };
    }
    match handle(sandbox, request, path) {
        Ok(value) => reply(200, "application/json", format!("{value:#}\n")),
        Err(refused) => refusal(&refused),
    }
}

fn handle(sandbox: &Sandbox, request: &Request<Bytes>, path: &str) -> Result<Value, Refused> {
    let input = body(request)?;
    match (request.method().as_str(), path) {
        ("GET", "world") => Ok(sandbox.world(|world| world.dump())),
        ("GET", "requests") => Ok(json!({"requests": sandbox.requests(), "now": sandbox.now()})),
        ("GET", "invocations") => Ok(sandbox.world(invocations)),
        ("GET", "builds") => Ok(sandbox.world(control_git::builds)),
        ("GET", "repositories") => control_git::repositories(sandbox),
        ("POST", "repositories") => control_git::prepare(sandbox, &input),
        ("POST", "custom-resources") => sandbox.world(|world| answer_next(world, &input)),
        (_, path) if path.starts_with("git/") => Err((403, "no connection lets a build in here".to_owned())),
        ("GET", "faults") => Ok(faults(sandbox)),
        ("POST", "faults") => add_faults(sandbox, input),
        ("DELETE", "faults") => {
            sandbox.clear_faults();
            Ok(json!([]))
        }
        ("GET", "settings") => Ok(json!(sandbox.world(|world| world.settings.clone()))),
        ("POST", "settings") => sandbox.world(|world| change_settings(world, input)),
        ("POST", "model-packages") => sandbox.world(|world| register_model(world, &input)),
        ("POST", "events") => sandbox.world(|world| publish(world, &input)),
        ("POST", "roles") => sandbox.world(|world| add_role(world, &input)),
        ("POST", "policies") => sandbox.world(|world| add_policy(world, &input)),
        ("POST", "connections") => sandbox.world(|world| add_connection(world, &input)),
        ("POST", "users") => sandbox.world(|world| {
            let key = world.iam.add_user(&account(world, &input), wanted(&input, "name")?);
            Ok(json!({"accessKeyId": key}))
        }),
        ("POST", "iam/deny") => sandbox.world(|world| permissions(world, &input, true)),
        ("POST", "iam/allow") => sandbox.world(|world| permissions(world, &input, false)),
        ("POST", "jenkins/results") => sandbox.world(|world| {
            world.jenkins.script_result(wanted(&input, "job")?, wanted(&input, "result")?);
            Ok(json!({}))
        }),
        (method, path) => Err((
            404,
            format!("the sandbox has no {method} {PREFIX}/{path}; tests/sandbox/README.md lists what it has"),
        )),
    }
}

fn body(request: &Request<Bytes>) -> Result<Value, Refused> {
    if request.body().is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(request.body()).map_err(|error| (400, format!("the body is not JSON: {error}")))
}

fn since(request: &Request<Bytes>) -> Result<u64, Refused> {
    let pairs = form(request.uri().query().unwrap_or_default());
    match pairs.iter().find(|(name, _)| name == "since") {
        None => Ok(0),
        Some((_, text)) => {
            text.parse().map_err(|_| (400, format!("since must be a number of the journal, not '{text}'")))
        }
    }
}

pub(crate) fn wanted<'a>(input: &'a Value, member: &str) -> Result<&'a str, Refused> {
    let text = input.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| (400, format!("the body needs \"{member}\", a text that is not empty")))
}

fn account(world: &World, input: &Value) -> String {
    input.get("account").and_then(Value::as_str).unwrap_or(&world.settings.account).to_owned()
}

/// The region named, or the only one of the account in which anything exists.
fn region(world: &World, account: &str, input: &Value) -> Result<String, Refused> {
    if let Some(region) = input.get("region").and_then(Value::as_str) {
        return Ok(region.to_owned());
    }
    let mut known = world.regions.keys().filter(|(owner, _)| owner == account).map(|(_, region)| region);
    match (known.next(), known.next()) {
        (Some(region), None) => Ok(region.clone()),
        _ => Err((400, "the body needs \"region\": the account has something in none or in several".to_owned())),
    }
}

fn invocations(world: &mut World) -> Value {
    world
        .regions
        .iter()
        .flat_map(|((account, region), parts)| {
            parts.lambda.invocations.iter().map(move |one| {
                let mut shown = json!(one);
                shown["account"] = json!(account);
                shown["region"] = json!(region);
                shown
            })
        })
        .collect()
}

fn faults(sandbox: &Sandbox) -> Value {
    sandbox.faults().into_iter().map(|(fault, met)| json!({"fault": fault, "met": met})).collect()
}

fn add_faults(sandbox: &Sandbox, input: Value) -> Result<Value, Refused> {
    let lines = if input.is_array() { input } else { json!([input]) };
    let lines: Vec<Fault> = serde_json::from_value(lines)
        .map_err(|error| (400, format!("the fault is not one the sandbox knows: {error}")))?;
    for line in lines {
        sandbox.fault(line);
    }
    Ok(faults(sandbox))
}

fn change_settings(world: &mut World, input: Value) -> Result<Value, Refused> {
    let mut merged = json!(world.settings);
    let Value::Object(changes) = input else { return Err((400, "the body is not a JSON object".to_owned())) };
    if changes.get("account").is_some_and(|account| *account != merged["account"]) {
        return Err((400, "the account cannot change while the sandbox runs".to_owned()));
    }
    if let Some(members) = merged.as_object_mut() {
        members.extend(changes);
    }
    world.settings = serde_json::from_value::<Settings>(merged)
        .map_err(|error| (400, format!("the sandbox has no such setting: {error}")))?;
    Ok(json!(world.settings))
}

/// Registers a version in a model package group the way a pipeline does, and approves it if wanted.
fn register_model(world: &mut World, input: &Value) -> Result<Value, Refused> {
    let account = account(world, input);
    let region = region(world, &account, input)?;
    let caller = administrator(&account);
    let mut ask = |operation: &str, input: Value| {
        sagemaker::call(world, &Call { operation, input: &input, caller: &caller, region: &region })
            .map_err(|refusal| (refusal.status, refusal.to_string()))
    };
    let image = format!("{account}.dkr.ecr.{region}.amazonaws.com/model:latest");
    let group = wanted(input, "group")?;
    let made = ask(
        "CreateModelPackage",
        json!({
            "ModelPackageGroupName": group,
            "ModelPackageDescription": "registered through the sandbox's control interface",
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [{"Image": image, "ModelDataUrl": format!("s3://{group}/model.tar.gz")}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        }),
    )?;
    let arn = made["ModelPackageArn"].clone();
    if input.get("approve").and_then(Value::as_bool).unwrap_or_default() {
        ask("UpdateModelPackage", json!({"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}))?;
    }
    Ok(json!({"modelPackageArn": arn}))
}

/// Scripts the answer of a custom resource's function.
fn answer_next(world: &mut World, input: &Value) -> Result<Value, Refused> {
    let account = account(world, input);
    let region = region(world, &account, input)?;
    let name = wanted(input, "logicalId")?;
    let answer = match wanted(input, "status")? {
        "SUCCESS" => Answer::Success {
            data: input.get("data").cloned().unwrap_or_default(),
            physical_id: input.get("physicalId").and_then(Value::as_str).map(str::to_owned),
        },
        "FAILED" => Answer::Failed(wanted(input, "reason")?.to_owned()),
        "NONE" => Answer::Never,
        other => {
            return Err((400, format!("a function answers SUCCESS, FAILED or, with NONE, not at all, not '{other}'")));
        }
    };
    world.region(&account, &region).cloudformation.answer_next(name, answer);
    Ok(json!({}))
}

fn publish(world: &mut World, input: &Value) -> Result<Value, Refused> {
    let Some(event) = input.get("event").filter(|event| event.is_object()) else {
        return Err((400, "the body needs \"event\", an object with source, detail-type and detail".to_owned()));
    };
    let account = account(world, input);
    let region = region(world, &account, input)?;
    let before = world.effects.len();
    events::publish(world, &account, &region, event);
    Ok(json!({"invocations": world.effects.len() - before}))
}

fn add_role(world: &mut World, input: &Value) -> Result<Value, Refused> {
    let (account, name) = (account(world, input), wanted(input, "name")?);
    let path = input.get("path").and_then(Value::as_str).unwrap_or("/");
    if !path.starts_with('/') || !path.ends_with('/') {
        return Err((400, format!("the path '{path}' must begin and end with '/'")));
    }
    let services: Vec<&str> =
        input.get("services").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let arn = match (input.get("trust"), services.as_slice()) {
        (Some(trust), []) => world.iam.add_role_trusting(&account, path, name, trust.clone()),
        (None, [_, ..]) => world.iam.add_role(&account, path, name, &services),
        _ => {
            let message =
                "a role needs either \"services\", a list such as [\"lambda.amazonaws.com\"], or \"trust\", a policy";
            return Err((400, message.to_owned()));
        }
    };
    Ok(json!({"arn": arn}))
}

/// Makes a managed policy, or changes what it says: one that a role may have as its permissions boundary.
fn add_policy(world: &mut World, input: &Value) -> Result<Value, Refused> {
    let arn = wanted(input, "arn")?;
    if !arn.starts_with("arn:") || !arn.contains(":policy/") {
        return Err((400, format!("'{arn}' is not the ARN of a policy")));
    }
    let document = input.get("document").filter(|document| document["Statement"].is_array());
    let document =
        document.ok_or((400, "the body needs \"document\", a policy with a list of statements".to_owned()))?;
    world.iam.set_managed_policy(arn, Some(document.clone()));
    Ok(json!({"arn": arn}))
}

/// Makes a connection to GitHub or changes how it stands. An ARN of one's own lets a manifest name it beforehand.
fn add_connection(world: &mut World, input: &Value) -> Result<Value, Refused> {
    let status = input.get("status").and_then(Value::as_str).unwrap_or("AVAILABLE");
    if !["AVAILABLE", "PENDING", "ERROR"].contains(&status) {
        return Err((400, format!("a connection is AVAILABLE, PENDING or ERROR, not '{status}'")));
    }
    let Some(arn) = input.get("arn").and_then(Value::as_str) else {
        let (account, name) = (account(world, input), wanted(input, "name")?);
        let (region, uuid) = (region(world, &account, input)?, world.ids.uuid());
        let arn = world.region(&account, &region).connections.add(&account, &region, &uuid, name, status);
        return Ok(json!({"arn": arn}));
    };
    let parts: Vec<&str> = arn.split([':', '/']).collect();
    let ["arn", "aws", "codeconnections" | "codestar-connections", region, account, "connection", uuid] =
        parts.as_slice()
    else {
        return Err((400, format!("'{arn}' is not arn:aws:codeconnections:REGION:ACCOUNT:connection/UUID")));
    };
    let name = input.get("name").and_then(Value::as_str).unwrap_or("git");
    let connections = &mut world.region(account, region).connections;
    if !connections.set_status(arn, status) {
        connections.add(account, region, uuid, name, status);
    }
    Ok(json!({"arn": arn}))
}

fn permissions(world: &mut World, input: &Value, deny: bool) -> Result<Value, Refused> {
    let principal = input.get("principal").and_then(Value::as_str).unwrap_or("*");
    let actions: Vec<&str> =
        input.get("actions").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if actions.is_empty() {
        return Err((400, "the body needs \"actions\", a list such as [\"s3:PutObject\"]".to_owned()));
    }
    // A policy on certain resources is more than this IAM knows: refused, so that no test believes it.
    if input.get("resources").is_some() {
        return Err((400, "the sandbox denies actions on all resources; leave \"resources\" out".to_owned()));
    }
    for action in actions {
        if deny { world.iam.deny(principal, action) } else { world.iam.allow(principal, action) }
    }
    Ok(json!({}))
}

fn refusal((status, message): &Refused) -> Response<Bytes> {
    reply(*status, "application/json", format!("{}\n", json!({"error": message})))
}

fn reply(status: u16, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Endpoint, What};

    async fn ask(sandbox: &Sandbox, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(format!("{PREFIX}/{path}")).body(body).unwrap();
        let response = sandbox.answer(Endpoint::Jenkins, request).await.unwrap();
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or_default())
    }

    #[tokio::test(start_paused = true)]
    async fn faults_are_added_counted_and_forgotten() {
        let sandbox = Sandbox::new(Settings::default());
        let line = json!({"service": "s3", "calls": 2, "what": {"kind": "throttle"}});
        let (status, shown) = ask(&sandbox, "POST", "faults", line).await;
        assert_eq!((status, &shown[0]["met"]), (200, &json!(0)));
        assert_eq!(sandbox.faults()[0].0, Fault::on("s3", "*").nth(2).before(What::Throttle));
        ask(&sandbox, "DELETE", "faults", Value::Null).await;
        assert!(sandbox.faults().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_counted_without_those_of_the_control_interface() {
        let sandbox = Sandbox::new(Settings::default());
        let (status, shown) = ask(&sandbox, "GET", "requests", Value::Null).await;
        assert_eq!((status, shown), (200, json!({"requests": 0, "now": sandbox.now()})));
        for _ in 0..2 {
            let request = Request::builder().method("GET").uri("/api/json").body(Bytes::new()).unwrap();
            sandbox.answer(Endpoint::Jenkins, request).await.unwrap();
        }
        assert_eq!(ask(&sandbox, "GET", "requests", Value::Null).await.1["requests"], 2);
        assert_eq!(sandbox.journal().last().unwrap().number, 2, "what is given as since= to see only what follows");
    }

    #[tokio::test(start_paused = true)]
    async fn settings_are_merged_and_wrong_ones_refused() {
        let sandbox = Sandbox::new(Settings::default());
        let (_, shown) = ask(&sandbox, "POST", "settings", json!({"stack": 1.5})).await;
        assert_eq!((&shown["stack"], &shown["project"]), (&json!(1.5), &json!(4.0)));
        for wrong in [json!({"stak": 1}), json!({"stack": -1}), json!({"account": "444455556666"}), json!([])] {
            let (status, shown) = ask(&sandbox, "POST", "settings", wrong.clone()).await;
            assert_eq!(status, 400, "{wrong}");
            assert!(shown["error"].is_string(), "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn roles_users_and_denials_are_made() {
        let sandbox = Sandbox::new(Settings::default());
        let role = json!({"name": "stack", "path": "/team/", "services": ["cloudformation.amazonaws.com"]});
        let (_, made) = ask(&sandbox, "POST", "roles", role).await;
        assert_eq!(made["arn"], "arn:aws:iam::111122223333:role/team/stack");
        assert_eq!(ask(&sandbox, "POST", "roles", json!({"name": "x"})).await.0, 400);
        let bounds = "arn:aws:iam::111122223333:policy/mlops/trigger";
        let document = json!({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
        let policy = json!({"arn": bounds, "document": document});
        assert_eq!(ask(&sandbox, "POST", "policies", policy).await, (200, json!({"arn": bounds})));
        for wrong in [json!({"arn": bounds}), json!({"arn": "arn:aws:s3:::x", "document": document})] {
            assert_eq!(ask(&sandbox, "POST", "policies", wrong).await.0, 400);
        }
        let (_, user) = ask(&sandbox, "POST", "users", json!({"name": "ci"})).await;
        let key = user["accessKeyId"].as_str().unwrap();
        let principal = sandbox.world(|world| world.iam.caller(key)).unwrap().principal;
        ask(&sandbox, "POST", "iam/deny", json!({"principal": principal, "actions": ["s3:*"]})).await;
        assert!(sandbox.world(|world| world.iam.denied(&principal, "s3:PutObject")).is_some());
        ask(&sandbox, "POST", "iam/allow", json!({"principal": principal, "actions": ["s3:*"]})).await;
        assert!(sandbox.world(|world| world.iam.denied(&principal, "s3:PutObject")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_made_by_name_or_by_arn_and_its_status_changed() {
        let sandbox = Sandbox::new(Settings::default());
        let arn = "arn:aws:codeconnections:eu-west-1:111122223333:connection/6f1c0a1e-0000-4000-8000-000000000001";
        let status = |sandbox: &Sandbox| {
            sandbox.world(|world| world.dump())["regions"]["111122223333/eu-west-1"]["codeconnections"][0]["status"]
                .clone()
        };
        ask(&sandbox, "POST", "connections", json!({"arn": arn})).await;
        assert_eq!(status(&sandbox), "AVAILABLE");
        ask(&sandbox, "POST", "connections", json!({"arn": arn, "status": "ERROR"})).await;
        assert_eq!(status(&sandbox), "ERROR");
        let (code, made) = ask(&sandbox, "POST", "connections", json!({"name": "git", "region": "eu-west-1"})).await;
        assert_eq!(code, 200);
        assert!(
            made["arn"].as_str().unwrap().starts_with("arn:aws:codeconnections:eu-west-1:111122223333:connection/")
        );
        for wrong in [json!({"arn": "arn:aws:s3:::x"}), json!({"name": "git", "status": "GONE", "region": "eu-west-1"})]
        {
            assert_eq!(ask(&sandbox, "POST", "connections", wrong).await.0, 400);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_is_registered_in_its_group_and_approved() {
        let sandbox = Sandbox::new(Settings::default());
        assert_eq!(ask(&sandbox, "POST", "model-packages", json!({"group": "g"})).await.0, 400, "no region known");
        sandbox.world(|world| {
            let input = json!({"ModelPackageGroupName": "churn"});
            let caller = administrator("111122223333");
            let call =
                Call { operation: "CreateModelPackageGroup", input: &input, caller: &caller, region: "eu-west-1" };
            sagemaker::call(world, &call).unwrap();
        });
        let (status, made) = ask(&sandbox, "POST", "model-packages", json!({"group": "churn", "approve": true})).await;
        assert_eq!(status, 200);
        assert_eq!(made["modelPackageArn"], "arn:aws:sagemaker:eu-west-1:111122223333:model-package/churn/1");
        let (_, world) = ask(&sandbox, "GET", "world", Value::Null).await;
        assert!(world["regions"]["111122223333/eu-west-1"]["events"]["events"].as_u64().unwrap() >= 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_is_published_as_it_is_given() {
        let sandbox = Sandbox::new(Settings::default());
        let event = json!({"id": "one", "source": "aws.sagemaker", "detail-type": "t", "detail": {}});
        let (status, shown) = ask(&sandbox, "POST", "events", json!({"region": "eu-west-1", "event": event})).await;
        assert_eq!((status, &shown["invocations"]), (200, &json!(0)), "no rule, no invocation");
        assert_eq!(ask(&sandbox, "POST", "events", json!({"region": "eu-west-1"})).await.0, 400);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_is_refused_and_nothing_stands_in_the_journal() {
        let sandbox = Sandbox::new(Settings::default());
        let (status, shown) = ask(&sandbox, "POST", "nothing", Value::Null).await;
        assert_eq!(status, 404);
        assert!(shown["error"].as_str().unwrap().contains("/_sandbox/nothing"));
        assert!(sandbox.journal().is_empty());
    }
}
