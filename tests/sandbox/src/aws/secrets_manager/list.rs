//! ListSecrets. Apart from the operations on one secret, which see writes earlier than lists do.

use serde_json::{Value, json};

use super::{SecretEntry, details, invalid_parameter, state, younger};
use crate::aws::{Call, Outcome, Refusal, page};
use crate::world::World;

/// The same map of versions has another name in lists than in descriptions.
fn list_entry(secret: &SecretEntry) -> Value {
    details(secret, "SecretVersionsToStages")
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    if !call.list("Filters").is_empty() {
        return Err(invalid_parameter("Filters are not known here; list all and filter."));
    }
    let size =
        page::size(call.input.get("MaxResults"), "maxResults", 1, 100).map_err(invalid_parameter)?.unwrap_or(100);
    let (now, lag) = (world.now, world.settings.list_lag);
    let planned = call.input.get("IncludePlannedDeletion").is_some_and(|flag| *flag == json!(true));
    let state = state(world, call);
    let here = state.secrets.values().filter(|it| !younger(now, it.created, lag));
    let still = state.deleted.values().filter(|(when, _)| younger(now, *when, lag)).map(|(_, it)| it);
    let shown = here.filter(|it| planned || it.deletion.is_none()).chain(still);
    let items = shown.map(|it| (format!("{} {}", it.name, it.arn), list_entry(it))).collect();
    let page = page::cut("ListSecrets", items, size, call.text("NextToken"));
    let page = page.ok_or_else(|| {
        Refusal::new("InvalidNextTokenException", "The NextToken value is not one that ListSecrets gave.")
    })?;
    Ok(json!({ "SecretList": page.items, "NextToken": page.next }))
}
