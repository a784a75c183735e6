//! Code repositories: a name, a URL, a branch. They point to Git; nothing is cloned.

use serde_json::{Value, json};

use super::lists::{self, Row};
use super::{Kept, arn, input, invalid, seconds, state};
use crate::aws::{Call, Outcome, Refusal};
use crate::world::World;

/// A code repository.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct CodeRepository {
    pub name: String,
    pub arn: String,
    /// `RepositoryUrl`, `Branch`, `SecretArn`.
    pub git: Value,
    pub modified: jiff::Timestamp,
}

fn missing(call: &Call<'_>, name: &str) -> Refusal {
    invalid(format!("Cannot find CodeRepository: \"{}\"", arn(call, "code-repository", name)))
}

fn git_config(git: &Value) -> Result<(), Refusal> {
    let url = git["RepositoryUrl"].as_str().unwrap_or_default();
    input::length("GitConfig.RepositoryUrl", url, 11, 1024)?;
    if !url.starts_with("https://") {
        return Err(input::violation(
            &format!("Value '{url}' at 'gitConfig.repositoryUrl'"),
            "Member must satisfy regular expression pattern: ^https://([^/]+)/?.{3,1016}$",
        ));
    }
    let Some(branch) = git["Branch"].as_str() else { return Ok(()) };
    input::length("GitConfig.Branch", branch, 1, 1024)?;
    if branch.contains([' ', '~', '^', ':', '?', '*', '[']) {
        return Err(input::violation(
            &format!("Value '{branch}' at 'gitConfig.branch'"),
            "Member must satisfy regular expression pattern: [^ ~^:?*\\[]+",
        ));
    }
    Ok(())
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Outcome {
    let name = call.text("CodeRepositoryName").to_owned();
    git_config(&call.input["GitConfig"])?;
    let tags = input::tags(call)?;
    let (now, arn) = (world.now, arn(call, "code-repository", &name));
    let state = state(world, call);
    if state.repositories.get(&name).is_some_and(|kept| kept.truth().is_some()) {
        return Err(invalid(format!("Cannot create a duplicate CodeRepository: \"{arn}\" already exists.")));
    }
    let repository =
        CodeRepository { name: name.clone(), arn: arn.clone(), git: call.input["GitConfig"].clone(), modified: now };
    state.repositories.insert(name, Kept::new(repository, now));
    state.tags.insert(arn.clone(), tags);
    Ok(json!({"CodeRepositoryArn": arn}))
}

fn shown(kept: &Kept<CodeRepository>, repository: &CodeRepository) -> Value {
    json!({"CodeRepositoryName": repository.name, "CodeRepositoryArn": repository.arn, "GitConfig": repository.git,
        "CreationTime": seconds(kept.created), "LastModifiedTime": seconds(repository.modified)})
}

pub(super) fn describe(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let name = call.text("CodeRepositoryName");
    let kept = state(world, call).repositories.get(name).ok_or_else(|| missing(call, name))?;
    kept.seen(now, delay).map(|repository| shown(kept, repository)).ok_or_else(|| missing(call, name))
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, delay) = (world.now, world.settings.read_after_write);
    let name = call.text("CodeRepositoryName");
    let git = call.input["GitConfig"].as_object().cloned().unwrap_or_default();
    if let Some(other) = git.keys().find(|member| *member != "SecretArn") {
        return Err(invalid(format!("{other} of a CodeRepository cannot be updated.")));
    }
    let kept = state(world, call).repositories.get_mut(name).filter(|kept| kept.truth().is_some());
    let kept = kept.ok_or_else(|| missing(call, name))?;
    kept.change(now, delay, |repository| {
        if let Some(secret) = git.get("SecretArn") {
            repository.git["SecretArn"] = secret.clone();
        }
        repository.modified = now;
    });
    Ok(json!({"CodeRepositoryArn": kept.last().arn}))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Outcome {
    let now = world.now;
    let name = call.text("CodeRepositoryName");
    let state = state(world, call);
    let kept = state.repositories.get_mut(name).filter(|kept| kept.truth().is_some());
    let kept = kept.ok_or_else(|| missing(call, name))?;
    kept.delete(now);
    state.tags.remove(&arn(call, "code-repository", name));
    Ok(Value::Null)
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let (now, lag) = (world.now, world.settings.list_lag);
    let rows = state(world, call).repositories.values().filter_map(|kept| {
        let repository = kept.listed(now, lag)?;
        let summary = shown(kept, repository);
        Some(Row { name: repository.name.clone(), created: kept.created, modified: repository.modified, summary })
    });
    lists::answer(call, rows.collect(), "CodeRepositorySummaryList", "Name")
}
