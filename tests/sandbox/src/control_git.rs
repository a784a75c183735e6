//! The part of the control interface that is about Git repositories and builds. Apart from `control` because behind the
//! HTTP door the repositories are on disk, and the world's picture follows them.

use serde_json::{Value, json};

use crate::control::{Refused, wanted};
use crate::repositories::Content;
use crate::sandbox::Sandbox;
use crate::world::World;

/// Every build, oldest first, with its log; no variables, since one of them is as good as a password.
pub(crate) fn builds(world: &mut World) -> Value {
    let regions = world.regions.iter();
    let all = regions.flat_map(|((account, region), parts)| {
        parts.codebuild.builds().iter().map(move |build| {
            json!({
                "account": account, "region": region, "id": build.id, "project": build.project, "status": build.status,
                "log": build.log,
            })
        })
    });
    all.collect()
}

/// Every branch of every repository, and where the repositories are, if they are on disk.
pub(crate) fn repositories(sandbox: &Sandbox) -> Result<Value, Refused> {
    follow(sandbox)?;
    let mut branches = sandbox.world(|world| world.repositories.dump());
    if let Some(git) = sandbox.git() {
        for branch in branches.as_array_mut().into_iter().flatten() {
            let path = git.path(branch["fullName"].as_str().unwrap_or_default()).map_err(failed)?;
            branch["path"] = json!(path);
        }
    }
    Ok(json!({"folder": sandbox.git().map(|git| git.folder().to_owned()), "branches": branches}))
}

/// Lets a branch be empty, or hold a README or a file of its own, whatever it held; or lets there be no such repository.
pub(crate) fn prepare(sandbox: &Sandbox, input: &Value) -> Result<Value, Refused> {
    let name = wanted(input, "fullName")?;
    let branch = input.get("branch").and_then(Value::as_str).unwrap_or("main");
    let content = match wanted(input, "content")? {
        "empty" => Some(Content::Empty),
        "readme" => Some(Content::Readme),
        "files" => Some(Content::Files),
        "missing" => None,
        other => return Err((400, format!("a branch is empty, readme, files or missing, not '{other}'"))),
    };
    sandbox.world(|world| match content {
        Some(content) => world.repositories.prepare(name, branch, content),
        None => world.repositories.remove(name),
    });
    if let Some(git) = sandbox.git() {
        match content {
            Some(content) => git.prepare(name, branch, content),
            None => git.remove(name),
        }
        .map_err(failed)?;
    }
    repositories(sandbox)
}

fn follow(sandbox: &Sandbox) -> Result<(), Refused> {
    if let Some(git) = sandbox.git() {
        let seen = git.look().map_err(failed)?;
        sandbox.world(|world| world.repositories.follow(seen));
    }
    Ok(())
}

fn failed(error: std::io::Error) -> Refused {
    (400, error.to_string())
}
