//! Views as far as clients look at them: the one that shows everything, `all` at the root and `All` in a folder, which is
//! the primary one, so that its URL is its owner's (View.getUrl).

use serde_json::{Value, json};

use super::export;
use super::reply::{self, Answer};
use super::route::{Ask, url_path};
use crate::world::World;

/// What the view of a folder, or of the root, is called.
pub(super) fn name(folder: &[String]) -> &'static str {
    if folder.is_empty() { "all" } else { "All" }
}

/// The members of a folder's, or the root's, JSON that concern views.
pub(super) fn members(ask: &Ask<'_>, folder: &[String]) -> Value {
    let url = format!("{}/", url_path(&ask.base, folder));
    let view = json!({"_class": "hudson.model.AllView", "name": name(folder), "url": url});
    json!({"views": [view], "primaryView": view})
}

/// `view/all/api/json`.
pub(super) fn answer(world: &World, ask: &Ask<'_>, folder: &[String], which: &str) -> Answer {
    if which != name(folder) {
        return Err(reply::not_found());
    }
    let mut view = members(ask, folder)["primaryView"].take();
    view["description"] = Value::Null;
    view["property"] = json!([]);
    view["jobs"] = export::items(world, ask, folder).into();
    export::answer(ask, &view)
}
