//! Views as far as clients look at them: the one that shows everything, `all` at the root and `All` in a folder, which is
//! the primary one, so that its URL is its owner's (View.getUrl), and list views at the root (ListView). A list view keeps
//! its configuration as it was sent, but for its name and its jobs; a folder takes none, since nothing here changes the
//! `folderViews` of its configuration.

use http::{Method, StatusCode};
use regex::Regex;
use serde_json::{Value, json};

use super::access::{self, Permission};
use super::names::check_good_name;
use super::reply::{self, Answer, Reply};
use super::route::{Ask, url_path};
use super::xml::{self, Element};
use super::{Jenkins, config, export, full_name, owners};
use crate::world::World;

/// The only kind of view that can be made.
const LIST: &str = "hudson.model.ListView";

/// What the view of a folder, or of the root, is called.
pub(super) fn name(folder: &[String]) -> &'static str {
    if folder.is_empty() { "all" } else { "All" }
}

/// Whether the root has such a view.
pub(super) fn exists(world: &World, which: &str) -> bool {
    which == name(&[]) || world.jenkins.views.contains_key(which)
}

/// The members of a folder's, or the root's, JSON that concern views.
pub(super) fn members(world: &World, ask: &Ask<'_>, folder: &[String]) -> Value {
    let url = format!("{}/", url_path(&ask.base, folder));
    let primary = json!({"_class": "hudson.model.AllView", "name": name(folder), "url": url});
    let mut views = vec![primary.clone()];
    if folder.is_empty() {
        let seen = world.jenkins.views.iter().filter(|(_, view)| readable(world, ask, view));
        views.extend(seen.map(|(name, _)| json!({"_class": LIST, "name": name, "url": url_of(ask, name)})));
        views.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    }
    json!({"views": views, "primaryView": primary})
}

fn url_of(ask: &Ask<'_>, name: &str) -> String {
    format!("{}/", url_path(&ask.base, &[name.to_owned()]).replacen("/job/", "/view/", 1))
}

/// View.READ, which AuthorizationStrategy gives to whoever may configure the view or see something in it.
fn readable(world: &World, ask: &Ask<'_>, view: &Element) -> bool {
    let may = |permission| access::may(&world.jenkins, &ask.caller, permission, &[]);
    may(Permission::ViewRead) || may(Permission::ViewConfigure) || !jobs(world, ask, view).is_empty()
}

/// The root's items that a list view names, or whose names its regular expression matches as a whole.
fn jobs(world: &World, ask: &Ask<'_>, view: &Element) -> Vec<Value> {
    let names: Vec<&str> =
        view.child("jobNames").iter().flat_map(|list| &list.children).map(|one| &*one.text).collect();
    let pattern = pattern(view).ok().flatten();
    let shown = |name: &str| names.contains(&name) || pattern.as_ref().is_some_and(|pattern| pattern.is_match(name));
    export::items(world, ask, &[]).into_iter().filter(|item| item["name"].as_str().is_some_and(&shown)).collect()
}

fn pattern(view: &Element) -> Result<Option<Regex>, regex::Error> {
    let text = view.child_text("includeRegex").filter(|text| !text.is_empty());
    text.map(|text| Regex::new(&format!("^(?:{text})$"))).transpose()
}

/// `view/NAME/...` of the root, or of a folder.
pub(super) fn answer(world: &mut World, ask: &Ask<'_>, folder: &[String], which: &str, rest: &[&str]) -> Answer {
    if which == name(folder) {
        return match rest {
            ["api", "json" | "python"] => export::answer(ask, &all(world, ask, folder)),
            _ => Err(reply::not_found()),
        };
    }
    let view = world.jenkins.views.get(which).filter(|_| folder.is_empty()).cloned().ok_or_else(reply::not_found)?;
    if !readable(world, ask, &view) {
        return Err(reply::not_found());
    }
    let may = |world: &World, permission| access::require(&world.jenkins, &ask.caller, permission, &[]);
    match rest {
        ["api", "json" | "python"] => export::answer(ask, &one(world, ask, which, &view)),
        ["config.xml"] if ask.method == Method::GET => {
            Ok(reply::xml(config::save(&view, &world.jenkins.plugins, world.jenkins.style())))
        }
        ["config.xml"] if ask.method == Method::POST => {
            may(world, Permission::ViewConfigure)?;
            let source = ask.text().ok_or_else(|| reply::broken("Failed to persist configuration.xml"))?;
            let view = read(world, &source, which)?;
            world.jenkins.views.insert(which.to_owned(), view);
            Ok(reply::empty(StatusCode::OK))
        }
        ["config.xml"] => Err(reply::empty(StatusCode::BAD_REQUEST)),
        ["configure"] => {
            may(world, Permission::ViewConfigure)?;
            Ok(reply::html("configure"))
        }
        ["addJobToView" | "removeJobFromView"] => change(world, ask, which, rest == ["addJobToView"]),
        ["submitDescription"] => {
            ask.require_post()?;
            may(world, Permission::ViewConfigure)?;
            let description = ask.field("description").unwrap_or_default().to_owned();
            world.jenkins.views.entry(which.to_owned()).and_modify(|view| view.set_child("description", &description));
            Ok(reply::located(StatusCode::FOUND, "."))
        }
        ["doDelete"] => {
            ask.require_post()?;
            may(world, Permission::ViewDelete)?;
            world.jenkins.views.remove(which);
            Ok(reply::located(StatusCode::FOUND, &format!("{}/", ask.base)))
        }
        _ => Err(reply::not_found()),
    }
}

