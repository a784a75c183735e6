//! The queue and builds: who may start one (BuildAuthorizationToken), with which parameters, and what becomes of it.
//! Nothing runs: a build ends by itself with the result that was scripted, or with SUCCESS.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::access::{self, Permission};
use super::classes::{CHOICE, ONE_AT_A_TIME, PARAMETERS};
use super::reply::{self, Answer, Reply};
use super::route::Ask;
use super::xml::Element;
use super::{Build, Item, ItemKind, Jenkinsfile, Mode, QueueItem, Stage, export, full_name, jenkinsfile, polling};
use crate::world::{Due, Part, World};

/// How long what left the queue can still be asked for (Queue.leftItems).
const REMEMBERED: Duration = Duration::from_secs(300);

/// From where remote triggers come: whatever the transport, callers are on this machine.
const REMOTE_HOST: &str = "127.0.0.1";

fn due(id: String) -> Due {
    Due { part: Part::Jenkins, account: String::new(), region: String::new(), id }
}

/// `build` and `buildWithParameters`.
pub(super) fn trigger(world: &mut World, ask: &Ask<'_>, path: &[String], how: &str) -> Answer {
    let item = world.jenkins.find(path).filter(|item| item.kind != ItemKind::Folder).ok_or_else(reply::not_found)?;
    let cause = authorize(world, ask, path, item)?;
    let definitions = parameters(item);
    let with_parameters = how == "buildWithParameters";
    super::copy::check_buildable(item, path)?;
    match (with_parameters, definitions.is_empty()) {
        (true, true) => return Err(reply::bad_request(&format!("{} is not parameterized", full_name(path)))),
        (false, false) if ask.field("json").is_none() => {
            return Err(reply::bad_request("This page expects a form submission"));
        }
        _ => {}
    }
    let mut values = Vec::new();
    for parameter in definitions {
        let name = parameter.name;
        let mut given = ask.fields.iter().filter(|(key, _)| *key == name && with_parameters);
        let value = given.next().map(|(_, value)| value.clone());
        if given.next().is_some() {
            return Err(reply::broken(&format!("Illegal number of parameter values for {name}: 2")));
        }
        // ChoiceParameterDefinition.checkValue.
        if let Some(value) = value.as_ref().filter(|value| parameter.choices.is_some_and(|all| !all.contains(value))) {
            return Err(reply::broken(&format!("Illegal choice for parameter {name}: {value}")));
        }
        values.extend(value.or(parameter.default).map(|value| (name, value)));
    }
    let quiet = match ask.field("delay").map(|delay| delay.trim_end_matches("sec").trim().parse::<u64>()) {
        None => world.settings.jenkins_queue,
        Some(Ok(seconds)) => Duration::from_secs(seconds),
        Some(Err(_)) => return Err(reply::failure("Invalid delay")),
    };
    let host = ask.base.clone();
    match enqueue(world, path, values, cause, quiet) {
        Queued::Vetoed => Ok(reply::located(StatusCode::FOUND, ".")),
        Queued::Already(id) if with_parameters => {
            Ok(reply::located(StatusCode::SEE_OTHER, &format!("{host}/queue/item/{id}/")))
        }
        Queued::New(id) | Queued::Already(id) => {
            Ok(reply::located(StatusCode::CREATED, &format!("{host}/queue/item/{id}/")))
        }
    }
}

/// BuildAuthorizationToken.checkPermission: gives the cause, or refuses.
fn authorize(world: &World, ask: &Ask<'_>, path: &[String], item: &Item) -> Result<String, Reply> {
    let by_user = format!("Started by user {}", ask.caller.name());
    let own = item.config.child_text("authToken").filter(|token| !token.is_empty());
    match (own, ask.field("token")) {
        (Some(own), Some(given)) if own == given => {
            let note = ask.field("cause").map(|cause| format!(" with note: {cause}")).unwrap_or_default();
            Ok(format!("Started by remote host {REMOTE_HOST}{note}"))
        }
        (Some(_), Some(_)) => Err(reply::refused("Invalid token provided.")),
        _ => {
            access::require(&world.jenkins, &ask.caller, Permission::ItemBuild, path)?;
            if ask.method == Method::POST { Ok(by_user) } else { Err(reply::post_required()) }
        }
    }
}

/// A parameter that a job declares.
struct Parameter {
    name: String,
    /// Absent: without a value there is no parameter.
    default: Option<String>,
    /// What it may be, if that is limited.
    choices: Option<Vec<String>>,
}

