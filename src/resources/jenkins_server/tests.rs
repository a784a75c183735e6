//! One row per state and reason of the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::fixture::{bare_platform, owner, place, seals};

fn platform() -> Platform {
    let placement = Placement { jenkins_folder: vec!["ml".into()], ..place() };
    Platform { aws_credentials: true, ..bare_platform(Identity { owner: owner(), placement, seals: seals() }) }
}

fn as_needed() -> Observed {
    let plugins = [
        "workflow-job",
        "workflow-cps",
        "pipeline-model-definition",
        "git",
        "credentials",
        "cloudbees-folder",
        "aws-credentials",
    ];
    Observed {
        authenticated: true,
        version: Some("2.570".into()),
        plugins: Some(plugins.map(str::to_owned).into()),
        quieting_down: false,
        not_a_folder: None,
    }
}

fn told(goal: &Goal<Desired>, observed: &Observed) -> String {
    let platform = platform();
    match JenkinsServer::decide(&platform.identity, goal, observed, Timestamp::UNIX_EPOCH, &Attempts::default()) {
        Decision::InSync(output) => match JenkinsServer::remark(&output) {
            Some(remark) => format!("in sync: {}", remark.reason),
            None => "in sync".into(),
        },
        Decision::Gone | Decision::GoneBut(_) => "gone".into(),
        Decision::Stuck(Problem { reason, message, hint, .. }) => {
            assert!(!message.is_empty() && !hint.is_empty());
            format!("stuck: {reason}")
        }
        Decision::Act(_) | Decision::Wait(_) => panic!("the server is observed and nothing else"),
    }
}

type Row = (&'static str, fn(&mut Observed), &'static str, &'static str);

#[test]
fn every_state_of_the_server_has_its_move() {
    let rows: &[Row] = &[
        ("all as needed", |_| {}, "in sync", "gone"),
        ("a shutdown ahead is no fault", |observed| observed.quieting_down = true, "in sync: JenkinsQuietDown", "gone"),
        ("plugins that may not be seen", |observed| observed.plugins = None, "in sync: PluginsUnchecked", "gone"),
        ("no Jenkins", |observed| observed.version = None, "stuck: NotJenkins", "stuck: NotJenkins"),
        (
            "an old one",
            |observed| observed.version = Some("2.439.3".into()),
            "stuck: JenkinsTooOld",
            "stuck: JenkinsTooOld",
        ),
        (
            "a version in another form is let pass",
            |observed| observed.version = Some("cloud".into()),
            "in sync",
            "gone",
        ),
        (
            "anonymous",
            |observed| observed.authenticated = false,
            "stuck: JenkinsCredentialsInvalid",
            "stuck: JenkinsCredentialsInvalid",
        ),
        (
            "a missing plugin stands in the way of jobs, but not of their removal",
            |observed| observed.plugins.as_mut().unwrap().retain(|name| name != "git"),
            "stuck: PluginMissing",
            "gone",
        ),
        (
            "a missing plugin for the directives of Jenkinsfiles",
            |observed| observed.plugins.as_mut().unwrap().retain(|name| name != "pipeline-model-definition"),
            "stuck: PluginMissing",
            "gone",
        ),
        (
            "a job stands where a folder should be",
            |observed| observed.not_a_folder = Some("ml".into()),
            "stuck: ForeignOwner",
            "gone",
        ),
    ];
    for (name, change, wanted, unwanted) in rows {
        let mut observed = as_needed();
        change(&mut observed);
        let desired = JenkinsServer::desired(&platform(), &());
        assert_eq!(told(&Goal::Present(desired), &observed), *wanted, "{name}");
        assert_eq!(told(&Goal::Absent, &observed), *unwanted, "{name}, on deletion");
    }
}

#[test]
fn plugins_follow_from_what_the_jobs_use() {
    let plugins = |change: fn(&mut Platform)| {
        let mut platform = platform();
        change(&mut platform);
        JenkinsServer::desired(&platform, &()).plugins
    };
    assert!(plugins(|_| {}).contains(&"cloudbees-folder"));
    assert!(!plugins(|platform| platform.identity.placement.jenkins_folder.clear()).contains(&"cloudbees-folder"));
    assert!(!plugins(|platform| platform.aws_credentials = false).contains(&"aws-credentials"));
}

#[test]
fn what_nobody_could_look_for_is_named() {
    let with = |aws: bool| {
        let mut platform = platform();
        platform.aws_credentials = aws;
        let observed = Observed { plugins: None, ..as_needed() };
        let goal = Goal::Present(JenkinsServer::desired(&platform, &()));
        let now = Timestamp::UNIX_EPOCH;
        match JenkinsServer::decide(&platform.identity, &goal, &observed, now, &Attempts::default()) {
            Decision::InSync(usable) => JenkinsServer::remark(&usable).map(|remark| remark.message),
            _ => panic!("it is in sync"),
        }
    };
    assert!(with(true).unwrap().contains("nobody has looked for aws-credentials: "));
    assert_eq!(with(false), None, "what the other plugins bring shows in the jobs");
}
