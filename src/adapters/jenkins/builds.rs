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
use crate::resources::jenkins_jobs::first_build::{Builds, Refusal, intent_of, moved as moved_to, started};
use crate::resources::jenkins_jobs::item_path;

/// What is asked of a job. A checkout of Git leaves its revision in the build (hudson.plugins.git.util.BuildData).
pub(super) const TREE: &str = "buildable,inQueue,nextBuildNumber,lastBuild[building,actions[lastBuiltRevision[SHA1]]],\
    lastCompletedBuild[number,actions[lastBuiltRevision[SHA1]]],lastSuccessfulBuild[number,actions[lastBuiltRevision[SHA1]]]";

impl JenkinsClient {
    /// What is seen of a job's builds; `None`: it is gone.
    pub(super) async fn builds(&self, path: &[String]) -> Result<Option<Builds>, Fault> {
        let attempt = format!("look at the builds of job \"{}\"", path.join("/"));
        Ok(self.json(&attempt, &item_path(path), TREE).await?.map(|job| read(&job)))
    }

    /// What is written down of a job that has just got another source. A build that has begun since it was looked at may
    /// have the number that the next one had.
    pub(super) async fn moved_to_another_source(&self, path: &[String]) -> RecordedIds {
        let attempt = format!("look at the builds of job \"{}\"", path.join("/"));
        let next = match self.json(&attempt, &item_path(path), "nextBuildNumber").await {
            Ok(Some(job)) => job.get("nextBuildNumber").and_then(Value::as_u64),
            // What was written down before says that one is due.
            _ => None,
        };
        let name = path.last().map(String::as_str).unwrap_or_default();
        next.map(|next| (intent_of(name), moved_to(next))).into_iter().collect()
    }

    /// The same builds; if one must be started, as where one `is_due`, with what is in its way.
    pub(super) async fn permitted(&self, path: &[String], mut builds: Builds, is_due: bool) -> Result<Builds, Fault> {
        if builds.may_lack_one(is_due) {
            builds.refusal = self.refusal_to_start(path).await?;
        }
        Ok(builds)
    }

    /// Why the user may start no build; `None`: it may. Jenkins asks for the permission first and refuses the method then
    /// (BuildAuthorizationToken.checkPermission), so that a GET starts nothing. What else forbids it, such as a proxy that
    /// passes no such URL, is a refusal too: the jobs are as they should be without a first build.
    async fn refusal_to_start(&self, path: &[String]) -> Result<Option<Refusal>, Fault> {
        let attempt = starting(path);
        let answer = self.read(&attempt, &format!("{}/buildWithParameters", item_path(path)), &[]).await?;
        if answer.status == StatusCode::METHOD_NOT_ALLOWED && answer.header("x-jenkins").is_some() {
            return Ok(None);
        }
        let lasting = answer.header("x-required-permission").is_some();
        let fault = errors::refusal(&attempt, &answer);
        // Who asks, how often and when is not about this permission, nor is a job that has just gone.
        let about_the_user = [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED];
        let passing = [FaultKind::Throttled, FaultKind::Unavailable, FaultKind::Conflict];
        if answer.status.is_server_error() || about_the_user.contains(&answer.status) || passing.contains(&fault.kind) {
            return Err(fault);
        }
        Ok(Some(Refusal { why: fault.message, lasting }))
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
        let attempt = starting(path);
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
                Ok(vec![(intent_of(name), started(source, next))])
            }
            _ => Err(errors::refusal(&attempt, &answer)),
        }
    }
}

fn starting(path: &[String]) -> String {
    format!("start a build of job \"{}\"", path.join("/"))
}

pub(super) fn read(job: &Value) -> Builds {
    let is = |value: &Value, member: &str| value.get(member).and_then(Value::as_bool).unwrap_or(false);
    let build = |member: &str| job.get(member).filter(|build| build.is_object());
    let (last, completed) = (build("lastBuild"), build("lastCompletedBuild"));
    let successful = build("lastSuccessfulBuild");
    let number = |build: &Value| build.get("number").and_then(Value::as_u64).unwrap_or_default();
    let checked_out = |build: &Value| {
        list(build, "actions").iter().any(|action| action.get("lastBuiltRevision").is_some_and(Value::is_object))
    };
    Builds {
        buildable: is(job, "buildable"),
        under_way: is(job, "inQueue") || last.is_some_and(|build| is(build, "building")),
        next: job.get("nextBuildNumber").and_then(Value::as_u64).unwrap_or_default(),
        any: last.is_some(),
        ended: completed.map(number),
        succeeded: successful.map(number),
        // Of a build that runs, nobody can tell yet whether it will come to one.
        checkout: match successful {
            Some(build) => checked_out(build),
            None => [last, completed].into_iter().flatten().any(checked_out),
        },
        refusal: None,
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
        let (none, runs) = (json!(null), json!({"building": true, "actions": [{}]}));
        let rows = [
            ("none", &none, &none, &none, (false, false)),
            ("one that failed early", &without, &without, &none, (true, false)),
            ("one that failed late", &with, &with, &none, (true, true)),
            ("one that succeeded, and one that failed early", &without, &without, &with, (true, true)),
            ("one that succeeded without a checkout", &with, &with, &without, (true, false)),
            ("one that runs, after one that failed late", &runs, &with, &none, (true, true)),
            ("one that runs, after one that failed early", &runs, &without, &none, (true, false)),
        ];
        for (name, last, completed, successful, expected) in rows {
            let job = json!({"lastBuild": last, "lastCompletedBuild": completed, "lastSuccessfulBuild": successful});
            let builds = read(&job);
            assert_eq!((builds.any, builds.checkout), expected, "{name}");
        }
        let job = json!({"buildable": true, "inQueue": false, "nextBuildNumber": 4, "lastBuild": runs});
        let running = Builds { buildable: true, under_way: true, next: 4, any: true, ..Builds::default() };
        assert_eq!(read(&job), running);
    }
}
