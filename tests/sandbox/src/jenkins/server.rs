//! What concerns Jenkins as a whole: who the caller is, crumbs, plugins, quiet-down and the root's own JSON.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::access::{self, Permission};
use super::reply::{self, Answer};
use super::route::{Ask, advertise};
use super::{Mode, Stage, builds, computers, export, views};
use crate::world::{Due, Part, World};

/// `whoAmI`: unprotected. An anonymous caller counts as authenticated, with an authority of that name.
pub(super) fn who_am_i(ask: &Ask<'_>) -> Answer {
    let known = ask.caller.user.is_some();
    let value = json!({
        "_class": "hudson.security.WhoAmI", "name": ask.caller.name(), "authenticated": true,
        "anonymous": !known, "authorities": [if known { "authenticated" } else { "anonymous" }],
    });
    export::answer(ask, &value)
}

/// Everything below the root that is no item.
pub(super) fn answer(world: &mut World, ask: &Ask<'_>, path: &[&str]) -> Answer {
    match path {
        ["api", "json" | "python"] => export::answer(ask, &root(world, ask)),
        ["crumbIssuer", "api", "json" | "python"] => crumb(world, ask),
        ["crumbIssuer", "api", "xml"] => crumb_text(world, ask),
        ["pluginManager", "api", "json" | "python"] => {
            access::require(&world.jenkins, &ask.caller, Permission::OverallSystemRead, &[])?;
            export::answer(ask, &plugins(world))
        }
        ["pluginManager", "plugin", name, "api", "json" | "python"] => {
            access::require(&world.jenkins, &ask.caller, Permission::OverallSystemRead, &[])?;
            let version = world.jenkins.plugins.get_key_value(*name).ok_or_else(reply::not_found)?;
            export::answer(ask, &plugin(version))
        }
        ["computer", rest @ ..] => computers::answer(world, ask, rest),
        ["createView"] => views::create(world, ask),
        ["me", "api", "json" | "python"] => match ask.caller.user.as_deref() {
            Some(name) => export::answer(ask, &user(ask, name)),
            None => Err(reply::refused("/me is not available when not logged in")),
        },
        ["user", name, "api", "json" | "python"] if world.jenkins.users.contains_key(*name) => {
            export::answer(ask, &user(ask, name))
        }
        ["quietDown"] => switch(world, ask, Mode::QuietDown),
        ["cancelQuietDown"] => switch(world, ask, Mode::Normal),
        ["restart" | "safeRestart"] => {
            administer(world, ask)?;
            restart(world);
            Ok(reply::located(StatusCode::FOUND, &format!("{}/", ask.base)))
        }
        _ => Err(reply::not_found()),
    }
}

/// Starts Jenkins anew. With the settings `jenkinsRestart` and `jenkinsUnauthorized` it takes time: 503, then 401 for
/// valid tokens, then 503 again, as a real one answers between "System config loaded" and its last step.
pub fn restart(world: &mut World) {
    world.jenkins.restart();
    let (dark, closed) = (world.settings.jenkins_restart, world.settings.jenkins_unauthorized);
    if dark + closed == Duration::ZERO {
        return;
    }
    world.jenkins.mode = Mode::Loading;
    let session = world.jenkins.session;
    for (after, word) in [(dark, "initializing"), (dark + closed, "loading"), (dark * 2 + closed, "normal")] {
        let id = format!("mode {word} {session}");
        world.schedule(after, Due { part: Part::Jenkins, account: String::new(), region: String::new(), id });
    }
}

/// One step of a restart, unless another restart came after it.
pub(super) fn step(world: &mut World, word: &str, session: &str) {
    if world.jenkins.session.to_string() != session {
        return;
    }
    match word {
        "initializing" => world.jenkins.mode = Mode::Initializing,
        "loading" => world.jenkins.mode = Mode::Loading,
        _ => set_mode(world, Mode::Normal),
    }
}

/// A user, as far as everybody may see one.
fn user(ask: &Ask<'_>, name: &str) -> Value {
    json!({
        "_class": "hudson.model.User", "absoluteUrl": format!("{}/user/{name}", ask.base), "description": null,
        "fullName": name, "id": name, "property": [],
    })
}

