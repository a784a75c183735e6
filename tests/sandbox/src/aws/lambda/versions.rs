//! Lists of functions and of their versions. Apart from the operations on one function. Functions have no version here but
//! the one that they are changed in.

use serde_json::{Value, json};

use super::progress::LATEST;
use super::{Function, find, invalid};
use crate::aws::{Call, Outcome, page};
use crate::world::World;

/// How many items one answer has at most, whatever is asked for (API reference of ListFunctions and of
/// ListVersionsByFunction).
const PAGE: usize = 50;

fn paged(call: &Call<'_>, member: &str, items: Vec<(String, Value)>) -> Outcome {
    let asked = page::size(call.input.get("MaxItems"), "maxItems", 1, 10_000).map_err(invalid)?;
    let list = format!("{} {}", call.operation, call.text("FunctionName"));
    let page = page::cut(&list, items, asked.unwrap_or(PAGE).min(PAGE), call.text("Marker"));
    let page = page.ok_or_else(|| invalid(format!("The marker is not one that {} gave", call.operation)))?;
    Ok(json!({member: page.items, "NextMarker": page.next}))
}

/// ListFunctions; with `FunctionVersion` ALL, functions are named with their versions.
pub(super) fn functions(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let all = match call.text("FunctionVersion") {
        "" => false,
        "ALL" => true,
        other => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{other}' at 'functionVersion' failed to satisfy constraint: Member must satisfy enum value set: [ALL]"
            )));
        }
    };
    let functions = &world.region(&call.caller.account, call.region).lambda.functions;
    let shown = |function: &Function| if all { function.version(now) } else { function.configuration(now) };
    let items = functions.values().map(|function| (function.name.clone(), shown(function))).collect();
    paged(call, "Functions", items)
}

/// ListVersionsByFunction.
pub(super) fn versions(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let items = vec![(LATEST.to_owned(), find(world, call)?.version(now))];
    paged(call, "Versions", items)
}
