//! What all lists of SageMaker have in common: filters by name and time, sorting, pages.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{input, seconds};
use crate::aws::{Call, Outcome, Refusal};

/// One line of a list with what it is filtered and sorted by.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) summary: Value,
}

/// Filters, sorts and cuts the page that the call asks for; the answer has the rows in `member`.
///
/// # Errors
/// `ValidationException` for a page size out of 1-100 and for a token that is not ours.
pub(super) fn answer(call: &Call<'_>, mut rows: Vec<Row>, member: &str, sort_by: &str) -> Outcome {
    let bound = |name: &str| call.input.get(name).and_then(Value::as_f64);
    let within = |moment: Timestamp, what: &str| {
        let moment = seconds(moment).as_f64().unwrap_or_default();
        bound(&format!("{what}After")).is_none_or(|after| moment > after)
            && bound(&format!("{what}Before")).is_none_or(|before| moment < before)
    };
    let wanted = call.text("NameContains").to_ascii_lowercase();
    rows.retain(|row| {
        row.name.to_ascii_lowercase().contains(&wanted)
            && within(row.created, "CreationTime")
            && within(row.modified, "LastModifiedTime")
    });
    let asked = call.text("SortBy");
    match if asked.is_empty() { sort_by } else { asked } {
        "Name" => rows.sort_by(|a, b| a.name.cmp(&b.name)),
        "LastModifiedTime" => rows.sort_by_key(|row| row.modified),
        _ => rows.sort_by_key(|row| row.created),
    }
    if call.text("SortOrder") == "Descending" {
        rows.reverse();
    }
    let (rows, next) = page(call, rows, 10, 1, 100)?;
    Ok(json!({member: rows.into_iter().map(|row| row.summary).collect::<Vec<_>>(), "NextToken": next}))
}

/// The page that a call asks for, and the token of the next.
///
/// # Errors
/// As [`answer`].
pub(super) fn page<T>(
    call: &Call<'_>,
    mut items: Vec<T>,
    usual: usize,
    least: usize,
    most: usize,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let size = match call.input.get("MaxResults").and_then(Value::as_u64) {
        None => usual,
        Some(asked) => {
            let size = usize::try_from(asked).unwrap_or(usize::MAX);
            let complaint = match size {
                size if size < least => format!("Member must have value greater than or equal to {least}"),
                size if size > most => format!("Member must have value less than or equal to {most}"),
                _ => String::new(),
            };
            if !complaint.is_empty() {
                return Err(input::violation(&format!("Value '{asked}' at 'maxResults'"), &complaint));
            }
            size
        }
    };
    let start = match call.text("NextToken") {
        "" => 0,
        token => token
            .strip_prefix("page-")
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or_else(|| super::invalid("Invalid NextToken."))?,
    };
    let mut rest = items.split_off(start.min(items.len()));
    let next = (rest.len() > size).then(|| format!("page-{}", start.saturating_add(size)));
    rest.truncate(size);
    Ok((rest, next))
}
