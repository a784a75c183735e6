//! Functions themselves: create, look, update, delete, tags. What of it takes time is in `progress`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::dead_letters::may_be_sent;
use super::progress::{LATEST, Progress, qualifier};
use super::runtimes::runtime;
use super::{Function, arn, find, invalid};
use crate::aws::iam::{Source, Trust};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// Names that Lambda keeps for itself in the environment.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];
/// All variables together may have this many bytes.
const ENVIRONMENT_LIMIT: usize = 4096;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = super::name_of(call.required("FunctionName")?).to_owned();
    let good = |sign: char| sign.is_ascii_alphanumeric() || "-_".contains(sign);
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        let message = format!(
            "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 64 and satisfy regular expression pattern: [a-zA-Z0-9-_]+"
        );
        return Err(Refusal::new("ValidationException", message));
    }
    let account = call.caller.account.clone();
    if world.region(&account, call.region).lambda.functions.contains_key(&name) {
        let message = format!("Function already exist: {name}");
        return Err(Refusal::new("ResourceConflictException", message).with_status(409));
    }
    if !matches!(call.text("PackageType"), "" | "Zip") {
        return Err(invalid("The sandbox runs functions from archives only: PackageType must be Zip"));
    }
    let role = call.required("Role")?.to_owned();
    role_is_given(world, call, &role)?;
    unpublished(call)?;
    let archive = archive(world, call, call.input.get("Code").unwrap_or(&Value::Null))?;
    let mut function = Function {
        arn: arn(call.region, &account, &name),
        name: name.clone(),
        runtime: runtime(call.required("Runtime")?)?,
        role,
        handler: call.required("Handler")?.to_owned(),
        archive,
        timeout: 3,
        memory: 128,
        environment: BTreeMap::new(),
        reserved_concurrency: None,
        retries: 2,
        description: String::new(),
        architectures: call.input.get("Architectures").cloned().unwrap_or_else(|| json!(["x86_64"])),
        vpc: Value::Null,
        logging: Value::Null,
        dead_letter: Value::Null,
        invoke_config: None,
        tags: tags_of(call),
        modified: world.now,
        progress: Progress::begin(world),
        policy: Vec::new(),
    };
    configure(&mut function, call)?;
    may_be_sent(world, &function)?;
    let shown = function.configuration(world.now);
    world.region(&account, call.region).lambda.functions.insert(name, function);
    Ok(shown)
}

pub(super) fn get(world: &mut World, call: &Call<'_>) -> Outcome {
    let (region, account) = (call.region.to_owned(), call.caller.account.clone());
    let now = world.now;
    let function = find(world, call)?;
    let location = format!(
        "https://awslambda-{region}-tasks.s3.{region}.amazonaws.com/snapshots/{account}/{}-{}",
        function.name,
        function.progress.revision(now)
    );
    let limit = function.reserved_concurrency.map(|limit| json!({"ReservedConcurrentExecutions": limit}));
    Ok(json!({
        "Configuration": function.asked_for(call, now)?,
        "Code": {"RepositoryType": "S3", "Location": location},
        "Tags": Some(&function.tags).filter(|tags| !tags.is_empty()),
        "Concurrency": limit,
    }))
}

/// Configuration alone.
pub(super) fn get_configuration(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    find(world, call)?.asked_for(call, now)
}

/// Versions are not published here.
fn unpublished(call: &Call<'_>) -> Result<(), Refusal> {
    if call.input.get("Publish") == Some(&json!(true)) {
        return Err(invalid("The sandbox publishes no versions of functions: Publish must be false"));
    }
    Ok(())
}

/// The function, if it may change now and is the one that the caller has seen.
fn changeable<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut Function, Refusal> {
    let now = world.now;
    let function = find(world, call)?;
    function.is_revision(call, now, "GetFunction/GetAlias")?;
    function.changeable(now)?;
    Ok(function)
}

