//! `api/json`: items, builds and queue items as Jenkins exports them. With `tree=` only what it asks for; without it
//! the first level, and with `depth` all of it.

use serde_json::{Value, json};

use super::access::{self, Permission};
use super::builds;
use super::reply::{self, Answer};
use super::route::{Ask, url_path};
use super::{Build, Item, ItemKind, QueueItem, Stage, classes, full_name, python, runs, tree, views};
use crate::world::World;

/// What is exported without `tree` and `depth`.
const FIRST_LEVEL: &str = "mode,nodeName,nodeDescription,numExecutors,quietingDown,useCrumbs,useSecurity,url,\
    name,displayName,fullName,fullDisplayName,description,buildable,color,inQueue,keepDependencies,disabled,concurrentBuild,\
    nextBuildNumber,resumeBlocked,number,result,building,timestamp,duration,queueId,id,why,blocked,stuck,inQueueSince,params,\
    cancelled,anonymous,authenticated,authorities,crumb,crumbRequestField,typeName,plugins[shortName],\
    jobs[name,url,color],builds[number,url],lastBuild[number,url],lastCompletedBuild[number,url],\
    lastSuccessfulBuild[number,url],lastFailedBuild[number,url],firstBuild[number,url],lastStableBuild[number,url],\
    lastUnstableBuild[number,url],lastUnsuccessfulBuild[number,url],previousBuild[number,url],nextBuild[number,url],\
    inProgress,keepLog,artifacts,absoluteUrl,domains[*],queueItem[id],\
    items[task[name,url,color],actions[parameters[name,value],causes[shortDescription,userId,userName,addr,note]],*],task[name,url,color],\
    executable[number,url],actions[parameterDefinitions[name,type,description,choices,defaultParameterValue[name,value]],\
    parameters[name,value],causes[shortDescription,userId,userName,addr,note]],\
    property[parameterDefinitions[name,type,description,choices,defaultParameterValue[name,value]]],\
    credentials[id,typeName,description,displayName],global,urlName,views[name,url],primaryView[name,url],\
    busyExecutors,totalExecutors,computer[displayName,description,numExecutors,executors,oneOffExecutors,assignedLabels[name],\
    idle,offline,offlineCauseReason,temporarilyOffline,jnlpAgent],executors,oneOffExecutors,assignedLabels[name],idle,offline,\
    offlineCauseReason,temporarilyOffline,jnlpAgent,\
    shortName,longName,version,active,enabled,deleted,hasUpdate,requiredCoreVersion";

/// Sends a value as its request asks for it.
pub(super) fn answer(ask: &Ask<'_>, value: &Value) -> Answer {
    let picked = match ask.field("tree") {
        None if is_deep(ask) => Ok(without_all_builds(value.clone())),
        tree => tree::pick(value, tree.unwrap_or(FIRST_LEVEL)),
    };
    let picked = picked.map_err(|error| reply::broken(&error))?;
    let python = ask.path.last().is_some_and(|last| last == "python");
    Ok(if python { reply::python(python::write(&picked)) } else { reply::json(&picked) })
}

/// A list of all builds is shown only where it is asked for by its name.
fn without_all_builds(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.remove("allBuilds");
            members.values_mut().for_each(|member| *member = without_all_builds(member.take()));
        }
        Value::Array(values) => values.iter_mut().for_each(|inner| *inner = without_all_builds(inner.take())),
        _ => {}
    }
    value
}

/// Whether a request may ask for members with this in their name. What it surely does not ask for need not be put together,
/// which for all jobs of many projects is most of the work.
pub(super) fn asks_for(ask: &Ask<'_>, name: &str) -> bool {
    ask.field("tree").is_none_or(|tree| tree.contains(name) || tree.contains('*'))
}

/// How many folders deep a request may ask for what is in them: below that, nothing need be put together.
fn levels(ask: &Ask<'_>) -> usize {
    match ask.field("tree") {
        Some(tree) => tree.matches("jobs").count() + tree.matches('*').count(),
        None if is_deep(ask) => usize::MAX,
        None => 1,
    }
}

