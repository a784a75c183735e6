//! The part of the control interface that is about Git repositories and builds. Apart from `control` because behind the
//! HTTP transport the repositories are on disk, and the world's picture follows them.

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use http::Request;

    use super::*;
    use crate::transport::http::Server;
    use crate::{Clock, Endpoint, Settings};

    async fn ask(sandbox: &Sandbox, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder().method(method).uri(format!("/_sandbox/{path}")).body(body).unwrap();
        let response = sandbox.answer(Endpoint::Aws, request).await.unwrap();
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
    }

    #[tokio::test]
    async fn a_branch_is_prepared_and_shown_in_process_and_on_disk() {
        for live in [false, true] {
            let sandbox = Sandbox::with_clock(Settings::default(), Clock::wall());
            let server = if live { Some(Server::start(&sandbox, 0, 0).await.unwrap()) } else { None };
            let readme = json!({"fullName": "team/churn", "branch": "release", "content": "readme"});
            let (status, shown) = ask(&sandbox, "POST", "repositories", &readme).await;
            assert_eq!((status, &shown), (200, &ask(&sandbox, "GET", "repositories", &Value::Null).await.1));
            let branch = &shown["branches"][0];
            assert_eq!((&branch["branch"], &branch["content"]), (&json!("release"), &json!("readme")));
            assert_eq!((&branch["files"], branch["path"].is_string()), (&json!(["README.md"]), live));
            let missing = json!({"fullName": "team/churn", "content": "missing"});
            assert_eq!(ask(&sandbox, "POST", "repositories", &missing).await.1["branches"], json!([]));
            assert!(sandbox.world(|world| world.repositories.is_missing("team/churn")));
            for wrong in [json!({"fullName": "team/churn", "content": "full"}), json!({"content": "empty"})] {
                assert_eq!(ask(&sandbox, "POST", "repositories", &wrong).await.0, 400, "{wrong}");
            }
            if let Some(server) = server {
                server.stop().await;
            }
        }
    }

    #[tokio::test]
    async fn the_answer_of_a_function_is_scripted_by_its_status() {
        let sandbox = Sandbox::with_clock(Settings::default(), Clock::wall());
        let script =
            |status: &str| json!({"logicalId": "One", "region": "eu-west-1", "status": status, "reason": "no"});
        for (status, code) in [("SUCCESS", 200), ("FAILED", 200), ("NONE", 200), ("MAYBE", 400)] {
            assert_eq!(ask(&sandbox, "POST", "custom-resources", &script(status)).await.0, code, "{status}");
        }
        let mute = json!({"logicalId": "One", "region": "eu-west-1", "status": "FAILED"});
        assert_eq!(ask(&sandbox, "POST", "custom-resources", &mute).await.0, 400, "a failure needs its reason");
        assert_eq!(ask(&sandbox, "GET", "builds", &Value::Null).await, (200, json!([])));
    }
}
