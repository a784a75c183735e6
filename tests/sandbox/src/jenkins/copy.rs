//! Copies of items: ItemGroupMixIn.copy and what Folder and Job do in `onCopiedFrom`. A copy has the configuration of its
//! source, credentials of a folder included, and none of its builds; the items of a folder are copied with it. Jobs take
//! no builds until somebody saves them.

use super::access::{self, Permission};
use super::reply::{self, Reply};
use super::route::Ask;
use super::{Item, full_name};
use crate::world::World;

/// The item that `from` names, as seen from `folder`, under another name.
pub(super) fn item(world: &mut World, ask: &Ask<'_>, folder: &[String], name: &str) -> Result<Item, Reply> {
    let from =
        ask.field("from").filter(|from| !from.is_empty()).ok_or_else(|| reply::failure("Specify which job to copy"))?;
    let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let path = match from.strip_prefix('/') {
        Some(absolute) => parts(absolute),
        None => [folder, &parts(from)].concat(),
    };
    let visible = access::may(&world.jenkins, &ask.caller, Permission::ItemRead, &path);
    let source = world.jenkins.find(&path).filter(|_| visible).cloned();
    let source = source.ok_or_else(|| reply::failure(&format!("No such job: {from}")))?;
    access::require(&world.jenkins, &ask.caller, Permission::ItemExtendedRead, &path)?;
    Ok(Item { name: name.to_owned(), ..fresh(world, ask, &path, source) })
}

/// The same item as one that was never built, with what the caller may see of its items.
fn fresh(world: &mut World, ask: &Ask<'_>, path: &[String], source: Item) -> Item {
    let mut children = std::collections::BTreeMap::new();
    for (key, child) in source.children {
        let inner = [path, std::slice::from_ref(&child.name)].concat();
        let may = |permission| access::may(&world.jenkins, &ask.caller, permission, &inner);
        if may(Permission::ItemRead) && may(Permission::ItemExtendedRead) {
            children.insert(key, fresh(world, ask, &inner, child));
        }
    }
    let serial = world.jenkins.next_serial();
    Item {
        children,
        builds: Vec::new(),
        polled: Default::default(),
        next_build: 1,
        held_until_saved: true,
        serial,
        ..source
    }
}

/// Whether a job takes builds, and if not, what is said.
pub(super) fn check_buildable(item: &Item, path: &[String]) -> Result<(), Reply> {
    if item.buildable() { Ok(()) } else { Err(reply::conflict(&format!("{} is not buildable", full_name(path)))) }
}
