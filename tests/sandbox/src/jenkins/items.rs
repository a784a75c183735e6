//! Folders and jobs: create, copy, read, update, rename, delete. The texts and statuses are those of ItemGroupMixIn and
//! AbstractItem.

use http::{Method, StatusCode};

use super::access::{self, Permission};
use super::classes::{FOLDER, FOLDER_CREDENTIALS, FREESTYLE, PIPELINE};
use super::names::check_good_name;
use super::reply::{self, Answer, Reply};
use super::route::{Ask, url_path};
use super::xml::{self, Element};
use super::{
    Item, ItemKind, Jenkins, builds, config, copy, credentials, export, full_name, key, matrix, moves, polling, views,
};
use crate::world::World;

impl Jenkins {
    /// The path of an item in the case in which it was created.
    pub(super) fn named(&self, path: &[String]) -> Option<Vec<String>> {
        (1..=path.len()).map(|depth| self.find(&path[..depth]).map(|item| item.name.clone())).collect()
    }
}

/// Creates an item in a folder, or at the root.
pub(super) fn create(world: &mut World, ask: &Ask<'_>, folder: &[String]) -> Answer {
    ask.require_post()?;
    access::require(&world.jenkins, &ask.caller, Permission::ItemCreate, folder)?;
    let copied = ask.field("mode") == Some("copy");
    if !copied {
        ask.content_type().ok_or_else(|| reply::failure("No Content-Type header set"))?;
    }
    let name = ask.field("name").ok_or_else(|| reply::failure("Query parameter 'name' is required"))?;
    let name = check_good_name(name).map_err(|error| reply::failure(&error))?.to_owned();
    let siblings = world.jenkins.siblings(folder).ok_or_else(reply::not_found)?;
    if let Some(taken) = siblings.get(&key(folder, &name)) {
        let path = [folder, std::slice::from_ref(&taken.name)].concat();
        if !access::may(&world.jenkins, &ask.caller, Permission::ItemRead, &path) {
            return Err(hidden(world, ask, &path));
        }
        return Err(reply::failure(&format!("A job already exists with the name ‘{name}’")));
    }
    let by_kind = !copied && !ask.is_xml() && ask.field("mode").is_some();
    let mut item = if copied { copy::item(world, ask, folder, &name)? } else { posted(world, ask, &name)? };
    let path = [folder, std::slice::from_ref(&name)].concat();
    let serial = item.serial;
    let missing = [Permission::ItemRead, Permission::ItemConfigure];
    let missing: Vec<Permission> =
        missing.into_iter().filter(|what| !access::may(&world.jenkins, &ask.caller, *what, &path)).collect();
    matrix::give_to_creator(&world.jenkins, ask.caller.name(), &missing, &mut item);
    let polled = world.jenkins.polling && polling::polls(&item);
    let siblings = world.jenkins.siblings_mut(folder).ok_or_else(reply::not_found)?;
    siblings.insert(key(folder, &name), item);
    if polled {
        polling::schedule(world, serial, &path);
    }
    if copied || by_kind {
        return Ok(reply::located(StatusCode::FOUND, &format!("{}/configure", url_path(&ask.base, &path))));
    }
    Ok(reply::empty(StatusCode::OK))
}

/// An item of that name which the caller may not read: whoever may discover it is told so by ItemGroup.getItem, all
/// others get no reason from Items.verifyItemDoesNotAlreadyExist.
fn hidden(world: &World, ask: &Ask<'_>, path: &[String]) -> Reply {
    if access::may(&world.jenkins, &ask.caller, Permission::ItemDiscover, path) {
        return reply::refused(&format!("Please login to access job {}", full_name(path)));
    }
    reply::failure_without_reason()
}

fn posted(world: &mut World, ask: &Ask<'_>, name: &str) -> Result<Item, Reply> {
    let source = match ask.field("mode").filter(|_| !ask.is_xml()) {
        Some(mode) => empty(mode).ok_or_else(|| reply::failure(&format!("No item type ‘{mode}’ is known")))?,
        None => ask.require_xml("No mode given")?,
    };
    let broken = |error: &str| reply::broken(&format!("Failed to persist config.xml: {error}"));
    let mut config = config::load(&source, &world.jenkins.plugins).map_err(|error| broken(&error))?;
    let raw = if config::is_saved_on_load(&source) { None } else { xml::transformed(&source).ok() };
    config::stamp(&mut config, &mut || world.jenkins.next_serial());
    let kind = kind_of(&config).ok_or_else(|| broken("it is no item"))?;
    Ok(Item {
        name: name.to_owned(),
        kind,
        config,
        raw,
        children: Default::default(),
        credentials: Default::default(),
        has_store: false,
        builds: Vec::new(),
        polled: Default::default(),
        next_build: 1,
        held_until_saved: false,
        serial: world.jenkins.next_serial(),
    })
}

