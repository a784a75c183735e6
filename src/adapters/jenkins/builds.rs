//! The builds of a job: what polling has to go by, and the one that the operator starts. Which job gets one is decided in
//! `resources::jenkins_jobs`; nothing here stops or judges a build.

use http::StatusCode;
use serde_json::Value;

use super::client::JenkinsClient;
use super::errors;
use super::jobs::{is_ours, list, moved, text};
use crate::domain::external_resource::RecordedIds;
use crate::domain::fault::{Fault, FaultKind};
use crate::domain::identity::Identity;
use crate::resources::jenkins_jobs::first_build::{Builds, intent_of};
use crate::resources::jenkins_jobs::item_path;

/// What is asked of a job. A checkout of Git leaves its revision in the build (hudson.plugins.git.util.BuildData).
const TREE: &str = "buildable,inQueue,nextBuildNumber,lastBuild[building,actions[lastBuiltRevision[SHA1]]],\
    lastSuccessfulBuild[actions[lastBuiltRevision[SHA1]]]";

/// The permission to start builds. A refusal that does not name it says nothing about it.
const BUILD: &str = "hudson.model.Item.Build";

impl JenkinsClient {
    /// What is seen of a job's builds; `None`: it is gone.
    pub(super) async fn builds(&self, path: &[String]) -> Result<Option<Builds>, Fault> {
        let attempt = format!("look at the builds of job \"{}\"", path.join("/"));
        let Some(job) = self.json(&attempt, &item_path(path), TREE).await? else { return Ok(None) };
        let mut builds = read(&job);
        if builds.lack_a_checkout() {
            builds.may_start = self.may_start(&attempt, path).await?;
        }
        Ok(Some(builds))
    }

    /// Whether the user may start builds. Jenkins asks for the permission first and refuses the method then
    /// (BuildAuthorizationToken.checkPermission), so that a GET starts nothing.
    async fn may_start(&self, attempt: &str, path: &[String]) -> Result<bool, Fault> {
        let answer = self.read(attempt, &format!("{}/buildWithParameters", item_path(path)), &[]).await?;
        match answer.status {
            StatusCode::FORBIDDEN if answer.header("x-required-permission").is_some_and(|named| named == BUILD) => {
                Ok(false)
            }
            StatusCode::METHOD_NOT_ALLOWED => Ok(true),
            _ => Err(errors::refusal(attempt, &answer)),
        }
    }

    /// Starts a build with the default of each parameter, as polling does, if the job is ours and nothing has been built
    /// since it was looked at.
    pub(super) async fn start_build(
        &self,
        id: &Identity,
        path: &[String],
        next: u64,
        source: &str,
    ) -> Result<RecordedIds, Fault> {
        let attempt = format!("start a build of job \"{}\"", path.join("/"));
        let tree = format!("description,{TREE}");
        let job = self.json(&attempt, &item_path(path), &tree).await?.ok_or_else(|| moved(&attempt))?;
        let builds = read(&job);
        if !is_ours(id, path, text(&job, "description")) || builds.under_way || builds.next != next {
            return Err(moved(&attempt));
        }
        let answer = self.post(&attempt, &format!("{}/buildWithParameters", item_path(path)), &[], None).await?;
        match answer.status {
            // Somebody has disabled it since.
            StatusCode::CONFLICT => Err(Fault { kind: FaultKind::Conflict, ..errors::refusal(&attempt, &answer) }),
            // 303: an equal one waits already. 302: a plugin lets none be scheduled, and asking again would be no better.
            _ if errors::done(&answer) => {
                let name = path.last().map(String::as_str).unwrap_or_default();
                Ok(vec![(intent_of(name), source.to_owned())])
            }
            _ => Err(errors::refusal(&attempt, &answer)),
        }
    }
}

fn read(job: &Value) -> Builds {
    let is = |value: &Value, member: &str| value.get(member).and_then(Value::as_bool).unwrap_or(false);
    let build = |member: &str| job.get(member).filter(|build| build.is_object());
    let (last, successful) = (build("lastBuild"), build("lastSuccessfulBuild"));
    let checked_out = |build: &Value| {
        list(build, "actions").iter().any(|action| action.get("lastBuiltRevision").is_some_and(Value::is_object))
    };
    Builds {
        buildable: is(job, "buildable"),
        under_way: is(job, "inQueue") || last.is_some_and(|build| is(build, "building")),
        next: job.get("nextBuildNumber").and_then(Value::as_u64).unwrap_or_default(),
        any: last.is_some(),
        checkout: successful.or(last).is_some_and(checked_out),
        may_start: false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn polling_goes_by_the_last_successful_build_or_else_by_the_last() {
        let with = json!({"building": false, "actions": [{}, {"lastBuiltRevision": {"SHA1": "a"}}]});
        let without = json!({"building": false, "actions": [{}, {"parameters": []}]});
        let rows = [
            ("none", json!(null), json!(null), (false, false)),
            ("one that failed early", without.clone(), json!(null), (true, false)),
            ("one that failed late", with.clone(), json!(null), (true, true)),
            ("one that succeeded, and one that failed early", without.clone(), with.clone(), (true, true)),
            ("one that succeeded without a checkout", with, without, (true, false)),
        ];
        for (name, last, successful, expected) in rows {
            let builds = read(&json!({"lastBuild": last, "lastSuccessfulBuild": successful}));
            assert_eq!((builds.any, builds.checkout), expected, "{name}");
        }
        let job = json!({"buildable": true, "inQueue": false, "nextBuildNumber": 4, "lastBuild": {"building": true}});
        let running = Builds { buildable: true, under_way: true, next: 4, any: true, ..Builds::default() };
        assert_eq!(read(&job), running);
    }
}