fn is_deep(ask: &Ask<'_>) -> bool {
    ask.field("depth").and_then(|depth| depth.parse::<u32>().ok()).unwrap_or(0) > 0
}

/// The items in a folder (or at the root) that the caller may see.
pub(super) fn items(world: &World, ask: &Ask<'_>, folder: &[String]) -> Vec<Value> {
    items_in(world, ask, folder, levels(ask))
}

/// The same, so many folders deep, of which this is the first.
fn items_in(world: &World, ask: &Ask<'_>, folder: &[String], levels: usize) -> Vec<Value> {
    let Some(siblings) = world.jenkins.siblings(folder) else { return Vec::new() };
    let path = |child: &Item| [folder, std::slice::from_ref(&child.name)].concat();
    siblings
        .values()
        .map(path)
        .filter(|path| access::may(&world.jenkins, &ask.caller, Permission::ItemRead, path))
        .filter_map(|path| {
            world.jenkins.find(&path).map(|found| item_with(world, ask, &path, found, levels.saturating_sub(1)))
        })
        .collect()
}

fn class(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Folder => classes::FOLDER,
        ItemKind::Pipeline => "org.jenkinsci.plugins.workflow.job.WorkflowJob",
        ItemKind::Freestyle => "hudson.model.FreeStyleProject",
    }
}

fn class_of_builds(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Freestyle => "hudson.model.FreeStyleBuild",
        _ => "org.jenkinsci.plugins.workflow.job.WorkflowRun",
    }
}

/// One item.
pub(super) fn item(world: &World, ask: &Ask<'_>, path: &[String], item: &Item) -> Value {
    item_with(world, ask, path, item, levels(ask))
}