/// The parameters that a job declares, with their defaults.
fn parameters(item: &Item) -> Vec<Parameter> {
    let list = item.property(PARAMETERS).and_then(|property| property.child("parameterDefinitions"));
    let parameter = |one: &Element| Parameter {
        name: one.child_text("name").unwrap_or_default().to_owned(),
        default: default_of(one),
        choices: choices(one),
    };
    list.iter().flat_map(|list| &list.children).map(parameter).collect()
}

/// What a parameter may be, where its definition limits it (ChoiceParameterDefinition.getChoices).
pub(super) fn choices(definition: &Element) -> Option<Vec<String>> {
    let list = definition.child("choices").filter(|_| definition.name == CHOICE)?;
    Some(list.walk().into_iter().filter(|one| one.name == "string").map(|one| one.text.clone()).collect())
}

/// The value that a parameter has where none is given; a choice without one has its first.
pub(super) fn default_of(definition: &Element) -> Option<String> {
    let own = definition.child_text("defaultValue").map(str::to_owned);
    match choices(definition) {
        Some(all) => own.or(all.into_iter().next()),
        None => Some(own.unwrap_or_default()),
    }
}

enum Queued {
    New(u64),
    Already(u64),
    Vetoed,
}

fn enqueue(
    world: &mut World,
    path: &[String],
    values: Vec<(String, String)>,
    cause: String,
    quiet: Duration,
) -> Queued {
    if world.jenkins.queue_vetoed {
        return Queued::Vetoed;
    }
    let same = |queued: &&mut QueueItem| !has_left(queued) && queued.job == path && queued.parameters == values;
    if let Some(queued) = world.jenkins.queue.values_mut().find(same) {
        queued.causes.push(cause);
        return Queued::Already(queued.id);
    }
    let id = world.jenkins.next_serial();
    let until = world.after(quiet);
    let stage = Stage::Waiting { until };
    let job = path.to_vec();
    world
        .jenkins
        .queue
        .insert(id, QueueItem { id, job, parameters: values, causes: vec![cause], since: world.now, stage });
    world.schedule(quiet, due(format!("queue {id}")));
    Queued::New(id)
}

/// A build that polling asks for: with the default of each parameter, at once.
pub(super) fn by_polling(world: &mut World, path: &[String]) {
    let values = world.jenkins.find(path).map(parameters).unwrap_or_default();
    let values = values.into_iter().filter_map(|one| Some((one.name, one.default?))).collect();
    enqueue(world, path, values, "Started by an SCM change".into(), Duration::ZERO);
}

/// Whether a queue item is no longer in the queue.
pub(super) fn has_left(queued: &QueueItem) -> bool {
    matches!(queued.stage, Stage::Started { .. } | Stage::Cancelled { .. })
}

/// Why a queue item does not start.
pub(super) fn why_blocked(world: &World, queued: &QueueItem) -> String {
    if world.jenkins.mode == Mode::QuietDown {
        return "Jenkins is about to shut down".into();
    }
    let running =
        world.jenkins.find(&queued.job).and_then(|item| item.builds.iter().rev().find(|build| build.result.is_none()));
    running.map_or("Waiting for next available executor".into(), |build| {
        format!("Build #{} is already in progress", build.number)
    })
}

/// Starts what is ready, unless something holds it back.
pub(super) fn start(world: &mut World, id: u64) {
    let Some(queued) = world.jenkins.queue.get(&id).filter(|queued| !has_left(queued)).cloned() else { return };
    let quieting = world.jenkins.mode == Mode::QuietDown;
    let (now, runs_for) = (world.now, world.settings.jenkins_build);
    let checkout = world.jenkins.find(&queued.job).and_then(|item| world.jenkins.checkout(item));
    let file = world.jenkins.jenkinsfiles.get(&full_name(&queued.job)).cloned();
    let plugins = file.as_ref().map(|_| world.jenkins.plugins.clone()).unwrap_or_default();
    let Some(item) = world.jenkins.find_mut(&queued.job) else { return };
    // Concurrent builds are a pipeline's default and a freestyle job's exception.
    let one_at_a_time = match item.kind {
        ItemKind::Freestyle => item.config.child_text("concurrentBuild") != Some("true"),
        _ => item.property(ONE_AT_A_TIME).is_some(),
    };
    let held = quieting || (one_at_a_time && item.builds.iter().any(|build| build.result.is_none()));
    let stage = if held {
        Stage::Blocked
    } else {
        let number = item.next_build;
        item.next_build += 1;
        item.builds.push(Build {
            number,
            queue_id: id,
            parameters: queued.parameters,
            causes: queued.causes,
            started: now,
            ended: None,
            result: None,
            description: None,
            checkout: checkout.clone(),
        });
        if let Some(file) = file.filter(|_| checkout.is_some()) {
            jenkinsfile::declare(item, &file, &plugins);
        }
        let serial = item.serial;
        world.schedule(runs_for, due(format!("build {serial} {number} {}", full_name(&queued.job))));
        world.schedule(REMEMBERED, due(format!("forget {id}")));
        Stage::Started { number, at: now }
    };
    if let Some(queued) = world.jenkins.queue.get_mut(&id) {
        queued.stage = stage;
    }
}