pub(super) fn update_code(world: &mut World, call: &Call<'_>) -> Outcome {
    changeable(world, call)?;
    unpublished(call)?;
    let archive = archive(world, call, call.input)?;
    let now = world.now;
    if call.input.get("DryRun") == Some(&json!(true)) {
        return Ok(find(world, call)?.configuration(now));
    }
    let progress = Progress::change(world);
    let function = find(world, call)?;
    function.archive = archive;
    if let Some(architectures) = call.input.get("Architectures").filter(|value| !value.is_null()) {
        function.architectures = architectures.clone();
    }
    (function.modified, function.progress) = (now, progress);
    Ok(function.configuration(now))
}

pub(super) fn update_configuration(world: &mut World, call: &Call<'_>) -> Outcome {
    changeable(world, call)?;
    if !call.text("Role").is_empty() {
        role_is_given(world, call, call.text("Role"))?;
    }
    let (now, progress) = (world.now, Progress::change(world));
    let mut changed = find(world, call)?.clone();
    configure(&mut changed, call)?;
    may_be_sent(world, &changed)?;
    (changed.modified, changed.progress) = (now, progress);
    let function = find(world, call)?;
    *function = changed;
    Ok(function.configuration(now))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = find(world, call)?.name.clone();
    if qualifier(call)?.is_some() {
        return Err(invalid("$LATEST version cannot be deleted without deleting the function."));
    }
    world.region(&call.caller.account, call.region).lambda.functions.remove(&name);
    Ok(Value::Null)
}

/// The tags of a function, or of an event source mapping.
fn tags<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut BTreeMap<String, String>, Refusal> {
    if call.text("Resource").contains(":event-source-mapping:") {
        return super::mappings::tagged(world, call).map(|mapping| &mut mapping.tags);
    }
    Ok(&mut find(world, call)?.tags)
}

pub(super) fn tag(world: &mut World, call: &Call<'_>) -> Outcome {
    tags(world, call)?.extend(tags_of(call));
    Ok(Value::Null)
}

pub(super) fn untag(world: &mut World, call: &Call<'_>) -> Outcome {
    let tags = tags(world, call)?;
    for key in call.list("TagKeys").iter().filter_map(Value::as_str) {
        tags.remove(key);
    }
    Ok(Value::Null)
}

pub(super) fn list_tags(world: &mut World, call: &Call<'_>) -> Outcome {
    Ok(json!({"Tags": tags(world, call)?}))
}

/// Writes the members that CreateFunction and UpdateFunctionConfiguration share, as far as they are given.
fn configure(function: &mut Function, call: &Call<'_>) -> Result<(), Refusal> {
    let given = |member: &str| call.input.get(member).filter(|value| !value.is_null());
    let set = |field: &mut String, member: &str| {
        if let Some(text) = given(member).and_then(Value::as_str) {
            text.clone_into(field);
        }
    };
    set(&mut function.description, "Description");
    set(&mut function.handler, "Handler");
    set(&mut function.role, "Role");
    if given("Runtime").is_some() {
        function.runtime = runtime(call.text("Runtime"))?;
    }
    if let Some(timeout) = number(call, "Timeout", 1, 900)? {
        function.timeout = timeout;
    }
    if let Some(memory) = number(call, "MemorySize", 128, 10240)? {
        function.memory = memory;
    }
    for (field, member) in [
        (&mut function.vpc, "VpcConfig"),
        (&mut function.logging, "LoggingConfig"),
        (&mut function.dead_letter, "DeadLetterConfig"),
    ] {
        if let Some(value) = given(member) {
            field.clone_from(value);
        }
    }
    if let Some(environment) = given("Environment") {
        function.environment = environment_of(environment)?;
    }
    Ok(())
}

fn number(call: &Call<'_>, member: &str, least: u64, most: u64) -> Result<Option<u64>, Refusal> {
    match call.input.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let message = format!(
                    "Value '{value}' at '{member}' failed to satisfy constraint: Member must be between {least} and {most}"
                );
                Err(Refusal::new("ValidationException", message))
            }
        },
    }
}

fn environment_of(environment: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let variables = environment.get("Variables").and_then(Value::as_object);
    let variables: BTreeMap<String, String> = variables
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    let reserved: Vec<&str> = variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let bytes: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > ENVIRONMENT_LIMIT {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.",
        ));
    }
    Ok(variables)
}