/// The document of an empty item by its class: what a form asks for that names a kind.
fn empty(class: &str) -> Option<String> {
    let root = match class {
        FOLDER => FOLDER,
        "org.jenkinsci.plugins.workflow.job.WorkflowJob" => PIPELINE,
        "hudson.model.FreeStyleProject" => FREESTYLE,
        _ => return None,
    };
    Some(format!("<{root}/>"))
}

fn kind_of(config: &Element) -> Option<ItemKind> {
    match config.name.as_str() {
        FOLDER => Some(ItemKind::Folder),
        PIPELINE => Some(ItemKind::Pipeline),
        FREESTYLE => Some(ItemKind::Freestyle),
        _ => None,
    }
}

/// Everything that is asked of one item and is not a build.
pub(super) fn answer(world: &mut World, ask: &Ask<'_>, path: &[String], rest: &[&str]) -> Answer {
    let item = world.jenkins.find(path).ok_or_else(reply::not_found)?;
    let is_folder = item.is_folder();
    match rest {
        ["api", "json" | "python"] => export::answer(ask, &export::item(world, ask, path, item)),
        ["config.xml"] if ask.method == Method::GET => read_config(world, ask, path),
        ["config.xml"] if ask.method == Method::POST => update_config(world, ask, path),
        ["config.xml"] => Err(reply::empty(StatusCode::BAD_REQUEST)),
        ["doDelete"] => {
            ask.require_post()?;
            delete(world, ask, path, StatusCode::FOUND)
        }
        ["disable" | "enable"] if !is_folder => configure(world, ask, path, |item| {
            item.config.set_child("disabled", if rest == ["disable"] { "true" } else { "false" })
        }),
        ["submitDescription"] => {
            let description = ask.field("description").unwrap_or_default().to_owned();
            configure(world, ask, path, |item| item.config.set_child("description", &description))
        }
        ["confirmRename"] => rename(world, ask, path),
        ["doRename"] if !is_folder => rename(world, ask, path),
        ["createItem"] if is_folder => create(world, ask, path),
        ["view", which, rest @ ..] if is_folder => views::answer(world, ask, path, which, rest),
        // Where a copy, or an item made by its kind, leads to: the page shows whoever may read the configuration.
        ["configure"] => {
            access::require(&world.jenkins, &ask.caller, Permission::ItemExtendedRead, path)?;
            Ok(reply::html("configure"))
        }
        ["move", "move"] => moves::answer(world, ask, path),
        _ => Err(reply::not_found()),
    }
}

fn configure(world: &mut World, ask: &Ask<'_>, path: &[String], change: impl FnOnce(&mut Item)) -> Answer {
    ask.require_post()?;
    access::require(&world.jenkins, &ask.caller, Permission::ItemConfigure, path)?;
    let item = world.jenkins.find_mut(path).ok_or_else(reply::not_found)?;
    change(item);
    config::ensure_actions(&mut item.config);
    item.held_until_saved = false;
    item.saved();
    Ok(reply::located(StatusCode::FOUND, "."))
}

fn read_config(world: &World, ask: &Ask<'_>, path: &[String]) -> Answer {
    access::require(&world.jenkins, &ask.caller, Permission::ItemExtendedRead, path)?;
    let jenkins = &world.jenkins;
    let item = jenkins.find(path).ok_or_else(reply::not_found)?;
    let secrets_shown = access::may(jenkins, &ask.caller, Permission::ItemConfigure, path);
    let raw = item.raw.clone().filter(|_| !jenkins.rereads_config() && secrets_shown);
    if let Some(raw) = raw {
        return Ok(reply::xml(raw));
    }
    let mut shown = item.config.clone();
    if item.has_store || !item.credentials.is_empty() {
        let property = credentials::as_property(&item.credentials);
        match shown.child_mut("properties") {
            Some(list) => list.children.push(property),
            None => shown.children.push(Element { children: vec![property], ..Element::new("properties") }),
        }
    }
    let text = config::save(&shown, &jenkins.plugins, jenkins.style());
    Ok(reply::xml(if secrets_shown { text } else { mask(&text) }))
}

/// What ExtendedRead alone may see of encrypted values.
fn mask(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, secret)) = rest.split_once("{AQAA") {
        let after = secret.split_once('}').map_or("", |(_, after)| after);
        masked.push_str(before);
        masked.push_str("********");
        rest = after;
    }
    masked + rest
}

