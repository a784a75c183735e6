//! Model package groups: the shelves of the model registry.

use serde_json::{Value, json};

use super::lists::{self, Row};
use super::{Kept, arn, input, invalid, seconds, state};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// A model package group.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct ModelPackageGroup {
    pub name: String,
    pub arn: String,
    pub description: String,
    pub created_by: String,
    /// How many versions were ever made in it: version numbers are not used twice.
    pub versions: u32,
}

/// A name, where an ARN may stand for it.
pub(super) fn plain_name(text: &str) -> &str {
    text.split_once(":model-package-group/").map_or(text, |(_, name)| name)
}

pub(super) fn missing(call: &Call<'_>, name: &str) -> Refusal {
    invalid(format!("ModelPackageGroup {} does not exist.", arn(call, "model-package-group", name)))
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.text("ModelPackageGroupName").to_owned();
    let tags = input::tags(call)?;
    let (now, arn) = (world.now, arn(call, "model-package-group", &name));
    let state = state(world, call);
    if state.groups.get(&name).is_some_and(|kept| kept.truth().is_some()) {
        return Err(invalid(format!("Model Package Group already exists: {arn}")));
    }
    let group = ModelPackageGroup {
        name: name.clone(),
        arn: arn.clone(),
        description: call.text("ModelPackageGroupDescription").to_owned(),
        created_by: call.caller.arn.clone(),
        versions: 0,
    };
    state.groups.insert(name, Kept::new(group, now));
    state.tags.insert(arn.clone(), tags);
    Ok(json!({"ModelPackageGroupArn": arn}))
}

fn summary(kept: &Kept<ModelPackageGroup>, group: &ModelPackageGroup) -> Value {
    json!({"ModelPackageGroupName": group.name, "ModelPackageGroupArn": group.arn,
        "ModelPackageGroupDescription": group.description, "CreationTime": seconds(kept.created),
        "ModelPackageGroupStatus": "Completed"})
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let name = plain_name(call.text("ModelPackageGroupName"));
    let kept = state(world, call).groups.get(name).ok_or_else(|| missing(call, name))?;
    let group = kept.seen(now, delay).ok_or_else(|| missing(call, name))?;
    let mut shown = summary(kept, group);
    shown["CreatedBy"] = json!({"IamIdentity": {"Arn": group.created_by}});
    Ok(shown)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let name = plain_name(call.text("ModelPackageGroupName"));
    let state = state(world, call);
    let held = state.packages.values().filter_map(Kept::truth).any(|package| package.group.as_deref() == Some(name));
    let kept = state.groups.get_mut(name).filter(|kept| kept.truth().is_some());
    let kept = kept.ok_or_else(|| missing(call, name))?;
    if held {
        return Err(Refusal::new(
            "ConflictException",
            format!(
                "Model Package Group {} cannot be deleted because it still contains Model Packages.",
                kept.last().arn
            ),
        ));
    }
    kept.delete(now);
    let arn = kept.last().arn.clone();
    state.tags.remove(&arn);
    Ok(Value::Null)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag) = (world.now, world.settings.list_lag);
    let rows = state(world, call).groups.values().filter_map(|kept| {
        let group = kept.listed(now, lag)?;
        let summary = summary(kept, group);
        Some(Row { name: group.name.clone(), created: kept.created, modified: kept.created, summary })
    });
    lists::answer(call, rows.collect(), "ModelPackageGroupSummaryList", "CreationTime")
}
