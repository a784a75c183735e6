//! Moves of items to another folder, or to the root: `move/move` of the folder plugin (DefaultRelocationUI.doMove,
//! StandardHandler). A destination that does not suit is no error there: the answer leads back, and nothing has moved.

use http::StatusCode;

use super::access::{self, Permission};
use super::reply::{self, Answer};
use super::route::{Ask, url_path};
use super::{builds, full_name, key, views};
use crate::world::World;

/// Moves the item at `path` to the folder that `destination` names: `/A/B`, or `/` for the root.
pub(super) fn answer(world: &mut World, ask: &Ask<'_>, path: &[String]) -> Answer {
    ask.require_post()?;
    access::require(&world.jenkins, &ask.caller, Permission::ItemMove, path)?;
    let back = Ok(reply::located(StatusCode::FOUND, "."));
    let Some(folder) = ask.field("destination").and_then(|named| folder(world, named)) else { return back };
    let (name, parent) = path.split_last().ok_or_else(reply::not_found)?;
    if !suits(world, ask, path, name, &folder) || folder == parent {
        return back;
    }
    let item = world.jenkins.find(path).ok_or_else(reply::not_found)?;
    let queued = world.jenkins.queue.values().any(|queued| !builds::has_left(queued) && queued.job.starts_with(path));
    if queued || item.builds.iter().any(|build| build.result.is_none()) {
        // What becomes of a build whose job moves is not known here.
        return Err(reply::broken("the sandbox moves no item that is queued or building"));
    }
    let siblings = world.jenkins.siblings_mut(parent).ok_or_else(reply::not_found)?;
    let mut item = siblings.remove(&key(parent, name)).ok_or_else(reply::not_found)?;
    item.saved();
    let moved = [folder.as_slice(), std::slice::from_ref(&item.name)].concat();
    views::follow(&mut world.jenkins, path, Some(&moved));
    let into = world.jenkins.siblings_mut(&folder).ok_or_else(reply::not_found)?;
    into.insert(key(&folder, &item.name), item);
    Ok(reply::located(StatusCode::FOUND, &format!("{}/", url_path(&ask.base, &moved))))
}

/// The folder of exactly that full name behind a slash; a slash alone is the root.
fn folder(world: &World, destination: &str) -> Option<Vec<String>> {
    let named = destination.strip_prefix('/')?;
    if named.is_empty() {
        return Some(Vec::new());
    }
    let folder: Vec<String> = named.split('/').map(str::to_owned).collect();
    // Looking up does not regard the case at the root, comparing full names does.
    (full_name(&world.jenkins.named(&folder)?) == named).then_some(folder)
}

/// Whether the item may go there: a folder that takes it, not below the item itself, where no item has its name.
fn suits(world: &World, ask: &Ask<'_>, path: &[String], name: &str, folder: &[String]) -> bool {
    let is_group = folder.is_empty() || world.jenkins.find(folder).is_some_and(super::Item::is_folder);
    let may = |permission| access::may(&world.jenkins, &ask.caller, permission, folder);
    let free = world.jenkins.siblings(folder).is_some_and(|siblings| !siblings.contains_key(&key(folder, name)));
    is_group && free && may(Permission::ItemCreate) && may(Permission::ItemRead) && !folder.starts_with(path)
}
