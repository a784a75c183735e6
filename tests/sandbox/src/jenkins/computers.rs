//! Nodes: the controller's own, which is all there is, with what runs on it (ComputerSet, Computer, Executor). A pipeline
//! takes no executor of a node but one of its own beside them (OneOffExecutor). Nothing here starts or stops a build.

use serde_json::{Value, json};

use super::export;
use super::reply::{self, Answer};
use super::route::Ask;
use super::{Build, Item, ItemKind};
use crate::world::World;

/// Builds that the controller runs at once, as far as it says; nothing here waits for them.
pub(super) const EXECUTORS: usize = 2;

/// `/computer/...`. The old name of the built-in node still finds it (Jenkins.getComputer).
pub(super) fn answer(world: &World, ask: &Ask<'_>, rest: &[&str]) -> Answer {
    match rest {
        ["api", "json" | "python"] => export::answer(ask, &set(world, ask)),
        ["(built-in)" | "(master)", "api", "json" | "python"] => export::answer(ask, &built_in(world, ask)),
        _ => Err(reply::not_found()),
    }
}

fn set(world: &World, ask: &Ask<'_>) -> Value {
    let node = built_in(world, ask);
    let busy = running(world).len();
    json!({
        "_class": "hudson.model.ComputerSet", "displayName": "Nodes", "totalExecutors": EXECUTORS,
        "busyExecutors": busy.min(EXECUTORS), "computer": [node],
    })
}

fn built_in(world: &World, ask: &Ask<'_>) -> Value {
    let running = running(world);
    let executor = |number: i64, build: Option<&Running<'_>>| {
        json!({
            "currentExecutable": build.map(|(path, item, build)| export::build(ask, path, item, build)),
            "idle": build.is_none(), "likelyStuck": false, "number": number, "progress": -1,
        })
    };
    let of_node: Vec<&Running<'_>> = running.iter().filter(|(_, item, _)| item.kind == ItemKind::Freestyle).collect();
    let beside = running.iter().filter(|(_, item, _)| item.kind != ItemKind::Freestyle);
    let count = EXECUTORS.max(of_node.len());
    json!({
        "_class": "hudson.model.Hudson$MasterComputer",
        "displayName": "Built-In Node",
        "description": "the Jenkins controller's built-in node",
        "assignedLabels": [{"name": "built-in"}],
        "numExecutors": EXECUTORS,
        "executors": (0..count).map(|at| executor(at as i64, of_node.get(at).copied())).collect::<Vec<_>>(),
        "oneOffExecutors": beside.map(|build| executor(-1, Some(build))).collect::<Vec<_>>(),
        "idle": running.is_empty(),
        "offline": false,
        "offlineCauseReason": "",
        "temporarilyOffline": false,
        "jnlpAgent": false,
    })
}

/// A build that runs, with its job and the job's path.
type Running<'a> = (Vec<String>, &'a Item, &'a Build);

fn running(world: &World) -> Vec<Running<'_>> {
    fn below<'a>(items: impl Iterator<Item = &'a Item>, folder: &[String], found: &mut Vec<Running<'a>>) {
        for item in items {
            let path = [folder, std::slice::from_ref(&item.name)].concat();
            let builds = item.builds.iter().filter(|build| build.result.is_none());
            found.extend(builds.map(|build| (path.clone(), item, build)));
            below(item.children.values(), &path, found);
        }
    }
    let mut found = Vec::new();
    below(world.jenkins.items.values(), &[], &mut found);
    found
}