fn update_config(world: &mut World, ask: &Ask<'_>, path: &[String]) -> Answer {
    access::require(&world.jenkins, &ask.caller, Permission::ItemConfigure, path)?;
    let source = ask.text().ok_or_else(|| reply::broken("Failed to process config.xml"))?;
    let mut loaded = config::load(&source, &world.jenkins.plugins)
        .map_err(|error| reply::broken(&format!("Failed to process config.xml: {error}")))?;
    config::stamp(&mut loaded, &mut || world.jenkins.next_serial());
    let item = world.jenkins.find_mut(path).ok_or_else(reply::not_found)?;
    if kind_of(&loaded) != Some(item.kind) {
        return Err(reply::broken(&format!("Expecting class {} but got {}", item.config.name, loaded.name)));
    }
    // The store of a folder is one of its properties: what the new document does not hold is gone.
    let mut kept = std::collections::BTreeMap::new();
    let mut has_store = false;
    if let Some(list) = loaded.child_mut("properties") {
        for property in list.children.iter().filter(|property| property.name == FOLDER_CREDENTIALS) {
            kept.extend(credentials::from_property(property, &item.credentials));
            has_store = true;
        }
        list.children.retain(|property| property.name != FOLDER_CREDENTIALS);
    }
    (item.credentials, item.has_store) = (kept, has_store);
    item.config = loaded;
    // Before SECURITY-3744 the posted document took the place of whatever the load had saved.
    item.raw = xml::transformed(&source).ok();
    Ok(reply::empty(StatusCode::OK))
}

fn rename(world: &mut World, ask: &Ask<'_>, path: &[String]) -> Answer {
    ask.require_post()?;
    let (old, folder) = path.split_last().ok_or_else(reply::not_found)?;
    // AbstractItem.doCheckNewName: whoever may not configure it could as well copy it and delete it.
    if !access::may(&world.jenkins, &ask.caller, Permission::ItemConfigure, path) {
        access::require(&world.jenkins, &ask.caller, Permission::ItemCreate, folder)?;
        access::require(&world.jenkins, &ask.caller, Permission::ItemDelete, path)?;
    }
    let new = ask.field("newName").unwrap_or_default();
    let new = check_good_name(new).map_err(|error| reply::failure(&error))?.to_owned();
    let item = world.jenkins.find(path).ok_or_else(reply::not_found)?;
    if item.name == new {
        return Err(reply::failure("The new name is the same as the current name."));
    }
    check_free(world, ask, folder, &new)?;
    if item.builds.iter().any(|build| build.result.is_none()) {
        return Err(reply::failure("Unable to rename a job while it is building."));
    }
    let siblings = world.jenkins.siblings_mut(folder).ok_or_else(reply::not_found)?;
    if let Some(mut item) = siblings.remove(&key(folder, old)) {
        item.name = new.clone();
        item.saved();
        siblings.insert(key(folder, &new), item);
    }
    let renamed = [folder, std::slice::from_ref(&new)].concat();
    views::follow(&mut world.jenkins, path, Some(&renamed));
    let encoded = url_path("", &[new]).replace("/job/", "");
    Ok(reply::located(StatusCode::FOUND, &format!("../{encoded}")))
}

/// Refuses a taken name, at the root that of the item itself in another case, too (AbstractItem.checkIfNameIsUsed). Who
/// may neither read nor discover what has it is not told that something has.
fn check_free(world: &World, ask: &Ask<'_>, folder: &[String], new: &str) -> Result<(), Reply> {
    let Some(path) = world.jenkins.named(&[folder, &[new.to_owned()]].concat()) else { return Ok(()) };
    let may = |permission| access::may(&world.jenkins, &ask.caller, permission, &path);
    Err(reply::failure(&match may(Permission::ItemRead) || may(Permission::ItemDiscover) {
        true => format!("The name “{new}” is already in use."),
        false => format!("“{new}” is not an allowed name"),
    }))
}

/// Deletes an item with all below it; running builds and queued ones go with it.
pub(super) fn delete(world: &mut World, ask: &Ask<'_>, path: &[String], status: StatusCode) -> Answer {
    access::require(&world.jenkins, &ask.caller, Permission::ItemDelete, path)?;
    let (name, folder) = path.split_last().ok_or_else(reply::not_found)?;
    let siblings = world.jenkins.siblings_mut(folder).ok_or_else(reply::not_found)?;
    siblings.remove(&key(folder, name)).ok_or_else(reply::not_found)?;
    builds::forget(world, path);
    views::follow(&mut world.jenkins, path, None);
    match status {
        StatusCode::NO_CONTENT => Ok(reply::empty(status)),
        _ => Ok(reply::located(status, &format!("{}/", url_path(&ask.base, folder)))),
    }
}
