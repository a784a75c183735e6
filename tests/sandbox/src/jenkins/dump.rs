//! What tests and the control interface see of Jenkins as a whole: its items by name, and all of it with digests in the
//! place of secrets. It changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::xml::{self, Element};
use super::{Item, Jenkins, config, sealed};

pub(super) fn dump_item(item: &Item) -> Value {
    let mut config = item.config.clone();
    config::hide(&mut config);
    let builds: Vec<Value> = item
        .builds
        .iter()
        .map(|build| json!({"number": build.number, "parameters": build.parameters, "causes": build.causes, "result": build.result}))
        .collect();
    json!({
        "name": item.name,
        "config": xml::write(&config, ""),
        "credentials": dump_credentials(&item.credentials),
        "builds": builds,
        "items": item.children.values().map(dump_item).collect::<Vec<_>>(),
    })
}

pub(super) fn dump_credentials(store: &BTreeMap<String, Element>) -> Value {
    store.iter().map(|(id, credential)| (id.clone(), Value::from(sealed(&xml::write(credential, ""))))).collect()
}

/// The names of all items, folders with a trailing slash: what tests look at first.
pub fn item_names(jenkins: &Jenkins) -> BTreeSet<String> {
    fn below(items: &BTreeMap<String, Item>, prefix: &str, names: &mut BTreeSet<String>) {
        for item in items.values() {
            let name = format!("{prefix}{}", item.name);
            if item.is_folder() {
                below(&item.children, &format!("{name}/"), names);
                names.insert(format!("{name}/"));
            } else {
                names.insert(name);
            }
        }
    }
    let mut names = BTreeSet::new();
    below(&jenkins.items, "", &mut names);
    names
}
