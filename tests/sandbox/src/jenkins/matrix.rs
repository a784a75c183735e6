//! Permissions that an item grants by itself, where the plugin matrix-auth is installed: its AuthorizationMatrixProperty
//! with one of three strategies (NonInheritingStrategy, InheritGlobalStrategy, InheritParentStrategy). It stands apart
//! from `access`, whose users have their permissions everywhere.

use super::access::Permission;
use super::xml::Element;
use super::{Item, Jenkins};

/// The plugin.
const PLUGIN: &str = "matrix-auth";
/// The property of a job.
const OF_JOB: &str = "hudson.security.AuthorizationMatrixProperty";
/// The property of a folder.
const OF_FOLDER: &str = "com.cloudbees.hudson.plugins.folder.properties.AuthorizationMatrixProperty";
/// Where the strategies lie.
const STRATEGIES: &str = "org.jenkinsci.plugins.matrixauth.inheritance.";

/// Whether a user may do that at `path`, given whether the user may do so everywhere.
pub(super) fn grants(jenkins: &Jenkins, user: &str, permission: Permission, path: &[String], everywhere: bool) -> bool {
    let mut granted = everywhere;
    if !jenkins.plugins.contains_key(PLUGIN) {
        return granted;
    }
    for depth in 1..=path.len() {
        let Some(property) = jenkins.find(&path[..depth]).and_then(property) else { continue };
        let own = lists(property, user, permission);
        let strategy = property.child("inheritanceStrategy").and_then(|strategy| strategy.attribute("class"));
        let reads = permission == Permission::ItemRead;
        granted = match strategy.and_then(|class| class.strip_prefix(STRATEGIES)) {
            // Whoever may not read the folder reads nothing in it.
            Some("NonInheritingStrategy") => own && (granted || !reads || depth == 1),
            Some("InheritGlobalStrategy") => (own || everywhere) && (granted || !reads || depth == 1),
            _ => own || granted,
        };
    }
    granted
}

fn property(item: &Item) -> Option<&Element> {
    item.property(if item.is_folder() { OF_FOLDER } else { OF_JOB })
}

/// Whether the property has a line for the user: `USER:hudson.model.Item.Read:name`, in older files without the kind.
fn lists(property: &Element, user: &str, permission: Permission) -> bool {
    let line = format!("{}:{user}", permission.id());
    let lines = property.children.iter().filter(|child| child.name == "permission");
    lines.into_iter().any(|found| found.text.strip_prefix("USER:").unwrap_or(&found.text) == line)
}

/// Gives the creator of an item what it takes to read and configure it, where these rights are missing (ItemListenerImpl
/// of the property).
pub(super) fn give_to_creator(jenkins: &Jenkins, user: &str, missing: &[Permission], item: &mut Item) {
    if missing.is_empty() || !jenkins.plugins.contains_key(PLUGIN) {
        return;
    }
    let name = if item.is_folder() { OF_FOLDER } else { OF_JOB };
    let Some(list) = item.config.child_mut("properties") else { return };
    if list.child(name).is_none() {
        let mut strategy = Element::new("inheritanceStrategy");
        strategy.attributes.push(("class".into(), format!("{STRATEGIES}InheritParentStrategy")));
        list.children.push(Element { children: vec![strategy], ..Element::new(name) });
    }
    if let Some(property) = list.child_mut(name) {
        let line = |permission: &Permission| Element::leaf("permission", &format!("USER:{}:{user}", permission.id()));
        property.children.extend(missing.iter().map(line));
    }
}
