//! What things really are, read from their services and told as their properties: for drift detection. Apart from the
//! handlers, which only write. A type whose properties cannot be read back here is not checked.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{Place, Service, missing};
use crate::aws::Refusal;
use crate::world::World;

/// Reads a thing by its physical id; `None` where it is gone.
pub(in super::super) type Reader = fn(&mut World, &Place<'_>, &str) -> Result<Option<Value>, Refusal>;

const LAMBDA: Service = Service { name: "Lambda", call: crate::aws::lambda::call };
const IAM: Service = Service { name: "Iam", call: crate::aws::iam::call };
const EVENTS: Service = Service { name: "EventBridge", call: crate::aws::events::call };
const SAGEMAKER: Service = Service { name: "SageMaker", call: crate::aws::sagemaker::call };
const CODEBUILD: Service = Service { name: "CodeBuild", call: crate::aws::codebuild::call };
const SECRETS: Service = Service { name: "SecretsManager", call: crate::aws::secrets_manager::call };

/// How things of this type are read.
pub(in super::super) fn reader(kind: &str) -> Option<Reader> {
    match kind {
        "AWS::Lambda::Function" => Some(function),
        "AWS::IAM::Role" => Some(role),
        "AWS::Events::Rule" => Some(rule),
        "AWS::SageMaker::ModelPackageGroup" => Some(group),
        "AWS::CodeBuild::Project" => Some(project),
        "AWS::SecretsManager::Secret" => Some(secret),
        _ => None,
    }
}

/// An answer, or none where the thing is gone.
fn ask(
    world: &mut World,
    place: &Place<'_>,
    service: &Service,
    operation: &str,
    input: &Value,
) -> Result<Option<Value>, Refusal> {
    match service.send(world, place, operation, input) {
        Err(refusal) if missing(&refusal) => Ok(None),
        answer => answer.map(Some),
    }
}

/// These members of an answer, as far as it has them.
fn some(answer: &Value, members: &[&str]) -> Map<String, Value> {
    let there = members.iter().filter(|member| !answer[**member].is_null());
    there.map(|member| ((*member).to_owned(), answer[*member].clone())).collect()
}

/// A policy as IAM gives it: JSON, percent-encoded.
fn document(value: &Value) -> Value {
    let text = percent_decode_str(value.as_str().unwrap_or_default()).decode_utf8_lossy().into_owned();
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The code is not compared, nor by AWS.
fn function(world: &mut World, place: &Place<'_>, id: &str) -> Result<Option<Value>, Refusal> {
    let Some(answer) = ask(world, place, &LAMBDA, "GetFunction", &json!({"FunctionName": id}))? else {
        return Ok(None);
    };
    let members = [
        "FunctionName",
        "Description",
        "Runtime",
        "Handler",
        "Role",
        "Timeout",
        "MemorySize",
        "Environment",
        "Architectures",
        "VpcConfig",
        "DeadLetterConfig",
        "LoggingConfig",
    ];
    let mut properties = some(&answer["Configuration"], &members);
    properties.extend(some(&answer["Concurrency"], &["ReservedConcurrentExecutions"]));
    let tags = answer["Tags"].as_object().into_iter().flatten();
    properties.insert("Tags".into(), tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect());
    Ok(Some(Value::Object(properties)))
}

fn role(world: &mut World, place: &Place<'_>, id: &str) -> Result<Option<Value>, Refusal> {
    let named = json!({"RoleName": id});
    let Some(answer) = ask(world, place, &IAM, "GetRole", &named)? else { return Ok(None) };
    let role = &answer["Role"];
    let mut properties = some(role, &["RoleName", "Path", "Description", "MaxSessionDuration"]);
    properties.insert("Tags".into(), role.get("Tags").filter(|tags| tags.is_array()).cloned().unwrap_or(json!([])));
    properties.insert("AssumeRolePolicyDocument".into(), document(&role["AssumeRolePolicyDocument"]));
    let attached = IAM.send(world, place, "ListAttachedRolePolicies", &named)?;
    let attached =
        attached["AttachedPolicies"].as_array().into_iter().flatten().map(|policy| policy["PolicyArn"].clone());
    properties.insert("ManagedPolicyArns".into(), attached.collect());
    let mut policies = Vec::new();
    for name in IAM.send(world, place, "ListRolePolicies", &named)?["PolicyNames"].as_array().into_iter().flatten() {
        let policy = IAM.send(world, place, "GetRolePolicy", &json!({"RoleName": id, "PolicyName": name}))?;
        policies.push(json!({"PolicyName": name, "PolicyDocument": document(&policy["PolicyDocument"])}));
    }
    properties.insert("Policies".into(), Value::Array(policies));
    Ok(Some(Value::Object(properties)))
}

fn rule(world: &mut World, place: &Place<'_>, id: &str) -> Result<Option<Value>, Refusal> {
    let Some(answer) = ask(world, place, &EVENTS, "DescribeRule", &json!({"Name": id}))? else { return Ok(None) };
    let mut properties = some(&answer, &["Name", "Description", "ScheduleExpression", "State", "RoleArn"]);
    if let Some(pattern) = answer["EventPattern"].as_str() {
        properties.insert("EventPattern".into(), serde_json::from_str(pattern).unwrap_or(Value::Null));
    }
    let targets = EVENTS.send(world, place, "ListTargetsByRule", &json!({"Rule": id}))?;
    properties.insert("Targets".into(), targets["Targets"].clone());
    let tags = EVENTS.send(world, place, "ListTagsForResource", &json!({"ResourceARN": answer["Arn"]}))?;
    properties.insert("Tags".into(), tags["Tags"].clone());
    Ok(Some(Value::Object(properties)))
}

fn group(world: &mut World, place: &Place<'_>, id: &str) -> Result<Option<Value>, Refusal> {
    let named = json!({"ModelPackageGroupName": id});
    let Some(answer) = ask(world, place, &SAGEMAKER, "DescribeModelPackageGroup", &named)? else { return Ok(None) };
    let mut properties = some(&answer, &["ModelPackageGroupName", "ModelPackageGroupDescription"]);
    let tags = SAGEMAKER.send(world, place, "ListTags", &json!({"ResourceArn": answer["ModelPackageGroupArn"]}))?;
    properties.insert("Tags".into(), tags["Tags"].clone());
    Ok(Some(Value::Object(properties)))
}

fn project(world: &mut World, place: &Place<'_>, id: &str) -> Result<Option<Value>, Refusal> {
    let answer = CODEBUILD.send(world, place, "BatchGetProjects", &json!({"names": [id]}))?;
    Ok(answer["projects"].as_array().and_then(|projects| projects.first()).map(template_names))
}

/// Members as templates name them: `environmentVariables` is `EnvironmentVariables`, but `buildspec` is `BuildSpec`.
fn template_names(value: &Value) -> Value {
    let named = |name: &str| {
        let mut signs = name.chars();
        let first = signs.next().map(|sign| sign.to_ascii_uppercase());
        if name == "buildspec" { "BuildSpec".to_owned() } else { first.into_iter().chain(signs).collect() }
    };
    match value {
        Value::Object(members) => {
            let there = members.iter().filter(|(_, member)| !member.is_null());
            Value::Object(there.map(|(name, member)| (named(name), template_names(member))).collect())
        }
        Value::Array(items) => items.iter().map(template_names).collect(),
        other => other.clone(),
    }
}

/// What the secret holds is not compared.
fn secret(world: &mut World, place: &Place<'_>, id: &str) -> Result<Option<Value>, Refusal> {
    let answer = ask(world, place, &SECRETS, "DescribeSecret", &json!({"SecretId": id}))?;
    let gone = |secret: &Value| !secret["DeletedDate"].is_null();
    Ok(answer.filter(|secret| !gone(secret)).map(|secret| {
        let mut properties = some(&secret, &["Name", "Description", "KmsKeyId"]);
        properties.insert("Tags".into(), secret["Tags"].clone());
        Value::Object(properties)
    }))
}