fn role_is_given(world: &World, call: &Call<'_>, role: &str) -> Result<(), Refusal> {
    if let Err(refusal) = world.iam.pass_role(call.caller, role)
        && world.iam.role_by_arn(role).is_some()
    {
        return Err(Refusal::new("AccessDeniedException", refusal.message).with_status(403));
    }
    let account = &call.caller.account;
    let function = arn(call.region, account, super::name_of(call.text("FunctionName")));
    match world.trust_for(role, "lambda.amazonaws.com", Source { account, arn: Some(&function) }) {
        Trust::Given => Ok(()),
        _ => Err(invalid("The role defined for the function cannot be assumed by Lambda.")),
    }
}

/// The zip archive: inline in base64, or an object in S3.
fn archive(world: &mut World, call: &Call<'_>, code: &Value) -> Result<Vec<u8>, Refusal> {
    let text = |member: &str| code.get(member).and_then(Value::as_str).unwrap_or_default();
    let bytes = if text("S3Bucket").is_empty() {
        STANDARD.decode(text("ZipFile")).unwrap_or_default()
    } else {
        from_s3(world, call, text("S3Bucket"), text("S3Key"), text("S3ObjectVersion"))?
    };
    if bytes.is_empty() {
        return Err(invalid("Please provide a source for function code."));
    }
    // Local file header, or the end record of an empty archive (PKWARE APPNOTE 4.3).
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(invalid("Could not unzip uploaded file. Please check your file, then try to upload again."));
    }
    Ok(bytes)
}

fn from_s3(world: &mut World, call: &Call<'_>, bucket: &str, key: &str, version: &str) -> Result<Vec<u8>, Refusal> {
    let mut uri = format!("/{bucket}/{key}");
    if !version.is_empty() {
        uri.push_str(&format!("?versionId={version}"));
    }
    let failed = |code: &str| {
        invalid(format!(
            "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: the object {key} of the bucket {bucket} cannot be read"
        ))
    };
    let request = Request::get(uri).body(Bytes::new()).map_err(|_| failed("InvalidURI"))?;
    let response = crate::aws::s3::handle(world, call.caller, call.region, &request);
    match response.status().as_u16() {
        200 => Ok(response.into_body().to_vec()),
        404 => Err(failed("NoSuchKey")),
        _ => Err(failed("AccessDenied")),
    }
}

fn tags_of(call: &Call<'_>) -> BTreeMap<String, String> {
    let tags = call.input.get("Tags").and_then(Value::as_object).into_iter().flatten();
    tags.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

impl Function {
    /// As GetFunctionConfiguration shows it: under the version's ARN where the caller named the version.
    fn asked_for(&self, call: &Call<'_>, now: Timestamp) -> Outcome {
        Ok(if qualifier(call)?.is_some() { self.version(now) } else { self.configuration(now) })
    }

    /// As lists of versions show it.
    pub(super) fn version(&self, now: Timestamp) -> Value {
        let mut shown = self.configuration(now);
        shown["FunctionArn"] = json!(format!("{}:{LATEST}", self.arn));
        shown
    }

    /// The configuration at this moment.
    pub(super) fn configuration(&self, now: Timestamp) -> Value {
        let environment = (!self.environment.is_empty()).then(|| json!({"Variables": self.environment}));
        let mut shown = json!({
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "Runtime": self.runtime,
            "Role": self.role,
            "Handler": self.handler,
            "CodeSize": self.archive.len(),
            "CodeSha256": STANDARD.encode(Sha256::digest(&self.archive)),
            "Description": self.description,
            "Timeout": self.timeout,
            "MemorySize": self.memory,
            "LastModified": self.modified.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string(),
            "Version": LATEST,
            "VpcConfig": self.vpc,
            "DeadLetterConfig": self.dead_letter,
            "LoggingConfig": self.logging,
            "Environment": environment,
            "TracingConfig": {"Mode": "PassThrough"},
            "PackageType": "Zip",
            "Architectures": self.architectures,
            "EphemeralStorage": {"Size": 512},
        });
        self.progress.show(&mut shown, now);
        shown
    }
}
