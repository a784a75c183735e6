//! What others make of an object: kstatus, on which Flux and `kubectl`'s companions stand, and Argo CD by the script of
//! `examples/argocd`. Both read what a real tool reads, and nothing of the operator's types. `make test-argocd` asks the
//! real ones.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

use std::fmt::Write as _;

use mlops_sandbox::kubernetes::Kubernetes;
use mlua::{Lua, LuaSerdeExt as _, SerializeOptions, Table};
use serde_json::Value;

const SCRIPT: &str = include_str!("../../examples/argocd/argocd-cm/health.lua");

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == type_)
}

fn is_true(object: &Value, type_: &str) -> bool {
    condition(object, type_).is_some_and(|condition| condition["status"] == "True")
}

/// By the rules of `sigs.k8s.io/cli-utils`, `pkg/kstatus/README.md`, for a kind that it has no rules of its own for.
fn kstatus(object: &Value) -> &'static str {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating";
    }
    let observed = &object["status"]["observedGeneration"];
    if !observed.is_null() && *observed != object["metadata"]["generation"] {
        return "InProgress";
    }
    if is_true(object, "Reconciling") {
        return "InProgress";
    }
    if is_true(object, "Stalled") {
        return "Failed";
    }
    match condition(object, "Ready") {
        Some(ready) if ready["status"] != "True" => "InProgress",
        _ => "Current",
    }
}

/// Health and message by the script, in the Lua that Argo CD has and with the libraries that it opens.
fn argocd(lua: &Lua, object: &Value) -> (String, String) {
    let options = SerializeOptions::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.globals().set("obj", lua.to_value_with(object, options).unwrap()).unwrap();
    let health: Table = lua.load(SCRIPT).eval().unwrap();
    (health.get("status").unwrap(), health.get("message").unwrap())
}

/// What both make of one object, as `InProgress, Progressing`.
///
/// # Panics
/// They contradict each other, or what the object says of itself.
fn judged(lua: &Lua, object: &Value) -> String {
    let (kstatus, (health, message)) = (kstatus(object), argocd(lua, object));
    let generation = &object["metadata"]["generation"];
    let current = &object["status"]["observedGeneration"] == generation;
    let going = kstatus == "Terminating";
    let [ready, reconciling, stalled, suspended] =
        ["Ready", "Reconciling", "Stalled", "Suspended"].map(|type_| is_true(object, type_));
    let said = condition(object, "Ready");
    let of_now = said.is_some_and(|ready| ready["observedGeneration"] == *generation);
    let says =
        |holds: bool, rule: &str| assert!(holds, "{rule}; but kstatus: {kstatus}, Argo CD: {health}: {object:#}");
    says((health == "Healthy") == (ready && of_now && current && !suspended && !going), "Healthy is Ready now");
    says(health != "Healthy" || kstatus == "Current", "what is Healthy is Current");
    says(kstatus != "Current" || health == "Healthy" || suspended, "what is Current is Healthy, or suspended");
    says((health == "Degraded") == (stalled && current && (going || !suspended)), "Degraded is Stalled");
    says(health != "Degraded" || message == said.unwrap()["message"], "Degraded says what Ready says");
    says((kstatus == "Failed") == (stalled && current && !going), "Failed is Stalled");
    says((health == "Suspended") == (suspended && current && !going), "Suspended is so");
    says(!message.is_empty(), "there is a message");
    // What the operator says is of one piece.
    let seen = object["status"].as_object().is_some_and(|status| status.keys().any(|key| key != "observedGeneration"));
    says(said.is_some() == seen, "each status of the operator has Ready");
    says(usize::from(ready) + usize::from(reconciling) + usize::from(stalled) <= 1, "it is at most one of these");
    let untrue = said.is_some_and(|ready| ready["status"] == "False");
    says(!untrue || stalled || going, "what is not Ready waits for a person, or is deleted");
    format!("{kstatus}, {health}")
}

/// What both have made of each object of these kinds in each state that it ever had: a line for each object.
pub fn judge(kubernetes: &Kubernetes) -> String {
    let lua = Lua::new();
    let mut text = String::new();
    for plural in ["mlopsplatforms", "mlopsprojects"] {
        for ((_, name), states) in kubernetes.history(plural) {
            let mut turns: Vec<String> = states.iter().map(|object| judged(&lua, object)).collect();
            turns.dedup();
            writeln!(text, "{name}: {}", turns.join(" > ")).unwrap();
        }
    }
    text
}