/// The same, with what is in it so many folders deep.
fn item_with(world: &World, ask: &Ask<'_>, path: &[String], item: &Item, levels: usize) -> Value {
    let mut value = json!({
        "_class": class(item.kind),
        "name": item.name,
        "displayName": item.config.child_text("displayName").unwrap_or(&item.name),
        "fullName": full_name(path),
        "fullDisplayName": path.join(" » "),
        "description": item.config.child_text("description"),
        "url": format!("{}/", url_path(&ask.base, path)),
    });
    let more = if item.is_folder() { folder(world, ask, path, levels) } else { job(world, ask, path, item) };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

fn folder(world: &World, ask: &Ask<'_>, path: &[String], levels: usize) -> Value {
    let mut members = views::members(world, ask, path);
    if levels > 0 {
        members["jobs"] = items_in(world, ask, path, levels).into();
    }
    members
}

fn job(world: &World, ask: &Ask<'_>, path: &[String], item: &Item) -> Value {
    let queued = world.jenkins.queue.values().find(|queued| queued.job == path && !builds::has_left(queued));
    let exported = |found| build(ask, path, item, found);
    let asked_for = item.builds.iter().rev().filter(|_| asks_for(ask, "uild"));
    let builds: Vec<Value> = asked_for.map(exported).collect();
    let mut members = json!({
        "actions": if asks_for(ask, "actions") { property_actions(item) } else { Vec::new() },
        "buildable": item.buildable(),
        "disabled": item.disabled(),
        "concurrentBuild": item.property(classes::ONE_AT_A_TIME).is_none(),
        "keepDependencies": false,
        "color": color(item),
        "inQueue": queued.is_some(),
        "queueItem": queued.map(|queued| queue_item(world, ask, queued)),
        "nextBuildNumber": item.next_build,
        // Job.getNewBuilds gives a hundred of Job.getBuilds.
        "builds": builds.iter().take(100).collect::<Vec<_>>(),
        "allBuilds": builds,
        "property": if asks_for(ask, "property") { properties(item) } else { Vec::new() },
    });
    if asks_for(ask, "uild") {
        for (name, found) in runs::permalinks(item) {
            members[name] = found.map(exported).into();
        }
    }
    members
}

/// How a job's builds went, and whether one runs (Job.getIconColor).
fn color(item: &Item) -> String {
    let color = match item.builds.iter().rev().find_map(|build| build.result.as_deref()) {
        _ if item.disabled() => "disabled",
        None => "notbuilt",
        Some("SUCCESS") => "blue",
        Some("UNSTABLE") => "yellow",
        Some("FAILURE") => "red",
        Some(_) => "aborted",
    };
    let running = item.builds.iter().any(|build| build.result.is_none());
    format!("{color}{}", if running { "_anime" } else { "" })
}

/// Job.getActions has those of the properties, and a list of parameters is an action of its own.
fn property_actions(item: &Item) -> Vec<Value> {
    properties(item).into_iter().filter(|property| property.get("parameterDefinitions").is_some()).collect()
}

fn properties(item: &Item) -> Vec<Value> {
    let parameter = |definition: &super::Element| {
        let text = |name: &str| definition.child_text(name).unwrap_or_default().to_owned();
        let kind = definition.name.rsplit('.').next().unwrap_or_default();
        let default = match definition.name == classes::CREDENTIALS_PARAMETER {
            true => json!({"name": text("name")}),
            false => builds::default_of(definition)
                .map_or(Value::Null, |value| json!({"name": text("name"), "value": value})),
        };
        let mut shown = json!({
            "_class": definition.name, "name": text("name"), "type": kind, "description": text("description"),
            "defaultParameterValue": default,
        });
        if let Some(choices) = builds::choices(definition) {
            shown["choices"] = choices.into();
        }
        shown
    };
    let all = item.config.child("properties").map(|list| list.children.as_slice()).unwrap_or_default();
    let one = |property: &super::Element| match property.child("parameterDefinitions") {
        Some(list) => json!({
            "_class": property.name,
            "parameterDefinitions": list.children.iter().map(parameter).collect::<Vec<_>>(),
        }),
        None => json!({"_class": property.name}),
    };
    all.iter().map(one).collect()
}

/// Why something was built, from the sentence that is kept of it: Cause.UserIdCause, Cause.RemoteCause, SCMTriggerCause.
fn cause(sentence: &str) -> Value {
    if let Some(user) = sentence.strip_prefix("Started by user ") {
        let id = (user != "anonymous").then_some(user);
        return json!({"_class": "hudson.model.Cause$UserIdCause", "shortDescription": sentence, "userId": id, "userName": user});
    }
    if let Some(remote) = sentence.strip_prefix("Started by remote host ") {
        let (host, note) = remote.split_once(" with note: ").map_or((remote, None), |(host, note)| (host, Some(note)));
        return json!({"_class": "hudson.model.Cause$RemoteCause", "shortDescription": sentence, "addr": host, "note": note});
    }
    json!({"_class": "hudson.triggers.SCMTrigger$SCMTriggerCause", "shortDescription": sentence})
}

fn actions(item: Option<&Item>, parameters: &[(String, String)], causes: &[String]) -> Value {
    let mut actions = Vec::new();
    if !parameters.is_empty() {
        // CredentialsParameterValue exports no value.
        let parameter = |(name, value): &(String, String)| match item.is_some_and(|item| is_credentials(item, name)) {
            true => json!({"_class": "com.cloudbees.plugins.credentials.CredentialsParameterValue", "name": name}),
            false => json!({"_class": "hudson.model.StringParameterValue", "name": name, "value": value}),
        };
        let parameters: Vec<Value> = parameters.iter().map(parameter).collect();
        actions.push(json!({"_class": "hudson.model.ParametersAction", "parameters": parameters}));
    }
    let causes: Vec<Value> = causes.iter().map(|sentence| cause(sentence)).collect();
    actions.push(json!({"_class": "hudson.model.CauseAction", "causes": causes}));
    Value::Array(actions)
}

/// Whether a job's parameter is the id of credentials.
fn is_credentials(item: &Item, name: &str) -> bool {
    let list = item.property(classes::PARAMETERS).and_then(|property| property.child("parameterDefinitions"));
    let mut all = list.iter().flat_map(|list| &list.children);
    all.any(|one| one.name == classes::CREDENTIALS_PARAMETER && one.child_text("name") == Some(name))
}

/// One build.
pub(super) fn build(ask: &Ask<'_>, path: &[String], item: &Item, build: &Build) -> Value {
    let duration = build.ended.map_or(0, |ended| ended.as_millisecond() - build.started.as_millisecond());
    let neighbour = |number: Option<u32>| {
        let found = number.and_then(|number| item.builds.iter().find(|build| build.number == number));
        found.map(
            |found| json!({"number": found.number, "url": format!("{}/{}/", url_path(&ask.base, path), found.number)}),
        )
    };
    let mut all = actions(Some(item), &build.parameters, &build.causes);
    if let (Some(all), Some(checkout)) = (all.as_array_mut(), &build.checkout) {
        let (url, branch) = &checkout.source;
        let revision = json!({"SHA1": checkout.revision, "branch": [{"SHA1": checkout.revision, "name": branch}]});
        all.push(json!({
            "_class": "hudson.plugins.git.util.BuildData", "lastBuiltRevision": revision, "remoteUrls": [url], "scmName": "",
        }));
    }
    let before = item.builds.iter().map(|other| other.number).filter(|number| *number < build.number).max();
    let after = item.builds.iter().map(|other| other.number).filter(|number| *number > build.number).min();
    json!({
        "_class": class_of_builds(item.kind),
        "displayName": format!("#{}", build.number),
        "description": build.description,
        "inProgress": build.result.is_none(),
        "keepLog": false,
        "artifacts": [],
        "previousBuild": neighbour(before),
        "nextBuild": neighbour(after),
        "number": build.number,
        "id": build.number.to_string(),
        "queueId": build.queue_id,
        "url": format!("{}/{}/", url_path(&ask.base, path), build.number),
        "fullDisplayName": format!("{} #{}", path.join(" » "), build.number),
        "building": build.result.is_none(),
        "result": build.result,
        "timestamp": build.started.as_millisecond(),
        "duration": duration,
        "actions": all,
    })
}

/// One queue item.
pub(super) fn queue_item(world: &World, ask: &Ask<'_>, queued: &QueueItem) -> Value {
    let params: String = queued.parameters.iter().map(|(name, value)| format!("\n{name}={value}")).collect();
    let job = url_path(&ask.base, &queued.job);
    let found = world.jenkins.find(&queued.job);
    let kind = found.map_or(ItemKind::Pipeline, |item| item.kind);
    let (stage, why) = match queued.stage {
        Stage::Waiting { .. } => ("hudson.model.Queue$WaitingItem", Some("In the quiet period".to_owned())),
        Stage::Blocked => ("hudson.model.Queue$BlockedItem", Some(builds::why_blocked(world, queued))),
        Stage::Started { .. } | Stage::Cancelled { .. } => ("hudson.model.Queue$LeftItem", None),
    };
    let mut value = json!({
        "_class": stage,
        "id": queued.id,
        "why": why,
        "blocked": queued.stage == Stage::Blocked,
        "buildable": false,
        "stuck": false,
        "inQueueSince": queued.since.as_millisecond(),
        "params": params,
        "url": format!("queue/item/{}/", queued.id),
        "task": {
            "_class": class(kind), "name": queued.job.last(), "url": format!("{job}/"), "color": found.map(color),
        },
        "actions": actions(found, &queued.parameters, &queued.causes),
    });
    match queued.stage {
        Stage::Waiting { until } => value["timestamp"] = json!(until.as_millisecond()),
        Stage::Blocked => {}
        Stage::Started { number, .. } => {
            value["cancelled"] = json!(false);
            value["executable"] = json!({
                "_class": class_of_builds(kind), "number": number, "url": format!("{job}/{number}/"),
            });
        }
        Stage::Cancelled { .. } => {
            value["cancelled"] = json!(true);
            value["executable"] = Value::Null;
        }
    }
    value
}
