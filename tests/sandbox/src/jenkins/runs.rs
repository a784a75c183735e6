//! Builds that have begun: which one a permalink names (PeepholePermalink), what it wrote, what may be done to it (Run).
//! How a build comes to be is told in `builds`; nothing here starts one.

use http::{HeaderName, StatusCode};

use super::access::{self, Permission};
use super::reply::{self, Answer};
use super::route::{Ask, url_path};
use super::{Build, Item, builds, export, full_name};
use crate::world::World;

/// The names that stand for a build, and which builds each may mean, newest first; `firstBuild` is the oldest.
type Permalink = (&'static str, fn(&Build) -> bool);

const PERMALINKS: &[Permalink] = &[
    ("lastBuild", |_| true),
    ("lastCompletedBuild", |build| build.result.is_some()),
    ("lastStableBuild", |build| ended(build, &["SUCCESS"])),
    ("lastSuccessfulBuild", |build| ended(build, &["SUCCESS", "UNSTABLE"])),
    ("lastUnstableBuild", |build| ended(build, &["UNSTABLE"])),
    ("lastFailedBuild", |build| ended(build, &["FAILURE"])),
    ("lastUnsuccessfulBuild", |build| build.result.is_some() && !ended(build, &["SUCCESS"])),
];

fn ended(build: &Build, results: &[&str]) -> bool {
    build.result.as_deref().is_some_and(|result| results.contains(&result))
}

/// What each permalink of a job means now, `firstBuild` included.
pub(super) fn permalinks(item: &Item) -> impl Iterator<Item = (&'static str, Option<&Build>)> {
    let last = |(name, wanted): &Permalink| (*name, item.builds.iter().rev().find(|build| wanted(build)));
    std::iter::once(("firstBuild", item.builds.first())).chain(PERMALINKS.iter().map(last))
}

/// The build of that number or permalink.
fn named<'a>(item: &'a Item, which: &str) -> Option<&'a Build> {
    match which.parse::<u32>() {
        Ok(number) => item.builds.iter().find(|build| build.number == number),
        Err(_) => permalinks(item).find(|(name, _)| *name == which).and_then(|(_, build)| build),
    }
}

/// What a build has written: nothing runs, so it is why it started and, once it has ended, how.
fn console(build: &Build) -> String {
    let ended = build.result.iter().map(|result| format!("Finished: {result}\n"));
    build.causes.iter().map(|cause| format!("{cause}\n")).chain(ended).collect()
}

/// The console from `start` on, with how far it goes and whether more may come (LargeText.doProgressText).
fn progressive(ask: &Ask<'_>, build: &Build) -> Answer {
    let text = console(build);
    let start = ask.field("start").and_then(|start| start.parse::<usize>().ok()).unwrap_or(0);
    let rest = text.get(start..).unwrap_or(&text).to_owned();
    let mut answer = reply::text(rest);
    reply::set(&mut answer, HeaderName::from_static("x-text-size"), &text.len().to_string());
    if build.result.is_none() {
        reply::set(&mut answer, HeaderName::from_static("x-more-data"), "true");
    }
    Ok(answer)
}

/// `/job/X/N/...` and `/job/X/lastBuild/...`.
pub(super) fn answer(world: &mut World, ask: &Ask<'_>, path: &[String], which: &str, rest: &[&str]) -> Answer {
    let item = world.jenkins.find(path).ok_or_else(reply::not_found)?;
    let build = named(item, which).ok_or_else(reply::not_found)?;
    let number = build.number;
    let parent = format!("{}/", url_path(&ask.base, path));
    match rest {
        ["api", "json" | "python"] => export::answer(ask, &export::build(ask, path, item, build)),
        ["consoleText"] => Ok(reply::text(console(build))),
        ["logText", "progressiveText"] => progressive(ask, build),
        ["stop"] => {
            ask.require_post()?;
            access::require(&world.jenkins, &ask.caller, Permission::ItemCancel, path)?;
            builds::finish(world, path, number, Some("ABORTED"));
            Ok(reply::located(StatusCode::FOUND, &parent))
        }
        ["submitDescription"] => {
            ask.require_post()?;
            access::require(&world.jenkins, &ask.caller, Permission::RunUpdate, path)?;
            let description = ask.field("description").map(str::to_owned);
            let item = world.jenkins.find_mut(path).ok_or_else(reply::not_found)?;
            item.builds.iter_mut().filter(|build| build.number == number).for_each(|build| {
                build.description.clone_from(&description);
            });
            Ok(reply::located(StatusCode::FOUND, "."))
        }
        ["doDelete"] => {
            ask.require_post()?;
            access::require(&world.jenkins, &ask.caller, Permission::RunDelete, path)?;
            let item = world.jenkins.find_mut(path).ok_or_else(reply::not_found)?;
            // Run.delete refuses, and Run.doDoDelete shows delete-retry.jelly in the place of the redirect.
            if item.builds.iter().any(|build| build.number == number && build.result.is_none()) {
                let build = format!("{} #{number}", full_name(path));
                return Ok(reply::html(&format!("Unable to delete {build} because it is still running")));
            }
            item.builds.retain(|build| build.number != number);
            Ok(reply::located(StatusCode::FOUND, &parent))
        }
        [] => Ok(reply::html("build")),
        _ => Err(reply::not_found()),
    }
}
