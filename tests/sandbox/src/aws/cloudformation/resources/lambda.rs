//! `AWS::Lambda::Function`, `AWS::Lambda::Permission` and `AWS::Lambda::EventInvokeConfig`.

use base64::Engine;
use serde_json::{Value, json};

use super::{Kind, Place, Service, dropped_tags, generated, made, named, number, text, zip};
use crate::aws::cloudformation::evaluate::Made;
use crate::world::World;

const LAMBDA: Service = Service { name: "Lambda", call: crate::aws::lambda::call };

/// What inline code may have, in characters.
const INLINE_LIMIT: usize = 4 * 1024 * 1024;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::Lambda::Function",
        properties: &[
            "FunctionName",
            "Description",
            "Runtime",
            "Handler",
            "Role",
            "Code",
            "Timeout",
            "MemorySize",
            "Environment",
            "Architectures",
            "VpcConfig",
            "DeadLetterConfig",
            "LoggingConfig",
            "ReservedConcurrentExecutions",
            "Tags",
        ],
        required: &["Code", "Role"],
        replaced_by: &["FunctionName"],
        attributes: &["Arn"],
        tagged: true,
        create: create_function,
        update: update_function,
        delete: delete_function,
    },
    Kind {
        name: "AWS::Lambda::Permission",
        properties: &["FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"],
        required: &["FunctionName", "Action", "Principal"],
        replaced_by: &["FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"],
        attributes: &["Id"],
        tagged: false,
        create: create_permission,
        update: |_, _, id, _, _| Ok(made(id, &[("Id", json!(id))])),
        delete: delete_permission,
    },
    Kind {
        name: "AWS::Lambda::EventInvokeConfig",
        properties: &[
            "FunctionName",
            "Qualifier",
            "MaximumEventAgeInSeconds",
            "MaximumRetryAttempts",
            "DestinationConfig",
        ],
        required: &["FunctionName", "Qualifier"],
        replaced_by: &["FunctionName", "Qualifier"],
        attributes: &[],
        tagged: false,
        create: create_invoke_config,
        update: |world, place, _, _, new| create_invoke_config(world, place, new),
        delete: delete_invoke_config,
    },
];

/// The code as the Lambda API takes it: inline text becomes an archive with `index.py` or `index.js`.
fn code(properties: &Value) -> Result<Value, String> {
    let code = &properties["Code"];
    let Some(source) = text(code, "ZipFile") else { return Ok(code.clone()) };
    if source.chars().count() > INLINE_LIMIT {
        return Err("Properties validation failed: #/Code/ZipFile: expected maxLength: 4194304".into());
    }
    let runtime = text(properties, "Runtime").unwrap_or_default();
    let name = match runtime.as_str() {
        python if python.starts_with("python") => "index.py",
        node if node.starts_with("nodejs") => "index.js",
        other => {
            return Err(format!(
                "Resource handler returned message: \"ZipFile can only be used when Runtime is set to either of nodejs, python: it is '{other}'\" (HandlerErrorCode: InvalidRequest)"
            ));
        }
    };
    Ok(json!({"ZipFile": base64::engine::general_purpose::STANDARD.encode(zip::archive(name, &source))}))
}

/// What CreateFunction and UpdateFunctionConfiguration have in common.
fn configuration(name: &str, properties: &Value) -> Result<Value, String> {
    Ok(json!({
        "FunctionName": name,
        "Description": text(properties, "Description").unwrap_or_default(),
        "Runtime": text(properties, "Runtime"),
        "Handler": text(properties, "Handler"),
        "Role": text(properties, "Role"),
        "Timeout": number(properties, "Timeout")?.unwrap_or(3),
        "MemorySize": number(properties, "MemorySize")?.unwrap_or(128),
        "Environment": properties.get("Environment").cloned().unwrap_or_else(|| json!({"Variables": {}})),
        "VpcConfig": properties.get("VpcConfig"),
        "DeadLetterConfig": properties.get("DeadLetterConfig"),
        "LoggingConfig": properties.get("LoggingConfig"),
    }))
}

/// Lambda takes tags as a map, the template as a list.
fn tag_map(properties: &Value) -> Value {
    let tags = properties.get("Tags").and_then(Value::as_array).into_iter().flatten();
    Value::Object(tags.map(|tag| (tag["Key"].as_str().unwrap_or_default().to_owned(), tag["Value"].clone())).collect())
}

