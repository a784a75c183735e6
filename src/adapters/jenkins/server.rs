//! The actuator of `resources::jenkins_server`: asks the server who it is, as whom it takes us, and what it can do. It
//! changes nothing.

use futures::future::try_join;
use http::StatusCode;
use serde_json::Value;

use super::client::JenkinsClient;
use super::errors;
use super::folders::is_folder;
use super::jobs::{list, text};
use crate::domain::external_resource::{Actuator, Attempts, RecordedIds};
use crate::domain::fault::Fault;
use crate::domain::identity::Identity;
use crate::domain::text::one_line;
use crate::resources::jenkins_server::{Action, JenkinsServer, Observed};

/// Observes the server behind a client.
pub struct JenkinsServerActuator<'a> {
    client: &'a JenkinsClient,
    folder: bool,
}

impl<'a> JenkinsServerActuator<'a> {
    /// For the server alone.
    pub fn new(client: &'a JenkinsClient) -> Self {
        Self { client, folder: false }
    }

    /// The same, with a look along the folder path: for as long as nobody observes the jobs, so that a folder that cannot
    /// take them shows before anything is made for them.
    #[must_use]
    pub fn with_folder(mut self, folder: bool) -> Self {
        self.folder = folder;
        self
    }
}

impl Actuator<JenkinsServer> for JenkinsServerActuator<'_> {
    async fn observe(&self, id: &Identity, _: &Attempts) -> Result<Observed, Fault> {
        let server = self.client.server().await?;
        if server.version.is_none() || !server.authenticated {
            return Ok(server);
        }
        let (quieting_down, plugins) = try_join(self.client.quieting_down(), self.client.plugins()).await?;
        let path = &id.placement.jenkins_folder;
        let not_a_folder = if self.folder { self.client.first_non_folder(path).await? } else { None };
        Ok(Observed { quieting_down, plugins, not_a_folder, ..server })
    }

    async fn act(&self, _: &Identity, action: &Action) -> Result<RecordedIds, Fault> {
        match *action {}
    }
}

impl JenkinsClient {
    /// Whether Jenkins answers, which, and as whom it takes us.
    async fn server(&self) -> Result<Observed, Fault> {
        let attempt = "ask Jenkins who we are";
        let answer = self.read(attempt, "/whoAmI/api/json", &[("tree", "name,authenticated,anonymous")]).await?;
        match answer.status {
            StatusCode::OK => {}
            // Every Jenkins has this page: what is gone is not the page, but Jenkins at this path.
            StatusCode::NOT_FOUND => {
                return Err(errors::not_jenkins(attempt, "there is no Jenkins at this path (404)"));
            }
            _ => return Err(errors::refusal(attempt, &answer)),
        }
        let Some(version) = answer.header("x-jenkins") else { return Ok(Observed::default()) };
        let value = errors::json(attempt, &answer)?;
        // Jenkins takes the anonymous visitor for authenticated too (seen on 2.568).
        let is = |member: &str| value.get(member).and_then(Value::as_bool).unwrap_or(false);
        let authenticated = is("authenticated") && !is("anonymous");
        Ok(Observed { authenticated, version: Some(one_line(&version)), ..Observed::default() })
    }

    async fn quieting_down(&self) -> Result<bool, Fault> {
        let value = self.json("read the state of Jenkins", "", "quietingDown").await?;
        Ok(value.is_some_and(|value| value.get("quietingDown").and_then(Value::as_bool).unwrap_or(false)))
    }

    /// The first part of a folder path that is something else.
    async fn first_non_folder(&self, path: &[String]) -> Result<Option<String>, Fault> {
        let folders = self.along(path, "description", |_, part| is_folder(part)).await?;
        let other = folders.iter().position(|is_folder| !is_folder);
        Ok(other.and_then(|at| path.get(at).cloned()))
    }

    /// The active plugins; users without Overall/SystemRead may not see them.
    async fn plugins(&self) -> Result<Option<Vec<String>>, Fault> {
        let attempt = "list the plugins of Jenkins";
        let query = [("depth", "1"), ("tree", "plugins[shortName,active]")];
        let answer = self.read(attempt, "/pluginManager/api/json", &query).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(errors::refusal(attempt, &answer)),
        }
        let value = errors::json(attempt, &answer)?;
        let active = list(&value, "plugins").iter().filter(|plugin| plugin.get("active") == Some(&Value::Bool(true)));
        Ok(Some(active.map(|plugin| text(plugin, "shortName").to_owned()).collect()))
    }
}
