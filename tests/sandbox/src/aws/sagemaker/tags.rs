//! Tags of everything that has an ARN here.

use serde_json::{Value, json};

use super::{Kept, State, input, invalid, lists, state};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// At most this many tags stand on one thing.
const MOST: usize = 50;

/// Whether something with that ARN exists; a deleted project's record does not count.
fn exists(state: &State, arn: &str) -> bool {
    let alive = |project: &super::Project| project.arn == arn && project.status != "DeleteCompleted";
    state.projects.values().filter_map(Kept::truth).any(alive)
        || state.repositories.values().filter_map(Kept::truth).any(|repository| repository.arn == arn)
        || state.groups.values().filter_map(Kept::truth).any(|group| group.arn == arn)
        || state.packages.get(arn).is_some_and(|package| package.truth().is_some())
}

impl State {
    /// What bears tags here.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        let there = self.tags.iter().filter(|(arn, _)| exists(self, arn));
        there.map(|(arn, tags)| (arn.clone(), tags.clone())).collect()
    }
}

fn tagged<'w>(world: &'w mut World, call: &Call<'_>) -> Result<&'w mut State, Refusal> {
    let arn = call.text("ResourceArn");
    let state = state(world, call);
    if exists(state, arn) { Ok(state) } else { Err(invalid(format!("Resource {arn} does not exist."))) }
}

fn as_list(tags: impl IntoIterator<Item = (String, String)>) -> Vec<Value> {
    tags.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

pub(super) fn add(world: &mut World, call: &Call<'_>) -> Outcome {
    let added = input::tags(call)?;
    let state = tagged(world, call)?;
    let mut tags = state.tags.get(call.text("ResourceArn")).cloned().unwrap_or_default();
    tags.extend(added);
    if tags.len() > MOST {
        return Err(invalid(format!("The number of tags exceeds the limit of {MOST}.")));
    }
    state.tags.insert(call.text("ResourceArn").to_owned(), tags.clone());
    Ok(json!({"Tags": as_list(tags)}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let keys = call.list("TagKeys");
    if keys.is_empty() || keys.len() > MOST {
        return Err(input::violation("Value at 'tagKeys'", "Member must have length between 1 and 50"));
    }
    let state = tagged(world, call)?;
    if let Some(tags) = state.tags.get_mut(call.text("ResourceArn")) {
        tags.retain(|key, _| !keys.iter().any(|gone| gone.as_str() == Some(key)));
    }
    Ok(json!({}))
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let state = tagged(world, call)?;
    let tags = as_list(state.tags.get(call.text("ResourceArn")).cloned().unwrap_or_default());
    let (tags, next) = lists::page(call, tags, MOST, MOST, usize::MAX)?;
    Ok(json!({"Tags": tags, "NextToken": next}))
}