fn concurrency(world: &mut World, place: &Place<'_>, name: &str, properties: &Value) -> Result<(), String> {
    match number(properties, "ReservedConcurrentExecutions")? {
        Some(limit) => {
            let input = json!({"FunctionName": name, "ReservedConcurrentExecutions": limit});
            LAMBDA.ask(world, place, "PutFunctionConcurrency", &input).map(drop)
        }
        None => LAMBDA.retire(world, place, "DeleteFunctionConcurrency", &json!({"FunctionName": name})),
    }
}

fn create_function(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let name = named(world, place, properties, "FunctionName", 64);
    let mut input = configuration(&name, properties)?;
    input["Code"] = code(properties)?;
    input["Tags"] = tag_map(properties);
    if let Some(architectures) = properties.get("Architectures") {
        input["Architectures"] = architectures.clone();
    }
    let reply = LAMBDA.ask(world, place, "CreateFunction", &input)?;
    world.region(place.account, place.region).lambda.settle(&name);
    if properties.get("ReservedConcurrentExecutions").is_some()
        && let Err(reason) = concurrency(world, place, &name, properties)
    {
        delete_function(world, place, &name, properties)?;
        return Err(reason);
    }
    Ok(made(name, &[("Arn", reply["FunctionArn"].clone())]))
}

fn update_function(world: &mut World, place: &Place<'_>, name: &str, old: &Value, new: &Value) -> Result<Made, String> {
    if old["Code"] != new["Code"] || old.get("Architectures") != new.get("Architectures") {
        let mut input = code(new)?;
        input["FunctionName"] = json!(name);
        if let Some(architectures) = new.get("Architectures") {
            input["Architectures"] = architectures.clone();
        }
        LAMBDA.ask(world, place, "UpdateFunctionCode", &input)?;
        world.region(place.account, place.region).lambda.settle(name);
    }
    let reply = LAMBDA.ask(world, place, "UpdateFunctionConfiguration", &configuration(name, new)?)?;
    world.region(place.account, place.region).lambda.settle(name);
    let arn = reply["FunctionArn"].clone();
    if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions") {
        concurrency(world, place, name, new)?;
    }
    let dropped = dropped_tags(old, new);
    if !dropped.is_empty() {
        LAMBDA.ask(world, place, "UntagResource", &json!({"Resource": arn, "TagKeys": dropped}))?;
    }
    if old.get("Tags") != new.get("Tags") && new.get("Tags").is_some() {
        LAMBDA.ask(world, place, "TagResource", &json!({"Resource": arn, "Tags": tag_map(new)}))?;
    }
    Ok(made(name, &[("Arn", arn)]))
}

fn delete_function(world: &mut World, place: &Place<'_>, name: &str, _properties: &Value) -> Result<(), String> {
    LAMBDA.retire(world, place, "DeleteFunction", &json!({"FunctionName": name}))
}

fn create_permission(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let id = generated(world, place, 100);
    let input = json!({
        "FunctionName": text(properties, "FunctionName"),
        "StatementId": id,
        "Action": text(properties, "Action"),
        "Principal": text(properties, "Principal"),
        "SourceArn": text(properties, "SourceArn"),
        "SourceAccount": text(properties, "SourceAccount"),
    });
    LAMBDA.ask(world, place, "AddPermission", &input)?;
    Ok(made(id.clone(), &[("Id", json!(id))]))
}

fn delete_permission(world: &mut World, place: &Place<'_>, id: &str, properties: &Value) -> Result<(), String> {
    LAMBDA.retire(
        world,
        place,
        "RemovePermission",
        &json!({"FunctionName": text(properties, "FunctionName"), "StatementId": id}),
    )
}

fn create_invoke_config(world: &mut World, place: &Place<'_>, properties: &Value) -> Result<Made, String> {
    let (function, qualifier) =
        (text(properties, "FunctionName").unwrap_or_default(), text(properties, "Qualifier").unwrap_or_default());
    let input = json!({
        "FunctionName": function,
        "Qualifier": qualifier,
        "MaximumEventAgeInSeconds": number(properties, "MaximumEventAgeInSeconds")?,
        "MaximumRetryAttempts": number(properties, "MaximumRetryAttempts")?,
        "DestinationConfig": properties.get("DestinationConfig"),
    });
    LAMBDA.ask(world, place, "PutFunctionEventInvokeConfig", &input)?;
    Ok(made(format!("{function}|{qualifier}"), &[]))
}

fn delete_invoke_config(world: &mut World, place: &Place<'_>, _id: &str, properties: &Value) -> Result<(), String> {
    let input = json!({"FunctionName": text(properties, "FunctionName"), "Qualifier": text(properties, "Qualifier")});
    LAMBDA.retire(world, place, "DeleteFunctionEventInvokeConfig", &input)
}
