//! What concerns Jenkins as a whole: who the caller is, crumbs, plugins, quiet-down and the root's own JSON.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::access::{self, Permission};
use super::reply::{self, Answer};
use super::route::Ask;
use super::{Mode, Stage, builds, export};
use crate::world::World;

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
        ["api", "json"] => export::answer(ask, &root(world, ask)),
        ["crumbIssuer", "api", "json"] => crumb(world, ask),
        ["pluginManager", "api", "json"] => {
            // Jenkins.checkAnyPermission names the last one: the others are off unless somebody switches them on.
            if !access::may(&world.jenkins, &ask.caller, Permission::OverallSystemRead, &[]) {
                access::require(&world.jenkins, &ask.caller, Permission::OverallAdminister, &[])?;
            }
            export::answer(ask, &plugins(world))
        }
        ["quietDown"] => switch(world, ask, Mode::QuietDown),
        ["cancelQuietDown"] => switch(world, ask, Mode::Normal),
        ["restart" | "safeRestart"] => {
            administer(world, ask)?;
            world.jenkins.restart();
            Ok(reply::located(StatusCode::FOUND, &format!("{}/", ask.base)))
        }
        _ => Err(reply::not_found()),
    }
}

fn root(world: &World, ask: &Ask<'_>) -> Value {
    let jenkins = &world.jenkins;
    json!({
        "_class": "hudson.model.Hudson",
        "mode": "NORMAL",
        "nodeName": "",
        "nodeDescription": "the Jenkins controller's built-in node",
        "numExecutors": 2,
        "quietingDown": jenkins.mode == Mode::QuietDown,
        "useCrumbs": jenkins.use_crumbs,
        "useSecurity": true,
        "url": format!("{}/", ask.base),
        "jobs": export::items(world, ask, &[]),
    })
}

fn crumb(world: &World, ask: &Ask<'_>) -> Answer {
    if !world.jenkins.use_crumbs {
        return Err(reply::not_found());
    }
    let name = ask.caller.name();
    let session = access::session(ask.headers).unwrap_or_else(|| format!("node0{name}{}", world.jenkins.session));
    let value = json!({
        "_class": "hudson.security.csrf.DefaultCrumbIssuer", "crumbRequestField": "Jenkins-Crumb",
        "crumb": access::crumb(name, &session),
    });
    Ok(reply::with_cookie(export::answer(ask, &value)?, &session))
}

fn plugins(world: &World) -> Value {
    let plugin = |(name, version): (&String, &String)| {
        json!({
            "shortName": name, "version": version, "active": true, "enabled": true, "deleted": false,
            "hasUpdate": false, "requiredCoreVersion": "2.479", "dependencies": [],
        })
    };
    json!({"_class": "hudson.LocalPluginManager", "plugins": world.jenkins.plugins.iter().map(plugin).collect::<Vec<_>>()})
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