fn all(world: &World, ask: &Ask<'_>, folder: &[String]) -> Value {
    let mut view = members(world, ask, folder)["primaryView"].take();
    view["description"] = Value::Null;
    view["property"] = json!([]);
    view["jobs"] = export::items(world, ask, folder).into();
    view
}

fn one(world: &World, ask: &Ask<'_>, name: &str, view: &Element) -> Value {
    json!({
        "_class": LIST, "name": name, "url": url_of(ask, name), "description": view.child_text("description"),
        "property": [], "jobs": jobs(world, ask, view),
    })
}

/// `createView` at the root, with a configuration or by the name of the kind (View.create).
pub(super) fn create(world: &mut World, ask: &Ask<'_>) -> Answer {
    ask.require_post()?;
    access::require(&world.jenkins, &ask.caller, Permission::ViewCreate, &[])?;
    ask.content_type().ok_or_else(|| reply::failure("No Content-Type header set"))?;
    let is_xml = ask.is_xml();
    let wanted = check_good_name(ask.field("name").unwrap_or_default()).map_err(|error| reply::failure(&error))?;
    if wanted == name(&[]) || world.jenkins.views.contains_key(wanted) {
        return Err(reply::failure(&format!("A view already exists with the name \"{wanted}\"")));
    }
    let source = match ask.field("mode").filter(|mode| !mode.is_empty()) {
        None if is_xml => ask.require_xml("No view type is specified")?,
        None => return Err(reply::failure("No view type is specified")),
        Some(LIST) => format!("<{LIST}><jobNames/></{LIST}>"),
        Some(mode) => return Err(reply::failure(&format!("No view type ‘{mode}’ is known"))),
    };
    let view = read(world, &source, wanted)?;
    world.jenkins.views.insert(wanted.to_owned(), view);
    match is_xml {
        true => Ok(reply::empty(StatusCode::OK)),
        false => Ok(reply::located(StatusCode::FOUND, &format!("{}configure", url_of(ask, wanted)))),
    }
}

/// A posted configuration under the name that its URL gives it.
fn read(world: &World, source: &str, name: &str) -> Result<Element, Reply> {
    let posted = xml::parse(source).map_err(|error| reply::broken(&format!("Unable to read: {error}")))?;
    if posted.name != LIST {
        return Err(reply::broken(&format!("the sandbox has no views of the class {}", posted.name)));
    }
    let filters = posted.child("jobFilters").is_some_and(|list| !list.children.is_empty());
    if filters || posted.child_text("recurse") == Some("true") || pattern(&posted).is_err() {
        return Err(reply::broken(
            "the sandbox has no filters of views, no such expression, and no views into folders",
        ));
    }
    let mut view = owners::keep(&posted, &world.jenkins.plugins);
    view.children.retain(|child| child.name != "name" && child.name != "owner");
    view.children.insert(0, Element::leaf("name", name));
    Ok(view)
}

/// Lets the list views follow an item to its new full name, or forget it where there is none, with all below it
/// (ListView.Listener).
pub(super) fn follow(jenkins: &mut Jenkins, old: &[String], new: Option<&[String]>) {
    let (old, new) = (full_name(old), new.map(full_name));
    let moved = |name: &str| {
        let below = name.strip_prefix(&old).filter(|below| below.is_empty() || below.starts_with('/'))?;
        Some(new.as_ref().map(|new| format!("{new}{below}")))
    };
    for list in jenkins.views.values_mut().filter_map(|view| view.child_mut("jobNames")) {
        list.children.retain_mut(|child| match moved(&child.text) {
            Some(Some(name)) if child.name == "string" => {
                child.text = name;
                true
            }
            Some(None) => child.name != "string",
            _ => true,
        });
    }
}

/// Puts one of the root's items into a view, or takes it out (ListView.doAddJobToView, doRemoveJobFromView).
fn change(world: &mut World, ask: &Ask<'_>, which: &str, add: bool) -> Answer {
    ask.require_post()?;
    access::require(&world.jenkins, &ask.caller, Permission::ViewConfigure, &[])?;
    let name = ask.field("name").ok_or_else(|| reply::failure("Query parameter 'name' is required"))?;
    let item = world.jenkins.find(&[name.to_owned()]).map(|item| item.name.clone());
    let readable =
        |name: &String| access::may(&world.jenkins, &ask.caller, Permission::ItemRead, std::slice::from_ref(name));
    let unknown = match add {
        true => "Query parameter 'name' does not correspond to a known item",
        false => "Query parameter 'name' does not correspond to a known and readable item",
    };
    let item = item.filter(readable).ok_or_else(|| reply::failure(unknown))?;
    let view = world.jenkins.views.get_mut(which).ok_or_else(reply::not_found)?;
    if view.child("jobNames").is_none() {
        view.children.push(Element::new("jobNames"));
    }
    if let Some(list) = view.child_mut("jobNames") {
        list.children.retain(|child| child.name != "string" || child.text != item);
        if add {
            list.children.push(Element::leaf("string", &item));
        }
    }
    Ok(reply::empty(StatusCode::OK))
}