/// Ends a build: with that result, with the scripted one, or well.
pub(super) fn finish(world: &mut World, path: &[String], number: u32, result: Option<&str>) {
    let name = full_name(path);
    let now = world.now;
    let scripted = world.jenkins.scripted.get_mut(&name);
    let running = |build: &&mut Build| build.number == number && build.result.is_none();
    let result = result.map(str::to_owned).or_else(|| scripted.and_then(std::collections::VecDeque::pop_front));
    let script = matches!(world.jenkins.jenkinsfiles.get(&name), Some(Jenkinsfile::Properties(_)));
    // Without the plugin there is no step `pipeline`, with which a declarative Jenkinsfile begins.
    let runs = script || world.jenkins.plugins.contains_key("pipeline-model-definition");
    let Some(item) = world.jenkins.find_mut(path) else { return };
    let from_git = polling::source(item).is_some();
    if let Some(build) = item.builds.iter_mut().find(running) {
        let well = if from_git && (build.checkout.is_none() || !runs) { "FAILURE" } else { "SUCCESS" };
        build.result = Some(result.unwrap_or_else(|| well.into()));
        build.ended = Some(now);
    }
    let blocked = |queued: &&QueueItem| queued.stage == Stage::Blocked && queued.job == path;
    if let Some(next) = world.jenkins.queue.values().find(blocked).map(|queued| queued.id) {
        start(world, next);
    }
}

/// Drops what concerns an item that was deleted.
pub(super) fn forget(world: &mut World, path: &[String]) {
    world.jenkins.queue.retain(|_, queued| has_left(queued) || !queued.job.starts_with(path));
}

/// Lets a scheduled thing happen.
pub fn wake(world: &mut World, due: &Due) {
    let parts: Vec<&str> = due.id.splitn(4, ' ').collect();
    let path = |name: &str| name.split('/').map(str::to_owned).collect::<Vec<_>>();
    match parts[..] {
        ["mode", word, session] => super::server::step(world, word, session),
        ["queue", id] => start(world, id.parse().unwrap_or_default()),
        ["forget", id] => {
            world.jenkins.queue.remove(&id.parse().unwrap_or_default());
        }
        ["build", serial, number, name] => {
            let path = path(name);
            let same = world.jenkins.find(&path).is_some_and(|item| item.serial.to_string() == serial);
            if let (true, Ok(number)) = (same, number.parse()) {
                finish(world, &path, number, None);
            }
        }
        ["poll", serial, ..] => {
            let path = path(due.id.splitn(3, ' ').nth(2).unwrap_or_default());
            polling::wake(world, serial, &path);
        }
        _ => {}
    }
}

/// `/queue/...`.
pub(super) fn queue(world: &mut World, ask: &Ask<'_>, rest: &[&str]) -> Answer {
    let visible =
        |world: &World, queued: &QueueItem| access::may(&world.jenkins, &ask.caller, Permission::ItemRead, &queued.job);
    match rest {
        ["api", "json" | "python"] => {
            let waiting = world.jenkins.queue.values().filter(|queued| !has_left(queued) && visible(world, queued));
            let items: Vec<Value> = waiting.map(|queued| export::queue_item(world, ask, queued)).collect();
            export::answer(ask, &json!({"_class": "hudson.model.Queue", "items": items}))
        }
        ["item", id, "api", "json" | "python"] => {
            let queued = id.parse().ok().and_then(|id: u64| world.jenkins.queue.get(&id));
            let queued = queued.filter(|queued| visible(world, queued)).ok_or_else(reply::not_found)?;
            export::answer(ask, &export::queue_item(world, ask, queued))
        }
        ["cancelItem"] => {
            ask.require_post()?;
            let id: u64 =
                ask.field("id").and_then(|id| id.parse().ok()).ok_or_else(|| reply::failure("id is required"))?;
            let job = world.jenkins.queue.get(&id).filter(|queued| !has_left(queued)).map(|queued| queued.job.clone());
            let job = job.ok_or_else(reply::not_found)?;
            access::require(&world.jenkins, &ask.caller, Permission::ItemCancel, &job)?;
            let at = world.now;
            if let Some(queued) = world.jenkins.queue.get_mut(&id) {
                queued.stage = Stage::Cancelled { at };
            }
            world.schedule(REMEMBERED, due(format!("forget {id}")));
            Ok(reply::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(reply::not_found()),
    }
}
