//! Pages of lists whose marker names the last item given, so that items made or deleted between two pages neither repeat
//! nor hide others. Apart from the services because several page alike; what a wrong marker is called they know alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// One page of a list.
#[derive(Debug, PartialEq)]
pub(super) struct Page {
    /// The items of the page.
    pub(super) items: Vec<Value>,
    /// Where the next page begins; `None` on the last one.
    pub(super) next: Option<String>,
}

fn marker(list: &str, key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{list}\n{key}"))
}

/// The key behind a marker that was given out for this list.
fn key_of(list: &str, marker: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(marker).ok()?).ok()?;
    text.strip_prefix(list)?.strip_prefix('\n').map(str::to_owned)
}

/// Cuts a page of at most `size` out of items with their keys; an empty marker asks for the first page. `None` where the
/// marker was not given out for this list.
pub(super) fn cut(list: &str, mut items: Vec<(String, Value)>, size: usize, after: &str) -> Option<Page> {
    items.sort_by(|one, other| one.0.cmp(&other.0));
    if !after.is_empty() {
        let last = key_of(list, after)?;
        items.retain(|(key, _)| *key > last);
    }
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|(key, _)| marker(list, key));
    Some(Page { items: items.into_iter().map(|(_, item)| item).collect(), next })
}

/// A number that a request may give as text, as query strings and forms do.
///
/// # Errors
/// The sentence of AWS's parameter validation where it is no number from `least` to `most`.
pub(super) fn size(given: Option<&Value>, member: &str, least: usize, most: usize) -> Result<Option<usize>, String> {
    let number = match given {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse::<i64>().ok(),
        Some(other) => other.as_i64(),
    };
    let size = number.and_then(|number| usize::try_from(number).ok());
    if let Some(size) = size.filter(|size| (least..=most).contains(size)) {
        return Ok(Some(size));
    }
    let shown = number.map_or_else(|| "null".to_owned(), |number| number.to_string());
    let rule = match number {
        Some(number) if number > 0 => format!("less than or equal to {most}"),
        _ => format!("greater than or equal to {least}"),
    };
    Err(format!(
        "1 validation error detected: Value '{shown}' at '{member}' failed to satisfy constraint: Member must have value {rule}"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn items(names: &[&str]) -> Vec<(String, Value)> {
        names.iter().map(|name| ((*name).to_owned(), json!(name))).collect()
    }

    #[test]
    fn a_marker_goes_on_behind_the_last_item_whatever_came_or_went_since() {
        let first = cut("ListRoles", items(&["a", "b", "c"]), 2, "").unwrap();
        assert_eq!(first.items, [json!("a"), json!("b")]);
        let marker = first.next.unwrap();
        let rows: [(&str, &[&str], &[&str], bool); 4] = [
            ("nothing changed", &["a", "b", "c"], &["c"], false),
            ("the last item is gone", &["a", "c"], &["c"], false),
            ("one came before", &["a", "a2", "b", "c"], &["c"], false),
            ("more came behind", &["a", "b", "c", "d", "e"], &["c", "d"], true),
        ];
        for (name, now, wanted, more) in rows {
            let page = cut("ListRoles", items(now), 2, &marker).unwrap();
            assert_eq!(
                (page.items, page.next.is_some()),
                (wanted.iter().map(|one| json!(one)).collect(), more),
                "{name}"
            );
        }
        for (name, list, marker) in [("another list's", "ListUsers", marker.as_str()), ("not one", "ListRoles", "zzz")]
        {
            assert_eq!(cut(list, items(&["a"]), 2, marker), None, "{name}");
        }
    }
}