fn root(world: &World, ask: &Ask<'_>) -> Value {
    let jenkins = &world.jenkins;
    let views = views::members(world, ask, &[]);
    json!({
        "_class": "hudson.model.Hudson",
        "mode": "NORMAL",
        "nodeName": "",
        "nodeDescription": "the Jenkins controller's built-in node",
        "numExecutors": computers::EXECUTORS,
        "quietingDown": jenkins.mode == Mode::QuietDown,
        "useCrumbs": jenkins.use_crumbs,
        "useSecurity": true,
        "url": format!("{}/", ask.base),
        "jobs": if export::asks_for(ask, "jobs") { export::items(world, ask, &[]) } else { Vec::new() },
        "views": views["views"],
        "primaryView": views["primaryView"],
    })
}

/// The header that carries a crumb.
const CRUMB_FIELD: &str = "Jenkins-Crumb";

/// The caller's crumb and the session that it belongs to.
fn issue(world: &World, ask: &Ask<'_>) -> Result<(String, String), reply::Reply> {
    if !world.jenkins.use_crumbs {
        return Err(reply::not_found());
    }
    let name = ask.caller.name();
    let session = access::session(ask.headers).unwrap_or_else(|| format!("node0{name}{}", world.jenkins.session));
    Ok((access::crumb(name, &session), session))
}

fn crumb(world: &World, ask: &Ask<'_>) -> Answer {
    let (crumb, session) = issue(world, ask)?;
    let value = json!({
        "_class": "hudson.security.csrf.DefaultCrumbIssuer", "crumbRequestField": CRUMB_FIELD, "crumb": crumb,
    });
    Ok(reply::with_cookie(export::answer(ask, &value)?, &session))
}

/// The crumb as plain text, for the expressions that CrumbIssuer.RestrictedApi knows.
fn crumb_text(world: &World, ask: &Ask<'_>) -> Answer {
    let (crumb, session) = issue(world, ask)?;
    let text = match ask.field("xpath") {
        Some("/*/crumbRequestField/text()") => CRUMB_FIELD.to_owned(),
        Some("/*/crumb/text()") => crumb,
        Some("concat(//crumbRequestField,\":\",//crumb)") => format!("{CRUMB_FIELD}:{crumb}"),
        Some("concat(//crumbRequestField,'=',//crumb)") => format!("{CRUMB_FIELD}={crumb}"),
        _ => return Err(reply::no_xml()),
    };
    let mut answer = reply::with_cookie(reply::text(text), &session);
    advertise(world, &mut answer);
    Ok(answer)
}

fn plugins(world: &World) -> Value {
    json!({"_class": "hudson.LocalPluginManager", "plugins": world.jenkins.plugins.iter().map(plugin).collect::<Vec<_>>()})
}

fn plugin((name, version): (&String, &String)) -> Value {
    json!({
        "shortName": name, "longName": long_name(name), "version": version, "active": true, "enabled": true, "deleted": false,
        "hasUpdate": false, "requiredCoreVersion": "2.479", "dependencies": [],
    })
}

/// The name in a plugin's manifest. PluginWrapper.getLongName falls back on the short one, and so does this for plugins
/// that the operator does not rely on.
fn long_name(name: &str) -> &str {
    match name {
        "cloudbees-folder" => "Folders Plugin",
        "credentials" => "Credentials Plugin",
        "git" => "Git plugin",
        "workflow-job" => "Pipeline: Job",
        other => other,
    }
}

fn administer(world: &World, ask: &Ask<'_>) -> Result<(), reply::Reply> {
    access::require(&world.jenkins, &ask.caller, Permission::OverallAdminister, &[])?;
    if ask.method == Method::POST { Ok(()) } else { Err(reply::post_required()) }
}

fn switch(world: &mut World, ask: &Ask<'_>, mode: Mode) -> Answer {
    administer(world, ask)?;
    set_mode(world, mode);
    Ok(reply::located(StatusCode::FOUND, &format!("{}/", ask.base)))
}

/// Changes the mode; what was held back in the queue goes on when it may.
pub(super) fn set_mode(world: &mut World, mode: Mode) {
    world.jenkins.mode = mode;
    let blocked = |item: &&super::QueueItem| item.stage == Stage::Blocked;
    let ready: Vec<u64> = world.jenkins.queue.values().filter(blocked).map(|item| item.id).collect();
    for id in ready {
        builds::start(world, id);
    }
}
