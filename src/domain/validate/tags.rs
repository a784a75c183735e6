//! Whose a tag's key is where only the case of letters differs. Services of AWS do not agree on that: to some, such as IAM,
//! `Cost` and `cost` are one key. So nothing here tells them apart.

use std::collections::BTreeMap;

use super::SpecError;

/// The key among these tags that is this one, in any case of letters.
pub(super) fn alike<'a>(tags: &'a BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    let wanted = key.to_lowercase();
    tags.keys().find(|other| other.to_lowercase() == wanted).map(String::as_str)
}

/// Refuses keys that differ by case alone. The same key may come twice: a project says otherwise than its own platform.
///
/// # Errors
/// The first two of them, as wrong at this field.
pub(super) fn apart<'a>(field: &str, keys: impl IntoIterator<Item = &'a String>) -> Result<(), SpecError> {
    let mut known: BTreeMap<String, &String> = BTreeMap::new();
    for key in keys {
        let before = known.insert(key.to_lowercase(), key);
        if let Some(other) = before.filter(|other| *other != key) {
            let message = format!(
                "the keys {key} and {other} differ by case alone, and some services of AWS take them for one: leave one of them out"
            );
            return Err(SpecError::new(field, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_that_differ_by_case_alone_are_one() {
        let rows: [(&str, &[&str], bool); 6] = [
            ("none", &[], true),
            ("different ones", &["cost", "team"], true),
            ("the same again", &["cost", "cost"], true),
            ("by case alone", &["cost", "team", "Cost"], false),
            ("in the middle", &["costCentre", "costcentre"], false),
            ("beyond ASCII", &["Übung", "übung"], false),
        ];
        for (case, keys, fit) in rows {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(apart("spec.tags", &keys).is_ok(), fit, "{case}");
        }
        let told = apart("spec.tags", &["Cost".to_owned(), "cost".to_owned()]).unwrap_err().to_string();
        assert!(told.starts_with("spec.tags: the keys cost and Cost differ by case alone"), "{told}");
    }

    #[test]
    fn a_key_is_found_in_any_case() {
        let tags = BTreeMap::from([("Cost".to_owned(), "1".to_owned())]);
        for (key, found) in [("Cost", Some("Cost")), ("cOST", Some("Cost")), ("costs", None)] {
            assert_eq!(alike(&tags, key), found, "{key}");
        }
    }
}
