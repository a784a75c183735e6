//! Lambda: functions as uploaded archives, their resource policies, and who may invoke them. What runs the code is
//! behind the HTTP transport (`transport/functions.rs`); here an invocation is queued as an effect of the world. Reads see
//! writes at once: `Settings::read_after_write` does not apply, since CloudFormation alone makes functions here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Call, Outcome, Refusal};
use crate::world::World;

mod dead_letters;
mod functions;
mod invocations;
mod mappings;
#[cfg(test)]
mod mappings_tests;
mod permissions;
mod polling;
mod progress;
#[cfg(test)]
mod progress_tests;
mod runtimes;
#[cfg(test)]
mod tests;
mod versions;

pub use dead_letters::dead_letter;
pub use invocations::{Asked, asked, deliver};
use mappings::Mapping;
pub use polling::{Batch, polled, rouse, served, wake};
use progress::{LATEST, Progress, qualifier};

/// The type of the error of a run that a reserved concurrency of 0 did not let begin.
pub const SWITCHED_OFF: &str = "TooManyRequestsException";

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct State {
    functions: BTreeMap<String, Function>,
    /// Event source mappings by their ids.
    mappings: BTreeMap<String, Mapping>,
    /// Every invocation that a rule or a caller asked for, oldest first.
    pub invocations: Vec<Invocation>,
}

/// A deployed function.
#[derive(Clone, Debug)]
pub struct Function {
    /// 1-64 characters.
    pub name: String,
    /// `arn:aws:lambda:…:function:NAME`.
    pub arn: String,
    /// Such as `python3.13`.
    pub runtime: String,
    /// ARN of the execution role.
    pub role: String,
    /// `module.function`.
    pub handler: String,
    /// The zip archive.
    pub archive: Vec<u8>,
    /// Seconds that one run may take.
    pub timeout: u64,
    /// Megabytes.
    pub memory: u64,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// How many runs at once are kept for it; no more are allowed. `None`: as many as the account has.
    pub reserved_concurrency: Option<u64>,
    /// How often an asynchronous run is tried again, at most (0-2).
    pub retries: u64,
    description: String,
    architectures: Value,
    vpc: Value,
    logging: Value,
    dead_letter: Value,
    invoke_config: Option<Value>,
    tags: BTreeMap<String, String>,
    modified: Timestamp,
    progress: Progress,
    /// Statements of the resource policy.
    policy: Vec<Value>,
}

/// One asked-for run of a function.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    /// The request id.
    pub id: String,
    /// Name of the function.
    pub function: String,
    /// What asked for it: a rule's ARN or a caller's.
    pub source: String,
    /// The event.
    pub event: Value,
    /// When it was asked for.
    pub at: Timestamp,
    /// How it stands.
    pub status: Status,
    /// The runs so far; the first, and what was tried again.
    pub attempts: Vec<Attempt>,
    /// The messages of a queue that it got, if it did.
    #[serde(skip)]
    pub batch: Option<Batch>,
}

/// How an invocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Not begun. In process it stays so.
    Queued,
    /// A run is under way or will be tried again.
    Running,
    /// The last run returned.
    Succeeded,
    /// The last run failed and no more follow.
    Failed,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What the handler returned.
    pub result: Value,
    /// What went wrong: `errorType`, `errorMessage`, `stackTrace`. Null for a run that returned.
    pub error: Value,
    /// What it wrote to standard output and error: its log.
    pub log: String,
}

impl State {
    /// A function by its name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// Whatever goes on with a function is over: CloudFormation waits for that before it goes on, and the time of its
    /// waiting is in that of the resource.
    pub(in crate::aws) fn settle(&mut self, name: &str) {
        if let Some(function) = self.functions.get_mut(name) {
            function.progress.settle();
        }
    }

    /// The same for event source mappings.
    pub(in crate::aws) fn settle_mapping(&mut self, id: &str) {
        if let Some(mapping) = self.mappings.get_mut(id) {
            mapping.settle();
        }
        self.mappings.retain(|_, mapping| !mapping.gone(Timestamp::UNIX_EPOCH));
    }

