//! CodeBuild: build projects whose source is an archive in S3, and their builds. What runs a build is behind the HTTP
//! transport (`transport/builds.rs`); in process a build stays queued, as an effect of the world. Members that are not known here
//! are refused, so that none is silently ignored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Call, Outcome, Refusal};
use crate::world::World;

mod builds;
mod input;
mod projects;
#[cfg(test)]
mod tests;

pub use builds::{Build, Status};
pub use projects::Project;

/// What exists in one account and region.
#[derive(Clone, Debug, Default)]
pub struct State {
    projects: BTreeMap<String, Project>,
    /// Oldest first.
    builds: Vec<Build>,
    /// Idempotency tokens by project, each with when, the digest of its request, and the build's id.
    tokens: BTreeMap<(String, String), (Timestamp, String, String)>,
}

impl State {
    /// What bears tags here.
    pub(in crate::aws) fn tagged(&self) -> crate::aws::tagging::Tagged {
        self.projects.values().map(|project| (project.arn(), project.tags())).collect()
    }

    /// A project by its name.
    pub fn project(&self, name: &str) -> Option<&Project> {
        self.projects.get(name)
    }

    /// All builds, oldest first.
    pub fn builds(&self) -> &[Build] {
        &self.builds
    }

    /// A build by its id.
    pub fn build_mut(&mut self, id: &str) -> Option<&mut Build> {
        self.builds.iter_mut().find(|build| build.id == id)
    }

    /// All of it, in a stable order.
    pub fn dump(&self) -> Value {
        let projects: Vec<&Value> = self.projects.values().map(|project| &project.document).collect();
        let builds: Vec<Value> = self
            .builds
            .iter()
            .map(|build| json!({"id": build.id, "status": build.status, "environment": build.environment}))
            .collect();
        json!({"projects": projects, "builds": builds})
    }
}

/// Answers one call.
pub fn call(world: &mut World, call: &Call<'_>) -> Outcome {
    input::check(call)?;
    match call.operation {
        "CreateProject" => projects::create(world, call),
        "UpdateProject" => projects::update(world, call),
        "DeleteProject" => projects::delete(world, call),
        "BatchGetProjects" => projects::get(world, call),
        "ListProjects" => projects::list(world, call),
        "StartBuild" => builds::start(world, call),
        "StopBuild" => builds::stop(world, call),
        "BatchGetBuilds" => builds::get(world, call),
        "ListBuildsForProject" => builds::list(world, call),
        other => Err(Refusal::new("UnknownOperationException", format!("The sandbox's CodeBuild has no {other}"))),
    }
}

fn state<'w>(world: &'w mut World, call: &Call<'_>) -> &'w mut State {
    &mut world.region(&call.caller.account, call.region).codebuild
}

fn arn(call: &Call<'_>, kind: &str, id: &str) -> String {
    format!("arn:aws:codebuild:{}:{}:{kind}/{id}", call.region, call.caller.account)
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidInputException", message)
}

fn no_project(call: &Call<'_>, name: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", format!("Project cannot be found: {}", arn(call, "project", name)))
}

/// Seconds since the epoch.
fn moment(at: Timestamp) -> Value {
    json!(at.as_millisecond() as f64 / 1000.0)
}

/// One page of at most 100 items; the token is the number of the first item of the next page.
fn page(call: &Call<'_>, member: &str, items: Vec<Value>) -> Outcome {
    let start: usize = match call.text("nextToken") {
        "" => 0,
        token => token.parse().map_err(|_| invalid("Invalid nextToken"))?,
    };
    let next = (items.len() > start + 100).then(|| (start + 100).to_string());
    let items: Vec<Value> = items.into_iter().skip(start).take(100).collect();
    Ok(json!({member: items, "nextToken": next}))
}
