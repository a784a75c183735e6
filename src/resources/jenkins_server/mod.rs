//! The Jenkins server: whether it answers at its URL, knows the operator's user, is recent enough and has the plugins that
//! the jobs need, and whether what stands in their folder path is folders. It is observed from the first moment and never touched: what is
//! wrong with it only a person can change.

use jiff::Timestamp;

use crate::crd::status::{MlopsProjectStatus, Placement, Reason};
use crate::domain::external_resource::{Attempts, Decision, ExternalResource, Goal, Remark, ResourceKind, StepKey};
use crate::domain::identity::Identity;
use crate::domain::platform::Platform;
use crate::domain::problem::Problem;
use crate::resources::jenkins_jobs::no_folder;

#[cfg(test)]
mod tests;

/// Jenkins 2.440: the oldest version that the operator's requests were read against.
const OLDEST: u32 = 440;

/// The server, as a resource that is only ever observed.
pub struct JenkinsServer;

/// What the jobs need of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Short names of plugins.
    pub plugins: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether it takes the credentials for a user's.
    pub authenticated: bool,
    /// Its version, from the header `X-Jenkins`; absent: something else answered.
    pub version: Option<String>,
    /// Active plugins; absent: the user may not see them.
    pub plugins: Option<Vec<String>>,
    /// Whether it prepares for a shutdown.
    pub quieting_down: bool,
    /// The part of the folder path that is something else; absent too where nobody asked for it.
    pub not_a_folder: Option<String>,
}

/// Nothing can be done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {}

/// A server that jobs can be made on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Usable {
    /// Whether it prepares for a shutdown: configuration works, builds do not start. Worth a word, no fault.
    pub quieting_down: bool,
    /// Plugins that nobody could look for: the user may not see the list, and no job shows what they bring.
    pub unchecked: Vec<&'static str>,
}

/// Plugins of which a job keeps nothing that shows them: the parameter for AWS keys is of the plugin `credentials`.
const NOT_SHOWN_BY_JOBS: [&str; 1] = ["aws-credentials"];

impl ExternalResource for JenkinsServer {
    const KIND: ResourceKind = ResourceKind::JenkinsServer;
    type Declared = Platform;
    type Inputs = ();
    type Desired = Desired;
    type Observed = Observed;
    type Action = Action;
    type Output = Usable;

    fn desired(platform: &Platform, _inputs: &()) -> Desired {
        let mut plugins = vec!["workflow-job", "workflow-cps", "pipeline-model-definition", "git", "credentials"];
        if !platform.identity.placement.jenkins_folder.is_empty() {
            plugins.push("cloudbees-folder");
        }
        if platform.aws_credentials {
            plugins.push("aws-credentials");
        }
        Desired { plugins }
    }

    fn decide(
        id: &Identity,
        goal: &Goal<Desired>,
        observed: &Observed,
        _now: Timestamp,
        _attempts: &Attempts,
    ) -> Decision<Action, Usable> {
        if let Some(problem) = unusable(observed) {
            return Decision::Stuck(problem);
        }
        match goal {
            // What is absent from a server that knows us is absent.
            Goal::Absent => Decision::Gone,
            Goal::Present(desired) => match missing_plugin(desired, observed).or_else(|| wrong_folder(id, observed)) {
                Some(problem) => Decision::Stuck(problem),
                None => Decision::InSync(usable(desired, observed)),
            },
        }
    }

    fn key(action: &Action) -> StepKey {
        match *action {}
    }

    fn exists(_observed: &Observed) -> bool {
        false
    }

    fn remark(output: &Usable) -> Option<Remark> {
        if output.quieting_down {
            return Some(Remark {
                reason: Reason::JenkinsQuietDown,
                message: "answers as it should, but prepares for a shutdown and starts no builds; wait until it is back, or cancel the shutdown in Jenkins"
                    .to_owned(),
                passing: true,
            });
        }
        (!output.unchecked.is_empty()).then(|| Remark {
            reason: Reason::PluginsUnchecked,
            message: format!(
                "answers as it should, but shows its list of plugins only to users with Overall/Administer, or Overall/SystemRead \
                 where that is switched on, so that nobody has looked for {}: see that it is active; what the other plugins \
                 bring shows in the jobs",
                output.unchecked.join(", ")
            ),
            passing: false,
        })
    }

    fn whereabouts(_placement: &Placement, _status: &MlopsProjectStatus) -> Option<String> {
        None
    }
}

fn usable(desired: &Desired, observed: &Observed) -> Usable {
    let unseen = |plugin: &&str| observed.plugins.is_none() && NOT_SHOWN_BY_JOBS.contains(plugin);
    let unchecked = desired.plugins.iter().copied().filter(unseen).collect();
    Usable { quieting_down: observed.quieting_down, unchecked }
}

/// What is wrong with the server itself, if anything.
fn unusable(observed: &Observed) -> Option<Problem> {
    let Some(version) = &observed.version else {
        return Some(Problem::new(
            Reason::NotJenkins,
            "what answers at the Jenkins URL is not Jenkins: it sends no X-Jenkins header",
            "check jenkins.url, its path, and what a proxy in between answers",
        ));
    };
    if too_old(version) {
        return Some(Problem::new(
            Reason::JenkinsTooOld,
            format!("Jenkins {version:.32} is older than 2.{OLDEST}, the oldest version that the operator works with"),
            "upgrade Jenkins",
        ));
    }
    if !observed.authenticated {
        return Some(Problem::new(
            Reason::JenkinsCredentialsInvalid,
            "Jenkins takes the operator for an anonymous visitor",
            "check the user and API token in the Secret, and that no proxy removes the Authorization header",
        ));
    }
    None
}

/// Versions are `2.570`, `2.555.3` or with a suffix; what does not read as one is let pass.
fn too_old(version: &str) -> bool {
    let mut parts = version.split(['.', '-', ' ']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => major < 2 || (major == 2 && minor < OLDEST),
        _ => false,
    }
}

fn wrong_folder(id: &Identity, observed: &Observed) -> Option<Problem> {
    observed.not_a_folder.as_ref().map(|name| no_folder(name, &id.placement.jenkins_folder))
}

fn missing_plugin(desired: &Desired, observed: &Observed) -> Option<Problem> {
    let active = observed.plugins.as_ref()?;
    let missing: Vec<&str> =
        desired.plugins.iter().copied().filter(|name| !active.iter().any(|active| active == name)).collect();
    let message =
        || format!("Jenkins lacks plugins that the jobs need, or they are not active: {}", missing.join(", "));
    let hint = "install them in Jenkins, and restart it if it asks for that";
    (!missing.is_empty()).then(|| Problem::new(Reason::PluginMissing, message(), hint))
}