    /// What bears tags here.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        let functions = self.functions.values().map(|one| (one.arn.clone(), one.tags.clone()));
        functions.chain(self.mappings.values().map(|one| (one.arn.clone(), one.tags.clone()))).collect()
    }

    /// Names of all functions.
    pub fn function_names(&self) -> impl Iterator<Item = &String> {
        self.functions.keys()
    }

    /// All of it, in a stable order.
    pub fn dump(&self, now: Timestamp) -> Value {
        let functions: Vec<Value> = self
            .functions
            .values()
            .map(|function| {
                let mut shown = function.configuration(now);
                shown["Policy"] = json!(function.policy);
                shown["Tags"] = json!(function.tags);
                shown["ReservedConcurrentExecutions"] = json!(function.reserved_concurrency);
                shown["EventInvokeConfig"] = json!(function.invoke_config);
                shown
            })
            .collect();
        let there = self.mappings.values().filter(|mapping| !mapping.gone(now));
        let mappings: Vec<Value> = there.map(|mapping| mapping.dump(now)).collect();
        json!({"functions": functions, "eventSourceMappings": mappings, "invocations": self.invocations})
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    match call.operation {
        "CreateFunction" => functions::create(world, call),
        "GetFunction" => functions::get(world, call),
        "GetFunctionConfiguration" => functions::get_configuration(world, call),
        "ListFunctions" => versions::functions(world, call),
        "ListVersionsByFunction" => versions::versions(world, call),
        "UpdateFunctionCode" => functions::update_code(world, call),
        "UpdateFunctionConfiguration" => functions::update_configuration(world, call),
        "DeleteFunction" => functions::delete(world, call),
        "TagResource" => functions::tag(world, call),
        "UntagResource" => functions::untag(world, call),
        "ListTags" => functions::list_tags(world, call),
        "AddPermission" => permissions::add(world, call),
        "RemovePermission" => permissions::remove(world, call),
        "GetPolicy" => permissions::get(world, call),
        "PutFunctionConcurrency" => invocations::put_concurrency(world, call),
        "GetFunctionConcurrency" => {
            find(world, call).map(|function| json!({"ReservedConcurrentExecutions": function.reserved_concurrency}))
        }
        // No function here has one; then the answer has no members (a test of LocalStack that is held against AWS).
        "GetFunctionCodeSigningConfig" => find(world, call).map(|_| json!({})),
        "DeleteFunctionConcurrency" => {
            find(world, call)?.reserved_concurrency = None;
            Ok(Value::Null)
        }
        "PutFunctionEventInvokeConfig" => invocations::put_invoke_config(world, call),
        "GetFunctionEventInvokeConfig" => invocations::get_invoke_config(world, call),
        "DeleteFunctionEventInvokeConfig" => invocations::delete_invoke_config(world, call),
        "Invoke" => invocations::invoke(world, call),
        "CreateEventSourceMapping" => mappings::create(world, call),
        "GetEventSourceMapping" => mappings::get(world, call),
        "ListEventSourceMappings" => mappings::list(world, call),
        "UpdateEventSourceMapping" => mappings::update(world, call),
        "DeleteEventSourceMapping" => mappings::delete(world, call),
        other => Err(Refusal::new("UnknownOperationException", format!("The sandbox's Lambda has no {other}"))),
    }
}

/// The name in a function's name, partial ARN or ARN; a qualifier is left out.
fn name_of(given: &str) -> &str {
    let from_arn = given.split_once(":function:").or_else(|| given.split_once("function:")).map(|(_, name)| name);
    from_arn.unwrap_or(given).split(':').next().unwrap_or_default()
}

fn find<'a>(world: &'a mut World, call: &Call<'_>) -> Result<&'a mut Function, Refusal> {
    let given = match call.text("FunctionName") {
        "" => call.required("Resource")?,
        name => name,
    };
    let name = name_of(given);
    let version = match qualifier(call)? {
        None | Some(LATEST) => String::new(),
        Some(other) => format!(":{other}"),
    };
    let missing = missing(call.region, &call.caller.account, &format!("{name}{version}"));
    if !version.is_empty() {
        return Err(missing);
    }
    world.region(&call.caller.account, call.region).lambda.functions.get_mut(name).ok_or(missing)
}

fn missing(region: &str, account: &str, name: &str) -> Refusal {
    let arn = arn(region, account, name);
    Refusal::new("ResourceNotFoundException", format!("Function not found: {arn}")).with_status(404)
}

fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{account}:function:{name}")
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValueException", message)
}
